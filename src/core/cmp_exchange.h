
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * One exchange: a request in, needs out, records in, reply and writes out.
 *
 *     cmp_exchange_parse()      what has to be loaded
 *     cmp_exchange_decide()     the reply and what it writes
 *
 * Nothing here waits, reads a clock or makes randomness of its own.  One
 * exchange is used by one thread at a time.
 */


#ifndef _CMP_EXCHANGE_H_INCLUDED_
#define _CMP_EXCHANGE_H_INCLUDED_


#include <cmp_ca.h>
#include <cmp_issue.h>
#include <cmp_store.h>


/* operation labels in the URI (RFC 9483, 6.1; RFC 9811, 3.4) */

typedef enum {
    CMP_LABEL_NONE = 0,
    CMP_LABEL_INITIALIZATION,
    CMP_LABEL_CERTIFICATION,
    CMP_LABEL_KEYUPDATE,
    CMP_LABEL_PKCS10,
    CMP_LABEL_REVOCATION,
    CMP_LABEL_GETCACERTS,
    CMP_LABEL_GETROOTUPDATE,
    CMP_LABEL_GETCERTREQTEMPLATE,
    CMP_LABEL_GETCRLS,
    CMP_LABEL_NESTED
} cmp_label_e;


/* the label for a name, -1 when there is no such label */
int cmp_exchange_label(const cmp_str_t *name);


typedef struct {
    const cmp_ca_t       *ca;
    cmp_str_t             profile;      /* of the URI; empty: none */
    int                   label;        /* cmp_label_e */
    cmp_str_t             client;       /* network address, for the audit */
    int64_t               now;          /* ms since the epoch */
    cmp_random_pt         random;
    void                 *random_data;
    unsigned              sign_refusals:1;  /* before authentication */

    /* is this the subject of another CA of this server?  May be NULL */
    int                 (*other_ca)(void *data, const X509_NAME *name);
    void                 *other_ca_data;
} cmp_exchange_conf_t;


typedef enum {
    CMP_EXCHANGE_ERROR = -1,    /* out of memory and the like: HTTP 500 */
    CMP_EXCHANGE_LOAD = 0,      /* load, then decide */
    CMP_EXCHANGE_DECIDE,        /* decide with NULL records */
    CMP_EXCHANGE_COMMIT,        /* commit the writes, then send the reply */
    CMP_EXCHANGE_REPLY,         /* send the reply, nothing to commit */
    CMP_EXCHANGE_UNDECODABLE,   /* HTTP 400 with the reply */
    CMP_EXCHANGE_FORBIDDEN      /* HTTP 403 without a body */
} cmp_exchange_e;


/* what variables, logs and counters show; set as far as known */

typedef struct {
    const char           *operation;      /* "ir", ...; "-" */
    cmp_str_t             transaction_id;
    cmp_str_t             sender;         /* text */
    cmp_str_t             requester;      /* authenticated; empty: not yet */
    cmp_str_t             profile;
    cmp_str_t             serial;         /* issued, confirmed or revoked */
    int                   status;         /* PKIStatus of the answer; -1 */
    int                   fail_info;      /* bit; -1 */
    const char           *text;           /* reason of a refusal, or NULL */
    const char           *log;            /* more, only for the log; or NULL */
    unsigned              authenticated:1;
    unsigned              mac_failed:1;   /* to be throttled */
    unsigned              signed_refusal:1;   /* took from the budget */
    unsigned              repeat:1;       /* a stored reply is sent again */
} cmp_exchange_info_t;


typedef struct cmp_exchange_s  cmp_exchange_t;


/*
 * conf and what it points to must outlive the exchange.  NULL when out of
 * memory.
 */
cmp_exchange_t *cmp_exchange_create(const cmp_exchange_conf_t *conf);
void cmp_exchange_destroy(cmp_exchange_t *ex);

/* the bytes of the request must outlive the exchange; called once */
cmp_exchange_e cmp_exchange_parse(cmp_exchange_t *ex,
    const unsigned char *data, size_t len);

/*
 * What to load; valid after CMP_EXCHANGE_LOAD.  A nested message has several
 * loads, to be made in one round trip.
 */
size_t cmp_exchange_nloads(const cmp_exchange_t *ex);
const cmp_load_t *cmp_exchange_load(const cmp_exchange_t *ex, size_t n);

/* would decide stop an event loop for long: slow keys, many iterations */
int cmp_exchange_slow(const cmp_exchange_t *ex);

/*
 * Decides on the records, an array with one item for each load, which must
 * outlive the exchange or the next call.
 * After a lost race it is called again with fresh ones.  COMMIT, REPLY or
 * ERROR.
 */
cmp_exchange_e cmp_exchange_decide(cmp_exchange_t *ex,
    const cmp_records_t *records);

/* what to write, all of it in one transaction; valid after COMMIT */
size_t cmp_exchange_nwrites(const cmp_exchange_t *ex);
const cmp_writes_t *cmp_exchange_writes(const cmp_exchange_t *ex, size_t n);

/*
 * The store is away, or the race was lost too often: replaces the reply by an
 * error with systemUnavail, protected as the request was when that could be
 * verified.  REPLY or ERROR.
 */
cmp_exchange_e cmp_exchange_unavailable(cmp_exchange_t *ex);

cmp_str_t cmp_exchange_reply(const cmp_exchange_t *ex);
const cmp_exchange_info_t *cmp_exchange_info(const cmp_exchange_t *ex);

/* an arena for records that are to live as long as the exchange */
cmp_pool_t *cmp_exchange_pool(cmp_exchange_t *ex);


#endif /* _CMP_EXCHANGE_H_INCLUDED_ */
