
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Patterns that limit names, their placeholders, and what a name may contain.
 */


#include <test_util.h>
#include <pki.h>

#include <cmp_name.h>

#include <string.h>

#include <openssl/err.h>


typedef struct {
    const char      *pattern;
    const char      *name;
    int              match;
} test_match_t;


typedef struct {
    const char      *pattern;
    const char      *subject;
    const char      *out;           /* NULL: declined */
} test_expand_t;


typedef struct {
    int              type;
    const char      *value;
    int              ok;
} test_name_t;


typedef struct {
    const char      *type;
    int              string;
    const char      *value;
    int              len;
    const char      *why;           /* NULL: acceptable */
} test_value_t;


static GENERAL_NAME *test_general_name(int type, const char *value);
static GENERAL_NAME *test_other_name(const char *oid, int type,
    const char *value);


static const test_match_t  test_subjects[] = {
    { "*", "/CN=any/O=thing", 1 },
    { "*", "", 1 },
    { "CN=dev-*,O=Example", "/CN=dev-1/O=Example", 1 },
    { "CN=dev-*,O=Example", "/O=Example/CN=dev-1", 1 },
    { "CN=dev-*, O=Example", "/CN=dev-/O=Example", 1 },
    { " CN=dev-* ,O=Example ", "/CN=dev-1/O=Example", 1 },
    { "CN=dev-*,O=Example", "/CN=dev-1/O=example", 0 },
    { "CN=dev-*,O=Example", "/CN=dev-1", 0 },
    { "CN=dev-*,O=Example", "/CN=dev-1/O=Example/OU=x", 0 },
    { "CN=dev-*,O=Example", "/CN=dev-1/OU=Example", 0 },
    { "CN=dev-*", "/CN=xdev-1", 0 },
    { "CN=dev-*", "/CN=dev-1/CN=admin", 0 },
    { "CN=dev-*", "", 0 },
    { "CN=*,CN=*", "/CN=a/O=b", 0 },
    { "CN=*a*b*c", "/CN=xxaxxbbc", 1 },
    { "CN=*a*b*c", "/CN=xxaxxbbcd", 0 },
    { "CN=*", "/CN=x", 1 },
    { "CN=a\\*", "/CN=a*", 1 },
    { "CN=a\\*", "/CN=ab", 0 },
    { "CN=a\\,O\\=b", "/CN=a,O=b", 1 },
    { "CN=a=b", "/CN=a=b", 1 },
    { "commonName=x,2.5.4.10=y", "/CN=x/O=y", 1 },
    { "OU=a,OU=b,CN=*", "/OU=a/OU=b/CN=x", 1 },
    { "OU=a,OU=b,CN=*", "/OU=b/OU=a/CN=x", 0 },
    { "DC=org,DC=example,CN=*", "/DC=org/DC=example/CN=x", 1 },
    { "CN=$CN", "/CN=$CN", 0 },
    { "CN=*$CN", "/CN=x", 0 },
    { "CN=", "/CN=x", 0 },
    { "", "/CN=x", 0 },
    { "", "", 0 },
    { "bogus=x", "/CN=x", 0 }
};


