/* The decisions of a run before any work, on a dataset of two sessions with tiny images. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "image/nifti.h"
#include "pipeline/plan_json.h"
#include "tap.h"

static char *dataset;

static void put(const char *path, const char *text)
{
    NP_AUTO(np_freep) char *parent = np_path_directory(path);

    ok_int(np_directory_make(parent, NULL), 0);
    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
}

static void put_image(const char *path)
{
    const struct np_grid grid = np_grid_make(16, 16, 16, 2, 2, 2);
    const struct np_nifti_info like = {.version = 1, .xform_code = 1};
    const struct np_nifti_output how = {.like = &like, .description = ""};
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    NP_AUTO(np_freep) char *parent = np_path_directory(path);
    struct np_nifti_written written;

    ok_int(np_directory_make(parent, NULL), 0);
    ok_int(np_nifti_write_image(path, path, image, &how, NULL, &written, NULL), 0);
}

/* sub-01 with an image, sub-02 with an empty anat/. */
static void make_dataset(void)
{
    if (dataset)
        return;
    dataset = np_path_join(tap_directory(), "bids");
    NP_AUTO(np_freep) char *description = np_path_join(dataset, "dataset_description.json");
    NP_AUTO(np_freep) char *image = np_path_join(dataset, "sub-01/anat/sub-01_T1w.nii.gz");
    NP_AUTO(np_freep) char *empty = np_path_join(dataset, "sub-02/anat");
    put(description, "{\"Name\": \"x\", \"BIDSVersion\": \"1.8.0\"}");
    put_image(image);
    ok_int(np_directory_make(empty, NULL), 0);
}

static void configure(struct np_config *config, const char *output_name)
{
    make_dataset();
    np_config_init(config);
    config->bids_dir = np_xstrdup(dataset);
    config->output_dir = np_path_join(tap_directory(), output_name);
    config->mem_bytes = INT64_C(1) << 30;
}

/* Outputs of one byte each, put in place and recorded. */
static void pretend_outputs(const struct np_config *settings, const struct np_job_file *file,
                            struct np_file_record *record)
{
    NP_AUTO(np_strings_done) struct np_strings outputs = {0};

    np_job_outputs(file, settings, &outputs);
    for (size_t i = 0; i < outputs.n; i++) {
        NP_AUTO(np_freep) char *path = np_path_join(settings->output_dir, outputs.item[i]);
        put(path, "x");
        np_file_record_output(record, outputs.item[i])->n_bytes = 1;
    }
}

/* The outputs and the completion record of a job of the plan, as if it had been done. */
static void pretend_done(const struct np_config *settings, const struct np_plan *plan,
                         const struct np_job *job, const char *config, const char *method)
{
    NP_AUTO(np_record_done) struct np_session_record record;
    struct stat status;

    np_record_init(&record);
    record.state = NP_STATE_SUCCESS;
    record.config = np_xstrdup(config ? config : plan->config);
    record.file = np_xcalloc(1, sizeof(*record.file));
    record.n_files = 1;
    record.file[0].state = NP_STATE_SUCCESS;
    record.file[0].path = np_xstrdup(job->file[0].recorded);
    record.file[0].modality = np_xstrdup(job->file[0].modality);
    record.file[0].method = np_xstrdup(method ? method : job->file[0].method);
    ok_int(stat(job->file[0].path, &status), 0);
    record.file[0].n_bytes = status.st_size;
    record.file[0].mtime_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
    pretend_outputs(settings, &job->file[0], &record.file[0]);
    ok_int(np_directory_make(job->place.directory, NULL), 0);
    ok_int(np_record_write(job->place.status, &record, NULL), 0);
    ok_int(np_record_write(job->place.complete, &record, NULL), 0);
}

