
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * PasswordBasedMac (RFC 4211, 4.4; RFC 9810, 5.1.3.1) and PBMAC1 (RFC 8018;
 * RFC 9481, 6.1.2).
 */


#include <cmp_protect.h>
#include <cmp_oid.h>

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/objects.h>


/* of a salt of our own */

#define CMP_FRESH_SALT  16


static int cmp_pbm_parse(const cmp_mac_conf_t *conf, const ASN1_STRING *der,
    cmp_pool_t *pool, cmp_protect_t *mac, cmp_refusal_t *refusal);
static int cmp_pbmac1_parse(const cmp_mac_conf_t *conf,
    const ASN1_STRING *der, cmp_pool_t *pool, cmp_protect_t *mac,
    cmp_refusal_t *refusal);
static int cmp_pbkdf2_parse(const cmp_mac_conf_t *conf, const X509_ALGOR *alg,
    cmp_pool_t *pool, cmp_protect_t *mac, cmp_refusal_t *refusal);
static const ASN1_STRING *cmp_mac_parameters(const X509_ALGOR *alg);
static int cmp_mac_digest(const cmp_mac_conf_t *conf, const X509_ALGOR *alg,
    int hmac, const EVP_MD **md, cmp_refusal_t *refusal);
static int cmp_mac_cost(const cmp_mac_conf_t *conf,
    const ASN1_INTEGER *iterations, const ASN1_OCTET_STRING *salt,
    cmp_pool_t *pool, cmp_protect_t *mac, cmp_refusal_t *refusal);
static int cmp_mac_key(cmp_protect_t *mac, const cmp_str_t *secret,
    cmp_pool_t *pool);
static int cmp_pbm_derive(const cmp_protect_t *mac, const cmp_str_t *secret,
    unsigned char *key);
static int cmp_pbkdf2_derive(const cmp_protect_t *mac,
    const cmp_str_t *secret, unsigned char *key, size_t len);
static X509_ALGOR *cmp_mac_algorithm(const cmp_protect_t *mac, int fresh);
static int cmp_pbm_set_salt(X509_ALGOR *alg, const cmp_str_t *salt);
static int cmp_pbmac1_set_salt(X509_ALGOR *alg, const cmp_str_t *salt);
static int cmp_pbkdf2_set_salt(X509_ALGOR *alg, const cmp_str_t *salt);
static int cmp_mac_set_parameters(X509_ALGOR *alg, const ASN1_ITEM *it,
    const void *value);


int
cmp_mac_parse(const cmp_mac_conf_t *conf, const X509_ALGOR *alg,
    cmp_pool_t *pool, cmp_protect_t *mac, cmp_refusal_t *refusal)
{
    const ASN1_OBJECT  *oid;
    const ASN1_STRING  *der;

    X509_ALGOR_get0(&oid, NULL, NULL, alg);

    der = cmp_mac_parameters(alg);
    if (der == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_PROTECTION_ALG,
                          "the parameters of the MAC are missing");
    }

    if (cmp_oid_equal(oid, &cmp_oid_password_based_mac) != 0) {
        mac->mac = CMP_MAC_PBM;
        return cmp_pbm_parse(conf, der, pool, mac, refusal);
    }

    if (cmp_oid_equal(oid, &cmp_oid_pbmac1) != 0) {
        mac->mac = CMP_MAC_PBMAC1;
        return cmp_pbmac1_parse(conf, der, pool, mac, refusal);
    }

    return cmp_refuse(refusal, CMP_REFUSE_PROTECTION_ALG,
                      "the MAC is neither PasswordBasedMac nor PBMAC1");
}


