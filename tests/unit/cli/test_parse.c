/* Command lines as people and drivers write them. */
#include "cli/parse.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "tap.h"

/* One parsed command line. */
struct parsed {
    struct np_config config;
    struct np_strings notices;
    struct np_error err;
    int code;
};

enum { MOST_WORDS = 40 };

/* Parse words separated by spaces; "neuro-preprocess" is put before them. */
static struct parsed parse(const char *text)
{
    struct parsed p = {0};
    char *words = np_xstrdup(text), *state = NULL;
    char program[] = "neuro-preprocess";
    char *argv[MOST_WORDS + 1] = {program};
    int argc = 1;

    for (char *w = strtok_r(words, " ", &state); w && argc < MOST_WORDS;
         w = strtok_r(NULL, " ", &state))
        argv[argc++] = w;
    np_config_init(&p.config);
    p.code = np_cli_parse(argc, argv, &p.config, &p.notices, &p.err);
    free(words);
    return p;
}

static void done(struct parsed *p)
{
    np_config_done(&p->config);
    np_strings_done(&p->notices);
}

/* The fields that a command line is about, as text. */
static char *text_of(const struct np_config *config)
{
    NP_AUTO(np_freep) char *inputs = np_strings_join(&config->inputs, ",", 9);
    NP_AUTO(np_freep) char *participants = np_strings_join(&config->participants, ",", 9);
    NP_AUTO(np_freep) char *sessions = np_strings_join(&config->sessions, ",", 9);
    NP_AUTO(np_freep) char *modalities = np_strings_join(&config->modalities, ",", 9);

    return np_xasprintf("%d bids=%s out=%s in=%s sub=%s ses=%s mod=%s n=%d par=%d omp=%d mem=%lld "
                        "work=%s v=%d",
                        (int)config->command, config->bids_dir ? config->bids_dir : "",
                        config->output_dir ? config->output_dir : "", inputs, participants,
                        sessions, modalities, config->nprocs, config->parallel,
                        config->omp_nthreads, (long long)(config->mem_bytes >> 20),
                        config->work_dir ? config->work_dir : "", config->verbosity);
}

#define ALL "mod=T1w,T2w,FLAIR,UNIT1"
#define NO_CPUS "n=0 par=0 omp=0 mem=0 work= v=0"

