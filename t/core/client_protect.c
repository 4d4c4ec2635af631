
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Protection and proof of possession, as a client makes them.
 */


#include <client.h>
#include <client_local.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>


static X509_ALGOR *client_algorithm(int nid, int ptype, void *pval);
static X509_ALGOR *client_pbm_alg(client_t *client);
static X509_ALGOR *client_pbmac1_alg(client_t *client);
static const EVP_MD *client_hmac_md(const X509_ALGOR *alg);
static int client_pbm(const X509_ALGOR *alg, const char *secret,
    const unsigned char *data, size_t len, unsigned char *mac);
static int client_pbmac1(const X509_ALGOR *alg, const char *secret,
    const unsigned char *data, size_t len, unsigned char *mac);
static cmp_popo_signing_key_input_t *client_pop_input(client_t *client,
    cmp_cert_req_msg_t *req, int pop);


static X509_ALGOR *
client_algorithm(int nid, int ptype, void *pval)
{
    X509_ALGOR  *alg;

    alg = X509_ALGOR_new();
    client_check(alg != NULL);
    client_check(X509_ALGOR_set0(alg, OBJ_nid2obj(nid), ptype, pval) == 1);

    return alg;
}


static X509_ALGOR *
client_pbm_alg(client_t *client)
{
    int                   len;
    ASN1_STRING          *value;
    unsigned char         salt[256], *der;
    cmp_pbm_parameter_t  *pbm;

    pbm = cmp_asn1_new(cmp_pbm_parameter_t);
    client_check(pbm != NULL);

    (void) pki_random(&client->random, salt, client->salt_len);

    client_set_octets(&pbm->salt, salt, client->salt_len);
    client_check(ASN1_INTEGER_set_int64(pbm->iteration_count,
                                        client->iterations)
                 == 1);

    X509_ALGOR_free(pbm->owf);
    pbm->owf = client_algorithm(client->owf, V_ASN1_UNDEF, NULL);
    X509_ALGOR_free(pbm->mac);
    pbm->mac = client_algorithm(client->mac, V_ASN1_UNDEF, NULL);

    len = cmp_asn1_encode(cmp_pbm_parameter_t, pbm, &der);
    client_check(len > 0);
    cmp_asn1_free(cmp_pbm_parameter_t, pbm);

    value = ASN1_STRING_new();
    client_check(value != NULL);
    ASN1_STRING_set0(value, der, len);

    return client_algorithm(NID_id_PasswordBasedMAC, V_ASN1_SEQUENCE, value);
}


static X509_ALGOR *
client_pbmac1_alg(client_t *client)
{
    int                   len;
    ASN1_STRING          *value;
    unsigned char         salt[256], *der;
    cmp_pbmac1_params_t  *params;

    params = cmp_asn1_new(cmp_pbmac1_params_t);
    client_check(params != NULL);

    (void) pki_random(&client->random, salt, client->salt_len);

    X509_ALGOR_free(params->key_derivation_func);
    params->key_derivation_func = PKCS5_pbkdf2_set(client->iterations, salt,
                                                   client->salt_len,
                                                   client->mac,
                                                   client->key_len);
    client_check(params->key_derivation_func != NULL);

    X509_ALGOR_free(params->message_auth_scheme);
    params->message_auth_scheme = client_algorithm(client->mac, V_ASN1_NULL,
                                                   NULL);

    len = cmp_asn1_encode(cmp_pbmac1_params_t, params, &der);
    client_check(len > 0);
    cmp_asn1_free(cmp_pbmac1_params_t, params);

    value = ASN1_STRING_new();
    client_check(value != NULL);
    ASN1_STRING_set0(value, der, len);

    return client_algorithm(NID_pbmac1, V_ASN1_SEQUENCE, value);
}


X509_ALGOR *
client_mac_alg(client_t *client)
{
    return (client->protection == CLIENT_PBMAC1) ? client_pbmac1_alg(client)
                                                 : client_pbm_alg(client);
}


static const EVP_MD *
client_hmac_md(const X509_ALGOR *alg)
{
    switch (OBJ_obj2nid(alg->algorithm)) {

    case NID_hmac_sha1:
    case NID_hmacWithSHA1:
        return EVP_sha1();

    case NID_hmacWithSHA224:
        return EVP_sha224();

    case NID_hmacWithSHA256:
        return EVP_sha256();

    case NID_hmacWithSHA384:
        return EVP_sha384();

    case NID_hmacWithSHA512:
        return EVP_sha512();

    default:
        return NULL;
    }
}


