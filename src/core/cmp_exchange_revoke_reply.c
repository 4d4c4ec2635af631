
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * rp: a status for each RevDetails (RFC 9810, 5.3.10).
 */


#include <cmp_exchange_revoke.h>


int
cmp_exchange_refuse_rr(cmp_exchange_t *ex, const cmp_refusal_t *refusal)
{
    int                     i, n;
    char                   *text;
    cmp_pki_status_info_t  *info;
    cmp_rev_rep_content_t  *rep;

    /* structure, pvno and header are refused by an error */

    if (refusal->code < CMP_REFUSE_NO_PROTECTION
        || refusal->code > CMP_REFUSE_RELEASE
        || refusal->code == CMP_REFUSE_NO_REQUEST
        || refusal->code == CMP_REFUSE_TOO_MANY_REQUESTS)
    {
        return CMP_DECLINED;
    }

    n = sk_cmp_rev_details_t_num(ex->msg.body->value.rr);

    if (n < 1 || n > ex->ca->max_requests) {
        return CMP_DECLINED;
    }

    text = cmp_refusal_text(refusal, ex->work);
    rep = cmp_revoke_body(ex);

    if (text == NULL || rep == NULL) {
        return CMP_ERROR;
    }

    for (i = 0; i < n; i++) {

        info = cmp_status_info(CMP_STATUS_REJECTION, text,
                               cmp_refusal_fail_info(refusal));

        if (info == NULL
            || sk_cmp_pki_status_info_t_push(rep->status, info) <= 0)
        {
            cmp_asn1_free(cmp_pki_status_info_t, info);
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


cmp_rev_rep_content_t *
cmp_revoke_body(cmp_exchange_t *ex)
{
    cmp_rev_rep_content_t  *rep;

    if (ex->answer->body->type != -1 && cmp_reply_create(ex) != CMP_OK) {
        return NULL;
    }

    rep = cmp_asn1_new(cmp_rev_rep_content_t);
    if (rep == NULL) {
        return NULL;
    }

    ex->answer->body->type = CMP_BODY_RP;
    ex->answer->body->value.rp = rep;

    return rep;
}


int
cmp_revoke_status(cmp_exchange_t *ex, cmp_rev_rep_content_t *rep,
    cmp_rev_t *rev)
{
    int                     fail_info;
    const char             *text;
    cmp_str_t               serial;
    cmp_pki_status_info_t  *info;

    fail_info = -1;
    text = rev->text;

    serial.len = 0;
    serial.data = NULL;

    if (rev->status == CMP_STATUS_REJECTION) {

        fail_info = cmp_refusal_fail_info(&rev->refusal);
        text = cmp_refusal_text(&rev->refusal, ex->work);

    } else {
        serial = rev->cert->serial;
    }

    if (text == NULL) {
        return CMP_ERROR;
    }

    info = cmp_status_info(rev->status, text, fail_info);

    if (info == NULL
        || sk_cmp_pki_status_info_t_push(rep->status, info) <= 0)
    {
        cmp_asn1_free(cmp_pki_status_info_t, info);
        return CMP_ERROR;
    }

    if (ex->info.serial.len == 0) {
        ex->info.serial = serial;
    }

    if (ex->info.status == -1
        || (ex->info.status != CMP_STATUS_REJECTION
            && rev->status == CMP_STATUS_REJECTION))
    {
        ex->info.status = rev->status;
        ex->info.fail_info = fail_info;
        ex->info.text = (fail_info != -1) ? text : NULL;
    }

    return cmp_write_audit(ex, rev->status, fail_info, &serial, text);
}


/*
 * One CertId for each RevDetails, in order, or none at all: also when the
 * client did not name a serial number, since OpenSSL before 3.0.22 compares it
 * with nothing then, and takes the answer for a wrong one.
 */

int
cmp_revoke_cert_ids(cmp_exchange_t *ex, cmp_rev_rep_content_t *rep,
    const cmp_rev_t *revs, int n)
{
    int             i;
    BIGNUM         *bn;
    cmp_cert_id_t  *id;

    for (i = 0; i < n; i++) {

        if (revs[i].status == CMP_STATUS_REJECTION
            || revs[i].details->cert_details->serial_number == NULL)
        {
            return CMP_OK;
        }
    }

    rep->rev_certs = sk_cmp_cert_id_t_new_null();
    if (rep->rev_certs == NULL) {
        return CMP_ERROR;
    }

    for (i = 0; i < n; i++) {

        id = cmp_asn1_new(cmp_cert_id_t);
        if (id == NULL) {
            return CMP_ERROR;
        }

        if (sk_cmp_cert_id_t_push(rep->rev_certs, id) <= 0) {
            cmp_asn1_free(cmp_cert_id_t, id);
            return CMP_ERROR;
        }

        GENERAL_NAME_free(id->issuer);
        id->issuer = cmp_directory_name(ex->ca->subject);

        bn = BN_bin2bn(revs[i].cert->serial.data,
                       (int) revs[i].cert->serial.len, NULL);

        if (id->issuer == NULL
            || bn == NULL
            || BN_to_ASN1_INTEGER(bn, id->serial_number) == NULL)
        {
            BN_free(bn);
            return CMP_ERROR;
        }

        BN_free(bn);
    }

    return CMP_OK;
}
