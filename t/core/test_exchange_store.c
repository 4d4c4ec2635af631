
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The exchange and its store: repeats, lost races, a store that is away.
 */


#include <fixture.h>


typedef struct {
    unsigned char    *data;
    size_t            len;
} test_copy_t;


static test_copy_t
test_copy(const unsigned char *data, size_t len)
{
    test_copy_t  copy;

    copy.data = malloc(len);
    assert_non_null(copy.data);
    memcpy(copy.data, data, len);
    copy.len = len;

    return copy;
}


/* the same answer again, and nothing is done */

static void
test_same_reply(fixture_t *f)
{
    test_copy_t  reply;

    assert_int_equal(f->h->result, CMP_EXCHANGE_COMMIT);
    reply = test_copy(f->h->reply, f->h->reply_len);

    fixture_repeat(f);
    assert_int_equal(f->h->result, CMP_EXCHANGE_REPLY);
    assert_true(f->h->info.repeat);
    assert_int_equal(f->h->store->changes, f->changes);
    assert_int_equal(f->h->reply_len, reply.len);
    assert_memory_equal(f->h->reply, reply.data, reply.len);

    free(reply.data);
}


static void
test_repeat(void **state)
{
    X509            *cert;
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    cert = fixture_keep(f);
    test_same_reply(f);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    test_same_reply(f);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    fixture_send(f, fixture_kur(f, pair.cert, f->key2));
    fixture_granted(f, CMP_BODY_KUP);
    test_same_reply(f);

    /* the signer was replaced by the message that is repeated */

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    test_same_reply(f);

    fixture_send(f, fixture_rr(f, pair.cert, -1));
    fixture_granted(f, CMP_BODY_RP);
    test_same_reply(f);

    harness_pair_free(&pair);
}


/* a refusal is an answer like any other */

static void
test_repeat_refusal(void **state)
{
    fixture_t  *f;

    f = *state;

    fixture_send(f, fixture_request(f, CMP_BODY_IR, "/C=DE", f->key));
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
    test_same_reply(f);
}


/* a use of the credential is spent once */

static void
test_repeat_spends_once(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->credential->uses_left = 2;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    test_same_reply(f);
    assert_int_equal(f->h->credential->uses_left, 1);
    assert_int_equal(f->h->store->certs.n, 1);
}


/* the answer to a message without transactionID is found by its bytes */

static void
test_repeat_no_transaction_id(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_set_octets(&msg->header->transaction_id, NULL, 0);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    test_same_reply(f);
    assert_int_equal(f->h->store->certs.n, 1);
}


/* when the reply is forgotten, the transactionID is still in use */

static void
test_repeat_late(void **state)
{
    fixture_t  *f;

    f = *state;
    f->c.implicit_confirm = 1;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    f->h->now += f->h->ca.reply_memory + 1000;
    f->h->store->now = f->h->now;
    memstore_sweep(f->h->store);

    fixture_repeat(f);
    assert_false(f->h->info.repeat);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_TRANSACTION_ID_IN_USE,
                    FIXTURE_AUDITED);
    assert_int_equal(f->h->store->certs.n, 1);
}


/* the reply lives as long as a confirmation is waited for */

static void
test_repeat_while_waiting(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->ca.confirm_timeout = f->h->ca.reply_memory * 2;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    f->h->now += f->h->ca.reply_memory + 1000;
    f->h->store->now = f->h->now;
    memstore_sweep(f->h->store);
    test_same_reply(f);
}


static void
test_race(void **state)
{
    int         races;
    EVP_PKEY   *key;
    fixture_t  *f;
    char        name[32];

    f = *state;

    for (races = 1; races <= 2; races++) {
        snprintf(name, sizeof(name), "race %d", races);
        key = pki_key(PKI_P256, name);
        f->h->store->races = races;

        fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
        fixture_granted(f, CMP_BODY_IP);
        assert_int_equal(f->h->loads, races + 1);
        assert_int_equal(f->h->store->certs.n, races);
        EVP_PKEY_free(key);
    }

    /* lost too often */

    f->h->store->races = 3;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SYSTEM_UNAVAIL, FIXTURE_QUIET);
    assert_int_equal(f->h->loads, 3);
    assert_int_equal(f->h->store->certs.n, 2);

    /* the client's next attempt */

    fixture_repeat(f);
    fixture_granted(f, CMP_BODY_IP);
}


typedef struct {
    fixture_t        *f;
    unsigned char    *der;
    size_t            len;
} test_rival_t;


