
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Whose certificate may protect a request, and the protection of the messages
 * of one transaction.
 */


#include <fixture.h>


/* a certificate that no store knows */

static harness_pair_t
test_cert(fixture_t *f, const harness_pair_t *issuer, const char *subject,
    int key, const char *usage, int64_t not_after)
{
    pki_cert_t      conf;
    harness_pair_t  pair;

    memset(&conf, 0, sizeof(pki_cert_t));

    pair.key = pki_key(key, subject);

    conf.subject = subject;
    conf.key = pair.key;
    conf.issuer = issuer->cert;
    conf.issuer_key = issuer->key;
    conf.serial = 0x2000000000000000ULL + f->h->serial++;
    conf.not_before = HARNESS_NOW - 2 * HARNESS_YEAR;
    conf.not_after = not_after;
    conf.key_usage = usage;

    pair.cert = pki_cert(&conf);

    return pair;
}


static void
test_send_signed(fixture_t *f, const harness_pair_t *pair)
{
    fixture_sign(f, pair);
    fixture_send(f, fixture_request(f, CMP_BODY_IR,
                                    NULL, f->key));
}


static void
test_states(void **state)
{
    size_t           i;
    fixture_t       *f;
    harness_pair_t   pair;
    static const struct {
        int          state;
        int          fail_info;
    }  states[] = {
        { CMP_CERT_UNCONFIRMED, CMP_FAIL_BAD_REQUEST },
        { CMP_CERT_HOLD, CMP_FAIL_CERT_REVOKED },
        { CMP_CERT_REVOKED, CMP_FAIL_CERT_REVOKED }
    };

    f = *state;

    for (i = 0; i < 3; i++) {
        pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                             states[i].state);
        test_send_signed(f, &pair);
        fixture_refused(f, CMP_BODY_ERROR, states[i].fail_info,
                        FIXTURE_QUIET);
        harness_pair_free(&pair);
    }
}


/* the key of an OCSP responder is good for nothing else */

static void
test_responder(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    static const cmp_str_t  profile = cmp_string(CMP_PROFILE_OCSP);

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    harness_row(f->h, pair.cert)->record.profile = profile;

    test_send_signed(f, &pair);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
    harness_pair_free(&pair);
}


/* the state is told only to who has the key */

static void
test_state_is_private(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_REVOKED);
    fixture_sign(f, &pair);
    f->c.key = f->key2;

    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    harness_pair_free(&pair);

    pair = f->h->lost_cert;
    fixture_sign(f, &pair);
    f->c.key = f->key2;
    msg = fixture_ir(f);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
}


static void
test_stranger(void **state)
{
    fixture_t  *f;

    f = *state;

    test_send_signed(f, &f->h->stranger);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
}


/* issued by this CA, but not in its store; a path to our root is not enough */

static void
test_not_in_store(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;

    pair = test_cert(f, &f->h->issuer, FIXTURE_SUBJECT, PKI_P256,
                     "critical,digitalSignature", HARNESS_NOW + HARNESS_YEAR);
    test_send_signed(f, &pair);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
    harness_pair_free(&pair);

    pair = test_cert(f, &f->h->root, FIXTURE_SUBJECT, PKI_P256,
                     "critical,digitalSignature", HARNESS_NOW + HARNESS_YEAR);
    test_send_signed(f, &pair);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
    harness_pair_free(&pair);
}


/* same names, same serial, other key: not byte-identical */

static void
test_forged(void **state)
{
    pki_cert_t       conf;
    fixture_t       *f;
    harness_pair_t   pair, forged, ca;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);

    memset(&conf, 0, sizeof(pki_cert_t));
    ca.key = pki_key(PKI_ED25519, "forger");
    conf.subject = "/O=Example/CN=Issuing CA";
    conf.key = ca.key;
    conf.not_before = HARNESS_NOW - HARNESS_YEAR;
    conf.not_after = HARNESS_NOW + HARNESS_YEAR;
    conf.basic_constraints = "critical,CA:TRUE";
    ca.cert = pki_cert(&conf);

    forged.key = pki_key(PKI_P256, "forged");
    conf.subject = FIXTURE_SUBJECT;
    conf.key = forged.key;
    conf.issuer = ca.cert;
    conf.issuer_key = ca.key;
    conf.serial = 0x1000000000000001ULL;
    conf.basic_constraints = NULL;
    forged.cert = pki_cert(&conf);

    assert_int_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(pair.cert),
                                      X509_get0_serialNumber(forged.cert)),
                     0);

    test_send_signed(f, &forged);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    harness_pair_free(&pair);
    harness_pair_free(&forged);
    harness_pair_free(&ca);
}


static void
test_expired(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    f->h->now += HARNESS_YEAR + 1000;
    f->c.now = f->h->now;
    test_send_signed(f, &pair);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
    harness_pair_free(&pair);

    f->h->now = HARNESS_NOW;
    f->c.now = f->h->now;
    pair = test_cert(f, &f->h->vendor, "/O=Vendor/CN=Old", PKI_P256,
                     "critical,digitalSignature", HARNESS_NOW - 1000);
    test_send_signed(f, &pair);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
    harness_pair_free(&pair);
}


