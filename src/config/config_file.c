#include "config/config_file.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "config/options.h"
#include "json/json.h"

enum { MOST_BYTES = 1 << 20 };

/* The text being read. */
struct reader {
    struct np_json_source source;
    struct np_config *config;
    struct np_error *err;
};

/* The JSON types that an option takes, in words. */
static const char *expected_json(const struct np_option *option)
{
    switch (option->type) {
    case NP_OPT_FLAG:
    case NP_OPT_ASSIGN:
        return "true or false";
    case NP_OPT_COUNT:
    case NP_OPT_INT:
    case NP_OPT_SEED:
        return "a whole number";
    case NP_OPT_DOUBLE:
        return "a number";
    case NP_OPT_MEMORY:
        return option->unit_bytes ? "a number" : "a string such as \"8G\"";
    case NP_OPT_LIST:
        return "a list of strings";
    default:
        return "a string";
    }
}

/* A scalar as the text that np_option_set reads; NULL when it is of the wrong type. The caller
 * frees. */
static char *scalar_text(const struct np_option *option, const json_t *value)
{
    switch (option->type) {
    case NP_OPT_FLAG:
    case NP_OPT_ASSIGN:
        return json_is_boolean(value) ? np_xstrdup(json_is_true(value) ? "true" : "false") : NULL;
    case NP_OPT_COUNT:
    case NP_OPT_INT:
    case NP_OPT_SEED:
        return json_is_integer(value)
                   ? np_xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value))
                   : NULL;
    case NP_OPT_MEMORY:
        if (option->unit_bytes == 0)
            break;
        return json_is_number(value) ? np_xasprintf("%.17g", json_number_value(value)) : NULL;
    case NP_OPT_DOUBLE:
        return json_is_number(value) ? np_xasprintf("%.17g", json_number_value(value)) : NULL;
    default:
        break;
    }
    return json_is_string(value) ? np_xstrdup(json_string_value(value)) : NULL;
}

/* An option as the file spells it, and how sentences about it begin. */
struct setting {
    const struct np_option *option;
    const char *key;
    struct np_origin origin;
};

static int set_scalar(const struct reader *reader, const struct setting *setting,
                      const json_t *value)
{
    NP_AUTO(np_freep) char *text = scalar_text(setting->option, value);

    if (!text)
        return np_json_wrong(&reader->source, &setting->key, 1, setting->key,
                             expected_json(setting->option), value, reader->err);
    return np_option_set(setting->option, text, &setting->origin, reader->config, reader->err);
}

static int set_value(const struct reader *reader, const struct setting *setting,
                     const json_t *value)
{
    const struct np_option *option = setting->option;

    /* A count would add to what is there. */
    if (json_is_null(value) || option->type == NP_OPT_COUNT) {
        if (option->type != NP_OPT_ASSIGN)
            np_option_reset(option, reader->config);
        if (json_is_null(value))
            return 0;
    }
    if (option->type != NP_OPT_LIST)
        return set_scalar(reader, setting, value);
    np_option_reset(option, reader->config);
    if (!json_is_array(value))
        return set_scalar(reader, setting, value);
    if (json_array_size(value) == 0 && option->choices)
        return np_json_wrong(&reader->source, &setting->key, 1, setting->key, "at least one", value,
                             reader->err);
    for (size_t i = 0; i < json_array_size(value); i++)
        NP_TRY(set_scalar(reader, setting, json_array_get(value, i)));
    return 0;
}

static int unknown_key(const struct reader *reader, const char *key)
{
    NP_AUTO(np_freep) char *place = np_json_place(&reader->source, &key, 1);
    NP_AUTO(np_freep) char *near = np_option_suggest(key, NP_OPT_IN_FILE);

    if (np_option_find(key, strlen(key)))
        return np_error_set(reader->err, NP_ECONFIG,
                            "%s: '%s' is for the command line only; take it out", place, key);
    if (near)
        return np_error_set(reader->err, NP_ECONFIG,
                            "%s: expected the name of an option, found '%.60s'; did you mean '%s'?",
                            place, key, near);
    return np_error_set(reader->err, NP_ECONFIG,
                        "%s: expected the name of an option (see --print-config), found '%.60s'",
                        place, key);
}

