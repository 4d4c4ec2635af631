
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A CA when its configuration is complete: what is refused, and how it is
 * said.
 */


#include <test_util.h>
#include <pki.h>

#include <string.h>
#include <time.h>

#include <openssl/err.h>


typedef struct {
    cmp_pool_t      *pool;
    cmp_ca_t         ca;
    cmp_profile_t    profiles[2];
    cmp_profile_t   *list[2];
    cmp_trusted_t    trusted[2];
    cmp_scope_t      scope;
    int64_t          now;
    char             err[400];
} test_t;


static void test_create(test_t *t);
static void test_destroy(test_t *t);
static X509 *test_cert(test_t *t, const char *subject, EVP_PKEY *key,
    X509 *issuer, EVP_PKEY *issuer_key, const char *bc, const char *ku);
static X509 *test_ra(test_t *t, const char *ku);
static void test_finish(test_t *t, const char *err);
static void test_replace(test_t *t, X509 *cert);


/* a root that issues by itself */

static void
test_create(test_t *t)
{
    int        i;
    char       err[300];
    cmp_str_t  word;

    memset(t, 0, sizeof(test_t));

    t->pool = cmp_pool_create();
    t->now = (int64_t) time(NULL) * 1000;

    cmp_ca_init(&t->ca);
    t->ca.name = test_str("devices");
    t->ca.current.key = pki_key(PKI_P256, "CA");
    t->ca.current.certificate = test_cert(t, "/CN=CA", t->ca.current.key,
                            NULL, NULL, "critical,CA:TRUE",
                            "critical,digitalSignature,keyCertSign,cRLSign");

    word = test_str("ec:P-256");

    for (i = 0; i < 2; i++) {
        cmp_profile_init(&t->profiles[i]);
        t->profiles[i].name = test_str(i ? "server" : "device");
        t->profiles[i].validity = 86400;
        test_ok(cmp_profile_add_key(&t->profiles[i], t->pool, &word, err,
                                    sizeof(err)));
        test_ok(cmp_profile_finish(&t->profiles[i], t->pool, err,
                                   sizeof(err)));
        t->list[i] = &t->profiles[i];
    }

    t->ca.profiles = t->list;
    t->ca.nprofiles = 2;
}


static void
test_destroy(test_t *t)
{
    cmp_ca_cleanup(&t->ca);
    assert_null(t->ca.current.certificate);
    cmp_pool_destroy(t->pool);
    assert_int_equal(ERR_peek_error(), 0);
}


static X509 *
test_cert(test_t *t, const char *subject, EVP_PKEY *key, X509 *issuer,
    EVP_PKEY *issuer_key, const char *bc, const char *ku)
{
    pki_cert_t  conf;

    memset(&conf, 0, sizeof(pki_cert_t));
    conf.subject = subject;
    conf.key = key;
    conf.issuer = issuer;
    conf.issuer_key = issuer_key;
    conf.serial = 1;
    conf.not_before = t->now - TEST_HOUR;
    conf.not_after = t->now + TEST_HOUR;
    conf.basic_constraints = bc;
    conf.key_usage = ku;

    return pki_cert(&conf);
}


/* NULL: it is fine; otherwise how the message begins */

static void
test_finish(test_t *t, const char *err)
{
    int  rc;

    t->err[0] = '\0';
    rc = cmp_ca_finish(&t->ca, t->pool, t->err, sizeof(t->err));

    assert_int_equal(ERR_peek_error(), 0);

    if (err == NULL) {
        assert_string_equal(t->err, "");
        assert_int_equal(rc, CMP_OK);
        return;
    }

    assert_int_equal(rc, CMP_ERROR);
    t->err[strlen(err)] = '\0';
    assert_string_equal(t->err, err);
}


static void
test_replace(test_t *t, X509 *cert)
{
    X509_free(t->ca.current.certificate);
    t->ca.current.certificate = cert;
}


