
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the strict level (RFC 9483) refuses besides.
 */


#include <fixture.h>


static void
test_not_der(void **state)
{
    int                 n;
    size_t              len;
    fixture_t          *f;
    unsigned char      *der, *ber;
    cmp_pki_message_t  *msg;

    f = *state;

    /* the same message in indefinite length; its protection stays right */

    msg = fixture_ir(f);
    client_protect(&f->c, msg);
    der = client_encode(msg, &len);

    assert_int_equal(der[0], 0x30);
    n = (der[1] & 0x80) != 0 ? 2 + (der[1] & 0x7f) : 2;

    ber = malloc(len - n + 4);
    assert_non_null(ber);
    ber[0] = 0x30;
    ber[1] = 0x80;
    memcpy(ber + 2, der + n, len - n);
    memset(ber + 2 + len - n, 0, 2);

    fixture_send_bytes(f, ber, len - n + 4);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    FIXTURE_QUIET);

    f->h->ca.conformance = CMP_RFC9810;
    fixture_send_bytes(f, ber, len - n + 4);
    fixture_granted(f, CMP_BODY_IP);

    free(ber);
    free(der);
}


static void
test_no_transaction_id(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_set_octets(&msg->header->transaction_id, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    FIXTURE_AUDITED);
}


static void
test_transaction_id_length(void **state)
{
    int                 i;
    fixture_t          *f;
    unsigned char       id[32];
    cmp_pki_message_t  *msg;
    static const int    lengths[] = { 1, 15, 17, 32 };

    f = *state;
    memset(id, 't', sizeof(id));

    for (i = 0; i < 4; i++) {
        msg = fixture_ir(f);
        client_set_octets(&msg->header->transaction_id, id, lengths[i]);
        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_AUDITED);
    }
}


static void
test_sender_nonce(void **state)
{
    int                 i;
    fixture_t          *f;
    unsigned char       nonce[32];
    cmp_pki_message_t  *msg;
    static const int    lengths[] = { 8, 15, 17, 32 };

    f = *state;
    memset(nonce, 'n', sizeof(nonce));

    for (i = 0; i < 4; i++) {
        msg = fixture_ir(f);
        client_set_octets(&msg->header->sender_nonce, nonce, lengths[i]);
        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                        FIXTURE_AUDITED);
    }

    msg = fixture_ir(f);
    client_set_octets(&msg->header->sender_nonce, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                    FIXTURE_AUDITED);
}


static void
test_recip_nonce_first(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_set_octets(&msg->header->recip_nonce, "0123456789abcdef", 16);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_RECIPIENT_NONCE,
                    FIXTURE_AUDITED);
}


static void
test_message_time(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    f->c.no_time = 1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_TIME, FIXTURE_AUDITED);
    f->c.no_time = 0;

    msg = fixture_ir(f);
    ASN1_GENERALIZEDTIME_free(msg->header->message_time);
    msg->header->message_time = ASN1_GENERALIZEDTIME_set(NULL,
                                                         f->h->now / 1000
                                                         - 301);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_TIME, FIXTURE_AUDITED);
}


static void
test_implicit_confirm_in_cert_conf(void **state)
{
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    cert = fixture_keep(f);

    msg = fixture_conf(f);
    client_general_info(msg, &cmp_oid_it_implicit_confirm, client_null());
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);
}


static void
test_sender_kid_missing(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    f->c.no_kid = 1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);

    harness_pair_free(&pair);
}


static void
test_mac_sender(void **state)
{
    fixture_t          *f;
    GENERAL_NAME       *name;
    cmp_pki_message_t  *msg;

    f = *state;

    /* not the CN of sender */

    f->c.sender = "/CN=device-2";
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);

    /* no CN */

    f->c.sender = "/O=device-1";
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);

    /* no directoryName */

    f->c.sender = "/CN=" HARNESS_REFERENCE;
    msg = fixture_ir(f);
    name = GENERAL_NAME_new();
    name->type = GEN_DNS;
    name->d.dNSName = ASN1_IA5STRING_new();
    assert_int_equal(ASN1_STRING_set(name->d.dNSName, HARNESS_REFERENCE, -1),
                     1);
    GENERAL_NAME_free(msg->header->sender);
    msg->header->sender = name;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);

    /* no senderKID: nobody is found by the sender's name */

    f->c.no_kid = 1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    f->h->info.authenticated ? FIXTURE_AUDITED
                                             : FIXTURE_QUIET);
}


static void
test_sha1(void **state)
{
    fixture_t  *f;

    f = *state;

    f->c.owf = NID_sha1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);

    f->c.owf = NID_sha256;
    f->c.mac = NID_hmac_sha1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);

    f->c.protection = CLIENT_PBMAC1;
    f->c.mac = NID_hmacWithSHA1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);
}


/* exactly one CertReqMsg, certReqId 0 */

static void
test_one_request(void **state)
{
    fixture_t          *f;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.id = 1;
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key2;

    msg = fixture_ir(f);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    assert_int_equal(f->h->store->certs.n, 0);

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    assert_int_equal(f->h->store->certs.n, 0);
}


