
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <ngx_http_cmp_pg_conn.h>


/*
 * One connection to PostgreSQL: its events and its pipelines.
 *
 * The socket belongs to libpq, which reads and writes it as it likes, so all
 * events are level-triggered: the flags of every ngx_add_event() are 0, and
 * so are those of ngx_del_event() as long as the socket is open.
 */


#define NGX_HTTP_CMP_PG_SSL_READS  64


static void ngx_http_cmp_pg_conn_read_handler(ngx_event_t *rev);
static void ngx_http_cmp_pg_conn_write_handler(ngx_event_t *wev);
static void ngx_http_cmp_pg_conn_shutdown(ngx_http_cmp_pg_conn_t *conn);
static void ngx_http_cmp_pg_conn_idle(ngx_http_cmp_pg_conn_t *conn);
static void ngx_http_cmp_pg_conn_pipeline(ngx_http_cmp_pg_conn_t *conn);
static ngx_int_t ngx_http_cmp_pg_conn_read(ngx_http_cmp_pg_conn_t *conn);
static ngx_int_t ngx_http_cmp_pg_conn_results(ngx_http_cmp_pg_conn_t *conn);
static ngx_int_t ngx_http_cmp_pg_conn_result(ngx_http_cmp_pg_conn_t *conn,
    PGresult *res);
static void ngx_http_cmp_pg_conn_error(ngx_http_cmp_pg_conn_t *conn,
    PGresult *res);
static void ngx_http_cmp_pg_conn_lost(ngx_http_cmp_pg_conn_t *conn);
static ngx_uint_t ngx_http_cmp_pg_conn_pending(ngx_http_cmp_pg_conn_t *conn);


ngx_int_t
ngx_http_cmp_pg_conn_attach(ngx_http_cmp_pg_conn_t *conn)
{
    int                fd;
    ngx_connection_t  *c;

    fd = PQsocket(conn->pg);
    c = conn->connection;

    if (c != NULL && c->fd != fd) {
        ngx_close_connection(c);
        conn->connection = NULL;
        c = NULL;
    }

    if (fd == -1) {
        return NGX_ERROR;
    }

    if (c != NULL) {
        return NGX_OK;
    }

    c = ngx_get_connection(fd, conn->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    /* libpq closes the socket */

    c->shared = 1;
    c->data = conn;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->read->log = conn->log;
    c->write->log = conn->log;
    c->read->handler = ngx_http_cmp_pg_conn_read_handler;
    c->write->handler = ngx_http_cmp_pg_conn_write_handler;

    conn->connection = c;

    return NGX_OK;
}


void
ngx_http_cmp_pg_conn_unwatch(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    c = conn->connection;

    /* once libpq has closed the socket, the number may be somebody else's */

    flags = (PQsocket(conn->pg) == c->fd) ? 0 : NGX_CLOSE_EVENT;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }
}


ngx_int_t
ngx_http_cmp_pg_conn_watch(ngx_event_t *ev, ngx_int_t event)
{
    if (ev->active) {
        return NGX_OK;
    }

    return ngx_add_event(ev, event, NGX_LEVEL_EVENT);
}


static void
ngx_http_cmp_pg_conn_read_handler(ngx_event_t *rev)
{
    ngx_connection_t        *c;
    ngx_http_cmp_pg_conn_t  *conn;

    c = rev->data;
    conn = c->data;

    if (c->close) {
        ngx_http_cmp_pg_conn_shutdown(conn);
        return;
    }

    switch (conn->state) {

    case NGX_HTTP_CMP_PG_CONN_CONNECTING:
        ngx_http_cmp_pg_conn_poll(conn);
        break;

    case NGX_HTTP_CMP_PG_CONN_IDLE:
        ngx_http_cmp_pg_conn_idle(conn);
        break;

    default: /* PREPARING, BUSY */
        ngx_http_cmp_pg_conn_pipeline(conn);
    }
}


static void
ngx_http_cmp_pg_conn_write_handler(ngx_event_t *wev)
{
    ngx_connection_t        *c;
    ngx_http_cmp_pg_conn_t  *conn;

    c = wev->data;
    conn = c->data;

    if (conn->state == NGX_HTTP_CMP_PG_CONN_CONNECTING) {
        ngx_http_cmp_pg_conn_poll(conn);
        return;
    }

    if (ngx_http_cmp_pg_conn_flush(conn) != NGX_OK) {
        ngx_http_cmp_pg_conn_lost(conn);
    }
}


