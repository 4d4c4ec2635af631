
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * OCSP: requests, and answers made of what the store knows (RFC 6960, RFC
 * 5019, RFC 9654).
 */


#ifndef _CMP_OCSP_H_INCLUDED_
#define _CMP_OCSP_H_INCLUDED_


#include <cmp_ca.h>
#include <cmp_issue.h>
#include <cmp_store.h>

#include <openssl/ocsp.h>


#define CMP_OCSP_MAX_REQUEST   16384     /* octets of DER */
#define CMP_OCSP_MAX_IDS       16        /* certificates in one request */


/* one certificate that is asked for */

typedef struct {
    OCSP_CERTID          *id;            /* of the request */
    cmp_str_t             serial;        /* content octets, big endian */

    /* --- from the store --- */

    int                   status;        /* V_OCSP_CERTSTATUS_... */
    int                   reason;        /* CRLReason, of a revoked one */
    int64_t               revoked_at;    /* ms */
} cmp_ocsp_id_t;


typedef struct {
    OCSP_REQUEST         *request;       /* freed with the pool */
    const cmp_issuer_t   *issuer;        /* of all of them */
    size_t                issuer_index;  /* in cmp_ca_issuer() */
    int                   hash;          /* cmp_hash_e, of the first CertID */
    cmp_ocsp_id_t         ids[CMP_OCSP_MAX_IDS];
    size_t                nids;
    X509_EXTENSION       *nonce;         /* to be echoed, or NULL */
    int                   error;         /* OCSP_RESPONSE_STATUS_... when it
                                            is refused */
    const char           *log;           /* why */
} cmp_ocsp_request_t;


/* what signs answers for one key of the CA */

typedef struct {
    X509                 *certificate;   /* delegated, or the CA's own */
    EVP_PKEY             *key;
    const EVP_MD         *md;
    unsigned              delegated:1;   /* the certificate is sent along */
} cmp_ocsp_signer_t;


/*
 * CMP_OK; CMP_DECLINED, "error" and "log" say why; CMP_ERROR.  All of the
 * certificates must be of one issuer: the CA by one of its keys.  A signature
 * of the requester is not looked at, it is nobody we know (RFC 6960, 4.1.2).
 */
int cmp_ocsp_parse(const cmp_ca_t *ca, const unsigned char *der, size_t len,
    cmp_pool_t *pool, cmp_ocsp_request_t *request);

/*
 * The same for a plain request: hash, issuer and serial, which points into
 * der, for looking up an answer that was made before.  CMP_DECLINED when it is
 * of any other form, or about another issuer, and cmp_ocsp_parse() has to say
 * what it is.
 */
int cmp_ocsp_parse_plain(const cmp_ca_t *ca, const unsigned char *der,
    size_t len, cmp_ocsp_request_t *request);

/* by the hashes of name and key: CMP_OK and the index, or CMP_DECLINED */
int cmp_ocsp_find_issuer(const cmp_ca_t *ca, int hash, const cmp_str_t *name,
    const cmp_str_t *key, size_t *n);

/*
 * The signed answer, DER in the pool, once the status of each id is set.
 * thisUpdate and producedAt are now, nextUpdate next (ms).  CMP_OK, CMP_ERROR.
 */
int cmp_ocsp_respond(const cmp_ocsp_request_t *request,
    const cmp_ocsp_signer_t *signer, int64_t now, int64_t next,
    cmp_pool_t *pool, cmp_str_t *der);

/* CMP_OK when the key of the issuer signed it, CMP_DECLINED, CMP_ERROR */
int cmp_ocsp_issued_by(const cmp_issuer_t *issuer, const cmp_str_t *der);


/*
 * A delegated responder (RFC 6960, 4.2.2.2): a key and a certificate that one
 * key of the CA has issued for it.  The private key is only ever written
 * sealed (cmp_seal.h).
 */

typedef struct {
    cmp_ocsp_signer_t     signer;
    unsigned char         serial[CMP_SERIAL_LEN];
    int64_t               not_before;    /* ms */
    int64_t               not_after;     /* ms */
    unsigned              slow:1;        /* as in cmp_issuer_t */
} cmp_ocsp_responder_t;


typedef struct {
    const cmp_ca_t       *ca;
    const cmp_issuer_t   *issuer;        /* with its private key */
    const unsigned char  *seal_key;      /* CMP_SEAL_KEY_LEN octets */
    int64_t               now;           /* ms */
    cmp_random_pt         random;
    void                 *random_data;
} cmp_ocsp_responder_params_t;


/*
 * Makes a key and a certificate: of the kind and validity that the CA says,
 * never beyond the certificate of the issuer, with id-kp-OCSPSigning and
 * id-pkix-ocsp-nocheck.  All that the store keeps is in "cert" and "secret",
 * in the pool.  May take seconds (RSA).  CMP_OK or CMP_ERROR.
 */
int cmp_ocsp_responder_make(const cmp_ocsp_responder_params_t *params,
    cmp_pool_t *pool, cmp_write_cert_t *cert, cmp_str_t *secret);

/*
 * What was stored as a responder, to be freed.  CMP_OK; CMP_DECLINED, "why"
 * says what is wrong with it: another key seals, not of this issuer, not for
 * OCSP; CMP_ERROR.
 */
int cmp_ocsp_responder_open(const cmp_ca_t *ca, const cmp_issuer_t *issuer,
    const unsigned char *seal_key, const cmp_str_t *der,
    const cmp_str_t *secret, cmp_ocsp_responder_t **responder,
    const char **why);

/* wipes the key; responder may be NULL */
void cmp_ocsp_responder_free(cmp_ocsp_responder_t *responder);

/* 1 when it may sign now (ms) */
int cmp_ocsp_responder_valid(const cmp_ocsp_responder_t *responder,
    int64_t now);

/*
 * 1 when there should be another one: two thirds of its time have passed, and
 * another one would last longer
 */
int cmp_ocsp_responder_due(const cmp_ocsp_responder_t *responder,
    const cmp_issuer_t *issuer, int64_t now);


/* an answer without a signature: OCSP_RESPONSE_STATUS_..., five octets */
void cmp_ocsp_refusal(int status, unsigned char der[5]);


#endif /* _CMP_OCSP_H_INCLUDED_ */
