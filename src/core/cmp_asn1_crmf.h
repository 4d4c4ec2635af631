
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#ifndef _CMP_ASN1_CRMF_H_INCLUDED_
#define _CMP_ASN1_CRMF_H_INCLUDED_


#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>


/*
 * The module PKIXCRMF-2005 of RFC 4211, DEFINITIONS IMPLICIT TAGS.
 * Rules common to all types are in cmp_asn1.h, which includes this file.
 *
 * An OPTIONAL field that is absent is NULL.  An empty Name, SEQUENCE OF or
 * Extensions that is present is not NULL and has no elements.
 *
 * EnvelopedData is kept as received, in an ASN1_STRING that holds the whole
 * encoding, identifier and length octets included.  Where the module tags it
 * IMPLICIT [n], the first octet is CMP_ASN1_CONTEXT(n): cmp_asn1_retag()
 * turns that into a SEQUENCE and back.
 */


/*
 * AttributeTypeAndValue ::= SEQUENCE {
 *     type         OBJECT IDENTIFIER,
 *     value        ANY DEFINED BY type }
 *
 * Controls  ::= SEQUENCE SIZE(1..MAX) OF AttributeTypeAndValue
 */

typedef struct {
    ASN1_OBJECT                      *type;
    ASN1_TYPE                        *value;
} cmp_attribute_type_and_value_t;

DEFINE_STACK_OF(cmp_attribute_type_and_value_t)
DECLARE_ASN1_ITEM(cmp_attribute_type_and_value_t)

typedef STACK_OF(cmp_attribute_type_and_value_t)  cmp_controls_t;

DECLARE_ASN1_ITEM(cmp_controls_t)


/*
 * OptionalValidity ::= SEQUENCE {
 *     notBefore  [0] Time OPTIONAL,
 *     notAfter   [1] Time OPTIONAL } -- at least one MUST be present
 */

typedef struct {
    ASN1_TIME                        *not_before;
    ASN1_TIME                        *not_after;
} cmp_optional_validity_t;

DECLARE_ASN1_ITEM(cmp_optional_validity_t)


/*
 * SubjectPublicKeyInfo ::= SEQUENCE {
 *     algorithm         AlgorithmIdentifier,
 *     subjectPublicKey  BIT STRING }
 */

typedef struct {
    X509_ALGOR                       *algorithm;
    ASN1_BIT_STRING                  *subject_public_key;
    EVP_PKEY                         *pkey;    /* cmp_public_key_get() */
} cmp_public_key_t;

DECLARE_ASN1_ITEM(cmp_public_key_t)


/*
 * Certificate ::= SEQUENCE {
 *     tbsCertificate      TBSCertificate,
 *     signatureAlgorithm  AlgorithmIdentifier,
 *     signature           BIT STRING }
 *
 * With what was signed left as it is, for those who need none of it: X509 of
 * libcrypto decodes the key too.
 */

typedef struct {
    ASN1_STRING                      *tbs_certificate;
    X509_ALGOR                       *signature_algorithm;
    ASN1_BIT_STRING                  *signature;
} cmp_certificate_frame_t;

DECLARE_ASN1_ITEM(cmp_certificate_frame_t)


/*
 * CertTemplate ::= SEQUENCE {
 *     version      [0] Version               OPTIONAL,
 *     serialNumber [1] INTEGER               OPTIONAL,
 *     signingAlg   [2] AlgorithmIdentifier   OPTIONAL,
 *     issuer       [3] Name                  OPTIONAL,
 *     validity     [4] OptionalValidity      OPTIONAL,
 *     subject      [5] Name                  OPTIONAL,
 *     publicKey    [6] SubjectPublicKeyInfo  OPTIONAL,
 *     issuerUID    [7] UniqueIdentifier      OPTIONAL,
 *     subjectUID   [8] UniqueIdentifier      OPTIONAL,
 *     extensions   [9] Extensions            OPTIONAL }
 */

typedef struct {
    ASN1_INTEGER                     *version;
    ASN1_INTEGER                     *serial_number;
    X509_ALGOR                       *signing_alg;
    X509_NAME                        *issuer;
    cmp_optional_validity_t          *validity;
    X509_NAME                        *subject;
    cmp_public_key_t                 *public_key;
    ASN1_BIT_STRING                  *issuer_uid;
    ASN1_BIT_STRING                  *subject_uid;
    STACK_OF(X509_EXTENSION)         *extensions;
} cmp_cert_template_t;

