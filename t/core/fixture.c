
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <fixture.h>

#include <cmp_msg.h>

#include <unistd.h>



static void fixture_fail(const char *text);
static void fixture_dump(const unsigned char *der, size_t len);
static void fixture_remember(fixture_t *f);
static void fixture_check_answer(fixture_t *f, const cmp_pki_message_t *req);
static void fixture_check_header(fixture_t *f, const cmp_pki_header_t *req);
static void fixture_check_nonce(fixture_t *f, const ASN1_OCTET_STRING *nonce);
static void fixture_check_protection(fixture_t *f);
static void fixture_check_status(fixture_t *f);
static void fixture_check_certs(fixture_t *f);
static const char *fixture_describe(fixture_t *f);


static void
fixture_fail(const char *text)
{
    fail_msg("%s", text);
}


fixture_t *
fixture_create(int key)
{
    fixture_t  *f;

    harness_fail = fixture_fail;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    f->h = harness_create(key);
    client_init(&f->c, 2, f->h->now);
    harness_client_mac(f->h, &f->c);

    f->key = pki_key(PKI_P256, "device");
    f->key2 = pki_key(PKI_P256, "device 2");

    return f;
}


void
fixture_destroy(fixture_t *f)
{
    client_answer_free(f->a);
    EVP_PKEY_free(f->key);
    EVP_PKEY_free(f->key2);
    sk_X509_pop_free(f->c.chain, X509_free);
    harness_destroy(f->h);
    free(f->request);
    free(f);
}


int
fixture_setup(void **state)
{
    *state = fixture_create(PKI_ED25519);

    return 0;
}


int
fixture_setup_strict(void **state)
{
    fixture_t  *f;

    f = fixture_create(PKI_ED25519);
    fixture_strict(f);
    *state = f;

    return 0;
}


int
fixture_teardown(void **state)
{
    fixture_destroy(*state);

    return 0;
}


void
fixture_strict(fixture_t *f)
{
    f->h->ca.conformance = CMP_RFC9483;
    f->h->ca.time_window = 300000;

    if (f->c.chain == NULL) {
        f->c.chain = sk_X509_new_null();
        assert_int_equal(X509_add_cert(f->c.chain, f->h->issuer.cert,
                                       X509_ADD_FLAG_UP_REF),
                         1);
    }
}


void
fixture_sign(fixture_t *f, const harness_pair_t *pair)
{
    harness_client_sign(f->h, &f->c, pair);
}


client_answer_t *
fixture_send(fixture_t *f, cmp_pki_message_t *msg)
{
    client_protect(&f->c, msg);

    return fixture_send_raw(f, msg);
}


client_answer_t *
fixture_send_raw(fixture_t *f, cmp_pki_message_t *msg)
{
    size_t            len;
    unsigned char    *der;
    client_answer_t  *answer;

    der = client_encode(msg, &len);
    answer = fixture_send_bytes(f, der, len);
    free(der);

    return answer;
}


client_answer_t *
fixture_repeat(fixture_t *f)
{
    size_t            len;
    unsigned char    *der;
    client_answer_t  *answer;

    len = f->request_len;
    der = malloc(len);
    assert_non_null(der);
    memcpy(der, f->request, len);

    answer = fixture_send_bytes(f, der, len);
    free(der);

    return answer;
}


client_answer_t *
fixture_send_bytes(fixture_t *f, const unsigned char *der, size_t len)
{
    cmp_pki_message_t  *req;

    free(f->request);
    f->request = malloc(len + 1);
    assert_non_null(f->request);
    memcpy(f->request, der, len);
    f->request_len = len;

    client_answer_free(f->a);
    f->a = NULL;

    fixture_dump(der, len);
    fixture_remember(f);

    (void) harness_exchange(f->h, der, len);

    if (f->h->reply == NULL) {
        return NULL;
    }

    f->a = client_answer(f->h->reply, f->h->reply_len);
    assert_non_null(f->a);

    req = cmp_asn1_decode(cmp_pki_message_t, der, len);
    fixture_check_answer(f, req);
    cmp_asn1_free(cmp_pki_message_t, req);

    if (f->h->result == CMP_EXCHANGE_COMMIT || f->h->info.repeat) {
        client_accept(&f->c, f->a);
    }

    return f->a;
}


