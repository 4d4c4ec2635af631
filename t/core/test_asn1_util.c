
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The functions of cmp_asn1.h: octets as BIT STRING, the error queue.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>

#include <cmp_asn1.h>


static void
test_same(const ASN1_ITEM *it, const void *value, const unsigned char *data,
    size_t len)
{
    int             n;
    unsigned char  *out;

    n = cmp_asn1_encode_item(it, value, &out);

    assert_int_equal(n, len);
    assert_memory_equal(out, data, len);

    OPENSSL_free(out);
}


static void
test_bits(void **state)
{
    ASN1_BIT_STRING        *bits;
    cmp_pki_status_info_t  *info;

    static const unsigned char  zeros[] = { 0xa5, 0x00, 0x00 };

    static const unsigned char  der[] = { 0x03, 0x04, 0x00, 0xa5, 0x00, 0x00 };

    static const unsigned char  odd[] = { 0x03, 0x02, 0x04, 0xf0 };

    static const unsigned char  status[] = {
        0x30, 0x09, 0x02, 0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x00, 0x01
    };

    (void) state;

    bits = ASN1_BIT_STRING_new();
    assert_non_null(bits);
    assert_int_equal(cmp_asn1_set_octets(bits, zeros, sizeof(zeros)), 1);
    assert_int_equal(cmp_asn1_is_octets(bits), 1);
    test_same(ASN1_ITEM_rptr(ASN1_BIT_STRING), bits, der, sizeof(der));
    ASN1_BIT_STRING_free(bits);

    bits = cmp_asn1_decode(ASN1_BIT_STRING, odd, sizeof(odd));
    assert_non_null(bits);
    assert_int_equal(cmp_asn1_is_octets(bits), 0);
    ASN1_BIT_STRING_free(bits);

    info = cmp_asn1_new(cmp_pki_status_info_t);
    assert_int_equal(ASN1_INTEGER_set(info->status, CMP_STATUS_REJECTION), 1);
    info->fail_info = ASN1_BIT_STRING_new();
    assert_int_equal(ASN1_BIT_STRING_set_bit(info->fail_info,
                                             CMP_FAIL_NOT_AUTHORIZED, 1), 1);
    test_same(ASN1_ITEM_rptr(cmp_pki_status_info_t), info, status,
              sizeof(status));
    cmp_asn1_free(cmp_pki_status_info_t, info);

    assert_int_equal(CMP_FAIL_DUPLICATE_CERT_REQ, 26);
    assert_int_equal(CMP_BODY_POLLREP, 26);
    assert_int_equal(CMP_STATUS_KEY_UPDATE_WARNING, 6);
}


/* errors of others stay in the queue, none of ours is added */

static void
test_error_queue(void **state)
{
    static const unsigned char  bad[] = { 0x30, 0x03, 0x02, 0x01 };

    (void) state;

    ERR_raise(ERR_LIB_USER, 7);

    assert_null(cmp_asn1_decode(cmp_pki_message_t, bad, sizeof(bad)));
    assert_null(cmp_asn1_decode(cmp_pki_message_t, bad, 0));
    assert_null(cmp_asn1_decode(cmp_pki_message_t, NULL, 0));
    assert_null(cmp_asn1_decode(cmp_pki_message_t, bad, (size_t) -1));

    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 7);
    assert_int_equal(ERR_get_error(), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_error_queue)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
