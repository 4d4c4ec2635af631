
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Protection of requests (RFC 9810, 5.1.3).
 */


#include <cmpload.h>

#include <string.h>

#include <openssl/hmac.h>
#include <openssl/rand.h>


static void load_extra_certs(cmp_pki_message_t *msg,
    const load_signer_t *signer);


/* PasswordBasedMac by SHA-256, one salt, so that one derivation does */

void
load_mac_init(load_t *load)
{
    ASN1_STRING          *value;
    unsigned char         salt[LOAD_SALT_LEN];
    cmp_pbm_parameter_t  *pbm;

    if (load->conf->secret == NULL) {
        return;
    }

    /* found once, not for each MAC */

    load->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    load_must(load->md != NULL);

    load_must(RAND_bytes(salt, LOAD_SALT_LEN) == 1);
    load_mac_derive(load->conf, salt, LOAD_SALT_LEN, load->conf->iterations,
                    load->mac_key);

    pbm = cmp_asn1_new(cmp_pbm_parameter_t);
    load_must(pbm != NULL);
    load_must(ASN1_OCTET_STRING_set(pbm->salt, salt, LOAD_SALT_LEN) == 1);
    load_must(ASN1_INTEGER_set(pbm->iteration_count, load->conf->iterations)
              == 1);
    load_must(X509_ALGOR_set0(pbm->owf, OBJ_nid2obj(NID_sha256),
                              V_ASN1_UNDEF, NULL)
              == 1);
    load_must(X509_ALGOR_set0(pbm->mac, OBJ_nid2obj(NID_hmacWithSHA256),
                              V_ASN1_UNDEF, NULL)
              == 1);

    value = ASN1_item_pack(pbm, ASN1_ITEM_rptr(cmp_pbm_parameter_t), NULL);
    cmp_asn1_free(cmp_pbm_parameter_t, pbm);

    load->mac_alg = X509_ALGOR_new();
    load_must(value != NULL && load->mac_alg != NULL);
    load_must(X509_ALGOR_set0(load->mac_alg,
                              OBJ_nid2obj(NID_id_PasswordBasedMAC),
                              V_ASN1_SEQUENCE, value)
              == 1);
}


void
load_mac_derive(const load_conf_t *conf, const unsigned char *salt,
    size_t salt_len, long iterations, unsigned char *key)
{
    long         i;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    load_must(ctx != NULL);

    load_must(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);
    load_must(EVP_DigestUpdate(ctx, conf->secret, strlen(conf->secret)) == 1);
    load_must(EVP_DigestUpdate(ctx, salt, salt_len) == 1);
    load_must(EVP_DigestFinal_ex(ctx, key, NULL) == 1);

    for (i = 1; i < iterations; i++) {
        load_must(EVP_DigestInit_ex(ctx, NULL, NULL) == 1);
        load_must(EVP_DigestUpdate(ctx, key, CMP_SHA256_LEN) == 1);
        load_must(EVP_DigestFinal_ex(ctx, key, NULL) == 1);
    }

    EVP_MD_CTX_free(ctx);
}


void
load_sign(const ASN1_ITEM *it, X509_ALGOR *alg, ASN1_BIT_STRING *bits,
    const void *value, EVP_PKEY *key)
{
    load_must(ASN1_item_sign(it, alg, NULL, bits, value, key,
                             load_key_md(key))
              > 0);
}


const EVP_MD *
load_key_md(EVP_PKEY *key)
{
    char  name[32];

    switch (EVP_PKEY_get_base_id(key)) {

    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return NULL;

    case EVP_PKEY_EC:
        if (EVP_PKEY_get_bits(key) > 384) {
            return EVP_sha512();
        }

        if (EVP_PKEY_get_bits(key) > 256) {
            return EVP_sha384();
        }

        return EVP_sha256();

    case EVP_PKEY_RSA:
        return EVP_sha256();

    default:

        /* ML-DSA takes no digest */

        if (EVP_PKEY_get_default_digest_name(key, name, sizeof(name)) == 2
            && strcmp(name, "UNDEF") == 0)
        {
            return NULL;
        }

        return EVP_sha256();
    }
}


/* kur and rr are signed with the certificate that they are about */

const load_signer_t *
load_task_signer(const load_t *load, const load_task_t *task,
    load_signer_t *own)
{
    const load_conf_t  *conf;

    conf = load->conf;

    if (task->old != NULL) {
        own->cert = task->old;
        own->key = task->old_key;
        own->chain = NULL;

        return own;
    }

    if (conf->nsigners == 0) {
        return NULL;
    }

    return &conf->signers[task->number % conf->nsigners];
}


void
load_protect(load_t *load, load_task_t *task, cmp_pki_message_t *msg)
{
    int                    len;
    unsigned int           n;
    unsigned char         *der, mac[EVP_MAX_MD_SIZE];
    load_signer_t          own;
    cmp_protected_part_t   part;
    const load_signer_t   *signer;

    msg->protection = ASN1_BIT_STRING_new();
    load_must(msg->protection != NULL);

    part.header = msg->header;
    part.body = msg->body;

    signer = load_task_signer(load, task, &own);

    if (signer != NULL) {
        msg->header->protection_alg = X509_ALGOR_new();
        load_must(msg->header->protection_alg != NULL);

        load_sign(ASN1_ITEM_rptr(cmp_protected_part_t),
                  msg->header->protection_alg, msg->protection, &part,
                  signer->key);

        load_extra_certs(msg, signer);
        return;
    }

    msg->header->protection_alg = X509_ALGOR_dup(load->mac_alg);
    load_must(msg->header->protection_alg != NULL);

    len = cmp_asn1_encode(cmp_protected_part_t, &part, &der);
    load_must(len > 0);
    load_must(HMAC(load->md, load->mac_key, CMP_SHA256_LEN, der, len, mac,
                   &n)
              != NULL);
    load_must(cmp_asn1_set_octets(msg->protection, mac, n) == 1);

    OPENSSL_free(der);
}


static void
load_extra_certs(cmp_pki_message_t *msg, const load_signer_t *signer)
{
    msg->extra_certs = sk_X509_new_null();
    load_must(msg->extra_certs != NULL);
    load_must(X509_add_cert(msg->extra_certs, signer->cert,
                            X509_ADD_FLAG_UP_REF)
              == 1);

    if (signer->chain != NULL) {
        load_must(X509_add_certs(msg->extra_certs, signer->chain,
                                 X509_ADD_FLAG_UP_REF)
                  == 1);
    }
}