/* seeds for the fuzz drivers: what fuzz_exchange reads in front is zero */

static void
fixture_dump(const unsigned char *der, size_t len)
{
    int              i;
    FILE            *file;
    const char      *dir;
    char             path[256];
    unsigned char    head[6];
    static unsigned  n;

    dir = getenv("CMP_TEST_CORPUS");

    if (dir == NULL || len > 0xffff) {
        return;
    }

    memset(head, 0, sizeof(head));
    head[4] = len >> 8;
    head[5] = len & 0xff;

    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s-%d-%u", dir,
                 (i == 0) ? "msg" : "exchange", (int) getpid(), n);

        file = fopen(path, "wb");
        assert_non_null(file);

        if (i == 1) {
            (void) fwrite(head, 1, sizeof(head), file);
        }

        (void) fwrite(der, 1, len, file);
        (void) fclose(file);
    }

    n++;
}


static void
fixture_remember(fixture_t *f)
{
    size_t            i;
    memstore_t       *store;
    memstore_cert_t  *cert;

    store = f->h->store;

    f->changes = store->changes;
    f->audits = store->audits.n;
    f->certs = store->certs.n;
    f->versions = 0;

    for (i = 0; i < store->certs.n; i++) {
        cert = store->certs.items[i];
        f->versions += cert->record.version;
    }
}


static void
fixture_check_answer(fixture_t *f, const cmp_pki_message_t *req)
{
    unsigned char  *der;

    /* DER all through */

    assert_int_equal(cmp_asn1_encode(cmp_pki_message_t, f->a->msg, &der),
                     f->a->len);
    assert_memory_equal(der, f->a->der, f->a->len);
    OPENSSL_free(der);

    if (req != NULL) {
        fixture_check_header(f, req->header);
    }

    if (f->h->result == CMP_EXCHANGE_UNDECODABLE) {
        assert_null(f->a->msg->protection);
        assert_null(f->a->msg->header->protection_alg);

    } else {
        fixture_check_protection(f);
    }

    if (!f->h->info.repeat) {
        fixture_check_nonce(f, f->a->msg->header->sender_nonce);
    }

    fixture_check_status(f);
    fixture_check_certs(f);
}


static void
fixture_check_header(fixture_t *f, const cmp_pki_header_t *req)
{
    int64_t                  pvno;
    ASN1_GENERALIZEDTIME    *now;
    const cmp_pki_header_t  *header;

    header = f->a->msg->header;

    if (ASN1_INTEGER_get_int64(&pvno, req->pvno) == 1) {
        pvno = (pvno < 2) ? 2 : (pvno > 3) ? 3 : pvno;
        assert_int_equal(ASN1_INTEGER_get(header->pvno), pvno);
    }

    /* one that is longer than allowed is not sent back */

    if (req->transaction_id != NULL
        && req->transaction_id->length != 0
        && req->transaction_id->length <= 64)
    {
        assert_non_null(header->transaction_id);
        assert_int_equal(ASN1_OCTET_STRING_cmp(header->transaction_id,
                                               req->transaction_id),
                         0);
    }

    if (req->sender_nonce != NULL) {
        assert_non_null(header->recip_nonce);
        assert_int_equal(ASN1_OCTET_STRING_cmp(header->recip_nonce,
                                               req->sender_nonce),
                         0);

    } else {
        assert_null(header->recip_nonce);
    }

    assert_int_equal(GENERAL_NAME_cmp(header->recipient, req->sender), 0);

    if (!f->h->info.repeat) {
        now = ASN1_GENERALIZEDTIME_set(NULL, f->h->now / 1000);
        assert_non_null(header->message_time);
        assert_int_equal(ASN1_STRING_cmp(header->message_time, now), 0);
        ASN1_GENERALIZEDTIME_free(now);
    }
}


