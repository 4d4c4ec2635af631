
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
    cmp_str_t        issuer_der;
    cmp_str_t        issuer_name;
    X509_STORE      *store;

    /* of answers, the last one that was verified */
    X509            *signer;
    cmp_str_t        signer_der;
};


static X509 *load_signer_verify(load_check_t *check,
    const load_answer_t *answer);
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
    X509_STORE_free(check->store);
    X509_free(check->signer);
    free(check->signer_der.data);
    OPENSSL_free(check->issuer_der.data);
    OPENSSL_free(check->issuer_name.data);
    free(check);
}


const cmp_str_t *
load_check_issuer(const load_check_t *check)
{
    return &check->issuer_der;
}


X509 *
load_check_signer(load_check_t *check, const load_answer_t *answer)
{
    if (answer->signer.len == 0) {
        return NULL;
    }

    if (check->signer != NULL
        && cmp_str_equal(&check->signer_der, &answer->signer))
    {
        return check->signer;
    }

    return load_signer_verify(check, answer);
}


/* it has to have a path to one of the CA certificates, and to be for this */

static X509 *
load_signer_verify(load_check_t *check, const load_answer_t *answer)
{
    int              ok;
    X509            *cert;
    X509_STORE_CTX  *ctx;
    STACK_OF(X509)  *chain;

    chain = cmp_asn1_decode(cmp_certificates_t, answer->extra_certs.data,
                            answer->extra_certs.len);
    if (chain == NULL) {
        return NULL;
    }

    cert = sk_X509_value(chain, 0);
    ctx = X509_STORE_CTX_new();
    load_must(ctx != NULL);
    load_must(X509_STORE_CTX_init(ctx, check->store, cert, chain) == 1);

    ok = X509_verify_cert(ctx) == 1
         && (X509_get_key_usage(cert) & KU_DIGITAL_SIGNATURE) != 0;

    X509_STORE_CTX_free(ctx);

    if (ok) {
        X509_free(check->signer);
        free(check->signer_der.data);

        X509_up_ref(cert);
        check->signer = cert;
        check->signer_der.len = answer->signer.len;
        check->signer_der.data = load_alloc(answer->signer.len);
        memcpy(check->signer_der.data, answer->signer.data,
               answer->signer.len);
    }

    sk_X509_pop_free(chain, X509_free);

    return ok ? check->signer : NULL;
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
