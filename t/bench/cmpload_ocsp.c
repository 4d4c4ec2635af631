
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * OCSP by POST and GET (RFC 6960, RFC 5019, RFC 9654).  A responder sends the
 * same answer for as long as it may; so its signature is verified once, and
 * the time each time.
 */


#include <cmpload.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>


#define LOAD_OCSP_SKEW  5           /* s, of clocks */


typedef struct {
    OCSP_CERTID            *id;
    cmp_str_t               request;
    cmp_str_t               known;      /* the answer verified last */
    int                     status;     /* that it tells */
    time_t                  until;      /* nextUpdate */
} load_asked_t;


struct load_ocsp_s {
    load_asked_t           *asked;
    int                     n;
    X509_STORE             *store;
    load_ocsp_count_t       count;
};


typedef struct {
    int                     status;
    ASN1_GENERALIZEDTIME   *this_update;
    ASN1_GENERALIZEDTIME   *next_update;
} load_single_t;


static void load_ocsp_request(load_t *load, OCSP_CERTID *id,
    const unsigned char *nonce, cmp_str_t *request);
static void load_ocsp_get(load_t *load, const unsigned char *der, int len,
    cmp_str_t *request);
static int load_ocsp_response(load_t *load, load_task_t *task,
    const cmp_str_t *answer, OCSP_RESPONSE *response, char *err, size_t size);
static int load_ocsp_single(load_t *load, load_task_t *task,
    OCSP_BASICRESP *basic, load_single_t *single, char *err, size_t size);
static int load_ocsp_nonce(const load_t *load, const load_task_t *task,
    OCSP_BASICRESP *basic);
static int load_ocsp_signature(load_t *load, OCSP_BASICRESP *basic);
static int load_ocsp_status(load_t *load, int status, char *err, size_t size);
static void load_ocsp_keep(load_asked_t *asked, const cmp_str_t *answer,
    const load_single_t *single);
static int load_ocsp_wrong(int kind, char *err, size_t size, const char *text);


load_ocsp_t *
load_ocsp_create(const load_conf_t *conf, const load_check_t *check)
{
    int                     i;
    load_ocsp_t            *ocsp;
    STACK_OF(OCSP_CERTID)  *ids;

    ocsp = load_alloc(sizeof(load_ocsp_t));
    ids = load_ask(conf);

    ocsp->n = sk_OCSP_CERTID_num(ids);
    ocsp->asked = load_alloc(ocsp->n * sizeof(load_asked_t));
    ocsp->count.certificates = ocsp->n;
    ocsp->store = load_check_store(check);

    for (i = 0; i < ocsp->n; i++) {
        ocsp->asked[i].id = sk_OCSP_CERTID_value(ids, i);
    }

    sk_OCSP_CERTID_free(ids);

    return ocsp;
}


void
load_ocsp_free(load_ocsp_t *ocsp)
{
    int  i;

    if (ocsp == NULL) {
        return;
    }

    for (i = 0; i < ocsp->n; i++) {
        OCSP_CERTID_free(ocsp->asked[i].id);
        free(ocsp->asked[i].request.data);
        free(ocsp->asked[i].known.data);
    }

    free(ocsp->asked);
    free(ocsp);
}


void
load_ocsp_count(const load_ocsp_t *ocsp, load_ocsp_count_t *count)
{
    *count = ocsp->count;
}


/* without a nonce, one request for each certificate is enough */

void
load_ocsp_prepare(load_t *load, load_task_t *task)
{
    load_asked_t  *asked;

    asked = &load->ocsp->asked[task->number % load->ocsp->n];

    if (load->conf->nonce) {
        load_must(RAND_bytes(task->sender_nonce, CMP_NONCE_LEN) == 1);
        load_ocsp_request(load, asked->id, task->sender_nonce,
                          &task->request);
        return;
    }

    if (asked->request.data == NULL) {
        load_ocsp_request(load, asked->id, NULL, &asked->request);
    }

    task->request = asked->request;
    task->shared = 1;
}


