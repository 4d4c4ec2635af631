
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What is read, and rows put in by hand.  Writes: memstore_commit.c.
 */


#include <memstore.h>
#include <memstore_local.h>

#include <stdlib.h>
#include <string.h>


static void memstore_list_free(memstore_list_t *list);
static void memstore_copy_transaction(cmp_pool_t *pool, cmp_transaction_t *dst,
    const cmp_transaction_t *src);
static void memstore_copy_cert(cmp_pool_t *pool, cmp_certificate_t *dst,
    const cmp_certificate_t *src);
static cmp_credential_t *memstore_find_credential(memstore_t *store,
    const cmp_load_t *load, const cmp_transaction_t *tx);
static memstore_cert_t *memstore_find_signer(memstore_t *store,
    const cmp_load_t *load, const cmp_transaction_t *tx);
static void memstore_load_certs(memstore_t *store, const cmp_load_t *load,
    cmp_pool_t *pool, cmp_records_t *records, memstore_cert_t *signer);
static void memstore_load_tokens(memstore_t *store, const cmp_load_t *load,
    cmp_pool_t *pool, cmp_records_t *records);
static void memstore_load_wanted(memstore_t *store, const cmp_load_t *load,
    cmp_pool_t *pool, cmp_records_t *records);
static void memstore_push_cert(cmp_pool_t *pool, cmp_records_t *records,
    const memstore_cert_t *cert);


memstore_t *
memstore_create(int64_t now)
{
    memstore_t  *store;

    store = memstore_alloc(calloc(1, sizeof(memstore_t)));

    store->pool = memstore_alloc(cmp_pool_create());
    store->now = now;

    return store;
}


void
memstore_destroy(memstore_t *store)
{
    if (store == NULL) {
        return;
    }

    memstore_list_free(&store->transactions);
    memstore_list_free(&store->replies);
    memstore_list_free(&store->certs);
    memstore_list_free(&store->keys);
    memstore_list_free(&store->credentials);
    memstore_list_free(&store->audits);
    memstore_list_free(&store->requests);

    cmp_pool_destroy(store->pool);
    free(store);
}


static void
memstore_list_free(memstore_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        free(list->items[i]);
    }

    free(list->items);
}


void *
memstore_alloc(void *p)
{
    if (p == NULL) {
        abort();
    }

    return p;
}


void *
memstore_push(memstore_list_t *list, size_t size)
{
    void  *item;

    if (list->n == list->size) {
        list->size = list->size * 2 + 16;
        list->items = memstore_alloc(realloc(list->items,
                                             list->size * sizeof(void *)));
    }

    item = memstore_alloc(calloc(1, size));
    list->items[list->n++] = item;

    return item;
}


void
memstore_copy(cmp_pool_t *pool, cmp_str_t *dst, const cmp_str_t *src)
{
    if (src->len == 0) {
        dst->len = 0;
        dst->data = NULL;
        return;
    }

    if (cmp_pstrdup(pool, dst, src->data, src->len) != CMP_OK) {
        abort();
    }
}


cmp_str_t *
memstore_copy_list(cmp_pool_t *pool, const cmp_str_t *src, size_t n)
{
    size_t      i;
    cmp_str_t  *dst;

    if (n == 0) {
        return NULL;
    }

    dst = memstore_alloc(cmp_pcalloc(pool, n * sizeof(cmp_str_t)));

    for (i = 0; i < n; i++) {
        memstore_copy(pool, &dst[i], &src[i]);
    }

    return dst;
}


