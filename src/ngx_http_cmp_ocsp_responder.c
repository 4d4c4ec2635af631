
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Delegated OCSP responders: one for each key of a CA.  A worker reads it from
 * the store, looks after it every few seconds, and makes another one when its
 * time comes or there is none that is valid.  Of several that are made by
 * workers and nodes at the same time the store takes one, which all have then.
 */


#include <ngx_http_cmp_ocsp.h>


#define NGX_HTTP_CMP_OCSP_RESPONDER_INTERVAL  5000
#define NGX_HTTP_CMP_OCSP_RESPONDER_FIRST     100
#define NGX_HTTP_CMP_OCSP_RESPONDER_RETRY     1000
#define NGX_HTTP_CMP_OCSP_RESPONDER_TRIES     3


struct ngx_http_cmp_ocsp_responder_s {
    ngx_http_cmp_main_conf_t       *main;
    ngx_http_cmp_ca_t              *ca;
    const cmp_issuer_t             *issuer;
    ngx_uint_t                      index;       /* in cmp_ca_issuer() */
    cmp_str_t                       key_id;

    ngx_http_cmp_ocsp_held_t       *held;        /* NULL: none that is valid */
    int32_t                         number;      /* the latest in the store */

    ngx_event_t                     event;
    ngx_queue_t                     waiting;     /* ngx_http_cmp_ocsp_ctx_t */
    ngx_msec_t                      ended;       /* the last round */

    /* of a round */

    ngx_http_cmp_pg_op_t            op;
    cmp_pool_t                     *pool;
    cmp_pg_ocsp_responder_t         row;
    cmp_ocsp_responder_params_t     params;
    cmp_write_cert_t                cert;
    cmp_str_t                       secret;
    int                             rc;
    ngx_uint_t                      tries;

#if (NGX_THREADS)
    ngx_http_cmp_task_t             task;
#endif

    unsigned                        busy:1;
    unsigned                        failed:1;    /* the last round, logged */
};


static ngx_int_t ngx_http_cmp_ocsp_responder_add(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf, ngx_http_cmp_ca_t *ca);
static ngx_uint_t ngx_http_cmp_ocsp_responder_usable(
    ngx_http_cmp_ocsp_responder_t *responder);
static void ngx_http_cmp_ocsp_responder_handler(ngx_event_t *ev);
static void ngx_http_cmp_ocsp_responder_read(
    ngx_http_cmp_ocsp_responder_t *responder);
static void ngx_http_cmp_ocsp_responder_submit(
    ngx_http_cmp_ocsp_responder_t *responder);
static ngx_int_t ngx_http_cmp_ocsp_responder_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_ocsp_responder_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static void ngx_http_cmp_ocsp_responder_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);
static ngx_int_t ngx_http_cmp_ocsp_responder_open(
    ngx_http_cmp_ocsp_responder_t *responder);
static ngx_uint_t ngx_http_cmp_ocsp_responder_due(
    ngx_http_cmp_ocsp_responder_t *responder);
static void ngx_http_cmp_ocsp_responder_make(
    ngx_http_cmp_ocsp_responder_t *responder);
static void ngx_http_cmp_ocsp_responder_work(
    ngx_http_cmp_ocsp_responder_t *responder);
static void ngx_http_cmp_ocsp_responder_made(
    ngx_http_cmp_ocsp_responder_t *responder);
static ngx_int_t ngx_http_cmp_ocsp_responder_store_send(
    ngx_http_cmp_pg_op_t *op, PGconn *conn);
static void ngx_http_cmp_ocsp_responder_stored(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);
static void ngx_http_cmp_ocsp_responder_log(
    ngx_http_cmp_ocsp_responder_t *responder, ngx_uint_t level,
    const char *text, const char *reason);
static void ngx_http_cmp_ocsp_responder_end(
    ngx_http_cmp_ocsp_responder_t *responder);

#if (NGX_THREADS)
static ngx_int_t ngx_http_cmp_ocsp_responder_post(
    ngx_http_cmp_ocsp_responder_t *responder);
static void ngx_http_cmp_ocsp_responder_task_work(void *data);
static void ngx_http_cmp_ocsp_responder_task_done(void *data);
#endif