TEST(a_session_with_images_is_run_and_one_without_has_nothing_to_do)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;

    configure(&config, "fresh");
    ok_int(np_plan_make(&config, &plan, NULL), 0);
    ok_int((int64_t)plan->n_jobs, 2);
    ok_int(plan->job[0].decision, NP_DECIDE_RUN);
    ok_int(plan->job[1].decision, NP_DECIDE_NOTHING_TO_DO);
    ok_int((int64_t)plan->n_run, 1);
    ok_int((int64_t)plan->n_nothing, 1);
    ok_int(plan->n_parallel, 1);
    ok_int(plan->job[0].need.memory_bytes,
           np_estimate_memory(&config, plan->job[0].file[0].recipe, &plan->job[0].file[0].grid,
                              &plan->job[0].file[0].seen, plan->n_threads));
    ok(!np_path_exists(config.output_dir));
    NP_AUTO(np_freep) char *json = np_plan_json(plan, NULL);
    ok_contains(json, "\"decision\": \"run\"");
    ok_contains(json, "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz");
}

TEST(complete_sessions_are_skipped_unless_all_are_requested)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;
    NP_AUTO(np_plan_freep) struct np_plan *again = NULL;
    NP_AUTO(np_plan_freep) struct np_plan *all = NULL;

    configure(&config, "complete");
    ok_int(np_plan_make(&config, &plan, NULL), 0);
    pretend_done(&config, plan, &plan->job[0], NULL, NULL);
    ok_int(np_plan_make(&config, &again, NULL), 0);
    ok_int(again->job[0].decision, NP_DECIDE_SKIP);
    config.rerun = NP_RERUN_ALL;
    ok_int(np_plan_make(&config, &all, NULL), 0);
    ok_int(all->job[0].decision, NP_DECIDE_RUN);
}

TEST(results_made_otherwise_stop_the_run_and_both_ways_on_are_named)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;
    NP_AUTO(np_plan_freep) struct np_plan *refused = NULL;
    NP_AUTO(np_plan_freep) struct np_plan *redone = NULL;
    struct np_error by_options = {0}, by_method = {0};

    configure(&config, "otherwise");
    ok_int(np_plan_make(&config, &plan, NULL), 0);
    pretend_done(&config, plan, &plan->job[0], "{\"normalize\": \"other\"}", NULL);
    ok_int(np_plan_make(&config, &refused, &by_options), NP_ECONFIG);
    ok_contains(by_options.text, "normalize: other there, zscore here");
    ok_contains(by_options.text, "--rerun outdated");
    ok_contains(by_options.text, "--allow-mixed");
    pretend_done(&config, plan, &plan->job[0], NULL, "load_file:0");
    ok_int(np_plan_make(&config, &refused, &by_method), NP_ECONFIG);
    ok_contains(by_method.text, "method of T1w: load_file:0 there, ");
    ok(refused == NULL);
    config.rerun = NP_RERUN_OUTDATED;
    ok_int(np_plan_make(&config, &redone, NULL), 0);
    ok_int(redone->job[0].decision, NP_DECIDE_RUN);
}

TEST(rerun_failed_leaves_sessions_that_never_started)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;

    configure(&config, "untried");
    config.rerun = NP_RERUN_FAILED;
    ok_int(np_plan_make(&config, &plan, NULL), 0);
    ok_int(plan->job[0].decision, NP_DECIDE_LEAVE);
}

TEST(an_output_inside_the_dataset_is_refused_but_below_derivatives)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;
    static const char *const bad[] = {"bids", "bids/out", "bids/derivatives", "bids/sub-01/../x",
                                      "bids/derivatives/../y"};

    configure(&config, "bids/derivatives/ours");
    ok_int(np_plan_make(&config, &plan, NULL), 0);
    for (size_t i = 0; i < NP_COUNT(bad); i++) {
        NP_AUTO(np_plan_freep) struct np_plan *none = NULL;
        struct np_error err = {0};
        np_freep(&config.output_dir);
        config.output_dir = np_path_join(tap_directory(), bad[i]);
        ok_int(np_plan_make(&config, &none, &err), NP_ECREATE);
        ok_contains(err.text, "derivatives/");
    }
}

static void configure_files(struct np_config *config, enum np_command command)
{
    np_config_init(config);
    config->command = command;
    config->output_dir = np_path_join(tap_directory(), "files-out");
    config->mem_bytes = INT64_C(1) << 30;
}

TEST(two_inputs_of_one_output_are_both_named)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;
    struct np_error err = {0};

    configure_files(&config, NP_COMMAND_PROCESS);
    np_strings_add(&config.inputs, "a/scan.nii.gz");
    np_strings_add(&config.inputs, "b/other.nii");
    np_strings_add(&config.inputs, "b/scan.nii");
    ok_int(np_plan_make(&config, &plan, &err), NP_EUSAGE);
    ok_contains(err.text, "'a/scan.nii.gz' and 'b/scan.nii'");
}