static void
fixture_check_nonce(fixture_t *f, const ASN1_OCTET_STRING *nonce)
{
    size_t  i;

    assert_non_null(nonce);
    assert_int_equal(nonce->length, 16);

    for (i = 0; i < f->nnonces; i++) {
        assert_memory_not_equal(f->nonces[i], nonce->data, 16);
    }

    if (f->nnonces < FIXTURE_NONCES) {
        memcpy(f->nonces[f->nnonces++], nonce->data, 16);
    }
}


static void
fixture_check_protection(fixture_t *f)
{
    int                      nid, mac;
    char                     err[128];
    X509_NAME               *name;
    const cmp_pki_header_t  *header;

    header = f->a->msg->header;

    if (f->unprotected) {
        assert_null(header->protection_alg);
        assert_null(f->a->msg->protection);
        return;
    }

    if (client_verify(&f->c, f->a, err, sizeof(err)) != 1) {
        fail_msg("%s: %s", err, fixture_describe(f));
    }

    nid = OBJ_obj2nid(header->protection_alg->algorithm);
    mac = (nid == NID_id_PasswordBasedMAC || nid == NID_pbmac1);

    if (f->h->info.authenticated && f->c.protection != CLIENT_SIGNATURE) {

        /* MAC in, MAC out */

        assert_true(mac
                    || (f->h->ca.error_signature
                        && f->a->type == CMP_BODY_ERROR));
    }

    name = X509_get_subject_name(mac ? f->h->issuer.cert
                                     : f->h->response.cert);

    assert_int_equal(header->sender->type, GEN_DIRNAME);
    assert_int_equal(X509_NAME_cmp(header->sender->d.directoryName, name), 0);
}


static void
fixture_check_status(fixture_t *f)
{
    int                     i;
    X509                   *cert;
    cmp_pki_status_info_t  *info;

    for (i = 0; i < f->a->nstatus; i++) {
        info = client_status(f->a, i);
        cert = client_certificate(f->a, i);

        switch (ASN1_INTEGER_get(info->status)) {

        case CMP_STATUS_REJECTION:
            if (client_fail_info(info) < 0
                || sk_ASN1_UTF8STRING_num(info->status_string) < 1
                || cert != NULL)
            {
                fail_msg("not one bit and a text: %s", fixture_describe(f));
            }

            break;

        case CMP_STATUS_GRANTED_WITH_MODS:
            assert_true(sk_ASN1_UTF8STRING_num(info->status_string) > 0);

            /* fall through */

        case CMP_STATUS_ACCEPTED:
            assert_int_equal(client_fail_info(info), -1);

            if (f->a->type == CMP_BODY_IP
                || f->a->type == CMP_BODY_CP
                || f->a->type == CMP_BODY_KUP)
            {
                assert_non_null(cert);
            }

            break;

        case CMP_STATUS_WAITING:
            assert_int_equal(client_fail_info(info), -1);
            assert_true(sk_ASN1_UTF8STRING_num(info->status_string) > 0);
            assert_null(cert);
            break;

        default:
            fail_msg("a strange status: %s", fixture_describe(f));
        }
    }

    if (f->a->type == CMP_BODY_ERROR && f->a->status != CMP_STATUS_WAITING) {
        assert_int_equal(f->a->status, CMP_STATUS_REJECTION);

        if (!f->h->info.repeat) {
            assert_int_equal(f->h->info.fail_info, f->a->fail_info);
        }
    }
}


/* who gets a certificate can build its path from extraCerts */

static void
fixture_check_certs(fixture_t *f)
{
    int              i;
    X509            *root;
    X509_STORE      *store;
    STACK_OF(X509)  *extra;
    X509_STORE_CTX  *ctx;

    extra = f->a->msg->extra_certs;

    if (f->a->cert == NULL) {
        return;
    }

    for (i = 0, root = NULL; i < sk_X509_num(extra); i++) {
        if (X509_cmp(sk_X509_value(extra, i), f->h->root.cert) == 0) {
            root = sk_X509_value(extra, i);
        }
    }

    if (f->h->ca.no_root) {
        assert_null(root);

    } else {
        assert_non_null(root);
    }

    store = X509_STORE_new();
    ctx = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_add_cert(store, f->h->root.cert), 1);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, f->a->cert, extra), 1);
    X509_STORE_CTX_set_time(ctx, 0, f->h->now / 1000);

    if (X509_verify_cert(ctx) != 1) {
        fail_msg("the certificate does not verify: %s",
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }

    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
}


