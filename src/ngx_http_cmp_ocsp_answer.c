
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * An OCSP answer that is not there yet: the state from the store, and the
 * signature, here or in a thread.
 */


#include <ngx_http_cmp_ocsp.h>

#include <openssl/sha.h>


static ngx_int_t ngx_http_cmp_ocsp_responder(ngx_http_cmp_ocsp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_ocsp_unavailable(ngx_http_cmp_ocsp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_ocsp_send(ngx_http_cmp_pg_op_t *op,
    PGconn *conn);
static ngx_int_t ngx_http_cmp_ocsp_result(ngx_http_cmp_pg_op_t *op,
    PGresult *res);
static void ngx_http_cmp_ocsp_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status);
static void ngx_http_cmp_ocsp_write_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_cmp_ocsp_loaded(ngx_http_cmp_ocsp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_ocsp_signer(ngx_http_cmp_ocsp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_ocsp_states(ngx_http_cmp_ocsp_ctx_t *ctx);
static void ngx_http_cmp_ocsp_sign(ngx_http_cmp_ocsp_ctx_t *ctx);
static ngx_int_t ngx_http_cmp_ocsp_signed(ngx_http_cmp_ocsp_ctx_t *ctx);

#if (NGX_THREADS)
static ngx_int_t ngx_http_cmp_ocsp_post(ngx_http_cmp_ocsp_ctx_t *ctx);
static void ngx_http_cmp_ocsp_task_work(void *data);
static void ngx_http_cmp_ocsp_task_done(void *data);
#endif


void
ngx_http_cmp_ocsp_key(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    cmp_str_t                *serial;
    ngx_http_cmp_ocsp_key_t  *key;

    serial = &ctx->ocsp.ids[0].serial;
    key = &ctx->key;

    key->ca_id = ctx->ca->ca.id;
    key->hash = (u_char) ctx->ocsp.hash;
    key->len = (u_char) serial->len;

    ngx_memcpy(key->serial, serial->data, serial->len);
    ngx_memcpy(key->issuer,
               ctx->ocsp.issuer->hashes[CMP_HASH_SHA256].key,
               sizeof(key->issuer));
}


ngx_int_t
ngx_http_cmp_ocsp_load(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    size_t                 i;
    ngx_int_t              rc;
    ngx_http_request_t    *r;
    ngx_http_cmp_pg_op_t  *op;

    r = ctx->request;
    op = &ctx->op;

    if (ngx_http_cmp_watch_client(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_cmp_ocsp_responder(ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK || ctx->ca->registered == 0) {
        r->read_event_handler = ngx_http_block_reading;
        return ngx_http_cmp_ocsp_unavailable(ctx);
    }

    for (i = 0; i < ctx->ocsp.nids; i++) {
        ctx->serials[i] = ctx->ocsp.ids[i].serial;
    }

    if (ctx->held != NULL) {
        ctx->serials[i].data = ctx->held->responder->serial;
        ctx->serials[i].len = CMP_SERIAL_LEN;
        i++;
    }

    ctx->nserials = i;
    ctx->generation = ngx_http_cmp_ocsp_generation(ctx->main);

    op->send = ngx_http_cmp_ocsp_send;
    op->result = ngx_http_cmp_ocsp_result;
    op->done = ngx_http_cmp_ocsp_done;
    op->data = ctx;
    op->log = r->connection->log;

    if (ngx_http_cmp_pg_submit(ctx->main->store, op) != NGX_OK) {
        r->read_event_handler = ngx_http_block_reading;
        return ngx_http_cmp_ocsp_unavailable(ctx);
    }

    return ngx_http_cmp_ocsp_await(ctx, ngx_http_cmp_ocsp_loaded);
}


/*
 * Who signs.  Where there has to be a delegated responder the key of the CA
 * does not stand in for it: NGX_OK, NGX_AGAIN, NGX_DECLINED.
 */

static ngx_int_t
ngx_http_cmp_ocsp_responder(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->ca->ocsp_delegated == 0) {
        return (ctx->ca->no_key || ctx->ocsp.issuer->key == NULL)
               ? NGX_DECLINED : NGX_OK;
    }

    rc = ngx_http_cmp_ocsp_responder_get(ctx);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    if (ctx->asked) {
        ngx_http_cmp_ocsp_responder_leave(ctx);
        return NGX_DECLINED;
    }

    ctx->asked = 1;

    return ngx_http_cmp_ocsp_await(ctx, ngx_http_cmp_ocsp_load);
}


/* an answer that has not ended yet is good enough, else: try later */

static ngx_int_t
ngx_http_cmp_ocsp_unavailable(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    if (ctx->answer.der.len != 0) {
        return ngx_http_cmp_ocsp_answer(ctx);
    }

    return ngx_http_cmp_ocsp_refuse(ctx, OCSP_RESPONSE_STATUS_TRYLATER,
                                    "the store or the key is not available");
}


static ngx_int_t
ngx_http_cmp_ocsp_send(ngx_http_cmp_pg_op_t *op, PGconn *conn)
{
    ngx_http_cmp_ocsp_ctx_t *ctx = op->data;

    if (cmp_pg_ocsp_status_send(conn, ctx->ca->ca.id, ctx->serials,
                                ctx->nserials, ctx->ca->ca.nprevious != 0)
        != CMP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_ocsp_result(ngx_http_cmp_pg_op_t *op, PGresult *res)
{
    ngx_http_cmp_ocsp_ctx_t *ctx = op->data;

    if (cmp_pg_ocsp_status_result(res, ctx->pool, ctx->states, ctx->nserials)
        != CMP_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_cmp_ocsp_done(ngx_http_cmp_pg_op_t *op,
    ngx_http_cmp_pg_status_e status)
{
    ngx_http_cmp_ocsp_ctx_t *ctx = op->data;

    ctx->status = status;

    if (status == NGX_HTTP_CMP_PG_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "cmp_ca \"%V\": OCSP: the state could not be read: %s"
                      " (SQLSTATE %s)", &ctx->ca->name, op->message,
                      op->sqlstate);
    }

    ngx_http_cmp_ocsp_resume(ctx);
}


ngx_int_t
ngx_http_cmp_ocsp_await(ngx_http_cmp_ocsp_ctx_t *ctx,
    ngx_http_cmp_ocsp_step_pt step)
{
    ctx->step = step;
    ctx->waiting = 1;
    ctx->request->write_event_handler = ngx_http_cmp_ocsp_write_handler;

    return NGX_AGAIN;
}


void
ngx_http_cmp_ocsp_resume(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    ctx->waiting = 0;

    ngx_http_cmp_continue(ctx->request);
}


static void
ngx_http_cmp_ocsp_write_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_cmp_ocsp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cmp_module);

    if (ctx == NULL || ctx->waiting) {
        return;
    }

    rc = ctx->step(ctx);

    if (rc == NGX_AGAIN) {
        return;
    }

    ctx->waiting = 1;

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_finalize_request(r, rc);
}


static ngx_int_t
ngx_http_cmp_ocsp_loaded(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    if (ctx->status != NGX_HTTP_CMP_PG_OK) {
        return ngx_http_cmp_ocsp_unavailable(ctx);
    }

    /* it was revoked since: another one, or none */

    if (ctx->held != NULL
        && ctx->states[ctx->ocsp.nids].state != CMP_CERT_VALID)
    {
        ngx_http_cmp_ocsp_responder_discard(ctx);

        if (ctx->discarded++ != 0) {
            return ngx_http_cmp_ocsp_unavailable(ctx);
        }

        ctx->asked = 0;

        return ngx_http_cmp_ocsp_load(ctx);
    }

    if (ngx_http_cmp_ocsp_states(ctx) != NGX_OK
        || ngx_http_cmp_ocsp_signer(ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

#if (NGX_THREADS)

    if (((ctx->held != NULL) ? ctx->held->responder->slow
                             : ctx->ocsp.issuer->slow)
        && ctx->ca->ca.inline_sign == 0)
    {
        return ngx_http_cmp_ocsp_post(ctx);
    }

#endif

    ngx_http_cmp_ocsp_sign(ctx);

    return ngx_http_cmp_ocsp_signed(ctx);
}


/* and for how long it is believed */

static ngx_int_t
ngx_http_cmp_ocsp_signer(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    int64_t  end;

    if (ctx->held != NULL) {
        ctx->signer = ctx->held->responder->signer;

    } else {
        ctx->signer.certificate = ctx->ocsp.issuer->certificate;
        ctx->signer.key = ctx->ocsp.issuer->key;
        ctx->signer.md = ctx->ocsp.issuer->md;
    }

    if (cmp_issue_time(X509_get0_notAfter(ctx->signer.certificate), &end)
        != CMP_OK)
    {
        return NGX_ERROR;
    }

    ctx->answer.this_update = ctx->now;
    ctx->answer.next_update = ngx_min(ctx->now + ctx->ca->ca.ocsp_lifetime,
                                      end * 1000);

    return NGX_OK;
}


/* from the words of the store to those of OCSP */

static ngx_int_t
ngx_http_cmp_ocsp_states(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    int                    rc;
    size_t                 i;
    cmp_ocsp_id_t         *id;
    cmp_pg_ocsp_status_t  *state;

    for (i = 0; i < ctx->ocsp.nids; i++) {

        id = &ctx->ocsp.ids[i];
        state = &ctx->states[i];

        id->status = V_OCSP_CERTSTATUS_UNKNOWN;

        /* what nobody has confirmed is not shown (RFC 9810, 5.2.8.3.2) */

        if (state->state == -1 || state->state == CMP_CERT_UNCONFIRMED) {
            continue;
        }

        /* only under the key that issued it */

        if (ctx->ca->ca.nprevious != 0) {

            rc = cmp_ocsp_issued_by(ctx->ocsp.issuer, &state->der);

            if (rc == CMP_ERROR) {
                return NGX_ERROR;
            }

            if (rc != CMP_OK) {
                continue;
            }
        }

        if (state->state == CMP_CERT_VALID) {
            id->status = V_OCSP_CERTSTATUS_GOOD;
            continue;
        }

        id->status = V_OCSP_CERTSTATUS_REVOKED;
        id->reason = state->reason;
        id->revoked_at = state->revoked_at;
    }

    return NGX_OK;
}


static void
ngx_http_cmp_ocsp_sign(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    ctx->rc = cmp_ocsp_respond(&ctx->ocsp, &ctx->signer, ctx->now,
                               ctx->answer.next_update, ctx->pool, &ctx->made);
}


static ngx_int_t
ngx_http_cmp_ocsp_signed(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    u_char  hash[SHA256_DIGEST_LENGTH];

    if (ctx->rc != CMP_OK) {
        ngx_log_error(NGX_LOG_CRIT, ctx->request->connection->log, 0,
                      "cmp_ca \"%V\": an OCSP answer could not be signed",
                      &ctx->ca->name);

        return ngx_http_cmp_ocsp_refuse(ctx,
                                        OCSP_RESPONSE_STATUS_INTERNALERROR,
                                        "no signature");
    }

    ctx->answer.der.data = ctx->made.data;
    ctx->answer.der.len = ctx->made.len;

    (void) SHA256(ctx->made.data, ctx->made.len, hash);

    ngx_memcpy(ctx->answer.etag, hash, NGX_HTTP_CMP_OCSP_ETAG_LEN);

    /* unknown today may be good in a moment */

    if (ctx->ocsp.ids[0].status == V_OCSP_CERTSTATUS_UNKNOWN) {
        ctx->cacheable = 0;
    }

    if (ctx->cacheable) {
        ngx_http_cmp_ocsp_insert(ctx->main, &ctx->key, ctx->generation,
                                 &ctx->answer);
    }

    return ngx_http_cmp_ocsp_answer(ctx);
}


#if (NGX_THREADS)

static ngx_int_t
ngx_http_cmp_ocsp_post(ngx_http_cmp_ocsp_ctx_t *ctx)
{
    ngx_http_cmp_task_t  *task;

    task = &ctx->task;

    task->ca = ctx->ca;
    task->request = ctx->request;
    task->work = ngx_http_cmp_ocsp_task_work;
    task->done = ngx_http_cmp_ocsp_task_done;
    task->data = ctx;
    task->name = "an OCSP signature";

    switch (ngx_http_cmp_task_post(task)) {

    case NGX_OK:
        return ngx_http_cmp_ocsp_await(ctx, ngx_http_cmp_ocsp_signed);

    case NGX_BUSY:
        return ngx_http_cmp_ocsp_refuse(ctx, OCSP_RESPONSE_STATUS_TRYLATER,
                                        "all threads are busy");

    default:
        return ngx_http_cmp_ocsp_refuse(ctx, OCSP_RESPONSE_STATUS_TRYLATER,
                                        "no thread could be had");
    }
}


static void
ngx_http_cmp_ocsp_task_work(void *data)
{
    ngx_http_cmp_ocsp_sign(data);
}


static void
ngx_http_cmp_ocsp_task_done(void *data)
{
    ngx_http_cmp_ocsp_resume(data);
}

#endif
