#include "record/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/warning.h"
#include "record/counts.h"
#include "record/progress.h"
#include "record/warned.h"

/* Of each kind of failure, unless all are asked for. */
enum { MOST_EXAMPLES = 5 };

/* One line, whatever the records hold. */
NP_PRINTF(2, 3)
static void print_line(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    NP_AUTO(np_freep) char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        abort();
    NP_AUTO(np_freep) char *clean = np_utf8_clean(text);
    fprintf(out, "%s\n", clean);
}

static void print_counts(const struct np_survey *survey, const struct np_warned *warned, FILE *out)
{
    NP_AUTO(np_str_done) struct np_str line = {0};
    NP_AUTO(np_counts_done) struct np_counts counts;

    np_counts_find(survey, &counts);
    np_str_addf(&line, "%zu session%s", survey->n_rows, np_plural((int64_t)survey->n_rows));
    const char *separator = ": ";
    for (int s = 0; s < NP_N_STATES; s++)
        if (counts.of_state[s]) {
            np_str_addf(&line, "%s%zu %s", separator, counts.of_state[s],
                        np_state_name((enum np_state)s));
            separator = ", ";
            if (s == NP_STATE_SUCCESS && warned->n_sessions)
                np_str_addf(&line, " (%zu with warnings)", warned->n_sessions);
        }
    print_line(out, "%s", np_str_text(&line));
}

static void print_running(const struct np_survey *survey, FILE *out)
{
    for (size_t i = 0; i < survey->n_rows; i++) {
        const struct np_survey_row *row = &survey->row[i];
        if (row->state == NP_STATE_RUNNING)
            print_line(out, "  %s: running, in %s", row->label,
                       *np_survey_stage(row) ? np_survey_stage(row) : "start");
    }
}

static bool same_failure(const struct np_survey_row *a, const struct np_survey_row *b)
{
    return a->state == b->state && strcmp(np_survey_reason(a), np_survey_reason(b)) == 0 &&
           strcmp(np_survey_stage(a), np_survey_stage(b)) == 0;
}

static bool is_shown(const struct np_survey_row *row)
{
    return np_survey_needs_rerun(row) || !np_survey_is_wanted(row);
}

static void add_example(struct np_strings *lines, const struct np_survey_row *row)
{
    const char *sentence = np_survey_sentence(row);

    np_strings_give(lines, np_xasprintf("%s%s%s%s", row->label, *sentence ? ": " : "", sentence,
                                        row->record.failure.injected ? " (injected)" : ""));
}

/* "failed, bad-data at load_file: 3", "interrupted at skull_strip: 2" */
static void print_heading(const struct np_survey_row *row, size_t n, FILE *out)
{
    const char *state = np_state_name(row->state), *stage = np_survey_stage(row);
    const char *reason = np_survey_reason(row);
    bool is_state = *reason == '\0' || strcmp(reason, state) == 0;

    fputc('\n', out);
    print_line(out, "%s%s%s%s%s: %zu", state, is_state ? "" : ", ", is_state ? "" : reason,
               *stage ? " at " : "", stage, n);
}

/* All rows that are as `survey->row[first]` is; none of them is before it. */
static void print_group(const struct np_survey *survey, size_t first, size_t most, bool *is_printed,
                        FILE *out)
{
    const struct np_survey_row *row = &survey->row[first];
    NP_AUTO(np_strings_done) struct np_strings lines = {0};
    size_t n = 0;

    for (size_t i = first; i < survey->n_rows; i++) {
        const struct np_survey_row *other = &survey->row[i];
        if (is_printed[i] || !is_shown(other) || !same_failure(row, other))
            continue;
        is_printed[i] = true;
        if (n++ < most)
            add_example(&lines, other);
    }
    print_heading(row, n, out);
    for (size_t i = 0; i < lines.n; i++)
        print_line(out, "  %s", lines.item[i]);
    if (n > lines.n)
        print_line(out, "  … and %zu more (all: --failed, --format tsv)", n - lines.n);
    if (*np_survey_hint(row))
        print_line(out, "  what to do: %s", np_survey_hint(row));
}

/* Grouped by state, reason and stage, in order of first appearance. */
static void print_groups(const struct np_survey *survey, enum np_survey_rows rows, FILE *out)
{
    NP_AUTO(np_freep) bool *is_printed = np_xcalloc(survey->n_rows + 1, sizeof(*is_printed));
    size_t most = rows == NP_SURVEY_ALL ? MOST_EXAMPLES : SIZE_MAX;

    for (size_t i = 0; i < survey->n_rows; i++)
        if (!is_printed[i] && is_shown(&survey->row[i]))
            print_group(survey, i, most, is_printed, out);
}

