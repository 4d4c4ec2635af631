
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Public keys: what is accepted, what is known to be weak, which digest goes
 * with which key.
 */


#include <test_util.h>
#include <pki.h>

#include <cmp_key.h>

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>


#define TEST_MAX_DER  8192


typedef struct {
    const char      *word;
    const char      *err;       /* NULL: accepted */
} test_word_t;


static cmp_public_key_t *test_decode_key(const unsigned char *der, int len);
static cmp_public_key_t *test_spki(int nid, int type, void *value,
    const unsigned char *p, int len);
static cmp_public_key_t *test_rsa_spki(const BIGNUM *n, const BIGNUM *e,
    int pad);
static BIGNUM *test_modulus(void);
static void test_rsa(BIGNUM *n, BN_ULONG e, const char *detail);
static void test_check(cmp_public_key_t *key, cmp_refuse_e code,
    const char *detail);


static cmp_public_key_t *
test_decode_key(const unsigned char *der, int len)
{
    cmp_public_key_t  *key;

    key = cmp_asn1_decode(cmp_public_key_t, der, len);
    assert_non_null(key);
    assert_int_equal(ERR_peek_error(), 0);

    return key;
}


/* takes value over, as X509_PUBKEY_set0_param() does */

static cmp_public_key_t *
test_spki(int nid, int type, void *value, const unsigned char *p, int len)
{
    int                n;
    X509_PUBKEY       *spki;
    unsigned char     *der;
    cmp_public_key_t  *key;

    spki = X509_PUBKEY_new();
    assert_non_null(spki);
    assert_int_equal(X509_PUBKEY_set0_param(spki, OBJ_nid2obj(nid), type, value,
                                            OPENSSL_memdup(p, len), len), 1);

    der = NULL;
    n = i2d_X509_PUBKEY(spki, &der);
    assert_true(n > 0);
    X509_PUBKEY_free(spki);

    key = test_decode_key(der, n);
    OPENSSL_free(der);

    return key;
}


/* pad: so many zero octets too many before the modulus */

static cmp_public_key_t *
test_rsa_spki(const BIGNUM *n, const BIGNUM *e, int pad)
{
    int             len, content;
    ASN1_INTEGER   *in, *ie;
    unsigned char   body[TEST_MAX_DER], der[TEST_MAX_DER], *p;

    in = BN_to_ASN1_INTEGER(n, NULL);
    ie = BN_to_ASN1_INTEGER(e, NULL);
    assert_true(in != NULL && ie != NULL);

    p = body;
    i2d_ASN1_INTEGER(in, &p);

    if (pad) {
        memmove(body + 5, body + 4, p - body - 4);
        body[4] = 0;
        p++;
        len = (int) (p - body) - 4;
        body[2] = (unsigned char) (len >> 8);
        body[3] = (unsigned char) len;
    }

    i2d_ASN1_INTEGER(ie, &p);
    content = (int) (p - body);

    ASN1_INTEGER_free(in);
    ASN1_INTEGER_free(ie);

    p = der;
    ASN1_put_object(&p, 1, content, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(p, body, content);
    p += content;

    return test_spki(NID_rsaEncryption, V_ASN1_NULL, NULL, der,
                     (int) (p - der));
}


static void
test_check(cmp_public_key_t *key, cmp_refuse_e code, const char *detail)
{
    int            rc;
    cmp_refusal_t  refusal;

    memset(&refusal, 0, sizeof(cmp_refusal_t));

    rc = cmp_key_check(key, &refusal);

    if (code == CMP_REFUSE_NONE) {
        if (rc != CMP_OK) {
            fail_msg("refused: %s, %s", refusal.detail, refusal.log);
        }

        test_ok(rc);

    } else {
        test_refused(rc, &refusal, code);
        assert_string_equal(refusal.detail, detail);
    }

    cmp_asn1_free(cmp_public_key_t, key);
}


static void
test_key_kinds(void **state)
{
    int            kind, len;
    EVP_PKEY      *key;
    unsigned char *der;

    (void) state;

    for (kind = PKI_ED25519; kind <= PKI_RSA_1024; kind++) {
        key = pki_key(kind, "key");
        der = NULL;
        len = i2d_PUBKEY(key, &der);
        assert_true(len > 0);

        test_check(test_decode_key(der, len),
                   (kind == PKI_RSA_1024) ? CMP_REFUSE_KEY : CMP_REFUSE_NONE,
                   "an RSA modulus of less than 2048 bits");

        OPENSSL_free(der);
        EVP_PKEY_free(key);
    }
}


/* with unused bits in the BIT STRING, another hash would name the key */

static void
test_key_bits(void **state)
{
    int             len;
    EVP_PKEY       *key;
    unsigned char  *der;

    (void) state;

    key = pki_key(PKI_ED25519, "key");
    der = NULL;
    len = i2d_PUBKEY(key, &der);
    EVP_PKEY_free(key);

    assert_int_equal(der[len - 33], 0);
    der[len - 1] &= 0xfe;
    der[len - 33] = 1;

    test_check(test_decode_key(der, len), CMP_REFUSE_KEY,
               "the public key is not a number of whole octets");
    OPENSSL_free(der);
}


static BIGNUM *
test_modulus(void)
{
    BIGNUM    *n;
    EVP_PKEY  *key;

    key = pki_key(PKI_RSA, "modulus");
    n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, "n", &n), 1);
    EVP_PKEY_free(key);

    return n;
}


