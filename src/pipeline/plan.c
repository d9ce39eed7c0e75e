#include "pipeline/plan.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/path.h"
#include "catalog/modality.h"
#include "image/nifti.h"
#include "pipeline/asked.h"
#include "pipeline/batch.h"
#include "pipeline/estimate_cohort.h"
#include "pipeline/masks.h"
#include "pipeline/selected.h"
#include "pipeline/targets.h"

/* Each session needs two descriptors, a pipe and a log; these are for everything else. */
enum { OTHER_DESCRIPTORS = 48 };

void np_job_done(struct np_job *job)
{
    for (size_t i = 0; i < job->n_files; i++) {
        free(job->file[i].method);
        free(job->file[i].mask);
    }
    free(job->file);
    free(job->label);
    free(job->why);
    np_record_place_done(&job->place);
    *job = (struct np_job){0};
}

char *np_job_output(const struct np_job_file *file, const struct np_output *output)
{
    if (file->scan)
        return np_derivative_path(file->scan, &output->file);
    NP_AUTO(np_freep) char *folder = np_path_directory(file->recorded);
    NP_AUTO(np_freep)
    char *name =
        np_derivative_path_plain(np_path_name(file->recorded), file->modality, &output->file);
    return np_path_join(strcmp(folder, ".") == 0 ? "" : folder, name);
}

char *np_job_mask(const struct np_job_file *file)
{
    const struct np_recipe *recipe = file->recipe;

    for (size_t i = 0; i < recipe->n_outputs; i++)
        if (recipe->output[i].slot == NP_SLOT_BRAIN)
            return np_job_output(file, &recipe->output[i]);
    return NULL;
}

void np_job_outputs(const struct np_job_file *file, const struct np_config *config,
                    struct np_strings *paths)
{
    const struct np_recipe *recipe = file->recipe;

    for (size_t i = 0; i < recipe->n_outputs; i++)
        if (!config || np_output_is_wanted(&recipe->output[i], config))
            np_strings_give(paths, np_job_output(file, &recipe->output[i]));
}

void np_plan_freep(struct np_plan **address)
{
    struct np_plan *plan = *address;

    if (!plan)
        return;
    for (size_t i = 0; i < plan->n_jobs; i++)
        np_job_done(&plan->job[i]);
    free(plan->job);
    np_dataset_freep(&plan->dataset);
    np_strings_done(&plan->paths);
    np_strings_done(&plan->names);
    np_strings_done(&plan->warnings);
    np_folder_done(&plan->folder);
    free(plan->config);
    np_freep(address);
}

/* The job's files borrow from the dataset or the plan's lists. */
static void add_file(struct np_job *job, const char *path, const char *recorded,
                     const struct np_scan *scan, const char *modality)
{
    const struct np_recipe *recipe = np_recipe_find(np_modality_find(modality));

    job->file = np_xrealloc(job->file, (job->n_files + 1) * sizeof(*job->file));
    job->file[job->n_files++] = (struct np_job_file){.path = path,
                                                     .recorded = recorded,
                                                     .scan = scan,
                                                     .modality = modality,
                                                     .recipe = recipe,
                                                     .method = np_recipe_version(recipe)};
}

static struct np_job *add_job(struct np_plan *plan, char *label)
{
    plan->job = np_xrealloc(plan->job, (plan->n_jobs + 1) * sizeof(*plan->job));
    plan->job[plan->n_jobs] = (struct np_job){.label = label};
    return &plan->job[plan->n_jobs++];
}

static int check_output_place(const struct np_config *config, struct np_error *err)
{
    if (!np_path_is_below(config->output_dir, config->bids_dir))
        return 0;
    NP_AUTO(np_freep) char *derivatives = np_path_join(config->bids_dir, "derivatives");
    NP_AUTO(np_freep) char *resolved = np_path_resolve(config->output_dir);
    NP_AUTO(np_freep) char *allowed = np_path_resolve(derivatives);
    if (resolved && allowed && strcmp(resolved, allowed) != 0 &&
        np_path_is_below(resolved, allowed))
        return 0;
    return np_error_set(err, NP_ECREATE,
                        "'%s': expected an OUTPUT_DIR outside the dataset or in a folder below "
                        "its derivatives/, found one inside '%s'; choose another",
                        config->output_dir, config->bids_dir);
}

