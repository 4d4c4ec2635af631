
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <harness.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


#define HARNESS_BEGIN         1577836800000LL     /* 2020-01-01 */
#define HARNESS_END           2493072000000LL     /* 2049-01-01 */


static void harness_abort(const char *text);
static void *harness_alloc(void *p);
static void harness_pki(harness_t *h, int key);
static harness_pair_t harness_issue(const char *subject, int key,
    const harness_pair_t *issuer, uint64_t serial, const char *eku);
static void harness_profiles(harness_t *h);
static void harness_words(harness_t *h, cmp_profile_t *profile,
    int (*add)(cmp_profile_t *profile, cmp_pool_t *pool, const cmp_str_t *word,
    char *err, size_t size),
    const char *words);
static void harness_ca(harness_t *h);
static void harness_trust(harness_t *h);
static X509 *harness_ref(X509 *cert);
static void harness_conf(harness_t *h, cmp_exchange_conf_t *conf);
static cmp_exchange_e harness_loop(harness_t *h, cmp_exchange_t *ex,
    cmp_pool_t **pools);
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


static void *
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
    harness_t         *h;
    cmp_credential_t   credential;

    h = harness_alloc(calloc(1, sizeof(harness_t)));

    h->pool = harness_alloc(cmp_pool_create());
    h->now = HARNESS_NOW;
    h->random.seed = 1;
    h->sign_refusals = 1;
    h->serial = 1;
    h->store = memstore_create(h->now);

    harness_pki(h, key);
    harness_profiles(h);
    harness_ca(h);

    memset(&credential, 0, sizeof(cmp_credential_t));

    credential.reference.data = (unsigned char *) HARNESS_REFERENCE;
    credential.reference.len = sizeof(HARNESS_REFERENCE) - 1;
    credential.secret.data = (unsigned char *) HARNESS_SECRET;
    credential.secret.len = sizeof(HARNESS_SECRET) - 1;
    credential.uses_left = -1;

    h->credential = memstore_add_credential(h->store, HARNESS_CA_ID,
                                            &credential);

    ERR_clear_error();

    return h;
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


static void
harness_pki(harness_t *h, int key)
{
    pki_cert_t  conf;

    memset(&conf, 0, sizeof(pki_cert_t));

    conf.not_before = HARNESS_BEGIN;
    conf.not_after = HARNESS_END;
    conf.basic_constraints = "critical,CA:TRUE";
    conf.key_usage = "critical,keyCertSign,cRLSign";

    h->root.key = pki_key(key, "root");
    conf.subject = "/O=Example/CN=Root";
    conf.key = h->root.key;
    conf.serial = 1;
    h->root.cert = pki_cert(&conf);

    h->issuer.key = pki_key(key, "issuer");
    conf.subject = "/O=Example/CN=Issuing CA";
    conf.key = h->issuer.key;
    conf.issuer = h->root.cert;
    conf.issuer_key = h->root.key;
    conf.serial = 2;
    conf.basic_constraints = "critical,CA:TRUE,pathlen:0";
    conf.key_usage = "critical,keyCertSign,cRLSign,digitalSignature";
    h->issuer.cert = pki_cert(&conf);

    h->response = harness_issue("/O=Example/CN=CMP", key, &h->issuer, 3,
                                "cmcCA");

    h->vendor.key = pki_key(PKI_P256, "vendor");
    conf.subject = "/O=Vendor/CN=Vendor Root";
    conf.key = h->vendor.key;
    conf.issuer = NULL;
    conf.issuer_key = NULL;
    conf.serial = 4;
    conf.basic_constraints = "critical,CA:TRUE";
    conf.key_usage = "critical,keyCertSign,cRLSign";
    h->vendor.cert = pki_cert(&conf);

    h->device_cert = harness_issue("/O=Vendor/serialNumber=4711/CN=Device",
                                   PKI_P256, &h->vendor,
                                   HARNESS_DEVICE_SERIAL, NULL);
    h->lost_cert = harness_issue("/O=Vendor/serialNumber=4713/CN=Lost Device",
                                 PKI_P256, &h->vendor, HARNESS_LOST_SERIAL,
                                 NULL);
    h->ra_cert = harness_issue("/O=Example/CN=RA", PKI_P256, &h->vendor,
                               HARNESS_RA_SERIAL, "cmcRA");
    h->stranger = harness_issue("/O=Nobody/CN=Stranger", PKI_P256, NULL, 5,
                                NULL);
}


