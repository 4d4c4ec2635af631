
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Protection that is refused (RFC 9810, 5.1.3; RFC 9481).
 */


#include <fixture.h>


/* unknown reference, wrong secret, no reference: nobody can tell them apart */

static void
test_wrong_mac(void **state)
{
    char        text[1024];
    fixture_t  *f;

    f = *state;

    f->c.secret = "wrong";
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    assert_true(f->h->info.mac_failed);
    assert_true(f->h->info.signed_refusal);
    strcpy(text, f->a->text);

    f->c.secret = HARNESS_SECRET;
    f->c.reference = "nobody";
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    assert_string_equal(text, f->a->text);

    f->c.reference = NULL;
    f->c.sender = "/CN=nobody";
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    assert_string_equal(text, f->a->text);

    /* the secret that stands in for an unknown one is not a way in */

    f->c.reference = "nobody";
    f->c.secret = "no shared secret";
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    assert_string_equal(text, f->a->text);

    f->h->credential->disabled = 1;
    f->c.reference = HARNESS_REFERENCE;
    f->c.secret = HARNESS_SECRET;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    assert_string_equal(text, f->a->text);
}


/* the same for a transaction that does not exist, or belongs to another */

static void
test_wrong_mac_later(void **state)
{
    int                 i;
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;
    char                text[1024];

    f = *state;

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);
    text[0] = '\0';
    f->c.secret = "wrong";

    for (i = 0; i < 2; i++) {
        if (i == 1) {
            client_begin(&f->c);
        }

        msg = client_message(&f->c, CMP_BODY_CERTCONF);
        (void) client_add_status(msg, cert, 0, -1);
        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                        FIXTURE_QUIET);

        if (i == 1) {
            assert_string_equal(text, f->a->text);
        }

        strcpy(text, f->a->text);
    }

    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);
}


/* what is beyond the budget for junk is not signed */

static void
test_budget(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->sign_refusals = 0;
    f->unprotected = 1;

    f->c.secret = "wrong";
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    assert_false(f->h->info.signed_refusal);

    /* an authenticated refusal is protected all the same */

    f->unprotected = 0;
    f->c.secret = HARNESS_SECRET;
    fixture_send(f, fixture_kur(f, f->h->stranger.cert, f->key));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
}


static void
test_changed_bit(void **state)
{
    int                 i;
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);

    for (i = 0; i < 2; i++) {
        if (i == 1) {
            fixture_sign(f, &pair);
        }

        /* of the transactionID, which is protected like all the rest */

        msg = fixture_ir(f);
        client_protect(&f->c, msg);
        msg->header->transaction_id->data[3] ^= 0x10;
        fixture_send_raw(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                        FIXTURE_QUIET);

        /* of the protection; too short; empty */

        msg = fixture_ir(f);
        client_protect(&f->c, msg);
        msg->protection->data[msg->protection->length - 1] ^= 1;
        fixture_send_raw(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                        FIXTURE_QUIET);

        msg = fixture_ir(f);
        client_protect(&f->c, msg);
        msg->protection->length--;
        fixture_send_raw(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                        FIXTURE_QUIET);

        msg = fixture_ir(f);
        client_protect(&f->c, msg);
        msg->protection->length = 0;
        fixture_send_raw(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                        FIXTURE_QUIET);
    }

    harness_pair_free(&pair);
}


static void
test_none(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    f->c.protection = CLIENT_NONE;

    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    fixture_send(f, fixture_rr(f, f->h->issuer.cert, -1));
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_MESSAGE_CHECK);
    assert_int_equal(f->h->store->changes, f->changes);

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_GENM);
    (void) client_add_info(msg, &cmp_oid_it_ca_certs);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    /* where it is configured */

    f->h->ca.unprotected_genm = 1;
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_GENM);
    (void) client_add_info(msg, &cmp_oid_it_ca_certs);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_GENP);
    assert_int_equal(f->h->store->changes, f->changes);

    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
}


/* algorithm without value, value without algorithm */

