#include "pipeline/admission.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "catalog/modality.h"
#include "codec/sha256.h"
#include "image/nifti.h"
#include "record/survey.h"
#include "stages/stage.h"

enum { MOST_TRIES = 5 };

/* How this program makes results with these options. */
static void describe_ours(const struct np_config *config, struct np_making *ours)
{
    *ours = (struct np_making){.options = np_config_results_json(config)};
    for (size_t i = 0; i < NP_N_MODALITIES; i++) {
        const struct np_recipe *recipe = np_recipe_find(&np_modalities[i]);
        NP_AUTO(np_freep) char *method = recipe ? np_recipe_version(recipe) : NULL;
        if (method)
            np_making_add_method(ours, np_modalities[i].suffix, method);
    }
}

/* Its memory; of a folder without one, what its records tell. */
static int look(const char *output_dir, struct np_folder *folder, struct np_error *err)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    int code = np_folder_recall(output_dir, folder, err);

    if (code != 1)
        return code;
    if (np_survey_read(output_dir, &survey, NULL) < 0)
        return 0;
    *folder = survey.folder;
    survey.folder = (struct np_folder){0};
    return 0;
}

/* ---- another configuration ---- */

/* Sessions with results of other configurations than ours, and how long making them took. */
static void count_redo(const char *output_dir, const struct np_making *ours, size_t *n,
                       double *wall_s)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    struct np_making own = *ours;
    const struct np_folder only_ours = {.making = &own, .n_makings = 1};

    *n = 0;
    *wall_s = 0;
    if (np_survey_read(output_dir, &survey, NULL) < 0)
        return;
    for (size_t i = 0; i < survey.n_rows; i++) {
        const struct np_session_record *record = &survey.row[i].record;
        if (np_folder_accepts_record(&only_ours, record))
            continue;
        ++*n;
        *wall_s += isfinite(record->wall_s) && record->wall_s > 0 ? record->wall_s : 0;
    }
}

/* "3 s", "12 min", "4.5 h"; the caller frees. */
static char *duration(double seconds)
{
    if (seconds < 90)
        return np_xasprintf("%.0f s", fmax(seconds, 1));
    if (seconds < 5400)
        return np_xasprintf("%.0f min", seconds / 60);
    return np_xasprintf("%.1f h", seconds / 3600);
}

char *np_admission_cost(size_t n_sessions, double wall_s)
{
    NP_AUTO(np_freep) char *time = duration(wall_s);

    return np_xasprintf("a redo is %zu session%s, about %s of work as recorded", n_sessions,
                        np_plural((int64_t)n_sessions), time);
}

static int refuse_configuration(const char *output_dir, const struct np_folder *folder,
                                const struct np_making *ours, struct np_error *err)
{
    size_t n;
    double wall_s;
    NP_AUTO(np_freep) char *difference = np_making_difference(&folder->making[0], ours);

    count_redo(output_dir, ours, &n, &wall_s);
    NP_AUTO(np_freep)
    char *cost = n ? np_admission_cost(n, wall_s)
                   : np_xstrdup("no session is complete, so a redo costs nothing");
    return np_error_set(err, NP_ECONFIG,
                        "'%s' holds another configuration (%s); %s; choose another output folder, "
                        "or make this configuration the folder's with --rerun outdated, or mix "
                        "them with --allow-mixed",
                        output_dir, difference, cost);
}

/* ---- another dataset ---- */

bool np_source_is_another(const struct np_source_evidence *evidence)
{
    bool is_unknown = evidence->n_unknown > 0 && evidence->n_results == 0;

    return evidence->n_changed > 0 || (evidence->n_common == 0 && !is_unknown);
}

static bool same_text(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : !one && !other;
}

static bool is_called_otherwise(const struct np_folder *folder, const struct np_dataset *dataset)
{
    return !same_text(folder->source_name, dataset->name) ||
           !same_text(folder->source_doi, dataset->doi);
}

/* A time in whole seconds may have been set by a tool that gives it to all files: it says nothing. */
static bool same_time(const struct stat *status, int64_t mtime_ns)
{
    return status->st_mtim.tv_nsec != 0 &&
           status->st_mtim.tv_sec * INT64_C(1000000000) + status->st_mtim.tv_nsec == mtime_ns;
}

enum found { FOUND_NOT, FOUND_UNKNOWN, FOUND_SAME, FOUND_OTHER };

/* An input without a result. While its session runs, a result of it will come: then another size or
 * time is another image. */
