
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <openssl/err.h>

#include <ngx_http_cmp_pg_conn.h>
#include <cmp_pg.h>


/*
 * One attempt to connect: name, socket, session, prepared statements and the
 * version of the schema.  A single timer covers all of it.
 */


static void ngx_http_cmp_pg_conn_resolve_handler(ngx_resolver_ctx_t *ctx);
static ngx_resolver_addr_t *ngx_http_cmp_pg_conn_nth(ngx_resolver_ctx_t *ctx,
    ngx_uint_t n);
static void ngx_http_cmp_pg_conn_start(ngx_http_cmp_pg_conn_t *conn,
    ngx_str_t *addr);
static void ngx_http_cmp_pg_conn_prepare(ngx_http_cmp_pg_conn_t *conn);
static void ngx_http_cmp_pg_conn_notice(void *arg, const char *message);


void
ngx_http_cmp_pg_conn_open(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_str_t                *addr;
    ngx_uint_t                n;
    ngx_resolver_t           *resolver;
    ngx_resolver_ctx_t       *ctx;
    ngx_http_cmp_pg_host_t   *hosts;
    ngx_http_cmp_pg_store_t  *store;

    store = conn->store;
    hosts = store->hosts.elts;

    conn->host = &hosts[store->attempt % store->hosts.nelts];
    conn->generation = store->generation;
    conn->log = ngx_cycle->log;
    conn->state = NGX_HTTP_CMP_PG_CONN_RESOLVING;
    conn->op = NULL;

    ngx_http_cmp_pg_conn_begin(conn);

    ngx_memzero(&conn->timer, sizeof(ngx_event_t));
    conn->timer.handler = ngx_http_cmp_pg_conn_timer_handler;
    conn->timer.data = conn;
    conn->timer.log = conn->log;

    /* who waits for a connection has a timer that keeps the worker */
    conn->timer.cancelable = 1;

    ngx_add_timer(&conn->timer, store->connect_timeout);

    if (!conn->host->resolve) {
        ngx_http_cmp_pg_conn_start(conn, &conn->host->addr);
        return;
    }

    resolver = store->clcf->resolver;

    if (resolver == NULL || resolver->connections.nelts == 0) {

        if (conn->host->addrs.nelts == 0) {
            ngx_http_cmp_pg_conn_fail(conn, "host not found");
            return;
        }

        n = store->attempt / store->hosts.nelts % conn->host->addrs.nelts;
        addr = conn->host->addrs.elts;

        ngx_http_cmp_pg_conn_start(conn, &addr[n]);
        return;
    }

    ctx = ngx_resolve_start(resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_http_cmp_pg_conn_fail(conn, "could not start resolving");
        return;
    }

    ctx->name = conn->host->name;
    ctx->handler = ngx_http_cmp_pg_conn_resolve_handler;
    ctx->data = conn;
    ctx->timeout = store->connect_timeout;
    ctx->cancelable = 1;

    conn->resolve = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        conn->resolve = NULL;
        ngx_http_cmp_pg_conn_fail(conn, "could not start resolving");
    }
}


static void
ngx_http_cmp_pg_conn_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_http_cmp_pg_conn_t  *conn = ctx->data;

    u_char                    text[NGX_SOCKADDR_STRLEN + 1];
    ngx_str_t                 addr;
    ngx_uint_t                n;
    ngx_resolver_addr_t      *a;
    ngx_http_cmp_pg_store_t  *store;

    if (ctx->state != NGX_OK || ctx->naddrs == 0) {
        ngx_http_cmp_pg_conn_fail(conn, ngx_resolver_strerror(ctx->state));
        return;
    }

    store = conn->store;

    n = store->attempt / store->hosts.nelts % ctx->naddrs;
    a = ngx_http_cmp_pg_conn_nth(ctx, n);

    addr.data = text;
    addr.len = ngx_sock_ntop(a->sockaddr, a->socklen, text,
                             NGX_SOCKADDR_STRLEN, 0);
    text[addr.len] = '\0';

    conn->resolve = NULL;
    ngx_resolve_name_done(ctx);

    ngx_http_cmp_pg_conn_start(conn, &addr);
}


/* the resolver shuffles addresses, and each of them is to get its turn */

