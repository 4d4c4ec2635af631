
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Whole exchanges, octet by octet as in t/core/data: with fixed time and
 * randomness an Ed25519 CA gives the same answers for ever.
 *
 * After an intended change of the answers, CMP_TEST_WRITE=1 writes the files
 * anew.
 */


#include <fixture.h>


#define TEST_DATA  "t/core/data"


static FILE *
test_open(const char *name, int step, const char *suffix, const char *mode)
{
    char         path[256];
    const char  *dir;

    dir = getenv("CMP_TEST_DATA");

    snprintf(path, sizeof(path), "%s/%s-%d.%s",
             (dir != NULL) ? dir : TEST_DATA, name, step, suffix);

    return fopen(path, mode);
}


static void
test_compare(const char *name, int step, const char *suffix,
    const unsigned char *data, size_t len)
{
    FILE           *file;
    size_t          n;
    unsigned char  *expected;

    if (getenv("CMP_TEST_WRITE") != NULL) {
        file = test_open(name, step, suffix, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, len, file), len);
        assert_int_equal(fclose(file), 0);
        return;
    }

    file = test_open(name, step, suffix, "rb");

    if (file == NULL) {
        fail_msg("%s-%d.%s is not there: run this in the top directory",
                 name, step, suffix);
    }

    expected = malloc(65536);
    assert_non_null(expected);
    n = fread(expected, 1, 65536, file);
    (void) fclose(file);

    assert_int_equal(n, len);
    assert_memory_equal(expected, data, len);

    free(expected);
}


static void
test_step(fixture_t *f, const char *name, int step)
{
    assert_non_null(f->a);
    assert_int_equal(f->h->result, CMP_EXCHANGE_COMMIT);

    test_compare(name, step, "req", f->request, f->request_len);
    test_compare(name, step, "rep", f->h->reply, f->h->reply_len);
}


/* ir by MAC, certConf, rr */

static void
test_mac(void **state)
{
    X509       *cert;
    EVP_PKEY   *key;
    fixture_t  *f;

    f = *state;
    f->h->credential->may_revoke = 1;
    key = pki_key(PKI_ED25519, "replay");

    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
    fixture_granted(f, CMP_BODY_IP);
    test_step(f, "mac", 1);

    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    test_step(f, "mac", 2);

    f->h->now += 1000;
    f->h->store->now += 1000;
    f->c.now += 1000;
    fixture_send(f, fixture_rr(f, cert, CRL_REASON_SUPERSEDED));
    fixture_granted(f, CMP_BODY_RP);
    test_step(f, "mac", 3);

    EVP_PKEY_free(key);
    X509_free(cert);
}


/* kur by signature, certConf, a cr that is refused, genm */

static void
test_signature(void **state)
{
    X509               *cert;
    EVP_PKEY           *key;
    fixture_t          *f;
    harness_pair_t      pair, new;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_ED25519, "signer",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    f->c.pvno = 3;
    key = pki_key(PKI_ED25519, "replay");

    fixture_send(f, fixture_kur(f, pair.cert, key));
    fixture_granted(f, CMP_BODY_KUP);
    test_step(f, "ed25519", 1);

    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    test_step(f, "ed25519", 2);

    new.cert = cert;
    new.key = key;
    fixture_sign(f, &new);

    fixture_send(f, fixture_request(f, CMP_BODY_CR, "/CN=somebody else", key));
    fixture_refused(f, CMP_BODY_CP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_CHANGED);
    test_step(f, "ed25519", 3);

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_GENM);
    (void) client_add_info(msg, &cmp_oid_it_ca_certs);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_GENP);
    test_step(f, "ed25519", 4);

    X509_free(cert);
    EVP_PKEY_free(key);
    harness_pair_free(&pair);
}


/* ir with PBMAC1, pvno 3 */

static void
test_pbmac1(void **state)
{
    EVP_PKEY   *key;
    fixture_t  *f;

    f = *state;
    f->c.protection = CLIENT_PBMAC1;
    f->c.pvno = 3;
    key = pki_key(PKI_ED25519, "replay");

    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
    fixture_granted(f, CMP_BODY_IP);
    test_step(f, "pbmac1", 1);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    test_step(f, "pbmac1", 2);

    EVP_PKEY_free(key);
}


static void
test_p10cr(void **state)
{
    EVP_PKEY           *key;
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;
    key = pki_key(PKI_ED25519, "replay");

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_P10CR);
    client_set_p10(msg, FIXTURE_SUBJECT, key, "DNS:a.example");
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_CP);
    test_step(f, "p10cr", 1);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    test_step(f, "p10cr", 2);

    EVP_PKEY_free(key);
}


/* two requests, the second is refused; the first is rejected by the client */

