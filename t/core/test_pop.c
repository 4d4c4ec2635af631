
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Proof of possession.
 */


#include <test_util.h>

#include <client_local.h>
#include <cmp_pop.h>

#include <string.h>

#include <openssl/err.h>


#define TEST_SENDER  "/O=Example/CN=device"

#define test_case(name)                                                       \
    cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)


static cmp_pool_t           *pool;
static cmp_refusal_t         refusal;
static cmp_pop_conf_t        conf;
static cmp_str_t             secret;
static client_t              client;
static client_request_t      request;
static cmp_pki_message_t    *msg;
static cmp_cert_req_msg_t   *req;
static X509_NAME            *sender;


static int
test_setup(void **state)
{
    (void) state;

    pool = cmp_pool_create();
    assert_non_null(pool);

    memset(&refusal, 0, sizeof(cmp_refusal_t));
    memset(&conf, 0, sizeof(cmp_pop_conf_t));
    memset(&request, 0, sizeof(client_request_t));

    secret = test_str("secret");

    conf.secret = &secret;
    conf.sha1 = 1;
    conf.max_iterations = 100000;

    client_init(&client, 1, TEST_NOW);
    client.secret = "secret";
    client.sender = TEST_SENDER;

    request.subject = "/CN=device";
    request.key = pki_key(PKI_P256, "device");

    sender = pki_name(TEST_SENDER);
    msg = NULL;

    return 0;
}


static int
test_teardown(void **state)
{
    (void) state;

    cmp_pool_destroy(pool);
    cmp_asn1_free(cmp_pki_message_t, msg);
    EVP_PKEY_free(request.key);
    X509_NAME_free(sender);

    assert_int_equal(ERR_peek_error(), 0);

    return 0;
}


static void
test_make(int pop)
{
    cmp_asn1_free(cmp_pki_message_t, msg);

    request.pop = pop;

    msg = client_message(&client, CMP_BODY_IR);
    req = client_add_request(&client, msg, &request);
}


static void
test_key_kind(int kind)
{
    EVP_PKEY_free(request.key);
    request.key = pki_key(kind, "device");
}


static int
test_pop(void)
{
    cmp_str_t  der;

    der = test_der(pool, ASN1_ITEM_rptr(cmp_cert_request_t), req->cert_req);

    return cmp_pop_check(&conf, req, &der, pool, &refusal);
}


static void
test_vectors(void **state)
{
    size_t                  i, at;
    cmp_str_t               der;
    cmp_msg_t               vector;
    cmp_cert_req_msg_t     *first;
    cmp_popo_signing_key_t *popo;

    static const struct {
        const char    *name;
        cmp_refuse_e   code;
    } tests[] = {
        { "pbm_default.der", 0 },
        { "sig_rsa.der", 0 },
        { "sig_p384.der", 0 },
        { "ir_ra_verified.der", CMP_REFUSE_RA_VERIFIED },
        { "ir_key_enc.der", CMP_REFUSE_POP_KIND },
        { "no_subject.der", CMP_REFUSE_POP_INPUT }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        der = test_file(pool, tests[i].name);
        test_decode(pool, der.data, der.len, &vector);

        first = sk_cmp_cert_req_msg_t_value(vector.body->value.ir, 0);
        der = test_der(pool, ASN1_ITEM_rptr(cmp_cert_request_t),
                       first->cert_req);

        if (tests[i].code != 0) {
            test_refused(cmp_pop_check(&conf, first, &der, pool, &refusal),
                         &refusal, tests[i].code);
            continue;
        }

        conf.strict = 1;
        test_ok(cmp_pop_check(&conf, first, &der, pool, &refusal));
        conf.strict = 0;
        test_ok(cmp_pop_check(&conf, first, &der, pool, &refusal));

        /* each octet of what is signed, and of the signature */

        for (at = 0; at < der.len; at++) {
            der.data[at] ^= 1;
            test_refused(cmp_pop_check(&conf, first, &der, pool, &refusal),
                         &refusal, CMP_REFUSE_POP);
            der.data[at] ^= 1;
        }

        popo = first->popo->value.signature;

        for (at = 0; at < (size_t) popo->signature->length; at++) {
            popo->signature->data[at] ^= 1;
            test_refused(cmp_pop_check(&conf, first, &der, pool, &refusal),
                         &refusal, CMP_REFUSE_POP);
            popo->signature->data[at] ^= 1;
        }
    }
}


