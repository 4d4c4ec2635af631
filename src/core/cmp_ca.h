
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A certification authority: its certificates, keys, profiles and limits.
 * Filled while the configuration is read, checked by cmp_ca_finish(),
 * immutable and shared by threads afterwards.
 */


#ifndef _CMP_CA_H_INCLUDED_
#define _CMP_CA_H_INCLUDED_


#include <cmp_cert_cache.h>
#include <cmp_core.h>
#include <cmp_profile.h>

#include <openssl/x509v3.h>


#define CMP_MAX_DEPTH          8       /* of a certification path */
#define CMP_MAX_PREVIOUS       8       /* keys of a CA before the current */


typedef enum {
    CMP_RFC9810 = 0,                    /* base */
    CMP_RFC9483                         /* strict */
} cmp_conformance_e;


typedef struct {
    X509                 *cert;
    cmp_scope_t          *scope;
} cmp_trusted_t;


/* how others name an issuer, RFC 6960, 4.1.1 */

typedef enum {
    CMP_HASH_SHA1 = 0,
    CMP_HASH_SHA256,
    CMP_HASH_SHA384,
    CMP_HASH_SHA512,
    CMP_HASH_MAX
} cmp_hash_e;


typedef struct {
    unsigned              len;          /* 0: there is no such hash */
    unsigned char         name[EVP_MAX_MD_SIZE];  /* of the subject */
    unsigned char         key[EVP_MAX_MD_SIZE];   /* of the public key */
} cmp_issuer_hash_t;


/*
 * A key that signs under the name of the CA: the current one, or one from
 * before a rollover, which signs CRLs and OCSP responses for as long as its
 * certificate is valid, but no certificates any more.
 */

typedef struct {
    X509                 *certificate;
    EVP_PKEY             *key;
    unsigned              key_later:1;  /* "key" is public: each worker puts
                                           the private one there */

    /* --- made by cmp_ca_finish() --- */

    const EVP_MD         *md;           /* of signatures; NULL for keys that
                                           need none */
    cmp_issuer_hash_t     hashes[CMP_HASH_MAX];
    unsigned              slow:1;       /* signing does not belong into an
                                           event loop */
} cmp_issuer_t;


typedef struct {
    cmp_str_t             name;
    int                   id;           /* of the store; constant for a name */

    /* the CA's own; chain: its issuers in order, the root last if present */
    cmp_issuer_t          current;
    STACK_OF(X509)       *chain;

    /* from before rollovers, of the same name; the latest first */
    cmp_issuer_t         *previous;
    size_t                nprevious;

    /* protects answers; NULL: the CA's own */
    X509                 *response_certificate;
    STACK_OF(X509)       *response_chain;
    EVP_PKEY             *response_key;

    /* anchors for protecting certificates besides our own end entities */
    cmp_trusted_t        *anchors;
    size_t                nanchors;
    STACK_OF(X509_CRL)   *crls;

    /* RA certificates, listed one by one */
    cmp_trusted_t        *ras;
    size_t                nras;

    cmp_profile_t       **profiles;     /* the first is the default */
    size_t                nprofiles;

    /* for certificates of profiles that have none of their own */
    cmp_str_t            *ocsp_urls;
    size_t                nocsp_urls;
    cmp_str_t            *ca_issuer_urls;
    size_t                nca_issuer_urls;

    int                   conformance;          /* cmp_conformance_e */
    int64_t               time_window;          /* ms; 0: off */
    int64_t               transaction_memory;   /* ms */
    int64_t               confirm_timeout;      /* ms */
    int64_t               reply_memory;         /* ms */
    int64_t               approval_timeout;     /* ms */
    int64_t               check_after;          /* ms, told in seconds */
    int64_t               ocsp_lifetime;        /* ms */
    cmp_key_rule_t        responder_key;        /* nid 0: as the CA's own */
    int64_t               responder_validity;   /* ms */
    int64_t               crl_lifetime;         /* ms */
    int64_t               crl_refresh;          /* ms */
    int64_t               crl_delta;            /* ms from one delta CRL to the
                                                   next; 0: none are made */
    cmp_str_t             crl_delta_url;        /* for freshestCRL, or empty */
    int                   crl_partitions;       /* of new certificates; 0: CRLs
                                                   are not partitioned */
    cmp_str_t             crl_partition_url;    /* with CMP_CRL_PLACEHOLDER */
    size_t                max_message_size;
    int                   max_requests;         /* CertReqMsg, RevDetails */
    int                   max_extra_certs;
    long                  max_iterations;
    unsigned              sha1:1;               /* MACs with SHA-1 accepted */
    unsigned              error_signature:1;    /* RFC 9810, 5.3.21 literally */
    unsigned              unprotected_genm:1;
    unsigned              genm_approval:1;      /* an operator decides on
                                                   protected ones */
    unsigned              ca_pubs_always:1;     /* not only for MAC */
    unsigned              no_root:1;            /* extraCerts without root */
    unsigned              inline_sign:1;        /* thread_pool off */
    unsigned              response_key_later:1; /* as in cmp_issuer_t */

    /* --- made by cmp_ca_finish() --- */

    const EVP_MD         *response_md;
    X509_NAME            *subject;      /* of certificate; borrowed */
    cmp_str_t             subject_der;
    X509                 *root;         /* self-signed, of the chain, or NULL;
                                           borrowed */
    cmp_cert_cache_t     *cert_cache;
    unsigned              slow:1;       /* the current key or the one for
                                           responses is */
} cmp_ca_t;


