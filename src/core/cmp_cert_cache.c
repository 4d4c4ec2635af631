
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_cert_cache.h>

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/x509v3.h>


typedef struct {
    unsigned char      hash[CMP_SHA256_LEN];
    uint64_t           used;                /* 0: empty */
    cmp_cert_known_t   known;
} cmp_cert_entry_t;


typedef struct {
    X509_CRL          *crl;                 /* NULL: empty */
    X509              *issuer;
} cmp_cert_crl_t;


struct cmp_cert_cache_s {
    CRYPTO_RWLOCK     *lock;
    uint64_t           clock;
    cmp_cert_entry_t   entries[CMP_CERT_CACHE_ENTRIES];
    cmp_cert_crl_t     crls[CMP_CERT_CACHE_CRLS];
    size_t             crl;                 /* the next to replace */
};


static cmp_cert_entry_t *cmp_cert_cache_entry(cmp_cert_cache_t *cache,
    const unsigned char *hash);
static void cmp_cert_known_copy(cmp_cert_known_t *copy,
    const cmp_cert_known_t *known);


cmp_cert_cache_t *
cmp_cert_cache_create(void)
{
    cmp_cert_cache_t  *cache;

    cache = OPENSSL_zalloc(sizeof(cmp_cert_cache_t));
    if (cache == NULL) {
        return NULL;
    }

    cache->lock = CRYPTO_THREAD_lock_new();

    if (cache->lock == NULL) {
        OPENSSL_free(cache);
        return NULL;
    }

    return cache;
}


void
cmp_cert_cache_destroy(cmp_cert_cache_t *cache)
{
    size_t  i;

    if (cache == NULL) {
        return;
    }

    for (i = 0; i < CMP_CERT_CACHE_ENTRIES; i++) {
        cmp_cert_known_free(&cache->entries[i].known);
    }

    for (i = 0; i < CMP_CERT_CACHE_CRLS; i++) {
        X509_CRL_free(cache->crls[i].crl);
        X509_free(cache->crls[i].issuer);
    }

    CRYPTO_THREAD_lock_free(cache->lock);
    OPENSSL_free(cache);
}


void
cmp_cert_cache_find(cmp_cert_cache_t *cache, const unsigned char *hash,
    cmp_cert_known_t *known)
{
    cmp_cert_entry_t  *entry;

    memset(known, 0, sizeof(cmp_cert_known_t));

    if (CRYPTO_THREAD_write_lock(cache->lock) != 1) {
        return;
    }

    entry = cmp_cert_cache_entry(cache, hash);

    if (entry->used != 0
        && memcmp(entry->hash, hash, CMP_SHA256_LEN) == 0)
    {
        entry->used = ++cache->clock;
        cmp_cert_known_copy(known, &entry->known);
    }

    CRYPTO_THREAD_unlock(cache->lock);
}


void
cmp_cert_cache_put(cmp_cert_cache_t *cache, const unsigned char *hash,
    const cmp_cert_known_t *known)
{
    cmp_cert_known_t   old, new;
    cmp_cert_entry_t  *entry;

    cmp_cert_known_copy(&new, known);

    if (new.certs == NULL || CRYPTO_THREAD_write_lock(cache->lock) != 1) {
        cmp_cert_known_free(&new);
        return;
    }

    entry = cmp_cert_cache_entry(cache, hash);

    old = entry->known;

    memcpy(entry->hash, hash, CMP_SHA256_LEN);
    entry->used = ++cache->clock;
    entry->known = new;

    CRYPTO_THREAD_unlock(cache->lock);

    cmp_cert_known_free(&old);
}


/* that of the hash, or the one to replace */

static cmp_cert_entry_t *
cmp_cert_cache_entry(cmp_cert_cache_t *cache, const unsigned char *hash)
{
    size_t             i;
    cmp_cert_entry_t  *entry, *oldest;

    oldest = &cache->entries[0];

    for (i = 0; i < CMP_CERT_CACHE_ENTRIES; i++) {

        entry = &cache->entries[i];

        if (entry->used != 0
            && memcmp(entry->hash, hash, CMP_SHA256_LEN) == 0)
        {
            return entry;
        }

        if (entry->used < oldest->used) {
            oldest = entry;
        }
    }

    return oldest;
}


static void
cmp_cert_known_copy(cmp_cert_known_t *copy, const cmp_cert_known_t *known)
{
    *copy = *known;

    copy->certs = X509_chain_up_ref(known->certs);
    copy->path = NULL;

    if (copy->certs != NULL && known->path != NULL) {
        copy->path = X509_chain_up_ref(known->path);
    }
}


int
cmp_cert_cache_has_crl(cmp_cert_cache_t *cache, const X509_CRL *crl,
    const X509 *issuer)
{
    int              found;
    size_t           i;
    cmp_cert_crl_t  *known;

    if (CRYPTO_THREAD_read_lock(cache->lock) != 1) {
        return 0;
    }

    found = 0;

    for (i = 0; found == 0 && i < CMP_CERT_CACHE_CRLS; i++) {

        known = &cache->crls[i];

        found = (known->crl != NULL
                 && known->crl == crl
                 && X509_cmp(known->issuer, issuer) == 0);
    }

    CRYPTO_THREAD_unlock(cache->lock);

    return found;
}


void
cmp_cert_cache_put_crl(cmp_cert_cache_t *cache, X509_CRL *crl, X509 *issuer)
{
    cmp_cert_crl_t  old, new;

    new.crl = (X509_CRL_up_ref(crl) == 1) ? crl : NULL;
    new.issuer = (X509_up_ref(issuer) == 1) ? issuer : NULL;

    old = new;

    if (new.crl != NULL
        && new.issuer != NULL
        && CRYPTO_THREAD_write_lock(cache->lock) == 1)
    {
        old = cache->crls[cache->crl];
        cache->crls[cache->crl] = new;
        cache->crl = (cache->crl + 1) % CMP_CERT_CACHE_CRLS;

        CRYPTO_THREAD_unlock(cache->lock);
    }

    X509_CRL_free(old.crl);
    X509_free(old.issuer);
}


void
cmp_cert_known_free(cmp_cert_known_t *known)
{
    sk_X509_pop_free(known->certs, X509_free);
    sk_X509_pop_free(known->path, X509_free);

    memset(known, 0, sizeof(cmp_cert_known_t));
}
