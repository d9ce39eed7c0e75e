#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "record/record.h"
#include "record/survey.h"
#include "record/table.h"
#include "tap.h"

/* A record with something in every field. */
static void fill(struct np_session_record *record)
{
    struct np_error why = {0};

    np_record_init(record);
    strcpy(record->run_id, "0f8fad5b-d9cb-469f-a165-70867728950e");
    strcpy(record->trace_id, "0af7651916cd43dd8448eb211c80319c");
    record->participant = np_xstrdup("01");
    record->session = np_xstrdup("a");
    record->requested_session = np_xstrdup("a");
    record->state = NP_STATE_FAILED;
    record->host = np_xstrdup("node7");
    record->boot_id = np_xstrdup("b");
    record->pid = 4711;
    record->pid_start = 99;
    record->start_ns = 1700000000123456789;
    record->end_ns = 1700000009123456789;
    record->heartbeat_ns = record->end_ns;
    record->wall_s = 9;
    record->cpu_s = 8.5;
    record->peak_rss_bytes = 123456789;
    record->software_version = np_xstrdup("0.1.0");
    record->codec = np_xstrdup("zlib");
    record->config = np_xstrdup("{\"normalize\":\"zscore\"}");
    strcpy(record->config_sha256, "abc");
    record->injected = true;
    record->file = np_xcalloc(1, sizeof(*record->file));
    record->n_files = 1;
    struct np_file_record *file = &record->file[0];
    file->path = np_xstrdup("sub-01/anat/caf\xe9_T1w.nii.gz"); /* Latin-1: not UTF-8 */
    file->modality = np_xstrdup("T1w");
    file->method = np_xstrdup("load_file:1");
    file->n_bytes = 42;
    file->mtime_ns = 1600000000000000001;
    strcpy(file->sha256, "00ff");
    strcpy(file->mask.sha256, "22ee");
    file->mask.n_bytes = 7;
    file->mask.mtime_ns = 1500000000000000001;
    file->state = NP_STATE_FAILED;
    struct np_stage_record *stage = np_file_record_stage(file, "load_file");
    stage->state = NP_STATE_FAILED;
    stage->start_ns = 1700000001000000000;
    stage->wall_s = 0.25;
    np_file_record_number(file, "bias.iterations", 200, "1");
    np_file_record_text(file, "normalization.method", "zscore");
    strcpy(np_file_record_output(file, "sub-01/anat/x.nii.gz")->sha256, "11");
    np_file_record_warn(file, "mask-unsure", "a warning");
    np_error_set(&why, NP_ETRUNCATED, "'x': expected 10 bytes, found 5");
    np_failure_set(&file->failure, &why, "load_file");
    np_failure_copy(&file->failure, &record->failure);
}

TEST(a_record_comes_back_as_it_was_written)
{
    NP_AUTO(np_record_done) struct np_session_record record, copy;
    struct np_error err = {0};

    fill(&record);
    NP_AUTO(np_freep) char *text = np_record_format(&record);
    ok_int(np_record_parse(text, "x", &copy, &err), 0);
    NP_AUTO(np_freep) char *again = np_record_format(&copy);
    ok_str(again, text);
    ok_str(copy.file[0].path, record.file[0].path);
    ok_int(copy.start_ns, record.start_ns);
    ok_int(copy.file[0].mtime_ns, record.file[0].mtime_ns);
    ok_str(copy.file[0].mask.sha256, "22ee");
    ok_int(copy.file[0].mask.n_bytes, 7);
    ok_int(copy.file[0].mask.mtime_ns, record.file[0].mask.mtime_ns);
    ok_int(copy.failure.code, NP_ETRUNCATED);
    ok_str(copy.failure.stage, "load_file");
    ok_near(np_file_record_value(&copy.file[0], "bias.iterations", 0), 200, 0, "measure");
    ok_str(np_file_record_fact(&copy.file[0], "normalization.method"), "zscore");
    ok_int((int64_t)copy.file[0].n_warnings, 1);
    ok_str(copy.file[0].warning[0].key, "mask-unsure");
    ok_str(copy.file[0].warning[0].text, "a warning");
}

/* The keys of a file's warnings when its record has this as "warnings". */
static char *keys_of(const char *warnings)
{
    NP_AUTO(np_record_done) struct np_session_record record;
    NP_AUTO(np_strings_done) struct np_strings keys = {0};
    NP_AUTO(np_freep)
    char *text =
        np_xasprintf("{\"schema\": 1, \"state\": \"success\", \"files\": [{%s}]}", warnings);
    struct np_error err = {0};

    ok_int(np_record_parse(text, "x", &record, &err), 0);
    np_record_warning_keys(&record, &keys);
    ok_int(np_record_is_warned(&record), keys.n > 0);
    return np_warning_cell(&keys);
}

