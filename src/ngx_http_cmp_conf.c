
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <ngx_http_cmp_module.h>
#include <cmp_name.h>


static ngx_int_t ngx_http_cmp_conf_args(ngx_conf_t *cf, ngx_command_t *cmd);


static ngx_uint_t  ngx_http_cmp_argument_number[] = {
    NGX_CONF_NOARGS,
    NGX_CONF_TAKE1,
    NGX_CONF_TAKE2,
    NGX_CONF_TAKE3,
    NGX_CONF_TAKE4,
    NGX_CONF_TAKE5,
    NGX_CONF_TAKE6,
    NGX_CONF_TAKE7
};


char *
ngx_http_cmp_conf_setting(ngx_conf_t *cf, ngx_command_t *commands, void *conf)
{
    char           *rv;
    ngx_str_t      *value;
    ngx_command_t  *cmd;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_conf_include(cf, NULL, conf);
    }

    for (cmd = commands; cmd->name.len; cmd++) {

        if (value[0].len != cmd->name.len
            || ngx_strcmp(value[0].data, cmd->name.data) != 0)
        {
            continue;
        }

        if (ngx_http_cmp_conf_args(cf, cmd) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in "
                               "\"%V\" directive", &value[0]);
            return NGX_CONF_ERROR;
        }

        rv = cmd->set(cf, cmd, conf);

        if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
            return rv;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s",
                           &value[0], rv);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown directive \"%V\"",
                       &value[0]);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_cmp_conf_args(ngx_conf_t *cf, ngx_command_t *cmd)
{
    ngx_uint_t  n;

    n = cf->args->nelts;

    if (cmd->type & NGX_CONF_FLAG) {
        return (n == 2) ? NGX_OK : NGX_ERROR;
    }

    if (cmd->type & NGX_CONF_1MORE) {
        return (n >= 2) ? NGX_OK : NGX_ERROR;
    }

    if (n > NGX_CONF_MAX_ARGS) {
        return NGX_ERROR;
    }

    return (cmd->type & ngx_http_cmp_argument_number[n - 1]) ? NGX_OK
                                                             : NGX_ERROR;
}


ngx_int_t
ngx_http_cmp_conf_once(ngx_conf_t *cf, ngx_uint_t first)
{
    size_t       len;
    ngx_str_t   *value, name;
    ngx_uint_t   i, n;

    value = cf->args->elts;

    for (i = first + 1; i < cf->args->nelts; i++) {

        len = strcspn((char *) value[i].data, "=");

        for (n = first; n < i; n++) {

            if (strcspn((char *) value[n].data, "=") == len
                && ngx_strncmp(value[n].data, value[i].data, len) == 0)
            {
                name.data = value[i].data;
                name.len = len;

                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate parameter \"%V\"", &name);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_conf_name(ngx_conf_t *cf, ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    if (name->len == 0 || name->len > NGX_HTTP_CMP_NAME_LEN) {
        goto invalid;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9')
            || ch == '-' || ch == '_' || (ch == '.' && i != 0))
        {
            continue;
        }

        goto invalid;
    }

    return NGX_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid name \"%V\": up to %d letters, digits, "
                       "\"-\", \"_\" and \".\" are allowed",
                       name, NGX_HTTP_CMP_NAME_LEN);
    return NGX_ERROR;
}


STACK_OF(X509) *
ngx_http_cmp_conf_certificates(ngx_conf_t *cf)
{
    char             err[NGX_HTTP_CMP_ERR_LEN];
    ngx_str_t       *value;
    STACK_OF(X509)  *certs;

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NULL;
    }

    certs = NULL;
    err[0] = '\0';

    if (cmp_ca_read_certificates((char *) value[1].data, &certs, err,
                                 sizeof(err))
        != CMP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load certificate \"%V\": %s",
                           &value[1], err);
        return NULL;
    }

    return certs;
}


void *
ngx_http_cmp_conf_add(ngx_conf_t *cf, ngx_array_t *list, size_t size)
{
    void  *object, **place;

    object = ngx_pcalloc(cf->pool, size);
    place = ngx_array_push(list);

    if (object == NULL || place == NULL) {
        return NULL;
    }

    *place = object;

    return object;
}


ngx_int_t
ngx_http_cmp_conf_push(ngx_conf_t *cf, cmp_str_t **list, size_t *n,
    u_char *data, size_t len)
{
    u_char     *copy;
    cmp_str_t  *str;

    /* the lists of a configuration are short: each time a new array */

    str = ngx_pcalloc(cf->pool, (*n + 1) * sizeof(cmp_str_t));
    if (str == NULL) {
        return NGX_ERROR;
    }

    copy = ngx_pnalloc(cf->pool, len + 1);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, data, len);
    copy[len] = '\0';

    if (*n != 0) {
        ngx_memcpy(str, *list, *n * sizeof(cmp_str_t));
    }

    str[*n].data = copy;
    str[*n].len = len;

    *list = str;
    (*n)++;

    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_conf_url(ngx_conf_t *cf, ngx_str_t *url)
{
    const char  *reason;

    reason = "is too long";

    if (url->len <= NGX_HTTP_CMP_URL_LEN) {
        reason = cmp_uri_check(url->data, url->len);
    }

    if (reason == NULL) {

        if (ngx_strncmp(url->data, "http://", 7) == 0
            || ngx_strncmp(url->data, "https://", 8) == 0
            || ngx_strncmp(url->data, "ldap://", 7) == 0)
        {
            return NGX_OK;
        }

        reason = "begins with none of http://, https:// and ldap://";
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid URL \"%V\": it %s", url,
                       reason);

    return NGX_ERROR;
}
