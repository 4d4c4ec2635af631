
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_issue_local.h>
#include <cmp_oid.h>

#include <openssl/objects.h>


#define CMP_ISSUE_MAX_USAGES   32


static int cmp_issue_path_len(cmp_issue_ctx_t *ctx,
    const BASIC_CONSTRAINTS *asked, long *path_len);
static int cmp_issue_put_basic_constraints(cmp_issue_ctx_t *ctx, long path_len,
    int critical);
static int cmp_issue_key_usage_asked(cmp_issue_ctx_t *ctx, uint32_t allowed,
    uint32_t *usage);
static int cmp_issue_key_usage_bits(cmp_issue_ctx_t *ctx, uint32_t *usage);
static int cmp_issue_put_key_usage(cmp_issue_ctx_t *ctx, uint32_t usage);
static int cmp_issue_ext_key_usage_asked(cmp_issue_ctx_t *ctx,
    EXTENDED_KEY_USAGE *usages);
static int cmp_issue_ext_key_usage_check(cmp_issue_ctx_t *ctx,
    const EXTENDED_KEY_USAGE *usages);
static int cmp_issue_ext_key_usage_allowed(const cmp_profile_t *profile,
    const ASN1_OBJECT *usage);


/*
 * Left out of the certificates of end entities, unless it was asked for.
 */

int
cmp_issue_basic_constraints(cmp_issue_ctx_t *ctx)
{
    int                 rc, critical;
    long                path_len;
    BASIC_CONSTRAINTS  *asked;

    path_len = -1;
    asked = NULL;

    if (ctx->basic_constraints != NULL) {
        asked = cmp_issue_decode(ctx, ctx->basic_constraints,
                                 ASN1_ITEM_rptr(BASIC_CONSTRAINTS));
        if (asked == NULL) {
            return CMP_DECLINED;
        }
    }

    if (asked != NULL && !asked->ca && asked->pathlen != NULL) {
        rc = cmp_refuse(ctx->refusal, CMP_REFUSE_TEMPLATE,
                        "pathLenConstraint without cA");

    } else if (asked != NULL && asked->ca && !ctx->profile->ca) {
        rc = cmp_refuse(ctx->refusal, CMP_REFUSE_CA_CERTIFICATE, NULL);

    } else if (asked != NULL && !asked->ca && ctx->profile->ca) {
        rc = cmp_refuse(ctx->refusal, CMP_REFUSE_TEMPLATE,
                        "the certificate profile is for CA certificates, but "
                        "cA is FALSE");

    } else if (ctx->profile->ca) {
        rc = cmp_issue_path_len(ctx, asked, &path_len);

    } else {
        rc = CMP_OK;
    }

    BASIC_CONSTRAINTS_free(asked);

    if (rc != CMP_OK) {
        return rc;
    }

    if (ctx->profile->ca) {
        critical = 1;

    } else if (ctx->basic_constraints != NULL) {
        critical = X509_EXTENSION_get_critical(ctx->basic_constraints);

    } else {
        return CMP_OK;
    }

    return cmp_issue_put_basic_constraints(ctx, path_len, critical);
}


static int
cmp_issue_path_len(cmp_issue_ctx_t *ctx, const BASIC_CONSTRAINTS *asked,
    long *path_len)
{
    int64_t  value;

    *path_len = ctx->profile->path_len;

    if (asked == NULL || asked->pathlen == NULL) {

        if (asked != NULL && *path_len >= 0) {
            cmp_issue_modified(ctx->issue, "pathLenConstraint was set by the "
                               "certificate profile");
        }

        return CMP_OK;
    }

    if (!ASN1_INTEGER_get_int64(&value, asked->pathlen) || value < 0
        || value > INT32_MAX)
    {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION_VALUE,
                          "basicConstraints");
    }

    if (*path_len < 0 || value <= *path_len) {
        *path_len = (long) value;
        return CMP_OK;
    }

    if (!ctx->profile->drop_extensions) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_TEMPLATE,
                          "pathLenConstraint is over that of the certificate "
                          "profile");
    }

    cmp_issue_modified(ctx->issue, "pathLenConstraint was reduced");

    return CMP_OK;
}


