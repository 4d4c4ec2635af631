
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_pop.h>
#include <cmp_protect.h>

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>


static int cmp_pop_kind(const cmp_popo_t *popo, cmp_refusal_t *refusal);
static int cmp_pop_signature(const cmp_pop_conf_t *conf,
    const cmp_cert_req_msg_t *req, const cmp_str_t *template_der,
    cmp_pool_t *pool, cmp_refusal_t *refusal);
static int cmp_pop_input(const cmp_pop_conf_t *conf,
    const cmp_popo_signing_key_input_t *input,
    const cmp_cert_template_t *tmpl, cmp_pool_t *pool,
    cmp_refusal_t *refusal);
static int cmp_pop_same_key(const cmp_popo_signing_key_input_t *input,
    const cmp_cert_template_t *tmpl, cmp_pool_t *pool, cmp_str_t *der,
    cmp_refusal_t *refusal);
static int cmp_pop_sender(const cmp_pop_conf_t *conf,
    const GENERAL_NAME *sender, cmp_refusal_t *refusal);
static int cmp_pop_public_key_mac(const cmp_pop_conf_t *conf,
    const cmp_pk_mac_value_t *value, const cmp_str_t *key_der,
    cmp_pool_t *pool, cmp_refusal_t *refusal);


int
cmp_pop_check(const cmp_pop_conf_t *conf, const cmp_cert_req_msg_t *req,
    const cmp_str_t *template_der, cmp_pool_t *pool, cmp_refusal_t *refusal)
{
    if (req->popo == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_NO_POP, NULL);
    }

    switch (req->popo->type) {

    case CMP_POPO_RA_VERIFIED:

        if (conf->ra == 0) {
            return cmp_refuse(refusal, CMP_REFUSE_RA_VERIFIED, NULL);
        }

        return CMP_OK;

    case CMP_POPO_SIGNATURE:
        return cmp_pop_signature(conf, req, template_der, pool, refusal);

    default:
        return cmp_pop_kind(req->popo, refusal);
    }
}


static int
cmp_pop_kind(const cmp_popo_t *popo, cmp_refusal_t *refusal)
{
    const char                 *name, *method;
    const cmp_popo_priv_key_t  *key;

    switch (popo->type) {

    case CMP_POPO_KEY_ENCIPHERMENT:
        name = "keyEncipherment";
        key = popo->value.key_encipherment;
        break;

    case CMP_POPO_KEY_AGREEMENT:
        name = "keyAgreement";
        key = popo->value.key_agreement;
        break;

    default:
        return cmp_refuse(refusal, CMP_REFUSE_POP_KIND, NULL);
    }

    switch (key->type) {

    case CMP_POPO_PRIV_KEY_THIS_MESSAGE:
        method = "thisMessage";
        break;

    case CMP_POPO_PRIV_KEY_SUBSEQUENT_MESSAGE:

        switch (ASN1_INTEGER_get(key->value.subsequent_message)) {

        case CMP_SUBSEQUENT_ENCR_CERT:
            method = "encrCert";
            break;

        case CMP_SUBSEQUENT_CHALLENGE_RESP:
            method = "challengeResp";
            break;

        default:
            method = "subsequentMessage";
        }

        cmp_crypto_error(NULL, 0);
        break;

    case CMP_POPO_PRIV_KEY_DH_MAC:
        method = "dhMAC";
        break;

    case CMP_POPO_PRIV_KEY_AGREE_MAC:
        method = "agreeMAC";
        break;

    default:
        method = "encryptedKey";
    }

    return cmp_refuse(refusal, CMP_REFUSE_POP_KIND, "%s with %s", name,
                      method);
}


static int
cmp_pop_signature(const cmp_pop_conf_t *conf, const cmp_cert_req_msg_t *req,
    const cmp_str_t *template_der, cmp_pool_t *pool, cmp_refusal_t *refusal)
{
    int                                  rc;
    cmp_str_t                            data;
    cmp_signature_t                      signature;
    const cmp_cert_template_t           *tmpl;
    const cmp_popo_signing_key_t        *popo;
    const cmp_popo_signing_key_input_t  *input;

    tmpl = req->cert_req->cert_template;
    popo = req->popo->value.signature;
    input = popo->poposk_input;

    if (tmpl->public_key == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_NO_KEY, NULL);
    }

    if (input == NULL) {

        if (tmpl->subject == NULL) {
            return cmp_refuse(refusal, CMP_REFUSE_POP_INPUT,
                              "it is required when the subject is missing");
        }

        data = *template_der;

    } else {

        if (conf->strict && tmpl->subject != NULL) {
            return cmp_refuse(refusal, CMP_REFUSE_POP_INPUT,
                              "it must be absent when subject and key are "
                              "there");
        }

        rc = cmp_pop_input(conf, input, tmpl, pool, refusal);
        if (rc != CMP_OK) {
            return rc;
        }

        rc = cmp_encode(pool, ASN1_ITEM_rptr(cmp_popo_signing_key_input_t),
                        input, &data);
        if (rc != CMP_OK) {
            return rc;
        }
    }

    rc = cmp_signature_parse(popo->algorithm_identifier, conf->strict,
                             CMP_REFUSE_POP, &signature, refusal);
    if (rc != CMP_OK) {
        return rc;
    }

    return cmp_signature_verify(&signature, tmpl->public_key, popo->signature,
                                &data, CMP_REFUSE_POP, refusal);
}


