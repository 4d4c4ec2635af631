
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The command line.
 */


#include <cmpload.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define LOAD_REQUESTS  100
#define LOAD_FASTEST   5000         /* operations a second */
#define LOAD_LIGHTEST  100000       /* OCSP, get */


enum {
    LOAD_OPT_REFERENCE = 256,
    LOAD_OPT_SECRET,
    LOAD_OPT_ITERATIONS,
    LOAD_OPT_CERT,
    LOAD_OPT_KEY,
    LOAD_OPT_CERTS,
    LOAD_OPT_CA,
    LOAD_OPT_NEWKEY,
    LOAD_OPT_SUBJECT,
    LOAD_OPT_PROFILE,
    LOAD_OPT_PVNO,
    LOAD_OPT_ASK,
    LOAD_OPT_ASK_SERIALS,
    LOAD_OPT_DIGEST,
    LOAD_OPT_NONCE,
    LOAD_OPT_STATUS,
    LOAD_OPT_EXPECT,
    LOAD_OPT_TIMEOUT,
    LOAD_OPT_REQUEST_TIMEOUT,
    LOAD_OPT_PREPARE,
    LOAD_OPT_PAUSE,
    LOAD_OPT_MAX_ERRORS,
    LOAD_OPT_VERIFY,
    LOAD_OPT_SERIALS,
    LOAD_OPT_JSON,
    LOAD_OPT_RECONNECT,
    LOAD_OPT_REMOTE
};


static void load_conf_option(load_conf_t *conf, int option, const char *value,
    char **files);
static void load_conf_request(load_conf_t *conf, int option,
    const char *value, char **files);
static void load_conf_requests(load_conf_t *conf);
static void load_conf_check(load_conf_t *conf, char **files);
static void load_conf_cmp(load_conf_t *conf, char **files);
static void load_conf_protection(load_conf_t *conf, char **files);
static const EVP_MD *load_conf_digest(const char *value);
static int load_conf_status(const char *value);
static int load_conf_verify(const char *value);
static long load_conf_number(const char *name, const char *value, long min,
    long max);
static double load_conf_seconds(const char *name, const char *value);
static void load_conf_pause(load_conf_t *conf, const char *value);


static const struct option  load_options[] = {
    { "ref",             required_argument, NULL, LOAD_OPT_REFERENCE },
    { "secret",          required_argument, NULL, LOAD_OPT_SECRET },
    { "iterations",      required_argument, NULL, LOAD_OPT_ITERATIONS },
    { "cert",            required_argument, NULL, LOAD_OPT_CERT },
    { "key",             required_argument, NULL, LOAD_OPT_KEY },
    { "certs",           required_argument, NULL, LOAD_OPT_CERTS },
    { "ca",              required_argument, NULL, LOAD_OPT_CA },
    { "newkey",          required_argument, NULL, LOAD_OPT_NEWKEY },
    { "subject",         required_argument, NULL, LOAD_OPT_SUBJECT },
    { "profile",         required_argument, NULL, LOAD_OPT_PROFILE },
    { "pvno",            required_argument, NULL, LOAD_OPT_PVNO },
    { "ask",             required_argument, NULL, LOAD_OPT_ASK },
    { "ask-serials",     required_argument, NULL, LOAD_OPT_ASK_SERIALS },
    { "digest",          required_argument, NULL, LOAD_OPT_DIGEST },
    { "nonce",           no_argument,       NULL, LOAD_OPT_NONCE },
    { "status",          required_argument, NULL, LOAD_OPT_STATUS },
    { "expect",          required_argument, NULL, LOAD_OPT_EXPECT },
    { "connections",     required_argument, NULL, 'c' },
    { "requests",        required_argument, NULL, 'n' },
    { "rate",            required_argument, NULL, 'r' },
    { "duration",        required_argument, NULL, 'd' },
    { "timeout",         required_argument, NULL, LOAD_OPT_TIMEOUT },
    { "request-timeout", required_argument, NULL, LOAD_OPT_REQUEST_TIMEOUT },
    { "prepare",         required_argument, NULL, LOAD_OPT_PREPARE },
    { "pause-after",     required_argument, NULL, LOAD_OPT_PAUSE },
    { "max-errors",      required_argument, NULL, LOAD_OPT_MAX_ERRORS },
    { "verify",          required_argument, NULL, LOAD_OPT_VERIFY },
    { "serials",         required_argument, NULL, LOAD_OPT_SERIALS },
    { "json",            no_argument,       NULL, LOAD_OPT_JSON },
    { "reconnect",       no_argument,       NULL, LOAD_OPT_RECONNECT },
    { "remote",          no_argument,       NULL, LOAD_OPT_REMOTE },
    { "help",            no_argument,       NULL, 'h' },
    { NULL,              0,                 NULL, 0 }
};


