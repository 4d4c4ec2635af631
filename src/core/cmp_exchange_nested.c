
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * nested: what an RA adds its protection to, one message or a batch
 * (RFC 9810, 5.1.3.5; RFC 9483, 5.2.2).  Each inner message is an exchange of
 * its own, with its own requester, transaction and answer.
 *
 * origPKIMessage: what an RA made its own message of.  Its protection is
 * verified, and nothing else done with it: the RA is the requester.
 */


#include <cmp_exchange_local.h>


static int cmp_nested_parse(cmp_exchange_t *ex,
    const cmp_pki_messages_t *messages, cmp_refusal_t *refusal);
static int cmp_nested_parse_one(cmp_exchange_t *ex, size_t n,
    const cmp_str_t *bytes, cmp_refusal_t *refusal);
static int cmp_nested_may(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_nested_same_header(cmp_exchange_t *ex,
    cmp_refusal_t *refusal);
static int cmp_nested_differ(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_nested_one(cmp_exchange_t *ex, const cmp_records_t *records,
    cmp_refusal_t *refusal);
static int cmp_nested_batch(cmp_exchange_t *ex, const cmp_records_t *records,
    cmp_refusal_t *refusal);
static int cmp_nested_decide(cmp_exchange_t *ex, cmp_exchange_t *inner,
    const cmp_records_t **records);
static int cmp_nested_body(cmp_exchange_t *ex);
static int cmp_nested_requester(cmp_exchange_t *ex, cmp_exchange_t *inner);
static int cmp_original_verify(cmp_exchange_t *ex, cmp_exchange_t *inner,
    const cmp_records_t *records, cmp_refusal_t *refusal);


/* --- what the inner messages need of the store --- */

int
cmp_exchange_parse_nested(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int  rc;

    rc = cmp_nested_parse(ex, ex->msg.body->value.nested, refusal);

    /* one inner message keeps its transaction, which is also the outer one's */

    if (rc == CMP_OK) {
        ex->first = (ex->ninner > 1);
    }

    return rc;
}


int
cmp_exchange_parse_original(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    const ASN1_TYPE            *value;
    cmp_pki_messages_t         *messages;
    cmp_info_type_and_value_t  *info;

    info = cmp_msg_general_info(&ex->msg, &cmp_oid_it_orig_pki_message);

    if (info == NULL) {
        return CMP_OK;
    }

    /* what is nested is there as it was sent */

    if (ex->msg.type == CMP_BODY_NESTED) {
        return cmp_refuse(refusal, CMP_REFUSE_GENERAL_INFO,
                          "origPKIMessage in a nested message");
    }

    messages = NULL;
    value = info->info_value;

    if (value != NULL && value->type == V_ASN1_SEQUENCE) {
        messages = cmp_asn1_decode(cmp_pki_messages_t,
                                   value->value.sequence->data,
                                   value->value.sequence->length);
    }

    if (messages == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE, "origPKIMessage");
    }

    if (cmp_asn1_pool_item(ex->pool, ASN1_ITEM_rptr(cmp_pki_messages_t),
                           messages)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (sk_ASN1_STRING_num(messages) != 1) {
        return cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE,
                          "origPKIMessage has to be one message");
    }

    return cmp_nested_parse(ex, messages, refusal);
}


static int
cmp_nested_parse(cmp_exchange_t *ex, const cmp_pki_messages_t *messages,
    cmp_refusal_t *refusal)
{
    int           i, n, rc;
    cmp_str_t     bytes;
    ASN1_STRING  *message;

    n = sk_ASN1_STRING_num(messages);

    if (n < 1) {
        return cmp_refuse(refusal, CMP_REFUSE_NO_REQUEST, NULL);
    }

    if (n > ex->ca->max_requests) {
        return cmp_refuse(refusal, CMP_REFUSE_TOO_MANY_REQUESTS,
                          "at most %d are accepted", ex->ca->max_requests);
    }

    if (ex->depth == CMP_MAX_NESTED) {
        return cmp_refuse(refusal, CMP_REFUSE_LIMIT, "nested too deeply");
    }

    ex->inner = cmp_pcalloc(ex->pool, n * sizeof(cmp_exchange_t *));
    if (ex->inner == NULL) {
        return CMP_ERROR;
    }

    for (i = 0; i < n; i++) {

        message = sk_ASN1_STRING_value(messages, i);

        bytes.data = (unsigned char *) ASN1_STRING_get0_data(message);
        bytes.len = ASN1_STRING_length(message);

        rc = cmp_nested_parse_one(ex, i, &bytes, refusal);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    return CMP_OK;
}


static int
cmp_nested_parse_one(cmp_exchange_t *ex, size_t n, const cmp_str_t *bytes,
    cmp_refusal_t *refusal)
{
    cmp_exchange_t  *inner, *root;

    /* each message is a look-up, before anything was authenticated */

    for (root = ex; root->outer != NULL; root = root->outer) {
        /* void */
    }

    if (root->ntree == (size_t) ex->ca->max_requests) {
        return cmp_refuse(refusal, CMP_REFUSE_LIMIT,
                          "more than %d messages in one",
                          ex->ca->max_requests);
    }

    root->ntree++;

    inner = cmp_exchange_create(ex->conf);
    if (inner == NULL) {
        return CMP_ERROR;
    }

    ex->inner[n] = inner;
    ex->ninner = n + 1;

    inner->outer = ex;
    inner->depth = ex->depth + 1;

    switch (cmp_exchange_parse(inner, bytes->data, bytes->len)) {

    case CMP_EXCHANGE_LOAD:
    case CMP_EXCHANGE_DECIDE:
        return CMP_OK;

    case CMP_EXCHANGE_UNDECODABLE:
        return cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE, "inner message");

    case CMP_EXCHANGE_FORBIDDEN:
        return cmp_refuse(refusal, CMP_REFUSE_BODY, "nested %s",
                          inner->info.operation);

    default:
        return CMP_ERROR;
    }
}


size_t
cmp_exchange_nloads(const cmp_exchange_t *ex)
{
    size_t  i, n;

    n = 1;

    for (i = 0; i < ex->ninner; i++) {
        n += cmp_exchange_nloads(ex->inner[i]);
    }

    return n;
}


const cmp_load_t *
cmp_exchange_load(const cmp_exchange_t *ex, size_t n)
{
    size_t  i, m;

    if (n == 0) {
        return &ex->load;
    }

    n--;

    for (i = 0; i < ex->ninner; i++) {

        m = cmp_exchange_nloads(ex->inner[i]);

        if (n < m) {
            return cmp_exchange_load(ex->inner[i], n);
        }

        n -= m;
    }

    return NULL;
}


/* --- what is written: nothing by a message that was not authenticated --- */

size_t
cmp_exchange_nwrites(const cmp_exchange_t *ex)
{
    size_t  i, n;

    n = ex->has_writes;

    for (i = 0; i < ex->ninner && ex->failed == 0; i++) {
        n += cmp_exchange_nwrites(ex->inner[i]);
    }

    return n;
}


const cmp_writes_t *
cmp_exchange_writes(const cmp_exchange_t *ex, size_t n)
{
    size_t  i, m;

    if (ex->has_writes) {

        if (n == 0) {
            return &ex->writes;
        }

        n--;
    }

    for (i = 0; i < ex->ninner && ex->failed == 0; i++) {

        m = cmp_exchange_nwrites(ex->inner[i]);

        if (n < m) {
            return cmp_exchange_writes(ex->inner[i], n);
        }

        n -= m;
    }

    return NULL;
}


/* --- the decision --- */

/*
 * Called when the outer message is authenticated and its header is in order.
 * CMP_DONE: the answer of the only inner message is the answer.
 */

int
cmp_exchange_nested(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                   rc;
    const cmp_records_t  *records;

    rc = cmp_nested_may(ex, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    records = ex->records + 1;

    return ex->ninner == 1 ? cmp_nested_one(ex, records, refusal)
                           : cmp_nested_batch(ex, records, refusal);
}


static int
cmp_nested_may(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    if (ex->protect.kind == CMP_PROTECTION_MAC) {
        return cmp_refuse(refusal, CMP_REFUSE_WRONG_INTEGRITY,
                          "nested messages are signed by an RA");
    }

    if (ex->signer.kind != CMP_SIGNER_RA) {
        return cmp_refuse(refusal, CMP_REFUSE_NOT_AUTHORIZED,
                          "nested messages are for registration authorities");
    }

    return ex->ninner == 1 ? cmp_nested_same_header(ex, refusal)
                           : cmp_nested_differ(ex, refusal);
}


static int
cmp_nested_same_header(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    cmp_str_t                a, b;
    const cmp_pki_header_t  *outer, *inner;

    outer = ex->msg.header;
    inner = ex->inner[0]->msg.header;

    a = cmp_octets(outer->transaction_id);
    b = cmp_octets(inner->transaction_id);

    if (cmp_str_equal(&a, &b) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_NESTED_TRANSACTION_ID, NULL);
    }

    a = cmp_octets(outer->sender_nonce);
    b = cmp_octets(inner->sender_nonce);

    if (cmp_str_equal(&a, &b) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_NESTED_SENDER_NONCE, NULL);
    }

    return CMP_OK;
}


