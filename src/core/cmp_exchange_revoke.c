
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * rr: revocation, suspension and reinstatement (RFC 9810, 5.3.9; RFC 9483,
 * 4.2).
 */


#include <cmp_exchange_revoke.h>


static int cmp_revoke_may(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_revoke_one(cmp_exchange_t *ex, cmp_rev_t *rev,
    cmp_refusal_t *refusal);
static int cmp_revoke_decided(const cmp_exchange_t *ex, int n,
    cmp_refusal_t *refusal);
static int cmp_revoke_approval(const cmp_exchange_t *ex, cmp_rev_t *rev);
static int cmp_revoke_wait(cmp_exchange_t *ex, const cmp_rev_t *revs, int n);
static int cmp_revoke_find(cmp_exchange_t *ex, cmp_rev_t *rev,
    cmp_refusal_t *refusal);
static int cmp_revoke_find_by_key(cmp_exchange_t *ex, cmp_rev_t *rev,
    cmp_refusal_t *refusal);
static int cmp_revoke_decode(cmp_exchange_t *ex, cmp_rev_t *rev);
static int cmp_revoke_details(cmp_exchange_t *ex, cmp_rev_t *rev,
    cmp_refusal_t *refusal);
static int cmp_revoke_entry(cmp_rev_t *rev, cmp_refusal_t *refusal);
static int cmp_revoke_invalidity(cmp_rev_t *rev, cmp_refusal_t *refusal);
static int cmp_revoke_theirs(cmp_exchange_t *ex, cmp_rev_t *rev,
    cmp_refusal_t *refusal);
static int cmp_revoke_scope(cmp_exchange_t *ex, cmp_rev_t *rev,
    cmp_refusal_t *refusal);
static int cmp_revoke_state(cmp_exchange_t *ex, cmp_rev_t *rev,
    cmp_refusal_t *refusal);
static int cmp_revoke_release(cmp_exchange_t *ex, cmp_rev_t *rev,
    cmp_refusal_t *refusal);
static int cmp_revoke_planned(const cmp_exchange_t *ex,
    const cmp_certificate_t *cert);


int
cmp_exchange_revoke(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                           i, n, rc, waiting;
    size_t                        nchanges;
    cmp_rev_t                    *revs;
    cmp_write_change_t            used;
    cmp_rev_rep_content_t        *rep;
    const cmp_rev_req_content_t  *content;

    rc = cmp_revoke_may(ex, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    content = ex->msg.body->value.rr;
    n = sk_cmp_rev_details_t_num(content);

    revs = cmp_pcalloc(ex->work, n * sizeof(cmp_rev_t));
    rep = cmp_revoke_body(ex);

    if (revs == NULL || rep == NULL) {
        return CMP_ERROR;
    }

    waiting = 0;
    nchanges = ex->writes.nchanges;
    used = ex->writes.changes[0];

    for (i = 0; i < n; i++) {

        revs[i].details = sk_cmp_rev_details_t_value(content, i);
        revs[i].status = CMP_STATUS_ACCEPTED;

        rc = cmp_revoke_decided(ex, i, &revs[i].refusal);

        if (rc == CMP_OK) {
            rc = cmp_revoke_one(ex, &revs[i], &revs[i].refusal);
        }

        if (rc == CMP_OK && cmp_revoke_approval(ex, &revs[i])) {
            waiting++;
        }

        if (rc == CMP_DECLINED) {
            revs[i].status = CMP_STATUS_REJECTION;
            rc = CMP_OK;
        }

        if (rc != CMP_OK
            || cmp_revoke_status(ex, rep, &revs[i]) != CMP_OK
            || cmp_wait_answered(ex, i, revs[i].status, NULL) != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    if (waiting != 0) {

        /* nothing is done yet; the first signature by a certificate counts */

        ex->writes.nchanges = nchanges;
        ex->writes.changes[0] = used;

        return cmp_revoke_wait(ex, revs, n);
    }

    return cmp_revoke_cert_ids(ex, rep, revs, n);
}


/* --- an operator may have to agree --- */

static int
cmp_revoke_decided(const cmp_exchange_t *ex, int n, cmp_refusal_t *refusal)
{
    const cmp_waiting_t  *waiting;

    waiting = ex->polled ? cmp_wait_find(ex, n) : NULL;

    return waiting != NULL ? cmp_wait_decided(ex, waiting, refusal) : CMP_OK;
}


static int
cmp_revoke_approval(const cmp_exchange_t *ex, cmp_rev_t *rev)
{
    const cmp_profile_t  *profile;

    if (ex->polled) {
        return 0;
    }

    profile = cmp_ca_profile(ex->ca, &rev->cert->profile);

    rev->approval = (profile != NULL && profile->revocation_approval);

    return rev->approval;
}


/* all of the message waits for those that need it (RFC 9810, 5.3.22) */

static int
cmp_revoke_wait(cmp_exchange_t *ex, const cmp_rev_t *revs, int n)
{
    int                   i;
    X509_NAME            *subject;
    const char           *action;
    cmp_write_request_t   row;

    for (i = 0; i < n; i++) {

        if (revs[i].approval == 0) {

            if (revs[i].cert != NULL
                && cmp_wait_serial(ex, &revs[i].cert->serial) != CMP_OK)
            {
                return CMP_ERROR;
            }

            continue;
        }

        memset(&row, 0, sizeof(cmp_write_request_t));

        row.cert_req_id = i;
        row.profile = revs[i].cert->profile;
        row.serial = revs[i].cert->serial;

        subject = X509_get_subject_name(revs[i].x509);

        switch (revs[i].reason) {

        case CRL_REASON_CERTIFICATE_HOLD:
            action = "hold";
            break;

        case CRL_REASON_REMOVE_FROM_CRL:
            action = "release";
            break;

        default:
            action = cmp_psprintf(ex->work, "revoke, CRLReason %ld",
                                  revs[i].reason);
            break;
        }

        if (action == NULL
            || cmp_pstrdup(ex->work, &row.text, action, strlen(action))
               != CMP_OK
            || cmp_name_text(ex->work, subject, &row.subject) != CMP_OK
            || cmp_wait_add(ex, &row) != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return cmp_wait_error(ex);
}


/* may this requester revoke anything */

static int
cmp_revoke_may(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    if (ex->credential != NULL && ex->credential->may_revoke == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_WRONG_INTEGRITY,
                          "sign with the certificate to be revoked");
    }

    if (ex->signer.kind == CMP_SIGNER_VENDOR) {
        return cmp_refuse(refusal, CMP_REFUSE_NOT_THEIRS, NULL);
    }

    return CMP_OK;
}


static int
cmp_revoke_one(cmp_exchange_t *ex, cmp_rev_t *rev, cmp_refusal_t *refusal)
{
    int     rc;
    size_t  i;

    static int (*checks[])(cmp_exchange_t *ex, cmp_rev_t *rev,
        cmp_refusal_t *refusal) =
    {
        cmp_revoke_find,
        cmp_revoke_details,
        cmp_revoke_theirs,
        cmp_revoke_state
    };

    rc = cmp_revoke_entry(rev, refusal);

    for (i = 0; rc == CMP_OK && i < sizeof(checks) / sizeof(checks[0]); i++) {
        rc = checks[i](ex, rev, refusal);
    }

    return rc;
}


/* --- which certificate --- */

static int
cmp_revoke_find(cmp_exchange_t *ex, cmp_rev_t *rev, cmp_refusal_t *refusal)
{
    cmp_str_t                   serial;
    const cmp_cert_template_t  *tmpl;

    tmpl = rev->details->cert_details;

    if (ex->strict
        && (tmpl->serial_number == NULL || tmpl->issuer == NULL))
    {
        return cmp_refuse(refusal, CMP_REFUSE_NO_CERT_ID, NULL);
    }

    if (tmpl->issuer != NULL
        && X509_NAME_cmp(tmpl->issuer, ex->ca->subject) != 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_ID, "of another issuer");
    }

    if (tmpl->serial_number == NULL) {
        return cmp_revoke_find_by_key(ex, rev, refusal);
    }

    serial = cmp_serial_octets(tmpl->serial_number);

    if (serial.len != 0 && tmpl->issuer != NULL) {
        rev->cert = cmp_exchange_certificate(ex, &serial);
    }

    if (rev->cert == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_ID, NULL);
    }

    return cmp_revoke_decode(ex, rev);
}


/*
 * Subject and public key do, when they name exactly one certificate that the
 * requester may revoke.
 */

static int
cmp_revoke_find_by_key(cmp_exchange_t *ex, cmp_rev_t *rev,
    cmp_refusal_t *refusal)
{
    int                         rc;
    size_t                      i;
    cmp_str_t                   subject, key;
    cmp_refusal_t               ignored;
    const cmp_certificate_t    *found;
    const cmp_cert_template_t  *tmpl;

    tmpl = rev->details->cert_details;

    if (tmpl->subject == NULL || tmpl->public_key == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_ID,
                          "issuer and serialNumber, or subject and publicKey "
                          "are required");
    }

    if (cmp_hash_name(tmpl->subject, ex->work, &subject) != CMP_OK
        || cmp_hash_key(tmpl->public_key, ex->work, &key) != CMP_OK)
    {
        return CMP_ERROR;
    }

    found = NULL;
    memset(&ignored, 0, sizeof(cmp_refusal_t));

    for (i = 0; i < ex->records->ncertificates; i++) {

        rev->cert = &ex->records->certificates[i];
        rev->x509 = NULL;

        if (rev->cert->state == CMP_CERT_REVOKED
            || cmp_str_equal(&rev->cert->key_hash, &key) == 0
            || cmp_str_equal(&rev->cert->subject_hash, &subject) == 0)
        {
            continue;
        }

        rc = cmp_revoke_theirs(ex, rev, &ignored);

        if (rc == CMP_ERROR) {
            return CMP_ERROR;
        }

        if (rc == CMP_DECLINED) {
            continue;
        }

        if (found != NULL) {
            return cmp_refuse(refusal, CMP_REFUSE_CERT_ID,
                              "more than one certificate fits");
        }

        found = rev->cert;
    }

    rev->cert = found;

    if (found == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_ID, NULL);
    }

    return cmp_revoke_decode(ex, rev);
}


static void
cmp_revoke_free_cert(void *data)
{
    X509_free(data);
}


static int
cmp_revoke_decode(cmp_exchange_t *ex, cmp_rev_t *rev)
{
    const unsigned char  *p;

    p = rev->cert->der.data;
    rev->x509 = d2i_X509(NULL, &p, (long) rev->cert->der.len);

    if (rev->x509 == NULL) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    return cmp_pool_cleanup_add(ex->work, cmp_revoke_free_cert, rev->x509);
}


/* whatever else the client says of the certificate must be true */

static int
cmp_revoke_details(cmp_exchange_t *ex, cmp_rev_t *rev, cmp_refusal_t *refusal)
{
    int                         i, at;
    cmp_str_t                   hash;
    X509_EXTENSION             *a, *b;
    const cmp_cert_template_t  *tmpl;

    tmpl = rev->details->cert_details;

    if (tmpl->version != NULL
        && ASN1_INTEGER_get(tmpl->version) != X509_VERSION_3)
    {
        cmp_crypto_error(NULL, 0);
        return cmp_refuse(refusal, CMP_REFUSE_CERT_DETAILS, "version");
    }

    if (tmpl->subject != NULL
        && X509_NAME_cmp(tmpl->subject, X509_get_subject_name(rev->x509)) != 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_DETAILS, "subject");
    }

    if (tmpl->public_key != NULL) {

        if (cmp_hash_key(tmpl->public_key, ex->work, &hash) != CMP_OK) {
            return CMP_ERROR;
        }

        if (cmp_str_equal(&hash, &rev->cert->key_hash) == 0) {
            return cmp_refuse(refusal, CMP_REFUSE_CERT_DETAILS, "publicKey");
        }
    }

    if (tmpl->signing_alg != NULL
        && X509_ALGOR_cmp(tmpl->signing_alg,
                          X509_get0_tbs_sigalg(rev->x509))
           != 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_DETAILS, "signingAlg");
    }

    if (tmpl->validity != NULL
        && ((tmpl->validity->not_before != NULL
             && ASN1_TIME_compare(tmpl->validity->not_before,
                                  X509_get0_notBefore(rev->x509))
                != 0)
            || (tmpl->validity->not_after != NULL
                && ASN1_TIME_compare(tmpl->validity->not_after,
                                     X509_get0_notAfter(rev->x509))
                   != 0)))
    {
        cmp_crypto_error(NULL, 0);
        return cmp_refuse(refusal, CMP_REFUSE_CERT_DETAILS, "validity");
    }

    if (tmpl->issuer_uid != NULL || tmpl->subject_uid != NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_DETAILS,
                          "issuerUID or subjectUID");
    }

    for (i = 0; i < sk_X509_EXTENSION_num(tmpl->extensions); i++) {

        a = sk_X509_EXTENSION_value(tmpl->extensions, i);
        at = X509_get_ext_by_OBJ(rev->x509, X509_EXTENSION_get_object(a), -1);
        b = (at < 0) ? NULL : X509_get_ext(rev->x509, at);

        if (b == NULL
            || ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(a),
                                     X509_EXTENSION_get_data(b))
               != 0)
        {
            return cmp_refuse(refusal, CMP_REFUSE_CERT_DETAILS, "extensions");
        }
    }

    return CMP_OK;
}


