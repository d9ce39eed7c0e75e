#include "config/results.h"

#include <jansson.h>
#include <string.h>

#include "config/config.h"
#include "json/json.h"

static json_t *defaults(void)
{
    struct np_config config;

    np_config_init(&config);
    NP_AUTO(np_freep) char *text = np_config_results_json(&config);
    np_config_done(&config);
    return json_loads(text, 0, NULL);
}

/* The value of an option as it is written on a command line; the caller frees. */
static char *value_words(const json_t *value)
{
    if (json_is_string(value))
        return np_utf8_clean(json_string_value(value));
    NP_AUTO(np_freep)
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    return np_xstrdup(text ? text : "null");
}

/* NULL when it is no JSON object. */
static json_t *parse(const char *text)
{
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;

    if (json && !json_is_object(json)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

char *np_config_results_words(const char *text)
{
    NP_AUTO(np_json_freep) json_t *usual = defaults();
    NP_AUTO(np_json_freep) json_t *json = parse(text);
    NP_AUTO(np_strings_done) struct np_strings words = {0};
    const char *key;
    json_t *value;

    if (!json)
        return np_xstrdup(text ? text : "unknown");
    json_object_foreach(json, key, value)
    {
        NP_AUTO(np_freep) char *is = value_words(value);
        if (!json_equal(value, json_object_get(usual, key)))
            np_strings_give(&words, np_xasprintf("%s=%s", key, is));
    }
    np_strings_sort(&words);
    struct np_str out = {0};
    for (size_t i = 0; i < words.n; i++)
        np_str_addf(&out, "%s%s", i ? " " : "", words.item[i]);
    if (words.n == 0)
        np_str_add(&out, "defaults");
    return np_str_take(&out);
}

bool np_config_results_same(const char *one, const char *other)
{
    if (!one || !other)
        return false;
    if (strcmp(one, other) == 0)
        return true;
    NP_AUTO(np_freep) char *a = np_config_results_words(one);
    NP_AUTO(np_freep) char *b = np_config_results_words(other);
    return strcmp(a, b) == 0;
}

static void add_difference(struct np_str *out, const char *key, const json_t *there,
                           const json_t *here)
{
    NP_AUTO(np_freep) char *a = there ? value_words(there) : np_xstrdup("unknown");
    NP_AUTO(np_freep) char *b = here ? value_words(here) : np_xstrdup("unknown");

    np_str_addf(out, "%s%s: %s there, %s here", out->length ? "; " : "", key, a, b);
}

/* The options of both and of the defaults, with the values of `json` where it names them. */
static json_t *completed(const json_t *usual, json_t *json)
{
    json_t *whole = json_deep_copy(usual);

    if (json)
        json_object_update(whole, json);
    return whole;
}

char *np_config_results_difference(const char *there, const char *here)
{
    NP_AUTO(np_json_freep) json_t *usual = defaults();
    NP_AUTO(np_json_freep) json_t *given_there = parse(there);
    NP_AUTO(np_json_freep) json_t *given_here = parse(here);
    NP_AUTO(np_json_freep) json_t *a = completed(usual, given_there);
    NP_AUTO(np_json_freep) json_t *b = completed(usual, given_here);
    struct np_str out = {0};
    const char *key;
    json_t *value;

    if (!given_there || !given_here)
        return np_xstrdup("options: unknown there");
    json_object_foreach(a, key, value) if (!json_equal(value, json_object_get(b, key)))
        add_difference(&out, key, value, json_object_get(b, key));
    json_object_foreach(b, key, value) if (!json_object_get(a, key))
        add_difference(&out, key, NULL, value);
    return np_str_take(&out);
}
