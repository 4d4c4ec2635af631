
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the cryptography of one exchange costs by itself, in a loop: see
 * --help.  Nothing is encoded, decoded or found twice: what stays the same,
 * as the CA's key and the digest, is made ready before.
 */


#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>


#define FLOOR_KEYS        64        /* of clients, one after the other */
#define FLOOR_SECRET      24        /* octets */
#define FLOOR_SALT        16
#define FLOOR_MAX_PROCS   64
#define FLOOR_MAX_SIG     1024


typedef struct {
    EVP_PKEY       *key;
    EVP_PKEY_CTX   *sign;
    unsigned char   sig[FLOOR_MAX_SIG];
    size_t          sig_len;
} floor_key_t;


typedef struct {
    int             mac;            /* protection by a shared secret */
    int             confirm;        /* certConf and pkiConf follow */
    int             many;           /* each exchange has its own signer */
    long            iterations;
    long            procs;
    double          seconds;
    const char     *ca_kind;
    const char     *response_kind;
    const char     *client_kind;
    const char     *signer_kind;
    size_t          sizes[4];       /* of the messages */
    size_t          cert_size;
} floor_conf_t;


typedef struct {
    floor_conf_t   *conf;
    EVP_MD         *md;
    EVP_MD_CTX     *digest;
    EVP_MAC_CTX    *hmac;
    floor_key_t     ca;
    floor_key_t     response;
    floor_key_t     signer;
    floor_key_t     signer_ca;
    floor_key_t     clients[FLOOR_KEYS];
    unsigned char   data[16384];
    unsigned char   secret[FLOOR_SECRET];
    unsigned char   salt[FLOOR_SALT];
    unsigned long   n;
} floor_t;


typedef struct {
    unsigned long   n;
    double          seconds;
    double          cpu;
} floor_result_t;


static void floor_usage(void) __attribute__ ((noreturn));
static void floor_fatal(const char *fmt, ...)
    __attribute__ ((format (printf, 1, 2), noreturn));
static void floor_parse(floor_conf_t *conf, int argc, char **argv);
static long floor_number(const char *name, const char *value, long max);
static int floor_choice(const char *name, const char *value,
    const char *first, const char *second);
static void floor_run(floor_conf_t *conf, floor_result_t *result);
static void floor_create(floor_t *f, floor_conf_t *conf);
static void floor_destroy(floor_t *f);
static void floor_key(floor_key_t *k, const char *kind);
static void floor_key_free(floor_key_t *k);
static void floor_exchange(floor_t *f);
static void floor_message(floor_t *f, int i);
static void floor_derive(floor_t *f, unsigned char *key);
static void floor_mac(floor_t *f, const unsigned char *key, size_t len);
static size_t floor_hash(floor_t *f, size_t len, unsigned char *hash);
static void floor_sign(floor_t *f, floor_key_t *k, size_t len,
    unsigned char *sig, size_t *sig_len);
static void floor_verify(floor_t *f, floor_key_t *k, size_t len);
static EVP_PKEY_CTX *floor_ctx(EVP_PKEY *key, int sign);
static double floor_now(void);
static double floor_cpu(void);
static void floor_print(const floor_conf_t *conf,
    const floor_result_t *results);


