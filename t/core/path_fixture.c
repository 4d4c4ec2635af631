
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <path_fixture.h>

#include <string.h>

#include <openssl/err.h>


#define PATH_MAX_PAIRS  64


cmp_pool_t                *path_pool;
cmp_ca_t                   path_ca;
cmp_msg_t                  path_msg;
cmp_records_t              path_records;
cmp_certificate_t          path_record;
cmp_transaction_t          path_transaction;
cmp_signer_t               path_signer;
cmp_refusal_t              path_refusal;
cmp_trusted_t              path_ras[2];
cmp_scope_t                path_scopes[5];
cmp_profile_t              path_profile;
path_pair_t               *path_root, *path_issuer, *path_vendor;

static path_pair_t         pairs[PATH_MAX_PAIRS];
static int                 npairs;
static cmp_trusted_t       anchors[3];
static cmp_profile_t      *profiles[1];


path_pair_t *
path_pair(const char *subject, int kind, const path_pair_t *by,
    const pki_cert_t *settings)
{
    pki_cert_t    conf;
    path_pair_t  *pair;

    assert_in_range(npairs, 0, PATH_MAX_PAIRS - 1);
    pair = &pairs[npairs++];

    memset(&conf, 0, sizeof(pki_cert_t));

    if (settings != NULL) {
        conf = *settings;

    } else {
        conf.key_usage = TEST_USAGE;
    }

    pair->key = pki_key(kind, subject);

    conf.subject = subject;
    conf.key = pair->key;
    conf.serial = (uint64_t) npairs;

    if (by != NULL) {
        conf.issuer = by->cert;
        conf.issuer_key = by->key;
    }

    if (conf.not_before == 0) {
        conf.not_before = TEST_NOW - TEST_YEAR;
    }

    if (conf.not_after == 0) {
        conf.not_after = TEST_NOW + TEST_YEAR;
    }

    pair->cert = pki_cert(&conf);

    return pair;
}


path_pair_t *
path_ca_pair(const char *subject, const path_pair_t *by)
{
    static const pki_cert_t  settings = {
        .basic_constraints = TEST_CA,
        .key_usage = TEST_CA_USAGE
    };

    return path_pair(subject, PKI_P256, by, &settings);
}


void
path_send(const path_pair_t *first, const path_pair_t *second)
{
    int  i;

    for (i = sk_X509_num(path_msg.extra_certs) - 1; i >= 0; i--) {
        (void) sk_X509_pop(path_msg.extra_certs);
    }

    if (first != NULL) {
        assert_true(sk_X509_push(path_msg.extra_certs, first->cert) > 0);
    }

    if (second != NULL) {
        assert_true(sk_X509_push(path_msg.extra_certs, second->cert) > 0);
    }
}


void
path_store(const path_pair_t *pair)
{
    memset(&path_record, 0, sizeof(cmp_certificate_t));

    path_record.der = test_der(path_pool, ASN1_ITEM_rptr(X509), pair->cert);
    path_record.state = CMP_CERT_VALID;

    path_records.signer = &path_record;
}


void
path_anchors(int n, ...)
{
    int            i;
    va_list        args;
    path_pair_t   *pair;

    va_start(args, n);

    for (i = 0; i < n; i++) {
        pair = va_arg(args, path_pair_t *);
        anchors[i].cert = pair->cert;
        anchors[i].scope = &path_scopes[i];
    }

    va_end(args);

    path_ca.anchors = anchors;
    path_ca.nanchors = (size_t) n;
}


void
path_crls(int n, ...)
{
    int      i;
    va_list  args;

    sk_X509_CRL_pop_free(path_ca.crls, X509_CRL_free);
    path_ca.crls = sk_X509_CRL_new_null();

    va_start(args, n);

    for (i = 0; i < n; i++) {
        assert_true(sk_X509_CRL_push(path_ca.crls, va_arg(args, X509_CRL *))
                    > 0);
    }

    va_end(args);
}


