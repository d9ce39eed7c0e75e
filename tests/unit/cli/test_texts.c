/* Help, man page, completions, explanations, version, and the documents that must agree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/path.h"
#include "catalog/warning.h"
#include "cli/complete.h"
#include "cli/explain.h"
#include "cli/manpage.h"
#include "cli/usage.h"
#include "cli/version.h"
#include "tap.h"

/* Text that is printed to a stream. */
struct capture {
    FILE *out;
    char *text;
    size_t n_bytes;
};

static void capture_begin(struct capture *capture)
{
    *capture = (struct capture){0};
    capture->out = open_memstream(&capture->text, &capture->n_bytes);
    if (!capture->out)
        abort();
}

/* The caller frees. */
static char *capture_end(struct capture *capture)
{
    fclose(capture->out);
    return capture->text;
}

static char *help_text(enum np_command topic, const struct np_config *defaults)
{
    struct capture c;

    capture_begin(&c);
    np_cli_print_help(c.out, defaults, topic);
    return capture_end(&c);
}

static char *usual_help(enum np_command topic)
{
    struct np_config defaults;

    np_config_init(&defaults);
    char *text = help_text(topic, &defaults);
    np_config_done(&defaults);
    return text;
}

static char *man_text(void)
{
    struct np_config defaults;
    struct capture c;

    np_config_init(&defaults);
    capture_begin(&c);
    np_cli_print_man(c.out, &defaults);
    np_config_done(&defaults);
    return capture_end(&c);
}

static char *completion_text(const char *shell)
{
    struct capture c;

    capture_begin(&c);
    ok_int(np_cli_print_completion(c.out, shell, NULL), 0);
    return capture_end(&c);
}

static char *explanation(const char *code)
{
    struct capture c;

    capture_begin(&c);
    ok_int(np_cli_explain(c.out, code, NULL), 0);
    return capture_end(&c);
}

static size_t longest_line(const char *text)
{
    size_t longest = 0;

    while (*text) {
        size_t n = strcspn(text, "\n");
        longest = n > longest ? n : longest;
        text += n + (text[n] == '\n');
    }
    return longest;
}

/* "\-\-work\-dir" for "--work-dir"; the caller frees. */
static char *roff(const char *text)
{
    struct np_str out = {0};

    for (; *text; text++)
        np_str_addf(&out, "%s%c", *text == '-' ? "\\" : "", *text);
    return np_str_take(&out);
}

TEST(every_option_that_does_something_is_in_the_help_the_man_page_and_the_completions)
{
    NP_AUTO(np_freep) char *help = usual_help(NP_COMMAND_HELP);
    NP_AUTO(np_freep) char *man = man_text();
    NP_AUTO(np_freep) char *bash = completion_text("bash");
    NP_AUTO(np_freep) char *zsh = completion_text("zsh");
    NP_AUTO(np_freep) char *fish = completion_text("fish");

    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        NP_AUTO(np_freep) char *name = np_xasprintf("--%s", option->name);
        NP_AUTO(np_freep) char *name_in_man = roff(name);
        NP_AUTO(np_freep) char *name_in_fish = np_xasprintf(" -l %s ", option->name);
        if (option->later) { /* it does nothing yet */
            ok(!strstr(help, name));
            continue;
        }
        ok(!strstr(help, name) == !!(option->traits & NP_OPT_UNLISTED));
        ok_contains(man, name_in_man);
        ok_contains(bash, name);
        ok_contains(zsh, name);
        ok_contains(fish, name_in_fish);
    }
}

TEST(help_fits_100_columns_and_has_forms_exit_codes_and_examples)
{
    NP_AUTO(np_freep) char *help = usual_help(NP_COMMAND_HELP);

    ok(longest_line(help) <= 100);
    for (size_t i = 0; i < np_n_commands; i++)
        ok_contains(help, np_commands[i].form);
    for (int i = 0; i < NP_N_OUTCOMES; i++) {
        const struct np_outcome_info *info = np_outcome_info((enum np_outcome)i);
        NP_AUTO(np_freep) char *row = np_xasprintf("%3d  %s ", info->exit_status, info->name);
        ok_contains(help, row);
    }
    for (const struct np_cli_example *e = np_cli_examples; e->line; e++)
        ok_contains(help, e->line);
    ok_contains(help, "--output-spaces");
}

TEST(help_shows_the_defaults_it_is_given)
{
    struct np_config defaults;

    np_config_init(&defaults);
    defaults.normalize = NP_NORMALIZE_PERCENTILE;
    defaults.demo_participants = 77;
    NP_AUTO(np_freep) char *help = help_text(NP_COMMAND_HELP, &defaults);
    ok_contains(help, "[default: percentile]");
    ok_contains(help, "[default: 77]");
    ok_contains(help, "[default: T1w T2w FLAIR UNIT1]");
    np_config_done(&defaults);
}

