
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The statements, and the small operations.
 */


#include <cmp_pg_local.h>


static const Oid  cmp_pg_ca_register_types[] = {
    CMP_PG_TEXT, CMP_PG_BYTEA, CMP_PG_INT4
};

static const Oid  cmp_pg_load_types[] = {
    CMP_PG_INT4,            /* 1: ca */
    CMP_PG_BYTEA,           /* 2: request hash */
    CMP_PG_BYTEA,           /* 3: transactionID */
    CMP_PG_BYTEA,           /* 4: reference */
    CMP_PG_BYTEA,           /* 5: signer: hash */
    CMP_PG_BYTEA,           /* 6:     serial */
    CMP_PG_BYTEA,           /* 7:     subject */
    CMP_PG_BYTEA,           /* 8:     SKI */
    CMP_PG_BYTEA_ARRAY,     /* 9: serials */
    CMP_PG_BYTEA_ARRAY,     /* 10: names: subjects */
    CMP_PG_BYTEA_ARRAY,     /* 11:     keys */
    CMP_PG_BYTEA_ARRAY,     /* 12: keys */
    CMP_PG_INT4,            /* 13: want */
    CMP_PG_BYTEA_ARRAY      /* 14: tokens */
};

static const Oid  cmp_pg_commit_types[] = {
    CMP_PG_INT4,            /* 1: ca */

    CMP_PG_BYTEA,           /* 2: transaction: id */
    CMP_PG_INT4,            /* 3:     version */
    CMP_PG_INT4,            /* 4:     state */
    CMP_PG_INT4,            /* 5:     body */
    CMP_PG_INT4,            /* 6:     kind */
    CMP_PG_INT8,            /* 7:     credential */
    CMP_PG_BYTEA,           /* 8:     signer: hash */
    CMP_PG_BYTEA,           /* 9:         serial */
    CMP_PG_BYTEA,           /* 10:        DER */
    CMP_PG_BYTEA,           /* 11:    protectionAlg */
    CMP_PG_BYTEA,           /* 12:    our nonce */
    CMP_PG_BYTEA,           /* 13:    the request's nonce */
    CMP_PG_INT8,            /* 14:    time to confirm */
    CMP_PG_INT8,            /* 15:    time to remember */

    CMP_PG_BYTEA,           /* 16: request hash */
    CMP_PG_BYTEA,           /* 17: reply */
    CMP_PG_INT8,            /* 18: time to keep it */

    CMP_PG_INT8,            /* 19: use of a credential */

    CMP_PG_BYTEA_ARRAY,     /* 20: certificates: serial */
    CMP_PG_BYTEA_ARRAY,     /* 21:     DER */
    CMP_PG_INT4_ARRAY,      /* 22:     certReqId */
    CMP_PG_INT4_ARRAY,      /* 23:     state */
    CMP_PG_BYTEA_ARRAY,     /* 24:     subject hash */
    CMP_PG_TEXT_ARRAY,      /* 25:     subject */
    CMP_PG_BYTEA_ARRAY,     /* 26:     key hash */
    CMP_PG_TEXT_ARRAY,      /* 27:     profile */
    CMP_PG_BYTEA_ARRAY,     /* 28:     predecessor */
    CMP_PG_INT4_ARRAY,      /* 29:     its version */
    CMP_PG_TIME_ARRAY,      /* 30:     notBefore */
    CMP_PG_TIME_ARRAY,      /* 31:     notAfter */
    CMP_PG_INT8_ARRAY,      /* 32:     credential */
    CMP_PG_INT4_ARRAY,      /* 33:     version of the key */
    CMP_PG_INT4_ARRAY,      /* 34:     partition of CRLs */

    CMP_PG_BYTEA_ARRAY,     /* 35: changes: serial */
    CMP_PG_INT4_ARRAY,      /* 36:     version */
    CMP_PG_INT4_ARRAY,      /* 37:     action */
    CMP_PG_INT4_ARRAY,      /* 38:     reason */
    CMP_PG_INT4_ARRAY,      /* 39:     by */
    CMP_PG_TIME_ARRAY,      /* 40:     invalidityDate */

    CMP_PG_TEXT_ARRAY,      /* 41: audit: action */
    CMP_PG_INT4_ARRAY,      /* 42:     status */
    CMP_PG_INT4_ARRAY,      /* 43:     failInfo */
    CMP_PG_BYTEA_ARRAY,     /* 44:     serial */
    CMP_PG_TEXT_ARRAY,      /* 45:     text */
    CMP_PG_TEXT,            /* 46:     requester */
    CMP_PG_TEXT,            /* 47:     client */

    CMP_PG_INT8,            /* 48: waiting: time for it */
    CMP_PG_BYTEA,           /* 49:     message */
    CMP_PG_BYTEA_ARRAY,     /* 50:     serials */
    CMP_PG_BYTEA_ARRAY,     /* 51:     keys */
    CMP_PG_INT4_ARRAY,      /* 52: requests: certReqId */
    CMP_PG_TEXT_ARRAY,      /* 53:     profile */
    CMP_PG_BYTEA_ARRAY,     /* 54:     subject */
    CMP_PG_BYTEA_ARRAY,     /* 55:     SANs */
    CMP_PG_BYTEA_ARRAY,     /* 56:     key hash */
    CMP_PG_BYTEA_ARRAY,     /* 57:     certificate */
    CMP_PG_TEXT_ARRAY,      /* 58:     text */

    CMP_PG_INT8_ARRAY,      /* 59: answered: id */
    CMP_PG_INT4_ARRAY,      /* 60:     version */
    CMP_PG_INT4_ARRAY,      /* 61:     state */
    CMP_PG_BYTEA_ARRAY,     /* 62:     serial */

    CMP_PG_INT8_ARRAY       /* 63: use of tokens */
};

