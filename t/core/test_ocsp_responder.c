
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Delegated OCSP responders: their certificates, and what is kept of them.
 */


#include <issue_util.h>

#include <cmp_key.h>
#include <cmp_ocsp.h>
#include <cmp_seal.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


#define TEST_DAY  ((int64_t) 24 * 3600 * 1000)


typedef struct {
    issue_test_t           t;
    cmp_write_cert_t       cert;
    cmp_str_t              secret;
    cmp_ocsp_responder_t  *responder;
    const char            *why;
} test_responder_t;


static unsigned char  key[CMP_SEAL_KEY_LEN] = "0123456789abcdef0123456789abcde";


static void
test_setup(test_responder_t *r, int kind)
{
    memset(r, 0, sizeof(test_responder_t));

    issue_create(&r->t, kind, 0);
}


static void
test_teardown(test_responder_t *r)
{
    cmp_ocsp_responder_free(r->responder);
    issue_destroy(&r->t);
}


static int
test_make(test_responder_t *r, int64_t now)
{
    int                           rc;
    cmp_ocsp_responder_params_t   params;

    params.ca = &r->t.ca;
    params.issuer = &r->t.ca.current;
    params.seal_key = key;
    params.now = now;
    params.random = pki_random;
    params.random_data = &r->t.random;

    rc = cmp_ocsp_responder_make(&params, r->t.pool, &r->cert, &r->secret);
    assert_int_equal(ERR_peek_error(), 0);

    return rc;
}


static int
test_open_by(test_responder_t *r, const cmp_issuer_t *issuer,
    const unsigned char *seal_key)
{
    int  rc;

    cmp_ocsp_responder_free(r->responder);
    r->responder = NULL;

    rc = cmp_ocsp_responder_open(&r->t.ca, issuer, seal_key, &r->cert.der,
                                 &r->secret, &r->responder, &r->why);
    assert_int_equal(ERR_peek_error(), 0);

    return rc;
}


static int
test_open(test_responder_t *r)
{
    return test_open_by(r, &r->t.ca.current, key);
}


static void
test_certificate(void **state)
{
    char              *text;
    X509              *x509;
    test_responder_t   r;

    (void) state;

    test_setup(&r, PKI_P256);
    assert_int_equal(test_make(&r, TEST_NOW), CMP_OK);
    assert_int_equal(test_open(&r), CMP_OK);

    x509 = r.responder->signer.certificate;
    assert_int_equal(X509_verify(x509, r.t.ca.current.key), 1);
    assert_int_equal(X509_check_issued(r.t.ca.current.certificate, x509),
                     X509_V_OK);

    text = issue_extensions(x509);
    assert_string_equal(text, "keyUsage!:Digital Signature;"
                        "extendedKeyUsage:OCSP Signing;noCheck:;"
                        "subjectKeyIdentifier:SKI;"
                        "authorityKeyIdentifier:AKI;");
    free(text);

    text = X509_NAME_oneline(X509_get_subject_name(x509), NULL, 0);
    assert_string_equal(text, "/CN=Test CA/CN=OCSP responder");
    OPENSSL_free(text);

    assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(x509)),
                     CMP_SERIAL_LEN);
    assert_memory_equal(r.responder->serial, r.cert.serial.data,
                        CMP_SERIAL_LEN);
    assert_int_equal(r.cert.state, CMP_CERT_VALID);
    assert_int_equal(r.cert.key_version, 0);
    assert_int_equal(r.cert.not_before, TEST_NOW - 60000);
    assert_int_equal(r.cert.not_after, TEST_NOW + 7 * TEST_DAY);
    assert_int_equal(r.responder->not_before, r.cert.not_before);
    assert_int_equal(r.responder->not_after, r.cert.not_after);
    assert_memory_equal(r.cert.profile.data, CMP_PROFILE_OCSP,
                        sizeof(CMP_PROFILE_OCSP));
    assert_memory_equal(r.cert.subject_text.data,
                        "CN=OCSP responder,CN=Test CA", 28);

    test_teardown(&r);
}


/* the kind of key is that of the CA, or what the configuration says */

