
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Revocation requests (RFC 9810, 5.3.9).
 */


#include <fixture.h>


static harness_pair_t
test_own(fixture_t *f)
{
    harness_pair_t  pair;

    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &pair);

    return pair;
}


static cmp_rev_details_t *
test_details(cmp_pki_message_t *msg)
{
    return sk_cmp_rev_details_t_value(msg->body->value.rr, 0);
}


static void
test_itself(void **state)
{
    int               reason;
    fixture_t        *f;
    harness_pair_t    pair;
    memstore_cert_t  *row;

    f = *state;

    for (reason = -1; reason <= CRL_REASON_AA_COMPROMISE; reason++) {
        if (reason == CRL_REASON_CERTIFICATE_HOLD
            || reason == 7
            || reason == CRL_REASON_REMOVE_FROM_CRL)
        {
            continue;
        }

        pair = test_own(f);
        fixture_send(f, fixture_rr(f, pair.cert, reason));
        fixture_granted(f, CMP_BODY_RP);
        assert_string_equal(f->a->text, "certificate revoked");

        row = harness_row(f->h, pair.cert);
        assert_int_equal(row->record.state, CMP_CERT_REVOKED);
        assert_int_equal(row->record.reason, reason == -1 ? 0 : reason);
        harness_pair_free(&pair);

        if (reason == CRL_REASON_KEY_COMPROMISE) {
            assert_true(memstore_key(f->h->store, HARNESS_CA_ID,
                                     &row->record.key_hash)->compromised);
        }
    }
}


/* revCerts: one per RevDetails in order, or none */

static void
test_several(void **state)
{
    int                      i;
    fixture_t               *f;
    harness_pair_t           pair, other;
    cmp_cert_id_t           *id;
    cmp_pki_message_t       *msg;
    cmp_pki_status_info_t   *info;
    cmp_rev_rep_content_t   *rep;

    f = *state;
    pair = harness_enrol(f->h, "/CN=one", PKI_P256, "one", CMP_CERT_VALID);
    other = harness_enrol(f->h, "/CN=two", PKI_P256, "two", CMP_CERT_REVOKED);
    fixture_sign(f, &f->h->ra_cert);

    msg = fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED);
    (void) client_add_revocation(msg, other.cert, CRL_REASON_SUPERSEDED);
    fixture_send(f, msg);

    assert_int_equal(f->a->type, CMP_BODY_RP);
    assert_int_equal(f->a->nstatus, 2);
    assert_int_equal(f->a->status, CMP_STATUS_ACCEPTED);
    info = client_status(f->a, 1);
    assert_int_equal(ASN1_INTEGER_get(info->status), CMP_STATUS_REJECTION);
    assert_int_equal(client_fail_info(info), CMP_FAIL_CERT_REVOKED);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_REVOKED);

    rep = f->a->msg->body->value.rp;

    if (rep->rev_certs != NULL) {
        assert_int_equal(sk_cmp_cert_id_t_num(rep->rev_certs), 2);

        for (i = 0; i < 2; i++) {
            id = sk_cmp_cert_id_t_value(rep->rev_certs, i);
            assert_int_equal(
                ASN1_INTEGER_cmp(id->serial_number,
                                 X509_get0_serialNumber(i == 0 ? pair.cert
                                                               : other.cert)),
                0);
        }
    }

    harness_pair_free(&pair);
    harness_pair_free(&other);
}


/* one certificate twice in a message is not revoked twice */

static void
test_twice_in_one(void **state)
{
    fixture_t              *f;
    harness_pair_t          pair;
    cmp_pki_message_t      *msg;
    cmp_pki_status_info_t  *info;

    f = *state;
    pair = test_own(f);

    msg = fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED);
    (void) client_add_revocation(msg, pair.cert, CRL_REASON_KEY_COMPROMISE);
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_RP);
    assert_int_equal(f->a->nstatus, 2);
    info = client_status(f->a, 1);
    assert_int_equal(ASN1_INTEGER_get(info->status), CMP_STATUS_REJECTION);
    assert_int_equal(harness_row(f->h, pair.cert)->record.reason,
                     CRL_REASON_SUPERSEDED);

    harness_pair_free(&pair);
}


static void
test_empty(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = test_own(f);

    client_begin(&f->c);
    fixture_send(f, client_message(&f->c, CMP_BODY_RR));
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);

    harness_pair_free(&pair);
}


static void
test_not_theirs(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair, other;

    f = *state;
    other = harness_enrol(f->h, "/CN=other", PKI_P256, "other",
                          CMP_CERT_VALID);
    pair = test_own(f);

    fixture_send(f, fixture_rr(f, other.cert, CRL_REASON_SUPERSEDED));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, other.cert), CMP_CERT_VALID);

    harness_pair_free(&pair);
    harness_pair_free(&other);
}


