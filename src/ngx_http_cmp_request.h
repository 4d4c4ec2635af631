
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * One request at a cmp_pass location, from its body to the answer.
 */


#ifndef _NGX_HTTP_CMP_REQUEST_H_INCLUDED_
#define _NGX_HTTP_CMP_REQUEST_H_INCLUDED_


#include <ngx_http_cmp_module.h>
#include <cmp_pg.h>


#define NGX_HTTP_CMP_WAIT              10  /* ms, see _connecting() */
#define NGX_HTTP_CMP_TRIES             3   /* of load, decide and commit */
#define NGX_HTTP_CMP_THROTTLE_KEY_LEN  16


/*
 * A step of the exchange.  NGX_OK: the next one is set; NGX_AGAIN: it is
 * called for when what we wait for has come; NGX_DONE: the request was
 * finalized, nothing of it may be touched.
 */
typedef ngx_int_t (*ngx_http_cmp_step_pt)(ngx_http_cmp_ctx_t *ctx);


struct ngx_http_cmp_ctx_s {
    ngx_http_request_t         *request;
    ngx_http_cmp_main_conf_t   *main;
    ngx_http_cmp_ca_t          *ca;

    /* the request's body */
    u_char                     *data;
    size_t                      len;

    cmp_exchange_conf_t         conf;
    cmp_exchange_t             *exchange;
    cmp_exchange_e              next;      /* what it said last */

    ngx_http_cmp_step_pt        step;
    ngx_uint_t                  tries;
    ngx_msec_t                  waited;    /* for the worker to be ready */

    ngx_http_cmp_pg_op_t        op;
    ngx_http_cmp_pg_status_e    status;    /* of op */
    cmp_pg_load_t              *loads;     /* one for each load */
    cmp_records_t              *records;
    size_t                      nloads;
    size_t                      nresults;  /* come so far */

#if (NGX_THREADS)
    ngx_http_cmp_task_t         task;
#endif

    ngx_event_t                 delay;
    u_char                      throttle[NGX_HTTP_CMP_THROTTLE_KEY_LEN];

    unsigned                    waiting:1;
    unsigned                    watching:1;    /* for the client to leave */
    unsigned                    loaded:1;
    unsigned                    throttled:1;   /* "throttle" is set */
    unsigned                    unavailable:1;
};


/* --- ngx_http_cmp_handler.c --- */

/*
 * The body that was read, as one piece of memory: of the request, or of its
 * pool; empty when there is none.  NGX_OK or an HTTP status: it is larger
 * than max, or cannot be read.
 */
ngx_int_t ngx_http_cmp_body(ngx_http_request_t *r, size_t max,
    ngx_str_t *body);


/* --- ngx_http_cmp_request.c --- */

/* the body has been read; finalizes the request in the end */
void ngx_http_cmp_start(ngx_http_cmp_ctx_t *ctx);

/* ms, as of the last event */
int64_t ngx_http_cmp_now(void);

/* to wait: the client's going away ends the request from now on */
ngx_int_t ngx_http_cmp_watch(ngx_http_cmp_ctx_t *ctx);
ngx_int_t ngx_http_cmp_watch_client(ngx_http_request_t *r);

/*
 * 1: a worker that has just begun is still connecting to the store, and a
 * request that has waited that many ms may wait for it a little longer
 */
ngx_uint_t ngx_http_cmp_connecting(ngx_http_cmp_ca_t *ca, ngx_msec_t waited);

/*
 * ended(data) when the request is terminated, perhaps while a thread is still
 * at work, unused(data) when the memory goes.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_cmp_cleanup_add(ngx_http_request_t *r, void *data,
    ngx_http_cleanup_pt ended, ngx_pool_cleanup_pt unused);

/*
 * What was waited for has come: goes on by r->write_event_handler, which is
 * nginx's own if the request was terminated meanwhile.  The request may be gone
 * afterwards.
 */
void ngx_http_cmp_continue(ngx_http_request_t *r);
void ngx_http_cmp_resume(ngx_http_cmp_ctx_t *ctx);

/*
 * A step that leaves something in the thread's error queue is a fault: nginx
 * would blame the next TLS handshake for it (pitfall 3.4.1).
 */
#if (NGX_DEBUG)
void ngx_http_cmp_check_errors(ngx_log_t *log);
#else
#define ngx_http_cmp_check_errors(log)
#endif

/* steps that others go on with */
ngx_int_t ngx_http_cmp_load_step(ngx_http_cmp_ctx_t *ctx);
ngx_int_t ngx_http_cmp_decide_step(ngx_http_cmp_ctx_t *ctx);
ngx_int_t ngx_http_cmp_decided_step(ngx_http_cmp_ctx_t *ctx);
ngx_int_t ngx_http_cmp_unavailable_step(ngx_http_cmp_ctx_t *ctx);
ngx_int_t ngx_http_cmp_reply_step(ngx_http_cmp_ctx_t *ctx);


/* --- ngx_http_cmp_crl.c --- */

/*
 * Has the CRL in the store made anew if it is stale, for a message that asks
 * for it.  NGX_OK, NGX_AGAIN, NGX_ERROR.
 */
ngx_int_t ngx_http_cmp_crl_refresh(ngx_http_cmp_ctx_t *ctx);


/* --- ngx_http_cmp_store.c --- */

ngx_int_t ngx_http_cmp_store_load(ngx_http_cmp_ctx_t *ctx);
ngx_int_t ngx_http_cmp_store_commit(ngx_http_cmp_ctx_t *ctx);


/* --- ngx_http_cmp_thread.c --- */

/*
 * Decides in a thread if that would take long; NGX_DECLINED if it is to be
 * done here and now.
 */
ngx_int_t ngx_http_cmp_thread_decide(ngx_http_cmp_ctx_t *ctx);


/* --- ngx_http_cmp_throttle.c --- */

/*
 * Before the decision on a message with a MAC: how long to wait, in
 * milliseconds, for what this client failed with this reference before.
 */
ngx_msec_t ngx_http_cmp_throttle_delay(ngx_http_cmp_ctx_t *ctx);

/* after the decision */
void ngx_http_cmp_throttle_result(ngx_http_cmp_ctx_t *ctx);


/* --- ngx_http_cmp_output.c --- */

/* adds a header to the answer; the strings must outlive it */
ngx_int_t ngx_http_cmp_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value);

/*
 * Sends a body, which must outlive the request's pool cleanups; what it
 * returns is what to finalize the request with.
 */
ngx_int_t ngx_http_cmp_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, u_char *data, size_t len);

/* the same; sendfile() may take it from the file, which begins with it */
ngx_int_t ngx_http_cmp_send_file(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, u_char *data, size_t len, ngx_file_t *file);


/* --- ngx_http_cmp_variables.c --- */

/* one line for a refusal */
void ngx_http_cmp_log_refusal(ngx_http_cmp_ctx_t *ctx);


#endif /* _NGX_HTTP_CMP_REQUEST_H_INCLUDED_ */