/* "sub-01: its sentence", of one image; the others are counted. */
static void print_warned_session(const struct np_survey_row *row, const char *key, FILE *out)
{
    size_t n_images, first = np_warned_image(&row->record, key, &n_images);
    const struct np_file_record *file = &row->record.file[first];
    const char *sentence = np_warned_sentence(file, key);

    if (n_images == 1)
        print_line(out, "  %s: %s", row->label, sentence);
    else
        print_line(out, "  %s: %s (and %zu more image%s of this session)", row->label, sentence,
                   n_images - 1, np_plural((int64_t)n_images - 1));
}

/* Sessions with a warning of this key. */
static void print_warning(const struct np_survey *survey, const char *key, size_t n, size_t most,
                          FILE *out)
{
    const struct np_warning_row *info = np_warning_find(key);
    size_t n_images, n_shown = 0;

    fputc('\n', out);
    print_line(out, "success with warning, %s: %zu", key, n);
    for (size_t i = 0; i < survey->n_rows && n_shown < most; i++) {
        const struct np_survey_row *row = &survey->row[i];
        if (!np_survey_is_warned(row) ||
            np_warned_image(&row->record, key, &n_images) == row->record.n_files)
            continue;
        print_warned_session(row, key, out);
        n_shown++;
    }
    if (n > n_shown)
        print_line(out, "  … and %zu more (all: --warnings, --format tsv)", n - n_shown);
    if (info)
        print_line(out, "  what to do: %s", info->remedy);
}

static void print_warnings(const struct np_survey *survey, const struct np_warned *warned,
                           enum np_survey_rows rows, FILE *out)
{
    size_t most = rows == NP_SURVEY_ALL ? MOST_EXAMPLES : SIZE_MAX;

    for (size_t i = 0; i < warned->keys.n; i++)
        print_warning(survey, warned->keys.item[i], warned->n_of[i], most, out);
}

/* ", 3 outdated ones with --rerun outdated"; the caller frees. */
static char *outdated_words(const struct np_survey *survey)
{
    size_t n = 0;

    for (size_t i = 0; i < survey->n_rows; i++)
        n += survey->row[i].state == NP_STATE_OUTDATED;
    return n ? np_xasprintf(", %zu outdated one%s with --rerun outdated", n, np_plural((int64_t)n))
             : np_xstrdup("");
}

static void print_rerun(const struct np_survey *survey, const struct np_progress *progress,
                        FILE *out)
{
    NP_AUTO(np_freep) char *outdated = outdated_words(survey);

    if (progress->n_rerun == 0)
        return;
    fputc('\n', out);
    if (progress->n_running)
        print_line(out,
                   "not complete and not running now: %zu. What is left when all runs have ended, "
                   "the same command processes, and only that%s.",
                   progress->n_rerun, outdated);
    else
        print_line(out,
                   "to rerun: %zu. Fix the cause and run the same command again: it processes only "
                   "these sessions%s.",
                   progress->n_rerun, outdated);
}

/* The limits of these numbers. */
static void print_limits(const struct np_survey *survey, FILE *out)
{
    if (!survey->knows_plans)
        print_line(out,
                   "note: no plan of a run in logs/plans, so only sessions that have begun are "
                   "known; --dataset BIDS_DIR counts against the dataset");
    if (survey->verified == NP_VERIFY_RECORDS)
        print_line(out, "note: outputs were not looked at; --verify compares their sizes, "
                        "--verify-hash their content");
}

void np_survey_print_table(const struct np_survey *survey, enum np_survey_rows rows, FILE *out)
{
    struct np_progress progress;

    np_progress_find(survey, &progress);
    NP_AUTO(np_freep) char *text = np_progress_text(&progress);
    NP_AUTO(np_freep) char *mixture = np_survey_mixture(survey);
    NP_AUTO(np_warned_done) struct np_warned warned;
    np_warned_find(survey, &warned);
    print_counts(survey, &warned, out);
    print_line(out, "%s", text);
    if (mixture)
        print_line(out, "%s", mixture);
    if (rows == NP_SURVEY_ALL)
        print_running(survey, out);
    if (rows != NP_SURVEY_WARNED)
        print_groups(survey, rows, out);
    if (rows != NP_SURVEY_TO_RERUN)
        print_warnings(survey, &warned, rows, out);
    for (size_t i = 0; i < survey->unreadable.n; i++)
        print_line(out, "unreadable record: %s", survey->unreadable.item[i]);
    print_rerun(survey, &progress, out);
    print_limits(survey, out);
}