static int plan_dataset(const struct np_config *config, struct np_plan *plan, struct np_error *err)
{
    NP_TRY(np_dataset_open_selected(config, &plan->dataset, err));
    for (size_t s = 0; s < plan->dataset->n_sessions; s++) {
        const struct np_session *session = &plan->dataset->session[s];
        struct np_job *job = add_job(plan, np_session_text(session));
        job->session = session;
        np_record_place_session(&job->place, config->output_dir, session->participant,
                                session->session, session->requested_session);
        for (size_t f = 0; f < session->n_scans; f++) {
            const struct np_scan *scan = &session->scan[f];
            add_file(job, scan->path, scan->relative, scan, scan->name.suffix);
        }
    }
    return 0;
}

/* The first modality unless the name or -m says otherwise. */
static const char *plain_modality(const struct np_config *config, const char *path)
{
    NP_AUTO(np_freep) char *stem = np_record_stem(np_path_name(path));
    const char *bar = strrchr(stem, '_');
    const struct np_modality *named = np_modality_find(bar ? bar + 1 : stem);

    if (named && np_recipe_find(named))
        return named->suffix;
    return config->modalities.n == 1 ? config->modalities.item[0] : NP_FIRST_SUFFIX;
}

/* The outputs that a file of `process` or `batch` may write. */
struct target {
    char *output;
    const struct np_job *job;
};

struct targets {
    struct target *item;
    size_t n;
};

static void targets_done(struct targets *targets)
{
    for (size_t i = 0; i < targets->n; i++)
        free(targets->item[i].output);
    free(targets->item);
}

static int by_output(const void *a, const void *b)
{
    const struct target *x = a, *y = b;
    int order = strcmp(x->output, y->output);

    return order ? order : strcmp(x->job->file[0].path, y->job->file[0].path);
}

static void add_targets(const struct np_config *config, const struct np_job *job,
                        struct targets *targets)
{
    const struct np_recipe *recipe = job->file[0].recipe;

    targets->item =
        np_xrealloc(targets->item, (targets->n + recipe->n_outputs) * sizeof(*targets->item));
    for (size_t k = 0; k < recipe->n_outputs; k++)
        if (np_output_is_wanted(&recipe->output[k], config))
            targets->item[targets->n++] =
                (struct target){np_job_output(&job->file[0], &recipe->output[k]), job};
}

static void list_targets(const struct np_config *config, const struct np_plan *plan,
                         struct targets *targets)
{
    for (size_t i = 0; i < plan->n_jobs; i++)
        add_targets(config, &plan->job[i], targets);
    qsort(targets->item, targets->n, sizeof(*targets->item), by_output);
}

/* An output must not overwrite a file other than that of an earlier run: no input, and no file
 * of another program. */
static int check_target(const char *output_dir, const struct target *target, struct np_error *err)
{
    NP_AUTO(np_freep) char *path = np_path_join(output_dir, target->output);
    struct stat output, input;

    if (stat(path, &output) != 0)
        return 0;
    const char *from = target->job->file[0].path;
    if (stat(from, &input) == 0 && input.st_dev == output.st_dev && input.st_ino == output.st_ino)
        return np_error_set(err, NP_ETAKEN,
                            "'%s': would be replaced by its own result '%s'; choose another output "
                            "folder",
                            from, target->output);
    if (np_path_exists(target->job->place.status))
        return 0;
    return np_error_set(err, NP_ETAKEN,
                        "'%s' exists and no record of ours names it: expected a place of our own "
                        "for the results of '%s'; choose another output folder, or remove it",
                        path, from);
}

static int check_targets(const struct np_config *config, const struct np_plan *plan,
                         struct np_error *err)
{
    NP_AUTO(targets_done) struct targets targets = {0};

