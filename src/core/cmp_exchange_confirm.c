
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * certConf, pkiConf and error from the client: how a transaction that issued
 * certificates ends (RFC 9810, 5.3.17, 5.3.18, 5.3.21).
 */


#include <cmp_exchange_local.h>
#include <cmp_key.h>

#include <openssl/crypto.h>


static int cmp_confirm_expected(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_confirm_ended(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static const cmp_certificate_t *cmp_confirm_find(cmp_exchange_t *ex,
    const cmp_cert_status_t *status);
static int cmp_confirm_status(cmp_exchange_t *ex,
    const cmp_cert_status_t *status, int *accepted, cmp_refusal_t *refusal);
static int cmp_confirm_check(cmp_exchange_t *ex, unsigned char *decision,
    cmp_refusal_t *refusal);
static int cmp_confirm_hash(cmp_exchange_t *ex,
    const cmp_certificate_t *cert, const cmp_cert_status_t *status,
    cmp_refusal_t *refusal);
static int cmp_confirm_digest(const cmp_exchange_t *ex, const X509_ALGOR *alg,
    const cmp_cert_status_t *status, const EVP_MD **md);
static int cmp_confirm_matches(const EVP_MD *md, const cmp_str_t *der,
    const cmp_str_t *hash);
static int cmp_confirm_apply(cmp_exchange_t *ex,
    const unsigned char *decision);
static int cmp_confirm_revoke_all(cmp_exchange_t *ex);
static int cmp_confirm_pkiconf(cmp_exchange_t *ex);
static int cmp_confirm_pending(const cmp_exchange_t *ex,
    const cmp_certificate_t *cert);


#define CMP_CONFIRM_REJECT   0
#define CMP_CONFIRM_ACCEPT   1
#define CMP_CONFIRM_UNSAID   2


/* SHAKE256 with 32 octets of output: certHash of OpenSSL 3.0 for Ed448 */

#define CMP_SHAKE256_SHORT   32


int
cmp_exchange_confirm(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int             rc;
    unsigned char  *decision;

    rc = cmp_confirm_expected(ex, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    decision = cmp_palloc(ex->work, ex->records->ncertificates + 1);
    if (decision == NULL) {
        return CMP_ERROR;
    }

    memset(decision, CMP_CONFIRM_UNSAID, ex->records->ncertificates + 1);

    rc = cmp_confirm_check(ex, decision, refusal);

    if (rc == CMP_DECLINED && refusal->code == CMP_REFUSE_CERT_HASH) {

        /* what the client has is not what was issued */

        ex->id_written = 1;

        if (cmp_confirm_revoke_all(ex) != CMP_OK) {
            return CMP_ERROR;
        }
    }

    if (rc != CMP_OK) {
        return rc;
    }

    if (cmp_confirm_apply(ex, decision) != CMP_OK) {
        return CMP_ERROR;
    }

    return cmp_confirm_pkiconf(ex);
}


int
cmp_exchange_confirm_all(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int             rc;
    unsigned char  *decision;

    if (ex->strict) {
        return cmp_refuse(refusal, CMP_REFUSE_BODY, "pkiconf");
    }

    rc = cmp_confirm_expected(ex, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    decision = cmp_palloc(ex->work, ex->records->ncertificates + 1);
    if (decision == NULL) {
        return CMP_ERROR;
    }

    memset(decision, CMP_CONFIRM_ACCEPT, ex->records->ncertificates + 1);

    if (cmp_confirm_apply(ex, decision) != CMP_OK) {
        return CMP_ERROR;
    }

    return cmp_confirm_pkiconf(ex);
}


/* error from the client: it wants nothing of this any more */

int
cmp_exchange_abandon(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    cmp_str_t  none;

    if (ex->transaction->state == CMP_TX_ENDED) {
        return cmp_confirm_ended(ex, refusal);
    }

    if (cmp_confirm_revoke_all(ex) != CMP_OK
        || cmp_wait_cancel(ex) != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (ex->writes.naudits == 0) {
        none.len = 0;
        none.data = NULL;

        if (cmp_write_audit(ex, CMP_STATUS_ACCEPTED, -1, &none,
                            "transaction abandoned by the client")
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return cmp_confirm_pkiconf(ex);
}


static int
cmp_confirm_expected(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    if (ex->transaction->state != CMP_TX_CONFIRM) {
        return cmp_confirm_ended(ex, refusal);
    }

    if (ex->transaction->confirm_before != 0
        && ex->transaction->confirm_before < ex->records->now)
    {
        return cmp_refuse(refusal, CMP_REFUSE_CONFIRM_LATE, NULL);
    }

    return CMP_OK;
}


static int
cmp_confirm_ended(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                       revoked, valid;
    size_t                    i;
    const cmp_certificate_t  *cert;

    revoked = 0;
    valid = 0;

    for (i = 0; i < ex->records->ncertificates; i++) {

        cert = &ex->records->certificates[i];

        if (cmp_str_equal(&cert->transaction_id, &ex->transaction->id) == 0) {
            continue;
        }

        if (cert->state == CMP_CERT_REVOKED) {
            revoked++;

        } else {
            valid++;
        }
    }

    if (valid != 0) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_CONFIRMED, NULL);
    }

    if (revoked != 0) {
        return cmp_refuse(refusal, CMP_REFUSE_CONFIRM_LATE, NULL);
    }

    return cmp_refuse(refusal, CMP_REFUSE_UNKNOWN_TRANSACTION, NULL);
}


static int
cmp_confirm_pending(const cmp_exchange_t *ex, const cmp_certificate_t *cert)
{
    return cert->state == CMP_CERT_UNCONFIRMED
           && cmp_str_equal(&cert->transaction_id, &ex->transaction->id);
}


/* nothing is written here, so that a message is refused as a whole */

static int
cmp_confirm_check(cmp_exchange_t *ex, unsigned char *decision,
    cmp_refusal_t *refusal)
{
    int                                i, rc, accepted;
    const cmp_certificate_t           *cert;
    const cmp_cert_status_t           *status;
    const cmp_cert_confirm_content_t  *content;

    content = ex->msg.body->value.cert_conf;

    if (ex->strict && sk_cmp_cert_status_t_num(content) > 1) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_STATUS,
                          "more than one status");
    }

    for (i = 0; i < sk_cmp_cert_status_t_num(content); i++) {

        status = sk_cmp_cert_status_t_value(content, i);

        rc = cmp_confirm_status(ex, status, &accepted, refusal);

        if (rc != CMP_OK) {
            return rc;
        }

        cert = cmp_confirm_find(ex, status);

        if (cert == NULL) {
            return cmp_refuse(refusal, CMP_REFUSE_CERT_STATUS,
                              "unknown certReqId");
        }

        if (decision[cert - ex->records->certificates] != CMP_CONFIRM_UNSAID) {
            return cmp_refuse(refusal, CMP_REFUSE_CERT_STATUS,
                              "certReqId is there twice");
        }

        if (accepted) {
            rc = cmp_confirm_hash(ex, cert, status, refusal);

            if (rc != CMP_OK) {
                return rc;
            }
        }

        decision[cert - ex->records->certificates] = accepted
                                                     ? CMP_CONFIRM_ACCEPT
                                                     : CMP_CONFIRM_REJECT;
    }

    return CMP_OK;
}


static int
cmp_confirm_status(cmp_exchange_t *ex, const cmp_cert_status_t *status,
    int *accepted, cmp_refusal_t *refusal)
{
    long  value;

    (void) ex;

    *accepted = 1;

    if (status->status_info == NULL) {
        return CMP_OK;
    }

    value = ASN1_INTEGER_get(status->status_info->status);
    cmp_crypto_error(NULL, 0);

    if (value == CMP_STATUS_REJECTION) {
        *accepted = 0;
        return CMP_OK;
    }

    if (value != CMP_STATUS_ACCEPTED) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_STATUS,
                          "neither accepted nor rejection");
    }

    if (status->status_info->fail_info != NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_STATUS,
                          "accepted, but with a failInfo");
    }

    return CMP_OK;
}


