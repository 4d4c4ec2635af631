
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The certificates that OCSP is asked about: a file or a folder of PEM, or the
 * serial numbers that an earlier run wrote.
 */


#include <cmpload.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/pem.h>


static void load_ask_folder(const load_conf_t *conf,
    STACK_OF(OCSP_CERTID) *ids);
static int load_ask_file(const load_conf_t *conf, const char *file,
    STACK_OF(OCSP_CERTID) *ids);
static void load_ask_serials(const load_conf_t *conf,
    STACK_OF(OCSP_CERTID) *ids);
static void load_ask_add(const load_conf_t *conf, const ASN1_INTEGER *serial,
    STACK_OF(OCSP_CERTID) *ids);


STACK_OF(OCSP_CERTID) *
load_ask(const load_conf_t *conf)
{
    struct stat             st;
    STACK_OF(OCSP_CERTID)  *ids;

    ids = sk_OCSP_CERTID_new_null();
    load_must(ids != NULL);

    if (conf->ask_serials != NULL) {
        load_ask_serials(conf, ids);

    } else if (stat(conf->ask, &st) != 0) {
        load_fatal("\"%s\": %s", conf->ask, strerror(errno));

    } else if (S_ISDIR(st.st_mode)) {
        load_ask_folder(conf, ids);

    } else if (load_ask_file(conf, conf->ask, ids) == 0) {
        load_fatal("no certificate in \"%s\"", conf->ask);
    }

    if (sk_OCSP_CERTID_num(ids) == 0) {
        load_fatal("no certificate to ask about is of the first CA in --ca");
    }

    return ids;
}


/* every file with a certificate in it, the others are none of ours */

static void
load_ask_folder(const load_conf_t *conf, STACK_OF(OCSP_CERTID) *ids)
{
    int              i, n;
    char             path[4096];
    struct stat      st;
    struct dirent  **list;

    n = scandir(conf->ask, &list, NULL, alphasort);
    if (n == -1) {
        load_fatal("\"%s\": %s", conf->ask, strerror(errno));
    }

    for (i = 0; i < n; i++) {
        if (snprintf(path, sizeof(path), "%s/%s", conf->ask, list[i]->d_name)
            >= (int) sizeof(path))
        {
            load_fatal("the path of \"%s\" is too long", list[i]->d_name);
        }

        if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            (void) load_ask_file(conf, path, ids);
        }

        free(list[i]);
    }

    free(list);
}


/* how many certificates there are; those of other CAs are left out */

static int
load_ask_file(const load_conf_t *conf, const char *file,
    STACK_OF(OCSP_CERTID) *ids)
{
    int    n;
    FILE  *fp;
    X509  *cert;

    fp = fopen(file, "r");
    if (fp == NULL) {
        load_fatal("\"%s\": %s", file, strerror(errno));
    }

    for (n = 0; /* void */ ; n++) {
        cert = PEM_read_X509(fp, NULL, NULL, NULL);
        if (cert == NULL) {
            break;
        }

        if (X509_check_issued(sk_X509_value(conf->ca, 0), cert) == X509_V_OK) {
            load_ask_add(conf, X509_get0_serialNumber(cert), ids);
        }

        X509_free(cert);
    }

    (void) fclose(fp);
    cmp_crypto_error(NULL, 0);

    return n;
}


static void
load_ask_serials(const load_conf_t *conf, STACK_OF(OCSP_CERTID) *ids)
{
    FILE          *fp;
    char           line[128];
    size_t         len;
    BIGNUM        *bn;
    ASN1_INTEGER  *serial;

    fp = fopen(conf->ask_serials, "r");
    if (fp == NULL) {
        load_fatal("\"%s\": %s", conf->ask_serials, strerror(errno));
    }

    while (fgets(line, sizeof(line), fp) != NULL) {
        len = strcspn(line, "\r\n");
        line[len] = '\0';
        bn = NULL;

        if (len == 0
            || len > 2 * CMP_SERIAL_LEN
            || BN_hex2bn(&bn, line) != (int) len
            || BN_is_negative(bn))
        {
            load_fatal("\"%s\": \"%s\" is no serial number in hex",
                       conf->ask_serials, line);
        }

        serial = BN_to_ASN1_INTEGER(bn, NULL);
        load_must(serial != NULL);

        load_ask_add(conf, serial, ids);

        ASN1_INTEGER_free(serial);
        BN_free(bn);
    }

    (void) fclose(fp);
}


static void
load_ask_add(const load_conf_t *conf, const ASN1_INTEGER *serial,
    STACK_OF(OCSP_CERTID) *ids)
{
    X509         *issuer;
    OCSP_CERTID  *id;

    issuer = sk_X509_value(conf->ca, 0);
    id = OCSP_cert_id_new(conf->digest, X509_get_subject_name(issuer),
                          X509_get0_pubkey_bitstr(issuer), serial);

    load_must(id != NULL);
    load_must(sk_OCSP_CERTID_push(ids, id) > 0);
}