cmp_commit_e
memstore_load(memstore_t *store, const cmp_load_t *load, cmp_pool_t *pool,
    cmp_records_t *records)
{
    size_t              i;
    cmp_key_t          *key;
    cmp_load_t          all;
    cmp_credential_t   *cred, *copy;
    memstore_cert_t    *signer;
    memstore_reply_t   *reply;
    cmp_transaction_t  *tx;

    memset(records, 0, sizeof(cmp_records_t));
    records->now = store->now;

    if (store->no_load) {
        return CMP_COMMIT_UNAVAILABLE;
    }

    store->loads++;

    for (i = 0; i < store->replies.n; i++) {
        reply = store->replies.items[i];

        if (reply->until > store->now
            && load->request_hash.len != 0
            && cmp_str_equal(&reply->hash, &load->request_hash)
            && (load->transaction_id.len == 0
                || cmp_str_equal(&reply->id, &load->transaction_id)))
        {
            /* without an ID the bytes are all there is to know it by */

            memstore_copy(pool, &records->reply, &reply->reply);
            return CMP_COMMIT_OK;
        }
    }

    tx = memstore_transaction(store, &load->transaction_id);
    if (tx != NULL) {
        records->transaction = memstore_alloc(
                                  cmp_pcalloc(pool, sizeof(cmp_transaction_t)));
        memstore_copy_transaction(pool, records->transaction, tx);

        /* the record is the first member */

        all = *load;
        memstore_load_waiting(store, (memstore_transaction_t *) tx, pool, &all,
                              records);
        load = &all;
    }

    cred = memstore_find_credential(store, load, tx);
    if (cred != NULL) {
        copy = memstore_alloc(cmp_pcalloc(pool, sizeof(cmp_credential_t)));
        memstore_copy_credential(pool, copy, cred);
        records->credential = copy;
    }

    memstore_load_tokens(store, load, pool, records);

    signer = memstore_find_signer(store, load, tx);
    if (signer != NULL) {
        records->signer = memstore_alloc(
                                  cmp_pcalloc(pool, sizeof(cmp_certificate_t)));
        memstore_copy_cert(pool, records->signer, &signer->record);
    }

    if (load->nkey_hashes != 0) {
        records->keys = memstore_alloc(
                        cmp_pcalloc(pool,
                                    load->nkey_hashes * sizeof(cmp_key_t)));
    }

    for (i = 0; i < load->nkey_hashes; i++) {
        key = memstore_key(store, load->ca_id, &load->key_hashes[i]);
        if (key == NULL) {
            continue;
        }

        records->keys[records->nkeys] = *key;
        memstore_copy(pool, &records->keys[records->nkeys].key_hash,
                      &key->key_hash);
        memstore_copy(pool, &records->keys[records->nkeys].subject_hash,
                      &key->subject_hash);
        memstore_copy(pool, &records->keys[records->nkeys].serial,
                      &key->serial);
        records->nkeys++;
    }

    memstore_load_certs(store, load, pool, records, signer);
    memstore_load_wanted(store, load, pool, records);

    return CMP_COMMIT_OK;
}


static void
memstore_load_tokens(memstore_t *store, const cmp_load_t *load,
    cmp_pool_t *pool, cmp_records_t *records)
{
    size_t                  i, j;
    memstore_credential_t  *cred;

    if (load->ntoken_hashes == 0) {
        return;
    }

    records->tokens = memstore_alloc(
                        cmp_pcalloc(pool, load->ntoken_hashes
                                          * sizeof(cmp_credential_t)));

    for (i = 0; i < store->credentials.n; i++) {
        cred = store->credentials.items[i];

        for (j = 0; j < load->ntoken_hashes; j++) {

            if (cred->ca_id == load->ca_id
                && cmp_str_equal(&cred->record.token_hash,
                                 &load->token_hashes[j]))
            {
                memstore_copy_credential(pool,
                                         &records->tokens[records->ntokens++],
                                         &cred->record);
                break;
            }
        }
    }
}


static void
memstore_load_wanted(memstore_t *store, const cmp_load_t *load,
    cmp_pool_t *pool, cmp_records_t *records)
{
    cmp_rollover_t  *rollover;

    if (load->want & CMP_WANT_WAITING) {

        if (records->transaction == NULL
            || records->transaction->state != CMP_TX_WAITING)
        {
            return;
        }
    }

    if ((load->want & CMP_WANT_ROLLOVER) && store->rollover != NULL) {
        rollover = memstore_alloc(cmp_pcalloc(pool, sizeof(cmp_rollover_t)));
        records->rollover = rollover;

        memstore_copy(pool, &rollover->new_with_new,
                      &store->rollover->new_with_new);
        memstore_copy(pool, &rollover->new_with_old,
                      &store->rollover->new_with_old);
        memstore_copy(pool, &rollover->old_with_new,
                      &store->rollover->old_with_new);
        memstore_copy(pool, &rollover->old_root, &store->rollover->old_root);
    }

    if (load->want & CMP_WANT_CRL) {
        memstore_copy(pool, &records->crl, &store->crl);
        records->crl_this_update = store->crl_this_update;
    }
}


