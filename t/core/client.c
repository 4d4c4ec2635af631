
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Bodies and headers of requests.
 */


#include <client.h>
#include <client_local.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


static void client_template(cmp_cert_template_t *tmpl,
    const client_request_t *request);
static void client_old_cert_id(cmp_cert_req_msg_t *req, X509 *old);


void
client_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s failed\n", file, line, what);
    ERR_print_errors_fp(stderr);
    abort();
}


void
client_init(client_t *client, uint64_t seed, int64_t now)
{
    memset(client, 0, sizeof(client_t));

    client->pvno = 2;
    client->protection = CLIENT_PBM;
    client->now = now;
    client->random.seed = seed;

    client->owf = NID_sha256;
    client->mac = NID_hmacWithSHA256;
    client->iterations = 500;
    client->salt_len = 16;

    client_begin(client);
}


void
client_begin(client_t *client)
{
    (void) pki_random(&client->random, client->transaction_id, 16);
    client->in_transaction = 0;
}


void
client_set_octets(ASN1_OCTET_STRING **dst, const void *data, size_t len)
{
    ASN1_OCTET_STRING_free(*dst);
    *dst = NULL;

    if (data == NULL) {
        return;
    }

    *dst = ASN1_OCTET_STRING_new();
    client_check(*dst != NULL);
    client_check(ASN1_OCTET_STRING_set(*dst, data, len) == 1);
}


void
client_set_name(GENERAL_NAME **dst, const X509_NAME *name)
{
    GENERAL_NAME_free(*dst);

    *dst = GENERAL_NAME_new();
    client_check(*dst != NULL);

    (*dst)->type = GEN_DIRNAME;
    (*dst)->d.directoryName = X509_NAME_dup(name);
    client_check((*dst)->d.directoryName != NULL);
}


void
client_set_general_name(GENERAL_NAME *name, X509 *cert)
{
    name->type = GEN_DIRNAME;
    name->d.directoryName = X509_NAME_dup(X509_get_subject_name(cert));
    client_check(name->d.directoryName != NULL);
}


cmp_pki_message_t *
client_message(client_t *client, int type)
{
    X509_NAME                *name;
    cmp_pki_body_t           *body;
    cmp_pki_header_t         *header;
    cmp_pki_message_t        *msg;
    const ASN1_OCTET_STRING  *kid;

    msg = cmp_asn1_new(cmp_pki_message_t);
    client_check(msg != NULL);

    header = msg->header;
    client_check(ASN1_INTEGER_set(header->pvno, client->pvno) == 1);

    if (!client->no_time) {
        header->message_time = ASN1_GENERALIZEDTIME_set(NULL,
                                                        client->now / 1000);
        client_check(header->message_time != NULL);
    }

    if (client->protection == CLIENT_SIGNATURE) {
        name = X509_NAME_dup(X509_get_subject_name(client->cert));
        kid = X509_get0_subject_key_id(client->cert);

        if (kid != NULL && !client->no_kid) {
            client_set_octets(&header->sender_kid, kid->data, kid->length);
        }

    } else {
        name = pki_name(client->sender != NULL ? client->sender : "");

        if (client->reference != NULL && !client->no_kid) {
            client_set_octets(&header->sender_kid, client->reference,
                              strlen(client->reference));
        }
    }

    client_set_name(&header->sender, name);
    X509_NAME_free(name);

    if (client->recipient != NULL) {
        client_set_name(&header->recipient, client->recipient);

    } else {
        name = pki_name("");
        client_set_name(&header->recipient, name);
        X509_NAME_free(name);
    }

    (void) pki_random(&client->random, client->sender_nonce, 16);

    client_set_octets(&header->transaction_id, client->transaction_id, 16);
    client_set_octets(&header->sender_nonce, client->sender_nonce, 16);

    if (client->in_transaction) {
        client_set_octets(&header->recip_nonce, client->recip_nonce, 16);
    }

    if (client->implicit_confirm
        && (type == CMP_BODY_IR || type == CMP_BODY_CR
            || type == CMP_BODY_KUR || type == CMP_BODY_P10CR))
    {
        client_general_info(msg, &cmp_oid_it_implicit_confirm, client_null());
    }

    body = msg->body;
    body->type = type;

    switch (type) {

    case CMP_BODY_P10CR:
        break;

    case CMP_BODY_PKICONF:
        body->value.pkiconf = ASN1_NULL_new();
        break;

    case CMP_BODY_ERROR:
        body->value.error = cmp_asn1_new(cmp_error_msg_content_t);
        client_check(body->value.error != NULL);
        client_check(ASN1_INTEGER_set(
                                 body->value.error->pki_status_info->status,
                                 CMP_STATUS_REJECTION)
                     == 1);
        break;

    default:

        /* all others that are sent empty are a SEQUENCE OF */

        body->value.ir = sk_cmp_cert_req_msg_t_new_null();
        client_check(body->value.ir != NULL);
        break;
    }

    return msg;
}


