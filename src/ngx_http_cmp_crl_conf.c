
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The directive cmp_crl, and the setting "crl" of cmp_ca.
 */


#include <ngx_http_cmp_module.h>


typedef struct {
    ngx_str_t   name;
    size_t      offset;         /* of an int64_t in the cmp_ca_t */
} ngx_http_cmp_crl_time_t;


static ngx_int_t ngx_http_cmp_crl_word(ngx_str_t *word, const char *name,
    ngx_str_t *value);
static ngx_int_t ngx_http_cmp_crl_partition(ngx_conf_t *cf,
    ngx_http_cmp_crl_conf_t *ccf, ngx_str_t *value);
static ngx_int_t ngx_http_cmp_crl_time(ngx_http_cmp_ca_t *ca,
    ngx_str_t *word);
static ngx_int_t ngx_http_cmp_crl_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_uint_t partitions, cmp_str_t *url);


static ngx_http_cmp_crl_time_t  ngx_http_cmp_crl_times[] = {
    { ngx_string("lifetime="), offsetof(cmp_ca_t, crl_lifetime) },
    { ngx_string("refresh="), offsetof(cmp_ca_t, crl_refresh) },
    { ngx_string("delta="), offsetof(cmp_ca_t, crl_delta) },
    { ngx_null_string, 0 }
};


