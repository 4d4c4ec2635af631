
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_name.h>

#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>


#define CMP_ATTRIBUTE_MAX      256     /* of a type not in the table */
#define CMP_DNS_MAX            253
#define CMP_LABEL_MAX          63
#define CMP_EMAIL_MAX          254
#define CMP_LOCAL_PART_MAX     64
#define CMP_URI_MAX            2048


#define cmp_is_alpha(c)  (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z')
#define cmp_is_digit(c)  ((c) >= '0' && (c) <= '9')
#define cmp_is_alnum(c)  (cmp_is_alpha(c) || cmp_is_digit(c))


static int cmp_attribute_type_check(const cmp_attribute_t *attr,
    const ASN1_STRING *value);
static int cmp_utf8_next(const unsigned char **p, const unsigned char *end,
    uint32_t *c);
static int cmp_code_point_printable(uint32_t c);
static int cmp_printable_string(const unsigned char *p, size_t len);
static const char *cmp_name_entry_check(const X509_NAME *name, int n);
static const char *cmp_dns_check(const unsigned char *p, size_t len,
    int wildcard);
static const char *cmp_email_check(const unsigned char *p, size_t len);
static const char *cmp_other_name_check(const OTHERNAME *other);


static const cmp_attribute_t  cmp_attributes[] = {

    { NID_commonName, 64, CMP_NAME_DIRECTORY, 0 },
    { NID_serialNumber, 64, CMP_NAME_PRINTABLE, 0 },
    { NID_organizationName, 64, CMP_NAME_DIRECTORY, 0 },
    { NID_organizationalUnitName, 64, CMP_NAME_DIRECTORY, 1 },
    { NID_countryName, 2, CMP_NAME_COUNTRY, 0 },
    { NID_stateOrProvinceName, 128, CMP_NAME_DIRECTORY, 0 },
    { NID_localityName, 128, CMP_NAME_DIRECTORY, 0 },
    { NID_streetAddress, 128, CMP_NAME_DIRECTORY, 0 },
    { NID_postalCode, 40, CMP_NAME_DIRECTORY, 0 },
    { NID_domainComponent, 63, CMP_NAME_IA5, 1 },
    { NID_userId, 256, CMP_NAME_DIRECTORY, 0 },
    { NID_pkcs9_emailAddress, 255, CMP_NAME_IA5, 0 },
    { NID_dnQualifier, 64, CMP_NAME_PRINTABLE, 0 },
    { NID_title, 64, CMP_NAME_DIRECTORY, 0 },
    { NID_givenName, 32768, CMP_NAME_DIRECTORY, 0 },
    { NID_surname, 32768, CMP_NAME_DIRECTORY, 0 },
    { NID_name, 32768, CMP_NAME_DIRECTORY, 0 },
    { NID_initials, 32768, CMP_NAME_DIRECTORY, 0 },
    { NID_generationQualifier, 32768, CMP_NAME_DIRECTORY, 0 },
    { NID_pseudonym, 128, CMP_NAME_DIRECTORY, 0 },
    { NID_description, 1024, CMP_NAME_DIRECTORY, 0 },
    { NID_businessCategory, 128, CMP_NAME_DIRECTORY, 0 },
    { NID_organizationIdentifier, 256, CMP_NAME_DIRECTORY, 0 },
    { NID_pkcs9_unstructuredName, 255, CMP_NAME_IA5, 0 }
};


#define CMP_ATTRIBUTES  (sizeof(cmp_attributes) / sizeof(cmp_attributes[0]))


const cmp_attribute_t *
cmp_attribute_find(const unsigned char *name, size_t len)
{
    int     nid;
    char    buf[64];
    size_t  i;

    if (len == 0 || len >= sizeof(buf) || memchr(name, '\0', len) != NULL) {
        return NULL;
    }

    memcpy(buf, name, len);
    buf[len] = '\0';

    for (i = 0; i < CMP_ATTRIBUTES; i++) {
        nid = cmp_attributes[i].nid;

        if (strcmp(buf, OBJ_nid2sn(nid)) == 0
            || strcmp(buf, OBJ_nid2ln(nid)) == 0)
        {
            return &cmp_attributes[i];
        }
    }

    if (!cmp_is_digit(buf[0])) {
        return NULL;
    }

    nid = OBJ_txt2nid(buf);
    cmp_crypto_error(NULL, 0);

    return cmp_attribute_get(nid);
}


const cmp_attribute_t *
cmp_attribute_get(int nid)
{
    size_t  i;

    for (i = 0; i < CMP_ATTRIBUTES; i++) {
        if (cmp_attributes[i].nid == nid) {
            return &cmp_attributes[i];
        }
    }

    return NULL;
}


