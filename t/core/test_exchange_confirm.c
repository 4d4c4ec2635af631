
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Confirmation: certConf, pkiConf and error from the client, its silence.
 */


#include <fixture.h>


/* an unconfirmed certificate, to be freed */

static X509 *
test_enrol(fixture_t *f)
{
    X509  *cert;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    cert = fixture_keep(f);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);

    return cert;
}


static cmp_pki_message_t *
test_status(fixture_t *f, X509 *cert, int id, int status)
{
    cmp_pki_message_t  *msg;

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, cert, id, status);

    return msg;
}


static cmp_cert_status_t *
test_first(cmp_pki_message_t *msg)
{
    return sk_cmp_cert_status_t_value(msg->body->value.cert_conf, 0);
}


static void
test_accepted(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;
    cert = test_enrol(f);

    fixture_send(f, test_status(f, cert, 0, CMP_STATUS_ACCEPTED));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


static void
test_rejected(void **state)
{
    X509             *cert;
    fixture_t        *f;
    memstore_cert_t  *row;

    f = *state;
    cert = test_enrol(f);

    fixture_send(f, test_status(f, cert, 0, CMP_STATUS_REJECTION));
    fixture_granted(f, CMP_BODY_PKICONF);

    row = harness_row(f->h, cert);
    assert_int_equal(row->record.state, CMP_CERT_REVOKED);
    assert_int_equal(row->record.reason, CRL_REASON_CESSATION_OF_OPERATION);
    assert_int_equal(memstore_transaction(f->h->store,
                                          &row->record.transaction_id)->state,
                     CMP_TX_ENDED);
    X509_free(cert);
}


/* an empty certConf rejects all */

static void
test_empty(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;
    cert = test_enrol(f);

    fixture_send(f, client_message(&f->c, CMP_BODY_CERTCONF));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
    X509_free(cert);
}


/* one that is left out is rejected */

static void
test_left_out(void **state)
{
    X509               *first, *second;
    fixture_t          *f;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.id = 1;
    request.subject = "/CN=second";
    request.key = f->key2;
    msg = fixture_ir(f);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    first = fixture_keep(f);
    second = client_certificate(f->a, 1);
    assert_int_equal(X509_up_ref(second), 1);

    fixture_send(f, test_status(f, second, 1, -1));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, first), CMP_CERT_REVOKED);
    assert_int_equal(fixture_state(f, second), CMP_CERT_VALID);

    X509_free(first);
    X509_free(second);
}


/* a wrong hash: badCertId, and the certificate is revoked */

static void
test_wrong_hash(void **state)
{
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    cert = test_enrol(f);
    msg = test_status(f, cert, 0, -1);
    test_first(msg)->cert_hash->data[0] ^= 1;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_CERT_ID, FIXTURE_CHANGED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
    X509_free(cert);

    cert = test_enrol(f);
    msg = test_status(f, cert, 0, -1);
    test_first(msg)->cert_hash->length = 0;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_CERT_ID, FIXTURE_CHANGED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
    X509_free(cert);
}


/* hashAlg is for pvno 3 and for signatures that say nothing of a hash */

static void
test_hash_alg(void **state)
{
    int                 pvno;
    X509               *cert;
    fixture_t          *f;
    unsigned int        len;
    unsigned char       hash[EVP_MAX_MD_SIZE];
    cmp_cert_status_t  *cs;
    cmp_pki_message_t  *msg;

    (void) state;

    for (pvno = 2; pvno <= 3; pvno++) {
        f = fixture_create(PKI_ED25519);
        cert = test_enrol(f);
        f->c.pvno = pvno;
        msg = test_status(f, cert, 0, -1);
        cs = test_first(msg);
        cs->hash_alg = X509_ALGOR_new();
        assert_int_equal(X509_ALGOR_set0(cs->hash_alg, OBJ_nid2obj(NID_sha384),
                                         V_ASN1_UNDEF, NULL),
                         1);
        assert_int_equal(X509_digest(cert, EVP_sha384(), hash, &len), 1);
        client_set_octets(&cs->cert_hash, hash, len);

        fixture_send(f, msg);

        if (pvno == 2) {
            fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_CERT_ID,
                            FIXTURE_CHANGED);
            assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);

        } else {
            fixture_granted(f, CMP_BODY_PKICONF);
            assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
        }

        X509_free(cert);
        fixture_destroy(f);
    }
}


/* not that of the signature algorithm */

