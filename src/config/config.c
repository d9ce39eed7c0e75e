#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/modality.h"

void np_config_init(struct np_config *config)
{
    *config = (struct np_config){
        .command = NP_COMMAND_HELP,
        .topic = NP_COMMAND_HELP,
        .slow_stage_s = 0,
        .demo_participants = 3,
        .demo_sessions = 2,
        .demo_size_mm = 2,
    };
    for (size_t i = 0; i < NP_N_MODALITIES; i++)
        if (np_modality_is_default(&np_modalities[i]))
            np_strings_add(&config->modalities, np_modalities[i].suffix);
}

void np_config_done(struct np_config *config)
{
    char *texts[] = {
        config->bids_dir,   config->output_dir,       config->bids_filter_file,
        config->work_dir,   config->dataset_name,     config->otel_endpoint,
        config->slow_stage, config->metrics_textfile, config->config_file,
        config->argument,   config->session_list,     config->replay_since,
        config->mask_dir,
    };
    struct np_strings *lists[] = {
        &config->inputs,       &config->participants, &config->sessions,   &config->tasks,
        &config->runs,         &config->echoes,       &config->modalities, &config->dataset_links,
        &config->command_line, &config->foreign,      &config->withdraw,   &config->restore,
    };

    for (size_t i = 0; i < NP_COUNT(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < NP_COUNT(lists); i++)
        np_strings_done(lists[i]);
    *config = (struct np_config){0};
}

/*
 * The start of a URL's authority in `text`, NULL when there is none. Without a scheme only
 * "user:password@host" counts, also after "--option=".
 */
static const char *authority_of(const char *text)
{
    const char *scheme_end = strstr(text, "://");

    if (scheme_end)
        return scheme_end + 3;
    const char *equals = np_starts_with(text, "-") ? strchr(text, '=') : NULL;
    const char *start = equals ? equals + 1 : text;
    const char *at = strchr(start, '@');
    const char *colon = strchr(start, ':');
    const char *slash = strchr(start, '/');
    bool has_user = at && colon && colon < at && (!slash || slash > at);
    return has_user ? start : NULL;
}

/*
 * RFC 3986: scheme "://" [user-information "@"] host ... ["?" query]. The last "@" before the path
 * ends the user information, so an unescaped one in a password is covered too.
 */
char *np_url_redact(const char *text)
{
    struct np_str out = {0};
    const char *authority = authority_of(text);

    if (!authority)
        return np_xstrdup(text);
    const char *authority_end = authority + strcspn(authority, "/?#");
    const char *host = authority;
    for (const char *c = authority; c < authority_end; c++)
        if (*c == '@')
            host = c + 1;
    size_t n_shown = strcspn(host, "?");

    np_str_add_bytes(&out, text, (size_t)(authority - text));
    if (host != authority)
        np_str_add(&out, "***@");
    np_str_add_bytes(&out, host, n_shown);
    if (host[n_shown] == '?')
        np_str_add(&out, "?***");
    return np_str_take(&out);
}