TEST(command_lines_of_people_and_drivers_give_the_expected_settings)
{
    static const struct {
        const char *line, *expected;
    } cases[] = {
        /* BIDS App */
        {"B O participant", "0 bids=B out=O in= sub= ses= " ALL " " NO_CPUS},
        {"B O session", "0 bids=B out=O in= sub= ses= " ALL " " NO_CPUS},
        {"B O group", "1 bids=B out=O in= sub= ses= " ALL " " NO_CPUS},
        {"--nprocs 2 B O participant",
         "0 bids=B out=O in= sub= ses= " ALL " n=2 par=0 omp=0 mem=0 work= v=0"},
        {"B O --nprocs 2 participant -vv",
         "0 bids=B out=O in= sub= ses= " ALL " n=2 par=0 omp=0 mem=0 work= v=2"},
        {"--participant-label 01 02 -- B O participant",
         "0 bids=B out=O in= sub=01,02 ses= " ALL " " NO_CPUS},
        {"./process O participant", "0 bids=./process out=O in= sub= ses= " ALL " " NO_CPUS},
        /* Nipoppy through Boutiques: positionals, then lists */
        {"B O participant --participant-label 01 --session-label unnamed --work-dir W "
         "--n_cpus 4 --allow-empty",
         "0 bids=B out=O in= sub=01 ses=unnamed " ALL " n=4 par=0 omp=0 mem=0 work=W v=0"},
        /* BABS: prefix, filter file, short work dir, verbosity */
        {"inputs/data/BIDS outputs participant --bids-filter-file F.json -w W --n_cpus 1 "
         "--stop-on-first-crash --skip-bids-validation -v -v --participant-label sub-01",
         "0 bids=inputs/data/BIDS out=outputs in= sub=01 ses= " ALL
         " n=1 par=0 omp=0 mem=0 work=W v=2"},
        /* CBRAIN: underscores, "=" */
        {"B O participant --participant_label=sub-01 --participant_label=02 --session_label=ses-a "
         "--mem_mb=8000 --n_procs=3 --omp-nthreads=2",
         "0 bids=B out=O in= sub=01,02 ses=a " ALL " n=3 par=0 omp=2 mem=8000 work= v=0"},
        {"B O participant --participant-labels 01 --participant_labels 02 03 --session-id x",
         "0 bids=B out=O in= sub=01,02,03 ses=x " ALL " " NO_CPUS},
        {"B O participant -m t1w FLAIR --nthreads 8 --parallel 2 --mem-gb 1.5 --verbose --quiet",
         "0 bids=B out=O in= sub= ses= mod=T1w,FLAIR n=8 par=2 omp=0 mem=1536 work= v=-1"},
        {"B O participant -m T2w --anat-only --mem 8G",
         "0 bids=B out=O in= sub= ses= " ALL " n=0 par=0 omp=0 mem=8192 work= v=0"},
        {"B O participant -vvvv",
         "0 bids=B out=O in= sub= ses= " ALL " n=0 par=0 omp=0 mem=0 work= v=3"},
        /* files and folders */
        {"process a.nii b.nii.gz -o O",
         "2 bids= out=O in=a.nii,b.nii.gz sub= ses= " ALL " " NO_CPUS},
        {"process -o O -m T2w -- -odd.nii", "2 bids= out=O in=-odd.nii sub= ses= mod=T2w " NO_CPUS},
        {"batch D -o O --parallel 2",
         "3 bids= out=O in=D sub= ses= " ALL " n=0 par=2 omp=0 mem=0 work= v=0"},
        {"--input a.nii --output O", "2 bids= out=O in=a.nii sub= ses= " ALL " " NO_CPUS},
        {"--input-dir D --output-dir O --parallel 2",
         "3 bids= out=O in=D sub= ses= " ALL " n=0 par=2 omp=0 mem=0 work= v=0"},
        /* the others */
        {"status O --failed --format nipoppy", "4 bids= out=O in= sub= ses= " ALL " " NO_CPUS},
        {"doctor", "6 bids= out= in= sub= ses= " ALL " " NO_CPUS},
        {"doctor B O", "6 bids=B out=O in= sub= ses= " ALL " " NO_CPUS},
        {"estimate B --participant-label 01", "7 bids=B out= in= sub=01 ses= " ALL " " NO_CPUS},
        {"demo-data D --participants 3", "8 bids= out= in=D sub= ses= " ALL " " NO_CPUS},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        struct parsed p = parse(cases[i].line);
        NP_AUTO(np_freep) char *text = text_of(&p.config);
        ok_str(p.err.text, "");
        ok_str(text, cases[i].expected);
        ok_int((int64_t)p.notices.n, 0);
        done(&p);
    }
}

TEST(the_numbers_of_commands_in_this_file_are_right)
{
    ok_int(NP_COMMAND_PARTICIPANT, 0);
    ok_int(NP_COMMAND_GROUP, 1);
    ok_int(NP_COMMAND_PROCESS, 2);
    ok_int(NP_COMMAND_BATCH, 3);
    ok_int(NP_COMMAND_STATUS, 4);
    ok_int(NP_COMMAND_DOCTOR, 6);
    ok_int(NP_COMMAND_ESTIMATE, 7);
    ok_int(NP_COMMAND_DEMO_DATA, 8);
}

