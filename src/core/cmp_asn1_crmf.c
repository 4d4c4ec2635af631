
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * PKIXCRMF-2005 (RFC 4211), DEFINITIONS IMPLICIT TAGS: an untagged CHOICE
 * under a tag (Name, Time, GeneralName, POPOPrivKey, EncryptedKey) makes that
 * tag explicit (X.680, 31.2.7).  The ASN.1 text is in cmp_asn1_crmf.h.
 */


#include <openssl/asn1t.h>

#include <cmp_asn1.h>


ASN1_SEQUENCE(cmp_attribute_type_and_value_t) = {
    ASN1_SIMPLE(cmp_attribute_type_and_value_t, type, ASN1_OBJECT),
    ASN1_SIMPLE(cmp_attribute_type_and_value_t, value, ASN1_ANY)
} ASN1_SEQUENCE_END(cmp_attribute_type_and_value_t)


ASN1_ITEM_TEMPLATE(cmp_controls_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, controls,
                          cmp_attribute_type_and_value_t)
ASN1_ITEM_TEMPLATE_END(cmp_controls_t)


ASN1_SEQUENCE(cmp_optional_validity_t) = {
    ASN1_EXP_OPT(cmp_optional_validity_t, not_before, ASN1_TIME, 0),
    ASN1_EXP_OPT(cmp_optional_validity_t, not_after, ASN1_TIME, 1)
} ASN1_SEQUENCE_END(cmp_optional_validity_t)


ASN1_SEQUENCE(cmp_certificate_frame_t) = {
    ASN1_SIMPLE(cmp_certificate_frame_t, tbs_certificate, ASN1_SEQUENCE),
    ASN1_SIMPLE(cmp_certificate_frame_t, signature_algorithm, X509_ALGOR),
    ASN1_SIMPLE(cmp_certificate_frame_t, signature, ASN1_BIT_STRING)
} ASN1_SEQUENCE_END(cmp_certificate_frame_t)


ASN1_SEQUENCE(cmp_cert_template_t) = {
    ASN1_IMP_OPT(cmp_cert_template_t, version, ASN1_INTEGER, 0),
    ASN1_IMP_OPT(cmp_cert_template_t, serial_number, ASN1_INTEGER, 1),
    ASN1_IMP_OPT(cmp_cert_template_t, signing_alg, X509_ALGOR, 2),
    ASN1_EXP_OPT(cmp_cert_template_t, issuer, X509_NAME, 3),
    ASN1_IMP_OPT(cmp_cert_template_t, validity, cmp_optional_validity_t, 4),
    ASN1_EXP_OPT(cmp_cert_template_t, subject, X509_NAME, 5),
    ASN1_IMP_OPT(cmp_cert_template_t, public_key, cmp_public_key_t, 6),
    ASN1_IMP_OPT(cmp_cert_template_t, issuer_uid, ASN1_BIT_STRING, 7),
    ASN1_IMP_OPT(cmp_cert_template_t, subject_uid, ASN1_BIT_STRING, 8),
    ASN1_IMP_SEQUENCE_OF_OPT(cmp_cert_template_t, extensions,
                             X509_EXTENSION, 9)
} ASN1_SEQUENCE_END(cmp_cert_template_t)


ASN1_SEQUENCE(cmp_cert_request_t) = {
    ASN1_SIMPLE(cmp_cert_request_t, cert_req_id, ASN1_INTEGER),
    ASN1_SIMPLE(cmp_cert_request_t, cert_template, cmp_cert_template_t),
    ASN1_SEQUENCE_OF_OPT(cmp_cert_request_t, controls,
                         cmp_attribute_type_and_value_t)
} ASN1_SEQUENCE_END(cmp_cert_request_t)


ASN1_SEQUENCE(cmp_pk_mac_value_t) = {
    ASN1_SIMPLE(cmp_pk_mac_value_t, alg_id, X509_ALGOR),
    ASN1_SIMPLE(cmp_pk_mac_value_t, value, ASN1_BIT_STRING)
} ASN1_SEQUENCE_END(cmp_pk_mac_value_t)


