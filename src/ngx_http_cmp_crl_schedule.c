
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * One worker of each nginx looks after every CRL, so that there is another
 * one before the last one ends, even when nobody asks.  And each worker keeps
 * the CRLs that have a location, so that it has them when the database is away.
 */


#include <ngx_http_cmp_crl.h>


#define NGX_HTTP_CMP_CRL_INTERVAL     5000
#define NGX_HTTP_CMP_CRL_ON_REVOKE    1000
#define NGX_HTTP_CMP_CRL_MORE         100
#define NGX_HTTP_CMP_CRL_FIRST        100
#define NGX_HTTP_CMP_CRL_PARTITIONS   16     /* looked after at a time */


typedef struct {
    ngx_http_cmp_main_conf_t   *main;
    ngx_http_cmp_pg_op_t        op;
    ngx_event_t                 event;
    ngx_uint_t                  current;         /* CA that is looked after */
    ngx_uint_t                  failures;
    cmp_str_t                  *key_ids;
    cmp_pg_crl_due_t            due[CMP_PG_CRL_DUE];
    size_t                      ndue;
    size_t                      next;            /* of these */
    int                         more;
    ngx_http_cmp_crl_ctx_t      ctx;
} ngx_http_cmp_crl_schedule_t;


/* the copies of a worker */

typedef struct {
    ngx_http_cmp_main_conf_t   *main;
    ngx_event_t                 event;
    ngx_uint_t                  next;            /* of the locations */
    ngx_uint_t                 *partitions;      /* next one of each */
    ngx_uint_t                  count;           /* of these, this time */
    ngx_http_cmp_crl_ctx_t      ctx;
} ngx_http_cmp_crl_keeper_t;


static ngx_int_t ngx_http_cmp_crl_keeper_init(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf);
static void ngx_http_cmp_crl_keeper_handler(ngx_event_t *ev);
static void ngx_http_cmp_crl_keeper_next(ngx_http_cmp_crl_keeper_t *keeper);
static ngx_http_cmp_crl_t *ngx_http_cmp_crl_keeper_get(
    ngx_http_cmp_crl_keeper_t *keeper);
static void ngx_http_cmp_crl_keeper_ready(ngx_http_cmp_crl_ctx_t *ctx);
static void ngx_http_cmp_crl_schedule_add(ngx_msec_t delay);
static void ngx_http_cmp_crl_schedule_handler(ngx_event_t *ev);
static void ngx_http_cmp_crl_schedule_ca(ngx_http_cmp_crl_schedule_t *sched);
static void ngx_http_cmp_crl_schedule_end(ngx_http_cmp_crl_schedule_t *sched);
static void ngx_http_cmp_crl_schedule_next(ngx_http_cmp_crl_schedule_t *sched);
static void ngx_http_cmp_crl_schedule_ready(ngx_http_cmp_crl_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_crl_schedule_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_crl_schedule_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static void ngx_http_cmp_crl_schedule_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);


static ngx_http_cmp_crl_schedule_t  *ngx_http_cmp_crl_scheduled;
static ngx_http_cmp_crl_keeper_t    *ngx_http_cmp_crl_keeper;


