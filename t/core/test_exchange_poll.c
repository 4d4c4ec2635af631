
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Certificate requests that wait for an operator, and clients that poll
 * (RFC 9810, 5.3.22).
 */


#include <fixture.h>


static memstore_request_t *
test_wait(fixture_t *f)
{
    f->h->device.approval = 1;

    fixture_send(f, fixture_ir(f));
    fixture_waits(f, CMP_BODY_IP);

    return memstore_request(f->h->store, 0);
}


static int
test_same(const cmp_str_t *str, const char *text)
{
    return str->len == strlen(text) && memcmp(str->data, text, str->len) == 0;
}


static void
test_decide(fixture_t *f, int approve, const char *reason)
{
    assert_int_equal(memstore_decide(f->h->store,
                                     memstore_request(f->h->store, 0), approve,
                                     reason),
                     CMP_OK);
}


/* a message that was refused is not the last one of the transaction */

static void
test_not_counted(fixture_t *f, const client_t *before)
{
    memcpy(f->c.recip_nonce, before->recip_nonce, 16);
}


static void
test_approved(void **state)
{
    X509                *cert;
    cmp_str_t            serial;
    fixture_t           *f;
    cmp_transaction_t   *tx;
    memstore_request_t  *row;

    f = *state;
    row = test_wait(f);

    assert_string_equal(f->h->info.operation, "ir");
    assert_null(f->a->cert);
    assert_null(f->a->msg->header->general_info);
    assert_int_equal(f->h->store->certs.n, 0);

    /* what an operator needs */

    assert_int_equal(row->record.cert_req_id, 0);
    assert_true(test_same(&row->data.profile, "device"));
    assert_true(test_same(&row->data.subject, "CN=device-1,O=Example"));
    assert_int_equal(row->data.key_hash.len, CMP_SHA256_LEN);
    assert_int_equal(row->data.serial.len, 0);

    tx = memstore_transaction(f->h->store, &row->transaction_id);
    assert_int_equal(tx->state, CMP_TX_WAITING);

    fixture_poll(f, 0);
    fixture_later(f, 0);
    fixture_poll(f, 0);
    fixture_later(f, 0);
    assert_int_equal(f->h->loads, 1);
    assert_int_equal(tx->state, CMP_TX_WAITING);
    assert_int_equal(row->record.state, CMP_REQUEST_PENDING);

    test_decide(f, 1, NULL);
    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->h->loads, 1);
    assert_int_equal(tx->state, CMP_TX_CONFIRM);
    assert_true(row->answered);
    assert_int_equal(row->record.state, CMP_REQUEST_DELIVERED);

    cert = fixture_keep(f);
    serial = harness_serial(cert);
    assert_true(cmp_str_equal(&row->serial, &serial));
    assert_int_equal(X509_check_private_key(cert, f->key), 1);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    assert_true(test_same(&memstore_audit(f->h->store, 0)->record.action,
                          "ir"));

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    assert_int_equal(tx->state, CMP_TX_ENDED);

    fixture_poll(f, 0);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    X509_free(cert);
}


static void
test_rejected(void **state)
{
    fixture_t           *f;
    memstore_request_t  *row;

    f = *state;
    row = test_wait(f);

    test_decide(f, 0, "not on the list");
    assert_int_equal(memstore_decide(f->h->store, row, 1, NULL), CMP_ERROR);

    fixture_poll(f, 0);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_non_null(strstr(f->a->text, "not on the list"));
    assert_int_equal(row->record.state, CMP_REQUEST_REJECTED);
    assert_true(row->answered);
    assert_int_equal(memstore_transaction(f->h->store,
                                          &row->transaction_id)->state,
                     CMP_TX_ENDED);
}


/* before the sweeper has seen it, and after */

static void
test_expired(void **state)
{
    int                  i;
    EVP_PKEY            *key;
    fixture_t           *f;
    memstore_request_t  *row;

    f = *state;
    f->h->device.approval = 1;

    for (i = 0; i < 4; i++) {
        key = pki_key(PKI_P256, (i & 1) ? "expired 1" : "expired 2");
        fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
        fixture_waits(f, CMP_BODY_IP);
        row = memstore_request(f->h->store, 0);
        EVP_PKEY_free(key);

        /* approved, but not fetched, is the same */

        if (i & 2) {
            test_decide(f, 1, NULL);
        }

        f->h->store->now += f->h->ca.approval_timeout;

        if (i & 1) {
            memstore_sweep(f->h->store);
            assert_int_equal(row->record.state, CMP_REQUEST_EXPIRED);
            assert_int_equal(memstore_transaction(f->h->store,
                                                  &row->transaction_id)->state,
                             CMP_TX_ENDED);
        }

        fixture_poll(f, 0);
        fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED,
                        FIXTURE_AUDITED);
        assert_int_equal(row->record.state, CMP_REQUEST_EXPIRED);
        assert_true(row->answered);
        assert_int_equal(f->h->store->certs.n, 0);

        fixture_poll(f, 0);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_AUDITED);
    }
}


