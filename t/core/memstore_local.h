
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Shared by the two files of the in-memory store.
 */


#ifndef _MEMSTORE_LOCAL_H_INCLUDED_
#define _MEMSTORE_LOCAL_H_INCLUDED_


#include <memstore.h>


/* p, or the end of the program when it is NULL */
void *memstore_alloc(void *p);

/* a new zeroed item at the end of a list */
void *memstore_push(memstore_list_t *list, size_t size);

void memstore_copy(cmp_pool_t *pool, cmp_str_t *dst, const cmp_str_t *src);
cmp_str_t *memstore_copy_list(cmp_pool_t *pool, const cmp_str_t *src,
    size_t n);
void memstore_copy_credential(cmp_pool_t *pool, cmp_credential_t *dst,
    const cmp_credential_t *src);


#endif /* _MEMSTORE_LOCAL_H_INCLUDED_ */