ngx_int_t
ngx_http_cmp_ocsp_responder_init(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf)
{
    ngx_uint_t           i;
    ngx_http_cmp_ca_t  **cap;

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {

        if (cap[i]->ocsp_delegated == 0 || cap[i]->ocsp_location == 0) {
            continue;
        }

        if (ngx_http_cmp_ocsp_responder_add(cycle, mcf, cap[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_ocsp_responder_add(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf, ngx_http_cmp_ca_t *ca)
{
    size_t                          i, n;
    ngx_event_t                    *ev;
    const ASN1_OCTET_STRING        *id;
    ngx_http_cmp_ocsp_responder_t  *responder;

    n = 1 + ca->ca.nprevious;

    ca->responders = ngx_pcalloc(cycle->pool, n
                                     * sizeof(ngx_http_cmp_ocsp_responder_t));
    if (ca->responders == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        responder = &ca->responders[i];

        responder->main = mcf;
        responder->ca = ca;
        responder->issuer = cmp_ca_issuer(&ca->ca, i);
        responder->index = i;

        ngx_queue_init(&responder->waiting);

        id = X509_get0_subject_key_id(responder->issuer->certificate);

        if (id == NULL) {
            continue;
        }

        responder->key_id.data = (u_char *) ASN1_STRING_get0_data(id);
        responder->key_id.len = ASN1_STRING_length(id);

        ev = &responder->event;

        ev->handler = ngx_http_cmp_ocsp_responder_handler;
        ev->data = responder;
        ev->log = cycle->log;
        ev->cancelable = 1;

        /* one worker is first, and makes what there is not */

        ngx_add_timer(ev, (ngx_process == NGX_PROCESS_SINGLE
                           || ngx_worker == 0)
                          ? 1 : 5 * NGX_HTTP_CMP_OCSP_RESPONDER_FIRST);
    }

    return NGX_OK;
}


void
ngx_http_cmp_ocsp_responder_exit(ngx_http_cmp_main_conf_t *mcf)
{
    size_t                          i;
    ngx_uint_t                      n;
    ngx_http_cmp_ca_t             **cap;
    ngx_http_cmp_ocsp_responder_t  *responder;

    cap = mcf->cas.elts;

    for (n = 0; n < mcf->cas.nelts; n++) {

        if (cap[n]->responders == NULL) {
            continue;
        }

        for (i = 0; i <= cap[n]->ca.nprevious; i++) {
            responder = &cap[n]->responders[i];

            ngx_http_cmp_pg_detach(&responder->op);

            if (responder->event.timer_set) {
                ngx_del_timer(&responder->event);
            }

            cmp_pool_destroy(responder->pool);

            if (responder->held != NULL) {
                ngx_http_cmp_ocsp_responder_release(responder->held);
            }
        }

        cap[n]->responders = NULL;
    }
}


ngx_int_t
ngx_http_cmp_ocsp_responder_get(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    ngx_http_cmp_ocsp_responder_t  *responder;

    responder = &ctx->ca->responders[ctx->ocsp.issuer_index];

    if (ngx_http_cmp_ocsp_responder_usable(responder)) {
        ctx->held = responder->held;
        ctx->held->refs++;

        return NGX_OK;
    }

    if (responder->busy == 0) {

        /* what has just failed is not tried again for each request */

        if (responder->failed
            && ngx_current_msec - responder->ended
               < NGX_HTTP_CMP_OCSP_RESPONDER_RETRY)
        {
            return NGX_DECLINED;
        }

        /* not from here: it may end at once */

        if (responder->event.timer_set) {
            ngx_del_timer(&responder->event);
        }

        ngx_add_timer(&responder->event, 0);
    }

    ngx_queue_insert_tail(&responder->waiting, &ctx->queue);
    ctx->queued = 1;

    return NGX_AGAIN;
}


void
ngx_http_cmp_ocsp_responder_leave(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    if (ctx->queued) {
        ngx_queue_remove(&ctx->queue);
        ctx->queued = 0;
    }
}


void
ngx_http_cmp_ocsp_responder_release(ngx_http_cmp_ocsp_held_t *held)
{
    if (--held->refs == 0) {
        cmp_ocsp_responder_free(held->responder);
        ngx_free(held);
    }
}


void
ngx_http_cmp_ocsp_responder_discard(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    ngx_http_cmp_ocsp_responder_t  *responder;

    responder = &ctx->ca->responders[ctx->ocsp.issuer_index];

    if (responder->held == ctx->held) {
        responder->held = NULL;

        ngx_http_cmp_ocsp_responder_release(ctx->held);
        ngx_http_cmp_ocsp_flush(ctx->main);
    }

    ngx_http_cmp_ocsp_responder_release(ctx->held);
    ctx->held = NULL;
}


static ngx_uint_t
ngx_http_cmp_ocsp_responder_usable(ngx_http_cmp_ocsp_responder_t *responder)
{
    return responder->held != NULL
           && cmp_ocsp_responder_valid(responder->held->responder,
                                       ngx_http_cmp_now());
}


/* a round: look at what the store has, make another one if it has to be */

static void
ngx_http_cmp_ocsp_responder_handler(ngx_event_t *ev)
{
    ngx_http_cmp_ocsp_responder_t *responder = ev->data;

    time_t  now;

    if (ngx_exiting || ngx_terminate) {
        ngx_http_cmp_ocsp_responder_end(responder);
        return;
    }

    if (responder->ca->registered == 0) {

        if (ngx_queue_empty(&responder->waiting)) {
            ngx_add_timer(ev, NGX_HTTP_CMP_OCSP_RESPONDER_FIRST);
            return;
        }

        ngx_http_cmp_ocsp_responder_end(responder);
        return;
    }

    /* a key from before a rollover ends like any other */

    now = ngx_time();

    if (X509_cmp_time(X509_get0_notAfter(responder->issuer->certificate), &now)
        <= 0)
    {
        ngx_http_cmp_ocsp_responder_end(responder);
        return;
    }

    responder->busy = 1;
    responder->tries = 0;

    ngx_http_cmp_ocsp_responder_read(responder);
}


static void
ngx_http_cmp_ocsp_responder_read(ngx_http_cmp_ocsp_responder_t *responder)
{
    responder->op.send = ngx_http_cmp_ocsp_responder_send;
    responder->op.result = ngx_http_cmp_ocsp_responder_result;
    responder->op.done = ngx_http_cmp_ocsp_responder_done;
    responder->op.commit = 0;

    ngx_http_cmp_ocsp_responder_submit(responder);
}


static void
ngx_http_cmp_ocsp_responder_submit(ngx_http_cmp_ocsp_responder_t *responder)
{
    responder->op.data = responder;
    responder->op.log = ngx_cycle->log;
    responder->op.background = 1;

    if (ngx_http_cmp_pg_submit(responder->main->store, &responder->op)
        != NGX_OK)
    {
        ngx_http_cmp_ocsp_responder_log(responder, NGX_LOG_ERR, "is not known",
                                        "the database is not available");
        ngx_http_cmp_ocsp_responder_end(responder);
    }
}


static ngx_int_t
ngx_http_cmp_ocsp_responder_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_ocsp_responder_t *responder = op->data;

    cmp_pool_destroy(responder->pool);

    responder->pool = cmp_pool_create();
    if (responder->pool == NULL) {
        return NGX_ERROR;
    }

    return (cmp_pg_ocsp_responder_send(conn, responder->ca->ca.id,
                                       &responder->key_id,
                                       (responder->held != NULL)
                                       ? responder->held->number : 0)
            == CMP_OK)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_ocsp_responder_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_ocsp_responder_t *responder = op->data;

    return (cmp_pg_ocsp_responder_result(res, responder->pool, &responder->row)
            == CMP_OK)
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_cmp_ocsp_responder_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status)
{
    ngx_http_cmp_ocsp_responder_t *responder = op->data;

    cmp_pg_ocsp_responder_t  *row;

    if (status != NGX_HTTP_CMP_PG_OK) {
        ngx_http_cmp_ocsp_responder_log(responder, NGX_LOG_ERR,
                                        "could not be read",
                                        (status == NGX_HTTP_CMP_PG_ERROR)
                                        ? op->message
                                        : "the database is not available");
        ngx_http_cmp_ocsp_responder_end(responder);
        return;
    }

    row = &responder->row;
    responder->number = row->number;

    /* what was revoked signs no more, nor is sent what it has signed */

    if (row->state != CMP_CERT_VALID && responder->held != NULL) {
        ngx_http_cmp_ocsp_responder_release(responder->held);
        responder->held = NULL;

        ngx_http_cmp_ocsp_flush(responder->main);
    }

    if (row->der.len != 0
        && ngx_http_cmp_ocsp_responder_open(responder) != NGX_OK)
    {
        ngx_http_cmp_ocsp_responder_end(responder);
        return;
    }

    if (ngx_http_cmp_ocsp_responder_due(responder)) {
        ngx_http_cmp_ocsp_responder_make(responder);
        return;
    }

    if (ngx_http_cmp_ocsp_responder_usable(responder)) {
        responder->failed = 0;
    }

    ngx_http_cmp_ocsp_responder_end(responder);
}


static ngx_int_t
ngx_http_cmp_ocsp_responder_open(ngx_http_cmp_ocsp_responder_t *responder)
{
    const char                *why;
    cmp_ocsp_responder_t      *opened;
    ngx_http_cmp_ocsp_held_t  *held;

    if (cmp_ocsp_responder_open(&responder->ca->ca, responder->issuer,
                                responder->main->store->key,
                                &responder->row.der, &responder->row.secret,
                                &opened, &why)
        != CMP_OK)
    {
        ngx_http_cmp_ocsp_responder_log(responder, NGX_LOG_CRIT,
                                        "cannot be used",
                                        (why != NULL) ? why : "no memory");
        return NGX_ERROR;
    }

    held = ngx_alloc(sizeof(ngx_http_cmp_ocsp_held_t), ngx_cycle->log);
    if (held == NULL) {
        cmp_ocsp_responder_free(opened);
        return NGX_ERROR;
    }

    held->responder = opened;
    held->number = responder->row.number;
    held->refs = 1;

    if (responder->held != NULL) {
        ngx_http_cmp_ocsp_responder_release(responder->held);
    }

    responder->held = held;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "cmp_ca \"%V\": OCSP responder %D of key %ui read",
                  &responder->ca->name, held->number, responder->index);

    return NGX_OK;
}


/*
 * One worker of each node makes the next one when its time comes, anybody when
 * there is none
 */

static ngx_uint_t
ngx_http_cmp_ocsp_responder_due(ngx_http_cmp_ocsp_responder_t *responder)
{
    if (!ngx_http_cmp_ocsp_responder_usable(responder)) {
        return 1;
    }

    if (ngx_process != NGX_PROCESS_SINGLE && ngx_worker != 0) {
        return 0;
    }

    return cmp_ocsp_responder_due(responder->held->responder,
                                  responder->issuer,
                                  ngx_http_cmp_now());
}


/* a key is made, which may take long, and perhaps a token signs */

static void
ngx_http_cmp_ocsp_responder_make(ngx_http_cmp_ocsp_responder_t *responder)
{
    cmp_ocsp_responder_params_t  *params;

    if (responder->ca->no_key || responder->issuer->key == NULL) {
        ngx_http_cmp_ocsp_responder_log(responder, NGX_LOG_CRIT,
                                        "could not be made",
                                        "the key of the CA is not available");
        ngx_http_cmp_ocsp_responder_end(responder);
        return;
    }

    if (responder->tries++ == NGX_HTTP_CMP_OCSP_RESPONDER_TRIES) {
        ngx_http_cmp_ocsp_responder_log(responder, NGX_LOG_ERR,
                                        "could not be made",
                                        "others were always faster");
        ngx_http_cmp_ocsp_responder_end(responder);
        return;
    }

    params = &responder->params;

    params->ca = &responder->ca->ca;
    params->issuer = responder->issuer;
    params->seal_key = responder->main->store->key;
    params->now = ngx_http_cmp_now();
    params->random = ngx_http_cmp_random;
    params->random_data = NULL;

#if (NGX_THREADS)

    if (ngx_http_cmp_ocsp_responder_post(responder) == NGX_OK) {
        return;
    }

#endif

    ngx_http_cmp_ocsp_responder_work(responder);
    ngx_http_cmp_ocsp_responder_made(responder);
}


static void
ngx_http_cmp_ocsp_responder_work(ngx_http_cmp_ocsp_responder_t *responder)
{
    responder->rc = cmp_ocsp_responder_make(&responder->params,
                                            responder->pool, &responder->cert,
                                            &responder->secret);
}


#if (NGX_THREADS)

static ngx_int_t
ngx_http_cmp_ocsp_responder_post(ngx_http_cmp_ocsp_responder_t *responder)
{
    ngx_http_cmp_task_t  *task;

    task = &responder->task;

    task->ca = responder->ca;
    task->request = NULL;
    task->work = ngx_http_cmp_ocsp_responder_task_work;
    task->done = ngx_http_cmp_ocsp_responder_task_done;
    task->data = responder;
    task->name = "an OCSP responder";

    return ngx_http_cmp_task_post(task);
}


static void
ngx_http_cmp_ocsp_responder_task_work(void *data)
{
    ngx_http_cmp_ocsp_responder_work(data);
}


static void
ngx_http_cmp_ocsp_responder_task_done(void *data)
{
    ngx_http_cmp_ocsp_responder_made(data);
}

#endif


static void
ngx_http_cmp_ocsp_responder_made(ngx_http_cmp_ocsp_responder_t *responder)
{
    if (responder->rc != CMP_OK) {
        ngx_http_cmp_ocsp_responder_log(responder, NGX_LOG_CRIT,
                                        "could not be made",
                                        "no key or no signature");
        ngx_http_cmp_ocsp_responder_end(responder);
        return;
    }

    responder->op.send = ngx_http_cmp_ocsp_responder_store_send;
    responder->op.result = NULL;
    responder->op.done = ngx_http_cmp_ocsp_responder_stored;
    responder->op.commit = 1;

    ngx_http_cmp_ocsp_responder_submit(responder);
}


static ngx_int_t
ngx_http_cmp_ocsp_responder_store_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_ocsp_responder_t *responder = op->data;

    return (cmp_pg_ocsp_responder_store_send(conn, responder->ca->ca.id,
                                             &responder->key_id,
                                             responder->number + 1,
                                             &responder->secret,
                                             &responder->cert)
            == CMP_OK)
           ? NGX_OK : NGX_ERROR;
}


/* stored or not, what the store has is what counts */

static void
ngx_http_cmp_ocsp_responder_stored(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status)
{
    ngx_http_cmp_ocsp_responder_t *responder = op->data;

    if (status == NGX_HTTP_CMP_PG_OK) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "cmp_ca \"%V\": OCSP responder %D of key %ui issued",
                      &responder->ca->name, responder->number + 1,
                      responder->index);

    } else if (status == NGX_HTTP_CMP_PG_ERROR
               && cmp_pg_commit_outcome(op->sqlstate) == CMP_COMMIT_RACE)
    {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "cmp: OCSP responder of key %ui: lost a race: %s",
                       responder->index, op->message);

    } else {
        ngx_http_cmp_ocsp_responder_log(responder, NGX_LOG_ERR,
                                        "could not be stored",
                                        (status == NGX_HTTP_CMP_PG_ERROR)
                                        ? op->message
                                        : "the database is not available");
        ngx_http_cmp_ocsp_responder_end(responder);
        return;
    }

    ngx_http_cmp_ocsp_responder_read(responder);
}


