
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#ifndef _CMP_ASN1_H_INCLUDED_
#define _CMP_ASN1_H_INCLUDED_


#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cmp_asn1_crmf.h>


/*
 * The module PKIXCMP-2023 of RFC 9810, DEFINITIONS EXPLICIT TAGS.
 *
 * A SEQUENCE is a struct of pointers, an OPTIONAL field that is absent is
 * NULL.  A CHOICE has the number of the alternative in "type" (-1: not set).
 * A SEQUENCE OF is a STACK_OF(); the named ones have an item of their own, so
 * that they can be decoded and freed alone.  A structure owns all below it.
 *
 * The templates check tags and lengths and nothing else: SIZE bounds, value
 * ranges, counts and the total size are the business of the caller.  BER is
 * accepted; decoding never goes deeper than the types in these files, except
 * into the types of libcrypto, which have a limit of their own.
 */


/* a new structure of the type, its mandatory fields made, or NULL */

#define cmp_asn1_new(type)                                                    \
    ((type *) cmp_asn1_new_item(ASN1_ITEM_rptr(type)))

/* frees the structure with all that it owns; NULL is allowed */

#define cmp_asn1_free(type, p)                                                \
    ASN1_item_free((ASN1_VALUE *) (1 ? (p) : (type *) NULL),                  \
                   ASN1_ITEM_rptr(type))

/* a new structure of the type from "len" octets, to be freed, or NULL */

#define cmp_asn1_decode(type, data, len)                                      \
    ((type *) cmp_asn1_decode_item(ASN1_ITEM_rptr(type), data, len))

/* DER of the structure in *out, to be freed by OPENSSL_free(): length or -1 */

#define cmp_asn1_encode(type, p, out)                                         \
    cmp_asn1_encode_item(ASN1_ITEM_rptr(type),                                \
                         (1 ? (p) : (const type *) NULL), out)

/* a deep copy, to be freed, or NULL */

#define cmp_asn1_dup(type, p)                                                 \
    ((type *) cmp_asn1_dup_item(ASN1_ITEM_rptr(type),                         \
                                (1 ? (p) : (const type *) NULL)))


/* the identifier octet of a constructed element with the tag [n], n < 31 */

#define CMP_ASN1_CONTEXT(n)   (V_ASN1_CONTEXT_SPECIFIC                        \
                               | V_ASN1_CONSTRUCTED | (n))

/* the identifier octet of a SEQUENCE */

#define CMP_ASN1_SEQUENCE     (V_ASN1_CONSTRUCTED | V_ASN1_SEQUENCE)


/*
 * The functions behind the macros.  They leave the error queue of OpenSSL as
 * they found it, whether they succeed or fail.
 */

void *cmp_asn1_new_item(const ASN1_ITEM *it);

/*
 * Decodes exactly "len" octets; trailing ones are an error.
 * Returns NULL if the data is no such type, or without memory.
 */
void *cmp_asn1_decode_item(const ASN1_ITEM *it, const unsigned char *data,
    size_t len);

/*
 * Encodes into a new buffer, *out, to be freed by OPENSSL_free().
 * Returns its length, or -1 with *out == NULL if a mandatory field is not
 * set, or without memory.
 */
int cmp_asn1_encode_item(const ASN1_ITEM *it, const void *value,
    unsigned char **out);

void *cmp_asn1_dup_item(const ASN1_ITEM *it, const void *value);

/*
 * Replaces the identifier octet of an element kept whole in an ASN1_STRING
 * (EnvelopedData).  Returns 1, or 0 if the element is not constructed or has
 * an identifier of more than one octet.
 */
int cmp_asn1_retag(ASN1_STRING *element, unsigned char identifier);

/*
 * Sets a BIT STRING to whole octets (a signature, a MAC).  ASN1_STRING_set()
 * alone would drop trailing zero bits when encoded.  Returns 1, or 0 without
 * memory or if "len" is over INT_MAX.
 */
int cmp_asn1_set_octets(ASN1_BIT_STRING *bits, const unsigned char *data,
    size_t len);

/* 1 if a BIT STRING has no unused bits, so that it stands for octets, or 0 */
int cmp_asn1_is_octets(const ASN1_BIT_STRING *bits);


/*
 * CMPCertificate ::= Certificate
 *
 * SEQUENCE SIZE (1..MAX) OF CMPCertificate
 */

