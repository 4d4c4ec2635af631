
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_issue_local.h>
#include <cmp_asn1.h>
#include <cmp_msg.h>
#include <cmp_name.h>

#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>


#define CMP_ISSUE_MAX_EXTENSIONS  32


static X509_EXTENSION **cmp_issue_slot(cmp_issue_ctx_t *ctx, int nid);
static int cmp_issue_allowed(const cmp_profile_t *profile,
    const ASN1_OBJECT *type);
static int cmp_issue_drop(cmp_issue_ctx_t *ctx, X509_EXTENSION *ext);
static int cmp_issue_alt_names_check(cmp_issue_ctx_t *ctx,
    const GENERAL_NAMES *names);
static void cmp_issue_free_names(void *data);
static int cmp_issue_key_ids(cmp_issue_ctx_t *ctx);
static int cmp_issue_ski_asked(cmp_issue_ctx_t *ctx, ASN1_OCTET_STRING *ski);
static int cmp_issue_ski_sha1(cmp_issue_ctx_t *ctx,
    const ASN1_OCTET_STRING *ski);
static int cmp_issue_aki_asked(cmp_issue_ctx_t *ctx);
static int cmp_issue_info_urls(cmp_issue_ctx_t *ctx);
static int cmp_issue_push_access(AUTHORITY_INFO_ACCESS *info, int nid,
    const cmp_str_t *url);
static int cmp_issue_others(cmp_issue_ctx_t *ctx);
static int cmp_issue_other_check(cmp_issue_ctx_t *ctx, X509_EXTENSION *ext);


static X509_EXTENSION **
cmp_issue_slot(cmp_issue_ctx_t *ctx, int nid)
{
    switch (nid) {

    case NID_subject_alt_name:
        return &ctx->san;

    case NID_key_usage:
        return &ctx->key_usage;

    case NID_ext_key_usage:
        return &ctx->ext_key_usage;

    case NID_basic_constraints:
        return &ctx->basic_constraints;

    case NID_subject_key_identifier:
        return &ctx->ski;

    case NID_authority_key_identifier:
        return &ctx->aki;

    default:
        return NULL;
    }
}


static int
cmp_issue_allowed(const cmp_profile_t *profile, const ASN1_OBJECT *type)
{
    size_t  i;

    for (i = 0; i < profile->nextensions; i++) {
        if (OBJ_cmp(profile->extensions[i], type) == 0) {
            return 1;
        }
    }

    return 0;
}


/* an extension that is not allowed: left out, or the request is refused */

static int
cmp_issue_drop(cmp_issue_ctx_t *ctx, X509_EXTENSION *ext)
{
    char          buf[64];
    ASN1_OBJECT  *type;

    type = X509_EXTENSION_get_object(ext);

    (void) cmp_attribute_name(type, buf, sizeof(buf));

    if (!ctx->profile->drop_extensions || X509_EXTENSION_get_critical(ext)) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION, "%s", buf);
    }

    cmp_issue_modified(ctx->issue, "extension %s was left out", buf);

    return CMP_OK;
}


int
cmp_issue_sort_extensions(cmp_issue_ctx_t *ctx)
{
    int                        i, j, n;
    char                       buf[64];
    ASN1_OBJECT               *type;
    X509_EXTENSION            *ext, **slot;
    STACK_OF(X509_EXTENSION)  *exts;

    exts = ctx->request->extensions;
    n = sk_X509_EXTENSION_num(exts);

    if (n > CMP_ISSUE_MAX_EXTENSIONS) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION,
                          "more than %d extensions",
                          CMP_ISSUE_MAX_EXTENSIONS);
    }

    for (i = 0; i < n; i++) {
        ext = sk_X509_EXTENSION_value(exts, i);
        type = X509_EXTENSION_get_object(ext);

        for (j = 0; j < i; j++) {
            if (OBJ_cmp(X509_EXTENSION_get_object(
                            sk_X509_EXTENSION_value(exts, j)), type)
                == 0)
            {
                return cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION_TWICE,
                                  "%s", cmp_attribute_name(type, buf,
                                                           sizeof(buf)));
            }
        }

        slot = cmp_issue_slot(ctx, OBJ_obj2nid(type));

        if (slot != NULL) {
            *slot = ext;
        }
    }

    return CMP_OK;
}


