
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Whose certificate protects a message: own ones and those of RAs.
 */


#include <path_fixture.h>

#include <openssl/err.h>


static void
test_own(void **state)
{
    path_pair_t  *own, *other;

    (void) state;

    own = path_pair("/CN=device", PKI_P256, path_issuer, NULL);
    other = path_pair("/CN=device", PKI_P256, path_issuer, NULL);

    path_store(own);
    path_send(own, NULL);

    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_OWN);
    assert_ptr_equal(path_signer.record, &path_record);
    assert_ptr_equal(path_signer.cert, own->cert);
    assert_null(path_signer.scope);

    /* same names, same key, but not the one in the store */

    path_send(other, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    /* a path to the same root is not enough, whatever the anchors are */

    path_anchors(1, path_root);
    path_send(other, path_issuer);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    path_anchors(2, path_root, path_issuer);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    path_records.signer = NULL;
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    path_refused(path_find_without(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    /* in the store, but issued by another CA */

    other = path_pair("/CN=device", PKI_P256, path_root, NULL);
    path_anchors(0);
    path_store(other);
    path_send(other, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
}


/* our name as issuer, but not our key: like any vendor's */

static void
test_own_forged(void **state)
{
    path_pair_t  *forger, *forged;

    (void) state;

    forger = path_ca_pair("/CN=forger", NULL);
    assert_int_equal(X509_set_subject_name(forger->cert, path_ca.subject), 1);
    assert_true(X509_sign(forger->cert, forger->key, EVP_sha256()) > 0);

    forged = path_pair("/CN=device", PKI_P256, forger, NULL);

    path_send(forged, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    path_send(forged, forger);
    path_anchors(1, path_root);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    path_anchors(2, path_issuer, path_root);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
}


/* clients that send no certificate */

static void
test_own_stored(void **state)
{
    path_pair_t  *own, *device;

    (void) state;

    own = path_pair("/CN=device", PKI_P256, path_issuer, NULL);
    device = path_pair("/CN=vendor's", PKI_P256, path_vendor, NULL);

    path_send(NULL, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    path_refused(path_find_without(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    path_store(own);
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_OWN);
    assert_int_equal(X509_cmp(path_signer.cert, own->cert), 0);

    path_ca.conformance = CMP_RFC9483;
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    path_ca.conformance = CMP_RFC9810;

    /* the transaction's comes first */

    path_anchors(1, path_vendor);
    path_records.transaction = &path_transaction;
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_OWN);

    path_transaction.signer = test_der(path_pool, ASN1_ITEM_rptr(X509),
                                       device->cert);
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_VENDOR);

    path_transaction.signer = test_der(path_pool, ASN1_ITEM_rptr(X509),
                                       own->cert);
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_OWN);

    /* what the store gives is no certificate */

    path_transaction.signer.len--;
    assert_int_equal(path_find(), CMP_ERROR);
    assert_int_equal(ERR_peek_error(), 0);

    /* no list of certificates at all */

    path_transaction.signer.len = 0;
    sk_X509_free(path_msg.extra_certs);
    path_msg.extra_certs = NULL;
    test_ok(path_find());
}


static void
test_own_strict(void **state)
{
    path_pair_t  *own;

    (void) state;

    own = path_pair("/CN=device", PKI_P256, path_issuer, NULL);
    path_store(own);
    path_ca.conformance = CMP_RFC9483;

    path_send(own, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    path_send(own, path_root);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    /* the root may be left out */

    path_send(own, path_issuer);
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_OWN);

    /* directly below a root */

    path_ca.current.certificate = path_root->cert;
    (void) sk_X509_pop(path_ca.chain);
    own = path_pair("/CN=device", PKI_P256, path_root, NULL);
    path_store(own);
    path_send(own, NULL);
    test_ok(path_find());
}


static void
test_own_fitness(void **state)
{
    size_t        i;
    path_pair_t  *own;

    static const struct {
        int           key;
        pki_cert_t    settings;
        cmp_refuse_e  code;
    } tests[] = {
        { PKI_P256, { .key_usage = NULL }, 0 },
        { PKI_RSA, { .key_usage = "digitalSignature,keyEncipherment" }, 0 },
        { PKI_ED25519, { .key_usage = TEST_USAGE, .no_ski = 1 }, 0 },
        { PKI_RSA, { .key_usage = "keyEncipherment" },
          CMP_REFUSE_SIGNER_KEY_USAGE },
        { PKI_P256, { .key_usage = "critical,keyCertSign,nonRepudiation" },
          CMP_REFUSE_SIGNER_KEY_USAGE },
        { PKI_RSA_1024, { .key_usage = TEST_USAGE }, CMP_REFUSE_SIGNER_KEY },
        { PKI_P256, { .not_before = TEST_NOW - TEST_YEAR,
                      .not_after = TEST_NOW - 1000 },
          CMP_REFUSE_SIGNER_EXPIRED },
        { PKI_P256, { .not_before = TEST_NOW + 1000 },
          CMP_REFUSE_SIGNER_EXPIRED },
        { PKI_P256, { .not_before = TEST_NOW }, 0 },
        { PKI_P256, { .not_after = TEST_NOW + 1000 }, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        own = path_pair("/CN=device", tests[i].key, path_issuer,
                        &tests[i].settings);
        path_store(own);
        path_send(own, NULL);

        if (tests[i].code == 0) {
            test_ok(path_find());

        } else {
            path_refused(path_find(), tests[i].code);
        }
    }
}


static void
test_own_state(void **state)
{
    size_t        i;
    path_pair_t  *own;

    static const struct {
        int           state;
        cmp_refuse_e  code;
    } tests[] = {
        { CMP_CERT_VALID, 0 },
        { CMP_CERT_UNCONFIRMED, CMP_REFUSE_SIGNER_UNCONFIRMED },
        { CMP_CERT_HOLD, CMP_REFUSE_SIGNER_REVOKED },
        { CMP_CERT_REVOKED, CMP_REFUSE_SIGNER_REVOKED },
        { 4, CMP_REFUSE_SIGNER_STATUS_UNKNOWN },
        { -1, CMP_REFUSE_SIGNER_STATUS_UNKNOWN }
    };

    (void) state;

    own = path_pair("/CN=device", PKI_P256, path_issuer, NULL);
    path_send(own, NULL);

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        path_store(own);
        path_record.state = tests[i].state;

        /* told only when the signature verified */

        test_ok(path_find());

        if (tests[i].code == 0) {
            test_ok(path_revocation());

        } else {
            path_refused(path_revocation(), tests[i].code);
        }
    }
}


static void
test_own_ra(void **state)
{
    path_pair_t  *ra, *plain;

    static const pki_cert_t  settings = {
        .key_usage = TEST_USAGE,
        .ext_key_usage = "clientAuth,1.3.6.1.5.5.7.3.28"
    };

    (void) state;

    ra = path_pair("/CN=ra", PKI_P256, path_issuer, &settings);
    plain = path_pair("/CN=device", PKI_P256, path_issuer, NULL);

    path_store(ra);
    path_send(ra, NULL);

    /* the profile has to say so too, and to be known */

    path_record.profile = test_str("device");
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_OWN);

    path_profile.ra = 1;
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_RA);
    assert_ptr_equal(path_signer.record, &path_record);
    assert_null(path_signer.scope);

    path_record.state = CMP_CERT_REVOKED;
    test_ok(path_find());
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);

    path_record.profile = test_str("gone");
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_OWN);

    path_record.profile = test_str("");
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_OWN);

    path_store(plain);
    path_record.profile = test_str("device");
    path_send(plain, NULL);
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_OWN);
}


