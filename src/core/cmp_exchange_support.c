
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * genm: support messages (RFC 9810, 5.3.19; RFC 9483, 4.3).
 */


#include <cmp_exchange_local.h>


typedef struct {
    const cmp_oid_t  *oid;
    unsigned          value:1;      /* the request has a value */
    int             (*answer)(cmp_exchange_t *ex,
                        const cmp_info_type_and_value_t *request,
                        cmp_info_type_and_value_t *info,
                        cmp_refusal_t *refusal);
} cmp_support_t;


static int cmp_support_one(cmp_exchange_t *ex, const cmp_support_t *support,
    const cmp_info_type_and_value_t *request, cmp_gen_msg_content_t *content,
    cmp_refusal_t *refusal);
static int cmp_support_all(cmp_exchange_t *ex, cmp_gen_msg_content_t *content,
    cmp_refusal_t *refusal);
static int cmp_support_unsupported(cmp_exchange_t *ex,
    cmp_gen_msg_content_t *content);
static const cmp_support_t *cmp_support_find(const ASN1_OBJECT *type);
static int cmp_support_set(cmp_exchange_t *ex,
    cmp_info_type_and_value_t *info, const ASN1_ITEM *it, const void *value);
static int cmp_support_ca_certs(cmp_exchange_t *ex,
    const cmp_info_type_and_value_t *request,
    cmp_info_type_and_value_t *info, cmp_refusal_t *refusal);


static const cmp_support_t  cmp_supports[] = {

    { &cmp_oid_it_ca_certs, 0, cmp_support_ca_certs },

    { NULL, 0, NULL }
};


int
cmp_exchange_support(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                               i, n, rc, known;
    cmp_str_t                         none;
    cmp_pki_body_t                   *body;
    const cmp_support_t              *support;
    const cmp_gen_msg_content_t      *request;
    cmp_gen_msg_content_t            *content;
    const cmp_info_type_and_value_t  *info;

    request = ex->msg.body->value.genm;
    n = sk_cmp_info_type_and_value_t_num(request);

    if (n > ex->ca->max_requests) {
        return cmp_refuse(refusal, CMP_REFUSE_TOO_MANY_REQUESTS, NULL);
    }

    content = sk_cmp_info_type_and_value_t_new_null();
    if (content == NULL) {
        return CMP_ERROR;
    }

    body = ex->answer->body;
    body->type = CMP_BODY_GENP;
    body->value.genp = content;

    known = 0;

    for (i = 0; i < n; i++) {

        info = sk_cmp_info_type_and_value_t_value(request, i);
        support = cmp_support_find(info->info_type);

        if (support == NULL) {
            continue;
        }

        known++;
        rc = cmp_support_one(ex, support, info, content, refusal);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    if (n == 0) {
        rc = cmp_support_all(ex, content, refusal);

    } else if (known == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_INFO_TYPES, NULL);

    } else {
        rc = (known < n) ? cmp_support_unsupported(ex, content) : CMP_OK;
    }

    if (rc != CMP_OK) {
        return rc;
    }

    none.len = 0;
    none.data = NULL;
    ex->info.status = CMP_STATUS_ACCEPTED;

    return cmp_write_audit(ex, CMP_STATUS_ACCEPTED, -1, &none, "");
}


static const cmp_support_t *
cmp_support_find(const ASN1_OBJECT *type)
{
    const cmp_support_t  *support;

    for (support = cmp_supports; support->oid != NULL; support++) {

        if (cmp_oid_equal(type, support->oid)) {
            return support;
        }
    }

    return NULL;
}


static int
cmp_support_one(cmp_exchange_t *ex, const cmp_support_t *support,
    const cmp_info_type_and_value_t *request, cmp_gen_msg_content_t *content,
    cmp_refusal_t *refusal)
{
    cmp_info_type_and_value_t  *info;

    if (support->value == 0
        && request != NULL
        && request->info_value != NULL)
    {
        return cmp_refuse(refusal, CMP_REFUSE_INFO_VALUE, "%s",
                          support->oid->name);
    }

    info = cmp_asn1_new(cmp_info_type_and_value_t);
    if (info == NULL) {
        return CMP_ERROR;
    }

    if (sk_cmp_info_type_and_value_t_push(content, info) <= 0) {
        cmp_asn1_free(cmp_info_type_and_value_t, info);
        return CMP_ERROR;
    }

    ASN1_OBJECT_free(info->info_type);

    info->info_type = cmp_oid_object(support->oid);
    if (info->info_type == NULL) {
        return CMP_ERROR;
    }

    return support->answer(ex, request, info, refusal);
}