/* another node does this between our load and our commit */

static void
test_rival_send(void *data)
{
    test_rival_t  *rival = data;

    harness_t  saved;

    saved = *rival->f->h;

    rival->f->h->reply = NULL;
    (void) harness_exchange(rival->f->h, rival->der, rival->len);
    assert_int_equal(rival->f->h->result, CMP_EXCHANGE_COMMIT);
    free(rival->f->h->reply);

    saved.random = rival->f->h->random;
    *rival->f->h = saved;
}


static test_rival_t
test_rival(fixture_t *f, cmp_pki_message_t *msg)
{
    test_rival_t  rival;

    rival.f = f;
    client_protect(&f->c, msg);
    rival.der = client_encode(msg, &rival.len);

    return rival;
}


static void
test_arm(fixture_t *f, test_rival_t *rival)
{
    f->h->store->rival = test_rival_send;
    f->h->store->rival_data = rival;
}


/* the identical message on another node: its reply is sent */

static void
test_race_identical(void **state)
{
    fixture_t     *f;
    test_rival_t   rival;

    f = *state;

    rival = test_rival(f, fixture_ir(f));
    test_arm(f, &rival);

    fixture_send_bytes(f, rival.der, rival.len);
    assert_int_equal(f->h->result, CMP_EXCHANGE_REPLY);
    assert_true(f->h->info.repeat);
    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->h->store->certs.n, 1);
    assert_int_equal(fixture_state(f, f->a->cert), CMP_CERT_UNCONFIRMED);

    free(rival.der);
}


/* another message with the same transactionID */

static void
test_race_transaction_id(void **state)
{
    fixture_t          *f;
    test_rival_t        rival;
    unsigned char       id[16];
    cmp_pki_message_t  *msg;

    f = *state;

    rival = test_rival(f, fixture_ir(f));
    memcpy(id, f->c.transaction_id, 16);
    test_arm(f, &rival);

    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    client_set_octets(&msg->header->transaction_id, id, 16);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->fail_info, CMP_FAIL_TRANSACTION_ID_IN_USE);
    assert_int_equal(f->h->store->certs.n, 1);

    free(rival.der);
}


/* the last use of a credential */

static void
test_race_credential(void **state)
{
    fixture_t     *f;
    test_rival_t   rival;

    f = *state;
    f->h->credential->uses_left = 1;

    rival = test_rival(f, fixture_ir(f));
    test_arm(f, &rival);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, "/CN=second", f->key2));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);
    assert_int_equal(f->h->store->certs.n, 1);
    assert_int_equal(f->h->credential->uses_left, 0);

    free(rival.der);
}


/* one key, two subjects */

static void
test_race_key(void **state)
{
    fixture_t     *f;
    test_rival_t   rival;

    f = *state;

    rival = test_rival(f, fixture_request(f, CMP_BODY_IR, "/CN=one", f->key));
    test_arm(f, &rival);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, "/CN=two", f->key));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_CERT_TEMPLATE);
    assert_int_equal(f->h->store->certs.n, 1);

    free(rival.der);
}


/* two updates of one certificate: one takes the other's place, never both */

static void
test_race_update(void **state)
{
    size_t            i, live;
    fixture_t        *f;
    test_rival_t      rival;
    harness_pair_t    pair;
    memstore_cert_t  *row;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    rival = test_rival(f, fixture_kur(f, pair.cert, f->key));
    test_arm(f, &rival);

    fixture_send(f, fixture_kur(f, pair.cert, f->key2));
    fixture_granted(f, CMP_BODY_KUP);
    assert_int_equal(f->h->loads, 2);

    live = 0;

    for (i = 0; i < f->h->store->certs.n; i++) {
        row = f->h->store->certs.items[i];

        if (row->record.predecessor.len != 0
            && row->record.state != CMP_CERT_REVOKED)
        {
            live++;
        }
    }

    assert_int_equal(live, 1);

    free(rival.der);
    harness_pair_free(&pair);
}


/* revoked by an operator while its certConf is decided */

typedef struct {
    fixture_t        *f;
    X509             *cert;
} test_operator_t;


static void
test_operator_revokes(void *data)
{
    test_operator_t  *op = data;

    cmp_str_t  serial;

    serial = harness_serial(op->cert);
    assert_int_equal(memstore_revoke(op->f->h->store, &serial,
                                     CRL_REASON_KEY_COMPROMISE,
                                     CMP_BY_OPERATOR),
                     CMP_OK);
}