/* 0: an algorithm that the client does not know */

int
client_mac(const X509_ALGOR *alg, const char *secret,
    const unsigned char *data, size_t len, unsigned char *mac)
{
    switch (OBJ_obj2nid(alg->algorithm)) {

    case NID_id_PasswordBasedMAC:
        return client_pbm(alg, secret, data, len, mac);

    case NID_pbmac1:
        return client_pbmac1(alg, secret, data, len, mac);

    default:
        return 0;
    }
}


/* RFC 9810, 5.1.3.1 */

static int
client_pbm(const X509_ALGOR *alg, const char *secret,
    const unsigned char *data, size_t len, unsigned char *mac)
{
    int64_t               i, count;
    unsigned int          n;
    const EVP_MD         *owf, *md;
    EVP_MD_CTX           *ctx;
    unsigned char         key[EVP_MAX_MD_SIZE];
    const ASN1_STRING    *param;
    cmp_pbm_parameter_t  *pbm;

    if (alg->parameter == NULL || alg->parameter->type != V_ASN1_SEQUENCE) {
        return 0;
    }

    param = alg->parameter->value.sequence;
    pbm = cmp_asn1_decode(cmp_pbm_parameter_t, param->data, param->length);
    if (pbm == NULL) {
        return 0;
    }

    owf = EVP_get_digestbyobj(pbm->owf->algorithm);
    md = client_hmac_md(pbm->mac);
    n = 0;

    if (owf == NULL
        || md == NULL
        || ASN1_INTEGER_get_int64(&count, pbm->iteration_count) != 1)
    {
        goto done;
    }

    ctx = EVP_MD_CTX_new();
    client_check(ctx != NULL);

    client_check(EVP_DigestInit_ex(ctx, owf, NULL) == 1);
    client_check(EVP_DigestUpdate(ctx, secret, strlen(secret)) == 1);
    client_check(EVP_DigestUpdate(ctx, pbm->salt->data, pbm->salt->length)
                 == 1);
    client_check(EVP_DigestFinal_ex(ctx, key, &n) == 1);

    for (i = 1; i < count; i++) {
        client_check(EVP_DigestInit_ex(ctx, owf, NULL) == 1);
        client_check(EVP_DigestUpdate(ctx, key, n) == 1);
        client_check(EVP_DigestFinal_ex(ctx, key, &n) == 1);
    }

    EVP_MD_CTX_free(ctx);

    client_check(HMAC(md, key, n, data, len, mac, &n) != NULL);

done:

    cmp_asn1_free(cmp_pbm_parameter_t, pbm);

    return n;
}


/* RFC 8018, 7.1; RFC 9481, 6.1.2 */

static int
client_pbmac1(const X509_ALGOR *alg, const char *secret,
    const unsigned char *data, size_t len, unsigned char *mac)
{
    int                   key_len;
    PBKDF2PARAM          *kdf;
    unsigned int          n;
    const EVP_MD         *md, *prf;
    unsigned char         key[EVP_MAX_MD_SIZE];
    const ASN1_STRING    *param;
    cmp_pbmac1_params_t  *pbmac1;

    if (alg->parameter == NULL || alg->parameter->type != V_ASN1_SEQUENCE) {
        return 0;
    }

    param = alg->parameter->value.sequence;
    pbmac1 = cmp_asn1_decode(cmp_pbmac1_params_t, param->data, param->length);
    if (pbmac1 == NULL) {
        return 0;
    }

    n = 0;
    kdf = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM),
                                    pbmac1->key_derivation_func->parameter);
    md = client_hmac_md(pbmac1->message_auth_scheme);

    if (kdf == NULL || md == NULL) {
        goto done;
    }

    prf = (kdf->prf != NULL) ? client_hmac_md(kdf->prf) : EVP_sha1();
    key_len = (kdf->keylength != NULL) ? (int) ASN1_INTEGER_get(kdf->keylength)
                                       : EVP_MD_get_size(md);

    if (prf == NULL || key_len < 1 || key_len > (int) sizeof(key)) {
        goto done;
    }

    client_check(PKCS5_PBKDF2_HMAC(secret, strlen(secret),
                                   kdf->salt->value.octet_string->data,
                                   kdf->salt->value.octet_string->length,
                                   ASN1_INTEGER_get(kdf->iter), prf, key_len,
                                   key)
                 == 1);

    client_check(HMAC(md, key, key_len, data, len, mac, &n) != NULL);

