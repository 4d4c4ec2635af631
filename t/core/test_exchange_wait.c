
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Messages with several requests of which some wait, and rr and genm, which
 * wait as a whole (RFC 9810, 5.3.22).
 */


#include <fixture.h>


static void
test_decide(fixture_t *f, size_t n, int approve, const char *reason)
{
    assert_int_equal(memstore_decide(f->h->store,
                                     memstore_request(f->h->store, n), approve,
                                     reason),
                     CMP_OK);
}


static int
test_tx_state(fixture_t *f)
{
    return memstore_transaction(f->h->store,
                                &memstore_request(f->h->store,
                                                  0)->transaction_id)->state;
}


/*
 * Request 7 is for the profile "server", 8 and 9 for "device"; those of
 * "server" wait, with all those of "device" too.
 */

static cmp_pki_message_t *
test_several(fixture_t *f, EVP_PKEY **keys, int all)
{
    int                  i;
    client_request_t     request;
    cmp_pki_message_t   *msg;
    static cmp_str_t     profiles[] = {
        cmp_string("device"), cmp_string("server")
    };
    static const char   *subjects[] = { "/CN=a", "/CN=b", "/CN=c" };

    f->h->credential->profiles = profiles;
    f->h->credential->nprofiles = 2;
    f->h->server.approval = 1;
    f->h->device.approval = (all != 0);

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    client_general_info(msg, &cmp_oid_it_cert_profile,
                        client_profile("server"));

    for (i = 0; i < 3; i++) {
        memset(&request, 0, sizeof(client_request_t));
        request.id = 7 + i;
        request.subject = subjects[i];
        request.key = keys[i];

        if (i == 0) {
            request.san = "DNS:a.example.org";
        }

        (void) client_add_request(&f->c, msg, &request);
    }

    return msg;
}


static void
test_keys(EVP_PKEY **keys)
{
    keys[0] = pki_key(PKI_P256, "wait a");
    keys[1] = pki_key(PKI_P256, "wait b");
    keys[2] = pki_key(PKI_P256, "wait c");
}


static void
test_keys_free(EVP_PKEY **keys)
{
    EVP_PKEY_free(keys[0]);
    EVP_PKEY_free(keys[1]);
    EVP_PKEY_free(keys[2]);
}


/* two are delivered at once and confirmed, then the third one */

static void
test_mixed(void **state)
{
    X509                    *certs[2];
    EVP_PKEY                *keys[3];
    fixture_t               *f;
    memstore_request_t      *row;
    cmp_pki_message_t       *msg;
    cmp_cert_rep_message_t  *rep;

    f = *state;
    test_keys(keys);

    fixture_send(f, test_several(f, keys, 0));
    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->a->nstatus, 3);
    assert_int_equal(f->a->status, CMP_STATUS_WAITING);
    assert_null(client_certificate(f->a, 0));
    certs[0] = client_certificate(f->a, 1);
    certs[1] = client_certificate(f->a, 2);
    assert_non_null(certs[0]);
    assert_non_null(certs[1]);
    X509_up_ref(certs[0]);
    X509_up_ref(certs[1]);
    assert_int_equal(test_tx_state(f), CMP_TX_CONFIRM);

    row = memstore_request(f->h->store, 0);
    assert_int_equal(row->record.cert_req_id, 7);
    assert_int_equal(row->data.sans.len, 17);
    assert_memory_equal(row->data.sans.data, "DNS:a.example.org", 17);

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, certs[0], 8, -1);
    (void) client_add_status(msg, certs[1], 9, -1);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, certs[0]), CMP_CERT_VALID);
    assert_int_equal(fixture_state(f, certs[1]), CMP_CERT_VALID);
    assert_int_equal(test_tx_state(f), CMP_TX_WAITING);

    fixture_poll(f, 7);
    fixture_later(f, 7);
    test_decide(f, 0, 1, NULL);
    fixture_poll(f, 7);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->a->nstatus, 1);
    rep = f->a->msg->body->value.ip;
    assert_int_equal(ASN1_INTEGER_get(sk_cmp_cert_response_t_value(
                         rep->response, 0)->cert_req_id), 7);
    assert_int_equal(X509_check_private_key(f->a->cert, keys[0]), 1);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(test_tx_state(f), CMP_TX_ENDED);

    X509_free(certs[0]);
    X509_free(certs[1]);
    test_keys_free(keys);
}


/* a client that polls before it confirms may confirm later, with the rest */