static enum found compare_untold(const struct stat *status, const struct np_file_record *file,
                                 bool is_running)
{
    int64_t mtime_ns = status->st_mtim.tv_sec * INT64_C(1000000000) + status->st_mtim.tv_nsec;

    if (status->st_size == file->n_bytes && mtime_ns == file->mtime_ns)
        return FOUND_SAME;
    return is_running ? FOUND_OTHER : FOUND_UNKNOWN;
}

/* The recorded input in this dataset. Content that is not here now says nothing against it. */
static enum found find_input(const char *root, const struct np_file_record *file, bool is_running)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, file->path);
    NP_AUTO(np_freep) char *data_path = np_nifti_data_path(path);
    /* Outputs that are kept have another input than the attempt that failed. */
    const char *of_result = file->sha256[0] ? file->sha256 : file->kept_input_sha256;
    struct stat status;
    char sha256[65];

    if (lstat(data_path, &status) != 0)
        return FOUND_NOT;
    if (stat(data_path, &status) != 0)
        return FOUND_SAME;
    if (!*of_result)
        return compare_untold(&status, file, is_running);
    if (file->sha256[0] && status.st_size != file->n_bytes)
        return FOUND_OTHER;
    if ((file->sha256[0] && same_time(&status, file->mtime_ns)) ||
        np_sha256_file(data_path, sha256, NULL) < 0)
        return FOUND_SAME;
    return strcmp(sha256, of_result) == 0 ? FOUND_SAME : FOUND_OTHER;
}

static bool has_result(const struct np_session_record *record)
{
    for (size_t f = 0; f < record->n_files; f++)
        if (record->file[f].sha256[0] || record->file[f].kept_input_sha256[0])
            return true;
    return false;
}

/* Returns the first input that differs, borrowed from the row; NULL when none does. */
static const char *compare_session(const char *root, const struct np_survey_row *row,
                                   struct np_source_evidence *evidence)
{
    const struct np_session_record *record = &row->record;
    bool is_common = false, is_unknown = false;

    evidence->n_results += has_result(record);
    for (size_t f = 0; f < record->n_files; f++) {
        enum found found = find_input(root, &record->file[f], row->state == NP_STATE_RUNNING);
        is_common = is_common || found == FOUND_SAME;
        is_unknown = is_unknown || found == FOUND_UNKNOWN;
        if (found != FOUND_OTHER)
            continue;
        evidence->n_common++;
        evidence->n_changed++;
        return record->file[f].path;
    }
    evidence->n_common += is_common;
    evidence->n_unknown += is_unknown && !is_common;
    return NULL;
}

/* The caller frees. */
static char *source_words(const char *name, const char *doi)
{
    return np_xasprintf("%s%s%s%s", name ? name : "a dataset without a Name", doi ? " (DOI " : "",
                        doi ? doi : "", doi ? ")" : "");
}

static int refuse_dataset(const char *output_dir, const struct np_folder *folder,
                          const struct np_dataset *dataset, const char *other, bool has_records,
                          struct np_error *err)
{
    NP_AUTO(np_freep) char *there = source_words(folder->source_name, folder->source_doi);
    NP_AUTO(np_freep) char *here = source_words(dataset->name, dataset->doi);
    NP_AUTO(np_freep)
    char *why = other ? np_xasprintf("'%s' is another image there", other)
                : has_records
                    ? np_xstrdup("they have no session in common")
                    : np_xstrdup("no session has begun that could show that they are the same");

    return np_error_set(err, NP_ECONFIG,
                        "'%s' is the folder of the dataset '%s', and '%s' is the dataset '%s': %s; "
                        "choose another output folder",
                        output_dir, there, dataset->root, here, why);
}

/* A dataset of the same Name and DOI is the same. With another one the images tell. */
static int check_source(const char *output_dir, const struct np_folder *folder,
                        const struct np_dataset *dataset, struct np_error *err)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    struct np_source_evidence evidence = {0};
    const char *other = NULL;

    if (!folder->has_source || !is_called_otherwise(folder, dataset))
        return 0;
    if (np_survey_read(output_dir, &survey, NULL) == 0)
        for (size_t i = 0; i < survey.n_rows && !other; i++)
            if (survey.row[i].record.participant)
                other = compare_session(dataset->root, &survey.row[i], &evidence);
    if (!np_source_is_another(&evidence))
        return 0;
    return refuse_dataset(output_dir, folder, dataset, other, survey.n_rows > 0, err);
}