static const Oid  cmp_pg_crl_current_types[] = {
    CMP_PG_INT4, CMP_PG_INT4, CMP_PG_BYTEA, CMP_PG_BOOL, CMP_PG_INT8,
    CMP_PG_INT8, CMP_PG_BOOL
};

static const Oid  cmp_pg_crl_read_types[] = {
    CMP_PG_INT4, CMP_PG_INT4, CMP_PG_INT8, CMP_PG_INT4
};

static const Oid  cmp_pg_crl_begin_types[] = {
    CMP_PG_INT4, CMP_PG_INT4, CMP_PG_BYTEA, CMP_PG_BOOL
};

static const Oid  cmp_pg_crl_entries_types[] = {
    CMP_PG_INT4, CMP_PG_INT4, CMP_PG_BOOL, CMP_PG_INT8, CMP_PG_BYTEA
};

static const Oid  cmp_pg_crl_put_types[] = {
    CMP_PG_INT4, CMP_PG_INT4, CMP_PG_INT8, CMP_PG_INT4, CMP_PG_BYTEA
};

static const Oid  cmp_pg_crl_store_types[] = {
    CMP_PG_INT4,            /* 1: ca */
    CMP_PG_INT4,            /* 2: partition */
    CMP_PG_BYTEA,           /* 3: key id */
    CMP_PG_BOOL,            /* 4: delta */
    CMP_PG_INT4,            /* 5: previous */
    CMP_PG_INT8,            /* 6: number */
    CMP_PG_INT8,            /* 7: that it replaces */
    CMP_PG_INT8,            /* 8: base */
    CMP_PG_SNAPSHOT,        /* 9: snapshot */
    CMP_PG_TIME,            /* 10: thisUpdate */
    CMP_PG_TIME,            /* 11: nextUpdate */
    CMP_PG_INT4,            /* 12: entries */
    CMP_PG_BOOL,            /* 13: keep those before */
    CMP_PG_INT4,            /* 14: pieces of the DER */
    CMP_PG_BYTEA            /* 15: the rest of it */
};

static const Oid  cmp_pg_crl_due_types[] = {
    CMP_PG_INT4, CMP_PG_BYTEA_ARRAY, CMP_PG_BOOL, CMP_PG_INT8, CMP_PG_INT8,
    CMP_PG_BOOL
};


static const Oid  cmp_pg_ocsp_status_types[] = {
    CMP_PG_INT4, CMP_PG_BYTEA_ARRAY, CMP_PG_BOOL
};

static const Oid  cmp_pg_ocsp_responder_types[] = {
    CMP_PG_INT4, CMP_PG_BYTEA, CMP_PG_INT4
};

static const Oid  cmp_pg_ocsp_responder_store_types[] = {
    CMP_PG_INT4,            /* 1: ca */
    CMP_PG_BYTEA,           /* 2: key id of the issuer */
    CMP_PG_INT4,            /* 3: number */
    CMP_PG_BYTEA,           /* 4: sealed private key */
    CMP_PG_BYTEA,           /* 5: certificate: serial */
    CMP_PG_BYTEA,           /* 6:     DER */
    CMP_PG_BYTEA,           /* 7:     subject hash */
    CMP_PG_TEXT,            /* 8:     subject */
    CMP_PG_BYTEA,           /* 9:     key hash */
    CMP_PG_TEXT,            /* 10:    profile */
    CMP_PG_TIME,            /* 11:    notBefore */
    CMP_PG_TIME             /* 12:    notAfter */
};

static const Oid  cmp_pg_changes_types[] = {
    CMP_PG_SNAPSHOT
};


#define cmp_pg_types(types)  sizeof(types) / sizeof(Oid), types


/* in the order of cmp_pg_stmt_e */

