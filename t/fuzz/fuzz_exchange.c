
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Exchanges: cmp_exchange_parse(), cmp_exchange_decide() and all behind them.
 *
 * An input is: state, options, then messages, each with two octets of flags
 * and two of its length.  What nobody can guess (MACs, signatures, nonces,
 * hashes) is made right where the flags say so.
 *
 * With -DCMP_FUZZ_MAIN a program that reads the files named.
 */


#include <client.h>
#include <harness.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


#define FUZZ_MESSAGES        4

/* state: what was before the first message */

#define FUZZ_NOTHING         0
#define FUZZ_UNCONFIRMED     1      /* an ir by MAC waits for certConf */
#define FUZZ_CONFIRMED       2      /* the same, confirmed */
#define FUZZ_UPDATED         3      /* a kur by our own certificate waits */
#define FUZZ_REPLACED        4      /* the same, confirmed */
#define FUZZ_HOLD            5
#define FUZZ_STATES          6

/* options */

#define FUZZ_STRICT          0x01
#define FUZZ_REVOKER         0x02   /* the secret may revoke */
#define FUZZ_ONE_USE         0x04
#define FUZZ_ALL_PROFILES    0x08
#define FUZZ_UNPROTECTED     0x10   /* genm without protection */
#define FUZZ_LATE            0x20   /* confirm_timeout is over */
#define FUZZ_REUSE           0x40
#define FUZZ_NO_SIGN         0x80

/* flags of a message: who protects it (0: it stays as it is) */

#define FUZZ_PROTECT_MASK    0x07
#define FUZZ_MAC             1
#define FUZZ_PBMAC1          2
#define FUZZ_OWN             3
#define FUZZ_VENDOR          4
#define FUZZ_RA              5
#define FUZZ_NONE            6

#define FUZZ_FIX_HEADER      0x08   /* transactionID and nonces */
#define FUZZ_FIX_POP         0x10
#define FUZZ_FIX_NAMES       0x20   /* hashes, serial numbers, subjects */
#define FUZZ_RACE            0x40
#define FUZZ_AWAY            0x80

/* second octet: the label, and the profile in the URI */

#define FUZZ_LABEL_MASK      0x0f
#define FUZZ_PROFILE_DEVICE  0x10
#define FUZZ_PROFILE_SERVER  0x20

#define fuzz_check(cond)                                                      \
    if (!(cond)) {                                                            \
        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);            \
        abort();                                                              \
    }


typedef struct {
    harness_t        *h;
    client_t          c;
    EVP_PKEY         *key;
    harness_pair_t    own;
    X509             *cert;         /* of the last answer; NULL: none */
} fuzz_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_begin(fuzz_t *t, unsigned state, unsigned options);
static void fuzz_enrol(fuzz_t *t, int type);
static void fuzz_finish(fuzz_t *t, cmp_pki_message_t *msg);
static void fuzz_options(fuzz_t *t, unsigned options);
static void fuzz_identity(fuzz_t *t, unsigned who);
static void fuzz_message(fuzz_t *t, const uint8_t *flags, const uint8_t *data,
    size_t size);
static void fuzz_fix_header(fuzz_t *t, cmp_pki_message_t *msg);
static void fuzz_fix_requests(fuzz_t *t, cmp_pki_message_t *msg,
    unsigned flags);
static void fuzz_fix_names(fuzz_t *t, cmp_pki_message_t *msg);
static void fuzz_send(fuzz_t *t, const uint8_t *data, size_t size);
static void fuzz_check_certs(fuzz_t *t, size_t first, unsigned who);
static void fuzz_end(fuzz_t *t);


static fuzz_t     fuzz;
static cmp_str_t  fuzz_profiles[] = {
    cmp_string("device"),
    cmp_string("server")
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             i;
    size_t          len;
    const uint8_t  *end;

    end = data + size;

    if (size < 6) {
        return 0;
    }

    fuzz_begin(&fuzz, data[0] % FUZZ_STATES, data[1]);
    data += 2;

    for (i = 0; i < FUZZ_MESSAGES && end - data >= 4; i++) {
        len = (data[2] << 8) + data[3];

        if (len > (size_t) (end - data - 4)) {
            len = end - data - 4;
        }

        fuzz_message(&fuzz, data, data + 4, len);
        data += 4 + len;
    }

    fuzz_end(&fuzz);

    return 0;
}


