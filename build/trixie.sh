#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# trixie.sh [-k KEY] [FILE.t...]
#
# Builds and tests this checkout on Debian 13: nginx 1.26, OpenSSL 3.5,
# PostgreSQL 17.  The system is made once, by debootstrap, in the folder
# TRIXIE (default build-deps/trixie) and used again; nothing of it touches
# the system that it runs on.  With arguments, which are those of t/run, only
# these tests are run, and no unit tests.
#
# The mounts belong to a mount namespace of their own and the processes to a
# process namespace of their own, so that nothing is left when it ends.

set -eu

cd "$(dirname "$0")/.."

root=${TRIXIE:-build-deps/trixie}

fail() {
    echo "trixie: $*" >&2
    exit 1
}

case $root in
    /*) ;;
    *)  root=$PWD/$root ;;
esac

if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null \
        || fail "only root can make and enter a system of its own"

    exec sudo env TRIXIE="$root" JOBS="${JOBS:-}" "$PWD/build/trixie.sh" "$@"
fi

# the mirror that apt uses here, as in fetch.sh

mirror() {
    apt-get indextargets --format '$(REPO_URI) $(LABEL)' \
        'Created-By: Packages' 'Origin: Debian' 'Component: main' \
        | sed -n 's/ Debian$//p' | sort -u | head -n 1
}

make_system() {
    local uri keys=/usr/share/keyrings/debian-archive-keyring.gpg

    build/deps.sh debootstrap debian-archive-keyring util-linux

    uri=$(mirror)
    [ -n "$uri" ] || fail "no Debian mirror is known to apt"

    echo "trixie: making $root from $uri"

    rm -rf --one-file-system "$root"
    mkdir -p "$root"

    if ! debootstrap --variant=minbase --keyring="$keys" trixie "$root" \
        "$uri" >"$root.log" 2>&1
    then
        tail -n 20 "$root.log" >&2
        fail "debootstrap failed, its log is $root.log"
    fi

    : >"$root/.cmp-trixie"
}

prepare() {
    # how apt reaches its mirror

    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    apt-config dump --no-empty Acquire::http Acquire::https \
        | grep -v '^Acquire::https\?"' >"$root/etc/apt/apt.conf.d/90cmp" || :
    echo 'Acquire::Check-Valid-Until "false";' \
        >>"$root/etc/apt/apt.conf.d/90cmp"

    # the checkout as it is now, beside what was built of it before

    mkdir -p "$root/srv/cmp"
    find "$root/srv/cmp" -mindepth 1 -maxdepth 1 ! -name 'build-*' \
        -exec rm -rf --one-file-system {} +

    tar -c --exclude=./build-* --exclude=./demo --exclude=./.git . \
        | tar -x --no-same-owner -C "$root/srv/cmp"
}

# inside: as root what has to be installed, the rest as a user

inside() {
    cat <<'EOS'
set -eu

PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C.UTF-8
HOME=/srv/cmp
export PATH LC_ALL HOME
unset http_proxy https_proxy 2>/dev/null || :

cd /srv/cmp

as_user() {
    setpriv --reuid=cmp --regid=cmp --clear-groups -- "$@"
}

if ! id cmp >/dev/null 2>&1; then
    useradd --user-group --no-create-home --home-dir /srv/cmp cmp
fi

test -x /usr/bin/make || build/deps.sh make
make -s deps-check JOBS="$JOBS"

chown -R cmp:cmp /srv/cmp

echo "trixie: $(nginx -v 2>&1), $(openssl version), $(pg_config --version)"

as_user make -s build JOBS="$JOBS"
as_user make -s -j"$JOBS" store-build bench-build

status=0

if [ $# -eq 0 ]; then
    as_user make -s -j"$JOBS" unit-build BUILD=debug
    as_user make -s unit BUILD=debug || status=1
fi

as_user t/run -b release -j "$JOBS" "$@" || status=1

# once more with a PKI that has no other keys

if [ $# -eq 0 ] && [ $status -eq 0 ]; then
    as_user t/run -b release -j "$JOBS" -k ml-dsa-65 t/100-enrol-mac.t \
        t/110-enrol-signature.t t/120-revoke.t t/220-cmpload.t || status=1
fi

exit $status
EOS
}

[ -e "$root/.cmp-trixie" ] || make_system
prepare

JOBS=${JOBS:-$(nproc)}
export JOBS

inside >"$root/srv/cmp-check"

# shellcheck disable=SC2016
exec unshare --mount --pid --fork --kill-child --propagation private \
    /bin/sh -c '
        set -eu
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec chroot "$root" /bin/sh /srv/cmp-check "$@"
    ' trixie "$root" "$@"
