/* The memory of an output folder, and the use that a run may make of it. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "record/folder.h"
#include "tap.h"

static const char ZSCORE[] = "{\"normalize\":\"zscore\"}";
static const char PERCENTILE[] = "{\"normalize\":\"percentile\"}";
static const char NONE[] = "{\"normalize\":\"none\"}";

static struct np_making making_of(const char *options, const char *method)
{
    struct np_making making = {.options = np_xstrdup(options)};

    np_making_add_method(&making, "T1w", method);
    return making;
}

/* A folder of these configurations, all with the method "strip:1"; NULL ends the list. */
static void make_folder(struct np_folder *folder, const char *const *options)
{
    *folder = (struct np_folder){.origin = NP_FOLDER_REMEMBERED};
    for (; *options; options++) {
        NP_AUTO(np_making_done) struct np_making making = making_of(*options, "strip:1");
        np_folder_apply(folder, NP_FOLDER_MIXES, &making);
    }
}

TEST(the_decision_as_a_table)
{
    static const struct {
        const char *folder[3], *ours, *method;
        bool redoes_outdated, allows_mixed;
        enum np_folder_verdict verdict;
        size_t n_after;
    } rows[] = {
        {{NULL}, ZSCORE, "strip:1", false, false, NP_FOLDER_FOUNDS, 1},
        {{NULL}, ZSCORE, "strip:1", true, false, NP_FOLDER_FOUNDS, 1},
        {{NULL}, ZSCORE, "strip:1", false, true, NP_FOLDER_FOUNDS, 1},
        {{ZSCORE}, ZSCORE, "strip:1", false, false, NP_FOLDER_AGREES, 1},
        {{ZSCORE}, ZSCORE, "strip:1", true, false, NP_FOLDER_AGREES, 1},
        {{ZSCORE}, ZSCORE, "strip:1", false, true, NP_FOLDER_AGREES, 1},
        {{ZSCORE}, PERCENTILE, "strip:1", false, false, NP_FOLDER_REFUSES, 1},
        {{ZSCORE}, ZSCORE, "strip:2", false, false, NP_FOLDER_REFUSES, 1},
        {{ZSCORE}, ZSCORE, "strip:1 tissue:1", false, false, NP_FOLDER_AGREES, 1},
        {{ZSCORE}, ZSCORE, "strip:1 tissue:1", true, false, NP_FOLDER_AGREES, 1},
        {{ZSCORE}, ZSCORE, "strip:2 tissue:1", false, false, NP_FOLDER_REFUSES, 1},
        {{ZSCORE}, PERCENTILE, "strip:1", true, false, NP_FOLDER_CHANGES, 1},
        {{ZSCORE}, ZSCORE, "strip:2", true, false, NP_FOLDER_CHANGES, 1},
        {{ZSCORE}, PERCENTILE, "strip:1", false, true, NP_FOLDER_MIXES, 2},
        {{ZSCORE, PERCENTILE}, PERCENTILE, "strip:1", false, false, NP_FOLDER_AGREES, 2},
        {{ZSCORE, PERCENTILE}, NONE, "strip:1", false, false, NP_FOLDER_REFUSES, 2},
        {{ZSCORE, PERCENTILE}, NONE, "strip:1", false, true, NP_FOLDER_MIXES, 3},
        {{ZSCORE, PERCENTILE}, ZSCORE, "strip:1", true, false, NP_FOLDER_CHANGES, 1},
        {{ZSCORE, PERCENTILE}, NONE, "strip:1", true, true, NP_FOLDER_CHANGES, 1},
    };

    for (size_t i = 0; i < NP_COUNT(rows); i++) {
        NP_AUTO(np_folder_done) struct np_folder folder;
        NP_AUTO(np_making_done)
        struct np_making ours = making_of(rows[i].ours, rows[i].method);
        make_folder(&folder, rows[i].folder);
        enum np_folder_verdict verdict =
            np_folder_judge(&folder, &ours, rows[i].redoes_outdated, rows[i].allows_mixed);
        ok_int(verdict, rows[i].verdict);
        np_folder_apply(&folder, verdict, &ours);
        ok_int((int64_t)folder.n_makings, (int64_t)rows[i].n_after);
    }
}

TEST(what_a_newer_version_adds_is_remembered_and_earlier_results_still_belong_to_the_folder)
{
    static const char *const one[] = {ZSCORE, NULL};
    NP_AUTO(np_folder_done) struct np_folder folder;
    NP_AUTO(np_making_done) struct np_making ours = making_of(ZSCORE, "strip:1 tissue:1");
    NP_AUTO(np_making_done) struct np_making earlier = making_of(ZSCORE, "strip:1");

    make_folder(&folder, one);
    ok(np_folder_lacks(&folder, &ours));
    np_folder_apply(&folder, NP_FOLDER_AGREES, &ours);
    ok(!np_folder_lacks(&folder, &ours));
    ok_str(folder.making[0].method[0].text, "strip:1 tissue:1");
    ok(np_folder_accepts(&folder, ZSCORE, "T1w", "strip:1"));
    ok(!np_folder_accepts(&folder, ZSCORE, "T1w", "strip:2"));
    ok(!np_folder_accepts(&folder, ZSCORE, "T1w", "strip:1 tissue:2"));
    np_folder_apply(&folder, NP_FOLDER_AGREES, &earlier);
    ok_str(folder.making[0].method[0].text, "strip:1 tissue:1");
}

