
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What an answer has to be.
 */


#include <cmpload.h>

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>


static void load_add_reason(const cmp_msg_t *msg, int kind, char *err,
    size_t size);
static int load_check_message(load_t *load, load_task_t *task,
    const cmp_msg_t *msg, char *err, size_t size);
static int load_check_header(load_t *load, load_task_t *task,
    const cmp_msg_t *msg, char *err, size_t size);
static int load_check_protection(load_t *load, load_task_t *task,
    const cmp_msg_t *msg, char *err, size_t size);
static int load_check_mac(load_t *load, const cmp_msg_t *msg, char *err,
    size_t size);
static int load_check_mac_key(load_t *load, const X509_ALGOR *alg,
    unsigned char *key);
static int load_check_signature(load_t *load, const cmp_msg_t *msg, char *err,
    size_t size);
static int load_check_body(load_t *load, load_task_t *task,
    const cmp_msg_t *msg, int full, char *err, size_t size);
static int load_check_enrolled(load_t *load, load_task_t *task,
    const cmp_msg_t *msg, int full, char *err, size_t size);
static int load_check_status(const cmp_pki_status_info_t *info, char *err,
    size_t size);
static int load_check_genp(load_t *load, const cmp_msg_t *msg, char *err,
    size_t size);
static int load_answer_type(const load_t *load, const load_task_t *task);
static int load_same(const ASN1_OCTET_STRING *string, const void *data,
    size_t len);
static int load_wrong(int kind, char *err, size_t size, const char *text);


int
load_check_answer(load_t *load, load_task_t *task, const unsigned char *body,
    size_t len, char *err, size_t size)
{
    int             rc;
    cmp_msg_t       msg;
    cmp_pool_t     *pool;
    cmp_refusal_t   refusal;

    memset(&refusal, 0, sizeof(cmp_refusal_t));

    pool = cmp_pool_create();
    if (pool == NULL) {
        load_fatal("out of memory");
    }

    rc = cmp_msg_decode(pool, body, len, &msg, &refusal);

    if (rc == CMP_OK) {
        rc = load_check_message(load, task, &msg, err, size);
        load_add_reason(&msg, rc, err, size);

    } else {
        (void) snprintf(err, size, "the answer is no PKIMessage: %s",
                        refusal.detail);
        rc = LOAD_DECODE;
    }

    cmp_pool_destroy(pool);
    cmp_crypto_error(NULL, 0);

    return rc;
}


/* an error that cannot be trusted may still tell what went wrong */

static void
load_add_reason(const cmp_msg_t *msg, int kind, char *err, size_t size)
{
    size_t  len;

    if (msg->type != CMP_BODY_ERROR
        || (kind != LOAD_HEADER && kind != LOAD_PROTECTION))
    {
        return;
    }

    len = strlen(err);

    if (len + 2 < size) {
        memcpy(err + len, "; ", 3);
        (void) load_check_status(msg->body->value.error->pki_status_info,
                                 err + len + 2, size - len - 2);
    }
}


static int
load_check_message(load_t *load, load_task_t *task, const cmp_msg_t *msg,
    char *err, size_t size)
{
    int            rc, full, none;
    load_signer_t  own;

    none = (load->conf->verify == LOAD_VERIFY_NONE);
    full = (load->conf->verify == LOAD_VERIFY_ALL)
           || (none == 0 && task->number % LOAD_SAMPLE == 0);

    if (none == 0) {
        rc = load_check_header(load, task, msg, err, size);

        if (rc != LOAD_OK) {
            return rc;
        }

        /* a MAC costs too little to be left out */

        if (full || load_task_signer(load, task, &own) == NULL) {
            rc = load_check_protection(load, task, msg, err, size);

            if (rc != LOAD_OK) {
                return rc;
            }
        }
    }

    rc = load_check_body(load, task, msg, full, err, size);

    if (rc == LOAD_OK
        && msg->header->sender_nonce != NULL
        && msg->header->sender_nonce->length == CMP_NONCE_LEN)
    {
        memcpy(task->recip_nonce, msg->header->sender_nonce->data,
               CMP_NONCE_LEN);
    }

    return rc;
}