static void
test_unknown(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = test_own(f);

    /* of another CA */

    fixture_send(f, fixture_rr(f, f->h->device_cert.cert, -1));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    /* no such serial */

    msg = fixture_rr(f, pair.cert, -1);
    assert_int_equal(ASN1_INTEGER_set(
                         test_details(msg)->cert_details->serial_number, 77),
                     1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    /* no issuer, or nothing at all */

    msg = fixture_rr(f, pair.cert, -1);
    X509_NAME_free(test_details(msg)->cert_details->issuer);
    test_details(msg)->cert_details->issuer = NULL;
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    fixture_send(f, fixture_rr(f, NULL, -1));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);
    harness_pair_free(&pair);
}


/* whatever else certDetails says has to be true */

static void
test_details_mismatch(void **state)
{
    int                   i;
    fixture_t            *f;
    harness_pair_t        pair;
    cmp_pki_message_t    *msg;
    cmp_cert_template_t  *tmpl;

    f = *state;
    pair = test_own(f);

    for (i = 0; i < 4; i++) {
        msg = fixture_rr(f, pair.cert, -1);
        tmpl = test_details(msg)->cert_details;

        switch (i) {

        case 0:
            tmpl->subject = pki_name("/CN=other");
            break;

        case 1:
            assert_int_equal(pki_set_public_key(&tmpl->public_key, f->key), 1);
            break;

        case 2:
            tmpl->validity = cmp_asn1_new(cmp_optional_validity_t);
            tmpl->validity->not_after = pki_time(HARNESS_NOW);
            break;

        default:
            client_add_extension(&tmpl->extensions,
                                 pki_extension(NID_subject_alt_name,
                                               "DNS:other"));
            break;
        }

        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID,
                        FIXTURE_AUDITED);
    }

    /* all of it true */

    msg = fixture_rr(f, pair.cert, -1);
    tmpl = test_details(msg)->cert_details;
    tmpl->subject = X509_NAME_dup(X509_get_subject_name(pair.cert));
    assert_int_equal(pki_set_public_key(&tmpl->public_key, pair.key), 1);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_RP);

    harness_pair_free(&pair);
}


/* openssl cmp -cmd rr -csr */

static void
test_by_key(void **state)
{
    fixture_t            *f;
    harness_pair_t        pair;
    cmp_pki_message_t    *msg;
    cmp_cert_template_t  *tmpl;

    f = *state;
    pair = test_own(f);

    msg = fixture_rr(f, NULL, CRL_REASON_SUPERSEDED);
    tmpl = test_details(msg)->cert_details;
    tmpl->subject = X509_NAME_dup(X509_get_subject_name(pair.cert));
    assert_int_equal(pki_set_public_key(&tmpl->public_key, f->key), 1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    msg = fixture_rr(f, NULL, CRL_REASON_SUPERSEDED);
    tmpl = test_details(msg)->cert_details;
    tmpl->subject = X509_NAME_dup(X509_get_subject_name(pair.cert));
    assert_int_equal(pki_set_public_key(&tmpl->public_key, pair.key), 1);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_RP);
    assert_null(f->a->msg->body->value.rp->rev_certs);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_REVOKED);

    harness_pair_free(&pair);
}


/* two certificates with one key: not exactly one */

static void
test_by_key_ambiguous(void **state)
{
    fixture_t            *f;
    harness_pair_t        pair, same;
    cmp_pki_message_t    *msg;
    cmp_cert_template_t  *tmpl;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    same = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    fixture_sign(f, &f->h->ra_cert);

    msg = fixture_rr(f, NULL, CRL_REASON_SUPERSEDED);
    tmpl = test_details(msg)->cert_details;
    tmpl->subject = X509_NAME_dup(X509_get_subject_name(pair.cert));
    assert_int_equal(pki_set_public_key(&tmpl->public_key, pair.key), 1);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    harness_pair_free(&pair);
    harness_pair_free(&same);
}


static void
test_reason(void **state)
{
    int                 i;
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;
    static const int    bad[] = { 7, 11, 1000 };

    f = *state;
    pair = test_own(f);

    for (i = 0; i < 3; i++) {
        fixture_send(f, fixture_rr(f, pair.cert, bad[i]));
        fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_DATA_FORMAT,
                        FIXTURE_AUDITED);
    }

    /* two reasons in one entry */

    msg = fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED);
    client_add_extension(&test_details(msg)->crl_entry_details,
                         X509_EXTENSION_dup(sk_X509_EXTENSION_value(
                             test_details(msg)->crl_entry_details, 0)));
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    /* an extension that is no business of a CRL entry */

    msg = fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED);
    client_add_extension(&test_details(msg)->crl_entry_details,
                         pki_extension(NID_key_usage, "digitalSignature"));
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);
    harness_pair_free(&pair);
}


