
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the files cmp_exchange_support*.c share; nobody else includes it.
 */


#ifndef _CMP_EXCHANGE_SUPPORT_H_INCLUDED_
#define _CMP_EXCHANGE_SUPPORT_H_INCLUDED_


#include <cmp_exchange_local.h>


/*
 * An answer: value is the infoValue of the request, NULL when absent.  der is
 * the infoValue of the answer, always a SEQUENCE, from ex->work; it is left
 * empty when there is none.  CMP_OK, CMP_DECLINED, CMP_ERROR.
 */
typedef int (*cmp_support_pt)(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);


/* cmp_exchange_support_ca.c: the state of the CA */

int cmp_support_ca_certs(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);
int cmp_support_root_update(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);
int cmp_support_current_crl(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);
int cmp_support_crls(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);

/* cmp_exchange_support_keys.c: algorithms */

int cmp_support_sign_keys(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);
int cmp_support_enc_keys(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);
int cmp_support_key_params(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);
int cmp_support_symm_alg(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);

/*
 * The algorithm identifier of the public keys of a rule, to be freed by
 * X509_ALGOR_free(), or NULL when out of memory.
 */
X509_ALGOR *cmp_support_algorithm(const cmp_key_rule_t *rule);

/* cmp_exchange_support_template.c: a profile as a certificate template */

int cmp_support_template(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal);


#endif /* _CMP_EXCHANGE_SUPPORT_H_INCLUDED_ */
