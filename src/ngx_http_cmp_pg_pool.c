
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <ngx_http_cmp_pg_conn.h>


/*
 * The pool of one worker: a fixed number of connections, opened one at a
 * time and kept, and a bounded queue of operations that wait for one.
 *
 * An operation ends in a posted event of its own, so its owner is never
 * called while the pool is at work.
 */


#define NGX_HTTP_CMP_PG_BACKOFF_MIN   100
#define NGX_HTTP_CMP_PG_BACKOFF_MAX   10000
#define NGX_HTTP_CMP_PG_RENEW         1000


typedef enum {
    NGX_HTTP_CMP_PG_OP_NONE = 0,
    NGX_HTTP_CMP_PG_OP_QUEUED,
    NGX_HTTP_CMP_PG_OP_SENT,
    NGX_HTTP_CMP_PG_OP_ENDED
} ngx_http_cmp_pg_op_state_e;


static void ngx_http_cmp_pg_op_handler(ngx_event_t *ev);
static void ngx_http_cmp_pg_op_enqueue(ngx_http_cmp_pg_op_t *op);
static void ngx_http_cmp_pg_op_dequeue(ngx_http_cmp_pg_op_t *op);
static void ngx_http_cmp_pg_op_repeat(ngx_http_cmp_pg_op_t *op);
static void ngx_http_cmp_pg_op_lost(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_conn_t *conn);
static void ngx_http_cmp_pg_op_finished(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_conn_t *conn);
static void ngx_http_cmp_pg_op_end(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status, const char *message);

static void ngx_http_cmp_pg_pool_run(ngx_http_cmp_pg_store_t *store);
static void ngx_http_cmp_pg_pool_fill(ngx_http_cmp_pg_store_t *store);
static void ngx_http_cmp_pg_pool_park(ngx_http_cmp_pg_conn_t *conn);
static void ngx_http_cmp_pg_pool_drop(ngx_http_cmp_pg_conn_t *conn);
static void ngx_http_cmp_pg_pool_drop_idle(ngx_http_cmp_pg_store_t *store);
static void ngx_http_cmp_pg_pool_renew(ngx_http_cmp_pg_store_t *store,
    const char *sqlstate);
static void ngx_http_cmp_pg_pool_refuse(ngx_http_cmp_pg_store_t *store,
    const char *message);
static void ngx_http_cmp_pg_pool_retry_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_cmp_pg_pool_session_error(const char *sqlstate);
static void ngx_http_cmp_pg_unset_environment(void);


ngx_int_t
ngx_http_cmp_pg_submit(ngx_http_cmp_pg_store_t *store,
    ngx_http_cmp_pg_op_t *op)
{
    op->store = store;
    op->conn = NULL;
    op->repeated = 0;
    op->sqlstate[0] = '\0';
    op->message[0] = '\0';

    ngx_memzero(&op->event, sizeof(ngx_event_t));
    op->event.handler = ngx_http_cmp_pg_op_handler;
    op->event.data = op;
    op->event.log = op->log;

    if (store->conns == NULL || store->closing) {
        store->stat.errors++;
        return NGX_DECLINED;
    }

    /* fail fast: what is known to be away is tried in the background */

    if (store->stat.connected == 0
        && store->down
        && (store->connecting != NULL || store->retry.timer_set))
    {
        store->stat.errors++;
        return NGX_DECLINED;
    }

    if (op->background == 0
        && op->admitted == 0
        && ngx_queue_empty(&store->idle)
        && store->stat.queued >= store->queue_max)
    {
        store->stat.errors++;
        return NGX_BUSY;
    }

    ngx_queue_insert_tail(&store->queue, &op->queue);
    ngx_http_cmp_pg_op_enqueue(op);

    ngx_http_cmp_pg_pool_run(store);

    return NGX_OK;
}


