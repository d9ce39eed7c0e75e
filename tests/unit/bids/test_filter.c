#include <string.h>

#include "base/path.h"
#include "bids/filter.h"
#include "tap.h"

static int parse(const char *text, struct np_filter **filter, struct np_strings *warnings,
                 struct np_error *err)
{
    return np_filter_parse("f.json", text, strlen(text), filter, warnings, err);
}

/* Does the query `members` for "t1w" accept this T1w image? */
static bool accepts(const char *members, const char *file_name)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    NP_AUTO(np_filter_freep) struct np_filter *filter = NULL;
    NP_AUTO(np_freep) char *text = np_xasprintf("{\"t1w\": {%s}}", members);
    struct np_error err = {0};

    if (!np_bids_name_parse(file_name, &name) || parse(text, &filter, &warnings, &err) < 0) {
        tap_check(false, __FILE__, __LINE__, "%s: %s", members, err.text);
        return false;
    }
    return np_filter_accepts(filter, "T1w", "anat", &name);
}

TEST(queries_restrict_as_in_pybids)
{
    static const char plain[] = "sub-01_T1w.nii.gz";
    static const char full[] = "sub-01_ses-02_acq-mprage_run-03_T1w.nii";
    static const struct {
        const char *members, *name;
        bool is_accepted;
    } cases[] = {
        {"", plain, true},
        {"\"datatype\": \"anat\"", plain, true},
        {"\"datatype\": \"func\"", plain, false},
        {"\"suffix\": \"T1w\"", plain, true},
        {"\"suffix\": [\"T2w\", \"UNIT1\"]", plain, false},
        {"\"extension\": \".nii.gz\"", plain, true},
        {"\"extension\": \"nii.gz\"", plain, true},
        {"\"extension\": \".nii.gz\"", full, false},
        {"\"extension\": [\".nii\", \".nii.gz\"]", full, true},
        {"\"subject\": \"01\"", plain, true},
        {"\"subject\": \"sub-01\"", plain, true},
        {"\"subject\": \"1\"", plain, false}, /* a label, not an index */
        {"\"session\": \"02\"", full, true},
        {"\"session\": \"02\"", plain, false},
        {"\"ses\": \"ses-02\"", full, true},
        {"\"session\": 2", full, true}, /* but a number has no padding */
        {"\"session\": null", plain, true},
        {"\"session\": null", full, false},
        {"\"acquisition\": \"mprage\"", full, true},
        {"\"acq\": \"MPRAGE\"", full, false},
        {"\"acquisition\": \"mpr\"", full, false}, /* whole labels */
        {"\"acquisition\": \"Query.NONE\"", plain, true},
        {"\"acquisition\": \"Query.NONE\"", full, false},
        {"\"acquisition\": \"<Query.NONE: 1>\"", full, false},
        {"\"acquisition\": \"Query.ANY\"", plain, false},
        {"\"acquisition\": \"Query.REQUIRED\"", full, true},
        {"\"acquisition\": \"*\"", full, true},
        {"\"acquisition\": \"*\"", plain, false},
        {"\"acquisition\": \"Query.OPTIONAL\"", plain, true},
        {"\"run\": 3", full, true},
        {"\"run\": \"3\"", full, true},
        {"\"run\": \"003\"", full, true},
        {"\"run\": [1, 2]", full, false},
        {"\"run\": [1, 2, 3]", full, true},
        {"\"run\": [1, null]", plain, true},
        {"\"run\": 1", plain, false},
        {"\"run\": -3", full, false},
        {"\"reconstruction\": null, \"run\": 3", full, true},
        {"\"reconstruction\": \"x\", \"run\": 3", full, false}, /* all members must agree */
        {"\"ceagent\": null, \"inversion\": null, \"part\": null, \"echo\": null", full, true},
        {"\"EchoTime\": 0.03", plain, true}, /* no entity: tolerated */
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++)
        tap_check(accepts(cases[i].members, cases[i].name) == cases[i].is_accepted, __FILE__,
                  __LINE__, "{%s} %s %s", cases[i].members,
                  cases[i].is_accepted ? "accepts" : "refuses", cases[i].name);
}

TEST(a_query_concerns_its_own_kind_alone)
{
    NP_AUTO(np_bids_name_done) struct np_bids_name t1w = {0}, t2w = {0};
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    NP_AUTO(np_filter_freep) struct np_filter *filter = NULL;

    ok(np_bids_name_parse("sub-01_T1w.nii.gz", &t1w) && np_bids_name_parse("sub-01_T2w.nii", &t2w));
    ok_int(
        parse("{\"t1w\": {\"run\": 1}, \"bold\": {\"task\": \"rest\"}}", &filter, &warnings, NULL),
        0);
    ok(!np_filter_accepts(filter, "T1w", "anat", &t1w));
    ok(np_filter_accepts(filter, "T2w", "anat", &t2w));
    ok(np_filter_accepts(NULL, "T1w", "anat", &t1w));
    ok_int((int64_t)warnings.n, 0);
}

