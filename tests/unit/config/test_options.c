/* The option table and the types of its values. */
#include "config/options.h"

#include <string.h>

#include "tap.h"

static const struct np_origin origin = {"--x", NP_EUSAGE};

static int set(struct np_config *config, const char *name, const char *value, struct np_error *err)
{
    return np_option_set(np_option_find(name, strlen(name)), value, &origin, config, err);
}

/* The code of giving `name` this value, on fresh defaults. */
static int code_of(const char *name, const char *value)
{
    struct np_config config;

    np_config_init(&config);
    int code = set(&config, name, value, NULL);
    np_config_done(&config);
    return code;
}

TEST(every_option_has_a_help_sentence_a_heading_and_a_command)
{
    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        size_t n = strlen(option->help);
        ok(n > 10 && option->help[n - 1] == '.');
        ok(np_option_heading(option->group) != NULL);
        ok(option->commands != 0);
        ok(!(option->traits & NP_OPT_RECORDED) == !option->later);
        ok((option->type == NP_OPT_ASSIGN) == (option->same_as != NULL));
    }
}

TEST(no_name_alias_or_letter_is_given_twice)
{
    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        ok(np_option_find(option->name, strlen(option->name)) == option);
        ok(!np_foreign_find(option->name, strlen(option->name)));
        ok(!option->letter || np_option_find_letter(option->letter) == option);
        NP_AUTO(np_freep) char *aliases = np_xstrdup(option->aliases ? option->aliases : "");
        char *state = NULL;
        for (char *a = strtok_r(aliases, " ", &state); a; a = strtok_r(NULL, " ", &state))
            ok(np_option_find(a, strlen(a)) == option);
    }
}

TEST(every_option_takes_its_own_default)
{
    struct np_config config, defaults;

    np_config_init(&config);
    np_config_init(&defaults);
    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        NP_AUTO(np_freep) char *usual = np_option_text(option, &defaults);
        if (option->type == NP_OPT_LIST || !*usual)
            continue;
        struct np_error err = {0};
        ok_int(np_option_set(option, usual, &origin, &config, &err), 0);
        NP_AUTO(np_freep) char *now = np_option_text(option, &config);
        ok_str(now, usual);
    }
    np_config_done(&config);
    np_config_done(&defaults);
}

TEST(underscores_and_dashes_are_alike)
{
    static const char *const names[][2] = {
        {"participant_label", "participant-label"},
        {"n_cpus", "nprocs"},
        {"mem_gb", "mem-gb"},
        {"stop_on_first_crash", "stop-on-first-crash"},
        {"skip_bids_validator", "skip-bids-validation"},
        {"session-id", "session-label"},
    };

    for (size_t i = 0; i < NP_COUNT(names); i++) {
        const struct np_option *option = np_option_find(names[i][0], strlen(names[i][0]));
        ok_str(option ? option->name : NULL, names[i][1]);
    }
    ok(np_option_find("participant", strlen("participant")) == NULL); /* no abbreviations */
}

TEST(memory_needs_a_unit_and_counts_in_powers_of_1024)
{
    static const struct {
        const char *name, *value;
        int64_t bytes;
    } cases[] = {
        {"mem", "8G", 8589934592},     {"mem", "8GB", 8589934592},   {"mem", "8GiB", 8589934592},
        {"mem", "8g", 8589934592},     {"mem", "8000M", 8388608000}, {"mem", "1.5G", 1610612736},
        {"mem", "512K", 524288},       {"mem", "1T", 1099511627776}, {"mem", "100B", 100},
        {"mem-gb", "8", 8589934592},   {"mem-gb", "0.5", 536870912}, {"mem-mb", "8000", 8388608000},
        {"mem_mb", "1e3", 1048576000}, {"mem-gb", "4G", 4294967296},
    };
    static const char *const refused[][2] = {
        {"mem", "8"},      {"mem", ""},       {"mem", "G"},     {"mem", "-8G"},
        {"mem", "0G"},     {"mem", "8X"},     {"mem", "8GG"},   {"mem", "nanG"},
        {"mem", "1e400G"}, {"mem", "0x8G"},   {"mem-gb", "-1"}, {"mem-gb", "eight"},
        {"mem-gb", "inf"}, {"mem-gb", "1e9"}, {"mem", " 8G"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        struct np_config config;
        np_config_init(&config);
        ok_int(set(&config, cases[i].name, cases[i].value, NULL), 0);
        ok_int(config.mem_bytes, cases[i].bytes);
        np_config_done(&config);
    }
    for (size_t i = 0; i < NP_COUNT(refused); i++)
        ok_int(code_of(refused[i][0], refused[i][1]), NP_EUSAGE);
}

TEST(memory_without_a_unit_is_refused_with_the_reason)
{
    struct np_config config;
    struct np_error err = {0};

    np_config_init(&config);
    ok_int(set(&config, "mem", "8000", &err), NP_EUSAGE);
    ok_contains(err.text, "8G or 8000M");
    ok_contains(err.text, "found '8000'");
    np_config_done(&config);
}

TEST(memory_is_written_back_exactly)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {{8589934592, "8G"}, {1610612736, "1536M"}, {1000, "1000B"}, {1, "1B"}};

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *text = np_memory_text(cases[i].bytes);
        ok_str(text, cases[i].text);
    }
}

