
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Speed of the store alone: what the database does for each message.
 *
 *     store_bench CONNINFO implicit|explicit|update PROCESSES SECONDS
 *
 * implicit: load and commit of an ir with implicitConfirm; explicit: the same
 * and load and commit of the certConf; update: a kur with implicitConfirm,
 * signed by the certificate before.
 */


#include <store_client.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <openssl/sha.h>


typedef struct {
    store_client_t     client;
    cmp_pool_t        *pool;
    cmp_load_t         load;
    cmp_records_t      records;
    cmp_writes_t       writes;
    cmp_write_cert_t   cert;
    cmp_write_change_t change;
    cmp_write_audit_t  audit;
    cmp_str_t          serial;      /* of the certificate before */
    cmp_str_t          signer_hash;
    int32_t            ca_id;
    char               name[64];
} bench_t;


static void
bench_fail(bench_t *b, const char *what)
{
    fprintf(stderr, "%s failed: %s %s\n", what, b->client.sqlstate,
            b->client.message);
    exit(1);
}


static void
bench_load(bench_t *b)
{
    cmp_str_t      ca = cmp_string("bench");
    cmp_pg_load_t  ctx;

    ctx.load = &b->load;
    ctx.ca = &ca;
    ctx.key = (const unsigned char *) STORE_KEY;
    ctx.pool = b->pool;
    ctx.records = &b->records;

    if (cmp_pg_load_send(b->client.conn, &b->load) != CMP_OK
        || store_sync(&b->client) != 0
        || cmp_pg_load_result(&ctx, b->client.res) != CMP_OK)
    {
        bench_fail(b, "load");
    }
}


static void
bench_commit(bench_t *b)
{
    if (cmp_pg_commit_send(b->client.conn, &b->writes) != CMP_OK
        || store_sync(&b->client) != 0)
    {
        bench_fail(b, "commit");
    }
}


static void
bench_enroll(bench_t *b, int state)
{
    cmp_transaction_t  *tx;

    memset(&b->load, 0, sizeof(b->load));
    memset(&b->writes, 0, sizeof(b->writes));
    memset(&b->cert, 0, sizeof(b->cert));

    b->load.ca_id = b->ca_id;
    b->load.request_hash = store_bytes(b->pool, 32, "request %s", b->name);
    b->load.transaction_id = store_bytes(b->pool, 16, "id %s", b->name);
    b->load.key_hashes = &b->cert.key_hash;
    b->load.nkey_hashes = 1;
    b->cert.key_hash = store_bytes(b->pool, 32, "key %s", b->name);

    if (b->serial.len != 0) {
        b->load.signer_hash = b->signer_hash;
        b->load.signer_serial = b->serial;
    }

    bench_load(b);

    tx = &b->writes.transaction;
    tx->id = b->load.transaction_id;
    tx->state = state == CMP_CERT_VALID ? CMP_TX_ENDED : CMP_TX_CONFIRM;
    tx->kind = CMP_PROTECTION_MAC;
    tx->protection_alg = store_bytes(b->pool, 70, "alg");
    tx->sender_nonce = store_bytes(b->pool, 16, "nonce %s", b->name);

    b->writes.ca_id = b->ca_id;
    b->writes.nonce = store_bytes(b->pool, 16, "client %s", b->name);
    b->writes.confirm_timeout = 300000;
    b->writes.transaction_memory = 7200000;
    b->writes.request_hash = b->load.request_hash;
    b->writes.reply = store_bytes(b->pool, 2000, "reply %s", b->name);
    b->writes.reply_memory = 300000;
    b->writes.certs = &b->cert;
    b->writes.ncerts = 1;
    b->writes.audits = &b->audit;
    b->writes.naudits = 1;
    b->writes.requester = store_str("mac:device1");
    b->writes.client = store_str("127.0.0.1");

    b->cert.serial = store_serial(b->pool, store_now(), b->name);
    b->cert.der = store_bytes(b->pool, 750, "der %s", b->name);
    b->cert.state = state;
    b->cert.subject_hash = store_bytes(b->pool, 32, "subject");
    b->cert.subject_text = store_str("CN=device1,O=Example");
    b->cert.profile = store_str("device");
    b->cert.not_before = store_now();
    b->cert.not_after = store_now() + 397LL * 86400000;

    memset(&b->audit, 0, sizeof(b->audit));
    b->audit.action = store_str("ir");
    b->audit.fail_info = -1;
    b->audit.serial = b->cert.serial;

    if (b->serial.len != 0) {
        if (b->records.signer == NULL) {
            bench_fail(b, "signer");
        }

        memset(&b->change, 0, sizeof(b->change));
        b->change.serial = b->serial;
        b->change.version = b->records.signer->version;
        b->change.action = CMP_CHANGE_USED;
        b->writes.changes = &b->change;
        b->writes.nchanges = 1;

        b->cert.predecessor = b->serial;
        b->cert.predecessor_version = b->change.version + 1;
        tx->kind = CMP_PROTECTION_SIGNATURE;
        tx->signer_hash = b->signer_hash;
        tx->signer_serial = b->serial;
        tx->signer = b->records.signer->der;
    }

    bench_commit(b);
}


