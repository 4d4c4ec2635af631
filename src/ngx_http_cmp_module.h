
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#ifndef _NGX_HTTP_CMP_MODULE_H_INCLUDED_
#define _NGX_HTTP_CMP_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <cmp_exchange.h>
#include <cmp_crl.h>

#include <ngx_http_cmp_pg.h>


#define NGX_HTTP_CMP_NAME_LEN     64      /* of a cmp_ca or cmp_profile */
#define NGX_HTTP_CMP_URL_LEN      1024
#define NGX_HTTP_CMP_ERR_LEN      512


typedef struct ngx_http_cmp_ca_s        ngx_http_cmp_ca_t;
typedef struct ngx_http_cmp_ctx_s       ngx_http_cmp_ctx_t;
typedef struct ngx_http_cmp_crl_s       ngx_http_cmp_crl_t;
typedef struct ngx_http_cmp_crl_ctx_s   ngx_http_cmp_crl_ctx_t;
typedef struct ngx_http_cmp_throttle_s  ngx_http_cmp_throttle_t;
typedef struct ngx_http_cmp_ocsp_cache_s  ngx_http_cmp_ocsp_cache_t;
typedef struct ngx_http_cmp_ocsp_responder_s  ngx_http_cmp_ocsp_responder_t;
typedef struct ngx_http_cmp_ca_certificate_s  ngx_http_cmp_ca_certificate_t;
typedef struct ngx_http_cmp_main_conf_s  ngx_http_cmp_main_conf_t;


/* whose limits a cmp_scope_t has: that decides what may be set */

typedef enum {
    NGX_HTTP_CMP_SCOPE_ANCHOR = 0,
    NGX_HTTP_CMP_SCOPE_RA,               /* listed by ra_certificate */
    NGX_HTTP_CMP_SCOPE_RA_PROFILE        /* made by a profile */
} ngx_http_cmp_scope_e;


/* one cmp_profile; the flags and times wait for the end of the block */

typedef struct {
    cmp_profile_t               profile;

    ngx_str_t                   name;
    u_char                     *file;     /* where it was first named */
    ngx_uint_t                  line;

    time_t                      validity;
    time_t                      backdate;
    ngx_flag_t                  client_validity;
    ngx_flag_t                  san_required;
    ngx_flag_t                  ca;
    ngx_flag_t                  ra;
    ngx_flag_t                  drop_extensions;
    ngx_flag_t                  update_names;
    ngx_flag_t                  release_itself;
    ngx_flag_t                  implicit_confirm;
    ngx_uint_t                  key_reuse;
    ngx_uint_t                  approval;
    ngx_uint_t                  revocation_approval;

    cmp_pool_t                 *pool;     /* of the main configuration */
    ngx_uint_t                  defined;  /* unsigned  defined:1; */
} ngx_http_cmp_profile_t;


/* a private key: read with the configuration, or opened by each worker */

typedef struct {
    ngx_str_t                   name;     /* file or store:URI */
    ngx_str_t                   password;
    EVP_PKEY                   *key;
    ngx_uint_t                  store;    /* unsigned  store:1; */
} ngx_http_cmp_key_t;


/* previous_certificate and previous_certificate_key */

typedef struct {
    X509                       *certificate;
    ngx_http_cmp_key_t          key;
} ngx_http_cmp_previous_t;


struct ngx_http_cmp_ca_s {
    cmp_ca_t                    ca;

    ngx_str_t                   name;
    u_char                     *file;     /* where it was first named */
    ngx_uint_t                  line;
    ngx_uint_t                  defined;  /* unsigned  defined:1; */

    /* settings that are not the core's, or wait for the end of the block */

    ngx_http_cmp_key_t          key;
    ngx_http_cmp_key_t          response_key;
    ngx_array_t                 anchors;  /* cmp_trusted_t */
    ngx_array_t                 ras;      /* cmp_trusted_t */
    ngx_array_t                 previous; /* ngx_http_cmp_previous_t */
    ngx_array_t                 profiles; /* ngx_http_cmp_profile_t * */
    ngx_str_t                   crl_url;

