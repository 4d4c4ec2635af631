
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * COMMIT against a real database: what is written is what is read, and every
 * race is lost by exactly one side.
 */


#include <store_fixture.h>


static void
test_register(void **state)
{
    int32_t         id;
    store_t        *s = *state;
    store_client_t *c;
    cmp_str_t       name = cmp_string("another CA");

    c = &s->server;

    assert_int_equal(cmp_pg_ca_register_send(c->conn, &name, &name, 0),
                     CMP_OK);
    assert_int_equal(store_sync(c), 0);
    assert_int_equal(cmp_pg_ca_register_result(c->res, &id), CMP_OK);
    assert_int_not_equal(id, s->ca_id);

    name = store_str("test");

    assert_int_equal(cmp_pg_ca_register_send(c->conn, &name, &name, 0),
                     CMP_OK);
    assert_int_equal(store_sync(c), 0);
    assert_int_equal(cmp_pg_ca_register_result(c->res, &id), CMP_OK);
    assert_int_equal(id, s->ca_id);
}


static void
test_nothing(void **state)
{
    store_t  *s = *state;

    store_reset(s);
    s->load.transaction_id = store_id(s, "nobody");
    s->load.reference = store_str("nobody");
    s->load.signer_hash = store_bytes(s->pool, 32, "nobody");
    s->load.signer_serial = store_serial(s->pool, store_now(), "nobody");

    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.reply.len, 0);
    assert_null(s->records.transaction);
    assert_null(s->records.credential);
    assert_null(s->records.signer);
    assert_int_equal(s->records.ncertificates, 0);
    assert_int_equal(s->records.nkeys, 0);
}


static void
test_issue(void **state)
{
    cmp_str_t                 serial;
    store_t                  *s = *state;
    const cmp_key_t          *key;
    const cmp_transaction_t  *tx;
    const cmp_certificate_t  *cert;

    store_reset(s);
    store_issue(s, "issue", CMP_CERT_UNCONFIRMED);
    s->cert.cert_req_id = 7;
    s->writes.transaction.body = 2;
    s->writes.requester = store_str("mac:\xff\n\xc3\xa4\xe2\x82");
    store_must_commit(s);

    /* the transaction and its certificate */

    s->load.request_hash = store_bytes(s->pool, 32, "certConf");
    s->load.transaction_id = store_id(s, "issue");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.reply.len, 0);

    tx = s->records.transaction;
    assert_non_null(tx);
    assert_str_equal(&tx->id, &s->writes.transaction.id);
    assert_int_equal(tx->ca_id, s->ca_id);
    assert_int_equal(tx->version, 1);
    assert_int_equal(tx->state, CMP_TX_CONFIRM);
    assert_int_equal(tx->body, 2);
    assert_int_equal(tx->kind, CMP_PROTECTION_MAC);
    assert_int_equal(tx->credential_id, 0);
    assert_int_equal(tx->signer_hash.len, 0);
    assert_int_equal(tx->signer.len, 0);
    assert_str_equal(&tx->protection_alg,
                     &s->writes.transaction.protection_alg);
    assert_str_equal(&tx->sender_nonce, &s->writes.transaction.sender_nonce);
    assert_int_equal(tx->nnonces, 1);
    assert_str_equal(&tx->nonces[0], &s->writes.nonce);
    assert_true(tx->confirm_before > store_now() + 290000);
    assert_true(tx->confirm_before < store_now() + 310000);

    assert_int_equal(s->records.ncertificates, 1);
    cert = &s->records.certificates[0];
    serial = s->cert.serial;
    assert_str_equal(&cert->serial, &serial);
    assert_str_equal(&cert->der, &s->cert.der);
    assert_str_equal(&cert->transaction_id, &tx->id);
    assert_int_equal(cert->cert_req_id, 7);
    assert_int_equal(cert->version, 1);
    assert_int_equal(cert->state, CMP_CERT_UNCONFIRMED);
    assert_int_equal(cert->reason, 0);
    assert_int_equal(cert->revoked_at, 0);
    assert_int_equal(cert->credential_id, 0);
    assert_str_equal(&cert->profile, &s->cert.profile);
    assert_str_equal(&cert->key_hash, &s->cert.key_hash);
    assert_str_equal(&cert->subject_hash, &s->cert.subject_hash);
    assert_int_equal(cert->predecessor.len, 0);
    assert_int_equal(cert->successor.len, 0);
    assert_int_equal(cert->used | cert->replaced | cert->retired, 0);

    key = store_key(s, &s->cert.key_hash);
    assert_non_null(key);
    assert_str_equal(&key->key_hash, &s->cert.key_hash);
    assert_str_equal(&key->subject_hash, &s->cert.subject_hash);
    assert_str_equal(&key->serial, &serial);
    assert_int_equal(key->version, 1);
    assert_int_equal(key->confirmed, 0);
    assert_int_equal(key->compromised, 0);

    /* its latest certificate comes with the key */

    assert_int_equal(s->records.ncertificates, 1);

    assert_string_equal(store_query(s->admin,
        "SELECT action || ' ' || requester || ' ' || client || ' ' || text"
        " || ' ' || coalesce(fail_info, -1) FROM cmp.audit"
        " ORDER BY id DESC LIMIT 1"),
        "ir mac:??\xc3\xa4?? 192.0.2.1 accepted -1");
}