static void
client_template(cmp_cert_template_t *tmpl, const client_request_t *request)
{
    if (request->subject != NULL) {
        tmpl->subject = pki_name(request->subject);
    }

    if (request->key != NULL) {
        client_check(pki_set_public_key(&tmpl->public_key, request->key) == 1);
    }

    if (request->san != NULL) {
        client_add_extension(&tmpl->extensions,
                             pki_extension(NID_subject_alt_name,
                                           request->san));
    }
}


static void
client_old_cert_id(cmp_cert_req_msg_t *req, X509 *old)
{
    int                              len;
    ASN1_STRING                     *value;
    cmp_cert_id_t                   *id;
    unsigned char                   *der;
    cmp_attribute_type_and_value_t  *attr;

    id = cmp_asn1_new(cmp_cert_id_t);
    client_check(id != NULL);

    client_set_name(&id->issuer, X509_get_issuer_name(old));
    ASN1_INTEGER_free(id->serial_number);
    id->serial_number = ASN1_INTEGER_dup(X509_get0_serialNumber(old));

    len = cmp_asn1_encode(cmp_cert_id_t, id, &der);
    client_check(len > 0);
    cmp_asn1_free(cmp_cert_id_t, id);

    attr = cmp_asn1_new(cmp_attribute_type_and_value_t);
    value = ASN1_STRING_new();
    client_check(attr != NULL && value != NULL);

    ASN1_OBJECT_free(attr->type);
    attr->type = cmp_oid_object(&cmp_oid_reg_ctrl_old_cert_id);
    ASN1_STRING_set0(value, der, len);

    if (attr->value == NULL) {
        attr->value = ASN1_TYPE_new();
    }

    ASN1_TYPE_set(attr->value, V_ASN1_SEQUENCE, value);

    req->cert_req->controls = sk_cmp_attribute_type_and_value_t_new_null();
    client_check(req->cert_req->controls != NULL);
    client_check(sk_cmp_attribute_type_and_value_t_push(
                                              req->cert_req->controls, attr)
                 > 0);
}


cmp_cert_req_msg_t *
client_add_request(client_t *client, cmp_pki_message_t *msg,
    const client_request_t *request)
{
    cmp_cert_req_msg_t  *req;

    req = cmp_asn1_new(cmp_cert_req_msg_t);
    client_check(req != NULL);

    client_check(ASN1_INTEGER_set(req->cert_req->cert_req_id, request->id)
                 == 1);

    client_template(req->cert_req->cert_template, request);

    if (request->old != NULL) {
        client_old_cert_id(req, request->old);
    }

    client_pop(client, req, request);

    client_check(sk_cmp_cert_req_msg_t_push(msg->body->value.ir, req) > 0);

    return req;
}


