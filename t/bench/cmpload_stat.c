
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What is measured while the load is on.
 */


#include <cmpload.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static void load_times_create(load_times_t *times, long n);
static int load_times_cmp(const void *one, const void *two);
static int load_serial_cmp(const void *one, const void *two);
static void load_serials_write(load_t *load);


const char  *load_kind_names[LOAD_KINDS] = {
    "", "connect", "closed", "timeout", "http", "http-status", "decode",
    "protection", "header", "body", "refused", "certificate",
    "duplicate-serial", "certificate-status", "validity"
};


void
load_stat_create(load_stat_t *stat, long n)
{
    int  i;

    memset(stat, 0, sizeof(load_stat_t));

    load_times_create(&stat->operation, n);
    load_times_create(&stat->delay, n);

    for (i = 0; i < LOAD_MAX_STEPS; i++) {
        load_times_create(&stat->step[i], n);
    }
}


void
load_stat_free(load_stat_t *stat)
{
    int  i;

    free(stat->operation.values);
    free(stat->delay.values);

    for (i = 0; i < LOAD_MAX_STEPS; i++) {
        free(stat->step[i].values);
    }
}


static void
load_times_create(load_times_t *times, long n)
{
    times->size = n;
    times->values = load_alloc(n * sizeof(uint64_t));
}


void
load_stat_add(load_times_t *times, uint64_t ns)
{
    if (times->n < times->size) {
        times->values[times->n++] = ns;
    }
}


void
load_stat_error(load_stat_t *stat, int kind, const char *text)
{
    int   i;
    char  line[sizeof(stat->texts[0])];

    stat->errors[kind]++;
    stat->nerrors++;

    (void) snprintf(line, sizeof(line), "%s: %.200s", load_kind_names[kind],
                    text);

    for (i = 0; i < stat->ntexts; i++) {
        if (strcmp(stat->texts[i], line) == 0) {
            return;
        }
    }

    if (stat->ntexts < LOAD_TEXTS) {
        memcpy(stat->texts[stat->ntexts++], line, sizeof(line));
    }
}


static int
load_times_cmp(const void *one, const void *two)
{
    uint64_t  a, b;

    a = *(const uint64_t *) one;
    b = *(const uint64_t *) two;

    return (a > b) - (a < b);
}


/* the smallest value that is not exceeded by the given part of them */

void
load_times_summary(load_times_t *times, load_summary_t *summary)
{
    int     i;
    double  sum;
    size_t  k, rank;

    static const double  quantiles[LOAD_QUANTILES] = {
        0.5, 0.9, 0.99, 0.999, 1
    };

    memset(summary, 0, sizeof(load_summary_t));

    if (times->n == 0) {
        return;
    }

    qsort(times->values, times->n, sizeof(uint64_t), load_times_cmp);

    for (i = 0; i < LOAD_QUANTILES; i++) {
        rank = (size_t) (quantiles[i] * times->n);

        if (rank < quantiles[i] * times->n) {
            rank++;
        }

        summary->ms[i] = times->values[rank - 1] / 1e6;
    }

    for (k = 0, sum = 0; k < times->n; k++) {
        sum += times->values[k];
    }

    summary->mean = sum / times->n / 1e6;
}


static int
load_serial_cmp(const void *one, const void *two)
{
    return memcmp(one, two, CMP_SERIAL_LEN);
}


/* no serial number may be there twice */

void
load_stat_serials(load_t *load)
{
    long            i;
    unsigned char  *p;

    load_serials_write(load);

    /* a server with one certificate for all is what none is meant for */

    if (load->conf->verify == LOAD_VERIFY_NONE || load->nserials == 0) {
        return;
    }

    qsort(load->serials, load->nserials, CMP_SERIAL_LEN, load_serial_cmp);

    for (i = 1; i < load->nserials; i++) {
        p = load->serials + i * CMP_SERIAL_LEN;

        if (memcmp(p, p - CMP_SERIAL_LEN, CMP_SERIAL_LEN) == 0) {
            load_stat_error(&load->stat, LOAD_DUPLICATE,
                            "two certificates with one serial number");
        }
    }
}


static void
load_serials_write(load_t *load)
{
    int    k, first;
    long   i;
    FILE  *fp;

    if (load->conf->serials == NULL) {
        return;
    }

    fp = fopen(load->conf->serials, "w");
    if (fp == NULL) {
        load_fatal("cannot write \"%s\": %s", load->conf->serials,
                   strerror(errno));
    }

    for (i = 0; i < load->nserials; i++) {

        /* the octets of the INTEGER, without leading zero octets */

        for (k = 0, first = 1; k < CMP_SERIAL_LEN; k++) {
            if (first && k < CMP_SERIAL_LEN - 1
                && load->serials[i * CMP_SERIAL_LEN + k] == 0)
            {
                continue;
            }

            first = 0;
            fprintf(fp, "%02x", load->serials[i * CMP_SERIAL_LEN + k]);
        }

        fputc('\n', fp);
    }

    if (ferror(fp) || fclose(fp) != 0) {
        load_fatal("cannot write \"%s\"", load->conf->serials);
    }
}

