
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the files cmp_ca*.c share; nobody else includes it.
 */


#ifndef _CMP_CA_LOCAL_H_INCLUDED_
#define _CMP_CA_LOCAL_H_INCLUDED_


#include <cmp_ca.h>


/*
 * cmp_ca_check.c: checks of certificates and keys, in this order; each sets
 * what it finds in ca.  CMP_OK, or CMP_ERROR with a message in err.
 */
/* names the issuer as OCSP does; a hash that cannot be made stays empty */
void cmp_issuer_hash(cmp_issuer_t *issuer);

int cmp_ca_check_previous(cmp_ca_t *ca, char *err, size_t size);
int cmp_ca_check_certificate(cmp_ca_t *ca, char *err, size_t size);
int cmp_ca_check_chain(cmp_ca_t *ca, char *err, size_t size);
int cmp_ca_check_response(cmp_ca_t *ca, char *err, size_t size);
int cmp_ca_check_ra(X509 *cert, char *err, size_t size);

/*
 * Makes libcrypto compute what it would compute at first use, in objects that
 * threads share.
 */
int cmp_ca_warm(cmp_ca_t *ca, char *err, size_t size);


#endif /* _CMP_CA_LOCAL_H_INCLUDED_ */
