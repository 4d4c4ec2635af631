#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# lint.sh OUT            what `make lint` does; OUT has the built module

set -u

out=$1
failed=0

# a check is a command that prints nothing when all is well

check() {
    local name=$1 found

    shift
    found=$("$@" 2>&1)

    if [ -z "$found" ]; then
        echo "lint: $name: ok"
    else
        echo "$found"
        echo "lint: $name: FAILED"
        failed=1
    fi
}

files() {
    git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null \
        || ls -d "$@" 2>/dev/null
}

# git may not be there, or the sources may not be a clone

if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    files() {
        local pattern

        for pattern in "$@"; do
            find "${pattern%%/*}" -path "${pattern//\*/?*}" -type f
        done
    }
fi

existing() {
    local f

    for f in $(files "$@"); do
        if [ -f "$f" ]; then
            echo "$f"
        fi
    done
}

style() {
    # shellcheck disable=SC2046
    build/style-check $(existing 'src/*.[ch]' 't/*.[ch]' 'sql/*.[ch]') \
        $(existing 'sql/*.sql' 'sql/*.pm' 'sql/cmpctl' 't/*.t' 't/*.pm' \
          'build/*' Makefile config)
}

includes() {
    grep -nE '#[[:space:]]*include[[:space:]]*[<"](ngx_|libpq|postgres|cmp_pg)' \
        src/core/*.[ch] | sed 's/$/   (the core knows no nginx, no libpq)/'
    grep -nE '#[[:space:]]*include[[:space:]]*[<"]ngx_' src/store/*.[ch] \
        | sed 's/$/   (the store knows no nginx)/'
}

sources() {
    diff <(grep -oE 'src/[a-z0-9_/]+\.c' config | sort) \
         <(existing 'src/*.c' | sort) \
        | sed -n -e 's/^< \(.*\)/config: \1 does not exist/p' \
                 -e 's/^> \(.*\)/config: \1 is not listed/p'
}

words() {
    # shellcheck disable=SC2046
    grep -nE '\b(TODO|FIXME|XXX|HACK|for now|not implemented yet)\b' \
        $(existing 'src/*' 'sql/*' 't/*.[cht]' 't/*.pm' config Makefile)
}

blocking() {
    grep -nE '\bPQ(exec|prepare|connectdb|reset|cancel|execParams)\(' \
        src/*.c src/*/*.c
    grep -nE '\bPQexecPrepared\(' src/*.c src/*/*.c
}

exports() {
    local so=$out/nginx/objs/ngx_http_cmp_module.so

    if [ ! -f "$so" ]; then
        echo "$so is not there: make build"
        return
    fi

    nm -D --defined-only "$so" | awk '{ print $3 }' \
        | grep -vxE 'ngx_modules|ngx_module_names|ngx_module_order' \
        | sed 's/^/exported: /'

    nm -D -u "$so" | awk '{ print $2 }' | grep -E '^(cmp_|ngx_http_cmp_)' \
        | sed 's/^/not defined: /'

    nm -A -g --defined-only "$out"/nginx/objs/addon/*/*.o \
        | grep -vE ' (cmp_|ngx_http_cmp_)[a-z0-9_]+$' \
        | sed 's/^/external name: /'
}

# the files of standard input as arguments of a command, several at once

each() {
    local n=$1

    shift
    xargs -r -n "$n" -P "$(nproc)" "$@"
}

script() {
    case $(head -c 30 "$1" | tr -d "\0" | head -n 1) in
        '#!/bin/bash'*|'#!/usr/bin/env bash'*) bash -n "$1" ;;
        '#!/bin/sh'*)                          sh -n "$1" ;;
        '#!/usr/bin/perl'*)
            perl -c "$1" 2>&1 | grep -v 'syntax OK$' ;;
        'package Cmpctl::'*)
            perl -Isql/perl -c "$1" 2>&1 | grep -v 'syntax OK$' ;;
    esac

    return 0
}

scripts() {
    export -f script

    existing 'build/*' 't/run' 't/*' 'sql/*' '.ci/run' \
        | each 1 bash -c 'script "$1"' script
}

cppcheck_all() {
    # shellcheck disable=SC2046
    cppcheck --quiet --std=c99 --enable=warning,portability \
        --inline-suppr --suppressions-list=build/cppcheck.supp \
        --error-exitcode=1 --template='{file}:{line}: {id}: {message}' \
        -j "$(nproc)" -Isrc -Isrc/core -Isrc/store -DNGX_THREADS=1 \
        $(existing 'src/*.c' 'sql/*.c') 2>&1
}

clang_all() {
    local pg

    pg=$(pg_config --includedir)

    existing 'src/core/*.c' 'src/store/*.c' 'sql/*.c' \
        | each 8 clang -fsyntax-only -Wall -Wextra -Werror -Isrc -Isrc/core \
            -Isrc/store -I"$pg"

    existing 't/core/*.c' \
        | each 8 clang -fsyntax-only -Wall -Wextra -Werror -Isrc -Isrc/core \
            -It/core

    # the glue: with the options that nginx compiles it with

    existing 'src/*.c' | grep -v '^src/.*/' | sed 's,^,../../,' \
        | (cd "$out/nginx" && each 8 clang -fsyntax-only -Wall -Wextra \
            -Wno-unused-parameter -Werror \
            -Isrc/core -Isrc/event -Isrc/event/modules -Isrc/os/unix \
            -Iobjs -Isrc/http -Isrc/http/modules -Isrc/http/v2 \
            -I../../src -I../../src/core -I../../src/store -I"$pg")
}

coverage() {
    # shellcheck disable=SC2046
    build/coverage-check $(existing docs/coverage.md 'docs/coverage/*.md')
}

check "style" style
check "sources listed in config" sources
check "direction of includes" includes
check "words" words
check "blocking calls of libpq" blocking
check "exported symbols" exports
check "scripts" scripts
check "tests that docs name" coverage
check "clang" clang_all
check "cppcheck" cppcheck_all

exit $failed
