
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Keys, certificates and CRLs for tests, made with libcrypto alone and the
 * same in each run where the signature algorithm allows it.  What goes wrong
 * here ends the program.
 */


#ifndef _PKI_H_INCLUDED_
#define _PKI_H_INCLUDED_


#include <stdint.h>

#include <cmp_public_key.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>


typedef enum {
    PKI_ED25519 = 0,
    PKI_ED448,
    PKI_P256,
    PKI_P384,
    PKI_P521,
    PKI_RSA,                /* 2048 bits, one of four by the name */
    PKI_RSA_1024,           /* always the same */
    PKI_ML_DSA_44,          /* from here on: only where pki_offers() them */
    PKI_ML_DSA_87,
    PKI_SLH_DSA_SHA2_128F
} pki_key_e;


typedef struct {
    const char       *subject;      /* "/CN=a/O=b" */
    EVP_PKEY         *key;
    X509             *issuer;       /* NULL: self-signed */
    EVP_PKEY         *issuer_key;
    uint64_t          serial;
    int64_t           not_before;   /* ms */
    int64_t           not_after;

    /* in the notation of OpenSSL's configuration; NULL: left out */
    const char       *basic_constraints;
    const char       *key_usage;
    const char       *ext_key_usage;
    const char       *alt_name;
    const char       *ski;          /* NULL: "hash", which is SHA-1 */
    unsigned          no_ski:1;
} pki_cert_t;


/* a key made from a name: the same name gives the same key */
EVP_PKEY *pki_key(int kind, const char *name);

/* its public key into *public, in place of what is there; 1 */
int pki_set_public_key(cmp_public_key_t **public, EVP_PKEY *key);

/* 1 when libcrypto can make keys of this kind, here and now */
int pki_offers(int kind);

X509 *pki_cert(const pki_cert_t *conf);

/* revoked: serials, n of them */
X509_CRL *pki_crl(X509 *issuer, EVP_PKEY *key, int64_t this_update,
    int64_t next_update, const uint64_t *revoked, size_t n);

/* "/CN=a/O=b", UTF8String; "" is an empty name */
X509_NAME *pki_name(const char *text);

X509_EXTENSION *pki_extension(int nid, const char *value);

/* the digest that goes with a key, NULL when it has one of its own */
const EVP_MD *pki_md(EVP_PKEY *key);

ASN1_TIME *pki_time(int64_t ms);


/*
 * Bytes that look random and are the same in each run: a cmp_random_pt whose
 * data is a pki_random_t.
 */

typedef struct {
    uint64_t          seed;
    uint64_t          counter;
} pki_random_t;

int pki_random(void *data, unsigned char *buf, size_t len);


#endif /* _PKI_H_INCLUDED_ */
