#include "record/cohort.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "codec/sha256.h"
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

/* `n_sorted` rows are in the order of their paths. */
static void add_if_new(struct np_survey *survey, size_t n_sorted, const char *output_dir,
                       const struct np_asked *asked)
{
    char *path = status_path(output_dir, asked);

    if (n_sorted && bsearch(path, survey->row, n_sorted, sizeof(*survey->row), by_path)) {
        free(path);
        return;
    }
    NP_AUTO(np_freep) char *label = np_asked_text(asked);
    np_survey_add_unrecorded(survey, path, asked->participant, asked->session, label);
}

static void add_rows(struct np_survey *survey, const char *output_dir,
                     const struct np_asked_list *list)
{
    np_survey_sort(survey);
    size_t n_sorted = survey->n_rows;
    for (size_t i = 0; i < list->n; i++)
        add_if_new(survey, n_sorted, output_dir, &list->item[i]);
    np_survey_sort(survey);
}

/* "the dataset holds it no more; it was failed: …" */
static void derive(struct np_survey_row *row, enum np_state state, const char *why)
{
    char *note = row->state == NP_STATE_NOT_STARTED
                     ? np_xstrdup(why)
                     : np_xasprintf("%s; before: %s", why, np_state_name(row->state));

    free(row->note);
    row->note = note;
    row->state = state;
}

static void mark(struct np_survey *survey, const struct np_plans *plans)
{
    for (size_t i = 0; i < survey->n_rows; i++) {
        struct np_survey_row *row = &survey->row[i];
        const struct np_asked asked = np_survey_asked(row);
        unsigned marks = np_plans_marks(plans, &asked);
        if (!np_survey_needs_rerun(row))
            continue;
        if (marks & NP_MARK_WITHDRAWN)
            derive(row, NP_STATE_WITHDRAWN, "withdrawn");
        else if (marks & NP_MARK_GONE)
            derive(row, NP_STATE_GONE, "the dataset held it no more when a run last looked");
    }
}

void np_cohort_add_plans(struct np_survey *survey, const char *output_dir)
{
    NP_AUTO(np_plans_freep) struct np_plans *plans = np_plans_read(output_dir, NP_PLANS_ALL);
    NP_AUTO(np_asked_done) struct np_asked_list wanted = {0};
    const struct np_strings *unreadable = np_plans_unreadable(plans);

    np_plans_list(plans, NP_MARK_WANTED, &wanted);
    add_rows(survey, output_dir, &wanted);
    mark(survey, plans);
    survey->knows_plans = np_plans_n(plans) > 0;
    for (size_t i = 0; i < unreadable->n; i++)
        np_strings_add(&survey->unreadable, unreadable->item[i]);
}

/* ---- outputs ---- */

/* What is wrong with an output, a sentence; NULL when nothing is. The caller frees. */
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

/* Why a rerun would do a successful session again; NULL when it would not. The caller frees. */
static char *session_fault(const struct np_survey_row *row, const char *output_dir,
                           enum np_verify how)
{
    const struct np_session_record *record = &row->record;
    NP_AUTO(np_freep) char *path = completion_path(row);
    NP_AUTO(np_record_done) struct np_session_record complete = {0};
    char *fault = NULL;

    if (!np_path_exists(path))
        return np_xasprintf("its completion record '%s' is missing", np_path_name(path));
    if (how == NP_VERIFY_RECORDS)
        return NULL;
    if (np_record_read(path, &complete, NULL) < 0)
        return np_xasprintf("its completion record '%s' cannot be read", np_path_name(path));
    for (size_t f = 0; f < record->n_files && !fault; f++)
        for (size_t i = 0; i < record->file[f].n_outputs && !fault; i++)
            fault = output_fault(&record->file[f].output[i], output_dir, how);
    return fault;
}

void np_cohort_verify(struct np_survey *survey, const char *output_dir, enum np_verify how)
{
    survey->verified = how;
    for (size_t i = 0; i < survey->n_rows; i++) {
        struct np_survey_row *row = &survey->row[i];
        if (row->state != NP_STATE_SUCCESS)
            continue;
        char *fault = session_fault(row, output_dir, how);
        if (!fault)
            continue;
        free(row->note);
        row->note = fault;
        row->state = NP_STATE_INCOMPLETE;
    }
}
