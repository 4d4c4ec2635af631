
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Proof of possession: the kinds that are not supported, and poposkInput that
 * does not fit the message.
 */


#include <fixture.h>


static void
test_priv_key_kinds(void **state)
{
    int                   kind, use;
    fixture_t            *f;
    cmp_popo_t           *popo;
    cmp_pki_message_t    *msg;
    cmp_cert_req_msg_t   *req;
    cmp_popo_priv_key_t  *priv;
    static unsigned char  enveloped[] = { 0xa4, 0x02, 0x30, 0x00 };

    f = *state;

    for (kind = CMP_POPO_PRIV_KEY_THIS_MESSAGE;
         kind <= CMP_POPO_PRIV_KEY_ENCRYPTED_KEY;
         kind++)
    {
        for (use = CMP_POPO_KEY_ENCIPHERMENT;
             use <= CMP_POPO_KEY_AGREEMENT;
             use++)
        {
            msg = fixture_ir(f);
            req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
            cmp_asn1_free(cmp_popo_t, req->popo);

            priv = cmp_asn1_new(cmp_popo_priv_key_t);
            priv->type = kind;

            switch (kind) {

            case CMP_POPO_PRIV_KEY_SUBSEQUENT_MESSAGE:
                priv->value.subsequent_message = ASN1_INTEGER_new();
                assert_int_equal(ASN1_INTEGER_set(
                                     priv->value.subsequent_message,
                                     (use == CMP_POPO_KEY_AGREEMENT) ? 7
                                     : CMP_SUBSEQUENT_CHALLENGE_RESP),
                                 1);
                break;

            case CMP_POPO_PRIV_KEY_AGREE_MAC:
                priv->value.agree_mac = cmp_asn1_new(cmp_pk_mac_value_t);
                assert_int_equal(X509_ALGOR_set0(
                                     priv->value.agree_mac->alg_id,
                                     OBJ_nid2obj(NID_id_DHBasedMac),
                                     V_ASN1_NULL, NULL),
                                 1);
                break;

            case CMP_POPO_PRIV_KEY_ENCRYPTED_KEY:
                priv->value.encrypted_key =
                                        ASN1_STRING_type_new(V_ASN1_SEQUENCE);
                assert_int_equal(ASN1_STRING_set(priv->value.encrypted_key,
                                                 enveloped,
                                                 sizeof(enveloped)),
                                 1);
                break;

            default:
                priv->value.this_message = ASN1_BIT_STRING_new();
                assert_int_equal(cmp_asn1_set_octets(
                                     priv->value.this_message,
                                     (unsigned char *) "x", 1),
                                 1);
                break;
            }

            popo = cmp_asn1_new(cmp_popo_t);
            popo->type = use;
            popo->value.key_encipherment = priv;
            req->popo = popo;

            fixture_send(f, msg);
            fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP,
                            FIXTURE_AUDITED);
            assert_int_equal(f->h->store->certs.n, 0);
        }
    }
}


/* the name of a sender that nothing but a MAC vouches for */

static void
test_sender_with_mac(void **state)
{
    fixture_t           *f;
    client_request_t     request;
    cmp_pki_message_t   *msg;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;
    request.pop = CLIENT_POP_INPUT_SENDER;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);
}


/* a MAC where the message is signed */

static void
test_mac_with_signature(void **state)
{
    fixture_t           *f;
    harness_pair_t       own;
    client_request_t     request;
    cmp_pki_message_t   *msg;

    f = *state;
    own = harness_enrol(f->h, FIXTURE_SUBJECT, PKI_P256, "own",
                        CMP_CERT_VALID);
    f->c.secret = HARNESS_SECRET;
    fixture_sign(f, &own);

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;
    request.pop = CLIENT_POP_INPUT_MAC;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);

    harness_pair_free(&own);
}


/* without a subject poposkInput has to be there; an empty Name is there */

static void
test_no_subject(void **state)
{
    cmp_str_t            names[1];
    fixture_t           *f;
    client_request_t     request;
    cmp_pki_message_t   *msg;

    f = *state;
    names[0].data = (unsigned char *) "server";
    names[0].len = 6;
    f->h->credential->profiles = names;
    f->h->credential->nprofiles = 1;

    memset(&request, 0, sizeof(client_request_t));
    request.san = "DNS:www.example.org";
    request.key = f->key;

    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);

    request.pop = CLIENT_POP_INPUT_MAC;
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    request.subject = "";
    request.key = f->key2;
    request.pop = CLIENT_POP_SIGNATURE;
    client_begin(&f->c);
    msg = client_message(&f->c, CMP_BODY_IR);
    (void) client_add_request(&f->c, msg, &request);
    fixture_send(f, msg);
    fixture_granted(f, CMP_BODY_IP);

    f->h->credential->profiles = NULL;
    f->h->credential->nprofiles = 0;
}


/* publicKeyMAC over another key, and with an unknown algorithm */

static void
test_mac_bad(void **state)
{
    int                            i;
    fixture_t                     *f;
    client_request_t               request;
    cmp_pki_message_t             *msg;
    cmp_pk_mac_value_t            *mac;
    cmp_cert_req_msg_t            *req;
    cmp_popo_signing_key_t        *sign;

    f = *state;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = FIXTURE_SUBJECT;
    request.key = f->key;
    request.pop = CLIENT_POP_INPUT_MAC;

    for (i = 0; i < 3; i++) {
        client_begin(&f->c);
        msg = client_message(&f->c, CMP_BODY_IR);
        req = client_add_request(&f->c, msg, &request);
        sign = req->popo->value.signature;
        mac = sign->poposk_input->auth_info->value.public_key_mac;

        switch (i) {

        case 0:
            mac->value->data[0] ^= 1;
            break;

        case 1:
            mac->value->length--;
            break;

        default:
            (void) X509_ALGOR_set0(mac->alg_id, OBJ_nid2obj(NID_sha256),
                                   V_ASN1_UNDEF, NULL);
            break;
        }

        client_sign_input(sign, f->key);
        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);
    }
}


/* the signature of a proof: algorithms as for messages */

static void
test_signature_algorithm(void **state)
{
    fixture_t               *f;
    cmp_pki_message_t       *msg;
    cmp_cert_req_msg_t      *req;
    cmp_popo_signing_key_t  *sign;

    f = *state;

    msg = fixture_ir(f);
    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    sign = req->popo->value.signature;
    (void) X509_ALGOR_set0(sign->algorithm_identifier,
                           OBJ_nid2obj(NID_sha256WithRSAEncryption),
                           V_ASN1_NULL, NULL);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);

    msg = fixture_ir(f);
    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    sign = req->popo->value.signature;
    (void) X509_ALGOR_set0(sign->algorithm_identifier,
                           OBJ_nid2obj(NID_ecdsa_with_SHA1), V_ASN1_UNDEF,
                           NULL);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_IP, CMP_FAIL_BAD_POP, FIXTURE_AUDITED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_priv_key_kinds),
        fixture_test(test_sender_with_mac),
        fixture_test(test_mac_with_signature),
        fixture_test(test_no_subject),
        fixture_test(test_mac_bad),
        fixture_test(test_signature_algorithm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
