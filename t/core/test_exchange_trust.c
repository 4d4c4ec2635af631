
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Paths of protecting certificates: anchors, depth, CRLs of each CA in it,
 * listed RAs.
 */


#include <fixture.h>


static harness_pair_t
test_issue(const harness_pair_t *issuer, const char *subject, int key, int ca,
    uint64_t serial)
{
    pki_cert_t      conf;
    harness_pair_t  pair;

    memset(&conf, 0, sizeof(pki_cert_t));

    pair.key = pki_key(key, subject);
    conf.subject = subject;
    conf.key = pair.key;
    conf.issuer = issuer->cert;
    conf.issuer_key = issuer->key;
    conf.serial = serial;
    conf.not_before = HARNESS_NOW - HARNESS_YEAR;
    conf.not_after = HARNESS_NOW + HARNESS_YEAR;
    conf.basic_constraints = ca ? "critical,CA:TRUE" : NULL;
    conf.key_usage = ca ? "critical,keyCertSign,cRLSign"
                        : "critical,digitalSignature";
    pair.cert = pki_cert(&conf);

    return pair;
}


static void
test_chain(fixture_t *f, X509 *cert)
{
    if (f->c.chain == NULL) {
        f->c.chain = sk_X509_new_null();
    }

    assert_int_equal(X509_add_cert(f->c.chain, cert, X509_ADD_FLAG_UP_REF), 1);
}


static void
test_send(fixture_t *f, const harness_pair_t *pair)
{
    harness_reload(f->h);
    fixture_sign(f, pair);
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key));
}


/* each CA on the path has to say that the next certificate is good */

static void
test_crl_of_each(void **state)
{
    X509_CRL        *crl;
    uint64_t         revoked;
    fixture_t       *f;
    harness_pair_t   sub, leaf;

    f = *state;
    sub = test_issue(&f->h->vendor, "/O=Vendor/CN=Sub CA", PKI_P256, 1, 99);
    leaf = test_issue(&sub, "/O=Vendor/CN=Leaf", PKI_P256, 0, 100);
    test_chain(f, sub.cert);

    /* no CRL of the sub CA */

    test_send(f, &leaf);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    crl = pki_crl(sub.cert, sub.key, HARNESS_NOW - 1000,
                  HARNESS_NOW + HARNESS_YEAR, NULL, 0);
    assert_true(sk_X509_CRL_push(f->h->ca.crls, crl) > 0);
    test_send(f, &leaf);
    fixture_granted(f, CMP_BODY_IP);

    /* the leaf, and the sub CA */

    revoked = 100;
    X509_CRL_free(sk_X509_CRL_pop(f->h->ca.crls));
    crl = pki_crl(sub.cert, sub.key, HARNESS_NOW - 1000,
                  HARNESS_NOW + HARNESS_YEAR, &revoked, 1);
    assert_true(sk_X509_CRL_push(f->h->ca.crls, crl) > 0);
    test_send(f, &leaf);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    revoked = 99;
    X509_CRL_free(sk_X509_CRL_pop(f->h->ca.crls));
    X509_CRL_free(sk_X509_CRL_pop(f->h->ca.crls));
    crl = pki_crl(sub.cert, sub.key, HARNESS_NOW - 1000,
                  HARNESS_NOW + HARNESS_YEAR, NULL, 0);
    assert_true(sk_X509_CRL_push(f->h->ca.crls, crl) > 0);
    crl = pki_crl(f->h->vendor.cert, f->h->vendor.key, HARNESS_NOW - 1000,
                  HARNESS_NOW + HARNESS_YEAR, &revoked, 1);
    assert_true(sk_X509_CRL_push(f->h->ca.crls, crl) > 0);
    test_send(f, &leaf);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->changes, f->changes);

    /* a revoked one stays revoked where a CRL may be missing */

    f->h->vendor_scope.no_crl = 1;
    test_send(f, &leaf);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->changes, f->changes);

    harness_pair_free(&sub);
    harness_pair_free(&leaf);
}


/* a path of depth 8 and not of more */

static void
test_depth(void **state)
{
    int             i, n;
    fixture_t      *f;
    harness_pair_t  path[12], leaf;
    char            name[64];

    f = *state;
    f->h->vendor_scope.no_crl = 1;

    path[0] = test_issue(&f->h->vendor, "/O=Vendor/CN=Sub 0", PKI_P256, 1, 1);

    for (n = 1; n < 12; n++) {
        snprintf(name, sizeof(name), "/O=Vendor/CN=Sub %d", n);
        path[n] = test_issue(&path[n - 1], name, PKI_P256, 1, n + 1);
    }

    for (n = 1; n <= 12; n++) {
        leaf = test_issue(&path[n - 1], "/O=Vendor/CN=Deep", PKI_P256, 0, 77);

        sk_X509_pop_free(f->c.chain, X509_free);
        f->c.chain = NULL;

        for (i = n - 1; i >= 0; i--) {
            test_chain(f, path[i].cert);
        }

        test_send(f, &leaf);
        assert_non_null(f->a);

        if (n <= 6) {
            fixture_granted(f, CMP_BODY_IP);

        } else if (n >= 9) {
            fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                            FIXTURE_QUIET);
        }

        harness_pair_free(&leaf);
    }

    for (n = 0; n < 12; n++) {
        harness_pair_free(&path[n]);
    }
}


/* a weak key in the path */

static void
test_weak_ca(void **state)
{
    fixture_t       *f;
    harness_pair_t   sub, leaf;

    f = *state;
    f->h->vendor_scope.no_crl = 1;
    sub = test_issue(&f->h->vendor, "/O=Vendor/CN=Weak CA", PKI_RSA_1024, 1,
                     99);
    leaf = test_issue(&sub, "/O=Vendor/CN=Leaf", PKI_P256, 0, 100);
    test_chain(f, sub.cert);

    test_send(f, &leaf);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->changes, f->changes);

    harness_pair_free(&sub);
    harness_pair_free(&leaf);
}


