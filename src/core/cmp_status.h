
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The one table that maps our refusals to a PKIFailureInfo bit and to a text
 * that a person can act on (RFC 9810, 5.2.3).
 */


#ifndef _CMP_STATUS_H_INCLUDED_
#define _CMP_STATUS_H_INCLUDED_


#include <cmp_core.h>
#include <cmp_asn1.h>


/* XX(name, failInfo bit, statusString) */

#define CMP_REFUSAL_MAP(XX)                                                   \
                                                                              \
    /* decoding and limits */                                                 \
    XX(UNDECODABLE, BAD_DATA_FORMAT, "the message cannot be decoded")         \
    XX(TRAILING_BYTES, BAD_DATA_FORMAT, "bytes follow the message")           \
    XX(LIMIT, BAD_DATA_FORMAT, "a part of the message is beyond a limit")     \
    XX(NOT_DER, BAD_DATA_FORMAT, "the message is not DER encoded")            \
    XX(PVNO, UNSUPPORTED_VERSION, "only pvno 2 and 3 are supported")          \
    XX(BODY, BAD_REQUEST, "this message type is not supported")               \
    XX(LABEL, BAD_REQUEST,                                                    \
       "the message type does not fit the operation named in the URI")        \
                                                                              \
    /* header */                                                              \
    XX(NO_TRANSACTION_ID, BAD_REQUEST, "transactionID is missing")            \
    XX(NO_TRANSACTION_ID_STRICT, BAD_DATA_FORMAT, "transactionID is missing") \
    XX(TRANSACTION_ID_LEN, BAD_REQUEST, "transactionID has a wrong length")   \
    XX(TRANSACTION_ID_IN_USE, TRANSACTION_ID_IN_USE,                          \
       "transactionID is in use, begin a new transaction")                    \
    XX(UNKNOWN_TRANSACTION, BAD_REQUEST,                                      \
       "no transaction with this transactionID waits for this message")       \
    XX(SENDER_NONCE, BAD_SENDER_NONCE,                                        \
       "senderNonce is missing or has a wrong length")                        \
    XX(SENDER_NONCE_SEEN, BAD_SENDER_NONCE,                                   \
       "senderNonce was used before in this transaction")                     \
    XX(RECIP_NONCE, BAD_RECIPIENT_NONCE,                                      \
       "recipNonce is not the senderNonce of our last message")               \
    XX(RECIP_NONCE_FIRST, BAD_RECIPIENT_NONCE,                                \
       "recipNonce in the first message of a transaction")                    \
    XX(MESSAGE_TIME, BAD_TIME, "messageTime is too far from our time")        \
    XX(NO_MESSAGE_TIME, BAD_TIME, "messageTime is missing")                   \
    XX(MESSAGE_TIME_FORMAT, BAD_DATA_FORMAT,                                  \
       "messageTime is not a valid GeneralizedTime")                          \
    XX(IMPLICIT_CONFIRM_VALUE, BAD_REQUEST,                                   \
       "the value of implicitConfirm is not NULL")                            \
    XX(IMPLICIT_CONFIRM_BOTH, BAD_REQUEST,                                    \
       "implicitConfirm together with confirmWaitTime")                       \
    XX(IMPLICIT_CONFIRM_LATE, BAD_REQUEST, "implicitConfirm in certConf")     \
    XX(CONFIRM_WAIT_TIME, BAD_DATA_FORMAT,                                    \
       "the value of confirmWaitTime is not a GeneralizedTime")               \
    XX(GENERAL_INFO, BAD_REQUEST, "generalInfo has an unusable value")        \
    XX(CERT_PROFILE, BAD_REQUEST,                                             \
       "certProfile does not fit the requests or the URI")                    \
    XX(PROFILE_NOT_ALLOWED, NOT_AUTHORIZED,                                   \
       "the certificate profile may not be used by this requester")           \
                                                                              \
    /* protection */                                                          \
    XX(NO_PROTECTION, BAD_MESSAGE_CHECK, "the message is not protected")      \
    XX(PROTECTION_INCOMPLETE, BAD_MESSAGE_CHECK,                              \
       "protection and protectionAlg must be present together")               \
    XX(PROTECTION_ALG, BAD_ALG,                                               \
       "the protection algorithm is not supported")                           \
    XX(MAC_COST, BAD_REQUEST,                                                 \
       "iterationCount or salt of the MAC is out of range")                   \
    XX(MESSAGE_CHECK, BAD_MESSAGE_CHECK,                                      \
       "the protection of the message does not verify")                       \
    XX(SENDER, BAD_MESSAGE_CHECK,                                             \
       "sender is not the subject of the protecting certificate")             \
    XX(SENDER_KID, BAD_MESSAGE_CHECK,                                         \
       "senderKID does not belong to the protection of the message")          \
    XX(SENDER_MAC, BAD_MESSAGE_CHECK,                                         \
       "sender and senderKID do not name the shared secret")                  \
    XX(WRONG_INTEGRITY, WRONG_INTEGRITY,                                      \
       "this message must be protected in another way")                       \
    XX(OTHER_INTEGRITY, WRONG_INTEGRITY,                                      \
       "the message is protected in another way than its transaction")        \
    XX(OTHER_CREDENTIAL, BAD_MESSAGE_CHECK,                                   \
       "the message is protected by another secret or certificate than "      \
       "its transaction")                                                     \
    XX(NEW_CERTIFICATE, WRONG_AUTHORITY,                                      \
       "the message is protected by the certificate that it is about")        \
    XX(SIGNER_NOT_TRUSTED, SIGNER_NOT_TRUSTED,                                \
       "the protecting certificate is not trusted")                           \
    XX(SIGNER_EXPIRED, SIGNER_NOT_TRUSTED,                                    \
       "the protecting certificate is not valid at this time")                \
    XX(SIGNER_REVOKED, CERT_REVOKED,                                          \
       "the protecting certificate is revoked or on hold")                    \
    XX(SIGNER_STATUS_UNKNOWN, SIGNER_NOT_TRUSTED,                             \
       "the revocation state of the protecting certificate is not known")     \
    XX(SIGNER_UNCONFIRMED, BAD_REQUEST,                                       \
       "the protecting certificate is not confirmed")                         \
    XX(SIGNER_REPLACED, CERT_REVOKED,                                         \
       "the protecting certificate was replaced by a newer one")              \
    XX(SIGNER_BUSY, BAD_REQUEST,                                              \
       "an update of the protecting certificate is not confirmed yet")        \
    XX(SIGNER_KEY_USAGE, BAD_MESSAGE_CHECK,                                   \
       "the protecting certificate is not for digital signatures")            \
    XX(SIGNER_KEY, BAD_ALG,                                                   \
       "the key of the protecting certificate is not acceptable")             \
    XX(CREDENTIAL_ENDED, NOT_AUTHORIZED,                                      \
       "the shared secret is used up or has expired")                         \
                                                                              \
    /* authorisation */                                                       \
    XX(NOT_AUTHORIZED, NOT_AUTHORIZED,                                        \
       "the requester may not ask for this")                                  \
    XX(SUBJECT_NOT_ALLOWED, NOT_AUTHORIZED,                                   \
       "the requester may not ask for this subject")                          \
    XX(SAN_NOT_ALLOWED, NOT_AUTHORIZED,                                       \
       "the requester may not ask for this subjectAltName")                   \
    XX(REG_TOKEN, NOT_AUTHORIZED,                                             \
       "the registration token (regToken) is not valid")                      \
    XX(REG_TOKEN_MISSING, NOT_AUTHORIZED,                                     \
       "the requester needs a registration token (regToken) for this")        \
    XX(REG_TOKEN_LIMITS, NOT_AUTHORIZED,                                      \
       "the registration token (regToken) is not for this")                   \
    XX(RA_VERIFIED, NOT_AUTHORIZED,                                           \
       "raVerified is for registration authorities only")                     \
                                                                              \
    /* certificate requests */                                                \
    XX(NO_REQUEST, BAD_DATA_FORMAT, "the message contains no request")        \
    XX(TOO_MANY_REQUESTS, BAD_REQUEST,                                        \
       "the message contains too many requests")                              \
    XX(CERT_REQ_ID, BAD_REQUEST, "certReqId is not acceptable")               \
    XX(CERT_REQ_ID_TWICE, BAD_REQUEST, "certReqId is used twice")             \
    XX(CONTROL, BAD_REQUEST, "a control of the request is not supported")     \
    XX(REG_INFO, BAD_REQUEST, "regInfo of the request is not supported")      \
    XX(TEMPLATE, BAD_CERT_TEMPLATE,                                           \
       "the certificate template is not acceptable")                          \
    XX(TEMPLATE_FIELD, BAD_CERT_TEMPLATE,                                     \
       "the certificate template has a field that a client may not choose")   \
    XX(TEMPLATE_VERSION, BAD_CERT_TEMPLATE,                                   \
       "the version in the certificate template is not v3")                   \
    XX(TEMPLATE_ISSUER, BAD_CERT_TEMPLATE,                                    \
       "issuer in the certificate template is not this CA")                   \
    XX(OTHER_CA, WRONG_AUTHORITY, "the request is for another CA")            \
    XX(NO_NAME, BAD_CERT_TEMPLATE,                                            \
       "the certificate template has no subject and no subjectAltName")       \
    XX(SUBJECT, BAD_CERT_TEMPLATE,                                            \
       "the subject does not fit the certificate profile")                    \
    XX(SAN, BAD_CERT_TEMPLATE,                                                \
       "subjectAltName does not fit the certificate profile")                 \
    XX(EXTENSION, BAD_CERT_TEMPLATE,                                          \
       "an extension is not allowed by the certificate profile")              \
    XX(EXTENSION_TWICE, BAD_CERT_TEMPLATE, "an extension is given twice")     \
    XX(EXTENSION_VALUE, BAD_CERT_TEMPLATE,                                    \
       "the value of an extension cannot be decoded")                         \
    XX(KEY_USAGE, BAD_CERT_TEMPLATE,                                          \
       "keyUsage or extKeyUsage does not fit the certificate profile")        \
    XX(CA_CERTIFICATE, NOT_AUTHORIZED,                                        \
       "the certificate profile is not for CA or RA certificates")            \
    XX(VALIDITY, BAD_CERT_TEMPLATE,                                           \
       "the validity does not fit the certificate profile")                   \
    XX(NO_KEY, BAD_CERT_TEMPLATE,                                             \
       "the certificate template has no public key, and keys are not made "   \
       "here")                                                                \
    XX(KEY, BAD_CERT_TEMPLATE, "the public key is not acceptable")            \
    XX(KEY_ALG, BAD_CERT_TEMPLATE,                                            \
       "the certificate profile does not allow this kind of key")             \
    XX(KEY_ALG_UNKNOWN, BAD_ALG,                                              \
       "the algorithm of the public key is not supported")                    \
    XX(KEY_OTHER_SUBJECT, BAD_CERT_TEMPLATE,                                  \
       "the public key is certified for another subject")                     \
    XX(KEY_COMPROMISED, BAD_CERT_TEMPLATE,                                    \
       "the public key was revoked for keyCompromise")                        \
    XX(KEY_USED, BAD_CERT_TEMPLATE, "the public key is certified already")    \
    XX(NO_POP, BAD_POP, "proof of possession is missing")                     \
    XX(POP, BAD_POP, "the proof of possession does not verify")               \
    XX(POP_KIND, BAD_POP,                                                     \
       "this kind of proof of possession is not supported")                   \
    XX(POP_INPUT, BAD_POP,                                                    \
       "poposkInput does not fit the certificate template")                   \
    XX(OLD_CERT_ID, BAD_CERT_ID,                                              \
       "oldCertID does not name the certificate to be updated")               \
    XX(UPDATE_NAMES, BAD_CERT_TEMPLATE,                                       \
       "a key update may not change subject or subjectAltName")               \
                                                                              \
    /* confirmation */                                                        \
    XX(CERT_HASH, BAD_CERT_ID, "certHash does not match the certificate")     \
    XX(CERT_STATUS, BAD_REQUEST, "certConf contains an unusable status")      \
    XX(CERT_CONFIRMED, CERT_CONFIRMED,                                        \
       "the certificates are confirmed already")                              \
    XX(CONFIRM_LATE, CERT_REVOKED,                                            \
       "the confirmation came too late, the certificate is revoked")          \
                                                                              \
    /* revocation */                                                          \
    XX(NO_CERT_ID, ADD_INFO_NOT_AVAILABLE,                                    \
       "issuer and serialNumber are required")                                \
    XX(CERT_ID, BAD_CERT_ID, "no such certificate")                           \
    XX(CERT_DETAILS, BAD_CERT_ID,                                             \
       "certDetails does not match the certificate")                          \
    XX(NOT_THEIRS, NOT_AUTHORIZED,                                            \
       "the requester may not revoke this certificate")                       \
    XX(REASON, BAD_DATA_FORMAT, "the revocation reason is not valid")         \
    XX(REASON_TWICE, BAD_REQUEST, "more than one revocation reason")          \
    XX(CRL_ENTRY, BAD_REQUEST,                                                \
       "an extension in crlEntryDetails is not supported")                    \
    XX(REVOKED, CERT_REVOKED, "the certificate is revoked already")           \
    XX(NOT_ON_HOLD, BAD_CERT_ID, "the certificate is not on hold")            \
    XX(ON_HOLD, CERT_REVOKED, "the certificate is on hold already")           \
    XX(RELEASE, NOT_AUTHORIZED,                                               \
       "the requester may not release the certificate from hold")             \
                                                                              \
    /* approval */                                                            \
    XX(REJECTED, NOT_AUTHORIZED, "an operator has rejected the request")      \
    XX(EXPIRED, NOT_AUTHORIZED,                                               \
       "the request has expired before it was approved and fetched")          \
    XX(POLL_ID, BAD_REQUEST,                                                  \
       "certReqId in pollReq is not one that waits")                          \
                                                                              \
    /* nested messages */                                                     \
    XX(NESTED_TRANSACTION_ID, BAD_REQUEST,                                    \
       "transactionID of the nested message is another one")                  \
    XX(NESTED_SENDER_NONCE, BAD_SENDER_NONCE,                                 \
       "senderNonce of the nested message is another one")                    \
    XX(BATCH_TRANSACTION_ID, BAD_REQUEST,                                     \
       "transactionIDs in a batch must be there and different")               \
    XX(BATCH_SENDER_NONCE, BAD_SENDER_NONCE,                                  \
       "senderNonces in a batch must be there and different")                 \
                                                                              \
    /* support messages and the rest */                                       \
    XX(INFO_VALUE, BAD_REQUEST, "infoValue must be absent")                   \
    XX(INFO_WRONG, BAD_REQUEST,                                               \
       "infoValue is missing or cannot be decoded")                           \
    XX(INFO_TYPES, BAD_REQUEST, "none of the infoTypes is supported")         \
    XX(INFO_TWICE, BAD_REQUEST, "an infoType is there twice")                 \
    XX(INFO_COUNT, BAD_REQUEST, "genm must contain one infoType")             \
    XX(LANGUAGE, BAD_REQUEST, "none of the languages is supported")           \
    XX(UNAVAILABLE, SYSTEM_UNAVAIL,                                           \
       "the service is temporarily unavailable, try again later")             \
    XX(INTERNAL, SYSTEM_FAILURE, "internal error")