static int
cmp_pbm_parse(const cmp_mac_conf_t *conf, const ASN1_STRING *der,
    cmp_pool_t *pool, cmp_protect_t *mac, cmp_refusal_t *refusal)
{
    int                   rc;
    cmp_pbm_parameter_t  *pbm;

    pbm = cmp_asn1_decode(cmp_pbm_parameter_t, ASN1_STRING_get0_data(der),
                          (size_t) ASN1_STRING_length(der));
    if (pbm == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_PROTECTION_ALG,
                          "PBMParameter cannot be decoded");
    }

    rc = cmp_mac_digest(conf, pbm->owf, 0, &mac->owf, refusal);

    if (rc == CMP_OK) {
        rc = cmp_mac_digest(conf, pbm->mac, 1, &mac->md, refusal);
    }

    if (rc == CMP_OK) {
        rc = cmp_mac_cost(conf, pbm->iteration_count, pbm->salt, pool, mac,
                          refusal);
    }

    cmp_asn1_free(cmp_pbm_parameter_t, pbm);

    return rc;
}


static int
cmp_pbmac1_parse(const cmp_mac_conf_t *conf, const ASN1_STRING *der,
    cmp_pool_t *pool, cmp_protect_t *mac, cmp_refusal_t *refusal)
{
    int                   rc;
    cmp_pbmac1_params_t  *params;

    params = cmp_asn1_decode(cmp_pbmac1_params_t, ASN1_STRING_get0_data(der),
                             (size_t) ASN1_STRING_length(der));
    if (params == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_PROTECTION_ALG,
                          "PBMAC1-params cannot be decoded");
    }

    rc = cmp_mac_digest(conf, params->message_auth_scheme, 1, &mac->md,
                        refusal);

    if (rc == CMP_OK) {
        rc = cmp_pbkdf2_parse(conf, params->key_derivation_func, pool, mac,
                              refusal);
    }

    cmp_asn1_free(cmp_pbmac1_params_t, params);

    return rc;
}


static int
cmp_pbkdf2_parse(const cmp_mac_conf_t *conf, const X509_ALGOR *alg,
    cmp_pool_t *pool, cmp_protect_t *mac, cmp_refusal_t *refusal)
{
    int                 rc;
    int64_t             len;
    PBKDF2PARAM        *params;
    const ASN1_OBJECT  *oid;
    const ASN1_STRING  *der;

    X509_ALGOR_get0(&oid, NULL, NULL, alg);
    der = cmp_mac_parameters(alg);

    if (cmp_oid_equal(oid, &cmp_oid_pbkdf2) == 0 || der == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_PROTECTION_ALG,
                          "the key derivation of PBMAC1 is not PBKDF2");
    }

    params = cmp_asn1_decode(PBKDF2PARAM, ASN1_STRING_get0_data(der),
                             (size_t) ASN1_STRING_length(der));
    if (params == NULL || params->salt->type != V_ASN1_OCTET_STRING) {
        cmp_asn1_free(PBKDF2PARAM, params);
        return cmp_refuse(refusal, CMP_REFUSE_PROTECTION_ALG,
                          "PBKDF2-params cannot be decoded");
    }

    if (params->prf != NULL) {
        rc = cmp_mac_digest(conf, params->prf, 1, &mac->owf, refusal);

    } else if (conf->sha1 != 0 && conf->strict == 0) {

        /* the default value of prf */
        mac->owf = EVP_sha1();
        rc = CMP_OK;

    } else {
        rc = cmp_refuse(refusal, CMP_REFUSE_PROTECTION_ALG,
                        "SHA-1, the default prf of PBKDF2, is not accepted");
    }

    if (rc == CMP_OK && params->keylength != NULL) {

        if (ASN1_INTEGER_get_int64(&len, params->keylength) != 1
            || len != EVP_MD_get_size(mac->md))
        {
            cmp_crypto_error(NULL, 0);
            rc = cmp_refuse(refusal, CMP_REFUSE_MAC_COST,
                            "keyLength is not the key size of the MAC");

        } else {
            mac->key_len = (size_t) len;
        }
    }

    if (rc == CMP_OK) {
        rc = cmp_mac_cost(conf, params->iter, params->salt->value.octet_string,
                          pool, mac, refusal);
    }

    cmp_asn1_free(PBKDF2PARAM, params);

    return rc;
}


/* DER of the parameters, NULL when they are no SEQUENCE */