ngx_int_t
ngx_http_cmp_crl_schedule_init(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf)
{
    size_t                        n;
    ngx_uint_t                    i;
    ngx_http_cmp_ca_t           **cap;
    ngx_http_cmp_crl_schedule_t  *sched;

    if (ngx_http_cmp_crl_keeper_init(cycle, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_process != NGX_PROCESS_SINGLE && ngx_worker != 0) {
        return NGX_OK;
    }

    cap = mcf->cas.elts;
    n = 0;

    for (i = 0; i < mcf->cas.nelts; i++) {
        n = ngx_max(n, 1 + cap[i]->ca.nprevious);
    }

    sched = ngx_pcalloc(cycle->pool, sizeof(ngx_http_cmp_crl_schedule_t));
    if (sched == NULL) {
        return NGX_ERROR;
    }

    sched->key_ids = ngx_pcalloc(cycle->pool, n * sizeof(cmp_str_t));
    if (sched->key_ids == NULL) {
        return NGX_ERROR;
    }

    sched->main = mcf;

    sched->event.handler = ngx_http_cmp_crl_schedule_handler;
    sched->event.data = sched;
    sched->event.log = cycle->log;
    sched->event.cancelable = 1;

    ngx_http_cmp_crl_scheduled = sched;

    ngx_http_cmp_crl_schedule_end(sched);

    return NGX_OK;
}


void
ngx_http_cmp_crl_schedule_exit(void)
{
    ngx_http_cmp_crl_keeper_t    *keeper;
    ngx_http_cmp_crl_schedule_t  *sched;

    keeper = ngx_http_cmp_crl_keeper;

    if (keeper != NULL) {

        if (keeper->event.timer_set) {
            ngx_del_timer(&keeper->event);
        }

        if (keeper->ctx.waiting) {
            ngx_http_cmp_crl_leave(&keeper->ctx);
        }

        ngx_http_cmp_crl_keeper = NULL;
    }

    sched = ngx_http_cmp_crl_scheduled;

    if (sched == NULL) {
        return;
    }

    ngx_http_cmp_pg_detach(&sched->op);

    if (sched->event.timer_set) {
        ngx_del_timer(&sched->event);
    }

    if (sched->ctx.waiting) {
        ngx_http_cmp_crl_leave(&sched->ctx);
    }

    ngx_http_cmp_crl_scheduled = NULL;
}


static void
ngx_http_cmp_crl_schedule_add(ngx_msec_t delay)
{
    if (ngx_exiting || ngx_terminate) {
        return;
    }

    /* several nodes are not to do it at the same moment */

    ngx_add_timer(&ngx_http_cmp_crl_scheduled->event,
                  delay + (ngx_msec_t) ngx_random() % (delay / 4));
}


static void
ngx_http_cmp_crl_schedule_handler(ngx_event_t *ev)
{
    ngx_http_cmp_crl_schedule_t *sched = ev->data;

    sched->current = 0;
    sched->failures = 0;
    sched->more = 0;

    ngx_http_cmp_crl_schedule_ca(sched);
}


/* asks for the first CA from the current one on that has something to do */

static void
ngx_http_cmp_crl_schedule_ca(ngx_http_cmp_crl_schedule_t *sched)
{
    ngx_http_cmp_ca_t     *ca, **cap;
    ngx_http_cmp_pg_op_t  *op;

    cap = sched->main->cas.elts;

    for ( /* void */ ; sched->current < sched->main->cas.nelts;
         sched->current++)
    {
        ca = cap[sched->current];

        if (ngx_exiting || ngx_terminate) {
            return;
        }

        if ((ca->crl_set == 0 && ca->crl_location == 0)
            || ca->registered == 0 || ca->no_key)
        {
            continue;
        }

        op = &sched->op;

        op->send = ngx_http_cmp_crl_schedule_send;
        op->result = ngx_http_cmp_crl_schedule_result;
        op->done = ngx_http_cmp_crl_schedule_done;
        op->data = sched;
        op->log = ngx_cycle->log;
        op->background = 1;
        op->commit = 0;

        if (ngx_http_cmp_pg_submit(sched->main->store, op) == NGX_OK) {
            return;
        }

        break;
    }

    ngx_http_cmp_crl_schedule_end(sched);
}


static void
ngx_http_cmp_crl_schedule_end(ngx_http_cmp_crl_schedule_t *sched)
{
    ngx_uint_t           i;
    ngx_msec_t           delay;
    ngx_http_cmp_ca_t  **cap;

    delay = NGX_HTTP_CMP_CRL_INTERVAL;
    cap = sched->main->cas.elts;

    for (i = 0; i < sched->main->cas.nelts; i++) {
        if (cap[i]->crl_on_revoke) {
            delay = NGX_HTTP_CMP_CRL_ON_REVOKE;
        }
    }

    if (sched->more && sched->failures == 0) {
        delay = NGX_HTTP_CMP_CRL_MORE;
    }

    ngx_http_cmp_crl_schedule_add(delay);
}


static ngx_int_t
ngx_http_cmp_crl_schedule_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_crl_schedule_t *sched = op->data;

    size_t                     i;
    ngx_http_cmp_ca_t         *ca;
    const cmp_issuer_t        *issuer;
    cmp_pg_crl_rules_t         rules;
    const ASN1_OCTET_STRING   *id;

    ca = ((ngx_http_cmp_ca_t **) sched->main->cas.elts)[sched->current];

    sched->ndue = 0;

    ngx_memzero(&rules, sizeof(cmp_pg_crl_rules_t));

    /* a key whose certificate has expired keeps its place, but matches none */

    for (i = 0; i <= ca->ca.nprevious; i++) {
        issuer = cmp_ca_issuer(&ca->ca, i);
        id = X509_get0_subject_key_id(issuer->certificate);

        sched->key_ids[i].data = NULL;
        sched->key_ids[i].len = 0;

        if (id != NULL && issuer->key != NULL
            && (i == 0 || ngx_http_cmp_crl_alive(issuer)))
        {
            sched->key_ids[i].data = (u_char *) ASN1_STRING_get0_data(id);
            sched->key_ids[i].len = ASN1_STRING_length(id);
        }
    }

    rules.ca_id = ca->ca.id;
    rules.key_ids = sched->key_ids;
    rules.nkey_ids = 1 + ca->ca.nprevious;
    rules.whole = (ca->ca.crl_partition_url.len == 0 || ca->crl_url.len != 0
                   || ca->crl_whole);
    rules.changes = ca->crl_on_revoke;
    rules.refresh = ca->ca.crl_refresh;
    rules.delta = ca->ca.crl_delta;

    return (cmp_pg_crl_due_send(conn, &rules) == CMP_OK) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_crl_schedule_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_crl_schedule_t *sched = op->data;

    int  more;

    if (cmp_pg_crl_due_result(res, sched->due, &sched->ndue, &more) != CMP_OK)
    {
        return NGX_ERROR;
    }

    sched->more |= more;

    return NGX_OK;
}