const char *
cmp_attribute_name(const ASN1_OBJECT *type, char *buf, size_t size)
{
    int  nid;

    nid = OBJ_obj2nid(type);

    if (nid != NID_undef) {
        snprintf(buf, size, "%s", OBJ_nid2sn(nid));
        return buf;
    }

    if (OBJ_obj2txt(buf, (int) size, type, 1) <= 0) {
        snprintf(buf, size, "?");
        cmp_crypto_error(NULL, 0);
    }

    return buf;
}


int
cmp_attribute_utf8(const ASN1_STRING *value, unsigned char **utf8)
{
    int  len;

    *utf8 = NULL;

    switch (ASN1_STRING_type(value)) {

    case V_ASN1_UTF8STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_T61STRING:
    case V_ASN1_BMPSTRING:
    case V_ASN1_UNIVERSALSTRING:
        break;

    default:
        return -1;
    }

    len = ASN1_STRING_to_UTF8(utf8, value);

    if (len < 0) {
        cmp_crypto_error(NULL, 0);
        return -1;
    }

    return len;
}


/* what stands in a string must be what its type promises */

static int
cmp_attribute_type_check(const cmp_attribute_t *attr, const ASN1_STRING *value)
{
    size_t                i, len;
    const unsigned char  *p;

    p = ASN1_STRING_get0_data(value);
    len = (size_t) ASN1_STRING_length(value);

    switch (ASN1_STRING_type(value)) {

    case V_ASN1_PRINTABLESTRING:
        return cmp_printable_string(p, len);

    case V_ASN1_IA5STRING:

        if (attr != NULL && attr->syntax != CMP_NAME_IA5) {
            return CMP_DECLINED;
        }

        for (i = 0; i < len; i++) {
            if (p[i] > 0x7f) {
                return CMP_DECLINED;
            }
        }

        return CMP_OK;

    default:
        return CMP_OK;
    }
}


static int
cmp_printable_string(const unsigned char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (!cmp_is_alnum(p[i])
            && (p[i] == '\0' || strchr(" '()+,-./:=?", p[i]) == NULL))
        {
            return CMP_DECLINED;
        }
    }

    return CMP_OK;
}


static int
cmp_utf8_next(const unsigned char **p, const unsigned char *end, uint32_t *c)
{
    int       n;
    uint32_t  v, min;

    v = *(*p)++;

    if (v < 0x80) {
        *c = v;
        return CMP_OK;
    }

    if (v >= 0xc2 && v <= 0xdf) {
        v &= 0x1f;
        min = 0x80;
        n = 1;

    } else if ((v & 0xf0) == 0xe0) {
        v &= 0x0f;
        min = 0x800;
        n = 2;

    } else if (v >= 0xf0 && v <= 0xf4) {
        v &= 0x07;
        min = 0x10000;
        n = 3;

    } else {
        return CMP_DECLINED;
    }

    while (n-- != 0) {
        if (*p == end || (**p & 0xc0) != 0x80) {
            return CMP_DECLINED;
        }

        v = (v << 6) | (*(*p)++ & 0x3f);
    }

    if (v < min || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)) {
        return CMP_DECLINED;
    }

    *c = v;

    return CMP_OK;
}


/*
 * Besides control characters, those are refused that make a name look like
 * another one when shown: line and paragraph separators, invisible characters,
 * changes of the writing direction.
 */

static int
cmp_code_point_printable(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad) {
        return CMP_DECLINED;
    }

    if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e)
        || (c >= 0x2060 && c <= 0x206f) || c == 0x61c || c == 0xfeff)
    {
        return CMP_DECLINED;
    }

    if ((c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe
        || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff))
    {
        return CMP_DECLINED;
    }

    return CMP_OK;
}


const char *
cmp_attribute_check(const cmp_attribute_t *attr, const unsigned char *utf8,
    size_t len)
{
    size_t                count, max;
    uint32_t              c;
    const unsigned char  *p, *end;

    if (len == 0) {
        return "is empty";
    }

    if (utf8[0] == ' ' || utf8[len - 1] == ' ') {
        return "begins or ends with a space";
    }

    count = 0;
    end = utf8 + len;

    for (p = utf8; p < end; count++) {
        if (cmp_utf8_next(&p, end, &c) != CMP_OK) {
            return "is not valid in its string type";
        }

        if (cmp_code_point_printable(c) != CMP_OK) {
            return "contains a character that cannot be printed";
        }

        if (c > 0x7f && attr != NULL && attr->syntax != CMP_NAME_DIRECTORY) {
            return "contains a character other than ASCII";
        }
    }

    max = (attr != NULL) ? (size_t) attr->max : CMP_ATTRIBUTE_MAX;

    if (count > max) {
        return "is too long";
    }

    if (attr != NULL && attr->syntax == CMP_NAME_COUNTRY
        && (len != 2 || !cmp_is_alpha(utf8[0]) || !cmp_is_alpha(utf8[1])))
    {
        return "is not a country code of two letters";
    }

    return NULL;
}