void
ngx_http_cmp_pg_detach(ngx_http_cmp_pg_op_t *op)
{
    ngx_http_cmp_pg_conn_t  *conn;

    switch (op->state) {

    case NGX_HTTP_CMP_PG_OP_QUEUED:
        ngx_http_cmp_pg_op_dequeue(op);
        break;

    case NGX_HTTP_CMP_PG_OP_SENT:
        conn = op->conn;
        conn->op = NULL;

        /* a commit keeps the worker, nobody waits for a load */

        conn->timer.cancelable = !op->commit;

        ngx_http_cmp_pg_conn_set_log(conn, ngx_cycle->log);
        break;

    case NGX_HTTP_CMP_PG_OP_ENDED:
        if (op->event.posted) {
            ngx_delete_posted_event(&op->event);
        }

        break;

    default: /* NGX_HTTP_CMP_PG_OP_NONE */
        break;
    }

    op->state = NGX_HTTP_CMP_PG_OP_NONE;
    op->conn = NULL;
}


static void
ngx_http_cmp_pg_op_handler(ngx_event_t *ev)
{
    ngx_http_cmp_pg_op_t  *op = ev->data;

    ngx_http_cmp_pg_store_t  *store;

    if (op->state == NGX_HTTP_CMP_PG_OP_QUEUED) {
        store = op->store;

        ngx_log_error(NGX_LOG_ERR, op->log, 0,
                      "cmp_store: no free connection in %Mms, "
                      "%ui operations are waiting",
                      store->queue_timeout, store->stat.queued);

        store->stat.timeouts++;

        ngx_http_cmp_pg_op_dequeue(op);
        ngx_http_cmp_pg_op_end(op, NGX_HTTP_CMP_PG_UNAVAILABLE,
                               "no free connection");
        return;
    }

    op->state = NGX_HTTP_CMP_PG_OP_NONE;

    op->done(op, op->status);
}


/* the caller has put it into the queue */

static void
ngx_http_cmp_pg_op_enqueue(ngx_http_cmp_pg_op_t *op)
{
    op->state = NGX_HTTP_CMP_PG_OP_QUEUED;
    op->conn = NULL;

    if (op->background == 0) {
        op->store->stat.queued++;
    }

    ngx_add_timer(&op->event, op->store->queue_timeout);
}


static void
ngx_http_cmp_pg_op_dequeue(ngx_http_cmp_pg_op_t *op)
{
    ngx_queue_remove(&op->queue);

    if (op->background == 0) {
        op->store->stat.queued--;
    }

    if (op->event.timer_set) {
        ngx_del_timer(&op->event);
    }
}


static void
ngx_http_cmp_pg_op_repeat(ngx_http_cmp_pg_op_t *op)
{
    op->repeated = 1;

    ngx_queue_insert_head(&op->store->queue, &op->queue);
    ngx_http_cmp_pg_op_enqueue(op);
}


/* the connection went away before the sync was reached */

static void
ngx_http_cmp_pg_op_lost(ngx_http_cmp_pg_op_t *op, ngx_http_cmp_pg_conn_t *conn)
{
    ngx_http_cmp_pg_status_e  status;

    if (op->commit && conn->flushed) {
        status = NGX_HTTP_CMP_PG_UNKNOWN;

    } else if (op->repeated
               || conn->unusable
               || conn->timedout
               || conn->forced
               || conn->store->closing)
    {
        status = NGX_HTTP_CMP_PG_UNAVAILABLE;

    } else {
        ngx_http_cmp_pg_op_repeat(op);
        return;
    }

    ngx_memcpy(op->sqlstate, conn->sqlstate, sizeof(op->sqlstate));

    ngx_http_cmp_pg_op_end(op, status, conn->message);
}


static void
ngx_http_cmp_pg_op_finished(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_conn_t *conn)
{
    ngx_http_cmp_pg_status_e  status;

    ngx_memcpy(op->sqlstate, conn->sqlstate, sizeof(op->sqlstate));

    if (conn->failed) {
        status = NGX_HTTP_CMP_PG_ERROR;

    } else if (conn->unusable) {
        status = op->commit ? NGX_HTTP_CMP_PG_UNKNOWN : NGX_HTTP_CMP_PG_ERROR;

    } else {
        status = NGX_HTTP_CMP_PG_OK;
    }

    ngx_http_cmp_pg_op_end(op, status, conn->message);
}


