#include "record/place.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "bids/labels.h"
#include "codec/sha256.h"

static const char STATUS_ENDING[] = "_status.json";

static char *lock_path(const char *directory, const char *stem, size_t n_stem)
{
    return np_xasprintf("%s/.%.*s.lock", directory, (int)n_stem, stem);
}

static void fill(struct np_record_place *place, char *directory, const char *stem,
                 const char *complete_stem)
{
    place->directory = directory;
    place->status = np_xasprintf("%s/%s%s", directory, stem, STATUS_ENDING);
    place->log = np_xasprintf("%s/%s_log.jsonl", directory, stem);
    place->complete = np_xasprintf("%s/%s_complete.json", directory, complete_stem);
    place->lock = lock_path(directory, stem, strlen(stem));
}

void np_record_place_session(struct np_record_place *place, const char *output_dir,
                             const char *participant, const char *session, const char *requested)
{
    NP_AUTO(np_freep)
    char *stem =
        np_xasprintf("sub-%s%s%s", participant, session ? "_ses-" : "", session ? session : "");
    NP_AUTO(np_freep) char *complete = np_xasprintf("sub-%s_ses-%s", participant, requested);
    NP_AUTO(np_freep) char *logs = np_xasprintf("logs/sub-%s", participant);

    fill(place, np_path_join(output_dir, logs), stem, complete);
}

void np_record_place_file(struct np_record_place *place, const char *output_dir,
                          const char *relative)
{
    NP_AUTO(np_freep) char *logs = np_path_join("logs", relative);
    NP_AUTO(np_freep) char *folder = np_path_directory(logs);
    const char *stem = np_path_name(relative);

    fill(place, np_path_join(output_dir, folder), stem, stem);
}

char *np_record_stem(const char *name)
{
    static const char *const extensions[] = {".nii.gz", ".hdr.gz", ".img.gz",
                                             ".nii",    ".hdr",    ".img"};

    for (size_t i = 0; i < NP_COUNT(extensions); i++)
        if (np_ends_with(name, extensions[i]))
            return np_xstrndup(name, strlen(name) - strlen(extensions[i]));
    return np_xstrdup(name);
}

char *np_record_replacing_of(const struct np_record_place *place, const char *recorded)
{
    char sha256[65];

    /* a hash: a name that holds the image's could be too long for the file system */
    np_sha256_of(recorded, strlen(recorded), sha256);
    return np_xasprintf("%s/.%.16s.replacing", place->directory, sha256);
}

bool np_record_is_status(const char *file_name)
{
    return np_ends_with(file_name, STATUS_ENDING);
}

bool np_record_session_of(const char *status_path, char **participant, char **session)
{
    NP_AUTO(np_freep) char *folder = np_path_directory(status_path);
    const char *subject = np_path_name(folder), *name = np_path_name(status_path);
    size_t n_subject = strlen(subject), n_name = strlen(name), n_ending = strlen(STATUS_ENDING);

    *participant = *session = NULL;
    if (!np_starts_with(subject, "sub-") || !np_label_is_valid(subject + 4) ||
        !np_record_is_status(name) || !np_starts_with(name, subject))
        return false;
    NP_AUTO(np_freep) char *rest = np_xstrndup(name + n_subject, n_name - n_subject - n_ending);
    bool has_session = np_starts_with(rest, "_ses-") && np_label_is_valid(rest + 5);
    if (*rest && !has_session)
        return false;
    *participant = np_xstrdup(subject + 4);
    *session = has_session ? np_xstrdup(rest + 5) : NULL;
    return true;
}

char *np_record_lock_of(const char *status_path)
{
    NP_AUTO(np_freep) char *directory = np_path_directory(status_path);
    const char *name = np_path_name(status_path);

    return lock_path(directory, name, strlen(name) - strlen(STATUS_ENDING));
}

char *np_record_complete_of(const char *status_path)
{
    return np_xasprintf("%.*s_complete.json", (int)(strlen(status_path) - strlen(STATUS_ENDING)),
                        status_path);
}

void np_record_place_done(struct np_record_place *place)
{
    free(place->directory);
    free(place->status);
    free(place->log);
    free(place->complete);
    free(place->lock);
    *place = (struct np_record_place){0};
}