static void
ngx_http_cmp_crl_schedule_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status)
{
    ngx_http_cmp_crl_schedule_t *sched = op->data;

    if (status == NGX_HTTP_CMP_PG_OK) {
        sched->next = 0;
        ngx_http_cmp_crl_schedule_next(sched);
        return;
    }

    if (status == NGX_HTTP_CMP_PG_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "cmp: cannot see which CRLs are due: %s (SQLSTATE %s)",
                      op->message, op->sqlstate);
    }

    ngx_http_cmp_crl_schedule_end(sched);
}


/* one after the other: each may be large */

static void
ngx_http_cmp_crl_schedule_next(ngx_http_cmp_crl_schedule_t *sched)
{
    ngx_http_cmp_ca_t   *ca;
    cmp_pg_crl_due_t    *due;
    ngx_http_cmp_crl_t  *crl;

    ca = ((ngx_http_cmp_ca_t **) sched->main->cas.elts)[sched->current];

    while (sched->next < sched->ndue) {

        if (ngx_exiting || ngx_terminate) {
            return;
        }

        due = &sched->due[sched->next++];

        crl = ngx_http_cmp_crl_get(ca, due->previous, due->partition,
                                   due->delta != 0);
        if (crl == NULL) {
            sched->failures++;
            continue;
        }

        ngx_memzero(&sched->ctx, sizeof(ngx_http_cmp_crl_ctx_t));

        sched->ctx.ready = ngx_http_cmp_crl_schedule_ready;
        sched->ctx.data = sched;

        ngx_http_cmp_crl_join(crl, &sched->ctx);
        return;
    }

    sched->current++;

    ngx_http_cmp_crl_schedule_ca(sched);
}


static void
ngx_http_cmp_crl_schedule_ready(ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_http_cmp_crl_schedule_t *sched = ctx->data;

    if (ctx->der != NULL) {
        ngx_http_cmp_crl_release(ctx->der);
        ctx->der = NULL;

    } else {
        sched->failures++;
    }

    ngx_http_cmp_crl_schedule_next(sched);
}


