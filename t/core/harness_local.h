
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Shared by the files of the harness.
 */


#ifndef _HARNESS_LOCAL_H_INCLUDED_
#define _HARNESS_LOCAL_H_INCLUDED_


#include <harness.h>


/* p, or the end of the program when it is NULL */
void *harness_alloc(void *p);

/* certificates, profiles and the CA, with keys of this kind */
void harness_setup(harness_t *h, int key);


#endif /* _HARNESS_LOCAL_H_INCLUDED_ */