/* --- what is to be done with it --- */

static int
cmp_revoke_entry(cmp_rev_t *rev, cmp_refusal_t *refusal)
{
    int                              i, nid, reasons;
    char                             name[80];
    ASN1_OBJECT                     *object;
    const STACK_OF(X509_EXTENSION)  *extensions;

    reasons = 0;
    extensions = rev->details->crl_entry_details;

    for (i = 0; i < sk_X509_EXTENSION_num(extensions); i++) {

        object = X509_EXTENSION_get_object(sk_X509_EXTENSION_value(extensions,
                                                                   i));
        nid = OBJ_obj2nid(object);

        if (nid == NID_crl_reason) {
            reasons++;

        } else if (nid != NID_invalidity_date) {
            return cmp_refuse(refusal, CMP_REFUSE_CRL_ENTRY, "%s",
                              cmp_oid_name(object, name, sizeof(name)));
        }
    }

    if (reasons > 1) {
        return cmp_refuse(refusal, CMP_REFUSE_REASON_TWICE, NULL);
    }

    if (cmp_reason(extensions, &rev->reason) != CMP_OK
        || rev->reason < CRL_REASON_UNSPECIFIED
        || rev->reason > CRL_REASON_AA_COMPROMISE
        || rev->reason == 7)
    {
        return cmp_refuse(refusal, CMP_REFUSE_REASON, NULL);
    }

    return cmp_revoke_invalidity(rev, refusal);
}


