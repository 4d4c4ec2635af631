
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_crl.h>
#include <cmp_asn1.h>
#include <cmp_msg.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openssl/asn1t.h>


#define CMP_CRL_MAX_SERIAL     32
#define CMP_CRL_MAX_ENTRY      112     /* of DER, with the longest serial */

#define CMP_CRL_REASON_MAX     10      /* aACompromise */
#define CMP_CRL_REASON_UNUSED  7
#define CMP_CRL_REASON_REMOVE  8       /* removeFromCRL: delta CRLs only */

#define CMP_CRL_MAX_TIME       ((int64_t) 253402300799)    /* year 9999 */


/*
 * TBSCertList  ::=  SEQUENCE  {
 *      version                 Version OPTIONAL,
 *                                   -- if present, MUST be v2
 *      signature               AlgorithmIdentifier,
 *      issuer                  Name,
 *      thisUpdate              Time,
 *      nextUpdate              Time OPTIONAL,
 *      revokedCertificates     SEQUENCE OF SEQUENCE  {
 *           userCertificate         CertificateSerialNumber,
 *           revocationDate          Time,
 *           crlEntryExtensions      Extensions OPTIONAL } OPTIONAL,
 *      crlExtensions           [0] Extensions OPTIONAL }
 *
 * The entries are one string that was written by hand: libcrypto's own type
 * takes ten times the memory, and there may be a million of them.
 */

typedef struct {
    ASN1_INTEGER               *version;
    X509_ALGOR                 *signature;
    X509_NAME                  *issuer;
    ASN1_TIME                  *this_update;
    ASN1_TIME                  *next_update;
    ASN1_STRING                *revoked;
    STACK_OF(X509_EXTENSION)   *extensions;
} cmp_tbs_cert_list_t;


/*
 * CertificateList  ::=  SEQUENCE  {
 *      tbsCertList          TBSCertList,
 *      signatureAlgorithm   AlgorithmIdentifier,
 *      signature            BIT STRING  }
 */

typedef struct {
    cmp_tbs_cert_list_t        *tbs;
    X509_ALGOR                 *algorithm;
    ASN1_BIT_STRING            *signature;
} cmp_cert_list_t;


static int cmp_crl_fill(const cmp_ca_t *ca, cmp_tbs_cert_list_t *tbs,
    int64_t number, int64_t now);
static int cmp_crl_extension(STACK_OF(X509_EXTENSION) *exts, int nid,
    void *value);
static int cmp_crl_entries(const cmp_crl_entry_t *entries, size_t n,
    ASN1_STRING *revoked);
static size_t cmp_crl_entry(const cmp_crl_entry_t *entry, unsigned char *p);
static size_t cmp_crl_serial(const cmp_str_t *serial, unsigned char *p);
static size_t cmp_crl_entry_extensions(const cmp_crl_entry_t *entry,
    unsigned char *p);
static size_t cmp_crl_time(int64_t ms, int generalized, unsigned char *p);
static size_t cmp_crl_header(size_t len, unsigned char *p);


ASN1_SEQUENCE(cmp_tbs_cert_list_t) = {
    ASN1_OPT(cmp_tbs_cert_list_t, version, ASN1_INTEGER),
    ASN1_SIMPLE(cmp_tbs_cert_list_t, signature, X509_ALGOR),
    ASN1_SIMPLE(cmp_tbs_cert_list_t, issuer, X509_NAME),
    ASN1_SIMPLE(cmp_tbs_cert_list_t, this_update, ASN1_TIME),
    ASN1_OPT(cmp_tbs_cert_list_t, next_update, ASN1_TIME),
    ASN1_OPT(cmp_tbs_cert_list_t, revoked, ASN1_SEQUENCE),
    ASN1_EXP_SEQUENCE_OF_OPT(cmp_tbs_cert_list_t, extensions, X509_EXTENSION,
                             0)
} static_ASN1_SEQUENCE_END(cmp_tbs_cert_list_t)


