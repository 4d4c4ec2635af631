
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Support messages: questions, answers, and what the CA has for them.
 */


#include <support_util.h>


void
support_add(cmp_pki_message_t *msg, const cmp_oid_t *oid, ASN1_TYPE *value)
{
    client_add_info(msg, oid)->info_value = value;
}


cmp_pki_message_t *
support_genm(fixture_t *f)
{
    client_begin(&f->c);

    return client_message(&f->c, CMP_BODY_GENM);
}


void
support_ask(fixture_t *f, const cmp_oid_t *oid, ASN1_TYPE *value)
{
    cmp_pki_message_t  *msg;

    msg = support_genm(f);
    support_add(msg, oid, value);
    fixture_send(f, msg);
}


int
support_count(fixture_t *f)
{
    assert_int_equal(f->a->type, CMP_BODY_GENP);

    return sk_cmp_info_type_and_value_t_num(f->a->msg->body->value.genp);
}


const ASN1_TYPE *
support_info(fixture_t *f, const cmp_oid_t *oid)
{
    int                               i;
    const cmp_info_type_and_value_t  *info;

    for (i = 0; i < support_count(f); i++) {
        info = sk_cmp_info_type_and_value_t_value(
                                       f->a->msg->body->value.genp, i);

        if (cmp_oid_equal(info->info_type, oid)) {
            return info->info_value;
        }
    }

    fail_msg("no %s in the answer", oid->name);

    return NULL;
}


void
support_absent(fixture_t *f, const cmp_oid_t *oid)
{
    assert_int_equal(support_count(f), 1);
    assert_null(support_info(f, oid));
}


void *
support_value(fixture_t *f, const cmp_oid_t *oid, const ASN1_ITEM *it)
{
    void             *value;
    const ASN1_TYPE  *info;

    info = support_info(f, oid);
    assert_non_null(info);
    assert_int_equal(info->type, V_ASN1_SEQUENCE);

    value = cmp_asn1_decode_item(it, info->value.sequence->data,
                                 info->value.sequence->length);
    assert_non_null(value);

    return value;
}


ASN1_TYPE *
support_sequence(const ASN1_ITEM *it, const void *item)
{
    int             len;
    ASN1_TYPE      *value;
    ASN1_STRING    *string;
    unsigned char  *der;

    len = cmp_asn1_encode_item(it, item, &der);
    assert_true(len > 0);

    value = ASN1_TYPE_new();
    string = ASN1_STRING_new();
    assert_non_null(value);
    assert_non_null(string);

    ASN1_STRING_set0(string, der, len);
    ASN1_TYPE_set(value, V_ASN1_SEQUENCE, string);

    return value;
}


cmp_str_t
support_der(fixture_t *f, const ASN1_ITEM *it, const void *item)
{
    int             len;
    cmp_str_t       str;
    unsigned char  *der;

    len = cmp_asn1_encode_item(it, item, &der);
    assert_true(len > 0);
    assert_int_equal(cmp_pstrdup(f->h->pool, &str, der, len), CMP_OK);
    OPENSSL_free(der);

    return str;
}


void
support_root_create(fixture_t *f, support_root_t *root)
{
    EVP_PKEY        *key;
    pki_cert_t       conf;
    cmp_rollover_t  *record;

    memset(root, 0, sizeof(support_root_t));
    memset(&conf, 0, sizeof(pki_cert_t));

    key = pki_key(PKI_P256, "new root");

    conf.subject = "/O=Example/CN=Root 2";
    conf.key = key;
    conf.serial = 81;
    conf.not_before = HARNESS_NOW - HARNESS_YEAR;
    conf.not_after = HARNESS_NOW + HARNESS_YEAR;
    conf.basic_constraints = "critical,CA:TRUE";
    conf.key_usage = "critical,keyCertSign,cRLSign";
    root->new_with_new = pki_cert(&conf);

    conf.issuer = f->h->root.cert;
    conf.issuer_key = f->h->root.key;
    root->new_with_old = pki_cert(&conf);

    conf.subject = "/O=Example/CN=Root";
    conf.key = f->h->root.key;
    conf.issuer = root->new_with_new;
    conf.issuer_key = key;
    root->old_with_new = pki_cert(&conf);

    EVP_PKEY_free(key);

    record = &root->record;
    record->new_with_new = support_der(f, ASN1_ITEM_rptr(X509),
                                       root->new_with_new);
    record->new_with_old = support_der(f, ASN1_ITEM_rptr(X509),
                                       root->new_with_old);
    record->old_with_new = support_der(f, ASN1_ITEM_rptr(X509),
                                       root->old_with_new);

    f->h->store->rollover = record;
}


void
support_root_free(fixture_t *f, support_root_t *root)
{
    f->h->store->rollover = NULL;

    X509_free(root->new_with_new);
    X509_free(root->new_with_old);
    X509_free(root->old_with_new);
}


void
support_crl_create(fixture_t *f)
{
    X509_CRL  *crl;

    crl = pki_crl(f->h->issuer.cert, f->h->issuer.key, SUPPORT_CRL_TIME,
                  HARNESS_NOW + HARNESS_YEAR, NULL, 0);

    f->h->store->crl = support_der(f, ASN1_ITEM_rptr(X509_CRL), crl);
    f->h->store->crl_this_update = SUPPORT_CRL_TIME;

    X509_CRL_free(crl);
}


void
support_status(cmp_crl_status_list_t *list, const char *url, X509 *issuer,
    int64_t at)
{
    GENERAL_NAME      *name;
    GENERAL_NAMES     *names;
    ASN1_IA5STRING    *text;
    cmp_crl_status_t  *status;

    status = cmp_asn1_new(cmp_crl_status_t);
    name = GENERAL_NAME_new();
    names = sk_GENERAL_NAME_new_null();
    assert_non_null(status);
    assert_true(sk_GENERAL_NAME_push(names, name) > 0);

    if (url == NULL) {
        client_set_general_name(name, issuer);
        status->source->type = CMP_CRL_SOURCE_ISSUER;
        status->source->value.issuer = names;

    } else {
        text = ASN1_IA5STRING_new();
        assert_int_equal(ASN1_STRING_set(text, url, -1), 1);
        GENERAL_NAME_set0_value(name, GEN_URI, text);

        status->source->type = CMP_CRL_SOURCE_DPN;
        status->source->value.dpn = DIST_POINT_NAME_new();
        status->source->value.dpn->type = 0;
        status->source->value.dpn->name.fullname = names;
    }

    if (at != 0) {
        status->this_update = pki_time(at);
    }

    assert_true(sk_cmp_crl_status_t_push(list, status) > 0);
}