static int
cmp_revoke_invalidity(cmp_rev_t *rev, cmp_refusal_t *refusal)
{
    int                    crit, rc;
    ASN1_GENERALIZEDTIME  *time;

    time = X509V3_get_d2i(rev->details->crl_entry_details,
                          NID_invalidity_date, &crit, NULL);

    if (time == NULL) {
        cmp_crypto_error(NULL, 0);

        return crit == -1
               ? CMP_OK
               : cmp_refuse(refusal, CMP_REFUSE_REASON, "invalidityDate");
    }

    rc = cmp_time(time, &rev->invalidity);

    ASN1_GENERALIZEDTIME_free(time);

    if (rc == CMP_DECLINED || (rc == CMP_OK && rev->invalidity <= 0)) {
        return cmp_refuse(refusal, CMP_REFUSE_REASON, "invalidityDate");
    }

    return rc;
}


/* --- may this requester do it to this certificate --- */

static int
cmp_revoke_theirs(cmp_exchange_t *ex, cmp_rev_t *rev, cmp_refusal_t *refusal)
{
    if (ex->credential != NULL) {

        if (rev->cert->credential_id == ex->credential->id) {
            return CMP_OK;
        }

        return cmp_refuse(refusal, CMP_REFUSE_NOT_THEIRS, NULL);
    }

    if (ex->signer.record != NULL
        && cmp_str_equal(&rev->cert->serial, &ex->signer.record->serial))
    {
        return CMP_OK;
    }

    if (ex->signer.kind == CMP_SIGNER_RA) {
        return cmp_revoke_scope(ex, rev, refusal);
    }

    return cmp_refuse(refusal, CMP_REFUSE_NOT_THEIRS, NULL);
}


