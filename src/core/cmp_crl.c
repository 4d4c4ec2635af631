
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_crl_local.h>
#include <cmp_msg.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>


#define CMP_CRL_MAX_ALGORITHM  256
#define CMP_CRL_FIRST_SIZE     4096


/*
 * CertificateList  ::=  SEQUENCE  {
 *      tbsCertList          TBSCertList,
 *      signatureAlgorithm   AlgorithmIdentifier,
 *      signature            BIT STRING  }
 *
 * TBSCertList  ::=  SEQUENCE  {
 *      version                 Version OPTIONAL,
 *                                   -- if present, MUST be v2
 *      signature               AlgorithmIdentifier,
 *      issuer                  Name,
 *      thisUpdate              Time,
 *      nextUpdate              Time OPTIONAL,
 *      revokedCertificates     SEQUENCE OF SEQUENCE  {
 *           userCertificate         CertificateSerialNumber,
 *           revocationDate          Time,
 *           crlEntryExtensions      Extensions OPTIONAL } OPTIONAL,
 *      crlExtensions           [0] Extensions OPTIONAL }
 *
 * All of it is written into one buffer: entries behind a room that is large
 * enough for what stands in front of them, and the rest behind the entries.
 */

struct cmp_crl_s {
    const cmp_ca_t        *ca;
    cmp_crl_params_t       params;
    unsigned char         *data;
    size_t                 room;        /* where the entries begin */
    size_t                 len;         /* with the room */
    size_t                 size;
    size_t                 nentries;
};


static int cmp_crl_reserve(cmp_crl_t *crl, size_t size);
static int cmp_crl_front(cmp_crl_t *crl, const cmp_str_t *algorithm,
    size_t *begin);
static int cmp_crl_extensions(cmp_crl_t *crl);
static int cmp_crl_extensions_fill(const cmp_crl_t *crl,
    STACK_OF(X509_EXTENSION) *exts);
static int cmp_crl_aki(const cmp_issuer_t *issuer,
    STACK_OF(X509_EXTENSION) *exts);
static int cmp_crl_integer(int nid, int critical, int64_t value,
    STACK_OF(X509_EXTENSION) *exts);
static int cmp_crl_partition_point(const cmp_crl_t *crl,
    STACK_OF(X509_EXTENSION) *exts);
static int cmp_crl_freshest(const cmp_crl_t *crl,
    STACK_OF(X509_EXTENSION) *exts);
static int cmp_crl_extension(int nid, int critical, void *value,
    STACK_OF(X509_EXTENSION) *exts);
static int cmp_crl_algorithm(EVP_MD_CTX *ctx, cmp_str_t *algorithm);
static int cmp_crl_signature(cmp_crl_t *crl, EVP_MD_CTX *ctx, size_t begin,
    const cmp_str_t *algorithm);


cmp_crl_t *
cmp_crl_create(const cmp_ca_t *ca, const cmp_crl_params_t *params)
{
    cmp_crl_t  *crl;

    if (params->number < 0 || params->base < 0
        || (params->base != 0 && params->base >= params->number)
        || params->partition < 0
        || (params->partition != 0 && ca->crl_partition_url.len == 0)
        || params->this_update < 0
        || params->next_update < params->this_update)
    {
        return NULL;
    }

    crl = calloc(1, sizeof(cmp_crl_t));
    if (crl == NULL) {
        return NULL;
    }

    crl->ca = ca;
    crl->params = *params;

    /* three headers, version, two times */

    crl->room = ca->subject_der.len + CMP_CRL_MAX_ALGORITHM
                + 3 * CMP_CRL_MAX_HEADER + 3 + 2 * CMP_CRL_MAX_TIME_LEN;
    crl->len = crl->room;

    if (cmp_crl_reserve(crl, CMP_CRL_FIRST_SIZE) != CMP_OK) {
        free(crl);
        return NULL;
    }

    return crl;
}


