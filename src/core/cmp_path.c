
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_path.h>
#include <cmp_path_local.h>
#include <cmp_oid.h>

#include <string.h>


static int cmp_path_find(const cmp_ca_t *ca, const cmp_msg_t *msg,
    const cmp_records_t *records, cmp_pool_t *pool, cmp_signer_t *signer,
    cmp_refusal_t *refusal);
static int cmp_path_find_stored(const cmp_records_t *records,
    cmp_pool_t *pool, cmp_signer_t *signer, cmp_refusal_t *refusal);
static int cmp_path_classify(const cmp_ca_t *ca, const cmp_msg_t *msg,
    const cmp_records_t *records, int64_t now, cmp_pool_t *pool,
    cmp_signer_t *signer, cmp_refusal_t *refusal);
static const cmp_certificate_t *cmp_path_own(const cmp_ca_t *ca,
    const cmp_records_t *records, const cmp_str_t *der, X509 *cert);
static const cmp_profile_t *cmp_path_own_ra(const cmp_ca_t *ca,
    const cmp_certificate_t *record, X509 *cert);
static int cmp_path_listed(const cmp_ca_t *ca, const cmp_str_t *der,
    X509 *cert, cmp_pool_t *pool, const cmp_trusted_t **ra);
static X509 *cmp_path_issued_here(const cmp_ca_t *ca, X509 *cert);
static int cmp_path_check_chain(const cmp_ca_t *ca, const cmp_msg_t *msg,
    X509 *signer, cmp_refusal_t *refusal);
static int cmp_path_has_cert(const STACK_OF(X509) *certs, const X509 *cert);
static int cmp_path_check_validity(X509 *cert, int64_t now,
    cmp_refusal_t *refusal);
static int cmp_path_check_usage(X509 *cert, cmp_refusal_t *refusal);
static void cmp_path_free_cert(void *data);


int
cmp_path_signer(const cmp_ca_t *ca, const cmp_msg_t *msg,
    const cmp_records_t *records, int64_t now, cmp_pool_t *pool,
    cmp_signer_t *signer, cmp_refusal_t *refusal)
{
    int  rc;

    memset(signer, 0, sizeof(cmp_signer_t));

    rc = cmp_path_find(ca, msg, records, pool, signer, refusal);
    if (rc != CMP_OK) {
        return rc;
    }

    rc = cmp_path_check_key(signer->cert, refusal);
    if (rc != CMP_OK) {
        return rc;
    }

    rc = cmp_path_classify(ca, msg, records, now, pool, signer, refusal);
    if (rc != CMP_OK) {
        return rc;
    }

    if (signer->kind == CMP_SIGNER_VENDOR) {
        rc = cmp_path_to_anchor(ca, msg, now, pool, signer, refusal);
        if (rc != CMP_OK) {
            return rc;
        }
    }

    rc = cmp_path_check_validity(signer->cert, now, refusal);
    if (rc != CMP_OK) {
        return rc;
    }

    return cmp_path_check_usage(signer->cert, refusal);
}


static int
cmp_path_find(const cmp_ca_t *ca, const cmp_msg_t *msg,
    const cmp_records_t *records, cmp_pool_t *pool, cmp_signer_t *signer,
    cmp_refusal_t *refusal)
{
    X509  *cert;

    if (sk_X509_num(msg->extra_certs) > 0) {

        cert = sk_X509_value(msg->extra_certs, 0);

        if (X509_up_ref(cert) != 1) {
            cmp_crypto_error(NULL, 0);
            return CMP_ERROR;
        }

        if (cmp_pool_cleanup_add(pool, cmp_path_free_cert, cert) != CMP_OK) {
            return CMP_ERROR;
        }

        signer->cert = cert;

        return CMP_OK;
    }

    if (ca->conformance == CMP_RFC9483) {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_NOT_TRUSTED,
                          "it must be the first one in extraCerts");
    }

    return cmp_path_find_stored(records, pool, signer, refusal);
}


/* some clients send no certificate: that of the transaction, or our own */

static int
cmp_path_find_stored(const cmp_records_t *records, cmp_pool_t *pool,
    cmp_signer_t *signer, cmp_refusal_t *refusal)
{
    const cmp_str_t  *der;

    der = NULL;

    if (records != NULL) {

        if (records->transaction != NULL
            && records->transaction->signer.len != 0)
        {
            der = &records->transaction->signer;

        } else if (records->signer != NULL) {
            der = &records->signer->der;
        }
    }

    if (der == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_NOT_TRUSTED,
                          "it is neither in extraCerts nor known by "
                          "senderKID and sender");
    }

    signer->cert = cmp_asn1_decode(X509, der->data, der->len);
    if (signer->cert == NULL) {
        return CMP_ERROR;
    }

    return cmp_pool_cleanup_add(pool, cmp_path_free_cert, signer->cert);
}


