
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * PKIXCMP-2023 (RFC 9810), DEFINITIONS EXPLICIT TAGS.  The ASN.1 text is in
 * cmp_asn1.h.
 */


#include <limits.h>

#include <openssl/asn1t.h>
#include <openssl/err.h>

#include <cmp_asn1.h>


ASN1_ITEM_TEMPLATE(cmp_certificates_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, certificates, X509)
ASN1_ITEM_TEMPLATE_END(cmp_certificates_t)


ASN1_ITEM_TEMPLATE(cmp_pki_free_text_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, text, ASN1_UTF8STRING)
ASN1_ITEM_TEMPLATE_END(cmp_pki_free_text_t)


ASN1_SEQUENCE(cmp_info_type_and_value_t) = {
    ASN1_SIMPLE(cmp_info_type_and_value_t, info_type, ASN1_OBJECT),
    ASN1_OPT(cmp_info_type_and_value_t, info_value, ASN1_ANY)
} ASN1_SEQUENCE_END(cmp_info_type_and_value_t)


ASN1_ITEM_TEMPLATE(cmp_gen_msg_content_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, content,
                          cmp_info_type_and_value_t)
ASN1_ITEM_TEMPLATE_END(cmp_gen_msg_content_t)


ASN1_SEQUENCE(cmp_pki_header_t) = {
    ASN1_SIMPLE(cmp_pki_header_t, pvno, ASN1_INTEGER),
    ASN1_SIMPLE(cmp_pki_header_t, sender, GENERAL_NAME),
    ASN1_SIMPLE(cmp_pki_header_t, recipient, GENERAL_NAME),
    ASN1_EXP_OPT(cmp_pki_header_t, message_time, ASN1_GENERALIZEDTIME, 0),
    ASN1_EXP_OPT(cmp_pki_header_t, protection_alg, X509_ALGOR, 1),
    ASN1_EXP_OPT(cmp_pki_header_t, sender_kid, ASN1_OCTET_STRING, 2),
    ASN1_EXP_OPT(cmp_pki_header_t, recip_kid, ASN1_OCTET_STRING, 3),
    ASN1_EXP_OPT(cmp_pki_header_t, transaction_id, ASN1_OCTET_STRING, 4),
    ASN1_EXP_OPT(cmp_pki_header_t, sender_nonce, ASN1_OCTET_STRING, 5),
    ASN1_EXP_OPT(cmp_pki_header_t, recip_nonce, ASN1_OCTET_STRING, 6),
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_pki_header_t, free_text,
                             ASN1_UTF8STRING, 7),
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_pki_header_t, general_info,
                             cmp_info_type_and_value_t, 8)
} ASN1_SEQUENCE_END(cmp_pki_header_t)


ASN1_SEQUENCE(cmp_pki_status_info_t) = {
    ASN1_SIMPLE(cmp_pki_status_info_t, status, ASN1_INTEGER),
    ASN1_SEQUENCE_OF_OPT(cmp_pki_status_info_t, status_string,
                         ASN1_UTF8STRING),
    ASN1_OPT(cmp_pki_status_info_t, fail_info, ASN1_BIT_STRING)
} ASN1_SEQUENCE_END(cmp_pki_status_info_t)


ASN1_SEQUENCE(cmp_challenge_t) = {
    ASN1_OPT(cmp_challenge_t, owf, X509_ALGOR),
    ASN1_SIMPLE(cmp_challenge_t, witness, ASN1_OCTET_STRING),
    ASN1_SIMPLE(cmp_challenge_t, challenge, ASN1_OCTET_STRING),
    ASN1_EXP_OPT(cmp_challenge_t, encrypted_rand, ASN1_SEQUENCE, 0)
} ASN1_SEQUENCE_END(cmp_challenge_t)


ASN1_ITEM_TEMPLATE(cmp_popo_dec_key_chall_content_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, content, cmp_challenge_t)
ASN1_ITEM_TEMPLATE_END(cmp_popo_dec_key_chall_content_t)


