
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The making of requests (RFC 9810; RFC 4211, 4.1).
 */


#include <cmpload.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>
#include <openssl/x509v3.h>


static cmp_pki_message_t *load_message(load_t *load, load_task_t *task,
    int type);
static void load_header_sender(load_t *load, const load_task_t *task,
    cmp_pki_header_t *header);
static void load_header_info(load_t *load, cmp_pki_header_t *header);
static void load_body_set(cmp_pki_body_t *body, int type, void *value);
static void load_set_octets(ASN1_OCTET_STRING **dst, const void *data,
    size_t len);
static void load_set_name(GENERAL_NAME *dst, const X509_NAME *name);
static cmp_info_type_and_value_t *load_info(const cmp_oid_t *oid,
    ASN1_TYPE *value);
static ASN1_TYPE *load_profile_value(const char *profile);
static ASN1_TYPE *load_sequence(const ASN1_ITEM *it, const void *value);
static void load_task_key(load_t *load, load_task_t *task);
static void load_request_crmf(load_t *load, load_task_t *task,
    cmp_pki_body_t *body);
static cmp_controls_t *load_old_cert_id(const load_task_t *task);
static void load_request_p10(load_task_t *task, cmp_pki_body_t *body);
static void load_request_rr(load_task_t *task, cmp_pki_body_t *body);
static void load_request_poll(cmp_pki_body_t *body);
static size_t load_cert_hash(const cmp_str_t *der, const EVP_MD *md,
    unsigned char *hash);
static const EVP_MD *load_cert_md(const cmp_str_t *der);
static void load_finish(load_t *load, load_task_t *task,
    cmp_pki_message_t *msg);


void
load_task_prepare(load_t *load, load_task_t *task)
{
    cmp_pki_message_t          *msg;
    cmp_info_type_and_value_t  *info;

    if (load->op->type != CMP_BODY_POLLREQ) {
        load_must(RAND_bytes(task->transaction_id, CMP_NONCE_LEN) == 1);
    }

    msg = load_message(load, task, load->op->type);

    switch (load->op->type) {

    case CMP_BODY_P10CR:
        load_task_key(load, task);
        load_request_p10(task, msg->body);
        break;

    case CMP_BODY_RR:
        load_request_rr(task, msg->body);
        break;

    case CMP_BODY_POLLREQ:
        load_request_poll(msg->body);
        break;

    case CMP_BODY_GENM:
        info = load_info(&cmp_oid_it_ca_certs, NULL);
        load_body_set(msg->body, CMP_BODY_GENM,
                      sk_cmp_info_type_and_value_t_new_null());
        load_must(sk_cmp_info_type_and_value_t_push(msg->body->value.genm,
                                                    info)
                  > 0);
        break;

    default:
        load_task_key(load, task);
        load_request_crmf(load, task, msg->body);
    }

    load_protect(load, task, msg);
    load_finish(load, task, msg);
}


void
load_task_confirm(load_t *load, load_task_t *task)
{
    size_t              len;
    const EVP_MD       *md;
    unsigned char       hash[EVP_MAX_MD_SIZE];
    cmp_cert_status_t  *status;
    cmp_pki_message_t  *msg;

    msg = load_message(load, task, CMP_BODY_CERTCONF);
    status = cmp_asn1_new(cmp_cert_status_t);
    load_must(status != NULL);

    md = load_cert_md(&task->cert);

    /* a signature algorithm without a hash (RFC 9810, 5.3.18) */

    if (md == NULL) {
        md = EVP_sha256();
        status->hash_alg = X509_ALGOR_new();
        load_must(status->hash_alg != NULL);
        load_must(X509_ALGOR_set0(status->hash_alg, OBJ_nid2obj(NID_sha256),
                                  V_ASN1_UNDEF, NULL)
                  == 1);
    }

    len = load_cert_hash(&task->cert, md, hash);
    load_must(ASN1_OCTET_STRING_set(status->cert_hash, hash, (int) len) == 1);
    load_must(ASN1_INTEGER_set(status->cert_req_id,
                               (load->op->type == CMP_BODY_P10CR) ? -1 : 0)
              == 1);

    load_body_set(msg->body, CMP_BODY_CERTCONF,
                  sk_cmp_cert_status_t_new_null());
    load_must(sk_cmp_cert_status_t_push(msg->body->value.cert_conf, status)
              > 0);

    load_protect(load, task, msg);
    load_finish(load, task, msg);
}


