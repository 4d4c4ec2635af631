
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <store_client.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>


static int store_prepare(store_client_t *client);


int
store_open(store_client_t *client, const char *conninfo)
{
    memset(client, 0, sizeof(store_client_t));

    client->conn = PQconnectdb(conninfo);

    if (PQstatus(client->conn) != CONNECTION_OK
        || PQenterPipelineMode(client->conn) != 1)
    {
        fprintf(stderr, "%s", PQerrorMessage(client->conn));
        return -1;
    }

    if (store_prepare(client) != 0) {
        fprintf(stderr, "%s", client->message);
        return -1;
    }

    return 0;
}


static int
store_prepare(store_client_t *client)
{
    const cmp_pg_statement_t  *st;

    for (st = cmp_pg_statements; st->name != NULL; st++) {
        if (PQsendPrepare(client->conn, st->name, st->sql, st->nparams,
                          st->types)
            != 1)
        {
            return -1;
        }
    }

    return store_sync(client);
}


void
store_close(store_client_t *client)
{
    PQclear(client->res);
    PQfinish(client->conn);
    memset(client, 0, sizeof(store_client_t));
}


int
store_sync(store_client_t *client)
{
    int              done, nulls;
    PGresult        *res;
    const char      *state;
    ExecStatusType   status;

    PQclear(client->res);
    client->res = NULL;
    client->sqlstate[0] = '\0';
    client->message[0] = '\0';

    if (PQpipelineSync(client->conn) != 1) {
        return -1;
    }

    done = 0;
    nulls = 0;

    while (done == 0 && nulls < 64) {
        res = PQgetResult(client->conn);

        if (res == NULL) {
            nulls++;
            continue;
        }

        status = PQresultStatus(res);

        if (status == PGRES_PIPELINE_SYNC) {
            done = 1;

        } else if (status == PGRES_TUPLES_OK) {
            PQclear(client->res);
            client->res = res;
            continue;

        } else if (status == PGRES_FATAL_ERROR
                   && client->sqlstate[0] == '\0')
        {
            state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
            snprintf(client->sqlstate, sizeof(client->sqlstate), "%s",
                     state != NULL ? state : "08006");
            snprintf(client->message, sizeof(client->message), "%s",
                     PQresultErrorMessage(res));
        }

        PQclear(res);
    }

    return (done && client->sqlstate[0] == '\0') ? 0 : -1;
}


void
store_sql(PGconn *conn, const char *sql)
{
    PGresult  *res;

    res = PQexec(conn, sql);

    if (PQresultStatus(res) != PGRES_COMMAND_OK
        && PQresultStatus(res) != PGRES_TUPLES_OK)
    {
        fprintf(stderr, "%s: %s", sql, PQerrorMessage(conn));
        abort();
    }

    PQclear(res);
}


const char *
store_query(PGconn *conn, const char *sql)
{
    PGresult  *res;

    static char  value[4096];

    res = PQexec(conn, sql);

    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s: %s", sql, PQerrorMessage(conn));
        abort();
    }

    snprintf(value, sizeof(value), "%s",
             PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");

    PQclear(res);

    return value;
}


cmp_str_t
store_bytes(cmp_pool_t *pool, size_t len, const char *fmt, ...)
{
    char            text[256];
    size_t          i, n;
    va_list         args;
    cmp_str_t       str;
    unsigned char   hash[SHA256_DIGEST_LENGTH];

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    SHA256((unsigned char *) text, strlen(text), hash);

    str.len = len;
    str.data = cmp_palloc(pool, len + 1);

    for (i = 0; i < len; i += n) {
        n = len - i < sizeof(hash) ? len - i : sizeof(hash);
        memcpy(str.data + i, hash, n);
        SHA256(hash, sizeof(hash), hash);
    }

    return str;
}


cmp_str_t
store_serial(cmp_pool_t *pool, int64_t ms, const char *name)
{
    int        i;
    uint64_t   prefix;
    cmp_str_t  serial;

    serial = store_bytes(pool, CMP_SERIAL_LEN, "serial %s", name);
    prefix = (uint64_t) ms | 0x400000000000ULL;

    for (i = 0; i < 6; i++) {
        serial.data[i] = (unsigned char) (prefix >> (8 * (5 - i)));
    }

    return serial;
}


cmp_str_t
store_str(const char *text)
{
    cmp_str_t  str;

    str.data = (unsigned char *) text;
    str.len = strlen(text);

    return str;
}


int64_t
store_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
