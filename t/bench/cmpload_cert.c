
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The certificates: the one asked for, the one that protects an answer.
 */


#include <cmpload.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>


struct load_check_s {
    X509            *issuer;
    EVP_PKEY        *issuer_key;
    X509_STORE      *store;
    X509            *signer;        /* the last one that was verified */
};


static const char *load_certificate_fault(load_t *load, load_task_t *task,
    X509 *cert, int full);
static int load_same_der(unsigned char *der, int len, const cmp_str_t *wanted);


load_check_t *
load_check_create(const load_conf_t *conf)
{
    int            i;
    load_check_t  *check;

    check = load_alloc(sizeof(load_check_t));

    if (conf->ca == NULL) {
        return check;
    }

    check->issuer = sk_X509_value(conf->ca, 0);
    check->issuer_key = X509_get0_pubkey(check->issuer);
    check->store = X509_STORE_new();

    if (check->issuer_key == NULL || check->store == NULL) {
        load_fatal_crypto("X509_STORE_new()");
    }

    for (i = 0; i < sk_X509_num(conf->ca); i++) {
        if (X509_STORE_add_cert(check->store, sk_X509_value(conf->ca, i))
            != 1)
        {
            load_fatal_crypto("X509_STORE_add_cert()");
        }
    }

    (void) X509_STORE_set_flags(check->store, X509_V_FLAG_PARTIAL_CHAIN);

    return check;
}


void
load_check_free(load_check_t *check)
{
    X509_STORE_free(check->store);
    X509_free(check->signer);
    free(check);
}


X509 *
load_check_issuer(const load_check_t *check)
{
    return check->issuer;
}


/* 1: it has a path to one of the CA certificates, and may sign */

int
load_check_signer(load_check_t *check, X509 *cert, STACK_OF(X509) *chain)
{
    int              ok;
    X509_STORE_CTX  *ctx;

    if (check->signer != NULL && X509_cmp(check->signer, cert) == 0) {
        return 1;
    }

    ctx = X509_STORE_CTX_new();

    if (ctx == NULL
        || X509_STORE_CTX_init(ctx, check->store, cert, chain) != 1)
    {
        load_fatal_crypto("X509_STORE_CTX_init()");
    }

    ok = X509_verify_cert(ctx) == 1
         && (X509_get_key_usage(cert) & KU_DIGITAL_SIGNATURE) != 0;

    X509_STORE_CTX_free(ctx);

    if (ok) {
        X509_free(check->signer);
        X509_up_ref(cert);
        check->signer = cert;
    }

    return ok;
}


int
load_check_certificate(load_t *load, load_task_t *task, X509 *cert, int full,
    char *err, size_t size)
{
    const char           *fault;
    unsigned char        *p;
    const ASN1_INTEGER   *serial;

    serial = X509_get0_serialNumber(cert);

    if (serial->type != V_ASN1_INTEGER
        || serial->length < 1 || serial->length > CMP_SERIAL_LEN)
    {
        (void) snprintf(err, size, "serialNumber is not 1 to 20 octets");
        return LOAD_CERTIFICATE;
    }

    p = load->serials + load->nserials * CMP_SERIAL_LEN;
    memset(p, 0, CMP_SERIAL_LEN);
    memcpy(p + CMP_SERIAL_LEN - serial->length, serial->data, serial->length);
    load->nserials++;

    if (load->conf->verify == LOAD_VERIFY_NONE) {
        return LOAD_OK;
    }

    fault = load_certificate_fault(load, task, cert, full);

    if (fault != NULL) {
        (void) snprintf(err, size, "%s", fault);
        return LOAD_CERTIFICATE;
    }

    return LOAD_OK;
}


static const char *
load_certificate_fault(load_t *load, load_task_t *task, X509 *cert, int full)
{
    int             len;
    X509           *issuer;
    unsigned char  *der;

    issuer = load->check->issuer;

    der = NULL;
    len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

    if (load_same_der(der, len, &task->spki) == 0) {
        return "the certificate is for another key";
    }

    der = NULL;
    len = i2d_X509_NAME(X509_get_subject_name(cert), &der);

    if (load_same_der(der, len, &task->subject) == 0) {
        return "the certificate has another subject";
    }

    if (X509_NAME_cmp(X509_get_issuer_name(cert),
                      X509_get_subject_name(issuer))
        != 0)
    {
        return "the certificate has another issuer";
    }

    if (X509_cmp_current_time(X509_get0_notBefore(cert)) >= 0
        || X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
    {
        return "the certificate is not valid now";
    }

    if (full && X509_verify(cert, load->check->issuer_key) != 1) {
        return "the certificate is not signed by the CA";
    }

    return NULL;
}


/* frees the DER */

static int
load_same_der(unsigned char *der, int len, const cmp_str_t *wanted)
{
    int  same;

    same = len > 0
           && (size_t) len == wanted->len
           && memcmp(der, wanted->data, wanted->len) == 0;

    OPENSSL_free(der);

    return same;
}
