
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_profile.h>
#include <cmp_key.h>
#include <cmp_name.h>
#include <cmp_oid.h>

#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>


#define CMP_PROFILE_BACKDATE       60      /* s */
#define CMP_PROFILE_MAX_LIST       64
#define CMP_PROFILE_MAX_WORD       128


static void *cmp_profile_push(cmp_pool_t *pool, void *list, size_t *n,
    size_t size);
static int cmp_profile_subject_rule(cmp_profile_t *profile, cmp_pool_t *pool,
    const unsigned char *name, size_t len, int required,
    const cmp_str_t *value, char *err, size_t size);
static ASN1_OBJECT *cmp_profile_object(cmp_pool_t *pool, const char *text);
static int cmp_profile_object_add(ASN1_OBJECT ***list, size_t *n,
    cmp_pool_t *pool, const cmp_str_t *word, ASN1_OBJECT *object, char *err,
    size_t size);
static void cmp_profile_object_free(void *data);
static int cmp_profile_word(const cmp_str_t *word, char *buf, size_t len,
    char *err, size_t size);


/* what may be written by name; all others by number */

static const int  cmp_ext_key_usage_nids[] = {
    NID_server_auth,
    NID_client_auth,
    NID_code_sign,
    NID_email_protect,
    NID_time_stamp,
    NID_OCSP_sign,
    NID_ipsecEndSystem,
    NID_ipsecTunnel,
    NID_ipsecUser,
    NID_ipsec_IKE,
    NID_ms_smartcard_login,
    NID_ms_efs,
    NID_sshClient,
    NID_sshServer,
    NID_anyExtendedKeyUsage,
    NID_undef
};


/* made by rules of their own, never copied */

static const int  cmp_own_extensions[] = {
    NID_subject_alt_name,
    NID_key_usage,
    NID_ext_key_usage,
    NID_basic_constraints,
    NID_subject_key_identifier,
    NID_authority_key_identifier,
    NID_undef
};


void
cmp_profile_init(cmp_profile_t *profile)
{
    memset(profile, 0, sizeof(cmp_profile_t));

    profile->backdate = CMP_PROFILE_BACKDATE;
    profile->path_len = -1;
    profile->implicit_confirm = 1;
}


/*
 * Room for one more element: the list is copied, since an arena frees nothing
 * and a configuration is short.
 */

static void *
cmp_profile_push(cmp_pool_t *pool, void *list, size_t *n, size_t size)
{
    void  *p;

    p = cmp_pcalloc(pool, (*n + 1) * size);

    if (p != NULL && *n != 0) {
        memcpy(p, list, *n * size);
    }

    return p;
}


static int
cmp_profile_word(const cmp_str_t *word, char *buf, size_t len, char *err,
    size_t size)
{
    if (word->len == 0 || word->len >= len
        || memchr(word->data, '\0', word->len) != NULL)
    {
        snprintf(err, size, "invalid value \"%.*s\"", (int) word->len,
                 (const char *) word->data);
        return CMP_ERROR;
    }

    memcpy(buf, word->data, word->len);
    buf[word->len] = '\0';

    return CMP_OK;
}