static void
test_signature(void **state)
{
    size_t     i;
    EVP_PKEY  *other;

    static const int  kinds[] = {
        PKI_ED25519, PKI_ED448, PKI_P256, PKI_P384, PKI_P521, PKI_RSA
    };

    (void) state;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        test_key_kind(kinds[i]);

        test_make(CLIENT_POP_SIGNATURE);
        test_ok(test_pop());
        conf.strict = 1;
        test_ok(test_pop());
        conf.strict = 0;

        /* the key in the template is another one */

        other = test_other_key(kinds[i], request.key);
        assert_int_equal(pki_set_public_key(&req->cert_req->cert_template
                                         ->public_key, other), 1);
        test_refused(test_pop(), &refusal, CMP_REFUSE_POP);
        EVP_PKEY_free(other);

        test_make(CLIENT_POP_BAD_SIGNATURE);
        test_refused(test_pop(), &refusal, CMP_REFUSE_POP);

        test_make(CLIENT_POP_INPUT_MAC);
        test_ok(test_pop());
    }

    test_make(CLIENT_POP_NONE);
    test_refused(test_pop(), &refusal, CMP_REFUSE_NO_POP);
}


/* algorithms that are not accepted, and one that is not that of the key */

static void
test_algorithm(void **state)
{
    cmp_popo_signing_key_t  *popo;

    (void) state;

    test_key_kind(PKI_RSA);
    test_make(CLIENT_POP_SIGNATURE);
    popo = req->popo->value.signature;

    client_sign(ASN1_ITEM_rptr(cmp_cert_request_t),
                popo->algorithm_identifier, popo->signature, req->cert_req,
                request.key, EVP_sha1(), 0);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP);
    assert_int_equal(cmp_refusal_fail_info(&refusal), CMP_FAIL_BAD_POP);

    client_sign(ASN1_ITEM_rptr(cmp_cert_request_t),
                popo->algorithm_identifier, popo->signature, req->cert_req,
                request.key, EVP_sha384(), 1);
    test_ok(test_pop());

    assert_int_equal(X509_ALGOR_set0(popo->algorithm_identifier,
                                     OBJ_nid2obj(NID_ecdsa_with_SHA256),
                                     V_ASN1_UNDEF, NULL), 1);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP);
}


static void
test_subject(void **state)
{
    (void) state;

    request.subject = NULL;
    request.san = "DNS:a.example";
    test_make(CLIENT_POP_SIGNATURE);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);
    conf.strict = 1;
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);

    test_make(CLIENT_POP_INPUT_MAC);
    test_ok(test_pop());
    conf.strict = 0;
    test_ok(test_pop());

    /* an empty one counts */

    request.subject = "";
    test_make(CLIENT_POP_SIGNATURE);
    test_ok(test_pop());
    conf.strict = 1;
    test_ok(test_pop());
    test_make(CLIENT_POP_INPUT_MAC);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);
    conf.strict = 0;
    test_ok(test_pop());

    /* no key at all */

    test_make(CLIENT_POP_SIGNATURE);
    cmp_asn1_free(cmp_public_key_t, req->cert_req->cert_template->public_key);
    req->cert_req->cert_template->public_key = NULL;
    test_refused(test_pop(), &refusal, CMP_REFUSE_NO_KEY);
}


