
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Many devices of one manufacturer, for cmpload --certs: see --help.
 */


#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>


#define DEVICE_MAX         100000
#define DEVICE_SERIAL_LEN  16
#define DEVICE_DAYS        3650


static void device_usage(void) __attribute__ ((noreturn));
static void device_fatal(const char *fmt, ...)
    __attribute__ ((format (printf, 1, 2), noreturn));
static long device_number(const char *text);
static void device_read(const char *path, X509 **ca, EVP_PKEY **key);
static void device_make(const char *folder, long number, X509 *ca,
    EVP_PKEY *ca_key);
static X509 *device_cert(long number, EVP_PKEY *key, X509 *ca,
    EVP_PKEY *ca_key);
static void device_name(X509 *cert, const X509 *ca, long number);
static void device_extension(X509 *cert, X509 *ca, int nid,
    const char *value);
static void device_write(const char *path, X509 *cert, EVP_PKEY *key);


#define device_must(expr)                                                     \
    do {                                                                      \
        if (!(expr)) {                                                        \
            ERR_print_errors_fp(stderr);                                      \
            device_fatal("%s failed", #expr);                                 \
        }                                                                     \
    } while (0)


int
main(int argc, char **argv)
{
    long       i, n;
    X509      *ca;
    EVP_PKEY  *key;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        device_usage();
    }

    if (argc != 4) {
        device_fatal("three arguments are needed, see --help");
    }

    device_read(argv[1], &ca, &key);
    n = device_number(argv[2]);

    (void) umask(077);

    if (mkdir(argv[3], 0700) != 0) {
        device_fatal("\"%s\": %s", argv[3], strerror(errno));
    }

    for (i = 0; i < n; i++) {
        device_make(argv[3], i, ca, key);
    }

    X509_free(ca);
    EVP_PKEY_free(key);

    return 0;
}


static void
device_usage(void)
{
    printf(
"Usage: device_certs CA N FOLDER\n"
"\n"
"Makes FOLDER, and in it N files device-000000.pem and so on: a certificate\n"
"of the CA, whose certificate and key are CA.pem and CA.key, and its P-256\n"
"key.  Their subjects differ in serialNumber.\n");

    exit(0);
}


static void
device_fatal(const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "device_certs: ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");
    exit(2);
}


static long
device_number(const char *text)
{
    long   n;
    char  *end;

    n = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || n < 1 || n > DEVICE_MAX) {
        device_fatal("from 1 to %d devices, not \"%s\"", DEVICE_MAX, text);
    }

    return n;
}


static void
device_read(const char *path, X509 **ca, EVP_PKEY **key)
{
    int    i;
    FILE  *fp;
    char   file[4096];

    for (i = 0; i < 2; i++) {

        if (snprintf(file, sizeof(file), "%s.%s", path,
                     (i == 0) ? "pem" : "key")
            >= (int) sizeof(file))
        {
            device_fatal("the path is too long");
        }

        fp = fopen(file, "r");
        if (fp == NULL) {
            device_fatal("\"%s\": %s", file, strerror(errno));
        }

        if (i == 0) {
            *ca = PEM_read_X509(fp, NULL, NULL, NULL);
            device_must(*ca != NULL);

        } else {
            *key = PEM_read_PrivateKey(fp, NULL, NULL, NULL);
            device_must(*key != NULL);
        }

        (void) fclose(fp);
    }

    device_must(X509_check_private_key(*ca, *key) == 1);
}


static void
device_make(const char *folder, long number, X509 *ca, EVP_PKEY *ca_key)
{
    char       path[4096];
    X509      *cert;
    EVP_PKEY  *key;

    if (snprintf(path, sizeof(path), "%s/device-%06ld.pem", folder, number)
        >= (int) sizeof(path))
    {
        device_fatal("the path is too long");
    }

    key = EVP_EC_gen("P-256");
    device_must(key != NULL);

    cert = device_cert(number, key, ca, ca_key);

    device_write(path, cert, key);

    X509_free(cert);
    EVP_PKEY_free(key);
}


/* as t/lib/mkpki has them made */

static X509 *
device_cert(long number, EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key)
{
    X509           *cert;
    BIGNUM         *bn;
    unsigned char   serial[DEVICE_SERIAL_LEN];

    cert = X509_new();
    device_must(cert != NULL);

    device_must(RAND_bytes(serial, DEVICE_SERIAL_LEN) == 1);
    serial[0] = (serial[0] & 0x3f) | 0x40;

    bn = BN_bin2bn(serial, DEVICE_SERIAL_LEN, NULL);
    device_must(bn != NULL);
    device_must(BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL);
    BN_free(bn);

    device_must(X509_set_version(cert, X509_VERSION_3) == 1);
    device_must(X509_set_issuer_name(cert, X509_get_subject_name(ca)) == 1);
    device_must(X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL);
    device_must(X509_time_adj_ex(X509_getm_notAfter(cert), DEVICE_DAYS, 0,
                                 NULL)
                != NULL);
    device_must(X509_set_pubkey(cert, key) == 1);

    device_name(cert, ca, number);

    device_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE");
    device_extension(cert, ca, NID_key_usage, "critical,digitalSignature");
    device_extension(cert, ca, NID_subject_key_identifier, "hash");
    device_extension(cert, ca, NID_authority_key_identifier, "keyid:always");

    device_must(X509_sign(cert, ca_key, NULL) > 0);

    return cert;
}


/* that of the CA, with another CN and a serialNumber */

static void
device_name(X509 *cert, const X509 *ca, long number)
{
    int         i;
    char        text[32];
    X509_NAME  *name;

    name = X509_NAME_dup(X509_get_subject_name(ca));
    device_must(name != NULL);

    while ((i = X509_NAME_get_index_by_NID(name, NID_commonName, -1)) >= 0) {
        X509_NAME_ENTRY_free(X509_NAME_delete_entry(name, i));
    }

    (void) snprintf(text, sizeof(text), "%ld", 100000 + number);

    device_must(X509_NAME_add_entry_by_NID(name, NID_commonName,
                                           MBSTRING_UTF8,
                                           (const unsigned char *) "device",
                                           -1, -1, 0)
                == 1);
    device_must(X509_NAME_add_entry_by_NID(name, NID_serialNumber,
                                           MBSTRING_UTF8,
                                           (const unsigned char *) text, -1,
                                           -1, 0)
                == 1);
    device_must(X509_set_subject_name(cert, name) == 1);

    X509_NAME_free(name);
}


static void
device_extension(X509 *cert, X509 *ca, int nid, const char *value)
{
    X509V3_CTX       ctx;
    X509_EXTENSION  *ext;

    X509V3_set_ctx(&ctx, ca, cert, NULL, NULL, 0);

    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    device_must(ext != NULL);
    device_must(X509_add_ext(cert, ext, -1) == 1);

    X509_EXTENSION_free(ext);
}


static void
device_write(const char *path, X509 *cert, EVP_PKEY *key)
{
    FILE  *fp;

    fp = fopen(path, "w");
    if (fp == NULL) {
        device_fatal("\"%s\": %s", path, strerror(errno));
    }

    device_must(PEM_write_X509(fp, cert) == 1);
    device_must(PEM_write_PrivateKey(fp, key, NULL, NULL, 0, NULL, NULL)
                == 1);

    if (fclose(fp) != 0) {
        device_fatal("\"%s\": %s", path, strerror(errno));
    }
}
