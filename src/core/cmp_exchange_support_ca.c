
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * genm: certificates and CRLs of the CA (RFC 9810, 5.3.19.6, 5.3.19.14,
 * 5.3.19.15 and 5.3.19.17).
 */


#include <cmp_exchange_support.h>

#include <limits.h>


static int cmp_support_rollover(cmp_exchange_t *ex, const X509 *named,
    cmp_root_ca_key_update_content_t *update, cmp_str_t *der);
static int cmp_support_certificate(const cmp_str_t *der, X509 **cert);
static int cmp_support_concerns(cmp_exchange_t *ex, const X509 *named,
    const cmp_root_ca_key_update_content_t *update);
static int cmp_support_same_key(cmp_exchange_t *ex, const X509 *a,
    const X509 *b);
static int cmp_support_newer(cmp_exchange_t *ex,
    const cmp_crl_status_t *status, cmp_refusal_t *refusal);
static int cmp_support_source(const cmp_ca_t *ca,
    const cmp_crl_source_t *source);
static int cmp_support_names(const cmp_ca_t *ca, const GENERAL_NAMES *names,
    int urls);
static int cmp_support_url(const cmp_ca_t *ca, const ASN1_IA5STRING *url);
static int cmp_support_sequence(cmp_exchange_t *ex, const cmp_str_t *content,
    cmp_str_t *der);


/* the CA and those above it, except the root, which needs other trust */

int
cmp_support_ca_certs(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    int              i, rc;
    X509            *cert;
    size_t           n;
    time_t           now;
    STACK_OF(X509)  *certs;

    (void) value;
    (void) refusal;

    certs = NULL;
    now = (time_t) (ex->conf->now / 1000);
    rc = cmp_push_certificate(&certs, ex->ca->current.certificate);

    /* those of keys from before, for certificates that they have signed */

    for (n = 0; rc == CMP_OK && n < ex->ca->nprevious; n++) {

        cert = ex->ca->previous[n].certificate;

        if (X509_cmp_time(X509_get0_notAfter(cert), &now) > 0
            && X509_self_signed(cert, 0) == 0)
        {
            rc = cmp_push_certificate(&certs, cert);
        }
    }

    cmp_crypto_error(NULL, 0);

    for (i = 0; rc == CMP_OK && i < sk_X509_num(ex->ca->chain); i++) {

        cert = sk_X509_value(ex->ca->chain, i);

        if (cert != ex->ca->root) {
            rc = cmp_push_certificate(&certs, cert);
        }
    }

    if (rc == CMP_OK) {
        rc = cmp_encode(ex->work, ASN1_ITEM_rptr(cmp_certificates_t), certs,
                        der);
    }

    sk_X509_pop_free(certs, X509_free);

    return rc;
}


int
cmp_support_root_update(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    int                                rc;
    X509                              *named;
    cmp_str_t                          bytes;
    cmp_root_ca_key_update_content_t  *update;

    named = NULL;

    if (value != NULL) {

        if (value->type == V_ASN1_SEQUENCE) {
            bytes = cmp_octets(value->value.sequence);
            (void) cmp_support_certificate(&bytes, &named);
        }

        if (named == NULL) {
            return cmp_refuse(refusal, CMP_REFUSE_INFO_WRONG, "rootCaCert");
        }
    }

    if (ex->records->rollover == NULL) {
        X509_free(named);
        return CMP_OK;
    }

    update = cmp_asn1_new(cmp_root_ca_key_update_content_t);

    rc = (update != NULL) ? cmp_support_rollover(ex, named, update, der)
                          : CMP_ERROR;

    cmp_asn1_free(cmp_root_ca_key_update_content_t, update);
    X509_free(named);

    return rc;
}


