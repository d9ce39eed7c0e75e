/*
 * The settings of one run: a plain struct, filled once (defaults < config file < environment <
 * flags) and constant afterwards.
 */
#ifndef NP_CONFIG_CONFIG_H
#define NP_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "trace/naming.h"

enum np_command {
    NP_COMMAND_PARTICIPANT, /* BIDS_DIR OUTPUT_DIR participant|session */
    NP_COMMAND_GROUP,
    NP_COMMAND_PROCESS,
    NP_COMMAND_BATCH,
    NP_COMMAND_STATUS,
    NP_COMMAND_REPLAY,
    NP_COMMAND_DOCTOR,
    NP_COMMAND_ESTIMATE,
    NP_COMMAND_DEMO_DATA,
    NP_COMMAND_HELP,
    NP_COMMAND_VERSION,
    NP_COMMAND_EXPLAIN,             /* --explain CODE */
    NP_COMMAND_PRINT_CONFIG,        /* --print-config */
    NP_COMMAND_PRINT_CONFIG_SCHEMA, /* --print-config-schema */
    NP_COMMAND_BIDS_EXEC_SPEC,      /* --bids-exec-spec, of the command `topic` */
    NP_COMMAND_COMPLETION,          /* --completion SHELL */
    NP_COMMAND_MAN,                 /* --man: the page in roff */
    NP_COMMAND_IDPS, /* idps OUTPUT_DIR -o DIR; inputs[0] is OUTPUT_DIR, output_dir is DIR */
};

enum np_skull_strip {
    NP_SKULL_STRIP_AUTO,
    NP_SKULL_STRIP_FORCE,
    NP_SKULL_STRIP_SKIP,
    NP_SKULL_STRIP_CLASSIC
};
enum np_normalize {
    NP_NORMALIZE_ZSCORE,
    NP_NORMALIZE_WHITESTRIPE,
    NP_NORMALIZE_PERCENTILE,
    NP_NORMALIZE_NONE
};
enum np_bias_method { NP_BIAS_N4, NP_BIAS_NONE };
enum np_level { NP_LEVEL_FULL, NP_LEVEL_MINIMAL };
enum np_output_datatype { NP_DATATYPE_FLOAT32, NP_DATATYPE_INT16 };
enum np_report_viewer { NP_REPORT_VIEWER_NONE, NP_REPORT_VIEWER_SPRITE };
enum np_output_layout { NP_LAYOUT_BIDS };
enum np_rerun { NP_RERUN_MISSING, NP_RERUN_FAILED, NP_RERUN_OUTDATED, NP_RERUN_ALL };
enum np_format { NP_FORMAT_TABLE, NP_FORMAT_TSV, NP_FORMAT_JSON, NP_FORMAT_NIPOPPY };

struct np_config {
    enum np_command command;
    enum np_command topic; /* of NP_COMMAND_HELP: the command asked about, itself = all of them */

    /* places; NULL when not given */
    char *bids_dir;
    char *output_dir;
    struct np_strings inputs; /* process: files; batch: one folder */

    /* selection; empty = everything. Labels without their prefix. */
    struct np_strings participants;
    struct np_strings sessions; /* may hold "unnamed" */
    struct np_strings tasks, runs, echoes;
    struct np_strings modalities; /* suffixes; never empty after the defaults */
    char *bids_filter_file;
    char *session_list;

    /* methods */
    enum np_skull_strip skull_strip;
    enum np_normalize normalize;
    enum np_bias_method bias_correction;
    char *mask_dir; /* brain masks made elsewhere; not part of the configuration of a folder */

    /* resources; 0 = determined at run time */
    int nprocs;
    int parallel;
    int omp_nthreads;
    int64_t mem_bytes;
    char *work_dir;
    bool clean_workdir;

    /* outputs */
    enum np_level level;
    bool save_bias_field;
    bool save_brain;
    bool save_probseg;
    enum np_output_datatype output_datatype; /* of images in the source's units */
    enum np_output_layout output_layout;
    enum np_report_viewer report_viewer; /* this version writes no pages */
    bool reports_only;                   /* process nothing */

    /* policy */
    bool stop_on_first_crash;
    bool canary; /* let the canary through before the first session */
    enum np_rerun rerun;
    bool dry_run;
    bool plan_only;
    bool allow_empty;
    bool allow_mixed;
    bool redact;

    /* dataset */
    char *dataset_name;
    struct np_strings dataset_links; /* "NAME=URI" */

    /* telemetry */
    char *otel_endpoint; /* may hold a password: print it only through np_url_redact */
    char *metrics_textfile;
    enum np_naming telemetry_id;
    bool no_telemetry;
    double otel_timeout_s; /* for pending telemetry at the end; 0 = from the environment, else 5 */

    /* replay; inputs are records and folders */
    bool replay_all, replay_again, replay_prune;
    char *replay_since;

    /* injected faults */
    double fail_rate;
    char *slow_stage;    /* stage name */
    double slow_stage_s; /* seconds added to it */
    bool wrong_canary;
    uint64_t random_seed;

    /* status */
    bool status_failed, status_warnings;
    enum np_format format;
    bool verify, verify_hash, watch;
    struct np_strings withdraw, restore; /* sessions as users write them */

    /* demo-data; inputs[0] is the folder */
    int demo_participants;
    int demo_sessions;
    double demo_size_mm; /* voxel size: edge in mm */

    /* misc */
    int verbosity; /* -1 quiet, 0, 1, 2, 3 */
    char *config_file;
    char *argument; /* of --explain, --completion */

    /*
     * For records: argv with "***" for passwords and queries in URLs, and the ignored flags of
     * other tools.
     */
    struct np_strings command_line;
    struct np_strings foreign;
};

/* Set every field to its default; reads no file, environment or command line. */
void np_config_init(struct np_config *config);

/* Release what the fields own; accepts a zeroed struct. */
void np_config_done(struct np_config *config);

/*
 * `text` without secrets: in a URL, user, password and query become "***" (also in
 * "user:password@host" without a scheme). Text before the URL, such as "--option=", is kept. The
 * caller frees.
 */
char *np_url_redact(const char *text);

/*
 * The options that change results, as canonical JSON text (sorted keys); the caller frees. Two runs
 * with the same text make the same files from the same input.
 */
char *np_config_results_json(const struct np_config *config);

/* The same for people: "bias-correction n4, level full, …" without options that are off; the caller
 * frees. */
char *np_config_results_text(const struct np_config *config);

#endif
