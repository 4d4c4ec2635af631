
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#ifndef _NGX_HTTP_CMP_PG_CONN_H_INCLUDED_
#define _NGX_HTTP_CMP_PG_CONN_H_INCLUDED_


#include <ngx_http_cmp_pg.h>


/* between the files of the store, for nobody else */


/* of store->keywords: host, hostaddr and port */
#define NGX_HTTP_CMP_PG_SLOTS  3


typedef enum {
    NGX_HTTP_CMP_PG_CONN_CLOSED = 0,
    NGX_HTTP_CMP_PG_CONN_RESOLVING,
    NGX_HTTP_CMP_PG_CONN_CONNECTING,
    NGX_HTTP_CMP_PG_CONN_PREPARING,
    NGX_HTTP_CMP_PG_CONN_IDLE,
    NGX_HTTP_CMP_PG_CONN_BUSY
} ngx_http_cmp_pg_conn_state_e;


struct ngx_http_cmp_pg_conn_s {
    ngx_http_cmp_pg_store_t       *store;
    ngx_connection_t              *connection;
    PGconn                        *pg;
    ngx_resolver_ctx_t            *resolve;
    ngx_http_cmp_pg_host_t        *host;

    /* NULL while the results of a detached operation are read */
    ngx_http_cmp_pg_op_t          *op;

    ngx_log_t                     *log;
    ngx_queue_t                    queue;
    ngx_event_t                    timer;
    ngx_uint_t                     generation;
    ngx_http_cmp_pg_conn_state_e   state;

    /* of the pipeline */

    ngx_uint_t                     nresults;
    ngx_int_t                      version;

    unsigned                       flushed:1;   /* the sync may be sent */
    unsigned                       ended:1;     /* a NULL result was read */
    unsigned                       failed:1;    /* an error of the server */
    unsigned                       unusable:1;  /* result() said so */
    unsigned                       timedout:1;
    unsigned                       forced:1;    /* worker_shutdown_timeout */

    char                           sqlstate[6];
    char                           message[NGX_HTTP_CMP_PG_MESSAGE_LEN];
};


/* ngx_http_cmp_pg_conninfo.c: hosts and parameters, errors are logged */

ngx_int_t ngx_http_cmp_pg_conninfo(ngx_conf_t *cf,
    ngx_http_cmp_pg_store_t *store, ngx_str_t *conninfo);


/* ngx_http_cmp_pg_connect.c: an attempt to connect */


/* starts an attempt; ends in pool_opened() or pool_failed(), maybe at once */
void ngx_http_cmp_pg_conn_open(ngx_http_cmp_pg_conn_t *conn);

/* the socket is ready while connecting */
void ngx_http_cmp_pg_conn_poll(ngx_http_cmp_pg_conn_t *conn);

/* a result, and the end, of the pipeline that prepares the statements */
void ngx_http_cmp_pg_conn_version(ngx_http_cmp_pg_conn_t *conn,
    PGresult *res);
void ngx_http_cmp_pg_conn_prepared(ngx_http_cmp_pg_conn_t *conn);

/* ends the attempt; "text" NULL: libpq knows the reason */
void ngx_http_cmp_pg_conn_fail(ngx_http_cmp_pg_conn_t *conn,
    const char *text);


/* ngx_http_cmp_pg_conn.c: sockets, events, pipelines */


/* makes conn->connection fit the socket that libpq has now */
ngx_int_t ngx_http_cmp_pg_conn_attach(ngx_http_cmp_pg_conn_t *conn);
ngx_int_t ngx_http_cmp_pg_conn_watch(ngx_event_t *ev, ngx_int_t event);
void ngx_http_cmp_pg_conn_unwatch(ngx_http_cmp_pg_conn_t *conn);
void ngx_http_cmp_pg_conn_timer_handler(ngx_event_t *ev);

/* before a pipeline */
void ngx_http_cmp_pg_conn_begin(ngx_http_cmp_pg_conn_t *conn);

/* after a pipeline; NGX_ERROR: the connection is lost */
ngx_int_t ngx_http_cmp_pg_conn_flush(ngx_http_cmp_pg_conn_t *conn);

/*
 * Sends an operation on an idle connection.  NGX_OK: ends in pool_finished()
 * or pool_lost(), later; NGX_ERROR: the connection must be dropped;
 * NGX_DECLINED: send() has refused, the connection may be parked.
 */
ngx_int_t ngx_http_cmp_pg_conn_run(ngx_http_cmp_pg_conn_t *conn,
    ngx_http_cmp_pg_op_t *op);

/* looks whether an idle connection is still alive: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_cmp_pg_conn_check(ngx_http_cmp_pg_conn_t *conn);

void ngx_http_cmp_pg_conn_park(ngx_http_cmp_pg_conn_t *conn);
void ngx_http_cmp_pg_conn_set_log(ngx_http_cmp_pg_conn_t *conn,
    ngx_log_t *log);

/* what is known of the last pipeline is kept */
void ngx_http_cmp_pg_conn_close(ngx_http_cmp_pg_conn_t *conn);

/* one line for the log, without control characters */
void ngx_http_cmp_pg_text(char *dst, size_t size, const char *src);


/*
 * ngx_http_cmp_pg_pool.c: called by connections, which touch nothing of
 * themselves afterwards
 */


/* all is prepared */
void ngx_http_cmp_pg_pool_opened(ngx_http_cmp_pg_conn_t *conn);

/* the attempt failed, and the connection is closed */
void ngx_http_cmp_pg_pool_failed(ngx_http_cmp_pg_conn_t *conn);

/* the sync was reached */
void ngx_http_cmp_pg_pool_finished(ngx_http_cmp_pg_conn_t *conn);

/* an idle or busy connection is not usable any more, to be closed */
void ngx_http_cmp_pg_pool_lost(ngx_http_cmp_pg_conn_t *conn);


#endif /* _NGX_HTTP_CMP_PG_CONN_H_INCLUDED_ */
