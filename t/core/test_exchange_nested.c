
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Nested messages: added protection, batches, and who may send them.
 */


#include <fixture.h>


/* an ir by the client, protected, for the subject */

static cmp_pki_message_t *
test_ir(fixture_t *f, client_t *client, const char *subject, EVP_PKEY *key)
{
    client_request_t    request;
    cmp_pki_message_t  *msg;

    (void) f;

    memset(&request, 0, sizeof(client_request_t));

    request.subject = subject;
    request.key = key;

    client_begin(client);

    msg = client_message(client, CMP_BODY_IR);
    client_add_request(client, msg, &request);

    return msg;
}


/* what the RA makes of one message: the same transaction and nonce */

static cmp_pki_message_t *
test_wrap(client_t *ra, cmp_pki_message_t *inner)
{
    cmp_pki_header_t   *header;
    cmp_pki_message_t  *msg;

    client_begin(ra);
    msg = client_message(ra, CMP_BODY_NESTED);

    header = inner->header;

    client_set_octets(&msg->header->transaction_id,
                      header->transaction_id->data,
                      header->transaction_id->length);
    client_set_octets(&msg->header->sender_nonce,
                      header->sender_nonce->data,
                      header->sender_nonce->length);

    client_nest(msg, inner);

    return msg;
}


/* the answer is for the sender of the inner message, not of the outer one */

static void
test_send(fixture_t *f, cmp_pki_message_t *msg)
{
    char            err[256];
    size_t          len;
    unsigned char  *der;

    der = client_encode(msg, &len);

    (void) harness_exchange(f->h, der, len);
    free(der);

    client_answer_free(f->a);
    f->a = client_answer(f->h->reply, f->h->reply_len);

    assert_non_null(f->a);

    if (client_verify(&f->c, f->a, err, sizeof(err)) != 1) {
        fail_msg("answer: %s", err);
    }

    client_accept(&f->c, f->a);
}


static void
test_added(void **state)
{
    client_t            ra;
    fixture_t          *f;
    cmp_pki_message_t  *msg, *inner;

    f = *state;

    client_init(&ra, 4711, f->h->now);
    harness_client_sign(f->h, &ra, &f->h->ra_cert);

    /* the answer is that of the inner message, protected for its sender */

    inner = fixture_ir(f);
    client_protect(&f->c, inner);
    msg = test_wrap(&ra, inner);
    client_protect(&ra, msg);

    test_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->a->status, CMP_STATUS_ACCEPTED);
    assert_int_equal(f->h->result, CMP_EXCHANGE_COMMIT);
    assert_non_null(strstr(f->h->requester, "mac:"));

    inner = fixture_conf(f);
    client_protect(&f->c, inner);
    msg = test_wrap(&ra, inner);
    client_protect(&ra, msg);

    test_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_PKICONF);
}


static void
test_inner_refused(void **state)
{
    client_t            ra;
    fixture_t          *f;
    cmp_pki_message_t  *msg, *inner;

    f = *state;

    client_init(&ra, 4711, f->h->now);
    harness_client_sign(f->h, &ra, &f->h->ra_cert);

    inner = fixture_request(f, CMP_BODY_IR, "", f->key);
    client_protect(&f->c, inner);
    msg = test_wrap(&ra, inner);
    client_protect(&ra, msg);

    test_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_CERT_TEMPLATE);
    assert_int_equal(f->h->result, CMP_EXCHANGE_COMMIT);
    assert_int_equal(f->h->store->certs.n, 0);
}


static void
test_other_header(void **state)
{
    client_t            ra;
    fixture_t          *f;
    cmp_pki_message_t  *msg, *inner;

    f = *state;

    inner = fixture_ir(f);
    client_protect(&f->c, inner);
    fixture_sign(f, &f->h->ra_cert);
    ra = f->c;

    msg = test_wrap(&ra, inner);
    client_set_octets(&msg->header->sender_nonce, "0123456789abcdef", 16);
    memcpy(f->c.transaction_id, msg->header->transaction_id->data, 16);
    memcpy(f->c.sender_nonce, "0123456789abcdef", 16);
    client_protect(&ra, msg);

    fixture_send_raw(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                    FIXTURE_AUDITED);
}


static void
test_other_transaction(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg, *inner;

    f = *state;

    inner = fixture_ir(f);
    client_protect(&f->c, inner);
    fixture_sign(f, &f->h->ra_cert);

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_NESTED);
    client_nest(msg, inner);
    client_protect(&f->c, msg);

    fixture_send_raw(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                    FIXTURE_AUDITED);
}