TEST(errors_of_a_command_line_name_the_error_and_the_correct_form)
{
    static const struct {
        const char *line;
        int code;
        const char *says, *says_too;
    } cases[] = {
        {"", NP_EUSAGE, "BIDS_DIR OUTPUT_DIR {participant|session|group}", "found no words"},
        {"B O", NP_EUSAGE, "BIDS_DIR OUTPUT_DIR", "only 'B' 'O'"},
        {"B O subject", NP_ELEVEL, "participant, session or group", "'subject'"},
        {"B O particpant", NP_ELEVEL, "did you mean 'participant'", "'particpant'"},
        {"B O participant more", NP_EUSAGE, "'more'", "beyond"},
        {"proces a.nii", NP_EUSAGE, "did you mean 'process'", "BIDS_DIR"},
        {"statsu O", NP_EUSAGE, "did you mean 'status'", ""},
        {"--participant-label 01 02 B O participant", NP_EUSAGE, "before --participant-label",
         "'--'"},
        {"process a.nii", NP_EUSAGE, "-o DIR", "process"},
        {"process -o O", NP_EUSAGE, "process FILE... -o DIR", ""},
        {"process a.nii -o O -m T1w T2w", NP_EUSAGE, "expects one", "2"},
        {"batch D E -o O", NP_EUSAGE, "'E'", "batch DIR"},
        {"status", NP_EUSAGE, "status OUTPUT_DIR", ""},
        {"status O P", NP_EUSAGE, "'P'", ""},
        {"doctor B O P", NP_EUSAGE, "'P'", ""},
        {"demo-data", NP_EUSAGE, "demo-data DIR", ""},
        {"status O --rerun all", NP_EUSAGE, "--rerun", "participant"},
        {"B O participant -o X", NP_EUSAGE, "-o", "process, batch"},
        {"B O participant --participants 3", NP_EUSAGE, "--participants", "demo-data"},
        {"B O participant --nproc 2", NP_EUSAGE, "unknown option '--nproc'",
         "did you mean '--nprocs'"},
        {"B O participant --participant_lable 1", NP_EUSAGE, "did you mean '--participant-label'",
         ""},
        {"B O participant --part 1", NP_EUSAGE, "did you mean '--participant", ""},
        {"B O participant -mem-gb 8", NP_EUSAGE, "'-mem-gb'", "did you mean '--mem-gb'"},
        {"B O participant -x", NP_EUSAGE, "unknown option", "'-x'"},
        {"B O participant --qqqqqqqq", NP_EUSAGE, "unknown option", "'--qqqqqqqq'"},
        {"B O participant --participant-label", NP_EUSAGE, "--participant-label: expected LABEL",
         "end of the line"},
        {"B O participant --participant-label --dry-run", NP_EUSAGE, "expected LABEL",
         "'--dry-run'"},
        {"B O participant --participant-label= --dry-run", NP_EUSAGE, "expected", "found nothing"},
        {"B O participant --nprocs --dry-run", NP_EUSAGE, "--nprocs: expected N", "--nprocs=VALUE"},
        {"B O participant --nprocs 0", NP_EUSAGE, "--nprocs: expected a whole number", "'0'"},
        {"B O participant --nprocs -1", NP_EUSAGE, "--nprocs: expected a whole number", "'-1'"},
        {"B O participant --dry-run=1", NP_EUSAGE, "--dry-run: takes no value", ""},
        {"B O participant --mem 8000", NP_EUSAGE, "--mem: expected a size with its unit",
         "found '8000'"},
        {"B O participant --fail-rate 2", NP_EUSAGE, "from 0 to 1", "'2'"},
        {"B O participant -m bold", NP_EUSAGE, "-m: 'bold' comes later", "T1w, T2w, FLAIR"},
        {"B O participant -m T3w", NP_EUSAGE, "-m: expected one of T1w, T2w, FLAIR", "'T3w'"},
        {"B O participant --skull_strip yes", NP_EUSAGE, "--skull_strip: expected one of auto",
         "'yes'"},
        {"B O participant --dataset-link raw", NP_EUSAGE, "NAME=URI", "'raw'"},
        {"replay D --failed", NP_EUSAGE, "--failed: not an option of", "replay"},
        {"replay --all", NP_EUSAGE, "replay DIR", ""},
        {"--explain", NP_EUSAGE, "--explain: expected CODE", ""},
        {"--completion csh", NP_EUSAGE, "bash, zsh, fish", "'csh'"},
        {"B O participant --config-file /nowhere/x.json", NP_ENOINPUT, "/nowhere/x.json", ""},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        struct parsed p = parse(cases[i].line);
        ok_str(np_error_ident(p.code), np_error_ident(cases[i].code));
        ok_contains(p.err.text, cases[i].says);
        ok_contains(p.err.text, cases[i].says_too);
        done(&p);
    }
}

