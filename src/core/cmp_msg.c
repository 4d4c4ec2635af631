
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_msg.h>

#include <limits.h>
#include <string.h>

#include <openssl/sha.h>


/* the walk over the TLVs of a message, before any template sees them */

typedef struct {
    size_t          elements;
    unsigned        minimal:1;      /* lengths are those of DER */
    const char     *error;
} cmp_scan_t;


typedef struct {
    unsigned char   tag;            /* first identifier octet */
    cmp_str_t       whole;
    cmp_str_t       content;
} cmp_tlv_t;


static int cmp_scan_tag(cmp_scan_t *scan, const unsigned char **pp,
    const unsigned char *end);
static int cmp_scan_length(cmp_scan_t *scan, const unsigned char **pp,
    const unsigned char *end, size_t *len, int *indefinite);
static int cmp_scan_element(cmp_scan_t *scan, const unsigned char **pp,
    const unsigned char *end, int depth, cmp_tlv_t *tlv);
static int cmp_scan_list(cmp_scan_t *scan, const unsigned char **pp,
    const unsigned char *end, int depth, int indefinite);
static int cmp_msg_split(cmp_msg_t *msg, cmp_scan_t *scan, cmp_tlv_t *parts,
    int *nparts, int *trailing);
static int cmp_msg_check_counts(const cmp_tlv_t *parts, int nparts,
    cmp_refusal_t *refusal);
static int cmp_msg_count(const cmp_str_t *content);
static int cmp_msg_set_protected_part(cmp_pool_t *pool, cmp_msg_t *msg);
static void *cmp_msg_part(cmp_pool_t *pool, const ASN1_ITEM *it,
    const cmp_str_t *bytes, int *rc);
static int cmp_msg_decode_header(cmp_pool_t *pool, cmp_msg_t *msg,
    const cmp_str_t *bytes, cmp_refusal_t *refusal);
static int cmp_msg_decode_rest(cmp_pool_t *pool, cmp_cert_cache_t *cache,
    cmp_msg_t *msg, const cmp_tlv_t *parts, int nparts,
    cmp_refusal_t *refusal);
static int cmp_msg_child(const cmp_str_t *content, size_t n, cmp_tlv_t *tlv);
static int cmp_msg_decode_certs(cmp_pool_t *pool, cmp_cert_cache_t *cache,
    cmp_msg_t *msg, const cmp_str_t *bytes);
static void cmp_msg_free_known(void *data);


static const char  *cmp_body_names[] = {
    "ir", "ip", "cr", "cp", "p10cr", "popdecc", "popdecr", "kur", "kup",
    "krr", "krp", "rr", "rp", "ccr", "ccp", "ckuann", "cann", "rann",
    "crlann", "pkiconf", "nested", "genm", "genp", "error", "certConf",
    "pollReq", "pollRep"
};


