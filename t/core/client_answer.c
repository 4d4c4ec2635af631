
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Reading and checking of answers.
 */


#include <client.h>
#include <client_local.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>


static cmp_cert_rep_message_t *client_cert_rep(const client_answer_t *answer);
static void client_text(const cmp_pki_status_info_t *info, char *text,
    size_t size);
static unsigned char *client_protected_part(const client_answer_t *answer,
    size_t *len);
static int client_same_octets(const ASN1_OCTET_STRING *s, const void *data,
    size_t len);
static int client_verify_mac(client_t *client, const client_answer_t *answer,
    char *err, size_t size);
static int client_verify_signature(client_t *client,
    const client_answer_t *answer, char *err, size_t size);
static int client_verify_path(client_t *client, const client_answer_t *answer,
    X509 *cert);


client_answer_t *
client_answer(const unsigned char *der, size_t len)
{
    client_answer_t        *answer;
    cmp_pki_status_info_t  *info;

    answer = calloc(1, sizeof(client_answer_t));
    client_check(answer != NULL);

    answer->der = malloc(len + 1);
    client_check(answer->der != NULL);
    memcpy(answer->der, der, len);
    answer->len = len;

    answer->msg = cmp_asn1_decode(cmp_pki_message_t, der, len);
    if (answer->msg == NULL) {
        client_answer_free(answer);
        return NULL;
    }

    answer->type = answer->msg->body->type;
    answer->status = -1;
    answer->fail_info = -1;

    while (client_status(answer, answer->nstatus) != NULL) {
        answer->nstatus++;
    }

    info = client_status(answer, 0);

    if (info != NULL) {
        answer->status = (int) ASN1_INTEGER_get(info->status);
        answer->fail_info = client_fail_info(info);
        client_text(info, answer->text, sizeof(answer->text));
    }

    answer->cert = client_certificate(answer, 0);

    return answer;
}


void
client_answer_free(client_answer_t *answer)
{
    if (answer == NULL) {
        return;
    }

    cmp_asn1_free(cmp_pki_message_t, answer->msg);
    free(answer->der);
    free(answer);
}


static cmp_cert_rep_message_t *
client_cert_rep(const client_answer_t *answer)
{
    switch (answer->type) {

    case CMP_BODY_IP:
    case CMP_BODY_CP:
    case CMP_BODY_KUP:
    case CMP_BODY_CCP:
        return answer->msg->body->value.ip;

    default:
        return NULL;
    }
}


cmp_pki_status_info_t *
client_status(const client_answer_t *answer, int n)
{
    cmp_pki_body_t          *body;
    cmp_cert_rep_message_t  *rep;

    body = answer->msg->body;
    rep = client_cert_rep(answer);

    if (rep != NULL) {
        return (n < sk_cmp_cert_response_t_num(rep->response))
                   ? sk_cmp_cert_response_t_value(rep->response, n)->status
                   : NULL;
    }

    switch (body->type) {

    case CMP_BODY_RP:
        return (n < sk_cmp_pki_status_info_t_num(body->value.rp->status))
                ? sk_cmp_pki_status_info_t_value(body->value.rp->status, n)
                : NULL;

    case CMP_BODY_ERROR:
        return (n == 0) ? body->value.error->pki_status_info : NULL;

    default:
        return NULL;
    }
}


X509 *
client_certificate(const client_answer_t *answer, int n)
{
    cmp_cert_response_t     *response;
    cmp_cert_or_enc_cert_t  *choice;
    cmp_cert_rep_message_t  *rep;

    rep = client_cert_rep(answer);

    if (rep == NULL || n >= sk_cmp_cert_response_t_num(rep->response)) {
        return NULL;
    }

    response = sk_cmp_cert_response_t_value(rep->response, n);

    if (response->certified_key_pair == NULL) {
        return NULL;
    }

    choice = response->certified_key_pair->cert_or_enc_cert;

    return (choice->type == CMP_CERT_OR_ENC_CERT_CERTIFICATE)
               ? choice->value.certificate : NULL;
}


int
client_fail_info(const cmp_pki_status_info_t *info)
{
    int  i, bit;

    if (info->fail_info == NULL) {
        return -1;
    }

    bit = -1;

    for (i = 0; i < info->fail_info->length * 8; i++) {
        if (ASN1_BIT_STRING_get_bit(info->fail_info, i) == 0) {
            continue;
        }

        if (bit != -1) {
            return -2;
        }

        bit = i;
    }

    return (bit == -1) ? -2 : bit;
}


static void
client_text(const cmp_pki_status_info_t *info, char *text, size_t size)
{
    int                     i;
    size_t                  n;
    const ASN1_UTF8STRING  *line;

    text[0] = '\0';
    n = 0;

    for (i = 0; i < sk_ASN1_UTF8STRING_num(info->status_string); i++) {
        line = sk_ASN1_UTF8STRING_value(info->status_string, i);

        if (n + line->length + 2 > size) {
            break;
        }

        memcpy(text + n, line->data, line->length);
        n += line->length;
        text[n] = '\0';
    }
}


/* header and body as received, behind an identifier and length of our own */