    ngx_uint_t                  conformance;
    ngx_msec_t                  time_window;
    ngx_msec_t                  transaction_memory;
    ngx_msec_t                  confirm_timeout;
    ngx_msec_t                  approval_timeout;
    ngx_msec_t                  check_after;
    ngx_uint_t                  genm_approval;
    size_t                      max_message_size;
    ngx_int_t                   max_requests;
    ngx_int_t                   max_iterations;
    ngx_flag_t                  mac_sha1;
    ngx_uint_t                  error_protection;
    ngx_flag_t                  unprotected_genm;
    ngx_uint_t                  ca_pubs;
    ngx_flag_t                  extra_certs_root;
    ngx_int_t                   refusal_signatures;
    ngx_uint_t                  unavailable_status;
    unsigned                    thread_set:1;
    unsigned                    crl_set:1;
    unsigned                    ocsp_set:1;
    unsigned                    ocsp_delegated:1;
    unsigned                    ocsp_location:1;
    unsigned                    crl_on_revoke:1;
    unsigned                    crl_location:1;  /* of any kind */
    unsigned                    crl_whole:1;     /* of all certificates */
    ngx_uint_t                  thread_queue;

#if (NGX_THREADS)
    ngx_thread_pool_t          *thread_pool;
#endif

    /* state of the worker */

    ngx_uint_t                  tasks;       /* posted, not yet completed */
    time_t                      budget_time;
    ngx_int_t                   budget;      /* signatures left this second */
    ngx_http_cmp_ocsp_responder_t
                               *responders;  /* one for each key, or NULL */
    ngx_rbtree_t                crls;        /* ngx_http_cmp_crl_t */
    ngx_rbtree_node_t           crls_sentinel;
    ngx_uint_t                  partitions;  /* as the store knows them */
    ngx_http_cmp_main_conf_t   *main;        /* NULL: not in a worker */
    unsigned                    registered:1;
    unsigned                    no_key:1;    /* a token did not open */
};


struct ngx_http_cmp_main_conf_s {
    ngx_http_cmp_pg_store_t    *store;
    ngx_array_t                 cas;         /* ngx_http_cmp_ca_t * */
    ngx_array_t                 profiles;    /* ngx_http_cmp_profile_t * */
    cmp_pool_t                 *pool;        /* what the core allocates */

    ngx_shm_zone_t             *throttle_zone;
    ngx_http_cmp_throttle_t    *throttle;        /* in the zone */

    ngx_array_t                 certificates;
                                     /* ngx_http_cmp_ca_certificate_t * */
    size_t                      ocsp_size;       /* 0: no cache */
    ngx_http_cmp_ocsp_cache_t  *ocsp_cache;      /* in its zone, or NULL */
    ngx_uint_t                  ocsp_used;   /* unsigned  ocsp_used:1; */

    ngx_array_t                 crls;        /* ngx_http_cmp_crl_conf_t * */
    ngx_path_t                 *crl_cache;   /* NULL: no files */
    ngx_atomic_t               *changes;     /* in a zone; NULL: no CRLs */

    ngx_uint_t                  ready;       /* the worker was initialized */
};


/* one cmp_crl */

typedef struct {
    ngx_http_cmp_ca_t          *ca;
    ngx_http_complex_value_t   *partition;   /* NULL: of all certificates */
    ngx_uint_t                  previous;
    u_char                     *file;
    ngx_uint_t                  line;
    unsigned                    delta:1;
    unsigned                    pem:1;
} ngx_http_cmp_crl_conf_t;


typedef struct {
    ngx_http_cmp_ca_t          *ca;          /* cmp_pass */
    ngx_http_cmp_crl_conf_t    *crl;         /* cmp_crl */
    ngx_http_cmp_ca_t          *ocsp;        /* cmp_ocsp */
    ngx_http_cmp_ca_certificate_t
                               *certificate; /* cmp_ca_certificate */
} ngx_http_cmp_loc_conf_t;


extern ngx_module_t     ngx_http_cmp_module;
extern ngx_conf_enum_t  ngx_http_cmp_approval[];    /* manual, off */


/* --- ngx_http_cmp_conf.c --- */

/*
 * Sets one setting of a block: the words are in cf->args, the commands end
 * with ngx_null_command.  For a handler of ngx_conf_parse().
 */
char *ngx_http_cmp_conf_setting(ngx_conf_t *cf, ngx_command_t *commands,
    void *conf);

/*
 * NGX_OK, or NGX_ERROR (logged) when two of the words from the index "first"
 * on have the same name in front of "="
 */
ngx_int_t ngx_http_cmp_conf_once(ngx_conf_t *cf, ngx_uint_t first);

/* NGX_OK, or NGX_ERROR (logged) for a name that cannot stand in a URI */
ngx_int_t ngx_http_cmp_conf_name(ngx_conf_t *cf, ngx_str_t *name);