static int
load_check_header(load_t *load, load_task_t *task, const cmp_msg_t *msg,
    char *err, size_t size)
{
    const cmp_pki_header_t  *header;

    header = msg->header;

    if (msg->pvno != load->conf->pvno) {
        return load_wrong(LOAD_HEADER, err, size,
                          "pvno is not that of the request");
    }

    if (load_same(header->transaction_id, task->transaction_id, CMP_NONCE_LEN)
        == 0)
    {
        return load_wrong(LOAD_HEADER, err, size,
                          "transactionID is not that of the request");
    }

    if (load_same(header->recip_nonce, task->sender_nonce, CMP_NONCE_LEN)
        == 0)
    {
        return load_wrong(LOAD_HEADER, err, size,
                          "recipNonce is not the senderNonce of the request");
    }

    if (header->sender_nonce == NULL
        || header->sender_nonce->length != CMP_NONCE_LEN
        || load_same(header->sender_nonce, task->recip_nonce, CMP_NONCE_LEN))
    {
        return load_wrong(LOAD_HEADER, err, size, "senderNonce is no new one");
    }

    return LOAD_OK;
}


static int
load_check_protection(load_t *load, load_task_t *task, const cmp_msg_t *msg,
    char *err, size_t size)
{
    int                     mac, expected;
    load_signer_t           own;
    const cmp_pki_header_t  *header;

    header = msg->header;

    if (header->protection_alg == NULL || msg->protection == NULL) {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the answer is not protected");
    }

    mac = cmp_oid_equal(header->protection_alg->algorithm,
                        &cmp_oid_password_based_mac);
    expected = (load_task_signer(load, task, &own) == NULL);

    /* an error about the protection of the request may be signed */

    if (mac != expected && (mac || msg->type != CMP_BODY_ERROR)) {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the answer is not protected as the request was");
    }

    return mac ? load_check_mac(load, msg, err, size)
               : load_check_signature(load, msg, err, size);
}


static int
load_check_mac(load_t *load, const cmp_msg_t *msg, char *err, size_t size)
{
    unsigned int       n;
    unsigned char      mac[EVP_MAX_MD_SIZE], key[CMP_SHA256_LEN];
    const X509_ALGOR  *alg;

    alg = msg->header->protection_alg;

    if (X509_ALGOR_cmp(alg, load->mac_alg) == 0) {
        memcpy(key, load->mac_key, CMP_SHA256_LEN);

    } else if (load_check_mac_key(load, alg, key) == 0) {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the parameters of the MAC are not those of the "
                          "request");
    }

    if (HMAC(EVP_sha256(), key, CMP_SHA256_LEN, msg->protected_part.data,
             msg->protected_part.len, mac, &n)
        == NULL)
    {
        load_fatal_crypto("HMAC()");
    }

    if (cmp_asn1_is_octets(msg->protection) == 0
        || msg->protection->length != (int) n
        || CRYPTO_memcmp(msg->protection->data, mac, n) != 0)
    {
        return load_wrong(LOAD_PROTECTION, err, size, "the MAC is wrong");
    }

    if (load_same(msg->header->sender_kid, load->conf->reference,
                  strlen(load->conf->reference))
        == 0)
    {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "senderKID is not that of the request");
    }

    return LOAD_OK;
}


/* another salt: the same algorithms and iterations have to be with it */

static int
load_check_mac_key(load_t *load, const X509_ALGOR *alg, unsigned char *key)
{
    int                   ok;
    int64_t               n;
    const ASN1_STRING    *value;
    cmp_pbm_parameter_t  *pbm;

    if (alg->parameter == NULL || alg->parameter->type != V_ASN1_SEQUENCE) {
        return 0;
    }

    value = alg->parameter->value.sequence;
    pbm = cmp_asn1_decode(cmp_pbm_parameter_t, value->data, value->length);
    if (pbm == NULL) {
        return 0;
    }

    ok = OBJ_obj2nid(pbm->owf->algorithm) == NID_sha256
         && OBJ_obj2nid(pbm->mac->algorithm) == NID_hmacWithSHA256
         && ASN1_INTEGER_get_int64(&n, pbm->iteration_count) == 1
         && n == load->conf->iterations;

    if (ok) {
        load_mac_derive(load->conf, pbm->salt->data, pbm->salt->length, n,
                        key);
    }

    cmp_asn1_free(cmp_pbm_parameter_t, pbm);

    return ok;
}


