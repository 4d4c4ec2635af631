
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <issue_util.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


static void issue_profile(issue_test_t *t, int flags);
static char *issue_octets(const unsigned char *octets, char *text);


void
issue_create(issue_test_t *t, int kind, int flags)
{
    char        err[300];
    X509       *cert;
    pki_cert_t  conf;

    memset(t, 0, sizeof(issue_test_t));

    t->pool = cmp_pool_create();
    t->random.seed = 1;

    cmp_ca_init(&t->ca);

    memset(&conf, 0, sizeof(pki_cert_t));
    conf.subject = "/CN=Test CA";
    conf.key = pki_key(kind, "CA");
    conf.serial = 1;
    conf.not_before = TEST_NOW - 12 * TEST_YEAR;
    conf.not_after = 2051222400000LL;       /* 2035-01-01 */
    conf.basic_constraints = "critical,CA:TRUE";
    conf.key_usage = "critical,digitalSignature,keyCertSign,cRLSign";

    cert = pki_cert(&conf);
    t->ca.name = test_str("test");
    t->ca.current.certificate = cert;
    t->ca.current.key = conf.key;

    if (flags & ISSUE_RESPONSE) {
        conf.subject = "/CN=server";
        conf.issuer = cert;
        conf.issuer_key = conf.key;
        conf.key = pki_key(PKI_P256, "server");
        conf.basic_constraints = NULL;
        conf.key_usage = "critical,digitalSignature";
        t->ca.response_certificate = pki_cert(&conf);
        t->ca.response_key = conf.key;
    }

    issue_profile(t, flags);
    t->profiles[0] = &t->profile;
    t->ca.profiles = t->profiles;
    t->ca.nprofiles = 1;

    if (cmp_ca_finish(&t->ca, t->pool, err, sizeof(err)) != CMP_OK) {
        fail_msg("%s", err);
    }
}


void
issue_words(issue_test_t *t, int (*add)(cmp_profile_t *profile,
    cmp_pool_t *pool, const cmp_str_t *word, char *err, size_t size),
    const char *words)
{
    char         err[300];
    cmp_str_t    word;
    const char  *p, *end;

    for (p = words; *p != '\0'; p = end + (*end == ';')) {
        end = p + strcspn(p, ";");
        assert_int_equal(cmp_pstrdup(t->pool, &word, p, end - p), CMP_OK);

        if (add(&t->profile, t->pool, &word, err, sizeof(err)) != CMP_OK) {
            fail_msg("%s", err);
        }
    }
}


static void
issue_profile(issue_test_t *t, int flags)
{
    char              err[300];
    cmp_profile_t    *profile;
    static cmp_str_t  crl_urls[2], ocsp_url, ca_url;

    profile = &t->profile;
    cmp_profile_init(profile);

    profile->name = test_str("device");
    profile->validity = 365 * 86400;
    profile->ca = (flags & ISSUE_CA) != 0;
    profile->ra = (flags & ISSUE_RA) != 0;
    profile->path_len = (flags & ISSUE_PATH_0) ? 0 : -1;
    profile->drop_extensions = (flags & ISSUE_DROP) != 0;
    profile->san_required = (flags & ISSUE_SAN_REQUIRED) != 0;
    profile->client_validity = (flags & ISSUE_CLIENT_TIMES) != 0;

    issue_words(t, cmp_profile_add_key,
               (flags & ISSUE_ENCRYPT) ? "rsa:2048-4096" : "ec:P-256");

    if (!(flags & (ISSUE_ENCRYPT | ISSUE_CA | ISSUE_RA))) {
        issue_words(t, cmp_profile_add_key, "ed25519");
        issue_words(t, cmp_profile_add_key_usage,
                   "digitalSignature;keyAgreement");
    }

    if (flags & ISSUE_ENCRYPT) {
        issue_words(t, cmp_profile_add_key_usage,
                   "digitalSignature;keyEncipherment");
    }

    if (!(flags & (ISSUE_ANY_EKU | ISSUE_CA | ISSUE_RA))) {
        issue_words(t, cmp_profile_add_ext_key_usage, "clientAuth");
    }

    if (!(flags & ISSUE_NO_SAN)) {
        issue_words(t, cmp_profile_add_san, "dns:*.example;ip");
    }

    issue_words(t, cmp_profile_add_extension, "1.2.3.4.1;tlsfeature");

    if (flags & ISSUE_URLS) {
        crl_urls[0] = test_str("http://a.example/1.crl");
        crl_urls[1] = test_str("http://b.example/1.crl");
        ocsp_url = test_str("http://a.example/ocsp");
        ca_url = test_str("http://a.example/ca.cer");
        profile->crl_urls = crl_urls;
        profile->ncrl_urls = 2;
        profile->ocsp_urls = &ocsp_url;
        profile->nocsp_urls = 1;
        profile->ca_issuer_urls = &ca_url;
        profile->nca_issuer_urls = 1;
        profile->policies = sk_X509_EXTENSION_new_null();
        sk_X509_EXTENSION_push(profile->policies,
                               pki_extension(NID_certificate_policies,
                                             "DER:30063004" "06022a03"));
    }

    if (cmp_profile_finish(profile, t->pool, err, sizeof(err)) != CMP_OK) {
        fail_msg("%s", err);
    }
}