static unsigned char *
client_protected_part(const client_answer_t *answer, size_t *len)
{
    int                   tag, class;
    long                  n;
    unsigned char        *part, *p;
    const unsigned char  *start, *q, *end;

    q = answer->der;
    end = q + answer->len;

    if ((ASN1_get_object(&q, &n, &tag, &class, answer->len) & 0x80) != 0) {
        return NULL;
    }

    start = q;

    if ((ASN1_get_object(&q, &n, &tag, &class, end - q) & 0x80) != 0) {
        return NULL;
    }

    q += n;

    if ((ASN1_get_object(&q, &n, &tag, &class, end - q) & 0x80) != 0) {
        return NULL;
    }

    q += n;

    *len = ASN1_object_size(1, q - start, V_ASN1_SEQUENCE);
    part = malloc(*len);
    client_check(part != NULL);

    p = part;
    ASN1_put_object(&p, 1, q - start, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(p, start, q - start);

    return part;
}


static int
client_same_octets(const ASN1_OCTET_STRING *s, const void *data, size_t len)
{
    return s != NULL
           && (size_t) s->length == len
           && memcmp(s->data, data, len) == 0;
}


int
client_verify(client_t *client, const client_answer_t *answer, char *err,
    size_t size)
{
    cmp_pki_header_t  *header;

    header = answer->msg->header;

    if (header->protection_alg == NULL || answer->msg->protection == NULL) {
        snprintf(err, size, "the answer is not protected");
        return 0;
    }

    switch (OBJ_obj2nid(header->protection_alg->algorithm)) {

    case NID_id_PasswordBasedMAC:
    case NID_pbmac1:
        return client_verify_mac(client, answer, err, size);

    default:
        return client_verify_signature(client, answer, err, size);
    }
}


static int
client_verify_mac(client_t *client, const client_answer_t *answer, char *err,
    size_t size)
{
    int                     n, ok;
    size_t                  len;
    unsigned char          *part, mac[EVP_MAX_MD_SIZE];
    const cmp_pki_header_t  *header;

    header = answer->msg->header;

    part = client_protected_part(answer, &len);
    if (part == NULL || client->secret == NULL) {
        free(part);
        snprintf(err, size, "no secret");
        return 0;
    }

    n = client_mac(header->protection_alg, client->secret, part, len, mac);
    ok = client_same_octets(answer->msg->protection, mac, n);
    free(part);

    if (n == 0 || ok == 0) {
        snprintf(err, size, "the MAC is wrong");
        return 0;
    }

    if (client->reference != NULL
        && !client->no_kid
        && !client_same_octets(header->sender_kid, client->reference,
                               strlen(client->reference)))
    {
        snprintf(err, size, "senderKID is not the reference");
        return 0;
    }

    return 1;
}


static int
client_verify_signature(client_t *client, const client_answer_t *answer,
    char *err, size_t size)
{
    int                      n, rc;
    X509                    *cert;
    size_t                   len;
    unsigned char           *part, *der;
    cmp_protected_part_t     value;
    const cmp_pki_header_t  *header;
    const ASN1_OCTET_STRING  *kid;

    header = answer->msg->header;
    cert = sk_X509_value(answer->msg->extra_certs, 0);

    if (cert == NULL) {
        snprintf(err, size, "no certificate in extraCerts");
        return 0;
    }

    if (header->sender->type != GEN_DIRNAME
        || X509_NAME_cmp(header->sender->d.directoryName,
                         X509_get_subject_name(cert))
           != 0)
    {
        snprintf(err, size, "sender is not the subject of the certificate");
        return 0;
    }

    kid = X509_get0_subject_key_id(cert);

    if (kid == NULL
        || !client_same_octets(header->sender_kid, kid->data, kid->length))
    {
        snprintf(err, size, "senderKID is not the SKI of the certificate");
        return 0;
    }

    if (!client_verify_path(client, answer, cert)) {
        snprintf(err, size, "the certificate is not trusted");
        return 0;
    }

    /* the answer has to be DER, so that these are the octets received */

    value.header = answer->msg->header;
    value.body = answer->msg->body;

    n = cmp_asn1_encode(cmp_protected_part_t, &value, &der);
    part = client_protected_part(answer, &len);

    rc = n > 0
         && part != NULL
         && (size_t) n == len
         && memcmp(der, part, len) == 0
         && ASN1_item_verify(ASN1_ITEM_rptr(cmp_protected_part_t),
                             header->protection_alg, answer->msg->protection,
                             &value, X509_get0_pubkey(cert))
            == 1;

    OPENSSL_free(der);
    free(part);

    if (rc == 0) {
        ERR_clear_error();
        snprintf(err, size, "the signature is wrong");
        return 0;
    }

    return 1;
}


static int
client_verify_path(client_t *client, const client_answer_t *answer, X509 *cert)
{
    int              rc;
    X509_STORE      *store;
    X509_STORE_CTX  *ctx;

    if (client->root == NULL) {
        return 1;
    }

    store = X509_STORE_new();
    ctx = X509_STORE_CTX_new();
    client_check(store != NULL && ctx != NULL);

    client_check(X509_STORE_add_cert(store, client->root) == 1);
    client_check(X509_STORE_CTX_init(ctx, store, cert,
                                     answer->msg->extra_certs)
                 == 1);

    X509_STORE_CTX_set_time(ctx, 0, client->now / 1000);
    rc = X509_verify_cert(ctx);

    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();

    return rc == 1;
}


void
client_accept(client_t *client, const client_answer_t *answer)
{
    const cmp_pki_header_t  *header;

    header = answer->msg->header;

    if (header->sender_nonce != NULL && header->sender_nonce->length == 16) {
        memcpy(client->recip_nonce, header->sender_nonce->data, 16);
        client->in_transaction = 1;
    }

    if (header->transaction_id != NULL
        && header->transaction_id->length == 16)
    {
        memcpy(client->transaction_id, header->transaction_id->data, 16);
    }
}
