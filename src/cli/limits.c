#include "cli/limits.h"

#include <pthread.h>
#include <sys/resource.h>

/* Linux's default, what this program uses at most (measured: it crashes at 64 KiB and runs at 128
 * KiB), and what threads have where the stack is unlimited. */
static const rlim_t USUAL_BYTES = 8 << 20, LEAST_BYTES = 256 << 10;
static const size_t THREAD_BYTES = 2 << 20;

/* The C library gives threads stacks as large as the limit was when the program started. */
static void enlarge_threads(void)
{
    pthread_attr_t attr;
    size_t size = 0;

    if (pthread_getattr_default_np(&attr) != 0)
        return;
    if (pthread_attr_getstacksize(&attr, &size) == 0 && size < THREAD_BYTES &&
        pthread_attr_setstacksize(&attr, THREAD_BYTES) == 0)
        pthread_setattr_default_np(&attr);
    pthread_attr_destroy(&attr);
}

/* The stack of the first thread grows up to the limit of the moment. */
int np_limits_prepare(struct np_error *err)
{
    struct rlimit stack;

    enlarge_threads();
    if (getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur >= USUAL_BYTES)
        return 0;
    rlim_t before = stack.rlim_cur;
    stack.rlim_cur = stack.rlim_max < USUAL_BYTES ? stack.rlim_max : USUAL_BYTES;
    if (setrlimit(RLIMIT_STACK, &stack) != 0)
        stack.rlim_cur = before;
    if (stack.rlim_cur >= LEAST_BYTES)
        return 0;
    return np_error_set(err, NP_ENOMEM,
                        "the stack of this process is limited to %llu KiB (ulimit -s), expected at "
                        "least %llu KiB",
                        (unsigned long long)(stack.rlim_cur >> 10),
                        (unsigned long long)(LEAST_BYTES >> 10));
}
