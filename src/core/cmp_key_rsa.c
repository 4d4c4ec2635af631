
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_key.h>


#define CMP_RSA_EXPONENT_MAX   64      /* bits */
#define CMP_RSA_ROCA_PRIMES    38      /* 3 to 167 */
#define CMP_RSA_FERMAT_ROUNDS  100


typedef struct {
    unsigned    mod;
    uint64_t    mask;
} cmp_rsa_squares_t;


static const char *cmp_rsa_residues(const BIGNUM *n);
static int cmp_rsa_roca_member(unsigned prime, unsigned residue);
static const char *cmp_rsa_close_primes(const BIGNUM *n);
static int cmp_rsa_fermat(const BIGNUM *n, BN_CTX *ctx);
static int cmp_rsa_sqrt(BIGNUM *root, const BIGNUM *n, BN_CTX *ctx);
static int cmp_rsa_square(const BIGNUM *n, BIGNUM *root, BIGNUM *square,
    BN_CTX *ctx);


/* the odd primes up to 751 (FIPS 186-5 and SP 800-89 look no further) */

static const unsigned short  cmp_rsa_primes[] = {
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71,
    73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151,
    157, 163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223, 227, 229, 233,
    239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311, 313, 317,
    331, 337, 347, 349, 353, 359, 367, 373, 379, 383, 389, 397, 401, 409, 419,
    421, 431, 433, 439, 443, 449, 457, 461, 463, 467, 479, 487, 491, 499, 503,
    509, 521, 523, 541, 547, 557, 563, 569, 571, 577, 587, 593, 599, 601, 607,
    613, 617, 619, 631, 641, 643, 647, 653, 659, 661, 673, 677, 683, 691, 701,
    709, 719, 727, 733, 739, 743, 751
};


/* which residues are those of squares */

static const cmp_rsa_squares_t  cmp_rsa_squares[] = {
    { 63, 0x0402483012450293ULL },
    { 61, 0x1713e6940a59f23bULL },
    { 59, 0x022b62183e7b92bbULL },
    { 55, 0x000230148611ca33ULL }
};


#define CMP_RSA_SQUARES_PRODUCT  (63 * 61 * 59 * 55)
#define CMP_RSA_SQUARES                                                       \
    (sizeof(cmp_rsa_squares) / sizeof(cmp_rsa_squares[0]))

#define CMP_RSA_PRIMES  (sizeof(cmp_rsa_primes) / sizeof(cmp_rsa_primes[0]))


const char *
cmp_rsa_weakness(const BIGNUM *n, const BIGNUM *e)
{
    int          bits;
    const char  *reason;

    bits = BN_num_bits(n);

    if (bits < CMP_RSA_MIN) {
        return "an RSA modulus of less than 2048 bits";
    }

    if (bits > CMP_RSA_MAX) {
        return "an RSA modulus of more than 8192 bits";
    }

    if (!BN_is_odd(n)) {
        return "an even RSA modulus";
    }

    if (!BN_is_odd(e)) {
        return "an even RSA exponent";
    }

    if (BN_num_bits(e) < 17) {
        return "an RSA exponent of less than 65537";
    }

    if (BN_num_bits(e) > CMP_RSA_EXPONENT_MAX) {
        return "an RSA exponent of more than 64 bits";
    }

    reason = cmp_rsa_residues(n);
    if (reason != NULL) {
        return reason;
    }

    return cmp_rsa_close_primes(n);
}


/*
 * Small factors, and keys of the faulty generator known as ROCA
 * (CVE-2017-15361): there the modulus is a power of 65537 modulo each of the
 * small primes, which happens by chance once in 2^27 keys.  Primes are taken
 * together as long as their product fits into 32 bits, since the division of
 * the modulus is what costs.
 */

static const char *
cmp_rsa_residues(const BIGNUM *n)
{
    int       roca;
    size_t    i, last;
    uint64_t  product;
    BN_ULONG  residue;

    roca = 1;

    for (i = 0; i < CMP_RSA_PRIMES; i = last) {
        product = 1;

        for (last = i; last < CMP_RSA_PRIMES; last++) {
            if (product * cmp_rsa_primes[last] > 0xffffffff) {
                break;
            }

            product *= cmp_rsa_primes[last];
        }

        residue = BN_mod_word(n, (BN_ULONG) product);

        for ( /* void */ ; i < last; i++) {

            if (residue % cmp_rsa_primes[i] == 0) {
                return "an RSA modulus with a small factor";
            }

            if (roca && i < CMP_RSA_ROCA_PRIMES) {
                roca = cmp_rsa_roca_member(cmp_rsa_primes[i],
                                           residue % cmp_rsa_primes[i]);
            }
        }
    }

    if (roca) {
        return "an RSA key of a generator with a known weakness (ROCA)";
    }

    return NULL;
}


