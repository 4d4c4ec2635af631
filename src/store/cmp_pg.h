
/*
 * Copyright (C) 2026 the ngx_http_cmp_module authors
 */


#ifndef _CMP_PG_H_INCLUDED_
#define _CMP_PG_H_INCLUDED_


#include <libpq-fe.h>


/*
 * The statements that every connection prepares before its first use, in
 * one pipeline.  The table ends with an entry whose name is NULL.  "types"
 * holds "nparams" type oids and may be NULL when there are no parameters.
 *
 * One of the statements must be CMP_PG_SCHEMA_STATEMENT: no parameters, one
 * row of one int4, the version of the schema that the database has.
 */

typedef struct {
    const char  *name;
    const char  *sql;
    int          nparams;
    const Oid   *types;
} cmp_pg_statement_t;


#define CMP_PG_SCHEMA_VERSION    1
#define CMP_PG_SCHEMA_STATEMENT  "cmp_schema_version"


extern const cmp_pg_statement_t  cmp_pg_statements[];


#endif /* _CMP_PG_H_INCLUDED_ */
