/* The results of a file are put in place together or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "codec/sha256.h"
#include "pipeline/publish.h"
#include "pipeline/scene.h"
#include "stages/stage.h"

/* The rename that fails, counted from 1; 0 = none. */
static int rename_that_fails;

/* Takes the place of the C library's in this program. */
int rename(const char *from, const char *to)
{
    if (rename_that_fails && --rename_that_fails == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* A file of a job that went through all its stages: only its results are still to be written. */
struct made {
    struct scene scene;
    const struct np_job_file *file;
    struct np_work work;
    struct np_file_record record;
};

static void make(struct made *made, const char *output, bool with_bias_field)
{
    *made = (struct made){0};
    scene_configure(&made->scene, "01", output);
    made->scene.config.save_bias_field = with_bias_field;
    scene_open(&made->scene);
    made->file = &made->scene.plan->job[0].file[0];
    np_work_init(&made->work, made->file->path, np_modality_find(made->file->modality));
    made->work.scan = made->file->scan;
    made->record.path = np_xstrdup(made->file->recorded);
    made->record.modality = np_xstrdup(made->file->modality);
    made->record.method = np_xstrdup(made->file->method);
    for (const struct np_stage *const *stage = made->file->recipe->stage; *stage; stage++)
        ok_int((*stage)->run(&made->work, &made->scene.config, NULL, NULL), 0);
}

static void made_done(struct made *made)
{
    np_work_done(&made->work);
    np_file_record_done(&made->record);
    scene_done(&made->scene);
}

static int publish_seen(struct made *made, const struct np_targets_seen *seen,
                        const struct np_exec *exec, struct np_error *err)
{
    const struct np_publish_order order = {.config = &made->scene.config,
                                           .root = dataset(),
                                           .place = &made->scene.plan->job[0].place,
                                           .file = made->file,
                                           .seen = seen};

    return np_publish(&order, &made->work, exec, &made->record, err);
}

static int publish(struct made *made, const struct np_exec *exec, struct np_error *err)
{
    return publish_seen(made, NULL, exec, err);
}

static char *output_path(const struct made *made, const char *name)
{
    return np_xasprintf("%s/sub-01/anat/%s", made->scene.config.output_dir, name);
}

/* Names in the folder of the outputs, temporaries too. */
static size_t count_files(const struct made *made)
{
    NP_AUTO(np_freep) char *folder = output_path(made, "");
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    return np_directory_list(folder, &names, NULL) == 0 ? names.n : 0; /* there may be none */
}

static void check_output(const struct made *made, const struct np_output_record *output)
{
    NP_AUTO(np_freep) char *path = np_path_join(made->scene.config.output_dir, output->path);
    NP_AUTO(np_str_done) struct np_str bytes = {0};
    char sha256[65];

    ok_int(np_file_read(path, 16 << 20, &bytes, NULL), 0);
    ok_int((int64_t)bytes.length, output->n_bytes);
    np_sha256_of(bytes.text, bytes.length, sha256);
    ok_str(output->sha256, sha256);
    ok(!output->voxel_sha256[0] == np_ends_with(output->path, ".json"));
}

TEST(all_outputs_and_their_sidecars_are_there_as_the_record_says)
{
    struct made made;
    struct np_error err = {0};

    make(&made, "all", false);
    ok_int(publish(&made, NULL, &err), 0);
    ok_str(err.text, "");
    ok_int((int64_t)made.record.n_outputs, 8);
    ok_int((int64_t)count_files(&made), 8);
    for (size_t i = 0; i < made.record.n_outputs; i++)
        check_output(&made, &made.record.output[i]);
    made_done(&made);
}

TEST(the_bias_field_is_one_more_image_with_its_sidecar)
{
    struct made made;

    make(&made, "field", true);
    ok_int(publish(&made, NULL, NULL), 0);
    ok_int((int64_t)made.record.n_outputs, 10);
    made_done(&made);
}

/* Nothing new is visible, nothing half-written is left, and the record names none. */
static void check_nothing(struct made *made, size_t n_files_before)
{
    ok_int((int64_t)count_files(made), (int64_t)n_files_before);
    ok_int((int64_t)made->record.n_outputs, 0);
    made_done(made);
}

TEST(a_folder_in_the_place_of_the_last_output_keeps_the_first_from_appearing)
{
    struct made made;
    struct np_error err = {0};

    make(&made, "blocked", false);
    NP_AUTO(np_freep) char *mask = output_path(&made, "sub-01_desc-brain_mask.nii.gz");
    NP_AUTO(np_freep) char *inside = np_path_join(mask, "x");
    ok_int(np_directory_make(inside, NULL), 0);
    ok_int(publish(&made, NULL, &err), NP_ECREATE);
    ok_contains(err.text, "sub-01_desc-brain_mask.nii.gz");
    ok_contains(err.text, "found a folder");
    check_nothing(&made, 1); /* the folder itself */
}

TEST(a_file_in_the_place_of_the_folder_is_said_and_nothing_is_written)
{
    struct made made;
    struct np_error err = {0};

    make(&made, "no-folder", false);
    NP_AUTO(np_freep) char *folder = np_path_join(made.scene.config.output_dir, "sub-01");
    put(folder, "x", 1);
    ok_int(publish(&made, NULL, &err), NP_ECREATE);
    ok_contains(err.text, "sub-01");
    check_nothing(&made, 0);
}

TEST(no_room_leaves_nothing)
{
    struct made made;
    struct np_error err = {0};
    struct rlimit before;

    make(&made, "no-room", false);
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit few = {.rlim_cur = 4096,
                         .rlim_max = before.rlim_max}; /* sidecars fit, images not */
    setrlimit(RLIMIT_FSIZE, &few);
    int code = publish(&made, NULL, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    ok_int((int64_t)np_error_outcome(code), NP_OUTCOME_IO);
    check_nothing(&made, 0);
}

TEST(a_signal_before_the_first_rename_leaves_nothing)
{
    struct made made;
    struct np_cancel cancel = {.signal = SIGTERM};
    const struct np_exec exec = {.cancel = &cancel};
    struct np_error err = {0};

    make(&made, "stopped", false);
    ok_int(publish(&made, &exec, &err), NP_ECANCELED);
    check_nothing(&made, 0);
}

TEST(no_memory_for_an_image_leaves_nothing)
{
    int64_t n_requests, n_refused = 0;

    {
        struct made made;
        make(&made, "memory", false);
        np_alloc_fail_at(0);
        ok_int(publish(&made, NULL, NULL), 0);
        n_requests = np_alloc_requests();
        made_done(&made);
    }
    ok(n_requests > 0);
    for (int64_t nth = 1; nth <= n_requests; nth++) {
        struct made made;
        NP_AUTO(np_freep) char *output = np_xasprintf("memory-%d", (int)nth);
        make(&made, output, false);
        np_alloc_fail_at(nth);
        int code = publish(&made, NULL, NULL);
        np_alloc_fail_at(0);
        if (code == 0) { /* a buffer that can be done without */
            made_done(&made);
            continue;
        }
        n_refused++;
        ok_int(code, NP_ENOMEM);
        check_nothing(&made, 0);
    }
    ok(n_refused > 0);
}

TEST(a_failure_leaves_the_earlier_results_as_they_were)
{
    struct made made, again;
    struct np_cancel cancel = {.signal = SIGTERM};
    const struct np_exec exec = {.cancel = &cancel};

    make(&made, "earlier", false);
    ok_int(publish(&made, NULL, NULL), 0);
    make(&again, "earlier", false);
    again.scene.config.level = NP_LEVEL_MINIMAL;
    ok_int(publish(&again, &exec, NULL), NP_ECANCELED);
    for (size_t i = 0; i < made.record.n_outputs; i++)
        check_output(&made, &made.record.output[i]);
    check_nothing(&again, 8);
    made_done(&made);
}

static void look(const struct made *made, struct np_targets_seen *seen)
{
    np_targets_look(&made->scene.config, &made->scene.plan->job[0], seen);
}

/* Results of an earlier run, and work for the same places after a look at them. */
static void make_again(struct made *made, struct made *again, const char *output,
                       struct np_targets_seen *seen)
{
    make(made, output, false);
    ok_int(publish(made, NULL, NULL), 0);
    make(again, output, false);
    look(again, seen);
}

TEST(what_was_written_during_the_work_is_not_overwritten_and_nothing_is_put_in_place)
{
    /* one of ours that was there, one that was not, a sidecar */
    static const char *const names[] = {"sub-01_desc-brain_mask.nii.gz",
                                        "sub-01_desc-preproc_T1w.nii.gz",
                                        "sub-01_desc-brain_mask.json"};

    for (size_t i = 0; i < NP_COUNT(names); i++)
        for (int n_before = 0; n_before <= 6; n_before += 6) {
            NP_AUTO(np_targets_seen_done) struct np_targets_seen seen = {0};
            NP_AUTO(np_freep) char *output = np_xasprintf("written-%zu-%d", i, n_before);
            NP_AUTO(np_str_done) struct np_str kept = {0};
            struct np_error err = {0};
            struct made made, again;

            if (n_before) {
                make_again(&made, &again, output, &seen);
            } else {
                make(&again, output, false);
                look(&again, &seen);
            }
            NP_AUTO(np_freep) char *path = output_path(&again, names[i]);
            put(path, "painted", 7);
            ok_int(publish_seen(&again, &seen, NULL, &err), NP_ETAKEN);
            ok_contains(err.text, names[i]);
            ok_contains(err.text, "--mask-dir");
            ok_int(np_file_read(path, 100, &kept, NULL), 0);
            ok_str(kept.text, "painted");
            check_nothing(&again, n_before ? 8 : 1);
            if (n_before)
                made_done(&made);
        }
}

TEST(what_was_there_before_the_work_or_went_away_during_it_is_replaced)
{
    NP_AUTO(np_targets_seen_done) struct np_targets_seen seen = {0};
    struct np_error err = {0};
    struct made made, again;

    make_again(&made, &again, "replaced", &seen);
    NP_AUTO(np_freep) char *mask = output_path(&again, "sub-01_desc-brain_mask.nii.gz");
    ok_int(unlink(mask), 0);
    ok_int(publish_seen(&again, &seen, NULL, &err), 0);
    ok_str(err.text, "");
    for (size_t i = 0; i < again.record.n_outputs; i++)
        check_output(&again, &again.record.output[i]);
    made_done(&made);
    made_done(&again);
}

static bool mark_is_left(const struct made *made)
{
    NP_AUTO(np_freep)
    char *mark = np_record_replacing_of(&made->scene.plan->job[0].place, made->file->recorded);

    return np_path_exists(mark);
}

static void ok_as_recorded(const struct made *made)
{
    ok_int((int64_t)made->record.n_outputs, 8);
    for (size_t i = 0; i < made->record.n_outputs; i++)
        check_output(made, &made->record.output[i]);
}

static int check_targets(const struct made *made, struct np_error *err)
{
    return np_targets_check(&made->scene.config, &made->scene.plan->job[0], err);
}

TEST(results_that_were_half_put_in_place_are_marked_are_their_images_own_and_are_made_again)
{
    enum { MARK = 1, N_RENAMES = 1 + 6 };

    for (int nth = 1; nth <= N_RENAMES; nth++) {
        NP_AUTO(np_freep) char *output = np_xasprintf("half-%d", nth);
        struct np_error err = {0}, refused = {0};
        struct made made, again;

        make(&made, output, false);
        rename_that_fails = nth;
        ok_int(publish(&made, NULL, &err), NP_EIO);
        ok(rename_that_fails == 0);
        ok(mark_is_left(&made) == (nth > MARK));
        ok_int(check_targets(&made, &refused), 0);
        ok_str(refused.text, "");
        check_nothing(&made, nth > MARK ? (size_t)(nth - 1 - MARK) : 0);
        make(&again, output, false);
        ok_int(publish(&again, NULL, NULL), 0);
        ok_as_recorded(&again);
        ok(!mark_is_left(&again));
        made_done(&again);
    }
}

TEST(an_attempt_that_failed_before_it_put_anything_in_place_makes_no_file_its_own)
{
    struct np_error err = {0};
    struct made made;

    make(&made, "early", false);
    np_alloc_fail_at(1);
    ok_int(publish(&made, NULL, NULL), NP_ENOMEM);
    np_alloc_fail_at(0);
    NP_AUTO(np_freep) char *mask = output_path(&made, "sub-01_desc-brain_mask.nii.gz");
    put(mask, "mine", 4);
    ok_int(check_targets(&made, &err), NP_ETAKEN);
    ok_contains(err.text, "no record of ours");
    made_done(&made);
}

TAP_MAIN
