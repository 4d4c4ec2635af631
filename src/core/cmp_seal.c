
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_seal.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>


#define CMP_SEAL_VERSION    1
#define CMP_SEAL_NONCE_LEN  12
#define CMP_SEAL_TAG_LEN    16

/* hexadecimal, with the end of a line as an editor may leave it */

#define CMP_SEAL_FILE_LEN   (2 * CMP_SEAL_KEY_LEN + 2)


static int cmp_seal_crypt(EVP_CIPHER_CTX *ctx, int enc,
    const unsigned char *key, const unsigned char *nonce, const cmp_str_t *ca,
    const cmp_str_t *reference, const cmp_str_t *in, unsigned char *out);
static ssize_t cmp_seal_read_file(const char *file, unsigned char *buf,
    size_t size, char *err, size_t err_size);
static int cmp_seal_hex(const unsigned char *text, unsigned char *key);


int
cmp_seal(cmp_pool_t *pool, const unsigned char *key,
    const unsigned char *nonce, const cmp_str_t *ca,
    const cmp_str_t *reference, const cmp_str_t *secret, cmp_str_t *sealed)
{
    int              n, rc;
    cmp_str_t        out;
    unsigned char   *p;
    EVP_CIPHER_CTX  *ctx;

    if (secret->len > CMP_SEAL_MAX) {
        return CMP_ERROR;
    }

    out.len = CMP_SEAL_OVERHEAD + secret->len;
    out.data = cmp_palloc(pool, out.len);
    if (out.data == NULL) {
        return CMP_ERROR;
    }

    p = out.data;

    *p++ = CMP_SEAL_VERSION;
    memcpy(p, nonce, CMP_SEAL_NONCE_LEN);
    p += CMP_SEAL_NONCE_LEN;

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    rc = CMP_ERROR;

    if (cmp_seal_crypt(ctx, 1, key, nonce, ca, reference, secret, p) == CMP_OK
        && EVP_CipherFinal_ex(ctx, p + secret->len, &n) == 1
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CMP_SEAL_TAG_LEN,
                               p + secret->len)
           == 1)
    {
        *sealed = out;
        rc = CMP_OK;
    }

    EVP_CIPHER_CTX_free(ctx);
    cmp_crypto_error(NULL, 0);

    return rc;
}


int
cmp_unseal(cmp_pool_t *pool, const unsigned char *key, const cmp_str_t *ca,
    const cmp_str_t *reference, const cmp_str_t *sealed, cmp_str_t *secret)
{
    int              n, rc;
    cmp_str_t        in, out;
    unsigned char   *p;
    EVP_CIPHER_CTX  *ctx;

    if (sealed->len < CMP_SEAL_OVERHEAD
        || sealed->len > CMP_SEAL_OVERHEAD + CMP_SEAL_MAX
        || sealed->data[0] != CMP_SEAL_VERSION)
    {
        return CMP_DECLINED;
    }

    p = sealed->data + 1;

    in.data = p + CMP_SEAL_NONCE_LEN;
    in.len = sealed->len - CMP_SEAL_OVERHEAD;

    out.len = in.len;
    out.data = cmp_pcalloc(pool, out.len + 1);
    if (out.data == NULL) {
        return CMP_ERROR;
    }

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        cmp_crypto_error(NULL, 0);
        return CMP_ERROR;
    }

    if (cmp_seal_crypt(ctx, 0, key, p, ca, reference, &in, out.data) != CMP_OK
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CMP_SEAL_TAG_LEN,
                               in.data + in.len)
           != 1)
    {
        rc = CMP_ERROR;

    } else if (EVP_CipherFinal_ex(ctx, out.data + out.len, &n) != 1) {

        /* what was decrypted is not to be seen by anybody */

        OPENSSL_cleanse(out.data, out.len);
        rc = CMP_DECLINED;

    } else {
        *secret = out;
        rc = CMP_OK;
    }

    EVP_CIPHER_CTX_free(ctx);
    cmp_crypto_error(NULL, 0);

    return rc;
}


/* all but the tag; the length of out is that of in */

