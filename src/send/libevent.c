#include "send/libevent.h"

#include "send/library.h"

static void drop_message(int severity, const char *message)
{
    (void)severity;
    (void)message;
}

const struct np_libevent *np_libevent_load(struct np_error *err)
{
    static const char *const names[] = {"libevent-2.1.so.7", "libevent_extra-2.1.so.7"};
    static struct np_libevent loaded;
    struct np_libevent found = {0};
    const struct np_library_function table[] = {
#define X(name) {#name, &found.name},
        NP_LIBEVENT_FUNCTIONS(X)
#undef X
    };

    if (loaded.event_new)
        return &loaded;
    void *library = np_library_open(names, NP_COUNT(names));
    if (!library || !np_library_find(library, table, NP_COUNT(table))) {
        np_error_set(err, NP_ENOINPUT, "libevent-2.1.so.7 cannot be loaded");
        return NULL;
    }
    loaded = found;
    loaded.event_set_log_callback(drop_message);
    return &loaded;
}