static int
cmp_support_rollover(cmp_exchange_t *ex, const X509 *named,
    cmp_root_ca_key_update_content_t *update, cmp_str_t *der)
{
    int                    rc;
    const cmp_rollover_t  *rollover;

    rollover = ex->records->rollover;

    X509_free(update->new_with_new);
    update->new_with_new = NULL;

    if (cmp_support_certificate(&rollover->new_with_new,
                                &update->new_with_new)
        != CMP_OK
        || (rollover->new_with_old.len != 0
            && cmp_support_certificate(&rollover->new_with_old,
                                       &update->new_with_old)
               != CMP_OK)
        || (rollover->old_with_new.len != 0
            && cmp_support_certificate(&rollover->old_with_new,
                                       &update->old_with_new)
               != CMP_OK))
    {
        return CMP_ERROR;
    }

    rc = cmp_support_concerns(ex, named, update);

    if (rc != CMP_OK) {
        return rc == CMP_DECLINED ? CMP_OK : rc;
    }

    return cmp_encode(ex->work,
                      ASN1_ITEM_rptr(cmp_root_ca_key_update_content_t),
                      update, der);
}


static int
cmp_support_certificate(const cmp_str_t *der, X509 **cert)
{
    *cert = cmp_asn1_decode_item(ASN1_ITEM_rptr(X509), der->data, der->len);

    if (*cert == NULL) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/*
 * Is the root that the client named the one that gets a successor?
 * CMP_DECLINED when it is not, or when it is the new one already.
 */

static int
cmp_support_concerns(cmp_exchange_t *ex, const X509 *named,
    const cmp_root_ca_key_update_content_t *update)
{
    int        rc;
    cmp_str_t  der;

    if (named == NULL) {
        return CMP_OK;
    }

    if (X509_cmp(named, update->new_with_new) == 0) {
        return CMP_DECLINED;
    }

    if (ex->ca->root != NULL && X509_cmp(named, ex->ca->root) == 0) {
        return CMP_OK;
    }

    rc = cmp_encode(ex->work, ASN1_ITEM_rptr(X509), named, &der);

    if (rc != CMP_OK) {
        return CMP_ERROR;
    }

    if (cmp_str_equal(&der, &ex->records->rollover->old_root)) {
        return CMP_OK;
    }

    /* oldWithNew has name and key of the old root */

    if (update->old_with_new == NULL
        || X509_NAME_cmp(X509_get_subject_name(named),
                         X509_get_subject_name(update->old_with_new))
           != 0)
    {
        return CMP_DECLINED;
    }

    return cmp_support_same_key(ex, named, update->old_with_new);
}


static int
cmp_support_same_key(cmp_exchange_t *ex, const X509 *a, const X509 *b)
{
    cmp_str_t  key, other;

    if (cmp_encode(ex->work, ASN1_ITEM_rptr(X509_PUBKEY),
                   X509_get_X509_PUBKEY(a), &key)
        != CMP_OK
        || cmp_encode(ex->work, ASN1_ITEM_rptr(X509_PUBKEY),
                      X509_get_X509_PUBKEY(b), &other)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    return cmp_str_equal(&key, &other) ? CMP_OK : CMP_DECLINED;
}


int
cmp_support_current_crl(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    (void) value;
    (void) refusal;

    *der = ex->records->crl;

    return CMP_OK;
}


/* what names no CRL of this CA is left out, as is what the client has */

int
cmp_support_crls(cmp_exchange_t *ex, const ASN1_TYPE *value, cmp_str_t *der,
    cmp_refusal_t *refusal)
{
    int                     i, n, rc, newer;
    cmp_crl_status_list_t  *list;

    list = (value->type == V_ASN1_SEQUENCE)
           ? cmp_asn1_decode(cmp_crl_status_list_t,
                             value->value.sequence->data,
                             value->value.sequence->length)
           : NULL;

    n = sk_cmp_crl_status_t_num(list);

    if (n <= 0) {
        cmp_asn1_free(cmp_crl_status_list_t, list);
        return cmp_refuse(refusal, CMP_REFUSE_INFO_WRONG, "crlStatusList");
    }

    if (n > ex->ca->max_requests) {
        cmp_asn1_free(cmp_crl_status_list_t, list);
        return cmp_refuse(refusal, CMP_REFUSE_TOO_MANY_REQUESTS,
                          "crlStatusList");
    }

    rc = CMP_OK;
    newer = 0;

    for (i = 0; i < n; i++) {

        rc = cmp_support_newer(ex, sk_cmp_crl_status_t_value(list, i),
                               refusal);

        if (rc == CMP_DONE) {
            newer = 1;

        } else if (rc != CMP_OK) {
            break;
        }
    }

    cmp_asn1_free(cmp_crl_status_list_t, list);

    if (rc != CMP_OK && rc != CMP_DONE) {
        return rc;
    }

    return newer ? cmp_support_sequence(ex, &ex->records->crl, der) : CMP_OK;
}


/* CMP_DONE: our CRL is named, and newer than the client's */

static int
cmp_support_newer(cmp_exchange_t *ex, const cmp_crl_status_t *status,
    cmp_refusal_t *refusal)
{
    int      rc;
    int64_t  this_update;

    if (status->this_update != NULL) {
        rc = cmp_time(status->this_update, &this_update);

        if (rc != CMP_OK) {
            return rc == CMP_ERROR
                   ? rc : cmp_refuse(refusal, CMP_REFUSE_INFO_WRONG,
                                     "crlStatusList: thisUpdate");
        }

        /* a CRL tells its time in whole seconds */

        if (ex->records->crl_this_update / 1000 <= this_update / 1000) {
            return CMP_OK;
        }
    }

    if (ex->records->crl.len == 0
        || cmp_support_source(ex->ca, status->source) == 0)
    {
        return CMP_OK;
    }

    return CMP_DONE;
}


static int
cmp_support_source(const cmp_ca_t *ca, const cmp_crl_source_t *source)
{
    if (source->type == CMP_CRL_SOURCE_ISSUER) {
        return cmp_support_names(ca, source->value.issuer, 0);
    }

    /* type 1: relative to the issuer, our CRLs have no such name */

    return source->value.dpn->type == 0
           && cmp_support_names(ca, source->value.dpn->name.fullname, 1);
}


/* 1 when one of the names is the CA, or one of its CRLs' URLs */

static int
cmp_support_names(const cmp_ca_t *ca, const GENERAL_NAMES *names, int urls)
{
    int                  i;
    const GENERAL_NAME  *name;

    for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {

        name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DIRNAME
            && X509_NAME_cmp(name->d.directoryName, ca->subject) == 0)
        {
            return 1;
        }

        if (urls
            && name->type == GEN_URI
            && cmp_support_url(ca, name->d.uniformResourceIdentifier))
        {
            return 1;
        }
    }

    return 0;
}


static int
cmp_support_url(const cmp_ca_t *ca, const ASN1_IA5STRING *url)
{
    size_t                i, j;
    cmp_str_t             text;
    const cmp_profile_t  *profile;

    text = cmp_octets((const ASN1_OCTET_STRING *) url);

    for (i = 0; i < ca->nprofiles; i++) {
        profile = ca->profiles[i];

        for (j = 0; j < profile->ncrl_urls; j++) {

            if (cmp_str_equal(&profile->crl_urls[j], &text)) {
                return 1;
            }
        }
    }

    return 0;
}


/* a SEQUENCE around it; a CRL may be too large to be decoded for that */

static int
cmp_support_sequence(cmp_exchange_t *ex, const cmp_str_t *content,
    cmp_str_t *der)
{
    int             len;
    unsigned char  *p;

    if (content->len > INT_MAX - 64) {
        return CMP_ERROR;
    }

    len = ASN1_object_size(1, (int) content->len, V_ASN1_SEQUENCE);

    p = cmp_palloc(ex->work, len);
    if (p == NULL) {
        return CMP_ERROR;
    }

    der->data = p;
    der->len = len;

    ASN1_put_object(&p, 1, (int) content->len, V_ASN1_SEQUENCE,
                    V_ASN1_UNIVERSAL);
    memcpy(p, content->data, content->len);

    return CMP_OK;
}
