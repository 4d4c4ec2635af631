
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * An answer taken apart.  The decoding of one certificate costs libcrypto as
 * much as all the rest, and an answer has up to five: they stay as they are,
 * and what has to be looked at is found by its place (RFC 9810; RFC 5280).
 */


#include <cmpload.h>

#include <stdlib.h>
#include <string.h>


static int load_tlv(cmp_str_t *in, load_tlv_t *tlv);
static int load_tlv_tag(cmp_str_t *in, unsigned char tag, load_tlv_t *tlv);
static void load_answer_protect(load_answer_t *answer,
    const load_tlv_t *header, const load_tlv_t *body);
static int load_answer_rest(load_answer_t *answer, cmp_str_t *in);


/* one element, in DER, of a tag below 31 */

static int
load_tlv(cmp_str_t *in, load_tlv_t *tlv)
{
    size_t          len, n;
    unsigned char  *p, *end;

    p = in->data;
    end = p + in->len;

    if (in->len < 2 || (p[0] & 0x1f) == 0x1f) {
        return 0;
    }

    tlv->tag = *p++;
    len = *p++;

    if (len > 0x80) {
        n = len & 0x7f;

        if (n > 3 || n > (size_t) (end - p) || *p == 0) {
            return 0;
        }

        for (len = 0; n > 0; n--) {
            len = (len << 8) | *p++;
        }

        if (len < 0x80) {
            return 0;
        }

    } else if (len == 0x80) {
        return 0;
    }

    if (len > (size_t) (end - p)) {
        return 0;
    }

    tlv->content.data = p;
    tlv->content.len = len;
    tlv->whole.data = in->data;
    tlv->whole.len = p + len - in->data;

    in->data = p + len;
    in->len = end - in->data;

    return 1;
}


static int
load_tlv_tag(cmp_str_t *in, unsigned char tag, load_tlv_t *tlv)
{
    return in->len != 0
           && in->data[0] == tag
           && load_tlv(in, tlv);
}


int
load_answer_decode(load_answer_t *answer, const unsigned char *data,
    size_t len)
{
    cmp_str_t   in;
    load_tlv_t  msg, header, body;

    memset(answer, 0, sizeof(load_answer_t));

    in.data = (unsigned char *) data;
    in.len = len;

    if (load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &msg) == 0
        || in.len != 0
        || load_tlv_tag(&msg.content, CMP_ASN1_SEQUENCE, &header) == 0
        || load_tlv(&msg.content, &body) == 0
        || (body.tag & 0xe0) != CMP_ASN1_CONTEXT(0)
        || (body.tag & 0x1f) > CMP_BODY_MAX)
    {
        return 0;
    }

    answer->type = body.tag & 0x1f;
    answer->body = body.content;
    load_answer_protect(answer, &header, &body);

    answer->header = cmp_asn1_decode(cmp_pki_header_t, header.whole.data,
                                     header.whole.len);
    if (answer->header == NULL) {
        return 0;
    }

    return load_answer_rest(answer, &msg.content);
}


static int
load_answer_rest(load_answer_t *answer, cmp_str_t *in)
{
    load_tlv_t  tlv, list;

    if (load_tlv_tag(in, CMP_ASN1_CONTEXT(0), &tlv)) {
        answer->protection = cmp_asn1_decode(ASN1_BIT_STRING, tlv.content.data,
                                             tlv.content.len);
        if (answer->protection == NULL) {
            return 0;
        }
    }

    if (load_tlv_tag(in, CMP_ASN1_CONTEXT(1), &tlv)) {
        if (load_tlv_tag(&tlv.content, CMP_ASN1_SEQUENCE, &list) == 0
            || tlv.content.len != 0)
        {
            return 0;
        }

        if (list.content.len == 0) {
            return 0;
        }

        answer->extra_certs = list.whole;
    }

    return in->len == 0;
}


/* ProtectedPart: header and body as received, in a SEQUENCE of their own */

