
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Support messages: the new root and CRLs.
 */


#include <support_util.h>


static void
test_ask_root(fixture_t *f, X509 *cert)
{
    support_ask(f, &cmp_oid_it_root_ca_cert,
                (cert != NULL) ? support_sequence(ASN1_ITEM_rptr(X509), cert)
                               : NULL);
}


static void
test_root(void **state)
{
    int                                i;
    fixture_t                         *f;
    support_root_t                     root;
    cmp_root_ca_key_update_content_t  *update;

    f = *state;

    /* none is prepared */

    test_ask_root(f, f->h->root.cert);
    support_absent(f, &cmp_oid_it_root_ca_key_update);
    test_ask_root(f, NULL);
    support_absent(f, &cmp_oid_it_root_ca_key_update);

    support_root_create(f, &root);

    for (i = 0; i < 2; i++) {
        test_ask_root(f, i == 0 ? f->h->root.cert : NULL);

        update = support_value(f, &cmp_oid_it_root_ca_key_update,
                        ASN1_ITEM_rptr(cmp_root_ca_key_update_content_t));
        assert_int_equal(X509_cmp(update->new_with_new, root.new_with_new), 0);
        assert_int_equal(X509_cmp(update->new_with_old, root.new_with_old), 0);
        assert_int_equal(X509_cmp(update->old_with_new, root.old_with_new), 0);
        cmp_asn1_free(cmp_root_ca_key_update_content_t, update);
    }

    /* without the connecting certificates */

    root.record.new_with_old.len = 0;
    root.record.old_with_new.len = 0;
    test_ask_root(f, f->h->root.cert);
    update = support_value(f, &cmp_oid_it_root_ca_key_update,
                           ASN1_ITEM_rptr(cmp_root_ca_key_update_content_t));
    assert_null(update->new_with_old);
    assert_null(update->old_with_new);
    cmp_asn1_free(cmp_root_ca_key_update_content_t, update);

    support_root_free(f, &root);
}


/* another root, the new one, and old ones after the CA has moved on */

static void
test_root_named(void **state)
{
    X509            *saved;
    fixture_t       *f;
    support_root_t   root;

    f = *state;
    support_root_create(f, &root);

    test_ask_root(f, f->h->vendor.cert);
    support_absent(f, &cmp_oid_it_root_ca_key_update);
    test_ask_root(f, root.new_with_new);
    support_absent(f, &cmp_oid_it_root_ca_key_update);

    saved = f->h->ca.root;
    f->h->ca.root = root.new_with_new;

    test_ask_root(f, f->h->root.cert);
    assert_non_null(support_info(f, &cmp_oid_it_root_ca_key_update));

    root.record.old_with_new.len = 0;
    test_ask_root(f, f->h->root.cert);
    support_absent(f, &cmp_oid_it_root_ca_key_update);

    root.record.old_root = support_der(f, ASN1_ITEM_rptr(X509),
                                       f->h->root.cert);
    test_ask_root(f, f->h->root.cert);
    assert_non_null(support_info(f, &cmp_oid_it_root_ca_key_update));

    f->h->ca.root = saved;
    support_root_free(f, &root);
}