uint64_t
path_serial(const path_pair_t *pair)
{
    return (uint64_t) (pair - pairs) + 1;
}


X509_CRL *
path_crl(const path_pair_t *by, const path_pair_t *revoked)
{
    uint64_t  serial;

    serial = (revoked != NULL) ? path_serial(revoked) : 0;

    return pki_crl(by->cert, by->key, TEST_NOW - TEST_HOUR,
                   TEST_NOW + TEST_HOUR, &serial, revoked != NULL);
}


int
path_find(void)
{
    return cmp_path_signer(&path_ca, &path_msg, &path_records, TEST_NOW,
                           path_pool, &path_signer, &path_refusal);
}


int
path_find_without(void)
{
    return cmp_path_signer(&path_ca, &path_msg, NULL, TEST_NOW, path_pool,
                           &path_signer, &path_refusal);
}


/* what is known of CRLs may make it faster, not another one */

int
path_revocation(void)
{
    int                i, rc;
    cmp_refusal_t      refusal;
    cmp_cert_cache_t  *cache;

    cache = path_ca.cert_cache;
    path_ca.cert_cache = NULL;

    memset(&refusal, 0, sizeof(cmp_refusal_t));
    rc = cmp_path_check_revocation(&path_ca, &path_signer, TEST_NOW, &refusal);

    path_ca.cert_cache = cache;

    for (i = 0; i < 2; i++) {
        memset(&path_refusal, 0, sizeof(cmp_refusal_t));
        assert_int_equal(cmp_path_check_revocation(&path_ca, &path_signer,
                                                   TEST_NOW, &path_refusal),
                         rc);
        assert_int_equal(path_refusal.code, refusal.code);
        assert_string_equal(path_refusal.log, refusal.log);
    }

    return rc;
}


int
path_setup(void **state)
{
    (void) state;

    path_pool = cmp_pool_create();
    assert_non_null(path_pool);

    npairs = 0;

    memset(&path_records, 0, sizeof(cmp_records_t));
    memset(&path_msg, 0, sizeof(cmp_msg_t));
    memset(&path_refusal, 0, sizeof(cmp_refusal_t));
    memset(path_scopes, 0, sizeof(path_scopes));
    memset(&path_profile, 0, sizeof(cmp_profile_t));
    memset(&path_transaction, 0, sizeof(cmp_transaction_t));

    path_msg.extra_certs = sk_X509_new_null();

    path_root = path_ca_pair("/CN=root", NULL);
    path_issuer = path_ca_pair("/CN=issuing CA", path_root);
    path_vendor = path_ca_pair("/CN=vendor", NULL);

    test_ca(&path_ca);
    path_ca.cert_cache = cmp_cert_cache_create();
    assert_non_null(path_ca.cert_cache);
    path_ca.current.certificate = path_issuer->cert;
    path_ca.current.key = path_issuer->key;
    path_ca.subject = X509_get_subject_name(path_issuer->cert);
    path_ca.chain = sk_X509_new_null();
    assert_true(sk_X509_push(path_ca.chain, path_root->cert) > 0);

    path_profile.name = test_str("device");
    profiles[0] = &path_profile;
    path_ca.profiles = profiles;
    path_ca.nprofiles = 1;

    return 0;
}


int
path_teardown(void **state)
{
    int  i;

    (void) state;

    cmp_pool_destroy(path_pool);
    cmp_cert_cache_destroy(path_ca.cert_cache);

    for (i = 0; i < npairs; i++) {
        X509_free(pairs[i].cert);
        EVP_PKEY_free(pairs[i].key);
    }

    sk_X509_free(path_msg.extra_certs);
    sk_X509_free(path_ca.chain);
    sk_X509_CRL_pop_free(path_ca.crls, X509_CRL_free);

    assert_int_equal(ERR_peek_error(), 0);

    return 0;
}
