
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A round asks the store for the current CRL.  If that is stale, a new one is
 * made; who loses the race for it takes the winner's.  Requests that come
 * during a round wait for the next one, so that everybody sees what was
 * revoked before he asked; but see ngx_http_cmp_crl_fresh().
 */


#include <ngx_http_cmp_crl.h>


/* a worker that only looks does so again in a few seconds */

#define ngx_http_cmp_crl_log_level(crl)                                       \
    ((ngx_uint_t) ((crl)->only_read ? NGX_LOG_INFO : NGX_LOG_ERR))

#define ngx_http_cmp_crl_key(previous, partition, delta)                      \
    (((previous) << 16) | ((partition) << 1) | (delta))


static ngx_http_cmp_crl_t *ngx_http_cmp_crl_find(ngx_http_cmp_ca_t *ca,
    ngx_rbtree_key_t key);
static void ngx_http_cmp_crl_free(ngx_http_cmp_crl_t *crl);

static void ngx_http_cmp_crl_event_handler(ngx_event_t *ev);
static void ngx_http_cmp_crl_begin(ngx_http_cmp_crl_t *crl);
static void ngx_http_cmp_crl_end(ngx_http_cmp_crl_t *crl);
static void ngx_http_cmp_crl_serve(ngx_http_cmp_crl_t *crl,
    ngx_http_cmp_crl_ctx_t *ctx, int64_t now);

static ngx_int_t ngx_http_cmp_crl_current_read(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_receive(ngx_http_cmp_crl_t *crl);
static ngx_int_t ngx_http_cmp_crl_received(ngx_http_cmp_crl_t *crl);

static void ngx_http_cmp_crl_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);
static ngx_int_t ngx_http_cmp_crl_current_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_crl_current_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static ngx_int_t ngx_http_cmp_crl_read_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_crl_read_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);


ngx_int_t
ngx_http_cmp_crl_init(ngx_cycle_t *cycle, ngx_http_cmp_main_conf_t *mcf)
{
    ngx_uint_t           i;
    ngx_http_cmp_ca_t  **cap;

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {
        ngx_rbtree_init(&cap[i]->crls, &cap[i]->crls_sentinel,
                        ngx_rbtree_insert_value);
        cap[i]->main = mcf;
        cap[i]->partitions = cap[i]->ca.crl_partitions;
    }

    return ngx_http_cmp_crl_schedule_init(cycle, mcf);
}


void
ngx_http_cmp_crl_exit(ngx_http_cmp_main_conf_t *mcf)
{
    ngx_uint_t            i;
    ngx_rbtree_t         *tree;
    ngx_http_cmp_ca_t   **cap;

    ngx_http_cmp_crl_schedule_exit();

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {

        tree = &cap[i]->crls;

        if (cap[i]->main == NULL) {
            continue;
        }

        while (tree->root != tree->sentinel) {
            ngx_http_cmp_crl_free((ngx_http_cmp_crl_t *) tree->root);
        }

        cap[i]->main = NULL;
    }
}


ngx_http_cmp_crl_t *
ngx_http_cmp_crl_get(ngx_http_cmp_ca_t *ca, ngx_uint_t previous,
    ngx_uint_t partition, ngx_uint_t delta)
{
    ngx_rbtree_key_t          key;
    ngx_http_cmp_crl_t       *crl;
    const cmp_issuer_t       *issuer;
    const ASN1_OCTET_STRING  *id;

    key = ngx_http_cmp_crl_key(previous, partition, delta);

    crl = ngx_http_cmp_crl_find(ca, key);
    if (crl != NULL) {
        return crl;
    }

    issuer = cmp_ca_issuer(&ca->ca, previous);
    if (issuer == NULL) {
        return NULL;
    }

    id = X509_get0_subject_key_id(issuer->certificate);
    if (id == NULL) {
        return NULL;
    }

    crl = ngx_calloc(sizeof(ngx_http_cmp_crl_t), ngx_cycle->log);
    if (crl == NULL) {
        return NULL;
    }

    crl->ca = ca;
    crl->main = ca->main;
    crl->issuer = issuer;

    crl->kind.previous = (int32_t) previous;
    crl->kind.partition = (int32_t) partition;
    crl->kind.delta = (int) delta;
    crl->kind.key_id.data = (u_char *) ASN1_STRING_get0_data(id);
    crl->kind.key_id.len = ASN1_STRING_length(id);

    ngx_queue_init(&crl->serving);
    ngx_queue_init(&crl->waiting);

    crl->node.key = key;
    ngx_rbtree_insert(&ca->crls, &crl->node);

    return crl;
}


