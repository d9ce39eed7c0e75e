#include "record/cohort.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "bids/dataset.h"
#include "bids/presence.h"
#include "codec/sha256.h"
#include "record/complete.h"
#include "record/json.h"
#include "record/lock.h"
#include "record/place.h"

/* ---- plans ---- */

struct np_asked np_survey_asked(const struct np_survey_row *row)
{
    if (row->record.participant)
        return (struct np_asked){.participant = row->record.participant,
                                 .session = row->record.session};
    return (struct np_asked){.file = row->label};
}

/* The path of the status record that a session would have; the caller frees. */
static char *status_path(const char *output_dir, const struct np_asked *asked)
{
    struct np_record_place place;

    if (asked->file) {
        NP_AUTO(np_freep) char *stem = np_record_stem(asked->file);
        np_record_place_file(&place, output_dir, stem);
    } else {
        np_record_place_session(&place, output_dir, asked->participant, asked->session,
                                asked->session ? asked->session : "unnamed");
    }
    char *path = np_xstrdup(place.status);
    np_record_place_done(&place);
    return path;
}

static int by_path(const void *key, const void *row)
{
    return strcmp(key, ((const struct np_survey_row *)row)->path);
}

/* The row of a session, NULL when there is none. The first `n_sorted` rows are in the order of their
 * paths, the others are not looked at. */
static struct np_survey_row *find_row(const struct np_survey *survey, size_t n_sorted,
                                      const char *output_dir, const struct np_asked *asked)
{
    NP_AUTO(np_freep) char *path = status_path(output_dir, asked);

    return n_sorted ? bsearch(path, survey->row, n_sorted, sizeof(*survey->row), by_path) : NULL;
}

static struct np_survey_row *add_row(struct np_survey *survey, const char *output_dir,
                                     const struct np_asked *asked)
{
    NP_AUTO(np_freep) char *label = np_asked_text(asked);

    return np_survey_add_unrecorded(survey, status_path(output_dir, asked), asked->participant,
                                    asked->session, label);
}

static void add_planned(struct np_survey *survey, const char *output_dir,
                        const struct np_plans *plans)
{
    NP_AUTO(np_asked_done) struct np_asked_list wanted = {0};
    size_t n_sorted = survey->n_rows;

    np_plans_list(plans, NP_MARK_WANTED, &wanted);
    for (size_t i = 0; i < wanted.n; i++)
        if (!find_row(survey, n_sorted, output_dir, &wanted.item[i]))
            add_row(survey, output_dir, &wanted.item[i]);
    np_survey_sort(survey);
    survey->knows_plans = np_plans_n(plans) > 0;
}

static void set_state(struct np_survey_row *row, enum np_state state, char *note)
{
    free(row->note);
    row->note = note;
    row->state = state;
}

/* The first image that no record has, NULL when there is none. Borrowed. */
static const char *new_image(const struct np_session_record *record,
                             const struct np_session *session)
{
    for (size_t i = 0; i < session->n_scans; i++) {
        bool found = false;
        for (size_t f = 0; f < record->n_files && !found; f++)
            found = strcmp(record->file[f].path, session->scan[i].relative) == 0;
        if (!found)
            return session->scan[i].relative;
    }
    return NULL;
}

/* A rerun would find other images than the record has. */
static void compare_images(struct np_survey_row *row, const char *root,
                           const struct np_session *session, bool restricts)
{
    bool is_done = row->state == NP_STATE_SUCCESS || row->state == NP_STATE_NOTHING_TO_DO;

    if (session->unreadable)
        return;
    if (session->n_scans == 0 && np_survey_needs_rerun(row) &&
        np_dataset_session_holds_files(root, session->participant, session->session))
        set_state(row, NP_STATE_NOTHING_TO_DO, NULL);
    const char *image = is_done && !restricts ? new_image(&row->record, session) : NULL;
    if (image)
        set_state(row, NP_STATE_INCOMPLETE, np_xasprintf("'%s' is new since then", image));
}

