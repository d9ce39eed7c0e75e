/*
 * Memory. Two families, told apart by their names:
 *   np_x*     small bookkeeping; never NULL: prints the size and aborts when memory is gone
 *   np_try_*  anything that grows with the input; may return NULL, and the caller says what did not
 *             fit; all of these go through one gate, so that a test can make the n-th one fail
 */
#ifndef NP_BASE_ALLOC_H
#define NP_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#define NP_AUTO(cleanup_fn) __attribute__((cleanup(cleanup_fn)))
#define NP_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
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

/* As realloc; on NULL `old` is still valid. */
void *np_try_realloc(void *old, size_t count, size_t size);

/*
 * For voxels: 64-byte aligned, zeroed, on transparent huge pages where the system offers them
 * (first touch of 64 MiB then costs a fifth). NULL when it overflows or does not fit. Release with
 * np_voxels_free(), which keeps a few large ones for later requests; never with free().
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
