
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Object identifiers of RFC 9810, RFC 4211 and RFC 9481.  Several have no NID
 * in OpenSSL 3.0, and none is registered there: that would be global.
 */


#ifndef _CMP_OID_H_INCLUDED_
#define _CMP_OID_H_INCLUDED_


#include <stddef.h>

#include <openssl/asn1.h>


#define CMP_OID_LEN           12


typedef struct {
    size_t                    len;
    unsigned char             data[CMP_OID_LEN];    /* content octets */
    const char               *name;                 /* as in the RFC */
    const char               *text;                 /* dotted */
} cmp_oid_t;


/* protection: RFC 9810, 5.1.3; RFC 9481 */

extern const cmp_oid_t  cmp_oid_password_based_mac;
extern const cmp_oid_t  cmp_oid_dh_based_mac;
extern const cmp_oid_t  cmp_oid_kem_based_mac;
extern const cmp_oid_t  cmp_oid_pbmac1;
extern const cmp_oid_t  cmp_oid_pbkdf2;
extern const cmp_oid_t  cmp_oid_hmac_sha1_ipsec;
extern const cmp_oid_t  cmp_oid_hmac_with_sha1;
extern const cmp_oid_t  cmp_oid_hmac_with_sha224;
extern const cmp_oid_t  cmp_oid_hmac_with_sha256;
extern const cmp_oid_t  cmp_oid_hmac_with_sha384;
extern const cmp_oid_t  cmp_oid_hmac_with_sha512;
extern const cmp_oid_t  cmp_oid_kmac_with_shake128;
extern const cmp_oid_t  cmp_oid_kmac_with_shake256;
extern const cmp_oid_t  cmp_oid_hkdf_with_sha256;
extern const cmp_oid_t  cmp_oid_hkdf_with_sha384;
extern const cmp_oid_t  cmp_oid_hkdf_with_sha512;

/* id-it: RFC 9810, 5.1.1 and 5.3.19 */

extern const cmp_oid_t  cmp_oid_it_ca_prot_enc_cert;
extern const cmp_oid_t  cmp_oid_it_sign_key_pair_types;
extern const cmp_oid_t  cmp_oid_it_enc_key_pair_types;
extern const cmp_oid_t  cmp_oid_it_preferred_symm_alg;
extern const cmp_oid_t  cmp_oid_it_ca_key_update_info;
extern const cmp_oid_t  cmp_oid_it_current_crl;
extern const cmp_oid_t  cmp_oid_it_unsupported_oids;
extern const cmp_oid_t  cmp_oid_it_key_pair_param_req;
extern const cmp_oid_t  cmp_oid_it_key_pair_param_rep;
extern const cmp_oid_t  cmp_oid_it_rev_passphrase;
extern const cmp_oid_t  cmp_oid_it_implicit_confirm;
extern const cmp_oid_t  cmp_oid_it_confirm_wait_time;
extern const cmp_oid_t  cmp_oid_it_orig_pki_message;
extern const cmp_oid_t  cmp_oid_it_supp_lang_tags;
extern const cmp_oid_t  cmp_oid_it_ca_certs;
extern const cmp_oid_t  cmp_oid_it_root_ca_key_update;
extern const cmp_oid_t  cmp_oid_it_cert_req_template;
extern const cmp_oid_t  cmp_oid_it_root_ca_cert;
extern const cmp_oid_t  cmp_oid_it_cert_profile;
extern const cmp_oid_t  cmp_oid_it_crl_status_list;
extern const cmp_oid_t  cmp_oid_it_crls;
extern const cmp_oid_t  cmp_oid_it_kem_ciphertext_info;

/* id-regCtrl and id-regInfo: RFC 4211, 6 and 7; RFC 9810, 5.3.19.16 */

extern const cmp_oid_t  cmp_oid_reg_ctrl_reg_token;
extern const cmp_oid_t  cmp_oid_reg_ctrl_authenticator;
extern const cmp_oid_t  cmp_oid_reg_ctrl_pki_publication_info;
extern const cmp_oid_t  cmp_oid_reg_ctrl_pki_archive_options;
extern const cmp_oid_t  cmp_oid_reg_ctrl_old_cert_id;
extern const cmp_oid_t  cmp_oid_reg_ctrl_protocol_encr_key;
extern const cmp_oid_t  cmp_oid_reg_ctrl_alt_cert_template;
extern const cmp_oid_t  cmp_oid_reg_ctrl_alg_id;
extern const cmp_oid_t  cmp_oid_reg_ctrl_rsa_key_len;
extern const cmp_oid_t  cmp_oid_reg_info_utf8_pairs;
extern const cmp_oid_t  cmp_oid_reg_info_cert_req;

/* content types and extended key usages: RFC 4211, 4.2.1; RFC 9810, 4.5 */

extern const cmp_oid_t  cmp_oid_ct_enc_key_with_id;
extern const cmp_oid_t  cmp_oid_kp_cmc_ca;
extern const cmp_oid_t  cmp_oid_kp_cmc_ra;
extern const cmp_oid_t  cmp_oid_kp_cm_kga;


/* 1 when equal, 0 otherwise or when object is NULL */
int cmp_oid_equal(const ASN1_OBJECT *object, const cmp_oid_t *oid);

/* the one of the above that the object is, or NULL */
const cmp_oid_t *cmp_oid_find(const ASN1_OBJECT *object);

/* a new object, to be freed by ASN1_OBJECT_free(), or NULL */
ASN1_OBJECT *cmp_oid_object(const cmp_oid_t *oid);

/*
 * For logs: the name of the object, if it is one of the above, else the dotted
 * numbers, always zero-terminated and cut to "size" octets.  Returns buf.
 */
const char *cmp_oid_name(const ASN1_OBJECT *object, char *buf, size_t size);


#endif /* _CMP_OID_H_INCLUDED_ */