/* who trusts our root does not trust what our CA never issued */

static void
test_root_as_anchor(void **state)
{
    X509            *saved;
    fixture_t       *f;
    harness_pair_t   leaf, own;

    f = *state;
    saved = f->h->ca.anchors[0].cert;
    f->h->ca.anchors[0].cert = f->h->root.cert;
    f->h->vendor_scope.no_crl = 1;
    test_chain(f, f->h->issuer.cert);

    leaf = test_issue(&f->h->issuer, FIXTURE_SUBJECT, PKI_P256, 0, 0x4711);
    test_send(f, &leaf);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
    harness_pair_free(&leaf);

    /* nor what it revoked */

    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_REVOKED);
    test_send(f, &own);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);
    harness_pair_free(&own);

    f->h->ca.anchors[0].cert = saved;
}


/* no anchors at all */

static void
test_no_anchors(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->ca.nanchors = 0;
    test_send(f, &f->h->device_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
    f->h->ca.nanchors = 1;
}


/* one device, listed as it is */

static void
test_pinned(void **state)
{
    X509       *saved;
    fixture_t  *f;

    f = *state;
    saved = f->h->ca.anchors[0].cert;

    f->h->ca.anchors[0].cert = f->h->device_cert.cert;
    test_send(f, &f->h->device_cert);
    fixture_granted(f, CMP_BODY_IP);

    test_send(f, &f->h->lost_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    f->h->ca.anchors[0].cert = saved;
}


/* an RA is listed one by one: its issuer's others are not RAs */

static void
test_ra(void **state)
{
    X509_CRL           *crl;
    uint64_t            revoked;
    pki_cert_t          conf;
    fixture_t          *f;
    harness_pair_t      other;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;

    memset(&conf, 0, sizeof(pki_cert_t));
    other.key = pki_key(PKI_P256, "other RA");
    conf.subject = "/O=Example/CN=RA";
    conf.key = other.key;
    conf.issuer = f->h->vendor.cert;
    conf.issuer_key = f->h->vendor.key;
    conf.serial = 5000;
    conf.not_before = HARNESS_NOW - HARNESS_YEAR;
    conf.not_after = HARNESS_NOW + HARNESS_YEAR;
    conf.key_usage = "critical,digitalSignature";
    conf.ext_key_usage = "cmcRA";
    other.cert = pki_cert(&conf);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;
    request.pop = CLIENT_POP_RA_VERIFIED;

    fixture_sign(f, &other);
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->certs.n, 0);

    /* a listed one that was revoked */

    fixture_sign(f, &f->h->ra_cert);
    revoked = HARNESS_RA_SERIAL;
    X509_CRL_free(sk_X509_CRL_pop(f->h->ca.crls));
    crl = pki_crl(f->h->vendor.cert, f->h->vendor.key, HARNESS_NOW - 1000,
                  HARNESS_NOW + HARNESS_YEAR, &revoked, 1);
    assert_true(sk_X509_CRL_push(f->h->ca.crls, crl) > 0);

    test_send(f, &f->h->ra_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    harness_pair_free(&other);
}


static void
test_ra_expired(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->now = HARNESS_NOW + 30 * HARNESS_YEAR;
    f->h->store->now = f->h->now;
    f->c.now = f->h->now;
    fixture_sign(f, &f->h->ra_cert);
    f->c.root = NULL;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
}


/* a certificate without SKI: senderKID is of no interest (base) */

static void
test_no_ski(void **state)
{
    pki_cert_t          conf;
    fixture_t          *f;
    harness_pair_t      leaf;
    cmp_pki_message_t  *msg;

    f = *state;

    memset(&conf, 0, sizeof(pki_cert_t));
    leaf.key = pki_key(PKI_P256, "no ski");
    conf.subject = "/O=Vendor/CN=No SKI";
    conf.key = leaf.key;
    conf.issuer = f->h->vendor.cert;
    conf.issuer_key = f->h->vendor.key;
    conf.serial = 5001;
    conf.not_before = HARNESS_NOW - HARNESS_YEAR;
    conf.not_after = HARNESS_NOW + HARNESS_YEAR;
    conf.no_ski = 1;
    leaf.cert = pki_cert(&conf);

    fixture_sign(f, &leaf);
    msg = fixture_ir(f);
    client_set_octets(&msg->header->sender_kid, "whatever", 8);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    harness_pair_free(&leaf);
}


/* junk behind the protecting certificate is of no interest, in any order */

static void
test_junk_in_extra_certs(void **state)
{
    fixture_t       *f;
    harness_pair_t   own;

    f = *state;
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    test_chain(f, f->h->stranger.cert);
    test_chain(f, f->h->vendor.cert);
    test_chain(f, f->h->lost_cert.cert);
    test_chain(f, own.cert);

    test_send(f, &own);
    fixture_granted(f, CMP_BODY_IP);
    assert_memory_equal(f->h->requester, "cert:", 5);

    /* a good one behind a bad one does not help */

    fixture_sign(f, &f->h->stranger);
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    harness_pair_free(&own);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_crl_of_each),
        fixture_test(test_depth),
        fixture_test(test_weak_ca),
        fixture_test(test_root_as_anchor),
        fixture_test(test_no_anchors),
        fixture_test(test_pinned),
        fixture_test(test_ra),
        fixture_test(test_ra_expired),
        fixture_test(test_no_ski),
        fixture_test(test_junk_in_extra_certs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
