
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Enrolment that succeeds: bodies, protections, keys, confirmation.
 */


#include <fixture.h>


typedef struct {
    int             body;
    int             answer;
} test_body_t;


static const test_body_t  test_bodies[] = {
    { CMP_BODY_IR, CMP_BODY_IP },
    { CMP_BODY_CR, CMP_BODY_CP },
    { CMP_BODY_P10CR, CMP_BODY_CP },
    { -1, -1 }
};


/* the answer is confirmed, explicitly */

static void
test_confirm(fixture_t *f)
{
    X509  *cert;

    cert = fixture_keep(f);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);

    assert_non_null(fixture_send(f, fixture_conf(f)));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);

    X509_free(cert);
}


static int
test_has_info(fixture_t *f, const cmp_oid_t *oid)
{
    int                               i;
    const cmp_info_type_and_value_t  *info;

    for (i = 0;
         i < sk_cmp_info_type_and_value_t_num(
                                       f->a->msg->header->general_info);
         i++)
    {
        info = sk_cmp_info_type_and_value_t_value(
                                    f->a->msg->header->general_info, i);

        if (cmp_oid_equal(info->info_type, oid)) {
            return 1;
        }
    }

    return 0;
}


static void
test_mac_bodies(void **state)
{
    int                 pvno;
    EVP_PKEY           *key;
    fixture_t          *f;
    const test_body_t  *t;
    char                name[32];

    f = *state;

    for (t = test_bodies; t->body != -1; t++) {
        for (pvno = 2; pvno <= 3; pvno++) {
            f->c.pvno = pvno;
            snprintf(name, sizeof(name), "%d %d", t->body, pvno);
            key = pki_key(PKI_P256, name);

            fixture_send(f, fixture_request(f, t->body, NULL, key));
            fixture_granted(f, t->answer);
            assert_int_equal(f->h->result, CMP_EXCHANGE_COMMIT);
            assert_int_equal(f->h->loads, 1);
            assert_int_equal(X509_check_private_key(f->a->cert, key), 1);
            assert_string_equal(f->h->requester, "mac:" HARNESS_REFERENCE);
            assert_true(test_has_info(f, &cmp_oid_it_confirm_wait_time));
            assert_false(test_has_info(f, &cmp_oid_it_implicit_confirm));

            test_confirm(f);

            EVP_PKEY_free(key);
        }
    }
}


static void
test_signature_bodies(void **state)
{
    int                 pvno;
    EVP_PKEY           *key;
    fixture_t          *f;
    harness_pair_t      pair;
    const test_body_t  *t;
    char                name[32];

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "old",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    for (t = test_bodies; t->body != -1; t++) {
        for (pvno = 2; pvno <= 3; pvno++) {
            f->c.pvno = pvno;
            snprintf(name, sizeof(name), "%d %d", t->body, pvno);
            key = pki_key(PKI_P256, name);

            fixture_send(f, fixture_request(f, t->body, NULL, key));
            fixture_granted(f, t->answer);
            assert_memory_equal(f->h->requester, "cert:1000000000000001", 21);
            test_confirm(f);

            EVP_PKEY_free(key);
        }
    }

    harness_pair_free(&pair);
}


/* what protects the request, and the key that is certified */

static void
test_keys(void **state)
{
    int                 i;
    EVP_PKEY           *key;
    fixture_t          *f;
    harness_pair_t      pair;
    char                name[32];
    static const int    kinds[] = { PKI_ED25519, PKI_ED448, PKI_P256,
                                    PKI_P384, PKI_RSA };

    f = *state;

    for (i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "signer %d", i);
        pair = harness_enrol(f->h, FIXTURE_SUBJECT, kinds[i], name,
                             CMP_CERT_VALID);
        fixture_sign(f, &pair);

        snprintf(name, sizeof(name), "new %d", i);
        key = pki_key(kinds[i], name);

        fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, key));
        fixture_granted(f, CMP_BODY_CP);
        assert_int_equal(X509_check_private_key(f->a->cert, key), 1);
        test_confirm(f);

        EVP_PKEY_free(key);
        harness_pair_free(&pair);
    }
}


static void
test_rsa_pss(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_RSA, "pss",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    f->c.pss = 1;
    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    test_confirm(f);

    f->c.md = EVP_sha512();
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_IP);
    test_confirm(f);

    harness_pair_free(&pair);
}


/* keys of the CA, and so of its answers and of certHash */

