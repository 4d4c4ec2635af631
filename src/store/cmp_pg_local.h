
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the files of the store share: parameters into the binary format of
 * PostgreSQL, results out of it.  Nobody else includes it.
 */


#ifndef _CMP_PG_LOCAL_H_INCLUDED_
#define _CMP_PG_LOCAL_H_INCLUDED_


#include <cmp_pg.h>

#include <string.h>


#define CMP_PG_MAX_PARAMS      64
#define CMP_PG_MAX_TEXT        4096

/* 2000-01-01 in ms, from which PostgreSQL counts microseconds */
#define CMP_PG_EPOCH           946684800000LL


/* type oids, constant in every PostgreSQL (pg_type.dat) */

#define CMP_PG_BOOL            16
#define CMP_PG_BYTEA           17
#define CMP_PG_INT8            20
#define CMP_PG_INT4            23
#define CMP_PG_TEXT            25
#define CMP_PG_BYTEA_ARRAY     1001
#define CMP_PG_INT4_ARRAY      1007
#define CMP_PG_TEXT_ARRAY      1009
#define CMP_PG_INT8_ARRAY      1016
#define CMP_PG_TIME            1184
#define CMP_PG_TIME_ARRAY      1185
#define CMP_PG_SNAPSHOT        5038


/* indexes of cmp_pg_statements[] */

typedef enum {
    CMP_PG_STMT_SCHEMA = 0,
    CMP_PG_STMT_CA_REGISTER,
    CMP_PG_STMT_LOAD,
    CMP_PG_STMT_COMMIT,
    CMP_PG_STMT_SWEEP,
    CMP_PG_STMT_CRL_CURRENT,
    CMP_PG_STMT_CRL_READ,
    CMP_PG_STMT_CRL_BEGIN,
    CMP_PG_STMT_CRL_ENTRIES,
    CMP_PG_STMT_CRL_PUT,
    CMP_PG_STMT_CRL_STORE,
    CMP_PG_STMT_CRL_DUE,
    CMP_PG_STMT_OCSP_STATUS,
    CMP_PG_STMT_OCSP_RESPONDER,
    CMP_PG_STMT_OCSP_RESPONDER_STORE,
    CMP_PG_STMT_CHANGES
} cmp_pg_stmt_e;


/* what a value is in C, and how it is sent */

typedef enum {
    CMP_PG_AS_INT4 = 0,     /* int32_t */
    CMP_PG_AS_INT8,         /* int64_t */
    CMP_PG_AS_BOOL,         /* int */
    CMP_PG_AS_ID,           /* int64_t, 0: NULL */
    CMP_PG_AS_TIME,         /* int64_t, milliseconds, 0: NULL */
    CMP_PG_AS_BYTES,        /* cmp_str_t, empty: NULL */
    CMP_PG_AS_TEXT          /* cmp_str_t; what is not UTF-8 becomes '?' */
} cmp_pg_as_e;


/* a member of a structure */

typedef struct {
    cmp_pg_as_e   as;
    size_t        offset;
} cmp_pg_member_t;


/*
 * The parameters of one statement.  An error sticks: it is enough to look at
 * the result of cmp_pg_params_send().
 */

typedef struct {
    cmp_pool_t   *pool;
    size_t        size;
    int           n;
    int           error;
    const char   *values[CMP_PG_MAX_PARAMS];
    int           lengths[CMP_PG_MAX_PARAMS];
    int           formats[CMP_PG_MAX_PARAMS];
} cmp_pg_params_t;


void cmp_pg_params_init(cmp_pg_params_t *params);

/* bytes are not copied: they stay where they are until params are sent */
void cmp_pg_param(cmp_pg_params_t *params, cmp_pg_as_e as, const void *value);

/* one parameter for each of the members of a structure, in order */
void cmp_pg_param_members(cmp_pg_params_t *params,
    const cmp_pg_member_t *members, size_t nmembers, const void *base);

/*
 * One array parameter for each of the members, with an element for each of
 * the n structures of this size at base; NULL when n is 0.
 */
void cmp_pg_param_arrays(cmp_pg_params_t *params,
    const cmp_pg_member_t *members, size_t nmembers, const void *base,
    size_t n, size_t size);

/* sends them, and frees them in any case; CMP_OK or CMP_ERROR */
int cmp_pg_params_send(cmp_pg_params_t *params, PGconn *conn,
    cmp_pg_stmt_e stmt);


/*
 * A row: of a result, or a composite value.  Its fields are read in order,
 * each must have the type that is asked for.  An error sticks, and everything
 * is NULL after it.  Strings are copied into the pool; without a pool they
 * point into the result.
 */

typedef struct {
    cmp_pool_t            *pool;
    PGresult              *res;
    int                    field;
    int                    nfields;
    const unsigned char   *pos;       /* of a composite value */
    const unsigned char   *end;
    unsigned               error:1;
} cmp_pg_row_t;


typedef struct {
    const unsigned char   *data;      /* NULL: the value NULL */
    size_t                 len;
} cmp_pg_value_t;


/* elements of an array, each is there for cmp_pg_array_next() */

typedef struct {
    cmp_pg_row_t          *row;       /* gets the errors */
    size_t                 n;
    const unsigned char   *pos;
    const unsigned char   *end;
} cmp_pg_array_t;


/* the only row of a result, which must have this number of fields */
void cmp_pg_row_result(cmp_pg_row_t *row, cmp_pool_t *pool, PGresult *res,
    int nfields);

/* a composite value, which must have this number of fields */
void cmp_pg_row_composite(cmp_pg_row_t *row, cmp_pool_t *pool,
    const cmp_pg_value_t *value, int nfields);

/* type 0: whatever it is */
void cmp_pg_row_next(cmp_pg_row_t *row, Oid type, cmp_pg_value_t *value);

/* 0 for NULL; times in milliseconds */
int32_t cmp_pg_row_int4(cmp_pg_row_t *row, int32_t min, int32_t max);
int64_t cmp_pg_row_int8(cmp_pg_row_t *row);
int64_t cmp_pg_row_time(cmp_pg_row_t *row);
unsigned cmp_pg_row_bool(cmp_pg_row_t *row);

/* empty for NULL; a length out of range is an error */
cmp_str_t cmp_pg_row_bytes(cmp_pg_row_t *row, size_t min, size_t max);
cmp_str_t cmp_pg_row_text(cmp_pg_row_t *row);

/* strings of an array in the pool; type: of the array */
cmp_str_t *cmp_pg_row_strings(cmp_pg_row_t *row, Oid type, size_t *n);

/* element: type of the elements, 0: whatever it is; max: elements */
void cmp_pg_row_array(cmp_pg_row_t *row, Oid type, Oid element, size_t max,
    cmp_pg_array_t *array);
void cmp_pg_array_next(cmp_pg_array_t *array, cmp_pg_value_t *value);

int32_t cmp_pg_value_int4(cmp_pg_row_t *row, const cmp_pg_value_t *value);
int64_t cmp_pg_value_int8(cmp_pg_row_t *row, const cmp_pg_value_t *value);
int64_t cmp_pg_value_time(cmp_pg_row_t *row, const cmp_pg_value_t *value);
cmp_str_t cmp_pg_value_bytes(cmp_pg_row_t *row, const cmp_pg_value_t *value,
    size_t min, size_t max);


#endif /* _CMP_PG_LOCAL_H_INCLUDED_ */