static const cmp_certificate_t *
cmp_confirm_find(cmp_exchange_t *ex, const cmp_cert_status_t *status)
{
    size_t                    i;
    int64_t                   id;
    const cmp_certificate_t  *cert;

    if (ASN1_INTEGER_get_int64(&id, status->cert_req_id) != 1) {
        cmp_crypto_error(NULL, 0);
        return NULL;
    }

    for (i = 0; i < ex->records->ncertificates; i++) {

        cert = &ex->records->certificates[i];

        if (cmp_confirm_pending(ex, cert) == 0) {
            continue;
        }

        /* a p10cr has no certReqId: -1 stands for it, some clients say 0 */

        if (cert->cert_req_id == id
            || (ex->strict == 0
                && ex->transaction->body == CMP_BODY_P10CR
                && id == 0))
        {
            return cert;
        }
    }

    return NULL;
}


static int
cmp_confirm_hash(cmp_exchange_t *ex, const cmp_certificate_t *cert,
    const cmp_cert_status_t *status, cmp_refusal_t *refusal)
{
    int                       rc;
    cmp_str_t                 hash;
    const EVP_MD             *md;
    cmp_certificate_frame_t  *frame;

    frame = cmp_asn1_decode(cmp_certificate_frame_t, cert->der.data,
                            cert->der.len);
    if (frame == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_confirm_digest(ex, frame->signature_algorithm, status, &md);

    cmp_asn1_free(cmp_certificate_frame_t, frame);

    if (rc != CMP_OK) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_HASH,
                          (status->hash_alg != NULL)
                          ? "hashAlg is not acceptable"
                          : "the signature algorithm needs a hashAlg");
    }

    hash = cmp_octets(status->cert_hash);

    if (cmp_confirm_matches(md, &cert->der, &hash) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_HASH, NULL);
    }

    return CMP_OK;
}


/*
 * The hash of the signature algorithm; for those without one that of RFC 9481,
 * or with pvno 3 the one that the client names.
 */

