/* Objects from text and files, and where in them something stands. */
#include "json/json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "tap.h"

static struct np_json_source source_of(const char *text)
{
    return (struct np_json_source){"f.json", text, strlen(text)};
}

static int parse(const char *text, size_t flags, json_t **object, struct np_error *err)
{
    const struct np_json_source source = source_of(text);

    return np_json_parse(&source, flags, object, err);
}

TEST(an_object_is_read_with_and_without_a_byte_order_mark)
{
    static const char *const texts[] = {"{\"a\": 7}", "\xef\xbb\xbf\n {\"a\": 7}\n"};

    for (size_t i = 0; i < NP_COUNT(texts); i++) {
        NP_AUTO(np_json_freep) json_t *object = NULL;
        ok_int(parse(texts[i], 0, &object, NULL), 0);
        ok_int(json_integer_value(json_object_get(object, "a")), 7);
    }
}

TEST(what_is_no_object_is_refused_with_file_line_and_column)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "'f.json' line 1, column 1: expected JSON, found an error: "},
        {"{\n  \"a\": 1,\n}", "'f.json' line 3, column 1: expected JSON, found an error: "},
        {"{\"a\": 1} x", "'f.json' line 1, column 10: expected JSON"},
        {"\n [1]", "'f.json' line 2, column 2: expected a JSON object ({…}), found a list"},
        {"\xef\xbb\xbf[]",
         "'f.json' line 1, column 1: expected a JSON object ({…}), found an empty"},
        {"\"x\"", "found the text 'x'"},
        {"12", "found the number 12"},
        {"0.5", "found the number 0.5"},
        {"true", "found true"},
        {"null", "found null"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        json_t *object = NULL;
        struct np_error err = {0};
        ok_int(parse(cases[i].text, 0, &object, &err), NP_ECONFIG);
        ok(object == NULL);
        ok_contains(err.text, cases[i].says);
    }
}

TEST(the_same_member_twice_is_an_error_where_it_is_asked_for)
{
    static const char text[] = "{\"a\": 1, \"a\": 2}";
    NP_AUTO(np_json_freep) json_t *object = NULL;
    struct np_error err = {0};

    ok_int(parse(text, JSON_REJECT_DUPLICATES, &object, &err), NP_ECONFIG);
    ok_contains(err.text, "'f.json' line 1, column ");
    ok_contains(err.text, "duplicate");
    ok_int(parse(text, 0, &object, NULL), 0);
    ok_int(json_integer_value(json_object_get(object, "a")), 2);
}

TEST(a_value_is_found_by_its_keys_the_deepest_that_is_there)
{
    static const char text[] = "{\n \"x\": [\"{\", {\"b\": 1}, \"\\\"}\"],\n"
                               " \"a\": {\"\": 1, \"b\" :\n   2, \"\\u0063\": 3},\n"
                               " \"é\": \"ü\", \"z\": 4}";
    static const struct {
        const char *key[3];
        size_t n_keys;
        const char *place;
    } cases[] = {
        {{NULL}, 0, "'f.json' line 1, column 1"},
        {{"x"}, 1, "'f.json' line 2, column 7"},
        {{"a"}, 1, "'f.json' line 3, column 7"},
        {{"a", "b"}, 2, "'f.json' line 4, column 4"},
        {{"a", "c"}, 2, "'f.json' line 4, column 17"}, /* written with an escape */
        {{"a", "nothing"}, 2, "'f.json' line 3, column 7"},
        {{"a", "b", "c"}, 3, "'f.json' line 4, column 4"},
        {{"z"}, 1, "'f.json' line 5, column 17"}, /* characters, not bytes */
        {{"b"}, 1, "'f.json' line 1, column 1"},
    };
    const struct np_json_source source = source_of(text);

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *place = np_json_place(&source, cases[i].key, cases[i].n_keys);
        ok_str(place, cases[i].place);
    }
}

TEST(a_text_need_not_be_terminated)
{
    NP_AUTO(np_freep) char *text = np_xstrndup("{\"a\": 1}", 8);
    const char *const key = "a";

    text[8] = '!'; /* where the terminator was: beyond the text */
    const struct np_json_source source = {"f.json", text, 8};
    NP_AUTO(np_json_freep) json_t *object = NULL;
    ok_int(np_json_parse(&source, 0, &object, NULL), 0);
    NP_AUTO(np_freep) char *place = np_json_place(&source, &key, 1);
    ok_str(place, "'f.json' line 1, column 7");
}

TEST(a_wrong_value_is_reported_with_place_subject_expectation_and_find)
{
    const struct np_json_source source = source_of("{\"q\":\n{\"run\": true}}");
    const char *const keys[] = {"q", "run"};
    struct np_error err = {0}, bare = {0};

    ok_int(np_json_wrong(&source, keys, 2, "query 'q'", "a number", json_true(), &err), NP_ECONFIG);
    ok_str(err.text, "'f.json' line 2, column 9: query 'q': expected a number, found true");
    ok_int(np_json_wrong(&source, keys, 1, NULL, "a list", json_null(), &bare), NP_ECONFIG);
    ok_str(bare.text, "'f.json' line 2, column 1: expected a list, found null");
}

TEST(a_file_is_read_up_to_its_limit_and_only_when_it_is_plain)
{
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), "a.json");
    NP_AUTO(np_freep) char *pipe_path = np_path_join(tap_directory(), "pipe.json");
    NP_AUTO(np_freep) char *none = np_path_join(tap_directory(), "none.json");
    NP_AUTO(np_json_freep) json_t *object = NULL;
    struct np_error err = {0}, fifo = {0};

    ok_int(np_file_write_atomic(path, "{\"a\": 1}", 8, NULL), 0);
    ok(mkfifo(pipe_path, 0600) == 0);
    ok_int(np_json_read(path, "label", 7, &object, &err), NP_ECONFIG);
    ok_contains(err.text, "expected at most 7 bytes");
    ok_int(np_json_read(pipe_path, "label", 100, &object, &fifo), NP_ENOINPUT);
    ok_str(fifo.text, "'label': expected a plain file, found something else");
    ok_int(np_json_read(none, "label", 100, &object, NULL), NP_ENOINPUT);
    ok(object == NULL);
    ok_int(np_json_read(path, "label", 8, &object, NULL), 0);
    ok_int(json_integer_value(json_object_get(object, "a")), 1);
}

TAP_MAIN