static void
test_root_wrong(void **state)
{
    fixture_t  *f;

    f = *state;

    support_ask(f, &cmp_oid_it_root_ca_cert,
                client_value(V_ASN1_UTF8STRING, "root"));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    support_ask(f, &cmp_oid_it_root_ca_cert, client_profile("root"));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_ask_crls(fixture_t *f, cmp_crl_status_list_t *list)
{
    support_ask(f, &cmp_oid_it_crl_status_list,
                support_sequence(ASN1_ITEM_rptr(cmp_crl_status_list_t), list));
    cmp_asn1_free(cmp_crl_status_list_t, list);
}


static void
test_ask_crl(fixture_t *f, const char *url, X509 *issuer, int64_t at)
{
    cmp_crl_status_list_t  *list;

    list = sk_cmp_crl_status_t_new_null();
    support_status(list, url, issuer, at);
    test_ask_crls(f, list);
}


/* the answer is our CRL, once */

static void
test_is_crl(fixture_t *f)
{
    size_t            len;
    const ASN1_TYPE  *value;

    assert_int_equal(support_count(f), 1);
    value = support_info(f, &cmp_oid_it_crls);
    assert_non_null(value);
    assert_int_equal(value->type, V_ASN1_SEQUENCE);

    len = f->h->store->crl.len;
    assert_int_equal(value->value.sequence->data[0], 0x30);
    assert_int_equal(ASN1_object_size(1, (int) len, V_ASN1_SEQUENCE),
                     value->value.sequence->length);
    assert_memory_equal(value->value.sequence->data
                        + value->value.sequence->length - len,
                        f->h->store->crl.data, len);
}


static void
test_crls(void **state)
{
    X509       *ca;
    fixture_t  *f;
    cmp_str_t   url = cmp_string(SUPPORT_CRL_URL);

    f = *state;
    ca = f->h->issuer.cert;

    f->h->server.crl_urls = &url;
    f->h->server.ncrl_urls = 1;

    test_ask_crl(f, NULL, ca, 0);
    support_absent(f, &cmp_oid_it_crls);

    support_crl_create(f);

    test_ask_crl(f, NULL, ca, 0);
    test_is_crl(f);
    test_ask_crl(f, NULL, ca, SUPPORT_CRL_TIME - 1000);
    test_is_crl(f);
    test_ask_crl(f, SUPPORT_CRL_URL, NULL, 0);
    test_is_crl(f);

    /* it has it, or something newer */

    test_ask_crl(f, NULL, ca, SUPPORT_CRL_TIME);
    support_absent(f, &cmp_oid_it_crls);
    test_ask_crl(f, SUPPORT_CRL_URL, NULL, SUPPORT_CRL_TIME + 1000);
    support_absent(f, &cmp_oid_it_crls);

    /* of somebody else */

    test_ask_crl(f, NULL, f->h->vendor.cert, 0);
    support_absent(f, &cmp_oid_it_crls);
    test_ask_crl(f, SUPPORT_CRL_URL "x", NULL, 0);
    support_absent(f, &cmp_oid_it_crls);
}


static void
test_crl_list(void **state)
{
    int                     i;
    X509                   *ca;
    fixture_t              *f;
    cmp_crl_status_list_t  *list;

    f = *state;
    ca = f->h->issuer.cert;
    support_crl_create(f);

    list = sk_cmp_crl_status_t_new_null();
    support_status(list, NULL, f->h->vendor.cert, 0);
    support_status(list, NULL, ca, SUPPORT_CRL_TIME);
    support_status(list, NULL, ca, SUPPORT_CRL_TIME - 1000);
    support_status(list, NULL, ca, 0);
    test_ask_crls(f, list);
    test_is_crl(f);

    list = sk_cmp_crl_status_t_new_null();

    for (i = 0; i <= f->h->ca.max_requests; i++) {
        support_status(list, NULL, ca, 0);
    }

    test_ask_crls(f, list);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    test_ask_crls(f, sk_cmp_crl_status_t_new_null());
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    support_ask(f, &cmp_oid_it_crl_status_list, NULL);
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);

    support_ask(f, &cmp_oid_it_crl_status_list, client_profile("crl"));
    fixture_refused(f, CMP_BODY_ERROR, CMP_FAIL_BAD_REQUEST, FIXTURE_AUDITED);
}


static void
test_current_crl(void **state)
{
    X509_CRL   *crl;
    fixture_t  *f;

    f = *state;

    support_ask(f, &cmp_oid_it_current_crl, NULL);
    support_absent(f, &cmp_oid_it_current_crl);

    support_crl_create(f);

    support_ask(f, &cmp_oid_it_current_crl, NULL);
    crl = support_value(f, &cmp_oid_it_current_crl, ASN1_ITEM_rptr(X509_CRL));
    assert_int_equal(X509_NAME_cmp(X509_CRL_get_issuer(crl),
                                   f->h->ca.subject),
                     0);
    X509_CRL_free(crl);
}


/* a large answer is not stored: a repeat is answered anew */

static void
test_large_crl(void **state)
{
    int         i;
    uint64_t    serials[1000];
    X509_CRL   *crl;
    fixture_t  *f;

    f = *state;

    for (i = 0; i < 1000; i++) {
        serials[i] = i + 1;
    }

    crl = pki_crl(f->h->issuer.cert, f->h->issuer.key, SUPPORT_CRL_TIME,
                  HARNESS_NOW + HARNESS_YEAR, serials, 1000);
    f->h->store->crl = support_der(f, ASN1_ITEM_rptr(X509_CRL), crl);
    f->h->store->crl_this_update = SUPPORT_CRL_TIME;
    X509_CRL_free(crl);

    support_ask(f, &cmp_oid_it_current_crl, NULL);
    assert_non_null(support_info(f, &cmp_oid_it_current_crl));
    assert_int_equal(f->h->store->replies.n, 0);
    assert_int_equal(f->h->store->transactions.n, 0);
    assert_int_equal(f->h->store->audits.n, 1);

    fixture_repeat(f);
    assert_non_null(support_info(f, &cmp_oid_it_current_crl));
    assert_int_equal(f->h->info.repeat, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fixture_test(test_root),
        fixture_test_strict(test_root),
        fixture_test(test_root_named),
        fixture_test_strict(test_root_named),
        fixture_test(test_root_wrong),
        fixture_test_strict(test_root_wrong),
        fixture_test(test_crls),
        fixture_test_strict(test_crls),
        fixture_test(test_crl_list),
        fixture_test_strict(test_crl_list),
        fixture_test(test_current_crl),
        fixture_test_strict(test_current_crl),
        fixture_test(test_large_crl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