static ngx_resolver_addr_t *
ngx_http_cmp_pg_conn_nth(ngx_resolver_ctx_t *ctx, ngx_uint_t n)
{
    ngx_int_t             rc;
    ngx_uint_t            i, j, less;
    ngx_resolver_addr_t  *a, *b;

    for (i = 0; i < ctx->naddrs; i++) {
        a = &ctx->addrs[i];
        less = 0;

        for (j = 0; j < ctx->naddrs; j++) {
            b = &ctx->addrs[j];

            rc = ngx_memn2cmp((u_char *) b->sockaddr, (u_char *) a->sockaddr,
                              b->socklen, a->socklen);

            if (rc < 0 || (rc == 0 && j < i)) {
                less++;
            }
        }

        if (less == n) {
            return a;
        }
    }

    return ctx->addrs;
}


static void
ngx_http_cmp_pg_conn_start(ngx_http_cmp_pg_conn_t *conn, ngx_str_t *addr)
{
    ngx_http_cmp_pg_store_t  *store;

    store = conn->store;

    /* libpq skips empty values and copies the others */

    store->values[0] = (const char *) conn->host->name.data;
    store->values[1] = (const char *) addr->data;
    store->values[2] = (const char *) conn->host->port.data;

    conn->state = NGX_HTTP_CMP_PG_CONN_CONNECTING;
    conn->pg = PQconnectStartParams(store->keywords, store->values, 0);

    store->values[1] = NULL;

    if (conn->pg == NULL) {
        ngx_http_cmp_pg_conn_fail(conn, "no memory");
        return;
    }

    (void) PQsetNoticeProcessor(conn->pg, ngx_http_cmp_pg_conn_notice, conn);

    if (PQstatus(conn->pg) == CONNECTION_BAD) {
        ngx_http_cmp_pg_conn_fail(conn, NULL);
        return;
    }

    if (ngx_http_cmp_pg_conn_attach(conn) != NGX_OK
        || ngx_http_cmp_pg_conn_watch(conn->connection->write, NGX_WRITE_EVENT)
           != NGX_OK)
    {
        ngx_http_cmp_pg_conn_fail(conn, "could not add the connection");
    }
}


void
ngx_http_cmp_pg_conn_poll(ngx_http_cmp_pg_conn_t *conn)
{
    ngx_int_t                  rc;
    PostgresPollingStatusType  status;

    /*
     * libpq may close the socket and open another one with the same number,
     * of which the event module would know nothing
     */

    ngx_http_cmp_pg_conn_unwatch(conn);

    status = PQconnectPoll(conn->pg);

    /* what TLS leaves there would be taken for an error of nginx */

    ERR_clear_error();

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, conn->log, 0,
                   "cmp store connect poll: %d fd:%d",
                   (int) status, PQsocket(conn->pg));

    if (status != PGRES_POLLING_READING
        && status != PGRES_POLLING_WRITING
        && status != PGRES_POLLING_OK)
    {
        ngx_http_cmp_pg_conn_fail(conn, NULL);
        return;
    }

    rc = ngx_http_cmp_pg_conn_attach(conn);

    if (rc == NGX_OK) {
        if (status == PGRES_POLLING_WRITING) {
            rc = ngx_http_cmp_pg_conn_watch(conn->connection->write,
                                            NGX_WRITE_EVENT);

        } else {
            rc = ngx_http_cmp_pg_conn_watch(conn->connection->read,
                                            NGX_READ_EVENT);
        }
    }

    if (rc != NGX_OK) {
        ngx_http_cmp_pg_conn_fail(conn, "could not add the connection");
        return;
    }

    if (status == PGRES_POLLING_OK) {
        ngx_http_cmp_pg_conn_prepare(conn);
    }
}


