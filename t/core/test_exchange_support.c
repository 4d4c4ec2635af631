
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Support messages: templates, algorithms, languages, and several at once.
 */


#include <support_util.h>


static cmp_cert_req_template_content_t *
test_template_value(fixture_t *f)
{
    return support_value(f, &cmp_oid_it_cert_req_template,
                         ASN1_ITEM_rptr(cmp_cert_req_template_content_t));
}


static void *
test_extension(const cmp_cert_template_t *tmpl, int nid)
{
    return X509V3_get_d2i(tmpl->extensions, nid, NULL, NULL);
}


static int
test_controls(const cmp_cert_req_template_content_t *content,
    const cmp_oid_t *oid)
{
    int  i, n;

    n = 0;

    for (i = 0;
         i < sk_cmp_attribute_type_and_value_t_num(content->key_spec);
         i++)
    {
        n += cmp_oid_equal(sk_cmp_attribute_type_and_value_t_value(
                                             content->key_spec, i)->type,
                           oid);
    }

    return n;
}


static void
test_template(void **state)
{
    fixture_t                        *f;
    ASN1_STRING                      *usage;
    EXTENDED_KEY_USAGE               *usages;
    const X509_NAME_ENTRY            *entry;
    const cmp_cert_template_t        *tmpl;
    cmp_cert_req_template_content_t  *content;

    f = *state;

    support_ask(f, &cmp_oid_it_cert_req_template, NULL);
    assert_int_equal(f->h->info.profile.len, 6);
    content = test_template_value(f);
    tmpl = content->cert_template;

    assert_null(tmpl->version);
    assert_null(tmpl->serial_number);
    assert_null(tmpl->public_key);

    /* CN is required, the others are not */

    assert_int_equal(X509_NAME_entry_count(tmpl->subject), 1);
    entry = X509_NAME_get_entry(tmpl->subject, 0);
    assert_int_equal(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)),
                     NID_commonName);
    assert_int_equal(ASN1_STRING_length(X509_NAME_ENTRY_get_data(entry)), 0);

    /* RSA keys cannot do keyAgreement, nor Ed25519 */

    usage = test_extension(tmpl, NID_key_usage);
    assert_non_null(usage);
    assert_int_equal(ASN1_STRING_length(usage), 1);
    assert_int_equal(ASN1_STRING_get0_data(usage)[0], KU_DIGITAL_SIGNATURE);
    ASN1_STRING_free(usage);

    usages = test_extension(tmpl, NID_ext_key_usage);
    assert_int_equal(sk_ASN1_OBJECT_num(usages), 2);
    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);

    assert_null(test_extension(tmpl, NID_subject_alt_name));
    assert_null(test_extension(tmpl, NID_basic_constraints));

    /* P-256, P-384, Ed25519, Ed448; 2048, 3072, 4096 */

    assert_int_equal(test_controls(content, &cmp_oid_reg_ctrl_alg_id), 4);
    assert_int_equal(test_controls(content, &cmp_oid_reg_ctrl_rsa_key_len), 3);

    cmp_asn1_free(cmp_cert_req_template_content_t, content);
}


/* by the name of the profile, in certProfile or the URI */

