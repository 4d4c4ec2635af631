
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What was measured, as text and as JSON.
 */


#include <cmpload.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>


static void load_text(load_t *load);
static void load_text_ocsp(const load_t *load);
static void load_text_times(const char *name, load_times_t *times);
static void load_json(load_t *load);
static void load_json_settings(const load_t *load);
static void load_json_ocsp(const load_t *load);
static void load_json_steps(load_t *load);
static void load_json_times(const char *name, load_times_t *times,
    const char *end);
static void load_json_number(const char *name, double value);
static void load_json_string(const char *name, const char *value,
    const char *end);
static const char *load_step_name(const load_t *load, int step);
static const char *load_protection_name(const load_conf_t *conf);
static const char *load_verify_name(const load_t *load);
static double load_throughput(const load_t *load);
static double load_received(const load_t *load);
static double load_cpu_share(const load_t *load);


static const char  *load_quantile_names[LOAD_QUANTILES] = {
    "p50", "p90", "p99", "p99.9", "max"
};


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

    printf("operation      %s", conf->op->name);

    if (conf->op->protocol == LOAD_CMP) {
        printf(", %s protection, %s keys", load_protection_name(conf),
               conf->key);
    }

    if (conf->nsigners > 1) {
        printf(", %ld signers", conf->nsigners);
    }

    printf("\n");

    if (conf->rate != 0) {
        printf("load           %ld due, %.1f/s, %ld connections\n",
               conf->requests, conf->rate, conf->connections);

    } else {
        printf("load           closed loop, %ld connections\n",
               conf->connections);
    }

    printf("verified       %s\n", load_verify_name(load));
    printf("completed      %ld in %.3f s, %ld errors, %ld reconnects\n",
           stat->completed, stat->seconds, stat->nerrors, stat->reconnects);
    printf("throughput     %.1f/s, %.3f MB/s received\n",
           load_throughput(load), load_received(load) / 1e6);
    load_text_ocsp(load);
    printf("client         %.3f s CPU (%.0f %%), %.3f s preparation before\n",
           stat->cpu, load_cpu_share(load) * 100, stat->prepared);

    printf("latency, ms   ");

    for (i = 0; i < LOAD_QUANTILES; i++) {
        printf("%10s", load_quantile_names[i]);
    }

    printf("%10s\n", "mean");

    load_text_times(conf->op->confirm ? "all" : conf->op->name,
                    &load->stat.operation);

    for (i = 0; i < LOAD_MAX_STEPS && conf->op->confirm; i++) {
        load_text_times(load_step_name(load, i), &load->stat.step[i]);
    }

    if (conf->rate != 0) {
        load_text_times("start delay", &load->stat.delay);
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
load_text_ocsp(const load_t *load)
{
    load_ocsp_count_t  count;

    if (load->ocsp == NULL) {
        return;
    }

    load_ocsp_count(load->ocsp, &count);

    printf("certificates   %ld; answers: %ld good, %ld revoked, %ld unknown\n",
           count.certificates, count.statuses[V_OCSP_CERTSTATUS_GOOD],
           count.statuses[V_OCSP_CERTSTATUS_REVOKED],
           count.statuses[V_OCSP_CERTSTATUS_UNKNOWN]);
    printf("signatures     %ld verified\n", count.verified);
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
    int                 i;
    const char         *comma;
    const load_stat_t  *stat;

    stat = &load->stat;

    printf("{\n");
    load_json_settings(load);

    printf("  \"started\": %ld,\n", load->next);
    printf("  \"completed\": %ld,\n", stat->completed);
    printf("  \"seconds\": %.6f,\n", stat->seconds);
    printf("  \"throughput\": %.3f,\n", load_throughput(load));
    printf("  \"client_cpu_seconds\": %.6f,\n", stat->cpu);
    printf("  \"client_cpu_share\": %.4f,\n", load_cpu_share(load));
    printf("  \"preparation_seconds\": %.6f,\n", stat->prepared);
    printf("  \"reconnects\": %ld,\n", stat->reconnects);
    printf("  \"bytes_sent\": %llu,\n", (unsigned long long) stat->sent);
    printf("  \"bytes_received\": %llu,\n",
           (unsigned long long) stat->received);

    load_json_times("latency_ms", &load->stat.operation, ",");

    if (load->conf->rate != 0) {
        load_json_times("start_delay_ms", &load->stat.delay, ",");
    }

    load_json_steps(load);

    printf("  \"errors\": {\n    \"total\": %ld", stat->nerrors);

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


/* what has no meaning in this run is null */

static void
load_json_settings(const load_t *load)
{
    int                 cmp;
    const load_conf_t  *conf;

    conf = load->conf;
    cmp = (conf->op->protocol == LOAD_CMP);

    load_json_string("operation", conf->op->name, ",");
    load_json_string("url", conf->url, ",");
    load_json_string("protection", cmp ? load_protection_name(conf) : NULL,
                     ",");
    load_json_number("signers", conf->nsigners);
    load_json_string("key", cmp ? conf->key : NULL, ",");
    load_json_string("profile", conf->profile, ",");
    load_json_number("pvno", cmp ? conf->pvno : 0);
    load_json_string("verify", load_verify_name(load), ",");
    printf("  \"connections\": %ld,\n", conf->connections);
    printf("  \"reconnect\": %s,\n", conf->reconnect ? "true" : "false");
    load_json_number("requests", conf->endless ? 0 : conf->requests);
    printf("  \"prepare\": %ld,\n", conf->prepare);
    load_json_number("rate", conf->rate);
    load_json_number("duration", conf->duration);
    load_json_string("openssl", OpenSSL_version(OPENSSL_VERSION_STRING), ",");

    if (load->ocsp != NULL) {
        load_json_ocsp(load);
    }

    if (conf->op->protocol == LOAD_FETCH) {
        printf("  \"body_bytes\": %zu,\n", load->body.len);
    }
}


static void
load_json_ocsp(const load_t *load)
{
    load_ocsp_count_t  count;

    load_ocsp_count(load->ocsp, &count);

    printf("  \"nonce\": %s,\n", load->conf->nonce ? "true" : "false");
    load_json_string("digest", EVP_MD_get0_name(load->conf->digest), ",");
    printf("  \"certificates\": %ld,\n", count.certificates);
    printf("  \"good\": %ld,\n", count.statuses[V_OCSP_CERTSTATUS_GOOD]);
    printf("  \"revoked\": %ld,\n",
           count.statuses[V_OCSP_CERTSTATUS_REVOKED]);
    printf("  \"unknown\": %ld,\n",
           count.statuses[V_OCSP_CERTSTATUS_UNKNOWN]);
    printf("  \"signatures_verified\": %ld,\n", count.verified);
}


static void
load_json_steps(load_t *load)
{
    int  i, last;

    last = load->conf->op->confirm;

    printf("  \"messages\": {\n");

    for (i = 0; i <= last; i++) {
        printf("  ");
        load_json_times(load_step_name(load, i), &load->stat.step[i],
                        (i == last) ? "" : ",");
    }

    printf("  },\n");
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
load_json_number(const char *name, double value)
{
    if (value == 0) {
        printf("  \"%s\": null,\n", name);

    } else {
        printf("  \"%s\": %.10g,\n", name, value);
    }
}


static void
load_json_string(const char *name, const char *value, const char *end)
{
    const char  *p;

    if (name != NULL) {
        printf("  \"%s\": ", name);
    }

    if (value == NULL) {
        printf("null%s\n", end);
        return;
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
    if (load->conf->op->protocol != LOAD_CMP) {
        return load->conf->op->name;
    }

    return (step == 0) ? cmp_body_name(load->conf->op->type) : "certConf";
}


/* kur and rr are signed, however the enrolment before was protected */

static const char *
load_protection_name(const load_conf_t *conf)
{
    int  type;

    type = conf->op->type;

    return (conf->secret != NULL && type != CMP_BODY_KUR && type != CMP_BODY_RR)
               ? "MAC" : "signature";
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


/* octets a second */

static double
load_received(const load_t *load)
{
    return (load->stat.seconds > 0)
               ? load->stat.received / load->stat.seconds : 0;
}


/* of one processor: near 1, the client is the limit */

static double
load_cpu_share(const load_t *load)
{
    return (load->stat.seconds > 0) ? load->stat.cpu / load->stat.seconds : 0;
}