static void
test_other_hash_alg(void **state)
{
    X509               *cert;
    fixture_t          *f;
    unsigned int        len;
    unsigned char       hash[EVP_MAX_MD_SIZE];
    cmp_cert_status_t  *cs;
    cmp_pki_message_t  *msg;

    (void) state;

    f = fixture_create(PKI_P256);
    cert = test_enrol(f);
    f->c.pvno = 3;

    msg = test_status(f, cert, 0, -1);
    cs = test_first(msg);
    cs->hash_alg = X509_ALGOR_new();
    assert_int_equal(X509_ALGOR_set0(cs->hash_alg, OBJ_nid2obj(NID_md5),
                                     V_ASN1_UNDEF, NULL),
                     1);
    assert_int_equal(X509_digest(cert, EVP_md5(), hash, &len), 1);
    client_set_octets(&cs->cert_hash, hash, len);

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_CERT_ID, FIXTURE_CHANGED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);

    X509_free(cert);
    fixture_destroy(f);
}


/* Ed25519 and a hash that is none: MD5 */

static void
test_weak_hash_alg(void **state)
{
    X509               *cert;
    fixture_t          *f;
    unsigned int        len;
    unsigned char       hash[EVP_MAX_MD_SIZE];
    cmp_cert_status_t  *cs;
    cmp_pki_message_t  *msg;

    f = *state;
    cert = test_enrol(f);
    f->c.pvno = 3;

    msg = test_status(f, cert, 0, -1);
    cs = test_first(msg);
    cs->hash_alg = X509_ALGOR_new();
    assert_int_equal(X509_ALGOR_set0(cs->hash_alg, OBJ_nid2obj(NID_md5),
                                     V_ASN1_UNDEF, NULL),
                     1);
    assert_int_equal(X509_digest(cert, EVP_md5(), hash, &len), 1);
    client_set_octets(&cs->cert_hash, hash, len);

    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_not_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


/* Ed448: SHAKE256 with 64 octets, and with the 32 of OpenSSL 3.0 */

static void
test_ed448(void **state)
{
    int                 len;
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    (void) state;

    for (len = 32; len <= 64; len += 32) {
        f = fixture_create(PKI_ED448);
        cert = test_enrol(f);
        msg = test_status(f, cert, 0, -1);
        assert_int_equal(test_first(msg)->cert_hash->length, 64);
        test_first(msg)->cert_hash->length = len;
        fixture_send(f, msg);
        fixture_granted(f, CMP_BODY_PKICONF);
        assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
        X509_free(cert);
        fixture_destroy(f);
    }
}


/* not a proof of anything: a shorter beginning of the right hash */

static void
test_short_hash(void **state)
{
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    (void) state;

    f = fixture_create(PKI_ED448);
    cert = test_enrol(f);
    msg = test_status(f, cert, 0, -1);
    test_first(msg)->cert_hash->length = 1;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_CERT_ID, FIXTURE_CHANGED);
    X509_free(cert);
    fixture_destroy(f);
}


static void
test_bad_status(void **state)
{
    X509                   *cert;
    fixture_t              *f;
    cmp_pki_message_t      *msg;
    cmp_pki_status_info_t  *info;

    f = *state;

    /* accepted with failInfo */

    cert = test_enrol(f);
    msg = test_status(f, cert, 0, CMP_STATUS_ACCEPTED);
    info = test_first(msg)->status_info;
    info->fail_info = ASN1_BIT_STRING_new();
    assert_int_equal(ASN1_BIT_STRING_set_bit(info->fail_info,
                                             CMP_FAIL_BAD_ALG, 1),
                     1);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    assert_int_not_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);

    /* unknown certReqId */

    cert = test_enrol(f);
    fixture_send(f, test_status(f, cert, 7, -1));
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    assert_int_not_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);

    /* repeated */

    cert = test_enrol(f);
    msg = test_status(f, cert, 0, -1);
    (void) client_add_status(msg, cert, 0, -1);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    assert_int_not_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


static void
test_late(void **state)
{
    int         swept;
    X509       *cert;
    fixture_t  *f;

    f = *state;

    for (swept = 0; swept < 2; swept++) {
        cert = test_enrol(f);

        f->h->now += f->h->ca.confirm_timeout + 1000;
        f->h->store->now = f->h->now;
        f->c.now = f->h->now;

        if (swept) {
            memstore_sweep(f->h->store);
            assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
            assert_int_equal(harness_row(f->h, cert)->record.reason,
                             CRL_REASON_CESSATION_OF_OPERATION);
        }

        fixture_send(f, test_status(f, cert, 0, -1));
        assert_int_equal(f->a->type, CMP_BODY_ERROR);
        assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
        assert_int_equal(f->a->fail_info, CMP_FAIL_CERT_REVOKED);

        /* refused at once, revoked by the sweeper at the latest */

        assert_int_not_equal(fixture_state(f, cert), CMP_CERT_VALID);
        memstore_sweep(f->h->store);
        assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
        X509_free(cert);
    }
}


