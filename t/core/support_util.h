
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Support messages: questions, answers, and what the CA has for them.
 */


#ifndef _SUPPORT_UTIL_H_INCLUDED_
#define _SUPPORT_UTIL_H_INCLUDED_


#include <fixture.h>


#define SUPPORT_CRL_TIME  (HARNESS_NOW - 3600000 + 250)
#define SUPPORT_CRL_URL   "http://pki.example/crl/test.crl"


/* the root of the harness gets a successor */

typedef struct {
    X509            *new_with_new;
    X509            *new_with_old;
    X509            *old_with_new;
    cmp_rollover_t   record;
} support_root_t;


/* an empty genm in a new transaction */
cmp_pki_message_t *support_genm(fixture_t *f);

/* one more question; takes over value */
void support_add(cmp_pki_message_t *msg, const cmp_oid_t *oid,
    ASN1_TYPE *value);

/* sends one question; takes over value */
void support_ask(fixture_t *f, const cmp_oid_t *oid, ASN1_TYPE *value);

/* infoTypes in the answer, which has to be a genp */
int support_count(fixture_t *f);

/* the value for this type, alone or among others */
const ASN1_TYPE *support_info(fixture_t *f, const cmp_oid_t *oid);

/* the only answer is this type without a value */
void support_absent(fixture_t *f, const cmp_oid_t *oid);

/* the decoded value, to be freed */
void *support_value(fixture_t *f, const cmp_oid_t *oid, const ASN1_ITEM *it);

ASN1_TYPE *support_sequence(const ASN1_ITEM *it, const void *item);

/* in the pool of the harness */
cmp_str_t support_der(fixture_t *f, const ASN1_ITEM *it, const void *item);

/* puts them into the store; the root until it is freed */
void support_crl_create(fixture_t *f);
void support_root_create(fixture_t *f, support_root_t *root);
void support_root_free(fixture_t *f, support_root_t *root);

/* one more source; url NULL: the issuer; at 0: no thisUpdate */
void support_status(cmp_crl_status_list_t *list, const char *url,
    X509 *issuer, int64_t at);


#endif /* _SUPPORT_UTIL_H_INCLUDED_ */
