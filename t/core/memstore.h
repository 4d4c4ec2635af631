
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The store of cmp_store.h in memory, for tests.  One clock, no threads; all
 * that it hands out is a copy.
 */


#ifndef _MEMSTORE_H_INCLUDED_
#define _MEMSTORE_H_INCLUDED_


#include <cmp_store.h>


typedef struct {
    cmp_str_t                 hash;         /* of the request */
    cmp_str_t                 id;           /* transactionID */
    cmp_str_t                 reply;
    int64_t                   until;
} memstore_reply_t;


typedef struct {
    cmp_transaction_t         record;
    int64_t                   until;        /* forgotten after that */

    /* of requests that wait */
    int64_t                   wait_until;   /* 0: none has ever waited */
    cmp_str_t                 message;
    cmp_str_t                *serials;
    size_t                    nserials;
    cmp_str_t                *key_hashes;
    size_t                    nkey_hashes;
} memstore_transaction_t;


/* one that waits for an operator, or did */

typedef struct {
    cmp_waiting_t             record;
    int32_t                   ca_id;
    cmp_str_t                 transaction_id;
    cmp_write_request_t       data;
    int64_t                   created;
    cmp_str_t                 serial;       /* issued */
    unsigned                  answered:1;
} memstore_request_t;


typedef struct {
    int32_t                   ca_id;
    cmp_certificate_t         record;
    cmp_str_t                 subject;      /* DER of the Name */
    cmp_str_t                 cert_hash;
    int64_t                   not_before;
    int64_t                   not_after;
    int64_t                   invalidity;
} memstore_cert_t;


typedef struct {
    int32_t                   ca_id;
    cmp_credential_t          record;
} memstore_credential_t;


typedef struct {
    int32_t                   ca_id;
    cmp_key_t                 record;
} memstore_key_t;


typedef struct {
    cmp_write_audit_t         record;
    cmp_str_t                 requester;
    cmp_str_t                 client;
} memstore_audit_t;


typedef struct {
    void                    **items;
    size_t                    n;
    size_t                    size;
} memstore_list_t;


typedef struct {
    cmp_pool_t               *pool;
    int64_t                   now;          /* the database's clock, ms */

    memstore_list_t           transactions;
    memstore_list_t           replies;
    memstore_list_t           certs;
    memstore_list_t           keys;
    memstore_list_t           credentials;
    memstore_list_t           audits;
    memstore_list_t           requests;

    cmp_rollover_t           *rollover;     /* borrowed; NULL: none */
    cmp_str_t                 crl;          /* borrowed */
    int64_t                   crl_this_update;

    /* what the next operations are to meet */
    unsigned                  no_load:1;    /* the store is away */
    unsigned                  no_commit:1;  /* it goes away before commit */
    int                       races;        /* so many commits are lost */

    /* called once before the next commit: what another node does */
    void                    (*rival)(void *data);
    void                     *rival_data;

    unsigned                  loads;
    unsigned                  commits;      /* that were successful */
    unsigned                  changes;      /* grows with each row written */
} memstore_t;


/* NULL when out of memory */
memstore_t *memstore_create(int64_t now);
void memstore_destroy(memstore_t *store);

/* records with copies from the pool; UNAVAILABLE or OK */
cmp_commit_e memstore_load(memstore_t *store, const cmp_load_t *load,
    cmp_pool_t *pool, cmp_records_t *records);

/* all of the n writes in order, or nothing */
cmp_commit_e memstore_commit(memstore_t *store, const cmp_writes_t **writes,
    size_t n);

/*
 * What the sweeper does: ends transactions that nobody confirmed in time and
 * revokes their certificates, forgets replies and transactions.
 */
void memstore_sweep(memstore_t *store);

/*
 * An operator decides on a request; reason may be NULL.  CMP_ERROR when it is
 * not pending.
 */
int memstore_decide(memstore_t *store, memstore_request_t *request,
    int approve, const char *reason);

/* the n-th from the end, 0 the last; NULL when there are less */
memstore_request_t *memstore_request(memstore_t *store, size_t n);

/* rows put in by an operator or a test; borrowed strings are copied */
cmp_credential_t *memstore_add_credential(memstore_t *store, int32_t ca_id,
    const cmp_credential_t *credential);
memstore_cert_t *memstore_add_cert(memstore_t *store, int32_t ca_id,
    const cmp_write_cert_t *cert);
int memstore_revoke(memstore_t *store, const cmp_str_t *serial, int reason,
    int by);

/* by its key; NULL when there is none */
memstore_cert_t *memstore_cert(memstore_t *store, const cmp_str_t *serial);
cmp_transaction_t *memstore_transaction(memstore_t *store,
    const cmp_str_t *id);
cmp_key_t *memstore_key(memstore_t *store, int32_t ca_id,
    const cmp_str_t *hash);

/* the n-th from the end, 0 the last; NULL when there are less */
memstore_audit_t *memstore_audit(memstore_t *store, size_t n);


#endif /* _MEMSTORE_H_INCLUDED_ */
