
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A CRL in the memory of a worker, and what it is sent from.
 */


#include <ngx_http_cmp_crl.h>

#if (NGX_LINUX)
#include <sys/mman.h>
#endif


/* larger ones are not there twice, and connections need descriptors too */
#define NGX_HTTP_CMP_CRL_SENDFILE  (4 * 1024 * 1024)
#define NGX_HTTP_CMP_CRL_FILES     64                /* of a worker */


#if (NGX_LINUX)
static ngx_fd_t ngx_http_cmp_crl_open(ngx_http_cmp_crl_der_t *der);
#endif


/* open now, of this worker */
static ngx_uint_t  ngx_http_cmp_crl_files;

#if (NGX_LINUX)
static ngx_uint_t  ngx_http_cmp_crl_refused;
#endif


ngx_http_cmp_crl_der_t *
ngx_http_cmp_crl_der(int64_t number, int64_t this_update, int64_t next_update)
{
    ngx_http_cmp_crl_der_t  *der;

    der = ngx_calloc(sizeof(ngx_http_cmp_crl_der_t), ngx_cycle->log);
    if (der == NULL) {
        return NULL;
    }

    der->refs = 1;
    der->fd = NGX_INVALID_FILE;
    der->number = number;
    der->this_update = this_update;
    der->next_update = next_update;

    return der;
}


void
ngx_http_cmp_crl_release(ngx_http_cmp_crl_der_t *der)
{
    if (--der->refs != 0) {
        return;
    }

    if (der->made != NULL) {
        cmp_crl_free(der->made);

    } else if (der->der.data != NULL) {
        ngx_free(der->der.data);
    }

    if (der->pem.data != NULL) {
        ngx_free(der->pem.data);
    }

    if (der->fd != NGX_INVALID_FILE) {
        ngx_http_cmp_crl_files--;

        if (ngx_close_file(der->fd) == NGX_FILE_ERROR) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                          ngx_close_file_n " of a CRL failed");
        }
    }

    ngx_free(der);
}


/*
 * sendfile() copies nothing, writev() each time all of it.  The file has no
 * name and is gone with its descriptor.
 */

ngx_file_t *
ngx_http_cmp_crl_file(ngx_http_cmp_crl_der_t *der, ngx_http_request_t *r)
{
#if (NGX_LINUX)

    ngx_file_t  *file;

    if (r->connection->sendfile == 0
        || r->main_filter_need_in_memory
        || ngx_http_cmp_crl_refused
        || der->no_file
        || der->der.len > NGX_HTTP_CMP_CRL_SENDFILE)
    {
        return NULL;
    }

    if (der->fd == NGX_INVALID_FILE) {

        if (ngx_http_cmp_crl_files >= NGX_HTTP_CMP_CRL_FILES) {
            return NULL;
        }

        der->fd = ngx_http_cmp_crl_open(der);

        if (der->fd == NGX_INVALID_FILE) {
            der->no_file = 1;
            return NULL;
        }

        ngx_http_cmp_crl_files++;
    }

    file = ngx_pcalloc(r->pool, sizeof(ngx_file_t));
    if (file == NULL) {
        return NULL;
    }

    file->fd = der->fd;
    file->log = r->connection->log;
    ngx_str_set(&file->name, "CRL");

    return file;

#else

    return NULL;

#endif
}


#if (NGX_LINUX)

static ngx_fd_t
ngx_http_cmp_crl_open(ngx_http_cmp_crl_der_t *der)
{
    size_t     done;
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_err_t  err;

    fd = NGX_INVALID_FILE;

#ifdef MFD_NOEXEC_SEAL
    fd = memfd_create("cmp_crl", MFD_CLOEXEC|MFD_NOEXEC_SEAL);
#endif

    /* the kernel may be older than the headers */

    if (fd == NGX_INVALID_FILE) {
        fd = memfd_create("cmp_crl", MFD_CLOEXEC);
    }

    if (fd == NGX_INVALID_FILE) {
        err = ngx_errno;

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, err,
                      "memfd_create() for a CRL failed");

        /* it will not be allowed later either */

        ngx_http_cmp_crl_refused = (err == NGX_EACCES
                                    || err == NGX_EPERM
                                    || err == NGX_ENOSYS);

        return NGX_INVALID_FILE;
    }

    for (done = 0; done < der->der.len; done += n) {

        n = ngx_write_fd(fd, der->der.data + done, der->der.len - done);

        if (n <= 0) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, ngx_errno,
                          ngx_write_fd_n " of a CRL failed");

            (void) ngx_close_file(fd);
            return NGX_INVALID_FILE;
        }
    }

    return fd;
}

#endif


ngx_int_t
ngx_http_cmp_crl_pem(ngx_http_cmp_crl_der_t *der, ngx_str_t *pem)
{
    u_char     *p;
    size_t      n, len, left;
    ngx_str_t   line, base64;

    static ngx_str_t  begin = ngx_string("-----BEGIN X509 CRL-----\n");
    static ngx_str_t  end = ngx_string("-----END X509 CRL-----\n");

    if (der->pem.data != NULL) {
        *pem = der->pem;
        return NGX_OK;
    }

    len = ngx_base64_encoded_length(der->der.len);
    len += begin.len + (len + 63) / 64 + end.len;

    der->pem.data = ngx_alloc(len, ngx_cycle->log);
    if (der->pem.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(der->pem.data, begin.data, begin.len);

    line.data = der->der.data;

    for (left = der->der.len; left != 0; left -= n) {
        n = ngx_min(left, 48);
        line.len = n;

        base64.data = p;
        ngx_encode_base64(&base64, &line);

        p += base64.len;
        *p++ = '\n';

        line.data += n;
    }

    p = ngx_cpymem(p, end.data, end.len);

    der->pem.len = p - der->pem.data;
    *pem = der->pem;

    return NGX_OK;
}