static void
test_listed_ra(void **state)
{
    path_pair_t  *ra, *other, *self, *late;

    static const pki_cert_t  expired = { .not_after = TEST_NOW - 1000 };

    (void) state;

    ra = path_pair("/CN=ra", PKI_P256, path_vendor, NULL);
    other = path_pair("/CN=ra", PKI_P256, path_vendor, NULL);
    self = path_pair("/CN=self-signed", PKI_P256, NULL, NULL);

    path_ras[0].cert = self->cert;
    path_ras[0].scope = &path_scopes[3];
    path_ras[1].cert = ra->cert;
    path_ras[1].scope = &path_scopes[4];
    path_ca.ras = path_ras;
    path_ca.nras = 2;

    path_send(ra, path_vendor);
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_RA);
    assert_ptr_equal(path_signer.scope, &path_scopes[4]);
    assert_null(path_signer.record);

    /* the same subject and key do not make an RA */

    path_send(other, path_vendor);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    path_anchors(1, path_vendor);
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_VENDOR);

    /* nobody can revoke what is self-signed; it is taken from the list */

    path_send(self, NULL);
    test_ok(path_find());
    assert_ptr_equal(path_signer.scope, &path_scopes[3]);
    test_ok(path_revocation());

    late = path_pair("/CN=late", PKI_P256, path_vendor, &expired);
    path_ras[0].cert = late->cert;
    path_send(late, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_EXPIRED);
}


