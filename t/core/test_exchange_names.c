
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Names: what an own certificate, a key update and a vendor's device get.
 */


#include <fixture.h>


#define TEST_SANS  "DNS:one.example.org,DNS:two.example.org"


static cmp_cert_req_msg_t *
test_req(cmp_pki_message_t *msg)
{
    return sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
}


static cmp_pki_message_t *
test_request(fixture_t *f, int type, const char *san, EVP_PKEY *key)
{
    client_request_t    request;
    cmp_pki_message_t  *msg;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.san = san;
    request.key = key;

    client_begin(&f->c);
    msg = client_message(&f->c, type);
    (void) client_add_request(&f->c, msg, &request);

    return msg;
}


/* a confirmed certificate with two names, which signs from now on */

static harness_pair_t
test_own(fixture_t *f)
{
    harness_pair_t  pair;

    fixture_send(f, test_request(f, CMP_BODY_IR, TEST_SANS, f->key));
    fixture_granted(f, CMP_BODY_IP);
    pair.cert = fixture_keep(f);
    pair.key = f->key;

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    fixture_sign(f, &pair);

    return pair;
}


static int
test_count(X509 *cert)
{
    int             n;
    GENERAL_NAMES  *names;

    names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    n = (names != NULL) ? sk_GENERAL_NAME_num(names) : 0;
    GENERAL_NAMES_free(names);

    return n;
}


/* cr: some of its own names, no others */

static void
test_own_sans(void **state)
{
    fixture_t       *f;
    harness_pair_t   own;

    f = *state;
    own = test_own(f);

    fixture_send(f, test_request(f, CMP_BODY_CR, "DNS:two.example.org",
                                 f->key2));
    fixture_granted(f, CMP_BODY_CP);
    assert_int_equal(test_count(f->a->cert), 1);

    fixture_send(f, test_request(f, CMP_BODY_CR,
                                 "DNS:one.example.org,DNS:six.example.org",
                                 f->key2));
    fixture_refused(f, CMP_BODY_CP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    X509_free(own.cert);
}


/* kur: what is left out stays */

static void
test_update_keeps(void **state)
{
    fixture_t            *f;
    harness_pair_t        own;
    client_request_t      request;
    cmp_pki_message_t    *msg;

    f = *state;
    own = test_own(f);

    fixture_send(f, fixture_kur(f, own.cert, f->key2));
    fixture_granted(f, CMP_BODY_KUP);
    assert_int_equal(test_count(f->a->cert), 2);

    /* without a subject poposkInput has to be there */

    memset(&request, 0, sizeof(client_request_t));
    request.key = f->key2;
    request.old = own.cert;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_KUR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);

    request.pop = CLIENT_POP_INPUT_SENDER;
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_KUR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_KUP);
    assert_int_equal(test_count(f->a->cert), 2);
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(f->a->cert),
                                   X509_get_subject_name(own.cert)),
                     0);

    X509_free(own.cert);
}


/* kur: the same names, in any order; no more, no less, no others */

static void
test_update_sans(void **state)
{
    size_t              i;
    fixture_t          *f;
    harness_pair_t      own;
    static const char  *bad[] = { "DNS:one.example.org",
                                  TEST_SANS ",DNS:three.example.org",
                                  "DNS:one.example.org,DNS:six.example.org",
                                  "DNS:one.example.org,IP:192.0.2.1" };

    f = *state;
    own = test_own(f);

    for (i = 0; i < 4; i++) {
        fixture_send(f, test_request(f, CMP_BODY_KUR, bad[i], f->key2));
        fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_BAD_CERT_TEMPLATE,
                        FIXTURE_AUDITED);
    }

    fixture_send(f, test_request(f, CMP_BODY_KUR,
                                 "DNS:two.example.org,DNS:one.example.org",
                                 f->key2));
    fixture_granted(f, CMP_BODY_KUP);

    /* where the profile allows change */

    f->h->device.update_names = 1;
    fixture_send(f, test_request(f, CMP_BODY_KUR, "DNS:six.example.org",
                                 f->key2));
    fixture_granted(f, CMP_BODY_KUP);
    assert_int_equal(test_count(f->a->cert), 1);

    X509_free(own.cert);
}


/* an RA may not give another's certificate other names by a kur */

static void
test_update_by_ra(void **state)
{
    fixture_t           *f;
    harness_pair_t       own;
    client_request_t     request;
    cmp_pki_message_t   *msg;

    f = *state;
    own = test_own(f);
    fixture_sign(f, &f->h->ra_cert);

    memset(&request, 0, sizeof(client_request_t));
    request.key = f->key2;
    request.old = own.cert;
    request.subject = "/CN=somebody else";

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_KUR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    X509_free(own.cert);
}


/* an RA, and a certificate that is not confirmed, or was updated and used */

static void
test_update_by_ra_state(void **state)
{
    X509            *first;
    fixture_t       *f;
    harness_pair_t   own, new;

    f = *state;

    fixture_send(f, test_request(f, CMP_BODY_IR, NULL, f->key2));
    first = fixture_keep(f);
    own = test_own(f);

    fixture_sign(f, &f->h->ra_cert);
    fixture_send(f, fixture_kur(f, first, f->key2));
    fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);
    X509_free(first);

    fixture_sign(f, &own);
    new.key = pki_key(PKI_P256, "new");
    fixture_send(f, fixture_kur(f, own.cert, new.key));
    new.cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    fixture_sign(f, &new);
    fixture_send(f, fixture_rr(f, f->h->issuer.cert, -1));

    fixture_sign(f, &f->h->ra_cert);
    fixture_send(f, fixture_kur(f, own.cert, f->key2));
    fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_CERT_REVOKED, FIXTURE_AUDITED);

    harness_pair_free(&new);
    X509_free(own.cert);
}