static void
bench_confirm(bench_t *b)
{
    b->load.request_hash = store_bytes(b->pool, 32, "certConf %s", b->name);
    b->load.nkey_hashes = 0;

    bench_load(b);

    if (b->records.transaction == NULL || b->records.ncertificates != 1) {
        bench_fail(b, "confirm");
    }

    memset(&b->change, 0, sizeof(b->change));
    b->change.serial = b->cert.serial;
    b->change.version = b->records.certificates[0].version;
    b->change.action = CMP_CHANGE_CONFIRM;

    b->writes.transaction = *b->records.transaction;
    b->writes.transaction.state = CMP_TX_ENDED;
    b->writes.transaction.sender_nonce = store_bytes(b->pool, 16, "n2 %s",
                                                     b->name);
    b->writes.nonce = store_bytes(b->pool, 16, "c2 %s", b->name);
    b->writes.request_hash = b->load.request_hash;
    b->writes.reply = store_bytes(b->pool, 300, "conf %s", b->name);
    b->writes.ncerts = 0;
    b->writes.changes = &b->change;
    b->writes.nchanges = 1;
    b->audit.action = store_str("certConf");

    bench_commit(b);
}


static void
bench_next(bench_t *b)
{
    cmp_pool_t     *pool;
    unsigned char   serial[CMP_SERIAL_LEN];
    cmp_str_t       der;

    /* the hash of the certificate, by the database: no need for speed here */

    memcpy(serial, b->cert.serial.data, CMP_SERIAL_LEN);

    pool = cmp_pool_create();
    (void) cmp_pstrdup(pool, &b->serial, serial, CMP_SERIAL_LEN);
    (void) cmp_pstrdup(pool, &der, b->cert.der.data, b->cert.der.len);
    b->signer_hash.data = cmp_palloc(pool, 32);
    b->signer_hash.len = 32;

    SHA256(der.data, der.len, b->signer_hash.data);
}


/* CPU time of the server's process, ms; 0 when it cannot be seen */

static long
bench_cpu(PGconn *conn)
{
    int            n;
    char           path[64];
    FILE          *fp;
    unsigned long  user, sys;

    snprintf(path, sizeof(path), "/proc/%d/stat", PQbackendPID(conn));

    fp = fopen(path, "r");

    if (fp == NULL) {
        return 0;
    }

    n = fscanf(fp, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
               "%lu %lu", &user, &sys);
    fclose(fp);

    return n == 2 ? (long) ((user + sys) * 1000 / sysconf(_SC_CLK_TCK)) : 0;
}


static void
bench_run(const char *conninfo, const char *kind, int process, int seconds,
    int out)
{
    long       n, result[2];
    bench_t    b;
    int64_t    end;
    cmp_str_t  ca = cmp_string("bench");

    memset(&b, 0, sizeof(b));

    if (store_open(&b.client, conninfo) != 0) {
        exit(1);
    }

    if (cmp_pg_ca_register_send(b.client.conn, &ca, &ca, 0) != CMP_OK
        || store_sync(&b.client) != 0
        || cmp_pg_ca_register_result(b.client.res, &b.ca_id) != CMP_OK)
    {
        bench_fail(&b, "register");
    }

    end = store_now() + seconds * 1000;

    for (n = 0; store_now() < end; n++) {
        b.pool = cmp_pool_create();
        snprintf(b.name, sizeof(b.name), "%d %d %ld %lld", getpid(), process,
                 n, (long long) end);

        if (strcmp(kind, "explicit") == 0) {
            bench_enroll(&b, CMP_CERT_UNCONFIRMED);
            bench_confirm(&b);

        } else {
            bench_enroll(&b, CMP_CERT_VALID);
        }

        if (strcmp(kind, "update") == 0) {
            bench_next(&b);
        }

        cmp_pool_destroy(b.pool);
    }

    result[0] = n;
    result[1] = bench_cpu(b.client.conn);

    store_close(&b.client);

    if (write(out, result, sizeof(result)) != sizeof(result)) {
        exit(1);
    }

    exit(0);
}


int
main(int argc, char **argv)
{
    int   i, n, seconds, fds[2], status, failed;
    long  result[2], total, cpu;

    if (argc != 5 || pipe(fds) != 0) {
        fprintf(stderr, "usage: store_bench CONNINFO "
                        "implicit|explicit|update PROCESSES SECONDS\n");
        return 2;
    }

    n = atoi(argv[3]);
    seconds = atoi(argv[4]);
    failed = 0;
    total = 0;
    cpu = 0;

    for (i = 0; i < n; i++) {
        if (fork() == 0) {
            bench_run(argv[1], argv[2], i, seconds, fds[1]);
        }
    }

    for (i = 0; i < n; i++) {
        wait(&status);

        if (status != 0) {
            failed = 1;
            continue;
        }

        if (read(fds[0], result, sizeof(result)) == sizeof(result)) {
            total += result[0];
            cpu += result[1];
        }
    }

    printf("%s, %d connections: %ld certificates a second, %ld us of the "
           "server's CPU each\n", argv[2], n, total / seconds,
           total > 0 ? cpu * 1000 / total : 0);

    return failed;
}
