
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_pattern_local.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/objects.h>


#define CMP_PATTERN_MAX_IP     64


#define cmp_is_digit(c)  ((c) >= '0' && (c) <= '9')


typedef struct {
    const char           *name;
    int                   type;
} cmp_san_kind_t;


static int cmp_san_pattern_parse(const cmp_str_t *word, cmp_san_rule_t *rule,
    char *err, size_t size);
static int cmp_san_kind_check(const cmp_san_rule_t *rule, char *err,
    size_t size);
static int cmp_san_other_name(cmp_san_rule_t *rule, char *err, size_t size);
static int cmp_ip_pattern(const cmp_str_t *pattern, unsigned char *addr,
    size_t *len, int *bits);
static int cmp_ip_match(const cmp_str_t *pattern,
    const ASN1_OCTET_STRING *ip);
static int cmp_other_name_match(const cmp_san_rule_t *rule,
    const OTHERNAME *other);
static int cmp_rid_match(const cmp_str_t *pattern, const ASN1_OBJECT *rid);


static const cmp_san_kind_t  cmp_san_kinds[] = {
    { "dns", GEN_DNS },
    { "ip", GEN_IPADD },
    { "email", GEN_EMAIL },
    { "uri", GEN_URI },
    { "dirname", GEN_DIRNAME },
    { "rid", GEN_RID },
    { "othername", GEN_OTHERNAME },
    { "upn", GEN_OTHERNAME },
    { NULL, 0 }
};


static const cmp_str_t  cmp_upn_oid = cmp_string("1.3.6.1.4.1.311.20.2.3");


int
cmp_san_pattern_check(const cmp_str_t *pattern, char *err, size_t size)
{
    cmp_san_rule_t  rule;

    return cmp_san_rule_parse(pattern, 1, &rule, err, size);
}


int
cmp_san_patterns_match(const cmp_str_t *patterns, size_t n,
    const GENERAL_NAMES *sans)
{
    int                  i;
    char                 err[1];
    size_t               j;
    cmp_san_rule_t       rule;
    const GENERAL_NAME  *name;

    for (i = 0; i < sk_GENERAL_NAME_num(sans); i++) {
        name = sk_GENERAL_NAME_value(sans, i);

        for (j = 0; j < n; j++) {
            if (cmp_san_rule_parse(&patterns[j], 0, &rule, err, sizeof(err))
                == CMP_OK
                && cmp_san_rule_match(&rule, name))
            {
                break;
            }
        }

        if (j == n) {
            return 0;
        }
    }

    return 1;
}


int
cmp_san_rule_parse(const cmp_str_t *word, int placeholders,
    cmp_san_rule_t *rule, char *err, size_t size)
{
    if (cmp_glob_check(word, placeholders, err, size) != CMP_OK) {
        return CMP_ERROR;
    }

    return cmp_san_pattern_parse(word, rule, err, size);
}


static int
cmp_san_pattern_parse(const cmp_str_t *word, cmp_san_rule_t *rule, char *err,
    size_t size)
{
    size_t                 len;
    cmp_str_t              kind;
    const cmp_san_kind_t  *k;

    memset(rule, 0, sizeof(cmp_san_rule_t));

    kind = *word;

    for (len = 0; len < word->len && word->data[len] != ':'; len++) {
        /* void */
    }

    kind.len = len;

    for (k = cmp_san_kinds; k->name != NULL; k++) {
        if (kind.len == strlen(k->name)
            && memcmp(kind.data, k->name, kind.len) == 0)
        {
            break;
        }
    }

    if (k->name == NULL) {
        snprintf(err, size, "unknown kind of name \"%.*s\", known are dns, ip, "
                 "email, uri, dirname, rid, othername, upn", (int) kind.len,
                 (const char *) kind.data);
        return CMP_ERROR;
    }

    rule->type = k->type;

    if (len < word->len) {
        rule->pattern.data = word->data + len + 1;
        rule->pattern.len = word->len - len - 1;

        if (rule->pattern.len == 0) {
            snprintf(err, size, "no pattern behind \"%s:\", for any name "
                     "write \"%s\"", k->name, k->name);
            return CMP_ERROR;
        }
    }

    if (strcmp(k->name, "upn") == 0) {
        rule->oid = cmp_upn_oid;
        return CMP_OK;
    }

    if (rule->type == GEN_OTHERNAME) {
        return cmp_san_other_name(rule, err, size);
    }

    return cmp_san_kind_check(rule, err, size);
}


