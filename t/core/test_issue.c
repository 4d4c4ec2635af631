
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Making certificates: what the profile grants, changes and refuses.
 */


#include <issue_util.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


/* rules are words of the profile, separated by ';' */

typedef struct {
    const char                *rules;
    const char                *asked;
    cmp_refuse_e               code;
    const char                *text;    /* detail, or mods; "" for none */
    const char                *subject; /* as issued */
} test_subject_t;


typedef struct {
    int                        flags;
    const char                *from;    /* UTCTime or GeneralizedTime */
    const char                *to;
    cmp_refuse_e               code;
    const char                *text;
    const char                *issued_from;
    const char                *issued_to;
} test_time_t;


static const test_subject_t  test_subjects[] = {
    { "", "/CN=a/O=b", CMP_REFUSE_NONE, "", "O=b,CN=a" },
    { "", "/CN=a/2.5.4.44=IV", CMP_REFUSE_NONE, "",
      "generationQualifier=IV,CN=a" },
    { "", "", CMP_REFUSE_NO_NAME, "", NULL },
    { "", "/CN=a/CN=b", CMP_REFUSE_SUBJECT, "CN is given twice", NULL },
    { "", "/CN=Test CA", CMP_REFUSE_SUBJECT, "it is the name of the CA",
      NULL },
    { "", "/CN=test  ca", CMP_REFUSE_SUBJECT, "it is the name of the CA",
      NULL },
    { "", "/CN=server", CMP_REFUSE_SUBJECT, "it is the name of the CMP server",
      NULL },
    { "required=CN;optional=OU", "/CN=a", CMP_REFUSE_NONE, "", "CN=a" },
    { "required=CN;optional=OU", "/OU=b/CN=a", CMP_REFUSE_NONE, "",
      "CN=a,OU=b" },
    { "required=CN;optional=OU", "/OU=b/OU=c/CN=a", CMP_REFUSE_NONE, "",
      "CN=a,OU=c,OU=b" },
    { "required=CN;optional=OU", "/OU=b", CMP_REFUSE_SUBJECT,
      "CN is required", NULL },
    { "required=CN;optional=OU", "/CN=a/L=x", CMP_REFUSE_SUBJECT,
      "L is not allowed", NULL },
    { "required=CN;O=Example", "/CN=a/O=Example", CMP_REFUSE_NONE, "",
      "O=Example,CN=a" },
    { "required=CN;O=Example", "/CN=a", CMP_REFUSE_NONE,
      "O was added to the subject", "CN=a,O=Example" },
    { "required=CN;O=Example", "/CN=a/O=Other", CMP_REFUSE_NONE,
      "O was set by the certificate profile", "O=Example,CN=a" },
    { "required=CN;O=Example", "", CMP_REFUSE_NO_NAME, "", NULL },
    { "required=CN;OU=x;OU=y", "/OU=y/CN=a", CMP_REFUSE_NONE,
      "OU was added to the subject; OU was set by the certificate profile",
      "CN=a,OU=x,OU=y" },
    { "required=CN;OU=x;OU=y", "/OU=x/OU=y/CN=a", CMP_REFUSE_NONE, "",
      "CN=a,OU=y,OU=x" },
    { "required=CN;OU=x;OU=y", "/OU=x/OU=y/OU=z/CN=a", CMP_REFUSE_SUBJECT,
      "OU is not allowed", NULL },
    { "required=CN;DC=org;DC=example", "/CN=a", CMP_REFUSE_NONE,
      "DC was added to the subject; DC was added to the subject",
      "CN=a,DC=example,DC=org" },
    { "required=CN;C=DE;serialNumber=1*2", "/CN=a", CMP_REFUSE_NONE,
      "C was added to the subject; serialNumber was added to the subject",
      "CN=a,serialNumber=1*2,C=DE" }
};


/* now is 300101000000Z, the CA certificate ends 350101000000Z */

