/*
 * Discovery, from paths only:
 *   1. participants: the requested ones, each looked up by its path; else the root's sub-* folders
 *   2. sessions of each: likewise, ses-*; and "no session" where there is a folder anat/
 *   3. images of each: the folder anat/ is listed (scan.c)
 * A participant and session that are requested by label therefore cost the listing of one folder,
 * in a dataset of any size. When a label does not exist, folders are listed for the error's
 * sentence.
 */
#include "bids/dataset.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "bids/coverage.h"
#include "bids/finder.h"
#include "bids/labels.h"
#include "bids/session_list.h"
#include "catalog/modality.h"
#include "json/json.h"

enum { DESCRIPTION_MOST_BYTES = 1 << 20, MOST_LABELS_LISTED = 6 };

static const char unnamed[] = "unnamed";

/* ---- the selection in its normal form ---- */

static void normalise(const struct np_strings *asked, const char *key, struct np_strings *labels)
{
    NP_AUTO(np_strings_done) struct np_strings all = {0};

    for (size_t i = 0; asked && i < asked->n; i++)
        np_strings_add(&all, np_label_strip(asked->item[i], key));
    np_strings_sort(&all);
    for (size_t i = 0; i < all.n; i++)
        if (i == 0 || strcmp(all.item[i], all.item[i - 1]) != 0)
            np_strings_add(labels, all.item[i]);
}

static void add_default_modalities(struct np_strings *suffixes)
{
    for (size_t i = 0; i < NP_N_MODALITIES; i++)
        if (np_modality_is_default(&np_modalities[i]))
            np_strings_add(suffixes, np_modalities[i].suffix);
    np_strings_sort(suffixes);
}

static void add_datatypes(const struct np_strings *suffixes, struct np_strings *datatypes)
{
    for (size_t i = 0; i < suffixes->n; i++) {
        const struct np_modality *modality = np_modality_find(suffixes->item[i]);
        if (modality && !np_strings_have(datatypes, modality->datatype))
            np_strings_add(datatypes, modality->datatype);
    }
    np_strings_sort(datatypes);
}

static int finder_init(struct np_finder *finder, const struct np_selection *selection,
                       struct np_error *err)
{
    if (selection->filter_file)
        NP_TRY(np_filter_read(selection->filter_file, &finder->filter, finder->warnings, err));
    np_ignore_read(finder->root, &finder->ignore, finder->warnings);
    normalise(selection->participants, "sub", &finder->participants);
    normalise(selection->sessions, "ses", &finder->sessions);
    normalise(selection->runs, "run", &finder->runs);
    normalise(selection->echoes, "echo", &finder->echoes);
    normalise(selection->modalities, "", &finder->modalities);
    if (finder->modalities.n == 0)
        add_default_modalities(&finder->modalities);
    add_datatypes(&finder->modalities, &finder->datatypes);
    return 0;
}

static void finder_done(struct np_finder *finder)
{
    np_strings_done(&finder->participants);
    np_strings_done(&finder->sessions);
    np_strings_done(&finder->modalities);
    np_strings_done(&finder->datatypes);
    np_strings_done(&finder->runs);
    np_strings_done(&finder->echoes);
    np_strings_done(&finder->runs_seen);
    np_strings_done(&finder->words_left_out);
    np_strings_done(&finder->emptied);
    np_strings_done(&finder->empty);
    np_strings_done(&finder->there_instead);
    np_strings_done(&finder->substituted);
    np_ignore_done(&finder->ignore);
    np_filter_freep(&finder->filter);
}

/* ---- folders ---- */

static char *participant_folder(const char *participant)
{
    return np_xasprintf("sub-%s", participant);
}

static char *session_folder(const char *participant, const char *session)
{
    return session ? np_xasprintf("sub-%s/ses-%s", participant, session)
                   : participant_folder(participant);
}

static bool is_folder(const struct np_finder *finder, const char *relative)
{
    NP_AUTO(np_freep) char *path = np_path_join(finder->root, relative);

    return np_path_is_directory(path);
}

static bool is_ignored(const struct np_finder *finder, const char *folder)
{
    return np_ignore_matches(&finder->ignore, folder, NP_PATH_FOLDER);
}