int
cmp_path_check_key(X509 *cert, cmp_refusal_t *refusal)
{
    int                rc;
    cmp_public_key_t  *key;

    key = cmp_public_key_from(X509_get_X509_PUBKEY(cert));

    if (key == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_key_check(key, refusal);

    cmp_asn1_free(cmp_public_key_t, key);

    if (rc == CMP_DECLINED) {
        refusal->code = CMP_REFUSE_SIGNER_KEY;
    }

    return rc;
}


static int
cmp_path_classify(const cmp_ca_t *ca, const cmp_msg_t *msg,
    const cmp_records_t *records, int64_t now, cmp_pool_t *pool,
    cmp_signer_t *signer, cmp_refusal_t *refusal)
{
    cmp_str_t             der;
    const cmp_profile_t  *profile;
    const cmp_trusted_t  *ra;

    static const cmp_str_t  responder = cmp_string(CMP_PROFILE_OCSP);

    if (cmp_encode(pool, ASN1_ITEM_rptr(X509), signer->cert, &der) != CMP_OK) {
        return CMP_ERROR;
    }

    if (cmp_path_listed(ca, &der, signer->cert, pool, &ra) != CMP_OK) {
        return CMP_ERROR;
    }

    signer->record = cmp_path_own(ca, records, &der, signer->cert);

    if (signer->record != NULL
        && cmp_str_equal(&signer->record->profile, &responder))
    {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_NOT_TRUSTED,
                          "it is for OCSP answers alone");
    }

    if (ra != NULL) {
        signer->kind = CMP_SIGNER_RA;
        signer->scope = ra->scope;

        if (signer->record != NULL) {
            return CMP_OK;
        }

        return cmp_path_to_issuer(ca, msg, now, pool, signer);
    }

    if (signer->record != NULL) {
        signer->kind = CMP_SIGNER_OWN;

        profile = cmp_path_own_ra(ca, signer->record, signer->cert);

        if (profile != NULL) {
            signer->kind = CMP_SIGNER_RA;
            signer->scope = profile->ra_scope;
        }

        if (ca->conformance == CMP_RFC9483) {
            return cmp_path_check_chain(ca, msg, signer->cert, refusal);
        }

        return CMP_OK;
    }

    /*
     * A certificate of this CA that the store does not know is nobody's, even
     * if an anchor is above this CA.
     */

    if (cmp_path_issued_here(ca, signer->cert) != NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_NOT_TRUSTED,
                          "this CA does not know the certificate");
    }

    signer->kind = CMP_SIGNER_VENDOR;

    return CMP_OK;
}


static const cmp_certificate_t *
cmp_path_own(const cmp_ca_t *ca, const cmp_records_t *records,
    const cmp_str_t *der, X509 *cert)
{
    const X509_NAME  *subject;

    if (records == NULL || records->signer == NULL) {
        return NULL;
    }

    if (cmp_str_equal(&records->signer->der, der) == 0) {
        return NULL;
    }

    subject = X509_get_subject_name(ca->current.certificate);

    if (X509_NAME_cmp(X509_get_issuer_name(cert), subject) != 0) {
        return NULL;
    }

    return records->signer;
}


/*
 * An RA, when the profile says so and the certificate does: the profile, else
 * NULL.
 */

static const cmp_profile_t *
cmp_path_own_ra(const cmp_ca_t *ca, const cmp_certificate_t *record,
    X509 *cert)
{
    int                   i, found;
    EXTENDED_KEY_USAGE   *usages;
    const cmp_profile_t  *profile;

    /* an empty name would be that of the default profile */

    if (record->profile.len == 0) {
        return NULL;
    }

    profile = cmp_ca_profile(ca, &record->profile);

    if (profile == NULL || profile->ra == 0) {
        return NULL;
    }

    usages = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);

    found = 0;

    for (i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
        if (cmp_oid_equal(sk_ASN1_OBJECT_value(usages, i),
                          &cmp_oid_kp_cmc_ra)
            != 0)
        {
            found = 1;
            break;
        }
    }

    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
    cmp_crypto_error(NULL, 0);

    return found ? profile : NULL;
}