static const test_time_t  test_times[] = {
    { 0, NULL, NULL, CMP_REFUSE_NONE, "", "291231235900Z",
      "310101000000Z" },
    { 0, "291231235900Z", "310101000000Z", CMP_REFUSE_NONE, "",
      "291231235900Z", "310101000000Z" },
    { 0, NULL, "300201000000Z", CMP_REFUSE_NONE,
      "the validity was set by the certificate profile", "291231235900Z",
      "310101000000Z" },
    { 0, NULL, "99991231235959Z", CMP_REFUSE_VALIDITY,
      "no certificate lasts until the year 9999", NULL, NULL },
    { 0, "310101000000Z", "300101000000Z", CMP_REFUSE_VALIDITY,
      "it ends before it begins, or has ended already", NULL, NULL },
    { 0, NULL, "291231235959Z", CMP_REFUSE_VALIDITY,
      "it ends before it begins, or has ended already", NULL, NULL },
    { 0, "3001010000Z", NULL, CMP_REFUSE_VALIDITY,
      "notBefore cannot be read", NULL, NULL },
    { 0, NULL, "20300201000000.5Z", CMP_REFUSE_VALIDITY,
      "notAfter cannot be read", NULL, NULL },
    { 0, NULL, "3002010000+0100", CMP_REFUSE_VALIDITY,
      "notAfter cannot be read", NULL, NULL },
    { 0, NULL, "301301000000Z", CMP_REFUSE_VALIDITY,
      "notAfter cannot be read", NULL, NULL },
    { ISSUE_CLIENT_TIMES, NULL, NULL, CMP_REFUSE_NONE, "", "291231235900Z",
      "310101000000Z" },
    { ISSUE_CLIENT_TIMES, NULL, "300201000000Z", CMP_REFUSE_NONE, "",
      "291231235900Z", "300201000000Z" },
    { ISSUE_CLIENT_TIMES, "300101120000Z", "20300201000000Z", CMP_REFUSE_NONE,
      "", "300101120000Z", "300201000000Z" },
    { ISSUE_CLIENT_TIMES, "300601000000Z", NULL, CMP_REFUSE_NONE, "",
      "300601000000Z", "310601000000Z" },
    { ISSUE_CLIENT_TIMES, "300601000000Z", "320101000000Z", CMP_REFUSE_NONE,
      "notAfter was reduced to what the certificate profile allows",
      "300601000000Z", "310601000000Z" },
    { ISSUE_CLIENT_TIMES, "200101000000Z", "300201000000Z", CMP_REFUSE_NONE,
      "notBefore was set to the present", "291231235900Z", "300201000000Z" },
    { ISSUE_CLIENT_TIMES, NULL, "320101000000Z", CMP_REFUSE_NONE,
      "notAfter was reduced to what the certificate profile allows",
      "291231235900Z", "310101000000Z" },
    { ISSUE_CLIENT_TIMES, "310101000001Z", NULL, CMP_REFUSE_VALIDITY,
      "notBefore is too far in the future", NULL, NULL }
};


static void
test_issue_subjects(void **state)
{
    int                    i, rc;
    X509                  *cert;
    issue_test_t                 t;
    const test_subject_t  *s;

    (void) state;

    for (i = 0; i < (int) (sizeof(test_subjects) / sizeof(test_subjects[0]));
         i++)
    {
        s = &test_subjects[i];
        issue_create(&t, PKI_ED25519, ISSUE_RESPONSE);
        issue_words(&t, cmp_profile_add_subject, s->rules);
        issue_ask(&t, PKI_P256, s->asked, NULL);

        rc = issue_prepare(&t);

        if (s->code != CMP_REFUSE_NONE) {
            issue_refused(i, rc, &t, s->code, s->text);
            issue_destroy(&t);
            continue;
        }

        test_ok(rc);
        assert_string_equal(t.issue.mods, s->text);
        assert_int_equal(t.issue.modified, s->text[0] != '\0');

        cert = issue_sign(&t);
        assert_string_equal((const char *) t.issue.subject_text.data,
                            s->subject);
        assert_int_equal(X509_NAME_cmp(t.issue.subject,
                                       X509_get_subject_name(cert)), 0);
        X509_free(cert);
        issue_destroy(&t);
    }
}


