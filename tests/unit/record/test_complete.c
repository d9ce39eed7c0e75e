/* When a session counts as complete: one thing is changed at a time. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "codec/sha256.h"
#include "record/complete.h"
#include "tap.h"

static const char CONFIG[] = "{\"normalize\": \"zscore\"}";
static const char INPUT[] = "the input";
static const char OUTPUT[] = "the output";

struct setting {
    char *folder, *input, *output;
    struct np_record_place place;
    struct np_session_record record;
    struct np_complete_input in;
    struct np_complete_key key;
    char *difference;
    bool is_warned;
};

static void put(const char *path, const char *text)
{
    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
}

static void setting_done(struct setting *s)
{
    unlink(s->output);
    np_freep(&s->folder);
    np_freep(&s->input);
    np_freep(&s->output);
    np_freep(&s->difference);
    np_record_place_done(&s->place);
    np_record_done(&s->record);
}

/* A success on disk, with one input and one output, and the key that it was made with. */
static void set_up(struct setting *s)
{
    struct stat status;

    *s = (struct setting){.folder = np_path_join(tap_directory(), "out")};
    s->input = np_path_join(tap_directory(), "in.nii.gz");
    s->output = np_path_join(s->folder, "result.nii.gz");
    np_record_place_session(&s->place, s->folder, "01", NULL, "unnamed");
    ok_int(np_directory_make(s->place.directory, NULL), 0);
    put(s->input, INPUT);
    put(s->output, OUTPUT);
    np_record_init(&s->record);
    s->record.state = NP_STATE_SUCCESS;
    s->record.config = np_xstrdup(CONFIG);
    s->record.file = np_xcalloc(1, sizeof(*s->record.file));
    s->record.n_files = 1;
    struct np_file_record *file = &s->record.file[0];
    file->path = np_xstrdup("sub-01/in.nii.gz");
    file->method = np_xstrdup("bias:1");
    ok_int(stat(s->input, &status), 0);
    file->n_bytes = status.st_size;
    file->mtime_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
    np_sha256_of(INPUT, strlen(INPUT), file->sha256);
    np_file_record_output(file, "result.nii.gz")->n_bytes = (int64_t)strlen(OUTPUT);
    s->in = (struct np_complete_input){s->input, "sub-01/in.nii.gz", "T1w", "bias:1", NULL, NULL};
    s->key = (struct np_complete_key){.config = CONFIG, .input = &s->in, .n_inputs = 1};
    ok_int(np_record_write(s->place.status, &s->record, NULL), 0);
    ok_int(np_record_write(s->place.complete, &s->record, NULL), 0);
}

static enum np_completeness check(struct setting *s)
{
    np_freep(&s->difference);
    return np_complete_check(&s->place, s->folder, &s->key, &s->difference, &s->is_warned);
}

static void set_old_mtime(const char *path)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    ok_int(utimensat(AT_FDCWD, path, old, 0), 0);
}

TEST(a_session_as_recorded_is_complete)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    ok_int(check(&s), NP_COMPLETE);
    ok(s.difference == NULL);
}

TEST(outputs_that_the_record_does_not_name_are_still_to_be_made)
{
    NP_AUTO(setting_done) struct setting s;
    NP_AUTO(np_strings_done) struct np_strings expected = {0};

    set_up(&s);
    s.in.outputs = &expected;
    np_strings_add(&expected, "result.nii.gz");
    ok_int(check(&s), NP_COMPLETE);
    np_strings_add(&expected, "another.nii.gz");
    ok_int(check(&s), NP_INCOMPLETE);
    ok_contains(s.difference, "sub-01/in.nii.gz");
}

TEST(without_a_completion_record_nothing_is_complete)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    ok_int(unlink(s.place.complete), 0);
    ok_int(check(&s), NP_INCOMPLETE);
}

TEST(nor_is_it_when_people_could_not_see_its_status)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    put(s.place.status, "{");
    ok_int(check(&s), NP_INCOMPLETE);
    ok_int(unlink(s.place.status), 0);
    ok_int(check(&s), NP_INCOMPLETE);
}

TEST(a_part_of_a_recorded_session_is_complete)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    s.record.file = np_xrealloc(s.record.file, 2 * sizeof(*s.record.file));
    s.record.file[s.record.n_files++] =
        (struct np_file_record){.path = np_xstrdup("sub-01/other.nii.gz")};
    ok_int(np_record_write(s.place.complete, &s.record, NULL), 0);
    ok_int(check(&s), NP_COMPLETE);
}

TEST(a_broken_or_unsuccessful_completion_record_is_none)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    put(s.place.complete, "{\"schema\": 1, \"sta");
    ok_int(check(&s), NP_INCOMPLETE);
    s.record.state = NP_STATE_FAILED;
    ok_int(np_record_write(s.place.complete, &s.record, NULL), 0);
    ok_int(check(&s), NP_INCOMPLETE);
}

TEST(an_output_that_is_gone_or_has_another_size_is_missed)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    put(s.output, "shorter");
    ok_int(check(&s), NP_INCOMPLETE);
    ok_contains(s.difference, "output");
    ok_int(unlink(s.output), 0);
    ok_int(check(&s), NP_INCOMPLETE);
}

TEST(a_new_time_stamp_alone_changes_no_input)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    set_old_mtime(s.input);
    ok_int(check(&s), NP_COMPLETE);
}