static int
cmp_revoke_scope(cmp_exchange_t *ex, cmp_rev_t *rev, cmp_refusal_t *refusal)
{
    const cmp_scope_t  *scope;

    scope = ex->signer.scope;

    if (scope == NULL) {
        return CMP_OK;
    }

    if ((scope->reasons & (1U << rev->reason)) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_NOT_THEIRS,
                          "not for this reason");
    }

    if (cmp_exchange_scope_profile(scope, &rev->cert->profile) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_NOT_THEIRS, NULL);
    }

    if (rev->x509 == NULL && cmp_revoke_decode(ex, rev) != CMP_OK) {
        return CMP_ERROR;
    }

    return cmp_exchange_scope_subject(ex, X509_get_subject_name(rev->x509))
           ? CMP_OK
           : cmp_refuse(refusal, CMP_REFUSE_NOT_THEIRS, NULL);
}


/* --- do it --- */

static int
cmp_revoke_planned(const cmp_exchange_t *ex, const cmp_certificate_t *cert)
{
    size_t                     i;
    const cmp_write_change_t  *change;

    for (i = 0; i < ex->writes.nchanges; i++) {

        change = &ex->writes.changes[i];

        if (change->action != CMP_CHANGE_USED
            && cmp_str_equal(&change->serial, &cert->serial))
        {
            return 1;
        }
    }

    return 0;
}


