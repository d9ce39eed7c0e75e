#include "pipeline/masks.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "catalog/modality.h"
#include "codec/sha256.h"
#include "record/derivative_json.h"

enum { DEEPEST = 16, MOST_NAMES_LISTED = 5 };

struct search {
    const struct np_config *config;
    struct np_plan *plan;
    struct np_job_file **given; /* images with a mask, sorted by its path */
    size_t n_given;
    struct np_strings unused; /* images in the folder that are no image's mask, relative */
};

static void search_done(struct search *search)
{
    free(search->given);
    np_strings_done(&search->unused);
}

/* ---- which mask is of which image ---- */

static int by_mask(const void *a, const void *b)
{
    const struct np_job_file *const *x = a, *const *y = b;

    return strcmp((*x)->mask, (*y)->mask);
}

static void find_for(struct search *search, struct np_job_file *file)
{
    NP_AUTO(np_freep) char *relative = np_job_mask(file);

    if (!relative)
        return;
    NP_AUTO(np_freep) char *mirrored = np_path_join(search->config->mask_dir, relative);
    NP_AUTO(np_freep)
    char *flat = np_path_join(search->config->mask_dir, np_path_name(relative));
    bool is_mirrored = np_path_exists(mirrored), is_flat = np_path_exists(flat);
    if (is_mirrored && is_flat && strcmp(mirrored, flat) != 0)
        np_error_set(&file->refused, NP_ECLASH,
                     "'%s' and '%s' are both masks of '%s'; remove one of them", mirrored, flat,
                     file->recorded);
    if (!is_mirrored && !is_flat)
        return;
    file->mask = np_xstrdup(is_mirrored ? mirrored : flat);
    np_mask_record_look(&file->mask_record, file->mask);
    search->given[search->n_given++] = file;
}

static void find_all(struct search *search)
{
    const struct np_plan *plan = search->plan;
    size_t n = 0;

    for (size_t i = 0; i < plan->n_jobs; i++)
        n += plan->job[i].n_files;
    search->given = np_xcalloc(n + 1, sizeof(struct np_job_file *));
    for (size_t i = 0; i < plan->n_jobs; i++)
        for (size_t f = 0; f < plan->job[i].n_files; f++)
            find_for(search, &plan->job[i].file[f]);
    qsort(search->given, search->n_given, sizeof(struct np_job_file *), by_mask);
}

/* Two images of one name in two folders, and one mask directly in --mask-dir. */
static void refuse_shared(struct search *search)
{
    for (size_t i = 1; i < search->n_given; i++) {
        struct np_job_file *one = search->given[i - 1], *other = search->given[i];
        if (strcmp(one->mask, other->mask) != 0)
            continue;
        np_error_set(&one->refused, NP_ECLASH,
                     "'%s' would be the mask of both '%s' and '%s'; put it into the folder of one",
                     one->mask, one->recorded, other->recorded);
        other->refused = one->refused;
    }
}

/* ---- files that fit no image ---- */

static bool is_image_name(const char *name)
{
    return np_ends_with(name, ".nii") || np_ends_with(name, ".nii.gz");
}

static bool is_narrow(const struct np_config *config)
{
    return config->participants.n > 0 || config->sessions.n > 0 || config->session_list;
}

static bool same_label(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : !one && !other;
}

/* A selection of participants or sessions leaves the masks of the others alone. */
static bool is_selected(const struct search *search, const struct np_bids_name *name)
{
    const struct np_plan *plan = search->plan;

    if (!is_narrow(search->config) || !name->entity[NP_ENTITY_SUB])
        return true;
    for (size_t i = 0; i < plan->n_jobs; i++) {
        const struct np_session *session = plan->job[i].session;
        if (session && same_label(session->participant, name->entity[NP_ENTITY_SUB]) &&
            same_label(session->session, name->entity[NP_ENTITY_SES]))
            return true;
    }
    return false;
}

static void set_text(char **place, const char *text)
{
    free(*place);
    *place = text ? np_xstrdup(text) : NULL;
}

/* Turn the name of a mask into that of its image; NULL for a name that no mask of ours has. */
static const struct np_modality *name_image(struct np_bids_name *name)
{
    const char *desc = name->entity[NP_ENTITY_DESC], *space = name->entity[NP_ENTITY_SPACE];
    const struct np_modality *modality = np_modality_find(space ? space : NP_FIRST_SUFFIX);

    if (!desc || strcmp(desc, "brain") != 0 || strcmp(name->suffix, "mask") != 0 || !modality)
        return NULL;
    set_text(&name->entity[NP_ENTITY_DESC], NULL);
    set_text(&name->entity[NP_ENTITY_SPACE], NULL);
    set_text(&name->suffix, modality->suffix);
    return modality;
}

/* Is the image in the dataset? Then it only is not selected. Changes the name. */
static bool image_exists(const struct np_dataset *dataset, struct np_bids_name *name)
{
    static const char *const extensions[] = {".nii.gz", ".nii"};
    const char *sub = name->entity[NP_ENTITY_SUB], *ses = name->entity[NP_ENTITY_SES];
    const struct np_modality *modality = name_image(name);
    bool found = false;

    for (size_t i = 0; modality && sub && i < NP_COUNT(extensions); i++) {
        set_text(&name->extension, extensions[i]);
        NP_AUTO(np_freep) char *image = np_bids_name_format(name);
        NP_AUTO(np_freep)
        char *path = np_xasprintf("%s/sub-%s%s%s/%s/%s", dataset->root, sub, ses ? "/ses-" : "",
                                  ses ? ses : "", modality->datatype, image);
        found = found || np_path_exists(path);
    }
    return found;
}