/* in a batch all are different, also from those of the batch */

static int
cmp_nested_differ(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    size_t            i, j;
    cmp_str_t         a, b;
    cmp_pki_header_t  *one, *other;

    for (i = 0; i < ex->ninner; i++) {

        one = ex->inner[i]->msg.header;

        for (j = 0; j <= i; j++) {

            other = (j == i) ? ex->msg.header : ex->inner[j]->msg.header;

            a = cmp_octets(one->transaction_id);
            b = cmp_octets(other->transaction_id);

            if (a.len == 0 || cmp_str_equal(&a, &b)) {
                return cmp_refuse(refusal, CMP_REFUSE_BATCH_TRANSACTION_ID,
                                  NULL);
            }

            a = cmp_octets(one->sender_nonce);
            b = cmp_octets(other->sender_nonce);

            if (a.len == 0 || cmp_str_equal(&a, &b)) {
                return cmp_refuse(refusal, CMP_REFUSE_BATCH_SENDER_NONCE,
                                  NULL);
            }
        }
    }

    return CMP_OK;
}


static int
cmp_nested_decide(cmp_exchange_t *ex, cmp_exchange_t *inner,
    const cmp_records_t **records)
{
    cmp_exchange_e        rc;
    const cmp_records_t  *own;

    own = *records;
    *records += cmp_exchange_nloads(inner);

    rc = cmp_exchange_decide(inner, own);

    if (rc == CMP_EXCHANGE_ERROR) {
        return CMP_ERROR;
    }

    return inner->has_writes ? cmp_nested_requester(ex, inner) : CMP_OK;
}


