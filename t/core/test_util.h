
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the unit tests of the core share.
 */


#ifndef _TEST_UTIL_H_INCLUDED_
#define _TEST_UTIL_H_INCLUDED_


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <client.h>
#include <cmp_ca.h>
#include <cmp_msg.h>


#define TEST_NOW      1893456000000LL       /* 2030-01-01 00:00:00 UTC */
#define TEST_HOUR     3600000LL
#define TEST_YEAR     31536000000LL

/* CMP_OK, and nothing is left in the error queue */

#define test_ok(rc)  test_check_ok(rc, __FILE__, __LINE__)

/* declined with this code, and nothing is left in the error queue */

#define test_refused(rc, refusal, code)                                       \
    test_check_refused(rc, refusal, code, __FILE__, __LINE__)


void test_check_ok(int rc, const char *file, int line);
void test_check_refused(int rc, const cmp_refusal_t *refusal,
    cmp_refuse_e code, const char *file, int line);

/* the bytes of t/core/data/<name>, in the pool */
cmp_str_t test_file(cmp_pool_t *pool, const char *name);

/* limits as they are by default, nothing else */
void test_ca(cmp_ca_t *ca);

/* a copy in the pool, decoded */
void test_decode(cmp_pool_t *pool, const unsigned char *data, size_t len,
    cmp_msg_t *msg);

/* a string in C as a cmp_str_t */
cmp_str_t test_str(const char *text);

/* DER of any type, in the pool */
cmp_str_t test_der(cmp_pool_t *pool, const ASN1_ITEM *it, const void *value);

/* parameters of this type, or of these octets when the type is NULL */
void test_parameters(cmp_pool_t *pool, X509_ALGOR *alg, const ASN1_ITEM *it,
    const void *value, size_t len);
void test_null_parameters(X509_ALGOR *alg);

/* a genm of the client, protected as it says, as the core decodes it */
void test_request(cmp_pool_t *pool, client_t *client, cmp_msg_t *msg);

/* another key of the kind */
EVP_PKEY *test_other_key(int kind, EVP_PKEY *key);


#endif /* _TEST_UTIL_H_INCLUDED_ */