TEST(a_session_is_out_of_the_question_by_its_labels_alone)
{
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    NP_AUTO(np_filter_freep) struct np_filter *filter = NULL;

    ok_int(parse("{\"t1w\": {\"session\": [\"01\", null], \"run\": 9, \"suffix\": \"T1w\"}}",
                 &filter, &warnings, NULL),
           0);
    ok(np_filter_accepts_session(filter, "T1w", "x", "01"));
    ok(np_filter_accepts_session(filter, "T1w", "x", NULL));
    ok(!np_filter_accepts_session(filter, "T1w", "x", "02"));
    ok(np_filter_accepts_session(filter, "FLAIR", "x", "02"));
}

TEST(unknown_members_give_a_warning_and_restrict_nothing)
{
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    NP_AUTO(np_filter_freep) struct np_filter *filter = NULL;

    ok_int(parse("{\"T1W\": {\"acqusition\": \"x\"}, \"comment\": 1}", &filter, &warnings, NULL),
           0);
    ok_int((int64_t)warnings.n, 2);
    ok_contains(warnings.item[0], "'acqusition' is no entity");
    ok_contains(warnings.item[1], "query 'comment' is not known");
}

TEST(errors_are_refused_with_line_and_column)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "'f.json' line 1, column 1: expected JSON"},
        {"{\n  \"t1w\": {\"run\": 1,}\n}", "'f.json' line 2, column "},
        {"{\"t1w\": {\"run\": 1, \"run\": 2}}", "'f.json' line 1, column "},
        {"{\"t1w\": {}} x", "'f.json' line 1, column "},
        {"\n [1]", "'f.json' line 2, column 2: expected a JSON object ({…}), found a list"},
        {"\"t1w\"", "found the text 't1w'"},
        {"{\n  \"t2w\": {},\n  \"t1w\": []}",
         "'f.json' line 3, column 10: query 't1w': expected an object of entities, found an empty "
         "list"},
        {"{\"t2w\": {\"run\": {\"a\": [\"}\"]}, \"t1w\": 1},\n \"t1w\": {\"run\": 1}}",
         "'f.json' line 1, column 17: query 't2w', member 'run': expected a label, a whole number, "
         "null, or a list of these, found an object"},
        {"{\"x\\\"\": \"{\", \"t1w\":\n\t{\"session\": \"01\",\n\"acquisition\":  true}}",
         "'f.json' line 3, column 17: query 't1w', member 'acquisition': "},
        {"{\"t1w\": {\"run\": 1.5}}", "found the number 1.5"},
        {"{\"t1w\": {\"run\": 1},\n \"T1w\": {\"run\": 2}}",
         "expected one query for each kind of image, found 'T1w' and 't1w', which mean the same"},
        {"{\"dwi\": {},\n \"DWI\": {}}", "found 'DWI' and 'dwi', which mean the same"},
        {"{\"t1w\": {\"run\": []}}", "found an empty list"},
        {"{\"t1w\": {\"run\": [1, [2]]}}", "found a list"},
        {"{\"t1w\": {\"acquisition\": \"Query.SOME\"}}", "found the text 'Query.SOME'"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_strings_done) struct np_strings warnings = {0};
        NP_AUTO(np_filter_freep) struct np_filter *filter = NULL;
        struct np_error err = {0};
        ok_int(parse(cases[i].text, &filter, &warnings, &err), NP_ECONFIG);
        ok(filter == NULL);
        ok_contains(err.text, cases[i].sentence);
    }
}

TEST(a_file_over_1_mib_is_refused)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/big.json", tap_directory());
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    NP_AUTO(np_filter_freep) struct np_filter *filter = NULL;
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_error err = {0};

    while (text.length <= NP_FILTER_MOST_BYTES)
        np_str_add(&text, "                                                                ");
    np_str_add(&text, "{}");
    ok_int(np_file_write_atomic(path, text.text, text.length, NULL), 0);
    ok_int(np_filter_read(path, &filter, &warnings, &err), NP_ECONFIG);
    ok_contains(err.text, "big.json': expected at most 1048576 bytes");
    ok_int(np_filter_read(tap_directory(), &filter, &warnings, &(struct np_error){0}), NP_ECONFIG);
}

TAP_MAIN
