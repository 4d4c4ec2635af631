
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The state of certificates for OCSP, what has changed of late, and delegated
 * responders.
 */


#include <cmp_pg_local.h>


#define CMP_PG_MAX_CHANGES   10000
#define CMP_PG_MAX_SNAPSHOT  (1024 * 1024)


#define cmp_pg_responder(as, member)                                          \
    { as, offsetof(cmp_write_cert_t, member) }


static const cmp_pg_member_t  cmp_pg_ocsp_strings[] = {
    { CMP_PG_AS_BYTES, 0 }
};

static const cmp_pg_member_t  cmp_pg_ocsp_responder_cert[] = {
    cmp_pg_responder(CMP_PG_AS_BYTES, serial),
    cmp_pg_responder(CMP_PG_AS_BYTES, der),
    cmp_pg_responder(CMP_PG_AS_BYTES, subject_hash),
    cmp_pg_responder(CMP_PG_AS_TEXT, subject_text),
    cmp_pg_responder(CMP_PG_AS_BYTES, key_hash),
    cmp_pg_responder(CMP_PG_AS_TEXT, profile),
    cmp_pg_responder(CMP_PG_AS_TIME, not_before),
    cmp_pg_responder(CMP_PG_AS_TIME, not_after)
};


int
cmp_pg_ocsp_status_send(PGconn *conn, int32_t ca_id, const cmp_str_t *serials,
    size_t n, int der)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &ca_id);
    cmp_pg_param_arrays(&params, cmp_pg_ocsp_strings, 1, serials, n,
                        sizeof(cmp_str_t));
    cmp_pg_param(&params, CMP_PG_AS_BOOL, &der);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_OCSP_STATUS);
}


int
cmp_pg_ocsp_status_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_ocsp_status_t *status, size_t n)
{
    size_t          i;
    cmp_pg_row_t    row;
    cmp_pg_array_t  states, reasons, revoked, ders;
    cmp_pg_value_t  value;

    cmp_pg_row_result(&row, pool, res, 4);

    cmp_pg_row_array(&row, CMP_PG_INT4_ARRAY, CMP_PG_INT4, n, &states);
    cmp_pg_row_array(&row, CMP_PG_INT4_ARRAY, CMP_PG_INT4, n, &reasons);
    cmp_pg_row_array(&row, CMP_PG_TIME_ARRAY, CMP_PG_TIME, n, &revoked);
    cmp_pg_row_array(&row, CMP_PG_BYTEA_ARRAY, CMP_PG_BYTEA, n, &ders);

    if (row.error
        || states.n != n
        || reasons.n != n
        || revoked.n != n
        || ders.n != n)
    {
        return CMP_ERROR;
    }

    for (i = 0; i < n; i++) {
        cmp_pg_array_next(&states, &value);
        status[i].state = cmp_pg_value_int4(&row, &value);

        cmp_pg_array_next(&reasons, &value);
        status[i].reason = cmp_pg_value_int4(&row, &value);

        cmp_pg_array_next(&revoked, &value);
        status[i].revoked_at = cmp_pg_value_time(&row, &value);

        cmp_pg_array_next(&ders, &value);
        status[i].der = cmp_pg_value_bytes(&row, &value, 0, INT32_MAX);

        if (status[i].state < -1
            || status[i].state > CMP_CERT_REVOKED
            || status[i].reason < 0
            || status[i].reason > 10)
        {
            row.error = 1;
        }
    }

    return row.error ? CMP_ERROR : CMP_OK;
}


int
cmp_pg_ocsp_responder_send(PGconn *conn, int32_t ca_id,
    const cmp_str_t *key_id, int32_t known)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &ca_id);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, key_id);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &known);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_OCSP_RESPONDER);
}


int
cmp_pg_ocsp_responder_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_ocsp_responder_t *responder)
{
    cmp_pg_row_t  row;

    cmp_pg_row_result(&row, pool, res, 4);

    responder->number = cmp_pg_row_int4(&row, 0, INT32_MAX);
    responder->state = cmp_pg_row_int4(&row, -1, CMP_CERT_REVOKED);
    responder->der = cmp_pg_row_bytes(&row, 0, INT32_MAX);
    responder->secret = cmp_pg_row_bytes(&row, 0, CMP_SEAL_MAX
                                                  + CMP_SEAL_OVERHEAD);

    return row.error ? CMP_ERROR : CMP_OK;
}


int
cmp_pg_ocsp_responder_store_send(PGconn *conn, int32_t ca_id,
    const cmp_str_t *key_id, int32_t number, const cmp_str_t *secret,
    const cmp_write_cert_t *cert)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &ca_id);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, key_id);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &number);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, secret);
    cmp_pg_param_members(&params, cmp_pg_ocsp_responder_cert,
                         sizeof(cmp_pg_ocsp_responder_cert)
                         / sizeof(cmp_pg_member_t), cert);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_OCSP_RESPONDER_STORE);
}


int
cmp_pg_changes_send(PGconn *conn, const cmp_str_t *snapshot)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, snapshot);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CHANGES);
}


int
cmp_pg_changes_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_changes_t *changes)
{
    size_t          i;
    cmp_pg_row_t    row;
    cmp_pg_array_t  cas, serials;
    cmp_pg_value_t  value;

    memset(changes, 0, sizeof(cmp_pg_changes_t));

    cmp_pg_row_result(&row, pool, res, 4);

    cmp_pg_row_next(&row, CMP_PG_SNAPSHOT, &value);
    changes->snapshot = cmp_pg_value_bytes(&row, &value, 1,
                                           CMP_PG_MAX_SNAPSHOT);

    cmp_pg_row_array(&row, CMP_PG_INT4_ARRAY, CMP_PG_INT4,
                     CMP_PG_MAX_CHANGES, &cas);
    cmp_pg_row_array(&row, CMP_PG_BYTEA_ARRAY, CMP_PG_BYTEA,
                     CMP_PG_MAX_CHANGES, &serials);
    changes->all = cmp_pg_row_bool(&row);

    if (row.error || cas.n != serials.n) {
        return CMP_ERROR;
    }

    if (cas.n == 0) {
        return CMP_OK;
    }

    changes->rows = cmp_pcalloc(pool, cas.n * sizeof(cmp_pg_change_t));

    if (changes->rows == NULL) {
        return CMP_ERROR;
    }

    changes->nrows = cas.n;

    for (i = 0; i < cas.n; i++) {
        cmp_pg_array_next(&cas, &value);
        changes->rows[i].ca_id = cmp_pg_value_int4(&row, &value);

        cmp_pg_array_next(&serials, &value);
        changes->rows[i].serial = cmp_pg_value_bytes(&row, &value, 1,
                                                     CMP_SERIAL_LEN);
    }

    return row.error ? CMP_ERROR : CMP_OK;
}
