
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What of the store a message needs: found in the message alone, before
 * anything in it is trusted.
 */


#include <cmp_exchange_local.h>

#include <openssl/sha.h>


static int cmp_load_signer(cmp_exchange_t *ex);
static int cmp_load_reference(cmp_exchange_t *ex);
static int cmp_load_crmf(cmp_exchange_t *ex,
    const cmp_cert_req_messages_t *messages);
static int cmp_load_p10(cmp_exchange_t *ex, X509_REQ *p10);
static int cmp_load_keys(cmp_exchange_t *ex);
static int cmp_load_rr(cmp_exchange_t *ex, cmp_refusal_t *refusal);
static int cmp_load_details(cmp_exchange_t *ex,
    const cmp_rev_details_t *details);


int
cmp_exchange_fill_load(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int          rc;
    cmp_str_t    id;
    cmp_load_t  *load;

    load = &ex->load;

    load->ca_id = ex->ca->id;
    load->request_hash.data = ex->msg.hash;
    load->request_hash.len = CMP_SHA256_LEN;

    id = cmp_octets(ex->msg.header->transaction_id);

    if (id.len <= CMP_MAX_TRANSACTION_ID) {
        load->transaction_id = id;
    }

    switch (ex->protect.kind) {

    case CMP_PROTECTION_MAC:
        rc = cmp_load_reference(ex);
        break;

    case CMP_PROTECTION_SIGNATURE:
        rc = cmp_load_signer(ex);
        break;

    default:
        rc = CMP_OK;
        break;
    }

    if (rc != CMP_OK) {
        return rc;
    }

    switch (ex->msg.type) {

    case CMP_BODY_IR:
    case CMP_BODY_CR:
    case CMP_BODY_KUR:
    case CMP_BODY_P10CR:
        return cmp_exchange_load_requests(ex, refusal);

    case CMP_BODY_RR:
        return cmp_load_rr(ex, refusal);

    case CMP_BODY_GENM:
        load->want = cmp_support_want(ex->msg.body->value.genm);
        return CMP_OK;

    case CMP_BODY_POLLREQ:
        load->want = CMP_WANT_ROLLOVER|CMP_WANT_CRL|CMP_WANT_WAITING;
        return CMP_OK;

    default:
        return CMP_OK;
    }
}


static int
cmp_load_signer(cmp_exchange_t *ex)
{
    X509              *cert;
    cmp_str_t          der;
    cmp_pki_header_t  *header;

    header = ex->msg.header;

    if (ex->msg.extra_certs != NULL) {
        cert = sk_X509_value(ex->msg.extra_certs, 0);

        if (cmp_encode(ex->pool, ASN1_ITEM_rptr(X509), cert, &der) != CMP_OK) {
            return CMP_ERROR;
        }

        ex->load.signer_serial =
            cmp_serial_octets(X509_get0_serialNumber(cert));

        return cmp_exchange_hash(ex->pool, der.data, der.len,
                                 &ex->load.signer_hash);
    }

    if (header->sender->type != GEN_DIRNAME
        || header->sender_kid == NULL
        || ASN1_STRING_length(header->sender_kid) > CMP_MAX_KID)
    {
        return CMP_OK;
    }

    ex->load.signer_ski = cmp_octets(header->sender_kid);

    return cmp_encode(ex->pool, ASN1_ITEM_rptr(X509_NAME),
                      header->sender->d.directoryName,
                      &ex->load.signer_subject);
}


/* senderKID, or at base without one the common name of sender */

static int
cmp_load_reference(cmp_exchange_t *ex)
{
    int                n;
    cmp_str_t          kid;
    ASN1_STRING       *value;
    unsigned char     *utf8;
    cmp_pki_header_t  *header;

    header = ex->msg.header;
    kid = cmp_octets(header->sender_kid);

    if (kid.len != 0) {

        if (kid.len <= CMP_MAX_KID) {
            ex->load.reference = kid;
        }

        return CMP_OK;
    }

    if (ex->strict || header->sender->type != GEN_DIRNAME) {
        return CMP_OK;
    }

    value = cmp_common_name(header->sender->d.directoryName);
    if (value == NULL) {
        return CMP_OK;
    }

    n = ASN1_STRING_to_UTF8(&utf8, value);

    if (n < 0) {
        cmp_crypto_error(NULL, 0);
        return CMP_OK;
    }

    if (n <= CMP_MAX_KID
        && cmp_pstrdup(ex->pool, &ex->load.reference, utf8, n) != CMP_OK)
    {
        OPENSSL_free(utf8);
        return CMP_ERROR;
    }

    OPENSSL_free(utf8);

    return CMP_OK;
}


