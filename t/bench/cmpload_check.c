
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What an answer has to be.
 */


#define _GNU_SOURCE             /* memmem() */

#include <cmpload.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>


static void load_add_reason(const load_answer_t *answer, int kind, char *err,
    size_t size);
static int load_check_message(load_t *load, load_task_t *task,
    const load_answer_t *answer, char *err, size_t size);
static int load_check_header(load_t *load, load_task_t *task,
    const load_answer_t *answer, char *err, size_t size);
static int load_check_protection(load_t *load, load_task_t *task,
    const load_answer_t *answer, char *err, size_t size);
static int load_check_mac(load_t *load, const load_answer_t *answer, char *err,
    size_t size);
static int load_check_mac_key(load_t *load, const X509_ALGOR *alg,
    unsigned char *key);
static int load_check_signature(load_t *load, const load_answer_t *answer,
    char *err, size_t size);
static int load_check_body(load_t *load, load_task_t *task,
    const load_answer_t *answer, int full, char *err, size_t size);
static int load_check_enrolled(load_t *load, load_task_t *task,
    const load_answer_t *answer, int full, char *err, size_t size);
static int load_check_error(const load_answer_t *answer, char *err,
    size_t size);
static int load_check_revoked(const load_answer_t *answer, char *err,
    size_t size);
static int load_check_poll(const load_answer_t *answer, char *err,
    size_t size);
static int load_check_status(const cmp_pki_status_info_t *info, int expected,
    char *err, size_t size);
static int load_check_genp(load_t *load, const load_answer_t *answer,
    char *err, size_t size);
static int load_granted(const cmp_pki_header_t *header);
static int load_answer_type(const load_t *load, const load_task_t *task);
static int load_same(const ASN1_OCTET_STRING *string, const void *data,
    size_t len);
static int load_wrong(int kind, char *err, size_t size, const char *text);


int
load_check_answer(load_t *load, load_task_t *task, const unsigned char *data,
    size_t len, char *err, size_t size)
{
    int            rc;
    load_answer_t  answer;

    if (load_answer_decode(&answer, data, len)) {
        rc = load_check_message(load, task, &answer, err, size);
        load_add_reason(&answer, rc, err, size);

    } else {
        rc = load_wrong(LOAD_DECODE, err, size,
                        "the answer is no PKIMessage in DER");
    }

    load_answer_free(&answer);
    cmp_crypto_error(NULL, 0);

    return rc;
}


/* an error that cannot be trusted may still tell what went wrong */

static void
load_add_reason(const load_answer_t *answer, int kind, char *err, size_t size)
{
    size_t  len;

    len = strlen(err);

    if (answer->type == CMP_BODY_ERROR
        && (kind == LOAD_HEADER || kind == LOAD_PROTECTION)
        && len + 2 < size)
    {
        memcpy(err + len, "; ", 3);
        (void) load_check_error(answer, err + len + 2, size - len - 2);
    }
}


static int
load_check_message(load_t *load, load_task_t *task, const load_answer_t *answer,
    char *err, size_t size)
{
    int                       rc, full, none;
    load_signer_t             own;
    const ASN1_OCTET_STRING  *nonce;

    none = (load->conf->verify == LOAD_VERIFY_NONE);
    full = (load->conf->verify == LOAD_VERIFY_ALL)
           || (none == 0 && task->number % LOAD_SAMPLE == 0);

    if (none == 0) {
        rc = load_check_header(load, task, answer, err, size);

        if (rc != LOAD_OK) {
            return rc;
        }

        /* a MAC costs too little to be left out */

        if (full || load_task_signer(load, task, &own) == NULL) {
            rc = load_check_protection(load, task, answer, err, size);

            if (rc != LOAD_OK) {
                return rc;
            }
        }

        if (load_check_extra(load->check, answer) == 0) {
            return load_wrong(LOAD_CERTIFICATE, err, size,
                              "extraCerts has one that is not of the CA");
        }
    }

    rc = load_check_body(load, task, answer, full, err, size);

    nonce = answer->header->sender_nonce;

    if (rc == LOAD_OK && nonce != NULL && nonce->length == CMP_NONCE_LEN) {
        memcpy(task->recip_nonce, nonce->data, CMP_NONCE_LEN);
    }

    return rc;
}


