
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Linked into the nginx of BUILD=sanitize around its allocator.
 *
 * A process that ends without destroying its pools (nginx -t, the parent of
 * the daemon) does not leak.  build/lsan.supp says so, too, but for that
 * LeakSanitizer has to find the names of the functions that allocated what is
 * left, which takes a third of a second each time that a process of nginx
 * ends.  It does not look at what is marked here.  A block that OpenSSL, libpq
 * or we ourselves allocate is still reported when nothing points to it.
 */


#include <sanitizer/lsan_interface.h>
#include <stddef.h>


void *__real_ngx_alloc(size_t size, void *log);
void *__real_ngx_calloc(size_t size, void *log);
void *__real_ngx_memalign(size_t alignment, size_t size, void *log);

void *__wrap_ngx_alloc(size_t size, void *log);
void *__wrap_ngx_calloc(size_t size, void *log);
void *__wrap_ngx_memalign(size_t alignment, size_t size, void *log);


static void *
ignored(void *p)
{
    if (p != NULL) {
        __lsan_ignore_object(p);
    }

    return p;
}


void *
__wrap_ngx_alloc(size_t size, void *log)
{
    return ignored(__real_ngx_alloc(size, log));
}


void *
__wrap_ngx_calloc(size_t size, void *log)
{
    return ignored(__real_ngx_calloc(size, log));
}


void *
__wrap_ngx_memalign(size_t alignment, size_t size, void *log)
{
    return ignored(__real_ngx_memalign(alignment, size, log));
}