static void
test_keys(void **state)
{
    size_t             i;
    char               err[200], buf[64];
    cmp_str_t          word;
    cmp_key_rule_t     rule;
    test_responder_t   r;

    static const struct {
        int            ca;
        const char    *rule;
        const char    *expected;
        unsigned       slow;
    }  kinds[] = {
        { PKI_P256, NULL, "ec:P-256", 0 },
        { PKI_P384, NULL, "ec:P-384", 1 },
        { PKI_ED25519, NULL, "ed25519", 0 },
        { PKI_RSA, NULL, "rsa:2048", 1 },
        { PKI_RSA, "ec:P-256", "ec:P-256", 0 },
        { PKI_P256, "rsa:3072", "rsa:3072", 1 },
        { PKI_P256, "rsa-pss:2048", "rsa-pss:2048", 1 },
        { PKI_P256, "ed448", "ed448", 1 },
        { PKI_ML_DSA_87, NULL, "ml-dsa-87", 1 }
    };

    (void) state;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {

        if (pki_offers(kinds[i].ca) == 0) {
            continue;
        }

        test_setup(&r, kinds[i].ca);

        if (kinds[i].rule != NULL) {
            word = test_str(kinds[i].rule);
            assert_int_equal(cmp_key_rule_parse(&word, &r.t.ca.responder_key,
                                                err, sizeof(err)), CMP_OK);
        }

        assert_int_equal(test_make(&r, TEST_NOW), CMP_OK);
        assert_int_equal(test_open(&r), CMP_OK);
        assert_int_equal(cmp_key_rule_of(r.responder->signer.key, &rule),
                         CMP_OK);
        assert_string_equal(cmp_key_rule_text(&rule, buf, sizeof(buf)),
                            kinds[i].expected);

        if (strcmp(kinds[i].expected, "ed448") != 0) {
            assert_int_equal(r.responder->slow, kinds[i].slow);
        }

        test_teardown(&r);
    }
}


static void
test_times(void **state)
{
    int64_t            now, end;
    test_responder_t   r;

    (void) state;

    test_setup(&r, PKI_P256);
    r.t.ca.responder_validity = 30 * 1000;

    assert_int_equal(test_make(&r, TEST_NOW), CMP_OK);
    assert_int_equal(test_open(&r), CMP_OK);

    /* 33 seconds, three of them before now */

    now = TEST_NOW - TEST_NOW % 1000;
    assert_int_equal(r.responder->not_before, now - 3000);
    assert_int_equal(r.responder->not_after, now + 30000);

    assert_int_equal(cmp_ocsp_responder_valid(r.responder, now - 3001), 0);
    assert_int_equal(cmp_ocsp_responder_valid(r.responder, now - 3000), 1);
    assert_int_equal(cmp_ocsp_responder_valid(r.responder, now + 29999), 1);
    assert_int_equal(cmp_ocsp_responder_valid(r.responder, now + 30000), 0);

    assert_int_equal(cmp_ocsp_responder_due(r.responder, &r.t.ca.current,
                                            now + 18999), 0);
    assert_int_equal(cmp_ocsp_responder_due(r.responder, &r.t.ca.current,
                                            now + 19000), 1);

    /* not beyond the CA, after whose end there is none */

    end = 2051222400000LL;
    assert_int_equal(test_make(&r, end - 10000), CMP_OK);
    assert_int_equal(r.cert.not_after, end);
    assert_int_equal(test_open(&r), CMP_OK);
    assert_int_equal(cmp_ocsp_responder_due(r.responder, &r.t.ca.current,
                                            end - 1000), 0);
    assert_int_equal(test_make(&r, end), CMP_ERROR);
    assert_int_equal(test_make(&r, TEST_NOW - 13 * TEST_YEAR), CMP_ERROR);

    test_teardown(&r);
}


/* what the database says is not believed */

static void
test_distrust(void **state)
{
    cmp_str_t          der, secret;
    unsigned char      wrong[CMP_SEAL_KEY_LEN];
    test_responder_t   r, other;

    (void) state;

    test_setup(&r, PKI_P256);
    test_setup(&other, PKI_P384);
    assert_int_equal(test_make(&r, TEST_NOW), CMP_OK);
    assert_int_equal(test_make(&other, TEST_NOW), CMP_OK);

    memcpy(wrong, key, sizeof(wrong));
    wrong[0] ^= 1;
    assert_int_equal(test_open_by(&r, &r.t.ca.current, wrong), CMP_DECLINED);
    assert_string_equal(r.why, "its private key was sealed with another key");

    assert_int_equal(test_open_by(&r, &other.t.ca.current, key),
                     CMP_DECLINED);
    assert_string_equal(r.why, "this key of the CA has not issued it");

    /* a key of another row */

    der = r.cert.der;
    secret = r.secret;
    assert_int_equal(test_make(&r, TEST_NOW + 1), CMP_OK);
    r.secret = secret;
    assert_int_equal(test_open(&r), CMP_DECLINED);
    r.cert.der = der;
    assert_int_equal(test_open(&r), CMP_OK);

    /* of a CA with another name */

    r.t.ca.name = test_str("test2");
    assert_int_equal(test_open(&r), CMP_DECLINED);
    r.t.ca.name = test_str("test");

    r.cert.der.len--;
    assert_int_equal(test_open(&r), CMP_DECLINED);
    assert_string_equal(r.why, "it is no certificate");
    r.cert.der.len = 0;
    assert_int_equal(test_open(&r), CMP_DECLINED);
    r.cert.der = der;

    r.secret.len--;
    assert_int_equal(test_open(&r), CMP_DECLINED);

    test_teardown(&r);
    test_teardown(&other);
}


