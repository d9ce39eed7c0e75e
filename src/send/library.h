/* Libraries that are opened by name when they are first needed (dlopen). */
#ifndef NP_SEND_LIBRARY_H
#define NP_SEND_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* A function: its name, and the address of the pointer to it. */
struct np_library_function {
    const char *name;
    void *pointer;
};

/* The first of `names` that can be loaded, never to be closed; NULL = none. Binding is lazy, which
 * saves the look-up of the functions that are never called. */
void *np_library_open(const char *const *names, size_t n);

/* Set all pointers; false when the library lacks a function. */
bool np_library_find(void *library, const struct np_library_function *table, size_t n);

#endif
