
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_ca_local.h>
#include <cmp_oid.h>

#include <stdio.h>
#include <string.h>


static int cmp_ca_check_cert(X509 *cert, const char *what, char *err,
    size_t size);
static int cmp_ca_check_is_ca(X509 *cert, const char *what, char *err,
    size_t size);
static int cmp_ca_check_key(X509 *cert, EVP_PKEY *key, const char *what,
    const char *directive, char *err, size_t size);
static int cmp_ca_check_link(X509 *cert, X509 *issuer, int depth, char *err,
    size_t size);
static int cmp_ca_check_response_path(cmp_ca_t *ca, char *err, size_t size);
static int cmp_ca_verify_response(cmp_ca_t *ca, X509_STORE *store,
    char *err, size_t size);
static int cmp_ca_sign_once(EVP_PKEY *key, const EVP_MD *md, X509 *cert);
static void cmp_ca_warm_cert(X509 *cert);


/* encoding, time, key */

static int
cmp_ca_check_cert(X509 *cert, const char *what, char *err, size_t size)
{
    int                rc;
    char               reason[420];
    cmp_refusal_t      refusal;
    cmp_public_key_t  *key;

    if (X509_get_version(cert) != X509_VERSION_3
        || (X509_get_extension_flags(cert) & EXFLAG_INVALID))
    {
        snprintf(err, size, "%s is no valid version 3 certificate", what);
        return CMP_ERROR;
    }

    if (X509_cmp_current_time(X509_get0_notBefore(cert)) >= 0) {
        snprintf(err, size, "%s is not valid yet", what);
        return CMP_ERROR;
    }

    if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0) {
        snprintf(err, size, "%s has expired", what);
        return CMP_ERROR;
    }

    memset(&refusal, 0, sizeof(cmp_refusal_t));

    key = cmp_public_key_from(X509_get_X509_PUBKEY(cert));
    rc = (key != NULL) ? cmp_key_check(key, &refusal) : CMP_ERROR;

    cmp_asn1_free(cmp_public_key_t, key);

    if (rc != CMP_OK) {
        snprintf(reason, sizeof(reason), "%s%s%s", refusal.detail,
                 (refusal.log[0] != '\0') ? ": " : "", refusal.log);

        if (refusal.code == CMP_REFUSE_KEY_ALG_UNKNOWN) {
            snprintf(err, size, "the key of %s is of a kind that this module "
                     "or this OpenSSL does not support: %s", what, reason);
            return CMP_ERROR;
        }

        snprintf(err, size, "the key of %s is not acceptable%s%s", what,
                 (reason[0] != '\0') ? ": " : "", reason);
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_ca_check_is_ca(X509 *cert, const char *what, char *err, size_t size)
{
    uint32_t  flags;

    flags = X509_get_extension_flags(cert);

    if (!(flags & EXFLAG_CA)) {
        snprintf(err, size, "%s is no CA certificate, its basicConstraints "
                 "do not say cA", what);
        return CMP_ERROR;
    }

    if (!(flags & EXFLAG_KUSAGE)
        || !(X509_get_key_usage(cert) & KU_KEY_CERT_SIGN))
    {
        snprintf(err, size, "%s has no keyUsage with keyCertSign", what);
        return CMP_ERROR;
    }

    if (X509_NAME_entry_count(X509_get_subject_name(cert)) == 0) {
        snprintf(err, size, "%s has no subject", what);
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_ca_check_key(X509 *cert, EVP_PKEY *key, const char *what,
    const char *directive, char *err, size_t size)
{
    if (key == NULL) {
        snprintf(err, size, "no \"%s\" is set for %s", directive, what);
        return CMP_ERROR;
    }

    if (X509_check_private_key(cert, key) != 1) {
        snprintf(err, size, "the key of \"%s\" does not belong to %s",
                 directive, what);
        return CMP_ERROR;
    }

    return CMP_OK;
}


void
cmp_issuer_hash(cmp_issuer_t *issuer)
{
    size_t              i;
    unsigned            n;
    const EVP_MD       *mds[CMP_HASH_MAX];
    cmp_issuer_hash_t  *hash;

    mds[CMP_HASH_SHA1] = EVP_sha1();
    mds[CMP_HASH_SHA256] = EVP_sha256();
    mds[CMP_HASH_SHA384] = EVP_sha384();
    mds[CMP_HASH_SHA512] = EVP_sha512();

    for (i = 0; i < CMP_HASH_MAX; i++) {

        hash = &issuer->hashes[i];

        /* SHA-1 may have been switched off */

        if (X509_NAME_digest(X509_get_subject_name(issuer->certificate),
                             mds[i], hash->name, &n)
            == 1
            && X509_pubkey_digest(issuer->certificate, mds[i], hash->key, &n)
               == 1)
        {
            hash->len = n;

        } else {
            hash->len = 0;
        }
    }

    cmp_crypto_error(NULL, 0);
}


int
cmp_ca_check_certificate(cmp_ca_t *ca, char *err, size_t size)
{
    X509        *cert;
    const char  *what;

    cert = ca->current.certificate;
    what = "the CA certificate";

    if (cert == NULL) {
        snprintf(err, size, "no \"certificate\" is set");
        return CMP_ERROR;
    }

    if (cmp_ca_check_cert(cert, what, err, size) != CMP_OK
        || cmp_ca_check_is_ca(cert, what, err, size) != CMP_OK
        || cmp_ca_check_key(cert, ca->current.key, what, "certificate_key",
                            err, size)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (!(X509_get_key_usage(cert) & KU_CRL_SIGN)) {
        snprintf(err, size, "%s has no cRLSign in its keyUsage, it cannot "
                 "sign CRLs", what);
        return CMP_ERROR;
    }

    if (X509_get0_subject_key_id(cert) == NULL) {
        snprintf(err, size, "%s has no subjectKeyIdentifier", what);
        return CMP_ERROR;
    }

    if (cmp_sign_md(ca->current.key, &ca->current.md) != CMP_OK) {
        snprintf(err, size, "the key of %s cannot sign", what);
        return CMP_ERROR;
    }

    cmp_issuer_hash(&ca->current);

    ca->subject = X509_get_subject_name(cert);
    ca->current.slow = (cmp_sign_slow(ca->current.key) != 0);
    ca->slow = ca->current.slow;

    return CMP_OK;
}


/*
 * Keys from before rollovers: what they signed goes on, so their certificates
 * may have ended.
 */

int
cmp_ca_check_previous(cmp_ca_t *ca, char *err, size_t size)
{
    size_t               i, k;
    char                 what[64];
    cmp_issuer_t        *previous;
    const cmp_issuer_t  *other;

    if (ca->nprevious > CMP_MAX_PREVIOUS) {
        snprintf(err, size, "there are more than %d previous certificates",
                 CMP_MAX_PREVIOUS);
        return CMP_ERROR;
    }

    for (i = 0; i < ca->nprevious; i++) {

        previous = &ca->previous[i];
        snprintf(what, sizeof(what), "the previous certificate %zu", i + 1);

        if (cmp_ca_check_is_ca(previous->certificate, what, err, size)
            != CMP_OK
            || cmp_ca_check_key(previous->certificate, previous->key, what,
                                "previous_certificate_key", err, size)
               != CMP_OK)
        {
            return CMP_ERROR;
        }

        if (!(X509_get_key_usage(previous->certificate) & KU_CRL_SIGN)
            || X509_get0_subject_key_id(previous->certificate) == NULL)
        {
            snprintf(err, size, "%s has no cRLSign or no "
                     "subjectKeyIdentifier", what);
            return CMP_ERROR;
        }

        if (X509_NAME_cmp(X509_get_subject_name(previous->certificate),
                          ca->subject)
            != 0)
        {
            snprintf(err, size, "%s has another subject than the CA "
                     "certificate", what);
            return CMP_ERROR;
        }

        for (k = 0; k <= i; k++) {

            other = cmp_ca_issuer(ca, k);

            if (EVP_PKEY_eq(X509_get0_pubkey(other->certificate),
                            X509_get0_pubkey(previous->certificate))
                == 1)
            {
                snprintf(err, size, "%s has a key that stands there already",
                         what);
                return CMP_ERROR;
            }
        }

        if (cmp_sign_md(previous->key, &previous->md) != CMP_OK) {
            snprintf(err, size, "the key of %s cannot sign", what);
            return CMP_ERROR;
        }

        previous->slow = (cmp_sign_slow(previous->key) != 0);
        cmp_issuer_hash(previous);
    }

    return CMP_OK;
}


/* certificate, its issuer, and so on: each one signed by the next */

int
cmp_ca_check_chain(cmp_ca_t *ca, char *err, size_t size)
{
    int    i, n;
    char   what[64];
    X509  *cert, *issuer;

    n = sk_X509_num(ca->chain);

    if (n > CMP_MAX_DEPTH) {
        snprintf(err, size, "the chain of the CA certificate has more than "
                 "%d certificates", CMP_MAX_DEPTH);
        return CMP_ERROR;
    }

    cert = ca->current.certificate;

    for (i = 0; i < n; i++) {
        issuer = sk_X509_value(ca->chain, i);

        if (X509_get_extension_flags(cert) & EXFLAG_SS) {
            snprintf(err, size, "certificate %d of the chain follows a "
                     "self-signed one", i + 1);
            return CMP_ERROR;
        }

        snprintf(what, sizeof(what), "certificate %d of the chain", i + 1);

        if (cmp_ca_check_cert(issuer, what, err, size) != CMP_OK
            || cmp_ca_check_is_ca(issuer, what, err, size) != CMP_OK
            || cmp_ca_check_link(cert, issuer, i, err, size) != CMP_OK)
        {
            return CMP_ERROR;
        }

        cert = issuer;
    }

    ca->root = NULL;

    if (X509_get_extension_flags(cert) & EXFLAG_SS) {

        if (X509_self_signed(cert, 1) != 1) {
            snprintf(err, size, "the signature of the root certificate does "
                     "not verify");
            return CMP_ERROR;
        }

        ca->root = cert;
    }

    return CMP_OK;
}


static int
cmp_ca_check_link(X509 *cert, X509 *issuer, int depth, char *err, size_t size)
{
    long  path_len;

    if (X509_check_issued(issuer, cert) != X509_V_OK
        || X509_verify(cert, X509_get0_pubkey(issuer)) != 1)
    {
        snprintf(err, size, "certificate %d of the chain has not issued the "
                 "one before it", depth + 1);
        return CMP_ERROR;
    }

    path_len = X509_get_pathlen(issuer);

    if (path_len >= 0 && path_len <= depth) {
        snprintf(err, size, "the pathLenConstraint of certificate %d of the "
                 "chain forbids the CA to issue", depth + 1);
        return CMP_ERROR;
    }

    return CMP_OK;
}


int
cmp_ca_check_response(cmp_ca_t *ca, char *err, size_t size)
{
    X509        *cert;
    uint32_t     flags;
    EVP_PKEY    *key;
    const char  *what;

    if (ca->response_certificate == NULL) {

        if (ca->response_key != NULL) {
            snprintf(err, size, "\"response_certificate_key\" without "
                     "\"response_certificate\"");
            return CMP_ERROR;
        }

        cert = ca->current.certificate;
        key = ca->current.key;
        what = "the CA certificate";

    } else {
        cert = ca->response_certificate;
        key = ca->response_key;
        what = "the response certificate";

        if (cmp_ca_check_cert(cert, what, err, size) != CMP_OK
            || cmp_ca_check_key(cert, key, what, "response_certificate_key",
                                err, size) != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    flags = X509_get_extension_flags(cert);

    if (!(flags & EXFLAG_KUSAGE)
        || !(X509_get_key_usage(cert) & KU_DIGITAL_SIGNATURE))
    {
        snprintf(err, size, "%s has no digitalSignature in its keyUsage, "
                 "clients would refuse answers that it protects%s", what,
                 (cert == ca->current.certificate)
                 ? ": set a \"response_certificate\"" : "");
        return CMP_ERROR;
    }

    if (X509_get0_subject_key_id(cert) == NULL) {
        snprintf(err, size, "%s has no subjectKeyIdentifier, clients would "
                 "refuse answers that it protects", what);
        return CMP_ERROR;
    }

    if (X509_NAME_entry_count(X509_get_subject_name(cert)) == 0) {
        snprintf(err, size, "%s has no subject", what);
        return CMP_ERROR;
    }

    if (cmp_sign_md(key, &ca->response_md) != CMP_OK) {
        snprintf(err, size, "the key of %s cannot sign", what);
        return CMP_ERROR;
    }

    ca->slow |= (cmp_sign_slow(key) != 0);

    if (ca->response_certificate == NULL) {
        return CMP_OK;
    }

    return cmp_ca_check_response_path(ca, err, size);
}


/* the response certificate chains to what clients of this CA trust */

static int
cmp_ca_check_response_path(cmp_ca_t *ca, char *err, size_t size)
{
    int          i, rc;
    X509_STORE  *store;

    store = X509_STORE_new();

    if (store == NULL || !X509_STORE_add_cert(store, ca->current.certificate)) {
        X509_STORE_free(store);
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    for (i = 0; i < sk_X509_num(ca->chain); i++) {
        if (!X509_STORE_add_cert(store, sk_X509_value(ca->chain, i))) {
            X509_STORE_free(store);
            snprintf(err, size, "out of memory");
            return CMP_ERROR;
        }
    }

    rc = cmp_ca_verify_response(ca, store, err, size);

    X509_STORE_free(store);

    return rc;
}


static int
cmp_ca_verify_response(cmp_ca_t *ca, X509_STORE *store, char *err,
    size_t size)
{
    int              rc;
    X509_STORE_CTX  *ctx;

    ctx = X509_STORE_CTX_new();

    if (ctx == NULL
        || !X509_STORE_CTX_init(ctx, store, ca->response_certificate,
                                ca->response_chain))
    {
        X509_STORE_CTX_free(ctx);
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);

    rc = CMP_OK;

    if (X509_verify_cert(ctx) != 1) {
        snprintf(err, size, "the response certificate does not chain to the "
                 "CA certificate or its issuers: %s",
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        rc = CMP_ERROR;
    }

    X509_STORE_CTX_free(ctx);

    return rc;
}


/* validity is looked at when it signs: an expired one stops nobody else */

int
cmp_ca_check_ra(X509 *cert, char *err, size_t size)
{
    int                  i, found;
    char                 name[128];
    const char          *lacks;
    EXTENDED_KEY_USAGE  *usages;

    lacks = NULL;
    found = 0;

    usages = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);

    for (i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
        if (cmp_oid_equal(sk_ASN1_OBJECT_value(usages, i),
                          &cmp_oid_kp_cmc_ra)
            != 0)
        {
            found = 1;
            break;
        }
    }

    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
    cmp_crypto_error(NULL, 0);

    if (found == 0) {
        lacks = "cmcRA in its extKeyUsage";

    } else if ((X509_get_extension_flags(cert) & EXFLAG_KUSAGE)
               && !(X509_get_key_usage(cert) & KU_DIGITAL_SIGNATURE))
    {
        lacks = "digitalSignature in its keyUsage";
    }

    if (lacks != NULL) {
        (void) X509_NAME_oneline(X509_get_subject_name(cert), name,
                                 sizeof(name));
        snprintf(err, size, "RA certificate \"%s\" has no %s", name, lacks);
        return CMP_ERROR;
    }

    return CMP_OK;
}


static void
cmp_ca_warm_cert(X509 *cert)
{
    (void) X509_check_purpose(cert, -1, 0);
    (void) X509_get0_pubkey(cert);
    (void) X509_cmp(cert, cert);
    (void) i2d_X509(cert, NULL);
    (void) i2d_X509_NAME(X509_get_subject_name(cert), NULL);
}


/* a signature that verifies: the key is not only there, it works */

static int
cmp_ca_sign_once(EVP_PKEY *key, const EVP_MD *md, X509 *cert)
{
    int               rc;
    EVP_MD_CTX       *sign, *verify;
    EVP_PKEY_CTX     *pctx;
    ASN1_BIT_STRING  *sig;

    static const cmp_str_t  text = cmp_string("ngx_http_cmp_module");

    rc = CMP_ERROR;
    sign = cmp_sign_ctx(key, md);
    verify = EVP_MD_CTX_new();
    sig = ASN1_BIT_STRING_new();

    if (sign != NULL
        && verify != NULL
        && sig != NULL
        && cmp_sign(sign, &text, sig) == CMP_OK
        && EVP_DigestVerifyInit(verify, &pctx, md, NULL,
                                X509_get0_pubkey(cert)) == 1
        && EVP_DigestVerify(verify, ASN1_STRING_get0_data(sig),
                            (size_t) ASN1_STRING_length(sig), text.data,
                            text.len)
           == 1)
    {
        rc = CMP_OK;
    }

    ASN1_BIT_STRING_free(sig);
    EVP_MD_CTX_free(verify);
    EVP_MD_CTX_free(sign);

    return rc;
}


int
cmp_ca_warm(cmp_ca_t *ca, char *err, size_t size)
{
    int     i;
    size_t  k;

    for (k = 0; k <= ca->nprevious; k++) {
        cmp_ca_warm_cert(cmp_ca_issuer(ca, k)->certificate);
    }

    for (i = 0; i < sk_X509_num(ca->chain); i++) {
        cmp_ca_warm_cert(sk_X509_value(ca->chain, i));
    }

    for (i = 0; i < sk_X509_num(ca->response_chain); i++) {
        cmp_ca_warm_cert(sk_X509_value(ca->response_chain, i));
    }

    for (k = 0; k < ca->nanchors; k++) {
        cmp_ca_warm_cert(ca->anchors[k].cert);
    }

    for (k = 0; k < ca->nras; k++) {
        cmp_ca_warm_cert(ca->ras[k].cert);
    }

    if (ca->current.key_later == 0
        && cmp_ca_sign_once(ca->current.key, ca->current.md,
                            ca->current.certificate)
           != CMP_OK)
    {
        snprintf(err, size, "a test signature with the key of "
                 "\"certificate_key\" failed");
        return CMP_ERROR;
    }

    if (ca->response_certificate == NULL) {
        return CMP_OK;
    }

    cmp_ca_warm_cert(ca->response_certificate);

    if (ca->response_key_later == 0
        && cmp_ca_sign_once(ca->response_key, ca->response_md,
                            ca->response_certificate)
           != CMP_OK)
    {
        snprintf(err, size, "a test signature with the key of "
                 "\"response_certificate_key\" failed");
        return CMP_ERROR;
    }

    return CMP_OK;
}