/* keys and certificate stay, a later phase may need them */

void
load_task_clear(load_task_t *task)
{
    if (task->shared == 0) {
        free(task->request.data);
    }

    OPENSSL_free(task->spki.data);
    OPENSSL_free(task->subject.data);

    memset(&task->request, 0, sizeof(cmp_str_t));
    memset(&task->spki, 0, sizeof(cmp_str_t));
    memset(&task->subject, 0, sizeof(cmp_str_t));
}


void
load_task_free(load_task_t *task)
{
    load_task_clear(task);

    EVP_PKEY_free(task->key);
    EVP_PKEY_free(task->old_key);
    X509_free(task->old);
    free(task->cert.data);

    task->key = NULL;
    task->old_key = NULL;
    task->old = NULL;
    memset(&task->cert, 0, sizeof(cmp_str_t));
}


/* with a usual header and an empty body */

static cmp_pki_message_t *
load_message(load_t *load, load_task_t *task, int type)
{
    cmp_pki_header_t   *header;
    cmp_pki_message_t  *msg;

    msg = cmp_asn1_new(cmp_pki_message_t);
    load_must(msg != NULL);

    header = msg->header;
    load_must(ASN1_INTEGER_set(header->pvno, load->conf->pvno) == 1);

    header->message_time = ASN1_GENERALIZEDTIME_set(NULL, time(NULL));
    load_must(header->message_time != NULL);

    load_header_sender(load, task, header);

    load_must(RAND_bytes(task->sender_nonce, CMP_NONCE_LEN) == 1);

    load_set_octets(&header->transaction_id, task->transaction_id,
                    CMP_NONCE_LEN);
    load_set_octets(&header->sender_nonce, task->sender_nonce, CMP_NONCE_LEN);

    if (type == CMP_BODY_CERTCONF || type == CMP_BODY_POLLREQ) {
        load_set_octets(&header->recip_nonce, task->recip_nonce,
                        CMP_NONCE_LEN);

    } else {
        load_header_info(load, header);
    }

    return msg;
}


static void
load_header_sender(load_t *load, const load_task_t *task,
    cmp_pki_header_t *header)
{
    X509_NAME                *name;
    load_signer_t             own;
    const load_signer_t      *signer;
    const ASN1_OCTET_STRING  *kid;

    signer = load_task_signer(load, task, &own);

    if (signer != NULL) {
        load_set_name(header->sender, X509_get_subject_name(signer->cert));
        kid = X509_get0_subject_key_id(signer->cert);

        if (kid != NULL) {
            load_set_octets(&header->sender_kid, kid->data, kid->length);
        }

    } else {

        /* the CN of sender is the senderKID (RFC 9483, 3.1) */

        name = X509_NAME_new();
        load_must(name != NULL);
        load_must(X509_NAME_add_entry_by_NID(name, NID_commonName,
                             MBSTRING_UTF8,
                             (const unsigned char *) load->conf->reference,
                             -1, -1, 0)
                  == 1);

        load_set_name(header->sender, name);
        load_set_octets(&header->sender_kid, load->conf->reference,
                        strlen(load->conf->reference));
        X509_NAME_free(name);
    }

    if (load->conf->ca != NULL) {
        load_set_name(header->recipient,
                      X509_get_subject_name(sk_X509_value(load->conf->ca,
                                                          0)));
        return;
    }

    name = X509_NAME_new();
    load_must(name != NULL);
    load_set_name(header->recipient, name);
    X509_NAME_free(name);
}


static void
load_header_info(load_t *load, cmp_pki_header_t *header)
{
    ASN1_TYPE                  *value;
    cmp_info_type_and_value_t  *info;

    if (load->op->implicit == 0 && load->conf->profile == NULL) {
        return;
    }

    header->general_info = sk_cmp_info_type_and_value_t_new_null();
    load_must(header->general_info != NULL);

    if (load->op->implicit) {
        value = ASN1_TYPE_new();
        load_must(value != NULL);
        ASN1_TYPE_set(value, V_ASN1_NULL, NULL);

        info = load_info(&cmp_oid_it_implicit_confirm, value);
        load_must(sk_cmp_info_type_and_value_t_push(header->general_info,
                                                    info)
                  > 0);
    }

    if (load->conf->profile != NULL) {
        info = load_info(&cmp_oid_it_cert_profile,
                         load_profile_value(load->conf->profile));
        load_must(sk_cmp_info_type_and_value_t_push(header->general_info,
                                                    info)
                  > 0);
    }
}


