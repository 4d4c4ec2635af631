
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * cmpload, a client that makes load: many connections, one event loop, and a
 * check of every answer.  It shares the decoding of messages with the core;
 * protection and checks are its own.
 *
 * A task is one operation from its first message to its last answer; it stays
 * on one connection.  A phase is a number of tasks of one operation: kur and
 * rr have a phase before that enrols what they need, get one that fetches what
 * all the others are compared with.
 */


#ifndef _CMPLOAD_H_INCLUDED_
#define _CMPLOAD_H_INCLUDED_


#include <sys/socket.h>

#include <cmp_asn1.h>
#include <cmp_core.h>
#include <cmp_msg.h>
#include <cmp_oid.h>
#include <cmp_status.h>

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>


#define LOAD_MAX_CONNECTIONS   20000
#define LOAD_MAX_REQUESTS      10000000
#define LOAD_MAX_SIGNERS       100000
#define LOAD_MAX_ANSWER        1048576
#define LOAD_MAX_FILE          1073741824       /* of get */
#define LOAD_MAX_HEADERS       8192
#define LOAD_MAX_STEPS         2
#define LOAD_SALT_LEN          16
#define LOAD_SAMPLE            16      /* --verify=sample: one in so many */
#define LOAD_MAX_PAUSES        16
#define LOAD_TEXTS             8       /* errors that are shown */
#define LOAD_QUANTILES         5


typedef enum {
    LOAD_VERIFY_ALL = 0,
    LOAD_VERIFY_SAMPLE,
    LOAD_VERIFY_NONE
} load_verify_e;


/* what can be wrong; the names are in cmpload_stat.c */

typedef enum {
    LOAD_OK = 0,
    LOAD_CONNECT,
    LOAD_CLOSED,
    LOAD_TIMEOUT,
    LOAD_HTTP,
    LOAD_STATUS,            /* of HTTP */
    LOAD_DECODE,
    LOAD_PROTECTION,
    LOAD_HEADER,
    LOAD_BODY,
    LOAD_REFUSED,           /* error, rejection, waiting */
    LOAD_CERTIFICATE,
    LOAD_DUPLICATE,         /* a serial number twice */
    LOAD_CERT_STATUS,       /* not the one that --status wants */
    LOAD_VALIDITY,          /* thisUpdate, nextUpdate */
    LOAD_KINDS
} load_kind_e;


typedef enum {
    LOAD_CMP = 0,
    LOAD_OCSP,
    LOAD_FETCH
} load_protocol_e;


typedef struct {
    const char            *name;
    int                    protocol;        /* load_protocol_e */
    int                    type;            /* of the first message of CMP */
    unsigned               get:1;           /* OCSP by GET */
    unsigned               implicit:1;
    unsigned               waits:1;         /* waiting is the right status */
    unsigned               confirm:1;       /* a certConf follows */
    const char            *before;          /* the operation it needs */
} load_op_t;


typedef struct {
    X509                  *cert;
    EVP_PKEY              *key;
    STACK_OF(X509)        *chain;           /* behind cert in extraCerts */
} load_signer_t;


typedef struct {
    const load_op_t       *op;

    const char            *url;
    char                  *host;            /* for the Host header */
    char                  *path;
    struct sockaddr_storage  addr;
    socklen_t              addr_len;
    unsigned               remote:1;

    const char            *reference;       /* MAC, unless there is a signer */
    char                  *secret;
    long                   iterations;
    load_signer_t         *signers;         /* of each operation the next */
    long                   nsigners;        /* 0: MAC */

    STACK_OF(X509)        *ca;              /* the first issues */
    const char            *key;             /* "P-256", ... */
    const char            *subject;         /* NULL: that of the signer */
    const char            *profile;         /* certProfile; NULL: none */
    long                   pvno;

    const char            *ask;             /* OCSP: file or folder of PEM */
    const char            *ask_serials;     /* file; either or */
    const EVP_MD          *digest;          /* of CertID */
    int                    status;          /* wanted; -1: any */
    const char            *expect;          /* get: file; NULL: first body */
    unsigned               nonce:1;

    long                   connections;
    long                   requests;
    double                 rate;            /* a second; 0: closed loop */
    double                 duration;        /* s; 0: none */
    double                 timeout;         /* s, of all */
    double                 request_timeout;
    long                   prepare;
    long                   pauses[LOAD_MAX_PAUSES];
    int                    npauses;
    long                   max_errors;
    int                    verify;          /* load_verify_e */
    const char            *serials;         /* file; NULL: none */
    unsigned               endless:1;       /* requests is a guess */
    unsigned               json:1;
    unsigned               reconnect:1;     /* for each operation */
} load_conf_t;


