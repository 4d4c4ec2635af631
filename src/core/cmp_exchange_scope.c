
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Who may have which certificate: the profiles, subjects and alternative
 * names that a credential, a certificate, an anchor or an RA may ask for.
 */


#include <cmp_exchange_local.h>


static int cmp_request_profile_names(cmp_exchange_t *ex, size_t max,
    cmp_pki_free_text_t **names, cmp_refusal_t *refusal);
static int cmp_request_select(const cmp_exchange_t *ex,
    const cmp_pki_free_text_t *names, int n, const cmp_profile_t **profile,
    cmp_refusal_t *refusal);
static void cmp_request_profiles(const cmp_exchange_t *ex,
    const cmp_str_t **names, size_t *n);
static const cmp_profile_t *cmp_request_default(const cmp_exchange_t *ex);
static int cmp_request_allowed(const cmp_exchange_t *ex,
    const cmp_profile_t *profile);
static void cmp_request_free_names(void *data);
static int cmp_request_own_names(cmp_exchange_t *ex, cmp_request_t *req,
    X509 *own, cmp_refusal_t *refusal);
static int cmp_request_scope(cmp_exchange_t *ex, cmp_request_t *req,
    const cmp_scope_t *scope, cmp_refusal_t *refusal);


int
cmp_exchange_select_profiles(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                   rc;
    size_t                i;
    cmp_pki_free_text_t  *names;

    rc = cmp_request_profile_names(ex, ex->nrequests, &names, refusal);

    for (i = 0; rc == CMP_OK && i < ex->nrequests; i++) {
        rc = cmp_request_select(ex, names, (int) i, &ex->requests[i].profile,
                                refusal);
    }

    if (rc != CMP_OK) {
        return rc;
    }

    ex->info.profile = ex->requests[0].profile->name;

    return CMP_OK;
}


int
cmp_exchange_select_profile(cmp_exchange_t *ex, const cmp_profile_t **profile,
    cmp_refusal_t *refusal)
{
    int                   rc;
    cmp_pki_free_text_t  *names;

    rc = cmp_request_profile_names(ex, 1, &names, refusal);

    return rc == CMP_OK ? cmp_request_select(ex, names, 0, profile, refusal)
                        : rc;
}


/* the value of certProfile; NULL when it is absent */

static int
cmp_request_profile_names(cmp_exchange_t *ex, size_t max,
    cmp_pki_free_text_t **names, cmp_refusal_t *refusal)
{
    const ASN1_TYPE            *value;
    cmp_info_type_and_value_t  *info;

    *names = NULL;
    info = cmp_msg_general_info(&ex->msg, &cmp_oid_it_cert_profile);

    if (info == NULL) {
        return CMP_OK;
    }

    value = info->info_value;

    if (value != NULL && value->type == V_ASN1_SEQUENCE) {
        *names = cmp_asn1_decode(cmp_pki_free_text_t,
                                 value->value.sequence->data,
                                 value->value.sequence->length);
    }

    if (*names == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_PROFILE,
                          "its value cannot be decoded");
    }

    if (cmp_asn1_pool_item(ex->work, ASN1_ITEM_rptr(cmp_pki_free_text_t),
                           *names)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (sk_ASN1_UTF8STRING_num(*names) == 0
        || (size_t) sk_ASN1_UTF8STRING_num(*names) > max)
    {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_PROFILE,
                          "the number of names");
    }

    return CMP_OK;
}


static int
cmp_request_select(const cmp_exchange_t *ex, const cmp_pki_free_text_t *names,
    int n, const cmp_profile_t **profile, cmp_refusal_t *refusal)
{
    cmp_str_t         name;
    const cmp_str_t  *uri;

    uri = &ex->conf->profile;

    name.len = 0;
    name.data = NULL;

    if (names != NULL && n < sk_ASN1_UTF8STRING_num(names)) {
        name = cmp_octets(sk_ASN1_UTF8STRING_value(names, n));
    }

    if (name.len != 0 && uri->len != 0 && !cmp_str_equal(&name, uri)) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_PROFILE,
                          "it differs from the profile in the URI");
    }

    if (name.len == 0) {
        name = *uri;
    }

    *profile = (name.len != 0) ? cmp_ca_profile(ex->ca, &name)
                               : cmp_request_default(ex);

    if (*profile == NULL || cmp_request_allowed(ex, *profile) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_PROFILE_NOT_ALLOWED, NULL);
    }

    return CMP_OK;
}


