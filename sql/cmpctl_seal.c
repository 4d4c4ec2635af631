
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Seals a shared secret for cmpctl: reads it from standard input and prints
 * the sealed form in hexadecimal, or the SHA-256 of a registration token.
 * Patterns for the credential are checked.
 *
 *     cmpctl-seal KEYFILE|--token CA REFERENCE [subject=PATTERN]
 *         [san=PATTERN]...
 *
 * REFERENCE is hexadecimal.
 */


#include <cmp_profile.h>
#include <cmp_seal.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>


#define CMPCTL_MAX_REFERENCE  256
#define CMPCTL_MIN_TOKEN      16
#define CMPCTL_MAX_TOKEN      256


static int cmpctl_patterns(char **args);
static int cmpctl_reference(cmp_str_t *reference, const char *hex);
static int cmpctl_read(cmp_str_t *secret);
static int cmpctl_token(const cmp_str_t *token);
static int cmpctl_print(const unsigned char *data, size_t len);
static int cmpctl_seal(cmp_pool_t *pool, const char *file,
    const cmp_str_t *ca, const cmp_str_t *reference, const cmp_str_t *secret);


int
main(int argc, char **argv)
{
    int            rc;
    cmp_str_t      ca, reference, secret;
    cmp_pool_t    *pool;
    unsigned char  buf[CMP_MAX_SECRET + 1], ref[CMPCTL_MAX_REFERENCE];

    if (argc < 4) {
        fprintf(stderr, "usage: cmpctl-seal KEYFILE|--token CA REFERENCE-HEX "
                        "[subject=PATTERN] [san=PATTERN]...\n");
        return 2;
    }

    ca.data = (unsigned char *) argv[2];
    ca.len = strlen(argv[2]);
    reference.data = ref;
    secret.data = buf;

    if (cmpctl_patterns(argv + 4) != CMP_OK
        || cmpctl_reference(&reference, argv[3]) != CMP_OK
        || cmpctl_read(&secret) != CMP_OK)
    {
        OPENSSL_cleanse(buf, sizeof(buf));
        return 1;
    }

    pool = cmp_pool_create();

    if (pool == NULL) {
        fprintf(stderr, "cmpctl-seal: out of memory\n");
        OPENSSL_cleanse(buf, sizeof(buf));
        return 1;
    }

    rc = (strcmp(argv[1], "--token") == 0)
         ? cmpctl_token(&secret)
         : cmpctl_seal(pool, argv[1], &ca, &reference, &secret);

    OPENSSL_cleanse(buf, sizeof(buf));
    cmp_pool_destroy(pool);

    return rc == CMP_OK ? 0 : 1;
}


static int
cmpctl_patterns(char **args)
{
    int        rc;
    char       err[256];
    char      *value;
    cmp_str_t  pattern;

    for ( /* void */ ; *args != NULL; args++) {

        value = strchr(*args, '=');

        if (value == NULL) {
            fprintf(stderr, "cmpctl-seal: unknown argument \"%s\"\n", *args);
            return CMP_ERROR;
        }

        pattern.data = (unsigned char *) value + 1;
        pattern.len = strlen(value + 1);
        err[0] = '\0';

        if (strncmp(*args, "subject=", sizeof("subject=") - 1) == 0) {
            rc = cmp_subject_pattern_check(&pattern, err, sizeof(err));

        } else if (strncmp(*args, "san=", sizeof("san=") - 1) == 0) {
            rc = cmp_san_pattern_check(&pattern, err, sizeof(err));

        } else {
            fprintf(stderr, "cmpctl-seal: unknown argument \"%s\"\n", *args);
            return CMP_ERROR;
        }

        if (rc != CMP_OK) {
            fprintf(stderr, "cmpctl: %s\n", err);
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static int
cmpctl_reference(cmp_str_t *reference, const char *hex)
{
    size_t       i, len;
    unsigned     octet;
    const char   digits[] = "0123456789abcdef";
    const char  *high, *low;

    len = strlen(hex);

    if (len == 0 || len % 2 != 0 || len / 2 > CMPCTL_MAX_REFERENCE) {
        fprintf(stderr, "cmpctl-seal: the reference has a wrong length\n");
        return CMP_ERROR;
    }

    for (i = 0; i < len / 2; i++) {
        high = strchr(digits, hex[2 * i]);
        low = strchr(digits, hex[2 * i + 1]);

        if (high == NULL || low == NULL) {
            fprintf(stderr, "cmpctl-seal: the reference is not lower-case "
                            "hexadecimal\n");
            return CMP_ERROR;
        }

        octet = (unsigned) ((high - digits) << 4 | (low - digits));
        reference->data[i] = (unsigned char) octet;
    }

    reference->len = len / 2;

    return CMP_OK;
}


static int
cmpctl_read(cmp_str_t *secret)
{
    ssize_t  n;

    secret->len = 0;

    while (secret->len <= CMP_MAX_SECRET) {

        n = read(STDIN_FILENO, secret->data + secret->len,
                 CMP_MAX_SECRET + 1 - secret->len);

        if (n < 0) {
            perror("cmpctl-seal: read() failed");
            return CMP_ERROR;
        }

        if (n == 0) {
            break;
        }

        secret->len += n;
    }

    if (secret->len == 0 || secret->len > CMP_MAX_SECRET) {
        fprintf(stderr, "cmpctl: the secret has to have 1 to %d octets\n",
                CMP_MAX_SECRET);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* a fast hash is enough for what nobody can guess */

static int
cmpctl_token(const cmp_str_t *token)
{
    unsigned char  hash[SHA256_DIGEST_LENGTH];

    if (token->len < CMPCTL_MIN_TOKEN || token->len > CMPCTL_MAX_TOKEN) {
        fprintf(stderr, "cmpctl: a token has to have %d to %d octets\n",
                CMPCTL_MIN_TOKEN, CMPCTL_MAX_TOKEN);
        return CMP_ERROR;
    }

    if (SHA256(token->data, token->len, hash) == NULL) {
        fprintf(stderr, "cmpctl-seal: hashing failed\n");
        return CMP_ERROR;
    }

    return cmpctl_print(hash, sizeof(hash));
}


static int
cmpctl_print(const unsigned char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        printf("%02x", data[i]);
    }

    return (printf("\n") < 0 || fflush(stdout) != 0) ? CMP_ERROR : CMP_OK;
}


static int
cmpctl_seal(cmp_pool_t *pool, const char *file, const cmp_str_t *ca,
    const cmp_str_t *reference, const cmp_str_t *secret)
{
    int            rc;
    char           err[256];
    cmp_str_t      sealed;
    unsigned char  key[CMP_SEAL_KEY_LEN], nonce[12];

    if (cmp_seal_read_key(file, key, err, sizeof(err)) != CMP_OK) {
        fprintf(stderr, "cmpctl: %s\n", err);
        return CMP_ERROR;
    }

    if (RAND_bytes(nonce, sizeof(nonce)) != 1) {
        fprintf(stderr, "cmpctl-seal: no random numbers\n");
        OPENSSL_cleanse(key, sizeof(key));
        return CMP_ERROR;
    }

    rc = cmp_seal(pool, key, nonce, ca, reference, secret, &sealed);

    OPENSSL_cleanse(key, sizeof(key));

    if (rc != CMP_OK) {
        fprintf(stderr, "cmpctl-seal: sealing failed\n");
        return CMP_ERROR;
    }

    return cmpctl_print(sealed.data, sealed.len);
}
