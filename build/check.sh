#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# check.sh [long]        what `make check` and `make check-long` do

set -eu

kind=${1:-short}
make="make --no-print-directory"
jobs=-j$(nproc)
failed=
log=$(mktemp)
why=$(mktemp)

# What the tests of a step said when they failed is printed again at the end,
# where somebody who sees only that much finds it.

step() {
    local name=$1 begin=$SECONDS status=0 tee

    shift
    echo "== $name"

    exec 3> >(tee "$log")
    tee=$!
    "$@" >&3 2>&1 3>&- || status=$?
    exec 3>&-
    wait $tee

    if [ $status -eq 0 ]; then
        echo "== $name: $((SECONDS - begin)) s"
        return
    fi

    failed="$failed, $name"
    echo "== $name: FAILED after $((SECONDS - begin)) s"

    {
        echo "== $name: FAILED"
        grep -aE '^(# |t/|.*([Ff]ailed|FAIL|[Ee]rror|\*\*\*))' "$log" \
            | grep -avE '\.\. (ok|skipped)' | cut -c 1-240 | tail -n 80
    } >>"$why" || true
}

end() {
    if [ -n "$failed" ]; then
        cat "$why"
        echo "check: FAILED:${failed#,}"
        exit 1
    fi
}

must() {
    step "$@"
    end
}

# the two side by side: nginx's configure scripts use one core each

build_release() {
    $make build && $make "$jobs" store-build bench-build
}

build_sanitize() {
    $make build BUILD=sanitize \
        && $make "$jobs" unit-build store-build bench-build BUILD=sanitize
}

build_both() {
    local pid status=0

    build_release &
    pid=$!
    build_sanitize || status=1
    wait $pid || status=1

    return $status
}

trap 'kill $(jobs -p) 2>/dev/null || true; rm -f "$log" "$why"' EXIT

must "packages" $make deps-check
must "build, also with sanitizers" build_both
step "lint" $make lint
step "unit tests, sanitizers" $make unit BUILD=sanitize

if [ "$kind" = long ]; then
    step "valgrind" build/deps.sh valgrind
    step "Bouncy Castle" build/deps.sh default-jdk-headless libbcpkix-java
    step "unit tests, valgrind" $make "$jobs" unit BUILD=debug \
        UNIT_RUN="valgrind -q --error-exitcode=9 --leak-check=full"
    step "fuzzing, packages" build/deps.sh libclang-rt-dev
    step "fuzzing" $make fuzz

    for key in rsa P-384 ed25519; do
        step "tests, sanitizers, $key" t/run -b sanitize -k $key
    done
fi

step "tests, packaged nginx" t/run -b release
step "tests, sanitizers" t/run -b sanitize

if [ "$kind" = long ]; then
    step "10 000 enrolments" t/bench/enrol-10000
    step "enrolments, sanitizers" env BUILD=sanitize ENROL_REQUESTS=3000 \
        t/bench/enrol-10000

    step "openssl of Debian 13" $make build-deps/openssl-3.5/openssl
    step "tests, client OpenSSL 3.5" env \
        TEST_CMP_OPENSSL="$PWD/build-deps/openssl-3.5/openssl" \
        t/run -b sanitize

    step "Debian 13" $make check-trixie
    step "every measurement, short" env BENCH_SHORT=1 $make bench
fi

end
echo "check: all passed in $SECONDS s"
