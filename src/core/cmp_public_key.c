
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <openssl/asn1t.h>

#include <cmp_public_key.h>
#include <cmp_asn1_pool.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/params.h>


/*
 * RSAPublicKey ::= SEQUENCE {
 *     modulus          INTEGER,
 *     publicExponent   INTEGER }
 */

typedef struct {
    BIGNUM  *n;
    BIGNUM  *e;
} cmp_rsa_public_key_t;

DECLARE_ASN1_ITEM(cmp_rsa_public_key_t)

ASN1_SEQUENCE(cmp_rsa_public_key_t) = {
    ASN1_SIMPLE(cmp_rsa_public_key_t, n, BIGNUM),
    ASN1_SIMPLE(cmp_rsa_public_key_t, e, BIGNUM)
} ASN1_SEQUENCE_END(cmp_rsa_public_key_t)


typedef struct {
    int        nid;
    EVP_PKEY  *empty;   /* without a point; NULL: it could not be made */
} cmp_public_key_curve_t;


static int cmp_public_key_callback(int operation, ASN1_VALUE **value,
    const ASN1_ITEM *it, void *arg);
static EVP_PKEY *cmp_public_key_make(const cmp_public_key_t *key);
static EVP_PKEY *cmp_public_key_ec(int curve, const cmp_str_t *point);
static EVP_PKEY *cmp_public_key_rsa(const cmp_str_t *der);
static EVP_PKEY *cmp_public_key_raw(int nid, const cmp_str_t *octets);
static EVP_PKEY *cmp_public_key_other(const cmp_public_key_t *key);
static EVP_PKEY *cmp_public_key_data(const char *name, int selection,
    OSSL_PARAM *params);
static EVP_PKEY *cmp_public_key_curve(int curve);
static void cmp_public_key_init(void);


static CRYPTO_ONCE  cmp_public_key_once = CRYPTO_ONCE_STATIC_INIT;

static cmp_public_key_curve_t  cmp_public_key_curves[] = {
    { NID_X9_62_prime256v1, NULL },
    { NID_secp384r1, NULL },
    { NID_secp521r1, NULL }
};

#define CMP_PUBLIC_KEY_CURVES                                                 \
    (sizeof(cmp_public_key_curves) / sizeof(cmp_public_key_curves[0]))


ASN1_SEQUENCE_cb(cmp_public_key_t, cmp_public_key_callback) = {
    ASN1_SIMPLE(cmp_public_key_t, algorithm, X509_ALGOR),
    ASN1_SIMPLE(cmp_public_key_t, subject_public_key, ASN1_BIT_STRING)
} ASN1_SEQUENCE_END_cb(cmp_public_key_t, cmp_public_key_t)


static int
cmp_public_key_callback(int operation, ASN1_VALUE **value,
    const ASN1_ITEM *it, void *arg)
{
    cmp_public_key_t  *key;

    (void) it;
    (void) arg;

    if (operation == ASN1_OP_FREE_POST) {
        key = (cmp_public_key_t *) *value;
        EVP_PKEY_free(key->pkey);
    }

    return 1;
}


EVP_PKEY *
cmp_public_key_get(cmp_public_key_t *key)
{
    if (key->pkey == NULL) {
        key->pkey = cmp_public_key_make(key);
    }

    return key->pkey;
}


cmp_public_key_t *
cmp_public_key_from(X509_PUBKEY *spki)
{
    int                len;
    EVP_PKEY          *pkey;
    unsigned char     *der;
    cmp_public_key_t  *key;

    der = NULL;
    len = i2d_X509_PUBKEY(spki, &der);

    if (len < 0) {
        cmp_crypto_error(NULL, 0);
        return NULL;
    }

    key = cmp_asn1_decode(cmp_public_key_t, der, (size_t) len);

    OPENSSL_free(der);

    if (key == NULL) {
        cmp_crypto_error(NULL, 0);
        return NULL;
    }

    pkey = X509_PUBKEY_get0(spki);

    if (pkey != NULL && EVP_PKEY_up_ref(pkey) == 1) {
        key->pkey = pkey;
    }

    cmp_crypto_error(NULL, 0);

    return key;
}


int
cmp_public_key_nid(const cmp_public_key_t *key)
{
    const ASN1_OBJECT  *oid;

    X509_ALGOR_get0(&oid, NULL, NULL, key->algorithm);

    return OBJ_obj2nid(oid);
}


