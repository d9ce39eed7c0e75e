/*
 * The inheritance principle (BIDS 1.11.1, common principles): a JSON file applies to an image when
 * it is in the image's folder or a folder above it, has the image's suffix, and has no entity that
 * the image does not have. Files are merged from the root down; a later file overrides earlier
 * ones.
 */
#include "bids/sidecar.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "bids/labels.h"
#include "json/json.h"

enum { SIDECAR_MOST_BYTES = 16 << 20 };

/* A file that applies, and the number of its entities. */
struct candidate {
    char *relative;
    int n_entities;
};

struct level {
    struct candidate *candidate;
    size_t n;
};

static void level_done(struct level *level)
{
    for (size_t i = 0; i < level->n; i++)
        free(level->candidate[i].relative);
    free(level->candidate);
}

static void warn(struct np_strings *warnings, const char *text)
{
    if (warnings)
        np_strings_give(warnings, np_utf8_clean(text));
}

/* "scan.json" for "scan.nii.gz" */
static bool is_namesake(const struct np_scan *scan, const char *file_name)
{
    const char *image = np_path_name(scan->relative);
    size_t n_stem = np_image_stem_length(image);

    return n_stem > 0 && strncmp(image, file_name, n_stem) == 0 &&
           strcmp(file_name + n_stem, ".json") == 0;
}

/* True when this file applies; `n_entities` gets the number of its entities. */
static bool applies(const struct np_scan *scan, const char *file_name, int *n_entities)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};

    *n_entities = 0;
    if (file_name[0] == '.' || !np_ends_with(file_name, ".json"))
        return false;
    if (!scan->name.suffix)
        return is_namesake(scan, file_name);
    if (!np_bids_name_parse(file_name, &name) || strcmp(name.extension, ".json") != 0 ||
        strcmp(name.suffix, scan->name.suffix) != 0)
        return false;
    for (size_t i = 0; i < NP_N_ENTITIES; i++) {
        if (!name.entity[i])
            continue;
        if (!scan->name.entity[i] || strcmp(name.entity[i], scan->name.entity[i]) != 0)
            return false;
        ++*n_entities;
    }
    return true;
}

static int by_closeness(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->n_entities != y->n_entities)
        return x->n_entities < y->n_entities ? -1 : 1;
    return strcmp(x->relative, y->relative);
}

/* List the files in `folder` (relative to the root) that apply, those with the most entities
 * last. */
static void list_level(const char *root, const char *folder, const struct np_scan *scan,
                       struct level *level)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, folder);
    DIR *dir = opendir(path);

    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        int n_entities;
        if (!applies(scan, entry->d_name, &n_entities))
            continue;
        level->candidate =
            np_xrealloc(level->candidate, (level->n + 1) * sizeof(*level->candidate));
        level->candidate[level->n++] =
            (struct candidate){np_path_join(folder, entry->d_name), n_entities};
    }
    closedir(dir);
    if (level->n > 1)
        qsort(level->candidate, level->n, sizeof(*level->candidate), by_closeness);
}

static void warn_of_ambiguity(const struct level *level, struct np_strings *warnings)
{
    for (size_t i = 1; i < level->n; i++) {
        NP_AUTO(np_freep)
        char *text =
            np_xasprintf("'%s' and '%s' apply to the same image at one level, which BIDS forbids; "
                         "the second one wins",
                         level->candidate[i - 1].relative, level->candidate[i].relative);
        warn(warnings, text);
    }
}

/* Read one file and merge it into `metadata`. */
static bool merge_file(json_t *metadata, const char *root, const char *relative,
                       struct np_strings *warnings)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, relative);
    NP_AUTO(np_json_freep) json_t *json = NULL;
    struct np_error err = {0};

    if (np_json_read(path, relative, SIDECAR_MOST_BYTES, &json, &err) < 0) {
        NP_AUTO(np_freep) char *sentence = np_xasprintf("%s; its metadata are left out", err.text);
        warn(warnings, sentence);
        return false;
    }
    return json_object_update(metadata, json) == 0;
}

static void merge_level(json_t *metadata, const char *root, const char *folder,
                        const struct np_scan *scan, struct np_strings *used,
                        struct np_strings *warnings)
{
    NP_AUTO(level_done) struct level level = {0};

    list_level(root, folder, scan, &level);
    warn_of_ambiguity(&level, warnings);
    for (size_t i = 0; i < level.n; i++)
        if (merge_file(metadata, root, level.candidate[i].relative, warnings) && used)
            np_strings_add(used, level.candidate[i].relative);
}

json_t *np_sidecar_read(const char *root, const struct np_scan *scan, struct np_strings *used,
                        struct np_strings *warnings)
{
    json_t *metadata = json_object();

    merge_level(metadata, root, "", scan, used, warnings);
    for (const char *slash = strchr(scan->relative, '/'); slash; slash = strchr(slash + 1, '/')) {
        NP_AUTO(np_freep)
        char *folder = np_xstrndup(scan->relative, (size_t)(slash - scan->relative));
        merge_level(metadata, root, folder, scan, used, warnings);
    }
    return metadata;
}
