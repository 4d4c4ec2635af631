
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_ocsp.h>
#include <cmp_msg.h>

#include <string.h>


#define CMP_OCSP_MAX_NONCE     128       /* octets, RFC 9654, 2.1 */


static int cmp_ocsp_refuse(cmp_ocsp_request_t *request, int error,
    const char *log);
static int cmp_ocsp_extensions(cmp_ocsp_request_t *request);
static int cmp_ocsp_nonce(cmp_ocsp_request_t *request, X509_EXTENSION *ext);
static int cmp_ocsp_id(const cmp_ca_t *ca, cmp_ocsp_request_t *request,
    int n);
static int cmp_ocsp_hash(const ASN1_OBJECT *md);
static int cmp_ocsp_statuses(const cmp_ocsp_request_t *request,
    OCSP_BASICRESP *basic, int64_t now, int64_t next);
static int cmp_ocsp_sign(const cmp_ocsp_signer_t *signer,
    OCSP_BASICRESP *basic, int64_t now);
static void cmp_ocsp_free_request(void *data);


int
cmp_ocsp_parse(const cmp_ca_t *ca, const unsigned char *der, size_t len,
    cmp_pool_t *pool, cmp_ocsp_request_t *request)
{
    int                   i, n, rc;
    const unsigned char  *p;

    memset(request, 0, sizeof(cmp_ocsp_request_t));

    if (len == 0 || len > CMP_OCSP_MAX_REQUEST) {
        return cmp_ocsp_refuse(request, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST,
                               "it is empty or too long");
    }

    p = der;
    request->request = d2i_OCSP_REQUEST(NULL, &p, (long) len);

    cmp_crypto_error(NULL, 0);

    if (request->request == NULL || p != der + len) {
        OCSP_REQUEST_free(request->request);
        request->request = NULL;

        return cmp_ocsp_refuse(request, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST,
                               "it cannot be decoded");
    }

    if (cmp_pool_cleanup_add(pool, cmp_ocsp_free_request, request->request)
        != CMP_OK)
    {
        request->request = NULL;
        return CMP_ERROR;
    }

    rc = cmp_ocsp_extensions(request);
    n = OCSP_request_onereq_count(request->request);

    if (rc == CMP_OK && (n < 1 || n > CMP_OCSP_MAX_IDS)) {
        rc = cmp_ocsp_refuse(request, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST,
                             "it asks for none or for too many certificates");
    }

    for (i = 0; rc == CMP_OK && i < n; i++) {
        rc = cmp_ocsp_id(ca, request, i);
    }

    cmp_crypto_error(NULL, 0);

    return rc;
}


static int
cmp_ocsp_refuse(cmp_ocsp_request_t *request, int error, const char *log)
{
    request->error = error;
    request->log = log;

    return CMP_DECLINED;
}


/* what is critical and not understood is not answered (RFC 6960, 4.4) */

static int
cmp_ocsp_extensions(cmp_ocsp_request_t *request)
{
    int              i, n, rc;
    X509_EXTENSION  *ext;

    n = OCSP_REQUEST_get_ext_count(request->request);

    for (i = 0; i < n; i++) {

        ext = OCSP_REQUEST_get_ext(request->request, i);

        if (OBJ_obj2nid(X509_EXTENSION_get_object(ext))
            == NID_id_pkix_OCSP_Nonce)
        {
            rc = cmp_ocsp_nonce(request, ext);

            if (rc != CMP_OK) {
                return rc;
            }

            continue;
        }

        if (X509_EXTENSION_get_critical(ext)) {
            return cmp_ocsp_refuse(request,
                                   OCSP_RESPONSE_STATUS_MALFORMEDREQUEST,
                                   "it has an unknown critical extension");
        }
    }

    return CMP_OK;
}


/*
 * Nonce ::= OCTET STRING(SIZE(1..128)); 1.3.6.1.5.5.7.48.1.2
 */

static int
cmp_ocsp_nonce(cmp_ocsp_request_t *request, X509_EXTENSION *ext)
{
    int                       len;
    ASN1_OCTET_STRING        *nonce;
    const unsigned char      *p;
    const ASN1_OCTET_STRING  *value;

    value = X509_EXTENSION_get_data(ext);
    p = ASN1_STRING_get0_data(value);

    nonce = d2i_ASN1_OCTET_STRING(NULL, &p, ASN1_STRING_length(value));

    len = (nonce != NULL
           && p == ASN1_STRING_get0_data(value) + ASN1_STRING_length(value))
          ? ASN1_STRING_length(nonce) : 0;

    ASN1_OCTET_STRING_free(nonce);
    cmp_crypto_error(NULL, 0);

    if (len == 0 || len > CMP_OCSP_MAX_NONCE || request->nonce != NULL) {
        return cmp_ocsp_refuse(request, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST,
                               "its nonce has a wrong length");
    }

    request->nonce = ext;

    return CMP_OK;
}