ASN1_SEQUENCE(cmp_cert_list_t) = {
    ASN1_SIMPLE(cmp_cert_list_t, tbs, cmp_tbs_cert_list_t),
    ASN1_SIMPLE(cmp_cert_list_t, algorithm, X509_ALGOR),
    ASN1_SIMPLE(cmp_cert_list_t, signature, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(cmp_cert_list_t)


int
cmp_crl_make(const cmp_ca_t *ca, int64_t number, int64_t now,
    const cmp_crl_entry_t *entries, size_t n, cmp_pool_t *pool,
    cmp_str_t *der)
{
    int               rc;
    EVP_MD_CTX       *ctx;
    cmp_cert_list_t  *crl;

    rc = CMP_ERROR;
    ctx = NULL;

    crl = cmp_asn1_new(cmp_cert_list_t);
    if (crl == NULL) {
        return CMP_ERROR;
    }

    if (cmp_crl_fill(ca, crl->tbs, number, now) != CMP_OK) {
        goto done;
    }

    if (n != 0) {
        crl->tbs->revoked = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

        if (crl->tbs->revoked == NULL
            || cmp_crl_entries(entries, n, crl->tbs->revoked) != CMP_OK)
        {
            goto done;
        }
    }

    ctx = cmp_sign_ctx(ca->current.key, ca->current.md);

    if (ctx == NULL
        || ASN1_item_sign_ctx(ASN1_ITEM_rptr(cmp_tbs_cert_list_t),
                              crl->tbs->signature, crl->algorithm,
                              crl->signature, crl->tbs, ctx)
           <= 0)
    {
        goto done;
    }

    rc = cmp_encode(pool, ASN1_ITEM_rptr(cmp_cert_list_t), crl, der);

done:

    EVP_MD_CTX_free(ctx);
    cmp_asn1_free(cmp_cert_list_t, crl);

    cmp_crypto_error(NULL, 0);

    return rc;
}


static int
cmp_crl_fill(const cmp_ca_t *ca, cmp_tbs_cert_list_t *tbs, int64_t number,
    int64_t now)
{
    int               rc;
    ASN1_INTEGER     *integer;
    AUTHORITY_KEYID  *aki;

    tbs->version = ASN1_INTEGER_new();
    tbs->extensions = sk_X509_EXTENSION_new_null();

    ASN1_TIME_free(tbs->this_update);
    tbs->this_update = ASN1_TIME_set(NULL, (time_t) (now / 1000));
    tbs->next_update = ASN1_TIME_set(NULL,
                                     (time_t) ((now + ca->crl_lifetime)
                                               / 1000));

    if (tbs->version == NULL || tbs->extensions == NULL
        || tbs->this_update == NULL || tbs->next_update == NULL
        || !ASN1_INTEGER_set(tbs->version, X509_CRL_VERSION_2)
        || !X509_NAME_set(&tbs->issuer, ca->subject))
    {
        return CMP_ERROR;
    }

    rc = CMP_ERROR;
    integer = ASN1_INTEGER_new();
    aki = AUTHORITY_KEYID_new();

    if (integer == NULL || aki == NULL || number < 0
        || !ASN1_INTEGER_set_int64(integer, number))
    {
        goto done;
    }

    aki->keyid = ASN1_OCTET_STRING_dup(
                     X509_get0_subject_key_id(ca->current.certificate));

    if (aki->keyid == NULL
        || cmp_crl_extension(tbs->extensions, NID_authority_key_identifier,
                             aki) != CMP_OK
        || cmp_crl_extension(tbs->extensions, NID_crl_number, integer)
           != CMP_OK)
    {
        goto done;
    }

    rc = CMP_OK;

done:

    ASN1_INTEGER_free(integer);
    AUTHORITY_KEYID_free(aki);

    return rc;
}


static int
cmp_crl_extension(STACK_OF(X509_EXTENSION) *exts, int nid, void *value)
{
    X509_EXTENSION  *ext;

    ext = X509V3_EXT_i2d(nid, 0, value);

    if (ext == NULL || !sk_X509_EXTENSION_push(exts, ext)) {
        X509_EXTENSION_free(ext);
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* twice over the entries: once for the length, once for the octets */

static int
cmp_crl_entries(const cmp_crl_entry_t *entries, size_t n,
    ASN1_STRING *revoked)
{
    size_t          i, len, used;
    unsigned char   buf[CMP_CRL_MAX_ENTRY], *p;

    len = 0;

    for (i = 0; i < n; i++) {
        used = cmp_crl_entry(&entries[i], buf);

        if (used == 0 || len > INT_MAX - 2 * CMP_CRL_MAX_ENTRY) {
            return CMP_ERROR;
        }

        len += used;
    }

    used = cmp_crl_header(len, buf);

    p = OPENSSL_malloc(used + len);
    if (p == NULL) {
        return CMP_ERROR;
    }

    ASN1_STRING_set0(revoked, p, (int) (used + len));

    memcpy(p, buf, used);
    p += used;

    for (i = 0; i < n; i++) {
        p += cmp_crl_entry(&entries[i], p);
    }

    return CMP_OK;
}


/* the length, 0 when the entry makes no sense */

static size_t
cmp_crl_entry(const cmp_crl_entry_t *entry, unsigned char *p)
{
    size_t         serial, date, exts, len, header;
    unsigned char  body[CMP_CRL_MAX_ENTRY];

    serial = cmp_crl_serial(&entry->serial, body);
    if (serial == 0) {
        return 0;
    }

    date = cmp_crl_time(entry->revoked_at, 0, body + serial);
    if (date == 0) {
        return 0;
    }

    if (entry->reason < 0 || entry->reason > CMP_CRL_REASON_MAX
        || entry->reason == CMP_CRL_REASON_UNUSED
        || entry->reason == CMP_CRL_REASON_REMOVE)
    {
        return 0;
    }

    len = serial + date;

    if (entry->reason != 0 || entry->invalidity != 0) {
        exts = cmp_crl_entry_extensions(entry, body + len);
        if (exts == 0) {
            return 0;
        }

        len += exts;
    }

    header = cmp_crl_header(len, p);
    memcpy(p + header, body, len);

    return header + len;
}


static size_t
cmp_crl_serial(const cmp_str_t *serial, unsigned char *p)
{
    size_t                len, pad;
    const unsigned char  *s;

    s = serial->data;
    len = serial->len;

    while (len > 1 && s[0] == 0) {
        s++;
        len--;
    }

    if (len == 0 || len > CMP_CRL_MAX_SERIAL) {
        return 0;
    }

    pad = s[0] >> 7;

    p[0] = V_ASN1_INTEGER;
    p[1] = (unsigned char) (pad + len);
    p[2] = 0;

    memcpy(p + 2 + pad, s, len);

    return 2 + pad + len;
}


/*
 * reasonCode ::= { CRLReason }, an ENUMERATED; 2.5.29.21
 * invalidityDate ::=  GeneralizedTime; 2.5.29.24
 */

static size_t
cmp_crl_entry_extensions(const cmp_crl_entry_t *entry, unsigned char *p)
{
    size_t                len, date;

    static const unsigned char  reason[] = {
        0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01
    };

    static const unsigned char  invalidity[] = {
        0x30, 0x18, 0x06, 0x03, 0x55, 0x1d, 0x18, 0x04, 0x11
    };

    len = 2;

    if (entry->reason != 0) {
        memcpy(p + len, reason, sizeof(reason));
        len += sizeof(reason);
        p[len++] = (unsigned char) entry->reason;
    }

    if (entry->invalidity != 0) {
        memcpy(p + len, invalidity, sizeof(invalidity));
        len += sizeof(invalidity);

        date = cmp_crl_time(entry->invalidity, 1, p + len);
        if (date == 0) {
            return 0;
        }

        len += date;
    }

    return cmp_crl_header(len - 2, p) + len - 2;
}


/* UTCTime until 2049 (RFC 5280, 5.1.2.4), unless GeneralizedTime is wanted */

static size_t
cmp_crl_time(int64_t ms, int generalized, unsigned char *p)
{
    int        n;
    char       buf[32];
    time_t     seconds;
    struct tm  tm;

    if (ms < 0 || ms / 1000 > CMP_CRL_MAX_TIME) {
        return 0;
    }

    seconds = (time_t) (ms / 1000);

    if (gmtime_r(&seconds, &tm) == NULL) {
        return 0;
    }

    if (generalized || tm.tm_year >= 150) {
        n = snprintf(buf, sizeof(buf), "%04d%02d%02d%02d%02d%02dZ",
                     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                     tm.tm_min, tm.tm_sec);
        p[0] = V_ASN1_GENERALIZEDTIME;

    } else {
        n = snprintf(buf, sizeof(buf), "%02d%02d%02d%02d%02d%02dZ",
                     tm.tm_year % 100, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                     tm.tm_min, tm.tm_sec);
        p[0] = V_ASN1_UTCTIME;
    }

    if (n != 13 && n != 15) {
        return 0;
    }

    p[1] = (unsigned char) n;
    memcpy(p + 2, buf, (size_t) n);

    return 2 + (size_t) n;
}


/* of a SEQUENCE with so many octets of content: at most 6 */

static size_t
cmp_crl_header(size_t len, unsigned char *p)
{
    size_t  i, n;

    p[0] = V_ASN1_CONSTRUCTED | V_ASN1_SEQUENCE;

    if (len < 0x80) {
        p[1] = (unsigned char) len;
        return 2;
    }

    for (n = 1; len >> (8 * n) != 0; n++) {
        /* void */
    }

    p[1] = (unsigned char) (0x80 | n);

    for (i = 0; i < n; i++) {
        p[2 + i] = (unsigned char) (len >> (8 * (n - 1 - i)));
    }

    return 2 + n;
}
