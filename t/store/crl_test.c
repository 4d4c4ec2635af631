
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * CRLs: what they list, when they are stale, and who stores them.
 */


#include <store_crl.h>

#include <unistd.h>


static void
test_crl(void **state)
{
    store_t       *s = *state;
    cmp_str_t      first, second;
    crl_made_t     made, other;
    cmp_pg_crl_t   crl;

    crl_reset(s);

    crl_current(s, &crl);
    assert_int_equal(crl.number, 0);
    assert_int_equal(crl.stale, 1);
    assert_int_equal(crl.der.len, 0);
    assert_int_equal(crl.partitions, 0);

    crl_make(s, &made);
    assert_int_equal(made.begin.number, 1);
    assert_int_equal(made.begin.replaces, 0);
    assert_int_equal(made.entries.nentries, 0);
    crl_make(s, &other);
    assert_int_equal(other.begin.number, 2);
    assert_int_equal(other.begin.replaces, 0);

    assert_int_equal(crl_store(s, &made), CMP_COMMIT_OK);
    assert_int_equal(crl_store(s, &other), CMP_COMMIT_RACE);

    crl_current(s, &crl);
    assert_int_equal(crl.number, 1);
    assert_int_equal(crl.stale, 0);
    assert_int_equal(crl.der.len, 5000);
    assert_int_equal(crl.this_update, made.begin.now);
    assert_int_equal(crl.next_update, made.begin.now + CRL_DAY);

    /* known already; old enough to be made anew */

    crl_current_by(s, 1, CRL_HOUR, 1, &crl);
    assert_int_equal(crl.der.len, 0);
    assert_int_equal(crl.number, 1);
    crl_current_by(s, 1, 0, 1, &crl);
    assert_int_equal(crl.stale, 1);

    /* issuing is no news, revoking is */

    crl_issue(s, "crl 1", &first);
    crl_issue(s, "crl 2", &second);
    assert_int_equal(crl_stale(s), 0);

    store_change(s, &second, 1, CMP_CHANGE_REVOKE, 1, CMP_BY_RA);
    s->change.invalidity = 1700000000000;
    store_must_commit(s);
    assert_int_equal(crl_stale(s), 1);
    crl_current_by(s, 1, CRL_HOUR, 0, &crl);
    assert_int_equal(crl.stale, 0);

    crl_change(s, &first, 1, CMP_CHANGE_HOLD, 6);

    crl_make(s, &made);
    assert_int_equal(made.begin.number, 3);
    assert_int_equal(made.begin.replaces, 1);
    assert_int_equal(made.entries.nentries, 2);
    assert_str_equal(&made.entries.entries[0].serial, &first);
    assert_int_equal(made.entries.entries[0].reason, 6);
    assert_int_equal(made.entries.entries[0].invalidity, 0);
    assert_str_equal(&made.entries.entries[1].serial, &second);
    assert_int_equal(made.entries.entries[1].reason, 1);
    assert_int_equal(made.entries.entries[1].invalidity, 1700000000000);
    assert_true(made.entries.entries[1].revoked_at > store_now() - 60000);

    assert_int_equal(crl_store(s, &made), CMP_COMMIT_OK);
    assert_int_equal(crl_stale(s), 0);

    /* one that began earlier comes too late, also under another number */

    assert_int_equal(crl_store(s, &other), CMP_COMMIT_RACE);
    other.begin.number = 4;
    assert_int_equal(crl_store(s, &other), CMP_COMMIT_RACE);

    /* a release is news too */

    crl_change(s, &first, 2, CMP_CHANGE_RELEASE, 8);
    assert_int_equal(crl_stale(s), 1);
    crl_renew(s, 1);

    /* another CA has nothing to do with it */

    crl_kind.ca_id++;
    crl_current(s, &crl);
    assert_int_equal(crl.number, 0);
    crl_make(s, &made);
    assert_int_equal(made.begin.number, 1);
    assert_int_equal(made.entries.nentries, 0);
    crl_kind.ca_id--;

    /* an expired certificate is in one more CRL, then no more */

    store_sql(s->admin, "UPDATE cmp.revocation SET not_after = now()");
    usleep(5000);
    crl_renew(s, 1);
    crl_renew(s, 0);

    /* unless it was revoked after the CRL that it should have been in */

    crl_issue(s, "crl 3", &first);
    crl_change(s, &first, 1, CMP_CHANGE_REVOKE, 1);
    store_sql(s->admin, "UPDATE cmp.revocation"
              " SET not_after = now() - interval '1 hour'");
    crl_renew(s, 1);
    crl_renew(s, 0);
}


/* of three pieces */