static int
load_check_signature(load_t *load, const cmp_msg_t *msg, char *err,
    size_t size)
{
    int                       n, ok;
    X509                     *cert;
    unsigned char            *der;
    cmp_protected_part_t      part;
    const cmp_pki_header_t   *header;
    const ASN1_OCTET_STRING  *kid;

    header = msg->header;
    cert = sk_X509_value(msg->extra_certs, 0);

    if (cert == NULL
        || load_check_signer(load->check, cert, msg->extra_certs) == 0)
    {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the certificate of the answer is not trusted");
    }

    kid = X509_get0_subject_key_id(cert);

    if (header->sender->type != GEN_DIRNAME
        || X509_NAME_cmp(header->sender->d.directoryName,
                         X509_get_subject_name(cert))
           != 0
        || kid == NULL
        || load_same(header->sender_kid, kid->data, kid->length) == 0)
    {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "sender or senderKID is not that of the "
                          "certificate");
    }

    /* what is verified is encoded anew: has it to be what was received */

    part.header = msg->header;
    part.body = msg->body;

    n = cmp_asn1_encode(cmp_protected_part_t, &part, &der);

    ok = n > 0
         && (size_t) n == msg->protected_part.len
         && memcmp(der, msg->protected_part.data, n) == 0;

    OPENSSL_free(der);

    if (ok == 0) {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the answer is not DER");
    }

    if (ASN1_item_verify(ASN1_ITEM_rptr(cmp_protected_part_t),
                         header->protection_alg, msg->protection, &part,
                         X509_get0_pubkey(cert))
        != 1)
    {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the signature of the answer is wrong");
    }

    return LOAD_OK;
}


static int
load_check_body(load_t *load, load_task_t *task, const cmp_msg_t *msg,
    int full, char *err, size_t size)
{
    int                     expected;
    cmp_rev_rep_content_t  *rp;

    expected = load_answer_type(load, task);

    if (msg->type == CMP_BODY_ERROR) {
        (void) load_check_status(msg->body->value.error->pki_status_info, err,
                                 size);
        return LOAD_REFUSED;
    }

    if (msg->type != expected) {
        (void) snprintf(err, size, "%s instead of %s",
                        cmp_body_name(msg->type), cmp_body_name(expected));
        return LOAD_BODY;
    }

    switch (expected) {

    case CMP_BODY_PKICONF:
        return LOAD_OK;

    case CMP_BODY_GENP:
        return load_check_genp(load, msg, err, size);

    case CMP_BODY_RP:
        rp = msg->body->value.rp;

        if (sk_cmp_pki_status_info_t_num(rp->status) != 1) {
            return load_wrong(LOAD_BODY, err, size,
                              "rp with more or less than one status");
        }

        return load_check_status(sk_cmp_pki_status_info_t_value(rp->status, 0),
                                 err, size);

    default:
        return load_check_enrolled(load, task, msg, full, err, size);
    }
}


static int
load_check_enrolled(load_t *load, load_task_t *task, const cmp_msg_t *msg,
    int full, char *err, size_t size)
{
    int                         rc, granted;
    int64_t                     id;
    cmp_cert_response_t        *response;
    cmp_certified_key_pair_t   *pair;
    cmp_cert_rep_message_t     *rep;

    rep = msg->body->value.ip;

    if (sk_cmp_cert_response_t_num(rep->response) != 1) {
        return load_wrong(LOAD_BODY, err, size,
                          "more or less than one CertResponse");
    }

    response = sk_cmp_cert_response_t_value(rep->response, 0);

    rc = load_check_status(response->status, err, size);

    if (rc != LOAD_OK) {
        return rc;
    }

    pair = response->certified_key_pair;

    if (pair == NULL
        || pair->cert_or_enc_cert->type != CMP_CERT_OR_ENC_CERT_CERTIFICATE)
    {
        return load_wrong(LOAD_BODY, err, size, "no certificate");
    }

    X509_free(task->cert);
    task->cert = pair->cert_or_enc_cert->value.certificate;
    X509_up_ref(task->cert);

    if (load->conf->verify == LOAD_VERIFY_NONE) {
        return load_check_certificate(load, task, task->cert, 0, err, size);
    }

    if (ASN1_INTEGER_get_int64(&id, response->cert_req_id) != 1
        || id != ((load->op->type == CMP_BODY_P10CR) ? -1 : 0))
    {
        return load_wrong(LOAD_BODY, err, size,
                          "certReqId is not that of the request");
    }

    granted = cmp_msg_general_info(msg, &cmp_oid_it_implicit_confirm) != NULL;

    if (granted != (int) load->op->implicit) {
        return load_wrong(LOAD_BODY, err, size,
                          granted ? "implicitConfirm was not asked for"
                                  : "implicitConfirm is not granted");
    }

    return load_check_certificate(load, task, task->cert, full, err, size);
}