static void
test_ca_fine(void **state)
{
    test_t     t;
    cmp_str_t  name;

    (void) state;

    test_create(&t);
    test_finish(&t, NULL);

    assert_ptr_equal(t.ca.current.md, EVP_sha256());
    assert_ptr_equal(t.ca.response_md, EVP_sha256());
    assert_ptr_equal(t.ca.root, t.ca.current.certificate);
    assert_int_equal(X509_NAME_cmp(t.ca.subject,
                         X509_get_subject_name(t.ca.current.certificate)), 0);
    assert_int_equal(t.ca.subject_der.len,
                     i2d_X509_NAME(t.ca.subject, NULL));

    name = test_str("");
    assert_ptr_equal(cmp_ca_profile(&t.ca, &name), &t.profiles[0]);
    name = test_str("server");
    assert_ptr_equal(cmp_ca_profile(&t.ca, &name), &t.profiles[1]);
    name = test_str("serve");
    assert_null(cmp_ca_profile(&t.ca, &name));

    test_destroy(&t);
}


static void
test_ca_certificate(void **state)
{
    size_t  i;
    test_t  t;

    static const struct {
        const char  *subject;
        const char  *bc;
        const char  *ku;
        const char  *err;
    } certs[] = {
        { "/CN=CA", "critical,CA:FALSE", "critical,keyCertSign,cRLSign",
          "the CA certificate is no CA certificate" },
        { "/CN=CA", NULL, "critical,keyCertSign,cRLSign",
          "the CA certificate is no CA certificate" },
        { "/CN=CA", "critical,CA:TRUE", NULL,
          "the CA certificate has no keyUsage with keyCertSign" },
        { "/CN=CA", "critical,CA:TRUE", "critical,digitalSignature,cRLSign",
          "the CA certificate has no keyUsage with keyCertSign" },
        { "/CN=CA", "critical,CA:TRUE",
          "critical,digitalSignature,keyCertSign",
          "the CA certificate has no cRLSign in its keyUsage" },
        { "/CN=CA", "critical,CA:TRUE", "critical,keyCertSign,cRLSign",
          "the CA certificate has no digitalSignature in its keyUsage, clients"
          " would refuse answers that it protects: set a \"response_cert" },
        { "", "critical,CA:TRUE",
          "critical,digitalSignature,keyCertSign,cRLSign",
          "the CA certificate has no subject" }
    };

    (void) state;

    for (i = 0; i < sizeof(certs) / sizeof(certs[0]); i++) {
        test_create(&t);
        test_replace(&t, test_cert(&t, certs[i].subject, t.ca.current.key,
                                   NULL, NULL, certs[i].bc, certs[i].ku));
        test_finish(&t, certs[i].err);
        test_destroy(&t);
    }

    test_create(&t);
    test_replace(&t, NULL);
    test_finish(&t, "no \"certificate\" is set");
    test_destroy(&t);
}


static void
test_ca_key(void **state)
{
    int                   len;
    test_t                t;
    unsigned char        *der;
    const unsigned char  *p;

    (void) state;

    test_create(&t);
    EVP_PKEY_free(t.ca.current.key);
    t.ca.current.key = pki_key(PKI_P256, "other");
    test_finish(&t, "the key of \"certificate_key\" does not belong to the CA "
                "certificate");
    EVP_PKEY_free(t.ca.current.key);
    t.ca.current.key = NULL;
    test_finish(&t, "no \"certificate_key\" is set for the CA certificate");
    test_destroy(&t);

    /* as a public key the certificate's own fits, but it cannot sign */

    test_create(&t);
    der = NULL;
    len = i2d_PUBKEY(t.ca.current.key, &der);
    EVP_PKEY_free(t.ca.current.key);
    p = der;
    t.ca.current.key = d2i_PUBKEY(NULL, &p, len);
    OPENSSL_free(der);
    test_finish(&t, "a test signature with the key of \"certificate_key\" "
                "failed");
    test_destroy(&t);

    test_create(&t);
    EVP_PKEY_free(t.ca.current.key);
    t.ca.current.key = pki_key(PKI_RSA_1024, "CA");
    test_replace(&t, test_cert(&t, "/CN=CA", t.ca.current.key, NULL, NULL,
                           "critical,CA:TRUE",
                           "critical,digitalSignature,keyCertSign,cRLSign"));
    test_finish(&t, "the key of the CA certificate is not acceptable: an RSA "
                "modulus of less than 2048 bits");
    test_destroy(&t);
}


