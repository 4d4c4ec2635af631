
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Reading of certificates, keys and CRLs.
 */


#include <test_util.h>
#include <pki.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>


static X509 *test_cert(EVP_PKEY *key);
static void test_write(const char *path, const char *text);


static X509 *
test_cert(EVP_PKEY *key)
{
    pki_cert_t  conf;

    memset(&conf, 0, sizeof(pki_cert_t));
    conf.subject = "/CN=CA";
    conf.key = key;
    conf.serial = 1;
    conf.not_before = TEST_NOW;
    conf.not_after = TEST_NOW + TEST_HOUR;

    return pki_cert(&conf);
}


static void
test_write(const char *path, const char *text)
{
    FILE  *file;

    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}


static void
test_ca_read_certificates(void **state)
{
    char             path[] = "/tmp/cmp_test_XXXXXX", err[400];
    FILE            *file;
    X509            *cert;
    EVP_PKEY        *own;
    STACK_OF(X509)  *certs;

    (void) state;

    own = pki_key(PKI_P256, "CA");
    cert = test_cert(own);
    close(mkstemp(path));

    assert_int_equal(cmp_ca_read_certificates("/nonexistent", &certs, err,
                                              sizeof(err)), CMP_ERROR);
    assert_string_equal(err, "cannot open \"/nonexistent\": No such file or "
                        "directory");

    test_write(path, "");
    assert_int_equal(cmp_ca_read_certificates(path, &certs, err, sizeof(err)),
                     CMP_ERROR);
    assert_memory_equal(err, "no certificate in \"", 19);
    assert_null(certs);

    file = fopen(path, "w");
    fputs("comment\n", file);
    PEM_write_X509(file, cert);
    PEM_write_X509(file, cert);
    fclose(file);
    test_ok(cmp_ca_read_certificates(path, &certs, err, sizeof(err)));
    assert_int_equal(sk_X509_num(certs), 2);
    assert_int_equal(X509_cmp(sk_X509_value(certs, 1), cert), 0);
    sk_X509_pop_free(certs, X509_free);

    /* the second one is broken: not silently left out */

    file = fopen(path, "a");
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
          file);
    fclose(file);
    assert_int_equal(cmp_ca_read_certificates(path, &certs, err, sizeof(err)),
                     CMP_ERROR);
    assert_memory_equal(err, "cannot read certificate 3 of \"", 30);
    assert_int_equal(ERR_peek_error(), 0);

    unlink(path);
    X509_free(cert);
    EVP_PKEY_free(own);
}


static void
test_ca_read_key(void **state)
{
    char       path[] = "/tmp/cmp_test_XXXXXX", uri[64], err[400];
    FILE      *file;
    X509      *cert;
    EVP_PKEY  *own, *key;

    (void) state;

    own = pki_key(PKI_P256, "CA");
    cert = test_cert(own);
    close(mkstemp(path));
    snprintf(uri, sizeof(uri), "store:file:%s", path);

    assert_int_equal(cmp_ca_read_key("/nonexistent", NULL, &key, err,
                                     sizeof(err)), CMP_ERROR);
    assert_memory_equal(err, "cannot open \"", 13);

    test_write(path, "nothing");
    assert_int_equal(cmp_ca_read_key(path, NULL, &key, err, sizeof(err)),
                     CMP_ERROR);
    assert_memory_equal(err, "no private key in \"", 19);
    assert_int_equal(cmp_ca_read_key(uri, NULL, &key, err, sizeof(err)),
                     CMP_ERROR);
    assert_memory_equal(err, "no private key at \"", 19);
    assert_int_equal(ERR_peek_error(), 0);

    file = fopen(path, "w");
    PEM_write_PrivateKey(file, own, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    test_ok(cmp_ca_read_key(path, NULL, &key, err, sizeof(err)));
    assert_int_equal(EVP_PKEY_eq(key, own), 1);
    assert_int_equal(cmp_sign_slow(key), 0);
    EVP_PKEY_free(key);
    test_ok(cmp_ca_read_key(uri, NULL, &key, err, sizeof(err)));
    assert_int_equal(EVP_PKEY_eq(key, own), 1);
    EVP_PKEY_free(key);

    file = fopen(path, "w");
    PEM_write_PKCS8PrivateKey(file, own, EVP_aes_128_cbc(), "secret", 6,
                              NULL, NULL);
    fclose(file);
    assert_int_equal(cmp_ca_read_key(path, NULL, &key, err, sizeof(err)),
                     CMP_ERROR);
    assert_memory_equal(err, "the key in \"", 12);
    assert_non_null(strstr(err, "is encrypted and no password"));
    assert_int_equal(cmp_ca_read_key(path, "wrong", &key, err, sizeof(err)),
                     CMP_ERROR);
    assert_non_null(strstr(err, "is its password right"));
    assert_int_equal(cmp_ca_read_key(uri, "wrong", &key, err, sizeof(err)),
                     CMP_ERROR);
    assert_int_equal(cmp_ca_read_key(uri, NULL, &key, err, sizeof(err)),
                     CMP_ERROR);
    assert_null(key);
    assert_int_equal(ERR_peek_error(), 0);
    test_ok(cmp_ca_read_key(path, "secret", &key, err, sizeof(err)));
    assert_int_equal(EVP_PKEY_eq(key, own), 1);
    EVP_PKEY_free(key);
    test_ok(cmp_ca_read_key(uri, "secret", &key, err, sizeof(err)));
    EVP_PKEY_free(key);

    unlink(path);
    X509_free(cert);
    EVP_PKEY_free(own);
}


static void
test_ca_read_crls(void **state)
{
    char                 path[] = "/tmp/cmp_test_XXXXXX", err[400];
    FILE                *file;
    X509                *cert;
    EVP_PKEY            *own;
    X509_CRL            *crl;
    X509_EXTENSION      *ext;
    STACK_OF(X509_CRL)  *crls;

    (void) state;

    own = pki_key(PKI_P256, "CA");
    cert = test_cert(own);
    close(mkstemp(path));

    test_write(path, "x");
    assert_int_equal(cmp_ca_read_crls(path, &crls, err, sizeof(err)),
                     CMP_ERROR);
    assert_memory_equal(err, "no CRL in \"", 11);

    crl = pki_crl(cert, own, TEST_NOW, TEST_NOW + TEST_HOUR, NULL,
                  0);
    file = fopen(path, "w");
    PEM_write_X509_CRL(file, crl);
    fclose(file);
    test_ok(cmp_ca_read_crls(path, &crls, err, sizeof(err)));
    assert_int_equal(sk_X509_CRL_num(crls), 1);
    sk_X509_CRL_pop_free(crls, X509_CRL_free);

    /* a delta CRL beside it */

    ext = pki_extension(NID_delta_crl, "DER:020106");
    assert_int_equal(X509_CRL_add_ext(crl, ext, -1), 1);
    assert_true(X509_CRL_sign(crl, own, EVP_sha256()) > 0);
    X509_EXTENSION_free(ext);

    file = fopen(path, "a");
    PEM_write_X509_CRL(file, crl);
    fclose(file);
    assert_int_equal(cmp_ca_read_crls(path, &crls, err, sizeof(err)),
                     CMP_ERROR);
    assert_memory_equal(err, "there is a delta CRL in \"", 25);
    X509_CRL_free(crl);

    unlink(path);
    X509_free(cert);
    EVP_PKEY_free(own);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ca_read_certificates),
        cmocka_unit_test(test_ca_read_key),
        cmocka_unit_test(test_ca_read_crls)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