static void
load_ocsp_request(load_t *load, OCSP_CERTID *id, const unsigned char *nonce,
    cmp_str_t *request)
{
    int             len;
    OCSP_CERTID    *copy;
    OCSP_REQUEST   *req;
    unsigned char  *der;

    der = NULL;
    req = OCSP_REQUEST_new();
    copy = OCSP_CERTID_dup(id);
    load_must(req != NULL && copy != NULL);
    load_must(OCSP_request_add0_id(req, copy) != NULL);

    if (nonce != NULL) {
        load_must(OCSP_request_add1_nonce(req, (unsigned char *) nonce,
                                          CMP_NONCE_LEN)
                  == 1);
    }

    len = i2d_OCSP_REQUEST(req, &der);
    load_must(len > 0);
    OCSP_REQUEST_free(req);

    if (load->op->get) {
        load_ocsp_get(load, der, len, request);

    } else {
        load_request(load, load->conf->path, "application/ocsp-request", der,
                     len, request);
    }

    OPENSSL_free(der);
}


/* base64 behind a slash, what means something in a URL being escaped */

static void
load_ocsp_get(load_t *load, const unsigned char *der, int len,
    cmp_str_t *request)
{
    char           *path;
    size_t          n;
    unsigned char  *base64, *p;

    base64 = load_alloc(4 * ((size_t) len + 2) / 3 + 4);
    (void) EVP_EncodeBlock(base64, der, len);

    n = strlen(load->conf->path);
    path = load_alloc(n + 3 * strlen((char *) base64) + 2);
    memcpy(path, load->conf->path, n);

    if (path[n - 1] != '/') {
        path[n++] = '/';
    }

    for (p = base64; *p != '\0'; p++) {
        switch (*p) {

        case '+':
        case '/':
        case '=':
            n += sprintf(path + n, "%%%02X", *p);
            break;

        default:
            path[n++] = *p;
        }
    }

    load_request(load, path, NULL, NULL, 0, request);

    free(base64);
    free(path);
}


int
load_ocsp_check(load_t *load, load_task_t *task, const unsigned char *data,
    size_t len, char *err, size_t size)
{
    int                   rc;
    cmp_str_t             answer;
    load_asked_t         *asked;
    OCSP_RESPONSE        *response;
    const unsigned char  *p;

    answer.data = (unsigned char *) data;
    answer.len = len;
    asked = &load->ocsp->asked[task->number % load->ocsp->n];

    if (asked->known.len != 0 && cmp_str_equal(&asked->known, &answer)) {
        if (asked->until < time(NULL) - LOAD_OCSP_SKEW) {
            return load_ocsp_wrong(LOAD_VALIDITY, err, size,
                                   "nextUpdate of the answer is over");
        }

        return load_ocsp_status(load, asked->status, err, size);
    }

    p = data;
    response = d2i_OCSP_RESPONSE(NULL, &p, (long) len);

    if (response == NULL || p != data + len) {
        rc = load_ocsp_wrong(LOAD_DECODE, err, size,
                             "the answer is no OCSPResponse in DER");

    } else {
        rc = load_ocsp_response(load, task, &answer, response, err, size);
    }

    OCSP_RESPONSE_free(response);
    cmp_crypto_error(NULL, 0);

    return rc;
}


static int
load_ocsp_response(load_t *load, load_task_t *task, const cmp_str_t *answer,
    OCSP_RESPONSE *response, char *err, size_t size)
{
    int              rc, status, full;
    load_asked_t    *asked;
    load_single_t    single;
    OCSP_BASICRESP  *basic;

    status = OCSP_response_status(response);

    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        return load_ocsp_wrong(LOAD_REFUSED, err, size,
                               OCSP_response_status_str(status));
    }

    basic = OCSP_response_get1_basic(response);
    if (basic == NULL) {
        return load_ocsp_wrong(LOAD_DECODE, err, size,
                               "the answer has no BasicOCSPResponse");
    }

    full = (load->conf->verify == LOAD_VERIFY_ALL)
           || (load->conf->verify == LOAD_VERIFY_SAMPLE
               && task->number % LOAD_SAMPLE == 0);

    rc = load_ocsp_single(load, task, basic, &single, err, size);

    if (rc == LOAD_OK && full && load_ocsp_signature(load, basic) == 0) {
        rc = load_ocsp_wrong(LOAD_PROTECTION, err, size,
                             "the answer is not signed for the CA");
    }

    if (rc == LOAD_OK && full && load->conf->nonce == 0) {
        asked = &load->ocsp->asked[task->number % load->ocsp->n];
        load_ocsp_keep(asked, answer, &single);
    }

    OCSP_BASICRESP_free(basic);

    return (rc == LOAD_OK) ? load_ocsp_status(load, single.status, err, size)
                           : rc;
}


