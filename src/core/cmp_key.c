
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_key.h>
#include <cmp_asn1_pool.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>


#define CMP_KU_SIGN       (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION          \
                           | KU_KEY_CERT_SIGN | KU_CRL_SIGN)
#define CMP_KU_TRANSPORT  (KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT)
#define CMP_KU_AGREE      (KU_KEY_AGREEMENT | KU_ENCIPHER_ONLY                \
                           | KU_DECIPHER_ONLY)


/*
 * An algorithm; those with a fixed length have no parameters, and when they
 * sign, then with a digest of their own and under the OID of the key.
 */

typedef struct {
    const char           *name;
    int                   nid;
    uint32_t              usages;       /* KU_* */
    int                   len;          /* of the key in octets; 0: varies */
    int                   hash;         /* for certHash; NID_undef: none is
                                           specified */
    unsigned              fast:1;       /* to sign with */
} cmp_key_alg_t;


typedef struct {
    const char           *name;
    int                   nid;
    int                   len;          /* of a coordinate in octets */
} cmp_key_curve_t;


static const cmp_key_alg_t *cmp_key_alg(int nid);
static int cmp_key_is_pure(const cmp_key_alg_t *alg);
static int cmp_key_is_offered(const cmp_key_alg_t *alg);
static const cmp_key_curve_t *cmp_key_curve(int nid);
static int cmp_key_check_ec(cmp_public_key_t *key, cmp_refusal_t *refusal);
static int cmp_key_check_rsa(cmp_public_key_t *key, int nid,
    cmp_refusal_t *refusal);
static int cmp_key_check_raw(cmp_public_key_t *key, const cmp_key_alg_t *alg,
    cmp_refusal_t *refusal);
static int cmp_der_integer_len(const BIGNUM *n);
static int cmp_der_len(int content);
static int cmp_key_rule_bits(const char *text, cmp_key_rule_t *rule);


/*
 * RFC 9481, 3.3 names the hashes of EdDSA.  No others are named: a certHash
 * goes with hashAlg then (RFC 9810, 5.3.18).
 */

static const cmp_key_alg_t  cmp_key_algs[] = {

    { "rsa", NID_rsaEncryption, CMP_KU_SIGN | CMP_KU_TRANSPORT, 0, 0, 0 },
    { "rsa-pss", NID_rsassaPss, CMP_KU_SIGN, 0, 0, 0 },
    { "ec", NID_X9_62_id_ecPublicKey, CMP_KU_SIGN | CMP_KU_AGREE, 0, 0, 0 },
    { "ed25519", NID_ED25519, CMP_KU_SIGN, 32, NID_sha512, 1 },
    { "ed448", NID_ED448, CMP_KU_SIGN, 57, NID_shake256, 1 },
    { "x25519", NID_X25519, CMP_KU_AGREE, 32, 0, 0 },
    { "x448", NID_X448, CMP_KU_AGREE, 56, 0, 0 },

#ifdef NID_ML_DSA_44
    { "ml-dsa-44", NID_ML_DSA_44, CMP_KU_SIGN, 1312, 0, 0 },
    { "ml-dsa-65", NID_ML_DSA_65, CMP_KU_SIGN, 1952, 0, 0 },
    { "ml-dsa-87", NID_ML_DSA_87, CMP_KU_SIGN, 2592, 0, 0 },
#endif

#ifdef NID_SLH_DSA_SHA2_128s
    { "slh-dsa-sha2-128s", NID_SLH_DSA_SHA2_128s, CMP_KU_SIGN, 32, 0, 0 },
    { "slh-dsa-sha2-128f", NID_SLH_DSA_SHA2_128f, CMP_KU_SIGN, 32, 0, 0 },
    { "slh-dsa-sha2-192s", NID_SLH_DSA_SHA2_192s, CMP_KU_SIGN, 48, 0, 0 },
    { "slh-dsa-sha2-192f", NID_SLH_DSA_SHA2_192f, CMP_KU_SIGN, 48, 0, 0 },
    { "slh-dsa-sha2-256s", NID_SLH_DSA_SHA2_256s, CMP_KU_SIGN, 64, 0, 0 },
    { "slh-dsa-sha2-256f", NID_SLH_DSA_SHA2_256f, CMP_KU_SIGN, 64, 0, 0 },
    { "slh-dsa-shake-128s", NID_SLH_DSA_SHAKE_128s, CMP_KU_SIGN, 32, 0, 0 },
    { "slh-dsa-shake-128f", NID_SLH_DSA_SHAKE_128f, CMP_KU_SIGN, 32, 0, 0 },
    { "slh-dsa-shake-192s", NID_SLH_DSA_SHAKE_192s, CMP_KU_SIGN, 48, 0, 0 },
    { "slh-dsa-shake-192f", NID_SLH_DSA_SHAKE_192f, CMP_KU_SIGN, 48, 0, 0 },
    { "slh-dsa-shake-256s", NID_SLH_DSA_SHAKE_256s, CMP_KU_SIGN, 64, 0, 0 },
    { "slh-dsa-shake-256f", NID_SLH_DSA_SHAKE_256f, CMP_KU_SIGN, 64, 0, 0 },
#endif

    { NULL, 0, 0, 0, 0, 0 }
};


