#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# fetch.sh test-nginx DIR    the perl modules of Test::Nginx, from sid,
#                            below DIR
# fetch.sh nginx-source DIR  the source of the installed nginx package,
#                            as DIR/nginx
# fetch.sh openssl DIR       the openssl command of Debian 13 (OpenSSL 3.5)
#                            with its libraries, as DIR/openssl-3.5/openssl
#
# They use an apt configuration of their own inside DIR: the package
# sources of the system are read to find its mirror and never changed.

set -eu

what=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)

apt=$dir/apt
log=$dir/$what.log

fail() {
    echo "fetch: $*" >&2
    exit 1
}


# archives of Debian that the system uses: "URI suite keyring"

archives() {
    apt-get indextargets \
        --format '$(REPO_URI) $(RELEASE) $(LABEL) $(SIGNED_BY)' \
        'Created-By: Packages' 'Origin: Debian' 'Component: main' \
        | sort -u
}

# the list of sources for the packages of another suite

sources() {
    local uri suite label key

    archives | while read -r uri suite label key; do
        if [ "$label" = Debian ]; then
            echo "deb $(option "$key")$uri $1 main"
            break
        fi
    done >"$apt/sources.list"

    [ -s "$apt/sources.list" ] || fail "no Debian mirror is known to apt"
}

option() {
    if [ -n "${1:-}" ] && [ -e "$1" ]; then
        echo "[signed-by=$1] "
    elif [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
        echo "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
    fi
}


# A mirror that lags behind, or a snapshot, is good enough for what only the
# tests need: signatures are checked, the date up to which a list is valid is
# not.

own="-o Dir::Etc::sourcelist=$apt/sources.list
     -o Dir::Etc::sourceparts=/dev/null
     -o Dir::Etc::preferences=/dev/null
     -o Dir::Etc::preferencesparts=/dev/null
     -o Dir::State::lists=$apt/lists
     -o Dir::Cache=$apt/cache
     -o Debug::NoLocking=1
     -o APT::Sandbox::User=
     -o Acquire::Check-Valid-Until=false
     -o Acquire::Languages=none"

# shellcheck disable=SC2086
try() {
    apt-get -qq $own "$@" >>"$log" 2>&1
}

apt_get() {
    try "$@" || {
        cat "$log" >&2
        fail "$what: apt-get failed"
    }
}

mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
: >"$log"

cd "$dir"

case $what in

    test-nginx)
        echo "fetch: Test::Nginx"

        sources sid
        apt_get update
        apt_get download libtest-nginx-perl

        rm -rf perl
        for deb in libtest-nginx-perl_*.deb; do
            dpkg -x "$deb" perl
        done
        rm -rf ./*.deb perl5
        mv perl/usr/share/perl5 perl5
        rm -rf perl
        ;;

    nginx-source)
        version=$(dpkg-query -W -f '${source:Version}' nginx)

        echo "fetch: source of nginx $version"

        archives | while read -r uri suite label key; do
            echo "deb-src $(option "$key")$uri $suite main"
        done >"$apt/sources.list"

        [ -s "$apt/sources.list" ] || fail "no Debian mirror is known to apt"

        apt_get update
        rm -rf nginx nginx-src
        mkdir nginx-src
        cd nginx-src

        # an archive may no longer have the source of the very revision
        # that is installed: another one of the same upstream version does

        # shellcheck disable=SC2086
        others=$(apt-cache $own showsrc nginx \
                 | sed -n "s/^Version: \(${version%-*}-.*\)/\1/p")

        for v in $version $others; do
            if try source "nginx=$v"; then
                break
            fi
        done

        if ! ls -d nginx-*/ >/dev/null 2>&1; then
            tar xf nginx_*.orig.tar.* >>"$log" 2>&1 || {
                cat "$log" >&2
                fail "the source of nginx $version is not to be had"
            }
        fi

        mv nginx-*/ ../nginx
        cd ..
        rm -rf nginx-src
        ;;

    openssl)
        echo "fetch: openssl of Debian 13"

        sources trixie
        apt_get update
        apt_get download openssl libssl3t64 libc6 libzstd1 zlib1g

        rm -rf openssl-3.5
        for deb in *.deb; do
            dpkg -x "$deb" openssl-3.5
        done
        rm -f ./*.deb

        # with the loader and the C library that it was built for

        loader=$(find "$dir/openssl-3.5" -name 'ld-linux*.so.*' | head -n 1)
        libs=$(dirname "$(find "$dir/openssl-3.5" -name 'libssl.so.3')")
        libc=$(dirname "$(find "$dir/openssl-3.5" -name 'libc.so.6')")

        cat >openssl-3.5/openssl <<EOF
#!/bin/sh
OPENSSL_MODULES=$libs/ossl-modules
export OPENSSL_MODULES
exec $loader --library-path $libs:$libc \\
    $dir/openssl-3.5/usr/bin/openssl "\$@"
EOF
        chmod +x openssl-3.5/openssl
        ;;

    *)
        fail "unknown: $what"
        ;;
esac

rm -rf "$apt"
