/*
 * Unit tests: one process per file, TAP on stdout. A test reads as a claim:
 *
 *     TEST(n4_removes_a_known_cosine_field)
 *     {
 *         ok_below(rms_error, 0.02, "field RMS, relative");
 *     }
 *     TAP_MAIN
 *
 * A test passes when it made at least one check and none failed.
 */
#ifndef NP_TESTS_TAP_H
#define NP_TESTS_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

typedef void tap_test_fn(void);

/* Tests register themselves before main. */
void tap_register(const char *name, tap_test_fn *fn);
int tap_main(int argc, char **argv);

void tap_check(bool passed, const char *file, int line, const char *format, ...) NP_PRINTF(4, 5);
void tap_check_string(const char *found, const char *expected, const char *file, int line);
void tap_check_contains(const char *found, const char *part, const char *file, int line);
void tap_check_integer(int64_t found, int64_t expected, const char *what, const char *file,
                       int line);
void tap_check_near(double found, double expected, double tolerance, const char *what,
                    const char *file, int line);

/* End this test as skipped, with a reason; return from the test after it. */
void tap_skip(const char *why);

/* A fresh folder that is removed when the process ends; owned by the harness. */
const char *tap_directory(void);

/* True when the program is there and succeeds; what it says goes nowhere. The arguments, its name
 * first, end at NULL. tap_succeeds("gzip", "-t", path) calls it. */
bool tap_run(const char *const *argv);
#define tap_succeeds(...) tap_run((const char *const[]){__VA_ARGS__, NULL})

/* From now on no file of this process may grow beyond `most` bytes, as on a full disk; -1 = as far
 * as the system allows. */
void tap_limit_file_size(int64_t most);

#define TEST(name)                                                 \
    static void name(void);                                        \
    __attribute__((constructor)) static void register_##name(void) \
    {                                                              \
        tap_register(#name, name);                                 \
    }                                                              \
    static void name(void)

#define TAP_MAIN                     \
    int main(int argc, char **argv)  \
    {                                \
        return tap_main(argc, argv); \
    }

#define ok(condition) tap_check((condition), __FILE__, __LINE__, "%s", #condition)
#define ok_int(found, expected) tap_check_integer((found), (expected), #found, __FILE__, __LINE__)
#define ok_str(found, expected) tap_check_string((found), (expected), __FILE__, __LINE__)
#define ok_contains(found, part) tap_check_contains((found), (part), __FILE__, __LINE__)
#define ok_near(found, expected, tolerance, what) \
    tap_check_near((found), (expected), (tolerance), (what), __FILE__, __LINE__)
#define ok_below(value, limit, what)                                                      \
    tap_check((value) < (limit), __FILE__, __LINE__, "%s: %g, expected below %g", (what), \
              (double)(value), (double)(limit))
#define ok_above(value, limit, what)                                                      \
    tap_check((value) > (limit), __FILE__, __LINE__, "%s: %g, expected above %g", (what), \
              (double)(value), (double)(limit))

#endif