/* with subject and key in the template */

static void
test_pop_input(void **state)
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
    request.key = f->key;
    request.pop = CLIENT_POP_INPUT_SENDER;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);

    harness_pair_free(&pair);
}


/* the chain of a protecting certificate has to be there */

static void
test_chain(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    sk_X509_pop_free(f->c.chain, X509_free);
    f->c.chain = NULL;

    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    f->c.no_extra_certs = 1;
    fixture_send(f, fixture_ir(f));
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->changes, f->changes);

    harness_pair_free(&pair);
}


/* a key that was certified, whatever the profile says */

static void
test_key_reuse(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->device.key_reuse = CMP_KEY_REUSE_SUBJECT;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
}


static void
test_rr_cert_id(void **state)
{
    fixture_t                *f;
    harness_pair_t            pair;
    cmp_pki_message_t        *msg;
    cmp_cert_template_t      *tmpl;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    msg = fixture_rr(f, NULL, CRL_REASON_SUPERSEDED);
    tmpl = sk_cmp_rev_details_t_value(msg->body->value.rr, 0)->cert_details;
    tmpl->subject = X509_NAME_dup(X509_get_subject_name(pair.cert));
    assert_int_equal(pki_set_public_key(&tmpl->public_key, pair.key), 1);

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_ADD_INFO_NOT_AVAILABLE,
                    FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);

    harness_pair_free(&pair);
}


/* more than one status; a certConf for what was confirmed */

static void
test_cert_conf(void **state)
{
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);

    msg = fixture_conf(f);
    (void) client_add_status(msg, cert, 1, -1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    X509_free(cert);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, cert, 0, -1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_CONFIRMED,
                    FIXTURE_AUDITED);
    X509_free(cert);
}


/* a certificate with an update that is not confirmed yet */

static void
test_update(void **state)
{
    fixture_t       *f;
    harness_pair_t   old, new;

    f = *state;
    old = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &old);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_granted(f, CMP_BODY_KUP);
    new.cert = fixture_keep(f);
    new.key = f->key;

    fixture_send(f, fixture_kur(f, old.cert, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    harness_pair_free(&old);
    X509_free(new.cert);
}


static void
test_replaced(void **state)
{
    fixture_t       *f;
    harness_pair_t   old;

    f = *state;
    old = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &old);

    fixture_send(f, fixture_kur(f, old.cert, f->key));
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    fixture_send(f, fixture_kur(f, old.cert, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_AUDITED);

    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_AUDITED);

    fixture_send(f, fixture_rr(f, old.cert, CRL_REASON_SUPERSEDED));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(fixture_state(f, old.cert), CMP_CERT_REVOKED);

    harness_pair_free(&old);
}


/* one RevDetails in an rr */

static void
test_one_revocation(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    msg = fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED);
    (void) client_add_revocation(msg, pair.cert, CRL_REASON_SUPERSEDED);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_QUIET);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);

    harness_pair_free(&pair);
}


/* the issuer in a template is this CA, not that of the signing certificate */

static void
test_template_issuer(void **state)
{
    fixture_t            *f;
    client_request_t      request;
    cmp_pki_message_t    *msg;
    cmp_cert_req_msg_t   *req;
    cmp_cert_template_t  *tmpl;

    f = *state;
    fixture_sign(f, &f->h->device_cert);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;

    msg = fixture_ir(f);
    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    tmpl = req->cert_req->cert_template;
    tmpl->issuer = X509_NAME_dup(
                              X509_get_issuer_name(f->h->device_cert.cert));
    client_pop(&f->c, req, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    f->h->ca.conformance = CMP_RFC9810;
    client_begin(&f->c);
    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
}


/* a p10cr is confirmed with the certReqId -1 */

static void
test_p10_cert_req_id(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_P10CR);
    client_set_p10(msg, FIXTURE_SUBJECT, f->key, NULL);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_CP);

    msg = fixture_conf(f);
    assert_int_equal(ASN1_INTEGER_set(sk_cmp_cert_status_t_value(
                                          msg->body->value.cert_conf, 0)
                                          ->cert_req_id, 0),
                     1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test_strict(test_not_der),
        fixture_test_strict(test_no_transaction_id),
        fixture_test_strict(test_transaction_id_length),
        fixture_test_strict(test_sender_nonce),
        fixture_test_strict(test_recip_nonce_first),
        fixture_test_strict(test_message_time),
        fixture_test_strict(test_implicit_confirm_in_cert_conf),
        fixture_test_strict(test_sender_kid_missing),
        fixture_test_strict(test_mac_sender),
        fixture_test_strict(test_sha1),
        fixture_test_strict(test_one_request),
        fixture_test_strict(test_pop_input),
        fixture_test_strict(test_chain),
        fixture_test_strict(test_key_reuse),
        fixture_test_strict(test_rr_cert_id),
        fixture_test_strict(test_cert_conf),
        fixture_test_strict(test_update),
        fixture_test_strict(test_replaced),
        fixture_test_strict(test_one_revocation),
        fixture_test_strict(test_template_issuer),
        fixture_test_strict(test_p10_cert_req_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
