
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * ML-DSA and SLH-DSA, where libcrypto offers them: keys of end entities, of
 * the CA and for the protection of messages, and certHash.
 */


#include <fixture.h>

#include <cmp_key.h>


static const char  *test_words[] = {
    "ml-dsa-44",
    "ml-dsa-87",
    "slh-dsa-sha2-128f"
};


static fixture_t *
test_fixture(int kind)
{
    int         i;
    char        err[256];
    cmp_str_t   word;
    fixture_t  *f;

    f = fixture_create(kind);

    for (i = 0; i < 3; i++) {
        word.data = (unsigned char *) test_words[i];
        word.len = strlen(test_words[i]);

        assert_int_equal(cmp_profile_add_key(&f->h->device, f->h->pool, &word,
                                             err, sizeof(err)),
                         CMP_OK);
    }

    return f;
}


static int
test_skipped(void)
{
    if (pki_offers(PKI_ML_DSA_44) == 0) {
        print_message("no ML-DSA in this OpenSSL\n");
        return 1;
    }

    return 0;
}


/* a word that the configuration accepts is one that libcrypto offers */

static void
test_pq_words(void **state)
{
    int             i, rc;
    char            err[256];
    cmp_str_t       word;
    cmp_key_rule_t  rule;

    (void) state;

    for (i = 0; i < 3; i++) {
        word.data = (unsigned char *) test_words[i];
        word.len = strlen(test_words[i]);

        rc = cmp_key_rule_parse(&word, &rule, err, sizeof(err));

        if (pki_offers(PKI_ML_DSA_44 + i)) {
            assert_int_equal(rc, CMP_OK);
            assert_string_equal(cmp_key_rule_text(&rule, err, sizeof(err)),
                                test_words[i]);

        } else {
            assert_int_equal(rc, CMP_ERROR);
            assert_memory_equal(err, "this OpenSSL ", 13);
        }

        assert_int_equal(ERR_peek_error(), 0);
    }
}


static void
test_pq_key(void **state)
{
    int                kind;
    EVP_PKEY          *key;
    const EVP_MD      *md;
    cmp_refusal_t      refusal;
    cmp_public_key_t  *pubkey;

    (void) state;

    if (test_skipped()) {
        skip();
    }

    for (kind = PKI_ML_DSA_44; kind <= PKI_SLH_DSA_SHA2_128F; kind++) {
        key = pki_key(kind, "key");

        assert_int_equal(cmp_sign_md(key, &md), CMP_OK);
        assert_null(md);
        assert_int_equal(cmp_sign_slow(key), 1);

        pubkey = NULL;
        pki_set_public_key(&pubkey, key);
        assert_non_null(pubkey);

        memset(&refusal, 0, sizeof(cmp_refusal_t));
        assert_int_equal(cmp_key_check(pubkey, &refusal), CMP_OK);

        cmp_asn1_free(cmp_public_key_t, pubkey);
        EVP_PKEY_free(key);
    }

    assert_int_equal(ERR_peek_error(), 0);
}


/* ir, certConf, kur signed by the certificate, its confirmation, rr */

static void
test_life(int kind)
{
    X509            *cert;
    EVP_PKEY        *key;
    fixture_t       *f;
    harness_pair_t   own, next;

    f = test_fixture(kind);

    own.key = pki_key(kind, "own");
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, own.key));
    fixture_granted(f, CMP_BODY_IP);
    own.cert = fixture_keep(f);

    assert_int_equal(X509_verify(own.cert,
                                 X509_get0_pubkey(f->h->issuer.cert)),
                     1);

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, own.cert), CMP_CERT_VALID);

    fixture_sign(f, &own);

    next.key = pki_key(kind, "next");
    fixture_send(f, fixture_kur(f, own.cert, next.key));
    fixture_granted(f, CMP_BODY_KUP);
    next.cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    fixture_sign(f, &next);
    cert = next.cert;
    fixture_send(f, fixture_rr(f, cert, CRL_REASON_KEY_COMPROMISE));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);

    /* the same key once more, and one of another kind */

    harness_client_mac(f->h, &f->c);
    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, next.key));
    fixture_refused(f, CMP_BODY_CP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    key = pki_key(PKI_ED25519, "other kind");
    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, key));
    fixture_granted(f, CMP_BODY_CP);

    EVP_PKEY_free(key);
    harness_pair_free(&own);
    harness_pair_free(&next);
    fixture_destroy(f);
}


static void
test_pq_life(void **state)
{
    int  kind;

    (void) state;

    if (test_skipped()) {
        skip();
    }

    for (kind = PKI_ML_DSA_44; kind <= PKI_SLH_DSA_SHA2_128F; kind++) {
        test_life(kind);
    }
}


/* no RFC names a hash for these signatures: hashAlg has to, with pvno 3 */

static void
test_pq_cert_hash(void **state)
{
    int                 pvno;
    X509               *cert;
    fixture_t          *f;
    cmp_cert_status_t  *cs;
    cmp_pki_message_t  *msg;

    (void) state;

    if (test_skipped()) {
        skip();
    }

    for (pvno = 2; pvno <= 3; pvno++) {
        f = test_fixture(PKI_ML_DSA_44);

        fixture_send(f, fixture_ir(f));
        fixture_granted(f, CMP_BODY_IP);
        cert = fixture_keep(f);

        msg = fixture_conf(f);
        assert_int_equal(ASN1_INTEGER_set(msg->header->pvno, pvno), 1);

        if (pvno == 3) {
            cs = sk_cmp_cert_status_t_value(msg->body->value.cert_conf, 0);
            X509_ALGOR_free(cs->hash_alg);
            cs->hash_alg = NULL;
        }

        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_CERT_ID,
                        FIXTURE_CHANGED);
        assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);

        X509_free(cert);
        fixture_destroy(f);
    }
}


static void
test_pq_message_check(void **state)
{
    fixture_t          *f;
    harness_pair_t      own;
    cmp_pki_message_t  *msg;

    (void) state;

    if (test_skipped()) {
        skip();
    }

    f = test_fixture(PKI_ML_DSA_44);
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_ML_DSA_44, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &own);

    msg = fixture_request(f, CMP_BODY_CR, NULL, f->key);
    client_protect(&f->c, msg);
    msg->protection->data[0] ^= 1;
    fixture_send_raw(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    /* the right one, of a key that is not that of the certificate */

    msg = fixture_request(f, CMP_BODY_CR, NULL, f->key);
    EVP_PKEY_free(own.key);
    own.key = pki_key(PKI_ML_DSA_44, "other");
    fixture_sign(f, &own);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    harness_pair_free(&own);
    fixture_destroy(f);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pq_words),
        cmocka_unit_test(test_pq_key),
        cmocka_unit_test(test_pq_life),
        cmocka_unit_test(test_pq_cert_hash),
        cmocka_unit_test(test_pq_message_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