    list_targets(config, plan, &targets);
    for (size_t i = 1; i < targets.n; i++) {
        const struct target *one = &targets.item[i - 1], *other = &targets.item[i];
        if (one->job != other->job && strcmp(one->output, other->output) == 0)
            return np_error_set(err, NP_EUSAGE,
                                "'%s' and '%s' would both write '%s'; give them separate outputs",
                                one->job->file[0].path, other->job->file[0].path, one->output);
    }
    for (size_t i = 0; i < targets.n; i++)
        NP_TRY(check_target(config->output_dir, &targets.item[i], err));
    return 0;
}

static int plan_files(const struct np_config *config, struct np_plan *plan, struct np_error *err)
{
    if (config->command == NP_COMMAND_BATCH) {
        NP_TRY(np_batch_find(config, plan, err));
    } else {
        for (size_t i = 0; i < config->inputs.n; i++) {
            np_strings_add(&plan->paths, config->inputs.item[i]);
            np_strings_add(&plan->names, np_path_name(config->inputs.item[i]));
        }
    }
    for (size_t i = 0; i < plan->paths.n; i++) {
        const char *name = plan->names.item[i];
        NP_AUTO(np_freep) char *stem = np_record_stem(name);
        struct np_job *job = add_job(plan, np_xstrdup(name));
        np_record_place_file(&job->place, config->output_dir, stem);
        add_file(job, plan->paths.item[i], name, NULL, plain_modality(config, name));
    }
    return check_targets(config, plan, err);
}

static bool failed_before(const struct np_job *job)
{
    NP_AUTO(np_record_done) struct np_session_record record = {0};

    return np_record_read(job->place.status, &record, NULL) == 0 &&
           record.state != NP_STATE_SUCCESS && record.state != NP_STATE_NOTHING_TO_DO;
}

/* The facts by which the completion of a job's files is judged. */
struct expectation {
    char *data_path;
    struct np_strings outputs;
};

static void expect(const struct np_job_file *file, const struct np_config *config,
                   struct expectation *expected, struct np_complete_input *input)
{
    const struct np_recipe *recipe = file->recipe;

    expected->data_path = np_nifti_data_path(file->path);
    for (size_t i = 0; i < recipe->n_outputs; i++)
        if (np_output_is_wanted(&recipe->output[i], config) && !recipe->output[i].may_be_absent)
            np_strings_give(&expected->outputs, np_job_output(file, &recipe->output[i]));
    *input = (struct np_complete_input){expected->data_path, file->recorded,     file->modality,
                                        file->method,        &expected->outputs, file->mask};
}

enum np_completeness np_plan_completeness(const struct np_plan *plan,
                                          const struct np_config *config, const struct np_job *job,
                                          char **why, bool *is_warned)
{
    NP_AUTO(np_freep)
    struct np_complete_input *input = np_xcalloc(job->n_files, sizeof(*input));
    NP_AUTO(np_freep)
    struct expectation *expected = np_xcalloc(job->n_files, sizeof(*expected));
    const struct np_complete_key key = {
        .config = plan->config,
        .input = input,
        .n_inputs = job->n_files,
        /* When a store is not mounted, recorded sessions of a dataset stay complete; but a file
         * that was named on the command line must exist. */
        .may_be_away = job->session != NULL,
        .folder = &plan->folder};

    for (size_t i = 0; i < job->n_files; i++)
        expect(&job->file[i], config, &expected[i], &input[i]);
    enum np_completeness found =
        np_complete_check(&job->place, config->output_dir, &key, why, is_warned);
    for (size_t i = 0; i < job->n_files; i++) {
        free(expected[i].data_path);
        np_strings_done(&expected[i].outputs);
    }
    return found;
}

/* Decide about a session whose results were made otherwise. Without a dataset around it a file is
 * known by its name alone: another image of that name must not quietly take the place of the
 * first. */
static enum np_decision decide_other(const struct np_config *config, enum np_completeness found)
{
    return config->allow_mixed && found != NP_INPUT_CHANGED ? NP_DECIDE_LEAVE : NP_DECIDE_CONFLICT;
}

