
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the tests of CRLs in the store share.
 */


#ifndef _STORE_CRL_H_INCLUDED_
#define _STORE_CRL_H_INCLUDED_


#include <store_fixture.h>


#define CRL_DAY   86400000
#define CRL_HOUR  3600000


typedef struct {
    cmp_pg_crl_begin_t     begin;
    cmp_pg_crl_entries_t   entries;
} crl_made_t;


/* whose CRLs the functions below are about */
extern cmp_pg_crl_kind_t  crl_kind;


void crl_reset(store_t *s);
void crl_current_by(store_t *s, int64_t known, int64_t refresh, int changes,
    cmp_pg_crl_t *crl);
void crl_current(store_t *s, cmp_pg_crl_t *crl);
void crl_begin(store_t *s, crl_made_t *made);
void crl_read(store_t *s, const cmp_str_t *after, crl_made_t *made);
void crl_make(store_t *s, crl_made_t *made);
cmp_commit_e crl_store_der(store_t *s, const crl_made_t *made,
    int64_t lifetime, int pieces, const cmp_str_t *der);
cmp_commit_e crl_store_for(store_t *s, const crl_made_t *made,
    int64_t lifetime);
cmp_commit_e crl_store(store_t *s, const crl_made_t *made);
int crl_stale(store_t *s);
void crl_renew(store_t *s, size_t nentries);
void crl_issue(store_t *s, const char *name, cmp_str_t *serial);
void crl_change(store_t *s, const cmp_str_t *serial, int version, int action,
    int reason);


#endif /* _STORE_CRL_H_INCLUDED_ */
