
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Header rules of the base level (RFC 9810, 5.1.1).
 */


#include <fixture.h>


static void
test_set_time(cmp_pki_message_t *msg, int64_t ms)
{
    ASN1_GENERALIZEDTIME_free(msg->header->message_time);
    msg->header->message_time = ASN1_GENERALIZEDTIME_set(NULL, ms / 1000);
    assert_non_null(msg->header->message_time);
}


static void
test_drop_time(cmp_pki_message_t *msg)
{
    ASN1_GENERALIZEDTIME_free(msg->header->message_time);
    msg->header->message_time = NULL;
}


static void
test_undecodable(void **state)
{
    size_t              i;
    fixture_t          *f;
    static const char  *junk[] = { "", "hello", "\x30\x03\x02\x01\x02",
                                   "\x30\x80", "<html>", "\x30\x84\xff\xff",
                                   NULL };

    f = *state;

    for (i = 0; junk[i] != NULL; i++) {
        fixture_send_bytes(f, (const unsigned char *) junk[i],
                           strlen(junk[i]));
        assert_int_equal(f->h->result, CMP_EXCHANGE_UNDECODABLE);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                        FIXTURE_QUIET);
    }
}


static void
test_cut(void **state)
{
    size_t              i, len;
    fixture_t          *f;
    unsigned char      *der;
    cmp_pki_message_t  *msg;

    f = *state;
    f->unprotected = 1;
    f->h->sign_refusals = 0;

    msg = fixture_ir(f);
    client_protect(&f->c, msg);
    der = client_encode(msg, &len);

    for (i = 1; i < len; i += 7) {
        fixture_send_bytes(f, der, i);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                        FIXTURE_QUIET);
    }

    free(der);
}


static void
test_trailing_bytes(void **state)
{
    size_t              len;
    fixture_t          *f;
    unsigned char      *der;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_protect(&f->c, msg);
    der = client_encode(msg, &len);
    der = realloc(der, len + 1);
    assert_non_null(der);
    der[len] = 0;

    fixture_send_bytes(f, der, len + 1);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    FIXTURE_QUIET);

    /* the header could be read, so the client can tell what this answers */

    assert_non_null(f->a->msg->header->transaction_id);
    assert_non_null(f->a->msg->header->recip_nonce);

    free(der);
}


static void
test_limits(void **state)
{
    int                   i;
    fixture_t            *f;
    cmp_pki_message_t    *msg;
    ASN1_UTF8STRING      *text;

    f = *state;

    /* 16 extraCerts, not 17 */

    for (i = 16; i <= 17; i++) {
        msg = fixture_request(f, CMP_BODY_IR, NULL, f->key);
        msg->extra_certs = sk_X509_new_null();

        while (sk_X509_num(msg->extra_certs) < i) {
            assert_int_equal(X509_add_cert(msg->extra_certs, f->h->issuer.cert,
                                           X509_ADD_FLAG_UP_REF),
                             1);
        }

        fixture_send(f, msg);

        if (i == 16) {
            fixture_granted(f, CMP_BODY_IP);

        } else {
            fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                            FIXTURE_QUIET);
        }
    }

    /* freeText */

    msg = fixture_ir(f);
    msg->header->free_text = sk_ASN1_UTF8STRING_new_null();

    for (i = 0; i < 17; i++) {
        text = ASN1_UTF8STRING_new();
        assert_int_equal(ASN1_STRING_set(text, "hello", 5), 1);
        assert_true(sk_ASN1_UTF8STRING_push(msg->header->free_text, text) > 0);
    }

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    FIXTURE_QUIET);
}


static void
test_message_time(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    test_set_time(msg, f->h->now - 3601000);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_TIME, FIXTURE_AUDITED);
    assert_non_null(strstr(f->a->text, "2030-01-01"));

    msg = fixture_ir(f);
    test_set_time(msg, f->h->now + 3601000);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_TIME, FIXTURE_AUDITED);

    msg = fixture_ir(f);
    test_set_time(msg, f->h->now + 3599000);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    f->h->ca.time_window = 0;
    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    test_set_time(msg, f->h->now - 10 * HARNESS_YEAR);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_message_time_malformed(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    assert_int_equal(ASN1_STRING_set(msg->header->message_time,
                                     "20301301000000Z", 15),
                     1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    f->h->result == CMP_EXCHANGE_COMMIT ? FIXTURE_AUDITED
                                                        : FIXTURE_QUIET);
}


/* needed for what a replay could change, only for that */

static void
test_no_message_time(void **state)
{
    X509               *cert;
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    test_drop_time(msg);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    msg = fixture_conf(f);
    cert = fixture_keep(f);
    test_drop_time(msg);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_PKICONF);

    msg = fixture_ir(f);
    test_drop_time(msg);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_TIME, FIXTURE_AUDITED);
    X509_free(cert);

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    msg = fixture_rr(f, pair.cert, CRL_REASON_CERTIFICATE_HOLD);
    test_drop_time(msg);
    fixture_send(f, msg);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_TIME);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);

    msg = fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED);
    test_drop_time(msg);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_RP);

    harness_pair_free(&pair);
}


