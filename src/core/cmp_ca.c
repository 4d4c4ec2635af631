
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_ca_local.h>
#include <cmp_crl.h>
#include <cmp_msg.h>
#include <cmp_protect.h>

#include <stdio.h>
#include <string.h>


#define CMP_CA_MINUTE          ((int64_t) 60 * 1000)
#define CMP_CA_DAY             ((int64_t) 24 * 3600 * 1000)
#define CMP_CA_MAX_NAME        64


/* a limit with its range, inclusive */

typedef struct {
    const char           *name;
    int64_t               value;
    int64_t               min;
    int64_t               max;
} cmp_ca_limit_t;


static int cmp_ca_check_name(const cmp_ca_t *ca, char *err, size_t size);
static int cmp_ca_check_limits(const cmp_ca_t *ca, char *err, size_t size);
static int cmp_ca_check_profiles(const cmp_ca_t *ca, char *err, size_t size);
static int cmp_ca_check_crl(const cmp_ca_t *ca, char *err, size_t size);
static int cmp_ca_check_scope(const cmp_ca_t *ca, const cmp_scope_t *scope,
    int ra, char *err, size_t size);
static int cmp_ca_check_trusted(const cmp_ca_t *ca, char *err, size_t size);
static int cmp_ca_check_trusted_one(const cmp_ca_t *ca,
    const cmp_trusted_t *trusted, int ra, char *err, size_t size);
static void cmp_ca_free_trusted(cmp_trusted_t *trusted, size_t n);


void
cmp_ca_init(cmp_ca_t *ca)
{
    memset(ca, 0, sizeof(cmp_ca_t));

    ca->conformance = CMP_RFC9810;
    ca->time_window = 60 * CMP_CA_MINUTE;
    ca->transaction_memory = 120 * CMP_CA_MINUTE;
    ca->confirm_timeout = 5 * CMP_CA_MINUTE;
    ca->reply_memory = 5 * CMP_CA_MINUTE;
    ca->approval_timeout = 7 * CMP_CA_DAY;
    ca->check_after = CMP_CA_MINUTE;
    ca->ocsp_lifetime = 60 * CMP_CA_MINUTE;
    ca->responder_validity = 7 * CMP_CA_DAY;
    ca->crl_lifetime = 7 * CMP_CA_DAY;
    ca->crl_refresh = CMP_CA_DAY;
    ca->max_message_size = 256 * 1024;
    ca->max_requests = 16;
    ca->max_extra_certs = CMP_MAX_EXTRA_CERTS;
    ca->max_iterations = 100000;
    ca->sha1 = 1;
}


int
cmp_ca_finish(cmp_ca_t *ca, cmp_pool_t *pool, char *err, size_t size)
{
    int  rc;

    rc = cmp_ca_check_name(ca, err, size);

    if (rc == CMP_OK) {
        rc = cmp_ca_check_certificate(ca, err, size);
    }

    if (rc == CMP_OK) {
        rc = cmp_ca_check_chain(ca, err, size);
    }

    if (rc == CMP_OK) {
        rc = cmp_ca_check_previous(ca, err, size);
    }

    if (rc == CMP_OK) {
        rc = cmp_ca_check_response(ca, err, size);
    }

    if (rc == CMP_OK) {
        rc = cmp_ca_check_limits(ca, err, size);
    }

    if (rc == CMP_OK) {
        rc = cmp_ca_check_profiles(ca, err, size);
    }

    if (rc == CMP_OK) {
        rc = cmp_ca_check_crl(ca, err, size);
    }

    if (rc == CMP_OK) {
        rc = cmp_ca_check_trusted(ca, err, size);
    }

    if (rc == CMP_OK
        && cmp_encode(pool, ASN1_ITEM_rptr(X509_NAME), ca->subject,
                      &ca->subject_der)
           != CMP_OK)
    {
        snprintf(err, size, "out of memory");
        rc = CMP_ERROR;
    }

    if (rc == CMP_OK) {
        rc = cmp_ca_warm(ca, err, size);
    }

    if (rc == CMP_OK && ca->cert_cache == NULL) {
        ca->cert_cache = cmp_cert_cache_create();

        if (ca->cert_cache == NULL) {
            snprintf(err, size, "out of memory");
            rc = CMP_ERROR;
        }
    }

    cmp_crypto_error(NULL, 0);

    return rc;
}


