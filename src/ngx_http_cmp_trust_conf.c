
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * trusted_certificate and ra_certificate: who may sign requests besides our
 * own end entities, and what for; the limits of the RAs that a profile makes.
 */


#include <ngx_http_cmp_module.h>


static char *ngx_http_cmp_trust(ngx_conf_t *cf, ngx_array_t *list,
    ngx_http_cmp_scope_e kind);
static ngx_int_t ngx_http_cmp_trust_scope(ngx_conf_t *cf, ngx_str_t *word,
    cmp_scope_t *scope, ngx_http_cmp_scope_e kind);
static ngx_int_t ngx_http_cmp_trust_profiles(ngx_conf_t *cf, ngx_str_t *names,
    cmp_scope_t *scope);
static ngx_int_t ngx_http_cmp_trust_reasons(ngx_str_t *names,
    cmp_scope_t *scope);
static ngx_uint_t ngx_http_cmp_trust_next(ngx_str_t *list, ngx_str_t *item);


typedef struct {
    ngx_str_t   name;
    ngx_uint_t  code;
} ngx_http_cmp_reason_t;


/* CRLReason, RFC 5280, 5.3.1 */

static ngx_http_cmp_reason_t  ngx_http_cmp_reasons[] = {
    { ngx_string("unspecified"), 0 },
    { ngx_string("keyCompromise"), 1 },
    { ngx_string("cACompromise"), 2 },
    { ngx_string("affiliationChanged"), 3 },
    { ngx_string("superseded"), 4 },
    { ngx_string("cessationOfOperation"), 5 },
    { ngx_string("certificateHold"), 6 },
    { ngx_string("removeFromCRL"), 8 },
    { ngx_string("privilegeWithdrawn"), 9 },
    { ngx_string("aACompromise"), 10 },
    { ngx_null_string, 0 }
};


char *
ngx_http_cmp_trusted_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    return ngx_http_cmp_trust(cf, &ca->anchors, NGX_HTTP_CMP_SCOPE_ANCHOR);
}


char *
ngx_http_cmp_ra_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    return ngx_http_cmp_trust(cf, &ca->ras, NGX_HTTP_CMP_SCOPE_RA);
}


static char *
ngx_http_cmp_trust(ngx_conf_t *cf, ngx_array_t *list,
    ngx_http_cmp_scope_e kind)
{
    X509            *cert;
    cmp_scope_t     *scope;
    cmp_trusted_t   *trusted;
    STACK_OF(X509)  *certs;

    scope = ngx_http_cmp_scope(cf, 2, kind);
    if (scope == NULL) {
        return NGX_CONF_ERROR;
    }

    certs = ngx_http_cmp_conf_certificates(cf);
    if (certs == NULL) {
        return NGX_CONF_ERROR;
    }

    while ((cert = sk_X509_shift(certs)) != NULL) {

        trusted = ngx_array_push(list);
        if (trusted == NULL) {
            X509_free(cert);
            sk_X509_pop_free(certs, X509_free);
            return NGX_CONF_ERROR;
        }

        trusted->cert = cert;
        trusted->scope = scope;
    }

    sk_X509_free(certs);

    return NGX_CONF_OK;
}


cmp_scope_t *
ngx_http_cmp_scope(ngx_conf_t *cf, ngx_uint_t first, ngx_http_cmp_scope_e kind)
{
    ngx_str_t    *value;
    ngx_uint_t    i;
    cmp_scope_t  *scope;

    scope = ngx_pcalloc(cf->pool, sizeof(cmp_scope_t));
    if (scope == NULL) {
        return NULL;
    }

    value = cf->args->elts;

    for (i = first; i < cf->args->nelts; i++) {

        if (ngx_http_cmp_trust_scope(cf, &value[i], scope, kind) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NULL;
        }
    }

    if (kind != NGX_HTTP_CMP_SCOPE_ANCHOR && scope->reasons == 0) {
        scope->reasons = 0x77f;
    }

    return scope;
}


static ngx_int_t
ngx_http_cmp_trust_scope(ngx_conf_t *cf, ngx_str_t *word, cmp_scope_t *scope,
    ngx_http_cmp_scope_e kind)
{
    ngx_str_t   value;
    ngx_uint_t  ra;

    ra = (kind != NGX_HTTP_CMP_SCOPE_ANCHOR);

    /* the state of what this CA made is in the store */

    if (kind != NGX_HTTP_CMP_SCOPE_RA_PROFILE
        && ngx_strcmp(word->data, "crl=off") == 0)
    {
        scope->no_crl = 1;
        return NGX_OK;
    }

    if (ra == 0 && ngx_strcmp(word->data, "cr") == 0) {
        scope->cr = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(word->data, "reg_token") == 0) {
        scope->token_needed = 1;
        return NGX_OK;
    }

    if (ra && ngx_strcmp(word->data, "unprotected_inner") == 0) {
        scope->unprotected_inner = 1;
        return NGX_OK;
    }

    value.data = (u_char *) ngx_strchr(word->data, '=');

    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.data++;
    value.len = word->data + word->len - value.data;

    if (value.len == 0) {
        return NGX_ERROR;
    }

    if (ngx_strncmp(word->data, "subject=", 8) == 0) {

        if (scope->subject.len != 0) {
            return NGX_ERROR;
        }

        scope->subject.data = value.data;
        scope->subject.len = value.len;

        return NGX_OK;
    }

    if (ngx_strncmp(word->data, "san=", 4) == 0) {
        return ngx_http_cmp_conf_push(cf, &scope->sans, &scope->nsans,
                                      value.data, value.len);
    }

    if (ngx_strncmp(word->data, "profile=", 8) == 0) {
        return ngx_http_cmp_trust_profiles(cf, &value, scope);
    }

    if (ra && ngx_strncmp(word->data, "reasons=", 8) == 0) {
        return ngx_http_cmp_trust_reasons(&value, scope);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_cmp_trust_profiles(ngx_conf_t *cf, ngx_str_t *names,
    cmp_scope_t *scope)
{
    ngx_str_t  name;

    while (ngx_http_cmp_trust_next(names, &name)) {

        if (ngx_http_cmp_conf_name(cf, &name) != NGX_OK
            || ngx_http_cmp_conf_push(cf, &scope->profiles, &scope->nprofiles,
                                      name.data, name.len)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_trust_reasons(ngx_str_t *names, cmp_scope_t *scope)
{
    ngx_str_t               name;
    ngx_http_cmp_reason_t  *reason;

    while (ngx_http_cmp_trust_next(names, &name)) {

        for (reason = ngx_http_cmp_reasons; reason->name.len; reason++) {
            if (reason->name.len == name.len
                && ngx_strncmp(reason->name.data, name.data, name.len) == 0)
            {
                break;
            }
        }

        if (reason->name.len == 0) {
            return NGX_ERROR;
        }

        scope->reasons |= 1u << reason->code;
    }

    return NGX_OK;
}


/* takes the next item off a list with commas; 0 when there is none */

static ngx_uint_t
ngx_http_cmp_trust_next(ngx_str_t *list, ngx_str_t *item)
{
    u_char  *comma;

    if (list->data == NULL) {
        return 0;
    }

    *item = *list;

    comma = ngx_strlchr(list->data, list->data + list->len, ',');

    if (comma == NULL) {
        ngx_str_null(list);
        return 1;
    }

    item->len = comma - list->data;
    list->data = comma + 1;
    list->len -= item->len + 1;

    return 1;
}
