#include "json/json.h"

#include <string.h>
#include <sys/stat.h>

#include "base/path.h"

void np_json_freep(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}

/* Where something stands; both count from 1, columns in characters. */
struct place {
    int line;
    int column;
};

/* The one form that places have in sentences; the caller frees. */
static char *place_text(const char *label, struct place place)
{
    NP_AUTO(np_freep) char *clean = np_utf8_clean(label);

    return np_xasprintf("'%s' line %d, column %d", clean, place.line, place.column);
}

static int not_json(const char *label, const json_error_t *why, struct np_error *err)
{
    /* jansson's own error code tells a full memory from a wrong text. */
    if (json_error_code(why) == json_error_out_of_memory)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory to read it", label);
    struct place place = {why->line > 0 ? why->line : 1, why->column > 0 ? why->column : 1};
    NP_AUTO(np_freep) char *where = place_text(label, place);
    NP_AUTO(np_freep) char *found = np_utf8_clean(why->text);
    return np_error_set(err, NP_ECONFIG, "%s: expected JSON, found an error: %s", where, found);
}

int np_json_parse(const struct np_json_source *source, size_t jansson_flags, json_t **object,
                  struct np_error *err)
{
    size_t n_mark = np_byte_order_mark(source->text, source->n_bytes);
    json_error_t why;
    NP_AUTO(np_json_freep)
    json_t *json = json_loadb(source->text + n_mark, source->n_bytes - n_mark,
                              jansson_flags | JSON_DECODE_ANY, &why);

    if (!json)
        return not_json(source->label, &why, err);
    if (!json_is_object(json))
        return np_json_wrong(source, NULL, 0, NULL, "a JSON object ({…})", json, err);
    *object = json;
    json = NULL;
    return 0;
}

int np_json_read(const char *path, const char *label, size_t most, json_t **object,
                 struct np_error *err)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_error why = {0};
    struct stat status;

    /* A pipe of that name would block for ever. */
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return np_error_set(err, NP_ENOINPUT, "'%s': expected a plain file, found something else",
                            label);
    if (np_file_read(path, most, &text, &why) < 0) {
        /* Too long is for images "a bad header"; here it is a bad file of settings. */
        int code = why.code == NP_EHEADER ? NP_ECONFIG : why.code;
        return np_error_set(err, code, "%s", why.text);
    }
    const struct np_json_source source = {label, np_str_text(&text), text.length};
    return np_json_parse(&source, 0, object, err);
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

/* Is this string, quotes included, the name `key`? It may be written with escapes. */
static bool name_is(const char *quoted, size_t n_quoted, const char *key)
{
    size_t n_key = strlen(key);

    if (n_quoted == n_key + 2 && memcmp(quoted + 1, key, n_key) == 0)
        return true;
    if (!memchr(quoted, '\\', n_quoted))
        return false;
    NP_AUTO(np_json_freep) json_t *name = json_loadb(quoted, n_quoted, JSON_DECODE_ANY, NULL);
    const char *text = json_string_value(name);
    return text && strcmp(text, key) == 0;
}

/* The value of `key` in the object that begins at `s`, NULL when it is none or has none. */
static const char *find_member(const char *s, const char *key)
{
    if (*s != '{')
        return NULL;
    for (s = skip_space(s + 1); *s == '"'; s = skip_space(s)) {
        const char *name = s;
        s = skip_string(s);
        bool is_it = name_is(name, (size_t)(s - name), key);
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

/* Where the value of text[key[0]][key[1]]… stands; the deepest that is found. */
static struct place locate(const char *text, const char *const *key, size_t n_keys)
{
    struct place place = {1, 1};
    const char *first = text + np_byte_order_mark(text, strnlen(text, 3));
    const char *at = skip_space(first);

    for (size_t i = 0; i < n_keys; i++) {
        const char *value = find_member(at, key[i]);
        if (!value)
            break;
        at = value;
    }
    for (const char *s = first; s < at; s++) {
        bool goes_on = (*s & 0xc0) == 0x80; /* inside a character of UTF-8 */
        place.line += *s == '\n';
        place.column = *s == '\n' ? 1 : place.column + !goes_on;
    }
    return place;
}

char *np_json_place(const struct np_json_source *source, const char *const *key, size_t n_keys)
{
    NP_AUTO(np_freep) char *text = np_xstrndup(source->text, source->n_bytes);

    return place_text(source->label, locate(text, key, n_keys));
}

int np_json_wrong(const struct np_json_source *source, const char *const *key, size_t n_keys,
                  const char *what, const char *expected, const json_t *found, struct np_error *err)
{
    NP_AUTO(np_freep) char *place = np_json_place(source, key, n_keys);
    NP_AUTO(np_freep) char *described = np_json_describe(found);

    return np_error_set(err, NP_ECONFIG, "%s: %s%sexpected %s, found %s", place, what ? what : "",
                        what ? ": " : "", expected, described);
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
