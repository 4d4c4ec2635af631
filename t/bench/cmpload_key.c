
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Keys to be certified, each another one.
 */


#include <cmpload.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>


typedef struct {
    const char         *name;
    const char         *type;
    const char         *curve;
    int                 bits;
} load_key_kind_t;


struct load_keys_s {
    const load_key_kind_t  *kind;

    /* RSA: the key of primes i and j, i < j */
    BIGNUM            **primes;
    BIGNUM             *e;
    BN_CTX             *ctx;
    long                nprimes;
    long                i;
    long                j;
};


static const load_key_kind_t *load_keys_kind(const char *name);
static BIGNUM *load_keys_prime(load_keys_t *keys);
static EVP_PKEY *load_keys_rsa(load_keys_t *keys, const BIGNUM *p,
    const BIGNUM *q);
static void load_keys_param(OSSL_PARAM_BLD *bld, const char *name,
    const BIGNUM *value);
static EVP_PKEY *load_keys_pkey(OSSL_PARAM_BLD *bld);
static unsigned char *load_keys_point(EVP_PKEY *pkey, size_t *len);
static unsigned char *load_keys_rsa_public(EVP_PKEY *pkey, size_t *len);


static const load_key_kind_t  load_key_kinds[] = {
    { "P-256",    "EC",      "P-256", 0 },
    { "P-384",    "EC",      "P-384", 0 },
    { "P-521",    "EC",      "P-521", 0 },
    { "Ed25519",  "ED25519", NULL,    0 },
    { "Ed448",    "ED448",   NULL,    0 },
    { "RSA-2048", "RSA",     NULL,    2048 },
    { "RSA-3072", "RSA",     NULL,    3072 },
    { "RSA-4096", "RSA",     NULL,    4096 },

#ifdef NID_ML_DSA_44
    { "ML-DSA-44", "ML-DSA-44", NULL, 0 },
    { "ML-DSA-65", "ML-DSA-65", NULL, 0 },
    { "ML-DSA-87", "ML-DSA-87", NULL, 0 },
#endif

    { NULL,       NULL,      NULL,    0 }
};


static const load_key_kind_t *
load_keys_kind(const char *name)
{
    const load_key_kind_t  *kind;

    for (kind = load_key_kinds; kind->name != NULL; kind++) {
        if (strcmp(kind->name, name) == 0) {
            return kind;
        }
    }

    return NULL;
}


int
load_keys_known(const char *name)
{
    return load_keys_kind(name) != NULL;
}


/* a list for --help */

void
load_keys_list(char *text, size_t size)
{
    size_t                  n;
    const load_key_kind_t  *kind;

    for (n = 0, kind = load_key_kinds; kind->name != NULL && n < size; kind++) {
        n += snprintf(text + n, size - n, "%s%s", (n != 0) ? " " : "",
                      kind->name);
    }
}


load_keys_t *
load_keys_create(const char *name, long n)
{
    long          i;
    load_keys_t  *keys;

    keys = load_alloc(sizeof(load_keys_t));
    keys->kind = load_keys_kind(name);

    if (keys->kind->bits == 0) {
        return keys;
    }

    for (i = 2; i * (i - 1) / 2 < n; i++) { /* void */ }

    keys->nprimes = i;
    keys->primes = load_alloc(i * sizeof(BIGNUM *));
    keys->ctx = BN_CTX_new();
    keys->e = BN_new();

    if (keys->ctx == NULL
        || keys->e == NULL
        || BN_set_word(keys->e, RSA_F4) != 1)
    {
        load_fatal_crypto("BN_new()");
    }

    for (i = 0; i < keys->nprimes; i++) {
        keys->primes[i] = load_keys_prime(keys);
    }

    keys->i = 0;
    keys->j = 1;

    return keys;
}


/* of half the size, p - 1 having no factor in common with e */

