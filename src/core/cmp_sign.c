
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_asn1.h>
#include <cmp_ca.h>
#include <cmp_key.h>

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>


#define CMP_SIGN_INLINE_BITS    256    /* of an EC key */
#define CMP_SIGN_ALGORITHM_LEN  256    /* of an AlgorithmIdentifier */


/*
 * The digest for keys of at most this many bits; in order of size.  Keys with
 * a digest of their own are in the table of cmp_key.c.
 */

typedef struct {
    const char      *type;          /* name of the key type in libcrypto */
    int              max;           /* 0: all */
    const EVP_MD  *(*md)(void);
    unsigned         fast:1;
} cmp_sign_entry_t;


static const cmp_sign_entry_t *cmp_sign_entry(EVP_PKEY *key);
static int cmp_sign_foreign(EVP_PKEY *key);


/*
 * RFC 9481, 3 with the strengths of SP 800-57: 2048 and 3072 bits of RSA go
 * with SHA-256.  Signing with P-384 takes as long as with RSA-2048 before
 * OpenSSL 3.2.
 */

static const cmp_sign_entry_t  cmp_sign_table[] = {
    { "RSA", 4096, EVP_sha256, 0 },
    { "RSA", 0, EVP_sha384, 0 },
    { "RSA-PSS", 4096, EVP_sha256, 0 },
    { "RSA-PSS", 0, EVP_sha384, 0 },
    { "EC", CMP_SIGN_INLINE_BITS, EVP_sha256, 1 },
    { "EC", 384, EVP_sha384, 0 },
    { "EC", 0, EVP_sha512, 0 },
    { NULL, 0, NULL, 0 }
};


static const cmp_sign_entry_t *
cmp_sign_entry(EVP_PKEY *key)
{
    int                      bits;
    const cmp_sign_entry_t  *entry;

    bits = EVP_PKEY_get_bits(key);

    for (entry = cmp_sign_table; entry->type != NULL; entry++) {
        if ((entry->max == 0 || bits <= entry->max)
            && EVP_PKEY_is_a(key, entry->type))
        {
            return entry;
        }
    }

    return NULL;
}


int
cmp_sign_md(EVP_PKEY *key, const EVP_MD **md)
{
    int                      nid, fast;
    const cmp_sign_entry_t  *entry;

    *md = NULL;

    if (cmp_key_pure(key, &fast) != 0) {
        return CMP_OK;
    }

    entry = cmp_sign_entry(key);

    if (entry == NULL) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    *md = entry->md();

    /* parameters in the key may prescribe the digest */

    if (EVP_PKEY_is_a(key, "RSA-PSS")
        && EVP_PKEY_get_default_digest_nid(key, &nid) == 2)
    {
        *md = EVP_get_digestbynid(nid);
    }

    cmp_crypto_error(NULL, 0);

    return (*md != NULL) ? CMP_OK : CMP_ERROR;
}


EVP_MD_CTX *
cmp_sign_ctx(EVP_PKEY *key, const EVP_MD *md)
{
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL || EVP_DigestSignInit(ctx, &pctx, md, NULL, key) <= 0) {
        goto failed;
    }

    /* a salt as long as the digest, or what parameters in the key ask for */

    if (EVP_PKEY_is_a(key, "RSA-PSS")
        && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) <= 0
        && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_MAX) <= 0)
    {
        goto failed;
    }

    cmp_crypto_error(NULL, 0);

    return ctx;

failed:

    cmp_crypto_error(NULL, 0);
    EVP_MD_CTX_free(ctx);

    return NULL;
}


X509_ALGOR *
cmp_sign_algorithm(EVP_MD_CTX *ctx)
{
    X509_ALGOR           *alg;
    OSSL_PARAM            params[2];
    unsigned char         der[CMP_SIGN_ALGORITHM_LEN];
    const unsigned char  *p;

    alg = NULL;

    params[0] = OSSL_PARAM_construct_octet_string(
                             OSSL_SIGNATURE_PARAM_ALGORITHM_ID, der,
                             sizeof(der));
    params[1] = OSSL_PARAM_construct_end();

    if (EVP_PKEY_CTX_get_params(EVP_MD_CTX_get_pkey_ctx(ctx), params) == 1
        && OSSL_PARAM_modified(&params[0]))
    {
        p = der;
        alg = d2i_X509_ALGOR(NULL, &p, (long) params[0].return_size);
    }

    cmp_crypto_error(NULL, 0);

    return alg;
}


int
cmp_sign(EVP_MD_CTX *ctx, const cmp_str_t *data, ASN1_BIT_STRING *signature)
{
    int             rc;
    size_t          len;
    unsigned char  *value;

    rc = CMP_ERROR;
    value = NULL;

    if (EVP_DigestSign(ctx, NULL, &len, data->data, data->len) == 1) {
        value = OPENSSL_malloc(len);
    }

    if (value != NULL
        && EVP_DigestSign(ctx, value, &len, data->data, data->len) == 1
        && cmp_asn1_set_octets(signature, value, len) == 1)
    {
        rc = CMP_OK;
    }

    OPENSSL_free(value);
    cmp_crypto_error(NULL, 0);

    return rc;
}


int
cmp_sign_slow(EVP_PKEY *key)
{
    int                      fast;
    const cmp_sign_entry_t  *entry;

    if (cmp_key_pure(key, &fast) == 0) {
        entry = cmp_sign_entry(key);
        fast = (entry != NULL && entry->fast);
    }

    cmp_crypto_error(NULL, 0);

    return fast == 0 || cmp_sign_foreign(key) != 0;
}


/* a token, a remote key, an engine */

static int
cmp_sign_foreign(EVP_PKEY *key)
{
    const char           *name;
    const OSSL_PROVIDER  *provider;

    provider = EVP_PKEY_get0_provider(key);

    if (provider == NULL) {
        return 1;
    }

    name = OSSL_PROVIDER_get0_name(provider);

    return strcmp(name, "default") != 0 && strcmp(name, "fips") != 0;
}