ASN1_SEQUENCE(cmp_rand_t) = {
    ASN1_SIMPLE(cmp_rand_t, integer, ASN1_INTEGER),
    ASN1_SIMPLE(cmp_rand_t, sender, GENERAL_NAME)
} ASN1_SEQUENCE_END(cmp_rand_t)


ASN1_ITEM_TEMPLATE(cmp_popo_dec_key_resp_content_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, content, ASN1_INTEGER)
ASN1_ITEM_TEMPLATE_END(cmp_popo_dec_key_resp_content_t)


ASN1_CHOICE(cmp_cert_or_enc_cert_t) = {
    ASN1_EXP(cmp_cert_or_enc_cert_t, value.certificate, X509, 0),
    ASN1_EXP(cmp_cert_or_enc_cert_t, value.encrypted_cert,
             cmp_encrypted_key_t, 1),
    ASN1_EXP(cmp_cert_or_enc_cert_t, value.der, ASN1_ANY, 0)
} ASN1_CHOICE_END(cmp_cert_or_enc_cert_t)


ASN1_SEQUENCE(cmp_certified_key_pair_t) = {
    ASN1_SIMPLE(cmp_certified_key_pair_t, cert_or_enc_cert,
                cmp_cert_or_enc_cert_t),
    ASN1_EXP_OPT(cmp_certified_key_pair_t, private_key,
                 cmp_encrypted_key_t, 0),
    ASN1_EXP_OPT(cmp_certified_key_pair_t, publication_info,
                 cmp_pki_publication_info_t, 1)
} ASN1_SEQUENCE_END(cmp_certified_key_pair_t)


ASN1_SEQUENCE(cmp_cert_response_t) = {
    ASN1_SIMPLE(cmp_cert_response_t, cert_req_id, ASN1_INTEGER),
    ASN1_SIMPLE(cmp_cert_response_t, status, cmp_pki_status_info_t),
    ASN1_OPT(cmp_cert_response_t, certified_key_pair,
             cmp_certified_key_pair_t),
    ASN1_OPT(cmp_cert_response_t, rsp_info, ASN1_OCTET_STRING)
} ASN1_SEQUENCE_END(cmp_cert_response_t)


ASN1_SEQUENCE(cmp_cert_rep_message_t) = {
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_cert_rep_message_t, ca_pubs, X509, 1),
    ASN1_SEQUENCE_OF(cmp_cert_rep_message_t, response, cmp_cert_response_t)
} ASN1_SEQUENCE_END(cmp_cert_rep_message_t)


ASN1_SEQUENCE(cmp_key_rec_rep_content_t) = {
    ASN1_SIMPLE(cmp_key_rec_rep_content_t, status, cmp_pki_status_info_t),
    ASN1_EXP_OPT(cmp_key_rec_rep_content_t, new_sig_cert, X509, 0),
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_key_rec_rep_content_t, ca_certs, X509, 1),
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_key_rec_rep_content_t, key_pair_hist,
                             cmp_certified_key_pair_t, 2)
} ASN1_SEQUENCE_END(cmp_key_rec_rep_content_t)


ASN1_SEQUENCE(cmp_rev_details_t) = {
    ASN1_SIMPLE(cmp_rev_details_t, cert_details, cmp_cert_template_t),
    ASN1_SEQUENCE_OF_OPT(cmp_rev_details_t, crl_entry_details,
                         X509_EXTENSION)
} ASN1_SEQUENCE_END(cmp_rev_details_t)


ASN1_ITEM_TEMPLATE(cmp_rev_req_content_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, content,
                          cmp_rev_details_t)
ASN1_ITEM_TEMPLATE_END(cmp_rev_req_content_t)


ASN1_ITEM_TEMPLATE(cmp_crl_ann_content_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, content, X509_CRL)
ASN1_ITEM_TEMPLATE_END(cmp_crl_ann_content_t)


ASN1_SEQUENCE(cmp_rev_rep_content_t) = {
    ASN1_SEQUENCE_OF(cmp_rev_rep_content_t, status, cmp_pki_status_info_t),
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_rev_rep_content_t, rev_certs,
                             cmp_cert_id_t, 0),
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_rev_rep_content_t, crls, X509_CRL, 1)
} ASN1_SEQUENCE_END(cmp_rev_rep_content_t)


