
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_ca.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>


#define CMP_CA_MAX_OBJECTS     10000   /* in one file */


static BIO *cmp_ca_open(const char *file, char *err, size_t size);
static int cmp_ca_read_end(const char *file, int n, const char *what,
    char *err, size_t size);
static int cmp_ca_check_crls(const char *file, STACK_OF(X509_CRL) *crls,
    char *err, size_t size);
static int cmp_ca_password(char *buf, int size, int writing, void *data);
static int cmp_ca_read_store_key(const char *uri, const char *password,
    EVP_PKEY **key, char *err, size_t size);


static BIO *
cmp_ca_open(const char *file, char *err, size_t size)
{
    BIO  *bio;

    errno = 0;
    bio = BIO_new_file(file, "r");

    if (bio == NULL) {
        snprintf(err, size, "cannot open \"%s\": %s", file,
                 (errno != 0) ? strerror(errno) : "out of memory");
        cmp_crypto_error(NULL, 0);
    }

    return bio;
}


/* reading has ended: was it at the end of the file? */

static int
cmp_ca_read_end(const char *file, int n, const char *what, char *err,
    size_t size)
{
    char           reason[128];
    unsigned long  error;

    error = ERR_peek_last_error();

    if (n != 0 && ERR_GET_LIB(error) == ERR_LIB_PEM
        && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
    {
        cmp_crypto_error(NULL, 0);
        return CMP_OK;
    }

    cmp_crypto_error(reason, sizeof(reason));

    if (n == CMP_CA_MAX_OBJECTS) {
        snprintf(err, size, "more than %d of them in \"%s\"",
                 CMP_CA_MAX_OBJECTS, file);

    } else if (ERR_GET_LIB(error) == ERR_LIB_PEM
               && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
    {
        snprintf(err, size, "no %s in \"%s\", it must be in PEM format", what,
                 file);

    } else {
        snprintf(err, size, "cannot read %s %d of \"%s\": %s", what, n + 1,
                 file, reason);
    }

    return CMP_ERROR;
}


int
cmp_ca_read_certificates(const char *file, STACK_OF(X509) **certs, char *err,
    size_t size)
{
    int              n, rc;
    BIO             *bio;
    X509            *cert;
    STACK_OF(X509)  *list;

    *certs = NULL;

    bio = cmp_ca_open(file, err, size);
    if (bio == NULL) {
        return CMP_ERROR;
    }

    list = sk_X509_new_null();
    if (list == NULL) {
        BIO_free(bio);
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    for (n = 0; n < CMP_CA_MAX_OBJECTS; n++) {
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (cert == NULL) {
            break;
        }

        if (!sk_X509_push(list, cert)) {
            X509_free(cert);
            break;
        }
    }

    rc = cmp_ca_read_end(file, n, "certificate", err, size);

    BIO_free(bio);

    if (rc != CMP_OK) {
        sk_X509_pop_free(list, X509_free);
        return CMP_ERROR;
    }

    *certs = list;

    return CMP_OK;
}


int
cmp_ca_read_crls(const char *file, STACK_OF(X509_CRL) **crls, char *err,
    size_t size)
{
    int                  n, rc;
    BIO                 *bio;
    X509_CRL            *crl;
    STACK_OF(X509_CRL)  *list;

    *crls = NULL;

    bio = cmp_ca_open(file, err, size);
    if (bio == NULL) {
        return CMP_ERROR;
    }

    list = sk_X509_CRL_new_null();
    if (list == NULL) {
        BIO_free(bio);
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    for (n = 0; n < CMP_CA_MAX_OBJECTS; n++) {
        crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);

        if (crl == NULL) {
            break;
        }

        if (!sk_X509_CRL_push(list, crl)) {
            X509_CRL_free(crl);
            break;
        }
    }

    rc = cmp_ca_read_end(file, n, "CRL", err, size);

    BIO_free(bio);

    if (rc == CMP_OK) {
        rc = cmp_ca_check_crls(file, list, err, size);
    }

    if (rc != CMP_OK) {
        sk_X509_CRL_pop_free(list, X509_CRL_free);
        return CMP_ERROR;
    }

    *crls = list;

    return CMP_OK;
}


/* libcrypto would take a delta CRL for a newer complete one */

static int
cmp_ca_check_crls(const char *file, STACK_OF(X509_CRL) *crls, char *err,
    size_t size)
{
    int  i;

    for (i = 0; i < sk_X509_CRL_num(crls); i++) {

        if (X509_CRL_get_ext_by_NID(sk_X509_CRL_value(crls, i), NID_delta_crl,
                                    -1)
            >= 0)
        {
            snprintf(err, size, "there is a delta CRL in \"%s\"", file);
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/* never prompts: nginx may have a terminal */

static int
cmp_ca_password(char *buf, int size, int writing, void *data)
{
    size_t       len;
    const char  *password = data;

    (void) writing;

    if (password == NULL) {
        return -1;
    }

    len = strlen(password);

    if (len > (size_t) size) {
        return -1;
    }

    memcpy(buf, password, len);

    return (int) len;
}


int
cmp_ca_read_key(const char *file, const char *password, EVP_PKEY **key,
    char *err, size_t size)
{
    BIO            *bio;
    char            reason[128];
    unsigned long   error;

    *key = NULL;

    if (strncmp(file, "store:", 6) == 0) {
        return cmp_ca_read_store_key(file + 6, password, key, err, size);
    }

    bio = cmp_ca_open(file, err, size);
    if (bio == NULL) {
        return CMP_ERROR;
    }

    *key = PEM_read_bio_PrivateKey(bio, NULL, cmp_ca_password,
                                   (void *) password);

    BIO_free(bio);

    error = ERR_peek_last_error();
    cmp_crypto_error(reason, sizeof(reason));

    if (*key != NULL) {
        return CMP_OK;
    }

    if (ERR_GET_LIB(error) == ERR_LIB_PEM
        && ERR_GET_REASON(error) == PEM_R_BAD_PASSWORD_READ)
    {
        snprintf(err, size, "the key in \"%s\" is encrypted and no password "
                 "for it is set", file);

    } else if (password == NULL
               && ERR_GET_LIB(error) == ERR_LIB_OSSL_DECODER
               && ERR_GET_REASON(error) == ERR_R_UNSUPPORTED)
    {
        snprintf(err, size, "no private key in \"%s\", it must be in PEM "
                 "format and of a kind that this OpenSSL supports", file);

    } else {
        snprintf(err, size, "cannot read the key in \"%s\"%s: %s", file,
                 (password != NULL) ? ", is its password right" : "", reason);
    }

    return CMP_ERROR;
}


static int
cmp_ca_read_store_key(const char *uri, const char *password, EVP_PKEY **key,
    char *err, size_t size)
{
    char              reason[128];
    UI_METHOD        *ui;
    OSSL_STORE_CTX   *store;
    OSSL_STORE_INFO  *info;

    store = NULL;
    ui = UI_UTIL_wrap_read_pem_callback(cmp_ca_password, 0);

    if (ui != NULL) {
        store = OSSL_STORE_open(uri, ui, (void *) password, NULL, NULL);
    }

    if (store != NULL) {
        (void) OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    }

    while (store != NULL && *key == NULL && !OSSL_STORE_eof(store)) {
        info = OSSL_STORE_load(store);

        if (info == NULL) {
            if (OSSL_STORE_error(store)) {
                break;
            }

            continue;
        }

        if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY) {
            *key = OSSL_STORE_INFO_get1_PKEY(info);
        }

        OSSL_STORE_INFO_free(info);
    }

    OSSL_STORE_close(store);
    UI_destroy_method(ui);

    cmp_crypto_error(reason, sizeof(reason));

    if (*key == NULL) {
        snprintf(err, size, "no private key at \"%s\"%s%s", uri,
                 (reason[0] != '\0') ? ": " : "", reason);
        return CMP_ERROR;
    }

    return CMP_OK;
}
