
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What was measured, as text and as JSON.
 */


#include <cmpload.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define LOAD_QUANTILES  5


typedef struct {
    double           ms[LOAD_QUANTILES];
    double           mean;
} load_summary_t;


static void load_times_create(load_times_t *times, long n);
static void load_times_summary(load_times_t *times, load_summary_t *summary);
static int load_times_cmp(const void *one, const void *two);
static int load_serial_cmp(const void *one, const void *two);
static void load_serials_write(load_t *load);
static void load_text(load_t *load);
static void load_text_times(const char *name, load_times_t *times);
static void load_json(load_t *load);
static void load_json_times(const char *name, load_times_t *times,
    const char *end);
static void load_json_string(const char *name, const char *value,
    const char *end);
static const char *load_step_name(const load_t *load, int step);
static const char *load_protection_name(const load_conf_t *conf);
static const char *load_verify_name(const load_t *load);
static double load_throughput(const load_t *load);


static const char  *load_kind_names[] = {
    "", "connect", "closed", "timeout", "http", "http-status", "decode",
    "protection", "header", "body", "refused", "certificate",
    "duplicate-serial"
};


static const double  load_quantiles[LOAD_QUANTILES] = {
    0.5, 0.9, 0.99, 0.999, 1
};


static const char  *load_quantile_names[LOAD_QUANTILES] = {
    "p50", "p90", "p99", "p99.9", "max"
};


void
load_stat_create(load_stat_t *stat, long n)
{
    int  i;

    memset(stat, 0, sizeof(load_stat_t));

    load_times_create(&stat->operation, n);

    for (i = 0; i < LOAD_MAX_STEPS; i++) {
        load_times_create(&stat->step[i], n);
    }
}


