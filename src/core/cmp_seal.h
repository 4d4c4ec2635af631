
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Shared secrets at rest, and keys of OCSP responders: AES-256-GCM under the
 * key of the installation.  A sealed secret is: version octet 1, 12 octets of
 * nonce, the ciphertext, 16 octets of tag.  The additional data is "<ca
 * name>:<reference>", so that a row cannot be moved to another reference.
 */


#ifndef _CMP_SEAL_H_INCLUDED_
#define _CMP_SEAL_H_INCLUDED_


#include <cmp_core.h>


#define CMP_SEAL_KEY_LEN       32
#define CMP_SEAL_OVERHEAD      (1 + 12 + 16)
#define CMP_MAX_SECRET         1024      /* of a credential */
#define CMP_SEAL_MAX           8192      /* of anything */


/* nonce: 12 random octets, never used twice with a key; CMP_OK, CMP_ERROR */
int cmp_seal(cmp_pool_t *pool, const unsigned char *key,
    const unsigned char *nonce, const cmp_str_t *ca,
    const cmp_str_t *reference, const cmp_str_t *secret, cmp_str_t *sealed);

/* CMP_DECLINED: wrong key, changed, or moved; CMP_ERROR: out of memory */
int cmp_unseal(cmp_pool_t *pool, const unsigned char *key, const cmp_str_t *ca,
    const cmp_str_t *reference, const cmp_str_t *sealed, cmp_str_t *secret);

/*
 * Reads a key file: 32 octets, or 64 hex digits with an optional newline;
 * refused when others than its owner and group may read it.  CMP_OK or
 * CMP_ERROR with a message in err.
 */
int cmp_seal_read_key(const char *file, unsigned char *key, char *err,
    size_t size);


#endif /* _CMP_SEAL_H_INCLUDED_ */
