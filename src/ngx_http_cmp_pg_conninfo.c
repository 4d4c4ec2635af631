
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <openssl/crypto.h>

#include <ngx_http_cmp_pg_conn.h>


/*
 * The connection string, taken apart when configuration is read: hosts and
 * the parameters that are common to all of them.
 */


#define NGX_HTTP_CMP_STORE_HOSTS_MAX  32


typedef enum {
    NGX_HTTP_CMP_STORE_FREE = 0,
    NGX_HTTP_CMP_STORE_HOST,        /* filled in for each attempt */
    NGX_HTTP_CMP_STORE_OPTIONS,     /* has our settings too */
    NGX_HTTP_CMP_STORE_REQUIRED,
    NGX_HTTP_CMP_STORE_REFUSED,
    NGX_HTTP_CMP_STORE_SEVERAL      /* the value is for several hosts */
} ngx_http_cmp_store_use_e;


typedef struct {
    const char                *name;
    ngx_http_cmp_store_use_e   use;
    const char                *value;
} ngx_http_cmp_store_keyword_t;


static ngx_int_t ngx_http_cmp_store_hosts(ngx_conf_t *cf,
    ngx_http_cmp_pg_store_t *store, PQconninfoOption *options);
static ngx_int_t ngx_http_cmp_store_host(ngx_conf_t *cf,
    ngx_http_cmp_pg_host_t *host);
static ngx_int_t ngx_http_cmp_store_params(ngx_conf_t *cf,
    ngx_http_cmp_pg_store_t *store, PQconninfoOption *options);
static ngx_int_t ngx_http_cmp_store_param(ngx_conf_t *cf,
    ngx_http_cmp_pg_store_t *store, PQconninfoOption *option, ngx_uint_t n);
static const char *ngx_http_cmp_store_options(ngx_conf_t *cf,
    ngx_http_cmp_pg_store_t *store, const char *given);
static ngx_uint_t ngx_http_cmp_store_list(ngx_conf_t *cf,
    PQconninfoOption *options, const char *keyword, ngx_str_t *list);
static ngx_int_t ngx_http_cmp_store_copy(ngx_conf_t *cf, ngx_str_t *dst,
    const char *src, size_t len);
static ngx_int_t ngx_http_cmp_store_resolve(ngx_conf_t *cf,
    ngx_http_cmp_pg_store_t *store, ngx_http_cmp_pg_host_t *host);


/*
 * What the connection string leaves open gets a value here, or the one that
 * is compiled into libpq, so that nothing comes from elsewhere: no password
 * file, and no Kerberos, which would block.
 */

static const ngx_http_cmp_store_keyword_t  ngx_http_cmp_store_keywords[] = {

    { "host", NGX_HTTP_CMP_STORE_HOST, NULL },
    { "hostaddr", NGX_HTTP_CMP_STORE_HOST, NULL },
    { "port", NGX_HTTP_CMP_STORE_HOST, NULL },

    { "options", NGX_HTTP_CMP_STORE_OPTIONS, NULL },

    { "user", NGX_HTTP_CMP_STORE_REQUIRED, NULL },
    { "dbname", NGX_HTTP_CMP_STORE_REQUIRED, NULL },

    { "client_encoding", NGX_HTTP_CMP_STORE_REFUSED, "UTF8" },
    { "connect_timeout", NGX_HTTP_CMP_STORE_REFUSED, NULL },
    { "replication", NGX_HTTP_CMP_STORE_REFUSED, NULL },

    { "target_session_attrs", NGX_HTTP_CMP_STORE_SEVERAL, "read-write" },

    { "application_name", NGX_HTTP_CMP_STORE_FREE, "nginx-cmp" },
    { "gssencmode", NGX_HTTP_CMP_STORE_FREE, "disable" },
    { "passfile", NGX_HTTP_CMP_STORE_FREE, "/dev/null/none" },

    { NULL, NGX_HTTP_CMP_STORE_FREE, NULL }
};


