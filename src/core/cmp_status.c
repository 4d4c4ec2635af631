
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_status.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>


typedef struct {
    int            bit;
    const char    *text;
} cmp_refusal_entry_t;


static const cmp_refusal_entry_t *cmp_refusal_entry(
    const cmp_refusal_t *refusal);
static void cmp_refusal_clean(char *text, int cut);
static int cmp_status_info_text(cmp_pki_status_info_t *info,
    const char *text);
static int cmp_status_info_bit(cmp_pki_status_info_t *info, int bit);


static const cmp_refusal_entry_t  cmp_refusals[] = {

    { CMP_FAIL_SYSTEM_FAILURE, "internal error" },  /* CMP_REFUSE_NONE */

#define CMP_REFUSAL_ENTRY(name, bit, text)  { CMP_FAIL_##bit, text },
    CMP_REFUSAL_MAP(CMP_REFUSAL_ENTRY)
#undef CMP_REFUSAL_ENTRY
};


static const char  *cmp_fail_info_names[] = {
    "badAlg",
    "badMessageCheck",
    "badRequest",
    "badTime",
    "badCertId",
    "badDataFormat",
    "wrongAuthority",
    "incorrectData",
    "missingTimeStamp",
    "badPOP",
    "certRevoked",
    "certConfirmed",
    "wrongIntegrity",
    "badRecipientNonce",
    "timeNotAvailable",
    "unacceptedPolicy",
    "unacceptedExtension",
    "addInfoNotAvailable",
    "badSenderNonce",
    "badCertTemplate",
    "signerNotTrusted",
    "transactionIdInUse",
    "unsupportedVersion",
    "notAuthorized",
    "systemUnavail",
    "systemFailure",
    "duplicateCertReq"
};


static const char  *cmp_status_names[] = {
    "accepted",
    "grantedWithMods",
    "rejection",
    "waiting",
    "revocationWarning",
    "revocationNotification",
    "keyUpdateWarning"
};


int
cmp_refuse(cmp_refusal_t *refusal, cmp_refuse_e code, const char *fmt, ...)
{
    int      n;
    va_list  args;

    refusal->code = code;
    refusal->detail[0] = '\0';

    if (fmt != NULL) {
        va_start(args, fmt);
        n = vsnprintf(refusal->detail, sizeof(refusal->detail), fmt, args);
        va_end(args);

        cmp_refusal_clean(refusal->detail,
                          n >= (int) sizeof(refusal->detail));
    }

    return CMP_DECLINED;
}


int
cmp_refuse_crypto(cmp_refusal_t *refusal, cmp_refuse_e code)
{
    cmp_crypto_error(refusal->log, sizeof(refusal->log));
    cmp_refusal_clean(refusal->log, 1);

    return cmp_refuse(refusal, code, NULL);
}


int
cmp_refusal_fail_info(const cmp_refusal_t *refusal)
{
    return cmp_refusal_entry(refusal)->bit;
}


char *
cmp_refusal_text(const cmp_refusal_t *refusal, cmp_pool_t *pool)
{
    const char  *text;

    text = cmp_refusal_entry(refusal)->text;

    if (refusal->detail[0] == '\0') {
        return cmp_psprintf(pool, "%s", text);
    }

    return cmp_psprintf(pool, "%s: %s", text, refusal->detail);
}


static const cmp_refusal_entry_t *
cmp_refusal_entry(const cmp_refusal_t *refusal)
{
    if ((unsigned) refusal->code >= CMP_REFUSE_MAX) {
        return &cmp_refusals[CMP_REFUSE_INTERNAL];
    }

    return &cmp_refusals[refusal->code];
}


/*
 * The text ends in an UTF8String and in a log line: octets that are not
 * printable UTF-8 become '?', a character that may have been cut is dropped.
 */

static void
cmp_refusal_clean(char *text, int cut)
{
    int             n;
    unsigned char  *p, *last;
    unsigned long   c;

    p = (unsigned char *) text;
    last = p + strlen(text);

    if (cut != 0) {

        while (last > p && (last[-1] & 0xc0) == 0x80) {
            last--;
        }

        if (last > p && last[-1] >= 0xc0) {
            last--;
        }

        *last = '\0';
    }

    while (p < last) {

        n = UTF8_getc(p, (int) (last - p), &c);

        if (n <= 0 || c < 0x20 || (c >= 0x7f && c < 0xa0)
            || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        {
            *p++ = '?';
            continue;
        }

        p += n;
    }
}


const char *
cmp_fail_info_name(int bit)
{
    if (bit < 0 || bit > CMP_FAIL_MAX) {
        return "-";
    }

    return cmp_fail_info_names[bit];
}


const char *
cmp_status_name(int status)
{
    if (status < 0 || status > CMP_STATUS_KEY_UPDATE_WARNING) {
        return "-";
    }

    return cmp_status_names[status];
}


cmp_pki_status_info_t *
cmp_status_info(int status, const char *text, int fail_info)
{
    cmp_pki_status_info_t  *info;

    info = cmp_asn1_new(cmp_pki_status_info_t);
    if (info == NULL) {
        return NULL;
    }

    if (ASN1_INTEGER_set(info->status, status) == 1
        && cmp_status_info_text(info, text) == CMP_OK
        && cmp_status_info_bit(info, fail_info) == CMP_OK)
    {
        return info;
    }

    cmp_asn1_free(cmp_pki_status_info_t, info);
    cmp_crypto_error(NULL, 0);

    return NULL;
}


static int
cmp_status_info_text(cmp_pki_status_info_t *info, const char *text)
{
    ASN1_UTF8STRING  *string;

    if (text == NULL) {
        return CMP_OK;
    }

    info->status_string = sk_ASN1_UTF8STRING_new_null();
    if (info->status_string == NULL) {
        return CMP_ERROR;
    }

    string = ASN1_UTF8STRING_new();
    if (string == NULL) {
        return CMP_ERROR;
    }

    if (ASN1_STRING_set(string, text, -1) != 1
        || sk_ASN1_UTF8STRING_push(info->status_string, string) <= 0)
    {
        ASN1_UTF8STRING_free(string);
        return CMP_ERROR;
    }

    return CMP_OK;
}


static int
cmp_status_info_bit(cmp_pki_status_info_t *info, int bit)
{
    if (bit < 0) {
        return CMP_OK;
    }

    info->fail_info = ASN1_BIT_STRING_new();
    if (info->fail_info == NULL) {
        return CMP_ERROR;
    }

    if (ASN1_BIT_STRING_set_bit(info->fail_info, bit, 1) != 1) {
        return CMP_ERROR;
    }

    return CMP_OK;
}
