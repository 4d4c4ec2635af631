
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Transactions at the base level: their IDs and nonces (RFC 9810, 5.1.1).
 */


#include <fixture.h>


static void
test_pvno(void **state)
{
    size_t              i;
    fixture_t          *f;
    cmp_pki_message_t  *msg;
    static const long   pvnos[] = { -1, 0, 1, 4, 127, 1000000 };

    f = *state;

    for (i = 0; i < sizeof(pvnos) / sizeof(long); i++) {
        f->c.pvno = pvnos[i];
        msg = fixture_ir(f);
        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_UNSUPPORTED_VERSION,
                        FIXTURE_QUIET);
        assert_int_equal(ASN1_INTEGER_get(f->a->msg->header->pvno),
                         pvnos[i] < 2 ? 2 : 3);
    }

    msg = fixture_ir(f);
    assert_int_equal(ASN1_INTEGER_set_uint64(msg->header->pvno, 1ULL << 63),
                     1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_UNSUPPORTED_VERSION,
                    FIXTURE_QUIET);
    assert_int_equal(ASN1_INTEGER_get(f->a->msg->header->pvno), 3);
}


/* it may change inside a transaction, each answer echoes its request */

static void
test_pvno_changes(void **state)
{
    fixture_t  *f;

    f = *state;

    f->c.pvno = 2;
    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    f->c.pvno = 3;
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
}


static void
test_no_transaction_id(void **state)
{
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_set_octets(&msg->header->transaction_id, NULL, 0);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->a->msg->header->transaction_id->length, 16);

    /* used from then on */

    cert = fixture_keep(f);
    msg = fixture_conf(f);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


static void
test_no_transaction_id_later(void **state)
{
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);
    msg = fixture_conf(f);
    client_set_octets(&msg->header->transaction_id, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);

    msg = client_message(&f->c, CMP_BODY_POLLREQ);
    client_add_poll(msg, 0);
    client_set_octets(&msg->header->transaction_id, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_transaction_id_length(void **state)
{
    EVP_PKEY           *key;
    fixture_t          *f;
    unsigned char       id[65];
    cmp_pki_message_t  *msg;

    f = *state;
    memset(id, 'x', sizeof(id));

    msg = fixture_ir(f);
    client_set_octets(&msg->header->transaction_id, id, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    msg = fixture_ir(f);
    client_set_octets(&msg->header->transaction_id, id, 65);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    msg = fixture_ir(f);
    client_set_octets(&msg->header->transaction_id, id, 64);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    key = pki_key(PKI_P256, "one octet");
    msg = fixture_request(f, CMP_BODY_IR, NULL, key);
    client_set_octets(&msg->header->transaction_id, id, 1);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    EVP_PKEY_free(key);
}


static void
test_transaction_id_in_use(void **state)
{
    fixture_t          *f;
    unsigned char       id[16];
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    memcpy(id, f->c.transaction_id, 16);

    /* while it lives */

    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    client_set_octets(&msg->header->transaction_id, id, 16);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_TRANSACTION_ID_IN_USE,
                    FIXTURE_AUDITED);

    /* by somebody else */

    pair = harness_enrol(f->h, "/CN=other", PKI_P256, "other", CMP_CERT_VALID);
    fixture_sign(f, &pair);
    msg = fixture_rr(f, pair.cert, -1);
    client_set_octets(&msg->header->transaction_id, id, 16);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_TRANSACTION_ID_IN_USE,
                    FIXTURE_AUDITED);
    harness_client_mac(f->h, &f->c);
    harness_pair_free(&pair);
}


static void
test_transaction_id_in_use_ended(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    f->c.implicit_confirm = 1;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    client_set_octets(&msg->header->transaction_id,
                      f->a->msg->header->transaction_id->data, 16);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_TRANSACTION_ID_IN_USE,
                    FIXTURE_AUDITED);
}


/* an ID is remembered, and then forgotten */

static void
test_transaction_memory(void **state)
{
    int                 i;
    fixture_t          *f;
    unsigned char       id[16];
    cmp_pki_message_t  *msg;

    f = *state;
    f->c.implicit_confirm = 1;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    memcpy(id, f->c.transaction_id, 16);

    for (i = 0; i < 2; i++) {
        f->h->now += f->h->ca.transaction_memory - 1000 + i * 2000;
        f->h->store->now = f->h->now;
        f->c.now = f->h->now;
        memstore_sweep(f->h->store);

        msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
        client_set_octets(&msg->header->transaction_id, id, 16);
        fixture_send(f, msg);

        if (i == 0) {
            fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_TRANSACTION_ID_IN_USE,
                            FIXTURE_AUDITED);
            f->h->now = HARNESS_NOW;

        } else {
            fixture_granted(f, CMP_BODY_IP);
        }
    }
}


static void
test_sender_nonce(void **state)
{
    fixture_t          *f;
    unsigned char       nonce[65];
    cmp_pki_message_t  *msg;

    f = *state;
    memset(nonce, 'n', sizeof(nonce));

    msg = fixture_ir(f);
    client_set_octets(&msg->header->sender_nonce, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                    FIXTURE_AUDITED);

    msg = fixture_ir(f);
    client_set_octets(&msg->header->sender_nonce, nonce, 7);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                    FIXTURE_AUDITED);

    msg = fixture_ir(f);
    client_set_octets(&msg->header->sender_nonce, nonce, 8);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    client_set_octets(&msg->header->sender_nonce, nonce, 32);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_sender_nonce_seen(void **state)
{
    X509               *cert;
    fixture_t          *f;
    unsigned char       nonce[16];
    cmp_pki_message_t  *msg;

    f = *state;

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);
    memcpy(nonce, f->c.sender_nonce, 16);

    msg = fixture_conf(f);
    client_set_octets(&msg->header->sender_nonce, nonce, 16);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                    FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);

    X509_free(cert);
}


static void
test_recip_nonce(void **state)
{
    X509                    *cert;
    fixture_t               *f;
    unsigned char            recip[16];
    cmp_pki_message_t       *msg;
    cmp_cert_status_t       *cs;

    f = *state;

    /* of no interest in a first message */

    msg = fixture_ir(f);
    client_set_octets(&msg->header->recip_nonce, "0123456789abcdef", 16);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    cert = fixture_keep(f);
    memcpy(recip, f->c.recip_nonce, 16);

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    cs = client_add_status(msg, cert, 0, -1);
    assert_non_null(cs);
    client_set_octets(&msg->header->recip_nonce, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_RECIPIENT_NONCE,
                    FIXTURE_AUDITED);
    memcpy(f->c.recip_nonce, recip, 16);

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, cert, 0, -1);
    recip[15] ^= 1;
    client_set_octets(&msg->header->recip_nonce, recip, 16);
    recip[15] ^= 1;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_RECIPIENT_NONCE,
                    FIXTURE_AUDITED);
    memcpy(f->c.recip_nonce, recip, 16);

    /* neither attempt has ended the transaction */

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, cert, 0, -1);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);

    X509_free(cert);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_pvno),
        fixture_test(test_pvno_changes),
        fixture_test(test_no_transaction_id),
        fixture_test(test_no_transaction_id_later),
        fixture_test(test_transaction_id_length),
        fixture_test(test_transaction_id_in_use),
        fixture_test(test_transaction_id_in_use_ended),
        fixture_test(test_transaction_memory),
        fixture_test(test_sender_nonce),
        fixture_test(test_sender_nonce_seen),
        fixture_test(test_recip_nonce),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
