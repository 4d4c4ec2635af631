
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Certificate requests: template, proof of possession, key reuse, and what a
 * requester may ask for.
 */


#include <fixture.h>


static cmp_cert_template_t *
test_template(cmp_pki_message_t *msg)
{
    return sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0)
               ->cert_req->cert_template;
}


/* signs the proof again and sends */

static void
test_send(fixture_t *f, cmp_pki_message_t *msg, EVP_PKEY *key)
{
    client_request_t  request;

    memset(&request, 0, sizeof(client_request_t));
    request.key = key;

    client_pop(&f->c, sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0),
               &request);

    fixture_send(f, msg);
}


static void
test_request(fixture_t *f, const client_request_t *request)
{
    cmp_pki_message_t  *msg;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, request);
    fixture_send(f, msg);
}


static void
test_add_extension(cmp_pki_message_t *msg, int nid, const char *value)
{
    client_add_extension(&test_template(msg)->extensions,
                         pki_extension(nid, value));
}


static void
test_empty_list(void **state)
{
    fixture_t  *f;

    f = *state;

    client_begin(&f->c);
    fixture_send(f, client_message(&f->c, CMP_BODY_IR));
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_DATA_FORMAT);
    assert_int_equal(f->h->store->certs.n, 0);
}


static void
test_too_many(void **state)
{
    int                 i;
    EVP_PKEY           *key;
    fixture_t          *f;
    client_request_t    request;
    cmp_pki_message_t  *msg;
    char                name[32];

    f = *state;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);

    for (i = 0; i < 17; i++) {
        memset(&request, 0, sizeof(client_request_t));
        snprintf(name, sizeof(name), "/CN=many-%d", i);
        key = pki_key(PKI_ED25519, name);
        request.id = i;
        request.subject = name;
        request.key = key;
        (void) client_add_request(&f->c, msg, &request);
        EVP_PKEY_free(key);
    }

    fixture_send(f, msg);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    assert_int_equal(f->h->store->certs.n, 0);
}


static void
test_id_twice(void **state)
{
    fixture_t          *f;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = "/CN=second";
    request.key = f->key2;

    msg = fixture_ir(f);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    assert_int_equal(f->h->store->certs.n, 0);
}


/* one key, two requests of a message */

static void
test_key_twice(void **state)
{
    fixture_t              *f;
    client_request_t        request;
    cmp_pki_message_t      *msg;
    cmp_pki_status_info_t  *info;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.id = 1;
    request.subject = "/CN=somebody else";
    request.key = f->key;

    msg = fixture_ir(f);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_IP);

    info = client_status(f->a, 1);
    assert_int_equal(client_fail_info(info), CMP_FAIL_BAD_CERT_TEMPLATE);
    assert_true(f->h->store->certs.n <= 1);
}


static void
test_template_fields(void **state)
{
    int                   i;
    fixture_t            *f;
    cmp_pki_message_t    *msg;
    cmp_cert_template_t  *tmpl;

    f = *state;

    for (i = 0; i < 5; i++) {
        msg = fixture_ir(f);
        tmpl = test_template(msg);

        switch (i) {

        case 0:
            tmpl->serial_number = ASN1_INTEGER_new();
            assert_int_equal(ASN1_INTEGER_set(tmpl->serial_number, 7), 1);
            break;

        case 1:
            tmpl->signing_alg = X509_ALGOR_new();
            assert_int_equal(X509_ALGOR_set0(tmpl->signing_alg,
                                             OBJ_nid2obj(NID_ED25519),
                                             V_ASN1_UNDEF, NULL),
                             1);
            break;

        case 2:
            tmpl->issuer_uid = ASN1_BIT_STRING_new();
            assert_int_equal(cmp_asn1_set_octets(tmpl->issuer_uid,
                                                 (unsigned char *) "a", 1),
                             1);
            break;

        case 3:
            tmpl->subject_uid = ASN1_BIT_STRING_new();
            assert_int_equal(cmp_asn1_set_octets(tmpl->subject_uid,
                                                 (unsigned char *) "a", 1),
                             1);
            break;

        default:
            tmpl->version = ASN1_INTEGER_new();
            assert_int_equal(ASN1_INTEGER_set(tmpl->version, 1), 1);
            break;
        }

        test_send(f, msg, f->key);
        fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                        FIXTURE_AUDITED);
    }

    msg = fixture_ir(f);
    tmpl = test_template(msg);
    tmpl->version = ASN1_INTEGER_new();
    assert_int_equal(ASN1_INTEGER_set(tmpl->version, 2), 1);
    test_send(f, msg, f->key);
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_template_issuer(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    /* this CA: fine */

    msg = fixture_ir(f);
    test_template(msg)->issuer = X509_NAME_dup(
                                     X509_get_subject_name(f->h->issuer.cert));
    test_send(f, msg, f->key);
    fixture_granted(f, CMP_BODY_IP);

    /* somebody */

    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    test_template(msg)->issuer = pki_name("/CN=nobody");
    test_send(f, msg, f->key2);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    /* the issuer of the protecting certificate: ignored */

    fixture_sign(f, &f->h->device_cert);
    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    test_template(msg)->issuer = X509_NAME_dup(
                                     X509_get_subject_name(f->h->vendor.cert));
    test_send(f, msg, f->key2);
    fixture_granted(f, CMP_BODY_IP);
}


