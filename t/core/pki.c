
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <pki.h>
#include <pki_rsa.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>


#define pki_check(cond)                                                       \
    if (!(cond)) {                                                            \
        pki_fail(__LINE__, #cond);                                            \
    }


static void pki_fail(int line, const char *what);
static EVP_PKEY *pki_ec_key(int curve, const unsigned char *seed);
static EVP_PKEY *pki_rsa_key(int n);
static EVP_PKEY *pki_seeded_key(const char *type, unsigned char *seed,
    size_t len);
static void pki_add_extension(X509 *cert, X509 *issuer, int nid,
    const char *value);


static const char  *pki_types[] = {
    "ML-DSA-44",
    "ML-DSA-87",
    "SLH-DSA-SHA2-128f"
};


static void
pki_fail(int line, const char *what)
{
    fprintf(stderr, "pki.c:%d: %s failed\n", line, what);
    ERR_print_errors_fp(stderr);
    abort();
}


EVP_PKEY *
pki_key(int kind, const char *name)
{
    EVP_PKEY       *key;
    unsigned char   seed[64];

    pki_check(EVP_Digest(name, strlen(name), seed, NULL, EVP_sha512(), NULL)
              == 1);

    switch (kind) {

    case PKI_ED25519:
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
        break;

    case PKI_ED448:
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED448, NULL, seed, 57);
        break;

    case PKI_P256:
        key = pki_ec_key(NID_X9_62_prime256v1, seed);
        break;

    case PKI_P384:
        key = pki_ec_key(NID_secp384r1, seed);
        break;

    case PKI_P521:
        key = pki_ec_key(NID_secp521r1, seed);
        break;

    case PKI_RSA:
        key = pki_rsa_key(seed[0] % (PKI_RSA_KEYS - 1));
        break;

    case PKI_RSA_1024:
        key = pki_rsa_key(PKI_RSA_KEYS - 1);
        break;

    case PKI_SLH_DSA_SHA2_128F:
        key = pki_seeded_key(pki_types[kind - PKI_ML_DSA_44], seed, 48);
        break;

    default: /* ML-DSA */
        key = pki_seeded_key(pki_types[kind - PKI_ML_DSA_44], seed, 32);
        break;
    }

    pki_check(key != NULL);

    return key;
}


int
pki_set_public_key(cmp_public_key_t **public, EVP_PKEY *key)
{
    int             len;
    unsigned char  *der;

    der = NULL;
    len = i2d_PUBKEY(key, &der);
    pki_check(len > 0);

    cmp_asn1_free(cmp_public_key_t, *public);

    *public = cmp_asn1_decode(cmp_public_key_t, der, len);
    pki_check(*public != NULL);

    OPENSSL_free(der);

    return 1;
}


int
pki_offers(int kind)
{
    EVP_KEYMGMT  *keymgmt;

    if (kind < PKI_ML_DSA_44) {
        return 1;
    }

    keymgmt = EVP_KEYMGMT_fetch(NULL, pki_types[kind - PKI_ML_DSA_44], NULL);
    ERR_clear_error();

    if (keymgmt == NULL) {
        return 0;
    }

    EVP_KEYMGMT_free(keymgmt);

    return 1;
}


static EVP_PKEY *
pki_seeded_key(const char *type, unsigned char *seed, size_t len)
{
    EVP_PKEY      *key;
    OSSL_PARAM     params[2];
    EVP_PKEY_CTX  *ctx;

    params[0] = OSSL_PARAM_construct_octet_string("seed", seed, len);
    params[1] = OSSL_PARAM_construct_end();

    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    pki_check(ctx != NULL);

    key = NULL;
    pki_check(EVP_PKEY_keygen_init(ctx) == 1);
    pki_check(EVP_PKEY_CTX_set_params(ctx, params) == 1);
    pki_check(EVP_PKEY_generate(ctx, &key) == 1);

    EVP_PKEY_CTX_free(ctx);

    return key;
}


static EVP_PKEY *
pki_ec_key(int curve, const unsigned char *seed)
{
    BIGNUM          *priv;
    size_t           len;
    EC_GROUP        *group;
    EC_POINT        *point;
    EVP_PKEY        *key;
    OSSL_PARAM      *params;
    EVP_PKEY_CTX    *ctx;
    unsigned char    pub[133 + 1];
    OSSL_PARAM_BLD  *bld;

    group = EC_GROUP_new_by_curve_name(curve);
    pki_check(group != NULL);

    priv = BN_bin2bn(seed, 31, NULL);
    pki_check(priv != NULL);

    point = EC_POINT_new(group);
    pki_check(point != NULL);
    pki_check(EC_POINT_mul(group, point, priv, NULL, NULL, NULL) == 1);

    len = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, pub,
                             sizeof(pub), NULL);
    pki_check(len != 0);

    bld = OSSL_PARAM_BLD_new();
    pki_check(bld != NULL);
    pki_check(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                              OBJ_nid2sn(curve), 0)
              == 1);
    pki_check(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, priv) == 1);
    pki_check(OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
                                               pub, len)
              == 1);

    params = OSSL_PARAM_BLD_to_param(bld);
    pki_check(params != NULL);

    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    pki_check(ctx != NULL);

    key = NULL;
    pki_check(EVP_PKEY_fromdata_init(ctx) == 1);
    pki_check(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1);

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EC_POINT_free(point);
    BN_free(priv);
    EC_GROUP_free(group);

    return key;
}


static EVP_PKEY *
pki_rsa_key(int n)
{
    int                   len;
    EVP_PKEY             *key;
    unsigned char         der[2048];
    const unsigned char  *p;

    len = EVP_DecodeBlock(der, (const unsigned char *) pki_rsa_keys[n],
                          strlen(pki_rsa_keys[n]));
    pki_check(len > 0);

    p = der;
    key = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, len);

    return key;
}