static void
ngx_http_cmp_pg_op_end(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status, const char *message)
{
    op->state = NGX_HTTP_CMP_PG_OP_ENDED;
    op->status = status;
    op->conn = NULL;

    if (message != NULL) {
        (void) ngx_cpystrn((u_char *) op->message, (u_char *) message,
                           sizeof(op->message));
    }

    if (status != NGX_HTTP_CMP_PG_OK) {
        op->store->stat.errors++;
    }

    ngx_post_event(&op->event, &ngx_posted_events);
}


void
ngx_http_cmp_pg_pool_opened(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_http_cmp_pg_store_t  *store;

    store = conn->store;

    store->connecting = NULL;
    store->failures = 0;
    store->complaint = 0;
    store->stat.opened++;
    store->stat.connected++;

    if (store->down) {
        store->down = 0;

        ngx_log_error(NGX_LOG_NOTICE, conn->log, 0,
                      "cmp_store: the database is back");
    }

    ngx_queue_insert_head(&store->idle, &conn->queue);
    ngx_http_cmp_pg_conn_park(conn);

    if (conn->generation != store->generation) {
        ngx_http_cmp_pg_pool_drop(conn);
    }

    ngx_http_cmp_pg_pool_run(store);
}


void
ngx_http_cmp_pg_pool_failed(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_uint_t                n;
    ngx_msec_t                delay;
    ngx_http_cmp_pg_store_t  *store;

    store = conn->store;

    store->connecting = NULL;
    store->attempt++;
    store->failures++;
    store->stat.failed++;

    if (conn->forced) {
        store->closing = 1;
        ngx_http_cmp_pg_pool_refuse(store, conn->message);
        return;
    }

    if (store->failures < store->hosts.nelts) {

        /* the other hosts first */

        ngx_add_timer(&store->retry, 1);
        return;
    }

    n = store->failures / store->hosts.nelts - 1;

    delay = NGX_HTTP_CMP_PG_BACKOFF_MAX;

    if (n < 7) {
        delay = ngx_min(delay, (ngx_msec_t) NGX_HTTP_CMP_PG_BACKOFF_MIN << n);
    }

    delay = delay / 2 + (ngx_msec_t) ngx_random() % (delay / 2 + 1);

    ngx_add_timer(&store->retry, delay);

    if (store->stat.connected == 0) {
        store->down = 1;
        ngx_http_cmp_pg_pool_refuse(store, "no connection to the database");
    }
}


void
ngx_http_cmp_pg_pool_finished(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_uint_t                drop, repeat;
    ngx_http_cmp_pg_op_t     *op;
    ngx_http_cmp_pg_store_t  *store;

    op = conn->op;
    store = conn->store;

    drop = (PQstatus(conn->pg) != CONNECTION_OK
            || PQtransactionStatus(conn->pg) != PQTRANS_IDLE);
    repeat = 0;

    if (conn->failed
        && ngx_http_cmp_pg_pool_session_error(conn->sqlstate)
        && (op == NULL || !op->repeated))
    {
        ngx_log_error(NGX_LOG_WARN, conn->log, 0,
                      "cmp_store: connection dropped: %s (SQLSTATE %s)",
                      conn->message, conn->sqlstate);

        ngx_http_cmp_pg_pool_renew(store, conn->sqlstate);

        drop = 1;
        repeat = 1;
    }

    if (op != NULL && repeat) {

        /* the server has rolled back, so this is safe for a commit too */

        ngx_http_cmp_pg_op_repeat(op);

    } else if (op != NULL) {
        ngx_http_cmp_pg_op_finished(op, conn);
    }

    if (drop || conn->generation != store->generation) {
        ngx_http_cmp_pg_pool_drop(conn);

    } else {
        ngx_http_cmp_pg_pool_park(conn);
    }

    ngx_http_cmp_pg_pool_run(store);
}


void
ngx_http_cmp_pg_pool_lost(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_http_cmp_pg_op_t     *op;
    ngx_http_cmp_pg_store_t  *store;

    store = conn->store;
    op = conn->op;

    ngx_http_cmp_pg_pool_drop(conn);

    if (conn->timedout) {
        store->stat.timeouts++;
    }

    if (conn->forced) {
        store->closing = 1;
        ngx_http_cmp_pg_pool_refuse(store, conn->message);
    }

    if (op != NULL) {
        ngx_http_cmp_pg_op_lost(op, conn);
    }

    ngx_http_cmp_pg_pool_run(store);
}