/* an empty genm asks for all that is relevant (RFC 9810, D.5) */

static int
cmp_support_all(cmp_exchange_t *ex, cmp_gen_msg_content_t *content,
    cmp_refusal_t *refusal)
{
    int                   rc;
    const cmp_support_t  *support;

    for (support = cmp_supports; support->oid != NULL; support++) {

        if (support->value) {
            continue;
        }

        rc = cmp_support_one(ex, support, NULL, content, refusal);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    return CMP_OK;
}


static int
cmp_support_unsupported(cmp_exchange_t *ex, cmp_gen_msg_content_t *content)
{
    int                               i, rc;
    ASN1_OBJECT                      *object;
    cmp_unsupported_oids_t           *oids;
    cmp_info_type_and_value_t        *info;
    const cmp_gen_msg_content_t      *request;
    const cmp_info_type_and_value_t  *asked;

    request = ex->msg.body->value.genm;

    oids = sk_ASN1_OBJECT_new_null();
    info = cmp_asn1_new(cmp_info_type_and_value_t);

    if (oids == NULL
        || info == NULL
        || sk_cmp_info_type_and_value_t_push(content, info) <= 0)
    {
        sk_ASN1_OBJECT_free(oids);
        cmp_asn1_free(cmp_info_type_and_value_t, info);
        return CMP_ERROR;
    }

    /* the objects stay with the request */

    for (i = 0; i < sk_cmp_info_type_and_value_t_num(request); i++) {

        asked = sk_cmp_info_type_and_value_t_value(request, i);

        if (cmp_support_find(asked->info_type) != NULL) {
            continue;
        }

        object = asked->info_type;

        if (sk_ASN1_OBJECT_push(oids, object) <= 0) {
            sk_ASN1_OBJECT_free(oids);
            return CMP_ERROR;
        }
    }

    ASN1_OBJECT_free(info->info_type);
    info->info_type = cmp_oid_object(&cmp_oid_it_unsupported_oids);

    rc = (info->info_type != NULL)
         ? cmp_support_set(ex, info, ASN1_ITEM_rptr(cmp_unsupported_oids_t),
                           oids)
         : CMP_ERROR;

    sk_ASN1_OBJECT_free(oids);

    return rc;
}


/* the value, a SEQUENCE, as ANY */

static int
cmp_support_set(cmp_exchange_t *ex, cmp_info_type_and_value_t *info,
    const ASN1_ITEM *it, const void *value)
{
    cmp_str_t     der;
    ASN1_STRING  *string;

    if (cmp_encode(ex->work, it, value, &der) != CMP_OK) {
        return CMP_ERROR;
    }

    string = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

    if (info->info_value == NULL) {
        info->info_value = ASN1_TYPE_new();
    }

    if (string == NULL
        || info->info_value == NULL
        || ASN1_STRING_set(string, der.data, (int) der.len) != 1)
    {
        ASN1_STRING_free(string);
        return CMP_ERROR;
    }

    ASN1_TYPE_set(info->info_value, V_ASN1_SEQUENCE, string);

    return CMP_OK;
}


/* the CA and those above it, except the root, which needs other trust */

static int
cmp_support_ca_certs(cmp_exchange_t *ex,
    const cmp_info_type_and_value_t *request,
    cmp_info_type_and_value_t *info, cmp_refusal_t *refusal)
{
    int              i, rc;
    X509            *cert;
    STACK_OF(X509)  *certs;

    (void) request;
    (void) refusal;

    certs = NULL;
    rc = cmp_push_certificate(&certs, ex->ca->certificate);

    for (i = 0; rc == CMP_OK && i < sk_X509_num(ex->ca->chain); i++) {

        cert = sk_X509_value(ex->ca->chain, i);

        if (cert != ex->ca->root) {
            rc = cmp_push_certificate(&certs, cert);
        }
    }

    if (rc == CMP_OK) {
        rc = cmp_support_set(ex, info, ASN1_ITEM_rptr(cmp_certificates_t),
                             certs);
    }

    sk_X509_pop_free(certs, X509_free);

    return rc;
}