done:

    PBKDF2PARAM_free(kdf);
    cmp_asn1_free(cmp_pbmac1_params_t, pbmac1);

    return n;
}


void
client_sign(const ASN1_ITEM *it, X509_ALGOR *alg, ASN1_BIT_STRING *bits,
    const void *value, EVP_PKEY *key, const EVP_MD *md, int pss)
{
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();
    client_check(ctx != NULL);

    client_check(EVP_DigestSignInit(ctx, &pctx, md, NULL, key) == 1);

    if (pss) {
        client_check(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING)
                     > 0);
        client_check(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
                                                      RSA_PSS_SALTLEN_DIGEST)
                     > 0);
    }

    client_check(ASN1_item_sign_ctx(it, alg, NULL, bits, value, ctx) > 0);

    EVP_MD_CTX_free(ctx);
}


int
client_shake256(X509 *cert, unsigned char *hash, int len)
{
    int             n;
    EVP_MD_CTX     *ctx;
    unsigned char  *der;

    der = NULL;
    n = i2d_X509(cert, &der);
    ctx = EVP_MD_CTX_new();
    client_check(n > 0 && ctx != NULL);

    client_check(EVP_DigestInit_ex(ctx, EVP_shake256(), NULL) == 1);
    client_check(EVP_DigestUpdate(ctx, der, n) == 1);
    client_check(EVP_DigestFinalXOF(ctx, hash, len) == 1);

    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);

    return len;
}


void
client_protect(client_t *client, cmp_pki_message_t *msg)
{
    int                    i, len;
    unsigned char         *der, mac[EVP_MAX_MD_SIZE];
    cmp_pki_header_t      *header;
    cmp_protected_part_t   part;

    header = msg->header;

    X509_ALGOR_free(header->protection_alg);
    header->protection_alg = NULL;
    ASN1_BIT_STRING_free(msg->protection);
    msg->protection = NULL;

    if (client->protection == CLIENT_NONE) {
        return;
    }

    msg->protection = ASN1_BIT_STRING_new();
    client_check(msg->protection != NULL);

    part.header = header;
    part.body = msg->body;

    if (client->protection == CLIENT_SIGNATURE) {
        header->protection_alg = X509_ALGOR_new();
        client_check(header->protection_alg != NULL);

        client_sign(ASN1_ITEM_rptr(cmp_protected_part_t),
                    header->protection_alg, msg->protection, &part,
                    client->key,
                    (client->md != NULL) ? client->md : pki_md(client->key),
                    client->pss);

        if (client->no_extra_certs || msg->extra_certs != NULL) {
            return;
        }

        msg->extra_certs = sk_X509_new_null();
        client_check(msg->extra_certs != NULL);
        client_check(X509_add_cert(msg->extra_certs, client->cert,
                                   X509_ADD_FLAG_UP_REF)
                     == 1);

        for (i = 0; i < sk_X509_num(client->chain); i++) {
            client_check(X509_add_cert(msg->extra_certs,
                                       sk_X509_value(client->chain, i),
                                       X509_ADD_FLAG_UP_REF)
                         == 1);
        }

        return;
    }

    header->protection_alg = client_mac_alg(client);

    len = cmp_asn1_encode(cmp_protected_part_t, &part, &der);
    client_check(len > 0);

    len = client_mac(header->protection_alg, client->secret, der, len, mac);
    client_check(len > 0);
    OPENSSL_free(der);

    client_check(cmp_asn1_set_octets(msg->protection, mac, len) == 1);
}


unsigned char *
client_encode(cmp_pki_message_t *msg, size_t *len)
{
    int             n;
    unsigned char  *der, *p;

    n = cmp_asn1_encode(cmp_pki_message_t, msg, &der);
    client_check(n > 0);

    /* exactly as long as the message, so that an overrun is seen */

    p = malloc(n);
    client_check(p != NULL);
    memcpy(p, der, n);
    *len = n;

    OPENSSL_free(der);
    cmp_asn1_free(cmp_pki_message_t, msg);

    return p;
}


