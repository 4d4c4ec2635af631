
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the files cmp_exchange*.c share; nobody else includes it.
 */


#ifndef _CMP_EXCHANGE_LOCAL_H_INCLUDED_
#define _CMP_EXCHANGE_LOCAL_H_INCLUDED_


#include <cmp_exchange.h>
#include <cmp_msg.h>
#include <cmp_path.h>
#include <cmp_pop.h>
#include <cmp_protect.h>

#include <stdio.h>
#include <string.h>


#define CMP_MIN_NONCE          8
#define CMP_MAX_NONCE          64
#define CMP_MAX_TRANSACTION_ID 64
#define CMP_MAX_KID            256
#define CMP_MAX_SERIAL         32
#define CMP_MAX_NESTED         2       /* depth of nested in nested */
#define CMP_MAX_STORED_GENP    16384   /* octets of an answer */


/* what a client is told as long as nobody has decided */

#define CMP_WAIT_TEXT          "an operator has to approve the request"


/* besides CMP_OK and so on: the answer is complete already */

#define CMP_DONE               1


/* one certificate request: a CertReqMsg or a PKCS#10 */

typedef struct {
    int32_t                      id;          /* certReqId */
    unsigned                     id_valid:1;

    const cmp_cert_req_msg_t    *msg;         /* NULL: PKCS#10 */
    X509_REQ                    *p10;
    cmp_str_t                    der;         /* CertRequest as received */

    const cmp_cert_template_t   *cert_template;   /* NULL: PKCS#10 */
    const X509_NAME             *subject;     /* NULL: absent */
    cmp_public_key_t            *key;         /* NULL: absent */
    STACK_OF(X509_EXTENSION)    *extensions;
    cmp_str_t                    key_hash;    /* empty: no key */
    const cmp_cert_id_t         *old_cert_id;
    cmp_str_t                    token_hash;  /* empty: no regToken */

    /* --- of one attempt --- */

    const cmp_profile_t         *profile;
    const cmp_waiting_t         *waiting;     /* what was decided on it */
    const cmp_certificate_t     *target;      /* kur: to be updated */
    X509                        *target_cert;
    const cmp_certificate_t     *displaced;   /* unconfirmed or unused, its
                                                 place is taken */
    const cmp_key_t             *known_key;
    const cmp_credential_t      *token;       /* to be spent */
    cmp_issue_t                  issue;
    int                          status;
    cmp_refusal_t                refusal;
} cmp_request_t;


struct cmp_exchange_s {
    const cmp_exchange_conf_t   *conf;
    const cmp_ca_t              *ca;
    cmp_pool_t                  *pool;

    cmp_msg_t                    msg;
    cmp_protect_t                protect;
    cmp_load_t                   load;
    cmp_refusal_t                refusal;     /* found by parse */
    cmp_request_t               *requests;
    size_t                       nrequests;

    /* nested, or what an RA made its message of (origPKIMessage) */
    cmp_exchange_t              *outer;       /* of an inner message */
    cmp_exchange_t             **inner;
    size_t                       ninner;
    size_t                       ntree;       /* of the outermost: all inner */
    unsigned                     depth;

    unsigned                     strict:1;
    unsigned                     first:1;     /* begins a transaction */
    unsigned                     replayable:1;    /* a replay could change
                                                     something */

    /* --- of one attempt --- */

    cmp_pool_t                  *work;
    const cmp_records_t         *records;
    const cmp_transaction_t     *transaction; /* that it belongs to */
    const cmp_credential_t      *credential;
    cmp_signer_t                 signer;
    cmp_str_t                    signer_der;
    cmp_str_t                    signer_hash;
    cmp_str_t                    protection_alg;  /* for comparison */
    cmp_str_t                    transaction_id;
    unsigned                     id_claimable:1;
    unsigned                     id_written:1;    /* the refusal ends it */
    unsigned                     implicit_asked:1;
    unsigned                     implicit_granted:1;
    unsigned                     confirm_wait:1;  /* certConf is expected */
    unsigned                     ca_pubs:1;
    unsigned                     polled:1;    /* msg is the one polled for */

    unsigned                     header_ok:1;     /* refused later, if at all */
    unsigned                     has_writes:1;
    unsigned                     failed:1;    /* the inner ones do not count */
    cmp_refusal_t                refused;
    cmp_protection_kind_e        kind;        /* of the requester */

    cmp_pki_message_t           *answer;
    unsigned char                nonce[CMP_NONCE_LEN];
    size_t                       max_changes;
    size_t                       max_audits;
    cmp_writes_t                 writes;
    cmp_str_t                    reply;
    cmp_exchange_info_t          info;
};


/* cmp_exchange_load.c */

