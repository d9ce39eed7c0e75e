/* The table of warnings: keys that records, tables and commands can use as they are. */
#include "catalog/warning.h"

#include <string.h>

#include "tap.h"

TEST(keys_are_words_with_hyphens_and_stand_once)
{
    for (int i = 0; i < NP_N_WARNINGS; i++) {
        const char *key = np_warning_rows[i].key;
        ok_int((int64_t)strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-"), (int64_t)strlen(key));
        ok(np_warning_find(key) == &np_warning_rows[i]);
    }
}

TEST(a_key_of_a_newer_version_has_no_row)
{
    ok(np_warning_find("mask-unsure") == &np_warning_rows[NP_WARNING_MASK_UNSURE]);
    ok(np_warning_find("of-a-newer-version") == NULL);
    ok(np_warning_find("") == NULL);
}

TAP_MAIN
