
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What cmp_path.c and cmp_path_chain.c share.
 */


#ifndef _CMP_PATH_LOCAL_H_INCLUDED_
#define _CMP_PATH_LOCAL_H_INCLUDED_


#include <cmp_path.h>


/*
 * The key of a certificate by which a signature is to be verified:
 * SIGNER_KEY when it is not acceptable.
 */
int cmp_path_check_key(X509 *cert, cmp_refusal_t *refusal);

/*
 * Builds and verifies the path of signer->cert to an anchor, sets path and
 * scope: SIGNER_NOT_TRUSTED, SIGNER_EXPIRED, SIGNER_KEY.
 */
int cmp_path_to_anchor(const cmp_ca_t *ca, const cmp_msg_t *msg, int64_t now,
    cmp_pool_t *pool, cmp_signer_t *signer, cmp_refusal_t *refusal);

/*
 * For a listed RA, the path is the certificate and the one of its issuer, by
 * whose key the CRL is verified.  It stays NULL when no issuer is found.
 */
int cmp_path_to_issuer(const cmp_ca_t *ca, const cmp_msg_t *msg, int64_t now,
    cmp_pool_t *pool, cmp_signer_t *signer);

/* SIGNER_REVOKED, SIGNER_STATUS_UNKNOWN, for all of the path but its end */
int cmp_path_check_crls(const cmp_ca_t *ca, const cmp_signer_t *signer,
    int64_t now, cmp_refusal_t *refusal);

/*
 * 1 when plain and current CRLs of the issuers name nothing of the path but
 * perhaps its end; 0: that is not known, see cmp_path_check_crls().
 */
int cmp_path_not_revoked(const cmp_ca_t *ca, const STACK_OF(X509) *path,
    int64_t now);


#endif /* _CMP_PATH_LOCAL_H_INCLUDED_ */