TEST(other_bytes_of_the_same_number_are_another_input)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    put(s.input, "THE INPUT");
    set_old_mtime(s.input);
    ok_int(check(&s), NP_INPUT_CHANGED);
    ok_contains(s.difference, "sub-01/in.nii.gz");
}

TEST(one_input_more_is_a_change)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    const struct np_complete_input two[] = {
        s.in, {s.input, "sub-01/new.nii.gz", "T1w", "bias:1", NULL, NULL}};
    s.key.input = two;
    s.key.n_inputs = 2;
    ok_int(check(&s), NP_INPUT_CHANGED);
    ok_contains(s.difference, "sub-01/new.nii.gz");
}

TEST(other_options_are_named_with_both_values)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    s.key.config = "{\"normalize\": \"percentile\"}";
    ok_int(check(&s), NP_OTHER_CONFIG);
    ok_str(s.difference, "normalize: zscore there, percentile here");
}

TEST(what_was_made_in_another_configuration_of_the_folder_is_complete_with_its_own_outputs)
{
    NP_AUTO(setting_done) struct setting s;
    NP_AUTO(np_strings_done) struct np_strings expected = {0};
    struct np_text_record method = {(char[]){"T1w"}, (char[]){"bias:1"}};
    struct np_making making = {
        .options = (char[]){"{\"normalize\":\"zscore\"}"}, .method = &method, .n_methods = 1};
    const struct np_folder folder = {.making = &making, .n_makings = 1};

    set_up(&s);
    np_strings_add(&expected, "another.nii.gz");
    s.in.outputs = &expected;
    s.key.config = "{\"normalize\": \"percentile\"}";
    ok_int(check(&s), NP_OTHER_CONFIG);
    s.key.folder = &folder;
    ok_int(check(&s), NP_COMPLETE);
    ok_int(unlink(s.output), 0);
    ok_int(check(&s), NP_INCOMPLETE);
    method.text = (char[]){"bias:0"};
    ok_int(check(&s), NP_OTHER_CONFIG);
}

TEST(another_version_of_a_method_is_distinguished_from_other_options)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    s.in.method = "bias:2";
    ok_int(check(&s), NP_OTHER_METHOD);
    ok_contains(s.difference, "bias:1");
    ok_contains(s.difference, "bias:2");
}

TEST(a_record_of_a_version_without_a_stage_that_only_adds_is_complete_and_lacks_it)
{
    NP_AUTO(setting_done) struct setting s;
    NP_AUTO(np_strings_done) struct np_strings expected = {0};

    set_up(&s);
    np_strings_add(&expected, "dseg.nii.gz");
    s.in.outputs = &expected;
    s.in.method = "bias:1 tissue:1";
    ok_int(check(&s), NP_LACKS_ADDED);
    ok_contains(s.difference, "earlier version");
    s.in.method = "bias:2 tissue:1";
    ok_int(check(&s), NP_OTHER_METHOD);
    s.in.method = "bias:1 tissue:1";
    ok_int(unlink(s.output), 0);
    ok_int(check(&s), NP_INCOMPLETE);
}

TEST(what_differs_in_a_later_image_is_said_before_what_an_earlier_one_lacks)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    s.in.method = "bias:1 tissue:1";
    const struct np_complete_input two[] = {
        s.in, {s.input, "sub-01/new.nii.gz", "T1w", "bias:1", NULL, NULL}};
    s.key.input = two;
    s.key.n_inputs = 2;
    ok_int(check(&s), NP_INPUT_CHANGED);
    ok_contains(s.difference, "sub-01/new.nii.gz");
}

/* A mask is given now; `recorded` is the content of the one that was given then, NULL = none. */
static enum np_completeness check_mask(struct setting *s, const char *recorded)
{
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), "mask.nii.gz");

    put(path, "a mask");
    if (recorded)
        np_sha256_of(recorded, strlen(recorded), s->record.file[0].mask.sha256);
    ok_int(np_record_write(s->place.complete, &s->record, NULL), 0);
    s->in.mask = path;
    enum np_completeness found = check(s);
    s->in.mask = NULL;
    return found;
}

TEST(another_mask_or_the_first_one_is_said_and_the_same_one_is_no_change)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    ok_int(check_mask(&s, NULL), NP_OTHER_MASK);
    ok_contains(s.difference, "no mask was given then");
    ok_int(check_mask(&s, "A mask"), NP_OTHER_MASK);
    ok_contains(s.difference, "is not the mask that was given then");
    ok_int(check_mask(&s, "a mask"), NP_COMPLETE);
}

TEST(a_mask_that_was_given_then_is_as_good_when_none_is_given_now)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    ok_int(check_mask(&s, "a mask"), NP_COMPLETE);
    ok_int(check(&s), NP_COMPLETE);
}

TEST(a_complete_session_is_warned_when_its_record_has_a_warning)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    ok_int(check(&s), NP_COMPLETE);
    ok(!s.is_warned);
    np_file_record_warn(&s.record.file[0], "mask-unsure", "look at it");
    ok_int(np_record_write(s.place.complete, &s.record, NULL), 0);
    ok_int(check(&s), NP_COMPLETE);
    ok(s.is_warned);
    ok_int(unlink(s.place.complete), 0);
    ok_int(check(&s), NP_INCOMPLETE);
    ok(!s.is_warned);
}

TEST(the_difference_may_be_left_out)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s);
    s.in.method = "bias:2";
    ok_int(np_complete_check(&s.place, s.folder, &s.key, NULL, NULL), NP_OTHER_METHOD);
}

TAP_MAIN
