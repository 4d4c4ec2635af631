
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Protection of messages: those of OpenSSL's client, those of the client of
 * these tests, and what is wrong with each octet changed.
 */


#include <test_util.h>

#include <client.h>
#include <client_local.h>
#include <cmp_protect.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>


#define TEST_SECRET  "secret"


static cmp_pool_t     *pool;
static cmp_ca_t        ca;
static cmp_refusal_t   refusal;
static cmp_protect_t   protect;


static int
test_setup(void **state)
{
    (void) state;

    pool = cmp_pool_create();
    assert_non_null(pool);

    memset(&refusal, 0, sizeof(cmp_refusal_t));
    test_ca(&ca);

    return 0;
}


static int
test_teardown(void **state)
{
    (void) state;

    cmp_pool_destroy(pool);
    assert_int_equal(ERR_peek_error(), 0);

    return 0;
}


static void
test_load(const char *name, cmp_msg_t *msg)
{
    cmp_str_t  der;

    der = test_file(pool, name);
    test_decode(pool, der.data, der.len, msg);
}


static int
test_parse(const cmp_msg_t *msg)
{
    return cmp_protect_parse(&ca, msg, pool, &protect, &refusal);
}


static int
test_mac(const cmp_msg_t *msg, const char *secret)
{
    cmp_str_t  str;

    str = test_str(secret);

    return cmp_protect_verify_mac(&protect, msg, &str, pool, &refusal);
}


static void
test_vectors_mac(void **state)
{
    size_t     i;
    cmp_msg_t  msg;

    static const struct {
        const char  *name;
        int          md;
        unsigned     sha2;
    } vectors[] = {
        { "pbm_default.der", NID_sha1, 0 },
        { "pbm_sha1.der", NID_sha1, 0 },
        { "pbm_sha512.der", NID_sha512, 1 }
    };

    (void) state;

    for (i = 0; i < 3; i++) {
        test_ca(&ca);
        test_load(vectors[i].name, &msg);

        test_ok(test_parse(&msg));
        assert_int_equal(protect.kind, CMP_PROTECTION_MAC);
        assert_int_equal(protect.mac, CMP_MAC_PBM);
        assert_int_equal(EVP_MD_get_type(protect.md), vectors[i].md);
        assert_int_equal(protect.iterations, 500);
        assert_int_equal(protect.salt.len, 16);
        assert_int_equal(protect.key.len, 0);

        test_ok(test_mac(&msg, TEST_SECRET));
        assert_int_not_equal(protect.key.len, 0);

        /* the key that was derived before is of no use for another secret */

        test_refused(test_mac(&msg, "Secret"), &refusal,
                     CMP_REFUSE_MESSAGE_CHECK);
        test_refused(test_mac(&msg, ""), &refusal, CMP_REFUSE_MESSAGE_CHECK);
        test_refused(test_mac(&msg, "secret "), &refusal,
                     CMP_REFUSE_MESSAGE_CHECK);
        test_ok(test_mac(&msg, TEST_SECRET));

        test_refused(cmp_protect_verify_signature(&protect, &msg, NULL,
                                                  &refusal),
                     &refusal, CMP_REFUSE_MESSAGE_CHECK);

        ca.sha1 = 0;

        if (vectors[i].sha2) {
            test_ok(test_parse(&msg));

        } else {
            test_refused(test_parse(&msg), &refusal,
                         CMP_REFUSE_PROTECTION_ALG);
        }

        ca.sha1 = 1;
        ca.conformance = CMP_RFC9483;

        if (vectors[i].sha2) {
            test_ok(test_parse(&msg));

        } else {
            test_refused(test_parse(&msg), &refusal,
                         CMP_REFUSE_PROTECTION_ALG);
        }

        ca.conformance = CMP_RFC9810;
        ca.max_iterations = 499;
        test_refused(test_parse(&msg), &refusal, CMP_REFUSE_MAC_COST);
    }
}


/* cert NULL: a MAC; returns 1 when the message with the octet verifies */