void
issue_destroy(issue_test_t *t)
{
    issue_forget(t);
    sk_X509_EXTENSION_pop_free(t->profile.policies, X509_EXTENSION_free);
    cmp_ca_cleanup(&t->ca);
    cmp_pool_destroy(t->pool);
}


void
issue_forget(issue_test_t *t)
{
    X509_NAME_free((X509_NAME *) t->request.subject);
    cmp_asn1_free(cmp_public_key_t, t->request.key);
    sk_X509_EXTENSION_pop_free(t->request.extensions, X509_EXTENSION_free);
    ASN1_TIME_free((ASN1_TIME *) t->request.not_before);
    ASN1_TIME_free((ASN1_TIME *) t->request.not_after);
    memset(&t->request, 0, sizeof(cmp_issue_request_t));
}


/* known to libcrypto: in its notation; else the value in hex */

X509_EXTENSION *
issue_extension(const char *name, const char *value)
{
    int                 nid, critical;
    long                len;
    ASN1_OBJECT        *object;
    unsigned char      *data;
    X509_EXTENSION     *ext;
    ASN1_OCTET_STRING  *octets;

    nid = OBJ_txt2nid(name);

    if (nid != NID_undef) {
        ext = pki_extension(nid, value);
        ERR_clear_error();
        return ext;
    }

    critical = strncmp(value, "critical,", 9) == 0;
    data = OPENSSL_hexstr2buf(value + (critical ? 9 : 0), &len);
    object = OBJ_txt2obj(name, 1);
    octets = ASN1_OCTET_STRING_new();
    assert_true(data != NULL && object != NULL && octets != NULL);
    ASN1_STRING_set0(octets, data, len);

    ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
    assert_non_null(ext);

    ASN1_OBJECT_free(object);
    ASN1_OCTET_STRING_free(octets);
    ERR_clear_error();

    return ext;
}


/* kind -1: no key */

void
issue_ask(issue_test_t *t, int kind, const char *subject, const char *exts)
{
    char           *copy, *item, *value, *last, hex[64];
    EVP_PKEY       *key;
    unsigned char   hash[CMP_SKI_LEN];

    issue_forget(t);

    t->request.now = TEST_NOW + 123;
    t->request.subject = pki_name(subject);

    if (kind >= 0) {
        key = pki_key(kind, "device");
        pki_set_public_key(&t->request.key, key);
        EVP_PKEY_free(key);
        assert_int_equal(cmp_hash_key(t->request.key, t->pool,
                                      &t->request.key_hash),
                         CMP_OK);
    }

    if (exts == NULL) {
        return;
    }

    t->request.extensions = sk_X509_EXTENSION_new_null();
    copy = strdup(exts);

    for (item = strtok_r(copy, ";", &last);
         item != NULL;
         item = strtok_r(NULL, ";", &last))
    {
        value = strchr(item, '=');
        *value++ = '\0';

        if (strcmp(value, "ours") == 0) {
            value = issue_octets(t->request.key_hash.data, hex);

        } else if (strcmp(value, "sha1") == 0) {
            issue_sha1(t, hash);
            value = issue_octets(hash, hex);
        }

        sk_X509_EXTENSION_push(t->request.extensions,
                               issue_extension(item, value));
    }

    free(copy);
}