static void
test_ca_validity(void **state)
{
    test_t  t;

    (void) state;

    test_create(&t);
    t.now -= 3 * TEST_HOUR;
    test_replace(&t, test_cert(&t, "/CN=CA", t.ca.current.key, NULL, NULL,
                           "critical,CA:TRUE",
                           "critical,digitalSignature,keyCertSign,cRLSign"));
    test_finish(&t, "the CA certificate has expired");

    t.now += 6 * TEST_HOUR;
    test_replace(&t, test_cert(&t, "/CN=CA", t.ca.current.key, NULL, NULL,
                           "critical,CA:TRUE",
                           "critical,digitalSignature,keyCertSign,cRLSign"));
    test_finish(&t, "the CA certificate is not valid yet");
    test_destroy(&t);
}


/* root, intermediate, issuing CA */

static void
test_ca_chain(void **state)
{
    X509       *root, *middle;
    test_t      t;
    EVP_PKEY   *root_key, *middle_key;

    (void) state;

    test_create(&t);
    root_key = pki_key(PKI_ED25519, "root");
    middle_key = pki_key(PKI_ED25519, "middle");
    root = test_cert(&t, "/CN=root", root_key, NULL, NULL,
                     "critical,CA:TRUE", "keyCertSign");
    middle = test_cert(&t, "/CN=middle", middle_key, root, root_key,
                       "critical,CA:TRUE,pathlen:0", "keyCertSign");

    test_replace(&t, test_cert(&t, "/CN=CA", t.ca.current.key, root, root_key,
                           "critical,CA:TRUE,pathlen:0",
                           "critical,digitalSignature,keyCertSign,cRLSign"));

    /* without its issuers */

    test_finish(&t, NULL);
    assert_null(t.ca.root);

    t.ca.chain = sk_X509_new_null();
    X509_up_ref(root);
    sk_X509_push(t.ca.chain, root);
    test_finish(&t, NULL);
    assert_ptr_equal(t.ca.root, root);

    X509_up_ref(middle);
    sk_X509_push(t.ca.chain, middle);
    test_finish(&t, "certificate 2 of the chain follows a self-signed one");

    X509_free(sk_X509_shift(t.ca.chain));
    test_finish(&t, "certificate 1 of the chain has not issued the one before "
                "it");

    /* middle forbids a CA below it */

    test_replace(&t, test_cert(&t, "/CN=CA", t.ca.current.key, middle,
                           middle_key, "critical,CA:TRUE",
                           "critical,digitalSignature,keyCertSign,cRLSign"));
    X509_up_ref(root);
    sk_X509_push(t.ca.chain, root);
    test_finish(&t, "the pathLenConstraint of certificate 1 of the chain "
                "forbids the CA to issue");

    X509_free(sk_X509_shift(t.ca.chain));
    X509_free(middle);
    middle = test_cert(&t, "/CN=middle", middle_key, root, root_key,
                       "critical,CA:TRUE", "digitalSignature");
    sk_X509_unshift(t.ca.chain, middle);
    test_finish(&t, "certificate 1 of the chain has no keyUsage with "
                "keyCertSign");

    X509_free(root);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(middle_key);
    test_destroy(&t);
}