static void
memstore_copy_transaction(cmp_pool_t *pool, cmp_transaction_t *dst,
    const cmp_transaction_t *src)
{
    *dst = *src;

    memstore_copy(pool, &dst->id, &src->id);
    memstore_copy(pool, &dst->signer_hash, &src->signer_hash);
    memstore_copy(pool, &dst->signer_serial, &src->signer_serial);
    memstore_copy(pool, &dst->signer, &src->signer);
    memstore_copy(pool, &dst->protection_alg, &src->protection_alg);
    memstore_copy(pool, &dst->sender_nonce, &src->sender_nonce);
    dst->nonces = memstore_copy_list(pool, src->nonces, src->nnonces);
}


static void
memstore_copy_cert(cmp_pool_t *pool, cmp_certificate_t *dst,
    const cmp_certificate_t *src)
{
    *dst = *src;

    memstore_copy(pool, &dst->serial, &src->serial);
    memstore_copy(pool, &dst->der, &src->der);
    memstore_copy(pool, &dst->transaction_id, &src->transaction_id);
    memstore_copy(pool, &dst->profile, &src->profile);
    memstore_copy(pool, &dst->key_hash, &src->key_hash);
    memstore_copy(pool, &dst->subject_hash, &src->subject_hash);
    memstore_copy(pool, &dst->predecessor, &src->predecessor);
    memstore_copy(pool, &dst->successor, &src->successor);
}


void
memstore_copy_credential(cmp_pool_t *pool, cmp_credential_t *dst,
    const cmp_credential_t *src)
{
    *dst = *src;

    memstore_copy(pool, &dst->reference, &src->reference);
    memstore_copy(pool, &dst->secret, &src->secret);
    memstore_copy(pool, &dst->token_hash, &src->token_hash);
    memstore_copy(pool, &dst->subject, &src->subject);
    dst->profiles = memstore_copy_list(pool, src->profiles, src->nprofiles);
    dst->sans = memstore_copy_list(pool, src->sans, src->nsans);
}


static cmp_credential_t *
memstore_find_credential(memstore_t *store, const cmp_load_t *load,
    const cmp_transaction_t *tx)
{
    size_t                  i;
    memstore_credential_t  *cred;

    for (i = 0; i < store->credentials.n; i++) {
        cred = store->credentials.items[i];

        if (cred->ca_id != load->ca_id || cred->record.token_hash.len != 0) {
            continue;
        }

        if (load->reference.len != 0) {
            if (cmp_str_equal(&cred->record.reference, &load->reference)) {
                return &cred->record;
            }

            continue;
        }

        if (tx != NULL && tx->credential_id == cred->record.id) {
            return &cred->record;
        }
    }

    return NULL;
}


/* several certificates may have one name and key: a valid one, the latest */

static memstore_cert_t *
memstore_find_signer(memstore_t *store, const cmp_load_t *load,
    const cmp_transaction_t *tx)
{
    size_t            i;
    const cmp_str_t  *hash, *serial;
    memstore_cert_t  *cert, *found;

    found = NULL;
    hash = &load->signer_hash;
    serial = &load->signer_serial;

    if (hash->len == 0 && tx != NULL && tx->signer_hash.len != 0) {
        hash = &tx->signer_hash;
        serial = &tx->signer_serial;
    }

    for (i = 0; i < store->certs.n; i++) {
        cert = store->certs.items[i];

        if (cert->ca_id != load->ca_id) {
            continue;
        }

        if (hash->len != 0) {
            if (cmp_str_equal(&cert->cert_hash, hash)
                && cmp_str_equal(&cert->record.serial, serial))
            {
                return cert;
            }

            continue;
        }

        if (load->signer_subject.len != 0
            && load->signer_ski.len == CMP_SKI_LEN
            && cmp_str_equal(&cert->subject, &load->signer_subject)
            && memcmp(cert->record.key_hash.data, load->signer_ski.data,
                      CMP_SKI_LEN)
               == 0
            && (found == NULL
                || cert->record.state == CMP_CERT_VALID
                || found->record.state != CMP_CERT_VALID))
        {
            found = cert;
        }
    }

    return found;
}