static const ASN1_STRING *
cmp_mac_parameters(const X509_ALGOR *alg)
{
    int          type;
    const void  *value;

    X509_ALGOR_get0(NULL, &type, &value, alg);

    return (type == V_ASN1_SEQUENCE) ? value : NULL;
}


static int
cmp_mac_digest(const cmp_mac_conf_t *conf, const X509_ALGOR *alg, int hmac,
    const EVP_MD **md, cmp_refusal_t *refusal)
{
    int                  nid;
    char                 name[80];
    const ASN1_OBJECT   *oid;
    const cmp_digest_t  *digest;

    X509_ALGOR_get0(&oid, NULL, NULL, alg);

    nid = OBJ_obj2nid(oid);
    digest = (hmac != 0) ? cmp_digest_find_hmac(nid) : cmp_digest_find(nid);

    if (digest == NULL || cmp_alg_no_parameters(alg) == 0) {
        goto refused;
    }

    if (digest->family == CMP_DIGEST_SHA1 && conf->sha1 == 0) {
        goto refused;
    }

    if (digest->family != CMP_DIGEST_SHA2 && conf->strict != 0) {
        goto refused;
    }

    *md = digest->md();

    return CMP_OK;

refused:

    (void) OBJ_obj2txt(name, sizeof(name), oid, 1);
    cmp_crypto_error(NULL, 0);

    return cmp_refuse(refusal, CMP_REFUSE_PROTECTION_ALG, "%s in a MAC", name);
}


static int
cmp_mac_cost(const cmp_mac_conf_t *conf, const ASN1_INTEGER *iterations,
    const ASN1_OCTET_STRING *salt, cmp_pool_t *pool, cmp_protect_t *mac,
    cmp_refusal_t *refusal)
{
    int      len;
    int64_t  n;

    if (ASN1_INTEGER_get_int64(&n, iterations) != 1) {
        cmp_crypto_error(NULL, 0);
        n = -1;
    }

    if (n < CMP_MIN_ITERATIONS || n > conf->max_iterations || n > INT_MAX) {
        return cmp_refuse(refusal, CMP_REFUSE_MAC_COST,
                          "iterationCount must be from %d to %ld",
                          CMP_MIN_ITERATIONS, conf->max_iterations);
    }

    len = ASN1_STRING_length(salt);

    if (len < CMP_MIN_SALT || len > CMP_MAX_SALT) {
        return cmp_refuse(refusal, CMP_REFUSE_MAC_COST,
                          "the salt must have %d to %d octets",
                          CMP_MIN_SALT, CMP_MAX_SALT);
    }

    mac->iterations = (long) n;

    return cmp_pstrdup(pool, &mac->salt, ASN1_STRING_get0_data(salt),
                       (size_t) len);
}