static void
test_no_name(void **state)
{
    fixture_t         *f;
    client_request_t   request;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.key = f->key;
    request.subject = "";
    test_request(f, &request);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
    assert_non_null(strstr(f->a->text, "subject"));
}


/* an empty subject with a subjectAltName, which is critical then */

static void
test_empty_subject(void **state)
{
    int               n;
    cmp_str_t         names[1];
    fixture_t        *f;
    X509_EXTENSION   *ext;
    client_request_t  request;

    f = *state;

    names[0].data = (unsigned char *) "server";
    names[0].len = 6;
    f->h->credential->profiles = names;
    f->h->credential->nprofiles = 1;
    f->h->profile = "server";

    memset(&request, 0, sizeof(client_request_t));
    request.key = f->key;
    request.subject = "";
    request.san = "DNS:www.example.org";
    test_request(f, &request);
    fixture_granted(f, CMP_BODY_IP);

    n = X509_get_ext_by_NID(f->a->cert, NID_subject_alt_name, -1);
    assert_true(n >= 0);
    ext = X509_get_ext(f->a->cert, n);
    assert_int_equal(X509_EXTENSION_get_critical(ext), 1);

    /* beyond the profile's names */

    request.key = f->key2;
    request.san = "DNS:www.example.net";
    test_request(f, &request);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    f->h->credential->nprofiles = 0;
    f->h->credential->profiles = NULL;
}


static void
test_subject_rules(void **state)
{
    fixture_t  *f;

    f = *state;

    /* CN is missing; C is not allowed */

    fixture_send(f, fixture_request(f, CMP_BODY_IR, "/O=Example", f->key));
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, "/C=DE/CN=a", f->key));
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
}


/* unknown ones: refused, or dropped where the profile says so */

static void
test_extensions(void **state)
{
    fixture_t          *f;
    X509_EXTENSION     *ext;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    test_add_extension(msg, NID_netscape_comment, "hello");
    test_send(f, msg, f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    f->h->device.drop_extensions = 1;
    msg = fixture_ir(f);
    test_add_extension(msg, NID_netscape_comment, "hello");
    test_send(f, msg, f->key);
    assert_int_equal(f->a->type, CMP_BODY_IP);
    assert_int_equal(f->a->status, CMP_STATUS_GRANTED_WITH_MODS);
    assert_true(X509_get_ext_by_NID(f->a->cert, NID_netscape_comment, -1) < 0);

    /* a critical one is never dropped */

    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    ext = pki_extension(NID_netscape_comment, "hello");
    assert_int_equal(X509_EXTENSION_set_critical(ext, 1), 1);
    client_add_extension(&test_template(msg)->extensions, ext);
    test_send(f, msg, f->key2);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    /* twice */

    msg = fixture_request(f, CMP_BODY_IR, NULL, f->key2);
    test_add_extension(msg, NID_key_usage, "digitalSignature");
    test_add_extension(msg, NID_key_usage, "digitalSignature");
    test_send(f, msg, f->key2);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
}


static void
test_ca_certificate(void **state)
{
    size_t               i;
    fixture_t           *f;
    cmp_pki_message_t   *msg;
    static const struct {
        int              nid;
        const char      *value;
        int              fail_info;
    }  exts[] = {
        { NID_basic_constraints, "critical,CA:TRUE", CMP_FAIL_NOT_AUTHORIZED },
        { NID_ext_key_usage, "cmcRA", CMP_FAIL_NOT_AUTHORIZED },
        { NID_ext_key_usage, "cmcCA", CMP_FAIL_NOT_AUTHORIZED },
        { NID_ext_key_usage, "1.3.6.1.5.5.7.3.32", CMP_FAIL_NOT_AUTHORIZED },
        { NID_basic_constraints, "CA:FALSE,pathlen:0",
          CMP_FAIL_BAD_CERT_TEMPLATE },
        { NID_key_usage, "keyCertSign", -1 }
    };

    f = *state;

    for (i = 0; i < sizeof(exts) / sizeof(exts[0]); i++) {
        msg = fixture_ir(f);
        test_add_extension(msg, exts[i].nid, exts[i].value);
        test_send(f, msg, f->key);

        assert_int_equal(f->a->type, CMP_BODY_IP);
        assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
        assert_int_equal(f->h->store->certs.n, 0);

        if (exts[i].fail_info != -1) {
            assert_int_equal(f->a->fail_info, exts[i].fail_info);

        } else {
            assert_true(f->a->fail_info == CMP_FAIL_BAD_CERT_TEMPLATE
                        || f->a->fail_info == CMP_FAIL_NOT_AUTHORIZED);
        }
    }
}


static void
test_keys(void **state)
{
    EVP_PKEY          *weak, *p521;
    fixture_t         *f;
    client_request_t   request;

    f = *state;
    weak = pki_key(PKI_RSA_1024, "weak");
    p521 = pki_key(PKI_P521, "p521");

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;

    request.key = weak;
    test_request(f, &request);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    request.key = p521;
    test_request(f, &request);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    request.key = NULL;
    request.pop = CLIENT_POP_NONE;
    test_request(f, &request);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);

    EVP_PKEY_free(weak);
    EVP_PKEY_free(p521);
}