static void
test_ca_keys(void **state)
{
    int                 i;
    fixture_t          *f;
    harness_pair_t      pair;
    static const int    kinds[] = { PKI_ED448, PKI_P256, PKI_P384, PKI_RSA };

    (void) state;

    for (i = 0; i < 4; i++) {
        f = fixture_create(kinds[i]);

        fixture_send(f, fixture_ir(f));
        fixture_granted(f, CMP_BODY_IP);
        test_confirm(f);

        pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "old",
                             CMP_CERT_VALID);
        fixture_sign(f, &pair);
        fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key2));
        fixture_granted(f, CMP_BODY_CP);
        test_confirm(f);

        harness_pair_free(&pair);
        fixture_destroy(f);
    }
}


/* the CA's own certificate protects answers when there is no other */

static void
test_no_response_certificate(void **state)
{
    char             err[128];
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;

    X509_free(f->h->ca.response_certificate);
    sk_X509_pop_free(f->h->ca.response_chain, X509_free);
    EVP_PKEY_free(f->h->ca.response_key);
    f->h->ca.response_certificate = NULL;
    f->h->ca.response_chain = NULL;
    f->h->ca.response_key = NULL;

    assert_int_equal(cmp_ca_finish(&f->h->ca, f->h->pool, err, sizeof(err)),
                     CMP_OK);

    X509_free(f->h->response.cert);
    f->h->response.cert = f->h->issuer.cert;
    assert_int_equal(X509_up_ref(f->h->issuer.cert), 1);

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "old",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    harness_pair_free(&pair);
}


/*
 * Its file need not have the certificates of this CA: every signed answer has
 * them, one without a certificate too.
 */

static void
test_response_chain(void **state)
{
    harness_pair_t   own;
    fixture_t       *f;

    f = *state;

    sk_X509_pop_free(f->h->ca.response_chain, X509_free);
    f->h->ca.response_chain = NULL;

    own = harness_enrol(f->h, "/CN=own", PKI_P256, "own", CMP_CERT_VALID);
    fixture_sign(f, &own);

    fixture_send(f, fixture_request(f, CMP_BODY_CR, "/CN=own", f->key));
    fixture_granted(f, CMP_BODY_CP);

    fixture_send(f, fixture_conf(f));
    assert_int_equal(f->a->type, CMP_BODY_PKICONF);
    assert_int_equal(sk_X509_num(f->a->msg->extra_certs), 3);

    harness_pair_free(&own);
}


static void
test_pbm_algorithms(void **state)
{
    int                  i;
    EVP_PKEY            *key;
    fixture_t           *f;
    char                 name[32];
    static const int     algs[][2] = { { NID_sha1, NID_hmac_sha1 },
                                       { NID_sha1, NID_hmacWithSHA1 },
                                       { NID_sha256, NID_hmac_sha1 },
                                       { NID_sha224, NID_hmacWithSHA224 },
                                       { NID_sha256, NID_hmacWithSHA256 },
                                       { NID_sha384, NID_hmacWithSHA384 },
                                       { NID_sha512, NID_hmacWithSHA512 } };

    f = *state;

    for (i = 0; i < 7; i++) {
        f->c.owf = algs[i][0];
        f->c.mac = algs[i][1];
        snprintf(name, sizeof(name), "pbm %d", i);
        key = pki_key(PKI_P256, name);

        fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
        fixture_granted(f, CMP_BODY_IP);
        test_confirm(f);

        EVP_PKEY_free(key);
    }
}


static void
test_pbmac1(void **state)
{
    int                  i;
    EVP_PKEY            *key;
    fixture_t           *f;
    char                 name[32];
    static const int     macs[] = { NID_hmacWithSHA1, NID_hmacWithSHA256,
                                    NID_hmacWithSHA384, NID_hmacWithSHA512 };

    f = *state;
    f->c.protection = CLIENT_PBMAC1;
    f->c.pvno = 3;

    for (i = 0; i < 4; i++) {
        f->c.mac = macs[i];
        f->c.key_len = (i % 2 == 0) ? 0
                       : EVP_MD_get_size(i == 1 ? EVP_sha256() : EVP_sha512());
        snprintf(name, sizeof(name), "pbmac1 %d", i);
        key = pki_key(PKI_P256, name);

        fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, key));
        fixture_granted(f, CMP_BODY_IP);
        test_confirm(f);

        EVP_PKEY_free(key);
    }
}