ASN1_SEQUENCE(cmp_ca_key_upd_ann_content_t) = {
    ASN1_SIMPLE(cmp_ca_key_upd_ann_content_t, old_with_new, X509),
    ASN1_SIMPLE(cmp_ca_key_upd_ann_content_t, new_with_old, X509),
    ASN1_SIMPLE(cmp_ca_key_upd_ann_content_t, new_with_new, X509)
} ASN1_SEQUENCE_END(cmp_ca_key_upd_ann_content_t)


ASN1_SEQUENCE(cmp_root_ca_key_update_content_t) = {
    ASN1_SIMPLE(cmp_root_ca_key_update_content_t, new_with_new, X509),
    ASN1_EXP_OPT(cmp_root_ca_key_update_content_t, new_with_old, X509, 0),
    ASN1_EXP_OPT(cmp_root_ca_key_update_content_t, old_with_new, X509, 1)
} ASN1_SEQUENCE_END(cmp_root_ca_key_update_content_t)


ASN1_CHOICE(cmp_ca_key_upd_content_t) = {
    ASN1_SIMPLE(cmp_ca_key_upd_content_t, value.ca_key_upd_ann_v2,
                cmp_ca_key_upd_ann_content_t),
    ASN1_EXP(cmp_ca_key_upd_content_t, value.ca_key_upd_ann_v3,
             cmp_root_ca_key_update_content_t, 0)
} ASN1_CHOICE_END(cmp_ca_key_upd_content_t)


ASN1_SEQUENCE(cmp_rev_ann_content_t) = {
    ASN1_SIMPLE(cmp_rev_ann_content_t, status, ASN1_INTEGER),
    ASN1_SIMPLE(cmp_rev_ann_content_t, cert_id, cmp_cert_id_t),
    ASN1_SIMPLE(cmp_rev_ann_content_t, will_be_revoked_at,
                ASN1_GENERALIZEDTIME),
    ASN1_SIMPLE(cmp_rev_ann_content_t, bad_since_date, ASN1_GENERALIZEDTIME),
    ASN1_SEQUENCE_OF_OPT(cmp_rev_ann_content_t, crl_details, X509_EXTENSION)
} ASN1_SEQUENCE_END(cmp_rev_ann_content_t)


ASN1_SEQUENCE(cmp_error_msg_content_t) = {
    ASN1_SIMPLE(cmp_error_msg_content_t, pki_status_info,
                cmp_pki_status_info_t),
    ASN1_OPT(cmp_error_msg_content_t, error_code, ASN1_INTEGER),
    ASN1_SEQUENCE_OF_OPT(cmp_error_msg_content_t, error_details,
                         ASN1_UTF8STRING)
} ASN1_SEQUENCE_END(cmp_error_msg_content_t)


ASN1_SEQUENCE(cmp_cert_status_t) = {
    ASN1_SIMPLE(cmp_cert_status_t, cert_hash, ASN1_OCTET_STRING),
    ASN1_SIMPLE(cmp_cert_status_t, cert_req_id, ASN1_INTEGER),
    ASN1_OPT(cmp_cert_status_t, status_info, cmp_pki_status_info_t),
    ASN1_EXP_OPT(cmp_cert_status_t, hash_alg, X509_ALGOR, 0)
} ASN1_SEQUENCE_END(cmp_cert_status_t)


ASN1_ITEM_TEMPLATE(cmp_cert_confirm_content_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, content,
                          cmp_cert_status_t)
ASN1_ITEM_TEMPLATE_END(cmp_cert_confirm_content_t)


ASN1_SEQUENCE(cmp_poll_req_t) = {
    ASN1_SIMPLE(cmp_poll_req_t, cert_req_id, ASN1_INTEGER)
} ASN1_SEQUENCE_END(cmp_poll_req_t)