static int
test_changed(const cmp_str_t *der, size_t at, unsigned char mask, X509 *cert,
    const cmp_msg_t *original)
{
    int             rc;
    cmp_msg_t       msg;
    cmp_pool_t     *saved;
    unsigned char   value;

    saved = pool;
    pool = cmp_pool_create();
    assert_non_null(pool);

    value = der->data[at];
    der->data[at] ^= mask;

    rc = cmp_msg_decode(pool, NULL, der->data, der->len, &msg, &refusal);

    if (rc == CMP_OK) {
        rc = test_parse(&msg);
    }

    if (rc == CMP_OK && protect.kind == CMP_PROTECTION_NONE) {
        rc = CMP_DECLINED;
    }

    if (rc == CMP_OK) {
        rc = (cert == NULL) ? test_mac(&msg, TEST_SECRET)
                            : cmp_protect_verify_signature(&protect, &msg,
                                                           cert, &refusal);
    }

    assert_int_equal(ERR_peek_error(), 0);
    assert_int_not_equal(rc, CMP_ERROR);

    /* what verifies differs in extraCerts only */

    if (rc == CMP_OK) {
        assert_int_equal(cmp_str_equal(&msg.protected_part,
                                       &original->protected_part), 1);
    }

    der->data[at] = value;

    cmp_pool_destroy(pool);
    pool = saved;

    return rc == CMP_OK;
}


static void
test_changes(void **state)
{
    X509       *cert;
    size_t      i, n, max;
    cmp_str_t   der;
    cmp_msg_t   msg;

    static const char  *names[] = {
        "pbm_default.der", "pbm_sha512.der", "sig_rsa.der", "sig_p256.der",
        NULL
    };

    (void) state;

    for (n = 0; names[n] != NULL; n++) {
        der = test_file(pool, names[n]);
        test_decode(pool, der.data, der.len, &msg);
        cert = sk_X509_value(msg.extra_certs, 0);
        assert_int_equal(cert != NULL, names[n][0] == 's');

        /* a certificate of which nothing but the key counts */

        max = (cert != NULL) ? (size_t) i2d_X509(cert, NULL) : 0;

        for (i = 0; i < der.len; i++) {
            if (test_changed(&der, i, 0x01, cert, &msg)
                || test_changed(&der, i, 0x80, cert, &msg))
            {
                assert_in_range(i, der.len - max, der.len);
            }
        }

        test_ok(test_parse(&msg));
    }
}


static void
test_incomplete(void **state)
{
    cmp_msg_t         msg;
    X509_ALGOR       *alg;
    cmp_pki_header_t  *header;
    ASN1_BIT_STRING  *value;

    (void) state;

    test_load("unprotected.der", &msg);
    test_ok(test_parse(&msg));
    assert_int_equal(protect.kind, CMP_PROTECTION_NONE);
    test_refused(test_mac(&msg, ""), &refusal, CMP_REFUSE_MESSAGE_CHECK);

    test_load("pbm_default.der", &msg);

    value = msg.protection;
    msg.protection = NULL;
    test_refused(test_parse(&msg), &refusal, CMP_REFUSE_PROTECTION_INCOMPLETE);
    msg.protection = value;

    alg = msg.header->protection_alg;
    msg.header->protection_alg = NULL;
    test_refused(test_parse(&msg), &refusal, CMP_REFUSE_PROTECTION_INCOMPLETE);
    msg.header->protection_alg = alg;

    header = msg.header;
    msg.header = NULL;
    test_refused(test_parse(&msg), &refusal, CMP_REFUSE_UNDECODABLE);
    msg.header = header;

    test_ok(test_parse(&msg));

    /* a part of the MAC, one octet more, and unused bits */

    value->length--;
    test_refused(test_mac(&msg, TEST_SECRET), &refusal,
                 CMP_REFUSE_MESSAGE_CHECK);
    value->length = 0;
    test_refused(test_mac(&msg, TEST_SECRET), &refusal,
                 CMP_REFUSE_MESSAGE_CHECK);
    value->length = 20;
    value->flags = ASN1_STRING_FLAG_BITS_LEFT|3;
    test_refused(test_mac(&msg, TEST_SECRET), &refusal,
                 CMP_REFUSE_MESSAGE_CHECK);
    value->flags = ASN1_STRING_FLAG_BITS_LEFT;
    test_ok(test_mac(&msg, TEST_SECRET));
}