static harness_pair_t
harness_issue(const char *subject, int key, const harness_pair_t *issuer,
    uint64_t serial, const char *eku)
{
    pki_cert_t      conf;
    harness_pair_t  pair;

    memset(&conf, 0, sizeof(pki_cert_t));

    pair.key = pki_key(key, subject);

    conf.subject = subject;
    conf.key = pair.key;
    conf.serial = serial;
    conf.not_before = HARNESS_BEGIN;
    conf.not_after = HARNESS_END;
    conf.key_usage = "critical,digitalSignature";
    conf.ext_key_usage = eku;

    if (issuer != NULL) {
        conf.issuer = issuer->cert;
        conf.issuer_key = issuer->key;
    }

    pair.cert = pki_cert(&conf);

    return pair;
}


static void
harness_profiles(harness_t *h)
{
    char            err[256];
    cmp_profile_t  *profile;

    profile = &h->device;
    cmp_profile_init(profile);

    profile->name.data = (unsigned char *) "device";
    profile->name.len = 6;
    profile->validity = 365 * 86400;

    harness_words(h, profile, cmp_profile_add_key,
                  "ec:P-256 ec:P-384 ed25519 ed448 rsa:2048-4096");
    harness_words(h, profile, cmp_profile_add_key_usage,
                  "digitalSignature keyAgreement");
    harness_words(h, profile, cmp_profile_add_ext_key_usage,
                  "clientAuth serverAuth");
    harness_words(h, profile, cmp_profile_add_subject,
                  "required=CN optional=O,serialNumber");
    harness_words(h, profile, cmp_profile_add_san, "dns ip");

    if (cmp_profile_finish(profile, h->pool, err, sizeof(err)) != CMP_OK) {
        harness_abort(err);
    }

    profile = &h->server;
    cmp_profile_init(profile);

    profile->name.data = (unsigned char *) "server";
    profile->name.len = 6;
    profile->validity = 30 * 86400;
    profile->san_required = 1;
    profile->drop_extensions = 1;
    profile->implicit_confirm = 0;

    harness_words(h, profile, cmp_profile_add_key, "ec:P-256");
    harness_words(h, profile, cmp_profile_add_key_usage, "digitalSignature");
    harness_words(h, profile, cmp_profile_add_ext_key_usage, "serverAuth");
    harness_words(h, profile, cmp_profile_add_subject, "optional=CN");
    harness_words(h, profile, cmp_profile_add_san, "dns:*.example.org");

    if (cmp_profile_finish(profile, h->pool, err, sizeof(err)) != CMP_OK) {
        harness_abort(err);
    }
}


static void
harness_words(harness_t *h, cmp_profile_t *profile,
    int (*add)(cmp_profile_t *profile, cmp_pool_t *pool, const cmp_str_t *word,
    char *err, size_t size),
    const char *words)
{
    char        err[256];
    cmp_str_t   word;
    const char  *p, *end;

    for (p = words; *p != '\0'; p = (*end == ' ') ? end + 1 : end) {
        end = strchr(p, ' ');

        if (end == NULL) {
            end = p + strlen(p);
        }

        if (cmp_pstrdup(h->pool, &word, p, end - p) != CMP_OK
            || add(profile, h->pool, &word, err, sizeof(err)) != CMP_OK)
        {
            harness_abort(err);
        }
    }
}


static X509 *
harness_ref(X509 *cert)
{
    (void) X509_up_ref(cert);

    return cert;
}