static void
test_implicit_confirm_value(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_implicit_confirm,
                        client_value(V_ASN1_UTF8STRING, "yes"));
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_implicit_confirm_and_wait_time(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_implicit_confirm, client_null());
    client_general_info(msg, &cmp_oid_it_confirm_wait_time,
                        client_value(V_ASN1_GENERALIZEDTIME,
                                     "20300101000000Z"));
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_confirm_wait_time(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_confirm_wait_time,
                        client_value(V_ASN1_UTF8STRING, "tomorrow"));
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    FIXTURE_AUDITED);

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_confirm_wait_time,
                        client_value(V_ASN1_GENERALIZEDTIME,
                                     "20300101000000Z"));
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_unknown_general_info(void **state)
{
    fixture_t                  *f;
    cmp_pki_message_t          *msg;
    cmp_info_type_and_value_t  *info;

    f = *state;

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_ca_certs,
                        client_value(V_ASN1_UTF8STRING, "?"));
    info = sk_cmp_info_type_and_value_t_value(msg->header->general_info, 0);
    ASN1_OBJECT_free(info->info_type);
    info->info_type = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);

    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    assert_true(f->h->logged);
}


static void
test_recipient(void **state)
{
    X509_NAME          *name;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    name = pki_name("/CN=somebody else");
    f->c.recipient = name;
    msg = fixture_ir(f);
    client_set_octets(&msg->header->recip_kid, "nobody", 6);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    X509_NAME_free(name);
}


static void
test_sender_is_not_subject(void **state)
{
    X509_NAME          *name;
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    msg = fixture_ir(f);
    name = pki_name("/O=Example/CN=device-2");
    X509_NAME_free(msg->header->sender->d.directoryName);
    msg->header->sender->d.directoryName = name;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);

    msg = fixture_ir(f);
    client_set_octets(&msg->header->sender_kid, "0123456789abcdef0123", 20);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);

    msg = fixture_ir(f);
    client_set_octets(&msg->header->sender_kid, NULL, 0);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    harness_pair_free(&pair);
}


static void
test_sender_general_name(void **state)
{
    fixture_t          *f;
    GENERAL_NAME       *name;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    msg = fixture_ir(f);
    name = GENERAL_NAME_new();
    name->type = GEN_DNS;
    name->d.dNSName = ASN1_IA5STRING_new();
    assert_int_equal(ASN1_STRING_set(name->d.dNSName, "device-1", -1), 1);
    GENERAL_NAME_free(msg->header->sender);
    msg->header->sender = name;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);

    harness_pair_free(&pair);
}


static void
test_cert_profile(void **state)
{
    fixture_t          *f;
    cmp_str_t           names[2];
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;

    names[0].data = (unsigned char *) "device";
    names[0].len = 6;
    names[1].data = (unsigned char *) "server";
    names[1].len = 6;

    f->h->credential->profiles = names;
    f->h->credential->nprofiles = 2;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = "/CN=www.example.org";
    request.san = "DNS:www.example.org";
    request.key = f->key;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    client_general_info(msg, &cmp_oid_it_cert_profile,
                        client_profile("server"));
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    assert_memory_equal(harness_row(f->h, f->a->cert)->record.profile.data,
                        "server", 6);

    /* repeated in certConf */

    msg = fixture_conf(f);
    client_general_info(msg, &cmp_oid_it_cert_profile,
                        client_profile("server"));
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_PKICONF);

    /* not the same as in the URI */

    f->h->profile = "server";
    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    client_general_info(msg, &cmp_oid_it_cert_profile,
                        client_profile("device"));
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    f->h->profile = NULL;

    /* one that does not exist, one that is not allowed */

    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    client_general_info(msg, &cmp_oid_it_cert_profile, client_profile("none"));
    fixture_send(f, msg);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);

    f->h->credential->nprofiles = 1;
    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    client_general_info(msg, &cmp_oid_it_cert_profile,
                        client_profile("server"));
    fixture_send(f, msg);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);

    f->h->profile = "server";
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);
    f->h->profile = NULL;

    f->h->credential->nprofiles = 0;
    f->h->credential->profiles = NULL;
}


/* more names than requests */

static void
test_cert_profile_too_many(void **state)
{
    int                   len;
    ASN1_TYPE            *value;
    fixture_t            *f;
    ASN1_STRING          *string;
    unsigned char        *der;
    ASN1_UTF8STRING      *text;
    cmp_pki_message_t    *msg;
    cmp_pki_free_text_t  *list;

    f = *state;

    list = sk_ASN1_UTF8STRING_new_null();

    while (sk_ASN1_UTF8STRING_num(list) < 2) {
        text = ASN1_UTF8STRING_new();
        assert_int_equal(ASN1_STRING_set(text, "device", 6), 1);
        assert_true(sk_ASN1_UTF8STRING_push(list, text) > 0);
    }

    len = cmp_asn1_encode(cmp_pki_free_text_t, list, &der);
    cmp_asn1_free(cmp_pki_free_text_t, list);
    string = ASN1_STRING_new();
    ASN1_STRING_set0(string, der, len);
    value = ASN1_TYPE_new();
    ASN1_TYPE_set(value, V_ASN1_SEQUENCE, string);

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_cert_profile, value);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_undecodable),
        fixture_test(test_cut),
        fixture_test(test_trailing_bytes),
        fixture_test(test_limits),
        fixture_test(test_message_time),
        fixture_test(test_message_time_malformed),
        fixture_test(test_no_message_time),
        fixture_test(test_implicit_confirm_value),
        fixture_test(test_implicit_confirm_and_wait_time),
        fixture_test(test_confirm_wait_time),
        fixture_test(test_unknown_general_info),
        fixture_test(test_recipient),
        fixture_test(test_sender_is_not_subject),
        fixture_test(test_sender_general_name),
        fixture_test(test_cert_profile),
        fixture_test(test_cert_profile_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
