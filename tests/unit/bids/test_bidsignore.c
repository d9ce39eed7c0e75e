#include <string.h>

#include "base/clock.h"
#include "bids/bidsignore.h"
#include "tap.h"

static bool is_ignored(const char *rules, const char *path)
{
    size_t n = strlen(path);
    bool is_folder = path[n - 1] == '/';
    NP_AUTO(np_freep) char *bare = np_xstrndup(path, n - is_folder);
    NP_AUTO(np_ignore_done) struct np_ignore ignore = {0};

    np_ignore_parse(rules, strlen(rules), &ignore, NULL);
    return np_ignore_matches(&ignore, bare, is_folder ? NP_PATH_FOLDER : NP_PATH_FILE);
}

/* As for the BIDS validator, unlike git. */
TEST(case_does_not_matter)
{
    static const struct {
        const char *rules, *path;
        bool is_ignored;
    } cases[] = {
        {"SUB-02/", "sub-02/", true},
        {"sub-02/", "SUB-02/anat/x", true},
        {"*_t1W.nii.gz", "sub-01/anat/sub-01_T1w.nii.gz", true},
        {"a[BC]d", "acD", true},
        {"a[!BC]d", "abd", false},
        {"a[!bc]d", "aBd", false},
        {"sub-[A-C]*", "sub-b1", true},
        {"sub-[a-c]*", "sub-D1", false},
        {"a[[:upper:]]b", "acb", true},
        {"*\n!KEEP", "keep", false},
        {"a_b",
         "a\x7f"
         "b",
         false}, /* '_' lies between 'Z' and 'a' */
        {"[Z-a]x", "_x", true},
        {"\xc3\x84", "\xc3\xa4", false}, /* letters beyond ASCII are bytes */
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++)
        tap_check(is_ignored(cases[i].rules, cases[i].path) == cases[i].is_ignored, __FILE__,
                  __LINE__, "'%s' and '%s'", cases[i].rules, cases[i].path);
}

/* A path that ends in '/' is a folder. Apart from case the truths are those of `git check-ignore`. */
TEST(patterns_match_the_same_paths_as_in_git)
{
    static const struct {
        const char *rules, *path;
        bool is_ignored;
    } cases[] = {
        {"", "a", false},
        {"# a\n\n", "# a", false},
        {"\\#a", "#a", true},
        {"a", "a", true},
        {"a", "b/a", true},
        {"a", "ab", false},
        {"a\r\n", "a", true},
        {"a  ", "a", true},
        {"a\\ ", "a ", true},
        {"a", "a/b/c", true}, /* below an ignored folder */
        {"/a", "a", true},
        {"/a", "b/a", false},
        {"a/b", "a/b", true},
        {"a/b", "c/a/b", false}, /* a slash in the middle ties to the root */
        {"a/", "a", false},      /* folders alone */
        {"a/", "a/", true},
        {"a/", "b/a/c", true},
        {"*_T1w.nii.gz", "sub-01/anat/sub-01_T1w.nii.gz", true},
        {"*_T1w.nii.gz", "sub-01/anat/sub-01_T1w.nii", false},
        {"sub-*/anat", "sub-01/anat/x", true},
        {"sub-*/anat", "sub-01/ses-1/anat/x", false}, /* '*' stops at slashes */
        {"*", "a/b", true},
        {"a?c", "abc", true},
        {"a?c", "a/c", false},
        {"a??", "ab", false},
        {"**/anat", "anat", true},
        {"**/anat", "sub-01/ses-1/anat/x", true},
        {"**/anat/x", "sub-01/anat/x", true},
        {"**/nat", "anat", false}, /* whole folders only */
        {"a/**/b", "a/b", true},
        {"a/**/b", "a/x/y/b", true},
        {"a/**/b", "a/xb", false},
        {"a/**/b", "ab", false},
        {"a/**", "a/x/y", true},
        {"a/**", "a/", false}, /* what is inside, not itself */
        {"a**b", "axxb", true},
        {"/a**b", "ax/xb", false},
        {"**", "a/b", true},
        {"a[bc]d", "acd", true},
        {"a[bc]d", "aed", false},
        {"a[!bc]d", "aed", true},
        {"a[^bc]d", "abd", false},
        {"sub-0[1-3]", "sub-02/x", true},
        {"sub-0[1-3]", "sub-04/x", false},
        {"a[]]b", "a]b", true},
        {"a[!]]b", "a]b", false},
        {"a[-x]b", "a-b", true},
        {"a[x-]b", "a-b", true},
        {"a[[:digit:]x]b", "a7b", true},
        {"a[[:digit:]x]b", "axb", true},
        {"a[[:digit:]x]b", "ayb", false},
        {"a[!x]b", "a/b", false}, /* a class never takes a slash */
        {"a[\\]]b", "a]b", true},
        {"a[b", "a[b", false}, /* no end: matches nothing */
        {"a\\", "a\\", false},
        {"a\\*", "a*", true},
        {"a\\*", "ab", false},
        {"*.nii\n!b.nii", "a.nii", true},
        {"*.nii\n!b.nii", "b.nii", false},
        {"!b.nii\n*.nii", "b.nii", true}, /* the last one decides */
        {"a/\n!a/b", "a/b", true},        /* not out of an ignored folder */
        {"a/*\n!a/b", "a/b", false},      /* but out of one whose content is ignored */
        {"\\!a", "!a", true},
        {"/", "a", false},
        {"\xef\xbb\xbf"
         "a",
         "a", true}, /* a byte order mark */
        {"*desc-iqm*", "sub-01/anat/sub-01_desc-iqm_T1w.json", true},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++)
        tap_check(is_ignored(cases[i].rules, cases[i].path) == cases[i].is_ignored, __FILE__,
                  __LINE__, "'%s' %s '%s'", cases[i].rules,
                  cases[i].is_ignored ? "ignores" : "leaves", cases[i].path);
}