int
cmp_mac_compute(cmp_protect_t *mac, const cmp_str_t *secret,
    const cmp_str_t *data, cmp_pool_t *pool, unsigned char *out, size_t *len)
{
    unsigned int  n;

    if (cmp_mac_key(mac, secret, pool) != CMP_OK) {
        return CMP_ERROR;
    }

    if (HMAC(mac->md, mac->key.data, (int) mac->key.len, data->data,
             data->len, out, &n)
        == NULL)
    {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    *len = n;

    return CMP_OK;
}


int
cmp_mac_equal(const ASN1_BIT_STRING *value, const unsigned char *mac,
    size_t len)
{
    if (cmp_asn1_is_octets(value) == 0
        || (size_t) ASN1_STRING_length(value) != len)
    {
        return 0;
    }

    return CRYPTO_memcmp(ASN1_STRING_get0_data(value), mac, len) == 0;
}


/* a retry may come with another secret, the key of the old one is no use */

static int
cmp_mac_key(cmp_protect_t *mac, const cmp_str_t *secret, cmp_pool_t *pool)
{
    int        rc;
    cmp_str_t  key;

    if (mac->key.len != 0 && mac->secret.len == secret->len
        && CRYPTO_memcmp(mac->secret.data, secret->data, secret->len) == 0)
    {
        return CMP_OK;
    }

    mac->key.len = 0;

    if (secret->len > INT_MAX) {
        return CMP_ERROR;
    }

    if (mac->mac == CMP_MAC_PBM) {
        key.len = (size_t) EVP_MD_get_size(mac->owf);

    } else {
        key.len = (size_t) EVP_MD_get_size(mac->md);
    }

    key.data = cmp_palloc(pool, key.len);
    if (key.data == NULL) {
        return CMP_ERROR;
    }

    if (cmp_pstrdup(pool, &mac->secret, secret->data, secret->len) != CMP_OK) {
        return CMP_ERROR;
    }

    if (mac->mac == CMP_MAC_PBM) {
        rc = cmp_pbm_derive(mac, secret, key.data);

    } else {
        rc = cmp_pbkdf2_derive(mac, secret, key.data, key.len);
    }

    if (rc != CMP_OK) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    mac->key = key;

    return CMP_OK;
}


/*
 * The one-way function over secret and salt, applied iterationCount times.
 * As everybody does, the result is the key of the HMAC as it is.
 */

static int
cmp_pbm_derive(const cmp_protect_t *mac, const cmp_str_t *secret,
    unsigned char *key)
{
    int          rc;
    long         i;
    unsigned     n;
    EVP_MD_CTX  *ctx;

    rc = CMP_ERROR;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return CMP_ERROR;
    }

    if (EVP_DigestInit_ex(ctx, mac->owf, NULL) != 1
        || EVP_DigestUpdate(ctx, secret->data, secret->len) != 1
        || EVP_DigestUpdate(ctx, mac->salt.data, mac->salt.len) != 1
        || EVP_DigestFinal_ex(ctx, key, &n) != 1)
    {
        goto done;
    }

    for (i = 1; i < mac->iterations; i++) {

        /* NULL: the digest of before, without looking it up again */

        if (EVP_DigestInit_ex(ctx, NULL, NULL) != 1
            || EVP_DigestUpdate(ctx, key, n) != 1
            || EVP_DigestFinal_ex(ctx, key, &n) != 1)
        {
            goto done;
        }
    }

    rc = CMP_OK;

done:

    EVP_MD_CTX_free(ctx);

    return rc;
}


