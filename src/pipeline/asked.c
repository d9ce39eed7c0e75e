#include "pipeline/asked.h"

#include <string.h>

#include "base/path.h"
#include "bids/presence.h"
#include "config/options.h"

enum { MOST_LABELS = 6 };

struct np_asked np_job_asked(const struct np_job *job)
{
    if (job->session)
        return (struct np_asked){.participant = job->session->participant,
                                 .session = job->session->session};
    return (struct np_asked){.file = job->label};
}

/* {"participant-label": "01 02", "rerun": "missing"}: the options that select, where they differ from
 * their defaults; the caller frees. */
static char *selection_json(const struct np_config *config)
{
    NP_AUTO(np_config_done) struct np_config defaults;
    struct np_str out = {0};

    np_config_init(&defaults);
    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        bool selects = option->group == NP_GROUP_SELECTION || strcmp(option->name, "rerun") == 0;
        if (!selects || option->type == NP_OPT_ASSIGN)
            continue;
        NP_AUTO(np_freep) char *now = np_option_text(option, config);
        NP_AUTO(np_freep) char *usual = np_option_text(option, &defaults);
        if (strcmp(now, usual) == 0)
            continue;
        np_str_add(&out, out.length ? ", " : "{");
        np_str_add_json(&out, option->name);
        np_str_add(&out, ": ");
        np_str_add_json(&out, now);
    }
    np_str_add(&out, out.length ? "}" : "{}");
    return np_str_take(&out);
}

static const char *command_word(enum np_command command)
{
    const struct np_command_info *info = np_command_info(command);

    return info && info->verb ? info->verb : "participant";
}

/* A session without images gets a record from a run; where nothing runs, it would wait for one for
 * ever. */
static bool is_asked(const struct np_config *config, const struct np_job *job)
{
    return !config->plan_only || config->allow_empty || job->decision != NP_DECIDE_NOTHING_TO_DO;
}

static void list_jobs(const struct np_run *run, struct np_asked_list *list)
{
    for (size_t i = 0; i < run->plan->n_jobs; i++) {
        const struct np_asked asked = np_job_asked(&run->plan->job[i]);
        if (is_asked(run->config, &run->plan->job[i]))
            np_asked_add(list, &asked);
    }
}

/* Sessions that have ended and are done again, other than by --rerun all, with the run that wrote
 * their record. */
static void list_again(const struct np_run *run, struct np_asked_list *again,
                       struct np_strings *again_run)
{
    for (size_t i = 0; run->config->rerun != NP_RERUN_ALL && i < run->plan->n_jobs; i++) {
        const struct np_job *job = &run->plan->job[i];
        NP_AUTO(np_record_done) struct np_session_record record = {0};
        if (job->decision != NP_DECIDE_RUN ||
            np_record_read(job->place.status, &record, NULL) < 0 ||
            (record.state != NP_STATE_SUCCESS && record.state != NP_STATE_NOTHING_TO_DO))
            continue;
        const struct np_asked asked = np_job_asked(job);
        np_asked_add(again, &asked);
        np_strings_add(again_run, record.run_id);
    }
}

static bool selects_all(const struct np_config *config)
{
    return config->participants.n == 0 && config->sessions.n == 0 && !config->session_list &&
           !config->bids_filter_file;
}

/* Sessions of earlier plans that the dataset does not hold; absence in a dataset that is not there
 * is no evidence, but this one has been read. */
static void find_gone(const struct np_run *run, const struct np_plans *plans,
                      struct np_asked_list *gone)
{
    NP_AUTO(np_asked_done) struct np_asked_list wanted = {0};

    np_plans_list(plans, NP_MARK_WANTED, &wanted);
    for (size_t i = 0; i < wanted.n; i++) {
        const struct np_asked *asked = &wanted.item[i];
        if (asked->file || np_plans_marks(plans, asked) != NP_MARK_WANTED)
            continue;
        enum np_presence presence =
            np_dataset_presence(run->plan->dataset->root, asked->participant, asked->session);
        if (presence == NP_ABSENT || presence == NP_HIDDEN)
            np_asked_add(gone, asked);
    }
}

static void print_gone(const struct np_run *run, const struct np_asked_list *gone)
{
    NP_AUTO(np_strings_done) struct np_strings labels = {0};

    for (size_t i = 0; i < gone->n; i++)
        np_strings_give(&labels, np_asked_text(&gone->item[i]));
    NP_AUTO(np_freep) char *list = np_strings_join(&labels, ", ", MOST_LABELS);
    if (gone->n)
        np_console_print(run->console, 0,
                         "warning: %zu session%s of earlier runs are not in '%s' any more, or its "
                         ".bidsignore hides them: %s",
                         gone->n, np_plural((int64_t)gone->n), run->plan->dataset->root, list);
}

/* `list`: the sessions of this run, which the dataset does hold. */
static int keep_changes(const struct np_run *run, const struct np_asked_list *list,
                        struct np_error *err)
{
    const char *output_dir = run->config->output_dir;
    bool all = selects_all(run->config);
    NP_AUTO(np_plans_freep)
    struct np_plans *plans = np_plans_read(output_dir, all ? NP_PLANS_ALL : NP_PLANS_CHANGES_ONLY);
    NP_AUTO(np_asked_done) struct np_asked_list gone = {0}, found = {0};

    for (size_t i = 0; i < list->n; i++)
        if (np_plans_marks(plans, &list->item[i]) & NP_MARK_GONE)
            np_asked_add(&found, &list->item[i]);
    if (all)
        find_gone(run, plans, &gone);
    print_gone(run, &gone);
    NP_TRY(np_plans_change(output_dir, NP_PLAN_FOUND, &found, err));
    return np_plans_change(output_dir, NP_PLAN_GONE, &gone, err);
}

int np_run_keep_plan(const struct np_run *run, struct np_error *err)
{
    const struct np_dataset *dataset = run->plan->dataset;
    NP_AUTO(np_asked_done) struct np_asked_list list = {0}, again = {0};
    NP_AUTO(np_strings_done) struct np_strings again_run = {0};
    NP_AUTO(np_freep) char *selection = selection_json(run->config);
    NP_AUTO(np_freep) char *root = dataset ? np_path_resolve(dataset->root) : NULL;
    const struct np_run_plan plan = {.run_id = run->id,
                                     .command = command_word(run->config->command),
                                     .version = run->version,
                                     .dataset_path = root,
                                     .dataset_name = dataset ? dataset->name : NULL,
                                     .selection = selection,
                                     .config = run->plan->config,
                                     .asked = &list,
                                     .again = &again,
                                     .again_run = &again_run};

    list_jobs(run, &list);
    list_again(run, &again, &again_run);
    NP_TRY(np_plans_write(run->config->output_dir, &plan, err));
    return dataset ? keep_changes(run, &list, err) : 0;
}

bool np_run_was_asked(const struct np_run *run)
{
    NP_AUTO(np_plans_freep)
    struct np_plans *plans = np_plans_read(run->config->output_dir, NP_PLANS_ALL);

    for (size_t i = 0; i < run->plan->n_jobs; i++) {
        const struct np_job *job = &run->plan->job[i];
        const struct np_asked asked = np_job_asked(job);
        if (job->decision == NP_DECIDE_RUN && np_plans_marks(plans, &asked) & NP_MARK_WANTED)
            return true;
    }
    return false;
}