static void
test_repeat(void **state)
{
    store_t  *s = *state;

    store_reset(s);
    store_issue(s, "repeat", CMP_CERT_VALID);
    store_must_commit(s);

    s->load.request_hash = s->writes.request_hash;
    s->load.transaction_id = s->writes.transaction.id;
    s->load.reference = store_str("device1");
    assert_int_equal(store_load(s), CMP_OK);
    assert_str_equal(&s->records.reply, &s->writes.reply);
    assert_null(s->records.transaction);

    /* the same ID, other bytes */

    s->load.request_hash = store_bytes(s->pool, 32, "other");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.reply.len, 0);
    assert_non_null(s->records.transaction);

    /* the same bytes, another ID: not a repeat */

    s->load.request_hash = s->writes.request_hash;
    s->load.transaction_id = store_id(s, "other");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.reply.len, 0);

    /* a message that came without an ID */

    s->load.transaction_id.len = 0;
    assert_int_equal(store_load(s), CMP_OK);
    assert_str_equal(&s->records.reply, &s->writes.reply);

    /* a reply that is needed for hours */

    store_reset(s);
    store_issue(s, "repeat long", CMP_CERT_VALID);
    s->writes.reply_memory = 6 * 3600000;
    store_must_commit(s);

    s->load.request_hash = s->writes.request_hash;
    s->load.transaction_id = s->writes.transaction.id;
    assert_int_equal(store_load(s), CMP_OK);
    assert_str_equal(&s->records.reply, &s->writes.reply);
}


static void
test_id_taken(void **state)
{
    store_t  *s = *state;

    store_reset(s);
    store_issue(s, "taken", CMP_CERT_VALID);
    store_must_commit(s);

    store_issue(s, "taken again", CMP_CERT_VALID);
    s->writes.transaction.id = store_id(s, "taken");
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    assert_string_equal(s->server.sqlstate, "23505");

    /* nothing of it was done */

    assert_null(store_certificate(s, &s->cert.serial));
    assert_null(store_key(s, &s->cert.key_hash));

    /* without a transaction only the rest is written */

    s->writes.transaction.id.len = 0;
    s->writes.ncerts = 0;
    s->audit.text = store_str("transactionID is in use");
    store_must_commit(s);

    assert_string_equal(store_query(s->admin, "SELECT text FROM cmp.audit"
        " ORDER BY id DESC LIMIT 1"), "transactionID is in use");

    s->load.request_hash = s->writes.request_hash;
    s->load.transaction_id.len = 0;
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.reply.len, 0);
}


