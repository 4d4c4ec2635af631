
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Private keys: files are read with the configuration; keys in a token or
 * another OSSL_STORE are opened by each worker for itself, since a session
 * does not survive a fork.
 */


#include <ngx_http_cmp_module.h>


#define NGX_HTTP_CMP_PASSWORD_LEN  1024


static char *ngx_http_cmp_key_password(ngx_conf_t *cf, ngx_str_t *file,
    ngx_str_t *password);
static void ngx_http_cmp_key_wipe(void *data);
static ngx_int_t ngx_http_cmp_key_open_one(ngx_http_cmp_ca_t *ca,
    ngx_http_cmp_key_t *key, X509 *cert, EVP_PKEY **slot, ngx_log_t *log);


char *
ngx_http_cmp_key_set(ngx_conf_t *cf, ngx_http_cmp_key_t *key)
{
    char        err[NGX_HTTP_CMP_ERR_LEN];
    char       *rv;
    ngx_str_t  *value, file;

    if (key->name.len != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "password=", 9) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        file.data = value[2].data + 9;
        file.len = value[2].len - 9;

        rv = ngx_http_cmp_key_password(cf, &file, &key->password);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (ngx_strncmp(value[1].data, "store:", 6) == 0) {

        if (value[1].len == 6) {
            return "has an empty URI";
        }

        key->name = value[1];
        key->store = 1;

        return NGX_CONF_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    key->name = value[1];
    err[0] = '\0';

    if (cmp_ca_read_key((char *) key->name.data, (char *) key->password.data,
                        &key->key, err, sizeof(err))
        != CMP_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load certificate key \"%V\": %s",
                           &key->name, err);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the first line of the file */

static char *
ngx_http_cmp_key_password(ngx_conf_t *cf, ngx_str_t *file, ngx_str_t *password)
{
    u_char              *p;
    size_t               len;
    ssize_t              n;
    ngx_fd_t             fd;
    ngx_pool_cleanup_t  *cln;

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    p = ngx_pcalloc(cf->pool, NGX_HTTP_CMP_PASSWORD_LEN + 1);

    if (cln == NULL || p == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_cmp_key_wipe;
    cln->data = p;

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", file);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, p, NGX_HTTP_CMP_PASSWORD_LEN);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", file);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", file);
    }

    if (n == -1) {
        return NGX_CONF_ERROR;
    }

    for (len = 0; len < (size_t) n; len++) {
        if (p[len] == CR || p[len] == LF || p[len] == '\0') {
            break;
        }
    }

    if (len == 0 || len == NGX_HTTP_CMP_PASSWORD_LEN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no usable password in \"%V\"", file);
        return NGX_CONF_ERROR;
    }

    ngx_explicit_memzero(&p[len], NGX_HTTP_CMP_PASSWORD_LEN - len);

    password->data = p;
    password->len = len;

    return NGX_CONF_OK;
}


static void
ngx_http_cmp_key_wipe(void *data)
{
    ngx_explicit_memzero(data, NGX_HTTP_CMP_PASSWORD_LEN + 1);
}


void
ngx_http_cmp_key_open(ngx_http_cmp_ca_t *ca, ngx_log_t *log)
{
    ngx_uint_t                i;
    ngx_http_cmp_previous_t  *previous;

    previous = ca->previous.elts;

    for (i = 0; i < ca->previous.nelts; i++) {

        /* what it signs is refused, the rest of the CA goes on */

        if (ngx_http_cmp_key_open_one(ca, &previous[i].key,
                                      ca->ca.previous[i].certificate,
                                      &ca->ca.previous[i].key, log)
            != NGX_OK)
        {
            EVP_PKEY_free(ca->ca.previous[i].key);
            ca->ca.previous[i].key = NULL;
        }
    }

    if (ngx_http_cmp_key_open_one(ca, &ca->key, ca->ca.current.certificate,
                                  &ca->ca.current.key, log)
        != NGX_OK
        || ngx_http_cmp_key_open_one(ca, &ca->response_key,
                                     ca->ca.response_certificate,
                                     &ca->ca.response_key, log)
           != NGX_OK)
    {
        ca->no_key = 1;
    }
}


static ngx_int_t
ngx_http_cmp_key_open_one(ngx_http_cmp_ca_t *ca, ngx_http_cmp_key_t *key,
    X509 *cert, EVP_PKEY **slot, ngx_log_t *log)
{
    char       err[NGX_HTTP_CMP_ERR_LEN];
    EVP_PKEY  *pkey;

    if (key->store == 0) {
        return NGX_OK;
    }

    err[0] = '\0';

    if (cmp_ca_read_key((char *) key->name.data, (char *) key->password.data,
                        &pkey, err, sizeof(err))
        != CMP_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "cmp_ca \"%V\": %s",
                      &ca->name, err);
        return NGX_ERROR;
    }

    if (X509_check_private_key(cert, pkey) != 1) {
        cmp_crypto_error(NULL, 0);
        EVP_PKEY_free(pkey);
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "cmp_ca \"%V\": key \"%V\" does not fit the certificate",
                      &ca->name, &key->name);
        return NGX_ERROR;
    }

    cmp_crypto_error(NULL, 0);

    EVP_PKEY_free(*slot);
    *slot = pkey;

    return NGX_OK;
}
