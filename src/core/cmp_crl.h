
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Making and signing a CRL (RFC 5280, 5), and the URLs of CRLs.
 */


#ifndef _CMP_CRL_H_INCLUDED_
#define _CMP_CRL_H_INCLUDED_


#include <cmp_ca.h>


#define CMP_CRL_MAX_PARTITIONS  1024

/* what stands in URLs for the number of the partition, 0 where there is none */
#define CMP_CRL_PLACEHOLDER     "$partition"


typedef struct {
    cmp_str_t             serial;       /* content octets, big endian */
    int64_t               revoked_at;   /* ms */
    int64_t               invalidity;   /* ms; 0: none */
    int                   reason;       /* CRLReason; 0 is left out;
                                           removeFromCRL: delta CRLs only */
} cmp_crl_entry_t;


typedef struct {
    const cmp_issuer_t   *issuer;       /* whose key signs */
    int                   partition;    /* 0: all certificates, no
                                           issuingDistributionPoint */
    int64_t               number;
    int64_t               base;         /* BaseCRLNumber; 0: a complete CRL */
    int64_t               this_update;  /* ms */
    int64_t               next_update;
} cmp_crl_params_t;


typedef struct cmp_crl_s  cmp_crl_t;


/*
 * A v2 CRL: AKI, cRLNumber, for a partition a critical
 * issuingDistributionPoint with its URL, in a complete CRL freshestCRL when
 * the CA has a URL of delta CRLs, in a delta CRL a critical deltaCRLIndicator.
 *
 * Entries are encoded when they are added, in the order of the calls; a serial
 * number must be added only once.  The result of cmp_crl_sign() belongs to the
 * CRL, which takes little more memory than that.  None of it needs the event
 * loop, one thread at a time.
 *
 * NULL or CMP_ERROR: out of memory, a value out of range, or libcrypto cannot.
 */
cmp_crl_t *cmp_crl_create(const cmp_ca_t *ca, const cmp_crl_params_t *params);
int cmp_crl_add(cmp_crl_t *crl, const cmp_crl_entry_t *entries, size_t n);
int cmp_crl_sign(cmp_crl_t *crl, cmp_str_t *der);
size_t cmp_crl_nentries(const cmp_crl_t *crl);

/* crl may be NULL */
void cmp_crl_free(cmp_crl_t *crl);


/* --- cmp_crl_url.c --- */

/* of a certificate that is issued now: 1 to ca->crl_partitions, 0: none */
int cmp_crl_partition(const cmp_ca_t *ca, const cmp_str_t *serial);

/* 1 when the placeholder is in there */
int cmp_crl_url_has_partition(const cmp_str_t *url);

/*
 * Distribution points with these URLs, the placeholder replaced: one point,
 * since all of them lead to the same CRL.  To be freed by
 * DIST_POINT_NAME_free(), CRL_DIST_POINTS_free().  NULL when out of memory.
 */
DIST_POINT_NAME *cmp_crl_dist_point_name(const cmp_str_t *urls, size_t n,
    int partition);
CRL_DIST_POINTS *cmp_crl_dist_points(const cmp_str_t *urls, size_t n,
    int partition);


#endif /* _CMP_CRL_H_INCLUDED_ */
