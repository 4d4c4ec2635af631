
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A commit is made on the rows themselves; the first expectation that does
 * not hold undoes it from copies of them.
 */


#include <memstore.h>
#include <memstore_local.h>

#include <stdlib.h>
#include <string.h>


/* CRLReason */

#define MEMSTORE_KEY_COMPROMISE        1
#define MEMSTORE_CESSATION             5
#define MEMSTORE_CERTIFICATE_HOLD      6


typedef struct {
    size_t    n;
    char     *rows;
} memstore_saved_t;


static void memstore_save(memstore_saved_t *saved, const memstore_list_t *list,
    size_t size);
static void memstore_restore(memstore_saved_t *saved, memstore_list_t *list,
    size_t size, int undo);
static int memstore_write(memstore_t *store, const cmp_writes_t *writes);
static int memstore_write_transaction(memstore_t *store,
    const cmp_writes_t *writes);
static int memstore_spend(memstore_t *store, int64_t id);
static int memstore_change(memstore_t *store, int32_t ca_id,
    const cmp_write_change_t *change);
static void memstore_confirmed(memstore_t *store, memstore_cert_t *cert);
static int memstore_write_cert(memstore_t *store, const cmp_writes_t *writes,
    size_t n);
static int memstore_claim_key(memstore_t *store, const cmp_writes_t *writes,
    size_t n);
static memstore_cert_t *memstore_insert_cert(memstore_t *store, int32_t ca_id,
    const cmp_write_cert_t *cert);
static void memstore_write_audits(memstore_t *store,
    const cmp_writes_t *writes);


cmp_commit_e
memstore_commit(memstore_t *store, const cmp_writes_t **writes, size_t n)
{
    int                rc;
    size_t             i;
    void             (*rival)(void *data);
    memstore_saved_t   certs, keys, txs, replies, creds,
                       requests;

    rival = store->rival;

    if (rival != NULL) {
        store->rival = NULL;
        rival(store->rival_data);
    }

    if (store->no_commit) {
        return CMP_COMMIT_UNAVAILABLE;
    }

    if (store->races > 0) {
        store->races--;
        return CMP_COMMIT_RACE;
    }

    memstore_save(&certs, &store->certs, sizeof(memstore_cert_t));
    memstore_save(&keys, &store->keys, sizeof(memstore_key_t));
    memstore_save(&txs, &store->transactions, sizeof(memstore_transaction_t));
    memstore_save(&replies, &store->replies, sizeof(memstore_reply_t));
    memstore_save(&creds, &store->credentials, sizeof(memstore_credential_t));
    memstore_save(&requests, &store->requests, sizeof(memstore_request_t));

    rc = CMP_OK;

    for (i = 0; i < n && rc == CMP_OK; i++) {
        rc = memstore_write(store, writes[i]);
    }

    memstore_restore(&certs, &store->certs, sizeof(memstore_cert_t), rc);
    memstore_restore(&keys, &store->keys, sizeof(memstore_key_t), rc);
    memstore_restore(&txs, &store->transactions,
                     sizeof(memstore_transaction_t), rc);
    memstore_restore(&replies, &store->replies, sizeof(memstore_reply_t), rc);
    memstore_restore(&creds, &store->credentials,
                     sizeof(memstore_credential_t), rc);
    memstore_restore(&requests, &store->requests, sizeof(memstore_request_t),
                     rc);

    if (rc != CMP_OK) {
        return CMP_COMMIT_RACE;
    }

    for (i = 0; i < n; i++) {
        memstore_write_audits(store, writes[i]);
    }

    store->commits++;

    return CMP_COMMIT_OK;
}


static void
memstore_save(memstore_saved_t *saved, const memstore_list_t *list,
    size_t size)
{
    size_t  i;

    saved->n = list->n;
    saved->rows = memstore_alloc(malloc(list->n * size + 1));

    for (i = 0; i < list->n; i++) {
        memcpy(saved->rows + i * size, list->items[i], size);
    }
}


