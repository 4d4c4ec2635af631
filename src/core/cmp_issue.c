
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_issue_local.h>
#include <cmp_asn1.h>
#include <cmp_crl.h>
#include <cmp_key.h>
#include <cmp_msg.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>


#define CMP_ISSUE_MAX_TIME     ((int64_t) 253370764800)    /* 9999-01-01 */


static int cmp_issue_create(cmp_issue_ctx_t *ctx);
static int cmp_issue_key(cmp_issue_ctx_t *ctx);
static int cmp_issue_set_key(X509 *cert, const cmp_public_key_t *key, int *nid);
static int cmp_issue_validity(cmp_issue_ctx_t *ctx);
static int cmp_issue_client_validity(cmp_issue_ctx_t *ctx, int64_t now,
    int64_t *from, int64_t *to);
static int cmp_issue_set_time(X509 *cert, int64_t seconds,
    int (*set)(X509 *cert, const ASN1_TIME *time));
static int cmp_issue_set_serial(const cmp_str_t *serial, X509 *cert);
static int cmp_issue_crl_urls(const cmp_ca_t *ca, cmp_issue_t *issue);
static int cmp_issue_crl_points(X509 *cert, int nid, const cmp_str_t *urls,
    size_t n, int partition);
static int cmp_issue_describe(cmp_issue_t *issue, cmp_pool_t *pool);
static int cmp_issue_hash(const unsigned char *data, size_t len,
    cmp_pool_t *pool, cmp_str_t *hash);
static void cmp_issue_free_cert(void *data);


int
cmp_issue_prepare(const cmp_ca_t *ca, const cmp_profile_t *profile,
    const cmp_issue_request_t *request, cmp_pool_t *pool, cmp_issue_t *issue,
    cmp_refusal_t *refusal)
{
    int              rc;
    cmp_issue_ctx_t  ctx;

    memset(issue, 0, sizeof(cmp_issue_t));
    memset(&ctx, 0, sizeof(cmp_issue_ctx_t));

    ctx.ca = ca;
    ctx.profile = profile;
    ctx.request = request;
    ctx.pool = pool;
    ctx.issue = issue;
    ctx.refusal = refusal;

    rc = cmp_issue_create(&ctx);

    if (rc == CMP_OK) {
        rc = cmp_issue_key(&ctx);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_sort_extensions(&ctx);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_alt_names(&ctx);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_subject(&ctx);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_extensions(&ctx);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_validity(&ctx);
    }

    cmp_crypto_error(NULL, 0);

    return rc;
}


static void
cmp_issue_free_cert(void *data)
{
    X509_free(data);
}


static int
cmp_issue_create(cmp_issue_ctx_t *ctx)
{
    X509  *cert;

    cert = X509_new();

    if (cmp_pool_cleanup_add(ctx->pool, cmp_issue_free_cert, cert) != CMP_OK) {
        return CMP_ERROR;
    }

    ctx->issue->cert = cert;
    ctx->issue->profile = ctx->profile;

    if (!X509_set_version(cert, X509_VERSION_3)
        || !X509_set_issuer_name(cert, ctx->ca->subject))
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_issue_key(cmp_issue_ctx_t *ctx)
{
    int                rc, nid;
    cmp_public_key_t  *key;

    key = ctx->request->key;

    if (key == NULL) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_NO_KEY, NULL);
    }

    rc = cmp_key_check(key, ctx->refusal);

    if (rc == CMP_OK) {
        rc = cmp_profile_check_key(ctx->profile, key, ctx->refusal);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_set_key(ctx->issue->cert, key, &nid);
    }

    if (rc == CMP_OK) {
        ctx->usages = cmp_key_usages(nid);
    }

    return rc;
}


/*
 * The octets are copied: X509_set_pubkey() would encode the key again, which
 * takes many times as long as an EC signature.
 */