static int
cmp_ocsp_id(const cmp_ca_t *ca, cmp_ocsp_request_t *request, int n)
{
    int                 i, hash;
    size_t              issuer;
    cmp_str_t           name_hash, key_hash;
    OCSP_ONEREQ        *one;
    ASN1_OBJECT        *md;
    ASN1_INTEGER       *serial;
    cmp_ocsp_id_t      *id;
    ASN1_OCTET_STRING  *name, *key;

    one = OCSP_request_onereq_get0(request->request, n);

    for (i = 0; i < OCSP_ONEREQ_get_ext_count(one); i++) {
        if (X509_EXTENSION_get_critical(OCSP_ONEREQ_get_ext(one, i))) {
            return cmp_ocsp_refuse(request,
                                   OCSP_RESPONSE_STATUS_MALFORMEDREQUEST,
                                   "it has an unknown critical extension");
        }
    }

    id = &request->ids[n];
    id->id = OCSP_onereq_get0_id(one);
    id->status = V_OCSP_CERTSTATUS_UNKNOWN;

    if (OCSP_id_get0_info(&name, &md, &key, &serial, id->id) != 1) {
        return CMP_ERROR;
    }

    hash = cmp_ocsp_hash(md);
    name_hash = cmp_octets(name);
    key_hash = cmp_octets(key);

    if (hash < 0
        || cmp_ocsp_find_issuer(ca, hash, &name_hash, &key_hash, &issuer)
           != CMP_OK
        || (n != 0 && issuer != request->issuer_index))
    {
        return cmp_ocsp_refuse(request, OCSP_RESPONSE_STATUS_UNAUTHORIZED,
                               "it asks for a certificate of somebody else");
    }

    if (n == 0) {
        request->hash = hash;
        request->issuer_index = issuer;
        request->issuer = cmp_ca_issuer(ca, issuer);
    }

    /* nothing is known of numbers that this CA never gives: unknown */

    if (ASN1_STRING_type(serial) == V_ASN1_INTEGER
        && ASN1_STRING_length(serial) <= CMP_SERIAL_LEN)
    {
        id->serial.data = (unsigned char *) ASN1_STRING_get0_data(serial);
        id->serial.len = ASN1_STRING_length(serial);
    }

    request->nids = n + 1;

    return CMP_OK;
}


static int
cmp_ocsp_hash(const ASN1_OBJECT *md)
{
    switch (OBJ_obj2nid(md)) {

    case NID_sha1:
        return CMP_HASH_SHA1;

    case NID_sha256:
        return CMP_HASH_SHA256;

    case NID_sha384:
        return CMP_HASH_SHA384;

    case NID_sha512:
        return CMP_HASH_SHA512;

    default:
        return -1;
    }
}


int
cmp_ocsp_find_issuer(const cmp_ca_t *ca, int hash, const cmp_str_t *name,
    const cmp_str_t *key, size_t *n)
{
    const cmp_issuer_t       *issuer;
    const cmp_issuer_hash_t  *own;

    for (*n = 0; /* void */ ; (*n)++) {

        issuer = cmp_ca_issuer(ca, *n);

        if (issuer == NULL) {
            return CMP_DECLINED;
        }

        own = &issuer->hashes[hash];

        if (own->len != 0
            && name->len == own->len
            && key->len == own->len
            && memcmp(name->data, own->name, own->len) == 0
            && memcmp(key->data, own->key, own->len) == 0)
        {
            return CMP_OK;
        }
    }
}


int
cmp_ocsp_respond(const cmp_ocsp_request_t *request,
    const cmp_ocsp_signer_t *signer, int64_t now, int64_t next,
    cmp_pool_t *pool, cmp_str_t *der)
{
    int              rc, len;
    OCSP_RESPONSE   *response;
    unsigned char   *out;
    OCSP_BASICRESP  *basic;

    rc = CMP_ERROR;
    out = NULL;
    response = NULL;

    basic = OCSP_BASICRESP_new();

    if (basic == NULL
        || cmp_ocsp_statuses(request, basic, now, next) != CMP_OK
        || (request->nonce != NULL
            && OCSP_BASICRESP_add_ext(basic, request->nonce, -1) != 1)
        || cmp_ocsp_sign(signer, basic, now) != CMP_OK)
    {
        goto done;
    }

    response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);

    if (response == NULL) {
        goto done;
    }

    len = i2d_OCSP_RESPONSE(response, &out);

    if (len > 0) {
        rc = cmp_pstrdup(pool, der, out, len);
    }