static void
test_issue_times(void **state)
{
    int                 i, rc;
    X509               *cert;
    issue_test_t              t;
    ASN1_TIME          *times[2];
    const test_time_t  *e;

    (void) state;

    for (i = 0; i < (int) (sizeof(test_times) / sizeof(test_times[0])); i++) {
        e = &test_times[i];
        issue_create(&t, PKI_ED25519, e->flags);
        issue_ask(&t, PKI_ED25519, "/CN=dev-1", NULL);

        times[0] = (e->from != NULL)
                   ? ASN1_STRING_type_new(strlen(e->from) > 13 ?
                         V_ASN1_GENERALIZEDTIME : V_ASN1_UTCTIME) : NULL;
        times[1] = (e->to != NULL)
                   ? ASN1_STRING_type_new(strlen(e->to) > 13 ?
                         V_ASN1_GENERALIZEDTIME : V_ASN1_UTCTIME) : NULL;

        if (e->from != NULL) {
            ASN1_STRING_set(times[0], e->from, -1);
        }

        if (e->to != NULL) {
            ASN1_STRING_set(times[1], e->to, -1);
        }

        t.request.not_before = times[0];
        t.request.not_after = times[1];

        rc = issue_prepare(&t);

        if (e->code != CMP_REFUSE_NONE) {
            issue_refused(i, rc, &t, e->code, e->text);
            issue_destroy(&t);
            continue;
        }

        test_ok(rc);
        assert_string_equal(t.issue.mods, e->text);

        cert = issue_sign(&t);
        assert_string_equal((const char *) X509_get0_notBefore(cert)->data,
                            e->issued_from);
        assert_string_equal((const char *) X509_get0_notAfter(cert)->data,
                            e->issued_to);
        X509_free(cert);
        issue_destroy(&t);
    }
}


/* the end of the CA is the end of all that it issues */

static void
test_issue_ca_ends(void **state)
{
    X509    *cert;
    issue_test_t   t;

    (void) state;

    issue_create(&t, PKI_ED25519, ISSUE_CLIENT_TIMES);

    issue_ask(&t, PKI_ED25519, "/CN=dev-1", NULL);
    t.request.now = 2051222400000LL - TEST_HOUR;
    test_ok(issue_prepare(&t));
    assert_string_equal(t.issue.mods, "");
    assert_true(t.issue.not_after == 2051222400000LL);

    t.request.not_after = pki_time(2051222400000LL + 1000);
    test_ok(issue_prepare(&t));
    assert_string_equal(t.issue.mods, "notAfter was reduced to that of the "
                        "CA certificate");
    cert = issue_sign(&t);
    assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(cert),
                         X509_get0_notAfter(t.ca.current.certificate)), 0);
    X509_free(cert);

    t.request.now = 2051222400000LL;
    test_refused(issue_prepare(&t), &t.refusal, CMP_REFUSE_UNAVAILABLE);
    assert_string_equal(t.refusal.log,
                        "the CA certificate is not valid at this time");

    issue_destroy(&t);
}


static void
test_issue_no_subject(void **state)
{
    X509    *cert;
    char    *text;
    issue_test_t   t;

    (void) state;

    issue_create(&t, PKI_ED25519, 0);
    issue_ask(&t, PKI_ED25519, "", "subjectAltName=DNS:a.example");
    test_ok(issue_prepare(&t));
    cert = issue_sign(&t);
    text = issue_extensions(cert);
    assert_non_null(strstr(text, "subjectAltName!:DNS:a.example;"));
    assert_int_equal(t.issue.subject_text.len, 0);
    assert_int_equal(t.issue.subject_der.len, 2);
    free(text);
    X509_free(cert);

    X509_NAME_free((X509_NAME *) t.request.subject);
    t.request.subject = NULL;
    test_ok(issue_prepare(&t));
    issue_destroy(&t);

    issue_create(&t, PKI_ED25519, ISSUE_NO_SAN | ISSUE_DROP);
    issue_ask(&t, PKI_ED25519, "", "subjectAltName=DNS:a.example");
    test_refused(issue_prepare(&t), &t.refusal, CMP_REFUSE_NO_NAME);
    issue_destroy(&t);

    issue_create(&t, PKI_ED25519, ISSUE_CA);
    issue_ask(&t, PKI_P256, "", "subjectAltName=DNS:a.example");
    test_refused(issue_prepare(&t), &t.refusal, CMP_REFUSE_SUBJECT);
    issue_destroy(&t);
}


/* the rare string types are accepted, and written as UTF8String */

