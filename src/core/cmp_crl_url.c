
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * URLs of CRLs, and the partition that a certificate belongs to.
 */


#include <cmp_crl.h>
#include <cmp_name.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CMP_CRL_PLACEHOLDER_LEN  (sizeof(CMP_CRL_PLACEHOLDER) - 1)
#define CMP_CRL_MAX_NUMBER_LEN   12


static GENERAL_NAME *cmp_crl_url(const cmp_str_t *url, int partition);
static size_t cmp_crl_placeholder(const cmp_str_t *url);


/*
 * The last octets of a serial number are random, so that all partitions have
 * the same size, whatever their number is.
 */

int
cmp_crl_partition(const cmp_ca_t *ca, const cmp_str_t *serial)
{
    size_t    i;
    uint32_t  n;

    if (ca->crl_partitions == 0) {
        return 0;
    }

    n = 0;

    for (i = serial->len < 4 ? 0 : serial->len - 4; i < serial->len; i++) {
        n = n << 8 | serial->data[i];
    }

    return 1 + (int) (n % (uint32_t) ca->crl_partitions);
}


int
cmp_crl_url_has_partition(const cmp_str_t *url)
{
    return cmp_crl_placeholder(url) != url->len;
}


DIST_POINT_NAME *
cmp_crl_dist_point_name(const cmp_str_t *urls, size_t n, int partition)
{
    size_t            i;
    GENERAL_NAME     *url;
    DIST_POINT_NAME  *name;

    name = DIST_POINT_NAME_new();
    if (name == NULL) {
        return NULL;
    }

    name->type = 0;
    name->name.fullname = GENERAL_NAMES_new();

    if (name->name.fullname == NULL) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        url = cmp_crl_url(&urls[i], partition);

        if (url == NULL || !sk_GENERAL_NAME_push(name->name.fullname, url)) {
            GENERAL_NAME_free(url);
            goto failed;
        }
    }

    return name;

failed:

    DIST_POINT_NAME_free(name);

    return NULL;
}


CRL_DIST_POINTS *
cmp_crl_dist_points(const cmp_str_t *urls, size_t n, int partition)
{
    DIST_POINT       *point;
    CRL_DIST_POINTS  *points;

    points = CRL_DIST_POINTS_new();
    point = DIST_POINT_new();

    if (points == NULL || point == NULL || !sk_DIST_POINT_push(points, point))
    {
        CRL_DIST_POINTS_free(points);
        DIST_POINT_free(point);
        return NULL;
    }

    point->distpoint = cmp_crl_dist_point_name(urls, n, partition);

    if (point->distpoint == NULL) {
        CRL_DIST_POINTS_free(points);
        return NULL;
    }

    return points;
}


static GENERAL_NAME *
cmp_crl_url(const cmp_str_t *url, int partition)
{
    size_t         at;
    cmp_str_t      text;
    GENERAL_NAME  *name;

    at = cmp_crl_placeholder(url);

    if (at == url->len) {
        return cmp_name_uri(url);
    }

    text.data = malloc(url->len + CMP_CRL_MAX_NUMBER_LEN);
    if (text.data == NULL) {
        return NULL;
    }

    text.len = at;
    memcpy(text.data, url->data, at);

    text.len += (size_t) snprintf((char *) text.data + at,
                                  CMP_CRL_MAX_NUMBER_LEN, "%d", partition);
    at += CMP_CRL_PLACEHOLDER_LEN;

    memcpy(text.data + text.len, url->data + at, url->len - at);
    text.len += url->len - at;

    name = cmp_name_uri(&text);

    free(text.data);

    return name;
}


/* where it is; the length of the URL when it is nowhere */

static size_t
cmp_crl_placeholder(const cmp_str_t *url)
{
    size_t  i;

    for (i = 0; i + CMP_CRL_PLACEHOLDER_LEN <= url->len; i++) {
        if (memcmp(url->data + i, CMP_CRL_PLACEHOLDER,
                   CMP_CRL_PLACEHOLDER_LEN)
            == 0)
        {
            return i;
        }
    }

    return url->len;
}
