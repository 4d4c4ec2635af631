
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Requests that wait for an operator: what is stored of them, what the client
 * is told, and when their transaction ends (RFC 9810, 5.3.22).
 */


#include <cmp_exchange_local.h>


static int cmp_wait_sans(cmp_exchange_t *ex, const GENERAL_NAMES *names,
    cmp_str_t *text);
static void cmp_wait_escape(cmp_str_t *text, size_t size, const char *data,
    size_t len);
static int cmp_wait_info_types(cmp_exchange_t *ex, cmp_str_t *text);
static int cmp_wait_answer(cmp_exchange_t *ex, const cmp_waiting_t *waiting,
    cmp_request_state_e state, const cmp_str_t *serial);


/* --- requests begin to wait --- */

int
cmp_wait_request(cmp_exchange_t *ex, cmp_request_t *req)
{
    char                 *text;
    cmp_str_t             token;
    cmp_write_request_t   row;

    memset(&row, 0, sizeof(cmp_write_request_t));

    token.len = 0;
    token.data = NULL;

    if (req->token != NULL) {
        token = req->token->reference;
    }

    text = cmp_psprintf(ex->work, "%s%.*s%s%s",
                        token.len != 0 ? "regToken " : "",
                        (int) token.len, (char *) token.data,
                        (token.len != 0 && req->issue.mods[0] != '\0')
                        ? "; " : "",
                        req->issue.mods);
    if (text == NULL) {
        return CMP_ERROR;
    }

    row.text.data = (unsigned char *) text;
    row.text.len = strlen(text);
    row.cert_req_id = req->id;
    row.profile = req->profile->name;
    row.key_hash = req->key_hash;

    if (req->target != NULL) {
        row.serial = req->target->serial;
    }

    if (cmp_name_text(ex->work, req->issue.subject, &row.subject) != CMP_OK
        || cmp_wait_sans(ex, req->issue.sans, &row.sans) != CMP_OK)
    {
        return CMP_ERROR;
    }

    return cmp_wait_add(ex, &row);
}


/*
 * "DNS:a.example, IP Address:10.0.0.1"; a comma in a name is escaped, so that
 * one name cannot look like two.
 */

