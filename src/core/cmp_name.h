
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What a name may contain before it goes into a certificate: attributes of a
 * subject (X.520; RFC 5280, 4.1.2.4 and appendix A) and general names
 * (RFC 5280, 4.2.1.6).
 */


#ifndef _CMP_NAME_H_INCLUDED_
#define _CMP_NAME_H_INCLUDED_


#include <cmp_core.h>

#include <openssl/x509v3.h>


#define CMP_NAME_MAX_RDNS      64


typedef enum {
    CMP_NAME_DIRECTORY = 0,     /* DirectoryString */
    CMP_NAME_PRINTABLE,         /* PrintableString */
    CMP_NAME_IA5,               /* IA5String */
    CMP_NAME_COUNTRY            /* PrintableString of two letters */
} cmp_name_syntax_e;


/* an attribute type with its upper bound */

typedef struct {
    int            nid;
    int            max;         /* characters */
    int            syntax;      /* cmp_name_syntax_e */
    unsigned       repeat:1;    /* may stand in a subject more than once */
} cmp_attribute_t;


/* by short name, long name or dotted number; NULL when not in the table */
const cmp_attribute_t *cmp_attribute_find(const unsigned char *name,
    size_t len);

/* NULL when not in the table */
const cmp_attribute_t *cmp_attribute_get(int nid);

/* the short name of an attribute type, else its dotted number, in buf */
const char *cmp_attribute_name(const ASN1_OBJECT *type, char *buf,
    size_t size);

/*
 * The value of an attribute in UTF-8, to be freed by OPENSSL_free(), and its
 * length, or -1 when it is no string, does not convert, or without memory.
 */
int cmp_attribute_utf8(const ASN1_STRING *value, unsigned char **utf8);

/*
 * NULL when the UTF-8 value is acceptable for the attribute: not empty, not
 * too long, printable, without spaces at its ends; else what is wrong with it.
 * attr may be NULL: a type that is not in the table.
 */
const char *cmp_attribute_check(const cmp_attribute_t *attr,
    const unsigned char *utf8, size_t len);

/*
 * Every RDN of a name: single-valued, no type twice (but OU and DC, and those
 * with different values), every value a valid string that
 * cmp_attribute_check() accepts; an empty name is acceptable.
 * CMP_OK, or CMP_DECLINED with the reason in why.
 */
int cmp_name_check(const X509_NAME *name, char *why, size_t size);

/*
 * The syntax of one general name: dNSName (a whole first label may be '*'),
 * rfc822Name, URI (absolute), iPAddress, directoryName, registeredID,
 * otherName; other kinds are declined.  CMP_OK, or CMP_DECLINED with the
 * reason in why.
 */
int cmp_general_name_check(const GENERAL_NAME *name, char *why, size_t size);

/* to be freed by GENERAL_NAME_free(); NULL when out of memory */
GENERAL_NAME *cmp_name_uri(const cmp_str_t *uri);

/* an absolute URI in ASCII: NULL, or what is wrong with it */
const char *cmp_uri_check(const unsigned char *uri, size_t len);


#endif /* _CMP_NAME_H_INCLUDED_ */
