#include "pipeline/batch.h"

#include <string.h>
#include <strings.h>

#include "base/path.h"

enum { DEEPEST = 64, MOST_NAMES_LISTED = 3 };

struct search {
    struct np_plan *plan;
    const char *output_dir;
    struct np_strings no_heads; /* relative paths that were left out by their names */
};

static void search_done(struct search *search)
{
    np_strings_done(&search->no_heads);
}

static bool is_image_name(const char *name)
{
    return np_ends_with(name, ".nii") || np_ends_with(name, ".nii.gz") ||
           np_ends_with(name, ".hdr") || np_ends_with(name, ".hdr.gz");
}

/* Last words of names of images that are no head, as BIDS and common tools write them. */
static const char *const other_suffixes[] = {
    "mask",      "dseg",       "probseg",    "seg",       "aseg",   "label",  "labels",
    "bold",      "boldref",    "sbref",      "cbv",       "dwi",    "adc",    "fa",
    "md",        "epi",        "fieldmap",   "phasediff", "phase",  "phase1", "phase2",
    "magnitude", "magnitude1", "magnitude2", "asl",       "m0scan", "cbf",    "pet",
    "biasfield", "T1map",      "T2map",      "T2starmap", "R1map",  "R2map",  "defacemask",
};

bool np_batch_is_head_name(const char *name)
{
    NP_AUTO(np_freep) char *stem = np_xstrndup(name, strcspn(name, "."));
    const char *bar = strrchr(stem, '_');
    const char *last = bar ? bar + 1 : stem;

    for (size_t i = 0; i < NP_COUNT(other_suffixes); i++)
        if (strcasecmp(last, other_suffixes[i]) == 0)
            return false;
    return !np_starts_with(stem, "desc-") && !strstr(stem, "_desc-");
}

static void collect(struct search *search, const char *root, const char *relative, int depth)
{
    struct np_plan *plan = search->plan;
    NP_AUTO(np_freep) char *directory = np_path_join(root, relative);
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    struct np_error why = {0};

    if (np_path_is_below(directory, search->output_dir))
        return;
    if (depth > DEEPEST) {
        np_strings_give(&plan->warnings, np_xasprintf("'%s': more than %d folders deep, left out",
                                                      directory, (int)DEEPEST));
        return;
    }
    if (np_directory_list(directory, &names, &why) < 0) {
        np_strings_give(&plan->warnings, np_xasprintf("%s; left out", why.text));
        return;
    }
    for (size_t i = 0; i < names.n; i++) {
        if (names.item[i][0] == '.')
            continue;
        NP_AUTO(np_freep) char *below = np_path_join(relative, names.item[i]);
        NP_AUTO(np_freep) char *path = np_path_join(root, below);
        if (np_path_is_real_directory(path)) {
            collect(search, root, below, depth + 1);
        } else if (np_path_is_directory(path)) {
            np_strings_give(&plan->warnings,
                            np_xasprintf("'%s': a link to a folder, not followed", path));
        } else if (is_image_name(names.item[i]) && !np_batch_is_head_name(names.item[i])) {
            np_strings_add(&search->no_heads, below);
        } else if (is_image_name(names.item[i])) {
            np_strings_add(&plan->paths, path);
            np_strings_add(&plan->names, below);
        }
    }
}

static void warn_of_no_heads(const struct search *search)
{
    const struct np_strings *names = &search->no_heads;
    NP_AUTO(np_freep) char *list = np_strings_join(names, ", ", MOST_NAMES_LISTED);

    if (names->n)
        np_strings_give(&search->plan->warnings,
                        np_xasprintf("left out by name, because %s no head: %zu file%s (%s); "
                                     "'process' takes any file that it is given",
                                     names->n == 1 ? "it is" : "they are", names->n,
                                     np_plural((int64_t)names->n), list));
}

int np_batch_find(const struct np_config *config, struct np_plan *plan, struct np_error *err)
{
    const char *root = config->inputs.n ? config->inputs.item[0] : "";
    NP_AUTO(search_done) struct search search = {.plan = plan, .output_dir = config->output_dir};

    NP_TRY(np_directory_require(root, "a folder", err));
    if (np_path_is_below(root, config->output_dir))
        return np_error_set(
            err, NP_ECREATE,
            "'%s': expected an OUTPUT_DIR that does not hold the inputs, found '%s' in "
            "it; choose another",
            config->output_dir, root);
    collect(&search, root, "", 0);
    warn_of_no_heads(&search);
    if (plan->paths.n > 0)
        return 0;
    return np_error_set(
        err, NP_ESELECT, "'%s': expected NIfTI files (.nii, .nii.gz, .hdr) below, found %s", root,
        search.no_heads.n ? "only such whose names say that they are no heads" : "none");
}