const EVP_MD *
pki_md(EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {

    case NID_undef: /* known to providers alone: ML-DSA, SLH-DSA */
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return NULL;

    case EVP_PKEY_EC:
        return (EVP_PKEY_get_bits(key) > 256) ? EVP_sha384() : EVP_sha256();

    default:
        return EVP_sha256();
    }
}


ASN1_TIME *
pki_time(int64_t ms)
{
    return ASN1_TIME_set(NULL, ms / 1000);
}


X509_NAME *
pki_name(const char *text)
{
    char        *copy, *item, *value, *last;
    X509_NAME   *name;

    name = X509_NAME_new();
    pki_check(name != NULL);

    copy = strdup(text);
    pki_check(copy != NULL);

    for (item = strtok_r(copy, "/", &last);
         item != NULL;
         item = strtok_r(NULL, "/", &last))
    {
        value = strchr(item, '=');
        pki_check(value != NULL);
        *value++ = '\0';

        pki_check(X509_NAME_add_entry_by_txt(name, item, MBSTRING_UTF8,
                                             (unsigned char *) value, -1, -1,
                                             0)
                  == 1);
    }

    free(copy);

    return name;
}


X509_EXTENSION *
pki_extension(int nid, const char *value)
{
    X509_EXTENSION  *ext;

    ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    pki_check(ext != NULL);

    return ext;
}


static void
pki_add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX       ctx;
    X509_EXTENSION  *ext;

    if (value == NULL) {
        return;
    }

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);

    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    pki_check(ext != NULL);
    pki_check(X509_add_ext(cert, ext, -1) == 1);

    X509_EXTENSION_free(ext);
}


X509 *
pki_cert(const pki_cert_t *conf)
{
    X509       *cert, *issuer;
    EVP_PKEY   *key;
    ASN1_TIME  *time;
    X509_NAME  *name;

    cert = X509_new();
    pki_check(cert != NULL);

    issuer = (conf->issuer != NULL) ? conf->issuer : cert;
    key = (conf->issuer != NULL) ? conf->issuer_key : conf->key;

    pki_check(X509_set_version(cert, X509_VERSION_3) == 1);
    pki_check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert),
                                      conf->serial)
              == 1);

    name = pki_name(conf->subject);
    pki_check(X509_set_subject_name(cert, name) == 1);
    X509_NAME_free(name);

    pki_check(X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1);
    pki_check(X509_set_pubkey(cert, conf->key) == 1);

    time = pki_time(conf->not_before);
    pki_check(X509_set1_notBefore(cert, time) == 1);
    ASN1_TIME_free(time);

    time = pki_time(conf->not_after);
    pki_check(X509_set1_notAfter(cert, time) == 1);
    ASN1_TIME_free(time);

    pki_add_extension(cert, issuer, NID_basic_constraints,
                      conf->basic_constraints);
    pki_add_extension(cert, issuer, NID_key_usage, conf->key_usage);
    pki_add_extension(cert, issuer, NID_ext_key_usage, conf->ext_key_usage);
    pki_add_extension(cert, issuer, NID_subject_alt_name, conf->alt_name);

    if (!conf->no_ski) {
        pki_add_extension(cert, issuer, NID_subject_key_identifier,
                          conf->ski != NULL ? conf->ski : "hash");
        pki_add_extension(cert, issuer, NID_authority_key_identifier,
                          "keyid");
    }

    pki_check(X509_sign(cert, key, pki_md(key)) > 0);

    /* some extensions are looked for in the issuer in vain */
    ERR_clear_error();

    return cert;
}


X509_CRL *
pki_crl(X509 *issuer, EVP_PKEY *key, int64_t this_update, int64_t next_update,
    const uint64_t *revoked, size_t n)
{
    size_t         i;
    X509_CRL      *crl;
    ASN1_TIME     *time;
    ASN1_INTEGER  *serial;
    X509_REVOKED  *entry;

    crl = X509_CRL_new();
    pki_check(crl != NULL);
    pki_check(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
    pki_check(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer))
              == 1);

    time = pki_time(this_update);
    pki_check(X509_CRL_set1_lastUpdate(crl, time) == 1);

    for (i = 0; i < n; i++) {
        entry = X509_REVOKED_new();
        serial = ASN1_INTEGER_new();
        pki_check(entry != NULL && serial != NULL);

        pki_check(ASN1_INTEGER_set_uint64(serial, revoked[i]) == 1);
        pki_check(X509_REVOKED_set_serialNumber(entry, serial) == 1);
        pki_check(X509_REVOKED_set_revocationDate(entry, time) == 1);
        pki_check(X509_CRL_add0_revoked(crl, entry) == 1);

        ASN1_INTEGER_free(serial);
    }

    ASN1_TIME_free(time);

    time = pki_time(next_update);
    pki_check(X509_CRL_set1_nextUpdate(crl, time) == 1);
    ASN1_TIME_free(time);

    pki_check(X509_CRL_sign(crl, key, pki_md(key)) > 0);

    return crl;
}


int
pki_random(void *data, unsigned char *buf, size_t len)
{
    pki_random_t  *random = data;

    size_t         n;
    uint64_t       in[2];
    unsigned char  out[32];

    while (len != 0) {
        in[0] = random->seed;
        in[1] = random->counter++;

        if (EVP_Digest(in, sizeof(in), out, NULL, EVP_sha256(), NULL) != 1) {
            return -1;
        }

        n = (len < sizeof(out)) ? len : sizeof(out);
        memcpy(buf, out, n);

        buf += n;
        len -= n;
    }

    return 0;
}
