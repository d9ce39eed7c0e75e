/* The results of a file are put in place together or not at all. */
#include <sys/resource.h>

#include "codec/sha256.h"
#include "pipeline/publish.h"
#include "pipeline/scene.h"
#include "stages/stage.h"

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

static int publish(struct made *made, const struct np_exec *exec, struct np_error *err)
{
    return np_publish(&made->scene.config, dataset(), made->file, &made->work, exec, &made->record,
                      err);
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
    ok_int((int64_t)made.record.n_outputs, 6);
    ok_int((int64_t)count_files(&made), 6);
    for (size_t i = 0; i < made.record.n_outputs; i++)
        check_output(&made, &made.record.output[i]);
    made_done(&made);
}

TEST(the_bias_field_is_one_more_image_with_its_sidecar)
{
    struct made made;

    make(&made, "field", true);
    ok_int(publish(&made, NULL, NULL), 0);
    ok_int((int64_t)made.record.n_outputs, 8);
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
    check_nothing(&again, 6);
    made_done(&made);
}

TAP_MAIN
