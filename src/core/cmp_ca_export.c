
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The certificates of a CA for those who look for them by its URL (RFC 5280,
 * 4.2.2.1).
 */


#include <cmp_ca.h>

#include <string.h>

#include <openssl/pem.h>
#include <openssl/pkcs7.h>


static STACK_OF(X509) *cmp_ca_export_certs(const cmp_ca_t *ca, size_t n);
static int cmp_ca_export_pem(STACK_OF(X509) *certs, cmp_pool_t *pool,
    cmp_str_t *out);
static int cmp_ca_export_pkcs7(STACK_OF(X509) *certs, cmp_pool_t *pool,
    cmp_str_t *out);


int
cmp_ca_export(const cmp_ca_t *ca, size_t n, cmp_export_e format,
    cmp_pool_t *pool, cmp_str_t *out)
{
    int              rc, len;
    unsigned char   *der;
    STACK_OF(X509)  *certs;

    if (format == CMP_EXPORT_DER) {
        der = NULL;
        len = i2d_X509(cmp_ca_issuer(ca, n)->certificate, &der);
        rc = (len > 0) ? cmp_pstrdup(pool, out, der, len) : CMP_ERROR;

        OPENSSL_free(der);
        cmp_crypto_error(NULL, 0);

        return rc;
    }

    certs = cmp_ca_export_certs(ca, n);
    if (certs == NULL) {
        return CMP_ERROR;
    }

    rc = (format == CMP_EXPORT_PEM) ? cmp_ca_export_pem(certs, pool, out)
                                    : cmp_ca_export_pkcs7(certs, pool, out);

    sk_X509_free(certs);
    cmp_crypto_error(NULL, 0);

    return rc;
}


/*
 * The certificate and those above it up to the root, which whoever trusts it
 * has already; borrowed.  What is above a previous one is not known.
 */

static STACK_OF(X509) *
cmp_ca_export_certs(const cmp_ca_t *ca, size_t n)
{
    int              i, ok;
    X509            *cert;
    STACK_OF(X509)  *certs;

    certs = sk_X509_new_null();

    ok = (certs != NULL
          && sk_X509_push(certs, cmp_ca_issuer(ca, n)->certificate) > 0);

    for (i = 0; ok && n == 0 && i < sk_X509_num(ca->chain); i++) {

        cert = sk_X509_value(ca->chain, i);

        if (cert != ca->root) {
            ok = (sk_X509_push(certs, cert) > 0);
        }
    }

    if (ok) {
        return certs;
    }

    sk_X509_free(certs);
    cmp_crypto_error(NULL, 0);

    return NULL;
}


static int
cmp_ca_export_pem(STACK_OF(X509) *certs, cmp_pool_t *pool, cmp_str_t *out)
{
    int    i, rc, len;
    BIO   *bio;
    char  *data;

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_OK;

    for (i = 0; rc == CMP_OK && i < sk_X509_num(certs); i++) {
        if (PEM_write_bio_X509(bio, sk_X509_value(certs, i)) != 1) {
            rc = CMP_ERROR;
        }
    }

    if (rc == CMP_OK) {
        len = (int) BIO_get_mem_data(bio, &data);
        rc = cmp_pstrdup(pool, out, data, len);
    }

    BIO_free(bio);

    return rc;
}


/* SignedData without content and without signatures (RFC 2797, 2.1) */

static int
cmp_ca_export_pkcs7(STACK_OF(X509) *certs, cmp_pool_t *pool, cmp_str_t *out)
{
    int             i, rc, len;
    PKCS7          *p7;
    unsigned char  *der;

    rc = CMP_ERROR;
    der = NULL;

    p7 = PKCS7_new();

    if (p7 == NULL
        || PKCS7_set_type(p7, NID_pkcs7_signed) != 1
        || PKCS7_content_new(p7, NID_pkcs7_data) != 1
        || PKCS7_set_detached(p7, 1) != 1)
    {
        goto done;
    }

    for (i = 0; i < sk_X509_num(certs); i++) {
        if (PKCS7_add_certificate(p7, sk_X509_value(certs, i)) != 1) {
            goto done;
        }
    }

    len = i2d_PKCS7(p7, &der);

    if (len > 0) {
        rc = cmp_pstrdup(pool, out, der, len);
    }

done:

    OPENSSL_free(der);
    PKCS7_free(p7);

    return rc;
}
