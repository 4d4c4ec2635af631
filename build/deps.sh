#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# Installs the Debian packages named as arguments that are missing.
# Nothing is started by it: neither a system PostgreSQL cluster nor the
# web server that Debian's nginx package would put on port 80.

set -eu

conf=/etc/postgresql-common/createcluster.conf
policy=/usr/sbin/policy-rc.d
undo=

say() { echo "deps: $*"; }

fail() {
    echo "deps: $*" >&2
    exit 1
}

missing=
for p in "$@"; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $p" ;;
    esac
done

if [ -z "$missing" ]; then
    exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
    as_root() { env "$@"; }
elif command -v sudo >/dev/null; then
    as_root() { sudo env "$@"; }
else
    fail "these packages are missing and sudo is not there to install" \
         "them; as root: apt-get install$missing"
fi

apt() {
    as_root DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
        -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" </dev/null
}


# what was put aside for the time of the installation goes back

restore() {
    for what in $undo; do
        case $what in
            policy)   as_root rm -f "$policy" ;;
            conf)     as_root mv -f "$conf.cmp-saved" "$conf" ;;
        esac
    done
    undo=
}

trap restore EXIT
trap 'exit 1' HUP INT TERM

say "installing$missing"

if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    undo="$undo policy"
    as_root chmod 755 "$policy"
fi

fresh_nginx=no
if [ ! -e /usr/sbin/nginx ]; then
    fresh_nginx=yes
fi

log=$(mktemp)

run() {
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        fail "apt-get failed"
    fi
}

run apt update

# postgresql-common brings the file that says whether a new server package
# makes a cluster, so it comes first

case $missing in
    *postgresql*)
        run apt --no-install-recommends install postgresql-common
        if [ -e "$conf" ]; then
            as_root cp -p "$conf" "$conf.cmp-saved"
            undo="$undo conf"
            echo "create_main_cluster = false" \
                | as_root tee -a "$conf" >/dev/null
        fi
        ;;
esac

# shellcheck disable=SC2086
run apt --no-install-recommends install $missing

rm -f "$log"

if [ $fresh_nginx = yes ] && [ -e /usr/sbin/nginx ] \
    && [ -d /run/systemd/system ]
then
    as_root systemctl --quiet disable nginx || true
    say "nginx is installed, its system service is left off" \
        "(systemctl enable --now nginx starts it)"
fi