static int
cmp_path_listed(const cmp_ca_t *ca, const cmp_str_t *der, X509 *cert,
    cmp_pool_t *pool, const cmp_trusted_t **ra)
{
    size_t     i;
    cmp_str_t  listed;

    *ra = NULL;

    for (i = 0; i < ca->nras; i++) {

        /* cheap, by what libcrypto has hashed already */

        if (X509_cmp(ca->ras[i].cert, cert) != 0) {
            continue;
        }

        if (cmp_encode(pool, ASN1_ITEM_rptr(X509), ca->ras[i].cert, &listed)
            != CMP_OK)
        {
            return CMP_ERROR;
        }

        if (cmp_str_equal(&listed, der) != 0) {
            *ra = &ca->ras[i];
            break;
        }
    }

    cmp_crypto_error(NULL, 0);

    return CMP_OK;
}


/* the certificate of the key that issued it, NULL when none of ours did */

static X509 *
cmp_path_issued_here(const cmp_ca_t *ca, X509 *cert)
{
    size_t               i;
    X509                *found;
    const cmp_issuer_t  *issuer;

    if (X509_NAME_cmp(X509_get_issuer_name(cert),
                      X509_get_subject_name(ca->current.certificate))
        != 0)
    {
        return NULL;
    }

    found = NULL;

    for (i = 0; found == NULL && i <= ca->nprevious; i++) {

        issuer = cmp_ca_issuer(ca, i);

        if (X509_verify(cert, X509_get0_pubkey(issuer->certificate)) == 1) {
            found = issuer->certificate;
        }
    }

    cmp_crypto_error(NULL, 0);

    return found;
}


/* strict (RFC 9483, 3.3): all up to the root, which may be left out */

static int
cmp_path_check_chain(const cmp_ca_t *ca, const cmp_msg_t *msg,
    X509 *signer, cmp_refusal_t *refusal)
{
    int    i;
    X509  *cert;

    /* those above a previous certificate are not known: they may be others */

    cert = (ca->nprevious != 0) ? cmp_path_issued_here(ca, signer)
                                : ca->current.certificate;

    for (i = 0; cert != NULL; i++) {

        if (X509_self_signed(cert, 0) != 1
            && cmp_path_has_cert(msg->extra_certs, cert) == 0)
        {
            cmp_crypto_error(NULL, 0);
            return cmp_refuse(refusal, CMP_REFUSE_SIGNER_NOT_TRUSTED,
                              "its chain is not in extraCerts");
        }

        if (i == 0 && cert != ca->current.certificate) {
            break;
        }

        cert = (i < sk_X509_num(ca->chain)) ? sk_X509_value(ca->chain, i)
                                            : NULL;
    }

    cmp_crypto_error(NULL, 0);

    return CMP_OK;
}


static int
cmp_path_has_cert(const STACK_OF(X509) *certs, const X509 *cert)
{
    int  i;

    for (i = 0; i < sk_X509_num(certs); i++) {
        if (X509_cmp(sk_X509_value(certs, i), cert) == 0) {
            return 1;
        }
    }

    return 0;
}


static int
cmp_path_check_validity(X509 *cert, int64_t now, cmp_refusal_t *refusal)
{
    int     before, after;
    time_t  t;

    t = (time_t) (now / 1000);

    /* negative: not later than t; 0: not a time */

    before = X509_cmp_time(X509_get0_notBefore(cert), &t);
    after = X509_cmp_time(X509_get0_notAfter(cert), &t);

    cmp_crypto_error(NULL, 0);

    if (before >= 0 || after <= 0) {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_EXPIRED, NULL);
    }

    return CMP_OK;
}


static int
cmp_path_check_usage(X509 *cert, cmp_refusal_t *refusal)
{
    uint32_t  usage;

    /* all bits when there is no keyUsage, none when it cannot be decoded */

    usage = X509_get_key_usage(cert);

    cmp_crypto_error(NULL, 0);

    if ((usage & KU_DIGITAL_SIGNATURE) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_KEY_USAGE, NULL);
    }

    return CMP_OK;
}


int
cmp_path_check_revocation(const cmp_ca_t *ca, const cmp_signer_t *signer,
    int64_t now, cmp_refusal_t *refusal)
{
    if (signer->record == NULL) {
        return cmp_path_check_crls(ca, signer, now, refusal);
    }

    switch (signer->record->state) {

    case CMP_CERT_VALID:
        return CMP_OK;

    case CMP_CERT_UNCONFIRMED:
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_UNCONFIRMED, NULL);

    case CMP_CERT_HOLD:
    case CMP_CERT_REVOKED:
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_REVOKED, NULL);

    default:
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_STATUS_UNKNOWN, NULL);
    }
}


static void
cmp_path_free_cert(void *data)
{
    X509_free(data);
}
