
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The templates of cmp_asn1.h against DER made by hand from the ASN.1 text
 * (data/asn1.txt) and against messages of OpenSSL's client and mock server
 * (data/<name>.der), whose own templates are a second opinion.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/asn1t.h>
#include <openssl/cmp.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <cmp_asn1.h>
#include <cmp_public_key.h>


#define TEST_DATA      "t/core/data/"
#define TEST_MAX       4096


typedef struct {
    const char            *name;
    const ASN1_ITEM     *(*item)(void);
} test_item_t;


typedef struct {
    const char            *name;
    int                    body;
} test_message_t;


#define test_item(name)  { #name, cmp_##name##_t_it }


static const test_item_t  test_items[] = {
    test_item(attribute_type_and_value),
    test_item(controls),
    test_item(optional_validity),
    test_item(cert_template),
    test_item(cert_request),
    test_item(pk_mac_value),
    test_item(pbm_parameter),
    test_item(popo_auth_info),
    test_item(popo_signing_key_input),
    test_item(popo_signing_key),
    test_item(popo_priv_key),
    test_item(popo),
    test_item(cert_req_msg),
    test_item(cert_req_messages),
    test_item(single_pub_info),
    test_item(pki_publication_info),
    test_item(encrypted_value),
    test_item(encrypted_key),
    test_item(pki_archive_options),
    test_item(cert_id),
    test_item(key_identifier),
    test_item(enc_key_with_id),
    test_item(certificates),
    test_item(pki_free_text),
    test_item(info_type_and_value),
    test_item(gen_msg_content),
    test_item(pki_header),
    test_item(pki_status_info),
    test_item(oob_cert_hash),
    test_item(challenge),
    test_item(popo_dec_key_chall_content),
    test_item(rand),
    test_item(popo_dec_key_resp_content),
    test_item(cert_or_enc_cert),
    test_item(certified_key_pair),
    test_item(cert_response),
    test_item(cert_rep_message),
    test_item(key_rec_rep_content),
    test_item(rev_details),
    test_item(rev_req_content),
    test_item(crl_ann_content),
    test_item(rev_rep_content),
    test_item(ca_key_upd_ann_content),
    test_item(root_ca_key_update_content),
    test_item(ca_key_upd_content),
    test_item(rev_ann_content),
    test_item(error_msg_content),
    test_item(cert_status),
    test_item(cert_confirm_content),
    test_item(poll_req),
    test_item(poll_req_content),
    test_item(poll_rep),
    test_item(poll_rep_content),
    test_item(pki_messages),
    test_item(pki_body),
    test_item(pki_message),
    test_item(protected_part),
    test_item(dhbm_parameter),
    test_item(kem_bm_parameter),
    test_item(pbmac1_params),
    test_item(cert_req_template_content),
    test_item(crl_source),
    test_item(crl_status),
    test_item(crl_status_list),
    test_item(kem_ciphertext_info),
    test_item(kem_other_info),
    test_item(algorithms),
    test_item(unsupported_oids),
    { NULL, NULL }
};


static const test_message_t  test_messages[] = {
    { "ir", CMP_BODY_IR },
    { "ir_ra_verified", CMP_BODY_IR },
    { "ir_key_enc", CMP_BODY_IR },
    { "ip", CMP_BODY_IP },
    { "cr", CMP_BODY_CR },
    { "waiting", CMP_BODY_CP },
    { "p10cr", CMP_BODY_P10CR },
    { "kur", CMP_BODY_KUR },
    { "kup", CMP_BODY_KUP },
    { "rr", CMP_BODY_RR },
    { "rp", CMP_BODY_RP },
    { "pkiconf", CMP_BODY_PKICONF },
    { "genm", CMP_BODY_GENM },
    { "genp", CMP_BODY_GENP },
    { "error", CMP_BODY_ERROR },
    { "certconf", CMP_BODY_CERTCONF },
    { "pollreq", CMP_BODY_POLLREQ },
    { NULL, 0 }
};