static void
test_template_profile(void **state)
{
    int                               i;
    fixture_t                        *f;
    cmp_str_t                         profiles[2] = { cmp_string("device"),
                                                      cmp_string("server") };
    GENERAL_NAMES                    *names;
    const GENERAL_NAME               *name;
    cmp_pki_message_t                *msg;
    cmp_cert_req_template_content_t  *content;

    f = *state;

    for (i = 0; i < 2; i++) {
        msg = support_genm(f);
        support_add(msg, &cmp_oid_it_cert_req_template, NULL);

        if (i == 0) {
            client_general_info(msg, &cmp_oid_it_cert_profile,
                                client_profile("server"));
        }

        f->h->profile = (i == 0) ? NULL : "server";

        /* only who may use it */

        f->h->credential->nprofiles = 0;
        fixture_send(f, msg);
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_NOT_AUTHORIZED,
                        FIXTURE_AUDITED);

        f->h->credential->profiles = profiles;
        f->h->credential->nprofiles = 2;

        msg = support_genm(f);
        support_add(msg, &cmp_oid_it_cert_req_template, NULL);

        if (i == 0) {
            client_general_info(msg, &cmp_oid_it_cert_profile,
                                client_profile("server"));
        }

        fixture_send(f, msg);
        content = test_template_value(f);

        assert_null(content->cert_template->subject);
        assert_int_equal(test_controls(content, &cmp_oid_reg_ctrl_alg_id), 1);

        names = test_extension(content->cert_template, NID_subject_alt_name);
        assert_int_equal(sk_GENERAL_NAME_num(names), 1);
        name = sk_GENERAL_NAME_value(names, 0);
        assert_int_equal(name->type, GEN_DNS);
        assert_int_equal(ASN1_STRING_length(name->d.dNSName), 0);
        GENERAL_NAMES_free(names);

        cmp_asn1_free(cmp_cert_req_template_content_t, content);
    }

    /* two names for one profile */

    msg = support_genm(f);
    support_add(msg, &cmp_oid_it_cert_req_template, NULL);
    client_general_info(msg, &cmp_oid_it_cert_profile,
                        client_profile("device"));
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    f->h->credential->nprofiles = 0;
}


static void
test_template_fixed(void **state)
{
    fixture_t                        *f;
    BASIC_CONSTRAINTS                *basic;
    const ASN1_STRING                *value;
    cmp_subject_rule_t                rules[2];
    cmp_subject_rule_t               *saved;
    cmp_cert_req_template_content_t  *content;

    f = *state;

    memset(rules, 0, sizeof(rules));
    rules[0].nid = NID_countryName;
    rules[0].value.data = (unsigned char *) "DE";
    rules[0].value.len = 2;
    rules[1].nid = NID_serialNumber;
    rules[1].required = 1;

    saved = f->h->device.subject;
    f->h->device.subject = rules;
    f->h->device.nsubject = 2;
    f->h->device.ca = 1;
    f->h->device.path_len = 0;

    support_ask(f, &cmp_oid_it_cert_req_template, NULL);
    content = test_template_value(f);

    assert_int_equal(X509_NAME_entry_count(content->cert_template->subject),
                     2);
    value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(
                                      content->cert_template->subject, 0));
    assert_int_equal(ASN1_STRING_type(value), V_ASN1_PRINTABLESTRING);
    assert_int_equal(ASN1_STRING_length(value), 2);

    basic = test_extension(content->cert_template, NID_basic_constraints);
    assert_non_null(basic);
    assert_true(basic->ca);
    assert_int_equal(ASN1_INTEGER_get(basic->pathlen), 0);
    BASIC_CONSTRAINTS_free(basic);

    cmp_asn1_free(cmp_cert_req_template_content_t, content);

    f->h->device.subject = saved;
    f->h->device.nsubject = 3;
    f->h->device.ca = 0;
}