/* about the certificate that was asked for, alone, and of now */

static int
load_ocsp_single(load_t *load, load_task_t *task, OCSP_BASICRESP *basic,
    load_single_t *single, char *err, size_t size)
{
    OCSP_SINGLERESP  *resp;

    if (OCSP_resp_count(basic) != 1) {
        return load_ocsp_wrong(LOAD_BODY, err, size,
                               "not one SingleResponse as it should be");
    }

    resp = OCSP_resp_get0(basic, 0);
    single->status = OCSP_single_get0_status(resp, NULL, NULL,
                                             &single->this_update,
                                             &single->next_update);

    if (load->conf->verify == LOAD_VERIFY_NONE) {
        return LOAD_OK;
    }

    if (OCSP_id_cmp(load->ocsp->asked[task->number % load->ocsp->n].id,
                    OCSP_SINGLERESP_get0_id(resp))
        != 0)
    {
        return load_ocsp_wrong(LOAD_BODY, err, size,
                               "the answer is about another certificate");
    }

    /* RFC 5019, 2.2.4: nextUpdate has to be there */

    if (single->next_update == NULL
        || OCSP_check_validity(single->this_update, single->next_update,
                               LOAD_OCSP_SKEW, -1)
           != 1)
    {
        return load_ocsp_wrong(LOAD_VALIDITY, err, size,
                               "thisUpdate and nextUpdate are not about now");
    }

    if (load_ocsp_nonce(load, task, basic) == 0) {
        return load_ocsp_wrong(LOAD_HEADER, err, size,
                               "the nonce is not that of the request");
    }

    return LOAD_OK;
}


/* the extension has an OCTET STRING inside (RFC 9654, 2.1) */

static int
load_ocsp_nonce(const load_t *load, const load_task_t *task,
    OCSP_BASICRESP *basic)
{
    int                       i;
    const unsigned char      *p;
    const ASN1_OCTET_STRING  *value;

    if (load->conf->nonce == 0) {
        return 1;
    }

    i = OCSP_BASICRESP_get_ext_by_NID(basic, NID_id_pkix_OCSP_Nonce, -1);
    if (i < 0) {
        return 0;
    }

    value = X509_EXTENSION_get_data(OCSP_BASICRESP_get_ext(basic, i));
    p = ASN1_STRING_get0_data(value);

    return ASN1_STRING_length(value) == 2 + CMP_NONCE_LEN
           && p[0] == V_ASN1_OCTET_STRING
           && p[1] == CMP_NONCE_LEN
           && memcmp(p + 2, task->sender_nonce, CMP_NONCE_LEN) == 0;
}


/* by the CA, or by one that the CA lets sign (RFC 6960, 4.2.2.2) */

static int
load_ocsp_signature(load_t *load, OCSP_BASICRESP *basic)
{
    load->ocsp->count.verified++;

    return OCSP_basic_verify(basic, load->conf->ca, load->ocsp->store, 0) == 1;
}


static int
load_ocsp_status(load_t *load, int status, char *err, size_t size)
{
    if (status < 0 || status > V_OCSP_CERTSTATUS_UNKNOWN) {
        return load_ocsp_wrong(LOAD_DECODE, err, size,
                               "the answer has no CertStatus");
    }

    load->ocsp->count.statuses[status]++;

    if (load->conf->status != -1 && load->conf->status != status) {
        (void) snprintf(err, size, "the certificate is %s",
                        OCSP_cert_status_str(status));
        return LOAD_CERT_STATUS;
    }

    return LOAD_OK;
}


static void
load_ocsp_keep(load_asked_t *asked, const cmp_str_t *answer,
    const load_single_t *single)
{
    struct tm  tm;

    if (ASN1_TIME_to_tm(single->next_update, &tm) != 1) {
        return;
    }

    free(asked->known.data);
    asked->known.data = load_alloc(answer->len);
    asked->known.len = answer->len;
    memcpy(asked->known.data, answer->data, answer->len);

    asked->status = single->status;
    asked->until = timegm(&tm);
}


static int
load_ocsp_wrong(int kind, char *err, size_t size, const char *text)
{
    (void) snprintf(err, size, "%s", text);

    return kind;
}
