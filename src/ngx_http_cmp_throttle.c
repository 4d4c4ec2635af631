
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Guessing of shared secrets: who failed with a reference waits before the
 * next message with that reference is looked at, longer each time.  Nobody
 * is locked out, and other addresses are not affected.  The table is shared
 * by the workers and survives a reload.
 */


#include <ngx_http_cmp_request.h>

#include <openssl/rand.h>
#include <openssl/sha.h>


#define NGX_HTTP_CMP_THROTTLE_BUCKETS  1024
#define NGX_HTTP_CMP_THROTTLE_WAYS     4
#define NGX_HTTP_CMP_THROTTLE_FREE     3          /* failures without delay */
#define NGX_HTTP_CMP_THROTTLE_STEP     250        /* ms, doubled each time */
#define NGX_HTTP_CMP_THROTTLE_SHIFT    5          /* up to 8 s */
#define NGX_HTTP_CMP_THROTTLE_WAIT     10000      /* at most */
#define NGX_HTTP_CMP_THROTTLE_MEMORY   600000


typedef struct {
    u_char                          key[NGX_HTTP_CMP_THROTTLE_KEY_LEN];
    ngx_uint_t                      failures;     /* 0: a free entry */
    ngx_msec_t                      last;         /* failure */
    ngx_msec_t                      next;         /* turn */
} ngx_http_cmp_throttle_entry_t;


struct ngx_http_cmp_throttle_s {
    u_char                          secret[NGX_HTTP_CMP_THROTTLE_KEY_LEN];
    ngx_http_cmp_throttle_entry_t   entries[NGX_HTTP_CMP_THROTTLE_BUCKETS]
                                           [NGX_HTTP_CMP_THROTTLE_WAYS];
};


static ngx_int_t ngx_http_cmp_throttle_init_zone(ngx_shm_zone_t *zone,
    void *data);
static ngx_msec_t ngx_http_cmp_throttle_turn(ngx_http_cmp_ctx_t *ctx);
static void ngx_http_cmp_throttle_count(ngx_http_cmp_ctx_t *ctx,
    ngx_uint_t failed);
static ngx_int_t ngx_http_cmp_throttle_key(ngx_http_cmp_ctx_t *ctx);
static ngx_http_cmp_throttle_entry_t *ngx_http_cmp_throttle_bucket(
    ngx_http_cmp_ctx_t *ctx);
static ngx_http_cmp_throttle_entry_t *ngx_http_cmp_throttle_lookup(
    ngx_http_cmp_ctx_t *ctx);
static ngx_http_cmp_throttle_entry_t *ngx_http_cmp_throttle_new(
    ngx_http_cmp_ctx_t *ctx);
static ngx_msec_t ngx_http_cmp_throttle_step(
    ngx_http_cmp_throttle_entry_t *entry);


ngx_int_t
ngx_http_cmp_throttle_zone(ngx_conf_t *cf, ngx_http_cmp_main_conf_t *mcf)
{
    size_t           size;
    ngx_shm_zone_t  *zone;

    static ngx_str_t  name = ngx_string("cmp_throttle");

    /* the table, and what the slab allocator needs for itself */

    size = ngx_align(sizeof(ngx_http_cmp_throttle_t), ngx_pagesize)
           + 8 * ngx_pagesize;

    zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_cmp_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_cmp_throttle_init_zone;
    zone->data = mcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_throttle_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_cmp_main_conf_t  *prev = data;

    ngx_slab_pool_t           *shpool;
    ngx_http_cmp_throttle_t   *throttle;
    ngx_http_cmp_main_conf_t  *mcf;

    mcf = zone->data;
    mcf->throttle_zone = zone;

    if (prev != NULL) {
        mcf->throttle = prev->throttle;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        mcf->throttle = shpool->data;
        return NGX_OK;
    }

    throttle = ngx_slab_calloc(shpool, sizeof(ngx_http_cmp_throttle_t));
    if (throttle == NULL) {
        return NGX_ERROR;
    }

    /* nobody outside can choose two names for one bucket */

    if (RAND_bytes(throttle->secret, sizeof(throttle->secret)) != 1) {
        cmp_crypto_error(NULL, 0);
        return NGX_ERROR;
    }

    shpool->data = throttle;
    mcf->throttle = throttle;

    return NGX_OK;
}


ngx_msec_t
ngx_http_cmp_throttle_delay(ngx_http_cmp_ctx_t *ctx)
{
    ngx_msec_t        wait;
    ngx_slab_pool_t  *shpool;

    if (ngx_http_cmp_throttle_key(ctx) != NGX_OK) {
        return 0;
    }

    shpool = (ngx_slab_pool_t *) ctx->main->throttle_zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);
    wait = ngx_http_cmp_throttle_turn(ctx);
    ngx_shmtx_unlock(&shpool->mutex);

    return wait;
}


static ngx_msec_t
ngx_http_cmp_throttle_turn(ngx_http_cmp_ctx_t *ctx)
{
    ngx_msec_t                      now, wait;
    ngx_http_cmp_throttle_entry_t  *entry;

    entry = ngx_http_cmp_throttle_lookup(ctx);

    if (entry == NULL || entry->failures < NGX_HTTP_CMP_THROTTLE_FREE) {
        return 0;
    }

    now = ngx_current_msec;
    wait = 0;

    if ((ngx_msec_int_t) (entry->next - now) > 0) {
        wait = entry->next - now;
    }

    /* guesses side by side take turns */

    if (wait >= NGX_HTTP_CMP_THROTTLE_WAIT) {
        return NGX_HTTP_CMP_THROTTLE_WAIT;
    }

    entry->next = now + wait + ngx_http_cmp_throttle_step(entry);

    return wait;
}