typedef STACK_OF(X509)  cmp_certificates_t;

DECLARE_ASN1_ITEM(cmp_certificates_t)


/*
 * PKIFreeText ::= SEQUENCE SIZE (1..MAX) OF UTF8String
 *
 * Also CertProfileValue and SuppLangTagsValue.
 */

typedef STACK_OF(ASN1_UTF8STRING)  cmp_pki_free_text_t;

DECLARE_ASN1_ITEM(cmp_pki_free_text_t)


/*
 * InfoTypeAndValue ::= SEQUENCE {
 *     infoType    INFO-TYPE-AND-VALUE.&id({SupportedInfoSet}),
 *     infoValue   INFO-TYPE-AND-VALUE.&Type({SupportedInfoSet}{@infoType}) }
 *
 * GenMsgContent ::= SEQUENCE OF InfoTypeAndValue
 *
 * GenRepContent ::= SEQUENCE OF InfoTypeAndValue
 *
 * The infoValue may be omitted (RFC 9810, 5.3.19).
 */

typedef struct {
    ASN1_OBJECT                        *info_type;
    ASN1_TYPE                          *info_value;
} cmp_info_type_and_value_t;

DEFINE_STACK_OF(cmp_info_type_and_value_t)
DECLARE_ASN1_ITEM(cmp_info_type_and_value_t)

typedef STACK_OF(cmp_info_type_and_value_t)  cmp_gen_msg_content_t;

DECLARE_ASN1_ITEM(cmp_gen_msg_content_t)


/*
 * PKIHeader ::= SEQUENCE {
 *     pvno                INTEGER     { cmp1999(1), cmp2000(2),
 *                                       cmp2021(3) },
 *     sender              GeneralName,
 *     recipient           GeneralName,
 *     messageTime     [0] GeneralizedTime         OPTIONAL,
 *     protectionAlg   [1] AlgorithmIdentifier{ALGORITHM, {...}}
 *                             OPTIONAL,
 *     senderKID       [2] KeyIdentifier           OPTIONAL,
 *     recipKID        [3] KeyIdentifier           OPTIONAL,
 *     transactionID   [4] OCTET STRING            OPTIONAL,
 *     senderNonce     [5] OCTET STRING            OPTIONAL,
 *     recipNonce      [6] OCTET STRING            OPTIONAL,
 *     freeText        [7] PKIFreeText             OPTIONAL,
 *     generalInfo     [8] SEQUENCE SIZE (1..MAX) OF
 *                         InfoTypeAndValue     OPTIONAL }
 */

#define CMP_PVNO_1999         1
#define CMP_PVNO_2000         2
#define CMP_PVNO_2021         3

typedef struct {
    ASN1_INTEGER                         *pvno;
    GENERAL_NAME                         *sender;
    GENERAL_NAME                         *recipient;
    ASN1_GENERALIZEDTIME                 *message_time;
    X509_ALGOR                           *protection_alg;
    ASN1_OCTET_STRING                    *sender_kid;
    ASN1_OCTET_STRING                    *recip_kid;
    ASN1_OCTET_STRING                    *transaction_id;
    ASN1_OCTET_STRING                    *sender_nonce;
    ASN1_OCTET_STRING                    *recip_nonce;
    STACK_OF(ASN1_UTF8STRING)            *free_text;
    STACK_OF(cmp_info_type_and_value_t)  *general_info;
} cmp_pki_header_t;

DECLARE_ASN1_ITEM(cmp_pki_header_t)


/*
 * PKIStatus ::= INTEGER {
 *     accepted               (0),
 *     grantedWithMods        (1),
 *     rejection              (2),
 *     waiting                (3),
 *     revocationWarning      (4),
 *     revocationNotification (5),
 *     keyUpdateWarning       (6) }
 */

typedef enum {
    CMP_STATUS_ACCEPTED = 0,
    CMP_STATUS_GRANTED_WITH_MODS,
    CMP_STATUS_REJECTION,
    CMP_STATUS_WAITING,
    CMP_STATUS_REVOCATION_WARNING,
    CMP_STATUS_REVOCATION_NOTIFICATION,
    CMP_STATUS_KEY_UPDATE_WARNING
} cmp_pki_status_e;


/*
 * PKIFailureInfo ::= BIT STRING { ... }
 *
 * The numbers of the bits, for ASN1_BIT_STRING_set_bit().
 */

