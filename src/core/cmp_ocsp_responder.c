
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_ocsp.h>
#include <cmp_asn1.h>
#include <cmp_key.h>
#include <cmp_msg.h>
#include <cmp_seal.h>

#include <string.h>


#define CMP_OCSP_BACKDATE    60          /* s, for clocks that are slow */
#define CMP_OCSP_NONCE_LEN   12          /* of a seal */


static int cmp_ocsp_responder_key(const cmp_ocsp_responder_params_t *params,
    EVP_PKEY **key);
static int cmp_ocsp_responder_certify(
    const cmp_ocsp_responder_params_t *params, EVP_PKEY *key, X509 *x509,
    cmp_pool_t *pool, cmp_write_cert_t *cert);
static int cmp_ocsp_responder_name(const cmp_issuer_t *issuer, X509 *x509);
static int cmp_ocsp_responder_time(
    const cmp_ocsp_responder_params_t *params, X509 *x509,
    cmp_write_cert_t *cert);
static int cmp_ocsp_responder_extensions(const cmp_issuer_t *issuer,
    X509 *x509);
static int cmp_ocsp_responder_usages(X509 *x509);
static int cmp_ocsp_responder_ids(const cmp_issuer_t *issuer, X509 *x509,
    const unsigned char *ski, unsigned len);
static int cmp_ocsp_responder_describe(X509 *x509, cmp_pool_t *pool,
    cmp_write_cert_t *cert);
static int cmp_ocsp_responder_seal(const cmp_ocsp_responder_params_t *params,
    EVP_PKEY *key, const cmp_str_t *serial, cmp_pool_t *pool,
    cmp_str_t *secret);
static int cmp_ocsp_responder_unseal(const cmp_ca_t *ca,
    const unsigned char *seal_key, const cmp_str_t *serial,
    const cmp_str_t *secret, EVP_PKEY **key);
static int cmp_ocsp_responder_reference(const cmp_ca_t *ca,
    const cmp_str_t *serial, cmp_pool_t *pool, cmp_str_t *reference);
static const char *cmp_ocsp_responder_check(const cmp_issuer_t *issuer,
    const cmp_ocsp_responder_t *responder);


int
cmp_ocsp_responder_make(const cmp_ocsp_responder_params_t *params,
    cmp_pool_t *pool, cmp_write_cert_t *cert, cmp_str_t *secret)
{
    int        rc;
    X509      *x509;
    EVP_PKEY  *key;

    memset(cert, 0, sizeof(cmp_write_cert_t));

    x509 = X509_new();
    rc = (x509 != NULL) ? cmp_ocsp_responder_key(params, &key) : CMP_ERROR;

    if (rc == CMP_OK) {
        rc = cmp_ocsp_responder_certify(params, key, x509, pool, cert);

        if (rc == CMP_OK) {
            rc = cmp_ocsp_responder_seal(params, key, &cert->serial, pool,
                                         secret);
        }

        EVP_PKEY_free(key);
    }

    X509_free(x509);
    cmp_crypto_error(NULL, 0);

    return rc;
}


/*
 * As the key of the CA, so that who verifies the one verifies the other.  That
 * may live in a token: the kind is that of the public key.
 */

static int
cmp_ocsp_responder_key(const cmp_ocsp_responder_params_t *params,
    EVP_PKEY **key)
{
    cmp_key_rule_t  rule;

    rule = params->ca->responder_key;

    if (rule.nid == 0
        && cmp_key_rule_of(X509_get0_pubkey(params->issuer->certificate),
                           &rule)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    return cmp_key_generate(&rule, key);
}


static int
cmp_ocsp_responder_certify(const cmp_ocsp_responder_params_t *params,
    EVP_PKEY *key, X509 *x509, cmp_pool_t *pool, cmp_write_cert_t *cert)
{
    int                  rc;
    EVP_MD_CTX          *ctx;
    const cmp_issuer_t  *issuer;

    issuer = params->issuer;

    if (!X509_set_version(x509, X509_VERSION_3)
        || !X509_set_pubkey(x509, key)
        || cmp_ocsp_responder_name(issuer, x509) != CMP_OK
        || cmp_issue_serial(x509, params->now, params->random,
                            params->random_data, pool, &cert->serial)
           != CMP_OK
        || cmp_ocsp_responder_time(params, x509, cert) != CMP_OK
        || cmp_ocsp_responder_extensions(issuer, x509) != CMP_OK)
    {
        return CMP_ERROR;
    }

    ctx = cmp_sign_ctx(issuer->key, issuer->md);

    rc = (ctx != NULL && X509_sign_ctx(x509, ctx) > 0) ? CMP_OK : CMP_ERROR;

    EVP_MD_CTX_free(ctx);

    if (rc == CMP_OK) {
        rc = cmp_ocsp_responder_describe(x509, pool, cert);
    }

    return rc;
}


/* the name of the CA and one RDN more: nobody takes the one for the other */

static int
cmp_ocsp_responder_name(const cmp_issuer_t *issuer, X509 *x509)
{
    X509_NAME  *name, *subject;

    name = X509_get_subject_name(issuer->certificate);

    if (!X509_set_issuer_name(x509, name) || !X509_set_subject_name(x509, name))
    {
        return CMP_ERROR;
    }

    subject = X509_get_subject_name(x509);

    return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                      (unsigned char *) "OCSP responder", -1,
                                      -1, 0)
           ? CMP_OK : CMP_ERROR;
}