TEST(help_of_a_command_has_its_options_and_no_others)
{
    NP_AUTO(np_freep) char *status = usual_help(NP_COMMAND_STATUS);
    NP_AUTO(np_freep) char *process = usual_help(NP_COMMAND_PROCESS);

    ok_contains(status, "neuro-preprocess status OUTPUT_DIR");
    ok_contains(status, "--failed");
    ok(strstr(status, "--normalize") == NULL);
    ok_contains(process, "--normalize");
    ok_contains(process, "--output-dir");
    ok(strstr(process, "--failed") == NULL);
    ok(longest_line(process) <= 100);
}

/* Run a checker over text in a file; false when it fails or prints. */
static bool accepts(const char *command, const char *name, const char *text)
{
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), name);
    NP_AUTO(np_freep) char *line = np_xasprintf("%s '%s' 2>&1", command, path);
    char said[256] = "";

    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
    FILE *pipe = popen(line, "r");
    if (!pipe)
        return false;
    size_t n = fread(said, 1, sizeof(said) - 1, pipe);
    int status = pclose(pipe);
    if (n)
        printf("# %s: %s\n", command, said);
    return n == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(bash_accepts_its_completion_script)
{
    NP_AUTO(np_freep) char *bash = completion_text("bash");

    ok(accepts("bash -n", "script.bash", bash));
}

/* Completions that bash offers after `words`; the caller frees. */
static char *bash_offers(const char *words, int n_words)
{
    NP_AUTO(np_freep) char *bash = completion_text("bash");
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), "offers.bash");
    NP_AUTO(np_freep)
    char *line = np_xasprintf("bash -c 'source \"%s\"; COMP_WORDS=(%s); COMP_CWORD=%d; "
                              "_neuro_preprocess; echo \"${COMPREPLY[*]}\"'",
                              path, words, n_words - 1);
    char said[4096] = "";

    ok_int(np_file_write_atomic(path, bash, strlen(bash), NULL), 0);
    FILE *pipe = popen(line, "r");
    if (!pipe)
        return np_xstrdup("");
    said[fread(said, 1, sizeof(said) - 1, pipe)] = '\0';
    pclose(pipe);
    said[strcspn(said, "\n")] = '\0';
    return np_xstrdup(said);
}