static ngx_http_cmp_crl_t *
ngx_http_cmp_crl_find(ngx_http_cmp_ca_t *ca, ngx_rbtree_key_t key)
{
    ngx_rbtree_node_t  *node;

    node = ca->crls.root;

    while (node != ca->crls.sentinel) {

        if (key == node->key) {
            return (ngx_http_cmp_crl_t *) node;
        }

        node = (key < node->key) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_http_cmp_crl_free(ngx_http_cmp_crl_t *crl)
{
    ngx_rbtree_delete(&crl->ca->crls, &crl->node);

    ngx_http_cmp_pg_detach(&crl->op);

    if (crl->event.timer_set) {
        ngx_del_timer(&crl->event);
    }

    if (crl->event.posted) {
        ngx_delete_posted_event(&crl->event);
    }

    ngx_http_cmp_crl_make_cleanup(crl);

    if (crl->coming != NULL) {
        ngx_http_cmp_crl_release(crl->coming);
    }

    if (crl->der != NULL) {
        ngx_http_cmp_crl_release(crl->der);
    }

    cmp_pool_destroy(crl->pool);
    ngx_free(crl);
}


ngx_uint_t
ngx_http_cmp_crl_alive(const cmp_issuer_t *issuer)
{
    time_t  now;

    now = ngx_time();

    return X509_cmp_time(X509_get0_notAfter(issuer->certificate), &now) > 0;
}


void
ngx_http_cmp_crl_set(ngx_http_cmp_crl_t *crl, ngx_http_cmp_crl_der_t *der)
{
    if (crl->der != NULL) {
        ngx_http_cmp_crl_release(crl->der);
    }

    crl->der = der;
}


void
ngx_http_cmp_crl_join(ngx_http_cmp_crl_t *crl, ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_queue_insert_tail(&crl->waiting, &ctx->queue);
    ctx->waiting = 1;

    if (crl->busy == 0) {
        ngx_http_cmp_crl_ask(crl);
    }
}


void
ngx_http_cmp_crl_ask(ngx_http_cmp_crl_t *crl)
{
    crl->busy = 1;

    crl->event.handler = ngx_http_cmp_crl_event_handler;
    crl->event.data = crl;
    crl->event.log = ngx_cycle->log;

    ngx_post_event(&crl->event, &ngx_posted_events);
}


void
ngx_http_cmp_crl_leave(ngx_http_cmp_crl_ctx_t *ctx)
{
    ngx_queue_remove(&ctx->queue);
    ctx->waiting = 0;
}


static void
ngx_http_cmp_crl_event_handler(ngx_event_t *ev)
{
    ngx_http_cmp_crl_begin(ev->data);
}


static void
ngx_http_cmp_crl_begin(ngx_http_cmp_crl_t *crl)
{
    ngx_queue_t             *q;
    ngx_http_cmp_crl_ctx_t  *ctx;

    if (ngx_http_cmp_connecting(crl->ca, crl->waited)) {
        crl->waited += NGX_HTTP_CMP_WAIT;
        ngx_add_timer(&crl->event, NGX_HTTP_CMP_WAIT);
        return;
    }

    ngx_queue_add(&crl->serving, &crl->waiting);
    ngx_queue_init(&crl->waiting);

    crl->waited = 0;
    crl->tries = 0;
    crl->based = 0;
    crl->unknown = 0;
    crl->only_read = 1;
    crl->requested = crl->ahead;
    crl->ahead = 0;
    crl->kind.ca_id = crl->ca->ca.id;
    crl->step = ngx_http_cmp_crl_current;

    for (q = ngx_queue_head(&crl->serving);
         q != ngx_queue_sentinel(&crl->serving);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_cmp_crl_ctx_t, queue);

        if (ctx->only_read == 0) {
            crl->only_read = 0;
        }

        if (ctx->request != NULL) {
            crl->requested = 1;
        }
    }

    if (crl->ca->registered == 0 || crl->ca->no_key
        || crl->issuer->key == NULL)
    {
        ngx_log_error(ngx_http_cmp_crl_log_level(crl), ngx_cycle->log, 0,
                      "cmp_ca \"%V\" is not ready for a CRL: %s",
                      &crl->ca->name,
                      crl->ca->registered ? "its key could not be opened"
                                          : "the database has not been "
                                            "reached");
        ngx_http_cmp_crl_end(crl);
        return;
    }

    ngx_http_cmp_crl_run(crl);
}


/* NGX_OK: the next step is set; NGX_AGAIN: something is under way */

void
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
    int64_t       now;
    ngx_queue_t  *q;

    ngx_http_cmp_crl_make_cleanup(crl);

    if (crl->coming != NULL) {
        ngx_http_cmp_crl_release(crl->coming);
        crl->coming = NULL;
    }

    cmp_pool_destroy(crl->pool);
    crl->pool = NULL;

    now = ngx_http_cmp_now();

    if (crl->main->crl_cache != NULL && crl->unknown == 0
        && (crl->der == NULL || crl->der->next_update <= now))
    {
        ngx_http_cmp_crl_file_read(crl, now);
    }

    while (!ngx_queue_empty(&crl->serving)) {

        q = ngx_queue_head(&crl->serving);
        ngx_queue_remove(q);

        ngx_http_cmp_crl_serve(crl,
                     ngx_queue_data(q, ngx_http_cmp_crl_ctx_t, queue), now);
    }

    crl->busy = 0;

    if (!ngx_queue_empty(&crl->waiting)) {
        crl->busy = 1;
        ngx_post_event(&crl->event, &ngx_posted_events);
        return;
    }

    /* nobody can fill the memory by asking for what is not there */

    if (crl->unknown) {
        ngx_http_cmp_crl_free(crl);
    }
}


