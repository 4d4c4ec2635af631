
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Making and signing a CRL (RFC 5280, 5).
 */


#ifndef _CMP_CRL_H_INCLUDED_
#define _CMP_CRL_H_INCLUDED_


#include <cmp_ca.h>


typedef struct {
    cmp_str_t     serial;           /* content octets, big endian */
    int64_t       revoked_at;       /* ms */
    int64_t       invalidity;       /* ms; 0: none */
    int           reason;           /* CRLReason; 0 is left out */
} cmp_crl_entry_t;


/*
 * A full v2 CRL of the CA with AKI and cRLNumber; thisUpdate is now,
 * nextUpdate now + ca->crl_lifetime.  DER in the pool.  CMP_OK or CMP_ERROR.
 */
int cmp_crl_make(const cmp_ca_t *ca, int64_t number, int64_t now,
    const cmp_crl_entry_t *entries, size_t n, cmp_pool_t *pool,
    cmp_str_t *der);


#endif /* _CMP_CRL_H_INCLUDED_ */
