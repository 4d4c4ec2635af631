
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Protection of messages: signature, PasswordBasedMac, PBMAC1
 * (RFC 9810, 5.1.3; RFC 9481).
 */


#ifndef _CMP_PROTECT_H_INCLUDED_
#define _CMP_PROTECT_H_INCLUDED_


#include <cmp_ca.h>
#include <cmp_issue.h>
#include <cmp_msg.h>
#include <cmp_store.h>


#define CMP_MIN_ITERATIONS     100
#define CMP_SLOW_ITERATIONS    2000    /* more than that: in a thread */
#define CMP_MIN_SALT           8
#define CMP_MAX_SALT           128


typedef enum {
    CMP_MAC_PBM = 1,
    CMP_MAC_PBMAC1
} cmp_mac_e;


/* a digest that a MAC or a signature may use */

typedef enum {
    CMP_DIGEST_SHA1 = 1,                /* MACs only */
    CMP_DIGEST_SHA2,
    CMP_DIGEST_SHA3
} cmp_digest_family_e;


typedef struct {
    int                     nid;
    int                     hmac;       /* NID of the HMAC with it */
    int                     rsa;        /* NID of RSA PKCS #1 v1.5 with it */
    int                     ecdsa;      /* NID of ECDSA with it */
    int                     family;     /* cmp_digest_family_e */
    const EVP_MD           *(*md)(void);
} cmp_digest_t;


typedef struct {
    const EVP_MD           *md;         /* NULL: the algorithm has its own */
    int                     key_type;   /* NID of the key's algorithm */
    int                     pss_salt;   /* in octets; -1: not RSA-PSS */
} cmp_signature_t;


/* what a MAC may cost and use */

typedef struct {
    long                    max_iterations;
    unsigned                sha1:1;     /* SHA-1 is accepted */
    unsigned                strict:1;   /* SHA-2 only (RFC 9483) */
} cmp_mac_conf_t;


/* how a request is protected */

typedef struct {
    cmp_protection_kind_e   kind;
    cmp_str_t               alg;        /* DER of protectionAlg */

    /* MAC */
    cmp_mac_e               mac;
    const EVP_MD           *owf;        /* PBM: one-way function; PBMAC1: the
                                           PRF of PBKDF2 */
    const EVP_MD           *md;         /* of the HMAC */
    long                    iterations;
    cmp_str_t               salt;
    size_t                  key_len;    /* PBKDF2; 0: the MAC's own */
    cmp_str_t               key;        /* derived; empty: not yet */
    cmp_str_t               secret;     /* that the key was derived from */

    cmp_signature_t         signature;
} cmp_protect_t;


/*
 * Reads protectionAlg and checks algorithm and cost, before any secret or key
 * is touched: NO_PROTECTION, PROTECTION_INCOMPLETE, PROTECTION_ALG, MAC_COST.
 * kind CMP_PROTECTION_NONE with CMP_OK: neither algorithm nor value.
 */
int cmp_protect_parse(const cmp_ca_t *ca, const cmp_msg_t *msg,
    cmp_pool_t *pool, cmp_protect_t *protect, cmp_refusal_t *refusal);

/*
 * Derives the key from the secret (kept in protect, wiped with the pool) and
 * verifies in constant time.  CMP_DECLINED: MESSAGE_CHECK.
 */
int cmp_protect_verify_mac(cmp_protect_t *protect, const cmp_msg_t *msg,
    const cmp_str_t *secret, cmp_pool_t *pool, cmp_refusal_t *refusal);

/*
 * Verifies the signature with the key of cert, which cmp_key_check() has
 * passed; an algorithm that does not fit the key, or a wrong signature, is
 * MESSAGE_CHECK.
 */
int cmp_protect_verify_signature(const cmp_protect_t *protect,
    const cmp_msg_t *msg, X509 *cert, cmp_refusal_t *refusal);

/*
 * Protects an answer whose header and body are complete: sets protectionAlg
 * and protection.  The MAC is that of the request (its algorithms, iteration
 * count, salt and derived key); with fresh, a new salt from random is used and
 * the secret needed again.  "part" is the DER of the ProtectedPart, in memory
 * of the pool.  CMP_OK or CMP_ERROR.
 */
int cmp_protect_mac(const cmp_protect_t *request, int fresh,
    const cmp_str_t *secret, cmp_random_pt random, void *random_data,
    cmp_pki_message_t *answer, cmp_pool_t *pool, cmp_str_t *part);
int cmp_protect_sign(const cmp_ca_t *ca, cmp_pki_message_t *answer,
    cmp_pool_t *pool, cmp_str_t *part);

/* the same "part" for an answer without protection */
int cmp_protect_part(const cmp_pki_message_t *answer, cmp_pool_t *pool,
    cmp_str_t *part);


/*
 * The parts that proof of possession needs too.
 *
 * The digest by its own NID, by that of the HMAC, or by that of the signature
 * algorithm; NULL: not supported.
 */
const cmp_digest_t *cmp_digest_find(int nid);
const cmp_digest_t *cmp_digest_find_hmac(int nid);
const cmp_digest_t *cmp_digest_find_signature(int nid);

/* 1 when the parameters of an AlgorithmIdentifier are absent or NULL */
int cmp_alg_no_parameters(const X509_ALGOR *alg);

/*
 * The MAC fields of an AlgorithmIdentifier of PasswordBasedMac or PBMAC1,
 * nothing is derived: PROTECTION_ALG, MAC_COST.
 */
int cmp_mac_parse(const cmp_mac_conf_t *conf, const X509_ALGOR *alg,
    cmp_pool_t *pool, cmp_protect_t *mac, cmp_refusal_t *refusal);

/*
 * The MAC of data into out (EVP_MAX_MD_SIZE octets); the key is derived from
 * the secret unless it was already.  CMP_OK or CMP_ERROR.
 */
int cmp_mac_compute(cmp_protect_t *mac, const cmp_str_t *secret,
    const cmp_str_t *data, cmp_pool_t *pool, unsigned char *out, size_t *len);

/*
 * 1 when value is the MAC in mac[len], compared in constant time, 0 otherwise
 */
int cmp_mac_equal(const ASN1_BIT_STRING *value, const unsigned char *mac,
    size_t len);

/*
 * Is it a signature algorithm that we verify, with parameters as they should
 * be?  CMP_DECLINED with the given code if not.
 */
int cmp_signature_parse(const X509_ALGOR *alg, int strict, cmp_refuse_e code,
    cmp_signature_t *signature, cmp_refusal_t *refusal);

/*
 * Verifies value over data; CMP_DECLINED with the given code when it is wrong
 * or when the key, which cmp_key_check() has passed, is of another kind.
 */
int cmp_signature_verify(const cmp_signature_t *signature,
    cmp_public_key_t *key, const ASN1_BIT_STRING *value,
    const cmp_str_t *data, cmp_refuse_e code, cmp_refusal_t *refusal);


#endif /* _CMP_PROTECT_H_INCLUDED_ */