static void
test_invalidity_date(void **state)
{
    fixture_t             *f;
    harness_pair_t         pair;
    X509_EXTENSION        *ext;
    cmp_pki_message_t     *msg;
    ASN1_GENERALIZEDTIME  *time;

    f = *state;
    pair = test_own(f);

    msg = fixture_rr(f, pair.cert, CRL_REASON_KEY_COMPROMISE);
    time = ASN1_GENERALIZEDTIME_set(NULL, HARNESS_NOW / 1000 - 3600);
    ext = X509V3_EXT_i2d(NID_invalidity_date, 0, time);
    ASN1_GENERALIZEDTIME_free(time);
    client_add_extension(&test_details(msg)->crl_entry_details, ext);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(harness_row(f->h, pair.cert)->invalidity,
                     HARNESS_NOW - 3600000);

    harness_pair_free(&pair);
}


static void
test_revoked_already(void **state)
{
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_REVOKED);

    fixture_sign(f, &f->h->ra_cert);
    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_CERT_REVOKED, FIXTURE_AUDITED);

    /* by itself: told by the state of the signer */

    fixture_sign(f, &pair);
    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    harness_pair_free(&pair);
}


static void
test_hold(void **state)
{
    fixture_t        *f;
    harness_pair_t    pair;
    memstore_cert_t  *row;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    row = harness_row(f->h, pair.cert);
    fixture_sign(f, &f->h->ra_cert);

    /* not on hold */

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_REMOVE_FROM_CRL));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_CERT_ID, FIXTURE_AUDITED);

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_CERTIFICATE_HOLD));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(row->record.state, CMP_CERT_HOLD);
    assert_int_equal(row->record.hold_by, CMP_BY_RA);

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_CERTIFICATE_HOLD));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_CERT_REVOKED, FIXTURE_AUDITED);

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_REMOVE_FROM_CRL));
    fixture_granted(f, CMP_BODY_RP);
    assert_string_equal(f->a->text,
                        "certificate released from hold: revived");
    assert_int_equal(row->record.state, CMP_CERT_VALID);

    /* a hold that becomes final */

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_CERTIFICATE_HOLD));
    fixture_granted(f, CMP_BODY_RP);
    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_KEY_COMPROMISE));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(row->record.state, CMP_CERT_REVOKED);
    assert_int_equal(row->record.reason, CRL_REASON_KEY_COMPROMISE);

    harness_pair_free(&pair);
}


/* a thief of the key must not lift the owner's hold */

static void
test_release_itself(void **state)
{
    cmp_str_t         serial;
    fixture_t        *f;
    harness_pair_t    pair;
    memstore_cert_t  *row;

    f = *state;
    pair = test_own(f);
    row = harness_row(f->h, pair.cert);
    serial = harness_serial(pair.cert);

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_CERTIFICATE_HOLD));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(row->record.hold_by, CMP_BY_ITSELF);

    /* off by default */

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_REMOVE_FROM_CRL));
    assert_int_equal(f->a->type, CMP_BODY_RP);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(row->record.state, CMP_CERT_HOLD);

    f->h->device.release_itself = 1;
    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_REMOVE_FROM_CRL));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(row->record.state, CMP_CERT_VALID);

    /* the operator's hold is not its own */

    assert_int_equal(memstore_revoke(f->h->store, &serial,
                                     CRL_REASON_CERTIFICATE_HOLD,
                                     CMP_BY_OPERATOR),
                     CMP_OK);
    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_REMOVE_FROM_CRL));
    assert_int_equal(f->a->type, CMP_BODY_RP);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(row->record.state, CMP_CERT_HOLD);

    /* nor is it released by a kur, or used for anything else */

    fixture_send(f, fixture_kur(f, pair.cert, f->key));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_CERT_REVOKED, FIXTURE_QUIET);

    harness_pair_free(&pair);
}


/* an RA does not lift what it has not put there */

static void
test_release_of_another(void **state)
{
    cmp_str_t        serial;
    fixture_t       *f;
    harness_pair_t   pair;

    f = *state;
    pair = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                         CMP_CERT_VALID);
    serial = harness_serial(pair.cert);
    assert_int_equal(memstore_revoke(f->h->store, &serial,
                                     CRL_REASON_CERTIFICATE_HOLD,
                                     CMP_BY_OPERATOR),
                     CMP_OK);

    fixture_sign(f, &f->h->ra_cert);
    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_REMOVE_FROM_CRL));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_HOLD);

    harness_pair_free(&pair);
}