static ngx_int_t
ngx_http_cmp_crl_keeper_init(ngx_cycle_t *cycle, ngx_http_cmp_main_conf_t *mcf)
{
    ngx_http_cmp_crl_keeper_t  *keeper;

    if (mcf->crls.nelts == 0) {
        return NGX_OK;
    }

    keeper = ngx_pcalloc(cycle->pool, sizeof(ngx_http_cmp_crl_keeper_t));
    if (keeper == NULL) {
        return NGX_ERROR;
    }

    keeper->partitions = ngx_pcalloc(cycle->pool, mcf->crls.nelts
                                                  * sizeof(ngx_uint_t));
    if (keeper->partitions == NULL) {
        return NGX_ERROR;
    }

    keeper->main = mcf;

    keeper->event.handler = ngx_http_cmp_crl_keeper_handler;
    keeper->event.data = keeper;
    keeper->event.log = cycle->log;
    keeper->event.cancelable = 1;

    ngx_http_cmp_crl_keeper = keeper;

    ngx_add_timer(&keeper->event, NGX_HTTP_CMP_CRL_FIRST);

    return NGX_OK;
}


static void
ngx_http_cmp_crl_keeper_handler(ngx_event_t *ev)
{
    ngx_http_cmp_crl_keeper_t *keeper = ev->data;

    keeper->next = 0;
    keeper->count = 0;

    ngx_http_cmp_crl_keeper_next(keeper);
}


static void
ngx_http_cmp_crl_keeper_next(ngx_http_cmp_crl_keeper_t *keeper)
{
    ngx_http_cmp_crl_t  *crl;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    while (keeper->next < keeper->main->crls.nelts) {

        crl = ngx_http_cmp_crl_keeper_get(keeper);

        if (crl == NULL) {
            keeper->next++;
            keeper->count = 0;
            continue;
        }

        ngx_memzero(&keeper->ctx, sizeof(ngx_http_cmp_crl_ctx_t));

        keeper->ctx.ready = ngx_http_cmp_crl_keeper_ready;
        keeper->ctx.data = keeper;
        keeper->ctx.only_read = 1;

        ngx_http_cmp_crl_join(crl, &keeper->ctx);
        return;
    }

    ngx_add_timer(&keeper->event,
                  NGX_HTTP_CMP_CRL_INTERVAL
                  + (ngx_msec_t) ngx_random()
                    % (NGX_HTTP_CMP_CRL_INTERVAL / 4));
}


/*
 * The next CRL of the location.  Partitions may be many: some of them each
 * time, one after the other.  NULL: that was all.
 */

static ngx_http_cmp_crl_t *
ngx_http_cmp_crl_keeper_get(ngx_http_cmp_crl_keeper_t *keeper)
{
    ngx_uint_t                n, partition;
    ngx_http_cmp_crl_conf_t  *ccf;

    ccf = ((ngx_http_cmp_crl_conf_t **) keeper->main->crls.elts)[keeper->next];

    n = 1;
    partition = 0;

    if (ccf->partition != NULL) {
        n = ngx_min(ccf->ca->partitions, NGX_HTTP_CMP_CRL_PARTITIONS);
    }

    if (ccf->ca->registered == 0 || keeper->count == n) {
        return NULL;
    }

    keeper->count++;

    if (ccf->partition != NULL) {
        partition = 1 + keeper->partitions[keeper->next]++
                        % ccf->ca->partitions;
    }

    return ngx_http_cmp_crl_get(ccf->ca, ccf->previous, partition, ccf->delta);
}


static void
ngx_http_cmp_crl_keeper_ready(ngx_http_cmp_crl_ctx_t *ctx)
{
    if (ctx->der != NULL) {
        ngx_http_cmp_crl_release(ctx->der);
        ctx->der = NULL;
    }

    ngx_http_cmp_crl_keeper_next(ctx->data);
}
