
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What a worker does on its own: it asks the store for the ids of the CAs,
 * and one worker of each nginx ends what nobody confirmed.
 */


#include <ngx_http_cmp_module.h>
#include <cmp_pg.h>


#define NGX_HTTP_CMP_REGISTER_RETRY  500
#define NGX_HTTP_CMP_SWEEP_INTERVAL  5000
#define NGX_HTTP_CMP_SWEEP_MORE      100


typedef struct {
    ngx_http_cmp_main_conf_t   *main;

    ngx_http_cmp_pg_op_t        registration;
    ngx_event_t                 register_event;
    ngx_uint_t                  current;         /* CA being registered */
    int32_t                     id;

    ngx_http_cmp_pg_op_t        sweep;
    ngx_event_t                 sweep_event;
    cmp_pg_sweep_t              swept;
} ngx_http_cmp_worker_t;


static void ngx_http_cmp_register_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_cmp_register_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_register_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static void ngx_http_cmp_register_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);

static void ngx_http_cmp_sweep_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_cmp_sweep_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_sweep_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static void ngx_http_cmp_sweep_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);
static void ngx_http_cmp_sweep_schedule(ngx_http_cmp_worker_t *worker,
    ngx_msec_t delay);


static ngx_http_cmp_worker_t  *ngx_http_cmp_worker;


ngx_int_t
ngx_http_cmp_sweep_init(ngx_cycle_t *cycle, ngx_http_cmp_main_conf_t *mcf)
{
    ngx_event_t            *ev;
    ngx_uint_t              i;
    ngx_http_cmp_ca_t     **cap;
    ngx_http_cmp_worker_t  *worker;

    worker = ngx_pcalloc(cycle->pool, sizeof(ngx_http_cmp_worker_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    ngx_http_cmp_worker = worker;
    worker->main = mcf;

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {
        cap[i]->registered = 0;
    }

    ev = &worker->register_event;

    ev->handler = ngx_http_cmp_register_handler;
    ev->data = worker;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1);

    ev = &worker->sweep_event;

    ev->handler = ngx_http_cmp_sweep_handler;
    ev->data = worker;
    ev->log = cycle->log;
    ev->cancelable = 1;

    if (ngx_process == NGX_PROCESS_SINGLE || ngx_worker == 0) {
        ngx_http_cmp_sweep_schedule(worker, NGX_HTTP_CMP_SWEEP_INTERVAL);
    }

    return NGX_OK;
}


void
ngx_http_cmp_sweep_exit(void)
{
    ngx_http_cmp_worker_t  *worker;

    worker = ngx_http_cmp_worker;

    if (worker == NULL) {
        return;
    }

    ngx_http_cmp_pg_detach(&worker->registration);
    ngx_http_cmp_pg_detach(&worker->sweep);

    if (worker->register_event.timer_set) {
        ngx_del_timer(&worker->register_event);
    }

    if (worker->sweep_event.timer_set) {
        ngx_del_timer(&worker->sweep_event);
    }

    ngx_http_cmp_worker = NULL;
}


static void
ngx_http_cmp_register_handler(ngx_event_t *ev)
{
    ngx_http_cmp_worker_t *worker = ev->data;

    ngx_http_cmp_pg_op_t  *op;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    op = &worker->registration;

    op->send = ngx_http_cmp_register_send;
    op->result = ngx_http_cmp_register_result;
    op->done = ngx_http_cmp_register_done;
    op->data = worker;
    op->log = ngx_cycle->log;
    op->commit = 1;
    op->background = 1;

    if (ngx_http_cmp_pg_submit(worker->main->store, op) != NGX_OK) {
        ngx_add_timer(ev, NGX_HTTP_CMP_REGISTER_RETRY);
    }
}


static ngx_int_t
ngx_http_cmp_register_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_worker_t *worker = op->data;

    int                 rc, len;
    cmp_str_t           cert;
    ngx_http_cmp_ca_t  *ca;

    ca = ((ngx_http_cmp_ca_t **) worker->main->cas.elts)[worker->current];

    cert.data = NULL;
    len = i2d_X509(ca->ca.current.certificate, &cert.data);

    if (len <= 0) {
        cmp_crypto_error(NULL, 0);
        return NGX_ERROR;
    }

    cert.len = len;

    rc = cmp_pg_ca_register_send(conn, &ca->ca.name, &cert,
                                 ca->ca.crl_partitions);

    OPENSSL_free(cert.data);

    return (rc == CMP_OK) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_register_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_worker_t *worker = op->data;

    return (cmp_pg_ca_register_result(res, &worker->id) == CMP_OK) ? NGX_OK
                                                                   : NGX_ERROR;
}


