
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * CRLs of several keys, delta CRLs, partitions, and which of them are due.
 */


#include <store_crl.h>

#include <unistd.h>


/* the numbers of a CA are one sequence, whatever the kind */

static void
test_keys(void **state)
{
    store_t       *s = *state;
    cmp_str_t      serial;
    crl_made_t     made;
    cmp_pg_crl_t   crl;

    crl_reset(s);
    crl_issue(s, "crl keys", &serial);
    crl_change(s, &serial, 1, CMP_CHANGE_REVOKE, 0);
    crl_renew(s, 1);

    crl_kind.key_id = store_str("key b");
    crl_kind.previous = 1;
    crl_current(s, &crl);
    assert_int_equal(crl.number, 0);
    crl_renew(s, 1);
    crl_current(s, &crl);
    assert_int_equal(crl.number, 2);

    crl_kind.key_id = store_str("key a");
    crl_current(s, &crl);
    assert_int_equal(crl.number, 1);
    assert_int_equal(crl.stale, 0);

    /* a new key lists what no CRL has listed after it expired, no more */

    store_sql(s->admin, "UPDATE cmp.revocation SET not_after = now()");
    usleep(5000);
    crl_renew(s, 1);
    crl_kind.key_id = store_str("key c");
    crl_make(s, &made);
    assert_int_equal(made.entries.nentries, 0);
    crl_kind.key_id = store_str("key b");
    crl_make(s, &made);
    assert_int_equal(made.entries.nentries, 1);
}


static void
test_delta(void **state)
{
    store_t       *s = *state;
    cmp_str_t      a, b, c;
    crl_made_t     made;
    cmp_pg_crl_t   crl;

    crl_reset(s);

    /* there has to be a base */

    crl_kind.delta = 1;
    crl_begin(s, &made);
    assert_int_equal(made.begin.since, 0);

    crl_kind.delta = 0;
    crl_issue(s, "delta a", &a);
    crl_issue(s, "delta b", &b);
    crl_issue(s, "delta c", &c);
    crl_change(s, &a, 1, CMP_CHANGE_HOLD, 6);
    crl_renew(s, 1);
    crl_current(s, &crl);

    crl_kind.delta = 1;
    crl_make(s, &made);
    assert_int_equal(made.begin.since, crl.number);
    assert_true(made.begin.number > crl.number);
    assert_int_equal(made.entries.nentries, 0);
    assert_int_equal(crl_store_for(s, &made, CRL_HOUR), CMP_COMMIT_OK);
    assert_int_equal(crl_stale(s), 0);

    /* revoked, released, and on hold in between */

    crl_change(s, &b, 1, CMP_CHANGE_REVOKE, 1);
    crl_change(s, &a, 2, CMP_CHANGE_RELEASE, 8);
    crl_change(s, &c, 1, CMP_CHANGE_HOLD, 6);
    crl_change(s, &c, 2, CMP_CHANGE_RELEASE, 8);
    assert_int_equal(crl_stale(s), 1);

    crl_make(s, &made);
    assert_int_equal(made.entries.nentries, 3);
    assert_str_equal(&made.entries.entries[0].serial, &a);
    assert_int_equal(made.entries.entries[0].reason, 8);
    assert_str_equal(&made.entries.entries[1].serial, &b);
    assert_int_equal(made.entries.entries[1].reason, 1);
    assert_str_equal(&made.entries.entries[2].serial, &c);
    assert_int_equal(made.entries.entries[2].reason, 8);
    assert_int_equal(crl_store_for(s, &made, CRL_HOUR), CMP_COMMIT_OK);
    assert_int_equal(crl_stale(s), 0);

    /* another complete one is no base as long as the first one is valid */

    crl_kind.delta = 0;
    crl_renew(s, 1);

    crl_kind.delta = 1;
    crl_make(s, &made);
    assert_int_equal(made.begin.since, crl.number);
    assert_int_equal(made.entries.nentries, 3);

    store_sql(s->admin, "UPDATE cmp.crl SET next_update = now(),"
              " this_update = now() - interval '1 day' WHERE number"
              " = (SELECT min(number) FROM cmp.crl)");
    crl_make(s, &made);
    assert_true(made.begin.since > crl.number);
    assert_int_equal(made.entries.nentries, 0);

    /* nor is one whose snapshot a dump has brought */

    store_sql(s->admin, "UPDATE cmp.crl SET snapshot = '90000000:90000000:'"
              " WHERE NOT delta");
    crl_begin(s, &made);
    assert_int_equal(made.begin.since, 0);

    /* only the DER of the last one of each kind is kept */

    assert_string_equal(store_query(s->admin, "SELECT count(*) || ' ' ||"
        " count(der) FROM cmp.crl"), "4 2");
}