ngx_int_t
ngx_http_cmp_pg_conninfo(ngx_conf_t *cf, ngx_http_cmp_pg_store_t *store,
    ngx_str_t *conninfo)
{
    char              *err;
    size_t             len;
    ngx_int_t          rc;
    PQconninfoOption  *options, *option;

    err = NULL;
    options = PQconninfoParse((char *) conninfo->data, &err);

    if (options == NULL) {

        /* the text of libpq quotes words, which may be of a password */

        if (err == NULL
            || ngx_strcasestrn(conninfo->data, "pass", 4 - 1) != NULL
            || ngx_strstr(conninfo->data, "//") != NULL)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid connection string");

        } else {
            len = ngx_strlen(err);

            while (len > 0 && err[len - 1] == '\n') {
                err[--len] = '\0';
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid connection string: %s", err);
        }

        PQfreemem(err);

        return NGX_ERROR;
    }

    rc = ngx_http_cmp_store_hosts(cf, store, options);

    if (rc == NGX_OK) {
        rc = ngx_http_cmp_store_params(cf, store, options);
    }

    for (option = options; option->keyword != NULL; option++) {
        if (option->val != NULL) {
            OPENSSL_cleanse(option->val, ngx_strlen(option->val));
        }
    }

    PQconninfoFree(options);

    OPENSSL_cleanse(conninfo->data, conninfo->len);

    return rc;
}


