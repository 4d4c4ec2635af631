
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * The extensions of certificates: what the profile grants, changes, refuses.
 */


#include <issue_util.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>


typedef struct {
    int                        flags;
    int                        kind;    /* of the key */
    const char                *exts;    /* "name=value;..." */
    cmp_refuse_e               code;
    const char                *text;    /* detail, or mods; "" for none */
    const char                *issued;  /* all extensions; NULL: any */
} test_ext_t;


#define KEY_ID   "subjectKeyIdentifier:SKI;authorityKeyIdentifier:AKI;"
#define SAN_A    "subjectAltName:DNS:a.example;"
#define DEFAULT  "keyUsage!:Digital Signature, Key Agreement;"                \
                 "extendedKeyUsage:TLS Web Client Authentication;" KEY_ID


static const test_ext_t  test_exts[] = {

    /* nothing asked for */

    { 0, PKI_P256, NULL, CMP_REFUSE_NONE, "", DEFAULT },
    { ISSUE_ENCRYPT, PKI_RSA, NULL, CMP_REFUSE_NONE, "",
      "keyUsage!:Digital Signature, Key Encipherment;"
      "extendedKeyUsage:TLS Web Client Authentication;" KEY_ID },
    { 0, PKI_ED25519, NULL, CMP_REFUSE_NONE, "",
      "keyUsage!:Digital Signature;"
      "extendedKeyUsage:TLS Web Client Authentication;" KEY_ID },
    { ISSUE_ANY_EKU, PKI_ED25519, NULL, CMP_REFUSE_NONE, "",
      "keyUsage!:Digital Signature;" KEY_ID },
    { ISSUE_CA, PKI_P256, NULL, CMP_REFUSE_NONE, "",
      "basicConstraints!:CA:TRUE;keyUsage!:Certificate Sign, CRL Sign;"
      KEY_ID },
    { ISSUE_CA | ISSUE_PATH_0, PKI_P256, NULL, CMP_REFUSE_NONE, "",
      "basicConstraints!:CA:TRUE, pathlen:0;"
      "keyUsage!:Certificate Sign, CRL Sign;" KEY_ID },
    { ISSUE_RA, PKI_P256, NULL, CMP_REFUSE_NONE, "",
      "keyUsage!:Digital Signature;"
      "extendedKeyUsage:CMC Registration Authority;" KEY_ID },

    /* keys */

    { 0, PKI_P384, NULL, CMP_REFUSE_KEY_ALG,
      "ec:P-384 is none of ec:P-256, ed25519", NULL },
    { 0, PKI_RSA_1024, NULL, CMP_REFUSE_KEY,
      "an RSA modulus of less than 2048 bits", NULL },
    { 0, -1, NULL, CMP_REFUSE_NO_KEY, "", NULL },

    /* basicConstraints */

    { 0, PKI_P256, "basicConstraints=CA:FALSE", CMP_REFUSE_NONE, "",
      "basicConstraints:CA:FALSE;" DEFAULT },
    { 0, PKI_P256, "basicConstraints=critical,CA:FALSE", CMP_REFUSE_NONE, "",
      "basicConstraints!:CA:FALSE;" DEFAULT },
    { 0, PKI_P256, "basicConstraints=critical,CA:TRUE",
      CMP_REFUSE_CA_CERTIFICATE, "", NULL },
    { ISSUE_DROP, PKI_P256, "basicConstraints=CA:TRUE",
      CMP_REFUSE_CA_CERTIFICATE, "", NULL },
    { 0, PKI_P256, "basicConstraints=CA:FALSE,pathlen:0",
      CMP_REFUSE_TEMPLATE, "pathLenConstraint without cA", NULL },
    { 0, PKI_P256, "basicConstraints=DER:0500", CMP_REFUSE_EXTENSION_VALUE,
      "basicConstraints", NULL },
    { 0, PKI_P256, "basicConstraints=DER:300000", CMP_REFUSE_EXTENSION_VALUE,
      "basicConstraints", NULL },
    { ISSUE_CA, PKI_P256, "basicConstraints=CA:FALSE", CMP_REFUSE_TEMPLATE,
      "the certificate profile is for CA certificates, but cA is FALSE",
      NULL },
    { ISSUE_CA, PKI_P256, "basicConstraints=CA:TRUE,pathlen:3",
      CMP_REFUSE_NONE, "", "basicConstraints!:CA:TRUE, pathlen:3;"
      "keyUsage!:Certificate Sign, CRL Sign;" KEY_ID },
    { ISSUE_CA | ISSUE_PATH_0, PKI_P256, "basicConstraints=CA:TRUE",
      CMP_REFUSE_NONE, "pathLenConstraint was set by the certificate profile",
      "basicConstraints!:CA:TRUE, pathlen:0;"
      "keyUsage!:Certificate Sign, CRL Sign;" KEY_ID },
    { ISSUE_CA | ISSUE_PATH_0, PKI_P256, "basicConstraints=CA:TRUE,pathlen:1",
      CMP_REFUSE_TEMPLATE,
      "pathLenConstraint is over that of the certificate profile", NULL },
    { ISSUE_CA | ISSUE_PATH_0 | ISSUE_DROP, PKI_P256,
      "basicConstraints=CA:TRUE,pathlen:1", CMP_REFUSE_NONE,
      "pathLenConstraint was reduced", NULL },
    { ISSUE_CA, PKI_P256, "basicConstraints=DER:30060101FF0201FF",
      CMP_REFUSE_EXTENSION_VALUE, "basicConstraints", NULL },

    /* keyUsage */

    { 0, PKI_P256, "keyUsage=digitalSignature", CMP_REFUSE_NONE, "",
      "keyUsage!:Digital Signature;"
      "extendedKeyUsage:TLS Web Client Authentication;" KEY_ID },
    { 0, PKI_P256, "keyUsage=digitalSignature,nonRepudiation",
      CMP_REFUSE_KEY_USAGE, "keyUsage", NULL },
    { ISSUE_DROP, PKI_P256, "keyUsage=digitalSignature,nonRepudiation",
      CMP_REFUSE_NONE, "keyUsage was reduced",
      "keyUsage!:Digital Signature;"
      "extendedKeyUsage:TLS Web Client Authentication;" KEY_ID },
    { ISSUE_DROP, PKI_P256, "keyUsage=nonRepudiation", CMP_REFUSE_KEY_USAGE,
      "no key usage is left for this kind of key", NULL },
    { 0, PKI_ED25519, "keyUsage=digitalSignature,keyAgreement",
      CMP_REFUSE_KEY_USAGE, "a key of this kind cannot serve all of keyUsage",
      NULL },
    { 0, PKI_P256, "keyUsage=keyCertSign", CMP_REFUSE_TEMPLATE,
      "keyCertSign without cA", NULL },
    { ISSUE_DROP, PKI_P256, "keyUsage=keyCertSign,digitalSignature",
      CMP_REFUSE_TEMPLATE, "keyCertSign without cA", NULL },
    { 0, PKI_P256, "keyUsage=keyCertSign;basicConstraints=CA:TRUE",
      CMP_REFUSE_CA_CERTIFICATE, "", NULL },
    { 0, PKI_P256, "keyUsage=cRLSign", CMP_REFUSE_KEY_USAGE, "keyUsage",
      NULL },
    { 0, PKI_P256, "keyUsage=encipherOnly", CMP_REFUSE_KEY_USAGE,
      "encipherOnly and decipherOnly mean nothing without keyAgreement",
      NULL },
    { ISSUE_CA, PKI_P256, "keyUsage=cRLSign", CMP_REFUSE_KEY_USAGE,
      "a CA certificate needs keyCertSign", NULL },
    { ISSUE_CA, PKI_P256, "keyUsage=keyCertSign", CMP_REFUSE_NONE, "",
      "basicConstraints!:CA:TRUE;keyUsage!:Certificate Sign;" KEY_ID },
    { 0, PKI_P256, "keyUsage=DER:030100", CMP_REFUSE_EXTENSION_VALUE,
      "keyUsage", NULL },
    { 0, PKI_P256, "keyUsage=DER:03020780FF", CMP_REFUSE_EXTENSION_VALUE,
      "keyUsage", NULL },
    { 0, PKI_P256, "keyUsage=DER:0304008000FF", CMP_REFUSE_EXTENSION_VALUE,
      "keyUsage", NULL },
    { 0, PKI_P256, "keyUsage=DER:03030680" "40", CMP_REFUSE_EXTENSION_VALUE,
      "keyUsage", NULL },

    /* extKeyUsage */

    { 0, PKI_ED25519, "extendedKeyUsage=clientAuth", CMP_REFUSE_NONE, "",
      NULL },
    { 0, PKI_ED25519, "extendedKeyUsage=critical,clientAuth", CMP_REFUSE_NONE,
      "", "keyUsage!:Digital Signature;"
      "extendedKeyUsage!:TLS Web Client Authentication;" KEY_ID },
    { 0, PKI_P256, "extendedKeyUsage=clientAuth,serverAuth",
      CMP_REFUSE_KEY_USAGE, "extKeyUsage", NULL },
    { ISSUE_DROP, PKI_P256, "extendedKeyUsage=clientAuth,serverAuth",
      CMP_REFUSE_NONE, "extKeyUsage was reduced", DEFAULT },
    { ISSUE_DROP, PKI_P256, "extendedKeyUsage=serverAuth",
      CMP_REFUSE_KEY_USAGE, "nothing of extKeyUsage is allowed", NULL },
    { ISSUE_ANY_EKU, PKI_P256, "extendedKeyUsage=serverAuth",
      CMP_REFUSE_KEY_USAGE, "extKeyUsage", NULL },
    { ISSUE_ANY_EKU | ISSUE_DROP, PKI_ED25519, "extendedKeyUsage=serverAuth",
      CMP_REFUSE_NONE, "extKeyUsage was reduced",
      "keyUsage!:Digital Signature;" KEY_ID },
    { ISSUE_ANY_EKU | ISSUE_DROP, PKI_ED25519,
      "extendedKeyUsage=critical,serverAuth", CMP_REFUSE_KEY_USAGE,
      "nothing of extKeyUsage is allowed", NULL },
    { ISSUE_DROP, PKI_P256, "extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28",
      CMP_REFUSE_CA_CERTIFICATE, "", NULL },
    { ISSUE_DROP, PKI_P256, "extendedKeyUsage=1.3.6.1.5.5.7.3.27",
      CMP_REFUSE_CA_CERTIFICATE, "", NULL },
    { ISSUE_DROP, PKI_P256, "extendedKeyUsage=1.3.6.1.5.5.7.3.32",
      CMP_REFUSE_CA_CERTIFICATE, "", NULL },
    { ISSUE_RA, PKI_P256, "extendedKeyUsage=1.3.6.1.5.5.7.3.28",
      CMP_REFUSE_NONE, "", NULL },
    { ISSUE_RA, PKI_P256, "extendedKeyUsage=1.3.6.1.5.5.7.3.32",
      CMP_REFUSE_CA_CERTIFICATE, "", NULL },
    { 0, PKI_P256, "extendedKeyUsage=clientAuth,clientAuth",
      CMP_REFUSE_EXTENSION_VALUE, "extKeyUsage", NULL },
    { 0, PKI_P256, "extendedKeyUsage=DER:3000", CMP_REFUSE_EXTENSION_VALUE,
      "extKeyUsage", NULL },

    /* subjectAltName */

    { 0, PKI_P256, "subjectAltName=DNS:a.example", CMP_REFUSE_NONE, "",
      DEFAULT SAN_A },
    { 0, PKI_P256, "subjectAltName=critical,DNS:a.example", CMP_REFUSE_NONE,
      "", DEFAULT "subjectAltName!:DNS:a.example;" },
    { 0, PKI_P256, "subjectAltName=DNS:a.example,IP:192.0.2.1",
      CMP_REFUSE_NONE, "", DEFAULT
      "subjectAltName:DNS:a.example, IP Address:192.0.2.1;" },
    { 0, PKI_P256, "subjectAltName=DNS:a.example,email:a@a.example",
      CMP_REFUSE_SAN, "name 2 of 2 is not allowed", NULL },
    { 0, PKI_P256, "subjectAltName=DNS:a.b.example", CMP_REFUSE_SAN,
      "name 1 of 1 is not allowed", NULL },
    { 0, PKI_P256, "subjectAltName=DNS:*.example", CMP_REFUSE_SAN,
      "name 1 of 1 is not allowed", NULL },
    { 0, PKI_P256, "subjectAltName=DNS:a_b.example", CMP_REFUSE_SAN,
      "dNSName is not a host name", NULL },
    { 0, PKI_P256, "subjectAltName=DER:3000", CMP_REFUSE_EXTENSION_VALUE,
      "subjectAltName", NULL },
    { 0, PKI_P256, "subjectAltName=DER:30038203414243",
      CMP_REFUSE_EXTENSION_VALUE, "subjectAltName", NULL },
    { 0, PKI_P256, "subjectAltName=DER:3008870601020304050A",
      CMP_REFUSE_SAN, "iPAddress has neither 4 nor 16 octets", NULL },
    { ISSUE_NO_SAN, PKI_P256, "subjectAltName=DNS:a.example", CMP_REFUSE_SAN,
      "none is allowed", NULL },
    { ISSUE_NO_SAN | ISSUE_DROP, PKI_P256, "subjectAltName=DNS:a.example",
      CMP_REFUSE_NONE, "subjectAltName was left out", DEFAULT },
    { ISSUE_NO_SAN | ISSUE_DROP, PKI_P256,
      "subjectAltName=critical,DNS:a.example", CMP_REFUSE_SAN,
      "none is allowed", NULL },
    { ISSUE_SAN_REQUIRED, PKI_P256, NULL, CMP_REFUSE_SAN, "one is required",
      NULL },
    { ISSUE_SAN_REQUIRED, PKI_P256, "subjectAltName=DNS:a.example",
      CMP_REFUSE_NONE, "", NULL },

    /* key identifiers */

    { 0, PKI_P256, "subjectKeyIdentifier=DER:040401020304",
      CMP_REFUSE_EXTENSION, "subjectKeyIdentifier", NULL },
    { ISSUE_DROP, PKI_P256, "subjectKeyIdentifier=DER:040401020304",
      CMP_REFUSE_NONE, "extension subjectKeyIdentifier was left out",
      DEFAULT },
    { 0, PKI_P256, "subjectKeyIdentifier=DER:0404010203",
      CMP_REFUSE_EXTENSION_VALUE, "subjectKeyIdentifier", NULL },
    { 0, PKI_P256, "subjectKeyIdentifier=ours", CMP_REFUSE_NONE, "",
      DEFAULT },
    { 0, PKI_P256, "subjectKeyIdentifier=sha1", CMP_REFUSE_NONE, "",
      DEFAULT },
    { 0, PKI_P256, "authorityKeyIdentifier=DER:3000", CMP_REFUSE_EXTENSION,
      "authorityKeyIdentifier", NULL },
    { ISSUE_DROP, PKI_P256, "authorityKeyIdentifier=DER:3000",
      CMP_REFUSE_NONE, "extension authorityKeyIdentifier was left out",
      DEFAULT },

    /* others */

    { 0, PKI_P256, "1.2.3.4.1=0500", CMP_REFUSE_NONE, "",
      DEFAULT "1.2.3.4.1:0500;" },
    { 0, PKI_P256, "1.2.3.4.1=critical,0500", CMP_REFUSE_NONE, "",
      DEFAULT "1.2.3.4.1!:0500;" },
    { 0, PKI_P256, "1.2.3.4.1=0501", CMP_REFUSE_EXTENSION_VALUE, "1.2.3.4.1",
      NULL },
    { 0, PKI_P256, "1.2.3.4.1=05000500", CMP_REFUSE_EXTENSION_VALUE,
      "1.2.3.4.1", NULL },
    { 0, PKI_P256, "1.2.3.4.2=0500", CMP_REFUSE_EXTENSION, "1.2.3.4.2",
      NULL },
    { ISSUE_DROP, PKI_P256, "1.2.3.4.2=0500", CMP_REFUSE_NONE,
      "extension 1.2.3.4.2 was left out", DEFAULT },
    { ISSUE_DROP, PKI_P256, "1.2.3.4.2=critical,0500", CMP_REFUSE_EXTENSION,
      "1.2.3.4.2", NULL },
    { 0, PKI_P256, "tlsfeature=status_request", CMP_REFUSE_NONE, "",
      DEFAULT "tlsfeature:status_request;" },
    { 0, PKI_P256, "tlsfeature=DER:0500", CMP_REFUSE_EXTENSION_VALUE,
      "tlsfeature", NULL },
    { 0, PKI_P256, "tlsfeature=DER:3080020105" "0000",
      CMP_REFUSE_EXTENSION_VALUE, "it is not DER encoded", NULL },
    { 0, PKI_P256, "keyUsage=digitalSignature;keyUsage=digitalSignature",
      CMP_REFUSE_EXTENSION_TWICE, "keyUsage", NULL },
    { ISSUE_DROP, PKI_P256, "1.2.3.4.2=0500;1.2.3.4.2=0500",
      CMP_REFUSE_EXTENSION_TWICE, "1.2.3.4.2", NULL },
    { ISSUE_URLS, PKI_P256, NULL, CMP_REFUSE_NONE, "",
      DEFAULT "authorityInfoAccess:OCSP - URI:http://a.example/ocsp"
      "CA Issuers - URI:http://a.example/ca.cer;"
      "certificatePolicies:Policy: 1.2.3;"
      "crlDistributionPoints:Full Name:  URI:http://a.example/1.crl"
      "  URI:http://b.example/1.crl;" }
};