int
cmp_exchange_load_requests(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                             n, rc;
    const cmp_cert_req_messages_t  *messages;

    messages = NULL;
    n = 1;

    if (ex->msg.type != CMP_BODY_P10CR) {
        messages = ex->msg.body->value.ir;
        n = sk_cmp_cert_req_msg_t_num(messages);
    }

    if (n <= 0) {
        return cmp_refuse(refusal, CMP_REFUSE_NO_REQUEST, NULL);
    }

    if (n > (ex->strict ? 1 : ex->ca->max_requests)) {
        return cmp_refuse(refusal, CMP_REFUSE_TOO_MANY_REQUESTS,
                          "at most %d are accepted",
                          ex->strict ? 1 : ex->ca->max_requests);
    }

    ex->requests = cmp_pcalloc(ex->pool, n * sizeof(cmp_request_t));
    if (ex->requests == NULL) {
        return CMP_ERROR;
    }

    ex->nrequests = n;

    ex->load.serials = cmp_pcalloc(ex->pool, n * sizeof(cmp_str_t));
    ex->load.key_hashes = cmp_pcalloc(ex->pool, n * sizeof(cmp_str_t));
    ex->load.token_hashes = cmp_pcalloc(ex->pool, n * sizeof(cmp_str_t));

    if (ex->load.serials == NULL
        || ex->load.key_hashes == NULL
        || ex->load.token_hashes == NULL)
    {
        return CMP_ERROR;
    }

    rc = (messages != NULL) ? cmp_load_crmf(ex, messages)
                            : cmp_load_p10(ex, ex->msg.body->value.p10cr);

    return rc == CMP_OK ? cmp_load_keys(ex) : rc;
}


