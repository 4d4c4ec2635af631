
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A CA, a client and the last answer, for cmocka tests of the exchange.
 */


#ifndef _FIXTURE_H_INCLUDED_
#define _FIXTURE_H_INCLUDED_


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <client.h>
#include <harness.h>
#include <memstore.h>

#include <openssl/err.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define FIXTURE_SUBJECT       "/O=Example/CN=device-1"
#define FIXTURE_NONCES        64

/* an entry of the table of tests, with a CA of its own */

#define fixture_test(name)                                                    \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#define fixture_test_strict(name)                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup_strict,               \
                                    fixture_teardown)

/* what a refusal may have done to the store */

#define FIXTURE_QUIET         0     /* nothing at all */
#define FIXTURE_AUDITED       1     /* an audit row, no certificate changed */
#define FIXTURE_CHANGED       2     /* an audit row, a certificate changed */


typedef struct {
    harness_t                *h;
    client_t                  c;
    client_answer_t          *a;            /* the last one; NULL: none */
    EVP_PKEY                 *key;          /* P-256, to be certified */
    EVP_PKEY                 *key2;         /* another one */

    unsigned char            *request;      /* the last one */
    size_t                    request_len;

    unsigned                  unprotected:1;    /* so are the answers */

    /* the store before the last message */
    unsigned                  changes;
    size_t                    audits;
    size_t                    certs;
    uint64_t                  versions;

    unsigned char             nonces[FIXTURE_NONCES][16];
    size_t                    nnonces;
} fixture_t;


/* the keys of the CA are of this kind; the client uses the shared secret */
fixture_t *fixture_create(int key);
void fixture_destroy(fixture_t *f);

/* the same, with an Ed25519 CA */
int fixture_setup(void **state);
int fixture_setup_strict(void **state);
int fixture_teardown(void **state);

/* the level, and what its clients have to do */
void fixture_strict(fixture_t *f);

/* a certificate of this CA signs from now on; freed with the fixture */
void fixture_sign(fixture_t *f, const harness_pair_t *pair);

/*
 * Protects and sends, checks what has to be right in every answer, and makes
 * it the last one.  fixture_send_raw() leaves the protection as it is.  With
 * CMP_TEST_CORPUS=DIR each message is written there, for t/fuzz/corpus.
 */
client_answer_t *fixture_send(fixture_t *f, cmp_pki_message_t *msg);
client_answer_t *fixture_send_raw(fixture_t *f, cmp_pki_message_t *msg);
client_answer_t *fixture_send_bytes(fixture_t *f, const unsigned char *der,
    size_t len);

/* the last request once more, octet by octet */
client_answer_t *fixture_repeat(fixture_t *f);

/* a request for one certificate, in a new transaction; subject NULL: usual */
cmp_pki_message_t *fixture_request(fixture_t *f, int type, const char *subject,
    EVP_PKEY *key);

/* an ir with the usual subject and key */
cmp_pki_message_t *fixture_ir(fixture_t *f);

/* a kur of the certificate, in a new transaction */
cmp_pki_message_t *fixture_kur(fixture_t *f, X509 *cert, EVP_PKEY *key);

/* an rr for the certificate, in a new transaction */
cmp_pki_message_t *fixture_rr(fixture_t *f, X509 *cert, int reason);

/* accepts all certificates of the last answer */
cmp_pki_message_t *fixture_conf(fixture_t *f);

/* a pollReq with one certReqId */
client_answer_t *fixture_poll(fixture_t *f, int id);

/* the first status of the last answer is waiting, the audit says so */
#define fixture_waits(f, body)                                                \
    fixture_check_waits(f, body, __FILE__, __LINE__)

/* the last answer is a pollRep for this certReqId */
#define fixture_later(f, id)                                                  \
    fixture_check_later(f, id, __FILE__, __LINE__)

void fixture_check_waits(fixture_t *f, int body, const char *file, int line);
void fixture_check_later(fixture_t *f, int id, const char *file, int line);

/* the last answer is a refusal with this body and bit; effect: FIXTURE_* */
#define fixture_refused(f, body, bit, effect)                                 \
    fixture_check_refused(f, body, bit, effect, __FILE__, __LINE__)

/* the last answer grants all it was asked for, unmodified */
#define fixture_granted(f, body)                                              \
    fixture_check_granted(f, body, __FILE__, __LINE__)

void fixture_check_refused(fixture_t *f, int body, int bit, int effect,
    const char *file, int line);
void fixture_check_granted(fixture_t *f, int body, const char *file, int line);

/* the state of a certificate in the store; -1: not there */
int fixture_state(fixture_t *f, X509 *cert);

/* a certificate that outlives the answer; freed with X509_free() */
X509 *fixture_keep(fixture_t *f);


#endif /* _FIXTURE_H_INCLUDED_ */
