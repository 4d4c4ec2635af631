
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Making CRLs.
 */


#include <issue_util.h>

#include <cmp_crl.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


static int test_crl_try(issue_test_t *t, const cmp_crl_params_t *params,
    const cmp_crl_entry_t *entries, size_t n);
static X509_CRL *test_crl_make(issue_test_t *t, int64_t number,
    const cmp_crl_entry_t *entries, size_t n);
static X509_CRL *test_crl_decode(issue_test_t *t,
    const cmp_crl_params_t *params, const cmp_crl_entry_t *entries, size_t n);
static void test_crl_ext(X509_REVOKED *entry, int reason,
    const char *invalidity);


static void
test_crl_params(issue_test_t *t, cmp_crl_params_t *params)
{
    memset(params, 0, sizeof(cmp_crl_params_t));

    params->issuer = &t->ca.current;
    params->number = 1;
    params->this_update = TEST_NOW + 999;
    params->next_update = TEST_NOW + 999 + t->ca.crl_lifetime;
}


/* 1 when it can be made */

static int
test_crl_try(issue_test_t *t, const cmp_crl_params_t *params,
    const cmp_crl_entry_t *entries, size_t n)
{
    int         rc;
    cmp_crl_t  *crl;
    cmp_str_t   der;

    crl = cmp_crl_create(&t->ca, params);

    rc = (crl != NULL
          && cmp_crl_add(crl, entries, n) == CMP_OK
          && cmp_crl_sign(crl, &der) == CMP_OK);

    cmp_crl_free(crl);

    return rc;
}


static X509_CRL *
test_crl_make(issue_test_t *t, int64_t number, const cmp_crl_entry_t *entries,
    size_t n)
{
    cmp_crl_params_t  params;

    test_crl_params(t, &params);
    params.number = number;

    return test_crl_decode(t, &params, entries, n);
}


static X509_CRL *
test_crl_decode(issue_test_t *t, const cmp_crl_params_t *params,
    const cmp_crl_entry_t *entries, size_t n)
{
    int                   len;
    size_t                half;
    X509_CRL             *crl;
    cmp_crl_t            *made;
    cmp_str_t             der;
    unsigned char        *again;
    const unsigned char  *p;

    half = n / 2;

    made = cmp_crl_create(&t->ca, params);
    assert_non_null(made);
    test_ok(cmp_crl_add(made, entries, half));
    test_ok(cmp_crl_add(made, entries + half, n - half));
    assert_int_equal(cmp_crl_nentries(made), n);

    /* signing does not change what is signed */

    test_ok(cmp_crl_sign(made, &der));
    test_ok(cmp_crl_sign(made, &der));

    p = der.data;
    crl = d2i_X509_CRL(NULL, &p, der.len);
    assert_non_null(crl);
    assert_ptr_equal(p, der.data + der.len);
    assert_int_equal(X509_CRL_verify(crl, params->issuer->key), 1);

    /* libcrypto would write all of it in the same way */

    X509_CRL_sort(crl);
    ERR_clear_error();

    p = der.data;
    X509_CRL_free(crl);
    crl = d2i_X509_CRL(NULL, &p, der.len);
    again = NULL;
    len = i2d_X509_CRL(crl, &again);
    assert_int_equal(len, der.len);
    assert_memory_equal(again, der.data, len);
    OPENSSL_free(again);

    again = NULL;
    len = i2d_re_X509_CRL_tbs(crl, &again);
    assert_true(len > 0);
    OPENSSL_free(again);
    assert_int_equal(X509_CRL_verify(crl, params->issuer->key), 1);

    cmp_crl_free(made);

    return crl;
}


/* NULL: absent; reason -1: absent */

