
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Signatures (RFC 9810, 5.1.3.3; RFC 9481, 3).
 */


#include <cmp_protect.h>
#include <cmp_key.h>

#include <string.h>

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>


/* what a key of 8192 bits has room for, and more than any digest needs */

#define CMP_MAX_PSS_SALT  1024


static int cmp_signature_pss(const X509_ALGOR *alg,
    cmp_signature_t *signature);
static const cmp_digest_t *cmp_signature_mgf1(const X509_ALGOR *alg);
static const cmp_digest_t *cmp_signature_digest(const X509_ALGOR *alg);
static int cmp_signature_fits(const cmp_signature_t *signature,
    const cmp_public_key_t *key);
static int cmp_signature_set_pss(const cmp_signature_t *signature,
    EVP_PKEY_CTX *pctx);


int
cmp_signature_parse(const X509_ALGOR *alg, int strict, cmp_refuse_e code,
    cmp_signature_t *signature, cmp_refusal_t *refusal)
{
    int                  nid, type;
    char                 name[80];
    const ASN1_OBJECT   *oid;
    const cmp_digest_t  *digest;

    X509_ALGOR_get0(&oid, &type, NULL, alg);

    nid = OBJ_obj2nid(oid);

    signature->md = NULL;
    signature->key_type = nid;
    signature->pss_salt = -1;

    if (nid == NID_undef) {
        goto refused;
    }

    if (nid == NID_rsassaPss) {
        if (cmp_signature_pss(alg, signature) == CMP_OK) {
            return CMP_OK;
        }

        return cmp_refuse(refusal, code,
                          "the parameters of RSASSA-PSS are not acceptable");
    }

    if (cmp_key_signs_pure(nid) != 0) {

        if (type == V_ASN1_UNDEF) {
            return CMP_OK;
        }

        goto refused;
    }

    digest = cmp_digest_find_signature(nid);

    if (digest == NULL || cmp_alg_no_parameters(alg) == 0) {
        goto refused;
    }

    signature->md = digest->md();

    /* RFC 4055, 5: NULL, but absent has to be accepted; OpenSSL omits it */

    if (nid == digest->rsa) {
        signature->key_type = NID_rsaEncryption;
        return CMP_OK;
    }

    /* RFC 5758, 3.2: absent; NULL is what clients for RSA send */

    if (strict == 0 || type == V_ASN1_UNDEF) {
        signature->key_type = NID_X9_62_id_ecPublicKey;
        return CMP_OK;
    }

refused:

    (void) OBJ_obj2txt(name, sizeof(name), oid, 1);
    cmp_crypto_error(NULL, 0);

    return cmp_refuse(refusal, code, "signature algorithm %s", name);
}


/*
 * RFC 4055, 3.1: SHA-1 is the default of both digests, so they must be there;
 * one digest serves for the message and for MGF1.
 */

static int
cmp_signature_pss(const X509_ALGOR *alg, cmp_signature_t *signature)
{
    int                  rc, type;
    int64_t              salt, trailer;
    const void          *value;
    RSA_PSS_PARAMS      *pss;
    const ASN1_STRING   *der;
    const cmp_digest_t  *digest, *mgf1;

    X509_ALGOR_get0(NULL, &type, &value, alg);

    if (type != V_ASN1_SEQUENCE) {
        return CMP_DECLINED;
    }

    der = value;

    pss = cmp_asn1_decode(RSA_PSS_PARAMS, ASN1_STRING_get0_data(der),
                          (size_t) ASN1_STRING_length(der));
    if (pss == NULL) {
        return CMP_DECLINED;
    }

    rc = CMP_DECLINED;
    salt = 20;
    trailer = 1;

    digest = cmp_signature_digest(pss->hashAlgorithm);
    mgf1 = cmp_signature_mgf1(pss->maskGenAlgorithm);

    if (digest == NULL || digest != mgf1) {
        goto done;
    }

    if (pss->saltLength != NULL
        && ASN1_INTEGER_get_int64(&salt, pss->saltLength) != 1)
    {
        goto done;
    }

    if (pss->trailerField != NULL
        && ASN1_INTEGER_get_int64(&trailer, pss->trailerField) != 1)
    {
        goto done;
    }

    if (salt < 0 || salt > CMP_MAX_PSS_SALT || trailer != 1) {
        goto done;
    }

    signature->md = digest->md();
    signature->pss_salt = (int) salt;

    rc = CMP_OK;

done:

    cmp_asn1_free(RSA_PSS_PARAMS, pss);
    cmp_crypto_error(NULL, 0);

    return rc;
}


