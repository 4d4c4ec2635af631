
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The CRLs of a CA: one copy of each in each worker that was asked for it,
 * made by whichever worker of whichever node first finds that the one in the
 * store is stale.
 */


#ifndef _NGX_HTTP_CMP_CRL_H_INCLUDED_
#define _NGX_HTTP_CMP_CRL_H_INCLUDED_


#include <ngx_http_cmp_request.h>


#define NGX_HTTP_CMP_CRL_NAME_LEN  96


/* a CRL as it is sent; counted, since answers may outlive its replacement */

typedef struct {
    ngx_uint_t                  refs;
    int64_t                     number;
    int64_t                     this_update;     /* ms */
    int64_t                     next_update;     /* ms */
    cmp_str_t                   der;
    ngx_str_t                   pem;      /* empty until somebody wants it */
    cmp_crl_t                  *made;     /* has the DER; or NULL */
    ngx_fd_t                    fd;       /* a copy of it for sendfile() */
    unsigned                    no_file:1;    /* fd could not be had */
    unsigned                    saved:1;  /* in its file */
    unsigned                    unsaved:1;    /* it could not be written */
} ngx_http_cmp_crl_der_t;


/*
 * Who waits for a CRL: a request at a cmp_crl location, a message that asks
 * for one, a delta CRL that needs a base, the schedule.
 */

typedef void (*ngx_http_cmp_crl_ready_pt)(ngx_http_cmp_crl_ctx_t *ctx);

struct ngx_http_cmp_crl_ctx_s {
    ngx_http_cmp_crl_ready_pt   ready;
    void                       *data;
    ngx_http_request_t         *request;  /* or NULL */
    ngx_http_cmp_crl_der_t     *der;
    ngx_queue_t                 queue;
    ngx_msec_t                  interval; /* from one CRL to the next; 0: it is
                                             good until its nextUpdate */
    unsigned                    waiting:1;
    unsigned                    pem:1;
    unsigned                    unknown:1;  /* there is no such partition */
    unsigned                    only_read:1;    /* none is made for this one */
};


typedef ngx_int_t (*ngx_http_cmp_crl_step_pt)(ngx_http_cmp_crl_t *crl);


typedef struct {
    ngx_msec_t                  time;
    ngx_atomic_uint_t           changes;  /* the count before it */
} ngx_http_cmp_crl_question_t;


/* the state of one CRL in a worker */

struct ngx_http_cmp_crl_s {
    ngx_rbtree_node_t           node;     /* of ca->crls */
    ngx_http_cmp_ca_t          *ca;
    ngx_http_cmp_main_conf_t   *main;
    const cmp_issuer_t         *issuer;
    cmp_pg_crl_kind_t           kind;
    ngx_http_cmp_crl_der_t     *der;      /* the last one seen, or NULL */

    ngx_http_cmp_crl_question_t question;  /* the last one */
    ngx_http_cmp_crl_question_t answered;  /* so: this is the current one */

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
    ngx_http_cmp_crl_ctx_t      base;     /* waits for the complete CRL */

    /* the one in the store, as it comes */
    cmp_pg_crl_t                current;
    ngx_http_cmp_crl_der_t     *coming;
    size_t                      received;

    /* the one that is made */
    cmp_pg_crl_begin_t          begin;
    cmp_pool_t                 *piece;
    cmp_pg_crl_entries_t        entries;
    cmp_crl_t                  *made;
    u_char                      last[CMP_SERIAL_LEN];
    size_t                      last_len;
    cmp_str_t                   der_made;
    size_t                      sent;
    ngx_msec_t                  started;
    int                         rc;       /* of what a thread did */
    ngx_err_t                   file_errno;

#if (NGX_THREADS)
    ngx_http_cmp_task_t         task;
#endif

    unsigned                    busy:1;
    unsigned                    fresh:1;  /* "answered" is set */
    unsigned                    ahead:1;  /* the next round is for requests */
    unsigned                    based:1;  /* the base was waited for */
    unsigned                    only_read:1;    /* nobody wants a new one */
    unsigned                    requested:1;    /* by somebody outside */
    unsigned                    saving:1; /* what the thread does */
    unsigned                    unknown:1;
};