static cmp_popo_signing_key_input_t *
client_pop_input(client_t *client, cmp_cert_req_msg_t *req, int pop)
{
    int                            len, n;
    X509_NAME                     *name;
    unsigned char                 *der, mac[EVP_MAX_MD_SIZE];
    cmp_public_key_t              *key;
    cmp_pk_mac_value_t            *value;
    cmp_popo_auth_info_t          *auth;
    cmp_popo_signing_key_input_t  *input;

    input = cmp_asn1_new(cmp_popo_signing_key_input_t);
    client_check(input != NULL);

    key = req->cert_req->cert_template->public_key;
    client_check(key != NULL);

    cmp_asn1_free(cmp_public_key_t, input->public_key);
    input->public_key = cmp_asn1_dup(cmp_public_key_t, key);

    auth = input->auth_info;

    if (pop == CLIENT_POP_INPUT_SENDER) {
        if (client->protection == CLIENT_SIGNATURE) {
            name = X509_NAME_dup(X509_get_subject_name(client->cert));

        } else {
            name = pki_name(client->sender != NULL ? client->sender : "");
        }

        auth->type = CMP_AUTH_INFO_SENDER;
        auth->value.sender = NULL;
        client_set_name(&auth->value.sender, name);
        X509_NAME_free(name);

        return input;
    }

    value = cmp_asn1_new(cmp_pk_mac_value_t);
    client_check(value != NULL);

    X509_ALGOR_free(value->alg_id);
    value->alg_id = client_pbm_alg(client);

    len = cmp_asn1_encode(cmp_public_key_t, key, &der);
    client_check(len > 0);

    n = client_mac(value->alg_id, client->secret, der, len, mac);
    client_check(n > 0);
    OPENSSL_free(der);

    client_check(cmp_asn1_set_octets(value->value, mac, n) == 1);

    auth->type = CMP_AUTH_INFO_PUBLIC_KEY_MAC;
    auth->value.public_key_mac = value;

    return input;
}


void
client_sign_input(cmp_popo_signing_key_t *sign, EVP_PKEY *key)
{
    client_sign(ASN1_ITEM_rptr(cmp_popo_signing_key_input_t),
                sign->algorithm_identifier, sign->signature,
                sign->poposk_input, key, pki_md(key), 0);
}


void
client_pop(client_t *client, cmp_cert_req_msg_t *req,
    const client_request_t *request)
{
    cmp_popo_t              *popo;
    cmp_popo_priv_key_t     *priv;
    cmp_popo_signing_key_t  *sign;

    cmp_asn1_free(cmp_popo_t, req->popo);
    req->popo = NULL;

    if (request->pop == CLIENT_POP_NONE) {
        return;
    }

    popo = cmp_asn1_new(cmp_popo_t);
    client_check(popo != NULL);
    req->popo = popo;

    switch (request->pop) {

    case CLIENT_POP_RA_VERIFIED:
        popo->type = CMP_POPO_RA_VERIFIED;
        popo->value.ra_verified = ASN1_NULL_new();
        return;

    case CLIENT_POP_ENCR_CERT:
    case CLIENT_POP_AGREE_ENCR_CERT:
        priv = cmp_asn1_new(cmp_popo_priv_key_t);
        client_check(priv != NULL);

        priv->type = CMP_POPO_PRIV_KEY_SUBSEQUENT_MESSAGE;
        priv->value.subsequent_message = ASN1_INTEGER_new();
        client_check(priv->value.subsequent_message != NULL);
        client_check(ASN1_INTEGER_set(priv->value.subsequent_message,
                                      CMP_SUBSEQUENT_ENCR_CERT)
                     == 1);

        popo->type = (request->pop == CLIENT_POP_ENCR_CERT)
                         ? CMP_POPO_KEY_ENCIPHERMENT : CMP_POPO_KEY_AGREEMENT;
        popo->value.key_encipherment = priv;
        return;

    default:
        break;
    }

    sign = cmp_asn1_new(cmp_popo_signing_key_t);
    client_check(sign != NULL);

    popo->type = CMP_POPO_SIGNATURE;
    popo->value.signature = sign;

    if (request->key == NULL) {
        client_fail(__FILE__, __LINE__, "key for the proof of possession");
    }

    if (request->pop == CLIENT_POP_INPUT_SENDER
        || request->pop == CLIENT_POP_INPUT_MAC)
    {
        sign->poposk_input = client_pop_input(client, req, request->pop);

        client_sign_input(sign, request->key);

    } else {
        client_sign(ASN1_ITEM_rptr(cmp_cert_request_t),
                    sign->algorithm_identifier, sign->signature,
                    req->cert_req, request->key, pki_md(request->key), 0);
    }

    if (request->pop == CLIENT_POP_BAD_SIGNATURE) {
        sign->signature->data[sign->signature->length / 2] ^= 1;
    }
}