static int
cmp_issue_put_basic_constraints(cmp_issue_ctx_t *ctx, long path_len,
    int critical)
{
    int                 rc;
    BASIC_CONSTRAINTS  *value;

    value = BASIC_CONSTRAINTS_new();
    if (value == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_OK;
    value->ca = ctx->profile->ca ? 0xff : 0;

    if (path_len >= 0) {
        value->pathlen = ASN1_INTEGER_new();

        if (value->pathlen == NULL
            || !ASN1_INTEGER_set(value->pathlen, path_len))
        {
            rc = CMP_ERROR;
        }
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_add(ctx, NID_basic_constraints, value, critical);
    }

    BASIC_CONSTRAINTS_free(value);

    return rc;
}


/*
 * The default is what the profile lists and a key of this kind can serve; a
 * request may narrow it.
 */

int
cmp_issue_key_usage(cmp_issue_ctx_t *ctx)
{
    int       rc;
    uint32_t  allowed, usage;

    allowed = ctx->profile->key_usage & ctx->usages;

    if (!(allowed & KU_KEY_AGREEMENT)) {
        allowed &= ~(uint32_t) (KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY);
    }

    usage = allowed;

    if (ctx->key_usage != NULL) {
        rc = cmp_issue_key_usage_asked(ctx, allowed, &usage);
        if (rc != CMP_OK) {
            return rc;
        }
    }

    if (usage == 0) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_KEY_USAGE,
                          "no key usage is left for this kind of key");
    }

    if (ctx->profile->ca && !(usage & KU_KEY_CERT_SIGN)) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_KEY_USAGE,
                          "a CA certificate needs keyCertSign");
    }

    return cmp_issue_put_key_usage(ctx, usage);
}


static int
cmp_issue_key_usage_asked(cmp_issue_ctx_t *ctx, uint32_t allowed,
    uint32_t *usage)
{
    int       rc;
    uint32_t  asked;

    rc = cmp_issue_key_usage_bits(ctx, &asked);
    if (rc != CMP_OK) {
        return rc;
    }

    /* a CA certificate that was asked for in vain is refused before this */

    if ((asked & KU_KEY_CERT_SIGN) && !ctx->profile->ca) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_TEMPLATE,
                          "keyCertSign without cA");
    }

    if ((asked & (KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY))
        && !(asked & KU_KEY_AGREEMENT))
    {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_KEY_USAGE, "encipherOnly "
                          "and decipherOnly mean nothing without "
                          "keyAgreement");
    }

    *usage = asked & allowed;

    if (*usage == asked) {
        return CMP_OK;
    }

    if (!ctx->profile->drop_extensions) {

        if ((asked & ctx->profile->key_usage) == asked) {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_KEY_USAGE,
                              "a key of this kind cannot serve all of "
                              "keyUsage");
        }

        return cmp_refuse(ctx->refusal, CMP_REFUSE_KEY_USAGE, "keyUsage");
    }

    if (!(*usage & KU_KEY_AGREEMENT)) {
        *usage &= ~(uint32_t) (KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY);
    }

    cmp_issue_modified(ctx->issue, "keyUsage was reduced");

    return CMP_OK;
}


static int
cmp_issue_key_usage_bits(cmp_issue_ctx_t *ctx, uint32_t *usage)
{
    int                   i, len;
    ASN1_BIT_STRING      *bits;
    const unsigned char  *p;

    bits = cmp_issue_decode(ctx, ctx->key_usage,
                            ASN1_ITEM_rptr(ASN1_BIT_STRING));
    if (bits == NULL) {
        return CMP_DECLINED;
    }

    p = ASN1_STRING_get0_data(bits);
    len = ASN1_STRING_length(bits);

    /* the order of the KU_* bits: octet 0 is the low one */

    *usage = 0;

    for (i = 0; i < len && i < 2; i++) {
        *usage |= (uint32_t) p[i] << (8 * i);
    }

    ASN1_BIT_STRING_free(bits);

    if (len > 2 || *usage == 0 || (*usage & 0x7f00)) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION_VALUE,
                          "keyUsage");
    }

    return CMP_OK;
}