/* sets the defaults above; every member is zeroed first */
void cmp_ca_init(cmp_ca_t *ca);

/*
 * Checks everything that can be checked before the first request: the keys
 * fit their certificates, the CA certificate is one (cA, keyCertSign, a
 * subject, an SKI), is valid now, its chain links, the response certificate
 * has digitalSignature and an SKI and chains to the same root or is the CA's
 * own, each profile that a scope names exists, patterns are valid, limits are
 * in range, transaction_memory is at least twice time_window.  Warms the
 * caches of libcrypto, so that threads only read.
 *
 * CMP_OK, or CMP_ERROR with a message in err.  The pool must live as long as
 * the CA.
 */
int cmp_ca_finish(cmp_ca_t *ca, cmp_pool_t *pool, char *err, size_t size);

/* frees what the members hold, not ca itself */
void cmp_ca_cleanup(cmp_ca_t *ca);

/*
 * Reading of PEM files, for the configuration: certificates in order, a
 * private key, CRLs.  file of the key may be "store:" and a URI for the
 * OSSL_STORE of libcrypto (store:pkcs11:...).  password: NULL when there is
 * none; nothing is ever prompted for.  CMP_OK, and the caller owns the result,
 * or CMP_ERROR with a message in err.
 */
int cmp_ca_read_certificates(const char *file, STACK_OF(X509) **certs,
    char *err, size_t size);
int cmp_ca_read_key(const char *file, const char *password, EVP_PKEY **key,
    char *err, size_t size);
int cmp_ca_read_crls(const char *file, STACK_OF(X509_CRL) **crls, char *err,
    size_t size);

/* 0: the current one, n: the nth previous one; NULL when there is none */
const cmp_issuer_t *cmp_ca_issuer(const cmp_ca_t *ca, size_t n);

/* the order is that of the types in ngx_http_cmp_ca_certificate.c */

typedef enum {
    CMP_EXPORT_DER = 0,                 /* the certificate alone */
    CMP_EXPORT_PEM,                     /* and its issuers, without the root */
    CMP_EXPORT_PKCS7                    /* the same, certs-only */
} cmp_export_e;

/*
 * The certificate of the nth key, as in cmp_ca_issuer(), in the pool.  CMP_OK
 * or CMP_ERROR.
 */
int cmp_ca_export(const cmp_ca_t *ca, size_t n, cmp_export_e format,
    cmp_pool_t *pool, cmp_str_t *out);

/* by name; an empty name is the default; NULL when there is none */
const cmp_profile_t *cmp_ca_profile(const cmp_ca_t *ca, const cmp_str_t *name);

/*
 * Signature parameters for a key, in one table for certificates, CRLs, CMP
 * messages: the digest (NULL for EdDSA) as RFC 9481 recommends for its size.
 * CMP_ERROR for a key that cannot sign.
 */
int cmp_sign_md(EVP_PKEY *key, const EVP_MD **md);

/*
 * A new context, ready for signing with the key and the digest that
 * cmp_sign_md() gave, padding and salt set (RSA-PSS); to be freed by
 * EVP_MD_CTX_free().  NULL when it cannot be made.
 */
EVP_MD_CTX *cmp_sign_ctx(EVP_PKEY *key, const EVP_MD *md);

/*
 * The signature of such a context over data, and its AlgorithmIdentifier, which
 * is known before and may be part of the data.  The caller frees the latter;
 * NULL when the key has none.  CMP_OK or CMP_ERROR.
 */
X509_ALGOR *cmp_sign_algorithm(EVP_MD_CTX *ctx);
int cmp_sign(EVP_MD_CTX *ctx, const cmp_str_t *data,
    ASN1_BIT_STRING *signature);

/*
 * 1 when signing with this key takes long enough for a thread: RSA, EC over
 * 256 bits, post-quantum keys, and whatever lives outside of libcrypto's own
 * providers
 */
int cmp_sign_slow(EVP_PKEY *key);


#endif /* _CMP_CA_H_INCLUDED_ */