static const test_match_t  test_sans[] = {
    { "dns", "D:a.example", 1 },
    { "dns", "D:*.example", 0 },
    { "dns:*.example", "D:a.example", 1 },
    { "dns:*.example", "D:A.EXAMPLE", 1 },
    { "dns:*.example", "D:a.b.example", 0 },
    { "dns:*.example", "D:example", 0 },
    { "dns:*.example", "D:a.example.com", 0 },
    { "dns:*.example", "D:*.example", 0 },
    { "dns:\\*.example", "D:*.example", 1 },
    { "dns:\\*.example", "D:a.example", 0 },
    { "dns:*", "D:host", 1 },
    { "dns:*", "D:a.b", 0 },
    { "dns:a*b.*.example", "D:axxb.y.example", 1 },
    { "dns:a*b.*.example", "D:ax.b.y.example", 0 },
    { "dns:a.example", "E:a@a.example", 0 },
    { "ip", "I:192.0.2.1", 1 },
    { "ip:192.0.2.1", "I:192.0.2.1", 1 },
    { "ip:192.0.2.1", "I:192.0.2.2", 0 },
    { "ip:192.0.2.0/24", "I:192.0.2.255", 1 },
    { "ip:192.0.2.0/24", "I:192.0.3.1", 0 },
    { "ip:192.0.2.0/25", "I:192.0.2.127", 1 },
    { "ip:192.0.2.0/25", "I:192.0.2.128", 0 },
    { "ip:0.0.0.0/0", "I:192.0.2.128", 1 },
    { "ip:0.0.0.0/0", "I:2001:db8::1", 0 },
    { "ip:2001:db8::/32", "I:2001:db8:1::1", 1 },
    { "ip:2001:db8::/33", "I:2001:db8:8000::1", 0 },
    { "email", "E:a@b.example", 1 },
    { "email:*@example.org", "E:a@example.org", 1 },
    { "email:*@example.org", "E:a@EXAMPLE.org", 1 },
    { "email:A@example.org", "E:a@example.org", 0 },
    { "email:*@example.org", "E:a@b.example.org", 0 },
    { "email:*@*example.org", "E:a@b.example.org", 1 },
    { "uri", "U:urn:x:y", 1 },
    { "uri:urn:dev:*", "U:urn:dev:mac:001122", 1 },
    { "uri:urn:dev:*", "U:urn:other:1", 0 },
    { "uri:https://*.example.org/*", "U:https://a.example.org/b/c?d", 1 },
    { "uri:https://*.example.org/*", "U:https://evil/.example.org/b", 0 },
    { "uri:https://*.example.org/*", "U:https://x@e.example.org/", 0 },
    { "uri:https://*.example.org/*", "U:https://e:1.example.org/", 0 },
    { "uri:https://a/*/b", "U:https://a/x/b", 1 },
    { "uri:https://a/*/b", "U:https://a/x/y/b", 0 },
    { "rid", "R:1.2.3", 1 },
    { "rid:1.3.6.1.4.1.99999.*", "R:1.3.6.1.4.1.99999.1.2", 1 },
    { "rid:1.3.6.1.4.1.99999.*", "R:1.3.6.1.4.1.999990", 0 },
    { "dirname", "N:/CN=x", 1 },
    { "dirname:CN=a*,O=b", "N:/O=b/CN=ax", 1 },
    { "dirname:CN=a*,O=b", "N:/O=b/CN=x", 0 },
    { "dirname:*", "N:/O=b/CN=x", 1 },
    { "othername:1.3.6.1.5.5.7.8.4", "O:1.3.6.1.5.5.7.8.4:x", 1 },
    { "othername:1.3.6.1.5.5.7.8.4", "O:1.3.6.1.5.5.7.8.5:x", 0 },
    { "othername:1.3.6.1.5.5.7.8.4:x*", "O:1.3.6.1.5.5.7.8.4:xy", 1 },
    { "othername:1.3.6.1.5.5.7.8.4:x*", "O:1.3.6.1.5.5.7.8.4:y", 0 },
    { "upn", "O:1.3.6.1.4.1.311.20.2.3:a@b", 1 },
    { "upn:*@b", "O:1.3.6.1.4.1.311.20.2.3:a@b", 1 },
    { "upn:*@b", "O:1.3.6.1.4.1.311.20.2.3:a@c@b", 0 },
    { "upn:*@b", "O:1.3.6.1.5.5.7.8.4:a@b", 0 },
    { "dns:$CN", "D:x", 0 },
    { "dns:*$CN", "D:x", 0 },
    { "bogus", "D:x", 0 },
    { "", "D:x", 0 }
};


static const test_match_t  test_checks[] = {
    { "S", "*", 1 },
    { "S", "CN=*", 1 },
    { "S", "CN=$CN,serialNumber=${serialNumber}-*", 1 },
    { "S", "CN=\\$x", 1 },
    { "S", "", 0 },
    { "S", "CN", 0 },
    { "S", "CN=", 0 },
    { "S", "CN= ", 0 },
    { "S", "CN=a,", 0 },
    { "S", "CN=a+O=b", 0 },
    { "S", "CN=a\\+O=b", 1 },
    { "S", "CN=a\\", 0 },
    { "S", "CN=a\nb", 0 },
    { "S", "XY=a", 0 },
    { "S", "CN=$", 0 },
    { "S", "CN=$XY", 0 },
    { "S", "CN=${CN", 0 },
    { "S", "CN=${CN}x", 1 },
    { "S", "same", 0 },
    { "A", "dns", 1 },
    { "A", "dns:", 0 },
    { "A", "dns:$CN.example", 1 },
    { "A", "DNS:x", 0 },
    { "A", "ip:10.0.0.0/8", 1 },
    { "A", "ip:10.0.0.0/33", 0 },
    { "A", "ip:10.0.0.0/", 0 },
    { "A", "ip:10.0.0.0/-1", 0 },
    { "A", "ip:10.0.0.0/8x", 0 },
    { "A", "ip:10.0.0", 0 },
    { "A", "ip:*", 0 },
    { "A", "ip:2001:db8::/129", 0 },
    { "A", "email:*", 0 },
    { "A", "email:$CN", 1 },
    { "A", "dirname:XY=1", 0 },
    { "A", "othername", 0 },
    { "A", "othername:x", 0 },
    { "A", "othername:1.2:", 0 },
    { "A", "othername:1.2:a", 1 },
    { "A", "upn:", 0 }
};


