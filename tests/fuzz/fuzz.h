/* For fuzz targets whose input is a file. */
#ifndef NP_TESTS_FUZZ_H
#define NP_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A claim about the code under test; one that does not hold is printed and ends the process. */
#define require(claim)                                                          \
    do {                                                                        \
        if (!(claim)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim); \
            abort();                                                            \
        }                                                                       \
    } while (0)

static char fuzz_path[64];

static inline void fuzz_remove(void)
{
    unlink(fuzz_path);
}

/* The path of a file with this content;
 * the same file again and again, gone when the process ends. */
static inline const char *fuzz_file(const char *suffix, const uint8_t *bytes, size_t n_bytes)
{
    static FILE *file;

    if (!file) {
        const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(fuzz_path, sizeof(fuzz_path), "%s/np-fuzz-%d%s", folder, (int)getpid(), suffix);
        file = fopen(fuzz_path, "wb");
        if (!file)
            abort();
        atexit(fuzz_remove);
    }
    rewind(file);
    if (ftruncate(fileno(file), 0) != 0 || fwrite(bytes, 1, n_bytes, file) != n_bytes ||
        fflush(file) != 0)
        abort();
    return fuzz_path;
}

#endif