static void
test_implicit_confirm(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;
    f->c.implicit_confirm = 1;
    (void) test_wait(f);
    assert_null(f->a->msg->header->general_info);

    test_decide(f, 1, NULL);
    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(
        sk_cmp_info_type_and_value_t_num(f->a->msg->header->general_info), 1);
    cert = fixture_keep(f);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);

    fixture_send(f, fixture_conf(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_CONFIRMED,
                    FIXTURE_AUDITED);
    X509_free(cert);
}


static void
test_p10cr(void **state)
{
    int         id;
    EVP_PKEY   *key;
    fixture_t  *f;

    f = *state;
    f->h->device.approval = 1;

    /* some clients say 0 */

    for (id = -1; id <= 0; id++) {
        key = pki_key(PKI_P256, id != 0 ? "p10 -1" : "p10 0");
        fixture_send(f, fixture_request(f, CMP_BODY_P10CR, NULL, key));
        fixture_waits(f, CMP_BODY_CP);
        fixture_poll(f, id);
        fixture_later(f, id);
        test_decide(f, 1, NULL);
        fixture_poll(f, id);
        fixture_granted(f, CMP_BODY_CP);
        assert_int_equal(
            ASN1_INTEGER_get(sk_cmp_cert_response_t_value(
                f->a->msg->body->value.cp->response, 0)->cert_req_id),
            -1);
        fixture_send(f, fixture_conf(f));
        fixture_granted(f, CMP_BODY_PKICONF);
        EVP_PKEY_free(key);
    }
}


static void
test_kur(void **state)
{
    X509                *cert;
    fixture_t           *f;
    harness_pair_t       old;
    memstore_request_t  *row;

    f = *state;
    f->h->device.approval = 1;

    old = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &old);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_waits(f, CMP_BODY_KUP);
    row = memstore_request(f->h->store, 0);
    assert_true(cmp_str_equal(&row->data.serial,
                              &harness_row(f->h, old.cert)->record.serial));

    test_decide(f, 1, NULL);
    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_KUP);
    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_true(harness_row(f->h, old.cert)->record.replaced);

    X509_free(cert);
    harness_pair_free(&old);
}


/* the target is revoked while its update waits */

static void
test_kur_revoked(void **state)
{
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    f->h->device.approval = 1;

    old = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &old);
    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_waits(f, CMP_BODY_KUP);
    test_decide(f, 1, NULL);

    assert_int_equal(memstore_revoke(f->h->store,
                                     &harness_row(f->h,
                                                  old.cert)->record.serial,
                                     CRL_REASON_KEY_COMPROMISE,
                                     CMP_BY_OPERATOR),
                     CMP_OK);

    fixture_poll(f, 0);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);
    harness_pair_free(&old);
}


/* what was right when it began to wait is checked again */

static void
test_checked_again(void **state)
{
    EVP_PKEY            *key;
    fixture_t           *f;
    client_t             waiting;
    memstore_request_t  *row;

    f = *state;
    row = test_wait(f);
    test_decide(f, 1, NULL);
    waiting = f->c;

    /* somebody else gets the key certified meanwhile */

    f->h->device.approval = 0;
    fixture_send(f, fixture_request(f, CMP_BODY_IR, "/CN=other", f->key));
    fixture_granted(f, CMP_BODY_IP);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    f->c = waiting;
    fixture_poll(f, 0);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
    assert_int_equal(row->record.state, CMP_REQUEST_FAILED);

    /* the subject is not allowed any more, nor the profile */

    key = pki_key(PKI_P256, "again");
    f->h->device.approval = 1;
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
    fixture_waits(f, CMP_BODY_IP);
    test_decide(f, 1, NULL);
    f->h->credential->subject.data = (unsigned char *) "CN=else";
    f->h->credential->subject.len = 7;
    fixture_poll(f, 0);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    f->h->credential->subject.len = 0;
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
    fixture_waits(f, CMP_BODY_IP);
    test_decide(f, 1, NULL);
    f->h->ca.profiles[0] = &f->h->server;
    fixture_poll(f, 0);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    f->h->ca.profiles[0] = &f->h->device;
    EVP_PKEY_free(key);
}


static void
test_uses(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->credential->uses_left = 1;

    (void) test_wait(f);
    assert_int_equal(f->h->credential->uses_left, 0);

    fixture_poll(f, 0);
    fixture_later(f, 0);
    test_decide(f, 1, NULL);
    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->h->credential->uses_left, 0);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
}


static void
test_refused_at_once(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->device.approval = 1;

    fixture_send(f, fixture_request(f, CMP_BODY_IR, "/CN=x/L=nowhere",
                                    f->key));
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
    assert_int_equal(f->h->store->requests.n, 0);
}


