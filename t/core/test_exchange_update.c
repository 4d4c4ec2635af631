
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Key updates at the base level.
 */


#include <fixture.h>


static harness_pair_t
test_own(fixture_t *f)
{
    harness_pair_t  pair;

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    return pair;
}


static void
test_update(void **state)
{
    fixture_t         *f;
    harness_pair_t     old, new;
    memstore_cert_t   *row;

    f = *state;
    old = test_own(f);
    new.key = f->key;

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_granted(f, CMP_BODY_KUP);
    assert_string_equal(f->h->info.operation, "kur");
    new.cert = fixture_keep(f);
    assert_int_equal(X509_check_private_key(new.cert, f->key), 1);
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(new.cert),
                                   X509_get_subject_name(old.cert)),
                     0);

    row = harness_row(f->h, old.cert);
    assert_false(row->record.replaced);
    assert_true(cmp_str_equal(&row->record.successor,
                              &harness_row(f->h, new.cert)->record.serial));
    assert_int_equal(fixture_state(f, new.cert), CMP_CERT_UNCONFIRMED);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, new.cert), CMP_CERT_VALID);
    assert_true(row->record.replaced);
    assert_false(row->record.retired);

    /* the first message by the successor retires the old one */

    fixture_sign(f, &new);
    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_CP);
    assert_true(row->record.retired);

    fixture_sign(f, &old);
    fixture_send(f, fixture_kur(f, old.cert, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_AUDITED);

    X509_free(new.cert);
    harness_pair_free(&old);
}


static void
test_implicit(void **state)
{
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = test_own(f);
    f->c.implicit_confirm = 1;

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_granted(f, CMP_BODY_KUP);
    assert_int_equal(fixture_state(f, f->a->cert), CMP_CERT_VALID);
    assert_true(harness_row(f->h, old.cert)->record.replaced);

    harness_pair_free(&old);
}


/* openssl cmp without -newkey */

static void
test_same_key(void **state)
{
    X509            *cert;
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = test_own(f);

    fixture_send(f, fixture_kur(f, old.cert, old.key));
    fixture_granted(f, CMP_BODY_KUP);
    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);

    X509_free(cert);
    harness_pair_free(&old);
}


/* oldCertID is not needed when the certificate itself signs */

static void
test_no_old_cert_id(void **state)
{
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = test_own(f);

    fixture_send(f, fixture_request(f, CMP_BODY_KUR, NULL, f->key));
    fixture_granted(f, CMP_BODY_KUP);
    assert_int_not_equal(harness_row(f->h, old.cert)->record.successor.len, 0);

    harness_pair_free(&old);
}


static void
test_wrong_old_cert_id(void **state)
{
    fixture_t       *f;
    harness_pair_t   old, other;

    f = *state;
    other = harness_enrol(f->h, "/CN=other", PKI_P256, "other",
                          CMP_CERT_VALID);
    old = test_own(f);

    /* another's, one of another CA, one that does not exist */

    fixture_send(f, fixture_kur(f, other.cert, f->key));
    assert_int_equal(f->a->type, CMP_BODY_KUP);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_CERT_ID);
    assert_int_equal(harness_row(f->h, other.cert)->record.successor.len, 0);

    fixture_send(f, fixture_kur(f, f->h->device_cert.cert, f->key));
    fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    harness_pair_free(&old);
    harness_pair_free(&other);
}


static void
test_other_names(void **state)
{
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = test_own(f);

    fixture_send(f, fixture_request(f, CMP_BODY_KUR, "/O=Example/CN=device-9",
                                    f->key));
    assert_int_equal(f->a->type, CMP_BODY_KUP);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->certs.n, f->certs);

    harness_pair_free(&old);
}


/* a new kur takes the place of an unconfirmed one */

static void
test_again_unconfirmed(void **state)
{
    X509            *first, *second;
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = test_own(f);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_granted(f, CMP_BODY_KUP);
    first = fixture_keep(f);

    fixture_send(f, fixture_kur(f, old.cert, f->key2));
    fixture_granted(f, CMP_BODY_KUP);
    second = fixture_keep(f);
    assert_int_equal(fixture_state(f, first), CMP_CERT_REVOKED);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, second), CMP_CERT_VALID);
    assert_true(harness_row(f->h, old.cert)->record.replaced);

    X509_free(first);
    X509_free(second);
    harness_pair_free(&old);
}


/* the same with the same key: openssl cmp started again */

