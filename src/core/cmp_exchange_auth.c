
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Who sent the message: its protection and the state of what protects it.
 */


#include <cmp_exchange_local.h>


static int cmp_auth_none(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_auth_mac(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_auth_signature(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_auth_signer_state(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_auth_releases_itself(const cmp_exchange_t *ex);
static int cmp_auth_set_mac_alg(cmp_exchange_t *ex);
static int cmp_auth_set_signer(cmp_exchange_t *ex);
static int cmp_auth_set_requester(cmp_exchange_t *ex);


/* an unknown reference costs as much as a known one */

static unsigned char  cmp_dummy_secret[] = "no shared secret";


int
cmp_exchange_authenticate(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int  rc;

    switch (ex->protect.kind) {

    case CMP_PROTECTION_MAC:
        rc = cmp_auth_mac(ex, refusal);
        break;

    case CMP_PROTECTION_SIGNATURE:
        rc = cmp_auth_signature(ex, refusal);
        break;

    default:
        rc = cmp_auth_none(ex, refusal);
        break;
    }

    return rc;
}


/*
 * No protection: a genm where that is allowed, or a message for which an RA
 * vouches, which is then the requester.
 */

static int
cmp_auth_none(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    static unsigned char   alg[] = "by the RA";
    const cmp_exchange_t  *outer;

    outer = ex->outer;

    if (outer == NULL
        || outer->signer.scope == NULL
        || outer->signer.scope->unprotected_inner == 0)
    {
        if (ex->msg.type == CMP_BODY_GENM && ex->ca->unprotected_genm) {
            return CMP_OK;
        }

        return cmp_refuse(refusal, CMP_REFUSE_NO_PROTECTION, NULL);
    }

    ex->signer = outer->signer;
    ex->signer_der = outer->signer_der;
    ex->signer_hash = outer->signer_hash;
    ex->kind = CMP_PROTECTION_SIGNATURE;

    ex->protection_alg.data = alg;
    ex->protection_alg.len = sizeof(alg) - 1;

    ex->info.requester = outer->info.requester;
    ex->info.authenticated = 1;

    return CMP_OK;
}


static int
cmp_auth_mac(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                      rc;
    cmp_str_t                dummy;
    const cmp_str_t         *secret;
    const cmp_credential_t  *credential;

    dummy.data = cmp_dummy_secret;
    dummy.len = sizeof(cmp_dummy_secret) - 1;

    credential = ex->records->credential;

    if (credential != NULL && credential->disabled) {
        credential = NULL;
    }

    secret = (credential != NULL) ? &credential->secret : &dummy;

    rc = cmp_protect_verify_mac(&ex->protect, &ex->msg, secret, ex->pool,
                                refusal);

    if (rc == CMP_OK && credential == NULL) {
        rc = cmp_refuse(refusal, CMP_REFUSE_MESSAGE_CHECK, NULL);
    }

    if (rc != CMP_OK) {
        ex->info.mac_failed = (rc == CMP_DECLINED);
        ex->protect.key.len = 0;

        (void) snprintf(refusal->log, sizeof(refusal->log), "%s",
                        credential != NULL ? "wrong MAC"
                        : ex->load.reference.len == 0 ? "no reference"
                        : "unknown or disabled reference");

        return rc;
    }

    ex->credential = credential;

    if (cmp_auth_set_mac_alg(ex) != CMP_OK
        || cmp_auth_set_requester(ex) != CMP_OK)
    {
        return CMP_ERROR;
    }

    ex->info.authenticated = 1;

    return CMP_OK;
}


static int
cmp_auth_signature(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int  rc;

    rc = cmp_path_signer(ex->ca, &ex->msg, ex->records, ex->conf->now,
                         ex->work, &ex->signer, refusal);

    if (rc != CMP_OK) {
        memset(&ex->signer, 0, sizeof(cmp_signer_t));
        return rc;
    }

    rc = cmp_protect_verify_signature(&ex->protect, &ex->msg, ex->signer.cert,
                                      refusal);

    if (rc != CMP_OK) {
        memset(&ex->signer, 0, sizeof(cmp_signer_t));
        return rc;
    }

    ex->protection_alg = ex->protect.alg;

    if (cmp_auth_set_signer(ex) != CMP_OK
        || cmp_auth_set_requester(ex) != CMP_OK)
    {
        return CMP_ERROR;
    }

    rc = cmp_auth_signer_state(ex, refusal);

    /* who holds a key that is revoked is told so, but writes nothing */

    ex->info.authenticated = (rc == CMP_OK);

    if (rc == CMP_OK) {
        cmp_path_remember(ex->ca, &ex->msg, &ex->signer, ex->conf->now);
    }

    return rc;
}


static int
cmp_auth_signer_state(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    cmp_str_t                 id;
    const cmp_certificate_t  *record;

    record = ex->signer.record;

    if (record == NULL) {
        return cmp_path_check_revocation(ex->ca, &ex->signer, ex->conf->now,
                                         refusal);
    }

    id = ex->transaction_id;

    if (record->state == CMP_CERT_UNCONFIRMED
        && id.len != 0
        && cmp_str_equal(&record->transaction_id, &id))
    {
        return cmp_refuse(refusal, CMP_REFUSE_NEW_CERTIFICATE, NULL);
    }

    if (record->state == CMP_CERT_HOLD && cmp_auth_releases_itself(ex)) {
        return CMP_OK;
    }

    return cmp_path_check_revocation(ex->ca, &ex->signer, ex->conf->now,
                                     refusal);
}


/* does a certificate lift the hold that it asked for, and may it */

static int
cmp_auth_releases_itself(const cmp_exchange_t *ex)
{
    long                          reason;
    cmp_str_t                     serial;
    const cmp_profile_t          *profile;
    const cmp_rev_details_t      *details;
    const cmp_rev_req_content_t  *content;

    if (ex->msg.type != CMP_BODY_RR
        || ex->signer.record->hold_by != CMP_BY_ITSELF)
    {
        return 0;
    }

    profile = cmp_ca_profile(ex->ca, &ex->signer.record->profile);

    if (profile == NULL || profile->release_itself == 0) {
        return 0;
    }

    content = ex->msg.body->value.rr;

    if (sk_cmp_rev_details_t_num(content) != 1) {
        return 0;
    }

    details = sk_cmp_rev_details_t_value(content, 0);
    serial = cmp_serial_octets(details->cert_details->serial_number);

    return cmp_str_equal(&serial, &ex->signer.record->serial)
           && cmp_reason(details->crl_entry_details, &reason) == CMP_OK
           && reason == CRL_REASON_REMOVE_FROM_CRL;
}


/*
 * The messages of a transaction use the same algorithms; the salt may change
 * with each.
 */

static int
cmp_auth_set_mac_alg(cmp_exchange_t *ex)
{
    char  *text;

    text = cmp_psprintf(ex->work, "mac %d %s %s", (int) ex->protect.mac,
                        EVP_MD_get0_name(ex->protect.owf),
                        EVP_MD_get0_name(ex->protect.md));
    if (text == NULL) {
        return CMP_ERROR;
    }

    ex->protection_alg.data = (unsigned char *) text;
    ex->protection_alg.len = strlen(text);

    return CMP_OK;
}


static int
cmp_auth_set_signer(cmp_exchange_t *ex)
{
    if (cmp_encode(ex->work, ASN1_ITEM_rptr(X509), ex->signer.cert,
                   &ex->signer_der)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    return cmp_exchange_hash(ex->work, ex->signer_der.data, ex->signer_der.len,
                             &ex->signer_hash);
}


static int
cmp_auth_set_requester(cmp_exchange_t *ex)
{
    char              *text;
    size_t             i;
    cmp_str_t          name;
    const cmp_str_t   *serial;
    static const char  hex[] = "0123456789abcdef";
    char               digits[2 * CMP_MAX_SERIAL + 1];

    if (ex->credential != NULL) {
        text = cmp_psprintf(ex->work, "mac:%.*s",
                            (int) ex->credential->reference.len,
                            (char *) ex->credential->reference.data);

    } else if (ex->signer.record != NULL) {

        serial = &ex->signer.record->serial;

        for (i = 0; i < serial->len && i < CMP_MAX_SERIAL; i++) {
            digits[2 * i] = hex[serial->data[i] >> 4];
            digits[2 * i + 1] = hex[serial->data[i] & 15];
        }

        digits[2 * i] = '\0';

        text = cmp_psprintf(ex->work, "%s:%s",
                            ex->signer.kind == CMP_SIGNER_RA ? "ra" : "cert",
                            digits);

    } else {

        if (cmp_name_text(ex->work, X509_get_subject_name(ex->signer.cert),
                          &name)
            != CMP_OK)
        {
            return CMP_ERROR;
        }

        text = cmp_psprintf(ex->work, "%s:%.*s",
                            ex->signer.kind == CMP_SIGNER_RA ? "ra" : "vendor",
                            (int) name.len, (char *) name.data);
    }

    if (text == NULL) {
        return CMP_ERROR;
    }

    ex->info.requester.data = (unsigned char *) text;
    ex->info.requester.len = strlen(text);

    return CMP_OK;
}
