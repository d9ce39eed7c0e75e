#include "pipeline/rerun.h"

#include <stdlib.h>

#include "base/path.h"
#include "config/again.h"

char *np_rerun_folder(const char *output_dir, const struct np_session_record *record)
{
    NP_AUTO(np_freep) char *root = np_path_resolve(output_dir);
    const char *out = root ? root : output_dir;

    if (!record->participant)
        return np_xstrdup(out);
    if (record->state != NP_STATE_SUCCESS)
        return np_xasprintf("%s/logs/sub-%s", out, record->participant);
    if (!record->session)
        return np_xasprintf("%s/sub-%s", out, record->participant);
    return np_xasprintf("%s/sub-%s/ses-%s", out, record->participant, record->session);
}

/* The value of the variable under the name of either runtime; NULL = none. */
static const char *of_container(const char *name, const char **runtime)
{
    static const char *const runtimes[][2] = {{"APPTAINER_", "apptainer"},
                                              {"SINGULARITY_", "singularity"}};

    for (size_t i = 0; i < NP_COUNT(runtimes); i++) {
        NP_AUTO(np_freep) char *variable = np_xasprintf("%s%s", runtimes[i][0], name);
        const char *value = getenv(variable);
        *runtime = runtimes[i][1];
        if (value && *value)
            return value;
    }
    return NULL;
}

/* In an image, whose path the runtime tells: the same image with the same folders in it. The runtime
 * tells their places inside alone; outside they are taken to be the same. */
static void add_program(struct np_str *out)
{
    const char *runtime, *ignored;
    const char *image = of_container("CONTAINER", &runtime);
    const char *binds = of_container("BIND", &ignored);

    if (image) {
        np_str_addf(out, "%s exec", runtime);
        if (binds)
            np_str_add(out, " --bind");
        if (binds)
            np_add_shell_word(out, binds);
        np_add_shell_word(out, image);
        np_str_add_char(out, ' ');
    }
    np_str_add(out, "neuro-preprocess");
}

static void add_path(struct np_str *out, const char *path)
{
    NP_AUTO(np_freep) char *resolved = np_path_resolve(path);

    np_add_shell_word(out, resolved ? resolved : path);
}

static void add_session(struct np_str *out, const struct np_config *config,
                        const struct np_session_record *record)
{
    add_path(out, config->bids_dir);
    add_path(out, config->output_dir);
    np_str_add(out, " participant --participant-label");
    np_add_shell_word(out, record->participant);
    np_str_add(out, " --session-label");
    np_add_shell_word(out, record->session ? record->session : "unnamed");
    if (record->state == NP_STATE_SUCCESS)
        np_str_add(out, " --rerun all");
}

/* False when the run was none of plain images. */
static bool add_image(struct np_str *out, const struct np_config *config,
                      const struct np_session_record *record)
{
    bool is_batch = config->command == NP_COMMAND_BATCH;

    if ((!is_batch && config->command != NP_COMMAND_PROCESS) || record->n_files == 0)
        return false;
    np_str_add(out, is_batch ? " batch" : " process");
    add_path(out, is_batch ? config->inputs.item[0] : record->file[0].path);
    np_str_add(out, " --output-dir");
    add_path(out, config->output_dir);
    if (!is_batch && record->state == NP_STATE_SUCCESS)
        np_str_add(out, " --rerun all");
    return true;
}

char *np_rerun_command(const struct np_config *config, const struct np_session_record *record)
{
    NP_AUTO(np_str_done) struct np_str out = {0};
    enum np_command command = record->participant ? NP_COMMAND_PARTICIPANT : config->command;

    add_program(&out);
    if (record->participant && config->bids_dir)
        add_session(&out, config, record);
    else if (record->participant || !add_image(&out, config, record))
        return NULL;
    np_config_add_again(config, command, record->config, &out);
    return np_str_take(&out);
}