/* frees n */

static void
test_rsa(BIGNUM *n, BN_ULONG e, const char *detail)
{
    BIGNUM            *exponent;
    cmp_public_key_t  *key;

    exponent = BN_new();
    assert_int_equal(BN_set_word(exponent, e), 1);

    key = test_rsa_spki(n, exponent, 0);

    test_check(key, (detail != NULL) ? CMP_REFUSE_KEY : CMP_REFUSE_NONE,
               detail);

    BN_free(exponent);
    BN_free(n);
}


static void
test_key_rsa(void **state)
{
    BIGNUM       *n, *e;
    const char   *exponent;

    (void) state;

    test_rsa(test_modulus(), 65537, NULL);
    test_rsa(test_modulus(), 0x100000001UL, NULL);
    test_rsa(test_modulus(), 3, "an RSA exponent of less than 65537");
    test_rsa(test_modulus(), 1, "an RSA exponent of less than 65537");
    test_rsa(test_modulus(), 65538, "an even RSA exponent");

    n = test_modulus();
    BN_sub_word(n, 1);
    test_rsa(n, 65537, "an even RSA modulus");

    n = test_modulus();
    BN_sub_word(n, BN_mod_word(n, 2 * 751) + 751);
    test_rsa(n, 65537, "an RSA modulus with a small factor");

    n = test_modulus();
    BN_clear_bit(n, 2047);
    BN_rshift1(n, n);
    BN_set_bit(n, 0);
    BN_set_bit(n, 2046);
    test_rsa(n, 65537, "an RSA modulus of less than 2048 bits");

    n = test_modulus();
    BN_lshift(n, n, 8192 - 2047);
    BN_add_word(n, 1);
    test_rsa(n, 65537, "an RSA modulus of more than 8192 bits");

    /* 65 bits */

    exponent = "10000000000000001";
    e = NULL;
    assert_true(BN_hex2bn(&e, exponent) != 0);
    n = test_modulus();
    test_check(test_rsa_spki(n, e, 0), CMP_REFUSE_KEY,
               "an RSA exponent of more than 64 bits");

    BN_set_word(e, 65537);
    test_check(test_rsa_spki(n, e, 1), CMP_REFUSE_KEY,
               "the public key is not DER encoded");

    BN_free(n);
    BN_free(e);
}


/* the residues that the faulty generator leaves: a power of 65537 */

