
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Decisions that would stop the event loop for long: signatures by RSA keys
 * and tokens, MACs with many iterations.  And the end of the threads in which
 * they are made.
 */


#include <ngx_http_cmp_request.h>


#if (NGX_THREADS)


#define NGX_HTTP_CMP_THREAD_TIME  60000
#define NGX_HTTP_CMP_THREAD_ENDS  1000


static void ngx_http_cmp_thread_end(void *data);

static void ngx_http_cmp_thread_func(void *data, ngx_log_t *log);
static void ngx_http_cmp_thread_event_handler(ngx_event_t *ev);


static pthread_key_t  ngx_http_cmp_thread_key;
static ngx_atomic_t   ngx_http_cmp_threads;


ngx_int_t
ngx_http_cmp_thread_init(ngx_cycle_t *cycle)
{
    ngx_err_t  err;

    err = pthread_key_create(&ngx_http_cmp_thread_key,
                             ngx_http_cmp_thread_end);
    if (err != 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, err,
                      "pthread_key_create() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The exit of nginx's pools lets a thread go before the destructors of its
 * thread-specific data have run.  Those of OpenSSL must not race with
 * OPENSSL_cleanup(), which the process runs at its exit.
 */

void
ngx_http_cmp_thread_exit(ngx_cycle_t *cycle)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_CMP_THREAD_ENDS; i++) {

        if (ngx_http_cmp_threads == 0) {
            return;
        }

        ngx_msleep(1);
    }

    ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                  "%uA threads have not ended", ngx_http_cmp_threads);
}


void
ngx_http_cmp_thread_begin(void)
{
    if (pthread_getspecific(ngx_http_cmp_thread_key) != NULL) {
        return;
    }

    /* any value but NULL: the destructor is not called otherwise */

    if (pthread_setspecific(ngx_http_cmp_thread_key, &ngx_http_cmp_thread_key)
        == 0)
    {
        (void) ngx_atomic_fetch_add(&ngx_http_cmp_threads, 1);
    }
}


/* what OpenSSL keeps for the thread, whichever destructor is called first */

static void
ngx_http_cmp_thread_end(void *data)
{
    OPENSSL_thread_stop();

    (void) ngx_atomic_fetch_add(&ngx_http_cmp_threads, -1);
}


ngx_int_t
ngx_http_cmp_thread_decide(ngx_http_cmp_ctx_t *ctx)
{
    ngx_log_t           *log;
    ngx_http_cmp_ca_t   *ca;
    ngx_thread_task_t   *task;
    ngx_http_request_t  *r;

    /* neither a stored reply nor an unsigned refusal takes any time */

    if (ctx->loaded ? ctx->records[0].reply.len != 0
                    : ctx->conf.sign_refusals == 0)
    {
        return NGX_DECLINED;
    }

    if (cmp_exchange_slow(ctx->exchange) == 0) {
        return NGX_DECLINED;
    }

    r = ctx->request;
    ca = ctx->ca;
    log = r->connection->log;

    if (ca->tasks >= ca->thread_queue) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "cmp_ca \"%V\": %ui requests wait for a thread",
                      &ca->name, ca->tasks);

        ctx->step = ngx_http_cmp_unavailable_step;
        return NGX_OK;
    }

    if (ngx_http_cmp_watch(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ctx->task == NULL) {
        ctx->task = ngx_thread_task_alloc(r->pool, 0);
        if (ctx->task == NULL) {
            return NGX_DECLINED;
        }
    }

    task = ctx->task;

    task->ctx = ctx;
    task->handler = ngx_http_cmp_thread_func;
    task->event.data = r;
    task->event.log = log;
    task->event.handler = ngx_http_cmp_thread_event_handler;

    if (ngx_thread_task_post(ca->thread_pool, task) != NGX_OK) {
        ctx->step = ngx_http_cmp_unavailable_step;
        return NGX_OK;
    }

    /* "count" alone would not survive a termination (pitfall 3.3.1) */

    r->main->blocked++;
    r->aio = 1;

    ngx_add_timer(&task->event, NGX_HTTP_CMP_THREAD_TIME);

    ca->tasks++;
    ctx->waiting = 1;

    return NGX_AGAIN;
}


static void
ngx_http_cmp_thread_func(void *data, ngx_log_t *log)
{
    ngx_http_cmp_ctx_t *ctx = data;

    ngx_http_cmp_thread_begin();

    ctx->next = cmp_exchange_decide(ctx->exchange,
                                    ctx->loaded ? ctx->records : NULL);
}


static void
ngx_http_cmp_thread_event_handler(ngx_event_t *ev)
{
    ngx_http_cmp_ctx_t  *ctx;
    ngx_http_request_t  *r;

    r = ev->data;

    ngx_http_set_log_request(r->connection->log, r);

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "a decision in a thread takes too long");

        /* it cannot be ended, and the worker must not go before it */

        ev->timedout = 0;
        ngx_add_timer(ev, NGX_HTTP_CMP_THREAD_TIME);
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ev->complete = 0;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cmp_module);

    ctx->ca->tasks--;

    r->main->blocked--;
    r->aio = 0;

    ngx_http_cmp_resume(ctx);
}


#else


ngx_int_t
ngx_http_cmp_thread_init(ngx_cycle_t *cycle)
{
    return NGX_OK;
}


void
ngx_http_cmp_thread_exit(ngx_cycle_t *cycle)
{
}


ngx_int_t
ngx_http_cmp_thread_decide(ngx_http_cmp_ctx_t *ctx)
{
    return NGX_DECLINED;
}


#endif