ASN1_SEQUENCE(cmp_pbm_parameter_t) = {
    ASN1_SIMPLE(cmp_pbm_parameter_t, salt, ASN1_OCTET_STRING),
    ASN1_SIMPLE(cmp_pbm_parameter_t, owf, X509_ALGOR),
    ASN1_SIMPLE(cmp_pbm_parameter_t, iteration_count, ASN1_INTEGER),
    ASN1_SIMPLE(cmp_pbm_parameter_t, mac, X509_ALGOR)
} ASN1_SEQUENCE_END(cmp_pbm_parameter_t)


ASN1_CHOICE(cmp_popo_auth_info_t) = {
    ASN1_EXP(cmp_popo_auth_info_t, value.sender, GENERAL_NAME, 0),
    ASN1_SIMPLE(cmp_popo_auth_info_t, value.public_key_mac,
                cmp_pk_mac_value_t)
} ASN1_CHOICE_END(cmp_popo_auth_info_t)


ASN1_SEQUENCE(cmp_popo_signing_key_input_t) = {
    ASN1_SIMPLE(cmp_popo_signing_key_input_t, auth_info,
                cmp_popo_auth_info_t),
    ASN1_SIMPLE(cmp_popo_signing_key_input_t, public_key,
                cmp_public_key_t)
} ASN1_SEQUENCE_END(cmp_popo_signing_key_input_t)


ASN1_SEQUENCE(cmp_popo_signing_key_t) = {
    ASN1_IMP_OPT(cmp_popo_signing_key_t, poposk_input,
                 cmp_popo_signing_key_input_t, 0),
    ASN1_SIMPLE(cmp_popo_signing_key_t, algorithm_identifier, X509_ALGOR),
    ASN1_SIMPLE(cmp_popo_signing_key_t, signature, ASN1_BIT_STRING)
} ASN1_SEQUENCE_END(cmp_popo_signing_key_t)


ASN1_CHOICE(cmp_popo_priv_key_t) = {
    ASN1_IMP(cmp_popo_priv_key_t, value.this_message, ASN1_BIT_STRING, 0),
    ASN1_IMP(cmp_popo_priv_key_t, value.subsequent_message, ASN1_INTEGER, 1),
    ASN1_IMP(cmp_popo_priv_key_t, value.dh_mac, ASN1_BIT_STRING, 2),
    ASN1_IMP(cmp_popo_priv_key_t, value.agree_mac, cmp_pk_mac_value_t, 3),
    ASN1_IMP(cmp_popo_priv_key_t, value.encrypted_key, ASN1_SEQUENCE, 4)
} ASN1_CHOICE_END(cmp_popo_priv_key_t)


ASN1_CHOICE(cmp_popo_t) = {
    ASN1_IMP(cmp_popo_t, value.ra_verified, ASN1_NULL, 0),
    ASN1_IMP(cmp_popo_t, value.signature, cmp_popo_signing_key_t, 1),
    ASN1_EXP(cmp_popo_t, value.key_encipherment, cmp_popo_priv_key_t, 2),
    ASN1_EXP(cmp_popo_t, value.key_agreement, cmp_popo_priv_key_t, 3)
} ASN1_CHOICE_END(cmp_popo_t)


ASN1_SEQUENCE(cmp_cert_req_msg_t) = {
    ASN1_SIMPLE(cmp_cert_req_msg_t, cert_req, cmp_cert_request_t),
    ASN1_OPT(cmp_cert_req_msg_t, popo, cmp_popo_t),
    ASN1_SEQUENCE_OF_OPT(cmp_cert_req_msg_t, reg_info,
                         cmp_attribute_type_and_value_t)
} ASN1_SEQUENCE_END(cmp_cert_req_msg_t)


