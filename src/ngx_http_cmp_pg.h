
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#ifndef _NGX_HTTP_CMP_PG_H_INCLUDED_
#define _NGX_HTTP_CMP_PG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <libpq-fe.h>


#define NGX_HTTP_CMP_PG_KEY_LEN       32
#define NGX_HTTP_CMP_PG_MESSAGE_LEN   256


typedef struct ngx_http_cmp_pg_op_s     ngx_http_cmp_pg_op_t;
typedef struct ngx_http_cmp_pg_conn_s   ngx_http_cmp_pg_conn_t;
typedef struct ngx_http_cmp_pg_store_s  ngx_http_cmp_pg_store_t;


typedef enum {
    /* the sync was reached without an error since the last one */
    NGX_HTTP_CMP_PG_OK = 0,

    /* the server said no, see sqlstate and message; all was rolled back */
    NGX_HTTP_CMP_PG_ERROR,

    /* nothing can have been committed: no connection, a full or slow queue */
    NGX_HTTP_CMP_PG_UNAVAILABLE,

    /* the connection was lost after a commit was sent: it may have happened */
    NGX_HTTP_CMP_PG_UNKNOWN
} ngx_http_cmp_pg_status_e;


/*
 * One operation: the statements of one round trip, one implicit transaction.
 * It is embedded in memory of its owner, who zeroes it before the first
 * submit, fills in the first group of members, and keeps it until done() was
 * called or ngx_http_cmp_pg_detach() has returned.  After done() the same
 * structure may be submitted again.
 *
 * send() queues the statements with PQsendQueryPrepared(); the pool adds the
 * sync and flushes.  libpq copies the parameters.  With an error nothing is
 * committed, and the operation ends as UNAVAILABLE (the connection is dropped
 * if a statement was queued already).  It may be called again for another
 * connection as long as nothing can have been committed, so it forgets
 * whatever result() has collected.
 *
 * result() gets every PGRES_TUPLES_OK and PGRES_COMMAND_OK of the pipeline in
 * order, borrowed: it is freed after the call.  With NGX_ERROR the rest is
 * discarded, and the operation ends as ERROR (as UNKNOWN if "commit" is set:
 * the server has most likely committed).  May be NULL.
 *
 * done() is called exactly once for a submit that returned NGX_OK, from the
 * event loop and never from inside submit, unless detached.  It may submit
 * and detach operations and free the memory of this one.
 *
 * send() and result() must not submit or detach operations.
 */

struct ngx_http_cmp_pg_op_s {
    ngx_int_t                (*send)(ngx_http_cmp_pg_op_t *op, PGconn *conn);
    ngx_int_t                (*result)(ngx_http_cmp_pg_op_t *op,
                                       PGresult *res);
    void                     (*done)(ngx_http_cmp_pg_op_t *op,
                                     ngx_http_cmp_pg_status_e status);
    void                      *data;

    /* of the request: must live until done() or detach */
    ngx_log_t                 *log;

    /* has writes: not sent again once it may have reached the server */
    unsigned                   commit:1;

    /* of the worker itself: takes no place of a request in the queue */
    unsigned                   background:1;

    /* follows one that was accepted: a full queue does not refuse it */
    unsigned                   admitted:1;

    /* valid in done(): of the first error, or empty strings */
    char                       sqlstate[6];
    char                       message[NGX_HTTP_CMP_PG_MESSAGE_LEN];

    /* the rest belongs to the pool */

    unsigned                   repeated:1;
    unsigned                   state:2;

    ngx_http_cmp_pg_status_e   status;
    ngx_http_cmp_pg_store_t   *store;
    ngx_http_cmp_pg_conn_t    *conn;
    ngx_queue_t                queue;
    ngx_event_t                event;
};


/* counters of this worker for the status page */

typedef struct {
    ngx_uint_t                 connected;    /* now: usable connections */
    ngx_uint_t                 busy;         /* now: with an operation */
    ngx_uint_t                 queued;       /* now: requests waiting */
    ngx_uint_t                 opened;       /* connections made */
    ngx_uint_t                 failed;       /* attempts failed */
    ngx_uint_t                 queries;      /* pipelines sent */
    ngx_uint_t                 errors;       /* refused, lost, no database */
    ngx_uint_t                 timeouts;     /* of pipelines and the queue */
} ngx_http_cmp_pg_counters_t;