void
ngx_http_cmp_pg_conn_timer_handler(ngx_event_t *ev)
{
    ngx_http_cmp_pg_conn_t  *conn = ev->data;

    if (conn->state != NGX_HTTP_CMP_PG_CONN_BUSY) {
        ngx_http_cmp_pg_conn_fail(conn, "timed out");
        return;
    }

    conn->timedout = 1;

    (void) ngx_cpystrn((u_char *) conn->message, (u_char *) "timed out",
                       sizeof(conn->message));

    ngx_http_cmp_pg_conn_lost(conn);
}


/* nginx wants an idle connection closed, or has waited long enough */

static void
ngx_http_cmp_pg_conn_shutdown(ngx_http_cmp_pg_conn_t *conn)
{
    if (conn->state == NGX_HTTP_CMP_PG_CONN_IDLE) {
        ngx_http_cmp_pg_pool_lost(conn);
        return;
    }

    conn->forced = 1;

    (void) ngx_cpystrn((u_char *) conn->message,
                       (u_char *) "worker shutdown timeout",
                       sizeof(conn->message));

    if (conn->state == NGX_HTTP_CMP_PG_CONN_CONNECTING) {
        ngx_http_cmp_pg_conn_fail(conn, conn->message);
        return;
    }

    ngx_http_cmp_pg_conn_lost(conn);
}


ngx_int_t
ngx_http_cmp_pg_conn_run(ngx_http_cmp_pg_conn_t *conn,
    ngx_http_cmp_pg_op_t *op)
{
    conn->op = op;
    conn->state = NGX_HTTP_CMP_PG_CONN_BUSY;
    conn->connection->idle = 0;

    ngx_http_cmp_pg_conn_begin(conn);
    ngx_http_cmp_pg_conn_set_log(conn, op->log);

    conn->timer.cancelable = 0;
    ngx_add_timer(&conn->timer, conn->store->timeout);

    if (op->send(op, conn->pg) == NGX_OK) {

        /* from here on the server may have got the sync */

        conn->flushed = (PQpipelineSync(conn->pg) != 1);

        if (!conn->flushed && ngx_http_cmp_pg_conn_flush(conn) == NGX_OK) {
            return NGX_OK;
        }

    } else if (PQtransactionStatus(conn->pg) == PQTRANS_IDLE) {

        /* nothing was queued */

        ngx_del_timer(&conn->timer);

        conn->unusable = 1;

        return NGX_DECLINED;

    } else {
        conn->unusable = (PQstatus(conn->pg) == CONNECTION_OK);
    }

    ngx_http_cmp_pg_text(conn->message, sizeof(conn->message),
                         PQerrorMessage(conn->pg));

    ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                  "cmp_store: query could not be sent: %s", conn->message);

    return NGX_ERROR;
}


void
ngx_http_cmp_pg_conn_park(ngx_http_cmp_pg_conn_t *conn)
{
    conn->op = NULL;
    conn->state = NGX_HTTP_CMP_PG_CONN_IDLE;
    conn->connection->idle = 1;

    ngx_http_cmp_pg_conn_set_log(conn, ngx_cycle->log);
}


void
ngx_http_cmp_pg_conn_set_log(ngx_http_cmp_pg_conn_t *conn, ngx_log_t *log)
{
    ngx_connection_t  *c;

    conn->log = log;
    conn->timer.log = log;

    c = conn->connection;

    if (c != NULL) {
        c->log = log;
        c->read->log = log;
        c->write->log = log;
    }
}


void
ngx_http_cmp_pg_conn_close(ngx_http_cmp_pg_conn_t *conn)
{
    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (conn->resolve != NULL) {
        ngx_resolve_name_done(conn->resolve);
        conn->resolve = NULL;
    }

    if (conn->connection != NULL) {
        ngx_http_cmp_pg_conn_unwatch(conn);
    }

    if (conn->pg != NULL) {
        PQfinish(conn->pg);
        conn->pg = NULL;

        /* what TLS leaves there would be taken for an error of nginx */
        ERR_clear_error();
    }

    if (conn->connection != NULL) {
        ngx_close_connection(conn->connection);
        conn->connection = NULL;
    }

    conn->state = NGX_HTTP_CMP_PG_CONN_CLOSED;
    conn->log = ngx_cycle->log;
}


