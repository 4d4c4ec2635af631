
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Results in the binary format.  The database is trusted no further than that
 * nothing it sends may break this process: every length is checked.
 */


#include <cmp_pg_local.h>


static void cmp_pg_row_from_result(cmp_pg_row_t *row, Oid type,
    cmp_pg_value_t *value);
static void cmp_pg_row_from_composite(cmp_pg_row_t *row, Oid type,
    cmp_pg_value_t *value);
static int cmp_pg_read_int4(const unsigned char **pos,
    const unsigned char *end, int32_t *n);
static uint64_t cmp_pg_decode_int(const unsigned char *p, size_t len);
static int cmp_pg_read_value(const unsigned char **pos,
    const unsigned char *end, cmp_pg_value_t *value);


void
cmp_pg_row_result(cmp_pg_row_t *row, cmp_pool_t *pool, PGresult *res,
    int nfields)
{
    memset(row, 0, sizeof(cmp_pg_row_t));

    row->pool = pool;
    row->res = res;
    row->nfields = nfields;

    if (PQresultStatus(res) != PGRES_TUPLES_OK
        || PQntuples(res) != 1
        || PQnfields(res) != nfields)
    {
        row->error = 1;
    }
}


void
cmp_pg_row_composite(cmp_pg_row_t *row, cmp_pool_t *pool,
    const cmp_pg_value_t *value, int nfields)
{
    int32_t  n;

    memset(row, 0, sizeof(cmp_pg_row_t));

    row->pool = pool;
    row->pos = value->data;
    row->end = value->data + value->len;
    row->nfields = nfields;

    if (cmp_pg_read_int4(&row->pos, row->end, &n) != CMP_OK || n != nfields) {
        row->error = 1;
    }
}


void
cmp_pg_row_next(cmp_pg_row_t *row, Oid type, cmp_pg_value_t *value)
{
    value->data = NULL;
    value->len = 0;

    if (row->error) {
        return;
    }

    if (row->field == row->nfields) {
        row->error = 1;
        return;
    }

    if (row->res != NULL) {
        cmp_pg_row_from_result(row, type, value);

    } else {
        cmp_pg_row_from_composite(row, type, value);
    }

    row->field++;
}


static void
cmp_pg_row_from_result(cmp_pg_row_t *row, Oid type, cmp_pg_value_t *value)
{
    if (PQfformat(row->res, row->field) != 1
        || (type != 0 && PQftype(row->res, row->field) != type))
    {
        row->error = 1;
        return;
    }

    if (PQgetisnull(row->res, 0, row->field)) {
        return;
    }

    value->data = (unsigned char *) PQgetvalue(row->res, 0, row->field);
    value->len = PQgetlength(row->res, 0, row->field);
}


static void
cmp_pg_row_from_composite(cmp_pg_row_t *row, Oid type, cmp_pg_value_t *value)
{
    int32_t  oid;

    if (cmp_pg_read_int4(&row->pos, row->end, &oid) != CMP_OK
        || (type != 0 && (Oid) oid != type)
        || cmp_pg_read_value(&row->pos, row->end, value) != CMP_OK
        || (row->field + 1 == row->nfields && row->pos != row->end))
    {
        value->data = NULL;
        value->len = 0;
        row->error = 1;
    }
}


int32_t
cmp_pg_row_int4(cmp_pg_row_t *row, int32_t min, int32_t max)
{
    int32_t         n;
    cmp_pg_value_t  value;

    cmp_pg_row_next(row, CMP_PG_INT4, &value);

    n = cmp_pg_value_int4(row, &value);

    if (n < min || n > max) {
        row->error = 1;
        return 0;
    }

    return n;
}


int64_t
cmp_pg_row_int8(cmp_pg_row_t *row)
{
    cmp_pg_value_t  value;

    cmp_pg_row_next(row, CMP_PG_INT8, &value);

    return cmp_pg_value_int8(row, &value);
}


int64_t
cmp_pg_row_time(cmp_pg_row_t *row)
{
    cmp_pg_value_t  value;

    cmp_pg_row_next(row, CMP_PG_TIME, &value);

    return cmp_pg_value_time(row, &value);
}


unsigned
cmp_pg_row_bool(cmp_pg_row_t *row)
{
    cmp_pg_value_t  value;

    cmp_pg_row_next(row, CMP_PG_BOOL, &value);

    if (value.data == NULL) {
        return 0;
    }

    if (value.len != 1) {
        row->error = 1;
        return 0;
    }

    return value.data[0] != 0;
}


cmp_str_t
cmp_pg_row_bytes(cmp_pg_row_t *row, size_t min, size_t max)
{
    cmp_pg_value_t  value;

    cmp_pg_row_next(row, CMP_PG_BYTEA, &value);

    return cmp_pg_value_bytes(row, &value, min, max);
}


cmp_str_t
cmp_pg_row_text(cmp_pg_row_t *row)
{
    cmp_pg_value_t  value;

    cmp_pg_row_next(row, CMP_PG_TEXT, &value);

    return cmp_pg_value_bytes(row, &value, 0, CMP_PG_MAX_TEXT);
}


