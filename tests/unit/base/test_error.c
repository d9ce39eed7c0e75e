#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "tap.h"

TEST(the_first_cause_wins)
{
    struct np_error err = {0};

    ok_int(np_error_set(&err, NP_EFORMAT, "first %d", 1), NP_EFORMAT);
    ok_int(np_error_set(&err, NP_EIO, "second"), NP_EFORMAT);
    ok_str(err.text, "first 1");
    np_error_context(&err, "sub-01");
    ok_str(err.text, "sub-01: first 1");
}

TEST(no_error_struct_is_needed)
{
    ok_int(np_error_set(NULL, NP_EIO, "unseen"), NP_EIO);
    np_error_context(NULL, "nothing");
}

TEST(system_errors_find_their_outcome)
{
    static const struct {
        int errnum, expected;
    } cases[] = {{ENOSPC, NP_ESPACE}, {EDQUOT, NP_ESPACE}, {ENOMEM, NP_ENOMEM},
                 {ESTALE, NP_EBUSY},  {EIO, NP_EIO},       {EACCES, NP_ECREATE}};

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        struct np_error err = {0};
        ok_int(np_error_errno(&err, cases[i].errnum, NP_ECREATE, "'x'"), cases[i].expected);
        ok_contains(err.text, "'x': ");
    }
}

TEST(long_texts_are_cut_at_a_character)
{
    struct np_error err = {0};
    char text[1024];

    memset(text, 'a', sizeof(text));
    for (size_t i = 500; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof(text) - 1] = '\0';
    np_error_set(&err, NP_EIO, "%s", text);
    ok(strlen(err.text) < sizeof(err.text));
    size_t n = strlen(err.text);
    ok((unsigned char)err.text[n - 1] == 0xa9 || err.text[n - 1] == 'a');
}

TEST(every_error_has_an_outcome_and_every_outcome_a_remedy)
{
    for (int i = 1; i < NP_N_ERROR_ORDINALS; i++) {
        const struct np_outcome_info *info = np_outcome_info(np_error_outcome(-i));
        ok(info->exit_status > 0);
        ok(strlen(np_error_summary(-i)) > 0);
        ok_int(np_error_from_ident(np_error_ident(-i)), -i);
    }
    for (int i = 0; i < NP_N_OUTCOMES; i++) {
        const struct np_outcome_info *info = np_outcome_info((enum np_outcome)i);
        enum np_outcome found;
        ok(strlen(info->remedy) > 0 && strlen(info->meaning) > 0);
        ok(np_outcome_find(info->name, &found) && (int)found == i);
        ok(info->exit_status != 2 && info->exit_status != 99);
    }
}

TAP_MAIN
