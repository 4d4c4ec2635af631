
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The location of the CA's certificate: made once while the configuration is
 * read, served from memory.
 */


#include <ngx_http_cmp_request.h>

#include <openssl/sha.h>


#define NGX_HTTP_CMP_CA_CERTIFICATE_ETAG  16


struct ngx_http_cmp_ca_certificate_s {
    ngx_http_cmp_ca_t          *ca;
    ngx_uint_t                  format;      /* cmp_export_e */
    ngx_uint_t                  previous;
    ngx_str_t                   etag;
    ngx_str_t                  *type;
    cmp_str_t                   body;
    time_t                      modified;
    u_char                     *file;        /* where it is configured */
    ngx_uint_t                  line;
};


static ngx_int_t ngx_http_cmp_ca_certificate_make(ngx_conf_t *cf,
    ngx_http_cmp_main_conf_t *mcf, ngx_http_cmp_ca_certificate_t *ccf);


/* in the order of cmp_export_e */

static ngx_str_t  ngx_http_cmp_ca_certificate_types[] = {
    ngx_string("application/pkix-cert"),
    ngx_string("application/x-pem-file"),
    ngx_string("application/pkcs7-mime; smime-type=certs-only")
};


static ngx_str_t  ngx_http_cmp_ca_certificate_formats[] = {
    ngx_string("format=der"),
    ngx_string("format=pem"),
    ngx_string("format=pkcs7"),
    ngx_null_string
};


static ngx_str_t  ngx_http_cmp_ca_certificate_allow = ngx_string("Allow");
static ngx_str_t  ngx_http_cmp_ca_certificate_methods =
                                    ngx_string("GET, HEAD");
static ngx_str_t  ngx_http_cmp_ca_certificate_control =
                                    ngx_string("Cache-Control");
static ngx_str_t  ngx_http_cmp_ca_certificate_age =
                                    ngx_string("max-age=86400");
static ngx_str_t  ngx_http_cmp_ca_certificate_etag = ngx_string("ETag");


ngx_int_t
ngx_http_cmp_ca_certificate_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_table_elt_t                *h;
    ngx_http_cmp_loc_conf_t        *lcf;
    ngx_http_cmp_ca_certificate_t  *ccf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_cmp_module);
    ccf = lcf->certificate;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {

        if (ngx_http_cmp_header(r, &ngx_http_cmp_ca_certificate_allow,
                                &ngx_http_cmp_ca_certificate_methods)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_cmp_header(r, &ngx_http_cmp_ca_certificate_control,
                            &ngx_http_cmp_ca_certificate_age)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = ngx_http_cmp_ca_certificate_etag;
    h->value = ccf->etag;

    r->headers_out.etag = h;
    r->headers_out.last_modified_time = ccf->modified;

    return ngx_http_cmp_send(r, NGX_HTTP_OK, ccf->type, ccf->body.data,
                             ccf->body.len);
}


/* cmp_ca_certificate ca [format=der|pem|pkcs7] [previous=n] */

char *
ngx_http_cmp_ca_certificate_location(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_cmp_loc_conf_t *lcf = conf;

    ngx_int_t                       n;
    ngx_str_t                      *value;
    ngx_uint_t                      i, k;
    ngx_http_cmp_main_conf_t       *mcf;
    ngx_http_cmp_ca_certificate_t  *ccf;

    if (lcf->certificate != NULL) {
        return "is duplicate";
    }

    if (ngx_http_cmp_conf_once(cf, 2) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cmp_module);

    ccf = ngx_http_cmp_conf_add(cf, &mcf->certificates,
                                sizeof(ngx_http_cmp_ca_certificate_t));
    if (ccf == NULL) {
        return NGX_CONF_ERROR;
    }

    ccf->file = cf->conf_file->file.name.data;
    ccf->line = cf->conf_file->line;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        for (k = 0; ngx_http_cmp_ca_certificate_formats[k].len; k++) {
            if (ngx_strcmp(value[i].data,
                           ngx_http_cmp_ca_certificate_formats[k].data)
                == 0)
            {
                ccf->format = k;
                break;
            }
        }

        if (ngx_http_cmp_ca_certificate_formats[k].len) {
            continue;
        }

        if (ngx_strncmp(value[i].data, "previous=", 9) == 0) {
            n = ngx_atoi(value[i].data + 9, value[i].len - 9);

            if (n != NGX_ERROR && n != 0) {
                ccf->previous = n;
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    ccf->ca = ngx_http_cmp_location(cf, ngx_http_cmp_ca_certificate_handler,
                                    1);
    if (ccf->ca == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->certificate = ccf;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_cmp_ca_certificate_init(ngx_conf_t *cf,
    ngx_http_cmp_main_conf_t *mcf)
{
    ngx_uint_t                       i;
    ngx_http_cmp_ca_certificate_t  **ccfp;

    ccfp = mcf->certificates.elts;

    for (i = 0; i < mcf->certificates.nelts; i++) {

        if (ngx_http_cmp_ca_certificate_make(cf, mcf, ccfp[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_ca_certificate_make(ngx_conf_t *cf,
    ngx_http_cmp_main_conf_t *mcf, ngx_http_cmp_ca_certificate_t *ccf)
{
    u_char              *p, hash[SHA256_DIGEST_LENGTH];
    struct tm            tm;
    const cmp_issuer_t  *issuer;

    issuer = cmp_ca_issuer(&ccf->ca->ca, ccf->previous);

    if (issuer == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "cmp_ca \"%V\" has no such previous key in %s:%ui",
                      &ccf->ca->name, ccf->file, ccf->line);
        return NGX_ERROR;
    }

    if (cmp_ca_export(&ccf->ca->ca, ccf->previous, ccf->format, mcf->pool,
                      &ccf->body)
        != CMP_OK)
    {
        return NGX_ERROR;
    }

    (void) SHA256(ccf->body.data, ccf->body.len, hash);

    ccf->etag.len = 2 * NGX_HTTP_CMP_CA_CERTIFICATE_ETAG + 2;
    ccf->etag.data = ngx_pnalloc(cf->pool, ccf->etag.len);

    if (ccf->etag.data == NULL) {
        return NGX_ERROR;
    }

    p = ccf->etag.data;
    *p++ = '"';
    p = ngx_hex_dump(p, hash, NGX_HTTP_CMP_CA_CERTIFICATE_ETAG);
    *p = '"';

    ccf->type = &ngx_http_cmp_ca_certificate_types[ccf->format];

    /* the same on each node, whenever the file was copied there */

    if (ASN1_TIME_to_tm(X509_get0_notBefore(issuer->certificate), &tm) != 1) {
        cmp_crypto_error(NULL, 0);
        return NGX_ERROR;
    }

    ccf->modified = timegm(&tm);

    return NGX_OK;
}