static void
test_again_same_key(void **state)
{
    X509            *first;
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = test_own(f);

    fixture_send(f, fixture_kur(f, old.cert, old.key));
    fixture_granted(f, CMP_BODY_KUP);
    first = fixture_keep(f);

    fixture_send(f, fixture_kur(f, old.cert, old.key));
    fixture_granted(f, CMP_BODY_KUP);
    assert_int_equal(fixture_state(f, first), CMP_CERT_REVOKED);
    X509_free(first);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_granted(f, CMP_BODY_KUP);
    first = fixture_keep(f);
    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_granted(f, CMP_BODY_KUP);
    assert_int_equal(fixture_state(f, first), CMP_CERT_REVOKED);
    X509_free(first);

    harness_pair_free(&old);
}


/* a device that lost the answer: the unused successor is superseded */

static void
test_lost_answer(void **state)
{
    X509             *lost, *second;
    fixture_t        *f;
    harness_pair_t    old;
    memstore_cert_t  *row;

    f = *state;
    old = test_own(f);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    lost = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_true(harness_row(f->h, old.cert)->record.replaced);

    fixture_send(f, fixture_kur(f, old.cert, f->key2));
    fixture_granted(f, CMP_BODY_KUP);
    second = fixture_keep(f);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, second), CMP_CERT_VALID);

    row = harness_row(f->h, lost);
    assert_int_equal(row->record.state, CMP_CERT_REVOKED);
    assert_int_equal(row->record.reason, CRL_REASON_SUPERSEDED);

    X509_free(lost);
    X509_free(second);
    harness_pair_free(&old);
}


/* a replaced certificate: kur and its own rr, nothing else */

static void
test_replaced(void **state)
{
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = test_own(f);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_AUDITED);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_AUDITED);

    fixture_send(f, fixture_rr(f, old.cert, CRL_REASON_SUPERSEDED));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(fixture_state(f, old.cert), CMP_CERT_REVOKED);

    harness_pair_free(&old);
}


/* a client that rejects the update keeps the old one */

static void
test_rejected(void **state)
{
    X509               *cert;
    fixture_t          *f;
    harness_pair_t      old;
    cmp_pki_message_t  *msg;

    f = *state;
    old = test_own(f);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    cert = fixture_keep(f);

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, cert, 0, CMP_STATUS_REJECTION);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
    assert_false(harness_row(f->h, old.cert)->record.replaced);
    X509_free(cert);

    fixture_send(f, fixture_kur(f, old.cert, f->key2));
    fixture_granted(f, CMP_BODY_KUP);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_true(harness_row(f->h, old.cert)->record.replaced);

    harness_pair_free(&old);
}


/* nobody confirms: swept, and the old one goes on */

static void
test_swept(void **state)
{
    X509            *cert;
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = test_own(f);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    cert = fixture_keep(f);

    f->h->now += f->h->ca.confirm_timeout + 1000;
    f->h->store->now = f->h->now;
    f->c.now = f->h->now;
    memstore_sweep(f->h->store);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
    X509_free(cert);

    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_CP);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_granted(f, CMP_BODY_KUP);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    harness_pair_free(&old);
}


/* an RA names the certificate with oldCertID */

static void
test_ra(void **state)
{
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &f->h->ra_cert);

    fixture_send(f, fixture_request(f, CMP_BODY_KUR, NULL, f->key));
    fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_granted(f, CMP_BODY_KUP);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_true(harness_row(f->h, old.cert)->record.replaced);

    harness_pair_free(&old);
}


/* a revoked certificate is not updated, not even by an RA */

static void
test_revoked(void **state)
{
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_REVOKED);

    fixture_sign(f, &f->h->ra_cert);
    fixture_send(f, fixture_kur(f, old.cert, f->key));
    assert_int_equal(f->a->type, CMP_BODY_KUP);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->certs.n, f->certs);

    fixture_sign(f, &old);
    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    harness_pair_free(&old);
}


/* two requests for one certificate */

static void
test_two_requests(void **state)
{
    fixture_t           *f;
    harness_pair_t       old;
    client_request_t     request;
    cmp_pki_message_t   *msg;

    f = *state;
    old = test_own(f);

    memset(&request, 0, sizeof(client_request_t));
    request.id = 1;
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key2;
    request.old = old.cert;

    msg = fixture_kur(f, old.cert, f->key);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_KUP);

    /* one at most has taken its place */

    assert_true(f->h->store->certs.n <= f->certs + 1);

    harness_pair_free(&old);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_update),
        fixture_test(test_implicit),
        fixture_test(test_same_key),
        fixture_test(test_no_old_cert_id),
        fixture_test(test_wrong_old_cert_id),
        fixture_test(test_other_names),
        fixture_test(test_again_unconfirmed),
        fixture_test(test_again_same_key),
        fixture_test(test_lost_answer),
        fixture_test(test_replaced),
        fixture_test(test_rejected),
        fixture_test(test_swept),
        fixture_test(test_ra),
        fixture_test(test_revoked),
        fixture_test(test_two_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