static const test_expand_t  test_expands[] = {
    { "CN=dev-*", "", "CN=dev-*" },
    { "CN=$CN", "/CN=dev-1", "CN=dev-1" },
    { "CN=$CN-*,O=$O", "/CN=a/O=b", "CN=a-*,O=b" },
    { "CN=${CN}x", "/CN=a", "CN=ax" },
    { "CN=$commonName", "/CN=a", "CN=a" },
    { "CN=\\$CN", "/CN=a", "CN=\\$CN" },
    { "CN=$CN", "/CN=a*", "CN=a\\*" },
    { "CN=$CN", "/CN=a,O=b", "CN=a\\,O\\=b" },
    { "CN=$CN", "/CN=a+b\\$c d", "CN=a\\+b\\\\\\$c\\ d" },
    { "CN=$CN", "/CN=\xc3\xa4", "CN=\xc3\xa4" },
    { "CN=$serialNumber", "/CN=a", NULL },
    { "OU=$OU", "/OU=a/OU=b", NULL },
    { "CN=$XY", "/CN=a", NULL },
    { "CN=$", "/CN=a", NULL },
    { "dns:$CN.example", "/CN=a", "dns:a.example" },
    { "dns:$CN.example", "/CN=*", NULL },
    { "email:$CN@example", "/CN=a@b", NULL },
    { "uri:https://$CN.example/", "/CN=evil?", NULL },
    { "uri:urn:dev:$CN", "/CN=a*", "uri:urn:dev:a\\*" }
};


static const test_name_t  test_names[] = {
    { GEN_DNS, "a.example", 1 },
    { GEN_DNS, "*.example", 1 },
    { GEN_DNS, "xn--abc.example", 1 },
    { GEN_DNS, "1.example", 1 },
    { GEN_DNS, "host", 1 },
    { GEN_DNS, "", 0 },
    { GEN_DNS, ".", 0 },
    { GEN_DNS, "*", 0 },
    { GEN_DNS, "*.", 0 },
    { GEN_DNS, "a.*.example", 0 },
    { GEN_DNS, "a*.example", 0 },
    { GEN_DNS, "*.*.example", 0 },
    { GEN_DNS, "a..example", 0 },
    { GEN_DNS, ".example", 0 },
    { GEN_DNS, "example.", 0 },
    { GEN_DNS, "-a.example", 0 },
    { GEN_DNS, "a-.example", 0 },
    { GEN_DNS, "a_b.example", 0 },
    { GEN_DNS, "a b.example", 0 },
    { GEN_DNS, "a.example ", 0 },
    { GEN_DNS, "192.0.2.1", 0 },
    { GEN_DNS, "\xc3\xa4.example", 0 },
    { GEN_DNS, "a123456789012345678901234567890123456789012345678901234567890"
      "123.example", 0 },
    { GEN_EMAIL, "a@example.org", 1 },
    { GEN_EMAIL, "a.b+c@example.org", 1 },
    { GEN_EMAIL, "a", 0 },
    { GEN_EMAIL, "@example.org", 0 },
    { GEN_EMAIL, "a@", 0 },
    { GEN_EMAIL, "a@b@c", 0 },
    { GEN_EMAIL, ".a@example.org", 0 },
    { GEN_EMAIL, "a..b@example.org", 0 },
    { GEN_EMAIL, "A <a@example.org>", 0 },
    { GEN_EMAIL, "a@*.org", 0 },
    { GEN_URI, "https://example.org/a?b#c", 1 },
    { GEN_URI, "urn:uuid:1", 1 },
    { GEN_URI, "file:///a", 1 },
    { GEN_URI, "", 0 },
    { GEN_URI, "x", 0 },
    { GEN_URI, "/a/b", 0 },
    { GEN_URI, "https:", 0 },
    { GEN_URI, "https://", 0 },
    { GEN_URI, "https:///a", 0 },
    { GEN_URI, "1a:b", 0 },
    { GEN_URI, "a:b c", 0 },
    { GEN_URI, "a:<b>", 0 }
};