#define floor_must(expr)                                                      \
    do {                                                                      \
        if (!(expr)) {                                                        \
            ERR_print_errors_fp(stderr);                                      \
            floor_fatal("%s failed", #expr);                                  \
        }                                                                     \
    } while (0)


int
main(int argc, char **argv)
{
    int              i, status;
    int              fds[FLOOR_MAX_PROCS][2];
    pid_t            pids[FLOOR_MAX_PROCS];
    floor_conf_t     conf;
    floor_result_t   results[FLOOR_MAX_PROCS];

    floor_parse(&conf, argc, argv);

    for (i = 0; i < conf.procs; i++) {

        if (pipe(fds[i]) == -1) {
            floor_fatal("pipe() failed");
        }

        pids[i] = fork();

        if (pids[i] == -1) {
            floor_fatal("fork() failed");
        }

        if (pids[i] == 0) {
            floor_run(&conf, &results[i]);

            if (write(fds[i][1], &results[i], sizeof(floor_result_t))
                != sizeof(floor_result_t))
            {
                floor_fatal("write() failed");
            }

            return 0;
        }

        (void) close(fds[i][1]);
    }

    for (i = 0; i < conf.procs; i++) {

        if (read(fds[i][0], &results[i], sizeof(floor_result_t))
            != sizeof(floor_result_t))
        {
            floor_fatal("a process failed");
        }

        (void) close(fds[i][0]);
        (void) waitpid(pids[i], &status, 0);
    }

    floor_print(&conf, results);

    return 0;
}


static void
floor_usage(void)
{
    printf(
"Usage: floor_crypto [option...]\n"
"\n"
"Does in a loop the signatures, verifications and MACs that a CA has to do\n"
"for one enrolment, with contexts and digests made ready before, as JSON.\n"
"\n"
"  --protection mac|signature   of the messages; default mac\n"
"  --confirm yes|no    whether certConf and pkiConf follow; default yes\n"
"  --iterations N      of PasswordBasedMac, default 500\n"
"  --ca KIND           key of the CA: P-256 (default), P-384, P-521, Ed25519,\n"
"                      RSA-2048, RSA-3072, RSA-4096\n"
"  --response KIND     key that signs answers, default P-256\n"
"  --client KIND       keys to be certified, default P-256\n"
"  --signer KIND       key of the signer of requests and of its CA, P-256\n"
"  --signers one|many  whether the certificate of the signer is a new one in\n"
"                      each exchange, to be verified once; default one\n"
"  --sizes A,B,C,D,E   octets of ir, ip, certConf, pkiConf, certificate\n"
"  --procs N           processes, default 1\n"
"  --seconds S         default 2\n");

    exit(0);
}


static void
floor_fatal(const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "floor_crypto: ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");
    exit(2);
}


static void
floor_parse(floor_conf_t *conf, int argc, char **argv)
{
    int          i;
    const char  *name, *value;

    memset(conf, 0, sizeof(floor_conf_t));

    conf->mac = 1;
    conf->confirm = 1;
    conf->iterations = 500;
    conf->procs = 1;
    conf->seconds = 2;
    conf->ca_kind = "P-256";
    conf->response_kind = "P-256";
    conf->client_kind = "P-256";
    conf->signer_kind = "P-256";
    conf->sizes[0] = 500;
    conf->sizes[1] = 1500;
    conf->sizes[2] = 350;
    conf->sizes[3] = 350;
    conf->cert_size = 500;

    for (i = 1; i < argc; i += 2) {
        name = argv[i];
        value = argv[i + 1];

        if (strcmp(name, "--help") == 0) {
            floor_usage();
        }

        if (value == NULL) {
            floor_fatal("no value for \"%s\"", name);
        }

        if (strcmp(name, "--protection") == 0) {
            conf->mac = floor_choice(name, value, "mac", "signature");

        } else if (strcmp(name, "--confirm") == 0) {
            conf->confirm = floor_choice(name, value, "yes", "no");

        } else if (strcmp(name, "--signers") == 0) {
            conf->many = floor_choice(name, value, "many", "one");

        } else if (strcmp(name, "--iterations") == 0) {
            conf->iterations = floor_number(name, value, 10000000);

        } else if (strcmp(name, "--ca") == 0) {
            conf->ca_kind = value;

        } else if (strcmp(name, "--response") == 0) {
            conf->response_kind = value;

        } else if (strcmp(name, "--client") == 0) {
            conf->client_kind = value;

        } else if (strcmp(name, "--signer") == 0) {
            conf->signer_kind = value;

        } else if (strcmp(name, "--procs") == 0) {
            conf->procs = floor_number(name, value, FLOOR_MAX_PROCS);

        } else if (strcmp(name, "--seconds") == 0) {
            conf->seconds = floor_number(name, value, 3600);

        } else if (strcmp(name, "--sizes") == 0) {

            if (sscanf(value, "%5zu,%5zu,%5zu,%5zu,%5zu", &conf->sizes[0],
                       &conf->sizes[1], &conf->sizes[2], &conf->sizes[3],
                       &conf->cert_size)
                != 5)
            {
                floor_fatal("five sizes are needed, not \"%s\"", value);
            }

        } else {
            floor_fatal("unknown option \"%s\"", name);
        }
    }

    if (conf->mac && conf->many) {
        floor_fatal("a MAC has no signer");
    }

    for (i = 0; i < 4; i++) {
        if (conf->sizes[i] > sizeof(((floor_t *) NULL)->data)) {
            floor_fatal("a message is too large");
        }
    }

    if (conf->cert_size > sizeof(((floor_t *) NULL)->data)) {
        floor_fatal("the certificate is too large");
    }
}


