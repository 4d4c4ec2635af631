
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A CRL that the store called current a moment ago is sent again without a
 * question; when the moment is half over, the next one is asked, so that nobody
 * waits as long as there are requests.  What this nginx revokes itself ends
 * that at once in all of its workers: they share a count of changes.
 */


#include <ngx_http_cmp_crl.h>


#define NGX_HTTP_CMP_CRL_FRESH  30               /* ms */


static ngx_int_t ngx_http_cmp_crl_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_uint_t ngx_http_cmp_crl_no_cache(ngx_http_request_t *r);


ngx_int_t
ngx_http_cmp_crl_zone(ngx_conf_t *cf, ngx_http_cmp_main_conf_t *mcf)
{
    ngx_shm_zone_t  *zone;

    static ngx_str_t  name = ngx_string("cmp_crl");

    if (mcf->crls.nelts == 0) {
        return NGX_OK;
    }

    zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                 &ngx_http_cmp_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_cmp_crl_init_zone;
    zone->data = mcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cmp_crl_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_cmp_main_conf_t  *prev = data;

    ngx_slab_pool_t           *shpool;
    ngx_http_cmp_main_conf_t  *mcf;

    mcf = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (prev != NULL) {
        mcf->changes = prev->changes;
        return NGX_OK;
    }

    if (zone->shm.exists) {
        mcf->changes = shpool->data;
        return NGX_OK;
    }

    mcf->changes = ngx_slab_calloc(shpool, sizeof(ngx_atomic_t));
    if (mcf->changes == NULL) {
        return NGX_ERROR;
    }

    shpool->data = (void *) mcf->changes;

    return NGX_OK;
}


void
ngx_http_cmp_crl_changed(ngx_http_cmp_main_conf_t *mcf)
{
    if (mcf->changes != NULL) {
        (void) ngx_atomic_fetch_add(mcf->changes, 1);
    }
}


void
ngx_http_cmp_crl_asked(ngx_http_cmp_crl_t *crl)
{
    crl->question.time = ngx_current_msec;
    crl->question.changes = (crl->main->changes != NULL)
                            ? *crl->main->changes : 0;
}


void
ngx_http_cmp_crl_answered(ngx_http_cmp_crl_t *crl)
{
    if (crl->current.stale) {
        crl->fresh = 0;
        return;
    }

    /* a look without a request is none that requests may rely on */

    if (crl->requested) {
        crl->fresh = 1;
        crl->answered = crl->question;
    }
}


ngx_http_cmp_crl_der_t *
ngx_http_cmp_crl_fresh(ngx_http_cmp_crl_t *crl, ngx_http_request_t *r)
{
    ngx_msec_t  age;

    age = ngx_current_msec - crl->answered.time;

    if (crl->fresh == 0
        || crl->der == NULL
        || crl->main->changes == NULL
        || crl->answered.changes != *crl->main->changes
        || crl->der->next_update <= ngx_http_cmp_now()
        || age >= NGX_HTTP_CMP_CRL_FRESH
        || ngx_http_cmp_crl_no_cache(r))
    {
        return NULL;
    }

    if (age >= NGX_HTTP_CMP_CRL_FRESH / 2 && crl->busy == 0) {
        crl->ahead = 1;
        ngx_http_cmp_crl_ask(crl);
    }

    return crl->der;
}


/* RFC 9111, 5.2.1: "no-cache", or "max-age=0", of which that is the effect */

static ngx_uint_t
ngx_http_cmp_crl_no_cache(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_str_t        *value;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("cache-control");

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != name.len
                || ngx_strncmp(h[i].lowcase_key, name.data, name.len) != 0)
            {
                continue;
            }

            value = &h[i].value;

            if (ngx_strlcasestrn(value->data, value->data + value->len,
                                 (u_char *) "no-cache", 8 - 1)
                != NULL
                || ngx_strlcasestrn(value->data, value->data + value->len,
                                    (u_char *) "max-age=0", 9 - 1)
                   != NULL)
            {
                return 1;
            }
        }
    }

    return 0;
}
