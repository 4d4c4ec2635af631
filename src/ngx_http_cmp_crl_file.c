
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Copies of CRLs in files (cmp_crl_cache), for workers that begin while the
 * database is away.
 *
 * A file has a header and the DER.  It is written under another name and
 * renamed, so that it is always whole.  What is in it is as public as the CRL
 * itself, and who reads the CRL verifies its signature.
 */


#include <ngx_http_cmp_crl.h>


#define NGX_HTTP_CMP_CRL_FILE_MAGIC   "CMPCRL 1"
#define NGX_HTTP_CMP_CRL_FILE_HEADER  40
#define NGX_HTTP_CMP_CRL_FILE_MAX     (1024 * 1024 * 1024)
#define NGX_HTTP_CMP_CRL_FILE_ID      20      /* octets of the key id */


typedef struct {
    int64_t   number;
    int64_t   this_update;
    int64_t   next_update;
    int64_t   len;
} ngx_http_cmp_crl_file_t;


static u_char *ngx_http_cmp_crl_file_name(ngx_http_cmp_crl_t *crl);
static ngx_fd_t ngx_http_cmp_crl_file_open(u_char *name,
    ngx_http_cmp_crl_file_t *file);
static ngx_int_t ngx_http_cmp_crl_file_io(ngx_fd_t fd, u_char *p, size_t len,
    ngx_uint_t write);
static void ngx_http_cmp_crl_file_encode(u_char *p,
    const ngx_http_cmp_crl_der_t *der);
static int64_t ngx_http_cmp_crl_file_int(const u_char *p);


/* in a thread: nothing of nginx that is not safe there */

ngx_int_t
ngx_http_cmp_crl_file_write(ngx_http_cmp_crl_t *crl)
{
    u_char                   *name, *temp;
    u_char                    header[NGX_HTTP_CMP_CRL_FILE_HEADER];
    ngx_fd_t                  fd;
    ngx_int_t                 rc;
    ngx_http_cmp_crl_der_t   *der;
    ngx_http_cmp_crl_file_t   file;

    rc = NGX_ERROR;
    temp = NULL;
    der = crl->der;

    name = ngx_http_cmp_crl_file_name(crl);
    if (name == NULL) {
        return NGX_ERROR;
    }

    /* another worker may have done so already */

    fd = ngx_http_cmp_crl_file_open(name, &file);

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);

        if (file.number >= der->number && file.this_update >= der->this_update)
        {
            free(name);
            return NGX_OK;
        }
    }

    temp = malloc(ngx_strlen(name) + sizeof(".") + NGX_INT64_LEN);
    if (temp == NULL) {
        goto done;
    }

    (void) ngx_sprintf(temp, "%s.%P%Z", name, ngx_pid);

    (void) ngx_delete_file(temp);

    fd = ngx_open_file(temp, NGX_FILE_WRONLY, NGX_FILE_CREATE_OR_OPEN|O_EXCL,
                       NGX_FILE_OWNER_ACCESS);
    if (fd == NGX_INVALID_FILE) {
        crl->file_errno = ngx_errno;
        goto done;
    }

    ngx_http_cmp_crl_file_encode(header, der);

    if (ngx_http_cmp_crl_file_io(fd, header, sizeof(header), 1) == NGX_OK
        && ngx_http_cmp_crl_file_io(fd, der->der.data, der->der.len, 1)
           == NGX_OK)
    {
        rc = NGX_OK;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        rc = NGX_ERROR;
    }

    if (rc == NGX_OK && ngx_rename_file(temp, name) == NGX_FILE_ERROR) {
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {
        crl->file_errno = ngx_errno;
        (void) ngx_delete_file(temp);
    }

done:

    free(name);
    free(temp);

    return rc;
}


