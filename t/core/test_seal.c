
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Shared secrets at rest, and the file of their key.
 */


#include <test_util.h>

#include <cmp_seal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>


static unsigned char  key[CMP_SEAL_KEY_LEN] = "0123456789abcdef0123456789abcde";
static unsigned char  nonce[12] = "nonce-nonce";


static void
test_seal_vector(void **state)
{
    cmp_str_t    ca, reference, secret, sealed;
    cmp_pool_t  *pool;

    /* made with another implementation of AES-256-GCM */

    static const unsigned char  zero[32];

    static const unsigned char  expected[] = {
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0xbd, 0xc2, 0x23, 0x4f, 0x28, 0x14, 0xc0, 0xa8, 0x01,
        0xef, 0xcf, 0x8b, 0xa5, 0xac, 0x73, 0x0f, 0x47, 0x44, 0xed, 0x1f,
        0x1e, 0x1f
    };

    (void) state;

    pool = cmp_pool_create();
    assert_non_null(pool);

    ca = test_str("devices");
    reference = test_str("3078");
    secret = test_str("secret");

    test_ok(cmp_seal(pool, zero, zero, &ca, &reference, &secret, &sealed));
    assert_int_equal(sealed.len, sizeof(expected));
    assert_memory_equal(sealed.data, expected, sealed.len);

    cmp_pool_destroy(pool);
}


static void
test_seal(void **state)
{
    size_t         i, len;
    cmp_str_t      ca, reference, other, secret, sealed, out, cut;
    cmp_pool_t    *pool;
    unsigned char  wrong[CMP_SEAL_KEY_LEN];
    unsigned char  text[CMP_SEAL_MAX + 1];

    static const size_t  lengths[] = { 0, 1, 15, 16, 17, 31, CMP_MAX_SECRET,
                                       CMP_SEAL_MAX };

    (void) state;

    memset(text, 's', sizeof(text));

    pool = cmp_pool_create();
    assert_non_null(pool);

    ca = test_str("devices");
    reference = test_str("3078");
    other = test_str("3079");

    for (i = 0; i < sizeof(lengths) / sizeof(size_t); i++) {
        secret.data = text;
        secret.len = lengths[i];

        test_ok(cmp_seal(pool, key, nonce, &ca, &reference, &secret, &sealed));
        assert_int_equal(sealed.len, secret.len + CMP_SEAL_OVERHEAD);

        test_ok(cmp_unseal(pool, key, &ca, &reference, &sealed, &out));
        assert_int_equal(cmp_str_equal(&out, &secret), 1);
    }

    secret.len = CMP_SEAL_MAX + 1;
    assert_int_equal(cmp_seal(pool, key, nonce, &ca, &reference, &secret,
                              &sealed), CMP_ERROR);

    secret = test_str("a secret");
    test_ok(cmp_seal(pool, key, nonce, &ca, &reference, &secret, &sealed));

    /* moved to another reference or CA */

    assert_int_equal(cmp_unseal(pool, key, &ca, &other, &sealed, &out),
                     CMP_DECLINED);
    assert_int_equal(cmp_unseal(pool, key, &other, &reference, &sealed, &out),
                     CMP_DECLINED);

    memcpy(wrong, key, sizeof(wrong));
    wrong[31] ^= 1;
    assert_int_equal(cmp_unseal(pool, wrong, &ca, &reference, &sealed, &out),
                     CMP_DECLINED);

    /* each octet counts, and so does the length */

    for (i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 0x20;
        assert_int_equal(cmp_unseal(pool, key, &ca, &reference, &sealed, &out),
                         CMP_DECLINED);
        assert_int_equal(ERR_peek_error(), 0);
        sealed.data[i] ^= 0x20;
    }

    for (len = 0; len < sealed.len; len++) {
        cut.data = sealed.data;
        cut.len = len;
        assert_int_equal(cmp_unseal(pool, key, &ca, &reference, &cut, &out),
                         CMP_DECLINED);
    }

    test_ok(cmp_unseal(pool, key, &ca, &reference, &sealed, &out));

    cmp_pool_destroy(pool);
}


static int
test_key_file(const char *text, size_t len, mode_t mode, unsigned char *out,
    char *err, size_t size)
{
    int   fd, rc;
    char  name[] = "/tmp/cmp_seal_XXXXXX";

    fd = mkstemp(name);
    assert_true(fd != -1);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);

    err[0] = '\0';
    rc = cmp_seal_read_key(name, out, err, size);

    assert_int_equal(unlink(name), 0);

    return rc;
}


static void
test_read_key(void **state)
{
    int            i;
    char           err[256];
    unsigned char  out[CMP_SEAL_KEY_LEN], bytes[CMP_SEAL_KEY_LEN];
    const char    *p;

    static const char  hex[] = "000102030405060708090a0b0c0d0e0f"
                               "101112131415161718191A1B1C1D1E1F";

    static const char  *bad[] = {
        "", "\n", "00", "000102030405060708090a0b0c0d0e0f101112131415161718191A"
        "1B1C1D1E1g", NULL
    };

    (void) state;

    for (i = 0; i < CMP_SEAL_KEY_LEN; i++) {
        bytes[i] = (unsigned char) i;
    }

    assert_int_equal(test_key_file((char *) bytes, 32, 0600, out, err,
                                   sizeof(err)), CMP_OK);
    assert_memory_equal(out, bytes, 32);

    memset(out, 0, sizeof(out));
    assert_int_equal(test_key_file(hex, 64, 0640, out, err, sizeof(err)),
                     CMP_OK);
    assert_memory_equal(out, bytes, 32);

    p = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n";
    assert_int_equal(test_key_file(p, 65, 0400, out, err, sizeof(err)),
                     CMP_OK);
    p = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\r\n";
    assert_int_equal(test_key_file(p, 66, 0400, out, err, sizeof(err)),
                     CMP_OK);
    p = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n\n";
    assert_int_equal(test_key_file(p, 66, 0400, out, err, sizeof(err)),
                     CMP_ERROR);
    p = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\r\nx";
    assert_int_equal(test_key_file(p, 67, 0400, out, err, sizeof(err)),
                     CMP_ERROR);

    for (i = 0; bad[i] != NULL; i++) {
        assert_int_equal(test_key_file(bad[i], strlen(bad[i]), 0600, out, err,
                                       sizeof(err)), CMP_ERROR);
        assert_non_null(strstr(err, "must contain 32 octets"));
    }

    /* others may read or change it */

    assert_int_equal(test_key_file(hex, 64, 0644, out, err, sizeof(err)),
                     CMP_ERROR);
    assert_non_null(strstr(err, "accessible to others"));
    assert_int_equal(test_key_file(hex, 64, 0602, out, err, sizeof(err)),
                     CMP_ERROR);

    assert_int_equal(cmp_seal_read_key("/nonexistent/key", out, err,
                                       sizeof(err)), CMP_ERROR);
    assert_non_null(strstr(err, "No such file"));
    assert_int_equal(cmp_seal_read_key("/", out, err, sizeof(err)),
                     CMP_ERROR);
    assert_non_null(strstr(err, "not a regular file"));
    assert_int_equal(cmp_seal_read_key("/dev/zero", out, err, sizeof(err)),
                     CMP_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_seal_vector),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_read_key)
    };

    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