done:

    OPENSSL_free(out);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);

    cmp_crypto_error(NULL, 0);

    return rc;
}


static int
cmp_ocsp_statuses(const cmp_ocsp_request_t *request, OCSP_BASICRESP *basic,
    int64_t now, int64_t next)
{
    int                   rc, reason;
    size_t                i;
    ASN1_TIME            *this_update, *next_update, *revoked;
    const cmp_ocsp_id_t  *id;

    rc = CMP_OK;
    this_update = ASN1_GENERALIZEDTIME_set(NULL, (time_t) (now / 1000));
    next_update = ASN1_GENERALIZEDTIME_set(NULL, (time_t) (next / 1000));

    if (this_update == NULL || next_update == NULL) {
        rc = CMP_ERROR;
    }

    for (i = 0; rc == CMP_OK && i < request->nids; i++) {

        id = &request->ids[i];
        revoked = NULL;
        reason = OCSP_REVOKED_STATUS_NOSTATUS;

        if (id->status == V_OCSP_CERTSTATUS_REVOKED) {

            revoked = ASN1_GENERALIZEDTIME_set(NULL, (time_t) (id->revoked_at
                                                               / 1000));
            if (revoked == NULL) {
                rc = CMP_ERROR;
                break;
            }

            /* unspecified is left out, as in CRLs */

            if (id->reason != 0) {
                reason = id->reason;
            }
        }

        if (OCSP_basic_add1_status(basic, id->id, id->status, reason, revoked,
                                   this_update, next_update)
            == NULL)
        {
            rc = CMP_ERROR;
        }

        ASN1_TIME_free(revoked);
    }

    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);

    return rc;
}


static int
cmp_ocsp_sign(const cmp_ocsp_signer_t *signer, OCSP_BASICRESP *basic,
    int64_t now)
{
    int                    rc;
    EVP_MD_CTX            *ctx;
    unsigned long          flags;
    ASN1_GENERALIZEDTIME  *produced;

    /* libcrypto would look at the clock; there is no function to set it */

    produced = (ASN1_GENERALIZEDTIME *) OCSP_resp_get0_produced_at(basic);

    if (produced == NULL
        || ASN1_GENERALIZEDTIME_set(produced, (time_t) (now / 1000)) == NULL)
    {
        return CMP_ERROR;
    }

    ctx = cmp_sign_ctx(signer->key, signer->md);
    if (ctx == NULL) {
        return CMP_ERROR;
    }

    flags = OCSP_RESPID_KEY|OCSP_NOTIME;

    if (signer->delegated == 0) {
        flags |= OCSP_NOCERTS;
    }

    rc = OCSP_basic_sign_ctx(basic, signer->certificate, ctx, NULL, flags);

    EVP_MD_CTX_free(ctx);

    return rc == 1 ? CMP_OK : CMP_ERROR;
}


/* by the key identifiers: all that is in the store was verified once */

int
cmp_ocsp_issued_by(const cmp_issuer_t *issuer, const cmp_str_t *der)
{
    int                       rc;
    X509                     *cert;
    const unsigned char      *p;
    const ASN1_OCTET_STRING  *aki, *ski;

    p = der->data;
    cert = d2i_X509(NULL, &p, (long) der->len);

    if (cert == NULL) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    aki = X509_get0_authority_key_id(cert);
    ski = X509_get0_subject_key_id(issuer->certificate);

    rc = (aki != NULL && ski != NULL && ASN1_OCTET_STRING_cmp(aki, ski) == 0)
         ? CMP_OK : CMP_DECLINED;

    X509_free(cert);
    cmp_crypto_error(NULL, 0);

    return rc;
}


/*
 * OCSPResponse ::= SEQUENCE {
 *     responseStatus         OCSPResponseStatus,
 *     responseBytes          [0] EXPLICIT ResponseBytes OPTIONAL }
 */

void
cmp_ocsp_refusal(int status, unsigned char der[5])
{
    der[0] = V_ASN1_CONSTRUCTED|V_ASN1_SEQUENCE;
    der[1] = 3;
    der[2] = V_ASN1_ENUMERATED;
    der[3] = 1;
    der[4] = (unsigned char) status;
}


static void
cmp_ocsp_free_request(void *data)
{
    OCSP_REQUEST_free(data);
}