/* one operation */

typedef struct {
    long                   number;
    int                    step;

    EVP_PKEY              *key;             /* of the certificate wanted */
    cmp_str_t              spki;            /* its DER */
    cmp_str_t              subject;

    cmp_str_t              cert;            /* received; empty: waiting */
    EVP_PKEY              *old_key;         /* kur, rr: the one there was */
    X509                  *old;

    unsigned char          transaction_id[CMP_NONCE_LEN];
    unsigned char          sender_nonce[CMP_NONCE_LEN];
    unsigned char          recip_nonce[CMP_NONCE_LEN];

    cmp_str_t              request;         /* with its HTTP header */
    unsigned               shared:1;        /* request is of many tasks */
    uint64_t               due;             /* ns */
    uint64_t               sent;            /* the message of this step */
} load_task_t;


/* latencies in ns */

typedef struct {
    uint64_t              *values;
    size_t                 n;
    size_t                 size;
} load_times_t;


/* the last quantile is the maximum */

typedef struct {
    double                 ms[LOAD_QUANTILES];
    double                 mean;
} load_summary_t;


typedef struct {
    load_times_t           operation;
    load_times_t           step[LOAD_MAX_STEPS];
    load_times_t           delay;           /* from due to sent */
    long                   errors[LOAD_KINDS];
    long                   nerrors;
    char                   texts[LOAD_TEXTS][256];
    int                    ntexts;
    long                   completed;       /* without an error */
    long                   reconnects;
    uint64_t               sent;            /* octets, HTTP included */
    uint64_t               received;
    double                 seconds;
    double                 cpu;             /* of this process */
    double                 prepared;        /* s */
} load_stat_t;


typedef enum {
    LOAD_CONN_CLOSED = 0,
    LOAD_CONN_CONNECTING,
    LOAD_CONN_IDLE,
    LOAD_CONN_BUSY
} load_conn_e;


typedef struct load_conn_s  load_conn_t;

struct load_conn_s {
    int                    fd;
    int                    state;           /* load_conn_e */
    unsigned               writing:1;       /* EPOLLOUT is on */
    uint64_t               deadline;
    load_task_t           *task;
    size_t                 sent;            /* of task->request */
    unsigned char         *in;
    size_t                 in_len;
    size_t                 in_size;
    uint64_t               seen;            /* get: of the body, compared */
    unsigned               differs:1;
};


typedef struct load_keys_s   load_keys_t;
typedef struct load_check_s  load_check_t;
typedef struct load_ocsp_s   load_ocsp_t;


typedef struct {
    load_conf_t           *conf;
    load_keys_t           *keys;
    load_check_t          *check;

    load_ocsp_t           *ocsp;
    cmp_str_t              get;             /* the request, with its header */
    cmp_str_t              body;            /* expected; data NULL: none yet */

    /* MAC */
    EVP_MD                *md;
    X509_ALGOR            *mac_alg;
    unsigned char          mac_key[CMP_SHA256_LEN];

    /* of the phase */
    const load_op_t       *op;
    load_task_t           *tasks;
    long                   ntasks;
    long                   prepared;        /* of them, beforehand */
    long                   next;            /* to be started */
    long                   done;
    long                   running;
    load_conn_t           *conns;
    load_conn_t          **idle;            /* may be closed meanwhile */
    long                   nidle;
    int                    epoll;
    int                    timer;
    uint64_t               begin;
    uint64_t               end;             /* of --timeout */
    uint64_t               paused;          /* ns in pauses */
    int                    resumed;         /* pauses that are over */
    unsigned               measured:1;      /* the last phase */
    unsigned               light:1;         /* a task for each connection */
    unsigned               stop:1;
    load_stat_t            stat;

    /* serial numbers received, CMP_SERIAL_LEN octets each */
    unsigned char         *serials;
    long                   nserials;
} load_t;


/* ends the program unless it is true: only memory can be missing */

