
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What is known of extraCerts that came before: for how long, and that only
 * what was authenticated is.
 */


#include <fixture.h>

#include <cmp_cert_cache.h>


static void
test_hash(unsigned char *hash, unsigned n)
{
    memset(hash, 0, CMP_SHA256_LEN);

    hash[0] = (unsigned char) (n >> 8);
    hash[31] = (unsigned char) n;
}


static void
test_put(cmp_cert_cache_t *cache, unsigned n, X509 *cert, int64_t until)
{
    unsigned char      hash[CMP_SHA256_LEN];
    cmp_cert_known_t   known;

    memset(&known, 0, sizeof(cmp_cert_known_t));

    known.certs = sk_X509_new_null();
    assert_true(sk_X509_push(known.certs, cert) > 0);
    known.path = known.certs;
    known.until = until;

    test_hash(hash, n);
    cmp_cert_cache_put(cache, hash, &known);

    sk_X509_free(known.certs);
}


/* until when; -1: nothing is known */

static int64_t
test_find(cmp_cert_cache_t *cache, unsigned n, X509 *cert)
{
    int64_t            until;
    unsigned char      hash[CMP_SHA256_LEN];
    cmp_cert_known_t   known;

    test_hash(hash, n);
    cmp_cert_cache_find(cache, hash, &known);

    if (known.certs == NULL) {
        assert_null(known.path);
        return -1;
    }

    assert_int_equal(sk_X509_num(known.certs), 1);
    assert_ptr_equal(sk_X509_value(known.certs, 0), cert);
    assert_ptr_equal(sk_X509_value(known.path, 0), cert);

    until = known.until;

    cmp_cert_known_free(&known);
    assert_null(known.certs);

    return until;
}


static void
test_cache(void **state)
{
    X509              *cert;
    unsigned           n;
    fixture_t         *f;
    cmp_cert_cache_t  *cache;

    f = *state;
    cert = f->h->device_cert.cert;
    cache = cmp_cert_cache_create();

    assert_int_equal(test_find(cache, 0, cert), -1);

    test_put(cache, 0, cert, 7);
    assert_int_equal(test_find(cache, 0, cert), 7);
    assert_int_equal(test_find(cache, 1, cert), -1);

    test_put(cache, 0, cert, 8);
    assert_int_equal(test_find(cache, 0, cert), 8);

    /* full; the one that was asked for last stays */

    for (n = 1; n < CMP_CERT_CACHE_ENTRIES; n++) {
        test_put(cache, n, cert, n);
    }

    assert_int_equal(test_find(cache, 0, cert), 8);
    test_put(cache, n, cert, n);

    assert_int_equal(test_find(cache, 0, cert), 8);
    assert_int_equal(test_find(cache, 1, cert), -1);
    assert_int_equal(test_find(cache, 2, cert), 2);
    assert_int_equal(test_find(cache, n, cert), n);

    cmp_cert_cache_destroy(cache);
    cmp_cert_cache_destroy(NULL);
}


/* by object and issuer, as many as there is room for */

static void
test_crls(void **state)
{
    int                i;
    X509              *cert, *other;
    X509_CRL          *crls[CMP_CERT_CACHE_CRLS + 1];
    fixture_t         *f;
    cmp_cert_cache_t  *cache;

    f = *state;
    cert = f->h->device_cert.cert;
    other = f->h->vendor.cert;
    cache = cmp_cert_cache_create();

    for (i = 0; i <= CMP_CERT_CACHE_CRLS; i++) {
        crls[i] = X509_CRL_new();
        assert_int_equal(cmp_cert_cache_has_crl(cache, crls[i], cert), 0);
    }

    for (i = 0; i < CMP_CERT_CACHE_CRLS; i++) {
        cmp_cert_cache_put_crl(cache, crls[i], cert);
    }

    for (i = 0; i < CMP_CERT_CACHE_CRLS; i++) {
        assert_int_equal(cmp_cert_cache_has_crl(cache, crls[i], cert), 1);
        assert_int_equal(cmp_cert_cache_has_crl(cache, crls[i], other), 0);
    }

    cmp_cert_cache_put_crl(cache, crls[i], cert);
    assert_int_equal(cmp_cert_cache_has_crl(cache, crls[i], cert), 1);
    assert_int_equal(cmp_cert_cache_has_crl(cache, crls[0], cert), 0);
    assert_int_equal(cmp_cert_cache_has_crl(cache, crls[1], cert), 1);

    for (i = 0; i <= CMP_CERT_CACHE_CRLS; i++) {
        X509_CRL_free(crls[i]);
    }

    cmp_cert_cache_destroy(cache);
}


