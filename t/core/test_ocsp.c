
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * OCSP requests and answers.
 */


#include <issue_util.h>

#include <cmp_ocsp.h>

#include <string.h>

#include <openssl/err.h>


typedef struct {
    issue_test_t         t;
    X509                *cert;      /* to be asked for */
    cmp_ocsp_request_t   request;
} test_ocsp_t;


static void
test_setup(test_ocsp_t *o)
{
    memset(o, 0, sizeof(test_ocsp_t));

    issue_create(&o->t, PKI_ED25519, 0);
    o->cert = o->t.ca.current.certificate;
}


static void
test_teardown(test_ocsp_t *o)
{
    issue_destroy(&o->t);
}


/* a request for n certificates of the CA: serial numbers 100, 101... */

static OCSP_REQUEST *
test_ocsp_ask(test_ocsp_t *o, const EVP_MD *md, int n)
{
    int            i;
    OCSP_CERTID   *id;
    ASN1_INTEGER  *serial;
    OCSP_REQUEST  *request;

    request = OCSP_REQUEST_new();
    serial = ASN1_INTEGER_new();
    assert_true(request != NULL && serial != NULL);

    for (i = 0; i < n; i++) {
        assert_int_equal(ASN1_INTEGER_set(serial, 100 + i), 1);
        id = OCSP_cert_id_new(md, X509_get_subject_name(o->cert),
                              X509_get0_pubkey_bitstr(o->cert), serial);
        assert_non_null(id);
        assert_non_null(OCSP_request_add0_id(request, id));
    }

    ASN1_INTEGER_free(serial);

    return request;
}


/* a request that is read in place is one that can be decoded, to the same */

static void
test_plain(test_ocsp_t *o, const unsigned char *der, int len, int rc)
{
    const cmp_ocsp_id_t  *id;
    cmp_ocsp_request_t    plain;

    id = &o->request.ids[0];

    if (cmp_ocsp_parse_plain(&o->t.ca, der, len, &plain) != CMP_OK) {
        assert_false(rc == CMP_OK
                     && o->request.nids == 1
                     && o->request.hash <= CMP_HASH_SHA256
                     && OCSP_REQUEST_get_ext_count(o->request.request) == 0
                     && id->serial.len == CMP_SERIAL_LEN);
        return;
    }

    assert_int_equal(rc, CMP_OK);
    assert_int_equal(o->request.nids, 1);
    assert_null(o->request.nonce);
    assert_int_equal(plain.nids, 1);
    assert_int_equal(plain.hash, o->request.hash);
    assert_int_equal(plain.issuer_index, o->request.issuer_index);
    assert_ptr_equal(plain.issuer, o->request.issuer);
    assert_true(cmp_str_equal(&plain.ids[0].serial, &id->serial));
}


/* encodes, frees and parses it */

static int
test_parse(test_ocsp_t *o, OCSP_REQUEST *request)
{
    int             rc, len;
    unsigned char  *der;

    der = NULL;
    len = i2d_OCSP_REQUEST(request, &der);
    assert_true(len > 0);
    OCSP_REQUEST_free(request);

    rc = cmp_ocsp_parse(&o->t.ca, der, len, o->t.pool, &o->request);
    assert_int_equal(ERR_peek_error(), 0);

    test_plain(o, der, len, rc);

    OPENSSL_free(der);

    return rc;
}


/* the answer by the CA's own key, verified */

