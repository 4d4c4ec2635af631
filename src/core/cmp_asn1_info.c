
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * PKIXCMP-2023 (RFC 9810), DEFINITIONS EXPLICIT TAGS: what is carried in an
 * ANY.  The ASN.1 text is in cmp_asn1_info.h.
 */


#include <openssl/asn1t.h>

#include <cmp_asn1.h>


ASN1_SEQUENCE(cmp_oob_cert_hash_t) = {
    ASN1_EXP_OPT(cmp_oob_cert_hash_t, hash_alg, X509_ALGOR, 0),
    ASN1_EXP_OPT(cmp_oob_cert_hash_t, cert_id, cmp_cert_id_t, 1),
    ASN1_SIMPLE(cmp_oob_cert_hash_t, hash_val, ASN1_BIT_STRING)
} ASN1_SEQUENCE_END(cmp_oob_cert_hash_t)


ASN1_SEQUENCE(cmp_dhbm_parameter_t) = {
    ASN1_SIMPLE(cmp_dhbm_parameter_t, owf, X509_ALGOR),
    ASN1_SIMPLE(cmp_dhbm_parameter_t, mac, X509_ALGOR)
} ASN1_SEQUENCE_END(cmp_dhbm_parameter_t)


ASN1_SEQUENCE(cmp_kem_bm_parameter_t) = {
    ASN1_SIMPLE(cmp_kem_bm_parameter_t, kdf, X509_ALGOR),
    ASN1_EXP_OPT(cmp_kem_bm_parameter_t, kem_context, ASN1_OCTET_STRING, 0),
    ASN1_SIMPLE(cmp_kem_bm_parameter_t, len, ASN1_INTEGER),
    ASN1_SIMPLE(cmp_kem_bm_parameter_t, mac, X509_ALGOR)
} ASN1_SEQUENCE_END(cmp_kem_bm_parameter_t)


ASN1_SEQUENCE(cmp_pbmac1_params_t) = {
    ASN1_SIMPLE(cmp_pbmac1_params_t, key_derivation_func, X509_ALGOR),
    ASN1_SIMPLE(cmp_pbmac1_params_t, message_auth_scheme, X509_ALGOR)
} ASN1_SEQUENCE_END(cmp_pbmac1_params_t)


ASN1_SEQUENCE(cmp_cert_req_template_content_t) = {
    ASN1_SIMPLE(cmp_cert_req_template_content_t, cert_template,
                cmp_cert_template_t),
    ASN1_SEQUENCE_OF_OPT(cmp_cert_req_template_content_t, key_spec,
                         cmp_attribute_type_and_value_t)
} ASN1_SEQUENCE_END(cmp_cert_req_template_content_t)


ASN1_CHOICE(cmp_crl_source_t) = {
    ASN1_EXP(cmp_crl_source_t, value.dpn, DIST_POINT_NAME, 0),
    ASN1_EXP(cmp_crl_source_t, value.issuer, GENERAL_NAMES, 1)
} ASN1_CHOICE_END(cmp_crl_source_t)


ASN1_SEQUENCE(cmp_crl_status_t) = {
    ASN1_SIMPLE(cmp_crl_status_t, source, cmp_crl_source_t),
    ASN1_OPT(cmp_crl_status_t, this_update, ASN1_TIME)
} ASN1_SEQUENCE_END(cmp_crl_status_t)


ASN1_ITEM_TEMPLATE(cmp_crl_status_list_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, list, cmp_crl_status_t)
ASN1_ITEM_TEMPLATE_END(cmp_crl_status_list_t)


ASN1_SEQUENCE(cmp_kem_ciphertext_info_t) = {
    ASN1_SIMPLE(cmp_kem_ciphertext_info_t, kem, X509_ALGOR),
    ASN1_SIMPLE(cmp_kem_ciphertext_info_t, ct, ASN1_OCTET_STRING)
} ASN1_SEQUENCE_END(cmp_kem_ciphertext_info_t)


ASN1_SEQUENCE(cmp_kem_other_info_t) = {
    ASN1_SEQUENCE_OF(cmp_kem_other_info_t, static_string, ASN1_UTF8STRING),
    ASN1_SIMPLE(cmp_kem_other_info_t, transaction_id, ASN1_OCTET_STRING),
    ASN1_EXP_OPT(cmp_kem_other_info_t, kem_context, ASN1_OCTET_STRING, 0)
} ASN1_SEQUENCE_END(cmp_kem_other_info_t)


ASN1_ITEM_TEMPLATE(cmp_algorithms_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, algorithms, X509_ALGOR)
ASN1_ITEM_TEMPLATE_END(cmp_algorithms_t)


ASN1_ITEM_TEMPLATE(cmp_unsupported_oids_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, oids, ASN1_OBJECT)
ASN1_ITEM_TEMPLATE_END(cmp_unsupported_oids_t)