static void
test_issue_strings(void **state)
{
    X509                   *cert;
    issue_test_t                  t;
    X509_NAME              *name;
    const X509_NAME_ENTRY  *entry;

    (void) state;

    issue_create(&t, PKI_ED25519, 0);
    issue_ask(&t, PKI_ED25519, "", NULL);

    name = (X509_NAME *) t.request.subject;
    X509_NAME_add_entry_by_txt(name, "O", V_ASN1_PRINTABLESTRING,
                               (const unsigned char *) "b", 1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_BMPSTRING,
                               (const unsigned char *) "\0\xe4", 2, -1, 0);

    test_ok(issue_prepare(&t));
    assert_string_equal(t.issue.mods, "CN was encoded as UTF8String");

    cert = issue_sign(&t);
    entry = X509_NAME_get_entry(X509_get_subject_name(cert), 0);
    assert_int_equal(X509_NAME_ENTRY_get_data(entry)->type,
                     V_ASN1_PRINTABLESTRING);
    entry = X509_NAME_get_entry(X509_get_subject_name(cert), 1);
    assert_int_equal(X509_NAME_ENTRY_get_data(entry)->type,
                     V_ASN1_UTF8STRING);
    assert_string_equal((const char *) X509_NAME_ENTRY_get_data(entry)->data,
                        "\xc3\xa4");
    assert_string_equal((const char *) t.issue.subject_text.data,
                        "CN=\xc3\xa4,O=b");

    X509_free(cert);
    issue_destroy(&t);
}


/* each kind of CA key; the same input gives the same bytes where it can */

/* the only URL of the only distribution point; "": there is no such thing */

static void
issue_crl_url(X509 *cert, int nid, char *url, size_t size)
{
    GENERAL_NAME     *name;
    CRL_DIST_POINTS  *points;

    url[0] = '\0';

    points = X509_get_ext_d2i(cert, nid, NULL, NULL);

    if (points == NULL) {
        assert_int_equal(X509_get_ext_by_NID(cert, nid, -1), -1);
        return;
    }

    assert_int_equal(sk_DIST_POINT_num(points), 1);
    name = sk_GENERAL_NAME_value(sk_DIST_POINT_value(points, 0)
                                 ->distpoint->name.fullname, 0);
    assert_int_equal(name->type, GEN_URI);
    snprintf(url, size, "%s",
             (const char *) name->d.uniformResourceIdentifier->data);

    CRL_DIST_POINTS_free(points);
}


/* the URLs of the CA's CRLs, which the serial number has a part in */

static void
test_issue_crl_urls(void **state)
{
    int            i, partition, seen;
    char           url[64], expected[64];
    X509          *cert;
    cmp_str_t      whole;
    issue_test_t   t;

    (void) state;

    issue_create(&t, PKI_ED25519, 0);
    issue_ask(&t, PKI_P256, "/CN=dev-1", "subjectAltName=DNS:a.example");

    t.ca.crl_delta_url = test_str("http://a.example/d/$partition");
    t.ca.crl_partition_url = test_str("http://a.example/$partition.crl");
    t.ca.crl_partitions = 2;

    /* a profile that has nothing to do with them */

    test_ok(issue_prepare(&t));
    cert = issue_sign(&t);
    assert_int_equal(t.issue.partition, 0);
    issue_crl_url(cert, NID_crl_distribution_points, url, sizeof(url));
    assert_string_equal(url, "");
    issue_crl_url(cert, NID_freshest_crl, url, sizeof(url));
    assert_string_equal(url, "");
    X509_free(cert);

    t.profile.ca_crl_urls = 1;
    seen = 0;

    for (i = 0; i < 50 && seen != 3; i++) {
        cert = issue_sign(&t);

        partition = t.issue.partition;
        assert_int_equal(partition, 1 + (t.issue.serial.data[19] & 1));
        seen |= partition;

        issue_crl_url(cert, NID_crl_distribution_points, url, sizeof(url));
        snprintf(expected, sizeof(expected), "http://a.example/%d.crl",
                 partition);
        assert_string_equal(url, expected);

        issue_crl_url(cert, NID_freshest_crl, url, sizeof(url));
        snprintf(expected, sizeof(expected), "http://a.example/d/%d",
                 partition);
        assert_string_equal(url, expected);

        X509_free(cert);
    }

    assert_int_equal(seen, 3);

    /* without partitions the URL of the whole CRL */

    t.ca.crl_partitions = 0;
    whole = test_str("http://a.example/all.crl");
    t.profile.crl_urls = &whole;
    t.profile.ncrl_urls = 1;

    cert = issue_sign(&t);
    assert_int_equal(t.issue.partition, 0);
    issue_crl_url(cert, NID_crl_distribution_points, url, sizeof(url));
    assert_string_equal(url, "http://a.example/all.crl");
    issue_crl_url(cert, NID_freshest_crl, url, sizeof(url));
    assert_string_equal(url, "http://a.example/d/0");
    X509_free(cert);

    issue_destroy(&t);
}


