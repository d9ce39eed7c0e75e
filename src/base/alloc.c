#include "base/alloc.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The address sanitizer only checks memory from malloc, so voxels come from malloc then. */
#if defined(__SANITIZE_ADDRESS__)
enum { MAP_LARGE = 0 };
#else
enum { MAP_LARGE = 1 };
#endif
enum { VOXEL_ALIGN = 64, HUGE_PAGE = 2 << 20, MOST_KEPT = 4 };

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

/* True when this request may be passed on to the C library. */
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

/*
 * Memory for voxels. A header before each piece records how to release it. Large pieces are mapped
 * directly: they are zeroed and have no physical pages yet. The threads that fill them then share
 * the cost of the first access.
 */
struct piece {
    void *base;
    size_t n_mapped; /* 0 for memory from aligned_alloc */
    size_t n_usable;
};

static struct piece *piece_of(void *memory)
{
    return (struct piece *)((char *)memory - VOXEL_ALIGN);
}

static void give_back(void *memory)
{
    struct piece piece = *piece_of(memory);

    if (piece.n_mapped > 0)
        munmap(piece.base, piece.n_mapped);
    else
        free(piece.base);
}

static void *allocate_small(size_t bytes)
{
    size_t rounded = (bytes + VOXEL_ALIGN) / VOXEL_ALIGN * VOXEL_ALIGN;
    char *base = aligned_alloc(VOXEL_ALIGN, rounded + VOXEL_ALIGN);

    if (!base)
        return NULL;
    char *memory = memset(base + VOXEL_ALIGN, 0, rounded);
    *piece_of(memory) = (struct piece){base, 0, rounded};
    /* cppcheck-suppress memleak ; the header before it records its start */
    return memory;
}

/* `bytes` is a multiple of HUGE_PAGE. */
static void *map_large(size_t bytes)
{
    size_t n_mapped;

    if (__builtin_add_overflow(bytes, 2 * (size_t)HUGE_PAGE, &n_mapped))
        return NULL;
    char *base = mmap(NULL, n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    size_t to_border = HUGE_PAGE - (uintptr_t)base % HUGE_PAGE;
    char *memory = base + to_border + (to_border < VOXEL_ALIGN ? HUGE_PAGE : 0);
    madvise(memory, bytes,
            MADV_HUGEPAGE); /* a hint: some kernels refuse it, and the memory is then only slower */
    *piece_of(memory) = (struct piece){base, n_mapped, bytes};
    return memory;
}

/*
 * A session allocates and releases many images of one size, and the first access to a page is
 * expensive: clearing pages took a quarter of a run's time. So a few released pieces are kept for
 * the next request of about their size. They are released before memory of another size is
 * requested, so the peak of memory is not higher.
 */
static struct {
    pthread_mutex_t mutex;
    void *memory[MOST_KEPT];
    int n;
} kept = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool fits(void *memory, size_t bytes)
{
    size_t usable = piece_of(memory)->n_usable;

    return usable >= bytes && usable - bytes <= bytes / 4;
}

/* A kept piece of this size; NULL when none fits, and then all kept pieces are released. */
static void *reuse_kept(size_t bytes)
{
    void *found = NULL;

    pthread_mutex_lock(&kept.mutex);
    for (int i = 0; i < kept.n && !found; i++)
        if (fits(kept.memory[i], bytes)) {
            found = kept.memory[i];
            kept.memory[i] = kept.memory[--kept.n];
        }
    while (!found && kept.n > 0)
        give_back(kept.memory[--kept.n]);
    pthread_mutex_unlock(&kept.mutex);
    return found ? memset(found, 0, bytes) : NULL;
}

void *np_try_voxels(size_t count, size_t size)
{
    size_t bytes;

    if (!gate(count, size, &bytes) || bytes > PTRDIFF_MAX - 3 * (size_t)HUGE_PAGE)
        return NULL;
    if (bytes < HUGE_PAGE || !MAP_LARGE)
        return allocate_small(bytes);
    size_t rounded = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *memory = reuse_kept(rounded);
    return memory ? memory : map_large(rounded);
}

void np_voxels_free(void *memory)
{
    if (!memory)
        return;
    if (piece_of(memory)->n_mapped > 0) {
        pthread_mutex_lock(&kept.mutex);
        if (kept.n < MOST_KEPT) {
            kept.memory[kept.n++] = memory;
            memory = NULL;
        }
        pthread_mutex_unlock(&kept.mutex);
    }
    if (memory)
        give_back(memory);
}

void np_voxels_freep(void *address_of_pointer)
{
    void **pointer = address_of_pointer;

    np_voxels_free(*pointer);
    *pointer = NULL;
}

void np_freep(void *address_of_pointer)
{
    void **pointer = address_of_pointer;

    free(*pointer);
    *pointer = NULL;
}
