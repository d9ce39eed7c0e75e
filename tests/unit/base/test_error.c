#include <errno.h>
#include <string.h>
#include <sys/resource.h>

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
    } cases[] = {{ENOSPC, NP_ESPACE}, {EDQUOT, NP_ESPACE},  {ENOMEM, NP_ENOMEM}, {ESTALE, NP_EBUSY},
                 {EIO, NP_EIO},       {EACCES, NP_ECREATE}, {EFBIG, NP_EIO}};

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        struct np_error err = {0};
        ok_int(np_error_errno(&err, cases[i].errnum, NP_ECREATE, "'x'"), cases[i].expected);
        ok_contains(err.text, "'x': ");
    }
}

TEST(the_remedy_fits_the_error)
{
    ok_contains(np_error_remedy(NP_ESPACE), "free space or inodes");
    ok_contains(np_error_remedy(NP_EIO), "check the storage");
    ok_contains(np_error_remedy(NP_ECLASH), "different names");
    ok_contains(np_error_remedy(NP_ETAKEN), "out of the way");
    ok_contains(np_error_remedy(NP_ELOCKED), "wait for it, or stop it");
    ok_contains(np_error_remedy(NP_ENAME), "shorten the name");
    ok_contains(np_error_remedy(NP_ECREATE), "is writable");
    ok_str(np_error_remedy(NP_EFORMAT), np_outcome_info(NP_OUTCOME_BAD_DATA)->remedy);
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

/* Free space does not help against it. */
TEST(a_limit_on_the_size_of_files_is_named)
{
    struct rlimit before, small;
    struct np_error limited = {0}, unlimited = {0};

    ok_int(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 65536;
    ok_int(setrlimit(RLIMIT_FSIZE, &small), 0);
    ok_int(np_error_errno(&limited, EFBIG, NP_EIO, "'%s': cannot write", "f"), NP_EIO);
    ok_int(setrlimit(RLIMIT_FSIZE, &before), 0);
    ok_str(limited.text, "'f': cannot write: File too large: this process may write files of 65536 "
                         "bytes (ulimit -f): raise it");
    if (before.rlim_cur != RLIM_INFINITY)
        return;
    ok_int(np_error_errno(&unlimited, EFBIG, NP_EIO, "'%s': cannot write", "f"), NP_EIO);
    ok_str(unlimited.text, "'f': cannot write: File too large");
}

TAP_MAIN