static void
test_pieces(void **state)
{
    int            i;
    size_t         at;
    store_t       *s = *state;
    cmp_str_t      der, piece;
    crl_made_t     made;
    cmp_pg_crl_t   crl;

    crl_reset(s);
    crl_make(s, &made);

    der = store_bytes(s->pool, 2 * CMP_PG_CRL_PIECE + 17, "pieces");
    piece.data = der.data;
    piece.len = CMP_PG_CRL_PIECE;

    for (i = 0; i < 2; i++) {
        piece.data = der.data + i * CMP_PG_CRL_PIECE;
        assert_int_equal(cmp_pg_crl_put_send(s->server.conn, &crl_kind,
                                             made.begin.number, i, &piece),
                         CMP_OK);
        assert_int_equal(store_sync(&s->server), 0);
    }

    piece.data = der.data + 2 * CMP_PG_CRL_PIECE;
    piece.len = 17;

    assert_int_equal(crl_store_der(s, &made, CRL_DAY, 3, &piece),
                     CMP_COMMIT_RACE);
    assert_int_equal(crl_store_der(s, &made, CRL_DAY, 2, &piece),
                     CMP_COMMIT_OK);
    assert_string_equal(store_query(s->admin,
        "SELECT count(*) FROM cmp.crl_piece"), "0");

    crl_current(s, &crl);
    assert_int_equal(crl.octets, der.len);
    assert_int_equal(crl.der.len, CMP_PG_CRL_PIECE);
    assert_memory_equal(crl.der.data, der.data, CMP_PG_CRL_PIECE);

    for (at = CMP_PG_CRL_PIECE; at < der.len; at += piece.len) {
        assert_int_equal(cmp_pg_crl_read_send(s->server.conn, &crl_kind,
                                              crl.number, at), CMP_OK);
        assert_int_equal(store_sync(&s->server), 0);
        assert_int_equal(cmp_pg_crl_read_result(s->server.res, &piece),
                         CMP_OK);
        assert_true(piece.len != 0);
        assert_memory_equal(piece.data, der.data + at, piece.len);
    }

    assert_int_equal(at, der.len);

    /* it was replaced in the meantime */

    crl_make(s, &made);
    assert_int_equal(crl_store_for(s, &made, CRL_DAY), CMP_COMMIT_OK);
    assert_int_equal(cmp_pg_crl_read_send(s->server.conn, &crl_kind, crl.number,
                                          CMP_PG_CRL_PIECE), CMP_OK);
    assert_int_equal(store_sync(&s->server), 0);
    assert_int_equal(cmp_pg_crl_read_result(s->server.res, &piece), CMP_OK);
    assert_int_equal(piece.len, 0);
}


/*
 * Revocations that are under way while a CRL is made: begun before or after
 * it, committed after it, and not in the order in which they began.
 */

static void
test_concurrency(void **state)
{
    char         sql[256];
    store_t     *s = *state;
    PGconn      *other;
    cmp_str_t    a, b;
    crl_made_t   made;

    crl_reset(s);
    crl_renew(s, 0);

    other = PQconnectdb(getenv("TEST_CMP_ADMIN"));
    assert_int_equal(PQstatus(other), CONNECTION_OK);

    crl_issue(s, "concurrent a", &a);
    crl_issue(s, "concurrent b", &b);

    store_sql(other, "BEGIN");
    snprintf(sql, sizeof(sql), "SELECT cmp.certificate_change('test', serial,"
             " 'revoke') FROM cmp.certificate_list(p_ca => 'test',"
             " p_limit => 1)");
    store_sql(other, sql);
    assert_int_equal(crl_stale(s), 0);

    /* the second one begins later and is done earlier */

    crl_change(s, &a, 1, CMP_CHANGE_REVOKE, 0);
    assert_int_equal(crl_stale(s), 1);
    crl_renew(s, 1);

    store_sql(other, "COMMIT");
    assert_int_equal(crl_stale(s), 1);
    crl_renew(s, 2);

    /* committed between beginning and storing */

    crl_issue(s, "concurrent c", &a);
    crl_begin(s, &made);
    crl_change(s, &a, 1, CMP_CHANGE_REVOKE, 0);
    crl_read(s, NULL, &made);
    assert_int_equal(made.entries.nentries, 3);
    assert_int_equal(crl_store(s, &made), CMP_COMMIT_OK);
    assert_int_equal(crl_stale(s), 1);
    crl_renew(s, 3);

    /* a transaction that is rolled back is no news */

    crl_issue(s, "concurrent d", &a);
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
        cmocka_unit_test(test_crl),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_concurrency)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, store_setup, store_teardown);
}
