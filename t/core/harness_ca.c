
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The PKI of the harness, its profiles and its CA.
 */


#include <harness.h>
#include <harness_local.h>

#include <string.h>


#define HARNESS_BEGIN         1577836800000LL     /* 2020-01-01 */
#define HARNESS_END           2493072000000LL     /* 2049-01-01 */


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


void
harness_setup(harness_t *h, int key)
{
    harness_pki(h, key);
    harness_profiles(h);
    harness_ca(h);
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
        harness_fail(err);
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
        harness_fail(err);
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
            harness_fail(err);
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

    ca->current.certificate = harness_ref(h->issuer.cert);
    ca->chain = harness_alloc(sk_X509_new_null());
    (void) sk_X509_push(ca->chain, harness_ref(h->root.cert));
    ca->current.key = h->issuer.key;
    (void) EVP_PKEY_up_ref(ca->current.key);

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
        harness_fail(err);
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
