
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Requests that wait for an operator.
 */


#include <memstore.h>
#include <memstore_local.h>

#include <string.h>


#define MEMSTORE_TWO_HOURS  7200000


static cmp_str_t *memstore_concat(cmp_pool_t *pool, const cmp_str_t *a,
    size_t na, const cmp_str_t *b, size_t nb);
static int memstore_write_answer(memstore_t *store,
    const cmp_writes_t *writes, const cmp_write_answer_t *answer);
static void memstore_write_request(memstore_t *store,
    const cmp_writes_t *writes, const cmp_write_request_t *request);


size_t
memstore_waiting(memstore_t *store, const cmp_str_t *id)
{
    size_t               i, n;
    memstore_request_t  *request;

    n = 0;

    for (i = 0; i < store->requests.n; i++) {
        request = store->requests.items[i];

        if (!request->answered
            && cmp_str_equal(&request->transaction_id, id))
        {
            n++;
        }
    }

    return n;
}


void
memstore_load_waiting(memstore_t *store, const memstore_transaction_t *tx,
    cmp_pool_t *pool, cmp_load_t *load, cmp_records_t *records)
{
    size_t               i, n;
    cmp_waiting_t       *waiting;
    memstore_request_t  *request;

    if (tx->wait_until == 0 || tx->record.ca_id != load->ca_id) {
        return;
    }

    memstore_copy(pool, &records->message, &tx->message);

    load->serials = memstore_concat(pool, load->serials, load->nserials,
                                    tx->serials, tx->nserials);
    load->nserials += tx->nserials;
    load->key_hashes = memstore_concat(pool, load->key_hashes,
                                       load->nkey_hashes, tx->key_hashes,
                                       tx->nkey_hashes);
    load->nkey_hashes += tx->nkey_hashes;

    n = memstore_waiting(store, &tx->record.id);

    if (n == 0) {
        return;
    }

    waiting = memstore_alloc(cmp_pcalloc(pool, n * sizeof(cmp_waiting_t)));
    records->waiting = waiting;

    for (i = 0; i < store->requests.n; i++) {
        request = store->requests.items[i];

        if (request->answered
            || !cmp_str_equal(&request->transaction_id, &tx->record.id))
        {
            continue;
        }

        waiting[records->nwaiting] = request->record;
        memstore_copy(pool, &waiting[records->nwaiting].profile,
                      &request->record.profile);
        memstore_copy(pool, &waiting[records->nwaiting].reason,
                      &request->record.reason);
        records->nwaiting++;
    }
}


static cmp_str_t *
memstore_concat(cmp_pool_t *pool, const cmp_str_t *a, size_t na,
    const cmp_str_t *b, size_t nb)
{
    cmp_str_t  *all;

    if (na + nb == 0) {
        return NULL;
    }

    all = memstore_alloc(cmp_pcalloc(pool, (na + nb) * sizeof(cmp_str_t)));

    if (na != 0) {
        memcpy(all, a, na * sizeof(cmp_str_t));
    }

    if (nb != 0) {
        memcpy(all + na, b, nb * sizeof(cmp_str_t));
    }

    return all;
}


