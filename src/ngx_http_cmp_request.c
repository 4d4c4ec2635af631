
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The way of a message: parse, load, decide, commit, reply.  Each step sets
 * the next one; between two of them the request may wait for the database, a
 * thread or a timer.
 */


#include <ngx_http_cmp_request.h>


static void ngx_http_cmp_run(ngx_http_cmp_ctx_t *ctx);
static void ngx_http_cmp_write_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_cmp_ready_step(ngx_http_cmp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_parse_step(ngx_http_cmp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_refresh_step(ngx_http_cmp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_loaded_step(ngx_http_cmp_ctx_t *ctx);
static void ngx_http_cmp_wait(ngx_http_cmp_ctx_t *ctx, ngx_msec_t delay);
static void ngx_http_cmp_delay_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_cmp_committed_step(ngx_http_cmp_ctx_t *ctx);
static void ngx_http_cmp_changed(ngx_http_cmp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_failed(ngx_http_cmp_ctx_t *ctx);
static void ngx_http_cmp_finalize(ngx_http_cmp_ctx_t *ctx, ngx_int_t rc);
static ngx_uint_t ngx_http_cmp_budget(ngx_http_cmp_ca_t *ca);
static void ngx_http_cmp_budget_spend(ngx_http_cmp_ctx_t *ctx);


static ngx_str_t  ngx_http_cmp_type = ngx_string("application/pkixcmp");
static ngx_str_t  ngx_http_cmp_cache_control = ngx_string("Cache-Control");
static ngx_str_t  ngx_http_cmp_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_cmp_retry_after = ngx_string("Retry-After");
static ngx_str_t  ngx_http_cmp_retry_value = ngx_string("5");


void
ngx_http_cmp_start(ngx_http_cmp_ctx_t *ctx)
{
    ctx->step = ngx_http_cmp_ready_step;
    ctx->request->write_event_handler = ngx_http_cmp_write_handler;

    ngx_http_cmp_run(ctx);
}


static void
ngx_http_cmp_run(ngx_http_cmp_ctx_t *ctx)
{
    ngx_int_t  rc;

    do {
        rc = ctx->step(ctx);
    } while (rc == NGX_OK);
}


void
ngx_http_cmp_resume(ngx_http_cmp_ctx_t *ctx)
{
    ctx->waiting = 0;

    ngx_http_cmp_continue(ctx->request);
}


ngx_int_t
ngx_http_cmp_cleanup_add(ngx_http_request_t *r, void *data,
    ngx_http_cleanup_pt ended, ngx_pool_cleanup_pt unused)
{
    ngx_http_cleanup_t  *hcln;
    ngx_pool_cleanup_t  *cln;

    hcln = ngx_http_cleanup_add(r, 0);
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (hcln == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    hcln->handler = ended;
    hcln->data = data;

    cln->handler = unused;
    cln->data = data;

    return NGX_OK;
}


void
ngx_http_cmp_continue(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

#if (nginx_version >= 1025004)

    if (r->main->terminated) {
        c->write->handler(c->write);
        return;
    }

#endif

    /* not ours any more if the request was terminated meanwhile */

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_cmp_write_handler(ngx_http_request_t *r)
{
    ngx_http_cmp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cmp_module);

    if (ctx == NULL || ctx->waiting) {
        return;
    }

    ngx_http_cmp_run(ctx);
}


ngx_int_t
ngx_http_cmp_watch(ngx_http_cmp_ctx_t *ctx)
{
    if (ctx->watching) {
        return NGX_OK;
    }

    ctx->watching = 1;

    return ngx_http_cmp_watch_client(ctx->request);
}


ngx_int_t
ngx_http_cmp_watch_client(ngx_http_request_t *r)
{
    ngx_event_t  *rev;

    rev = r->connection->read;

    r->read_event_handler = ngx_http_test_reading;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);
        return NGX_OK;
    }

    return ngx_handle_read_event(rev, 0);
}


int64_t
ngx_http_cmp_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


ngx_uint_t
ngx_http_cmp_connecting(ngx_http_cmp_ca_t *ca, ngx_msec_t waited)
{
    ngx_http_cmp_pg_store_t  *store;

    store = ca->main->store;

    return ca->registered == 0 && ca->no_key == 0 && store->down == 0
           && waited < store->queue_timeout;
}


/* the exchange needs the id of its CA from the beginning */

static ngx_int_t
ngx_http_cmp_ready_step(ngx_http_cmp_ctx_t *ctx)
{
    if (ngx_http_cmp_connecting(ctx->ca, ctx->waited) == 0) {
        ctx->step = ngx_http_cmp_parse_step;
        return NGX_OK;
    }

    if (ngx_http_cmp_watch(ctx) != NGX_OK) {
        return ngx_http_cmp_failed(ctx);
    }

    ctx->waited += NGX_HTTP_CMP_WAIT;

    ngx_http_cmp_wait(ctx, NGX_HTTP_CMP_WAIT);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_cmp_parse_step(ngx_http_cmp_ctx_t *ctx)
{
    ctx->exchange = cmp_exchange_create(&ctx->conf);
    if (ctx->exchange == NULL) {
        return ngx_http_cmp_failed(ctx);
    }

    ctx->next = cmp_exchange_parse(ctx->exchange, ctx->data, ctx->len);

    switch (ctx->next) {

    case CMP_EXCHANGE_LOAD:
        ctx->step = ngx_http_cmp_refresh_step;
        return NGX_OK;

    case CMP_EXCHANGE_DECIDE:
        ctx->step = ngx_http_cmp_decide_step;
        return NGX_OK;

    case CMP_EXCHANGE_REPLY:
    case CMP_EXCHANGE_UNDECODABLE:
    case CMP_EXCHANGE_FORBIDDEN:
        ctx->step = ngx_http_cmp_reply_step;
        return NGX_OK;

    default:
        return ngx_http_cmp_failed(ctx);
    }
}


static ngx_int_t
ngx_http_cmp_refresh_step(ngx_http_cmp_ctx_t *ctx)
{
    size_t      i;
    ngx_int_t   rc;
    ngx_uint_t  wanted;

    wanted = 0;

    for (i = 0; i < cmp_exchange_nloads(ctx->exchange); i++) {

        if ((cmp_exchange_load(ctx->exchange, i)->want
             & (CMP_WANT_CRL|CMP_WANT_WAITING))
            == CMP_WANT_CRL)
        {
            wanted = 1;
        }
    }

    ctx->step = ngx_http_cmp_load_step;

    if (wanted == 0 || ctx->ca->registered == 0 || ctx->ca->no_key) {
        return NGX_OK;
    }

    if (ngx_http_cmp_watch(ctx) != NGX_OK) {
        return ngx_http_cmp_failed(ctx);
    }

    rc = ngx_http_cmp_crl_refresh(ctx);

    return rc == NGX_ERROR ? ngx_http_cmp_failed(ctx) : rc;
}


ngx_int_t
ngx_http_cmp_load_step(ngx_http_cmp_ctx_t *ctx)
{
    if (ctx->ca->registered == 0 || ctx->ca->no_key) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "cmp_ca \"%V\" is not ready: %s", &ctx->ca->name,
                      ctx->ca->no_key ? "its key could not be opened"
                                      : "the database has not been reached");

        ctx->step = ngx_http_cmp_unavailable_step;
        return NGX_OK;
    }

    ctx->tries++;
    ctx->loaded = 0;

    if (ngx_http_cmp_watch(ctx) != NGX_OK) {
        return ngx_http_cmp_failed(ctx);
    }

    ctx->step = ngx_http_cmp_loaded_step;

    return ngx_http_cmp_store_load(ctx);
}


static ngx_int_t
ngx_http_cmp_loaded_step(ngx_http_cmp_ctx_t *ctx)
{
    ngx_msec_t  delay;

    if (ctx->status != NGX_HTTP_CMP_PG_OK) {
        ctx->step = ngx_http_cmp_unavailable_step;
        return NGX_OK;
    }

    ctx->loaded = 1;
    ctx->step = ngx_http_cmp_decide_step;

    if (ctx->tries > 1 || ctx->records[0].reply.len != 0) {
        return NGX_OK;
    }

    delay = ngx_http_cmp_throttle_delay(ctx);

    if (delay == 0) {
        return NGX_OK;
    }

    ngx_http_cmp_wait(ctx, delay);

    return NGX_AGAIN;
}


static void
ngx_http_cmp_wait(ngx_http_cmp_ctx_t *ctx, ngx_msec_t delay)
{
    ctx->delay.handler = ngx_http_cmp_delay_handler;
    ctx->delay.data = ctx;
    ctx->delay.log = ctx->request->connection->log;

    ngx_add_timer(&ctx->delay, delay);

    ctx->waiting = 1;
}


static void
ngx_http_cmp_delay_handler(ngx_event_t *ev)
{
    ngx_http_cmp_resume(ev->data);
}


ngx_int_t
ngx_http_cmp_decide_step(ngx_http_cmp_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->step = ngx_http_cmp_decided_step;
    ctx->conf.sign_refusals = ngx_http_cmp_budget(ctx->ca);

    rc = ngx_http_cmp_thread_decide(ctx);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx->next = cmp_exchange_decide(ctx->exchange,
                                    ctx->loaded ? ctx->records : NULL);

    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_decided_step(ngx_http_cmp_ctx_t *ctx)
{
    ngx_http_cmp_budget_spend(ctx);
    ngx_http_cmp_throttle_result(ctx);

    switch (ctx->next) {

    case CMP_EXCHANGE_COMMIT:
        break;

    case CMP_EXCHANGE_REPLY:
        ctx->step = ngx_http_cmp_reply_step;
        return NGX_OK;

    default:
        return ngx_http_cmp_failed(ctx);
    }

    /* from now on the client's going away changes nothing */

    ctx->request->read_event_handler = ngx_http_block_reading;

    ctx->step = ngx_http_cmp_committed_step;

    return ngx_http_cmp_store_commit(ctx);
}


static ngx_int_t
ngx_http_cmp_committed_step(ngx_http_cmp_ctx_t *ctx)
{
    cmp_commit_e  outcome;

    switch (ctx->status) {

    case NGX_HTTP_CMP_PG_OK:
        outcome = CMP_COMMIT_OK;
        break;

    case NGX_HTTP_CMP_PG_ERROR:
        outcome = cmp_pg_commit_outcome(ctx->op.sqlstate);
        break;

    default:
        outcome = CMP_COMMIT_UNAVAILABLE;
        break;
    }

    if (outcome == CMP_COMMIT_OK) {
        ngx_http_cmp_changed(ctx);
        ctx->step = ngx_http_cmp_reply_step;

    } else if (outcome == CMP_COMMIT_RACE && ctx->tries < NGX_HTTP_CMP_TRIES) {
        ctx->step = ngx_http_cmp_load_step;

    } else {
        ctx->step = ngx_http_cmp_unavailable_step;
    }

    return NGX_OK;
}


/*
 * Others learn of it when they ask the store, this nginx at once.  To confirm
 * and to use a certificate changes no CRL.
 */

static void
ngx_http_cmp_changed(ngx_http_cmp_ctx_t *ctx)
{
    size_t                     i, k;
    ngx_uint_t                 revoked;
    const cmp_writes_t        *writes;
    const cmp_write_change_t  *change;

    revoked = 0;

    for (i = 0; i < cmp_exchange_nwrites(ctx->exchange); i++) {
        writes = cmp_exchange_writes(ctx->exchange, i);

        for (k = 0; k < writes->nchanges; k++) {
            change = &writes->changes[k];

            if (change->action != CMP_CHANGE_CONFIRM
                && change->action != CMP_CHANGE_USED)
            {
                revoked = 1;
            }

            ngx_http_cmp_ocsp_changed(ctx->main, writes->ca_id,
                                      &change->serial);
        }
    }

    if (revoked) {
        ngx_http_cmp_crl_changed(ctx->main);
    }
}


ngx_int_t
ngx_http_cmp_unavailable_step(ngx_http_cmp_ctx_t *ctx)
{
    ctx->unavailable = 1;
    ctx->conf.sign_refusals = ngx_http_cmp_budget(ctx->ca);
    ctx->next = cmp_exchange_unavailable(ctx->exchange);

    ngx_http_cmp_budget_spend(ctx);

    if (ctx->next != CMP_EXCHANGE_REPLY) {
        return ngx_http_cmp_failed(ctx);
    }

    ctx->step = ngx_http_cmp_reply_step;

    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_reply_step(ngx_http_cmp_ctx_t *ctx)
{
    cmp_str_t            reply;
    ngx_uint_t           status;
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_http_cmp_log_refusal(ctx);

    if (ngx_http_cmp_header(r, &ngx_http_cmp_cache_control,
                            &ngx_http_cmp_no_store)
        != NGX_OK)
    {
        return ngx_http_cmp_failed(ctx);
    }

    reply = cmp_exchange_reply(ctx->exchange);
    status = NGX_HTTP_OK;

    if (ctx->next == CMP_EXCHANGE_UNDECODABLE) {
        status = NGX_HTTP_BAD_REQUEST;

    } else if (ctx->next == CMP_EXCHANGE_FORBIDDEN) {
        status = NGX_HTTP_FORBIDDEN;
        reply.len = 0;

    } else if (ctx->unavailable
               && ctx->ca->unavailable_status == NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;

        if (ngx_http_cmp_header(r, &ngx_http_cmp_retry_after,
                                &ngx_http_cmp_retry_value)
            != NGX_OK)
        {
            return ngx_http_cmp_failed(ctx);
        }
    }

    ngx_http_cmp_finalize(ctx, ngx_http_cmp_send(r, status, &ngx_http_cmp_type,
                                                 reply.data, reply.len));

    return NGX_DONE;
}


/* no memory and the like: there is no CMP answer to be made */

static ngx_int_t
ngx_http_cmp_failed(ngx_http_cmp_ctx_t *ctx)
{
    ngx_log_error(NGX_LOG_CRIT, ctx->request->connection->log, 0,
                  "cmp_ca \"%V\": no answer could be made", &ctx->ca->name);

    ngx_http_cmp_finalize(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);

    return NGX_DONE;
}


static void
ngx_http_cmp_finalize(ngx_http_cmp_ctx_t *ctx, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    /* nothing is left for a stray event to go on with */

    ctx->waiting = 1;

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_finalize_request(r, rc);
}


/*
 * May a refusal be signed for somebody who has not proved anything?  Junk is
 * to cost us few signatures.
 */

static ngx_uint_t
ngx_http_cmp_budget(ngx_http_cmp_ca_t *ca)
{
    if (ca->no_key) {
        return 0;
    }

    if (ca->budget_time != ngx_time()) {
        ca->budget_time = ngx_time();
        ca->budget = ca->refusal_signatures;
    }

    return ca->budget > 0;
}


static void
ngx_http_cmp_budget_spend(ngx_http_cmp_ctx_t *ctx)
{
    const cmp_exchange_info_t  *info;

    info = cmp_exchange_info(ctx->exchange);

    if (info->signed_refusal && ctx->ca->budget > 0) {
        ctx->ca->budget--;
    }
}