int cmp_exchange_fill_load(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_load_requests(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_hash(cmp_pool_t *pool, const void *data, size_t len,
    cmp_str_t *hash);
const cmp_certificate_t *cmp_exchange_certificate(const cmp_exchange_t *ex,
    const cmp_str_t *serial);
cmp_str_t cmp_serial_octets(const ASN1_INTEGER *serial);
/* the last commonName, borrowed, or NULL */
ASN1_STRING *cmp_common_name(const X509_NAME *name);
int cmp_name_text(cmp_pool_t *pool, const X509_NAME *name, cmp_str_t *text);
int cmp_reason(const STACK_OF(X509_EXTENSION) *extensions, long *reason);

/* cmp_exchange_auth.c, cmp_exchange_header.c: steps 5 to 7 of the checks */

int cmp_exchange_authenticate(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_header(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_time(const ASN1_TIME *time, int64_t *ms);

/* cmp_exchange_reply.c */

int cmp_reply_create(cmp_exchange_t *ex);
int cmp_reply_error(cmp_exchange_t *ex, const cmp_refusal_t *refusal);
int cmp_reply_finish(cmp_exchange_t *ex);
int cmp_set_integer(ASN1_INTEGER **integer, long value);
int cmp_set_octets(ASN1_OCTET_STRING **string, const void *data, size_t len);
GENERAL_NAME *cmp_directory_name(const X509_NAME *name);
int cmp_push_certificate(STACK_OF(X509) **certs, X509 *cert);

/* writes */

int cmp_write_audit(cmp_exchange_t *ex, int status, int fail_info,
    const cmp_str_t *serial, const char *text);
int cmp_write_change(cmp_exchange_t *ex, const cmp_certificate_t *cert,
    cmp_change_e action, int reason, cmp_by_e by, int64_t invalidity);
cmp_by_e cmp_exchange_by(const cmp_exchange_t *ex);

/*
 * Bodies.  CMP_OK: ex->answer->body and ex->writes are complete;
 * CMP_DECLINED: the answer is an error.
 */

int cmp_exchange_enroll(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_confirm(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_confirm_all(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_abandon(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_revoke(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_support(cmp_exchange_t *ex, cmp_refusal_t *refusal);
/* CMP_WANT_... for a genm */
int32_t cmp_support_want(const cmp_gen_msg_content_t *request);

int cmp_exchange_poll(cmp_exchange_t *ex, cmp_refusal_t *refusal);

/* cmp_exchange_enroll.c: the requests alone, also those polled for */
int cmp_exchange_enroll_requests(cmp_exchange_t *ex, cmp_refusal_t *refusal);

/* nested with one message: protection was added, nothing else */
#define cmp_exchange_is_added(ex)                                             \
    ((ex)->msg.type == CMP_BODY_NESTED && (ex)->ninner == 1)

/* CMP_DONE: the answer is that of the only inner message */
int cmp_exchange_parse_nested(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_nested(cmp_exchange_t *ex, cmp_refusal_t *refusal);

/* origPKIMessage: decoding with the message, verification when it is an RA's */
int cmp_exchange_parse_original(cmp_exchange_t *ex, cmp_refusal_t *refusal);
int cmp_exchange_original(cmp_exchange_t *ex, cmp_refusal_t *refusal);

/* one attempt begins: what an earlier one left is forgotten */
int cmp_exchange_begin(cmp_exchange_t *ex, const cmp_records_t *records);

/* an rr that is refused as a whole is answered by rp: one status each */
int cmp_exchange_refuse_rr(cmp_exchange_t *ex, const cmp_refusal_t *refusal);

/*
 * cmp_exchange_wait.c: requests that wait for an operator.  A message that
 * waits as a whole is answered by cmp_wait_error().  cmp_wait_decided() is
 * CMP_OK or CMP_DECLINED, cmp_wait_answered() ends the wait of the request
 * that a message polled for has.
 */

int cmp_wait_request(cmp_exchange_t *ex, cmp_request_t *req);
int cmp_wait_add(cmp_exchange_t *ex, const cmp_write_request_t *request);
int cmp_wait_serial(cmp_exchange_t *ex, const cmp_str_t *serial);
int cmp_wait_error(cmp_exchange_t *ex);
int cmp_wait_support(cmp_exchange_t *ex);
int cmp_wait_cancel(cmp_exchange_t *ex);
int cmp_wait_decided(const cmp_exchange_t *ex, const cmp_waiting_t *waiting,
    cmp_refusal_t *refusal);
int cmp_wait_answered(cmp_exchange_t *ex, int32_t id, int status,
    const cmp_str_t *serial);
const cmp_waiting_t *cmp_wait_find(const cmp_exchange_t *ex, int32_t id);
int cmp_wait_pending(const cmp_exchange_t *ex, const cmp_waiting_t *waiting);
cmp_tx_state_e cmp_wait_state(const cmp_exchange_t *ex);
int cmp_wait_write(cmp_exchange_t *ex);

/* cmp_exchange_request.c: one certificate request, up to its signature */
int cmp_request_decide(cmp_exchange_t *ex, cmp_request_t *req);

/* cmp_exchange_control.c */
int cmp_exchange_load_controls(cmp_exchange_t *ex, cmp_request_t *req);
int cmp_request_controls(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
int cmp_request_token(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);

/* cmp_exchange_scope.c */
const cmp_profile_t *cmp_exchange_profile(const cmp_exchange_t *ex,
    const cmp_str_t *name);
int cmp_exchange_select_profiles(cmp_exchange_t *ex, cmp_refusal_t *refusal);
/* the one that a genm asks about */
int cmp_exchange_select_profile(cmp_exchange_t *ex,
    const cmp_profile_t **profile, cmp_refusal_t *refusal);
int cmp_request_authorise(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
int cmp_exchange_scope_profile(const cmp_scope_t *scope,
    const cmp_str_t *profile);
int cmp_exchange_scope_subject(const cmp_exchange_t *ex,
    const X509_NAME *subject);


#endif /* _CMP_EXCHANGE_LOCAL_H_INCLUDED_ */