static void
ngx_http_cmp_register_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status)
{
    ngx_http_cmp_worker_t *worker = op->data;

    ngx_http_cmp_ca_t  *ca;

    ca = ((ngx_http_cmp_ca_t **) worker->main->cas.elts)[worker->current];

    if (status != NGX_HTTP_CMP_PG_OK) {

        if (status == NGX_HTTP_CMP_PG_ERROR) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "cmp_ca \"%V\": cannot be registered in the "
                          "database: %s (SQLSTATE %s)",
                          &ca->name, op->message, op->sqlstate);
        }

        ngx_add_timer(&worker->register_event, NGX_HTTP_CMP_REGISTER_RETRY);
        return;
    }

    ca->ca.id = worker->id;
    ca->registered = 1;

    if (++worker->current < worker->main->cas.nelts) {
        ngx_http_cmp_register_handler(&worker->register_event);
    }
}


static void
ngx_http_cmp_sweep_schedule(ngx_http_cmp_worker_t *worker, ngx_msec_t delay)
{
    if (ngx_exiting || ngx_terminate) {
        return;
    }

    /* several nodes are not to do it at the same moment */

    ngx_add_timer(&worker->sweep_event,
                  delay + (ngx_msec_t) ngx_random() % (delay / 4));
}


static void
ngx_http_cmp_sweep_handler(ngx_event_t *ev)
{
    ngx_http_cmp_worker_t *worker = ev->data;

    ngx_http_cmp_pg_op_t  *op;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    op = &worker->sweep;

    op->send = ngx_http_cmp_sweep_send;
    op->result = ngx_http_cmp_sweep_result;
    op->done = ngx_http_cmp_sweep_done;
    op->data = worker;
    op->log = ngx_cycle->log;
    op->commit = 1;
    op->background = 1;

    if (ngx_http_cmp_pg_submit(worker->main->store, op) != NGX_OK) {
        ngx_http_cmp_sweep_schedule(worker, NGX_HTTP_CMP_SWEEP_INTERVAL);
    }
}


static ngx_int_t
ngx_http_cmp_sweep_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_worker_t *worker = op->data;

    ngx_memzero(&worker->swept, sizeof(cmp_pg_sweep_t));

    return (cmp_pg_sweep_send(conn) == CMP_OK) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_sweep_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_worker_t *worker = op->data;

    return (cmp_pg_sweep_result(res, &worker->swept) == CMP_OK) ? NGX_OK
                                                                : NGX_ERROR;
}


static void
ngx_http_cmp_sweep_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status)
{
    ngx_http_cmp_worker_t *worker = op->data;

    ngx_msec_t       delay;
    cmp_pg_sweep_t  *swept;

    delay = NGX_HTTP_CMP_SWEEP_INTERVAL;
    swept = &worker->swept;

    if (status == NGX_HTTP_CMP_PG_OK) {

        if (swept->revoked != 0) {
            ngx_http_cmp_crl_changed(worker->main);
        }

        if (swept->unconfirmed != 0) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "cmp sweep: %d transactions were not confirmed, "
                          "%d certificates revoked",
                          (int) swept->unconfirmed, (int) swept->revoked);
        }

        if (swept->expired != 0) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "cmp sweep: %d requests have expired that waited "
                          "for an operator", (int) swept->expired);
        }

        if (swept->more) {
            delay = NGX_HTTP_CMP_SWEEP_MORE;
        }

    } else if (status == NGX_HTTP_CMP_PG_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "cmp sweep failed: %s (SQLSTATE %s)",
                      op->message, op->sqlstate);
    }

    ngx_http_cmp_sweep_schedule(worker, delay);
}
