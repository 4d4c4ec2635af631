
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * One worker of each nginx asks the store a few times a second what has
 * changed on other nodes and by operators, and takes that out of the answers
 * that the workers share.
 */


#include <ngx_http_cmp_ocsp.h>


#define NGX_HTTP_CMP_OCSP_POLL   250             /* ms */
#define NGX_HTTP_CMP_OCSP_RETRY  500


typedef struct {
    ngx_http_cmp_main_conf_t   *main;
    ngx_event_t                 event;
    ngx_http_cmp_pg_op_t        op;
    ngx_msec_t                  sent;
    cmp_pool_t                 *pool;            /* of "changes" */
    cmp_pool_t                 *last;            /* of "snapshot" */
    cmp_str_t                   snapshot;
    cmp_pg_changes_t            changes;
} ngx_http_cmp_ocsp_poll_t;


static void ngx_http_cmp_ocsp_poll_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_cmp_ocsp_poll_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_ocsp_poll_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static void ngx_http_cmp_ocsp_poll_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);
static void ngx_http_cmp_ocsp_poll_apply(ngx_http_cmp_ocsp_poll_t *poll);
static void ngx_http_cmp_ocsp_poll_again(ngx_http_cmp_ocsp_poll_t *poll,
    ngx_msec_t delay);


static ngx_http_cmp_ocsp_poll_t  *ngx_http_cmp_ocsp_poll;


ngx_int_t
ngx_http_cmp_ocsp_init(ngx_cycle_t *cycle, ngx_http_cmp_main_conf_t *mcf)
{
    ngx_event_t               *ev;
    ngx_http_cmp_ocsp_poll_t  *poll;

    if (mcf->ocsp_cache == NULL
        || (ngx_process != NGX_PROCESS_SINGLE && ngx_worker != 0))
    {
        return NGX_OK;
    }

    poll = ngx_pcalloc(cycle->pool, sizeof(ngx_http_cmp_ocsp_poll_t));
    if (poll == NULL) {
        return NGX_ERROR;
    }

    ngx_http_cmp_ocsp_poll = poll;
    poll->main = mcf;

    ev = &poll->event;

    ev->handler = ngx_http_cmp_ocsp_poll_handler;
    ev->data = poll;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1);

    return NGX_OK;
}


void
ngx_http_cmp_ocsp_exit(void)
{
    ngx_http_cmp_ocsp_poll_t  *poll;

    poll = ngx_http_cmp_ocsp_poll;

    if (poll == NULL) {
        return;
    }

    ngx_http_cmp_pg_detach(&poll->op);

    if (poll->event.timer_set) {
        ngx_del_timer(&poll->event);
    }

    cmp_pool_destroy(poll->pool);
    cmp_pool_destroy(poll->last);

    ngx_http_cmp_ocsp_poll = NULL;
}


static void
ngx_http_cmp_ocsp_poll_handler(ngx_event_t *ev)
{
    ngx_http_cmp_ocsp_poll_t *poll = ev->data;

    ngx_http_cmp_pg_op_t  *op;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    op = &poll->op;

    op->send = ngx_http_cmp_ocsp_poll_send;
    op->result = ngx_http_cmp_ocsp_poll_result;
    op->done = ngx_http_cmp_ocsp_poll_done;
    op->data = poll;
    op->log = ngx_cycle->log;
    op->background = 1;

    if (ngx_http_cmp_pg_submit(poll->main->store, op) != NGX_OK) {
        ngx_http_cmp_ocsp_poll_again(poll, NGX_HTTP_CMP_OCSP_RETRY);
    }
}


static ngx_int_t
ngx_http_cmp_ocsp_poll_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_ocsp_poll_t *poll = op->data;

    cmp_pool_destroy(poll->pool);

    poll->sent = ngx_current_msec;
    poll->pool = cmp_pool_create();

    if (poll->pool == NULL) {
        return NGX_ERROR;
    }

    return (cmp_pg_changes_send(conn, &poll->snapshot) == CMP_OK) ? NGX_OK
                                                                  : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_ocsp_poll_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_ocsp_poll_t *poll = op->data;

    if (cmp_pg_changes_result(res, poll->pool, &poll->changes) != CMP_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_cmp_ocsp_poll_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status)
{
    ngx_http_cmp_ocsp_poll_t *poll = op->data;

    if (status != NGX_HTTP_CMP_PG_OK) {

        if (status == NGX_HTTP_CMP_PG_ERROR) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "cmp: changes could not be read: %s (SQLSTATE %s)",
                          op->message, op->sqlstate);
        }

        ngx_http_cmp_ocsp_poll_again(poll, NGX_HTTP_CMP_OCSP_RETRY);
        return;
    }

    ngx_http_cmp_ocsp_poll_apply(poll);
    ngx_http_cmp_ocsp_poll_again(poll, NGX_HTTP_CMP_OCSP_POLL);
}


static void
ngx_http_cmp_ocsp_poll_apply(ngx_http_cmp_ocsp_poll_t *poll)
{
    size_t            i;
    cmp_pg_change_t  *row;

    if (poll->changes.all) {
        ngx_http_cmp_ocsp_flush(poll->main);
    }

    for (i = 0; i < poll->changes.nrows; i++) {
        row = &poll->changes.rows[i];

        ngx_http_cmp_ocsp_changed(poll->main, row->ca_id, &row->serial);
    }

    ngx_http_cmp_ocsp_checked(poll->main, poll->sent);

    /* the new snapshot lives in the pool of its answer */

    cmp_pool_destroy(poll->last);

    poll->last = poll->pool;
    poll->pool = NULL;
    poll->snapshot = poll->changes.snapshot;
}


static void
ngx_http_cmp_ocsp_poll_again(ngx_http_cmp_ocsp_poll_t *poll, ngx_msec_t delay)
{
    if (ngx_exiting || ngx_terminate) {
        return;
    }

    ngx_add_timer(&poll->event, delay);
}
