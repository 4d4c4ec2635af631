
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * genm: a profile as a certificate template, and the keys that it allows
 * (RFC 9810, 5.3.19.16; RFC 9483, 4.3.3).  What the client has to fill in has
 * an empty value.
 */


#include <cmp_exchange_support.h>
#include <cmp_key.h>
#include <cmp_name.h>

#include <openssl/objects.h>


static int cmp_template_subject(const cmp_profile_t *profile,
    X509_NAME **subject);
static int cmp_template_attribute(const cmp_subject_rule_t *rule,
    X509_NAME *subject);
static int cmp_template_extensions(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts);
static int cmp_template_alt_name(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts);
static int cmp_template_general_name(int type, GENERAL_NAME *name);
static int cmp_template_key_usage(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts);
static int cmp_template_ext_key_usage(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts);
static int cmp_template_basic_constraints(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts);
static int cmp_template_keys(cmp_exchange_t *ex, const cmp_profile_t *profile,
    cmp_controls_t *controls);
static int cmp_template_rsa(const cmp_key_rule_t *rule,
    cmp_controls_t *controls);
static int cmp_template_rsa_len(int bits, cmp_controls_t *controls);
static int cmp_template_algorithm(cmp_exchange_t *ex,
    const cmp_key_rule_t *rule, cmp_controls_t *controls);
static int cmp_template_control(cmp_controls_t *controls,
    const cmp_oid_t *oid, int type, void *value);


int
cmp_support_template(cmp_exchange_t *ex, const ASN1_TYPE *value,
    cmp_str_t *der, cmp_refusal_t *refusal)
{
    int                                rc;
    const cmp_profile_t               *profile;
    cmp_cert_req_template_content_t   *content;

    (void) value;

    rc = cmp_exchange_select_profile(ex, &profile, refusal);

    if (rc != CMP_OK) {
        return rc;
    }

    ex->info.profile = profile->name;

    content = cmp_asn1_new(cmp_cert_req_template_content_t);
    if (content == NULL) {
        return CMP_ERROR;
    }

    if (content->key_spec == NULL) {
        content->key_spec = sk_cmp_attribute_type_and_value_t_new_null();
    }

    rc = CMP_ERROR;

    if (content->key_spec != NULL
        && cmp_template_subject(profile, &content->cert_template->subject)
           == CMP_OK
        && cmp_template_extensions(profile,
                                   &content->cert_template->extensions)
           == CMP_OK
        && cmp_template_keys(ex, profile, content->key_spec) == CMP_OK)
    {
        rc = cmp_encode(ex->work,
                        ASN1_ITEM_rptr(cmp_cert_req_template_content_t),
                        content, der);
    }

    cmp_asn1_free(cmp_cert_req_template_content_t, content);

    return rc;
}


/* what is optional is left out, and so is a subject without attributes */