static void
test_key_usage(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;

    pair = test_cert(f, &f->h->vendor, "/O=Vendor/CN=Encryption", PKI_P256,
                     "critical,keyAgreement", HARNESS_NOW + HARNESS_YEAR);
    test_send_signed(f, &pair);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    harness_pair_free(&pair);

    /* without keyUsage a key may do everything */

    pair = test_cert(f, &f->h->vendor, "/O=Vendor/CN=Any", PKI_P256, NULL,
                     HARNESS_NOW + HARNESS_YEAR);
    test_send_signed(f, &pair);
    fixture_granted(f, CMP_BODY_IP);
    harness_pair_free(&pair);
}


static void
test_weak_key(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;

    pair = test_cert(f, &f->h->vendor, "/O=Vendor/CN=Weak", PKI_RSA_1024,
                     "critical,digitalSignature", HARNESS_NOW + HARNESS_YEAR);
    test_send_signed(f, &pair);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->changes, f->changes);
    harness_pair_free(&pair);
}


static void
test_vendor_crl(void **state)
{
    X509_CRL   *crl;
    fixture_t  *f;

    f = *state;

    test_send_signed(f, &f->h->lost_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    /* a CRL that has expired, and none at all */

    f->h->now += HARNESS_YEAR + 1000;
    f->c.now = f->h->now;
    test_send_signed(f, &f->h->device_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
    f->h->now = HARNESS_NOW;
    f->c.now = f->h->now;

    crl = sk_X509_CRL_pop(f->h->ca.crls);
    harness_reload(f->h);
    test_send_signed(f, &f->h->device_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    /* unless configured otherwise */

    f->h->vendor_scope.no_crl = 1;
    test_send_signed(f, &f->h->device_cert);
    fixture_granted(f, CMP_BODY_IP);
    f->h->vendor_scope.no_crl = 0;

    test_send_signed(f, &f->h->ra_cert);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    assert_true(sk_X509_CRL_push(f->h->ca.crls, crl) > 0);
}


/* a CRL signed by somebody else */

static void
test_forged_crl(void **state)
{
    X509_CRL   *crl, *forged;
    EVP_PKEY   *key;
    fixture_t  *f;

    f = *state;
    key = pki_key(PKI_P256, "forger");

    crl = sk_X509_CRL_pop(f->h->ca.crls);
    forged = pki_crl(f->h->vendor.cert, key, HARNESS_NOW - 1000,
                     HARNESS_NOW + HARNESS_YEAR, NULL, 0);
    assert_true(sk_X509_CRL_push(f->h->ca.crls, forged) > 0);

    test_send_signed(f, &f->h->device_cert);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->fail_info, CMP_FAIL_SIGNER_NOT_TRUSTED);

    X509_CRL_free(crl);
    EVP_PKEY_free(key);
}


/* vendor: ir only, others where configured; never kur or rr */

static void
test_vendor_bodies(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &f->h->device_cert);

    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);

    fixture_send(f, fixture_request(f, CMP_BODY_P10CR, NULL, f->key));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);

    fixture_send(f, fixture_kur(f, f->h->device_cert.cert, f->key));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);

    fixture_send(f, fixture_kur(f, pair.cert, f->key));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);

    fixture_send(f, fixture_rr(f, pair.cert, -1));
    assert_int_equal(f->a->type, CMP_BODY_RP);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);

    f->h->vendor_scope.cr = 1;
    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key));
    fixture_granted(f, CMP_BODY_CP);
    fixture_send(f, fixture_request(f, CMP_BODY_P10CR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_CP);

    harness_pair_free(&pair);
}


/* no extraCerts: one of our own by its SKI and the sender (base) */

static void
test_no_extra_certs(void **state)
{
    X509            *cert;
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    f->c.no_extra_certs = 1;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    /* and the one of the transaction */

    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);

    f->c.no_kid = 1;
    fixture_send(f, fixture_ir(f));
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->h->store->changes, f->changes);

    harness_pair_free(&pair);
}


static void
test_no_extra_certs_vendor(void **state)
{
    fixture_t  *f;

    f = *state;
    fixture_sign(f, &f->h->device_cert);

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    f->c.no_extra_certs = 1;
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->h->store->changes, f->changes);
}


/* another kind in the same transaction: wrongIntegrity */

static void
test_other_kind(void **state)
{
    X509               *cert;
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    cert = fixture_keep(f);

    fixture_sign(f, &pair);
    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, cert, 0, -1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_WRONG_INTEGRITY,
                    FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_IP);
    cert = fixture_keep(f);

    harness_client_mac(f->h, &f->c);
    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, cert, 0, -1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_WRONG_INTEGRITY,
                    FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);

    harness_pair_free(&pair);
}


/* another secret, certificate or algorithm: badMessageCheck */

