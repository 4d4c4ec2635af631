
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Protection of messages by signature, those of OpenSSL's client and those of
 * the client of these tests.
 */


#include <test_util.h>

#include <client.h>
#include <cmp_protect.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>


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


static void
test_vectors(void **state)
{
    size_t     i;
    X509      *cert, *other;
    cmp_msg_t  msg, second;

    static const struct {
        const char  *name;
        int          key;
    } vectors[] = {
        { "sig_rsa.der", NID_rsaEncryption },
        { "sig_p256.der", NID_X9_62_id_ecPublicKey },
        { "sig_p384.der", NID_X9_62_id_ecPublicKey }
    };

    (void) state;

    for (i = 0; i < 3; i++) {
        test_load(vectors[i].name, &msg);
        test_load(vectors[(i + 1) % 3].name, &second);

        cert = sk_X509_value(msg.extra_certs, 0);
        assert_non_null(cert);
        other = sk_X509_value(second.extra_certs, 0);

        test_ok(test_parse(&msg));
        assert_int_equal(protect.kind, CMP_PROTECTION_SIGNATURE);
        assert_int_equal(protect.signature.key_type, vectors[i].key);
        assert_int_equal(protect.signature.pss_salt, -1);
        assert_int_equal(EVP_MD_get_type(protect.signature.md), NID_sha256);

        test_ok(cmp_protect_verify_signature(&protect, &msg, cert, &refusal));
        test_refused(cmp_protect_verify_signature(&protect, &msg, other,
                                                  &refusal),
                     &refusal, CMP_REFUSE_MESSAGE_CHECK);

        ca.conformance = CMP_RFC9483;
        test_ok(test_parse(&msg));
        ca.conformance = CMP_RFC9810;
    }

    test_load("sig_rsa_sha1.der", &msg);
    test_refused(test_parse(&msg), &refusal, CMP_REFUSE_PROTECTION_ALG);
}


/* the client's signature over a genm, by each kind of key and digest */

static void
test_signatures(void **state)
{
    size_t          i;
    X509           *cert;
    client_t        client;
    cmp_msg_t       msg;
    EVP_PKEY       *other;
    pki_cert_t      conf;
    cmp_public_key_t  *key;

    static const struct {
        int              kind;
        const EVP_MD  *(*md)(void);
        unsigned         pss:1;
        unsigned         refused:1;
    } tests[] = {
        { PKI_ED25519, NULL, 0, 0 },
        { PKI_ED448, NULL, 0, 0 },
        { PKI_P256, EVP_sha256, 0, 0 },
        { PKI_P256, EVP_sha224, 0, 0 },
        { PKI_P256, EVP_sha3_256, 0, 0 },
        { PKI_P384, EVP_sha384, 0, 0 },
        { PKI_P521, EVP_sha512, 0, 0 },
        { PKI_RSA, EVP_sha256, 0, 0 },
        { PKI_RSA, EVP_sha512, 0, 0 },
        { PKI_RSA, EVP_sha3_384, 0, 0 },
        { PKI_RSA, EVP_sha256, 1, 0 },
        { PKI_RSA, EVP_sha512, 1, 0 },
        { PKI_RSA, EVP_sha1, 0, 1 },
        { PKI_RSA, EVP_md5, 0, 1 },
        { PKI_RSA, EVP_sha1, 1, 1 },
        { PKI_P256, EVP_sha1, 0, 1 }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        client_init(&client, i + 1, TEST_NOW);
        client.protection = CLIENT_SIGNATURE;
        client.key = pki_key(tests[i].kind, "a key");
        client.md = (tests[i].md != NULL) ? tests[i].md() : NULL;
        client.pss = tests[i].pss;

        memset(&conf, 0, sizeof(pki_cert_t));
        conf.subject = "/CN=signer";
        conf.key = client.key;
        conf.serial = i + 1;
        conf.not_before = TEST_NOW - TEST_YEAR;
        conf.not_after = TEST_NOW + TEST_YEAR;

        client.cert = pki_cert(&conf);
        test_request(pool, &client, &msg);

        if (tests[i].refused) {
            test_refused(test_parse(&msg), &refusal,
                         CMP_REFUSE_PROTECTION_ALG);

        } else {
            cert = sk_X509_value(msg.extra_certs, 0);

            test_ok(test_parse(&msg));
            assert_int_equal(protect.signature.pss_salt >= 0, tests[i].pss);
            test_ok(cmp_protect_verify_signature(&protect, &msg, cert,
                                                 &refusal));

            ca.conformance = CMP_RFC9483;
            test_ok(test_parse(&msg));
            test_ok(cmp_protect_verify_signature(&protect, &msg, cert,
                                                 &refusal));
            ca.conformance = CMP_RFC9810;

            /* another key of the kind, and a key of another kind */

            other = test_other_key(tests[i].kind, client.key);
            key = NULL;
            assert_int_equal(pki_set_public_key(&key, other), 1);
            test_refused(cmp_signature_verify(&protect.signature, key,
                                              msg.protection,
                                              &msg.protected_part,
                                              CMP_REFUSE_POP, &refusal),
                         &refusal, CMP_REFUSE_POP);
            EVP_PKEY_free(other);

            other = pki_key(tests[(i + 3) % 10].kind, "3");
            assert_int_equal(pki_set_public_key(&key, other), 1);
            test_refused(cmp_signature_verify(&protect.signature, key,
                                              msg.protection,
                                              &msg.protected_part,
                                              CMP_REFUSE_POP, &refusal),
                         &refusal, CMP_REFUSE_POP);
            EVP_PKEY_free(other);
            cmp_asn1_free(cmp_public_key_t, key);

            /* nothing, and unused bits */

            msg.protection->length -= 1;
            test_refused(cmp_protect_verify_signature(&protect, &msg, cert,
                                                      &refusal),
                         &refusal, CMP_REFUSE_MESSAGE_CHECK);
            msg.protection->length += 1;
            msg.protection->flags = ASN1_STRING_FLAG_BITS_LEFT|1;
            test_refused(cmp_protect_verify_signature(&protect, &msg, cert,
                                                      &refusal),
                         &refusal, CMP_REFUSE_MESSAGE_CHECK);
        }

        X509_free(client.cert);
        EVP_PKEY_free(client.key);
    }
}


