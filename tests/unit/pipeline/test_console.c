/* The progress bar: it fits any terminal, and says nothing that is zero or not known. */
#include <string.h>

#include "pipeline/console.h"
#include "tap.h"

static struct np_console console_of(size_t n_done, size_t n_failed, size_t n_active)
{
    return (struct np_console){
        .n_done = n_done, .n_failed = n_failed, .n_active = n_active, .n_total = 200};
}

TEST(the_bar_is_narrower_than_any_terminal)
{
    struct np_console console = console_of(123, 45, 16);

    for (int columns = 1; columns <= 200; columns++) {
        NP_AUTO(np_freep) char *bar = np_console_bar(&console, columns, 7200);
        ok((int)strlen(bar) < columns);
    }
}

TEST(a_wide_terminal_gets_all_of_it_a_narrow_one_the_counts)
{
    struct np_console console = console_of(100, 1, 2);
    NP_AUTO(np_freep) char *wide = np_console_bar(&console, 120, 42);
    NP_AUTO(np_freep) char *narrow = np_console_bar(&console, 20, 42);

    ok_str(wide,
           "[###############...............] 100 of 200 done, 1 failed, 2 running, about 42 s "
           "left");
    ok_str(narrow, "100 of 200 done, 1 ");
}

TEST(what_is_zero_or_not_known_is_not_said)
{
    struct np_console console = console_of(0, 0, 2);
    NP_AUTO(np_freep) char *bar = np_console_bar(&console, 50, -1);
    NP_AUTO(np_freep) char *soon = np_console_bar(&console, 80, 0.4);
    NP_AUTO(np_freep) char *hours = np_console_bar(&console, 80, 36000);

    ok_str(bar, "[......................] 0 of 200 done, 2 running");
    ok(!strstr(soon, "left"));
    ok_contains(hours, "about 10.0 h left");
}

TAP_MAIN