void
ngx_http_cmp_pg_conn_begin(ngx_http_cmp_pg_conn_t *conn)
{
    conn->nresults = 0;
    conn->flushed = 0;
    conn->ended = 0;
    conn->failed = 0;
    conn->unusable = 0;
    conn->timedout = 0;
    conn->forced = 0;
    conn->sqlstate[0] = '\0';
    conn->message[0] = '\0';
}


ngx_int_t
ngx_http_cmp_pg_conn_flush(ngx_http_cmp_pg_conn_t *conn)
{
    int           rc;
    ngx_event_t  *wev;

    rc = PQflush(conn->pg);

    if (rc < 0) {
        return NGX_ERROR;
    }

    wev = conn->connection->write;

    if (rc != 0) {
        return ngx_http_cmp_pg_conn_watch(wev, NGX_WRITE_EVENT);
    }

    conn->flushed = 1;

    if (wev->active) {
        return ngx_del_event(wev, NGX_WRITE_EVENT, 0);
    }

    return NGX_OK;
}


/* notices, notifications and the end of the connection */

static void
ngx_http_cmp_pg_conn_idle(ngx_http_cmp_pg_conn_t *conn)
{
    PGnotify  *notify;

    if (ngx_http_cmp_pg_conn_check(conn) != NGX_OK) {
        ngx_http_cmp_pg_pool_lost(conn);
        return;
    }

    for ( ;; ) {
        notify = PQnotifies(conn->pg);
        if (notify == NULL) {
            break;
        }

        PQfreemem(notify);
    }
}


ngx_int_t
ngx_http_cmp_pg_conn_check(ngx_http_cmp_pg_conn_t *conn)
{
    int         alive;
    PGresult   *res;
    ngx_uint_t  n;

    for (n = 0; n < NGX_HTTP_CMP_PG_SSL_READS; n++) {

        alive = PQconsumeInput(conn->pg);

        if (alive == 0 || PQisBusy(conn->pg)) {
            goto lost;
        }

        res = PQgetResult(conn->pg);

        if (res != NULL) {
            PQclear(res);
            goto lost;
        }

        if (!ngx_http_cmp_pg_conn_pending(conn)) {
            return NGX_OK;
        }
    }

lost:

    ngx_http_cmp_pg_text(conn->message, sizeof(conn->message),
                         PQerrorMessage(conn->pg));

    ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                  "cmp_store: idle connection lost: %s", conn->message);

    return NGX_ERROR;
}


static void
ngx_http_cmp_pg_conn_pipeline(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_int_t  rc;

    rc = ngx_http_cmp_pg_conn_read(conn);

    if (rc == NGX_AGAIN) {
        if (conn->flushed || ngx_http_cmp_pg_conn_flush(conn) == NGX_OK) {
            return;
        }

        rc = NGX_ERROR;
    }

    if (rc == NGX_ERROR) {
        ngx_http_cmp_pg_conn_lost(conn);
        return;
    }

    if (conn->state == NGX_HTTP_CMP_PG_CONN_PREPARING) {
        ngx_http_cmp_pg_conn_prepared(conn);
        return;
    }

    ngx_del_timer(&conn->timer);

    ngx_http_cmp_pg_pool_finished(conn);
}


/* NGX_OK: the sync was reached; NGX_AGAIN; NGX_ERROR: lost */

