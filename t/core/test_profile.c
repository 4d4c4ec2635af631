
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The words of a profile and the cross-checks when it is complete.
 */


#include <test_util.h>

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>


typedef int (*test_add_pt)(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size);


typedef struct {
    test_add_pt      add;
    const char      *words;         /* separated by ';' */
    const char      *err;           /* of the last one; NULL: none */
} test_words_t;


/* a profile as in the configuration, and what is said when it ends */

typedef struct {
    const char      *keys;
    const char      *key_usage;
    const char      *ext_key_usage;
    const char      *extensions;
    int              flags;
    const char      *err;
} test_finish_t;


#define TEST_CA            0x01
#define TEST_RA            0x02
#define TEST_PATH          0x04
#define TEST_SAN           0x08
#define TEST_CRL           0x10
#define TEST_BAD_URL       0x20
#define TEST_NO_VALIDITY   0x40
#define TEST_LONG          0x80
#define TEST_BACKDATE      0x100
#define TEST_NO_NAME       0x200
#define TEST_AIA           0x400


static int test_add(cmp_profile_t *profile, cmp_pool_t *pool, test_add_pt add,
    const char *words, char *err, size_t size);


static const test_words_t  test_words[] = {
    { cmp_profile_add_key, "ec:P-256;rsa:2048-4096;ed25519", NULL },
    { cmp_profile_add_key, "ec:P-256;dsa", "unknown key \"dsa\"" },

    { cmp_profile_add_key_usage, "digitalSignature;keyAgreement", NULL },
    { cmp_profile_add_key_usage, "digitalSignature;digitalSignature",
      "\"digitalSignature\" is given twice" },
    { cmp_profile_add_key_usage, "nonRepudiation;contentCommitment",
      "\"contentCommitment\" is given twice" },
    { cmp_profile_add_key_usage, "digitalsignature",
      "unknown key usage \"digitalsignature\"" },

    { cmp_profile_add_ext_key_usage,
      "clientAuth;serverAuth;cmcRA;1.3.6.1.5.5.7.3.4", NULL },
    { cmp_profile_add_ext_key_usage, "clientAuth;1.3.6.1.5.5.7.3.2",
      "\"1.3.6.1.5.5.7.3.2\" is given twice" },
    { cmp_profile_add_ext_key_usage, "CN", "unknown extended key usage" },
    { cmp_profile_add_ext_key_usage, "1.", "unknown extended key usage" },
    { cmp_profile_add_ext_key_usage, "", "invalid value" },

    { cmp_profile_add_san, "dns:*.devices.example;ip;email:*@example", NULL },
    { cmp_profile_add_san, "host", "unknown kind of name \"host\"" },
    { cmp_profile_add_san, "dns:$CN", "a placeholder may not be used here" },

    { cmp_profile_add_subject,
      "required=CN,serialNumber;optional=OU;O=\"Example Ltd.\"", NULL },
    { cmp_profile_add_subject, "DC=org;DC=example;OU=a;OU=b;2.5.4.10=x",
      NULL },
    { cmp_profile_add_subject, "required=CN;optional=OU,CN",
      "attribute \"CN\" is given twice" },
    { cmp_profile_add_subject, "O=a;O=b", "attribute \"O\" is given twice" },
    { cmp_profile_add_subject, "OU=a;optional=OU",
      "attribute \"OU\" is given twice" },
    { cmp_profile_add_subject, "required=", "unknown attribute \"\"" },
    { cmp_profile_add_subject, "required=CN,", "unknown attribute \"\"" },
    { cmp_profile_add_subject, "CN", "invalid parameter \"CN\"" },
    { cmp_profile_add_subject, "=x", "invalid parameter \"=x\"" },
    { cmp_profile_add_subject, "XY=x", "unknown attribute \"XY\"" },
    { cmp_profile_add_subject, "C=DEU", "value of attribute \"C\" is too" },
    { cmp_profile_add_subject, "O=", "value of attribute \"O\" is empty" },
    { cmp_profile_add_subject, "O=\"\"", "value of attribute \"O\" is empty" },

    { cmp_profile_add_extension,
      "1.3.6.1.4.1.99999.1;tlsfeature;1.3.6.1.5.5.7.1.3", NULL },
    { cmp_profile_add_extension, "tlsfeature;1.3.6.1.5.5.7.1.24",
      "\"1.3.6.1.5.5.7.1.24\" is given twice" },
    { cmp_profile_add_extension, "subjectAltName",
      "extension \"subjectAltName\" follows rules of its own" },
    { cmp_profile_add_extension, "2.5.29.15",
      "extension \"2.5.29.15\" follows rules of its own" },
    { cmp_profile_add_extension, "CN", "unknown extension \"CN\"" },
    { cmp_profile_add_extension, "bogus", "unknown extension \"bogus\"" }
};