static bool fits_no_image(const struct search *search, const char *relative)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};

    if (!np_bids_name_parse(np_path_name(relative), &name))
        return true;
    if (!is_selected(search, &name))
        return false;
    return !search->plan->dataset || !image_exists(search->plan->dataset, &name);
}

static bool is_used(const struct search *search, char *path)
{
    struct np_job_file key = {.mask = path}, *at = &key;

    return bsearch(&at, search->given, search->n_given, sizeof(at), by_mask) != NULL;
}

/* Of a selection, folders of other participants are not read. */
static bool is_folder_of_others(const struct search *search, const char *name)
{
    const struct np_plan *plan = search->plan;

    if (!is_narrow(search->config) || !np_starts_with(name, "sub-"))
        return false;
    for (size_t i = 0; i < plan->n_jobs; i++)
        if (plan->job[i].session && strcmp(plan->job[i].session->participant, name + 4) == 0)
            return false;
    return true;
}

static int walk(struct search *search, const char *relative, int depth, struct np_error *err)
{
    NP_AUTO(np_freep) char *directory = np_path_join(search->config->mask_dir, relative);
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    NP_TRY(np_directory_list(directory, &names, err));
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.item[i];
        if (name[0] == '.')
            continue;
        NP_AUTO(np_freep) char *below = np_path_join(relative, name);
        NP_AUTO(np_freep) char *path = np_path_join(search->config->mask_dir, below);
        if (depth < DEEPEST && np_path_is_real_directory(path)) {
            if (!is_folder_of_others(search, name))
                NP_TRY(walk(search, below, depth + 1, err));
        } else if (is_image_name(name) && !is_used(search, path) && fits_no_image(search, below)) {
            np_strings_add(&search->unused, below);
        }
    }
    return 0;
}

/* How the mask of the first image would be called. The caller frees. */
static char *example(const struct np_plan *plan)
{
    for (size_t i = 0; i < plan->n_jobs; i++)
        if (plan->job[i].n_files > 0) {
            NP_AUTO(np_freep) char *relative = np_job_mask(&plan->job[i].file[0]);
            return np_xstrdup(np_path_name(relative ? relative : ""));
        }
    return np_xstrdup("sub-01_desc-brain_mask.nii.gz");
}

static void warn_of_unused(struct search *search)
{
    size_t n = search->unused.n;

    if (n == 0)
        return;
    NP_AUTO(np_freep) char *list = np_strings_join(&search->unused, ", ", MOST_NAMES_LISTED);
    NP_AUTO(np_freep) char *name = example(search->plan);
    np_strings_give(&search->plan->warnings,
                    np_xasprintf("'%s': %zu file%s no image (%s); a mask is called as the program "
                                 "calls its own: %s",
                                 search->config->mask_dir, n, n == 1 ? " fits" : "s fit", list,
                                 name));
}

int np_masks_check(const struct np_config *config, struct np_error *err)
{
    if (!config->mask_dir)
        return 0;
    NP_TRY(np_directory_require(config->mask_dir, "a folder of brain masks", err));
    if (!config->output_dir || !np_path_is_below(config->mask_dir, config->output_dir))
        return 0;
    return np_error_set(err, NP_EUSAGE,
                        "--mask-dir: expected a folder of your own, found '%s' in OUTPUT_DIR, "
                        "whose masks are the program's; copy those that you painted to another "
                        "folder",
                        config->mask_dir);
}

int np_masks_find(const struct np_config *config, struct np_plan *plan, struct np_error *err)
{
    NP_AUTO(search_done) struct search search = {.config = config, .plan = plan};

    if (!config->mask_dir)
        return 0;
    NP_TRY(np_masks_check(config, err));
    find_all(&search);
    refuse_shared(&search);
    plan->n_masks = search.n_given;
    NP_TRY(walk(&search, "", 0, err));
    warn_of_unused(&search);
    return 0;
}

/* ---- masks that were given earlier ---- */

static void keep(const struct np_config *config, struct np_job_file *file)
{
    NP_AUTO(np_freep) char *relative = np_job_mask(file);
    struct np_derivative_hashes hashes;
    char sha256[65];

    if (!relative)
        return;
    NP_AUTO(np_freep) char *path = np_path_join(config->output_dir, relative);
    NP_AUTO(np_freep) char *sidecar = np_derivative_sidecar(path);
    if (!np_derivative_read_hashes(sidecar, &hashes) || !hashes.given_mask_sha256[0] ||
        np_sha256_file(path, sha256, NULL) < 0 || strcmp(sha256, hashes.sha256) != 0)
        return;
    file->mask = np_xstrdup(path);
    memcpy(file->mask_record.sha256, hashes.given_mask_sha256, sizeof(file->mask_record.sha256));
}

void np_masks_keep(const struct np_config *config, struct np_job *job)
{
    for (size_t f = 0; f < job->n_files; f++)
        if (!job->file[f].mask)
            keep(config, &job->file[f]);
}