/* --- ngx_http_cmp_crl_cache.c --- */

/*
 * previous: 0 for the current key, n for the nth previous one; partition 0:
 * all certificates.  NULL: no memory, or there is no such key.
 */
ngx_http_cmp_crl_t *ngx_http_cmp_crl_get(ngx_http_cmp_ca_t *ca,
    ngx_uint_t previous, ngx_uint_t partition, ngx_uint_t delta);

/*
 * Joins the next round: ctx->ready() is called when it has ended, never from
 * inside.  ctx->der is the CRL then, or NULL; it takes over a reference to it.
 * To leave before: ngx_http_cmp_crl_leave().
 */
void ngx_http_cmp_crl_join(ngx_http_cmp_crl_t *crl,
    ngx_http_cmp_crl_ctx_t *ctx);
void ngx_http_cmp_crl_leave(ngx_http_cmp_crl_ctx_t *ctx);

/* 1 when the certificate of the key has not expired yet */
ngx_uint_t ngx_http_cmp_crl_alive(const cmp_issuer_t *issuer);

/* begins a round though nobody waits for it; none is under way */
void ngx_http_cmp_crl_ask(ngx_http_cmp_crl_t *crl);

/* for the steps: go on; the database is asked, and another step follows */
void ngx_http_cmp_crl_run(ngx_http_cmp_crl_t *crl);
ngx_int_t ngx_http_cmp_crl_submit(ngx_http_cmp_crl_t *crl,
    ngx_http_cmp_crl_step_pt next);
void ngx_http_cmp_crl_set(ngx_http_cmp_crl_t *crl,
    ngx_http_cmp_crl_der_t *der);
ngx_int_t ngx_http_cmp_crl_current(ngx_http_cmp_crl_t *crl);

/* "CRL" or "delta CRL", "of partition N", ... for the log */
u_char *ngx_http_cmp_crl_name(ngx_http_cmp_crl_t *crl, u_char *buf,
    size_t size);


/* --- ngx_http_cmp_crl_der.c --- */

/* one with a reference, and without a DER yet; NULL: there is no memory */
ngx_http_cmp_crl_der_t *ngx_http_cmp_crl_der(int64_t number,
    int64_t this_update, int64_t next_update);

void ngx_http_cmp_crl_release(ngx_http_cmp_crl_der_t *der);

/* a file that begins with the DER; NULL: there is none, or it is of no use */
ngx_file_t *ngx_http_cmp_crl_file(ngx_http_cmp_crl_der_t *der,
    ngx_http_request_t *r);

/* as PEM, made once; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_cmp_crl_pem(ngx_http_cmp_crl_der_t *der, ngx_str_t *pem);


/* --- ngx_http_cmp_crl_make.c --- */

/* the step that begins a new CRL */
ngx_int_t ngx_http_cmp_crl_make(ngx_http_cmp_crl_t *crl);

/* the last step: what is new goes into a file */
ngx_int_t ngx_http_cmp_crl_save(ngx_http_cmp_crl_t *crl);

/* what a round has left over */
void ngx_http_cmp_crl_make_cleanup(ngx_http_cmp_crl_t *crl);


/* --- ngx_http_cmp_crl_fresh.c --- */

/* a question for the current CRL leaves now; there is an answer to it */
void ngx_http_cmp_crl_asked(ngx_http_cmp_crl_t *crl);
void ngx_http_cmp_crl_answered(ngx_http_cmp_crl_t *crl);

/*
 * The CRL for a request when the store need not be asked again; NULL when it
 * has to be.  The caller adds his reference.
 */
ngx_http_cmp_crl_der_t *ngx_http_cmp_crl_fresh(ngx_http_cmp_crl_t *crl,
    ngx_http_request_t *r);


/* --- ngx_http_cmp_crl_file.c --- */

/* crl->der into its file; may be called in a thread; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_cmp_crl_file_write(ngx_http_cmp_crl_t *crl);

/* sets crl->der when there is a newer one that is valid */
void ngx_http_cmp_crl_file_read(ngx_http_cmp_crl_t *crl, int64_t now);


#endif /* _NGX_HTTP_CMP_CRL_H_INCLUDED_ */