static const test_finish_t  test_finishes[] = {
    { "ec:P-256;ed25519;rsa:2048", "digitalSignature;keyAgreement",
      "clientAuth", NULL, 0, NULL },
    { "ec:P-256", NULL, NULL, NULL, 0, NULL },
    { "ec:P-256", NULL, NULL, NULL, TEST_CA | TEST_PATH, NULL },
    { "ec:P-256", NULL, NULL, NULL, TEST_RA, NULL },
    { "ec:P-256", NULL, "cmcRA;cmKGA", NULL, TEST_RA, NULL },
    { "ec:P-256", NULL, "cmcCA", NULL, TEST_CA, NULL },
    { "ec:P-256", NULL, NULL, NULL, TEST_CRL | TEST_AIA, NULL },
    { NULL, NULL, NULL, NULL, 0, "no \"key\" in the profile" },
    { "ec:P-256", NULL, NULL, NULL, TEST_NO_NAME, "the profile has no name" },
    { "ec:P-256", NULL, NULL, NULL, TEST_NO_VALIDITY,
      "no \"validity\" in the profile" },
    { "ec:P-256", NULL, NULL, NULL, TEST_LONG,
      "\"validity\" is over 100 years" },
    { "ec:P-256", NULL, NULL, NULL, TEST_BACKDATE,
      "\"backdate\" is not within 0 to 30 days" },
    { "ec:P-256", NULL, NULL, NULL, TEST_SAN,
      "\"san\" is required, but no name is allowed" },
    { "ec:P-256", NULL, NULL, NULL, TEST_CA | TEST_RA,
      "a profile is for CA or for RA certificates" },
    { "ec:P-256", NULL, NULL, NULL, TEST_PATH, "the path length is over" },
    { "ec:P-256", NULL, "cmcRA", NULL, 0,
      "\"cmcRA\" is for RA and CA certificates only" },
    { "ec:P-256", NULL, "clientAuth;cmKGA", NULL, 0,
      "\"cmKGA\" is for RA and CA certificates only" },
    { "ec:P-256", "digitalSignature", NULL, NULL, TEST_CA,
      "a profile for CA certificates needs the key usage" },
    { "ec:P-256", "keyCertSign", NULL, NULL, 0,
      "\"keyCertSign\" and \"cRLSign\" are for CA certificates only" },
    { "ec:P-256", "digitalSignature;cRLSign", NULL, NULL, 0,
      "\"keyCertSign\" and \"cRLSign\" are for CA certificates only" },
    { "ec:P-256", "keyAgreement", NULL, NULL, TEST_RA,
      "a profile for RA certificates needs the key usage" },
    { "ec:P-256", "digitalSignature;encipherOnly", NULL, NULL, 0,
      "\"encipherOnly\" and \"decipherOnly\" mean nothing" },
    { "ec:P-256;ed25519", "keyAgreement", NULL, NULL, 0,
      "a key \"ed25519\" serves no key usage of the profile" },
    { "ec:P-256", "digitalSignature;keyEncipherment", NULL, NULL, 0,
      "the key usage \"keyEncipherment\" is served by no key" },
    { "x25519", NULL, NULL, NULL, 0, "a key \"x25519\" serves no key usage" },
    { "ec:P-256", NULL, NULL, "crlDistributionPoints", TEST_CRL,
      "extension \"crlDistributionPoints\" is both made by the profile" },
    { "ec:P-256", NULL, NULL, "authorityInfoAccess", TEST_AIA,
      "extension \"authorityInfoAccess\" is both made by the profile" },
    { "ec:P-256", NULL, NULL, "nameConstraints", TEST_CA, NULL },
    { "ec:P-256", NULL, NULL, "nameConstraints", 0, "nameConstraints, " },
    { "ec:P-256", NULL, NULL, NULL, TEST_BAD_URL,
      "CRL URL \"pki.example\" is not an absolute URI" }
};