TEST(bash_completes_options_values_levels_and_verbs)
{
    static const struct {
        const char *words;
        int n_words;
        const char *offers;
    } cases[] = {
        {"neuro-preprocess B O participant --norm", 5, "--normalize"},
        {"neuro-preprocess B O participant --normalize w", 6, "whitestripe"},
        {"neuro-preprocess B O participant --skull-strip-t1w f", 6, "force"},
        {"neuro-preprocess B O pa", 4, "participant"},
        {"neuro-preprocess stat", 2, "status"},
        {"neuro-preprocess status O --f", 4, "--failed --format"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *offers = bash_offers(cases[i].words, cases[i].n_words);
        ok_str(offers, cases[i].offers);
    }
}

TEST(man_renders_the_page_without_a_warning)
{
    NP_AUTO(np_freep) char *man = man_text();

    if (system("command -v man >/dev/null 2>&1") != 0) {
        tap_skip("man is not installed");
        return;
    }
    ok(accepts("LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -l -Tutf8 2>&1 >/dev/null", "np.1",
               man));
}

TEST(an_unknown_shell_is_refused)
{
    struct np_error err = {0};

    ok_int(np_cli_print_completion(stdout, "csh", &err), NP_EUSAGE);
    ok_contains(err.text, "bash, zsh or fish");
}

TEST(every_exit_status_name_and_error_is_explained)
{
    for (int i = 0; i < NP_N_OUTCOMES; i++) {
        const struct np_outcome_info *info = np_outcome_info((enum np_outcome)i);
        NP_AUTO(np_freep) char *status = np_xasprintf("%d", info->exit_status);
        NP_AUTO(np_freep) char *by_status = explanation(status);
        NP_AUTO(np_freep) char *by_name = explanation(info->name);
        ok_str(by_status, by_name);
        ok_contains(by_name, info->meaning);
        ok_contains(by_name, info->remedy);
    }
    for (int code = -1; code > -NP_N_ERROR_ORDINALS; code--) {
        NP_AUTO(np_freep) char *text = explanation(np_error_ident(code));
        ok_contains(text, np_error_summary(code));
        ok_contains(text, np_outcome_info(np_error_outcome(code))->name);
    }
}

TEST(every_warning_is_explained_by_its_key)
{
    for (int i = 0; i < NP_N_WARNINGS; i++) {
        NP_AUTO(np_freep) char *text = explanation(np_warning_rows[i].key);
        ok_contains(text, np_warning_rows[i].meaning);
        ok_contains(text, np_warning_rows[i].remedy);
    }
}

TEST(signals_are_explained_and_unknown_codes_are_a_usage_error)
{
    struct np_error err = {0};
    NP_AUTO(np_freep) char *hangup = explanation("129");

    ok_contains(hangup, "signal 1");
    ok_contains(hangup, "interrupted");
    ok_int(np_cli_explain(stdout, "99", &err), NP_EUSAGE);
    ok_contains(err.text, "65 bad-data");
    ok_int(np_cli_explain(stdout, "", NULL), NP_EUSAGE);
    ok_int(np_cli_explain(stdout, "\xff", NULL), NP_EUSAGE);
}

TEST(the_first_line_holds_only_the_version)
{
    struct capture c;
    struct np_strings libraries = {0};

    np_strings_add(&libraries, "zlib 1.2.3");
    capture_begin(&c);
    np_cli_print_version(c.out, &libraries);
    NP_AUTO(np_freep) char *text = capture_end(&c);
    ok(np_starts_with(text, "neuro-preprocess " NP_VERSION "\ncompiler:"));
    ok_contains(text, "zlib 1.2.3");
    ok_contains(text, "jansson ");
    ok_contains(text, "commit:");
    np_strings_done(&libraries);
}

/* A document of the tree; tests run from its top. The caller frees. */
static char *document(const char *path)
{
    struct np_str content = {0};

    ok_int(np_file_read(path, 1 << 20, &content, NULL), 0);
    return np_str_take(&content);
}

TEST(the_exit_code_document_agrees_with_the_table)
{
    NP_AUTO(np_freep) char *text = document("docs/exit-codes.md");
    size_t n_rows = 0, n_outcomes = 0;

    for (int i = 0; i < NP_N_OUTCOMES; i++, n_outcomes++) {
        const struct np_outcome_info *info = np_outcome_info((enum np_outcome)i);
        NP_AUTO(np_freep)
        char *row = np_xasprintf("\n| %d | %s | %s | %s | %s |", info->exit_status, info->name,
                                 info->meaning, info->remedy, np_retry_text(info->retry));
        ok_contains(text, row);
    }
    for (const char *at = text; (at = strstr(at, "\n| ")) != NULL; at++)
        n_rows += at[3] >= '0' && at[3] <= '9';
    ok_int((int64_t)n_rows, (int64_t)n_outcomes);
    for (int code = -1; code > -NP_N_ERROR_ORDINALS; code--) {
        NP_AUTO(np_freep)
        char *row =
            np_xasprintf("\n| `%s` | %s | %s |", np_error_ident(code), np_error_summary(code),
                         np_outcome_info(np_error_outcome(code))->name);
        ok_contains(text, row);
    }
}

TEST(the_document_of_outputs_has_every_kind_of_warning)
{
    NP_AUTO(np_freep) char *text = document("docs/outputs.md");

    for (int i = 0; i < NP_N_WARNINGS; i++) {
        const struct np_warning_row *info = &np_warning_rows[i];
        NP_AUTO(np_freep)
        char *row = np_xasprintf("\n| `%s` | %s | %s |\n", info->key, info->meaning, info->remedy);
        ok_contains(text, row);
    }
}

TEST(the_usage_document_names_every_option_and_command)
{
    NP_AUTO(np_freep) char *text = document("docs/usage.md");

    for (size_t i = 0; i < np_n_options; i++) {
        NP_AUTO(np_freep) char *name = np_xasprintf("`--%s", np_options[i].name);
        if (np_options[i].later)
            continue;
        ok_contains(text, name);
        ok_contains(text, np_options[i].help);
        NP_AUTO(np_freep)
        char *aliases = np_xstrdup(np_options[i].aliases ? np_options[i].aliases : "");
        char *state = NULL;
        for (char *a = strtok_r(aliases, " ", &state); a; a = strtok_r(NULL, " ", &state)) {
            NP_AUTO(np_freep) char *alias = np_xasprintf("`--%s`", a);
            ok_contains(text, alias);
        }
    }
    for (size_t i = 0; i < np_n_commands; i++) {
        NP_AUTO(np_freep) char *form = np_xasprintf("neuro-preprocess %s", np_commands[i].form);
        ok_contains(text, form);
    }
    for (size_t i = 0; i < np_n_foreign_options; i++) {
        NP_AUTO(np_freep) char *name = np_xasprintf("`--%s`", np_foreign_options[i].name);
        ok_contains(text, name);
    }
}

TAP_MAIN
