
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Shared by the files of the test client.
 */


#ifndef _CLIENT_LOCAL_H_INCLUDED_
#define _CLIENT_LOCAL_H_INCLUDED_


#include <client.h>


/* the client makes what is asked for, or ends the program */

#define client_check(cond)                                                    \
    if (!(cond)) {                                                            \
        client_fail(__FILE__, __LINE__, #cond);                               \
    }


void client_fail(const char *file, int line, const char *what);

void client_set_name(GENERAL_NAME **dst, const X509_NAME *name);
cmp_info_type_and_value_t *client_info(const cmp_oid_t *oid,
    ASN1_TYPE *value);

/* both return the number of octets */
int client_shake256(X509 *cert, unsigned char *hash, int len);
int client_mac(const X509_ALGOR *alg, const char *secret,
    const unsigned char *data, size_t len, unsigned char *mac);

/* a new algorithm identifier for the MAC of the settings */
X509_ALGOR *client_mac_alg(client_t *client);

/* signs value as an item of type it and sets alg */
void client_sign(const ASN1_ITEM *it, X509_ALGOR *alg, ASN1_BIT_STRING *bits,
    const void *value, EVP_PKEY *key, const EVP_MD *md, int pss);


#endif /* _CLIENT_LOCAL_H_INCLUDED_ */