static void
test_implicit_confirm(void **state)
{
    fixture_t  *f;

    f = *state;
    f->c.implicit_confirm = 1;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    assert_true(test_has_info(f, &cmp_oid_it_implicit_confirm));
    assert_false(test_has_info(f, &cmp_oid_it_confirm_wait_time));
    assert_int_equal(fixture_state(f, f->a->cert), CMP_CERT_VALID);

    fixture_send(f, fixture_request(f, CMP_BODY_P10CR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_CP);
    assert_true(test_has_info(f, &cmp_oid_it_implicit_confirm));
    assert_int_equal(fixture_state(f, f->a->cert), CMP_CERT_VALID);
}


/* the profile says no: certConf is waited for all the same */

static void
test_implicit_confirm_not_granted(void **state)
{
    fixture_t  *f;

    f = *state;
    f->c.implicit_confirm = 1;
    f->h->device.implicit_confirm = 0;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    assert_false(test_has_info(f, &cmp_oid_it_implicit_confirm));
    assert_true(test_has_info(f, &cmp_oid_it_confirm_wait_time));
    assert_int_equal(fixture_state(f, f->a->cert), CMP_CERT_UNCONFIRMED);
    test_confirm(f);
}


static void
test_several_requests(void **state)
{
    X509               *cert;
    fixture_t          *f;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.id = 5;
    request.subject = "/CN=second";
    request.key = f->key2;

    msg = fixture_ir(f);
    (void) client_add_request(&f->c, msg, &request);

    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(f->a->nstatus, 2);
    assert_int_equal(f->h->store->certs.n, 2);

    cert = client_certificate(f->a, 1);
    assert_int_equal(X509_check_private_key(cert, f->key2), 1);
    assert_int_equal(harness_row(f->h, cert)->record.cert_req_id, 5);
    assert_int_equal(X509_up_ref(cert), 1);

    test_confirm(f);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);

    X509_free(cert);
}


/* each has its own status */

static void
test_one_of_several_refused(void **state)
{
    X509                   *cert;
    fixture_t              *f;
    client_request_t        request;
    cmp_pki_message_t      *msg;
    cmp_pki_status_info_t  *info;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.id = 1;
    request.subject = "/CN=second";
    request.key = f->key2;
    request.pop = CLIENT_POP_BAD_SIGNATURE;

    msg = fixture_ir(f);
    (void) client_add_request(&f->c, msg, &request);

    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->a->nstatus, 2);
    assert_int_equal(f->a->status, CMP_STATUS_ACCEPTED);

    info = client_status(f->a, 1);
    assert_int_equal(ASN1_INTEGER_get(info->status), CMP_STATUS_REJECTION);
    assert_int_equal(client_fail_info(info), CMP_FAIL_BAD_POP);
    assert_int_equal(f->h->store->certs.n, 1);

    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


static void
test_vendor(void **state)
{
    fixture_t  *f;

    f = *state;
    fixture_sign(f, &f->h->device_cert);

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    assert_memory_equal(f->h->requester, "vendor:", 7);
    test_confirm(f);
}


static void
test_ra(void **state)
{
    fixture_t           *f;
    client_request_t     request;
    cmp_pki_message_t   *msg;

    f = *state;
    fixture_sign(f, &f->h->ra_cert);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = "/CN=somebody";
    request.key = f->key;
    request.pop = CLIENT_POP_RA_VERIFIED;

    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);

    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);
    assert_memory_equal(f->h->requester, "ra:", 3);
    test_confirm(f);
}


static void
test_san(void **state)
{
    fixture_t           *f;
    GENERAL_NAMES       *names;
    client_request_t     request;
    cmp_pki_message_t   *msg;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;
    request.san = "DNS:device-1.example.org,IP:192.0.2.7";

    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);

    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    names = X509_get_ext_d2i(f->a->cert, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(names), 2);
    GENERAL_NAMES_free(names);
    assert_int_equal(X509_check_host(f->a->cert, "device-1.example.org", 0, 0,
                                     NULL),
                     1);
}


/* the certificate says what the row says */

