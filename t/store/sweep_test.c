
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


static void
crl_current(store_t *s, int64_t known, int64_t refresh, cmp_pg_crl_t *crl)
{
    if (cmp_pg_crl_current_send(s->server.conn, s->ca_id, known, refresh)
        != CMP_OK
        || store_sync(&s->server) != 0
        || cmp_pg_crl_current_result(s->server.res, s->pool, crl) != CMP_OK)
    {
        fail_msg("crl_current: %s", s->server.message);
    }
}


static void
crl_entries(store_t *s, cmp_pg_crl_entries_t *entries)
{
    if (cmp_pg_crl_entries_send(s->server.conn, s->ca_id) != CMP_OK
        || store_sync(&s->server) != 0
        || cmp_pg_crl_entries_result(s->server.res, s->pool, entries)
           != CMP_OK)
    {
        fail_msg("crl_entries: %s", s->server.message);
    }
}


static cmp_commit_e
crl_store(store_t *s, const cmp_pg_crl_entries_t *entries)
{
    cmp_str_t  der;

    der = store_bytes(s->pool, 5000, "crl %lld", (long long) entries->number);

    assert_int_equal(cmp_pg_crl_store_send(s->server.conn, s->ca_id, entries,
                                           entries->now + 86400000, &der),
                     CMP_OK);
    (void) store_sync(&s->server);

    return cmp_pg_commit_outcome(s->server.sqlstate);
}


static int
crl_stale(store_t *s)
{
    cmp_pg_crl_t  crl;

    crl_current(s, 0, 3600000, &crl);

    return crl.stale;
}


static void
crl_renew(store_t *s, size_t nentries)
{
    cmp_pg_crl_entries_t  entries;

    crl_entries(s, &entries);
    assert_int_equal(entries.nentries, nentries);
    assert_int_equal(crl_store(s, &entries), CMP_COMMIT_OK);

    if (crl_stale(s) != 0) {
        fail_msg("stale at once: %s", store_query(s->admin,
            "SELECT clock_timestamp() || ' ' || pg_current_snapshot() || ' '"
            " || (SELECT string_agg(format('%s %s %s', c.number,"
            " c.this_update, c.snapshot), ', ') FROM cmp.crl c) || ' '"
            " || (SELECT string_agg(format('%s %s', r.change, r.xmin), ', ')"
            " FROM cmp.revocation r)"));
    }
}


static void
issue(store_t *s, const char *name, cmp_str_t *serial)
{
    store_issue(s, name, CMP_CERT_VALID);
    store_must_commit(s);
    *serial = s->cert.serial;
}


static void
test_crl(void **state)
{
    store_t               *s = *state;
    cmp_str_t              first, second;
    cmp_pg_crl_t           crl;
    cmp_pg_crl_entries_t   entries, other;

    store_reset(s);
    store_sql(s->admin, "TRUNCATE cmp.revocation, cmp.crl");

    crl_current(s, 0, 3600000, &crl);
    assert_int_equal(crl.number, 0);
    assert_int_equal(crl.stale, 1);
    assert_int_equal(crl.der.len, 0);

    crl_entries(s, &entries);
    assert_int_equal(entries.number, 1);
    assert_int_equal(entries.nentries, 0);
    crl_entries(s, &other);

    assert_int_equal(crl_store(s, &entries), CMP_COMMIT_OK);
    assert_int_equal(crl_store(s, &other), CMP_COMMIT_RACE);

    crl_current(s, 0, 3600000, &crl);
    assert_int_equal(crl.number, 1);
    assert_int_equal(crl.stale, 0);
    assert_int_equal(crl.der.len, 5000);
    assert_int_equal(crl.this_update, entries.now);
    assert_int_equal(crl.next_update, entries.now + 86400000);

    /* known already; old enough to be made anew */

    crl_current(s, 1, 3600000, &crl);
    assert_int_equal(crl.der.len, 0);
    assert_int_equal(crl.number, 1);
    crl_current(s, 1, 0, &crl);
    assert_int_equal(crl.stale, 1);

    /* issuing is no news, revoking is */

    issue(s, "crl 1", &first);
    issue(s, "crl 2", &second);
    assert_int_equal(crl_stale(s), 0);

    store_change(s, &second, 1, CMP_CHANGE_REVOKE, 1, CMP_BY_RA);
    s->change.invalidity = 1700000000000;
    store_must_commit(s);
    assert_int_equal(crl_stale(s), 1);

    store_change(s, &first, 1, CMP_CHANGE_HOLD, 6, CMP_BY_RA);
    store_must_commit(s);

    crl_entries(s, &entries);
    assert_int_equal(entries.number, 2);
    assert_int_equal(entries.nentries, 2);
    assert_str_equal(&entries.entries[0].serial, &first);
    assert_int_equal(entries.entries[0].reason, 6);
    assert_int_equal(entries.entries[0].invalidity, 0);
    assert_str_equal(&entries.entries[1].serial, &second);
    assert_int_equal(entries.entries[1].reason, 1);
    assert_int_equal(entries.entries[1].invalidity, 1700000000000);
    assert_true(entries.entries[1].revoked_at > store_now() - 60000);

    /* the numbers are those of what was read */

    other.number = 3;
    assert_int_equal(crl_store(s, &other), CMP_COMMIT_RACE);
    assert_int_equal(crl_store(s, &entries), CMP_COMMIT_OK);
    assert_int_equal(crl_stale(s), 0);

    /* a release is news too */

    store_change(s, &first, 2, CMP_CHANGE_RELEASE, 8, CMP_BY_RA);
    store_must_commit(s);
    assert_int_equal(crl_stale(s), 1);
    crl_renew(s, 1);

    /* another CA has nothing to do with it */

    crl_entries(s, &entries);
    s->ca_id++;
    crl_current(s, 0, 3600000, &crl);
    assert_int_equal(crl.number, 0);
    crl_entries(s, &entries);
    assert_int_equal(entries.nentries, 0);
    s->ca_id--;

    /* an expired certificate is in one more CRL, then no more */

    store_sql(s->admin, "UPDATE cmp.revocation SET not_after = now()");
    usleep(5000);
    crl_renew(s, 1);
    crl_renew(s, 0);
}


