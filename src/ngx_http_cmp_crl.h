
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The CRL of a CA: one copy in each worker, made by whichever worker of
 * whichever node first finds that the one in the store is stale.
 */


#ifndef _NGX_HTTP_CMP_CRL_H_INCLUDED_
#define _NGX_HTTP_CMP_CRL_H_INCLUDED_


#include <ngx_http_cmp_request.h>


/* a CRL as it is sent; counted, since answers may outlive its replacement */

typedef struct {
    ngx_uint_t                  refs;
    int64_t                     number;
    int64_t                     this_update;     /* ms */
    int64_t                     next_update;     /* ms */
    size_t                      len;
    u_char                      data[1];
} ngx_http_cmp_crl_der_t;


/* a request at a cmp_crl location, or a message that asks for the CRL */

typedef void (*ngx_http_cmp_crl_ready_pt)(ngx_http_cmp_crl_ctx_t *ctx);

struct ngx_http_cmp_crl_ctx_s {
    ngx_http_request_t         *request;
    ngx_http_cmp_crl_ready_pt   ready;
    ngx_http_cmp_ctx_t         *message;  /* NULL: cmp_crl */
    ngx_http_cmp_ca_t          *ca;
    ngx_http_cmp_crl_der_t     *der;
    ngx_queue_t                 queue;
    unsigned                    waiting:1;
    unsigned                    pem:1;
};


typedef ngx_int_t (*ngx_http_cmp_crl_step_pt)(ngx_http_cmp_crl_t *crl);


/* the state of a CA's CRL in a worker */

struct ngx_http_cmp_crl_s {
    ngx_http_cmp_ca_t          *ca;
    ngx_http_cmp_main_conf_t   *main;
    ngx_http_cmp_crl_der_t     *der;      /* the last one seen, or NULL */

    /* who waits for the round under way, and for the next one */
    ngx_queue_t                 serving;
    ngx_queue_t                 waiting;

    /* the round */
    ngx_event_t                 event;    /* begins one */
    ngx_msec_t                  waited;   /* for the worker to be ready */
    cmp_pool_t                 *pool;
    ngx_uint_t                  tries;
    ngx_http_cmp_crl_step_pt    step;
    ngx_http_cmp_pg_op_t        op;
    ngx_http_cmp_pg_status_e    status;
    cmp_pg_crl_t                current;
    cmp_pg_crl_entries_t        entries;
    cmp_str_t                   made;
    int                         rc;       /* of cmp_crl_make() */

#if (NGX_THREADS)
    ngx_thread_task_t           task;
#endif

    unsigned                    busy:1;
};


/*
 * Joins the next round: ctx->ready() is called when it has ended, never from
 * inside.  ctx->der is the CRL then, or NULL; it takes over a reference to it.
 * To leave before: ngx_http_cmp_crl_leave().
 */
void ngx_http_cmp_crl_join(ngx_http_cmp_crl_t *crl,
    ngx_http_cmp_crl_ctx_t *ctx);
void ngx_http_cmp_crl_leave(ngx_http_cmp_crl_ctx_t *ctx);

void ngx_http_cmp_crl_release(ngx_http_cmp_crl_der_t *der);


#endif /* _NGX_HTTP_CMP_CRL_H_INCLUDED_ */