typedef enum {
    CMP_FAIL_BAD_ALG = 0,
    CMP_FAIL_BAD_MESSAGE_CHECK,
    CMP_FAIL_BAD_REQUEST,
    CMP_FAIL_BAD_TIME,
    CMP_FAIL_BAD_CERT_ID,
    CMP_FAIL_BAD_DATA_FORMAT,
    CMP_FAIL_WRONG_AUTHORITY,
    CMP_FAIL_INCORRECT_DATA,
    CMP_FAIL_MISSING_TIME_STAMP,
    CMP_FAIL_BAD_POP,
    CMP_FAIL_CERT_REVOKED,
    CMP_FAIL_CERT_CONFIRMED,
    CMP_FAIL_WRONG_INTEGRITY,
    CMP_FAIL_BAD_RECIPIENT_NONCE,
    CMP_FAIL_TIME_NOT_AVAILABLE,
    CMP_FAIL_UNACCEPTED_POLICY,
    CMP_FAIL_UNACCEPTED_EXTENSION,
    CMP_FAIL_ADD_INFO_NOT_AVAILABLE,
    CMP_FAIL_BAD_SENDER_NONCE,
    CMP_FAIL_BAD_CERT_TEMPLATE,
    CMP_FAIL_SIGNER_NOT_TRUSTED,
    CMP_FAIL_TRANSACTION_ID_IN_USE,
    CMP_FAIL_UNSUPPORTED_VERSION,
    CMP_FAIL_NOT_AUTHORIZED,
    CMP_FAIL_SYSTEM_UNAVAIL,
    CMP_FAIL_SYSTEM_FAILURE,
    CMP_FAIL_DUPLICATE_CERT_REQ
} cmp_pki_failure_info_e;

#define CMP_FAIL_MAX          CMP_FAIL_DUPLICATE_CERT_REQ


/*
 * PKIStatusInfo ::= SEQUENCE {
 *     status        PKIStatus,
 *     statusString  PKIFreeText     OPTIONAL,
 *     failInfo      PKIFailureInfo  OPTIONAL }
 */

typedef struct {
    ASN1_INTEGER                       *status;
    STACK_OF(ASN1_UTF8STRING)          *status_string;
    ASN1_BIT_STRING                    *fail_info;
} cmp_pki_status_info_t;

DEFINE_STACK_OF(cmp_pki_status_info_t)
DECLARE_ASN1_ITEM(cmp_pki_status_info_t)


/*
 * Challenge ::= SEQUENCE {
 *     owf                 AlgorithmIdentifier{DIGEST-ALGORITHM, {...}}
 *                             OPTIONAL,
 *     witness             OCTET STRING,
 *     challenge           OCTET STRING,
 *     encryptedRand   [0] EnvelopedData OPTIONAL }
 *
 * POPODecKeyChallContent ::= SEQUENCE OF Challenge
 *
 * The tag of encryptedRand is explicit: it starts with CMP_ASN1_SEQUENCE.
 */

typedef struct {
    X509_ALGOR                         *owf;
    ASN1_OCTET_STRING                  *witness;
    ASN1_OCTET_STRING                  *challenge;
    ASN1_STRING                        *encrypted_rand;
} cmp_challenge_t;

DEFINE_STACK_OF(cmp_challenge_t)
DECLARE_ASN1_ITEM(cmp_challenge_t)

typedef STACK_OF(cmp_challenge_t)  cmp_popo_dec_key_chall_content_t;

DECLARE_ASN1_ITEM(cmp_popo_dec_key_chall_content_t)


/*
 * Rand ::= SEQUENCE {
 *     int                  INTEGER,
 *     sender               GeneralName }
 */

typedef struct {
    ASN1_INTEGER                       *integer;
    GENERAL_NAME                       *sender;
} cmp_rand_t;

DECLARE_ASN1_ITEM(cmp_rand_t)


/*
 * POPODecKeyRespContent ::= SEQUENCE OF INTEGER
 */

typedef STACK_OF(ASN1_INTEGER)  cmp_popo_dec_key_resp_content_t;

DECLARE_ASN1_ITEM(cmp_popo_dec_key_resp_content_t)


/*
 * CertOrEncCert ::= CHOICE {
 *     certificate     [0] CMPCertificate,
 *     encryptedCert   [1] EncryptedKey }
 */

