
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * previous_certificate and previous_certificate_key: pairs of the CA's keys
 * from before a rollover.
 */


#include <ngx_http_cmp_module.h>


char *
ngx_http_cmp_previous_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    ngx_str_t                *value;
    STACK_OF(X509)           *certs;
    ngx_http_cmp_previous_t  *previous;

    value = cf->args->elts;
    previous = ca->previous.elts;

    if (ca->previous.nelts != 0
        && previous[ca->previous.nelts - 1].key.name.len == 0)
    {
        return "needs \"previous_certificate_key\" for the one before";
    }

    certs = ngx_http_cmp_conf_certificates(cf);
    if (certs == NULL) {
        return NGX_CONF_ERROR;
    }

    previous = ngx_array_push(&ca->previous);

    if (previous == NULL) {
        sk_X509_pop_free(certs, X509_free);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(previous, sizeof(ngx_http_cmp_previous_t));

    /* the first one; what stands above it does not matter any more */

    previous->certificate = sk_X509_shift(certs);

    sk_X509_pop_free(certs, X509_free);

    if (X509_cmp_current_time(X509_get0_notAfter(previous->certificate)) <= 0)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" has expired and is of no use any more",
                           &value[1]);
    }

    cmp_crypto_error(NULL, 0);

    return NGX_CONF_OK;
}


char *
ngx_http_cmp_previous_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cmp_ca_t *ca = conf;

    ngx_http_cmp_previous_t  *previous;

    if (ca->previous.nelts == 0) {
        return "needs \"previous_certificate\" before it";
    }

    previous = ca->previous.elts;

    return ngx_http_cmp_key_set(cf, &previous[ca->previous.nelts - 1].key);
}


ngx_int_t
ngx_http_cmp_previous_init(ngx_conf_t *cf, ngx_http_cmp_ca_t *ca)
{
    cmp_ca_t                 *c;
    ngx_uint_t                i;
    ngx_http_cmp_previous_t  *previous;

    if (ca->previous.nelts == 0) {
        return NGX_OK;
    }

    c = &ca->ca;
    previous = ca->previous.elts;

    c->previous = ngx_pcalloc(cf->pool, ca->previous.nelts
                                        * sizeof(cmp_issuer_t));
    if (c->previous == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ca->previous.nelts; i++) {

        if (ngx_http_cmp_ca_init_key(&previous[i].key,
                                     previous[i].certificate,
                                     &c->previous[i].key)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        c->previous[i].certificate = previous[i].certificate;
        c->previous[i].key_later = (previous[i].key.store != 0);
        c->nprevious++;

        previous[i].certificate = NULL;
    }

    return NGX_OK;
}


/* what has not been moved, because something before it was wrong */

void
ngx_http_cmp_previous_cleanup(ngx_http_cmp_ca_t *ca)
{
    ngx_uint_t                i;
    ngx_http_cmp_previous_t  *previous;

    previous = ca->previous.elts;

    for (i = 0; i < ca->previous.nelts; i++) {

        X509_free(previous[i].certificate);
        previous[i].certificate = NULL;

        EVP_PKEY_free(previous[i].key.key);
        previous[i].key.key = NULL;
    }
}
