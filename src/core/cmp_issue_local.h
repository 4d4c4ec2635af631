
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the files cmp_issue*.c share; nobody else includes it.
 */


#ifndef _CMP_ISSUE_LOCAL_H_INCLUDED_
#define _CMP_ISSUE_LOCAL_H_INCLUDED_


#include <cmp_issue.h>


/* one certificate on its way through the profile */

typedef struct {
    const cmp_ca_t              *ca;
    const cmp_profile_t         *profile;
    const cmp_issue_request_t   *request;
    cmp_pool_t                  *pool;
    cmp_issue_t                 *issue;
    cmp_refusal_t               *refusal;
    uint32_t                     usages;    /* KU_* that the key can serve */

    /* as asked for; NULL where absent or dropped; borrowed */

    X509_EXTENSION              *san;
    X509_EXTENSION              *key_usage;
    X509_EXTENSION              *ext_key_usage;
    X509_EXTENSION              *basic_constraints;
    X509_EXTENSION              *ski;
    X509_EXTENSION              *aki;
} cmp_issue_ctx_t;


/* notes a change for grantedWithMods */
void cmp_issue_modified(cmp_issue_t *issue, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));

/*
 * The value of an extension, all of it decoded, to be freed by
 * ASN1_item_free(), or NULL with EXTENSION_VALUE.
 */
void *cmp_issue_decode(cmp_issue_ctx_t *ctx, X509_EXTENSION *ext,
    const ASN1_ITEM *it);

/* adds an extension to the certificate; CMP_OK or CMP_ERROR */
int cmp_issue_add(cmp_issue_ctx_t *ctx, int nid, const void *value,
    int critical);

/* cmp_issue_subject.c: the subject by the rules of the profile */
int cmp_issue_subject(cmp_issue_ctx_t *ctx);

/* cmp_issue_ext.c: finds the extensions asked for, and makes all of them */
int cmp_issue_sort_extensions(cmp_issue_ctx_t *ctx);
int cmp_issue_alt_names(cmp_issue_ctx_t *ctx);
int cmp_issue_extensions(cmp_issue_ctx_t *ctx);

/* cmp_issue_usage.c: basicConstraints, keyUsage, extKeyUsage */
int cmp_issue_basic_constraints(cmp_issue_ctx_t *ctx);
int cmp_issue_key_usage(cmp_issue_ctx_t *ctx);
int cmp_issue_ext_key_usage(cmp_issue_ctx_t *ctx);


#endif /* _CMP_ISSUE_LOCAL_H_INCLUDED_ */
