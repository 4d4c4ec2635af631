
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

#include <openssl/pem.h>


#define LOAD_REQUESTS  100
#define LOAD_FASTEST   5000         /* operations a second */


enum {
    LOAD_OPT_REFERENCE = 256,
    LOAD_OPT_SECRET,
    LOAD_OPT_ITERATIONS,
    LOAD_OPT_CERT,
    LOAD_OPT_KEY,
    LOAD_OPT_CA,
    LOAD_OPT_NEWKEY,
    LOAD_OPT_SUBJECT,
    LOAD_OPT_PROFILE,
    LOAD_OPT_PVNO,
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
static void load_conf_requests(load_conf_t *conf);
static void load_conf_check(load_conf_t *conf, char **files);
static int load_conf_verify(const char *value);
static long load_conf_number(const char *name, const char *value, long min,
    long max);
static double load_conf_seconds(const char *name, const char *value);
static void load_conf_pause(load_conf_t *conf, const char *value);
static char *load_conf_secret(const char *value);
static STACK_OF(X509) *load_conf_certs(const char *file);
static EVP_PKEY *load_conf_key(const char *file);
static void load_conf_help(void) __attribute__ ((noreturn));


static const struct option  load_options[] = {
    { "ref",             required_argument, NULL, LOAD_OPT_REFERENCE },
    { "secret",          required_argument, NULL, LOAD_OPT_SECRET },
    { "iterations",      required_argument, NULL, LOAD_OPT_ITERATIONS },
    { "cert",            required_argument, NULL, LOAD_OPT_CERT },
    { "key",             required_argument, NULL, LOAD_OPT_KEY },
    { "ca",              required_argument, NULL, LOAD_OPT_CA },
    { "newkey",          required_argument, NULL, LOAD_OPT_NEWKEY },
    { "subject",         required_argument, NULL, LOAD_OPT_SUBJECT },
    { "profile",         required_argument, NULL, LOAD_OPT_PROFILE },
    { "pvno",            required_argument, NULL, LOAD_OPT_PVNO },
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


static const load_op_t  load_ops[] = {
    { "ir",             CMP_BODY_IR,    0, 1, 0 },
    { "ir-implicit",    CMP_BODY_IR,    1, 0, 0 },
    { "cr",             CMP_BODY_CR,    0, 1, 0 },
    { "cr-implicit",    CMP_BODY_CR,    1, 0, 0 },
    { "p10cr",          CMP_BODY_P10CR, 0, 1, 0 },
    { "p10cr-implicit", CMP_BODY_P10CR, 1, 0, 0 },
    { "kur",            CMP_BODY_KUR,   0, 1, 1 },
    { "kur-implicit",   CMP_BODY_KUR,   1, 0, 1 },
    { "rr",             CMP_BODY_RR,    0, 0, 1 },
    { "genm",           CMP_BODY_GENM,  0, 0, 0 },
    { NULL,             0,              0, 0, 0 }
};


/* the files that are read when all options are known */

enum {
    LOAD_FILE_CERT = 0,
    LOAD_FILE_KEY,
    LOAD_FILE_CA,
    LOAD_FILES
};


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


static void
load_conf_help(void)
{
    static const char  *text =
        "Usage: cmpload [option...] OPERATION URL\n"
        "\n"
        "Puts load on a CMP server over HTTP and checks every answer: a wrong"
        " answer is an\n"
        "error, not speed.  URL is http://127.0.0.1:PORT/PATH; another machine"
        " needs\n"
        "--remote.  OPERATION, each with a fresh key and transaction:\n"
        "\n"
        "  ir cr p10cr kur     a certificate, with certConf and pkiConf\n"
        "  ir-implicit ...     the same without certConf, implicitly"
        " confirmed\n"
        "  rr                  a revocation\n"
        "  genm                the CA certificates\n"
        "\n"
        "kur and rr enrol what they need before the measurement, by"
        " ir-implicit.\n"
        "\n"
        "Protection:\n"
        "  --ref REF --secret SECRET   a shared secret; SECRET as it is, or"
        " env:NAME or\n"
        "                      file:NAME (its first line)\n"
        "  --iterations N      of PasswordBasedMac, default 500\n"
        "  --cert FILE --key FILE      a certificate (and its chain) and"
        " its key\n"
        "  --ca FILE           certificates, the issuing CA's first: what"
        " answers and new\n"
        "                      certificates are verified with; needed unless"
        " --verify=none\n"
        "\n"
        "Requests:\n"
        "  --newkey KIND       P-256 (default), P-384, P-521, Ed25519, Ed448,"
        " RSA-2048,\n"
        "                      RSA-3072, RSA-4096.  RSA keys share primes and"
        " protect nothing\n"
        "  --subject NAME      default /CN=load-%n, %n is the number of the"
        " request\n"
        "  --profile NAME      certProfile\n"
        "  --pvno N            2 (default) or 3\n"
        "\n"
        "Load:\n"
        "  -c, --connections N keep-alive connections, default 1\n"
        "  -n, --requests N    operations, default 100, or enough for"
        " --duration\n"
        "  -r, --rate N        operations a second, started when due; their"
        " latency counts\n"
        "                      from then.  Default: closed loop, each"
        " connection starts the\n"
        "                      next when it has the answer\n"
        "  -d, --duration S    starts nothing more after S seconds\n"
        "  --reconnect         a new connection for each operation\n"
        "  --prepare N         requests made beforehand, default 100000; the"
        " others are\n"
        "                      made when they are due\n"
        "  --pause-after N     after N operations, waits for those under way,"
        " prints\n"
        "                      \"paused\", goes on at a line on standard"
        " input; may\n"
        "                      be repeated\n"
        "  --timeout S         of all, preparation included, default 600\n"
        "  --request-timeout S of connecting and of each answer, default 30\n"
        "  --max-errors N      ends after so many, default 100\n"
        "\n"
        "Answers:\n"
        "  --verify HOW        all (default); sample: signatures in one of 16"
        " answers; none:\n"
        "                      only that it is the message that was waited"
        " for\n"
        "  --serials FILE      the serial number of each certificate received,"
        " hex, one a\n"
        "                      line\n"
        "  --json              the result as JSON\n"
        "\n"
        "Exit code: 0 all well, 1 errors, 2 wrong usage.\n";

    fputs(text, stdout);
    exit(0);
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
    conf->subject = "/CN=load-%n";
    conf->pvno = CMP_PVNO_2000;
    conf->connections = 1;
    conf->requests = 0;
    conf->timeout = 600;
    conf->request_timeout = 30;
    conf->prepare = 100000;
    conf->max_errors = 100;

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

    X509_free(conf->signer.cert);
    EVP_PKEY_free(conf->signer.key);
    sk_X509_pop_free(conf->signer.chain, X509_free);
    sk_X509_pop_free(conf->ca, X509_free);
}


static void
load_conf_option(load_conf_t *conf, int option, const char *value,
    char **files)
{
    switch (option) {

    case LOAD_OPT_REFERENCE:
        conf->reference = value;
        break;

    case LOAD_OPT_SECRET:
        conf->secret = load_conf_secret(value);
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
        load_conf_help();

    default:
        exit(2);
    }
}


/* as many as --duration may take, more than any server is known to do */

static void
load_conf_requests(load_conf_t *conf)
{
    double  n;

    if (conf->requests != 0) {
        return;
    }

    if (conf->duration == 0) {
        conf->requests = LOAD_REQUESTS;
        return;
    }

    n = conf->duration * ((conf->rate != 0) ? conf->rate : LOAD_FASTEST);

    if (n > LOAD_MAX_REQUESTS) {
        n = LOAD_MAX_REQUESTS;
    }

    conf->requests = (n < 1) ? 1 : (long) n;
}


static void
load_conf_check(load_conf_t *conf, char **files)
{
    X509_NAME  *name;

    if (load_keys_known(conf->key) == 0) {
        load_fatal("unknown kind of key \"%s\"", conf->key);
    }

    name = load_name(conf->subject, 0);
    X509_NAME_free(name);

    if ((files[LOAD_FILE_CERT] == NULL) != (files[LOAD_FILE_KEY] == NULL)) {
        load_fatal("--cert and --key go together");
    }

    if (files[LOAD_FILE_CERT] != NULL) {
        if (conf->secret != NULL) {
            load_fatal("either --secret or --cert");
        }

        conf->signer.chain = load_conf_certs(files[LOAD_FILE_CERT]);
        conf->signer.cert = sk_X509_shift(conf->signer.chain);
        conf->signer.key = load_conf_key(files[LOAD_FILE_KEY]);

        if (X509_check_private_key(conf->signer.cert, conf->signer.key) != 1) {
            load_fatal("the key is not that of the certificate");
        }

    } else if (conf->secret == NULL || conf->reference == NULL) {
        load_fatal("--ref and --secret, or --cert and --key are needed");
    }

    if (files[LOAD_FILE_CA] != NULL) {
        conf->ca = load_conf_certs(files[LOAD_FILE_CA]);

    } else if (conf->verify != LOAD_VERIFY_NONE) {
        load_fatal("--ca is needed, unless --verify=none");
    }

    if (conf->npauses != 0 && conf->rate != 0) {
        load_fatal("--pause-after is for the closed loop");
    }
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


static char *
load_conf_secret(const char *value)
{
    FILE         *fp;
    char          line[1024];
    char         *secret;
    const char   *env;

    if (strncmp(value, "env:", 4) == 0) {
        env = getenv(value + 4);
        if (env == NULL) {
            load_fatal("no variable \"%s\" in the environment", value + 4);
        }

        value = env;

    } else if (strncmp(value, "file:", 5) == 0) {
        fp = fopen(value + 5, "r");
        if (fp == NULL || fgets(line, sizeof(line), fp) == NULL) {
            load_fatal("cannot read the secret from \"%s\"", value + 5);
        }

        (void) fclose(fp);
        line[strcspn(line, "\r\n")] = '\0';
        value = line;
    }

    secret = strdup(value);
    OPENSSL_cleanse(line, sizeof(line));

    if (secret == NULL) {
        load_fatal("out of memory");
    }

    return secret;
}


static STACK_OF(X509) *
load_conf_certs(const char *file)
{
    FILE            *fp;
    X509            *cert;
    STACK_OF(X509)  *certs;

    fp = fopen(file, "r");
    certs = sk_X509_new_null();

    if (fp == NULL || certs == NULL) {
        load_fatal("cannot open \"%s\"", file);
    }

    for ( ;; ) {
        cert = PEM_read_X509(fp, NULL, NULL, NULL);
        if (cert == NULL) {
            break;
        }

        if (sk_X509_push(certs, cert) <= 0) {
            load_fatal("out of memory");
        }
    }

    (void) fclose(fp);
    cmp_crypto_error(NULL, 0);

    if (sk_X509_num(certs) == 0) {
        load_fatal("no certificate in \"%s\"", file);
    }

    return certs;
}


static EVP_PKEY *
load_conf_key(const char *file)
{
    FILE      *fp;
    EVP_PKEY  *key;

    fp = fopen(file, "r");
    if (fp == NULL) {
        load_fatal("cannot open \"%s\"", file);
    }

    key = PEM_read_PrivateKey(fp, NULL, NULL, NULL);
    (void) fclose(fp);

    if (key == NULL) {
        load_fatal_crypto(file);
    }

    return key;
}


/* "/CN=a-%n/O=b", UTF8String, %n being the number */

X509_NAME *
load_name(const char *text, long number)
{
    char         part[256], type[32];
    size_t       len, n;
    X509_NAME   *name;
    const char  *p, *eq, *end;

    name = X509_NAME_new();
    if (name == NULL) {
        load_fatal("out of memory");
    }

    for (p = text; *p != '\0'; p = end) {
        eq = (*p == '/') ? strchr(p, '=') : NULL;

        if (eq == NULL || (size_t) (eq - p) > sizeof(type)) {
            load_fatal("\"%s\" is no name like /CN=a/O=b", text);
        }

        len = eq - p - 1;
        memcpy(type, p + 1, len);
        type[len] = '\0';

        end = strchr(eq, '/');
        if (end == NULL) {
            end = eq + strlen(eq);
        }

        for (n = 0, p = eq + 1; p < end && n + 24 < sizeof(part); p++) {
            if (p[0] == '%' && p[1] == 'n') {
                n += snprintf(part + n, sizeof(part) - n, "%ld", number);
                p++;

            } else {
                part[n++] = *p;
            }
        }

        if (p != end
            || X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8,
                                          (unsigned char *) part, (int) n, -1,
                                          0)
               != 1)
        {
            load_fatal("\"%s\" cannot be a name", text);
        }
    }

    return name;
}