static void
test_crl_ext(X509_REVOKED *entry, int reason, const char *invalidity)
{
    int                    critical;
    ASN1_ENUMERATED       *value;
    ASN1_GENERALIZEDTIME  *date;

    value = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, &critical, NULL);

    if (reason == -1) {
        assert_null(value);
        assert_int_equal(critical, -1);

    } else {
        assert_non_null(value);
        assert_int_equal(critical, 0);
        assert_int_equal(ASN1_ENUMERATED_get(value), reason);
        ASN1_ENUMERATED_free(value);
    }

    date = X509_REVOKED_get_ext_d2i(entry, NID_invalidity_date, &critical,
                                    NULL);

    if (invalidity == NULL) {
        assert_null(date);
        assert_int_equal(critical, -1);

    } else {
        assert_non_null(date);
        assert_int_equal(critical, 0);
        assert_string_equal((const char *) date->data, invalidity);
        ASN1_GENERALIZEDTIME_free(date);
    }
}


static void
test_crl_empty(void **state)
{
    int               kind, critical;
    X509_CRL         *crl;
    ASN1_INTEGER     *number;
    issue_test_t      t;
    AUTHORITY_KEYID  *aki;

    (void) state;

    for (kind = PKI_ED25519; kind <= PKI_RSA; kind++) {
        issue_create(&t, kind, 0);
        crl = test_crl_make(&t, 0x1234567890LL, NULL, 0);

        assert_int_equal(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
        assert_null(X509_CRL_get_REVOKED(crl));
        assert_int_equal(X509_NAME_cmp(X509_CRL_get_issuer(crl),
                                       t.ca.subject), 0);
        assert_string_equal((const char *) X509_CRL_get0_lastUpdate(crl)->data,
                            "300101000000Z");
        assert_string_equal((const char *) X509_CRL_get0_nextUpdate(crl)->data,
                            "300108000000Z");
        assert_int_equal(sk_X509_EXTENSION_num(
                             X509_CRL_get0_extensions(crl)), 2);

        number = X509_CRL_get_ext_d2i(crl, NID_crl_number, &critical, NULL);
        assert_non_null(number);
        assert_int_equal(critical, 0);
        assert_int_equal(ASN1_INTEGER_get(number), 0x1234567890LL);
        ASN1_INTEGER_free(number);

        aki = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier,
                                   &critical, NULL);
        assert_non_null(aki);
        assert_int_equal(ASN1_OCTET_STRING_cmp(aki->keyid,
                             X509_get0_subject_key_id(
                                 t.ca.current.certificate)), 0);
        AUTHORITY_KEYID_free(aki);

        X509_CRL_free(crl);
        issue_destroy(&t);
    }
}


static const char *
test_date(const X509_REVOKED *entry)
{
    return (const char *) X509_REVOKED_get0_revocationDate(entry)->data;
}