void
cmp_crl_free(cmp_crl_t *crl)
{
    if (crl != NULL) {
        free(crl->data);
        free(crl);
    }
}


size_t
cmp_crl_nentries(const cmp_crl_t *crl)
{
    return crl->nentries;
}


int
cmp_crl_add(cmp_crl_t *crl, const cmp_crl_entry_t *entries, size_t n)
{
    size_t  i, len;

    for (i = 0; i < n; i++) {

        if (cmp_crl_reserve(crl, CMP_CRL_MAX_ENTRY) != CMP_OK) {
            return CMP_ERROR;
        }

        len = cmp_crl_entry(&entries[i], crl->params.base != 0,
                            crl->data + crl->len);
        if (len == 0) {
            return CMP_ERROR;
        }

        crl->len += len;
        crl->nentries++;
    }

    return CMP_OK;
}


/* there is room for so many octets at the end */

static int
cmp_crl_reserve(cmp_crl_t *crl, size_t size)
{
    size_t          want;
    unsigned char  *p;

    if (crl->size - crl->len >= size && crl->data != NULL) {
        return CMP_OK;
    }

    if (size > INT_MAX / 2 - crl->len) {
        return CMP_ERROR;
    }

    want = crl->len + size;
    want += want / 2;

    p = realloc(crl->data, want);
    if (p == NULL) {
        return CMP_ERROR;
    }

    crl->data = p;
    crl->size = want;

    return CMP_OK;
}


int
cmp_crl_sign(cmp_crl_t *crl, cmp_str_t *der)
{
    int             rc;
    size_t          begin, end;
    cmp_str_t       algorithm;
    EVP_MD_CTX     *ctx;
    unsigned char   header[CMP_CRL_MAX_HEADER];

    rc = CMP_ERROR;
    end = crl->len;

    algorithm.data = NULL;
    algorithm.len = 0;

    ctx = cmp_sign_ctx(crl->params.issuer->key, crl->params.issuer->md);

    if (ctx != NULL
        && cmp_crl_algorithm(ctx, &algorithm) == CMP_OK
        && cmp_crl_front(crl, &algorithm, &begin) == CMP_OK
        && cmp_crl_signature(crl, ctx, begin, &algorithm) == CMP_OK)
    {
        der->len = cmp_crl_header(V_ASN1_CONSTRUCTED | V_ASN1_SEQUENCE,
                                  crl->len - begin, header);
        begin -= der->len;
        memcpy(crl->data + begin, header, der->len);

        der->data = crl->data + begin;
        der->len = crl->len - begin;

        rc = CMP_OK;
    }

    /* what was put behind the entries is overwritten by another call */

    crl->len = end;

    OPENSSL_free(algorithm.data);
    EVP_MD_CTX_free(ctx);

    cmp_crypto_error(NULL, 0);

    return rc;
}


/* everything of tbsCertList but the entries; "begin": where it begins */

static int
cmp_crl_front(cmp_crl_t *crl, const cmp_str_t *algorithm, size_t *begin)
{
    size_t          len, from, to, content;
    unsigned char  *p, times[2 * CMP_CRL_MAX_TIME_LEN];
    unsigned char   revoked[CMP_CRL_MAX_HEADER], header[CMP_CRL_MAX_HEADER];

    static const unsigned char  version[] = { V_ASN1_INTEGER, 1, 1 };

    from = cmp_crl_time(crl->params.this_update, 0, times);
    to = cmp_crl_time(crl->params.next_update, 0, times + from);

    if (from == 0 || to == 0 || algorithm->len > CMP_CRL_MAX_ALGORITHM) {
        return CMP_ERROR;
    }

    len = 0;

    if (crl->nentries != 0) {
        len = cmp_crl_header(V_ASN1_CONSTRUCTED | V_ASN1_SEQUENCE,
                             crl->len - crl->room, revoked);
    }

    content = sizeof(version) + algorithm->len + crl->ca->subject_der.len
              + from + to + len;

    /* written after the length of the entries is known */

    if (cmp_crl_extensions(crl) != CMP_OK) {
        return CMP_ERROR;
    }

    *begin = crl->room - content;

    p = crl->data + *begin;

    memcpy(p, version, sizeof(version));
    p += sizeof(version);

    memcpy(p, algorithm->data, algorithm->len);
    p += algorithm->len;

    memcpy(p, crl->ca->subject_der.data, crl->ca->subject_der.len);
    p += crl->ca->subject_der.len;

    memcpy(p, times, from + to);
    p += from + to;

    memcpy(p, revoked, len);

    len = cmp_crl_header(V_ASN1_CONSTRUCTED | V_ASN1_SEQUENCE,
                         crl->len - *begin, header);
    *begin -= len;
    memcpy(crl->data + *begin, header, len);

    return CMP_OK;
}