static const cmp_digest_t *
cmp_signature_mgf1(const X509_ALGOR *alg)
{
    int                  type;
    const void          *value;
    X509_ALGOR          *hash;
    const ASN1_OBJECT   *oid;
    const ASN1_STRING   *der;
    const cmp_digest_t  *digest;

    if (alg == NULL) {
        return NULL;
    }

    X509_ALGOR_get0(&oid, &type, &value, alg);

    if (OBJ_obj2nid(oid) != NID_mgf1 || type != V_ASN1_SEQUENCE) {
        return NULL;
    }

    der = value;

    hash = cmp_asn1_decode(X509_ALGOR, ASN1_STRING_get0_data(der),
                           (size_t) ASN1_STRING_length(der));
    if (hash == NULL) {
        return NULL;
    }

    digest = cmp_signature_digest(hash);

    X509_ALGOR_free(hash);

    return digest;
}


static const cmp_digest_t *
cmp_signature_digest(const X509_ALGOR *alg)
{
    const ASN1_OBJECT   *oid;
    const cmp_digest_t  *digest;

    if (alg == NULL || cmp_alg_no_parameters(alg) == 0) {
        return NULL;
    }

    X509_ALGOR_get0(&oid, NULL, NULL, alg);

    digest = cmp_digest_find(OBJ_obj2nid(oid));

    if (digest == NULL || digest->family == CMP_DIGEST_SHA1) {
        return NULL;
    }

    return digest;
}


int
cmp_signature_verify(const cmp_signature_t *signature, cmp_public_key_t *key,
    const ASN1_BIT_STRING *value, const cmp_str_t *data, cmp_refuse_e code,
    cmp_refusal_t *refusal)
{
    int            rc;
    EVP_PKEY      *pkey;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    if (cmp_signature_fits(signature, key) == 0) {
        return cmp_refuse(refusal, code,
                          "the key is not one for the signature algorithm");
    }

    if (cmp_asn1_is_octets(value) == 0) {
        return cmp_refuse(refusal, code, NULL);
    }

    pkey = cmp_public_key_get(key);
    if (pkey == NULL) {
        return cmp_refuse_crypto(refusal, code);
    }

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    rc = CMP_DECLINED;

    if (EVP_DigestVerifyInit(ctx, &pctx, signature->md, NULL, pkey) == 1
        && cmp_signature_set_pss(signature, pctx) == CMP_OK
        && EVP_DigestVerify(ctx, ASN1_STRING_get0_data(value),
                            (size_t) ASN1_STRING_length(value),
                            data->data, data->len)
           == 1)
    {
        rc = CMP_OK;
    }

    EVP_MD_CTX_free(ctx);

    if (rc != CMP_OK) {
        return cmp_refuse_crypto(refusal, code);
    }

    return CMP_OK;
}


/* a key with the OID of plain RSA may sign PSS, one for PSS nothing else */

static int
cmp_signature_fits(const cmp_signature_t *signature,
    const cmp_public_key_t *key)
{
    int  nid;

    if (key == NULL) {
        return 0;
    }

    nid = cmp_public_key_nid(key);

    if (nid == NID_undef) {
        return 0;
    }

    if (nid == signature->key_type) {
        return 1;
    }

    return signature->key_type == NID_rsassaPss && nid == NID_rsaEncryption;
}


static int
cmp_signature_set_pss(const cmp_signature_t *signature, EVP_PKEY_CTX *pctx)
{
    if (signature->pss_salt < 0) {
        return CMP_OK;
    }

    if (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0
        || EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, signature->md) <= 0
        || EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, signature->pss_salt) <= 0)
    {
        return CMP_DECLINED;
    }

    return CMP_OK;
}


int
cmp_protect_sign(const cmp_ca_t *ca, cmp_pki_message_t *answer,
    cmp_pool_t *pool, cmp_str_t *part)
{
    int            rc;
    EVP_PKEY      *key;
    X509_ALGOR    *alg;
    EVP_MD_CTX    *ctx;
    const EVP_MD  *md;

    key = (ca->response_key != NULL) ? ca->response_key : ca->current.key;

    if (cmp_sign_md(key, &md) != CMP_OK) {
        return CMP_ERROR;
    }

    ctx = cmp_sign_ctx(key, md);
    if (ctx == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_ERROR;
    alg = cmp_sign_algorithm(ctx);

    if (alg != NULL) {
        X509_ALGOR_free(answer->header->protection_alg);
        answer->header->protection_alg = alg;
    }

    if (answer->protection == NULL) {
        answer->protection = ASN1_BIT_STRING_new();
    }

    if (alg != NULL
        && answer->protection != NULL
        && cmp_protect_part(answer, pool, part) == CMP_OK
        && cmp_sign(ctx, part, answer->protection) == CMP_OK)
    {
        rc = CMP_OK;
    }

    EVP_MD_CTX_free(ctx);
    cmp_crypto_error(NULL, 0);

    return rc;
}