TEST(numbers_outside_their_range_are_refused)
{
    static const char *const refused[][2] = {
        {"nprocs", "0"},
        {"nprocs", "-1"},
        {"nprocs", "1.5"},
        {"nprocs", "many"},
        {"nprocs", ""},
        {"nprocs", "99999999"},
        {"fail-rate", "1.01"},
        {"fail-rate", "-0.1"},
        {"fail-rate", "nan"},
        {"fail-rate", "0.5x"},
        {"random-seed", "-1"},
        {"random-seed", "1.5"},
        {"participants", "0"},
        {"size", "0"},
        {"size", "100"},
        {"verbose", "4"},
        {"random-seed", "99999999999999999999"},
        {"parallel", "2 "},
    };
    static const char *const accepted[][2] = {
        {"nprocs", "1"},    {"nprocs", "64"}, {"fail-rate", "0"},
        {"fail-rate", "1"}, {"size", "1.5"},  {"random-seed", "9223372036854775807"},
    };

    for (size_t i = 0; i < NP_COUNT(refused); i++)
        ok_int(code_of(refused[i][0], refused[i][1]), NP_EUSAGE);
    for (size_t i = 0; i < NP_COUNT(accepted); i++)
        ok_int(code_of(accepted[i][0], accepted[i][1]), 0);
}

TEST(a_wrong_value_leaves_the_setting_as_it_was)
{
    struct np_config config;

    np_config_init(&config);
    ok_int(set(&config, "normalize", "percentile", NULL), 0);
    ok_int(set(&config, "normalize", "median", NULL), NP_EUSAGE);
    ok_int(config.normalize, NP_NORMALIZE_PERCENTILE);
    ok_int(set(&config, "participant-label", "01", NULL), 0);
    ok_int(set(&config, "participant-label", "a/b", NULL), NP_EUSAGE);
    ok_int((int64_t)config.participants.n, 1);
    np_config_done(&config);
}

TEST(labels_lose_their_prefix_and_stand_once)
{
    struct np_config config;

    np_config_init(&config);
    set(&config, "participant-label", "sub-01", NULL);
    set(&config, "participant-label", "01", NULL);
    set(&config, "participant-label", "sub-A7", NULL);
    set(&config, "session-label", "ses-pre", NULL);
    NP_AUTO(np_freep) char *participants = np_strings_join(&config.participants, " ", 9);
    ok_str(participants, "01 A7");
    ok_str(config.sessions.item[0], "pre");
    ok_int(set(&config, "participant-label", "sub-", NULL), NP_EUSAGE);
    ok_int(set(&config, "participant-label", "01,02", NULL), NP_EUSAGE);
    np_config_done(&config);
}

TEST(choices_are_read_in_any_case_and_named_when_wrong)
{
    struct np_config config;
    struct np_error err = {0};

    np_config_init(&config);
    np_option_reset(np_option_find("modalities", 10), &config);
    ok_int(set(&config, "modalities", "flair", NULL), 0);
    ok_str(config.modalities.item[0], "FLAIR");
    ok_int(set(&config, "skull-strip", "fource", &err), NP_EUSAGE);
    ok_contains(err.text, "auto, force, skip");
    ok_contains(err.text, "did you mean 'force'");
    np_config_done(&config);
}

TEST(how_participants_are_named_is_one_of_three)
{
    struct np_config config;
    struct np_error err = {0};

    np_config_init(&config);
    ok_int(config.telemetry_id, NP_NAME_LABEL);
    ok_int(set(&config, "telemetry-id", "hash", &err), 0);
    ok_int(config.telemetry_id, NP_NAME_HASH);
    ok_int(set(&config, "telemetry-id", "none", &err), 0);
    ok_int(config.telemetry_id, NP_NAME_NONE);
    ok_int(set(&config, "telemetry-id", "labels", &err), NP_EUSAGE);
    ok_int(config.telemetry_id, NP_NAME_NONE);
    np_config_done(&config);
}

TEST(bold_is_refused_as_coming_later)
{
    struct np_config config;
    struct np_error err = {0};

    np_config_init(&config);
    ok_int(set(&config, "modalities", "bold", &err), NP_EUSAGE);
    ok_contains(err.text, "'bold' comes later");
    ok_contains(err.text, "T1w, T2w, FLAIR");
    np_config_done(&config);
}