/* a certificate with the sealed key of a responder, but for something else */

static void
test_usage(void **state)
{
    size_t             i;
    X509              *x509;
    EVP_PKEY          *pkey;
    X509_EXTENSION    *ext;
    test_responder_t   r;

    static const char  *usages[] = { NULL, "clientAuth" };

    (void) state;

    test_setup(&r, PKI_ED25519);

    for (i = 0; i < 2; i++) {
        assert_int_equal(test_make(&r, TEST_NOW), CMP_OK);
        assert_int_equal(test_open(&r), CMP_OK);

        x509 = X509_dup(r.responder->signer.certificate);
        pkey = r.t.ca.current.key;
        assert_non_null(x509);
        X509_EXTENSION_free(X509_delete_ext(x509,
                            X509_get_ext_by_NID(x509, NID_ext_key_usage, -1)));

        if (usages[i] != NULL) {
            ext = issue_extension("extendedKeyUsage", usages[i]);
            assert_int_equal(X509_add_ext(x509, ext, -1), 1);
            X509_EXTENSION_free(ext);
        }

        assert_true(X509_sign(x509, pkey, NULL) > 0);

        r.cert.der.data = NULL;
        r.cert.der.len = i2d_X509(x509, &r.cert.der.data);
        assert_int_equal(test_open(&r), CMP_DECLINED);
        assert_string_equal(r.why, "it is not for OCSP");

        OPENSSL_free(r.cert.der.data);
        X509_free(x509);
    }

    test_teardown(&r);
}


/* an answer by it verifies with nothing but the CA, and carries it */

static void
test_answer(void **state)
{
    int                    len;
    cmp_str_t              der;
    X509_STORE            *store;
    OCSP_CERTID           *id;
    OCSP_REQUEST          *ask;
    OCSP_RESPONSE         *response;
    unsigned char         *p;
    OCSP_BASICRESP        *basic;
    const unsigned char   *q;
    test_responder_t       r;
    cmp_ocsp_request_t     request;

    (void) state;

    test_setup(&r, PKI_P256);
    assert_int_equal(test_make(&r, TEST_NOW), CMP_OK);
    assert_int_equal(test_open(&r), CMP_OK);

    ask = OCSP_REQUEST_new();
    id = OCSP_cert_to_id(NULL, r.t.ca.current.certificate,
                         r.t.ca.current.certificate);
    assert_non_null(OCSP_request_add0_id(ask, id));
    p = NULL;
    len = i2d_OCSP_REQUEST(ask, &p);
    OCSP_REQUEST_free(ask);
    assert_int_equal(cmp_ocsp_parse(&r.t.ca, p, len, r.t.pool, &request),
                     CMP_OK);
    OPENSSL_free(p);
    request.ids[0].status = V_OCSP_CERTSTATUS_GOOD;

    assert_int_equal(cmp_ocsp_respond(&request, &r.responder->signer, TEST_NOW,
                                      TEST_NOW + 3600000, r.t.pool, &der),
                     CMP_OK);

    q = der.data;
    response = d2i_OCSP_RESPONSE(NULL, &q, der.len);
    assert_non_null(response);
    basic = OCSP_response_get1_basic(response);
    assert_int_equal(sk_X509_num(OCSP_resp_get0_certs(basic)), 1);

    store = X509_STORE_new();
    assert_int_equal(X509_STORE_add_cert(store, r.t.ca.current.certificate),
                     1);
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), TEST_NOW / 1000);
    assert_int_equal(OCSP_basic_verify(basic, NULL, store, 0), 1);

    X509_STORE_free(store);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    test_teardown(&r);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_distrust),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_answer)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