typedef enum {
    CMP_REFUSE_NONE = 0,

#define CMP_REFUSAL_ENUM(name, bit, text)  CMP_REFUSE_##name,
    CMP_REFUSAL_MAP(CMP_REFUSAL_ENUM)
#undef CMP_REFUSAL_ENUM

    CMP_REFUSE_MAX
} cmp_refuse_e;


typedef struct {
    cmp_refuse_e    code;
    char            detail[200];    /* added to the text the client gets */
    char            log[200];       /* only for our log */
} cmp_refusal_t;


/*
 * Sets the code, and the detail unless fmt is NULL.  What the client sent may
 * stand in the detail only when it is printable; no secrets, no internals.
 * Returns CMP_DECLINED, so that a check can end with
 * "return cmp_refuse(refusal, CMP_REFUSE_POP, NULL);".
 */
int cmp_refuse(cmp_refusal_t *refusal, cmp_refuse_e code, const char *fmt, ...)
    __attribute__ ((format (printf, 3, 4)));

/*
 * As above, for a failure that libcrypto explains: its reason goes to
 * refusal->log, and the error queue is emptied.
 */
int cmp_refuse_crypto(cmp_refusal_t *refusal, cmp_refuse_e code);

/* the number of the PKIFailureInfo bit */
int cmp_refusal_fail_info(const cmp_refusal_t *refusal);

/* the statusString, allocated from the pool; NULL when out of memory */
char *cmp_refusal_text(const cmp_refusal_t *refusal, cmp_pool_t *pool);

/* "badPOP", ... and "accepted", ... as in the RFC; "-" when out of range */
const char *cmp_fail_info_name(int bit);
const char *cmp_status_name(int status);

/*
 * A PKIStatusInfo; text may be NULL, fail_info -1 for none.  To be freed
 * with cmp_asn1_free() or by what it is put into; NULL when out of memory.
 */
cmp_pki_status_info_t *cmp_status_info(int status, const char *text,
    int fail_info);


#endif /* _CMP_STATUS_H_INCLUDED_ */
