/* The canary: the program's own result is the one that is known, one bit changes it, nothing is left behind. */
#include "pipeline/canary.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/path.h"
#include "record/place.h"
#include "tap.h"

static int n_names(const char *folder)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    ok_int(np_directory_list(folder, &names, NULL), 0);
    return (int)names.n;
}

/* Temporary files have a folder of their own. */
static char *make_tmpdir(const char *name)
{
    char *folder = np_path_join(tap_directory(), name);

    ok_int(np_directory_make(folder, NULL), 0);
    setenv("TMPDIR", folder, 1);
    return folder;
}

/* A stage whose results change has another hash: write the one that is found into canary.c. */
TEST(the_known_result_is_the_programs_own)
{
    NP_AUTO(np_freep) char *folder = make_tmpdir("right");
    struct np_canary canary;
    struct np_error err = {0};

    ok_int(np_canary_run(false, NULL, &canary, &err), 0);
    ok_int((int64_t)strlen(canary.found), 64);
    ok_str(err.text, "");
    ok_str(canary.why, "");
    if (np_canary_expected())
        ok_str(canary.found, np_canary_expected());
    ok_int(canary.verdict, np_canary_expected() ? NP_CANARY_RIGHT : NP_CANARY_UNKNOWN);
    ok(canary.wall_s > 0 && !canary.injected);
    ok_int(n_names(folder), 0);
}

TEST(the_result_is_known_on_x86_64_and_on_arm64)
{
    struct utsname name;

    ok_int(uname(&name), 0);
    ok((np_canary_expected() != NULL) ==
       (strcmp(name.machine, "x86_64") == 0 || strcmp(name.machine, "aarch64") == 0));
}

TEST(one_bit_in_the_image_is_found_and_named_with_node_and_processor)
{
    NP_AUTO(np_freep) char *folder = make_tmpdir("wrong");
    struct np_canary canary;

    setenv("SLURMD_NODENAME", "node17", 1);
    ok_int(np_canary_run(true, NULL, &canary, NULL), 0);
    ok_int(canary.verdict, np_canary_expected() ? NP_CANARY_WRONG : NP_CANARY_UNKNOWN);
    ok(canary.injected);
    NP_AUTO(np_freep) char *text = np_canary_text(&canary);
    ok_contains(text, "node17");
    ok_contains(text, np_canary_processor());
    ok_contains(text, canary.found);
    ok_contains(text, "injected");
    ok_int(n_names(folder), 0);
    unsetenv("SLURMD_NODENAME");
}

TEST(what_says_nothing_of_the_machine_is_no_verdict)
{
    NP_AUTO(np_freep) char *folder = make_tmpdir("stopped");
    struct np_cancel cancel = {.signal = 15};
    struct np_canary canary;

    ok_int(np_canary_run(false, &cancel, &canary, NULL), NP_ECANCELED);
    ok_int(n_names(folder), 0);
    setenv("TMPDIR", "/proc/nowhere", 1);
    ok_int(np_canary_run(false, NULL, &canary, NULL), NP_ECREATE);
}

TEST(it_is_kept_as_a_line_that_np_slurm_reads)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    const struct np_canary canary = {.verdict = NP_CANARY_WRONG, .found = "abc", .wall_s = 1.5};

    setenv("SLURMD_NODENAME", "node17", 1);
    ok_int(np_canary_keep(&canary, tap_directory(), "run", NULL), 0);
    NP_AUTO(np_freep)
    char *path = np_path_join(tap_directory(), NP_CANARY_FOLDER "/node17_run.tsv");
    ok_int(np_file_read(path, 4096, &text, NULL), 0);
    ok_contains(np_str_text(&text), "time\tnode\tverdict\tseconds\tfound\tprocessor\n");
    ok_contains(np_str_text(&text), "\tnode17\twrong\t1.500\tabc\t");
    unsetenv("SLURMD_NODENAME");
}

TAP_MAIN
