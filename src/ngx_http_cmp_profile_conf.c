
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * cmp_profile NAME { ... }
 */


#include <ngx_http_cmp_module.h>


/* adds one word to a profile, as the parsers of cmp_profile.h do */

typedef int (*ngx_http_cmp_profile_word_pt)(cmp_profile_t *profile,
    cmp_pool_t *pool, const cmp_str_t *word, char *err, size_t size);


static char *ngx_http_cmp_profile_setting(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_profile_words(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_profile_ca(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_profile_ra(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_profile_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cmp_profile_end(ngx_conf_t *cf,
    ngx_http_cmp_profile_t *prf);


static ngx_conf_enum_t  ngx_http_cmp_profile_key_reuse[] = {
    { ngx_string("never"), CMP_KEY_REUSE_NEVER },
    { ngx_string("subject"), CMP_KEY_REUSE_SUBJECT },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  ngx_http_cmp_approval[] = {
    { ngx_string("off"), 0 },
    { ngx_string("manual"), 1 },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_cmp_profile_commands[] = {

    { ngx_string("validity"),
      NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, validity),
      NULL },

    { ngx_string("backdate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, backdate),
      NULL },

    { ngx_string("client_validity"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, client_validity),
      NULL },

    { ngx_string("key"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_words,
      0,
      0,
      cmp_profile_add_key },

    { ngx_string("key_usage"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_words,
      0,
      0,
      cmp_profile_add_key_usage },

    { ngx_string("ext_key_usage"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_words,
      0,
      0,
      cmp_profile_add_ext_key_usage },

    { ngx_string("subject"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_words,
      0,
      0,
      cmp_profile_add_subject },

    { ngx_string("san"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_words,
      0,
      0,
      cmp_profile_add_san },

    { ngx_string("san_required"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, san_required),
      NULL },

    { ngx_string("ca"),
      NGX_CONF_TAKE12,
      ngx_http_cmp_profile_ca,
      0,
      offsetof(ngx_http_cmp_profile_t, ca),
      NULL },

    { ngx_string("ra"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_ra,
      0,
      offsetof(ngx_http_cmp_profile_t, ra),
      NULL },

    { ngx_string("extension"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_words,
      0,
      0,
      cmp_profile_add_extension },

    { ngx_string("drop_extensions"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, drop_extensions),
      NULL },

    { ngx_string("update_names"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, update_names),
      NULL },

    { ngx_string("release_itself"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, release_itself),
      NULL },

    { ngx_string("implicit_confirm"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, implicit_confirm),
      NULL },

    { ngx_string("approval"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, approval),
      &ngx_http_cmp_approval },

    { ngx_string("revocation_approval"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, revocation_approval),
      &ngx_http_cmp_approval },

    { ngx_string("key_reuse"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_cmp_profile_t, key_reuse),
      &ngx_http_cmp_profile_key_reuse },

    { ngx_string("crl_url"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_url,
      0,
      offsetof(ngx_http_cmp_profile_t, profile.crl_urls),
      NULL },

    { ngx_string("ocsp_url"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_url,
      0,
      offsetof(ngx_http_cmp_profile_t, profile.ocsp_urls),
      NULL },

    { ngx_string("ca_issuers_url"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_url,
      0,
      offsetof(ngx_http_cmp_profile_t, profile.ca_issuer_urls),
      NULL },

    { ngx_string("policy"),
      NGX_CONF_1MORE,
      ngx_http_cmp_profile_words,
      0,
      0,
      cmp_profile_add_policy },

      ngx_null_command
};


ngx_http_cmp_profile_t *
ngx_http_cmp_profile_add(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_cmp_profile_t     *prf, **prfp;
    ngx_http_cmp_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cmp_module);

    prfp = mcf->profiles.elts;

    for (i = 0; i < mcf->profiles.nelts; i++) {
        if (prfp[i]->name.len == name->len
            && ngx_strncmp(prfp[i]->name.data, name->data, name->len) == 0)
        {
            return prfp[i];
        }
    }

    /*
     * set by ngx_pcalloc():
     *
     *     prf->profile = { 0 };
     *     prf->defined = 0;
     */

    prf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cmp_profile_t));
    if (prf == NULL) {
        return NULL;
    }

    prf->name = *name;
    prf->file = cf->conf_file->file.name.data;
    prf->line = cf->conf_file->line;
    prf->pool = mcf->pool;

    prf->profile.name.data = name->data;
    prf->profile.name.len = name->len;
    prf->profile.path_len = -1;

    prf->validity = NGX_CONF_UNSET;
    prf->backdate = NGX_CONF_UNSET;
    prf->client_validity = NGX_CONF_UNSET;
    prf->san_required = NGX_CONF_UNSET;
    prf->ca = NGX_CONF_UNSET;
    prf->ra = NGX_CONF_UNSET;
    prf->drop_extensions = NGX_CONF_UNSET;
    prf->update_names = NGX_CONF_UNSET;
    prf->release_itself = NGX_CONF_UNSET;
    prf->implicit_confirm = NGX_CONF_UNSET;
    prf->key_reuse = NGX_CONF_UNSET_UINT;
    prf->approval = NGX_CONF_UNSET_UINT;
    prf->revocation_approval = NGX_CONF_UNSET_UINT;

    prfp = ngx_array_push(&mcf->profiles);
    if (prfp == NULL) {
        return NULL;
    }

    *prfp = prf;

    return prf;
}


char *
ngx_http_cmp_profile_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                    *rv;
    ngx_str_t               *value;
    ngx_conf_t               save;
    ngx_http_cmp_profile_t  *prf;

    value = cf->args->elts;

    if (ngx_http_cmp_conf_name(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    prf = ngx_http_cmp_profile_add(cf, &value[1]);
    if (prf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (prf->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate cmp_profile \"%V\"",
                           &prf->name);
        return NGX_CONF_ERROR;
    }

    prf->defined = 1;

    save = *cf;
    cf->handler = ngx_http_cmp_profile_setting;
    cf->handler_conf = (char *) prf;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_cmp_profile_end(cf, prf);
}


static char *
ngx_http_cmp_profile_setting(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_cmp_conf_setting(cf, ngx_http_cmp_profile_commands, conf);
}


static char *
ngx_http_cmp_profile_words(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_profile_t *prf = conf;

    char                           err[NGX_HTTP_CMP_ERR_LEN];
    cmp_str_t                      word;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_cmp_profile_word_pt   add;

    add = (ngx_http_cmp_profile_word_pt) cmd->post;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        word.data = value[i].data;
        word.len = value[i].len;

        err[0] = '\0';

        if (add(&prf->profile, prf->pool, &word, err, sizeof(err)) != CMP_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\" directive%s%s",
                               &value[i], &value[0],
                               (err[0] != '\0') ? ": " : "", err);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_cmp_profile_ca(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_profile_t *prf = conf;

    char       *rv;
    ngx_int_t   n;
    ngx_str_t  *value;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || cf->args->nelts == 2) {
        return rv;
    }

    value = cf->args->elts;

    if (ngx_strncmp(value[2].data, "path_len=", 9) != 0 || prf->ca == 0) {
        goto invalid;
    }

    n = ngx_atoi(value[2].data + 9, value[2].len - 9);

    if (n == NGX_ERROR || n > 255) {
        goto invalid;
    }

    prf->profile.path_len = (int) n;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       &value[2]);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_cmp_profile_ra(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_profile_t *prf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || cf->args->nelts == 2) {
        return rv;
    }

    if (prf->ra == 0) {
        value = cf->args->elts;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    prf->profile.ra_scope = ngx_http_cmp_scope(cf, 2,
                                             NGX_HTTP_CMP_SCOPE_RA_PROFILE);

    return (prf->profile.ra_scope != NULL) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_cmp_profile_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_profile_t *prf = conf;

    size_t      *n;
    cmp_str_t  **list;
    ngx_str_t   *value;
    ngx_uint_t   i;

    list = (cmp_str_t **) ((char *) conf + cmd->offset);

    if (list == &prf->profile.crl_urls) {
        n = &prf->profile.ncrl_urls;

    } else if (list == &prf->profile.ocsp_urls) {
        n = &prf->profile.nocsp_urls;

    } else {
        n = &prf->profile.nca_issuer_urls;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_cmp_conf_url(cf, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_cmp_conf_push(cf, list, n, value[i].data, value[i].len)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_cmp_profile_end(ngx_conf_t *cf, ngx_http_cmp_profile_t *prf)
{
    char            err[NGX_HTTP_CMP_ERR_LEN];
    cmp_profile_t  *p;

    ngx_conf_init_value(prf->validity, 0);
    ngx_conf_init_value(prf->backdate, 60);
    ngx_conf_init_value(prf->client_validity, 0);
    ngx_conf_init_value(prf->san_required, 0);
    ngx_conf_init_value(prf->ca, 0);
    ngx_conf_init_value(prf->ra, 0);
    ngx_conf_init_value(prf->drop_extensions, 0);
    ngx_conf_init_value(prf->update_names, 0);
    ngx_conf_init_value(prf->release_itself, 0);
    ngx_conf_init_value(prf->implicit_confirm, 1);
    ngx_conf_init_uint_value(prf->key_reuse, CMP_KEY_REUSE_NEVER);
    ngx_conf_init_uint_value(prf->approval, 0);
    ngx_conf_init_uint_value(prf->revocation_approval, 0);

    p = &prf->profile;

    p->validity = prf->validity;
    p->backdate = prf->backdate;
    p->client_validity = prf->client_validity;
    p->san_required = prf->san_required;
    p->ca = prf->ca;
    p->ra = prf->ra;
    p->drop_extensions = prf->drop_extensions;
    p->update_names = prf->update_names;
    p->release_itself = prf->release_itself;
    p->implicit_confirm = prf->implicit_confirm;
    p->key_reuse = prf->key_reuse;
    p->approval = prf->approval;
    p->revocation_approval = prf->revocation_approval;

    err[0] = '\0';

    if (cmp_profile_finish(p, prf->pool, err, sizeof(err)) != CMP_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "cmp_profile \"%V\": %s",
                           &prf->name,
                           (err[0] != '\0') ? err : "out of memory");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
