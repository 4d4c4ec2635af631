
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <ngx_http_cmp_module.h>
#include <ngx_http_cmp_pg_conn.h>

#include <openssl/crypto.h>


static ngx_int_t ngx_http_cmp_store_argument(ngx_conf_t *cf,
    ngx_http_cmp_pg_store_t *store, ngx_str_t *arg);
static ngx_int_t ngx_http_cmp_store_key(ngx_conf_t *cf,
    ngx_http_cmp_pg_store_t *store, ngx_str_t *file);
static ngx_int_t ngx_http_cmp_store_read_key(ngx_conf_t *cf, ngx_str_t *file,
    u_char *buf, size_t size, size_t *len);
static void ngx_http_cmp_store_cleanup(void *data);


char *
ngx_http_cmp_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_pool_cleanup_t        *cln;
    ngx_http_conf_ctx_t       *ctx;
    ngx_http_cmp_pg_store_t  **storep, *store;

    storep = (ngx_http_cmp_pg_store_t **) (p + cmd->offset);

    if (*storep != NULL) {
        return "is duplicate";
    }

    store = ngx_pcalloc(cf->pool, sizeof(ngx_http_cmp_pg_store_t));
    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_cmp_store_cleanup;
    cln->data = store;

    ctx = cf->ctx;

    store->file = cf->conf_file->file.name.data;
    store->line = cf->conf_file->line;
    store->clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    store->connections = 8;
    store->timeout = 5000;
    store->connect_timeout = 2000;
    store->queue_max = 1024;
    store->queue_timeout = NGX_CONF_UNSET_MSEC;
    store->startup_options = 1;

    if (ngx_http_cmp_conf_once(cf, 2) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_cmp_store_argument(cf, store, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_conf_init_msec_value(store->queue_timeout, store->timeout);

    if (ngx_http_cmp_pg_conninfo(cf, store, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *storep = store;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_cmp_store_argument(ngx_conf_t *cf, ngx_http_cmp_pg_store_t *store,
    ngx_str_t *arg)
{
    u_char      *p;
    ngx_int_t    n;
    ngx_str_t    name, s;
    ngx_msec_t  *msec;

    p = (u_char *) ngx_strlchr(arg->data, arg->data + arg->len, '=');
    if (p == NULL) {
        goto invalid;
    }

    name.data = arg->data;
    name.len = p - arg->data;

    s.data = p + 1;
    s.len = arg->data + arg->len - s.data;

    msec = NULL;

#define ngx_http_cmp_store_is(str)                                            \
    (name.len == sizeof(str) - 1                                              \
     && ngx_strncmp(name.data, str, sizeof(str) - 1) == 0)

    if (ngx_http_cmp_store_is("connections")) {
        n = ngx_atoi(s.data, s.len);

        if (n < 1 || n > 1024) {
            goto invalid;
        }

        store->connections = n;
        return NGX_OK;
    }

    if (ngx_http_cmp_store_is("queue")) {
        n = ngx_atoi(s.data, s.len);

        if (n < 1 || n > 1000000) {
            goto invalid;
        }

        store->queue_max = n;
        return NGX_OK;
    }

    if (ngx_http_cmp_store_is("startup_options")) {

        if (s.len == 2 && ngx_strncmp(s.data, "on", 2) == 0) {
            store->startup_options = 1;
            return NGX_OK;
        }

        if (s.len == 3 && ngx_strncmp(s.data, "off", 3) == 0) {
            store->startup_options = 0;
            return NGX_OK;
        }

        goto invalid;
    }

    if (ngx_http_cmp_store_is("key") && s.len != 0) {
        return ngx_http_cmp_store_key(cf, store, &s);
    }

    if (ngx_http_cmp_store_is("timeout")) {
        msec = &store->timeout;

    } else if (ngx_http_cmp_store_is("connect_timeout")) {
        msec = &store->connect_timeout;

    } else if (ngx_http_cmp_store_is("queue_timeout")) {
        msec = &store->queue_timeout;
    }

    if (msec == NULL) {
        goto invalid;
    }

    n = ngx_parse_time(&s, 0);

    if (n < 10 || n > 3600 * 1000) {
        goto invalid;
    }

    *msec = n;

    return NGX_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", arg);

    return NGX_ERROR;
}


/* AES-256: 32 octets or 64 hexadecimal digits, maybe with a line feed */

static ngx_int_t
ngx_http_cmp_store_key(ngx_conf_t *cf, ngx_http_cmp_pg_store_t *store,
    ngx_str_t *file)
{
    u_char      buf[NGX_HTTP_CMP_PG_KEY_LEN * 2 + 3];
    size_t      len;
    ngx_int_t   rc, n;
    ngx_str_t   name;
    ngx_uint_t  i;

    name = *file;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_cmp_store_read_key(cf, &name, buf, sizeof(buf), &len);
    if (rc != NGX_OK) {
        goto done;
    }

    if (len == NGX_HTTP_CMP_PG_KEY_LEN) {
        ngx_memcpy(store->key, buf, len);
        store->key_set = 1;
        goto done;
    }

    if (len > 0 && buf[len - 1] == LF) {
        len--;
    }

    if (len > 0 && buf[len - 1] == CR) {
        len--;
    }

    rc = NGX_ERROR;

    if (len != NGX_HTTP_CMP_PG_KEY_LEN * 2) {
        goto invalid;
    }

    for (i = 0; i < NGX_HTTP_CMP_PG_KEY_LEN; i++) {
        n = ngx_hextoi(&buf[i * 2], 2);
        if (n == NGX_ERROR) {
            goto invalid;
        }

        store->key[i] = (u_char) n;
    }

    store->key_set = 1;
    rc = NGX_OK;

    goto done;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "key file \"%V\" must contain 32 bytes "
                       "or 64 hexadecimal digits", &name);

done:

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


static ngx_int_t
ngx_http_cmp_store_read_key(ngx_conf_t *cf, ngx_str_t *file, u_char *buf,
    size_t size, size_t *len)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    rc = NGX_ERROR;

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", file);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", file);
        goto done;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key file \"%V\" is not a regular file", file);
        goto done;
    }

    if ((ngx_file_access(&fi) & (S_IRWXO|S_IWGRP)) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key file \"%V\" is accessible by others, "
                           "its mode must be 0640 or stricter", file);
        goto done;
    }

    n = read(fd, buf, size);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", file);
        goto done;
    }

    *len = n;
    rc = NGX_OK;

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", file);
    }

    return rc;
}


static void
ngx_http_cmp_store_cleanup(void *data)
{
    ngx_http_cmp_pg_store_t  *store = data;

    u_char      *value;
    ngx_uint_t   i;

    OPENSSL_cleanse(store->key, sizeof(store->key));

    if (store->values == NULL) {
        return;
    }

    /* one of them is the password */

    for (i = NGX_HTTP_CMP_PG_SLOTS; store->keywords[i] != NULL; i++) {
        value = (u_char *) store->values[i];

        if (value != NULL) {
            OPENSSL_cleanse(value, ngx_strlen(value));
        }
    }
}