static int
cmp_issue_put_key_usage(cmp_issue_ctx_t *ctx, uint32_t usage)
{
    int               i, rc;
    ASN1_BIT_STRING  *bits;

    bits = ASN1_BIT_STRING_new();
    if (bits == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_OK;

    for (i = 0; i < 9; i++) {

        if ((usage & ((i < 8) ? 0x80U >> i : 0x8000U))
            && !ASN1_BIT_STRING_set_bit(bits, i, 1))
        {
            rc = CMP_ERROR;
        }
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_add(ctx, NID_key_usage, bits, 1);
    }

    ASN1_BIT_STRING_free(bits);

    return rc;
}


int
cmp_issue_ext_key_usage(cmp_issue_ctx_t *ctx)
{
    int                  rc, critical;
    size_t               i;
    ASN1_OBJECT         *object;
    EXTENDED_KEY_USAGE  *usages;

    critical = 0;

    if (ctx->ext_key_usage != NULL) {
        critical = X509_EXTENSION_get_critical(ctx->ext_key_usage);

        usages = cmp_issue_decode(ctx, ctx->ext_key_usage,
                                  ASN1_ITEM_rptr(EXTENDED_KEY_USAGE));
        if (usages == NULL) {
            return CMP_DECLINED;
        }

        rc = cmp_issue_ext_key_usage_asked(ctx, usages);

    } else {
        usages = sk_ASN1_OBJECT_new_null();
        rc = (usages != NULL) ? CMP_OK : CMP_ERROR;

        for (i = 0; rc == CMP_OK && i < ctx->profile->next_key_usage; i++) {
            object = OBJ_dup(ctx->profile->ext_key_usage[i]);

            if (object == NULL || !sk_ASN1_OBJECT_push(usages, object)) {
                ASN1_OBJECT_free(object);
                rc = CMP_ERROR;
            }
        }
    }

    if (rc == CMP_OK && sk_ASN1_OBJECT_num(usages) > 0) {
        rc = cmp_issue_add(ctx, NID_ext_key_usage, usages, critical);
    }

    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);

    return rc;
}


/* leaves in usages what is granted */

static int
cmp_issue_ext_key_usage_asked(cmp_issue_ctx_t *ctx, EXTENDED_KEY_USAGE *usages)
{
    int           i, rc, n;
    ASN1_OBJECT  *object;

    rc = cmp_issue_ext_key_usage_check(ctx, usages);
    if (rc != CMP_OK) {
        return rc;
    }

    n = sk_ASN1_OBJECT_num(usages);

    for (i = n - 1; i >= 0; i--) {
        object = sk_ASN1_OBJECT_value(usages, i);

        if (cmp_issue_ext_key_usage_allowed(ctx->profile, object)) {
            continue;
        }

        if (cmp_oid_equal(object, &cmp_oid_kp_cmc_ca)
            || cmp_oid_equal(object, &cmp_oid_kp_cmc_ra)
            || cmp_oid_equal(object, &cmp_oid_kp_cm_kga))
        {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_CA_CERTIFICATE, NULL);
        }

        if (!ctx->profile->drop_extensions) {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_KEY_USAGE,
                              "extKeyUsage");
        }

        ASN1_OBJECT_free(sk_ASN1_OBJECT_delete(usages, i));
    }

    if (sk_ASN1_OBJECT_num(usages) == n) {
        return CMP_OK;
    }

    /* without the extension a certificate would be good for any usage */

    if (sk_ASN1_OBJECT_num(usages) == 0
        && (ctx->profile->next_key_usage != 0
            || X509_EXTENSION_get_critical(ctx->ext_key_usage)))
    {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_KEY_USAGE,
                          "nothing of extKeyUsage is allowed");
    }

    cmp_issue_modified(ctx->issue, "extKeyUsage was reduced");

    return CMP_OK;
}


static int
cmp_issue_ext_key_usage_check(cmp_issue_ctx_t *ctx,
    const EXTENDED_KEY_USAGE *usages)
{
    int  i, j, n;

    n = sk_ASN1_OBJECT_num(usages);

    if (n == 0 || n > CMP_ISSUE_MAX_USAGES) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION_VALUE,
                          "extKeyUsage");
    }

    for (i = 0; i < n; i++) {
        for (j = 0; j < i; j++) {
            if (OBJ_cmp(sk_ASN1_OBJECT_value(usages, i),
                        sk_ASN1_OBJECT_value(usages, j))
                == 0)
            {
                return cmp_refuse(ctx->refusal, CMP_REFUSE_EXTENSION_VALUE,
                                  "extKeyUsage");
            }
        }
    }

    return CMP_OK;
}


static int
cmp_issue_ext_key_usage_allowed(const cmp_profile_t *profile,
    const ASN1_OBJECT *usage)
{
    size_t  i;

    for (i = 0; i < profile->next_key_usage; i++) {
        if (OBJ_cmp(profile->ext_key_usage[i], usage) == 0) {
            return 1;
        }
    }

    return 0;
}
