
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The contract with the store: what one exchange reads (one round trip) and
 * what it writes (one round trip, one atomic transaction).
 *
 * All times are milliseconds since the epoch, 0 where there is none.  All
 * strings belong to the pool of whoever filled the structure.
 */


#ifndef _CMP_STORE_H_INCLUDED_
#define _CMP_STORE_H_INCLUDED_


#include <cmp_core.h>


/* what an exchange wants to know; an empty string asks for nothing */

typedef struct {
    cmp_str_t             subject;        /* DER of the Name */
    cmp_str_t             key_hash;       /* SHA-256 of SubjectPublicKeyInfo */
} cmp_load_name_t;


typedef struct {
    int32_t               ca_id;

    cmp_str_t             request_hash;   /* SHA-256 of the whole message */
    cmp_str_t             transaction_id;
    cmp_str_t             reference;      /* of a credential */

    /* the protecting certificate: by its bytes, or by name and SKI */
    cmp_str_t             signer_hash;    /* SHA-256 of the certificate */
    cmp_str_t             signer_serial;  /* its serial, goes with the hash */
    cmp_str_t             signer_subject; /* DER of the Name */
    cmp_str_t             signer_ski;

    /* certificates that the message names */
    cmp_str_t            *serials;        /* content octets, big endian */
    size_t                nserials;
    cmp_load_name_t      *names;          /* rr by subject and public key */
    size_t                nnames;

    /* public keys to be certified: SHA-256 of SubjectPublicKeyInfo */
    cmp_str_t            *key_hashes;
    size_t                nkey_hashes;

    cmp_str_t            *token_hashes;   /* SHA-256 of regTokens */
    size_t                ntoken_hashes;

    int32_t               want;           /* CMP_WANT_..., for a genm */
} cmp_load_t;


#define CMP_WANT_ROLLOVER     0x1
#define CMP_WANT_CRL          0x2
#define CMP_WANT_WAITING      0x4         /* these only when the transaction
                                             began with a genm that waits */


/*
 * A shared secret and what it allows, or a registration token (regToken),
 * which has a hash instead of a secret, and limits the one request that it
 * comes with.
 */

typedef struct {
    int64_t               id;
    cmp_str_t             reference;
    cmp_str_t             secret;         /* in clear; wiped with the pool */
    cmp_str_t            *profiles;       /* none: the default profile */
    size_t                nprofiles;
    cmp_str_t             subject;        /* pattern; empty: the profile's */
    cmp_str_t            *sans;           /* patterns; none: the profile's */
    size_t                nsans;
    int32_t               uses_left;      /* -1: unlimited */
    int64_t               not_after;      /* 0: none */
    cmp_str_t             token_hash;     /* SHA-256; empty: a secret */
    unsigned              disabled:1;
    unsigned              may_revoke:1;
    unsigned              token_needed:1; /* only with a regToken */
} cmp_credential_t;


typedef enum {
    CMP_TX_ENDED = 0,                     /* nothing more is expected */
    CMP_TX_CONFIRM,                       /* certConf is expected */
    CMP_TX_WAITING                        /* an operator decides, pollReq */
} cmp_tx_state_e;


typedef enum {
    CMP_PROTECTION_NONE = 0,
    CMP_PROTECTION_MAC,
    CMP_PROTECTION_SIGNATURE
} cmp_protection_kind_e;


typedef struct {
    cmp_str_t             id;             /* transactionID, unique everywhere */
    int32_t               ca_id;
    int32_t               version;        /* grows by one with each write */
    int32_t               state;          /* cmp_tx_state_e */
    int32_t               body;           /* tag of the first request's body */
    int32_t               kind;           /* cmp_protection_kind_e */
    int64_t               credential_id;  /* 0: signed */
    cmp_str_t             signer_hash;    /* SHA-256; empty: MAC */
    cmp_str_t             signer_serial;  /* of it; empty: MAC */
    cmp_str_t             signer;         /* DER; empty: MAC */
    cmp_str_t             protection_alg; /* DER of the AlgorithmIdentifier */
    cmp_str_t             sender_nonce;   /* ours, of the last answer */
    cmp_str_t            *nonces;         /* senderNonces seen */
    size_t                nnonces;
    int64_t               confirm_before; /* the database's clock */
} cmp_transaction_t;


typedef enum {
    CMP_CERT_UNCONFIRMED = 0,
    CMP_CERT_VALID,
    CMP_CERT_HOLD,
    CMP_CERT_REVOKED
} cmp_cert_state_e;


typedef enum {
    CMP_BY_NOBODY = 0,
    CMP_BY_ITSELF,                        /* the certificate itself */
    CMP_BY_CREDENTIAL,
    CMP_BY_RA,
    CMP_BY_OPERATOR
} cmp_by_e;


