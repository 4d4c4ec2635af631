
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A CA with its store and its clients, all in memory, and the loop that the
 * server runs around an exchange.  Time and randomness are fixed, so a CA
 * with an Ed25519 key gives the same bytes in each run.
 *
 * The PKI: a root and an issuing CA under it, a certificate that protects
 * answers; a vendor with a root, a CRL and a device certificate; an RA
 * certificate issued by the vendor's root.
 */


#ifndef _HARNESS_H_INCLUDED_
#define _HARNESS_H_INCLUDED_


#include <client.h>
#include <cmp_exchange.h>
#include <memstore.h>
#include <pki.h>


#define HARNESS_NOW           1893456000000LL     /* 2030-01-01 00:00:00 UTC */
#define HARNESS_YEAR          31536000000LL
#define HARNESS_CA_ID         7
#define HARNESS_TRIES         3

#define HARNESS_REFERENCE     "device-1"
#define HARNESS_SECRET        "correct horse battery staple"

#define HARNESS_DEVICE_SERIAL 4711                /* the vendor's */
#define HARNESS_RA_SERIAL     4712
#define HARNESS_LOST_SERIAL   4713                /* on the vendor's CRL */


typedef struct {
    X509                     *cert;
    EVP_PKEY                 *key;
} harness_pair_t;


typedef struct {
    cmp_pool_t               *pool;
    cmp_ca_t                  ca;
    cmp_profile_t             device;           /* the default */
    cmp_profile_t             server;           /* other rules, see below */
    cmp_scope_t               vendor_scope;
    cmp_scope_t               ra_scope;
    cmp_trusted_t             anchors[1];
    cmp_trusted_t             ras[1];
    memstore_t               *store;
    cmp_credential_t         *credential;       /* HARNESS_REFERENCE */

    int64_t                   now;              /* of the server */
    pki_random_t              random;
    const char               *profile;          /* of the URI; NULL: none */
    int                       label;
    unsigned                  sign_refusals:1;
    X509_NAME                *other_ca;         /* another one of this server;
                                                   borrowed, may be NULL */

    harness_pair_t            root;
    harness_pair_t            issuer;
    harness_pair_t            response;
    harness_pair_t            vendor;
    harness_pair_t            device_cert;      /* of the vendor */
    harness_pair_t            lost_cert;        /* revoked by the vendor */
    harness_pair_t            ra_cert;
    harness_pair_t            stranger;         /* self-signed */

    uint64_t                  serial;           /* of harness_enrol() */

    /* of the last exchange */
    cmp_exchange_e            result;
    int                       loads;            /* that it took */
    int                       committed;
    cmp_exchange_info_t       info;             /* pointers are gone */
    char                      requester[256];
    int                       logged;           /* there was more to log */
    unsigned char            *reply;
    size_t                    reply_len;
} harness_t;


/* called with a text when an exchange breaks a rule; ends the program */
extern void (*harness_fail)(const char *text);


/*
 * The keys of CA and response certificate are of this kind (pki_key_e).  The
 * profile "device" allows all keys, CN with O and serialNumber, dns and ip
 * names, implicit confirmation; "server" wants a dns name and P-256, gives no
 * implicit confirmation and drops extensions that it does not know.
 */
harness_t *harness_create(int key);
void harness_destroy(harness_t *h);

/* as after a reload of the configuration: no path is known */
void harness_reload(harness_t *h);

/* an empty store with the one secret, the time and randomness of the start */
void harness_reset(harness_t *h);

/*
 * One exchange, as the server runs it.  The request is copied and the copy
 * freed behind it.  Checks what holds for each exchange: the error queue is
 * empty, nothing is written before authentication, whatever is written has an
 * audit row.
 */
cmp_exchange_e harness_exchange(harness_t *h, const unsigned char *request,
    size_t len);

/* a certificate of this CA as if enrolled before; state: cmp_cert_state_e */
harness_pair_t harness_enrol(harness_t *h, const char *subject, int key,
    const char *name, int state);
void harness_pair_free(harness_pair_t *pair);

/* content octets of its serial, valid as long as cert */
cmp_str_t harness_serial(X509 *cert);

/* the row of a certificate; NULL when there is none */
memstore_cert_t *harness_row(harness_t *h, X509 *cert);

/* settings of a client that uses the shared secret, or the certificate */
void harness_client_mac(harness_t *h, client_t *client);
void harness_client_sign(harness_t *h, client_t *client,
    const harness_pair_t *pair);


#endif /* _HARNESS_H_INCLUDED_ */
