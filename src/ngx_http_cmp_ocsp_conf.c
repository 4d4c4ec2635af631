
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The directives cmp_ocsp and cmp_ocsp_cache, the settings "ocsp" and
 * "ca_issuers_url" of cmp_ca.
 */


#include <ngx_http_cmp_module.h>


#define NGX_HTTP_CMP_OCSP_LIFETIME  3600         /* s */
#define NGX_HTTP_CMP_OCSP_SIZE      (10 * 1024 * 1024)


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


/* ocsp [url=URL] [lifetime=time] */

char *
ngx_http_cmp_ca_ocsp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    time_t       lifetime;
    ngx_str_t   *value, s;
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

        if (ngx_strncmp(value[i].data, "url=", 4) == 0) {
            s.data = value[i].data + 4;
            s.len = value[i].len - 4;

            if (ngx_http_cmp_conf_url(cf, &s) != NGX_OK
                || ngx_http_cmp_conf_push(cf, &ca->ca.ocsp_urls,
                                          &ca->ca.nocsp_urls, s.data, s.len)
                   != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "lifetime=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            lifetime = ngx_parse_time(&s, 1);

            if (lifetime != (time_t) NGX_ERROR && lifetime > 0) {
                ca->ca.ocsp_lifetime = (int64_t) lifetime * 1000;
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
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