static void
test_key_roca(void **state)
{
    int      i;
    BIGNUM  *m, *n, *power;
    BN_CTX  *ctx;

    static const int  primes[] = {
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67,
        71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
        149, 151, 157, 163, 167
    };

    (void) state;

    ctx = BN_CTX_new();
    m = BN_new();
    n = BN_new();
    power = BN_new();

    BN_one(m);

    for (i = 0; i < (int) (sizeof(primes) / sizeof(primes[0])); i++) {
        BN_mul_word(m, primes[i]);
    }

    BN_set_word(n, 65537);
    BN_set_word(power, 12345);
    BN_mod_exp(power, n, power, m, ctx);

    /* k * M + power with 2048 bits, without a small factor */

    BN_zero(n);
    BN_set_bit(n, 2048);
    BN_sub_word(n, 12345);
    BN_div(n, NULL, n, m, ctx);
    BN_mul(n, n, m, ctx);
    BN_add(n, n, power);

    for (i = 173; i < 752; i += 2) {
        if (BN_mod_word(n, i) == 0) {
            BN_sub(n, n, m);
            i = 171;
        }
    }

    test_rsa(n, 65537,
             "an RSA key of a generator with a known weakness (ROCA)");

    BN_free(m);
    BN_free(power);
    BN_CTX_free(ctx);
}


static void
test_key_close_primes(void **state)
{
    int      i, ok;
    BIGNUM  *a, *n, *p;
    BN_CTX  *ctx;

    (void) state;

    ctx = BN_CTX_new();
    a = test_modulus();
    p = BN_new();

    BN_rshift(a, a, 1024);
    BN_set_bit(a, 0);

    /* (a + 2i)^2 - 4, and a square */

    for (ok = 0; ok != 2; BN_add_word(a, 2)) {

        n = BN_new();
        BN_copy(p, a);
        BN_add_word(p, ok ? 0 : 4);
        BN_mul(n, a, p, ctx);

        for (i = 3; i < 752; i += 2) {
            if (BN_mod_word(n, i) == 0) {
                break;
            }
        }

        if (i < 752) {
            BN_free(n);
            continue;
        }

        test_rsa(n, 65537, "an RSA modulus of two primes that are too close");
        ok++;
    }

    BN_free(a);
    BN_free(p);
    BN_CTX_free(ctx);
}


static void
test_key_rsa_parameters(void **state)
{
    int                len;
    EVP_PKEY          *pkey;
    unsigned char     *der;
    cmp_public_key_t  *key;
    const unsigned char  *p;

    (void) state;

    pkey = pki_key(PKI_RSA, "parameters");
    der = NULL;
    len = i2d_PUBKEY(pkey, &der);
    key = test_decode_key(der, len);
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);

    p = ASN1_STRING_get0_data(key->subject_public_key);
    len = ASN1_STRING_length(key->subject_public_key);

    test_check(test_spki(NID_rsaEncryption, V_ASN1_UNDEF, NULL, p, len),
               CMP_REFUSE_KEY, "the parameters of rsaEncryption are not NULL");
    test_check(test_spki(NID_rsassaPss, V_ASN1_UNDEF, NULL, p, len),
               CMP_REFUSE_NONE, NULL);
    test_check(test_spki(NID_dsa, V_ASN1_NULL, NULL, p, len),
               CMP_REFUSE_KEY_ALG_UNKNOWN, "dsaEncryption");
    test_check(test_spki(NID_rsaEncryption, V_ASN1_NULL, NULL, p, len - 1),
               CMP_REFUSE_KEY, "");

    cmp_asn1_free(cmp_public_key_t, key);
}


