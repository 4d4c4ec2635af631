
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * cmp_ocsp_parse(), and the answer to whatever it accepts: any bytes.
 *
 * With -DCMP_FUZZ_MAIN a program that reads the files named.
 */


#include <harness.h>

#include <cmp_ocsp.h>

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


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                   rc;
    size_t                i;
    cmp_str_t             der;
    cmp_pool_t           *pool;
    unsigned char        *copy;
    cmp_ocsp_signer_t     signer;
    cmp_ocsp_request_t    request, plain;
    static harness_t     *h;

    if (h == NULL) {
        h = harness_create(PKI_ED25519);
    }

    copy = malloc(size + 1);
    pool = cmp_pool_create();
    fuzz_check(copy != NULL && pool != NULL);
    memcpy(copy, data, size);

    rc = cmp_ocsp_parse(&h->ca, copy, size, pool, &request);

    if (cmp_ocsp_parse_plain(&h->ca, copy, size, &plain) == CMP_OK) {
        fuzz_check(rc == CMP_OK && request.nids == 1 && request.nonce == NULL);
        fuzz_check(plain.issuer == request.issuer);
        fuzz_check(plain.hash == request.hash);
        fuzz_check(cmp_str_equal(&plain.ids[0].serial,
                                 &request.ids[0].serial));
    }

    if (rc == CMP_OK) {
        fuzz_check(request.nids >= 1 && request.nids <= CMP_OCSP_MAX_IDS);
        fuzz_check(request.issuer == cmp_ca_issuer(&h->ca,
                                                   request.issuer_index));

        for (i = 0; i < request.nids; i++) {
            fuzz_check(request.ids[i].serial.len <= CMP_SERIAL_LEN);
            request.ids[i].status = i % 3;
            request.ids[i].reason = i % 7;
            request.ids[i].revoked_at = h->now;
        }

        memset(&signer, 0, sizeof(cmp_ocsp_signer_t));
        signer.certificate = request.issuer->certificate;
        signer.key = request.issuer->key;
        signer.md = request.issuer->md;

        fuzz_check(cmp_ocsp_respond(&request, &signer, h->now, h->now + 1000,
                                    pool, &der)
                   == CMP_OK);

    } else {
        fuzz_check(rc == CMP_DECLINED);
        fuzz_check(request.error != 0 && request.log != NULL);
    }

    fuzz_check(ERR_peek_error() == 0);

    cmp_pool_destroy(pool);
    free(copy);

    return 0;
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
        fuzz_check(file != NULL);
        n = fread(buf, 1, sizeof(buf), file);
        (void) fclose(file);
        (void) LLVMFuzzerTestOneInput(buf, n);
    }

    return 0;
}

#endif