static void
test_partitions(void **state)
{
    store_t       *s = *state;
    cmp_str_t      a, b;
    crl_made_t     made;
    cmp_pg_crl_t   crl;

    crl_reset(s);

    store_issue(s, "partition a", CMP_CERT_VALID);
    s->cert.partition = 1;
    store_must_commit(s);
    a = s->cert.serial;

    store_issue(s, "partition b", CMP_CERT_VALID);
    s->cert.partition = 2;
    store_must_commit(s);
    b = s->cert.serial;

    crl_kind.partition = 2;
    crl_renew(s, 0);

    /* what happens in another partition is no news */

    crl_change(s, &a, 1, CMP_CHANGE_REVOKE, 1);
    assert_int_equal(crl_stale(s), 0);
    crl_change(s, &b, 1, CMP_CHANGE_HOLD, 6);
    assert_int_equal(crl_stale(s), 1);

    crl_kind.delta = 1;
    crl_make(s, &made);
    assert_int_equal(made.entries.nentries, 1);
    assert_str_equal(&made.entries.entries[0].serial, &b);

    crl_kind.delta = 0;
    crl_make(s, &made);
    assert_int_equal(made.entries.nentries, 1);
    assert_str_equal(&made.entries.entries[0].serial, &b);

    crl_kind.partition = 1;
    crl_make(s, &made);
    assert_int_equal(made.begin.number, 1);
    assert_int_equal(made.entries.nentries, 1);
    assert_str_equal(&made.entries.entries[0].serial, &a);

    crl_kind.partition = 0;
    crl_make(s, &made);
    assert_int_equal(made.begin.number, 1);
    assert_int_equal(made.entries.nentries, 2);

    crl_current(s, &crl);
    assert_int_equal(crl.partitions, 0);
}


/* more than one piece, of either kind */

static void
test_many(void **state)
{
    int          delta, pieces;
    size_t       i, n;
    store_t     *s = *state;
    cmp_str_t    after, *last;
    crl_made_t   made;

    crl_reset(s);
    crl_renew(s, 0);

    store_sql(s->admin, "INSERT INTO cmp.revocation (ca_id, state, reason, by,"
              " change, revoked_at, not_after, serial)"
              " SELECT (SELECT id FROM cmp.ca WHERE name = 'test'), 3, 1, 0,"
              " pg_current_xact_id(), now(), now() + interval '1 day',"
              " substr(sha256(int4send(n)), 1, 20)"
              " FROM generate_series(1, 25000) n");

    for (delta = 0; delta < 2; delta++) {
        crl_kind.delta = delta;
        crl_begin(s, &made);

        last = NULL;
        n = 0;
        pieces = 0;

        do {
            crl_read(s, last, &made);
            pieces++;

            for (i = 0; i < made.entries.nentries; i++) {

                if (last != NULL) {
                    assert_true(memcmp(last->data,
                                       made.entries.entries[i].serial.data, 20)
                                < 0);
                }

                after = made.entries.entries[i].serial;
                last = &after;
            }

            n += made.entries.nentries;

        } while (made.entries.more);

        assert_int_equal(n, 25000);
        assert_int_equal(pieces, 3);
    }

    store_sql(s->admin, "TRUNCATE cmp.revocation");
}


static void
crl_due(store_t *s, const cmp_pg_crl_rules_t *rules, const char *expected)
{
    int                more;
    char               text[512];
    size_t             i, n, len;
    cmp_pg_crl_due_t   due[CMP_PG_CRL_DUE];

    if (cmp_pg_crl_due_send(s->server.conn, rules) != CMP_OK
        || store_sync(&s->server) != 0
        || cmp_pg_crl_due_result(s->server.res, due, &n, &more) != CMP_OK)
    {
        fail_msg("crl_due: %s", s->server.message);
    }

    text[0] = '\0';

    for (i = 0; i < n; i++) {
        len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%d/%d%s ",
                 due[i].previous, due[i].partition, due[i].delta ? "d" : "");
    }

    assert_string_equal(text, expected);
    assert_int_equal(more, n == CMP_PG_CRL_DUE);
}