static void
test_key_ec(void **state)
{
    int             len;
    size_t          n;
    EC_GROUP       *group;
    EVP_PKEY       *key;
    ASN1_STRING    *params;
    unsigned char   pub[65], *der;

    (void) state;

    key = pki_key(PKI_P256, "ec");
    assert_int_equal(EVP_PKEY_get_octet_string_param(key, "pub", pub,
                                                     sizeof(pub), &n), 1);
    assert_int_equal(n, 65);
    EVP_PKEY_free(key);

    test_check(test_spki(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT,
                         OBJ_nid2obj(NID_X9_62_prime256v1), pub, 65),
               CMP_REFUSE_NONE, NULL);

    test_check(test_spki(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT,
                         OBJ_nid2obj(NID_secp256k1), pub, 65),
               CMP_REFUSE_KEY, "the point is not on the curve");
    test_check(test_spki(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT,
                         OBJ_nid2obj(NID_secp224r1), pub, 57),
               CMP_REFUSE_KEY, "the elliptic curve is not supported");
    test_check(test_spki(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT,
                         OBJ_nid2obj(NID_secp384r1), pub, 65),
               CMP_REFUSE_KEY,
               "the point is not encoded in uncompressed form");
    test_check(test_spki(NID_X9_62_id_ecPublicKey, V_ASN1_UNDEF, NULL, pub,
                         65),
               CMP_REFUSE_KEY, "only EC keys on a named curve are accepted, "
               "no explicit parameters");

    pub[0] = 2 + (pub[64] & 1);
    test_check(test_spki(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT,
                         OBJ_nid2obj(NID_X9_62_prime256v1), pub, 33),
               CMP_REFUSE_KEY,
               "the point is not encoded in uncompressed form");

    pub[0] = 0;
    test_check(test_spki(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT,
                         OBJ_nid2obj(NID_X9_62_prime256v1), pub, 1),
               CMP_REFUSE_KEY,
               "the point is not encoded in uncompressed form");

    pub[0] = 4;
    pub[64] ^= 1;
    test_check(test_spki(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT,
                         OBJ_nid2obj(NID_X9_62_prime256v1), pub, 65),
               CMP_REFUSE_KEY, "the point is not on the curve");
    pub[64] ^= 1;

    /* the same curve, spelt out */

    group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_GROUP_set_asn1_flag(group, OPENSSL_EC_EXPLICIT_CURVE);
    der = NULL;
    len = i2d_ECPKParameters(group, &der);
    assert_true(len > 0);
    EC_GROUP_free(group);

    params = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
    ASN1_STRING_set0(params, der, len);

    test_check(test_spki(NID_X9_62_id_ecPublicKey, V_ASN1_SEQUENCE, params,
                         pub, 65),
               CMP_REFUSE_KEY, "only EC keys on a named curve are accepted, "
               "no explicit parameters");
}


static void
test_key_raw(void **state)
{
    unsigned char  raw[57];

    (void) state;

    memset(raw, 0x5a, sizeof(raw));

    test_check(test_spki(NID_ED25519, V_ASN1_UNDEF, NULL, raw, 32),
               CMP_REFUSE_NONE, NULL);
    test_check(test_spki(NID_X448, V_ASN1_UNDEF, NULL, raw, 56),
               CMP_REFUSE_NONE, NULL);
    test_check(test_spki(NID_ED25519, V_ASN1_UNDEF, NULL, raw, 31),
               CMP_REFUSE_KEY, "the public key has a wrong length");
    test_check(test_spki(NID_ED448, V_ASN1_NULL, NULL, raw, 57),
               CMP_REFUSE_KEY,
               "the algorithm of the key has no parameters");
}


static void
test_key_words(void **state)
{
    int             rc;
    char            err[300], text[64];
    size_t          i;
    cmp_str_t       word;
    cmp_key_rule_t  rule;

    static const test_word_t  words[] = {
        { "ec:P-256", NULL },
        { "ec:P-384", NULL },
        { "ec:P-521", NULL },
        { "ec:brainpoolP256r1", NULL },
        { "ed25519", NULL },
        { "ed448", NULL },
        { "x25519", NULL },
        { "rsa:3072", NULL },
        { "rsa:2048-8192", NULL },
        { "rsa-pss:2048-4096", NULL },
        { "rsa", "\"rsa\" needs a modulus size" },
        { "rsa:1024", "\"rsa\" needs a modulus size" },
        { "rsa:2048-16384", "\"rsa\" needs a modulus size" },
        { "rsa:4096-2048", "\"rsa\" needs a modulus size" },
        { "rsa:2048-", "\"rsa\" needs a modulus size" },
        { "rsa:99999999999999999999", "\"rsa\" needs a modulus size" },
        { "rsa:-2048", "\"rsa\" needs a modulus size" },
        { "ec", "\"ec:\" needs one of the curves" },
        { "ec:P-224", "\"ec:\" needs one of the curves" },
        { "ed25519:x", "\"ed25519\" has no parameter" },
        { "dsa:2048", "unknown key \"dsa\"" },
        { "", "unknown key \"\"" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "invalid key" }
    };

    (void) state;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        word = test_str(words[i].word);
        rc = cmp_key_rule_parse(&word, &rule, err, sizeof(err));

        if (words[i].err != NULL) {
            assert_int_equal(rc, CMP_ERROR);
            assert_memory_equal(err, words[i].err, strlen(words[i].err));
            continue;
        }

        test_ok(rc);
        assert_string_equal(cmp_key_rule_text(&rule, text, sizeof(text)),
                            words[i].word);
    }
}