/* only an RA, only signed */

static void
test_not_an_ra(void **state)
{
    client_t            mac;
    fixture_t          *f;
    harness_pair_t      own;
    cmp_pki_message_t  *inner;

    f = *state;

    client_init(&mac, 4712, f->h->now);
    harness_client_mac(f->h, &mac);
    own = harness_enrol(f->h, "/CN=own", PKI_P256, "own", CMP_CERT_VALID);
    fixture_sign(f, &own);

    inner = test_ir(f, &mac, FIXTURE_SUBJECT, f->key);
    client_protect(&mac, inner);

    client_begin(&f->c);
    memcpy(f->c.transaction_id, mac.transaction_id, 16);
    fixture_send(f, test_wrap(&f->c, inner));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_NOT_AUTHORIZED,
                    FIXTURE_AUDITED);

    harness_pair_free(&own);
}


static void
test_mac_outside(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg, *inner;

    f = *state;

    inner = fixture_ir(f);
    client_protect(&f->c, inner);

    msg = client_message(&f->c, CMP_BODY_NESTED);
    client_nest(msg, inner);

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_WRONG_INTEGRITY,
                    FIXTURE_AUDITED);
}


/* an inner message without protection, for which the RA may vouch */

static void
test_unprotected_inner(void **state)
{
    client_t            ra;
    fixture_t          *f;
    cmp_pki_message_t  *msg, *inner;

    f = *state;

    fixture_sign(f, &f->h->ra_cert);
    ra = f->c;
    f->c.protection = CLIENT_NONE;

    inner = fixture_ir(f);
    X509_NAME_free(inner->header->sender->d.directoryName);
    client_set_general_name(inner->header->sender, ra.cert);
    msg = test_wrap(&ra, inner);
    client_protect(&ra, msg);
    f->c = ra;
    memcpy(f->c.transaction_id, msg->header->transaction_id->data, 16);
    memcpy(f->c.sender_nonce, msg->header->sender_nonce->data, 16);

    fixture_send_raw(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    f->h->ra_scope.unprotected_inner = 1;
    f->c.protection = CLIENT_NONE;

    inner = fixture_ir(f);
    X509_NAME_free(inner->header->sender->d.directoryName);
    client_set_general_name(inner->header->sender, ra.cert);
    msg = test_wrap(&ra, inner);
    client_protect(&ra, msg);
    f->c = ra;
    memcpy(f->c.transaction_id, msg->header->transaction_id->data, 16);
    memcpy(f->c.sender_nonce, msg->header->sender_nonce->data, 16);

    fixture_send_raw(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    assert_non_null(strstr(f->h->requester, "ra:"));
}


/* --- batches --- */

typedef struct {
    client_t              mac[2];
    cmp_pki_message_t    *inner[2];
} test_batch_t;


static void
test_batch_begin(fixture_t *f, test_batch_t *batch)
{
    int  i;

    for (i = 0; i < 2; i++) {
        client_init(&batch->mac[i], 4720 + i, f->h->now);
        harness_client_mac(f->h, &batch->mac[i]);

        batch->inner[i] = test_ir(f, &batch->mac[i], i ? "/CN=batch-1"
                                                       : "/CN=batch-0",
                                  i ? f->key2 : f->key);
    }

    fixture_sign(f, &f->h->ra_cert);
}


static client_answer_t *
test_batch_send(fixture_t *f, test_batch_t *batch)
{
    int                 i;
    cmp_pki_message_t  *msg;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_NESTED);

    for (i = 0; i < 2; i++) {
        client_protect(&batch->mac[i], batch->inner[i]);
        client_nest(msg, batch->inner[i]);
    }

    return fixture_send(f, msg);
}


static client_answer_t *
test_batch_answer(fixture_t *f, test_batch_t *batch, int n)
{
    char              err[256];
    ASN1_STRING      *message;
    client_answer_t  *answer;

    assert_int_equal(f->a->type, CMP_BODY_NESTED);
    assert_int_equal(sk_ASN1_STRING_num(f->a->msg->body->value.nested), 2);

    message = sk_ASN1_STRING_value(f->a->msg->body->value.nested, n);
    answer = client_answer(message->data, message->length);

    assert_non_null(answer);

    if (client_verify(&batch->mac[n], answer, err, sizeof(err)) != 1) {
        fail_msg("answer %d: %s", n, err);
    }

    return answer;
}


static void
test_batch(void **state)
{
    int               i;
    fixture_t        *f;
    test_batch_t      batch;
    client_answer_t  *answer;

    f = *state;

    test_batch_begin(f, &batch);
    test_batch_send(f, &batch);

    for (i = 0; i < 2; i++) {
        answer = test_batch_answer(f, &batch, i);
        assert_int_equal(answer->type, CMP_BODY_IP);
        assert_int_equal(answer->status, CMP_STATUS_ACCEPTED);
        assert_int_equal(fixture_state(f, answer->cert),
                         CMP_CERT_UNCONFIRMED);
        client_answer_free(answer);
    }

    fixture_repeat(f);
}


/* bad content fails only its own message */

static void
test_batch_content(void **state)
{
    fixture_t           *f;
    test_batch_t         batch;
    client_answer_t     *answer;
    cmp_cert_req_msg_t  *req;

    f = *state;

    test_batch_begin(f, &batch);

    req = sk_cmp_cert_req_msg_t_value(batch.inner[0]->body->value.ir, 0);
    cmp_asn1_free(cmp_popo_t, req->popo);
    req->popo = NULL;

    test_batch_send(f, &batch);

    answer = test_batch_answer(f, &batch, 0);
    assert_int_equal(answer->fail_info, CMP_FAIL_BAD_POP);
    client_answer_free(answer);

    answer = test_batch_answer(f, &batch, 1);
    assert_int_equal(answer->status, CMP_STATUS_ACCEPTED);
    client_answer_free(answer);
}


/* a bad protection fails the batch */

static void
test_batch_protection(void **state)
{
    fixture_t     *f;
    test_batch_t   batch;

    f = *state;

    test_batch_begin(f, &batch);
    batch.mac[1].secret = "wrong";

    test_batch_send(f, &batch);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);
    assert_int_equal(f->h->store->certs.n, 0);
}