TEST(options_that_only_print_need_nothing_else)
{
    static const struct {
        const char *line;
        enum np_command command, topic;
        const char *argument;
    } cases[] = {
        {"--help", NP_COMMAND_HELP, NP_COMMAND_HELP, NULL},
        {"-h", NP_COMMAND_HELP, NP_COMMAND_HELP, NULL},
        {"process --help", NP_COMMAND_HELP, NP_COMMAND_PROCESS, NULL},
        {"--help status", NP_COMMAND_HELP, NP_COMMAND_STATUS, NULL},
        {"B O participant --help", NP_COMMAND_HELP, NP_COMMAND_HELP, NULL},
        {"--version", NP_COMMAND_VERSION, NP_COMMAND_HELP, NULL},
        {"--explain bad-data", NP_COMMAND_EXPLAIN, NP_COMMAND_HELP, "bad-data"},
        {"--explain=65", NP_COMMAND_EXPLAIN, NP_COMMAND_HELP, "65"},
        {"--completion zsh", NP_COMMAND_COMPLETION, NP_COMMAND_HELP, "zsh"},
        {"--man", NP_COMMAND_MAN, NP_COMMAND_HELP, NULL},
        {"--bids-exec-spec", NP_COMMAND_BIDS_EXEC_SPEC, NP_COMMAND_HELP, NULL},
        {"--bids_exec_spec", NP_COMMAND_BIDS_EXEC_SPEC, NP_COMMAND_HELP, NULL},
        {"--print-config", NP_COMMAND_PRINT_CONFIG, NP_COMMAND_HELP, NULL},
        {"--print-config-schema", NP_COMMAND_PRINT_CONFIG_SCHEMA, NP_COMMAND_HELP, NULL},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        struct parsed p = parse(cases[i].line);
        ok_str(p.err.text, "");
        ok_int(p.config.command, cases[i].command);
        ok_int(p.config.topic, cases[i].topic);
        ok_str(p.config.argument, cases[i].argument);
        done(&p);
    }
}

TEST(print_config_shows_what_the_rest_of_the_line_sets)
{
    struct parsed p = parse("B O participant --print-config --normalize none");

    ok_int(p.code, 0);
    ok_int(p.config.command, NP_COMMAND_PRINT_CONFIG);
    ok_int(p.config.normalize, NP_NORMALIZE_NONE);
    ok_str(p.config.bids_dir, "B");
    done(&p);
}

TEST(options_of_other_tools_are_ignored_with_one_notice)
{
    struct parsed p = parse("B O participant --notrack --no-sub --resource-monitor --write-graph "
                            "--fs-license-file L.txt --output-spaces MNI152NLin2009cAsym T1w "
                            "--bids-database-dir D --low-mem --verbose-reports --use-plugin P.yml "
                            "--fs_no_reconall --nprocs 3");

    ok_str(p.err.text, "");
    ok_int(p.config.nprocs, 3);
    ok_int((int64_t)p.config.foreign.n, 11);
    ok_str(p.config.foreign.item[4], "--fs-license-file");
    ok_int((int64_t)p.notices.n, 1);
    ok_contains(p.notices.item[0], "--output-spaces, --bids-database-dir");
    done(&p);
}

TEST(a_list_of_another_tool_does_not_swallow_the_positionals_in_silence)
{
    struct parsed p = parse("--output-spaces T1w B O participant");

    ok_int(p.code, NP_EUSAGE);
    ok_contains(p.err.text, "before --output-spaces");
    done(&p);
}

TEST(drivers_validation_flags_change_nothing)
{
    struct parsed p = parse("B O participant --skip-bids-validation --skip_bids_validation "
                            "--skip_bids_validator");

    ok_int(p.code, 0);
    ok_int((int64_t)p.notices.n, 0);
    done(&p);
}

TEST(each_option_of_a_later_version_gives_one_notice)
{
    struct parsed p = parse("B O participant --redact --report-viewer sprite --reports-only");

    ok_int(p.code, 0);
    ok_int((int64_t)p.notices.n, 3);
    NP_AUTO(np_freep) char *text = np_strings_join(&p.notices, "\n", 9);
    ok_contains(text, "--redact: ");
    ok_contains(text, "--report-viewer: ");
    ok_contains(text, "--reports-only: nothing is done");
    done(&p);
    p = parse("B O participant --report-viewer none");
    ok_int((int64_t)p.notices.n, 0);
    done(&p);
}

TEST(the_recorded_command_line_holds_no_password)
{
    struct parsed p = parse("B O participant --otel-endpoint http://me:secret@h "
                            "--otel_endpoint=https://me:secret@h/?key=secret");
    NP_AUTO(np_freep) char *text = np_strings_join(&p.config.command_line, " ", 99);

    ok_str(text, "neuro-preprocess B O participant --otel-endpoint http://***@h "
                 "--otel_endpoint=https://***@h/?***");
    ok_str(p.config.otel_endpoint, "https://me:secret@h/?key=secret");
    done(&p);
}