static void decide(const struct np_config *config, struct np_plan *plan, struct np_job *job)
{
    enum np_completeness found =
        np_plan_completeness(plan, config, job, &job->why, &job->is_warned);
    bool differs = found == NP_OTHER_CONFIG || found == NP_OTHER_METHOD || found == NP_OTHER_MASK ||
                   (found == NP_INPUT_CHANGED && !job->session);
    if (config->rerun == NP_RERUN_ALL || (config->rerun == NP_RERUN_OUTDATED && found))
        job->decision = NP_DECIDE_RUN;
    else if (found == NP_COMPLETE || found == NP_LACKS_ADDED)
        job->decision = NP_DECIDE_SKIP;
    else if (differs)
        job->decision = decide_other(config, found);
    else if (config->rerun == NP_RERUN_FAILED && !failed_before(job))
        job->decision = NP_DECIDE_LEAVE;
    else
        job->decision = NP_DECIDE_RUN;
    bool unreadable = job->session && job->session->unreadable;
    if (job->n_files == 0 && !unreadable && job->decision == NP_DECIDE_RUN)
        job->decision = NP_DECIDE_NOTHING_TO_DO;
}

/* A session that the user withdrew stays as it is, whatever it is. */
static void withdraw(const struct np_plans *plans, struct np_job *job)
{
    const struct np_asked asked = np_job_asked(job);

    if (job->decision == NP_DECIDE_SKIP || !(np_plans_marks(plans, &asked) & NP_MARK_WITHDRAWN))
        return;
    job->decision = NP_DECIDE_WITHDRAWN;
    free(job->why);
    job->why = np_xstrdup("withdrawn; back with: neuro-preprocess status OUTPUT_DIR --restore");
}

static void decide_all(const struct np_config *config, struct np_plan *plan)
{
    size_t *const counts[] = {[NP_DECIDE_RUN] = &plan->n_run,
                              [NP_DECIDE_SKIP] = &plan->n_skip,
                              [NP_DECIDE_NOTHING_TO_DO] = &plan->n_nothing,
                              [NP_DECIDE_CONFLICT] = &plan->n_conflict,
                              [NP_DECIDE_LEAVE] = &plan->n_leave,
                              [NP_DECIDE_WITHDRAWN] = &plan->n_withdrawn};
    NP_AUTO(np_plans_freep)
    struct np_plans *plans = np_plans_read(config->output_dir, NP_PLANS_CHANGES_ONLY);

    for (size_t i = 0; i < plan->n_jobs; i++) {
        struct np_job *job = &plan->job[i];
        decide(config, plan, job);
        withdraw(plans, job);
        ++*counts[job->decision];
        if (job->decision != NP_DECIDE_RUN)
            continue;
        NP_IGNORE(np_targets_check(config, job, &job->refused));
        np_masks_keep(config, job);
    }
}

/* How long making the results took that would be made again. */
static double conflicts_wall_s(const struct np_plan *plan)
{
    double sum = 0;

    for (size_t i = 0; i < plan->n_jobs; i++) {
        NP_AUTO(np_record_done) struct np_session_record record = {0};
        const struct np_job *job = &plan->job[i];
        if (job->decision == NP_DECIDE_CONFLICT &&
            np_record_read(job->place.status, &record, NULL) == 0 && isfinite(record.wall_s) &&
            record.wall_s > 0)
            sum += record.wall_s;
    }
    return sum;
}

static int check_conflicts(const struct np_plan *plan, struct np_error *err)
{
    for (size_t i = 0; i < plan->n_jobs; i++) {
        const struct np_job *job = &plan->job[i];
        if (job->decision != NP_DECIDE_CONFLICT)
            continue;
        const char *them = plan->n_conflict == 1 ? "it" : "them";
        NP_AUTO(np_freep)
        char *cost = np_admission_cost(plan->n_conflict, conflicts_wall_s(plan));
        NP_AUTO(np_freep)
        char *keep =
            job->session ? np_xasprintf(", or keep %s with --allow-mixed", them) : np_xstrdup("");
        return np_error_set(err, NP_ECONFIG,
                            "%zu of the selected %s complete, but made otherwise (%s: %s); %s; "
                            "choose another output folder, or process %s again with --rerun "
                            "outdated%s",
                            plan->n_conflict,
                            plan->n_conflict == 1 ? "sessions is" : "sessions are", job->label,
                            job->why ? job->why : "", cost, them, keep);
    }
    return 0;
}

