
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Kinds of public keys: their names in the configuration, what they can be
 * used for, what is weak.  cmp_key_check() is in cmp_profile.h.
 */


#ifndef _CMP_KEY_H_INCLUDED_
#define _CMP_KEY_H_INCLUDED_


#include <cmp_profile.h>

#include <openssl/bn.h>
#include <openssl/evp.h>


#define CMP_RSA_MIN            2048
#define CMP_RSA_MAX            8192


/* "ec:P-256", ...; CMP_OK, or CMP_ERROR with a message in err */
int cmp_key_rule_parse(const cmp_str_t *word, cmp_key_rule_t *rule, char *err,
    size_t size);

/* the word for a rule in buf; returns buf */
const char *cmp_key_rule_text(const cmp_key_rule_t *rule, char *buf,
    size_t size);

/*
 * The rule that says what kind of key this is, of its public part; CMP_DECLINED
 * for one of a kind that has no name there
 */
int cmp_key_rule_of(EVP_PKEY *key, cmp_key_rule_t *rule);

/*
 * A new key of this kind, RSA with the least number of bits that the rule
 * allows, to be freed by EVP_PKEY_free().  It may take seconds (RSA).  CMP_OK
 * or CMP_ERROR.
 */
int cmp_key_generate(const cmp_key_rule_t *rule, EVP_PKEY **key);

/*
 * The KU_* bits that a key of this algorithm can serve (RFC 3279, 2.3;
 * RFC 8813; RFC 8410, 5), 0 for an unknown one.
 */
uint32_t cmp_key_usages(int nid);

/*
 * 1 when keys of this algorithm sign with a digest of its own and under the
 * OID of the key: EdDSA, ML-DSA, SLH-DSA.
 */
int cmp_key_signs_pure(int nid);

/* the same for a key; then *fast says whether signing blocks nobody */
int cmp_key_pure(EVP_PKEY *key, int *fast);

/*
 * The NID of the hash for the certHash of a certificate that such a key has
 * signed (RFC 9481, 3.3), NID_undef when no RFC names one.
 */
int cmp_key_cert_hash(int nid);

/*
 * NULL when nothing is known against an RSA key, else the reason; "out of
 * memory" is a reason too.
 */
const char *cmp_rsa_weakness(const BIGNUM *n, const BIGNUM *e);


#endif /* _CMP_KEY_H_INCLUDED_ */