/* all of prime order: a point on the curve generates all of it */

static const cmp_key_curve_t  cmp_key_curves[] = {
    { "P-256", NID_X9_62_prime256v1, 32 },
    { "P-384", NID_secp384r1, 48 },
    { "P-521", NID_secp521r1, 66 },
    { "brainpoolP256r1", NID_brainpoolP256r1, 32 },
    { "brainpoolP384r1", NID_brainpoolP384r1, 48 },
    { "brainpoolP512r1", NID_brainpoolP512r1, 64 },
    { "secp256k1", NID_secp256k1, 32 },
    { NULL, 0, 0 }
};


static const cmp_key_alg_t *
cmp_key_alg(int nid)
{
    const cmp_key_alg_t  *alg;

    for (alg = cmp_key_algs; alg->name != NULL; alg++) {
        if (alg->nid == nid) {
            return alg;
        }
    }

    return NULL;
}


static const cmp_key_curve_t *
cmp_key_curve(int nid)
{
    const cmp_key_curve_t  *curve;

    for (curve = cmp_key_curves; curve->name != NULL; curve++) {
        if (curve->nid == nid) {
            return curve;
        }
    }

    return NULL;
}


static int
cmp_key_is_pure(const cmp_key_alg_t *alg)
{
    return alg->len != 0 && (alg->usages & KU_DIGITAL_SIGNATURE) != 0;
}


/* the libcrypto at run time may be older, or have its default provider off */

static int
cmp_key_is_offered(const cmp_key_alg_t *alg)
{
    const char   *name;
    EVP_KEYMGMT  *keymgmt;

    name = OBJ_nid2sn(alg->nid);
    keymgmt = (name != NULL) ? EVP_KEYMGMT_fetch(NULL, name, NULL) : NULL;

    cmp_crypto_error(NULL, 0);

    if (keymgmt == NULL) {
        return 0;
    }

    EVP_KEYMGMT_free(keymgmt);

    return 1;
}


int
cmp_key_signs_pure(int nid)
{
    const cmp_key_alg_t  *alg;

    alg = cmp_key_alg(nid);

    return alg != NULL && cmp_key_is_pure(alg) != 0;
}


int
cmp_key_pure(EVP_PKEY *key, int *fast)
{
    const char           *name;
    const cmp_key_alg_t  *alg;

    for (alg = cmp_key_algs; alg->name != NULL; alg++) {

        if (cmp_key_is_pure(alg) == 0) {
            continue;
        }

        name = OBJ_nid2sn(alg->nid);

        if (name != NULL && EVP_PKEY_is_a(key, name)) {
            *fast = alg->fast;
            break;
        }
    }

    cmp_crypto_error(NULL, 0);

    return alg->name != NULL;
}


int
cmp_key_cert_hash(int nid)
{
    const cmp_key_alg_t  *alg;

    alg = cmp_key_alg(nid);

    return (alg != NULL) ? alg->hash : NID_undef;
}


uint32_t
cmp_key_usages(int nid)
{
    const cmp_key_alg_t  *alg;

    alg = cmp_key_alg(nid);

    return (alg != NULL) ? alg->usages : 0;
}


