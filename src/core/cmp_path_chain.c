
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Paths to the anchors of a CA, and what its CRLs say of them (RFC 5280, 6).
 * Nothing is fetched: what a path needs comes with the message or is
 * configured.
 */


#include <cmp_path.h>
#include <cmp_path_local.h>
#include <cmp_issue.h>

#include <stdio.h>
#include <string.h>

#include <openssl/x509_vfy.h>


/* at least 112 bits: no SHA-1 or MD5 below an anchor */

#define CMP_PATH_LEVEL  2


/* one verification, with stacks that borrow their elements */

typedef struct {
    X509_STORE            *store;
    X509_STORE_CTX        *ctx;
    STACK_OF(X509)        *trusted;
    STACK_OF(X509)        *untrusted;
    STACK_OF(X509_CRL)    *crls;
    int                    end;         /* depth where trust begins */
    unsigned               no_crl:1;    /* only a revocation matters */
} cmp_path_t;


static int cmp_path_known(const cmp_msg_t *msg, int64_t now,
    cmp_signer_t *signer);
static int64_t cmp_path_until(const cmp_ca_t *ca, const STACK_OF(X509) *path,
    int64_t now);
static void cmp_path_ends(const ASN1_TIME *time, int64_t now,
    int64_t *until);
static int cmp_path_create(cmp_path_t *path);
static void cmp_path_destroy(cmp_path_t *path);
static int cmp_path_init(cmp_path_t *path, X509 *cert, int64_t now,
    unsigned long flags);
static int cmp_path_add_untrusted(cmp_path_t *path, const cmp_msg_t *msg,
    const X509 *cert);
static int cmp_path_refuse(X509_STORE_CTX *ctx, cmp_refusal_t *refusal);
static int cmp_path_pinned(const cmp_ca_t *ca, cmp_pool_t *pool,
    cmp_signer_t *signer);
static int cmp_path_set(cmp_pool_t *pool, cmp_signer_t *signer,
    STACK_OF(X509) *path);
static int cmp_path_set_pair(cmp_pool_t *pool, cmp_signer_t *signer,
    X509 *issuer);
static int cmp_path_set_scope(const cmp_ca_t *ca, cmp_signer_t *signer,
    cmp_refusal_t *refusal);
static X509 *cmp_path_issuer(const cmp_ca_t *ca, const cmp_msg_t *msg,
    X509 *cert);
static int cmp_path_is_issuer(X509 *issuer, X509 *cert);
static int cmp_path_add_crls(cmp_path_t *path, const cmp_ca_t *ca);
static int cmp_path_crl_callback(int ok, X509_STORE_CTX *ctx);
static void cmp_path_free_certs(void *data);


int
cmp_path_to_anchor(const cmp_ca_t *ca, const cmp_msg_t *msg, int64_t now,
    cmp_pool_t *pool, cmp_signer_t *signer, cmp_refusal_t *refusal)
{
    int         rc;
    size_t      i;
    cmp_path_t  path;

    if (ca->nanchors == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_NOT_TRUSTED, NULL);
    }

    if (cmp_path_known(msg, now, signer) != 0) {
        signer->scope = msg->known->scope;
        return CMP_OK;
    }

    rc = cmp_path_pinned(ca, pool, signer);
    if (rc != CMP_DECLINED) {
        return rc;
    }

    rc = CMP_ERROR;

    if (cmp_path_create(&path) != CMP_OK) {
        goto done;
    }

    for (i = 0; i < ca->nanchors; i++) {
        if (sk_X509_push(path.trusted, ca->anchors[i].cert) <= 0) {
            goto done;
        }
    }

    if (cmp_path_add_untrusted(&path, msg, signer->cert) != CMP_OK
        || cmp_path_init(&path, signer->cert, now, X509_V_FLAG_PARTIAL_CHAIN)
           != CMP_OK)
    {
        goto done;
    }

    if (X509_verify_cert(path.ctx) != 1) {
        rc = cmp_path_refuse(path.ctx, refusal);
        goto done;
    }

    rc = cmp_path_set(pool, signer, X509_STORE_CTX_get1_chain(path.ctx));

    if (rc == CMP_OK) {
        rc = cmp_path_set_scope(ca, signer, refusal);
    }

done:

    cmp_path_destroy(&path);
    cmp_crypto_error(NULL, 0);

    return rc;
}


/* is the path one that these extraCerts led to before */

static int
cmp_path_known(const cmp_msg_t *msg, int64_t now, cmp_signer_t *signer)
{
    const cmp_cert_known_t  *known;

    known = msg->known;

    if (known == NULL
        || known->path == NULL
        || known->kind != (int) signer->kind
        || now < known->from
        || now >= known->until)
    {
        return 0;
    }

    signer->path = known->path;
    signer->known = 1;

    return 1;
}