static size_t
test_read(const char *name, unsigned char *buf)
{
    FILE    *f;
    char     path[128];
    size_t   len;

    (void) snprintf(path, sizeof(path), TEST_DATA "%s.der", name);

    f = fopen(path, "rb");
    assert_non_null(f);

    len = fread(buf, 1, TEST_MAX, f);
    assert_in_range(len, 1, TEST_MAX - 1);

    (void) fclose(f);

    return len;
}


static cmp_pki_message_t *
test_message(const char *name)
{
    size_t              len;
    unsigned char       buf[TEST_MAX];
    cmp_pki_message_t  *msg;

    len = test_read(name, buf);

    msg = cmp_asn1_decode(cmp_pki_message_t, buf, len);
    assert_non_null(msg);

    return msg;
}


static size_t
test_hex(const char *hex, unsigned char *buf)
{
    size_t        n;
    unsigned int  octet;

    for (n = 0; sscanf(hex + 2 * n, "%2x", &octet) == 1; n++) {
        assert_true(n < TEST_MAX);
        buf[n] = (unsigned char) octet;
    }

    return n;
}


static void
test_same(const ASN1_ITEM *it, const void *value, const unsigned char *data,
    size_t len)
{
    int             n;
    unsigned char  *out;

    n = cmp_asn1_encode_item(it, value, &out);

    assert_int_equal(n, len);
    assert_memory_equal(out, data, len);

    OPENSSL_free(out);
}


/* decodes, compares the encodings of the value and of a copy */

static void
test_round_trip(const ASN1_ITEM *it, const unsigned char *data, size_t len)
{
    void    *value, *copy;
    size_t   n;

    value = cmp_asn1_decode_item(it, data, len);
    assert_non_null(value);

    test_same(it, value, data, len);

    copy = cmp_asn1_dup_item(it, value);
    assert_non_null(copy);

    test_same(it, copy, data, len);

    ASN1_item_free(copy, it);
    ASN1_item_free(value, it);

    for (n = 0; n < len; n++) {
        assert_null(cmp_asn1_decode_item(it, data, n));
    }

    assert_int_equal(ERR_peek_error(), 0);
}


/* any change of one octet is survived; an encoding exists for what decodes */

static void
test_mutations(const ASN1_ITEM *it, unsigned char *data, size_t len)
{
    int             n;
    void           *value;
    size_t          i, k;
    unsigned char  *out, saved;

    static const unsigned char  with[] = { 0x00, 0x80, 0xff };

    for (i = 0; i < len; i++) {
        saved = data[i];

        for (k = 0; k < sizeof(with); k++) {
            data[i] = with[k];

            value = cmp_asn1_decode_item(it, data, len);

            if (value != NULL) {
                n = cmp_asn1_encode_item(it, value, &out);
                assert_true(n > 0);
                OPENSSL_free(out);
            }

            ASN1_item_free(value, it);
            assert_int_equal(ERR_peek_error(), 0);
        }

        data[i] = saved;
    }
}


static void
test_vectors(void **state)
{
    FILE               *f;
    char                line[2 * TEST_MAX], *hex;
    size_t              len;
    const ASN1_ITEM    *it;
    unsigned char       buf[TEST_MAX];
    const test_item_t  *item;

    (void) state;

    f = fopen(TEST_DATA "asn1.txt", "r");
    assert_non_null(f);

    while (fgets(line, sizeof(line), f) != NULL) {

        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }

        hex = strchr(line, ' ');
        assert_non_null(hex);
        *hex++ = '\0';

        for (item = test_items; item->name != NULL; item++) {

            if (strcmp(item->name, line) == 0) {
                break;
            }
        }

        assert_non_null(item->name);

        it = item->item();
        len = test_hex(hex, buf);

        buf[len] = 0;
        assert_null(cmp_asn1_decode_item(it, buf, len + 1));

        test_round_trip(it, buf, len);
        test_mutations(it, buf, len);
    }

    (void) fclose(f);
}