static int
cmp_seal_crypt(EVP_CIPHER_CTX *ctx, int enc, const unsigned char *key,
    const unsigned char *nonce, const cmp_str_t *ca,
    const cmp_str_t *reference, const cmp_str_t *in, unsigned char *out)
{
    int  n;

    if (ca->len > INT_MAX || reference->len > INT_MAX) {
        return CMP_ERROR;
    }

    if (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, enc) != 1)
    {
        return CMP_ERROR;
    }

    /* an update of no octets would end the additional data */

    if ((ca->len != 0
         && EVP_CipherUpdate(ctx, NULL, &n, ca->data, (int) ca->len) != 1)
        || EVP_CipherUpdate(ctx, NULL, &n, (unsigned char *) ":", 1) != 1
        || (reference->len != 0
            && EVP_CipherUpdate(ctx, NULL, &n, reference->data,
                                (int) reference->len)
               != 1))
    {
        return CMP_ERROR;
    }

    if (in->len == 0) {
        return CMP_OK;
    }

    if (EVP_CipherUpdate(ctx, out, &n, in->data, (int) in->len) != 1
        || n != (int) in->len)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


int
cmp_seal_read_key(const char *file, unsigned char *key, char *err, size_t size)
{
    int            rc;
    ssize_t        n;
    unsigned char  buf[CMP_SEAL_FILE_LEN + 1];

    n = cmp_seal_read_file(file, buf, sizeof(buf), err, size);
    if (n < 0) {
        return CMP_ERROR;
    }

    rc = CMP_ERROR;

    if (n == CMP_SEAL_KEY_LEN) {
        memcpy(key, buf, CMP_SEAL_KEY_LEN);
        rc = CMP_OK;

    } else {

        if (n > 0 && buf[n - 1] == '\n') {
            n--;
        }

        if (n > 0 && buf[n - 1] == '\r') {
            n--;
        }

        if (n == 2 * CMP_SEAL_KEY_LEN) {
            rc = cmp_seal_hex(buf, key);
        }
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    if (rc != CMP_OK) {
        (void) snprintf(err, size, "\"%s\" must contain %d octets or %d "
                        "hexadecimal digits", file, CMP_SEAL_KEY_LEN,
                        2 * CMP_SEAL_KEY_LEN);
    }

    return rc;
}


static ssize_t
cmp_seal_read_file(const char *file, unsigned char *buf, size_t size,
    char *err, size_t err_size)
{
    int          fd;
    size_t       len;
    ssize_t      n;
    struct stat  st;

    fd = open(file, O_RDONLY|O_CLOEXEC|O_NOCTTY|O_NONBLOCK);
    if (fd == -1) {
        (void) snprintf(err, err_size, "open(\"%s\") failed (%d: %s)", file,
                        errno, strerror(errno));
        return -1;
    }

    len = 0;

    if (fstat(fd, &st) == -1) {
        (void) snprintf(err, err_size, "fstat(\"%s\") failed (%d: %s)", file,
                        errno, strerror(errno));
        goto failed;
    }

    if (!S_ISREG(st.st_mode)) {
        (void) snprintf(err, err_size, "\"%s\" is not a regular file", file);
        goto failed;
    }

    if ((st.st_mode & (S_IROTH|S_IWOTH)) != 0) {
        (void) snprintf(err, err_size, "\"%s\" is accessible to others than "
                        "its owner and group, change its mode to 0600", file);
        goto failed;
    }

    while (len < size) {

        n = read(fd, buf + len, size - len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            (void) snprintf(err, err_size, "read(\"%s\") failed (%d: %s)",
                            file, errno, strerror(errno));
            goto failed;
        }

        if (n == 0) {
            break;
        }

        len += (size_t) n;
    }

    (void) close(fd);

    return (ssize_t) len;

failed:

    OPENSSL_cleanse(buf, len);
    (void) close(fd);

    return -1;
}


static int
cmp_seal_hex(const unsigned char *text, unsigned char *key)
{
    int            digit;
    size_t         i;
    unsigned char  c;

    for (i = 0; i < 2 * CMP_SEAL_KEY_LEN; i++) {

        c = text[i];

        if (c >= '0' && c <= '9') {
            digit = c - '0';

        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;

        } else if (c >= 'A' && c <= 'F') {
            digit = c - 'A' + 10;

        } else {
            OPENSSL_cleanse(key, CMP_SEAL_KEY_LEN);
            return CMP_ERROR;
        }

        if (i % 2 == 0) {
            key[i / 2] = (unsigned char) (digit << 4);

        } else {
            key[i / 2] |= (unsigned char) digit;
        }
    }

    return CMP_OK;
}
