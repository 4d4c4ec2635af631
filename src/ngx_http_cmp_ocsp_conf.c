
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The directives cmp_ocsp and cmp_ocsp_cache, the settings "ocsp" and
 * "ca_issuers_url" of cmp_ca.
 */


#include <ngx_http_cmp_module.h>

#include <cmp_key.h>


#define NGX_HTTP_CMP_OCSP_SIZE      (10 * 1024 * 1024)
#define NGX_HTTP_CMP_OCSP_VALIDITY  10           /* s, the least */


static ngx_int_t ngx_http_cmp_ca_ocsp_parameter(ngx_conf_t *cf,
    ngx_http_cmp_ca_t *ca, ngx_str_t *word);
static ngx_int_t ngx_http_cmp_ca_ocsp_time(ngx_str_t *value, time_t min,
    int64_t *ms);
static ngx_int_t ngx_http_cmp_ca_ocsp_key(ngx_conf_t *cf,
    ngx_http_cmp_ca_t *ca, ngx_str_t *value);


char *
ngx_http_cmp_ocsp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_loc_conf_t *lcf = conf;

    ngx_http_cmp_main_conf_t  *mcf;

    if (lcf->ocsp != NULL) {
        return "is duplicate";
    }

    lcf->ocsp = ngx_http_cmp_location(cf, ngx_http_cmp_ocsp_handler, 0);

    if (lcf->ocsp == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->ocsp->ocsp_location = 1;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cmp_module);
    mcf->ocsp_used = 1;

    return NGX_CONF_OK;
}


/* cmp_ocsp_cache size|off */

char *
ngx_http_cmp_ocsp_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_main_conf_t *mcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (mcf->ocsp_size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        mcf->ocsp_size = 0;
        return NGX_CONF_OK;
    }

    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR) {
        return "invalid value";
    }

    if (size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cmp_ocsp_cache\" \"%V\" is too small",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    mcf->ocsp_size = size;

    return NGX_CONF_OK;
}


void
ngx_http_cmp_ocsp_defaults(ngx_http_cmp_main_conf_t *mcf)
{
    if (mcf->ocsp_size == NGX_CONF_UNSET_SIZE) {
        mcf->ocsp_size = NGX_HTTP_CMP_OCSP_SIZE;
    }
}


/*
 * ocsp [url=URL] [lifetime=time] [responder=ca|delegated]
 *      [responder_validity=time] [responder_key=kind]
 */

char *
ngx_http_cmp_ca_ocsp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (ca->ocsp_set) {
        return "is duplicate";
    }

    ca->ocsp_set = 1;

    if (ngx_http_cmp_conf_once(cf, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        switch (ngx_http_cmp_ca_ocsp_parameter(cf, ca, &value[i])) {

        case NGX_OK:
            continue;

        case NGX_DECLINED:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;

        default:
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ca->ocsp_delegated == 0
            && ngx_strncmp(value[i].data, "responder_", 10) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" needs \"responder=delegated\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* NGX_OK; NGX_DECLINED: invalid; NGX_ERROR, logged */

static ngx_int_t
ngx_http_cmp_ca_ocsp_parameter(ngx_conf_t *cf, ngx_http_cmp_ca_t *ca,
    ngx_str_t *word)
{
    ngx_str_t  s;

    if (ngx_strncmp(word->data, "url=", 4) == 0) {
        s.data = word->data + 4;
        s.len = word->len - 4;

        if (ngx_http_cmp_conf_url(cf, &s) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_cmp_conf_push(cf, &ca->ca.ocsp_urls,
                                      &ca->ca.nocsp_urls, s.data, s.len);
    }

    if (ngx_strncmp(word->data, "lifetime=", 9) == 0) {
        s.data = word->data + 9;
        s.len = word->len - 9;

        return ngx_http_cmp_ca_ocsp_time(&s, 1, &ca->ca.ocsp_lifetime);
    }

    if (ngx_strcmp(word->data, "responder=ca") == 0) {
        return NGX_OK;
    }

    if (ngx_strcmp(word->data, "responder=delegated") == 0) {
        ca->ocsp_delegated = 1;
        return NGX_OK;
    }

    if (ngx_strncmp(word->data, "responder_validity=", 19) == 0) {
        s.data = word->data + 19;
        s.len = word->len - 19;

        return ngx_http_cmp_ca_ocsp_time(&s, NGX_HTTP_CMP_OCSP_VALIDITY,
                                         &ca->ca.responder_validity);
    }

    if (ngx_strncmp(word->data, "responder_key=", 14) == 0) {
        s.data = word->data + 14;
        s.len = word->len - 14;

        return ngx_http_cmp_ca_ocsp_key(cf, ca, &s);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_cmp_ca_ocsp_time(ngx_str_t *value, time_t min, int64_t *ms)
{
    time_t  time;

    time = ngx_parse_time(value, 1);

    if (time == (time_t) NGX_ERROR || time < min) {
        return NGX_DECLINED;
    }

    *ms = (int64_t) time * 1000;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_ca_ocsp_key(ngx_conf_t *cf, ngx_http_cmp_ca_t *ca,
    ngx_str_t *value)
{
    char             err[NGX_HTTP_CMP_ERR_LEN];
    cmp_str_t        word;
    cmp_key_rule_t  *rule;

    rule = &ca->ca.responder_key;

    word.data = value->data;
    word.len = value->len;

    if (cmp_key_rule_parse(&word, rule, err, sizeof(err)) != CMP_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err);
        return NGX_ERROR;
    }

    if ((cmp_key_usages(rule->nid) & KU_DIGITAL_SIGNATURE) == 0
        || rule->min != rule->max)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no kind of key that one can be made of "
                           "to sign with", value);
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_cmp_ca_issuers_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (ca->ca.nca_issuer_urls != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_cmp_conf_url(cf, &value[i]) != NGX_OK
            || ngx_http_cmp_conf_push(cf, &ca->ca.ca_issuer_urls,
                                      &ca->ca.nca_issuer_urls, value[i].data,
                                      value[i].len)
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