TEST(a_modality_that_the_folder_has_not_seen_is_no_difference)
{
    NP_AUTO(np_making_done) struct np_making one = making_of(ZSCORE, "strip:1");
    NP_AUTO(np_making_done) struct np_making other = making_of(ZSCORE, "strip:1");

    np_making_add_method(&other, "T2w", "strip:2");
    ok(np_making_same(&one, &other));
    np_making_add_method(&one, "T2w", "strip:1");
    ok(!np_making_same(&one, &other));
}

TEST(a_difference_of_methods_names_the_stages)
{
    NP_AUTO(np_making_done) struct np_making there = making_of(ZSCORE, "load:1 strip:1 norm:10");
    NP_AUTO(np_making_done) struct np_making here = making_of(ZSCORE, "load:1 strip:2 norm:10");
    NP_AUTO(np_making_done) struct np_making one = making_of(ZSCORE, "norm:1");
    NP_AUTO(np_freep) char *difference = np_making_difference(&there, &here);
    NP_AUTO(np_freep) char *whole_words = np_making_difference(&one, &there);

    ok_str(difference, "method of T1w: strip:1 there, strip:2 here");
    ok_str(whole_words, "method of T1w: norm:1 there, load:1 strip:1 norm:10 here");
}

static void learn(struct np_folder *folder, const char *options, const char *method,
                  enum np_state state, int64_t start_ns)
{
    NP_AUTO(np_record_done) struct np_session_record record;

    np_record_init(&record);
    record.config = np_xstrdup(options);
    record.start_ns = start_ns;
    record.file = np_xcalloc(1, sizeof(*record.file));
    record.n_files = 1;
    record.file[0].state = state;
    record.file[0].modality = np_xstrdup("T1w");
    record.file[0].method = np_xstrdup(method);
    np_folder_learn(folder, &record);
}

TEST(records_give_the_configuration_that_most_sessions_have_of_equals_the_earliest)
{
    NP_AUTO(np_folder_done) struct np_folder folder = {0};
    NP_AUTO(np_folder_done) struct np_folder equal = {0};

    learn(&folder, ZSCORE, "strip:1", NP_STATE_SUCCESS, 1);
    learn(&folder, NONE, "strip:1", NP_STATE_FAILED, 1);
    learn(&folder, PERCENTILE, "strip:1", NP_STATE_SUCCESS, 2);
    learn(&folder, PERCENTILE, "strip:1", NP_STATE_SUCCESS, 3);
    np_folder_settle(&folder, tap_directory());
    ok_int(folder.origin, NP_FOLDER_FROM_RECORDS);
    ok_int((int64_t)folder.n_makings, 2);
    ok_str(folder.making[0].options, PERCENTILE);
    learn(&equal, ZSCORE, "strip:1", NP_STATE_SUCCESS, 2);
    learn(&equal, ZSCORE, "strip:2", NP_STATE_SUCCESS, 1);
    np_folder_settle(&equal, tap_directory());
    ok_str(equal.making[0].method[0].text, "strip:2");
}

TEST(records_without_results_give_nothing)
{
    NP_AUTO(np_folder_done) struct np_folder folder = {0};

    learn(&folder, ZSCORE, "strip:1", NP_STATE_FAILED, 1);
    np_folder_settle(&folder, tap_directory());
    ok_int(folder.origin, NP_FOLDER_NEW);
}

TEST(what_was_written_is_remembered_and_the_first_to_write_decides)
{
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "out");
    NP_AUTO(np_folder_done) struct np_folder first, second, found, missing;
    const char *const one[] = {ZSCORE, PERCENTILE, NULL}, *const other[] = {NONE, NULL};

    make_folder(&first, one);
    make_folder(&second, other);
    first.has_source = true;
    first.source_name = np_xstrdup("Köpfe \"A\"");
    ok_int(np_folder_recall(output, &missing, NULL), 1);
    ok_int(np_folder_write_first(output, &first, NULL), 0);
    ok_int(np_folder_write_first(output, &second, NULL), 1);
    ok_int(np_folder_recall(output, &found, NULL), 0);
    ok_int((int64_t)found.n_makings, 2);
    ok_str(found.making[1].options, PERCENTILE);
    ok_str(found.making[1].method[0].text, "strip:1");
    ok_str(found.source_name, "Köpfe \"A\"");
    ok(found.source_doi == NULL);
    np_folder_done(&found);
    ok_int(np_folder_replace(output, &second, NULL), 0);
    ok_int(np_folder_recall(output, &found, NULL), 0);
    ok_str(found.making[0].options, NONE);
    ok(!found.has_source);
}

TEST(a_damaged_memory_is_an_error_that_says_what_to_do)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "{\"schema\": 2, \"configurations\": []}",
                                        "{\"schema\": 1, \"configurations\": []}",
                                        "{\"schema\": 1, \"configurations\": [3]}"};
    NP_AUTO(np_freep) char *logs = np_path_join(tap_directory(), "damaged/logs");
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "damaged");
    NP_AUTO(np_freep) char *path = np_path_join(logs, "folder.json");

    ok_int(np_directory_make(logs, NULL), 0);
    for (size_t i = 0; i < NP_COUNT(texts); i++) {
        NP_AUTO(np_folder_done) struct np_folder folder;
        struct np_error err = {0};
        ok_int(np_file_write_atomic(path, texts[i], strlen(texts[i]), NULL), 0);
        ok_int(np_folder_recall(output, &folder, &err), NP_ECONFIG);
        ok_contains(err.text, "remove it");
        ok_int((int64_t)folder.n_makings, 0);
    }
}

TAP_MAIN
