
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#ifndef _CMP_PG_H_INCLUDED_
#define _CMP_PG_H_INCLUDED_


#include <cmp_store.h>
#include <cmp_crl.h>
#include <cmp_seal.h>

#include <libpq-fe.h>


/*
 * The statements that every connection prepares before its first use, in
 * one pipeline.  The table ends with an entry whose name is NULL.  "types"
 * holds "nparams" type oids and may be NULL when there are no parameters.
 *
 * One of the statements must be CMP_PG_SCHEMA_STATEMENT: no parameters, one
 * row of one int4, the version of the schema that the database has.
 */

typedef struct {
    const char  *name;
    const char  *sql;
    int          nparams;
    const Oid   *types;
} cmp_pg_statement_t;


#define CMP_PG_SCHEMA_VERSION    1
#define CMP_PG_SCHEMA_STATEMENT  "cmp_schema_version"


extern const cmp_pg_statement_t  cmp_pg_statements[];


/*
 * The operations.  Each one is one statement, one round trip and, with the
 * sync that the caller adds, one implicit transaction.
 *
 *     cmp_pg_*_send()      queues the statement, all parameters are copied.
 *                          CMP_OK, or CMP_ERROR: out of memory, a parameter
 *                          beyond its limit, or libpq refused (see
 *                          PQerrorMessage()); nothing was queued
 *     cmp_pg_*_result()    reads the one PGRES_TUPLES_OK of the statement and
 *                          keeps nothing of it.  CMP_OK, or CMP_ERROR: out of
 *                          memory, or a result that is not what it should be
 *                          (nothing in the output may be used then)
 *
 * All times are milliseconds since the epoch by the database's clock, 0 where
 * there is none.  CA ids come from cmp_pg_ca_register_*().
 */


/* elements in an array of one operation, octets in all of its parameters */

#define CMP_PG_MAX_ELEMENTS      1024
#define CMP_PG_MAX_PARAMS_SIZE   (64 * 1024 * 1024)


/*
 * The id of the CA with this name, which is registered when it is not known.
 * To be run before anything else for that CA; the id never changes, so once
 * for each worker is enough.  name: 1 to 64 octets of UTF-8; certificate: DER.
 * A commit.
 */
int cmp_pg_ca_register_send(PGconn *conn, const cmp_str_t *name,
    const cmp_str_t *certificate);
int cmp_pg_ca_register_result(PGresult *res, int32_t *ca_id);


/*
 * LOAD.  The records and the strings in them are allocated from the pool, the
 * clear secret is wiped with it.  Reads only: may be sent again.
 */

typedef struct {
    const cmp_load_t     *load;
    const cmp_str_t      *ca;           /* name, to unseal secrets */
    const unsigned char  *key;          /* CMP_SEAL_KEY_LEN octets, or NULL:
                                           there is none, and a load that
                                           meets a secret is CMP_ERROR */
    cmp_pool_t           *pool;
    cmp_records_t        *records;      /* out */
    const char           *error;        /* out: what was wrong, for the log */
} cmp_pg_load_t;

int cmp_pg_load_send(PGconn *conn, const cmp_load_t *load);
int cmp_pg_load_result(cmp_pg_load_t *ctx, PGresult *res);


/*
 * COMMIT.  There is nothing to read from its result.  The outcome: the
 * SQLSTATE of the first error, "" when there was none.
 */
int cmp_pg_commit_send(PGconn *conn, const cmp_writes_t *writes);
cmp_commit_e cmp_pg_commit_outcome(const char *sqlstate);


/*
 * What is due: unconfirmed certificates are revoked, old transactions and
 * replies go, partitions are made ahead.  A bounded amount of work a call;
 * any number of nodes may call it at the same time, every few seconds.  A
 * commit that may be repeated.
 */

typedef struct {
    int32_t               unconfirmed;  /* transactions nobody confirmed */
    int32_t               revoked;      /* certificates of these */
    int32_t               expired;      /* requests nobody decided */
    int32_t               forgotten;    /* transactions deleted */
    int32_t               emptied;      /* partitions of replies */
    int32_t               created;      /* partitions */
    unsigned              more:1;       /* a limit was hit: call again soon */
} cmp_pg_sweep_t;

int cmp_pg_sweep_send(PGconn *conn);
int cmp_pg_sweep_result(PGresult *res, cmp_pg_sweep_t *sweep);


/*
 * CRLs.  A server keeps the last one it has seen and asks with its number
 * (0: none), so that the DER only comes when there is another one.  When it
 * is stale, entries are read, the CRL is made and stored; a race for the same
 * number is lost like that of any other commit (cmp_pg_commit_outcome()), the
 * current one is then asked for again.
 *
 * refresh: ms after thisUpdate from which the CRL is stale although nothing
 * has changed.
 */

typedef struct {
    int64_t               now;
    int64_t               number;       /* 0: there is none yet */
    int64_t               this_update;
    int64_t               next_update;
    cmp_str_t             der;          /* empty: the known number, or none */
    unsigned              stale:1;      /* none, changed, or old */
} cmp_pg_crl_t;

int cmp_pg_crl_current_send(PGconn *conn, int32_t ca_id, int64_t known,
    int64_t refresh);
int cmp_pg_crl_current_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_crl_t *crl);


typedef struct {
    int64_t               now;          /* to be thisUpdate */
    int64_t               number;       /* of the CRL to be made */
    cmp_str_t             snapshot;     /* of the database: opaque */
    cmp_crl_entry_t      *entries;      /* in the order of serials */
    size_t                nentries;
} cmp_pg_crl_entries_t;

int cmp_pg_crl_entries_send(PGconn *conn, int32_t ca_id);
int cmp_pg_crl_entries_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_crl_entries_t *entries);

/* entries: as they were read; a commit */
int cmp_pg_crl_store_send(PGconn *conn, int32_t ca_id,
    const cmp_pg_crl_entries_t *entries, int64_t next_update,
    const cmp_str_t *der);


#endif /* _CMP_PG_H_INCLUDED_ */
