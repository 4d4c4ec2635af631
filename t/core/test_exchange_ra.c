
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * RAs that the CA made itself, by a profile for RAs, and the limits that the
 * profile sets for them.
 */


#include <fixture.h>

#include <openssl/x509v3.h>


/* profile "device" makes RAs, which may do what the scope says */

typedef struct {
    fixture_t       *f;
    cmp_scope_t      scope;
    cmp_str_t        profiles[1];
    harness_pair_t   ra;
} test_ra_t;


static void
test_begin(test_ra_t *t, fixture_t *f)
{
    char                 err[128];
    cmp_str_t            word;
    client_request_t     request;
    cmp_pki_message_t   *msg;
    cmp_cert_req_msg_t  *req;

    memset(t, 0, sizeof(test_ra_t));
    t->f = f;
    t->scope.profiles = t->profiles;
    t->scope.nprofiles = 1;
    t->scope.reasons = 1U << CRL_REASON_SUPERSEDED;
    t->profiles[0].data = (unsigned char *) "server";
    t->profiles[0].len = 6;

    word.data = (unsigned char *) "cmcRA";
    word.len = 5;
    f->h->device.ra = 1;
    f->h->device.ra_scope = &t->scope;
    assert_int_equal(cmp_profile_add_ext_key_usage(&f->h->device, f->h->pool,
                                                   &word, err, sizeof(err)),
                     CMP_OK);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = "/CN=RA 1";
    request.key = f->key;

    msg = fixture_request(f, CMP_BODY_IR, request.subject, f->key);
    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    client_add_extension(&req->cert_req->cert_template->extensions,
                         pki_extension(NID_ext_key_usage, "cmcRA"));
    client_pop(&f->c, req, &request);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    t->ra.cert = fixture_keep(f);
    t->ra.key = f->key;

    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    fixture_sign(f, &t->ra);
}


static void
test_end(test_ra_t *t)
{
    X509_free(t->ra.cert);
}


/* a request for somebody else's key, of which only the RA has seen a proof */

static void
test_send_ir(test_ra_t *t, const char *profile, const char *subject,
    const char *san)
{
    fixture_t          *f;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = t->f;
    f->h->profile = profile;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = subject;
    request.san = san;
    request.key = f->key2;
    request.pop = CLIENT_POP_RA_VERIFIED;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);

    f->h->profile = NULL;
}


static void
test_profiles(void **state)
{
    test_ra_t  t;

    test_begin(&t, *state);

    test_send_ir(&t, "server", "/CN=a", "DNS:a.example.org");
    fixture_granted(t.f, CMP_BODY_IP);
    assert_memory_equal(t.f->h->requester, "ra:", 3);

    test_send_ir(&t, "device", "/CN=b", NULL);
    fixture_refused(t.f, CMP_BODY_ERROR, CMP_FAIL_NOT_AUTHORIZED,
                    FIXTURE_AUDITED);

    /* without a name: the first of its profiles, not that of the CA */

    test_send_ir(&t, NULL, "/CN=b", NULL);
    fixture_refused(t.f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    test_end(&t);
}


static void
test_subject(void **state)
{
    test_ra_t         t;
    static cmp_str_t  subject = cmp_string("CN=*,O=$CN");

    test_begin(&t, *state);
    t.profiles[0].data = (unsigned char *) "device";
    t.scope.subject = subject;

    /* the pattern takes a value from the certificate of the RA */

    test_send_ir(&t, NULL, "/CN=a/O=RA 1", NULL);
    fixture_granted(t.f, CMP_BODY_IP);

    test_send_ir(&t, NULL, "/CN=a/O=RA 2", NULL);
    fixture_refused(t.f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED,
                    FIXTURE_AUDITED);

    test_end(&t);
}


static void
test_sans(void **state)
{
    test_ra_t  t;
    cmp_str_t  sans[1];

    test_begin(&t, *state);
    sans[0].data = (unsigned char *) "dns:*.lab.example.org";
    sans[0].len = strlen((char *) sans[0].data);
    t.profiles[0].data = (unsigned char *) "device";
    t.scope.sans = sans;
    t.scope.nsans = 1;

    test_send_ir(&t, NULL, "/CN=a", "DNS:a.lab.example.org");
    fixture_granted(t.f, CMP_BODY_IP);

    test_send_ir(&t, NULL, "/CN=b", "DNS:b.example.org");
    fixture_refused(t.f, CMP_BODY_IP, CMP_FAIL_NOT_AUTHORIZED,
                    FIXTURE_AUDITED);

    test_end(&t);
}


static void
test_reasons(void **state)
{
    fixture_t       *f;
    test_ra_t        t;
    harness_pair_t   own;

    f = *state;
    test_begin(&t, f);
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);

    /* of another profile, for a reason that it may give */

    fixture_send(f, fixture_rr(f, own.cert, CRL_REASON_SUPERSEDED));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);

    t.profiles[0].data = (unsigned char *) "device";

    fixture_send(f, fixture_rr(f, own.cert, CRL_REASON_KEY_COMPROMISE));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, own.cert), CMP_CERT_VALID);

    fixture_send(f, fixture_rr(f, own.cert, CRL_REASON_SUPERSEDED));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(fixture_state(f, own.cert), CMP_CERT_REVOKED);

    harness_pair_free(&own);
    test_end(&t);
}


