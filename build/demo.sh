#!/bin/bash
#
# Copyright (C) ngx_http_cmp_module contributors
#
# demo.sh start|stop
#
# A private PostgreSQL cluster, a root and an issuing CA, and nginx with the
# module, all below DEMO_DIR; then a certificate's life with `openssl cmp` as
# the client.  Reads DEMO_DIR, DEMO_PORT, DEMO_TLS_PORT, NGINX_BIN and OUT.

set -eu

cd "$(dirname "$0")/.."
root=$PWD

PATH=$PATH:/usr/sbin:/usr/local/sbin

dir=${DEMO_DIR:-demo}
port=${DEMO_PORT:-8829}
tls_port=${DEMO_TLS_PORT:-8843}

case $dir in
    /*) ;;
    *)  dir=$root/$dir ;;
esac

marker=$dir/.cmp-demo
url=http://127.0.0.1:$port/pkix/
tls_url=https://127.0.0.1:$tls_port/pkix/
crl_url=http://127.0.0.1:$port/crl/devices.crl
conninfo=
secret=
done=no

fail() {
    echo "demo: $*" >&2
    exit 1
}

case $dir in
    *[[:space:]\'\"\;\$]*)
        fail "the folder's name has a character in it that nginx's" \
             "configuration gives a meaning: $dir" ;;
esac


# --- what is shown

if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    bold= plain=
fi

title() {
    printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"
}

text() {
    sed 's/^/  /'
}

# Shows a command as one would type it, with the names that the file env
# gives to addresses and files.

show() {
    local word unit= line=${prompt:-"    \$"}

    for word in "$@"; do
        case $word in
            '')                       word='""' ;;
            "$dir/pki/root.pem")      word='"$ROOT_CERT"' ;;
            "$dir/pki/ca.pem")        word='"$CA_CERT"' ;;
            "$dir/pki/seal.key")      word='"$KEY_FILE"' ;;
            "$conninfo")              word='"$CONNINFO"' ;;
            "$url")                   word='"$CMP_URL"' ;;
            "$tls_url")               word='"$CMP_TLS_URL"' ;;
            "$crl_url")               word='"$CRL_URL"' ;;
            "pass:$secret")           word='"pass:$SECRET"' ;;
            *[!A-Za-z0-9_./:,=@%+-]*) word="'$word'" ;;
        esac

        # an option and its value stay on one line

        case $unit in
            -*\ *|[!-]*)  put_unit ;;
            -*)           case $word in -*) put_unit ;; esac ;;
        esac

        unit="${unit:+$unit }$word"
    done

    put_unit
    printf '%s\n' "$line"
}

put_unit() {
    if [ $((${#line} + ${#unit})) -gt 74 ]; then
        printf '%s \\\n' "$line"
        line="         "
    fi

    line="$line $unit"
    unit=
}

# does it, too, and shows what it says

run() {
    local status=0

    show "$@"
    "$@" >"$dir/client/output" 2>&1 || status=$?
    output

    if [ $status -ne 0 ]; then
        echo
        tail -n 5 "$dir/nginx/error.log" >&2 || true
        fail "that did not work; the log of nginx: $dir/nginx/error.log"
    fi
}

# what it printed, without the places in openssl's source

output() {
    sed -e 's#^[a-z_]*:[./]*[a-z/]*\.c:[0-9]*:##' -e 's/^/      /' \
        "$dir/client/output"
    echo
}

# the same for something that has to be refused

refused() {
    local status=0

    show "$@"
    "$@" >"$dir/client/output" 2>&1 || status=$?
    output

    if [ $status -eq 0 ]; then
        fail "that should have been refused"
    fi
}


# --- starting and stopping

stop() {
    local pid n=0

    if [ -f "$dir/nginx/nginx.pid" ]; then
        pid=$(cat "$dir/nginx/nginx.pid")

        if [ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null; then
            while kill -0 "$pid" 2>/dev/null && [ $n -lt 100 ]; do
                sleep 0.1
                n=$((n + 1))
            done

            if [ $n -eq 100 ]; then
                kill -TERM "$pid" 2>/dev/null || true
            fi
        fi

        rm -f "$dir/nginx/nginx.pid"
    fi

    if [ -d "$dir/pg" ]; then
        "$root/t/lib/pgcluster" stop "$dir/pg"
    fi
}

check_port() {
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
        fail "port $1 is in use; choose another: make demo $2=..."
    fi
}

prepare() {
    if [ -e "$dir" ] && [ ! -e "$marker" ] \
        && [ -n "$(ls -A "$dir" 2>/dev/null)" ]
    then
        fail "$dir is there already and not from an earlier demo," \
             "choose another folder: make demo DEMO_DIR=..."
    fi

    if [ -e "$marker" ]; then
        stop
        rm -rf "$dir"/pg "$dir"/pki "$dir"/nginx "$dir"/client "$dir"/env
    fi

    mkdir -p "$dir/nginx/logs" "$dir/client"
    : >"$marker"

    check_port "$port" DEMO_PORT
    check_port "$tls_port" DEMO_TLS_PORT
}

nginx_conf() {
    local n=$dir/nginx

    if [ "$(id -u)" -eq 0 ]; then
        echo "# so that workers can reach a checkout that is closed to others"
        echo "user root;"
        echo
    fi

    cat <<EOF
load_module $root/$OUT/nginx/objs/ngx_http_cmp_module.so;

worker_processes 2;
pid $n/nginx.pid;
error_log $n/error.log info;

events {
    worker_connections 512;
}

http {
    log_format cmp '\$remote_addr \$time_iso8601 "\$request" \$status '
                   'ca=\$cmp_ca op=\$cmp_operation result=\$cmp_status '
                   'fail=\$cmp_fail_info serial=\$cmp_serial';

    access_log             $n/access.log cmp;
    client_body_temp_path  $n/client_body_temp;
    proxy_temp_path        $n/proxy_temp;
    fastcgi_temp_path      $n/fastcgi_temp;
    uwsgi_temp_path        $n/uwsgi_temp;
    scgi_temp_path         $n/scgi_temp;

    client_body_buffer_size 64k;

    # where certificates, transactions and shared secrets are kept

    cmp_store "$server_conninfo"
              key=$dir/pki/seal.key connections=4 timeout=5s;

    # what may be issued

    cmp_profile device {
        validity        90d;
        key             ec:P-256 ec:P-384 ed25519 rsa:2048-4096;
        key_usage       digitalSignature keyAgreement;
        ext_key_usage   clientAuth;
    }

    # who issues it

    cmp_ca devices {
        certificate               $dir/pki/ca-chain.pem;
        certificate_key           $dir/pki/ca.key;
        response_certificate      $dir/pki/response.pem;
        response_certificate_key  $dir/pki/response.key;
        trusted_certificate       $dir/pki/vendor-root.pem;
        trusted_crl               $dir/pki/vendor.crl;
        profile                   device;
    }

    server {
        listen 127.0.0.1:$port;
        listen 127.0.0.1:$tls_port ssl;

        ssl_certificate      $dir/pki/tls-chain.pem;
        ssl_certificate_key  $dir/pki/tls.key;

        location /pkix/             { cmp_pass devices; }
        location /.well-known/cmp   { cmp_pass devices; }
        location = /crl/devices.crl { cmp_crl devices; }
    }
}
EOF
}

write_env() {
    cat >"$dir/env" <<EOF
# the demo's addresses and files, for a shell:  . $dir/env
CMP_URL='$url'
CMP_TLS_URL='$tls_url'
CA_CERT='$dir/pki/ca.pem'
ROOT_CERT='$dir/pki/root.pem'
REFERENCE='$reference'
SECRET='$secret'
CRL_URL='$crl_url'
CONNINFO='$conninfo'
CMPCTL_SEAL='$CMPCTL_SEAL'
KEY_FILE='$dir/pki/seal.key'
export CMPCTL_SEAL
EOF
    chmod 600 "$dir/env"
}


# --- the demo

start() {
    export CMPCTL_SEAL=$root/$OUT/cmpctl-seal

    prepare
    trap 'if [ $done = no ]; then stop; fi' EXIT
    trap 'exit 1' HUP INT TERM

    title "A certification authority inside nginx"
    text <<EOF
A certificate says that a key belongs to a name. Whoever signs it is a
certification authority, a CA. CMP, the Certificate Management Protocol, is
how a machine talks to a CA without a person in between: it asks for a first
certificate, says that it received it, replaces it before it ends, and has it
revoked when its key is lost. Here nginx is the CA, PostgreSQL keeps what it
has issued, and the openssl command plays the machine.
EOF

    title "Preparing"
    text <<EOF
- a root CA, and below it the CA that issues certificates for devices
- a PostgreSQL server of its own, reached by a Unix socket only
- nginx on 127.0.0.1, port $port for HTTP and $tls_port for HTTPS

All of it is in $dir, and its file env gives names to the
addresses and files, which stand in capitals in the commands below:

    . $dir/env
EOF

    t/lib/mkpki "$dir/pki"
    conninfo=$(t/lib/pgcluster start "$dir/pg")
    server_conninfo=${conninfo/user=postgres/user=cmp_server}

    reference=device-1
    secret=$(openssl rand -hex 12)
    write_env

    echo
    text <<EOF
The tables in the database:
EOF
    echo
    show sql/cmpctl --dsn "$conninfo" init
    sql/cmpctl --dsn "$conninfo" init >"$dir/pg/init.log" 2>&1 || {
        cat "$dir/pg/init.log" >&2
        fail "the tables could not be made"
    }

    echo
    text <<EOF
A device that has no certificate yet needs something else to show who it is:
a shared secret with a name, the reference. The operator makes them once:
EOF
    echo
    echo '    $ printf %s "$SECRET" \'
    prompt="          |" show sql/cmpctl --dsn "$conninfo" --key-file "$dir/pki/seal.key" \
        credential add --ca devices --reference "$reference" --secret-stdin
    printf %s "$secret" | sql/cmpctl --dsn "$conninfo" \
        --key-file "$dir/pki/seal.key" credential add --ca devices \
        --reference "$reference" --secret-stdin \
        >"$dir/client/output" 2>&1 || {
        cat "$dir/client/output" >&2
        fail "the secret could not be stored"
    }

    nginx_conf >"$dir/nginx/nginx.conf"

    "$NGINX_BIN" -e "$dir/nginx/error.log" -p "$dir/nginx/" \
        -c "$dir/nginx/nginx.conf" || fail "nginx does not start"

    cd "$dir/client"

    local pki=$dir/pki
    local common=(-config "" -no_proxy 127.0.0.1)
    local http=(-server "$url")
    local https=(-server "$tls_url" -tls_used -tls_trusted "$pki/root.pem")
    local trust=(-trusted "$pki/root.pem" -untrusted "$pki/ca.pem")

    title "1. Enrol: a first certificate for a shared secret"
    text <<EOF
The device makes a key, which never leaves it, and asks for a certificate:
"initialization request", ir. The secret is not sent: it is used to compute a
checksum over the message (a MAC) that only somebody who knows it can make,
and the answer is protected in the same way. At the end the device tells the
CA that it has the certificate: "certificate confirmation", certConf. What is
not confirmed in time is revoked.
EOF
    echo
    run openssl genpkey -quiet -algorithm EC \
        -pkeyopt ec_paramgen_curve:P-256 -out device.key
    run openssl cmp -cmd ir "${common[@]}" "${http[@]}" \
        -ref "$reference" -secret "pass:$secret" -subject "/CN=device-1" \
        -recipient "/O=Example/CN=Example Device CA" -newkey device.key -certout device.pem "${trust[@]}"

    title "2. Look at it"
    text <<EOF
The certificate, and a check of its signatures up to the root:
EOF
    echo
    run openssl x509 -in device.pem -noout -subject -issuer -dates -serial
    run openssl verify -CAfile "$pki/root.pem" -untrusted "$pki/ca.pem" \
        device.pem

    title "3. Update: a new certificate before the old one ends"
    text <<EOF
Now the device has a certificate, and signs with its key instead of using the
secret: "key update request", kur. It makes a new key, too. This time the
connection is HTTPS; CMP messages protect themselves, so that is a choice.
EOF
    echo
    run openssl genpkey -quiet -algorithm EC \
        -pkeyopt ec_paramgen_curve:P-256 -out device-new.key
    run openssl cmp -cmd kur "${common[@]}" "${https[@]}" \
        -cert device.pem -key device.key -newkey device-new.key \
        -certout device-new.pem "${trust[@]}"
    run openssl x509 -in device-new.pem -noout -subject -dates -serial

    title "4. Revoke: the key was lost"
    text <<EOF
"Revocation request", rr, signed with the certificate itself:
EOF
    echo
    run openssl cmp -cmd rr "${common[@]}" "${http[@]}" \
        -cert device-new.pem -key device-new.key -oldcert device-new.pem \
        -revreason 1 "${trust[@]}"

    title "5. What others see: the list of revoked certificates"
    text <<EOF
Everybody can fetch the certificate revocation list, the CRL, which the CA
signs, and refuse what is on it. The new certificate is revoked:
EOF
    echo
    run curl -sS --noproxy '*' -o devices.crl "$crl_url"
    run openssl crl -inform DER -in devices.crl -noout -text -nameopt oneline
    run openssl crl -inform DER -in devices.crl -out devices.crl.pem
    refused openssl verify -CAfile "$pki/root.pem" -untrusted "$pki/ca.pem" \
        -crl_check -CRLfile devices.crl.pem device-new.pem

    title "6. What the operator sees: the rows in PostgreSQL"
    rows

    title "It keeps running. To go on by hand:"
    cat <<EOF
    . $dir/env

  a certificate of your own (the secret may be used again):

    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \\
        -out mine.key
    openssl cmp -cmd ir -config "" -no_proxy 127.0.0.1 -server "\$CMP_URL" \\
        -ref "\$REFERENCE" -secret "pass:\$SECRET" -subject /CN=mine \\
        -newkey mine.key -certout mine.pem \\
        -trusted "\$ROOT_CERT" -untrusted "\$CA_CERT"

  the list of revoked certificates:

    curl -s --noproxy '*' "\$CRL_URL" | openssl crl -inform DER -noout -text

  the tables, and the operator's command:

    psql "\$CONNINFO"
    sql/cmpctl --dsn "\$CONNINFO" certificate list

  what nginx says, and its configuration:

    less $dir/nginx/error.log $dir/nginx/access.log
    less $dir/nginx/nginx.conf

  the end of it:

    make demo-stop${DEMO_DIR_GIVEN:+ DEMO_DIR=$dir}

EOF
    done=yes
}

rows() {
    text <<EOF
What was issued and what became of it, and who was told what:
EOF
    echo
    run psql -X -P footer=off -d "$conninfo" \
        -c "SELECT subject, state, reason, not_after, serial
          FROM cmp.certificate_list()"
    run psql -X -P footer=off -d "$conninfo" \
        -c "SELECT at::time(0), action, left(requester, 20) AS requester,
            left(serial, 20) AS serial, text
          FROM cmp.audit_list() AS a ORDER BY a.at"
}

case ${1:-} in
    start) start ;;
    stop)
        if [ ! -e "$marker" ]; then
            echo "demo: nothing runs in $dir"
            exit 0
        fi
        stop
        echo "demo: stopped; its files are still in $dir"
        ;;
    *) fail "start or stop" ;;
esac
