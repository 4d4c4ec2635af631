
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The location of an OCSP responder (RFC 6960, A.1; RFC 5019): what is asked
 * by GET or POST, an answer that was signed before, and the headers.
 */


#include <ngx_http_cmp_ocsp.h>


static ngx_int_t ngx_http_cmp_ocsp_get(ngx_http_cmp_ocsp_ctx_t *ctx,
    ngx_str_t *der);
static void ngx_http_cmp_ocsp_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_cmp_ocsp_begin(ngx_http_cmp_ocsp_ctx_t *ctx,
    ngx_str_t *der);
static ngx_int_t ngx_http_cmp_ocsp_kept(ngx_http_cmp_ocsp_ctx_t *ctx,
    ngx_str_t *der);
static ngx_int_t ngx_http_cmp_ocsp_ready(ngx_http_cmp_ocsp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_ocsp_wait(ngx_http_cmp_ocsp_ctx_t *ctx);
static void ngx_http_cmp_ocsp_delay_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_cmp_ocsp_headers(ngx_http_cmp_ocsp_ctx_t *ctx);
static ngx_http_cmp_ocsp_ctx_t *ngx_http_cmp_ocsp_create_ctx(
    ngx_http_request_t *r, ngx_http_cmp_ca_t *ca);
static void ngx_http_cmp_ocsp_cleanup(void *data);
static void ngx_http_cmp_ocsp_pool_cleanup(void *data);


static ngx_str_t  ngx_http_cmp_ocsp_type =
                                    ngx_string("application/ocsp-response");
static ngx_str_t  ngx_http_cmp_ocsp_allow = ngx_string("Allow");
static ngx_str_t  ngx_http_cmp_ocsp_methods = ngx_string("GET, HEAD, POST");
static ngx_str_t  ngx_http_cmp_ocsp_cache_control =
                                    ngx_string("Cache-Control");
static ngx_str_t  ngx_http_cmp_ocsp_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_cmp_ocsp_expires = ngx_string("Expires");
static ngx_str_t  ngx_http_cmp_ocsp_etag = ngx_string("ETag");


ngx_int_t
ngx_http_cmp_ocsp_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_str_t                 der;
    ngx_http_cmp_ocsp_ctx_t  *ctx;
    ngx_http_cmp_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_cmp_module);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {

        if (ngx_http_cmp_header(r, &ngx_http_cmp_ocsp_allow,
                                &ngx_http_cmp_ocsp_methods)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"cmp_ocsp\" does not serve subrequests");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_cmp_ocsp_create_ctx(r, lcf->ocsp);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->main->ready == 0) {

        /* a reload without a master process starts no worker */

        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (r->method == NGX_HTTP_POST) {

        if (r->headers_in.content_length_n > CMP_OCSP_MAX_REQUEST) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        ctx->async = 1;

        rc = ngx_http_read_client_request_body(r,
                                               ngx_http_cmp_ocsp_body_handler);

        return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_cmp_ocsp_get(ctx, &der);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_cmp_ocsp_begin(ctx, &der);

    if (rc == NGX_AGAIN) {
        ctx->async = 1;
        r->main->count++;
        return NGX_DONE;
    }

    return rc;
}


/*
 * {url}/{url-encoding of base-64 encoding of the DER}.  nginx has merged
 * slashes in r->uri, and "/" is a character of base64.
 */

static ngx_int_t
ngx_http_cmp_ocsp_get(ngx_http_cmp_ocsp_ctx_t *ctx, ngx_str_t *der)
{
    u_char                    *p, *src, *dst, *last;
    size_t                     skip;
    ngx_str_t                  base64;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    base64.len = r->unparsed_uri.len;
    base64.data = ngx_pnalloc(r->pool, base64.len + 1);
    if (base64.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    src = r->unparsed_uri.data;
    last = ngx_strlchr(src, src + base64.len, '?');

    if (last == NULL) {
        last = src + base64.len;
    }

    dst = base64.data;

    ngx_unescape_uri(&dst, &src, last - src, 0);

    base64.len = dst - base64.data;

    /* what stands behind the location */

    skip = clcf->name.len;

    if (base64.len <= skip
        || ngx_strncmp(base64.data, clcf->name.data, skip) != 0)
    {
        return NGX_HTTP_NOT_FOUND;
    }

    p = base64.data + skip;
    last = base64.data + base64.len;

    while (p < last && *p == '/') {
        p++;
    }

    base64.data = p;
    base64.len = last - p;

    if (base64.len == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (base64.len > ngx_base64_encoded_length(CMP_OCSP_MAX_REQUEST)) {
        return NGX_HTTP_REQUEST_URI_TOO_LARGE;
    }

    der->data = ngx_pnalloc(r->pool, ngx_base64_decoded_length(base64.len));
    if (der->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* what cannot be decoded is an empty request, and refused as that */

    if (ngx_decode_base64(der, &base64) != NGX_OK) {
        der->len = 0;
    }

    return NGX_OK;
}


static void
ngx_http_cmp_ocsp_body_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_str_t                 der;
    ngx_http_cmp_ocsp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cmp_module);

    rc = ngx_http_cmp_body(r, CMP_OCSP_MAX_REQUEST, &der);

    if (rc == NGX_OK) {
        rc = ngx_http_cmp_ocsp_begin(ctx, &der);
    }

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


/* NGX_AGAIN: the request is finalized later; else what to do that with */

static ngx_int_t
ngx_http_cmp_ocsp_begin(ngx_http_cmp_ocsp_ctx_t *ctx, ngx_str_t *der)
{
    int     rc;
    time_t  now;

    if (ngx_http_cmp_ocsp_kept(ctx, der) == NGX_OK) {
        return ngx_http_cmp_ocsp_answer(ctx);
    }

    ctx->pool = cmp_pool_create();
    if (ctx->pool == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = cmp_ocsp_parse(&ctx->ca->ca, der->data, der->len, ctx->pool,
                        &ctx->ocsp);

    if (rc == CMP_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == CMP_DECLINED) {
        return ngx_http_cmp_ocsp_refuse(ctx, ctx->ocsp.error, ctx->ocsp.log);
    }

    /* what an ended certificate signs nobody believes */

    now = (time_t) (ctx->now / 1000);

    if (X509_cmp_time(X509_get0_notAfter(ctx->ocsp.issuer->certificate), &now)
        <= 0)
    {
        return ngx_http_cmp_ocsp_refuse(ctx, OCSP_RESPONSE_STATUS_UNAUTHORIZED,
                                        "the certificate of this key of the "
                                        "CA has ended");
    }

    return ngx_http_cmp_ocsp_ready(ctx);
}


/* the step when the store is there, or was waited for long enough */

static ngx_int_t
ngx_http_cmp_ocsp_ready(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    if (ngx_http_cmp_connecting(ctx->ca, ctx->waited)) {
        return ngx_http_cmp_ocsp_wait(ctx);
    }

    ctx->cacheable = (ctx->ocsp.nids == 1
                      && ctx->ocsp.nonce == NULL
                      && ctx->ocsp.ids[0].serial.len != 0
                      && ctx->ca->registered);

    if (ctx->cacheable) {
        ngx_http_cmp_ocsp_key(ctx);

        if (ngx_http_cmp_ocsp_lookup(ctx->main, &ctx->key, ctx->request->pool,
                                     ctx->now, &ctx->answer)
            == NGX_OK)
        {
            return ngx_http_cmp_ocsp_answer(ctx);
        }
    }

    return ngx_http_cmp_ocsp_load(ctx);
}


static ngx_int_t
ngx_http_cmp_ocsp_wait(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    if (ctx->waited == 0
        && ngx_http_cmp_watch_client(ctx->request) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->delay.handler = ngx_http_cmp_ocsp_delay_handler;
    ctx->delay.data = ctx;
    ctx->delay.log = ctx->request->connection->log;

    ngx_add_timer(&ctx->delay, NGX_HTTP_CMP_WAIT);

    ctx->waited += NGX_HTTP_CMP_WAIT;

    return ngx_http_cmp_ocsp_await(ctx, ngx_http_cmp_ocsp_ready);
}


static void
ngx_http_cmp_ocsp_delay_handler(ngx_event_t *ev)
{
    ngx_http_cmp_ocsp_resume(ev->data);
}


/*
 * An answer that is kept does not outlive the certificate of who signed it, so
 * nothing else has to be asked.
 */

static ngx_int_t
ngx_http_cmp_ocsp_kept(ngx_http_cmp_ocsp_ctx_t *ctx, ngx_str_t *der)
{
    if (ctx->ca->registered == 0
        || cmp_ocsp_parse_plain(&ctx->ca->ca, der->data, der->len, &ctx->ocsp)
           != CMP_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_cmp_ocsp_key(ctx);

    if (ngx_http_cmp_ocsp_lookup(ctx->main, &ctx->key, ctx->request->pool,
                                 ctx->now, &ctx->answer)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ctx->cacheable = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_ocsp_refuse(ngx_http_cmp_ocsp_ctx_t *ctx, int status,
    const char *log)
{
    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "cmp_ca \"%V\": an OCSP request was refused: %s",
                  &ctx->ca->name, log);

    cmp_ocsp_refusal(status, ctx->refusal);

    ctx->answer.der.data = ctx->refusal;
    ctx->answer.der.len = sizeof(ctx->refusal);
    ctx->cacheable = 0;

    return ngx_http_cmp_ocsp_answer(ctx);
}


ngx_int_t
ngx_http_cmp_ocsp_answer(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_cmp_ocsp_headers(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cmp_send(r, NGX_HTTP_OK, &ngx_http_cmp_ocsp_type,
                             ctx->answer.der.data, ctx->answer.der.len);
}


/* RFC 5019, 6.2; only answers to GET are kept by caches */

static ngx_int_t
ngx_http_cmp_ocsp_headers(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    u_char              *p;
    int64_t              age;
    ngx_str_t            value;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->cacheable == 0 || r->method == NGX_HTTP_POST) {
        return ngx_http_cmp_header(r, &ngx_http_cmp_ocsp_cache_control,
                                   &ngx_http_cmp_ocsp_no_store);
    }

    age = (ctx->answer.next_update - ctx->now) / 1000;

    if (age < 0) {
        age = 0;
    }

    p = ngx_pnalloc(r->pool, 128 + NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    p = ngx_sprintf(p, "max-age=%L, public, no-transform, must-revalidate",
                    age);
    value.len = p - value.data;

    if (ngx_http_cmp_header(r, &ngx_http_cmp_ocsp_cache_control, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    value.data = ngx_pnalloc(r->pool,
                             sizeof("Mon, 28 Sep 1970 06:00:00 GMT"));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_http_time(value.data,
                              (time_t) (ctx->answer.next_update / 1000))
                - value.data;

    if (ngx_http_cmp_header(r, &ngx_http_cmp_ocsp_expires, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    p = ngx_pnalloc(r->pool, 2 * NGX_HTTP_CMP_OCSP_ETAG_LEN + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key = ngx_http_cmp_ocsp_etag;
    h->value.data = p;
    h->value.len = 2 * NGX_HTTP_CMP_OCSP_ETAG_LEN + 2;

    *p++ = '"';
    p = ngx_hex_dump(p, ctx->answer.etag, NGX_HTTP_CMP_OCSP_ETAG_LEN);
    *p = '"';

    r->headers_out.etag = h;
    r->headers_out.last_modified_time =
                                 (time_t) (ctx->answer.this_update / 1000);

    return NGX_OK;
}


static ngx_http_cmp_ocsp_ctx_t *
ngx_http_cmp_ocsp_create_ctx(ngx_http_request_t *r, ngx_http_cmp_ca_t *ca)
{
    ngx_http_cmp_ocsp_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_cmp_ocsp_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->main = ngx_http_get_module_main_conf(r, ngx_http_cmp_module);
    ctx->ca = ca;
    ctx->now = ngx_http_cmp_now();

    if (ngx_http_cmp_cleanup_add(r, ctx, ngx_http_cmp_ocsp_cleanup,
                                 ngx_http_cmp_ocsp_pool_cleanup)
        != NGX_OK)
    {
        return NULL;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_cmp_module);

    return ctx;
}


static void
ngx_http_cmp_ocsp_cleanup(void *data)
{
    ngx_http_cmp_ocsp_ctx_t *ctx = data;

    ngx_http_cmp_ocsp_responder_leave(ctx);
    ngx_http_cmp_pg_detach(&ctx->op);

    if (ctx->delay.timer_set) {
        ngx_del_timer(&ctx->delay);
    }
}


static void
ngx_http_cmp_ocsp_pool_cleanup(void *data)
{
    ngx_http_cmp_ocsp_ctx_t *ctx = data;

    if (ctx->held != NULL) {
        ngx_http_cmp_ocsp_responder_release(ctx->held);
        ctx->held = NULL;
    }

    cmp_pool_destroy(ctx->pool);
    ctx->pool = NULL;
}