/* a listed RA that is ours: the store knows its state */

static void
test_listed_own_ra(void **state)
{
    path_pair_t  *ra;

    (void) state;

    ra = path_pair("/CN=ra", PKI_P256, path_issuer, NULL);

    path_ras[0].cert = ra->cert;
    path_ras[0].scope = &path_scopes[3];
    path_ca.ras = path_ras;
    path_ca.nras = 1;

    path_store(ra);
    path_send(ra, NULL);
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_RA);
    assert_ptr_equal(path_signer.scope, &path_scopes[3]);
    assert_ptr_equal(path_signer.record, &path_record);
    test_ok(path_revocation());

    path_record.state = CMP_CERT_HOLD;
    test_ok(path_find());
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);

    /* made before there was a store */

    path_records.signer = NULL;
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_RA);
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    path_scopes[3].no_crl = 1;
    test_ok(path_revocation());
}


static void
test_listed_ra_crl(void **state)
{
    path_pair_t  *ra, *forger;

    (void) state;

    ra = path_pair("/CN=ra", PKI_P256, path_vendor, NULL);
    forger = path_ca_pair("/CN=vendor", NULL);

    /* another key under the name of the vendor */

    EVP_PKEY_free(forger->key);
    forger->key = pki_key(PKI_P256, "forger");

    path_ras[0].cert = ra->cert;
    path_ras[0].scope = &path_scopes[3];
    path_ca.ras = path_ras;
    path_ca.nras = 1;

    /* its issuer is not known: neither is its state */

    path_send(ra, NULL);
    test_ok(path_find());
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    path_scopes[3].no_crl = 1;
    test_ok(path_revocation());
    path_scopes[3].no_crl = 0;

    /* issuer from the message, no CRL */

    path_send(ra, path_vendor);
    test_ok(path_find());
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);

    path_crls(1, path_crl(path_vendor, NULL));
    test_ok(path_revocation());

    /* issuer among the anchors */

    path_anchors(1, path_vendor);
    path_send(ra, NULL);
    test_ok(path_find());
    test_ok(path_revocation());

    path_crls(1, path_crl(path_vendor, ra));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);
    path_scopes[3].no_crl = 1;
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);
    path_scopes[3].no_crl = 0;

    path_crls(1, path_crl(forger, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_case(test_own),
        test_case(test_own_forged),
        test_case(test_own_stored),
        test_case(test_own_strict),
        test_case(test_own_fitness),
        test_case(test_own_state),
        test_case(test_own_ra),
        test_case(test_listed_ra),
        test_case(test_listed_own_ra),
        test_case(test_listed_ra_crl)
    };

    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