/* the key that signs is bound to who sent the message (RFC 4211, 4.1) */

static int
cmp_pop_input(const cmp_pop_conf_t *conf,
    const cmp_popo_signing_key_input_t *input,
    const cmp_cert_template_t *tmpl, cmp_pool_t *pool, cmp_refusal_t *refusal)
{
    int        rc;
    cmp_str_t  der;

    rc = cmp_pop_same_key(input, tmpl, pool, &der, refusal);
    if (rc != CMP_OK) {
        return rc;
    }

    switch (input->auth_info->type) {

    case CMP_AUTH_INFO_SENDER:
        return cmp_pop_sender(conf, input->auth_info->value.sender, refusal);

    case CMP_AUTH_INFO_PUBLIC_KEY_MAC:
        return cmp_pop_public_key_mac(conf,
                                      input->auth_info->value.public_key_mac,
                                      &der, pool, refusal);

    default:
        return cmp_refuse(refusal, CMP_REFUSE_POP_INPUT, NULL);
    }
}


static int
cmp_pop_same_key(const cmp_popo_signing_key_input_t *input,
    const cmp_cert_template_t *tmpl, cmp_pool_t *pool, cmp_str_t *der,
    cmp_refusal_t *refusal)
{
    cmp_str_t  key;

    if (cmp_encode(pool, ASN1_ITEM_rptr(cmp_public_key_t), input->public_key,
                   der)
        != CMP_OK
        || cmp_encode(pool, ASN1_ITEM_rptr(cmp_public_key_t), tmpl->public_key,
                      &key)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (cmp_str_equal(der, &key) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_POP_INPUT,
                          "its publicKey is not that of the template");
    }

    return CMP_OK;
}


static int
cmp_pop_sender(const cmp_pop_conf_t *conf, const GENERAL_NAME *sender,
    cmp_refusal_t *refusal)
{
    int                 type;
    const X509_NAME    *name;

    if (conf->sender == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_POP_INPUT,
                          "a sender protected by a MAC needs publicKeyMAC");
    }

    name = GENERAL_NAME_get0_value(sender, &type);

    if (type != GEN_DIRNAME || X509_NAME_cmp(name, conf->sender) != 0) {
        cmp_crypto_error(NULL, 0);
        return cmp_refuse(refusal, CMP_REFUSE_POP_INPUT,
                          "its sender is not the sender of the message");
    }

    return CMP_OK;
}


static int
cmp_pop_public_key_mac(const cmp_pop_conf_t *conf,
    const cmp_pk_mac_value_t *value, const cmp_str_t *key_der,
    cmp_pool_t *pool, cmp_refusal_t *refusal)
{
    int             rc, equal;
    size_t          len;
    cmp_protect_t   mac;
    unsigned char   out[EVP_MAX_MD_SIZE];
    cmp_mac_conf_t  mac_conf;

    if (conf->secret == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_POP_INPUT,
                          "publicKeyMAC needs a message protected by a MAC");
    }

    memset(&mac, 0, sizeof(cmp_protect_t));

    mac_conf.max_iterations = conf->max_iterations;
    mac_conf.sha1 = conf->sha1;
    mac_conf.strict = conf->strict;

    rc = cmp_mac_parse(&mac_conf, value->alg_id, pool, &mac, refusal);

    /* of the proof here, not of the message */

    if (rc == CMP_DECLINED && refusal->code == CMP_REFUSE_PROTECTION_ALG) {
        return cmp_refuse(refusal, CMP_REFUSE_POP_INPUT,
                          "the algorithm of publicKeyMAC is not supported");
    }

    if (rc != CMP_OK) {
        return rc;
    }

    if (cmp_mac_compute(&mac, conf->secret, key_der, pool, out, &len)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    equal = cmp_mac_equal(value->value, out, len);

    OPENSSL_cleanse(out, sizeof(out));

    if (equal == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_POP_INPUT,
                          "publicKeyMAC does not verify");
    }

    return CMP_OK;
}


int
cmp_pop_check_p10(X509_REQ *req, cmp_refusal_t *refusal)
{
    int                     rc;
    EVP_PKEY               *key;
    cmp_signature_t         signature;
    const X509_ALGOR       *alg;
    const ASN1_BIT_STRING  *value;

    X509_REQ_get0_signature(req, &value, &alg);

    rc = cmp_signature_parse(alg, 0, CMP_REFUSE_POP, &signature, refusal);
    if (rc != CMP_OK) {
        return rc;
    }

    key = X509_REQ_get0_pubkey(req);

    /* X509_REQ_verify() compares the algorithm with the kind of key */

    if (key == NULL
        || cmp_asn1_is_octets(value) == 0
        || X509_REQ_verify(req, key) != 1)
    {
        return cmp_refuse_crypto(refusal, CMP_REFUSE_POP);
    }

    return CMP_OK;
}
