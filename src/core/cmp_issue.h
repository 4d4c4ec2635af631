
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Making and signing a certificate, in two steps: first the profile decides
 * names and extensions, so that the caller can authorise the result, then it
 * is signed.
 */


#ifndef _CMP_ISSUE_H_INCLUDED_
#define _CMP_ISSUE_H_INCLUDED_


#include <cmp_ca.h>


/* fills len bytes; CMP_OK or CMP_ERROR */
typedef int (*cmp_random_pt)(void *data, unsigned char *buf, size_t len);


/* what the requester asks for; borrowed, NULL where absent */

typedef struct {
    const X509_NAME            *subject;      /* NULL or empty: none */
    cmp_public_key_t           *key;
    cmp_str_t                   key_hash;     /* cmp_hash_key() */
    STACK_OF(X509_EXTENSION)   *extensions;
    const ASN1_TIME            *not_before;
    const ASN1_TIME            *not_after;
    int64_t                     now;          /* ms since the epoch */
} cmp_issue_request_t;


/* all of it belongs to the pool */

typedef struct {
    X509_NAME                  *subject;      /* as it will be issued */
    GENERAL_NAMES              *sans;         /* NULL: none */
    X509                       *cert;         /* X509_get0_pubkey() works only
                                                 on a copy decoded from der */
    const cmp_profile_t        *profile;      /* borrowed */
    unsigned                    modified:1;   /* grantedWithMods */
    char                        mods[400];    /* what was changed, for people */

    /* --- made by cmp_issue_sign() --- */

    cmp_str_t                   serial;       /* 20 octets */
    cmp_str_t                   der;
    cmp_str_t                   subject_der;
    cmp_str_t                   subject_text; /* RFC 2253 */
    int64_t                     not_before;   /* ms */
    int64_t                     not_after;
    int                         partition;    /* of CRLs; 0: none */
} cmp_issue_t;


/*
 * Applies the profile: key (cmp_key_check() too), subject, subjectAltName,
 * keyUsage, extKeyUsage, basicConstraints, other extensions, validity (never
 * beyond the CA's own), SKI, AKI, CDP, AIA, policies.  CMP_OK, CMP_DECLINED
 * (NO_KEY, KEY, KEY_ALG, KEY_ALG_UNKNOWN, NO_NAME, SUBJECT, SAN, EXTENSION,
 * EXTENSION_TWICE, EXTENSION_VALUE, KEY_USAGE, CA_CERTIFICATE, TEMPLATE,
 * VALIDITY; UNAVAILABLE: the CA certificate has expired), CMP_ERROR.
 */
int cmp_issue_prepare(const cmp_ca_t *ca, const cmp_profile_t *profile,
    const cmp_issue_request_t *request, cmp_pool_t *pool, cmp_issue_t *issue,
    cmp_refusal_t *refusal);

/*
 * Gives it a serial number and signs it.  With the number come the URLs of the
 * CRLs, which may depend on it.  May be called again for another one.  CMP_OK
 * or CMP_ERROR.
 */
int cmp_issue_sign(const cmp_ca_t *ca, cmp_issue_t *issue, int64_t now,
    cmp_random_pt random, void *random_data, cmp_pool_t *pool);

/*
 * What certificates that the CA makes for itself need too.
 *
 * A serial number: 20 octets, 48-bit milliseconds with the two highest bits
 * set to 01, so that it is positive and of constant length, then 112 random
 * bits.  It is set in the certificate, and given in the pool.
 */
int cmp_issue_serial(X509 *cert, int64_t now, cmp_random_pt random,
    void *random_data, cmp_pool_t *pool, cmp_str_t *serial);

/* notBefore and notAfter, seconds since the epoch; CMP_OK or CMP_ERROR */
int cmp_issue_times(X509 *cert, int64_t from, int64_t to);

/* one of them in seconds; CMP_DECLINED: not in a form of RFC 5280, 4.1.2.5 */
int cmp_issue_time(const ASN1_TIME *time, int64_t *seconds);

/* a Name for people and lists, RFC 2253 in UTF-8, in the pool */
int cmp_issue_name_text(const X509_NAME *name, cmp_pool_t *pool,
    cmp_str_t *text);

/* SHA-256 of a Name's or SubjectPublicKeyInfo's DER, 32 bytes in the pool */
int cmp_hash_name(const X509_NAME *name, cmp_pool_t *pool, cmp_str_t *hash);
int cmp_hash_key(const cmp_public_key_t *key, cmp_pool_t *pool,
    cmp_str_t *hash);


#endif /* _CMP_ISSUE_H_INCLUDED_ */