/* NGX_OK, or NGX_ERROR (logged) for what cannot stand in a certificate */
ngx_int_t ngx_http_cmp_conf_url(ngx_conf_t *cf, ngx_str_t *url);

/*
 * The certificates in the file of the first argument, as full path from then
 * on, to be freed by the caller; NULL (logged) when it cannot be read
 */
STACK_OF(X509) *ngx_http_cmp_conf_certificates(ngx_conf_t *cf);

/*
 * A new object of that size, all zero, whose address is put into the list; NULL
 * when out of memory
 */
void *ngx_http_cmp_conf_add(ngx_conf_t *cf, ngx_array_t *list, size_t size);

/* strings end with a zero that len leaves out; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_cmp_conf_push(ngx_conf_t *cf, cmp_str_t **list, size_t *n,
    u_char *data, size_t len);


/* --- ngx_http_cmp_{profile,ca,trust}_conf.c, ngx_http_cmp_ca_init.c --- */

/* by name, a new one if it is not known yet; NULL when out of memory */
ngx_http_cmp_profile_t *ngx_http_cmp_profile_add(ngx_conf_t *cf,
    ngx_str_t *name);
ngx_http_cmp_ca_t *ngx_http_cmp_ca_add(ngx_conf_t *cf, ngx_str_t *name);

char *ngx_http_cmp_profile_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_cmp_ca_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

char *ngx_http_cmp_trusted_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_cmp_ra_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * The limits in the words from the index "first" on; NULL, logged, when one
 * of them is wrong or there is no memory
 */
cmp_scope_t *ngx_http_cmp_scope(ngx_conf_t *cf, ngx_uint_t first,
    ngx_http_cmp_scope_e kind);

/* --- ngx_http_cmp_previous_conf.c --- */

char *ngx_http_cmp_previous_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_cmp_previous_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* moves what was read into the CA of the core; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_cmp_previous_init(ngx_conf_t *cf, ngx_http_cmp_ca_t *ca);
void ngx_http_cmp_previous_cleanup(ngx_http_cmp_ca_t *ca);

/*
 * The key of a certificate for the core: that of the file, or the public one
 * until the worker opens the store; NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_cmp_ca_init_key(ngx_http_cmp_key_t *key, X509 *cert,
    EVP_PKEY **slot);


/* what needs all of the blocks; NGX_OK or NGX_ERROR, logged */
void ngx_http_cmp_ca_defaults(ngx_http_cmp_ca_t *ca);
ngx_int_t ngx_http_cmp_ca_init(ngx_conf_t *cf, ngx_http_cmp_main_conf_t *mcf);


/*
 * For a directive that makes a handler of its location: the CA that it names.
 * regex: the location may be given by a regular expression.  NULL, logged.
 */
ngx_http_cmp_ca_t *ngx_http_cmp_location(ngx_conf_t *cf,
    ngx_http_handler_pt handler, ngx_uint_t regex);


/* --- ngx_http_cmp_crl_conf.c --- */

/* the directive cmp_crl, and the setting "crl" of cmp_ca */
char *ngx_http_cmp_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cmp_ca_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* the CA's URLs for a profile that has none; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_cmp_crl_profile(ngx_conf_t *cf, ngx_http_cmp_ca_t *ca,
    cmp_profile_t **profile);

/* what needs all of the blocks; NGX_OK or NGX_ERROR, logged */
ngx_int_t ngx_http_cmp_crl_init_conf(ngx_conf_t *cf,
    ngx_http_cmp_main_conf_t *mcf);


/* --- ngx_http_cmp_crl_fresh.c --- */

/* adds the zone with the count of changes; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_cmp_crl_zone(ngx_conf_t *cf,
    ngx_http_cmp_main_conf_t *mcf);

/* something was revoked, or is not any more: the store has to be asked */
void ngx_http_cmp_crl_changed(ngx_http_cmp_main_conf_t *mcf);


/* --- ngx_http_cmp_ca_certificate.c --- */