DECLARE_ASN1_ITEM(cmp_cert_template_t)


/*
 * CertRequest ::= SEQUENCE {
 *     certReqId     INTEGER,
 *     certTemplate  CertTemplate,
 *     controls      Controls OPTIONAL }
 */

typedef struct {
    ASN1_INTEGER                     *cert_req_id;
    cmp_cert_template_t              *cert_template;
    cmp_controls_t                   *controls;
} cmp_cert_request_t;

DECLARE_ASN1_ITEM(cmp_cert_request_t)


/*
 * PKMACValue ::= SEQUENCE {
 *     algId  AlgorithmIdentifier,
 *     -- algorithm value shall be PasswordBasedMac {1 2 840 113533 7 66 13}
 *     -- parameter value is PBMParameter
 *     value  BIT STRING }
 */

typedef struct {
    X509_ALGOR                       *alg_id;
    ASN1_BIT_STRING                  *value;
} cmp_pk_mac_value_t;

DECLARE_ASN1_ITEM(cmp_pk_mac_value_t)


/*
 * PBMParameter ::= SEQUENCE {
 *     salt                OCTET STRING,
 *     owf                 AlgorithmIdentifier,
 *     iterationCount      INTEGER,
 *     mac                 AlgorithmIdentifier }
 */

typedef struct {
    ASN1_OCTET_STRING                *salt;
    X509_ALGOR                       *owf;
    ASN1_INTEGER                     *iteration_count;
    X509_ALGOR                       *mac;
} cmp_pbm_parameter_t;

DECLARE_ASN1_ITEM(cmp_pbm_parameter_t)


/*
 * authInfo            CHOICE {
 *     sender              [0] GeneralName,
 *     publicKeyMAC        PKMACValue }
 */

#define CMP_AUTH_INFO_SENDER                    0
#define CMP_AUTH_INFO_PUBLIC_KEY_MAC            1

typedef struct {
    int                               type;
    union {
        GENERAL_NAME                 *sender;
        cmp_pk_mac_value_t           *public_key_mac;
    } value;
} cmp_popo_auth_info_t;

DECLARE_ASN1_ITEM(cmp_popo_auth_info_t)


/*
 * POPOSigningKeyInput ::= SEQUENCE {
 *     authInfo            CHOICE { ... },
 *     publicKey           SubjectPublicKeyInfo }  -- from CertTemplate
 */

typedef struct {
    cmp_popo_auth_info_t             *auth_info;
    cmp_public_key_t                 *public_key;
} cmp_popo_signing_key_input_t;

DECLARE_ASN1_ITEM(cmp_popo_signing_key_input_t)


/*
 * POPOSigningKey ::= SEQUENCE {
 *     poposkInput           [0] POPOSigningKeyInput OPTIONAL,
 *     algorithmIdentifier   AlgorithmIdentifier,
 *     signature             BIT STRING }
 *
 * The signature is over the DER encoding of poposkInput with the SEQUENCE
 * tag, that is over cmp_asn1_encode(cmp_popo_signing_key_input_t, ...), or,
 * when poposkInput is absent, over that of CertReqMsg certReq.
 */

typedef struct {
    cmp_popo_signing_key_input_t     *poposk_input;
    X509_ALGOR                       *algorithm_identifier;
    ASN1_BIT_STRING                  *signature;
} cmp_popo_signing_key_t;

DECLARE_ASN1_ITEM(cmp_popo_signing_key_t)


/*
 * POPOPrivKey ::= CHOICE {
 *     thisMessage       [0] BIT STRING,         -- Deprecated
 *     subsequentMessage [1] SubsequentMessage,
 *     dhMAC             [2] BIT STRING,         -- Deprecated
 *     agreeMAC          [3] PKMACValue,
 *     encryptedKey      [4] EnvelopedData }
 *
 * SubsequentMessage ::= INTEGER {
 *     encrCert (0),
 *     challengeResp (1) }
 */

