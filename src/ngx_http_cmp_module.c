
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <ngx_http_cmp_module.h>


static char *ngx_http_cmp_pass(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

static ngx_int_t ngx_http_cmp_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_cmp_create_main_conf(ngx_conf_t *cf);
static void ngx_http_cmp_pool_cleanup(void *data);
static void *ngx_http_cmp_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_cmp_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_cmp_init_process(ngx_cycle_t *cycle);
static void ngx_http_cmp_exit_process(ngx_cycle_t *cycle);
static ngx_http_cmp_main_conf_t *ngx_http_cmp_worker_conf(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_cmp_commands[] = {

    { ngx_string("cmp_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_cmp_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_cmp_main_conf_t, store),
      NULL },

    { ngx_string("cmp_profile"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_cmp_profile_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cmp_ca"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_cmp_ca_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cmp_pass"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_cmp_pass,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cmp_crl_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_path_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_cmp_main_conf_t, crl_cache),
      NULL },

    { ngx_string("cmp_crl"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cmp_crl,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cmp_ca_certificate"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cmp_ca_certificate_location,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cmp_ocsp"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_cmp_ocsp,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cmp_ocsp_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_cmp_ocsp_cache,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_cmp_module_ctx = {
    ngx_http_cmp_add_variables,            /* preconfiguration */
    ngx_http_cmp_postconfiguration,        /* postconfiguration */

    ngx_http_cmp_create_main_conf,         /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_cmp_create_loc_conf,          /* create location configuration */
    ngx_http_cmp_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_cmp_module = {
    NGX_MODULE_V1,
    &ngx_http_cmp_module_ctx,              /* module context */
    ngx_http_cmp_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_cmp_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_cmp_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_cmp_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_loc_conf_t *lcf = conf;

    if (lcf->ca != NULL) {
        return "is duplicate";
    }

    lcf->ca = ngx_http_cmp_location(cf, ngx_http_cmp_handler, 0);

    return (lcf->ca != NULL) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_http_cmp_ca_t *
ngx_http_cmp_location(ngx_conf_t *cf, ngx_http_handler_pt handler,
    ngx_uint_t regex)
{
    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    value = cf->args->elts;

    if (clcf->handler != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in a location that has another handler",
                           &value[0]);
        return NULL;
    }

    /* what stands behind the location's name selects profile and operation */

    if (clcf->named
#if (NGX_PCRE)
        || (clcf->regex != NULL && regex == 0)
#endif
       )
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" cannot be used in a named location%s",
                           &value[0], regex ? "" : " or one given by a "
                           "regular expression");
        return NULL;
    }

    clcf->handler = handler;

    return ngx_http_cmp_ca_add(cf, &value[1]);
}


static ngx_int_t
ngx_http_cmp_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_cmp_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cmp_module);

    ngx_http_cmp_ocsp_defaults(mcf);

    if (ngx_http_cmp_ca_init(cf, mcf) != NGX_OK
        || ngx_http_cmp_crl_init_conf(cf, mcf) != NGX_OK
        || ngx_http_cmp_crl_zone(cf, mcf) != NGX_OK
        || ngx_http_cmp_ca_certificate_init(cf, mcf) != NGX_OK
        || ngx_http_cmp_ocsp_zone(cf, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (mcf->cas.nelts != 0 && ngx_http_cmp_throttle_zone(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (mcf->store == NULL) {
        return NGX_OK;
    }

    return ngx_http_cmp_pg_init_conf(cf, mcf->store);
}


static void *
ngx_http_cmp_create_main_conf(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_cmp_main_conf_t  *mcf;

    /*
     * set by ngx_pcalloc():
     *
     *     mcf->store = NULL;
     *     mcf->throttle_zone = NULL;
     *     mcf->throttle = NULL;
     *     mcf->crl_cache = NULL;
     *     mcf->changes = NULL;
     *     mcf->ocsp_cache = NULL;
     *     mcf->ocsp_used = 0;
     *     mcf->ready = 0;
     */

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cmp_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->ocsp_size = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&mcf->cas, cf->pool, 4, sizeof(ngx_http_cmp_ca_t *))
        != NGX_OK
        || ngx_array_init(&mcf->certificates, cf->pool, 4,
                          sizeof(ngx_http_cmp_ca_certificate_t *))
           != NGX_OK
        || ngx_array_init(&mcf->profiles, cf->pool, 4,
                          sizeof(ngx_http_cmp_profile_t *))
           != NGX_OK
        || ngx_array_init(&mcf->crls, cf->pool, 4,
                          sizeof(ngx_http_cmp_crl_conf_t *))
           != NGX_OK)
    {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    mcf->pool = cmp_pool_create();
    if (mcf->pool == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_cmp_pool_cleanup;
    cln->data = mcf->pool;

    return mcf;
}


static void
ngx_http_cmp_pool_cleanup(void *data)
{
    cmp_pool_destroy(data);
}


static void *
ngx_http_cmp_create_loc_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->ca = NULL;
     *     conf->crl = NULL;
     *     conf->ocsp = NULL;
     *     conf->certificate = NULL;
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_cmp_loc_conf_t));
}


static char *
ngx_http_cmp_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_cmp_loc_conf_t *prev = parent;
    ngx_http_cmp_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" blocks belong to their location */

    if ((clcf->noname || clcf->lmt_excpt)
        && conf->ca == NULL && conf->crl == NULL && conf->ocsp == NULL
        && conf->certificate == NULL)
    {
        *conf = *prev;
    }

    if (clcf->lmt_excpt && clcf->handler == NULL) {

        if (conf->ca != NULL) {
            clcf->handler = ngx_http_cmp_handler;

        } else if (conf->crl != NULL) {
            clcf->handler = ngx_http_cmp_crl_handler;

        } else if (conf->ocsp != NULL) {
            clcf->handler = ngx_http_cmp_ocsp_handler;

        } else if (conf->certificate != NULL) {
            clcf->handler = ngx_http_cmp_ca_certificate_handler;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_cmp_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_http_cmp_ca_t         **cap;
    ngx_http_cmp_main_conf_t   *mcf;

    mcf = ngx_http_cmp_worker_conf(cycle);
    if (mcf == NULL) {
        return NGX_OK;
    }

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {
        ngx_http_cmp_key_open(cap[i], cycle->log);
    }

    mcf->ready = 1;

    if (ngx_http_cmp_thread_init(cycle) != NGX_OK
        || ngx_http_cmp_crl_init(cycle, mcf) != NGX_OK
        || ngx_http_cmp_ocsp_init(cycle, mcf) != NGX_OK
        || ngx_http_cmp_ocsp_responder_init(cycle, mcf) != NGX_OK
        || ngx_http_cmp_sweep_init(cycle, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_cmp_pg_init_process(cycle, mcf->store);
}


static void
ngx_http_cmp_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_cmp_main_conf_t  *mcf;

    mcf = ngx_http_cmp_worker_conf(cycle);
    if (mcf == NULL) {
        return;
    }

    ngx_http_cmp_sweep_exit();
    ngx_http_cmp_ocsp_exit();
    ngx_http_cmp_ocsp_responder_exit(mcf);
    ngx_http_cmp_crl_exit(mcf);
    ngx_http_cmp_pg_exit_process(cycle, mcf->store);
    ngx_http_cmp_thread_exit(cycle);
}


/* NULL where there is nothing to do: no CA, or not a worker */

static ngx_http_cmp_main_conf_t *
ngx_http_cmp_worker_conf(ngx_cycle_t *cycle)
{
    ngx_http_cmp_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NULL;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_cmp_module);

    if (mcf == NULL || mcf->cas.nelts == 0) {
        return NULL;
    }

    return mcf;
}
