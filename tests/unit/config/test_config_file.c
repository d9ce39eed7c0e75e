/* The configuration file, the environment, and settings written as such a file. */
#include "config/config_file.h"

#include <string.h>

#include "base/path.h"
#include "config/options.h"
#include "tap.h"

static int read_text(struct np_config *config, const char *text, struct np_error *err)
{
    return np_config_read_text(text, strlen(text), "study.json", config, err);
}

TEST(a_file_sets_every_type)
{
    struct np_config config;
    struct np_error err = {0};

    np_config_init(&config);
    ok_int(read_text(
               &config,
               "{\"$schema\": \"urn:neuro-preprocess:schema:config:1\",\n"
               " \"normalize\": \"whitestripe\", \"nprocs\": 4, \"fail-rate\": 0.25,\n"
               " \"mem\": \"8G\", \"dry-run\": true, \"participant_label\": [\"sub-01\", \"02\"],\n"
               " \"session-id\": \"pre\", \"verbose\": 2, \"random-seed\": 12,\n"
               " \"slow-stage\": \"skull_strip:2\", \"work-dir\": \"/w\"}",
               &err),
           0);
    ok_str(err.text, "");
    ok_int(config.normalize, NP_NORMALIZE_WHITESTRIPE);
    ok_int(config.nprocs, 4);
    ok_near(config.fail_rate, 0.25, 0, "exact in binary");
    ok_int(config.mem_bytes, 8589934592);
    ok(config.dry_run);
    ok_int((int64_t)config.participants.n, 2);
    ok_str(config.participants.item[0], "01");
    ok_str(config.sessions.item[0], "pre");
    ok_int(config.verbosity, 2);
    ok_int((int64_t)config.random_seed, 12);
    ok_str(config.slow_stage, "skull_strip");
    ok_str(config.work_dir, "/w");
    np_config_done(&config);
}

TEST(null_is_the_default_and_a_list_replaces)
{
    struct np_config config;

    np_config_init(&config);
    ok_int(read_text(&config, "{\"nprocs\": 4, \"modalities\": [\"T2w\"]}", NULL), 0);
    ok_int((int64_t)config.modalities.n, 1);
    ok_int(read_text(&config, "{\"nprocs\": null, \"anat-only\": true, \"quiet\": true}", NULL), 0);
    ok_int(config.nprocs, 0);
    ok_int((int64_t)config.modalities.n, 4);
    ok_int(config.verbosity, -1);
    np_config_done(&config);
}

TEST(wrong_files_are_named_with_place_expectation_and_find)
{
    static const struct {
        const char *text, *says, *says_too;
    } cases[] = {
        {"", "study.json", "JSON"},
        {"{", "line 1", "column"},
        {"{\n\"nprocs\": 4,\n}", "line 3, column 1", "JSON"},
        {"[]", "line 1, column 1: expected a JSON object", "found an empty list"},
        {"{\"normalise\": \"none\"}", "line 1", "did you mean 'normalize'"},
        {"{\n\n\"nproc\" : 3}", "line 3, column 11", "did you mean 'nprocs'"},
        {"{\"qqqqqqqqq\": 1}", "found 'qqqqqqqqq'", "--print-config"},
        {"{\"nprocs\": \"4\"}", "line 1, column 12: nprocs: expected a whole number",
         "found the text '4'"},
        {"{\"nprocs\": 1.5}", "expected a whole number", "found the number 1.5"},
        {"{\"nprocs\": 0}", "from 1 to", "found '0'"},
        {"{\"nprocs\": 99999999999999999999}", "JSON", "line 1"},
        {"{\"dry-run\": 1}", "true or false", "the number 1"},
        {"{\"mem\": 8}", "\"8G\"", "the number 8"},
        {"{\"mem\": \"8\"}", "8G or 8000M", "found '8'"},
        {"{\"modalities\": []}", "at least one", "found an empty list"},
        {"{\"modalities\": [\"bold\"]}", "comes later", "T1w"},
        {"{\"participant-label\": [1]}", "a list of strings", "the number 1"},
        {"{\"normalize\": \"zscor\"}", "did you mean 'zscore'", "study.json"},
        {"{\"normalize\": \"zscore\", \"normalize\": \"none\"}", "duplicate", "normalize"},
        {"{\"$schema\": \"urn:else\"}", "urn:neuro-preprocess:schema:config:1", "urn:else"},
        {"{\"help\": true}", "command line only", "'help'"},
        {"{\"config-file\": \"x\"}", "command line only", "config-file"},
        {"{\"work-dir\": \"a\\u0000b\"}", "study.json", "JSON"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        struct np_config config;
        struct np_error err = {0};
        np_config_init(&config);
        ok_int(read_text(&config, cases[i].text, &err), NP_ECONFIG);
        ok_contains(err.text, cases[i].says);
        ok_contains(err.text, cases[i].says_too);
        np_config_done(&config);
    }
}

TEST(a_file_on_disk_is_read_and_a_missing_one_is_no_input)
{
    struct np_config config;
    struct np_error err = {0};
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), "study.json");
    static const char text[] = "{\"level\": \"minimal\"}";

    np_config_init(&config);
    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
    ok_int(np_config_read_file(path, &config, &err), 0);
    ok_int(config.level, NP_LEVEL_MINIMAL);
    NP_AUTO(np_freep) char *missing = np_path_join(tap_directory(), "none.json");
    ok_int(np_config_read_file(missing, &config, &err), NP_ENOINPUT);
    ok_contains(err.text, "none.json");
    np_config_done(&config);
}

