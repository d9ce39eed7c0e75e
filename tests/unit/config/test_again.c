/* The options of a command that people copy: what differs, safe for a shell, without secrets. */
#include <string.h>

#include "config/again.h"
#include "config/options.h"
#include "tap.h"

static void set(struct np_config *config, const char *name, const char *value)
{
    const struct np_origin origin = {.where = name, .code = NP_EUSAGE};

    ok_int(np_option_set(np_option_find(name, strlen(name)), value, &origin, config, NULL), 0);
}

static char *again(const struct np_config *config, const char *results)
{
    struct np_str out = {0};

    np_config_add_again(config, NP_COMMAND_PARTICIPANT, results, &out);
    return np_str_take(&out);
}

TEST(a_word_is_quoted_where_a_shell_would_read_it_otherwise)
{
    static const struct {
        const char *word, *quoted;
    } table[] = {{"plain-1.nii.gz", " plain-1.nii.gz"},
                 {"two words", " 'two words'"},
                 {"it's", " 'it'\\''s'"},
                 {"$HOME;*", " '$HOME;*'"},
                 {"", " ''"},
                 {"Möre", " 'Möre'"}};

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_str_done) struct np_str out = {0};
        np_add_shell_word(&out, table[i].word);
        ok_str(np_str_text(&out), table[i].quoted);
    }
}

TEST(only_what_differs_is_said_and_nothing_of_one_run)
{
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    NP_AUTO(np_freep) char *nothing = again(&config, NULL);
    ok_str(nothing, "");
    set(&config, "participant-label", "01");
    set(&config, "session-label", "BL");
    set(&config, "rerun", "failed");
    set(&config, "canary", NULL);
    set(&config, "fail-rate", "0.5");
    set(&config, "verbose", NULL);
    set(&config, "normalize", "none");
    set(&config, "save-brain", NULL);
    set(&config, "mem", "8G");
    set(&config, "dataset-name", "my study");
    set(&config, "telemetry-id", "hash");
    set(&config, "mask-dir", "/masks/a b");
    NP_AUTO(np_freep) char *words = again(&config, NULL);
    ok_str(words, " --normalize none --mask-dir '/masks/a b' --mem 8G --save-brain --dataset-name "
                  "'my study' --telemetry-id hash");
}

TEST(what_changes_results_is_what_the_record_says)
{
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    set(&config, "normalize", "whitestripe");
    set(&config, "allow-empty", NULL);
    NP_AUTO(np_freep)
    char *of_record = again(
        &config, "{\"normalize\":\"none\",\"save-brain\":true,\"level\":\"full\",\"unknown\":1}");
    NP_AUTO(np_freep) char *broken = again(&config, "no JSON");
    ok_str(of_record, " --normalize none --save-brain --allow-empty");
    ok_str(broken, " --normalize whitestripe --allow-empty");
}

TEST(a_path_is_absolute_and_an_address_with_a_password_is_left_out)
{
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    set(&config, "mask-dir", "masks");
    set(&config, "otel-endpoint", "https://user:secret@host:4318");
    NP_AUTO(np_freep) char *secret = again(&config, NULL);
    ok_contains(secret, " --mask-dir /");
    ok(!strstr(secret, "otel-endpoint"));
    set(&config, "otel-endpoint", "auto");
    NP_AUTO(np_freep) char *open = again(&config, NULL);
    ok_contains(open, " --otel-endpoint auto");
}

TAP_MAIN