TEST(a_slow_stage_is_a_stage_and_perhaps_seconds)
{
    struct np_config config;

    np_config_init(&config);
    ok_int(set(&config, "slow-stage", "skull_strip", NULL), 0);
    ok_str(config.slow_stage, "skull_strip");
    ok_near(config.slow_stage_s, 6, 0, "seconds when none are said");
    ok_int(set(&config, "slow-stage", "normalization:0.25", NULL), 0);
    ok_near(config.slow_stage_s, 0.25, 0, "seconds as said, exact in binary");
    ok_int(set(&config, "slow-stage", "normalization:", NULL), NP_EUSAGE);
    ok_int(set(&config, "slow-stage", "normalization:-1", NULL), NP_EUSAGE);
    ok_int(set(&config, "slow-stage", "cooking:3", NULL), NP_EUSAGE);
    ok_str(config.slow_stage, "normalization");
    np_config_done(&config);
}

TEST(a_mistyped_option_is_guessed)
{
    static const char *const cases[][2] = {
        {"particpant-label", "participant-label"},
        {"participant_lable", "participant-label"},
        {"normalise", "normalize"},
        {"participant", "participant-label"},
        {"n-cpu", "n-cpus"},
        {"output-space", "output-spaces"},
        {"stop-on-first", "stop-on-first-crash"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *near = np_option_suggest(cases[i][0], 0);
        ok_str(near, cases[i][1]);
    }
    NP_AUTO(np_freep) char *nothing = np_option_suggest("qqqqqqqq", 0);
    ok_str(nothing, NULL);
}

TEST(results_change_with_methods_and_with_nothing_else)
{
    struct np_config config;

    np_config_init(&config);
    NP_AUTO(np_freep) char *usual = np_config_results_json(&config);
    ok_str(usual, "{\"bias-correction\":\"n4\",\"level\":\"full\",\"normalize\":\"zscore\","
                  "\"output-datatype\":\"float32\",\"save-bias-field\":false,\"save-brain\":false,"
                  "\"save-probseg\":false,\"skull-strip\":\"auto\"}");
    static const char *const neutral[][2] = {
        {"nprocs", "3"},           {"mem", "8G"},        {"participant-label", "01"},
        {"verbose", "2"},          {"fail-rate", "0.5"}, {"rerun", "all"},
        {"random-seed", "7"},      {"dry-run", NULL},    {"slow-stage", "load_file"},
        {"telemetry-id", "label"},
    };
    for (size_t i = 0; i < NP_COUNT(neutral); i++)
        ok_int(set(&config, neutral[i][0], neutral[i][1], NULL), 0);
    NP_AUTO(np_freep) char *same = np_config_results_json(&config);
    ok_str(same, usual);
    static const char *const telling[][2] = {
        {"normalize", "none"},        {"bias-correction", "none"}, {"skull-strip", "skip"},
        {"level", "minimal"},         {"save-bias-field", NULL},   {"save-brain", NULL},
        {"output-datatype", "int16"},
    };
    for (size_t i = 0; i < NP_COUNT(telling); i++) {
        NP_AUTO(np_freep) char *before = np_config_results_json(&config);
        ok_int(set(&config, telling[i][0], telling[i][1], NULL), 0);
        NP_AUTO(np_freep) char *after = np_config_results_json(&config);
        ok(strcmp(before, after) != 0);
    }
    np_config_done(&config);
}

TEST(secrets_in_urls_are_hidden)
{
    static const char *const cases[][2] = {
        {"http://me:pw@host:4318/v1", "http://***@host:4318/v1"},
        {"http://me:p@w@host/", "http://***@host/"},
        {"--otel-endpoint=https://token@host", "--otel-endpoint=https://***@host"},
        {"https://host/x?key=1&y#z", "https://host/x?***"},
        {"me:pw@host:4317", "***@host:4317"},
        {"--otel-endpoint=me:pw@host:4317", "--otel-endpoint=***@host:4317"},
        {"localhost:4317", "localhost:4317"},
        {"/data/a:b@c", "/data/a:b@c"},
        {"https://host/a@b", "https://host/a@b"},
        {"", ""},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *text = np_url_redact(cases[i][0]);
        ok_str(text, cases[i][1]);
    }
}

TEST(messages_show_neither_passwords_nor_broken_bytes)
{
    struct np_config config;
    struct np_error err = {0};

    np_config_init(&config);
    set(&config, "normalize", "http://me:secret@host", &err);
    ok(strstr(err.text, "secret") == NULL);
    ok_contains(err.text, "***@host");
    err = (struct np_error){0};
    set(&config, "normalize", "\xff\xfe", &err);
    ok_contains(err.text, "\xef\xbf\xbd");
    ok(strchr(err.text, '\xff') == NULL);
    np_config_done(&config);
}

TAP_MAIN