/* a key of this kind, made by the CA: RFC 9810, 5.3.4 */

static void
test_central_key(void **state)
{
    fixture_t          *f;
    cmp_public_key_t   *key;
    cmp_pki_message_t  *msg;

    f = *state;

    key = cmp_asn1_new(cmp_public_key_t);
    assert_non_null(key);
    assert_int_equal(X509_ALGOR_set0(key->algorithm,
                                     OBJ_nid2obj(NID_X9_62_id_ecPublicKey),
                                     V_ASN1_OBJECT,
                                     OBJ_nid2obj(NID_X9_62_prime256v1)),
                     1);

    msg = fixture_ir(f);
    cmp_asn1_free(cmp_public_key_t, test_template(msg)->public_key);
    test_template(msg)->public_key = key;

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
    assert_string_equal(f->a->text, "the certificate template has no public "
                        "key, and keys are not made here");
}


/* a point that is not on its curve */

static void
test_bad_point(void **state)
{
    fixture_t          *f;
    ASN1_BIT_STRING    *point;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    point = test_template(msg)->public_key->subject_public_key;
    point->data[point->length - 1] ^= 1;

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_CERT_TEMPLATE,
                    FIXTURE_AUDITED);
}


static void
test_pop(void **state)
{
    size_t             i;
    fixture_t         *f;
    client_request_t   request;
    static const int   bad[][2] = {
        { CLIENT_POP_NONE, CMP_FAIL_BAD_POP },
        { CLIENT_POP_BAD_SIGNATURE, CMP_FAIL_BAD_POP },
        { CLIENT_POP_ENCR_CERT, CMP_FAIL_BAD_POP },
        { CLIENT_POP_AGREE_ENCR_CERT, CMP_FAIL_BAD_POP },
        { CLIENT_POP_RA_VERIFIED, CMP_FAIL_NOT_AUTHORIZED }
    };

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;

    for (i = 0; i < 5; i++) {
        request.pop = bad[i][0];
        test_request(f, &request);
        fixture_refused(f, CMP_BODY_IP, bad[i][1], FIXTURE_AUDITED);
    }
}


/* a right signature, by another key */

static void
test_pop_other_key(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    pki_set_public_key(&test_template(msg)->public_key, f->key2);

    test_send(f, msg, f->key);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);
}


/* the template was changed after it was signed */

static void
test_pop_changed(void **state)
{
    fixture_t            *f;
    cmp_pki_message_t    *msg;
    cmp_cert_template_t  *tmpl;

    f = *state;

    msg = fixture_ir(f);
    tmpl = test_template(msg);
    X509_NAME_free(tmpl->subject);
    tmpl->subject = pki_name("/O=Example/CN=device-9");
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);
}


/* poposkInput, which binds the authenticated name or the secret */

