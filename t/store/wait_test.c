
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Requests that wait for an operator, against a real database.
 */


#include <store_fixture.h>


static cmp_write_request_t  test_requests[2];
static cmp_write_answer_t   test_answers[2];
static cmp_str_t            test_serials[1];
static cmp_str_t            test_keys[2];


/*
 * Two requests begin to wait; the certificate of store_issue() is there too
 * when cert_state is not -1.
 */

static void
test_wait(store_t *s, const char *name, int cert_state)
{
    cmp_writes_t  *w;

    store_issue(s, name, cert_state == CMP_CERT_VALID ? CMP_CERT_VALID
                                                      : CMP_CERT_UNCONFIRMED);
    w = &s->writes;

    if (cert_state == -1) {
        w->ncerts = 0;
        w->transaction.state = CMP_TX_WAITING;
    }

    memset(test_requests, 0, sizeof(test_requests));

    test_keys[0] = store_bytes(s->pool, 32, "key %s", name);
    test_keys[1] = store_bytes(s->pool, 32, "other key %s", name);

    test_requests[0].cert_req_id = 3;
    test_requests[0].profile = store_str("device");
    test_requests[0].subject = store_str("CN=a");
    test_requests[0].sans = store_str("DNS:a.example");
    test_requests[0].key_hash = test_keys[0];
    test_requests[0].text = store_str("text");
    test_requests[1].cert_req_id = 1;
    test_requests[1].subject = store_str("CN=b");

    w->requests = test_requests;
    w->nrequests = 2;
    w->message = store_bytes(s->pool, 9000, "message %s", name);
    w->key_hashes = test_keys;
    w->nkey_hashes = 2;
    w->approval_timeout = 3600000;
}


/* the transaction as it was loaded, for the next message of it */

static void
test_later(store_t *s, const char *name, int n)
{
    static cmp_transaction_t  tx;

    s->load.transaction_id = store_id(s, name);
    assert_int_equal(store_load(s), CMP_OK);
    assert_non_null(s->records.transaction);
    tx = *s->records.transaction;

    memset(&s->writes, 0, sizeof(s->writes));
    s->writes.ca_id = s->ca_id;
    s->writes.transaction = tx;
    s->writes.nonce = store_bytes(s->pool, 16, "nonce %s %d", name, n);
    s->writes.request_hash = store_bytes(s->pool, 32, "hash %s %d", name, n);
    s->writes.reply = store_bytes(s->pool, 100, "reply %s %d", name, n);
    s->writes.reply_memory = 300000;
    s->writes.transaction_memory = 7200000;
    s->writes.confirm_timeout = 300000;
    s->writes.requester = store_str("mac:device1");
    s->writes.client = store_str("192.0.2.1");

    memset(test_answers, 0, sizeof(test_answers));
    s->writes.answers = test_answers;
}


static void
test_answer(store_t *s, int n, int state)
{
    test_answers[n].id = s->records.waiting[n].id;
    test_answers[n].version = s->records.waiting[n].version;
    test_answers[n].state = state;
    s->writes.nanswers = n + 1;
}


static const char *
test_row(store_t *s, const char *subject, const char *columns)
{
    static char  sql[512];

    snprintf(sql, sizeof(sql), "SELECT concat_ws(' ', %s) FROM cmp.request"
             " WHERE subject = '%s' ORDER BY id DESC LIMIT 1", columns,
             subject);

    return store_query(s->admin, sql);
}


static void
test_decide(store_t *s, const char *subject, const char *how)
{
    static char  sql[512];

    snprintf(sql, sizeof(sql), "SELECT cmp.request_decide((SELECT max(id)"
             " FROM cmp.request WHERE subject = '%s'), %s)", subject, how);
    store_sql(s->admin, sql);
}