/* 0: accepted at base, 1: at the strict level too, -1: refused */

static int
test_signature_alg(const X509_ALGOR *alg, cmp_signature_t *signature)
{
    int  rc;

    rc = cmp_signature_parse(alg, 1, CMP_REFUSE_PROTECTION_ALG, signature,
                             &refusal);
    assert_int_equal(ERR_peek_error(), 0);

    if (rc == CMP_OK) {
        return 1;
    }

    rc = cmp_signature_parse(alg, 0, CMP_REFUSE_POP, signature, &refusal);

    if (rc == CMP_OK) {
        return 0;
    }

    test_refused(rc, &refusal, CMP_REFUSE_POP);

    return -1;
}


static void
test_algorithms(void **state)
{
    size_t            i;
    X509_ALGOR       *alg;
    cmp_signature_t   signature;

    static const unsigned char  junk[] = { 0x30, 0x03, 0x02, 0x01, 0x01 };

    static const struct {
        const char  *oid;
        int          absent;
        int          null;
    } tests[] = {
        { "1.2.840.113549.1.1.11", 1, 1 },      /* sha256WithRSA */
        { "1.2.840.113549.1.1.14", 1, 1 },      /* sha224WithRSA */
        { "1.2.840.10045.4.3.2", 1, 0 },        /* ecdsa-with-SHA256 */
        { "2.16.840.1.101.3.4.3.10", 1, 0 },    /* ecdsa-with-SHA3-256 */
        { "2.16.840.1.101.3.4.3.14", 1, 1 },    /* RSA with SHA3-256 */
        { "1.3.101.112", 1, -1 },               /* Ed25519 */
        { "1.3.101.113", 1, -1 },               /* Ed448 */
        { "1.2.840.113549.1.1.10", -1, -1 },    /* PSS without parameters */
        { "1.2.840.113549.1.1.1", -1, -1 },     /* rsaEncryption */
        { "1.2.840.10045.2.1", -1, -1 },        /* ecPublicKey */
        { "1.2.840.113549.1.1.5", -1, -1 },     /* sha1WithRSA */
        { "1.2.840.113549.1.1.4", -1, -1 },     /* md5WithRSA */
        { "1.3.14.3.2.29", -1, -1 },            /* sha1WithRSA, old */
        { "1.2.840.10045.4.1", -1, -1 },        /* ecdsa-with-SHA1 */
        { "2.16.840.1.101.3.4.3.2", -1, -1 },   /* dsa-with-SHA256 */
        { "1.2.840.10040.4.3", -1, -1 },        /* dsa-with-SHA1 */
        { "1.2.840.113549.2.9", -1, -1 },       /* hmacWithSHA256 */
        { "2.16.840.1.101.3.4.2.1", -1, -1 },   /* sha256 */
        { "1.3.101.110", -1, -1 },              /* X25519 */
        { "1.2.840.113533.7.66.30", -1, -1 },   /* DHBasedMac */
        { "1.2.156.10197.1.501", -1, -1 },      /* SM2 with SM3 */
        { "1.3.6.1.4.1.99999.1", -1, -1 }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        alg = X509_ALGOR_new();
        alg->algorithm = OBJ_txt2obj(tests[i].oid, 1);
        assert_non_null(alg->algorithm);

        assert_int_equal(test_signature_alg(alg, &signature), tests[i].absent);
        test_null_parameters(alg);
        assert_int_equal(test_signature_alg(alg, &signature), tests[i].null);
        test_parameters(pool, alg, NULL, junk, sizeof(junk));
        assert_int_equal(test_signature_alg(alg, &signature), -1);

        X509_ALGOR_free(alg);
    }
}


