
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * CRLs: the current one, what the next one lists, storing it, and which of
 * them are due.
 */


#include <cmp_pg_local.h>


#define CMP_PG_MAX_SNAPSHOT  (1024 * 1024)


static void cmp_pg_crl_kind(cmp_pg_params_t *params,
    const cmp_pg_crl_kind_t *kind);


static void
cmp_pg_crl_kind(cmp_pg_params_t *params, const cmp_pg_crl_kind_t *kind)
{
    cmp_pg_param(params, CMP_PG_AS_INT4, &kind->ca_id);
    cmp_pg_param(params, CMP_PG_AS_INT4, &kind->partition);
    cmp_pg_param(params, CMP_PG_AS_BYTES, &kind->key_id);
    cmp_pg_param(params, CMP_PG_AS_BOOL, &kind->delta);
}


int
cmp_pg_crl_current_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    int64_t known, int64_t refresh, int changes)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_crl_kind(&params, kind);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &known);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &refresh);
    cmp_pg_param(&params, CMP_PG_AS_BOOL, &changes);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CRL_CURRENT);
}


int
cmp_pg_crl_current_result(PGresult *res, cmp_pool_t *pool, cmp_pg_crl_t *crl)
{
    cmp_pg_row_t  row;

    memset(crl, 0, sizeof(cmp_pg_crl_t));

    cmp_pg_row_result(&row, pool, res, 8);

    crl->now = cmp_pg_row_time(&row);
    crl->number = cmp_pg_row_int8(&row);
    crl->this_update = cmp_pg_row_time(&row);
    crl->next_update = cmp_pg_row_time(&row);
    crl->stale = cmp_pg_row_bool(&row);
    crl->octets = cmp_pg_row_int4(&row, 0, INT32_MAX);
    crl->der = cmp_pg_row_bytes(&row, 0, CMP_PG_CRL_PIECE);
    crl->partitions = cmp_pg_row_int4(&row, 0, INT32_MAX);

    return (row.error || crl->now == 0 || crl->number < 0
            || (size_t) crl->octets < crl->der.len)
           ? CMP_ERROR : CMP_OK;
}


int
cmp_pg_crl_read_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    int64_t number, int32_t offset)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &kind->ca_id);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &kind->partition);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &number);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &offset);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CRL_READ);
}


int
cmp_pg_crl_read_result(PGresult *res, cmp_str_t *der)
{
    cmp_pg_row_t  row;

    cmp_pg_row_result(&row, NULL, res, 1);

    *der = cmp_pg_row_bytes(&row, 0, CMP_PG_CRL_PIECE);

    return row.error ? CMP_ERROR : CMP_OK;
}


int
cmp_pg_crl_begin_send(PGconn *conn, const cmp_pg_crl_kind_t *kind)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_crl_kind(&params, kind);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CRL_BEGIN);
}


int
cmp_pg_crl_begin_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_crl_begin_t *begin)
{
    cmp_pg_row_t    row;
    cmp_pg_value_t  value;

    memset(begin, 0, sizeof(cmp_pg_crl_begin_t));

    cmp_pg_row_result(&row, pool, res, 5);

    begin->now = cmp_pg_row_time(&row);
    begin->number = cmp_pg_row_int8(&row);
    begin->replaces = cmp_pg_row_int8(&row);
    begin->since = cmp_pg_row_int8(&row);

    cmp_pg_row_next(&row, CMP_PG_SNAPSHOT, &value);
    begin->snapshot = cmp_pg_value_bytes(&row, &value, 1, CMP_PG_MAX_SNAPSHOT);

    return (row.error || begin->now == 0 || begin->number < 1
            || begin->replaces < 0 || begin->since < 0)
           ? CMP_ERROR : CMP_OK;
}


int
cmp_pg_crl_entries_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    const cmp_pg_crl_begin_t *begin, const cmp_str_t *after)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &kind->ca_id);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &kind->partition);
    cmp_pg_param(&params, CMP_PG_AS_BOOL, &kind->delta);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &begin->since);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, after);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CRL_ENTRIES);
}