/* only accepted will do: nothing asked for has to be changed */

static int
load_check_status(const cmp_pki_status_info_t *info, char *err, size_t size)
{
    int                     i, bit, len;
    int64_t                 status;
    const ASN1_UTF8STRING  *text;

    if (ASN1_INTEGER_get_int64(&status, info->status) != 1
        || status < 0 || status > CMP_STATUS_KEY_UPDATE_WARNING)
    {
        return load_wrong(LOAD_BODY, err, size, "status out of range");
    }

    if (status == CMP_STATUS_ACCEPTED && info->fail_info == NULL) {
        return LOAD_OK;
    }

    bit = -1;

    for (i = 0; info->fail_info != NULL && i <= CMP_FAIL_MAX; i++) {
        if (ASN1_BIT_STRING_get_bit(info->fail_info, i) == 1) {
            bit = i;
            break;
        }
    }

    text = NULL;

    if (sk_ASN1_UTF8STRING_num(info->status_string) > 0) {
        text = sk_ASN1_UTF8STRING_value(info->status_string, 0);
    }

    len = (text != NULL && text->length < 160) ? text->length : 0;

    (void) snprintf(err, size, "%s, %s: %.*s", cmp_status_name((int) status),
                    cmp_fail_info_name(bit), len,
                    (text != NULL) ? (const char *) text->data : "");

    return LOAD_REFUSED;
}


static int
load_check_genp(load_t *load, const cmp_msg_t *msg, char *err, size_t size)
{
    int                         i, found;
    const ASN1_STRING          *value;
    cmp_certificates_t         *certs;
    cmp_info_type_and_value_t  *info;

    info = sk_cmp_info_type_and_value_t_value(msg->body->value.genp, 0);

    if (sk_cmp_info_type_and_value_t_num(msg->body->value.genp) != 1
        || cmp_oid_equal(info->info_type, &cmp_oid_it_ca_certs) == 0
        || info->info_value == NULL
        || info->info_value->type != V_ASN1_SEQUENCE)
    {
        return load_wrong(LOAD_BODY, err, size, "genp without caCerts");
    }

    if (load->conf->verify == LOAD_VERIFY_NONE) {
        return LOAD_OK;
    }

    value = info->info_value->value.sequence;
    certs = cmp_asn1_decode(cmp_certificates_t, value->data, value->length);
    found = 0;

    for (i = 0; i < sk_X509_num(certs); i++) {
        if (X509_cmp(sk_X509_value(certs, i), load_check_issuer(load->check))
            == 0)
        {
            found = 1;
        }
    }

    cmp_asn1_free(cmp_certificates_t, certs);

    return found ? LOAD_OK
                 : load_wrong(LOAD_BODY, err, size,
                              "the issuing CA is not among the caCerts");
}


static int
load_answer_type(const load_t *load, const load_task_t *task)
{
    if (task->step == 1) {
        return CMP_BODY_PKICONF;
    }

    switch (load->op->type) {

    case CMP_BODY_P10CR:
        return CMP_BODY_CP;

    default:
        return load->op->type + 1;
    }
}


static int
load_same(const ASN1_OCTET_STRING *string, const void *data, size_t len)
{
    return string != NULL
           && (size_t) string->length == len
           && memcmp(string->data, data, len) == 0;
}


static int
load_wrong(int kind, char *err, size_t size, const char *text)
{
    (void) snprintf(err, size, "%s", text);

    return kind;
}