static void
fuzz_begin(fuzz_t *t, unsigned state, unsigned options)
{
    cmp_str_t           serial;
    cmp_pki_message_t  *msg;

    if (t->h == NULL) {
        t->h = harness_create(PKI_ED25519);
        t->key = pki_key(PKI_ED25519, "fuzz");
    }

    harness_reset(t->h);
    t->h->ca.conformance = CMP_RFC9810;
    client_init(&t->c, 2, t->h->now);
    t->cert = NULL;

    t->own = harness_enrol(t->h, "/O=Example/CN=device-1", PKI_ED25519, "own",
                           CMP_CERT_VALID);

    switch (state) {

    case FUZZ_UNCONFIRMED:
    case FUZZ_CONFIRMED:
        harness_client_mac(t->h, &t->c);
        fuzz_enrol(t, CMP_BODY_IR);
        break;

    case FUZZ_UPDATED:
    case FUZZ_REPLACED:
        harness_client_sign(t->h, &t->c, &t->own);
        fuzz_enrol(t, CMP_BODY_KUR);
        break;

    case FUZZ_HOLD:
        serial = harness_serial(t->own.cert);
        (void) memstore_revoke(t->h->store, &serial,
                               CRL_REASON_CERTIFICATE_HOLD, CMP_BY_ITSELF);
        break;

    default:
        break;
    }

    if (state == FUZZ_CONFIRMED || state == FUZZ_REPLACED) {
        msg = client_message(&t->c, CMP_BODY_CERTCONF);
        (void) client_add_status(msg, t->cert, 0, -1);
        fuzz_finish(t, msg);
        fuzz_check(t->h->committed);
    }

    fuzz_options(t, options);
}


static void
fuzz_enrol(fuzz_t *t, int type)
{
    client_request_t    request;
    cmp_pki_message_t  *msg;

    memset(&request, 0, sizeof(client_request_t));
    request.subject = "/O=Example/CN=device-1";
    request.key = t->key;

    msg = client_message(&t->c, type);
    (void) client_add_request(&t->c, msg, &request);
    fuzz_finish(t, msg);
    fuzz_check(t->cert != NULL);
}


/* protects, sends, frees */

static void
fuzz_finish(fuzz_t *t, cmp_pki_message_t *msg)
{
    size_t          len;
    unsigned char  *der;

    client_protect(&t->c, msg);
    der = client_encode(msg, &len);
    fuzz_send(t, der, len);
    free(der);
}


static void
fuzz_options(fuzz_t *t, unsigned options)
{
    harness_t  *h = t->h;

    h->ca.conformance = (options & FUZZ_STRICT) ? CMP_RFC9483 : CMP_RFC9810;
    h->ca.unprotected_genm = ((options & FUZZ_UNPROTECTED) != 0);
    h->device.key_reuse = (options & FUZZ_REUSE) ? CMP_KEY_REUSE_SUBJECT
                                                 : CMP_KEY_REUSE_NEVER;
    h->device.release_itself = ((options & FUZZ_REUSE) != 0);
    h->sign_refusals = ((options & FUZZ_NO_SIGN) == 0);

    h->credential->may_revoke = ((options & FUZZ_REVOKER) != 0);
    h->credential->uses_left = (options & FUZZ_ONE_USE) ? 1 : -1;
    h->credential->profiles = NULL;
    h->credential->nprofiles = 0;

    if (options & FUZZ_ALL_PROFILES) {
        h->credential->profiles = fuzz_profiles;
        h->credential->nprofiles = 2;
    }

    if (options & FUZZ_LATE) {
        h->now += h->ca.confirm_timeout + 1000;
        h->store->now = h->now;
        t->c.now = h->now;
        memstore_sweep(h->store);
    }
}


static void
fuzz_identity(fuzz_t *t, unsigned who)
{
    t->c.no_extra_certs = 0;

    switch (who) {

    case FUZZ_PBMAC1:
    case FUZZ_MAC:
        harness_client_mac(t->h, &t->c);
        t->c.protection = (who == FUZZ_MAC) ? CLIENT_PBM : CLIENT_PBMAC1;
        break;

    case FUZZ_OWN:
        harness_client_sign(t->h, &t->c, &t->own);
        break;

    case FUZZ_VENDOR:
        harness_client_sign(t->h, &t->c, &t->h->device_cert);
        break;

    case FUZZ_RA:
        harness_client_sign(t->h, &t->c, &t->h->ra_cert);
        break;

    default:
        t->c.protection = CLIENT_NONE;
        break;
    }
}


