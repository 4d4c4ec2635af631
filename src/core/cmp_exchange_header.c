
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The header of an authenticated message (RFC 9810, 5.1.1; RFC 9483, 3.5).
 */


#include <cmp_exchange_local.h>


static int cmp_header_transaction(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_header_later(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_header_nonces(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_header_time(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_header_general_info(cmp_exchange_t *ex,
    cmp_refusal_t *refusal);
static int cmp_header_info(cmp_exchange_t *ex,
    const cmp_info_type_and_value_t *info, cmp_refusal_t *refusal);
static int cmp_header_info_once(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_header_sender_mac(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_header_sender_signature(cmp_exchange_t *ex,
    cmp_refusal_t *refusal);
static int cmp_header_same_protection(cmp_exchange_t *ex,
    cmp_refusal_t *refusal);
static int cmp_header_requester(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_header_replaced(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static const cmp_certificate_t *cmp_header_successor(
    const cmp_exchange_t *ex);


int
cmp_exchange_header(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int  rc;

    rc = cmp_header_transaction(ex, refusal);

    if (rc == CMP_OK) {
        rc = cmp_header_nonces(ex, refusal);
    }

    if (rc == CMP_OK) {
        rc = cmp_header_time(ex, refusal);
    }

    if (rc == CMP_OK) {
        rc = cmp_header_general_info(ex, refusal);
    }

    if (rc == CMP_OK && ex->protect.kind == CMP_PROTECTION_MAC) {
        rc = cmp_header_sender_mac(ex, refusal);
    }

    if (rc == CMP_OK && ex->protect.kind == CMP_PROTECTION_SIGNATURE) {
        rc = cmp_header_sender_signature(ex, refusal);
    }

    if (rc == CMP_OK && ex->transaction != NULL) {
        rc = cmp_header_same_protection(ex, refusal);
    }

    return rc == CMP_OK ? cmp_header_requester(ex, refusal) : rc;
}


static int
cmp_header_transaction(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    unsigned char  *p;

    if (ex->transaction_id.len == 0
        && ex->msg.header->transaction_id == NULL)
    {
        if (ex->first == 0) {
            return cmp_refuse(refusal, CMP_REFUSE_NO_TRANSACTION_ID, NULL);
        }

        if (ex->strict) {
            return cmp_refuse(refusal, CMP_REFUSE_NO_TRANSACTION_ID_STRICT,
                              NULL);
        }

        p = cmp_palloc(ex->work, CMP_NONCE_LEN);

        if (p == NULL
            || ex->conf->random(ex->conf->random_data, p, CMP_NONCE_LEN)
               != CMP_OK)
        {
            return CMP_ERROR;
        }

        ex->transaction_id.data = p;
        ex->transaction_id.len = CMP_NONCE_LEN;
        ex->id_claimable = 1;

        return CMP_OK;
    }

    if (ex->transaction_id.len < 1
        || ex->transaction_id.len > CMP_MAX_TRANSACTION_ID
        || (ex->strict && ex->transaction_id.len != CMP_NONCE_LEN))
    {
        return cmp_refuse(refusal, CMP_REFUSE_TRANSACTION_ID_LEN, NULL);
    }

    if (cmp_exchange_is_added(ex)) {

        /* the transaction is that of the inner message, checked there */

        return CMP_OK;
    }

    if (ex->first == 0) {
        return cmp_header_later(ex, refusal);
    }

    /* a genm without protection neither uses an ID up nor learns of others */

    if (ex->info.authenticated == 0) {
        return CMP_OK;
    }

    if (ex->records->transaction != NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_TRANSACTION_ID_IN_USE, NULL);
    }

    ex->id_claimable = 1;

    return CMP_OK;
}


static int
cmp_header_later(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    const cmp_transaction_t  *transaction;

    transaction = ex->records->transaction;

    if (transaction == NULL || transaction->ca_id != ex->ca->id) {
        return cmp_refuse(refusal, CMP_REFUSE_UNKNOWN_TRANSACTION, NULL);
    }

    ex->transaction = transaction;

    return CMP_OK;
}


static int
cmp_header_nonces(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    size_t     i;
    cmp_str_t  sender, recip;

    sender = cmp_octets(ex->msg.header->sender_nonce);
    recip = cmp_octets(ex->msg.header->recip_nonce);

    if (sender.len < CMP_MIN_NONCE
        || sender.len > CMP_MAX_NONCE
        || (ex->strict && sender.len != CMP_NONCE_LEN))
    {
        return cmp_refuse(refusal, CMP_REFUSE_SENDER_NONCE, NULL);
    }

    if (ex->transaction == NULL) {

        if (ex->strict && ex->first && ex->msg.header->recip_nonce != NULL) {
            return cmp_refuse(refusal, CMP_REFUSE_RECIP_NONCE_FIRST, NULL);
        }

        return CMP_OK;
    }

    for (i = 0; i < ex->transaction->nnonces; i++) {

        if (cmp_str_equal(&ex->transaction->nonces[i], &sender)) {
            return cmp_refuse(refusal, CMP_REFUSE_SENDER_NONCE_SEEN, NULL);
        }
    }

    if (cmp_str_equal(&ex->transaction->sender_nonce, &recip) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_RECIP_NONCE, NULL);
    }

    return CMP_OK;
}


static int
cmp_header_time(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    size_t      i;
    int64_t     time, diff;
    struct tm   tm;
    time_t      now;
    char        text[32];

    for (i = 0; i < ex->records->nkeys; i++) {

        /* a key certified before may be certified again by a replay */

        if (ex->nrequests != 0) {
            ex->replayable = 1;
        }
    }

    if (ex->ca->time_window == 0) {
        return CMP_OK;
    }

    if (ex->msg.header->message_time == NULL) {

        if (ex->strict || ex->replayable) {
            return cmp_refuse(refusal, CMP_REFUSE_NO_MESSAGE_TIME, NULL);
        }

        return CMP_OK;
    }

    if (cmp_time(ex->msg.header->message_time, &time) != CMP_OK) {
        return cmp_refuse(refusal, CMP_REFUSE_MESSAGE_TIME_FORMAT, NULL);
    }

    diff = time - ex->conf->now;

    if (diff > ex->ca->time_window || diff < -ex->ca->time_window) {

        now = (time_t) (ex->conf->now / 1000);

        if (gmtime_r(&now, &tm) == NULL
            || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        {
            return CMP_ERROR;
        }

        return cmp_refuse(refusal, CMP_REFUSE_MESSAGE_TIME, "here it is %s",
                          text);
    }

    return CMP_OK;
}


int
cmp_time(const ASN1_TIME *time, int64_t *ms)
{
    int        days, seconds;
    ASN1_TIME  *epoch;

    if (ASN1_TIME_check(time) != 1) {
        cmp_crypto_error(NULL, 0);
        return CMP_DECLINED;
    }

    epoch = ASN1_TIME_set(NULL, 0);
    if (epoch == NULL) {
        return CMP_ERROR;
    }

    if (ASN1_TIME_diff(&days, &seconds, epoch, time) != 1) {
        ASN1_TIME_free(epoch);
        cmp_crypto_error(NULL, 0);
        return CMP_DECLINED;
    }

    ASN1_TIME_free(epoch);

    *ms = ((int64_t) days * 86400 + seconds) * 1000;

    return CMP_OK;
}


static int
cmp_header_general_info(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                               i, rc;
    const cmp_info_type_and_value_t  *info;

    rc = cmp_header_info_once(ex, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    for (i = 0;
         i < sk_cmp_info_type_and_value_t_num(ex->msg.header->general_info);
         i++)
    {
        info = sk_cmp_info_type_and_value_t_value(
                   ex->msg.header->general_info, i);

        rc = cmp_header_info(ex, info, refusal);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    if (ex->implicit_asked
        && cmp_msg_general_info(&ex->msg, &cmp_oid_it_confirm_wait_time)
           != NULL)
    {
        return cmp_refuse(refusal, CMP_REFUSE_IMPLICIT_CONFIRM_BOTH, NULL);
    }

    if (ex->strict && ex->implicit_asked
        && ex->msg.type == CMP_BODY_CERTCONF)
    {
        return cmp_refuse(refusal, CMP_REFUSE_IMPLICIT_CONFIRM_LATE, NULL);
    }

    return CMP_OK;
}


/* a type that is there twice says two things */

static int
cmp_header_info_once(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                                        i, j, n;
    char                                       name[80];
    const cmp_info_type_and_value_t           *a, *b;
    const STACK_OF(cmp_info_type_and_value_t) *list;

    list = ex->msg.header->general_info;
    n = sk_cmp_info_type_and_value_t_num(list);

    for (i = 0; i < n; i++) {
        a = sk_cmp_info_type_and_value_t_value(list, i);

        for (j = 0; j < i; j++) {
            b = sk_cmp_info_type_and_value_t_value(list, j);

            if (OBJ_cmp(a->info_type, b->info_type) == 0
                && cmp_oid_find(a->info_type) != NULL)
            {
                return cmp_refuse(refusal, CMP_REFUSE_GENERAL_INFO,
                                  "%s is there twice",
                                  cmp_oid_name(a->info_type, name,
                                               sizeof(name)));
            }
        }
    }

    return CMP_OK;
}


static int
cmp_header_info(cmp_exchange_t *ex, const cmp_info_type_and_value_t *info,
    cmp_refusal_t *refusal)
{
    char              name[80];
    int64_t           ms;
    const ASN1_TYPE  *value;

    value = info->info_value;

    if (cmp_oid_equal(info->info_type, &cmp_oid_it_implicit_confirm)) {

        if (value == NULL || value->type != V_ASN1_NULL) {
            return cmp_refuse(refusal, CMP_REFUSE_IMPLICIT_CONFIRM_VALUE,
                              NULL);
        }

        ex->implicit_asked = 1;
        return CMP_OK;
    }

    if (cmp_oid_equal(info->info_type, &cmp_oid_it_confirm_wait_time)) {

        if (value == NULL
            || value->type != V_ASN1_GENERALIZEDTIME
            || cmp_time(value->value.generalizedtime, &ms) != CMP_OK)
        {
            return cmp_refuse(refusal, CMP_REFUSE_CONFIRM_WAIT_TIME, NULL);
        }

        return CMP_OK;
    }

    if (cmp_oid_equal(info->info_type, &cmp_oid_it_cert_profile)) {

        /* read with the requests; later messages may repeat it */
        return CMP_OK;
    }

    if (cmp_oid_equal(info->info_type, &cmp_oid_it_orig_pki_message)) {
        return cmp_exchange_original(ex, refusal);
    }

    ex->info.log = cmp_psprintf(ex->work, "generalInfo %s is ignored",
                                cmp_oid_name(info->info_type, name,
                                             sizeof(name)));

    return CMP_OK;
}


static int
cmp_header_sender_mac(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    cmp_str_t          kid, cn;
    ASN1_STRING       *value;
    cmp_pki_header_t  *header;

    if (ex->strict == 0) {
        return CMP_OK;
    }

    header = ex->msg.header;
    kid = cmp_octets(header->sender_kid);

    if (header->sender->type != GEN_DIRNAME || kid.len == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_SENDER_MAC, NULL);
    }

    value = cmp_common_name(header->sender->d.directoryName);
    if (value == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_SENDER_MAC, NULL);
    }

    cn.data = (unsigned char *) ASN1_STRING_get0_data(value);
    cn.len = ASN1_STRING_length(value);

    if (cmp_str_equal(&cn, &kid) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_SENDER_MAC, NULL);
    }

    return CMP_OK;
}


static int
cmp_header_sender_signature(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    cmp_str_t                 kid, ski;
    const cmp_pki_header_t   *header;

    header = ex->msg.header;

    if (header->sender->type != GEN_DIRNAME
        || X509_NAME_cmp(header->sender->d.directoryName,
                         X509_get_subject_name(ex->signer.cert))
           != 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_SENDER, NULL);
    }

    kid = cmp_octets(header->sender_kid);
    ski = cmp_octets(X509_get0_subject_key_id(ex->signer.cert));

    if (header->sender_kid == NULL) {

        if (ex->strict) {
            return cmp_refuse(refusal, CMP_REFUSE_SENDER_KID,
                              "senderKID is missing");
        }

        return CMP_OK;
    }

    if (ski.len == 0 && ex->strict == 0) {
        return CMP_OK;
    }

    if (cmp_str_equal(&kid, &ski) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_SENDER_KID, NULL);
    }

    return CMP_OK;
}


/* one kind, one credential, one algorithm for a whole transaction */

static int
cmp_header_same_protection(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    const cmp_transaction_t  *transaction;

    transaction = ex->transaction;

    if (transaction->kind != (int32_t) ex->kind) {
        return cmp_refuse(refusal, CMP_REFUSE_OTHER_INTEGRITY, NULL);
    }

    if (ex->credential != NULL
        && transaction->credential_id != ex->credential->id)
    {
        return cmp_refuse(refusal, CMP_REFUSE_OTHER_CREDENTIAL, NULL);
    }

    if (cmp_str_equal(&transaction->signer_hash, &ex->signer_hash) == 0
        || cmp_str_equal(&transaction->protection_alg, &ex->protection_alg)
           == 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_OTHER_CREDENTIAL, NULL);
    }

    return CMP_OK;
}


/* may this requester begin anything at all */

static int
cmp_header_requester(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    const cmp_credential_t  *credential;

    credential = ex->credential;

    if (credential != NULL && ex->first) {

        if (credential->uses_left == 0
            || (credential->not_after != 0
                && credential->not_after <= ex->records->now))
        {
            return cmp_refuse(refusal, CMP_REFUSE_CREDENTIAL_ENDED, NULL);
        }
    }

    if (ex->signer.record != NULL
        && (ex->first || cmp_exchange_is_added(ex)))
    {
        return cmp_header_replaced(ex, refusal);
    }

    return CMP_OK;
}


/*
 * A certificate that was updated.  Base: it may still sign a kur, and an rr
 * for itself, until its successor has signed a message, since a device that
 * lost the answer has nothing else.  Strict: only the rr.
 */

static int
cmp_header_replaced(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    const cmp_certificate_t  *record, *successor;

    record = ex->signer.record;
    successor = cmp_header_successor(ex);

    if (record->replaced) {

        if (ex->msg.type == CMP_BODY_RR
            && (ex->strict || record->retired == 0))
        {
            return CMP_OK;
        }

        if (ex->msg.type == CMP_BODY_KUR
            && ex->strict == 0
            && record->retired == 0)
        {
            return CMP_OK;
        }

        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_REPLACED, NULL);
    }

    if (ex->strict
        && successor != NULL
        && successor->state == CMP_CERT_UNCONFIRMED
        && ex->msg.type != CMP_BODY_RR)
    {
        return cmp_refuse(refusal, CMP_REFUSE_SIGNER_BUSY, NULL);
    }

    return CMP_OK;
}


static const cmp_certificate_t *
cmp_header_successor(const cmp_exchange_t *ex)
{
    if (ex->signer.record->successor.len == 0) {
        return NULL;
    }

    return cmp_exchange_certificate(ex, &ex->signer.record->successor);
}