/* the place of an unconfirmed update is taken, not that of two certificates */

static void
test_update_displaces_one(void **state)
{
    EVP_PKEY        *key;
    fixture_t       *f;
    harness_pair_t   own;

    f = *state;
    own = test_own(f);

    fixture_send(f, fixture_kur(f, own.cert, f->key2));
    fixture_granted(f, CMP_BODY_KUP);

    /* a cr for another key waits too; a kur with it would displace both */

    key = pki_key(PKI_P256, "third");
    fixture_send(f, test_request(f, CMP_BODY_CR, NULL, key));
    fixture_granted(f, CMP_BODY_CP);

    fixture_send(f, fixture_kur(f, own.cert, key));
    fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
    EVP_PKEY_free(key);

    X509_free(own.cert);
}


/* SAN rules of an anchor, with placeholders */

static void
test_vendor_sans(void **state)
{
    cmp_str_t            sans[1];
    fixture_t           *f;
    client_request_t     request;
    cmp_pki_message_t   *msg;

    f = *state;
    sans[0].data = (unsigned char *) "dns:$serialNumber.example.org";
    sans[0].len = 29;
    f->h->vendor_scope.sans = sans;
    f->h->vendor_scope.nsans = 1;
    fixture_sign(f, &f->h->device_cert);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;
    request.san = "DNS:4712.example.org";
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    request.san = "DNS:4711.example.org";
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    /* an attribute that the certificate does not have */

    sans[0].data = (unsigned char *) "dns:$OU.example.org";
    sans[0].len = 19;
    request.key = f->key2;
    request.san = "DNS:.example.org";
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_null(f->a->cert);

    f->h->vendor_scope.nsans = 0;
    f->h->vendor_scope.sans = NULL;
}


/* a requester's profiles: the first is its default */

static void
test_scope_profiles(void **state)
{
    cmp_str_t   names[1];
    fixture_t  *f;

    f = *state;
    names[0].data = (unsigned char *) "server";
    names[0].len = 6;
    f->h->vendor_scope.profiles = names;
    f->h->vendor_scope.nprofiles = 1;
    fixture_sign(f, &f->h->device_cert);

    fixture_send(f, test_request(f, CMP_BODY_IR, NULL, f->key));
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    f->h->profile = "device";
    fixture_send(f, test_request(f, CMP_BODY_IR, NULL, f->key));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);

    f->h->profile = NULL;
    f->h->vendor_scope.profiles = NULL;
    f->h->vendor_scope.nprofiles = 0;
}


/* PKCS#10: its extensions count, other attributes are refused */

static void
test_p10(void **state)
{
    fixture_t          *f;
    X509_REQ           *req;
    cmp_pki_message_t  *msg;

    f = *state;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_P10CR);
    client_set_p10(msg, FIXTURE_SUBJECT, f->key, TEST_SANS);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_CP);
    assert_int_equal(test_count(f->a->cert), 2);

    msg = fixture_request(f, CMP_BODY_P10CR, NULL, f->key2);
    req = msg->body->value.p10cr;
    assert_int_equal(X509_REQ_add1_attr_by_NID(req,
                                               NID_pkcs9_challengePassword,
                                               MBSTRING_ASC,
                                               (unsigned char *) "secret", 6),
                     1);
    assert_true(X509_REQ_sign(req, f->key2, EVP_sha256()) > 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_CP, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


/* certReqId of a p10cr in certConf: -1, and 0 of clients that know no better */

static void
test_p10_confirm(void **state)
{
    int                 id;
    X509               *cert;
    EVP_PKEY           *key;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    for (id = -1; id <= 0; id++) {
        key = pki_key(PKI_P256, id == 0 ? "zero" : "minus one");
        fixture_send(f, fixture_request(f, CMP_BODY_P10CR, NULL, key));
        fixture_granted(f, CMP_BODY_CP);
        assert_int_equal(ASN1_INTEGER_get(sk_cmp_cert_response_t_value(
                             f->a->msg->body->value.cp->response, 0)
                                 ->cert_req_id),
                         -1);

        cert = fixture_keep(f);
        msg = client_message(&f->c, CMP_BODY_CERTCONF);
        (void) client_add_status(msg, cert, id, -1);
        fixture_send(f, msg);
        fixture_granted(f, CMP_BODY_PKICONF);
        assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
        X509_free(cert);
        EVP_PKEY_free(key);
    }
}


/* a validity that is there and says nothing */

static void
test_empty_validity(void **state)
{
    fixture_t           *f;
    client_request_t     request;
    cmp_pki_message_t   *msg;
    cmp_cert_req_msg_t  *req;

    f = *state;
    msg = fixture_ir(f);
    req = test_req(msg);
    req->cert_req->cert_template->validity =
                                     cmp_asn1_new(cmp_optional_validity_t);
    memset(&request, 0, sizeof(client_request_t));
    request.key = f->key;
    client_pop(&f->c, req, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_own_sans),
        fixture_test(test_update_keeps),
        fixture_test(test_update_sans),
        fixture_test(test_update_by_ra),
        fixture_test(test_update_by_ra_state),
        fixture_test(test_update_displaces_one),
        fixture_test(test_vendor_sans),
        fixture_test(test_scope_profiles),
        fixture_test(test_p10),
        fixture_test(test_p10_confirm),
        fixture_test(test_empty_validity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
