
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * CRLs: the current one, what the next one lists, and storing it.
 */


#include <cmp_pg_local.h>


#define CMP_PG_MAX_ENTRIES   10000000
#define CMP_PG_MAX_SNAPSHOT  (1024 * 1024)


int
cmp_pg_crl_current_send(PGconn *conn, int32_t ca_id, int64_t known,
    int64_t refresh)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &ca_id);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &known);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &refresh);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CRL_CURRENT);
}


int
cmp_pg_crl_current_result(PGresult *res, cmp_pool_t *pool, cmp_pg_crl_t *crl)
{
    cmp_pg_row_t  row;

    memset(crl, 0, sizeof(cmp_pg_crl_t));

    cmp_pg_row_result(&row, pool, res, 6);

    crl->now = cmp_pg_row_time(&row);
    crl->number = cmp_pg_row_int8(&row);
    crl->this_update = cmp_pg_row_time(&row);
    crl->next_update = cmp_pg_row_time(&row);
    crl->stale = cmp_pg_row_bool(&row);
    crl->der = cmp_pg_row_bytes(&row, 0, INT32_MAX);

    return (row.error || crl->now == 0 || crl->number < 0) ? CMP_ERROR
                                                           : CMP_OK;
}


int
cmp_pg_crl_entries_send(PGconn *conn, int32_t ca_id)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &ca_id);

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

    cmp_pg_row_result(&row, pool, res, 7);

    entries->now = cmp_pg_row_time(&row);
    entries->number = cmp_pg_row_int8(&row);

    cmp_pg_row_next(&row, CMP_PG_SNAPSHOT, &value);
    entries->snapshot = cmp_pg_value_bytes(&row, &value, 1,
                                           CMP_PG_MAX_SNAPSHOT);

    cmp_pg_row_array(&row, CMP_PG_BYTEA_ARRAY, CMP_PG_BYTEA,
                     CMP_PG_MAX_ENTRIES, &serials);
    cmp_pg_row_array(&row, CMP_PG_TIME_ARRAY, CMP_PG_TIME,
                     CMP_PG_MAX_ENTRIES, &revoked);
    cmp_pg_row_array(&row, CMP_PG_TIME_ARRAY, CMP_PG_TIME,
                     CMP_PG_MAX_ENTRIES, &invalidity);
    cmp_pg_row_array(&row, CMP_PG_INT4_ARRAY, CMP_PG_INT4,
                     CMP_PG_MAX_ENTRIES, &reasons);

    if (row.error
        || entries->now == 0
        || entries->number < 1
        || revoked.n != serials.n
        || invalidity.n != serials.n
        || reasons.n != serials.n)
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
cmp_pg_crl_store_send(PGconn *conn, int32_t ca_id,
    const cmp_pg_crl_entries_t *entries, int64_t next_update,
    const cmp_str_t *der)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &ca_id);
    cmp_pg_param(&params, CMP_PG_AS_INT8, &entries->number);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, &entries->snapshot);
    cmp_pg_param(&params, CMP_PG_AS_TIME, &entries->now);
    cmp_pg_param(&params, CMP_PG_AS_TIME, &next_update);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, der);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CRL_STORE);
}
