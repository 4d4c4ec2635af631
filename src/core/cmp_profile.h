
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A certificate profile: what may be issued.  Made while the configuration
 * is read, immutable afterwards.
 */


#ifndef _CMP_PROFILE_H_INCLUDED_
#define _CMP_PROFILE_H_INCLUDED_


#include <cmp_core.h>
#include <cmp_public_key.h>
#include <cmp_status.h>

#include <openssl/x509v3.h>


#define CMP_PROFILE_MAX_SANS    64


/* one kind of key: "ec:P-256", "ed25519", "rsa:2048-4096", "rsa-pss:..." */

typedef struct {
    int            nid;         /* of the algorithm: NID_rsaEncryption,
                                   NID_X9_62_id_ecPublicKey, NID_ED25519 ... */
    int            curve;       /* NID of the named curve; 0: not EC */
    int            min;         /* RSA modulus bits, inclusive */
    int            max;
} cmp_key_rule_t;


/* one attribute of the subject */

typedef struct {
    int            nid;
    unsigned       required:1;
    cmp_str_t      value;       /* fixed by the profile (O="Example");
                                   empty: the requester's */
} cmp_subject_rule_t;


/*
 * One kind of name; without a pattern any name of the kind is allowed, but no
 * wildcard.
 *
 *     dns:*.devices.example        '*' is any run of characters in one label;
 *     dns:\*.devices.example       the wildcard name itself, which needs an
 *                                  escaped '*' and matches no other rule
 *     ip:10.0.0.0/8                an address or a network
 *     email:*@example.org          '*' does not match '@'
 *     uri:urn:dev:*                a '*' at the end matches any rest, others
 *                                  do not match any of ":/?#@"
 *     dirname:CN=*,O=Example       a subject pattern, see below
 *     rid:1.3.6.1.4.1.99999.*
 *     othername:1.3.6.1.5.5.7.8.4  any value; with a second ":" and a pattern
 *                                  only string values that match
 *     upn:*@example.org            Microsoft's user principal name
 *
 * dns, and email after the '@', are compared without regard to case.  A
 * backslash takes the meaning from the character behind it.
 */

typedef struct {
    int            type;        /* GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI,
                                   GEN_DIRNAME, GEN_RID, GEN_OTHERNAME */
    cmp_str_t      oid;         /* GEN_OTHERNAME: dotted */
    cmp_str_t      pattern;
} cmp_san_rule_t;


typedef enum {
    CMP_KEY_REUSE_NEVER = 0,    /* besides kur and unconfirmed (protocol 5) */
    CMP_KEY_REUSE_SUBJECT       /* the same subject may be certified again */
} cmp_key_reuse_e;


/*
 * What a requester may ask for: of an anchor, a listed RA, or the RAs that a
 * profile makes.
 */

typedef struct {
    cmp_str_t            *profiles;     /* names; none: the default profile */
    size_t                nprofiles;
    cmp_str_t             subject;      /* subject pattern; may contain
                                           $CN, $serialNumber, ...: attributes
                                           of the protecting certificate;
                                           "same": its subject; "*": any;
                                           empty: "same" for anchors, "*" for
                                           RAs */
    cmp_str_t            *sans;         /* SAN patterns, placeholders as above;
                                           none: the profile decides */
    size_t                nsans;
    uint32_t              reasons;      /* bit n: CRLReason n; RAs only */
    unsigned              cr:1;         /* cr and p10cr too, not only ir */
    unsigned              no_crl:1;     /* revocation state is not needed */
    unsigned              unprotected_inner:1;
    unsigned              token_needed:1;   /* only with a regToken */
} cmp_scope_t;


typedef struct {
    cmp_str_t             name;

    int64_t               validity;         /* seconds */
    int64_t               backdate;         /* notBefore this much earlier */
    unsigned              client_validity:1;    /* a shorter or later one may
                                                   be asked for */

    cmp_key_rule_t       *keys;
    size_t                nkeys;
    cmp_subject_rule_t   *subject;          /* none: any attributes; fixed
                                               ones are put before those asked
                                               for, in this order */
    size_t                nsubject;
    cmp_san_rule_t       *sans;             /* none: no subjectAltName */
    size_t                nsans;
    unsigned              san_required:1;

    uint32_t              key_usage;        /* KU_*; what may be asked for and
                                               the default */
    ASN1_OBJECT         **ext_key_usage;    /* likewise */
    size_t                next_key_usage;

    unsigned              ca:1;             /* issues CA certificates */
    int                   path_len;         /* -1: none */
    unsigned              ra:1;             /* issues RA certificates */
    cmp_scope_t          *ra_scope;         /* their limits; NULL: the default
                                               profile, any name and reason */

    ASN1_OBJECT         **extensions;       /* others, copied as asked for */
    size_t                nextensions;
    unsigned              drop_extensions:1;    /* others are dropped with
                                                   grantedWithMods */
    unsigned              update_names:1;   /* kur may change names */
    unsigned              release_itself:1; /* a certificate may lift a hold
                                               that it asked for */
    unsigned              implicit_confirm:1;
    unsigned              approval:1;       /* an operator decides */
    unsigned              revocation_approval:1;    /* on an rr, too */
    int                   key_reuse;        /* cmp_key_reuse_e */

    /* for the extensions of certificates; empty: left out */
    cmp_str_t            *crl_urls;
    size_t                ncrl_urls;
    unsigned              ca_crl_urls:1;    /* these are the CA's, which has
                                               more for partitions and delta
                                               CRLs */
    cmp_str_t            *ocsp_urls;
    size_t                nocsp_urls;
    cmp_str_t            *ca_issuer_urls;
    size_t                nca_issuer_urls;
    ASN1_OBJECT         **policy_oids;
    size_t                npolicy_oids;
    STACK_OF(X509_EXTENSION)  *policies;    /* certificatePolicies, made of
                                               these at the end; or NULL */
} cmp_profile_t;


