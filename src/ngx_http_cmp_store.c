
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The two round trips of a message.
 */


#include <ngx_http_cmp_request.h>


static ngx_int_t ngx_http_cmp_store_submit(ngx_http_cmp_ctx_t *ctx);
static void ngx_http_cmp_store_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);
static const char *ngx_http_cmp_store_load_error(ngx_http_cmp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_store_load_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_store_load_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static ngx_int_t ngx_http_cmp_store_commit_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);


ngx_int_t
ngx_http_cmp_store_load(ngx_http_cmp_ctx_t *ctx)
{
    ngx_pool_t  *pool;

    if (ctx->records == NULL) {
        pool = ctx->request->pool;
        ctx->nloads = cmp_exchange_nloads(ctx->exchange);

        ctx->loads = ngx_pcalloc(pool, ctx->nloads * sizeof(cmp_pg_load_t));
        ctx->records = ngx_pcalloc(pool, ctx->nloads * sizeof(cmp_records_t));

        if (ctx->loads == NULL || ctx->records == NULL) {
            ctx->nloads = 0;
            ctx->records = NULL;
            ctx->status = NGX_HTTP_CMP_PG_UNAVAILABLE;
            return NGX_OK;
        }
    }

    ctx->op.send = ngx_http_cmp_store_load_send;
    ctx->op.result = ngx_http_cmp_store_load_result;
    ctx->op.commit = 0;

    return ngx_http_cmp_store_submit(ctx);
}


ngx_int_t
ngx_http_cmp_store_commit(ngx_http_cmp_ctx_t *ctx)
{
    ctx->op.send = ngx_http_cmp_store_commit_send;
    ctx->op.result = NULL;
    ctx->op.commit = 1;

    return ngx_http_cmp_store_submit(ctx);
}


static ngx_int_t
ngx_http_cmp_store_submit(ngx_http_cmp_ctx_t *ctx)
{
    ngx_int_t   rc;
    ngx_log_t  *log;

    log = ctx->request->connection->log;

    ctx->op.done = ngx_http_cmp_store_done;
    ctx->op.data = ctx;
    ctx->op.log = log;

    rc = ngx_http_cmp_pg_submit(ctx->main->store, &ctx->op);

    if (rc == NGX_OK) {
        ctx->op.admitted = 1;
        ctx->waiting = 1;
        return NGX_AGAIN;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0, "cmp_ca \"%V\": %s", &ctx->ca->name,
                  (rc == NGX_BUSY) ? "too many requests wait for the database"
                                   : "the database is away");

    ctx->status = NGX_HTTP_CMP_PG_UNAVAILABLE;

    return NGX_OK;
}


static void
ngx_http_cmp_store_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status)
{
    ngx_http_cmp_ctx_t *ctx = op->data;

    ngx_log_t   *log;
    const char  *what, *why;

    ctx->status = status;

    log = op->log;
    what = op->commit ? "commit" : "load";
    why = ngx_http_cmp_store_load_error(ctx);

    switch (status) {

    case NGX_HTTP_CMP_PG_OK:
        break;

    case NGX_HTTP_CMP_PG_ERROR:

        /* a lost race is business as usual */

        if (op->commit
            && cmp_pg_commit_outcome(op->sqlstate) == CMP_COMMIT_RACE)
        {
            ngx_log_error(NGX_LOG_INFO, log, 0,
                          "cmp_ca \"%V\": %s lost a race: %s",
                          &ctx->ca->name, what, op->message);
            break;
        }

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "cmp_ca \"%V\": %s failed: %s (SQLSTATE %s)%s%s",
                      &ctx->ca->name, what, op->message, op->sqlstate,
                      (why != NULL) ? ", " : "", (why != NULL) ? why : "");
        break;

    case NGX_HTTP_CMP_PG_UNAVAILABLE:
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "cmp_ca \"%V\": %s failed: the database is away or slow",
                      &ctx->ca->name, what);
        break;

    case NGX_HTTP_CMP_PG_UNKNOWN:
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "cmp_ca \"%V\": the database was lost during a commit "
                      "that may have happened", &ctx->ca->name);
        break;
    }

    ngx_http_cmp_resume(ctx);
}


/* why a row could not be used */

static const char *
ngx_http_cmp_store_load_error(ngx_http_cmp_ctx_t *ctx)
{
    size_t  i;

    for (i = 0; i < ctx->nloads; i++) {

        if (ctx->loads[i].error != NULL) {
            return ctx->loads[i].error;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_cmp_store_load_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_ctx_t *ctx = op->data;

    size_t                    i;
    cmp_pg_load_t            *load;
    ngx_http_cmp_pg_store_t  *store;

    store = ctx->main->store;

    ngx_memzero(ctx->records, ctx->nloads * sizeof(cmp_records_t));

    ctx->nresults = 0;

    for (i = 0; i < ctx->nloads; i++) {

        load = &ctx->loads[i];

        load->load = cmp_exchange_load(ctx->exchange, i);
        load->ca = &ctx->ca->ca.name;
        load->key = store->key_set ? store->key : NULL;
        load->pool = cmp_exchange_pool(ctx->exchange);
        load->records = &ctx->records[i];
        load->error = NULL;

        if (cmp_pg_load_send(conn, load->load) != CMP_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_store_load_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_ctx_t *ctx = op->data;

    if (ctx->nresults == ctx->nloads) {
        return NGX_ERROR;
    }

    if (cmp_pg_load_result(&ctx->loads[ctx->nresults++], res) != CMP_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* one implicit transaction, however many calls there are */

static ngx_int_t
ngx_http_cmp_store_commit_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_ctx_t *ctx = op->data;

    size_t  i;

    for (i = 0; i < cmp_exchange_nwrites(ctx->exchange); i++) {

        if (cmp_pg_commit_send(conn, cmp_exchange_writes(ctx->exchange, i))
            != CMP_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