/* every type can be made and freed; a CHOICE not made has no encoding */

static void
test_new(void **state)
{
    void               *value;
    unsigned char      *out;
    cmp_popo_t         *popo;
    const test_item_t  *item;

    (void) state;

    for (item = test_items; item->name != NULL; item++) {
        value = cmp_asn1_new_item(item->item());
        assert_non_null(value);

        ASN1_item_free(value, item->item());
    }

    popo = cmp_asn1_new(cmp_popo_t);
    assert_non_null(popo);
    assert_int_equal(popo->type, -1);
    assert_int_equal(cmp_asn1_encode(cmp_popo_t, popo, &out), -1);
    assert_null(out);

    popo->type = CMP_POPO_RA_VERIFIED;
    popo->value.ra_verified = ASN1_NULL_new();
    test_same(ASN1_ITEM_rptr(cmp_popo_t), popo,
              (unsigned char *) "\x80\x00", 2);

    cmp_asn1_free(cmp_popo_t, popo);
    cmp_asn1_free(cmp_popo_t, NULL);

    assert_int_equal(cmp_asn1_encode(cmp_popo_t, NULL, &out), -1);
    assert_int_equal(ERR_peek_error(), 0);
}


/* what OpenSSL wrote: the same octets again, and as the ProtectedPart */