static void
test_crl_entries(void **state)
{
    X509_CRL         *crl;
    ASN1_INTEGER     *serial;
    issue_test_t      t;
    X509_REVOKED     *entry;
    cmp_crl_entry_t   entries[4];

    static unsigned char  serials[4][20] = {
        { 0x41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
          20 },
        { 0x80, 1 },
        { 0, 0, 0x7f },
        { 0 }
    };

    (void) state;

    issue_create(&t, PKI_ED25519, 0);
    memset(entries, 0, sizeof(entries));

    entries[0].serial.data = serials[0];
    entries[0].serial.len = 20;
    entries[0].revoked_at = TEST_NOW - TEST_HOUR;

    entries[1].serial.data = serials[1];
    entries[1].serial.len = 2;
    entries[1].revoked_at = 2524607999000LL;    /* 2049-12-31 23:59:59 */
    entries[1].reason = CRL_REASON_KEY_COMPROMISE;

    entries[2].serial.data = serials[2];
    entries[2].serial.len = 3;
    entries[2].revoked_at = 2524608000000LL;
    entries[2].invalidity = TEST_NOW - TEST_YEAR + 1;

    entries[3].serial.data = serials[3];
    entries[3].serial.len = 1;
    entries[3].revoked_at = TEST_NOW;
    entries[3].reason = CRL_REASON_CERTIFICATE_HOLD;
    entries[3].invalidity = 1000;

    crl = test_crl_make(&t, 0, entries, 4);

    assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 4);

    entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0);
    assert_memory_equal(X509_REVOKED_get0_serialNumber(entry)->data,
                        serials[0], 20);
    assert_string_equal(test_date(entry),
                        "291231230000Z");
    test_crl_ext(entry, -1, NULL);

    entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 1);
    assert_int_equal(ASN1_INTEGER_get(X509_REVOKED_get0_serialNumber(entry)),
                     0x8001);
    assert_string_equal(test_date(entry),
                        "491231235959Z");
    test_crl_ext(entry, CRL_REASON_KEY_COMPROMISE, NULL);

    entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 2);
    assert_int_equal(ASN1_INTEGER_get(X509_REVOKED_get0_serialNumber(entry)),
                     0x7f);
    assert_string_equal(test_date(entry),
                        "20500101000000Z");
    test_crl_ext(entry, -1, "20290101000000Z");

    entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 3);
    test_crl_ext(entry, CRL_REASON_CERTIFICATE_HOLD, "19700101000001Z");

    serial = ASN1_INTEGER_new();
    ASN1_INTEGER_set(serial, 0x8001);
    assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 1);
    ASN1_INTEGER_free(serial);

    ERR_clear_error();
    X509_CRL_free(crl);
    issue_destroy(&t);
}


static void
test_crl_refused(void **state)
{
    size_t             i;
    issue_test_t       t;
    unsigned char      serial[40];
    cmp_crl_entry_t    entry;
    cmp_crl_params_t   params;

    static const int64_t  times[] = { -1, 253402300800000LL };
    static const int      reasons[] = { -1, 7, 8, 11 };

    (void) state;

    issue_create(&t, PKI_ED25519, 0);
    test_crl_params(&t, &params);

    memset(serial, 1, sizeof(serial));
    memset(&entry, 0, sizeof(cmp_crl_entry_t));
    entry.serial.data = serial;
    entry.serial.len = 20;
    entry.revoked_at = TEST_NOW;

    assert_true(test_crl_try(&t, &params, &entry, 1));

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        entry.reason = reasons[i];
        assert_false(test_crl_try(&t, &params, &entry, 1));
    }

    entry.reason = 0;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        entry.revoked_at = times[i];
        assert_false(test_crl_try(&t, &params, &entry, 1));
        entry.revoked_at = TEST_NOW;
        entry.invalidity = times[i];
        assert_false(test_crl_try(&t, &params, &entry, 1));
        entry.invalidity = 0;
    }

    entry.serial.len = 33;
    assert_false(test_crl_try(&t, &params, &entry, 1));
    entry.serial.len = 0;
    assert_false(test_crl_try(&t, &params, &entry, 1));
    entry.serial.len = 32;
    serial[0] = 0x80;
    assert_true(test_crl_try(&t, &params, &entry, 1));

    params.number = -1;
    assert_false(test_crl_try(&t, &params, &entry, 1));
    params.number = 5;
    params.base = 5;
    assert_false(test_crl_try(&t, &params, &entry, 1));
    params.base = -1;
    assert_false(test_crl_try(&t, &params, &entry, 1));
    params.base = 4;
    assert_true(test_crl_try(&t, &params, &entry, 1));
    params.partition = 1;
    assert_false(test_crl_try(&t, &params, &entry, 1));
    params.partition = 0;
    params.next_update = params.this_update - 1;
    assert_false(test_crl_try(&t, &params, &entry, 1));

    assert_int_equal(ERR_peek_error(), 0);
    issue_destroy(&t);
}


/* the URI of the only distribution point, or of the issuing one */

