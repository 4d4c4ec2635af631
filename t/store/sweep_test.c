
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The sweeper and CRLs against a real database.
 */


#include <store_fixture.h>

#include <unistd.h>


static void
expire(store_t *s)
{
    store_sql(s->admin, "UPDATE cmp.transaction SET wake_at = now()"
              " - interval '1 s'");
}


static void
test_unconfirmed(void **state)
{
    store_t                  *s = *state;
    cmp_str_t                 serial, old;
    cmp_pg_sweep_t            sweep;
    const cmp_certificate_t  *cert;

    store_reset(s);
    store_sql(s->admin, "TRUNCATE cmp.transaction, cmp.reply");

    store_issue(s, "sweep 1", CMP_CERT_VALID);
    store_must_commit(s);
    old = s->cert.serial;

    store_issue(s, "sweep 2", CMP_CERT_UNCONFIRMED);
    s->cert.predecessor = old;
    s->cert.predecessor_version = 1;
    store_must_commit(s);
    serial = s->cert.serial;

    /* not yet */

    store_sweep(s, &sweep);
    assert_int_equal(sweep.unconfirmed, 0);
    assert_int_equal(sweep.revoked, 0);
    assert_int_equal(store_certificate(s, &serial)->state,
                     CMP_CERT_UNCONFIRMED);

    /* somebody is confirming it right now */

    store_sql(s->admin, "UPDATE cmp.transaction SET wake_at = now()"
              " - interval '1 s' WHERE state = 1");
    store_sql(s->admin, "BEGIN; SELECT * FROM cmp.transaction FOR UPDATE");
    store_sweep(s, &sweep);
    assert_int_equal(sweep.unconfirmed, 0);
    store_sql(s->admin, "COMMIT");

    store_sweep(s, &sweep);
    assert_int_equal(sweep.unconfirmed, 1);
    assert_int_equal(sweep.revoked, 1);
    assert_int_equal(sweep.forgotten, 0);
    assert_int_equal(sweep.more, 0);

    cert = store_certificate(s, &serial);
    assert_int_equal(cert->state, CMP_CERT_REVOKED);
    assert_int_equal(cert->reason, 5);
    assert_int_equal(store_certificate(s, &old)->state, CMP_CERT_VALID);
    assert_int_equal(store_certificate(s, &old)->replaced, 0);

    assert_string_equal(store_query(s->admin,
        "SELECT action || ' ' || requester || ' ' || text FROM cmp.audit"
        " ORDER BY id DESC LIMIT 1"),
        "expire sweeper not confirmed in time, revoked");

    s->load.transaction_id = store_id(s, "sweep 2");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.transaction->state, CMP_TX_ENDED);
    assert_int_equal(s->records.transaction->version, 2);

    /* a certConf decided on what was there before loses */

    store_change(s, &serial, 1, CMP_CHANGE_CONFIRM, 0, CMP_BY_NOBODY);
    s->writes.transaction = *s->records.transaction;
    s->writes.transaction.version = 1;
    s->writes.nonce = store_bytes(s->pool, 16, "late");
    s->writes.transaction_memory = 7200000;
    s->writes.request_hash = store_bytes(s->pool, 32, "late");
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    store_sweep(s, &sweep);
    assert_int_equal(sweep.unconfirmed, 0);
    assert_int_equal(sweep.forgotten, 0);
}


