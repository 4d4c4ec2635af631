
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * LOAD: what an exchange asks for as the parameters of cmp.load(), and its
 * row as records.
 */


#include <cmp_pg_local.h>

#include <stddef.h>


/* fields of the composite types in sql/001.2_load.sql */

#define CMP_PG_TRANSACTION_FIELDS  14
#define CMP_PG_CREDENTIAL_FIELDS   12
#define CMP_PG_CERTIFICATE_FIELDS  18
#define CMP_PG_KEY_FIELDS          6
#define CMP_PG_WAITING_FIELDS      7
#define CMP_PG_ROLLOVER_FIELDS     4

#define CMP_PG_MAX_DER             (1024 * 1024)


#define cmp_pg_load(as, member)    { as, offsetof(cmp_load_t, member) }
#define cmp_pg_name(as, member)    { as, offsetof(cmp_load_name_t, member) }

#define cmp_pg_members(members)                                               \
    members, sizeof(members) / sizeof(cmp_pg_member_t)


/* in the order of the parameters */

static const cmp_pg_member_t  cmp_pg_load_scalars[] = {
    cmp_pg_load(CMP_PG_AS_INT4, ca_id),
    cmp_pg_load(CMP_PG_AS_BYTES, request_hash),
    cmp_pg_load(CMP_PG_AS_BYTES, transaction_id),
    cmp_pg_load(CMP_PG_AS_BYTES, reference),
    cmp_pg_load(CMP_PG_AS_BYTES, signer_hash),
    cmp_pg_load(CMP_PG_AS_BYTES, signer_serial),
    cmp_pg_load(CMP_PG_AS_BYTES, signer_subject),
    cmp_pg_load(CMP_PG_AS_BYTES, signer_ski)
};

static const cmp_pg_member_t  cmp_pg_load_strings[] = {
    { CMP_PG_AS_BYTES, 0 }
};

static const cmp_pg_member_t  cmp_pg_load_names[] = {
    cmp_pg_name(CMP_PG_AS_BYTES, subject),
    cmp_pg_name(CMP_PG_AS_BYTES, key_hash)
};


static int cmp_pg_load_row(cmp_pg_load_t *ctx, PGresult *res);
static int cmp_pg_load_failed(cmp_pg_load_t *ctx, const char *error);
static int cmp_pg_load_transaction(cmp_pg_load_t *ctx, cmp_pg_row_t *row);
static int cmp_pg_load_credential(cmp_pg_load_t *ctx, cmp_pg_row_t *row);
static int cmp_pg_load_fields(cmp_pg_load_t *ctx, const cmp_pg_value_t *value,
    cmp_credential_t *cred, cmp_str_t *sealed);
static int cmp_pg_load_tokens(cmp_pg_load_t *ctx, cmp_pg_row_t *row);
static int cmp_pg_load_signer(cmp_pg_load_t *ctx, cmp_pg_row_t *row);
static int cmp_pg_load_certificates(cmp_pg_load_t *ctx, cmp_pg_row_t *row);
static int cmp_pg_load_certificate(cmp_pg_load_t *ctx,
    const cmp_pg_value_t *value, cmp_certificate_t *cert);
static int cmp_pg_load_keys(cmp_pg_load_t *ctx, cmp_pg_row_t *row);
static int cmp_pg_load_key(cmp_pg_load_t *ctx, const cmp_pg_value_t *value,
    cmp_key_t *key);
static int cmp_pg_load_waiting(cmp_pg_load_t *ctx, cmp_pg_row_t *row);
static int cmp_pg_load_request(cmp_pg_load_t *ctx,
    const cmp_pg_value_t *value, cmp_waiting_t *waiting);
static int cmp_pg_load_wanted(cmp_pg_load_t *ctx, cmp_pg_row_t *row);


