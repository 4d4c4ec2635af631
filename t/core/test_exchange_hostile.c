
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Messages whose structure is meant to cost much: each is refused in a
 * bounded time, and before anything is looked up in the store.
 */


#include <fixture.h>

#include <time.h>


#define TEST_CPU    1               /* seconds, with the sanitizers too */


typedef struct {
    unsigned char  *data;
    size_t          len;
} test_bytes_t;


static test_bytes_t
test_copies(const test_bytes_t *one, size_t n)
{
    size_t        i;
    test_bytes_t  all;

    all.len = one->len * n;
    all.data = malloc(all.len + 1);
    assert_non_null(all.data);

    for (i = 0; i < n; i++) {
        memcpy(all.data + i * one->len, one->data, one->len);
    }

    return all;
}


/* the content becomes an element; it is freed */

static test_bytes_t
test_wrap(int tag, test_bytes_t content)
{
    test_bytes_t    all;
    unsigned char  *p;

    all.data = malloc(content.len + 8);
    assert_non_null(all.data);

    p = all.data;
    *p++ = (unsigned char) tag;

    if (content.len < 0x80) {
        *p++ = (unsigned char) content.len;

    } else if (content.len < 0x10000) {
        *p++ = 0x82;
        *p++ = (unsigned char) (content.len >> 8);
        *p++ = (unsigned char) content.len;

    } else {
        *p++ = 0x83;
        *p++ = (unsigned char) (content.len >> 16);
        *p++ = (unsigned char) (content.len >> 8);
        *p++ = (unsigned char) content.len;
    }

    memcpy(p, content.data, content.len);
    all.len = p - all.data + content.len;
    free(content.data);

    return all;
}


static test_bytes_t
test_nest(int tag, int depth)
{
    test_bytes_t  all;

    all.data = calloc(1, 1);
    all.len = 0;
    assert_non_null(all.data);

    while (depth-- > 0) {
        all = test_wrap(tag, all);
    }

    return all;
}


/* header, body and what follows, of a good ir; the body is put in its place */

static test_bytes_t
test_message(fixture_t *f, test_bytes_t body, test_bytes_t more)
{
    int                 len;
    test_bytes_t        all;
    unsigned char      *header, *p;
    cmp_pki_message_t  *msg;

    msg = fixture_ir(f);
    client_protect(&f->c, msg);

    header = NULL;
    len = ASN1_item_i2d((ASN1_VALUE *) msg->header, &header,
                        ASN1_ITEM_rptr(cmp_pki_header_t));
    assert_true(len > 0);

    all.len = len + body.len + more.len;
    all.data = malloc(all.len);
    assert_non_null(all.data);

    p = all.data;
    memcpy(p, header, len);
    p += len;
    memcpy(p, body.data, body.len);
    p += body.len;
    memcpy(p, more.data, more.len);

    OPENSSL_free(header);
    cmp_asn1_free(cmp_pki_message_t, msg);
    free(body.data);
    free(more.data);

    return test_wrap(0x30, all);
}


static void
test_refused(fixture_t *f, test_bytes_t bytes)
{
    clock_t  begin;

    f->unprotected = 1;
    f->h->sign_refusals = 0;

    begin = clock();

    fixture_send_bytes(f, bytes.data, bytes.len);

    assert_true(clock() - begin < TEST_CPU * CLOCKS_PER_SEC);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_DATA_FORMAT,
                    FIXTURE_QUIET);

    free(bytes.data);
}


static void
test_depth(void **state)
{
    fixture_t     *f;
    test_bytes_t   open;

    f = *state;

    /* in every place, and without an end */

    test_refused(f, test_nest(0x30, 20000));
    test_refused(f, test_message(f, test_nest(0xa0, 20000),
                                 test_nest(0, 0)));
    test_refused(f, test_message(f, test_nest(0xb4, 20000),
                                 test_nest(0, 0)));
    test_refused(f, test_message(f, test_wrap(0xa0, test_nest(0x30, 2)),
                                 test_nest(0xa1, 20000)));

    open.data = (unsigned char *) "\x30\x80";
    open.len = 2;

    test_refused(f, test_copies(&open, 100000));
    test_refused(f, test_wrap(0x30, test_copies(&open, 100000)));
}


static void
test_counts(void **state)
{
    int            i;
    fixture_t     *f;
    test_bytes_t   empty;

    static const int  tags[] = {
        CMP_BODY_IR, CMP_BODY_CR, CMP_BODY_KUR, CMP_BODY_RR, CMP_BODY_NESTED,
        CMP_BODY_GENM, CMP_BODY_CERTCONF, CMP_BODY_POLLREQ
    };

    f = *state;

    empty.data = (unsigned char *) "\x30\x00";
    empty.len = 2;

    for (i = 0; i < (int) (sizeof(tags) / sizeof(tags[0])); i++) {
        test_refused(f, test_message(f,
                            test_wrap(0xa0 | tags[i],
                                      test_wrap(0x30,
                                                test_copies(&empty, 10000))),
                            test_nest(0, 0)));
    }

    /* a genm may be empty, it is for the extraCerts */

    test_refused(f, test_message(f, test_wrap(0xa0 | CMP_BODY_GENM,
                                              test_copies(&empty, 1)),
                                 test_wrap(0xa1, test_wrap(0x30,
                                           test_copies(&empty, 1000)))));

    test_refused(f, test_wrap(0x30, test_copies(&empty, 100000)));
}


/* a message in which each of the elements is an empty SEQUENCE */

static void
test_empty(void **state)
{
    int            i;
    fixture_t     *f;
    test_bytes_t   empty;

    f = *state;

    empty.data = (unsigned char *) "\x30\x00";
    empty.len = 2;

    for (i = 0; i < 6; i++) {
        test_refused(f, test_wrap(0x30, test_copies(&empty, i)));
    }

    for (i = 0; i <= CMP_BODY_MAX; i++) {

        /* the only body that may be empty */

        if (i == CMP_BODY_GENM || i == CMP_BODY_GENP) {
            continue;
        }

        test_refused(f, test_message(f, test_wrap(0xa0 | i,
                                                  test_copies(&empty, 0)),
                                     test_nest(0, 0)));
    }
}


/* a length of four gigabytes at each octet of a good message in turn */

static void
test_lengths(void **state)
{
    int                 type;
    size_t              i, len;
    clock_t             begin;
    fixture_t          *f;
    unsigned char      *der, saved[5];
    cmp_pki_message_t  *msg;

    f = *state;

    msg = fixture_ir(f);
    client_protect(&f->c, msg);
    der = client_encode(msg, &len);

    f->h->sign_refusals = 0;
    begin = clock();

    for (i = 0; i + 5 < len; i++) {
        memcpy(saved, der + i, 5);
        memcpy(der + i, "\x84\xff\xff\xff\xff", 5);

        (void) harness_exchange(f->h, der, len);
        assert_non_null(f->h->reply);

        client_answer_free(f->a);
        f->a = client_answer(f->h->reply, f->h->reply_len);
        assert_non_null(f->a);
        type = f->a->type;
        assert_true(type == CMP_BODY_ERROR || type == CMP_BODY_IP);
        assert_int_equal(f->h->store->certs.n, 0);

        memcpy(der + i, saved, 5);
    }

    assert_true(clock() - begin < (clock_t) len * CLOCKS_PER_SEC / 20);
    free(der);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_depth),
        fixture_test_strict(test_depth),
        fixture_test(test_counts),
        fixture_test(test_empty),
        fixture_test(test_lengths)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
