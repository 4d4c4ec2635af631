
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


/* extraCerts change seldom: those seen last are not verified again */

#define LOAD_EXTRA  4


typedef struct {
    cmp_str_t        der;           /* the SEQUENCE OF */
    X509            *signer;        /* the first */
} load_extra_t;


struct load_check_s {
    STACK_OF(X509)  *ca;
    X509            *issuer;
    EVP_PKEY        *issuer_key;
    cmp_str_t        issuer_der;
    cmp_str_t        issuer_name;
    X509_STORE      *store;
    load_extra_t     extra[LOAD_EXTRA];
    int              next;          /* of them, to be replaced */
};


static load_extra_t *load_extra_find(load_check_t *check,
    const cmp_str_t *der);
static void load_extra_add(load_check_t *check, const cmp_str_t *der,
    X509 *signer);
static int load_extra_verify(load_check_t *check, X509 *cert,
    STACK_OF(X509) *chain);
static int load_extra_above(load_check_t *check, X509 *cert);
static const char *load_certificate_fault(load_t *load, load_task_t *task,
    const load_cert_t *cert, int full);
static int load_certificate_signed(load_check_t *check,
    const load_cert_t *cert);
static int load_certificate_valid(const load_cert_t *cert);
static int load_time_cmp(const cmp_str_t *der);


load_check_t *
load_check_create(const load_conf_t *conf)
{
    int            i;
    load_check_t  *check;

    check = load_alloc(sizeof(load_check_t));

    if (conf->ca == NULL) {
        return check;
    }

    check->ca = conf->ca;
    check->issuer = sk_X509_value(conf->ca, 0);
    check->issuer_key = X509_get0_pubkey(check->issuer);
    check->store = X509_STORE_new();
    load_must(check->issuer_key != NULL && check->store != NULL);

    check->issuer_der.len = i2d_X509(check->issuer, &check->issuer_der.data);
    check->issuer_name.len = i2d_X509_NAME(X509_get_subject_name(
                                                              check->issuer),
                                           &check->issuer_name.data);

    for (i = 0; i < sk_X509_num(conf->ca); i++) {
        load_must(X509_STORE_add_cert(check->store, sk_X509_value(conf->ca, i))
                  == 1);
    }

    (void) X509_STORE_set_flags(check->store, X509_V_FLAG_PARTIAL_CHAIN);

    return check;
}


void
load_check_free(load_check_t *check)
{
    int  i;

    for (i = 0; i < LOAD_EXTRA; i++) {
        X509_free(check->extra[i].signer);
        free(check->extra[i].der.data);
    }

    X509_STORE_free(check->store);
    OPENSSL_free(check->issuer_der.data);
    OPENSSL_free(check->issuer_name.data);
    free(check);
}


const cmp_str_t *
load_check_issuer(const load_check_t *check)
{
    return &check->issuer_der;
}


X509_STORE *
load_check_store(const load_check_t *check)
{
    return check->store;
}


/* 1: every one of them has to do with the CA */

int
load_check_extra(load_check_t *check, const load_answer_t *answer)
{
    int              i, ok;
    STACK_OF(X509)  *certs;

    if (answer->extra_certs.len == 0
        || load_extra_find(check, &answer->extra_certs) != NULL)
    {
        return 1;
    }

    certs = cmp_asn1_decode(cmp_certificates_t, answer->extra_certs.data,
                            answer->extra_certs.len);
    ok = (certs != NULL);

    for (i = 0; ok && i < sk_X509_num(certs); i++) {
        ok = load_extra_verify(check, sk_X509_value(certs, i), certs);
    }

    if (ok) {
        load_extra_add(check, &answer->extra_certs,
                       sk_X509_value(certs, 0));
    }

    sk_X509_pop_free(certs, X509_free);

    return ok;
}


X509 *
load_check_signer(load_check_t *check, const load_answer_t *answer)
{
    load_extra_t  *extra;

    if (answer->extra_certs.len == 0
        || load_check_extra(check, answer) == 0)
    {
        return NULL;
    }

    extra = load_extra_find(check, &answer->extra_certs);

    return ((X509_get_key_usage(extra->signer) & KU_DIGITAL_SIGNATURE) != 0)
               ? extra->signer : NULL;
}


static load_extra_t *
load_extra_find(load_check_t *check, const cmp_str_t *der)
{
    int  i;

    for (i = 0; i < LOAD_EXTRA; i++) {
        if (cmp_str_equal(&check->extra[i].der, der)) {
            return &check->extra[i];
        }
    }

    return NULL;
}


static void
load_extra_add(load_check_t *check, const cmp_str_t *der, X509 *signer)
{
    load_extra_t  *extra;

    extra = &check->extra[check->next];
    check->next = (check->next + 1) % LOAD_EXTRA;

    X509_free(extra->signer);
    free(extra->der.data);

    X509_up_ref(signer);
    extra->signer = signer;

    extra->der.len = der->len;
    extra->der.data = load_alloc(der->len);
    memcpy(extra->der.data, der->data, der->len);
}


/* it has a path to one of the CA certificates, or is the issuer of one */