static void
test_due(void **state)
{
    store_t              *s = *state;
    cmp_str_t             keys[2], serial;
    crl_made_t            made;
    cmp_pg_crl_rules_t    rules;

    crl_reset(s);

    keys[0] = store_str("key a");
    keys[1] = store_str("key b");

    memset(&rules, 0, sizeof(cmp_pg_crl_rules_t));
    rules.ca_id = s->ca_id;
    rules.key_ids = keys;
    rules.nkey_ids = 1;
    rules.whole = 1;
    rules.refresh = CRL_HOUR;

    crl_due(s, &rules, "0/0 ");
    rules.delta = CRL_HOUR;
    crl_due(s, &rules, "0/0 0/0d ");
    rules.delta = 0;
    crl_renew(s, 0);
    crl_due(s, &rules, "");
    rules.nkey_ids = 2;
    crl_due(s, &rules, "1/0 ");
    rules.nkey_ids = 1;

    /* a change, when that is a reason */

    crl_issue(s, "due", &serial);
    crl_change(s, &serial, 1, CMP_CHANGE_REVOKE, 1);
    crl_due(s, &rules, "");
    rules.changes = 1;
    crl_due(s, &rules, "0/0 ");
    crl_renew(s, 1);

    /* time, or an operator */

    rules.refresh = 1;
    usleep(5000);
    crl_due(s, &rules, "0/0 ");
    rules.refresh = CRL_HOUR;
    crl_due(s, &rules, "");

    crl_begin(s, &made);
    assert_string_equal(store_query(s->admin, "SELECT cmp.crl_awaited('test')"),
                        "0");
    store_sql(s->admin, "SELECT cmp.crl_publish('test')");
    assert_string_equal(store_query(s->admin, "SELECT cmp.crl_awaited('test')"),
                        "1");
    crl_due(s, &rules, "0/0 ");

    /* one that was begun before is not what he wants */

    crl_read(s, NULL, &made);
    assert_int_equal(crl_store(s, &made), CMP_COMMIT_OK);
    crl_due(s, &rules, "0/0 ");
    crl_renew(s, 1);
    crl_due(s, &rules, "");
    assert_string_equal(store_query(s->admin, "SELECT cmp.crl_awaited('test')"),
                        "0");

    /* partitions: those that any server uses, or has used */

    store_sql(s->admin, "SELECT cmp.ca_register('test', certificate, 3)"
              " FROM cmp.ca WHERE name = 'test'");
    store_sql(s->admin, "SELECT cmp.ca_register('test', certificate, 2)"
              " FROM cmp.ca WHERE name = 'test'");
    crl_due(s, &rules, "0/1 0/2 0/3 ");
    rules.whole = 0;
    rules.nkey_ids = 2;
    crl_kind.partition = 2;
    crl_renew(s, 0);
    crl_due(s, &rules, "0/1 1/1 1/2 0/3 1/3 ");

    /* not all of them at once */

    store_sql(s->admin, "SELECT cmp.ca_register('test', certificate, 20)"
              " FROM cmp.ca WHERE name = 'test'");
    crl_due(s, &rules, "0/1 1/1 1/2 0/3 1/3 0/4 1/4 0/5 1/5 0/6 1/6 0/7 1/7 "
            "0/8 1/8 0/9 ");
}


/* what no delta CRL can refer to any more goes, the last of a kind stays */

static void
test_upkeep(void **state)
{
    store_t         *s = *state;
    cmp_pg_sweep_t   sweep;

    crl_reset(s);
    crl_renew(s, 0);
    crl_renew(s, 0);
    crl_renew(s, 0);

    store_sql(s->admin, "UPDATE cmp.crl"
              " SET this_update = now() - interval '4 days',"
              " next_update = now() - interval '3 days' WHERE number <> 2");
    store_sql(s->admin, "INSERT INTO cmp.crl_piece SELECT now() - n *"
              " interval '40 minutes', 1, 0, 9, n, 'old'"
              " FROM generate_series(1, 2) n");
    store_sql(s->admin, "UPDATE cmp.upkeep SET next_at = '-infinity'");
    store_sweep(s, &sweep);

    assert_string_equal(store_query(s->admin, "SELECT string_agg(number::text,"
        " ' ' ORDER BY number) FROM cmp.crl"), "2 3");
    assert_string_equal(store_query(s->admin,
        "SELECT string_agg(piece::text, ' ') FROM cmp.crl_piece"), "1");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_delta),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_upkeep)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, store_setup, store_teardown);
}
