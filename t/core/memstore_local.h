
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

/* memstore_wait.c: requests of a transaction that are not answered */
size_t memstore_waiting(memstore_t *store, const cmp_str_t *id);

/* what is loaded with them: in load and in records */
void memstore_load_waiting(memstore_t *store,
    const memstore_transaction_t *tx, cmp_pool_t *pool, cmp_load_t *load,
    cmp_records_t *records);

int memstore_write_waiting(memstore_t *store, const cmp_writes_t *writes);
void memstore_expire(memstore_t *store, memstore_transaction_t *tx);


#endif /* _MEMSTORE_LOCAL_H_INCLUDED_ */