static void
test_limits(void **state)
{
    size_t           i;
    client_t         client;
    X509_ALGOR      *alg;
    cmp_protect_t    mac;
    cmp_mac_conf_t   conf;

    static const struct {
        int           kind;
        int           owf;
        int           mac;
        long          iterations;
        int           salt;
        int           key;
        unsigned      no_sha1:1;
        unsigned      strict:1;
        cmp_refuse_e  code;         /* 0: accepted */
    } tests[] = {
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, 100, 8, 0, 1, 1, 0 },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, 100000, 128, 0, 1, 1,
          0 },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, 99, 16, 0, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, 0, 16, 0, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, -500, 16, 0, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, 100001, 16, 0, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, 0x7fffffffffffffff, 16,
          0, 0, 0, CMP_REFUSE_MAC_COST },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, 500, 7, 0, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, 500, 129, 0, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBM, NID_sha1, NID_hmac_sha1, 500, 16, 0, 0, 0, 0 },
        { CLIENT_PBM, NID_sha1, NID_hmacWithSHA1, 500, 16, 0, 0, 0, 0 },
        { CLIENT_PBM, NID_sha1, NID_hmacWithSHA256, 500, 16, 0, 1, 0,
          CMP_REFUSE_PROTECTION_ALG },
        { CLIENT_PBM, NID_sha256, NID_hmac_sha1, 500, 16, 0, 1, 0,
          CMP_REFUSE_PROTECTION_ALG },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA1, 500, 16, 0, 0, 1,
          CMP_REFUSE_PROTECTION_ALG },
        { CLIENT_PBM, NID_sha3_256, NID_hmac_sha3_512, 500, 16, 0, 1, 0, 0 },
        { CLIENT_PBM, NID_sha3_256, NID_hmacWithSHA256, 500, 16, 0, 0, 1,
          CMP_REFUSE_PROTECTION_ALG },
        { CLIENT_PBM, NID_md5, NID_hmacWithSHA256, 500, 16, 0, 0, 0,
          CMP_REFUSE_PROTECTION_ALG },
        { CLIENT_PBM, NID_sha256, NID_hmacWithMD5, 500, 16, 0, 0, 0,
          CMP_REFUSE_PROTECTION_ALG },
        { CLIENT_PBM, NID_hmacWithSHA256, NID_hmacWithSHA256, 500, 16, 0, 0, 0,
          CMP_REFUSE_PROTECTION_ALG },
        { CLIENT_PBM, NID_sha256, NID_sha256, 500, 16, 0, 0, 0,
          CMP_REFUSE_PROTECTION_ALG },
        { CLIENT_PBM, NID_sha224, NID_hmacWithSHA224, 500, 16, 0, 1, 1, 0 },
        { CLIENT_PBM, NID_sha384, NID_hmacWithSHA384, 500, 16, 0, 1, 1, 0 },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA256, 500, 16, 0, 1, 1, 0 },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA256, 500, 16, 32, 1, 1, 0 },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA512, 500, 16, 64, 1, 1, 0 },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA256, 500, 16, 16, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA256, 500, 16, 0x7fffffff, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA256, 99, 16, 32, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA256, 100001, 16, 32, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA256, 500, 7, 32, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA256, 500, 129, 32, 0, 0,
          CMP_REFUSE_MAC_COST },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA1, 500, 16, 20, 0, 0, 0 },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA1, 500, 16, 20, 1, 0,
          CMP_REFUSE_PROTECTION_ALG },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA1, 500, 16, 20, 0, 1,
          CMP_REFUSE_PROTECTION_ALG }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        client_init(&client, 1, TEST_NOW);
        client.protection = tests[i].kind;
        client.owf = tests[i].owf;
        client.mac = tests[i].mac;
        client.iterations = tests[i].iterations;
        client.salt_len = tests[i].salt;
        client.key_len = tests[i].key;

        conf.max_iterations = 100000;
        conf.sha1 = !tests[i].no_sha1;
        conf.strict = tests[i].strict;

        alg = client_mac_alg(&client);
        memset(&mac, 0, sizeof(cmp_protect_t));

        if (tests[i].code == 0) {
            test_ok(cmp_mac_parse(&conf, alg, pool, &mac, &refusal));
            assert_int_equal(mac.iterations, tests[i].iterations);
            assert_int_equal(mac.salt.len, tests[i].salt);

        } else {
            test_refused(cmp_mac_parse(&conf, alg, pool, &mac, &refusal),
                         &refusal, tests[i].code);
        }

        X509_ALGOR_free(alg);
    }
}


static int
test_alg(X509_ALGOR *alg)
{
    cmp_protect_t   mac;
    cmp_mac_conf_t  conf;

    memset(&mac, 0, sizeof(cmp_protect_t));

    conf.max_iterations = 100000;
    conf.sha1 = 1;
    conf.strict = 0;

    return cmp_mac_parse(&conf, alg, pool, &mac, &refusal);
}


