
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What the files cmp_pattern*.c share; nobody else includes it.
 */


#ifndef _CMP_PATTERN_LOCAL_H_INCLUDED_
#define _CMP_PATTERN_LOCAL_H_INCLUDED_


#include <cmp_profile.h>
#include <cmp_name.h>


/* how a glob is compared */

typedef struct {
    const char           *stops;    /* '*' matches none of these */
    size_t                fold;     /* without regard to case from here on in
                                       the text */
    unsigned              tail:1;   /* a '*' at the end matches stops too */
} cmp_glob_t;


/*
 * 1 when all of the text matches, else 0; '*' is any run of characters, a
 * backslash takes the meaning from the next one, an unexpanded placeholder
 * matches nothing
 */
int cmp_glob_match(const cmp_str_t *glob, const unsigned char *text,
    size_t len, const cmp_glob_t *how);

/* length, characters, escapes, and placeholders, known ones, if allowed */
int cmp_glob_check(const cmp_str_t *glob, int placeholders, char *err,
    size_t size);

/* 1 when there is one, else 0 */
int cmp_glob_has_placeholder(const cmp_str_t *glob);


#endif /* _CMP_PATTERN_LOCAL_H_INCLUDED_ */
