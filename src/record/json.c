#include "record/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static const int64_t NS_PER_S = 1000000000;

/* Bytes outside UTF-8 stand as U+DC80…U+DCFF would in Python; JSON forbids those, so U+F780…U+F7FF
 * (private use). */
static char *escape_bytes(const char *text)
{
    struct np_str out = {0};

    while (*text) {
        size_t n = np_utf8_sequence(text);
        if (n) {
            np_str_add_bytes(&out, text, n);
            text += n;
        } else {
            unsigned point = 0xf700u + (unsigned char)*text++;
            const char bytes[3] = {(char)(0xe0 | point >> 12), (char)(0x80 | (point >> 6 & 0x3f)),
                                   (char)(0x80 | (point & 0x3f))};
            np_str_add_bytes(&out, bytes, sizeof(bytes));
        }
    }
    return np_str_take(&out);
}

static char *unescape_bytes(const char *text)
{
    struct np_str out = {0};

    for (; *text; text++) {
        const unsigned char *s = (const unsigned char *)text;
        if (s[0] == 0xef && (s[1] == 0x9e || s[1] == 0x9f) && s[2] >= 0x80) {
            np_str_add_char(&out, (char)((s[1] & 0x3f) << 6 | (s[2] & 0x3f)));
            text += 2;
        } else {
            np_str_add_char(&out, *text);
        }
    }
    return np_str_take(&out);
}

void np_json_text(json_t *object, const char *key, const char *text)
{
    if (!text) {
        json_object_set_new(object, key, json_null());
        return;
    }
    NP_AUTO(np_freep) char *valid = escape_bytes(text);
    json_object_set_new(object, key, json_string(valid));
}

void np_json_time(json_t *object, const char *key, int64_t unix_ns)
{
    if (unix_ns == 0) {
        json_object_set_new(object, key, json_null());
        return;
    }
    char text[64];
    time_t seconds = (time_t)(unix_ns / NS_PER_S);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, sizeof(text) - used, ".%09lldZ", (long long)(unix_ns % NS_PER_S));
    json_object_set_new(object, key, json_string(text));
}

json_t *np_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *np_json_strings(const struct np_strings *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->n; i++) {
        NP_AUTO(np_freep) char *valid = escape_bytes(list->item[i]);
        json_array_append_new(array, json_string(valid));
    }
    return array;
}

static char *take(json_t *json, size_t layout)
{
    NP_AUTO(np_freep) char *text = json_dumps(json, layout | JSON_REAL_PRECISION(12));

    json_decref(json);
    return np_xasprintf("%s\n", text ? text : "null");
}

char *np_json_take_text(json_t *json)
{
    return take(json, JSON_INDENT(2));
}

char *np_json_take_line(json_t *json)
{
    return take(json, JSON_COMPACT);
}

char *np_json_get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? unescape_bytes(text) : NULL;
}

int64_t np_json_get_integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

double np_json_get_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

int64_t np_json_get_time(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    struct tm utc = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;

    if (!rest)
        return 0;
    int64_t fraction_ns = 0, scale = NS_PER_S;
    if (*rest == '.')
        for (rest++; *rest >= '0' && *rest <= '9' && scale > 1; rest++) {
            scale /= 10;
            fraction_ns += (*rest - '0') * scale;
        }
    int64_t unix_ns;
    if (__builtin_mul_overflow((int64_t)timegm(&utc), NS_PER_S, &unix_ns) ||
        __builtin_add_overflow(unix_ns, fraction_ns, &unix_ns))
        return 0;
    return unix_ns > 0 ? unix_ns : 0;
}

void np_json_get_hex(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));

    bool fits =
        text && strlen(text) < size && text[strspn(text, "0123456789abcdefABCDEF-")] == '\0';
    snprintf(out, size, "%s", fits ? text : "");
}

void np_json_get_strings(const json_t *array, struct np_strings *list)
{
    size_t i;
    json_t *value;

    json_array_foreach(array, i, value) if (json_is_string(value))
        np_strings_give(list, unescape_bytes(json_string_value(value)));
}

bool np_json_file_ends(const char *path)
{
    char end[3] = "";
    FILE *file = fopen(path, "rb");

    if (!file)
        return false;
    bool found = fseek(file, -2, SEEK_END) == 0 && fread(end, 1, 2, file) == 2;
    fclose(file);
    return found && strcmp(end, "}\n") == 0;
}