TEST(warnings_have_keys_and_each_key_counts_once)
{
    static const char *const cases[][2] = {
        {"\"warnings\": [{\"key\": \"mask-unsure\", \"sentence\": \"a\"}]", "mask-unsure"},
        {"\"warnings\": [{\"key\": \"b\", \"sentence\": \"1\"}, {\"key\": \"a\", \"sentence\": "
         "\"2\"}, {\"key\": \"b\", \"sentence\": \"3\"}]",
         "b;a"},
        {"\"warnings\": []", ""},
        {"\"state\": \"success\"", ""}, /* a record without the field */
        {"\"warnings\": [\"a sentence of 0.1.0\"]", "unnamed"},
        {"\"warnings\": [1, null, {}, {\"key\": \"x\"}]", ""},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *keys = keys_of(cases[i][0]);
        ok_str(keys, cases[i][1]);
    }
}

TEST(only_a_success_is_a_success_with_warning)
{
    static const enum np_state others[] = {NP_STATE_FAILED, NP_STATE_RUNNING, NP_STATE_INTERRUPTED};
    NP_AUTO(np_record_done) struct np_session_record record;

    fill(&record);
    for (size_t i = 0; i < NP_COUNT(others); i++) {
        record.state = others[i];
        ok(!np_record_is_warned(&record));
    }
    record.state = NP_STATE_SUCCESS;
    ok(np_record_is_warned(&record));
}

TEST(a_record_of_a_newer_schema_is_refused_with_a_remedy)
{
    NP_AUTO(np_record_done) struct np_session_record record = {0};
    struct np_error err = {0};

    ok_int(np_record_parse("{\"schema\": 99}", "s.json", &record, &err), NP_ECONFIG);
    ok_contains(err.text, "s.json");
    ok_contains(err.text, "99");
}

TEST(broken_records_are_refused_and_named)
{
    static const char *const texts[] = {"", "{", "[]", "null", "{\"schema\":\"1\"}", "\xff"};

    for (size_t i = 0; i < NP_COUNT(texts); i++) {
        struct np_session_record record;
        struct np_error err = {0};
        ok_int(np_record_parse(texts[i], "s.json", &record, &err), NP_ECONFIG);
        ok_contains(err.text, "s.json");
        np_record_done(&record);
    }
}

TEST(fields_of_the_wrong_type_are_read_as_absent)
{
    NP_AUTO(np_record_done) struct np_session_record record = {0};

    ok_int(np_record_parse("{\"schema\": 1, \"run\": 5, \"files\": [3, {\"stages\": {}}], "
                           "\"attempts\": [[]], \"state\": \"no such\", \"process\": []}",
                           "s", &record, NULL),
           0);
    ok_int((int64_t)record.n_files, 2);
    ok_str(record.run_id, "");
}

/* One file of an older version, and how it is read today. */
static void read_old(const char *method, struct np_file_record *file)
{
    NP_AUTO(np_freep)
    char *text = np_xasprintf("{\"measures\": {"
                              "\"normalization.voxels\": {\"value\": 500, \"unit\": \"1\"}, "
                              "\"normalization.low\": {\"value\": 90, \"unit\": \"1\"}}, "
                              "\"facts\": {\"normalization.method\": \"%s\"}}",
                              method);

    ok_int(np_file_record_parse(text, file, NULL), 0);
}

TEST(measures_of_the_white_stripe_in_old_records_have_their_own_keys)
{
    NP_AUTO(np_file_record_done) struct np_file_record stripe = {0}, brain = {0};

    read_old("whitestripe", &stripe);
    ok_near(np_file_record_value(&stripe, "normalization.stripe_voxels", 0), 500, 0, "voxels");
    ok_near(np_file_record_value(&stripe, "normalization.stripe_low", 0), 90, 0, "low");
    ok_int((int64_t)stripe.n_measures, 2);
    read_old("percentile", &brain);
    ok_near(np_file_record_value(&brain, "normalization.voxels", 0), 500, 0, "voxels");
    ok_near(np_file_record_value(&brain, "normalization.low", 0), 90, 0, "low");
}

TEST(attempts_are_kept_and_bounded)
{
    NP_AUTO(np_record_done) struct np_session_record now;

    np_record_init(&now);
    for (int i = 0; i < 30; i++) {
        struct np_session_record next, old;
        fill(&old);
        np_record_init(&next);
        np_record_inherit_attempts(&next, &now);
        np_record_inherit_attempts(&next, &old);
        np_record_done(&old);
        np_record_done(&now);
        now = next;
    }
    ok_int((int64_t)now.n_attempts, 20);
    ok_contains(now.attempt[19].reason, "bad-data at load_file");
}

