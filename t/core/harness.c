
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <harness.h>
#include <harness_local.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


static void harness_abort(const char *text);
static void harness_conf(harness_t *h, cmp_exchange_conf_t *conf);
static int harness_other_ca(void *data, const X509_NAME *name);
static cmp_exchange_e harness_loop(harness_t *h, cmp_exchange_t *ex,
    cmp_pool_t **pools);
static cmp_records_t *harness_load(harness_t *h, cmp_exchange_t *ex,
    cmp_pool_t *pool);
static cmp_commit_e harness_commit(harness_t *h, cmp_exchange_t *ex,
    cmp_pool_t *pool);
static void harness_check_writes(const cmp_writes_t *writes,
    const cmp_exchange_info_t *info);
static void harness_info(harness_t *h, const cmp_exchange_info_t *info);


void  (*harness_fail)(const char *text) = harness_abort;


static void
harness_abort(const char *text)
{
    fprintf(stderr, "%s\n", text);
    abort();
}


void *
harness_alloc(void *p)
{
    if (p == NULL) {
        harness_abort("out of memory");
    }

    return p;
}


harness_t *
harness_create(int key)
{
    harness_t  *h;

    h = harness_alloc(calloc(1, sizeof(harness_t)));

    h->pool = harness_alloc(cmp_pool_create());
    harness_setup(h, key);

    harness_reset(h);

    ERR_clear_error();

    return h;
}


void
harness_reset(harness_t *h)
{
    cmp_credential_t  credential;

    h->now = HARNESS_NOW;
    h->random.seed = 1;
    h->random.counter = 0;
    h->sign_refusals = 1;
    h->serial = 1;
    h->profile = NULL;
    h->label = CMP_LABEL_NONE;
    h->other_ca = NULL;

    memstore_destroy(h->store);
    h->store = memstore_create(h->now);

    memset(&credential, 0, sizeof(cmp_credential_t));

    credential.reference.data = (unsigned char *) HARNESS_REFERENCE;
    credential.reference.len = sizeof(HARNESS_REFERENCE) - 1;
    credential.secret.data = (unsigned char *) HARNESS_SECRET;
    credential.secret.len = sizeof(HARNESS_SECRET) - 1;
    credential.uses_left = -1;

    h->credential = memstore_add_credential(h->store, HARNESS_CA_ID,
                                            &credential);
}


void
harness_reload(harness_t *h)
{
    cmp_cert_cache_destroy(h->ca.cert_cache);
    h->ca.cert_cache = harness_alloc(cmp_cert_cache_create());
}


void
harness_destroy(harness_t *h)
{
    if (h == NULL) {
        return;
    }

    cmp_ca_cleanup(&h->ca);
    memstore_destroy(h->store);

    harness_pair_free(&h->root);
    harness_pair_free(&h->issuer);
    harness_pair_free(&h->response);
    harness_pair_free(&h->vendor);
    harness_pair_free(&h->device_cert);
    harness_pair_free(&h->lost_cert);
    harness_pair_free(&h->ra_cert);
    harness_pair_free(&h->stranger);

    cmp_pool_destroy(h->pool);
    free(h->reply);
    free(h);
}


void
harness_pair_free(harness_pair_t *pair)
{
    X509_free(pair->cert);
    EVP_PKEY_free(pair->key);

    pair->cert = NULL;
    pair->key = NULL;
}


