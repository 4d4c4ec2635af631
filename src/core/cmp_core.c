
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_core.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>


#define CMP_POOL_ALIGNMENT  16
#define CMP_POOL_BLOCK      8192

/* larger ones get a block of their own */

#define CMP_POOL_LARGE      2048

/* each allocation in a block of its own, so that an overrun is seen */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CMP_POOL_DEBUG      1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define CMP_POOL_DEBUG      1
#endif


typedef struct cmp_pool_block_s    cmp_pool_block_t;
typedef struct cmp_pool_cleanup_s  cmp_pool_cleanup_t;


struct cmp_pool_block_s {
    cmp_pool_block_t    *next;
    size_t               size;      /* of what follows the header */
    size_t               used;
};


struct cmp_pool_cleanup_s {
    cmp_pool_cleanup_t  *next;
    cmp_cleanup_pt       handler;
    void                *data;
};


struct cmp_pool_s {
    cmp_pool_block_t    *blocks;
    cmp_pool_block_t    *current;   /* the one that small pieces come from */
    cmp_pool_cleanup_t  *cleanups;
};


#define cmp_pool_align(n)                                                     \
    (((n) + CMP_POOL_ALIGNMENT - 1) & ~((size_t) CMP_POOL_ALIGNMENT - 1))

#define CMP_POOL_HEADER     cmp_pool_align(sizeof(cmp_pool_block_t))


static cmp_pool_block_t *cmp_pool_block(cmp_pool_t *pool, size_t size);


cmp_pool_t *
cmp_pool_create(void)
{
    return calloc(1, sizeof(cmp_pool_t));
}


void
cmp_pool_destroy(cmp_pool_t *pool)
{
    cmp_pool_block_t    *block, *next;
    cmp_pool_cleanup_t  *cln;

    if (pool == NULL) {
        return;
    }

    for (cln = pool->cleanups; cln != NULL; cln = cln->next) {
        cln->handler(cln->data);
    }

    for (block = pool->blocks; block != NULL; block = next) {
        next = block->next;

        OPENSSL_cleanse((unsigned char *) block + CMP_POOL_HEADER,
                        block->used);
        free(block);
    }

    free(pool);
}


static cmp_pool_block_t *
cmp_pool_block(cmp_pool_t *pool, size_t size)
{
    cmp_pool_block_t  *block;

    block = malloc(CMP_POOL_HEADER + size);
    if (block == NULL) {
        return NULL;
    }

    block->size = size;
    block->used = 0;
    block->next = pool->blocks;
    pool->blocks = block;

    return block;
}


void *
cmp_palloc(cmp_pool_t *pool, size_t size)
{
    size_t             n;
    unsigned char     *p;
    cmp_pool_block_t  *block;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }

#ifdef CMP_POOL_DEBUG

    n = size;

    block = cmp_pool_block(pool, n);
    if (block == NULL) {
        return NULL;
    }

#else

    n = cmp_pool_align(size);

    if (n > CMP_POOL_LARGE) {
        block = cmp_pool_block(pool, n);
        if (block == NULL) {
            return NULL;
        }

    } else if (pool->current != NULL
               && pool->current->size - pool->current->used >= n)
    {
        block = pool->current;

    } else {
        block = cmp_pool_block(pool, CMP_POOL_BLOCK - CMP_POOL_HEADER);
        if (block == NULL) {
            return NULL;
        }

        pool->current = block;
    }

#endif

    p = (unsigned char *) block + CMP_POOL_HEADER + block->used;
    block->used += n;

    return p;
}


void *
cmp_pcalloc(cmp_pool_t *pool, size_t size)
{
    void  *p;

    p = cmp_palloc(pool, size);
    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


int
cmp_pool_cleanup_add(cmp_pool_t *pool, cmp_cleanup_pt handler, void *data)
{
    cmp_pool_cleanup_t  *cln;

    if (data == NULL) {
        return CMP_ERROR;
    }

    cln = cmp_palloc(pool, sizeof(cmp_pool_cleanup_t));
    if (cln == NULL) {
        handler(data);
        return CMP_ERROR;
    }

    cln->handler = handler;
    cln->data = data;
    cln->next = pool->cleanups;
    pool->cleanups = cln;

    return CMP_OK;
}


int
cmp_pstrdup(cmp_pool_t *pool, cmp_str_t *dst, const void *data, size_t len)
{
    unsigned char  *p;

    if (len > SIZE_MAX / 2) {
        return CMP_ERROR;
    }

    p = cmp_palloc(pool, len + 1);
    if (p == NULL) {
        return CMP_ERROR;
    }

    if (len != 0) {
        memcpy(p, data, len);
    }

    p[len] = '\0';

    dst->data = p;
    dst->len = len;

    return CMP_OK;
}


char *
cmp_psprintf(cmp_pool_t *pool, const char *fmt, ...)
{
    int       n;
    char     *p;
    va_list   args;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    if (n < 0) {
        return NULL;
    }

    p = cmp_palloc(pool, (size_t) n + 1);
    if (p == NULL) {
        return NULL;
    }

    va_start(args, fmt);
    (void) vsnprintf(p, (size_t) n + 1, fmt, args);
    va_end(args);

    return p;
}


int
cmp_str_equal(const cmp_str_t *a, const cmp_str_t *b)
{
    if (a->len != b->len) {
        return 0;
    }

    return a->len == 0 || memcmp(a->data, b->data, a->len) == 0;
}


void
cmp_crypto_error(char *buf, size_t size)
{
    int            flags;
    char           text[256];
    const char    *reason, *data;
    unsigned long  error;

    if (buf != NULL && size != 0) {
        buf[0] = '\0';
    }

    for ( ;; ) {

        /* data is valid until the next call */

        error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
        if (error == 0) {
            return;
        }

        if (buf == NULL || size == 0 || ERR_peek_error() != 0) {
            continue;
        }

        reason = ERR_reason_error_string(error);

        if (reason == NULL) {
            ERR_error_string_n(error, text, sizeof(text));
            reason = text;
        }

        if ((flags & ERR_TXT_STRING) == 0 || data[0] == '\0') {
            (void) snprintf(buf, size, "%s", reason);
            continue;
        }

        (void) snprintf(buf, size, "%s (%s)", reason, data);
    }
}