void *
cmp_issue_decode(cmp_issue_ctx_t *ctx, X509_EXTENSION *ext,
    const ASN1_ITEM *it)
{
    char                buf[64];
    void               *value;
    ASN1_OCTET_STRING  *data;

    data = X509_EXTENSION_get_data(ext);

    value = cmp_asn1_decode_item(it, ASN1_STRING_get0_data(data),
                                 (size_t) ASN1_STRING_length(data));

    if (value == NULL) {
        (void) cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION_VALUE, "%s",
                          cmp_attribute_name(X509_EXTENSION_get_object(ext),
                                             buf, sizeof(buf)));
    }

    return value;
}


int
cmp_issue_add(cmp_issue_ctx_t *ctx, int nid, const void *value, int critical)
{
    if (X509_add1_ext_i2d(ctx->issue->cert, nid, (void *) value, critical,
                          X509V3_ADD_APPEND)
        <= 0)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


static void
cmp_issue_free_names(void *data)
{
    GENERAL_NAMES_free(data);
}


int
cmp_issue_alt_names(cmp_issue_ctx_t *ctx)
{
    int             rc;
    GENERAL_NAMES  *names;

    if (ctx->san != NULL && ctx->profile->nsans == 0) {

        if (!ctx->profile->drop_extensions
            || X509_EXTENSION_get_critical(ctx->san))
        {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_SAN,
                              "none is allowed");
        }

        cmp_issue_modified(ctx->issue, "subjectAltName was left out");
        ctx->san = NULL;
    }

    if (ctx->san == NULL) {

        if (ctx->profile->san_required) {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_SAN,
                              "one is required");
        }

        return CMP_OK;
    }

    names = cmp_issue_decode(ctx, ctx->san, ASN1_ITEM_rptr(GENERAL_NAMES));
    if (names == NULL) {
        return CMP_DECLINED;
    }

    rc = cmp_pool_cleanup_add(ctx->pool, cmp_issue_free_names, names);
    if (rc != CMP_OK) {
        return rc;
    }

    rc = cmp_issue_alt_names_check(ctx, names);
    if (rc != CMP_OK) {
        return rc;
    }

    ctx->issue->sans = names;

    return CMP_OK;
}


static int
cmp_issue_alt_names_check(cmp_issue_ctx_t *ctx, const GENERAL_NAMES *names)
{
    int                  i, n;
    char                 why[160];
    size_t               j;
    const GENERAL_NAME  *name;

    n = sk_GENERAL_NAME_num(names);

    if (n == 0) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION_VALUE,
                          "subjectAltName");
    }

    if (n > CMP_PROFILE_MAX_SANS) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_SAN, "more than %d names",
                          CMP_PROFILE_MAX_SANS);
    }

    for (i = 0; i < n; i++) {
        name = sk_GENERAL_NAME_value(names, i);

        if (cmp_general_name_check(name, why, sizeof(why)) != CMP_OK) {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_SAN, "%s", why);
        }

        for (j = 0; j < ctx->profile->nsans; j++) {
            if (cmp_san_rule_match(&ctx->profile->sans[j], name)) {
                break;
            }
        }

        if (j == ctx->profile->nsans) {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_SAN,
                              "name %d of %d is not allowed", i + 1, n);
        }
    }

    return CMP_OK;
}


/* in a fixed order, so that the same request gives the same bytes */

int
cmp_issue_extensions(cmp_issue_ctx_t *ctx)
{
    int  rc, critical;

    rc = cmp_issue_basic_constraints(ctx);

    if (rc == CMP_OK) {
        rc = cmp_issue_key_usage(ctx);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_ext_key_usage(ctx);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_key_ids(ctx);
    }

    if (rc == CMP_OK && ctx->issue->sans != NULL) {
        critical = X509_NAME_entry_count(ctx->issue->subject) == 0
                   || X509_EXTENSION_get_critical(ctx->san);

        rc = cmp_issue_add(ctx, NID_subject_alt_name, ctx->issue->sans,
                           critical);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_info_urls(ctx);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_others(ctx);
    }

    return rc;
}


/*
 * subjectKeyIdentifier: the SHA-256 that the store knows the key by, shortened
 * to 160 bits (RFC 7093, 2), so that the store finds a key by either of them.
 */

