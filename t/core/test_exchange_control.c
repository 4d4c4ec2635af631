
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Controls and regInfo of certificate requests (RFC 4211, 6 and 7): what is
 * handled, and that the rest is refused, never ignored.
 */


#include <fixture.h>

#include <openssl/sha.h>


#define TEST_TOKEN  "2aXhK7wq0tRkPz5mV9bQ"


/* a control for a request; an ASN1_TYPE that is not used any more */

static void
test_add(STACK_OF(cmp_attribute_type_and_value_t) **list,
    const cmp_oid_t *oid, ASN1_TYPE *value)
{
    cmp_attribute_type_and_value_t  *attr;

    attr = cmp_asn1_new(cmp_attribute_type_and_value_t);
    assert_non_null(attr);

    ASN1_OBJECT_free(attr->type);
    attr->type = cmp_oid_object(oid);
    ASN1_TYPE_free(attr->value);
    attr->value = value;

    if (*list == NULL) {
        *list = sk_cmp_attribute_type_and_value_t_new_null();
    }

    assert_true(sk_cmp_attribute_type_and_value_t_push(*list, attr) > 0);
}


/* one more request for key, with a regToken unless it is NULL */

static cmp_cert_req_msg_t *
test_request(fixture_t *f, cmp_pki_message_t *msg, int id,
    const char *subject, EVP_PKEY *key, const char *token)
{
    client_request_t     request;
    cmp_cert_req_msg_t  *req;

    memset(&request, 0, sizeof(client_request_t));
    request.id = id;
    request.subject = subject;
    request.key = key;

    req = client_add_request(&f->c, msg, &request);

    if (token != NULL) {
        test_add(&req->cert_req->controls, &cmp_oid_reg_ctrl_reg_token,
                 client_value(V_ASN1_UTF8STRING, token));
        client_pop(&f->c, req, &request);
    }

    return req;
}


static client_answer_t *
test_send(fixture_t *f, const char *subject, const char *token)
{
    cmp_pki_message_t  *msg;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) test_request(f, msg, 0, subject, f->key, token);

    return fixture_send(f, msg);
}


/* two requests with one token */

static void
test_send_two(fixture_t *f, const char *first, const char *second)
{
    cmp_pki_message_t  *msg;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) test_request(f, msg, 0, first, f->key, TEST_TOKEN);
    (void) test_request(f, msg, 1, second, f->key2, TEST_TOKEN);
    fixture_send(f, msg);
}


/* an ir with one more control (or regInfo) than it has */

static void
test_send_control(fixture_t *f, const cmp_oid_t *oid, int reg_info,
    ASN1_TYPE *value)
{
    client_request_t     request;
    cmp_pki_message_t   *msg;
    cmp_cert_req_msg_t  *req;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;

    msg = fixture_ir(f);
    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    test_add(reg_info ? &req->reg_info : &req->cert_req->controls, oid, value);
    client_pop(&f->c, req, &request);
    fixture_send(f, msg);
}


/* good for one request for any name, unless the row is changed */

static cmp_credential_t *
test_token(fixture_t *f, const char *token)
{
    unsigned char     hash[SHA256_DIGEST_LENGTH];
    cmp_credential_t  row;

    memset(&row, 0, sizeof(cmp_credential_t));

    row.reference.data = (unsigned char *) "T1";
    row.reference.len = 2;
    row.token_hash.data = SHA256((unsigned char *) token, strlen(token), hash);
    row.token_hash.len = SHA256_DIGEST_LENGTH;
    row.uses_left = 1;

    return memstore_add_credential(f->h->store, HARNESS_CA_ID, &row);
}