TEST(a_file_of_more_than_a_mebibyte_is_refused)
{
    struct np_config config;
    struct np_error err = {0};
    size_t n_bytes = (1 << 20) + 1;
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), "large.json");
    NP_AUTO(np_freep) char *blanks = np_xmalloc(n_bytes);

    memset(blanks, ' ', n_bytes);
    ok_int(np_file_write_atomic(path, blanks, n_bytes, NULL), 0);
    np_config_init(&config);
    ok_int(np_config_read_file(path, &config, &err), NP_ECONFIG);
    ok_contains(err.text, "large.json");
    np_config_done(&config);
}

TEST(a_failing_allocation_while_reading_is_no_memory_and_leaks_nothing)
{
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), "small.json");
    static const char text[] = "{\"nprocs\": 3}";
    int code = NP_ENOMEM;

    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
    for (int64_t nth = 1; code != 0 && nth < 100; nth++) {
        struct np_config config;
        struct np_error err = {0};
        np_config_init(&config);
        np_alloc_fail_at(nth);
        code = np_config_read_file(path, &config, &err);
        np_alloc_fail_at(0);
        ok(code == 0 ? config.nprocs == 3 : code == NP_ENOMEM);
        np_config_done(&config);
    }
    ok_int(code, 0);
}

TEST(a_printed_configuration_can_be_read_again)
{
    struct np_config config, again;
    struct np_error err = {0};

    np_config_init(&config);
    np_config_init(&again);
    ok_int(read_text(
               &config,
               "{\"normalize\": \"percentile\", \"mem-gb\": 1.5, \"nprocs\": 7, \"redact\": true,"
               " \"fail-rate\": 0.1, \"modalities\": [\"T2w\"], \"session-label\": [\"a\", \"b\"],"
               " \"slow-stage\": \"load_file:0.5\", \"quiet\": true}",
               &err),
           0);
    NP_AUTO(np_freep) char *text = np_config_json(&config);
    ok_contains(text, "\"$schema\": \"urn:neuro-preprocess:schema:config:1\"");
    ok_contains(text, "\"mem\": \"1536M\"");
    ok_contains(text, "\"parallel\": null");
    ok_contains(text, "\"fail-rate\": 0.1,");
    ok_int(read_text(&again, text, &err), 0);
    NP_AUTO(np_freep) char *text_again = np_config_json(&again);
    ok_str(text_again, text);
    np_config_done(&config);
    np_config_done(&again);
}

TEST(a_printed_configuration_holds_no_password_and_is_utf8)
{
    struct np_config config;

    np_config_init(&config);
    config.otel_endpoint = np_xstrdup("http://me:secret@host:4318");
    config.work_dir = np_xstrdup("/w\xff");
    NP_AUTO(np_freep) char *text = np_config_json(&config);
    ok(strstr(text, "secret") == NULL);
    ok_contains(text, "http://***@host:4318");
    ok_contains(text, "/w\xef\xbf\xbd");
    np_config_done(&config);
}

TEST(the_schema_has_every_option_that_may_stand_in_a_file)
{
    NP_AUTO(np_freep) char *schema = np_config_schema_json();

    ok_contains(schema, "https://json-schema.org/draft/2020-12/schema");
    for (size_t i = 0; i < np_n_options; i++) {
        NP_AUTO(np_freep) char *key = np_xasprintf("\n    \"%s\": {", np_options[i].name);
        bool stands =
            np_options[i].traits & NP_OPT_IN_FILE && !(np_options[i].traits & NP_OPT_ANOTHER_WAY);
        ok((strstr(schema, key) != NULL) == stands);
    }
}

TEST(the_environment_sets_options_and_unknown_variables_are_named)
{
    char mem[] = "NEURO_PREPROCESS_MEM=2G", flag[] = "NEURO_PREPROCESS_DRY_RUN=yes";
    char list[] = "NEURO_PREPROCESS_PARTICIPANT_LABEL=sub-01 02", odd[] = "NEURO_PREPROCESS_MEMS=1";
    char empty[] = "NEURO_PREPROCESS_NPROCS=", other[] = "PATH=/bin", bare[] = "NEURO_PREPROCESS_X";
    char *environment[] = {mem, flag, list, odd, empty, other, bare, NULL};
    struct np_config config;
    struct np_strings notices = {0};

    np_config_init(&config);
    ok_int(np_config_read_environment(environment, &config, &notices, NULL), 0);
    ok_int(config.mem_bytes, 2147483648);
    ok(config.dry_run);
    ok_int((int64_t)config.participants.n, 2);
    ok_int((int64_t)notices.n, 1);
    ok_contains(notices.item[0], "NEURO_PREPROCESS_MEMS");
    np_strings_done(&notices);
    np_config_done(&config);
}

TEST(a_wrong_environment_is_a_configuration_error)
{
    char wrong[] = "NEURO_PREPROCESS_NPROCS=none";
    char *environment[] = {wrong, NULL};
    struct np_config config;
    struct np_strings notices = {0};
    struct np_error err = {0};

    np_config_init(&config);
    ok_int(np_config_read_environment(environment, &config, &notices, &err), NP_ECONFIG);
    ok_contains(err.text, "NEURO_PREPROCESS_NPROCS");
    np_strings_done(&notices);
    np_config_done(&config);
}

TAP_MAIN