int
cmp_msg_decode(cmp_pool_t *pool, cmp_cert_cache_t *cache,
    const unsigned char *data, size_t len, cmp_msg_t *msg,
    cmp_refusal_t *refusal)
{
    int         rc, nparts, trailing;
    cmp_tlv_t   parts[4];
    cmp_scan_t  scan;

    memset(msg, 0, sizeof(cmp_msg_t));

    msg->bytes.data = (unsigned char *) data;
    msg->bytes.len = len;
    msg->pvno = -1;
    msg->type = -1;

    SHA256(data, len, msg->hash);

    memset(&scan, 0, sizeof(cmp_scan_t));
    scan.minimal = 1;

    if (cmp_msg_split(msg, &scan, parts, &nparts, &trailing) != CMP_OK) {
        return cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE, "%s", scan.error);
    }

    rc = cmp_msg_decode_header(pool, msg, &parts[0].whole, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    if (trailing) {
        return cmp_refuse(refusal, CMP_REFUSE_TRAILING_BYTES, NULL);
    }

    rc = cmp_msg_check_counts(parts, nparts, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    rc = cmp_msg_decode_rest(pool, cache, msg, parts, nparts, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    msg->header_bytes = parts[0].whole;
    msg->body_bytes = parts[1].whole;
    msg->minimal = scan.minimal;

    return cmp_msg_set_protected_part(pool, msg);
}


static int
cmp_scan_tag(cmp_scan_t *scan, const unsigned char **pp,
    const unsigned char *end)
{
    int                   n;
    const unsigned char  *p;

    p = *pp;

    if ((*p++ & V_ASN1_PRIMITIVE_TAG) == V_ASN1_PRIMITIVE_TAG) {

        /* no tag of any type that we know needs more than two octets */

        for (n = 0; ; n++) {
            if (p == end || n == 2) {
                scan->error = "a tag is truncated or too large";
                return CMP_DECLINED;
            }

            if ((*p++ & 0x80) == 0) {
                break;
            }
        }
    }

    *pp = p;

    return CMP_OK;
}


static int
cmp_scan_length(cmp_scan_t *scan, const unsigned char **pp,
    const unsigned char *end, size_t *len, int *indefinite)
{
    size_t                value;
    unsigned              n, i;
    const unsigned char  *p;

    p = *pp;
    *indefinite = 0;

    if (p == end) {
        scan->error = "a length is truncated";
        return CMP_DECLINED;
    }

    n = *p++;
    value = n;

    if (n == 0x80) {
        *indefinite = 1;
        scan->minimal = 0;
        value = 0;

    } else if (n > 0x80) {

        n &= 0x7f;

        if (n > 4 || (size_t) (end - p) < n) {
            scan->error = "a length is truncated or too large";
            return CMP_DECLINED;
        }

        value = 0;

        for (i = 0; i < n; i++) {
            value = (value << 8) | p[i];
        }

        if (p[0] == 0 || value < 0x80) {
            scan->minimal = 0;
        }

        p += n;
    }

    if (value > (size_t) (end - p)) {
        scan->error = "an element is truncated";
        return CMP_DECLINED;
    }

    *len = value;
    *pp = p;

    return CMP_OK;
}


static int
cmp_scan_element(cmp_scan_t *scan, const unsigned char **pp,
    const unsigned char *end, int depth, cmp_tlv_t *tlv)
{
    int                   constructed, indefinite;
    size_t                len;
    const unsigned char  *p, *start, *inner;

    if (depth > CMP_MAX_NESTING) {
        scan->error = "elements are nested too deeply";
        return CMP_DECLINED;
    }

    if (++scan->elements > CMP_MAX_ELEMENTS) {
        scan->error = "there are too many elements";
        return CMP_DECLINED;
    }

    p = *pp;
    start = p;

    if (p == end) {
        scan->error = "an element is missing";
        return CMP_DECLINED;
    }

    constructed = *p & V_ASN1_CONSTRUCTED;

    if (cmp_scan_tag(scan, &p, end) != CMP_OK
        || cmp_scan_length(scan, &p, end, &len, &indefinite) != CMP_OK)
    {
        return CMP_DECLINED;
    }

    inner = p;

    if (constructed == 0) {

        if (indefinite) {
            scan->error = "a primitive element has no length";
            return CMP_DECLINED;
        }

        p += len;

    } else {

        if (cmp_scan_list(scan, &p, indefinite ? end : p + len, depth + 1,
                          indefinite)
            != CMP_OK)
        {
            return CMP_DECLINED;
        }
    }

    if (tlv != NULL) {
        tlv->tag = *start;
        tlv->whole.data = (unsigned char *) start;
        tlv->whole.len = p - start;
        tlv->content.data = (unsigned char *) inner;
        tlv->content.len = p - inner - (indefinite ? 2 : 0);
    }

    *pp = p;

    return CMP_OK;
}


static int
cmp_scan_list(cmp_scan_t *scan, const unsigned char **pp,
    const unsigned char *end, int depth, int indefinite)
{
    const unsigned char  *p;

    p = *pp;

    for ( ;; ) {

        if (indefinite) {

            if (end - p < 2) {
                scan->error = "an element has no end";
                return CMP_DECLINED;
            }

            if (p[0] == 0 && p[1] == 0) {
                p += 2;
                break;
            }

        } else if (p == end) {
            break;
        }

        if (cmp_scan_element(scan, &p, end, depth, NULL) != CMP_OK) {
            return CMP_DECLINED;
        }
    }

    *pp = p;

    return CMP_OK;
}


/* finds header, body, protection and extraCerts, and bytes behind them */

static int
cmp_msg_split(cmp_msg_t *msg, cmp_scan_t *scan, cmp_tlv_t *parts, int *nparts,
    int *trailing)
{
    int                   n;
    cmp_tlv_t             whole;
    const unsigned char  *p, *end;

    p = msg->bytes.data;
    end = p + msg->bytes.len;

    if (cmp_scan_element(scan, &p, end, 0, &whole) != CMP_OK) {
        return CMP_DECLINED;
    }

    *trailing = (p != end);

    if (whole.tag != CMP_ASN1_SEQUENCE) {
        scan->error = "it is not a SEQUENCE";
        return CMP_DECLINED;
    }

    p = whole.content.data;
    end = p + whole.content.len;

    for (n = 0; p != end; n++) {

        if (n == 4) {
            scan->error = "it has too many parts";
            return CMP_DECLINED;
        }

        /* walked a second time, but only through what was found good */
        scan->elements = 0;

        if (cmp_scan_element(scan, &p, end, 1, &parts[n]) != CMP_OK) {
            return CMP_DECLINED;
        }
    }

    if (n < 2 || parts[0].tag != CMP_ASN1_SEQUENCE) {
        scan->error = "it has no header or no body";
        return CMP_DECLINED;
    }

    *nparts = n;

    return CMP_OK;
}


/*
 * The templates decode every public key at once, so the number of keys is
 * bounded first.
 */

static int
cmp_msg_check_counts(const cmp_tlv_t *parts, int nparts,
    cmp_refusal_t *refusal)
{
    int  i;

    switch (parts[1].tag) {

    case CMP_ASN1_CONTEXT(CMP_BODY_IR):
    case CMP_ASN1_CONTEXT(CMP_BODY_CR):
    case CMP_ASN1_CONTEXT(CMP_BODY_KUR):
    case CMP_ASN1_CONTEXT(CMP_BODY_KRR):
    case CMP_ASN1_CONTEXT(CMP_BODY_RR):
    case CMP_ASN1_CONTEXT(CMP_BODY_CCR):
    case CMP_ASN1_CONTEXT(CMP_BODY_NESTED):
        if (cmp_msg_count(&parts[1].content) > CMP_MAX_REQUESTS) {
            return cmp_refuse(refusal, CMP_REFUSE_LIMIT, "requests");
        }

        break;

    default:
        break;
    }

    for (i = 2; i < nparts; i++) {

        if (parts[i].tag == CMP_ASN1_CONTEXT(1)
            && cmp_msg_count(&parts[i].content) > CMP_MAX_EXTRA_CERTS)
        {
            return cmp_refuse(refusal, CMP_REFUSE_LIMIT, "extraCerts");
        }
    }

    return CMP_OK;
}


/* the elements of the SEQUENCE that the content is */

static int
cmp_msg_count(const cmp_str_t *content)
{
    int                   n;
    cmp_tlv_t             list;
    cmp_scan_t            scan;
    const unsigned char  *p, *end;

    if (cmp_msg_child(content, 0, &list) != CMP_OK) {
        return 0;
    }

    memset(&scan, 0, sizeof(cmp_scan_t));

    p = list.content.data;
    end = p + list.content.len;

    for (n = 0; p != end && n <= CMP_MAX_EXTRA_CERTS + CMP_MAX_REQUESTS; n++) {
        scan.elements = 0;

        if (cmp_scan_element(&scan, &p, end, 0, NULL) != CMP_OK) {
            break;
        }
    }

    return n;
}


static int
cmp_msg_set_protected_part(cmp_pool_t *pool, cmp_msg_t *msg)
{
    int               len;
    size_t            size;
    unsigned char    *p;
    const cmp_str_t  *header, *body;

    header = &msg->header_bytes;
    body = &msg->body_bytes;

    if (header->len + body->len > INT_MAX / 2) {
        return CMP_ERROR;
    }

    len = (int) (header->len + body->len);
    size = ASN1_object_size(1, len, V_ASN1_SEQUENCE);

    p = cmp_palloc(pool, size);
    if (p == NULL) {
        return CMP_ERROR;
    }

    msg->protected_part.data = p;
    msg->protected_part.len = size;

    ASN1_put_object(&p, 1, len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);

    memcpy(p, header->data, header->len);
    memcpy(p + header->len, body->data, body->len);

    return CMP_OK;
}


/* NULL with CMP_DECLINED: it is not of this type */

static void *
cmp_msg_part(cmp_pool_t *pool, const ASN1_ITEM *it, const cmp_str_t *bytes,
    int *rc)
{
    void  *value;

    value = cmp_asn1_decode_item(it, bytes->data, bytes->len);

    if (value == NULL) {
        *rc = CMP_DECLINED;
        return NULL;
    }

    *rc = cmp_asn1_pool_item(pool, it, value);

    return *rc == CMP_OK ? value : NULL;
}


static int
cmp_msg_decode_header(cmp_pool_t *pool, cmp_msg_t *msg,
    const cmp_str_t *bytes, cmp_refusal_t *refusal)
{
    int                rc;
    long               pvno;
    cmp_pki_header_t  *header;

    header = cmp_msg_part(pool, ASN1_ITEM_rptr(cmp_pki_header_t), bytes, &rc);

    if (header == NULL) {
        return rc == CMP_DECLINED
               ? cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE, "header")
               : rc;
    }

    msg->header = header;

    pvno = ASN1_INTEGER_get(header->pvno);
    cmp_crypto_error(NULL, 0);

    if (ASN1_STRING_type(header->pvno) == V_ASN1_NEG_INTEGER) {
        msg->pvno = -1;

    } else {
        msg->pvno = (pvno < 0 || pvno > CMP_MAX_PVNO) ? CMP_MAX_PVNO : pvno;
    }

    if (sk_ASN1_UTF8STRING_num(header->free_text) > CMP_MAX_FREE_TEXT) {
        return cmp_refuse(refusal, CMP_REFUSE_LIMIT, "freeText");
    }

    if (sk_cmp_info_type_and_value_t_num(header->general_info)
        > CMP_MAX_GENERAL_INFO)
    {
        return cmp_refuse(refusal, CMP_REFUSE_LIMIT, "generalInfo");
    }

    if (header->free_text != NULL
        && sk_ASN1_UTF8STRING_num(header->free_text) == 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE, "freeText is empty");
    }

    if (header->general_info != NULL
        && sk_cmp_info_type_and_value_t_num(header->general_info) == 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE,
                          "generalInfo is empty");
    }

    return CMP_OK;
}