static int
cmp_ocsp_responder_time(const cmp_ocsp_responder_params_t *params, X509 *x509,
    cmp_write_cert_t *cert)
{
    X509     *issuer;
    int64_t   now, from, to, back, ca_from, ca_to;

    issuer = params->issuer->certificate;

    if (cmp_issue_time(X509_get0_notBefore(issuer), &ca_from) != CMP_OK
        || cmp_issue_time(X509_get0_notAfter(issuer), &ca_to) != CMP_OK)
    {
        return CMP_ERROR;
    }

    now = params->now / 1000;
    back = params->ca->responder_validity / 1000 / 10;

    if (back > CMP_OCSP_BACKDATE) {
        back = CMP_OCSP_BACKDATE;
    }

    from = now - back;
    to = now + params->ca->responder_validity / 1000;

    if (from < ca_from) {
        from = ca_from;
    }

    if (to > ca_to) {
        to = ca_to;
    }

    if (from > now || to <= now) {
        return CMP_ERROR;
    }

    cert->not_before = from * 1000;
    cert->not_after = to * 1000;

    return cmp_issue_times(x509, from, to);
}


static int
cmp_ocsp_responder_extensions(const cmp_issuer_t *issuer, X509 *x509)
{
    unsigned       len;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    /*
     * SKI: method 1 of RFC 5280, 4.2.1.2, which is the responderID too (RFC
     * 6960, 4.2.1): there are clients that compare the two
     */

    if (!X509_pubkey_digest(x509, EVP_sha1(), hash, &len)
        || cmp_ocsp_responder_usages(x509) != CMP_OK
        || cmp_ocsp_responder_ids(issuer, x509, hash, len) != CMP_OK)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


/*
 * The short life of the certificate stands for its revocation: with
 * id-pkix-ocsp-nocheck nobody asks for that (RFC 6960, 4.2.2.2.1).
 */

static int
cmp_ocsp_responder_usages(X509 *x509)
{
    int                  rc;
    ASN1_NULL           *null;
    ASN1_BIT_STRING     *usage;
    EXTENDED_KEY_USAGE  *usages;

    rc = CMP_ERROR;
    null = ASN1_NULL_new();
    usage = ASN1_BIT_STRING_new();
    usages = sk_ASN1_OBJECT_new_null();

    if (null != NULL && usage != NULL && usages != NULL
        && ASN1_BIT_STRING_set_bit(usage, 0, 1)     /* digitalSignature */
        && sk_ASN1_OBJECT_push(usages, OBJ_nid2obj(NID_OCSP_sign)) > 0
        && X509_add1_ext_i2d(x509, NID_key_usage, usage, 1, X509V3_ADD_APPEND)
           > 0
        && X509_add1_ext_i2d(x509, NID_ext_key_usage, usages, 0,
                             X509V3_ADD_APPEND)
           > 0
        && X509_add1_ext_i2d(x509, NID_id_pkix_OCSP_noCheck, null, 0,
                             X509V3_ADD_APPEND)
           > 0)
    {
        rc = CMP_OK;
    }

    ASN1_NULL_free(null);
    ASN1_BIT_STRING_free(usage);
    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);

    return rc;
}