int
cmp_pg_crl_entries_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_crl_entries_t *entries)
{
    size_t            i;
    cmp_pg_row_t      row;
    cmp_pg_array_t    serials, revoked, invalidity, reasons;
    cmp_pg_value_t    value;
    cmp_crl_entry_t  *entry;

    memset(entries, 0, sizeof(cmp_pg_crl_entries_t));

    cmp_pg_row_result(&row, pool, res, 5);

    cmp_pg_row_array(&row, CMP_PG_BYTEA_ARRAY, CMP_PG_BYTEA,
                     CMP_PG_CRL_ENTRIES, &serials);
    cmp_pg_row_array(&row, CMP_PG_TIME_ARRAY, CMP_PG_TIME,
                     CMP_PG_CRL_ENTRIES, &revoked);
    cmp_pg_row_array(&row, CMP_PG_TIME_ARRAY, CMP_PG_TIME,
                     CMP_PG_CRL_ENTRIES, &invalidity);
    cmp_pg_row_array(&row, CMP_PG_INT4_ARRAY, CMP_PG_INT4,
                     CMP_PG_CRL_ENTRIES, &reasons);

    entries->more = cmp_pg_row_bool(&row);

    if (row.error
        || revoked.n != serials.n
        || invalidity.n != serials.n
        || reasons.n != serials.n
        || (entries->more && serials.n == 0))
    {
        return CMP_ERROR;
    }

    if (serials.n == 0) {
        return CMP_OK;
    }

    entry = cmp_pcalloc(pool, serials.n * sizeof(cmp_crl_entry_t));

    if (entry == NULL) {
        return CMP_ERROR;
    }

    entries->entries = entry;
    entries->nentries = serials.n;

    for (i = 0; i < serials.n; i++) {
        cmp_pg_array_next(&serials, &value);
        entry[i].serial = cmp_pg_value_bytes(&row, &value, 1, CMP_SERIAL_LEN);

        cmp_pg_array_next(&revoked, &value);
        entry[i].revoked_at = cmp_pg_value_time(&row, &value);

        cmp_pg_array_next(&invalidity, &value);
        entry[i].invalidity = cmp_pg_value_time(&row, &value);

        cmp_pg_array_next(&reasons, &value);
        entry[i].reason = cmp_pg_value_int4(&row, &value);

        if (entry[i].reason < 0 || entry[i].reason > 10) {
            row.error = 1;
        }
    }

    return row.error ? CMP_ERROR : CMP_OK;
}


int
cmp_pg_crl_put_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    int64_t number, int32_t piece, const cmp_str_t *der)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &kind->ca_id);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &kind->partition);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &number);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &piece);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, der);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CRL_PUT);
}


int
cmp_pg_crl_store_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    const cmp_pg_crl_begin_t *begin, int64_t next_update, int32_t nentries,
    int keep, int32_t pieces, const cmp_str_t *der)
{
    int64_t          base;
    cmp_pg_params_t  params;

    base = kind->delta ? begin->since : 0;

    cmp_pg_params_init(&params);
    cmp_pg_crl_kind(&params, kind);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &kind->previous);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &begin->number);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &begin->replaces);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &base);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, &begin->snapshot);
    cmp_pg_param(&params, CMP_PG_AS_TIME, &begin->now);
    cmp_pg_param(&params, CMP_PG_AS_TIME, &next_update);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &nentries);
    cmp_pg_param(&params, CMP_PG_AS_BOOL, &keep);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &pieces);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, der);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CRL_STORE);
}


int
cmp_pg_crl_due_send(PGconn *conn, const cmp_pg_crl_rules_t *rules)
{
    cmp_pg_params_t  params;

    static const cmp_pg_member_t  strings[] = {
        { CMP_PG_AS_BYTES, 0 }
    };

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &rules->ca_id);
    cmp_pg_param_arrays(&params, strings, 1, rules->key_ids, rules->nkey_ids,
                        sizeof(cmp_str_t));
    cmp_pg_param(&params, CMP_PG_AS_BOOL, &rules->whole);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &rules->refresh);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &rules->delta);
    cmp_pg_param(&params, CMP_PG_AS_BOOL, &rules->changes);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CRL_DUE);
}


int
cmp_pg_crl_due_result(PGresult *res, cmp_pg_crl_due_t *due, size_t *n,
    int *more)
{
    size_t          i;
    cmp_pg_row_t    row;
    cmp_pg_array_t  previous, partitions, deltas;
    cmp_pg_value_t  value;

    *n = 0;

    cmp_pg_row_result(&row, NULL, res, 4);

    cmp_pg_row_array(&row, CMP_PG_INT4_ARRAY, CMP_PG_INT4, CMP_PG_CRL_DUE,
                     &previous);
    cmp_pg_row_array(&row, CMP_PG_INT4_ARRAY, CMP_PG_INT4, CMP_PG_CRL_DUE,
                     &partitions);
    cmp_pg_row_array(&row, CMP_PG_INT4_ARRAY, CMP_PG_INT4, CMP_PG_CRL_DUE,
                     &deltas);

    *more = (int) cmp_pg_row_bool(&row);

    if (row.error
        || partitions.n != previous.n
        || deltas.n != previous.n)
    {
        return CMP_ERROR;
    }

    for (i = 0; i < previous.n; i++) {
        cmp_pg_array_next(&previous, &value);
        due[i].previous = cmp_pg_value_int4(&row, &value);

        cmp_pg_array_next(&partitions, &value);
        due[i].partition = cmp_pg_value_int4(&row, &value);

        cmp_pg_array_next(&deltas, &value);
        due[i].delta = cmp_pg_value_int4(&row, &value);
    }

    if (row.error) {
        return CMP_ERROR;
    }

    *n = previous.n;

    return CMP_OK;
}
