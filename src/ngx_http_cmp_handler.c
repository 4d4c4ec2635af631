
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The location of a CA: what HTTP and the URI have to say (RFC 9811).
 */


#include <ngx_http_cmp_request.h>

#include <openssl/rand.h>


static ngx_int_t ngx_http_cmp_method(ngx_http_request_t *r);
static ngx_int_t ngx_http_cmp_content_type(ngx_http_request_t *r,
    ngx_http_cmp_ca_t *ca);
static ngx_int_t ngx_http_cmp_uri(ngx_http_cmp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_uri_segment(ngx_str_t *path, cmp_str_t *segment);
static ngx_http_cmp_ctx_t *ngx_http_cmp_create_ctx(ngx_http_request_t *r,
    ngx_http_cmp_ca_t *ca);
static void ngx_http_cmp_cleanup(void *data);
static void ngx_http_cmp_pool_cleanup(void *data);
static void ngx_http_cmp_body_handler(ngx_http_request_t *r);
static int ngx_http_cmp_other_ca(void *data, const X509_NAME *name);


static ngx_str_t  ngx_http_cmp_allow = ngx_string("Allow");
static ngx_str_t  ngx_http_cmp_post = ngx_string("POST");


ngx_int_t
ngx_http_cmp_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_cmp_ctx_t       *ctx;
    ngx_http_cmp_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_cmp_module);

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"cmp_pass\" does not serve subrequests");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_cmp_method(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_cmp_create_ctx(r, lcf->ca);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_cmp_uri(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_cmp_content_type(r, lcf->ca);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->main->ready == 0) {

        /* a reload without a master process starts no worker */

        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (r->headers_in.content_length_n
        > (off_t) lcf->ca->ca.max_message_size)
    {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_cmp_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_cmp_method(ngx_http_request_t *r)
{
    if (r->method == NGX_HTTP_POST) {
        return NGX_OK;
    }

    if (ngx_http_cmp_header(r, &ngx_http_cmp_allow, &ngx_http_cmp_post)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


static ngx_int_t
ngx_http_cmp_content_type(ngx_http_request_t *r, ngx_http_cmp_ca_t *ca)
{
    ngx_str_t   type;
    ngx_uint_t  i;

    static ngx_str_t  types[] = {
        ngx_string("application/pkixcmp"),
        ngx_string("application/pkixcmp-poll"),
        ngx_null_string
    };

    if (r->headers_in.content_type == NULL) {
        return (ca->ca.conformance == CMP_RFC9810)
               ? NGX_OK : NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    type = r->headers_in.content_type->value;

    for (i = 0; i < type.len; i++) {
        if (type.data[i] == ';' || type.data[i] == ' '
            || type.data[i] == '\t')
        {
            break;
        }
    }

    type.len = i;

    for (i = 0; types[i].len; i++) {
        if (types[i].len == type.len
            && ngx_strncasecmp(types[i].data, type.data, type.len) == 0)
        {
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent a message that is not application/pkixcmp");

    return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
}


/* "", "/p/<profile>", "/<operation>", "/p/<profile>/<operation>" */

static ngx_int_t
ngx_http_cmp_uri(ngx_http_cmp_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_str_t                  path;
    cmp_str_t                  segment;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->uri.len < clcf->name.len) {
        return NGX_HTTP_NOT_FOUND;
    }

    path.data = r->uri.data + clcf->name.len;
    path.len = r->uri.len - clcf->name.len;

    if (path.len != 0
        && (clcf->name.len == 0 || path.data[-1] != '/'))
    {
        if (path.data[0] != '/') {
            return NGX_HTTP_NOT_FOUND;
        }

        path.data++;
        path.len--;
    }

    rc = ngx_http_cmp_uri_segment(&path, &segment);

    if (rc == NGX_OK && segment.len == 1 && segment.data[0] == 'p') {

        if (ngx_http_cmp_uri_segment(&path, &segment) != NGX_OK
            || cmp_ca_profile(&ctx->ca->ca, &segment) == NULL)
        {
            return NGX_HTTP_NOT_FOUND;
        }

        ctx->conf.profile = segment;

        rc = ngx_http_cmp_uri_segment(&path, &segment);
    }

    if (rc == NGX_DONE) {
        return NGX_OK;
    }

    ctx->conf.label = cmp_exchange_label(&segment);

    if (rc != NGX_OK || ctx->conf.label < 0 || path.len != 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    return NGX_OK;
}


/* NGX_OK, NGX_DONE at the end of the path, NGX_ERROR for an empty segment */

static ngx_int_t
ngx_http_cmp_uri_segment(ngx_str_t *path, cmp_str_t *segment)
{
    u_char  *p, *last;

    segment->data = path->data;
    segment->len = 0;

    if (path->len == 0) {
        return NGX_DONE;
    }

    last = path->data + path->len;
    p = ngx_strlchr(path->data, last, '/');

    if (p == NULL) {
        segment->len = path->len;
        path->data = last;
        path->len = 0;
        return NGX_OK;
    }

    segment->len = p - path->data;
    path->data = p + 1;
    path->len = last - path->data;

    return (segment->len != 0) ? NGX_OK : NGX_ERROR;
}


static ngx_http_cmp_ctx_t *
ngx_http_cmp_create_ctx(ngx_http_request_t *r, ngx_http_cmp_ca_t *ca)
{
    ngx_http_cmp_ctx_t  *ctx;

    /* set by ngx_pcalloc(): all that is not set here */

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_cmp_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->main = ngx_http_get_module_main_conf(r, ngx_http_cmp_module);
    ctx->ca = ca;

    ctx->conf.ca = &ca->ca;
    ctx->conf.label = CMP_LABEL_NONE;
    ctx->conf.client.data = r->connection->addr_text.data;
    ctx->conf.client.len = r->connection->addr_text.len;
    ctx->conf.now = ngx_http_cmp_now();
    ctx->conf.random = ngx_http_cmp_random;
    ctx->conf.other_ca = ngx_http_cmp_other_ca;
    ctx->conf.other_ca_data = ctx->main;

    if (ngx_http_cmp_cleanup_add(r, ctx, ngx_http_cmp_cleanup,
                                 ngx_http_cmp_pool_cleanup)
        != NGX_OK)
    {
        return NULL;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_cmp_module);

    return ctx;
}


static void
ngx_http_cmp_cleanup(void *data)
{
    ngx_http_cmp_ctx_t *ctx = data;

    ngx_http_cmp_pg_detach(&ctx->op);

    if (ctx->delay.timer_set) {
        ngx_del_timer(&ctx->delay);
    }
}


static void
ngx_http_cmp_pool_cleanup(void *data)
{
    ngx_http_cmp_ctx_t *ctx = data;

    cmp_exchange_destroy(ctx->exchange);
    ctx->exchange = NULL;
}


static void
ngx_http_cmp_body_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_str_t            body;
    ngx_http_cmp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cmp_module);

    rc = ngx_http_cmp_body(r, ctx->ca->ca.max_message_size, &body);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ctx->data = body.data;
    ctx->len = body.len;

    ngx_http_cmp_start(ctx);
}


ngx_int_t
ngx_http_cmp_body(ngx_http_request_t *r, size_t max, ngx_str_t *body)
{
    off_t         size, n;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *bufs;

    body->data = (u_char *) "";
    body->len = 0;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    bufs = r->request_body->bufs;
    size = 0;

    for (cl = bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);

        if (size > (off_t) max) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }
    }

    body->len = (size_t) size;

    if (bufs->next == NULL && ngx_buf_in_memory(bufs->buf)) {
        body->data = bufs->buf->pos;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, body->len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;

    for (cl = bufs; cl; cl = cl->next) {

        b = cl->buf;
        n = ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, n);
            continue;
        }

        if (n == 0) {
            continue;
        }

        if (ngx_read_file(b->file, p, (size_t) n, b->file_pos) != n) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "reading of the request body from \"%V\" failed",
                          &b->file->name);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


int
ngx_http_cmp_random(void *data, unsigned char *buf, size_t len)
{
    if (len > INT_MAX || RAND_bytes(buf, (int) len) != 1) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* is it one of the CAs of this server, asked at the wrong location? */

static int
ngx_http_cmp_other_ca(void *data, const X509_NAME *name)
{
    ngx_http_cmp_main_conf_t *mcf = data;

    ngx_uint_t           i;
    ngx_http_cmp_ca_t  **cap;

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {

        if (X509_NAME_cmp(name, cap[i]->ca.subject) == 0) {
            return 1;
        }
    }

    return 0;
}
