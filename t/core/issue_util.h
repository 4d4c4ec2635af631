
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A CA, a profile and a request for the tests of cmp_issue_prepare().
 */


#ifndef _ISSUE_UTIL_H_INCLUDED_
#define _ISSUE_UTIL_H_INCLUDED_


#include <test_util.h>
#include <pki.h>

#include <cmp_issue.h>


#define ISSUE_CA            0x01
#define ISSUE_RA            0x02
#define ISSUE_DROP          0x04
#define ISSUE_PATH_0        0x08
#define ISSUE_ENCRYPT       0x10     /* keyEncipherment, and RSA keys alone */
#define ISSUE_NO_SAN        0x20
#define ISSUE_SAN_REQUIRED  0x40
#define ISSUE_URLS          0x80
#define ISSUE_CLIENT_TIMES  0x100
#define ISSUE_ANY_EKU       0x200    /* no extKeyUsage in the profile */
#define ISSUE_RESPONSE      0x400    /* a response certificate "server" */


typedef struct {
    cmp_pool_t                *pool;
    cmp_ca_t                   ca;
    cmp_profile_t              profile;
    cmp_profile_t             *profiles[1];
    cmp_issue_request_t        request;
    cmp_issue_t                issue;
    cmp_refusal_t              refusal;
    pki_random_t               random;
    EVP_PKEY                  *key;
} issue_test_t;


/* a CA "Test CA" that ends in 2035 and a profile by the flags */
void issue_create(issue_test_t *t, int kind, int flags);
void issue_destroy(issue_test_t *t);

/* words of the profile, separated by ';' */
void issue_words(issue_test_t *t, int (*add)(cmp_profile_t *profile,
    cmp_pool_t *pool, const cmp_str_t *word, char *err, size_t size),
    const char *words);

/*
 * A request: kind of key, -1 for none; "/CN=a"; "name=value;..." with values
 * in libcrypto's notation, or in hex for types that it does not know.  Of a
 * subjectKeyIdentifier: "ours" as the CA makes it, "sha1" by issue_sha1().
 */
void issue_ask(issue_test_t *t, int kind, const char *subject,
    const char *exts);
X509_EXTENSION *issue_extension(const char *name, const char *value);
void issue_forget(issue_test_t *t);

/* the SKI by method 1 of RFC 5280, CMP_SKI_LEN octets */
void issue_sha1(issue_test_t *t, unsigned char *hash);

int issue_prepare(issue_test_t *t);

/* the certificate decoded from its DER, its signature verified */
X509 *issue_sign(issue_test_t *t);

/* one line; '!' is critical; key identifiers are not shown; to be freed */
char *issue_extensions(X509 *cert);

void issue_refused(int row, int rc, issue_test_t *t, cmp_refuse_e code,
    const char *text);


#endif /* _ISSUE_UTIL_H_INCLUDED_ */