static void
test_row(void **state)
{
    int                n;
    fixture_t         *f;
    cmp_key_t         *key;
    unsigned char     *der;
    memstore_cert_t   *row;
    memstore_audit_t  *audit;

    f = *state;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);

    row = harness_row(f->h, f->a->cert);
    assert_non_null(row);
    assert_int_equal(row->record.serial.len, 20);

    der = NULL;
    n = i2d_X509(f->a->cert, &der);
    assert_int_equal(row->record.der.len, n);
    assert_memory_equal(row->record.der.data, der, n);
    OPENSSL_free(der);

    assert_int_equal(row->record.credential_id, f->h->credential->id);
    assert_memory_equal(row->record.profile.data, "device", 6);
    assert_memory_equal(row->record.transaction_id.data, f->c.transaction_id,
                        16);
    assert_memory_equal(row->record.key_hash.data,
                        X509_get0_subject_key_id(f->a->cert)->data,
                        CMP_SKI_LEN);

    key = memstore_key(f->h->store, HARNESS_CA_ID, &row->record.key_hash);
    assert_non_null(key);
    assert_false(key->confirmed);

    audit = memstore_audit(f->h->store, 0);
    assert_memory_equal(audit->record.action.data, "ir", 2);
    assert_int_equal(audit->record.fail_info, -1);
    assert_true(cmp_str_equal(&audit->record.serial, &row->record.serial));
    assert_memory_equal(audit->requester.data, "mac:" HARNESS_REFERENCE, 12);
    assert_memory_equal(audit->client.data, "192.0.2.1", 9);

    test_confirm(f);
    assert_true(key->confirmed);

    audit = memstore_audit(f->h->store, 0);
    assert_memory_equal(audit->record.action.data, "certConf", 8);
}


/* caPubs: only in ip, only the root, only for a shared secret */

static void
test_ca_pubs(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;
    STACK_OF(X509)  *certs;

    f = *state;

    fixture_send(f, fixture_ir(f));
    certs = f->a->msg->body->value.ip->ca_pubs;
    assert_int_equal(sk_X509_num(certs), 1);
    assert_int_equal(X509_cmp(sk_X509_value(certs, 0), f->h->root.cert), 0);

    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_CP);
    assert_null(f->a->msg->body->value.ip->ca_pubs);

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "old",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    fixture_send(f, fixture_request(f, CMP_BODY_IR, "/O=Example/CN=device-1",
                                    f->key));
    fixture_granted(f, CMP_BODY_IP);
    assert_null(f->a->msg->body->value.ip->ca_pubs);

    f->h->ca.ca_pubs_always = 1;
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key));
    fixture_granted(f, CMP_BODY_IP);
    assert_int_equal(sk_X509_num(f->a->msg->body->value.ip->ca_pubs), 1);

    harness_pair_free(&pair);
}


static void
test_no_root(void **state)
{
    fixture_t  *f;

    f = *state;
    f->h->ca.no_root = 1;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_strict(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    fixture_strict(f);

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    test_confirm(f);

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "old",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    fixture_send(f, fixture_request(f, CMP_BODY_CR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_CP);
    test_confirm(f);

    harness_pair_free(&pair);
}


/* the salt of the answer: that of the request; strict: a fresh one */

static void
test_salt(void **state)
{
    fixture_t         *f;
    const ASN1_TYPE   *a, *b;
    cmp_pki_message_t  *req;

    f = *state;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    req = cmp_asn1_decode(cmp_pki_message_t, f->request, f->request_len);
    a = req->header->protection_alg->parameter;
    b = f->a->msg->header->protection_alg->parameter;
    assert_int_equal(ASN1_TYPE_cmp(a, b), 0);
    cmp_asn1_free(cmp_pki_message_t, req);

    fixture_strict(f);
    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_IP);
    req = cmp_asn1_decode(cmp_pki_message_t, f->request, f->request_len);
    a = req->header->protection_alg->parameter;
    b = f->a->msg->header->protection_alg->parameter;
    assert_int_not_equal(ASN1_TYPE_cmp(a, b), 0);
    cmp_asn1_free(cmp_pki_message_t, req);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_mac_bodies),
        fixture_test(test_signature_bodies),
        fixture_test(test_keys),
        fixture_test(test_rsa_pss),
        cmocka_unit_test(test_ca_keys),
        fixture_test(test_no_response_certificate),
        fixture_test(test_response_chain),
        fixture_test(test_pbm_algorithms),
        fixture_test(test_pbmac1),
        fixture_test(test_implicit_confirm),
        fixture_test(test_implicit_confirm_not_granted),
        fixture_test(test_several_requests),
        fixture_test(test_one_of_several_refused),
        fixture_test(test_vendor),
        fixture_test(test_ra),
        fixture_test(test_san),
        fixture_test(test_row),
        fixture_test(test_ca_pubs),
        fixture_test(test_no_root),
        fixture_test(test_strict),
        fixture_test(test_salt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