static int check_schema(const struct reader *reader, const json_t *value)
{
    if (json_is_string(value) && strcmp(json_string_value(value), NP_CONFIG_SCHEMA_ID) == 0)
        return 0;
    static const char *const key = "$schema";
    return np_json_wrong(&reader->source, &key, 1, key, "\"" NP_CONFIG_SCHEMA_ID "\"", value,
                         reader->err);
}

/* These options may be in a file although they have no field of their own. */
static bool may_stand_in_file(const struct np_option *option)
{
    return option->traits & NP_OPT_IN_FILE || option->type == NP_OPT_ASSIGN;
}

static int apply_key(const struct reader *reader, const char *key, const json_t *value)
{
    if (strcmp(key, "$schema") == 0)
        return check_schema(reader, value);
    const struct np_option *option = np_option_find(key, strlen(key));
    if (!option || !may_stand_in_file(option))
        return unknown_key(reader, key);
    NP_AUTO(np_freep) char *place = np_json_place(&reader->source, &key, 1);
    NP_AUTO(np_freep) char *where = np_xasprintf("%s: %s", place, key);
    return set_value(reader, &(struct setting){option, key, {where, NP_ECONFIG}}, value);
}

int np_config_read_text(const char *text, size_t n_bytes, const char *name,
                        struct np_config *config, struct np_error *err)
{
    const struct reader reader = {{name, text, n_bytes}, config, err};
    NP_AUTO(np_json_freep) json_t *root = NULL;
    const char *key;
    json_t *value;

    NP_TRY(np_json_parse(&reader.source, JSON_REJECT_DUPLICATES, &root, err));
    json_object_foreach(root, key, value) NP_TRY(apply_key(&reader, key, value));
    return 0;
}

int np_config_read_file(const char *path, struct np_config *config, struct np_error *err)
{
    NP_AUTO(np_str_done) struct np_str content = {0};
    struct np_error why = {0};

    if (np_file_read(path, MOST_BYTES, &content, &why) < 0) {
        /* For images "too large" is NP_EHEADER; here it is an invalid configuration. */
        int code = why.code == NP_EHEADER ? NP_ECONFIG : why.code;
        np_error_set(err, code, "%s", why.text);
        np_error_context(err, "configuration");
        return code;
    }
    return np_config_read_text(np_str_text(&content), content.length, path, config, err);
}

/* NEURO_PREPROCESS_MEM_GB for "mem-gb"; the caller frees. */
static char *variable_name(const struct np_option *option)
{
    char *name = np_xasprintf("%s%s", NP_ENVIRONMENT_PREFIX, option->name);

    for (char *c = name; *c; c++)
        *c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
    return name;
}

static const struct np_option *option_of_variable(const char *name, size_t length)
{
    for (size_t i = 0; i < np_n_options; i++) {
        NP_AUTO(np_freep) char *ours = variable_name(&np_options[i]);
        if (strlen(ours) == length && strncmp(ours, name, length) == 0 &&
            (may_stand_in_file(&np_options[i]) || strcmp(np_options[i].name, "config-file") == 0))
            return &np_options[i];
    }
    return NULL;
}

static int apply_variable(const struct np_option *option, const char *name, const char *value,
                          struct np_config *config, struct np_error *err)
{
    NP_AUTO(np_freep) char *where = np_xasprintf("environment variable %s", name);
    struct np_origin origin = {where, NP_ECONFIG};

    if (!*value)
        return 0;
    if (option->type == NP_OPT_COUNT || option->type == NP_OPT_LIST)
        np_option_reset(option, config);
    if (option->type != NP_OPT_LIST)
        return np_option_set(option, value, &origin, config, err);
    NP_AUTO(np_freep) char *words = np_xstrdup(value);
    char *state = NULL;
    for (char *word = strtok_r(words, " ", &state); word; word = strtok_r(NULL, " ", &state))
        NP_TRY(np_option_set(option, word, &origin, config, err));
    return 0;
}

