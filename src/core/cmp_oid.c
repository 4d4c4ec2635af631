
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include <cmp_oid.h>


/* { iso(1) member-body(2) usa(840) nt(113533) nsn(7) algorithms(66) n } */

#define cmp_oid_nt(n, name)                                                   \
    { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf6, 0x7d, 0x07, 0x42, n },               \
      name, "1.2.840.113533.7.66." #n }

/* { iso(1) member-body(2) us(840) rsadsi(113549) pkcs(1) pkcs-5(5) n } */

#define cmp_oid_pkcs5(n, name)                                                \
    { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, n },               \
      name, "1.2.840.113549.1.5." #n }

/* { iso(1) member-body(2) us(840) rsadsi(113549) digestAlgorithm(2) n } */

#define cmp_oid_digest(n, name)                                               \
    { 8, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, n },                     \
      name, "1.2.840.113549.2." #n }

/* { id-smime m n }, id-smime is { ... pkcs(1) pkcs-9(9) 16 } */

#define cmp_oid_smime(m, n, name)                                             \
    { 11, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, m, n },     \
      name, "1.2.840.113549.1.9.16." #m "." #n }

/* { 2 16 us(840) 1 gov(101) csor(3) nistAlgorithm(4) hashAlgs(2) n } */

#define cmp_oid_nist_hash(n, name)                                            \
    { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, n },               \
      name, "2.16.840.1.101.3.4.2." #n }

/* { id-pkix kp(3) n } */