static void
test_race_revoked(void **state)
{
    fixture_t         *f;
    harness_pair_t     pair;
    test_operator_t    op;

    f = *state;

    fixture_send(f, fixture_ir(f));
    op.f = f;
    op.cert = fixture_keep(f);
    f->h->store->rival = test_operator_revokes;
    f->h->store->rival_data = &op;

    fixture_send(f, fixture_conf(f));
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(fixture_state(f, op.cert), CMP_CERT_REVOKED);
    X509_free(op.cert);

    /* of the certificate that signs an update */

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    op.cert = pair.cert;
    f->h->store->rival = test_operator_revokes;

    fixture_send(f, fixture_kur(f, pair.cert, f->key2));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_CERT_REVOKED);
    assert_null(f->a->cert);

    harness_pair_free(&pair);
}


/* the store is away: systemUnavail, nothing is issued */

static void
test_unavailable(void **state)
{
    size_t           certs;
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    certs = f->h->store->certs.n;

    /* before anything was loaded nobody is authenticated */

    f->h->store->no_load = 1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SYSTEM_UNAVAIL, FIXTURE_QUIET);

    f->h->sign_refusals = 0;
    f->unprotected = 1;
    fixture_repeat(f);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SYSTEM_UNAVAIL, FIXTURE_QUIET);
    f->h->sign_refusals = 1;
    f->unprotected = 0;
    f->h->store->no_load = 0;

    /* at the commit: protected as the request was */

    f->h->store->no_commit = 1;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SYSTEM_UNAVAIL, FIXTURE_QUIET);
    assert_null(f->a->msg->header->general_info);
    assert_int_equal(
        OBJ_obj2nid(f->a->msg->header->protection_alg->algorithm),
        NID_id_PasswordBasedMAC);

    fixture_sign(f, &pair);
    fixture_send(f, fixture_kur(f, pair.cert, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SYSTEM_UNAVAIL, FIXTURE_QUIET);

    fixture_send(f, fixture_rr(f, pair.cert, -1));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SYSTEM_UNAVAIL, FIXTURE_QUIET);
    assert_int_equal(f->h->store->certs.n, certs);

    /* it is back: the identical repeat is served */

    f->h->store->no_commit = 0;
    fixture_repeat(f);
    fixture_granted(f, CMP_BODY_RP);

    harness_pair_free(&pair);
}


/* one CA's transactions, secrets and certificates are nothing to another */

static void
test_other_ca(void **state)
{
    X509            *cert;
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);

    f->h->ca.id = HARNESS_CA_ID + 1;

    fixture_send(f, fixture_conf(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    fixture_sign(f, &pair);
    fixture_send(f, fixture_kur(f, pair.cert, f->key2));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    f->h->ca.id = HARNESS_CA_ID;
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);

    X509_free(cert);
    harness_pair_free(&pair);
}


/* another CA with the same secret does not confirm ours */

static void
test_other_ca_same_secret(void **state)
{
    X509              *cert;
    fixture_t         *f;
    cmp_credential_t   credential;

    f = *state;

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);

    credential = *f->h->credential;
    (void) memstore_add_credential(f->h->store, HARNESS_CA_ID + 1,
                                   &credential);
    f->h->ca.id = HARNESS_CA_ID + 1;

    fixture_send(f, fixture_conf(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);

    f->h->ca.id = HARNESS_CA_ID;
    X509_free(cert);
}


/* only a message that was authenticated claims its transactionID */

static void
test_claim(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    f->c.secret = "wrong";
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    assert_int_equal(f->h->store->transactions.n, 0);

    msg = fixture_ir(f);
    client_set_octets(&msg->header->transaction_id, f->c.transaction_id, 16);
    f->c.secret = HARNESS_SECRET;
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_repeat),
        fixture_test(test_repeat_refusal),
        fixture_test(test_repeat_spends_once),
        fixture_test(test_repeat_no_transaction_id),
        fixture_test(test_repeat_late),
        fixture_test(test_repeat_while_waiting),
        fixture_test(test_race),
        fixture_test(test_race_identical),
        fixture_test(test_race_transaction_id),
        fixture_test(test_race_credential),
        fixture_test(test_race_key),
        fixture_test(test_race_update),
        fixture_test(test_race_revoked),
        fixture_test(test_unavailable),
        fixture_test(test_other_ca),
        fixture_test(test_other_ca_same_secret),
        fixture_test(test_claim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
