
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What every file of the core uses: strings, result codes, memory.
 */


#ifndef _CMP_CORE_H_INCLUDED_
#define _CMP_CORE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <time.h>


/*
 * Result of a core function:
 *     CMP_OK        done
 *     CMP_ERROR     out of memory or an unexpected failure of libcrypto
 *     CMP_DECLINED  the message is refused, the cmp_refusal_t says why
 */

#define CMP_OK         0
#define CMP_ERROR     -1
#define CMP_DECLINED  -2


#define CMP_SHA256_LEN     32
#define CMP_SKI_LEN        20   /* cmp_hash_key() begins with it, RFC 7093 */
#define CMP_SERIAL_LEN     20
#define CMP_NONCE_LEN      16


typedef struct {
    size_t          len;
    unsigned char  *data;
} cmp_str_t;


#define cmp_string(text)  { sizeof(text) - 1, (unsigned char *) text }
#define cmp_null_string   { 0, NULL }


/*
 * An arena.  Everything an exchange makes lives in one; destroying it runs
 * the cleanups in reverse order, then wipes and frees the memory.  Not safe
 * for use by two threads at once.
 */

typedef struct cmp_pool_s  cmp_pool_t;

typedef void (*cmp_cleanup_pt)(void *data);


/* NULL when out of memory */
cmp_pool_t *cmp_pool_create(void);

/* pool may be NULL */
void cmp_pool_destroy(cmp_pool_t *pool);

/*
 * Aligned memory, valid until the pool is destroyed; cmp_pcalloc() gives
 * zeroed memory.  NULL when out of memory.
 */
void *cmp_palloc(cmp_pool_t *pool, size_t size);
void *cmp_pcalloc(cmp_pool_t *pool, size_t size);

/*
 * Calls handler(data) when the pool is destroyed.  Takes data over in every
 * case: when out of memory, handler is called at once and CMP_ERROR returned.
 * data NULL (a constructor that failed) is CMP_ERROR too.
 */
int cmp_pool_cleanup_add(cmp_pool_t *pool, cmp_cleanup_pt handler, void *data);

/* copies bytes into the pool, with a terminating zero that len leaves out */
int cmp_pstrdup(cmp_pool_t *pool, cmp_str_t *dst, const void *data, size_t len);

/* printf into the pool, zero-terminated; NULL when out of memory */
char *cmp_psprintf(cmp_pool_t *pool, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));

/* 1 when equal, 0 otherwise; not constant-time, never for secrets */
int cmp_str_equal(const cmp_str_t *a, const cmp_str_t *b);

/*
 * Empties the error queue of this thread; the last reason is copied to buf
 * ("" when there was none).  buf may be NULL.  To be called after every
 * libcrypto call that failed, since nginx logs leftovers as [alert].
 */
void cmp_crypto_error(char *buf, size_t size);


#endif /* _CMP_CORE_H_INCLUDED_ */