/* the result of the last word */

static int
test_add(cmp_profile_t *profile, cmp_pool_t *pool, test_add_pt add,
    const char *words, char *err, size_t size)
{
    int          rc;
    cmp_str_t    word;
    const char  *p, *end;

    for (p = words; /* void */ ; p = end + 1) {
        end = p + strcspn(p, ";");

        assert_int_equal(cmp_pstrdup(pool, &word, p, end - p), CMP_OK);

        rc = add(profile, pool, &word, err, size);

        assert_int_equal(ERR_peek_error(), 0);

        if (*end == '\0') {
            return rc;
        }

        assert_int_equal(rc, CMP_OK);
    }
}


static void
test_profile_words(void **state)
{
    int            rc;
    char           err[300];
    size_t         i;
    cmp_pool_t    *pool;
    cmp_profile_t  profile;

    (void) state;

    for (i = 0; i < sizeof(test_words) / sizeof(test_words[0]); i++) {
        pool = cmp_pool_create();
        cmp_profile_init(&profile);

        rc = test_add(&profile, pool, test_words[i].add, test_words[i].words,
                      err, sizeof(err));

        if (test_words[i].err == NULL) {
            assert_int_equal(rc, CMP_OK);

        } else {
            assert_int_equal(rc, CMP_ERROR);
            err[strlen(test_words[i].err)] = '\0';
            assert_string_equal(err, test_words[i].err);
        }

        cmp_pool_destroy(pool);
    }
}


static void
test_profile_finish(void **state)
{
    int                   rc;
    char                  err[300];
    size_t                i;
    cmp_str_t             url, bad;
    cmp_pool_t           *pool;
    cmp_profile_t         profile;
    const test_finish_t  *f;

    (void) state;

    url = test_str("http://pki.example/x");
    bad = test_str("pki.example");

    for (i = 0; i < sizeof(test_finishes) / sizeof(test_finishes[0]); i++) {
        f = &test_finishes[i];
        pool = cmp_pool_create();
        cmp_profile_init(&profile);

        profile.name = test_str((f->flags & TEST_NO_NAME) ? "" : "device");
        profile.validity = (f->flags & TEST_NO_VALIDITY) ? 0 : 86400;
        profile.validity *= (f->flags & TEST_LONG) ? 36700 : 1;
        profile.backdate = (f->flags & TEST_BACKDATE) ? -1 : 60;
        profile.ca = (f->flags & TEST_CA) != 0;
        profile.ra = (f->flags & TEST_RA) != 0;
        profile.path_len = (f->flags & TEST_PATH) ? 1 : -1;
        profile.san_required = (f->flags & TEST_SAN) != 0;

        if (f->flags & (TEST_CRL | TEST_BAD_URL)) {
            profile.crl_urls = (f->flags & TEST_CRL) ? &url : &bad;
            profile.ncrl_urls = 1;
        }

        if (f->flags & TEST_AIA) {
            profile.ocsp_urls = &url;
            profile.nocsp_urls = 1;
        }

        if (f->keys != NULL) {
            test_ok(test_add(&profile, pool, cmp_profile_add_key, f->keys,
                             err, sizeof(err)));
        }

        if (f->key_usage != NULL) {
            test_ok(test_add(&profile, pool, cmp_profile_add_key_usage,
                             f->key_usage, err, sizeof(err)));
        }

        if (f->ext_key_usage != NULL) {
            test_ok(test_add(&profile, pool, cmp_profile_add_ext_key_usage,
                             f->ext_key_usage, err, sizeof(err)));
        }

        if (f->extensions != NULL) {
            test_ok(test_add(&profile, pool, cmp_profile_add_extension,
                             f->extensions, err, sizeof(err)));
        }

        rc = cmp_profile_finish(&profile, pool, err, sizeof(err));

        if (f->err == NULL) {
            if (rc != CMP_OK) {
                fail_msg("%d: %s", (int) i, err);
            }

            test_ok(rc);
            assert_true(profile.key_usage != 0);
            assert_true(!profile.ra || profile.next_key_usage != 0);

        } else {
            assert_int_equal(rc, CMP_ERROR);
            err[strlen(f->err)] = '\0';
            assert_string_equal(err, f->err);
        }

        assert_int_equal(ERR_peek_error(), 0);
        cmp_pool_destroy(pool);
    }
}