static void
test_confirm(void **state)
{
    cmp_str_t                 serial, key;
    store_t                  *s = *state;
    const cmp_certificate_t  *cert;

    store_reset(s);
    store_issue(s, "confirm", CMP_CERT_UNCONFIRMED);
    store_must_commit(s);

    serial = s->cert.serial;
    key = s->cert.key_hash;

    s->load.transaction_id = store_id(s, "confirm");
    assert_int_equal(store_load(s), CMP_OK);

    store_change(s, &serial, 1, CMP_CHANGE_CONFIRM, 0, CMP_BY_NOBODY);
    s->writes.transaction = *s->records.transaction;
    s->writes.transaction.state = CMP_TX_ENDED;
    s->writes.transaction.sender_nonce = store_bytes(s->pool, 16, "second");
    s->writes.nonce = store_bytes(s->pool, 16, "second nonce");
    s->writes.transaction_memory = 7200000;
    s->writes.request_hash = store_bytes(s->pool, 32, "second request");
    s->writes.reply = store_bytes(s->pool, 300, "second reply");
    s->writes.reply_memory = 300000;
    store_must_commit(s);

    cert = store_certificate(s, &serial);
    assert_int_equal(cert->state, CMP_CERT_VALID);
    assert_int_equal(cert->version, 2);
    assert_int_equal(store_key(s, &key)->confirmed, 1);
    assert_int_equal(store_key(s, &key)->version, 2);

    /* the same once more is a race lost, and not by the certificate alone */

    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    assert_string_equal(s->server.sqlstate, "CM001");

    s->load.transaction_id = store_id(s, "confirm");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.transaction->version, 2);
    assert_int_equal(s->records.transaction->state, CMP_TX_ENDED);
    assert_int_equal(s->records.transaction->confirm_before, 0);
    assert_int_equal(s->records.transaction->nnonces, 2);
    assert_str_equal(&s->records.transaction->nonces[1], &s->writes.nonce);

    s->writes.transaction.version = 2;
    s->change.version = 2;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    s->writes.nchanges = 0;
    s->writes.reply.len = 0;
    store_must_commit(s);

    /* both messages have their replies */

    s->load.request_hash = store_bytes(s->pool, 32, "request confirm");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.reply.len, 2500);

    s->load.request_hash = store_bytes(s->pool, 32, "second request");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.reply.len, 300);
}


/* a refused certConf does not move the time until which one is expected */

static void
test_confirm_before(void **state)
{
    int       i;
    int64_t   before;
    store_t  *s = *state;

    store_reset(s);
    store_issue(s, "before", CMP_CERT_UNCONFIRMED);
    store_must_commit(s);

    s->load.transaction_id = store_id(s, "before");
    assert_int_equal(store_load(s), CMP_OK);
    before = s->records.transaction->confirm_before;

    /* more messages than are remembered */

    for (i = 1; i <= 70; i++) {
        s->writes.transaction.version = i;
        s->writes.ncerts = 0;
        s->writes.confirm_timeout = 900000;
        s->writes.nonce = store_bytes(s->pool, 16, "n %d", i);
        s->writes.request_hash = store_bytes(s->pool, 32, "r %d", i);
        store_must_commit(s);
    }

    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.transaction->confirm_before, before);
    assert_int_equal(s->records.transaction->nnonces, 64);
    assert_str_equal(&s->records.transaction->nonces[63], &s->writes.nonce);

    s->load.request_hash = store_bytes(s->pool, 32, "r 7");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_not_equal(s->records.reply.len, 0);

    s->load.request_hash = store_bytes(s->pool, 32, "r 6");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.reply.len, 0);
}


static void
test_keys(void **state)
{
    cmp_str_t         first, key;
    store_t          *s = *state;
    cmp_write_cert_t  certs[2];

    store_reset(s);
    store_issue(s, "keys", CMP_CERT_UNCONFIRMED);
    store_must_commit(s);
    first = s->cert.serial;
    key = s->cert.key_hash;

    /* somebody else was first */

    store_issue(s, "keys 2", CMP_CERT_UNCONFIRMED);
    s->cert.key_hash = key;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    assert_string_equal(s->server.sqlstate, "23505");

    s->cert.key_version = 2;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    assert_string_equal(s->server.sqlstate, "CM001");

    s->cert.key_version = 1;
    s->cert.subject_hash = store_bytes(s->pool, 32, "new subject");
    store_must_commit(s);

    assert_str_equal(&store_key(s, &key)->serial, &s->cert.serial);
    assert_int_equal(store_key(s, &key)->version, 2);
    assert_str_equal(&store_key(s, &key)->subject_hash,
                     &s->cert.subject_hash);

    /* confirming the first one makes a version of the key */

    store_change(s, &first, 1, CMP_CHANGE_CONFIRM, 0, CMP_BY_NOBODY);
    store_must_commit(s);
    assert_int_equal(store_key(s, &key)->version, 3);
    assert_int_equal(store_key(s, &key)->confirmed, 1);

    /* one key twice in a message */

    store_issue(s, "keys 3", CMP_CERT_VALID);
    certs[0] = s->cert;
    certs[1] = s->cert;
    certs[1].cert_req_id = 1;
    certs[1].serial = store_serial(s->pool, store_now(), "keys 4");
    s->writes.certs = certs;
    s->writes.ncerts = 2;
    store_must_commit(s);
    assert_int_equal(store_key(s, &s->cert.key_hash)->version, 2);

    store_issue(s, "keys 5", CMP_CERT_VALID);
    certs[0] = s->cert;
    certs[1] = s->cert;
    certs[1].serial = store_serial(s->pool, store_now(), "keys 6");
    certs[1].subject_hash = store_bytes(s->pool, 32, "new subject");
    s->writes.certs = certs;
    s->writes.ncerts = 2;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
}