/* a database that is away is no reason to withhold a valid CRL */

static void
ngx_http_cmp_crl_serve(ngx_http_cmp_crl_t *crl, ngx_http_cmp_crl_ctx_t *ctx,
    int64_t now)
{
    ctx->waiting = 0;
    ctx->unknown = crl->unknown;

    if (crl->der != NULL && crl->der->next_update > now) {
        ctx->der = crl->der;
        ctx->der->refs++;
    }

    ctx->ready(ctx);
}


ngx_int_t
ngx_http_cmp_crl_current(ngx_http_cmp_crl_t *crl)
{
    if (++crl->tries > NGX_HTTP_CMP_TRIES) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "cmp_ca \"%V\": others were faster with the CRL each "
                      "time", &crl->ca->name);
        return NGX_ERROR;
    }

    ngx_http_cmp_crl_make_cleanup(crl);

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
    if (crl->kind.partition > crl->current.partitions) {
        crl->unknown = 1;
        return NGX_DONE;
    }

    if (crl->coming != NULL) {

        if (crl->received < crl->coming->der.len) {
            crl->step = ngx_http_cmp_crl_receive;
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "cmp_ca \"%V\": %sCRL %L read", &crl->ca->name,
                      crl->kind.delta ? "delta " : "", crl->coming->number);

        ngx_http_cmp_crl_set(crl, crl->coming);
        crl->coming = NULL;
    }

    ngx_http_cmp_crl_answered(crl);

    if (crl->current.stale == 0 || crl->only_read) {
        crl->step = ngx_http_cmp_crl_save;
        return NGX_OK;
    }

    crl->step = ngx_http_cmp_crl_make;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_receive(ngx_http_cmp_crl_t *crl)
{
    crl->op.send = ngx_http_cmp_crl_read_send;
    crl->op.result = ngx_http_cmp_crl_read_result;
    crl->op.commit = 0;

    return ngx_http_cmp_crl_submit(crl, ngx_http_cmp_crl_received);
}