cmp_exchange_e
harness_exchange(harness_t *h, const unsigned char *request, size_t len)
{
    int                   rival;
    size_t                i;
    unsigned              changes;
    cmp_str_t             reply;
    cmp_pool_t           *pools[HARNESS_TRIES];
    unsigned char        *copy;
    cmp_exchange_t       *ex;
    cmp_exchange_conf_t   conf;

    harness_conf(h, &conf);

    free(h->reply);
    h->reply = NULL;
    h->reply_len = 0;
    h->loads = 0;
    h->committed = 0;
    memset(pools, 0, sizeof(pools));
    changes = h->store->changes;
    rival = (h->store->rival != NULL);

    copy = harness_alloc(malloc(len != 0 ? len : 1));
    if (len != 0) {
        memcpy(copy, request, len);
    }

    ex = harness_alloc(cmp_exchange_create(&conf));

    h->result = cmp_exchange_parse(ex, copy, len);

    if (h->result == CMP_EXCHANGE_DECIDE) {
        h->result = cmp_exchange_decide(ex, NULL);

        if (h->result == CMP_EXCHANGE_COMMIT) {
            harness_fail("a commit without records");
        }

    } else if (h->result == CMP_EXCHANGE_LOAD) {
        h->result = harness_loop(h, ex, pools);
    }

    reply = cmp_exchange_reply(ex);

    if (h->result != CMP_EXCHANGE_FORBIDDEN
        && h->result != CMP_EXCHANGE_ERROR)
    {
        if (reply.len == 0) {
            harness_fail("no reply");
        }

        h->reply = harness_alloc(malloc(reply.len));
        memcpy(h->reply, reply.data, reply.len);
        h->reply_len = reply.len;
    }

    harness_info(h, cmp_exchange_info(ex));

    cmp_exchange_destroy(ex);
    free(copy);

    for (i = 0; i < HARNESS_TRIES; i++) {
        cmp_pool_destroy(pools[i]);
    }

    if (ERR_peek_error() != 0) {
        ERR_print_errors_fp(stderr);
        ERR_clear_error();
        harness_fail("the error queue of libcrypto is not empty");
    }

    if (!h->committed
        && h->store->changes != changes
        && (rival == 0 || h->store->rival != NULL))
    {
        harness_fail("something was written without a commit");
    }

    return h->result;
}


static void
harness_conf(harness_t *h, cmp_exchange_conf_t *conf)
{
    memset(conf, 0, sizeof(cmp_exchange_conf_t));

    conf->ca = &h->ca;
    conf->label = h->label;
    conf->now = h->now;
    conf->random = pki_random;
    conf->random_data = &h->random;
    conf->sign_refusals = h->sign_refusals;
    conf->other_ca = harness_other_ca;
    conf->other_ca_data = h;
    conf->client.data = (unsigned char *) "192.0.2.1";
    conf->client.len = 9;

    if (h->profile != NULL) {
        conf->profile.data = (unsigned char *) h->profile;
        conf->profile.len = strlen(h->profile);
    }
}


static int
harness_other_ca(void *data, const X509_NAME *name)
{
    harness_t  *h = data;

    return h->other_ca != NULL && X509_NAME_cmp(h->other_ca, name) == 0;
}


static cmp_exchange_e
harness_loop(harness_t *h, cmp_exchange_t *ex, cmp_pool_t **pools)
{
    int              i;
    cmp_exchange_e   rc;
    cmp_records_t   *records;

    for (i = 0; i < HARNESS_TRIES; i++) {
        pools[i] = harness_alloc(cmp_pool_create());

        records = harness_load(h, ex, pools[i]);
        if (records == NULL) {
            return cmp_exchange_unavailable(ex);
        }

        h->loads++;

        rc = cmp_exchange_decide(ex, records);

        if (rc != CMP_EXCHANGE_COMMIT) {
            return rc;
        }

        if (i > 0) {
            cmp_pool_destroy(pools[i - 1]);
            pools[i - 1] = NULL;
        }

        switch (harness_commit(h, ex, pools[i])) {

        case CMP_COMMIT_OK:
            h->committed = 1;
            return CMP_EXCHANGE_COMMIT;

        case CMP_COMMIT_RACE:
            break;

        default:
            return cmp_exchange_unavailable(ex);
        }
    }

    return cmp_exchange_unavailable(ex);
}


static cmp_records_t *
harness_load(harness_t *h, cmp_exchange_t *ex, cmp_pool_t *pool)
{
    size_t          i, n;
    cmp_records_t  *records;

    n = cmp_exchange_nloads(ex);
    records = harness_alloc(cmp_pcalloc(pool, n * sizeof(cmp_records_t)));

    for (i = 0; i < n; i++) {
        if (memstore_load(h->store, cmp_exchange_load(ex, i), pool,
                          &records[i])
            != CMP_COMMIT_OK)
        {
            return NULL;
        }
    }

    return records;
}