/* gives connections to operations, and opens what is missing */

static void
ngx_http_cmp_pg_pool_run(ngx_http_cmp_pg_store_t *store)
{
    ngx_int_t                rc;
    ngx_queue_t             *q;
    ngx_http_cmp_pg_op_t    *op;
    ngx_http_cmp_pg_conn_t  *conn;

    while (!ngx_queue_empty(&store->queue) && !ngx_queue_empty(&store->idle)) {

        q = ngx_queue_head(&store->idle);
        conn = ngx_queue_data(q, ngx_http_cmp_pg_conn_t, queue);

        q = ngx_queue_head(&store->queue);
        op = ngx_queue_data(q, ngx_http_cmp_pg_op_t, queue);

        /* what cannot be repeated must not meet a connection long dead */

        if ((op->commit || op->repeated)
            && ngx_http_cmp_pg_conn_check(conn) != NGX_OK)
        {
            ngx_http_cmp_pg_pool_drop(conn);
            continue;
        }

        ngx_http_cmp_pg_op_dequeue(op);
        ngx_queue_remove(&conn->queue);

        op->conn = conn;
        op->state = NGX_HTTP_CMP_PG_OP_SENT;

        store->stat.busy++;
        store->stat.queries++;

        rc = ngx_http_cmp_pg_conn_run(conn, op);

        if (rc == NGX_OK) {
            continue;
        }

        if (rc == NGX_DECLINED) {
            ngx_http_cmp_pg_pool_park(conn);

        } else {
            ngx_http_cmp_pg_pool_drop(conn);
        }

        ngx_http_cmp_pg_op_lost(op, conn);
    }

    if (ngx_exiting || ngx_terminate) {
        ngx_http_cmp_pg_pool_drop_idle(store);
    }

    ngx_http_cmp_pg_pool_fill(store);
}


static void
ngx_http_cmp_pg_pool_fill(ngx_http_cmp_pg_store_t *store)
{
    ngx_http_cmp_pg_conn_t  *conn;

    if (store->closing
        || store->connecting != NULL
        || store->retry.timer_set
        || store->stat.connected >= store->connections)
    {
        return;
    }

    if ((ngx_exiting || ngx_terminate) && ngx_queue_empty(&store->queue)) {
        return;
    }

    conn = store->conns;

    while (conn->state != NGX_HTTP_CMP_PG_CONN_CLOSED) {
        conn++;
    }

    store->connecting = conn;

    ngx_http_cmp_pg_conn_open(conn);
}


static void
ngx_http_cmp_pg_pool_park(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_http_cmp_pg_store_t  *store;

    store = conn->store;

    store->stat.busy--;

    ngx_queue_insert_head(&store->idle, &conn->queue);

    ngx_http_cmp_pg_conn_park(conn);
}


/* closes an idle or busy connection */

static void
ngx_http_cmp_pg_pool_drop(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_http_cmp_pg_store_t  *store;

    store = conn->store;

    if (conn->state == NGX_HTTP_CMP_PG_CONN_IDLE) {
        ngx_queue_remove(&conn->queue);

    } else {
        store->stat.busy--;
    }

    store->stat.connected--;

    ngx_http_cmp_pg_conn_close(conn);
}


static void
ngx_http_cmp_pg_pool_drop_idle(ngx_http_cmp_pg_store_t *store)
{
    ngx_queue_t             *q;
    ngx_http_cmp_pg_conn_t  *conn;

    while (!ngx_queue_empty(&store->idle)) {
        q = ngx_queue_head(&store->idle);
        conn = ngx_queue_data(q, ngx_http_cmp_pg_conn_t, queue);

        ngx_http_cmp_pg_pool_drop(conn);
    }
}


/*
 * What is wrong with the session of one connection, a plan older than the
 * schema or a server that has become a standby, is wrong with all of them.
 */

static void
ngx_http_cmp_pg_pool_renew(ngx_http_cmp_pg_store_t *store,
    const char *sqlstate)
{
    if (ngx_strcmp(sqlstate, "25006") == 0) {
        store->attempt++;
    }

    if (ngx_current_msec - store->renewed < NGX_HTTP_CMP_PG_RENEW) {
        return;
    }

    store->renewed = ngx_current_msec;
    store->generation++;

    ngx_http_cmp_pg_pool_drop_idle(store);
}


