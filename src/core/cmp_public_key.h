
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The public key of a request: SubjectPublicKeyInfo.  The type of libcrypto
 * looks for a decoder of the key whenever it is parsed, which takes more time
 * than to verify an EC signature; this one is made into a key once, and by the
 * shortest way.  The ASN.1 type is in cmp_asn1_crmf.h.
 */


#ifndef _CMP_PUBLIC_KEY_H_INCLUDED_
#define _CMP_PUBLIC_KEY_H_INCLUDED_


#include <cmp_asn1.h>
#include <cmp_core.h>


/*
 * The key, which belongs to the structure; made by the first call.  NULL when
 * it is of no known kind, malformed or no point of its curve: the reason is in
 * the error queue.
 */
EVP_PKEY *cmp_public_key_get(cmp_public_key_t *key);

/*
 * The key of a certificate or a PKCS #10 request, to be freed by
 * cmp_asn1_free(), or NULL without memory.
 */
cmp_public_key_t *cmp_public_key_from(X509_PUBKEY *spki);

/* NID of the algorithm, NID_undef for one that libcrypto does not know */
int cmp_public_key_nid(const cmp_public_key_t *key);


#endif /* _CMP_PUBLIC_KEY_H_INCLUDED_ */
