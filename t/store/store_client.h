
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A blocking client of the store for tests: one operation at a time, sent and
 * read as the connection pool does it.
 */


#ifndef _STORE_CLIENT_H_INCLUDED_
#define _STORE_CLIENT_H_INCLUDED_


#include <cmp_pg.h>


#define STORE_KEY  "0123456789abcdef0123456789abcdef"


typedef struct {
    PGconn     *conn;
    PGresult   *res;            /* of the last operation, or NULL */
    char        sqlstate[6];    /* of its first error, or "" */
    char        message[512];
} store_client_t;


/* connects and prepares all statements; 0, or -1 with a message printed */
int store_open(store_client_t *client, const char *conninfo);
void store_close(store_client_t *client);

/* after one cmp_pg_*_send(): 0, or -1 with sqlstate and message set */
int store_sync(store_client_t *client);

/* several commands of SQL; aborts when they fail */
void store_sql(PGconn *conn, const char *sql);

/* the first value that a query gives, "" when there is none; static memory */
const char *store_query(PGconn *conn, const char *sql);

/*
 * Bytes made of a text: a hash (32), a serial number of now (20), or just
 * their pseudo-random continuation.
 */
cmp_str_t store_bytes(cmp_pool_t *pool, size_t len, const char *fmt, ...)
    __attribute__ ((format (printf, 3, 4)));
cmp_str_t store_serial(cmp_pool_t *pool, int64_t ms, const char *name);
cmp_str_t store_str(const char *text);
int64_t store_now(void);


#endif /* _STORE_CLIENT_H_INCLUDED_ */