static void
memstore_load_certs(memstore_t *store, const cmp_load_t *load,
    cmp_pool_t *pool, cmp_records_t *records, memstore_cert_t *signer)
{
    size_t                  i, k, n;
    memstore_cert_t        *cert;
    const cmp_load_name_t  *name;

    if (store->certs.n == 0) {
        return;
    }

    n = store->certs.n * sizeof(cmp_certificate_t);
    records->certificates = memstore_alloc(cmp_pcalloc(pool, n));

    for (i = 0; i < store->certs.n; i++) {
        cert = store->certs.items[i];

        if (cert->ca_id != load->ca_id) {
            continue;
        }

        if (load->transaction_id.len != 0
            && cmp_str_equal(&cert->record.transaction_id,
                             &load->transaction_id))
        {
            memstore_push_cert(pool, records, cert);
        }

        for (k = 0; k < load->nserials; k++) {
            if (cmp_str_equal(&cert->record.serial, &load->serials[k])) {
                memstore_push_cert(pool, records, cert);
            }
        }

        for (k = 0; k < records->nkeys; k++) {
            if (cmp_str_equal(&cert->record.serial, &records->keys[k].serial))
            {
                memstore_push_cert(pool, records, cert);
            }
        }

        for (k = 0; k < load->nnames; k++) {
            name = &load->names[k];

            if ((name->subject.len != 0 || name->key_hash.len != 0)
                && (name->subject.len == 0
                    || cmp_str_equal(&cert->subject, &name->subject))
                && (name->key_hash.len == 0
                    || cmp_str_equal(&cert->record.key_hash, &name->key_hash)))
            {
                memstore_push_cert(pool, records, cert);
            }
        }
    }

    /* successors of these, not the successors of successors */

    n = records->ncertificates;

    for (i = 0; i < n; i++) {
        cert = memstore_cert(store, &records->certificates[i].successor);

        if (cert != NULL) {
            memstore_push_cert(pool, records, cert);
        }
    }

    if (signer != NULL) {
        cert = memstore_cert(store, &signer->record.successor);

        if (cert != NULL) {
            memstore_push_cert(pool, records, cert);
        }
    }
}


static void
memstore_push_cert(cmp_pool_t *pool, cmp_records_t *records,
    const memstore_cert_t *cert)
{
    size_t  i;

    for (i = 0; i < records->ncertificates; i++) {
        if (cmp_str_equal(&records->certificates[i].serial,
                          &cert->record.serial))
        {
            return;
        }
    }

    memstore_copy_cert(pool, &records->certificates[records->ncertificates],
                       &cert->record);
    records->ncertificates++;
}


cmp_credential_t *
memstore_add_credential(memstore_t *store, int32_t ca_id,
    const cmp_credential_t *credential)
{
    memstore_credential_t  *cred;

    cred = memstore_push(&store->credentials, sizeof(memstore_credential_t));

    cred->ca_id = ca_id;
    memstore_copy_credential(store->pool, &cred->record, credential);
    cred->record.id = store->credentials.n;

    return &cred->record;
}


memstore_cert_t *
memstore_cert(memstore_t *store, const cmp_str_t *serial)
{
    size_t            i;
    memstore_cert_t  *cert;

    if (serial->len == 0) {
        return NULL;
    }

    for (i = 0; i < store->certs.n; i++) {
        cert = store->certs.items[i];

        if (cmp_str_equal(&cert->record.serial, serial)) {
            return cert;
        }
    }

    return NULL;
}


cmp_transaction_t *
memstore_transaction(memstore_t *store, const cmp_str_t *id)
{
    size_t                   i;
    memstore_transaction_t  *tx;

    if (id->len == 0) {
        return NULL;
    }

    for (i = 0; i < store->transactions.n; i++) {
        tx = store->transactions.items[i];

        if (cmp_str_equal(&tx->record.id, id)) {
            return &tx->record;
        }
    }

    return NULL;
}


cmp_key_t *
memstore_key(memstore_t *store, int32_t ca_id, const cmp_str_t *hash)
{
    size_t           i;
    memstore_key_t  *key;

    for (i = 0; i < store->keys.n; i++) {
        key = store->keys.items[i];

        if (key->ca_id == ca_id
            && cmp_str_equal(&key->record.key_hash, hash))
        {
            return &key->record;
        }
    }

    return NULL;
}


memstore_audit_t *
memstore_audit(memstore_t *store, size_t n)
{
    if (n >= store->audits.n) {
        return NULL;
    }

    return store->audits.items[store->audits.n - 1 - n];
}