static long
floor_number(const char *name, const char *value, long max)
{
    long   n;
    char  *end;

    n = strtol(value, &end, 10);

    if (*value == '\0' || *end != '\0' || n < 1 || n > max) {
        floor_fatal("%s must be from 1 to %ld", name, max);
    }

    return n;
}


/* 1 for the first, 0 for the second */

static int
floor_choice(const char *name, const char *value, const char *first,
    const char *second)
{
    if (strcmp(value, first) == 0) {
        return 1;
    }

    if (strcmp(value, second) != 0) {
        floor_fatal("%s must be %s or %s", name, first, second);
    }

    return 0;
}


static void
floor_run(floor_conf_t *conf, floor_result_t *result)
{
    int       i;
    double    begin, cpu;
    floor_t  *f;

    f = calloc(1, sizeof(floor_t));
    if (f == NULL) {
        floor_fatal("out of memory");
    }

    floor_create(f, conf);

    /* not counted: what is made at first use */

    floor_exchange(f);

    f->n = 0;
    begin = floor_now();
    cpu = floor_cpu();

    while (floor_now() - begin < conf->seconds) {
        for (i = 0; i < 8; i++) {
            floor_exchange(f);
        }
    }

    result->n = f->n;
    result->seconds = floor_now() - begin;
    result->cpu = floor_cpu() - cpu;

    floor_destroy(f);
    free(f);
}


static void
floor_create(floor_t *f, floor_conf_t *conf)
{
    int       i;
    size_t    len;
    EVP_MAC  *hmac;

    f->conf = conf;
    f->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    f->digest = EVP_MD_CTX_new();
    floor_must(f->md != NULL && f->digest != NULL);

    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    floor_must(hmac != NULL);
    f->hmac = EVP_MAC_CTX_new(hmac);
    floor_must(f->hmac != NULL);
    EVP_MAC_free(hmac);

    memset(f->data, 'x', sizeof(f->data));
    memset(f->secret, 's', sizeof(f->secret));

    floor_key(&f->ca, conf->ca_kind);
    floor_key(&f->response, conf->response_kind);
    floor_key(&f->signer, conf->signer_kind);
    floor_key(&f->signer_ca, conf->signer_kind);

    for (i = 0; i < FLOOR_KEYS; i++) {
        floor_key(&f->clients[i], conf->client_kind);
    }

    /* signatures to be verified; one size of data for all of them */

    len = conf->cert_size;

    floor_sign(f, &f->signer, len, f->signer.sig, &f->signer.sig_len);
    floor_sign(f, &f->signer_ca, len, f->signer_ca.sig,
               &f->signer_ca.sig_len);

    for (i = 0; i < FLOOR_KEYS; i++) {
        floor_sign(f, &f->clients[i], len, f->clients[i].sig,
                   &f->clients[i].sig_len);
    }
}


static void
floor_destroy(floor_t *f)
{
    int  i;

    floor_key_free(&f->ca);
    floor_key_free(&f->response);
    floor_key_free(&f->signer);
    floor_key_free(&f->signer_ca);

    for (i = 0; i < FLOOR_KEYS; i++) {
        floor_key_free(&f->clients[i]);
    }

    EVP_MAC_CTX_free(f->hmac);
    EVP_MD_CTX_free(f->digest);
    EVP_MD_free(f->md);
}