ASN1_ITEM_TEMPLATE(cmp_cert_req_messages_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, messages,
                          cmp_cert_req_msg_t)
ASN1_ITEM_TEMPLATE_END(cmp_cert_req_messages_t)


ASN1_SEQUENCE(cmp_single_pub_info_t) = {
    ASN1_SIMPLE(cmp_single_pub_info_t, pub_method, ASN1_INTEGER),
    ASN1_OPT(cmp_single_pub_info_t, pub_location, GENERAL_NAME)
} ASN1_SEQUENCE_END(cmp_single_pub_info_t)


ASN1_SEQUENCE(cmp_pki_publication_info_t) = {
    ASN1_SIMPLE(cmp_pki_publication_info_t, action, ASN1_INTEGER),
    ASN1_SEQUENCE_OF_OPT(cmp_pki_publication_info_t, pub_infos,
                         cmp_single_pub_info_t)
} ASN1_SEQUENCE_END(cmp_pki_publication_info_t)


ASN1_SEQUENCE(cmp_encrypted_value_t) = {
    ASN1_IMP_OPT(cmp_encrypted_value_t, intended_alg, X509_ALGOR, 0),
    ASN1_IMP_OPT(cmp_encrypted_value_t, symm_alg, X509_ALGOR, 1),
    ASN1_IMP_OPT(cmp_encrypted_value_t, enc_symm_key, ASN1_BIT_STRING, 2),
    ASN1_IMP_OPT(cmp_encrypted_value_t, key_alg, X509_ALGOR, 3),
    ASN1_IMP_OPT(cmp_encrypted_value_t, value_hint, ASN1_OCTET_STRING, 4),
    ASN1_SIMPLE(cmp_encrypted_value_t, enc_value, ASN1_BIT_STRING)
} ASN1_SEQUENCE_END(cmp_encrypted_value_t)


ASN1_CHOICE(cmp_encrypted_key_t) = {
    ASN1_SIMPLE(cmp_encrypted_key_t, value.encrypted_value,
                cmp_encrypted_value_t),
    ASN1_IMP(cmp_encrypted_key_t, value.enveloped_data, ASN1_SEQUENCE, 0)
} ASN1_CHOICE_END(cmp_encrypted_key_t)


ASN1_CHOICE(cmp_pki_archive_options_t) = {
    ASN1_EXP(cmp_pki_archive_options_t, value.encrypted_priv_key,
             cmp_encrypted_key_t, 0),
    ASN1_IMP(cmp_pki_archive_options_t, value.key_gen_parameters,
             ASN1_OCTET_STRING, 1),
    ASN1_IMP(cmp_pki_archive_options_t, value.archive_rem_gen_priv_key,
             ASN1_BOOLEAN, 2)
} ASN1_CHOICE_END(cmp_pki_archive_options_t)


ASN1_SEQUENCE(cmp_cert_id_t) = {
    ASN1_SIMPLE(cmp_cert_id_t, issuer, GENERAL_NAME),
    ASN1_SIMPLE(cmp_cert_id_t, serial_number, ASN1_INTEGER)
} ASN1_SEQUENCE_END(cmp_cert_id_t)


ASN1_CHOICE(cmp_key_identifier_t) = {
    ASN1_SIMPLE(cmp_key_identifier_t, value.string, ASN1_UTF8STRING),
    ASN1_SIMPLE(cmp_key_identifier_t, value.general_name, GENERAL_NAME)
} ASN1_CHOICE_END(cmp_key_identifier_t)


ASN1_SEQUENCE(cmp_enc_key_with_id_t) = {
    ASN1_SIMPLE(cmp_enc_key_with_id_t, private_key, PKCS8_PRIV_KEY_INFO),
    ASN1_OPT(cmp_enc_key_with_id_t, identifier, cmp_key_identifier_t)
} ASN1_SEQUENCE_END(cmp_enc_key_with_id_t)
