#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "bids/sidecar.h"
#include "tap.h"

static char *new_root(void)
{
    static int n_roots;
    char *root = np_xasprintf("%s/%d", tap_directory(), ++n_roots);

    if (np_directory_make(root, NULL) < 0)
        abort();
    return root;
}

static void put(const char *root, const char *relative, const char *content)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, relative);
    NP_AUTO(np_freep) char *folder = np_path_directory(path);

    if (np_directory_make(folder, NULL) < 0 ||
        np_file_write_atomic(path, content, strlen(content), NULL) < 0)
        abort();
}

/* Metadata that apply to one image. */
struct answer {
    json_t *metadata;
    struct np_strings used, warnings;
};

static void answer_done(struct answer *answer)
{
    json_decref(answer->metadata);
    np_strings_done(&answer->used);
    np_strings_done(&answer->warnings);
}

static struct answer read_for(const char *root, const char *image)
{
    struct answer answer = {0};
    NP_AUTO(np_freep) char *relative = np_xstrdup(image);
    struct np_scan scan = {.relative = relative};

    np_bids_name_parse(np_path_name(image), &scan.name);
    answer.metadata = np_sidecar_read(root, &scan, &answer.used, &answer.warnings);
    np_bids_name_done(&scan.name);
    return answer;
}

static int64_t number(const struct answer *answer, const char *key)
{
    return json_integer_value(json_object_get(answer->metadata, key));
}

static const char image[] = "sub-01/ses-1/anat/sub-01_ses-1_acq-x_run-01_T1w.nii.gz";

TEST(every_level_applies_and_the_deeper_wins)
{
    NP_AUTO(np_freep) char *root = new_root();

    put(root, "T1w.json", "{\"a\": 1, \"b\": 1, \"c\": 1, \"d\": 1}");
    put(root, "sub-01/sub-01_T1w.json", "{\"b\": 2, \"c\": 2, \"d\": 2}");
    put(root, "sub-01/ses-1/sub-01_ses-1_T1w.json", "{\"c\": 3, \"d\": 3}");
    put(root, "sub-01/ses-1/anat/sub-01_ses-1_acq-x_run-01_T1w.json", "{\"d\": 4}");
    NP_AUTO(answer_done) struct answer answer = read_for(root, image);
    ok_int(number(&answer, "a"), 1);
    ok_int(number(&answer, "b"), 2);
    ok_int(number(&answer, "c"), 3);
    ok_int(number(&answer, "d"), 4);
    NP_AUTO(np_freep) char *used = np_strings_join(&answer.used, " ", 9);
    ok_str(used, "T1w.json sub-01/sub-01_T1w.json sub-01/ses-1/sub-01_ses-1_T1w.json "
                 "sub-01/ses-1/anat/sub-01_ses-1_acq-x_run-01_T1w.json");
    ok_int((int64_t)answer.warnings.n, 0);
}

TEST(files_of_other_images_do_not_apply)
{
    static const char *const others[] = {
        "T2w.json",                                /* another suffix */
        "ce-gd_T1w.json",                          /* an entity the image has not */
        "acq-y_T1w.json",                          /* another label */
        "run-1_T1w.json",                          /* labels compare as written */
        "sub-02/sub-02_T1w.json",                  /* another participant's folder */
        "sub-01/ses-2/sub-01_ses-2_T1w.json",      /* another session's */
        "sub-01/ses-1/func/sub-01_ses-1_T1w.json", /* beside the path */
        "derivatives/T1w.json",                    /* not a level */
        "dataset_description.json",
        "participants.json", /* no sidecars */
        "T1w.JSON",
        ".T1w.json",
        "T1w.old.json",
    };
    NP_AUTO(np_freep) char *root = new_root();

    for (size_t i = 0; i < NP_COUNT(others); i++)
        put(root, others[i], "{\"a\": 1}");
    put(root, "sub-01/ses-1/anat/x", "");
    NP_AUTO(answer_done) struct answer answer = read_for(root, image);
    ok_int((int64_t)json_object_size(answer.metadata), 0);
    ok_int((int64_t)answer.used.n, 0);
    ok_int((int64_t)answer.warnings.n, 0);
}

