
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A PKIMessage as received, and the making of answers (RFC 9810, 5.1).
 */


#ifndef _CMP_MSG_H_INCLUDED_
#define _CMP_MSG_H_INCLUDED_


#include <cmp_core.h>
#include <cmp_asn1.h>
#include <cmp_asn1_pool.h>
#include <cmp_cert_cache.h>
#include <cmp_oid.h>
#include <cmp_status.h>

#include <openssl/x509.h>


#define CMP_MAX_NESTING        24      /* of ASN.1 in one message */
#define CMP_MAX_ELEMENTS       20000   /* TLVs in one message */
#define CMP_MAX_EXTRA_CERTS    16
#define CMP_MAX_REQUESTS       128     /* CertReqMsg or RevDetails */
#define CMP_MAX_GENERAL_INFO   16
#define CMP_MAX_FREE_TEXT      16
#define CMP_MAX_PVNO           255


/*
 * A received message.  The bytes of header and body are kept, since the
 * protection is computed over what was received.
 */

typedef struct {
    cmp_str_t                 bytes;            /* all of it */
    unsigned char             hash[CMP_SHA256_LEN];
    cmp_str_t                 header_bytes;     /* as received */
    cmp_str_t                 body_bytes;
    cmp_str_t                 protected_part;   /* DER of ProtectedPart, of
                                                   what was received */
    long                      pvno;             /* -1: negative; not above
                                                   CMP_MAX_PVNO */
    int                       type;             /* tag of the body; -1 */
    unsigned                  minimal:1;        /* lengths are as in DER */

    /* freed with the pool; NULL where it could not be read or is absent */
    cmp_pki_header_t         *header;
    cmp_pki_body_t           *body;
    ASN1_BIT_STRING          *protection;
    STACK_OF(X509)           *extra_certs;

    /* what was known of extraCerts; freed with the pool */
    cmp_cert_known_t         *known;            /* NULL: nothing */
    unsigned char             certs_hash[CMP_SHA256_LEN];
    unsigned                  certs_hashed:1;   /* they may be kept */
} cmp_msg_t;


/*
 * Decodes the bytes, which must outlive msg.  CMP_DECLINED: they are not a
 * PKIMessage that can be served; what could be read of the header is there.
 * CMP_ERROR: out of memory.  cache, for extraCerts, may be NULL.
 */
int cmp_msg_decode(cmp_pool_t *pool, cmp_cert_cache_t *cache,
    const unsigned char *data, size_t len, cmp_msg_t *msg,
    cmp_refusal_t *refusal);

/*
 * Is the message DER: do header and body encode to the bytes received?
 * 1, 0, or CMP_ERROR.
 */
int cmp_msg_is_der(const cmp_msg_t *msg, cmp_pool_t *pool);

/* "ir", "certConf", ...; "-" when out of range */
const char *cmp_body_name(int type);

/* the first generalInfo of a type, NULL when there is none */
cmp_info_type_and_value_t *cmp_msg_general_info(const cmp_msg_t *msg,
    const cmp_oid_t *oid);

/*
 * The n-th CertRequest of ir, cr, kur and the like as it was received: what
 * the signature of the proof of possession covers.  CMP_OK or CMP_ERROR.
 */
int cmp_msg_cert_request(const cmp_msg_t *msg, size_t n, cmp_str_t *der);


#endif /* _CMP_MSG_H_INCLUDED_ */