TEST(a_running_record_of_a_dead_process_is_lost_and_can_be_closed)
{
    NP_AUTO(np_record_done) struct np_session_record record;
    int64_t now_ns = np_clock_unix_ns();

    fill(&record);
    np_failure_done(&record.failure);
    np_failure_done(&record.file[0].failure);
    record.state = record.file[0].state = NP_STATE_RUNNING;
    record.file[0].stage[0].state = NP_STATE_RUNNING;
    record.heartbeat_ns = now_ns - INT64_C(5000000000);
    ok_int(np_record_derived_state(&record, now_ns), NP_STATE_RUNNING); /* another host, fresh */
    record.heartbeat_ns = now_ns - INT64_C(601000000000);
    ok_int(np_record_derived_state(&record, now_ns), NP_STATE_LOST);
    free(record.host);
    record.host = np_xstrdup(np_process_place());
    record.pid = 999999999;
    ok_int(np_record_derived_state(&record, now_ns), NP_STATE_LOST);
    np_record_close_lost(&record, now_ns);
    ok_int(record.state, NP_STATE_FAILED);
    ok_int(record.failure.code, NP_EKILLED);
    ok_str(record.failure.stage, "load_file");
    ok_int(record.file[0].stage[0].state, NP_STATE_FAILED);
}

static void put(const char *name, enum np_state state)
{
    NP_AUTO(np_record_done) struct np_session_record record;
    NP_AUTO(np_freep) char *folder = np_path_join(tap_directory(), "logs/sub-01");
    NP_AUTO(np_freep) char *file = np_xasprintf("%s_status.json", name);
    NP_AUTO(np_freep) char *path = np_path_join(folder, file);

    fill(&record);
    record.state = state;
    if (state == NP_STATE_SUCCESS)
        np_failure_done(&record.failure);
    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(np_record_write(path, &record, NULL), 0);
}

TEST(a_survey_counts_states_and_lists_sessions_to_rerun)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    put("sub-01_ses-a", NP_STATE_FAILED);
    put("sub-01_ses-b", NP_STATE_SUCCESS);
    ok_int(np_survey_read(tap_directory(), &survey, NULL), 0);
    ok_int((int64_t)survey.n_rows, 2);
    NP_AUTO(np_freep) char *nipoppy = np_survey_nipoppy(&survey, NP_SURVEY_ALL);
    ok_str(nipoppy, "01\ta\n");
    NP_AUTO(np_freep) char *tsv = np_survey_tsv(&survey, NP_SURVEY_ALL, NULL);
    ok_contains(tsv, "sub-01\tses-a\tfailed\tbad-data\tload_file\t");
    ok_contains(tsv, "\tsuccess\t");
    NP_AUTO(np_freep) char *json = np_survey_json(&survey, NP_SURVEY_TO_RERUN);
    ok_contains(json, "\"n_sessions\": 2");
    ok(!strstr(json, "\"state\": \"success\""));
}

/* A folder with logs/ that holds one record, as text. */
static char *output_with(const char *name, const char *text)
{
    char *output = np_path_join(tap_directory(), name);
    NP_AUTO(np_freep) char *logs = np_path_join(output, "logs/x");
    NP_AUTO(np_freep) char *path = np_path_join(logs, "x_status.json");

    ok_int(np_directory_make(logs, NULL), 0);
    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
    return output;
}

TEST(a_survey_follows_no_links_and_waits_for_no_pipe)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_freep)
    char *output = output_with("circles", "{\"schema\": 1, \"state\": \"success\"}");
    NP_AUTO(np_freep) char *one = np_path_join(output, "logs/x/one");
    NP_AUTO(np_freep) char *two = np_path_join(output, "logs/x/two");
    NP_AUTO(np_freep) char *pipe = np_path_join(output, "logs/x/pipe_status.json");

    ok_int(symlink("..", one), 0);
    ok_int(symlink("..", two), 0);
    ok_int(mkfifo(pipe, 0666), 0);
    ok_int(np_survey_read(output, &survey, NULL), 0);
    ok_int((int64_t)survey.n_rows, 1);
    ok_int((int64_t)survey.unreadable.n, 1);
}

TEST(a_success_that_says_nothing_of_its_options_is_outdated)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_freep)
    char *output = output_with("bare", "{\"schema\": 1, \"state\": \"success\", \"participant\": "
                                       "\"1\", \"files\": [{\"state\": \"success\"}]}");

    ok_int(np_survey_read(output, &survey, NULL), 0);
    ok_int((int64_t)survey.n_rows, 1);
    ok_int(survey.row[0].state, NP_STATE_OUTDATED);
    ok_contains(survey.row[0].note, "unknown options");
}

