
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#ifndef _PKI_RSA_H_INCLUDED_
#define _PKI_RSA_H_INCLUDED_


/* four of 2048 bits, the last has 1024 */

#define PKI_RSA_KEYS  5


/* base64 of the DER of an RSAPrivateKey */

extern const char  *pki_rsa_keys[PKI_RSA_KEYS];


#endif /* _PKI_RSA_H_INCLUDED_ */
