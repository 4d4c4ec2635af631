
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What can only be done when all of the configuration was read: names are
 * resolved, each CA is checked as a whole.
 */


#include <ngx_http_cmp_module.h>


static ngx_int_t ngx_http_cmp_ca_init_one(ngx_conf_t *cf,
    ngx_http_cmp_main_conf_t *mcf, ngx_http_cmp_ca_t *ca);
static ngx_int_t ngx_http_cmp_ca_init_profiles(ngx_conf_t *cf,
    ngx_http_cmp_ca_t *ca);

#if (NGX_THREADS)
static ngx_thread_pool_t *ngx_http_cmp_ca_thread_pool_auto(ngx_conf_t *cf);
#endif


#if (NGX_THREADS)
static ngx_str_t  ngx_http_cmp_ca_pool_name = ngx_string("cmp");
#endif


/* the end of a block: what it does not say, and all of it for the core */

void
ngx_http_cmp_ca_defaults(ngx_http_cmp_ca_t *ca)
{
    ngx_conf_init_uint_value(ca->conformance, CMP_RFC9810);

    if (ca->conformance == CMP_RFC9483) {
        ngx_conf_init_msec_value(ca->time_window, 5 * 60 * 1000);
        ngx_conf_init_value(ca->mac_sha1, 0);
    }

    ngx_conf_init_msec_value(ca->time_window, ca->ca.time_window);
    ngx_conf_init_msec_value(ca->transaction_memory,
                             ca->ca.transaction_memory);
    ngx_conf_init_msec_value(ca->confirm_timeout, ca->ca.confirm_timeout);
    ngx_conf_init_msec_value(ca->approval_timeout, ca->ca.approval_timeout);
    ngx_conf_init_msec_value(ca->check_after, ca->ca.check_after);
    ngx_conf_init_uint_value(ca->genm_approval, 0);
    ngx_conf_init_size_value(ca->max_message_size, ca->ca.max_message_size);
    ngx_conf_init_value(ca->max_requests, ca->ca.max_requests);
    ngx_conf_init_value(ca->max_iterations, ca->ca.max_iterations);
    ngx_conf_init_value(ca->mac_sha1, 1);
    ngx_conf_init_uint_value(ca->error_protection, 0);
    ngx_conf_init_value(ca->unprotected_genm, 0);
    ngx_conf_init_uint_value(ca->ca_pubs, 0);
    ngx_conf_init_value(ca->extra_certs_root, 1);
    ngx_conf_init_value(ca->refusal_signatures, 10);
    ngx_conf_init_uint_value(ca->unavailable_status, NGX_HTTP_OK);

    if (ca->thread_queue == 0) {
        ca->thread_queue = 256;
    }

    ca->ca.conformance = (int) ca->conformance;
    ca->ca.time_window = ca->time_window;
    ca->ca.transaction_memory = ca->transaction_memory;
    ca->ca.confirm_timeout = ca->confirm_timeout;
    ca->ca.approval_timeout = ca->approval_timeout;
    ca->ca.check_after = ca->check_after;
    ca->ca.genm_approval = ca->genm_approval;
    ca->ca.max_message_size = ca->max_message_size;
    ca->ca.max_requests = (int) ca->max_requests;
    ca->ca.max_iterations = (long) ca->max_iterations;
    ca->ca.sha1 = ca->mac_sha1;
    ca->ca.error_signature = ca->error_protection;
    ca->ca.unprotected_genm = ca->unprotected_genm;
    ca->ca.ca_pubs_always = ca->ca_pubs;
    ca->ca.no_root = (ca->extra_certs_root == 0);
}


