
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the files cmp_exchange_revoke*.c share; nobody else includes it.
 */


#ifndef _CMP_EXCHANGE_REVOKE_H_INCLUDED_
#define _CMP_EXCHANGE_REVOKE_H_INCLUDED_


#include <cmp_exchange_local.h>


/* one RevDetails */

typedef struct {
    const cmp_rev_details_t  *details;
    const cmp_certificate_t  *cert;
    X509                     *x509;
    long                      reason;
    int64_t                   invalidity;
    int                       status;
    const char               *text;
    cmp_refusal_t             refusal;
    unsigned                  approval:1;   /* an operator has to agree */
} cmp_rev_t;


/* the answer begins; NULL when out of memory */
cmp_rev_rep_content_t *cmp_revoke_body(cmp_exchange_t *ex);

/* one status more, and its row of the audit */
int cmp_revoke_status(cmp_exchange_t *ex, cmp_rev_rep_content_t *rep,
    cmp_rev_t *rev);
int cmp_revoke_cert_ids(cmp_exchange_t *ex, cmp_rev_rep_content_t *rep,
    const cmp_rev_t *revs, int n);


#endif /* _CMP_EXCHANGE_REVOKE_H_INCLUDED_ */