static const char *
fixture_describe(fixture_t *f)
{
    static char  text[1400];

    if (f->a == NULL) {
        snprintf(text, sizeof(text), "no answer, result %d", f->h->result);
        return text;
    }

    snprintf(text, sizeof(text), "%s, status %d, failInfo %d (%s), \"%s\"",
             cmp_body_name(f->a->type), f->a->status, f->a->fail_info,
             cmp_fail_info_name(f->a->fail_info), f->a->text);

    return text;
}


cmp_pki_message_t *
fixture_request(fixture_t *f, int type, const char *subject, EVP_PKEY *key)
{
    client_request_t    request;
    cmp_pki_message_t  *msg;

    client_begin(&f->c);
    msg = client_message(&f->c, type);

    if (subject == NULL) {
        subject = FIXTURE_SUBJECT;
    }

    if (type == CMP_BODY_P10CR) {
        client_set_p10(msg, subject, key, NULL);
        return msg;
    }

    memset(&request, 0, sizeof(client_request_t));
    request.subject = subject;
    request.key = key;

    (void) client_add_request(&f->c, msg, &request);

    return msg;
}


cmp_pki_message_t *
fixture_ir(fixture_t *f)
{
    return fixture_request(f, CMP_BODY_IR, NULL, f->key);
}


cmp_pki_message_t *
fixture_kur(fixture_t *f, X509 *cert, EVP_PKEY *key)
{
    X509_NAME           *name;
    client_request_t     request;
    cmp_pki_message_t   *msg;
    cmp_cert_req_msg_t  *req;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_KUR);

    memset(&request, 0, sizeof(client_request_t));
    request.key = key;
    request.old = cert;
    request.subject = "";

    req = client_add_request(&f->c, msg, &request);

    name = X509_NAME_dup(X509_get_subject_name(cert));
    X509_NAME_free(req->cert_req->cert_template->subject);
    req->cert_req->cert_template->subject = name;

    client_pop(&f->c, req, &request);

    return msg;
}


cmp_pki_message_t *
fixture_rr(fixture_t *f, X509 *cert, int reason)
{
    cmp_pki_message_t  *msg;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_RR);
    (void) client_add_revocation(msg, cert, reason);

    return msg;
}


cmp_pki_message_t *
fixture_conf(fixture_t *f)
{
    int                       i;
    X509                     *cert;
    cmp_pki_message_t        *msg;
    cmp_cert_response_t      *response;
    cmp_cert_rep_message_t   *rep;

    msg = client_message(&f->c, CMP_BODY_CERTCONF);

    assert_non_null(f->a);
    assert_non_null(f->a->cert);
    rep = f->a->msg->body->value.ip;

    for (i = 0; i < sk_cmp_cert_response_t_num(rep->response); i++) {
        response = sk_cmp_cert_response_t_value(rep->response, i);
        cert = client_certificate(f->a, i);

        if (cert != NULL) {
            (void) client_add_status(msg, cert,
                                     ASN1_INTEGER_get(response->cert_req_id),
                                     -1);
        }
    }

    return msg;
}


client_answer_t *
fixture_poll(fixture_t *f, int id)
{
    cmp_pki_message_t  *msg;

    msg = client_message(&f->c, CMP_BODY_POLLREQ);
    client_add_poll(msg, id);

    return fixture_send(f, msg);
}


void
fixture_check_waits(fixture_t *f, int body, const char *file, int line)
{
    memstore_audit_t  *audit;

    audit = memstore_audit(f->h->store, 0);

    if (f->a == NULL
        || f->a->type != body
        || f->a->status != CMP_STATUS_WAITING
        || f->h->info.status != CMP_STATUS_WAITING
        || f->h->store->audits.n == f->audits
        || audit->record.status != CMP_STATUS_WAITING)
    {
        fail_msg("%s:%d: waiting expected: %s", file, line,
                 fixture_describe(f));
    }
}