/* a shared secret: only where it may, only what was issued under it */

static void
test_credential(void **state)
{
    X509            *cert;
    fixture_t       *f;
    harness_pair_t   other;

    f = *state;
    other = harness_enrol(f->h, "/CN=other", PKI_P256, "other",
                          CMP_CERT_VALID);

    fixture_send(f, fixture_ir(f));
    cert = fixture_keep(f);
    fixture_send(f, fixture_conf(f));
    fixture_granted(f, CMP_BODY_PKICONF);

    fixture_send(f, fixture_rr(f, cert, CRL_REASON_SUPERSEDED));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_WRONG_INTEGRITY,
                    FIXTURE_AUDITED);

    f->h->credential->may_revoke = 1;
    fixture_send(f, fixture_rr(f, other.cert, CRL_REASON_SUPERSEDED));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_NOT_AUTHORIZED, FIXTURE_AUDITED);
    assert_int_equal(fixture_state(f, other.cert), CMP_CERT_VALID);

    fixture_send(f, fixture_rr(f, cert, CRL_REASON_SUPERSEDED));
    fixture_granted(f, CMP_BODY_RP);
    assert_int_equal(fixture_state(f, cert), CMP_CERT_REVOKED);

    X509_free(cert);
    harness_pair_free(&other);
}


/* bad protection of an rr is refused by rp, one status per RevDetails */

static void
test_bad_protection(void **state)
{
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = test_own(f);

    msg = fixture_rr(f, pair.cert, -1);
    (void) client_add_revocation(msg, pair.cert, -1);
    client_protect(&f->c, msg);
    msg->protection->data[msg->protection->length - 1] ^= 1;
    fixture_send_raw(f, msg);
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_BAD_MESSAGE_CHECK,
                    FIXTURE_QUIET);
    assert_int_equal(f->a->nstatus, 2);

    fixture_sign(f, &f->h->stranger);
    fixture_send(f, fixture_rr(f, pair.cert, -1));
    fixture_refused(f, CMP_BODY_RP, CMP_FAIL_SIGNER_NOT_TRUSTED,
                    FIXTURE_QUIET);

    /* header and structure by error */

    fixture_sign(f, &pair);
    msg = fixture_rr(f, pair.cert, -1);
    client_set_octets(&msg->header->transaction_id, "", 0);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    f->c.pvno = 1;
    fixture_send(f, fixture_rr(f, pair.cert, -1));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_UNSUPPORTED_VERSION,
                    FIXTURE_QUIET);

    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);
    harness_pair_free(&pair);
}


/* revoked and asked again, octet by octet: the stored answer */

static void
test_repeat(void **state)
{
    size_t           len;
    fixture_t       *f;
    unsigned char   *reply;
    harness_pair_t   pair;

    f = *state;
    pair = test_own(f);

    fixture_send(f, fixture_rr(f, pair.cert, CRL_REASON_SUPERSEDED));
    fixture_granted(f, CMP_BODY_RP);
    len = f->h->reply_len;
    reply = malloc(len);
    assert_non_null(reply);
    memcpy(reply, f->h->reply, len);

    fixture_repeat(f);
    assert_true(f->h->info.repeat);
    assert_int_equal(f->h->reply_len, len);
    assert_memory_equal(f->h->reply, reply, len);

    free(reply);
    harness_pair_free(&pair);
}


static void
test_too_many(void **state)
{
    int                 i;
    fixture_t          *f;
    harness_pair_t      pair;
    cmp_pki_message_t  *msg;

    f = *state;
    pair = test_own(f);

    msg = fixture_rr(f, pair.cert, -1);

    for (i = 0; i < 20; i++) {
        (void) client_add_revocation(msg, pair.cert, -1);
    }

    fixture_send(f, msg);
    assert_int_equal(f->a->status, CMP_STATUS_REJECTION);
    assert_int_equal(f->a->fail_info, CMP_FAIL_BAD_REQUEST);
    assert_int_equal(fixture_state(f, pair.cert), CMP_CERT_VALID);

    harness_pair_free(&pair);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_itself),
        fixture_test(test_several),
        fixture_test(test_twice_in_one),
        fixture_test(test_empty),
        fixture_test(test_not_theirs),
        fixture_test(test_unknown),
        fixture_test(test_details_mismatch),
        fixture_test(test_by_key),
        fixture_test(test_by_key_ambiguous),
        fixture_test(test_reason),
        fixture_test(test_invalidity_date),
        fixture_test(test_revoked_already),
        fixture_test(test_hold),
        fixture_test(test_release_itself),
        fixture_test(test_release_of_another),
        fixture_test(test_credential),
        fixture_test(test_bad_protection),
        fixture_test(test_repeat),
        fixture_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
