#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# Installs the module where nginx looks for modules, the operator's command
# with its SQL files, and the load generator.  By rename: a running nginx has the old file
# mapped and must not see it change.  Reads OUT, NGINX_BIN, DESTDIR, PREFIX.

set -eu

prefix=${PREFIX:-/usr/local}
dest=${DESTDIR:-}

modules=$("$NGINX_BIN" -V 2>&1 | tr ' ' '\n' \
          | sed -n "s/^'\{0,1\}--modules-path=\([^']*\)'\{0,1\}$/\1/p" \
          | tail -n 1)

if [ -z "$modules" ]; then
    modules=$("$NGINX_BIN" -V 2>&1 | tr ' ' '\n' \
              | sed -n "s/^'\{0,1\}--prefix=\([^']*\)'\{0,1\}$/\1/p" \
              | tail -n 1)
    modules=${modules:-/usr/local/nginx}/modules
fi

# FILE TARGET MODE

put() {
    mkdir -p "$(dirname "$dest$2")"
    cp "$1" "$dest$2.new"
    chmod "$3" "$dest$2.new"
    mv -f "$dest$2.new" "$dest$2"
    echo "install: $dest$2"
}

put "$OUT/nginx/objs/ngx_http_cmp_module.so" \
    "$modules/ngx_http_cmp_module.so" 644

for f in sql/*.sql; do
    put "$f" "$prefix/share/ngx_http_cmp_module/sql/$(basename "$f")" 644
done

for f in sql/perl/Cmpctl/*.pm; do
    put "$f" "$prefix/share/ngx_http_cmp_module/${f#sql/}" 644
done

put "$OUT/cmpctl-seal" "$prefix/lib/ngx_http_cmp_module/cmpctl-seal" 755
put sql/cmpctl "$prefix/bin/cmpctl" 755
put "$OUT/t/bench/cmpload" "$prefix/bin/cmpload" 755
