
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * genm: support messages (RFC 9810, 5.3.19 and D.5; RFC 9483, 4.3).
 */


#include <cmp_exchange_support.h>

#include <limits.h>


#define CMP_SUPPORT_NO_VALUE   0
#define CMP_SUPPORT_MAY_VALUE  1
#define CMP_SUPPORT_VALUE      2


typedef struct {
    const cmp_oid_t  *oid;          /* asked for */
    const cmp_oid_t  *reply;        /* what it is answered with */
    int               value;        /* of the request: CMP_SUPPORT_... */
    cmp_label_e       label;
    unsigned          all:1;        /* an empty genm asks for it */
    int32_t           want;         /* CMP_WANT_... of the store */
    cmp_support_pt    answer;
} cmp_support_t;


static int cmp_support_check(cmp_exchange_t *ex,
    const cmp_gen_msg_content_t *request, cmp_refusal_t *refusal);
static int cmp_support_check_one(cmp_exchange_t *ex,
    const cmp_gen_msg_content_t *request, int n, cmp_refusal_t *refusal);
static int cmp_support_named(cmp_exchange_t *ex,
    const cmp_gen_msg_content_t *request, cmp_gen_msg_content_t *content,
    cmp_refusal_t *refusal);
static int cmp_support_all(cmp_exchange_t *ex, cmp_gen_msg_content_t *content,
    cmp_refusal_t *refusal);
static int cmp_support_unsupported(cmp_exchange_t *ex,
    const cmp_gen_msg_content_t *request, cmp_str_t *der);
static int cmp_support_push(cmp_gen_msg_content_t *content,
    const cmp_oid_t *oid, const cmp_str_t *der);
static const cmp_support_t *cmp_support_find(const ASN1_OBJECT *type);
static int cmp_support_no_cert(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);
static int cmp_support_languages(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);
static int cmp_support_language(const ASN1_UTF8STRING *tag);


/* the answers to an empty genm come in this order */

static const cmp_support_t  cmp_supports[] = {

    { &cmp_oid_it_ca_certs, &cmp_oid_it_ca_certs,
      CMP_SUPPORT_NO_VALUE, CMP_LABEL_GETCACERTS, 1, 0,
      cmp_support_ca_certs },

    { &cmp_oid_it_ca_prot_enc_cert, &cmp_oid_it_ca_prot_enc_cert,
      CMP_SUPPORT_NO_VALUE, CMP_LABEL_NONE, 1, 0,
      cmp_support_no_cert },

    { &cmp_oid_it_sign_key_pair_types, &cmp_oid_it_sign_key_pair_types,
      CMP_SUPPORT_NO_VALUE, CMP_LABEL_NONE, 1, 0,
      cmp_support_sign_keys },

    { &cmp_oid_it_enc_key_pair_types, &cmp_oid_it_enc_key_pair_types,
      CMP_SUPPORT_NO_VALUE, CMP_LABEL_NONE, 1, 0,
      cmp_support_enc_keys },

    { &cmp_oid_it_preferred_symm_alg, &cmp_oid_it_preferred_symm_alg,
      CMP_SUPPORT_NO_VALUE, CMP_LABEL_NONE, 1, 0,
      cmp_support_symm_alg },

    { &cmp_oid_it_root_ca_cert, &cmp_oid_it_root_ca_key_update,
      CMP_SUPPORT_MAY_VALUE, CMP_LABEL_GETROOTUPDATE, 1, CMP_WANT_ROLLOVER,
      cmp_support_root_update },

    { &cmp_oid_it_current_crl, &cmp_oid_it_current_crl,
      CMP_SUPPORT_NO_VALUE, CMP_LABEL_NONE, 1, CMP_WANT_CRL,
      cmp_support_current_crl },

    { &cmp_oid_it_crl_status_list, &cmp_oid_it_crls,
      CMP_SUPPORT_VALUE, CMP_LABEL_GETCRLS, 0, CMP_WANT_CRL,
      cmp_support_crls },

    { &cmp_oid_it_cert_req_template, &cmp_oid_it_cert_req_template,
      CMP_SUPPORT_NO_VALUE, CMP_LABEL_GETCERTREQTEMPLATE, 0, 0,
      cmp_support_template },

    { &cmp_oid_it_key_pair_param_req, &cmp_oid_it_key_pair_param_rep,
      CMP_SUPPORT_VALUE, CMP_LABEL_NONE, 0, 0,
      cmp_support_key_params },

    { &cmp_oid_it_supp_lang_tags, &cmp_oid_it_supp_lang_tags,
      CMP_SUPPORT_VALUE, CMP_LABEL_NONE, 0, 0,
      cmp_support_languages },

    { NULL, NULL, 0, CMP_LABEL_NONE, 0, 0, NULL }
};