static int
cmp_issue_set_key(X509 *cert, const cmp_public_key_t *key, int *nid)
{
    int                 type;
    void               *copy;
    cmp_str_t           octets;
    const void         *value;
    ASN1_OBJECT        *alg;
    unsigned char      *dup;
    const ASN1_OBJECT  *oid;

    X509_ALGOR_get0(&oid, &type, &value, key->algorithm);

    *nid = OBJ_obj2nid(oid);
    octets = cmp_octets(key->subject_public_key);
    copy = NULL;

    if (type == V_ASN1_OBJECT) {
        copy = OBJ_dup(value);

    } else if (type != V_ASN1_UNDEF && type != V_ASN1_NULL) {
        copy = ASN1_STRING_dup(value);
    }

    alg = OBJ_dup(oid);
    dup = OPENSSL_memdup(octets.data, octets.len);

    if (alg == NULL || dup == NULL
        || (copy == NULL && type != V_ASN1_UNDEF && type != V_ASN1_NULL)
        || !X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(cert), alg, type,
                                   copy, dup, (int) octets.len))
    {
        ASN1_OBJECT_free(alg);
        OPENSSL_free(dup);

        if (type == V_ASN1_OBJECT) {
            ASN1_OBJECT_free(copy);

        } else {
            ASN1_STRING_free(copy);
        }

        return CMP_ERROR;
    }

    return CMP_OK;
}


void
cmp_issue_modified(cmp_issue_t *issue, const char *fmt, ...)
{
    int      n;
    size_t   len;
    va_list  args;

    issue->modified = 1;

    len = strlen(issue->mods);
    n = snprintf(issue->mods + len, sizeof(issue->mods) - len, "%s",
                 (len != 0) ? "; " : "");

    if (n < 0 || (size_t) n >= sizeof(issue->mods) - len) {
        return;
    }

    len += (size_t) n;

    va_start(args, fmt);
    (void) vsnprintf(issue->mods + len, sizeof(issue->mods) - len, fmt, args);
    va_end(args);
}


/*
 * Times are whole seconds.  Without a wish of the client: from "backdate" ago,
 * for clocks that are slow, to "validity" from now.
 */

static int
cmp_issue_validity(cmp_issue_ctx_t *ctx)
{
    int       rc;
    X509     *cert;
    int64_t   now, from, to, ca_from, ca_to;

    now = ctx->request->now / 1000;
    cert = ctx->ca->current.certificate;

    if (cmp_issue_time(X509_get0_notBefore(cert), &ca_from)
        != CMP_OK
        || cmp_issue_time(X509_get0_notAfter(cert), &ca_to)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (now < ca_from || now >= ca_to) {
        snprintf(ctx->refusal->log, sizeof(ctx->refusal->log),
                 "the CA certificate is not valid at this time");
        return cmp_refuse(ctx->refusal, CMP_REFUSE_UNAVAILABLE, NULL);
    }

    from = now - ctx->profile->backdate;
    to = now + ctx->profile->validity;

    if (from < ca_from) {
        from = ca_from;
    }

    rc = cmp_issue_client_validity(ctx, now, &from, &to);
    if (rc != CMP_OK) {
        return rc;
    }

    if (to > ca_to) {
        to = ca_to;

        if (ctx->request->not_after != NULL) {
            cmp_issue_modified(ctx->issue, "notAfter was reduced to that of "
                               "the CA certificate");
        }
    }

    if (to >= CMP_ISSUE_MAX_TIME) {
        to = CMP_ISSUE_MAX_TIME - 1;
    }

    if (from >= to) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_VALIDITY,
                          "it ends before it begins");
    }

    if (cmp_issue_times(ctx->issue->cert, from, to) != CMP_OK) {
        return CMP_ERROR;
    }

    ctx->issue->not_before = from * 1000;
    ctx->issue->not_after = to * 1000;

    return CMP_OK;
}


/* from and to are what the profile gives, and may be narrowed or moved */