static int
cmp_confirm_digest(const cmp_exchange_t *ex, const X509_ALGOR *alg,
    const cmp_cert_status_t *status, const EVP_MD **md)
{
    int              nid, asked;
    cmp_refusal_t    unused;
    cmp_signature_t  signature;

    memset(&unused, 0, sizeof(cmp_refusal_t));

    (void) cmp_signature_parse(alg, 0, CMP_REFUSE_CERT_HASH, &signature,
                               &unused);

    nid = (signature.md != NULL) ? EVP_MD_get_type(signature.md) : NID_undef;

    asked = NID_undef;

    if (status->hash_alg != NULL) {

        asked = OBJ_obj2nid(status->hash_alg->algorithm);

        if (asked == NID_undef) {
            return CMP_DECLINED;
        }

        if (nid != NID_undef && asked != nid) {
            return CMP_DECLINED;
        }

        if (nid == NID_undef && ex->msg.pvno < CMP_PVNO_2021) {
            return CMP_DECLINED;
        }
    }

    if (nid == NID_undef) {

        if (asked != NID_undef) {
            nid = asked;

        } else {
            nid = cmp_key_cert_hash(signature.key_type);
        }
    }

    if (nid == NID_undef) {
        return CMP_DECLINED;
    }

    *md = EVP_get_digestbynid(nid);

    /* the client may choose a hash, not a weak one; SHAKE has any size */

    if (*md != NULL
        && asked != NID_undef
        && (EVP_MD_get_flags(*md) & EVP_MD_FLAG_XOF) == 0
        && EVP_MD_get_size(*md) < CMP_SHA256_LEN)
    {
        *md = NULL;
    }

    return *md != NULL ? CMP_OK : CMP_DECLINED;
}


static int
cmp_confirm_matches(const EVP_MD *md, const cmp_str_t *der,
    const cmp_str_t *hash)
{
    int             ok;
    size_t          len;
    EVP_MD_CTX     *ctx;
    unsigned char   buf[EVP_MAX_MD_SIZE];

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return 0;
    }

    ok = EVP_DigestInit_ex(ctx, md, NULL) == 1
         && EVP_DigestUpdate(ctx, der->data, der->len) == 1;

    if (ok && (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) != 0) {

        /* 64 octets by RFC 9481; OpenSSL 3.0 sends 32 */

        len = (hash->len == CMP_SHAKE256_SHORT) ? CMP_SHAKE256_SHORT : 64;
        ok = EVP_DigestFinalXOF(ctx, buf, len) == 1;

    } else if (ok) {
        len = EVP_MD_get_size(md);
        ok = EVP_DigestFinal_ex(ctx, buf, NULL) == 1;

    } else {
        len = 0;
    }

    EVP_MD_CTX_free(ctx);

    if (ok == 0) {
        cmp_crypto_error(NULL, 0);
        return 0;
    }

    return hash->len == len && CRYPTO_memcmp(hash->data, buf, len) == 0;
}


/* one that is left out is rejected */

static int
cmp_confirm_apply(cmp_exchange_t *ex, const unsigned char *decision)
{
    int                       rc, accepted;
    size_t                    i;
    const cmp_certificate_t  *cert;

    for (i = 0; i < ex->records->ncertificates; i++) {

        cert = &ex->records->certificates[i];

        if (cmp_confirm_pending(ex, cert) == 0) {
            continue;
        }

        accepted = (decision[i] == CMP_CONFIRM_ACCEPT);

        rc = accepted
             ? cmp_write_change(ex, cert, CMP_CHANGE_CONFIRM, 0,
                                cmp_exchange_by(ex), 0)
             : cmp_write_change(ex, cert, CMP_CHANGE_REVOKE,
                                CRL_REASON_CESSATION_OF_OPERATION,
                                cmp_exchange_by(ex), 0);

        if (rc != CMP_OK
            || cmp_write_audit(ex, CMP_STATUS_ACCEPTED, -1, &cert->serial,
                               accepted ? "confirmed"
                                        : "rejected by the client, revoked")
               != CMP_OK)
        {
            return CMP_ERROR;
        }

        if (ex->info.serial.len == 0) {
            ex->info.serial = cert->serial;
        }
    }

    return CMP_OK;
}


static int
cmp_confirm_revoke_all(cmp_exchange_t *ex)
{
    unsigned char  *decision;

    decision = cmp_pcalloc(ex->work, ex->records->ncertificates + 1);
    if (decision == NULL) {
        return CMP_ERROR;
    }

    return cmp_confirm_apply(ex, decision);
}


static int
cmp_confirm_pkiconf(cmp_exchange_t *ex)
{
    cmp_pki_body_t  *body;

    body = ex->answer->body;

    body->value.pkiconf = ASN1_NULL_new();
    if (body->value.pkiconf == NULL) {
        return CMP_ERROR;
    }

    body->type = CMP_BODY_PKICONF;
    ex->info.status = CMP_STATUS_ACCEPTED;

    return CMP_OK;
}
