
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Smaller rules of header, confirmation and revocation.
 */


#include <fixture.h>


static void
test_general_info_twice(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_implicit_confirm, client_null());
    client_general_info(msg, &cmp_oid_it_implicit_confirm, client_null());
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    /* a value that is no value at all */

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_implicit_confirm, NULL);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    msg = fixture_ir(f);
    client_general_info(msg, &cmp_oid_it_cert_profile,
                        client_value(V_ASN1_UTF8STRING, "device"));
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->certs.n, 0);
}


/* nobody is found for a sender that is no name, or has no CN */

static void
test_no_reference(void **state)
{
    int                 i;
    fixture_t          *f;
    GENERAL_NAME       *name;
    cmp_pki_message_t  *msg;
    char                kid[300];

    f = *state;
    memset(kid, 'k', sizeof(kid));

    for (i = 0; i < 3; i++) {
        msg = fixture_ir(f);
        client_set_octets(&msg->header->sender_kid, NULL, 0);

        switch (i) {

        case 0:
            name = GENERAL_NAME_new();
            name->type = GEN_DNS;
            name->d.dNSName = ASN1_IA5STRING_new();
            assert_int_equal(ASN1_STRING_set(name->d.dNSName,
                                             HARNESS_REFERENCE, -1),
                             1);
            GENERAL_NAME_free(msg->header->sender);
            msg->header->sender = name;
            break;

        case 1:
            X509_NAME_free(msg->header->sender->d.directoryName);
            msg->header->sender->d.directoryName = pki_name("/O=Example");
            break;

        default:
            client_set_octets(&msg->header->sender_kid, kid, sizeof(kid));
            break;
        }

        f->c.no_kid = 1;
        fixture_send(f, msg);
        f->c.no_kid = 0;
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_MESSAGE_CHECK,
                        FIXTURE_QUIET);
    }
}


/* certConf: neither accepted nor rejection; a certReqId that is no number */

static void
test_cert_conf(void **state)
{
    X509               *cert;
    fixture_t          *f;
    cmp_cert_status_t  *cs;
    cmp_pki_message_t  *msg;

    f = *state;

    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    cert = fixture_keep(f);

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    (void) client_add_status(msg, cert, 0, CMP_STATUS_WAITING);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    assert_int_not_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);

    fixture_send(f, fixture_request(f, CMP_BODY_IR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_IP);
    cert = fixture_keep(f);

    msg = client_message(&f->c, CMP_BODY_CERTCONF);
    cs = client_add_status(msg, cert, 0, -1);
    assert_int_equal(ASN1_INTEGER_set_uint64(cs->cert_req_id, UINT64_MAX), 1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    assert_int_not_equal(fixture_state(f, cert), CMP_CERT_VALID);
    X509_free(cert);
}


/* pkiConf from the client confirms nothing at the strict level */

static void
test_pki_conf_strict(void **state)
{
    X509       *cert;
    fixture_t  *f;

    f = *state;
    fixture_strict(f);

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);
    fixture_send(f, client_message(&f->c, CMP_BODY_PKICONF));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_UNCONFIRMED);
    X509_free(cert);
}


/* certDetails, member by member */

