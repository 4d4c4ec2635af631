
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the files cmp_crl*.c share; nobody else includes it.
 */


#ifndef _CMP_CRL_LOCAL_H_INCLUDED_
#define _CMP_CRL_LOCAL_H_INCLUDED_


#include <cmp_crl.h>


#define CMP_CRL_MAX_ENTRY      112     /* of DER, with the longest serial */
#define CMP_CRL_MAX_HEADER     6       /* lengths are below 2^31 */
#define CMP_CRL_MAX_TIME_LEN   17


/* DER of one entry; its length, 0 when the entry makes no sense */
size_t cmp_crl_entry(const cmp_crl_entry_t *entry, int delta,
    unsigned char *p);

/*
 * UTCTime until 2049 (RFC 5280, 5.1.2.4), unless GeneralizedTime is wanted;
 * the length, 0 when out of range
 */
size_t cmp_crl_time(int64_t ms, int generalized, unsigned char *p);

/* identifier and length octets of a value of that length */
size_t cmp_crl_header(int tag, size_t len, unsigned char *p);


#endif /* _CMP_CRL_LOCAL_H_INCLUDED_ */