int np_config_read_environment(char *const *environment, struct np_config *config,
                               struct np_strings *notices, struct np_error *err)
{
    for (; *environment; environment++) {
        if (!np_starts_with(*environment, NP_ENVIRONMENT_PREFIX))
            continue;
        size_t n_name = strcspn(*environment, "=");
        if ((*environment)[n_name] != '=')
            continue;
        NP_AUTO(np_freep) char *name = np_xstrndup(*environment, n_name);
        const struct np_option *option = option_of_variable(name, n_name);
        if (!option) {
            NP_AUTO(np_freep) char *clean = np_utf8_clean(name);
            np_strings_give(
                notices, np_xasprintf("ignored: environment variable %s names no option", clean));
            continue;
        }
        NP_TRY(apply_variable(option, name, *environment + n_name + 1, config, err));
    }
    return 0;
}

/* Settings as JSON. */

/* A string for JSON: invalid bytes become U+FFFD, secrets in URLs "***". */
static json_t *json_text(const char *text)
{
    NP_AUTO(np_freep) char *safe = np_url_redact(text);
    NP_AUTO(np_freep) char *clean = np_utf8_clean(safe);

    return json_string(clean);
}

static json_t *json_list(const struct np_strings *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(array, json_text(list->item[i]));
    return array;
}

static json_t *json_setting(const struct np_option *option, const struct np_config *config)
{
    const void *field = (const char *)config + option->field;
    NP_AUTO(np_freep) char *text = np_option_text(option, config);

    if (option->type == NP_OPT_LIST)
        return json_list(field);
    if (!*text || strcmp(text, "auto") == 0)
        if (option->type != NP_OPT_CHOICE)
            return json_null();
    switch (option->type) {
    case NP_OPT_FLAG:
        return json_boolean(*(const bool *)field);
    case NP_OPT_COUNT:
    case NP_OPT_INT:
        return json_integer(*(const int *)field);
    case NP_OPT_SEED:
        return json_integer((json_int_t) * (const uint64_t *)field);
    case NP_OPT_DOUBLE:
        return json_real(*(const double *)field);
    default:
        return json_text(text);
    }
}

/* True when this row represents its field. */
static bool speaks(const struct np_option *option, unsigned traits)
{
    return (option->traits & traits) == traits && !(option->traits & NP_OPT_ANOTHER_WAY);
}

static void add_settings(json_t *object, const struct np_config *config, unsigned traits)
{
    for (size_t i = 0; i < np_n_options; i++)
        if (speaks(&np_options[i], traits))
            json_object_set_new(object, np_options[i].name, json_setting(&np_options[i], config));
}

/* NULL means that jansson had no memory; without bookkeeping memory the program cannot continue. */
static char *dump(json_t *object, size_t flags, const char *end)
{
    char *text = json_dumps(object, flags | JSON_REAL_PRECISION(15));

    if (!text)
        abort();
    char *out = np_xasprintf("%s%s", text, end);
    free(text);
    return out;
}

char *np_config_json(const struct np_config *config)
{
    NP_AUTO(np_json_freep) json_t *root = json_object();

    json_object_set_new(root, "$schema", json_string(NP_CONFIG_SCHEMA_ID));
    add_settings(root, config, NP_OPT_IN_FILE);
    return dump(root, JSON_INDENT(2), "\n");
}

char *np_config_results_json(const struct np_config *config)
{
    NP_AUTO(np_json_freep) json_t *root = json_object();

    add_settings(root, config, NP_OPT_CHANGES_RESULTS);
    return dump(root, JSON_COMPACT | JSON_SORT_KEYS, "");
}