static BIGNUM *
load_keys_prime(load_keys_t *keys)
{
    int      i;
    BIGNUM  *p;

    p = BN_secure_new();
    if (p == NULL) {
        load_fatal_crypto("BN_secure_new()");
    }

    for (i = 0; i < 100; i++) {
        if (BN_generate_prime_ex(p, keys->kind->bits / 2, 0, NULL, NULL, NULL)
            != 1)
        {
            load_fatal_crypto("BN_generate_prime_ex()");
        }

        if (BN_mod_word(p, RSA_F4) != 1) {
            return p;
        }
    }

    load_fatal("no prime was found");
}


EVP_PKEY *
load_keys_make(load_keys_t *keys)
{
    EVP_PKEY  *pkey;

    if (keys->kind->bits != 0) {
        if (keys->j == keys->nprimes) {
            keys->i++;
            keys->j = keys->i + 1;
        }

        if (keys->j >= keys->nprimes) {
            load_fatal("more RSA keys were needed than foreseen");
        }

        return load_keys_rsa(keys, keys->primes[keys->i],
                             keys->primes[keys->j++]);
    }

    if (keys->kind->curve != NULL) {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, keys->kind->type,
                                 keys->kind->curve);

    } else {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, keys->kind->type);
    }

    if (pkey == NULL) {
        load_fatal_crypto("EVP_PKEY_Q_keygen()");
    }

    return pkey;
}


static EVP_PKEY *
load_keys_rsa(load_keys_t *keys, const BIGNUM *p, const BIGNUM *q)
{
    int              ok;
    BIGNUM          *n, *d, *dp, *dq, *qi, *p1, *q1, *phi;
    EVP_PKEY        *pkey;
    OSSL_PARAM_BLD  *bld;

    BN_CTX_start(keys->ctx);

    n = BN_CTX_get(keys->ctx);
    d = BN_CTX_get(keys->ctx);
    dp = BN_CTX_get(keys->ctx);
    dq = BN_CTX_get(keys->ctx);
    qi = BN_CTX_get(keys->ctx);
    p1 = BN_CTX_get(keys->ctx);
    q1 = BN_CTX_get(keys->ctx);
    phi = BN_CTX_get(keys->ctx);
    bld = OSSL_PARAM_BLD_new();

    ok = phi != NULL
         && bld != NULL
         && BN_mul(n, p, q, keys->ctx) == 1
         && BN_sub(p1, p, BN_value_one()) == 1
         && BN_sub(q1, q, BN_value_one()) == 1
         && BN_mul(phi, p1, q1, keys->ctx) == 1
         && BN_mod_inverse(d, keys->e, phi, keys->ctx) != NULL
         && BN_mod(dp, d, p1, keys->ctx) == 1
         && BN_mod(dq, d, q1, keys->ctx) == 1
         && BN_mod_inverse(qi, q, p, keys->ctx) != NULL;

    if (ok == 0) {
        load_fatal_crypto("making of an RSA key");
    }

    load_keys_param(bld, OSSL_PKEY_PARAM_RSA_N, n);
    load_keys_param(bld, OSSL_PKEY_PARAM_RSA_E, keys->e);
    load_keys_param(bld, OSSL_PKEY_PARAM_RSA_D, d);
    load_keys_param(bld, OSSL_PKEY_PARAM_RSA_FACTOR1, p);
    load_keys_param(bld, OSSL_PKEY_PARAM_RSA_FACTOR2, q);
    load_keys_param(bld, OSSL_PKEY_PARAM_RSA_EXPONENT1, dp);
    load_keys_param(bld, OSSL_PKEY_PARAM_RSA_EXPONENT2, dq);
    load_keys_param(bld, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qi);

    pkey = load_keys_pkey(bld);

    OSSL_PARAM_BLD_free(bld);
    BN_CTX_end(keys->ctx);

    return pkey;
}


static void
load_keys_param(OSSL_PARAM_BLD *bld, const char *name, const BIGNUM *value)
{
    if (OSSL_PARAM_BLD_push_BN(bld, name, value) != 1) {
        load_fatal_crypto("OSSL_PARAM_BLD_push_BN()");
    }
}


