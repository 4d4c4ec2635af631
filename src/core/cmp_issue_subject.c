
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_issue_local.h>
#include <cmp_name.h>

#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>


static int cmp_issue_subject_fixed(cmp_issue_ctx_t *ctx, X509_NAME *subject);
static int cmp_issue_subject_asked(cmp_issue_ctx_t *ctx, X509_NAME *subject);
static int cmp_issue_subject_entry(cmp_issue_ctx_t *ctx, X509_NAME *subject,
    const X509_NAME_ENTRY *entry, size_t index);
static int cmp_issue_subject_required(cmp_issue_ctx_t *ctx);
static int cmp_issue_subject_reserved(cmp_issue_ctx_t *ctx,
    const X509_NAME *subject);
static int cmp_issue_subject_copy(cmp_issue_ctx_t *ctx, X509_NAME *subject,
    const X509_NAME_ENTRY *entry);
static int cmp_issue_subject_add(X509_NAME *subject, int nid,
    const cmp_str_t *value);
static size_t cmp_issue_subject_count(const X509_NAME *subject, int nid,
    int end);
static int cmp_issue_subject_is(const X509_NAME_ENTRY *entry,
    const cmp_str_t *value);


/*
 * The name is always built anew from its checked attributes, so that nothing
 * hides in the encoding of the requested one.
 */

int
cmp_issue_subject(cmp_issue_ctx_t *ctx)
{
    int         rc;
    char        why[160];
    X509       *cert;
    X509_NAME  *subject;

    if (X509_NAME_entry_count(ctx->request->subject) == 0
        && ctx->issue->sans == NULL)
    {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_NO_NAME, NULL);
    }

    if (ctx->request->subject != NULL
        && cmp_name_check(ctx->request->subject, why, sizeof(why)) != CMP_OK)
    {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_SUBJECT, "%s", why);
    }

    rc = cmp_issue_subject_required(ctx);
    if (rc != CMP_OK) {
        return rc;
    }

    subject = X509_NAME_new();
    if (subject == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_issue_subject_fixed(ctx, subject);

    if (rc == CMP_OK) {
        rc = cmp_issue_subject_asked(ctx, subject);
    }

    if (rc == CMP_OK && X509_NAME_entry_count(subject) > CMP_NAME_MAX_RDNS) {
        rc = cmp_refuse(ctx->refusal, CMP_REFUSE_SUBJECT,
                        "it has too many attributes");
    }

    if (rc == CMP_OK) {
        rc = cmp_issue_subject_reserved(ctx, subject);
    }

    cert = ctx->issue->cert;

    if (rc == CMP_OK && !X509_set_subject_name(cert, subject)) {
        rc = CMP_ERROR;
    }

    X509_NAME_free(subject);

    ctx->issue->subject = X509_get_subject_name(cert);

    return rc;
}


/* fixed attributes that were not asked for */

static int
cmp_issue_subject_fixed(cmp_issue_ctx_t *ctx, X509_NAME *subject)
{
    size_t                     i, j, index, asked;
    const cmp_subject_rule_t  *rule;

    for (i = 0; i < ctx->profile->nsubject; i++) {
        rule = &ctx->profile->subject[i];

        if (rule->value.len == 0) {
            continue;
        }

        index = 0;

        for (j = 0; j < i; j++) {
            index += (ctx->profile->subject[j].nid == rule->nid);
        }

        asked = cmp_issue_subject_count(ctx->request->subject, rule->nid, -1);

        if (index < asked) {
            continue;
        }

        if (cmp_issue_subject_add(subject, rule->nid, &rule->value) != CMP_OK)
        {
            return CMP_ERROR;
        }

        cmp_issue_modified(ctx->issue, "%s was added to the subject",
                           OBJ_nid2sn(rule->nid));
    }

    return CMP_OK;
}


static int
cmp_issue_subject_asked(cmp_issue_ctx_t *ctx, X509_NAME *subject)
{
    int                     i, n, rc, nid;
    size_t                  index;
    const X509_NAME        *asked;
    const X509_NAME_ENTRY  *entry;

    asked = ctx->request->subject;
    n = X509_NAME_entry_count(asked);

    for (i = 0; i < n; i++) {
        entry = X509_NAME_get_entry(asked, i);

        if (ctx->profile->nsubject == 0) {
            rc = cmp_issue_subject_copy(ctx, subject, entry);

        } else {
            nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
            index = cmp_issue_subject_count(asked, nid, i);

            rc = cmp_issue_subject_entry(ctx, subject, entry, index);
        }

        if (rc != CMP_OK) {
            return rc;
        }
    }

    return CMP_OK;
}


/* index: how many of its type come before it */

static int
cmp_issue_subject_entry(cmp_issue_ctx_t *ctx, X509_NAME *subject,
    const X509_NAME_ENTRY *entry, size_t index)
{
    int                        nid;
    char                       buf[64];
    size_t                     i;
    const ASN1_OBJECT         *type;
    const cmp_subject_rule_t  *rule;

    type = X509_NAME_ENTRY_get_object(entry);
    nid = OBJ_obj2nid(type);

    for (i = 0; i < ctx->profile->nsubject; i++) {
        rule = &ctx->profile->subject[i];

        if (nid == NID_undef || rule->nid != nid) {
            continue;
        }

        if (rule->value.len != 0 && index-- != 0) {
            continue;
        }

        if (rule->value.len == 0 || cmp_issue_subject_is(entry, &rule->value))
        {
            return cmp_issue_subject_copy(ctx, subject, entry);
        }

        cmp_issue_modified(ctx->issue, "%s was set by the certificate "
                           "profile", OBJ_nid2sn(nid));

        return cmp_issue_subject_add(subject, nid, &rule->value);
    }

    return cmp_refuse(ctx->refusal, CMP_REFUSE_SUBJECT, "%s is not allowed",
                      cmp_attribute_name(type, buf, sizeof(buf)));
}