#define cmp_oid_kp(n, name)                                                   \
    { 8, { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, n },                     \
      name, "1.3.6.1.5.5.7.3." #n }

/* { id-pkix it(4) n } */

#define cmp_oid_it(n, name)                                                   \
    { 8, { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x04, n },                     \
      name, "1.3.6.1.5.5.7.4." #n }

/* { id-pkix pkip(5) m n }, m is 1 for regCtrl, 2 for regInfo */

#define cmp_oid_pkip(m, n, name)                                              \
    { 9, { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x05, m, n },                  \
      name, "1.3.6.1.5.5.7.5." #m "." #n }


const cmp_oid_t  cmp_oid_password_based_mac =
    cmp_oid_nt(13, "id-PasswordBasedMac");

const cmp_oid_t  cmp_oid_dh_based_mac =
    cmp_oid_nt(30, "id-DHBasedMac");

const cmp_oid_t  cmp_oid_kem_based_mac =
    cmp_oid_nt(16, "id-KemBasedMac");

const cmp_oid_t  cmp_oid_pbmac1 =
    cmp_oid_pkcs5(14, "id-PBMAC1");

const cmp_oid_t  cmp_oid_pbkdf2 =
    cmp_oid_pkcs5(12, "id-PBKDF2");

/* { iso(1) ... security(5) mechanisms(5) 8 1 hMAC-SHA1(2) } */

const cmp_oid_t  cmp_oid_hmac_sha1_ipsec =
    { 8, { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x08, 0x01, 0x02 },
      "hMAC-SHA1", "1.3.6.1.5.5.8.1.2" };

const cmp_oid_t  cmp_oid_hmac_with_sha1 =
    cmp_oid_digest(7, "id-hmacWithSHA1");

const cmp_oid_t  cmp_oid_hmac_with_sha224 =
    cmp_oid_digest(8, "id-hmacWithSHA224");

const cmp_oid_t  cmp_oid_hmac_with_sha256 =
    cmp_oid_digest(9, "id-hmacWithSHA256");

const cmp_oid_t  cmp_oid_hmac_with_sha384 =
    cmp_oid_digest(10, "id-hmacWithSHA384");

const cmp_oid_t  cmp_oid_hmac_with_sha512 =
    cmp_oid_digest(11, "id-hmacWithSHA512");

const cmp_oid_t  cmp_oid_kmac_with_shake128 =
    cmp_oid_nist_hash(19, "id-KMACWithSHAKE128");

const cmp_oid_t  cmp_oid_kmac_with_shake256 =
    cmp_oid_nist_hash(20, "id-KMACWithSHAKE256");

const cmp_oid_t  cmp_oid_hkdf_with_sha256 =
    cmp_oid_smime(3, 28, "id-alg-hkdf-with-sha256");

const cmp_oid_t  cmp_oid_hkdf_with_sha384 =
    cmp_oid_smime(3, 29, "id-alg-hkdf-with-sha384");

const cmp_oid_t  cmp_oid_hkdf_with_sha512 =
    cmp_oid_smime(3, 30, "id-alg-hkdf-with-sha512");


const cmp_oid_t  cmp_oid_it_ca_prot_enc_cert =
    cmp_oid_it(1, "id-it-caProtEncCert");

const cmp_oid_t  cmp_oid_it_sign_key_pair_types =
    cmp_oid_it(2, "id-it-signKeyPairTypes");

const cmp_oid_t  cmp_oid_it_enc_key_pair_types =
    cmp_oid_it(3, "id-it-encKeyPairTypes");

const cmp_oid_t  cmp_oid_it_preferred_symm_alg =
    cmp_oid_it(4, "id-it-preferredSymmAlg");

const cmp_oid_t  cmp_oid_it_ca_key_update_info =
    cmp_oid_it(5, "id-it-caKeyUpdateInfo");

const cmp_oid_t  cmp_oid_it_current_crl =
    cmp_oid_it(6, "id-it-currentCRL");

const cmp_oid_t  cmp_oid_it_unsupported_oids =
    cmp_oid_it(7, "id-it-unsupportedOIDs");

const cmp_oid_t  cmp_oid_it_key_pair_param_req =
    cmp_oid_it(10, "id-it-keyPairParamReq");

const cmp_oid_t  cmp_oid_it_key_pair_param_rep =
    cmp_oid_it(11, "id-it-keyPairParamRep");

const cmp_oid_t  cmp_oid_it_rev_passphrase =
    cmp_oid_it(12, "id-it-revPassphrase");

const cmp_oid_t  cmp_oid_it_implicit_confirm =
    cmp_oid_it(13, "id-it-implicitConfirm");

const cmp_oid_t  cmp_oid_it_confirm_wait_time =
    cmp_oid_it(14, "id-it-confirmWaitTime");

const cmp_oid_t  cmp_oid_it_orig_pki_message =
    cmp_oid_it(15, "id-it-origPKIMessage");

const cmp_oid_t  cmp_oid_it_supp_lang_tags =
    cmp_oid_it(16, "id-it-suppLangTags");

const cmp_oid_t  cmp_oid_it_ca_certs =
    cmp_oid_it(17, "id-it-caCerts");

const cmp_oid_t  cmp_oid_it_root_ca_key_update =
    cmp_oid_it(18, "id-it-rootCaKeyUpdate");

const cmp_oid_t  cmp_oid_it_cert_req_template =
    cmp_oid_it(19, "id-it-certReqTemplate");

const cmp_oid_t  cmp_oid_it_root_ca_cert =
    cmp_oid_it(20, "id-it-rootCaCert");

const cmp_oid_t  cmp_oid_it_cert_profile =
    cmp_oid_it(21, "id-it-certProfile");

const cmp_oid_t  cmp_oid_it_crl_status_list =
    cmp_oid_it(22, "id-it-crlStatusList");

const cmp_oid_t  cmp_oid_it_crls =
    cmp_oid_it(23, "id-it-crls");

const cmp_oid_t  cmp_oid_it_kem_ciphertext_info =
    cmp_oid_it(24, "id-it-KemCiphertextInfo");


const cmp_oid_t  cmp_oid_reg_ctrl_reg_token =
    cmp_oid_pkip(1, 1, "id-regCtrl-regToken");

const cmp_oid_t  cmp_oid_reg_ctrl_authenticator =
    cmp_oid_pkip(1, 2, "id-regCtrl-authenticator");

const cmp_oid_t  cmp_oid_reg_ctrl_pki_publication_info =
    cmp_oid_pkip(1, 3, "id-regCtrl-pkiPublicationInfo");

const cmp_oid_t  cmp_oid_reg_ctrl_pki_archive_options =
    cmp_oid_pkip(1, 4, "id-regCtrl-pkiArchiveOptions");

const cmp_oid_t  cmp_oid_reg_ctrl_old_cert_id =
    cmp_oid_pkip(1, 5, "id-regCtrl-oldCertID");

const cmp_oid_t  cmp_oid_reg_ctrl_protocol_encr_key =
    cmp_oid_pkip(1, 6, "id-regCtrl-protocolEncrKey");

const cmp_oid_t  cmp_oid_reg_ctrl_alt_cert_template =
    cmp_oid_pkip(1, 7, "id-regCtrl-altCertTemplate");

const cmp_oid_t  cmp_oid_reg_ctrl_alg_id =
    cmp_oid_pkip(1, 11, "id-regCtrl-algId");

const cmp_oid_t  cmp_oid_reg_ctrl_rsa_key_len =
    cmp_oid_pkip(1, 12, "id-regCtrl-rsaKeyLen");

const cmp_oid_t  cmp_oid_reg_info_utf8_pairs =
    cmp_oid_pkip(2, 1, "id-regInfo-utf8Pairs");

const cmp_oid_t  cmp_oid_reg_info_cert_req =
    cmp_oid_pkip(2, 2, "id-regInfo-certReq");


const cmp_oid_t  cmp_oid_ct_enc_key_with_id =
    cmp_oid_smime(1, 21, "id-ct-encKeyWithID");

const cmp_oid_t  cmp_oid_kp_cmc_ca =
    cmp_oid_kp(27, "id-kp-cmcCA");

const cmp_oid_t  cmp_oid_kp_cmc_ra =
    cmp_oid_kp(28, "id-kp-cmcRA");

const cmp_oid_t  cmp_oid_kp_cm_kga =
    cmp_oid_kp(32, "id-kp-cmKGA");


static const cmp_oid_t  *cmp_oids[] = {
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
    &cmp_oid_kp_cm_kga,
    NULL
};


int
cmp_oid_equal(const ASN1_OBJECT *object, const cmp_oid_t *oid)
{
    if (object == NULL || OBJ_length(object) != oid->len) {
        return 0;
    }

    return memcmp(OBJ_get0_data(object), oid->data, oid->len) == 0;
}


const cmp_oid_t *
cmp_oid_find(const ASN1_OBJECT *object)
{
    size_t  i;

    for (i = 0; cmp_oids[i] != NULL; i++) {

        if (cmp_oid_equal(object, cmp_oids[i])) {
            return cmp_oids[i];
        }
    }

    return NULL;
}


ASN1_OBJECT *
cmp_oid_object(const cmp_oid_t *oid)
{
    ASN1_OBJECT          *object;
    unsigned char         der[CMP_OID_LEN + 2];
    const unsigned char  *p;

    der[0] = V_ASN1_OBJECT;
    der[1] = (unsigned char) oid->len;
    memcpy(der + 2, oid->data, oid->len);

    (void) ERR_set_mark();

    p = der;
    object = d2i_ASN1_OBJECT(NULL, &p, (long) oid->len + 2);

    (void) ERR_pop_to_mark();

    return object;
}


const char *
cmp_oid_name(const ASN1_OBJECT *object, char *buf, size_t size)
{
    int               max;
    const cmp_oid_t  *oid;

    if (size == 0) {
        return buf;
    }

    buf[0] = '\0';

    oid = cmp_oid_find(object);

    if (oid != NULL) {
        (void) OPENSSL_strlcpy(buf, oid->name, size);
        return buf;
    }

    if (object != NULL) {
        (void) ERR_set_mark();

        max = size > 128 ? 128 : (int) size;
        (void) OBJ_obj2txt(buf, max, object, 1);

        (void) ERR_pop_to_mark();
    }

    return buf;
}