static void
test_ca_response(void **state)
{
    test_t     t;
    EVP_PKEY  *other;

    (void) state;

    test_create(&t);
    other = pki_key(PKI_P256, "other");

    t.ca.response_key = pki_key(PKI_ED25519, "response");
    test_finish(&t, "\"response_certificate_key\" without "
                "\"response_certificate\"");

    t.ca.response_certificate = test_cert(&t, "/CN=cmp", t.ca.response_key,
                                          t.ca.current.certificate,
                                          t.ca.current.key, NULL,
                                          "digitalSignature");
    test_finish(&t, NULL);
    assert_null(t.ca.response_md);

    EVP_PKEY_free(t.ca.response_key);
    t.ca.response_key = pki_key(PKI_ED25519, "another");
    test_finish(&t, "the key of \"response_certificate_key\" does not belong "
                "to the response certificate");
    EVP_PKEY_free(t.ca.response_key);
    t.ca.response_key = pki_key(PKI_ED25519, "response");

    X509_free(t.ca.response_certificate);
    t.ca.response_certificate = test_cert(&t, "/CN=cmp", t.ca.response_key,
                                          t.ca.current.certificate,
                                          t.ca.current.key, NULL,
                                          "keyAgreement");
    test_finish(&t, "the response certificate has no digitalSignature in its "
                "keyUsage, clients would refuse answers that it protects");

    X509_free(t.ca.response_certificate);
    t.ca.response_certificate = test_cert(&t, "/CN=cmp", t.ca.response_key,
                                          t.ca.current.certificate, other, NULL,
                                          "digitalSignature");
    test_finish(&t, "the response certificate does not chain to the CA "
                "certificate or its issuers: ");

    X509_free(t.ca.response_certificate);
    t.ca.response_certificate = test_cert(&t, "/CN=cmp", t.ca.response_key,
                                          NULL, NULL, NULL,
                                          "digitalSignature");
    test_finish(&t, "the response certificate does not chain to the CA "
                "certificate or its issuers: ");

    EVP_PKEY_free(other);
    test_destroy(&t);
}


static void
test_ca_limits(void **state)
{
    test_t  t;

    (void) state;

    test_create(&t);

    t.ca.name = test_str("");
    test_finish(&t, "the name of a CA has 1 to 64 characters");
    t.ca.name = test_str("a:b");
    test_finish(&t, "the name of a CA consists of letters");
    t.ca.name = test_str("a");

    t.ca.transaction_memory = 2 * t.ca.time_window - 1;
    test_finish(&t, "\"transaction_memory\" has to be at least twice");
    t.ca.time_window = 0;
    test_finish(&t, NULL);
    t.ca.time_window = -1;
    test_finish(&t, "\"time_window\" is -1, but has to be within 0-86400000");
    t.ca.time_window = 1000;

    t.ca.max_requests = 0;
    test_finish(&t, "\"max_requests\" is 0, but has to be within 1-64");
    t.ca.max_requests = 1;

    t.ca.max_iterations = 99;
    test_finish(&t, "\"max_iterations\" is 99, but has to be within 100-");
    t.ca.max_iterations = 100;

    t.ca.crl_refresh = t.ca.crl_lifetime + 1;
    test_finish(&t, "\"crl refresh\" is");
    t.ca.crl_refresh = 1000;

    t.ca.max_message_size = 100;
    test_finish(&t, "\"max_message_size\" is 100, but");
    t.ca.max_message_size = 1024;

    test_finish(&t, NULL);
    test_destroy(&t);
}


static void
test_ca_profiles(void **state)
{
    test_t  t;

    (void) state;

    test_create(&t);

    t.ca.nprofiles = 0;
    test_finish(&t, "no \"profile\" is set");
    t.ca.nprofiles = 2;

    t.list[1] = t.list[0];
    test_finish(&t, "duplicate profile \"device\"");
    t.list[1] = &t.profiles[1];

    t.profiles[1].ca = 1;
    test_finish(&t, NULL);

    test_replace(&t, test_cert(&t, "/CN=CA", t.ca.current.key, NULL, NULL,
                           "critical,CA:TRUE,pathlen:0",
                           "critical,digitalSignature,keyCertSign,cRLSign"));
    test_finish(&t, "profile \"server\" is for CA certificates, which the "
                "pathLenConstraint of the CA certificate forbids");

    test_destroy(&t);
}


static X509 *
test_ra(test_t *t, const char *ku)
{
    pki_cert_t  conf;

    memset(&conf, 0, sizeof(pki_cert_t));
    conf.subject = "/CN=ra";
    conf.key = t->ca.current.key;
    conf.serial = 1;
    conf.not_before = t->now - TEST_HOUR;
    conf.not_after = t->now + TEST_HOUR;
    conf.key_usage = ku;
    conf.ext_key_usage = "1.3.6.1.5.5.7.3.28";

    return pki_cert(&conf);
}