#define CMP_CERT_OR_ENC_CERT_CERTIFICATE        0
#define CMP_CERT_OR_ENC_CERT_ENCRYPTED_CERT     1

#define CMP_CERT_OR_ENC_CERT_DER                2   /* only to be encoded */

typedef struct {
    int                                 type;
    union {
        X509                           *certificate;
        cmp_encrypted_key_t            *encrypted_cert;
        ASN1_TYPE                      *der;
    } value;
} cmp_cert_or_enc_cert_t;

DECLARE_ASN1_ITEM(cmp_cert_or_enc_cert_t)


/*
 * CertifiedKeyPair ::= SEQUENCE {
 *     certOrEncCert       CertOrEncCert,
 *     privateKey      [0] EncryptedKey      OPTIONAL,
 *     publicationInfo [1] PKIPublicationInfo  OPTIONAL }
 */

typedef struct {
    cmp_cert_or_enc_cert_t             *cert_or_enc_cert;
    cmp_encrypted_key_t                *private_key;
    cmp_pki_publication_info_t         *publication_info;
} cmp_certified_key_pair_t;

DEFINE_STACK_OF(cmp_certified_key_pair_t)
DECLARE_ASN1_ITEM(cmp_certified_key_pair_t)


/*
 * CertResponse ::= SEQUENCE {
 *     certReqId           INTEGER,
 *     status              PKIStatusInfo,
 *     certifiedKeyPair    CertifiedKeyPair    OPTIONAL,
 *     rspInfo             OCTET STRING        OPTIONAL }
 */

typedef struct {
    ASN1_INTEGER                       *cert_req_id;
    cmp_pki_status_info_t              *status;
    cmp_certified_key_pair_t           *certified_key_pair;
    ASN1_OCTET_STRING                  *rsp_info;
} cmp_cert_response_t;

DEFINE_STACK_OF(cmp_cert_response_t)
DECLARE_ASN1_ITEM(cmp_cert_response_t)


/*
 * CertRepMessage ::= SEQUENCE {
 *     caPubs       [1] SEQUENCE SIZE (1..MAX) OF CMPCertificate
 *                   OPTIONAL,
 *     response         SEQUENCE OF CertResponse }
 */

typedef struct {
    STACK_OF(X509)                     *ca_pubs;
    STACK_OF(cmp_cert_response_t)      *response;
} cmp_cert_rep_message_t;

DECLARE_ASN1_ITEM(cmp_cert_rep_message_t)


/*
 * KeyRecRepContent ::= SEQUENCE {
 *     status                  PKIStatusInfo,
 *     newSigCert          [0] CMPCertificate OPTIONAL,
 *     caCerts             [1] SEQUENCE SIZE (1..MAX) OF
 *                                      CMPCertificate OPTIONAL,
 *     keyPairHist         [2] SEQUENCE SIZE (1..MAX) OF
 *                                      CertifiedKeyPair OPTIONAL }
 */

typedef struct {
    cmp_pki_status_info_t               *status;
    X509                                *new_sig_cert;
    STACK_OF(X509)                      *ca_certs;
    STACK_OF(cmp_certified_key_pair_t)  *key_pair_hist;
} cmp_key_rec_rep_content_t;

DECLARE_ASN1_ITEM(cmp_key_rec_rep_content_t)


/*
 * RevDetails ::= SEQUENCE {
 *     certDetails         CertTemplate,
 *     crlEntryDetails     Extensions{{...}}    OPTIONAL }
 *
 * RevReqContent ::= SEQUENCE OF RevDetails
 */

typedef struct {
    cmp_cert_template_t                *cert_details;
    STACK_OF(X509_EXTENSION)           *crl_entry_details;
} cmp_rev_details_t;

DEFINE_STACK_OF(cmp_rev_details_t)
DECLARE_ASN1_ITEM(cmp_rev_details_t)

typedef STACK_OF(cmp_rev_details_t)  cmp_rev_req_content_t;

DECLARE_ASN1_ITEM(cmp_rev_req_content_t)


/*
 * CRLAnnContent ::= SEQUENCE OF CertificateList
 *
 * Also CRLsValue.
 */

typedef STACK_OF(X509_CRL)  cmp_crl_ann_content_t;

DECLARE_ASN1_ITEM(cmp_crl_ann_content_t)