/* NULL when the entry n is acceptable beside those before it */

static const char *
cmp_name_entry_check(const X509_NAME *name, int n)
{
    int                     i, len;
    const char             *reason;
    unsigned char          *utf8;
    const ASN1_STRING      *value, *other;
    const ASN1_OBJECT      *type;
    const X509_NAME_ENTRY  *entry, *prev;
    const cmp_attribute_t  *attr;

    entry = X509_NAME_get_entry(name, n);
    type = X509_NAME_ENTRY_get_object(entry);
    value = X509_NAME_ENTRY_get_data(entry);
    attr = cmp_attribute_get(OBJ_obj2nid(type));

    for (i = 0; i < n; i++) {
        prev = X509_NAME_get_entry(name, i);

        if (X509_NAME_ENTRY_set(prev) == X509_NAME_ENTRY_set(entry)) {
            return "is in an RDN with several values";
        }

        if (OBJ_cmp(X509_NAME_ENTRY_get_object(prev), type) != 0) {
            continue;
        }

        if (attr == NULL || !attr->repeat) {
            return "is given twice";
        }

        other = X509_NAME_ENTRY_get_data(prev);

        if (attr->nid != NID_domainComponent
            && ASN1_STRING_cmp(value, other) == 0)
        {
            return "is given twice";
        }
    }

    len = cmp_attribute_utf8(value, &utf8);

    if (len < 0 || cmp_attribute_type_check(attr, value) != CMP_OK) {
        OPENSSL_free(utf8);
        return "is not valid in its string type";
    }

    reason = cmp_attribute_check(attr, utf8, (size_t) len);

    OPENSSL_free(utf8);

    return reason;
}


int
cmp_name_check(const X509_NAME *name, char *why, size_t size)
{
    int                     i, n;
    char                    buf[64];
    const char             *reason;
    const X509_NAME_ENTRY  *entry;

    n = X509_NAME_entry_count(name);

    if (n > CMP_NAME_MAX_RDNS) {
        snprintf(why, size, "more than %d attributes", CMP_NAME_MAX_RDNS);
        return CMP_DECLINED;
    }

    for (i = 0; i < n; i++) {
        reason = cmp_name_entry_check(name, i);

        if (reason != NULL) {
            entry = X509_NAME_get_entry(name, i);

            (void) cmp_attribute_name(X509_NAME_ENTRY_get_object(entry), buf,
                                      sizeof(buf));

            snprintf(why, size, "%s %s", buf, reason);
            return CMP_DECLINED;
        }
    }

    return CMP_OK;
}


/* LDH labels (RFC 1034, 3.5; RFC 1123, 2.1), no dot at the end */

static const char *
cmp_dns_check(const unsigned char *p, size_t len, int wildcard)
{
    size_t  i, label, digits;

    if (len == 0 || len > CMP_DNS_MAX) {
        return "is empty or too long";
    }

    if (wildcard && len > 2 && p[0] == '*' && p[1] == '.') {
        p += 2;
        len -= 2;
    }

    label = 0;
    digits = 0;

    for (i = 0; i < len; i++) {

        if (p[i] == '.') {
            if (label == 0 || p[i - 1] == '-') {
                return "is not a host name";
            }

            label = 0;
            digits = 0;
            continue;
        }

        if (!cmp_is_alnum(p[i]) && (p[i] != '-' || label == 0)) {
            return "is not a host name";
        }

        digits += cmp_is_digit(p[i]);

        if (++label > CMP_LABEL_MAX) {
            return "has a label that is too long";
        }
    }

    if (label == 0 || p[len - 1] == '-') {
        return "is not a host name";
    }

    /* no top-level domain has digits alone: it would pass for an address */

    if (digits == label) {
        return "is not a host name";
    }

    return NULL;
}


/* Mailbox without quoted strings and address literals (RFC 5280, 4.2.1.6) */

static const char *
cmp_email_check(const unsigned char *p, size_t len)
{
    size_t                i, local;
    const unsigned char  *at;

    at = (len != 0) ? memchr(p, '@', len) : NULL;

    if (at == NULL || len > CMP_EMAIL_MAX) {
        return "is not a mail address";
    }

    local = (size_t) (at - p);

    if (local == 0 || local > CMP_LOCAL_PART_MAX
        || p[0] == '.' || p[local - 1] == '.')
    {
        return "is not a mail address";
    }

    for (i = 0; i < local; i++) {
        if (p[i] == '.' && p[i + 1] == '.') {
            return "is not a mail address";
        }

        if (!cmp_is_alnum(p[i])
            && (p[i] == '\0' || strchr(".!#$%&'*+-/=?^_`{|}~", p[i]) == NULL))
        {
            return "is not a mail address";
        }
    }

    if (cmp_dns_check(at + 1, len - local - 1, 0) != NULL) {
        return "is not a mail address";
    }

    return NULL;
}


