
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Key usages of a profile, and the cross-checks when it is complete.
 */


#include <cmp_profile.h>
#include <cmp_key.h>
#include <cmp_name.h>
#include <cmp_oid.h>

#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>
#include <openssl/x509v3.h>


#define CMP_PROFILE_MAX_BACKDATE   (30 * 86400)                /* s */
#define CMP_PROFILE_MAX_VALIDITY   ((int64_t) 100 * 366 * 86400)
#define CMP_PROFILE_MAX_URLS       16
#define CMP_PROFILE_MAX_PATH_LEN   8


typedef struct {
    const char           *name;
    uint32_t              bit;
} cmp_key_usage_name_t;


static int cmp_profile_has(ASN1_OBJECT **list, size_t n, int nid);
static const char *cmp_profile_special(ASN1_OBJECT *usage);
static int cmp_profile_finish_key_usage(cmp_profile_t *profile, char *err,
    size_t size);
static int cmp_profile_finish_ca(cmp_profile_t *profile, cmp_pool_t *pool,
    char *err, size_t size);
static int cmp_profile_finish_policies(cmp_profile_t *profile,
    cmp_pool_t *pool, char *err, size_t size);
static int cmp_profile_add_policies(STACK_OF(X509_EXTENSION) *exts,
    ASN1_OBJECT **oids, size_t n);
static void cmp_profile_free_policies(void *data);
static int cmp_profile_finish_extensions(const cmp_profile_t *profile,
    char *err, size_t size);
static int cmp_profile_finish_urls(const cmp_str_t *urls, size_t n,
    const char *what, char *err, size_t size);


static const cmp_key_usage_name_t  cmp_key_usage_names[] = {
    { "digitalSignature", KU_DIGITAL_SIGNATURE },
    { "nonRepudiation", KU_NON_REPUDIATION },
    { "contentCommitment", KU_NON_REPUDIATION },
    { "keyEncipherment", KU_KEY_ENCIPHERMENT },
    { "dataEncipherment", KU_DATA_ENCIPHERMENT },
    { "keyAgreement", KU_KEY_AGREEMENT },
    { "keyCertSign", KU_KEY_CERT_SIGN },
    { "cRLSign", KU_CRL_SIGN },
    { "encipherOnly", KU_ENCIPHER_ONLY },
    { "decipherOnly", KU_DECIPHER_ONLY },
    { NULL, 0 }
};


int
cmp_profile_add_key_usage(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size)
{
    const cmp_key_usage_name_t  *name;

    (void) pool;

    for (name = cmp_key_usage_names; name->name != NULL; name++) {

        if (word->len != strlen(name->name)
            || memcmp(word->data, name->name, word->len) != 0)
        {
            continue;
        }

        if (profile->key_usage & name->bit) {
            snprintf(err, size, "\"%s\" is given twice", name->name);
            return CMP_ERROR;
        }

        profile->key_usage |= name->bit;

        return CMP_OK;
    }

    snprintf(err, size, "unknown key usage \"%.*s\"", (int) word->len,
             (const char *) word->data);

    return CMP_ERROR;
}


static int
cmp_profile_has(ASN1_OBJECT **list, size_t n, int nid)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (OBJ_obj2nid(list[i]) == nid) {
            return 1;
        }
    }

    return 0;
}


int
cmp_profile_copies(const cmp_profile_t *profile, int nid)
{
    return cmp_profile_has(profile->extensions, profile->nextensions, nid);
}


/* the name of a usage that gives power over others (RFC 9810, 4.5) */

static const char *
cmp_profile_special(ASN1_OBJECT *usage)
{
    if (cmp_oid_equal(usage, &cmp_oid_kp_cmc_ca)) {
        return "cmcCA";
    }

    if (cmp_oid_equal(usage, &cmp_oid_kp_cmc_ra)) {
        return "cmcRA";
    }

    if (cmp_oid_equal(usage, &cmp_oid_kp_cm_kga)) {
        return "cmKGA";
    }

    return NULL;
}