static int
cmp_issue_client_validity(cmp_issue_ctx_t *ctx, int64_t now, int64_t *from,
    int64_t *to)
{
    int64_t                     begin, end, last;
    const cmp_issue_request_t  *request;

    request = ctx->request;
    begin = *from;
    end = *to;

    if (request->not_before != NULL
        && cmp_issue_time(request->not_before, &begin) != CMP_OK)
    {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_VALIDITY,
                          "notBefore cannot be read");
    }

    if (request->not_after != NULL
        && cmp_issue_time(request->not_after, &end) != CMP_OK)
    {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_VALIDITY,
                          "notAfter cannot be read");
    }

    if (begin >= CMP_ISSUE_MAX_TIME || end >= CMP_ISSUE_MAX_TIME) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_VALIDITY,
                          "no certificate lasts until the year 9999");
    }

    if (request->not_after != NULL && (end <= begin || end <= now)) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_VALIDITY,
                          "it ends before it begins, or has ended already");
    }

    if (!ctx->profile->client_validity) {

        if (begin != *from || end != *to) {
            cmp_issue_modified(ctx->issue, "the validity was set by the "
                               "certificate profile");
        }

        return CMP_OK;
    }

    if (begin < *from) {
        begin = *from;
        cmp_issue_modified(ctx->issue, "notBefore was set to the present");
    }

    if (begin > *to) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_VALIDITY,
                          "notBefore is too far in the future");
    }

    last = (begin > now) ? begin + ctx->profile->validity : *to;

    if (request->not_after == NULL) {
        end = last;

    } else if (end > last) {
        end = last;
        cmp_issue_modified(ctx->issue, "notAfter was reduced to what the "
                           "certificate profile allows");
    }

    *from = begin;
    *to = end;

    return CMP_OK;
}


/* the two forms of RFC 5280, 4.1.2.5: with seconds, UTC, no fraction */

int
cmp_issue_time(const ASN1_TIME *time, int64_t *seconds)
{
    int        len;
    struct tm  tm;

    len = ASN1_STRING_length(time);

    if (len != ((ASN1_STRING_type(time) == V_ASN1_UTCTIME) ? 13 : 15)
        || ASN1_STRING_get0_data(time)[len - 1] != 'Z'
        || !ASN1_TIME_to_tm(time, &tm))
    {
        cmp_crypto_error(NULL, 0);
        return CMP_DECLINED;
    }

    *seconds = (int64_t) timegm(&tm);

    return CMP_OK;
}