static void
test_poll_first(void **state)
{
    X509               *certs[3];
    EVP_PKEY           *keys[3];
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    test_keys(keys);

    fixture_send(f, test_several(f, keys, 0));
    certs[0] = client_certificate(f->a, 1);
    certs[1] = client_certificate(f->a, 2);
    X509_up_ref(certs[0]);
    X509_up_ref(certs[1]);

    fixture_poll(f, 7);
    fixture_later(f, 7);
    assert_int_equal(test_tx_state(f), CMP_TX_CONFIRM);

    test_decide(f, 0, 1, NULL);
    fixture_poll(f, 7);
    fixture_granted(f, CMP_BODY_IP);
    certs[2] = fixture_keep(f);
    assert_int_equal(test_tx_state(f), CMP_TX_CONFIRM);

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, certs[0], 8, -1);
    (void) client_add_status(msg, certs[1], 9, CMP_STATUS_REJECTION);
    (void) client_add_status(msg, certs[2], 7, -1);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, certs[0]), CMP_CERT_VALID);
    assert_int_equal(fixture_state(f, certs[1]), CMP_CERT_REVOKED);
    assert_int_equal(fixture_state(f, certs[2]), CMP_CERT_VALID);
    assert_int_equal(test_tx_state(f), CMP_TX_ENDED);

    X509_free(certs[0]);
    X509_free(certs[1]);
    X509_free(certs[2]);
    test_keys_free(keys);
}


/* each as soon as it is ready; the whole of what is left */

static void
test_one_by_one(void **state)
{
    EVP_PKEY           *keys[3];
    client_t            before;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    test_keys(keys);

    fixture_send(f, test_several(f, keys, 1));
    fixture_waits(f, CMP_BODY_IP);
    assert_int_equal(f->a->nstatus, 3);
    assert_int_equal(f->h->store->requests.n, 3);

    test_decide(f, 1, 1, NULL);     /* 8 */

    msg = client_message(&f->c, CMP_BODY_POLLREQ);
    client_add_poll(msg, 7);
    client_add_poll(msg, 8);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->a->nstatus, 1);
    assert_int_equal(X509_check_private_key(f->a->cert, keys[1]), 1);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(test_tx_state(f), CMP_TX_WAITING);

    before = f->c;
    fixture_poll(f, 8);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    memcpy(f->c.recip_nonce, before.recip_nonce, 16);

    test_decide(f, 2, 0, "no");     /* 7 */
    test_decide(f, 0, 1, NULL);     /* 9 */

    fixture_poll(f, -1);
    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->a->nstatus, 2);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_non_null(client_certificate(f->a, 1));
    assert_int_equal(test_tx_state(f), CMP_TX_CONFIRM);

    test_keys_free(keys);
}


/* who does not confirm loses the certificates, not what waits */

static void
test_unconfirmed(void **state)
{
    X509       *cert;
    EVP_PKEY   *keys[3];
    fixture_t  *f;

    f = *state;
    test_keys(keys);

    fixture_send(f, test_several(f, keys, 0));
    cert = client_certificate(f->a, 1);
    X509_up_ref(cert);

    f->h->store->now += f->h->ca.confirm_timeout + 1000;
    memstore_sweep(f->h->store);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
    assert_int_equal(test_tx_state(f), CMP_TX_WAITING);

    test_decide(f, 0, 1, NULL);
    fixture_poll(f, 7);
    fixture_granted(f, CMP_BODY_IP);

    X509_free(cert);
    test_keys_free(keys);
}


static void
test_late(void **state)
{
    EVP_PKEY           *keys[3];
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    test_keys(keys);

    fixture_send(f, test_several(f, keys, 0));
    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, client_certificate(f->a, 1), 8, -1);

    f->h->store->now += f->h->ca.confirm_timeout + 1000;
    memstore_sweep(f->h->store);

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED,
                    FIXTURE_AUDITED);
    test_keys_free(keys);
}


static void
test_abandoned(void **state)
{
    X509       *cert;
    EVP_PKEY   *keys[3];
    fixture_t  *f;

    f = *state;
    test_keys(keys);

    fixture_send(f, test_several(f, keys, 0));
    cert = client_certificate(f->a, 1);
    X509_up_ref(cert);

    fixture_send(f, client_message(&f->c, CMP_BODY_ERROR));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
    assert_int_equal(memstore_request(f->h->store, 0)->record.state,
                     CMP_REQUEST_CANCELLED);
    assert_int_equal(test_tx_state(f), CMP_TX_ENDED);

    X509_free(cert);
    test_keys_free(keys);
}


/* --- rr --- */

static void
test_rr(void **state)
{
    int              approve;
    client_t         before;
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    f->h->device.revocation_approval = 1;

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    for (approve = 0; approve <= 1; approve++) {
        fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED));
        fixture_waits(f, CMP_BODY_ERROR);
        assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);
        assert_int_equal(test_tx_state(f), CMP_TX_WAITING);
        assert_true(memstore_request(f->h->store, 0)->data.serial.len != 0);

        before = f->c;
        fixture_poll(f, 0);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_AUDITED);
        memcpy(f->c.recip_nonce, before.recip_nonce, 16);

        fixture_poll(f, -1);
        fixture_later(f, -1);

        test_decide(f, 0, approve, approve ? NULL : "keep it");
        fixture_poll(f, -1);

        if (approve) {
            fixture_granted(f, CMP_BODY_RP);
            assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_REVOKED);

        } else {
            fixture_refused(f, CMP_BODY_RP, CMP_FAIL_NOT_AUTHORIZED,
                            FIXTURE_AUDITED);
            assert_non_null(strstr(f->a->text, "keep it"));
        }

        assert_int_equal(test_tx_state(f), CMP_TX_ENDED);
    }

    assert_int_equal(harness_row(f->h, pair.cert)->record.reason,
                     CRL_REASON_SUPERSEDED);
    harness_pair_free(&pair);
}