static void take_source(struct np_folder *folder, const struct np_dataset *dataset)
{
    np_freep(&folder->source_name);
    np_freep(&folder->source_doi);
    folder->has_source = true;
    folder->source_name = dataset->name ? np_xstrdup(dataset->name) : NULL;
    folder->source_doi = dataset->doi ? np_xstrdup(dataset->doi) : NULL;
}

/* ---- both ---- */

static void warn_of_mixture(const char *output_dir, const struct np_folder *folder,
                            struct np_strings *warnings)
{
    NP_AUTO(np_strings_done) struct np_strings words = {0};

    if (folder->n_makings < 2 || !warnings)
        return;
    for (size_t i = 0; i < folder->n_makings; i++)
        np_strings_give(&words, np_making_words(&folder->making[i]));
    NP_AUTO(np_freep) char *all = np_strings_join(&words, "; ", 5);
    np_strings_give(warnings, np_xasprintf("'%s' holds %zu configurations (%s); 'status' shows "
                                           "which session has which",
                                           output_dir, folder->n_makings, all));
}

/* The memory as a run found it and leaves it. */
struct admission {
    struct np_folder folder; /* as the run leaves it */
    bool exists;             /* there is a memory on disk */
    bool changes;            /* it must be written */
};

static int admit(const struct np_config *config, const struct np_dataset *dataset,
                 struct admission *admission, struct np_error *err)
{
    NP_AUTO(np_making_done) struct np_making ours;
    struct np_folder *folder = &admission->folder;

    *admission = (struct admission){0};
    describe_ours(config, &ours);
    NP_TRY(look(config->output_dir, folder, err));
    enum np_folder_verdict verdict =
        np_folder_judge(folder, &ours, config->rerun == NP_RERUN_OUTDATED, config->allow_mixed);
    if (verdict == NP_FOLDER_REFUSES)
        return refuse_configuration(config->output_dir, folder, &ours, err);
    if (dataset)
        NP_TRY(check_source(config->output_dir, folder, dataset, err));
    admission->exists = folder->origin == NP_FOLDER_REMEMBERED;
    admission->changes = !admission->exists || !folder->id || verdict != NP_FOLDER_AGREES ||
                         np_folder_lacks(folder, &ours) ||
                         (dataset && (!folder->has_source || is_called_otherwise(folder, dataset)));
    np_folder_apply(folder, verdict, &ours);
    if (dataset)
        take_source(folder, dataset);
    return 0;
}

int np_admission_check(const struct np_config *config, const struct np_dataset *dataset,
                       struct np_folder *folder, struct np_strings *warnings, struct np_error *err)
{
    struct admission admission;
    int code = admit(config, dataset, &admission, err);

    if (code < 0)
        np_folder_done(&admission.folder);
    else
        warn_of_mixture(config->output_dir, &admission.folder, warnings);
    *folder = admission.folder;
    return code;
}

/* Returns 1 when another run was first. */
static int settle_once(const struct np_config *config, const struct np_dataset *dataset,
                       struct np_error *err)
{
    struct admission admission;
    int code = admit(config, dataset, &admission, err);

    if (code == 0 && admission.changes)
        code = admission.exists ? np_folder_replace(config->output_dir, &admission.folder, err)
                                : np_folder_write_first(config->output_dir, &admission.folder, err);
    np_folder_done(&admission.folder);
    return code;
}

int np_admission_settle(const struct np_config *config, const struct np_dataset *dataset,
                        struct np_error *err)
{
    for (int i = 0; i < MOST_TRIES; i++) {
        int code = settle_once(config, dataset, err);
        if (code != 1)
            return code;
    }
    return np_error_set(err, NP_EBUSY, "'%s': other runs change logs/folder.json all the time",
                        config->output_dir);
}

int np_admission_still_holds(const struct np_config *config, struct np_error *err)
{
    NP_AUTO(np_folder_done) struct np_folder folder = {0};
    NP_AUTO(np_making_done) struct np_making ours;

    describe_ours(config, &ours);
    int code = np_folder_recall(config->output_dir, &folder, err);
    if (code < 0)
        return code;
    if (code == 1 || np_folder_judge(&folder, &ours, false, false) == NP_FOLDER_AGREES)
        return 0;
    NP_AUTO(np_freep) char *difference = np_making_difference(&folder.making[0], &ours);
    return np_error_set(err, NP_ECONFIG,
                        "another run has changed the configuration of '%s' since this one began "
                        "(%s); give the two runs different output folders",
                        config->output_dir, difference);
}
