
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The short way through CRLs.  Nearly all signers are those whose issuer has
 * one CRL, without any restriction, which does not name them.  To verify the
 * signature of the same CRL for each of them, and that of their certificate a
 * second time, is what takes the time; so that a CRL is by its issuer is found
 * out once.  Whatever is not that simple goes the long way, and so does each
 * refusal.
 */


#include <cmp_path_local.h>

#include <openssl/x509v3.h>


static int cmp_path_absent(const cmp_ca_t *ca, X509 *cert, X509 *issuer,
    time_t now);
static int cmp_path_points(X509 *cert);
static int cmp_path_current(const X509_CRL *crl, time_t now);
static int cmp_path_issued(const cmp_ca_t *ca, X509_CRL *crl, X509 *issuer);
static int cmp_path_plain(X509_CRL *crl, const X509 *issuer);
static int cmp_path_plain_entries(X509_CRL *crl);


int
cmp_path_not_revoked(const cmp_ca_t *ca, const STACK_OF(X509) *path,
    int64_t now)
{
    int  i;

    if (ca->cert_cache == NULL) {
        return 0;
    }

    for (i = 0; i < sk_X509_num(path) - 1; i++) {

        if (cmp_path_absent(ca, sk_X509_value(path, i),
                            sk_X509_value(path, i + 1), (time_t) (now / 1000))
            == 0)
        {
            cmp_crypto_error(NULL, 0);
            return 0;
        }
    }

    cmp_crypto_error(NULL, 0);

    return 1;
}


/* each CRL in the name of the issuer has to be good for the answer */

static int
cmp_path_absent(const cmp_ca_t *ca, X509 *cert, X509 *issuer, time_t now)
{
    int               i, found;
    X509_CRL         *crl;
    X509_REVOKED     *entry;
    const X509_NAME  *name;

    if (cmp_path_points(cert) == 0) {
        return 0;
    }

    found = 0;
    name = X509_get_subject_name(issuer);

    for (i = 0; i < sk_X509_CRL_num(ca->crls); i++) {

        crl = sk_X509_CRL_value(ca->crls, i);

        if (X509_NAME_cmp(X509_CRL_get_issuer(crl), name) != 0) {
            continue;
        }

        if (cmp_path_current(crl, now) == 0
            || cmp_path_issued(ca, crl, issuer) == 0
            || X509_CRL_get0_by_cert(crl, &entry, cert) != 0)
        {
            return 0;
        }

        found = 1;
    }

    return found;
}


/* a certificate may want several CRLs, each for some reasons */

static int
cmp_path_points(X509 *cert)
{
    int               i, good;
    DIST_POINT       *point;
    CRL_DIST_POINTS  *points;

    if (X509_get_ext_by_NID(cert, NID_crl_distribution_points, -1) < 0) {
        return 1;
    }

    points = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
    good = (points != NULL);

    for (i = 0; i < sk_DIST_POINT_num(points); i++) {

        point = sk_DIST_POINT_value(points, i);

        if (point->reasons != NULL || point->CRLissuer != NULL) {
            good = 0;
        }
    }

    CRL_DIST_POINTS_free(points);

    return good;
}


static int
cmp_path_current(const X509_CRL *crl, time_t now)
{
    const ASN1_TIME  *end;

    end = X509_CRL_get0_nextUpdate(crl);

    /* negative: not later than now; 0: not a time */

    return end != NULL
           && X509_cmp_time(X509_CRL_get0_lastUpdate(crl), &now) < 0
           && X509_cmp_time(end, &now) > 0;
}


/* is it, or is it known to be, a plain CRL that this issuer signed */

static int
cmp_path_issued(const cmp_ca_t *ca, X509_CRL *crl, X509 *issuer)
{
    EVP_PKEY  *key;

    if (cmp_cert_cache_has_crl(ca->cert_cache, crl, issuer) != 0) {
        return 1;
    }

    key = X509_get0_pubkey(issuer);

    if (key == NULL
        || cmp_path_plain(crl, issuer) == 0
        || (X509_get_key_usage(issuer) & KU_CRL_SIGN) == 0
        || X509_CRL_verify(crl, key) != 1)
    {
        return 0;
    }

    cmp_cert_cache_put_crl(ca->cert_cache, crl, issuer);

    return 1;
}


/* no extension but a number and the key of the issuer: a CRL for everything */

static int
cmp_path_plain(X509_CRL *crl, const X509 *issuer)
{
    int               n, plain, no_akid, no_number;
    ASN1_INTEGER     *number;
    AUTHORITY_KEYID  *akid;

    /* -1: there is none; critical, twice or not to be decoded are others */

    akid = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, &no_akid,
                                NULL);
    number = X509_CRL_get_ext_d2i(crl, NID_crl_number, &no_number, NULL);

    n = (akid != NULL) + (number != NULL);

    plain = (akid != NULL || no_akid == -1)
            && (number != NULL || no_number == -1)
            && X509_CRL_get_ext_count(crl) == n
            && X509_check_akid(issuer, akid) == X509_V_OK
            && cmp_path_plain_entries(crl) != 0;

    AUTHORITY_KEYID_free(akid);
    ASN1_INTEGER_free(number);

    return plain;
}


/* nothing about others than the issuer's certificates */

static int
cmp_path_plain_entries(X509_CRL *crl)
{
    int                      i, n;
    X509_EXTENSION          *ext;
    const X509_REVOKED      *entry;
    STACK_OF(X509_REVOKED)  *entries;

    entries = X509_CRL_get_REVOKED(crl);

    for (i = 0; i < sk_X509_REVOKED_num(entries); i++) {

        entry = sk_X509_REVOKED_value(entries, i);

        if (X509_REVOKED_get_ext_by_NID(entry, NID_certificate_issuer, -1)
            >= 0)
        {
            return 0;
        }

        for (n = 0; n < X509_REVOKED_get_ext_count(entry); n++) {

            ext = X509_REVOKED_get_ext(entry, n);

            if (X509_EXTENSION_get_critical(ext) != 0) {
                return 0;
            }
        }
    }

    return 1;
}
