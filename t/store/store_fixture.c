
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <store_fixture.h>


int
store_setup(void **state)
{
    store_t      *s;
    const char   *server, *admin;
    cmp_str_t     name = cmp_string("test");

    server = getenv("TEST_CMP_SERVER");
    admin = getenv("TEST_CMP_ADMIN");

    if (server == NULL || admin == NULL) {
        fprintf(stderr, "TEST_CMP_SERVER and TEST_CMP_ADMIN are not set\n");
        return -1;
    }

    s = calloc(1, sizeof(store_t));

    if (s == NULL || store_open(&s->server, server) != 0) {
        return -1;
    }

    s->admin = PQconnectdb(admin);

    if (PQstatus(s->admin) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(s->admin));
        return -1;
    }

    if (cmp_pg_ca_register_send(s->server.conn, &name, &name, 0) != CMP_OK
        || store_sync(&s->server) != 0
        || cmp_pg_ca_register_result(s->server.res, &s->ca_id) != CMP_OK)
    {
        fprintf(stderr, "%s", s->server.message);
        return -1;
    }

    store_reset(s);
    *state = s;

    return 0;
}


int
store_teardown(void **state)
{
    store_t  *s = *state;

    store_close(&s->server);
    PQfinish(s->admin);
    cmp_pool_destroy(s->pool);
    free(s);

    return 0;
}


void
store_reset(store_t *s)
{
    cmp_pool_destroy(s->pool);
    s->pool = cmp_pool_create();
    s->key = STORE_KEY;

    memset(&s->load, 0, sizeof(s->load));
    memset(&s->records, 0, sizeof(s->records));
    memset(&s->writes, 0, sizeof(s->writes));
    memset(&s->cert, 0, sizeof(s->cert));
    memset(&s->change, 0, sizeof(s->change));
    memset(&s->audit, 0, sizeof(s->audit));

    s->load.ca_id = s->ca_id;
    s->writes.ca_id = s->ca_id;
}


cmp_str_t
store_id(store_t *s, const char *name)
{
    return store_bytes(s->pool, 16, "id %s", name);
}


void
store_issue(store_t *s, const char *name, int cert_state)
{
    int64_t             now;
    cmp_transaction_t  *tx;

    static int64_t  last;

    /* serial numbers in the order of their making */

    now = store_now();
    last = now > last ? now : last + 1;

    memset(&s->writes, 0, sizeof(s->writes));
    memset(&s->cert, 0, sizeof(s->cert));
    memset(&s->audit, 0, sizeof(s->audit));

    tx = &s->writes.transaction;
    tx->id = store_id(s, name);
    tx->state = cert_state == CMP_CERT_VALID ? CMP_TX_ENDED : CMP_TX_CONFIRM;
    tx->body = 0;
    tx->kind = CMP_PROTECTION_MAC;
    tx->protection_alg = store_bytes(s->pool, 60, "alg");
    tx->sender_nonce = store_bytes(s->pool, 16, "our nonce %s", name);

    s->writes.ca_id = s->ca_id;
    s->writes.nonce = store_bytes(s->pool, 16, "nonce %s", name);
    s->writes.confirm_timeout = 300000;
    s->writes.transaction_memory = 7200000;
    s->writes.request_hash = store_bytes(s->pool, 32, "request %s", name);
    s->writes.reply = store_bytes(s->pool, 2500, "reply %s", name);
    s->writes.reply_memory = 300000;
    s->writes.certs = &s->cert;
    s->writes.ncerts = 1;
    s->writes.audits = &s->audit;
    s->writes.naudits = 1;
    s->writes.requester = store_str("mac:device1");
    s->writes.client = store_str("192.0.2.1");

    s->cert.serial = store_serial(s->pool, last, name);
    s->cert.der = store_bytes(s->pool, 700, "der %s", name);
    s->cert.state = cert_state;
    s->cert.subject_hash = store_bytes(s->pool, 32, "subject");
    s->cert.subject_text = store_str("CN=device1,O=Example");
    s->cert.key_hash = store_bytes(s->pool, 32, "key %s", name);
    s->cert.profile = store_str("device");
    s->cert.not_before = store_now();
    s->cert.not_after = store_now() + 397LL * 86400000;

    s->audit.action = store_str("ir");
    s->audit.fail_info = -1;
    s->audit.serial = s->cert.serial;
    s->audit.text = store_str("accepted");
}