int
memstore_write_waiting(memstore_t *store, const cmp_writes_t *writes)
{
    size_t                   i;
    memstore_transaction_t  *tx;

    for (i = 0; i < writes->nanswers; i++) {

        if (memstore_write_answer(store, writes, &writes->answers[i])
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    if (writes->nrequests == 0 && writes->nanswers == 0) {
        return CMP_OK;
    }

    tx = (memstore_transaction_t *)
             memstore_transaction(store, &writes->transaction.id);

    if (tx == NULL) {
        return CMP_ERROR;
    }

    if (writes->nrequests == 0) {

        if (memstore_waiting(store, &tx->record.id) == 0) {
            tx->message.len = 0;
            tx->nserials = 0;
            tx->nkey_hashes = 0;
        }

        return CMP_OK;
    }

    tx->wait_until = store->now + writes->approval_timeout;
    memstore_copy(store->pool, &tx->message, &writes->message);

    tx->serials = memstore_copy_list(store->pool, writes->serials,
                                     writes->nserials);
    tx->nserials = writes->nserials;
    tx->key_hashes = memstore_copy_list(store->pool, writes->key_hashes,
                                        writes->nkey_hashes);
    tx->nkey_hashes = writes->nkey_hashes;

    for (i = 0; i < writes->nrequests; i++) {
        memstore_write_request(store, writes, &writes->requests[i]);
    }

    return CMP_OK;
}


static int
memstore_write_answer(memstore_t *store, const cmp_writes_t *writes,
    const cmp_write_answer_t *answer)
{
    size_t               i;
    memstore_request_t  *request;

    for (i = 0; i < store->requests.n; i++) {
        request = store->requests.items[i];

        if (request->record.id != answer->id) {
            continue;
        }

        if (request->ca_id != writes->ca_id
            || request->answered
            || request->record.version != answer->version)
        {
            return CMP_ERROR;
        }

        request->record.state = answer->state;
        request->record.version++;
        request->answered = 1;
        memstore_copy(store->pool, &request->serial, &answer->serial);
        store->changes++;

        return CMP_OK;
    }

    return CMP_ERROR;
}


static void
memstore_write_request(memstore_t *store, const cmp_writes_t *writes,
    const cmp_write_request_t *request)
{
    memstore_request_t  *row;

    row = memstore_push(&store->requests, sizeof(memstore_request_t));

    row->ca_id = writes->ca_id;
    row->created = store->now;
    row->data = *request;
    memstore_copy(store->pool, &row->transaction_id, &writes->transaction.id);
    memstore_copy(store->pool, &row->data.profile, &request->profile);
    memstore_copy(store->pool, &row->data.subject, &request->subject);
    memstore_copy(store->pool, &row->data.sans, &request->sans);
    memstore_copy(store->pool, &row->data.key_hash, &request->key_hash);
    memstore_copy(store->pool, &row->data.serial, &request->serial);
    memstore_copy(store->pool, &row->data.text, &request->text);

    row->record.id = (int64_t) store->requests.n;
    row->record.version = 1;
    row->record.state = CMP_REQUEST_PENDING;
    row->record.cert_req_id = request->cert_req_id;
    row->record.profile = row->data.profile;
    row->record.expires = store->now + writes->approval_timeout;

    store->changes++;
}


void
memstore_expire(memstore_t *store, memstore_transaction_t *tx)
{
    size_t               i;
    memstore_request_t  *request;

    for (i = 0; i < store->requests.n; i++) {
        request = store->requests.items[i];

        if (!request->answered
            && cmp_str_equal(&request->transaction_id, &tx->record.id)
            && (request->record.state == CMP_REQUEST_PENDING
                || request->record.state == CMP_REQUEST_APPROVED))
        {
            request->record.state = CMP_REQUEST_EXPIRED;
            request->record.version++;
        }
    }

    tx->message.len = 0;
    tx->nserials = 0;
    tx->nkey_hashes = 0;

    tx->record.state = CMP_TX_ENDED;
    tx->record.version++;

    if (tx->until < store->now + MEMSTORE_TWO_HOURS) {
        tx->until = store->now + MEMSTORE_TWO_HOURS;
    }
}


int
memstore_decide(memstore_t *store, memstore_request_t *request, int approve,
    const char *reason)
{
    cmp_waiting_t           *record;
    memstore_transaction_t  *tx;

    record = &request->record;

    if (record->state != CMP_REQUEST_PENDING || record->expires <= store->now)
    {
        return CMP_ERROR;
    }

    record->state = approve ? CMP_REQUEST_APPROVED : CMP_REQUEST_REJECTED;
    record->version++;

    if (reason != NULL
        && cmp_pstrdup(store->pool, &record->reason, reason, strlen(reason))
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    /* the client has the same time again to fetch it */

    record->expires += store->now - request->created;

    tx = (memstore_transaction_t *)
             memstore_transaction(store, &request->transaction_id);

    if (tx != NULL) {
        tx->wait_until = record->expires;
    }

    store->changes++;

    return CMP_OK;
}


memstore_request_t *
memstore_request(memstore_t *store, size_t n)
{
    if (n >= store->requests.n) {
        return NULL;
    }

    return store->requests.items[store->requests.n - 1 - n];
}
