/* Configurations as people compare them. */
#include "config/config.h"
#include "config/results.h"
#include "tap.h"

static void words_are(const char *json, const char *expected)
{
    NP_AUTO(np_freep) char *words = np_config_results_words(json);

    ok_str(words, expected);
}

TEST(words_name_what_differs_from_the_defaults)
{
    struct np_config config;

    np_config_init(&config);
    NP_AUTO(np_freep) char *usual = np_config_results_json(&config);
    words_are(usual, "defaults");
    config.normalize = NP_NORMALIZE_PERCENTILE;
    config.save_bias_field = true;
    NP_AUTO(np_freep) char *other = np_config_results_json(&config);
    words_are(other, "normalize=percentile save-bias-field=true");
    np_config_done(&config);
}

TEST(an_option_that_an_earlier_version_did_not_know_has_its_default)
{
    words_are("{}", "defaults");
    ok(np_config_results_same("{\"normalize\":\"zscore\"}", "{\"level\":\"full\"}"));
    ok(!np_config_results_same("{\"normalize\":\"none\"}", "{}"));
}

TEST(what_is_unknown_is_the_same_as_nothing_else)
{
    ok(!np_config_results_same(NULL, NULL));
    ok(!np_config_results_same(NULL, "{}"));
    ok(!np_config_results_same("damaged", "{}"));
    words_are("damaged", "damaged");
    words_are("[1]", "[1]");
}

TEST(a_difference_names_option_and_both_values)
{
    NP_AUTO(np_freep)
    char *two = np_config_results_difference("{\"normalize\":\"none\",\"save-bias-field\":true}",
                                             "{\"normalize\":\"percentile\"}");
    NP_AUTO(np_freep) char *none = np_config_results_difference("{}", "{\"normalize\":\"zscore\"}");
    NP_AUTO(np_freep)
    char *later = np_config_results_difference("{\"of-a-later-version\":3}", "{}");

    ok_contains(two, "normalize: none there, percentile here");
    ok_contains(two, "save-bias-field: true there, false here");
    ok_str(none, "");
    ok_str(later, "of-a-later-version: 3 there, unknown here");
}

TAP_MAIN