static void
test_key_profile(void **state)
{
    int            kind, len, rc;
    char           err[300];
    size_t         i;
    EVP_PKEY      *pkey;
    cmp_str_t      word;
    cmp_pool_t    *pool;
    cmp_profile_t  profile;
    cmp_refusal_t  refusal;
    unsigned char *der;
    cmp_public_key_t  *key;

    static const char  *words[] = { "ec:P-256", "rsa:2048-3072", "ed25519" };

    (void) state;

    pool = cmp_pool_create();
    cmp_profile_init(&profile);

    for (i = 0; i < 3; i++) {
        word = test_str(words[i]);
        test_ok(cmp_profile_add_key(&profile, pool, &word, err,
                                    sizeof(err)));
    }

    for (kind = PKI_ED25519; kind <= PKI_RSA_1024; kind++) {
        pkey = pki_key(kind, "key");
        der = NULL;
        len = i2d_PUBKEY(pkey, &der);
        key = test_decode_key(der, len);

        memset(&refusal, 0, sizeof(cmp_refusal_t));
        rc = cmp_profile_check_key(&profile, key, &refusal);

        if (kind == PKI_ED25519 || kind == PKI_P256 || kind == PKI_RSA) {
            test_ok(rc);

        } else {
            test_refused(rc, &refusal, CMP_REFUSE_KEY_ALG);
        }

        if (kind == PKI_P384) {
            assert_string_equal(refusal.detail, "ec:P-384 is none of "
                                "ec:P-256, rsa:2048-3072, ed25519");
        }

        cmp_asn1_free(cmp_public_key_t, key);
        OPENSSL_free(der);
        EVP_PKEY_free(pkey);
    }

    cmp_pool_destroy(pool);
}


static void
test_key_sign(void **state)
{
    int            kind;
    EVP_PKEY      *key;
    const EVP_MD  *md;

    static const int  nids[] = {
        NID_undef, NID_undef, NID_sha256, NID_sha384, NID_sha512, NID_sha256
    };

    static const int  slow[] = { 0, 0, 0, 1, 1, 1 };

    (void) state;

    for (kind = PKI_ED25519; kind <= PKI_RSA; kind++) {
        key = pki_key(kind, "sign");

        test_ok(cmp_sign_md(key, &md));
        assert_int_equal((md == NULL) ? NID_undef : EVP_MD_get_type(md),
                         nids[kind]);

        /* one that was not made by a provider is foreign */

        if (EVP_PKEY_get0_provider(key) != NULL) {
            assert_int_equal(cmp_sign_slow(key), slow[kind]);

        } else {
            assert_int_equal(cmp_sign_slow(key), 1);
        }

        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(key);
    }

    key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    assert_int_equal(cmp_sign_md(key, &md), CMP_ERROR);
    assert_null(md);
    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(key);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_key_kinds),
        cmocka_unit_test(test_key_bits),
        cmocka_unit_test(test_key_rsa),
        cmocka_unit_test(test_key_roca),
        cmocka_unit_test(test_key_close_primes),
        cmocka_unit_test(test_key_rsa_parameters),
        cmocka_unit_test(test_key_ec),
        cmocka_unit_test(test_key_raw),
        cmocka_unit_test(test_key_words),
        cmocka_unit_test(test_key_profile),
        cmocka_unit_test(test_key_sign)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