static void
test_key_types(void **state)
{
    int                i, curves, nid;
    uint32_t           usage;
    fixture_t         *f;
    cmp_algorithms_t  *algs;

    f = *state;

    support_ask(f, &cmp_oid_it_sign_key_pair_types, NULL);
    algs = support_value(f, &cmp_oid_it_sign_key_pair_types,
                         ASN1_ITEM_rptr(cmp_algorithms_t));

    /* P-256, P-384, Ed25519, Ed448, RSA, each one once */

    assert_int_equal(sk_X509_ALGOR_num(algs), 5);
    curves = 0;

    for (i = 0; i < 5; i++) {
        nid = OBJ_obj2nid(sk_X509_ALGOR_value(algs, i)->algorithm);

        if (nid == NID_X9_62_id_ecPublicKey) {
            curves++;
            assert_int_equal(sk_X509_ALGOR_value(algs, i)->parameter->type,
                             V_ASN1_OBJECT);
        }
    }

    assert_int_equal(curves, 2);
    sk_X509_ALGOR_pop_free(algs, X509_ALGOR_free);

    /* keys on curves are for keyAgreement too */

    support_ask(f, &cmp_oid_it_enc_key_pair_types, NULL);
    algs = support_value(f, &cmp_oid_it_enc_key_pair_types,
                         ASN1_ITEM_rptr(cmp_algorithms_t));
    assert_int_equal(sk_X509_ALGOR_num(algs), 2);
    sk_X509_ALGOR_pop_free(algs, X509_ALGOR_free);

    usage = f->h->device.key_usage;
    f->h->device.key_usage = KU_DIGITAL_SIGNATURE;
    support_ask(f, &cmp_oid_it_enc_key_pair_types, NULL);
    support_absent(f, &cmp_oid_it_enc_key_pair_types);
    f->h->device.key_usage = usage;
}


static ASN1_TYPE *
test_object(int nid)
{
    ASN1_TYPE  *value;

    value = ASN1_TYPE_new();
    assert_non_null(value);
    ASN1_TYPE_set(value, V_ASN1_OBJECT, OBJ_nid2obj(nid));

    return value;
}


static void
test_key_params(void **state)
{
    fixture_t   *f;
    X509_ALGOR  *alg;

    f = *state;

    support_ask(f, &cmp_oid_it_key_pair_param_req,
                test_object(NID_X9_62_id_ecPublicKey));
    alg = support_value(f, &cmp_oid_it_key_pair_param_rep,
                        ASN1_ITEM_rptr(X509_ALGOR));
    assert_int_equal(OBJ_obj2nid(alg->algorithm), NID_X9_62_id_ecPublicKey);
    assert_int_equal(alg->parameter->type, V_ASN1_OBJECT);
    assert_int_equal(OBJ_obj2nid(alg->parameter->value.object),
                     NID_X9_62_prime256v1);
    X509_ALGOR_free(alg);

    support_ask(f, &cmp_oid_it_key_pair_param_req, test_object(NID_ED25519));
    alg = support_value(f, &cmp_oid_it_key_pair_param_rep,
                        ASN1_ITEM_rptr(X509_ALGOR));
    assert_null(alg->parameter);
    X509_ALGOR_free(alg);

    support_ask(f, &cmp_oid_it_key_pair_param_req, test_object(NID_dsa));
    support_absent(f, &cmp_oid_it_key_pair_param_rep);

    support_ask(f, &cmp_oid_it_key_pair_param_req, NULL);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
    support_ask(f, &cmp_oid_it_key_pair_param_req, client_null());
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_encryption(void **state)
{
    fixture_t   *f;
    X509_ALGOR  *alg;

    f = *state;

    support_ask(f, &cmp_oid_it_preferred_symm_alg, NULL);
    alg = support_value(f, &cmp_oid_it_preferred_symm_alg,
                        ASN1_ITEM_rptr(X509_ALGOR));
    assert_int_equal(OBJ_obj2nid(alg->algorithm), NID_aes_256_cbc);
    X509_ALGOR_free(alg);

    support_ask(f, &cmp_oid_it_ca_prot_enc_cert, NULL);
    support_absent(f, &cmp_oid_it_ca_prot_enc_cert);

    support_ask(f, &cmp_oid_it_preferred_symm_alg, client_null());
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_ask_tags(fixture_t *f, const char *first, const char *second)
{
    int                   i;
    const char           *tags[2] = { first, second };
    ASN1_UTF8STRING      *tag;
    cmp_pki_free_text_t  *list;

    list = sk_ASN1_UTF8STRING_new_null();
    assert_non_null(list);

    for (i = 0; i < 2; i++) {

        if (tags[i] != NULL) {
            tag = ASN1_UTF8STRING_new();
            assert_int_equal(ASN1_STRING_set(tag, tags[i], -1), 1);
            assert_true(sk_ASN1_UTF8STRING_push(list, tag) > 0);
        }
    }

    support_ask(f, &cmp_oid_it_supp_lang_tags,
                support_sequence(ASN1_ITEM_rptr(cmp_pki_free_text_t), list));
    cmp_asn1_free(cmp_pki_free_text_t, list);
}


static void
test_languages(void **state)
{
    size_t                i;
    fixture_t            *f;
    const ASN1_STRING    *tag;
    cmp_pki_free_text_t  *list;
    static const struct {
        const char       *first;
        const char       *second;
        const char       *chosen;
    }  tags[] = {
        { "en", NULL, "en" },
        { "de", "en-GB", "en-GB" },
        { "EN-us", "en", "EN-us" },
        { "de", "enm", NULL },
        { "e", "", NULL },
        { NULL, NULL, NULL }
    };

    f = *state;

    for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        test_ask_tags(f, tags[i].first, tags[i].second);

        if (tags[i].chosen == NULL) {
            fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                            FIXTURE_AUDITED);
            continue;
        }

        list = support_value(f, &cmp_oid_it_supp_lang_tags,
                             ASN1_ITEM_rptr(cmp_pki_free_text_t));
        assert_int_equal(sk_ASN1_UTF8STRING_num(list), 1);
        tag = sk_ASN1_UTF8STRING_value(list, 0);
        assert_int_equal(ASN1_STRING_length(tag), strlen(tags[i].chosen));
        assert_memory_equal(ASN1_STRING_get0_data(tag), tags[i].chosen,
                            ASN1_STRING_length(tag));
        cmp_asn1_free(cmp_pki_free_text_t, list);
    }
}


