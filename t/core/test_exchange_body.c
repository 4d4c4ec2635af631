
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Bodies that are not for a CA, support messages, labels in the URI.
 */


#include <fixture.h>


static cmp_pki_message_t *
test_genm(fixture_t *f)
{
    client_begin(&f->c);

    return client_message(&f->c, CMP_BODY_GENM);
}


static cmp_info_type_and_value_t *
test_info(fixture_t *f, int n)
{
    assert_int_equal(f->a->type, CMP_BODY_GENP);

    return sk_cmp_info_type_and_value_t_value(f->a->msg->body->value.genp, n);
}


static void
test_set_oid(cmp_info_type_and_value_t *info, const char *oid)
{
    ASN1_OBJECT_free(info->info_type);
    info->info_type = OBJ_txt2obj(oid, 1);
    assert_non_null(info->info_type);
}


/* what a server sends, or nobody any more */

static void
test_wrong_bodies(void **state)
{
    size_t              i;
    fixture_t          *f;
    cmp_pki_message_t  *msg;
    static const int    bodies[] = { CMP_BODY_IP, CMP_BODY_CP, CMP_BODY_KUP,
                                     CMP_BODY_RP, CMP_BODY_CCP,
                                     CMP_BODY_POPDECC, CMP_BODY_KRR,
                                     CMP_BODY_GENP, CMP_BODY_POLLREP };

    f = *state;

    for (i = 0; i < sizeof(bodies) / sizeof(int); i++) {
        client_begin(&f->c);
        msg = client_message(&f->c, bodies[i]);

        switch (bodies[i]) {

        case CMP_BODY_KRR:
            cmp_asn1_free(cmp_pki_message_t, msg);
            msg = fixture_request(f, CMP_BODY_KRR, NULL, f->key);
            break;

        case CMP_BODY_IP:
        case CMP_BODY_CP:
        case CMP_BODY_KUP:
        case CMP_BODY_CCP:
            cmp_asn1_free(cmp_cert_req_messages_t, msg->body->value.ir);
            msg->body->value.ip = cmp_asn1_new(cmp_cert_rep_message_t);
            break;

        case CMP_BODY_RP:
            cmp_asn1_free(cmp_cert_req_messages_t, msg->body->value.ir);
            msg->body->value.rp = cmp_asn1_new(cmp_rev_rep_content_t);
            break;

        default:
            break;
        }

        fixture_send(f, msg);
        assert_int_equal(f->h->result, CMP_EXCHANGE_COMMIT);
        assert_int_equal(f->a->type, CMP_BODY_ERROR);
        assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    }
}


/* a cross-certification request and a nested message, signed */

static void
test_not_built(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);

    msg = client_message(&f->c, CMP_BODY_NESTED);
    client_nest(msg, fixture_ir(f));
    fixture_sign(f, &pair);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->certs.n, f->certs);

    fixture_send(f, fixture_request(f, CMP_BODY_CCR, NULL, f->key));
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->h->store->certs.n, f->certs);

    harness_pair_free(&pair);
}


/* announcements get no CMP answer */

static void
test_announcements(void **state)
{
    fixture_t               *f;
    cmp_pki_body_t          *body;
    cmp_pki_message_t       *msg;

    f = *state;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_CRLANN);
    assert_null(fixture_send(f, msg));
    assert_int_equal(f->h->result, CMP_EXCHANGE_FORBIDDEN);
    assert_int_equal(f->h->store->changes, f->changes);

    msg = client_message(&f->c, CMP_BODY_CANN);
    body = msg->body;
    cmp_asn1_free(cmp_cert_req_messages_t, body->value.ir);
    body->value.cann = f->h->root.cert;
    assert_int_equal(X509_up_ref(f->h->root.cert), 1);
    assert_null(fixture_send(f, msg));
    assert_int_equal(f->h->result, CMP_EXCHANGE_FORBIDDEN);

    msg = client_message(&f->c, CMP_BODY_RANN);
    body = msg->body;
    cmp_asn1_free(cmp_cert_req_messages_t, body->value.ir);
    body->value.rann = cmp_asn1_new(cmp_rev_ann_content_t);
    client_set_general_name(body->value.rann->cert_id->issuer,
                            f->h->root.cert);
    assert_int_equal(ASN1_INTEGER_set(
                                body->value.rann->cert_id->serial_number, 1),
                     1);
    assert_int_equal(ASN1_INTEGER_set(body->value.rann->status, 4), 1);
    assert_int_equal(ASN1_GENERALIZEDTIME_set_string(
                         body->value.rann->will_be_revoked_at,
                         "20300101000000Z"),
                     1);
    assert_int_equal(ASN1_GENERALIZEDTIME_set_string(
                         body->value.rann->bad_since_date, "20300101000000Z"),
                     1);
    assert_null(fixture_send(f, msg));
    assert_int_equal(f->h->result, CMP_EXCHANGE_FORBIDDEN);
}