static void
test_other_credential(void **state)
{
    X509              *cert;
    fixture_t         *f;
    harness_pair_t     pair, other;
    cmp_credential_t   credential;

    f = *state;

    memset(&credential, 0, sizeof(cmp_credential_t));
    credential.reference.data = (unsigned char *) "device-2";
    credential.reference.len = 8;
    credential.secret.data = (unsigned char *) "other secret";
    credential.secret.len = 12;
    credential.uses_left = -1;
    (void) memstore_add_credential(f->h->store, HARNESS_CA_ID, &credential);

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);
    f->c.reference = "device-2";
    f->c.secret = "other secret";
    fixture_send(f, fixture_conf(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);

    /* an algorithm */

    harness_client_mac(f->h, &f->c);
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    cert = fixture_keep(f);
    f->c.owf = NID_sha512;
    fixture_send(f, fixture_conf(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);

    /* a certificate of the same subject */

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    other = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own 2",
                          CMP_CERT_VALID);
    fixture_sign(f, &pair);
    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    cert = fixture_keep(f);
    fixture_sign(f, &other);
    fixture_send(f, fixture_conf(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);

    harness_pair_free(&pair);
    harness_pair_free(&other);
}


/* the certificate that the message is about */

static void
test_new_certificate(void **state)
{
    fixture_t       *f;
    harness_pair_t   new;

    f = *state;

    fixture_send(f, fixture_ir(f));
    new.cert = fixture_keep(f);
    new.key = f->key;
    fixture_sign(f, &new);

    fixture_send(f, fixture_conf(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_WRONG_AUTHORITY,
                    FIXTURE_QUIET);
    assert_int_equal(fixture_state(f, new.cert), CMP_CERT_UNCONFIRMED);
    X509_free(new.cert);
}


/* the key that signs is not of the kind that protectionAlg says */

static void
test_other_key_type(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair, rsa;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    rsa = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_RSA, "rsa", CMP_CERT_VALID);

    fixture_sign(f, &pair);
    f->c.key = rsa.key;
    msg = fixture_ir(f);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    fixture_sign(f, &rsa);
    f->c.key = pair.key;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    harness_pair_free(&pair);
    harness_pair_free(&rsa);
}


/* a path through an intermediate CA of the vendor */

static void
test_vendor_path(void **state)
{
    pki_cert_t       conf;
    fixture_t       *f;
    harness_pair_t   sub, leaf;

    f = *state;
    f->h->vendor_scope.no_crl = 1;

    memset(&conf, 0, sizeof(pki_cert_t));
    sub.key = pki_key(PKI_P384, "sub");
    conf.subject = "/O=Vendor/CN=Sub CA";
    conf.key = sub.key;
    conf.issuer = f->h->vendor.cert;
    conf.issuer_key = f->h->vendor.key;
    conf.serial = 99;
    conf.not_before = HARNESS_NOW - HARNESS_YEAR;
    conf.not_after = HARNESS_NOW + HARNESS_YEAR;
    conf.basic_constraints = "critical,CA:TRUE";
    conf.key_usage = "critical,keyCertSign";
    sub.cert = pki_cert(&conf);

    leaf = test_cert(f, &sub, "/O=Vendor/CN=Leaf", PKI_P256,
                     "critical,digitalSignature", HARNESS_NOW + HARNESS_YEAR);

    test_send_signed(f, &leaf);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    f->c.chain = sk_X509_new_null();
    assert_int_equal(X509_add_cert(f->c.chain, sub.cert,
                                   X509_ADD_FLAG_UP_REF),
                     1);
    test_send_signed(f, &leaf);
    fixture_granted(f, CMP_BODY_IP);

    harness_pair_free(&leaf);

    /* not a CA: its certificates are nothing */

    leaf = test_cert(f, &f->h->device_cert, "/O=Vendor/CN=Bad", PKI_P256,
                     "critical,digitalSignature", HARNESS_NOW + HARNESS_YEAR);
    sk_X509_pop_free(f->c.chain, X509_free);
    f->c.chain = sk_X509_new_null();
    assert_int_equal(X509_add_cert(f->c.chain, f->h->device_cert.cert,
                                   X509_ADD_FLAG_UP_REF),
                     1);
    test_send_signed(f, &leaf);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    harness_pair_free(&leaf);
    harness_pair_free(&sub);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_states),
        fixture_test(test_responder),
        fixture_test(test_state_is_private),
        fixture_test(test_stranger),
        fixture_test(test_not_in_store),
        fixture_test(test_forged),
        fixture_test(test_expired),
        fixture_test(test_key_usage),
        fixture_test(test_weak_key),
        fixture_test(test_vendor_crl),
        fixture_test(test_forged_crl),
        fixture_test(test_vendor_bodies),
        fixture_test(test_no_extra_certs),
        fixture_test(test_no_extra_certs_vendor),
        fixture_test(test_other_kind),
        fixture_test(test_other_credential),
        fixture_test(test_new_certificate),
        fixture_test(test_other_key_type),
        fixture_test(test_vendor_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
