
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * cmp_msg_decode(), cmp_msg_is_der(), cmp_msg_cert_request(): any bytes.
 *
 * With -DCMP_FUZZ_MAIN a program that reads the files named.
 */


#include <cmp_msg.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


#define fuzz_check(cond)                                                      \
    if (!(cond)) {                                                            \
        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);            \
        abort();                                                              \
    }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_decoded(const cmp_msg_t *msg, cmp_pool_t *pool);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             rc;
    cmp_msg_t       msg;
    cmp_pool_t     *pool;
    cmp_refusal_t   refusal;
    unsigned char  *copy;

    copy = malloc(size + 1);
    pool = cmp_pool_create();
    fuzz_check(copy != NULL && pool != NULL);
    memcpy(copy, data, size);

    memset(&refusal, 0, sizeof(cmp_refusal_t));
    rc = cmp_msg_decode(pool, NULL, copy, size, &msg, &refusal);

    switch (rc) {

    case CMP_OK:
        fuzz_decoded(&msg, pool);
        break;

    case CMP_DECLINED:
        fuzz_check(refusal.code > CMP_REFUSE_NONE);
        fuzz_check(refusal.code < CMP_REFUSE_MAX);
        fuzz_check(cmp_refusal_text(&refusal, pool) != NULL);
        break;

    default:
        fuzz_check(rc == CMP_OK);
        break;
    }

    fuzz_check(ERR_peek_error() == 0);

    cmp_pool_destroy(pool);
    free(copy);

    return 0;
}


static void
fuzz_decoded(const cmp_msg_t *msg, cmp_pool_t *pool)
{
    int                 rc, n, i;
    cmp_str_t           der;
    unsigned char      *out;
    cmp_pki_message_t  *copy;

    fuzz_check(msg->header != NULL);
    fuzz_check(msg->body != NULL);
    fuzz_check(msg->type >= 0 && msg->type <= CMP_BODY_MAX);
    fuzz_check(msg->type == msg->body->type);
    fuzz_check(cmp_body_name(msg->type)[0] != '-');
    fuzz_check(msg->protected_part.len != 0);
    fuzz_check(sk_X509_num(msg->extra_certs) <= CMP_MAX_EXTRA_CERTS);

    rc = cmp_msg_is_der(msg, pool);
    fuzz_check(rc == 0 || rc == 1);

    if (rc == 1) {

        /* the templates see the same message, and write it alike */

        copy = cmp_asn1_decode(cmp_pki_message_t, msg->bytes.data,
                               msg->bytes.len);
        fuzz_check(copy != NULL);

        n = cmp_asn1_encode(cmp_pki_message_t, copy, &out);
        fuzz_check(n > 0);
        OPENSSL_free(out);
        cmp_asn1_free(cmp_pki_message_t, copy);
    }

    switch (msg->type) {

    case CMP_BODY_IR:
    case CMP_BODY_CR:
    case CMP_BODY_KUR:
    case CMP_BODY_KRR:
    case CMP_BODY_CCR:

        for (i = 0; i < sk_cmp_cert_req_msg_t_num(msg->body->value.ir); i++) {
            fuzz_check(cmp_msg_cert_request(msg, i, &der) == CMP_OK);
            fuzz_check(der.len != 0);
        }

        break;

    default:
        break;
    }

    (void) cmp_msg_general_info(msg, &cmp_oid_it_implicit_confirm);
}


#ifdef CMP_FUZZ_MAIN

int
main(int argc, char **argv)
{
    int              i;
    FILE            *file;
    size_t           n;
    static uint8_t   buf[1024 * 1024];

    for (i = 1; i < argc; i++) {
        file = fopen(argv[i], "rb");

        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }

        n = fread(buf, 1, sizeof(buf), file);
        (void) fclose(file);
        (void) LLVMFuzzerTestOneInput(buf, n);
    }

    return 0;
}

#endif