static void
test_ca_certs(void **state)
{
    int                         i, n;
    fixture_t                  *f;
    harness_pair_t              pair;
    const ASN1_STRING          *der;
    cmp_pki_message_t          *msg;
    cmp_certificates_t         *certs;
    cmp_info_type_and_value_t  *info;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);

    for (i = 0; i < 3; i++) {
        if (i == 1) {
            fixture_sign(f, &pair);
        }

        if (i == 2) {
            f->c.protection = CLIENT_NONE;
            f->h->ca.unprotected_genm = 1;
        }

        msg = test_genm(f);
        (void) client_add_info(msg, &cmp_oid_it_ca_certs);
        fixture_send(f, msg);

        info = test_info(f, 0);
        assert_true(cmp_oid_equal(info->info_type, &cmp_oid_it_ca_certs));
        assert_int_equal(info->info_value->type, V_ASN1_SEQUENCE);
        der = info->info_value->value.sequence;

        certs = cmp_asn1_decode(cmp_certificates_t, der->data, der->length);
        assert_non_null(certs);
        n = sk_X509_num(certs);
        assert_true(n >= 1);
        assert_int_equal(X509_cmp(sk_X509_value(certs, 0), f->h->issuer.cert),
                         0);
        cmp_asn1_free(cmp_certificates_t, certs);
    }

    harness_pair_free(&pair);
}


static void
test_info_value(void **state)
{
    fixture_t                  *f;
    cmp_pki_message_t          *msg;
    cmp_info_type_and_value_t  *info;

    f = *state;

    msg = test_genm(f);
    info = client_add_info(msg, &cmp_oid_it_ca_certs);
    info->info_value = client_value(V_ASN1_UTF8STRING, "please");
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_unknown_info(void **state)
{
    int                         i, n;
    fixture_t                  *f;
    const ASN1_STRING          *der;
    cmp_pki_message_t          *msg;
    cmp_unsupported_oids_t     *oids;
    cmp_info_type_and_value_t  *info;

    f = *state;

    /* only unknown ones */

    msg = test_genm(f);
    test_set_oid(client_add_info(msg, &cmp_oid_it_ca_certs),
                 "1.3.6.1.4.1.99999.1");
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    /* beside others: listed in unsupportedOIDs */

    msg = test_genm(f);
    test_set_oid(client_add_info(msg, &cmp_oid_it_ca_certs),
                 "1.3.6.1.4.1.99999.1");
    (void) client_add_info(msg, &cmp_oid_it_ca_certs);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_GENP);

    n = sk_cmp_info_type_and_value_t_num(f->a->msg->body->value.genp);
    assert_int_equal(n, 2);
    info = NULL;

    for (i = 0; i < n; i++) {
        if (cmp_oid_equal(test_info(f, i)->info_type,
                          &cmp_oid_it_unsupported_oids))
        {
            info = test_info(f, i);
        }
    }

    assert_non_null(info);
    assert_non_null(info->info_value);
    der = info->info_value->value.sequence;
    oids = cmp_asn1_decode(cmp_unsupported_oids_t, der->data, der->length);
    assert_int_equal(sk_ASN1_OBJECT_num(oids), 1);
    cmp_asn1_free(cmp_unsupported_oids_t, oids);
}


static void
test_empty_genm(void **state)
{
    fixture_t  *f;

    f = *state;

    fixture_send(f, test_genm(f));
    assert_int_equal(f->h->result, CMP_EXCHANGE_COMMIT);
    assert_true(f->a->type == CMP_BODY_GENP || f->a->type == CMP_BODY_ERROR);
}


static void
test_labels(void **state)
{
    size_t              i;
    X509               *cert;
    fixture_t          *f;
    cmp_pki_message_t  *msg;
    static const struct {
        const char     *name;
        int             label;
    }  names[] = {
        { "initialization", CMP_LABEL_INITIALIZATION },
        { "certification", CMP_LABEL_CERTIFICATION },
        { "keyupdate", CMP_LABEL_KEYUPDATE },
        { "pkcs10", CMP_LABEL_PKCS10 },
        { "revocation", CMP_LABEL_REVOCATION },
        { "getcacerts", CMP_LABEL_GETCACERTS },
        { "getrootupdate", CMP_LABEL_GETROOTUPDATE },
        { "getcertreqtemplate", CMP_LABEL_GETCERTREQTEMPLATE },
        { "getcrls", CMP_LABEL_GETCRLS },
        { "nested", CMP_LABEL_NESTED },
        { "", -1 },
        { "Initialization", -1 },
        { "initializationx", -1 },
        { "init", -1 }
    };
    cmp_str_t           name;

    f = *state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        name.data = (unsigned char *) names[i].name;
        name.len = strlen(names[i].name);
        assert_int_equal(cmp_exchange_label(&name), names[i].label);

        if (names[i].label <= CMP_LABEL_INITIALIZATION) {
            continue;
        }

        f->h->label = names[i].label;
        fixture_send(f, fixture_ir(f));
        assert_int_equal(f->a->type, CMP_BODY_ERROR);
        assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
        assert_int_equal(f->h->store->certs.n, 0);
    }

    f->h->label = CMP_LABEL_INITIALIZATION;
    fixture_send(f, fixture_ir(f));
    fixture_granted(f, CMP_BODY_IP);
    cert = fixture_keep(f);

    /* certConf fits every label */

    f->h->label = CMP_LABEL_GETCRLS;
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);
    X509_free(cert);

    f->h->label = CMP_LABEL_GETCACERTS;
    msg = test_genm(f);
    (void) client_add_info(msg, &cmp_oid_it_ca_certs);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_GENP);

    f->h->label = CMP_LABEL_PKCS10;
    fixture_send(f, fixture_request(f, CMP_BODY_P10CR, NULL, f->key2));
    fixture_granted(f, CMP_BODY_CP);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_wrong_bodies),
        fixture_test(test_not_built),
        fixture_test(test_announcements),
        fixture_test(test_ca_certs),
        fixture_test(test_info_value),
        fixture_test(test_unknown_info),
        fixture_test(test_empty_genm),
        fixture_test(test_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