void
client_set_p10(cmp_pki_message_t *msg, const char *subject, EVP_PKEY *key,
    const char *san)
{
    X509_REQ                  *req;
    X509_NAME                 *name;
    STACK_OF(X509_EXTENSION)  *exts;

    req = X509_REQ_new();
    client_check(req != NULL);
    client_check(X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1);

    name = pki_name(subject);
    client_check(X509_REQ_set_subject_name(req, name) == 1);
    X509_NAME_free(name);

    client_check(X509_REQ_set_pubkey(req, key) == 1);

    if (san != NULL) {
        exts = NULL;
        client_add_extension(&exts, pki_extension(NID_subject_alt_name, san));
        client_check(X509_REQ_add_extensions(req, exts) == 1);
        sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    }

    client_check(X509_REQ_sign(req, key, pki_md(key)) > 0);

    X509_REQ_free(msg->body->value.p10cr);
    msg->body->value.p10cr = req;
}


cmp_rev_details_t *
client_add_revocation(cmp_pki_message_t *msg, X509 *cert, int reason)
{
    X509_EXTENSION       *ext;
    ASN1_ENUMERATED      *value;
    cmp_rev_details_t    *details;
    cmp_cert_template_t  *tmpl;

    details = cmp_asn1_new(cmp_rev_details_t);
    client_check(details != NULL);

    tmpl = details->cert_details;

    if (cert != NULL) {
        tmpl->issuer = X509_NAME_dup(X509_get_issuer_name(cert));
        tmpl->serial_number = ASN1_INTEGER_dup(X509_get0_serialNumber(cert));
    }

    if (reason >= 0) {
        value = ASN1_ENUMERATED_new();
        client_check(value != NULL);
        client_check(ASN1_ENUMERATED_set(value, reason) == 1);

        ext = X509V3_EXT_i2d(NID_crl_reason, 0, value);
        client_check(ext != NULL);
        ASN1_ENUMERATED_free(value);

        client_add_extension(&details->crl_entry_details, ext);
    }

    client_check(sk_cmp_rev_details_t_push(msg->body->value.rr, details) > 0);

    return details;
}


/* RFC 9810, 5.3.18: for signatures that say nothing of a hash, with pvno 3 */

static void
client_hash_alg(cmp_pki_message_t *msg, cmp_cert_status_t *cs,
    const EVP_MD *md)
{
    cs->hash_alg = X509_ALGOR_new();
    client_check(cs->hash_alg != NULL);
    client_check(X509_ALGOR_set0(cs->hash_alg,
                                 OBJ_nid2obj(EVP_MD_get_type(md)),
                                 V_ASN1_UNDEF, NULL)
                 == 1);
    client_check(ASN1_INTEGER_set(msg->header->pvno, 3) == 1);
}


cmp_cert_status_t *
client_add_status(cmp_pki_message_t *msg, X509 *cert, int id, int status)
{
    int                 md_nid;
    unsigned int        len;
    const EVP_MD       *md;
    unsigned char       hash[EVP_MAX_MD_SIZE];
    cmp_cert_status_t  *cs;

    cs = cmp_asn1_new(cmp_cert_status_t);
    client_check(cs != NULL);

    /* EdDSA: RFC 9481, 3.3 */

    if (X509_get_signature_nid(cert) == NID_ED25519) {
        md = EVP_sha512();

    } else if (X509_get_signature_nid(cert) == NID_ED448) {
        md = NULL;

    } else {
        client_check(OBJ_find_sigid_algs(X509_get_signature_nid(cert),
                                         &md_nid, NULL)
                     == 1);
        md = EVP_get_digestbynid(md_nid);

        if (md_nid == NID_undef) {
            md = EVP_sha256();
            client_hash_alg(msg, cs, md);
        }
    }

    if (md != NULL) {
        client_check(X509_digest(cert, md, hash, &len) == 1);

    } else {
        len = client_shake256(cert, hash, 64);
    }

    client_set_octets(&cs->cert_hash, hash, len);
    client_check(ASN1_INTEGER_set(cs->cert_req_id, id) == 1);

    if (status >= 0) {
        cs->status_info = cmp_asn1_new(cmp_pki_status_info_t);
        client_check(cs->status_info != NULL);
        client_check(ASN1_INTEGER_set(cs->status_info->status, status) == 1);
    }

    client_check(sk_cmp_cert_status_t_push(msg->body->value.cert_conf, cs)
                 > 0);

    return cs;
}


