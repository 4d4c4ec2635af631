
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Memory, strings, the error queue, refusals.
 */


#include <test_util.h>

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>


static char    order[8];
static size_t  norder;


static void
test_cleanup(void *data)
{
    order[norder++] = *(char *) data;
}


static void
test_pool(void **state)
{
    int             i;
    unsigned char  *p[2000];
    size_t          n;
    cmp_pool_t     *pool;

    (void) state;

    cmp_pool_destroy(NULL);

    pool = cmp_pool_create();
    assert_non_null(pool);
    cmp_pool_destroy(pool);

    pool = cmp_pool_create();
    assert_non_null(pool);

    /* pieces do not overlap, are aligned, and large ones are as good */

    for (i = 0; i < 2000; i++) {
        n = (size_t) i * (i % 7 == 0 ? 11 : 1);
        p[i] = cmp_palloc(pool, n);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t) p[i] % 16, 0);
        memset(p[i], i & 0xff, n);
    }

    for (i = 0; i < 2000; i++) {
        n = (size_t) i * (i % 7 == 0 ? 11 : 1);
        if (n != 0) {
            assert_int_equal(p[i][0], i & 0xff);
            assert_int_equal(p[i][n - 1], i & 0xff);
        }
    }

    p[0] = cmp_pcalloc(pool, 5000);
    assert_non_null(p[0]);

    for (i = 0; i < 5000; i++) {
        assert_int_equal(p[0][i], 0);
    }

    assert_null(cmp_palloc(pool, SIZE_MAX));
    assert_null(cmp_palloc(pool, SIZE_MAX - 20));
    assert_null(cmp_pcalloc(pool, SIZE_MAX));

    cmp_pool_destroy(pool);
}


static void
test_cleanups(void **state)
{
    cmp_pool_t  *pool;

    (void) state;

    pool = cmp_pool_create();
    assert_non_null(pool);

    assert_int_equal(cmp_pool_cleanup_add(pool, test_cleanup, "a"), CMP_OK);
    assert_int_equal(cmp_pool_cleanup_add(pool, test_cleanup, NULL),
                     CMP_ERROR);
    assert_int_equal(cmp_pool_cleanup_add(pool, test_cleanup, "b"), CMP_OK);
    assert_int_equal(cmp_pool_cleanup_add(pool, test_cleanup, "c"), CMP_OK);
    assert_int_equal(norder, 0);

    cmp_pool_destroy(pool);

    assert_string_equal(order, "cba");
}


static void
test_strings(void **state)
{
    char        *p;
    cmp_str_t    a, b;
    cmp_pool_t  *pool;

    (void) state;

    pool = cmp_pool_create();
    assert_non_null(pool);

    assert_int_equal(cmp_pstrdup(pool, &a, "text", 4), CMP_OK);
    assert_int_equal(a.len, 4);
    assert_string_equal((char *) a.data, "text");

    assert_int_equal(cmp_pstrdup(pool, &b, NULL, 0), CMP_OK);
    assert_int_equal(b.len, 0);
    assert_string_equal((char *) b.data, "");
    assert_int_equal(cmp_pstrdup(pool, &b, "x", SIZE_MAX), CMP_ERROR);

    assert_int_equal(cmp_str_equal(&a, &b), 0);
    b = test_str("text");
    assert_int_equal(cmp_str_equal(&a, &b), 1);
    b = test_str("tex_");
    assert_int_equal(cmp_str_equal(&a, &b), 0);
    a.len = 0;
    a.data = NULL;
    b = test_str("");
    assert_int_equal(cmp_str_equal(&a, &b), 1);

    p = cmp_psprintf(pool, "%s-%d", "abc", 17);
    assert_string_equal(p, "abc-17");
    p = cmp_psprintf(pool, "%3000d", 1);
    assert_int_equal(strlen(p), 3000);

    cmp_pool_destroy(pool);
}


static void
test_crypto_error(void **state)
{
    char  buf[256], small[8];

    (void) state;

    cmp_crypto_error(buf, sizeof(buf));
    assert_string_equal(buf, "");

    ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
    ERR_raise_data(ERR_LIB_EVP, EVP_R_UNSUPPORTED_ALGORITHM, "name %d", 7);
    cmp_crypto_error(buf, sizeof(buf));
    assert_string_equal(buf, "unsupported algorithm (name 7)");
    assert_int_equal(ERR_peek_error(), 0);

    ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
    cmp_crypto_error(buf, sizeof(buf));
    assert_string_equal(buf, "bad decrypt");

    ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
    cmp_crypto_error(small, sizeof(small));
    assert_string_equal(small, "bad dec");

    ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
    cmp_crypto_error(NULL, 0);
    assert_int_equal(ERR_peek_error(), 0);

    ERR_raise(ERR_LIB_SYS, 2);
    cmp_crypto_error(buf, sizeof(buf));
    assert_string_not_equal(buf, "");
    assert_int_equal(ERR_peek_error(), 0);
}


