
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Whose certificate protects a message, and may it: its path to an anchor of
 * this CA, its key usage, its revocation state (protocol: own, vendor, RA).
 */


#ifndef _CMP_PATH_H_INCLUDED_
#define _CMP_PATH_H_INCLUDED_


#include <cmp_ca.h>
#include <cmp_msg.h>
#include <cmp_store.h>


typedef enum {
    CMP_SIGNER_NONE = 0,
    CMP_SIGNER_OWN,             /* byte-identical in the store, of this CA */
    CMP_SIGNER_VENDOR,          /* chains to a trusted_certificate */
    CMP_SIGNER_RA               /* an ra_certificate, or an own certificate
                                   with id-kp-cmcRA from a profile for RAs */
} cmp_signer_e;


typedef struct {
    cmp_signer_e               kind;
    X509                      *cert;      /* freed with the pool */
    const cmp_certificate_t   *record;    /* own certificates, and RAs among
                                             them; else NULL */
    const cmp_scope_t         *scope;     /* vendor, RA; NULL for others and
                                             for RAs of a profile that sets no
                                             limits */
    STACK_OF(X509)            *path;      /* vendor: verified path; listed RA:
                                             itself and its issuer, if known;
                                             else NULL; freed with the pool */
    unsigned                   known:1;   /* path and CRLs were looked at
                                             when these extraCerts came
                                             before */
} cmp_signer_t;


/*
 * Finds the protecting certificate: extraCerts[0]; at base, when there is
 * none, that of the transaction or the own certificate in records->signer.
 * Checks its key, its path and validity at now, digitalSignature; not its
 * revocation state.  SIGNER_NOT_TRUSTED, SIGNER_EXPIRED, SIGNER_KEY_USAGE,
 * SIGNER_KEY.  At the strict level the chain must be in extraCerts.
 */
int cmp_path_signer(const cmp_ca_t *ca, const cmp_msg_t *msg,
    const cmp_records_t *records, int64_t now, cmp_pool_t *pool,
    cmp_signer_t *signer, cmp_refusal_t *refusal);

/*
 * The revocation state, to be told only when the signature verified:
 * SIGNER_REVOKED, SIGNER_UNCONFIRMED, SIGNER_STATUS_UNKNOWN (vendor or listed
 * RA without a CRL that is current).  Replacement is the caller's matter,
 * since it depends on the body.
 */
int cmp_path_check_revocation(const cmp_ca_t *ca, const cmp_signer_t *signer,
    int64_t now, cmp_refusal_t *refusal);

/*
 * Keeps what is known of a signer whose message was authenticated, for the
 * next one.
 */
void cmp_path_remember(const cmp_ca_t *ca, const cmp_msg_t *msg,
    const cmp_signer_t *signer, int64_t now);


#endif /* _CMP_PATH_H_INCLUDED_ */