cmp_str_t *
cmp_pg_row_strings(cmp_pg_row_t *row, Oid type, size_t *n)
{
    size_t           i;
    cmp_str_t       *strings;
    cmp_pg_array_t   array;
    cmp_pg_value_t   value;

    *n = 0;

    cmp_pg_row_array(row, type,
                     type == CMP_PG_TEXT_ARRAY ? CMP_PG_TEXT : CMP_PG_BYTEA,
                     CMP_PG_MAX_ELEMENTS, &array);

    if (array.n == 0) {
        return NULL;
    }

    strings = cmp_palloc(row->pool, array.n * sizeof(cmp_str_t));

    if (strings == NULL) {
        row->error = 1;
        return NULL;
    }

    for (i = 0; i < array.n; i++) {
        cmp_pg_array_next(&array, &value);
        strings[i] = cmp_pg_value_bytes(row, &value, 0, CMP_PG_MAX_TEXT);
    }

    *n = array.n;

    return strings;
}


void
cmp_pg_row_array(cmp_pg_row_t *row, Oid type, Oid element, size_t max,
    cmp_pg_array_t *array)
{
    int32_t         ndim, nulls, oid, n, first;
    cmp_pg_value_t  value;

    memset(array, 0, sizeof(cmp_pg_array_t));
    array->row = row;

    cmp_pg_row_next(row, type, &value);

    if (value.data == NULL) {
        return;
    }

    array->pos = value.data;
    array->end = value.data + value.len;

    if (cmp_pg_read_int4(&array->pos, array->end, &ndim) != CMP_OK
        || cmp_pg_read_int4(&array->pos, array->end, &nulls) != CMP_OK
        || cmp_pg_read_int4(&array->pos, array->end, &oid) != CMP_OK
        || (element != 0 && (Oid) oid != element))
    {
        row->error = 1;
        return;
    }

    if (ndim == 0) {
        return;
    }

    /* each element has at least its length */

    if (ndim != 1
        || cmp_pg_read_int4(&array->pos, array->end, &n) != CMP_OK
        || cmp_pg_read_int4(&array->pos, array->end, &first) != CMP_OK
        || n < 0
        || (size_t) n > max
        || (size_t) n > (size_t) (array->end - array->pos) / 4)
    {
        row->error = 1;
        return;
    }

    array->n = n;
}


void
cmp_pg_array_next(cmp_pg_array_t *array, cmp_pg_value_t *value)
{
    value->data = NULL;
    value->len = 0;

    if (array->row->error) {
        return;
    }

    if (cmp_pg_read_value(&array->pos, array->end, value) != CMP_OK) {
        array->row->error = 1;
    }
}


int32_t
cmp_pg_value_int4(cmp_pg_row_t *row, const cmp_pg_value_t *value)
{
    if (value->data == NULL) {
        return 0;
    }

    if (value->len != 4) {
        row->error = 1;
        return 0;
    }

    return (int32_t) cmp_pg_decode_int(value->data, 4);
}


int64_t
cmp_pg_value_int8(cmp_pg_row_t *row, const cmp_pg_value_t *value)
{
    if (value->data == NULL) {
        return 0;
    }

    if (value->len != 8) {
        row->error = 1;
        return 0;
    }

    return (int64_t) cmp_pg_decode_int(value->data, 8);
}


int64_t
cmp_pg_value_time(cmp_pg_row_t *row, const cmp_pg_value_t *value)
{
    int64_t  us, ms;

    if (value->data == NULL) {
        return 0;
    }

    us = cmp_pg_value_int8(row, value);

    /* "infinity" means nothing here */

    if (us == INT64_MAX || us == INT64_MIN) {
        row->error = 1;
        return 0;
    }

    ms = us / 1000;

    if (us % 1000 < 0) {
        ms--;
    }

    return ms + CMP_PG_EPOCH;
}


cmp_str_t
cmp_pg_value_bytes(cmp_pg_row_t *row, const cmp_pg_value_t *value, size_t min,
    size_t max)
{
    cmp_str_t  str;

    str.data = NULL;
    str.len = 0;

    if (row->error) {
        return str;
    }

    if (value->len < min || value->len > max) {
        row->error = 1;
        return str;
    }

    if (value->len == 0) {
        return str;
    }

    if (row->pool == NULL) {
        str.data = (unsigned char *) value->data;
        str.len = value->len;

    } else if (cmp_pstrdup(row->pool, &str, value->data, value->len)
               != CMP_OK)
    {
        str.data = NULL;
        str.len = 0;
        row->error = 1;
    }

    return str;
}


static int
cmp_pg_read_int4(const unsigned char **pos, const unsigned char *end,
    int32_t *n)
{
    if (*pos == NULL || end - *pos < 4) {
        return CMP_ERROR;
    }

    *n = (int32_t) cmp_pg_decode_int(*pos, 4);
    *pos += 4;

    return CMP_OK;
}


/* a length, -1 for NULL, and that many octets */

static int
cmp_pg_read_value(const unsigned char **pos, const unsigned char *end,
    cmp_pg_value_t *value)
{
    int32_t  len;

    value->data = NULL;
    value->len = 0;

    if (cmp_pg_read_int4(pos, end, &len) != CMP_OK) {
        return CMP_ERROR;
    }

    if (len == -1) {
        return CMP_OK;
    }

    if (len < 0 || len > end - *pos) {
        return CMP_ERROR;
    }

    value->data = *pos;
    value->len = len;
    *pos += len;

    return CMP_OK;
}


static uint64_t
cmp_pg_decode_int(const unsigned char *p, size_t len)
{
    size_t    i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < len; i++) {
        n = n << 8 | p[i];
    }

    return n;
}