#define load_must(expr)                                                       \
    do {                                                                      \
        if (!(expr)) {                                                        \
            load_fatal_crypto(#expr);                                         \
        }                                                                     \
    } while (0)


/* cmpload.c: ends the program */
void load_fatal(const char *fmt, ...)
    __attribute__ ((format (printf, 1, 2), noreturn));
void load_fatal_crypto(const char *what) __attribute__ ((noreturn));

/* ends the program without memory */
void *load_alloc(size_t size);

/* ns, CLOCK_MONOTONIC */
uint64_t load_now(void);


/* cmpload_conf.c: an error or --help ends the program */
void load_conf_parse(load_conf_t *conf, int argc, char **argv);
void load_conf_free(load_conf_t *conf);
const load_op_t *load_op(const char *name);


/* cmpload_help.c */
void load_help(void) __attribute__ ((noreturn));


/*
 * cmpload_file.c: what an option names, an error ends the program.  A secret
 * is to be wiped and freed, the others to be freed as libcrypto frees them.
 */
char *load_file_secret(const char *value);
STACK_OF(X509) *load_file_certs(const char *file);
EVP_PKEY *load_file_key(const char *file);
X509_NAME *load_name(const char *text, long number);


/*
 * cmpload_signer.c: one signer, or one of each *.pem in the folder, in the
 * order of their names; an error ends the program
 */
void load_signer_file(load_conf_t *conf, const char *certs, const char *key);
void load_signer_folder(load_conf_t *conf, const char *folder);
void load_signer_free(load_conf_t *conf);


/* cmpload_url.c: address, host and path of the URL */
void load_url_parse(load_conf_t *conf);


/*
 * cmpload_key.c: RSA keys are made of a few primes that are used again and
 * again, which makes them different and worthless.
 */
load_keys_t *load_keys_create(const char *kind, long n);
EVP_PKEY *load_keys_make(load_keys_t *keys);
X509_PUBKEY *load_keys_public(const load_keys_t *keys, EVP_PKEY *pkey);
void load_keys_free(load_keys_t *keys);
int load_keys_known(const char *kind);
void load_keys_list(char *text, size_t size);


/*
 * cmpload_msg.c: the request of the next step of CMP, in task->request.
 * load_request() makes a POST of "len" octets, or a GET when type is NULL; the
 * result is to be freed.
 */
void load_task_prepare(load_t *load, load_task_t *task);
void load_task_confirm(load_t *load, load_task_t *task);

void load_request(const load_t *load, const char *path, const char *type,
    const unsigned char *data, size_t len, cmp_str_t *request);

/* the request alone; the keys and certificates too */
void load_task_clear(load_task_t *task);
void load_task_free(load_task_t *task);


/*
 * cmpload_protect.c.  load_task_signer() tells who protects the messages of a
 * task, NULL being the shared secret; "own" is for its use.
 */
void load_mac_init(load_t *load);
void load_mac_derive(const load_conf_t *conf, const unsigned char *salt,
    size_t salt_len, long iterations, unsigned char *key);
const load_signer_t *load_task_signer(const load_t *load,
    const load_task_t *task, load_signer_t *own);
void load_protect(load_t *load, load_task_t *task, cmp_pki_message_t *msg);
void load_sign(const ASN1_ITEM *it, X509_ALGOR *alg, ASN1_BIT_STRING *bits,
    const void *value, EVP_PKEY *key);
const EVP_MD *load_key_md(EVP_PKEY *key);


/*
 * cmpload_answer.c: 1, or 0 when it is something else.  All strings point
 * into the answer, but for protected_part.
 */
typedef struct {
    unsigned char          tag;
    cmp_str_t              whole;
    cmp_str_t              content;
} load_tlv_t;

typedef struct {
    int                    type;
    cmp_pki_header_t      *header;
    cmp_str_t              body;            /* inside its tag */
    cmp_str_t              protected_part;
    ASN1_BIT_STRING       *protection;      /* NULL: none */
    cmp_str_t              extra_certs;     /* SEQUENCE OF; empty: none */
} load_answer_t;

typedef struct {
    cmp_str_t              id;
    cmp_str_t              status;
    cmp_str_t              cert;            /* empty: none */
} load_response_t;

typedef struct {
    cmp_str_t              tbs;
    cmp_str_t              alg;
    cmp_str_t              signature;
    cmp_str_t              serial;          /* content octets */
    cmp_str_t              issuer;
    cmp_str_t              not_before;
    cmp_str_t              not_after;
    cmp_str_t              subject;
    cmp_str_t              spki;
} load_cert_t;

int load_answer_decode(load_answer_t *answer, const unsigned char *data,
    size_t len);
int load_answer_response(const load_answer_t *answer,
    load_response_t *response);
int load_cert_decode(const cmp_str_t *der, load_cert_t *cert);
void load_answer_free(load_answer_t *answer);


/*
 * cmpload_check.c: what is wrong with the answer to the step of the task, and
 * a text; takes certificate and nonce over into the task
 */
int load_check_answer(load_t *load, load_task_t *task,
    const unsigned char *data, size_t len, char *err, size_t size);


/*
 * cmpload_cert.c.  load_check_signer() gives the certificate that verifies
 * the answer, NULL when it is not trusted.
 */
load_check_t *load_check_create(const load_conf_t *conf);
void load_check_free(load_check_t *check);
const cmp_str_t *load_check_issuer(const load_check_t *check);
X509_STORE *load_check_store(const load_check_t *check);
int load_check_extra(load_check_t *check, const load_answer_t *answer);
X509 *load_check_signer(load_check_t *check, const load_answer_t *answer);
int load_check_octets(const cmp_str_t *octets, const X509_ALGOR *alg,
    const ASN1_BIT_STRING *signature, EVP_PKEY *key);
int load_check_certificate(load_t *load, load_task_t *task, int full,
    char *err, size_t size);


/*
 * cmpload_conn.c: connections.  load_conn_send() sends the request of the
 * task, over a new connection if need be; what comes of it is told by the
 * three functions below.
 */
void load_conns_open(load_t *load);
void load_conns_close(load_t *load);
void load_conns_expire(load_t *load, uint64_t now);
void load_conn_send(load_t *load, load_conn_t *c);
void load_conn_event(load_t *load, load_conn_t *c, uint32_t events);
void load_conn_close(load_conn_t *c);
void load_conn_refresh(load_conn_t *c);


/*
 * cmpload_http.c: octets of the answer, 0: not yet complete, -1: wrong.  When
 * header_len is not 0, the header is complete.
 */
typedef struct {
    const char            *type;            /* wanted; NULL: any */
    size_t                 max;             /* of the body */
    int                    status;
    size_t                 header_len;
    size_t                 body_len;
    unsigned               close:1;
    unsigned               typed:1;         /* Content-Type is that */
} load_http_t;

void load_http_init(load_http_t *http, int protocol);
long load_http_parse(const unsigned char *data, size_t len, load_http_t *http,
    const char **err);


/*
 * cmpload_ocsp.c: what is asked, again and again; an answer is verified once,
 * and known from then on.  load_ocsp_check() is as load_check_answer().
 */
load_ocsp_t *load_ocsp_create(const load_conf_t *conf,
    const load_check_t *check);
void load_ocsp_free(load_ocsp_t *ocsp);
void load_ocsp_prepare(load_t *load, load_task_t *task);
int load_ocsp_check(load_t *load, load_task_t *task,
    const unsigned char *data, size_t len, char *err, size_t size);

typedef struct {
    long                   certificates;
    long                   statuses[V_OCSP_CERTSTATUS_UNKNOWN + 1];
    long                   verified;        /* signatures */
} load_ocsp_count_t;

void load_ocsp_count(const load_ocsp_t *ocsp, load_ocsp_count_t *count);


/* cmpload_ask.c: CertIDs of the issuer, from the files that conf names */
STACK_OF(OCSP_CERTID) *load_ask(const load_conf_t *conf);


/*
 * cmpload_fetch.c: a GET, whose answers have the body that is expected.
 * load_fetch_part() compares a part of one.
 */
void load_fetch_init(load_t *load);
void load_fetch_prepare(load_t *load, load_task_t *task);
void load_fetch_part(const load_t *load, load_conn_t *c,
    const unsigned char *data, size_t len);
int load_fetch_check(load_t *load, const load_conn_t *c,
    const unsigned char *data, size_t len, char *err, size_t size);


/* cmpload_run.c */
void load_phase(load_t *load, const load_op_t *op, long n, int measured);
void load_conn_answer(load_t *load, load_conn_t *c, int status,
    const unsigned char *body, size_t len);
void load_conn_failed(load_t *load, load_conn_t *c, int kind,
    const char *text);


/* cmpload_stat.c */
extern const char  *load_kind_names[LOAD_KINDS];

void load_stat_create(load_stat_t *stat, long n);
void load_stat_add(load_times_t *times, uint64_t ns);
void load_stat_error(load_stat_t *stat, int kind, const char *text);
void load_stat_serials(load_t *load);
void load_times_summary(load_times_t *times, load_summary_t *summary);
void load_stat_free(load_stat_t *stat);


/* cmpload_print.c */
void load_stat_print(load_t *load);


#endif /* _CMPLOAD_H_INCLUDED_ */