static void
test_ca_scopes(void **state)
{
    test_t     t;
    cmp_str_t  profile, san;

    (void) state;

    test_create(&t);

    X509_up_ref(t.ca.current.certificate);
    t.trusted[0].cert = t.ca.current.certificate;
    t.trusted[0].scope = &t.scope;
    t.ca.anchors = t.trusted;
    t.ca.nanchors = 1;
    test_finish(&t, NULL);

    t.scope.profiles = &profile;
    t.scope.nprofiles = 1;
    profile = test_str("server");
    test_finish(&t, NULL);
    profile = test_str("bogus");
    test_finish(&t, "profile \"bogus\" of a trusted certificate or an RA is "
                "none of this CA");
    t.scope.nprofiles = 0;

    t.scope.subject = test_str("same");
    test_finish(&t, NULL);
    t.scope.subject = test_str("CN=$serialNumber,O=Example");
    test_finish(&t, NULL);
    t.scope.subject = test_str("CN=$bogus");
    test_finish(&t, "unknown placeholder \"$bogus\"");
    t.scope.subject = test_str("*");

    t.scope.sans = &san;
    t.scope.nsans = 1;
    san = test_str("dns:$CN.example");
    test_finish(&t, NULL);
    san = test_str("bogus");
    test_finish(&t, "unknown kind of name \"bogus\"");
    t.scope.nsans = 0;

    t.scope.reasons = 2;
    test_finish(&t, "only RAs have revocation reasons");

    t.ca.ras = t.trusted;
    t.ca.nras = 1;
    t.ca.nanchors = 0;
    test_finish(&t, "RA certificate \"/CN=CA\" has no cmcRA in its "
                "extKeyUsage");
    t.scope.reasons = 0x80;
    test_finish(&t, "unknown revocation reason");
    t.scope.reasons = 0;

    X509_free(t.trusted[0].cert);
    t.trusted[0].cert = test_ra(&t, "keyAgreement");
    test_finish(&t, "RA certificate \"/CN=ra\" has no digitalSignature in its "
                "keyUsage");

    X509_free(t.trusted[0].cert);
    t.trusted[0].cert = test_ra(&t, "digitalSignature");
    test_finish(&t, NULL);

    test_destroy(&t);
}


/* an RSA-PSS key signs with PSS and a salt as long as the digest */

static void
test_ca_pss(void **state)
{
    test_t               t;
    EVP_PKEY            *key;
    EVP_PKEY_CTX        *ctx;
    RSA_PSS_PARAMS      *pss;
    X509                *cert;
    EVP_MD_CTX          *md_ctx;
    const X509_ALGOR    *alg;
    const ASN1_STRING   *params;

    (void) state;

    test_create(&t);

    key = NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);

    cert = X509_dup(t.ca.current.certificate);
    EVP_PKEY_free(t.ca.current.key);
    t.ca.current.key = key;
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    md_ctx = cmp_sign_ctx(key, EVP_sha256());
    assert_non_null(md_ctx);
    assert_true(X509_sign_ctx(cert, md_ctx) > 0);
    EVP_MD_CTX_free(md_ctx);
    ERR_clear_error();

    X509_get0_signature(NULL, &alg, cert);
    params = alg->parameter->value.sequence;
    pss = ASN1_item_unpack(params, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
    assert_non_null(pss);
    assert_int_equal(ASN1_INTEGER_get(pss->saltLength), 32);
    RSA_PSS_PARAMS_free(pss);

    test_replace(&t, cert);
    test_finish(&t, NULL);
    assert_int_equal(t.ca.slow, 1);

    test_destroy(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ca_fine),
        cmocka_unit_test(test_ca_certificate),
        cmocka_unit_test(test_ca_key),
        cmocka_unit_test(test_ca_validity),
        cmocka_unit_test(test_ca_chain),
        cmocka_unit_test(test_ca_response),
        cmocka_unit_test(test_ca_limits),
        cmocka_unit_test(test_ca_profiles),
        cmocka_unit_test(test_ca_scopes),
        cmocka_unit_test(test_ca_pss)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