int
cmp_issue_times(X509 *cert, int64_t from, int64_t to)
{
    if (cmp_issue_set_time(cert, from, X509_set1_notBefore) != CMP_OK
        || cmp_issue_set_time(cert, to, X509_set1_notAfter) != CMP_OK)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_issue_set_time(X509 *cert, int64_t seconds,
    int (*set)(X509 *cert, const ASN1_TIME *time))
{
    int         rc;
    ASN1_TIME  *time;

    time = ASN1_TIME_set(NULL, (time_t) seconds);

    rc = (time != NULL && set(cert, time)) ? CMP_OK : CMP_ERROR;

    ASN1_TIME_free(time);

    return rc;
}


int
cmp_issue_sign(const cmp_ca_t *ca, cmp_issue_t *issue, int64_t now,
    cmp_random_pt random, void *random_data, cmp_pool_t *pool)
{
    int          rc;
    EVP_MD_CTX  *ctx;

    if (cmp_issue_serial(issue->cert, now, random, random_data, pool,
                         &issue->serial)
        != CMP_OK
        || cmp_issue_crl_urls(ca, issue) != CMP_OK)
    {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    ctx = cmp_sign_ctx(ca->current.key, ca->current.md);

    rc = (ctx != NULL && X509_sign_ctx(issue->cert, ctx) > 0) ? CMP_OK
                                                              : CMP_ERROR;

    EVP_MD_CTX_free(ctx);

    if (rc == CMP_OK) {
        rc = cmp_encode(pool, ASN1_ITEM_rptr(X509), issue->cert, &issue->der);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_describe(issue, pool);
    }

    cmp_crypto_error(NULL, 0);

    return rc;
}


int
cmp_issue_serial(X509 *cert, int64_t now, cmp_random_pt random,
    void *random_data, cmp_pool_t *pool, cmp_str_t *serial)
{
    int             i;
    unsigned char  *p;

    p = cmp_palloc(pool, CMP_SERIAL_LEN);
    if (p == NULL) {
        return CMP_ERROR;
    }

    for (i = 0; i < 6; i++) {
        p[i] = (unsigned char) ((uint64_t) now >> (40 - 8 * i));
    }

    p[0] = (p[0] & 0x3f) | 0x40;

    if (random(random_data, p + 6, CMP_SERIAL_LEN - 6) != CMP_OK) {
        return CMP_ERROR;
    }

    serial->data = p;
    serial->len = CMP_SERIAL_LEN;

    return cmp_issue_set_serial(serial, cert);
}


static int
cmp_issue_set_serial(const cmp_str_t *serial, X509 *cert)
{
    int            rc;
    ASN1_INTEGER  *integer;

    integer = ASN1_INTEGER_new();

    if (integer == NULL) {
        return CMP_ERROR;
    }

    rc = (ASN1_STRING_set(integer, serial->data, (int) serial->len)
          && X509_set_serialNumber(cert, integer)) ? CMP_OK : CMP_ERROR;

    ASN1_INTEGER_free(integer);

    return rc;
}


static int
cmp_issue_crl_urls(const cmp_ca_t *ca, cmp_issue_t *issue)
{
    size_t                n;
    const cmp_str_t      *urls, *freshest;
    const cmp_profile_t  *profile;

    profile = issue->profile;

    urls = profile->crl_urls;
    n = profile->ncrl_urls;
    freshest = NULL;

    issue->partition = 0;

    if (profile->ca_crl_urls) {
        issue->partition = cmp_crl_partition(ca, &issue->serial);

        if (issue->partition != 0) {
            urls = &ca->crl_partition_url;
            n = 1;
        }

        freshest = &ca->crl_delta_url;
    }

    if (n != 0
        && cmp_issue_crl_points(issue->cert, NID_crl_distribution_points, urls,
                                n, issue->partition)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (freshest == NULL || freshest->len == 0) {
        return CMP_OK;
    }

    return cmp_issue_crl_points(issue->cert, NID_freshest_crl, freshest, 1,
                                issue->partition);
}


static int
cmp_issue_crl_points(X509 *cert, int nid, const cmp_str_t *urls, size_t n,
    int partition)
{
    int               rc;
    CRL_DIST_POINTS  *points;

    points = cmp_crl_dist_points(urls, n, partition);
    if (points == NULL) {
        return CMP_ERROR;
    }

    rc = (X509_add1_ext_i2d(cert, nid, points, 0, X509V3_ADD_REPLACE) > 0)
         ? CMP_OK : CMP_ERROR;

    CRL_DIST_POINTS_free(points);

    return rc;
}


/* what the store wants to know of a certificate besides its DER */

static int
cmp_issue_describe(cmp_issue_t *issue, cmp_pool_t *pool)
{
    if (cmp_encode(pool, ASN1_ITEM_rptr(X509_NAME), issue->subject,
                   &issue->subject_der)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    return cmp_issue_name_text(issue->subject, pool, &issue->subject_text);
}


int
cmp_issue_name_text(const X509_NAME *name, cmp_pool_t *pool, cmp_str_t *out)
{
    int    rc;
    BIO   *bio;
    char  *text;
    long   len;

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    rc = CMP_ERROR;

    if (X509_NAME_print_ex(bio, name, 0,
                           XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB)
        >= 0)
    {
        len = BIO_get_mem_data(bio, &text);
        rc = cmp_pstrdup(pool, out, text, (size_t) len);
    }

    BIO_free(bio);
    cmp_crypto_error(NULL, 0);

    return rc;
}


int
cmp_hash_name(const X509_NAME *name, cmp_pool_t *pool, cmp_str_t *hash)
{
    int             len, rc;
    unsigned char  *der;

    der = NULL;
    len = i2d_X509_NAME(name, &der);

    if (len < 0) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    rc = cmp_issue_hash(der, (size_t) len, pool, hash);

    OPENSSL_free(der);

    return rc;
}


int
cmp_hash_key(const cmp_public_key_t *key, cmp_pool_t *pool, cmp_str_t *hash)
{
    int             len, rc;
    unsigned char  *der;

    der = NULL;
    len = cmp_asn1_encode(cmp_public_key_t, key, &der);

    if (len < 0) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    rc = cmp_issue_hash(der, (size_t) len, pool, hash);

    OPENSSL_free(der);

    return rc;
}


static int
cmp_issue_hash(const unsigned char *data, size_t len, cmp_pool_t *pool,
    cmp_str_t *hash)
{
    unsigned char  *p;

    p = cmp_palloc(pool, CMP_SHA256_LEN);
    if (p == NULL) {
        return CMP_ERROR;
    }

    if (!EVP_Digest(data, len, p, NULL, EVP_sha256(), NULL)) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    hash->data = p;
    hash->len = CMP_SHA256_LEN;

    return CMP_OK;
}
