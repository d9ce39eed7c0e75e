#include "base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { VOXEL_ALIGN = 64, HUGE_PAGE = 2 << 20 };

static atomic_llong fail_at;
static atomic_llong n_requests;

void np_alloc_fail_at(int64_t nth)
{
    atomic_store(&n_requests, 0);
    atomic_store(&fail_at, nth);
}

int64_t np_alloc_requests(void)
{
    return atomic_load(&n_requests);
}

/* True when this request may go on to the C library. */
static int gate(size_t count, size_t size, size_t *bytes)
{
    long long n = atomic_fetch_add_explicit(&n_requests, 1, memory_order_relaxed) + 1;

    if (n == atomic_load_explicit(&fail_at, memory_order_relaxed))
        return 0;
    return !__builtin_mul_overflow(count, size, bytes) && *bytes <= PTRDIFF_MAX;
}

static void *checked(void *memory, size_t size)
{
    if (!memory) {
        fprintf(stderr, "neuro-preprocess: out of memory (%zu bytes of bookkeeping)\n", size);
        abort();
    }
    return memory;
}

void *np_xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1), size);
}

void *np_xcalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1), size);
}

void *np_xrealloc(void *old, size_t size)
{
    return checked(realloc(old, size ? size : 1), size);
}

char *np_xstrdup(const char *text)
{
    return np_xstrndup(text, strlen(text));
}

char *np_xstrndup(const char *text, size_t length)
{
    char *copy = np_xmalloc(length + 1);

    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *np_xasprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    return checked(length < 0 ? NULL : text, length < 0 ? 1 : (size_t)length);
}

void *np_try_malloc(size_t count, size_t size)
{
    size_t bytes;

    return gate(count, size, &bytes) ? malloc(bytes ? bytes : 1) : NULL;
}

void *np_try_calloc(size_t count, size_t size)
{
    size_t bytes;

    return gate(count, size, &bytes) ? calloc(bytes ? bytes : 1, 1) : NULL;
}

void *np_try_realloc(void *old, size_t count, size_t size)
{
    size_t bytes;

    return gate(count, size, &bytes) ? realloc(old, bytes ? bytes : 1) : NULL;
}

void *np_try_voxels(size_t count, size_t size)
{
    size_t bytes;

    if (!gate(count, size, &bytes))
        return NULL;
    if (bytes < HUGE_PAGE) {
        size_t rounded = (bytes + VOXEL_ALIGN) / VOXEL_ALIGN * VOXEL_ALIGN;
        void *memory = aligned_alloc(VOXEL_ALIGN, rounded);

        return memory ? memset(memory, 0, rounded) : NULL;
    }
    size_t rounded = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *memory = aligned_alloc(HUGE_PAGE, rounded);
    if (!memory)
        return NULL;
    madvise(memory, rounded,
            MADV_HUGEPAGE); /* a wish: refused on some kernels, and then only slower */
    return memset(memory, 0, bytes);
}

void np_freep(void *address_of_pointer)
{
    void **pointer = address_of_pointer;

    free(*pointer);
    *pointer = NULL;
}