static void
test_waits(void **state)
{
    store_t          *s = *state;
    cmp_waiting_t    *w;
    cmp_str_t         message;

    store_reset(s);

    /* one of the keys is known */

    store_issue(s, "wait 1", CMP_CERT_VALID);
    store_must_commit(s);
    test_serials[0] = s->cert.serial;

    test_wait(s, "wait 2", -1);
    test_keys[1] = store_bytes(s->pool, 32, "key wait 1");
    s->writes.serials = test_serials;
    s->writes.nserials = 1;
    message = s->writes.message;
    store_must_commit(s);

    assert_string_equal(test_row(s, "CN=a", "state, cert_req_id, body,"
                                 " answered, profile, sans, text, requester,"
                                 " client"),
                        "0 3 0 f device DNS:a.example text mac:device1"
                        " 192.0.2.1");
    assert_string_equal(test_row(s, "CN=b", "profile = '', sans = '',"
                                 " key_hash IS NULL, target IS NULL"),
                        "t t t t");

    test_later(s, "wait 2", 1);
    assert_int_equal(s->records.transaction->state, CMP_TX_WAITING);
    assert_int_equal(s->records.transaction->confirm_before, 0);
    assert_int_equal(s->records.nwaiting, 2);

    w = s->records.waiting;
    assert_int_equal(w[0].cert_req_id, 1);
    assert_int_equal(w[1].cert_req_id, 3);
    assert_int_equal(w[1].version, 1);
    assert_int_equal(w[1].state, CMP_REQUEST_PENDING);
    assert_int_equal(w[1].reason.len, 0);
    assert_true(w[1].expires > s->records.now + 3500000);
    assert_str_equal(&s->records.message, &message);
    assert_int_equal(s->records.nkeys, 1);
    assert_int_equal(s->records.ncertificates, 1);

    /* a pollRep: the time to wait stays */

    store_must_commit(s);
    assert_string_equal(store_query(s->admin, "SELECT count(*) FROM"
                        " cmp.transaction WHERE state = 2 AND version = 2"
                        " AND wake_at = wait_until"
                        " AND wake_at > now() + interval '59 min'"), "1");
}


static void
test_decided(void **state)
{
    store_t  *s = *state;

    store_reset(s);
    test_wait(s, "decided", -1);
    store_must_commit(s);

    test_later(s, "decided", 1);
    test_answer(s, 0, CMP_REQUEST_DELIVERED);
    test_answer(s, 1, CMP_REQUEST_DELIVERED);

    store_sql(s->admin, "UPDATE cmp.request SET created_at = created_at"
              " - interval '30 min', expires_at = expires_at"
              " - interval '30 min'");
    test_decide(s, "CN=a", "false, 'because'");

    /* decided behind its back */

    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    test_later(s, "decided", 1);
    assert_int_equal(s->records.waiting[0].state, CMP_REQUEST_PENDING);
    assert_int_equal(s->records.waiting[1].state, CMP_REQUEST_REJECTED);
    assert_int_equal(s->records.waiting[1].version, 2);
    assert_int_equal(s->records.waiting[1].reason.len, 7);

    /* as long again as it was given at first */

    assert_true(s->records.waiting[1].expires > s->records.now + 3500000);
    assert_true(s->records.waiting[0].expires < s->records.now + 1900000);

    assert_string_equal(store_query(s->admin,
        "SELECT action || ' ' || (text LIKE 'request % because')"
        " || ' ' || (requester LIKE 'operator:%') FROM cmp.audit"
        " ORDER BY id DESC LIMIT 1"), "request reject true true");

    test_answers[0].id = s->records.waiting[1].id;
    test_answers[0].version = 2;
    test_answers[0].state = CMP_REQUEST_REJECTED;
    s->writes.nanswers = 1;
    store_must_commit(s);

    /* the message is needed as long as one of them waits */

    test_later(s, "decided", 2);
    assert_int_equal(s->records.nwaiting, 1);
    assert_int_equal(s->records.message.len, 9000);
    test_decide(s, "CN=b", "true");

    test_later(s, "decided", 3);
    test_answer(s, 0, CMP_REQUEST_DELIVERED);
    test_answers[0].serial = store_serial(s->pool, store_now(), "issued");
    s->writes.transaction.state = CMP_TX_ENDED;
    store_must_commit(s);

    test_later(s, "decided", 4);
    assert_int_equal(s->records.nwaiting, 0);
    assert_int_equal(s->records.message.len, 0);
    assert_string_equal(test_row(s, "CN=b", "state, version, answered,"
                                 " octet_length(serial), decided_by ="
                                 " session_user"), "4 3 t 20 t");
    assert_string_equal(store_query(s->admin, "SELECT count(*) FROM"
                        " cmp.waiting"), "1");     /* that of test_waits */
}