static void
test_token_needed(void **state)
{
    fixture_t         *f;
    memstore_audit_t  *audit;
    cmp_credential_t  *token;

    f = *state;
    f->h->credential->token_needed = 1;
    token = test_token(f, TEST_TOKEN);

    test_send(f, FIXTURE_SUBJECT, NULL);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_non_null(strstr(f->a->text, "needs a registration token"));

    test_send(f, FIXTURE_SUBJECT, TEST_TOKEN);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->h->loads, 1);
    assert_int_equal(token->uses_left, 0);

    audit = memstore_audit(f->h->store, 0);
    assert_int_equal(audit->record.text.len, 11);
    assert_memory_equal(audit->record.text.data, "regToken T1", 11);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
}


/* what is wrong with it is nobody else's business: one text for all */

static void
test_token_wrong(void **state)
{
    int                i;
    char               text[1024];
    fixture_t         *f;
    cmp_credential_t  *token;

    f = *state;
    token = test_token(f, TEST_TOKEN);
    text[0] = '\0';

    for (i = 0; i < 5; i++) {

        token->uses_left = (i == 1) ? 0 : 1;
        token->disabled = (i == 2);
        token->not_after = (i == 3) ? f->h->store->now : 0;

        if (i == 4) {

            /* a shared secret is none, nor is its reference */

            test_send(f, FIXTURE_SUBJECT, HARNESS_SECRET);

        } else {
            test_send(f, FIXTURE_SUBJECT, (i == 0) ? "unknown" : TEST_TOKEN);
        }

        fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED,
                        FIXTURE_AUDITED);

        if (i == 0) {
            snprintf(text, sizeof(text), "%s", f->a->text);
        }

        assert_string_equal(f->a->text, text);
    }

    assert_int_equal(token->uses_left, 1);
    token->not_after = f->h->store->now + 1;

    test_send(f, FIXTURE_SUBJECT, TEST_TOKEN);
    fixture_granted(f, CMP_BODY_IP);
}


/* the second of two requests with one token is refused */

static void
test_token_twice(void **state)
{
    fixture_t         *f;
    cmp_credential_t  *token;

    f = *state;
    token = test_token(f, TEST_TOKEN);

    test_send_two(f, "/CN=a", "/CN=b");

    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->a->nstatus, 2);
    assert_int_equal(f->a->status, CMP_STATUS_ACCEPTED);
    assert_int_equal(f->h->store->certs.n, f->certs + 1);
    assert_int_equal(token->uses_left, 0);
}


/* one that failed for another reason leaves it for the next */

static void
test_token_left(void **state)
{
    fixture_t         *f;
    cmp_credential_t  *token;

    f = *state;
    token = test_token(f, TEST_TOKEN);

    test_send_two(f, "/L=a", "/CN=b");

    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_CERT_TEMPLATE);
    assert_int_equal(f->h->store->certs.n, f->certs + 1);
    assert_int_equal(token->uses_left, 0);
}


/* its limits come on top of those of the requester */

static void
test_token_limits(void **state)
{
    fixture_t         *f;
    cmp_str_t          list[1];
    cmp_credential_t  *token;
    static cmp_str_t   subject = cmp_string("CN=device-*,O=Example");

    f = *state;
    token = test_token(f, TEST_TOKEN);
    token->subject = subject;

    test_send(f, "/CN=other/O=Example", TEST_TOKEN);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_non_null(strstr(f->a->text, "is not for this: subject"));

    token->profiles = list;
    token->nprofiles = 1;
    list[0].data = (unsigned char *) "server";
    list[0].len = 6;
    test_send(f, FIXTURE_SUBJECT, TEST_TOKEN);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_non_null(strstr(f->a->text, "is not for this: profile"));

    token->nprofiles = 0;
    token->sans = list;
    token->nsans = 1;
    list[0].data = (unsigned char *) "dns:a.example";
    list[0].len = 13;
    client_begin(&f->c);
    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(token->uses_left, 1);

    /* never more than the requester may */

    f->h->credential->subject.data = (unsigned char *) "CN=x,O=Example";
    f->h->credential->subject.len = 14;
    token->nsans = 0;
    test_send(f, FIXTURE_SUBJECT, TEST_TOKEN);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_null(strstr(f->a->text, "regToken"));
    assert_int_equal(token->uses_left, 1);
}