void
load_stat_free(load_stat_t *stat)
{
    int  i;

    free(stat->operation.values);

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

static void
load_times_summary(load_times_t *times, load_summary_t *summary)
{
    int     i;
    double  sum;
    size_t  k, rank;

    memset(summary, 0, sizeof(load_summary_t));

    if (times->n == 0) {
        return;
    }

    qsort(times->values, times->n, sizeof(uint64_t), load_times_cmp);

    for (i = 0; i < LOAD_QUANTILES; i++) {
        rank = (size_t) (load_quantiles[i] * times->n);

        if (rank < load_quantiles[i] * times->n) {
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

    if (load->conf->verify == LOAD_VERIFY_NONE) {
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


void
load_stat_print(load_t *load)
{
    if (load->conf->json) {
        load_json(load);

    } else {
        load_text(load);
    }

    (void) fflush(stdout);
}


static void
load_text(load_t *load)
{
    int                i;
    const load_conf_t  *conf;
    const load_stat_t  *stat;

    conf = load->conf;
    stat = &load->stat;

    printf("operation      %s, %s protection, %s keys\n", conf->op->name,
           load_protection_name(conf), conf->key);

    if (conf->rate != 0) {
        printf("load           %.1f/s due, %ld connections\n", conf->rate,
               conf->connections);

    } else {
        printf("load           closed loop, %ld connections\n",
               conf->connections);
    }

    printf("verified       %s\n", load_verify_name(load));
    printf("completed      %ld in %.3f s, %ld errors, %ld reconnects\n",
           stat->completed, stat->seconds, stat->nerrors, stat->reconnects);
    printf("throughput     %.1f/s\n", load_throughput(load));
    printf("client         %.3f s CPU, %.3f s preparation before\n",
           stat->cpu, stat->prepared);

    printf("latency, ms   ");

    for (i = 0; i < LOAD_QUANTILES; i++) {
        printf("%10s", load_quantile_names[i]);
    }

    printf("%10s\n", "mean");

    load_text_times(conf->op->name, &load->stat.operation);

    for (i = 0; i < LOAD_MAX_STEPS && conf->op->confirm; i++) {
        load_text_times(load_step_name(load, i), &load->stat.step[i]);
    }

    for (i = 0; i < LOAD_KINDS; i++) {
        if (stat->errors[i] != 0) {
            printf("error          %s: %ld\n", load_kind_names[i],
                   stat->errors[i]);
        }
    }

    for (i = 0; i < stat->ntexts; i++) {
        printf("for example    %s\n", stat->texts[i]);
    }
}


static void
load_text_times(const char *name, load_times_t *times)
{
    int             i;
    load_summary_t  summary;

    load_times_summary(times, &summary);

    printf("  %-12s", name);

    for (i = 0; i < LOAD_QUANTILES; i++) {
        printf("%10.3f", summary.ms[i]);
    }

    printf("%10.3f\n", summary.mean);
}


static void
load_json(load_t *load)
{
    int                i;
    const char         *comma;
    const load_conf_t  *conf;
    const load_stat_t  *stat;

    conf = load->conf;
    stat = &load->stat;

    printf("{\n");
    load_json_string("operation", conf->op->name, ",");
    load_json_string("protection", load_protection_name(conf), ",");
    load_json_string("key", conf->key, ",");
    load_json_string("verify", load_verify_name(load), ",");
    printf("  \"connections\": %ld,\n", conf->connections);
    printf("  \"requests\": %ld,\n", conf->requests);

    if (conf->rate != 0) {
        printf("  \"rate\": %.3f,\n", conf->rate);

    } else {
        printf("  \"rate\": null,\n");
    }

    printf("  \"completed\": %ld,\n", stat->completed);
    printf("  \"seconds\": %.6f,\n", stat->seconds);
    printf("  \"throughput\": %.3f,\n", load_throughput(load));
    printf("  \"client_cpu_seconds\": %.6f,\n", stat->cpu);
    printf("  \"preparation_seconds\": %.6f,\n", stat->prepared);
    printf("  \"reconnects\": %ld,\n", stat->reconnects);

    load_json_times("latency_ms", &load->stat.operation, ",");

    printf("  \"messages\": {\n");

    for (i = 0; i < 1 + (int) conf->op->confirm; i++) {
        printf("  ");
        load_json_times(load_step_name(load, i), &load->stat.step[i],
                        (i == (int) conf->op->confirm) ? "" : ",");
    }

    printf("  },\n  \"errors\": {\n    \"total\": %ld", stat->nerrors);

    for (i = 1; i < LOAD_KINDS; i++) {
        printf(",\n    \"%s\": %ld", load_kind_names[i], stat->errors[i]);
    }

    printf("\n  },\n  \"texts\": [");

    for (i = 0, comma = ""; i < stat->ntexts; i++, comma = ",") {
        printf("%s\n  ", comma);
        load_json_string(NULL, stat->texts[i], "");
    }

    printf("]\n}\n");
}


static void
load_json_times(const char *name, load_times_t *times, const char *end)
{
    int             i;
    load_summary_t  summary;

    load_times_summary(times, &summary);

    printf("  \"%s\": {", name);

    for (i = 0; i < LOAD_QUANTILES; i++) {
        printf("\"%s\": %.6f, ", load_quantile_names[i], summary.ms[i]);
    }

    printf("\"mean\": %.6f, \"n\": %zu}%s\n", summary.mean, times->n, end);
}


static void
load_json_string(const char *name, const char *value, const char *end)
{
    const char  *p;

    if (name != NULL) {
        printf("  \"%s\": ", name);
    }

    putchar('"');

    for (p = value; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            printf("\\%c", *p);

        } else if (!isprint((unsigned char) *p)) {
            printf("\\u%04x", (unsigned char) *p);

        } else {
            putchar(*p);
        }
    }

    printf("\"%s\n", end);
}


static const char *
load_step_name(const load_t *load, int step)
{
    return (step == 0) ? cmp_body_name(load->conf->op->type) : "certConf";
}


/* kur and rr are signed, however the enrolment before was protected */

static const char *
load_protection_name(const load_conf_t *conf)
{
    return (conf->secret != NULL && conf->op->enrolled == 0) ? "MAC"
                                                             : "signature";
}


static const char *
load_verify_name(const load_t *load)
{
    static const char  *names[] = { "all", "sample", "none" };

    return names[load->conf->verify];
}


static double
load_throughput(const load_t *load)
{
    return (load->stat.seconds > 0)
               ? load->stat.completed / load->stat.seconds : 0;
}
