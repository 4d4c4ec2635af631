
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The CMP client of OpenSSL, whose messages go straight to the exchange.  It
 * reads the clock by itself, so here it is today.
 */


#include <fixture.h>

#include <openssl/cmp.h>

#include <time.h>


typedef struct {
    fixture_t        *f;
    OSSL_CMP_CTX     *ctx;
    X509_STORE       *store;
    int               messages;
} test_client_t;


static int
test_quiet(const char *func, const char *file, int line,
    OSSL_CMP_severity level, const char *msg)
{
    (void) func;
    (void) file;
    (void) line;

    if (level <= OSSL_CMP_LOG_ERR && getenv("CMP_TEST_VERBOSE") != NULL) {
        fprintf(stderr, "openssl: %s\n", msg);
    }

    return 1;
}


static OSSL_CMP_MSG *
test_transfer(OSSL_CMP_CTX *ctx, const OSSL_CMP_MSG *req)
{
    test_client_t  *t = OSSL_CMP_CTX_get_transfer_cb_arg(ctx);

    int                   len;
    OSSL_CMP_MSG         *answer;
    unsigned char        *der;
    const unsigned char  *p;

    der = NULL;
    len = i2d_OSSL_CMP_MSG(req, &der);
    assert_true(len > 0);

    /* the client may have left something of its own */

    ERR_clear_error();

    t->messages++;
    (void) harness_exchange(t->f->h, der, len);
    OPENSSL_free(der);

    if (t->f->h->reply == NULL) {
        return NULL;
    }

    p = t->f->h->reply;
    answer = d2i_OSSL_CMP_MSG(NULL, &p, t->f->h->reply_len);
    assert_non_null(answer);

    return answer;
}


static test_client_t
test_client(fixture_t *f)
{
    X509_NAME      *name;
    test_client_t   t;

    f->h->now = (int64_t) time(NULL) * 1000;
    f->h->store->now = f->h->now;

    t.f = f;
    t.messages = 0;

    t.ctx = OSSL_CMP_CTX_new(NULL, NULL);
    t.store = X509_STORE_new();
    assert_non_null(t.ctx);
    assert_non_null(t.store);

    assert_int_equal(X509_STORE_add_cert(t.store, f->h->root.cert), 1);
    assert_int_equal(X509_STORE_up_ref(t.store), 1);

    name = pki_name(FIXTURE_SUBJECT);

    assert_int_equal(OSSL_CMP_CTX_set_log_cb(t.ctx, test_quiet), 1);
    assert_int_equal(OSSL_CMP_CTX_set_transfer_cb(t.ctx, test_transfer), 1);
    assert_int_equal(OSSL_CMP_CTX_set1_subjectName(t.ctx, name), 1);
    assert_int_equal(OSSL_CMP_CTX_set0_trustedStore(t.ctx, t.store), 1);
    assert_int_equal(OSSL_CMP_CTX_set_certConf_cb(t.ctx, OSSL_CMP_certConf_cb),
                     1);
    assert_int_equal(OSSL_CMP_CTX_set_certConf_cb_arg(t.ctx, t.store), 1);
    assert_int_equal(OSSL_CMP_CTX_set1_recipient(
                         t.ctx, X509_get_subject_name(f->h->issuer.cert)),
                     1);

    X509_NAME_free(name);

    return t;
}


static void
test_end(test_client_t *t)
{
    OSSL_CMP_CTX_free(t->ctx);
    X509_STORE_free(t->store);
    ERR_clear_error();
}


static void
test_renew(test_client_t *t)
{
    fixture_t  *f;

    f = t->f;
    test_end(t);
    *t = test_client(f);
    assert_int_equal(OSSL_CMP_CTX_set_transfer_cb_arg(t->ctx, t), 1);
}


static void
test_use_secret(test_client_t *t)
{
    assert_int_equal(OSSL_CMP_CTX_set1_referenceValue(
                         t->ctx, (unsigned char *) HARNESS_REFERENCE,
                         strlen(HARNESS_REFERENCE)),
                     1);
    assert_int_equal(OSSL_CMP_CTX_set1_secretValue(
                         t->ctx, (unsigned char *) HARNESS_SECRET,
                         strlen(HARNESS_SECRET)),
                     1);
}