static ngx_int_t
ngx_http_cmp_crl_received(ngx_http_cmp_crl_t *crl)
{
    /* nothing came: it was replaced meanwhile */

    crl->step = (crl->coming != NULL) ? ngx_http_cmp_crl_current_read
                                      : ngx_http_cmp_crl_current;
    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_crl_submit(ngx_http_cmp_crl_t *crl, ngx_http_cmp_crl_step_pt next)
{
    crl->step = next;

    crl->op.done = ngx_http_cmp_crl_done;
    crl->op.data = crl;
    crl->op.log = ngx_cycle->log;
    crl->op.background = 1;

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

    if (status == NGX_HTTP_CMP_PG_OK) {
        ngx_http_cmp_crl_run(crl);
        return;
    }

    if (status == NGX_HTTP_CMP_PG_ERROR
        && cmp_pg_commit_outcome(op->sqlstate) == CMP_COMMIT_RACE)
    {
        /* another one was faster */

        crl->step = ngx_http_cmp_crl_current;
        ngx_http_cmp_crl_run(crl);
        return;
    }

    ngx_log_error(ngx_http_cmp_crl_log_level(crl), ngx_cycle->log, 0,
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

    int       changes;
    int64_t   known, refresh;
    cmp_ca_t  *ca;

    ca = &crl->ca->ca;

    ngx_memzero(&crl->current, sizeof(cmp_pg_crl_t));

    if (crl->coming != NULL) {
        ngx_http_cmp_crl_release(crl->coming);
        crl->coming = NULL;
    }

    ngx_http_cmp_crl_asked(crl);

    known = (crl->der != NULL) ? crl->der->number : 0;
    refresh = crl->kind.delta ? ca->crl_delta : ca->crl_refresh;

    /* with delta CRLs, these have the changes */

    changes = (crl->kind.delta || ca->crl_delta == 0
               || crl->ca->crl_on_revoke);

    if (cmp_pg_crl_current_send(conn, &crl->kind, known, refresh, changes)
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

    cmp_pg_crl_t            *current;
    ngx_http_cmp_crl_der_t  *der;

    current = &crl->current;

    if (cmp_pg_crl_current_result(res, NULL, current) != CMP_OK) {
        return NGX_ERROR;
    }

    crl->ca->partitions = current->partitions;

    if (current->der.len == 0) {
        return NGX_OK;
    }

    der = ngx_http_cmp_crl_der(current->number, current->this_update,
                               current->next_update);
    if (der == NULL) {
        return NGX_ERROR;
    }

    crl->coming = der;

    der->der.data = ngx_alloc(current->octets, ngx_cycle->log);
    if (der->der.data == NULL) {
        return NGX_ERROR;
    }

    der->der.len = current->octets;
    crl->received = current->der.len;

    ngx_memcpy(der->der.data, current->der.data, current->der.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_read_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_crl_t *crl = op->data;

    if (cmp_pg_crl_read_send(conn, &crl->kind, crl->current.number,
                             (int32_t) crl->received)
        != CMP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_read_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_crl_t *crl = op->data;

    cmp_str_t                piece;
    ngx_http_cmp_crl_der_t  *der;

    der = crl->coming;

    if (cmp_pg_crl_read_result(res, &piece) != CMP_OK
        || piece.len > der->der.len - crl->received)
    {
        return NGX_ERROR;
    }

    if (piece.len == 0) {
        ngx_http_cmp_crl_release(der);
        crl->coming = NULL;
        return NGX_OK;
    }

    ngx_memcpy(der->der.data + crl->received, piece.data, piece.len);
    crl->received += piece.len;

    return NGX_OK;
}
