
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The location of a CRL, and messages that ask for one.
 */


#include <ngx_http_cmp_crl.h>


/* seconds; the clock of the database may be another one */
#define NGX_HTTP_CMP_CRL_NEW  2


static ngx_int_t ngx_http_cmp_crl_find_requested(ngx_http_request_t *r,
    ngx_http_cmp_crl_conf_t *ccf, ngx_http_cmp_crl_t **crl);
static ngx_int_t ngx_http_cmp_crl_send_fresh(ngx_http_cmp_crl_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_crl_wait(ngx_http_cmp_crl_t *crl,
    ngx_http_cmp_crl_ctx_t *ctx);
static void ngx_http_cmp_crl_refreshed(ngx_http_cmp_crl_ctx_t *ctx);
static void ngx_http_cmp_crl_cleanup(void *data);
static void ngx_http_cmp_crl_pool_cleanup(void *data);
static void ngx_http_cmp_crl_ready(ngx_http_cmp_crl_ctx_t *ctx);
static void ngx_http_cmp_crl_write_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_cmp_crl_send(ngx_http_cmp_crl_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_crl_headers(ngx_http_cmp_crl_ctx_t *ctx);


static ngx_str_t  ngx_http_cmp_crl_type = ngx_string("application/pkix-crl");
static ngx_str_t  ngx_http_cmp_crl_pem_type =
                                         ngx_string("application/x-pem-file");
static ngx_str_t  ngx_http_cmp_crl_allow = ngx_string("Allow");
static ngx_str_t  ngx_http_cmp_crl_methods = ngx_string("GET, HEAD");
static ngx_str_t  ngx_http_cmp_crl_cache_control = ngx_string("Cache-Control");
static ngx_str_t  ngx_http_cmp_crl_etag = ngx_string("ETag");
static ngx_str_t  ngx_http_cmp_crl_retry_after = ngx_string("Retry-After");
static ngx_str_t  ngx_http_cmp_crl_retry_value = ngx_string("5");


ngx_int_t
ngx_http_cmp_crl_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_cmp_crl_t       *crl;
    ngx_http_cmp_crl_ctx_t   *ctx;
    ngx_http_cmp_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_cmp_module);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {

        if (ngx_http_cmp_header(r, &ngx_http_cmp_crl_allow,
                                &ngx_http_cmp_crl_methods)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"cmp_crl\" does not serve subrequests");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (lcf->crl->ca->main == NULL) {

        /* a reload without a master process starts no worker */

        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_cmp_crl_find_requested(r, lcf->crl, &crl);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_cmp_crl_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->ready = ngx_http_cmp_crl_ready;
    ctx->request = r;
    ctx->pem = lcf->crl->pem;

    if (lcf->crl->delta) {
        ctx->interval = (ngx_msec_t) lcf->crl->ca->ca.crl_delta;
    }

    ctx->der = ngx_http_cmp_crl_fresh(crl, r);

    if (ctx->der != NULL) {
        return ngx_http_cmp_crl_send_fresh(ctx);
    }

    ngx_http_set_ctx(r, ctx, ngx_http_cmp_module);

    if (ngx_http_cmp_watch_client(r) != NGX_OK
        || ngx_http_cmp_crl_wait(crl, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;
    r->write_event_handler = ngx_http_cmp_crl_write_handler;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_cmp_crl_find_requested(ngx_http_request_t *r,
    ngx_http_cmp_crl_conf_t *ccf, ngx_http_cmp_crl_t **crl)
{
    ngx_int_t            n;
    ngx_str_t            value;
    const cmp_issuer_t  *issuer;

    n = 0;

    if (ccf->partition != NULL) {

        if (ngx_http_complex_value(r, ccf->partition, &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        n = ngx_atoi(value.data, value.len);

        /* one name for each: no leading zeros */

        if (n == NGX_ERROR || n > CMP_CRL_MAX_PARTITIONS
            || (value.len > 1 && value.data[0] == '0'))
        {
            return NGX_HTTP_NOT_FOUND;
        }
    }

    issuer = cmp_ca_issuer(&ccf->ca->ca, ccf->previous);

    if (issuer == NULL
        || (ccf->previous != 0 && ngx_http_cmp_crl_alive(issuer) == 0))
    {
        return NGX_HTTP_NOT_FOUND;
    }

    *crl = ngx_http_cmp_crl_get(ccf->ca, ccf->previous, n, ccf->delta);

    return (*crl != NULL) ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_cmp_crl_send_fresh(ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(ctx->request->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_cmp_crl_pool_cleanup;
    cln->data = ctx;

    ctx->der->refs++;

    return ngx_http_cmp_crl_send(ctx);
}


ngx_int_t
ngx_http_cmp_crl_refresh(ngx_http_cmp_ctx_t *message)
{
    ngx_http_cmp_crl_t      *crl;
    ngx_http_cmp_crl_ctx_t  *ctx;

    if (message->ca->main == NULL) {
        return NGX_OK;
    }

    crl = ngx_http_cmp_crl_get(message->ca, 0, 0, 0);
    if (crl == NULL) {
        return NGX_ERROR;
    }

    ctx = ngx_pcalloc(message->request->pool, sizeof(ngx_http_cmp_crl_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->ready = ngx_http_cmp_crl_refreshed;
    ctx->data = message;
    ctx->request = message->request;

    if (ngx_http_cmp_crl_wait(crl, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    message->waiting = 1;

    return NGX_AGAIN;
}


/* the message loads what is in the store now, whatever has come of it */

static void
ngx_http_cmp_crl_refreshed(ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_http_cmp_crl_pool_cleanup(ctx);

    ngx_http_cmp_resume(ctx->data);
}


static ngx_int_t
ngx_http_cmp_crl_wait(ngx_http_cmp_crl_t *crl, ngx_http_cmp_crl_ctx_t *ctx)
{
    if (ngx_http_cmp_cleanup_add(ctx->request, ctx, ngx_http_cmp_crl_cleanup,
                                 ngx_http_cmp_crl_pool_cleanup)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_cmp_crl_join(crl, ctx);

    return NGX_OK;
}


static void
ngx_http_cmp_crl_cleanup(void *data)
{
    ngx_http_cmp_crl_ctx_t *ctx = data;

    if (ctx->waiting) {
        ngx_http_cmp_crl_leave(ctx);
    }
}


static void
ngx_http_cmp_crl_pool_cleanup(void *data)
{
    ngx_http_cmp_crl_ctx_t *ctx = data;

    if (ctx->der != NULL) {
        ngx_http_cmp_crl_release(ctx->der);
        ctx->der = NULL;
    }
}


static void
ngx_http_cmp_crl_ready(ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_http_cmp_continue(ctx->request);
}


static void
ngx_http_cmp_crl_write_handler(ngx_http_request_t *r)
{
    ngx_http_cmp_crl_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cmp_module);

    if (ctx == NULL || ctx->waiting) {
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_finalize_request(r, ngx_http_cmp_crl_send(ctx));
}


static ngx_int_t
ngx_http_cmp_crl_send(ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_str_t            pem;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->unknown) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (ctx->der == NULL) {

        if (ngx_http_cmp_header(r, &ngx_http_cmp_crl_retry_after,
                                &ngx_http_cmp_crl_retry_value)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_http_cmp_crl_headers(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->pem == 0) {
        return ngx_http_cmp_send_file(r, NGX_HTTP_OK, &ngx_http_cmp_crl_type,
                                      ctx->der->der.data, ctx->der->der.len,
                                      ngx_http_cmp_crl_file(ctx->der, r));
    }

    if (ngx_http_cmp_crl_pem(ctx->der, &pem) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cmp_send(r, NGX_HTTP_OK, &ngx_http_cmp_crl_pem_type,
                             pem.data, pem.len);
}


/*
 * Caches keep it until there is another one for certain.  Last-Modified has
 * whole seconds, in which several may be made: as long as that can happen it
 * is a second earlier, and nobody is told that nothing was modified.
 */

static ngx_int_t
ngx_http_cmp_crl_headers(ngx_http_cmp_crl_ctx_t *ctx)
{
    int64_t              age, until;
    ngx_str_t            value;
    ngx_time_t          *tp;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = ctx->request;
    tp = ngx_timeofday();

    r->headers_out.last_modified_time = (time_t) (ctx->der->this_update
                                                  / 1000);

    if (tp->sec - r->headers_out.last_modified_time < NGX_HTTP_CMP_CRL_NEW) {
        r->headers_out.last_modified_time--;
        r->headers_in.if_modified_since = NULL;
    }

    until = ctx->der->next_update;

    if (ctx->interval != 0) {
        until = ngx_min(until, ctx->der->this_update
                               + (int64_t) ctx->interval);
    }

    age = until / 1000 - tp->sec;

    if (age < 0) {
        age = 0;
    }

    value.data = ngx_pnalloc(r->pool, sizeof("max-age=") + NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "max-age=%L", age) - value.data;

    if (ngx_http_cmp_header(r, &ngx_http_cmp_crl_cache_control, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->value.data = ngx_pnalloc(r->pool, sizeof("\"-pem\"") + NGX_INT64_LEN);
    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key = ngx_http_cmp_crl_etag;
    h->value.len = ngx_sprintf(h->value.data, "\"%xL%s\"", ctx->der->number,
                               ctx->pem ? "-pem" : "")
                   - h->value.data;

    r->headers_out.etag = h;

    return NGX_OK;
}
