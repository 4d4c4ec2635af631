
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The order of checks: of several faults the first decides, and what is told
 * to whom.
 */


#include <fixture.h>


/* structure, then pvno, then protection, then header, then content */

static void
test_order(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;

    /* all at once: pvno */

    f->c.pvno = 7;
    f->c.secret = "wrong";
    msg = fixture_request(f, CMP_BODY_IR, "/C=DE", f->key);
    client_set_octets(&msg->header->sender_nonce, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_UNSUPPORTED_VERSION,
                    FIXTURE_QUIET);

    f->c.pvno = 2;
    msg = fixture_request(f, CMP_BODY_IR, "/C=DE", f->key);
    client_set_octets(&msg->header->sender_nonce, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    f->c.secret = HARNESS_SECRET;
    msg = fixture_request(f, CMP_BODY_IR, "/C=DE", f->key);
    client_set_octets(&msg->header->sender_nonce, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_SENDER_NONCE,
                    FIXTURE_AUDITED);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, "/C=DE", f->key));
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    /* the state of the signer before the header */

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_REVOKED);
    fixture_sign(f, &pair);
    msg = fixture_ir(f);
    client_set_octets(&msg->header->sender_nonce, NULL, 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);
    harness_pair_free(&pair);
}


/* a repeat comes first: the first copy may have revoked its signer */

static void
test_repeat_first(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_KEY_COMPROMISE));
    fixture_granted(f, CMP_BODY_RP);
    fixture_repeat(f);
    assert_true(f->h->info.repeat);
    fixture_granted(f, CMP_BODY_RP);

    /* one octet more, and it is another message by a revoked signer */

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_KEY_COMPROMISE));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    harness_pair_free(&pair);
}


/* a repeat is not a way around the protection of other messages */

static void
test_repeat_changed(void **state)
{
    size_t          len;
    fixture_t      *f;
    unsigned char  *der;

    f = *state;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    len = f->request_len;
    der = malloc(len);
    assert_non_null(der);
    memcpy(der, f->request, len);
    der[len - 1] ^= 1;

    fixture_send_bytes(f, der, len);
    assert_false(f->h->info.repeat);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);

    free(der);
}


/* what an unauthenticated client hears of stored state: nothing */

static void
test_nothing_told(void **state)
{
    int                 i;
    X509               *cert;
    fixture_t          *f;
    unsigned char       id[16];
    cmp_pki_message_t  *msg;
    char                text[2][1024];

    f = *state;

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);
    memcpy(id, f->c.transaction_id, 16);

    /* a transactionID in use, and one that is not */

    f->c.secret = "wrong";

    for (i = 0; i < 2; i++) {
        msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);

        if (i == 0) {
            client_set_octets(&msg->header->transaction_id, id, 16);
        }

        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                        FIXTURE_QUIET);
        strcpy(text[i], f->a->text);
    }

    assert_string_equal(text[0], text[1]);

    /* a key that is known, and one that is not */

    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    assert_string_equal(text[0], f->a->text);

    X509_free(cert);
}


/* texts are for people: no secrets, no internals, printable */

static void
test_text(void **state)
{
    size_t              i;
    fixture_t          *f;
    static const char  *subjects[] = { "/C=DE", "/CN=\n\r\t\x01", "/CN=%s%n%x",
                                       "/C=DE/CN=\"'<script>", NULL };

    f = *state;

    for (i = 0; subjects[i] != NULL; i++) {
        fixture_send(f, fixture_request(f, CMP_BODY_IR, subjects[i], f->key));

        if (f->a->status == CMP_STATUS_ACCEPTED) {
            continue;
        }

        assert_null(strchr(f->a->text, '\n'));
        assert_null(strchr(f->a->text, '\r'));
        assert_null(strchr(f->a->text, '\001'));
        assert_null(strstr(f->a->text, HARNESS_SECRET));
        assert_null(strstr(f->a->text, ".c:"));
        assert_true(strlen(f->a->text) > 20);
    }
}


/* a request for another CA of this server */

static void
test_other_ca(void **state)
{
    X509_NAME           *name;
    fixture_t           *f;
    client_request_t     request;
    cmp_pki_message_t   *msg;
    cmp_cert_req_msg_t  *req;

    f = *state;
    name = pki_name("/O=Example/CN=Other CA");
    f->h->other_ca = name;

    memset(&request, 0, sizeof(client_request_t));
    request.key = f->key;

    msg = fixture_ir(f);
    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    req->cert_req->cert_template->issuer = X509_NAME_dup(name);
    client_pop(&f->c, req, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_WRONG_AUTHORITY,
                    FIXTURE_AUDITED);

    f->h->other_ca = NULL;
    X509_NAME_free(name);
}


/* an RA by its certificate, which this CA issued from a profile for RAs */

static void
test_own_ra(void **state)
{
    int                  i;
    char                 err[128];
    cmp_str_t            word;
    fixture_t           *f;
    client_request_t     request;
    cmp_pki_message_t   *msg;
    cmp_cert_req_msg_t  *req;
    harness_pair_t       ra;

    f = *state;
    word.data = (unsigned char *) "cmcRA";
    word.len = 5;
    f->h->device.ra = 1;
    assert_int_equal(cmp_profile_add_ext_key_usage(&f->h->device, f->h->pool,
                                                   &word, err, sizeof(err)),
                     CMP_OK);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = "/CN=RA";
    request.key = f->key;

    msg = fixture_request(f, CMP_BODY_IR, "/CN=RA", f->key);
    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    client_add_extension(&req->cert_req->cert_template->extensions,
                         pki_extension(NID_ext_key_usage, "cmcRA"));
    client_pop(&f->c, req, &request);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    ra.cert = fixture_keep(f);
    ra.key = f->key;

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    /* with the profile for RAs it may, without it may not */

    fixture_sign(f, &ra);

    for (i = 1; i >= 0; i--) {
        f->h->device.ra = i;
        request.subject = "/CN=somebody";
        request.key = f->key2;
        request.pop = CLIENT_POP_RA_VERIFIED;

        client_begin(&f->c);
        msg = client_message(&f->c, CMP_BODY_IR);
        (void) client_add_request(&f->c, msg, &request);
        fixture_send(f, msg);

        if (i == 1) {
            fixture_granted(f, CMP_BODY_IP);
            assert_memory_equal(f->h->requester, "ra:", 3);

        } else {
            fixture_refused(f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED,
                            FIXTURE_AUDITED);
        }
    }

    X509_free(ra.cert);
}


/* a certificate that is not yet valid, of a clock that runs behind */

static void
test_not_yet_valid(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->now = 1500000000000LL;
    f->h->store->now = f->h->now;
    f->c.now = f->h->now;

    /* the CA's own certificates are not valid then either */

    fixture_sign(f, &f->h->device_cert);
    f->c.root = NULL;
    fixture_send(f, fixture_ir(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_order),
        fixture_test(test_repeat_first),
        fixture_test(test_repeat_changed),
        fixture_test(test_nothing_told),
        fixture_test(test_text),
        fixture_test(test_other_ca),
        fixture_test(test_own_ra),
        fixture_test(test_not_yet_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
