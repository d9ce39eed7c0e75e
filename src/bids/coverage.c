#include "bids/coverage.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "catalog/modality.h"

enum { MOST_LABELS_LISTED = 6, MOST_SESSIONS_LISTED = 3 };

static bool is_substitute(const struct np_scan *scan)
{
    const struct np_modality *modality = np_modality_find(scan->name.suffix);

    return modality && modality->use == NP_USE_AS_SUBSTITUTE;
}

static bool has_first_modality(const struct np_session *session)
{
    for (size_t i = 0; i < session->n_scans; i++)
        if (strcmp(session->scan[i].name.suffix, NP_FIRST_SUFFIX) == 0)
            return true;
    return false;
}

void np_finder_settle_substitutes(struct np_finder *finder, struct np_session *session)
{
    bool is_beside = has_first_modality(session);
    size_t n_kept = 0, n_substitutes = 0;

    if (!np_strings_have(&finder->modalities, NP_FIRST_SUFFIX))
        return;
    for (size_t i = 0; i < session->n_scans; i++) {
        n_substitutes += is_substitute(&session->scan[i]);
        if (is_beside && is_substitute(&session->scan[i]))
            np_scan_done(&session->scan[i]);
        else
            session->scan[n_kept++] = session->scan[i];
    }
    session->n_scans = n_kept;
    if (is_beside)
        finder->n_beside += n_substitutes;
    else if (n_substitutes)
        np_strings_give(&finder->substituted, np_session_text(session));
}

static bool is_misspelt_datatype(const struct np_finder *finder, const char *name)
{
    for (size_t d = 0; d < finder->datatypes.n; d++)
        if (strcasecmp(name, finder->datatypes.item[d]) == 0 &&
            strcmp(name, finder->datatypes.item[d]) != 0)
            return true;
    return false;
}

/* A folder whose name differs from that of a datatype in case alone is read by no tool. Where there
 * is nothing else to name, the folders of other datatypes are named: "func/". */
static void note_folders(struct np_finder *finder, const char *folder)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    bool has_words = finder->words_left_out.n > 0;

    if (np_folder_list(finder->root, folder, &names) != 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.item[i];
        NP_AUTO(np_freep) char *inside = np_path_join(folder, name);
        NP_AUTO(np_freep) char *path = np_path_join(finder->root, inside);
        bool is_other = !has_words && name[0] != '.' &&
                        !np_strings_have(&finder->datatypes, name) && np_path_is_directory(path);
        if (is_other || is_misspelt_datatype(finder, name))
            np_strings_give(&finder->words_left_out, np_xasprintf("%s/", name));
    }
}

void np_finder_note_empty(struct np_finder *finder, const char *folder,
                          const struct np_session *session)
{
    bool is_emptied = finder->filter_left_out || finder->runs.n || finder->echoes.n;

    if (session->n_scans || session->unreadable)
        return;
    np_strings_give(is_emptied ? &finder->emptied : &finder->empty, np_session_text(session));
    note_folders(finder, folder);
    for (size_t i = 0; i < finder->words_left_out.n; i++)
        if (!np_strings_have(&finder->there_instead, finder->words_left_out.item[i]))
            np_strings_add(&finder->there_instead, finder->words_left_out.item[i]);
}

/* "5 of 6 sessions (sub-01, sub-02, sub-03, … (2 more))"; the caller frees. */
static char *sessions_text(const struct np_strings *labels, const struct np_dataset *dataset)
{
    NP_AUTO(np_freep) char *list = np_strings_join(labels, ", ", MOST_SESSIONS_LISTED);

    return np_xasprintf("%zu of %zu session%s (%s)", labels->n, dataset->n_sessions,
                        np_plural((int64_t)dataset->n_sessions), list);
}

void np_finder_warn_of_empty_sessions(const struct np_finder *finder,
                                      const struct np_selection *selection,
                                      const struct np_dataset *dataset)
{
    NP_AUTO(np_freep) char *kinds = np_strings_join(&finder->modalities, ", ", SIZE_MAX);
    NP_AUTO(np_freep)
    char *instead = np_strings_join(&finder->there_instead, ", ", MOST_LABELS_LISTED);
    NP_AUTO(np_freep) char *emptied = sessions_text(&finder->emptied, dataset);
    NP_AUTO(np_freep) char *empty = sessions_text(&finder->empty, dataset);

    if (finder->emptied.n)
        np_finder_warn(finder, "%s%s%s leaves no image of %s in %s",
                       selection->filter_file ? "'" : "the choice of runs and echoes",
                       selection->filter_file ? selection->filter_file : "",
                       selection->filter_file ? "'" : "", kinds, emptied);
    if (finder->empty.n)
        np_finder_warn(finder, "no image of %s in %s%s%s", kinds, empty,
                       finder->there_instead.n ? "; what is there: " : "", instead);
}

void np_finder_warn_of_substitutes(const struct np_finder *finder, const struct np_dataset *dataset)
{
    NP_AUTO(np_freep) char *substituted = sessions_text(&finder->substituted, dataset);

    if (finder->substituted.n)
        np_finder_warn(finder, "no " NP_FIRST_SUFFIX " in %s: its UNIT1 is used", substituted);
    if (finder->n_beside)
        np_finder_warn(finder, "%zu UNIT1 beside a " NP_FIRST_SUFFIX " left out; -m UNIT1 takes %s",
                       finder->n_beside, finder->n_beside == 1 ? "it" : "them");
}