static void
test_odd_pbm(void **state)
{
    client_t              client;
    X509_ALGOR           *alg;
    const ASN1_ITEM      *it;
    cmp_pbm_parameter_t  *pbm;

    static const unsigned char  junk[] = { 0x30, 0x03, 0x02, 0x01, 0x01 };

    (void) state;

    client_init(&client, 1, TEST_NOW);
    client.protection = CLIENT_PBM;
    alg = client_mac_alg(&client);

    it = ASN1_ITEM_rptr(cmp_pbm_parameter_t);
    pbm = cmp_asn1_decode(cmp_pbm_parameter_t,
                          alg->parameter->value.sequence->data,
                          alg->parameter->value.sequence->length);
    assert_non_null(pbm);

    /* NULL is as good as nothing */

    test_null_parameters(pbm->owf);
    test_null_parameters(pbm->mac);
    test_parameters(pool, alg, it, pbm, 0);
    test_ok(test_alg(alg));

    test_parameters(pool, pbm->owf, NULL, junk, sizeof(junk));
    test_parameters(pool, alg, it, pbm, 0);
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_PROTECTION_ALG);
    test_null_parameters(pbm->owf);

    test_parameters(pool, pbm->mac, NULL, junk, sizeof(junk));
    test_parameters(pool, alg, it, pbm, 0);
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_PROTECTION_ALG);
    test_null_parameters(pbm->mac);

    /* an iterationCount that fits into no integer */

    assert_int_equal(ASN1_STRING_set(pbm->iteration_count,
                                     "\x01\x02\x03\x04\x05\x06\x07\x08\x09",
                                     9), 1);
    test_parameters(pool, alg, it, pbm, 0);
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_MAC_COST);

    /* no PBMParameter, one cut short, one with more behind */

    test_parameters(pool, alg, NULL, junk, sizeof(junk));
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_PROTECTION_ALG);
    test_parameters(pool, alg, NULL, "", 0);
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_PROTECTION_ALG);

    test_null_parameters(alg);
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_PROTECTION_ALG);
    ASN1_TYPE_free(alg->parameter);
    alg->parameter = NULL;
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_PROTECTION_ALG);

    cmp_asn1_free(cmp_pbm_parameter_t, pbm);
    X509_ALGOR_free(alg);
}


static void
test_odd_pbmac1(void **state)
{
    client_t              client;
    X509_ALGOR           *alg;
    PBKDF2PARAM          *kdf;
    const ASN1_ITEM      *it, *kdf_it;
    cmp_pbmac1_params_t  *params;

    (void) state;

    client_init(&client, 1, TEST_NOW);
    client.protection = CLIENT_PBMAC1;
    client.mac = NID_hmacWithSHA256;
    alg = client_mac_alg(&client);

    it = ASN1_ITEM_rptr(cmp_pbmac1_params_t);
    kdf_it = ASN1_ITEM_rptr(PBKDF2PARAM);

    params = cmp_asn1_decode(cmp_pbmac1_params_t,
                             alg->parameter->value.sequence->data,
                             alg->parameter->value.sequence->length);
    assert_non_null(params);

    kdf = ASN1_TYPE_unpack_sequence(kdf_it,
                                    params->key_derivation_func->parameter);
    assert_non_null(kdf);

    /* salt from another source */

    ASN1_TYPE_free(kdf->salt);
    kdf->salt = ASN1_TYPE_new();
    ASN1_TYPE_set(kdf->salt, V_ASN1_SEQUENCE, ASN1_STRING_new());
    assert_int_equal(ASN1_STRING_set(kdf->salt->value.sequence, "\x30\x00", 2),
                     1);
    test_parameters(pool, params->key_derivation_func, kdf_it, kdf, 0);
    test_parameters(pool, alg, it, params, 0);
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_PROTECTION_ALG);

    ASN1_TYPE_free(kdf->salt);
    kdf->salt = ASN1_TYPE_new();
    ASN1_TYPE_set(kdf->salt, V_ASN1_OCTET_STRING, ASN1_OCTET_STRING_new());
    assert_int_equal(ASN1_STRING_set(kdf->salt->value.octet_string,
                                     "0123456789", 10), 1);

    /* a negative keyLength */

    kdf->keylength = ASN1_INTEGER_new();
    assert_int_equal(ASN1_INTEGER_set(kdf->keylength, -32), 1);
    test_parameters(pool, params->key_derivation_func, kdf_it, kdf, 0);
    test_parameters(pool, alg, it, params, 0);
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_MAC_COST);

    assert_int_equal(ASN1_INTEGER_set(kdf->keylength, 32), 1);
    test_parameters(pool, params->key_derivation_func, kdf_it, kdf, 0);
    test_parameters(pool, alg, it, params, 0);
    test_ok(test_alg(alg));

    /* not PBKDF2, and PBKDF2 without parameters */

    params->key_derivation_func->algorithm = OBJ_nid2obj(NID_id_scrypt);
    test_parameters(pool, alg, it, params, 0);
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_PROTECTION_ALG);

    params->key_derivation_func->algorithm = OBJ_nid2obj(NID_id_pbkdf2);
    test_null_parameters(params->key_derivation_func);
    test_parameters(pool, alg, it, params, 0);
    test_refused(test_alg(alg), &refusal, CMP_REFUSE_PROTECTION_ALG);

    PBKDF2PARAM_free(kdf);
    cmp_asn1_free(cmp_pbmac1_params_t, params);
    X509_ALGOR_free(alg);
}


