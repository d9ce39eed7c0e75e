#include "cli/withdrawal.h"

#include <stdio.h>
#include <string.h>

#include "bids/labels.h"
#include "record/cohort.h"

enum { MOST_LABELS = 6 };

/* "sub-01/ses-02" from "sub-01_ses-02" */
static char *label_of(const char *word)
{
    char *label = np_xstrdup(word);
    char *bar = np_starts_with(label, "sub-") ? strstr(label, "_ses-") : NULL;

    if (bar)
        *bar = '/';
    return label;
}

static bool is_named(const struct np_survey_row *row, const char *label)
{
    const char *participant = row->record.participant;

    return strcmp(row->label, label) == 0 ||
           (participant && np_starts_with(label, "sub-") && strcmp(participant, label + 4) == 0);
}

static int no_such(const struct np_survey *survey, const char *word, struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings labels = {0};

    for (size_t i = 0; i < survey->n_rows; i++)
        np_strings_add(&labels, survey->row[i].label);
    const char *nearest = np_label_nearest(word, &labels);
    NP_AUTO(np_freep)
    char *meant = nearest ? np_xasprintf(" (did you mean '%s'?)", nearest) : np_xstrdup("");
    return np_error_set(err, NP_ESELECT,
                        "'%s': expected a session that a run was asked for, such as sub-01_ses-02, "
                        "or a participant; found none of this name%s",
                        word, meant);
}

/* Add the sessions of these words that are not yet as they shall be: `mark` of the plans. */
static int find(const struct np_survey *survey, const struct np_plans *plans, unsigned mark,
                const struct np_strings *words, struct np_asked_list *list, struct np_error *err)
{
    for (size_t w = 0; w < words->n; w++) {
        NP_AUTO(np_freep) char *label = label_of(words->item[w]);
        bool found = false;
        for (size_t i = 0; i < survey->n_rows; i++) {
            if (!is_named(&survey->row[i], label))
                continue;
            const struct np_asked asked = np_survey_asked(&survey->row[i]);
            found = true;
            if ((np_plans_marks(plans, &asked) & NP_MARK_WITHDRAWN) != mark)
                np_asked_add(list, &asked);
        }
        if (!found)
            return no_such(survey, words->item[w], err);
    }
    return 0;
}

static void say(const struct np_config *config, const struct np_asked_list *list, const char *what,
                const char *undo)
{
    NP_AUTO(np_strings_done) struct np_strings labels = {0};

    for (size_t i = 0; i < list->n; i++)
        np_strings_give(&labels, np_asked_text(&list->item[i]));
    NP_AUTO(np_freep) char *joined = np_strings_join(&labels, ", ", MOST_LABELS);
    NP_AUTO(np_freep) char *names = np_utf8_clean(joined);
    if (list->n)
        fprintf(stderr,
                "neuro-preprocess: %s: %s. To undo: neuro-preprocess status '%s' %s SESSION...\n",
                what, names, config->output_dir, undo);
    else
        fprintf(stderr, "neuro-preprocess: these sessions are %s already\n", what);
}

int np_withdrawal_apply(const struct np_config *config, const struct np_survey *survey,
                        struct np_error *err)
{
    NP_AUTO(np_asked_done) struct np_asked_list out = {0}, back = {0};

    NP_AUTO(np_plans_freep)
    struct np_plans *plans = np_plans_read(config->output_dir, NP_PLANS_CHANGES_ONLY);

    NP_TRY(find(survey, plans, NP_MARK_WITHDRAWN, &config->withdraw, &out, err));
    NP_TRY(find(survey, plans, 0, &config->restore, &back, err));
    NP_TRY(np_plans_change(config->output_dir, NP_PLAN_WITHDRAWN, &out, err));
    NP_TRY(np_plans_change(config->output_dir, NP_PLAN_RESTORED, &back, err));
    if (config->withdraw.n)
        say(config, &out, "withdrawn", "--restore");
    if (config->restore.n)
        say(config, &back, "restored", "--withdraw");
    return 0;
}