/* one server of the connection string; all strings are null-terminated */

typedef struct {
    ngx_str_t                  name;         /* "host", may be empty */
    ngx_str_t                  addr;         /* "hostaddr", may be empty */
    ngx_str_t                  port;

    /* ngx_str_t: addresses that the name had when configuration was read */
    ngx_array_t                addrs;

    unsigned                   resolve:1;    /* "name" is a name in the DNS */
} ngx_http_cmp_pg_host_t;


/* one cmp_store: the configuration and the pool of this worker */

struct ngx_http_cmp_pg_store_s {
    /* members for everybody */

    ngx_msec_t                 timeout;      /* of one round trip */
    u_char                     key[NGX_HTTP_CMP_PG_KEY_LEN];
    unsigned                   key_set:1;    /* key=FILE was given */

    ngx_http_cmp_pg_counters_t stat;

    /* configuration */

    u_char                    *file;         /* where it is configured */
    ngx_uint_t                 line;

    /* for PQconnectStartParams(): the first three are of the host */
    const char               **keywords;
    const char               **values;

    ngx_array_t                hosts;        /* ngx_http_cmp_pg_host_t */
    ngx_uint_t                 connections;
    ngx_uint_t                 queue_max;
    ngx_msec_t                 connect_timeout;
    ngx_msec_t                 queue_timeout;
    ngx_flag_t                 startup_options;
    ngx_http_core_loc_conf_t  *clcf;         /* has the resolver */

    /* the pool */

    ngx_http_cmp_pg_conn_t    *conns;
    ngx_http_cmp_pg_conn_t    *connecting;
    ngx_queue_t                idle;
    ngx_queue_t                queue;
    ngx_event_t                retry;
    ngx_uint_t                 attempt;      /* rotates hosts and addresses */
    ngx_uint_t                 failures;     /* in a row */
    ngx_uint_t                 generation;   /* older connections are stale */
    ngx_msec_t                 renewed;
    uint32_t                   complaint;    /* hash of the last in the log */

    unsigned                   down:1;       /* no host could be reached */
    unsigned                   closing:1;
};


/*
 * Configuration.  The command has NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE, its
 * offset names an ngx_http_cmp_pg_store_t * that is NULL before:
 *
 *     cmp_store "host=... dbname=... user=..." [connections=8] [timeout=5s]
 *               [connect_timeout=2s] [queue=1024] [queue_timeout=5s]
 *               [startup_options=on|off] [key=FILE];
 */

char *ngx_http_cmp_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * To be called once from init_main_conf() or postconfiguration(): names of
 * database hosts are resolved here unless http{} has a "resolver".
 * NGX_OK or NGX_ERROR, logged.
 */

ngx_int_t ngx_http_cmp_pg_init_conf(ngx_conf_t *cf,
    ngx_http_cmp_pg_store_t *store);

/*
 * To be called from init_process() and exit_process() of the module.  The
 * first starts to open connections in workers and does nothing in other
 * processes; the second closes everything, operations still waiting are not
 * called back.  NGX_OK or NGX_ERROR (no memory).
 */

ngx_int_t ngx_http_cmp_pg_init_process(ngx_cycle_t *cycle,
    ngx_http_cmp_pg_store_t *store);
void ngx_http_cmp_pg_exit_process(ngx_cycle_t *cycle,
    ngx_http_cmp_pg_store_t *store);

/*
 * Submits an operation.  NGX_OK: done() will be called.  Otherwise it will
 * not, and nothing was sent: NGX_BUSY, the queue is full; NGX_DECLINED, there
 * is no database now.  An operation must not be submitted twice at a time.
 *
 * Ordinary SQL errors are left to the owner to log, by op->sqlstate; what
 * happens to connections is logged here.
 */

ngx_int_t ngx_http_cmp_pg_submit(ngx_http_cmp_pg_store_t *store,
    ngx_http_cmp_pg_op_t *op);

/*
 * The owner goes away: no callback of the operation is called any more, and
 * its memory and log may be freed.  A queued operation is dropped; one in
 * flight is finished on its connection with the results discarded (a commit
 * keeps an exiting worker until then).  Does nothing to an operation that is
 * zeroed, done or detached.
 */

void ngx_http_cmp_pg_detach(ngx_http_cmp_pg_op_t *op);


#endif /* _NGX_HTTP_CMP_PG_H_INCLUDED_ */