/* the audit names the RA that the message came through */

static int
cmp_nested_requester(cmp_exchange_t *ex, cmp_exchange_t *inner)
{
    char  *text;

    if (cmp_str_equal(&inner->writes.requester, &ex->info.requester)) {
        return CMP_OK;
    }

    text = cmp_psprintf(ex->work, "%.*s via %.*s",
                        (int) inner->writes.requester.len,
                        (char *) inner->writes.requester.data,
                        (int) ex->info.requester.len,
                        (char *) ex->info.requester.data);
    if (text == NULL) {
        return CMP_ERROR;
    }

    inner->writes.requester.data = (unsigned char *) text;
    inner->writes.requester.len = strlen(text);

    return CMP_OK;
}


static int
cmp_nested_one(cmp_exchange_t *ex, const cmp_records_t *records,
    cmp_refusal_t *refusal)
{
    cmp_exchange_t  *inner;

    (void) refusal;

    inner = ex->inner[0];

    if (cmp_nested_decide(ex, inner, &records) != CMP_OK) {
        return CMP_ERROR;
    }

    /* a repeat of the outer message gets this answer again */

    if (inner->writes.transaction.id.len != 0) {
        inner->writes.request_hash.data = ex->msg.hash;
    }

    ex->reply = inner->reply;

    return CMP_DONE;
}


