
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A GET of a file or a CRL: every answer is to have the same body.
 */


#include <cmpload.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static void load_fetch_expect(load_t *load);


void
load_fetch_init(load_t *load)
{
    load_request(load, load->conf->path, NULL, NULL, 0, &load->get);

    if (load->conf->expect != NULL) {
        load_fetch_expect(load);
        return;
    }

    /* the first body is what the others are compared with */

    load_phase(load, load->conf->op, 1, 0);

    if (load->stat.nerrors != 0) {
        load_fatal("the first GET failed: %s", load->stat.texts[0]);
    }

    load_stat_free(&load->stat);
}


static void
load_fetch_expect(load_t *load)
{
    long   len;
    FILE  *fp;

    fp = fopen(load->conf->expect, "r");

    if (fp == NULL
        || fseek(fp, 0, SEEK_END) != 0
        || (len = ftell(fp)) < 0
        || len > LOAD_MAX_FILE
        || fseek(fp, 0, SEEK_SET) != 0)
    {
        load_fatal("cannot read \"%s\"", load->conf->expect);
    }

    load->body.data = load_alloc(len);
    load->body.len = len;

    if (fread(load->body.data, 1, len, fp) != (size_t) len) {
        load_fatal("cannot read \"%s\"", load->conf->expect);
    }

    (void) fclose(fp);
}


void
load_fetch_prepare(load_t *load, load_task_t *task)
{
    task->request = load->get;
    task->shared = 1;
}


void
load_fetch_part(const load_t *load, load_conn_t *c, const unsigned char *data,
    size_t len)
{
    if (load->conf->verify == LOAD_VERIFY_NONE || c->differs) {
        return;
    }

    if (c->seen + len > load->body.len
        || memcmp(load->body.data + c->seen, data, len) != 0)
    {
        c->differs = 1;
    }
}


int
load_fetch_check(load_t *load, const load_conn_t *c, const unsigned char *data,
    size_t len, char *err, size_t size)
{
    if (load->body.data == NULL) {
        load->body.data = load_alloc(len);
        load->body.len = len;
        memcpy(load->body.data, data, len);

        return LOAD_OK;
    }

    if (load->conf->verify == LOAD_VERIFY_NONE) {
        return LOAD_OK;
    }

    if (c->differs || len != load->body.len) {
        (void) snprintf(err, size, "the body is another one");
        return LOAD_BODY;
    }

    return LOAD_OK;
}