static void
test_update(void **state)
{
    cmp_str_t                 old, middle, new;
    store_t                  *s = *state;
    const cmp_certificate_t  *cert;

    store_reset(s);
    store_issue(s, "update 1", CMP_CERT_VALID);
    store_must_commit(s);
    old = s->cert.serial;

    /* not yet confirmed */

    store_issue(s, "update 2", CMP_CERT_UNCONFIRMED);
    s->cert.predecessor = old;
    s->cert.predecessor_version = 2;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    s->cert.predecessor_version = 1;
    store_must_commit(s);
    middle = s->cert.serial;

    cert = store_certificate(s, &old);
    assert_int_equal(s->records.ncertificates, 2);
    assert_int_equal(cert->version, 2);
    assert_int_equal(cert->replaced, 0);
    assert_str_equal(&cert->successor, &middle);
    assert_str_equal(&store_certificate(s, &middle)->predecessor, &old);

    /* confirmed */

    store_change(s, &middle, 1, CMP_CHANGE_CONFIRM, 0, CMP_BY_NOBODY);
    store_must_commit(s);
    cert = store_certificate(s, &old);
    assert_int_equal(cert->version, 3);
    assert_int_equal(cert->replaced, 1);
    assert_int_equal(cert->retired, 0);
    assert_int_equal(cert->state, CMP_CERT_VALID);

    /* its first signature is another update, confirmed at once */

    store_issue(s, "update 3", CMP_CERT_VALID);
    memset(&s->change, 0, sizeof(s->change));
    s->change.serial = middle;
    s->change.version = 2;
    s->change.action = CMP_CHANGE_USED;
    s->writes.changes = &s->change;
    s->writes.nchanges = 1;
    s->cert.predecessor = middle;
    s->cert.predecessor_version = 2;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    s->cert.predecessor_version = 3;
    store_must_commit(s);
    new = s->cert.serial;

    cert = store_certificate(s, &old);
    assert_int_equal(cert->version, 4);
    assert_int_equal(cert->retired, 1);

    cert = store_certificate(s, &middle);
    assert_int_equal(cert->version, 4);
    assert_int_equal(cert->used, 1);
    assert_int_equal(cert->replaced, 1);
    assert_str_equal(&cert->successor, &new);

    /* used for the first time only once */

    store_change(s, &middle, 4, CMP_CHANGE_USED, 0, CMP_BY_NOBODY);
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    /* a revoked certificate has no successors */

    store_change(s, &new, 1, CMP_CHANGE_REVOKE, 4, CMP_BY_ITSELF);
    store_must_commit(s);
    store_issue(s, "update 4", CMP_CERT_VALID);
    s->cert.predecessor = new;
    s->cert.predecessor_version = 2;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
}


static void
test_revoke(void **state)
{
    int64_t                   held;
    cmp_str_t                 serial, key;
    store_t                  *s = *state;
    const cmp_certificate_t  *cert;

    store_reset(s);
    store_issue(s, "revoke", CMP_CERT_VALID);
    store_must_commit(s);
    serial = s->cert.serial;
    key = s->cert.key_hash;

    store_change(s, &serial, 1, CMP_CHANGE_RELEASE, 0, CMP_BY_RA);
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    store_change(s, &serial, 1, CMP_CHANGE_HOLD, 6, CMP_BY_RA);
    store_must_commit(s);
    cert = store_certificate(s, &serial);
    assert_int_equal(cert->state, CMP_CERT_HOLD);
    assert_int_equal(cert->version, 2);
    assert_int_equal(cert->reason, 6);
    assert_int_equal(cert->hold_by, CMP_BY_RA);
    assert_true(cert->revoked_at > store_now() - 60000);
    held = cert->revoked_at;

    store_change(s, &serial, 1, CMP_CHANGE_RELEASE, 0, CMP_BY_RA);
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    s->change.version = 2;
    store_must_commit(s);
    cert = store_certificate(s, &serial);
    assert_int_equal(cert->state, CMP_CERT_VALID);
    assert_int_equal(cert->reason, 0);
    assert_int_equal(cert->revoked_at, 0);

    store_change(s, &serial, 3, CMP_CHANGE_HOLD, 6, CMP_BY_ITSELF);
    store_must_commit(s);
    assert_true(store_certificate(s, &serial)->revoked_at >= held);
    held = s->records.certificates[0].revoked_at;

    /* for ever, since it was put on hold */

    store_change(s, &serial, 4, CMP_CHANGE_REVOKE, 1, CMP_BY_RA);
    s->change.invalidity = 1700000000123;
    store_must_commit(s);
    cert = store_certificate(s, &serial);
    assert_int_equal(cert->state, CMP_CERT_REVOKED);
    assert_int_equal(cert->reason, 1);
    assert_int_equal(cert->hold_by, CMP_BY_NOBODY);
    assert_int_equal(cert->revoked_at, held);
    assert_int_equal(store_key(s, &key)->compromised, 1);

    assert_string_equal(store_query(s->admin,
        "SELECT (extract(epoch FROM invalidity) * 1000)::int8"
        " FROM cmp.revocation ORDER BY change DESC LIMIT 1"),
        "1700000000123");

    store_change(s, &serial, 5, CMP_CHANGE_REVOKE, 0, CMP_BY_RA);
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    store_change(s, &serial, 5, CMP_CHANGE_RELEASE, 0, CMP_BY_RA);
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    store_change(s, &serial, 5, CMP_CHANGE_HOLD, 0, CMP_BY_RA);
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    /* not ours */

    store_change(s, &serial, 5, CMP_CHANGE_USED, 0, CMP_BY_NOBODY);
    s->writes.ca_id = s->ca_id + 1;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
}


