
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * cmp_ca NAME { ... }
 */


#include <ngx_http_cmp_module.h>


static char *ngx_http_cmp_ca_setting(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_ca_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_ca_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_ca_trusted_crl(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_ca_profile_names(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_ca_time_window(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_ca_thread_pool(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_ca_end(ngx_conf_t *cf, ngx_http_cmp_ca_t *ca);
static void ngx_http_cmp_ca_cleanup(void *data);


static ngx_conf_enum_t  ngx_http_cmp_ca_conformance[] = {
    { ngx_string("rfc9810"), CMP_RFC9810 },
    { ngx_string("rfc9483"), CMP_RFC9483 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_cmp_ca_error_protection[] = {
    { ngx_string("mac"), 0 },
    { ngx_string("signature"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_cmp_ca_pubs[] = {
    { ngx_string("mac"), 0 },
    { ngx_string("always"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_cmp_ca_unavailable_status[] = {
    { ngx_string("200"), NGX_HTTP_OK },
    { ngx_string("503"), NGX_HTTP_SERVICE_UNAVAILABLE },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_cmp_ca_requests_bounds = {
    ngx_conf_check_num_bounds, 1, 64
};


static ngx_conf_num_bounds_t  ngx_http_cmp_ca_iterations_bounds = {
    ngx_conf_check_num_bounds, 100, 10000000
};


static ngx_conf_num_bounds_t  ngx_http_cmp_ca_refusals_bounds = {
    ngx_conf_check_num_bounds, 0, 100000
};


static ngx_command_t  ngx_http_cmp_ca_commands[] = {

    { ngx_string("certificate"),
      NGX_CONF_TAKE1,
      ngx_http_cmp_ca_certificate,
      0,
      offsetof(ngx_http_cmp_ca_t, ca.current.certificate),
      NULL },

    { ngx_string("certificate_key"),
      NGX_CONF_TAKE12,
      ngx_http_cmp_ca_key,
      0,
      offsetof(ngx_http_cmp_ca_t, key),
      NULL },

    { ngx_string("previous_certificate"),
      NGX_CONF_TAKE1,
      ngx_http_cmp_previous_certificate,
      0,
      0,
      NULL },

    { ngx_string("previous_certificate_key"),
      NGX_CONF_TAKE12,
      ngx_http_cmp_previous_key,
      0,
      0,
      NULL },

    { ngx_string("response_certificate"),
      NGX_CONF_TAKE1,
      ngx_http_cmp_ca_certificate,
      0,
      offsetof(ngx_http_cmp_ca_t, ca.response_certificate),
      NULL },

    { ngx_string("response_certificate_key"),
      NGX_CONF_TAKE12,
      ngx_http_cmp_ca_key,
      0,
      offsetof(ngx_http_cmp_ca_t, response_key),
      NULL },

    { ngx_string("trusted_certificate"),
      NGX_CONF_1MORE,
      ngx_http_cmp_trusted_certificate,
      0,
      offsetof(ngx_http_cmp_ca_t, anchors),
      NULL },

    { ngx_string("trusted_crl"),
      NGX_CONF_TAKE1,
      ngx_http_cmp_ca_trusted_crl,
      0,
      0,
      NULL },

    { ngx_string("ra_certificate"),
      NGX_CONF_1MORE,
      ngx_http_cmp_ra_certificate,
      0,
      offsetof(ngx_http_cmp_ca_t, ras),
      NULL },

    { ngx_string("profile"),
      NGX_CONF_1MORE,
      ngx_http_cmp_ca_profile_names,
      0,
      0,
      NULL },

    { ngx_string("conformance"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, conformance),
      &ngx_http_cmp_ca_conformance },

    { ngx_string("time_window"),
      NGX_CONF_TAKE1,
      ngx_http_cmp_ca_time_window,
      0,
      offsetof(ngx_http_cmp_ca_t, time_window),
      NULL },

    { ngx_string("transaction_memory"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, transaction_memory),
      NULL },

    { ngx_string("confirm_timeout"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, confirm_timeout),
      NULL },

    { ngx_string("approval_timeout"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, approval_timeout),
      NULL },

    { ngx_string("check_after"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, check_after),
      NULL },

    { ngx_string("genm_approval"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, genm_approval),
      &ngx_http_cmp_approval },

    { ngx_string("max_message_size"),
      NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, max_message_size),
      NULL },

    { ngx_string("max_requests"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, max_requests),
      &ngx_http_cmp_ca_requests_bounds },

    { ngx_string("max_iterations"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, max_iterations),
      &ngx_http_cmp_ca_iterations_bounds },

    { ngx_string("mac_sha1"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, mac_sha1),
      NULL },

    { ngx_string("error_protection"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, error_protection),
      &ngx_http_cmp_ca_error_protection },

    { ngx_string("unprotected_genm"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, unprotected_genm),
      NULL },

    { ngx_string("ca_pubs"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, ca_pubs),
      &ngx_http_cmp_ca_pubs },

    { ngx_string("extra_certs_root"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, extra_certs_root),
      NULL },

    { ngx_string("thread_pool"),
      NGX_CONF_TAKE12,
      ngx_http_cmp_ca_thread_pool,
      0,
      0,
      NULL },

    { ngx_string("ocsp"),
      NGX_CONF_1MORE,
      ngx_http_cmp_ca_ocsp,
      0,
      0,
      NULL },

    { ngx_string("ca_issuers_url"),
      NGX_CONF_1MORE,
      ngx_http_cmp_ca_issuers_url,
      0,
      0,
      NULL },

    { ngx_string("crl"),
      NGX_CONF_1MORE,
      ngx_http_cmp_ca_crl,
      0,
      0,
      NULL },

    { ngx_string("refusal_signatures"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, refusal_signatures),
      &ngx_http_cmp_ca_refusals_bounds },

    { ngx_string("unavailable_status"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_cmp_ca_t, unavailable_status),
      &ngx_http_cmp_ca_unavailable_status },

      ngx_null_command
};


ngx_http_cmp_ca_t *
ngx_http_cmp_ca_add(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_cmp_ca_t          *ca, **cap;
    ngx_pool_cleanup_t         *cln;
    ngx_http_cmp_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cmp_module);

    cap = mcf->cas.elts;

    for (i = 0; i < mcf->cas.nelts; i++) {
        if (cap[i]->name.len == name->len
            && ngx_strncmp(cap[i]->name.data, name->data, name->len) == 0)
        {
            return cap[i];
        }
    }

    /* set by ngx_pcalloc(): the arrays, the state of the worker */

    ca = ngx_pcalloc(cf->pool, sizeof(ngx_http_cmp_ca_t));
    if (ca == NULL) {
        return NULL;
    }

    cmp_ca_init(&ca->ca);

    ca->ca.name.data = name->data;
    ca->ca.name.len = name->len;

    ca->name = *name;
    ca->file = cf->conf_file->file.name.data;
    ca->line = cf->conf_file->line;

    ca->conformance = NGX_CONF_UNSET_UINT;
    ca->time_window = NGX_CONF_UNSET_MSEC;
    ca->transaction_memory = NGX_CONF_UNSET_MSEC;
    ca->confirm_timeout = NGX_CONF_UNSET_MSEC;
    ca->approval_timeout = NGX_CONF_UNSET_MSEC;
    ca->check_after = NGX_CONF_UNSET_MSEC;
    ca->genm_approval = NGX_CONF_UNSET_UINT;
    ca->max_message_size = NGX_CONF_UNSET_SIZE;
    ca->max_requests = NGX_CONF_UNSET;
    ca->max_iterations = NGX_CONF_UNSET;
    ca->mac_sha1 = NGX_CONF_UNSET;
    ca->error_protection = NGX_CONF_UNSET_UINT;
    ca->unprotected_genm = NGX_CONF_UNSET;
    ca->ca_pubs = NGX_CONF_UNSET_UINT;
    ca->extra_certs_root = NGX_CONF_UNSET;
    ca->refusal_signatures = NGX_CONF_UNSET;
    ca->unavailable_status = NGX_CONF_UNSET_UINT;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_cmp_ca_cleanup;
    cln->data = ca;

    if (ngx_array_init(&ca->anchors, cf->pool, 4, sizeof(cmp_trusted_t))
        != NGX_OK
        || ngx_array_init(&ca->ras, cf->pool, 4, sizeof(cmp_trusted_t))
           != NGX_OK
        || ngx_array_init(&ca->previous, cf->pool, 2,
                          sizeof(ngx_http_cmp_previous_t))
           != NGX_OK
        || ngx_array_init(&ca->profiles, cf->pool, 4,
                          sizeof(ngx_http_cmp_profile_t *))
           != NGX_OK)
    {
        return NULL;
    }

    cap = ngx_array_push(&mcf->cas);
    if (cap == NULL) {
        return NULL;
    }

    *cap = ca;

    return ca;
}


static void
ngx_http_cmp_ca_cleanup(void *data)
{
    ngx_http_cmp_ca_t *ca = data;

    /* the arrays move while they grow */

    ca->ca.anchors = ca->anchors.elts;
    ca->ca.nanchors = ca->anchors.nelts;
    ca->ca.ras = ca->ras.elts;
    ca->ca.nras = ca->ras.nelts;

    if (ca->ca.current.key == NULL) {
        ca->ca.current.key = ca->key.key;
    }

    if (ca->ca.response_key == NULL) {
        ca->ca.response_key = ca->response_key.key;
    }

    ngx_http_cmp_previous_cleanup(ca);

    cmp_ca_cleanup(&ca->ca);
}


char *
ngx_http_cmp_ca_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char               *rv;
    ngx_str_t          *value;
    ngx_conf_t          save;
    ngx_http_cmp_ca_t  *ca;

    value = cf->args->elts;

    if (ngx_http_cmp_conf_name(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ca = ngx_http_cmp_ca_add(cf, &value[1]);
    if (ca == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ca->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate cmp_ca \"%V\"",
                           &ca->name);
        return NGX_CONF_ERROR;
    }

    ca->defined = 1;
    ca->file = cf->conf_file->file.name.data;
    ca->line = cf->conf_file->line;

    save = *cf;
    cf->handler = ngx_http_cmp_ca_setting;
    cf->handler_conf = (char *) ca;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_cmp_ca_end(cf, ca);
}


static char *
ngx_http_cmp_ca_setting(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_cmp_conf_setting(cf, ngx_http_cmp_ca_commands, conf);
}


static char *
ngx_http_cmp_ca_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    X509            **cert;
    ngx_str_t        *value;
    STACK_OF(X509)   *certs, **chain;

    cert = (X509 **) ((char *) conf + cmd->offset);

    chain = (cert == &ca->ca.current.certificate) ? &ca->ca.chain
                                          : &ca->ca.response_chain;

    if (*cert != NULL) {
        return "is duplicate";
    }

    certs = ngx_http_cmp_conf_certificates(cf);
    if (certs == NULL) {
        return NGX_CONF_ERROR;
    }

    *cert = sk_X509_shift(certs);
    *chain = certs;

    if (*cert == NULL) {
        value = cf->args->elts;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no certificate in \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_cmp_ca_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_key_t  *key;

    key = (ngx_http_cmp_key_t *) ((char *) conf + cmd->offset);

    return ngx_http_cmp_key_set(cf, key);
}


static char *
ngx_http_cmp_ca_trusted_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    char                 err[NGX_HTTP_CMP_ERR_LEN];
    X509_CRL            *crl;
    ngx_str_t           *value;
    STACK_OF(X509_CRL)  *crls;

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    crls = NULL;
    err[0] = '\0';

    if (cmp_ca_read_crls((char *) value[1].data, &crls, err, sizeof(err))
        != CMP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "cannot load CRL \"%V\": %s",
                           &value[1], err);
        return NGX_CONF_ERROR;
    }

    if (ca->ca.crls == NULL) {
        ca->ca.crls = crls;
        return NGX_CONF_OK;
    }

    while ((crl = sk_X509_CRL_shift(crls)) != NULL) {

        if (sk_X509_CRL_push(ca->ca.crls, crl) == 0) {
            X509_CRL_free(crl);
            sk_X509_CRL_pop_free(crls, X509_CRL_free);
            cmp_crypto_error(NULL, 0);
            return NGX_CONF_ERROR;
        }
    }

    sk_X509_CRL_free(crls);

    return NGX_CONF_OK;
}


static char *
ngx_http_cmp_ca_profile_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    ngx_str_t               *value;
    ngx_uint_t               i, n;
    ngx_http_cmp_profile_t  *prf, **prfp;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_cmp_conf_name(cf, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        prf = ngx_http_cmp_profile_add(cf, &value[i]);
        if (prf == NULL) {
            return NGX_CONF_ERROR;
        }

        prfp = ca->profiles.elts;

        for (n = 0; n < ca->profiles.nelts; n++) {
            if (prfp[n] == prf) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate profile \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        prfp = ngx_array_push(&ca->profiles);
        if (prfp == NULL) {
            return NGX_CONF_ERROR;
        }

        *prfp = prf;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_cmp_ca_time_window(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ca->time_window == NGX_CONF_UNSET_MSEC
        && ngx_strcmp(value[1].data, "off") == 0)
    {
        ca->time_window = 0;
        return NGX_CONF_OK;
    }

    return ngx_conf_set_msec_slot(cf, cmd, conf);
}


static char *
ngx_http_cmp_ca_thread_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (ca->thread_set) {
        return "is duplicate";
    }

    ca->thread_set = 1;

    value = cf->args->elts;

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "queue=", 6) != 0) {
            goto invalid;
        }

        n = ngx_atoi(value[2].data + 6, value[2].len - 6);

        if (n == NGX_ERROR || n == 0 || n > 65536) {
            goto invalid;
        }

        ca->thread_queue = n;
    }

    if (ngx_strcmp(value[1].data, "auto") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ca->ca.inline_sign = 1;
        return NGX_CONF_OK;
    }

#if (NGX_THREADS)

    ca->thread_pool = ngx_thread_pool_add(cf, &value[1]);

    return (ca->thread_pool != NULL) ? NGX_CONF_OK : NGX_CONF_ERROR;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"thread_pool\" is unsupported on this platform");
    return NGX_CONF_ERROR;

#endif

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       &value[2]);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_cmp_ca_end(ngx_conf_t *cf, ngx_http_cmp_ca_t *ca)
{
    const char               *missing;
    ngx_http_cmp_previous_t  *previous;

    missing = NULL;
    previous = ca->previous.elts;

    if (ca->ca.current.certificate == NULL) {
        missing = "certificate";

    } else if (ca->key.name.len == 0) {
        missing = "certificate_key";

    } else if (ca->profiles.nelts == 0) {
        missing = "profile";

    } else if (ca->response_key.name.len != 0
               && ca->ca.response_certificate == NULL)
    {
        missing = "response_certificate";

    } else if (ca->ca.response_certificate != NULL
               && ca->response_key.name.len == 0)
    {
        missing = "response_certificate_key";

    } else if (ca->previous.nelts != 0
               && previous[ca->previous.nelts - 1].key.name.len == 0)
    {
        missing = "previous_certificate_key";
    }

    if (missing != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"%s\" is defined in cmp_ca \"%V\"",
                           missing, &ca->name);
        return NGX_CONF_ERROR;
    }

    ngx_http_cmp_ca_defaults(ca);

    return NGX_CONF_OK;
}