static OCSP_BASICRESP *
test_respond(test_ocsp_t *o)
{
    cmp_str_t             der;
    X509_STORE           *store;
    OCSP_RESPONSE        *response;
    STACK_OF(X509)       *certs;
    OCSP_BASICRESP       *basic;
    cmp_ocsp_signer_t     signer;
    const unsigned char  *p;

    memset(&signer, 0, sizeof(cmp_ocsp_signer_t));
    signer.certificate = o->t.ca.current.certificate;
    signer.key = o->t.ca.current.key;
    signer.md = o->t.ca.current.md;

    assert_int_equal(cmp_ocsp_respond(&o->request, &signer, TEST_NOW,
                                      TEST_NOW + 3600000, o->t.pool, &der),
                     CMP_OK);

    p = der.data;
    response = d2i_OCSP_RESPONSE(NULL, &p, der.len);
    assert_non_null(response);
    assert_ptr_equal(p, der.data + der.len);
    assert_int_equal(OCSP_response_status(response),
                     OCSP_RESPONSE_STATUS_SUCCESSFUL);

    basic = OCSP_response_get1_basic(response);
    assert_non_null(basic);
    OCSP_RESPONSE_free(response);

    store = X509_STORE_new();
    certs = sk_X509_new_null();
    assert_int_equal(X509_STORE_add_cert(store, signer.certificate), 1);
    assert_true(sk_X509_push(certs, signer.certificate) > 0);
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), TEST_NOW / 1000);
    assert_int_equal(OCSP_basic_verify(basic, certs, store,
                                       OCSP_TRUSTOTHER), 1);
    sk_X509_free(certs);
    X509_STORE_free(store);

    return basic;
}


static void
test_status(OCSP_BASICRESP *basic, int n, int status, int reason)
{
    int                    found;
    OCSP_SINGLERESP       *single;
    ASN1_GENERALIZEDTIME  *revoked, *this_update, *next_update;

    single = OCSP_resp_get0(basic, n);
    assert_non_null(single);
    assert_int_equal(OCSP_single_get0_status(single, &found, &revoked,
                                             &this_update, &next_update),
                     status);

    if (status == V_OCSP_CERTSTATUS_REVOKED) {
        assert_int_equal(found, reason);
        assert_non_null(revoked);
    }

    /* the time is that of the caller, not that of the machine */

    assert_int_equal(ASN1_TIME_compare(this_update, next_update), -1);
    assert_int_equal(ASN1_TIME_compare(OCSP_resp_get0_produced_at(basic),
                                       this_update), 0);
    assert_int_equal(ASN1_TIME_cmp_time_t(this_update, TEST_NOW / 1000), 0);
}


static void
test_ocsp_statuses(void **state)
{
    test_ocsp_t      o;
    OCSP_BASICRESP  *basic;

    (void) state;

    test_setup(&o);
    assert_int_equal(test_parse(&o, test_ocsp_ask(&o, EVP_sha256(), 4)),
                     CMP_OK);
    assert_int_equal(o.request.nids, 4);
    assert_int_equal(o.request.issuer_index, 0);
    assert_int_equal(o.request.hash, CMP_HASH_SHA256);
    assert_int_equal(o.request.ids[3].serial.len, 1);
    assert_int_equal(o.request.ids[3].serial.data[0], 103);

    o.request.ids[0].status = V_OCSP_CERTSTATUS_GOOD;
    o.request.ids[1].status = V_OCSP_CERTSTATUS_REVOKED;
    o.request.ids[1].reason = CRL_REASON_KEY_COMPROMISE;
    o.request.ids[1].revoked_at = TEST_NOW - 1000;
    o.request.ids[2].status = V_OCSP_CERTSTATUS_REVOKED;
    o.request.ids[2].revoked_at = TEST_NOW - 1000;

    basic = test_respond(&o);
    assert_int_equal(OCSP_resp_count(basic), 4);
    test_status(basic, 0, V_OCSP_CERTSTATUS_GOOD, 0);
    test_status(basic, 1, V_OCSP_CERTSTATUS_REVOKED,
                CRL_REASON_KEY_COMPROMISE);
    test_status(basic, 2, V_OCSP_CERTSTATUS_REVOKED,
                OCSP_REVOKED_STATUS_NOSTATUS);
    test_status(basic, 3, V_OCSP_CERTSTATUS_UNKNOWN, 0);
    assert_true(sk_X509_num(OCSP_resp_get0_certs(basic)) <= 0);

    OCSP_BASICRESP_free(basic);
    test_teardown(&o);
}


