
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
 * for each worker is enough.  name: 1 to 64 octets of UTF-8; certificate: DER;
 * partitions: of CRLs, that certificates may be put into from now on.  A
 * commit.
 */
int cmp_pg_ca_register_send(PGconn *conn, const cmp_str_t *name,
    const cmp_str_t *certificate, int32_t partitions);
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
 * CRLs.  A server keeps the last one it has seen of each kind and asks with its
 * number (0: none), so that the DER only comes when there is another one.  When
 * it is stale, a number is taken, entries are read in pieces, the CRL is made
 * and stored; who finds that another one was faster loses a race like that of
 * any other commit (cmp_pg_commit_outcome()) and asks again.
 */

#define CMP_PG_CRL_ENTRIES  10000       /* at most in one piece */
#define CMP_PG_CRL_PIECE    (1024 * 1024)   /* octets of DER in one message */
#define CMP_PG_CRL_DUE      16


/* which one */

typedef struct {
    int32_t               ca_id;
    int32_t               partition;    /* 0: all certificates */
    int32_t               previous;     /* 0: of the current key, n: of the nth
                                           previous one */
    int                   delta;
    cmp_str_t             key_id;       /* SKI of the key */
} cmp_pg_crl_kind_t;


typedef struct {
    int64_t               now;
    int64_t               number;       /* 0: there is none yet */
    int64_t               this_update;
    int64_t               next_update;
    int32_t               octets;       /* of the DER */
    cmp_str_t             der;          /* the first piece; empty: the known
                                           number, or none */
    int32_t               partitions;   /* that there are of this CA */
    unsigned              stale:1;      /* none, changed, old, or wanted */
} cmp_pg_crl_t;

/*
 * refresh: ms after thisUpdate from which the CRL is stale; changes: also when
 * a certificate was revoked or released since then.  pool may be NULL: the DER
 * stays in the result.
 */
int cmp_pg_crl_current_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    int64_t known, int64_t refresh, int changes);
int cmp_pg_crl_current_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_crl_t *crl);

/*
 * The piece from an offset on, which stays in the result; empty: another CRL
 * is the current one now
 */
int cmp_pg_crl_read_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    int64_t number, int32_t offset);
int cmp_pg_crl_read_result(PGresult *res, cmp_str_t *der);


typedef struct {
    int64_t               now;          /* to be thisUpdate */
    int64_t               number;       /* of the CRL to be made */
    int64_t               replaces;     /* 0: the first of its kind */
    int64_t               since;        /* of a delta CRL: its base, 0 when
                                           there is no valid complete one */
    cmp_str_t             snapshot;     /* of the database: opaque */
} cmp_pg_crl_begin_t;

/* a commit that may be repeated: the number before is lost */
int cmp_pg_crl_begin_send(PGconn *conn, const cmp_pg_crl_kind_t *kind);
int cmp_pg_crl_begin_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_crl_begin_t *begin);


typedef struct {
    cmp_crl_entry_t      *entries;      /* in the order of serials */
    size_t                nentries;
    unsigned              more:1;       /* behind the last one of these */
} cmp_pg_crl_entries_t;

/* after: the last serial number of the piece before; empty: the first piece */
int cmp_pg_crl_entries_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    const cmp_pg_crl_begin_t *begin, const cmp_str_t *after);
int cmp_pg_crl_entries_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_crl_entries_t *entries);


/* one of the pieces, from 0 on, but not the last; may be repeated */
int cmp_pg_crl_put_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    int64_t number, int32_t piece, const cmp_str_t *der);

/*
 * keep: the ones before remain as bases of delta CRLs; pieces: that were put;
 * der: the last one.  A commit.
 */
int cmp_pg_crl_store_send(PGconn *conn, const cmp_pg_crl_kind_t *kind,
    const cmp_pg_crl_begin_t *begin, int64_t next_update, int32_t nentries,
    int keep, int32_t pieces, const cmp_str_t *der);


/* what is to be made although nobody asks for it */

typedef struct {
    int32_t               ca_id;
    cmp_str_t            *key_ids;      /* of the current key, then of the
                                           previous ones */
    size_t                nkey_ids;
    int                   whole;        /* not only partitions */
    int                   changes;      /* whenever something has changed */
    int64_t               refresh;      /* ms */
    int64_t               delta;        /* ms; 0: no delta CRLs */
} cmp_pg_crl_rules_t;

typedef struct {
    int32_t               partition;
    int32_t               previous;
    int32_t               delta;
} cmp_pg_crl_due_t;

/* up to CMP_PG_CRL_DUE of them; the return value of _result: as elsewhere */
int cmp_pg_crl_due_send(PGconn *conn, const cmp_pg_crl_rules_t *rules);
int cmp_pg_crl_due_result(PGresult *res, cmp_pg_crl_due_t *due, size_t *n,
    int *more);


/*
 * OCSP: the state of n certificates (1 to CMP_PG_MAX_ELEMENTS), and of those
 * that are known the DER if it is wanted.  Reads only: may be sent again.
 */

typedef struct {
    int32_t               state;        /* cmp_cert_state_e; -1: unknown */
    int32_t               reason;       /* CRLReason */
    int64_t               revoked_at;
    cmp_str_t             der;
} cmp_pg_ocsp_status_t;

int cmp_pg_ocsp_status_send(PGconn *conn, int32_t ca_id,
    const cmp_str_t *serials, size_t n, int der);
int cmp_pg_ocsp_status_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_ocsp_status_t *status, size_t n);


/*
 * Delegated OCSP responders.  A server keeps the one that it has and asks with
 * its number (0: none), so that the rest only comes when there is another one.
 */

typedef struct {
    int32_t               number;       /* of the latest; 0: there is none */
    int32_t               state;        /* cmp_cert_state_e; -1: unknown */
    cmp_str_t             der;          /* empty: the known number, or its */
    cmp_str_t             secret;       /*     certificate is not valid */
} cmp_pg_ocsp_responder_t;

/* key_id: the SKI of a key of the CA; reads only: may be sent again */
int cmp_pg_ocsp_responder_send(PGconn *conn, int32_t ca_id,
    const cmp_str_t *key_id, int32_t known);
int cmp_pg_ocsp_responder_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_ocsp_responder_t *responder);

/*
 * What cmp_ocsp_responder_make() has made; number: that of the latest plus
 * one.  A commit: cmp_pg_commit_outcome().
 */
int cmp_pg_ocsp_responder_store_send(PGconn *conn, int32_t ca_id,
    const cmp_str_t *key_id, int32_t number, const cmp_str_t *secret,
    const cmp_write_cert_t *cert);


/*
 * Which certificates of all CAs were revoked, held or released by
 * transactions that the snapshot does not see; an empty one gives no rows,
 * only a snapshot to begin with.
 */

typedef struct {
    int32_t               ca_id;
    cmp_str_t             serial;
} cmp_pg_change_t;


typedef struct {
    cmp_str_t             snapshot;     /* for the next time: opaque */
    cmp_pg_change_t      *rows;
    size_t                nrows;
    unsigned              all:1;        /* too many: anything may have */
} cmp_pg_changes_t;

int cmp_pg_changes_send(PGconn *conn, const cmp_str_t *snapshot);
int cmp_pg_changes_result(PGresult *res, cmp_pool_t *pool,
    cmp_pg_changes_t *changes);


#endif /* _CMP_PG_H_INCLUDED_ */