/* takes value over, the body then being one of the lists */

static void
load_body_set(cmp_pki_body_t *body, int type, void *value)
{
    load_must(value != NULL);

    body->type = type;
    body->value.ir = value;
}


static void
load_set_octets(ASN1_OCTET_STRING **dst, const void *data, size_t len)
{
    if (*dst == NULL) {
        *dst = ASN1_OCTET_STRING_new();
        load_must(*dst != NULL);
    }

    load_must(ASN1_OCTET_STRING_set(*dst, data, (int) len) == 1);
}


static void
load_set_name(GENERAL_NAME *dst, const X509_NAME *name)
{
    X509_NAME  *copy;

    copy = X509_NAME_dup(name);
    load_must(copy != NULL);

    GENERAL_NAME_set0_value(dst, GEN_DIRNAME, copy);
}


static cmp_info_type_and_value_t *
load_info(const cmp_oid_t *oid, ASN1_TYPE *value)
{
    cmp_info_type_and_value_t  *info;

    info = cmp_asn1_new(cmp_info_type_and_value_t);
    load_must(info != NULL);

    ASN1_OBJECT_free(info->info_type);
    info->info_type = cmp_oid_object(oid);
    info->info_value = value;
    load_must(info->info_type != NULL);

    return info;
}


static ASN1_TYPE *
load_profile_value(const char *profile)
{
    ASN1_TYPE            *value;
    ASN1_UTF8STRING      *text;
    cmp_pki_free_text_t  *list;

    list = sk_ASN1_UTF8STRING_new_null();
    text = ASN1_UTF8STRING_new();
    load_must(list != NULL && text != NULL);
    load_must(ASN1_STRING_set(text, profile, -1) == 1);
    load_must(sk_ASN1_UTF8STRING_push(list, text) > 0);

    value = load_sequence(ASN1_ITEM_rptr(cmp_pki_free_text_t), list);
    cmp_asn1_free(cmp_pki_free_text_t, list);

    return value;
}


static ASN1_TYPE *
load_sequence(const ASN1_ITEM *it, const void *value)
{
    ASN1_TYPE    *type;
    ASN1_STRING  *string;

    type = ASN1_TYPE_new();
    string = ASN1_item_pack((void *) value, it, NULL);
    load_must(type != NULL && string != NULL);

    ASN1_TYPE_set(type, V_ASN1_SEQUENCE, string);

    return type;
}


/* the key and the subject that the certificate has to have */

static void
load_task_key(load_t *load, load_task_t *task)
{
    int                   len;
    X509_NAME            *name;
    X509_PUBKEY          *public;
    load_signer_t         own;
    const load_signer_t  *signer;

    task->key = load_keys_make(load->keys);

    public = load_keys_public(load->keys, task->key);
    len = i2d_X509_PUBKEY(public, &task->spki.data);
    load_must(len > 0);
    task->spki.len = len;
    X509_PUBKEY_free(public);

    signer = load_task_signer(load, task, &own);

    /* an update keeps the subject, so does a device with its own */

    if (task->old != NULL || load->conf->subject == NULL) {
        name = X509_NAME_dup(X509_get_subject_name(signer->cert));

    } else {
        name = load_name(load->conf->subject, task->number);
    }

    load_must(name != NULL);

    len = i2d_X509_NAME(name, &task->subject.data);
    load_must(len > 0);
    task->subject.len = len;

    X509_NAME_free(name);
}