static void
harness_ca(harness_t *h)
{
    char       err[256];
    cmp_ca_t  *ca;

    ca = &h->ca;
    cmp_ca_init(ca);

    ca->name.data = (unsigned char *) "test";
    ca->name.len = 4;
    ca->id = HARNESS_CA_ID;

    ca->certificate = harness_ref(h->issuer.cert);
    ca->chain = harness_alloc(sk_X509_new_null());
    (void) sk_X509_push(ca->chain, harness_ref(h->root.cert));
    ca->key = h->issuer.key;
    (void) EVP_PKEY_up_ref(ca->key);

    ca->response_certificate = harness_ref(h->response.cert);
    ca->response_chain = harness_alloc(sk_X509_new_null());
    (void) sk_X509_push(ca->response_chain, harness_ref(h->issuer.cert));
    (void) sk_X509_push(ca->response_chain, harness_ref(h->root.cert));
    ca->response_key = h->response.key;
    (void) EVP_PKEY_up_ref(ca->response_key);

    harness_trust(h);

    ca->nprofiles = 2;
    ca->profiles = harness_alloc(cmp_pcalloc(h->pool,
                                             2 * sizeof(cmp_profile_t *)));
    ca->profiles[0] = &h->device;
    ca->profiles[1] = &h->server;

    if (cmp_ca_finish(ca, h->pool, err, sizeof(err)) != CMP_OK) {
        harness_abort(err);
    }
}


static void
harness_trust(harness_t *h)
{
    cmp_ca_t        *ca;
    X509_CRL        *crl;
    static uint64_t  revoked[] = { HARNESS_LOST_SERIAL };

    ca = &h->ca;

    h->vendor_scope.subject.data = (unsigned char *) "*";
    h->vendor_scope.subject.len = 1;
    h->ra_scope.subject.data = (unsigned char *) "*";
    h->ra_scope.subject.len = 1;
    h->ra_scope.reasons = 0x77f;

    ca->nanchors = 1;
    ca->anchors = h->anchors;
    ca->anchors[0].cert = harness_ref(h->vendor.cert);
    ca->anchors[0].scope = &h->vendor_scope;

    ca->nras = 1;
    ca->ras = h->ras;
    ca->ras[0].cert = harness_ref(h->ra_cert.cert);
    ca->ras[0].scope = &h->ra_scope;

    crl = pki_crl(h->vendor.cert, h->vendor.key, HARNESS_NOW - 86400000,
                  HARNESS_NOW + HARNESS_YEAR, revoked, 1);
    ca->crls = harness_alloc(sk_X509_CRL_new_null());
    (void) sk_X509_CRL_push(ca->crls, crl);
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
    conf->client.data = (unsigned char *) "192.0.2.1";
    conf->client.len = 9;

    if (h->profile != NULL) {
        conf->profile.data = (unsigned char *) h->profile;
        conf->profile.len = strlen(h->profile);
    }
}


static cmp_exchange_e
harness_loop(harness_t *h, cmp_exchange_t *ex, cmp_pool_t **pools)
{
    int             i;
    cmp_exchange_e  rc;
    cmp_records_t   records[HARNESS_TRIES];

    for (i = 0; i < HARNESS_TRIES; i++) {
        pools[i] = harness_alloc(cmp_pool_create());

        if (memstore_load(h->store, cmp_exchange_load(ex), pools[i],
                          &records[i])
            != CMP_COMMIT_OK)
        {
            return cmp_exchange_unavailable(ex);
        }

        h->loads++;

        rc = cmp_exchange_decide(ex, &records[i]);

        if (rc != CMP_EXCHANGE_COMMIT) {
            return rc;
        }

        if (i > 0) {
            cmp_pool_destroy(pools[i - 1]);
            pools[i - 1] = NULL;
        }

        harness_check_writes(cmp_exchange_writes(ex), cmp_exchange_info(ex));

        switch (memstore_commit(h->store, cmp_exchange_writes(ex))) {

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


static void
harness_check_writes(const cmp_writes_t *writes,
    const cmp_exchange_info_t *info)
{
    size_t  i, k;

    if (!info->authenticated || writes->requester.len == 0) {
        harness_fail("a commit for somebody unknown");
    }

    if (writes->naudits == 0) {
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


harness_pair_t
harness_enrol(harness_t *h, const char *subject, int key, const char *name,
    int state)
{
    int                n;
    X509              *cert;
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
    row.ski.data = (unsigned char *) X509_get0_subject_key_id(cert)->data;
    row.ski.len = X509_get0_subject_key_id(cert)->length;
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