TEST(no_rules_ignore_nothing)
{
    const struct np_ignore none = {0};

    ok(!np_ignore_matches(&none, "a/b", NP_PATH_FILE));
}

/* Backtracking would take longer than the universe is old. */
TEST(a_hostile_pattern_costs_its_length_times_the_paths)
{
    char pattern[257], path[1025];
    int64_t start_ns = np_clock_mono_ns();

    for (size_t i = 0; i < 256; i++)
        pattern[i] = "*a"[i % 2];
    pattern[256] = '\0';
    memset(path, 'a', 1024);
    path[1023] = 'b';
    path[1024] = '\0';
    ok(!is_ignored(pattern, path));
    ok_below((double)(np_clock_mono_ns() - start_ns) * 1e-6, 1000.0, "time, ms");
}

TEST(lines_that_are_too_long_or_unfinished_are_left_out)
{
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    NP_AUTO(np_ignore_done) struct np_ignore ignore = {0};
    NP_AUTO(np_str_done) struct np_str rules = {0};

    np_str_add(&rules, "good\n");
    for (size_t i = 0; i < NP_IGNORE_LONGEST_LINE + 1; i++)
        np_str_add_char(&rules, 'x');
    np_str_add(&rules, "\nopen[\nfine");
    np_ignore_parse(np_str_text(&rules), rules.length, &ignore, &warnings);
    ok_int((int64_t)ignore.n_rules, 2);
    ok(np_ignore_matches(&ignore, "fine", NP_PATH_FILE));
    ok_int((int64_t)warnings.n, 2);
    ok_contains(warnings.item[0], "line 2");
    ok_contains(warnings.item[1], "line 3");
}

TEST(the_longest_line_fits_with_any_content)
{
    NP_AUTO(np_str_done) struct np_str rules = {0};

    for (size_t i = 0; i + 3 <= NP_IGNORE_LONGEST_LINE; i += 3)
        np_str_add(&rules, "**/");
    np_str_add(&rules, "x");
    ok(is_ignored(np_str_text(&rules), "a/b/x"));
    ok(!is_ignored(np_str_text(&rules), "a/b/y"));
}

TEST(there_are_at_most_4096_rules)
{
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    NP_AUTO(np_ignore_done) struct np_ignore ignore = {0};
    NP_AUTO(np_str_done) struct np_str rules = {0};

    for (size_t i = 0; i < NP_IGNORE_MOST_RULES + 10; i++)
        np_str_add(&rules, "x\n");
    np_ignore_parse(np_str_text(&rules), rules.length, &ignore, &warnings);
    ok_int((int64_t)ignore.n_rules, NP_IGNORE_MOST_RULES);
    ok_int((int64_t)warnings.n, 1);
}

TAP_MAIN