static void
load_request_crmf(load_t *load, load_task_t *task, cmp_pki_body_t *body)
{
    cmp_popo_t              *popo;
    const unsigned char     *p;
    cmp_cert_request_t      *request;
    cmp_cert_req_msg_t      *msg;
    cmp_cert_template_t     *tmpl;
    cmp_popo_signing_key_t  *sign;

    msg = cmp_asn1_new(cmp_cert_req_msg_t);
    popo = cmp_asn1_new(cmp_popo_t);
    sign = cmp_asn1_new(cmp_popo_signing_key_t);
    load_must(msg != NULL && popo != NULL && sign != NULL);

    request = msg->cert_req;
    load_must(ASN1_INTEGER_set(request->cert_req_id, 0) == 1);

    tmpl = request->cert_template;
    p = task->subject.data;
    tmpl->subject = d2i_X509_NAME(NULL, &p, (long) task->subject.len);
    load_must(tmpl->subject != NULL);
    cmp_asn1_free(cmp_public_key_t, tmpl->public_key);
    tmpl->public_key = cmp_asn1_decode(cmp_public_key_t, task->spki.data,
                                       task->spki.len);
    load_must(tmpl->public_key != NULL);

    if (load->op->type == CMP_BODY_KUR) {
        request->controls = load_old_cert_id(task);
    }

    load_sign(ASN1_ITEM_rptr(cmp_cert_request_t), sign->algorithm_identifier,
              sign->signature, request, task->key);

    popo->type = CMP_POPO_SIGNATURE;
    popo->value.signature = sign;
    msg->popo = popo;

    load_body_set(body, load->op->type, sk_cmp_cert_req_msg_t_new_null());
    load_must(sk_cmp_cert_req_msg_t_push(body->value.ir, msg) > 0);
}


static cmp_controls_t *
load_old_cert_id(const load_task_t *task)
{
    cmp_cert_id_t                   *id;
    cmp_controls_t                  *controls;
    cmp_attribute_type_and_value_t  *attr;

    id = cmp_asn1_new(cmp_cert_id_t);
    attr = cmp_asn1_new(cmp_attribute_type_and_value_t);
    controls = sk_cmp_attribute_type_and_value_t_new_null();
    load_must(id != NULL && attr != NULL && controls != NULL);

    load_set_name(id->issuer, X509_get_issuer_name(task->old));
    ASN1_INTEGER_free(id->serial_number);
    id->serial_number = ASN1_INTEGER_dup(X509_get0_serialNumber(task->old));
    load_must(id->serial_number != NULL);

    ASN1_OBJECT_free(attr->type);
    ASN1_TYPE_free(attr->value);
    attr->type = cmp_oid_object(&cmp_oid_reg_ctrl_old_cert_id);
    attr->value = load_sequence(ASN1_ITEM_rptr(cmp_cert_id_t), id);
    load_must(attr->type != NULL);

    cmp_asn1_free(cmp_cert_id_t, id);
    load_must(sk_cmp_attribute_type_and_value_t_push(controls, attr) > 0);

    return controls;
}


static void
load_request_p10(load_task_t *task, cmp_pki_body_t *body)
{
    X509_REQ             *req;
    X509_NAME            *name;
    const unsigned char  *p;

    p = task->subject.data;
    name = d2i_X509_NAME(NULL, &p, (long) task->subject.len);
    req = X509_REQ_new();
    load_must(name != NULL && req != NULL);

    load_must(X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1);
    load_must(X509_REQ_set_subject_name(req, name) == 1);
    load_must(X509_REQ_set_pubkey(req, task->key) == 1);
    load_must(X509_REQ_sign(req, task->key, load_key_md(task->key)) > 0);

    X509_NAME_free(name);

    body->type = CMP_BODY_P10CR;
    body->value.p10cr = req;
}


static void
load_request_rr(load_task_t *task, cmp_pki_body_t *body)
{
    X509_EXTENSION       *ext;
    ASN1_ENUMERATED      *reason;
    cmp_rev_details_t    *details;
    cmp_cert_template_t  *tmpl;

    details = cmp_asn1_new(cmp_rev_details_t);
    load_must(details != NULL);

    tmpl = details->cert_details;
    tmpl->issuer = X509_NAME_dup(X509_get_issuer_name(task->old));
    tmpl->serial_number = ASN1_INTEGER_dup(X509_get0_serialNumber(task->old));
    load_must(tmpl->issuer != NULL && tmpl->serial_number != NULL);

    reason = ASN1_ENUMERATED_new();
    load_must(reason != NULL);
    load_must(ASN1_ENUMERATED_set(reason, CRL_REASON_SUPERSEDED) == 1);

    ext = X509V3_EXT_i2d(NID_crl_reason, 0, reason);
    details->crl_entry_details = sk_X509_EXTENSION_new_null();
    load_must(ext != NULL && details->crl_entry_details != NULL);
    load_must(sk_X509_EXTENSION_push(details->crl_entry_details, ext) > 0);

    ASN1_ENUMERATED_free(reason);

    load_body_set(body, CMP_BODY_RR, sk_cmp_rev_details_t_new_null());
    load_must(sk_cmp_rev_details_t_push(body->value.rr, details) > 0);
}