static int
cmp_msg_decode_rest(cmp_pool_t *pool, cmp_cert_cache_t *cache, cmp_msg_t *msg,
    const cmp_tlv_t *parts, int nparts, cmp_refusal_t *refusal)
{
    int               i, rc;
    cmp_pki_body_t   *body;

    body = cmp_msg_part(pool, ASN1_ITEM_rptr(cmp_pki_body_t), &parts[1].whole,
                        &rc);

    if (body == NULL) {
        return rc == CMP_DECLINED
               ? cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE, "body")
               : rc;
    }

    msg->body = body;
    msg->type = body->type;

    for (i = 2; i < nparts; i++) {

        if (i == 2 && parts[i].tag == CMP_ASN1_CONTEXT(0)) {

            msg->protection = cmp_msg_part(pool,
                                           ASN1_ITEM_rptr(ASN1_BIT_STRING),
                                           &parts[i].content, &rc);
            if (msg->protection != NULL) {
                continue;
            }

        } else if (parts[i].tag == CMP_ASN1_CONTEXT(1)
                   && msg->extra_certs == NULL)
        {
            rc = cmp_msg_decode_certs(pool, cache, msg, &parts[i].content);

            if (rc == CMP_OK) {
                continue;
            }

        } else {
            rc = CMP_DECLINED;
        }

        return rc == CMP_DECLINED
               ? cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE,
                            "protection or extraCerts")
               : rc;
    }

    if (msg->extra_certs == NULL) {
        return CMP_OK;
    }

    if (sk_X509_num(msg->extra_certs) == 0) {
        return cmp_refuse(refusal, CMP_REFUSE_UNDECODABLE,
                          "extraCerts is empty");
    }

    return CMP_OK;
}