/* somebody else is faster: decided again, and refused */

static void
test_spend(void *data)
{
    cmp_credential_t *token = data;

    token->uses_left = 0;
}


static void
test_token_race(void **state)
{
    fixture_t         *f;
    cmp_credential_t  *token;

    f = *state;
    token = test_token(f, TEST_TOKEN);
    f->h->store->rival = test_spend;
    f->h->store->rival_data = token;

    test_send(f, FIXTURE_SUBJECT, TEST_TOKEN);
    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);
    assert_int_equal(f->h->store->certs.n, f->certs);
    assert_int_equal(f->h->loads, 2);
}


/* the same bytes again: the same answer, nothing is spent twice */

static void
test_token_repeat(void **state)
{
    fixture_t         *f;
    cmp_credential_t  *token;

    f = *state;
    token = test_token(f, TEST_TOKEN);

    test_send(f, FIXTURE_SUBJECT, TEST_TOKEN);
    fixture_granted(f, CMP_BODY_IP);
    fixture_repeat(f);
    assert_int_equal(f->a->status, CMP_STATUS_ACCEPTED);
    assert_int_equal(token->uses_left, 0);
}


/* spent when the request begins to wait, and not asked for again */

static void
test_token_waits(void **state)
{
    fixture_t           *f;
    cmp_credential_t    *token;
    memstore_request_t  *row;

    f = *state;
    f->h->device.approval = 1;
    f->h->credential->token_needed = 1;
    token = test_token(f, TEST_TOKEN);

    test_send(f, FIXTURE_SUBJECT, TEST_TOKEN);
    fixture_waits(f, CMP_BODY_IP);
    assert_int_equal(token->uses_left, 0);

    row = memstore_request(f->h->store, 0);
    assert_int_equal(row->data.text.len, 11);
    assert_memory_equal(row->data.text.data, "regToken T1", 11);

    assert_int_equal(memstore_decide(f->h->store, row, 1, NULL), CMP_OK);
    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(token->uses_left, 0);
}


/* anchors may ask for one too */

static void
test_token_vendor(void **state)
{
    fixture_t         *f;
    cmp_credential_t  *token;

    f = *state;
    token = test_token(f, TEST_TOKEN);
    fixture_sign(f, &f->h->device_cert);
    f->h->vendor_scope.token_needed = 1;

    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_int_equal(token->uses_left, 1);
    f->h->vendor_scope.token_needed = 0;
}


/* controls and regInfo: refused with a text, none is ignored */

static void
test_controls(void **state)
{
    size_t                i;
    fixture_t            *f;
    static const struct {
        const cmp_oid_t  *oid;
        int               tag;
        const char       *value;
        const char       *text;
    } cases[] = {
        { &cmp_oid_reg_ctrl_reg_token, V_ASN1_UTF8STRING, "", "regToken is" },
        { &cmp_oid_reg_ctrl_reg_token, V_ASN1_PRINTABLESTRING, TEST_TOKEN,
          "regToken is" },
        { &cmp_oid_reg_ctrl_authenticator, V_ASN1_UTF8STRING, "value", "" },
        { &cmp_oid_reg_ctrl_pki_publication_info, V_ASN1_UTF8STRING, "value",
          "cannot be decoded" },
        { &cmp_oid_reg_ctrl_pki_publication_info, V_ASN1_SEQUENCE,
          "\x30\x03\x02\x01\x01", "are not published" },
        { &cmp_oid_reg_ctrl_pki_publication_info, V_ASN1_SEQUENCE,
          "\x30\x0a\x02\x01\x02\x30\x05\x30\x03\x02\x01\x01",
          "are not published" },
        { &cmp_oid_reg_ctrl_pki_archive_options, V_ASN1_UTF8STRING, "value",
          "" },
        { &cmp_oid_reg_ctrl_protocol_encr_key, V_ASN1_UTF8STRING, "value",
          "" },
        { &cmp_oid_reg_ctrl_alt_cert_template, V_ASN1_UTF8STRING, "value",
          "" },
        { &cmp_oid_it_ca_certs, V_ASN1_UTF8STRING, "value", "" },
        { &cmp_oid_reg_info_utf8_pairs, V_ASN1_UTF8STRING, "value", "" },
        { &cmp_oid_reg_info_cert_req, V_ASN1_UTF8STRING, "value", "" }
    };

    f = *state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_send_control(f, cases[i].oid,
                          cases[i].oid == &cmp_oid_reg_info_utf8_pairs
                          || cases[i].oid == &cmp_oid_reg_info_cert_req,
                          client_value(cases[i].tag, cases[i].value));
        fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_AUDITED);
        assert_non_null(strstr(f->a->text, cases[i].text));
    }
}