static void
test_in_time(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;
    cert = test_enrol(f);

    f->h->now += f->h->ca.confirm_timeout - 1000;
    f->h->store->now = f->h->now;
    f->c.now = f->h->now;
    memstore_sweep(f->h->store);

    fixture_send(f, test_status(f, cert, 0, -1));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


/* confirmed before: certConfirmed, unless it is the same message again */

static void
test_twice(void **state)
{
    X509           *cert;
    fixture_t      *f;
    size_t          len;
    unsigned char  *reply;

    f = *state;
    cert = test_enrol(f);

    fixture_send(f, test_status(f, cert, 0, -1));
    fixture_granted(f, CMP_BODY_PKICONF);
    len = f->h->reply_len;
    reply = malloc(len);
    memcpy(reply, f->h->reply, len);

    fixture_repeat(f);
    assert_true(f->h->info.repeat);
    assert_int_equal(f->h->reply_len, len);
    assert_memory_equal(f->h->reply, reply, len);
    free(reply);

    fixture_send(f, test_status(f, cert, 0, -1));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_CONFIRMED,
                    FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);

    /* it is too late to reject it */

    fixture_send(f, test_status(f, cert, 0, CMP_STATUS_REJECTION));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


static void
test_implicitly_confirmed(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;
    f->c.implicit_confirm = 1;

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);
    fixture_send(f, test_status(f, cert, 0, -1));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_CONFIRMED,
                    FIXTURE_AUDITED);
    X509_free(cert);
}


static void
test_unknown_transaction(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;
    cert = test_enrol(f);

    client_begin(&f->c);
    fixture_send(f, test_status(f, cert, 0, -1));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);
}


/* pkiConf from the client confirms all (base) */

static void
test_pki_conf(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;
    cert = test_enrol(f);

    fixture_send(f, client_message(&f->c, CMP_BODY_PKICONF));
    assert_int_equal(f->a->type, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


/* error from the client ends the transaction and revokes */

static void
test_error(void **state)
{
    X509               *cert;
    fixture_t          *f;
    memstore_cert_t    *row;

    f = *state;
    cert = test_enrol(f);

    fixture_send(f, client_message(&f->c, CMP_BODY_ERROR));
    fixture_granted(f, CMP_BODY_PKICONF);

    row = harness_row(f->h, cert);
    assert_int_equal(row->record.state, CMP_CERT_REVOKED);
    assert_int_equal(memstore_transaction(f->h->store,
                                          &row->record.transaction_id)->state,
                     CMP_TX_ENDED);
    X509_free(cert);
}


/* an error after confirmation changes nothing that was confirmed */

static void
test_error_after(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;
    cert = test_enrol(f);

    fixture_send(f, test_status(f, cert, 0, -1));
    fixture_granted(f, CMP_BODY_PKICONF);
    fixture_send(f, client_message(&f->c, CMP_BODY_ERROR));
    assert_non_null(f->a);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


/* somebody else cannot end or confirm a transaction */

static void
test_of_another(void **state)
{
    X509               *cert;
    fixture_t          *f;
    harness_pair_t      other;

    f = *state;
    cert = test_enrol(f);
    other = harness_enrol(f->h, "/CN=other", PKI_P256, "other",
                          CMP_CERT_VALID);
    fixture_sign(f, &other);

    fixture_send(f, client_message(&f->c, CMP_BODY_ERROR));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);

    harness_client_mac(f->h, &f->c);
    harness_pair_free(&other);
    X509_free(cert);
}


static void
test_poll_req(void **state)
{
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    cert = test_enrol(f);

    /* nothing waits here */

    msg = client_message(&f->c, CMP_BODY_POLLREQ);
    client_add_poll(msg, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    X509_free(cert);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_accepted),
        fixture_test(test_rejected),
        fixture_test(test_empty),
        fixture_test(test_left_out),
        fixture_test(test_wrong_hash),
        cmocka_unit_test(test_hash_alg),
        cmocka_unit_test(test_other_hash_alg),
        fixture_test(test_weak_hash_alg),
        cmocka_unit_test(test_ed448),
        cmocka_unit_test(test_short_hash),
        fixture_test(test_bad_status),
        fixture_test(test_late),
        fixture_test(test_in_time),
        fixture_test(test_twice),
        fixture_test(test_implicitly_confirmed),
        fixture_test(test_unknown_transaction),
        fixture_test(test_pki_conf),
        fixture_test(test_error),
        fixture_test(test_error_after),
        fixture_test(test_of_another),
        fixture_test(test_poll_req),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