/*
 * RevRepContent ::= SEQUENCE {
 *     status       SEQUENCE SIZE (1..MAX) OF PKIStatusInfo,
 *     revCerts [0] SEQUENCE SIZE (1..MAX) OF CertId OPTIONAL,
 *     crls     [1] SEQUENCE SIZE (1..MAX) OF CertificateList OPTIONAL }
 */

typedef struct {
    STACK_OF(cmp_pki_status_info_t)    *status;
    STACK_OF(cmp_cert_id_t)            *rev_certs;
    STACK_OF(X509_CRL)                 *crls;
} cmp_rev_rep_content_t;

DECLARE_ASN1_ITEM(cmp_rev_rep_content_t)


/*
 * CAKeyUpdAnnContent ::= SEQUENCE {
 *     oldWithNew   CMPCertificate, -- old pub signed with new priv
 *     newWithOld   CMPCertificate, -- new pub signed with old priv
 *     newWithNew   CMPCertificate  -- new pub signed with new priv
 * }
 */

typedef struct {
    X509                               *old_with_new;
    X509                               *new_with_old;
    X509                               *new_with_new;
} cmp_ca_key_upd_ann_content_t;

DECLARE_ASN1_ITEM(cmp_ca_key_upd_ann_content_t)


/*
 * RootCaKeyUpdateContent ::= SEQUENCE {
 *     newWithNew       CMPCertificate,
 *     newWithOld   [0] CMPCertificate OPTIONAL,
 *     oldWithNew   [1] CMPCertificate OPTIONAL }
 */

typedef struct {
    X509                               *new_with_new;
    X509                               *new_with_old;
    X509                               *old_with_new;
} cmp_root_ca_key_update_content_t;

DECLARE_ASN1_ITEM(cmp_root_ca_key_update_content_t)


/*
 * CAKeyUpdContent ::= CHOICE {
 *     cAKeyUpdAnnV2      CAKeyUpdAnnContent, -- deprecated
 *     cAKeyUpdAnnV3  [0] RootCaKeyUpdateContent }
 */

#define CMP_CA_KEY_UPD_ANN_V2                   0
#define CMP_CA_KEY_UPD_ANN_V3                   1

typedef struct {
    int                                    type;
    union {
        cmp_ca_key_upd_ann_content_t      *ca_key_upd_ann_v2;
        cmp_root_ca_key_update_content_t  *ca_key_upd_ann_v3;
    } value;
} cmp_ca_key_upd_content_t;

DECLARE_ASN1_ITEM(cmp_ca_key_upd_content_t)


/*
 * RevAnnContent ::= SEQUENCE {
 *     status              PKIStatus,
 *     certId              CertId,
 *     willBeRevokedAt     GeneralizedTime,
 *     badSinceDate        GeneralizedTime,
 *     crlDetails          Extensions{{...}}  OPTIONAL }
 */

typedef struct {
    ASN1_INTEGER                       *status;
    cmp_cert_id_t                      *cert_id;
    ASN1_GENERALIZEDTIME               *will_be_revoked_at;
    ASN1_GENERALIZEDTIME               *bad_since_date;
    STACK_OF(X509_EXTENSION)           *crl_details;
} cmp_rev_ann_content_t;

DECLARE_ASN1_ITEM(cmp_rev_ann_content_t)


/*
 * ErrorMsgContent ::= SEQUENCE {
 *     pKIStatusInfo          PKIStatusInfo,
 *     errorCode              INTEGER           OPTIONAL,
 *     errorDetails           PKIFreeText       OPTIONAL }
 */

typedef struct {
    cmp_pki_status_info_t              *pki_status_info;
    ASN1_INTEGER                       *error_code;
    STACK_OF(ASN1_UTF8STRING)          *error_details;
} cmp_error_msg_content_t;

DECLARE_ASN1_ITEM(cmp_error_msg_content_t)


/*
 * CertStatus ::= SEQUENCE {
 *     certHash    OCTET STRING,
 *     certReqId   INTEGER,
 *     statusInfo  PKIStatusInfo OPTIONAL,
 *     hashAlg [0] AlgorithmIdentifier{DIGEST-ALGORITHM, {...}} OPTIONAL }
 *
 * CertConfirmContent ::= SEQUENCE OF CertStatus
 */

