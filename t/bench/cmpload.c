
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The program: see cmpload --help.
 */


#include <cmpload.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>


static void load_files(const load_conf_t *conf);
static void load_init(load_t *load);
static void load_enrol(load_t *load);
static void load_destroy(load_t *load);


int
main(int argc, char **argv)
{
    int          status;
    load_t      *load;
    uint64_t     begin;
    load_conf_t  conf;

    begin = load_now();

    load_conf_parse(&conf, argc, argv);
    load_files(&conf);

    load = load_alloc(sizeof(load_t));
    load->conf = &conf;
    load->end = begin + (uint64_t) (conf.timeout * 1e9);
    load->check = load_check_create(&conf);

    load_init(load);
    load_phase(load, conf.op, conf.requests, 1);
    load_stat_serials(load);
    load_stat_print(load);

    status = (load->stat.nerrors != 0) ? 1 : 0;

    load_destroy(load);
    load_conf_free(&conf);

    return status;
}


/* all that is needed before the measurement */

static void
load_init(load_t *load)
{
    long                n;
    const load_conf_t  *conf;

    conf = load->conf;

    /* what has no key and no nonce of its own needs nothing to be kept */

    load->light = (conf->op->protocol != LOAD_CMP && conf->nonce == 0);

    n = load->light ? conf->connections : conf->requests;
    load->tasks = load_alloc(n * sizeof(load_task_t));

    switch (conf->op->protocol) {

    case LOAD_OCSP:
        load->ocsp = load_ocsp_create(conf, load->check);
        break;

    case LOAD_FETCH:
        load_fetch_init(load);
        break;

    default:
        load->serials = load_alloc(2 * n * CMP_SERIAL_LEN);
        load->keys = load_keys_create(conf->key, 2 * n);
        load_mac_init(load);

        if (conf->op->before != NULL) {
            load_enrol(load);
        }
    }
}


/* what a kur, rr or pollReq is about: without it nothing is to be measured */

static void
load_enrol(load_t *load)
{
    load_phase(load, load_op(load->conf->op->before),
               load->conf->requests, 0);

    if (load->stat.nerrors != 0) {
        load_fatal("the enrolment before the measurement failed: %s",
                   load->stat.texts[0]);
    }

    load_stat_free(&load->stat);
}


static void
load_files(const load_conf_t *conf)
{
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }

    if (limit.rlim_cur < (rlim_t) conf->connections + 64) {
        limit.rlim_cur = conf->connections + 64;

        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            load_fatal("%ld connections are over the limit of open files",
                       conf->connections);
        }
    }
}


static void
load_destroy(load_t *load)
{
    load_stat_free(&load->stat);
    load_check_free(load->check);
    load_keys_free(load->keys);
    load_ocsp_free(load->ocsp);
    X509_ALGOR_free(load->mac_alg);
    EVP_MD_free(load->md);
    OPENSSL_cleanse(load->mac_key, sizeof(load->mac_key));

    free(load->get.data);
    free(load->body.data);
    free(load->tasks);
    free(load->serials);
    free(load);
}


void
load_fatal(const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "cmpload: ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");
    exit(2);
}


void
load_fatal_crypto(const char *what)
{
    char  err[256];

    cmp_crypto_error(err, sizeof(err));
    load_fatal("%s failed: %s", what, err);
}


/* zeroed; big ones cost nothing until they are used */

void *
load_alloc(size_t size)
{
    void  *p;

    p = calloc(1, (size != 0) ? size : 1);
    if (p == NULL) {
        load_fatal("out of memory");
    }

    return p;
}


uint64_t
load_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