static void
test_issue_sign(void **state)
{
    int                kind, i;
    X509              *cert;
    cmp_str_t          der, hash;
    issue_test_t       t;
    unsigned char      now[6];
    cmp_public_key_t  *key;

    static const int  sigs[] = {
        NID_ED25519, NID_ED448, NID_ecdsa_with_SHA256, NID_ecdsa_with_SHA384,
        NID_ecdsa_with_SHA512, NID_sha256WithRSAEncryption
    };

    (void) state;

    for (kind = PKI_ED25519; kind <= PKI_RSA; kind++) {
        issue_create(&t, kind, 0);
        issue_ask(&t, PKI_P256, "/CN=dev-1", "subjectAltName=DNS:a.example");

        for (i = 0; i < 2; i++) {
            memset(&t.random, 0, sizeof(pki_random_t));
            der = t.issue.der;
            test_ok(issue_prepare(&t));
            cert = issue_sign(&t);
            assert_int_equal(X509_get_signature_nid(cert), sigs[kind]);
            X509_free(cert);
        }

        if (kind == PKI_ED25519 || kind == PKI_ED448 || kind == PKI_RSA) {
            assert_int_equal(der.len, t.issue.der.len);
            assert_memory_equal(der.data, t.issue.der.data, der.len);
        }

        /* another serial number the next time */

        der = t.issue.serial;
        assert_int_equal(der.len, CMP_SERIAL_LEN);
        cert = issue_sign(&t);
        assert_memory_equal(der.data, t.issue.serial.data, 6);
        assert_memory_not_equal(der.data + 6, t.issue.serial.data + 6, 14);
        assert_int_equal(X509_get_serialNumber(cert)->length, 20);
        assert_memory_equal(X509_get_serialNumber(cert)->data,
                            t.issue.serial.data, 20);

        for (i = 0; i < 6; i++) {
            now[i] = (unsigned char) ((TEST_NOW + 123) >> (40 - 8 * i));
        }

        now[0] |= 0x40;
        assert_memory_equal(t.issue.serial.data, now, 6);

        test_ok(cmp_hash_key(t.request.key, t.pool, &hash));
        key = cmp_public_key_from(X509_get_X509_PUBKEY(cert));
        assert_non_null(key);
        test_ok(cmp_hash_key(key, t.pool, &der));
        cmp_asn1_free(cmp_public_key_t, key);
        assert_true(cmp_str_equal(&hash, &der));
        test_ok(cmp_hash_name(t.issue.subject, t.pool, &hash));
        test_ok(cmp_hash_name(X509_get_subject_name(cert), t.pool, &der));
        assert_true(cmp_str_equal(&hash, &der));
        assert_int_equal(hash.len, 32);

        X509_free(cert);
        issue_destroy(&t);
    }
}


static int
test_no_random(void *data, unsigned char *buf, size_t len)
{
    (void) data;
    (void) buf;
    (void) len;

    return CMP_ERROR;
}


static void
test_issue_no_random(void **state)
{
    issue_test_t  t;

    (void) state;

    issue_create(&t, PKI_ED25519, 0);
    issue_ask(&t, PKI_P256, "/CN=dev-1", NULL);
    test_ok(issue_prepare(&t));
    assert_int_equal(cmp_issue_sign(&t.ca, &t.issue, t.request.now,
                                    test_no_random, NULL, t.pool), CMP_ERROR);
    issue_destroy(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_issue_subjects),
        cmocka_unit_test(test_issue_times),
        cmocka_unit_test(test_issue_ca_ends),
        cmocka_unit_test(test_issue_no_subject),
        cmocka_unit_test(test_issue_strings),
        cmocka_unit_test(test_issue_crl_urls),
        cmocka_unit_test(test_issue_sign),
        cmocka_unit_test(test_issue_no_random)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
