
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * pollReq: what has been decided is done now, by the message that was stored
 * when it began to wait (RFC 9810, 5.3.22; RFC 9483, 4.4).
 */


#include <cmp_exchange_local.h>


static int cmp_poll_asked(cmp_exchange_t *ex, unsigned char *asked,
    cmp_refusal_t *refusal);
static int cmp_poll_mark(cmp_exchange_t *ex, const cmp_poll_req_t *poll,
    unsigned char *asked, cmp_refusal_t *refusal);
static int cmp_poll_whole(const cmp_exchange_t *ex);
static int cmp_poll_later(cmp_exchange_t *ex);
static int cmp_poll_entry(cmp_exchange_t *ex, cmp_poll_rep_content_t *content,
    const cmp_poll_req_t *poll);
static int cmp_poll_message(cmp_exchange_t *ex);
static int cmp_poll_answer(cmp_exchange_t *ex, const unsigned char *asked,
    cmp_refusal_t *refusal);
static int cmp_poll_certificates(cmp_exchange_t *ex,
    const unsigned char *asked, cmp_refusal_t *refusal);
static int cmp_poll_other(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_poll_close(cmp_exchange_t *ex, int status);


int
cmp_exchange_poll(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                   rc;
    size_t                i, n, decided;
    unsigned char        *asked;
    const cmp_waiting_t  *waiting;

    n = ex->records->nwaiting;

    if (n == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_UNKNOWN_TRANSACTION, NULL);
    }

    asked = cmp_pcalloc(ex->work, n);
    if (asked == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_poll_asked(ex, asked, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    decided = 0;

    for (i = 0; i < n; i++) {

        waiting = &ex->records->waiting[i];

        if (asked[i] && cmp_wait_pending(ex, waiting)) {
            asked[i] = 0;
        }

        decided += asked[i];
    }

    /* of certificates each one is delivered as soon as it can be */

    if (decided == 0 || (cmp_poll_whole(ex) && decided != n)) {
        return cmp_poll_later(ex);
    }

    return cmp_poll_answer(ex, asked, refusal);
}


/* did a whole message wait, not certificates one by one */

static int
cmp_poll_whole(const cmp_exchange_t *ex)
{
    switch (ex->transaction->body) {

    case CMP_BODY_IR:
    case CMP_BODY_CR:
    case CMP_BODY_KUR:
    case CMP_BODY_P10CR:
        return 0;

    default:
        return 1;
    }
}


/* --- what the client asks for --- */

static int
cmp_poll_asked(cmp_exchange_t *ex, unsigned char *asked,
    cmp_refusal_t *refusal)
{
    int                            i, n, rc;
    const cmp_poll_req_content_t  *content;

    content = ex->msg.body->value.poll_req;
    n = sk_cmp_poll_req_t_num(content);

    if (n < 1) {
        return cmp_refuse(refusal, CMP_REFUSE_POLL_ID, "there is none");
    }

    if (n > (ex->strict ? 1 : ex->ca->max_requests)) {
        return cmp_refuse(refusal, CMP_REFUSE_POLL_ID, "there are too many");
    }

    for (i = 0; i < n; i++) {

        rc = cmp_poll_mark(ex, sk_cmp_poll_req_t_value(content, i), asked,
                           refusal);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    return CMP_OK;
}


static int
cmp_poll_mark(cmp_exchange_t *ex, const cmp_poll_req_t *poll,
    unsigned char *asked, cmp_refusal_t *refusal)
{
    size_t   i, found;
    int64_t  id;

    if (ASN1_INTEGER_get_int64(&id, poll->cert_req_id) != 1) {
        cmp_crypto_error(NULL, 0);
        return cmp_refuse(refusal, CMP_REFUSE_POLL_ID, NULL);
    }

    /* some clients say 0 for a p10cr */

    if (id == 0
        && ex->strict == 0
        && ex->transaction->body == CMP_BODY_P10CR)
    {
        id = -1;
    }

    if (cmp_poll_whole(ex) && id != -1) {
        return cmp_refuse(refusal, CMP_REFUSE_POLL_ID,
                          "the whole message waits, its certReqId is -1");
    }

    found = 0;

    for (i = 0; i < ex->records->nwaiting; i++) {

        if (id != -1 && ex->records->waiting[i].cert_req_id != id) {
            continue;
        }

        if (asked[i]) {
            return cmp_refuse(refusal, CMP_REFUSE_POLL_ID, "it is there twice");
        }

        asked[i] = 1;
        found++;
    }

    return found != 0 ? CMP_OK
                      : cmp_refuse(refusal, CMP_REFUSE_POLL_ID, NULL);
}


/* --- nothing was decided --- */

static int
cmp_poll_later(cmp_exchange_t *ex)
{
    int                            i;
    cmp_pki_body_t                *body;
    cmp_poll_rep_content_t        *rep;
    const cmp_poll_req_content_t  *content;

    rep = sk_cmp_poll_rep_t_new_null();
    if (rep == NULL) {
        return CMP_ERROR;
    }

    body = ex->answer->body;
    body->type = CMP_BODY_POLLREP;
    body->value.poll_rep = rep;

    content = ex->msg.body->value.poll_req;

    for (i = 0; i < sk_cmp_poll_req_t_num(content); i++) {

        if (cmp_poll_entry(ex, rep, sk_cmp_poll_req_t_value(content, i))
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    ex->info.status = CMP_STATUS_WAITING;

    return CMP_OK;
}


static int
cmp_poll_entry(cmp_exchange_t *ex, cmp_poll_rep_content_t *content,
    const cmp_poll_req_t *poll)
{
    cmp_poll_rep_t   *entry;
    ASN1_UTF8STRING  *text;

    entry = cmp_asn1_new(cmp_poll_rep_t);
    if (entry == NULL) {
        return CMP_ERROR;
    }

    if (sk_cmp_poll_rep_t_push(content, entry) <= 0) {
        cmp_asn1_free(cmp_poll_rep_t, entry);
        return CMP_ERROR;
    }

    ASN1_INTEGER_free(entry->cert_req_id);
    entry->cert_req_id = ASN1_INTEGER_dup(poll->cert_req_id);

    if (entry->cert_req_id == NULL
        || cmp_set_integer(&entry->check_after,
                           (long) (ex->ca->check_after / 1000))
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    entry->reason = sk_ASN1_UTF8STRING_new_null();
    text = ASN1_UTF8STRING_new();

    if (entry->reason == NULL
        || text == NULL
        || ASN1_STRING_set(text, CMP_WAIT_TEXT, -1) != 1
        || sk_ASN1_UTF8STRING_push(entry->reason, text) <= 0)
    {
        ASN1_UTF8STRING_free(text);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* --- something was --- */

/*
 * The stored message takes the place of the pollReq while it is decided on;
 * header and protection of the answer go with the pollReq.
 */

static int
cmp_poll_answer(cmp_exchange_t *ex, const unsigned char *asked,
    cmp_refusal_t *refusal)
{
    int          rc;
    cmp_msg_t    msg;
    cmp_load_t   load;
    const char  *operation;

    msg = ex->msg;
    load = ex->load;
    operation = ex->info.operation;

    rc = cmp_poll_message(ex);

    if (rc == CMP_OK) {
        ex->polled = 1;

        rc = cmp_poll_whole(ex) ? cmp_poll_other(ex, refusal)
                                : cmp_poll_certificates(ex, asked, refusal);
    }

    if (rc == CMP_DECLINED) {

        /* this is the final answer, whatever was decided */

        ex->id_written = 1;

        if (cmp_poll_close(ex, CMP_STATUS_REJECTION) != CMP_OK) {
            rc = CMP_ERROR;
        }
    }

    ex->msg = msg;
    ex->load = load;
    ex->info.operation = operation;

    return rc;
}


/* it is gone when it has expired: the type is enough for a refusal then */

static int
cmp_poll_message(cmp_exchange_t *ex)
{
    cmp_msg_t         msg;
    cmp_refusal_t     refusal;
    const cmp_str_t  *bytes;

    memset(&msg, 0, sizeof(cmp_msg_t));
    memset(&refusal, 0, sizeof(cmp_refusal_t));

    bytes = &ex->records->message;

    if (bytes->len != 0) {

        if (cmp_msg_decode(ex->work, NULL, bytes->data, bytes->len, &msg,
                           &refusal)
            != CMP_OK
            || msg.type != ex->transaction->body)
        {
            return CMP_ERROR;
        }

        ex->implicit_asked =
            (cmp_msg_general_info(&msg, &cmp_oid_it_implicit_confirm)
             != NULL);
    }

    msg.type = ex->transaction->body;

    ex->msg = msg;
    ex->info.operation = cmp_body_name(msg.type);

    return CMP_OK;
}


static int
cmp_poll_certificates(cmp_exchange_t *ex, const unsigned char *asked,
    cmp_refusal_t *refusal)
{
    int             rc;
    size_t          i, j, k, n;
    cmp_request_t  *requests;

    n = 0;

    if (ex->msg.body != NULL) {
        rc = cmp_exchange_load_requests(ex, refusal);

        if (rc != CMP_OK) {
            return rc;
        }

        n = ex->nrequests;
    }

    requests = cmp_pcalloc(ex->work,
                           ex->records->nwaiting * sizeof(cmp_request_t));
    ex->writes.certs = cmp_pcalloc(ex->work, ex->records->nwaiting
                                             * sizeof(cmp_write_cert_t));

    if (requests == NULL || ex->writes.certs == NULL) {
        return CMP_ERROR;
    }

    for (i = 0, k = 0; i < ex->records->nwaiting; i++) {

        if (asked[i] == 0) {
            continue;
        }

        for (j = 0; j < n; j++) {

            if (ex->requests[j].id == ex->records->waiting[i].cert_req_id) {
                requests[k] = ex->requests[j];
                break;
            }
        }

        if (j == n && ex->records->waiting[i].state == CMP_REQUEST_APPROVED) {
            return CMP_ERROR;
        }

        requests[k].id = ex->records->waiting[i].cert_req_id;
        requests[k].waiting = &ex->records->waiting[i];
        k++;
    }

    ex->requests = requests;
    ex->nrequests = k;

    ex->info.profile = requests[0].waiting->profile;

    return cmp_exchange_enroll_requests(ex, refusal);
}


/* rr and genm: all of it at once */

static int
cmp_poll_other(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int  rc;

    if (ex->msg.body == NULL) {
        rc = cmp_wait_decided(ex, &ex->records->waiting[0], refusal);

        return rc != CMP_OK ? rc
                            : cmp_refuse(refusal, CMP_REFUSE_EXPIRED, NULL);
    }

    if (ex->msg.type == CMP_BODY_RR) {
        rc = cmp_exchange_revoke(ex, refusal);

    } else {
        rc = cmp_wait_decided(ex, &ex->records->waiting[0], refusal);

        if (rc == CMP_OK) {
            rc = cmp_exchange_support(ex, refusal);
        }
    }

    return rc == CMP_OK ? cmp_poll_close(ex, CMP_STATUS_ACCEPTED) : rc;
}


/* no request of the message waits any more */

static int
cmp_poll_close(cmp_exchange_t *ex, int status)
{
    size_t  i;

    for (i = 0; i < ex->records->nwaiting; i++) {

        if (cmp_wait_answered(ex, ex->records->waiting[i].cert_req_id, status,
                              NULL)
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}