char *np_config_results_text(const struct np_config *config)
{
    NP_AUTO(np_json_freep) json_t *root = json_object();
    struct np_str text = {0};
    const char *key;
    json_t *value;

    add_settings(root, config, NP_OPT_CHANGES_RESULTS);
    json_object_foreach(root, key, value)
    {
        const char *separator = text.length ? ", " : "";
        if (json_is_string(value))
            np_str_addf(&text, "%s%s %s", separator, key, json_string_value(value));
        else if (json_is_true(value))
            np_str_addf(&text, "%s%s", separator, key);
        else if (json_is_number(value))
            np_str_addf(&text, "%s%s %g", separator, key, json_number_value(value));
    }
    return np_str_take(&text);
}

static json_t *choice_words(const struct np_option *option)
{
    json_t *words = json_array();

    for (const struct np_choice *c = option->choices; c->word; c++)
        if (c->value != NP_CHOICE_LATER)
            json_array_append_new(words, json_string(c->word));
    return words;
}

static void add_range(json_t *schema, const struct np_option *option)
{
    if (option->least != 0 || option->most != 0) {
        json_object_set_new(schema, "minimum", json_real(option->least));
        json_object_set_new(schema, "maximum", json_real(option->most));
    } else if (option->type == NP_OPT_SEED)
        json_object_set_new(schema, "minimum", json_integer(0));
    else if (option->type == NP_OPT_INT)
        json_object_set_new(schema, "minimum", json_integer(1));
    else if (option->type == NP_OPT_COUNT) {
        json_object_set_new(schema, "minimum", json_integer(-1));
        json_object_set_new(schema, "maximum", json_integer(3));
    }
}

/* null is allowed for every option and means the default. */
static json_t *setting_schema(const struct np_option *option, const struct np_config *defaults)
{
    static const char *const types[] = {
        [NP_OPT_FLAG] = "boolean",  [NP_OPT_COUNT] = "integer", [NP_OPT_INT] = "integer",
        [NP_OPT_SEED] = "integer",  [NP_OPT_MEMORY] = "string", [NP_OPT_DOUBLE] = "number",
        [NP_OPT_STRING] = "string", [NP_OPT_CHOICE] = "string", [NP_OPT_LIST] = "array",
        [NP_OPT_STAGE] = "string",  [NP_OPT_COMMAND] = NULL,
    };
    json_t *schema = json_object();

    json_object_set_new(schema, "description", json_string(option->help));
    json_object_set_new(schema, "type", json_pack("[s,s]", types[option->type], "null"));
    json_object_set_new(schema, "default", json_setting(option, defaults));
    if (option->type == NP_OPT_CHOICE) {
        json_t *words = choice_words(option);
        json_array_append_new(words, json_null());
        json_object_set_new(schema, "enum", words);
    } else if (option->type == NP_OPT_LIST) {
        json_t *items = json_pack("{s:s}", "type", "string");
        if (option->choices)
            json_object_set_new(items, "enum", choice_words(option));
        json_object_set_new(schema, "items", items);
    }
    add_range(schema, option);
    return schema;
}

char *np_config_schema_json(void)
{
    struct np_config defaults;
    NP_AUTO(np_json_freep)
    json_t *root = json_pack(
        "{s:s,s:s,s:s,s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "$id",
        NP_CONFIG_SCHEMA_ID, "title", "neuro-preprocess configuration", "type", "object");
    json_t *properties = json_pack("{s:{s:s}}", "$schema", "const", NP_CONFIG_SCHEMA_ID);

    np_config_init(&defaults);
    for (size_t i = 0; i < np_n_options; i++)
        if (speaks(&np_options[i], NP_OPT_IN_FILE))
            json_object_set_new(properties, np_options[i].name,
                                setting_schema(&np_options[i], &defaults));
    np_config_done(&defaults);
    json_object_set_new(root, "properties", properties);
    json_object_set_new(root, "additionalProperties", json_false());
    return dump(root, JSON_INDENT(2), "\n");
}

const char *np_config_json_version(void)
{
    return jansson_version_str();
}
