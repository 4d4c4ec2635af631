
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Signed OCSP answers in shared memory.  A certificate whose state changes
 * is taken out at once by the worker that commits the change, and by the one
 * worker of each nginx that asks the store for the changes of others.  An
 * answer that was made of what the store said before such a change must not
 * be put in after it: the generation tells.
 */


#include <ngx_http_cmp_ocsp.h>


#define NGX_HTTP_CMP_OCSP_FRESH   1000      /* ms since the last look */
#define NGX_HTTP_CMP_OCSP_EVICT   16        /* to make room for one */


typedef struct {
    ngx_rbtree_node_t           node;
    ngx_queue_t                 queue;
    ngx_http_cmp_ocsp_key_t     key;
    int64_t                     this_update;
    int64_t                     next_update;
    size_t                      len;
    u_char                      etag[NGX_HTTP_CMP_OCSP_ETAG_LEN];
    u_char                      data[1];
} ngx_http_cmp_ocsp_node_t;


struct ngx_http_cmp_ocsp_cache_s {
    ngx_rbtree_t                rbtree;     /* by CA and serial number */
    ngx_rbtree_node_t           sentinel;
    ngx_queue_t                 queue;      /* the latest used first */
    ngx_atomic_uint_t           generation;
    ngx_msec_t                  checked;
    ngx_slab_pool_t            *shpool;
    ngx_uint_t                  seen;       /* unsigned  seen:1; checked once */
};


static ngx_int_t ngx_http_cmp_ocsp_init_zone(ngx_shm_zone_t *zone, void *data);
static void ngx_http_cmp_ocsp_rbtree_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static uint32_t ngx_http_cmp_ocsp_hash(int32_t ca_id, const u_char *serial,
    size_t len);
static ngx_int_t ngx_http_cmp_ocsp_compare(const ngx_http_cmp_ocsp_key_t *one,
    const ngx_http_cmp_ocsp_key_t *two);
static ngx_http_cmp_ocsp_node_t *ngx_http_cmp_ocsp_find(
    ngx_http_cmp_ocsp_cache_t *cache, const ngx_http_cmp_ocsp_key_t *key);
static void ngx_http_cmp_ocsp_remove(ngx_http_cmp_ocsp_cache_t *cache,
    ngx_http_cmp_ocsp_node_t *node);
static ngx_http_cmp_ocsp_node_t *ngx_http_cmp_ocsp_of_serial(
    ngx_http_cmp_ocsp_cache_t *cache, uint32_t hash, int32_t ca_id,
    const u_char *serial, size_t len);