static void
test_ids(void **state)
{
    client_t            before;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    (void) test_wait(f);
    before = f->c;

    fixture_poll(f, 1);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    test_not_counted(f, &before);

    msg = client_message(&f->c, CMP_BODY_POLLREQ);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    test_not_counted(f, &before);

    msg = client_message(&f->c, CMP_BODY_POLLREQ);
    client_add_poll(msg, 0);
    client_add_poll(msg, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    test_not_counted(f, &before);

    /* the whole of it */

    fixture_poll(f, -1);
    fixture_later(f, -1);
    test_decide(f, 1, NULL);
    fixture_poll(f, -1);
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_nonces(void **state)
{
    client_t            before, last;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    (void) test_wait(f);

    before = f->c;
    fixture_poll(f, 0);
    fixture_later(f, 0);
    last = f->c;

    /* that of the answer before the last one */

    msg = client_message(&f->c, CMP_BODY_POLLREQ);
    client_add_poll(msg, 0);
    client_set_octets(&msg->header->recip_nonce, before.recip_nonce, 16);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_RECIPIENT_NONCE,
                    FIXTURE_AUDITED);
    test_not_counted(f, &last);

    msg = client_message(&f->c, CMP_BODY_POLLREQ);
    client_add_poll(msg, 0);
    client_set_octets(&msg->header->sender_nonce, before.sender_nonce, 16);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                    FIXTURE_AUDITED);
    test_not_counted(f, &last);

    /* a repeat gets the same answer */

    fixture_poll(f, 0);
    fixture_later(f, 0);
    test_decide(f, 1, NULL);
    fixture_repeat(f);
    assert_true(f->h->info.repeat);
    fixture_later(f, 0);

    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_other_protection(void **state)
{
    client_t         mac;
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, "/CN=somebody", PKI_P256, "somebody",
                         CMP_CERT_VALID);
    (void) test_wait(f);
    test_decide(f, 1, NULL);

    mac = f->c;
    fixture_sign(f, &pair);
    fixture_poll(f, 0);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_WRONG_INTEGRITY,
                    FIXTURE_AUDITED);

    f->c = mac;
    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_IP);
    harness_pair_free(&pair);
}


static void
test_cancelled(void **state)
{
    fixture_t           *f;
    memstore_request_t  *row;

    f = *state;
    row = test_wait(f);

    fixture_send(f, client_message(&f->c, CMP_BODY_ERROR));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(row->record.state, CMP_REQUEST_CANCELLED);
    assert_true(row->answered);
    assert_int_equal(memstore_decide(f->h->store, row, 1, NULL), CMP_ERROR);

    fixture_poll(f, 0);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_rival_decides(void *data)
{
    fixture_t  *f = data;

    test_decide(f, 1, NULL);
}


static void
test_rival_rejects(void *data)
{
    fixture_t  *f = data;

    test_decide(f, 0, NULL);
}


/* decisions between load and commit */

static void
test_races(void **state)
{
    fixture_t           *f;
    memstore_request_t  *row;

    f = *state;
    row = test_wait(f);

    /* a pollRep does not mind */

    f->h->store->rival = test_rival_decides;
    f->h->store->rival_data = f;
    fixture_poll(f, 0);
    fixture_later(f, 0);
    assert_int_equal(f->h->loads, 1);

    f->h->store->races = 1;
    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->h->loads, 2);
    assert_int_equal(f->h->store->certs.n, 1);
    assert_int_equal(row->record.state, CMP_REQUEST_DELIVERED);
}


static void
test_race_cancelled(void **state)
{
    fixture_t           *f;
    memstore_request_t  *row;

    f = *state;
    row = test_wait(f);

    f->h->store->rival = test_rival_rejects;
    f->h->store->rival_data = f;
    fixture_send(f, client_message(&f->c, CMP_BODY_ERROR));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(f->h->loads, 2);
    assert_int_equal(row->record.state, CMP_REQUEST_CANCELLED);
}


static void
test_strict(void **state)
{
    client_t            before;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    (void) test_wait(f);
    before = f->c;

    msg = client_message(&f->c, CMP_BODY_POLLREQ);
    client_add_poll(msg, 0);
    client_add_poll(msg, 1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    test_not_counted(f, &before);

    fixture_poll(f, 0);
    fixture_later(f, 0);
    test_decide(f, 1, NULL);
    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_IP);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_approved),
        fixture_test(test_rejected),
        fixture_test(test_expired),
        fixture_test(test_implicit_confirm),
        fixture_test(test_p10cr),
        fixture_test(test_kur),
        fixture_test(test_kur_revoked),
        fixture_test(test_checked_again),
        fixture_test(test_uses),
        fixture_test(test_refused_at_once),
        fixture_test(test_ids),
        fixture_test(test_nonces),
        fixture_test(test_other_protection),
        fixture_test(test_cancelled),
        fixture_test(test_races),
        fixture_test(test_race_cancelled),
        fixture_test_strict(test_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