static void
test_rr_details(void **state)
{
    int                   i;
    fixture_t            *f;
    harness_pair_t        own;
    cmp_pki_message_t    *msg;
    cmp_cert_template_t  *tmpl;

    f = *state;
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &own);

    for (i = 0; i < 5; i++) {
        msg = fixture_rr(f, own.cert, -1);
        tmpl = sk_cmp_rev_details_t_value(msg->body->value.rr, 0)
                   ->cert_details;

        switch (i) {

        case 0:
            tmpl->version = ASN1_INTEGER_new();
            assert_int_equal(ASN1_INTEGER_set(tmpl->version, 0), 1);
            break;

        case 1:
            tmpl->signing_alg = X509_ALGOR_new();
            assert_int_equal(X509_ALGOR_set0(tmpl->signing_alg,
                                             OBJ_nid2obj(NID_ED448),
                                             V_ASN1_UNDEF, NULL),
                             1);
            break;

        case 2:
            tmpl->validity = cmp_asn1_new(cmp_optional_validity_t);
            tmpl->validity->not_before = pki_time(HARNESS_NOW);
            break;

        case 3:
            client_add_extension(&tmpl->extensions,
                                 pki_extension(NID_key_usage,
                                               "critical,keyAgreement"));
            break;

        default:
            tmpl->issuer_uid = ASN1_BIT_STRING_new();
            assert_int_equal(cmp_asn1_set_octets(tmpl->issuer_uid,
                                                 (unsigned char *) "a", 1),
                             1);
            break;
        }

        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID,
                        FIXTURE_AUDITED);
    }

    /* the same members, all of them true */

    msg = fixture_rr(f, own.cert, -1);
    tmpl = sk_cmp_rev_details_t_value(msg->body->value.rr, 0)->cert_details;
    tmpl->version = ASN1_INTEGER_new();
    assert_int_equal(ASN1_INTEGER_set(tmpl->version, 2), 1);
    tmpl->signing_alg = X509_ALGOR_dup(X509_get0_tbs_sigalg(own.cert));
    tmpl->validity = cmp_asn1_new(cmp_optional_validity_t);
    tmpl->validity->not_before = ASN1_STRING_dup(X509_get0_notBefore(
                                                                  own.cert));
    tmpl->validity->not_after = ASN1_STRING_dup(X509_get0_notAfter(own.cert));
    client_add_extension(&tmpl->extensions,
                         pki_extension(NID_key_usage,
                                       "critical,digitalSignature"));
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_RP);

    harness_pair_free(&own);
}


static void
test_rr_invalidity_date(void **state)
{
    fixture_t             *f;
    harness_pair_t         own;
    X509_EXTENSION        *ext;
    ASN1_OCTET_STRING     *value;
    cmp_pki_message_t     *msg;

    f = *state;
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &own);

    value = ASN1_OCTET_STRING_new();
    assert_int_equal(ASN1_OCTET_STRING_set(value, (unsigned char *) "junk", 4),
                     1);
    ext = X509_EXTENSION_create_by_NID(NULL, NID_invalidity_date, 0, value);
    ASN1_OCTET_STRING_free(value);

    msg = fixture_rr(f, own.cert, CRL_REASON_KEY_COMPROMISE);
    client_add_extension(&sk_cmp_rev_details_t_value(msg->body->value.rr, 0)
                              ->crl_entry_details,
                         ext);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_DATA_FORMAT, FIXTURE_AUDITED);

    harness_pair_free(&own);
}


/* reasonCode that is no ENUMERATED */

static void
test_rr_reason_malformed(void **state)
{
    fixture_t             *f;
    harness_pair_t         own;
    X509_EXTENSION        *ext;
    ASN1_OCTET_STRING     *value;
    cmp_pki_message_t     *msg;

    f = *state;
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &own);

    value = ASN1_OCTET_STRING_new();
    assert_int_equal(ASN1_OCTET_STRING_set(value, (unsigned char *) "junk", 4),
                     1);
    ext = X509_EXTENSION_create_by_NID(NULL, NID_crl_reason, 0, value);
    ASN1_OCTET_STRING_free(value);

    msg = fixture_rr(f, own.cert, -1);
    client_add_extension(&sk_cmp_rev_details_t_value(msg->body->value.rr, 0)
                              ->crl_entry_details,
                         ext);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_DATA_FORMAT, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, own.cert), CMP_CERT_VALID);

    harness_pair_free(&own);
}


/* an RA: profiles it may issue from, certificates that are not confirmed */