static void
test_several(void **state)
{
    fixture_t               *f;
    cmp_pki_message_t       *msg;
    cmp_unsupported_oids_t  *oids;

    f = *state;
    support_crl_create(f);

    msg = support_genm(f);
    support_add(msg, &cmp_oid_it_ca_certs, NULL);
    support_add(msg, &cmp_oid_it_rev_passphrase, client_profile("secret"));
    support_add(msg, &cmp_oid_it_current_crl, NULL);
    support_add(msg, &cmp_oid_it_cert_req_template, NULL);
    support_add(msg, &cmp_oid_it_root_ca_cert, NULL);
    fixture_send(f, msg);

    assert_int_equal(support_count(f), 5);
    assert_non_null(support_info(f, &cmp_oid_it_ca_certs));
    assert_non_null(support_info(f, &cmp_oid_it_current_crl));
    assert_non_null(support_info(f, &cmp_oid_it_cert_req_template));
    assert_null(support_info(f, &cmp_oid_it_root_ca_key_update));

    oids = support_value(f, &cmp_oid_it_unsupported_oids,
                         ASN1_ITEM_rptr(cmp_unsupported_oids_t));
    assert_int_equal(sk_ASN1_OBJECT_num(oids), 1);
    assert_true(cmp_oid_equal(sk_ASN1_OBJECT_value(oids, 0),
                              &cmp_oid_it_rev_passphrase));
    cmp_asn1_free(cmp_unsupported_oids_t, oids);

    /* the same twice */

    msg = support_genm(f);
    support_add(msg, &cmp_oid_it_current_crl, NULL);
    support_add(msg, &cmp_oid_it_current_crl, NULL);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    support_ask(f, &cmp_oid_it_rev_passphrase, client_profile("secret"));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_empty(void **state)
{
    fixture_t       *f;
    support_root_t   root;

    f = *state;

    fixture_send(f, support_genm(f));
    assert_int_equal(support_count(f), 4);
    assert_non_null(support_info(f, &cmp_oid_it_ca_certs));
    assert_non_null(support_info(f, &cmp_oid_it_sign_key_pair_types));
    assert_non_null(support_info(f, &cmp_oid_it_enc_key_pair_types));
    assert_non_null(support_info(f, &cmp_oid_it_preferred_symm_alg));

    support_crl_create(f);
    support_root_create(f, &root);

    fixture_send(f, support_genm(f));
    assert_int_equal(support_count(f), 6);
    assert_non_null(support_info(f, &cmp_oid_it_root_ca_key_update));
    assert_non_null(support_info(f, &cmp_oid_it_current_crl));

    support_root_free(f, &root);
}


/* one infoType a message */

static void
test_strict_count(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    fixture_send(f, support_genm(f));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    msg = support_genm(f);
    support_add(msg, &cmp_oid_it_ca_certs, NULL);
    support_add(msg, &cmp_oid_it_current_crl, NULL);
    fixture_send(f, msg);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


/* protected by nothing: only the default profile */

static void
test_unprotected(void **state)
{
    fixture_t          *f;
    cmp_pki_message_t  *msg;

    f = *state;

    f->c.protection = CLIENT_NONE;
    f->h->ca.unprotected_genm = 1;

    support_ask(f, &cmp_oid_it_cert_req_template, NULL);
    assert_non_null(support_info(f, &cmp_oid_it_cert_req_template));
    assert_int_equal(f->h->result, CMP_EXCHANGE_REPLY);

    msg = support_genm(f);
    support_add(msg, &cmp_oid_it_cert_req_template, NULL);
    client_general_info(msg, &cmp_oid_it_cert_profile,
                        client_profile("server"));
    fixture_send(f, msg);
    assert_int_equal(f->a->type, CMP_BODY_ERROR);
    assert_int_equal(f->a->fail_info, CMP_FAIL_NOT_AUTHORIZED);
}


static void
test_labels(void **state)
{
    size_t                  i, j;
    fixture_t              *f;
    ASN1_TYPE              *value;
    cmp_crl_status_list_t  *list;
    static const struct {
        int                 label;
        const cmp_oid_t    *oid;
    }  labels[] = {
        { CMP_LABEL_GETCACERTS, &cmp_oid_it_ca_certs },
        { CMP_LABEL_GETROOTUPDATE, &cmp_oid_it_root_ca_cert },
        { CMP_LABEL_GETCERTREQTEMPLATE, &cmp_oid_it_cert_req_template },
        { CMP_LABEL_GETCRLS, &cmp_oid_it_crl_status_list }
    };

    f = *state;

    for (i = 0; i < 4; i++) {
        f->h->label = labels[i].label;

        for (j = 0; j < 4; j++) {
            value = NULL;

            if (j == 3) {
                list = sk_cmp_crl_status_t_new_null();
                support_status(list, NULL, f->h->issuer.cert, 0);
                value = support_sequence(ASN1_ITEM_rptr(cmp_crl_status_list_t),
                                         list);
                cmp_asn1_free(cmp_crl_status_list_t, list);
            }

            support_ask(f, labels[j].oid, value);

            if (i == j) {
                assert_int_equal(support_count(f), 1);

            } else {
                fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                                FIXTURE_AUDITED);
            }
        }

        fixture_send(f, support_genm(f));
        fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST,
                        FIXTURE_AUDITED);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_template),
        fixture_test_strict(test_template),
        fixture_test(test_template_profile),
        fixture_test_strict(test_template_profile),
        fixture_test(test_template_fixed),
        fixture_test_strict(test_template_fixed),
        fixture_test(test_key_types),
        fixture_test_strict(test_key_types),
        fixture_test(test_key_params),
        fixture_test_strict(test_key_params),
        fixture_test(test_encryption),
        fixture_test_strict(test_encryption),
        fixture_test(test_languages),
        fixture_test_strict(test_languages),
        fixture_test(test_several),
        fixture_test(test_empty),
        fixture_test_strict(test_strict_count),
        fixture_test(test_unprotected),
        fixture_test(test_labels),
        fixture_test_strict(test_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
