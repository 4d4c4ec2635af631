#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# configure.sh KIND SRC NGINX_BIN OUT
#
# Configures nginx with the module of this checkout, outside of the nginx
# tree SRC, in the folder OUT/nginx.
#
#     release, debug   a dynamic module that fits the binary NGINX_BIN
#     sanitize         an nginx of its own with the module linked in

set -eu

kind=$1
src=$(cd "$2" && pwd)
nginx=$3
out=$4
root=$(pwd)

say() { echo "configure: $*"; }

fail() {
    echo "configure: $*" >&2
    exit 1
}


# The options that decide whether a module fits: Debian's nginx-dev lists
# them, any other nginx tells its own by -V.

binary_flags() {
    local line arg

    line=$("$nginx" -V 2>&1 | sed -n 's/^configure arguments: //p')
    eval "set -- $line"

    for arg in "$@"; do
        case $arg in
            --add-*|*=dynamic|--with-cc-opt=*|--with-ld-opt=*) ;;
            --with-openssl=*|--with-openssl-opt=*|--with-pcre=*) ;;
            --with-zlib=*|--builddir=*|--build=*) ;;
            *) NGX_CONF_FLAGS+=("$arg") ;;
        esac
    done
}

NGX_CONF_FLAGS=()

case $kind in

    release|debug)
        if [ -f "$src/conf_flags" ]; then
            . "$src/conf_flags"
        else
            binary_flags
        fi

        cc="-g -fPIC -fstack-protector-strong -Wformat"
        cc="$cc -Werror=format-security -Wdate-time"
        ld="-Wl,-z,relro -Wl,-z,now -fPIC"

        # a warning of a compiler yet unknown must not stop a user's build

        if [ "$kind" = release ]; then
            cc="$cc -O2 -D_FORTIFY_SOURCE=2 -Wno-error"
        else
            cc="$cc -O0"
        fi

        add=--add-dynamic-module=$root
        ;;

    sanitize)
        NGX_CONF_FLAGS=(
            --with-compat --with-debug --with-threads --with-pcre-jit
            --with-http_ssl_module --with-http_v2_module
            --with-http_realip_module --with-http_stub_status_module
            --with-http_auth_request_module
            --without-http_browser_module --without-http_charset_module
            --without-http_empty_gif_module --without-http_grpc_module
            --without-http_memcached_module
            --without-http_referer_module --without-http_split_clients_module
            --without-http_ssi_module --without-http_userid_module
        )

        cc="-g -O1 -fsanitize=address -fno-omit-frame-pointer"
        cc="$cc -DNGX_DEBUG_PALLOC=1"
        ld="-fsanitize=address,undefined"

        add=--add-module=$root
        ;;

    *)
        fail "unknown build \"$kind\""
        ;;
esac

[ -f "$src/configure" ] || fail "no nginx sources in $src"

rm -rf "$out/nginx"
mkdir -p "$out/nginx"

for f in auto configure src conf contrib html man; do
    if [ -e "$src/$f" ]; then
        ln -s "$src/$f" "$out/nginx/$f"
    fi
done

cd "$out/nginx"

say "$kind module for $(sed -n 's/^#define NGINX_VERSION *//p' \
    src/core/nginx.h | tr -d '"'), log in $out/configure.log"

if ! sh ./configure "${NGX_CONF_FLAGS[@]}" ${CC:+--with-cc="$CC"} \
    --with-cc-opt="$cc" --with-ld-opt="$ld" "$add" --builddir=objs \
    >"$root/$out/configure.log" 2>&1
then
    tail -n 20 "$root/$out/configure.log" >&2
    fail "nginx's configure failed"
fi

# undefined behaviour is looked for in our objects alone: the macros and
# functions of nginx itself are known to have some

{
    echo "include objs/Makefile"

    if [ "$kind" = sanitize ]; then
        cat <<EOF
objs/addon/%: CFLAGS += -fsanitize=undefined
LINK += objs/lsan_pools.o -Wl,--wrap=ngx_alloc,--wrap=ngx_calloc
LINK += -Wl,--wrap=ngx_memalign
objs/nginx: objs/lsan_pools.o
objs/lsan_pools.o: $root/t/lib/lsan_pools.c
	\$(CC) -c \$(CFLAGS) -o \$@ \$<
EOF
    fi
} >Makefile.cmp