static void
test_pop_input(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair;
    client_request_t    request;
    cmp_pki_message_t  *msg;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;
    request.pop = CLIENT_POP_INPUT_MAC;
    test_request(f, &request);
    fixture_granted(f, CMP_BODY_IP);

    /* a MAC by another secret */

    request.key = f->key2;
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    f->c.secret = "wrong";
    (void) client_add_request(&f->c, msg, &request);
    f->c.secret = HARNESS_SECRET;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);

    /* a MAC that costs too much */

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    f->c.iterations = 100001;
    (void) client_add_request(&f->c, msg, &request);
    f->c.iterations = 500;
    fixture_send(f, msg);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);

    /* by name */

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);
    request.pop = CLIENT_POP_INPUT_SENDER;
    test_request(f, &request);
    fixture_granted(f, CMP_BODY_IP);
    harness_pair_free(&pair);
}


/* poposkInput with another name, or another key than in the template */

static void
test_pop_input_bad(void **state)
{
    int                            i;
    EVP_PKEY                      *key;
    fixture_t                     *f;
    harness_pair_t                 pair;
    client_request_t               request;
    cmp_pki_message_t             *msg;
    cmp_cert_req_msg_t            *req;
    cmp_popo_signing_key_t        *sign;
    cmp_popo_signing_key_input_t  *input;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    for (i = 0; i < 2; i++) {
        memset(&request, 0, sizeof(client_request_t));
        request.subject = FIXTURE_SUBJECT;
        request.key = f->key;
        request.pop = CLIENT_POP_INPUT_SENDER;

        client_begin(&f->c);
        msg = client_message(&f->c, CMP_BODY_IR);
        req = client_add_request(&f->c, msg, &request);
        sign = req->popo->value.signature;
        input = sign->poposk_input;

        if (i == 0) {
            X509_NAME_free(input->auth_info->value.sender->d.directoryName);
            input->auth_info->value.sender->d.directoryName =
                                                   pki_name("/CN=nobody");

        } else {
            key = f->key2;
            assert_int_equal(pki_set_public_key(&input->public_key, key), 1);
        }

        client_sign_input(sign, f->key);
        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);
    }

    harness_pair_free(&pair);
}


static void
test_p10_bad_signature(void **state)
{
    fixture_t          *f;
    const ASN1_BIT_STRING  *sig;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_request(f, CMP_BODY_P10CR, NULL, f->key);
    X509_REQ_get0_signature(msg->body->value.p10cr, &sig, NULL);
    ((ASN1_BIT_STRING *) sig)->data[20] ^= 1;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_CP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);
}


/* a key algorithm that nobody knows */

static void
test_p10_unknown_key(void **state)
{
    int                   n, i;
    fixture_t            *f;
    unsigned char        *der;
    cmp_pki_message_t    *msg;
    const unsigned char  *p;
    static const unsigned char  oid[] = { 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
                                          0x3d, 0x02, 0x01 };

    f = *state;

    msg = fixture_request(f, CMP_BODY_P10CR, NULL, f->key);
    der = NULL;
    n = i2d_X509_REQ(msg->body->value.p10cr, &der);

    for (i = 0; i + (int) sizeof(oid) < n; i++) {
        if (memcmp(der + i, oid, sizeof(oid)) == 0) {
            der[i + 8] = 0x77;
            break;
        }
    }

    p = der;
    X509_REQ_free(msg->body->value.p10cr);
    msg->body->value.p10cr = d2i_X509_REQ(NULL, &p, n);
    assert_non_null(msg->body->value.p10cr);
    ERR_clear_error();
    OPENSSL_free(der);

    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_ALG, FIXTURE_AUDITED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_empty_list),
        fixture_test(test_too_many),
        fixture_test(test_id_twice),
        fixture_test(test_key_twice),
        fixture_test(test_template_fields),
        fixture_test(test_template_issuer),
        fixture_test(test_no_name),
        fixture_test(test_empty_subject),
        fixture_test(test_subject_rules),
        fixture_test(test_extensions),
        fixture_test(test_ca_certificate),
        fixture_test(test_keys),
        fixture_test(test_central_key),
        fixture_test(test_bad_point),
        fixture_test(test_pop),
        fixture_test(test_pop_other_key),
        fixture_test(test_pop_changed),
        fixture_test(test_pop_input),
        fixture_test(test_pop_input_bad),
        fixture_test(test_p10_bad_signature),
        fixture_test(test_p10_unknown_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
