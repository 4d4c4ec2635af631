
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * OCSP responders in the store: one of those that several nodes make, and
 * what is left of those before.
 */


#include <store_fixture.h>


static cmp_str_t                responder_secret;
static cmp_write_cert_t         responder_cert;
static cmp_pg_ocsp_responder_t  responder;


static void
responder_reset(store_t *s)
{
    store_reset(s);
    store_sql(s->admin, "TRUNCATE cmp.ocsp_responder, cmp.revocation");
}


static void
responder_new(store_t *s, const char *name)
{
    cmp_write_cert_t  *cert;

    cert = &responder_cert;

    memset(cert, 0, sizeof(cmp_write_cert_t));

    cert->serial = store_serial(s->pool, store_now(), name);
    cert->der = store_bytes(s->pool, 500, "der %s", name);
    cert->subject_hash = store_bytes(s->pool, 32, "subject %s", name);
    cert->subject_text = store_str("CN=OCSP responder,CN=CA");
    cert->key_hash = store_bytes(s->pool, 32, "key %s", name);
    cert->profile = store_str(CMP_PROFILE_OCSP);
    cert->not_before = store_now() - 1000;
    cert->not_after = store_now() + 3600000;

    responder_secret = store_bytes(s->pool, 200, "secret %s", name);
}


static cmp_commit_e
responder_store(store_t *s, const char *key_id, int number)
{
    cmp_str_t  id;

    id = store_str(key_id);

    assert_int_equal(cmp_pg_ocsp_responder_store_send(s->server.conn,
                                                      s->ca_id, &id, number,
                                                      &responder_secret,
                                                      &responder_cert),
                     CMP_OK);
    (void) store_sync(&s->server);

    return cmp_pg_commit_outcome(s->server.sqlstate);
}


static void
responder_read(store_t *s, const char *key_id, int known)
{
    cmp_str_t  id;

    id = store_str(key_id);
    memset(&responder, 0, sizeof(cmp_pg_ocsp_responder_t));

    if (cmp_pg_ocsp_responder_send(s->server.conn, s->ca_id, &id, known)
        != CMP_OK
        || store_sync(&s->server) != 0
        || cmp_pg_ocsp_responder_result(s->server.res, s->pool, &responder)
           != CMP_OK)
    {
        fail_msg("ocsp_responder: %s", s->server.message);
    }
}


static void
test_store(void **state)
{
    store_t                  *s;
    const cmp_certificate_t  *cert;

    s = *state;
    responder_reset(s);

    responder_read(s, "key a", 0);
    assert_int_equal(responder.number, 0);
    assert_int_equal(responder.state, -1);
    assert_int_equal(responder.der.len, 0);

    responder_new(s, "one");
    assert_int_equal(responder_store(s, "key a", 1), CMP_COMMIT_OK);

    responder_read(s, "key a", 0);
    assert_int_equal(responder.number, 1);
    assert_int_equal(responder.state, CMP_CERT_VALID);
    assert_str_equal(&responder.der, &responder_cert.der);
    assert_str_equal(&responder.secret, &responder_secret);

    /* who has it already gets its state alone */

    responder_read(s, "key a", 1);
    assert_int_equal(responder.number, 1);
    assert_int_equal(responder.state, CMP_CERT_VALID);
    assert_int_equal(responder.der.len, 0);
    assert_int_equal(responder.secret.len, 0);

    /* each key of the CA has its own */

    responder_read(s, "key b", 0);
    assert_int_equal(responder.number, 0);

    /* it is a certificate like any other, and in the audit */

    cert = store_certificate(s, &responder_cert.serial);
    assert_non_null(cert);
    assert_int_equal(cert->state, CMP_CERT_VALID);
    assert_non_null(store_key(s, &responder_cert.key_hash));
    assert_string_equal(store_query(s->admin, "SELECT requester || action"
                                    " || status || text FROM cmp.audit"
                                    " ORDER BY id DESC LIMIT 1"),
                        "serverocsp responder0number 1");
}


/* two nodes make one at the same time */

static void
test_race(void **state)
{
    store_t    *s;
    cmp_str_t   winner;

    s = *state;
    responder_reset(s);

    responder_new(s, "winner");
    winner = responder_cert.der;
    assert_int_equal(responder_store(s, "key a", 1), CMP_COMMIT_OK);

    responder_new(s, "loser");
    assert_int_equal(responder_store(s, "key a", 1), CMP_COMMIT_RACE);
    assert_int_equal(responder_store(s, "key a", 3), CMP_COMMIT_RACE);

    responder_read(s, "key a", 0);
    assert_int_equal(responder.number, 1);
    assert_str_equal(&responder.der, &winner);

    /* and nothing is left of it */

    assert_null(store_certificate(s, &responder_cert.serial));
    assert_null(store_key(s, &responder_cert.key_hash));
    assert_int_equal(responder_store(s, "key a", 2), CMP_COMMIT_OK);
}