#define CMP_POPO_PRIV_KEY_THIS_MESSAGE          0
#define CMP_POPO_PRIV_KEY_SUBSEQUENT_MESSAGE    1
#define CMP_POPO_PRIV_KEY_DH_MAC                2
#define CMP_POPO_PRIV_KEY_AGREE_MAC             3
#define CMP_POPO_PRIV_KEY_ENCRYPTED_KEY         4

#define CMP_SUBSEQUENT_ENCR_CERT                0
#define CMP_SUBSEQUENT_CHALLENGE_RESP           1

typedef struct {
    int                               type;
    union {
        ASN1_BIT_STRING              *this_message;
        ASN1_INTEGER                 *subsequent_message;
        ASN1_BIT_STRING              *dh_mac;
        cmp_pk_mac_value_t           *agree_mac;
        /* EnvelopedData, first octet CMP_ASN1_CONTEXT(4) */
        ASN1_STRING                  *encrypted_key;
    } value;
} cmp_popo_priv_key_t;

DECLARE_ASN1_ITEM(cmp_popo_priv_key_t)


/*
 * ProofOfPossession ::= CHOICE {
 *     raVerified        [0] NULL,
 *     signature         [1] POPOSigningKey,
 *     keyEncipherment   [2] POPOPrivKey,
 *     keyAgreement      [3] POPOPrivKey }
 */

#define CMP_POPO_RA_VERIFIED                    0
#define CMP_POPO_SIGNATURE                      1
#define CMP_POPO_KEY_ENCIPHERMENT               2
#define CMP_POPO_KEY_AGREEMENT                  3

typedef struct {
    int                               type;
    union {
        /* not a pointer to anything: ASN1_NULL_new() when present */
        ASN1_NULL                    *ra_verified;
        cmp_popo_signing_key_t       *signature;
        cmp_popo_priv_key_t          *key_encipherment;
        cmp_popo_priv_key_t          *key_agreement;
    } value;
} cmp_popo_t;

DECLARE_ASN1_ITEM(cmp_popo_t)


/*
 * CertReqMsg ::= SEQUENCE {
 *     certReq    CertRequest,
 *     popo       ProofOfPossession  OPTIONAL,
 *     regInfo    SEQUENCE SIZE(1..MAX) OF AttributeTypeAndValue OPTIONAL }
 *
 * CertReqMessages ::= SEQUENCE SIZE (1..MAX) OF CertReqMsg
 */

typedef struct {
    cmp_cert_request_t                        *cert_req;
    cmp_popo_t                                *popo;
    STACK_OF(cmp_attribute_type_and_value_t)  *reg_info;
} cmp_cert_req_msg_t;

DEFINE_STACK_OF(cmp_cert_req_msg_t)
DECLARE_ASN1_ITEM(cmp_cert_req_msg_t)

typedef STACK_OF(cmp_cert_req_msg_t)  cmp_cert_req_messages_t;

DECLARE_ASN1_ITEM(cmp_cert_req_messages_t)


/*
 * SinglePubInfo ::= SEQUENCE {
 *     pubMethod    INTEGER {
 *         dontCare    (0),
 *         x500        (1),
 *         web         (2),
 *         ldap        (3) },
 *     pubLocation  GeneralName OPTIONAL }
 */

#define CMP_PUB_METHOD_DONT_CARE                0
#define CMP_PUB_METHOD_X500                     1
#define CMP_PUB_METHOD_WEB                      2
#define CMP_PUB_METHOD_LDAP                     3

typedef struct {
    ASN1_INTEGER                     *pub_method;
    GENERAL_NAME                     *pub_location;
} cmp_single_pub_info_t;

DEFINE_STACK_OF(cmp_single_pub_info_t)
DECLARE_ASN1_ITEM(cmp_single_pub_info_t)


/*
 * PKIPublicationInfo ::= SEQUENCE {
 *     action     INTEGER {
 *                    dontPublish (0),
 *                    pleasePublish (1) },
 *     pubInfos  SEQUENCE SIZE (1..MAX) OF SinglePubInfo OPTIONAL }
 *     -- pubInfos MUST NOT be present if action is "dontPublish"
 */

#define CMP_PUBLICATION_DONT_PUBLISH            0
#define CMP_PUBLICATION_PLEASE_PUBLISH          1

