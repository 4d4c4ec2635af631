
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the tests of the store share: connections, and a transaction with one
 * certificate that each test changes to its needs.
 */


#ifndef _STORE_FIXTURE_H_INCLUDED_
#define _STORE_FIXTURE_H_INCLUDED_


#include <store_client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>


typedef struct {
    store_client_t       server;        /* as the server's role */
    PGconn              *admin;
    cmp_pool_t          *pool;          /* of one test */
    int32_t              ca_id;

    cmp_load_t           load;
    cmp_records_t        records;
    const char          *load_error;
    const char          *key;

    cmp_writes_t         writes;
    cmp_write_cert_t     cert;
    cmp_write_change_t   change;
    cmp_write_audit_t    audit;
} store_t;


/* for cmocka: connects with TEST_CMP_SERVER and TEST_CMP_ADMIN */
int store_setup(void **state);
int store_teardown(void **state);

/* everything zeroed, memory of the test before is freed */
void store_reset(store_t *s);

/*
 * A new transaction that issues one certificate.  All values are made of the
 * name: transactionID "id NAME", key "key NAME", serial "NAME"...
 */
void store_issue(store_t *s, const char *name, int cert_state);

/* one change of a certificate, no transaction */
void store_change(store_t *s, const cmp_str_t *serial, int version,
    int action, int reason, int by);

cmp_commit_e store_commit(store_t *s);
void store_must_commit(store_t *s);

/* CMP_OK or CMP_ERROR, then load_error */
int store_load(store_t *s);

/* loads one of these alone, s->load stays as it is; NULL: not there */
const cmp_certificate_t *store_certificate(store_t *s,
    const cmp_str_t *serial);
const cmp_key_t *store_key(store_t *s, const cmp_str_t *hash);

void store_sweep(store_t *s, cmp_pg_sweep_t *sweep);

cmp_str_t store_id(store_t *s, const char *name);


#define assert_str_equal(a, b)                                                \
    assert_int_equal(cmp_str_equal(a, b), 1)


#endif /* _STORE_FIXTURE_H_INCLUDED_ */