static void
test_batch_same_id(void **state)
{
    fixture_t          *f;
    test_batch_t        batch;
    cmp_pki_header_t   *header;

    f = *state;

    test_batch_begin(f, &batch);

    header = batch.inner[1]->header;
    client_set_octets(&header->transaction_id, batch.mac[0].transaction_id,
                      16);

    test_batch_send(f, &batch);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                    FIXTURE_AUDITED);
}


static void
test_batch_same_nonce(void **state)
{
    fixture_t          *f;
    test_batch_t        batch;
    cmp_pki_header_t   *header;

    f = *state;

    test_batch_begin(f, &batch);

    header = batch.inner[1]->header;
    client_set_octets(&header->sender_nonce,
                      batch.inner[0]->header->sender_nonce->data, 16);

    test_batch_send(f, &batch);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                    FIXTURE_AUDITED);
}


/* nested in nested is bounded */

static void
test_depth(void **state)
{
    int                 i;
    client_t            ra;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    fixture_sign(f, &f->h->ra_cert);
    ra = f->c;

    msg = fixture_ir(f);
    client_protect(&f->c, msg);

    for (i = 0; i < 3; i++) {
        msg = test_wrap(&ra, msg);
        client_protect(&ra, msg);
    }

    memcpy(f->c.transaction_id, msg->header->transaction_id->data, 16);
    memcpy(f->c.sender_nonce, msg->header->sender_nonce->data, 16);

    fixture_send_raw(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    FIXTURE_QUIET);
}


/* --- origPKIMessage --- */

static ASN1_TYPE *
test_messages(cmp_pki_message_t *msg)
{
    int                  n;
    size_t               len;
    ASN1_TYPE           *value;
    ASN1_STRING         *string;
    unsigned char       *der;
    cmp_pki_messages_t  *messages;

    der = client_encode(msg, &len);
    messages = sk_ASN1_STRING_new_null();
    string = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

    assert_non_null(messages);
    assert_non_null(string);
    assert_int_equal(ASN1_STRING_set(string, der, len), 1);
    assert_true(sk_ASN1_STRING_push(messages, string) > 0);
    free(der);

    n = cmp_asn1_encode(cmp_pki_messages_t, messages, &der);
    assert_true(n > 0);
    cmp_asn1_free(cmp_pki_messages_t, messages);

    string = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
    value = ASN1_TYPE_new();
    assert_non_null(string);
    assert_non_null(value);
    assert_int_equal(ASN1_STRING_set(string, der, n), 1);
    OPENSSL_free(der);

    ASN1_TYPE_set(value, V_ASN1_SEQUENCE, string);

    return value;
}


