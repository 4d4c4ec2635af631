#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# unit.sh PROGRAM...     runs the unit tests; UNIT_RUN is a prefix (valgrind)

set -eu

status=0

export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export CMOCKA_MESSAGE_OUTPUT=STDOUT

log=$(mktemp)
trap 'rm -f "$log"' EXIT

for program in "$@"; do
    # shellcheck disable=SC2086
    if ${UNIT_RUN:-} "$program" >"$log" 2>&1; then
        printf 'unit: %-28s %s\n' "$(basename "$program")" \
            "$(sed -n 's/^\[  PASSED  \] //p' "$log" | tail -n 1)"
    else
        cat "$log"
        echo "unit: $(basename "$program") FAILED"
        status=1
    fi
done

exit $status