cmp_info_type_and_value_t *
client_add_info(cmp_pki_message_t *msg, const cmp_oid_t *oid)
{
    cmp_info_type_and_value_t  *info;

    info = client_info(oid, NULL);

    client_check(sk_cmp_info_type_and_value_t_push(msg->body->value.genm, info)
                 > 0);

    return info;
}


cmp_info_type_and_value_t *
client_info(const cmp_oid_t *oid, ASN1_TYPE *value)
{
    cmp_info_type_and_value_t  *info;

    info = cmp_asn1_new(cmp_info_type_and_value_t);
    client_check(info != NULL);

    ASN1_OBJECT_free(info->info_type);
    info->info_type = cmp_oid_object(oid);
    client_check(info->info_type != NULL);

    info->info_value = value;

    return info;
}


void
client_nest(cmp_pki_message_t *msg, cmp_pki_message_t *inner)
{
    size_t          len;
    ASN1_STRING    *string;
    unsigned char  *der;

    der = client_encode(inner, &len);
    string = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
    client_check(string != NULL);
    client_check(ASN1_STRING_set(string, der, len) == 1);
    client_check(sk_ASN1_STRING_push(msg->body->value.nested, string) > 0);
    free(der);
}


void
client_add_poll(cmp_pki_message_t *msg, int id)
{
    cmp_poll_req_t  *poll;

    poll = cmp_asn1_new(cmp_poll_req_t);
    client_check(poll != NULL);
    client_check(ASN1_INTEGER_set(poll->cert_req_id, id) == 1);

    client_check(sk_cmp_poll_req_t_push(msg->body->value.poll_req, poll) > 0);
}


void
client_general_info(cmp_pki_message_t *msg, const cmp_oid_t *oid,
    ASN1_TYPE *value)
{
    cmp_pki_header_t  *header = msg->header;

    if (header->general_info == NULL) {
        header->general_info = sk_cmp_info_type_and_value_t_new_null();
        client_check(header->general_info != NULL);
    }

    client_check(sk_cmp_info_type_and_value_t_push(header->general_info,
                                                   client_info(oid, value))
                 > 0);
}


ASN1_TYPE *
client_null(void)
{
    ASN1_TYPE  *value;

    value = ASN1_TYPE_new();
    client_check(value != NULL);
    ASN1_TYPE_set(value, V_ASN1_NULL, NULL);

    return value;
}


ASN1_TYPE *
client_value(int tag, const char *text)
{
    ASN1_TYPE    *value;
    ASN1_STRING  *string;

    value = ASN1_TYPE_new();
    string = ASN1_STRING_type_new(tag);
    client_check(value != NULL && string != NULL);
    client_check(ASN1_STRING_set(string, text, -1) == 1);

    ASN1_TYPE_set(value, tag, string);

    return value;
}


ASN1_TYPE *
client_profile(const char *name)
{
    int                   len;
    ASN1_TYPE            *value;
    ASN1_STRING          *string;
    unsigned char        *der;
    ASN1_UTF8STRING      *text;
    cmp_pki_free_text_t  *list;

    list = sk_ASN1_UTF8STRING_new_null();
    text = ASN1_UTF8STRING_new();
    client_check(list != NULL && text != NULL);
    client_check(ASN1_STRING_set(text, name, -1) == 1);
    client_check(sk_ASN1_UTF8STRING_push(list, text) > 0);

    len = cmp_asn1_encode(cmp_pki_free_text_t, list, &der);
    client_check(len > 0);
    cmp_asn1_free(cmp_pki_free_text_t, list);

    value = ASN1_TYPE_new();
    string = ASN1_STRING_new();
    client_check(value != NULL && string != NULL);
    ASN1_STRING_set0(string, der, len);

    ASN1_TYPE_set(value, V_ASN1_SEQUENCE, string);

    return value;
}


void
client_add_extension(STACK_OF(X509_EXTENSION) **exts, X509_EXTENSION *ext)
{
    if (*exts == NULL) {
        *exts = sk_X509_EXTENSION_new_null();
        client_check(*exts != NULL);
    }

    client_check(sk_X509_EXTENSION_push(*exts, ext) > 0);
}