/* one that this requester may use, by its name; else NULL */

const cmp_profile_t *
cmp_exchange_profile(const cmp_exchange_t *ex, const cmp_str_t *name)
{
    const cmp_profile_t  *profile;

    profile = (name->len != 0) ? cmp_ca_profile(ex->ca, name) : NULL;

    return (profile != NULL && cmp_request_allowed(ex, profile))
           ? profile : NULL;
}


/* the names a requester may choose among; none: the default of the CA */

static void
cmp_request_profiles(const cmp_exchange_t *ex, const cmp_str_t **names,
    size_t *n)
{
    *names = NULL;
    *n = 0;

    if (ex->credential != NULL) {
        *names = ex->credential->profiles;
        *n = ex->credential->nprofiles;

    } else if (ex->signer.kind == CMP_SIGNER_OWN) {
        *names = &ex->signer.record->profile;
        *n = 1;

    } else if (ex->signer.scope != NULL) {
        *names = ex->signer.scope->profiles;
        *n = ex->signer.scope->nprofiles;
    }
}


static const cmp_profile_t *
cmp_request_default(const cmp_exchange_t *ex)
{
    size_t            n;
    cmp_str_t         none;
    const cmp_str_t  *names;

    cmp_request_profiles(ex, &names, &n);

    none.len = 0;
    none.data = NULL;

    return cmp_ca_profile(ex->ca, n != 0 ? &names[0] : &none);
}


static int
cmp_request_allowed(const cmp_exchange_t *ex, const cmp_profile_t *profile)
{
    size_t            i, n;
    const cmp_str_t  *names;

    cmp_request_profiles(ex, &names, &n);

    if (n == 0) {
        return profile == cmp_request_default(ex);
    }

    for (i = 0; i < n; i++) {

        if (cmp_str_equal(&names[i], &profile->name)) {
            return 1;
        }
    }

    return 0;
}


int
cmp_request_authorise(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    int                      rc;
    const cmp_credential_t  *credential;

    credential = ex->credential;

    if (credential != NULL) {

        if (credential->subject.len != 0
            && cmp_subject_pattern_match(&credential->subject,
                                         req->issue.subject)
               == 0)
        {
            return cmp_refuse(refusal, CMP_REFUSE_SUBJECT_NOT_ALLOWED, NULL);
        }

        if (credential->nsans != 0
            && cmp_san_patterns_match(credential->sans, credential->nsans,
                                      req->issue.sans)
               == 0)
        {
            return cmp_refuse(refusal, CMP_REFUSE_SAN_NOT_ALLOWED, NULL);
        }

        return CMP_OK;
    }

    if (ex->signer.kind == CMP_SIGNER_OWN) {
        return cmp_request_own_names(ex, req, ex->signer.cert, refusal);
    }

    if (req->target != NULL) {

        /* an RA updates a certificate of somebody else */

        if (ex->signer.scope != NULL
            && cmp_exchange_scope_profile(ex->signer.scope,
                                          &req->target->profile)
               == 0)
        {
            return cmp_refuse(refusal, CMP_REFUSE_NOT_AUTHORIZED,
                              "for certificates of this profile");
        }

        rc = cmp_request_own_names(ex, req, req->target_cert, refusal);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    return cmp_request_scope(ex, req, ex->signer.scope, refusal);
}


static void
cmp_request_free_names(void *data)
{
    GENERAL_NAMES_free(data);
}


/* the names of a certificate: all of them in a kur, some of them else */

static int
cmp_request_own_names(cmp_exchange_t *ex, cmp_request_t *req, X509 *own,
    cmp_refusal_t *refusal)
{
    int             i, j, n, m, kur;
    GENERAL_NAMES  *names;

    kur = (ex->msg.type == CMP_BODY_KUR);

    if (kur && req->profile->update_names) {
        return CMP_OK;
    }

    if (X509_NAME_cmp(req->issue.subject, X509_get_subject_name(own)) != 0) {
        return kur ? cmp_refuse(refusal, CMP_REFUSE_UPDATE_NAMES, NULL)
                   : cmp_refuse(refusal, CMP_REFUSE_SUBJECT_NOT_ALLOWED,
                                NULL);
    }

    names = X509_get_ext_d2i(own, NID_subject_alt_name, NULL, NULL);
    cmp_crypto_error(NULL, 0);

    if (names != NULL
        && cmp_pool_cleanup_add(ex->work, cmp_request_free_names, names)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    n = (req->issue.sans != NULL) ? sk_GENERAL_NAME_num(req->issue.sans) : 0;
    m = (names != NULL) ? sk_GENERAL_NAME_num(names) : 0;

    for (i = 0; i < n; i++) {

        for (j = 0; j < m; j++) {

            if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(req->issue.sans, i),
                                 sk_GENERAL_NAME_value(names, j))
                == 0)
            {
                break;
            }
        }

        if (j == m) {
            break;
        }
    }

    if (i != n || (kur && n != m)) {
        return kur ? cmp_refuse(refusal, CMP_REFUSE_UPDATE_NAMES, NULL)
                   : cmp_refuse(refusal, CMP_REFUSE_SAN_NOT_ALLOWED, NULL);
    }

    return CMP_OK;
}


