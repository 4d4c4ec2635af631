
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Parameters in the binary format: the send functions of PostgreSQL's types.
 */


#include <cmp_pg_local.h>


#define CMP_PG_NULL         ((size_t) -1)

#define CMP_PG_ARRAY_HEADER 20

/* year 0 to 9999, what a certificate may say and more */
#define CMP_PG_MIN_TIME     -62167219200000LL
#define CMP_PG_MAX_TIME     253402300800000LL


static unsigned char *cmp_pg_params_alloc(cmp_pg_params_t *params,
    size_t size);
static void cmp_pg_params_add(cmp_pg_params_t *params, const void *value,
    size_t len);
static Oid cmp_pg_type(cmp_pg_as_e as);
static size_t cmp_pg_encode(cmp_pg_params_t *params, cmp_pg_as_e as,
    const void *value, unsigned char *out);
static size_t cmp_pg_encode_int(unsigned char *out, uint64_t value,
    size_t len);
static size_t cmp_pg_encode_time(cmp_pg_params_t *params, int64_t ms,
    unsigned char *out);
static size_t cmp_pg_encode_text(const cmp_str_t *text, unsigned char *out);
static size_t cmp_pg_utf8(const unsigned char *p, size_t len);
static void cmp_pg_param_array(cmp_pg_params_t *params, cmp_pg_as_e as,
    const unsigned char *base, size_t n, size_t size);


void
cmp_pg_params_init(cmp_pg_params_t *params)
{
    params->n = 0;
    params->size = 0;
    params->error = 0;

    params->pool = cmp_pool_create();

    if (params->pool == NULL) {
        params->error = 1;
    }
}


void
cmp_pg_param(cmp_pg_params_t *params, cmp_pg_as_e as, const void *value)
{
    size_t            len;
    const cmp_str_t  *str;
    unsigned char    *out;

    len = cmp_pg_encode(params, as, value, NULL);

    if (len == CMP_PG_NULL) {
        cmp_pg_params_add(params, NULL, 0);
        return;
    }

    if (as == CMP_PG_AS_BYTES) {

        /* as they are; they may be large, as a CRL is */

        if (len > CMP_PG_MAX_PARAMS_SIZE - params->size) {
            params->error = 1;
            return;
        }

        str = value;
        params->size += len;

        cmp_pg_params_add(params, str->data, len);
        return;
    }

    out = cmp_pg_params_alloc(params, len);

    if (out == NULL) {
        return;
    }

    (void) cmp_pg_encode(params, as, value, out);

    cmp_pg_params_add(params, out, len);
}


void
cmp_pg_param_members(cmp_pg_params_t *params, const cmp_pg_member_t *members,
    size_t nmembers, const void *base)
{
    size_t  i;

    for (i = 0; i < nmembers; i++) {
        cmp_pg_param(params, members[i].as,
                     (const unsigned char *) base + members[i].offset);
    }
}


void
cmp_pg_param_arrays(cmp_pg_params_t *params, const cmp_pg_member_t *members,
    size_t nmembers, const void *base, size_t n, size_t size)
{
    size_t  i;

    for (i = 0; i < nmembers; i++) {

        if (n == 0) {
            cmp_pg_params_add(params, NULL, 0);
            continue;
        }

        cmp_pg_param_array(params, members[i].as,
                           (const unsigned char *) base + members[i].offset,
                           n, size);
    }
}


static void
cmp_pg_param_array(cmp_pg_params_t *params, cmp_pg_as_e as,
    const unsigned char *base, size_t n, size_t size)
{
    size_t          i, len, total;
    unsigned        nulls;
    unsigned char  *out, *p;

    if (n > CMP_PG_MAX_ELEMENTS) {
        params->error = 1;
        return;
    }

    total = CMP_PG_ARRAY_HEADER;
    nulls = 0;

    for (i = 0; i < n; i++) {
        len = cmp_pg_encode(params, as, base + i * size, NULL);

        if (len == CMP_PG_NULL) {
            nulls = 1;
            len = 0;
        }

        if (len > CMP_PG_MAX_PARAMS_SIZE) {
            params->error = 1;
            return;
        }

        total += 4 + len;
    }

    out = cmp_pg_params_alloc(params, total);

    if (out == NULL) {
        return;
    }

    /* one dimension, whether there are NULLs, type, n elements from 1 on */

    p = out;
    p += cmp_pg_encode_int(p, 1, 4);
    p += cmp_pg_encode_int(p, nulls, 4);
    p += cmp_pg_encode_int(p, cmp_pg_type(as), 4);
    p += cmp_pg_encode_int(p, n, 4);
    p += cmp_pg_encode_int(p, 1, 4);

    for (i = 0; i < n; i++) {
        len = cmp_pg_encode(params, as, base + i * size, p + 4);

        p += cmp_pg_encode_int(p, (uint32_t) len, 4);

        if (len != CMP_PG_NULL) {
            p += len;
        }
    }

    cmp_pg_params_add(params, out, total);
}


int
cmp_pg_params_send(cmp_pg_params_t *params, PGconn *conn, cmp_pg_stmt_e stmt)
{
    int                        rc;
    const cmp_pg_statement_t  *st;

    rc = CMP_ERROR;
    st = &cmp_pg_statements[stmt];

    if (params->error == 0
        && params->n == st->nparams
        && PQsendQueryPrepared(conn, st->name, params->n, params->values,
                               params->lengths, params->formats, 1)
           == 1)
    {
        rc = CMP_OK;
    }

    cmp_pool_destroy(params->pool);

    return rc;
}