TEST(the_group_level_accepts_options_of_drivers_and_names_those_it_ignores)
{
    struct parsed p = parse("B O group --participant-label 01 --work-dir W --n_cpus 4");

    ok_int(p.code, 0);
    ok_int((int64_t)p.notices.n, 1);
    ok_contains(p.notices.item[0], "--participant-label");
    done(&p);
}

static char *write_config(const char *name, const char *text)
{
    char *path = np_path_join(tap_directory(), name);

    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
    return path;
}

TEST(flags_beat_the_environment_which_beats_the_file_which_beats_the_defaults)
{
    NP_AUTO(np_freep)
    char *path = write_config(
        "order.json", "{\"nprocs\": 1, \"parallel\": 1, \"normalize\": \"none\", \"verbose\": 2,"
                      " \"participant-label\": [\"f1\", \"f2\"], \"session-label\": [\"f3\"]}");
    NP_AUTO(np_freep)
    char *line = np_xasprintf(
        "B O participant --nprocs 3 --participant-label c1 --participant-label c2 -v --config-file "
        "%s",
        path);

    setenv("NEURO_PREPROCESS_NPROCS", "2", 1);
    setenv("NEURO_PREPROCESS_PARALLEL", "2", 1);
    setenv("NEURO_PREPROCESS_SESSION_LABEL", "e1 ses-e2", 1);
    struct parsed p = parse(line);
    unsetenv("NEURO_PREPROCESS_NPROCS");
    unsetenv("NEURO_PREPROCESS_PARALLEL");
    unsetenv("NEURO_PREPROCESS_SESSION_LABEL");
    NP_AUTO(np_freep) char *text = text_of(&p.config);
    ok_str(p.err.text, "");
    ok_str(text, "0 bids=B out=O in= sub=c1,c2 ses=e1,e2 " ALL " n=3 par=2 omp=0 mem=0 work= v=1");
    ok_int(p.config.normalize, NP_NORMALIZE_NONE);
    ok_int(p.config.bias_correction, NP_BIAS_N4);
    done(&p);
}

TEST(the_environment_can_name_the_file)
{
    NP_AUTO(np_freep) char *path = write_config("env.json", "{\"level\": \"minimal\"}");

    setenv("NEURO_PREPROCESS_CONFIG_FILE", path, 1);
    struct parsed p = parse("B O participant");
    unsetenv("NEURO_PREPROCESS_CONFIG_FILE");
    ok_int(p.code, 0);
    ok_int(p.config.level, NP_LEVEL_MINIMAL);
    done(&p);
}

TEST(a_broken_file_or_environment_is_a_configuration_error_but_never_stops_help)
{
    NP_AUTO(np_freep) char *path = write_config("broken.json", "{\"nproc\": 1}");
    NP_AUTO(np_freep) char *line = np_xasprintf("B O participant --config-file %s", path);
    NP_AUTO(np_freep) char *help = np_xasprintf("--config-file %s --help", path);
    struct parsed p = parse(line);

    ok_int(p.code, NP_ECONFIG);
    ok_contains(p.err.text, "did you mean 'nprocs'");
    done(&p);
    p = parse(help);
    ok_int(p.code, 0);
    done(&p);
    setenv("NEURO_PREPROCESS_FAIL_RATE", "lots", 1);
    p = parse("B O participant");
    unsetenv("NEURO_PREPROCESS_FAIL_RATE");
    ok_int(p.code, NP_ECONFIG);
    done(&p);
}

TEST(bytes_that_are_no_utf8_survive_in_paths)
{
    struct parsed p = parse("/data/\xe9t\xe9 /out/\xff participant -w /w\xfe");

    ok_int(p.code, 0);
    ok_str(p.config.bids_dir, "/data/\xe9t\xe9");
    ok_str(p.config.output_dir, "/out/\xff");
    ok_str(p.config.work_dir, "/w\xfe");
    done(&p);
    p = parse("process \xff.nii -o O");
    ok_str(p.config.inputs.item[0], "\xff.nii");
    done(&p);
    p = parse("/data O \xff");
    ok_int(p.code, NP_ELEVEL);
    ok(strchr(p.err.text, '\xff') == NULL);
    done(&p);
}

TEST(an_empty_vector_of_words_is_a_usage_error)
{
    struct np_config config;
    struct np_strings notices = {0};
    char *argv[] = {NULL};

    np_config_init(&config);
    ok_int(np_cli_parse(0, argv, &config, &notices, NULL), NP_EUSAGE);
    np_config_done(&config);
    np_strings_done(&notices);
}

TAP_MAIN