static int
cmp_request_scope(cmp_exchange_t *ex, cmp_request_t *req,
    const cmp_scope_t *scope, cmp_refusal_t *refusal)
{
    int         vendor;
    size_t      i;
    X509_NAME  *signer;
    cmp_str_t  *sans;

    vendor = (ex->signer.kind == CMP_SIGNER_VENDOR);
    signer = X509_get_subject_name(ex->signer.cert);

    if (scope == NULL) {

        /* an RA of a profile that sets no limits */

        return vendor ? cmp_refuse(refusal, CMP_REFUSE_NOT_AUTHORIZED, NULL)
                      : CMP_OK;
    }

    if (cmp_exchange_scope_subject(ex, req->issue.subject) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_SUBJECT_NOT_ALLOWED, NULL);
    }

    if (scope->nsans == 0) {
        return CMP_OK;
    }

    sans = cmp_pcalloc(ex->work, scope->nsans * sizeof(cmp_str_t));
    if (sans == NULL) {
        return CMP_ERROR;
    }

    for (i = 0; i < scope->nsans; i++) {

        if (cmp_pattern_expand(&scope->sans[i], signer, ex->work, &sans[i])
            != CMP_OK)
        {
            return cmp_refuse(refusal, CMP_REFUSE_SAN_NOT_ALLOWED, NULL);
        }
    }

    return cmp_san_patterns_match(sans, scope->nsans, req->issue.sans)
           ? CMP_OK
           : cmp_refuse(refusal, CMP_REFUSE_SAN_NOT_ALLOWED, NULL);
}


/* 1 when the scope covers certificates of the profile */

int
cmp_exchange_scope_profile(const cmp_scope_t *scope, const cmp_str_t *profile)
{
    size_t  i;

    for (i = 0; i < scope->nprofiles; i++) {

        if (cmp_str_equal(&scope->profiles[i], profile)) {
            return 1;
        }
    }

    return scope->nprofiles == 0;
}


/* 1 when the scope of the signer covers the subject */

int
cmp_exchange_scope_subject(const cmp_exchange_t *ex, const X509_NAME *subject)
{
    X509_NAME          *signer;
    cmp_str_t           pattern;
    const cmp_scope_t  *scope;

    scope = ex->signer.scope;
    signer = X509_get_subject_name(ex->signer.cert);

    if (scope->subject.len == 0 && ex->signer.kind == CMP_SIGNER_RA) {
        return 1;
    }

    if (scope->subject.len == 0
        || (scope->subject.len == 4
            && memcmp(scope->subject.data, "same", 4) == 0))
    {
        return X509_NAME_cmp(subject, signer) == 0;
    }

    return cmp_pattern_expand(&scope->subject, signer, ex->work, &pattern)
           == CMP_OK
           && cmp_subject_pattern_match(&pattern, subject);
}