/* the RA's own ir, made of that of a client with this secret */

static cmp_pki_message_t *
test_original_ir(fixture_t *f, const char *secret)
{
    client_t            mac;
    client_request_t    request;
    cmp_pki_message_t  *msg, *original;

    client_init(&mac, 4730, f->h->now);
    harness_client_mac(f->h, &mac);

    if (secret != NULL) {
        mac.secret = secret;
    }

    original = test_ir(f, &mac, FIXTURE_SUBJECT, f->key);
    client_protect(&mac, original);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;
    request.pop = CLIENT_POP_RA_VERIFIED;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    client_add_request(&f->c, msg, &request);
    client_general_info(msg, &cmp_oid_it_orig_pki_message,
                        test_messages(original));

    return msg;
}


static void
test_original(void **state)
{
    fixture_t  *f;

    f = *state;
    fixture_sign(f, &f->h->ra_cert);

    fixture_send(f, test_original_ir(f, NULL));
    fixture_granted(f, CMP_BODY_IP);
    assert_non_null(strstr(f->h->requester, "ra:"));
    assert_non_null(strstr(f->h->requester, " for mac:"));
}


static void
test_original_wrong(void **state)
{
    fixture_t  *f;

    f = *state;
    fixture_sign(f, &f->h->ra_cert);

    fixture_send(f, test_original_ir(f, "wrong"));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_AUDITED);
}


static void
test_original_not_an_ra(void **state)
{
    fixture_t       *f;
    harness_pair_t   own;

    f = *state;

    own = harness_enrol(f->h, "/CN=own", PKI_P256, "own", CMP_CERT_VALID);
    fixture_sign(f, &own);

    fixture_send(f, test_original_ir(f, NULL));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_NOT_AUTHORIZED,
                    FIXTURE_AUDITED);

    harness_pair_free(&own);
}


static void
test_original_junk(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    fixture_sign(f, &f->h->ra_cert);

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_orig_pki_message, client_null());

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    FIXTURE_QUIET);
}


/* one message, and none in a nested message, where it would say nothing */

static void
test_original_count(void **state)
{
    client_t                              ra;
    fixture_t                            *f;
    ASN1_STRING                          *string;
    unsigned char                        *der;
    cmp_pki_message_t                    *msg, *inner;
    STACK_OF(cmp_info_type_and_value_t)  *infos;

    f = *state;
    fixture_sign(f, &f->h->ra_cert);

    msg = test_original_ir(f, NULL);
    infos = msg->header->general_info;
    string = sk_cmp_info_type_and_value_t_value(infos,
                 sk_cmp_info_type_and_value_t_num(infos) - 1)
                 ->info_value->value.sequence;

    /* SEQUENCE OF with the same message twice */

    assert_int_equal(string->data[1], 0x82);
    der = malloc(2 * string->length);
    assert_non_null(der);
    memcpy(der, string->data, string->length);
    memcpy(der + string->length, string->data + 4, string->length - 4);
    der[2] = (unsigned char) ((2 * (string->length - 4)) >> 8);
    der[3] = (unsigned char) (2 * (string->length - 4));
    assert_int_equal(ASN1_STRING_set(string, der, 2 * string->length - 4), 1);
    free(der);

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    FIXTURE_QUIET);

    client_init(&ra, 4711, f->h->now);
    harness_client_sign(f->h, &ra, &f->h->ra_cert);
    harness_client_mac(f->h, &f->c);

    inner = fixture_ir(f);
    client_protect(&f->c, inner);
    msg = test_wrap(&ra, inner);
    client_general_info(msg, &cmp_oid_it_orig_pki_message, client_null());
    client_protect(&ra, msg);
    harness_client_sign(f->h, &f->c, &f->h->ra_cert);

    test_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    assert_int_equal(f->h->store->certs.n, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_added),
        fixture_test(test_inner_refused),
        fixture_test(test_other_header),
        fixture_test(test_other_transaction),
        fixture_test(test_not_an_ra),
        fixture_test(test_mac_outside),
        fixture_test(test_unprotected_inner),
        fixture_test(test_batch),
        fixture_test(test_batch_content),
        fixture_test(test_batch_protection),
        fixture_test(test_batch_same_id),
        fixture_test(test_batch_same_nonce),
        fixture_test(test_depth),
        fixture_test(test_original),
        fixture_test(test_original_wrong),
        fixture_test(test_original_not_an_ra),
        fixture_test(test_original_count),
        fixture_test(test_original_junk)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
