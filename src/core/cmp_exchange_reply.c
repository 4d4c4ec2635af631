
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The answer: header, protection, encoding, and what the store is told of it
 * (RFC 9810, 5.1; protocol decisions for answers).
 */


#include <cmp_exchange_local.h>


static int cmp_reply_encode(cmp_exchange_t *ex, const cmp_str_t *part);
static int cmp_reply_header(cmp_exchange_t *ex, int signature);
static int cmp_reply_names(cmp_exchange_t *ex, int signature);
static int cmp_reply_times(cmp_exchange_t *ex);
static int cmp_reply_add_info(cmp_exchange_t *ex, const cmp_oid_t *oid,
    int type, void *value);
static int cmp_reply_extra_certs(cmp_exchange_t *ex, int signature);
static int cmp_reply_response_chain(cmp_exchange_t *ex);
static int cmp_reply_push_chain(cmp_exchange_t *ex,
    const STACK_OF(X509) *chain);
static int cmp_reply_issues(const cmp_exchange_t *ex);
static X509 *cmp_reply_certificate(const cmp_exchange_t *ex);


int
cmp_reply_create(cmp_exchange_t *ex)
{
    ex->answer = cmp_asn1_new(cmp_pki_message_t);

    if (ex->answer == NULL
        || cmp_asn1_pool_item(ex->work, ASN1_ITEM_rptr(cmp_pki_message_t),
                              ex->answer)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


int
cmp_reply_error(cmp_exchange_t *ex, const cmp_refusal_t *refusal)
{
    char                     *text;
    cmp_pki_body_t           *body;
    cmp_error_msg_content_t  *error;

    text = cmp_refusal_text(refusal, ex->work);
    if (text == NULL) {
        return CMP_ERROR;
    }

    /* a body that was begun is dropped with its message */

    if (ex->answer->body->type != -1 && cmp_reply_create(ex) != CMP_OK) {
        return CMP_ERROR;
    }

    error = cmp_asn1_new(cmp_error_msg_content_t);
    if (error == NULL) {
        return CMP_ERROR;
    }

    body = ex->answer->body;
    body->type = CMP_BODY_ERROR;
    body->value.error = error;

    cmp_asn1_free(cmp_pki_status_info_t, error->pki_status_info);

    error->pki_status_info = cmp_status_info(CMP_STATUS_REJECTION, text,
                                             cmp_refusal_fail_info(refusal));

    return error->pki_status_info != NULL ? CMP_OK : CMP_ERROR;
}


/*
 * A MAC that verified is answered by a MAC, everything else is signed.  Before
 * authentication there is a budget of signatures: beyond it, the answer is not
 * protected.
 */

int
cmp_reply_finish(cmp_exchange_t *ex)
{
    int               rc, mac, sign;
    cmp_str_t         part;
    const cmp_str_t  *secret;

    mac = (ex->protect.kind == CMP_PROTECTION_MAC && ex->credential != NULL);

    if (mac
        && ex->ca->error_signature
        && ex->answer->body->type == CMP_BODY_ERROR)
    {
        mac = 0;
    }

    sign = (mac == 0);

    if (ex->info.authenticated == 0
        && ex->answer->body->type != CMP_BODY_GENP)
    {
        sign = (ex->conf->sign_refusals && ex->msg.header != NULL);
        ex->info.signed_refusal = (sign != 0);
    }

    if (cmp_reply_header(ex, sign) != CMP_OK
        || cmp_reply_extra_certs(ex, sign) != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (mac) {
        secret = &ex->credential->secret;

        rc = cmp_protect_mac(&ex->protect, ex->strict, secret,
                             ex->conf->random, ex->conf->random_data,
                             ex->answer, ex->work, &part);

    } else if (sign) {
        rc = cmp_protect_sign(ex->ca, ex->answer, ex->work, &part);

    } else {
        rc = cmp_protect_part(ex->answer, ex->work, &part);
    }

    return (rc == CMP_OK) ? cmp_reply_encode(ex, &part) : CMP_ERROR;
}


/* with the octets that were protected, a SEQUENCE of header and body */

static int
cmp_reply_encode(cmp_exchange_t *ex, const cmp_str_t *part)
{
    int                     rc, tag, class;
    long                    len;
    cmp_str_t               content;
    const unsigned char    *p;
    cmp_encoded_message_t   message;

    p = part->data;

    if (ASN1_get_object(&p, &len, &tag, &class, (long) part->len) & 0x80) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    content.data = (unsigned char *) p;
    content.len = (size_t) len;

    message.protection = ex->answer->protection;
    message.extra_certs = ex->answer->extra_certs;
    message.header_and_body = cmp_asn1_encoded(&content);

    if (message.header_and_body == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_encode(ex->work, ASN1_ITEM_rptr(cmp_encoded_message_t), &message,
                    &ex->reply);

    ASN1_TYPE_free(message.header_and_body);

    return rc;
}


static X509 *
cmp_reply_certificate(const cmp_exchange_t *ex)
{
    return ex->ca->response_certificate != NULL
           ? ex->ca->response_certificate : ex->ca->current.certificate;
}


static int
cmp_reply_header(cmp_exchange_t *ex, int sign)
{
    long               pvno;
    cmp_str_t          kid;
    cmp_pki_header_t  *header, *request;

    header = ex->answer->header;
    request = ex->msg.header;

    pvno = ex->msg.pvno;

    if (pvno < CMP_PVNO_2000) {
        pvno = CMP_PVNO_2000;

    } else if (pvno > CMP_PVNO_2021) {
        pvno = CMP_PVNO_2021;
    }

    if (ASN1_INTEGER_set(header->pvno, pvno) != 1
        || cmp_reply_names(ex, sign) != CMP_OK
        || cmp_reply_times(ex) != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (sign) {
        kid = cmp_octets(X509_get0_subject_key_id(cmp_reply_certificate(ex)));

    } else {
        kid = cmp_octets(request != NULL ? request->sender_kid : NULL);
    }

    if (kid.len != 0
        && (ex->info.authenticated || sign)
        && cmp_set_octets(&header->sender_kid, kid.data, kid.len) != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (ex->transaction_id.len != 0
        && ex->transaction_id.len <= CMP_MAX_TRANSACTION_ID
        && cmp_set_octets(&header->transaction_id, ex->transaction_id.data,
                          ex->transaction_id.len)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (ex->conf->random(ex->conf->random_data, ex->nonce, CMP_NONCE_LEN)
        != CMP_OK
        || cmp_set_octets(&header->sender_nonce, ex->nonce, CMP_NONCE_LEN)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (request != NULL
        && request->sender_nonce != NULL
        && ASN1_STRING_length(request->sender_nonce) <= CMP_MAX_NONCE)
    {
        header->recip_nonce = ASN1_OCTET_STRING_dup(request->sender_nonce);

        if (header->recip_nonce == NULL) {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static int
cmp_reply_names(cmp_exchange_t *ex, int sign)
{
    X509              *cert;
    X509_NAME         *none;
    cmp_pki_header_t  *header;

    header = ex->answer->header;

    /* a client pins the issuing CA when it has a secret only */

    cert = sign ? cmp_reply_certificate(ex) : ex->ca->current.certificate;

    GENERAL_NAME_free(header->sender);
    header->sender = cmp_directory_name(X509_get_subject_name(cert));

    GENERAL_NAME_free(header->recipient);

    if (ex->msg.header != NULL) {
        header->recipient = GENERAL_NAME_dup(ex->msg.header->sender);

    } else {
        none = X509_NAME_new();
        header->recipient = (none != NULL) ? cmp_directory_name(none) : NULL;
        X509_NAME_free(none);
    }

    return (header->sender == NULL || header->recipient == NULL)
           ? CMP_ERROR : CMP_OK;
}


static int
cmp_reply_times(cmp_exchange_t *ex)
{
    time_t                 now, until;
    ASN1_GENERALIZEDTIME  *time;

    now = (time_t) (ex->conf->now / 1000);

    ex->answer->header->message_time = ASN1_GENERALIZEDTIME_set(NULL, now);

    if (ex->answer->header->message_time == NULL) {
        return CMP_ERROR;
    }

    if (ex->implicit_granted) {

        /* the value is NULL, for which ASN1_TYPE has no object */

        return cmp_reply_add_info(ex, &cmp_oid_it_implicit_confirm,
                                  V_ASN1_NULL, NULL);
    }

    if (ex->confirm_wait) {
        until = now + (time_t) (ex->ca->confirm_timeout / 1000);

        time = ASN1_GENERALIZEDTIME_set(NULL, until);
        if (time == NULL) {
            return CMP_ERROR;
        }

        return cmp_reply_add_info(ex, &cmp_oid_it_confirm_wait_time,
                                  V_ASN1_GENERALIZEDTIME, time);
    }

    return CMP_OK;
}


/* takes the value over */

static int
cmp_reply_add_info(cmp_exchange_t *ex, const cmp_oid_t *oid, int type,
    void *value)
{
    cmp_pki_header_t           *header;
    cmp_info_type_and_value_t  *info;

    header = ex->answer->header;
    info = cmp_asn1_new(cmp_info_type_and_value_t);

    if (info == NULL) {
        ASN1_STRING_free(value);
        return CMP_ERROR;
    }

    info->info_value = ASN1_TYPE_new();

    if (info->info_value == NULL) {
        ASN1_STRING_free(value);
        cmp_asn1_free(cmp_info_type_and_value_t, info);
        return CMP_ERROR;
    }

    ASN1_TYPE_set(info->info_value, type, value);
    info->info_type = cmp_oid_object(oid);

    if (header->general_info == NULL) {
        header->general_info = sk_cmp_info_type_and_value_t_new_null();
    }

    if (info->info_type == NULL
        || header->general_info == NULL
        || sk_cmp_info_type_and_value_t_push(header->general_info, info) <= 0)
    {
        cmp_asn1_free(cmp_info_type_and_value_t, info);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* does the answer carry a new certificate */

static int
cmp_reply_issues(const cmp_exchange_t *ex)
{
    size_t  i;

    switch (ex->answer->body->type) {

    case CMP_BODY_IP:
    case CMP_BODY_CP:
    case CMP_BODY_KUP:
        break;

    default:
        return 0;
    }

    for (i = 0; i < ex->nrequests; i++) {

        if (ex->requests[i].issue.cert != NULL
            && ex->requests[i].status != CMP_STATUS_REJECTION
            && ex->requests[i].status != CMP_STATUS_WAITING)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * The protecting certificate and its chain; with a new certificate its chain
 * too, so that the client can validate it at once.
 */

static int
cmp_reply_extra_certs(cmp_exchange_t *ex, int sign)
{
    STACK_OF(X509)  **certs;

    certs = &ex->answer->extra_certs;

    if (sign) {

        if (cmp_push_certificate(certs, cmp_reply_certificate(ex)) != CMP_OK) {
            return CMP_ERROR;
        }

        if (ex->ca->response_certificate != NULL
            && cmp_reply_response_chain(ex) != CMP_OK)
        {
            return CMP_ERROR;
        }

        if (cmp_reply_push_chain(ex, ex->ca->chain) != CMP_OK) {
            return CMP_ERROR;
        }
    }

    if (cmp_reply_issues(ex)) {

        if (cmp_push_certificate(certs, ex->ca->current.certificate) != CMP_OK
            || cmp_reply_push_chain(ex, ex->ca->chain) != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/*
 * What is between the response certificate and the issuers of this CA.  The
 * file of the response certificate need not have it.
 */

static int
cmp_reply_response_chain(cmp_exchange_t *ex)
{
    X509                  *last;
    const STACK_OF(X509)  *chain;

    chain = ex->ca->response_chain;
    last = ex->ca->response_certificate;

    if (sk_X509_num(chain) > 0) {

        if (cmp_reply_push_chain(ex, chain) != CMP_OK) {
            return CMP_ERROR;
        }

        last = sk_X509_value(chain, sk_X509_num(chain) - 1);
    }

    if (X509_check_issued(ex->ca->current.certificate, last) != X509_V_OK) {
        return CMP_OK;
    }

    return cmp_push_certificate(&ex->answer->extra_certs,
                                ex->ca->current.certificate);
}


static int
cmp_reply_push_chain(cmp_exchange_t *ex, const STACK_OF(X509) *chain)
{
    int    i;
    X509  *cert;

    for (i = 0; i < sk_X509_num(chain); i++) {
        cert = sk_X509_value(chain, i);

        if (cert == ex->ca->root && ex->ca->no_root) {
            continue;
        }

        if (cmp_push_certificate(&ex->answer->extra_certs, cert) != CMP_OK) {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


int
cmp_push_certificate(STACK_OF(X509) **certs, X509 *cert)
{
    int  i;

    if (*certs == NULL) {
        *certs = sk_X509_new_null();

        if (*certs == NULL) {
            return CMP_ERROR;
        }
    }

    for (i = 0; i < sk_X509_num(*certs); i++) {

        if (X509_cmp(sk_X509_value(*certs, i), cert) == 0) {
            return CMP_OK;
        }
    }

    if (X509_up_ref(cert) != 1) {
        return CMP_ERROR;
    }

    if (sk_X509_push(*certs, cert) <= 0) {
        X509_free(cert);
        return CMP_ERROR;
    }

    return CMP_OK;
}


int
cmp_set_integer(ASN1_INTEGER **integer, long value)
{
    if (*integer == NULL) {
        *integer = ASN1_INTEGER_new();
    }

    return (*integer != NULL && ASN1_INTEGER_set(*integer, value) == 1)
           ? CMP_OK : CMP_ERROR;
}


int
cmp_set_octets(ASN1_OCTET_STRING **string, const void *data, size_t len)
{
    if (*string == NULL) {
        *string = ASN1_OCTET_STRING_new();
    }

    return (*string != NULL
            && ASN1_OCTET_STRING_set(*string, data, (int) len) == 1)
           ? CMP_OK : CMP_ERROR;
}


GENERAL_NAME *
cmp_directory_name(const X509_NAME *name)
{
    X509_NAME     *copy;
    GENERAL_NAME  *general;

    copy = X509_NAME_dup(name);
    general = GENERAL_NAME_new();

    if (copy == NULL || general == NULL) {
        X509_NAME_free(copy);
        GENERAL_NAME_free(general);
        return NULL;
    }

    GENERAL_NAME_set0_value(general, GEN_DIRNAME, copy);

    return general;
}


int
cmp_write_audit(cmp_exchange_t *ex, int status, int fail_info,
    const cmp_str_t *serial, const char *text)
{
    cmp_write_audit_t  *audit;

    if (ex->writes.naudits == ex->max_audits) {
        return CMP_ERROR;
    }

    audit = &ex->writes.audits[ex->writes.naudits++];

    audit->action.data = (unsigned char *) ex->info.operation;
    audit->action.len = strlen(ex->info.operation);
    audit->status = status;
    audit->fail_info = fail_info;
    audit->serial = *serial;

    return cmp_pstrdup(ex->work, &audit->text, text, strlen(text));
}


/*
 * One change for a serial: a stronger one takes the place of an earlier one,
 * so that a certificate that revokes itself is not marked as used first.
 */

int
cmp_write_change(cmp_exchange_t *ex, const cmp_certificate_t *cert,
    cmp_change_e action, int reason, cmp_by_e by, int64_t invalidity)
{
    size_t               i;
    cmp_write_change_t  *change;

    for (i = 0; i < ex->writes.nchanges; i++) {

        if (cmp_str_equal(&ex->writes.changes[i].serial, &cert->serial)) {
            break;
        }
    }

    if (i == ex->writes.nchanges) {

        if (i == ex->max_changes) {
            return CMP_ERROR;
        }

        ex->writes.nchanges++;
    }

    change = &ex->writes.changes[i];

    change->serial = cert->serial;
    change->version = cert->version;
    change->action = action;
    change->reason = reason;
    change->by = by;
    change->invalidity = invalidity;

    return CMP_OK;
}


cmp_by_e
cmp_exchange_by(const cmp_exchange_t *ex)
{
    if (ex->credential != NULL) {
        return CMP_BY_CREDENTIAL;
    }

    return ex->signer.kind == CMP_SIGNER_RA ? CMP_BY_RA : CMP_BY_ITSELF;
}