static char *
issue_octets(const unsigned char *octets, char *text)
{
    int  i;

    strcpy(text, "DER:0414");

    for (i = 0; i < CMP_SKI_LEN; i++) {
        snprintf(text + 8 + 2 * i, 3, "%02x", octets[i]);
    }

    return text;
}


void
issue_sha1(issue_test_t *t, unsigned char *hash)
{
    ASN1_BIT_STRING  *public;

    public = t->request.key->subject_public_key;
    EVP_Digest(public->data, public->length, hash, NULL, EVP_sha1(), NULL);
}


int
issue_prepare(issue_test_t *t)
{
    memset(&t->refusal, 0, sizeof(cmp_refusal_t));

    return cmp_issue_prepare(&t->ca, &t->profile, &t->request, t->pool,
                             &t->issue, &t->refusal);
}


/* the certificate decoded from its DER, its signature verified */

X509 *
issue_sign(issue_test_t *t)
{
    int                   rc;
    X509                 *cert;
    const unsigned char  *p;

    rc = cmp_issue_sign(&t->ca, &t->issue, t->request.now, pki_random,
                        &t->random, t->pool);
    test_ok(rc);

    p = t->issue.der.data;
    cert = d2i_X509(NULL, &p, t->issue.der.len);
    assert_non_null(cert);
    assert_ptr_equal(p, t->issue.der.data + t->issue.der.len);
    assert_int_equal(X509_verify(cert, t->ca.current.key), 1);
    assert_int_equal(X509_check_issued(t->ca.current.certificate, cert),
                     X509_V_OK);
    assert_int_equal(X509_get_version(cert), X509_VERSION_3);
    assert_int_equal(X509_get_extension_flags(cert) & EXFLAG_INVALID, 0);

    return cert;
}


/* one line; '!' is critical; identifiers are checked, not shown */

char *
issue_extensions(X509 *cert)
{
    int              i, nid;
    BIO             *bio;
    char            *text, name[80];
    long             n, j, out;
    X509_EXTENSION  *ext;

    bio = BIO_new(BIO_s_mem());

    for (i = 0; i < X509_get_ext_count(cert); i++) {
        ext = X509_get_ext(cert, i);
        nid = OBJ_obj2nid(X509_EXTENSION_get_object(ext));
        OBJ_obj2txt(name, sizeof(name), X509_EXTENSION_get_object(ext), 0);

        BIO_printf(bio, "%s%s:", nid != NID_undef ? OBJ_nid2sn(nid) : name,
                   X509_EXTENSION_get_critical(ext) ? "!" : "");

        if (nid == NID_subject_key_identifier) {
            BIO_printf(bio, "SKI");

        } else if (nid == NID_authority_key_identifier) {
            BIO_printf(bio, "AKI");

        } else if (nid == NID_undef) {
            for (j = 0; j < X509_EXTENSION_get_data(ext)->length; j++) {
                BIO_printf(bio, "%02X", X509_EXTENSION_get_data(ext)->data[j]);
            }

        } else {
            X509V3_EXT_print(bio, ext, 0, 0);
        }

        BIO_printf(bio, ";");
    }

    BIO_write(bio, "", 1);
    n = BIO_get_mem_data(bio, &text);

    for (j = 0, out = 0; j < n; j++) {
        if (text[j] != '\n') {
            text[out++] = text[j];
        }
    }

    text = strdup(text);
    BIO_free(bio);
    ERR_clear_error();

    return text;
}


void
issue_refused(int row, int rc, issue_test_t *t, cmp_refuse_e code,
    const char *text)
{
    if (rc != CMP_DECLINED || t->refusal.code != code) {
        fail_msg("row %d: %d, refusal %d: %s", row, rc, t->refusal.code,
                 t->refusal.detail);
    }

    assert_string_equal(t->refusal.detail, text);
    assert_int_equal(ERR_peek_error(), 0);
}