static void
memstore_restore(memstore_saved_t *saved, memstore_list_t *list, size_t size,
    int undo)
{
    size_t  i;

    if (undo != CMP_OK) {
        while (list->n > saved->n) {
            free(list->items[--list->n]);
        }

        for (i = 0; i < saved->n; i++) {
            memcpy(list->items[i], saved->rows + i * size, size);
        }
    }

    free(saved->rows);
}


static int
memstore_write(memstore_t *store, const cmp_writes_t *writes)
{
    size_t  i;

    if (memstore_write_transaction(store, writes) != CMP_OK
        || memstore_write_waiting(store, writes) != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (writes->credential_use != 0
        && memstore_spend(store, writes->credential_use) != CMP_OK)
    {
        return CMP_ERROR;
    }

    for (i = 0; i < writes->ntoken_uses; i++) {
        if (memstore_spend(store, writes->token_uses[i]) != CMP_OK) {
            return CMP_ERROR;
        }
    }

    for (i = 0; i < writes->nchanges; i++) {
        if (memstore_change(store, writes->ca_id, &writes->changes[i])
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    for (i = 0; i < writes->ncerts; i++) {
        if (memstore_write_cert(store, writes, i) != CMP_OK) {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static int
memstore_write_transaction(memstore_t *store, const cmp_writes_t *writes)
{
    size_t                    n;
    int32_t                   state;
    cmp_str_t                *nonces;
    cmp_transaction_t        *tx, *old;
    memstore_reply_t         *reply;
    const cmp_transaction_t  *new;
    memstore_transaction_t   *row;

    new = &writes->transaction;

    if (new->id.len == 0) {
        return CMP_OK;
    }

    old = memstore_transaction(store, &new->id);

    if (new->version == 0) {
        if (old != NULL) {
            return CMP_ERROR;
        }

        row = memstore_push(&store->transactions,
                            sizeof(memstore_transaction_t));
        n = 0;
        nonces = NULL;

    } else {
        if (old == NULL || old->version != new->version) {
            return CMP_ERROR;
        }

        /* the record is the first member */
        row = (memstore_transaction_t *) old;
        n = old->nnonces;
        nonces = old->nonces;
    }

    tx = &row->record;

    /* who began it and how does not change later */

    if (new->version == 0) {
        *tx = *new;
        memstore_copy(store->pool, &tx->id, &new->id);
        memstore_copy(store->pool, &tx->signer_hash, &new->signer_hash);
        memstore_copy(store->pool, &tx->signer_serial, &new->signer_serial);
        memstore_copy(store->pool, &tx->signer, &new->signer);
        memstore_copy(store->pool, &tx->protection_alg, &new->protection_alg);
    }

    state = tx->state;
    tx->state = new->state;
    tx->version = new->version + 1;
    memstore_copy(store->pool, &tx->sender_nonce, &new->sender_nonce);

    tx->nonces = memstore_alloc(cmp_pcalloc(store->pool,
                                            (n + 1) * sizeof(cmp_str_t)));
    tx->nnonces = n;

    if (n != 0) {
        memcpy(tx->nonces, nonces, n * sizeof(cmp_str_t));
    }

    if (writes->nonce.len != 0) {
        memstore_copy(store->pool, &tx->nonces[tx->nnonces++], &writes->nonce);
    }

    /* a certConf that was refused does not give more time for one */

    if (tx->state != CMP_TX_CONFIRM) {
        tx->confirm_before = 0;

    } else if (new->version == 0
               || tx->state != state
               || writes->ncerts != 0)
    {
        tx->confirm_before = store->now + writes->confirm_timeout;
    }

    row->until = store->now + writes->transaction_memory;
    store->changes++;

    if (writes->reply.len != 0 && writes->request_hash.len != 0) {
        reply = memstore_push(&store->replies, sizeof(memstore_reply_t));
        memstore_copy(store->pool, &reply->hash, &writes->request_hash);
        memstore_copy(store->pool, &reply->id, &new->id);
        memstore_copy(store->pool, &reply->reply, &writes->reply);
        reply->until = store->now + writes->reply_memory;
    }

    return CMP_OK;
}


static int
memstore_spend(memstore_t *store, int64_t id)
{
    size_t                  i;
    memstore_credential_t  *cred;

    for (i = 0; i < store->credentials.n; i++) {
        cred = store->credentials.items[i];

        if (cred->record.id != id) {
            continue;
        }

        if (cred->record.disabled || cred->record.uses_left == 0) {
            return CMP_ERROR;
        }

        if (cred->record.uses_left > 0) {
            cred->record.uses_left--;
        }

        store->changes++;

        return CMP_OK;
    }

    return CMP_ERROR;
}


static int
memstore_change(memstore_t *store, int32_t ca_id,
    const cmp_write_change_t *change)
{
    cmp_key_t          *key;
    memstore_cert_t    *cert, *old;
    cmp_certificate_t  *record;

    cert = memstore_cert(store, &change->serial);

    if (cert == NULL
        || cert->ca_id != ca_id
        || cert->record.version != change->version)
    {
        return CMP_ERROR;
    }

    record = &cert->record;

    switch (change->action) {

    case CMP_CHANGE_CONFIRM:
        if (record->state != CMP_CERT_UNCONFIRMED) {
            return CMP_ERROR;
        }

        record->state = CMP_CERT_VALID;
        memstore_confirmed(store, cert);
        break;

    case CMP_CHANGE_REVOKE:
        if (record->state == CMP_CERT_REVOKED) {
            return CMP_ERROR;
        }

        /* the date of a hold stays when it becomes final */

        if (record->state != CMP_CERT_HOLD) {
            record->revoked_at = store->now;
        }

        record->state = CMP_CERT_REVOKED;
        record->reason = change->reason;
        record->hold_by = CMP_BY_NOBODY;
        cert->invalidity = change->invalidity;

        key = memstore_key(store, ca_id, &record->key_hash);

        if (key != NULL && change->reason == MEMSTORE_KEY_COMPROMISE) {
            key->compromised = 1;
            key->version++;
        }

        break;

    case CMP_CHANGE_HOLD:
        if (record->state != CMP_CERT_VALID) {
            return CMP_ERROR;
        }

        record->state = CMP_CERT_HOLD;
        record->reason = MEMSTORE_CERTIFICATE_HOLD;
        record->revoked_at = store->now;
        record->hold_by = change->by;
        cert->invalidity = change->invalidity;
        break;

    case CMP_CHANGE_RELEASE:
        if (record->state != CMP_CERT_HOLD) {
            return CMP_ERROR;
        }

        record->state = CMP_CERT_VALID;
        record->reason = 0;
        record->revoked_at = 0;
        record->hold_by = CMP_BY_NOBODY;
        cert->invalidity = 0;
        break;

    case CMP_CHANGE_USED:
        if (record->used) {
            return CMP_ERROR;
        }

        record->used = 1;

        old = memstore_cert(store, &record->predecessor);

        if (old != NULL) {
            old->record.retired = 1;
            old->record.version++;
        }

        break;

    default:
        abort();
    }

    record->version++;
    store->changes++;

    return CMP_OK;
}


static void
memstore_confirmed(memstore_t *store, memstore_cert_t *cert)
{
    cmp_key_t        *key;
    memstore_cert_t  *old;

    old = memstore_cert(store, &cert->record.predecessor);

    if (old != NULL) {
        old->record.replaced = 1;
        old->record.version++;
    }

    key = memstore_key(store, cert->ca_id, &cert->record.key_hash);

    if (key != NULL && !key->confirmed) {
        key->confirmed = 1;
        key->version++;
    }
}


static int
memstore_write_cert(memstore_t *store, const cmp_writes_t *writes, size_t n)
{
    memstore_cert_t         *new, *old;
    const cmp_write_cert_t  *cert;

    cert = &writes->certs[n];

    if (memstore_cert(store, &cert->serial) != NULL
        || memstore_claim_key(store, writes, n) != CMP_OK)
    {
        return CMP_ERROR;
    }

    old = NULL;

    if (cert->predecessor.len != 0) {
        old = memstore_cert(store, &cert->predecessor);

        if (old == NULL
            || old->ca_id != writes->ca_id
            || old->record.version != cert->predecessor_version
            || (old->record.state != CMP_CERT_VALID
                && old->record.state != CMP_CERT_HOLD))
        {
            return CMP_ERROR;
        }

        memstore_copy(store->pool, &old->record.successor, &cert->serial);
        old->record.version++;
    }

    new = memstore_insert_cert(store, writes->ca_id, cert);
    memstore_copy(store->pool, &new->record.transaction_id,
                  &writes->transaction.id);

    if (old != NULL && cert->state == CMP_CERT_VALID) {
        old->record.replaced = 1;
    }

    return CMP_OK;
}


/*
 * One key in several certificates of a commit: the first of them has the
 * version, the others have to be for the same subject.
 */

static int
memstore_claim_key(memstore_t *store, const cmp_writes_t *writes, size_t n)
{
    int                      known;
    size_t                   i;
    cmp_key_t               *key;
    memstore_key_t          *row;
    const cmp_write_cert_t  *cert;

    cert = &writes->certs[n];
    key = memstore_key(store, writes->ca_id, &cert->key_hash);
    known = 0;

    for (i = 0; i < n; i++) {
        if (cmp_str_equal(&writes->certs[i].key_hash, &cert->key_hash)) {
            known = 1;
        }
    }

    if (known) {
        if (!cmp_str_equal(&key->subject_hash, &cert->subject_hash)) {
            return CMP_ERROR;
        }

    } else if (cert->key_version == 0) {
        if (key != NULL) {
            return CMP_ERROR;
        }

        row = memstore_push(&store->keys, sizeof(memstore_key_t));
        row->ca_id = writes->ca_id;
        key = &row->record;
        memstore_copy(store->pool, &key->key_hash, &cert->key_hash);

    } else if (key == NULL || key->version != cert->key_version) {
        return CMP_ERROR;
    }

    memstore_copy(store->pool, &key->subject_hash, &cert->subject_hash);
    memstore_copy(store->pool, &key->serial, &cert->serial);
    key->version++;

    if (cert->state == CMP_CERT_VALID) {
        key->confirmed = 1;
    }

    return CMP_OK;
}


static memstore_cert_t *
memstore_insert_cert(memstore_t *store, int32_t ca_id,
    const cmp_write_cert_t *cert)
{
    memstore_cert_t    *row;
    cmp_certificate_t  *record;

    row = memstore_push(&store->certs, sizeof(memstore_cert_t));

    row->ca_id = ca_id;
    row->not_before = cert->not_before;
    row->not_after = cert->not_after;
    memstore_copy(store->pool, &row->subject, &cert->subject);
    memstore_copy(store->pool, &row->cert_hash, &cert->cert_hash);

    record = &row->record;

    record->cert_req_id = cert->cert_req_id;
    record->version = 1;
    record->state = cert->state;
    record->credential_id = cert->credential_id;
    memstore_copy(store->pool, &record->serial, &cert->serial);
    memstore_copy(store->pool, &record->der, &cert->der);
    memstore_copy(store->pool, &record->profile, &cert->profile);
    memstore_copy(store->pool, &record->key_hash, &cert->key_hash);
    memstore_copy(store->pool, &record->subject_hash, &cert->subject_hash);
    memstore_copy(store->pool, &record->predecessor, &cert->predecessor);

    store->changes++;

    return row;
}


static void
memstore_write_audits(memstore_t *store, const cmp_writes_t *writes)
{
    size_t             i;
    memstore_audit_t  *audit;

    for (i = 0; i < writes->naudits; i++) {
        audit = memstore_push(&store->audits, sizeof(memstore_audit_t));

        audit->record = writes->audits[i];
        memstore_copy(store->pool, &audit->record.action,
                      &writes->audits[i].action);
        memstore_copy(store->pool, &audit->record.serial,
                      &writes->audits[i].serial);
        memstore_copy(store->pool, &audit->record.text,
                      &writes->audits[i].text);
        memstore_copy(store->pool, &audit->requester, &writes->requester);
        memstore_copy(store->pool, &audit->client, &writes->client);
        store->changes++;
    }
}


memstore_cert_t *
memstore_add_cert(memstore_t *store, int32_t ca_id,
    const cmp_write_cert_t *cert)
{
    memstore_key_t   *row;
    memstore_cert_t  *new;

    if (memstore_key(store, ca_id, &cert->key_hash) == NULL) {
        row = memstore_push(&store->keys, sizeof(memstore_key_t));
        row->ca_id = ca_id;
        row->record.version = 1;
        memstore_copy(store->pool, &row->record.key_hash, &cert->key_hash);
        memstore_copy(store->pool, &row->record.subject_hash,
                      &cert->subject_hash);
        memstore_copy(store->pool, &row->record.serial, &cert->serial);
    }

    new = memstore_insert_cert(store, ca_id, cert);

    if (cert->state == CMP_CERT_VALID) {
        memstore_confirmed(store, new);
    }

    return new;
}


int
memstore_revoke(memstore_t *store, const cmp_str_t *serial, int reason, int by)
{
    memstore_cert_t     *cert;
    cmp_write_change_t   change;

    cert = memstore_cert(store, serial);
    if (cert == NULL) {
        return CMP_ERROR;
    }

    memset(&change, 0, sizeof(cmp_write_change_t));

    change.serial = *serial;
    change.version = cert->record.version;
    change.action = (reason == MEMSTORE_CERTIFICATE_HOLD) ? CMP_CHANGE_HOLD
                                                          : CMP_CHANGE_REVOKE;
    change.reason = reason;
    change.by = by;

    return memstore_change(store, cert->ca_id, &change);
}


void
memstore_sweep(memstore_t *store)
{
    size_t                   i, k, n;
    memstore_cert_t         *cert;
    memstore_reply_t        *reply;
    memstore_transaction_t  *tx;

    for (i = 0; i < store->transactions.n; i++) {
        tx = store->transactions.items[i];

        if (tx->record.state == CMP_TX_WAITING
            && tx->wait_until <= store->now)
        {
            memstore_expire(store, tx);
            continue;
        }

        if (tx->record.state != CMP_TX_CONFIRM
            || tx->record.confirm_before > store->now)
        {
            continue;
        }

        for (k = 0; k < store->certs.n; k++) {
            cert = store->certs.items[k];

            if (cert->record.state == CMP_CERT_UNCONFIRMED
                && cmp_str_equal(&cert->record.transaction_id, &tx->record.id))
            {
                (void) memstore_revoke(store, &cert->record.serial,
                                       MEMSTORE_CESSATION, CMP_BY_NOBODY);
            }
        }

        tx->record.state = memstore_waiting(store, &tx->record.id) != 0
                           ? CMP_TX_WAITING : CMP_TX_ENDED;
        tx->record.version++;
    }

    for (i = 0, n = 0; i < store->transactions.n; i++) {
        tx = store->transactions.items[i];

        if (tx->record.state == CMP_TX_ENDED && tx->until <= store->now) {
            free(tx);

        } else {
            store->transactions.items[n++] = tx;
        }
    }

    store->transactions.n = n;

    for (i = 0, n = 0; i < store->replies.n; i++) {
        reply = store->replies.items[i];

        if (reply->until <= store->now) {
            free(reply);

        } else {
            store->replies.items[n++] = reply;
        }
    }

    store->replies.n = n;
}