ASN1_ITEM_TEMPLATE(cmp_poll_req_content_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, content, cmp_poll_req_t)
ASN1_ITEM_TEMPLATE_END(cmp_poll_req_content_t)


ASN1_SEQUENCE(cmp_poll_rep_t) = {
    ASN1_SIMPLE(cmp_poll_rep_t, cert_req_id, ASN1_INTEGER),
    ASN1_SIMPLE(cmp_poll_rep_t, check_after, ASN1_INTEGER),
    ASN1_SEQUENCE_OF_OPT(cmp_poll_rep_t, reason, ASN1_UTF8STRING)
} ASN1_SEQUENCE_END(cmp_poll_rep_t)


ASN1_ITEM_TEMPLATE(cmp_poll_rep_content_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, content, cmp_poll_rep_t)
ASN1_ITEM_TEMPLATE_END(cmp_poll_rep_content_t)


ASN1_ITEM_TEMPLATE(cmp_pki_messages_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, messages, ASN1_SEQUENCE)
ASN1_ITEM_TEMPLATE_END(cmp_pki_messages_t)


ASN1_CHOICE(cmp_pki_body_t) = {
    ASN1_EXP(cmp_pki_body_t, value.ir, cmp_cert_req_messages_t, 0),
    ASN1_EXP(cmp_pki_body_t, value.ip, cmp_cert_rep_message_t, 1),
    ASN1_EXP(cmp_pki_body_t, value.cr, cmp_cert_req_messages_t, 2),
    ASN1_EXP(cmp_pki_body_t, value.cp, cmp_cert_rep_message_t, 3),
    ASN1_EXP(cmp_pki_body_t, value.p10cr, X509_REQ, 4),
    ASN1_EXP(cmp_pki_body_t, value.popdecc,
             cmp_popo_dec_key_chall_content_t, 5),
    ASN1_EXP(cmp_pki_body_t, value.popdecr,
             cmp_popo_dec_key_resp_content_t, 6),
    ASN1_EXP(cmp_pki_body_t, value.kur, cmp_cert_req_messages_t, 7),
    ASN1_EXP(cmp_pki_body_t, value.kup, cmp_cert_rep_message_t, 8),
    ASN1_EXP(cmp_pki_body_t, value.krr, cmp_cert_req_messages_t, 9),
    ASN1_EXP(cmp_pki_body_t, value.krp, cmp_key_rec_rep_content_t, 10),
    ASN1_EXP(cmp_pki_body_t, value.rr, cmp_rev_req_content_t, 11),
    ASN1_EXP(cmp_pki_body_t, value.rp, cmp_rev_rep_content_t, 12),
    ASN1_EXP(cmp_pki_body_t, value.ccr, cmp_cert_req_messages_t, 13),
    ASN1_EXP(cmp_pki_body_t, value.ccp, cmp_cert_rep_message_t, 14),
    ASN1_EXP(cmp_pki_body_t, value.ckuann, cmp_ca_key_upd_content_t, 15),
    ASN1_EXP(cmp_pki_body_t, value.cann, X509, 16),
    ASN1_EXP(cmp_pki_body_t, value.rann, cmp_rev_ann_content_t, 17),
    ASN1_EXP(cmp_pki_body_t, value.crlann, cmp_crl_ann_content_t, 18),
    ASN1_EXP(cmp_pki_body_t, value.pkiconf, ASN1_NULL, 19),
    ASN1_EXP(cmp_pki_body_t, value.nested, cmp_pki_messages_t, 20),
    ASN1_EXP(cmp_pki_body_t, value.genm, cmp_gen_msg_content_t, 21),
    ASN1_EXP(cmp_pki_body_t, value.genp, cmp_gen_msg_content_t, 22),
    ASN1_EXP(cmp_pki_body_t, value.error, cmp_error_msg_content_t, 23),
    ASN1_EXP(cmp_pki_body_t, value.cert_conf, cmp_cert_confirm_content_t, 24),
    ASN1_EXP(cmp_pki_body_t, value.poll_req, cmp_poll_req_content_t, 25),
    ASN1_EXP(cmp_pki_body_t, value.poll_rep, cmp_poll_rep_content_t, 26)
} ASN1_CHOICE_END(cmp_pki_body_t)