static int
cmp_crl_extensions(cmp_crl_t *crl)
{
    int                        len, rc;
    size_t                     header;
    unsigned char             *p;
    STACK_OF(X509_EXTENSION)  *exts;

    rc = CMP_ERROR;

    exts = sk_X509_EXTENSION_new_null();
    if (exts == NULL) {
        return CMP_ERROR;
    }

    if (cmp_crl_extensions_fill(crl, exts) != CMP_OK) {
        goto done;
    }

    len = i2d_X509_EXTENSIONS(exts, NULL);

    if (len <= 0
        || cmp_crl_reserve(crl, CMP_CRL_MAX_HEADER + (size_t) len) != CMP_OK)
    {
        goto done;
    }

    p = crl->data + crl->len;

    header = cmp_crl_header(V_ASN1_CONTEXT_SPECIFIC | V_ASN1_CONSTRUCTED,
                            (size_t) len, p);
    p += header;

    if (i2d_X509_EXTENSIONS(exts, &p) != len) {
        goto done;
    }

    crl->len += header + (size_t) len;

    rc = CMP_OK;

done:

    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);

    return rc;
}


static int
cmp_crl_extensions_fill(const cmp_crl_t *crl, STACK_OF(X509_EXTENSION) *exts)
{
    const cmp_crl_params_t  *params;

    params = &crl->params;

    if (cmp_crl_aki(params->issuer, exts) != CMP_OK
        || cmp_crl_integer(NID_crl_number, 0, params->number, exts) != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (params->partition != 0
        && cmp_crl_partition_point(crl, exts) != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (params->base != 0) {
        return cmp_crl_integer(NID_delta_crl, 1, params->base, exts);
    }

    /* never in a delta CRL (RFC 5280, 5.2.6) */

    if (crl->ca->crl_delta_url.len != 0) {
        return cmp_crl_freshest(crl, exts);
    }

    return CMP_OK;
}


static int
cmp_crl_aki(const cmp_issuer_t *issuer, STACK_OF(X509_EXTENSION) *exts)
{
    int               rc;
    AUTHORITY_KEYID  *aki;

    aki = AUTHORITY_KEYID_new();
    if (aki == NULL) {
        return CMP_ERROR;
    }

    aki->keyid = ASN1_OCTET_STRING_dup(
                     X509_get0_subject_key_id(issuer->certificate));

    rc = (aki->keyid != NULL)
         ? cmp_crl_extension(NID_authority_key_identifier, 0, aki, exts)
         : CMP_ERROR;

    AUTHORITY_KEYID_free(aki);

    return rc;
}


static int
cmp_crl_integer(int nid, int critical, int64_t value,
    STACK_OF(X509_EXTENSION) *exts)
{
    int            rc;
    ASN1_INTEGER  *integer;

    integer = ASN1_INTEGER_new();
    if (integer == NULL) {
        return CMP_ERROR;
    }

    rc = ASN1_INTEGER_set_int64(integer, value)
         ? cmp_crl_extension(nid, critical, integer, exts) : CMP_ERROR;

    ASN1_INTEGER_free(integer);

    return rc;
}


/* the same URL as in the certificates of the partition (RFC 5280, 5.2.5) */

static int
cmp_crl_partition_point(const cmp_crl_t *crl, STACK_OF(X509_EXTENSION) *exts)
{
    int                  rc;
    ISSUING_DIST_POINT  *point;

    point = ISSUING_DIST_POINT_new();
    if (point == NULL) {
        return CMP_ERROR;
    }

    point->distpoint = cmp_crl_dist_point_name(&crl->ca->crl_partition_url, 1,
                                               crl->params.partition);

    rc = (point->distpoint != NULL)
         ? cmp_crl_extension(NID_issuing_distribution_point, 1, point, exts)
         : CMP_ERROR;

    ISSUING_DIST_POINT_free(point);

    return rc;
}


static int
cmp_crl_freshest(const cmp_crl_t *crl, STACK_OF(X509_EXTENSION) *exts)
{
    int               rc;
    CRL_DIST_POINTS  *points;

    points = cmp_crl_dist_points(&crl->ca->crl_delta_url, 1,
                                 crl->params.partition);
    if (points == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_crl_extension(NID_freshest_crl, 0, points, exts);

    CRL_DIST_POINTS_free(points);

    return rc;
}


static int
cmp_crl_extension(int nid, int critical, void *value,
    STACK_OF(X509_EXTENSION) *exts)
{
    X509_EXTENSION  *ext;

    ext = X509V3_EXT_i2d(nid, critical, value);

    if (ext == NULL || !sk_X509_EXTENSION_push(exts, ext)) {
        X509_EXTENSION_free(ext);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* the AlgorithmIdentifier, as the provider of the key gives it */

static int
cmp_crl_algorithm(EVP_MD_CTX *ctx, cmp_str_t *algorithm)
{
    OSSL_PARAM  params[2];

    algorithm->data = OPENSSL_malloc(CMP_CRL_MAX_ALGORITHM);
    if (algorithm->data == NULL) {
        return CMP_ERROR;
    }

    params[0] = OSSL_PARAM_construct_octet_string(
                    OSSL_SIGNATURE_PARAM_ALGORITHM_ID, algorithm->data,
                    CMP_CRL_MAX_ALGORITHM);
    params[1] = OSSL_PARAM_construct_end();

    if (EVP_PKEY_CTX_get_params(EVP_MD_CTX_get_pkey_ctx(ctx), params) <= 0
        || !OSSL_PARAM_modified(&params[0])
        || params[0].return_size == 0
        || params[0].return_size > CMP_CRL_MAX_ALGORITHM)
    {
        return CMP_ERROR;
    }

    algorithm->len = params[0].return_size;

    return CMP_OK;
}


/* signs what begins there, and appends signatureAlgorithm and signature */

static int
cmp_crl_signature(cmp_crl_t *crl, EVP_MD_CTX *ctx, size_t begin,
    const cmp_str_t *algorithm)
{
    size_t          len, header;
    unsigned char  *p;

    if (EVP_DigestSign(ctx, NULL, &len, crl->data + begin, crl->len - begin)
        <= 0
        || len >= INT_MAX / 4
        || cmp_crl_reserve(crl, algorithm->len + CMP_CRL_MAX_HEADER + 1 + len)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    p = crl->data + crl->len + algorithm->len + CMP_CRL_MAX_HEADER + 1;

    if (EVP_DigestSign(ctx, p, &len, crl->data + begin, crl->len - begin)
        <= 0)
    {
        return CMP_ERROR;
    }

    memcpy(crl->data + crl->len, algorithm->data, algorithm->len);
    crl->len += algorithm->len;

    header = cmp_crl_header(V_ASN1_BIT_STRING, len + 1, crl->data + crl->len);
    crl->len += header;
    crl->data[crl->len++] = 0;

    memmove(crl->data + crl->len, p, len);
    crl->len += len;

    return CMP_OK;
}