typedef struct {
    cmp_str_t             serial;         /* content octets, big endian */
    cmp_str_t             der;
    cmp_str_t             transaction_id; /* that asked for it */
    int32_t               cert_req_id;    /* in that transaction */
    int32_t               version;        /* grows by one with each change */
    int32_t               state;          /* cmp_cert_state_e */
    int32_t               reason;         /* CRLReason, when not valid */
    int32_t               hold_by;        /* cmp_by_e */
    int64_t               revoked_at;
    int64_t               credential_id;  /* it was issued under; 0: none */
    cmp_str_t             profile;
    cmp_str_t             key_hash;
    cmp_str_t             subject_hash;   /* SHA-256 of the Name's DER */
    cmp_str_t             predecessor;    /* serial it updates; empty: none */
    cmp_str_t             successor;      /* serial that updates it, confirmed
                                             or not; empty: none */
    unsigned              used:1;         /* has signed a message */
    unsigned              replaced:1;     /* successor was confirmed */
    unsigned              retired:1;      /* successor has signed a message */
} cmp_certificate_t;


/* what is known of a public key: one row for each key ever certified */

typedef struct {
    cmp_str_t             key_hash;       /* SHA-256 of SubjectPublicKeyInfo */
    cmp_str_t             subject_hash;   /* SHA-256 of the Name's DER */
    cmp_str_t             serial;         /* of its latest certificate */
    int32_t               version;
    unsigned              confirmed:1;    /* some certificate was confirmed */
    unsigned              compromised:1;  /* for ever */
} cmp_key_t;


/*
 * One request that waits for an operator, or whose answer the client has not
 * fetched: a certificate request, a RevDetails or a whole genm.
 */

typedef enum {
    CMP_REQUEST_PENDING = 0,
    CMP_REQUEST_APPROVED,
    CMP_REQUEST_REJECTED,
    CMP_REQUEST_EXPIRED,                  /* nobody decided or fetched it */
    CMP_REQUEST_DELIVERED,                /* done and answered */
    CMP_REQUEST_CANCELLED,                /* by the client */
    CMP_REQUEST_FAILED                    /* approved, but refused since */
} cmp_request_state_e;


typedef struct {
    int64_t               id;
    int32_t               version;        /* grows by one with each change */
    int32_t               state;          /* cmp_request_state_e */
    int32_t               cert_req_id;    /* rr: index of the RevDetails; genm:
                                             -1 */
    cmp_str_t             profile;
    cmp_str_t             reason;         /* of the operator, UTF-8 */
    int64_t               expires;
} cmp_waiting_t;


/* the successor of a root, as DER; empty: absent */

typedef struct {
    cmp_str_t             new_with_new;
    cmp_str_t             new_with_old;
    cmp_str_t             old_with_new;
    cmp_str_t             old_root;
} cmp_rollover_t;


typedef struct {
    int64_t               now;            /* the database's clock */

    /*
     * Filled when a transaction with this ID answered a message with this
     * hash; nothing else is loaded then.
     */
    cmp_str_t             reply;

    /* absent: NULL */
    cmp_transaction_t    *transaction;
    cmp_credential_t     *credential;     /* by reference, or the
                                             transaction's */
    cmp_certificate_t    *signer;         /* by hash, or the transaction's, or
                                             by name and SKI; NULL when it is
                                             not one of ours */

    /*
     * Those of the transaction, those named, the latest one of each key in
     * keys, and for each of these and for the signer its successor; each
     * serial once.
     */
    cmp_certificate_t    *certificates;
    size_t                ncertificates;

    cmp_key_t            *keys;
    size_t                nkeys;

    cmp_credential_t     *tokens;         /* those that are known */
    size_t                ntokens;

    /*
     * Of a transaction that waits or waited: the requests that are not
     * answered yet in the order of their ids, and the message that they were
     * in; what that needs is among certificates and keys.
     */
    cmp_waiting_t        *waiting;
    size_t                nwaiting;
    cmp_str_t             message;

    /* what was wanted */
    cmp_rollover_t       *rollover;       /* NULL: none is prepared */
    cmp_str_t             crl;            /* the latest; empty: none yet */
    int64_t               crl_this_update;
} cmp_records_t;


/*
 * In the place of the profile in certificates that the CA issues to itself as
 * an OCSP responder: no cmp_profile can have this name.
 */

#define CMP_PROFILE_OCSP  "(ocsp)"


/*
 * What an exchange writes, all of it or nothing: first the changes, in order,
 * then the new certificates.
 */

