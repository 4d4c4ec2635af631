
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Which keys may be certified again, which controls are known, and who may
 * ask for what.
 */


#include <fixture.h>


static void
test_enrol(fixture_t *f, const char *subject, EVP_PKEY *key)
{
    fixture_send(f, fixture_request(f, CMP_BODY_IR, subject, key));
}


/* a key certified for another subject is refused always */

static void
test_key_of_another(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->device.key_reuse = CMP_KEY_REUSE_SUBJECT;

    test_enrol(f, "/CN=first", f->key);
    fixture_granted(f, CMP_BODY_IP);

    test_enrol(f, "/CN=second", f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
}


/* the same subject: the new request takes the place of an unconfirmed one */

static void
test_key_unconfirmed(void **state)
{
    X509       *first;
    fixture_t  *f;

    f = *state;

    test_enrol(f, NULL, f->key);
    fixture_granted(f, CMP_BODY_IP);
    first = fixture_keep(f);

    test_enrol(f, NULL, f->key);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(fixture_state(f, first), CMP_CERT_REVOKED);
    assert_int_equal(fixture_state(f, f->a->cert), CMP_CERT_UNCONFIRMED);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    X509_free(first);
}


static void
test_key_confirmed(void **state)
{
    fixture_t  *f;

    f = *state;

    test_enrol(f, NULL, f->key);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    test_enrol(f, NULL, f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    f->h->device.key_reuse = CMP_KEY_REUSE_SUBJECT;
    test_enrol(f, NULL, f->key);
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_key_compromised(void **state)
{
    X509            *cert;
    cmp_str_t        serial;
    fixture_t       *f;

    f = *state;
    f->h->device.key_reuse = CMP_KEY_REUSE_SUBJECT;

    test_enrol(f, NULL, f->key);
    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));

    serial = harness_serial(cert);
    assert_int_equal(memstore_revoke(f->h->store, &serial,
                                     CRL_REASON_KEY_COMPROMISE,
                                     CMP_BY_OPERATOR),
                     CMP_OK);
    X509_free(cert);

    test_enrol(f, NULL, f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
}


/* MAC: the patterns of the credential */

static void
test_credential_patterns(void **state)
{
    cmp_str_t           sans[1];
    fixture_t          *f;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;

    f->h->credential->subject.data = (unsigned char *) "CN=dev-*,O=Example";
    f->h->credential->subject.len = 18;
    sans[0].data = (unsigned char *) "dns:*.dev.example.org";
    sans[0].len = 21;
    f->h->credential->sans = sans;
    f->h->credential->nsans = 1;

    test_enrol(f, "/O=Example/CN=server-1", f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    test_enrol(f, "/CN=dev-1", f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = "/O=Example/CN=dev-1";
    request.san = "DNS:a.other.example.org";
    request.key = f->key;
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    request.san = "DNS:a.dev.example.org";
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    f->h->credential->nsans = 0;
    f->h->credential->sans = NULL;
    f->h->credential->subject.len = 0;
}


/* an own certificate asks for its own names only */

static void
test_own_names(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    test_enrol(f, "/O=Example/CN=device-2", f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    test_enrol(f, NULL, f->key);
    fixture_granted(f, CMP_BODY_IP);

    harness_pair_free(&pair);
}


static void
test_own_san(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.san = "DNS:www.example.org";
    request.key = f->key;
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    harness_pair_free(&pair);
}


/* the anchor's rule: derived from the vendor certificate */

static void
test_vendor_rule(void **state)
{
    fixture_t  *f;

    f = *state;
    fixture_sign(f, &f->h->device_cert);

    f->h->vendor_scope.subject.data =
                       (unsigned char *) "CN=dev-$serialNumber,O=Example";
    f->h->vendor_scope.subject.len = 30;

    test_enrol(f, "/O=Example/CN=dev-4712", f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    test_enrol(f, "/O=Example/CN=dev-4711", f->key);
    fixture_granted(f, CMP_BODY_IP);

    /* "same": what the vendor certificate says */

    f->h->vendor_scope.subject.len = 0;
    test_enrol(f, "/O=Example/CN=dev-4711", f->key2);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    test_enrol(f, "/O=Vendor/serialNumber=4711/CN=Device", f->key2);
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_ra_limits(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &f->h->ra_cert);

    f->h->ra_scope.subject.data = (unsigned char *) "CN=ra-*";
    f->h->ra_scope.subject.len = 7;
    f->h->ra_scope.reasons = 1 << CRL_REASON_SUPERSEDED;

    test_enrol(f, "/CN=other", f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    test_enrol(f, "/CN=ra-1", f->key);
    fixture_granted(f, CMP_BODY_IP);

    f->h->ra_scope.subject.data = (unsigned char *) "*";
    f->h->ra_scope.subject.len = 1;

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_KEY_COMPROMISE));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_REVOKED);

    harness_pair_free(&pair);
}


/* validity: the profile's, unless the client may choose */

static void
test_validity(void **state)
{
    int                   days, seconds;
    fixture_t            *f;
    client_request_t      request;
    cmp_pki_message_t    *msg;
    cmp_cert_req_msg_t   *req;
    cmp_cert_template_t  *tmpl;

    f = *state;

    test_enrol(f, NULL, f->key);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(ASN1_TIME_diff(&days, &seconds,
                                    X509_get0_notBefore(f->a->cert),
                                    X509_get0_notAfter(f->a->cert)),
                     1);
    assert_in_range(days, 364, 366);

    f->h->device.client_validity = 1;
    memset(&request, 0, sizeof(client_request_t));
    request.key = f->key2;

    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    tmpl = req->cert_req->cert_template;
    tmpl->validity = cmp_asn1_new(cmp_optional_validity_t);
    tmpl->validity->not_after = pki_time(f->h->now + 86400000);
    client_pop(&f->c, req, &request);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notAfter(f->a->cert),
                                          f->h->now / 1000 + 86400),
                     0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_key_of_another),
        fixture_test(test_key_unconfirmed),
        fixture_test(test_key_confirmed),
        fixture_test(test_key_compromised),
        fixture_test(test_credential_patterns),
        fixture_test(test_own_names),
        fixture_test(test_own_san),
        fixture_test(test_vendor_rule),
        fixture_test(test_ra_limits),
        fixture_test(test_validity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