/* another client: a context keeps the chain of its first certificate */

static void
test_use_cert(test_client_t *t, X509 *cert, EVP_PKEY *key)
{
    test_renew(t);
    assert_int_equal(OSSL_CMP_CTX_set1_cert(t->ctx, cert), 1);
    assert_int_equal(OSSL_CMP_CTX_set1_pkey(t->ctx, key), 1);
}


static void
test_use_key(test_client_t *t, EVP_PKEY *key)
{
    assert_int_equal(EVP_PKEY_up_ref(key), 1);
    assert_int_equal(OSSL_CMP_CTX_set0_newPkey(t->ctx, 1, key), 1);
}


/* the certificate, to be freed; type: OSSL_CMP_IR and so on */

static X509 *
test_certreq(test_client_t *t, int type, EVP_PKEY *key)
{
    X509  *cert;

    cert = OSSL_CMP_exec_certreq(t->ctx, type, NULL);

    if (cert == NULL) {
        ERR_print_errors_fp(stdout);
    }

    assert_non_null(cert);
    assert_int_equal(X509_up_ref(cert), 1);
    assert_int_equal(X509_check_private_key(cert, key), 1);
    assert_int_equal(fixture_state(t->f, cert), CMP_CERT_VALID);

    return cert;
}


/* ir, cr, p10cr, kur, rr with one kind of key for client and CA */

static void
test_life(int ca, int kind)
{
    X509           *cert, *second, *third;
    EVP_PKEY       *key, *key2, *key3, *key4;
    X509_REQ       *req;
    fixture_t      *f;
    X509_NAME      *name;
    test_client_t   t;

    f = fixture_create(ca);
    t = test_client(f);
    OSSL_CMP_CTX_set_transfer_cb_arg(t.ctx, &t);

    key = pki_key(kind, "life 1");
    key2 = pki_key(kind, "life 2!");
    key3 = pki_key(kind, "life 33");
    key4 = pki_key(PKI_P256, "life 4");

    test_use_secret(&t);
    test_use_key(&t, key);
    cert = test_certreq(&t, OSSL_CMP_IR, key);
    assert_int_equal(t.messages, 2);

    test_use_cert(&t, cert, key);
    test_use_key(&t, key4);
    second = test_certreq(&t, OSSL_CMP_CR, key4);
    X509_free(second);

    /* the same key again */

    assert_int_equal(OSSL_CMP_CTX_reinit(t.ctx), 1);
    test_use_key(&t, key);
    second = test_certreq(&t, OSSL_CMP_KUR, key);
    assert_true(harness_row(f->h, cert)->record.replaced);

    test_use_cert(&t, second, key);
    assert_int_equal(OSSL_CMP_CTX_set1_oldCert(t.ctx, second), 1);
    test_use_key(&t, kind == PKI_RSA ? key : key2);
    third = test_certreq(&t, OSSL_CMP_KUR,
                         kind == PKI_RSA ? key : key2);
    X509_free(third);

    /* p10cr, with the secret */

    test_renew(&t);
    test_use_secret(&t);

    if (kind == PKI_RSA) {
        EVP_PKEY_free(key3);
        key3 = pki_key(PKI_P384, "life 3");
    }

    req = X509_REQ_new();
    name = pki_name(FIXTURE_SUBJECT);
    assert_int_equal(X509_REQ_set_subject_name(req, name), 1);
    assert_int_equal(X509_REQ_set_pubkey(req, key3), 1);
    assert_true(X509_REQ_sign(req, key3, pki_md(key3)) > 0);
    assert_int_equal(OSSL_CMP_CTX_set1_p10CSR(t.ctx, req), 1);
    third = test_certreq(&t, OSSL_CMP_P10CR, key3);
    X509_REQ_free(req);
    X509_NAME_free(name);

    /* it revokes itself */

    test_use_cert(&t, third, key3);
    assert_int_equal(OSSL_CMP_CTX_set1_oldCert(t.ctx, third), 1);
    assert_int_equal(OSSL_CMP_CTX_set_option(t.ctx,
                                             OSSL_CMP_OPT_REVOCATION_REASON,
                                             CRL_REASON_SUPERSEDED),
                     1);
    assert_int_equal(OSSL_CMP_exec_RR_ses(t.ctx), 1);
    assert_int_equal(fixture_state(f, third), CMP_CERT_REVOKED);

    X509_free(cert);
    X509_free(second);
    X509_free(third);
    EVP_PKEY_free(key);
    EVP_PKEY_free(key2);
    EVP_PKEY_free(key3);
    EVP_PKEY_free(key4);
    test_end(&t);
    fixture_destroy(f);
}