static int
load_extra_verify(load_check_t *check, X509 *cert, STACK_OF(X509) *chain)
{
    int              ok;
    X509_STORE_CTX  *ctx;

    ctx = X509_STORE_CTX_new();
    load_must(ctx != NULL);
    load_must(X509_STORE_CTX_init(ctx, check->store, cert, chain) == 1);

    ok = (X509_verify_cert(ctx) == 1);

    X509_STORE_CTX_free(ctx);

    return ok || load_extra_above(check, cert);
}


static int
load_extra_above(load_check_t *check, X509 *cert)
{
    int    i;
    X509  *below;

    for (i = 0; i < sk_X509_num(check->ca); i++) {
        below = sk_X509_value(check->ca, i);

        /* one that we have has to be the same, and would have been found */

        if (X509_NAME_cmp(X509_get_subject_name(below),
                          X509_get_subject_name(cert))
            == 0)
        {
            return 0;
        }
    }

    for (i = 0; i < sk_X509_num(check->ca); i++) {
        below = sk_X509_value(check->ca, i);

        if (X509_check_issued(cert, below) == X509_V_OK
            && X509_verify(below, X509_get0_pubkey(cert)) == 1)
        {
            return 1;
        }
    }

    return 0;
}


/* the signature over a SEQUENCE, as it was received */

int
load_check_octets(const cmp_str_t *octets, const X509_ALGOR *alg,
    const ASN1_BIT_STRING *signature, EVP_PKEY *key)
{
    ASN1_TYPE    any;
    ASN1_STRING  string;

    memset(&string, 0, sizeof(ASN1_STRING));
    string.type = V_ASN1_SEQUENCE;
    string.data = octets->data;
    string.length = (int) octets->len;

    any.type = V_ASN1_SEQUENCE;
    any.value.sequence = &string;

    return ASN1_item_verify(ASN1_ITEM_rptr(ASN1_ANY), alg, signature, &any,
                            key)
           == 1;
}


int
load_check_certificate(load_t *load, load_task_t *task, int full, char *err,
    size_t size)
{
    const char     *fault;
    load_cert_t     cert;
    unsigned char  *p;

    if (load_cert_decode(&task->cert, &cert) == 0) {
        (void) snprintf(err, size, "the certificate is no v3 one in DER");
        return LOAD_CERTIFICATE;
    }

    if (cert.serial.len < 1
        || cert.serial.len > CMP_SERIAL_LEN
        || (cert.serial.data[0] & 0x80) != 0)
    {
        (void) snprintf(err, size, "serialNumber is not 1 to 20 octets");
        return LOAD_CERTIFICATE;
    }

    p = load->serials + load->nserials * CMP_SERIAL_LEN;
    memset(p, 0, CMP_SERIAL_LEN);
    memcpy(p + CMP_SERIAL_LEN - cert.serial.len, cert.serial.data,
           cert.serial.len);
    load->nserials++;

    if (load->conf->verify == LOAD_VERIFY_NONE) {
        return LOAD_OK;
    }

    fault = load_certificate_fault(load, task, &cert, full);

    if (fault != NULL) {
        (void) snprintf(err, size, "%s", fault);
        return LOAD_CERTIFICATE;
    }

    return LOAD_OK;
}


static const char *
load_certificate_fault(load_t *load, load_task_t *task,
    const load_cert_t *cert, int full)
{
    if (cmp_str_equal(&cert->spki, &task->spki) == 0) {
        return "the certificate is for another key";
    }

    if (cmp_str_equal(&cert->subject, &task->subject) == 0) {
        return "the certificate has another subject";
    }

    if (cmp_str_equal(&cert->issuer, &load->check->issuer_name) == 0) {
        return "the certificate has another issuer";
    }

    if (load_certificate_valid(cert) == 0) {
        return "the certificate is not valid now";
    }

    if (full && load_certificate_signed(load->check, cert) == 0) {
        return "the certificate is not signed by the CA";
    }

    return NULL;
}


static int
load_certificate_signed(load_check_t *check, const load_cert_t *cert)
{
    int               ok;
    X509_ALGOR       *alg;
    ASN1_BIT_STRING  *signature;

    alg = cmp_asn1_decode(X509_ALGOR, cert->alg.data, cert->alg.len);
    signature = cmp_asn1_decode(ASN1_BIT_STRING, cert->signature.data,
                                cert->signature.len);

    ok = alg != NULL
         && signature != NULL
         && load_check_octets(&cert->tbs, alg, signature, check->issuer_key);

    X509_ALGOR_free(alg);
    ASN1_BIT_STRING_free(signature);

    return ok;
}


static int
load_certificate_valid(const load_cert_t *cert)
{
    return load_time_cmp(&cert->not_before) < 0
           && load_time_cmp(&cert->not_after) > 0;
}


/* against now: -1 before, 1 after, 0 no time */

static int
load_time_cmp(const cmp_str_t *der)
{
    int         rc;
    ASN1_TIME  *time;

    time = cmp_asn1_decode(ASN1_TIME, der->data, der->len);
    if (time == NULL) {
        return 0;
    }

    rc = X509_cmp_current_time(time);
    ASN1_TIME_free(time);

    return rc;
}
