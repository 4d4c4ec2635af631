
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
        cmocka_unit_test(test_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