static void
test_several(void **state)
{
    X509                *cert;
    EVP_PKEY            *key;
    fixture_t           *f;
    client_request_t     request;
    cmp_pki_message_t   *msg;

    f = *state;
    key = pki_key(PKI_ED25519, "replay");

    memset(&request, 0, sizeof(client_request_t));
    request.id = 1;
    request.subject = "/L=nowhere";
    request.key = key;

    msg = fixture_request(f, CMP_BODY_IR, NULL, key);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    assert_int_equal(f->a->nstatus, 2);
    test_step(f, "several", 1);

    cert = fixture_keep(f);
    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, cert, 0, CMP_STATUS_REJECTION);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);
    test_step(f, "several", 2);

    EVP_PKEY_free(key);
    X509_free(cert);
}


/* an operator approves, the client polls before and after that */

static void
test_poll(void **state)
{
    EVP_PKEY   *key;
    fixture_t  *f;

    f = *state;
    f->h->device.approval = 1;
    key = pki_key(PKI_ED25519, "replay");

    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
    fixture_waits(f, CMP_BODY_IP);
    test_step(f, "poll", 1);

    fixture_poll(f, 0);
    fixture_later(f, 0);
    test_step(f, "poll", 2);

    assert_int_equal(memstore_decide(f->h->store,
                                     memstore_request(f->h->store, 0), 1,
                                     NULL),
                     CMP_OK);
    fixture_poll(f, 0);
    fixture_granted(f, CMP_BODY_IP);
    test_step(f, "poll", 3);

    EVP_PKEY_free(key);
}


/* a registration authority sends the messages of two clients in one */

static void
test_nested(void **state)
{
    int                 i;
    char                subject[32];
    X509               *listed;
    size_t              len;
    client_t            ra, client;
    EVP_PKEY           *key;
    fixture_t          *f;
    unsigned char      *der;
    harness_pair_t      pair;
    client_request_t    request;
    cmp_pki_message_t  *msg, *inner;

    /* an RA whose signatures are always the same */

    f = *state;
    pair = harness_enrol(f->h, "/CN=RA", PKI_ED25519, "RA", CMP_CERT_VALID);
    listed = f->h->ca.ras[0].cert;
    f->h->ca.ras[0].cert = pair.cert;
    client_init(&ra, 4711, f->h->now);
    harness_client_sign(f->h, &ra, &pair);
    msg = client_message(&ra, CMP_BODY_NESTED);

    memset(&request, 0, sizeof(client_request_t));

    for (i = 0; i < 2; i++) {
        snprintf(subject, sizeof(subject), "/CN=batch-%d", i);
        key = pki_key(PKI_ED25519, subject);
        request.subject = subject;
        request.key = key;

        client = f->c;
        client.random.seed = 100 + i;
        client_begin(&client);
        inner = client_message(&client, CMP_BODY_IR);
        (void) client_add_request(&client, inner, &request);
        client_protect(&client, inner);
        client_nest(msg, inner);
        EVP_PKEY_free(key);
    }

    client_protect(&ra, msg);
    der = client_encode(msg, &len);
    (void) harness_exchange(f->h, der, len);
    assert_int_equal(f->h->result, CMP_EXCHANGE_COMMIT);
    assert_int_equal(f->h->store->certs.n, 3);

    test_compare("nested", 1, "req", der, len);
    test_compare("nested", 1, "rep", f->h->reply, f->h->reply_len);

    f->h->ca.ras[0].cert = listed;
    sk_X509_pop_free(ra.chain, X509_free);
    harness_pair_free(&pair);
    free(der);
}


/* refusals: a wrong secret, a message nobody can read */

static void
test_refused(void **state)
{
    EVP_PKEY   *key;
    fixture_t  *f;

    f = *state;
    key = pki_key(PKI_ED25519, "replay");

    f->c.secret = "wrong";
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    test_compare("refused", 1, "req", f->request, f->request_len);
    test_compare("refused", 1, "rep", f->h->reply, f->h->reply_len);

    EVP_PKEY_free(key);
}


/* the same twice gives the same, also within one process */

static void
test_again(void **state)
{
    int             i;
    size_t          len;
    EVP_PKEY       *key;
    fixture_t      *f;
    unsigned char  *reply;

    (void) state;

    reply = NULL;
    len = 0;
    key = pki_key(PKI_ED25519, "replay");

    for (i = 0; i < 2; i++) {
        f = fixture_create(PKI_ED25519);
        fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
        fixture_granted(f, CMP_BODY_IP);

        if (i == 0) {
            len = f->h->reply_len;
            reply = malloc(len);
            assert_non_null(reply);
            memcpy(reply, f->h->reply, len);

        } else {
            assert_int_equal(f->h->reply_len, len);
            assert_memory_equal(f->h->reply, reply, len);
        }

        fixture_destroy(f);
    }

    free(reply);
    EVP_PKEY_free(key);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_mac),
        fixture_test(test_signature),
        fixture_test(test_pbmac1),
        fixture_test(test_p10cr),
        fixture_test(test_several),
        fixture_test(test_poll),
        fixture_test(test_nested),
        fixture_test(test_refused),
        cmocka_unit_test(test_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