static void
test_openssl_messages(void **state)
{
    int                    xclass, tag;
    long                   hlen, blen;
    size_t                 len;
    unsigned char          buf[TEST_MAX], part[TEST_MAX], *p;
    cmp_pki_message_t     *msg;
    const unsigned char   *header, *body;
    const test_message_t  *m;
    cmp_protected_part_t   protected_part;

    (void) state;

    for (m = test_messages; m->name != NULL; m++) {
        len = test_read(m->name, buf);

        test_round_trip(ASN1_ITEM_rptr(cmp_pki_message_t), buf, len);

        msg = cmp_asn1_decode(cmp_pki_message_t, buf, len);
        assert_non_null(msg);
        assert_int_equal(msg->body->type, m->body);
        assert_non_null(msg->header->transaction_id);
        assert_non_null(msg->protection);
        assert_int_equal(cmp_asn1_is_octets(msg->protection), 1);

        header = buf;
        (void) ASN1_get_object(&header, &hlen, &tag, &xclass, len);

        body = header;
        (void) ASN1_get_object(&body, &hlen, &tag, &xclass,
                               buf + len - header);
        body += hlen;

        p = (unsigned char *) body;
        (void) ASN1_get_object((const unsigned char **) &p, &blen, &tag,
                               &xclass, buf + len - body);
        assert_int_equal(tag, m->body);

        hlen = p + blen - header;

        p = part;
        ASN1_put_object(&p, 1, hlen, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
        memcpy(p, header, hlen);

        protected_part.header = msg->header;
        protected_part.body = msg->body;

        test_same(ASN1_ITEM_rptr(cmp_protected_part_t), &protected_part,
                  part, p + hlen - part);

        cmp_asn1_free(cmp_pki_message_t, msg);

        test_mutations(ASN1_ITEM_rptr(cmp_pki_message_t), buf, len);
    }
}


/* what we write, OpenSSL reads: header of a message of its own, each body */

static void
test_openssl_reads(void **state)
{
    int                    len;
    FILE                  *f;
    char                   line[2 * TEST_MAX];
    size_t                 n;
    OSSL_CMP_MSG          *theirs;
    unsigned char          buf[TEST_MAX], *out;
    cmp_pki_message_t     *msg;
    const unsigned char   *p;

    static const char  prefix[] = "pki_body ";

    (void) state;

    f = fopen(TEST_DATA "asn1.txt", "r");
    assert_non_null(f);

    while (fgets(line, sizeof(line), f) != NULL) {

        if (strncmp(line, prefix, sizeof(prefix) - 1) != 0) {
            continue;
        }

        n = test_hex(line + sizeof(prefix) - 1, buf);
        msg = test_message("ir");

        cmp_asn1_free(cmp_pki_body_t, msg->body);
        msg->body = cmp_asn1_decode(cmp_pki_body_t, buf, n);
        assert_non_null(msg->body);

        len = cmp_asn1_encode(cmp_pki_message_t, msg, &out);
        assert_true(len > 0);

        p = out;
        theirs = d2i_OSSL_CMP_MSG(NULL, &p, len);

        /* EnvelopedData came with RFC 9480, OpenSSL 3.0 is older */

        switch (msg->body->type) {

        case CMP_BODY_IP:
        case CMP_BODY_CP:
        case CMP_BODY_KUP:
        case CMP_BODY_CCP:
        case CMP_BODY_KRP:
        case CMP_BODY_POPDECC:
        case CMP_BODY_NESTED:
            ERR_clear_error();
            break;

        default:
            assert_non_null(theirs);
            assert_int_equal(OSSL_CMP_MSG_get_bodytype(theirs),
                             msg->body->type);
        }

        OSSL_CMP_MSG_free(theirs);
        OPENSSL_free(out);
        cmp_asn1_free(cmp_pki_message_t, msg);
    }

    (void) fclose(f);
}


/* the signature of POPOSigningKey is over the encoding of certReq */

static void
test_popo_signature(void **state)
{
    int                  len;
    EVP_PKEY            *key;
    EVP_MD_CTX          *ctx;
    cmp_popo_t          *popo;
    unsigned char       *der;
    cmp_pki_message_t   *msg;
    cmp_cert_req_msg_t  *req;

    (void) state;

    msg = test_message("ir");
    assert_int_equal(sk_cmp_cert_req_msg_t_num(msg->body->value.ir), 1);

    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    popo = req->popo;

    assert_non_null(popo);
    assert_int_equal(popo->type, CMP_POPO_SIGNATURE);
    assert_null(popo->value.signature->poposk_input);
    assert_null(req->cert_req->cert_template->issuer);
    assert_non_null(req->cert_req->cert_template->validity->not_after);
    assert_non_null(req->cert_req->cert_template->extensions);

    key = cmp_public_key_get(req->cert_req->cert_template->public_key);
    assert_non_null(key);

    len = cmp_asn1_encode(cmp_cert_request_t, req->cert_req, &der);
    assert_true(len > 0);

    ctx = EVP_MD_CTX_new();
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key),
                     1);
    assert_int_equal(EVP_DigestVerify(ctx,
                                      popo->value.signature->signature->data,
                                      popo->value.signature->signature->length,
                                      der, len),
                     1);

    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    cmp_asn1_free(cmp_pki_message_t, msg);
}


static void
test_template(void **state)
{
    cmp_cert_template_t  *t;

    static const unsigned char  absent[] = { 0x30, 0x00 };

    static const unsigned char  empty[] = {
        0x30, 0x04, 0xa5, 0x02, 0x30, 0x00
    };

    /* the Name under an implicit tag */

    static const unsigned char  implicit[] = { 0x30, 0x02, 0xa5, 0x00 };

    /* publicKey of the algorithm 1.2.3 */

    static const unsigned char  unknown[] = {
        0x30, 0x0c, 0xa6, 0x0a, 0x30, 0x04, 0x06, 0x02, 0x2a, 0x03,
        0x03, 0x02, 0x00, 0x55
    };

    (void) state;

    t = cmp_asn1_decode(cmp_cert_template_t, absent, sizeof(absent));
    assert_non_null(t);
    assert_null(t->subject);
    assert_null(t->public_key);
    assert_null(t->extensions);
    cmp_asn1_free(cmp_cert_template_t, t);

    t = cmp_asn1_decode(cmp_cert_template_t, empty, sizeof(empty));
    assert_non_null(t);
    assert_non_null(t->subject);
    assert_int_equal(X509_NAME_entry_count(t->subject), 0);
    cmp_asn1_free(cmp_cert_template_t, t);

    t = cmp_asn1_decode(cmp_cert_template_t, implicit, sizeof(implicit));
    assert_null(t);

    t = cmp_asn1_decode(cmp_cert_template_t, unknown, sizeof(unknown));
    assert_non_null(t);
    assert_non_null(t->public_key);
    assert_int_equal(ERR_peek_error(), 0);
    assert_null(cmp_public_key_get(t->public_key));
    ERR_clear_error();
    test_same(ASN1_ITEM_rptr(cmp_cert_template_t), t, unknown,
              sizeof(unknown));
    cmp_asn1_free(cmp_cert_template_t, t);
}