int
cmp_key_check(cmp_public_key_t *key, cmp_refusal_t *refusal)
{
    int                   rc;
    char                  name[80];
    const ASN1_OBJECT    *oid;
    const cmp_key_alg_t  *alg;

    X509_ALGOR_get0(&oid, NULL, NULL, key->algorithm);

    alg = cmp_key_alg(OBJ_obj2nid(oid));

    if (alg == NULL) {
        (void) OBJ_obj2txt(name, sizeof(name), oid, 0);
        cmp_crypto_error(NULL, 0);

        return cmp_refuse(refusal, CMP_REFUSE_KEY_ALG_UNKNOWN, "%s", name);
    }

    switch (alg->nid) {

    case NID_rsaEncryption:
    case NID_rsassaPss:
        rc = cmp_key_check_rsa(key, alg->nid, refusal);
        break;

    case NID_X9_62_id_ecPublicKey:
        rc = cmp_key_check_ec(key, refusal);
        break;

    default:
        rc = cmp_key_check_raw(key, alg, refusal);
        break;
    }

    if (rc != CMP_OK) {
        return rc;
    }

    if (cmp_asn1_is_octets(key->subject_public_key) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY,
                          "the public key is not a number of whole octets");
    }

    return CMP_OK;
}


static int
cmp_key_check_ec(cmp_public_key_t *key, cmp_refusal_t *refusal)
{
    int                     type;
    cmp_str_t               point;
    const void             *value;
    const cmp_key_curve_t  *curve;

    X509_ALGOR_get0(NULL, &type, &value, key->algorithm);

    if (type != V_ASN1_OBJECT) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY, "only EC keys on a named "
                          "curve are accepted, no explicit parameters");
    }

    curve = cmp_key_curve(OBJ_obj2nid(value));

    if (curve == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY,
                          "the elliptic curve is not supported");
    }

    point = cmp_octets(key->subject_public_key);

    if (point.len != 1 + 2 * (size_t) curve->len
        || point.data[0] != POINT_CONVERSION_UNCOMPRESSED)
    {
        return cmp_refuse(refusal, CMP_REFUSE_KEY,
                          "the point is not encoded in uncompressed form");
    }

    /* libcrypto decodes no point that is not on its curve */

    if (cmp_public_key_get(key) == NULL) {
        (void) cmp_refuse_crypto(refusal, CMP_REFUSE_KEY);
        return cmp_refuse(refusal, CMP_REFUSE_KEY,
                          "the point is not on the curve");
    }

    return CMP_OK;
}


static int
cmp_key_check_rsa(cmp_public_key_t *key, int nid, cmp_refusal_t *refusal)
{
    int          type, content;
    BIGNUM      *n, *e;
    EVP_PKEY    *pkey;
    const char  *reason;

    X509_ALGOR_get0(NULL, &type, NULL, key->algorithm);

    if (nid == NID_rsaEncryption && type != V_ASN1_NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY, "the parameters of "
                          "rsaEncryption are not NULL");
    }

    pkey = cmp_public_key_get(key);

    if (pkey == NULL) {
        return cmp_refuse_crypto(refusal, CMP_REFUSE_KEY);
    }

    n = NULL;
    e = NULL;

    if (!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n)
        || !EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e))
    {
        BN_free(n);
        return cmp_refuse_crypto(refusal, CMP_REFUSE_KEY);
    }

    reason = cmp_rsa_weakness(n, e);

    content = cmp_der_integer_len(n) + cmp_der_integer_len(e);

    BN_free(n);
    BN_free(e);

    if (reason != NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY, "%s", reason);
    }

    if (ASN1_STRING_length(key->subject_public_key) != cmp_der_len(content)) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY,
                          "the public key is not DER encoded");
    }

    return CMP_OK;
}


static int
cmp_key_check_raw(cmp_public_key_t *key, const cmp_key_alg_t *alg,
    cmp_refusal_t *refusal)
{
    int  type;

    X509_ALGOR_get0(NULL, &type, NULL, key->algorithm);

    if (type != V_ASN1_UNDEF) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY,
                          "the algorithm of the key has no parameters");
    }

    if (ASN1_STRING_length(key->subject_public_key) != alg->len) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY,
                          "the public key has a wrong length");
    }

    if (cmp_public_key_get(key) == NULL) {
        return cmp_refuse_crypto(refusal, CMP_REFUSE_KEY);
    }

    return CMP_OK;
}