/* The memory that all sessions may use together. */
static int64_t sessions_bytes(const struct np_plan *plan)
{
    return plan->memory_bytes - NP_ESTIMATE_RUN_BYTES;
}

static void refuse_too_large(const struct np_plan *plan, struct np_job_file *file,
                             const int64_t n[3])
{
    long long need_mib = file->need.memory_bytes >> 20, run_mib = NP_ESTIMATE_RUN_BYTES >> 20;

    np_error_set(&file->refused, NP_ENOMEM,
                 "'%s': %lld × %lld × %lld voxels need about %lld MiB, allowed are %lld MiB",
                 file->path, (long long)n[0], (long long)n[1], (long long)n[2], need_mib + run_mib,
                 (long long)(plan->memory_bytes >> 20));
    file->need = (struct np_need){.memory_bytes = file->need.memory_bytes};
}

static bool is_estimated(const struct np_job *job)
{
    return job->decision == NP_DECIDE_RUN || job->decision == NP_DECIDE_NOTHING_TO_DO;
}

static size_t list_images(const struct np_plan *plan, struct np_image_need *image)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->n_jobs; i++)
        for (size_t f = 0; is_estimated(&plan->job[i]) && f < plan->job[i].n_files; f++, n++)
            if (image)
                image[n] = (struct np_image_need){.recipe = plan->job[i].file[f].recipe,
                                                  .path = plan->job[i].file[f].path};
    return n;
}

static int64_t memory_of(const struct np_config *config, const struct np_job_file *file,
                         int n_threads)
{
    return np_estimate_memory(config, file->recipe, &file->grid, &file->seen, n_threads);
}

/* A header that cannot be read is the worker's to report; an image that is too large is not
 * worked on. The images were estimated as if no masks were given. */
static void take_estimate(const struct np_config *config, const struct np_plan *plan,
                          const struct np_image_need *image, struct np_job_file *file)
{
    file->grid = image->grid;
    file->need = image->need;
    file->seen = image->seen;
    if (file->seen.has_skull && file->mask) {
        file->seen.has_skull = false;
        file->need.memory_bytes = memory_of(config, file, 1);
    }
    if (file->need.memory_bytes > sessions_bytes(plan) && file->grid.n[0] > 0)
        refuse_too_large(plan, file, file->grid.n);
}