static void
test_expired(void **state)
{
    store_t         *s = *state;
    cmp_pg_sweep_t   sweep;

    store_reset(s);
    test_wait(s, "expired", -1);
    store_must_commit(s);

    store_sweep(s, &sweep);
    assert_int_equal(sweep.expired, 0);

    test_decide(s, "CN=b", "false, NULL");
    store_sql(s->admin, "UPDATE cmp.transaction SET wake_at = now()"
              " - interval '1 s' WHERE state = 2 AND version = 1");
    store_sweep(s, &sweep);
    assert_int_equal(sweep.expired, 1);
    assert_int_equal(sweep.unconfirmed, 0);
    assert_string_equal(test_row(s, "CN=a", "state, version, answered,"
                                 " over_at IS NOT NULL"), "3 2 f t");
    assert_string_equal(test_row(s, "CN=b", "state, version, answered"),
                        "2 2 f");

    /* the client is told as long as the transaction is there */

    test_later(s, "expired", 1);
    assert_int_equal(s->records.transaction->state, CMP_TX_ENDED);
    assert_int_equal(s->records.transaction->version, 2);
    assert_int_equal(s->records.nwaiting, 2);
    assert_int_equal(s->records.waiting[1].state, CMP_REQUEST_EXPIRED);
    assert_int_equal(s->records.message.len, 0);
    test_answer(s, 0, CMP_REQUEST_REJECTED);
    test_answer(s, 1, CMP_REQUEST_EXPIRED);
    store_must_commit(s);
    assert_string_equal(store_query(s->admin, "SELECT count(*) FROM"
                        " cmp.transaction WHERE wake_at > now()"
                        " + interval '119 min' AND state = 0"
                        " AND version = 3 AND id = (SELECT transaction_id"
                        " FROM cmp.request ORDER BY id DESC LIMIT 1)"), "1");

    /* and rows of the past go */

    store_sql(s->admin, "UPDATE cmp.request SET over_at = now()"
              " - interval '31 days' WHERE over_at IS NOT NULL");
    store_sweep(s, &sweep);
    assert_string_equal(store_query(s->admin, "SELECT count(*) FROM"
                        " cmp.request WHERE over_at IS NOT NULL"), "0");
}


/* who does not confirm what was delivered at once still waits for the rest */

static void
test_mixed(void **state)
{
    store_t         *s = *state;
    cmp_str_t        serial;
    cmp_pg_sweep_t   sweep;

    store_reset(s);
    test_wait(s, "mixed", CMP_CERT_UNCONFIRMED);
    store_must_commit(s);
    serial = s->cert.serial;

    test_later(s, "mixed", 1);
    assert_int_equal(s->records.transaction->state, CMP_TX_CONFIRM);
    assert_int_equal(s->records.nwaiting, 2);
    assert_true(s->records.transaction->confirm_before
                < s->records.now + 301000);

    store_sql(s->admin, "UPDATE cmp.transaction SET wake_at = now()"
              " - interval '1 s' WHERE state = 1");
    store_sweep(s, &sweep);
    assert_int_equal(sweep.unconfirmed, 1);
    assert_int_equal(sweep.revoked, 1);
    assert_int_equal(sweep.expired, 0);
    assert_int_equal(store_certificate(s, &serial)->state, CMP_CERT_REVOKED);

    s->load.transaction_id.len = 0;
    test_later(s, "mixed", 2);
    assert_int_equal(s->records.transaction->state, CMP_TX_WAITING);
    assert_int_equal(s->records.transaction->confirm_before, 0);
    assert_int_equal(s->records.nwaiting, 2);
    assert_string_equal(store_query(s->admin, "SELECT count(*) FROM"
                        " cmp.transaction WHERE state = 2 AND version = 2"
                        " AND wake_at = wait_until"
                        " AND id = (SELECT transaction_id FROM cmp.request"
                        " ORDER BY id DESC LIMIT 1)"), "1");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_decided),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_mixed),
    };

    return cmocka_run_group_tests(tests, store_setup, store_teardown);
}