static void
test_p256(void **state)
{
    (void) state;

    test_life(PKI_P256, PKI_P256);
}


static void
test_p384(void **state)
{
    (void) state;

    test_life(PKI_P384, PKI_P384);
}


static void
test_rsa(void **state)
{
    (void) state;

    test_life(PKI_RSA, PKI_RSA);
}


/* OpenSSL 3.0 does not sign with EdDSA by itself */

static void
test_ed25519(void **state)
{
    (void) state;

    test_life(PKI_ED25519, PKI_P256);
}


/* OpenSSL 3.4 made SHAKE256 without a length an error, its client trips */

static void
test_ed448(void **state)
{
    (void) state;

    if (OPENSSL_version_major() == 3 && OPENSSL_version_minor() >= 4) {
        skip();
    }

    test_life(PKI_ED448, PKI_P256);
}


static void
test_implicit_confirm(void **state)
{
    X509           *cert;
    fixture_t      *f;
    test_client_t   t;

    f = *state;
    t = test_client(f);
    OSSL_CMP_CTX_set_transfer_cb_arg(t.ctx, &t);
    test_use_secret(&t);
    test_use_key(&t, f->key);
    assert_int_equal(OSSL_CMP_CTX_set_option(t.ctx,
                                             OSSL_CMP_OPT_IMPLICIT_CONFIRM,
                                             1),
                     1);

    cert = test_certreq(&t, OSSL_CMP_IR, f->key);
    assert_int_equal(t.messages, 1);

    X509_free(cert);
    test_end(&t);
}


/* the client does not trust what it got and says so */

static void
test_rejected(void **state)
{
    size_t            i;
    fixture_t        *f;
    X509_STORE       *store;
    test_client_t     t;
    memstore_cert_t  *row;

    f = *state;
    t = test_client(f);
    OSSL_CMP_CTX_set_transfer_cb_arg(t.ctx, &t);
    test_use_secret(&t);
    test_use_key(&t, f->key);

    store = X509_STORE_new();
    assert_int_equal(X509_STORE_add_cert(store, f->h->stranger.cert), 1);
    assert_int_equal(OSSL_CMP_CTX_set_certConf_cb_arg(t.ctx, store), 1);

    assert_null(OSSL_CMP_exec_certreq(t.ctx, OSSL_CMP_IR, NULL));
    assert_int_equal(t.messages, 2);
    assert_int_equal(f->h->store->certs.n, 1);

    for (i = 0; i < f->h->store->certs.n; i++) {
        row = f->h->store->certs.items[i];
        assert_int_equal(row->record.state, CMP_CERT_REVOKED);
    }

    X509_STORE_free(store);
    test_end(&t);
}


/* what the client makes of our refusals: their text reaches a person */