/* A session that no run was asked for. */
static void add_unasked(struct np_survey *survey, const char *output_dir,
                        const struct np_asked *asked, const struct np_session *session)
{
    struct np_survey_row *row = add_row(survey, output_dir, asked);

    if (session->n_scans == 0 && !session->unreadable)
        row->state = NP_STATE_NOTHING_TO_DO;
}

static int add_dataset(struct np_survey *survey, const struct np_cohort_options *options,
                       const struct np_plans *plans, struct np_error *err)
{
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    size_t n_sorted = survey->n_rows;

    NP_TRY(np_dataset_open(options->bids_dir, &(struct np_selection){0}, &dataset, err));
    for (size_t i = 0; i < dataset->n_sessions; i++) {
        const struct np_session *session = &dataset->session[i];
        const struct np_asked asked = {.participant = session->participant,
                                       .session = session->session};
        struct np_survey_row *row = find_row(survey, n_sorted, options->output_dir, &asked);
        if (row)
            compare_images(row, dataset->root, session, np_plans_restrict_images(plans));
        else if (options->counts_dataset)
            add_unasked(survey, options->output_dir, &asked, session);
    }
    np_survey_sort(survey);
    survey->knows_plans = survey->knows_plans || options->counts_dataset;
    return 0;
}

/* ---- asked for again ---- */

/* A run was asked to do it again, with other images than before or because something of it had
 * changed, and has not begun with it. */
static void mark_again(struct np_survey *survey, const struct np_plans *plans)
{
    for (size_t i = 0; i < survey->n_rows; i++) {
        struct np_survey_row *row = &survey->row[i];
        const struct np_asked asked = np_survey_asked(row);
        if (row->state != NP_STATE_SUCCESS && row->state != NP_STATE_NOTHING_TO_DO)
            continue;
        const char *run = np_plans_again(plans, &asked);
        if (run && strcmp(run, row->record.run_id) == 0)
            set_state(row, NP_STATE_INCOMPLETE,
                      np_xstrdup("a later run was asked for more of it, and has not begun"));
    }
}

/* ---- withdrawn and gone ---- */

/* "…; before: failed". `why` may be NULL. */
static void derive(struct np_survey_row *row, enum np_state state, const char *why)
{
    const char *before = row->state == NP_STATE_NOT_STARTED ? NULL : np_state_name(row->state);
    char *note = np_xasprintf("%s%s%s%s", why ? why : "", why && before ? "; " : "",
                              before ? "before: " : "", before ? before : "");

    set_state(row, state, note);
}

static void mark_row(struct np_survey_row *row, unsigned marks, const char *bids_dir)
{
    enum np_presence presence =
        bids_dir && row->record.participant
            ? np_dataset_presence(bids_dir, row->record.participant, row->record.session)
            : NP_PRESENCE_UNKNOWN;

    if (marks & NP_MARK_WITHDRAWN)
        derive(row, NP_STATE_WITHDRAWN, NULL);
    else if (!bids_dir && marks & NP_MARK_GONE)
        derive(row, NP_STATE_GONE, "the dataset did not hold it when a run last looked");
    else if (presence == NP_ABSENT)
        derive(row, NP_STATE_GONE, "the dataset does not hold it");
    else if (presence == NP_HIDDEN)
        derive(row, NP_STATE_GONE, "the dataset's .bidsignore hides it");
}

static void mark(struct np_survey *survey, const struct np_plans *plans, const char *bids_dir)
{
    for (size_t i = 0; i < survey->n_rows; i++) {
        struct np_survey_row *row = &survey->row[i];
        const struct np_asked asked = np_survey_asked(row);
        if (np_survey_needs_rerun(row))
            mark_row(row, np_plans_marks(plans, &asked), bids_dir);
    }
}

/* ---- outputs ---- */

/* The fault of an output, a sentence; NULL = none. The caller frees. */
static char *output_fault(const struct np_output_record *output, const char *output_dir,
                          enum np_verify how)
{
    NP_AUTO(np_freep) char *path = np_path_join(output_dir, output->path);
    struct stat status;
    char sha256[65];

    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return np_xasprintf("'%s' is missing", output->path);
    if (status.st_size != output->n_bytes)
        return np_xasprintf("'%s' has %lld bytes, recorded are %lld", output->path,
                            (long long)status.st_size, (long long)output->n_bytes);
    if (how != NP_VERIFY_HASHES || !output->sha256[0])
        return NULL;
    struct np_error err = {0};
    if (np_sha256_file(path, sha256, &err) < 0)
        return np_xasprintf("'%s' cannot be read: %s", output->path, err.text);
    if (strcmp(sha256, output->sha256) != 0)
        return np_xasprintf("'%s' has other content than recorded", output->path);
    return NULL;
}