/*
 * Revocations that are under way while a CRL is made: begun before or after
 * it, committed after it, and not in the order in which they began.
 */

static void
test_crl_concurrency(void **state)
{
    char                   sql[256];
    store_t               *s = *state;
    PGconn                *other;
    cmp_str_t              a, b;
    cmp_pg_crl_entries_t   entries;

    store_reset(s);
    store_sql(s->admin, "TRUNCATE cmp.revocation, cmp.crl");
    crl_renew(s, 0);

    other = PQconnectdb(getenv("TEST_CMP_ADMIN"));
    assert_int_equal(PQstatus(other), CONNECTION_OK);

    issue(s, "concurrent a", &a);
    issue(s, "concurrent b", &b);

    store_sql(other, "BEGIN");
    snprintf(sql, sizeof(sql), "SELECT cmp.certificate_change('test', serial,"
             " 'revoke') FROM cmp.certificate_list(p_ca => 'test',"
             " p_limit => 1)");
    store_sql(other, sql);
    assert_int_equal(crl_stale(s), 0);

    /* the second one begins later and is done earlier */

    store_change(s, &a, 1, CMP_CHANGE_REVOKE, 0, CMP_BY_RA);
    store_must_commit(s);
    assert_int_equal(crl_stale(s), 1);
    crl_renew(s, 1);

    store_sql(other, "COMMIT");
    assert_int_equal(crl_stale(s), 1);
    crl_renew(s, 2);

    /* committed between reading and storing */

    issue(s, "concurrent c", &a);
    crl_entries(s, &entries);
    store_change(s, &a, 1, CMP_CHANGE_REVOKE, 0, CMP_BY_RA);
    store_must_commit(s);
    assert_int_equal(crl_store(s, &entries), CMP_COMMIT_OK);
    assert_int_equal(crl_stale(s), 1);
    crl_renew(s, 3);

    /* a transaction that is rolled back is no news */

    issue(s, "concurrent d", &a);
    store_sql(other, "BEGIN");
    store_sql(other, sql);
    crl_renew(s, 3);
    store_sql(other, "ROLLBACK");
    assert_int_equal(crl_stale(s), 0);

    /* brought by a dump from a cluster that was further on */

    store_sql(s->admin, "UPDATE cmp.crl SET snapshot = '90000000:90000000:'"
              " WHERE number = (SELECT max(number) FROM cmp.crl)");
    assert_int_equal(crl_stale(s), 1);
    store_sql(s->admin, "UPDATE cmp.revocation SET change = '80000000'");
    crl_renew(s, 3);

    PQfinish(other);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_unconfirmed),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_upkeep),
        cmocka_unit_test(test_crl),
        cmocka_unit_test(test_crl_concurrency)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, store_setup, store_teardown);
}