static void
test_rr_ra(void **state)
{
    X509            *cert;
    cmp_str_t        names[1];
    fixture_t       *f;
    harness_pair_t   own;

    f = *state;
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);

    fixture_sign(f, &f->h->ra_cert);

    fixture_send(f, fixture_rr(f, cert, CRL_REASON_CERTIFICATE_HOLD));
    assert_int_equal(f->a->type, CMP_BODY_RP);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_not_equal(fixture_state(f, cert), CMP_CERT_HOLD);

    names[0].data = (unsigned char *) "server";
    names[0].len = 6;
    f->h->ra_scope.profiles = names;
    f->h->ra_scope.nprofiles = 1;
    fixture_send(f, fixture_rr(f, own.cert, CRL_REASON_SUPERSEDED));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, own.cert), CMP_CERT_VALID);

    names[0].data = (unsigned char *) "device";
    fixture_send(f, fixture_rr(f, own.cert, CRL_REASON_SUPERSEDED));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(fixture_state(f, own.cert), CMP_CERT_REVOKED);

    f->h->ra_scope.profiles = NULL;
    f->h->ra_scope.nprofiles = 0;
    X509_free(cert);
    harness_pair_free(&own);
}


/* a serial number of zero, negative, and far too long */

static void
test_serials(void **state)
{
    int                   i;
    BIGNUM               *bn;
    fixture_t            *f;
    harness_pair_t        own;
    cmp_pki_message_t    *msg;
    cmp_cert_template_t  *tmpl;

    f = *state;
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    fixture_sign(f, &own);

    for (i = 0; i < 3; i++) {
        msg = fixture_rr(f, own.cert, -1);
        tmpl = sk_cmp_rev_details_t_value(msg->body->value.rr, 0)
                   ->cert_details;

        switch (i) {

        case 0:
            assert_int_equal(ASN1_INTEGER_set(tmpl->serial_number, 0), 1);
            break;

        case 1:
            tmpl->serial_number->type = V_ASN1_NEG_INTEGER;
            break;

        default:
            bn = BN_new();
            assert_int_equal(BN_set_bit(bn, 8000), 1);
            assert_non_null(BN_to_ASN1_INTEGER(bn, tmpl->serial_number));
            BN_free(bn);
            break;
        }

        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID,
                        FIXTURE_AUDITED);
    }

    assert_int_equal(fixture_state(f, own.cert), CMP_CERT_VALID);
    harness_pair_free(&own);
}


/* which exchanges are not for an event loop */

static void
test_slow(void **state)
{
    size_t                i, len;
    fixture_t            *f;
    unsigned char        *der;
    cmp_exchange_t       *ex;
    cmp_pki_message_t    *msg;
    cmp_exchange_conf_t   conf;
    static const struct {
        int               key;
        long              iterations;
        int               inline_sign;
        int               slow;
    }  cases[] = {
        { PKI_ED25519, 500, 0, 0 },
        { PKI_ED25519, 2000, 0, 0 },
        { PKI_ED25519, 2001, 0, 1 },
        { PKI_RSA, 500, 0, 1 },
        { PKI_RSA, 500, 1, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f = fixture_create(cases[i].key);
        f->h->ca.inline_sign = cases[i].inline_sign;
        f->c.iterations = cases[i].iterations;

        msg = fixture_ir(f);
        client_protect(&f->c, msg);
        der = client_encode(msg, &len);

        memset(&conf, 0, sizeof(cmp_exchange_conf_t));
        conf.ca = &f->h->ca;
        conf.now = f->h->now;
        conf.random = pki_random;
        conf.random_data = &f->h->random;

        ex = cmp_exchange_create(&conf);
        assert_int_equal(cmp_exchange_parse(ex, der, len),
                         CMP_EXCHANGE_LOAD);
        assert_int_equal(cmp_exchange_slow(ex), cases[i].slow);
        assert_non_null(cmp_exchange_pool(ex));

        cmp_exchange_destroy(ex);
        free(der);
        fixture_destroy(f);
    }

    cmp_exchange_destroy(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_general_info_twice),
        fixture_test(test_no_reference),
        fixture_test(test_cert_conf),
        fixture_test(test_pki_conf_strict),
        fixture_test(test_rr_details),
        fixture_test(test_rr_invalidity_date),
        fixture_test(test_rr_reason_malformed),
        fixture_test(test_rr_ra),
        fixture_test(test_serials),
        cmocka_unit_test(test_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