typedef struct {
    ASN1_OCTET_STRING                  *cert_hash;
    ASN1_INTEGER                       *cert_req_id;
    cmp_pki_status_info_t              *status_info;
    X509_ALGOR                         *hash_alg;
} cmp_cert_status_t;

DEFINE_STACK_OF(cmp_cert_status_t)
DECLARE_ASN1_ITEM(cmp_cert_status_t)

typedef STACK_OF(cmp_cert_status_t)  cmp_cert_confirm_content_t;

DECLARE_ASN1_ITEM(cmp_cert_confirm_content_t)


/*
 * PollReqContent ::= SEQUENCE OF SEQUENCE {
 *     certReqId              INTEGER }
 */

typedef struct {
    ASN1_INTEGER                       *cert_req_id;
} cmp_poll_req_t;

DEFINE_STACK_OF(cmp_poll_req_t)
DECLARE_ASN1_ITEM(cmp_poll_req_t)

typedef STACK_OF(cmp_poll_req_t)  cmp_poll_req_content_t;

DECLARE_ASN1_ITEM(cmp_poll_req_content_t)


/*
 * PollRepContent ::= SEQUENCE OF SEQUENCE {
 *     certReqId              INTEGER,
 *     checkAfter             INTEGER,  -- time in seconds
 *     reason                 PKIFreeText OPTIONAL }
 */

typedef struct {
    ASN1_INTEGER                       *cert_req_id;
    ASN1_INTEGER                       *check_after;
    STACK_OF(ASN1_UTF8STRING)          *reason;
} cmp_poll_rep_t;

DEFINE_STACK_OF(cmp_poll_rep_t)
DECLARE_ASN1_ITEM(cmp_poll_rep_t)

typedef STACK_OF(cmp_poll_rep_t)  cmp_poll_rep_content_t;

DECLARE_ASN1_ITEM(cmp_poll_rep_content_t)


/*
 * NestedMessageContent ::= PKIMessages
 *
 * PKIMessages ::= SEQUENCE SIZE (1..MAX) OF PKIMessage
 *
 * The inner messages are not decoded: each is kept as received, the whole
 * encoding in an ASN1_STRING.  So there is no recursion without the caller.
 * Also OrigPKIMessageValue.
 */

typedef STACK_OF(ASN1_STRING)  cmp_pki_messages_t;

DECLARE_ASN1_ITEM(cmp_pki_messages_t)


/*
 * PKIBody ::= CHOICE {       -- message-specific body elements
 *     ir       [0]  CertReqMessages,        --Initialization Request
 *     ip       [1]  CertRepMessage,         --Initialization Response
 *     cr       [2]  CertReqMessages,        --Certification Request
 *     cp       [3]  CertRepMessage,         --Certification Response
 *     p10cr    [4]  CertificationRequest,   --imported from [RFC2986]
 *     popdecc  [5]  POPODecKeyChallContent, --pop Challenge
 *     popdecr  [6]  POPODecKeyRespContent,  --pop Response
 *     kur      [7]  CertReqMessages,        --Key Update Request
 *     kup      [8]  CertRepMessage,         --Key Update Response
 *     krr      [9]  CertReqMessages,        --Key Recovery Request
 *     krp      [10] KeyRecRepContent,       --Key Recovery Response
 *     rr       [11] RevReqContent,          --Revocation Request
 *     rp       [12] RevRepContent,          --Revocation Response
 *     ccr      [13] CertReqMessages,        --Cross-Cert. Request
 *     ccp      [14] CertRepMessage,         --Cross-Cert. Response
 *     ckuann   [15] CAKeyUpdContent,        --CA Key Update Ann.
 *     cann     [16] CertAnnContent,         --Certificate Ann.
 *     rann     [17] RevAnnContent,          --Revocation Ann.
 *     crlann   [18] CRLAnnContent,          --CRL Announcement
 *     pkiconf  [19] PKIConfirmContent,      --Confirmation
 *     nested   [20] NestedMessageContent,   --Nested Message
 *     genm     [21] GenMsgContent,          --General Message
 *     genp     [22] GenRepContent,          --General Response
 *     error    [23] ErrorMsgContent,        --Error Message
 *     certConf [24] CertConfirmContent,     --Certificate Confirm
 *     pollReq  [25] PollReqContent,         --Polling Request
 *     pollRep  [26] PollRepContent }        --Polling Response
 *
 * CertAnnContent ::= CMPCertificate
 *
 * PKIConfirmContent ::= NULL
 *
 * The "type" is the number of the tag.
 */