static void
fuzz_message(fuzz_t *t, const uint8_t *flags, const uint8_t *data, size_t size)
{
    size_t              certs;
    unsigned            who;
    unsigned char      *der;
    cmp_pki_message_t  *msg;

    who = flags[0] & FUZZ_PROTECT_MASK;
    certs = t->h->store->certs.n;

    t->h->label = (flags[1] & FUZZ_LABEL_MASK) % (CMP_LABEL_NESTED + 1);
    t->h->profile = (flags[1] & FUZZ_PROFILE_DEVICE) ? "device"
                    : (flags[1] & FUZZ_PROFILE_SERVER) ? "server" : NULL;
    t->h->store->races = ((flags[0] & FUZZ_RACE) != 0);
    t->h->store->no_commit = ((flags[0] & FUZZ_AWAY) != 0);

    msg = NULL;

    if (who != 0) {
        msg = cmp_asn1_decode(cmp_pki_message_t, data, size);
    }

    if (msg == NULL) {
        fuzz_send(t, data, size);
        return;
    }

    fuzz_identity(t, who);

    if (flags[0] & FUZZ_FIX_HEADER) {
        fuzz_fix_header(t, msg);
    }

    if (flags[0] & (FUZZ_FIX_POP | FUZZ_FIX_NAMES)) {
        fuzz_fix_requests(t, msg, flags[0]);
    }

    if (flags[0] & FUZZ_FIX_NAMES) {
        fuzz_fix_names(t, msg);
    }

    if (who != FUZZ_NONE) {
        sk_X509_pop_free(msg->extra_certs, X509_free);
        msg->extra_certs = NULL;
    }

    /* what was decoded from BER may not be encoded again */

    if (cmp_asn1_encode(cmp_pki_message_t, msg, &der) < 0) {
        cmp_asn1_free(cmp_pki_message_t, msg);
        return;
    }

    OPENSSL_free(der);

    fuzz_finish(t, msg);
    fuzz_check_certs(t, certs, who);
}


static void
fuzz_fix_header(fuzz_t *t, cmp_pki_message_t *msg)
{
    cmp_pki_header_t   *header, *usual;
    cmp_pki_message_t  *good;

    header = msg->header;

    switch (msg->body->type) {

    case CMP_BODY_CERTCONF:
    case CMP_BODY_PKICONF:
    case CMP_BODY_ERROR:
    case CMP_BODY_POLLREQ:
        break;

    default:
        client_begin(&t->c);
        break;
    }

    good = client_message(&t->c, CMP_BODY_PKICONF);
    usual = good->header;

    client_set_octets(&header->transaction_id, usual->transaction_id->data,
                      usual->transaction_id->length);
    client_set_octets(&header->sender_nonce, usual->sender_nonce->data,
                      usual->sender_nonce->length);
    client_set_octets(&header->recip_nonce,
                      usual->recip_nonce != NULL ? usual->recip_nonce->data
                                                 : NULL,
                      16);
    client_set_octets(&header->sender_kid,
                      usual->sender_kid != NULL ? usual->sender_kid->data
                                                : NULL,
                      usual->sender_kid != NULL ? usual->sender_kid->length
                                                : 0);

    GENERAL_NAME_free(header->sender);
    header->sender = usual->sender;
    usual->sender = GENERAL_NAME_new();

    ASN1_GENERALIZEDTIME_free(header->message_time);
    header->message_time = usual->message_time;
    usual->message_time = NULL;

    (void) ASN1_INTEGER_set(header->pvno, 2 + ASN1_INTEGER_get(header->pvno)
                                              % 2);
    ERR_clear_error();

    cmp_asn1_free(cmp_pki_message_t, good);
}


/* the first request gets a key of ours, and a proof for it */

static void
fuzz_fix_requests(fuzz_t *t, cmp_pki_message_t *msg, unsigned flags)
{
    client_request_t     request;
    cmp_cert_req_msg_t  *req;
    cmp_cert_request_t  *cr;

    switch (msg->body->type) {

    case CMP_BODY_IR:
    case CMP_BODY_CR:
    case CMP_BODY_KUR:
        break;

    case CMP_BODY_P10CR:

        if (flags & FUZZ_FIX_POP) {
            (void) X509_REQ_set_pubkey(msg->body->value.p10cr, t->key);
            (void) X509_REQ_sign(msg->body->value.p10cr, t->key, NULL);
            ERR_clear_error();
        }

        return;

    default:
        return;
    }

    if (sk_cmp_cert_req_msg_t_num(msg->body->value.ir) == 0) {
        return;
    }

    req = sk_cmp_cert_req_msg_t_value(msg->body->value.ir, 0);
    cr = req->cert_req;

    if (flags & FUZZ_FIX_NAMES) {
        X509_NAME_free(cr->cert_template->subject);
        cr->cert_template->subject = pki_name("/O=Example/CN=device-1");
    }

    if (flags & FUZZ_FIX_POP) {
        (void) pki_set_public_key(&cr->cert_template->public_key, t->key);

        memset(&request, 0, sizeof(client_request_t));
        request.key = t->key;
        client_pop(&t->c, req, &request);
    }
}


