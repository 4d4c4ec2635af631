
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_protect.h>
#include <cmp_oid.h>

#include <string.h>

#include <openssl/evp.h>
#include <openssl/objects.h>


/* digests that a MAC or a signature may use; SHA-1 serves in MACs only */

static const cmp_digest_t  cmp_digests[] = {

    { NID_sha1, NID_hmacWithSHA1, NID_undef, NID_undef,
      CMP_DIGEST_SHA1, EVP_sha1 },

    /* HMAC-SHA-1 of RFC 4210, from the IPsec arc */

    { NID_undef, NID_hmac_sha1, NID_undef, NID_undef,
      CMP_DIGEST_SHA1, EVP_sha1 },

    { NID_sha224, NID_hmacWithSHA224, NID_sha224WithRSAEncryption,
      NID_ecdsa_with_SHA224, CMP_DIGEST_SHA2, EVP_sha224 },

    { NID_sha256, NID_hmacWithSHA256, NID_sha256WithRSAEncryption,
      NID_ecdsa_with_SHA256, CMP_DIGEST_SHA2, EVP_sha256 },

    { NID_sha384, NID_hmacWithSHA384, NID_sha384WithRSAEncryption,
      NID_ecdsa_with_SHA384, CMP_DIGEST_SHA2, EVP_sha384 },

    { NID_sha512, NID_hmacWithSHA512, NID_sha512WithRSAEncryption,
      NID_ecdsa_with_SHA512, CMP_DIGEST_SHA2, EVP_sha512 },

    { NID_sha512_224, NID_hmacWithSHA512_224, NID_sha512_224WithRSAEncryption,
      NID_undef, CMP_DIGEST_SHA2, EVP_sha512_224 },

    { NID_sha512_256, NID_hmacWithSHA512_256, NID_sha512_256WithRSAEncryption,
      NID_undef, CMP_DIGEST_SHA2, EVP_sha512_256 },

    { NID_sha3_224, NID_hmac_sha3_224, NID_RSA_SHA3_224,
      NID_ecdsa_with_SHA3_224, CMP_DIGEST_SHA3, EVP_sha3_224 },

    { NID_sha3_256, NID_hmac_sha3_256, NID_RSA_SHA3_256,
      NID_ecdsa_with_SHA3_256, CMP_DIGEST_SHA3, EVP_sha3_256 },

    { NID_sha3_384, NID_hmac_sha3_384, NID_RSA_SHA3_384,
      NID_ecdsa_with_SHA3_384, CMP_DIGEST_SHA3, EVP_sha3_384 },

    { NID_sha3_512, NID_hmac_sha3_512, NID_RSA_SHA3_512,
      NID_ecdsa_with_SHA3_512, CMP_DIGEST_SHA3, EVP_sha3_512 }
};

#define CMP_DIGESTS  (sizeof(cmp_digests) / sizeof(cmp_digest_t))


const cmp_digest_t *
cmp_digest_find(int nid)
{
    size_t  i;

    for (i = 0; nid != NID_undef && i < CMP_DIGESTS; i++) {
        if (cmp_digests[i].nid == nid) {
            return &cmp_digests[i];
        }
    }

    return NULL;
}


const cmp_digest_t *
cmp_digest_find_hmac(int nid)
{
    size_t  i;

    for (i = 0; nid != NID_undef && i < CMP_DIGESTS; i++) {
        if (cmp_digests[i].hmac == nid) {
            return &cmp_digests[i];
        }
    }

    return NULL;
}


const cmp_digest_t *
cmp_digest_find_signature(int nid)
{
    size_t  i;

    for (i = 0; nid != NID_undef && i < CMP_DIGESTS; i++) {
        if (cmp_digests[i].rsa == nid || cmp_digests[i].ecdsa == nid) {
            return &cmp_digests[i];
        }
    }

    return NULL;
}


int
cmp_alg_no_parameters(const X509_ALGOR *alg)
{
    int  type;

    X509_ALGOR_get0(NULL, &type, NULL, alg);

    return type == V_ASN1_UNDEF || type == V_ASN1_NULL;
}


int
cmp_protect_parse(const cmp_ca_t *ca, const cmp_msg_t *msg,
    cmp_pool_t *pool, cmp_protect_t *protect, cmp_refusal_t *refusal)
{
    int                 strict;
    X509_ALGOR         *alg;
    cmp_mac_conf_t      conf;
    const ASN1_OBJECT  *oid;

    memset(protect, 0, sizeof(cmp_protect_t));

    if (msg->header == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE, NULL);
    }

    alg = msg->header->protection_alg;

    if (alg == NULL && msg->protection == NULL) {
        return CMP_OK;
    }

    if (alg == NULL || msg->protection == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_PROTECTION_INCOMPLETE, NULL);
    }

    if (cmp_encode(pool, ASN1_ITEM_rptr(X509_ALGOR), alg, &protect->alg)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    strict = (ca->conformance == CMP_RFC9483);

    X509_ALGOR_get0(&oid, NULL, NULL, alg);

    if (cmp_oid_equal(oid, &cmp_oid_password_based_mac) != 0
        || cmp_oid_equal(oid, &cmp_oid_pbmac1) != 0)
    {
        protect->kind = CMP_PROTECTION_MAC;

        conf.max_iterations = ca->max_iterations;
        conf.sha1 = ca->sha1;
        conf.strict = strict;

        return cmp_mac_parse(&conf, alg, pool, protect, refusal);
    }

    protect->kind = CMP_PROTECTION_SIGNATURE;

    return cmp_signature_parse(alg, strict, CMP_REFUSE_PROTECTION_ALG,
                               &protect->signature, refusal);
}


int
cmp_protect_verify_mac(cmp_protect_t *protect, const cmp_msg_t *msg,
    const cmp_str_t *secret, cmp_pool_t *pool, cmp_refusal_t *refusal)
{
    int            equal;
    size_t         len;
    unsigned char  mac[EVP_MAX_MD_SIZE];

    if (protect->kind != CMP_PROTECTION_MAC) {
        return cmp_refuse(refusal, CMP_REFUSE_MESSAGE_CHECK, NULL);
    }

    if (cmp_mac_compute(protect, secret, &msg->protected_part, pool, mac, &len)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    equal = cmp_mac_equal(msg->protection, mac, len);

    OPENSSL_cleanse(mac, sizeof(mac));

    if (equal == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_MESSAGE_CHECK, NULL);
    }

    return CMP_OK;
}


int
cmp_protect_verify_signature(const cmp_protect_t *protect,
    const cmp_msg_t *msg, X509 *cert, cmp_refusal_t *refusal)
{
    int                rc;
    cmp_public_key_t  *key;

    if (protect->kind != CMP_PROTECTION_SIGNATURE) {
        return cmp_refuse(refusal, CMP_REFUSE_MESSAGE_CHECK, NULL);
    }

    key = cmp_public_key_from(X509_get_X509_PUBKEY(cert));

    if (key == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_signature_verify(&protect->signature, key, msg->protection,
                              &msg->protected_part, CMP_REFUSE_MESSAGE_CHECK,
                              refusal);

    cmp_asn1_free(cmp_public_key_t, key);

    return rc;
}


int
cmp_protect_part(const cmp_pki_message_t *answer, cmp_pool_t *pool,
    cmp_str_t *part)
{
    cmp_protected_part_t  value;

    value.header = answer->header;
    value.body = answer->body;

    return cmp_encode(pool, ASN1_ITEM_rptr(cmp_protected_part_t), &value, part);
}