/* "Sub-02": every tool passes over it, because BIDS names have lower-case keys. */
static void warn_of_case(const struct np_finder *finder, const char *folder, const char *name,
                         const char *key)
{
    size_t length = strlen(key);
    NP_AUTO(np_freep) char *relative = np_path_join(folder, name);

    if (strncasecmp(name, key, length) == 0 && name[length] == '-' && is_folder(finder, relative))
        np_finder_warn(finder, "'%s': expected '%s-', found '%.*s'; left out", relative, key,
                       (int)length + 1, name);
}

/* Add the labels of "key-LABEL" among `names`, the content of `folder`. Folders that .bidsignore
 * hides are left out; folders without a valid label give a warning. */
static void labels_among(const struct np_finder *finder, const char *folder,
                         const struct np_strings *names, const char *key, struct np_strings *labels)
{
    for (size_t i = 0; i < names->n; i++) {
        const char *label = np_label_strip(names->item[i], key);
        if (label == names->item[i]) {
            warn_of_case(finder, folder, names->item[i], key);
            continue;
        }
        NP_AUTO(np_freep) char *relative = np_path_join(folder, names->item[i]);
        if (is_ignored(finder, relative))
            continue;
        if (np_label_is_valid(label))
            np_strings_add(labels, label);
        else if (is_folder(finder, relative))
            np_finder_warn(finder,
                           "'%s': expected letters and digits after '%s-', found '%s'; "
                           "left out",
                           relative, key, label);
    }
}

/* ---- labels that do not exist ---- */

static int unknown_label(const struct np_finder *finder, const char *what, const char *label,
                         const struct np_strings *known, struct np_error *err)
{
    NP_AUTO(np_freep) char *asked = np_utf8_clean(label);
    np_utf8_cut(asked, 60);
    const char *nearest = np_label_nearest(label, known);
    NP_AUTO(np_freep) char *list = np_strings_join(known, ", ", MOST_LABELS_LISTED);
    NP_AUTO(np_freep)
    char *meant = nearest ? np_xasprintf(" (did you mean '%s'?)", nearest) : np_xstrdup("");

    return np_error_set(err, NP_ESELECT, "%s '%s' does not exist%s; expected one of: %s; in '%s'",
                        what, label, meant, known->n ? list : "(none)", finder->root);
}

/* The first of these names that is "sub-" (`label` NULL) or "sub-LABEL" in another case, a folder; NULL
 * when there is none. Borrowed. */
static const char *in_another_case(const struct np_finder *finder, const struct np_strings *names,
                                   const char *label)
{
    NP_AUTO(np_freep) char *wanted = participant_folder(label ? label : "");

    for (size_t i = 0; i < names->n; i++) {
        const char *name = names->item[i];
        bool is_alike =
            label ? strcasecmp(name, wanted) == 0 : strncasecmp(name, wanted, strlen(wanted)) == 0;
        if (is_alike && is_folder(finder, name))
            return name;
    }
    return NULL;
}

static int not_bids(const struct np_finder *finder, const struct np_strings *names,
                    struct np_error *err)
{
    const char *alike = in_another_case(finder, names, NULL);

    if (alike)
        return np_error_set(err, NP_ENOINPUT,
                            "'%s': expected a BIDS dataset with folders sub-*, found '%s'; rename "
                            "it: names of BIDS have lower-case keys",
                            finder->root, alike);
    return np_error_set(
        err, NP_ENOINPUT,
        "'%s': expected a BIDS dataset, found no folder sub-*; give the folder that "
        "holds them, or use 'neuro-preprocess batch' for a folder of images",
        finder->root);
}

static int list_participants(const struct np_finder *finder, struct np_strings *participants,
                             struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    int reason = np_folder_list(finder->root, "", &names);

    if (reason)
        return np_error_errno(err, reason, NP_ENOINPUT, "'%s': cannot list the dataset's folder",
                              finder->root);
    labels_among(finder, "", &names, "sub", participants);
    return participants->n ? 0 : not_bids(finder, &names, err);
}