static int
cmp_san_kind_check(const cmp_san_rule_t *rule, char *err, size_t size)
{
    int            bits;
    size_t         len;
    unsigned char  addr[16];

    if (rule->pattern.len == 0 || cmp_glob_has_placeholder(&rule->pattern)) {
        return CMP_OK;
    }

    switch (rule->type) {

    case GEN_DIRNAME:
        return cmp_subject_pattern_check(&rule->pattern, err, size);

    case GEN_IPADD:

        if (cmp_ip_pattern(&rule->pattern, addr, &len, &bits) != CMP_OK) {
            snprintf(err, size, "\"%.*s\" is not an address or network",
                     (int) rule->pattern.len,
                     (const char *) rule->pattern.data);
            return CMP_ERROR;
        }

        return CMP_OK;

    case GEN_EMAIL:

        if (memchr(rule->pattern.data, '@', rule->pattern.len) == NULL) {
            snprintf(err, size, "no \"@\" in the email pattern, for any "
                     "address write \"email\"");
            return CMP_ERROR;
        }

        return CMP_OK;

    default:
        return CMP_OK;
    }
}


/* the dotted number up to a second colon */

static int
cmp_san_other_name(cmp_san_rule_t *rule, char *err, size_t size)
{
    size_t        i;
    unsigned char c;

    rule->oid = rule->pattern;

    for (i = 0; i < rule->oid.len && rule->oid.data[i] != ':'; i++) {
        c = rule->oid.data[i];

        if (!cmp_is_digit(c) && (c != '.' || i == 0)) {
            break;
        }
    }

    if (i == 0 || (i < rule->oid.len && rule->oid.data[i] != ':')) {
        snprintf(err, size, "othername needs the object identifier of its "
                 "kind in dotted numbers");
        return CMP_ERROR;
    }

    rule->oid.len = i;

    if (i == rule->pattern.len) {
        rule->pattern.len = 0;
        return CMP_OK;
    }

    rule->pattern.data += i + 1;
    rule->pattern.len -= i + 1;

    if (rule->pattern.len == 0) {
        snprintf(err, size, "no pattern behind the object identifier");
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* "192.0.2.1", "10.0.0.0/8", "2001:db8::/32" */

static int
cmp_ip_pattern(const cmp_str_t *pattern, unsigned char *addr, size_t *len,
    int *bits)
{
    long                n;
    char                text[CMP_PATTERN_MAX_IP], *slash, *end;
    size_t              i, out;
    ASN1_OCTET_STRING  *ip;

    out = 0;

    for (i = 0; i < pattern->len; i++) {

        if (pattern->data[i] == '\\' && i + 1 < pattern->len) {
            i++;
        }

        if (out == sizeof(text) - 1 || pattern->data[i] == '\0') {
            return CMP_DECLINED;
        }

        text[out++] = (char) pattern->data[i];
    }

    text[out] = '\0';

    slash = strchr(text, '/');

    if (slash != NULL) {
        *slash++ = '\0';
    }

    ip = a2i_IPADDRESS(text);

    if (ip == NULL) {
        cmp_crypto_error(NULL, 0);
        return CMP_DECLINED;
    }

    *len = (size_t) ASN1_STRING_length(ip);

    if (*len > 16) {
        ASN1_OCTET_STRING_free(ip);
        return CMP_DECLINED;
    }

    memcpy(addr, ASN1_STRING_get0_data(ip), *len);
    ASN1_OCTET_STRING_free(ip);

    *bits = (int) *len * 8;

    if (slash == NULL) {
        return CMP_OK;
    }

    if (!cmp_is_digit(slash[0]) || strlen(slash) > 3) {
        return CMP_DECLINED;
    }

    n = strtol(slash, &end, 10);

    if (*end != '\0' || n > *bits) {
        return CMP_DECLINED;
    }

    *bits = (int) n;

    return CMP_OK;
}


static int
cmp_ip_match(const cmp_str_t *pattern, const ASN1_OCTET_STRING *ip)
{
    int                   bits;
    size_t                len, whole;
    unsigned char         addr[16], mask;
    const unsigned char  *p;

    if (cmp_ip_pattern(pattern, addr, &len, &bits) != CMP_OK
        || (size_t) ASN1_STRING_length(ip) != len)
    {
        return 0;
    }

    p = ASN1_STRING_get0_data(ip);
    whole = (size_t) bits / 8;

    if (memcmp(p, addr, whole) != 0) {
        return 0;
    }

    if (bits % 8 == 0) {
        return 1;
    }

    mask = (unsigned char) (0xff << (8 - bits % 8));

    return (p[whole] & mask) == (addr[whole] & mask);
}


static int
cmp_other_name_match(const cmp_san_rule_t *rule, const OTHERNAME *other)
{
    int                 n, match;
    char                oid[128];
    cmp_glob_t          how;
    unsigned char      *utf8;
    const ASN1_STRING  *value;

    n = OBJ_obj2txt(oid, sizeof(oid), other->type_id, 1);

    if (n <= 0 || (size_t) n >= sizeof(oid)) {
        cmp_crypto_error(NULL, 0);
        return 0;
    }

    if ((size_t) n != rule->oid.len || memcmp(oid, rule->oid.data, n) != 0) {
        return 0;
    }

    if (rule->pattern.len == 0) {
        return 1;
    }

    switch (ASN1_TYPE_get(other->value)) {

    case V_ASN1_UTF8STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_IA5STRING:
        break;

    default:
        return 0;
    }

    value = other->value->value.asn1_string;
    n = cmp_attribute_utf8(value, &utf8);

    if (n < 0) {
        return 0;
    }

    how.stops = cmp_str_equal(&rule->oid, &cmp_upn_oid) ? "@" : "";
    how.fold = (size_t) n;
    how.tail = 0;

    match = cmp_glob_match(&rule->pattern, utf8, (size_t) n, &how);

    OPENSSL_free(utf8);

    return match;
}


static int
cmp_rid_match(const cmp_str_t *pattern, const ASN1_OBJECT *rid)
{
    int         n;
    char        oid[128];
    cmp_glob_t  how;

    n = OBJ_obj2txt(oid, sizeof(oid), rid, 1);

    if (n <= 0 || (size_t) n >= sizeof(oid)) {
        cmp_crypto_error(NULL, 0);
        return 0;
    }

    how.stops = "";
    how.fold = (size_t) n;
    how.tail = 0;

    return cmp_glob_match(pattern, (unsigned char *) oid, (size_t) n, &how);
}


int
cmp_san_rule_match(const cmp_san_rule_t *rule, const GENERAL_NAME *name)
{
    size_t                len;
    cmp_glob_t            how;
    const unsigned char  *p, *at;

    if (rule->type != name->type) {
        return 0;
    }

    if (rule->type == GEN_OTHERNAME) {
        return cmp_other_name_match(rule, name->d.otherName);
    }

    if (rule->type == GEN_DNS || rule->type == GEN_EMAIL
        || rule->type == GEN_URI)
    {
        p = ASN1_STRING_get0_data(name->d.ia5);
        len = (size_t) ASN1_STRING_length(name->d.ia5);

    } else {
        p = NULL;
        len = 0;
    }

    if (rule->pattern.len == 0) {
        return rule->type != GEN_DNS || (len != 0 && p[0] != '*');
    }

    how.tail = 0;

    switch (rule->type) {

    case GEN_DNS:
        how.stops = ".*";
        how.fold = 0;
        break;

    case GEN_EMAIL:
        at = (len != 0) ? memchr(p, '@', len) : NULL;

        how.stops = "@";
        how.fold = (at != NULL) ? (size_t) (at - p) : len;
        break;

    case GEN_URI:
        how.stops = ":/?#@";
        how.fold = len;
        how.tail = 1;
        break;

    case GEN_IPADD:
        return cmp_ip_match(&rule->pattern, name->d.iPAddress);

    case GEN_DIRNAME:
        return cmp_subject_pattern_match(&rule->pattern,
                                         name->d.directoryName);

    case GEN_RID:
        return cmp_rid_match(&rule->pattern, name->d.registeredID);

    default:
        return 0;
    }

    return cmp_glob_match(&rule->pattern, p, len, &how);
}