static void
ngx_http_cmp_pg_pool_refuse(ngx_http_cmp_pg_store_t *store,
    const char *message)
{
    ngx_queue_t           *q;
    ngx_http_cmp_pg_op_t  *op;

    while (!ngx_queue_empty(&store->queue)) {
        q = ngx_queue_head(&store->queue);
        op = ngx_queue_data(q, ngx_http_cmp_pg_op_t, queue);

        ngx_http_cmp_pg_op_dequeue(op);
        ngx_http_cmp_pg_op_end(op, NGX_HTTP_CMP_PG_UNAVAILABLE, message);
    }
}


static void
ngx_http_cmp_pg_pool_retry_handler(ngx_event_t *ev)
{
    ngx_http_cmp_pg_pool_run(ev->data);
}


/* is it the session or the server that is at fault, not the statement? */

static ngx_uint_t
ngx_http_cmp_pg_pool_session_error(const char *sqlstate)
{
    ngx_uint_t          i;
    static const char  *errors[] = {
        "26000",    /* the prepared statement is gone */
        "0A000",    /* cached plan must not change result type */
        "25006",    /* read-only transaction */
        "57P0",     /* shutdown, crash, not yet started */
        "08",       /* connection exception */
        NULL
    };

    for (i = 0; errors[i] != NULL; i++) {
        if (ngx_strncmp(sqlstate, errors[i], ngx_strlen(errors[i])) == 0) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_cmp_pg_init_process(ngx_cycle_t *cycle,
    ngx_http_cmp_pg_store_t *store)
{
    ngx_uint_t  i;

    if (store == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    ngx_http_cmp_pg_unset_environment();

    store->conns = ngx_pcalloc(cycle->pool, store->connections
                                            * sizeof(ngx_http_cmp_pg_conn_t));
    if (store->conns == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < store->connections; i++) {
        store->conns[i].store = store;
    }

    ngx_queue_init(&store->idle);
    ngx_queue_init(&store->queue);

    store->retry.handler = ngx_http_cmp_pg_pool_retry_handler;
    store->retry.data = store;
    store->retry.log = cycle->log;
    store->retry.cancelable = 1;

    ngx_http_cmp_pg_pool_run(store);

    return NGX_OK;
}


void
ngx_http_cmp_pg_exit_process(ngx_cycle_t *cycle,
    ngx_http_cmp_pg_store_t *store)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_http_cmp_pg_conn_t  *conn;

    if (store == NULL || store->conns == NULL) {
        return;
    }

    store->closing = 1;

    if (store->retry.timer_set) {
        ngx_del_timer(&store->retry);
    }

    while (!ngx_queue_empty(&store->queue)) {
        q = ngx_queue_head(&store->queue);
        ngx_http_cmp_pg_detach(ngx_queue_data(q, ngx_http_cmp_pg_op_t, queue));
    }

    for (i = 0; i < store->connections; i++) {
        conn = &store->conns[i];

        if (conn->op != NULL && conn->state == NGX_HTTP_CMP_PG_CONN_BUSY) {
            ngx_http_cmp_pg_detach(conn->op);
        }

        ngx_http_cmp_pg_conn_close(conn);
    }
}


/*
 * libpq takes whatever the connection string does not say from variables,
 * which a worker has only if the configuration keeps them with "env".
 */

static void
ngx_http_cmp_pg_unset_environment(void)
{
    ngx_uint_t           i;
    PQconninfoOption    *options, *option;
    static const char   *names[] = {
        "PGSERVICEFILE", "PGSYSCONFDIR", "PGREQUIRESSL", "PGDATESTYLE",
        "PGTZ", "PGGEQO", "PGLOCALEDIR", NULL
    };

    for (i = 0; names[i] != NULL; i++) {
        (void) unsetenv(names[i]);
    }

    options = PQconninfoParse("", NULL);
    if (options == NULL) {
        return;
    }

    for (option = options; option->keyword != NULL; option++) {
        if (option->envvar != NULL) {
            (void) unsetenv(option->envvar);
        }
    }

    PQconninfoFree(options);
}
