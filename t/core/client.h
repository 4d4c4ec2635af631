
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A CMP client for tests.  It shares the ASN.1 types with the core and
 * nothing else: protection, proof of possession and all checks of answers are
 * its own, so that errors do not cancel out.
 *
 * A message is made in three steps: client_message() or one of the functions
 * for a body; anything in it may then be changed; client_protect() and
 * client_encode() finish it.
 */


#ifndef _CLIENT_H_INCLUDED_
#define _CLIENT_H_INCLUDED_


#include <cmp_asn1.h>
#include <cmp_core.h>
#include <cmp_oid.h>
#include <pki.h>


typedef enum {
    CLIENT_NONE = 0,
    CLIENT_PBM,
    CLIENT_PBMAC1,
    CLIENT_SIGNATURE
} client_protection_e;


typedef struct {
    int                   pvno;
    client_protection_e   protection;
    int64_t               now;              /* ms */
    unsigned              implicit_confirm:1;
    unsigned              no_time:1;
    unsigned              no_kid:1;
    unsigned              no_extra_certs:1;
    unsigned              pss:1;

    /* MAC */
    const char           *reference;        /* senderKID */
    const char           *secret;
    int                   owf;              /* NID of a digest */
    int                   mac;              /* NID of an HMAC */
    long                  iterations;
    int                   salt_len;
    int                   key_len;          /* PBKDF2; 0: absent */

    /* signature */
    X509                 *cert;
    EVP_PKEY             *key;
    STACK_OF(X509)       *chain;            /* behind cert in extraCerts */
    const EVP_MD         *md;               /* NULL: what goes with the key */

    const char           *sender;           /* MAC: "/CN=..." */
    X509_NAME            *recipient;

    /* what answers are checked with */
    X509                 *root;

    pki_random_t          random;

    /* of the transaction */
    unsigned char         transaction_id[16];
    unsigned char         sender_nonce[16]; /* of the last message */
    unsigned char         recip_nonce[16];  /* of the last answer */
    unsigned              in_transaction:1; /* recip_nonce is known */
} client_t;


/* one CertReqMsg; strings may be NULL */

typedef enum {
    CLIENT_POP_SIGNATURE = 0,
    CLIENT_POP_NONE,
    CLIENT_POP_RA_VERIFIED,
    CLIENT_POP_BAD_SIGNATURE,
    CLIENT_POP_INPUT_SENDER,        /* poposkInput with authInfo sender */
    CLIENT_POP_INPUT_MAC,           /* poposkInput with publicKeyMAC */
    CLIENT_POP_ENCR_CERT,           /* keyEncipherment, encrCert */
    CLIENT_POP_AGREE_ENCR_CERT
} client_pop_e;

typedef struct {
    int                   id;
    const char           *subject;          /* NULL: absent; "": empty */
    EVP_PKEY             *key;              /* NULL: absent */
    const char           *san;              /* "DNS:a,IP:..." */
    int                   pop;              /* client_pop_e */
    X509                 *old;              /* oldCertID names it */
} client_request_t;


/* what an answer says; everything is owned by it */

typedef struct {
    unsigned char        *der;
    size_t                len;
    cmp_pki_message_t    *msg;
    int                   type;
    int                   nstatus;
    int                   status;           /* of the first; -1: none */
    int                   fail_info;        /* -1: none; -2: several bits */
    char                  text[1024];       /* statusString */
    X509                 *cert;             /* of the first; borrowed */
} client_answer_t;


/* PBM with usual parameters; the settings are zeroed first */
void client_init(client_t *client, uint64_t seed, int64_t now);

/* a new transactionID, no recipNonce */
void client_begin(client_t *client);

/* a message with this body, empty, and a usual header */
cmp_pki_message_t *client_message(client_t *client, int type);

/* one more CertReqMsg in an ir, cr or kur; its proof is made too */
cmp_cert_req_msg_t *client_add_request(client_t *client,
    cmp_pki_message_t *msg, const client_request_t *request);

/* makes the proof anew, after the template has been changed */
void client_pop(client_t *client, cmp_cert_req_msg_t *req,
    const client_request_t *request);

/* signs a poposkInput that was changed */
void client_sign_input(cmp_popo_signing_key_t *sign, EVP_PKEY *key);

/* a PKCS#10 request becomes the body of a p10cr */
void client_set_p10(cmp_pki_message_t *msg, const char *subject, EVP_PKEY *key,
    const char *san);

/* one more RevDetails for the certificate; reason -1: absent */
cmp_rev_details_t *client_add_revocation(cmp_pki_message_t *msg, X509 *cert,
    int reason);

/* one more CertStatus, with the hash of the certificate; status -1: absent */
cmp_cert_status_t *client_add_status(cmp_pki_message_t *msg, X509 *cert,
    int id, int status);

/* one more infoType, without a value, in a genm */
cmp_info_type_and_value_t *client_add_info(cmp_pki_message_t *msg,
    const cmp_oid_t *oid);

/* one more message in a nested; frees inner */
void client_nest(cmp_pki_message_t *msg, cmp_pki_message_t *inner);

void client_add_poll(cmp_pki_message_t *msg, int id);

/* the name becomes the subject of the certificate */
void client_set_general_name(GENERAL_NAME *name, X509 *cert);

/* takes over value; with NULL the infoValue is absent */
void client_general_info(cmp_pki_message_t *msg, const cmp_oid_t *oid,
    ASN1_TYPE *value);

ASN1_TYPE *client_null(void);
ASN1_TYPE *client_value(int tag, const char *text);

/* a SEQUENCE OF UTF8String with one element */
ASN1_TYPE *client_profile(const char *name);

/* an extension in crlEntryDetails or a template; takes over ext */
void client_add_extension(STACK_OF(X509_EXTENSION) **exts,
    X509_EXTENSION *ext);

/* replaces an octet string of the header; NULL: absent */
void client_set_octets(ASN1_OCTET_STRING **dst, const void *data, size_t len);

/* protects as the settings say; the extraCerts too */
void client_protect(client_t *client, cmp_pki_message_t *msg);

/* the encoding, malloc()ed; frees msg */
unsigned char *client_encode(cmp_pki_message_t *msg, size_t *len);


/* NULL: not a PKIMessage of the kind that a server sends */
client_answer_t *client_answer(const unsigned char *der, size_t len);
void client_answer_free(client_answer_t *answer);

/* the n-th of the body; NULL when there is none */
cmp_pki_status_info_t *client_status(const client_answer_t *answer, int n);
X509 *client_certificate(const client_answer_t *answer, int n);
int client_fail_info(const cmp_pki_status_info_t *info);

/* 1 when the protection of the answer is right, else a text in err */
int client_verify(client_t *client, const client_answer_t *answer, char *err,
    size_t size);

/* the answer becomes the last one of the transaction */
void client_accept(client_t *client, const client_answer_t *answer);


#endif /* _CLIENT_H_INCLUDED_ */