/* PKIPublicationInfo: nothing is published, so dontPublish is granted */

static ASN1_TYPE *
test_publication(int action, int info)
{
    int                          len;
    ASN1_TYPE                   *type;
    ASN1_STRING                 *string;
    unsigned char               *der;
    cmp_single_pub_info_t       *single;
    cmp_pki_publication_info_t  *publication;

    publication = cmp_asn1_new(cmp_pki_publication_info_t);
    assert_non_null(publication);
    assert_int_equal(ASN1_INTEGER_set(publication->action, action), 1);

    if (info) {
        single = cmp_asn1_new(cmp_single_pub_info_t);
        assert_non_null(single);
        publication->pub_infos = sk_cmp_single_pub_info_t_new_null();
        assert_true(sk_cmp_single_pub_info_t_push(publication->pub_infos,
                                                  single)
                    > 0);
    }

    len = cmp_asn1_encode(cmp_pki_publication_info_t, publication, &der);
    assert_true(len > 0);
    cmp_asn1_free(cmp_pki_publication_info_t, publication);

    type = ASN1_TYPE_new();
    string = ASN1_STRING_new();
    assert_true(type != NULL && string != NULL);
    ASN1_STRING_set0(string, der, len);
    ASN1_TYPE_set(type, V_ASN1_SEQUENCE, string);

    return type;
}


static void
test_dont_publish(void **state)
{
    int         i;
    fixture_t  *f;

    f = *state;

    /* pleasePublish, dontPublish with pubInfos, dontPublish */

    for (i = 0; i < 3; i++) {
        test_send_control(f, &cmp_oid_reg_ctrl_pki_publication_info, 0,
                          test_publication(i == 0, i == 1));

        if (i == 2) {
            fixture_granted(f, CMP_BODY_IP);
            continue;
        }

        fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_AUDITED);
    }
}


/* a control that is handled, but stands there twice */

static void
test_twice(void **state)
{
    fixture_t           *f;
    client_request_t     request;
    cmp_credential_t    *token;
    cmp_pki_message_t   *msg;
    cmp_cert_req_msg_t  *req;

    f = *state;
    token = test_token(f, TEST_TOKEN);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    req = test_request(f, msg, 0, FIXTURE_SUBJECT, f->key, TEST_TOKEN);
    test_add(&req->cert_req->controls, &cmp_oid_reg_ctrl_reg_token,
             client_value(V_ASN1_UTF8STRING, "another"));
    client_pop(&f->c, req, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    assert_int_equal(token->uses_left, 1);
}


/* an oldCertID in an ir has no meaning */

static void
test_old_cert_id_in_ir(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;
    request.old = pair.cert;
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    harness_pair_free(&pair);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_token_needed),
        fixture_test(test_token_wrong),
        fixture_test(test_token_twice),
        fixture_test(test_token_left),
        fixture_test(test_token_limits),
        fixture_test(test_token_race),
        fixture_test(test_token_repeat),
        fixture_test(test_token_waits),
        fixture_test(test_token_vendor),
        fixture_test(test_controls),
        fixture_test(test_dont_publish),
        fixture_test(test_twice),
        fixture_test(test_old_cert_id_in_ir)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