static void
floor_key(floor_key_t *k, const char *kind)
{
    if (strncmp(kind, "RSA-", 4) == 0) {
        k->key = EVP_RSA_gen((unsigned) atoi(kind + 4));

    } else if (strncmp(kind, "P-", 2) == 0) {
        k->key = EVP_EC_gen(kind);

    } else {
        k->key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    }

    floor_must(k->key != NULL);

    if (EVP_PKEY_is_a(k->key, "ED25519") || EVP_PKEY_is_a(k->key, "ED448")) {
        return;
    }

    k->sign = floor_ctx(k->key, 1);
}


static void
floor_key_free(floor_key_t *k)
{
    EVP_PKEY_CTX_free(k->sign);
    EVP_PKEY_free(k->key);
}


/*
 * One enrolment: ir and ip, certConf and pkiConf.  The request is verified,
 * so is the proof of possession; the certificate and the answer are signed.
 * That the certificate of the signer is good is found out once; that the CRL
 * of its issuer is, once for all who have that issuer.
 */

static void
floor_exchange(floor_t *f)
{
    size_t          len;
    unsigned char   sig[FLOOR_MAX_SIG];
    floor_key_t    *client;

    client = &f->clients[f->n % FLOOR_KEYS];

    if (f->conf->many) {
        floor_verify(f, &f->signer_ca, f->conf->cert_size);
    }

    floor_message(f, 0);

    floor_verify(f, client, f->conf->cert_size);
    floor_sign(f, &f->ca, f->conf->cert_size, sig, &len);

    if (f->conf->confirm) {
        floor_message(f, 2);
    }

    f->n++;
}


/* protection of the request i and of its answer */

static void
floor_message(floor_t *f, int i)
{
    size_t         len;
    unsigned char  key[EVP_MAX_MD_SIZE], sig[FLOOR_MAX_SIG];

    if (f->conf->mac) {
        floor_derive(f, key);
        floor_mac(f, key, f->conf->sizes[i]);
        floor_mac(f, key, f->conf->sizes[i + 1]);
        return;
    }

    floor_verify(f, &f->signer, f->conf->cert_size);
    floor_sign(f, &f->response, f->conf->sizes[i + 1], sig, &len);
}


/* PasswordBasedMac; the salt differs, the answer has that of the request */

static void
floor_derive(floor_t *f, unsigned char *key)
{
    long  i;

    memcpy(f->salt, &f->n, sizeof(f->n));

    floor_must(EVP_DigestInit_ex(f->digest, f->md, NULL) == 1);
    floor_must(EVP_DigestUpdate(f->digest, f->secret, FLOOR_SECRET) == 1);
    floor_must(EVP_DigestUpdate(f->digest, f->salt, FLOOR_SALT) == 1);
    floor_must(EVP_DigestFinal_ex(f->digest, key, NULL) == 1);

    for (i = 1; i < f->conf->iterations; i++) {
        floor_must(EVP_DigestInit_ex(f->digest, NULL, NULL) == 1);
        floor_must(EVP_DigestUpdate(f->digest, key, 32) == 1);
        floor_must(EVP_DigestFinal_ex(f->digest, key, NULL) == 1);
    }
}


static void
floor_mac(floor_t *f, const unsigned char *key, size_t len)
{
    size_t         n;
    OSSL_PARAM     params[2];
    unsigned char  mac[EVP_MAX_MD_SIZE];

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 "SHA256", 0);
    params[1] = OSSL_PARAM_construct_end();

    /* the digest stays in the context, the key does not */

    floor_must(EVP_MAC_init(f->hmac, key, 32, f->n == 0 ? params : NULL)
               == 1);
    floor_must(EVP_MAC_update(f->hmac, f->data, len) == 1);
    floor_must(EVP_MAC_final(f->hmac, mac, &n, sizeof(mac)) == 1);
}


/* with the one digest: it is a small part of any signature */

