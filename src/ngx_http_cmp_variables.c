
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What an exchange was about, for access logs, limits and the error log.
 */


#include <ngx_http_cmp_request.h>


#define NGX_HTTP_CMP_LOG_LEN      300


typedef enum {
    NGX_HTTP_CMP_VAR_CA = 0,
    NGX_HTTP_CMP_VAR_PROFILE,
    NGX_HTTP_CMP_VAR_OPERATION,
    NGX_HTTP_CMP_VAR_TRANSACTION_ID,
    NGX_HTTP_CMP_VAR_SENDER,
    NGX_HTTP_CMP_VAR_STATUS,
    NGX_HTTP_CMP_VAR_FAIL_INFO,
    NGX_HTTP_CMP_VAR_SERIAL
} ngx_http_cmp_var_e;


static ngx_int_t ngx_http_cmp_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cmp_variable_ca(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_cmp_variable_text(ngx_http_variable_value_t *v,
    const char *text);
static void ngx_http_cmp_variable_str(ngx_http_variable_value_t *v,
    const cmp_str_t *str);
static ngx_int_t ngx_http_cmp_variable_hex(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const cmp_str_t *str);
static ngx_uint_t ngx_http_cmp_log_level(const cmp_exchange_info_t *info);
static u_char *ngx_http_cmp_escape(u_char *buf, u_char *last,
    const u_char *data, size_t len);


static ngx_http_variable_t  ngx_http_cmp_vars[] = {

    { ngx_string("cmp_ca"), NULL, ngx_http_cmp_variable_ca,
      NGX_HTTP_CMP_VAR_CA, 0, 0 },

    { ngx_string("cmp_profile"), NULL, ngx_http_cmp_variable,
      NGX_HTTP_CMP_VAR_PROFILE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("cmp_operation"), NULL, ngx_http_cmp_variable,
      NGX_HTTP_CMP_VAR_OPERATION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("cmp_transaction_id"), NULL, ngx_http_cmp_variable,
      NGX_HTTP_CMP_VAR_TRANSACTION_ID, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("cmp_sender"), NULL, ngx_http_cmp_variable,
      NGX_HTTP_CMP_VAR_SENDER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("cmp_status"), NULL, ngx_http_cmp_variable,
      NGX_HTTP_CMP_VAR_STATUS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("cmp_fail_info"), NULL, ngx_http_cmp_variable,
      NGX_HTTP_CMP_VAR_FAIL_INFO, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("cmp_serial"), NULL, ngx_http_cmp_variable,
      NGX_HTTP_CMP_VAR_SERIAL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_cmp_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_cmp_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_http_cmp_ctx_t         *ctx;
    ngx_http_cmp_loc_conf_t    *lcf;
    const cmp_exchange_info_t  *info;

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = 0;
    v->data = (u_char *) "";

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_cmp_module);
    ctx = ngx_http_get_module_ctx(r, ngx_http_cmp_module);

    /*
     * "lcf": at a cmp_crl location the context is of another type; "aio": a
     * thread is writing there.
     */

    if (lcf->ca == NULL || ctx == NULL || ctx->exchange == NULL || r->aio) {
        v->not_found = 1;
        return NGX_OK;
    }

    info = cmp_exchange_info(ctx->exchange);

    switch (data) {

    case NGX_HTTP_CMP_VAR_PROFILE:
        ngx_http_cmp_variable_str(v, &info->profile);
        break;

    case NGX_HTTP_CMP_VAR_OPERATION:
        ngx_http_cmp_variable_text(v, info->operation);
        break;

    case NGX_HTTP_CMP_VAR_TRANSACTION_ID:
        return ngx_http_cmp_variable_hex(r, v, &info->transaction_id);

    case NGX_HTTP_CMP_VAR_SENDER:
        ngx_http_cmp_variable_str(v, &info->sender);
        break;

    case NGX_HTTP_CMP_VAR_STATUS:
        if (info->status >= 0) {
            ngx_http_cmp_variable_text(v, cmp_status_name(info->status));
        }
        break;

    case NGX_HTTP_CMP_VAR_FAIL_INFO:
        if (info->fail_info >= 0) {
            ngx_http_cmp_variable_text(v, cmp_fail_info_name(info->fail_info));
        }
        break;

    case NGX_HTTP_CMP_VAR_SERIAL:
        return ngx_http_cmp_variable_hex(r, v, &info->serial);

    default:
        break;
    }

    if (v->len == 0) {
        v->not_found = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_variable_ca(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_http_cmp_ca_t        *ca;
    ngx_http_cmp_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_cmp_module);

    ca = lcf->ca;

    if (ca == NULL && lcf->crl != NULL) {
        ca = lcf->crl->ca;
    }

    if (ca == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = ca->name.data;
    v->len = ca->name.len;

    return NGX_OK;
}


static void
ngx_http_cmp_variable_text(ngx_http_variable_value_t *v, const char *text)
{
    v->data = (u_char *) text;
    v->len = ngx_strlen(text);
}


static void
ngx_http_cmp_variable_str(ngx_http_variable_value_t *v, const cmp_str_t *str)
{
    v->data = str->data;
    v->len = str->len;
}


static ngx_int_t
ngx_http_cmp_variable_hex(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    const cmp_str_t *str)
{
    if (str->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, str->len * 2);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_hex_dump(v->data, str->data, str->len) - v->data;

    return NGX_OK;
}


void
ngx_http_cmp_log_refusal(ngx_http_cmp_ctx_t *ctx)
{
    u_char                     *p, *last;
    u_char                      id[2 * 64 + 1], sender[NGX_HTTP_CMP_LOG_LEN];
    u_char                      text[NGX_HTTP_CMP_LOG_LEN];
    const cmp_exchange_info_t  *info;

    if (ctx->next == CMP_EXCHANGE_FORBIDDEN) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "cmp_ca \"%V\": announcement not accepted",
                      &ctx->ca->name);
        return;
    }

    info = cmp_exchange_info(ctx->exchange);

    if (info->text == NULL || ctx->unavailable) {
        return;
    }

    p = ngx_hex_dump(id, info->transaction_id.data,
                     ngx_min(info->transaction_id.len, 64));
    *p = '\0';

    last = sender + sizeof(sender) - 1;
    p = ngx_http_cmp_escape(sender, last, info->sender.data, info->sender.len);
    *p = '\0';

    last = text + sizeof(text) - 1;
    p = ngx_http_cmp_escape(text, last, (u_char *) info->text,
                            ngx_strlen(info->text));

    if (info->log != NULL && info->log[0] != '\0' && last - p > 4) {
        p = ngx_cpymem(p, " (", 2);
        p = ngx_http_cmp_escape(p, last - 1, (u_char *) info->log,
                                ngx_strlen(info->log));
        *p++ = ')';
    }

    *p = '\0';

    ngx_log_error(ngx_http_cmp_log_level(info),
                  ctx->request->connection->log, 0,
                  "cmp_ca \"%V\": %s refused, %s: %s, transaction \"%s\", "
                  "sender \"%s\"",
                  &ctx->ca->name, info->operation,
                  cmp_fail_info_name(info->fail_info), text, id, sender);
}


static ngx_uint_t
ngx_http_cmp_log_level(const cmp_exchange_info_t *info)
{
    if (info->mac_failed) {
        return NGX_LOG_WARN;
    }

    if (info->authenticated) {
        return NGX_LOG_INFO;
    }

    switch (info->fail_info) {

    case CMP_FAIL_BAD_MESSAGE_CHECK:
    case CMP_FAIL_SIGNER_NOT_TRUSTED:
    case CMP_FAIL_WRONG_INTEGRITY:
    case CMP_FAIL_CERT_REVOKED:
        return NGX_LOG_WARN;

    default:
        return NGX_LOG_INFO;
    }
}


/* what came from a client as printable text; returns the end */

static u_char *
ngx_http_cmp_escape(u_char *buf, u_char *last, const u_char *data, size_t len)
{
    static u_char  hex[] = "0123456789ABCDEF";

    while (len-- != 0) {

        if (*data < 0x20 || *data >= 0x7f || *data == '"'
            || *data == '\\')
        {

            if (last - buf < 4) {
                break;
            }

            *buf++ = '\\';
            *buf++ = 'x';
            *buf++ = hex[*data >> 4];
            *buf++ = hex[*data & 0xf];

        } else {

            if (buf == last) {
                break;
            }

            *buf++ = *data;
        }

        data++;
    }

    return buf;
}