typedef struct {
    cmp_str_t             serial;
    cmp_str_t             der;
    int32_t               cert_req_id;
    int32_t               state;          /* UNCONFIRMED or VALID */
    cmp_str_t             subject;        /* DER of the Name */
    cmp_str_t             subject_hash;
    cmp_str_t             subject_text;   /* RFC 2253, for people */
    cmp_str_t             cert_hash;      /* SHA-256 of der */
    cmp_str_t             key_hash;       /* begins with its SKI */
    cmp_str_t             profile;
    cmp_str_t             predecessor;    /* its successor becomes this one */
    int32_t               predecessor_version;  /* expected after the changes
                                             below are made */
    int64_t               not_before;
    int64_t               not_after;
    int64_t               credential_id;
    int32_t               key_version;    /* of cmp_key_t; 0: no row yet */
    int32_t               partition;      /* of CRLs; 0: none */
} cmp_write_cert_t;


typedef enum {
    CMP_CHANGE_CONFIRM = 1,               /* unconfirmed -> valid; predecessor
                                             becomes replaced, key confirmed */
    CMP_CHANGE_REVOKE,                    /* any but revoked -> revoked */
    CMP_CHANGE_HOLD,                      /* valid -> hold */
    CMP_CHANGE_RELEASE,                   /* hold -> valid */
    CMP_CHANGE_USED                       /* the first signature by it;
                                             predecessor becomes retired */
} cmp_change_e;


typedef struct {
    cmp_str_t             serial;
    int32_t               version;        /* expected; else the race is lost */
    int32_t               action;         /* cmp_change_e */
    int32_t               reason;         /* CRLReason */
    int32_t               by;             /* cmp_by_e */
    int64_t               invalidity;     /* invalidityDate; 0: none */
} cmp_write_change_t;


typedef struct {
    cmp_str_t             action;         /* "ir", "certConf", "rr", ... */
    int32_t               status;         /* PKIStatus */
    int32_t               fail_info;      /* bit number; -1: none */
    cmp_str_t             serial;         /* concerned; empty: none */
    cmp_str_t             text;           /* what the requester was told */
} cmp_write_audit_t;


/* a request is to be decided by an operator: what one needs for that */

typedef struct {
    int32_t               cert_req_id;
    cmp_str_t             profile;
    cmp_str_t             subject;        /* RFC 2253 */
    cmp_str_t             sans;           /* "DNS:a, IP Address:..." */
    cmp_str_t             key_hash;       /* empty: rr, genm */
    cmp_str_t             serial;         /* to be updated or revoked */
    cmp_str_t             text;           /* what it is about, for people */
} cmp_write_request_t;


/* a waiting request is answered */

typedef struct {
    int64_t               id;
    int32_t               version;        /* expected; else the race is lost */
    int32_t               state;          /* cmp_request_state_e */
    cmp_str_t             serial;         /* issued; empty: none */
} cmp_write_answer_t;


typedef struct {
    int32_t               ca_id;

    /*
     * The transaction: version 0 claims a new transactionID, else the version
     * that is expected.  An empty id: no transaction is written and no reply
     * stored, only the rest.
     */
    cmp_transaction_t     transaction;
    cmp_str_t             nonce;          /* the request's, to be remembered */
    int64_t               confirm_timeout;    /* ms from the commit */
    int64_t               transaction_memory; /* ms from the commit */

    cmp_str_t             request_hash;
    cmp_str_t             reply;
    int64_t               reply_memory;   /* ms from the commit */

    int64_t               credential_use; /* one use of this id is spent */
    int64_t              *token_uses;     /* and of these, of regTokens */
    size_t                ntoken_uses;

    cmp_write_cert_t     *certs;
    size_t                ncerts;
    cmp_write_change_t   *changes;        /* each serial once */
    size_t                nchanges;

    cmp_write_audit_t    *audits;
    size_t                naudits;
    cmp_str_t             requester;      /* "mac:<reference>", "cert:<serial
                                             in hex>", "vendor:<name>", ... */
    cmp_str_t             client;         /* network address */

    /*
     * With requests: the message that they are in, and the serials and keys
     * that are loaded with it whenever its transaction is.
     */
    cmp_write_request_t  *requests;
    size_t                nrequests;
    cmp_str_t             message;
    cmp_str_t            *serials;
    size_t                nserials;
    cmp_str_t            *key_hashes;
    size_t                nkey_hashes;
    int64_t               approval_timeout;   /* ms from the commit */

    cmp_write_answer_t   *answers;
    size_t                nanswers;
} cmp_writes_t;


typedef enum {
    CMP_COMMIT_OK = 0,
    CMP_COMMIT_RACE,                      /* load, decide, commit again */
    CMP_COMMIT_UNAVAILABLE
} cmp_commit_e;


#endif /* _CMP_STORE_H_INCLUDED_ */