/* certHash in a certConf, issuer and serialNumber in an rr */

static void
fuzz_fix_names(fuzz_t *t, cmp_pki_message_t *msg)
{
    ASN1_OCTET_STRING    *hash;
    cmp_cert_status_t    *cs, *good;
    cmp_pki_message_t    *copy;
    cmp_cert_template_t  *tmpl;

    if (msg->body->type == CMP_BODY_CERTCONF
        && t->cert != NULL
        && sk_cmp_cert_status_t_num(msg->body->value.cert_conf) != 0)
    {
        copy = client_message(&t->c, CMP_BODY_CERTCONF);
        good = client_add_status(copy, t->cert, 0, -1);
        cs = sk_cmp_cert_status_t_value(msg->body->value.cert_conf, 0);

        hash = cs->cert_hash;
        cs->cert_hash = good->cert_hash;
        good->cert_hash = hash;

        cmp_asn1_free(cmp_pki_message_t, copy);
    }

    if (msg->body->type == CMP_BODY_RR
        && sk_cmp_rev_details_t_num(msg->body->value.rr) != 0)
    {
        tmpl = sk_cmp_rev_details_t_value(msg->body->value.rr, 0)
                   ->cert_details;

        X509_NAME_free(tmpl->issuer);
        tmpl->issuer = X509_NAME_dup(X509_get_issuer_name(t->own.cert));
        ASN1_INTEGER_free(tmpl->serial_number);
        tmpl->serial_number = ASN1_INTEGER_dup(
                                  X509_get0_serialNumber(t->own.cert));
    }
}


static void
fuzz_send(fuzz_t *t, const uint8_t *data, size_t size)
{
    X509             *cert;
    client_answer_t  *answer;

    (void) harness_exchange(t->h, data, size);

    fuzz_check(t->h->result != CMP_EXCHANGE_ERROR);

    if (t->h->reply == NULL) {
        return;
    }

    answer = client_answer(t->h->reply, t->h->reply_len);
    fuzz_check(answer != NULL);
    fuzz_check(answer->fail_info != -2);
    fuzz_check(answer->status != CMP_STATUS_REJECTION
               || (answer->fail_info >= 0 && answer->text[0] != '\0'));

    cert = answer->cert;

    if (t->h->committed) {
        client_accept(&t->c, answer);
    }

    if (cert != NULL) {
        (void) X509_up_ref(cert);
        X509_free(t->cert);
        t->cert = cert;
    }

    client_answer_free(answer);
    ERR_clear_error();
}


/* what may never be issued, whatever was asked for */

static void
fuzz_check_certs(fuzz_t *t, size_t first, unsigned who)
{
    size_t                i;
    X509                 *cert;
    const cmp_str_t      *der;
    memstore_cert_t      *row;
    const unsigned char  *p;

    for (i = first; i < t->h->store->certs.n; i++) {
        row = t->h->store->certs.items[i];
        der = &row->record.der;

        p = der->data;
        cert = d2i_X509(NULL, &p, der->len);
        fuzz_check(cert != NULL);

        fuzz_check(X509_check_ca(cert) == 0);
        fuzz_check(X509_verify(cert, t->h->issuer.key) == 1);
        fuzz_check(who != FUZZ_NONE);

        if (who == FUZZ_OWN) {
            fuzz_check(X509_NAME_cmp(X509_get_subject_name(cert),
                                     X509_get_subject_name(t->own.cert))
                       == 0);
        }

        X509_free(cert);
    }

    ERR_clear_error();
}


static void
fuzz_end(fuzz_t *t)
{
    harness_pair_free(&t->own);
    X509_free(t->cert);
    t->cert = NULL;

    /* it points to memory of this file */

    t->h->credential->profiles = NULL;
    t->h->credential->nprofiles = 0;
}


#ifdef CMP_FUZZ_MAIN

int
main(int argc, char **argv)
{
    int              i;
    FILE            *file;
    size_t           n;
    static uint8_t   buf[1024 * 1024];

    for (i = 1; i < argc; i++) {
        file = fopen(argv[i], "rb");

        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }

        n = fread(buf, 1, sizeof(buf), file);
        (void) fclose(file);
        (void) LLVMFuzzerTestOneInput(buf, n);
    }

    EVP_PKEY_free(fuzz.key);
    harness_destroy(fuzz.h);

    return 0;
}

#endif
