
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the options name: secrets, certificates, keys, names.
 */


#include <cmpload.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>


char *
load_file_secret(const char *value)
{
    FILE         *fp;
    char          line[1024];
    char         *secret;
    const char   *env;

    if (strncmp(value, "env:", 4) == 0) {
        env = getenv(value + 4);
        if (env == NULL) {
            load_fatal("no variable \"%s\" in the environment", value + 4);
        }

        value = env;

    } else if (strncmp(value, "file:", 5) == 0) {
        fp = fopen(value + 5, "r");
        if (fp == NULL || fgets(line, sizeof(line), fp) == NULL) {
            load_fatal("cannot read the secret from \"%s\"", value + 5);
        }

        (void) fclose(fp);
        line[strcspn(line, "\r\n")] = '\0';
        value = line;
    }

    secret = strdup(value);
    OPENSSL_cleanse(line, sizeof(line));

    if (secret == NULL) {
        load_fatal("out of memory");
    }

    return secret;
}


STACK_OF(X509) *
load_file_certs(const char *file)
{
    FILE            *fp;
    X509            *cert;
    STACK_OF(X509)  *certs;

    fp = fopen(file, "r");
    certs = sk_X509_new_null();

    if (fp == NULL || certs == NULL) {
        load_fatal("cannot open \"%s\"", file);
    }

    for ( ;; ) {
        cert = PEM_read_X509(fp, NULL, NULL, NULL);
        if (cert == NULL) {
            break;
        }

        if (sk_X509_push(certs, cert) <= 0) {
            load_fatal("out of memory");
        }
    }

    (void) fclose(fp);
    cmp_crypto_error(NULL, 0);

    if (sk_X509_num(certs) == 0) {
        load_fatal("no certificate in \"%s\"", file);
    }

    return certs;
}


EVP_PKEY *
load_file_key(const char *file)
{
    char       err[256];
    FILE      *fp;
    EVP_PKEY  *key;

    fp = fopen(file, "r");
    if (fp == NULL) {
        load_fatal("cannot open \"%s\"", file);
    }

    key = PEM_read_PrivateKey(fp, NULL, NULL, NULL);
    (void) fclose(fp);

    if (key == NULL) {
        cmp_crypto_error(err, sizeof(err));
        load_fatal("no private key in \"%s\": %s", file, err);
    }

    return key;
}


/* "/CN=a-%n/O=b", UTF8String, %n being the number */

X509_NAME *
load_name(const char *text, long number)
{
    char         part[256], type[32];
    size_t       len, n;
    X509_NAME   *name;
    const char  *p, *eq, *end;

    name = X509_NAME_new();
    if (name == NULL) {
        load_fatal("out of memory");
    }

    for (p = text; *p != '\0'; p = end) {
        eq = (*p == '/') ? strchr(p, '=') : NULL;

        if (eq == NULL || (size_t) (eq - p) > sizeof(type)) {
            load_fatal("\"%s\" is no name like /CN=a/O=b", text);
        }

        len = eq - p - 1;
        memcpy(type, p + 1, len);
        type[len] = '\0';

        end = strchr(eq, '/');
        if (end == NULL) {
            end = eq + strlen(eq);
        }

        for (n = 0, p = eq + 1; p < end && n + 24 < sizeof(part); p++) {
            if (p[0] == '%' && p[1] == 'n') {
                n += snprintf(part + n, sizeof(part) - n, "%ld", number);
                p++;

            } else {
                part[n++] = *p;
            }
        }

        if (p != end
            || X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8,
                                          (unsigned char *) part, (int) n, -1,
                                          0)
               != 1)
        {
            load_fatal("\"%s\" cannot be a name", text);
        }
    }

    return name;
}