static int
cmp_wait_sans(cmp_exchange_t *ex, const GENERAL_NAMES *names, cmp_str_t *text)
{
    int      i, len;
    BIO     *bio;
    char    *data;
    size_t   size;

    size = 0;

    for (i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {

        bio = BIO_new(BIO_s_mem());
        if (bio == NULL) {
            return CMP_ERROR;
        }

        (void) GENERAL_NAME_print(bio, sk_GENERAL_NAME_value(names, i));

        len = (int) BIO_get_mem_data(bio, &data);
        size += 2 * len + 2;
        BIO_free(bio);
    }

    cmp_crypto_error(NULL, 0);

    text->len = 0;
    text->data = NULL;

    if (size == 0) {
        return CMP_OK;
    }

    text->data = cmp_palloc(ex->work, size);
    if (text->data == NULL) {
        return CMP_ERROR;
    }

    for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {

        bio = BIO_new(BIO_s_mem());
        if (bio == NULL) {
            return CMP_ERROR;
        }

        (void) GENERAL_NAME_print(bio, sk_GENERAL_NAME_value(names, i));

        len = (int) BIO_get_mem_data(bio, &data);
        cmp_wait_escape(text, size, data, len);
        BIO_free(bio);
    }

    cmp_crypto_error(NULL, 0);

    return CMP_OK;
}


static void
cmp_wait_escape(cmp_str_t *text, size_t size, const char *data, size_t len)
{
    size_t  i;

    if (text->len != 0) {
        text->data[text->len++] = ',';
        text->data[text->len++] = ' ';
    }

    for (i = 0; i < len && text->len + 2 <= size; i++) {

        if (data[i] == ',' || data[i] == '\\') {
            text->data[text->len++] = '\\';
        }

        text->data[text->len++] = (data[i] >= ' ' && data[i] <= '~')
                                  ? (unsigned char) data[i] : '?';
    }
}


int
cmp_wait_add(cmp_exchange_t *ex, const cmp_write_request_t *request)
{
    size_t         max;
    cmp_writes_t  *writes;

    max = ex->ca->max_requests;
    writes = &ex->writes;

    if (writes->requests == NULL) {
        writes->requests = cmp_pcalloc(ex->work,
                                       max * sizeof(cmp_write_request_t));
        if (writes->requests == NULL) {
            return CMP_ERROR;
        }
    }

    if (writes->nrequests == max) {
        return CMP_ERROR;
    }

    writes->requests[writes->nrequests++] = *request;

    return request->serial.len != 0 ? cmp_wait_serial(ex, &request->serial)
                                    : CMP_OK;
}


/* to be loaded with the message */

int
cmp_wait_serial(cmp_exchange_t *ex, const cmp_str_t *serial)
{
    size_t         i, max;
    cmp_writes_t  *writes;

    max = 2 * ex->ca->max_requests;
    writes = &ex->writes;

    if (writes->serials == NULL) {
        writes->serials = cmp_pcalloc(ex->work, max * sizeof(cmp_str_t));
        if (writes->serials == NULL) {
            return CMP_ERROR;
        }
    }

    for (i = 0; i < writes->nserials; i++) {

        if (cmp_str_equal(&writes->serials[i], serial)) {
            return CMP_OK;
        }
    }

    if (writes->nserials == max) {
        return CMP_ERROR;
    }

    writes->serials[writes->nserials++] = *serial;

    return CMP_OK;
}


/* the whole message waits: what was decided on it so far does not count */

int
cmp_wait_error(cmp_exchange_t *ex)
{
    size_t                      i;
    const cmp_write_request_t  *row;
    cmp_error_msg_content_t    *error;

    if (cmp_reply_create(ex) != CMP_OK) {
        return CMP_ERROR;
    }

    error = cmp_asn1_new(cmp_error_msg_content_t);
    if (error == NULL) {
        return CMP_ERROR;
    }

    ex->answer->body->type = CMP_BODY_ERROR;
    ex->answer->body->value.error = error;

    cmp_asn1_free(cmp_pki_status_info_t, error->pki_status_info);

    error->pki_status_info = cmp_status_info(CMP_STATUS_WAITING,
                                             CMP_WAIT_TEXT, -1);
    if (error->pki_status_info == NULL) {
        return CMP_ERROR;
    }

    ex->writes.naudits = 0;
    ex->info.status = CMP_STATUS_WAITING;
    ex->info.fail_info = -1;
    ex->info.text = NULL;
    ex->info.serial.len = 0;

    for (i = 0; i < ex->writes.nrequests; i++) {

        row = &ex->writes.requests[i];

        if (cmp_write_audit(ex, CMP_STATUS_WAITING, -1, &row->serial,
                            CMP_WAIT_TEXT)
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/* a genm that can be answered waits, where that is configured */

int
cmp_wait_support(cmp_exchange_t *ex)
{
    cmp_write_request_t  row;

    if (ex->ca->genm_approval == 0
        || ex->polled
        || ex->info.authenticated == 0)
    {
        return CMP_OK;
    }

    memset(&row, 0, sizeof(cmp_write_request_t));

    row.cert_req_id = -1;

    if (cmp_wait_info_types(ex, &row.text) != CMP_OK
        || cmp_wait_add(ex, &row) != CMP_OK)
    {
        return CMP_ERROR;
    }

    return cmp_wait_error(ex);
}


static int
cmp_wait_info_types(cmp_exchange_t *ex, cmp_str_t *text)
{
    int                               i;
    char                             *p, name[80];
    const cmp_gen_msg_content_t      *content;
    const cmp_info_type_and_value_t  *info;

    p = "";
    content = ex->msg.body->value.genm;

    for (i = 0; i < sk_cmp_info_type_and_value_t_num(content); i++) {

        info = sk_cmp_info_type_and_value_t_value(content, i);

        p = cmp_psprintf(ex->work, "%s%s%s", p, (i != 0) ? ", " : "",
                         cmp_oid_name(info->info_type, name, sizeof(name)));
        if (p == NULL) {
            return CMP_ERROR;
        }
    }

    return cmp_pstrdup(ex->work, text, p, strlen(p));
}


/* what the store needs besides to decide the message again */

int
cmp_wait_write(cmp_exchange_t *ex)
{
    size_t         i;
    cmp_writes_t  *writes;

    writes = &ex->writes;

    if (writes->nrequests == 0) {
        return CMP_OK;
    }

    writes->message = ex->msg.bytes;
    writes->approval_timeout = ex->ca->approval_timeout;

    writes->key_hashes = ex->load.key_hashes;
    writes->nkey_hashes = ex->load.nkey_hashes;

    for (i = 0; i < ex->load.nserials; i++) {

        if (cmp_wait_serial(ex, &ex->load.serials[i]) != CMP_OK) {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/* --- they are decided --- */

const cmp_waiting_t *
cmp_wait_find(const cmp_exchange_t *ex, int32_t id)
{
    size_t  i;

    for (i = 0; i < ex->records->nwaiting; i++) {

        if (ex->records->waiting[i].cert_req_id == id) {
            return &ex->records->waiting[i];
        }
    }

    return NULL;
}


int
cmp_wait_pending(const cmp_exchange_t *ex, const cmp_waiting_t *waiting)
{
    return waiting->state == CMP_REQUEST_PENDING
           && waiting->expires > ex->records->now;
}


int
cmp_wait_decided(const cmp_exchange_t *ex, const cmp_waiting_t *waiting,
    cmp_refusal_t *refusal)
{
    if (waiting->state == CMP_REQUEST_REJECTED) {

        if (waiting->reason.len == 0) {
            return cmp_refuse(refusal, CMP_REFUSE_REJECTED, NULL);
        }

        return cmp_refuse(refusal, CMP_REFUSE_REJECTED, "%.*s",
                          (int) waiting->reason.len,
                          (char *) waiting->reason.data);
    }

    if (waiting->state != CMP_REQUEST_APPROVED
        || waiting->expires <= ex->records->now)
    {
        return cmp_refuse(refusal, CMP_REFUSE_EXPIRED, NULL);
    }

    return CMP_OK;
}


int
cmp_wait_answered(cmp_exchange_t *ex, int32_t id, int status,
    const cmp_str_t *serial)
{
    cmp_request_state_e   state;
    const cmp_waiting_t  *waiting;

    if (ex->polled == 0) {
        return CMP_OK;
    }

    waiting = cmp_wait_find(ex, id);
    if (waiting == NULL) {
        return CMP_OK;
    }

    if (status != CMP_STATUS_REJECTION) {
        state = CMP_REQUEST_DELIVERED;

    } else if (waiting->state == CMP_REQUEST_REJECTED) {
        state = CMP_REQUEST_REJECTED;

    } else if (waiting->state == CMP_REQUEST_APPROVED
               && waiting->expires > ex->records->now)
    {
        state = CMP_REQUEST_FAILED;

    } else {
        state = CMP_REQUEST_EXPIRED;
    }

    return cmp_wait_answer(ex, waiting, state, serial);
}


static int
cmp_wait_answer(cmp_exchange_t *ex, const cmp_waiting_t *waiting,
    cmp_request_state_e state, const cmp_str_t *serial)
{
    size_t               i;
    cmp_writes_t        *writes;
    cmp_write_answer_t  *answer;

    writes = &ex->writes;

    if (writes->answers == NULL) {
        writes->answers = cmp_pcalloc(ex->work,
                                      ex->records->nwaiting
                                      * sizeof(cmp_write_answer_t));
        if (writes->answers == NULL) {
            return CMP_ERROR;
        }
    }

    for (i = 0; i < writes->nanswers; i++) {

        if (writes->answers[i].id == waiting->id) {
            return CMP_OK;
        }
    }

    answer = &writes->answers[writes->nanswers++];

    answer->id = waiting->id;
    answer->version = waiting->version;
    answer->state = state;

    if (serial != NULL) {
        answer->serial = *serial;
    }

    return CMP_OK;
}


/* the client wants nothing of this any more */

int
cmp_wait_cancel(cmp_exchange_t *ex)
{
    size_t     i;
    cmp_str_t  none;

    none.len = 0;
    none.data = NULL;

    for (i = 0; i < ex->records->nwaiting; i++) {

        if (cmp_wait_answer(ex, &ex->records->waiting[i],
                            CMP_REQUEST_CANCELLED, NULL)
            != CMP_OK
            || cmp_write_audit(ex, CMP_STATUS_ACCEPTED, -1, &none,
                               "waiting request cancelled by the client")
               != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/*
 * A certConf is expected as long as a certificate is not confirmed, whether or
 * not other requests of the transaction wait.
 */

cmp_tx_state_e
cmp_wait_state(const cmp_exchange_t *ex)
{
    size_t                    i;
    const cmp_certificate_t  *cert;

    if (ex->confirm_wait) {
        return CMP_TX_CONFIRM;
    }

    if (ex->msg.type == CMP_BODY_POLLREQ) {

        for (i = 0; i < ex->records->ncertificates; i++) {

            cert = &ex->records->certificates[i];

            if (cert->state == CMP_CERT_UNCONFIRMED
                && cmp_str_equal(&cert->transaction_id, &ex->transaction->id))
            {
                return CMP_TX_CONFIRM;
            }
        }
    }

    if (ex->writes.nrequests != 0
        || ex->records->nwaiting > ex->writes.nanswers)
    {
        return CMP_TX_WAITING;
    }

    return CMP_TX_ENDED;
}