/* a kur for somebody: the old certificate has to be within the limits too */

static void
test_update_other(void **state)
{
    cmp_str_t         profile;
    fixture_t        *f;
    test_ra_t         t;
    harness_pair_t    own;
    memstore_cert_t  *row;

    static const cmp_str_t  responder = cmp_string(CMP_PROFILE_OCSP);

    f = *state;
    test_begin(&t, f);
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    f->h->server.san_required = 0;
    f->h->server.nsubject = 0;

    fixture_send(f, fixture_kur(f, own.cert, f->key2));
    fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_NOT_AUTHORIZED,
                    FIXTURE_AUDITED);
    assert_non_null(strstr(f->a->text, "for certificates of this profile"));

    t.profiles[0].data = (unsigned char *) "device";

    /* an OCSP responder is nobody's but the CA's */

    row = harness_row(f->h, own.cert);
    profile = row->record.profile;
    row->record.profile = responder;
    fixture_send(f, fixture_kur(f, own.cert, f->key2));
    fixture_refused(f, CMP_BODY_KUP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    row->record.profile = profile;
    fixture_send(f, fixture_kur(f, own.cert, f->key2));
    fixture_granted(f, CMP_BODY_KUP);

    harness_pair_free(&own);
    test_end(&t);
}


/* its own certificate it may update and revoke, whatever the limits */

static void
test_itself(void **state)
{
    X509       *next;
    fixture_t  *f;
    test_ra_t   t;

    f = *state;
    test_begin(&t, f);

    fixture_send(f, fixture_kur(f, t.ra.cert, f->key2));
    fixture_granted(f, CMP_BODY_KUP);
    next = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    X509_free(t.ra.cert);
    t.ra.cert = next;
    t.ra.key = f->key2;
    fixture_sign(f, &t.ra);

    fixture_send(f, fixture_rr(f, t.ra.cert, CRL_REASON_KEY_COMPROMISE));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(fixture_state(f, t.ra.cert), CMP_CERT_REVOKED);

    test_end(&t);
}


/* on hold it is no RA */

static void
test_hold(void **state)
{
    fixture_t  *f;
    test_ra_t   t;

    f = *state;
    test_begin(&t, f);
    harness_row(f->h, t.ra.cert)->record.state = CMP_CERT_HOLD;

    test_send_ir(&t, "server", "/CN=a", "DNS:a.example.org");
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    test_end(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_profiles),
        fixture_test(test_subject),
        fixture_test(test_sans),
        fixture_test(test_reasons),
        fixture_test(test_update_other),
        fixture_test(test_itself),
        fixture_test(test_hold)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
