
/*
 * Copyright (C) ngx_http_cmp_module contributors
 */


#include <cmp_asn1_pool.h>


typedef struct {
    const ASN1_ITEM  *it;
    void             *value;
} cmp_item_cleanup_t;


static void cmp_asn1_pool_cleanup(void *data);


cmp_str_t
cmp_octets(const ASN1_STRING *string)
{
    cmp_str_t  str;

    str.len = 0;
    str.data = NULL;

    if (string != NULL) {
        str.len = ASN1_STRING_length(string);
        str.data = (unsigned char *) ASN1_STRING_get0_data(string);
    }

    return str;
}


int
cmp_encode(cmp_pool_t *pool, const ASN1_ITEM *it, const void *value,
    cmp_str_t *der)
{
    int             len, rc;
    unsigned char  *p;

    len = cmp_asn1_encode_item(it, value, &p);
    if (len < 0) {
        return CMP_ERROR;
    }

    rc = cmp_pstrdup(pool, der, p, len);

    OPENSSL_free(p);

    return rc;
}


ASN1_TYPE *
cmp_asn1_encoded(const cmp_str_t *der)
{
    ASN1_TYPE    *value;
    ASN1_STRING  *octets;

    value = ASN1_TYPE_new();
    octets = ASN1_STRING_type_new(V_ASN1_OTHER);

    if (value == NULL || octets == NULL
        || ASN1_STRING_set(octets, der->data, (int) der->len) != 1)
    {
        cmp_crypto_error(NULL, 0);
        ASN1_STRING_free(octets);
        ASN1_TYPE_free(value);
        return NULL;
    }

    ASN1_TYPE_set(value, V_ASN1_OTHER, octets);

    return value;
}


static void
cmp_asn1_pool_cleanup(void *data)
{
    cmp_item_cleanup_t *cln = data;

    ASN1_item_free(cln->value, cln->it);
}


int
cmp_asn1_pool_item(cmp_pool_t *pool, const ASN1_ITEM *it, void *value)
{
    cmp_item_cleanup_t  *cln;

    cln = cmp_palloc(pool, sizeof(cmp_item_cleanup_t));
    if (cln == NULL) {
        ASN1_item_free(value, it);
        return CMP_ERROR;
    }

    cln->it = it;
    cln->value = value;

    return cmp_pool_cleanup_add(pool, cmp_asn1_pool_cleanup, cln);
}