static const char *
test_crl_uri(const DIST_POINT_NAME *name)
{
    GENERAL_NAME  *url;

    assert_non_null(name);
    assert_int_equal(name->type, 0);
    assert_int_equal(sk_GENERAL_NAME_num(name->name.fullname), 1);

    url = sk_GENERAL_NAME_value(name->name.fullname, 0);
    assert_int_equal(url->type, GEN_URI);

    return (const char *) url->d.uniformResourceIdentifier->data;
}


static void
test_crl_extensions(X509_CRL *crl, const char *partition, const char *freshest,
    int64_t base)
{
    int                  critical;
    int64_t              n;
    ASN1_INTEGER        *number;
    CRL_DIST_POINTS     *points;
    ISSUING_DIST_POINT  *point;

    point = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point,
                                 &critical, NULL);

    if (partition == NULL) {
        assert_null(point);
        assert_int_equal(critical, -1);

    } else {
        assert_non_null(point);
        assert_int_equal(critical, 1);
        assert_string_equal(test_crl_uri(point->distpoint), partition);
        assert_int_equal(point->onlyuser | point->onlyCA | point->indirectCRL
                         | point->onlyattr, 0);
        assert_null(point->onlysomereasons);
        ISSUING_DIST_POINT_free(point);
    }

    points = X509_CRL_get_ext_d2i(crl, NID_freshest_crl, &critical, NULL);

    if (freshest == NULL) {
        assert_null(points);
        assert_int_equal(critical, -1);

    } else {
        assert_int_equal(sk_DIST_POINT_num(points), 1);
        assert_int_equal(critical, 0);
        assert_string_equal(test_crl_uri(sk_DIST_POINT_value(points, 0)
                                         ->distpoint), freshest);
        CRL_DIST_POINTS_free(points);
    }

    number = X509_CRL_get_ext_d2i(crl, NID_delta_crl, &critical, NULL);

    if (base == 0) {
        assert_null(number);
        assert_int_equal(critical, -1);

    } else {
        assert_non_null(number);
        assert_int_equal(critical, 1);
        assert_true(ASN1_INTEGER_get_int64(&n, number));
        assert_int_equal(n, base);
        ASN1_INTEGER_free(number);
    }

    X509_CRL_free(crl);
}


static void
test_crl_kinds(void **state)
{
    X509_CRL          *crl;
    issue_test_t       t;
    X509_REVOKED      *revoked;
    unsigned char      serial;
    cmp_crl_entry_t    entry;
    cmp_crl_params_t   params;

    (void) state;

    issue_create(&t, PKI_ED25519, 0);
    test_crl_params(&t, &params);
    params.number = 300;

    t.ca.crl_delta = 3600000;

    test_crl_extensions(test_crl_decode(&t, &params, NULL, 0), NULL, NULL, 0);

    t.ca.crl_delta_url = test_str("http://a.example/d-$partition.crl");
    t.ca.crl_partition_url = test_str("http://a.example/$partition");

    test_crl_extensions(test_crl_decode(&t, &params, NULL, 0), NULL,
                        "http://a.example/d-0.crl", 0);

    params.partition = 1024;
    test_crl_extensions(test_crl_decode(&t, &params, NULL, 0),
                        "http://a.example/1024",
                        "http://a.example/d-1024.crl", 0);

    params.base = 128;
    test_crl_extensions(test_crl_decode(&t, &params, NULL, 0),
                        "http://a.example/1024", NULL, 128);

    params.partition = 0;
    test_crl_extensions(test_crl_decode(&t, &params, NULL, 0), NULL, NULL,
                        128);

    /* an entry that only a delta CRL may have */

    memset(&entry, 0, sizeof(cmp_crl_entry_t));
    serial = 9;
    entry.serial.data = &serial;
    entry.serial.len = 1;
    entry.revoked_at = TEST_NOW;
    entry.reason = CRL_REASON_REMOVE_FROM_CRL;

    crl = test_crl_decode(&t, &params, &entry, 1);
    revoked = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0);
    test_crl_ext(revoked, CRL_REASON_REMOVE_FROM_CRL, NULL);
    X509_CRL_free(crl);

    issue_destroy(&t);
}