static cmp_commit_e
harness_commit(harness_t *h, cmp_exchange_t *ex, cmp_pool_t *pool)
{
    size_t                i, n;
    const cmp_writes_t  **writes;

    n = cmp_exchange_nwrites(ex);

    if (n == 0) {
        harness_fail("a commit of nothing");
    }

    writes = harness_alloc(cmp_pcalloc(pool, n * sizeof(cmp_writes_t *)));

    for (i = 0; i < n; i++) {
        writes[i] = cmp_exchange_writes(ex, i);
        harness_check_writes(writes[i], cmp_exchange_info(ex));
    }

    return memstore_commit(h->store, writes, n);
}


static void
harness_check_writes(const cmp_writes_t *writes,
    const cmp_exchange_info_t *info)
{
    size_t  i, k;

    if (!info->authenticated || writes->requester.len == 0) {
        harness_fail("a commit for somebody unknown");
    }

    /* nothing is decided by a pollReq that has to be sent again */

    if (writes->naudits == 0 && info->status != CMP_STATUS_WAITING) {
        harness_fail("a commit without an audit row");
    }

    if (writes->client.len == 0) {
        harness_fail("an audit row without the client's address");
    }

    for (i = 0; i < writes->naudits; i++) {
        if (writes->audits[i].action.len == 0
            || ((writes->audits[i].fail_info != -1)
                != (writes->audits[i].status == CMP_STATUS_REJECTION)))
        {
            harness_fail("an audit row that says nothing");
        }
    }

    for (i = 0; i < writes->nchanges; i++) {
        for (k = 0; k < i; k++) {
            if (writes->changes[i].action != CMP_CHANGE_USED
                && writes->changes[k].action != CMP_CHANGE_USED
                && cmp_str_equal(&writes->changes[i].serial,
                                 &writes->changes[k].serial))
            {
                harness_fail("two changes of one certificate");
            }
        }
    }

    for (i = 0; i < writes->ncerts; i++) {
        if (writes->certs[i].serial.len != CMP_SERIAL_LEN
            || writes->certs[i].der.len == 0
            || writes->certs[i].cert_hash.len != CMP_SHA256_LEN
            || writes->certs[i].key_hash.len != CMP_SHA256_LEN
            || writes->certs[i].subject_hash.len != CMP_SHA256_LEN
            || writes->certs[i].profile.len == 0
            || writes->certs[i].not_before >= writes->certs[i].not_after)
        {
            harness_fail("a certificate without its data");
        }
    }
}


static void
harness_info(harness_t *h, const cmp_exchange_info_t *info)
{
    h->info = *info;
    h->logged = (info->log != NULL);

    snprintf(h->requester, sizeof(h->requester), "%.*s",
             (int) info->requester.len, (char *) info->requester.data);

    if (info->operation == NULL || info->operation[0] == '\0') {
        harness_fail("no operation for the log");
    }

    /* they point into the exchange */

    h->info.transaction_id.data = NULL;
    h->info.sender.data = NULL;
    h->info.requester.data = NULL;
    h->info.profile.data = NULL;
    h->info.serial.data = NULL;
    h->info.text = NULL;
    h->info.log = NULL;
}


/* as the CA makes it, for a configuration of OpenSSL */

static const char *
harness_ski(EVP_PKEY *key, char *text, size_t size)
{
    int             i, n;
    unsigned char  *spki, hash[CMP_SHA256_LEN];

    spki = NULL;
    n = i2d_PUBKEY(key, &spki);
    (void) EVP_Digest(spki, n, hash, NULL, EVP_sha256(), NULL);
    OPENSSL_free(spki);

    n = snprintf(text, size, "DER:04%02x", CMP_SKI_LEN);

    for (i = 0; i < CMP_SKI_LEN; i++) {
        n += snprintf(text + n, size - n, "%02x", hash[i]);
    }

    return text;
}