static void
load_answer_protect(load_answer_t *answer, const load_tlv_t *header,
    const load_tlv_t *body)
{
    int             len, size;
    unsigned char  *p;

    len = (int) (header->whole.len + body->whole.len);
    size = ASN1_object_size(1, len, V_ASN1_SEQUENCE);

    answer->protected_part.data = load_alloc(size);
    answer->protected_part.len = size;

    p = answer->protected_part.data;
    ASN1_put_object(&p, 1, len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);

    /* the body follows the header */

    memcpy(p, header->whole.data, len);
}


void
load_answer_free(load_answer_t *answer)
{
    cmp_asn1_free(cmp_pki_header_t, answer->header);
    ASN1_BIT_STRING_free(answer->protection);
    free(answer->protected_part.data);
}


/* CertRepMessage with one CertResponse */

int
load_answer_response(const load_answer_t *answer, load_response_t *response)
{
    cmp_str_t   in;
    load_tlv_t  rep, tlv, list, item, pair, choice;

    memset(response, 0, sizeof(load_response_t));

    in = answer->body;

    if (load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &rep) == 0 || in.len != 0) {
        return 0;
    }

    (void) load_tlv_tag(&rep.content, CMP_ASN1_CONTEXT(1), &tlv);

    if (load_tlv_tag(&rep.content, CMP_ASN1_SEQUENCE, &list) == 0
        || rep.content.len != 0
        || load_tlv_tag(&list.content, CMP_ASN1_SEQUENCE, &item) == 0
        || list.content.len != 0
        || load_tlv_tag(&item.content, V_ASN1_INTEGER, &tlv) == 0)
    {
        return 0;
    }

    response->id = tlv.whole;

    if (load_tlv_tag(&item.content, CMP_ASN1_SEQUENCE, &tlv) == 0) {
        return 0;
    }

    response->status = tlv.whole;

    if (load_tlv_tag(&item.content, CMP_ASN1_SEQUENCE, &pair) == 0) {
        return item.content.len == 0;
    }

    if (load_tlv_tag(&pair.content, CMP_ASN1_CONTEXT(0), &choice) == 0
        || pair.content.len != 0
        || load_tlv_tag(&choice.content, CMP_ASN1_SEQUENCE, &tlv) == 0
        || choice.content.len != 0)
    {
        return 0;
    }

    response->cert = tlv.whole;

    return item.content.len == 0;
}


int
load_cert_decode(const cmp_str_t *der, load_cert_t *cert)
{
    cmp_str_t   in;
    load_tlv_t  tlv, tbs, inner, outer;

    in = *der;

    if (load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &tlv) == 0 || in.len != 0) {
        return 0;
    }

    in = tlv.content;

    if (load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &tbs) == 0
        || load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &outer) == 0
        || load_tlv_tag(&in, V_ASN1_BIT_STRING, &tlv) == 0
        || in.len != 0)
    {
        return 0;
    }

    cert->tbs = tbs.whole;
    cert->alg = outer.whole;
    cert->signature = tlv.whole;

    in = tbs.content;

    if (load_tlv_tag(&in, CMP_ASN1_CONTEXT(0), &tlv) == 0
        || load_tlv_tag(&in, V_ASN1_INTEGER, &tlv) == 0
        || load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &inner) == 0
        || cmp_str_equal(&inner.whole, &outer.whole) == 0)
    {
        return 0;
    }

    cert->serial = tlv.content;

    if (load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &tlv) == 0) {
        return 0;
    }

    cert->issuer = tlv.whole;

    if (load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &tlv) == 0
        || load_tlv(&tlv.content, &inner) == 0
        || load_tlv(&tlv.content, &outer) == 0
        || tlv.content.len != 0)
    {
        return 0;
    }

    cert->not_before = inner.whole;
    cert->not_after = outer.whole;

    if (load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &tlv) == 0
        || load_tlv_tag(&in, CMP_ASN1_SEQUENCE, &inner) == 0)
    {
        return 0;
    }

    cert->subject = tlv.whole;
    cert->spki = inner.whole;

    return 1;
}