static X509_ALGOR *
test_hash(int nid)
{
    X509_ALGOR  *alg;

    alg = X509_ALGOR_new();
    assert_non_null(alg);
    assert_int_equal(X509_ALGOR_set0(alg, OBJ_nid2obj(nid), V_ASN1_UNDEF,
                                     NULL), 1);

    return alg;
}


static void
test_pss(void **state)
{
    size_t            i;
    X509_ALGOR       *alg, *mgf1;
    RSA_PSS_PARAMS   *pss;
    cmp_signature_t   signature;

    static const struct {
        int      hash;          /* 0: absent */
        int      mask;          /* 0: absent */
        long     salt;          /* -2: absent */
        long     trailer;       /* 0: absent */
        int      expected;
    } tests[] = {
        { NID_sha256, NID_sha256, 32, 0, 1 },
        { NID_sha256, NID_sha256, 32, 1, 1 },
        { NID_sha512, NID_sha512, 64, 0, 1 },
        { NID_sha3_256, NID_sha3_256, 32, 0, 1 },
        { NID_sha256, NID_sha256, -2, 0, 1 },
        { NID_sha256, NID_sha256, 0, 0, 1 },
        { NID_sha256, NID_sha256, 222, 0, 1 },
        { NID_sha256, NID_sha256, 1024, 0, 1 },
        { NID_sha256, NID_sha256, 1025, 0, -1 },
        { NID_sha256, NID_sha256, 0x7fffffffffffffff, 0, -1 },
        { NID_sha256, NID_sha256, -1, 0, -1 },
        { NID_sha256, NID_sha256, 32, 2, -1 },
        { NID_sha256, NID_sha512, 32, 0, -1 },
        { NID_sha256, 0, 32, 0, -1 },
        { 0, NID_sha256, 32, 0, -1 },
        { 0, 0, -2, 0, -1 },
        { NID_sha1, NID_sha1, 20, 0, -1 },
        { NID_md5, NID_md5, 16, 0, -1 }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        pss = RSA_PSS_PARAMS_new();
        assert_non_null(pss);

        if (tests[i].hash != 0) {
            pss->hashAlgorithm = test_hash(tests[i].hash);
        }

        if (tests[i].mask != 0) {
            mgf1 = test_hash(tests[i].mask);
            pss->maskGenAlgorithm = test_hash(NID_mgf1);
            test_parameters(pool, pss->maskGenAlgorithm,
                            ASN1_ITEM_rptr(X509_ALGOR), mgf1, 0);
            X509_ALGOR_free(mgf1);
        }

        if (tests[i].salt != -2) {
            pss->saltLength = ASN1_INTEGER_new();
            assert_int_equal(ASN1_INTEGER_set_int64(pss->saltLength,
                                                    tests[i].salt), 1);
        }

        if (tests[i].trailer != 0) {
            pss->trailerField = ASN1_INTEGER_new();
            assert_int_equal(ASN1_INTEGER_set(pss->trailerField,
                                              tests[i].trailer), 1);
        }

        alg = test_hash(NID_rsassaPss);
        test_parameters(pool, alg, ASN1_ITEM_rptr(RSA_PSS_PARAMS), pss, 0);

        assert_int_equal(test_signature_alg(alg, &signature),
                         tests[i].expected);

        /* a mask that is not MGF1 */

        if (pss->maskGenAlgorithm != NULL) {
            pss->maskGenAlgorithm->algorithm = OBJ_nid2obj(NID_sha256);
            test_parameters(pool, alg, ASN1_ITEM_rptr(RSA_PSS_PARAMS), pss, 0);
            assert_int_equal(test_signature_alg(alg, &signature), -1);
        }

        X509_ALGOR_free(alg);
        RSA_PSS_PARAMS_free(pss);
    }
}