typedef enum {
    CMP_BODY_IR = 0,
    CMP_BODY_IP,
    CMP_BODY_CR,
    CMP_BODY_CP,
    CMP_BODY_P10CR,
    CMP_BODY_POPDECC,
    CMP_BODY_POPDECR,
    CMP_BODY_KUR,
    CMP_BODY_KUP,
    CMP_BODY_KRR,
    CMP_BODY_KRP,
    CMP_BODY_RR,
    CMP_BODY_RP,
    CMP_BODY_CCR,
    CMP_BODY_CCP,
    CMP_BODY_CKUANN,
    CMP_BODY_CANN,
    CMP_BODY_RANN,
    CMP_BODY_CRLANN,
    CMP_BODY_PKICONF,
    CMP_BODY_NESTED,
    CMP_BODY_GENM,
    CMP_BODY_GENP,
    CMP_BODY_ERROR,
    CMP_BODY_CERTCONF,
    CMP_BODY_POLLREQ,
    CMP_BODY_POLLREP
} cmp_body_type_e;

#define CMP_BODY_MAX          CMP_BODY_POLLREP

typedef struct {
    int                                    type;
    union {
        cmp_cert_req_messages_t           *ir;
        cmp_cert_rep_message_t            *ip;
        cmp_cert_req_messages_t           *cr;
        cmp_cert_rep_message_t            *cp;
        X509_REQ                          *p10cr;
        cmp_popo_dec_key_chall_content_t  *popdecc;
        cmp_popo_dec_key_resp_content_t   *popdecr;
        cmp_cert_req_messages_t           *kur;
        cmp_cert_rep_message_t            *kup;
        cmp_cert_req_messages_t           *krr;
        cmp_key_rec_rep_content_t         *krp;
        cmp_rev_req_content_t             *rr;
        cmp_rev_rep_content_t             *rp;
        cmp_cert_req_messages_t           *ccr;
        cmp_cert_rep_message_t            *ccp;
        cmp_ca_key_upd_content_t          *ckuann;
        X509                              *cann;
        cmp_rev_ann_content_t             *rann;
        cmp_crl_ann_content_t             *crlann;
        /* not a pointer to anything: ASN1_NULL_new() when present */
        ASN1_NULL                         *pkiconf;
        cmp_pki_messages_t                *nested;
        cmp_gen_msg_content_t             *genm;
        cmp_gen_msg_content_t             *genp;
        cmp_error_msg_content_t           *error;
        cmp_cert_confirm_content_t        *cert_conf;
        cmp_poll_req_content_t            *poll_req;
        cmp_poll_rep_content_t            *poll_rep;
    } value;
} cmp_pki_body_t;

DECLARE_ASN1_ITEM(cmp_pki_body_t)


/*
 * PKIMessage ::= SEQUENCE {
 *     header           PKIHeader,
 *     body             PKIBody,
 *     protection   [0] PKIProtection OPTIONAL,
 *     extraCerts   [1] SEQUENCE SIZE (1..MAX) OF CMPCertificate
 *                   OPTIONAL }
 *
 * PKIProtection ::= BIT STRING
 */

typedef struct {
    cmp_pki_header_t                   *header;
    cmp_pki_body_t                     *body;
    ASN1_BIT_STRING                    *protection;
    STACK_OF(X509)                     *extra_certs;
} cmp_pki_message_t;

DECLARE_ASN1_ITEM(cmp_pki_message_t)


/*
 * ProtectedPart ::= SEQUENCE {
 *     header    PKIHeader,
 *     body      PKIBody }
 *
 * For a message that is being made.  What was received is verified over its
 * own octets.
 */

typedef struct {
    cmp_pki_header_t                   *header;
    cmp_pki_body_t                     *body;
} cmp_protected_part_t;

DECLARE_ASN1_ITEM(cmp_protected_part_t)


/* to be encoded: a PKIMessage whose header and body are encoded already */

typedef struct {
    ASN1_TYPE                          *header_and_body;
    ASN1_BIT_STRING                    *protection;
    STACK_OF(X509)                     *extra_certs;
} cmp_encoded_message_t;

DECLARE_ASN1_ITEM(cmp_encoded_message_t)


#include <cmp_asn1_info.h>


#endif /* _CMP_ASN1_H_INCLUDED_ */