typedef struct {
    ASN1_INTEGER                     *action;
    STACK_OF(cmp_single_pub_info_t)  *pub_infos;
} cmp_pki_publication_info_t;

DECLARE_ASN1_ITEM(cmp_pki_publication_info_t)


/*
 * EncryptedValue ::= SEQUENCE {
 *     intendedAlg   [0] AlgorithmIdentifier  OPTIONAL,
 *     symmAlg       [1] AlgorithmIdentifier  OPTIONAL,
 *     encSymmKey    [2] BIT STRING           OPTIONAL,
 *     keyAlg        [3] AlgorithmIdentifier  OPTIONAL,
 *     valueHint     [4] OCTET STRING         OPTIONAL,
 *     encValue       BIT STRING }
 */

typedef struct {
    X509_ALGOR                       *intended_alg;
    X509_ALGOR                       *symm_alg;
    ASN1_BIT_STRING                  *enc_symm_key;
    X509_ALGOR                       *key_alg;
    ASN1_OCTET_STRING                *value_hint;
    ASN1_BIT_STRING                  *enc_value;
} cmp_encrypted_value_t;

DECLARE_ASN1_ITEM(cmp_encrypted_value_t)


/*
 * EncryptedKey ::= CHOICE {
 *     encryptedValue        EncryptedValue,   -- Deprecated
 *     envelopedData     [0] EnvelopedData }
 */

#define CMP_ENCRYPTED_KEY_ENCRYPTED_VALUE       0
#define CMP_ENCRYPTED_KEY_ENVELOPED_DATA        1

typedef struct {
    int                               type;
    union {
        cmp_encrypted_value_t        *encrypted_value;
        /* EnvelopedData, first octet CMP_ASN1_CONTEXT(0) */
        ASN1_STRING                  *enveloped_data;
    } value;
} cmp_encrypted_key_t;

DECLARE_ASN1_ITEM(cmp_encrypted_key_t)


/*
 * PKIArchiveOptions ::= CHOICE {
 *     encryptedPrivKey     [0] EncryptedKey,
 *     keyGenParameters     [1] KeyGenParameters,
 *     archiveRemGenPrivKey [2] BOOLEAN }
 *
 * KeyGenParameters ::= OCTET STRING
 */

#define CMP_ARCHIVE_ENCRYPTED_PRIV_KEY          0
#define CMP_ARCHIVE_KEY_GEN_PARAMETERS          1
#define CMP_ARCHIVE_REM_GEN_PRIV_KEY            2

typedef struct {
    int                               type;
    union {
        cmp_encrypted_key_t          *encrypted_priv_key;
        ASN1_OCTET_STRING            *key_gen_parameters;
        ASN1_BOOLEAN                  archive_rem_gen_priv_key;
    } value;
} cmp_pki_archive_options_t;

DECLARE_ASN1_ITEM(cmp_pki_archive_options_t)


/*
 * CertId ::= SEQUENCE {
 *     issuer           GeneralName,
 *     serialNumber     INTEGER }
 */

typedef struct {
    GENERAL_NAME                     *issuer;
    ASN1_INTEGER                     *serial_number;
} cmp_cert_id_t;

DEFINE_STACK_OF(cmp_cert_id_t)
DECLARE_ASN1_ITEM(cmp_cert_id_t)


/*
 * identifier CHOICE {
 *     string             UTF8String,
 *     generalName        GeneralName }
 */

#define CMP_KEY_IDENTIFIER_STRING               0
#define CMP_KEY_IDENTIFIER_GENERAL_NAME         1

typedef struct {
    int                               type;
    union {
        ASN1_UTF8STRING              *string;
        GENERAL_NAME                 *general_name;
    } value;
} cmp_key_identifier_t;

DECLARE_ASN1_ITEM(cmp_key_identifier_t)


/*
 * EncKeyWithID ::= SEQUENCE {
 *     privateKey           PrivateKeyInfo,
 *     identifier CHOICE { ... } OPTIONAL }
 */

typedef struct {
    PKCS8_PRIV_KEY_INFO              *private_key;
    cmp_key_identifier_t             *identifier;
} cmp_enc_key_with_id_t;

DECLARE_ASN1_ITEM(cmp_enc_key_with_id_t)


#endif /* _CMP_ASN1_CRMF_H_INCLUDED_ */
