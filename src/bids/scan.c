/*
 * Find the images to preprocess in one folder. The tests for a name, in this order: is it an image;
 * does .bidsignore hide it; is it of a kind that we process; is it a raw image that belongs to this
 * folder (else a warning); is it selected.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "bids/finder.h"
#include "bids/labels.h"

/* Entities that only derivatives have: an image with one of them is a result, whatever its
 * suffix. */
static const enum np_bids_entity derived_entities[] = {
    NP_ENTITY_HEMI, NP_ENTITY_SPACE, NP_ENTITY_SEG,  NP_ENTITY_RES,
    NP_ENTITY_DEN,  NP_ENTITY_LABEL, NP_ENTITY_DESC,
};

void np_finder_warn(const struct np_finder *finder, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    NP_AUTO(np_freep) char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    np_strings_give(finder->warnings, np_utf8_clean(text));
}

int np_folder_list(const char *root, const char *relative, struct np_strings *names)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, relative);
    DIR *dir = opendir(path);

    if (!dir)
        return errno;
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir)); errno = 0)
        if (entry->d_name[0] != '.')
            np_strings_add(names, entry->d_name);
    int failed = errno;
    closedir(dir);
    np_strings_sort(names);
    return failed;
}

void np_scan_done(struct np_scan *scan)
{
    free(scan->path);
    free(scan->relative);
    np_bids_name_done(&scan->name);
    *scan = (struct np_scan){0};
}

static bool same_or_absent(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Remember a kind of image that is there and not taken. */
static void note_left_out(struct np_finder *finder, const char *word)
{
    if (!np_strings_have(&finder->words_left_out, word))
        np_strings_add(&finder->words_left_out, word);
}

/* True when the suffix is among the modalities; one with the wrong case gives a warning. */
static bool is_of_our_kind(struct np_finder *finder, const char *relative, const char *suffix)
{
    if (np_strings_have(&finder->modalities, suffix))
        return true;
    note_left_out(finder, suffix);
    for (size_t i = 0; i < finder->modalities.n; i++)
        if (strcasecmp(finder->modalities.item[i], suffix) == 0)
            np_finder_warn(finder, "'%s': expected the suffix '%s', found '%s'; left out", relative,
                           finder->modalities.item[i], suffix);
    return false;
}

static bool is_nifti(const struct np_finder *finder, const char *relative, const char *extension)
{
    if (strcmp(extension, ".nii.gz") == 0 || strcmp(extension, ".nii") == 0)
        return true;
    np_finder_warn(finder, "'%s': expected the extension '.nii.gz' or '.nii', found '%s'; left out",
                   relative, extension);
    return false;
}

/* True when participant and session in the name agree with the folders. */
static bool fits_folder(const struct np_finder *finder, const struct np_session *session,
                        const char *relative, const struct np_bids_name *name)
{
    if (same_or_absent(name->entity[NP_ENTITY_SUB], session->participant) &&
        same_or_absent(name->entity[NP_ENTITY_SES], session->session))
        return true;
    np_finder_warn(finder,
                   "'%s': expected a name that begins with 'sub-%s_%s%s%s', as its folders "
                   "say; left out",
                   relative, session->participant, session->session ? "ses-" : "",
                   session->session ? session->session : "", session->session ? "_" : "");
    return false;
}

static bool is_raw(const struct np_finder *finder, const char *relative,
                   const struct np_bids_name *name)
{
    for (size_t i = 0; i < NP_COUNT(derived_entities); i++) {
        enum np_bids_entity entity = derived_entities[i];
        if (!name->entity[entity])
            continue;
        np_finder_warn(finder,
                       "'%s': expected a raw image, found a derivative's name ('%s-%s'); "
                       "left out",
                       relative, np_bids_entity_key(entity), name->entity[entity]);
        return false;
    }
    /* One inversion of an MP2RAGE is not T1-weighted by itself. */
    if (name->entity[NP_ENTITY_INV]) {
        np_finder_warn(finder,
                       "'%s': expected a whole contrast, found one inversion ('inv-%s'); "
                       "left out",
                       relative, name->entity[NP_ENTITY_INV]);
        return false;
    }
    return true;
}

static bool has_index(const struct np_strings *wanted, const char *found)
{
    for (size_t i = 0; i < wanted->n; i++)
        if (np_index_equal(wanted->item[i], found))
            return true;
    return false;
}

/* An image without an echo is no echo of a series, so --echo-idx does not concern it; an image
 * without a run is not the run that was asked for. */
static bool is_selected(struct np_finder *finder, const char *datatype,
                        const struct np_bids_name *name)
{
    const char *part = name->entity[NP_ENTITY_PART];
    const char *echo = name->entity[NP_ENTITY_ECHO];
    const char *run = name->entity[NP_ENTITY_RUN];

    if (part && strcmp(part, "mag") != 0) {
        NP_AUTO(np_freep) char *word = np_xasprintf("part-%s_%s", part, name->suffix);
        note_left_out(finder, word);
        return false;
    }
    if (!np_filter_accepts(finder->filter, name->suffix, datatype, name)) {
        finder->filter_left_out = true;
        return false;
    }
    if (finder->echoes.n && echo && !has_index(&finder->echoes, echo))
        return false;
    if (!finder->runs.n)
        return true;
    if (run && !np_strings_have(&finder->runs_seen, run))
        np_strings_add(&finder->runs_seen, run);
    return run && has_index(&finder->runs, run);
}

/* Parse `file_name` and decide. When true, the caller owns `name`. */
static bool take_name(struct np_finder *finder, const struct np_session *session,
                      const char *datatype, const char *relative, const char *file_name,
                      struct np_bids_name *name)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name parsed = {0};

    if (np_image_stem_length(file_name) == 0 ||
        np_ignore_matches(&finder->ignore, relative, NP_PATH_FILE))
        return false;
    if (!np_bids_name_parse(file_name, &parsed) || !parsed.entity[NP_ENTITY_SUB]) {
        np_finder_warn(finder,
                       "'%s': expected a BIDS name (key-label pairs, then a suffix), found "
                       "something else; left out",
                       relative);
        return false;
    }
    if (!is_of_our_kind(finder, relative, parsed.suffix) ||
        !is_nifti(finder, relative, parsed.extension) ||
        !fits_folder(finder, session, relative, &parsed) || !is_raw(finder, relative, &parsed) ||
        !is_selected(finder, datatype, &parsed))
        return false;
    *name = parsed;
    parsed = (struct np_bids_name){0};
    return true;
}

