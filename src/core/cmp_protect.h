
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

    /* signature */
    const EVP_MD           *sign_md;    /* NULL: the algorithm has its own */
    int                     key_type;   /* EVP_PKEY_* that it asks for */
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
 * the secret needed again.  CMP_OK or CMP_ERROR.
 */
int cmp_protect_mac(const cmp_protect_t *request, int fresh,
    const cmp_str_t *secret, cmp_random_pt random, void *random_data,
    cmp_pki_message_t *answer, cmp_pool_t *pool);
int cmp_protect_sign(const cmp_ca_t *ca, cmp_pki_message_t *answer,
    cmp_pool_t *pool);


#endif /* _CMP_PROTECT_H_INCLUDED_ */