static int
cmp_issue_key_ids(cmp_issue_ctx_t *ctx)
{
    int                 rc;
    AUTHORITY_KEYID    *aki;
    ASN1_OCTET_STRING  *ski;

    if (ctx->request->key_hash.len < CMP_SKI_LEN) {
        return CMP_ERROR;
    }

    rc = CMP_ERROR;
    aki = AUTHORITY_KEYID_new();
    ski = ASN1_OCTET_STRING_new();

    if (aki == NULL || ski == NULL
        || !ASN1_OCTET_STRING_set(ski, ctx->request->key_hash.data,
                                  CMP_SKI_LEN))
    {
        goto done;
    }

    rc = cmp_issue_ski_asked(ctx, ski);

    if (rc == CMP_OK) {
        rc = cmp_issue_aki_asked(ctx);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_add(ctx, NID_subject_key_identifier, ski, 0);
    }

    if (rc != CMP_OK) {
        goto done;
    }

    aki->keyid = ASN1_OCTET_STRING_dup(
                     X509_get0_subject_key_id(ctx->ca->current.certificate));

    rc = (aki->keyid != NULL)
         ? cmp_issue_add(ctx, NID_authority_key_identifier, aki, 0)
         : CMP_ERROR;

done:

    AUTHORITY_KEYID_free(aki);
    ASN1_OCTET_STRING_free(ski);

    return rc;
}


/*
 * Requests are often made with the SHA-1 of method 1 of RFC 5280, 4.2.1.2.
 * Who asks for that gets it, but has to send the certificate with what it
 * signs: the store does not find the key by it.
 */

static int
cmp_issue_ski_asked(cmp_issue_ctx_t *ctx, ASN1_OCTET_STRING *ski)
{
    int                 rc;
    ASN1_OCTET_STRING  *asked;

    if (ctx->ski == NULL) {
        return CMP_OK;
    }

    asked = cmp_issue_decode(ctx, ctx->ski, ASN1_ITEM_rptr(ASN1_OCTET_STRING));
    if (asked == NULL) {
        return CMP_DECLINED;
    }

    if (ASN1_OCTET_STRING_cmp(asked, ski) == 0) {
        rc = CMP_OK;

    } else if (cmp_issue_ski_sha1(ctx, asked) == CMP_OK) {
        rc = ASN1_OCTET_STRING_set(ski, asked->data, asked->length)
             ? CMP_OK : CMP_ERROR;

    } else {
        rc = cmp_issue_drop(ctx, ctx->ski);
    }

    ASN1_OCTET_STRING_free(asked);

    return rc;
}


static int
cmp_issue_ski_sha1(cmp_issue_ctx_t *ctx, const ASN1_OCTET_STRING *ski)
{
    unsigned       n;
    cmp_str_t      octets;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    octets = cmp_octets(ctx->request->key->subject_public_key);

    if (!EVP_Digest(octets.data, octets.len, hash, &n, EVP_sha1(), NULL)) {
        cmp_crypto_error(NULL, 0);
        return CMP_DECLINED;
    }

    return (ski->length == (int) n && memcmp(ski->data, hash, n) == 0)
           ? CMP_OK : CMP_DECLINED;
}


static int
cmp_issue_aki_asked(cmp_issue_ctx_t *ctx)
{
    int               same;
    AUTHORITY_KEYID  *asked;

    if (ctx->aki == NULL) {
        return CMP_OK;
    }

    asked = cmp_issue_decode(ctx, ctx->aki, ASN1_ITEM_rptr(AUTHORITY_KEYID));
    if (asked == NULL) {
        return CMP_DECLINED;
    }

    same = (asked->keyid != NULL && asked->issuer == NULL
            && asked->serial == NULL
            && ASN1_OCTET_STRING_cmp(asked->keyid,
                   X509_get0_subject_key_id(ctx->ca->current.certificate))
               == 0);

    AUTHORITY_KEYID_free(asked);

    return same ? CMP_OK : cmp_issue_drop(ctx, ctx->aki);
}


