#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# unit.sh PROGRAM...     runs the unit tests, JOBS at the same time; UNIT_RUN is
#                        a prefix (valgrind)

set -eu

export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export CMOCKA_MESSAGE_OUTPUT=STDOUT

if [ "$1" != --one ]; then
    printf '%s\n' "$@" | xargs -n 1 -P "${JOBS:-$(nproc)}" "$0" --one
    exit
fi

program=$2
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# shellcheck disable=SC2086
if ${UNIT_RUN:-} "$program" >"$log" 2>&1; then
    printf 'unit: %-28s %s\n' "$(basename "$program")" \
        "$(sed -n 's/^\[  PASSED  \] //p' "$log" | tail -n 1)"
else
    echo "unit: $(basename "$program") FAILED" >>"$log"
    cat "$log"
    exit 1
fi