/* what the store has to give for the answers */

int32_t
cmp_support_want(const cmp_gen_msg_content_t *request)
{
    int                               i, n;
    int32_t                           want;
    const cmp_support_t              *support;
    const cmp_info_type_and_value_t  *info;

    want = 0;
    n = sk_cmp_info_type_and_value_t_num(request);

    for (i = 0; i < n; i++) {

        info = sk_cmp_info_type_and_value_t_value(request, i);
        support = cmp_support_find(info->info_type);

        if (support != NULL) {
            want |= support->want;
        }
    }

    if (n == 0) {
        want = CMP_WANT_ROLLOVER|CMP_WANT_CRL;
    }

    return want;
}


int
cmp_exchange_support(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                           rc;
    cmp_str_t                     none;
    cmp_pki_body_t               *body;
    const cmp_gen_msg_content_t  *request;
    cmp_gen_msg_content_t        *content;

    request = ex->msg.body->value.genm;

    rc = cmp_support_check(ex, request, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    content = sk_cmp_info_type_and_value_t_new_null();
    if (content == NULL) {
        return CMP_ERROR;
    }

    body = ex->answer->body;
    body->type = CMP_BODY_GENP;
    body->value.genp = content;

    rc = (sk_cmp_info_type_and_value_t_num(request) != 0)
         ? cmp_support_named(ex, request, content, refusal)
         : cmp_support_all(ex, content, refusal);

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
cmp_support_check(cmp_exchange_t *ex, const cmp_gen_msg_content_t *request,
    cmp_refusal_t *refusal)
{
    int  i, n, rc, known;

    known = 0;
    n = sk_cmp_info_type_and_value_t_num(request);

    if (n > ex->ca->max_requests) {
        return cmp_refuse(refusal, CMP_REFUSE_TOO_MANY_REQUESTS, NULL);
    }

    if (ex->strict && n != 1) {
        return cmp_refuse(refusal, CMP_REFUSE_INFO_COUNT, NULL);
    }

    /* a label stands for one infoType; it is that of the pollReq else */

    if (n == 0 && ex->polled == 0 && ex->conf->label != CMP_LABEL_NONE
        && ex->conf->label != CMP_LABEL_NESTED)
    {
        return cmp_refuse(refusal, CMP_REFUSE_LABEL, NULL);
    }

    for (i = 0; i < n; i++) {

        rc = cmp_support_check_one(ex, request, i, refusal);

        if (rc != CMP_OK) {
            return rc;
        }

        known += (cmp_support_find(
                      sk_cmp_info_type_and_value_t_value(request, i)
                          ->info_type)
                  != NULL);
    }

    if (n != 0 && known == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_INFO_TYPES, NULL);
    }

    return CMP_OK;
}


static int
cmp_support_check_one(cmp_exchange_t *ex,
    const cmp_gen_msg_content_t *request, int n, cmp_refusal_t *refusal)
{
    int                               i;
    char                              name[80];
    const cmp_support_t              *support;
    const cmp_info_type_and_value_t  *info, *other;

    info = sk_cmp_info_type_and_value_t_value(request, n);
    support = cmp_support_find(info->info_type);

    if (ex->polled == 0
        && ex->conf->label != CMP_LABEL_NONE
        && ex->conf->label != CMP_LABEL_NESTED
        && (support == NULL
            || support->label != (cmp_label_e) ex->conf->label))
    {
        return cmp_refuse(refusal, CMP_REFUSE_LABEL, NULL);
    }

    /* the answer to the same question may be large: once is enough */

    for (i = 0; i < n; i++) {
        other = sk_cmp_info_type_and_value_t_value(request, i);

        if (OBJ_cmp(info->info_type, other->info_type) == 0) {
            return cmp_refuse(refusal, CMP_REFUSE_INFO_TWICE, "%s",
                              cmp_oid_name(info->info_type, name,
                                           sizeof(name)));
        }
    }

    if (support == NULL) {
        return CMP_OK;
    }

    if (support->value == CMP_SUPPORT_NO_VALUE && info->info_value != NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_INFO_VALUE, "%s",
                          support->oid->name);
    }

    if (support->value == CMP_SUPPORT_VALUE && info->info_value == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_INFO_WRONG, "%s",
                          support->oid->name);
    }

    return CMP_OK;
}