/* A broken link is kept: the reader reports that its content is missing. */
static bool is_folder(const struct np_finder *finder, const struct np_scan *scan)
{
    if (!np_path_is_directory(scan->path))
        return false;
    np_finder_warn(finder, "'%s': expected an image, found a folder; left out", scan->relative);
    return true;
}

static int by_relative(const void *a, const void *b)
{
    return strcmp(((const struct np_scan *)a)->relative, ((const struct np_scan *)b)->relative);
}

/* True when "x.nii.gz" exists beside "x.nii". The scans are sorted. */
static bool has_compressed_twin(const struct np_session *session, const struct np_scan *scan)
{
    if (strcmp(scan->name.extension, ".nii") != 0)
        return false;
    NP_AUTO(np_freep) char *twin = np_xasprintf("%s.gz", scan->relative);
    const struct np_scan key = {.relative = twin};
    return bsearch(&key, session->scan, session->n_scans, sizeof(key), by_relative) != NULL;
}

static void drop_twins(const struct np_finder *finder, struct np_session *session)
{
    NP_AUTO(np_freep) bool *is_twin = np_xcalloc(session->n_scans, sizeof(*is_twin));
    size_t n_kept = 0;

    for (size_t i = 0; i < session->n_scans; i++)
        is_twin[i] = has_compressed_twin(session, &session->scan[i]);
    for (size_t i = 0; i < session->n_scans; i++) {
        if (!is_twin[i]) {
            session->scan[n_kept++] = session->scan[i];
            continue;
        }
        np_finder_warn(finder, "'%s': the same image exists as '.nii.gz', which is used",
                       session->scan[i].relative);
        np_scan_done(&session->scan[i]);
    }
    session->n_scans = n_kept;
}

int np_scans_find(struct np_finder *finder, const char *folder, const char *datatype,
                  struct np_session *session)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    int reason = np_folder_list(finder->root, folder, &names);

    if (reason || np_ignore_matches(&finder->ignore, folder, NP_PATH_FOLDER))
        return reason;
    for (size_t i = 0; i < names.n; i++) {
        struct np_scan scan = {.relative = np_path_join(folder, names.item[i])};
        if (!take_name(finder, session, datatype, scan.relative, names.item[i], &scan.name)) {
            free(scan.relative);
            continue;
        }
        scan.path = np_path_join(finder->root, scan.relative);
        if (is_folder(finder, &scan)) {
            np_scan_done(&scan);
            continue;
        }
        session->scan = np_xrealloc(session->scan, (session->n_scans + 1) * sizeof(*session->scan));
        session->scan[session->n_scans++] = scan;
    }
    drop_twins(finder, session);
    return 0;
}