/* the RSA key as one that may do nothing but PSS */

static EVP_PKEY *
test_pss_key(EVP_PKEY *rsa)
{
    EVP_PKEY      *key;
    OSSL_PARAM    *params;
    EVP_PKEY_CTX  *ctx;

    key = NULL;
    params = NULL;

    assert_int_equal(EVP_PKEY_todata(rsa, EVP_PKEY_KEYPAIR, &params), 1);

    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params),
                     1);

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    EVP_PKEY_free(rsa);

    return key;
}


/* an answer by each kind of key is understood at the strict level */

static void
test_answers(void **state)
{
    int                 i;
    client_t            client;
    cmp_msg_t           msg;
    cmp_str_t           der, part;
    EVP_PKEY           *key;
    cmp_public_key_t   *pubkey;
    cmp_pki_message_t  *reply;

    static const int  kinds[] = {
        PKI_ED25519, PKI_ED448, PKI_P256, PKI_P384, PKI_P521, PKI_RSA, PKI_RSA
    };

    (void) state;

    client_init(&client, 1, TEST_NOW);
    client.reference = "3078";

    for (i = 0; i < 14; i++) {
        key = pki_key(kinds[i % 7], "ca");

        if (i % 7 == 6) {
            key = test_pss_key(key);
        }

        test_ca(&ca);
        ca.conformance = CMP_RFC9483;

        /* that of the CA, or the one for answers */

        if (i < 7) {
            ca.current.key = key;

        } else {
            ca.response_key = key;
        }

        reply = client_message(&client, CMP_BODY_GENP);
        test_ok(cmp_protect_sign(&ca, reply, pool, &part));

        der = test_der(pool, ASN1_ITEM_rptr(cmp_pki_message_t), reply);
        test_decode(pool, der.data, der.len, &msg);
        test_ok(test_parse(&msg));
        assert_int_equal(protect.signature.pss_salt, (i % 7 == 6) ? 32 : -1);

        pubkey = NULL;
        assert_int_equal(pki_set_public_key(&pubkey, key), 1);
        test_ok(cmp_signature_verify(&protect.signature, pubkey,
                                     msg.protection, &msg.protected_part,
                                     CMP_REFUSE_MESSAGE_CHECK, &refusal));

        cmp_asn1_free(cmp_public_key_t, pubkey);
        cmp_asn1_free(cmp_pki_message_t, reply);
        EVP_PKEY_free(key);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_vectors, test_setup,
                                        test_teardown),
        cmocka_unit_test_setup_teardown(test_signatures, test_setup,
                                        test_teardown),
        cmocka_unit_test_setup_teardown(test_algorithms, test_setup,
                                        test_teardown),
        cmocka_unit_test_setup_teardown(test_pss, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_answers, test_setup,
                                        test_teardown)
    };

    return cmocka_run_group_tests_name("protect_sign", tests, NULL, NULL);
}
