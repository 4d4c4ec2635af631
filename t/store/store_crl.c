
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <store_crl.h>


cmp_pg_crl_kind_t  crl_kind;


void
crl_reset(store_t *s)
{
    store_reset(s);
    store_sql(s->admin, "TRUNCATE cmp.revocation, cmp.crl, cmp.crl_number,"
              " cmp.crl_piece");
    store_sql(s->admin, "UPDATE cmp.ca SET crl_wanted_at = '-infinity',"
              " partitions = 0");

    memset(&crl_kind, 0, sizeof(cmp_pg_crl_kind_t));

    crl_kind.ca_id = s->ca_id;
    crl_kind.key_id = store_str("key a");
}


void
crl_current_by(store_t *s, int64_t known, int64_t refresh, int changes,
    cmp_pg_crl_t *crl)
{
    if (cmp_pg_crl_current_send(s->server.conn, &crl_kind, known, refresh,
                                changes)
        != CMP_OK
        || store_sync(&s->server) != 0
        || cmp_pg_crl_current_result(s->server.res, s->pool, crl) != CMP_OK)
    {
        fail_msg("crl_current: %s", s->server.message);
    }
}


void
crl_current(store_t *s, cmp_pg_crl_t *crl)
{
    crl_current_by(s, 0, CRL_HOUR, 1, crl);
}


void
crl_begin(store_t *s, crl_made_t *made)
{
    if (cmp_pg_crl_begin_send(s->server.conn, &crl_kind) != CMP_OK
        || store_sync(&s->server) != 0
        || cmp_pg_crl_begin_result(s->server.res, s->pool, &made->begin)
           != CMP_OK)
    {
        fail_msg("crl_begin: %s", s->server.message);
    }
}


void
crl_read(store_t *s, const cmp_str_t *after, crl_made_t *made)
{
    cmp_str_t  none;

    none.data = NULL;
    none.len = 0;

    if (cmp_pg_crl_entries_send(s->server.conn, &crl_kind, &made->begin,
                                after != NULL ? after : &none)
        != CMP_OK
        || store_sync(&s->server) != 0
        || cmp_pg_crl_entries_result(s->server.res, s->pool, &made->entries)
           != CMP_OK)
    {
        fail_msg("crl_entries: %s", s->server.message);
    }
}


void
crl_make(store_t *s, crl_made_t *made)
{
    crl_begin(s, made);
    crl_read(s, NULL, made);
    assert_int_equal(made->entries.more, 0);
}


cmp_commit_e
crl_store_der(store_t *s, const crl_made_t *made, int64_t lifetime, int pieces,
    const cmp_str_t *der)
{
    assert_int_equal(cmp_pg_crl_store_send(s->server.conn, &crl_kind,
                                           &made->begin,
                                           made->begin.now + lifetime,
                                           made->entries.nentries, 1, pieces,
                                           der),
                     CMP_OK);
    (void) store_sync(&s->server);

    return cmp_pg_commit_outcome(s->server.sqlstate);
}


cmp_commit_e
crl_store_for(store_t *s, const crl_made_t *made, int64_t lifetime)
{
    cmp_str_t  der;

    der = store_bytes(s->pool, 5000, "crl %lld",
                      (long long) made->begin.number);

    return crl_store_der(s, made, lifetime, 0, &der);
}


cmp_commit_e
crl_store(store_t *s, const crl_made_t *made)
{
    return crl_store_for(s, made, CRL_DAY);
}


int
crl_stale(store_t *s)
{
    cmp_pg_crl_t  crl;

    crl_current(s, &crl);

    return crl.stale;
}


void
crl_renew(store_t *s, size_t nentries)
{
    crl_made_t  made;

    crl_make(s, &made);
    assert_int_equal(made.entries.nentries, nentries);
    assert_int_equal(crl_store(s, &made), CMP_COMMIT_OK);

    if (crl_stale(s) != 0) {
        fail_msg("stale at once: %s", store_query(s->admin,
            "SELECT clock_timestamp() || ' ' || pg_current_snapshot() || ' '"
            " || (SELECT string_agg(format('%s %s %s', c.number,"
            " c.this_update, c.snapshot), ', ') FROM cmp.crl c) || ' '"
            " || (SELECT string_agg(format('%s %s', r.change, r.xmin), ', ')"
            " FROM cmp.revocation r)"));
    }
}


void
crl_issue(store_t *s, const char *name, cmp_str_t *serial)
{
    store_issue(s, name, CMP_CERT_VALID);
    store_must_commit(s);
    *serial = s->cert.serial;
}


void
crl_change(store_t *s, const cmp_str_t *serial, int version, int action,
    int reason)
{
    store_change(s, serial, version, action, reason, CMP_BY_RA);
    store_must_commit(s);
}