static void
test_incomplete(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_protect(&f->c, msg);
    ASN1_BIT_STRING_free(msg->protection);
    msg->protection = NULL;
    fixture_send_raw(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    msg = fixture_ir(f);
    client_protect(&f->c, msg);
    X509_ALGOR_free(msg->header->protection_alg);
    msg->header->protection_alg = NULL;
    fixture_send_raw(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
}


static void
test_algorithms(void **state)
{
    size_t               i;
    fixture_t           *f;
    harness_pair_t       pair;
    cmp_pki_message_t   *msg;
    static const char   *algs[] = { "1.2.840.113533.7.66.30",   /* DHBM */
                                    "1.3.6.1.5.5.7.6.16",       /* KEM MAC */
                                    "1.2.840.113549.2.9",       /* HMAC */
                                    "1.2.840.10040.4.3",        /* DSA SHA-1 */
                                    "2.16.840.1.101.3.4.3.2",   /* DSA */
                                    "1.2.840.113549.1.1.5",     /* RSA SHA-1 */
                                    "1.2.840.113549.1.1.4",     /* RSA MD5 */
                                    "1.2.840.10045.4.1",        /* ECDSA */
                                    "1.3.6.1.4.1.99999.1" };

    f = *state;

    for (i = 0; i < sizeof(algs) / sizeof(char *); i++) {
        msg = fixture_ir(f);
        client_protect(&f->c, msg);
        (void) X509_ALGOR_set0(msg->header->protection_alg,
                               OBJ_txt2obj(algs[i], 1), V_ASN1_UNDEF, NULL);
        fixture_send_raw(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);
    }

    /* SHA-1 signatures that are right */

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    f->c.md = EVP_sha1();
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);
    harness_pair_free(&pair);

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_RSA, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);
    f->c.pss = 1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);
    harness_pair_free(&pair);
}


static void
test_sha1_off(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->ca.sha1 = 0;

    f->c.owf = NID_sha1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);

    f->c.owf = NID_sha256;
    f->c.mac = NID_hmacWithSHA1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);
}


static void
test_md5(void **state)
{
    fixture_t  *f;

    f = *state;

    f->c.owf = NID_md5;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_QUIET);
}


static void
test_mac_cost(void **state)
{
    int         i;
    fixture_t  *f;

    f = *state;

    for (i = 0; i < 2; i++) {
        f->c.protection = (i == 0) ? CLIENT_PBM : CLIENT_PBMAC1;

        f->c.iterations = 99;
        fixture_send(f, fixture_ir(f));
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_QUIET);

        f->c.iterations = 100001;
        fixture_send(f, fixture_ir(f));
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_QUIET);

        f->c.iterations = 500;
        f->c.salt_len = 7;
        fixture_send(f, fixture_ir(f));
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_QUIET);

        f->c.salt_len = 129;
        fixture_send(f, fixture_ir(f));
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_QUIET);
        f->c.salt_len = 16;
    }

    f->c.key_len = 20;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_QUIET);
    f->c.key_len = 0;

    f->c.iterations = 100;
    f->c.salt_len = 8;
    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    f->c.iterations = 3000;
    f->c.salt_len = 128;
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_IP);
}


/* a count that is no count at all is not derived with */

static void
test_mac_cost_huge(void **state)
{
    size_t                i;
    fixture_t            *f;
    ASN1_STRING          *param;
    unsigned char        *der;
    cmp_pki_message_t    *msg;
    cmp_pbm_parameter_t  *pbm;
    static const int64_t  counts[] = { -1, 0, -500, 0x7fffffff, 0x80000000LL,
                                       0x100000000LL + 500,
                                       0x7fffffffffffffffLL };

    f = *state;

    for (i = 0; i < sizeof(counts) / sizeof(int64_t); i++) {
        msg = fixture_ir(f);
        client_protect(&f->c, msg);

        param = msg->header->protection_alg->parameter->value.sequence;
        pbm = cmp_asn1_decode(cmp_pbm_parameter_t, param->data, param->length);
        assert_non_null(pbm);
        assert_int_equal(ASN1_INTEGER_set_int64(pbm->iteration_count,
                                                counts[i]),
                         1);
        ASN1_STRING_set0(param, NULL, 0);
        param->length = cmp_asn1_encode(cmp_pbm_parameter_t, pbm, &der);
        param->data = der;
        cmp_asn1_free(cmp_pbm_parameter_t, pbm);

        fixture_send_raw(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_QUIET);
    }
}


/* found by the sender's name when there is no senderKID */

static void
test_reference_by_name(void **state)
{
    fixture_t  *f;

    f = *state;
    f->c.no_kid = 1;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    assert_string_equal(f->h->requester, "mac:" HARNESS_REFERENCE);
    assert_null(f->a->msg->header->sender_kid);
}


