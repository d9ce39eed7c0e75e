#include "bids/presence.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "bids/bidsignore.h"

/* ENOENT is an answer; every other error leaves the question open. */
static enum np_presence look(const char *path)
{
    struct stat status;

    if (stat(path, &status) == 0)
        return S_ISDIR(status.st_mode) ? NP_PRESENT : NP_ABSENT;
    return errno == ENOENT && lstat(path, &status) != 0 && errno == ENOENT ? NP_ABSENT
                                                                           : NP_PRESENCE_UNKNOWN;
}

static bool holds(const struct np_strings *names, const char *prefix)
{
    for (size_t i = 0; i < names->n; i++)
        if (np_starts_with(names->item[i], prefix))
            return true;
    return false;
}

bool np_dataset_is_there(const char *root)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    if (np_directory_list(root, &names, NULL) < 0)
        return false;
    for (size_t i = 0; i < names.n; i++) {
        NP_AUTO(np_freep) char *path = np_path_join(root, names.item[i]);
        if (np_starts_with(names.item[i], "sub-") && np_path_is_directory(path))
            return true;
    }
    return false;
}

/* A participant has a session without label when it has no folder ses-*, or a folder anat. */
static enum np_presence unnamed_in(const char *folder)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    if (np_directory_list(folder, &names, NULL) < 0 || names.n == 0)
        return NP_PRESENCE_UNKNOWN;
    return holds(&names, "ses-") && !np_strings_have(&names, "anat") ? NP_ABSENT : NP_PRESENT;
}

static enum np_presence session_in(const char *folder, const char *session)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/ses-%s", folder, session);
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    enum np_presence found = look(path);

    if (found != NP_ABSENT)
        return found;
    if (np_directory_list(folder, &names, NULL) < 0 || names.n == 0)
        return NP_PRESENCE_UNKNOWN;
    return NP_ABSENT;
}

static bool is_hidden(const char *root, const char *participant, const char *session)
{
    NP_AUTO(np_ignore_done) struct np_ignore ignore = {0};
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    NP_AUTO(np_freep) char *folder = np_xasprintf("sub-%s", participant);
    NP_AUTO(np_freep)
    char *inner = session ? np_xasprintf("%s/ses-%s", folder, session) : np_xstrdup(folder);

    np_ignore_read(root, &ignore, &warnings);
    return np_ignore_matches(&ignore, folder, NP_PATH_FOLDER) ||
           np_ignore_matches(&ignore, inner, NP_PATH_FOLDER);
}

enum np_presence np_dataset_presence(const char *root, const char *participant, const char *session)
{
    NP_AUTO(np_freep) char *folder = np_xasprintf("%s/sub-%s", root, participant);
    enum np_presence found = look(folder);

    if (found != NP_PRESENT)
        return found;
    if (is_hidden(root, participant, session))
        return NP_HIDDEN;
    return session ? session_in(folder, session) : unnamed_in(folder);
}

static bool holds_file(const char *folder, int depth)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    if (np_directory_list(folder, &names, NULL) < 0)
        return false;
    for (size_t i = 0; i < names.n; i++) {
        NP_AUTO(np_freep) char *path = np_path_join(folder, names.item[i]);
        if (!np_path_is_directory(path) || (depth > 0 && holds_file(path, depth - 1)))
            return true;
    }
    return false;
}

bool np_dataset_session_holds_files(const char *root, const char *participant, const char *session)
{
    NP_AUTO(np_freep)
    char *folder = session ? np_xasprintf("%s/sub-%s/ses-%s", root, participant, session)
                           : np_xasprintf("%s/sub-%s", root, participant);

    return holds_file(folder, 1);
}