/* another key under the same name */

static void
test_crl_previous(void **state)
{
    X509_CRL          *crl;
    cmp_issuer_t       previous;
    issue_test_t       t, old;
    AUTHORITY_KEYID   *aki;
    cmp_crl_params_t   params;

    (void) state;

    issue_create(&t, PKI_ED25519, 0);
    issue_create(&old, PKI_RSA, 0);
    test_crl_params(&t, &params);

    previous = old.ca.current;
    params.issuer = &previous;

    crl = test_crl_decode(&t, &params, NULL, 0);

    assert_int_equal(X509_NAME_cmp(X509_CRL_get_issuer(crl), t.ca.subject), 0);

    aki = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, NULL, NULL);
    assert_non_null(aki);
    assert_int_equal(ASN1_OCTET_STRING_cmp(aki->keyid,
                         X509_get0_subject_key_id(previous.certificate)), 0);
    AUTHORITY_KEYID_free(aki);
    X509_CRL_free(crl);

    issue_destroy(&old);
    issue_destroy(&t);
}


static void
test_crl_partitions(void **state)
{
    int            i, n, seen[8];
    cmp_str_t      serial;
    issue_test_t   t;
    unsigned char  data[20];

    (void) state;

    issue_create(&t, PKI_ED25519, 0);

    serial.data = data;
    serial.len = 20;
    memset(data, 0xff, sizeof(data));
    memset(seen, 0, sizeof(seen));

    assert_int_equal(cmp_crl_partition(&t.ca, &serial), 0);

    t.ca.crl_partitions = 8;

    for (i = 0; i < 256; i++) {
        data[19] = (unsigned char) i;
        n = cmp_crl_partition(&t.ca, &serial);
        assert_true(n >= 1 && n <= 8);
        seen[n - 1]++;
    }

    for (i = 0; i < 8; i++) {
        assert_int_equal(seen[i], 32);
    }

    t.ca.crl_partitions = 1000;
    memcpy(data + 16, "\xff\xff\xff\xff", 4);
    assert_int_equal(cmp_crl_partition(&t.ca, &serial),
                     1 + 4294967295U % 1000);
    serial.len = 1;
    data[0] = 7;
    assert_int_equal(cmp_crl_partition(&t.ca, &serial), 8);

    issue_destroy(&t);
}


/* lengths that need one to three octets */

static void
test_crl_many(void **state)
{
    size_t            i, k;
    X509_CRL         *crl;
    issue_test_t      t;
    cmp_crl_entry_t  *entries;
    unsigned char    *serials;

    static const size_t  counts[] = { 1, 2, 3, 4, 5, 6, 7, 1500, 20000 };

    (void) state;

    issue_create(&t, PKI_ED25519, 0);

    entries = calloc(20000, sizeof(cmp_crl_entry_t));
    serials = calloc(20000, 20);
    assert_true(entries != NULL && serials != NULL);

    for (i = 0; i < 20000; i++) {
        memset(serials + 20 * i, 0x55, 20);
        memcpy(serials + 20 * i + 10, &i, sizeof(i));
        entries[i].serial.data = serials + 20 * i;
        entries[i].serial.len = 20;
        entries[i].revoked_at = TEST_NOW;
        entries[i].reason = (i & 1) ? CRL_REASON_SUPERSEDED : 0;
    }

    for (k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
        crl = test_crl_make(&t, 1, entries, counts[k]);
        assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)),
                         counts[k]);
        X509_CRL_free(crl);
    }

    free(entries);
    free(serials);
    issue_destroy(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_crl_empty),
        cmocka_unit_test(test_crl_entries),
        cmocka_unit_test(test_crl_refused),
        cmocka_unit_test(test_crl_kinds),
        cmocka_unit_test(test_crl_previous),
        cmocka_unit_test(test_crl_partitions),
        cmocka_unit_test(test_crl_many)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