/* several changes, one of which loses: none is made */

static void
test_atomic(void **state)
{
    int                 i;
    char                name[32];
    store_t            *s = *state;
    cmp_write_change_t  changes[3];

    store_reset(s);
    memset(changes, 0, sizeof(changes));

    for (i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "atomic %d", i);
        store_issue(s, name, CMP_CERT_VALID);
        store_must_commit(s);
        changes[i].serial = s->cert.serial;
        changes[i].version = 1;
        changes[i].action = CMP_CHANGE_REVOKE;
        changes[i].by = CMP_BY_RA;
    }

    changes[2].version = 9;

    store_change(s, &changes[0].serial, 1, CMP_CHANGE_REVOKE, 0, CMP_BY_RA);
    s->writes.changes = changes;
    s->writes.nchanges = 3;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    for (i = 0; i < 3; i++) {
        assert_int_equal(store_certificate(s, &changes[i].serial)->state,
                         CMP_CERT_VALID);
    }

    changes[2].version = 1;
    store_must_commit(s);

    for (i = 0; i < 3; i++) {
        assert_int_equal(store_certificate(s, &changes[i].serial)->state,
                         CMP_CERT_REVOKED);
    }
}


/* the writes of a nested message: several commits before one sync */

static void
test_several(void **state)
{
    cmp_str_t  first;
    store_t   *s = *state;

    store_reset(s);
    store_issue(s, "several 1", CMP_CERT_VALID);
    first = s->cert.serial;
    assert_int_equal(cmp_pg_commit_send(s->server.conn, &s->writes), CMP_OK);

    store_issue(s, "several 2", CMP_CERT_VALID);
    s->cert.key_version = 5;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    assert_null(store_certificate(s, &first));

    store_issue(s, "several 1", CMP_CERT_VALID);
    first = s->cert.serial;
    assert_int_equal(cmp_pg_commit_send(s->server.conn, &s->writes), CMP_OK);

    store_issue(s, "several 2", CMP_CERT_VALID);
    store_must_commit(s);
    assert_non_null(store_certificate(s, &first));
    assert_non_null(store_certificate(s, &s->cert.serial));
}


static void
test_outcome(void **state)
{
    (void) state;

    assert_int_equal(cmp_pg_commit_outcome(""), CMP_COMMIT_OK);
    assert_int_equal(cmp_pg_commit_outcome("40001"), CMP_COMMIT_RACE);
    assert_int_equal(cmp_pg_commit_outcome("40P01"), CMP_COMMIT_RACE);
    assert_int_equal(cmp_pg_commit_outcome("23514"), CMP_COMMIT_UNAVAILABLE);
    assert_int_equal(cmp_pg_commit_outcome("57014"), CMP_COMMIT_UNAVAILABLE);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_register),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_issue),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_id_taken),
        cmocka_unit_test(test_confirm),
        cmocka_unit_test(test_confirm_before),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_revoke),
        cmocka_unit_test(test_atomic),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_outcome)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, store_setup, store_teardown);
}