static ngx_int_t
ngx_http_cmp_store_hosts(ngx_conf_t *cf, ngx_http_cmp_pg_store_t *store,
    PQconninfoOption *options)
{
    ngx_str_t                names[NGX_HTTP_CMP_STORE_HOSTS_MAX];
    ngx_str_t                addrs[NGX_HTTP_CMP_STORE_HOSTS_MAX];
    ngx_str_t                ports[NGX_HTTP_CMP_STORE_HOSTS_MAX];
    ngx_uint_t               i, n, nhosts, nnames, naddrs, nports;
    ngx_http_cmp_pg_host_t  *host;

    nnames = ngx_http_cmp_store_list(cf, options, "host", names);
    naddrs = ngx_http_cmp_store_list(cf, options, "hostaddr", addrs);
    nports = ngx_http_cmp_store_list(cf, options, "port", ports);

    nhosts = ngx_max(nnames, naddrs);

    if (nhosts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"host\" in the connection string");
        return NGX_ERROR;
    }

    if (nhosts > NGX_HTTP_CMP_STORE_HOSTS_MAX
        || (nnames != 0 && nnames != nhosts)
        || (naddrs != 0 && naddrs != nhosts)
        || (nports > 1 && nports != nhosts))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"host\", \"hostaddr\" and \"port\" in the "
                           "connection string differ in number, "
                           "or are more than %d",
                           NGX_HTTP_CMP_STORE_HOSTS_MAX);
        return NGX_ERROR;
    }

    if (ngx_array_init(&store->hosts, cf->pool, nhosts,
                       sizeof(ngx_http_cmp_pg_host_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < nhosts; i++) {
        host = ngx_array_push(&store->hosts);
        if (host == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(host, sizeof(ngx_http_cmp_pg_host_t));
        ngx_str_set(&host->port, "5432");

        if (nnames != 0) {
            host->name = names[i];
        }

        if (naddrs != 0) {
            host->addr = addrs[i];
        }

        n = (nports == 1) ? 0 : i;

        if (nports != 0 && ports[n].len != 0) {
            host->port = ports[n];
        }

        if (ngx_http_cmp_store_host(cf, host) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_store_host(ngx_conf_t *cf, ngx_http_cmp_pg_host_t *host)
{
    ngx_int_t  port;
#if (NGX_HAVE_INET6)
    u_char     addr6[16];
#endif

    port = ngx_atoi(host->port.data, host->port.len);

    if (port < 1 || port > 65535) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid port \"%V\" in the connection string",
                           &host->port);
        return NGX_ERROR;
    }

    if (host->addr.len != 0) {
        return NGX_OK;
    }

    if (host->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty \"host\" in the connection string");
        return NGX_ERROR;
    }

    if (host->name.data[0] == '/' || host->name.data[0] == '@') {

        /* a Unix socket */

        return NGX_OK;
    }

    if (ngx_inet_addr(host->name.data, host->name.len) != INADDR_NONE) {
        host->addr = host->name;
        return NGX_OK;
    }

#if (NGX_HAVE_INET6)
    if (ngx_inet6_addr(host->name.data, host->name.len, addr6) == NGX_OK) {
        host->addr = host->name;
        return NGX_OK;
    }
#endif

    host->resolve = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_store_params(ngx_conf_t *cf, ngx_http_cmp_pg_store_t *store,
    PQconninfoOption *options)
{
    ngx_uint_t         n;
    PQconninfoOption  *option;

    n = NGX_HTTP_CMP_PG_SLOTS + 1;

    for (option = options; option->keyword != NULL; option++) {
        n++;
    }

    store->keywords = ngx_pcalloc(cf->pool, n * sizeof(char *));
    store->values = ngx_pcalloc(cf->pool, n * sizeof(char *));

    if (store->keywords == NULL || store->values == NULL) {
        return NGX_ERROR;
    }

    store->keywords[0] = "host";
    store->keywords[1] = "hostaddr";
    store->keywords[2] = "port";

    n = NGX_HTTP_CMP_PG_SLOTS;

    for (option = options; option->keyword != NULL; option++) {

        if (ngx_http_cmp_store_param(cf, store, option, n) != NGX_OK) {
            return NGX_ERROR;
        }

        if (store->keywords[n] != NULL) {
            n++;
        }
    }

    return NGX_OK;
}


/* fills in slot n, or leaves it empty */

static ngx_int_t
ngx_http_cmp_store_param(ngx_conf_t *cf, ngx_http_cmp_pg_store_t *store,
    PQconninfoOption *option, ngx_uint_t n)
{
    const char                          *value;
    ngx_str_t                            s;
    const ngx_http_cmp_store_keyword_t  *kw;

    for (kw = ngx_http_cmp_store_keywords; kw->name != NULL; kw++) {
        if (ngx_strcmp(option->keyword, kw->name) == 0) {
            break;
        }
    }

    if (kw->use == NGX_HTTP_CMP_STORE_HOST) {
        return NGX_OK;
    }

    value = option->val;

    if (value == NULL || *value == '\0') {

        if (kw->use == NGX_HTTP_CMP_STORE_REQUIRED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no \"%s\" in the connection string",
                               option->keyword);
            return NGX_ERROR;
        }

        value = (kw->value != NULL) ? kw->value : option->compiled;

        if (kw->use == NGX_HTTP_CMP_STORE_SEVERAL
            && store->hosts.nelts == 1)
        {
            value = option->compiled;
        }

    } else if (kw->use == NGX_HTTP_CMP_STORE_REFUSED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" is not supported in the connection string",
                           option->keyword);
        return NGX_ERROR;
    }

    if (kw->use == NGX_HTTP_CMP_STORE_OPTIONS) {
        value = ngx_http_cmp_store_options(cf, store, value);
        if (value == NULL) {
            return NGX_ERROR;
        }
    }

    if (value == NULL || *value == '\0') {
        return NGX_OK;
    }

    if (ngx_http_cmp_store_copy(cf, &s, option->keyword,
                                ngx_strlen(option->keyword))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    store->keywords[n] = (const char *) s.data;

    if (ngx_http_cmp_store_copy(cf, &s, value, ngx_strlen(value)) != NGX_OK) {
        return NGX_ERROR;
    }

    store->values[n] = (const char *) s.data;

    return NGX_OK;
}


/*
 * The server gives up a little before we do, so that a statement that is too
 * slow ends with an error and does not cost the connection.
 */

static const char *
ngx_http_cmp_store_options(ngx_conf_t *cf, ngx_http_cmp_pg_store_t *store,
    const char *given)
{
    u_char  *options, *p;
    size_t   len;

    if (given == NULL) {
        given = "";
    }

    if (!store->startup_options) {
        return given;
    }

    len = sizeof("-c statement_timeout= -c lock_timeout= ")
          + 2 * NGX_INT_T_LEN + ngx_strlen(given);

    options = ngx_pnalloc(cf->temp_pool, len);
    if (options == NULL) {
        return NULL;
    }

    p = ngx_sprintf(options, "-c statement_timeout=%M -c lock_timeout=%M %s",
                    store->timeout - store->timeout / 10,
                    store->timeout / 2, given);
    *p = '\0';

    return (const char *) options;
}


/* elements of a comma-separated value; a number over the limit: too many */

static ngx_uint_t
ngx_http_cmp_store_list(ngx_conf_t *cf, PQconninfoOption *options,
    const char *keyword, ngx_str_t *list)
{
    size_t       len;
    ngx_uint_t   n;
    const char  *p;

    while (ngx_strcmp(options->keyword, keyword) != 0) {
        options++;
    }

    p = options->val;

    if (p == NULL || *p == '\0') {
        return 0;
    }

    for (n = 0; n < NGX_HTTP_CMP_STORE_HOSTS_MAX; p++) {
        len = strcspn(p, ",");

        if (ngx_http_cmp_store_copy(cf, &list[n++], p, len) != NGX_OK) {
            break;
        }

        p += len;

        if (*p == '\0') {
            return n;
        }
    }

    return NGX_HTTP_CMP_STORE_HOSTS_MAX + 1;
}


static ngx_int_t
ngx_http_cmp_store_copy(ngx_conf_t *cf, ngx_str_t *dst, const char *src,
    size_t len)
{
    dst->len = len;
    dst->data = ngx_pnalloc(cf->pool, len + 1);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src, len);
    dst->data[len] = '\0';

    return NGX_OK;
}


ngx_int_t
ngx_http_cmp_pg_init_conf(ngx_conf_t *cf, ngx_http_cmp_pg_store_t *store)
{
    ngx_uint_t               i;
    ngx_http_cmp_pg_host_t  *host;

    if (store == NULL) {
        return NGX_OK;
    }

    if (store->clcf->resolver != NULL
        && store->clcf->resolver->connections.nelts != 0)
    {
        return NGX_OK;
    }

    host = store->hosts.elts;

    for (i = 0; i < store->hosts.nelts; i++) {
        if (host[i].resolve
            && ngx_http_cmp_store_resolve(cf, store, &host[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_store_resolve(ngx_conf_t *cf, ngx_http_cmp_pg_store_t *store,
    ngx_http_cmp_pg_host_t *host)
{
    u_char      text[NGX_SOCKADDR_STRLEN];
    size_t      len;
    ngx_url_t   u;
    ngx_str_t  *addr;
    ngx_uint_t  i;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.host = host->name;

    if (ngx_inet_resolve_host(cf->pool, &u) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "host not found in \"cmp_store\": \"%V\" in %s:%ui",
                      &host->name, store->file, store->line);
        return NGX_ERROR;
    }

    if (ngx_array_init(&host->addrs, cf->pool, u.naddrs, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {
        addr = ngx_array_push(&host->addrs);
        if (addr == NULL) {
            return NGX_ERROR;
        }

        len = ngx_sock_ntop(u.addrs[i].sockaddr, u.addrs[i].socklen, text,
                            NGX_SOCKADDR_STRLEN, 0);

        if (ngx_http_cmp_store_copy(cf, addr, (char *) text, len) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