TEST(texts_of_a_record_cannot_forge_lines_or_cells)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_freep)
    char *output = output_with("forged", "{\"schema\": 1, \"state\": \"failed\", \"participant\": "
                                         "\"1\\u001b[2J\\n2\\tx\", \"failure\": {\"error\": "
                                         "\"NP_EIO\", \"sentence\": \"a\\nb\\u009b\"}}");
    NP_AUTO(np_freep) char *printed = NULL;
    size_t n_printed = 0;

    ok_int(np_survey_read(output, &survey, NULL), 0);
    FILE *out = open_memstream(&printed, &n_printed);
    np_survey_print_table(&survey, NP_SURVEY_ALL, out);
    fclose(out);
    ok_contains(printed, "  sub-1 [2J 2 x: a b \n");
    ok(!strchr(printed, '\x1b') && !strchr(printed, '\t'));
    NP_AUTO(np_freep) char *tsv = np_survey_tsv(&survey, NP_SURVEY_ALL, NULL);
    ok_contains(tsv, "\nsub-1 [2J 2 x\tn/a\tfailed\tio\t");
    NP_AUTO(np_freep) char *nipoppy = np_survey_nipoppy(&survey, NP_SURVEY_ALL);
    ok_str(nipoppy, "");
}

TEST(times_and_numbers_beyond_counting_are_absent)
{
    NP_AUTO(np_record_done) struct np_session_record record = {0};

    ok_int(np_record_parse("{\"schema\": 1, \"start\": \"9999-01-01T00:00:00Z\", \"end\": "
                           "\"0001-01-01T00:00:00Z\", \"heartbeat\": \"1970-01-01T00:00:01.5Z\", "
                           "\"run\": \"not a UUID\", \"failure\": {\"error\": \"NP_EIO\", "
                           "\"signal\": 2147483647}}",
                           "s", &record, NULL),
           0);
    ok_int(record.start_ns, 0);
    ok_int(record.end_ns, 0);
    ok_int(record.heartbeat_ns, 1500000000);
    ok_str(record.run_id, "");
    ok_int(record.failure.signal, 0);
}

TEST(lists_that_no_session_has_are_refused)
{
    NP_AUTO(np_str_done) struct np_str files = {0}, stages = {0};

    np_str_add(&files, "{\"schema\": 1, \"files\": [");
    np_str_add(&stages, "{\"schema\": 1, \"files\": [{\"stages\": [");
    for (int i = 0; i < 5000; i++) {
        np_str_add(&files, "{},");
        np_str_addf(&stages, "{\"name\": \"s%d\"},", i);
    }
    np_str_add(&files, "{}]}");
    np_str_add(&stages, "{}]}]}");
    const char *const texts[] = {np_str_text(&files), np_str_text(&stages)};
    for (size_t i = 0; i < NP_COUNT(texts); i++) {
        NP_AUTO(np_record_done) struct np_session_record record = {0};
        struct np_error err = {0};
        ok_int(np_record_parse(texts[i], "s.json", &record, &err), NP_ECONFIG);
        ok_contains(err.text, "s.json");
        ok_contains(err.text, "at most");
    }
}

TEST(a_folder_that_cannot_be_read_is_not_taken_as_empty)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_freep) char *output = np_xasprintf("%s/closed", tap_directory());
    NP_AUTO(np_freep) char *logs = np_path_join(output, "logs");
    struct rlimit files;
    struct np_error err = {0};

    ok_int(np_directory_make(output, NULL), 0);
    ok_int(symlink("logs", logs), 0); /* to itself: any error but "no such folder" */
    ok_int(np_survey_read(output, &survey, &err), NP_ENOINPUT);
    ok_contains(err.text, "cannot be looked into");
    ok_int(unlink(logs), 0);
    ok_int(np_directory_make(logs, NULL), 0);
    ok_int(getrlimit(RLIMIT_NOFILE, &files), 0);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 3, .rlim_max = files.rlim_max});
    ok_int(np_survey_read(output, &survey, NULL), 0);
    setrlimit(RLIMIT_NOFILE, &files);
    ok_above((double)survey.unreadable.n, 0, "folders named");
    ok_contains(survey.unreadable.item[0], logs);
}

TEST(a_survey_of_another_folder_names_what_was_expected)
{
    struct np_survey survey;
    struct np_error err = {0};

    ok_int(np_survey_read("/nowhere", &survey, &err), NP_ENOINPUT);
    ok_contains(err.text, "/nowhere");
    ok_contains(err.text, "logs/");
}

TAP_MAIN
