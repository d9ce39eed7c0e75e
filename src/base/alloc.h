/*
 * Memory. There are two families of functions:
 *   np_x*     for small bookkeeping. They never return NULL: without memory they print the size and
 *             abort
 *   np_try_*  for everything that grows with the input. They may return NULL; the caller reports
 *             what did not fit. All requests pass one function, so that a test can make the n-th
 *             fail
 */
#ifndef NP_BASE_ALLOC_H
#define NP_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#define NP_AUTO(cleanup_fn) __attribute__((cleanup(cleanup_fn)))
#define NP_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
/* For a result whose loss loses data or hides a failure: every function that fills a struct np_error
 * has it. */
#define NP_MUST_USE __attribute__((warn_unused_result))

/* Go on whatever comes of it; a comment beside it says why that is right (gcc does not take a cast
 * to void for it). */
#define NP_IGNORE(expr)           \
    do {                          \
        int np_ignored_ = (expr); \
        (void)np_ignored_;        \
    } while (0)

#define NP_COUNT(array) (sizeof(array) / sizeof((array)[0]))

void *np_xmalloc(size_t size);
void *np_xcalloc(size_t count, size_t size);
void *np_xrealloc(void *old, size_t size);
char *np_xstrdup(const char *text);
char *np_xstrndup(const char *text, size_t length);
char *np_xasprintf(const char *format, ...) NP_PRINTF(1, 2);

/* `count` × `size` bytes, uninitialised; NULL when it overflows or does not fit. Release with
 * free(). */
void *np_try_malloc(size_t count, size_t size);

/* The same, zeroed. */
void *np_try_calloc(size_t count, size_t size);

/* As realloc: when it returns NULL, `old` is still valid. */
void *np_try_realloc(void *old, size_t count, size_t size);

/*
 * For voxels: 64-byte aligned, zeroed, on transparent huge pages where the system offers them (the
 * first access to 64 MiB then takes a fifth of the time). NULL when the size overflows or does not
 * fit. Release with np_voxels_free(), which keeps a few large blocks for later requests; never with
 * free().
 */
void *np_try_voxels(size_t count, size_t size);
void np_voxels_free(void *memory);
void np_voxels_freep(void *address_of_pointer); /* for NP_AUTO: frees and nulls */

/* free() for NP_AUTO: takes the address of any pointer, frees and nulls it. */
void np_freep(void *address_of_pointer);

/* Tests: the n-th np_try_* request from now on fails (1 = the next one), once; 0 = none. */
void np_alloc_fail_at(int64_t nth);

/* Tests: requests made to np_try_* since the last np_alloc_fail_at. */
int64_t np_alloc_requests(void);

#endif