static char *completion_path(const struct np_survey_row *row)
{
    const struct np_session_record *record = &row->record;
    NP_AUTO(np_freep) char *folder = np_path_directory(row->path);

    if (!record->participant)
        return np_record_complete_of(row->path);
    return np_xasprintf("%s/sub-%s_ses-%s_complete.json", folder, record->participant,
                        record->requested_session ? record->requested_session
                        : record->session         ? record->session
                                                  : "unnamed");
}

/* An input in the dataset that is another one than was processed; NULL when there is none. */
static char *input_fault(const struct np_session_record *record, const char *bids_dir)
{
    for (size_t f = 0; f < record->n_files; f++) {
        NP_AUTO(np_freep) char *path = np_path_join(bids_dir, record->file[f].path);
        if (!np_complete_input_same(&record->file[f], path, true))
            return np_xasprintf("'%s' is not the image that was processed", record->file[f].path);
    }
    return NULL;
}

/* Why a rerun would do a successful session again; NULL when it would not. The caller frees. */
static char *session_fault(const struct np_survey_row *row, const struct np_cohort_options *options)
{
    const char *output_dir = options->output_dir;
    enum np_verify how = options->verify;
    const struct np_session_record *record = &row->record;
    NP_AUTO(np_freep) char *path = completion_path(row);
    char *fault = NULL;

    if (!np_path_exists(path))
        return np_xasprintf("its completion record '%s' is missing", np_path_name(path));
    if (how == NP_VERIFY_RECORDS)
        return NULL;
    if (!np_json_file_ends(path))
        return np_xasprintf("its completion record '%s' is cut off", np_path_name(path));
    for (size_t f = 0; f < record->n_files && !fault; f++)
        for (size_t i = 0; i < record->file[f].n_outputs && !fault; i++)
            fault = output_fault(&record->file[f].output[i], output_dir, how);
    if (!fault && options->bids_dir && record->participant)
        fault = input_fault(record, options->bids_dir);
    return fault;
}

/* A run writes the status record, then the completion record, and holds the session's lock. */
static bool is_being_committed(const struct np_survey_row *row)
{
    NP_AUTO(np_freep) char *complete = completion_path(row);
    NP_AUTO(np_freep) char *lock = np_record_lock_of(row->path);

    return !np_path_exists(complete) && np_lock_is_held(lock);
}

static void verify(struct np_survey *survey, const struct np_cohort_options *options)
{
    survey->verified = options->verify;
    for (size_t i = 0; i < survey->n_rows; i++) {
        struct np_survey_row *row = &survey->row[i];
        if (row->state != NP_STATE_SUCCESS)
            continue;
        if (is_being_committed(row)) {
            set_state(row, NP_STATE_RUNNING, NULL);
            continue;
        }
        char *fault = session_fault(row, options);
        if (!fault)
            continue;
        set_state(row, NP_STATE_INCOMPLETE, fault);
    }
}

int np_cohort_complete(struct np_survey *survey, const struct np_cohort_options *options,
                       struct np_error *err)
{
    NP_AUTO(np_plans_freep)
    struct np_plans *plans = np_plans_read(options->output_dir, NP_PLANS_ALL);
    const struct np_strings *unreadable = np_plans_unreadable(plans);

    verify(survey, options);
    np_survey_sort(survey);
    add_planned(survey, options->output_dir, plans);
    if (options->bids_dir)
        NP_TRY(add_dataset(survey, options, plans, err));
    mark_again(survey, plans);
    mark(survey, plans, options->bids_dir);
    for (size_t i = 0; i < unreadable->n; i++)
        np_strings_add(&survey->unreadable, unreadable->item[i]);
    return 0;
}