static int
cmp_msg_decode_certs(cmp_pool_t *pool, cmp_cert_cache_t *cache, cmp_msg_t *msg,
    const cmp_str_t *bytes)
{
    int                rc;
    cmp_cert_known_t  *known;

    if (cache != NULL && bytes->len <= CMP_CERT_CACHE_OCTETS) {

        SHA256(bytes->data, bytes->len, msg->certs_hash);
        msg->certs_hashed = 1;

        known = cmp_palloc(pool, sizeof(cmp_cert_known_t));
        if (known == NULL) {
            return CMP_ERROR;
        }

        cmp_cert_cache_find(cache, msg->certs_hash, known);

        if (cmp_pool_cleanup_add(pool, cmp_msg_free_known, known) != CMP_OK) {
            return CMP_ERROR;
        }

        if (known->certs != NULL) {
            msg->known = known;
            msg->extra_certs = known->certs;
            return CMP_OK;
        }
    }

    msg->extra_certs = cmp_msg_part(pool, ASN1_ITEM_rptr(cmp_certificates_t),
                                    bytes, &rc);

    return (msg->extra_certs != NULL) ? CMP_OK : rc;
}


static void
cmp_msg_free_known(void *data)
{
    cmp_cert_known_free(data);
}


int
cmp_msg_is_der(const cmp_msg_t *msg, cmp_pool_t *pool)
{
    cmp_str_t  der;

    if (msg->minimal == 0) {
        return 0;
    }

    if (cmp_encode(pool, ASN1_ITEM_rptr(cmp_pki_header_t), msg->header, &der)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    if (cmp_str_equal(&der, &msg->header_bytes) == 0) {
        return 0;
    }

    if (cmp_encode(pool, ASN1_ITEM_rptr(cmp_pki_body_t), msg->body, &der)
        != CMP_OK)
    {
        return CMP_ERROR;
    }

    return cmp_str_equal(&der, &msg->body_bytes);
}


static int
cmp_msg_child(const cmp_str_t *content, size_t n, cmp_tlv_t *tlv)
{
    cmp_scan_t            scan;
    const unsigned char  *p, *end;

    memset(&scan, 0, sizeof(cmp_scan_t));

    p = content->data;
    end = p + content->len;

    do {
        scan.elements = 0;

        if (p == end || cmp_scan_element(&scan, &p, end, 0, tlv) != CMP_OK) {
            return CMP_DECLINED;
        }

    } while (n-- > 0);

    return CMP_OK;
}


int
cmp_msg_cert_request(const cmp_msg_t *msg, size_t n, cmp_str_t *der)
{
    cmp_tlv_t  tlv;

    /* ProtectedPart, body, CertReqMessages, CertReqMsg, CertRequest */

    if (cmp_msg_child(&msg->protected_part, 0, &tlv) != CMP_OK
        || cmp_msg_child(&tlv.content, 1, &tlv) != CMP_OK
        || cmp_msg_child(&tlv.content, 0, &tlv) != CMP_OK
        || cmp_msg_child(&tlv.content, n, &tlv) != CMP_OK
        || cmp_msg_child(&tlv.content, 0, &tlv) != CMP_OK)
    {
        return CMP_ERROR;
    }

    *der = tlv.whole;

    return CMP_OK;
}


const char *
cmp_body_name(int type)
{
    return (type < 0 || type > CMP_BODY_MAX) ? "-" : cmp_body_names[type];
}


cmp_info_type_and_value_t *
cmp_msg_general_info(const cmp_msg_t *msg, const cmp_oid_t *oid)
{
    int                         i;
    cmp_info_type_and_value_t  *info;

    if (msg->header == NULL) {
        return NULL;
    }

    for (i = 0;
         i < sk_cmp_info_type_and_value_t_num(msg->header->general_info);
         i++)
    {
        info = sk_cmp_info_type_and_value_t_value(msg->header->general_info,
                                                  i);
        if (cmp_oid_equal(info->info_type, oid)) {
            return info;
        }
    }

    return NULL;
}