static int
cmp_der_integer_len(const BIGNUM *n)
{
    return cmp_der_len(BN_num_bits(n) / 8 + 1);
}


static int
cmp_der_len(int content)
{
    if (content < 0x80) {
        return 2 + content;
    }

    if (content < 0x100) {
        return 3 + content;
    }

    return 4 + content;
}


int
cmp_profile_check_key(const cmp_profile_t *profile, cmp_public_key_t *key,
    cmp_refusal_t *refusal)
{
    int                    type;
    char                   text[160], word[48];
    size_t                 i, n;
    EVP_PKEY              *pkey;
    const void            *value;
    cmp_key_rule_t         asked;
    const cmp_key_rule_t  *rule;

    memset(&asked, 0, sizeof(cmp_key_rule_t));

    pkey = cmp_public_key_get(key);

    if (pkey == NULL) {
        return cmp_refuse_crypto(refusal, CMP_REFUSE_KEY);
    }

    asked.nid = cmp_public_key_nid(key);

    if (asked.nid == NID_X9_62_id_ecPublicKey) {
        X509_ALGOR_get0(NULL, &type, &value, key->algorithm);

        if (type == V_ASN1_OBJECT) {
            asked.curve = OBJ_obj2nid(value);
        }

    } else if (asked.nid == NID_rsaEncryption || asked.nid == NID_rsassaPss) {
        asked.min = EVP_PKEY_get_bits(pkey);
        asked.max = asked.min;
    }

    n = 0;
    text[0] = '\0';

    for (i = 0; i < profile->nkeys; i++) {
        rule = &profile->keys[i];

        if (rule->nid == asked.nid && rule->curve == asked.curve
            && asked.min >= rule->min && asked.max <= rule->max)
        {
            return CMP_OK;
        }

        if (n < sizeof(text)) {
            n += snprintf(text + n, sizeof(text) - n, "%s%s",
                          (i != 0) ? ", " : "",
                          cmp_key_rule_text(rule, word, sizeof(word)));
        }
    }

    return cmp_refuse(refusal, CMP_REFUSE_KEY_ALG, "%s is none of %s",
                      cmp_key_rule_text(&asked, word, sizeof(word)), text);
}


const char *
cmp_key_rule_text(const cmp_key_rule_t *rule, char *buf, size_t size)
{
    const char             *name;
    const cmp_key_alg_t    *alg;
    const cmp_key_curve_t  *curve;

    alg = cmp_key_alg(rule->nid);
    name = (alg != NULL) ? alg->name : "unknown";

    if (rule->nid == NID_X9_62_id_ecPublicKey) {
        curve = cmp_key_curve(rule->curve);

        snprintf(buf, size, "%s:%s", name,
                 (curve != NULL) ? curve->name : "unknown");

    } else if (rule->max == 0) {
        snprintf(buf, size, "%s", name);

    } else if (rule->min == rule->max) {
        snprintf(buf, size, "%s:%d", name, rule->min);

    } else {
        snprintf(buf, size, "%s:%d-%d", name, rule->min, rule->max);
    }

    return buf;
}