void
store_change(store_t *s, const cmp_str_t *serial, int version, int action,
    int reason, int by)
{
    memset(&s->writes, 0, sizeof(s->writes));
    memset(&s->change, 0, sizeof(s->change));

    s->writes.ca_id = s->ca_id;
    s->writes.changes = &s->change;
    s->writes.nchanges = 1;

    s->change.serial = *serial;
    s->change.version = version;
    s->change.action = action;
    s->change.reason = reason;
    s->change.by = by;
}


cmp_commit_e
store_commit(store_t *s)
{
    if (cmp_pg_commit_send(s->server.conn, &s->writes) != CMP_OK) {
        return CMP_COMMIT_UNAVAILABLE;
    }

    (void) store_sync(&s->server);

    return cmp_pg_commit_outcome(s->server.sqlstate);
}


void
store_must_commit(store_t *s)
{
    if (store_commit(s) != CMP_COMMIT_OK) {
        fail_msg("commit: %s %s", s->server.sqlstate, s->server.message);
    }
}


int
store_load(store_t *s)
{
    int            rc;
    cmp_str_t      ca = cmp_string("test");
    cmp_pg_load_t  ctx;

    memset(&ctx, 0, sizeof(ctx));
    ctx.load = &s->load;
    ctx.ca = &ca;
    ctx.key = (const unsigned char *) s->key;
    ctx.pool = s->pool;
    ctx.records = &s->records;

    if (s->load.request_hash.len == 0) {
        s->load.request_hash = store_bytes(s->pool, 32, "no request");
    }

    if (cmp_pg_load_send(s->server.conn, &s->load) != CMP_OK
        || store_sync(&s->server) != 0)
    {
        fail_msg("load: %s %s", s->server.sqlstate, s->server.message);
    }

    rc = cmp_pg_load_result(&ctx, s->server.res);

    s->load_error = ctx.error;

    if (rc == CMP_OK) {
        assert_true(s->records.now > store_now() - 60000);
        assert_true(s->records.now < store_now() + 60000);
    }

    return rc;
}


const cmp_certificate_t *
store_certificate(store_t *s, const cmp_str_t *serial)
{
    size_t      i;
    cmp_str_t   str;
    cmp_load_t  saved;

    str = *serial;
    saved = s->load;
    memset(&s->load, 0, sizeof(s->load));
    s->load.ca_id = s->ca_id;
    s->load.serials = &str;
    s->load.nserials = 1;

    assert_int_equal(store_load(s), CMP_OK);
    s->load = saved;

    for (i = 0; i < s->records.ncertificates; i++) {
        if (cmp_str_equal(&s->records.certificates[i].serial, serial)) {
            return &s->records.certificates[i];
        }
    }

    return NULL;
}


const cmp_key_t *
store_key(store_t *s, const cmp_str_t *hash)
{
    cmp_str_t   str;
    cmp_load_t  saved;

    str = *hash;
    saved = s->load;
    memset(&s->load, 0, sizeof(s->load));
    s->load.ca_id = s->ca_id;
    s->load.key_hashes = &str;
    s->load.nkey_hashes = 1;

    assert_int_equal(store_load(s), CMP_OK);
    s->load = saved;

    return s->records.nkeys == 1 ? &s->records.keys[0] : NULL;
}


void
store_sweep(store_t *s, cmp_pg_sweep_t *sweep)
{
    if (cmp_pg_sweep_send(s->server.conn) != CMP_OK
        || store_sync(&s->server) != 0
        || cmp_pg_sweep_result(s->server.res, sweep) != CMP_OK)
    {
        fail_msg("sweep: %s %s", s->server.sqlstate, s->server.message);
    }
}