static void
test_input_mac(void **state)
{
    EVP_PKEY                      *other;
    cmp_str_t                      wrong;
    cmp_pk_mac_value_t            *mac;
    cmp_popo_signing_key_t        *popo;
    cmp_popo_signing_key_input_t  *input;

    (void) state;

    test_make(CLIENT_POP_INPUT_MAC);
    test_ok(test_pop());

    popo = req->popo->value.signature;
    input = popo->poposk_input;
    mac = input->auth_info->value.public_key_mac;

    wrong = test_str("Secret");
    conf.secret = &wrong;
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);

    /* the message is not protected by a MAC */

    conf.secret = NULL;
    conf.sender = sender;
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);

    conf.sender = NULL;
    conf.secret = &secret;
    mac->value->data[3] ^= 1;
    client_sign_input(popo, request.key);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);
    mac->value->data[3] ^= 1;
    mac->value->length--;
    client_sign_input(popo, request.key);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);
    mac->value->length++;
    client_sign_input(popo, request.key);
    test_ok(test_pop());

    /* what is signed is the input */

    client_sign(ASN1_ITEM_rptr(cmp_cert_request_t),
                popo->algorithm_identifier, popo->signature, req->cert_req,
                request.key, EVP_sha256(), 0);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP);

    /* another key in it */

    other = test_other_key(PKI_P256, request.key);
    assert_int_equal(pki_set_public_key(&input->public_key, other), 1);
    client_sign_input(popo, request.key);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);
    client_sign_input(popo, other);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);
    EVP_PKEY_free(other);
}


static void
test_input_mac_limits(void **state)
{
    (void) state;

    client.iterations = 100001;
    test_make(CLIENT_POP_INPUT_MAC);
    test_refused(test_pop(), &refusal, CMP_REFUSE_MAC_COST);

    client.iterations = 99;
    test_make(CLIENT_POP_INPUT_MAC);
    test_refused(test_pop(), &refusal, CMP_REFUSE_MAC_COST);

    client.iterations = 100;
    client.salt_len = 7;
    test_make(CLIENT_POP_INPUT_MAC);
    test_refused(test_pop(), &refusal, CMP_REFUSE_MAC_COST);

    client.salt_len = 16;
    client.owf = NID_md5;
    test_make(CLIENT_POP_INPUT_MAC);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);

    client.owf = NID_sha1;
    test_make(CLIENT_POP_INPUT_MAC);
    test_ok(test_pop());
    conf.sha1 = 0;
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);

    conf.sha1 = 1;
    conf.strict = 1;
    request.subject = NULL;
    test_make(CLIENT_POP_INPUT_MAC);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);
}


static void
test_input_sender(void **state)
{
    X509_NAME                     *other;
    GENERAL_NAME                  *name;
    cmp_popo_signing_key_t        *popo;

    (void) state;

    test_make(CLIENT_POP_INPUT_SENDER);

    /* nobody vouches for the name in a message protected by a MAC */

    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);

    conf.secret = NULL;
    conf.sender = sender;
    test_ok(test_pop());

    other = pki_name("/O=Example/CN=device 2");
    conf.sender = other;
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);
    conf.sender = sender;
    X509_NAME_free(other);

    /* a name of another kind */

    popo = req->popo->value.signature;
    name = a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_DNS, "device", 0);
    assert_non_null(name);
    GENERAL_NAME_free(popo->poposk_input->auth_info->value.sender);
    popo->poposk_input->auth_info->value.sender = name;
    client_sign_input(popo, request.key);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_INPUT);

    conf.strict = 1;
    request.subject = NULL;
    test_make(CLIENT_POP_INPUT_SENDER);
    test_ok(test_pop());
}


static void
test_ra_verified(void **state)
{
    (void) state;

    test_make(CLIENT_POP_RA_VERIFIED);
    test_refused(test_pop(), &refusal, CMP_REFUSE_RA_VERIFIED);
    conf.ra = 1;
    test_ok(test_pop());

    /* an RA may not leave it out */

    test_make(CLIENT_POP_NONE);
    test_refused(test_pop(), &refusal, CMP_REFUSE_NO_POP);
    test_make(CLIENT_POP_BAD_SIGNATURE);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP);
}


