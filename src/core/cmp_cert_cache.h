
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What became of extraCerts: a device sends the same ones with each message
 * of a transaction, and to decode them, to build their path and to look into
 * CRLs takes more time than the rest of its message.  Only what was
 * authenticated is kept, by the hash of its octets, and what is known of a
 * path only as long as nothing that it depends on has ended.  And which CRLs
 * are known to be by their issuers, for the devices that come the first time.
 */


#ifndef _CMP_CERT_CACHE_H_INCLUDED_
#define _CMP_CERT_CACHE_H_INCLUDED_


#include <cmp_core.h>
#include <cmp_profile.h>

#include <openssl/x509.h>


#define CMP_CERT_CACHE_ENTRIES  256
#define CMP_CERT_CACHE_CRLS     32
#define CMP_CERT_CACHE_OCTETS   8192    /* of extraCerts that are kept */


/* of one CA and one process; any number of threads */

typedef struct cmp_cert_cache_s  cmp_cert_cache_t;


/*
 * The stacks belong to who has the structure.  path: verified, and none of its
 * certificates revoked, for from <= now < until; NULL when that is not known.
 */

typedef struct {
    STACK_OF(X509)           *certs;        /* NULL: nothing is known */
    STACK_OF(X509)           *path;
    int                       kind;         /* cmp_signer_e, of the path */
    const cmp_scope_t        *scope;        /* borrowed from the CA */
    int64_t                   from;         /* ms */
    int64_t                   until;
} cmp_cert_known_t;


/* NULL without memory */
cmp_cert_cache_t *cmp_cert_cache_create(void);

/* cache may be NULL */
void cmp_cert_cache_destroy(cmp_cert_cache_t *cache);

/*
 * What is known of extraCerts with this SHA-256, to be given to
 * cmp_cert_known_free(); all NULL when nothing is.
 */
void cmp_cert_cache_find(cmp_cert_cache_t *cache, const unsigned char *hash,
    cmp_cert_known_t *known);

/*
 * Keeps references to what is in known, in place of what there was, or of
 * what was not asked for the longest.  Without memory nothing is kept.
 */
void cmp_cert_cache_put(cmp_cert_cache_t *cache, const unsigned char *hash,
    const cmp_cert_known_t *known);

/*
 * Whether it is known that the issuer's key has signed the CRL, which is the
 * object that was put, not an equal one.
 */
int cmp_cert_cache_has_crl(cmp_cert_cache_t *cache, const X509_CRL *crl,
    const X509 *issuer);

/* keeps references; without memory it is not known */
void cmp_cert_cache_put_crl(cmp_cert_cache_t *cache, X509_CRL *crl,
    X509 *issuer);

/* frees what it has, not the structure */
void cmp_cert_known_free(cmp_cert_known_t *known);


#endif /* _CMP_CERT_CACHE_H_INCLUDED_ */