/*
 * A bad header or protection of one fails them all; bad content fails only its
 * own message.
 */

static int
cmp_nested_batch(cmp_exchange_t *ex, const cmp_records_t *records,
    cmp_refusal_t *refusal)
{
    size_t           i;
    cmp_exchange_t  *inner;

    for (i = 0; i < ex->ninner; i++) {

        inner = ex->inner[i];

        if (cmp_nested_decide(ex, inner, &records) != CMP_OK) {
            return CMP_ERROR;
        }

        if (inner->header_ok == 0 && inner->info.repeat == 0) {
            *refusal = inner->refused;
            return CMP_DECLINED;
        }
    }

    return cmp_nested_body(ex);
}


static int
cmp_nested_body(cmp_exchange_t *ex)
{
    size_t               i;
    cmp_str_t            none;
    ASN1_STRING         *message;
    cmp_pki_messages_t  *messages;

    messages = sk_ASN1_STRING_new_null();
    if (messages == NULL) {
        return CMP_ERROR;
    }

    ex->answer->body->type = CMP_BODY_NESTED;
    ex->answer->body->value.nested = messages;

    for (i = 0; i < ex->ninner; i++) {

        message = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

        if (message == NULL
            || ASN1_STRING_set(message, ex->inner[i]->reply.data,
                               (int) ex->inner[i]->reply.len)
               != 1
            || sk_ASN1_STRING_push(messages, message) <= 0)
        {
            ASN1_STRING_free(message);
            return CMP_ERROR;
        }
    }

    none.len = 0;
    none.data = NULL;
    ex->info.status = CMP_STATUS_ACCEPTED;

    return cmp_write_audit(ex, CMP_STATUS_ACCEPTED, -1, &none, "batch");
}


/* --- origPKIMessage --- */

int
cmp_exchange_original(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                   rc;
    size_t                i;
    const cmp_records_t  *records;

    if (ex->signer.kind != CMP_SIGNER_RA) {
        return cmp_refuse(refusal, CMP_REFUSE_NOT_AUTHORIZED,
                          "origPKIMessage is for registration authorities");
    }

    records = ex->records + 1;

    for (i = 0; i < ex->ninner; i++) {

        rc = cmp_original_verify(ex, ex->inner[i], records, refusal);

        if (rc != CMP_OK) {
            return rc;
        }

        records += cmp_exchange_nloads(ex->inner[i]);
    }

    return CMP_OK;
}


static int
cmp_original_verify(cmp_exchange_t *ex, cmp_exchange_t *inner,
    const cmp_records_t *records, cmp_refusal_t *refusal)
{
    int    rc;
    char  *text;

    if (cmp_exchange_begin(inner, records) != CMP_OK) {
        return CMP_ERROR;
    }

    rc = CMP_DECLINED;

    if (inner->refusal.code == CMP_REFUSE_NONE) {
        rc = cmp_exchange_authenticate(inner, &inner->refused);

    } else {
        inner->refused = inner->refusal;
    }

    if (rc == CMP_DECLINED) {
        *refusal = inner->refused;
        (void) snprintf(refusal->detail, sizeof(refusal->detail),
                        "in origPKIMessage");
    }

    if (rc != CMP_OK) {
        return rc;
    }

    text = cmp_psprintf(ex->work, "%.*s for %.*s",
                        (int) ex->info.requester.len,
                        (char *) ex->info.requester.data,
                        (int) inner->info.requester.len,
                        (char *) inner->info.requester.data);
    if (text == NULL) {
        return CMP_ERROR;
    }

    ex->info.requester.data = (unsigned char *) text;
    ex->info.requester.len = strlen(text);

    return CMP_OK;
}
