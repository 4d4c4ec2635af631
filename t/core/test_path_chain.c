
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Paths to anchors, and the CRLs of vendors.
 */


#include <path_fixture.h>

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>


static void
test_vendor(void **state)
{
    path_pair_t  *device, *stranger, *middle, *below;

    (void) state;

    device = path_pair("/CN=device", PKI_P256, path_vendor, NULL);
    stranger = path_pair("/CN=stranger", PKI_P256, NULL, NULL);
    middle = path_ca_pair("/CN=vendor's CA", path_vendor);
    below = path_pair("/CN=device 2", PKI_P384, middle, NULL);

    path_send(device, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    path_send(device, path_vendor);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    path_anchors(2, path_root, path_vendor);
    test_ok(path_find());
    assert_int_equal(path_signer.kind, CMP_SIGNER_VENDOR);
    assert_ptr_equal(path_signer.scope, &path_scopes[1]);
    assert_int_equal(sk_X509_num(path_signer.path), 2);
    assert_null(path_signer.record);

    path_send(stranger, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    /* what is between comes with the message */

    path_send(below, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    path_send(below, middle);
    test_ok(path_find());
    assert_ptr_equal(path_signer.scope, &path_scopes[1]);
    assert_int_equal(sk_X509_num(path_signer.path), 3);

    /* an anchor need not be a root; the nearest one counts */

    path_anchors(1, middle);
    path_send(below, NULL);
    test_ok(path_find());
    assert_ptr_equal(path_signer.scope, &path_scopes[0]);
    assert_int_equal(sk_X509_num(path_signer.path), 2);

    path_anchors(2, path_vendor, middle);
    path_send(below, middle);
    test_ok(path_find());
    assert_ptr_equal(path_signer.scope, &path_scopes[1]);

    /* it does not stand for what is above it */

    path_anchors(1, middle);
    path_send(device, path_vendor);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    path_ca.conformance = CMP_RFC9483;
    path_anchors(1, path_vendor);
    path_send(below, middle);
    test_ok(path_find());
}


static void
test_vendor_fitness(void **state)
{
    path_pair_t      *pair, *middle;
    X509_EXTENSION   *ext;

    static const pki_cert_t  expired = {
        .key_usage = TEST_USAGE, .not_after = TEST_NOW - 1000
    };

    static const pki_cert_t  early = {
        .key_usage = TEST_USAGE, .not_before = TEST_NOW + 1000
    };

    static const pki_cert_t  usage = { .key_usage = "keyAgreement" };

    static const pki_cert_t  old_ca = {
        .basic_constraints = TEST_CA,
        .key_usage = TEST_CA_USAGE,
        .not_after = TEST_NOW - 1000
    };

    static const pki_cert_t  weak_ca = {
        .basic_constraints = TEST_CA, .key_usage = TEST_CA_USAGE
    };

    (void) state;

    path_anchors(1, path_vendor);

    pair = path_pair("/CN=expired", PKI_P256, path_vendor, &expired);
    path_send(pair, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_EXPIRED);

    pair = path_pair("/CN=early", PKI_P256, path_vendor, &early);
    path_send(pair, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_EXPIRED);

    pair = path_pair("/CN=usage", PKI_P256, path_vendor, &usage);
    path_send(pair, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_KEY_USAGE);

    pair = path_pair("/CN=weak", PKI_RSA_1024, path_vendor, NULL);
    path_send(pair, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_KEY);

    /* the same above it: expired, weak, no CA */

    middle = path_pair("/CN=middle", PKI_P256, path_vendor, &old_ca);
    pair = path_pair("/CN=device", PKI_P256, middle, NULL);
    path_send(pair, middle);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
    assert_non_null(strstr(path_refusal.log, "at depth 1"));

    middle = path_pair("/CN=middle", PKI_RSA_1024, path_vendor, &weak_ca);
    pair = path_pair("/CN=device", PKI_P256, middle, NULL);
    path_send(pair, middle);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    middle = path_pair("/CN=middle", PKI_P256, path_vendor, NULL);
    pair = path_pair("/CN=device", PKI_P256, middle, NULL);
    path_send(pair, middle);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    /* signed with SHA-1 */

    pair = path_pair("/CN=sha1", PKI_P256, path_vendor, NULL);
    assert_true(X509_sign(pair->cert, path_vendor->key, EVP_sha1()) > 0);
    path_send(pair, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    /* a critical extension that nobody knows */

    pair = path_pair("/CN=critical", PKI_P256, path_vendor, NULL);
    ext = pki_extension(NID_netscape_comment, "comment");
    assert_int_equal(X509_EXTENSION_set_critical(ext, 1), 1);
    assert_int_equal(X509_add_ext(pair->cert, ext, -1), 1);
    assert_true(X509_sign(pair->cert, path_vendor->key, EVP_sha256()) > 0);
    X509_EXTENSION_free(ext);
    path_send(pair, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    /* a wrong signature */

    pair = path_pair("/CN=forged", PKI_P256, path_vendor, NULL);
    assert_true(X509_sign(pair->cert, path_root->key, EVP_sha256()) > 0);
    path_send(pair, NULL);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    /* an anchor with a key that is not acceptable */

    middle = path_pair("/CN=weak anchor", PKI_RSA_1024, NULL, &weak_ca);
    pair = path_pair("/CN=device", PKI_P256, middle, NULL);
    path_anchors(1, middle);
    path_send(pair, NULL);
    assert_int_equal(path_find(), CMP_DECLINED);
    assert_int_equal(ERR_peek_error(), 0);
}


/* long paths, and two CAs that certify each other */

static void
test_vendor_depth(void **state)
{
    int           i;
    char          name[32];
    path_pair_t  *pair, *device, *chain[16], *a, *b;

    (void) state;

    path_anchors(1, path_vendor);

    pair = path_vendor;

    for (i = 0; i < 12; i++) {
        (void) snprintf(name, sizeof(name), "/CN=middle %d", i);
        pair = path_ca_pair(name, pair);
        chain[i] = pair;
    }

    device = path_pair("/CN=device", PKI_P256, chain[11], NULL);
    path_send(device, NULL);

    for (i = 11; i >= 0; i--) {
        assert_true(sk_X509_push(path_msg.extra_certs, chain[i]->cert) > 0);
    }

    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);

    device = path_pair("/CN=device", PKI_P256, chain[CMP_MAX_DEPTH - 1],
                       NULL);
    (void) sk_X509_set(path_msg.extra_certs, 0, device->cert);
    test_ok(path_find());
    assert_int_equal(sk_X509_num(path_signer.path), CMP_MAX_DEPTH + 2);

    a = path_ca_pair("/CN=a", NULL);
    b = path_ca_pair("/CN=b", a);
    pair = path_ca_pair("/CN=a", b);
    device = path_pair("/CN=device", PKI_P256, b, NULL);
    path_send(device, b);
    assert_true(sk_X509_push(path_msg.extra_certs, pair->cert) > 0);
    path_refused(path_find(), CMP_REFUSE_SIGNER_NOT_TRUSTED);
}


static void
test_vendor_crl(void **state)
{
    path_pair_t  *device, *middle, *other;

    (void) state;

    middle = path_ca_pair("/CN=middle", path_vendor);
    device = path_pair("/CN=device", PKI_P256, middle, NULL);
    other = path_pair("/CN=other", PKI_P256, middle, NULL);

    path_anchors(1, path_vendor);
    path_send(device, middle);
    test_ok(path_find());

    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    path_scopes[0].no_crl = 1;
    test_ok(path_revocation());
    path_scopes[0].no_crl = 0;

    /* each certificate below the anchor needs one */

    path_crls(1, path_crl(middle, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    path_crls(1, path_crl(path_vendor, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    path_crls(2, path_crl(middle, other), path_crl(path_vendor, NULL));
    test_ok(path_revocation());

    path_crls(2, path_crl(middle, device), path_crl(path_vendor, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);
    path_crls(2, path_crl(middle, NULL), path_crl(path_vendor, middle));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);

    /* none is needed, but what is known is not ignored */

    path_scopes[0].no_crl = 1;
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);
    path_crls(1, path_crl(middle, device));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);
    path_crls(1, path_crl(middle, NULL));
    test_ok(path_revocation());
    path_scopes[0].no_crl = 0;

    /* the end of the path is trusted, whatever is said of it */

    path_crls(2, path_crl(middle, NULL), path_crl(path_vendor, path_vendor));
    test_ok(path_revocation());

    path_anchors(1, middle);
    test_ok(path_find());
    test_ok(path_revocation());
    path_crls(1, path_crl(middle, NULL));
    test_ok(path_revocation());
    path_crls(2, path_crl(middle, NULL), path_crl(path_vendor, middle));
    test_ok(path_revocation());

    /* a pinned certificate is an end itself */

    path_anchors(1, device);
    test_ok(path_find());
    assert_int_equal(sk_X509_num(path_signer.path), 1);
    test_ok(path_revocation());
}


/* a CRL of the vendor, valid between these hours from now; serial: NULL */

static X509_CRL *
test_dated(int from, int to, const uint64_t *serial)
{
    return pki_crl(path_vendor->cert, path_vendor->key,
                   TEST_NOW + from * TEST_HOUR, TEST_NOW + to * TEST_HOUR,
                   serial, serial != NULL);
}


static void
test_vendor_crl_fitness(void **state)
{
    X509_CRL          *crl;
    uint64_t           serial;
    X509_NAME         *name;
    path_pair_t       *device, *forger, *mute;
    X509_EXTENSION    *ext;
    const ASN1_TIME   *time;

    static const pki_cert_t  no_crl_sign = {
        .basic_constraints = TEST_CA, .key_usage = "critical,keyCertSign"
    };

    (void) state;

    device = path_pair("/CN=device", PKI_P256, path_vendor, NULL);
    serial = path_serial(device);

    path_anchors(1, path_vendor);
    path_send(device, NULL);
    test_ok(path_find());

    /* expired, from the future */

    path_crls(1, test_dated(-2, -1, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    path_scopes[0].no_crl = 1;
    test_ok(path_revocation());
    path_crls(1, test_dated(-2, -1, &serial));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);
    path_scopes[0].no_crl = 0;

    path_crls(1, test_dated(1, 2, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);

    /* an old one beside a new one */

    path_crls(2, test_dated(-2, -1, NULL),
              path_crl(path_vendor, device));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);

    /* by another key of the same name */

    forger = path_ca_pair("/CN=vendor", NULL);
    EVP_PKEY_free(forger->key);
    forger->key = pki_key(PKI_P256, "forger");
    path_crls(1, path_crl(forger, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);

    /* without an end */

    crl = X509_CRL_new();
    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    name = X509_get_subject_name(path_vendor->cert);
    assert_int_equal(X509_CRL_set_issuer_name(crl, name), 1);
    time = X509_get0_notBefore(path_vendor->cert);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, time), 1);
    assert_true(X509_CRL_sign(crl, path_vendor->key, EVP_sha256()) > 0);
    path_crls(1, crl);
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);

    /* a critical extension that nobody knows */

    crl = path_crl(path_vendor, NULL);
    ext = pki_extension(NID_netscape_comment, "comment");
    assert_int_equal(X509_EXTENSION_set_critical(ext, 1), 1);
    assert_int_equal(X509_CRL_add_ext(crl, ext, -1), 1);
    X509_EXTENSION_free(ext);
    assert_true(X509_CRL_sign(crl, path_vendor->key, EVP_sha256()) > 0);

    /* libcrypto looks at extensions when it decodes */

    path_crls(1, cmp_asn1_dup(X509_CRL, crl));
    X509_CRL_free(crl);
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);

    /* an issuer that may not sign CRLs */

    mute = path_pair("/CN=mute", PKI_P256, NULL, &no_crl_sign);
    device = path_pair("/CN=device", PKI_P256, mute, NULL);
    path_anchors(1, mute);
    path_send(device, NULL);
    test_ok(path_find());
    path_crls(1, path_crl(mute, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
}


/* is the CRL of path_crls() known to be the vendor's, for anything */

static int
test_known(void)
{
    return cmp_cert_cache_has_crl(path_ca.cert_cache,
                                  sk_X509_CRL_value(path_ca.crls, 0),
                                  path_vendor->cert);
}


/* a CRL of the vendor with this extension, decoded anew; revoked: or NULL */

static X509_CRL *
test_extended(int nid, const char *value, int critical,
    const path_pair_t *revoked)
{
    X509_CRL        *crl, *copy;
    X509_REVOKED    *entry;
    X509_EXTENSION  *ext;

    crl = path_crl(path_vendor, revoked);
    ext = pki_extension(nid, value);
    assert_int_equal(X509_EXTENSION_set_critical(ext, critical), 1);

    if (revoked != NULL) {
        entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0);
        assert_int_equal(X509_REVOKED_add_ext(entry, ext, -1), 1);

    } else {
        assert_int_equal(X509_CRL_add_ext(crl, ext, -1), 1);
    }

    X509_EXTENSION_free(ext);
    assert_true(X509_CRL_sign(crl, path_vendor->key, EVP_sha256()) > 0);

    copy = cmp_asn1_dup(X509_CRL, crl);
    assert_non_null(copy);
    X509_CRL_free(crl);

    return copy;
}


static void
test_vendor_crl_known(void **state)
{
    path_pair_t  *device, *other, *twin;

    (void) state;

    device = path_pair("/CN=device", PKI_P256, path_vendor, NULL);
    other = path_pair("/CN=other", PKI_P256, path_vendor, NULL);

    path_anchors(1, path_vendor);
    path_send(device, NULL);
    test_ok(path_find());

    path_crls(1, path_crl(path_vendor, other));
    assert_false(test_known());
    test_ok(path_revocation());
    assert_true(test_known());

    /* it still has its say, and only as long as it lasts */

    path_send(other, NULL);
    test_ok(path_find());
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);

    path_send(device, NULL);
    test_ok(path_find());
    path_refused(cmp_path_check_revocation(&path_ca, &path_signer,
                                           TEST_NOW + 2 * TEST_HOUR,
                                           &path_refusal),
                 CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    path_refused(cmp_path_check_revocation(&path_ca, &path_signer,
                                           TEST_NOW - 2 * TEST_HOUR,
                                           &path_refusal),
                 CMP_REFUSE_SIGNER_STATUS_UNKNOWN);

    /* nor is it one of somebody with the same name */

    twin = path_ca_pair("/CN=vendor", NULL);
    EVP_PKEY_free(twin->key);
    twin->key = pki_key(PKI_P256, "twin");
    assert_int_equal(X509_set_pubkey(twin->cert, twin->key), 1);
    assert_true(X509_sign(twin->cert, twin->key, EVP_sha256()) > 0);

    device = path_pair("/CN=device", PKI_P256, twin, NULL);
    path_anchors(1, twin);
    path_send(device, NULL);
    test_ok(path_find());
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    assert_true(test_known());

    path_crls(1, path_crl(twin, NULL));
    test_ok(path_revocation());
    assert_false(test_known());
}


/* a device with a point of distribution, for key compromise or anything */

static path_pair_t *
test_pointing(int reasons)
{
    DIST_POINT       *point;
    path_pair_t      *device;
    X509_EXTENSION   *ext;
    CRL_DIST_POINTS  *points;

    device = path_pair("/CN=pointing", PKI_P256, path_vendor, NULL);

    ext = pki_extension(NID_crl_distribution_points, "URI:http://x/");
    points = X509V3_EXT_d2i(ext);
    assert_int_equal(sk_DIST_POINT_num(points), 1);

    if (reasons) {
        point = sk_DIST_POINT_value(points, 0);
        point->reasons = ASN1_BIT_STRING_new();
        assert_int_equal(ASN1_BIT_STRING_set_bit(point->reasons, 1, 1), 1);
    }

    assert_int_equal(X509_add1_ext_i2d(device->cert,
                                       NID_crl_distribution_points, points, 0,
                                       X509V3_ADD_DEFAULT),
                     1);
    assert_true(X509_sign(device->cert, path_vendor->key, EVP_sha256()) > 0);

    CRL_DIST_POINTS_free(points);
    X509_EXTENSION_free(ext);

    return device;
}


/* what is not for all certificates and reasons goes the long way */

static void
test_vendor_crl_special(void **state)
{
    uint64_t      serial;
    path_pair_t  *device, *other;

    (void) state;

    device = path_pair("/CN=device", PKI_P256, path_vendor, NULL);
    other = path_pair("/CN=other", PKI_P256, path_vendor, NULL);
    serial = path_serial(device);

    path_anchors(1, path_vendor);
    path_send(device, NULL);
    test_ok(path_find());

    path_crls(1, test_extended(NID_crl_number, "DER:020107", 0, NULL));
    test_ok(path_revocation());
    assert_true(test_known());

    path_crls(1, test_extended(NID_issuing_distribution_point,
                               "onlyuser:TRUE", 1, NULL));
    test_ok(path_revocation());
    assert_false(test_known());

    path_crls(1, test_extended(NID_issuing_distribution_point, "onlyCA:TRUE",
                               1, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    assert_false(test_known());

    path_crls(1, test_extended(NID_delta_crl, "DER:020106", 1, NULL));
    (void) path_revocation();
    assert_false(test_known());

    path_crls(1, test_extended(NID_netscape_comment, "x", 0, NULL));
    test_ok(path_revocation());
    assert_false(test_known());

    /* in an entry */

    path_crls(1, test_extended(NID_netscape_comment, "x", 0, other));
    test_ok(path_revocation());
    assert_true(test_known());

    path_crls(1, test_extended(NID_netscape_comment, "x", 1, other));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
    assert_false(test_known());

    path_crls(1, test_extended(NID_certificate_issuer, "DER:3003820178", 1,
                               other));
    test_ok(path_revocation());
    assert_false(test_known());

    /* the newer one counts, whichever comes first */

    path_crls(2, test_dated(-2, 2, &serial), path_crl(path_vendor, NULL));
    test_ok(path_revocation());
    path_crls(2, path_crl(path_vendor, device), test_dated(-2, 2, NULL));
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_REVOKED);

    /* devices that say where a CRL is; this one is for some reasons */

    path_crls(1, path_crl(path_vendor, NULL));
    test_ok(path_revocation());
    assert_true(test_known());

    path_send(test_pointing(0), NULL);
    test_ok(path_find());
    test_ok(path_revocation());

    path_send(test_pointing(1), NULL);
    test_ok(path_find());
    path_refused(path_revocation(), CMP_REFUSE_SIGNER_STATUS_UNKNOWN);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_case(test_vendor),
        test_case(test_vendor_fitness),
        test_case(test_vendor_depth),
        test_case(test_vendor_crl),
        test_case(test_vendor_crl_fitness),
        test_case(test_vendor_crl_known),
        test_case(test_vendor_crl_special)
    };

    return cmocka_run_group_tests_name("path_chain", tests, NULL, NULL);
}
