
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * HTTP answers, with a Content-Length.
 */


#define _GNU_SOURCE             /* memmem() */

#include <cmpload.h>

#include <string.h>
#include <strings.h>


typedef struct {
    const unsigned char  *name;
    size_t                name_len;
    const unsigned char  *value;
    size_t                value_len;
} load_field_t;


static const char *load_http_status(const unsigned char *p, size_t len,
    load_http_t *http);
static const char *load_http_field(const load_field_t *field,
    load_http_t *http, int *length);
static const char *load_http_length(const load_field_t *field,
    load_http_t *http);
static int load_http_is(const unsigned char *p, size_t len, const char *text);


/* CMP: RFC 9811, 3.4; OCSP: RFC 6960, A.2 */

void
load_http_init(load_http_t *http, int protocol)
{
    static const char  *types[] = {
        "application/pkixcmp", "application/ocsp-response", NULL
    };

    memset(http, 0, sizeof(load_http_t));

    http->type = types[protocol];
    http->max = (protocol == LOAD_FETCH) ? LOAD_MAX_FILE : LOAD_MAX_ANSWER;
}


long
load_http_parse(const unsigned char *data, size_t len, load_http_t *http,
    const char **err)
{
    int                   length, n;
    load_field_t          field;
    const unsigned char  *p, *end, *eol, *colon;

    end = memmem(data, len, "\r\n\r\n", 4);

    if (end == NULL) {
        *err = "the headers are too long";
        return (len < LOAD_MAX_HEADERS) ? 0 : -1;
    }

    http->header_len = end + 4 - data;
    length = 0;
    *err = NULL;

    for (n = 0, p = data; p < end + 2 && *err == NULL; n++, p = eol + 2) {
        eol = memmem(p, end + 2 - p, "\r\n", 2);

        if (eol == NULL) {
            break;
        }

        if (n == 0) {
            *err = load_http_status(p, eol - p, http);
            continue;
        }

        colon = memchr(p, ':', eol - p);
        if (colon == NULL) {
            *err = "a header line without a colon";
            break;
        }

        field.name = p;
        field.name_len = colon - p;

        for (colon++; colon < eol && *colon == ' '; colon++) { /* void */ }

        field.value = colon;
        field.value_len = eol - colon;

        *err = load_http_field(&field, http, &length);
    }

    if (*err == NULL && length == 0) {
        *err = "no Content-Length";
    }

    if (*err == NULL && http->status == 200 && http->type != NULL
        && http->typed == 0)
    {
        *err = "Content-Type is another one";
    }

    if (*err != NULL) {
        return -1;
    }

    if (len < http->header_len + http->body_len) {
        return 0;
    }

    return (long) (http->header_len + http->body_len);
}


static const char *
load_http_status(const unsigned char *p, size_t len, load_http_t *http)
{
    int  i;

    if (len < 12
        || memcmp(p, "HTTP/1.", 7) != 0
        || (p[7] != '0' && p[7] != '1')
        || p[8] != ' ')
    {
        return "no status line of HTTP/1.x";
    }

    for (i = 9; i < 12; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return "no status code";
        }

        http->status = http->status * 10 + (p[i] - '0');
    }

    http->close = (p[7] == '0');

    return NULL;
}


static const char *
load_http_field(const load_field_t *field, load_http_t *http, int *length)
{
    if (load_http_is(field->name, field->name_len, "Content-Length")) {
        if ((*length)++ != 0) {
            return "two lines with Content-Length";
        }

        return load_http_length(field, http);
    }

    if (load_http_is(field->name, field->name_len, "Transfer-Encoding")) {
        return "Transfer-Encoding";
    }

    if (load_http_is(field->name, field->name_len, "Connection")) {
        if (load_http_is(field->value, field->value_len, "close")) {
            http->close = 1;
        }

        if (load_http_is(field->value, field->value_len, "keep-alive")) {
            http->close = 0;
        }
    }

    if (load_http_is(field->name, field->name_len, "Content-Type")
        && http->type != NULL
        && load_http_is(field->value, field->value_len, http->type))
    {
        http->typed = 1;
    }

    return NULL;
}


static const char *
load_http_length(const load_field_t *field, load_http_t *http)
{
    size_t  i;

    if (field->value_len == 0) {
        return "Content-Length is no number";
    }

    for (i = 0; i < field->value_len; i++) {
        if (field->value[i] < '0' || field->value[i] > '9') {
            return "Content-Length is no number";
        }

        http->body_len = http->body_len * 10 + (field->value[i] - '0');

        if (http->body_len > http->max) {
            return "the answer is too long";
        }
    }

    return NULL;
}


static int
load_http_is(const unsigned char *p, size_t len, const char *text)
{
    return len == strlen(text) && strncasecmp((const char *) p, text, len) == 0;
}