/* With one thread for each job. */
static void estimate_jobs(const struct np_config *config, struct np_plan *plan)
{
    size_t n = list_images(plan, NULL), next = 0;
    NP_AUTO(np_freep) struct np_image_need *image = np_xcalloc(n + 1, sizeof(*image));

    list_images(plan, image);
    np_estimate_images(config, 1, image, n);
    for (size_t i = 0; i < plan->n_jobs; i++) {
        struct np_job *job = &plan->job[i];
        if (!is_estimated(job))
            continue;
        job->need = np_estimate_records(config, job->session != NULL, job->n_files);
        for (size_t f = 0; f < job->n_files; f++) {
            take_estimate(config, plan, &image[next++], &job->file[f]);
            np_need_add(&job->need, &job->file[f].need);
        }
    }
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

/* Estimate the jobs to run; returns the largest session that fits. */
static int64_t estimate_all(const struct np_config *config, struct np_plan *plan)
{
    int64_t largest = 1;

    estimate_jobs(config, plan);
    plan->need = np_estimate_run(config);
    for (size_t i = 0; i < plan->n_jobs; i++) {
        const struct np_need *need = &plan->job[i].need;
        np_need_add(&plan->need, need);
        if (need->memory_bytes <= sessions_bytes(plan) && need->memory_bytes > largest)
            largest = need->memory_bytes;
    }
    return largest;
}

/* Sessions × threads never exceed the CPUs. Sessions at once, with the buffers of their threads,
 * never exceed the memory; one session with one thread always runs. */
static void share_out(const struct np_config *config, struct np_plan *plan)
{
    int cpus = config->nprocs > 0 ? config->nprocs : plan->resources.cpus;
    int n_work = (int)(plan->n_run < 100000 ? plan->n_run : 100000);
    int threads = config->omp_nthreads > 0 ? min_int(config->omp_nthreads, cpus) : cpus;
    int parallel = config->parallel > 0       ? config->parallel
                   : config->omp_nthreads > 0 ? cpus / threads
                                              : cpus;
    int64_t largest = estimate_all(config, plan);
    int64_t by_memory = sessions_bytes(plan) / largest;

    parallel =
        min_int(min_int(parallel, cpus), (np_resources_descriptors() - OTHER_DESCRIPTORS) / 2);
    parallel = max_int(min_int(parallel, n_work), 1);
    plan->n_parallel = by_memory < parallel ? max_int((int)by_memory, 1) : parallel;
    int64_t spare = sessions_bytes(plan) / plan->n_parallel - largest;
    int64_t more = spare > 0 ? spare / NP_ESTIMATE_BYTES_PER_THREAD : 0;
    plan->n_threads = min_int(threads, cpus / plan->n_parallel);
    if (more < plan->n_threads - 1)
        plan->n_threads = 1 + (int)more;
}

/* Compute the plan's memory for the number of threads that it chose. */
static void count_threads(const struct np_config *config, struct np_plan *plan)
{
    for (size_t i = 0; i < plan->n_jobs; i++)
        for (size_t f = 0; f < plan->job[i].n_files; f++) {
            struct np_job *job = &plan->job[i];
            struct np_job_file *file = &job->file[f];
            if (file->grid.n[0] == 0 || file->refused.code < 0)
                continue;
            file->need.memory_bytes = memory_of(config, file, plan->n_threads);
            np_need_add(&job->need, &(struct np_need){.memory_bytes = file->need.memory_bytes});
        }
}

/* Find the free space of the file system of OUTPUT_DIR, INT64_MAX when it is not known or not
 * counted: a write fails then. Find its longest name. */
static void look_at_file_system(const struct np_config *config, struct np_plan *plan)
{
    NP_AUTO(np_freep) char *existing = np_path_resolve(config->output_dir);
    struct statvfs fs;

    plan->disk_free_bytes = plan->inodes_free = INT64_MAX;
    plan->longest_name = NAME_MAX;
    while (existing && !np_path_exists(existing)) {
        char *parent = np_path_directory(existing);
        free(existing);
        existing = parent;
    }
    if (!existing || statvfs(existing, &fs) != 0)
        return;
    if (fs.f_blocks == 0 ||
        __builtin_mul_overflow(fs.f_bavail, fs.f_frsize, &plan->disk_free_bytes))
        plan->disk_free_bytes = INT64_MAX;
    if (fs.f_files > 0 && fs.f_favail < INT64_MAX)
        plan->inodes_free = (int64_t)fs.f_favail;
    if (fs.f_namemax > 0)
        plan->longest_name = fs.f_namemax;
}

/* The longest output name of a file; the caller frees. */
static char *longest_output(const struct np_config *config, const struct np_job_file *file)
{
    NP_AUTO(np_strings_done) struct np_strings outputs = {0};
    const char *longest = "";

    np_job_outputs(file, config, &outputs);
    for (size_t i = 0; i < outputs.n; i++)
        if (strlen(np_path_name(outputs.item[i])) > strlen(longest))
            longest = np_path_name(outputs.item[i]);
    return np_xstrdup(longest);
}

/* The rename at the end would be the first to fail: refuse before any work. */
static void check_output_names(const struct np_config *config, const struct np_plan *plan,
                               struct np_job *job)
{
    enum { SHOWN = sizeof("_desc-brain_mask.nii.gz") - 1 };

    for (size_t f = 0; f < job->n_files; f++) {
        NP_AUTO(np_freep) char *name = longest_output(config, &job->file[f]);
        size_t n = strlen(name);
        if (n > plan->longest_name)
            np_error_set(&job->file[f].refused, NP_ENAME,
                         "'%s': its result would have a name of %zu bytes (it ends in '%s'), the "
                         "file system of the output allows %zu",
                         job->file[f].path, n, name + (n > SHOWN ? n - SHOWN : 0),
                         plan->longest_name);
    }
}

/* Without its records a session cannot even be said to have failed. */
static int check_record_names(const struct np_plan *plan, const struct np_job *job,
                              struct np_error *err)
{
    const char *const records[] = {job->place.status, job->place.log, job->place.complete,
                                   job->place.lock};

    for (size_t i = 0; i < NP_COUNT(records); i++) {
        size_t n = strlen(np_path_name(records[i]));
        if (n > plan->longest_name)
            return np_error_set(err, NP_ENAME,
                                "'%s': its record would have a name of %zu bytes, the file system "
                                "of the output allows %zu",
                                job->label, n, plan->longest_name);
    }
    return 0;
}

static int check_names(const struct np_config *config, struct np_plan *plan, struct np_error *err)
{
    for (size_t i = 0; i < plan->n_jobs; i++) {
        NP_TRY(check_record_names(plan, &plan->job[i], err));
        check_output_names(config, plan, &plan->job[i]);
    }
    return 0;
}

static int check_disk(const struct np_config *config, struct np_plan *plan, struct np_error *err)
{
    if (plan->need.disk_bytes > plan->disk_free_bytes)
        return np_error_set(err, NP_ESPACE,
                            "about %lld MiB are needed, %lld MiB are free at '%s'; make room, "
                            "choose another OUTPUT_DIR, or select fewer sessions",
                            (long long)(plan->need.disk_bytes >> 20) + 1,
                            (long long)(plan->disk_free_bytes >> 20), config->output_dir);
    if (plan->need.inodes > plan->inodes_free)
        return np_error_set(err, NP_ESPACE,
                            "about %lld files and folders are needed, %lld inodes are free at "
                            "'%s'; remove files, choose another OUTPUT_DIR, or select fewer "
                            "sessions",
                            (long long)plan->need.inodes, (long long)plan->inodes_free,
                            config->output_dir);
    return 0;
}

/* Check the order of stages before any work. */
static int check_recipes(const struct np_plan *plan, struct np_error *err)
{
    for (size_t i = 0; i < plan->n_jobs; i++)
        for (size_t f = 0; f < plan->job[i].n_files; f++)
            NP_TRY(np_recipe_check(plan->job[i].file[f].recipe, err));
    return 0;
}

/* Find the sessions and files, decide about each, and check that OUTPUT_DIR takes their results. */
static int find_and_decide(const struct np_config *config, struct np_plan *plan,
                           struct np_error *err)
{
    np_resources_detect(&plan->resources);
    plan->memory_bytes = config->mem_bytes > 0 ? config->mem_bytes : plan->resources.memory_bytes;
    plan->config = np_config_results_json(config);
    if (config->bids_dir) {
        NP_TRY(check_output_place(config, err));
        NP_TRY(plan_dataset(config, plan, err));
    } else {
        NP_TRY(plan_files(config, plan, err));
    }
    NP_TRY(check_recipes(plan, err));
    NP_TRY(np_masks_find(config, plan, err));
    NP_TRY(np_admission_check(config, plan->dataset, &plan->folder, &plan->warnings, err));
    decide_all(config, plan);
    return check_conflicts(plan, err);
}

static int fill(const struct np_config *config, struct np_plan *plan, struct np_error *err)
{
    NP_TRY(find_and_decide(config, plan, err));
    if (config->plan_only && config->format != NP_FORMAT_JSON)
        return 0;
    share_out(config, plan);
    count_threads(config, plan);
    look_at_file_system(config, plan);
    NP_TRY(check_names(config, plan, err));
    return check_disk(config, plan, err);
}

int np_plan_check(const struct np_config *config, struct np_error *err)
{
    NP_AUTO(np_plan_freep) struct np_plan *plan = np_xcalloc(1, sizeof(*plan));

    return find_and_decide(config, plan, err);
}

int np_plan_make(const struct np_config *config, struct np_plan **out, struct np_error *err)
{
    NP_AUTO(np_plan_freep) struct np_plan *plan = np_xcalloc(1, sizeof(*plan));

    NP_TRY(fill(config, plan, err));
    *out = plan;
    plan = NULL;
    return 0;
}
