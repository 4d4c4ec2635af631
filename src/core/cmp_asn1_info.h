
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#ifndef _CMP_ASN1_INFO_H_INCLUDED_
#define _CMP_ASN1_INFO_H_INCLUDED_


#include <cmp_asn1.h>


/*
 * PKIXCMP-2023, the rest, included by cmp_asn1.h: what is in no message by
 * itself but in an ANY, that is the parameters of the protection algorithms
 * and the values of InfoTypeAndValue and of controls.  PBMParameter is in
 * cmp_asn1_crmf.h.
 */


/*
 * OOBCertHash ::= SEQUENCE {
 *     hashAlg     [0] AlgorithmIdentifier{DIGEST-ALGORITHM, {...}}
 *                         OPTIONAL,
 *     certId      [1] CertId                  OPTIONAL,
 *     hashVal         BIT STRING }
 */

typedef struct {
    X509_ALGOR                         *hash_alg;
    cmp_cert_id_t                      *cert_id;
    ASN1_BIT_STRING                    *hash_val;
} cmp_oob_cert_hash_t;

DECLARE_ASN1_ITEM(cmp_oob_cert_hash_t)


/*
 * DHBMParameter ::= SEQUENCE {
 *     owf                 AlgorithmIdentifier{DIGEST-ALGORITHM, {...}},
 *     mac                 AlgorithmIdentifier{MAC-ALGORITHM, {...}} }
 */

typedef struct {
    X509_ALGOR                         *owf;
    X509_ALGOR                         *mac;
} cmp_dhbm_parameter_t;

DECLARE_ASN1_ITEM(cmp_dhbm_parameter_t)


/*
 * KemBMParameter ::= SEQUENCE {
 *     kdf              AlgorithmIdentifier{KEY-DERIVATION, {...}},
 *     kemContext   [0] OCTET STRING OPTIONAL,
 *     len              INTEGER (1..MAX),
 *     mac              AlgorithmIdentifier{MAC-ALGORITHM, {...}} }
 */

typedef struct {
    X509_ALGOR                         *kdf;
    ASN1_OCTET_STRING                  *kem_context;
    ASN1_INTEGER                       *len;
    X509_ALGOR                         *mac;
} cmp_kem_bm_parameter_t;

DECLARE_ASN1_ITEM(cmp_kem_bm_parameter_t)


/*
 * PBMAC1-params ::=  SEQUENCE {                         -- RFC 8018, A.5
 *     keyDerivationFunc AlgorithmIdentifier {{PBMAC1-KDFs}},
 *     messageAuthScheme AlgorithmIdentifier {{PBMAC1-MACs}} }
 */

typedef struct {
    X509_ALGOR                         *key_derivation_func;
    X509_ALGOR                         *message_auth_scheme;
} cmp_pbmac1_params_t;

DECLARE_ASN1_ITEM(cmp_pbmac1_params_t)


/*
 * CertReqTemplateContent ::= SEQUENCE {
 *     certTemplate           CertTemplate,
 *     keySpec                Controls OPTIONAL }
 */

typedef struct {
    cmp_cert_template_t                *cert_template;
    cmp_controls_t                     *key_spec;
} cmp_cert_req_template_content_t;

DECLARE_ASN1_ITEM(cmp_cert_req_template_content_t)


/*
 * CRLSource ::= CHOICE {
 *     dpn          [0] DistributionPointName,
 *     issuer       [1] GeneralNames }
 */

#define CMP_CRL_SOURCE_DPN                      0
#define CMP_CRL_SOURCE_ISSUER                   1

typedef struct {
    int                                 type;
    union {
        DIST_POINT_NAME                *dpn;
        GENERAL_NAMES                  *issuer;
    } value;
} cmp_crl_source_t;

DECLARE_ASN1_ITEM(cmp_crl_source_t)


/*
 * CRLStatus ::= SEQUENCE {
 *     source       CRLSource,
 *     thisUpdate   Time OPTIONAL }
 *
 * CRLStatusListValue ::= SEQUENCE SIZE (1..MAX) OF CRLStatus
 */

typedef struct {
    cmp_crl_source_t                   *source;
    ASN1_TIME                          *this_update;
} cmp_crl_status_t;

DEFINE_STACK_OF(cmp_crl_status_t)
DECLARE_ASN1_ITEM(cmp_crl_status_t)

typedef STACK_OF(cmp_crl_status_t)  cmp_crl_status_list_t;

DECLARE_ASN1_ITEM(cmp_crl_status_list_t)


/*
 * KemCiphertextInfo ::= SEQUENCE {
 *     kem              AlgorithmIdentifier{KEM-ALGORITHM, {...}},
 *     ct               OCTET STRING }
 */

typedef struct {
    X509_ALGOR                         *kem;
    ASN1_OCTET_STRING                  *ct;
} cmp_kem_ciphertext_info_t;

DECLARE_ASN1_ITEM(cmp_kem_ciphertext_info_t)


/*
 * KemOtherInfo ::= SEQUENCE {
 *     staticString     PKIFreeText,
 *     transactionID    OCTET STRING,
 *     kemContext   [0] OCTET STRING OPTIONAL }
 */

typedef struct {
    STACK_OF(ASN1_UTF8STRING)          *static_string;
    ASN1_OCTET_STRING                  *transaction_id;
    ASN1_OCTET_STRING                  *kem_context;
} cmp_kem_other_info_t;

DECLARE_ASN1_ITEM(cmp_kem_other_info_t)


/*
 * SignKeyPairTypesValue ::= SEQUENCE SIZE (1..MAX) OF
 *                               AlgorithmIdentifier{{...}}
 *
 * Also EncKeyPairTypesValue.
 */

typedef STACK_OF(X509_ALGOR)  cmp_algorithms_t;

DECLARE_ASN1_ITEM(cmp_algorithms_t)


/*
 * UnsupportedOIDsValue ::= SEQUENCE SIZE (1..MAX) OF OBJECT IDENTIFIER
 */

typedef STACK_OF(ASN1_OBJECT)  cmp_unsupported_oids_t;

DECLARE_ASN1_ITEM(cmp_unsupported_oids_t)


#endif /* _CMP_ASN1_INFO_H_INCLUDED_ */