static unsigned char *
cmp_pg_params_alloc(cmp_pg_params_t *params, size_t size)
{
    unsigned char  *p;

    if (params->error) {
        return NULL;
    }

    if (size > CMP_PG_MAX_PARAMS_SIZE - params->size) {
        params->error = 1;
        return NULL;
    }

    /* never without a byte: a pointer of NULL would be the value NULL */

    p = cmp_palloc(params->pool, size + 1);

    if (p == NULL) {
        params->error = 1;
        return NULL;
    }

    params->size += size;

    return p;
}


static void
cmp_pg_params_add(cmp_pg_params_t *params, const void *value, size_t len)
{
    if (params->n == CMP_PG_MAX_PARAMS) {
        params->error = 1;
        return;
    }

    params->values[params->n] = value;
    params->lengths[params->n] = (int) len;
    params->formats[params->n] = 1;
    params->n++;
}


static Oid
cmp_pg_type(cmp_pg_as_e as)
{
    switch (as) {

    case CMP_PG_AS_INT4:
        return CMP_PG_INT4;

    case CMP_PG_AS_BOOL:
        return CMP_PG_BOOL;

    case CMP_PG_AS_TIME:
        return CMP_PG_TIME;

    case CMP_PG_AS_BYTES:
        return CMP_PG_BYTEA;

    case CMP_PG_AS_TEXT:
        return CMP_PG_TEXT;

    default: /* CMP_PG_AS_INT8, CMP_PG_AS_ID */
        return CMP_PG_INT8;
    }
}


/* the length of the value, which is written to out if that is not NULL */

static size_t
cmp_pg_encode(cmp_pg_params_t *params, cmp_pg_as_e as, const void *value,
    unsigned char *out)
{
    int64_t           n;
    const cmp_str_t  *str;

    switch (as) {

    case CMP_PG_AS_INT4:
        return cmp_pg_encode_int(out, (uint32_t) *(const int32_t *) value, 4);

    case CMP_PG_AS_INT8:
        return cmp_pg_encode_int(out, (uint64_t) *(const int64_t *) value, 8);

    case CMP_PG_AS_BOOL:
        return cmp_pg_encode_int(out, *(const int *) value != 0, 1);

    case CMP_PG_AS_ID:
        n = *(const int64_t *) value;
        return n != 0 ? cmp_pg_encode_int(out, (uint64_t) n, 8) : CMP_PG_NULL;

    case CMP_PG_AS_TIME:
        n = *(const int64_t *) value;
        return n != 0 ? cmp_pg_encode_time(params, n, out) : CMP_PG_NULL;

    case CMP_PG_AS_TEXT:
        return cmp_pg_encode_text(value, out);

    default: /* CMP_PG_AS_BYTES */
        str = value;

        if (str->len == 0) {
            return CMP_PG_NULL;
        }

        if (out != NULL) {
            memcpy(out, str->data, str->len);
        }

        return str->len;
    }
}


static size_t
cmp_pg_encode_int(unsigned char *out, uint64_t value, size_t len)
{
    size_t  i;

    if (out != NULL) {
        for (i = 0; i < len; i++) {
            out[i] = (unsigned char) (value >> (8 * (len - 1 - i)));
        }
    }

    return len;
}


static size_t
cmp_pg_encode_time(cmp_pg_params_t *params, int64_t ms, unsigned char *out)
{
    if (ms < CMP_PG_MIN_TIME || ms > CMP_PG_MAX_TIME) {
        params->error = 1;
        return CMP_PG_NULL;
    }

    return cmp_pg_encode_int(out, (uint64_t) ((ms - CMP_PG_EPOCH) * 1000), 8);
}


/*
 * The server refuses text that is not valid UTF-8 or has a zero octet, and
 * control characters have no place in a line of an audit.
 */

static size_t
cmp_pg_encode_text(const cmp_str_t *text, unsigned char *out)
{
    size_t  i, n, len;

    len = text->len < CMP_PG_MAX_TEXT ? text->len : CMP_PG_MAX_TEXT;

    if (out == NULL) {
        return len;
    }

    for (i = 0; i < len; i += n) {
        n = cmp_pg_utf8(text->data + i, len - i);

        if (n == 0) {
            out[i] = '?';
            n = 1;

        } else {
            memcpy(out + i, text->data + i, n);
        }
    }

    return len;
}


/* the length of the character at p, 0 if it is none that may be stored */

static size_t
cmp_pg_utf8(const unsigned char *p, size_t len)
{
    size_t    i, n;
    uint32_t  c, min;

    if (p[0] < 0x80) {
        return (p[0] >= 0x20 && p[0] != 0x7f) ? 1 : 0;
    }

    if ((p[0] & 0xe0) == 0xc0) {
        n = 2;
        c = p[0] & 0x1f;
        min = 0xa0;     /* beyond the control characters of Latin-1 */

    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        c = p[0] & 0x0f;
        min = 0x800;

    } else if ((p[0] & 0xf8) == 0xf0) {
        n = 4;
        c = p[0] & 0x07;
        min = 0x10000;

    } else {
        return 0;
    }

    if (n > len) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }

    return n;
}