static ngx_int_t
ngx_http_cmp_pg_conn_read(ngx_http_cmp_pg_conn_t *conn)
{
    int          alive;
    ngx_int_t    rc;
    ngx_uint_t   n;

    for (n = 0; n < NGX_HTTP_CMP_PG_SSL_READS; n++) {

        alive = PQconsumeInput(conn->pg);

        /* what came before the end may hold the reason, or even the sync */

        rc = ngx_http_cmp_pg_conn_results(conn);

        if (rc != NGX_AGAIN) {
            return rc;
        }

        if (alive == 0) {
            return NGX_ERROR;
        }

        if (!ngx_http_cmp_pg_conn_pending(conn)) {
            return NGX_AGAIN;
        }
    }

    /* no event comes for what TLS has already taken from the socket */

    ngx_post_event(conn->connection->read, &ngx_posted_next_events);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_cmp_pg_conn_results(ngx_http_cmp_pg_conn_t *conn)
{
    PGresult   *res;
    ngx_int_t   rc;

    for ( ;; ) {

        if (PQisBusy(conn->pg)) {
            return NGX_AGAIN;
        }

        res = PQgetResult(conn->pg);

        if (res == NULL) {

            /* one ends a statement, two mean that nothing is to come */

            if (conn->ended) {
                return NGX_ERROR;
            }

            conn->ended = 1;
            continue;
        }

        conn->ended = 0;

        rc = ngx_http_cmp_pg_conn_result(conn, res);

        PQclear(res);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }
}


static ngx_int_t
ngx_http_cmp_pg_conn_result(ngx_http_cmp_pg_conn_t *conn, PGresult *res)
{
    ngx_http_cmp_pg_op_t  *op;

    switch (PQresultStatus(res)) {

    case PGRES_PIPELINE_SYNC:
        return NGX_OK;

    case PGRES_PIPELINE_ABORTED:
        return NGX_AGAIN;

    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        break;

    case PGRES_FATAL_ERROR:
        ngx_http_cmp_pg_conn_error(conn, res);

        return (PQstatus(conn->pg) == CONNECTION_OK) ? NGX_AGAIN : NGX_ERROR;

    default:
        (void) ngx_cpystrn((u_char *) conn->message,
                           (u_char *) "unexpected result",
                           sizeof(conn->message));
        return NGX_ERROR;
    }

    conn->nresults++;

    if (conn->state == NGX_HTTP_CMP_PG_CONN_PREPARING) {
        ngx_http_cmp_pg_conn_version(conn, res);
        return NGX_AGAIN;
    }

    op = conn->op;

    if (op != NULL && op->result != NULL && !conn->unusable
        && op->result(op, res) != NGX_OK)
    {
        conn->unusable = 1;
    }

    return NGX_AGAIN;
}


static void
ngx_http_cmp_pg_conn_error(ngx_http_cmp_pg_conn_t *conn, PGresult *res)
{
    char  *state, *text;

    if (conn->failed) {
        return;
    }

    state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    if (text == NULL) {
        text = PQresultErrorMessage(res);
    }

    conn->failed = 1;

    ngx_http_cmp_pg_text(conn->message, sizeof(conn->message), text);

    if (state != NULL) {
        (void) ngx_cpystrn((u_char *) conn->sqlstate, (u_char *) state,
                           sizeof(conn->sqlstate));
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, conn->log, 0,
                   "cmp store error: %s %s", conn->sqlstate, conn->message);
}


static void
ngx_http_cmp_pg_conn_lost(ngx_http_cmp_pg_conn_t *conn)
{
    if (conn->message[0] == '\0') {
        ngx_http_cmp_pg_text(conn->message, sizeof(conn->message),
                             PQerrorMessage(conn->pg));
    }

    if (conn->state == NGX_HTTP_CMP_PG_CONN_PREPARING) {
        ngx_http_cmp_pg_conn_fail(conn, conn->message);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                  "cmp_store: connection lost: %s", conn->message);

    ngx_http_cmp_pg_pool_lost(conn);
}


/* are there bytes that TLS has decrypted and libpq has not yet seen? */

static ngx_uint_t
ngx_http_cmp_pg_conn_pending(ngx_http_cmp_pg_conn_t *conn)
{
    SSL  *ssl;

    if (!PQsslInUse(conn->pg)) {
        return 0;
    }

    ssl = PQsslStruct(conn->pg, "OpenSSL");

    return ssl != NULL && SSL_pending(ssl) > 0;
}


void
ngx_http_cmp_pg_text(char *dst, size_t size, const char *src)
{
    char  *p, *last;

    p = dst;
    last = dst + size - 1;

    for ( /* void */ ; *src != '\0' && p < last; src++) {

        if ((u_char) *src >= 0x20 && *src != 0x7f) {
            *p++ = *src;

        } else if (p > dst && p[-1] != ' ') {
            *p++ = ' ';
        }
    }

    while (p > dst && p[-1] == ' ') {
        p--;
    }

    *p = '\0';
}