harness_pair_t
harness_enrol(harness_t *h, const char *subject, int key, const char *name,
    int state)
{
    int                n;
    X509              *cert;
    char               ski[64];
    pki_cert_t         conf;
    X509_PUBKEY       *pubkey;
    unsigned char     *der, *spki, *subj, hash[3][CMP_SHA256_LEN];
    harness_pair_t     pair;
    cmp_write_cert_t   row;

    memset(&conf, 0, sizeof(pki_cert_t));
    memset(&row, 0, sizeof(cmp_write_cert_t));

    pair.key = pki_key(key, name);

    conf.subject = subject;
    conf.key = pair.key;
    conf.issuer = h->issuer.cert;
    conf.issuer_key = h->issuer.key;
    conf.serial = 0x1000000000000000ULL + h->serial++;
    conf.not_before = HARNESS_NOW - HARNESS_YEAR;
    conf.not_after = HARNESS_NOW + HARNESS_YEAR;
    conf.key_usage = "critical,digitalSignature";
    conf.ski = harness_ski(pair.key, ski, sizeof(ski));

    cert = pki_cert(&conf);
    pair.cert = cert;

    der = NULL;
    n = i2d_X509(cert, &der);
    row.der.data = der;
    row.der.len = n;
    (void) EVP_Digest(der, n, hash[0], NULL, EVP_sha256(), NULL);
    row.cert_hash.data = hash[0];
    row.cert_hash.len = CMP_SHA256_LEN;

    spki = NULL;
    pubkey = X509_get_X509_PUBKEY(cert);
    n = i2d_X509_PUBKEY(pubkey, &spki);
    (void) EVP_Digest(spki, n, hash[1], NULL, EVP_sha256(), NULL);
    row.key_hash.data = hash[1];
    row.key_hash.len = CMP_SHA256_LEN;

    subj = NULL;
    n = i2d_X509_NAME(X509_get_subject_name(cert), &subj);
    row.subject.data = subj;
    row.subject.len = n;
    (void) EVP_Digest(subj, n, hash[2], NULL, EVP_sha256(), NULL);
    row.subject_hash.data = hash[2];
    row.subject_hash.len = CMP_SHA256_LEN;

    row.serial = harness_serial(cert);
    row.profile.data = (unsigned char *) "device";
    row.profile.len = 6;
    row.state = (state == CMP_CERT_UNCONFIRMED) ? CMP_CERT_UNCONFIRMED
                                                : CMP_CERT_VALID;
    row.not_before = conf.not_before;
    row.not_after = conf.not_after;

    (void) memstore_add_cert(h->store, HARNESS_CA_ID, &row);

    if (state == CMP_CERT_REVOKED) {
        (void) memstore_revoke(h->store, &row.serial, CRL_REASON_SUPERSEDED,
                               CMP_BY_OPERATOR);

    } else if (state == CMP_CERT_HOLD) {
        (void) memstore_revoke(h->store, &row.serial,
                               CRL_REASON_CERTIFICATE_HOLD, CMP_BY_OPERATOR);
    }

    OPENSSL_free(der);
    OPENSSL_free(spki);
    OPENSSL_free(subj);

    return pair;
}


cmp_str_t
harness_serial(X509 *cert)
{
    cmp_str_t            serial;
    const ASN1_INTEGER  *number;

    number = X509_get0_serialNumber(cert);

    serial.data = (unsigned char *) ASN1_STRING_get0_data(number);
    serial.len = ASN1_STRING_length(number);

    return serial;
}


memstore_cert_t *
harness_row(harness_t *h, X509 *cert)
{
    cmp_str_t  serial;

    serial = harness_serial(cert);

    return memstore_cert(h->store, &serial);
}


void
harness_client_mac(harness_t *h, client_t *client)
{
    client->protection = CLIENT_PBM;
    client->reference = HARNESS_REFERENCE;
    client->secret = HARNESS_SECRET;
    client->sender = "/CN=" HARNESS_REFERENCE;
    client->recipient = X509_get_subject_name(h->issuer.cert);
    client->root = h->root.cert;
}


void
harness_client_sign(harness_t *h, client_t *client, const harness_pair_t *pair)
{
    client->protection = CLIENT_SIGNATURE;
    client->cert = pair->cert;
    client->key = pair->key;
    client->recipient = X509_get_subject_name(h->issuer.cert);
    client->root = h->root.cert;
}
