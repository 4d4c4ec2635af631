
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * genm: which keys may be certified, and with which parameters (RFC 9810,
 * 5.3.19.2 to 5.3.19.4 and 5.3.19.8).
 */


#include <cmp_exchange_support.h>
#include <cmp_key.h>

#include <openssl/objects.h>


#define CMP_SUPPORT_SIGN  (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION          \
                           | KU_KEY_CERT_SIGN | KU_CRL_SIGN)
#define CMP_SUPPORT_ENC   (KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT         \
                           | KU_KEY_AGREEMENT)


static int cmp_support_keys(cmp_exchange_t *ex, uint32_t usages,
    cmp_str_t *der);
static int cmp_support_add_keys(const cmp_profile_t *profile, uint32_t usages,
    cmp_algorithms_t *algs);
static int cmp_support_add_algorithm(cmp_algorithms_t *algs, X509_ALGOR *alg);
static const cmp_key_rule_t *cmp_support_find_key(cmp_exchange_t *ex, int nid);


int
cmp_support_sign_keys(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    (void) value;
    (void) refusal;

    return cmp_support_keys(ex, CMP_SUPPORT_SIGN, der);
}


int
cmp_support_enc_keys(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    (void) value;
    (void) refusal;

    return cmp_support_keys(ex, CMP_SUPPORT_ENC, der);
}


/* of all profiles that the requester may use */

static int
cmp_support_keys(cmp_exchange_t *ex, uint32_t usages, cmp_str_t *der)
{
    int                   rc;
    size_t                i;
    cmp_algorithms_t     *algs;
    const cmp_profile_t  *profile;

    algs = sk_X509_ALGOR_new_null();
    if (algs == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_OK;

    for (i = 0; rc == CMP_OK && i < ex->ca->nprofiles; i++) {

        profile = cmp_exchange_profile(ex, &ex->ca->profiles[i]->name);

        if (profile != NULL) {
            rc = cmp_support_add_keys(profile, usages, algs);
        }
    }

    if (rc == CMP_OK && sk_X509_ALGOR_num(algs) > 0) {
        rc = cmp_encode(ex->work, ASN1_ITEM_rptr(cmp_algorithms_t), algs, der);
    }

    sk_X509_ALGOR_pop_free(algs, X509_ALGOR_free);

    return rc;
}


static int
cmp_support_add_keys(const cmp_profile_t *profile, uint32_t usages,
    cmp_algorithms_t *algs)
{
    size_t                 i;
    const cmp_key_rule_t  *rule;

    for (i = 0; i < profile->nkeys; i++) {
        rule = &profile->keys[i];

        if ((cmp_key_usages(rule->nid) & profile->key_usage & usages) == 0) {
            continue;
        }

        if (cmp_support_add_algorithm(algs, cmp_support_algorithm(rule))
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/* each one once; takes over alg */

static int
cmp_support_add_algorithm(cmp_algorithms_t *algs, X509_ALGOR *alg)
{
    int  i;

    if (alg == NULL) {
        return CMP_ERROR;
    }

    for (i = 0; i < sk_X509_ALGOR_num(algs); i++) {

        if (X509_ALGOR_cmp(sk_X509_ALGOR_value(algs, i), alg) == 0) {
            X509_ALGOR_free(alg);
            return CMP_OK;
        }
    }

    if (sk_X509_ALGOR_push(algs, alg) <= 0) {
        X509_ALGOR_free(alg);
        return CMP_ERROR;
    }

    return CMP_OK;
}


X509_ALGOR *
cmp_support_algorithm(const cmp_key_rule_t *rule)
{
    int           type;
    X509_ALGOR   *alg;
    ASN1_OBJECT  *curve;

    curve = NULL;
    type = V_ASN1_UNDEF;

    if (rule->curve != 0) {
        curve = OBJ_nid2obj(rule->curve);
        type = V_ASN1_OBJECT;

    } else if (rule->nid == NID_rsaEncryption) {
        type = V_ASN1_NULL;
    }

    alg = X509_ALGOR_new();

    if (alg == NULL
        || (type == V_ASN1_OBJECT && curve == NULL)
        || X509_ALGOR_set0(alg, OBJ_nid2obj(rule->nid), type, curve) != 1)
    {
        X509_ALGOR_free(alg);
        return NULL;
    }

    return alg;
}


/* the parameters that the first profile with such keys prefers */

int
cmp_support_key_params(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    int                    rc;
    X509_ALGOR            *alg;
    const cmp_key_rule_t  *rule;

    if (value->type != V_ASN1_OBJECT) {
        return cmp_refuse(refusal, CMP_REFUSE_INFO_WRONG, "keyPairParamReq");
    }

    rule = cmp_support_find_key(ex, OBJ_obj2nid(value->value.object));

    if (rule == NULL) {
        return CMP_OK;
    }

    alg = cmp_support_algorithm(rule);
    if (alg == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_encode(ex->work, ASN1_ITEM_rptr(X509_ALGOR), alg, der);

    X509_ALGOR_free(alg);

    return rc;
}


static const cmp_key_rule_t *
cmp_support_find_key(cmp_exchange_t *ex, int nid)
{
    size_t                i, j;
    const cmp_profile_t  *profile;

    for (i = 0; i < ex->ca->nprofiles; i++) {

        profile = cmp_exchange_profile(ex, &ex->ca->profiles[i]->name);

        if (profile == NULL) {
            continue;
        }

        for (j = 0; j < profile->nkeys; j++) {

            if (profile->keys[j].nid == nid && nid != NID_undef) {
                return &profile->keys[j];
            }
        }
    }

    return NULL;
}


/* RFC 9481, 5: one that every client with CMS has */

int
cmp_support_symm_alg(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    int          rc;
    X509_ALGOR  *alg;

    (void) value;
    (void) refusal;

    alg = X509_ALGOR_new();

    if (alg == NULL
        || X509_ALGOR_set0(alg, OBJ_nid2obj(NID_aes_256_cbc), V_ASN1_UNDEF,
                           NULL)
           != 1)
    {
        X509_ALGOR_free(alg);
        return CMP_ERROR;
    }

    rc = cmp_encode(ex->work, ASN1_ITEM_rptr(X509_ALGOR), alg, der);

    X509_ALGOR_free(alg);

    return rc;
}