char *
ngx_http_cmp_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_loc_conf_t *lcf = conf;

    ngx_str_t                  s, *value;
    ngx_int_t                  n;
    ngx_uint_t                 i;
    ngx_http_cmp_crl_conf_t   *ccf;
    ngx_http_cmp_main_conf_t  *mcf;

    if (lcf->crl != NULL) {
        return "is duplicate";
    }

    if (ngx_http_cmp_conf_once(cf, 2) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cmp_module);

    ccf = ngx_http_cmp_conf_add(cf, &mcf->crls,
                                sizeof(ngx_http_cmp_crl_conf_t));
    if (ccf == NULL) {
        return NGX_CONF_ERROR;
    }

    ccf->file = cf->conf_file->file.name.data;
    ccf->line = cf->conf_file->line;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "format=pem") == 0) {
            ccf->pem = 1;

        } else if (ngx_strcmp(value[i].data, "delta") == 0) {
            ccf->delta = 1;

        } else if (ngx_http_cmp_crl_word(&value[i], "previous=", &s)
                   == NGX_OK)
        {
            n = ngx_atoi(s.data, s.len);

            if (n == NGX_ERROR || n == 0 || n > 255) {
                goto invalid;
            }

            ccf->previous = n;

        } else if (ngx_http_cmp_crl_word(&value[i], "partition=", &s)
                   == NGX_OK)
        {
            if (s.len == 0) {
                goto invalid;
            }

            if (ngx_http_cmp_crl_partition(cf, ccf, &s) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

        } else if (ngx_strcmp(value[i].data, "format=der") != 0) {
            goto invalid;
        }
    }

    ccf->ca = ngx_http_cmp_location(cf, ngx_http_cmp_crl_handler, 1);
    if (ccf->ca == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->crl = ccf;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       &value[i]);
    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_cmp_crl_word(ngx_str_t *word, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (ngx_strncmp(word->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    value->data = word->data + len;
    value->len = word->len - len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_partition(ngx_conf_t *cf, ngx_http_cmp_crl_conf_t *ccf,
    ngx_str_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    ccf->partition = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (ccf->partition == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = ccf->partition;

    return ngx_http_compile_complex_value(&ccv);
}


char *
ngx_http_cmp_ca_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    ngx_int_t    n, rc;
    ngx_str_t    s, *value;
    ngx_uint_t   i;

    if (ca->crl_set) {
        return "is duplicate";
    }

    ca->crl_set = 1;

    if (ngx_http_cmp_conf_once(cf, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_cmp_crl_time(ca, &value[i]);

        if (rc == NGX_ERROR) {
            goto invalid;
        }

        if (rc == NGX_OK) {
            continue;
        }

        if (ngx_strcmp(value[i].data, "publish_on_revoke") == 0) {
            ca->crl_on_revoke = 1;

        } else if (ngx_http_cmp_crl_word(&value[i], "partitions=", &s)
                   == NGX_OK)
        {
            n = ngx_atoi(s.data, s.len);

            if (n == NGX_ERROR || n == 0 || n > CMP_CRL_MAX_PARTITIONS) {
                goto invalid;
            }

            ca->ca.crl_partitions = (int) n;

        } else if (ngx_http_cmp_crl_word(&value[i], "url=", &s) == NGX_OK) {

            ca->crl_url = s;

            if (ngx_http_cmp_conf_url(cf, &s) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

        } else if (ngx_http_cmp_crl_word(&value[i], "partition_url=", &s)
                   == NGX_OK)
        {
            if (ngx_http_cmp_crl_url(cf, &s, 1, &ca->ca.crl_partition_url)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

        } else if (ngx_http_cmp_crl_word(&value[i], "delta_url=", &s)
                   == NGX_OK)
        {
            if (ngx_http_cmp_crl_url(cf, &s, 0, &ca->ca.crl_delta_url)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

        } else {
            goto invalid;
        }
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       &value[i]);
    return NGX_CONF_ERROR;
}


/* NGX_DECLINED: it is none of the times */

static ngx_int_t
ngx_http_cmp_crl_time(ngx_http_cmp_ca_t *ca, ngx_str_t *word)
{
    ngx_int_t                 msec;
    ngx_str_t                 s;
    ngx_http_cmp_crl_time_t  *t;

    for (t = ngx_http_cmp_crl_times; t->name.len != 0; t++) {

        if (ngx_http_cmp_crl_word(word, (char *) t->name.data, &s) != NGX_OK) {
            continue;
        }

        msec = ngx_parse_time(&s, 0);

        if (msec == (ngx_int_t) NGX_ERROR || msec < 1000) {
            return NGX_ERROR;
        }

        *(int64_t *) ((char *) &ca->ca + t->offset) = msec;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* the placeholder is checked by the core, the rest as any URL */

static ngx_int_t
ngx_http_cmp_crl_url(ngx_conf_t *cf, ngx_str_t *value, ngx_uint_t partitions,
    cmp_str_t *url)
{
    if (ngx_http_cmp_conf_url(cf, value) != NGX_OK) {
        return NGX_ERROR;
    }

    url->data = value->data;
    url->len = value->len;

    if (partitions && cmp_crl_url_has_partition(url) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"" CMP_CRL_PLACEHOLDER "\" in \"%V\"", value);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* several CAs may use a profile, each has CRLs of its own */

ngx_int_t
ngx_http_cmp_crl_profile(ngx_conf_t *cf, ngx_http_cmp_ca_t *ca,
    cmp_profile_t **profile)
{
    cmp_profile_t  *p;

    if ((*profile)->ncrl_urls != 0
        || (ca->crl_url.len == 0 && ca->ca.crl_partition_url.len == 0
            && ca->ca.crl_delta_url.len == 0))
    {
        return NGX_OK;
    }

    p = ngx_palloc(cf->pool, sizeof(cmp_profile_t));
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = **profile;
    p->ca_crl_urls = 1;

    if (ca->crl_url.len != 0
        && ngx_http_cmp_conf_push(cf, &p->crl_urls, &p->ncrl_urls,
                                  ca->crl_url.data, ca->crl_url.len)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    *profile = p;

    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_crl_init_conf(ngx_conf_t *cf, ngx_http_cmp_main_conf_t *mcf)
{
    const char                *why;
    ngx_uint_t                 i;
    ngx_http_cmp_ca_t         *ca;
    ngx_http_cmp_crl_conf_t  **ccfp;

    ccfp = mcf->crls.elts;

    for (i = 0; i < mcf->crls.nelts; i++) {

        ca = ccfp[i]->ca;
        why = NULL;

        if (ccfp[i]->delta && ca->ca.crl_delta == 0) {
            why = "makes no delta CRLs: \"crl delta=time\" is not set";

        } else if (ccfp[i]->partition != NULL
                   && ca->ca.crl_partition_url.len == 0)
        {
            why = "has no partitions: \"crl partition_url=url\" is not set";

        } else if (ccfp[i]->previous > ca->ca.nprevious) {
            why = "has no such previous key";
        }

        if (why != NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"cmp_crl\": cmp_ca \"%V\" %s in %s:%ui",
                          &ca->name, why, ccfp[i]->file, ccfp[i]->line);
            return NGX_ERROR;
        }

        ca->crl_location = 1;

        if (ccfp[i]->partition == NULL) {
            ca->crl_whole = 1;
        }
    }

    return NGX_OK;
}