static int
cmp_template_subject(const cmp_profile_t *profile, X509_NAME **subject)
{
    int         rc;
    size_t      i;
    X509_NAME  *name;

    name = X509_NAME_new();
    if (name == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_OK;

    for (i = 0; rc == CMP_OK && i < profile->nsubject; i++) {

        if (profile->subject[i].required
            || profile->subject[i].value.len != 0)
        {
            rc = cmp_template_attribute(&profile->subject[i], name);
        }
    }

    X509_NAME_free(*subject);
    *subject = NULL;

    if (rc == CMP_OK && X509_NAME_entry_count(name) > 0) {
        *subject = name;
        return CMP_OK;
    }

    X509_NAME_free(name);

    return rc;
}


static int
cmp_template_attribute(const cmp_subject_rule_t *rule, X509_NAME *subject)
{
    int                     type;
    const cmp_attribute_t  *attr;

    static const unsigned char  empty[1];

    attr = cmp_attribute_get(rule->nid);

    if (attr == NULL || attr->syntax == CMP_NAME_DIRECTORY
        || rule->value.len == 0)
    {
        type = V_ASN1_UTF8STRING;

    } else if (attr->syntax == CMP_NAME_IA5) {
        type = V_ASN1_IA5STRING;

    } else {
        type = ASN1_PRINTABLE_type(rule->value.data, (int) rule->value.len);

        if (type != V_ASN1_PRINTABLESTRING) {
            type = V_ASN1_UTF8STRING;
        }
    }

    return X509_NAME_add_entry_by_NID(subject, rule->nid, type,
                                      (rule->value.len != 0)
                                      ? rule->value.data : empty,
                                      (int) rule->value.len, -1, 0)
           == 1 ? CMP_OK : CMP_ERROR;
}


static int
cmp_template_extensions(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts)
{
    if (cmp_template_alt_name(profile, exts) != CMP_OK
        || cmp_template_key_usage(profile, exts) != CMP_OK
        || cmp_template_ext_key_usage(profile, exts) != CMP_OK
        || cmp_template_basic_constraints(profile, exts) != CMP_OK)
    {
        return CMP_ERROR;
    }

    return CMP_OK;
}


/* a name that is required: one of the first kind that can be left empty */

static int
cmp_template_alt_name(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts)
{
    int             rc;
    size_t          i;
    GENERAL_NAME   *name;
    GENERAL_NAMES  *names;

    if (profile->san_required == 0) {
        return CMP_OK;
    }

    name = GENERAL_NAME_new();
    names = sk_GENERAL_NAME_new_null();

    if (name == NULL || names == NULL
        || sk_GENERAL_NAME_push(names, name) <= 0)
    {
        GENERAL_NAME_free(name);
        sk_GENERAL_NAME_free(names);
        return CMP_ERROR;
    }

    rc = CMP_DECLINED;

    for (i = 0; rc == CMP_DECLINED && i < profile->nsans; i++) {
        rc = cmp_template_general_name(profile->sans[i].type, name);
    }

    if (rc == CMP_OK
        && X509V3_add1_i2d(exts, NID_subject_alt_name, names, 0,
                           X509V3_ADD_APPEND)
           != 1)
    {
        rc = CMP_ERROR;
    }

    GENERAL_NAMES_free(names);

    return rc == CMP_ERROR ? CMP_ERROR : CMP_OK;
}


/* CMP_DECLINED: there is no empty name of this kind */

static int
cmp_template_general_name(int type, GENERAL_NAME *name)
{
    void  *value;

    static const unsigned char  address[4];

    switch (type) {

    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
        value = ASN1_IA5STRING_new();
        break;

    case GEN_DIRNAME:
        value = X509_NAME_new();
        break;

    case GEN_IPADD:
        value = ASN1_OCTET_STRING_new();

        if (value != NULL
            && ASN1_OCTET_STRING_set(value, address, sizeof(address)) != 1)
        {
            ASN1_OCTET_STRING_free(value);
            value = NULL;
        }

        break;

    default:
        return CMP_DECLINED;
    }

    if (value == NULL) {
        return CMP_ERROR;
    }

    GENERAL_NAME_set0_value(name, type, value);

    return CMP_OK;
}


/* only what each of the keys can serve: others are refused when asked for */

static int
cmp_template_key_usage(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts)
{
    int               i, rc;
    size_t            n;
    uint32_t          usage;
    ASN1_BIT_STRING  *bits;

    usage = profile->key_usage;

    for (n = 0; n < profile->nkeys; n++) {
        usage &= cmp_key_usages(profile->keys[n].nid);
    }

    if (!(usage & KU_KEY_AGREEMENT)) {
        usage &= ~(uint32_t) (KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY);
    }

    if (usage == 0) {
        return CMP_OK;
    }

    bits = ASN1_BIT_STRING_new();
    if (bits == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_OK;

    for (i = 0; i < 9; i++) {

        if ((usage & ((i < 8) ? 0x80U >> i : 0x8000U))
            && ASN1_BIT_STRING_set_bit(bits, i, 1) != 1)
        {
            rc = CMP_ERROR;
        }
    }

    if (rc == CMP_OK
        && X509V3_add1_i2d(exts, NID_key_usage, bits, 1, X509V3_ADD_APPEND)
           != 1)
    {
        rc = CMP_ERROR;
    }

    ASN1_BIT_STRING_free(bits);

    return rc;
}


static int
cmp_template_ext_key_usage(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts)
{
    int                  rc;
    size_t               i;
    EXTENDED_KEY_USAGE  *usages;

    if (profile->next_key_usage == 0) {
        return CMP_OK;
    }

    /* the objects stay with the profile */

    usages = sk_ASN1_OBJECT_new_null();
    if (usages == NULL) {
        return CMP_ERROR;
    }

    rc = CMP_OK;

    for (i = 0; i < profile->next_key_usage; i++) {

        if (sk_ASN1_OBJECT_push(usages, profile->ext_key_usage[i]) <= 0) {
            rc = CMP_ERROR;
        }
    }

    if (rc == CMP_OK
        && X509V3_add1_i2d(exts, NID_ext_key_usage, usages, 0,
                           X509V3_ADD_APPEND)
           != 1)
    {
        rc = CMP_ERROR;
    }

    sk_ASN1_OBJECT_free(usages);

    return rc;
}


static int
cmp_template_basic_constraints(const cmp_profile_t *profile,
    STACK_OF(X509_EXTENSION) **exts)
{
    int                 rc;
    BASIC_CONSTRAINTS  *value;

    if (profile->ca == 0) {
        return CMP_OK;
    }

    value = BASIC_CONSTRAINTS_new();
    if (value == NULL) {
        return CMP_ERROR;
    }

    value->ca = 0xff;

    rc = (profile->path_len < 0
          || cmp_set_integer(&value->pathlen, profile->path_len) == CMP_OK)
         && X509V3_add1_i2d(exts, NID_basic_constraints, value, 1,
                            X509V3_ADD_APPEND)
            == 1
         ? CMP_OK : CMP_ERROR;

    BASIC_CONSTRAINTS_free(value);

    return rc;
}


static int
cmp_template_keys(cmp_exchange_t *ex, const cmp_profile_t *profile,
    cmp_controls_t *controls)
{
    int                    rc;
    size_t                 i;
    const cmp_key_rule_t  *rule;

    for (i = 0; i < profile->nkeys; i++) {
        rule = &profile->keys[i];

        rc = (rule->nid == NID_rsaEncryption)
             ? cmp_template_rsa(rule, controls)
             : cmp_template_algorithm(ex, rule, controls);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    return CMP_OK;
}


/* a range as its ends and the usual lengths between them */

static int
cmp_template_rsa(const cmp_key_rule_t *rule, cmp_controls_t *controls)
{
    size_t  i;

    static const int  usual[] = { 2048, 3072, 4096, 6144, 8192 };

    if (cmp_template_rsa_len(rule->min, controls) != CMP_OK) {
        return CMP_ERROR;
    }

    for (i = 0; i < sizeof(usual) / sizeof(int); i++) {

        if (usual[i] > rule->min && usual[i] < rule->max
            && cmp_template_rsa_len(usual[i], controls) != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return rule->max > rule->min ? cmp_template_rsa_len(rule->max, controls)
                                 : CMP_OK;
}


static int
cmp_template_rsa_len(int bits, cmp_controls_t *controls)
{
    ASN1_INTEGER  *value;

    value = NULL;

    if (cmp_set_integer(&value, bits) != CMP_OK) {
        ASN1_INTEGER_free(value);
        return CMP_ERROR;
    }

    return cmp_template_control(controls, &cmp_oid_reg_ctrl_rsa_key_len,
                                V_ASN1_INTEGER, value);
}


static int
cmp_template_algorithm(cmp_exchange_t *ex, const cmp_key_rule_t *rule,
    cmp_controls_t *controls)
{
    int           rc;
    cmp_str_t     der;
    X509_ALGOR   *alg;
    ASN1_STRING  *value;

    alg = cmp_support_algorithm(rule);
    if (alg == NULL) {
        return CMP_ERROR;
    }

    rc = cmp_encode(ex->work, ASN1_ITEM_rptr(X509_ALGOR), alg, &der);

    X509_ALGOR_free(alg);

    if (rc != CMP_OK) {
        return CMP_ERROR;
    }

    value = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

    if (value == NULL
        || ASN1_STRING_set(value, der.data, (int) der.len) != 1)
    {
        ASN1_STRING_free(value);
        return CMP_ERROR;
    }

    return cmp_template_control(controls, &cmp_oid_reg_ctrl_alg_id,
                                V_ASN1_SEQUENCE, value);
}


/* takes over value */

static int
cmp_template_control(cmp_controls_t *controls, const cmp_oid_t *oid,
    int type, void *value)
{
    cmp_attribute_type_and_value_t  *control;

    control = cmp_asn1_new(cmp_attribute_type_and_value_t);

    if (control != NULL) {
        ASN1_OBJECT_free(control->type);
        control->type = cmp_oid_object(oid);

        if (control->value == NULL) {
            control->value = ASN1_TYPE_new();
        }
    }

    if (control == NULL || control->type == NULL || control->value == NULL) {
        cmp_asn1_free(cmp_attribute_type_and_value_t, control);
        ASN1_STRING_free(value);
        return CMP_ERROR;
    }

    ASN1_TYPE_set(control->value, type, value);

    if (sk_cmp_attribute_type_and_value_t_push(controls, control) <= 0) {
        cmp_asn1_free(cmp_attribute_type_and_value_t, control);
        return CMP_ERROR;
    }

    return CMP_OK;
}
