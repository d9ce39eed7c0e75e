#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tap.h"

TEST(a_string_grows_and_is_given_away)
{
    struct np_str str = {0};

    ok_str(np_str_text(&str), "");
    for (int i = 0; i < 1000; i++)
        np_str_addf(&str, "%d,", i % 10);
    ok_int((int64_t)str.length, 2000);
    char *text = np_str_take(&str);
    ok_int((int64_t)strlen(text), 2000);
    ok(str.text == NULL);
    free(text);
}

TEST(json_strings_are_escaped_and_valid_for_any_bytes)
{
    struct np_str str = {0};

    np_str_add_json(&str, "a\"b\\c\n\xff\xc3\xa9");
    ok_str(str.text, "\"a\\\"b\\\\c\\u000a\xef\xbf\xbd\xc3\xa9\"");
    np_str_clear(&str);
    np_str_add_json(&str, NULL);
    ok_str(str.text, "null");
    np_str_done(&str);
}

TEST(cleaned_text_is_valid_utf8)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"tab\tand\nline", "tab and line"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
        {"\xf0\x9f\xa7\xa0", "\xf0\x9f\xa7\xa0"},
        {"\xf5\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        char *clean = np_utf8_clean(cases[i].in);
        ok_str(clean, cases[i].out);
        free(clean);
    }
}

TEST(cleaned_text_moves_no_cursor)
{
    NP_AUTO(np_freep)
    char *clean = np_utf8_clean("a\x1b[2J\t\r\n\x7f\xc2\x9b[m\xc2\x85\xc2\xa0\xc3\xa9");

    ok_str(
        clean,
        "a [2J     [m \xc2\xa0\xc3\xa9"); /* C0, DEL and C1 are spaces; U+00A0 is a letter here */
}

TEST(a_cut_never_splits_a_character)
{
    for (size_t most = 0; most <= 8; most++) {
        char text[] = "a\xc3\xa9\xe2\x82\xac"
                      "b";
        np_utf8_cut(text, most);
        char *clean = np_utf8_clean(text);
        ok_str(clean, text);
        ok(strlen(text) <= most);
        free(clean);
    }
}

TEST(percent_escapes_are_decoded_and_broken_ones_refused)
{
    static const char *const broken[] = {"%", "a%2", "%2", "%g0", "%0g", "%00", "x%%41"};
    NP_AUTO(np_str_done) struct np_str str = {0};

    ok(np_str_add_percent_decoded(&str, "a%2C%c3%A9+%25", 14));
    ok_str(np_str_text(&str), "a,\xc3\xa9+%");
    ok(np_str_add_percent_decoded(&str, "%41", 0));
    ok(!np_str_add_percent_decoded(&str, "%41", 2)); /* what stands behind is not looked at */
    for (size_t i = 0; i < NP_COUNT(broken); i++)
        ok(!np_str_add_percent_decoded(&str, broken[i], strlen(broken[i])));
}

TEST(near_words_have_small_distances)
{
    ok_int((int64_t)np_edit_distance("participant", "participant"), 0);
    ok_int((int64_t)np_edit_distance("particpant", "participant"), 1);
    ok_int((int64_t)np_edit_distance("paritcipant", "participant"), 1); /* a swap */
    ok_int((int64_t)np_edit_distance("", "abc"), 3);
}

TEST(a_list_is_joined_up_to_a_number)
{
    struct np_strings list = {0};

    np_strings_add(&list, "b");
    np_strings_add(&list, "a");
    np_strings_add(&list, "c");
    np_strings_sort(&list);
    char *all = np_strings_join(&list, ", ", 5);
    char *two = np_strings_join(&list, ", ", 2);
    ok_str(all, "a, b, c");
    ok_str(two, "a, b, … (1 more)");
    ok(np_strings_have(&list, "c"));
    ok(!np_strings_have(&list, "d"));
    free(all);
    free(two);
    np_strings_done(&list);
}

TEST(counts_are_joined_by_commas_and_zeros_are_left_out)
{
    NP_AUTO(np_str_done) struct np_str line = {0};

    np_str_add_count(&line, 0, "complete");
    ok_str(np_str_text(&line), "");
    np_str_add_count(&line, 2, "failed");
    np_str_add_count(&line, 0, "interrupted");
    np_str_add_count(&line, 1, "not started");
    ok_str(np_str_text(&line), "2 failed, 1 not started");
}

TEST(one_is_singular_and_zero_is_plural)
{
    ok_str(np_plural(1), "");
    ok_str(np_plural(0), "s");
    ok_str(np_plural(2), "s");
}

TAP_MAIN