/* the directive cmp_ca_certificate */
char *ngx_http_cmp_ca_certificate_location(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

/* what needs all of the blocks; NGX_OK or NGX_ERROR, logged */
ngx_int_t ngx_http_cmp_ca_certificate_init(ngx_conf_t *cf,
    ngx_http_cmp_main_conf_t *mcf);


/* --- ngx_http_cmp_ocsp_conf.c --- */

/* the directives cmp_ocsp and cmp_ocsp_cache, settings of cmp_ca */
char *ngx_http_cmp_ocsp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cmp_ocsp_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cmp_ca_ocsp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cmp_ca_issuers_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_cmp_ocsp_defaults(ngx_http_cmp_main_conf_t *mcf);


/* --- ngx_http_cmp_ocsp_cache.c, ngx_http_cmp_ocsp_poll.c --- */

ngx_int_t ngx_http_cmp_ocsp_zone(ngx_conf_t *cf,
    ngx_http_cmp_main_conf_t *mcf);
ngx_int_t ngx_http_cmp_ocsp_init(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf);
void ngx_http_cmp_ocsp_exit(void);

/* the state of a certificate has changed: its answers are no good any more */
void ngx_http_cmp_ocsp_changed(ngx_http_cmp_main_conf_t *mcf, int32_t ca_id,
    const cmp_str_t *serial);


/* --- ngx_http_cmp_ocsp_responder.c --- */

ngx_int_t ngx_http_cmp_ocsp_responder_init(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf);
void ngx_http_cmp_ocsp_responder_exit(ngx_http_cmp_main_conf_t *mcf);


/* --- ngx_http_cmp_key.c --- */

/*
 * FILE or store:URI, [password=FILE].  A file is read at once; a key in a
 * store is represented by the public key of the certificate until the worker
 * opens it (pitfall 3.3.10).
 */
char *ngx_http_cmp_key_set(ngx_conf_t *cf, ngx_http_cmp_key_t *key);

/* in a worker: opens what is in a store */
void ngx_http_cmp_key_open(ngx_http_cmp_ca_t *ca, ngx_log_t *log);


/* --- ngx_http_cmp_throttle.c --- */

/* adds the zone that the failures are counted in */
ngx_int_t ngx_http_cmp_throttle_zone(ngx_conf_t *cf,
    ngx_http_cmp_main_conf_t *mcf);


/* --- ngx_http_cmp_handler.c, ngx_http_cmp_crl.c --- */

ngx_int_t ngx_http_cmp_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_cmp_crl_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_cmp_ocsp_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_cmp_ca_certificate_handler(ngx_http_request_t *r);

/* a cmp_random_pt */
int ngx_http_cmp_random(void *data, unsigned char *buf, size_t len);


/* --- ngx_http_cmp_crl_cache.c --- */

ngx_int_t ngx_http_cmp_crl_init(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf);
void ngx_http_cmp_crl_exit(ngx_http_cmp_main_conf_t *mcf);


/* --- ngx_http_cmp_crl_schedule.c --- */

ngx_int_t ngx_http_cmp_crl_schedule_init(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf);
void ngx_http_cmp_crl_schedule_exit(void);


/* --- ngx_http_cmp_sweep.c --- */

ngx_int_t ngx_http_cmp_sweep_init(ngx_cycle_t *cycle,
    ngx_http_cmp_main_conf_t *mcf);
void ngx_http_cmp_sweep_exit(void);


/* --- ngx_http_cmp_thread.c --- */

/*
 * For init_process() and exit_process() of the module.  The second waits, a
 * second at most, until the threads that used OpenSSL have freed what it keeps
 * for them.
 */
ngx_int_t ngx_http_cmp_thread_init(ngx_cycle_t *cycle);
void ngx_http_cmp_thread_exit(ngx_cycle_t *cycle);

#if (NGX_THREADS)

/*
 * Work of a CA in a thread of its pool: work(data) there, done(data) in the
 * worker afterwards.  "task" is the module's own, all others are set before.
 */
typedef struct {
    ngx_thread_task_t           task;
    ngx_http_cmp_ca_t          *ca;
    ngx_http_request_t         *request;     /* held until then, or NULL */
    void                      (*work)(void *data);
    void                      (*done)(void *data);
    void                       *data;
    const char                 *name;        /* "a decision", for the log */
} ngx_http_cmp_task_t;

/*
 * NGX_OK; NGX_BUSY, logged, when as many requests of the CA as may be wait for
 * a thread; NGX_ERROR when no thread can be had.  In both cases nothing is
 * done.
 */
ngx_int_t ngx_http_cmp_task_post(ngx_http_cmp_task_t *task);

#endif


/* --- ngx_http_cmp_variables.c --- */

ngx_int_t ngx_http_cmp_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_CMP_MODULE_H_INCLUDED_ */