static const test_value_t  test_values[] = {
    { "CN", V_ASN1_UTF8STRING, "a", 1, NULL },
    { "CN", V_ASN1_UTF8STRING, "\xc3\xa4", 2, NULL },
    { "CN", V_ASN1_PRINTABLESTRING, "a b-c", 5, NULL },
    { "CN", V_ASN1_T61STRING, "\xe4", 1, NULL },
    { "CN", V_ASN1_BMPSTRING, "\0a", 2, NULL },
    { "CN", V_ASN1_UTF8STRING, "", 0, "CN is empty" },
    { "CN", V_ASN1_UTF8STRING, "a ", 2, "CN begins or ends with a space" },
    { "CN", V_ASN1_UTF8STRING, "\xc0\x80", 2,
      "CN is not valid in its string type" },
    { "CN", V_ASN1_UTF8STRING, "\xed\xa0\x80", 3,
      "CN is not valid in its string type" },
    { "CN", V_ASN1_UTF8STRING, "\xc3", 1,
      "CN is not valid in its string type" },
    { "CN", V_ASN1_BMPSTRING, "\0\n", 2,
      "CN contains a character that cannot be printed" },
    { "CN", V_ASN1_PRINTABLESTRING, "a*b", 3,
      "CN is not valid in its string type" },
    { "CN", V_ASN1_IA5STRING, "ab", 2,
      "CN is not valid in its string type" },
    { "CN", V_ASN1_BIT_STRING, "ab", 2,
      "CN is not valid in its string type" },
    { "CN", V_ASN1_UTF8STRING, "a\0b", 3,
      "CN contains a character that cannot be printed" },
    { "CN", V_ASN1_UTF8STRING, "a\nb", 3,
      "CN contains a character that cannot be printed" },
    { "CN", V_ASN1_T61STRING, "a\x85g", 3,
      "CN contains a character that cannot be printed" },
    { "CN", V_ASN1_UTF8STRING, "a\xe2\x80\xaeg", 5,
      "CN contains a character that cannot be printed" },
    { "CN", V_ASN1_UTF8STRING, "1234567890123456789012345678901234567890"
      "123456789012345678901234", 64, NULL },
    { "CN", V_ASN1_UTF8STRING, "1234567890123456789012345678901234567890"
      "1234567890123456789012345", 65, "CN is too long" },
    { "C", V_ASN1_PRINTABLESTRING, "DE", 2, NULL },
    { "C", V_ASN1_PRINTABLESTRING, "D", 1,
      "C is not a country code of two letters" },
    { "C", V_ASN1_PRINTABLESTRING, "D1", 2,
      "C is not a country code of two letters" },
    { "DC", V_ASN1_IA5STRING, "example", 7, NULL },
    { "DC", V_ASN1_IA5STRING, "\xe4", 1,
      "DC is not valid in its string type" },
    { "serialNumber", V_ASN1_UTF8STRING, "\xc3\xa4", 2,
      "serialNumber contains a character other than ASCII" }
};


static void
test_pattern_subjects(void **state)
{
    int         match;
    size_t      i;
    cmp_str_t   pattern;
    X509_NAME  *name;

    (void) state;

    for (i = 0; i < sizeof(test_subjects) / sizeof(test_subjects[0]); i++) {
        pattern = test_str(test_subjects[i].pattern);
        name = pki_name(test_subjects[i].name);

        match = cmp_subject_pattern_match(&pattern, name);
        if (match != test_subjects[i].match) {
            fail_msg("\"%s\" and \"%s\"", test_subjects[i].pattern,
                     test_subjects[i].name);
        }

        assert_int_equal(ERR_peek_error(), 0);
        X509_NAME_free(name);
    }

    pattern = test_str("CN=*");
    assert_int_equal(cmp_subject_pattern_match(&pattern, NULL), 0);
    pattern = test_str("*");
    assert_int_equal(cmp_subject_pattern_match(&pattern, NULL), 1);
}