ASN1_SEQUENCE(cmp_pki_message_t) = {
    ASN1_SIMPLE(cmp_pki_message_t, header, cmp_pki_header_t),
    ASN1_SIMPLE(cmp_pki_message_t, body, cmp_pki_body_t),
    ASN1_EXP_OPT(cmp_pki_message_t, protection, ASN1_BIT_STRING, 0),
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_pki_message_t, extra_certs, X509, 1)
} ASN1_SEQUENCE_END(cmp_pki_message_t)


ASN1_SEQUENCE(cmp_protected_part_t) = {
    ASN1_SIMPLE(cmp_protected_part_t, header, cmp_pki_header_t),
    ASN1_SIMPLE(cmp_protected_part_t, body, cmp_pki_body_t)
} ASN1_SEQUENCE_END(cmp_protected_part_t)


ASN1_SEQUENCE(cmp_encoded_message_t) = {
    ASN1_SIMPLE(cmp_encoded_message_t, header_and_body, ASN1_ANY),
    ASN1_EXP_OPT(cmp_encoded_message_t, protection, ASN1_BIT_STRING, 0),
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_encoded_message_t, extra_certs, X509, 1)
} ASN1_SEQUENCE_END(cmp_encoded_message_t)


void *
cmp_asn1_new_item(const ASN1_ITEM *it)
{
    void  *value;

    (void) ERR_set_mark();

    value = ASN1_item_new(it);

    (void) ERR_pop_to_mark();

    return value;
}


void *
cmp_asn1_decode_item(const ASN1_ITEM *it, const unsigned char *data,
    size_t len)
{
    ASN1_VALUE           *value;
    const unsigned char  *p;

    if (data == NULL || len > INT_MAX) {
        return NULL;
    }

    (void) ERR_set_mark();

    p = data;
    value = ASN1_item_d2i(NULL, &p, (long) len, it);

    if (value != NULL && p != data + len) {
        ASN1_item_free(value, it);
        value = NULL;
    }

    /* a public key of a kind unknown leaves errors even in a success */

    (void) ERR_pop_to_mark();

    return value;
}


int
cmp_asn1_encode_item(const ASN1_ITEM *it, const void *value,
    unsigned char **out)
{
    int  len;

    *out = NULL;

    if (value == NULL) {
        return -1;
    }

    (void) ERR_set_mark();

    len = ASN1_item_i2d(value, out, it);

    (void) ERR_pop_to_mark();

    if (len <= 0 || *out == NULL) {
        OPENSSL_free(*out);
        *out = NULL;
        return -1;
    }

    return len;
}


void *
cmp_asn1_dup_item(const ASN1_ITEM *it, const void *value)
{
    void  *copy;

    (void) ERR_set_mark();

    copy = ASN1_item_dup(it, value);

    (void) ERR_pop_to_mark();

    return copy;
}


int
cmp_asn1_retag(ASN1_STRING *element, unsigned char identifier)
{
    if (element == NULL
        || element->length < 2
        || (element->data[0] & V_ASN1_CONSTRUCTED) == 0
        || (element->data[0] & V_ASN1_PRIMITIVE_TAG) == V_ASN1_PRIMITIVE_TAG)
    {
        return 0;
    }

    element->data[0] = identifier;

    return 1;
}


int
cmp_asn1_set_octets(ASN1_BIT_STRING *bits, const unsigned char *data,
    size_t len)
{
    int  rc;

    if (len > INT_MAX) {
        return 0;
    }

    (void) ERR_set_mark();

    rc = ASN1_STRING_set(bits, data, (int) len);

    (void) ERR_pop_to_mark();

    if (rc != 1) {
        return 0;
    }

    bits->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 0x07);
    bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;

    return 1;
}


int
cmp_asn1_is_octets(const ASN1_BIT_STRING *bits)
{
    return (bits->flags & 0x07) == 0;
}