/* once until it works again */

static void
ngx_http_cmp_ocsp_responder_log(ngx_http_cmp_ocsp_responder_t *responder,
    ngx_uint_t level, const char *text, const char *reason)
{
    if (responder->failed == 0) {
        ngx_log_error(level, ngx_cycle->log, 0,
                      "cmp_ca \"%V\": the OCSP responder of key %ui %s: %s",
                      &responder->ca->name, responder->index, text, reason);
    }

    responder->failed = 1;
}


static void
ngx_http_cmp_ocsp_responder_end(ngx_http_cmp_ocsp_responder_t *responder)
{
    ngx_msec_t                delay;
    ngx_queue_t              *q, waiting;
    ngx_http_cmp_ocsp_ctx_t  *ctx;

    /* the sealed key */

    cmp_pool_destroy(responder->pool);
    responder->pool = NULL;

    responder->busy = 0;
    responder->ended = ngx_current_msec;

    if (!ngx_exiting && !ngx_terminate) {
        delay = ngx_http_cmp_ocsp_responder_usable(responder)
                ? NGX_HTTP_CMP_OCSP_RESPONDER_INTERVAL
                : NGX_HTTP_CMP_OCSP_RESPONDER_RETRY;

        ngx_add_timer(&responder->event,
                      delay + (ngx_msec_t) ngx_random() % (delay / 4));
    }

    /* those that begin to wait meanwhile wait for the next round */

    if (ngx_queue_empty(&responder->waiting)) {
        return;
    }

    ngx_queue_init(&waiting);
    ngx_queue_add(&waiting, &responder->waiting);
    ngx_queue_init(&responder->waiting);

    while (!ngx_queue_empty(&waiting)) {
        q = ngx_queue_head(&waiting);
        ctx = ngx_queue_data(q, ngx_http_cmp_ocsp_ctx_t, queue);

        ngx_http_cmp_ocsp_responder_leave(ctx);
        ngx_http_cmp_ocsp_resume(ctx);
    }
}