int
cmp_profile_finish(cmp_profile_t *profile, cmp_pool_t *pool, char *err,
    size_t size)
{
    if (profile->name.len == 0) {
        snprintf(err, size, "the profile has no name");
        return CMP_ERROR;
    }

    if (profile->nkeys == 0) {
        snprintf(err, size, "no \"key\" in the profile");
        return CMP_ERROR;
    }

    if (profile->validity <= 0) {
        snprintf(err, size, "no \"validity\" in the profile");
        return CMP_ERROR;
    }

    if (profile->validity > CMP_PROFILE_MAX_VALIDITY) {
        snprintf(err, size, "\"validity\" is over 100 years");
        return CMP_ERROR;
    }

    if (profile->backdate < 0 || profile->backdate > CMP_PROFILE_MAX_BACKDATE)
    {
        snprintf(err, size, "\"backdate\" is not within 0 to 30 days");
        return CMP_ERROR;
    }

    if (profile->san_required && profile->nsans == 0) {
        snprintf(err, size, "\"san\" is required, but no name is allowed");
        return CMP_ERROR;
    }

    if (cmp_profile_finish_ca(profile, pool, err, size) != CMP_OK
        || cmp_profile_finish_key_usage(profile, err, size) != CMP_OK
        || cmp_profile_finish_policies(profile, pool, err, size) != CMP_OK
        || cmp_profile_finish_extensions(profile, err, size) != CMP_OK
        || cmp_profile_finish_urls(profile->crl_urls, profile->ncrl_urls,
                                   "CRL", err, size) != CMP_OK
        || cmp_profile_finish_urls(profile->ocsp_urls, profile->nocsp_urls,
                                   "OCSP", err, size) != CMP_OK
        || cmp_profile_finish_urls(profile->ca_issuer_urls,
                                   profile->nca_issuer_urls, "CA issuer", err,
                                   size) != CMP_OK)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_profile_finish_ca(cmp_profile_t *profile, cmp_pool_t *pool, char *err,
    size_t size)
{
    size_t       i;
    const char  *special;
    cmp_str_t    ra = cmp_string("cmcRA");

    if (profile->ca && profile->ra) {
        snprintf(err, size, "a profile is for CA or for RA certificates, "
                 "not for both");
        return CMP_ERROR;
    }

    if (profile->path_len > CMP_PROFILE_MAX_PATH_LEN
        || (profile->path_len > 0 && !profile->ca))
    {
        snprintf(err, size, "the path length is over %d, or the profile not "
                 "for CA certificates", CMP_PROFILE_MAX_PATH_LEN);
        return CMP_ERROR;
    }

    for (i = 0; i < profile->next_key_usage; i++) {
        special = cmp_profile_special(profile->ext_key_usage[i]);

        if (special != NULL && !profile->ca && !profile->ra) {
            snprintf(err, size, "\"%s\" is for RA and CA certificates only, "
                     "the profile must say so", special);
            return CMP_ERROR;
        }

        if (special != NULL && strcmp(special, "cmcRA") == 0) {
            return CMP_OK;
        }
    }

    if (profile->ra) {
        return cmp_profile_add_ext_key_usage(profile, pool, &ra, err, size);
    }

    return CMP_OK;
}


static int
cmp_profile_finish_key_usage(cmp_profile_t *profile, char *err, size_t size)
{
    char                         text[48];
    size_t                       i;
    uint32_t                     served, usages;
    const cmp_key_usage_name_t  *name;

    if (profile->key_usage == 0) {
        profile->key_usage = profile->ca ? KU_KEY_CERT_SIGN | KU_CRL_SIGN
                                         : KU_DIGITAL_SIGNATURE;
    }

    if (profile->ca && !(profile->key_usage & KU_KEY_CERT_SIGN)) {
        snprintf(err, size, "a profile for CA certificates needs the key "
                 "usage \"keyCertSign\"");
        return CMP_ERROR;
    }

    if (!profile->ca
        && (profile->key_usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)))
    {
        snprintf(err, size, "\"keyCertSign\" and \"cRLSign\" are for CA "
                 "certificates only, the profile must say so");
        return CMP_ERROR;
    }

    if (profile->ra && !(profile->key_usage & KU_DIGITAL_SIGNATURE)) {
        snprintf(err, size, "a profile for RA certificates needs the key "
                 "usage \"digitalSignature\"");
        return CMP_ERROR;
    }

    if ((profile->key_usage & (KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY))
        && !(profile->key_usage & KU_KEY_AGREEMENT))
    {
        snprintf(err, size, "\"encipherOnly\" and \"decipherOnly\" mean "
                 "nothing without \"keyAgreement\"");
        return CMP_ERROR;
    }

    served = 0;

    for (i = 0; i < profile->nkeys; i++) {
        usages = cmp_key_usages(profile->keys[i].nid) & profile->key_usage;
        served |= usages;

        if ((usages & ~(uint32_t) (KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY)) == 0
            || (profile->ca && !(usages & KU_KEY_CERT_SIGN)))
        {
            snprintf(err, size, "a key \"%s\" serves no key usage of the "
                     "profile", cmp_key_rule_text(&profile->keys[i], text,
                                                  sizeof(text)));
            return CMP_ERROR;
        }
    }

    for (name = cmp_key_usage_names; name->name != NULL; name++) {
        if (profile->key_usage & ~served & name->bit) {
            snprintf(err, size, "the key usage \"%s\" is served by no key of "
                     "the profile", name->name);
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static int
cmp_profile_finish_policies(cmp_profile_t *profile, cmp_pool_t *pool,
    char *err, size_t size)
{
    if (profile->npolicy_oids == 0) {
        return CMP_OK;
    }

    profile->policies = sk_X509_EXTENSION_new_null();

    if (cmp_pool_cleanup_add(pool, cmp_profile_free_policies,
                             profile->policies)
        != CMP_OK
        || cmp_profile_add_policies(profile->policies, profile->policy_oids,
                                    profile->npolicy_oids)
           != CMP_OK)
    {
        cmp_crypto_error(NULL, 0);
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_profile_add_policies(STACK_OF(X509_EXTENSION) *exts, ASN1_OBJECT **oids,
    size_t n)
{
    size_t                  i;
    POLICYINFO             *info;
    X509_EXTENSION         *ext;
    CERTIFICATEPOLICIES    *policies;

    ext = NULL;
    policies = CERTIFICATEPOLICIES_new();

    for (i = 0; policies != NULL && i < n; i++) {
        info = POLICYINFO_new();

        if (info == NULL || !sk_POLICYINFO_push(policies, info)) {
            POLICYINFO_free(info);
            goto done;
        }

        info->policyid = OBJ_dup(oids[i]);

        if (info->policyid == NULL) {
            goto done;
        }
    }

    if (policies != NULL) {
        ext = X509V3_EXT_i2d(NID_certificate_policies, 0, policies);
    }

done:

    CERTIFICATEPOLICIES_free(policies);

    if (ext == NULL || !sk_X509_EXTENSION_push(exts, ext)) {
        X509_EXTENSION_free(ext);
        return CMP_ERROR;
    }

    return CMP_OK;
}


static void
cmp_profile_free_policies(void *data)
{
    sk_X509_EXTENSION_pop_free(data, X509_EXTENSION_free);
}


/* what the profile itself puts into certificates cannot be asked for too */

static int
cmp_profile_finish_extensions(const cmp_profile_t *profile, char *err,
    size_t size)
{
    int  nid;

    nid = NID_undef;

    if (profile->ncrl_urls != 0
        && cmp_profile_has(profile->extensions, profile->nextensions,
                           NID_crl_distribution_points))
    {
        nid = NID_crl_distribution_points;
    }

    if (profile->nocsp_urls + profile->nca_issuer_urls != 0
        && cmp_profile_has(profile->extensions, profile->nextensions,
                           NID_info_access))
    {
        nid = NID_info_access;
    }

    if (sk_X509_EXTENSION_num(profile->policies) > 0
        && cmp_profile_has(profile->extensions, profile->nextensions,
                           NID_certificate_policies))
    {
        nid = NID_certificate_policies;
    }

    if (nid != NID_undef) {
        snprintf(err, size, "extension \"%s\" is both made by the profile and "
                 "copied from requests", OBJ_nid2sn(nid));
        return CMP_ERROR;
    }

    if (!profile->ca
        && (cmp_profile_has(profile->extensions, profile->nextensions,
                            NID_name_constraints)
            || cmp_profile_has(profile->extensions, profile->nextensions,
                               NID_policy_constraints)
            || cmp_profile_has(profile->extensions, profile->nextensions,
                               NID_policy_mappings)
            || cmp_profile_has(profile->extensions, profile->nextensions,
                               NID_inhibit_any_policy)))
    {
        snprintf(err, size, "nameConstraints, policyConstraints, "
                 "policyMappings and inhibitAnyPolicy are for CA certificates "
                 "only");
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_profile_finish_urls(const cmp_str_t *urls, size_t n, const char *what,
    char *err, size_t size)
{
    size_t       i;
    const char  *reason;

    if (n > CMP_PROFILE_MAX_URLS) {
        snprintf(err, size, "more than %d %s URLs", CMP_PROFILE_MAX_URLS,
                 what);
        return CMP_ERROR;
    }

    for (i = 0; i < n; i++) {
        reason = cmp_uri_check(urls[i].data, urls[i].len);

        if (reason != NULL) {
            snprintf(err, size, "%s URL \"%.*s\" %s", what,
                     (int) urls[i].len, (const char *) urls[i].data, reason);
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}
