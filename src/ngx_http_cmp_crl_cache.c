
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A round asks the store for the current CRL.  If that is stale, the entries
 * are read, a new one is made and stored; who loses the race for its number
 * takes the winner's.  Requests that come during a round wait for the next
 * one, so that everybody sees what was revoked before he asked.
 */


#include <ngx_http_cmp_crl.h>


#define NGX_HTTP_CMP_CRL_ENTRIES      1000     /* more are for a thread */
#define NGX_HTTP_CMP_CRL_THREAD_TIME  60000
#define NGX_HTTP_CMP_CRL_WAIT         10


static void ngx_http_cmp_crl_event_handler(ngx_event_t *ev);
static void ngx_http_cmp_crl_begin(ngx_http_cmp_crl_t *crl);
static void ngx_http_cmp_crl_run(ngx_http_cmp_crl_t *crl);
static void ngx_http_cmp_crl_end(ngx_http_cmp_crl_t *crl);

static ngx_int_t ngx_http_cmp_crl_current(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_current_read(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_make(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_store(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_stored(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_set(ngx_http_cmp_crl_t *crl, int64_t number,
    int64_t this_update, int64_t next_update, cmp_str_t *der);

static ngx_int_t ngx_http_cmp_crl_submit(ngx_http_cmp_crl_t *crl,
    ngx_http_cmp_crl_step_pt next);
static void ngx_http_cmp_crl_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);
static ngx_int_t ngx_http_cmp_crl_current_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_crl_current_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static ngx_int_t ngx_http_cmp_crl_entries_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_crl_entries_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static ngx_int_t ngx_http_cmp_crl_store_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);

#if (NGX_THREADS)
static ngx_int_t ngx_http_cmp_crl_post(ngx_http_cmp_crl_t *crl);
static void ngx_http_cmp_crl_thread_func(void *data, ngx_log_t *log);
static void ngx_http_cmp_crl_thread_event_handler(ngx_event_t *ev);
#endif


ngx_int_t
ngx_http_cmp_crl_init(ngx_cycle_t *cycle, ngx_http_cmp_main_conf_t *mcf)
{
    ngx_uint_t            i;
    ngx_http_cmp_ca_t   **cap;
    ngx_http_cmp_crl_t   *crl;

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {

        crl = ngx_pcalloc(cycle->pool, sizeof(ngx_http_cmp_crl_t));
        if (crl == NULL) {
            return NGX_ERROR;
        }

        crl->ca = cap[i];
        crl->main = mcf;

        ngx_queue_init(&crl->serving);
        ngx_queue_init(&crl->waiting);

        cap[i]->crl = crl;
    }

    return NGX_OK;
}


void
ngx_http_cmp_crl_exit(ngx_http_cmp_main_conf_t *mcf)
{
    ngx_uint_t            i;
    ngx_http_cmp_ca_t   **cap;
    ngx_http_cmp_crl_t   *crl;

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {

        crl = cap[i]->crl;

        if (crl == NULL) {
            continue;
        }

        ngx_http_cmp_pg_detach(&crl->op);

        if (crl->event.timer_set) {
            ngx_del_timer(&crl->event);
        }

        cmp_pool_destroy(crl->pool);
        crl->pool = NULL;

        if (crl->der != NULL) {
            ngx_http_cmp_crl_release(crl->der);
            crl->der = NULL;
        }

        cap[i]->crl = NULL;
    }
}


void
ngx_http_cmp_crl_release(ngx_http_cmp_crl_der_t *der)
{
    if (--der->refs == 0) {
        ngx_free(der);
    }
}


void
ngx_http_cmp_crl_join(ngx_http_cmp_crl_t *crl, ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_queue_insert_tail(&crl->waiting, &ctx->queue);

    if (crl->busy == 0) {
        crl->busy = 1;

        crl->event.handler = ngx_http_cmp_crl_event_handler;
        crl->event.data = crl;
        crl->event.log = ngx_cycle->log;

        ngx_post_event(&crl->event, &ngx_posted_events);
    }
}


void
ngx_http_cmp_crl_leave(ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_queue_remove(&ctx->queue);
}


static void
ngx_http_cmp_crl_event_handler(ngx_event_t *ev)
{
    ngx_http_cmp_crl_begin(ev->data);
}


static void
ngx_http_cmp_crl_begin(ngx_http_cmp_crl_t *crl)
{
    ngx_http_cmp_pg_store_t  *store;

    store = crl->main->store;

    /* a worker that has just begun is still connecting */

    if (crl->ca->registered == 0 && crl->ca->no_key == 0
        && store->down == 0 && crl->waited < store->queue_timeout)
    {
        crl->waited += NGX_HTTP_CMP_CRL_WAIT;
        ngx_add_timer(&crl->event, NGX_HTTP_CMP_CRL_WAIT);
        return;
    }

    ngx_queue_add(&crl->serving, &crl->waiting);
    ngx_queue_init(&crl->waiting);

    crl->waited = 0;
    crl->tries = 0;
    crl->step = ngx_http_cmp_crl_current;

    if (crl->ca->registered == 0 || crl->ca->no_key) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "cmp_ca \"%V\" is not ready for a CRL: %s",
                      &crl->ca->name,
                      crl->ca->no_key ? "its key could not be opened"
                                      : "the database has not been reached");
        ngx_http_cmp_crl_end(crl);
        return;
    }

    ngx_http_cmp_crl_run(crl);
}


/* NGX_OK: the next step is set; NGX_AGAIN: something is under way */

static void
ngx_http_cmp_crl_run(ngx_http_cmp_crl_t *crl)
{
    ngx_int_t  rc;

    do {
        rc = crl->step(crl);
    } while (rc == NGX_OK);

    if (rc != NGX_AGAIN) {
        ngx_http_cmp_crl_end(crl);
    }
}


static void
ngx_http_cmp_crl_end(ngx_http_cmp_crl_t *crl)
{
    int64_t                  now;
    ngx_time_t              *tp;
    ngx_queue_t             *q;
    ngx_http_cmp_crl_ctx_t  *ctx;

    cmp_pool_destroy(crl->pool);
    crl->pool = NULL;

    tp = ngx_timeofday();
    now = (int64_t) tp->sec * 1000 + tp->msec;

    while (!ngx_queue_empty(&crl->serving)) {

        q = ngx_queue_head(&crl->serving);
        ngx_queue_remove(q);

        ctx = ngx_queue_data(q, ngx_http_cmp_crl_ctx_t, queue);

        /* a database that is away is no reason to withhold a valid CRL */

        if (crl->der != NULL && crl->der->next_update > now) {
            ctx->der = crl->der;
            ctx->der->refs++;
        }

        ctx->ready(ctx);
    }

    crl->busy = 0;

    if (!ngx_queue_empty(&crl->waiting)) {
        crl->busy = 1;
        ngx_post_event(&crl->event, &ngx_posted_events);
    }
}


static ngx_int_t
ngx_http_cmp_crl_current(ngx_http_cmp_crl_t *crl)
{
    if (++crl->tries > NGX_HTTP_CMP_TRIES) {
        return NGX_ERROR;
    }

    cmp_pool_destroy(crl->pool);

    crl->pool = cmp_pool_create();
    if (crl->pool == NULL) {
        return NGX_ERROR;
    }

    crl->op.send = ngx_http_cmp_crl_current_send;
    crl->op.result = ngx_http_cmp_crl_current_result;
    crl->op.commit = 0;

    return ngx_http_cmp_crl_submit(crl, ngx_http_cmp_crl_current_read);
}


static ngx_int_t
ngx_http_cmp_crl_current_read(ngx_http_cmp_crl_t *crl)
{
    cmp_pg_crl_t  *current;

    current = &crl->current;

    if (current->der.len != 0
        && ngx_http_cmp_crl_set(crl, current->number, current->this_update,
                                current->next_update, &current->der)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (current->stale == 0) {
        return NGX_DONE;
    }

    crl->op.send = ngx_http_cmp_crl_entries_send;
    crl->op.result = ngx_http_cmp_crl_entries_result;
    crl->op.commit = 0;

    return ngx_http_cmp_crl_submit(crl, ngx_http_cmp_crl_make);
}


static ngx_int_t
ngx_http_cmp_crl_make(ngx_http_cmp_crl_t *crl)
{
    /* somebody made one between the two questions: it may do */

    if (crl->entries.number != crl->current.number + 1) {
        crl->step = ngx_http_cmp_crl_current;
        return NGX_OK;
    }

    crl->step = ngx_http_cmp_crl_store;

#if (NGX_THREADS)

    if ((crl->ca->ca.current.slow && crl->ca->ca.inline_sign == 0)
        || crl->entries.nentries > NGX_HTTP_CMP_CRL_ENTRIES)
    {
        return ngx_http_cmp_crl_post(crl);
    }

#endif

    crl->rc = cmp_crl_make(&crl->ca->ca, crl->entries.number, crl->entries.now,
                           crl->entries.entries, crl->entries.nentries,
                           crl->pool, &crl->made);
    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_store(ngx_http_cmp_crl_t *crl)
{
    if (crl->rc != CMP_OK) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "cmp_ca \"%V\": the CRL could not be made",
                      &crl->ca->name);
        return NGX_ERROR;
    }

    crl->op.send = ngx_http_cmp_crl_store_send;
    crl->op.result = NULL;
    crl->op.commit = 1;

    return ngx_http_cmp_crl_submit(crl, ngx_http_cmp_crl_stored);
}


static ngx_int_t
ngx_http_cmp_crl_stored(ngx_http_cmp_crl_t *crl)
{
    if (crl->status == NGX_HTTP_CMP_PG_ERROR) {

        /* another one was faster */

        crl->step = ngx_http_cmp_crl_current;
        return NGX_OK;
    }

    if (ngx_http_cmp_crl_set(crl, crl->entries.number, crl->entries.now,
                             crl->entries.now + crl->ca->ca.crl_lifetime,
                             &crl->made)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "cmp_ca \"%V\": CRL %L with %uz entries made",
                  &crl->ca->name, crl->entries.number, crl->entries.nentries);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_cmp_crl_set(ngx_http_cmp_crl_t *crl, int64_t number,
    int64_t this_update, int64_t next_update, cmp_str_t *der)
{
    ngx_http_cmp_crl_der_t  *copy;

    copy = ngx_alloc(sizeof(ngx_http_cmp_crl_der_t) + der->len,
                     ngx_cycle->log);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    copy->refs = 1;
    copy->number = number;
    copy->this_update = this_update;
    copy->next_update = next_update;
    copy->len = der->len;

    ngx_memcpy(copy->data, der->data, der->len);

    if (crl->der != NULL) {
        ngx_http_cmp_crl_release(crl->der);
    }

    crl->der = copy;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_submit(ngx_http_cmp_crl_t *crl, ngx_http_cmp_crl_step_pt next)
{
    crl->step = next;

    crl->op.done = ngx_http_cmp_crl_done;
    crl->op.data = crl;
    crl->op.log = ngx_cycle->log;

    if (ngx_http_cmp_pg_submit(crl->main->store, &crl->op) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


static void
ngx_http_cmp_crl_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status)
{
    ngx_http_cmp_crl_t *crl = op->data;

    crl->status = status;

    if (status == NGX_HTTP_CMP_PG_OK) {
        ngx_http_cmp_crl_run(crl);
        return;
    }

    if (status == NGX_HTTP_CMP_PG_ERROR
        && op->commit
        && cmp_pg_commit_outcome(op->sqlstate) == CMP_COMMIT_RACE)
    {
        ngx_http_cmp_crl_run(crl);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "cmp_ca \"%V\": the CRL could not be %s: %s%s%s",
                  &crl->ca->name, op->commit ? "stored" : "read",
                  (op->message[0] != '\0') ? op->message
                                           : "the database is away",
                  (op->sqlstate[0] != '\0') ? ", SQLSTATE " : "",
                  op->sqlstate);

    ngx_http_cmp_crl_end(crl);
}


static ngx_int_t
ngx_http_cmp_crl_current_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_crl_t *crl = op->data;

    ngx_memzero(&crl->current, sizeof(cmp_pg_crl_t));

    if (cmp_pg_crl_current_send(conn, crl->ca->ca.id,
                                (crl->der != NULL) ? crl->der->number : 0,
                                crl->ca->ca.crl_refresh)
        != CMP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_current_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_crl_t *crl = op->data;

    if (cmp_pg_crl_current_result(res, crl->pool, &crl->current) != CMP_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_entries_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_crl_t *crl = op->data;

    ngx_memzero(&crl->entries, sizeof(cmp_pg_crl_entries_t));

    if (cmp_pg_crl_entries_send(conn, crl->ca->ca.id) != CMP_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_entries_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_crl_t *crl = op->data;

    if (cmp_pg_crl_entries_result(res, crl->pool, &crl->entries) != CMP_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_store_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_crl_t *crl = op->data;

    int64_t  next;

    next = crl->entries.now + crl->ca->ca.crl_lifetime;

    if (cmp_pg_crl_store_send(conn, crl->ca->ca.id, &crl->entries, next,
                              &crl->made)
        != CMP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


#if (NGX_THREADS)

static ngx_int_t
ngx_http_cmp_crl_post(ngx_http_cmp_crl_t *crl)
{
    ngx_thread_task_t  *task;

    task = &crl->task;

    ngx_memzero(task, sizeof(ngx_thread_task_t));

    task->ctx = crl;
    task->handler = ngx_http_cmp_crl_thread_func;
    task->event.data = crl;
    task->event.log = ngx_cycle->log;
    task->event.handler = ngx_http_cmp_crl_thread_event_handler;

    if (ngx_thread_task_post(crl->ca->thread_pool, task) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(&task->event, NGX_HTTP_CMP_CRL_THREAD_TIME);

    return NGX_AGAIN;
}


static void
ngx_http_cmp_crl_thread_func(void *data, ngx_log_t *log)
{
    ngx_http_cmp_crl_t *crl = data;

    crl->rc = cmp_crl_make(&crl->ca->ca, crl->entries.number, crl->entries.now,
                           crl->entries.entries, crl->entries.nentries,
                           crl->pool, &crl->made);
}


static void
ngx_http_cmp_crl_thread_event_handler(ngx_event_t *ev)
{
    ngx_http_cmp_crl_t *crl = ev->data;

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "cmp_ca \"%V\": making a CRL takes too long",
                      &crl->ca->name);

        ev->timedout = 0;
        ngx_add_timer(ev, NGX_HTTP_CMP_CRL_THREAD_TIME);
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ev->complete = 0;

    ngx_http_cmp_crl_run(crl);
}

#endif