static void
test_refusal(void **state)
{
    fixture_t      *f;
    X509_NAME      *name;
    test_client_t   t;

    f = *state;
    t = test_client(f);
    OSSL_CMP_CTX_set_transfer_cb_arg(t.ctx, &t);
    test_use_secret(&t);
    test_use_key(&t, f->key);

    name = pki_name("/C=DE/CN=a");
    assert_int_equal(OSSL_CMP_CTX_set1_subjectName(t.ctx, name), 1);
    X509_NAME_free(name);

    assert_null(OSSL_CMP_exec_certreq(t.ctx, OSSL_CMP_IR, NULL));
    assert_int_equal(OSSL_CMP_CTX_get_status(t.ctx),
                     OSSL_CMP_PKISTATUS_rejection);
    assert_int_equal(OSSL_CMP_CTX_get_failInfoCode(t.ctx),
                     1 << CMP_FAIL_BAD_CERT_TEMPLATE);
    assert_int_equal(sk_ASN1_UTF8STRING_num(
                         OSSL_CMP_CTX_get0_statusString(t.ctx)),
                     1);

    test_end(&t);
}


/* a wrong secret: a signed error, which this client can verify too */

static void
test_wrong_secret(void **state)
{
    fixture_t      *f;
    test_client_t   t;

    f = *state;
    t = test_client(f);
    OSSL_CMP_CTX_set_transfer_cb_arg(t.ctx, &t);
    test_use_secret(&t);
    test_use_key(&t, f->key);
    assert_int_equal(OSSL_CMP_CTX_set1_secretValue(t.ctx,
                                                   (unsigned char *) "wrong",
                                                   5),
                     1);

    assert_null(OSSL_CMP_exec_certreq(t.ctx, OSSL_CMP_IR, NULL));
    assert_int_equal(f->h->info.fail_info, CMP_FAIL_BAD_MESSAGE_CHECK);
    assert_int_equal(f->h->store->certs.n, 0);

    test_end(&t);
}


static void
test_pop(void **state)
{
    fixture_t      *f;
    test_client_t   t;

    f = *state;
    t = test_client(f);
    OSSL_CMP_CTX_set_transfer_cb_arg(t.ctx, &t);
    test_use_secret(&t);
    test_use_key(&t, f->key);

    assert_int_equal(OSSL_CMP_CTX_set_option(t.ctx, OSSL_CMP_OPT_POPO_METHOD,
                                             OSSL_CRMF_POPO_RAVERIFIED),
                     1);
    assert_null(OSSL_CMP_exec_certreq(t.ctx, OSSL_CMP_IR, NULL));
    assert_int_equal(OSSL_CMP_CTX_get_failInfoCode(t.ctx),
                     1 << CMP_FAIL_NOT_AUTHORIZED);

    assert_int_equal(OSSL_CMP_CTX_reinit(t.ctx), 1);
    assert_int_equal(OSSL_CMP_CTX_set_option(t.ctx, OSSL_CMP_OPT_POPO_METHOD,
                                             OSSL_CRMF_POPO_NONE),
                     1);
    assert_null(OSSL_CMP_exec_certreq(t.ctx, OSSL_CMP_IR, NULL));

    /* from 3.5 on that asks for a key made by the CA */

    assert_int_equal(OSSL_CMP_CTX_get_failInfoCode(t.ctx),
                     (OPENSSL_version_minor() >= 5)
                     ? 1 << CMP_FAIL_BAD_CERT_TEMPLATE
                     : 1 << CMP_FAIL_BAD_POP);
    assert_int_equal(f->h->store->certs.n, 0);

    test_end(&t);
}


static void
test_vendor(void **state)
{
    X509           *cert;
    fixture_t      *f;
    test_client_t   t;

    f = *state;
    f->h->vendor_scope.no_crl = 1;
    t = test_client(f);
    OSSL_CMP_CTX_set_transfer_cb_arg(t.ctx, &t);
    test_use_cert(&t, f->h->device_cert.cert, f->h->device_cert.key);
    test_use_key(&t, f->key);

    cert = test_certreq(&t, OSSL_CMP_IR, f->key);

    X509_free(cert);
    test_end(&t);
}


/*
 * The life of a base station (3GPP TS 33.310, 9): it has a certificate of its
 * manufacturer and does not know the operator's root, which comes with the
 * first answer.
 */

