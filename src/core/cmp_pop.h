
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Proof of possession (RFC 4211, 4; RFC 9810, 5.2.8).
 */


#ifndef _CMP_POP_H_INCLUDED_
#define _CMP_POP_H_INCLUDED_


#include <cmp_ca.h>
#include <cmp_msg.h>


/* who vouches for the message, for the binding of poposkInput */

typedef struct {
    const X509_NAME     *sender;    /* authenticated by signature; NULL: MAC */
    const cmp_str_t     *secret;    /* MAC: for publicKeyMAC */
    unsigned             strict:1;
    unsigned             sha1:1;    /* SHA-1 is accepted in publicKeyMAC */
    unsigned             ra:1;      /* the requester is an RA: raVerified */
    long                 max_iterations;
} cmp_pop_conf_t;


/*
 * Checks the proof in req for the key in its template, which cmp_key_check()
 * has passed.  template_der is the CertRequest as received (its DER as sent),
 * over which the signature is computed when poposkInput is absent.
 * NO_POP, POP, POP_KIND, POP_INPUT, RA_VERIFIED, MAC_COST.
 */
int cmp_pop_check(const cmp_pop_conf_t *conf, const cmp_cert_req_msg_t *req,
    const cmp_str_t *template_der, cmp_pool_t *pool, cmp_refusal_t *refusal);

/* the signature of a PKCS#10 request: NO_POP is impossible; POP */
int cmp_pop_check_p10(X509_REQ *req, cmp_refusal_t *refusal);


#endif /* _CMP_POP_H_INCLUDED_ */