int
cmp_key_rule_parse(const cmp_str_t *word, cmp_key_rule_t *rule, char *err,
    size_t size)
{
    char                    buf[64], *arg;
    const cmp_key_alg_t    *alg;
    const cmp_key_curve_t  *curve;

    memset(rule, 0, sizeof(cmp_key_rule_t));

    if (word->len >= sizeof(buf)) {
        snprintf(err, size, "invalid key \"%.*s\"", (int) word->len,
                 (const char *) word->data);
        return CMP_ERROR;
    }

    memcpy(buf, word->data, word->len);
    buf[word->len] = '\0';

    arg = strchr(buf, ':');

    if (arg != NULL) {
        *arg++ = '\0';
    }

    for (alg = cmp_key_algs; alg->name != NULL; alg++) {
        if (strcmp(buf, alg->name) == 0) {
            break;
        }
    }

    if (alg->name == NULL) {

        if (strncmp(buf, "ml-dsa-", 7) == 0
            || strncmp(buf, "slh-dsa-", 8) == 0)
        {
            snprintf(err, size, "this OpenSSL has no key \"%s\", 3.5 is the "
                     "first", buf);
            return CMP_ERROR;
        }

        snprintf(err, size, "unknown key \"%s\", known are ec:<curve>, "
                 "rsa:<bits>, rsa-pss:<bits>, ed25519, ed448, x25519, x448",
                 buf);
        return CMP_ERROR;
    }

    if (cmp_key_is_offered(alg) == 0) {
        snprintf(err, size, "this OpenSSL offers no key \"%s\"", buf);
        return CMP_ERROR;
    }

    rule->nid = alg->nid;

    if (alg->nid == NID_X9_62_id_ecPublicKey) {

        for (curve = cmp_key_curves; curve->name != NULL; curve++) {
            if (arg != NULL && strcmp(arg, curve->name) == 0) {
                rule->curve = curve->nid;
                return CMP_OK;
            }
        }

        snprintf(err, size, "\"ec:\" needs one of the curves P-256, P-384, "
                 "P-521, brainpoolP256r1, brainpoolP384r1, brainpoolP512r1, "
                 "secp256k1");
        return CMP_ERROR;
    }

    if (alg->len == 0) {

        if (cmp_key_rule_bits(arg, rule) != CMP_OK) {
            snprintf(err, size, "\"%s\" needs a modulus size or range within "
                     "%d-%d, as in %s:2048-4096", buf, CMP_RSA_MIN,
                     CMP_RSA_MAX, buf);
            return CMP_ERROR;
        }

        return CMP_OK;
    }

    if (arg != NULL) {
        snprintf(err, size, "\"%s\" has no parameter", buf);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* "3072", "2048-4096" */

static int
cmp_key_rule_bits(const char *text, cmp_key_rule_t *rule)
{
    char  *end;
    long   min, max;

    if (text == NULL || *text < '1' || *text > '9') {
        return CMP_DECLINED;
    }

    min = strtol(text, &end, 10);
    max = min;

    if (*end == '-' && end[1] >= '1' && end[1] <= '9') {
        max = strtol(end + 1, &end, 10);
    }

    if (*end != '\0' || min < CMP_RSA_MIN || max > CMP_RSA_MAX || min > max) {
        return CMP_DECLINED;
    }

    rule->min = (int) min;
    rule->max = (int) max;

    return CMP_OK;
}


int
cmp_key_rule_of(EVP_PKEY *key, cmp_key_rule_t *rule)
{
    char                  group[64];
    const char           *name;
    const cmp_key_alg_t  *alg;

    memset(rule, 0, sizeof(cmp_key_rule_t));

    for (alg = cmp_key_algs; alg->name != NULL; alg++) {
        name = OBJ_nid2sn(alg->nid);

        if (name != NULL && EVP_PKEY_is_a(key, name)) {
            break;
        }
    }

    rule->nid = alg->nid;

    if (alg->nid == NID_X9_62_id_ecPublicKey) {

        if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1) {
            rule->curve = OBJ_txt2nid(group);
        }

        if (cmp_key_curve(rule->curve) == NULL) {
            rule->nid = 0;
        }

    } else if (alg->len == 0) {
        rule->min = EVP_PKEY_get_bits(key);
        rule->max = rule->min;
    }

    cmp_crypto_error(NULL, 0);

    return (rule->nid != 0) ? CMP_OK : CMP_DECLINED;
}


int
cmp_key_generate(const cmp_key_rule_t *rule, EVP_PKEY **key)
{
    int            rc;
    const char    *name;
    EVP_PKEY_CTX  *ctx;

    *key = NULL;
    rc = CMP_ERROR;
    name = OBJ_nid2sn(rule->nid);

    ctx = (name != NULL) ? EVP_PKEY_CTX_new_from_name(NULL, name, NULL) : NULL;

    if (ctx != NULL
        && EVP_PKEY_keygen_init(ctx) > 0
        && (rule->curve == 0
            || EVP_PKEY_CTX_set_group_name(ctx, OBJ_nid2sn(rule->curve)) > 0)
        && (rule->min == 0
            || EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, rule->min) > 0)
        && EVP_PKEY_generate(ctx, key) > 0)
    {
        rc = CMP_OK;
    }

    EVP_PKEY_CTX_free(ctx);
    cmp_crypto_error(NULL, 0);

    return rc;
}