void
fixture_check_later(fixture_t *f, int id, const char *file, int line)
{
    cmp_poll_rep_t  *rep;

    if (f->a == NULL
        || f->a->type != CMP_BODY_POLLREP
        || sk_cmp_poll_rep_t_num(f->a->msg->body->value.poll_rep) != 1)
    {
        fail_msg("%s:%d: pollRep expected: %s", file, line,
                 fixture_describe(f));
    }

    rep = sk_cmp_poll_rep_t_value(f->a->msg->body->value.poll_rep, 0);

    assert_int_equal(ASN1_INTEGER_get(rep->cert_req_id), id);
    assert_int_equal(ASN1_INTEGER_get(rep->check_after),
                     f->h->ca.check_after / 1000);
    assert_int_equal(sk_ASN1_UTF8STRING_num(rep->reason), 1);
}


void
fixture_check_refused(fixture_t *f, int body, int bit, int effect,
    const char *file, int line)
{
    size_t             i;
    uint64_t           versions;
    memstore_t        *store;
    memstore_cert_t   *cert;
    memstore_audit_t  *audit;

    if (f->a == NULL
        || f->a->type != body
        || f->a->status != CMP_STATUS_REJECTION
        || f->a->fail_info != bit)
    {
        fail_msg("%s:%d: %s %s expected: %s", file, line, cmp_body_name(body),
                 cmp_fail_info_name(bit), fixture_describe(f));
    }

    store = f->h->store;
    versions = 0;

    for (i = 0; i < store->certs.n; i++) {
        cert = store->certs.items[i];
        versions += cert->record.version;
    }

    if (effect == FIXTURE_QUIET) {
        if (store->changes != f->changes) {
            fail_msg("%s:%d: the store was changed: %s", file, line,
                     fixture_describe(f));
        }

        return;
    }

    audit = memstore_audit(store, 0);

    if (store->audits.n == f->audits
        || audit->record.status != CMP_STATUS_REJECTION
        || audit->record.fail_info != bit)
    {
        fail_msg("%s:%d: no audit row: %s", file, line, fixture_describe(f));
    }

    if (effect == FIXTURE_AUDITED
        && (store->certs.n != f->certs || versions != f->versions))
    {
        fail_msg("%s:%d: certificates were changed: %s", file, line,
                 fixture_describe(f));
    }
}


void
fixture_check_granted(fixture_t *f, int body, const char *file, int line)
{
    int                     i;
    memstore_audit_t       *audit;
    cmp_pki_status_info_t  *info;

    if (f->a == NULL || f->a->type != body) {
        fail_msg("%s:%d: %s expected: %s", file, line, cmp_body_name(body),
                 fixture_describe(f));
    }

    for (i = 0; i < f->a->nstatus; i++) {
        info = client_status(f->a, i);

        if (ASN1_INTEGER_get(info->status) != CMP_STATUS_ACCEPTED) {
            fail_msg("%s:%d: accepted expected: %s", file, line,
                     fixture_describe(f));
        }
    }

    audit = memstore_audit(f->h->store, 0);

    if (!f->h->info.repeat
        && f->h->info.authenticated
        && (f->h->store->audits.n == f->audits
            || audit->record.status == CMP_STATUS_REJECTION))
    {
        fail_msg("%s:%d: no audit row: %s", file, line, fixture_describe(f));
    }
}


int
fixture_state(fixture_t *f, X509 *cert)
{
    memstore_cert_t  *row;

    row = harness_row(f->h, cert);

    return (row != NULL) ? row->record.state : -1;
}


X509 *
fixture_keep(fixture_t *f)
{
    assert_non_null(f->a);
    assert_non_null(f->a->cert);
    assert_int_equal(X509_up_ref(f->a->cert), 1);

    return f->a->cert;
}