ngx_int_t
ngx_http_cmp_ca_init(ngx_conf_t *cf, ngx_http_cmp_main_conf_t *mcf)
{
    ngx_uint_t                i;
    ngx_http_cmp_ca_t       **cap;
    ngx_http_cmp_profile_t  **prfp;

    prfp = mcf->profiles.elts;

    for (i = 0; i < mcf->profiles.nelts; i++) {

        if (prfp[i]->defined == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown cmp_profile \"%V\" in %s:%ui",
                          &prfp[i]->name, prfp[i]->file, prfp[i]->line);
            return NGX_ERROR;
        }
    }

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {

        if (cap[i]->defined == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown cmp_ca \"%V\" in %s:%ui",
                          &cap[i]->name, cap[i]->file, cap[i]->line);
            return NGX_ERROR;
        }

        if (mcf->store == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no \"cmp_store\" is defined for cmp_ca \"%V\" "
                          "in %s:%ui",
                          &cap[i]->name, cap[i]->file, cap[i]->line);
            return NGX_ERROR;
        }

        if (ngx_http_cmp_ca_init_one(cf, mcf, cap[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_ca_init_one(ngx_conf_t *cf, ngx_http_cmp_main_conf_t *mcf,
    ngx_http_cmp_ca_t *ca)
{
    char        err[NGX_HTTP_CMP_ERR_LEN];
    size_t      i;
    cmp_ca_t   *c;

    c = &ca->ca;

    c->anchors = ca->anchors.elts;
    c->nanchors = ca->anchors.nelts;
    c->ras = ca->ras.elts;
    c->nras = ca->ras.nelts;

    if (ngx_http_cmp_previous_init(cf, ca) != NGX_OK
        || ngx_http_cmp_ca_init_key(&ca->key, c->current.certificate,
                                 &c->current.key)
           != NGX_OK
        || ngx_http_cmp_ca_init_key(&ca->response_key, c->response_certificate,
                                    &c->response_key)
           != NGX_OK
        || ngx_http_cmp_ca_init_profiles(cf, ca) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ca->ocsp_delegated && mcf->store->key_set == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "cmp_ca \"%V\": \"responder=delegated\" needs \"key=\" "
                      "in \"cmp_store\" in %s:%ui",
                      &ca->name, ca->file, ca->line);
        return NGX_ERROR;
    }

    c->current.key_later = (ca->key.store != 0);
    c->response_key_later = (ca->response_key.store != 0);

    err[0] = '\0';

    if (cmp_ca_finish(c, mcf->pool, err, sizeof(err)) != CMP_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "cmp_ca \"%V\": %s in %s:%ui",
                      &ca->name, (err[0] != '\0') ? err : "out of memory",
                      ca->file, ca->line);
        return NGX_ERROR;
    }

    /* how fast a token is nobody knows */

    if (ca->key.store) {
        c->current.slow = 1;
    }

    for (i = 0; i < c->nprevious; i++) {
        if (c->previous[i].key_later) {
            c->previous[i].slow = 1;
        }
    }

    if (ca->key.store || ca->response_key.store) {
        c->slow = 1;
    }

#if (NGX_THREADS)

    if (ca->thread_pool == NULL) {
        ca->thread_pool = ngx_http_cmp_ca_thread_pool_auto(cf);

        if (ca->thread_pool == NULL) {
            return NGX_ERROR;
        }
    }

#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_ca_init_profiles(ngx_conf_t *cf, ngx_http_cmp_ca_t *ca)
{
    ngx_uint_t                i;
    ngx_http_cmp_profile_t  **prfp;

    ca->ca.nprofiles = ca->profiles.nelts;
    ca->ca.profiles = ngx_palloc(cf->pool, ca->ca.nprofiles
                                           * sizeof(cmp_profile_t *));
    if (ca->ca.profiles == NULL) {
        return NGX_ERROR;
    }

    prfp = ca->profiles.elts;

    for (i = 0; i < ca->profiles.nelts; i++) {

        ca->ca.profiles[i] = &prfp[i]->profile;

        if (ngx_http_cmp_crl_profile(cf, ca, &ca->ca.profiles[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_ca_init_key(ngx_http_cmp_key_t *key, X509 *cert, EVP_PKEY **slot)
{
    if (cert == NULL) {
        return NGX_OK;
    }

    if (key->store) {

        *slot = X509_get_pubkey(cert);

        if (*slot == NULL) {
            cmp_crypto_error(NULL, 0);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    *slot = key->key;
    key->key = NULL;

    return NGX_OK;
}


#if (NGX_THREADS)

/*
 * The pool "cmp" of the configuration, or one with a thread for each core.
 * nginx makes pools in its own directive only, so that is what is run here.
 */

static ngx_thread_pool_t *
ngx_http_cmp_ca_thread_pool_auto(ngx_conf_t *cf)
{
    void               *conf;
    u_char             *p;
    ngx_str_t          *arg;
    ngx_uint_t          i;
    ngx_array_t        *save;
    ngx_module_t       *m;
    ngx_command_t      *cmd;
    ngx_thread_pool_t  *tp;

    tp = ngx_thread_pool_get(cf->cycle, &ngx_http_cmp_ca_pool_name);

    if (tp != NULL) {
        return tp;
    }

    m = NULL;

    for (i = 0; cf->cycle->modules[i]; i++) {

        m = cf->cycle->modules[i];

        if (ngx_strcmp(m->name, "ngx_thread_pool_module") == 0) {
            break;
        }
    }

    if (cf->cycle->modules[i] == NULL) {
        return NULL;
    }

    for (cmd = m->commands; cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, "thread_pool") == 0) {
            break;
        }
    }

    if (cmd->name.len == 0) {
        return NULL;
    }

    save = cf->args;

    cf->args = ngx_array_create(cf->pool, 3, sizeof(ngx_str_t));
    p = ngx_pnalloc(cf->pool, sizeof("threads=") + NGX_INT_T_LEN);

    if (cf->args == NULL || p == NULL) {
        cf->args = save;
        return NULL;
    }

    arg = ngx_array_push_n(cf->args, 3);

    arg[0] = cmd->name;
    arg[1] = ngx_http_cmp_ca_pool_name;
    arg[2].data = p;
    arg[2].len = ngx_sprintf(p, "threads=%i%Z", ngx_max(ngx_ncpu, 1)) - p - 1;

    conf = ngx_get_conf(cf->cycle->conf_ctx, (*m));

    if (cmd->set(cf, cmd, conf) == NGX_CONF_OK) {
        tp = ngx_thread_pool_get(cf->cycle, &ngx_http_cmp_ca_pool_name);
    }

    cf->args = save;

    return tp;
}

#endif