static int unknown_participant(const struct np_finder *finder, const char *label,
                               struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings known = {0};
    NP_AUTO(np_freep) char *folder = participant_folder(label);

    NP_TRY(list_participants(finder, &known, err));
    if (np_label_is_valid(label) && is_folder(finder, folder))
        return np_error_set(err, NP_ESELECT,
                            "participant '%s' was requested, but .bidsignore in '%s' excludes it",
                            label, finder->root);
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    const char *alike = np_folder_list(finder->root, "", &names) == 0 && np_label_is_valid(label)
                            ? in_another_case(finder, &names, label)
                            : NULL;
    if (alike)
        return np_error_set(err, NP_ESELECT,
                            "participant '%s' does not exist in '%s'; expected '%s', found '%s'; "
                            "rename it: names of BIDS have lower-case keys",
                            label, finder->root, folder, alike);
    return unknown_label(finder, "participant", label, &known, err);
}

/* True when the participant exists and .bidsignore does not hide it. */
static bool has_participant(const struct np_finder *finder, const char *label)
{
    NP_AUTO(np_freep) char *folder = participant_folder(label);

    return np_label_is_valid(label) && is_folder(finder, folder) && !is_ignored(finder, folder);
}

static int find_participants(const struct np_finder *finder, struct np_strings *participants,
                             struct np_error *err)
{
    if (finder->participants.n == 0)
        return list_participants(finder, participants, err);
    for (size_t i = 0; i < finder->participants.n; i++) {
        const char *label = finder->participants.item[i];
        if (!has_participant(finder, label))
            return unknown_participant(finder, label, err);
        np_strings_add(participants, label);
    }
    return 0;
}

/* ---- sessions ---- */

static bool filter_wants(const struct np_finder *finder, const char *participant,
                         const char *session)
{
    for (size_t i = 0; i < finder->modalities.n; i++)
        if (np_filter_accepts_session(finder->filter, finder->modalities.item[i], participant,
                                      session))
            return true;
    return false;
}

static char *sentence_of_errno(int reason, const char *folder)
{
    struct np_error err = {0};

    np_error_errno(&err, reason, NP_ENOINPUT, "'%s': cannot list the folder", folder);
    return np_utf8_clean(err.text);
}

static void session_done(struct np_session *session)
{
    for (size_t i = 0; i < session->n_scans; i++)
        np_scan_done(&session->scan[i]);
    free(session->scan);
    free(session->participant);
    free(session->session);
    free(session->requested_session);
    free(session->unreadable);
    *session = (struct np_session){0};
}

static void add_session(struct np_dataset *dataset, const struct np_session *session)
{
    /* The room doubles whenever the count is a power of two, so no capacity needs to be stored. */
    size_t n = dataset->n_sessions;

    if ((n & (n - 1)) == 0)
        dataset->session =
            np_xrealloc(dataset->session, (n ? n * 2 : 1) * sizeof(*dataset->session));
    dataset->session[dataset->n_sessions++] = *session;
}

enum keep { KEEP_ALWAYS, KEEP_WITH_SCANS };

/* The images of all datatypes in one session's folder; false when it has none of their folders. */
static bool find_scans(struct np_finder *finder, const char *folder, struct np_session *session)
{
    bool found = false;

    for (size_t i = 0; i < finder->datatypes.n; i++) {
        NP_AUTO(np_freep) char *images = np_path_join(folder, finder->datatypes.item[i]);
        int reason = np_scans_find(finder, images, finder->datatypes.item[i], session);
        if (reason && reason != ENOENT && reason != ENOTDIR && !session->unreadable)
            session->unreadable = sentence_of_errno(reason, images);
        found = found || reason == 0;
    }
    return found;
}

static bool has_datatype(const struct np_finder *finder, const struct np_strings *folders)
{
    for (size_t i = 0; i < finder->datatypes.n; i++)
        if (np_strings_have(folders, finder->datatypes.item[i]))
            return true;
    return false;
}

/* Look for images in one session's folder and add it to the dataset. */
static void visit_session(struct np_finder *finder, struct np_dataset *dataset,
                          const char *participant, const char *session_label, enum keep keep)
{
    if (!filter_wants(finder, participant, session_label))
        return;
    struct np_session session = {
        .participant = np_xstrdup(participant),
        .session = session_label ? np_xstrdup(session_label) : NULL,
        .requested_session = np_xstrdup(session_label ? session_label : unnamed),
    };
    NP_AUTO(np_freep) char *folder = session_folder(participant, session_label);
    np_strings_done(&finder->words_left_out);
    finder->filter_left_out = false;
    bool has_images = find_scans(finder, folder, &session);
    bool is_missing = !has_images && !session.unreadable && !is_folder(finder, folder);
    if (is_missing)
        np_finder_warn(finder, "'%s': expected a folder, found something else; left out", folder);
    if (is_missing || (keep == KEEP_WITH_SCANS && session.n_scans == 0 && !session.unreadable))
        session_done(&session);
    else {
        np_finder_settle_substitutes(finder, &session);
        np_finder_note_empty(finder, folder, &session);
        add_session(dataset, &session);
    }
}