static int
cmp_revoke_state(cmp_exchange_t *ex, cmp_rev_t *rev, cmp_refusal_t *refusal)
{
    const cmp_certificate_t  *cert;

    cert = rev->cert;

    if (cert->state == CMP_CERT_REVOKED || cmp_revoke_planned(ex, cert)) {
        return cmp_refuse(refusal, CMP_REFUSE_REVOKED, NULL);
    }

    if (rev->reason == CRL_REASON_REMOVE_FROM_CRL) {
        return cmp_revoke_release(ex, rev, refusal);
    }

    if (rev->reason == CRL_REASON_CERTIFICATE_HOLD) {

        if (cert->state == CMP_CERT_HOLD) {
            return cmp_refuse(refusal, CMP_REFUSE_ON_HOLD, NULL);
        }

        if (cert->state != CMP_CERT_VALID) {
            return cmp_refuse(refusal, CMP_REFUSE_CERT_ID, "not confirmed");
        }

        rev->text = "certificate put on hold";

        return cmp_write_change(ex, cert, CMP_CHANGE_HOLD, (int) rev->reason,
                                cmp_exchange_by(ex), rev->invalidity);
    }

    rev->text = "certificate revoked";

    return cmp_write_change(ex, cert, CMP_CHANGE_REVOKE, (int) rev->reason,
                            cmp_exchange_by(ex), rev->invalidity);
}


/*
 * Who put a certificate on hold may release it.  The certificate itself only
 * if its profile says so: a thief of the key must not lift the owner's hold.
 */

static int
cmp_revoke_release(cmp_exchange_t *ex, cmp_rev_t *rev, cmp_refusal_t *refusal)
{
    const cmp_profile_t  *profile;

    if (rev->cert->state != CMP_CERT_HOLD) {
        return cmp_refuse(refusal, CMP_REFUSE_NOT_ON_HOLD, NULL);
    }

    if (rev->cert->hold_by != (int32_t) cmp_exchange_by(ex)) {
        return cmp_refuse(refusal, CMP_REFUSE_RELEASE, NULL);
    }

    if (rev->cert->hold_by == CMP_BY_ITSELF) {

        profile = cmp_ca_profile(ex->ca, &rev->cert->profile);

        if (profile == NULL || profile->release_itself == 0) {
            return cmp_refuse(refusal, CMP_REFUSE_RELEASE, NULL);
        }
    }

    rev->text = "certificate released from hold: revived";

    return cmp_write_change(ex, rev->cert, CMP_CHANGE_RELEASE, 0,
                            cmp_exchange_by(ex), 0);
}
