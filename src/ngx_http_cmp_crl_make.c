
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A new CRL: its number and snapshot, its entries piece by piece, the
 * signature, and all of that into the store.  What takes time is done by a
 * thread.
 */


#include <ngx_http_cmp_crl.h>


#define NGX_HTTP_CMP_CRL_ENTRIES      1000     /* more are for a thread */
#define NGX_HTTP_CMP_CRL_FILE_SIZE    65536    /* likewise */


static ngx_int_t ngx_http_cmp_crl_begun(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_wait_base(ngx_http_cmp_crl_t *crl);
static void ngx_http_cmp_crl_base_ready(ngx_http_cmp_crl_ctx_t *ctx);
static int64_t ngx_http_cmp_crl_next_update(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_entries(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_encode(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_encoded(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_sign(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_signed(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_put(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_put_done(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_stored(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_saved(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_failed(ngx_http_cmp_crl_t *crl);
static void ngx_http_cmp_crl_work(ngx_http_cmp_crl_t *crl);

static ngx_int_t ngx_http_cmp_crl_begin_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_crl_begin_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static ngx_int_t ngx_http_cmp_crl_entries_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_crl_entries_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static ngx_int_t ngx_http_cmp_crl_put_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_crl_store_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);

#if (NGX_THREADS)
static ngx_int_t ngx_http_cmp_crl_post(ngx_http_cmp_crl_t *crl);
static void ngx_http_cmp_crl_task_work(void *data);
static void ngx_http_cmp_crl_task_done(void *data);
#endif


ngx_int_t
ngx_http_cmp_crl_make(ngx_http_cmp_crl_t *crl)
{
    crl->started = ngx_current_msec;

    /* sent again, it only takes another number */

    crl->op.send = ngx_http_cmp_crl_begin_send;
    crl->op.result = ngx_http_cmp_crl_begin_result;
    crl->op.commit = 0;

    return ngx_http_cmp_crl_submit(crl, ngx_http_cmp_crl_begun);
}


static ngx_int_t
ngx_http_cmp_crl_begun(ngx_http_cmp_crl_t *crl)
{
    cmp_crl_params_t  params;

    /* somebody made one between the two questions: it may do */

    if (crl->begin.replaces != crl->current.number) {
        crl->step = ngx_http_cmp_crl_current;
        return NGX_OK;
    }

    if (crl->kind.delta && crl->begin.since == 0) {
        return ngx_http_cmp_crl_wait_base(crl);
    }

    params.issuer = crl->issuer;
    params.partition = crl->kind.partition;
    params.number = crl->begin.number;
    params.base = crl->kind.delta ? crl->begin.since : 0;
    params.this_update = crl->begin.now;
    params.next_update = ngx_http_cmp_crl_next_update(crl);

    crl->made = cmp_crl_create(&crl->ca->ca, &params);
    if (crl->made == NULL) {
        return ngx_http_cmp_crl_failed(crl);
    }

    crl->last_len = 0;
    crl->step = ngx_http_cmp_crl_entries;

    return NGX_OK;
}


/* a delta CRL needs a complete one that is valid */

static ngx_int_t
ngx_http_cmp_crl_wait_base(ngx_http_cmp_crl_t *crl)
{
    ngx_http_cmp_crl_t  *base;

    if (crl->based) {
        return NGX_ERROR;
    }

    base = ngx_http_cmp_crl_get(crl->ca, crl->kind.previous,
                                crl->kind.partition, 0);
    if (base == NULL) {
        return NGX_ERROR;
    }

    crl->based = 1;

    ngx_memzero(&crl->base, sizeof(ngx_http_cmp_crl_ctx_t));

    crl->base.ready = ngx_http_cmp_crl_base_ready;
    crl->base.data = crl;

    crl->step = ngx_http_cmp_crl_make;

    ngx_http_cmp_crl_join(base, &crl->base);

    return NGX_AGAIN;
}


static void
ngx_http_cmp_crl_base_ready(ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_http_cmp_crl_t *crl = ctx->data;

    if (ctx->der != NULL) {
        ngx_http_cmp_crl_release(ctx->der);
        ctx->der = NULL;
    }

    ngx_http_cmp_crl_run(crl);
}


/* a delta CRL is valid for twice the time after which there is another one */

static int64_t
ngx_http_cmp_crl_next_update(ngx_http_cmp_crl_t *crl)
{
    cmp_ca_t  *ca;

    ca = &crl->ca->ca;

    return crl->begin.now + (crl->kind.delta ? 2 * ca->crl_delta
                                             : ca->crl_lifetime);
}


static ngx_int_t
ngx_http_cmp_crl_entries(ngx_http_cmp_crl_t *crl)
{
    cmp_pool_destroy(crl->piece);

    crl->piece = cmp_pool_create();
    if (crl->piece == NULL) {
        return NGX_ERROR;
    }

    crl->op.send = ngx_http_cmp_crl_entries_send;
    crl->op.result = ngx_http_cmp_crl_entries_result;
    crl->op.commit = 0;

    return ngx_http_cmp_crl_submit(crl, ngx_http_cmp_crl_encode);
}


static ngx_int_t
ngx_http_cmp_crl_encode(ngx_http_cmp_crl_t *crl)
{
    crl->step = ngx_http_cmp_crl_encoded;

#if (NGX_THREADS)

    if (crl->entries.nentries > NGX_HTTP_CMP_CRL_ENTRIES) {
        return ngx_http_cmp_crl_post(crl);
    }

#endif

    ngx_http_cmp_crl_work(crl);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_encoded(ngx_http_cmp_crl_t *crl)
{
    cmp_str_t  *serial;

    if (crl->rc != CMP_OK) {
        return ngx_http_cmp_crl_failed(crl);
    }

    if (crl->entries.more == 0) {
        crl->step = ngx_http_cmp_crl_sign;
        return NGX_OK;
    }

    serial = &crl->entries.entries[crl->entries.nentries - 1].serial;

    ngx_memcpy(crl->last, serial->data, serial->len);
    crl->last_len = serial->len;

    crl->step = ngx_http_cmp_crl_entries;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_sign(ngx_http_cmp_crl_t *crl)
{
    crl->step = ngx_http_cmp_crl_signed;

    cmp_pool_destroy(crl->piece);
    crl->piece = NULL;

#if (NGX_THREADS)

    if ((crl->issuer->slow && crl->ca->ca.inline_sign == 0)
        || cmp_crl_nentries(crl->made) > NGX_HTTP_CMP_CRL_ENTRIES)
    {
        return ngx_http_cmp_crl_post(crl);
    }

#endif

    ngx_http_cmp_crl_work(crl);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_signed(ngx_http_cmp_crl_t *crl)
{
    if (crl->rc != CMP_OK) {
        return ngx_http_cmp_crl_failed(crl);
    }

    crl->sent = 0;
    crl->step = ngx_http_cmp_crl_put;

    return NGX_OK;
}


/* all but the last piece is put, the last one stored with the rest */

static ngx_int_t
ngx_http_cmp_crl_put(ngx_http_cmp_crl_t *crl)
{
    crl->op.result = NULL;

    if (crl->der_made.len - crl->sent > CMP_PG_CRL_PIECE) {
        crl->op.send = ngx_http_cmp_crl_put_send;
        crl->op.commit = 0;

        return ngx_http_cmp_crl_submit(crl, ngx_http_cmp_crl_put_done);
    }

    crl->op.send = ngx_http_cmp_crl_store_send;
    crl->op.commit = 1;

    return ngx_http_cmp_crl_submit(crl, ngx_http_cmp_crl_stored);
}


static ngx_int_t
ngx_http_cmp_crl_put_done(ngx_http_cmp_crl_t *crl)
{
    crl->sent += CMP_PG_CRL_PIECE;
    crl->step = ngx_http_cmp_crl_put;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_stored(ngx_http_cmp_crl_t *crl)
{
    u_char                   name[NGX_HTTP_CMP_CRL_NAME_LEN];
    ngx_http_cmp_crl_der_t  *der;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "cmp_ca \"%V\": %s with %uz entries made in %M ms",
                  &crl->ca->name,
                  ngx_http_cmp_crl_name(crl, name, sizeof(name)),
                  cmp_crl_nentries(crl->made), ngx_current_msec - crl->started);

    der = ngx_http_cmp_crl_der(crl->begin.number, crl->begin.now,
                               ngx_http_cmp_crl_next_update(crl));
    if (der == NULL) {
        return NGX_ERROR;
    }

    der->der = crl->der_made;
    der->made = crl->made;

    crl->made = NULL;

    ngx_http_cmp_crl_set(crl, der);

    crl->step = ngx_http_cmp_crl_save;

    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_crl_save(ngx_http_cmp_crl_t *crl)
{
    if (crl->main->crl_cache == NULL || crl->der == NULL || crl->der->saved) {
        return NGX_DONE;
    }

    crl->saving = 1;
    crl->step = ngx_http_cmp_crl_saved;

#if (NGX_THREADS)

    if (crl->der->der.len > NGX_HTTP_CMP_CRL_FILE_SIZE) {
        return ngx_http_cmp_crl_post(crl);
    }

#endif

    ngx_http_cmp_crl_work(crl);

    return NGX_OK;
}


/* it is tried again the next time that the CRL is looked at */

static ngx_int_t
ngx_http_cmp_crl_saved(ngx_http_cmp_crl_t *crl)
{
    crl->saving = 0;

    if (crl->rc != CMP_OK) {

        if (crl->der->unsaved == 0) {
            ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, crl->file_errno,
                          "cmp_ca \"%V\": a CRL could not be written into "
                          "\"%V\"", &crl->ca->name,
                          &crl->main->crl_cache->name);
        }

        crl->der->unsaved = 1;

        return NGX_DONE;
    }

    crl->der->saved = 1;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_cmp_crl_failed(ngx_http_cmp_crl_t *crl)
{
    u_char  name[NGX_HTTP_CMP_CRL_NAME_LEN];

    ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                  "cmp_ca \"%V\": %s could not be made", &crl->ca->name,
                  ngx_http_cmp_crl_name(crl, name, sizeof(name)));

    return NGX_ERROR;
}


u_char *
ngx_http_cmp_crl_name(ngx_http_cmp_crl_t *crl, u_char *buf, size_t size)
{
    u_char  *p, *last;

    last = buf + size - 1;

    p = ngx_slprintf(buf, last, "%sCRL %L", crl->kind.delta ? "delta " : "",
                     crl->begin.number);

    if (crl->kind.partition != 0) {
        p = ngx_slprintf(p, last, " of partition %D", crl->kind.partition);
    }

    if (crl->kind.previous != 0) {
        p = ngx_slprintf(p, last, " by previous key %D", crl->kind.previous);
    }

    *p = '\0';

    return buf;
}


void
ngx_http_cmp_crl_make_cleanup(ngx_http_cmp_crl_t *crl)
{
    if (crl->base.waiting) {
        ngx_http_cmp_crl_leave(&crl->base);
    }

    cmp_pool_destroy(crl->piece);
    crl->piece = NULL;

    cmp_crl_free(crl->made);
    crl->made = NULL;

    crl->saving = 0;
}


/*
 * In a thread or not: a piece of the entries, the signature at the end, or
 * the file
 */

static void
ngx_http_cmp_crl_work(ngx_http_cmp_crl_t *crl)
{
    if (crl->saving) {
        crl->rc = (ngx_http_cmp_crl_file_write(crl) == NGX_OK) ? CMP_OK
                                                               : CMP_ERROR;
        return;
    }

    crl->rc = (crl->piece != NULL)
              ? cmp_crl_add(crl->made, crl->entries.entries,
                            crl->entries.nentries)
              : cmp_crl_sign(crl->made, &crl->der_made);
}


static ngx_int_t
ngx_http_cmp_crl_begin_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_crl_t *crl = op->data;

    ngx_memzero(&crl->begin, sizeof(cmp_pg_crl_begin_t));

    return (cmp_pg_crl_begin_send(conn, &crl->kind) == CMP_OK) ? NGX_OK
                                                               : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_crl_begin_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_crl_t *crl = op->data;

    return (cmp_pg_crl_begin_result(res, crl->pool, &crl->begin) == CMP_OK)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_crl_entries_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_crl_t *crl = op->data;

    cmp_str_t  after;

    after.data = crl->last;
    after.len = crl->last_len;

    ngx_memzero(&crl->entries, sizeof(cmp_pg_crl_entries_t));

    return (cmp_pg_crl_entries_send(conn, &crl->kind, &crl->begin, &after)
            == CMP_OK)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_crl_entries_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_crl_t *crl = op->data;

    return (cmp_pg_crl_entries_result(res, crl->piece, &crl->entries)
            == CMP_OK)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_crl_put_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_crl_t *crl = op->data;

    cmp_str_t  piece;

    piece.data = crl->der_made.data + crl->sent;
    piece.len = CMP_PG_CRL_PIECE;

    return (cmp_pg_crl_put_send(conn, &crl->kind, crl->begin.number,
                                (int32_t) (crl->sent / CMP_PG_CRL_PIECE),
                                &piece)
            == CMP_OK)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_crl_store_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_crl_t *crl = op->data;

    cmp_str_t  rest;

    rest.data = crl->der_made.data + crl->sent;
    rest.len = crl->der_made.len - crl->sent;

    return (cmp_pg_crl_store_send(conn, &crl->kind, &crl->begin,
                                  ngx_http_cmp_crl_next_update(crl),
                                  (int32_t) cmp_crl_nentries(crl->made),
                                  crl->ca->ca.crl_delta != 0
                                  && crl->kind.delta == 0,
                                  (int32_t) (crl->sent / CMP_PG_CRL_PIECE),
                                  &rest)
            == CMP_OK)
           ? NGX_OK : NGX_ERROR;
}


#if (NGX_THREADS)

static ngx_int_t
ngx_http_cmp_crl_post(ngx_http_cmp_crl_t *crl)
{
    ngx_http_cmp_task_t  *task;

    task = &crl->task;

    task->ca = crl->ca;
    task->request = NULL;
    task->work = ngx_http_cmp_crl_task_work;
    task->done = ngx_http_cmp_crl_task_done;
    task->data = crl;
    task->name = "a CRL";

    return (ngx_http_cmp_task_post(task) == NGX_OK) ? NGX_AGAIN : NGX_ERROR;
}


static void
ngx_http_cmp_crl_task_work(void *data)
{
    ngx_http_cmp_crl_work(data);
}


static void
ngx_http_cmp_crl_task_done(void *data)
{
    ngx_http_cmp_crl_run(data);
}

#endif