static void
test_answer_mac(void **state)
{
    int                 i, fresh;
    char                err[256];
    client_t            client;
    cmp_msg_t           msg;
    cmp_str_t           secret, der, part;
    pki_random_t        random;
    client_answer_t    *answer;
    cmp_pki_message_t  *reply;

    static const struct {
        int          kind;
        int          owf;
        int          mac;
        const char  *secret;
    } tests[] = {
        { CLIENT_PBM, NID_sha1, NID_hmac_sha1, TEST_SECRET },
        { CLIENT_PBM, NID_sha256, NID_hmacWithSHA256, TEST_SECRET },
        { CLIENT_PBM, NID_sha512, NID_hmacWithSHA384, "" },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA256, TEST_SECRET },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA1, TEST_SECRET },
        { CLIENT_PBMAC1, 0, NID_hmacWithSHA512, "" }
    };

    (void) state;

    random.seed = 99;
    random.counter = 0;

    for (i = 0; i < 12; i++) {
        fresh = i / 6;

        client_init(&client, 1, TEST_NOW);
        client.protection = tests[i % 6].kind;
        client.owf = tests[i % 6].owf;
        client.mac = tests[i % 6].mac;
        client.secret = tests[i % 6].secret;
        client.reference = "3078";

        test_request(pool, &client, &msg);
        secret = test_str(client.secret);

        test_ok(test_parse(&msg));

        reply = client_message(&client, CMP_BODY_GENP);

        /* without a key or a secret there is nothing to protect with */

        assert_int_equal(cmp_protect_mac(&protect, 0, NULL, pki_random,
                                         &random, reply, pool, &part),
                         CMP_ERROR);

        test_ok(cmp_protect_verify_mac(&protect, &msg, &secret, pool,
                                       &refusal));

        test_ok(cmp_protect_mac(&protect, fresh, fresh ? &secret : NULL,
                                pki_random, &random, reply, pool, &part));

        der = test_der(pool, ASN1_ITEM_rptr(X509_ALGOR),
                       reply->header->protection_alg);
        assert_int_equal(cmp_str_equal(&der, &protect.alg), !fresh);
        assert_int_equal(der.len, protect.alg.len);

        der = test_der(pool, ASN1_ITEM_rptr(cmp_pki_message_t), reply);
        answer = client_answer(der.data, der.len);
        assert_non_null(answer);

        if (client_verify(&client, answer, err, sizeof(err)) != 1) {
            fail_msg("%d: %s", i, err);
        }

        /* the core understands itself too */

        test_decode(pool, der.data, der.len, &msg);
        test_ok(test_parse(&msg));
        test_ok(cmp_protect_verify_mac(&protect, &msg, &secret, pool,
                                       &refusal));

        client_answer_free(answer);
        cmp_asn1_free(cmp_pki_message_t, reply);
    }

    protect.kind = CMP_PROTECTION_SIGNATURE;
    reply = client_message(&client, CMP_BODY_GENP);
    assert_int_equal(cmp_protect_mac(&protect, 0, &secret, pki_random, &random,
                                     reply, pool, &part), CMP_ERROR);
    cmp_asn1_free(cmp_pki_message_t, reply);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_vectors_mac, test_setup,
                                        test_teardown),
        cmocka_unit_test_setup_teardown(test_changes, test_setup,
                                        test_teardown),
        cmocka_unit_test_setup_teardown(test_incomplete, test_setup,
                                        test_teardown),
        cmocka_unit_test_setup_teardown(test_limits, test_setup,
                                        test_teardown),
        cmocka_unit_test_setup_teardown(test_odd_pbm, test_setup,
                                        test_teardown),
        cmocka_unit_test_setup_teardown(test_odd_pbmac1, test_setup,
                                        test_teardown),
        cmocka_unit_test_setup_teardown(test_answer_mac, test_setup,
                                        test_teardown)
    };

    return cmocka_run_group_tests_name("protect", tests, NULL, NULL);
}