static int
cmp_ca_check_name(const cmp_ca_t *ca, char *err, size_t size)
{
    size_t         i;
    unsigned char  c;

    if (ca->name.len == 0 || ca->name.len > CMP_CA_MAX_NAME) {
        snprintf(err, size, "the name of a CA has 1 to %d characters",
                 CMP_CA_MAX_NAME);
        return CMP_ERROR;
    }

    for (i = 0; i < ca->name.len; i++) {
        c = ca->name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'))
        {
            snprintf(err, size, "the name of a CA consists of letters, "
                     "digits, \"-\", \"_\" and \".\"");
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static int
cmp_ca_check_limits(const cmp_ca_t *ca, char *err, size_t size)
{
    size_t                i;
    const cmp_ca_limit_t  limits[] = {
        { "time_window", ca->time_window, 0, CMP_CA_DAY },
        { "transaction_memory", ca->transaction_memory, CMP_CA_MINUTE,
          30 * CMP_CA_DAY },
        { "confirm_timeout", ca->confirm_timeout, 1000, 7 * CMP_CA_DAY },
        { "reply_memory", ca->reply_memory, 1000, 7 * CMP_CA_DAY },
        { "approval_timeout", ca->approval_timeout, 1000, 365 * CMP_CA_DAY },
        { "check_after", ca->check_after, 1000, 30 * CMP_CA_DAY },
        { "ocsp lifetime", ca->ocsp_lifetime, CMP_CA_MINUTE, 30 * CMP_CA_DAY },
        { "crl lifetime", ca->crl_lifetime, CMP_CA_MINUTE,
          3660 * CMP_CA_DAY },
        { "crl refresh", ca->crl_refresh, 1000, ca->crl_lifetime },
        { "crl delta", ca->crl_delta, ca->crl_delta == 0 ? 0 : 1000,
          ca->crl_lifetime / 2 },
        { "crl partitions", ca->crl_partitions, 0, CMP_CRL_MAX_PARTITIONS },
        { "max_message_size", (int64_t) ca->max_message_size, 1024,
          (int64_t) 16 * 1024 * 1024 },
        { "max_requests", ca->max_requests, 1, 64 },
        { "max_extra_certs", ca->max_extra_certs, 1, CMP_MAX_EXTRA_CERTS },
        { "max_iterations", ca->max_iterations, CMP_MIN_ITERATIONS,
          10000000 }
    };

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {

        if (limits[i].value < limits[i].min
            || limits[i].value > limits[i].max)
        {
            snprintf(err, size, "\"%s\" is %lld, but has to be within "
                     "%lld-%lld", limits[i].name,
                     (long long) limits[i].value, (long long) limits[i].min,
                     (long long) limits[i].max);
            return CMP_ERROR;
        }
    }

    /* a message is old before its transactionID is forgotten */

    if (ca->transaction_memory < 2 * ca->time_window) {
        snprintf(err, size, "\"transaction_memory\" has to be at least twice "
                 "\"time_window\"");
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_ca_check_profiles(const cmp_ca_t *ca, char *err, size_t size)
{
    size_t                i, j;
    const cmp_profile_t  *profile;

    if (ca->nprofiles == 0) {
        snprintf(err, size, "no \"profile\" is set");
        return CMP_ERROR;
    }

    for (i = 0; i < ca->nprofiles; i++) {
        profile = ca->profiles[i];

        for (j = 0; j < i; j++) {
            if (cmp_str_equal(&profile->name, &ca->profiles[j]->name)) {
                snprintf(err, size, "duplicate profile \"%.*s\"",
                         (int) profile->name.len,
                         (const char *) profile->name.data);
                return CMP_ERROR;
            }
        }

        if (profile->ca_crl_urls
            && (cmp_profile_copies(profile, NID_crl_distribution_points)
                || cmp_profile_copies(profile, NID_freshest_crl)))
        {
            snprintf(err, size, "profile \"%.*s\" copies CRL distribution "
                     "points from requests, but the CA has a URL of its CRL",
                     (int) profile->name.len,
                     (const char *) profile->name.data);
            return CMP_ERROR;
        }

        if (profile->ca && X509_get_pathlen(ca->current.certificate) == 0) {
            snprintf(err, size, "profile \"%.*s\" is for CA certificates, "
                     "which the pathLenConstraint of the CA certificate "
                     "forbids", (int) profile->name.len,
                     (const char *) profile->name.data);
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static int
cmp_ca_check_crl(const cmp_ca_t *ca, char *err, size_t size)
{
    const char  *why;

    why = NULL;

    if (ca->crl_partition_url.len == 0) {

        if (ca->crl_partitions != 0) {
            why = "\"crl partitions\" needs a \"partition_url\"";

        } else if (cmp_crl_url_has_partition(&ca->crl_delta_url)) {
            why = "\"" CMP_CRL_PLACEHOLDER "\" in \"delta_url\", but there is "
                  "no \"partition_url\"";
        }

    } else if (cmp_crl_url_has_partition(&ca->crl_partition_url) == 0) {
        why = "no \"" CMP_CRL_PLACEHOLDER "\" in \"partition_url\"";

    } else if (ca->crl_delta_url.len != 0
               && cmp_crl_url_has_partition(&ca->crl_delta_url) == 0)
    {
        why = "no \"" CMP_CRL_PLACEHOLDER "\" in \"delta_url\", although CRLs "
              "are partitioned";
    }

    if (ca->crl_delta_url.len != 0 && ca->crl_delta == 0) {
        why = "\"crl delta_url\" needs \"delta\"";
    }

    if (why != NULL) {
        snprintf(err, size, "%s", why);
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_ca_check_trusted(const cmp_ca_t *ca, char *err, size_t size)
{
    size_t  i;

    for (i = 0; i < ca->nanchors; i++) {
        if (cmp_ca_check_trusted_one(ca, &ca->anchors[i], 0, err, size)
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    for (i = 0; i < ca->nras; i++) {
        if (cmp_ca_check_trusted_one(ca, &ca->ras[i], 1, err, size)
            != CMP_OK)
        {
            return CMP_ERROR;
        }

        if (cmp_ca_check_ra(ca->ras[i].cert, err, size) != CMP_OK) {
            return CMP_ERROR;
        }
    }

    for (i = 0; i < ca->nprofiles; i++) {
        if (cmp_ca_check_scope(ca, ca->profiles[i]->ra_scope, 1, err, size)
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static int
cmp_ca_check_trusted_one(const cmp_ca_t *ca, const cmp_trusted_t *trusted,
    int ra, char *err, size_t size)
{
    if (trusted->cert == NULL) {
        snprintf(err, size, "a trusted certificate is missing");
        return CMP_ERROR;
    }

    return cmp_ca_check_scope(ca, trusted->scope, ra, err, size);
}


static int
cmp_ca_check_scope(const cmp_ca_t *ca, const cmp_scope_t *scope, int ra,
    char *err, size_t size)
{
    size_t            i;
    const cmp_str_t  *name;
    static cmp_str_t  same = cmp_string("same");

    if (scope == NULL) {
        return CMP_OK;
    }

    for (i = 0; i < scope->nprofiles; i++) {
        name = &scope->profiles[i];

        if (name->len == 0 || cmp_ca_profile(ca, name) == NULL) {
            snprintf(err, size, "profile \"%.*s\" of a trusted certificate "
                     "or an RA is none of this CA", (int) name->len,
                     (const char *) name->data);
            return CMP_ERROR;
        }
    }

    if (scope->subject.len != 0 && !cmp_str_equal(&scope->subject, &same)
        && cmp_subject_pattern_check(&scope->subject, err, size) != CMP_OK)
    {
        return CMP_ERROR;
    }

    for (i = 0; i < scope->nsans; i++) {
        if (cmp_san_pattern_check(&scope->sans[i], err, size) != CMP_OK) {
            return CMP_ERROR;
        }
    }

    if (scope->reasons != 0 && ra == 0) {
        snprintf(err, size, "only RAs have revocation reasons");
        return CMP_ERROR;
    }

    /* 0 to 10 without 7, RFC 5280, 5.3.1 */

    if (scope->reasons & ~(uint32_t) 0x77f) {
        snprintf(err, size, "unknown revocation reason");
        return CMP_ERROR;
    }

    return CMP_OK;
}


const cmp_issuer_t *
cmp_ca_issuer(const cmp_ca_t *ca, size_t n)
{
    if (n == 0) {
        return &ca->current;
    }

    return (n <= ca->nprevious) ? &ca->previous[n - 1] : NULL;
}


const cmp_profile_t *
cmp_ca_profile(const cmp_ca_t *ca, const cmp_str_t *name)
{
    size_t  i;

    if (ca->nprofiles == 0) {
        return NULL;
    }

    if (name->len == 0) {
        return ca->profiles[0];
    }

    for (i = 0; i < ca->nprofiles; i++) {
        if (cmp_str_equal(&ca->profiles[i]->name, name)) {
            return ca->profiles[i];
        }
    }

    return NULL;
}


static void
cmp_ca_free_trusted(cmp_trusted_t *trusted, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        X509_free(trusted[i].cert);
        trusted[i].cert = NULL;
    }
}


void
cmp_ca_cleanup(cmp_ca_t *ca)
{
    size_t  i;

    X509_free(ca->current.certificate);
    sk_X509_pop_free(ca->chain, X509_free);
    EVP_PKEY_free(ca->current.key);

    for (i = 0; i < ca->nprevious; i++) {
        X509_free(ca->previous[i].certificate);
        EVP_PKEY_free(ca->previous[i].key);
    }

    X509_free(ca->response_certificate);
    sk_X509_pop_free(ca->response_chain, X509_free);
    EVP_PKEY_free(ca->response_key);

    cmp_ca_free_trusted(ca->anchors, ca->nanchors);
    cmp_ca_free_trusted(ca->ras, ca->nras);
    sk_X509_CRL_pop_free(ca->crls, X509_CRL_free);
    cmp_cert_cache_destroy(ca->cert_cache);

    memset(ca, 0, sizeof(cmp_ca_t));
}