/* Add a participant whose folder cannot be listed, as one session that has failed. */
static void add_unreadable(struct np_dataset *dataset, const char *participant, int reason)
{
    NP_AUTO(np_freep) char *folder = participant_folder(participant);
    struct np_session session = {
        .participant = np_xstrdup(participant),
        .requested_session = np_xstrdup(unnamed),
        .unreadable = sentence_of_errno(reason, folder),
    };

    add_session(dataset, &session);
}

/* Add all sessions of a participant. With images both in ses-* and outside, it has sessions of
 * both kinds; with neither, it has one session without images. */
static void visit_all_sessions(struct np_finder *finder, struct np_dataset *dataset,
                               const char *participant)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0}, labels = {0};
    NP_AUTO(np_freep) char *folder = participant_folder(participant);
    int reason = np_folder_list(finder->root, folder, &names);

    if (reason == ENOTDIR || reason == ENOENT) {
        np_finder_warn(finder, "'%s': expected a folder, found something else; left out", folder);
        return;
    }
    if (reason) {
        add_unreadable(dataset, participant, reason);
        return;
    }
    labels_among(finder, folder, &names, "ses", &labels);
    if (labels.n == 0)
        visit_session(finder, dataset, participant, NULL, KEEP_ALWAYS);
    else if (has_datatype(finder, &names))
        visit_session(finder, dataset, participant, NULL, KEEP_WITH_SCANS);
    for (size_t i = 0; i < labels.n; i++)
        visit_session(finder, dataset, participant, labels.item[i], KEEP_ALWAYS);
}

/* The labels of a participant's sessions; "unnamed" stands for images outside of any session. */
static void session_labels(const struct np_finder *finder, const char *participant,
                           struct np_strings *labels)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    NP_AUTO(np_freep) char *folder = participant_folder(participant);

    if (np_folder_list(finder->root, folder, &names) != 0)
        return;
    labels_among(finder, folder, &names, "ses", labels);
    if (labels->n == 0 || has_datatype(finder, &names))
        np_strings_add(labels, unnamed);
}

/* True when the participant has this session. `*label` becomes NULL when "unnamed" means no
 * session entity. */
static bool has_session(const struct np_finder *finder, const char *participant, const char **label)
{
    NP_AUTO(np_freep) char *folder = session_folder(participant, *label);

    if (np_label_is_valid(*label) && is_folder(finder, folder))
        return !is_ignored(finder, folder);
    if (strcmp(*label, unnamed) != 0)
        return false;
    NP_AUTO(np_strings_done) struct np_strings known = {0};
    session_labels(finder, participant, &known);
    *label = NULL;
    return np_strings_have(&known, unnamed);
}

/* Add the requested sessions. `was_found[i]` is set when this participant has
 * finder->sessions.item[i]. */
static void visit_asked_sessions(struct np_finder *finder, struct np_dataset *dataset,
                                 const char *participant, bool *was_found)
{
    bool has_any = false;

    for (size_t i = 0; i < finder->sessions.n; i++) {
        const char *label = finder->sessions.item[i];
        if (!has_session(finder, participant, &label))
            continue;
        was_found[i] = has_any = true;
        visit_session(finder, dataset, participant, label, KEEP_ALWAYS);
    }
    if (!has_any)
        np_finder_warn(finder, "'sub-%s': has none of the requested sessions; left out",
                       participant);
}

static int unknown_session(const struct np_finder *finder, const struct np_strings *participants,
                           const char *label, struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings all = {0}, known = {0};

    for (size_t i = 0; i < participants->n; i++) {
        NP_AUTO(np_strings_done) struct np_strings labels = {0};
        session_labels(finder, participants->item[i], &labels);
        for (size_t k = 0; k < labels.n; k++)
            np_strings_add(&all, labels.item[k]);
    }
    normalise(&all, "ses", &known);
    NP_AUTO(np_freep)
    char *what = participants->n == 1
                     ? np_xasprintf("participant '%s': session", participants->item[0])
                     : np_xstrdup("session");
    return unknown_label(finder, what, label, &known, err);
}

