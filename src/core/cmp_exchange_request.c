
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * One certificate request: what it asks for, who may ask for that, and the
 * certificate (RFC 9810, 5.3.1 to 5.3.6; RFC 4211).
 */


#include <cmp_exchange_local.h>

#include <openssl/err.h>


static int cmp_request_decided(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
static int cmp_request_check(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
static int cmp_request_template(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
static int cmp_request_issuer(cmp_exchange_t *ex, const X509_NAME *issuer,
    cmp_refusal_t *refusal);
static int cmp_request_target(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
static int cmp_request_successor(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
static int cmp_request_pop(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
static int cmp_request_prepare(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
static int cmp_request_keep_names(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_issue_request_t *issue);
static int cmp_request_key_reuse(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal);
static int cmp_request_issue(cmp_exchange_t *ex, cmp_request_t *req);


/* --- the request --- */

/*
 * Leaves the status and the refusal, or the certificate, in req.  CMP_OK;
 * CMP_DECLINED when the message as a whole is to be answered by an error;
 * CMP_ERROR.
 */

int
cmp_request_decide(cmp_exchange_t *ex, cmp_request_t *req)
{
    int  rc;

    memset(&req->issue, 0, sizeof(cmp_issue_t));
    memset(&req->refusal, 0, sizeof(cmp_refusal_t));

    req->target = NULL;
    req->target_cert = NULL;
    req->displaced = NULL;
    req->known_key = NULL;
    req->token = NULL;
    req->status = CMP_STATUS_REJECTION;

    rc = (req->waiting != NULL) ? cmp_request_decided(ex, req, &req->refusal)
                                : CMP_OK;

    if (rc == CMP_OK) {
        rc = cmp_request_check(ex, req, &req->refusal);
    }

    if (rc == CMP_DECLINED) {

        req->issue.cert = NULL;
        req->token = NULL;

        return (req->p10 != NULL
                && req->refusal.code == CMP_REFUSE_KEY_ALG_UNKNOWN)
               ? CMP_DECLINED : CMP_OK;
    }

    if (rc != CMP_OK) {
        return rc;
    }

    if (req->waiting == NULL && req->profile->approval) {
        req->status = CMP_STATUS_WAITING;
        return cmp_wait_request(ex, req);
    }

    req->status = req->issue.modified ? CMP_STATUS_GRANTED_WITH_MODS
                                      : CMP_STATUS_ACCEPTED;

    return cmp_request_issue(ex, req);
}


/* the profile is the one that an operator approved */

static int
cmp_request_decided(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    int  rc;

    rc = cmp_wait_decided(ex, req->waiting, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    req->profile = cmp_exchange_profile(ex, &req->waiting->profile);

    return req->profile != NULL
           ? CMP_OK
           : cmp_refuse(refusal, CMP_REFUSE_PROFILE_NOT_ALLOWED, NULL);
}


static int
cmp_request_check(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    int     rc;
    size_t  i;

    static int (*checks[])(cmp_exchange_t *ex, cmp_request_t *req,
        cmp_refusal_t *refusal) =
    {
        cmp_request_controls,
        cmp_request_template,
        cmp_request_target,
        cmp_request_pop,
        cmp_request_prepare,
        cmp_request_authorise,
        cmp_request_token,
        cmp_request_key_reuse
    };

    if (req->id_valid == 0
        || (req->msg != NULL && ex->strict && req->id != 0))
    {
        return cmp_refuse(refusal, CMP_REFUSE_CERT_REQ_ID, NULL);
    }

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {

        rc = checks[i](ex, req, refusal);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    return CMP_OK;
}


static int
cmp_request_template(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    long                        version;
    const cmp_cert_template_t  *tmpl;

    tmpl = req->cert_template;

    if (tmpl == NULL) {
        return CMP_OK;
    }

    if (tmpl->version != NULL) {
        version = ASN1_INTEGER_get(tmpl->version);
        cmp_crypto_error(NULL, 0);

        if (version != X509_VERSION_3) {
            return cmp_refuse(refusal, CMP_REFUSE_TEMPLATE_VERSION, NULL);
        }
    }

    if (tmpl->serial_number != NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_TEMPLATE_FIELD, "serialNumber");
    }

    if (tmpl->signing_alg != NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_TEMPLATE_FIELD, "signingAlg");
    }

    if (tmpl->issuer_uid != NULL || tmpl->subject_uid != NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_TEMPLATE_FIELD,
                          "issuerUID or subjectUID");
    }

    return tmpl->issuer != NULL
           ? cmp_request_issuer(ex, tmpl->issuer, refusal) : CMP_OK;
}


static int
cmp_request_issuer(cmp_exchange_t *ex, const X509_NAME *issuer,
    cmp_refusal_t *refusal)
{
    if (X509_NAME_entry_count(issuer) == 0
        || X509_NAME_cmp(issuer, ex->ca->subject) == 0)
    {
        return CMP_OK;
    }

    /* clients copy it from the certificate that they sign with */

    if (ex->strict == 0
        && ex->signer.cert != NULL
        && X509_NAME_cmp(issuer, X509_get_issuer_name(ex->signer.cert)) == 0)
    {
        return CMP_OK;
    }

    if (ex->conf->other_ca != NULL
        && ex->conf->other_ca(ex->conf->other_ca_data, issuer))
    {
        return cmp_refuse(refusal, CMP_REFUSE_OTHER_CA, NULL);
    }

    return cmp_refuse(refusal, CMP_REFUSE_TEMPLATE_ISSUER, NULL);
}


/* kur: the certificate that is to be updated */

static void
cmp_request_free_cert(void *data)
{
    X509_free(data);
}


static int
cmp_request_target(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    cmp_str_t             serial;
    const GENERAL_NAME   *issuer;
    const unsigned char  *p;

    static const cmp_str_t  responder = cmp_string(CMP_PROFILE_OCSP);

    if (ex->msg.type != CMP_BODY_KUR) {
        return CMP_OK;
    }

    if (req->old_cert_id != NULL) {
        issuer = req->old_cert_id->issuer;
        serial = cmp_serial_octets(req->old_cert_id->serial_number);

        if (issuer->type != GEN_DIRNAME
            || X509_NAME_cmp(issuer->d.directoryName, ex->ca->subject) != 0
            || serial.len == 0)
        {
            return cmp_refuse(refusal, CMP_REFUSE_OLD_CERT_ID, NULL);
        }

        req->target = cmp_exchange_certificate(ex, &serial);

    } else if (ex->signer.kind == CMP_SIGNER_OWN) {
        req->target = ex->signer.record;
    }

    if (req->target == NULL
        || (ex->signer.kind == CMP_SIGNER_OWN
            && req->target != ex->signer.record)
        || cmp_str_equal(&req->target->profile, &responder))
    {
        return cmp_refuse(refusal, CMP_REFUSE_OLD_CERT_ID, NULL);
    }

    if (req->target->state == CMP_CERT_REVOKED
        || req->target->state == CMP_CERT_HOLD)
    {
        return cmp_refuse(refusal, CMP_REFUSE_REVOKED, NULL);
    }

    if (req->target->state == CMP_CERT_UNCONFIRMED) {
        return cmp_refuse(refusal, CMP_REFUSE_OLD_CERT_ID, "not confirmed");
    }

    p = req->target->der.data;
    req->target_cert = d2i_X509(NULL, &p, (long) req->target->der.len);

    if (req->target_cert == NULL
        || cmp_pool_cleanup_add(ex->work, cmp_request_free_cert,
                                req->target_cert)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    return cmp_request_successor(ex, req, refusal);
}


/* a new kur takes the place of one whose certificate was never used */

static int
cmp_request_successor(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    size_t                    i;
    const cmp_certificate_t  *successor;

    for (i = 0; &ex->requests[i] != req; i++) {

        if (ex->requests[i].target == req->target
            && ex->requests[i].issue.cert != NULL)
        {
            return cmp_refuse(refusal, CMP_REFUSE_OLD_CERT_ID,
                              "updated twice in one message");
        }
    }

    if (req->target->successor.len == 0) {
        return CMP_OK;
    }

    successor = cmp_exchange_certificate(ex, &req->target->successor);

    if (successor == NULL) {
        return CMP_ERROR;
    }

    if (successor->state == CMP_CERT_REVOKED && req->target->replaced == 0) {
        return CMP_OK;
    }

    if (req->target->replaced && (ex->strict || req->target->retired)) {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_REPLACED, NULL);
    }

    if (ex->strict && successor->state == CMP_CERT_UNCONFIRMED) {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_BUSY, NULL);
    }

    if (successor->state != CMP_CERT_REVOKED) {
        req->displaced = successor;
    }

    return CMP_OK;
}


static int
cmp_request_pop(cmp_exchange_t *ex, cmp_request_t *req, cmp_refusal_t *refusal)
{
    int             rc;
    cmp_pop_conf_t  conf;

    /* absent, or empty to say of which kind (RFC 9810, 5.3.4) */

    if (req->key == NULL
        || ASN1_STRING_length(req->key->subject_public_key) == 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_NO_KEY, NULL);
    }

    rc = cmp_key_check(req->key, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    if (req->p10 != NULL) {
        return cmp_pop_check_p10(req->p10, refusal);
    }

    memset(&conf, 0, sizeof(cmp_pop_conf_t));

    if (ex->credential != NULL) {
        conf.secret = &ex->credential->secret;

    } else {
        conf.sender = X509_get_subject_name(ex->signer.cert);
    }

    conf.strict = ex->strict;
    conf.sha1 = ex->ca->sha1;
    conf.ra = (ex->signer.kind == CMP_SIGNER_RA);
    conf.max_iterations = ex->ca->max_iterations;

    return cmp_pop_check(&conf, req->msg, &req->der, ex->work, refusal);
}


static int
cmp_request_prepare(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    int                         rc;
    cmp_issue_request_t         issue;
    const cmp_cert_template_t  *tmpl;

    memset(&issue, 0, sizeof(cmp_issue_request_t));

    issue.subject = req->subject;
    issue.key = req->key;
    issue.key_hash = req->key_hash;
    issue.extensions = req->extensions;
    issue.now = ex->conf->now;

    tmpl = req->cert_template;

    if (tmpl != NULL && tmpl->validity != NULL) {

        if (tmpl->validity->not_before == NULL
            && tmpl->validity->not_after == NULL)
        {
            return cmp_refuse(refusal, CMP_REFUSE_TEMPLATE, "empty validity");
        }

        issue.not_before = tmpl->validity->not_before;
        issue.not_after = tmpl->validity->not_after;
    }

    if (req->target != NULL) {
        rc = cmp_request_keep_names(ex, req, &issue);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    return cmp_issue_prepare(ex->ca, req->profile, &issue, ex->work,
                             &req->issue, refusal);
}


static void
cmp_request_free_extensions(void *data)
{
    sk_X509_EXTENSION_free(data);
}


/* what a kur leaves out stays as it was (RFC 9810, 5.3.5) */

static int
cmp_request_keep_names(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_issue_request_t *issue)
{
    int                        i;
    X509_EXTENSION            *san;
    STACK_OF(X509_EXTENSION)  *extensions;

    if (issue->subject == NULL) {
        issue->subject = X509_get_subject_name(req->target_cert);
    }

    if (X509v3_get_ext_by_NID(issue->extensions, NID_subject_alt_name, -1)
        >= 0)
    {
        return CMP_OK;
    }

    i = X509_get_ext_by_NID(req->target_cert, NID_subject_alt_name, -1);

    if (i < 0) {
        return CMP_OK;
    }

    san = X509_get_ext(req->target_cert, i);

    extensions = (issue->extensions != NULL)
                 ? sk_X509_EXTENSION_dup(issue->extensions)
                 : sk_X509_EXTENSION_new_null();

    if (extensions == NULL) {
        return CMP_ERROR;
    }

    if (sk_X509_EXTENSION_push(extensions, san) <= 0) {
        sk_X509_EXTENSION_free(extensions);
        return CMP_ERROR;
    }

    issue->extensions = extensions;

    return cmp_pool_cleanup_add(ex->work, cmp_request_free_extensions,
                                extensions);
}


/* --- was this key certified before --- */

static int
cmp_request_key_reuse(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    size_t                    i;
    cmp_str_t                 hash;
    const cmp_key_t          *key;
    const cmp_certificate_t  *cert;

    for (i = 0; &ex->requests[i] != req; i++) {

        if (ex->requests[i].issue.cert != NULL
            && cmp_str_equal(&ex->requests[i].key_hash, &req->key_hash))
        {
            return cmp_refuse(refusal, CMP_REFUSE_KEY_USED,
                              "twice in one message");
        }
    }

    key = NULL;

    for (i = 0; i < ex->records->nkeys; i++) {

        if (cmp_str_equal(&ex->records->keys[i].key_hash, &req->key_hash)) {
            key = &ex->records->keys[i];
        }
    }

    if (key == NULL) {
        return CMP_OK;
    }

    req->known_key = key;

    if (key->compromised) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY_COMPROMISED, NULL);
    }

    if (cmp_hash_name(req->issue.subject, ex->work, &hash) != CMP_OK) {
        return CMP_ERROR;
    }

    if (cmp_str_equal(&hash, &key->subject_hash) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_KEY_OTHER_SUBJECT, NULL);
    }

    if (req->target != NULL
        && cmp_str_equal(&req->target->key_hash, &req->key_hash))
    {
        return CMP_OK;
    }

    cert = cmp_exchange_certificate(ex, &key->serial);

    if (key->confirmed || cert == NULL) {
        return (req->profile->key_reuse == CMP_KEY_REUSE_SUBJECT
                && ex->strict == 0)
               ? CMP_OK
               : cmp_refuse(refusal, CMP_REFUSE_KEY_USED, NULL);
    }

    /* its certificate was never confirmed: this request takes its place */

    if (cert->state != CMP_CERT_REVOKED) {

        if (req->displaced != NULL && req->displaced != cert) {
            return cmp_refuse(refusal, CMP_REFUSE_KEY_USED, NULL);
        }

        req->displaced = cert;
    }

    return CMP_OK;
}


/* --- the certificate --- */

static int
cmp_request_issue(cmp_exchange_t *ex, cmp_request_t *req)
{
    cmp_issue_t       *issue;
    cmp_write_cert_t  *write;

    issue = &req->issue;

    if (cmp_issue_sign(ex->ca, issue, ex->conf->now, ex->conf->random,
                       ex->conf->random_data, ex->work)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (req->displaced != NULL
        && cmp_write_change(ex, req->displaced, CMP_CHANGE_REVOKE,
                            CRL_REASON_SUPERSEDED, cmp_exchange_by(ex), 0)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    write = &ex->writes.certs[ex->writes.ncerts++];

    write->serial = issue->serial;
    write->der = issue->der;
    write->cert_req_id = req->id;
    write->subject = issue->subject_der;
    write->subject_text = issue->subject_text;
    write->key_hash = req->key_hash;
    write->profile = req->profile->name;
    write->not_before = issue->not_before;
    write->not_after = issue->not_after;
    write->partition = issue->partition;

    if (req->known_key != NULL) {
        write->key_version = req->known_key->version;
    }

    if (ex->credential != NULL) {
        write->credential_id = ex->credential->id;
    }

    if (req->target != NULL) {
        write->predecessor = req->target->serial;
        write->predecessor_version = req->target->version;
    }

    if (cmp_exchange_hash(ex->work, issue->der.data, issue->der.len,
                          &write->cert_hash)
        != CMP_OK
        || cmp_hash_name(issue->subject, ex->work, &write->subject_hash)
           != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (ex->info.serial.len == 0) {
        ex->info.serial = issue->serial;
    }

    return CMP_OK;
}
