
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A CA, a vendor and a message, for the tests of protecting certificates.
 */


#ifndef _PATH_FIXTURE_H_INCLUDED_
#define _PATH_FIXTURE_H_INCLUDED_


#include <test_util.h>

#include <cmp_path.h>


#define TEST_USAGE      "critical,digitalSignature"
#define TEST_CA_USAGE   "critical,keyCertSign,cRLSign"
#define TEST_CA         "critical,CA:TRUE"

#define path_refused(rc, code)  test_refused(rc, &path_refusal, code)

#define test_case(name)                                                       \
    cmocka_unit_test_setup_teardown(name, path_setup, path_teardown)


typedef struct {
    X509      *cert;
    EVP_PKEY  *key;
} path_pair_t;


extern cmp_pool_t         *path_pool;
extern cmp_ca_t            path_ca;
extern cmp_msg_t           path_msg;
extern cmp_records_t       path_records;
extern cmp_certificate_t   path_record;
extern cmp_transaction_t   path_transaction;
extern cmp_signer_t        path_signer;
extern cmp_refusal_t       path_refusal;
extern cmp_trusted_t       path_ras[2];
extern cmp_scope_t         path_scopes[5];      /* anchors: from 0, RAs: 3 */
extern cmp_profile_t       path_profile;        /* "device" */

/* of the CA, and of a vendor that no anchor names yet */
extern path_pair_t        *path_root;
extern path_pair_t        *path_issuer;
extern path_pair_t        *path_vendor;


int path_setup(void **state);
int path_teardown(void **state);

/* freed with the test; settings NULL: an end entity that may sign */
path_pair_t *path_pair(const char *subject, int kind, const path_pair_t *by,
    const pki_cert_t *settings);
path_pair_t *path_ca_pair(const char *subject, const path_pair_t *by);
uint64_t path_serial(const path_pair_t *pair);

/* the message is protected by the first, the second may be NULL */
void path_send(const path_pair_t *first, const path_pair_t *second);

/* the store knows it, as valid */
void path_store(const path_pair_t *pair);

/* n anchors, path_pair_t pointers */
void path_anchors(int n, ...);

/* n CRLs, which are taken over */
void path_crls(int n, ...);

/* a CRL that is current; revoked may be NULL */
X509_CRL *path_crl(const path_pair_t *by, const path_pair_t *revoked);

/* cmp_path_signer() with the records, and with none */
int path_find(void);
int path_find_without(void);

/* of path_signer; as it is without a cache */
int path_revocation(void);


#endif /* _PATH_FIXTURE_H_INCLUDED_ */