ngx_int_t
ngx_http_cmp_ocsp_zone(ngx_conf_t *cf, ngx_http_cmp_main_conf_t *mcf)
{
    ngx_shm_zone_t  *zone;

    static ngx_str_t  name = ngx_string("cmp_ocsp");

    if (mcf->ocsp_used == 0 || mcf->ocsp_size == 0) {
        return NGX_OK;
    }

    zone = ngx_shared_memory_add(cf, &name, mcf->ocsp_size,
                                 &ngx_http_cmp_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_cmp_ocsp_init_zone;
    zone->data = mcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_ocsp_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_cmp_main_conf_t  *prev = data;

    ngx_slab_pool_t            *shpool;
    ngx_http_cmp_main_conf_t   *mcf;
    ngx_http_cmp_ocsp_cache_t  *cache;

    mcf = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (prev != NULL) {

        /* the new configuration may sign with something else */

        mcf->ocsp_cache = prev->ocsp_cache;
        ngx_http_cmp_ocsp_flush(mcf);

        return NGX_OK;
    }

    if (zone->shm.exists) {
        mcf->ocsp_cache = shpool->data;
        return NGX_OK;
    }

    cache = ngx_slab_calloc(shpool, sizeof(ngx_http_cmp_ocsp_cache_t));
    if (cache == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&cache->rbtree, &cache->sentinel,
                    ngx_http_cmp_ocsp_rbtree_insert);
    ngx_queue_init(&cache->queue);

    cache->shpool = shpool;
    shpool->log_nomem = 0;
    shpool->data = cache;
    mcf->ocsp_cache = cache;

    return NGX_OK;
}


static void
ngx_http_cmp_ocsp_rbtree_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t         **p;
    ngx_http_cmp_ocsp_node_t   *one, *two;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            one = (ngx_http_cmp_ocsp_node_t *) node;
            two = (ngx_http_cmp_ocsp_node_t *) temp;

            p = (ngx_http_cmp_ocsp_compare(&one->key, &two->key) < 0)
                ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static uint32_t
ngx_http_cmp_ocsp_hash(int32_t ca_id, const u_char *serial, size_t len)
{
    return ngx_murmur_hash2((u_char *) serial, len) ^ (uint32_t) ca_id;
}


static ngx_int_t
ngx_http_cmp_ocsp_compare(const ngx_http_cmp_ocsp_key_t *one,
    const ngx_http_cmp_ocsp_key_t *two)
{
    return ngx_memcmp(one, two, sizeof(ngx_http_cmp_ocsp_key_t));
}


static ngx_http_cmp_ocsp_node_t *
ngx_http_cmp_ocsp_find(ngx_http_cmp_ocsp_cache_t *cache,
    const ngx_http_cmp_ocsp_key_t *key)
{
    uint32_t                   hash;
    ngx_int_t                  rc;
    ngx_rbtree_node_t         *node;
    ngx_http_cmp_ocsp_node_t  *found;

    hash = ngx_http_cmp_ocsp_hash(key->ca_id, key->serial, key->len);
    node = cache->rbtree.root;

    while (node != &cache->sentinel) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        found = (ngx_http_cmp_ocsp_node_t *) node;
        rc = ngx_http_cmp_ocsp_compare(key, &found->key);

        if (rc == 0) {
            return found;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


ngx_int_t
ngx_http_cmp_ocsp_lookup(ngx_http_cmp_main_conf_t *mcf,
    const ngx_http_cmp_ocsp_key_t *key, ngx_pool_t *pool, int64_t now,
    ngx_http_cmp_ocsp_answer_t *answer)
{
    ngx_int_t                   rc;
    ngx_http_cmp_ocsp_node_t   *node;
    ngx_http_cmp_ocsp_cache_t  *cache;

    cache = mcf->ocsp_cache;

    if (cache == NULL) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&cache->shpool->mutex);

    node = ngx_http_cmp_ocsp_find(cache, key);

    if (node != NULL && node->next_update <= now) {
        ngx_http_cmp_ocsp_remove(cache, node);
        node = NULL;
    }

    if (node != NULL) {
        answer->der.data = ngx_pnalloc(pool, node->len);

        if (answer->der.data != NULL) {
            answer->der.len = node->len;
            answer->this_update = node->this_update;
            answer->next_update = node->next_update;

            ngx_memcpy(answer->der.data, node->data, node->len);
            ngx_memcpy(answer->etag, node->etag, NGX_HTTP_CMP_OCSP_ETAG_LEN);

            ngx_queue_remove(&node->queue);
            ngx_queue_insert_head(&cache->queue, &node->queue);

            rc = (cache->seen
                  && ngx_current_msec - cache->checked
                     <= NGX_HTTP_CMP_OCSP_FRESH)
                 ? NGX_OK : NGX_AGAIN;
        }
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    return rc;
}


ngx_atomic_uint_t
ngx_http_cmp_ocsp_generation(ngx_http_cmp_main_conf_t *mcf)
{
    ngx_atomic_uint_t           generation;
    ngx_http_cmp_ocsp_cache_t  *cache;

    cache = mcf->ocsp_cache;

    if (cache == NULL) {
        return 0;
    }

    ngx_shmtx_lock(&cache->shpool->mutex);
    generation = cache->generation;
    ngx_shmtx_unlock(&cache->shpool->mutex);

    return generation;
}


void
ngx_http_cmp_ocsp_insert(ngx_http_cmp_main_conf_t *mcf,
    const ngx_http_cmp_ocsp_key_t *key, ngx_atomic_uint_t generation,
    const ngx_http_cmp_ocsp_answer_t *answer)
{
    size_t                      size;
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_http_cmp_ocsp_node_t   *node, *old;
    ngx_http_cmp_ocsp_cache_t  *cache;

    cache = mcf->ocsp_cache;

    if (cache == NULL) {
        return;
    }

    size = offsetof(ngx_http_cmp_ocsp_node_t, data) + answer->der.len;

    ngx_shmtx_lock(&cache->shpool->mutex);

    if (cache->generation != generation) {
        goto done;
    }

    old = ngx_http_cmp_ocsp_find(cache, key);

    if (old != NULL) {
        ngx_http_cmp_ocsp_remove(cache, old);
    }

    node = ngx_slab_alloc_locked(cache->shpool, size);

    for (n = 0; node == NULL && n < NGX_HTTP_CMP_OCSP_EVICT; n++) {

        if (ngx_queue_empty(&cache->queue)) {
            break;
        }

        q = ngx_queue_last(&cache->queue);
        ngx_http_cmp_ocsp_remove(cache,
                                 ngx_queue_data(q, ngx_http_cmp_ocsp_node_t,
                                                queue));

        node = ngx_slab_alloc_locked(cache->shpool, size);
    }

    if (node == NULL) {
        goto done;
    }

    node->node.key = ngx_http_cmp_ocsp_hash(key->ca_id, key->serial, key->len);
    node->key = *key;
    node->this_update = answer->this_update;
    node->next_update = answer->next_update;
    node->len = answer->der.len;

    ngx_memcpy(node->data, answer->der.data, answer->der.len);
    ngx_memcpy(node->etag, answer->etag, NGX_HTTP_CMP_OCSP_ETAG_LEN);

    ngx_rbtree_insert(&cache->rbtree, &node->node);
    ngx_queue_insert_head(&cache->queue, &node->queue);

done:

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


static void
ngx_http_cmp_ocsp_remove(ngx_http_cmp_ocsp_cache_t *cache,
    ngx_http_cmp_ocsp_node_t *node)
{
    ngx_queue_remove(&node->queue);
    ngx_rbtree_delete(&cache->rbtree, &node->node);
    ngx_slab_free_locked(cache->shpool, node);
}


/* any answer about the certificate: by hash and key there may be several */

static ngx_http_cmp_ocsp_node_t *
ngx_http_cmp_ocsp_of_serial(ngx_http_cmp_ocsp_cache_t *cache, uint32_t hash,
    int32_t ca_id, const u_char *serial, size_t len)
{
    ngx_rbtree_node_t         *node, *stack[64];
    ngx_uint_t                 n;
    ngx_http_cmp_ocsp_node_t  *found;

    n = 0;
    node = cache->rbtree.root;

    for ( ;; ) {

        while (node != &cache->sentinel && hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
        }

        if (node == &cache->sentinel) {

            if (n == 0) {
                return NULL;
            }

            node = stack[--n];
            continue;
        }

        found = (ngx_http_cmp_ocsp_node_t *) node;

        if (found->key.ca_id == ca_id
            && found->key.len == len
            && ngx_memcmp(found->key.serial, serial, len) == 0)
        {
            return found;
        }

        /* the same hash of another one: it may be on either side */

        if (n < 64) {
            stack[n++] = node->right;
        }

        node = node->left;
    }
}


void
ngx_http_cmp_ocsp_changed(ngx_http_cmp_main_conf_t *mcf, int32_t ca_id,
    const cmp_str_t *serial)
{
    uint32_t                    hash;
    ngx_http_cmp_ocsp_node_t   *node;
    ngx_http_cmp_ocsp_cache_t  *cache;

    cache = mcf->ocsp_cache;

    if (cache == NULL) {
        return;
    }

    hash = ngx_http_cmp_ocsp_hash(ca_id, serial->data, serial->len);

    ngx_shmtx_lock(&cache->shpool->mutex);

    cache->generation++;

    for ( ;; ) {
        node = ngx_http_cmp_ocsp_of_serial(cache, hash, ca_id, serial->data,
                                           serial->len);
        if (node == NULL) {
            break;
        }

        ngx_http_cmp_ocsp_remove(cache, node);
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


void
ngx_http_cmp_ocsp_checked(ngx_http_cmp_main_conf_t *mcf, ngx_msec_t at)
{
    ngx_http_cmp_ocsp_cache_t  *cache;

    cache = mcf->ocsp_cache;

    ngx_shmtx_lock(&cache->shpool->mutex);

    cache->checked = at;
    cache->seen = 1;

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


void
ngx_http_cmp_ocsp_flush(ngx_http_cmp_main_conf_t *mcf)
{
    ngx_queue_t                *q;
    ngx_http_cmp_ocsp_cache_t  *cache;

    cache = mcf->ocsp_cache;

    if (cache == NULL) {
        return;
    }

    ngx_shmtx_lock(&cache->shpool->mutex);

    cache->generation++;
    cache->seen = 0;

    while (!ngx_queue_empty(&cache->queue)) {
        q = ngx_queue_head(&cache->queue);
        ngx_http_cmp_ocsp_remove(cache,
                                 ngx_queue_data(q, ngx_http_cmp_ocsp_node_t,
                                                queue));
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);
}
