#include "json/json.h"

#include <string.h>
#include <sys/stat.h>

#include "base/path.h"

json_t *np_json_parse(const char *label, const char *text, size_t n_bytes, size_t jansson_flags,
                      struct np_error *err)
{
    size_t n_mark = np_byte_order_mark(text, n_bytes);
    json_error_t fault;
    json_t *json =
        json_loadb(text + n_mark, n_bytes - n_mark, jansson_flags | JSON_DECODE_ANY, &fault);

    if (!json) {
        NP_AUTO(np_freep) char *found = np_utf8_clean(fault.text);
        np_error_set(err, NP_ECONFIG, "'%s' line %d, column %d: expected JSON, found an error: %s",
                     label, fault.line > 0 ? fault.line : 1, fault.column > 0 ? fault.column : 1,
                     found);
        return NULL;
    }
    if (json_is_object(json))
        return json;
    NP_AUTO(np_freep) char *found = np_json_describe(json);
    json_decref(json);
    struct np_json_place place = np_json_locate(text + n_mark, NULL, 0);
    np_error_set(err, NP_ECONFIG, "'%s' line %d, column %d: expected a JSON object ({…}), found %s",
                 label, place.line, place.column, found);
    return NULL;
}

json_t *np_json_load(const char *path, const char *label, size_t most, struct np_error *err)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_error why = {0};
    struct stat status;

    /* A pipe of that name would block for ever. */
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        np_error_set(err, NP_ENOINPUT, "'%s': expected a plain file, found something else", label);
        return NULL;
    }
    if (np_file_read(path, most, &text, &why) < 0) {
        np_error_set(err, why.code, "%s", why.text);
        return NULL;
    }
    return np_json_parse(label, np_str_text(&text), text.length, 0, err);
}

static const char *skip_space(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

/* From the quote that opens a string to what follows the one that closes it. */
static const char *skip_string(const char *s)
{
    for (s++; *s && *s != '"'; s++)
        if (*s == '\\' && s[1])
            s++;
    return *s ? s + 1 : s;
}

/* From a value's first byte to what follows it. */
static const char *skip_value(const char *s)
{
    int depth = 0;

    do {
        if (*s == '"') {
            s = skip_string(s);
        } else if (*s == '{' || *s == '[') {
            depth++;
            s++;
        } else if (*s == '}' || *s == ']') {
            depth--;
            s++;
        } else if (depth > 0) {
            s += *s != '\0';
        } else {
            s += strcspn(s, ",]} \t\r\n");
        }
    } while (*s && depth > 0);
    return s;
}

/* The value of `key` in the object that begins at `s`, NULL when it is none or has none. */
static const char *find_member(const char *s, const char *key)
{
    size_t n_key = strlen(key);

    if (*s != '{')
        return NULL;
    for (s = skip_space(s + 1); *s == '"'; s = skip_space(s)) {
        const char *name = s + 1;
        s = skip_string(s);
        bool is_it = (size_t)(s - name) == n_key + 1 && memcmp(name, key, n_key) == 0;
        s = skip_space(s);
        s = skip_space(s + (*s == ':'));
        if (is_it)
            return s;
        s = skip_space(skip_value(s));
        if (*s == ',')
            s++;
    }
    return NULL;
}

struct np_json_place np_json_locate(const char *text, const char *const *key, size_t n_keys)
{
    struct np_json_place place = {1, 1};
    const char *at = skip_space(text + np_byte_order_mark(text, strnlen(text, 3)));

    for (size_t i = 0; i < n_keys; i++) {
        const char *value = find_member(at, key[i]);
        if (!value)
            break;
        at = value;
    }
    for (const char *s = text; s < at; s++) {
        place.line += *s == '\n';
        place.column = *s == '\n' ? 1 : place.column + 1;
    }
    return place;
}

char *np_json_describe(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return np_xstrdup("an object");
    case JSON_ARRAY:
        return np_xstrdup(json_array_size(value) ? "a list" : "an empty list");
    case JSON_STRING: {
        NP_AUTO(np_freep) char *clean = np_utf8_clean(json_string_value(value));
        np_utf8_cut(clean, 60);
        return np_xasprintf("the text '%s'", clean);
    }
    case JSON_INTEGER:
        return np_xasprintf("the number %lld", (long long)json_integer_value(value));
    case JSON_REAL:
        return np_xasprintf("the number %g", json_real_value(value));
    case JSON_TRUE:
        return np_xstrdup("true");
    case JSON_FALSE:
        return np_xstrdup("false");
    case JSON_NULL:
        return np_xstrdup("null");
    }
    return np_xstrdup("something else");
}
