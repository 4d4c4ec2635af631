
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * ir, cr, kur and p10cr (RFC 9810, 5.3.1 to 5.3.6).
 */


#include <cmp_exchange_local.h>


static void cmp_enroll_itself(cmp_exchange_t *ex);
static int cmp_enroll_may(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_enroll_ids(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static void cmp_enroll_confirmation(cmp_exchange_t *ex, size_t granted);
static void cmp_enroll_versions(cmp_exchange_t *ex);
static int cmp_enroll_body(cmp_exchange_t *ex);
static int cmp_enroll_response(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_cert_rep_message_t *rep);
static int cmp_enroll_certificate(cmp_cert_response_t *response,
    const cmp_str_t *der);


int
cmp_exchange_enroll(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int  rc;

    cmp_enroll_itself(ex);

    rc = cmp_enroll_may(ex, refusal);

    if (rc == CMP_OK) {
        rc = cmp_enroll_ids(ex, refusal);
    }

    if (rc == CMP_OK) {
        rc = cmp_exchange_select_profiles(ex, refusal);
    }

    return rc == CMP_OK ? cmp_exchange_enroll_requests(ex, refusal) : rc;
}


int
cmp_exchange_enroll_requests(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int             rc;
    size_t          i, granted, waiting;
    cmp_request_t  *req;

    granted = 0;
    waiting = 0;

    for (i = 0; i < ex->nrequests; i++) {

        req = &ex->requests[i];
        rc = cmp_request_decide(ex, req);

        if (rc == CMP_DECLINED) {
            *refusal = req->refusal;
        }

        if (rc != CMP_OK) {
            return rc;
        }

        if (req->token != NULL) {
            ex->writes.token_uses[ex->writes.ntoken_uses++] = req->token->id;
        }

        if (req->status == CMP_STATUS_WAITING) {
            waiting++;

        } else if (req->status != CMP_STATUS_REJECTION) {
            granted++;
        }
    }

    cmp_enroll_confirmation(ex, granted);
    cmp_enroll_versions(ex);

    /* what waits has used the credential already when it is delivered */

    if (granted + waiting != 0
        && ex->credential != NULL
        && ex->polled == 0)
    {
        ex->writes.credential_use = ex->credential->id;
    }

    return cmp_enroll_body(ex);
}


/*
 * An RA with a certificate of this CA updates that like everybody else: by
 * the profile that it was made with, which its limits need not name.
 */

static void
cmp_enroll_itself(cmp_exchange_t *ex)
{
    size_t     i;
    cmp_str_t  serial;

    if (ex->msg.type != CMP_BODY_KUR
        || ex->signer.kind != CMP_SIGNER_RA
        || ex->signer.record == NULL)
    {
        return;
    }

    for (i = 0; i < ex->nrequests; i++) {

        if (ex->requests[i].old_cert_id == NULL) {
            continue;
        }

        serial = cmp_serial_octets(ex->requests[i].old_cert_id->serial_number);

        if (!cmp_str_equal(&serial, &ex->signer.record->serial)) {
            return;
        }
    }

    ex->signer.kind = CMP_SIGNER_OWN;
    ex->signer.scope = NULL;
}


/* may this requester send this body at all */

static int
cmp_enroll_may(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    if (ex->signer.kind != CMP_SIGNER_VENDOR) {
        return CMP_OK;
    }

    switch (ex->msg.type) {

    case CMP_BODY_IR:
        return CMP_OK;

    case CMP_BODY_CR:
    case CMP_BODY_P10CR:
        if (ex->signer.scope != NULL && ex->signer.scope->cr) {
            return CMP_OK;
        }

        return cmp_refuse(refusal, CMP_REFUSE_NOT_AUTHORIZED,
                          "with this certificate, send an ir");

    default:
        return cmp_refuse(refusal, CMP_REFUSE_NOT_AUTHORIZED,
                          "a key update is signed with the certificate to be "
                          "updated");
    }
}


static int
cmp_enroll_ids(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    size_t  i, j;

    for (i = 0; i < ex->nrequests; i++) {

        for (j = 0; j < i; j++) {

            if (ex->requests[i].id == ex->requests[j].id) {
                return cmp_refuse(refusal, CMP_REFUSE_CERT_REQ_ID_TWICE,
                                  NULL);
            }
        }
    }

    return CMP_OK;
}


static void
cmp_enroll_confirmation(cmp_exchange_t *ex, size_t granted)
{
    size_t  i;

    if (granted == 0) {
        return;
    }

    ex->implicit_granted = ex->implicit_asked;

    for (i = 0; i < ex->nrequests; i++) {

        if (ex->requests[i].status != CMP_STATUS_REJECTION
            && ex->requests[i].status != CMP_STATUS_WAITING
            && ex->requests[i].profile->implicit_confirm == 0)
        {
            ex->implicit_granted = 0;
        }
    }

    ex->confirm_wait = (ex->implicit_granted == 0);

    for (i = 0; i < ex->writes.ncerts; i++) {
        ex->writes.certs[i].state = ex->implicit_granted
                                    ? CMP_CERT_VALID : CMP_CERT_UNCONFIRMED;
    }
}


/*
 * Changes are made before the new certificates are stored, and each makes the
 * version of its row grow.
 */

static void
cmp_enroll_versions(cmp_exchange_t *ex)
{
    size_t             i, j;
    cmp_write_cert_t  *cert;

    for (i = 0; i < ex->writes.ncerts; i++) {

        cert = &ex->writes.certs[i];

        for (j = 0; j < ex->writes.nchanges; j++) {

            if (cmp_str_equal(&ex->writes.changes[j].serial,
                              &cert->predecessor))
            {
                cert->predecessor_version++;
            }
        }
    }
}


static int
cmp_enroll_body(cmp_exchange_t *ex)
{
    size_t                   i;
    cmp_pki_body_t          *body;
    cmp_cert_rep_message_t  *rep;

    rep = cmp_asn1_new(cmp_cert_rep_message_t);
    if (rep == NULL) {
        return CMP_ERROR;
    }

    body = ex->answer->body;
    body->value.ip = rep;

    switch (ex->msg.type) {

    case CMP_BODY_IR:
        body->type = CMP_BODY_IP;
        break;

    case CMP_BODY_KUR:
        body->type = CMP_BODY_KUP;
        break;

    default:
        body->type = CMP_BODY_CP;
        break;
    }

    for (i = 0; i < ex->nrequests; i++) {

        if (cmp_enroll_response(ex, &ex->requests[i], rep) != CMP_OK) {
            return CMP_ERROR;
        }
    }

    /* a root is handed out only to who has been authenticated by a secret */

    if (body->type == CMP_BODY_IP
        && ex->writes.ncerts != 0
        && ex->ca->root != NULL
        && (ex->credential != NULL || ex->ca->ca_pubs_always))
    {
        return cmp_push_certificate(&rep->ca_pubs, ex->ca->root);
    }

    return CMP_OK;
}


static int
cmp_enroll_response(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_cert_rep_message_t *rep)
{
    int                   fail_info;
    const char           *text;
    cmp_str_t             serial;
    cmp_cert_response_t  *response;

    fail_info = -1;
    text = NULL;
    serial = req->issue.serial;

    if (req->status == CMP_STATUS_REJECTION) {

        fail_info = cmp_refusal_fail_info(&req->refusal);
        text = cmp_refusal_text(&req->refusal, ex->work);

        if (text == NULL) {
            return CMP_ERROR;
        }

        serial.len = 0;

    } else if (req->status == CMP_STATUS_WAITING) {
        text = CMP_WAIT_TEXT;

    } else if (req->issue.modified) {
        text = req->issue.mods;
    }

    response = cmp_asn1_new(cmp_cert_response_t);
    if (response == NULL) {
        return CMP_ERROR;
    }

    if (sk_cmp_cert_response_t_push(rep->response, response) <= 0) {
        cmp_asn1_free(cmp_cert_response_t, response);
        return CMP_ERROR;
    }

    cmp_asn1_free(cmp_pki_status_info_t, response->status);

    response->status = cmp_status_info(req->status, text, fail_info);

    if (response->status == NULL
        || cmp_set_integer(&response->cert_req_id, req->id) != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (req->status != CMP_STATUS_REJECTION
        && req->status != CMP_STATUS_WAITING
        && cmp_enroll_certificate(response, &req->issue.der) != CMP_OK)
    {
        return CMP_ERROR;
    }

    /* the variables show the first refusal, if any, else the first grant */

    if (ex->info.status == -1
        || (ex->info.status != CMP_STATUS_REJECTION
            && req->status == CMP_STATUS_REJECTION))
    {
        ex->info.status = req->status;
        ex->info.fail_info = fail_info;
        ex->info.text = (fail_info != -1) ? text : NULL;

        if (req->refusal.log[0] != '\0') {
            ex->info.log = req->refusal.log;
        }
    }

    if (cmp_wait_answered(ex, req->id, req->status, &serial) != CMP_OK) {
        return CMP_ERROR;
    }

    if (text == NULL) {
        text = "";
    }

    if (req->token != NULL) {
        text = cmp_psprintf(ex->work, "regToken %.*s%s%s",
                            (int) req->token->reference.len,
                            (char *) req->token->reference.data,
                            text[0] != '\0' ? ": " : "", text);
        if (text == NULL) {
            return CMP_ERROR;
        }
    }

    return cmp_write_audit(ex, req->status, fail_info, &serial, text);
}


static int
cmp_enroll_certificate(cmp_cert_response_t *response, const cmp_str_t *der)
{
    cmp_certified_key_pair_t  *pair;
    cmp_cert_or_enc_cert_t    *choice;

    pair = cmp_asn1_new(cmp_certified_key_pair_t);
    if (pair == NULL) {
        return CMP_ERROR;
    }

    response->certified_key_pair = pair;
    choice = pair->cert_or_enc_cert;

    choice->value.der = cmp_asn1_encoded(der);

    if (choice->value.der == NULL) {
        return CMP_ERROR;
    }

    choice->type = CMP_CERT_OR_ENC_CERT_DER;

    return CMP_OK;
}