static int
cmp_ocsp_responder_ids(const cmp_issuer_t *issuer, X509 *x509,
    const unsigned char *ski, unsigned len)
{
    int                 rc;
    AUTHORITY_KEYID    *aki;
    ASN1_OCTET_STRING  *id;

    rc = CMP_ERROR;
    aki = AUTHORITY_KEYID_new();
    id = ASN1_OCTET_STRING_new();

    if (aki != NULL) {
        aki->keyid = ASN1_OCTET_STRING_dup(
                                X509_get0_subject_key_id(issuer->certificate));
    }

    if (aki != NULL && id != NULL && aki->keyid != NULL
        && ASN1_OCTET_STRING_set(id, ski, (int) len)
        && X509_add1_ext_i2d(x509, NID_subject_key_identifier, id, 0,
                             X509V3_ADD_APPEND)
           > 0
        && X509_add1_ext_i2d(x509, NID_authority_key_identifier, aki, 0,
                             X509V3_ADD_APPEND)
           > 0)
    {
        rc = CMP_OK;
    }

    AUTHORITY_KEYID_free(aki);
    ASN1_OCTET_STRING_free(id);

    return rc;
}


/* as the store knows any other certificate */

static int
cmp_ocsp_responder_describe(X509 *x509, cmp_pool_t *pool,
    cmp_write_cert_t *cert)
{
    int                rc;
    X509_NAME         *subject;
    cmp_public_key_t  *key;

    subject = X509_get_subject_name(x509);

    cert->state = CMP_CERT_VALID;

    key = cmp_public_key_from(X509_get_X509_PUBKEY(x509));
    if (key == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_hash_key(key, pool, &cert->key_hash);

    cmp_asn1_free(cmp_public_key_t, key);

    if (rc != CMP_OK
        || cmp_encode(pool, ASN1_ITEM_rptr(X509), x509, &cert->der) != CMP_OK
        || cmp_hash_name(subject, pool, &cert->subject_hash) != CMP_OK
        || cmp_issue_name_text(subject, pool, &cert->subject_text) != CMP_OK
        || cmp_pstrdup(pool, &cert->profile, CMP_PROFILE_OCSP,
                       sizeof(CMP_PROFILE_OCSP) - 1)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_ocsp_responder_seal(const cmp_ocsp_responder_params_t *params,
    EVP_PKEY *key, const cmp_str_t *serial, cmp_pool_t *pool,
    cmp_str_t *secret)
{
    int                   rc, len;
    cmp_str_t             none, reference, clear;
    unsigned char         nonce[CMP_OCSP_NONCE_LEN];
    PKCS8_PRIV_KEY_INFO  *info;

    rc = CMP_ERROR;
    none.data = NULL;
    none.len = 0;
    clear.data = NULL;
    len = 0;

    info = EVP_PKEY2PKCS8(key);

    if (info != NULL) {
        len = i2d_PKCS8_PRIV_KEY_INFO(info, &clear.data);
    }

    if (len > 0
        && params->random(params->random_data, nonce, sizeof(nonce)) == CMP_OK
        && cmp_ocsp_responder_reference(params->ca, serial, pool, &reference)
           == CMP_OK)
    {
        clear.len = (size_t) len;

        rc = cmp_seal(pool, params->seal_key, nonce, &none, &reference,
                      &clear, secret);
    }

    if (len > 0) {
        OPENSSL_clear_free(clear.data, (size_t) len);
    }

    PKCS8_PRIV_KEY_INFO_free(info);

    return rc;
}


/* the name of no CA is empty: a key cannot be moved to a credential */

static int
cmp_ocsp_responder_reference(const cmp_ca_t *ca, const cmp_str_t *serial,
    cmp_pool_t *pool, cmp_str_t *reference)
{
    reference->len = ca->name.len + 1 + serial->len;
    reference->data = cmp_palloc(pool, reference->len);

    if (reference->data == NULL) {
        return CMP_ERROR;
    }

    memcpy(reference->data, ca->name.data, ca->name.len);
    reference->data[ca->name.len] = ':';
    memcpy(reference->data + ca->name.len + 1, serial->data, serial->len);

    return CMP_OK;
}


int
cmp_ocsp_responder_open(const cmp_ca_t *ca, const cmp_issuer_t *issuer,
    const unsigned char *seal_key, const cmp_str_t *der,
    const cmp_str_t *secret, cmp_ocsp_responder_t **responder,
    const char **why)
{
    int                    rc;
    X509                  *x509;
    cmp_str_t              serial;
    const ASN1_INTEGER    *integer;
    cmp_ocsp_responder_t  *r;

    *why = NULL;

    r = OPENSSL_zalloc(sizeof(cmp_ocsp_responder_t));
    if (r == NULL) {
        return CMP_ERROR;
    }

    x509 = cmp_asn1_decode(X509, der->data, der->len);
    integer = (x509 != NULL) ? X509_get0_serialNumber(x509) : NULL;

    r->signer.certificate = x509;
    r->signer.delegated = 1;

    if (integer == NULL || ASN1_STRING_length(integer) != CMP_SERIAL_LEN) {
        *why = "it is no certificate";
        rc = CMP_DECLINED;
        goto failed;
    }

    serial.data = r->serial;
    serial.len = CMP_SERIAL_LEN;

    memcpy(r->serial, ASN1_STRING_get0_data(integer), CMP_SERIAL_LEN);

    rc = cmp_ocsp_responder_unseal(ca, seal_key, &serial, secret,
                                   &r->signer.key);
    if (rc != CMP_OK) {
        *why = "its private key was sealed with another key";
        goto failed;
    }

    *why = cmp_ocsp_responder_check(issuer, r);

    if (*why != NULL) {
        rc = CMP_DECLINED;
        goto failed;
    }

    rc = CMP_ERROR;

    if (cmp_sign_md(r->signer.key, &r->signer.md) != CMP_OK
        || cmp_issue_time(X509_get0_notBefore(x509), &r->not_before) != CMP_OK
        || cmp_issue_time(X509_get0_notAfter(x509), &r->not_after) != CMP_OK)
    {
        goto failed;
    }

    r->not_before *= 1000;
    r->not_after *= 1000;
    r->slow = cmp_sign_slow(r->signer.key);

    cmp_crypto_error(NULL, 0);

    *responder = r;

    return CMP_OK;

failed:

    cmp_ocsp_responder_free(r);
    cmp_crypto_error(NULL, 0);

    return rc;
}


static int
cmp_ocsp_responder_unseal(const cmp_ca_t *ca, const unsigned char *seal_key,
    const cmp_str_t *serial, const cmp_str_t *secret, EVP_PKEY **key)
{
    int                   rc;
    cmp_str_t             none, reference, clear;
    cmp_pool_t           *pool;
    const unsigned char  *p;

    none.data = NULL;
    none.len = 0;

    pool = cmp_pool_create();
    if (pool == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_ocsp_responder_reference(ca, serial, pool, &reference);

    if (rc == CMP_OK) {
        rc = cmp_unseal(pool, seal_key, &none, &reference, secret, &clear);
    }

    if (rc == CMP_OK) {
        p = clear.data;
        *key = d2i_AutoPrivateKey(NULL, &p, (long) clear.len);

        if (*key == NULL) {
            rc = CMP_ERROR;
        }
    }

    /* wipes the key in clear */

    cmp_pool_destroy(pool);

    return rc;
}


/* the database is not to say who signs in the name of the CA */

static const char *
cmp_ocsp_responder_check(const cmp_issuer_t *issuer,
    const cmp_ocsp_responder_t *responder)
{
    X509  *x509;

    x509 = responder->signer.certificate;

    if (X509_check_private_key(x509, responder->signer.key) != 1) {
        return "its private key is that of another certificate";
    }

    if (X509_verify(x509, X509_get0_pubkey(issuer->certificate)) != 1) {
        return "this key of the CA has not issued it";
    }

    /* this fills what libcrypto keeps of extensions, before threads read it */

    if ((X509_get_extension_flags(x509) & EXFLAG_XKUSAGE) == 0
        || (X509_get_extended_key_usage(x509) & XKU_OCSP_SIGN) == 0)
    {
        return "it is not for OCSP";
    }

    return NULL;
}


void
cmp_ocsp_responder_free(cmp_ocsp_responder_t *responder)
{
    if (responder == NULL) {
        return;
    }

    X509_free(responder->signer.certificate);
    EVP_PKEY_free(responder->signer.key);
    OPENSSL_free(responder);
}


int
cmp_ocsp_responder_valid(const cmp_ocsp_responder_t *responder, int64_t now)
{
    return now >= responder->not_before && now < responder->not_after;
}


int
cmp_ocsp_responder_due(const cmp_ocsp_responder_t *responder,
    const cmp_issuer_t *issuer, int64_t now)
{
    int64_t  span, end;

    span = responder->not_after - responder->not_before;

    if (now < responder->not_after - span / 3) {
        return 0;
    }

    /* never beyond the certificate of the CA */

    if (cmp_issue_time(X509_get0_notAfter(issuer->certificate), &end)
        != CMP_OK)
    {
        return 0;
    }

    return responder->not_after < end * 1000;
}