int
cmp_profile_add_key(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size)
{
    cmp_key_rule_t  rule, *keys;

    if (cmp_key_rule_parse(word, &rule, err, size) != CMP_OK) {
        return CMP_ERROR;
    }

    if (profile->nkeys == CMP_PROFILE_MAX_LIST) {
        snprintf(err, size, "too many keys");
        return CMP_ERROR;
    }

    keys = cmp_profile_push(pool, profile->keys, &profile->nkeys,
                            sizeof(cmp_key_rule_t));
    if (keys == NULL) {
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    keys[profile->nkeys++] = rule;
    profile->keys = keys;

    return CMP_OK;
}


static void
cmp_profile_object_free(void *data)
{
    ASN1_OBJECT_free(data);
}


/* a name or dotted numbers; NULL when it is neither, or without memory */

static ASN1_OBJECT *
cmp_profile_object(cmp_pool_t *pool, const char *text)
{
    int           dotted;
    char          buf[CMP_PROFILE_MAX_WORD];
    ASN1_OBJECT  *object;

    dotted = (text[0] >= '0' && text[0] <= '9');
    object = OBJ_txt2obj(text, dotted);

    if (object == NULL) {
        cmp_crypto_error(NULL, 0);
        return NULL;
    }

    if (cmp_pool_cleanup_add(pool, cmp_profile_object_free, object)
        != CMP_OK)
    {
        return NULL;
    }

    /* libcrypto reads "1..2" and "1.2." too, as something else */

    if (dotted
        && (OBJ_obj2txt(buf, sizeof(buf), object, 1) <= 0
            || strcmp(buf, text) != 0))
    {
        cmp_crypto_error(NULL, 0);
        return NULL;
    }

    return object;
}


static int
cmp_profile_object_add(ASN1_OBJECT ***list, size_t *n, cmp_pool_t *pool,
    const cmp_str_t *word, ASN1_OBJECT *object, char *err, size_t size)
{
    size_t         i;
    ASN1_OBJECT  **objects;

    for (i = 0; i < *n; i++) {
        if (OBJ_cmp((*list)[i], object) == 0) {
            snprintf(err, size, "\"%.*s\" is given twice", (int) word->len,
                     (const char *) word->data);
            return CMP_ERROR;
        }
    }

    if (*n == CMP_PROFILE_MAX_LIST) {
        snprintf(err, size, "more than %d values", CMP_PROFILE_MAX_LIST);
        return CMP_ERROR;
    }

    objects = cmp_profile_push(pool, *list, n, sizeof(ASN1_OBJECT *));
    if (objects == NULL) {
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    objects[(*n)++] = object;
    *list = objects;

    return CMP_OK;
}


int
cmp_profile_add_ext_key_usage(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size)
{
    char          buf[CMP_PROFILE_MAX_WORD];
    size_t        i;
    const char   *text;
    ASN1_OBJECT  *object;

    if (cmp_profile_word(word, buf, sizeof(buf), err, size) != CMP_OK) {
        return CMP_ERROR;
    }

    text = NULL;

    if (buf[0] >= '0' && buf[0] <= '9') {
        text = buf;

    } else if (strcmp(buf, "cmcCA") == 0) {
        text = cmp_oid_kp_cmc_ca.text;

    } else if (strcmp(buf, "cmcRA") == 0) {
        text = cmp_oid_kp_cmc_ra.text;

    } else if (strcmp(buf, "cmKGA") == 0) {
        text = cmp_oid_kp_cm_kga.text;

    } else {

        for (i = 0; cmp_ext_key_usage_nids[i] != NID_undef; i++) {
            if (strcmp(buf, OBJ_nid2sn(cmp_ext_key_usage_nids[i])) == 0) {
                text = buf;
                break;
            }
        }
    }

    object = (text != NULL) ? cmp_profile_object(pool, text) : NULL;

    if (object == NULL) {
        snprintf(err, size, "unknown extended key usage \"%s\", others than "
                 "well known ones are written in dotted numbers", buf);
        return CMP_ERROR;
    }

    return cmp_profile_object_add(&profile->ext_key_usage,
                                  &profile->next_key_usage, pool, word,
                                  object, err, size);
}


int
cmp_profile_add_san(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size)
{
    cmp_str_t        copy;
    cmp_san_rule_t   rule, *sans;

    if (profile->nsans == CMP_PROFILE_MAX_SANS) {
        snprintf(err, size, "more than %d names", CMP_PROFILE_MAX_SANS);
        return CMP_ERROR;
    }

    /* the rule borrows the word */

    if (cmp_pstrdup(pool, &copy, word->data, word->len) != CMP_OK) {
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    if (cmp_san_rule_parse(&copy, 0, &rule, err, size) != CMP_OK) {
        return CMP_ERROR;
    }

    sans = cmp_profile_push(pool, profile->sans, &profile->nsans,
                            sizeof(cmp_san_rule_t));
    if (sans == NULL) {
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    sans[profile->nsans++] = rule;
    profile->sans = sans;

    return CMP_OK;
}


int
cmp_profile_add_subject(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size)
{
    int                   required;
    size_t                len;
    cmp_str_t             value;
    const unsigned char  *p, *end, *last;

    p = word->data;
    end = word->data + word->len;

    for (len = 0; len < word->len && p[len] != '='; len++) {
        /* void */
    }

    if (len == 0 || len == word->len) {
        snprintf(err, size, "invalid parameter \"%.*s\", use required=CN, "
                 "optional=OU or O=Example", (int) word->len,
                 (const char *) p);
        return CMP_ERROR;
    }

    value.data = word->data + len + 1;
    value.len = word->len - len - 1;

    required = (len == 8 && memcmp(p, "required", 8) == 0);

    if (required == 0 && (len != 8 || memcmp(p, "optional", 8) != 0)) {

        if (value.len >= 2 && value.data[0] == '"'
            && value.data[value.len - 1] == '"')
        {
            value.data++;
            value.len -= 2;
        }

        return cmp_profile_subject_rule(profile, pool, p, len, 0, &value, err,
                                        size);
    }

    for (p = value.data; p <= end; p = last + 1) {
        for (last = p; last < end && *last != ','; last++) {
            /* void */
        }

        if (cmp_profile_subject_rule(profile, pool, p, (size_t) (last - p),
                                     required, NULL, err, size)
            != CMP_OK)
        {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


static int
cmp_profile_subject_rule(cmp_profile_t *profile, cmp_pool_t *pool,
    const unsigned char *name, size_t len, int required,
    const cmp_str_t *value, char *err, size_t size)
{
    size_t                  i;
    const char             *reason;
    cmp_subject_rule_t     *rules, *rule;
    const cmp_attribute_t  *attr;

    attr = cmp_attribute_find(name, len);

    if (attr == NULL) {
        snprintf(err, size, "unknown attribute \"%.*s\"", (int) len,
                 (const char *) name);
        return CMP_ERROR;
    }

    if (profile->nsubject == CMP_NAME_MAX_RDNS) {
        snprintf(err, size, "more than %d attributes", CMP_NAME_MAX_RDNS);
        return CMP_ERROR;
    }

    for (i = 0; i < profile->nsubject; i++) {
        rule = &profile->subject[i];

        if (rule->nid == attr->nid
            && (!attr->repeat || value == NULL || rule->value.len == 0))
        {
            snprintf(err, size, "attribute \"%.*s\" is given twice",
                     (int) len, (const char *) name);
            return CMP_ERROR;
        }
    }

    rules = cmp_profile_push(pool, profile->subject, &profile->nsubject,
                             sizeof(cmp_subject_rule_t));
    if (rules == NULL) {
        snprintf(err, size, "out of memory");
        return CMP_ERROR;
    }

    rule = &rules[profile->nsubject];
    rule->nid = attr->nid;
    rule->required = (required != 0);

    if (value != NULL) {
        reason = cmp_attribute_check(attr, value->data, value->len);

        if (reason != NULL) {
            snprintf(err, size, "value of attribute \"%.*s\" %s", (int) len,
                     (const char *) name, reason);
            return CMP_ERROR;
        }

        if (cmp_pstrdup(pool, &rule->value, value->data, value->len)
            != CMP_OK)
        {
            snprintf(err, size, "out of memory");
            return CMP_ERROR;
        }
    }

    profile->subject = rules;
    profile->nsubject++;

    return CMP_OK;
}


int
cmp_profile_add_extension(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size)
{
    int           nid;
    char          buf[CMP_PROFILE_MAX_WORD];
    size_t        i;
    ASN1_OBJECT  *object;

    if (cmp_profile_word(word, buf, sizeof(buf), err, size) != CMP_OK) {
        return CMP_ERROR;
    }

    object = cmp_profile_object(pool, buf);

    nid = (object != NULL) ? OBJ_obj2nid(object) : NID_undef;

    /* a name that means something, but no extension, is a slip */

    if (object == NULL
        || ((buf[0] < '0' || buf[0] > '9') && X509V3_EXT_get_nid(nid) == NULL))
    {
        snprintf(err, size, "unknown extension \"%s\", use its number", buf);
        return CMP_ERROR;
    }

    for (i = 0; cmp_own_extensions[i] != NID_undef; i++) {
        if (nid == cmp_own_extensions[i]) {
            snprintf(err, size, "extension \"%s\" follows rules of its own "
                     "and needs not be listed", buf);
            return CMP_ERROR;
        }
    }

    return cmp_profile_object_add(&profile->extensions, &profile->nextensions,
                                  pool, word, object, err, size);
}


int
cmp_profile_add_policy(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size)
{
    char          buf[CMP_PROFILE_MAX_WORD];
    ASN1_OBJECT  *object;

    if (cmp_profile_word(word, buf, sizeof(buf), err, size) != CMP_OK) {
        return CMP_ERROR;
    }

    object = NULL;

    if (buf[0] >= '0' && buf[0] <= '9') {
        object = cmp_profile_object(pool, buf);
    }

    if (object == NULL) {
        snprintf(err, size, "a policy is written in dotted numbers");
        return CMP_ERROR;
    }

    return cmp_profile_object_add(&profile->policy_oids,
                                  &profile->npolicy_oids, pool, word, object,
                                  err, size);
}