/* for the only request of the transaction */

static void
load_request_poll(cmp_pki_body_t *body)
{
    cmp_poll_req_t  *poll;

    poll = cmp_asn1_new(cmp_poll_req_t);
    load_must(poll != NULL);
    load_must(ASN1_INTEGER_set(poll->cert_req_id, 0) == 1);

    load_body_set(body, CMP_BODY_POLLREQ, sk_cmp_poll_req_t_new_null());
    load_must(sk_cmp_poll_req_t_push(body->value.poll_req, poll) > 0);
}


static size_t
load_cert_hash(const cmp_str_t *der, const EVP_MD *md, unsigned char *hash)
{
    unsigned int   len;
    EVP_MD_CTX    *ctx;

    len = EVP_MAX_MD_SIZE;
    ctx = EVP_MD_CTX_new();
    load_must(ctx != NULL);

    load_must(EVP_DigestInit_ex(ctx, md, NULL) == 1);
    load_must(EVP_DigestUpdate(ctx, der->data, der->len) == 1);

    if ((EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) != 0) {
        load_must(EVP_DigestFinalXOF(ctx, hash, len) == 1);

    } else {
        load_must(EVP_DigestFinal_ex(ctx, hash, &len) == 1);
    }

    EVP_MD_CTX_free(ctx);

    return len;
}


/*
 * Of the signature of the certificate, NULL when it has none; EdDSA: RFC 9481,
 * 3.3.
 */

static const EVP_MD *
load_cert_md(const cmp_str_t *der)
{
    int                   nid, digest;
    X509                 *cert;
    X509_ALGOR           *alg;
    load_cert_t           parts;
    const unsigned char  *p;

    load_must(load_cert_decode(der, &parts) == 1);

    alg = cmp_asn1_decode(X509_ALGOR, parts.alg.data, parts.alg.len);
    load_must(alg != NULL);
    nid = OBJ_obj2nid(alg->algorithm);
    X509_ALGOR_free(alg);

    switch (nid) {

    case NID_ED25519:
        return EVP_sha512();

    case NID_ED448:
        return EVP_shake256();

    case NID_rsassaPss:
        p = der->data;
        cert = d2i_X509(NULL, &p, (long) der->len);
        load_must(cert != NULL);

        if (X509_get_signature_info(cert, &digest, NULL, NULL, NULL) != 1) {
            digest = NID_sha256;
        }

        X509_free(cert);
        break;

    default:
        if (OBJ_find_sigid_algs(nid, &digest, NULL) != 1) {
            digest = NID_undef;
        }
    }

    return EVP_get_digestbynid(digest);
}


/* frees the message; the request is complete, HTTP header included */

static void
load_finish(load_t *load, load_task_t *task, cmp_pki_message_t *msg)
{
    int             len;
    unsigned char  *der;

    len = cmp_asn1_encode(cmp_pki_message_t, msg, &der);
    load_must(len > 0);
    cmp_asn1_free(cmp_pki_message_t, msg);

    free(task->request.data);
    load_request(load, load->conf->path, "application/pkixcmp", der, len,
                 &task->request);

    OPENSSL_free(der);
}


void
load_request(const load_t *load, const char *path, const char *type,
    const unsigned char *data, size_t len, cmp_str_t *request)
{
    int     n;
    char   *p;
    size_t  size;

    size = strlen(path) + strlen(load->conf->host) + 256 + len;
    p = load_alloc(size);

    if (type == NULL) {
        n = snprintf(p, size, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path,
                     load->conf->host);

    } else {
        n = snprintf(p, size, "POST %s HTTP/1.1\r\n"
                     "Host: %s\r\n"
                     "Content-Type: %s\r\n"
                     "Content-Length: %zu\r\n"
                     "\r\n",
                     path, load->conf->host, type, len);
    }

    if (len != 0) {
        memcpy(p + n, data, len);
    }

    request->data = (unsigned char *) p;
    request->len = n + len;
}
