
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * OCSP: a location, and the answers that the workers share.
 */


#ifndef _NGX_HTTP_CMP_OCSP_H_INCLUDED_
#define _NGX_HTTP_CMP_OCSP_H_INCLUDED_


#include <ngx_http_cmp_request.h>

#include <cmp_ocsp.h>


#define NGX_HTTP_CMP_OCSP_ETAG_LEN  16


/* what an answer is about; all of it is compared */

typedef struct {
    int32_t                     ca_id;
    u_char                      hash;            /* cmp_hash_e */
    u_char                      len;             /* of the serial number */
    u_char                      serial[CMP_SERIAL_LEN];
    u_char                      issuer[8];       /* of the hash of its key */
    u_char                      pad[2];          /* zero: it is all compared */
} ngx_http_cmp_ocsp_key_t;


/* an answer; data points into memory of whoever holds it */

typedef struct {
    ngx_str_t                   der;
    int64_t                     this_update;     /* ms */
    int64_t                     next_update;     /* ms */
    u_char                      etag[NGX_HTTP_CMP_OCSP_ETAG_LEN];
} ngx_http_cmp_ocsp_answer_t;


/* a delegated responder, for as long as somebody signs with it */

typedef struct {
    cmp_ocsp_responder_t       *responder;
    int32_t                     number;          /* in the store */
    ngx_uint_t                  refs;
} ngx_http_cmp_ocsp_held_t;


typedef struct ngx_http_cmp_ocsp_ctx_s  ngx_http_cmp_ocsp_ctx_t;

/* NGX_AGAIN: waiting for the next step; else what to finalize with */
typedef ngx_int_t (*ngx_http_cmp_ocsp_step_pt)(ngx_http_cmp_ocsp_ctx_t *ctx);


struct ngx_http_cmp_ocsp_ctx_s {
    ngx_http_request_t         *request;
    ngx_http_cmp_main_conf_t   *main;
    ngx_http_cmp_ca_t          *ca;
    cmp_pool_t                 *pool;
    ngx_http_cmp_ocsp_step_pt   step;            /* when what we wait for is
                                                    there */

    ngx_http_cmp_pg_op_t        op;
    ngx_http_cmp_pg_status_e    status;

    /* the last one may be that of the responder */
    cmp_str_t                   serials[CMP_OCSP_MAX_IDS + 1];
    cmp_pg_ocsp_status_t        states[CMP_OCSP_MAX_IDS + 1];
    size_t                      nserials;

    ngx_event_t                 delay;
    ngx_msec_t                  waited;          /* for the store */

    ngx_queue_t                 queue;           /* waits for a responder */
    ngx_http_cmp_ocsp_held_t   *held;            /* NULL: the CA itself */
    ngx_uint_t                  discarded;       /* responders so far */

    cmp_ocsp_request_t          ocsp;
    cmp_ocsp_signer_t           signer;
    ngx_http_cmp_ocsp_key_t     key;
    ngx_http_cmp_ocsp_answer_t  answer;          /* an empty der: none */
    ngx_atomic_uint_t           generation;      /* of the cache, before */
    int64_t                     now;             /* ms */
    cmp_str_t                   made;
    int                         rc;              /* of cmp_ocsp_respond() */
    u_char                      refusal[5];

#if (NGX_THREADS)
    ngx_http_cmp_task_t         task;
#endif

    unsigned                    cacheable:1;
    unsigned                    waiting:1;
    unsigned                    queued:1;        /* "queue" is in one */
    unsigned                    asked:1;         /* for a responder */
    unsigned                    async:1;         /* not in the handler */
};


/* --- ngx_http_cmp_ocsp.c --- */

/* sends ctx->answer; what to finalize the request with */
ngx_int_t ngx_http_cmp_ocsp_answer(ngx_http_cmp_ocsp_ctx_t *ctx);

/* the same with OCSP_RESPONSE_STATUS_..., without a signature */
ngx_int_t ngx_http_cmp_ocsp_refuse(ngx_http_cmp_ocsp_ctx_t *ctx, int status,
    const char *log);


/* --- ngx_http_cmp_ocsp_answer.c --- */

/* what an answer is kept by */
void ngx_http_cmp_ocsp_key(ngx_http_cmp_ocsp_ctx_t *ctx);

/*
 * Asks the store, signs, sends.  NGX_AGAIN: the request is finalized later;
 * else what to finalize it with.
 */
ngx_int_t ngx_http_cmp_ocsp_load(ngx_http_cmp_ocsp_ctx_t *ctx);

/* the step when what is waited for has come; NGX_AGAIN */
ngx_int_t ngx_http_cmp_ocsp_await(ngx_http_cmp_ocsp_ctx_t *ctx,
    ngx_http_cmp_ocsp_step_pt step);

/* what was waited for has come; the request may be gone afterwards */
void ngx_http_cmp_ocsp_resume(ngx_http_cmp_ocsp_ctx_t *ctx);


/* --- ngx_http_cmp_ocsp_cache.c --- */

/*
 * Copies an answer that has not ended into memory of the pool.  NGX_OK;
 * NGX_AGAIN: the same, but nobody has looked for changes of late; NGX_DECLINED
 * when there is none.
 */
ngx_int_t ngx_http_cmp_ocsp_lookup(ngx_http_cmp_main_conf_t *mcf,
    const ngx_http_cmp_ocsp_key_t *key, ngx_pool_t *pool, int64_t now,
    ngx_http_cmp_ocsp_answer_t *answer);

/* grows with everything that is taken out */
ngx_atomic_uint_t ngx_http_cmp_ocsp_generation(ngx_http_cmp_main_conf_t *mcf);

/* keeps an answer, unless something was taken out since "generation" */
void ngx_http_cmp_ocsp_insert(ngx_http_cmp_main_conf_t *mcf,
    const ngx_http_cmp_ocsp_key_t *key, ngx_atomic_uint_t generation,
    const ngx_http_cmp_ocsp_answer_t *answer);

/* what has changed in the store until then was taken out */
void ngx_http_cmp_ocsp_checked(ngx_http_cmp_main_conf_t *mcf, ngx_msec_t at);

void ngx_http_cmp_ocsp_flush(ngx_http_cmp_main_conf_t *mcf);



/* --- ngx_http_cmp_ocsp_responder.c --- */

/*
 * The delegated responder for the key that the request names.  NGX_OK: in
 * ctx->held, to be released; NGX_AGAIN: it is waited for, the request is
 * resumed in any case, ngx_http_cmp_ocsp_responder_leave() ends that;
 * NGX_DECLINED: there is none, and there was none a moment ago.
 */
ngx_int_t ngx_http_cmp_ocsp_responder_get(ngx_http_cmp_ocsp_ctx_t *ctx);
void ngx_http_cmp_ocsp_responder_leave(ngx_http_cmp_ocsp_ctx_t *ctx);
void ngx_http_cmp_ocsp_responder_release(ngx_http_cmp_ocsp_held_t *held);

/* ctx->held is not valid any more: released, and nobody signs with it again */
void ngx_http_cmp_ocsp_responder_discard(ngx_http_cmp_ocsp_ctx_t *ctx);


#endif /* _NGX_HTTP_CMP_OCSP_H_INCLUDED_ */
