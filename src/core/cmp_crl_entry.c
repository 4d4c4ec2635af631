
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The entries of a CRL.  They are written by hand: libcrypto's own type takes
 * ten times the memory, and there may be a million of them.
 */


#include <cmp_crl_local.h>

#include <stdio.h>
#include <string.h>


#define CMP_CRL_MAX_SERIAL     32

#define CMP_CRL_REASON_MAX     10      /* aACompromise */
#define CMP_CRL_REASON_UNUSED  7

#define CMP_CRL_MAX_TIME       ((int64_t) 253402300799)    /* year 9999 */


static size_t cmp_crl_serial(const cmp_str_t *serial, unsigned char *p);
static size_t cmp_crl_entry_extensions(const cmp_crl_entry_t *entry,
    unsigned char *p);


size_t
cmp_crl_entry(const cmp_crl_entry_t *entry, int delta, unsigned char *p)
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
        || (entry->reason == CRL_REASON_REMOVE_FROM_CRL && delta == 0))
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

    header = cmp_crl_header(V_ASN1_CONSTRUCTED | V_ASN1_SEQUENCE, len, p);
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

    return cmp_crl_header(V_ASN1_CONSTRUCTED | V_ASN1_SEQUENCE, len - 2, p)
           + len - 2;
}


size_t
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


size_t
cmp_crl_header(int tag, size_t len, unsigned char *p)
{
    size_t  i, n;

    p[0] = (unsigned char) tag;

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