static int
cmp_load_crmf(cmp_exchange_t *ex, const cmp_cert_req_messages_t *messages)
{
    size_t                      i;
    int64_t                     id;
    cmp_request_t              *req;
    const cmp_cert_request_t   *cr;
    const cmp_cert_template_t  *tmpl;

    for (i = 0; i < ex->nrequests; i++) {

        req = &ex->requests[i];
        req->msg = sk_cmp_cert_req_msg_t_value(messages, (int) i);

        cr = req->msg->cert_req;
        tmpl = cr->cert_template;

        if (ASN1_INTEGER_get_int64(&id, cr->cert_req_id) == 1
            && id >= INT32_MIN && id <= INT32_MAX)
        {
            req->id = (int32_t) id;
            req->id_valid = 1;
        }

        cmp_crypto_error(NULL, 0);

        req->cert_template = tmpl;
        req->subject = tmpl->subject;
        req->key = tmpl->public_key;
        req->extensions = tmpl->extensions;

        if (cmp_msg_cert_request(&ex->msg, i, &req->der) != CMP_OK
            || cmp_exchange_load_controls(ex, req) != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static void
cmp_load_free_key(void *data)
{
    cmp_asn1_free(cmp_public_key_t, data);
}


static void
cmp_load_free_extensions(void *data)
{
    sk_X509_EXTENSION_pop_free(data, X509_EXTENSION_free);
}


static int
cmp_load_p10(cmp_exchange_t *ex, X509_REQ *p10)
{
    cmp_request_t  *req;

    req = &ex->requests[0];

    req->id = -1;
    req->id_valid = 1;
    req->p10 = p10;
    req->subject = X509_REQ_get_subject_name(p10);
    req->key = cmp_public_key_from(X509_REQ_get_X509_PUBKEY(p10));

    if (cmp_pool_cleanup_add(ex->pool, cmp_load_free_key, req->key) != CMP_OK)
    {
        return CMP_ERROR;
    }

    req->extensions = X509_REQ_get_extensions(p10);

    cmp_crypto_error(NULL, 0);

    if (req->extensions != NULL) {
        return cmp_pool_cleanup_add(ex->pool, cmp_load_free_extensions,
                                    req->extensions);
    }

    return CMP_OK;
}


static int
cmp_load_keys(cmp_exchange_t *ex)
{
    size_t          i;
    cmp_request_t  *req;

    for (i = 0; i < ex->nrequests; i++) {

        req = &ex->requests[i];

        if (req->key == NULL) {
            continue;
        }

        if (cmp_hash_key(req->key, ex->pool, &req->key_hash) != CMP_OK) {
            return CMP_ERROR;
        }

        ex->load.key_hashes[ex->load.nkey_hashes++] = req->key_hash;
    }

    return CMP_OK;
}


static int
cmp_load_rr(cmp_exchange_t *ex, cmp_refusal_t *refusal)
{
    int                           i, n;
    long                          reason;
    const cmp_rev_details_t      *details;
    const cmp_rev_req_content_t  *content;

    content = ex->msg.body->value.rr;
    n = sk_cmp_rev_details_t_num(content);

    if (n <= 0) {
        return cmp_refuse(refusal, CMP_REFUSE_NO_REQUEST, NULL);
    }

    if (n > (ex->strict ? 1 : ex->ca->max_requests)) {
        return cmp_refuse(refusal, CMP_REFUSE_TOO_MANY_REQUESTS,
                          "at most %d are accepted",
                          ex->strict ? 1 : ex->ca->max_requests);
    }

    ex->load.serials = cmp_pcalloc(ex->pool, n * sizeof(cmp_str_t));
    ex->load.names = cmp_pcalloc(ex->pool, n * sizeof(cmp_load_name_t));

    if (ex->load.serials == NULL || ex->load.names == NULL) {
        return CMP_ERROR;
    }

    for (i = 0; i < n; i++) {

        details = sk_cmp_rev_details_t_value(content, i);

        if (cmp_load_details(ex, details) != CMP_OK) {
            return CMP_ERROR;
        }

        if (cmp_reason(details->crl_entry_details, &reason) == CMP_OK
            && (reason == CRL_REASON_CERTIFICATE_HOLD
                || reason == CRL_REASON_REMOVE_FROM_CRL))
        {
            ex->replayable = 1;
        }
    }

    return CMP_OK;
}


static int
cmp_load_details(cmp_exchange_t *ex, const cmp_rev_details_t *details)
{
    cmp_str_t                   serial;
    cmp_load_name_t            *name;
    const cmp_cert_template_t  *tmpl;

    tmpl = details->cert_details;
    serial = cmp_serial_octets(tmpl->serial_number);

    if (serial.len != 0) {
        ex->load.serials[ex->load.nserials++] = serial;
        return CMP_OK;
    }

    if (tmpl->subject == NULL || tmpl->public_key == NULL || ex->strict) {
        return CMP_OK;
    }

    name = &ex->load.names[ex->load.nnames++];

    if (cmp_encode(ex->pool, ASN1_ITEM_rptr(X509_NAME), tmpl->subject,
                   &name->subject)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    return cmp_hash_key(tmpl->public_key, ex->pool, &name->key_hash);
}


/*
 * The reason in crlEntryDetails; CRL_REASON_UNSPECIFIED when absent,
 * CMP_DECLINED when it cannot be decoded or is there more than once.
 */

int
cmp_reason(const STACK_OF(X509_EXTENSION) *extensions, long *reason)
{
    int               crit;
    ASN1_ENUMERATED  *value;

    *reason = CRL_REASON_UNSPECIFIED;

    value = X509V3_get_d2i(extensions, NID_crl_reason, &crit, NULL);

    if (value == NULL) {
        cmp_crypto_error(NULL, 0);
        return crit == -1 ? CMP_OK : CMP_DECLINED;
    }

    *reason = ASN1_ENUMERATED_get(value);
    ASN1_ENUMERATED_free(value);

    return CMP_OK;
}


/* the magnitude; empty for zero, negative or overlong numbers */

cmp_str_t
cmp_serial_octets(const ASN1_INTEGER *serial)
{
    cmp_str_t  octets;

    octets = cmp_octets(serial);

    if (serial == NULL
        || ASN1_STRING_type(serial) != V_ASN1_INTEGER
        || octets.len > CMP_MAX_SERIAL)
    {
        octets.len = 0;
    }

    while (octets.len != 0 && octets.data[0] == 0) {
        octets.data++;
        octets.len--;
    }

    return octets;
}


int
cmp_exchange_hash(cmp_pool_t *pool, const void *data, size_t len,
    cmp_str_t *hash)
{
    hash->data = cmp_palloc(pool, CMP_SHA256_LEN);
    if (hash->data == NULL) {
        return CMP_ERROR;
    }

    hash->len = CMP_SHA256_LEN;

    return SHA256(data, len, hash->data) != NULL ? CMP_OK : CMP_ERROR;
}


const cmp_certificate_t *
cmp_exchange_certificate(const cmp_exchange_t *ex, const cmp_str_t *serial)
{
    size_t                    i;
    const cmp_certificate_t  *cert;

    cert = ex->records->signer;

    if (cert != NULL && cmp_str_equal(&cert->serial, serial)) {
        return cert;
    }

    for (i = 0; i < ex->records->ncertificates; i++) {
        cert = &ex->records->certificates[i];

        if (cmp_str_equal(&cert->serial, serial)) {
            return cert;
        }
    }

    return NULL;
}


ASN1_STRING *
cmp_common_name(const X509_NAME *name)
{
    int  n, last;

    last = -1;

    while ((n = X509_NAME_get_index_by_NID((X509_NAME *) name, NID_commonName,
                                           last))
           >= 0)
    {
        last = n;
    }

    return last < 0
           ? NULL
           : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last));
}


int
cmp_name_text(cmp_pool_t *pool, const X509_NAME *name, cmp_str_t *text)
{
    int    rc, len;
    BIO   *bio;
    char  *data;

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return CMP_ERROR;
    }

    /* control characters and everything beyond ASCII are escaped */

    if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0) {
        cmp_crypto_error(NULL, 0);
    }

    len = (int) BIO_get_mem_data(bio, &data);

    rc = cmp_pstrdup(pool, text, data, len);

    BIO_free(bio);

    return rc;
}
