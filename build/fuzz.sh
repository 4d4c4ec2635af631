#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# Builds each t/fuzz/*.c, a libFuzzer driver, with the core and the helpers
# of the unit tests, and runs it for FUZZ_SECONDS from the inputs in
# t/fuzz/corpus/NAME; what it finds is left in build-fuzz/NAME.

set -eu

out=build-fuzz
seconds=${FUZZ_SECONDS:-60}
flags="-g -O1 -fsanitize=fuzzer-no-link,address,undefined"
flags="$flags -fno-sanitize-recover=all -fno-omit-frame-pointer"
flags="$flags -Isrc -Isrc/core -It/core"
status=0

mkdir -p "$out/obj"

# a plain rule of make does the objects, two at a time

{
    printf 'all:\n'
    for f in src/core/*.c $(grep -L '^main\b' t/core/*.c) t/fuzz/*.c; do
        if [ -f "$f" ]; then
            o=$out/obj/$(echo "$f" | tr / _ | sed 's/\.c$/.o/')
            printf 'all: %s\n%s: %s\n\tclang %s -MMD -MP -c -o $@ $<\n' \
                "$o" "$o" "$f" "$flags"
        fi
    done
    printf -- '-include $(wildcard %s/obj/*.d)\n' "$out"
} >"$out/Makefile"

make -s -j"$(nproc)" -f "$out/Makefile" all

rm -f "$out/libcore.a"
ar rcs "$out/libcore.a" $(ls "$out"/obj/*.o | grep -v '/t_fuzz_')

for f in t/fuzz/*.c; do
    [ -f "$f" ] || continue

    name=$(basename "$f" .c)
    dir=$out/$name
    mkdir -p "$dir/corpus"

    clang -g -fsanitize=fuzzer,address,undefined -o "$out/$name.bin" \
        "$out/obj/t_fuzz_$name.o" "$out/libcore.a" -lcrypto

    seed=
    if [ -d "t/fuzz/corpus/$name" ]; then
        seed=t/fuzz/corpus/$name
    fi

    echo "fuzz: $name, $seconds s"

    # shellcheck disable=SC2086
    if ! "$out/$name.bin" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$dir/" "$dir/corpus" $seed >"$dir/log" 2>&1
    then
        tail -n 40 "$dir/log"
        echo "fuzz: $name FAILED, see $dir"
        status=1
    else
        sed -n 's/^stat::number_of_executed_units: */fuzz: inputs tried: /p' \
            "$dir/log"
    fi
done

exit $status
