#include "send/library.h"

#include <dlfcn.h>
#include <string.h>

void *np_library_open(const char *const *names, size_t n)
{
    void *library = NULL;

    for (size_t i = 0; i < n && !library; i++)
        library = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
    return library;
}

bool np_library_find(void *library, const struct np_library_function *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        void *function = dlsym(library, table[i].name);
        if (!function)
            return false;
        memcpy(table[i].pointer, &function, sizeof(function));
    }
    return true;
}