static void
test_send(fixture_t *f, const harness_pair_t *pair)
{
    fixture_sign(f, pair);
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key));
}


/* by who has the certificate, but another key */

static void
test_forged(fixture_t *f, const harness_pair_t *pair)
{
    fixture_sign(f, pair);
    f->c.key = f->key2;
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key));
}


static void
test_now(fixture_t *f, int64_t now)
{
    f->h->now = now;
    f->h->store->now = now;
    f->c.now = now;
}


/* without its CRL, nobody is trusted who was not before */

static void
test_known(void **state)
{
    fixture_t  *f;

    f = *state;

    test_send(f, &f->h->device_cert);
    fixture_granted(f, CMP_BODY_IP);

    X509_CRL_free(sk_X509_CRL_pop(f->h->ca.crls));

    test_now(f, HARNESS_NOW + 1000);
    test_send(f, &f->h->device_cert);
    fixture_granted(f, CMP_BODY_IP);

    /* the certificate is known, the signature is that of another key */

    test_forged(f, &f->h->device_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    /* a clock that was set back */

    test_now(f, HARNESS_NOW - 1000);
    test_send(f, &f->h->device_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    test_now(f, HARNESS_NOW + 2000);
    harness_reload(f->h);
    test_send(f, &f->h->device_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
}


/* a CRL that ends, one that begins */

static void
test_until(void **state)
{
    int         i;
    X509_CRL   *crl;
    uint64_t    revoked;
    fixture_t  *f;

    f = *state;
    revoked = HARNESS_DEVICE_SERIAL;

    for (i = 0; i < 2; i++) {

        while ((crl = sk_X509_CRL_pop(f->h->ca.crls)) != NULL) {
            X509_CRL_free(crl);
        }

        crl = pki_crl(f->h->vendor.cert, f->h->vendor.key,
                      HARNESS_NOW - 1000,
                      HARNESS_NOW + ((i == 0) ? 10000 : HARNESS_YEAR),
                      NULL, 0);
        assert_true(sk_X509_CRL_push(f->h->ca.crls, crl) > 0);

        if (i == 1) {
            crl = pki_crl(f->h->vendor.cert, f->h->vendor.key,
                          HARNESS_NOW + 10000, HARNESS_NOW + HARNESS_YEAR,
                          &revoked, 1);
            assert_true(sk_X509_CRL_push(f->h->ca.crls, crl) > 0);
        }

        harness_reload(f->h);

        test_now(f, HARNESS_NOW);
        test_send(f, &f->h->device_cert);
        fixture_granted(f, CMP_BODY_IP);

        test_now(f, HARNESS_NOW + 9000);
        test_send(f, &f->h->device_cert);
        fixture_granted(f, CMP_BODY_IP);

        test_now(f, HARNESS_NOW + 11000);
        test_send(f, &f->h->device_cert);
        fixture_refused(f, CMP_BODY_ERROR,
                        (i == 0) ? CMP_FAIL_SIGNER_NOT_TRUSTED
                                 : CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);
    }
}


/* what was refused is not remembered */

static void
test_refused_signer(void **state)
{
    X509_CRL   *crl;
    fixture_t  *f;

    f = *state;

    test_send(f, &f->h->lost_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    test_forged(f, &f->h->device_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    crl = sk_X509_CRL_pop(f->h->ca.crls);

    test_send(f, &f->h->device_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    assert_true(sk_X509_CRL_push(f->h->ca.crls, crl) > 0);

    test_send(f, &f->h->lost_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);
}


/* an own certificate is looked up in the store each time */

static void
test_own(void **state)
{
    size_t           i;
    fixture_t       *f;
    harness_pair_t   own;
    memstore_cert_t *cert;

    f = *state;
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);

    fixture_sign(f, &own);
    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key));
    fixture_granted(f, CMP_BODY_CP);

    fixture_sign(f, &own);
    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_CP);

    for (i = 0; i < f->h->store->certs.n; i++) {
        cert = f->h->store->certs.items[i];
        cert->record.state = CMP_CERT_REVOKED;
    }

    fixture_sign(f, &own);
    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    harness_pair_free(&own);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_cache),
        fixture_test(test_crls),
        fixture_test(test_known),
        fixture_test(test_until),
        fixture_test(test_refused_signer),
        fixture_test(test_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