const cmp_pg_statement_t  cmp_pg_statements[] = {

    { CMP_PG_SCHEMA_STATEMENT,
      "SELECT cmp.schema_version()",
      0, NULL },

    { "cmp_ca_register",
      "SELECT cmp.ca_register($1, $2, $3)",
      cmp_pg_types(cmp_pg_ca_register_types) },

    { "cmp_load",
      "SELECT now, reply, transaction, credential, signer, certificates, keys,"
      " waiting, message, rollover, crl, crl_this_update, tokens"
      " FROM cmp.load($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
      " $14)",
      cmp_pg_types(cmp_pg_load_types) },

    { "cmp_commit",
      "SELECT cmp.commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
      " $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,"
      " $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40,"
      " $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54,"
      " $55, $56, $57, $58, $59, $60, $61, $62, $63)",
      cmp_pg_types(cmp_pg_commit_types) },

    { "cmp_sweep",
      "SELECT unconfirmed, revoked, expired, forgotten, emptied, created, more"
      " FROM cmp.sweep()",
      0, NULL },

    { "cmp_crl_current",
      "SELECT now, number, this_update, next_update, stale, octets, der,"
      " partitions"
      " FROM cmp.crl_current($1, $2, $3, $4, $5, $6, $7)",
      cmp_pg_types(cmp_pg_crl_current_types) },

    { "cmp_crl_read",
      "SELECT cmp.crl_read($1, $2, $3, $4)",
      cmp_pg_types(cmp_pg_crl_read_types) },

    { "cmp_crl_begin",
      "SELECT now, number, replaces, since, snapshot"
      " FROM cmp.crl_begin($1, $2, $3, $4)",
      cmp_pg_types(cmp_pg_crl_begin_types) },

    { "cmp_crl_entries",
      "SELECT serials, revoked_at, invalidity, reasons, more"
      " FROM cmp.crl_entries($1, $2, $3, $4, $5)",
      cmp_pg_types(cmp_pg_crl_entries_types) },

    { "cmp_crl_put",
      "SELECT cmp.crl_put($1, $2, $3, $4, $5)",
      cmp_pg_types(cmp_pg_crl_put_types) },

    { "cmp_crl_store",
      "SELECT cmp.crl_store($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
      " $13, $14, $15)",
      cmp_pg_types(cmp_pg_crl_store_types) },

    { "cmp_crl_due",
      "SELECT previous, partition, delta, more"
      " FROM cmp.crl_due($1, $2, $3, $4, $5, $6)",
      cmp_pg_types(cmp_pg_crl_due_types) },

    { "cmp_ocsp_status",
      "SELECT states, reasons, revoked_at, ders"
      " FROM cmp.ocsp_status($1, $2, $3)",
      cmp_pg_types(cmp_pg_ocsp_status_types) },

    { "cmp_ocsp_responder",
      "SELECT number, state, der, secret"
      " FROM cmp.ocsp_responder($1, $2, $3)",
      cmp_pg_types(cmp_pg_ocsp_responder_types) },

    { "cmp_ocsp_responder_store",
      "SELECT cmp.ocsp_responder_store($1, $2, $3, $4, $5, $6, $7, $8, $9,"
      " $10, $11, $12)",
      cmp_pg_types(cmp_pg_ocsp_responder_store_types) },

    { "cmp_changes",
      "SELECT snapshot, cas, serials, everything FROM cmp.changes($1)",
      cmp_pg_types(cmp_pg_changes_types) },

    { NULL, NULL, 0, NULL }
};


int
cmp_pg_ca_register_send(PGconn *conn, const cmp_str_t *name,
    const cmp_str_t *certificate, int32_t partitions)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);
    cmp_pg_param(&params, CMP_PG_AS_TEXT, name);
    cmp_pg_param(&params, CMP_PG_AS_BYTES, certificate);
    cmp_pg_param(&params, CMP_PG_AS_INT4, &partitions);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_CA_REGISTER);
}


int
cmp_pg_ca_register_result(PGresult *res, int32_t *ca_id)
{
    cmp_pg_row_t  row;

    cmp_pg_row_result(&row, NULL, res, 1);

    *ca_id = cmp_pg_row_int4(&row, 1, INT32_MAX);

    return row.error ? CMP_ERROR : CMP_OK;
}


int
cmp_pg_sweep_send(PGconn *conn)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_SWEEP);
}


int
cmp_pg_sweep_result(PGresult *res, cmp_pg_sweep_t *sweep)
{
    cmp_pg_row_t  row;

    cmp_pg_row_result(&row, NULL, res, 7);

    sweep->unconfirmed = cmp_pg_row_int4(&row, 0, INT32_MAX);
    sweep->revoked = cmp_pg_row_int4(&row, 0, INT32_MAX);
    sweep->expired = cmp_pg_row_int4(&row, 0, INT32_MAX);
    sweep->forgotten = cmp_pg_row_int4(&row, 0, INT32_MAX);
    sweep->emptied = cmp_pg_row_int4(&row, 0, INT32_MAX);
    sweep->created = cmp_pg_row_int4(&row, 0, INT32_MAX);
    sweep->more = cmp_pg_row_bool(&row);

    return row.error ? CMP_ERROR : CMP_OK;
}
