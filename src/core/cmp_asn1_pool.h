
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * ASN.1 structures and their encodings in a pool.
 */


#ifndef _CMP_ASN1_POOL_H_INCLUDED_
#define _CMP_ASN1_POOL_H_INCLUDED_


#include <cmp_asn1.h>
#include <cmp_core.h>


/*
 * The pool takes the value over and frees it; in case of CMP_ERROR it is
 * freed at once.
 */
int cmp_asn1_pool_item(cmp_pool_t *pool, const ASN1_ITEM *it, void *value);

/* DER of a value into the pool.  CMP_OK or CMP_ERROR. */
int cmp_encode(cmp_pool_t *pool, const ASN1_ITEM *it, const void *value,
    cmp_str_t *der);

/*
 * A copy of what is encoded already, as a value of an ASN1_ANY that is encoded
 * as it is.  libcrypto looks at the length of what is nested once for each
 * level around it.  To be freed by ASN1_TYPE_free(); NULL when out of memory.
 */
ASN1_TYPE *cmp_asn1_encoded(const cmp_str_t *der);

/* the octets of a string, which may be NULL, not copied */
cmp_str_t cmp_octets(const ASN1_STRING *string);


#endif /* _CMP_ASN1_POOL_H_INCLUDED_ */