/* all wait for one of them */

static void
test_rr_several(void **state)
{
    fixture_t          *f;
    harness_pair_t      a, b, ra;
    memstore_cert_t    *row;
    cmp_pki_message_t  *msg;

    f = *state;
    f->h->device.revocation_approval = 1;
    ra = f->h->ra_cert;
    fixture_sign(f, &ra);

    a = harness_enrol(f->h, "/CN=a", PKI_P256, "a", CMP_CERT_VALID);
    b = harness_enrol(f->h, "/CN=b", PKI_P256, "b", CMP_CERT_VALID);
    row = harness_row(f->h, b.cert);
    row->record.profile.data = (unsigned char *) "server";
    row->record.profile.len = 6;

    msg = fixture_rr(f, a.cert, CRL_REASON_KEY_COMPROMISE);
    (void) client_add_revocation(msg, b.cert, CRL_REASON_KEY_COMPROMISE);
    fixture_send(f, msg);
    fixture_waits(f, CMP_BODY_ERROR);
    assert_int_equal(f->h->store->requests.n, 1);
    assert_int_equal(fixture_state(f, b.cert), CMP_CERT_VALID);

    test_decide(f, 0, 0, NULL);
    fixture_poll(f, -1);
    assert_int_equal(f->a->type, CMP_BODY_RP);
    assert_int_equal(f->a->nstatus, 2);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(fixture_state(f, a.cert), CMP_CERT_VALID);
    assert_int_equal(fixture_state(f, b.cert), CMP_CERT_REVOKED);

    harness_pair_free(&a);
    harness_pair_free(&b);
}


/* what cannot be done is refused at once */

static void
test_rr_refused(void **state)
{
    fixture_t       *f;
    harness_pair_t   a, b;

    f = *state;
    f->h->device.revocation_approval = 1;

    a = harness_enrol(f->h, "/CN=a", PKI_P256, "a", CMP_CERT_VALID);
    b = harness_enrol(f->h, "/CN=b", PKI_P256, "b", CMP_CERT_VALID);
    fixture_sign(f, &a);

    fixture_send(f, fixture_rr(f, b.cert, CRL_REASON_SUPERSEDED));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_int_equal(f->h->store->requests.n, 0);

    harness_pair_free(&a);
    harness_pair_free(&b);
}


static void
test_rr_expired(void **state)
{
    int              sweep;
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    f->h->device.revocation_approval = 1;

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    for (sweep = 0; sweep <= 1; sweep++) {
        fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED));
        fixture_waits(f, CMP_BODY_ERROR);
        f->h->store->now += f->h->ca.approval_timeout;

        if (sweep) {
            memstore_sweep(f->h->store);
        }

        fixture_poll(f, -1);
        fixture_refused(f, sweep ? CMP_BODY_ERROR : CMP_BODY_RP,
                        CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
        assert_int_equal(memstore_request(f->h->store, 0)->record.state,
                         CMP_REQUEST_EXPIRED);
        assert_int_equal(test_tx_state(f), CMP_TX_ENDED);
        assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);
    }

    harness_pair_free(&pair);
}


/* --- genm --- */

static cmp_pki_message_t *
test_genm(fixture_t *f)
{
    cmp_pki_message_t  *msg;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_GENM);
    (void) client_add_info(msg, &cmp_oid_it_ca_certs);

    return msg;
}


static void
test_support(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->ca.genm_approval = 1;

    fixture_send(f, test_genm(f));
    fixture_waits(f, CMP_BODY_ERROR);
    assert_memory_equal(memstore_request(f->h->store, 0)->data.text.data,
                        "id-it-caCerts", 13);
    fixture_poll(f, -1);
    fixture_later(f, -1);
    test_decide(f, 0, 1, NULL);
    fixture_poll(f, -1);
    fixture_granted(f, CMP_BODY_GENP);
    assert_int_equal(
        sk_cmp_info_type_and_value_t_num(f->a->msg->body->value.genp), 1);
    assert_int_equal(test_tx_state(f), CMP_TX_ENDED);

    fixture_send(f, test_genm(f));
    fixture_waits(f, CMP_BODY_ERROR);
    test_decide(f, 0, 0, "not today");
    fixture_poll(f, -1);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_NOT_AUTHORIZED,
                    FIXTURE_AUDITED);
    assert_non_null(strstr(f->a->text, "not today"));
    assert_int_equal(test_tx_state(f), CMP_TX_ENDED);
    assert_int_equal(memstore_request(f->h->store, 0)->record.state,
                     CMP_REQUEST_REJECTED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_mixed),
        fixture_test(test_poll_first),
        fixture_test(test_one_by_one),
        fixture_test(test_unconfirmed),
        fixture_test(test_late),
        fixture_test(test_abandoned),
        fixture_test(test_rr),
        fixture_test(test_rr_several),
        fixture_test(test_rr_refused),
        fixture_test(test_rr_expired),
        fixture_test(test_support),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