static GENERAL_NAME *
test_other_name(const char *oid, int type, const char *value)
{
    ASN1_TYPE     *any;
    ASN1_STRING   *string;
    GENERAL_NAME  *name;

    any = ASN1_TYPE_new();
    string = ASN1_STRING_type_new(type);
    assert_int_equal(ASN1_STRING_set(string, value, -1), 1);
    ASN1_TYPE_set(any, type, string);

    name = GENERAL_NAME_new();
    assert_int_equal(GENERAL_NAME_set0_othername(name, OBJ_txt2obj(oid, 1),
                                                 any), 1);

    return name;
}


static GENERAL_NAME *
test_general_name(int type, const char *value)
{
    GENERAL_NAME    *name;
    ASN1_IA5STRING  *string;

    string = ASN1_IA5STRING_new();
    assert_int_equal(ASN1_STRING_set(string, value, -1), 1);

    name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, type, string);

    return name;
}


static GENERAL_NAME *
test_parse_name(const char *text)
{
    char          *colon, oid[64];
    GENERAL_NAME  *name;

    switch (text[0]) {

    case 'D':
        return test_general_name(GEN_DNS, text + 2);

    case 'E':
        return test_general_name(GEN_EMAIL, text + 2);

    case 'U':
        return test_general_name(GEN_URI, text + 2);

    case 'I':
        name = GENERAL_NAME_new();
        GENERAL_NAME_set0_value(name, GEN_IPADD, a2i_IPADDRESS(text + 2));
        return name;

    case 'R':
        name = GENERAL_NAME_new();
        GENERAL_NAME_set0_value(name, GEN_RID, OBJ_txt2obj(text + 2, 1));
        return name;

    case 'N':
        name = GENERAL_NAME_new();
        GENERAL_NAME_set0_value(name, GEN_DIRNAME, pki_name(text + 2));
        return name;

    default:
        strcpy(oid, text + 2);
        colon = strchr(oid, ':');
        *colon = '\0';
        return test_other_name(oid, V_ASN1_UTF8STRING, colon + 1);
    }
}


static void
test_pattern_sans(void **state)
{
    char            why[160];
    size_t          i;
    cmp_str_t       pattern;
    GENERAL_NAME   *name;
    GENERAL_NAMES  *names;

    (void) state;

    for (i = 0; i < sizeof(test_sans) / sizeof(test_sans[0]); i++) {
        pattern = test_str(test_sans[i].pattern);
        name = test_parse_name(test_sans[i].name);
        names = GENERAL_NAMES_new();
        sk_GENERAL_NAME_push(names, name);

        if (cmp_san_patterns_match(&pattern, 1, names) != test_sans[i].match) {
            fail_msg("\"%s\" and \"%s\"", test_sans[i].pattern,
                     test_sans[i].name);
        }

        if (test_sans[i].match) {
            assert_int_equal(cmp_general_name_check(name, why, sizeof(why)),
                             CMP_OK);
        }

        assert_int_equal(cmp_san_patterns_match(NULL, 0, names), 0);
        assert_int_equal(ERR_peek_error(), 0);
        GENERAL_NAMES_free(names);
    }

    assert_int_equal(cmp_san_patterns_match(NULL, 0, NULL), 1);
    assert_int_equal(cmp_san_patterns_match(&pattern, 1, NULL), 1);
}


/* each name needs a pattern */

static void
test_pattern_sans_all(void **state)
{
    cmp_str_t       patterns[2];
    GENERAL_NAMES  *names;

    (void) state;

    patterns[0] = test_str("dns:*.example");
    patterns[1] = test_str("ip");

    names = GENERAL_NAMES_new();
    sk_GENERAL_NAME_push(names, test_parse_name("I:192.0.2.1"));
    sk_GENERAL_NAME_push(names, test_parse_name("D:a.example"));
    assert_int_equal(cmp_san_patterns_match(patterns, 2, names), 1);
    assert_int_equal(cmp_san_patterns_match(patterns, 1, names), 0);

    sk_GENERAL_NAME_push(names, test_parse_name("E:a@b"));
    assert_int_equal(cmp_san_patterns_match(patterns, 2, names), 0);

    GENERAL_NAMES_free(names);
}