static int
cmp_pbkdf2_derive(const cmp_protect_t *mac, const cmp_str_t *secret,
    unsigned char *key, size_t len)
{
    const char  *text;

    /* NULL would stand for a secret of unknown length */

    text = (secret->len != 0) ? (const char *) secret->data : "";

    if (PKCS5_PBKDF2_HMAC(text, (int) secret->len, mac->salt.data,
                          (int) mac->salt.len, (int) mac->iterations,
                          mac->owf, (int) len, key)
        != 1)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


int
cmp_protect_mac(const cmp_protect_t *request, int fresh,
    const cmp_str_t *secret, cmp_random_pt random, void *random_data,
    cmp_pki_message_t *answer, cmp_pool_t *pool, cmp_str_t *part)
{
    size_t          len;
    X509_ALGOR     *alg;
    cmp_protect_t   mac;
    unsigned char   value[EVP_MAX_MD_SIZE];

    if (request->kind != CMP_PROTECTION_MAC) {
        return CMP_ERROR;
    }

    mac = *request;

    if (fresh != 0) {
        mac.key.len = 0;
        mac.salt.len = CMP_FRESH_SALT;
        mac.salt.data = cmp_palloc(pool, CMP_FRESH_SALT);

        if (mac.salt.data == NULL
            || random(random_data, mac.salt.data, CMP_FRESH_SALT) != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    if (secret == NULL) {
        if (request->key.len == 0) {
            return CMP_ERROR;
        }

        secret = &request->secret;
    }

    alg = cmp_mac_algorithm(&mac, fresh);
    if (alg == NULL) {
        return CMP_ERROR;
    }

    X509_ALGOR_free(answer->header->protection_alg);
    answer->header->protection_alg = alg;

    if (cmp_protect_part(answer, pool, part) != CMP_OK
        || cmp_mac_compute(&mac, secret, part, pool, value, &len) != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (answer->protection == NULL) {
        answer->protection = ASN1_BIT_STRING_new();
    }

    if (answer->protection == NULL
        || cmp_asn1_set_octets(answer->protection, value, len) != 1)
    {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* the algorithm of the request, with the new salt if it is to be fresh */

static X509_ALGOR *
cmp_mac_algorithm(const cmp_protect_t *mac, int fresh)
{
    int          rc;
    X509_ALGOR  *alg;

    alg = cmp_asn1_decode(X509_ALGOR, mac->alg.data, mac->alg.len);
    if (alg == NULL || fresh == 0) {
        return alg;
    }

    if (mac->mac == CMP_MAC_PBM) {
        rc = cmp_pbm_set_salt(alg, &mac->salt);

    } else {
        rc = cmp_pbmac1_set_salt(alg, &mac->salt);
    }

    if (rc != CMP_OK) {
        X509_ALGOR_free(alg);
        cmp_crypto_error(NULL, 0);
        return NULL;
    }

    return alg;
}


static int
cmp_pbm_set_salt(X509_ALGOR *alg, const cmp_str_t *salt)
{
    int                   rc;
    const ASN1_STRING    *der;
    cmp_pbm_parameter_t  *pbm;

    der = cmp_mac_parameters(alg);

    pbm = cmp_asn1_decode(cmp_pbm_parameter_t, ASN1_STRING_get0_data(der),
                          (size_t) ASN1_STRING_length(der));
    if (pbm == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_ERROR;

    if (ASN1_OCTET_STRING_set(pbm->salt, salt->data, (int) salt->len) == 1) {
        rc = cmp_mac_set_parameters(alg, ASN1_ITEM_rptr(cmp_pbm_parameter_t),
                                    pbm);
    }

    cmp_asn1_free(cmp_pbm_parameter_t, pbm);

    return rc;
}


static int
cmp_pbmac1_set_salt(X509_ALGOR *alg, const cmp_str_t *salt)
{
    int                   rc;
    const ASN1_STRING    *der;
    cmp_pbmac1_params_t  *params;

    der = cmp_mac_parameters(alg);

    params = cmp_asn1_decode(cmp_pbmac1_params_t, ASN1_STRING_get0_data(der),
                             (size_t) ASN1_STRING_length(der));
    if (params == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_pbkdf2_set_salt(params->key_derivation_func, salt);

    if (rc == CMP_OK) {
        rc = cmp_mac_set_parameters(alg, ASN1_ITEM_rptr(cmp_pbmac1_params_t),
                                    params);
    }

    cmp_asn1_free(cmp_pbmac1_params_t, params);

    return rc;
}


static int
cmp_pbkdf2_set_salt(X509_ALGOR *alg, const cmp_str_t *salt)
{
    int                 rc;
    PBKDF2PARAM        *params;
    const ASN1_STRING  *der;

    der = cmp_mac_parameters(alg);

    params = cmp_asn1_decode(PBKDF2PARAM, ASN1_STRING_get0_data(der),
                             (size_t) ASN1_STRING_length(der));
    if (params == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_ERROR;

    if (ASN1_OCTET_STRING_set(params->salt->value.octet_string, salt->data,
                              (int) salt->len)
        == 1)
    {
        rc = cmp_mac_set_parameters(alg, ASN1_ITEM_rptr(PBKDF2PARAM), params);
    }

    cmp_asn1_free(PBKDF2PARAM, params);

    return rc;
}


static int
cmp_mac_set_parameters(X509_ALGOR *alg, const ASN1_ITEM *it, const void *value)
{
    ASN1_STRING        *der;
    ASN1_OBJECT        *oid;
    const ASN1_OBJECT  *old;

    X509_ALGOR_get0(&old, NULL, NULL, alg);

    oid = OBJ_dup(old);
    der = ASN1_item_pack((void *) value, it, NULL);

    if (oid == NULL || der == NULL
        || X509_ALGOR_set0(alg, oid, V_ASN1_SEQUENCE, der) != 1)
    {
        ASN1_OBJECT_free(oid);
        ASN1_STRING_free(der);
        return CMP_ERROR;
    }

    return CMP_OK;
}