static void
test_profile_result(void **state)
{
    char           err[300];
    cmp_pool_t    *pool;
    cmp_profile_t  profile;

    (void) state;

    pool = cmp_pool_create();
    cmp_profile_init(&profile);

    assert_int_equal(profile.backdate, 60);
    assert_int_equal(profile.path_len, -1);
    assert_int_equal(profile.implicit_confirm, 1);

    test_ok(test_add(&profile, pool, cmp_profile_add_subject,
                     "required=CN,serialNumber;optional=OU;O=\"Example\"",
                     err, sizeof(err)));
    assert_int_equal(profile.nsubject, 4);
    assert_int_equal(profile.subject[0].nid, NID_commonName);
    assert_int_equal(profile.subject[0].required, 1);
    assert_int_equal(profile.subject[1].nid, NID_serialNumber);
    assert_int_equal(profile.subject[2].required, 0);
    assert_int_equal(profile.subject[3].nid, NID_organizationName);
    assert_string_equal((const char *) profile.subject[3].value.data,
                        "Example");

    test_ok(test_add(&profile, pool, cmp_profile_add_san,
                     "upn:*@b;othername:1.2.3;ip", err, sizeof(err)));
    assert_int_equal(profile.nsans, 3);
    assert_int_equal(profile.sans[0].type, GEN_OTHERNAME);
    assert_int_equal(profile.sans[1].oid.len, 5);
    assert_int_equal(profile.sans[1].pattern.len, 0);
    assert_int_equal(profile.sans[2].type, GEN_IPADD);

    cmp_pool_destroy(pool);
}


/* a list has an end */

static void
test_profile_limits(void **state)
{
    int            i, rc;
    char           err[300], text[32];
    cmp_str_t      word;
    cmp_pool_t    *pool;
    cmp_profile_t  profile;

    (void) state;

    pool = cmp_pool_create();
    cmp_profile_init(&profile);

    for (i = 0; i < 64; i++) {
        snprintf(text, sizeof(text), "1.2.3.%d", i);
        word = test_str(text);
        test_ok(cmp_profile_add_extension(&profile, pool, &word, err,
                                          sizeof(err)));
        test_ok(cmp_profile_add_ext_key_usage(&profile, pool, &word, err,
                                              sizeof(err)));
        word = test_str("dns:*.example");
        test_ok(cmp_profile_add_san(&profile, pool, &word, err,
                                    sizeof(err)));
        word = test_str("DC=a");
        test_ok(cmp_profile_add_subject(&profile, pool, &word, err,
                                        sizeof(err)));
        word = test_str("ed25519");
        test_ok(cmp_profile_add_key(&profile, pool, &word, err,
                                    sizeof(err)));
    }

    word = test_str("1.2.4");
    rc = cmp_profile_add_extension(&profile, pool, &word, err, sizeof(err));
    assert_int_equal(rc, CMP_ERROR);
    rc = cmp_profile_add_ext_key_usage(&profile, pool, &word, err,
                                       sizeof(err));
    assert_int_equal(rc, CMP_ERROR);
    word = test_str("ip");
    rc = cmp_profile_add_san(&profile, pool, &word, err, sizeof(err));
    assert_int_equal(rc, CMP_ERROR);
    word = test_str("O=a");
    rc = cmp_profile_add_subject(&profile, pool, &word, err, sizeof(err));
    assert_int_equal(rc, CMP_ERROR);
    word = test_str("ed448");
    rc = cmp_profile_add_key(&profile, pool, &word, err, sizeof(err));
    assert_int_equal(rc, CMP_ERROR);

    cmp_pool_destroy(pool);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_profile_words),
        cmocka_unit_test(test_profile_finish),
        cmocka_unit_test(test_profile_result),
        cmocka_unit_test(test_profile_limits)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
