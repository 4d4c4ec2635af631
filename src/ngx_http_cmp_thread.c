
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What would stop the event loop for long is done in threads: signatures by RSA
 * keys and tokens, MACs with many iterations, CRLs.  How that begins and ends,
 * the decisions about requests, and the end of the threads themselves.
 */


#include <ngx_http_cmp_request.h>


#if (NGX_THREADS)


#define NGX_HTTP_CMP_THREAD_TIME  60000
#define NGX_HTTP_CMP_THREAD_ENDS  1000
#define NGX_HTTP_CMP_THREAD_NICE  5


static void ngx_http_cmp_thread_begin(ngx_log_t *log);
static void ngx_http_cmp_thread_yield(ngx_log_t *log);
static void ngx_http_cmp_thread_end(void *data);

static void ngx_http_cmp_task_func(void *data, ngx_log_t *log);
static void ngx_http_cmp_task_event_handler(ngx_event_t *ev);
static void ngx_http_cmp_thread_work(void *data);
static void ngx_http_cmp_thread_done(void *data);


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


/* before a thread uses OpenSSL */

static void
ngx_http_cmp_thread_begin(ngx_log_t *log)
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

    ngx_http_cmp_thread_yield(log);
}


/*
 * A thread that signs all the time would have as good a claim to a core as
 * the event loop, which then waits for the end of its slice with each request.
 * Real-time priority, which a thread inherits, is for the event loop as well.
 * On Linux the nice value is that of the thread; libpthread has no name for it.
 */

static void
ngx_http_cmp_thread_yield(ngx_log_t *log)
{
    int                 policy;
    ngx_err_t           err;
    struct sched_param  param;
#if (NGX_LINUX)
    int                 value;
#endif

    err = pthread_getschedparam(pthread_self(), &policy, &param);

    if (err == 0 && (policy == SCHED_FIFO || policy == SCHED_RR)) {
        param.sched_priority = 0;
        err = pthread_setschedparam(pthread_self(), SCHED_OTHER, &param);
    }

    if (err != 0) {
        ngx_log_error(NGX_LOG_WARN, log, err,
                      "the scheduling policy of a thread could not be set");
    }

#if (NGX_LINUX)

    ngx_set_errno(0);

    value = getpriority(PRIO_PROCESS, 0);

    if ((value == -1 && ngx_errno != 0)
        || setpriority(PRIO_PROCESS, 0, value + NGX_HTTP_CMP_THREAD_NICE) == -1)
    {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "the nice value of a thread could not be set");
    }

#endif
}


/* what OpenSSL keeps for the thread, whichever destructor is called first */

static void
ngx_http_cmp_thread_end(void *data)
{
    OPENSSL_thread_stop();

    (void) ngx_atomic_fetch_add(&ngx_http_cmp_threads, -1);
}


ngx_int_t
ngx_http_cmp_task_post(ngx_http_cmp_task_t *task)
{
    ngx_event_t         *ev;
    ngx_http_cmp_ca_t   *ca;
    ngx_http_request_t  *r;

    ca = task->ca;
    r = task->request;

    ngx_memzero(&task->task, sizeof(ngx_thread_task_t));

    task->task.ctx = task;
    task->task.handler = ngx_http_cmp_task_func;

    ev = &task->task.event;

    ev->data = task;
    ev->log = (r != NULL) ? r->connection->log : ngx_cycle->log;
    ev->handler = ngx_http_cmp_task_event_handler;

    if (r != NULL && ca->tasks >= ca->thread_queue) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "cmp_ca \"%V\": %ui requests wait for a thread",
                      &ca->name, ca->tasks);
        return NGX_BUSY;
    }

    if (ngx_thread_task_post(ca->thread_pool, &task->task) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(ev, NGX_HTTP_CMP_THREAD_TIME);

    if (r != NULL) {

        /* "count" alone would not survive a termination (pitfall 3.3.1) */

        r->main->blocked++;
        r->aio = 1;

        ca->tasks++;
    }

    return NGX_OK;
}


static void
ngx_http_cmp_task_func(void *data, ngx_log_t *log)
{
    ngx_http_cmp_task_t *task = data;

    ngx_http_cmp_thread_begin(log);

    /* a worker that is told to end at once has nobody to answer */

    if (ngx_terminate) {
        return;
    }

    task->work(task->data);
}


static void
ngx_http_cmp_task_event_handler(ngx_event_t *ev)
{
    ngx_http_cmp_task_t *task = ev->data;

    ngx_http_request_t  *r;

    r = task->request;

    /* the thread may have done nothing: the worker is about to exit */

    if (ngx_terminate) {
        return;
    }

    if (r != NULL) {
        ngx_http_set_log_request(r->connection->log, r);
    }

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "cmp_ca \"%V\": %s in a thread takes too long",
                      &task->ca->name, task->name);

        /* it cannot be ended, and the worker must not go before it */

        ev->timedout = 0;
        ngx_add_timer(ev, NGX_HTTP_CMP_THREAD_TIME);
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ev->complete = 0;

    if (r != NULL) {
        task->ca->tasks--;

        r->main->blocked--;
        r->aio = 0;
    }

    task->done(task->data);
}


ngx_int_t
ngx_http_cmp_thread_decide(ngx_http_cmp_ctx_t *ctx)
{
    ngx_http_cmp_task_t  *task;

    /* neither a stored reply nor an unsigned refusal takes any time */

    if (ctx->loaded ? ctx->records[0].reply.len != 0
                    : ctx->conf.sign_refusals == 0)
    {
        return NGX_DECLINED;
    }

    if (cmp_exchange_slow(ctx->exchange) == 0) {
        return NGX_DECLINED;
    }

    if (ngx_http_cmp_watch(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    task = &ctx->task;

    task->ca = ctx->ca;
    task->request = ctx->request;
    task->work = ngx_http_cmp_thread_work;
    task->done = ngx_http_cmp_thread_done;
    task->data = ctx;
    task->name = "a decision";

    if (ngx_http_cmp_task_post(task) != NGX_OK) {
        ctx->step = ngx_http_cmp_unavailable_step;
        return NGX_OK;
    }

    ctx->waiting = 1;

    return NGX_AGAIN;
}


static void
ngx_http_cmp_thread_work(void *data)
{
    ngx_http_cmp_ctx_t *ctx = data;

    ctx->next = cmp_exchange_decide(ctx->exchange,
                                    ctx->loaded ? ctx->records : NULL);
}


static void
ngx_http_cmp_thread_done(void *data)
{
    ngx_http_cmp_resume(data);
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