GENERAL_NAME *
cmp_name_uri(const cmp_str_t *uri)
{
    GENERAL_NAME    *name;
    ASN1_IA5STRING  *text;

    name = GENERAL_NAME_new();
    text = ASN1_IA5STRING_new();

    if (name == NULL || text == NULL
        || !ASN1_STRING_set(text, uri->data, (int) uri->len))
    {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(text);
        return NULL;
    }

    GENERAL_NAME_set0_value(name, GEN_URI, text);

    return name;
}


const char *
cmp_uri_check(const unsigned char *uri, size_t len)
{
    size_t  i, scheme;

    if (len > CMP_URI_MAX) {
        return "is too long";
    }

    for (scheme = 0; scheme < len && uri[scheme] != ':'; scheme++) {
        if (!cmp_is_alpha(uri[scheme])
            && (scheme == 0 || (!cmp_is_digit(uri[scheme])
                                && uri[scheme] != '+' && uri[scheme] != '-'
                                && uri[scheme] != '.')))
        {
            return "is not an absolute URI";
        }
    }

    if (scheme == 0 || scheme + 1 >= len) {
        return "is not an absolute URI";
    }

    for (i = scheme + 1; i < len; i++) {

        if (uri[i] <= 0x20 || uri[i] >= 0x7f
            || strchr("\"<>\\^`{|}", uri[i]) != NULL)
        {
            return "contains a character that a URI may not have";
        }
    }

    i = scheme + 1;

    if (len - i >= 2 && uri[i] == '/' && uri[i + 1] == '/') {
        i += 2;

        if (strncmp((const char *) uri, "file:", scheme + 1) == 0) {
            return NULL;
        }

        if (i == len || strchr("/?#:", uri[i]) != NULL) {
            return "has no host";
        }
    }

    return NULL;
}


static const char *
cmp_other_name_check(const OTHERNAME *other)
{
    int                 len;
    const char         *reason;
    unsigned char      *utf8;
    const ASN1_STRING  *value;

    if (other->value == NULL) {
        return "has no value";
    }

    switch (ASN1_TYPE_get(other->value)) {

    case V_ASN1_UTF8STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_IA5STRING:
        break;

    default:

        if (OBJ_obj2nid(other->type_id) == NID_ms_upn) {
            return "is no string";
        }

        return NULL;
    }

    value = other->value->value.asn1_string;

    len = cmp_attribute_utf8(value, &utf8);

    if (len < 0 || cmp_attribute_type_check(NULL, value) != CMP_OK) {
        OPENSSL_free(utf8);
        return "is not valid in its string type";
    }

    reason = cmp_attribute_check(NULL, utf8, (size_t) len);

    OPENSSL_free(utf8);

    return reason;
}


int
cmp_general_name_check(const GENERAL_NAME *name, char *why, size_t size)
{
    int                   len;
    size_t                n;
    const char           *kind, *reason;
    const ASN1_STRING    *value;
    const unsigned char  *p;

    reason = NULL;

    switch (name->type) {

    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
        value = name->d.ia5;
        p = ASN1_STRING_get0_data(value);
        n = (size_t) ASN1_STRING_length(value);

        if (name->type == GEN_DNS) {
            kind = "dNSName";
            reason = cmp_dns_check(p, n, 1);

        } else if (name->type == GEN_EMAIL) {
            kind = "rfc822Name";
            reason = cmp_email_check(p, n);

        } else {
            kind = "uniformResourceIdentifier";
            reason = cmp_uri_check(p, n);
        }

        break;

    case GEN_IPADD:
        kind = "iPAddress";
        len = ASN1_STRING_length(name->d.iPAddress);

        if (len != 4 && len != 16) {
            reason = "has neither 4 nor 16 octets";
        }

        break;

    case GEN_DIRNAME:

        if (X509_NAME_entry_count(name->d.directoryName) != 0) {
            return cmp_name_check(name->d.directoryName, why, size);
        }

        kind = "directoryName";
        reason = "is empty";
        break;

    case GEN_RID:
        return CMP_OK;

    case GEN_OTHERNAME:
        kind = "otherName";
        reason = cmp_other_name_check(name->d.otherName);
        break;

    default:
        kind = "x400Address or ediPartyName";
        reason = "is not supported";
        break;
    }

    if (reason != NULL) {
        snprintf(why, size, "%s %s", kind, reason);
        return CMP_DECLINED;
    }

    return CMP_OK;
}