static EVP_PKEY *
cmp_public_key_make(const cmp_public_key_t *key)
{
    int          nid, type;
    cmp_str_t    octets;
    const void  *value;

    nid = cmp_public_key_nid(key);
    octets = cmp_octets(key->subject_public_key);

    X509_ALGOR_get0(NULL, &type, &value, key->algorithm);

    if (nid == NID_X9_62_id_ecPublicKey && type == V_ASN1_OBJECT) {
        return cmp_public_key_ec(OBJ_obj2nid(value), &octets);
    }

    if (nid == NID_rsaEncryption && type == V_ASN1_NULL) {
        return cmp_public_key_rsa(&octets);
    }

    if (nid != NID_undef && nid != NID_rsassaPss && type == V_ASN1_UNDEF) {
        return cmp_public_key_raw(nid, &octets);
    }

    return cmp_public_key_other(key);
}


/*
 * Setting up the curve takes several times as long as decoding the point, so
 * there is a key without a point for each of the usual curves.  libcrypto
 * refuses a point that is not on the curve.
 */

static EVP_PKEY *
cmp_public_key_ec(int curve, const cmp_str_t *point)
{
    EVP_PKEY    *pkey, *empty;
    const char  *name;
    OSSL_PARAM   params[3];

    empty = cmp_public_key_curve(curve);

    if (empty != NULL) {
        pkey = EVP_PKEY_dup(empty);

        if (pkey == NULL
            || EVP_PKEY_set1_encoded_public_key(pkey, point->data, point->len)
               != 1)
        {
            EVP_PKEY_free(pkey);
            return NULL;
        }

        return pkey;
    }

    name = (curve != NID_undef) ? OBJ_nid2sn(curve) : NULL;

    if (name == NULL) {
        return NULL;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 (char *) name, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  point->data, point->len);
    params[2] = OSSL_PARAM_construct_end();

    return cmp_public_key_data("EC", EVP_PKEY_PUBLIC_KEY, params);
}


/* NULL: none for this one */

static EVP_PKEY *
cmp_public_key_curve(int curve)
{
    size_t  i;

    if (CRYPTO_THREAD_run_once(&cmp_public_key_once, cmp_public_key_init)
        != 1)
    {
        return NULL;
    }

    for (i = 0; i < CMP_PUBLIC_KEY_CURVES; i++) {
        if (cmp_public_key_curves[i].nid == curve) {
            return cmp_public_key_curves[i].empty;
        }
    }

    return NULL;
}


static void
cmp_public_key_init(void)
{
    size_t      i;
    OSSL_PARAM  params[2];

    for (i = 0; i < CMP_PUBLIC_KEY_CURVES; i++) {

        params[0] = OSSL_PARAM_construct_utf8_string(
                         OSSL_PKEY_PARAM_GROUP_NAME,
                         (char *) OBJ_nid2sn(cmp_public_key_curves[i].nid), 0);
        params[1] = OSSL_PARAM_construct_end();

        cmp_public_key_curves[i].empty = cmp_public_key_data("EC",
                                           EVP_PKEY_KEY_PARAMETERS, params);
    }
}


static EVP_PKEY *
cmp_public_key_rsa(const cmp_str_t *der)
{
    EVP_PKEY              *pkey;
    OSSL_PARAM            *params;
    OSSL_PARAM_BLD        *build;
    cmp_rsa_public_key_t  *rsa;

    rsa = cmp_asn1_decode(cmp_rsa_public_key_t, der->data, der->len);

    if (rsa == NULL) {
        return NULL;
    }

    pkey = NULL;
    params = NULL;
    build = OSSL_PARAM_BLD_new();

    if (build != NULL
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, rsa->n) == 1
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, rsa->e) == 1)
    {
        params = OSSL_PARAM_BLD_to_param(build);
    }

    if (params != NULL) {
        pkey = cmp_public_key_data("RSA", EVP_PKEY_PUBLIC_KEY, params);
    }

    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    cmp_asn1_free(cmp_rsa_public_key_t, rsa);

    return pkey;
}


static EVP_PKEY *
cmp_public_key_raw(int nid, const cmp_str_t *octets)
{
    return EVP_PKEY_new_raw_public_key_ex(NULL, OBJ_nid2sn(nid), NULL,
                                          octets->data, octets->len);
}


/* what needs its parameters, as RSASSA-PSS does */

static EVP_PKEY *
cmp_public_key_other(const cmp_public_key_t *key)
{
    int                   len;
    EVP_PKEY             *pkey;
    unsigned char        *der;
    const unsigned char  *p;

    len = cmp_asn1_encode(cmp_public_key_t, key, &der);

    if (len < 0) {
        return NULL;
    }

    p = der;
    pkey = d2i_PUBKEY(NULL, &p, len);

    OPENSSL_free(der);

    return pkey;
}


static EVP_PKEY *
cmp_public_key_data(const char *name, int selection, OSSL_PARAM *params)
{
    EVP_PKEY      *pkey;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, name, NULL);

    if (ctx == NULL
        || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, selection, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);

    return pkey;
}