void
ngx_http_cmp_crl_file_read(ngx_http_cmp_crl_t *crl, int64_t now)
{
    u_char                   *name;
    ngx_fd_t                  fd;
    ngx_http_cmp_crl_der_t   *der;
    ngx_http_cmp_crl_file_t   file;

    name = ngx_http_cmp_crl_file_name(crl);
    if (name == NULL) {
        return;
    }

    fd = ngx_http_cmp_crl_file_open(name, &file);

    if (fd == NGX_INVALID_FILE) {
        free(name);
        return;
    }

    if (file.next_update <= now
        || (crl->der != NULL && file.this_update <= crl->der->this_update))
    {
        goto done;
    }

    der = ngx_http_cmp_crl_der(file.number, file.this_update,
                               file.next_update);
    if (der == NULL) {
        goto done;
    }

    der->der.data = ngx_alloc(file.len, ngx_cycle->log);
    der->der.len = file.len;

    if (der->der.data == NULL
        || ngx_http_cmp_crl_file_io(fd, der->der.data, file.len, 0) != NGX_OK)
    {
        ngx_http_cmp_crl_release(der);
        goto done;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "cmp_ca \"%V\": CRL %L read from \"%s\"", &crl->ca->name,
                  der->number, name);

    der->saved = 1;

    ngx_http_cmp_crl_set(crl, der);

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", name);
    }

    free(name);
}


/* of CA, key, partition and kind; the name of a CA is one of a file too */

static u_char *
ngx_http_cmp_crl_file_name(ngx_http_cmp_crl_t *crl)
{
    u_char     *name, *p;
    size_t      len, id;
    ngx_str_t  *path;

    path = &crl->main->crl_cache->name;
    id = ngx_min(crl->kind.key_id.len, NGX_HTTP_CMP_CRL_FILE_ID);

    len = path->len + crl->ca->name.len + 2 * id + NGX_INT32_LEN
          + sizeof("/...delta");

    name = malloc(len);
    if (name == NULL) {
        return NULL;
    }

    p = ngx_sprintf(name, "%V/%V.", path, &crl->ca->name);
    p = ngx_hex_dump(p, crl->kind.key_id.data, id);

    (void) ngx_sprintf(p, ".%D%s%Z", crl->kind.partition,
                       crl->kind.delta ? ".delta" : "");

    return name;
}


/* behind the header; a file that is not what it should be is as none */

static ngx_fd_t
ngx_http_cmp_crl_file_open(u_char *name, ngx_http_cmp_crl_file_t *file)
{
    u_char           header[NGX_HTTP_CMP_CRL_FILE_HEADER];
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    fd = ngx_open_file(name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return NGX_INVALID_FILE;
    }

    if (ngx_http_cmp_crl_file_io(fd, header, sizeof(header), 0) == NGX_OK
        && ngx_memcmp(header, NGX_HTTP_CMP_CRL_FILE_MAGIC, 8) == 0
        && ngx_fd_info(fd, &fi) != NGX_FILE_ERROR)
    {
        file->number = ngx_http_cmp_crl_file_int(header + 8);
        file->this_update = ngx_http_cmp_crl_file_int(header + 16);
        file->next_update = ngx_http_cmp_crl_file_int(header + 24);
        file->len = ngx_http_cmp_crl_file_int(header + 32);

        if (file->number > 0
            && file->this_update > 0
            && file->next_update > file->this_update
            && file->len > 0
            && file->len <= NGX_HTTP_CMP_CRL_FILE_MAX
            && ngx_file_size(&fi)
               == NGX_HTTP_CMP_CRL_FILE_HEADER + file->len)
        {
            return fd;
        }
    }

    (void) ngx_close_file(fd);

    return NGX_INVALID_FILE;
}


static ngx_int_t
ngx_http_cmp_crl_file_io(ngx_fd_t fd, u_char *p, size_t len, ngx_uint_t write)
{
    ssize_t  n;

    while (len != 0) {
        n = write ? ngx_write_fd(fd, p, len) : ngx_read_fd(fd, p, len);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n <= 0) {
            return NGX_ERROR;
        }

        p += n;
        len -= n;
    }

    return NGX_OK;
}


static void
ngx_http_cmp_crl_file_encode(u_char *p, const ngx_http_cmp_crl_der_t *der)
{
    size_t    i, k;
    uint64_t  values[4];

    values[0] = der->number;
    values[1] = der->this_update;
    values[2] = der->next_update;
    values[3] = der->der.len;

    p = ngx_cpymem(p, NGX_HTTP_CMP_CRL_FILE_MAGIC, 8);

    for (i = 0; i < 4; i++) {
        for (k = 0; k < 8; k++) {
            *p++ = (u_char) (values[i] >> (56 - 8 * k));
        }
    }
}


static int64_t
ngx_http_cmp_crl_file_int(const u_char *p)
{
    size_t    i;
    uint64_t  value;

    value = 0;

    for (i = 0; i < 8; i++) {
        value = value << 8 | p[i];
    }

    return (int64_t) value;
}