static void
test_forget(void **state)
{
    store_t         *s = *state;
    cmp_pg_sweep_t   sweep;

    store_reset(s);
    store_issue(s, "forget", CMP_CERT_VALID);
    store_must_commit(s);
    store_issue(s, "forget long", CMP_CERT_VALID);
    s->writes.reply_memory = 7200000;
    store_must_commit(s);

    store_sweep(s, &sweep);
    assert_int_equal(sweep.forgotten, 0);

    expire(s);
    store_sql(s->admin, "UPDATE cmp.reply_long SET expires_at = now()"
              " - interval '1 s'");
    store_sweep(s, &sweep);
    assert_true(sweep.forgotten >= 2);
    assert_string_equal(store_query(s->admin,
                        "SELECT count(*) FROM cmp.transaction"), "0");
    assert_string_equal(store_query(s->admin,
                        "SELECT count(*) FROM cmp.reply_long"), "0");

    s->load.transaction_id = store_id(s, "forget");
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.transaction);

    /* a limited amount of work a call */

    store_sql(s->admin, "INSERT INTO cmp.transaction (wake_at, forget_at,"
              " version, ca_id, state, body, kind, id, nonces,"
              " request_hashes, reply_slots, serials)"
              " SELECT now(), now(), 1, 1, i % 2, 0, 1, int4send(i), '{}',"
              " '{}', '{}', '{}' FROM generate_series(1, 4200) i");
    store_sweep(s, &sweep);
    assert_int_equal(sweep.unconfirmed, 100);
    assert_int_equal(sweep.revoked, 0);
    assert_int_equal(sweep.forgotten, 2000);
    assert_int_equal(sweep.more, 1);

    store_sql(s->admin, "DELETE FROM cmp.transaction WHERE state <> 0");
    store_sweep(s, &sweep);
    assert_int_equal(sweep.forgotten, 100);
    assert_int_equal(sweep.more, 0);
}


static void
test_upkeep(void **state)
{
    char             sql[512];
    store_t         *s = *state;
    cmp_pg_sweep_t   sweep;

    store_reset(s);

    /* the slot that is emptied next, and the three others */

    store_sql(s->admin, "TRUNCATE cmp.reply;"
              " INSERT INTO cmp.reply (expires_at, slot, request_hash, reply)"
              " SELECT now(), i, sha256(int4send(i)), 'reply'"
              " FROM generate_series(0, 3) i");
    store_sql(s->admin, "UPDATE cmp.upkeep SET next_at = '-infinity'");

    /* never behind somebody's lock for long */

    snprintf(sql, sizeof(sql), "BEGIN; SELECT * FROM cmp.reply_%s",
             store_query(s->admin, "SELECT (floor(date_part('epoch', now())"
                         " / 600)::int8 + 3) % 4"));
    store_sql(s->admin, sql);
    store_sweep(s, &sweep);
    assert_int_equal(sweep.emptied, 0);
    store_sql(s->admin, "COMMIT");

    /* once a minute */

    store_sweep(s, &sweep);
    assert_int_equal(sweep.emptied, 0);

    store_sql(s->admin, "UPDATE cmp.upkeep SET next_at = '-infinity'");
    store_sweep(s, &sweep);
    assert_int_equal(sweep.emptied, 1);
    assert_int_equal(sweep.created, 0);
    assert_string_equal(store_query(s->admin,
        "SELECT count(*) FROM cmp.reply WHERE slot <> (floor("
        "date_part('epoch', now()) / 600)::int8 + 3) % 4"), "3");
    assert_string_equal(store_query(s->admin,
        "SELECT count(*) FROM cmp.reply"), "3");

    /* partitions are made ahead */

    snprintf(sql, sizeof(sql), "DROP TABLE cmp.certificate_%s",
             store_query(s->admin, "SELECT to_char(now() + interval"
                         " '3 months', 'YYYY\"q\"Q')"));
    store_sql(s->admin, sql);
    snprintf(sql, sizeof(sql), "DROP TABLE cmp.audit_%s",
             store_query(s->admin, "SELECT to_char(now() + interval"
                         " '3 months', 'YYYY\"q\"Q')"));
    store_sql(s->admin, sql);

    store_sql(s->admin, "UPDATE cmp.upkeep SET next_at = '-infinity'");
    store_sweep(s, &sweep);
    assert_int_equal(sweep.created, 2);
    assert_string_equal(store_query(s->admin,
        "SELECT count(*) FROM pg_inherits WHERE inhparent"
        " = 'cmp.certificate'::regclass"), "3");

    /* what is issued now is not in the default partition */

    store_issue(s, "partition", CMP_CERT_VALID);
    store_must_commit(s);
    assert_string_equal(store_query(s->admin,
        "SELECT to_char(now(), '\"certificate_\"YYYY\"q\"Q') = tableoid"
        "::regclass::text OR tableoid::regclass::text ="
        " to_char(now(), '\"cmp.certificate_\"YYYY\"q\"Q')"
        " FROM cmp.certificate ORDER BY serial DESC LIMIT 1"), "t");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_unconfirmed),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_upkeep)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, store_setup, store_teardown);
}