static int
test_take_root(OSSL_CMP_CTX *ctx, X509 *cert, int fail_info,
    const char **text)
{
    X509_STORE      *store;
    STACK_OF(X509)  *roots;

    roots = OSSL_CMP_CTX_get1_caPubs(ctx);
    assert_int_equal(sk_X509_num(roots), 1);

    store = OSSL_CMP_CTX_get0_trustedStore(ctx);
    assert_int_equal(X509_STORE_add_cert(store, sk_X509_value(roots, 0)), 1);
    sk_X509_pop_free(roots, X509_free);

    assert_int_equal(OSSL_CMP_CTX_set_certConf_cb_arg(ctx, store), 1);

    return OSSL_CMP_certConf_cb(ctx, cert, fail_info, text);
}


static void
test_base_station(void **state)
{
    X509            *cert, *updated;
    EVP_PKEY        *key2;
    fixture_t       *f;
    X509_STORE      *store;
    test_client_t    t;

    f = *state;
    f->h->vendor_scope.no_crl = 1;
    f->h->ca.ca_pubs_always = 1;

    t = test_client(f);
    OSSL_CMP_CTX_set_transfer_cb_arg(t.ctx, &t);
    test_use_cert(&t, f->h->device_cert.cert, f->h->device_cert.key);
    test_use_key(&t, f->key);

    store = X509_STORE_new();
    assert_non_null(store);
    assert_int_equal(X509_STORE_add_cert(store, f->h->vendor.cert), 1);
    assert_int_equal(OSSL_CMP_CTX_set0_trustedStore(t.ctx, store), 1);
    assert_int_equal(OSSL_CMP_CTX_set_certConf_cb(t.ctx, test_take_root), 1);
    assert_int_equal(OSSL_CMP_CTX_set_option(
                         t.ctx, OSSL_CMP_OPT_PERMIT_TA_IN_EXTRACERTS_FOR_IR,
                         1),
                     1);

    cert = test_certreq(&t, OSSL_CMP_IR, f->key);

    /* from now on it trusts that root, and speaks for itself */

    key2 = pki_key(PKI_P256, "base station");

    test_use_cert(&t, cert, f->key);
    test_use_key(&t, key2);
    updated = test_certreq(&t, OSSL_CMP_KUR, key2);
    assert_true(harness_row(f->h, cert)->record.replaced);

    test_use_cert(&t, updated, key2);
    assert_int_equal(OSSL_CMP_CTX_set1_oldCert(t.ctx, updated), 1);
    assert_int_equal(OSSL_CMP_CTX_set_option(t.ctx,
                                             OSSL_CMP_OPT_REVOCATION_REASON,
                                             CRL_REASON_CESSATION_OF_OPERATION),
                     1);
    assert_int_equal(OSSL_CMP_exec_RR_ses(t.ctx), 1);
    assert_int_equal(fixture_state(f, updated), CMP_CERT_REVOKED);

    X509_free(cert);
    X509_free(updated);
    EVP_PKEY_free(key2);
    test_end(&t);
}


static void
test_genm(void **state)
{
    fixture_t                 *f;
    test_client_t              t;
    STACK_OF(OSSL_CMP_ITAV)   *itavs;

    f = *state;
    t = test_client(f);
    OSSL_CMP_CTX_set_transfer_cb_arg(t.ctx, &t);
    test_use_secret(&t);

    assert_int_equal(OSSL_CMP_CTX_push0_genm_ITAV(
                         t.ctx,
                         OSSL_CMP_ITAV_create(OBJ_nid2obj(NID_id_it_caCerts),
                                              NULL)),
                     1);

    itavs = OSSL_CMP_exec_GENM_ses(t.ctx);
    assert_non_null(itavs);
    assert_int_equal(sk_OSSL_CMP_ITAV_num(itavs), 1);

    sk_OSSL_CMP_ITAV_pop_free(itavs, OSSL_CMP_ITAV_free);
    test_end(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_p256),
        cmocka_unit_test(test_p384),
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_ed448),
        fixture_test(test_implicit_confirm),
        fixture_test(test_rejected),
        fixture_test(test_refusal),
        fixture_test(test_wrong_secret),
        fixture_test(test_pop),
        fixture_test(test_vendor),
        fixture_test(test_base_station),
        fixture_test(test_genm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
