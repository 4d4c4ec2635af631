
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Who signs requests: one certificate for all of them, or a folder of devices,
 * each with its own.
 */


#include <cmpload.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static int load_signer_is_pem(const struct dirent *entry);
static void load_signer_read(load_signer_t *signer, const char *certs,
    const char *key);


void
load_signer_file(load_conf_t *conf, const char *certs, const char *key)
{
    conf->signers = load_alloc(sizeof(load_signer_t));
    conf->nsigners = 1;

    load_signer_read(&conf->signers[0], certs, key);
}


void
load_signer_folder(load_conf_t *conf, const char *folder)
{
    int              i, n;
    char             path[4096];
    struct dirent  **list;

    n = scandir(folder, &list, load_signer_is_pem, alphasort);

    if (n == -1) {
        load_fatal("\"%s\": %s", folder, strerror(errno));
    }

    if (n == 0) {
        load_fatal("no *.pem in \"%s\"", folder);
    }

    if (n > LOAD_MAX_SIGNERS) {
        load_fatal("more than %d certificates in \"%s\"", LOAD_MAX_SIGNERS,
                   folder);
    }

    conf->signers = load_alloc(n * sizeof(load_signer_t));
    conf->nsigners = n;

    for (i = 0; i < n; i++) {
        if (snprintf(path, sizeof(path), "%s/%s", folder, list[i]->d_name)
            >= (int) sizeof(path))
        {
            load_fatal("the path of \"%s\" is too long", list[i]->d_name);
        }

        load_signer_read(&conf->signers[i], path, path);
        free(list[i]);
    }

    free(list);
}


static int
load_signer_is_pem(const struct dirent *entry)
{
    size_t  len;

    len = strlen(entry->d_name);

    return entry->d_name[0] != '.'
           && len > 4
           && strcmp(entry->d_name + len - 4, ".pem") == 0;
}


/* the first certificate is that of the key, the others are its chain */

static void
load_signer_read(load_signer_t *signer, const char *certs, const char *key)
{
    signer->chain = load_file_certs(certs);
    signer->cert = sk_X509_shift(signer->chain);
    signer->key = load_file_key(key);

    if (X509_check_private_key(signer->cert, signer->key) != 1) {
        load_fatal("\"%s\": the key is not that of the certificate", key);
    }
}


void
load_signer_free(load_conf_t *conf)
{
    long            i;
    load_signer_t  *signer;

    for (i = 0; i < conf->nsigners; i++) {

        signer = &conf->signers[i];

        X509_free(signer->cert);
        EVP_PKEY_free(signer->key);
        sk_X509_pop_free(signer->chain, X509_free);
    }

    free(conf->signers);
}