int
cmp_pg_load_send(PGconn *conn, const cmp_load_t *load)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);

    cmp_pg_param_members(&params, cmp_pg_members(cmp_pg_load_scalars), load);
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_load_strings),
                        load->serials, load->nserials, sizeof(cmp_str_t));
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_load_names),
                        load->names, load->nnames, sizeof(cmp_load_name_t));
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_load_strings),
                        load->key_hashes, load->nkey_hashes,
                        sizeof(cmp_str_t));
    cmp_pg_param(&params, CMP_PG_AS_INT4, &load->want);
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_load_strings),
                        load->token_hashes, load->ntoken_hashes,
                        sizeof(cmp_str_t));

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_LOAD);
}


int
cmp_pg_load_result(cmp_pg_load_t *ctx, PGresult *res)
{
    memset(ctx->records, 0, sizeof(cmp_records_t));
    ctx->error = NULL;

    if (cmp_pg_load_row(ctx, res) != CMP_OK) {
        memset(ctx->records, 0, sizeof(cmp_records_t));
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_pg_load_row(cmp_pg_load_t *ctx, PGresult *res)
{
    cmp_pg_row_t  row;

    cmp_pg_row_result(&row, ctx->pool, res, 13);

    ctx->records->now = cmp_pg_row_time(&row);
    ctx->records->reply = cmp_pg_row_bytes(&row, 0, INT32_MAX);

    if (row.error || ctx->records->now == 0) {
        return cmp_pg_load_failed(ctx, "unexpected result of cmp.load()");
    }

    if (ctx->records->reply.len != 0) {
        return CMP_OK;
    }

    if (cmp_pg_load_transaction(ctx, &row) != CMP_OK
        || cmp_pg_load_credential(ctx, &row) != CMP_OK
        || cmp_pg_load_signer(ctx, &row) != CMP_OK
        || cmp_pg_load_certificates(ctx, &row) != CMP_OK
        || cmp_pg_load_keys(ctx, &row) != CMP_OK
        || cmp_pg_load_waiting(ctx, &row) != CMP_OK
        || cmp_pg_load_wanted(ctx, &row) != CMP_OK
        || cmp_pg_load_tokens(ctx, &row) != CMP_OK)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_pg_load_failed(cmp_pg_load_t *ctx, const char *error)
{
    ctx->error = error;

    return CMP_ERROR;
}


static int
cmp_pg_load_transaction(cmp_pg_load_t *ctx, cmp_pg_row_t *row)
{
    cmp_pg_row_t        fields;
    cmp_pg_value_t      value;
    cmp_transaction_t  *tx;

    cmp_pg_row_next(row, 0, &value);

    if (value.data == NULL) {
        return row->error ? cmp_pg_load_failed(ctx, "no transaction column")
                          : CMP_OK;
    }

    tx = cmp_pcalloc(ctx->pool, sizeof(cmp_transaction_t));

    if (tx == NULL) {
        return cmp_pg_load_failed(ctx, "out of memory");
    }

    cmp_pg_row_composite(&fields, ctx->pool, &value,
                         CMP_PG_TRANSACTION_FIELDS);

    tx->id = cmp_pg_row_bytes(&fields, 0, 64);
    tx->ca_id = cmp_pg_row_int4(&fields, 0, INT32_MAX);
    tx->version = cmp_pg_row_int4(&fields, 0, INT32_MAX);
    tx->state = cmp_pg_row_int4(&fields, CMP_TX_ENDED, CMP_TX_WAITING);
    tx->body = cmp_pg_row_int4(&fields, INT32_MIN, INT32_MAX);
    tx->kind = cmp_pg_row_int4(&fields, CMP_PROTECTION_NONE,
                               CMP_PROTECTION_SIGNATURE);
    tx->credential_id = cmp_pg_row_int8(&fields);
    tx->signer_hash = cmp_pg_row_bytes(&fields, 0, CMP_SHA256_LEN);
    tx->signer_serial = cmp_pg_row_bytes(&fields, 0, 64);
    tx->signer = cmp_pg_row_bytes(&fields, 0, CMP_PG_MAX_DER);
    tx->protection_alg = cmp_pg_row_bytes(&fields, 0, CMP_PG_MAX_DER);
    tx->sender_nonce = cmp_pg_row_bytes(&fields, 0, CMP_PG_MAX_TEXT);
    tx->nonces = cmp_pg_row_strings(&fields, CMP_PG_BYTEA_ARRAY,
                                    &tx->nnonces);
    tx->confirm_before = cmp_pg_row_time(&fields);

    if (fields.error) {
        return cmp_pg_load_failed(ctx, "malformed transaction");
    }

    /* all of it is NULL when there is none */

    if (tx->id.len == 0) {
        return CMP_OK;
    }

    if (tx->version == 0
        || (tx->signer_hash.len != 0 && tx->signer_hash.len != CMP_SHA256_LEN))
    {
        return cmp_pg_load_failed(ctx, "malformed transaction");
    }

    ctx->records->transaction = tx;

    return CMP_OK;
}


static int
cmp_pg_load_credential(cmp_pg_load_t *ctx, cmp_pg_row_t *row)
{
    int                rc;
    cmp_str_t          sealed;
    cmp_pg_value_t     value;
    cmp_credential_t  *cred;

    cmp_pg_row_next(row, 0, &value);

    if (value.data == NULL) {
        return row->error ? cmp_pg_load_failed(ctx, "no credential column")
                          : CMP_OK;
    }

    cred = cmp_pcalloc(ctx->pool, sizeof(cmp_credential_t));

    if (cred == NULL) {
        return cmp_pg_load_failed(ctx, "out of memory");
    }

    if (cmp_pg_load_fields(ctx, &value, cred, &sealed) != CMP_OK) {
        return cmp_pg_load_failed(ctx, "malformed credential");
    }

    if (cred->id == 0) {
        return CMP_OK;
    }

    if (cred->reference.len == 0 || sealed.len == 0) {
        return cmp_pg_load_failed(ctx, "malformed credential");
    }

    if (ctx->key == NULL) {
        return cmp_pg_load_failed(ctx, "a shared secret is stored, but there "
                                  "is no key to unseal it");
    }

    rc = cmp_unseal(ctx->pool, ctx->key, ctx->ca, &cred->reference, &sealed,
                    &cred->secret);

    if (rc != CMP_OK) {
        return cmp_pg_load_failed(ctx, rc == CMP_DECLINED
                                  ? "a shared secret cannot be unsealed: "
                                    "another key, or the row was changed"
                                  : "out of memory");
    }

    ctx->records->credential = cred;

    return CMP_OK;
}


static int
cmp_pg_load_fields(cmp_pg_load_t *ctx, const cmp_pg_value_t *value,
    cmp_credential_t *cred, cmp_str_t *sealed)
{
    cmp_pg_row_t  fields;

    cmp_pg_row_composite(&fields, ctx->pool, value, CMP_PG_CREDENTIAL_FIELDS);

    cred->id = cmp_pg_row_int8(&fields);
    cred->reference = cmp_pg_row_bytes(&fields, 0, CMP_PG_MAX_TEXT);
    *sealed = cmp_pg_row_bytes(&fields, 0, CMP_MAX_SECRET + CMP_SEAL_OVERHEAD);
    cred->profiles = cmp_pg_row_strings(&fields, CMP_PG_TEXT_ARRAY,
                                        &cred->nprofiles);
    cred->subject = cmp_pg_row_text(&fields);
    cred->sans = cmp_pg_row_strings(&fields, CMP_PG_TEXT_ARRAY, &cred->nsans);
    cred->uses_left = cmp_pg_row_int4(&fields, -1, INT32_MAX);
    cred->not_after = cmp_pg_row_time(&fields);
    cred->disabled = cmp_pg_row_bool(&fields);
    cred->may_revoke = cmp_pg_row_bool(&fields);
    cred->token_hash = cmp_pg_row_bytes(&fields, 0, CMP_SHA256_LEN);
    cred->token_needed = cmp_pg_row_bool(&fields);

    return fields.error ? CMP_ERROR : CMP_OK;
}


static int
cmp_pg_load_tokens(cmp_pg_load_t *ctx, cmp_pg_row_t *row)
{
    size_t             i;
    cmp_str_t          sealed;
    cmp_pg_array_t     array;
    cmp_pg_value_t     value;
    cmp_credential_t  *tokens;

    cmp_pg_row_array(row, 0, 0, CMP_PG_MAX_ELEMENTS, &array);

    if (row->error) {
        return cmp_pg_load_failed(ctx, "malformed tokens");
    }

    if (array.n == 0) {
        return CMP_OK;
    }

    tokens = cmp_pcalloc(ctx->pool, array.n * sizeof(cmp_credential_t));

    if (tokens == NULL) {
        return cmp_pg_load_failed(ctx, "out of memory");
    }

    for (i = 0; i < array.n; i++) {
        cmp_pg_array_next(&array, &value);

        if (value.data == NULL
            || cmp_pg_load_fields(ctx, &value, &tokens[i], &sealed) != CMP_OK
            || tokens[i].token_hash.len != CMP_SHA256_LEN
            || sealed.len != 0)
        {
            return cmp_pg_load_failed(ctx, "malformed token");
        }
    }

    ctx->records->tokens = tokens;
    ctx->records->ntokens = array.n;

    return CMP_OK;
}


static int
cmp_pg_load_signer(cmp_pg_load_t *ctx, cmp_pg_row_t *row)
{
    cmp_pg_value_t      value;
    cmp_certificate_t  *cert;

    cmp_pg_row_next(row, 0, &value);

    if (value.data == NULL) {
        return row->error ? cmp_pg_load_failed(ctx, "no signer column")
                          : CMP_OK;
    }

    cert = cmp_pcalloc(ctx->pool, sizeof(cmp_certificate_t));

    if (cert == NULL) {
        return cmp_pg_load_failed(ctx, "out of memory");
    }

    if (cmp_pg_load_certificate(ctx, &value, cert) != CMP_OK) {
        return CMP_ERROR;
    }

    if (cert->serial.len != 0) {
        ctx->records->signer = cert;
    }

    return CMP_OK;
}


static int
cmp_pg_load_certificates(cmp_pg_load_t *ctx, cmp_pg_row_t *row)
{
    size_t              i;
    cmp_pg_array_t      array;
    cmp_pg_value_t      value;
    cmp_certificate_t  *certs;

    cmp_pg_row_array(row, 0, 0, 4 * CMP_PG_MAX_ELEMENTS, &array);

    if (row->error) {
        return cmp_pg_load_failed(ctx, "malformed certificates");
    }

    if (array.n == 0) {
        return CMP_OK;
    }

    certs = cmp_pcalloc(ctx->pool, array.n * sizeof(cmp_certificate_t));

    if (certs == NULL) {
        return cmp_pg_load_failed(ctx, "out of memory");
    }

    for (i = 0; i < array.n; i++) {
        cmp_pg_array_next(&array, &value);

        if (value.data == NULL
            || cmp_pg_load_certificate(ctx, &value, &certs[i]) != CMP_OK
            || certs[i].serial.len == 0)
        {
            return cmp_pg_load_failed(ctx, "malformed certificate");
        }
    }

    ctx->records->certificates = certs;
    ctx->records->ncertificates = array.n;

    return CMP_OK;
}


static int
cmp_pg_load_certificate(cmp_pg_load_t *ctx, const cmp_pg_value_t *value,
    cmp_certificate_t *cert)
{
    cmp_pg_row_t  row;

    cmp_pg_row_composite(&row, ctx->pool, value, CMP_PG_CERTIFICATE_FIELDS);

    cert->serial = cmp_pg_row_bytes(&row, 0, CMP_SERIAL_LEN);
    cert->der = cmp_pg_row_bytes(&row, 0, CMP_PG_MAX_DER);
    cert->transaction_id = cmp_pg_row_bytes(&row, 0, 64);
    cert->cert_req_id = cmp_pg_row_int4(&row, INT32_MIN, INT32_MAX);
    cert->version = cmp_pg_row_int4(&row, 0, INT32_MAX);
    cert->state = cmp_pg_row_int4(&row, CMP_CERT_UNCONFIRMED,
                                  CMP_CERT_REVOKED);
    cert->reason = cmp_pg_row_int4(&row, 0, 10);
    cert->hold_by = cmp_pg_row_int4(&row, CMP_BY_NOBODY, CMP_BY_OPERATOR);
    cert->revoked_at = cmp_pg_row_time(&row);
    cert->credential_id = cmp_pg_row_int8(&row);
    cert->profile = cmp_pg_row_text(&row);
    cert->key_hash = cmp_pg_row_bytes(&row, 0, CMP_SHA256_LEN);
    cert->subject_hash = cmp_pg_row_bytes(&row, 0, CMP_SHA256_LEN);
    cert->predecessor = cmp_pg_row_bytes(&row, 0, CMP_SERIAL_LEN);
    cert->successor = cmp_pg_row_bytes(&row, 0, CMP_SERIAL_LEN);
    cert->used = cmp_pg_row_bool(&row);
    cert->replaced = cmp_pg_row_bool(&row);
    cert->retired = cmp_pg_row_bool(&row);

    if (row.error) {
        return cmp_pg_load_failed(ctx, "malformed certificate");
    }

    if (cert->serial.len == 0) {
        return CMP_OK;
    }

    if (cert->version == 0
        || cert->der.len == 0
        || cert->key_hash.len != CMP_SHA256_LEN
        || cert->subject_hash.len != CMP_SHA256_LEN
        || (cert->state >= CMP_CERT_HOLD && cert->revoked_at == 0))
    {
        return cmp_pg_load_failed(ctx, "malformed certificate");
    }

    return CMP_OK;
}


static int
cmp_pg_load_keys(cmp_pg_load_t *ctx, cmp_pg_row_t *row)
{
    size_t           i;
    cmp_key_t       *keys;
    cmp_pg_array_t   array;
    cmp_pg_value_t   value;

    cmp_pg_row_array(row, 0, 0, CMP_PG_MAX_ELEMENTS, &array);

    if (row->error) {
        return cmp_pg_load_failed(ctx, "malformed keys");
    }

    if (array.n == 0) {
        return CMP_OK;
    }

    keys = cmp_pcalloc(ctx->pool, array.n * sizeof(cmp_key_t));

    if (keys == NULL) {
        return cmp_pg_load_failed(ctx, "out of memory");
    }

    for (i = 0; i < array.n; i++) {
        cmp_pg_array_next(&array, &value);

        if (value.data == NULL
            || cmp_pg_load_key(ctx, &value, &keys[i]) != CMP_OK)
        {
            return cmp_pg_load_failed(ctx, "malformed key");
        }
    }

    ctx->records->keys = keys;
    ctx->records->nkeys = array.n;

    return CMP_OK;
}


static int
cmp_pg_load_key(cmp_pg_load_t *ctx, const cmp_pg_value_t *value,
    cmp_key_t *key)
{
    cmp_pg_row_t  row;

    cmp_pg_row_composite(&row, ctx->pool, value, CMP_PG_KEY_FIELDS);

    key->key_hash = cmp_pg_row_bytes(&row, CMP_SHA256_LEN, CMP_SHA256_LEN);
    key->subject_hash = cmp_pg_row_bytes(&row, CMP_SHA256_LEN,
                                         CMP_SHA256_LEN);
    key->serial = cmp_pg_row_bytes(&row, 1, CMP_SERIAL_LEN);
    key->version = cmp_pg_row_int4(&row, 1, INT32_MAX);
    key->confirmed = cmp_pg_row_bool(&row);
    key->compromised = cmp_pg_row_bool(&row);

    return row.error ? CMP_ERROR : CMP_OK;
}


static int
cmp_pg_load_waiting(cmp_pg_load_t *ctx, cmp_pg_row_t *row)
{
    size_t           i;
    cmp_waiting_t   *waiting;
    cmp_pg_array_t   array;
    cmp_pg_value_t   value;

    cmp_pg_row_array(row, 0, 0, CMP_PG_MAX_ELEMENTS, &array);

    if (row->error) {
        return cmp_pg_load_failed(ctx, "no waiting column");
    }

    if (array.n != 0) {

        waiting = cmp_pcalloc(ctx->pool, array.n * sizeof(cmp_waiting_t));

        if (waiting == NULL) {
            return cmp_pg_load_failed(ctx, "out of memory");
        }

        for (i = 0; i < array.n; i++) {
            cmp_pg_array_next(&array, &value);

            if (row->error
                || cmp_pg_load_request(ctx, &value, &waiting[i]) != CMP_OK)
            {
                return cmp_pg_load_failed(ctx, "malformed waiting request");
            }
        }

        ctx->records->waiting = waiting;
        ctx->records->nwaiting = array.n;
    }

    ctx->records->message = cmp_pg_row_bytes(row, 0, INT32_MAX);

    return row->error ? cmp_pg_load_failed(ctx, "no message column") : CMP_OK;
}


static int
cmp_pg_load_request(cmp_pg_load_t *ctx, const cmp_pg_value_t *value,
    cmp_waiting_t *waiting)
{
    cmp_pg_row_t  row;

    cmp_pg_row_composite(&row, ctx->pool, value, CMP_PG_WAITING_FIELDS);

    waiting->id = cmp_pg_row_int8(&row);
    waiting->version = cmp_pg_row_int4(&row, 1, INT32_MAX);
    waiting->state = cmp_pg_row_int4(&row, CMP_REQUEST_PENDING,
                                     CMP_REQUEST_FAILED);
    waiting->cert_req_id = cmp_pg_row_int4(&row, INT32_MIN, INT32_MAX);
    waiting->profile = cmp_pg_row_text(&row);
    waiting->reason = cmp_pg_row_text(&row);
    waiting->expires = cmp_pg_row_time(&row);

    return row.error ? CMP_ERROR : CMP_OK;
}


static int
cmp_pg_load_wanted(cmp_pg_load_t *ctx, cmp_pg_row_t *row)
{
    cmp_pg_row_t     fields;
    cmp_pg_value_t   value;
    cmp_rollover_t  *rollover;

    cmp_pg_row_next(row, 0, &value);

    if (value.data != NULL) {

        rollover = cmp_pcalloc(ctx->pool, sizeof(cmp_rollover_t));

        if (rollover == NULL) {
            return cmp_pg_load_failed(ctx, "out of memory");
        }

        cmp_pg_row_composite(&fields, ctx->pool, &value,
                             CMP_PG_ROLLOVER_FIELDS);

        rollover->new_with_new = cmp_pg_row_bytes(&fields, 0, CMP_PG_MAX_DER);
        rollover->new_with_old = cmp_pg_row_bytes(&fields, 0, CMP_PG_MAX_DER);
        rollover->old_with_new = cmp_pg_row_bytes(&fields, 0, CMP_PG_MAX_DER);
        rollover->old_root = cmp_pg_row_bytes(&fields, 0, CMP_PG_MAX_DER);

        if (fields.error) {
            return cmp_pg_load_failed(ctx, "malformed rollover");
        }

        if (rollover->new_with_new.len != 0) {
            ctx->records->rollover = rollover;
        }
    }

    ctx->records->crl = cmp_pg_row_bytes(row, 0, INT32_MAX);
    ctx->records->crl_this_update = cmp_pg_row_time(row);

    return row->error ? cmp_pg_load_failed(ctx, "no CRL column") : CMP_OK;
}
