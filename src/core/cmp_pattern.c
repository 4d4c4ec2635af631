
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_pattern_local.h>

#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>


#define CMP_PATTERN_MAX        4096


#define cmp_is_alpha(c)  (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z')
#define cmp_is_digit(c)  ((c) >= '0' && (c) <= '9')


typedef struct {
    const ASN1_OBJECT    *type;     /* static object of libcrypto */
    cmp_str_t             value;
} cmp_subject_item_t;


static int cmp_glob_equal(unsigned char a, unsigned char b, int fold);
static const cmp_attribute_t *cmp_placeholder(const cmp_str_t *pattern,
    size_t *pos);
static int cmp_subject_items(const cmp_str_t *pattern,
    cmp_subject_item_t *items, size_t *n, char *err, size_t size);
static int cmp_subject_item(const cmp_str_t *pattern, size_t *pos,
    cmp_subject_item_t *item, char *err, size_t size);
static int cmp_subject_entry_match(const X509_NAME *subject, int n,
    const cmp_subject_item_t *items, size_t nitems);
static const char *cmp_expand_forbidden(const cmp_str_t *pattern);
static int cmp_expand_value(const cmp_attribute_t *attr,
    const X509_NAME *from, const char *forbidden, unsigned char *dst,
    size_t size, size_t *used);


static int
cmp_glob_equal(unsigned char a, unsigned char b, int fold)
{
    if (fold) {
        a = cmp_is_alpha(a) ? a | 0x20 : a;
        b = cmp_is_alpha(b) ? b | 0x20 : b;
    }

    return a == b;
}


/*
 * To go back to the last '*' is enough even with stops: a stop in the text is
 * matched by a stop in the pattern alone, which fixes all before it.
 */

int
cmp_glob_match(const cmp_str_t *glob, const unsigned char *text, size_t len,
    const cmp_glob_t *how)
{
    int                   literal;
    size_t                p, t, star, mark;
    unsigned char         c;
    const unsigned char  *g;

    g = glob->data;
    star = glob->len;
    mark = 0;
    p = 0;
    t = 0;

    while (t < len || p < glob->len) {

        if (p < glob->len) {

            if (g[p] == '$') {
                return 0;
            }

            if (g[p] == '*') {
                if (p + 1 == glob->len && how->tail) {
                    return 1;
                }

                star = p++;
                mark = t;
                continue;
            }

            literal = (g[p] == '\\');

            if (literal && p + 1 == glob->len) {
                return 0;
            }

            c = g[p + literal];

            if (t < len && cmp_glob_equal(c, text[t], t >= how->fold)) {
                p += 1 + literal;
                t++;
                continue;
            }
        }

        /* the last '*' takes one more */

        if (star == glob->len || mark == len || text[mark] == '\0'
            || strchr(how->stops, text[mark]) != NULL)
        {
            return 0;
        }

        t = ++mark;
        p = star + 1;
    }

    return 1;
}