static int visit_participants(struct np_finder *finder, struct np_dataset *dataset,
                              const struct np_strings *participants, struct np_error *err)
{
    NP_AUTO(np_freep) bool *was_found = np_xcalloc(finder->sessions.n, sizeof(*was_found));

    for (size_t i = 0; i < participants->n; i++)
        if (finder->sessions.n)
            visit_asked_sessions(finder, dataset, participants->item[i], was_found);
        else
            visit_all_sessions(finder, dataset, participants->item[i]);
    for (size_t i = 0; i < finder->sessions.n; i++)
        if (!was_found[i])
            return unknown_session(finder, participants, finder->sessions.item[i], err);
    return 0;
}

/* ---- a list of sessions ---- */

static bool is_hidden(const struct np_finder *finder, const struct np_session_pair *pair)
{
    NP_AUTO(np_freep) char *participant = participant_folder(pair->participant);
    NP_AUTO(np_freep) char *folder = session_folder(pair->participant, pair->session);

    if (!np_label_is_valid(pair->participant) || !is_folder(finder, participant))
        return false;
    return is_ignored(finder, participant) ||
           (pair->session && np_label_is_valid(pair->session) && is_folder(finder, folder) &&
            is_ignored(finder, folder));
}

static int visit_pair(struct np_finder *finder, struct np_dataset *dataset,
                      const struct np_session_pair *pair, struct np_error *err)
{
    const char *session = pair->session;
    NP_AUTO(np_freep) char *folder = session_folder(pair->participant, session);

    /* Lists are made by programs, maybe before .bidsignore had this line: the others are processed. */
    if (is_hidden(finder, pair)) {
        np_finder_warn(finder, "'%s': .bidsignore hides it; left out", folder);
        return 0;
    }
    if (!has_participant(finder, pair->participant))
        return unknown_participant(finder, pair->participant, err);
    if (!session) {
        visit_all_sessions(finder, dataset, pair->participant);
        return 0;
    }
    if (!has_session(finder, pair->participant, &session)) {
        NP_AUTO(np_strings_done) struct np_strings participant = {0};
        np_strings_add(&participant, pair->participant);
        return unknown_session(finder, &participant, pair->session, err);
    }
    visit_session(finder, dataset, pair->participant, session, KEEP_ALWAYS);
    return 0;
}

static int visit_list(struct np_finder *finder, struct np_dataset *dataset, const char *path,
                      struct np_error *err)
{
    NP_AUTO(np_session_list_done) struct np_session_list list = {0};

    if (finder->participants.n || finder->sessions.n)
        return np_error_set(err, NP_EUSAGE,
                            "--session-list '%s' names participants and sessions; leave out "
                            "--participant-label and --session-label",
                            path);
    NP_TRY(np_session_list_read(path, &list, err));
    for (size_t i = 0; i < list.n; i++)
        NP_TRY(visit_pair(finder, dataset, &list.pair[i], err));
    return 0;
}

static int visit_selection(struct np_finder *finder, const struct np_selection *selection,
                           struct np_dataset *dataset, struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings participants = {0};

    if (selection->session_list)
        return visit_list(finder, dataset, selection->session_list, err);
    NP_TRY(find_participants(finder, &participants, err));
    return visit_participants(finder, dataset, &participants, err);
}

/* ---- the dataset itself ---- */

static char *text_member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && *text ? np_xstrdup(text) : NULL;
}

static void read_description(struct np_finder *finder, struct np_dataset *dataset)
{
    static const char label[] = "dataset_description.json";
    NP_AUTO(np_freep) char *path = np_path_join(finder->root, label);
    NP_AUTO(np_json_freep) json_t *json = NULL;
    struct np_error err = {0};

    if (np_json_read(path, label, DESCRIPTION_MOST_BYTES, &json, &err) < 0) {
        np_finder_warn(finder, "%s; the dataset's name and DOI are not known", err.text);
        return;
    }
    dataset->name = text_member(json, "Name");
    dataset->doi = text_member(json, "DatasetDOI");
    NP_AUTO(np_freep) char *type = text_member(json, "DatasetType");
    if (type && strcmp(type, "derivative") == 0)
        np_finder_warn(finder, "'%s': expected a raw dataset, found DatasetType 'derivative'",
                       label);
}