/* inner messages and EnvelopedData keep their octets, sense or nonsense */

static void
test_opaque(void **state)
{
    ASN1_STRING          *s;
    cmp_pki_body_t       *body;
    cmp_encrypted_key_t  *key;
    cmp_popo_priv_key_t  *popo;

    /* two messages, one of them BER of an indefinite length */

    static const unsigned char  nested[] = {
        0xb4, 0x0b, 0x30, 0x09,
        0x30, 0x03, 0x02, 0x01, 0x05,
        0x30, 0x80, 0x00, 0x00
    };

    /* an INTEGER is no message */

    static const unsigned char  number[] = {
        0xb4, 0x05, 0x30, 0x03, 0x02, 0x01, 0x05
    };

    static const unsigned char  enveloped[] = { 0xa0, 0x03, 0x02, 0x01, 0x05 };

    static const unsigned char  sequence[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };

    static const unsigned char  encrypted[] = { 0xa4, 0x03, 0x02, 0x01, 0x05 };

    (void) state;

    body = cmp_asn1_decode(cmp_pki_body_t, nested, sizeof(nested));
    assert_non_null(body);
    assert_int_equal(body->type, CMP_BODY_NESTED);
    assert_int_equal(sk_ASN1_STRING_num(body->value.nested), 2);

    s = sk_ASN1_STRING_value(body->value.nested, 0);
    assert_int_equal(s->length, 5);
    assert_memory_equal(s->data, nested + 4, 5);

    s = sk_ASN1_STRING_value(body->value.nested, 1);
    assert_int_equal(s->length, 4);
    assert_memory_equal(s->data, nested + 9, 4);

    test_same(ASN1_ITEM_rptr(cmp_pki_body_t), body, nested, sizeof(nested));
    cmp_asn1_free(cmp_pki_body_t, body);

    assert_null(cmp_asn1_decode(cmp_pki_body_t, number, sizeof(number)));

    key = cmp_asn1_decode(cmp_encrypted_key_t, enveloped, sizeof(enveloped));
    assert_non_null(key);
    assert_int_equal(key->type, CMP_ENCRYPTED_KEY_ENVELOPED_DATA);

    s = key->value.enveloped_data;
    assert_int_equal(s->data[0], CMP_ASN1_CONTEXT(0));
    assert_int_equal(cmp_asn1_retag(s, CMP_ASN1_SEQUENCE), 1);
    assert_memory_equal(s->data, sequence, sizeof(sequence));
    assert_int_equal(cmp_asn1_retag(s, CMP_ASN1_CONTEXT(0)), 1);
    test_same(ASN1_ITEM_rptr(cmp_encrypted_key_t), key, enveloped,
              sizeof(enveloped));

    s->data[0] = 0xbf;
    assert_int_equal(cmp_asn1_retag(s, CMP_ASN1_SEQUENCE), 0);
    s->data[0] = 0x80;
    assert_int_equal(cmp_asn1_retag(s, CMP_ASN1_SEQUENCE), 0);
    cmp_asn1_free(cmp_encrypted_key_t, key);

    popo = cmp_asn1_decode(cmp_popo_priv_key_t, encrypted, sizeof(encrypted));
    assert_non_null(popo);
    assert_int_equal(popo->type, CMP_POPO_PRIV_KEY_ENCRYPTED_KEY);
    assert_memory_equal(popo->value.encrypted_key->data, encrypted,
                        sizeof(encrypted));
    cmp_asn1_free(cmp_popo_priv_key_t, popo);
}