void
ngx_http_cmp_throttle_result(ngx_http_cmp_ctx_t *ctx)
{
    ngx_slab_pool_t            *shpool;
    const cmp_exchange_info_t  *info;

    info = cmp_exchange_info(ctx->exchange);

    if (ctx->throttled == 0
        || (info->mac_failed == 0 && info->authenticated == 0))
    {
        return;
    }

    shpool = (ngx_slab_pool_t *) ctx->main->throttle_zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);
    ngx_http_cmp_throttle_count(ctx, info->mac_failed);
    ngx_shmtx_unlock(&shpool->mutex);
}


static void
ngx_http_cmp_throttle_count(ngx_http_cmp_ctx_t *ctx, ngx_uint_t failed)
{
    ngx_msec_t                      next;
    ngx_http_cmp_throttle_entry_t  *entry;

    entry = ngx_http_cmp_throttle_lookup(ctx);

    if (failed == 0) {

        if (entry != NULL) {
            entry->failures = 0;
        }

        return;
    }

    if (entry == NULL) {
        entry = ngx_http_cmp_throttle_new(ctx);
    }

    entry->failures++;
    entry->last = ngx_current_msec;

    next = ngx_current_msec + ngx_http_cmp_throttle_step(entry);

    if ((ngx_msec_int_t) (next - entry->next) > 0) {
        entry->next = next;
    }
}


/* the reference and where it came from: an IPv6 network counts as one */

static ngx_int_t
ngx_http_cmp_throttle_key(ngx_http_cmp_ctx_t *ctx)
{
    u_char                 *p, hash[SHA256_DIGEST_LENGTH];
    u_char                  buf[NGX_HTTP_CMP_THROTTLE_KEY_LEN + 4 + 16 + 8
                                + 512];
    struct sockaddr        *sa;
    const cmp_load_t       *load;
    struct sockaddr_in     *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6    *sin6;
#endif

    load = cmp_exchange_load(ctx->exchange, 0);

    if (load->reference.len == 0 || load->reference.len > 512) {
        return NGX_DECLINED;
    }

    p = ngx_cpymem(buf, ctx->main->throttle->secret,
                   NGX_HTTP_CMP_THROTTLE_KEY_LEN);
    p = ngx_cpymem(p, &load->ca_id, sizeof(load->ca_id));

    sa = ctx->request->connection->sockaddr;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        p = ngx_cpymem(p, &sin->sin_addr, 4);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        p = ngx_cpymem(p, &sin6->sin6_addr,
                       IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr) ? 16 : 8);
        break;
#endif

    default:
        break;
    }

    *p++ = '\0';
    p = ngx_cpymem(p, load->reference.data, load->reference.len);

    if (SHA256(buf, p - buf, hash) == NULL) {
        cmp_crypto_error(NULL, 0);
        return NGX_DECLINED;
    }

    ngx_memcpy(ctx->throttle, hash, NGX_HTTP_CMP_THROTTLE_KEY_LEN);
    ctx->throttled = 1;

    return NGX_OK;
}


static ngx_http_cmp_throttle_entry_t *
ngx_http_cmp_throttle_bucket(ngx_http_cmp_ctx_t *ctx)
{
    ngx_uint_t  n;

    n = (ctx->throttle[0] << 8 | ctx->throttle[1])
        % NGX_HTTP_CMP_THROTTLE_BUCKETS;

    return ctx->main->throttle->entries[n];
}


static ngx_http_cmp_throttle_entry_t *
ngx_http_cmp_throttle_lookup(ngx_http_cmp_ctx_t *ctx)
{
    ngx_uint_t                      i;
    ngx_http_cmp_throttle_entry_t  *entry;

    entry = ngx_http_cmp_throttle_bucket(ctx);

    for (i = 0; i < NGX_HTTP_CMP_THROTTLE_WAYS; i++, entry++) {

        if (entry->failures == 0) {
            continue;
        }

        if (ngx_current_msec - entry->last > NGX_HTTP_CMP_THROTTLE_MEMORY) {
            entry->failures = 0;
            continue;
        }

        if (ngx_memcmp(entry->key, ctx->throttle,
                       NGX_HTTP_CMP_THROTTLE_KEY_LEN)
            == 0)
        {
            return entry;
        }
    }

    return NULL;
}


/* in place of the least of the bucket */

static ngx_http_cmp_throttle_entry_t *
ngx_http_cmp_throttle_new(ngx_http_cmp_ctx_t *ctx)
{
    ngx_uint_t                      i;
    ngx_http_cmp_throttle_entry_t  *entry, *least;

    entry = ngx_http_cmp_throttle_bucket(ctx);
    least = entry;

    for (i = 0; i < NGX_HTTP_CMP_THROTTLE_WAYS; i++, entry++) {

        if (entry->failures < least->failures
            || (entry->failures == least->failures
                && (ngx_msec_int_t) (entry->last - least->last) < 0))
        {
            least = entry;
        }
    }

    ngx_memcpy(least->key, ctx->throttle, NGX_HTTP_CMP_THROTTLE_KEY_LEN);
    least->failures = 0;
    least->next = ngx_current_msec;

    return least;
}


static ngx_msec_t
ngx_http_cmp_throttle_step(ngx_http_cmp_throttle_entry_t *entry)
{
    ngx_uint_t  n;

    if (entry->failures < NGX_HTTP_CMP_THROTTLE_FREE) {
        return 0;
    }

    n = ngx_min(entry->failures - NGX_HTTP_CMP_THROTTLE_FREE,
                NGX_HTTP_CMP_THROTTLE_SHIFT);

    return (ngx_msec_t) NGX_HTTP_CMP_THROTTLE_STEP << n;
}