static void warn_of_missing_runs(const struct np_finder *finder)
{
    for (size_t i = 0; i < finder->runs.n; i++) {
        bool was_seen = false;
        for (size_t k = 0; k < finder->runs_seen.n; k++)
            was_seen = was_seen || np_index_equal(finder->runs.item[i], finder->runs_seen.item[k]);
        if (was_seen)
            continue;
        NP_AUTO(np_freep)
        char *list = np_strings_join(&finder->runs_seen, ", ", MOST_LABELS_LISTED);
        np_finder_warn(finder, "run '%s' was requested; the selected sessions have %s",
                       finder->runs.item[i], finder->runs_seen.n ? list : "no runs");
    }
}

static int by_labels(const void *a, const void *b)
{
    const struct np_session *x = a, *y = b;
    int participants = strcmp(x->participant, y->participant);

    if (participants != 0)
        return participants;
    return strcmp(x->session ? x->session : "", y->session ? y->session : "");
}

/* Remove duplicates: a list may name a session twice. */
static void sort_sessions(struct np_dataset *dataset)
{
    size_t n = 0;

    qsort(dataset->session, dataset->n_sessions, sizeof(*dataset->session), by_labels);
    for (size_t i = 0; i < dataset->n_sessions; i++)
        if (n > 0 && by_labels(&dataset->session[n - 1], &dataset->session[i]) == 0)
            session_done(&dataset->session[i]);
        else
            dataset->session[n++] = dataset->session[i];
    dataset->n_sessions = n;
}

static int check_not_empty(const struct np_finder *finder, const struct np_dataset *dataset,
                           const struct np_selection *selection, struct np_error *err)
{
    if (dataset->n_sessions)
        return 0;
    if (selection->filter_file)
        return np_error_set(err, NP_ESELECT,
                            "'%s': expected a filter that leaves a session of "
                            "'%s', found that it leaves none",
                            selection->filter_file, finder->root);
    const struct np_strings *warnings = finder->warnings;
    return np_error_set(err, NP_ESELECT, "'%s': no session is left%s%s", finder->root,
                        warnings->n ? ": " : "",
                        warnings->n ? warnings->item[warnings->n - 1] : "");
}

static int discover(struct np_finder *finder, const struct np_selection *selection,
                    struct np_dataset *dataset, struct np_error *err)
{
    NP_TRY(finder_init(finder, selection, err));
    NP_TRY(visit_selection(finder, selection, dataset, err));
    NP_TRY(check_not_empty(finder, dataset, selection, err));
    sort_sessions(dataset);
    read_description(finder, dataset);
    dataset->participants = np_participants_read(finder->root, finder->warnings);
    warn_of_missing_runs(finder);
    np_finder_warn_of_empty_sessions(finder, selection, dataset);
    np_finder_warn_of_substitutes(finder, dataset);
    return 0;
}

int np_dataset_open(const char *root, const struct np_selection *selection,
                    struct np_dataset **dataset, struct np_error *err)
{
    NP_TRY(np_directory_require(root, "a BIDS dataset's folder", err));
    NP_AUTO(np_dataset_freep) struct np_dataset *found = np_xcalloc(1, sizeof(*found));
    found->root = np_xstrdup(root);
    NP_AUTO(finder_done)
    struct np_finder finder = {
        .root = found->root,
        .warnings = &found->warnings,
    };
    NP_TRY(discover(&finder, selection, found, err));
    *dataset = found;
    found = NULL;
    return 0;
}

void np_dataset_freep(struct np_dataset **dataset)
{
    struct np_dataset *self = *dataset;

    if (!self)
        return;
    for (size_t i = 0; i < self->n_sessions; i++)
        session_done(&self->session[i]);
    free(self->session);
    free(self->root);
    free(self->name);
    free(self->doi);
    np_participants_freep(&self->participants);
    np_strings_done(&self->warnings);
    np_freep(dataset);
}

char *np_session_text(const struct np_session *session)
{
    return session_folder(session->participant, session->session);
}