static void
test_issue_extensions(void **state)
{
    int                i, rc, sha1;
    char              *text;
    X509              *cert;
    issue_test_t       t;
    unsigned char      hash[CMP_SKI_LEN];
    const test_ext_t  *e;

    (void) state;

    for (i = 0; i < (int) (sizeof(test_exts) / sizeof(test_exts[0])); i++) {
        e = &test_exts[i];
        issue_create(&t, PKI_ED25519, e->flags);
        issue_ask(&t, e->kind, "/CN=dev-1", e->exts);

        sha1 = (e->exts != NULL && strstr(e->exts, "=sha1") != NULL);

        if (sha1) {
            issue_sha1(&t, hash);
        }

        rc = issue_prepare(&t);

        if (e->code != CMP_REFUSE_NONE) {
            issue_refused(i, rc, &t, e->code, e->text);
            issue_destroy(&t);
            continue;
        }

        if (rc != CMP_OK) {
            fail_msg("row %d: %d %s", i, t.refusal.code, t.refusal.detail);
        }

        assert_string_equal(t.issue.mods, e->text);
        assert_int_equal(t.issue.modified, e->text[0] != '\0');

        cert = issue_sign(&t);
        text = issue_extensions(cert);

        if (e->issued != NULL) {
            assert_string_equal(text, e->issued);
        }

        free(text);
        assert_int_equal(ASN1_OCTET_STRING_cmp(
                             X509_get0_authority_key_id(cert),
                             X509_get0_subject_key_id(
                                 t.ca.current.certificate)), 0);
        assert_int_equal(X509_get0_subject_key_id(cert)->length, 20);
        assert_memory_equal(X509_get0_subject_key_id(cert)->data,
                            sha1 ? hash : t.request.key_hash.data, 20);
        X509_free(cert);
        issue_destroy(&t);
    }
}


static void
test_issue_many(void **state)
{
    int              i;
    char             oid[32];
    issue_test_t           t;

    (void) state;

    issue_create(&t, PKI_ED25519, ISSUE_DROP);
    issue_ask(&t, PKI_ED25519, "/CN=a", "1.2.3.4.1=0500");

    for (i = 0; i < 31; i++) {
        snprintf(oid, sizeof(oid), "1.2.3.5.%d", i);
        sk_X509_EXTENSION_push(t.request.extensions,
                               issue_extension(oid, "0500"));
    }

    /* the list of changes is cut, not run over */

    test_ok(issue_prepare(&t));
    assert_int_equal(strlen(t.issue.mods), sizeof(t.issue.mods) - 1);

    sk_X509_EXTENSION_push(t.request.extensions,
                           issue_extension("1.2.3.6", "0500"));
    test_refused(issue_prepare(&t), &t.refusal, CMP_REFUSE_EXTENSION);

    issue_destroy(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_issue_extensions),
        cmocka_unit_test(test_issue_many)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