int
cmp_glob_check(const cmp_str_t *glob, int placeholders, char *err,
    size_t size)
{
    size_t  i;

    if (glob->len > CMP_PATTERN_MAX) {
        snprintf(err, size, "the pattern is too long");
        return CMP_ERROR;
    }

    i = 0;

    while (i < glob->len) {

        if (glob->data[i] < 0x20 || glob->data[i] == 0x7f) {
            snprintf(err, size, "control character in the pattern");
            return CMP_ERROR;
        }

        if (glob->data[i] == '\\') {
            if (i + 1 == glob->len) {
                snprintf(err, size, "nothing follows the last \"\\\"");
                return CMP_ERROR;
            }

            i += 2;
            continue;
        }

        if (glob->data[i] != '$') {
            i++;
            continue;
        }

        if (placeholders == 0) {
            snprintf(err, size, "a placeholder may not be used here, "
                     "write \"\\$\" for a dollar sign");
            return CMP_ERROR;
        }

        if (cmp_placeholder(glob, &i) == NULL) {
            snprintf(err, size, "unknown placeholder \"%.*s\", write \"\\$\" "
                     "for a dollar sign", (int) (glob->len - i),
                     glob->data + i);
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/* at a '$': the attribute, and pos behind it; NULL, and pos stays */

static const cmp_attribute_t *
cmp_placeholder(const cmp_str_t *pattern, size_t *pos)
{
    size_t                  i, start, braces;
    const cmp_attribute_t  *attr;

    i = *pos + 1;
    braces = (i < pattern->len && pattern->data[i] == '{');
    i += braces;
    start = i;

    while (i < pattern->len && cmp_is_alpha(pattern->data[i])) {
        i++;
    }

    if (i == start) {
        return NULL;
    }

    attr = cmp_attribute_find(pattern->data + start, i - start);

    if (braces && (i == pattern->len || pattern->data[i++] != '}')) {
        return NULL;
    }

    if (attr != NULL) {
        *pos = i;
    }

    return attr;
}


int
cmp_glob_has_placeholder(const cmp_str_t *glob)
{
    size_t  i;

    for (i = 0; i < glob->len; i++) {

        if (glob->data[i] == '\\') {
            i++;

        } else if (glob->data[i] == '$') {
            return 1;
        }
    }

    return 0;
}


int
cmp_subject_pattern_check(const cmp_str_t *pattern, char *err, size_t size)
{
    size_t              n;
    cmp_subject_item_t  items[CMP_NAME_MAX_RDNS];

    if (cmp_glob_check(pattern, 1, err, size) != CMP_OK) {
        return CMP_ERROR;
    }

    if (pattern->len == 1 && pattern->data[0] == '*') {
        return CMP_OK;
    }

    return cmp_subject_items(pattern, items, &n, err, size);
}


static int
cmp_subject_items(const cmp_str_t *pattern, cmp_subject_item_t *items,
    size_t *n, char *err, size_t size)
{
    size_t  pos;

    pos = 0;

    for (*n = 0; *n < CMP_NAME_MAX_RDNS; /* void */) {

        if (cmp_subject_item(pattern, &pos, &items[(*n)++], err, size)
            != CMP_OK)
        {
            return CMP_ERROR;
        }

        if (pos == pattern->len) {
            return CMP_OK;
        }

        pos++;    /* the comma */
    }

    snprintf(err, size, "more than %d attributes in the pattern",
             CMP_NAME_MAX_RDNS);

    return CMP_ERROR;
}


/* pos is left at the comma behind the item, or at the end */

static int
cmp_subject_item(const cmp_str_t *pattern, size_t *pos,
    cmp_subject_item_t *item, char *err, size_t size)
{
    size_t                  i, start, end;
    const unsigned char    *p;
    const cmp_attribute_t  *attr;

    p = pattern->data;
    i = *pos;

    while (i < pattern->len && p[i] == ' ') {
        i++;
    }

    start = i;

    while (i < pattern->len && p[i] != '=' && p[i] != ',') {
        i++;
    }

    if (i == pattern->len || p[i] != '=') {
        snprintf(err, size, "\"%.*s\" is not of the form CN=...",
                 (int) (i - start), (const char *) p + start);
        return CMP_ERROR;
    }

    attr = cmp_attribute_find(p + start, i - start);

    if (attr == NULL) {
        snprintf(err, size, "unknown attribute \"%.*s\"", (int) (i - start),
                 (const char *) p + start);
        return CMP_ERROR;
    }

    start = ++i;
    end = start;

    while (i < pattern->len && p[i] != ',') {

        if (p[i] == '+') {
            snprintf(err, size, "write \"\\+\" for a plus sign");
            return CMP_ERROR;
        }

        if (p[i] == '\\') {
            i += (i + 1 < pattern->len) ? 2 : 1;
            end = i;
            continue;
        }

        if (p[i++] != ' ') {
            end = i;
        }
    }

    if (end == start) {
        snprintf(err, size, "attribute \"%s\" has no value, write \"*\" for "
                 "any", OBJ_nid2sn(attr->nid));
        return CMP_ERROR;
    }

    item->type = OBJ_nid2obj(attr->nid);
    item->value.data = pattern->data + start;
    item->value.len = end - start;

    *pos = i;

    return CMP_OK;
}


int
cmp_subject_pattern_match(const cmp_str_t *pattern, const X509_NAME *subject)
{
    int                 i;
    char                err[1];
    size_t              n;
    cmp_subject_item_t  items[CMP_NAME_MAX_RDNS];

    if (pattern->len == 1 && pattern->data[0] == '*') {
        return 1;
    }

    if (pattern->len > CMP_PATTERN_MAX
        || cmp_subject_items(pattern, items, &n, err, sizeof(err)) != CMP_OK)
    {
        return 0;
    }

    /* with as many items as attributes, each one matches another item */

    if (subject == NULL || (size_t) X509_NAME_entry_count(subject) != n) {
        return 0;
    }

    for (i = 0; i < (int) n; i++) {
        if (!cmp_subject_entry_match(subject, i, items, n)) {
            return 0;
        }
    }

    return 1;
}


/* the k-th attribute of a type belongs to the k-th item of that type */

static int
cmp_subject_entry_match(const X509_NAME *subject, int n,
    const cmp_subject_item_t *items, size_t nitems)
{
    int                     i, k, len, match;
    size_t                  j;
    cmp_glob_t              how;
    unsigned char          *utf8;
    const ASN1_OBJECT      *type;
    const X509_NAME_ENTRY  *entry;

    entry = X509_NAME_get_entry(subject, n);
    type = X509_NAME_ENTRY_get_object(entry);
    k = 0;

    for (i = 0; i < n; i++) {
        k += (OBJ_cmp(X509_NAME_ENTRY_get_object(
                          X509_NAME_get_entry(subject, i)), type) == 0);
    }

    for (j = 0; j < nitems; j++) {
        if (OBJ_cmp(items[j].type, type) == 0 && k-- == 0) {
            break;
        }
    }

    if (j == nitems) {
        return 0;
    }

    len = cmp_attribute_utf8(X509_NAME_ENTRY_get_data(entry), &utf8);

    if (len < 0) {
        return 0;
    }

    how.stops = "";
    how.fold = (size_t) len;
    how.tail = 0;

    match = cmp_glob_match(&items[j].value, utf8, (size_t) len, &how);

    OPENSSL_free(utf8);

    return match;
}


int
cmp_pattern_expand(const cmp_str_t *pattern, const X509_NAME *from,
    cmp_pool_t *pool, cmp_str_t *out)
{
    int                     rc;
    size_t                  i, used, n;
    unsigned char          *buf;
    const unsigned char    *p;
    const cmp_attribute_t  *attr;

    if (pattern->len > CMP_PATTERN_MAX) {
        return CMP_DECLINED;
    }

    buf = cmp_palloc(pool, CMP_PATTERN_MAX + 1);
    if (buf == NULL) {
        return CMP_ERROR;
    }

    p = pattern->data;
    used = 0;
    i = 0;

    while (i < pattern->len) {

        if (p[i] == '$') {
            attr = cmp_placeholder(pattern, &i);

            if (attr == NULL || from == NULL) {
                return CMP_DECLINED;
            }

            rc = cmp_expand_value(attr, from, cmp_expand_forbidden(pattern),
                                  buf, CMP_PATTERN_MAX, &used);
            if (rc != CMP_OK) {
                return rc;
            }

            continue;
        }

        n = (p[i] == '\\' && i + 1 < pattern->len) ? 2 : 1;

        if (CMP_PATTERN_MAX - used < n) {
            return CMP_DECLINED;
        }

        memcpy(buf + used, p + i, n);
        used += n;
        i += n;
    }

    buf[used] = '\0';

    out->data = buf;
    out->len = used;

    return CMP_OK;
}


/*
 * Escaped, these would still change what the whole name means: a wildcard,
 * another host.
 */

static const char *
cmp_expand_forbidden(const cmp_str_t *pattern)
{
    if (pattern->len >= 4 && memcmp(pattern->data, "dns:", 4) == 0) {
        return "*";
    }

    if (pattern->len >= 6 && memcmp(pattern->data, "email:", 6) == 0) {
        return "@";
    }

    if (pattern->len >= 4 && memcmp(pattern->data, "uri:", 4) == 0) {
        return ":/?#@";
    }

    return "";
}


static int
cmp_expand_value(const cmp_attribute_t *attr, const X509_NAME *from,
    const char *forbidden, unsigned char *dst, size_t size, size_t *used)
{
    int                     i, n, len;
    unsigned char          *utf8;
    const X509_NAME_ENTRY  *entry;

    n = X509_NAME_get_index_by_NID((X509_NAME *) from, attr->nid, -1);

    if (n < 0
        || X509_NAME_get_index_by_NID((X509_NAME *) from, attr->nid, n) >= 0)
    {
        return CMP_DECLINED;
    }

    entry = X509_NAME_get_entry(from, n);
    len = cmp_attribute_utf8(X509_NAME_ENTRY_get_data(entry), &utf8);

    if (len < 0) {
        return CMP_DECLINED;
    }

    if (cmp_attribute_check(attr, utf8, (size_t) len) != NULL) {
        OPENSSL_free(utf8);
        return CMP_DECLINED;
    }

    for (i = 0; i < len; i++) {

        if (size - *used < 2 || strchr(forbidden, utf8[i]) != NULL) {
            OPENSSL_free(utf8);
            return CMP_DECLINED;
        }

        if (!cmp_is_alpha(utf8[i]) && !cmp_is_digit(utf8[i])
            && utf8[i] != '-' && utf8[i] != '.' && utf8[i] < 0x80)
        {
            dst[(*used)++] = '\\';
        }

        dst[(*used)++] = utf8[i];
    }

    OPENSSL_free(utf8);

    return CMP_OK;
}
