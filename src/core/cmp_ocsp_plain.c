
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The request that nearly everybody sends (RFC 5019, 2.1.1): one CertID by
 * SHA-1 or SHA-256, no requestor, no extensions, no signature.  It is read in
 * place, since to decode it takes longer than to send an answer that is there
 * already.
 */


#include <cmp_ocsp.h>

#include <string.h>


#define CMP_OCSP_SEQUENCES  5       /* OCSPRequest, tbsRequest, requestList,
                                       Request, reqCert */


typedef struct {
    int              hash;          /* cmp_hash_e */
    cmp_str_t        der;           /* AlgorithmIdentifier */
} cmp_ocsp_alg_t;


static int cmp_ocsp_plain_octets(const unsigned char **pp,
    const unsigned char *end, unsigned char tag, cmp_str_t *octets);


/* with NULL parameters, and without any */

static const cmp_ocsp_alg_t  cmp_ocsp_algs[] = {

    { CMP_HASH_SHA1,
      cmp_string("\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00") },

    { CMP_HASH_SHA1,
      cmp_string("\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a") },

    { CMP_HASH_SHA256,
      cmp_string("\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"
                 "\x05\x00") },

    { CMP_HASH_SHA256,
      cmp_string("\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01") },

    { 0, cmp_null_string }
};


int
cmp_ocsp_parse_plain(const cmp_ca_t *ca, const unsigned char *der, size_t len,
    cmp_ocsp_request_t *request)
{
    size_t                 i;
    cmp_str_t              name, key, serial;
    const unsigned char   *p, *end;
    const cmp_ocsp_alg_t  *alg;

    memset(request, 0, sizeof(cmp_ocsp_request_t));

    p = der;
    end = der + len;

    for (i = 0; i < CMP_OCSP_SEQUENCES; i++) {

        if (end - p < 2 || end - p - 2 > 0x7f || p[0] != 0x30
            || p[1] != end - p - 2)
        {
            return CMP_DECLINED;
        }

        p += 2;
    }

    for (alg = cmp_ocsp_algs; alg->der.len != 0; alg++) {

        if ((size_t) (end - p) > alg->der.len
            && memcmp(p, alg->der.data, alg->der.len) == 0)
        {
            break;
        }
    }

    p += alg->der.len;

    if (alg->der.len == 0
        || cmp_ocsp_plain_octets(&p, end, 0x04, &name) != CMP_OK
        || cmp_ocsp_plain_octets(&p, end, 0x04, &key) != CMP_OK
        || cmp_ocsp_plain_octets(&p, end, 0x02, &serial) != CMP_OK
        || p != end)
    {
        return CMP_DECLINED;
    }

    /* positive, and without an octet that it does not need */

    if (serial.len == 0 || serial.len > CMP_SERIAL_LEN
        || serial.data[0] == 0 || serial.data[0] > 0x7f)
    {
        return CMP_DECLINED;
    }

    if (cmp_ocsp_find_issuer(ca, alg->hash, &name, &key,
                             &request->issuer_index)
        != CMP_OK)
    {
        return CMP_DECLINED;
    }

    request->hash = alg->hash;
    request->issuer = cmp_ca_issuer(ca, request->issuer_index);
    request->ids[0].serial = serial;
    request->nids = 1;

    return CMP_OK;
}


static int
cmp_ocsp_plain_octets(const unsigned char **pp, const unsigned char *end,
    unsigned char tag, cmp_str_t *octets)
{
    const unsigned char  *p;

    p = *pp;

    if (end - p < 2 || p[0] != tag || p[1] > 0x7f || p[1] > end - p - 2) {
        return CMP_DECLINED;
    }

    octets->data = (unsigned char *) p + 2;
    octets->len = p[1];

    *pp = p + 2 + p[1];

    return CMP_OK;
}