static int
cmp_issue_info_urls(cmp_issue_ctx_t *ctx)
{
    int                     rc;
    size_t                  i, nocsp, nissuers;
    const cmp_str_t        *ocsp, *issuers;
    AUTHORITY_INFO_ACCESS  *info;

    /* those of the profile, or of the CA, each kind for itself */

    ocsp = ctx->profile->ocsp_urls;
    nocsp = ctx->profile->nocsp_urls;

    if (nocsp == 0) {
        ocsp = ctx->ca->ocsp_urls;
        nocsp = ctx->ca->nocsp_urls;
    }

    issuers = ctx->profile->ca_issuer_urls;
    nissuers = ctx->profile->nca_issuer_urls;

    if (nissuers == 0) {
        issuers = ctx->ca->ca_issuer_urls;
        nissuers = ctx->ca->nca_issuer_urls;
    }

    if (nocsp + nissuers == 0) {
        return CMP_OK;
    }

    info = AUTHORITY_INFO_ACCESS_new();
    if (info == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_OK;

    for (i = 0; rc == CMP_OK && i < nocsp; i++) {
        rc = cmp_issue_push_access(info, NID_ad_OCSP, &ocsp[i]);
    }

    for (i = 0; rc == CMP_OK && i < nissuers; i++) {
        rc = cmp_issue_push_access(info, NID_ad_ca_issuers, &issuers[i]);
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_add(ctx, NID_info_access, info, 0);
    }

    AUTHORITY_INFO_ACCESS_free(info);

    return rc;
}


static int
cmp_issue_push_access(AUTHORITY_INFO_ACCESS *info, int nid,
    const cmp_str_t *url)
{
    GENERAL_NAME        *name;
    ACCESS_DESCRIPTION  *access;

    access = ACCESS_DESCRIPTION_new();
    name = cmp_name_uri(url);

    if (access == NULL || name == NULL) {
        ACCESS_DESCRIPTION_free(access);
        GENERAL_NAME_free(name);
        return CMP_ERROR;
    }

    ASN1_OBJECT_free(access->method);
    GENERAL_NAME_free(access->location);

    access->method = OBJ_nid2obj(nid);
    access->location = name;

    if (!sk_ACCESS_DESCRIPTION_push(info, access)) {
        ACCESS_DESCRIPTION_free(access);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* the profile's policies, then what may be copied from the request */

static int
cmp_issue_others(cmp_issue_ctx_t *ctx)
{
    int                        i, rc;
    X509_EXTENSION            *ext;
    const ASN1_OBJECT         *type;
    STACK_OF(X509_EXTENSION)  *exts;

    exts = ctx->profile->policies;

    for (i = 0; i < sk_X509_EXTENSION_num(exts); i++) {
        if (!X509_add_ext(ctx->issue->cert, sk_X509_EXTENSION_value(exts, i),
                          -1))
        {
            return CMP_ERROR;
        }
    }

    exts = ctx->request->extensions;

    for (i = 0; i < sk_X509_EXTENSION_num(exts); i++) {
        ext = sk_X509_EXTENSION_value(exts, i);
        type = X509_EXTENSION_get_object(ext);

        if (cmp_issue_slot(ctx, OBJ_obj2nid(type)) != NULL) {
            continue;
        }

        if (!cmp_issue_allowed(ctx->profile, type)) {
            rc = cmp_issue_drop(ctx, ext);
            if (rc != CMP_OK) {
                return rc;
            }

            continue;
        }

        rc = cmp_issue_other_check(ctx, ext);
        if (rc != CMP_OK) {
            return rc;
        }

        if (!X509_add_ext(ctx->issue->cert, ext, -1)) {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/*
 * What libcrypto knows must be DER of its type; of others no more can be said
 * than that it is one element.
 */

static int
cmp_issue_other_check(cmp_issue_ctx_t *ctx, X509_EXTENSION *ext)
{
    int                       len, same;
    void                     *value;
    unsigned char            *der;
    const ASN1_ITEM          *it;
    ASN1_OCTET_STRING        *data;
    const X509V3_EXT_METHOD  *method;

    method = X509V3_EXT_get(ext);

    it = (method != NULL && method->it != NULL)
         ? ASN1_ITEM_ptr(method->it) : ASN1_ITEM_rptr(ASN1_ANY);

    value = cmp_issue_decode(ctx, ext, it);
    if (value == NULL) {
        return CMP_DECLINED;
    }

    data = X509_EXTENSION_get_data(ext);
    len = cmp_asn1_encode_item(it, value, &der);

    same = (len == ASN1_STRING_length(data)
            && memcmp(der, ASN1_STRING_get0_data(data), (size_t) len) == 0);

    OPENSSL_free(der);
    ASN1_item_free(value, it);

    if (same == 0) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION_VALUE,
                          "it is not DER encoded");
    }

    return CMP_OK;
}