static void
test_credential_ended(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;

    /* one use: its certConf still verifies, a second ir is refused */

    f->h->credential->uses_left = 1;
    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->h->credential->uses_left, 0);

    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    assert_int_equal(f->h->credential->uses_left, 0);
    X509_free(cert);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);
    assert_int_equal(f->h->store->certs.n, 1);

    /* its end */

    f->h->credential->uses_left = -1;
    f->h->credential->not_after = HARNESS_NOW - 1;
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);

    f->h->credential->not_after = HARNESS_NOW + 1;
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_IP);
}


/* a refused request spends no use */

static void
test_use_not_spent(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->credential->uses_left = 1;

    fixture_send(f, fixture_request(f, CMP_BODY_IR, "", f->key));
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
    assert_int_equal(f->h->credential->uses_left, 1);

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->h->credential->uses_left, 0);
}


/* which bodies a shared secret may protect */

static void
test_wrong_integrity(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    fixture_send(f, fixture_kur(f, f->h->stranger.cert, f->key));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_WRONG_INTEGRITY);

    fixture_send(f, fixture_rr(f, f->h->issuer.cert, -1));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_WRONG_INTEGRITY,
                    FIXTURE_AUDITED);

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_NESTED);
    client_nest(msg, fixture_ir(f));
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_WRONG_INTEGRITY,
                    FIXTURE_AUDITED);

    client_begin(&f->c);
    msg = fixture_request(f, CMP_BODY_CCR, NULL, f->key);
    fixture_send(f, msg);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_WRONG_INTEGRITY);
}


/* RFC 9810, 5.3.21 to the letter */

static void
test_error_signature(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    f->h->ca.error_signature = 1;

    msg = fixture_ir(f);
    client_set_octets(&msg->header->sender_nonce, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                    FIXTURE_AUDITED);
    assert_int_equal(
        OBJ_obj2nid(f->a->msg->header->protection_alg->algorithm),
        NID_ED25519);

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(
        OBJ_obj2nid(f->a->msg->header->protection_alg->algorithm),
        NID_id_PasswordBasedMAC);
}


/* RFC 9481: no parameters with EdDSA and ECDSA, NULL with RSA */

static void
test_answer_algorithm(void **state)
{
    int                i, type;
    fixture_t         *f;
    const X509_ALGOR  *alg;
    static const struct {
        int            key;
        int            alg;
        int            type;
    }  kinds[] = {
        { PKI_ED25519, NID_ED25519, V_ASN1_UNDEF },
        { PKI_ED448, NID_ED448, V_ASN1_UNDEF },
        { PKI_P256, NID_ecdsa_with_SHA256, V_ASN1_UNDEF },
        { PKI_P384, NID_ecdsa_with_SHA384, V_ASN1_UNDEF },
        { PKI_RSA, NID_sha256WithRSAEncryption, V_ASN1_NULL }
    };

    (void) state;

    for (i = 0; i < 5; i++) {
        f = fixture_create(kinds[i].key);
        fixture_sign(f, &f->h->device_cert);

        fixture_send(f, fixture_ir(f));
        fixture_granted(f, CMP_BODY_IP);

        alg = f->a->msg->header->protection_alg;
        assert_int_equal(OBJ_obj2nid(alg->algorithm), kinds[i].alg);
        type = (alg->parameter == NULL) ? V_ASN1_UNDEF : alg->parameter->type;
        assert_int_equal(type, kinds[i].type);

        /* the protecting certificate first */

        assert_int_equal(X509_cmp(sk_X509_value(f->a->msg->extra_certs, 0),
                                  f->h->response.cert),
                         0);

        fixture_destroy(f);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_wrong_mac),
        fixture_test(test_wrong_mac_later),
        fixture_test(test_budget),
        fixture_test(test_changed_bit),
        fixture_test(test_none),
        fixture_test(test_incomplete),
        fixture_test(test_algorithms),
        fixture_test(test_sha1_off),
        fixture_test(test_md5),
        fixture_test(test_mac_cost),
        fixture_test(test_mac_cost_huge),
        fixture_test(test_reference_by_name),
        fixture_test(test_credential_ended),
        fixture_test(test_use_not_spent),
        fixture_test(test_wrong_integrity),
        fixture_test(test_error_signature),
        cmocka_unit_test(test_answer_algorithm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