static void
test_ocsp_hashes(void **state)
{
    int            i;
    test_ocsp_t    o;
    const EVP_MD  *mds[] = {
        EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()
    };

    (void) state;

    test_setup(&o);

    for (i = 0; i < CMP_HASH_MAX; i++) {
        assert_int_equal(test_parse(&o, test_ocsp_ask(&o, mds[i], 1)), CMP_OK);
        assert_int_equal(o.request.hash, i);
    }

    assert_int_equal(test_parse(&o, test_ocsp_ask(&o, EVP_sha224(), 1)),
                     CMP_DECLINED);
    assert_int_equal(o.request.error, OCSP_RESPONSE_STATUS_UNAUTHORIZED);

    test_teardown(&o);
}


static void
test_ocsp_nonce(void **state)
{
    int              i;
    test_ocsp_t      o;
    OCSP_REQUEST    *request;
    unsigned char    nonce[200];
    OCSP_BASICRESP  *basic;
    static const int lengths[] = { 1, 16, 32, 128, 129, 200 };

    (void) state;

    test_setup(&o);
    memset(nonce, 0x5a, sizeof(nonce));

    for (i = 0; i < 6; i++) {
        request = test_ocsp_ask(&o, EVP_sha1(), 1);
        assert_int_equal(OCSP_request_add1_nonce(request, nonce, lengths[i]),
                         1);

        if (lengths[i] > 128) {
            assert_int_equal(test_parse(&o, request), CMP_DECLINED);
            assert_int_equal(o.request.error,
                             OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
            continue;
        }

        assert_int_equal(test_parse(&o, request), CMP_OK);
        basic = test_respond(&o);
        assert_int_equal(OCSP_check_nonce(o.request.request, basic), 1);
        OCSP_BASICRESP_free(basic);
    }

    test_teardown(&o);
}


/* extensions: an unknown one is ignored, unless it is critical */

static void
test_ocsp_critical(void **state)
{
    int                 i, k;
    test_ocsp_t         o;
    OCSP_REQUEST       *request;
    X509_EXTENSION     *ext;
    ASN1_OCTET_STRING  *value;

    (void) state;

    test_setup(&o);

    for (i = 0; i < 4; i++) {
        value = ASN1_OCTET_STRING_new();
        assert_int_equal(ASN1_OCTET_STRING_set(value,
                             (const unsigned char *) "\x05\x00", 2), 1);
        ext = X509_EXTENSION_create_by_NID(NULL,
                                           NID_id_pkix_OCSP_serviceLocator,
                                           i & 1, value);
        assert_non_null(ext);
        ASN1_OCTET_STRING_free(value);

        request = test_ocsp_ask(&o, EVP_sha1(), 1);

        k = (i < 2) ? OCSP_REQUEST_add_ext(request, ext, -1)
                    : OCSP_ONEREQ_add_ext(OCSP_request_onereq_get0(request, 0),
                                          ext, -1);
        assert_int_equal(k, 1);
        X509_EXTENSION_free(ext);

        assert_int_equal(test_parse(&o, request),
                         (i & 1) ? CMP_DECLINED : CMP_OK);
    }

    test_teardown(&o);
}


/* whatever is changed: read in place, or left to the decoder */

static void
test_ocsp_plain(void **state)
{
    int             i, n, len, rc;
    test_ocsp_t     o;
    OCSP_REQUEST   *request;
    unsigned char  *der, *copy, octet;

    (void) state;

    test_setup(&o);

    for (i = 0; i < 3; i++) {

        request = test_ocsp_ask(&o, (i == 0) ? EVP_sha1()
                                    : (i == 1) ? EVP_sha256() : EVP_sha384(),
                                1);
        der = NULL;
        len = i2d_OCSP_REQUEST(request, &der);
        assert_true(len > 0);
        OCSP_REQUEST_free(request);

        assert_int_equal(cmp_ocsp_parse_plain(&o.t.ca, der, len, &o.request),
                         (i < 2) ? CMP_OK : CMP_DECLINED);

        for (n = 0; n < len; n++) {

            /* no octet beyond the end is looked at */

            copy = malloc(n + 1);
            assert_non_null(copy);
            memcpy(copy, der, n);

            assert_int_equal(cmp_ocsp_parse_plain(&o.t.ca, copy, n,
                                                  &o.request),
                             CMP_DECLINED);
            free(copy);

            for (octet = 1; octet != 0; octet <<= 1) {
                der[n] ^= octet;

                rc = cmp_ocsp_parse(&o.t.ca, der, len, o.t.pool, &o.request);
                test_plain(&o, der, len, rc);

                der[n] ^= octet;
            }
        }

        OPENSSL_free(der);
    }

    test_teardown(&o);
}


static void
test_ocsp_refused(void **state)
{
    size_t               i;
    test_ocsp_t          o;
    unsigned char        der[5];
    static const struct {
        const char      *der;
        size_t           len;
    } cases[] = {
        { "", 0 },
        { "\x30\x00", 2 },
        { "\x30\x02\x30\x00", 4 },
        { "\x30\x04\x30\x02\x30\x00", 6 },
        { "\x30\x80\x00\x00", 4 },
        { "\x05\x00", 2 }
    };

    (void) state;

    test_setup(&o);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(cmp_ocsp_parse(&o.t.ca,
                             (const unsigned char *) cases[i].der,
                             cases[i].len, o.t.pool, &o.request),
                         CMP_DECLINED);
        assert_int_equal(o.request.error,
                         OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
        assert_int_equal(ERR_peek_error(), 0);
    }

    assert_int_equal(test_parse(&o, test_ocsp_ask(&o, EVP_sha1(),
                                                  CMP_OCSP_MAX_IDS)),
                     CMP_OK);
    assert_int_equal(test_parse(&o, test_ocsp_ask(&o, EVP_sha1(),
                                                  CMP_OCSP_MAX_IDS + 1)),
                     CMP_DECLINED);

    cmp_ocsp_refusal(OCSP_RESPONSE_STATUS_TRYLATER, der);
    assert_memory_equal(der, "\x30\x03\x0a\x01\x03", 5);

    test_teardown(&o);
}


/* the key that the client names decides; several keys in one: nobody's */

static void
test_ocsp_previous(void **state)
{
    cmp_str_t      der;
    test_ocsp_t    o, old;
    cmp_issuer_t   previous;
    OCSP_REQUEST  *request;

    (void) state;

    test_setup(&o);
    issue_create(&old.t, PKI_RSA, 0);
    old.cert = old.t.ca.current.certificate;

    /* of the other one: not ours as long as it is not a previous key */

    assert_int_equal(test_parse(&o, test_ocsp_ask(&old, EVP_sha1(), 1)),
                     CMP_DECLINED);
    assert_int_equal(o.request.error, OCSP_RESPONSE_STATUS_UNAUTHORIZED);

    previous = old.t.ca.current;
    o.t.ca.previous = &previous;
    o.t.ca.nprevious = 1;

    assert_int_equal(test_parse(&o, test_ocsp_ask(&old, EVP_sha1(), 1)),
                     CMP_OK);
    assert_int_equal(o.request.issuer_index, 1);
    assert_ptr_equal(o.request.issuer, &previous);

    request = test_ocsp_ask(&o, EVP_sha1(), 1);
    assert_non_null(OCSP_request_add0_id(request,
                        OCSP_cert_to_id(EVP_sha1(), old.cert, old.cert)));
    assert_int_equal(test_parse(&o, request), CMP_DECLINED);
    assert_int_equal(o.request.error, OCSP_RESPONSE_STATUS_UNAUTHORIZED);

    /* a certificate without an authorityKeyIdentifier is nobody's */

    der.data = NULL;
    der.len = i2d_X509(old.cert, &der.data);
    assert_int_equal(cmp_ocsp_issued_by(&o.t.ca.current, &der), CMP_DECLINED);
    OPENSSL_free(der.data);

    o.t.ca.previous = NULL;
    o.t.ca.nprevious = 0;
    issue_destroy(&old.t);
    test_teardown(&o);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ocsp_statuses),
        cmocka_unit_test(test_ocsp_hashes),
        cmocka_unit_test(test_ocsp_nonce),
        cmocka_unit_test(test_ocsp_critical),
        cmocka_unit_test(test_ocsp_plain),
        cmocka_unit_test(test_ocsp_refused),
        cmocka_unit_test(test_ocsp_previous)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