void
cmp_path_remember(const cmp_ca_t *ca, const cmp_msg_t *msg,
    const cmp_signer_t *signer, int64_t now)
{
    cmp_cert_known_t  known;

    if (msg->certs_hashed == 0 || signer->known) {
        return;
    }

    memset(&known, 0, sizeof(cmp_cert_known_t));

    known.certs = msg->extra_certs;

    if (signer->path != NULL && signer->record == NULL) {
        known.path = signer->path;
        known.kind = signer->kind;
        known.scope = signer->scope;
        known.from = now;
        known.until = cmp_path_until(ca, signer->path, now);
    }

    if (known.path != NULL || msg->known == NULL) {
        cmp_cert_cache_put(ca->cert_cache, msg->certs_hash, &known);
    }
}


/* when the first thing that a path depends on begins or ends, in ms */

static int64_t
cmp_path_until(const cmp_ca_t *ca, const STACK_OF(X509) *path, int64_t now)
{
    int        i;
    int64_t    until;
    X509_CRL  *crl;

    until = INT64_MAX;

    for (i = 0; i < sk_X509_num(path); i++) {
        cmp_path_ends(X509_get0_notAfter(sk_X509_value(path, i)), now, &until);
    }

    for (i = 0; i < sk_X509_CRL_num(ca->crls); i++) {

        crl = sk_X509_CRL_value(ca->crls, i);

        cmp_path_ends(X509_CRL_get0_lastUpdate(crl), now, &until);
        cmp_path_ends(X509_CRL_get0_nextUpdate(crl), now, &until);
    }

    return until;
}


/* what is over has had its say */

static void
cmp_path_ends(const ASN1_TIME *time, int64_t now, int64_t *until)
{
    int64_t  seconds;

    if (time == NULL) {
        return;
    }

    if (cmp_issue_time(time, &seconds) != CMP_OK) {
        *until = now;
        return;
    }

    if (seconds * 1000 > now && seconds * 1000 < *until) {
        *until = seconds * 1000;
    }
}