static int
cmp_rsa_roca_member(unsigned prime, unsigned residue)
{
    unsigned  x;

    x = 1;

    do {
        if (x == residue) {
            return 1;
        }

        x = x * (65537 % prime) % prime;

    } while (x != 1);

    return 0;
}


/* primes so close that Fermat's method finds them (CVE-2022-26320) */

static const char *
cmp_rsa_close_primes(const BIGNUM *n)
{
    int      rc;
    BN_CTX  *ctx;

    ctx = BN_CTX_new();

    if (ctx == NULL) {
        cmp_crypto_error(NULL, 0);
        return "out of memory";
    }

    BN_CTX_start(ctx);

    rc = cmp_rsa_fermat(n, ctx);

    BN_CTX_end(ctx);
    BN_CTX_free(ctx);

    if (rc == CMP_ERROR) {
        cmp_crypto_error(NULL, 0);
        return "out of memory";
    }

    if (rc == CMP_DECLINED) {
        return "an RSA modulus of two primes that are too close";
    }

    return NULL;
}


static int
cmp_rsa_fermat(const BIGNUM *n, BN_CTX *ctx)
{
    int      i, rc;
    BIGNUM  *a, *b, *root, *square;

    a = BN_CTX_get(ctx);
    b = BN_CTX_get(ctx);
    root = BN_CTX_get(ctx);
    square = BN_CTX_get(ctx);

    if (square == NULL || cmp_rsa_sqrt(a, n, ctx) != CMP_OK) {
        return CMP_ERROR;
    }

    /* b = a^2 - n with the first a that is not below the root */

    if (!BN_sqr(b, a, ctx)) {
        return CMP_ERROR;
    }

    if (BN_cmp(b, n) == 0) {
        return CMP_DECLINED;
    }

    if (!BN_add_word(a, 1) || !BN_sqr(b, a, ctx) || !BN_sub(b, b, n)) {
        return CMP_ERROR;
    }

    for (i = 0; i < CMP_RSA_FERMAT_ROUNDS; i++) {

        rc = cmp_rsa_square(b, root, square, ctx);
        if (rc != CMP_OK) {
            return rc;
        }

        /* (a + 1)^2 - n = b + 2a + 1 */

        if (!BN_add(b, b, a) || !BN_add_word(a, 1) || !BN_add(b, b, a)) {
            return CMP_ERROR;
        }
    }

    return CMP_OK;
}


/*
 * CMP_DECLINED: n is a square.  Its residues tell for all numbers but one in
 * 240 that it is none.
 */

static int
cmp_rsa_square(const BIGNUM *n, BIGNUM *root, BIGNUM *square, BN_CTX *ctx)
{
    size_t    i;
    BN_ULONG  residue;

    residue = BN_mod_word(n, 64);

    if (((0x0202021202030213ULL >> residue) & 1) == 0) {
        return CMP_OK;
    }

    residue = BN_mod_word(n, CMP_RSA_SQUARES_PRODUCT);

    for (i = 0; i < CMP_RSA_SQUARES; i++) {
        if (((cmp_rsa_squares[i].mask >> (residue % cmp_rsa_squares[i].mod))
             & 1) == 0)
        {
            return CMP_OK;
        }
    }

    if (cmp_rsa_sqrt(root, n, ctx) != CMP_OK || !BN_sqr(square, root, ctx)) {
        return CMP_ERROR;
    }

    return (BN_cmp(square, n) == 0) ? CMP_DECLINED : CMP_OK;
}


/* the integer square root, by Newton's method from above */

static int
cmp_rsa_sqrt(BIGNUM *root, const BIGNUM *n, BN_CTX *ctx)
{
    int      rc;
    BIGNUM  *next;

    rc = CMP_ERROR;

    BN_CTX_start(ctx);

    next = BN_CTX_get(ctx);
    if (next == NULL) {
        goto done;
    }

    BN_zero(root);

    if (!BN_set_bit(root, (BN_num_bits(n) + 1) / 2)) {
        goto done;
    }

    for ( ;; ) {

        if (!BN_div(next, NULL, n, root, ctx) || !BN_add(next, next, root)
            || !BN_rshift1(next, next))
        {
            goto done;
        }

        if (BN_cmp(next, root) >= 0) {
            rc = CMP_OK;
            goto done;
        }

        if (BN_copy(root, next) == NULL) {
            goto done;
        }
    }

done:

    BN_CTX_end(ctx);

    return rc;
}
