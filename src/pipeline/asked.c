#include "pipeline/asked.h"

#include <string.h>

#include "base/path.h"
#include "config/options.h"

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

static void list_jobs(const struct np_plan *plan, struct np_asked_list *list)
{
    for (size_t i = 0; i < plan->n_jobs; i++) {
        const struct np_asked asked = np_job_asked(&plan->job[i]);
        np_asked_add(list, &asked);
    }
}

int np_run_keep_plan(const struct np_run *run, struct np_error *err)
{
    const struct np_dataset *dataset = run->plan->dataset;
    NP_AUTO(np_asked_done) struct np_asked_list list = {0};
    NP_AUTO(np_freep) char *selection = selection_json(run->config);
    NP_AUTO(np_freep) char *root = dataset ? np_path_resolve(dataset->root) : NULL;
    const struct np_run_plan plan = {.run_id = run->id,
                                     .command = command_word(run->config->command),
                                     .version = run->version,
                                     .dataset_path = root,
                                     .dataset_name = dataset ? dataset->name : NULL,
                                     .selection = selection,
                                     .config = run->plan->config,
                                     .asked = &list};

    list_jobs(run->plan, &list);
    return np_plans_write(run->config->output_dir, &plan, err);
}