static int
cmp_support_named(cmp_exchange_t *ex, const cmp_gen_msg_content_t *request,
    cmp_gen_msg_content_t *content, cmp_refusal_t *refusal)
{
    int                               i, n, rc, unknown;
    cmp_str_t                         der;
    const cmp_support_t              *support;
    const cmp_info_type_and_value_t  *info;

    unknown = 0;
    n = sk_cmp_info_type_and_value_t_num(request);

    for (i = 0; i < n; i++) {

        info = sk_cmp_info_type_and_value_t_value(request, i);
        support = cmp_support_find(info->info_type);

        if (support == NULL) {
            unknown = 1;
            continue;
        }

        der.len = 0;
        rc = support->answer(ex, info->info_value, &der, refusal);

        if (rc == CMP_OK) {
            rc = cmp_support_push(content, support->reply, &der);
        }

        if (rc != CMP_OK) {
            return rc;
        }
    }

    if (unknown == 0) {
        return CMP_OK;
    }

    if (cmp_support_unsupported(ex, request, &der) != CMP_OK) {
        return CMP_ERROR;
    }

    return cmp_support_push(content, &cmp_oid_it_unsupported_oids, &der);
}


/* what there is of all that does not need a question (RFC 9810, D.5) */

static int
cmp_support_all(cmp_exchange_t *ex, cmp_gen_msg_content_t *content,
    cmp_refusal_t *refusal)
{
    int                   rc;
    cmp_str_t             der;
    const cmp_support_t  *support;

    for (support = cmp_supports; support->oid != NULL; support++) {

        if (support->all == 0) {
            continue;
        }

        der.len = 0;
        rc = support->answer(ex, NULL, &der, refusal);

        if (rc == CMP_OK && der.len != 0) {
            rc = cmp_support_push(content, support->reply, &der);
        }

        if (rc != CMP_OK) {
            return rc;
        }
    }

    return CMP_OK;
}


static int
cmp_support_unsupported(cmp_exchange_t *ex,
    const cmp_gen_msg_content_t *request, cmp_str_t *der)
{
    int                      i, rc;
    ASN1_OBJECT             *object;
    cmp_unsupported_oids_t  *oids;

    oids = sk_ASN1_OBJECT_new_null();
    if (oids == NULL) {
        return CMP_ERROR;
    }

    /* the objects stay with the request */

    for (i = 0; i < sk_cmp_info_type_and_value_t_num(request); i++) {

        object = sk_cmp_info_type_and_value_t_value(request, i)->info_type;

        if (cmp_support_find(object) == NULL
            && sk_ASN1_OBJECT_push(oids, object) <= 0)
        {
            sk_ASN1_OBJECT_free(oids);
            return CMP_ERROR;
        }
    }

    rc = cmp_encode(ex->work, ASN1_ITEM_rptr(cmp_unsupported_oids_t), oids,
                    der);

    sk_ASN1_OBJECT_free(oids);

    return rc;
}