/* zeroes all members, then: backdate 60 s, path_len -1, implicit_confirm */
void cmp_profile_init(cmp_profile_t *profile);


/*
 * Parsers for the words of the configuration.  Each returns CMP_OK or
 * CMP_ERROR with a message for the operator in err (at most size bytes);
 * memory that outlives the call comes from the pool.
 *
 *     key:             "ec:P-256", "ed25519", "rsa:2048-4096", "rsa:3072"
 *     key usage:       "digitalSignature", ...
 *     ext key usage:   "clientAuth", ..., or dotted
 *     san:             "dns", "dns:*.example", "ip", "email:*@example", ...
 *     subject:         "required=CN,OU", "optional=serialNumber", "O=Example"
 *     extension:       a dotted OID or a short name
 *     policy:          a dotted OID
 */
int cmp_profile_add_key(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size);
int cmp_profile_add_key_usage(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size);
int cmp_profile_add_ext_key_usage(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size);
int cmp_profile_add_san(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size);
int cmp_profile_add_subject(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size);
int cmp_profile_add_extension(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size);
int cmp_profile_add_policy(cmp_profile_t *profile, cmp_pool_t *pool,
    const cmp_str_t *word, char *err, size_t size);

/*
 * Cross-checks when the block ends and fills defaults (no key rule: an
 * error; no validity: an error; keyUsage that no key can serve...).
 */
int cmp_profile_finish(cmp_profile_t *profile, cmp_pool_t *pool, char *err,
    size_t size);

/* 1 when an extension of this type is copied from requests */
int cmp_profile_copies(const cmp_profile_t *profile, int nid);


/*
 * Patterns that limit a requester: of a credential, an anchor, an RA.
 *
 * A subject pattern is "CN=dev-*,O=Example": each attribute of the subject
 * must match one item with its type, and each item must match an attribute;
 * of several items with the same type (OU, DC), the first is for the first
 * attribute in the order of the encoding, and so on.  '*' is any run of
 * characters, case matters.  The pattern "*" allows any subject.  A SAN
 * pattern has the form of the profile's word.
 *
 * $CN or ${CN} stands for an attribute of the protecting certificate; a
 * pattern whose placeholders are not expanded matches nothing.
 */
int cmp_subject_pattern_check(const cmp_str_t *pattern, char *err,
    size_t size);
int cmp_subject_pattern_match(const cmp_str_t *pattern,
    const X509_NAME *subject);              /* 1 matches, 0 does not */
int cmp_san_pattern_check(const cmp_str_t *pattern, char *err, size_t size);

/*
 * 1 when each name in sans matches one of the n patterns, so with n == 0 when
 * there is no name; NULL sans: 1
 */
int cmp_san_patterns_match(const cmp_str_t *patterns, size_t n,
    const GENERAL_NAMES *sans);

/*
 * Expands the placeholders of a subject or SAN pattern; whatever has a
 * meaning in a pattern is escaped in the value, so that a value can never
 * widen it.  CMP_DECLINED when a placeholder has no single, not empty and
 * printable value in from, or one that could change the kind of name (dns:
 * "*", email: "@", uri: ":/?#@"): nothing may match then.  CMP_ERROR: out of
 * memory.
 */
int cmp_pattern_expand(const cmp_str_t *pattern, const X509_NAME *from,
    cmp_pool_t *pool, cmp_str_t *out);

/*
 * One SAN word or pattern into a rule that borrows the word; placeholders are
 * an error unless allowed.  CMP_OK, or CMP_ERROR with a message in err.
 */
int cmp_san_rule_parse(const cmp_str_t *word, int placeholders,
    cmp_san_rule_t *rule, char *err, size_t size);

/* 1 when the name, whose syntax was checked, matches the rule; else 0 */
int cmp_san_rule_match(const cmp_san_rule_t *rule, const GENERAL_NAME *name);


/*
 * Checks any public key before a signature by it is verified or a
 * certificate for it is issued: decodable, known algorithm, RSA 2048 to 8192
 * bits with an odd exponent of 65537 to 64 bits and no known-weak modulus
 * (small factors, ROCA, close primes), EC on a named curve with the point on
 * it and not compressed, no explicit parameters (protocol 1 and 5).  A key
 * has one encoding, so that its hash names it; others are refused.
 * CMP_OK, CMP_DECLINED (KEY, KEY_ALG_UNKNOWN), CMP_ERROR.
 */
int cmp_key_check(cmp_public_key_t *key, cmp_refusal_t *refusal);

/*
 * Besides, for a key that cmp_key_check() has passed: is it one that the
 * profile allows?  KEY_ALG if not.
 */
int cmp_profile_check_key(const cmp_profile_t *profile, cmp_public_key_t *key,
    cmp_refusal_t *refusal);


#endif /* _CMP_PROFILE_H_INCLUDED_ */