static void
test_kinds(void **state)
{
    cmp_popo_priv_key_t  *key;

    (void) state;

    test_make(CLIENT_POP_ENCR_CERT);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_KIND);
    assert_string_equal(refusal.detail, "keyEncipherment with encrCert");

    key = req->popo->value.key_encipherment;
    assert_int_equal(ASN1_INTEGER_set(key->value.subsequent_message,
                                      CMP_SUBSEQUENT_CHALLENGE_RESP), 1);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_KIND);
    assert_string_equal(refusal.detail, "keyEncipherment with challengeResp");

    assert_int_equal(ASN1_INTEGER_set(key->value.subsequent_message, 7), 1);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_KIND);

    assert_int_equal(ASN1_STRING_set(key->value.subsequent_message,
                                     "\x01\x02\x03\x04\x05\x06\x07\x08\x09",
                                     9), 1);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_KIND);

    test_make(CLIENT_POP_AGREE_ENCR_CERT);
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_KIND);
    assert_string_equal(refusal.detail, "keyAgreement with encrCert");

    conf.ra = 1;
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_KIND);

    key = req->popo->value.key_agreement;
    ASN1_INTEGER_free(key->value.subsequent_message);
    key->type = CMP_POPO_PRIV_KEY_DH_MAC;
    key->value.dh_mac = ASN1_BIT_STRING_new();
    test_refused(test_pop(), &refusal, CMP_REFUSE_POP_KIND);
    assert_string_equal(refusal.detail, "keyAgreement with dhMAC");
}


static void
test_p10(void **state)
{
    size_t            i;
    EVP_PKEY         *other;
    X509_REQ         *p10;
    ASN1_BIT_STRING  *value;

    static const int  kinds[] = {
        PKI_ED25519, PKI_ED448, PKI_P256, PKI_P384, PKI_P521, PKI_RSA
    };

    (void) state;

    msg = client_message(&client, CMP_BODY_P10CR);

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        test_key_kind(kinds[i]);
        client_set_p10(msg, "/CN=device", request.key, "DNS:a.example");

        p10 = msg->body->value.p10cr;
        test_ok(cmp_pop_check_p10(p10, &refusal));

        X509_REQ_get0_signature(p10, (const ASN1_BIT_STRING **) &value, NULL);
        value->data[value->length / 2] ^= 1;
        test_refused(cmp_pop_check_p10(p10, &refusal), &refusal,
                     CMP_REFUSE_POP);
        value->data[value->length / 2] ^= 1;

        value->flags = ASN1_STRING_FLAG_BITS_LEFT|1;
        test_refused(cmp_pop_check_p10(p10, &refusal), &refusal,
                     CMP_REFUSE_POP);
        value->flags = ASN1_STRING_FLAG_BITS_LEFT;

        /* by another key, and by one of another kind */

        other = test_other_key(kinds[i], request.key);
        assert_true(X509_REQ_sign(p10, other, pki_md(other)) > 0);
        test_refused(cmp_pop_check_p10(p10, &refusal), &refusal,
                     CMP_REFUSE_POP);
        EVP_PKEY_free(other);

        other = pki_key(kinds[(i + 3) % 6], "other");
        assert_true(X509_REQ_sign(p10, other, pki_md(other)) > 0);
        test_refused(cmp_pop_check_p10(p10, &refusal), &refusal,
                     CMP_REFUSE_POP);
        EVP_PKEY_free(other);
    }

    assert_true(X509_REQ_sign(p10, request.key, EVP_sha1()) > 0);
    test_refused(cmp_pop_check_p10(p10, &refusal), &refusal, CMP_REFUSE_POP);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_case(test_vectors),
        test_case(test_signature),
        test_case(test_algorithm),
        test_case(test_subject),
        test_case(test_input_mac),
        test_case(test_input_mac_limits),
        test_case(test_input_sender),
        test_case(test_ra_verified),
        test_case(test_kinds),
        test_case(test_p10)
    };

    return cmocka_run_group_tests_name("pop", tests, NULL, NULL);
}