static int
cmp_path_create(cmp_path_t *path)
{
    memset(path, 0, sizeof(cmp_path_t));

    path->store = X509_STORE_new();
    path->ctx = X509_STORE_CTX_new();
    path->trusted = sk_X509_new_null();
    path->untrusted = sk_X509_new_null();
    path->crls = sk_X509_CRL_new_null();

    if (path->store == NULL || path->ctx == NULL || path->trusted == NULL
        || path->untrusted == NULL || path->crls == NULL)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


static void
cmp_path_destroy(cmp_path_t *path)
{
    X509_STORE_CTX_free(path->ctx);
    X509_STORE_free(path->store);
    sk_X509_free(path->trusted);
    sk_X509_free(path->untrusted);
    sk_X509_CRL_free(path->crls);
}


static int
cmp_path_init(cmp_path_t *path, X509 *cert, int64_t now, unsigned long flags)
{
    X509_VERIFY_PARAM  *param;

    if (X509_STORE_CTX_init(path->ctx, path->store, cert, path->untrusted)
        != 1)
    {
        return CMP_ERROR;
    }

    X509_STORE_CTX_set0_trusted_stack(path->ctx, path->trusted);
    X509_STORE_CTX_set0_crls(path->ctx, path->crls);

    param = X509_STORE_CTX_get0_param(path->ctx);

    X509_VERIFY_PARAM_set_depth(param, CMP_MAX_DEPTH);
    X509_VERIFY_PARAM_set_auth_level(param, CMP_PATH_LEVEL);
    X509_VERIFY_PARAM_set_time(param, (time_t) (now / 1000));

    if (X509_VERIFY_PARAM_set_flags(param, flags) != 1) {
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* what has a key that costs too much never gets into a path */

static int
cmp_path_add_untrusted(cmp_path_t *path, const cmp_msg_t *msg,
    const X509 *cert)
{
    int             i, rc;
    X509           *extra;
    cmp_refusal_t   ignored;

    for (i = 0; i < sk_X509_num(msg->extra_certs); i++) {

        extra = sk_X509_value(msg->extra_certs, i);

        if (extra == cert) {
            continue;
        }

        rc = cmp_path_check_key(extra, &ignored);

        if (rc == CMP_DECLINED) {
            continue;
        }

        if (rc != CMP_OK || sk_X509_push(path->untrusted, extra) <= 0) {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static int
cmp_path_refuse(X509_STORE_CTX *ctx, cmp_refusal_t *refusal)
{
    int  depth, error;

    error = X509_STORE_CTX_get_error(ctx);
    depth = X509_STORE_CTX_get_error_depth(ctx);

    if (error == X509_V_ERR_OUT_OF_MEM) {
        return CMP_ERROR;
    }

    (void) snprintf(refusal->log, sizeof(refusal->log),
                    "%s at depth %d of the path",
                    X509_verify_cert_error_string(error), depth);

    if (depth == 0
        && (error == X509_V_ERR_CERT_HAS_EXPIRED
            || error == X509_V_ERR_CERT_NOT_YET_VALID))
    {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_EXPIRED, NULL);
    }

    return cmp_refuse(refusal, CMP_REFUSE_SIGNER_NOT_TRUSTED, NULL);
}


/* the certificate is an anchor itself, whatever else the message brings */

static int
cmp_path_pinned(const cmp_ca_t *ca, cmp_pool_t *pool, cmp_signer_t *signer)
{
    size_t  i;

    for (i = 0; i < ca->nanchors; i++) {

        if (X509_cmp(ca->anchors[i].cert, signer->cert) == 0) {
            signer->scope = ca->anchors[i].scope;
            return cmp_path_set_pair(pool, signer, NULL);
        }
    }

    return CMP_DECLINED;
}


static int
cmp_path_set(cmp_pool_t *pool, cmp_signer_t *signer, STACK_OF(X509) *path)
{
    if (cmp_pool_cleanup_add(pool, cmp_path_free_certs, path) != CMP_OK) {
        return CMP_ERROR;
    }

    signer->path = path;

    return CMP_OK;
}


static int
cmp_path_set_scope(const cmp_ca_t *ca, cmp_signer_t *signer,
    cmp_refusal_t *refusal)
{
    X509    *anchor;
    size_t   i;

    anchor = sk_X509_value(signer->path, sk_X509_num(signer->path) - 1);

    for (i = 0; i < ca->nanchors; i++) {

        if (X509_cmp(ca->anchors[i].cert, anchor) == 0) {
            signer->scope = ca->anchors[i].scope;
            return cmp_path_check_key(anchor, refusal);
        }
    }

    return cmp_refuse(refusal, CMP_REFUSE_SIGNER_NOT_TRUSTED, NULL);
}


int
cmp_path_to_issuer(const cmp_ca_t *ca, const cmp_msg_t *msg, int64_t now,
    cmp_pool_t *pool, cmp_signer_t *signer)
{
    X509  *issuer;

    if (cmp_path_known(msg, now, signer) != 0) {
        return CMP_OK;
    }

    issuer = cmp_path_issuer(ca, msg, signer->cert);

    cmp_crypto_error(NULL, 0);

    if (issuer == NULL) {
        return CMP_OK;
    }

    if (issuer == signer->cert) {
        issuer = NULL;
    }

    return cmp_path_set_pair(pool, signer, issuer);
}


/* issuer NULL: the certificate is the end of the path */

static int
cmp_path_set_pair(cmp_pool_t *pool, cmp_signer_t *signer, X509 *issuer)
{
    STACK_OF(X509)  *path;

    path = sk_X509_new_null();

    if (path == NULL
        || X509_add_cert(path, signer->cert, X509_ADD_FLAG_UP_REF) != 1
        || (issuer != NULL
            && X509_add_cert(path, issuer, X509_ADD_FLAG_UP_REF) != 1))
    {
        cmp_path_free_certs(path);
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    return cmp_path_set(pool, signer, path);
}


/* the certificate itself when it is self-signed, NULL when not found */

static X509 *
cmp_path_issuer(const cmp_ca_t *ca, const cmp_msg_t *msg, X509 *cert)
{
    int             i;
    X509           *issuer;
    size_t          n;
    cmp_refusal_t   ignored;

    if (cmp_path_is_issuer(cert, cert) != 0) {
        return cert;
    }

    for (n = 0; n <= ca->nprevious; n++) {

        issuer = cmp_ca_issuer(ca, n)->certificate;

        if (cmp_path_is_issuer(issuer, cert) != 0) {
            return issuer;
        }
    }

    for (i = 0; i < sk_X509_num(ca->chain); i++) {

        issuer = sk_X509_value(ca->chain, i);

        if (cmp_path_is_issuer(issuer, cert) != 0) {
            return issuer;
        }
    }

    for (n = 0; n < ca->nanchors; n++) {
        if (cmp_path_is_issuer(ca->anchors[n].cert, cert) != 0) {
            return ca->anchors[n].cert;
        }
    }

    for (i = 1; i < sk_X509_num(msg->extra_certs); i++) {

        issuer = sk_X509_value(msg->extra_certs, i);

        if (cmp_path_check_key(issuer, &ignored) == CMP_OK
            && cmp_path_is_issuer(issuer, cert) != 0)
        {
            return issuer;
        }
    }

    return NULL;
}


static int
cmp_path_is_issuer(X509 *issuer, X509 *cert)
{
    EVP_PKEY  *key;

    if (X509_NAME_cmp(X509_get_subject_name(issuer),
                      X509_get_issuer_name(cert))
        != 0)
    {
        return 0;
    }

    key = X509_get0_pubkey(issuer);

    return key != NULL && X509_verify(cert, key) == 1;
}


int
cmp_path_check_crls(const cmp_ca_t *ca, const cmp_signer_t *signer,
    int64_t now, cmp_refusal_t *refusal)
{
    int         i, n, rc, error;
    X509       *cert;
    cmp_path_t  path;

    if (signer->known) {
        return CMP_OK;
    }

    n = sk_X509_num(signer->path);

    /* an anchor itself: to trust it no more is to take it out */

    if (n == 1) {
        return CMP_OK;
    }

    if (n <= 0) {

        if (signer->scope != NULL && signer->scope->no_crl) {
            return CMP_OK;
        }

        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_STATUS_UNKNOWN,
                          "its issuer is not known");
    }

    if (cmp_path_not_revoked(ca, signer->path, now) != 0) {
        return CMP_OK;
    }

    rc = CMP_ERROR;

    if (cmp_path_create(&path) != CMP_OK) {
        goto done;
    }

    path.end = n - 1;
    path.no_crl = (signer->scope != NULL && signer->scope->no_crl);

    for (i = 1; i < n; i++) {

        cert = sk_X509_value(signer->path, i);

        if (sk_X509_push((i == n - 1) ? path.trusted : path.untrusted, cert)
            <= 0)
        {
            goto done;
        }
    }

    if (cmp_path_add_crls(&path, ca) != CMP_OK
        || cmp_path_init(&path, signer->cert, now,
                         X509_V_FLAG_PARTIAL_CHAIN|X509_V_FLAG_CRL_CHECK
                         |X509_V_FLAG_CRL_CHECK_ALL)
           != CMP_OK
        || X509_STORE_CTX_set_app_data(path.ctx, &path) != 1)
    {
        goto done;
    }

    X509_STORE_CTX_set_verify_cb(path.ctx, cmp_path_crl_callback);

    if (X509_verify_cert(path.ctx) == 1) {
        rc = CMP_OK;
        goto done;
    }

    error = X509_STORE_CTX_get_error(path.ctx);

    if (error == X509_V_ERR_OUT_OF_MEM) {
        goto done;
    }

    (void) snprintf(refusal->log, sizeof(refusal->log),
                    "%s at depth %d of the path",
                    X509_verify_cert_error_string(error),
                    X509_STORE_CTX_get_error_depth(path.ctx));

    rc = cmp_refuse(refusal,
                    (error == X509_V_ERR_CERT_REVOKED)
                    ? CMP_REFUSE_SIGNER_REVOKED
                    : CMP_REFUSE_SIGNER_STATUS_UNKNOWN, NULL);

done:

    cmp_path_destroy(&path);
    cmp_crypto_error(NULL, 0);

    return rc;
}


/* a CRL without nextUpdate would be taken as current for ever */

static int
cmp_path_add_crls(cmp_path_t *path, const cmp_ca_t *ca)
{
    int        i;
    X509_CRL  *crl;

    for (i = 0; i < sk_X509_CRL_num(ca->crls); i++) {

        crl = sk_X509_CRL_value(ca->crls, i);

        if (X509_CRL_get0_nextUpdate(crl) == NULL && path->no_crl == 0) {
            continue;
        }

        if (sk_X509_CRL_push(path->crls, crl) <= 0) {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/* the path was verified before, so what is left are matters of CRLs */

static int
cmp_path_crl_callback(int ok, X509_STORE_CTX *ctx)
{
    const cmp_path_t  *path;

    if (ok == 1) {
        return 1;
    }

    path = X509_STORE_CTX_get_app_data(ctx);

    /* nobody has to vouch for the end of the path */

    if (X509_STORE_CTX_get_error_depth(ctx) == path->end) {
        return 1;
    }

    return path->no_crl
           && X509_STORE_CTX_get_error(ctx) != X509_V_ERR_CERT_REVOKED;
}


static void
cmp_path_free_certs(void *data)
{
    sk_X509_pop_free(data, X509_free);
}