static void
test_pattern_checks(void **state)
{
    int        rc;
    char       err[300];
    size_t     i;
    cmp_str_t  pattern;

    (void) state;

    for (i = 0; i < sizeof(test_checks) / sizeof(test_checks[0]); i++) {
        pattern = test_str(test_checks[i].name);
        err[0] = '\0';

        if (test_checks[i].pattern[0] == 'S') {
            rc = cmp_subject_pattern_check(&pattern, err, sizeof(err));

        } else {
            rc = cmp_san_pattern_check(&pattern, err, sizeof(err));
        }

        if (rc != (test_checks[i].match ? CMP_OK : CMP_ERROR)) {
            fail_msg("\"%s\": %d %s", test_checks[i].name, rc, err);
        }

        assert_int_equal(err[0] == '\0', test_checks[i].match);
        assert_int_equal(ERR_peek_error(), 0);
    }
}


static void
test_pattern_expand(void **state)
{
    int          rc;
    char         err[300];
    size_t       i;
    cmp_str_t    pattern, out;
    X509_NAME   *name;
    cmp_pool_t  *pool;

    (void) state;

    pool = cmp_pool_create();

    for (i = 0; i < sizeof(test_expands) / sizeof(test_expands[0]); i++) {
        pattern = test_str(test_expands[i].pattern);
        name = pki_name(test_expands[i].subject);

        rc = cmp_pattern_expand(&pattern, name, pool, &out);
        assert_int_equal(ERR_peek_error(), 0);

        if (test_expands[i].out == NULL) {
            assert_int_equal(rc, CMP_DECLINED);

        } else {
            assert_int_equal(rc, CMP_OK);
            assert_string_equal((const char *) out.data, test_expands[i].out);
            assert_int_equal(out.len, strlen(test_expands[i].out));
        }

        /* a name always fits the pattern made of it, and no other does */

        if (rc == CMP_OK && strcmp(test_expands[i].pattern, "CN=$CN") == 0) {
            assert_int_equal(cmp_subject_pattern_check(&out, err,
                                                       sizeof(err)), CMP_OK);
            assert_int_equal(cmp_subject_pattern_match(&out, name), 1);
            X509_NAME_free(name);
            name = pki_name("/CN=abcdefgh");
            assert_int_equal(cmp_subject_pattern_match(&out, name), 0);
        }

        X509_NAME_free(name);
    }

    pattern = test_str("CN=$CN");
    assert_int_equal(cmp_pattern_expand(&pattern, NULL, pool, &out),
                     CMP_DECLINED);
    pattern = test_str("CN=x");
    assert_int_equal(cmp_pattern_expand(&pattern, NULL, pool, &out), CMP_OK);

    cmp_pool_destroy(pool);
}


/* values that no text can be written for */

static void
test_pattern_expand_values(void **state)
{
    size_t       i;
    cmp_str_t    pattern, out;
    X509_NAME   *name;
    cmp_pool_t  *pool;

    static const char  *values[] = { "", " ", "a\nb", "\x7f", "a " };

    (void) state;

    pool = cmp_pool_create();
    pattern = test_str("CN=$CN*");

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        name = X509_NAME_new();
        assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_commonName,
                             V_ASN1_UTF8STRING, (unsigned char *) values[i],
                             (int) strlen(values[i]), -1, 0), 1);
        assert_int_equal(cmp_pattern_expand(&pattern, name, pool, &out),
                         CMP_DECLINED);
        X509_NAME_free(name);
    }

    cmp_pool_destroy(pool);
}