/* the private key of a responder that has a successor is gone */

static void
test_renew(void **state)
{
    store_t  *s;

    s = *state;
    responder_reset(s);

    responder_new(s, "old");
    assert_int_equal(responder_store(s, "key a", 1), CMP_COMMIT_OK);
    responder_new(s, "other");
    assert_int_equal(responder_store(s, "key b", 1), CMP_COMMIT_OK);
    responder_new(s, "new");
    assert_int_equal(responder_store(s, "key a", 2), CMP_COMMIT_OK);

    responder_read(s, "key a", 1);
    assert_int_equal(responder.number, 2);
    assert_str_equal(&responder.secret, &responder_secret);

    assert_string_equal(store_query(s->admin, "SELECT string_agg(number || '"
                                    " ' || (secret IS NOT NULL), ',' ORDER BY"
                                    " key_id, number) FROM"
                                    " cmp.ocsp_responder"),
                        "1 false,2 true,1 true");

    /* expired ones go, the numbers go on */

    store_sql(s->admin, "UPDATE cmp.ocsp_responder"
              " SET not_after = now() - interval '1 s'");
    responder_new(s, "third");
    assert_int_equal(responder_store(s, "key a", 2), CMP_COMMIT_RACE);
    assert_int_equal(responder_store(s, "key a", 3), CMP_COMMIT_OK);
    assert_string_equal(store_query(s->admin, "SELECT string_agg(number ||"
                                    " '', ',' ORDER BY key_id, number) FROM"
                                    " cmp.ocsp_responder"),
                        "3,1");
}


/* who has it is told, and all that it has signed is dropped */

static void
test_revoked(void **state)
{
    store_t           *s;
    cmp_str_t          snapshot, other;
    cmp_pg_changes_t   changes;

    s = *state;
    responder_reset(s);

    store_issue(s, "client", CMP_CERT_VALID);
    store_must_commit(s);
    other = s->cert.serial;
    responder_new(s, "revoked");
    assert_int_equal(responder_store(s, "key a", 1), CMP_COMMIT_OK);

    snapshot.data = NULL;
    snapshot.len = 0;
    assert_int_equal(cmp_pg_changes_send(s->server.conn, &snapshot), CMP_OK);
    assert_int_equal(store_sync(&s->server), 0);
    assert_int_equal(cmp_pg_changes_result(s->server.res, s->pool, &changes),
                     CMP_OK);
    snapshot = changes.snapshot;

    store_change(s, &other, 1, CMP_CHANGE_REVOKE, 4, CMP_BY_OPERATOR);
    store_must_commit(s);
    assert_int_equal(cmp_pg_changes_send(s->server.conn, &snapshot), CMP_OK);
    assert_int_equal(store_sync(&s->server), 0);
    assert_int_equal(cmp_pg_changes_result(s->server.res, s->pool, &changes),
                     CMP_OK);
    assert_int_equal(changes.nrows, 1);
    assert_int_equal(changes.all, 0);

    store_change(s, &responder_cert.serial, 1, CMP_CHANGE_REVOKE, 1,
                 CMP_BY_OPERATOR);
    store_must_commit(s);

    responder_read(s, "key a", 1);
    assert_int_equal(responder.number, 1);
    assert_int_equal(responder.state, CMP_CERT_REVOKED);

    responder_read(s, "key a", 0);
    assert_int_equal(responder.number, 1);
    assert_int_equal(responder.der.len, 0);
    assert_int_equal(responder.secret.len, 0);

    /* also when it has a successor already */

    responder_new(s, "successor");
    assert_int_equal(responder_store(s, "key a", 2), CMP_COMMIT_OK);
    assert_int_equal(cmp_pg_changes_send(s->server.conn, &snapshot), CMP_OK);
    assert_int_equal(store_sync(&s->server), 0);
    assert_int_equal(cmp_pg_changes_result(s->server.res, s->pool, &changes),
                     CMP_OK);
    assert_int_equal(changes.all, 1);
    assert_int_equal(changes.nrows, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_renew),
        cmocka_unit_test(test_revoked)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, store_setup, store_teardown);
}
