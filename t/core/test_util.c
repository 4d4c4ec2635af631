
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <test_util.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


#define TEST_DATA  "t/core/data/"


void
test_check_ok(int rc, const char *file, int line)
{
    _assert_int_equal((LargestIntegralType) rc, CMP_OK, file, line);
    _assert_int_equal(ERR_peek_error(), 0, file, line);
}


void
test_check_refused(int rc, const cmp_refusal_t *refusal, cmp_refuse_e code,
    const char *file, int line)
{
    _assert_int_equal((LargestIntegralType) rc,
                      (LargestIntegralType) CMP_DECLINED, file, line);
    _assert_int_equal(refusal->code, code, file, line);
    _assert_int_equal(ERR_peek_error(), 0, file, line);
}


cmp_str_t
test_file(cmp_pool_t *pool, const char *name)
{
    long        size;
    char        path[256];
    FILE       *f;
    cmp_str_t   str;

    (void) snprintf(path, sizeof(path), TEST_DATA "%s", name);

    f = fopen(path, "rb");
    if (f == NULL) {
        print_error("cannot open %s\n", path);
    }

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size > 0);
    rewind(f);

    str.len = (size_t) size;
    str.data = cmp_palloc(pool, str.len);
    assert_non_null(str.data);
    assert_int_equal(fread(str.data, 1, str.len, f), str.len);

    assert_int_equal(fclose(f), 0);

    return str;
}


void
test_ca(cmp_ca_t *ca)
{
    memset(ca, 0, sizeof(cmp_ca_t));

    ca->max_iterations = 100000;
    ca->sha1 = 1;
}


void
test_decode(cmp_pool_t *pool, const unsigned char *data, size_t len,
    cmp_msg_t *msg)
{
    cmp_str_t      copy;
    cmp_refusal_t  refusal;

    memset(&refusal, 0, sizeof(cmp_refusal_t));

    assert_int_equal(cmp_pstrdup(pool, &copy, data, len), CMP_OK);
    test_ok(cmp_msg_decode(pool, NULL, copy.data, copy.len, msg, &refusal));
}


cmp_str_t
test_str(const char *text)
{
    cmp_str_t  str;

    str.data = (unsigned char *) text;
    str.len = strlen(text);

    return str;
}


cmp_str_t
test_der(cmp_pool_t *pool, const ASN1_ITEM *it, const void *value)
{
    cmp_str_t  str;

    assert_int_equal(cmp_encode(pool, it, value, &str), CMP_OK);

    return str;
}


void
test_parameters(cmp_pool_t *pool, X509_ALGOR *alg, const ASN1_ITEM *it,
    const void *value, size_t len)
{
    cmp_str_t     der;
    ASN1_STRING  *string;

    if (it != NULL) {
        der = test_der(pool, it, value);

    } else {
        der.data = (unsigned char *) value;
        der.len = len;
    }

    string = ASN1_STRING_new();
    assert_non_null(string);
    assert_int_equal(ASN1_STRING_set(string, der.data, (int) der.len), 1);

    ASN1_TYPE_free(alg->parameter);
    alg->parameter = ASN1_TYPE_new();
    assert_non_null(alg->parameter);
    ASN1_TYPE_set(alg->parameter, V_ASN1_SEQUENCE, string);
}


void
test_null_parameters(X509_ALGOR *alg)
{
    ASN1_TYPE_free(alg->parameter);
    alg->parameter = ASN1_TYPE_new();
    assert_non_null(alg->parameter);
    ASN1_TYPE_set(alg->parameter, V_ASN1_NULL, NULL);
}


void
test_request(cmp_pool_t *pool, client_t *client, cmp_msg_t *msg)
{
    size_t              len;
    unsigned char      *der;
    cmp_pki_message_t  *request;

    request = client_message(client, CMP_BODY_GENM);
    client_add_info(request, &cmp_oid_it_ca_certs);
    client_protect(client, request);

    der = client_encode(request, &len);
    test_decode(pool, der, len, msg);
    free(der);
}


EVP_PKEY *
test_other_key(int kind, EVP_PKEY *key)
{
    char       name[] = "a";
    EVP_PKEY  *other;

    for ( ;; ) {
        other = pki_key(kind, name);

        if (EVP_PKEY_eq(other, key) != 1) {
            ERR_clear_error();
            return other;
        }

        EVP_PKEY_free(other);
        name[0]++;
    }
}