static void
test_pattern_general_names(void **state)
{
    char           why[160];
    size_t         i;
    GENERAL_NAME  *name;

    (void) state;

    for (i = 0; i < sizeof(test_names) / sizeof(test_names[0]); i++) {
        name = test_general_name(test_names[i].type, test_names[i].value);

        if (cmp_general_name_check(name, why, sizeof(why))
            != (test_names[i].ok ? CMP_OK : CMP_DECLINED))
        {
            fail_msg("\"%s\"", test_names[i].value);
        }

        GENERAL_NAME_free(name);
    }

    name = test_general_name(GEN_DNS, "x");
    ASN1_STRING_set(name->d.ia5, "a.example\0.b", 12);
    assert_int_equal(cmp_general_name_check(name, why, sizeof(why)),
                     CMP_DECLINED);
    assert_string_equal(why, "dNSName is not a host name");
    GENERAL_NAME_free(name);

    name = test_parse_name("I:192.0.2.1");
    ASN1_STRING_set(name->d.iPAddress, "12345678", 8);
    assert_int_equal(cmp_general_name_check(name, why, sizeof(why)),
                     CMP_DECLINED);
    GENERAL_NAME_free(name);

    name = test_parse_name("N:");
    assert_int_equal(cmp_general_name_check(name, why, sizeof(why)),
                     CMP_DECLINED);
    assert_string_equal(why, "directoryName is empty");
    GENERAL_NAME_free(name);

    name = test_other_name("1.3.6.1.4.1.311.20.2.3", V_ASN1_UTF8STRING,
                           "a\nb");
    assert_int_equal(cmp_general_name_check(name, why, sizeof(why)),
                     CMP_DECLINED);
    GENERAL_NAME_free(name);

    name = test_other_name("1.3.6.1.4.1.311.20.2.3", V_ASN1_OCTET_STRING,
                           "ab");
    assert_int_equal(cmp_general_name_check(name, why, sizeof(why)),
                     CMP_DECLINED);
    assert_string_equal(why, "otherName is no string");
    GENERAL_NAME_free(name);
}


static void
test_pattern_values(void **state)
{
    int                  rc;
    char                 why[160];
    size_t               i;
    X509_NAME           *name;
    const test_value_t  *v;

    (void) state;

    for (i = 0; i < sizeof(test_values) / sizeof(test_values[0]); i++) {
        v = &test_values[i];

        name = X509_NAME_new();
        assert_int_equal(X509_NAME_add_entry_by_txt(name, v->type, v->string,
                             (const unsigned char *) v->value, v->len, -1, 0),
                         1);

        rc = cmp_name_check(name, why, sizeof(why));

        if (v->why == NULL) {
            assert_int_equal(rc, CMP_OK);

        } else {
            assert_int_equal(rc, CMP_DECLINED);
            assert_string_equal(why, v->why);
        }

        assert_int_equal(ERR_peek_error(), 0);
        X509_NAME_free(name);
    }
}


static void
test_pattern_rdns(void **state)
{
    int         i;
    char        why[160];
    X509_NAME  *name;

    (void) state;

    name = pki_name("/DC=a/DC=a/OU=x/OU=y/CN=z");
    assert_int_equal(cmp_name_check(name, why, sizeof(why)), CMP_OK);
    X509_NAME_free(name);

    name = pki_name("/OU=x/OU=x");
    assert_int_equal(cmp_name_check(name, why, sizeof(why)), CMP_DECLINED);
    assert_string_equal(why, "OU is given twice");
    X509_NAME_free(name);

    name = pki_name("/CN=x/CN=y");
    assert_int_equal(cmp_name_check(name, why, sizeof(why)), CMP_DECLINED);
    assert_string_equal(why, "CN is given twice");
    X509_NAME_free(name);

    name = pki_name("/CN=x");
    X509_NAME_add_entry_by_txt(name, "O", V_ASN1_UTF8STRING,
                               (const unsigned char *) "y", 1, -1, -1);
    assert_int_equal(cmp_name_check(name, why, sizeof(why)), CMP_DECLINED);
    assert_string_equal(why, "O is in an RDN with several values");
    X509_NAME_free(name);

    name = pki_name("");
    assert_int_equal(cmp_name_check(name, why, sizeof(why)), CMP_OK);

    for (i = 0; i < 65; i++) {
        X509_NAME_add_entry_by_txt(name, "DC", V_ASN1_IA5STRING,
                                   (const unsigned char *) "y", 1, -1, 0);
    }

    assert_int_equal(cmp_name_check(name, why, sizeof(why)), CMP_DECLINED);
    X509_NAME_free(name);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pattern_subjects),
        cmocka_unit_test(test_pattern_sans),
        cmocka_unit_test(test_pattern_sans_all),
        cmocka_unit_test(test_pattern_checks),
        cmocka_unit_test(test_pattern_expand),
        cmocka_unit_test(test_pattern_expand_values),
        cmocka_unit_test(test_pattern_general_names),
        cmocka_unit_test(test_pattern_values),
        cmocka_unit_test(test_pattern_rdns)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