static int
load_check_header(load_t *load, load_task_t *task, const load_answer_t *answer,
    char *err, size_t size)
{
    const cmp_pki_header_t  *header;

    header = answer->header;

    if (ASN1_INTEGER_get(header->pvno) != load->conf->pvno) {
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
load_check_protection(load_t *load, load_task_t *task,
    const load_answer_t *answer, char *err, size_t size)
{
    int                     mac, expected;
    load_signer_t           own;
    const cmp_pki_header_t  *header;

    header = answer->header;

    if (header->protection_alg == NULL || answer->protection == NULL) {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the answer is not protected");
    }

    mac = cmp_oid_equal(header->protection_alg->algorithm,
                        &cmp_oid_password_based_mac);
    expected = (load_task_signer(load, task, &own) == NULL);

    /* an error about the protection of the request may be signed */

    if (mac != expected && (mac || answer->type != CMP_BODY_ERROR)) {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the answer is not protected as the request was");
    }

    return mac ? load_check_mac(load, answer, err, size)
               : load_check_signature(load, answer, err, size);
}


static int
load_check_mac(load_t *load, const load_answer_t *answer, char *err,
    size_t size)
{
    unsigned int       n;
    unsigned char      mac[EVP_MAX_MD_SIZE], key[CMP_SHA256_LEN];
    const X509_ALGOR  *alg;

    alg = answer->header->protection_alg;

    if (X509_ALGOR_cmp(alg, load->mac_alg) == 0) {
        memcpy(key, load->mac_key, CMP_SHA256_LEN);

    } else if (load_check_mac_key(load, alg, key) == 0) {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the parameters of the MAC are not those of the "
                          "request");
    }

    if (HMAC(load->md, key, CMP_SHA256_LEN, answer->protected_part.data,
             answer->protected_part.len, mac, &n)
        == NULL)
    {
        load_fatal_crypto("HMAC()");
    }

    if (cmp_asn1_is_octets(answer->protection) == 0
        || answer->protection->length != (int) n
        || CRYPTO_memcmp(answer->protection->data, mac, n) != 0)
    {
        return load_wrong(LOAD_PROTECTION, err, size, "the MAC is wrong");
    }

    if (load_same(answer->header->sender_kid, load->conf->reference,
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
load_check_signature(load_t *load, const load_answer_t *answer, char *err,
    size_t size)
{
    X509                     *cert;
    const cmp_pki_header_t   *header;
    const ASN1_OCTET_STRING  *kid;

    header = answer->header;

    cert = load_check_signer(load->check, answer);
    if (cert == NULL) {
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

    if (load_check_octets(&answer->protected_part, header->protection_alg,
                          answer->protection, X509_get0_pubkey(cert))
        == 0)
    {
        return load_wrong(LOAD_PROTECTION, err, size,
                          "the signature of the answer is wrong");
    }

    return LOAD_OK;
}


static int
load_check_body(load_t *load, load_task_t *task, const load_answer_t *answer,
    int full, char *err, size_t size)
{
    int  expected;

    expected = load_answer_type(load, task);

    if (answer->type == CMP_BODY_ERROR) {
        return load_check_error(answer, err, size);
    }

    if (answer->type != expected) {
        (void) snprintf(err, size, "%s instead of %s",
                        cmp_body_name(answer->type), cmp_body_name(expected));
        return LOAD_BODY;
    }

    switch (expected) {

    case CMP_BODY_PKICONF:
        return LOAD_OK;

    case CMP_BODY_GENP:
        return load_check_genp(load, answer, err, size);

    case CMP_BODY_RP:
        return load_check_revoked(answer, err, size);

    case CMP_BODY_POLLREP:
        return load_check_poll(answer, err, size);

    default:
        return load_check_enrolled(load, task, answer, full, err, size);
    }
}


static int
load_check_enrolled(load_t *load, load_task_t *task,
    const load_answer_t *answer, int full, char *err, size_t size)
{
    int                     rc, granted;
    load_response_t         response;
    cmp_pki_status_info_t  *info;

    static const unsigned char  zero[] = { V_ASN1_INTEGER, 1, 0 };
    static const unsigned char  minus_one[] = { V_ASN1_INTEGER, 1, 0xff };

    if (load_answer_response(answer, &response) == 0) {
        return load_wrong(LOAD_BODY, err, size,
                          "not one CertResponse as it should be");
    }

    info = cmp_asn1_decode(cmp_pki_status_info_t, response.status.data,
                           response.status.len);
    if (info == NULL) {
        return load_wrong(LOAD_BODY, err, size, "no PKIStatusInfo");
    }

    rc = load_check_status(info, load->op->waits ? CMP_STATUS_WAITING
                                                 : CMP_STATUS_ACCEPTED,
                           err, size);
    cmp_asn1_free(cmp_pki_status_info_t, info);

    if (rc != LOAD_OK) {
        return rc;
    }

    if (load->op->waits) {
        return (response.cert.len == 0)
                   ? LOAD_OK
                   : load_wrong(LOAD_BODY, err, size,
                                "waiting, and a certificate");
    }

    if (response.cert.len == 0) {
        return load_wrong(LOAD_BODY, err, size, "no certificate");
    }

    free(task->cert.data);
    task->cert.data = load_alloc(response.cert.len);
    task->cert.len = response.cert.len;
    memcpy(task->cert.data, response.cert.data, response.cert.len);

    if (load->conf->verify == LOAD_VERIFY_NONE) {
        return load_check_certificate(load, task, 0, err, size);
    }

    if (response.id.len != sizeof(zero)
        || memcmp(response.id.data,
                  (load->op->type == CMP_BODY_P10CR) ? minus_one : zero,
                  sizeof(zero))
           != 0)
    {
        return load_wrong(LOAD_BODY, err, size,
                          "certReqId is not that of the request");
    }

    granted = load_granted(answer->header);

    if (granted != (int) load->op->implicit) {
        return load_wrong(LOAD_BODY, err, size,
                          granted ? "implicitConfirm was not asked for"
                                  : "implicitConfirm is not granted");
    }

    return load_check_certificate(load, task, full, err, size);
}


static int
load_granted(const cmp_pki_header_t *header)
{
    int                         i;
    cmp_info_type_and_value_t  *info;

    for (i = 0;
         i < sk_cmp_info_type_and_value_t_num(header->general_info);
         i++)
    {
        info = sk_cmp_info_type_and_value_t_value(header->general_info, i);

        if (cmp_oid_equal(info->info_type, &cmp_oid_it_implicit_confirm)) {
            return 1;
        }
    }

    return 0;
}


static int
load_check_error(const load_answer_t *answer, char *err, size_t size)
{
    cmp_error_msg_content_t  *error;

    error = cmp_asn1_decode(cmp_error_msg_content_t, answer->body.data,
                            answer->body.len);
    if (error == NULL) {
        return load_wrong(LOAD_BODY, err, size, "no ErrorMsgContent");
    }

    if (load_check_status(error->pki_status_info, CMP_STATUS_ACCEPTED, err,
                          size)
        == LOAD_OK)
    {
        (void) snprintf(err, size, "an error whose status is accepted");
    }

    cmp_asn1_free(cmp_error_msg_content_t, error);

    return LOAD_REFUSED;
}


static int
load_check_revoked(const load_answer_t *answer, char *err, size_t size)
{
    int                     rc;
    cmp_rev_rep_content_t  *rp;

    rp = cmp_asn1_decode(cmp_rev_rep_content_t, answer->body.data,
                         answer->body.len);

    if (rp == NULL || sk_cmp_pki_status_info_t_num(rp->status) != 1) {
        rc = load_wrong(LOAD_BODY, err, size, "rp without exactly one status");

    } else {
        rc = load_check_status(sk_cmp_pki_status_info_t_value(rp->status, 0),
                               CMP_STATUS_ACCEPTED, err, size);
    }

    cmp_asn1_free(cmp_rev_rep_content_t, rp);

    return rc;
}


/* the request of the transaction is to be asked for again, later */

static int
load_check_poll(const load_answer_t *answer, char *err, size_t size)
{
    int                      rc;
    int64_t                  id, after;
    cmp_poll_rep_t          *poll;
    cmp_poll_rep_content_t  *rep;

    rep = cmp_asn1_decode(cmp_poll_rep_content_t, answer->body.data,
                          answer->body.len);
    poll = sk_cmp_poll_rep_t_value(rep, 0);

    if (sk_cmp_poll_rep_t_num(rep) != 1
        || ASN1_INTEGER_get_int64(&id, poll->cert_req_id) != 1
        || id != 0
        || ASN1_INTEGER_get_int64(&after, poll->check_after) != 1
        || after < 0)
    {
        rc = load_wrong(LOAD_BODY, err, size,
                        "pollRep without one checkAfter of the request");

    } else {
        rc = LOAD_OK;
    }

    cmp_asn1_free(cmp_poll_rep_content_t, rep);

    return rc;
}


/* nothing but what is expected will do, such as accepted with changes */

static int
load_check_status(const cmp_pki_status_info_t *info, int expected, char *err,
    size_t size)
{
    int                     i, bit, len;
    int64_t                 status;
    const ASN1_UTF8STRING  *text;

    if (ASN1_INTEGER_get_int64(&status, info->status) != 1
        || status < 0 || status > CMP_STATUS_KEY_UPDATE_WARNING)
    {
        return load_wrong(LOAD_BODY, err, size, "status out of range");
    }

    if (status == expected && info->fail_info == NULL) {
        return LOAD_OK;
    }

    if (status == CMP_STATUS_ACCEPTED) {
        return load_wrong(LOAD_REFUSED, err, size,
                          (expected == status) ? "accepted with a failInfo"
                                               : "accepted, not waiting");
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


/* one infoType, caCerts, with the issuing CA in its value */

static int
load_check_genp(load_t *load, const load_answer_t *answer, char *err,
    size_t size)
{
    int                         rc;
    const cmp_str_t            *issuer;
    const ASN1_STRING          *value;
    cmp_gen_msg_content_t      *genp;
    cmp_info_type_and_value_t  *info;

    genp = cmp_asn1_decode(cmp_gen_msg_content_t, answer->body.data,
                           answer->body.len);
    info = sk_cmp_info_type_and_value_t_value(genp, 0);
    issuer = load_check_issuer(load->check);
    rc = LOAD_OK;

    if (sk_cmp_info_type_and_value_t_num(genp) != 1
        || cmp_oid_equal(info->info_type, &cmp_oid_it_ca_certs) == 0
        || info->info_value == NULL
        || info->info_value->type != V_ASN1_SEQUENCE)
    {
        rc = load_wrong(LOAD_BODY, err, size, "genp without caCerts");

    } else if (load->conf->verify != LOAD_VERIFY_NONE) {
        value = info->info_value->value.sequence;

        if (memmem(value->data, value->length, issuer->data, issuer->len)
            == NULL)
        {
            rc = load_wrong(LOAD_BODY, err, size,
                            "the issuing CA is not among the caCerts");
        }
    }

    cmp_asn1_free(cmp_gen_msg_content_t, genp);

    return rc;
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