/* protocol, type; get, implicit, waits, confirm; the operation before */

static const load_op_t  load_ops[] = {
    { "ir", LOAD_CMP, CMP_BODY_IR, 0, 0, 0, 1, NULL },
    { "ir-implicit", LOAD_CMP, CMP_BODY_IR, 0, 1, 0, 0, NULL },
    { "ir-waiting", LOAD_CMP, CMP_BODY_IR, 0, 0, 1, 0, NULL },
    { "cr", LOAD_CMP, CMP_BODY_CR, 0, 0, 0, 1, NULL },
    { "cr-implicit", LOAD_CMP, CMP_BODY_CR, 0, 1, 0, 0, NULL },
    { "p10cr", LOAD_CMP, CMP_BODY_P10CR, 0, 0, 0, 1, NULL },
    { "p10cr-implicit", LOAD_CMP, CMP_BODY_P10CR, 0, 1, 0, 0, NULL },
    { "kur", LOAD_CMP, CMP_BODY_KUR, 0, 0, 0, 1, "ir-implicit" },
    { "kur-implicit", LOAD_CMP, CMP_BODY_KUR, 0, 1, 0, 0, "ir-implicit" },
    { "rr", LOAD_CMP, CMP_BODY_RR, 0, 0, 0, 0, "ir-implicit" },
    { "genm", LOAD_CMP, CMP_BODY_GENM, 0, 0, 0, 0, NULL },
    { "pollReq", LOAD_CMP, CMP_BODY_POLLREQ, 0, 0, 0, 0, "ir-waiting" },
    { "ocsp", LOAD_OCSP, 0, 0, 0, 0, 0, NULL },
    { "ocsp-get", LOAD_OCSP, 0, 1, 0, 0, 0, NULL },
    { "get", LOAD_FETCH, 0, 0, 0, 0, 0, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


/* the files that are read when all options are known */

enum {
    LOAD_FILE_CERT = 0,
    LOAD_FILE_KEY,
    LOAD_FILE_CERTS,
    LOAD_FILE_CA,
    LOAD_FILES
};


/* by V_OCSP_CERTSTATUS_GOOD and so on */

static const char  *load_statuses[] = { "good", "revoked", "unknown" };


const load_op_t *
load_op(const char *name)
{
    const load_op_t  *op;

    for (op = load_ops; op->name != NULL; op++) {
        if (strcmp(op->name, name) == 0) {
            return op;
        }
    }

    return NULL;
}


void
load_conf_parse(load_conf_t *conf, int argc, char **argv)
{
    int    c;
    char  *files[LOAD_FILES];

    memset(conf, 0, sizeof(load_conf_t));
    memset(files, 0, sizeof(files));

    conf->iterations = 500;
    conf->key = "P-256";
    conf->pvno = CMP_PVNO_2000;
    conf->connections = 1;
    conf->requests = 0;
    conf->timeout = 600;
    conf->request_timeout = 30;
    conf->prepare = 100000;
    conf->max_errors = 100;
    conf->digest = EVP_sha1();
    conf->status = V_OCSP_CERTSTATUS_GOOD;

    for ( ;; ) {
        c = getopt_long(argc, argv, "c:n:r:d:h", load_options, NULL);

        if (c == -1) {
            break;
        }

        load_conf_option(conf, c, optarg, files);
    }

    if (argc - optind != 2) {
        load_fatal("an operation and a URL are needed, see --help");
    }

    conf->op = load_op(argv[optind]);
    if (conf->op == NULL) {
        load_fatal("unknown operation \"%s\", see --help", argv[optind]);
    }

    conf->url = argv[optind + 1];

    load_conf_requests(conf);

    load_conf_check(conf, files);
    load_url_parse(conf);
}


void
load_conf_free(load_conf_t *conf)
{
    free(conf->host);
    free(conf->path);

    if (conf->secret != NULL) {
        OPENSSL_cleanse(conf->secret, strlen(conf->secret));
        free(conf->secret);
    }

    load_signer_free(conf);
    sk_X509_pop_free(conf->ca, X509_free);
}


static void
load_conf_option(load_conf_t *conf, int option, const char *value,
    char **files)
{
    switch (option) {

    case 'c':
        conf->connections = load_conf_number("connections", value, 1,
                                             LOAD_MAX_CONNECTIONS);
        break;

    case 'n':
        conf->requests = load_conf_number("requests", value, 1,
                                          LOAD_MAX_REQUESTS);
        break;

    case 'r':
        conf->rate = load_conf_seconds("rate", value);
        break;

    case 'd':
        conf->duration = load_conf_seconds("duration", value);
        break;

    case LOAD_OPT_TIMEOUT:
        conf->timeout = load_conf_seconds("timeout", value);
        break;

    case LOAD_OPT_REQUEST_TIMEOUT:
        conf->request_timeout = load_conf_seconds("request-timeout", value);
        break;

    case LOAD_OPT_PREPARE:
        conf->prepare = load_conf_number("prepare", value, 0,
                                         LOAD_MAX_REQUESTS);
        break;

    case LOAD_OPT_PAUSE:
        load_conf_pause(conf, value);
        break;

    case LOAD_OPT_MAX_ERRORS:
        conf->max_errors = load_conf_number("max-errors", value, 1,
                                            LOAD_MAX_REQUESTS);
        break;

    case LOAD_OPT_VERIFY:
        conf->verify = load_conf_verify(value);
        break;

    case LOAD_OPT_SERIALS:
        conf->serials = value;
        break;

    case LOAD_OPT_JSON:
        conf->json = 1;
        break;

    case LOAD_OPT_RECONNECT:
        conf->reconnect = 1;
        break;

    case LOAD_OPT_REMOTE:
        conf->remote = 1;
        break;

    case 'h':
        load_help();

    default:
        load_conf_request(conf, option, value, files);
    }
}


/* what is asked for, and by whom */

static void
load_conf_request(load_conf_t *conf, int option, const char *value,
    char **files)
{
    switch (option) {

    case LOAD_OPT_REFERENCE:
        conf->reference = value;
        break;

    case LOAD_OPT_SECRET:
        conf->secret = load_file_secret(value);
        break;

    case LOAD_OPT_ITERATIONS:
        conf->iterations = load_conf_number("iterations", value, 1, 10000000);
        break;

    case LOAD_OPT_CERT:
        files[LOAD_FILE_CERT] = (char *) value;
        break;

    case LOAD_OPT_KEY:
        files[LOAD_FILE_KEY] = (char *) value;
        break;

    case LOAD_OPT_CERTS:
        files[LOAD_FILE_CERTS] = (char *) value;
        break;

    case LOAD_OPT_CA:
        files[LOAD_FILE_CA] = (char *) value;
        break;

    case LOAD_OPT_NEWKEY:
        conf->key = value;
        break;

    case LOAD_OPT_SUBJECT:
        conf->subject = value;
        break;

    case LOAD_OPT_PROFILE:
        conf->profile = value;
        break;

    case LOAD_OPT_PVNO:
        conf->pvno = load_conf_number("pvno", value, 2, 3);
        break;

    case LOAD_OPT_ASK:
        conf->ask = value;
        break;

    case LOAD_OPT_ASK_SERIALS:
        conf->ask_serials = value;
        break;

    case LOAD_OPT_DIGEST:
        conf->digest = load_conf_digest(value);
        break;

    case LOAD_OPT_NONCE:
        conf->nonce = 1;
        break;

    case LOAD_OPT_STATUS:
        conf->status = load_conf_status(value);
        break;

    case LOAD_OPT_EXPECT:
        conf->expect = value;
        break;

    default:
        exit(2);
    }
}


/*
 * A rate and a duration make a number of requests, each of which is due and
 * will be sent, however late.  In a closed loop: as many as the duration may
 * take, more than any server is known to do.
 */

static void
load_conf_requests(load_conf_t *conf)
{
    double  n, most;

    if (conf->duration == 0) {
        if (conf->requests == 0) {
            conf->requests = LOAD_REQUESTS;
        }

        return;
    }

    if (conf->rate == 0 && conf->requests != 0) {
        return;
    }

    if (conf->rate == 0 && conf->op->before != NULL) {
        load_fatal("%s needs -n: as many are enrolled before", conf->op->name);
    }

    most = (conf->op->protocol == LOAD_CMP) ? LOAD_FASTEST : LOAD_LIGHTEST;
    n = conf->duration * ((conf->rate != 0) ? conf->rate : most) + 0.5;

    if (n > LOAD_MAX_REQUESTS) {
        n = LOAD_MAX_REQUESTS;

    } else if (n < 1) {
        n = 1;
    }

    conf->endless = (conf->rate == 0);

    if (conf->requests == 0 || n < conf->requests) {
        conf->requests = (long) n;
    }
}


static void
load_conf_check(load_conf_t *conf, char **files)
{
    if (files[LOAD_FILE_CA] != NULL) {
        conf->ca = load_file_certs(files[LOAD_FILE_CA]);
    }

    if (conf->npauses != 0 && conf->rate != 0) {
        load_fatal("--pause-after is for the closed loop");
    }

    if (conf->op->protocol == LOAD_CMP) {
        load_conf_cmp(conf, files);

        if (conf->ca == NULL && conf->verify != LOAD_VERIFY_NONE) {
            load_fatal("--ca is needed, unless --verify=none");
        }

    } else if (conf->serials != NULL) {
        load_fatal("--serials is for operations that enrol");
    }

    if (conf->op->protocol == LOAD_OCSP) {
        if (conf->ca == NULL) {
            load_fatal("--ca is needed: the first certificate in it is the "
                       "issuer");
        }

        if ((conf->ask == NULL) == (conf->ask_serials == NULL)) {
            load_fatal("either --ask or --ask-serials is needed");
        }

    } else if (conf->ask != NULL || conf->ask_serials != NULL || conf->nonce) {
        load_fatal("--ask, --ask-serials and --nonce are for OCSP");
    }

    if (conf->expect != NULL && conf->op->protocol != LOAD_FETCH) {
        load_fatal("--expect is for get");
    }
}


static void
load_conf_cmp(load_conf_t *conf, char **files)
{
    char        kinds[256];
    X509_NAME  *name;

    if (load_keys_known(conf->key) == 0) {
        load_keys_list(kinds, sizeof(kinds));
        load_fatal("there is no key \"%s\" here, but %s", conf->key, kinds);
    }

    if (conf->subject == NULL && files[LOAD_FILE_CERTS] == NULL) {
        conf->subject = "/CN=load-%n";
    }

    if (conf->subject != NULL) {
        name = load_name(conf->subject, 0);
        X509_NAME_free(name);
    }

    load_conf_protection(conf, files);
}


static void
load_conf_protection(load_conf_t *conf, char **files)
{
    char  *cert, *key, *certs;

    cert = files[LOAD_FILE_CERT];
    key = files[LOAD_FILE_KEY];
    certs = files[LOAD_FILE_CERTS];

    if ((cert == NULL) != (key == NULL)) {
        load_fatal("--cert and --key go together");
    }

    if ((conf->secret != NULL) + (cert != NULL) + (certs != NULL) > 1) {
        load_fatal("only one of --secret, --cert and --certs");
    }

    if (certs != NULL) {
        load_signer_folder(conf, certs);

    } else if (cert != NULL) {
        load_signer_file(conf, cert, key);

    } else if (conf->secret == NULL || conf->reference == NULL) {
        load_fatal("--ref and --secret, --cert and --key, or --certs are "
                   "needed");
    }
}


static const EVP_MD *
load_conf_digest(const char *value)
{
    int  i;

    static const char  *names[] = { "sha1", "sha256", "sha384", "sha512" };

    for (i = 0; i < 4; i++) {
        if (strcmp(value, names[i]) == 0) {
            return EVP_get_digestbyname(value);
        }
    }

    load_fatal("--digest is sha1, sha256, sha384 or sha512");
}


static int
load_conf_status(const char *value)
{
    int  i;

    for (i = 0; i <= V_OCSP_CERTSTATUS_UNKNOWN; i++) {
        if (strcmp(value, load_statuses[i]) == 0) {
            return i;
        }
    }

    if (strcmp(value, "any") == 0) {
        return -1;
    }

    load_fatal("--status is good, revoked, unknown or any");
}


static int
load_conf_verify(const char *value)
{
    if (strcmp(value, "all") == 0) {
        return LOAD_VERIFY_ALL;
    }

    if (strcmp(value, "sample") == 0) {
        return LOAD_VERIFY_SAMPLE;
    }

    if (strcmp(value, "none") == 0) {
        return LOAD_VERIFY_NONE;
    }

    load_fatal("--verify is all, sample or none");
}


static long
load_conf_number(const char *name, const char *value, long min, long max)
{
    long   n;
    char  *end;

    errno = 0;
    n = strtol(value, &end, 10);

    if (errno != 0 || end == value || *end != '\0' || n < min || n > max) {
        load_fatal("%s is a number from %ld to %ld, not \"%s\"", name, min,
                   max, value);
    }

    return n;
}


static double
load_conf_seconds(const char *name, const char *value)
{
    char    *end;
    double   n;

    errno = 0;
    n = strtod(value, &end);

    if (errno != 0 || end == value || *end != '\0'
        || !(n >= 0.001 && n <= 1000000))
    {
        load_fatal("%s is a number from 0.001 to 1000000, not \"%s\"", name,
                   value);
    }

    return n;
}


static void
load_conf_pause(load_conf_t *conf, const char *value)
{
    long  n, last;

    last = (conf->npauses != 0) ? conf->pauses[conf->npauses - 1] : 0;
    n = load_conf_number("pause-after", value, 1, LOAD_MAX_REQUESTS);

    if (conf->npauses == LOAD_MAX_PAUSES || n <= last) {
        load_fatal("too many pauses, or not in order");
    }

    conf->pauses[conf->npauses++] = n;
}