static int
cmp_support_push(cmp_gen_msg_content_t *content, const cmp_oid_t *oid,
    const cmp_str_t *der)
{
    ASN1_STRING                *string;
    cmp_info_type_and_value_t  *info;

    info = cmp_asn1_new(cmp_info_type_and_value_t);
    if (info == NULL) {
        return CMP_ERROR;
    }

    if (sk_cmp_info_type_and_value_t_push(content, info) <= 0) {
        cmp_asn1_free(cmp_info_type_and_value_t, info);
        return CMP_ERROR;
    }

    ASN1_OBJECT_free(info->info_type);

    info->info_type = cmp_oid_object(oid);
    if (info->info_type == NULL) {
        return CMP_ERROR;
    }

    if (der->len == 0) {
        return CMP_OK;
    }

    if (info->info_value == NULL) {
        info->info_value = ASN1_TYPE_new();
    }

    string = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

    if (string == NULL
        || info->info_value == NULL
        || der->len > INT_MAX
        || ASN1_STRING_set(string, der->data, (int) der->len) != 1)
    {
        ASN1_STRING_free(string);
        return CMP_ERROR;
    }

    ASN1_TYPE_set(info->info_value, V_ASN1_SEQUENCE, string);

    return CMP_OK;
}


/* caProtEncCert: nothing is ever encrypted for this CA */

static int
cmp_support_no_cert(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    (void) ex;
    (void) value;
    (void) refusal;

    der->len = 0;

    return CMP_OK;
}


/* the first of the languages offered that our texts are in */

static int
cmp_support_languages(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    int                   i, rc;
    ASN1_UTF8STRING      *tag;
    cmp_pki_free_text_t  *tags, *chosen;

    tags = (value->type == V_ASN1_SEQUENCE)
           ? cmp_asn1_decode(cmp_pki_free_text_t,
                             value->value.sequence->data,
                             value->value.sequence->length)
           : NULL;

    if (tags == NULL || sk_ASN1_UTF8STRING_num(tags) == 0) {
        cmp_asn1_free(cmp_pki_free_text_t, tags);
        return cmp_refuse(refusal, CMP_REFUSE_INFO_WRONG, "suppLangTags");
    }

    tag = NULL;

    for (i = 0; i < sk_ASN1_UTF8STRING_num(tags); i++) {

        if (cmp_support_language(sk_ASN1_UTF8STRING_value(tags, i))) {
            tag = sk_ASN1_UTF8STRING_value(tags, i);
            break;
        }
    }

    if (tag == NULL) {
        rc = cmp_refuse(refusal, CMP_REFUSE_LANGUAGE, NULL);

    } else {
        chosen = sk_ASN1_UTF8STRING_new_null();

        rc = (chosen != NULL && sk_ASN1_UTF8STRING_push(chosen, tag) > 0)
             ? cmp_encode(ex->work, ASN1_ITEM_rptr(cmp_pki_free_text_t),
                          chosen, der)
             : CMP_ERROR;

        sk_ASN1_UTF8STRING_free(chosen);
    }

    cmp_asn1_free(cmp_pki_free_text_t, tags);

    return rc;
}


/* "en", "en-GB", ..., without regard to case (RFC 5646, 2.1.1) */

static int
cmp_support_language(const ASN1_UTF8STRING *tag)
{
    cmp_str_t  text;

    text = cmp_octets((const ASN1_OCTET_STRING *) tag);

    return text.len >= 2
           && (text.data[0] | 0x20) == 'e'
           && (text.data[1] | 0x20) == 'n'
           && (text.len == 2 || text.data[2] == '-');
}