static EVP_PKEY *
load_keys_pkey(OSSL_PARAM_BLD *bld)
{
    EVP_PKEY      *pkey;
    OSSL_PARAM    *params;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;
    params = OSSL_PARAM_BLD_to_param(bld);
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);

    if (params == NULL
        || ctx == NULL
        || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
    {
        load_fatal_crypto("EVP_PKEY_fromdata()");
    }

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);

    return pkey;
}


/*
 * SubjectPublicKeyInfo from its parts: libcrypto's own way, by encoders that
 * it looks for each time, takes longer than the making of an EC key.
 */

X509_PUBKEY *
load_keys_public(const load_keys_t *keys, EVP_PKEY *pkey)
{
    int             nid, ptype;
    void           *pval;
    size_t          len;
    X509_PUBKEY    *public;
    unsigned char  *data;

    ptype = V_ASN1_UNDEF;
    pval = NULL;

    if (keys->kind->bits != 0) {
        ptype = V_ASN1_NULL;
        data = load_keys_rsa_public(pkey, &len);

    } else if (keys->kind->curve != NULL) {
        ptype = V_ASN1_OBJECT;
        pval = OBJ_nid2obj(EC_curve_nist2nid(keys->kind->curve));
        data = load_keys_point(pkey, &len);

    } else {
        load_must(EVP_PKEY_get_raw_public_key(pkey, NULL, &len) == 1);
        data = OPENSSL_malloc(len);
        load_must(data != NULL);
        load_must(EVP_PKEY_get_raw_public_key(pkey, data, &len) == 1);
    }

    /* one that libcrypto knows by its provider alone has no id but its name */

    nid = EVP_PKEY_get_base_id(pkey);

    if (nid <= 0) {
        nid = OBJ_txt2nid(keys->kind->type);
    }

    public = X509_PUBKEY_new();
    load_must(public != NULL);
    load_must(X509_PUBKEY_set0_param(public, OBJ_nid2obj(nid), ptype, pval,
                                     data, (int) len)
              == 1);

    return public;
}


static unsigned char *
load_keys_point(EVP_PKEY *pkey, size_t *len)
{
    unsigned char  *data;

    load_must(EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY,
                                              NULL, 0, len)
              == 1);

    data = OPENSSL_malloc(*len);
    load_must(data != NULL);
    load_must(EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY,
                                              data, *len, len)
              == 1);

    return data;
}


/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } */

static unsigned char *
load_keys_rsa_public(EVP_PKEY *pkey, size_t *len)
{
    int             size;
    BIGNUM         *n;
    ASN1_INTEGER   *modulus, *exponent;
    unsigned char  *data, *p;

    n = NULL;
    exponent = ASN1_INTEGER_new();
    load_must(exponent != NULL);
    load_must(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1);
    load_must(ASN1_INTEGER_set(exponent, RSA_F4) == 1);

    modulus = BN_to_ASN1_INTEGER(n, NULL);
    load_must(modulus != NULL);

    size = i2d_ASN1_INTEGER(modulus, NULL) + i2d_ASN1_INTEGER(exponent, NULL);
    *len = ASN1_object_size(1, size, V_ASN1_SEQUENCE);

    data = OPENSSL_malloc(*len);
    load_must(data != NULL);

    p = data;
    ASN1_put_object(&p, 1, size, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    (void) i2d_ASN1_INTEGER(modulus, &p);
    (void) i2d_ASN1_INTEGER(exponent, &p);

    ASN1_INTEGER_free(modulus);
    ASN1_INTEGER_free(exponent);
    BN_free(n);

    return data;
}


void
load_keys_free(load_keys_t *keys)
{
    long  i;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->nprimes; i++) {
        BN_clear_free(keys->primes[i]);
    }

    free(keys->primes);
    BN_free(keys->e);
    BN_CTX_free(keys->ctx);
    free(keys);
}