static void
test_body(const cmp_pki_body_t *body)
{
    int             n;
    unsigned char  *out;

    n = cmp_asn1_encode(cmp_pki_body_t, body, &out);
    assert_true(n > 0);
    assert_int_equal(out[0], CMP_ASN1_CONTEXT(body->type));

    test_round_trip(ASN1_ITEM_rptr(cmp_pki_body_t), out, n);

    OPENSSL_free(out);
}


/* the bodies with certificates, which the vectors leave out */

static void
test_certificates(void **state)
{
    X509                          *cert;
    cmp_pki_body_t                *body;
    cmp_pki_message_t             *msg;
    cmp_cert_response_t           *resp;
    cmp_ca_key_upd_content_t      *update;
    cmp_ca_key_upd_ann_content_t  *v2;

    (void) state;

    msg = test_message("ip");
    assert_int_equal(sk_X509_num(msg->body->value.ip->ca_pubs), 1);
    resp = sk_cmp_cert_response_t_value(msg->body->value.ip->response, 0);
    assert_int_equal(ASN1_INTEGER_get(resp->status->status),
                     CMP_STATUS_ACCEPTED);
    assert_int_equal(resp->certified_key_pair->cert_or_enc_cert->type,
                     CMP_CERT_OR_ENC_CERT_CERTIFICATE);
    cert = resp->certified_key_pair->cert_or_enc_cert->value.certificate;

    body = cmp_asn1_new(cmp_pki_body_t);
    body->type = CMP_BODY_CANN;
    body->value.cann = X509_dup(cert);
    test_body(body);
    cmp_asn1_free(cmp_pki_body_t, body);

    update = cmp_asn1_new(cmp_ca_key_upd_content_t);
    update->type = CMP_CA_KEY_UPD_ANN_V3;
    update->value.ca_key_upd_ann_v3 =
        cmp_asn1_new(cmp_root_ca_key_update_content_t);
    X509_free(update->value.ca_key_upd_ann_v3->new_with_new);
    update->value.ca_key_upd_ann_v3->new_with_new = X509_dup(cert);
    update->value.ca_key_upd_ann_v3->old_with_new = X509_dup(cert);

    body = cmp_asn1_new(cmp_pki_body_t);
    body->type = CMP_BODY_CKUANN;
    body->value.ckuann = update;
    test_body(body);

    cmp_asn1_free(cmp_root_ca_key_update_content_t,
                  update->value.ca_key_upd_ann_v3);

    v2 = cmp_asn1_new(cmp_ca_key_upd_ann_content_t);
    X509_free(v2->old_with_new);
    X509_free(v2->new_with_old);
    X509_free(v2->new_with_new);
    v2->old_with_new = X509_dup(cert);
    v2->new_with_old = X509_dup(cert);
    v2->new_with_new = X509_dup(cert);

    update->type = CMP_CA_KEY_UPD_ANN_V2;
    update->value.ca_key_upd_ann_v2 = v2;
    test_body(body);

    cmp_asn1_free(cmp_pki_body_t, body);
    cmp_asn1_free(cmp_pki_message_t, msg);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_openssl_messages),
        cmocka_unit_test(test_openssl_reads),
        cmocka_unit_test(test_popo_signature),
        cmocka_unit_test(test_template),
        cmocka_unit_test(test_opaque),
        cmocka_unit_test(test_certificates)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