static size_t
floor_hash(floor_t *f, size_t len, unsigned char *hash)
{
    unsigned int  n;

    floor_must(EVP_DigestInit_ex(f->digest, f->md, NULL) == 1);
    floor_must(EVP_DigestUpdate(f->digest, f->data, len) == 1);
    floor_must(EVP_DigestFinal_ex(f->digest, hash, &n) == 1);

    return n;
}


static void
floor_sign(floor_t *f, floor_key_t *k, size_t len, unsigned char *sig,
    size_t *sig_len)
{
    size_t         n;
    EVP_MD_CTX    *ctx;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    *sig_len = FLOOR_MAX_SIG;

    if (k->sign != NULL) {
        n = floor_hash(f, len, hash);
        floor_must(EVP_PKEY_sign(k->sign, sig, sig_len, hash, n) == 1);
        return;
    }

    ctx = EVP_MD_CTX_new();
    floor_must(ctx != NULL);
    floor_must(EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key) == 1);
    floor_must(EVP_DigestSign(ctx, sig, sig_len, f->data, len) == 1);
    EVP_MD_CTX_free(ctx);
}


/* with a context of its own, since in truth each key is a new one */

static void
floor_verify(floor_t *f, floor_key_t *k, size_t len)
{
    size_t         n;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    if (k->sign != NULL) {
        n = floor_hash(f, len, hash);
        pctx = floor_ctx(k->key, 0);
        floor_must(EVP_PKEY_verify(pctx, k->sig, k->sig_len, hash, n) == 1);
        EVP_PKEY_CTX_free(pctx);
        return;
    }

    ctx = EVP_MD_CTX_new();
    floor_must(ctx != NULL);
    floor_must(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->key) == 1);
    floor_must(EVP_DigestVerify(ctx, k->sig, k->sig_len, f->data, len) == 1);
    EVP_MD_CTX_free(ctx);
}


static EVP_PKEY_CTX *
floor_ctx(EVP_PKEY *key, int sign)
{
    EVP_PKEY_CTX  *ctx;

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    floor_must(ctx != NULL);

    if (sign) {
        floor_must(EVP_PKEY_sign_init(ctx) == 1);

    } else {
        floor_must(EVP_PKEY_verify_init(ctx) == 1);
    }

    if (EVP_PKEY_is_a(key, "RSA")) {
        floor_must(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1);
        floor_must(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1);
    }

    return ctx;
}


static double
floor_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static double
floor_cpu(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
floor_print(const floor_conf_t *conf, const floor_result_t *results)
{
    int            i, messages;
    double         rate, cpu;
    unsigned long  n;

    n = 0;
    cpu = 0;
    rate = 0;

    for (i = 0; i < conf->procs; i++) {
        n += results[i].n;
        cpu += results[i].cpu;
        rate += results[i].n / results[i].seconds;
    }

    messages = conf->confirm ? 2 : 1;

    printf("{\n");
    printf("  \"protection\": \"%s\",\n", conf->mac ? "MAC" : "signature");
    printf("  \"confirm\": %s,\n", conf->confirm ? "true" : "false");
    printf("  \"ca_key\": \"%s\",\n", conf->ca_kind);
    printf("  \"client_key\": \"%s\",\n", conf->client_kind);
    printf("  \"iterations\": %ld,\n", conf->mac ? conf->iterations : 0);
    printf("  \"derivations\": %d,\n", conf->mac ? messages : 0);
    printf("  \"macs\": %d,\n", conf->mac ? 2 * messages : 0);
    printf("  \"signatures\": %d,\n", conf->mac ? 1 : 1 + messages);
    printf("  \"verifications\": %d,\n",
           conf->mac ? 1 : 1 + messages + conf->many);
    printf("  \"processes\": %ld,\n", conf->procs);
    printf("  \"exchanges\": %lu,\n", n);
    printf("  \"rate\": %.3f,\n", rate);
    printf("  \"cpu_us\": %.3f\n", 1e6 * cpu / n);
    printf("}\n");
}
