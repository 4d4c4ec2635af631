
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_exchange_local.h>


static cmp_exchange_e cmp_exchange_read(cmp_exchange_t *ex,
    const unsigned char *data, size_t len);
static int cmp_exchange_check_message(cmp_exchange_t *ex,
    cmp_refusal_t *refusal);
static int cmp_exchange_check_label(cmp_exchange_t *ex,
    cmp_refusal_t *refusal);
static int cmp_exchange_init_writes(cmp_exchange_t *ex);
static int cmp_exchange_run(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_exchange_body(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_exchange_refuse(cmp_exchange_t *ex,
    const cmp_refusal_t *refusal);
static int cmp_exchange_complete(cmp_exchange_t *ex, int refused);
static void cmp_exchange_write_transaction(cmp_exchange_t *ex, int refused);
static void cmp_exchange_info_refusal(cmp_exchange_t *ex,
    const cmp_refusal_t *refusal);


typedef struct {
    cmp_str_t    name;
    cmp_label_e  label;
    int          body;
} cmp_label_entry_t;


static const cmp_label_entry_t  cmp_labels[] = {

    { cmp_string("initialization"), CMP_LABEL_INITIALIZATION, CMP_BODY_IR },
    { cmp_string("certification"), CMP_LABEL_CERTIFICATION, CMP_BODY_CR },
    { cmp_string("keyupdate"), CMP_LABEL_KEYUPDATE, CMP_BODY_KUR },
    { cmp_string("pkcs10"), CMP_LABEL_PKCS10, CMP_BODY_P10CR },
    { cmp_string("revocation"), CMP_LABEL_REVOCATION, CMP_BODY_RR },
    { cmp_string("getcacerts"), CMP_LABEL_GETCACERTS, CMP_BODY_GENM },
    { cmp_string("getrootupdate"), CMP_LABEL_GETROOTUPDATE, CMP_BODY_GENM },
    { cmp_string("getcertreqtemplate"), CMP_LABEL_GETCERTREQTEMPLATE,
      CMP_BODY_GENM },
    { cmp_string("getcrls"), CMP_LABEL_GETCRLS, CMP_BODY_GENM },
    { cmp_string("nested"), CMP_LABEL_NESTED, CMP_BODY_NESTED },

    { cmp_null_string, CMP_LABEL_NONE, -1 }
};


int
cmp_exchange_label(const cmp_str_t *name)
{
    const cmp_label_entry_t  *entry;

    for (entry = cmp_labels; entry->name.len != 0; entry++) {

        if (cmp_str_equal(&entry->name, name)) {
            return entry->label;
        }
    }

    return -1;
}


cmp_exchange_t *
cmp_exchange_create(const cmp_exchange_conf_t *conf)
{
    cmp_pool_t      *pool;
    cmp_exchange_t  *ex;

    pool = cmp_pool_create();
    if (pool == NULL) {
        return NULL;
    }

    ex = cmp_pcalloc(pool, sizeof(cmp_exchange_t));
    if (ex == NULL) {
        cmp_pool_destroy(pool);
        return NULL;
    }

    ex->pool = pool;
    ex->conf = conf;
    ex->ca = conf->ca;
    ex->strict = (conf->ca->conformance == CMP_RFC9483);

    ex->info.operation = "-";
    ex->info.status = -1;
    ex->info.fail_info = -1;

    return ex;
}


void
cmp_exchange_destroy(cmp_exchange_t *ex)
{
    size_t  i;

    if (ex == NULL) {
        return;
    }

    for (i = 0; i < ex->ninner; i++) {
        cmp_exchange_destroy(ex->inner[i]);
    }

    cmp_pool_destroy(ex->work);
    cmp_pool_destroy(ex->pool);
}


cmp_exchange_e
cmp_exchange_parse(cmp_exchange_t *ex, const unsigned char *data, size_t len)
{
    cmp_exchange_e  rc;

    rc = cmp_exchange_read(ex, data, len);

    if (rc == CMP_EXCHANGE_ERROR) {
        cmp_crypto_error(NULL, 0);
    }

    return rc;
}


static cmp_exchange_e
cmp_exchange_read(cmp_exchange_t *ex, const unsigned char *data, size_t len)
{
    int  rc;

    rc = cmp_msg_decode(ex->pool, ex->ca->cert_cache, data, len, &ex->msg,
                        &ex->refusal);

    if (rc == CMP_ERROR) {
        return CMP_EXCHANGE_ERROR;
    }

    if (ex->msg.header == NULL) {

        if (cmp_exchange_begin(ex, NULL) != CMP_OK
            || cmp_exchange_refuse(ex, &ex->refusal) != CMP_OK)
        {
            return CMP_EXCHANGE_ERROR;
        }

        return CMP_EXCHANGE_UNDECODABLE;
    }

    ex->info.operation = cmp_body_name(ex->msg.type);
    ex->info.transaction_id = cmp_octets(ex->msg.header->transaction_id);

    if (ex->msg.header->sender->type == GEN_DIRNAME
        && cmp_name_text(ex->pool, ex->msg.header->sender->d.directoryName,
                         &ex->info.sender)
           != CMP_OK)
    {
        return CMP_EXCHANGE_ERROR;
    }

    if (rc == CMP_OK) {

        if (ex->msg.type >= CMP_BODY_CKUANN
            && ex->msg.type <= CMP_BODY_CRLANN)
        {
            return CMP_EXCHANGE_FORBIDDEN;
        }

        rc = cmp_exchange_check_message(ex, &ex->refusal);
    }

    switch (rc) {

    case CMP_OK:
        return CMP_EXCHANGE_LOAD;

    case CMP_DECLINED:
        return CMP_EXCHANGE_DECIDE;

    default:
        return CMP_EXCHANGE_ERROR;
    }
}


/* what can be said of a message without the store */

static int
cmp_exchange_check_message(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int  rc;

    if (ex->strict) {
        rc = cmp_msg_is_der(&ex->msg, ex->pool);

        if (rc == 0) {
            return cmp_refuse(refusal, CMP_REFUSE_NOT_DER, NULL);
        }

        if (rc == CMP_ERROR) {
            return CMP_ERROR;
        }
    }

    if (ex->msg.pvno != CMP_PVNO_2000 && ex->msg.pvno != CMP_PVNO_2021) {
        return cmp_refuse(refusal, CMP_REFUSE_PVNO, NULL);
    }

    if (sk_X509_num(ex->msg.extra_certs) > ex->ca->max_extra_certs) {
        return cmp_refuse(refusal, CMP_REFUSE_LIMIT, "extraCerts");
    }

    rc = cmp_protect_parse(ex->ca, &ex->msg, ex->pool, &ex->protect, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    /* an RA may vouch for what is not protected otherwise */

    if (ex->protect.kind == CMP_PROTECTION_NONE
        && ex->outer == NULL
        && (ex->msg.type != CMP_BODY_GENM || ex->ca->unprotected_genm == 0))
    {
        return cmp_refuse(refusal, CMP_REFUSE_NO_PROTECTION, NULL);
    }

    switch (ex->msg.type) {

    case CMP_BODY_CERTCONF:
    case CMP_BODY_PKICONF:
    case CMP_BODY_POLLREQ:
    case CMP_BODY_POPDECR:
    case CMP_BODY_ERROR:
        break;

    default:
        ex->first = 1;
        break;
    }

    rc = cmp_exchange_check_label(ex, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    rc = cmp_exchange_fill_load(ex, refusal);

    if (rc == CMP_OK) {
        rc = cmp_exchange_parse_original(ex, refusal);
    }

    return (rc == CMP_OK && ex->msg.type == CMP_BODY_NESTED)
           ? cmp_exchange_parse_nested(ex, refusal) : rc;
}


static int
cmp_exchange_check_label(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    const cmp_label_entry_t  *entry;

    if (ex->conf->label == CMP_LABEL_NONE || ex->first == 0) {
        return CMP_OK;
    }

    for (entry = cmp_labels; entry->name.len != 0; entry++) {

        if (entry->label == (cmp_label_e) ex->conf->label) {

            if (entry->body == ex->msg.type) {
                return CMP_OK;
            }

            break;
        }
    }

    return cmp_refuse(refusal, CMP_REFUSE_LABEL, NULL);
}


int
cmp_exchange_slow(const cmp_exchange_t *ex)
{
    size_t  i;

    for (i = 0; i < ex->ninner; i++) {

        if (cmp_exchange_slow(ex->inner[i])) {
            return 1;
        }
    }

    if (ex->ca->inline_sign == 0 && ex->ca->slow) {
        return 1;
    }

    return ex->protect.kind == CMP_PROTECTION_MAC
           && ex->protect.iterations > CMP_SLOW_ITERATIONS;
}


cmp_exchange_e
cmp_exchange_decide(cmp_exchange_t *ex, const cmp_records_t *records)
{
    int            rc;
    cmp_refusal_t  refusal;

    if (cmp_exchange_begin(ex, records) != CMP_OK) {
        cmp_crypto_error(NULL, 0);
        return CMP_EXCHANGE_ERROR;
    }

    if (ex->refusal.code != CMP_REFUSE_NONE || records == NULL) {
        rc = cmp_exchange_refuse(ex, &ex->refusal);
        cmp_crypto_error(NULL, 0);

        return rc == CMP_OK ? CMP_EXCHANGE_REPLY : CMP_EXCHANGE_ERROR;
    }

    if (records->reply.len != 0) {

        /* the first copy of this request was answered */

        ex->reply = records->reply;
        ex->info.repeat = 1;

        return CMP_EXCHANGE_REPLY;
    }

    memset(&refusal, 0, sizeof(cmp_refusal_t));

    rc = cmp_exchange_run(ex, &refusal);

    if (rc == CMP_OK) {
        rc = cmp_exchange_complete(ex, 0);

    } else if (rc == CMP_DECLINED) {
        rc = cmp_exchange_refuse(ex, &refusal);

    } else if (rc == CMP_DONE) {

        /* an inner message was answered; the RA's first signature counts */

        ex->has_writes = (ex->writes.nchanges != 0);
        ex->writes.requester = ex->info.requester;
        ex->writes.client = ex->conf->client;
        rc = CMP_OK;
    }

    cmp_crypto_error(NULL, 0);

    if (rc != CMP_OK) {
        return CMP_EXCHANGE_ERROR;
    }

    return cmp_exchange_nwrites(ex) != 0 ? CMP_EXCHANGE_COMMIT
                                         : CMP_EXCHANGE_REPLY;
}


int
cmp_exchange_begin(cmp_exchange_t *ex, const cmp_records_t *records)
{
    cmp_pool_destroy(ex->work);

    ex->work = cmp_pool_create();
    if (ex->work == NULL) {
        return CMP_ERROR;
    }

    ex->records = records;
    ex->transaction = NULL;
    ex->credential = NULL;
    memset(&ex->signer, 0, sizeof(cmp_signer_t));
    ex->signer_der.len = 0;
    ex->signer_hash.len = 0;
    ex->protection_alg.len = 0;

    ex->transaction_id = cmp_octets(ex->msg.header != NULL
                                    ? ex->msg.header->transaction_id : NULL);
    ex->id_claimable = 0;
    ex->id_written = 0;
    ex->implicit_asked = 0;
    ex->implicit_granted = 0;
    ex->confirm_wait = 0;
    ex->ca_pubs = 0;
    ex->polled = 0;

    if (ex->msg.type == CMP_BODY_POLLREQ) {

        /* those of the message that was polled for */

        ex->requests = NULL;
        ex->nrequests = 0;
    }
    ex->header_ok = 0;
    ex->has_writes = 0;
    ex->failed = 0;
    ex->kind = ex->protect.kind;
    memset(&ex->refused, 0, sizeof(cmp_refusal_t));

    ex->protect.key.len = 0;
    ex->reply.len = 0;

    ex->info.requester.len = 0;
    ex->info.profile.len = 0;
    ex->info.serial.len = 0;
    ex->info.status = -1;
    ex->info.fail_info = -1;
    ex->info.text = NULL;
    ex->info.log = NULL;
    ex->info.authenticated = 0;
    ex->info.mac_failed = 0;
    ex->info.signed_refusal = 0;
    ex->info.repeat = 0;

    if (cmp_exchange_init_writes(ex) != CMP_OK) {
        return CMP_ERROR;
    }

    return cmp_reply_create(ex);
}


static int
cmp_exchange_init_writes(cmp_exchange_t *ex)
{
    size_t         n;
    cmp_writes_t  *writes;

    writes = &ex->writes;
    memset(writes, 0, sizeof(cmp_writes_t));

    writes->ca_id = ex->ca->id;

    /* each request makes one certificate and displaces one at most */

    n = ex->nrequests;

    if (n != 0) {
        writes->certs = cmp_pcalloc(ex->work, n * sizeof(cmp_write_cert_t));
        writes->token_uses = cmp_pcalloc(ex->work, n * sizeof(int64_t));

        if (writes->certs == NULL || writes->token_uses == NULL) {
            return CMP_ERROR;
        }
    }

    ex->max_changes = 2 * n + 1 + ex->ca->max_requests
                      + (ex->records != NULL ? ex->records->ncertificates : 0);
    ex->max_audits = n + 1 + ex->ca->max_requests
                     + (ex->records != NULL ? ex->records->nwaiting : 0);

    writes->changes = cmp_pcalloc(ex->work, ex->max_changes
                                            * sizeof(cmp_write_change_t));
    writes->audits = cmp_pcalloc(ex->work, ex->max_audits
                                           * sizeof(cmp_write_audit_t));

    return (writes->changes == NULL || writes->audits == NULL)
           ? CMP_ERROR : CMP_OK;
}


/* steps 5 to 8 of the order of checks */

static int
cmp_exchange_run(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int  rc;

    rc = cmp_exchange_authenticate(ex, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    rc = cmp_exchange_header(ex, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    ex->header_ok = 1;

    if (ex->signer.record != NULL
        && ex->signer.record->predecessor.len != 0
        && ex->signer.record->used == 0)
    {
        if (cmp_write_change(ex, ex->signer.record, CMP_CHANGE_USED, 0,
                             CMP_BY_ITSELF, 0)
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return cmp_exchange_body(ex, refusal);
}


static int
cmp_exchange_body(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int  rc;

    switch (ex->msg.type) {

    case CMP_BODY_KUR:
        if (ex->protect.kind == CMP_PROTECTION_MAC) {
            return cmp_refuse(refusal, CMP_REFUSE_WRONG_INTEGRITY,
                              "a key update is signed with the certificate "
                              "to be updated");
        }

        /* fall through */

    case CMP_BODY_IR:
    case CMP_BODY_CR:
    case CMP_BODY_P10CR:
        return cmp_exchange_enroll(ex, refusal);

    case CMP_BODY_CERTCONF:
        return cmp_exchange_confirm(ex, refusal);

    case CMP_BODY_PKICONF:
        return cmp_exchange_confirm_all(ex, refusal);

    case CMP_BODY_ERROR:
        return cmp_exchange_abandon(ex, refusal);

    case CMP_BODY_RR:
        return cmp_exchange_revoke(ex, refusal);

    case CMP_BODY_GENM:
        rc = cmp_exchange_support(ex, refusal);

        return rc == CMP_OK ? cmp_wait_support(ex) : rc;

    case CMP_BODY_POLLREQ:
        return cmp_exchange_poll(ex, refusal);

    case CMP_BODY_NESTED:
        return cmp_exchange_nested(ex, refusal);

    case CMP_BODY_CCR:
        if (ex->protect.kind == CMP_PROTECTION_MAC) {
            return cmp_refuse(refusal, CMP_REFUSE_WRONG_INTEGRITY, NULL);
        }

        /* fall through */

    default:
        return cmp_refuse(refusal, CMP_REFUSE_BODY, "%s",
                          cmp_body_name(ex->msg.type));
    }
}


static int
cmp_exchange_refuse(cmp_exchange_t *ex, const cmp_refusal_t *refusal)
{
    int          rc;
    cmp_str_t    none;
    const char  *text;

    ex->failed = 1;
    ex->refused = *refusal;

    cmp_exchange_info_refusal(ex, refusal);

    text = ex->info.text;
    if (text == NULL) {
        return CMP_ERROR;
    }

    /* protection, trust and authorisation of an rr are refused by rp */

    if (ex->msg.type == CMP_BODY_RR && ex->msg.body != NULL) {
        rc = cmp_exchange_refuse_rr(ex, refusal);

    } else {
        rc = CMP_DECLINED;
    }

    if (rc == CMP_DECLINED) {
        rc = cmp_reply_error(ex, refusal);
    }

    if (rc != CMP_OK) {
        return CMP_ERROR;
    }

    if (ex->info.authenticated) {

        none.len = 0;
        none.data = NULL;

        if (cmp_write_audit(ex, CMP_STATUS_REJECTION, ex->info.fail_info,
                            &none, text)
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return cmp_exchange_complete(ex, 1);
}


static void
cmp_exchange_info_refusal(cmp_exchange_t *ex, const cmp_refusal_t *refusal)
{
    ex->info.status = CMP_STATUS_REJECTION;
    ex->info.fail_info = cmp_refusal_fail_info(refusal);
    ex->info.text = cmp_refusal_text(refusal, ex->work);

    if (refusal->log[0] != '\0') {
        ex->info.log = cmp_psprintf(ex->work, "%s", refusal->log);
    }
}


static int
cmp_exchange_complete(cmp_exchange_t *ex, int refused)
{
    if (cmp_reply_finish(ex) != CMP_OK || cmp_wait_write(ex) != CMP_OK) {
        return CMP_ERROR;
    }

    if (ex->info.authenticated) {
        ex->has_writes = 1;
        cmp_exchange_write_transaction(ex, refused);
    }

    return CMP_OK;
}


/*
 * A refusal of the first message claims the transactionID and keeps the reply
 * for a repeat; one of a later message leaves the transaction as it is, unless
 * it ends it.
 */

static void
cmp_exchange_write_transaction(cmp_exchange_t *ex, int refused)
{
    cmp_writes_t       *writes;
    cmp_transaction_t  *transaction;

    writes = &ex->writes;
    transaction = &writes->transaction;

    writes->requester = ex->info.requester;
    writes->client = ex->conf->client;
    writes->confirm_timeout = ex->ca->confirm_timeout;
    writes->transaction_memory = ex->ca->transaction_memory;

    if (ex->id_claimable == 0 && ex->transaction == NULL) {
        return;
    }

    if (refused && ex->first == 0 && ex->id_written == 0) {
        return;
    }

    /* a CRL is not stored once more, a repeat is answered anew */

    if (ex->answer->body->type == CMP_BODY_GENP
        && ex->transaction == NULL
        && ex->reply.len > CMP_MAX_STORED_GENP)
    {
        return;
    }

    transaction->id = ex->transaction_id;
    transaction->ca_id = ex->ca->id;
    transaction->version = (ex->transaction != NULL)
                           ? ex->transaction->version : 0;
    transaction->state = cmp_wait_state(ex);
    transaction->body = (ex->transaction != NULL) ? ex->transaction->body
                                                  : ex->msg.type;
    transaction->kind = ex->kind;
    transaction->protection_alg = ex->protection_alg;

    if (ex->credential != NULL) {
        transaction->credential_id = ex->credential->id;
    }

    transaction->signer_hash = ex->signer_hash;

    if (ex->signer.cert != NULL) {
        transaction->signer_serial =
            cmp_serial_octets(X509_get0_serialNumber(ex->signer.cert));
    }

    transaction->sender_nonce.data = ex->nonce;
    transaction->sender_nonce.len = CMP_NONCE_LEN;

    if (ex->signer.cert != NULL && ex->transaction == NULL) {
        transaction->signer = ex->signer_der;
    }

    writes->nonce = cmp_octets(ex->msg.header->sender_nonce);
    writes->request_hash.data = ex->msg.hash;
    writes->request_hash.len = CMP_SHA256_LEN;
    writes->reply = ex->reply;
    writes->reply_memory = ex->ca->reply_memory;

    if (ex->confirm_wait
        && writes->reply_memory < ex->ca->confirm_timeout)
    {
        writes->reply_memory = ex->ca->confirm_timeout;
    }
}


cmp_exchange_e
cmp_exchange_unavailable(cmp_exchange_t *ex)
{
    cmp_refusal_t  refusal;

    memset(&refusal, 0, sizeof(cmp_refusal_t));
    (void) cmp_refuse(&refusal, CMP_REFUSE_UNAVAILABLE, NULL);

    if (cmp_exchange_is_added(ex)) {

        /* the client expects the answer to the inner message */

        if (cmp_exchange_unavailable(ex->inner[0]) != CMP_EXCHANGE_REPLY) {
            return CMP_EXCHANGE_ERROR;
        }

        ex->reply = ex->inner[0]->reply;

        return CMP_EXCHANGE_REPLY;
    }

    if (ex->work == NULL && cmp_exchange_begin(ex, NULL) != CMP_OK) {
        cmp_crypto_error(NULL, 0);
        return CMP_EXCHANGE_ERROR;
    }

    /* nothing was issued, whatever was decided */

    ex->info.serial.len = 0;
    ex->implicit_granted = 0;
    ex->confirm_wait = 0;

    cmp_exchange_info_refusal(ex, &refusal);

    if (cmp_reply_create(ex) != CMP_OK
        || cmp_reply_error(ex, &refusal) != CMP_OK
        || cmp_reply_finish(ex) != CMP_OK)
    {
        cmp_crypto_error(NULL, 0);
        return CMP_EXCHANGE_ERROR;
    }

    cmp_crypto_error(NULL, 0);

    return CMP_EXCHANGE_REPLY;
}


cmp_str_t
cmp_exchange_reply(const cmp_exchange_t *ex)
{
    return ex->reply;
}


const cmp_exchange_info_t *
cmp_exchange_info(const cmp_exchange_t *ex)
{
    /* of a message that only got protection added, what is inside counts */

    if (cmp_exchange_is_added(ex)
        && ex->failed == 0
        && ex->info.authenticated)
    {
        return cmp_exchange_info(ex->inner[0]);
    }

    return &ex->info;
}


cmp_pool_t *
cmp_exchange_pool(cmp_exchange_t *ex)
{
    return ex->pool;
}