TEST(two_files_at_one_level_give_a_warning_and_the_closer_one_wins)
{
    NP_AUTO(np_freep) char *root = new_root();

    put(root, "run-01_acq-x_T1w.json", "{\"a\": 3}");
    put(root, "T1w.json", "{\"a\": 1, \"b\": 1}");
    put(root, "acq-x_T1w.json", "{\"a\": 2, \"b\": 2}");
    NP_AUTO(answer_done) struct answer answer = read_for(root, image);
    ok_int(number(&answer, "a"), 3);
    ok_int(number(&answer, "b"), 2);
    ok_int((int64_t)answer.warnings.n, 2);
    ok_contains(answer.warnings.item[0], "'T1w.json' and 'acq-x_T1w.json'");
}

TEST(a_broken_sidecar_is_left_out_by_name_and_the_others_stay)
{
    static const struct {
        const char *content, *why;
    } cases[] = {
        {"{\"a\": ", "line 1, column "},        {"", "expected JSON"},
        {"[]", "found an empty list"},          {"{\"a\": NaN}", "expected JSON"},
        {"{\"a\": \"\xff\"}", "expected JSON"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *root = new_root();
        put(root, "T1w.json", "{\"a\": 1}");
        put(root, "sub-01/sub-01_T1w.json", cases[i].content);
        NP_AUTO(answer_done) struct answer answer = read_for(root, image);
        ok_int(number(&answer, "a"), 1);
        ok_int((int64_t)answer.used.n, 1);
        ok_int((int64_t)answer.warnings.n, 1);
        if (answer.warnings.n) {
            ok_contains(answer.warnings.item[0], "'sub-01/sub-01_T1w.json'");
            ok_contains(answer.warnings.item[0], cases[i].why);
        }
    }
}

TEST(sidecars_that_are_no_plain_files_do_not_block)
{
    NP_AUTO(np_freep) char *root = new_root();
    NP_AUTO(np_freep) char *pipe_path = np_path_join(root, "T1w.json");
    NP_AUTO(np_freep) char *link_path = np_path_join(root, "acq-x_T1w.json");

    ok(mkfifo(pipe_path, 0600) == 0);
    ok(symlink("nowhere", link_path) == 0);
    NP_AUTO(answer_done) struct answer answer = read_for(root, image);
    ok_int((int64_t)json_object_size(answer.metadata), 0);
    ok_int((int64_t)answer.warnings.n, 3); /* the two, and that they are two */
}

TEST(one_over_16_mib_is_left_out)
{
    NP_AUTO(np_freep) char *root = new_root();
    NP_AUTO(np_freep) char *path = np_path_join(root, "T1w.json");

    put(root, "T1w.json", "{}");
    ok(truncate(path, (16 << 20) + 1) == 0);
    NP_AUTO(answer_done) struct answer answer = read_for(root, image);
    ok_int((int64_t)answer.warnings.n, 1);
    ok_contains(answer.warnings.item[0], "expected at most 16777216 bytes");
}

TEST(a_byte_order_mark_and_a_member_twice_are_tolerated)
{
    NP_AUTO(np_freep) char *root = new_root();

    put(root, "T1w.json", "\xef\xbb\xbf{\"a\": 1, \"a\": 2}");
    NP_AUTO(answer_done) struct answer answer = read_for(root, image);
    ok_int(number(&answer, "a"), 2);
    ok_int((int64_t)answer.warnings.n, 0);
}

TEST(an_image_of_no_dataset_has_its_namesakes_metadata)
{
    NP_AUTO(np_freep) char *root = new_root();

    put(root, "my scan.json", "{\"a\": 5}");
    put(root, "scan.json", "{\"a\": 6}");
    NP_AUTO(answer_done) struct answer odd = read_for(root, "my scan.nii.gz");
    NP_AUTO(answer_done) struct answer plain = read_for(root, "scan.nii");
    ok_int(number(&odd, "a"), 5);
    ok_int(number(&plain, "a"), 6);
}

TEST(the_lists_may_be_left_out)
{
    NP_AUTO(np_freep) char *root = new_root();
    char relative[] = "sub-01_T1w.nii";
    struct np_scan scan = {.relative = relative};

    put(root, "T1w.json", "{\"a\": 1}");
    put(root, "sub-01_T1w.json", "broken");
    ok(np_bids_name_parse(relative, &scan.name));
    json_t *metadata = np_sidecar_read(root, &scan, NULL, NULL);
    ok_int((int64_t)json_object_size(metadata), 1);
    json_decref(metadata);
    np_bids_name_done(&scan.name);
}

TAP_MAIN
