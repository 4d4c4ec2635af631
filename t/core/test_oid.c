
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The object identifiers against the ones that libcrypto makes of their
 * dotted text, and against those that it knows by itself.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include <cmp_oid.h>


static const cmp_oid_t  *test_oids[] = {
    &cmp_oid_password_based_mac,
    &cmp_oid_dh_based_mac,
    &cmp_oid_kem_based_mac,
    &cmp_oid_pbmac1,
    &cmp_oid_pbkdf2,
    &cmp_oid_hmac_sha1_ipsec,
    &cmp_oid_hmac_with_sha1,
    &cmp_oid_hmac_with_sha224,
    &cmp_oid_hmac_with_sha256,
    &cmp_oid_hmac_with_sha384,
    &cmp_oid_hmac_with_sha512,
    &cmp_oid_kmac_with_shake128,
    &cmp_oid_kmac_with_shake256,
    &cmp_oid_hkdf_with_sha256,
    &cmp_oid_hkdf_with_sha384,
    &cmp_oid_hkdf_with_sha512,
    &cmp_oid_it_ca_prot_enc_cert,
    &cmp_oid_it_sign_key_pair_types,
    &cmp_oid_it_enc_key_pair_types,
    &cmp_oid_it_preferred_symm_alg,
    &cmp_oid_it_ca_key_update_info,
    &cmp_oid_it_current_crl,
    &cmp_oid_it_unsupported_oids,
    &cmp_oid_it_key_pair_param_req,
    &cmp_oid_it_key_pair_param_rep,
    &cmp_oid_it_rev_passphrase,
    &cmp_oid_it_implicit_confirm,
    &cmp_oid_it_confirm_wait_time,
    &cmp_oid_it_orig_pki_message,
    &cmp_oid_it_supp_lang_tags,
    &cmp_oid_it_ca_certs,
    &cmp_oid_it_root_ca_key_update,
    &cmp_oid_it_cert_req_template,
    &cmp_oid_it_root_ca_cert,
    &cmp_oid_it_cert_profile,
    &cmp_oid_it_crl_status_list,
    &cmp_oid_it_crls,
    &cmp_oid_it_kem_ciphertext_info,
    &cmp_oid_reg_ctrl_reg_token,
    &cmp_oid_reg_ctrl_authenticator,
    &cmp_oid_reg_ctrl_pki_publication_info,
    &cmp_oid_reg_ctrl_pki_archive_options,
    &cmp_oid_reg_ctrl_old_cert_id,
    &cmp_oid_reg_ctrl_protocol_encr_key,
    &cmp_oid_reg_ctrl_alt_cert_template,
    &cmp_oid_reg_ctrl_alg_id,
    &cmp_oid_reg_ctrl_rsa_key_len,
    &cmp_oid_reg_info_utf8_pairs,
    &cmp_oid_reg_info_cert_req,
    &cmp_oid_ct_enc_key_with_id,
    &cmp_oid_kp_cmc_ca,
    &cmp_oid_kp_cmc_ra,
    &cmp_oid_kp_cm_kga
};


static const struct {
    const cmp_oid_t  *oid;
    int               nid;
} test_known[] = {
    { &cmp_oid_password_based_mac, NID_id_PasswordBasedMAC },
    { &cmp_oid_dh_based_mac, NID_id_DHBasedMac },
    { &cmp_oid_pbmac1, NID_pbmac1 },
    { &cmp_oid_pbkdf2, NID_id_pbkdf2 },
    { &cmp_oid_hmac_sha1_ipsec, NID_hmac_sha1 },
    { &cmp_oid_hmac_with_sha1, NID_hmacWithSHA1 },
    { &cmp_oid_hmac_with_sha224, NID_hmacWithSHA224 },
    { &cmp_oid_hmac_with_sha256, NID_hmacWithSHA256 },
    { &cmp_oid_hmac_with_sha384, NID_hmacWithSHA384 },
    { &cmp_oid_hmac_with_sha512, NID_hmacWithSHA512 },
    { &cmp_oid_it_current_crl, NID_id_it_currentCRL },
    { &cmp_oid_it_unsupported_oids, NID_id_it_unsupportedOIDs },
    { &cmp_oid_it_rev_passphrase, NID_id_it_revPassphrase },
    { &cmp_oid_it_supp_lang_tags, NID_id_it_suppLangTags },
    { &cmp_oid_it_ca_certs, NID_id_it_caCerts },
    { &cmp_oid_it_root_ca_key_update, NID_id_it_rootCaKeyUpdate },
    { &cmp_oid_it_cert_req_template, NID_id_it_certReqTemplate },
    { &cmp_oid_reg_ctrl_reg_token, NID_id_regCtrl_regToken },
    { &cmp_oid_reg_ctrl_protocol_encr_key,
      NID_id_regCtrl_protocolEncrKey },
    { &cmp_oid_reg_info_cert_req, NID_id_regInfo_certReq },
    { &cmp_oid_kp_cmc_ra, NID_cmcRA },
    { &cmp_oid_kp_cm_kga, NID_cmKGA }
};


static void
test_oid_all(void **state)
{
    char              buf[64], tiny[4];
    size_t            i;
    ASN1_OBJECT      *object, *parsed;
    const cmp_oid_t  *oid;

    (void) state;

    for (i = 0; i < sizeof(test_oids) / sizeof(test_oids[0]); i++) {
        oid = test_oids[i];

        parsed = OBJ_txt2obj(oid->text, 1);
        object = cmp_oid_object(oid);

        assert_non_null(parsed);
        assert_non_null(object);
        assert_int_equal(OBJ_cmp(parsed, object), 0);
        assert_int_equal(cmp_oid_equal(parsed, oid), 1);
        assert_int_equal(cmp_oid_equal(parsed, test_oids[i > 0 ? i - 1 : 1]),
                         0);
        assert_ptr_equal(cmp_oid_find(parsed), oid);
        assert_string_equal(cmp_oid_name(parsed, buf, sizeof(buf)), oid->name);

        ASN1_OBJECT_free(object);
        ASN1_OBJECT_free(parsed);
    }

    for (i = 0; i < sizeof(test_known) / sizeof(test_known[0]); i++) {
        assert_int_equal(cmp_oid_equal(OBJ_nid2obj(test_known[i].nid),
                                       test_known[i].oid), 1);
    }

    assert_int_equal(cmp_oid_equal(NULL, &cmp_oid_pbmac1), 0);
    assert_null(cmp_oid_find(NULL));
    assert_string_equal(cmp_oid_name(NULL, buf, sizeof(buf)), "");

    parsed = OBJ_txt2obj("1.2.3.4", 1);
    assert_null(cmp_oid_find(parsed));
    assert_string_equal(cmp_oid_name(parsed, buf, sizeof(buf)), "1.2.3.4");
    assert_string_equal(cmp_oid_name(parsed, tiny, sizeof(tiny)), "1.2");
    ASN1_OBJECT_free(parsed);

    assert_int_equal(ERR_peek_error(), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_oid_all)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