static int
cmp_issue_subject_required(cmp_issue_ctx_t *ctx)
{
    size_t                     i;
    const cmp_subject_rule_t  *rule;

    for (i = 0; i < ctx->profile->nsubject; i++) {
        rule = &ctx->profile->subject[i];

        if (rule->required
            && cmp_issue_subject_count(ctx->request->subject, rule->nid, -1)
               == 0)
        {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_SUBJECT,
                              "%s is required", OBJ_nid2sn(rule->nid));
        }
    }

    return CMP_OK;
}


/* names that would let the owner pass for this CA */

static int
cmp_issue_subject_reserved(cmp_issue_ctx_t *ctx, const X509_NAME *subject)
{
    int              i;
    X509            *cert;
    const cmp_ca_t  *ca;

    ca = ctx->ca;

    if (X509_NAME_entry_count(subject) == 0) {

        if (ctx->profile->ca) {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_SUBJECT,
                              "a CA certificate needs one");
        }

        return CMP_OK;
    }

    for (i = 0; i < sk_X509_num(ca->chain); i++) {
        cert = sk_X509_value(ca->chain, i);

        if (X509_NAME_cmp(subject, X509_get_subject_name(cert)) == 0) {
            return cmp_refuse(ctx->refusal, CMP_REFUSE_SUBJECT,
                              "it is the name of a CA");
        }
    }

    if (X509_NAME_cmp(subject, ca->subject) == 0) {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_SUBJECT,
                          "it is the name of the CA");
    }

    if (ca->response_certificate != NULL && !ctx->profile->ra
        && X509_NAME_cmp(subject,
                         X509_get_subject_name(ca->response_certificate))
           == 0)
    {
        return cmp_refuse(ctx->refusal, CMP_REFUSE_SUBJECT,
                          "it is the name of the CMP server");
    }

    return CMP_OK;
}


/* strings that new certificates should not have become UTF8String */

static int
cmp_issue_subject_copy(cmp_issue_ctx_t *ctx, X509_NAME *subject,
    const X509_NAME_ENTRY *entry)
{
    int                 rc, len;
    char                buf[64];
    unsigned char      *utf8;
    X509_NAME_ENTRY    *copy;
    const ASN1_OBJECT  *type;
    const ASN1_STRING  *value;

    type = X509_NAME_ENTRY_get_object(entry);
    value = X509_NAME_ENTRY_get_data(entry);

    switch (ASN1_STRING_type(value)) {

    case V_ASN1_T61STRING:
    case V_ASN1_BMPSTRING:
    case V_ASN1_UNIVERSALSTRING:
        break;

    default:

        if (!X509_NAME_add_entry(subject, entry, -1, 0)) {
            return CMP_ERROR;
        }

        return CMP_OK;
    }

    len = cmp_attribute_utf8(value, &utf8);
    if (len < 0) {
        return CMP_ERROR;
    }

    copy = X509_NAME_ENTRY_create_by_OBJ(NULL, type, V_ASN1_UTF8STRING, utf8,
                                         len);

    OPENSSL_free(utf8);

    rc = (copy != NULL && X509_NAME_add_entry(subject, copy, -1, 0))
         ? CMP_OK : CMP_ERROR;

    X509_NAME_ENTRY_free(copy);

    cmp_issue_modified(ctx->issue, "%s was encoded as UTF8String",
                       cmp_attribute_name(type, buf, sizeof(buf)));

    return rc;
}


static int
cmp_issue_subject_add(X509_NAME *subject, int nid, const cmp_str_t *value)
{
    int                     type;
    const cmp_attribute_t  *attr;

    attr = cmp_attribute_get(nid);

    if (attr == NULL || attr->syntax == CMP_NAME_DIRECTORY) {
        type = V_ASN1_UTF8STRING;

    } else if (attr->syntax == CMP_NAME_IA5) {
        type = V_ASN1_IA5STRING;

    } else {
        type = ASN1_PRINTABLE_type(value->data, (int) value->len);

        if (type != V_ASN1_PRINTABLESTRING) {
            type = V_ASN1_UTF8STRING;
        }
    }

    if (!X509_NAME_add_entry_by_NID(subject, nid, type, value->data,
                                    (int) value->len, -1, 0))
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* attributes of a type before the entry "end"; -1: all */

static size_t
cmp_issue_subject_count(const X509_NAME *subject, int nid, int end)
{
    int                     i, n;
    size_t                  count;
    const X509_NAME_ENTRY  *entry;

    n = (end < 0) ? X509_NAME_entry_count(subject) : end;
    count = 0;

    for (i = 0; i < n; i++) {
        entry = X509_NAME_get_entry(subject, i);
        count += (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == nid);
    }

    return count;
}


static int
cmp_issue_subject_is(const X509_NAME_ENTRY *entry, const cmp_str_t *value)
{
    int             len, equal;
    unsigned char  *utf8;

    len = cmp_attribute_utf8(X509_NAME_ENTRY_get_data(entry), &utf8);

    equal = (len >= 0 && (size_t) len == value->len
             && memcmp(utf8, value->data, value->len) == 0);

    OPENSSL_free(utf8);

    return equal;
}