TEST(batch_mirrors_folders_and_follows_no_links_to_folders)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;
    NP_AUTO(np_freep) char *root = np_path_join(tap_directory(), "many");
    NP_AUTO(np_freep) char *deep = np_path_join(root, "x/deep.nii.gz");
    NP_AUTO(np_freep) char *other = np_path_join(root, "notes.txt");
    NP_AUTO(np_freep) char *loop = np_path_join(root, "x/loop");

    put_image(deep);
    put(other, "no image");
    ok_int(symlink(root, loop), 0);
    configure_files(&config, NP_COMMAND_BATCH);
    np_strings_add(&config.inputs, root);
    ok_int(np_plan_make(&config, &plan, NULL), 0);
    ok_int((int64_t)plan->n_jobs, 1);
    ok_str(plan->job[0].label, "x/deep.nii.gz");
    NP_AUTO(np_freep)
    char *output = np_job_output(&plan->job[0].file[0], plan->job[0].file[0].recipe->main_output);
    ok(np_starts_with(output, "x/deep_desc-preproc"));
    ok_int((int64_t)plan->warnings.n, 1);
    ok_contains(plan->warnings.item[0], "x/loop");
}

TEST(batch_refuses_an_output_that_holds_its_inputs)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;

    configure_files(&config, NP_COMMAND_BATCH);
    np_freep(&config.output_dir);
    config.output_dir = np_xstrdup(tap_directory());
    np_strings_add(&config.inputs, tap_directory());
    ok_int(np_plan_make(&config, &plan, NULL), NP_ECREATE);
}

TEST(an_image_too_large_for_the_memory_is_refused_by_itself)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;

    configure(&config, "small");
    config.mem_bytes = 1 << 20;
    ok_int(np_plan_make(&config, &plan, NULL), 0);
    ok_int(plan->job[0].decision, NP_DECIDE_RUN);
    ok_int(plan->job[0].file[0].refused.code, NP_ENOMEM);
    ok_contains(plan->job[0].file[0].refused.text, "16 × 16 × 16");
    ok_int(plan->job[0].file[0].need.disk_bytes, 0);
    ok_int(plan->n_parallel, 1);
    ok_int(plan->n_threads, 1);
}

TEST(memory_that_just_suffices_is_enough_with_the_supervisor_and_not_without)
{
    int64_t need = 0;

    for (int less = -1; less < 2; less++) {
        NP_AUTO(np_config_done) struct np_config config;
        NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;
        configure(&config, "just");
        config.omp_nthreads = 1;
        if (less >= 0)
            config.mem_bytes = need + NP_ESTIMATE_RUN_BYTES - less;
        ok_int(np_plan_make(&config, &plan, NULL), 0);
        need = plan->job[0].need.memory_bytes;
        ok_int(plan->job[0].file[0].refused.code, less > 0 ? NP_ENOMEM : 0);
    }
}

TEST(sessions_times_threads_stay_within_the_cpus)
{
    for (int nprocs = 1; nprocs <= 5; nprocs++)
        for (int threads = 0; threads <= 6; threads++) {
            NP_AUTO(np_config_done) struct np_config config;
            NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;
            configure(&config, "shared");
            config.nprocs = nprocs;
            config.omp_nthreads = threads;
            config.parallel = 3;
            ok_int(np_plan_make(&config, &plan, NULL), 0);
            ok(plan->n_threads >= 1 && plan->n_parallel * plan->n_threads <= nprocs);
        }
}

TEST(a_claim_beyond_counting_needs_more_than_there_is)
{
    const struct np_recipe *recipe = np_recipe_find(&np_modalities[NP_MODALITY_T1W]);
    struct np_grid grid = np_grid_make(1, 1, 1, 1, 1, 1);
    NP_AUTO(np_config_done) struct np_config config;

    configure(&config, "claim");
    grid.n[0] = grid.n[1] = INT64_C(1) << 31;
    ok(np_estimate_memory(&config, recipe, &grid, &(struct np_image_seen){0}, 4) == INT64_MAX);
}

TAP_MAIN