static void
test_refusals(void **state)
{
    int             i;
    char           *text;
    cmp_pool_t     *pool;
    cmp_refusal_t   refusal;

    (void) state;

    pool = cmp_pool_create();
    assert_non_null(pool);

    memset(&refusal, 0, sizeof(cmp_refusal_t));

    for (i = 0; i < CMP_REFUSE_MAX; i++) {
        assert_int_equal(cmp_refuse(&refusal, i, NULL), CMP_DECLINED);
        assert_int_equal(refusal.code, i);
        assert_in_range(cmp_refusal_fail_info(&refusal), 0, CMP_FAIL_MAX);
        text = cmp_refusal_text(&refusal, pool);
        assert_non_null(text);
        assert_in_range(strlen(text), 5, 100);
    }

    (void) cmp_refuse(&refusal, CMP_REFUSE_POP, NULL);
    assert_int_equal(cmp_refusal_fail_info(&refusal), CMP_FAIL_BAD_POP);
    assert_string_equal(cmp_refusal_text(&refusal, pool),
                        "the proof of possession does not verify");

    (void) cmp_refuse(&refusal, CMP_REFUSE_POP, "reason %d", 3);
    assert_string_equal(cmp_refusal_text(&refusal, pool),
                        "the proof of possession does not verify: reason 3");

    (void) cmp_refuse(&refusal, CMP_REFUSE_INTERNAL, NULL);
    assert_int_equal(cmp_refusal_fail_info(&refusal), CMP_FAIL_SYSTEM_FAILURE);

    /* what never was set fails closed */

    refusal.code = CMP_REFUSE_MAX;
    assert_int_equal(cmp_refusal_fail_info(&refusal), CMP_FAIL_SYSTEM_FAILURE);
    assert_string_equal(cmp_refusal_text(&refusal, pool), "internal error");

    memset(&refusal, 0, sizeof(cmp_refusal_t));
    assert_int_equal(cmp_refusal_fail_info(&refusal), CMP_FAIL_SYSTEM_FAILURE);

    ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
    test_refused(cmp_refuse_crypto(&refusal, CMP_REFUSE_MESSAGE_CHECK),
                 &refusal, CMP_REFUSE_MESSAGE_CHECK);
    assert_string_equal(refusal.log, "bad decrypt");
    assert_string_equal(refusal.detail, "");

    cmp_pool_destroy(pool);
}


static void
test_detail(void **state)
{
    int            i;
    char           text[300];
    cmp_refusal_t  refusal;

    (void) state;

    memset(&refusal, 0, sizeof(cmp_refusal_t));

    (void) cmp_refuse(&refusal, CMP_REFUSE_POP, "%s", "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(refusal.detail, "gr\xc3\xbc\xc3\x9f");

    /* control characters, and what is no UTF-8 */

    (void) cmp_refuse(&refusal, CMP_REFUSE_POP, "a\nb\x1b[c\x7f" "d");
    assert_string_equal(refusal.detail, "a?b?[c?d");

    (void) cmp_refuse(&refusal, CMP_REFUSE_POP, "a\xff" "b\xc3(\x80");
    assert_string_equal(refusal.detail, "a?b?(?");

    (void) cmp_refuse(&refusal, CMP_REFUSE_POP, "a\xc2\x85\xc0\xaf"
                      "\xed\xa0\x80\xf4\x90\x80\x80");
    assert_string_equal(refusal.detail, "a???????????");

    (void) cmp_refuse(&refusal, CMP_REFUSE_POP, "end\xe2\x82");
    assert_string_equal(refusal.detail, "end??");

    /* cut between characters, wherever they begin */

    for (i = 0; i < 4; i++) {
        memset(text, 'a', sizeof(text));
        memcpy(text + 194 + i, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 10);

        (void) cmp_refuse(&refusal, CMP_REFUSE_POP, "%s", text);

        assert_int_equal(memchr(refusal.detail, '?', 200), NULL);
        assert_in_range(strlen(refusal.detail), 194, 199);
    }
}


static void
test_status_info(void **state)
{
    int                     n;
    unsigned char          *der;
    cmp_pki_status_info_t  *info;

    static const unsigned char  full[] = {
        0x30, 0x0f, 0x02, 0x01, 0x02, 0x30, 0x04, 0x0c, 0x02, 'n', 'o',
        0x03, 0x04, 0x06, 0x00, 0x00, 0x40
    };

    static const unsigned char  bare[] = { 0x30, 0x03, 0x02, 0x01, 0x00 };

    (void) state;

    info = cmp_status_info(CMP_STATUS_REJECTION, "no",
                           CMP_FAIL_ADD_INFO_NOT_AVAILABLE);
    assert_non_null(info);
    n = cmp_asn1_encode(cmp_pki_status_info_t, info, &der);
    assert_int_equal(n, sizeof(full));
    assert_memory_equal(der, full, n);
    OPENSSL_free(der);
    cmp_asn1_free(cmp_pki_status_info_t, info);

    info = cmp_status_info(CMP_STATUS_ACCEPTED, NULL, -1);
    assert_non_null(info);
    n = cmp_asn1_encode(cmp_pki_status_info_t, info, &der);
    assert_int_equal(n, sizeof(bare));
    assert_memory_equal(der, bare, n);
    OPENSSL_free(der);
    cmp_asn1_free(cmp_pki_status_info_t, info);

    assert_string_equal(cmp_fail_info_name(0), "badAlg");
    assert_string_equal(cmp_fail_info_name(9), "badPOP");
    assert_string_equal(cmp_fail_info_name(26), "duplicateCertReq");
    assert_string_equal(cmp_fail_info_name(27), "-");
    assert_string_equal(cmp_fail_info_name(-1), "-");
    assert_string_equal(cmp_status_name(0), "accepted");
    assert_string_equal(cmp_status_name(6), "keyUpdateWarning");
    assert_string_equal(cmp_status_name(7), "-");
    assert_string_equal(cmp_status_name(-1), "-");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_cleanups),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_crypto_error),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_detail),
        cmocka_unit_test(test_status_info)
    };

    return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
