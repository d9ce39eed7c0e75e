#include "config/again.h"

#include <jansson.h>
#include <string.h>

#include "base/path.h"
#include "config/options.h"
#include "json/json.h"

/* Characters of words that no shell changes. */
static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                            "_./:=@%+,-";

void np_add_shell_word(struct np_str *out, const char *word)
{
    np_str_add_char(out, ' ');
    if (*word && strspn(word, plain) == strlen(word)) {
        np_str_add(out, word);
        return;
    }
    np_str_add_char(out, '\'');
    for (const char *c = word; *c; c++)
        if (*c == '\'')
            np_str_add(out, "'\\''");
        else
            np_str_add_char(out, *c);
    np_str_add_char(out, '\'');
}

/* Settings of one call: which sessions, and how the run as a whole goes on. */
static bool is_of_one_run(const struct np_option *option)
{
    static const char *const names[] = {
        "participant-label",   "session-label", "session-list", "rerun", "dry-run", "canary",
        "stop-on-first-crash", "work-dir",      "clean-workdir"};

    for (size_t i = 0; i < NP_COUNT(names); i++)
        if (strcmp(option->name, names[i]) == 0)
            return true;
    return option->group == NP_GROUP_FAULTS || option->group == NP_GROUP_GENERAL;
}

static bool is_repeated(const struct np_option *option, enum np_command command)
{
    const unsigned without = NP_OPT_ANOTHER_WAY | NP_OPT_RECORDED;

    return option->traits & NP_OPT_IN_FILE && !(option->traits & without) &&
           option->commands & 1u << command && !is_of_one_run(option);
}

static void add_words(struct np_str *out, const struct np_strings *words)
{
    for (size_t i = 0; i < words->n; i++)
        np_add_shell_word(out, words->item[i]);
}

/* One value; a path as it is found from any folder. */
static void add_value(struct np_str *out, const struct np_option *option, const char *value)
{
    bool is_path = option->traits & (NP_OPT_FILE | NP_OPT_DIRECTORY);
    NP_AUTO(np_freep) char *resolved = is_path ? np_path_resolve(value) : NULL;

    np_add_shell_word(out, resolved ? resolved : value);
}

/* False for what must not be shown: an address with a password or a query. */
static bool is_public(const char *value)
{
    NP_AUTO(np_freep) char *safe = np_url_redact(value);

    return strcmp(safe, value) == 0;
}

static void add_option(struct np_str *out, const struct np_option *option,
                       const struct np_config *config, const struct np_config *defaults)
{
    NP_AUTO(np_freep) char *now = np_option_text(option, config);
    NP_AUTO(np_freep) char *usual = np_option_text(option, defaults);

    if (strcmp(now, usual) == 0 || !is_public(now))
        return;
    np_str_addf(out, " --%s", option->name);
    if (option->type == NP_OPT_LIST)
        add_words(out, (const struct np_strings *)((const char *)config + option->field));
    else if (option->type != NP_OPT_FLAG)
        add_value(out, option, now);
}

/* Set an option of `config` to what the text of a configuration says of it, where that is valid. */
static void take_result(const struct np_option *option, const json_t *results,
                        struct np_config *config)
{
    const struct np_origin origin = {.where = option->name, .code = NP_ECONFIG};
    const json_t *value = json_object_get(results, option->name);
    const char *text = json_is_string(value)  ? json_string_value(value)
                       : json_is_true(value)  ? "true"
                       : json_is_false(value) ? "false"
                                              : NULL;

    if (text)
        NP_IGNORE(np_option_set(option, text, &origin, config, NULL));
}

void np_config_add_again(const struct np_config *config, enum np_command command,
                         const char *results, struct np_str *out)
{
    NP_AUTO(np_config_done) struct np_config defaults, of_results;
    NP_AUTO(np_json_freep) json_t *json = results ? json_loads(results, 0, NULL) : NULL;

    np_config_init(&defaults);
    np_config_init(&of_results);
    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        bool is_result = json && option->traits & NP_OPT_CHANGES_RESULTS;
        if (!is_repeated(option, command))
            continue;
        if (is_result)
            take_result(option, json, &of_results);
        add_option(out, option, is_result ? &of_results : config, &defaults);
    }
}