static void
ngx_http_cmp_pg_conn_prepare(ngx_http_cmp_pg_conn_t *conn)
{
    PGconn                    *pg;
    const cmp_pg_statement_t  *st;

    pg = conn->pg;

    conn->state = NGX_HTTP_CMP_PG_CONN_PREPARING;
    conn->version = NGX_ERROR;

    ngx_http_cmp_pg_conn_begin(conn);

    if (PQsetnonblocking(pg, 1) != 0 || PQenterPipelineMode(pg) != 1) {
        ngx_http_cmp_pg_conn_fail(conn, NULL);
        return;
    }

    for (st = cmp_pg_statements; st->name != NULL; st++) {
        if (PQsendPrepare(pg, st->name, st->sql, st->nparams, st->types)
            != 1)
        {
            ngx_http_cmp_pg_conn_fail(conn, NULL);
            return;
        }
    }

    if (PQsendQueryPrepared(pg, CMP_PG_SCHEMA_STATEMENT, 0, NULL, NULL, NULL,
                            1)
        != 1
        || PQpipelineSync(pg) != 1
        || ngx_http_cmp_pg_conn_flush(conn) != NGX_OK)
    {
        ngx_http_cmp_pg_conn_fail(conn, NULL);
    }
}


void
ngx_http_cmp_pg_conn_prepared(ngx_http_cmp_pg_conn_t *conn)
{
    char        *name;
    u_char      *p, *last, text[NGX_HTTP_CMP_PG_MESSAGE_LEN * 2];
    ngx_uint_t   i;

    p = text;
    last = text + sizeof(text) - 1;

    if (conn->failed) {

        /* each statement before has given one result */

        for (i = 0; i < conn->nresults && cmp_pg_statements[i].name; i++) {
            /* void */
        }

        name = (char *) cmp_pg_statements[i].name;

        p = ngx_slprintf(p, last, "statement \"%s\": %s (SQLSTATE %s)",
                         name != NULL ? name : CMP_PG_SCHEMA_STATEMENT,
                         conn->message, conn->sqlstate);

    } else if (conn->version != CMP_PG_SCHEMA_VERSION) {
        p = ngx_slprintf(p, last, "the database has schema version %i, "
                         "this module needs version %i",
                         conn->version, (ngx_int_t) CMP_PG_SCHEMA_VERSION);

    } else {
        ngx_del_timer(&conn->timer);
        ngx_http_cmp_pg_pool_opened(conn);
        return;
    }

    *p = '\0';

    ngx_http_cmp_pg_conn_fail(conn, (char *) text);
}


void
ngx_http_cmp_pg_conn_version(ngx_http_cmp_pg_conn_t *conn, PGresult *res)
{
    u_char  *p;

    if (PQresultStatus(res) != PGRES_TUPLES_OK
        || PQntuples(res) != 1
        || PQnfields(res) != 1
        || PQgetlength(res, 0, 0) != 4)
    {
        return;
    }

    p = (u_char *) PQgetvalue(res, 0, 0);

    conn->version = (int32_t) ((uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8
                               | p[3]);
}


void
ngx_http_cmp_pg_conn_fail(ngx_http_cmp_pg_conn_t *conn, const char *text)
{
    char                      message[NGX_HTTP_CMP_PG_MESSAGE_LEN * 2];
    uint32_t                  hash;
    ngx_str_t                *name;
    ngx_uint_t                level;
    ngx_http_cmp_pg_store_t  *store;

    if (text == NULL) {
        text = (conn->pg != NULL) ? PQerrorMessage(conn->pg) : "";
    }

    ngx_http_cmp_pg_text(message, sizeof(message), text);

    store = conn->store;
    name = (conn->host->name.len != 0) ? &conn->host->name : &conn->host->addr;

    /* a database that stays away for the same reason is reported once */

    hash = ngx_murmur_hash2((u_char *) message, ngx_strlen(message));
    level = (hash != store->complaint) ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, conn->log, 0,
                  "cmp_store: connect to \"%V\" port %V failed: %s",
                  name, &conn->host->port, message);

    store->complaint = hash;

    ngx_http_cmp_pg_conn_close(conn);

    ngx_http_cmp_pg_pool_failed(conn);
}


static void
ngx_http_cmp_pg_conn_notice(void *arg, const char *message)
{
    ngx_http_cmp_pg_conn_t  *conn = arg;

    char  text[NGX_HTTP_CMP_PG_MESSAGE_LEN];

    ngx_http_cmp_pg_text(text, sizeof(text), message);

    ngx_log_error(NGX_LOG_INFO, conn->log, 0, "cmp_store: server: %s", text);
}
