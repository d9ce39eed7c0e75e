#include "config/options.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/measure.h"
#include "catalog/modality.h"
#include "catalog/stage_name.h"

#define BIT(name) (1u << NP_COMMAND_##name)

/* Commands that accept an option. The group level accepts what drivers pass to every level. */
enum {
    BIDS = BIT(PARTICIPANT) | BIT(GROUP) | BIT(ESTIMATE),
    RUN = BIT(PARTICIPANT) | BIT(GROUP) | BIT(PROCESS) | BIT(BATCH),
    PLANNED = RUN | BIT(ESTIMATE) | BIT(DOCTOR),
    FILES = BIT(PROCESS) | BIT(BATCH),
    ALL = ~0u >> 1,
};

/* The mask is drawn on the corrected head, and the second field is fitted inside the mask. */
enum { EVERY_SIDECAR = NP_IN_BIAS_SIDECARS | NP_IN_BRAIN_SIDECARS | NP_IN_TISSUE };

#define FIELD(name) .field = offsetof(struct np_config, name)

static const struct np_choice skull_strip_words[] = {
    {"auto", NP_SKULL_STRIP_AUTO},
    {"force", NP_SKULL_STRIP_FORCE},
    {"skip", NP_SKULL_STRIP_SKIP},
    {"classic", NP_SKULL_STRIP_CLASSIC},
    {NULL, 0},
};
static const struct np_choice normalize_words[] = {
    {"zscore", NP_NORMALIZE_ZSCORE},
    {"whitestripe", NP_NORMALIZE_WHITESTRIPE},
    {"percentile", NP_NORMALIZE_PERCENTILE},
    {"none", NP_NORMALIZE_NONE},
    {NULL, 0},
};
static const struct np_choice bias_words[] = {
    {"n4", NP_BIAS_N4},
    {"none", NP_BIAS_NONE},
    {NULL, 0},
};
static const struct np_choice level_words[] = {
    {"full", NP_LEVEL_FULL},
    {"minimal", NP_LEVEL_MINIMAL},
    {NULL, 0},
};
static const struct np_choice datatype_words[] = {
    {"float32", NP_DATATYPE_FLOAT32},
    {"int16", NP_DATATYPE_INT16},
    {NULL, 0},
};
static const struct np_choice rerun_words[] = {
    {"missing", NP_RERUN_MISSING},
    {"failed", NP_RERUN_FAILED},
    {"outdated", NP_RERUN_OUTDATED},
    {"all", NP_RERUN_ALL},
    {NULL, 0},
};
static const struct np_choice telemetry_id_words[] = {
    {"label", NP_NAME_LABEL},
    {"hash", NP_NAME_HASH},
    {"none", NP_NAME_NONE},
    {NULL, 0},
};
static const struct np_choice viewer_words[] = {
    {"none", NP_REPORT_VIEWER_NONE},
    {"sprite", NP_REPORT_VIEWER_SPRITE},
    {NULL, 0},
};
static const struct np_choice layout_words[] = {
    {"bids", NP_LAYOUT_BIDS},
    {NULL, 0},
};
static const struct np_choice format_words[] = {
    {"table", NP_FORMAT_TABLE},
    {"tsv", NP_FORMAT_TSV},
    {"json", NP_FORMAT_JSON},
    {"nipoppy", NP_FORMAT_NIPOPPY},
    {NULL, 0},
};
/* The meaning of enum np_modality_use for a value of --modalities. */
enum {
    CHOICE_BY_DEFAULT = 0,
    CHOICE_AS_SUBSTITUTE = 0,
    CHOICE_ON_REQUEST = 0,
    CHOICE_IN_A_LATER_VERSION = NP_CHOICE_LATER,
};
#define X(ident, suffix, datatype, key, use, ...) {suffix, CHOICE_##use},
static const struct np_choice modality_words[] = {NP_MODALITIES(X){NULL, 0}};
#undef X
static const struct np_choice shell_words[] = {
    {"bash", 0},
    {"zsh", 0},
    {"fish", 0},
    {NULL, 0},
};
#define X(ident, name) {name, 0},
static const struct np_choice stage_words[] = {NP_STAGE_NAMES(X){NULL, 0}};
#undef X

const struct np_option np_options[] = {
    /* places */
    {"output-dir", "output", 'o', NP_OPT_STRING, NP_GROUP_PLACES, FILES | BIT(IDPS),
     NP_OPT_DIRECTORY, FIELD(output_dir), .argument = "DIR",
     .help = "Folder for the results of 'process', 'batch' and 'idps'; made when it does not "
             "exist."},
    {"input", NULL, 0, NP_OPT_LIST, NP_GROUP_PLACES, BIT(PROCESS), NP_OPT_FILE, FIELD(inputs),
     .argument = "FILE", .help = "Images to process: the same as 'process FILE...'."},
    {"input-dir", NULL, 0, NP_OPT_LIST, NP_GROUP_PLACES, BIT(BATCH),
     NP_OPT_DIRECTORY | NP_OPT_ANOTHER_WAY, FIELD(inputs), .argument = "DIR", .most = 1,
     .help = "Folder of images to process: the same as 'batch DIR'."},
    {"work-dir", NULL, 'w', NP_OPT_STRING, NP_GROUP_PLACES, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_DIRECTORY | NP_OPT_UNLISTED, FIELD(work_dir), .argument = "DIR",
     .help = "Folder for intermediate files. Accepted because drivers pass it; this version has no "
             "intermediate files."},
    {"clean-workdir", NULL, 0, NP_OPT_FLAG, NP_GROUP_PLACES, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_UNLISTED, FIELD(clean_workdir),
     .help = "Accepted because drivers pass it; there are no intermediate files to remove."},

    /* selection */
    {"participant-label", "participant-labels", 0, NP_OPT_LIST, NP_GROUP_SELECTION, BIDS,
     NP_OPT_IN_FILE | NP_OPT_LABEL, FIELD(participants), .argument = "LABEL", .prefix = "sub-",
     .help = "Participants to process, with or without 'sub-'. All when not given."},
    {"session-label", "session-labels session-id", 0, NP_OPT_LIST, NP_GROUP_SELECTION, BIDS,
     NP_OPT_IN_FILE | NP_OPT_LABEL, FIELD(sessions), .argument = "LABEL", .prefix = "ses-",
     .help = "Sessions to process, with or without 'ses-'; 'unnamed' means images that belong to "
             "no session. All when not given."},
    {"session-list", NULL, 0, NP_OPT_STRING, NP_GROUP_SELECTION, BIDS, NP_OPT_IN_FILE | NP_OPT_FILE,
     FIELD(session_list), .argument = "FILE",
     .help = "Text file of the sessions to process, one per line: participant, tab, session. Use "
             "it when lists of labels would select too much. 'status --format nipoppy' writes such "
             "a list."},
    {"modalities", "modality", 'm', NP_OPT_LIST, NP_GROUP_SELECTION, BIDS | FILES, NP_OPT_IN_FILE,
     FIELD(modalities), .argument = "SUFFIX", .choices = modality_words,
     .help = "Kinds of images to process. UNIT1 (MP2RAGE) is used in sessions without T1w; where "
             "there is a T1w, only when T1w is not among the modalities. For 'process' and "
             "'batch': the kind of an image whose "
             "name does not say it (" NP_FIRST_SUFFIX " when not given)."},
    {"anat-only", NULL, 0, NP_OPT_ASSIGN, NP_GROUP_SELECTION, BIDS, NP_OPT_ANOTHER_WAY,
     .same_as = "modalities", .assigns = NP_ANATOMICAL_ARGUMENTS,
     .help = "Anatomical images only: the same as --modalities " NP_ANATOMICAL_ARGUMENTS "."},
    {"task-id", "task-label", 't', NP_OPT_LIST, NP_GROUP_SELECTION, BIDS,
     NP_OPT_IN_FILE | NP_OPT_LABEL | NP_OPT_UNLISTED, FIELD(tasks), .argument = "LABEL",
     .prefix = "task-",
     .help = "Tasks to process. Anatomical images have no task, so this option changes nothing in "
             "this version."},
    {"run-id", "run-label", 0, NP_OPT_LIST, NP_GROUP_SELECTION, BIDS, NP_OPT_IN_FILE | NP_OPT_LABEL,
     FIELD(runs), .argument = "INDEX", .prefix = "run-", .help = "Runs to process."},
    {"echo-idx", NULL, 0, NP_OPT_LIST, NP_GROUP_SELECTION, BIDS, NP_OPT_IN_FILE | NP_OPT_LABEL,
     FIELD(echoes), .argument = "INDEX", .prefix = "echo-", .help = "Echoes to process."},
    {"bids-filter-file", NULL, 0, NP_OPT_STRING, NP_GROUP_SELECTION, BIDS,
     NP_OPT_IN_FILE | NP_OPT_FILE, FIELD(bids_filter_file), .argument = "FILE",
     .help = "JSON file with entities per modality (" NP_ANATOMICAL_FILTER_KEYS
             "). Only images that match it are processed; other keys are ignored."},

    /* methods */
    {"skull-strip", "skull-strip-t1w", 0, NP_OPT_CHOICE, NP_GROUP_METHODS, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_CHANGES_RESULTS, FIELD(skull_strip), .shown = EVERY_SIDECAR,
     .argument = "HOW", .choices = skull_strip_words,
     .help = "Brain extraction; auto recognises an image whose skull was removed already and keeps "
             "it; force makes a mask of any image; skip takes all that is not background; classic "
             "does without the learned network."},
    {"normalize", NULL, 0, NP_OPT_CHOICE, NP_GROUP_METHODS, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_CHANGES_RESULTS, FIELD(normalize), .shown = NP_IN_NORM,
     .argument = "METHOD", .choices = normalize_words,
     .help = "Intensity normalization inside the brain."},
    {"bias-correction", NULL, 0, NP_OPT_CHOICE, NP_GROUP_METHODS, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_CHANGES_RESULTS, FIELD(bias_correction), .shown = EVERY_SIDECAR,
     .argument = "METHOD", .choices = bias_words,
     .help = "Correction of slow intensity changes across the head."},
    {"mask-dir", NULL, 0, NP_OPT_STRING, NP_GROUP_METHODS, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_DIRECTORY, FIELD(mask_dir), .argument = "DIR",
     .help = "Folder of brain masks to use as they are, where there is one: NIfTI files on the "
             "image's grid, above 0.5 is brain, named as the masks that this program writes, "
             "directly in DIR or in folders as in OUTPUT_DIR. A mask is copied to OUTPUT_DIR and "
             "stays in use when DIR is not given again. One that changes makes its session "
             "outdated."},

    /* resources */
    {"nprocs", "nthreads n-cpus n-procs", 0, NP_OPT_INT, NP_GROUP_RESOURCES, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_ZERO_IS_AUTO, FIELD(nprocs), .argument = "N",
     .help = "CPUs for the whole run; auto: as many as the affinity mask, the cgroup and "
             "SLURM_CPUS_PER_TASK allow."},
    {"parallel", NULL, 0, NP_OPT_INT, NP_GROUP_RESOURCES, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_ZERO_IS_AUTO, FIELD(parallel), .argument = "N",
     .help = "Sessions at once; auto: as many as CPUs and memory allow."},
    {"omp-nthreads", NULL, 0, NP_OPT_INT, NP_GROUP_RESOURCES, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_ZERO_IS_AUTO, FIELD(omp_nthreads), .argument = "N",
     .help = "Threads of one session; sessions times threads never exceed --nprocs."},
    {"mem", NULL, 0, NP_OPT_MEMORY, NP_GROUP_RESOURCES, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_ZERO_IS_AUTO, FIELD(mem_bytes), .argument = "SIZE",
     .help = "Memory for the whole run, with a suffix: 8G, 8000M (powers of 1024); auto: the least "
             "of the cgroup's limit, Slurm's limit, and 90 % of the available memory. An image "
             "that does not fit is refused before any work."},
    {"mem-gb", NULL, 0, NP_OPT_MEMORY, NP_GROUP_RESOURCES, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_ANOTHER_WAY | NP_OPT_ZERO_IS_AUTO, FIELD(mem_bytes), .argument = "N",
     .unit_bytes = 1073741824.0, .help = "The same in GB: --mem-gb 8."},
    {"mem-mb", NULL, 0, NP_OPT_MEMORY, NP_GROUP_RESOURCES, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_ANOTHER_WAY | NP_OPT_ZERO_IS_AUTO, FIELD(mem_bytes), .argument = "N",
     .unit_bytes = 1048576.0, .help = "The same in MB: --mem-mb 8000."},

    /* outputs */
    {"level", NULL, 0, NP_OPT_CHOICE, NP_GROUP_OUTPUTS, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_CHANGES_RESULTS, FIELD(level), .argument = "LEVEL",
     .choices = level_words,
     .help = "minimal writes neither the normalized image (desc-norm) nor the tissues (dseg)."},
    {"save-bias-field", NULL, 0, NP_OPT_FLAG, NP_GROUP_OUTPUTS, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_CHANGES_RESULTS, FIELD(save_bias_field),
     .help = "Also write the estimated bias field."},
    {"save-brain", NULL, 0, NP_OPT_FLAG, NP_GROUP_OUTPUTS, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_CHANGES_RESULTS, FIELD(save_brain),
     .help =
         "Also write the brain in the units of the source (desc-brain): desc-preproc inside the "
         "mask, 0 outside."},
    {"save-probseg", NULL, 0, NP_OPT_FLAG, NP_GROUP_OUTPUTS, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_CHANGES_RESULTS, FIELD(save_probseg),
     .help =
         "Also write the share of each tissue (label-GM, label-WM and label-CSF, probseg) where "
         "tissues are separated: in T1w and UNIT1."},
    {"output-datatype", NULL, 0, NP_OPT_CHOICE, NP_GROUP_OUTPUTS, PLANNED,
     NP_OPT_IN_FILE | NP_OPT_CHANGES_RESULTS, FIELD(output_datatype),
     .shown = NP_IN_PREPROC | NP_IN_BRAIN, .argument = "TYPE", .choices = datatype_words,
     .help = "Voxels of desc-preproc and desc-brain. int16 (with scl_slope) halves the files; an "
             "image that it would make coarse is written as float32, with a warning."},
    {"output-layout", NULL, 0, NP_OPT_CHOICE, NP_GROUP_OUTPUTS, RUN, NP_OPT_IN_FILE,
     FIELD(output_layout), .argument = "LAYOUT", .choices = layout_words,
     .help = "Layout of the outputs; bids is the only one."},
    {"report-viewer", NULL, 0, NP_OPT_CHOICE, NP_GROUP_OUTPUTS, RUN,
     NP_OPT_IN_FILE | NP_OPT_RECORDED, FIELD(report_viewer), .argument = "VIEWER",
     .choices = viewer_words, .later = "no pages are written: they come in a later version",
     .help = "Viewer in the pages of the sessions. Accepted; pages come in a later version."},
    {"reports-only", NULL, 0, NP_OPT_FLAG, NP_GROUP_OUTPUTS, RUN,
     NP_OPT_RECORDED | NP_OPT_DOES_NOTHING, FIELD(reports_only),
     .later = "nothing is done: pages come in a later version",
     .help = "Write the pages again from existing results, and process nothing. Accepted; pages "
             "come in a later version."},

    /* policy */
    {"rerun", NULL, 0, NP_OPT_CHOICE, NP_GROUP_POLICY, RUN, NP_OPT_IN_FILE, FIELD(rerun),
     .argument = "WHICH", .choices = rerun_words,
     .help = "Sessions to process: missing = all that are not complete, failed ones included; "
             "outdated = also those made with another configuration or method version; this "
             "configuration becomes that of OUTPUT_DIR."},
    {"stop-on-first-crash", NULL, 0, NP_OPT_FLAG, NP_GROUP_POLICY, RUN, NP_OPT_IN_FILE,
     FIELD(stop_on_first_crash), .help = "Start no further session after the first failed one."},
    {"canary", NULL, 0, NP_OPT_FLAG, NP_GROUP_POLICY, RUN, NP_OPT_IN_FILE, FIELD(canary),
     .help = "Before the first session, process one drawn head whose result is known (about a "
             "second). When this machine gives another result, no session is processed, and the "
             "exit status is 75. np-slurm passes it to each task."},
    {"dry-run", NULL, 0, NP_OPT_FLAG, NP_GROUP_POLICY, RUN | BIT(REPLAY), NP_OPT_IN_FILE,
     FIELD(dry_run),
     .help = "Print what would be done and why, one line a session, and do nothing; with --format "
             "json as JSON."},
    {"plan-only", NULL, 0, NP_OPT_FLAG, NP_GROUP_POLICY, BIT(PARTICIPANT), 0, FIELD(plan_only),
     .help =
         "Keep what is asked for and in which configuration, for 'status' and for later runs, "
         "and process nothing; with --format json print the plan as --dry-run does. For scripts "
         "that submit: their jobs may begin much later. When there is nothing to process, no "
         "plan is kept."},
    {"allow-empty", NULL, 0, NP_OPT_FLAG, NP_GROUP_POLICY, RUN, NP_OPT_IN_FILE, FIELD(allow_empty),
     .help = "A session without images counts as complete, not as failed."},
    {"allow-mixed", NULL, 0, NP_OPT_FLAG, NP_GROUP_POLICY, RUN, NP_OPT_IN_FILE, FIELD(allow_mixed),
     .help =
         "Add this configuration to those of OUTPUT_DIR: sessions made in another one are kept, "
         "and the folder then holds results of several. Without it, a run with another "
         "configuration is refused."},
    {"redact", NULL, 0, NP_OPT_FLAG, NP_GROUP_POLICY, RUN, NP_OPT_IN_FILE | NP_OPT_RECORDED,
     FIELD(redact), .later = "pages that could be redacted come in a later version",
     .help =
         "Leave host, paths and command line out of pages. Accepted; this version makes no pages."},
    {"skip-bids-validation", "skip-bids-validator", 0, NP_OPT_NOTHING, NP_GROUP_POLICY, PLANNED,
     NP_OPT_UNLISTED, .help = "Accepted because drivers pass it; this program runs no validator."},

    /* dataset */
    {"dataset-name", NULL, 0, NP_OPT_STRING, NP_GROUP_DATASET, RUN, NP_OPT_IN_FILE,
     FIELD(dataset_name), .argument = "NAME",
     .help =
         "Name of the dataset in records, instead of the name in its dataset_description.json."},
    {"dataset-link", "dataset-links", 0, NP_OPT_LIST, NP_GROUP_DATASET, RUN, NP_OPT_IN_FILE,
     FIELD(dataset_links), .argument = "NAME=URI",
     .help = "Location of a source dataset, for DatasetLinks of the outputs; a relative URI to the "
             "input when not given."},

    /* telemetry */
    {"otel-endpoint", "endpoint", 0, NP_OPT_STRING, NP_GROUP_TELEMETRY,
     PLANNED | BIT(STATUS) | BIT(REPLAY), NP_OPT_IN_FILE, FIELD(otel_endpoint), .argument = "URL",
     .help =
         "Send telemetry to this URL; without it, and without an "
         "OTEL_EXPORTER_OTLP_..._ENDPOINT, nothing leaves the machine. Port 4317 means grpc "
         "when the URL has no scheme. auto: the endpoint in the "
         "file that a telemetry stack on this node writes; without such a file nothing is sent."},
    {"otel-timeout", NULL, 0, NP_OPT_DOUBLE, NP_GROUP_TELEMETRY, RUN | BIT(STATUS) | BIT(REPLAY),
     NP_OPT_IN_FILE, FIELD(otel_timeout_s), .argument = "SECONDS", .least = 0, .most = 86400,
     .help = "Longest wait at the end of a run for a server that answers (a server that does not "
             "answer costs 0.2 s at most), and of replay for a server that does not answer; 0 = "
             "the value of OTEL_BSP_EXPORT_TIMEOUT, else 5. Telemetry that was not sent is kept."},
    {"telemetry-id", NULL, 0, NP_OPT_CHOICE, NP_GROUP_TELEMETRY, RUN | BIT(STATUS) | BIT(REPLAY),
     NP_OPT_IN_FILE, FIELD(telemetry_id), .argument = "HOW", .choices = telemetry_id_words,
     .help = "How telemetry that leaves the machine names participants: by label, by a hash with a "
             "key that stays in OUTPUT_DIR, or by nothing that leads to them (none). The same "
             "holds for paths, messages and file names. The files in OUTPUT_DIR keep labels."},
    {"metrics-textfile", NULL, 0, NP_OPT_STRING, NP_GROUP_TELEMETRY, RUN,
     NP_OPT_IN_FILE | NP_OPT_FILE | NP_OPT_WRITTEN, FIELD(metrics_textfile), .argument = "FILE",
     .help = "Also write the metrics as text for node_exporter's textfile collector, which reads "
             "files that end in .prom; other names are refused. The folder must exist. A file that "
             "an earlier run wrote there is replaced."},
    {"no-telemetry", NULL, 0, NP_OPT_FLAG, NP_GROUP_TELEMETRY, PLANNED | BIT(STATUS),
     NP_OPT_IN_FILE, FIELD(no_telemetry), .help = "Record no telemetry at all."},

    /* injected faults */
    {"fail-rate", NULL, 0, NP_OPT_DOUBLE, NP_GROUP_FAULTS, RUN, NP_OPT_IN_FILE, FIELD(fail_rate),
     .argument = "P", .least = 0, .most = 1,
     .help = "Share of the sessions that fail on purpose; these failures are marked as injected."},
    {"slow-stage", NULL, 0, NP_OPT_STAGE, NP_GROUP_FAULTS, RUN, NP_OPT_IN_FILE, FIELD(slow_stage),
     .argument = "STAGE[:SECONDS]", .choices = stage_words,
     .help = "Delay one stage (by 6 seconds when not given); the delay is marked as injected."},
    {"wrong-canary", NULL, 0, NP_OPT_FLAG, NP_GROUP_FAULTS, RUN | BIT(DOCTOR), NP_OPT_IN_FILE,
     FIELD(wrong_canary),
     .help = "Change one bit in the canary's image, so that its result is wrong; it is marked as "
             "injected. For a run with --canary, and for doctor."},
    {"random-seed", NULL, 0, NP_OPT_SEED, NP_GROUP_FAULTS, RUN | BIT(DEMO_DATA), NP_OPT_IN_FILE,
     FIELD(random_seed), .argument = "N",
     .help = "Seed of injected faults and of synthetic data; the methods use no random numbers."},

    /* status */
    {"failed", NULL, 0, NP_OPT_FLAG, NP_GROUP_STATUS, BIT(STATUS), 0, FIELD(status_failed),
     .help =
         "Only sessions to run again: failed, interrupted, lost, incomplete or not started; the "
         "exit status is 1 if there are any."},
    {"warnings", NULL, 0, NP_OPT_FLAG, NP_GROUP_STATUS, BIT(STATUS), 0, FIELD(status_warnings),
     .help = "Only sessions that are complete, with a warning about a result: each with its "
             "sentence."},
    {"dataset", NULL, 0, NP_OPT_STRING, NP_GROUP_STATUS, BIT(STATUS), NP_OPT_DIRECTORY,
     FIELD(bids_dir), .argument = "BIDS_DIR",
     .help = "Count against this dataset: all its sessions are wanted, sessions that it does not "
             "hold any more are gone, and complete ones with a new image are incomplete. Without "
             "it, wanted is what runs were asked for."},
    {"verify", NULL, 0, NP_OPT_FLAG, NP_GROUP_STATUS, BIT(STATUS), 0, FIELD(verify),
     .help = "Look whether the outputs of complete sessions are there and have the recorded sizes; "
             "with "
             "--dataset, also whether the inputs are those that were recorded."},
    {"verify-hash", NULL, 0, NP_OPT_FLAG, NP_GROUP_STATUS, BIT(STATUS), 0, FIELD(verify_hash),
     .help = "The same, and compare their content with the recorded SHA-256: reads all outputs."},
    {"watch", NULL, 0, NP_OPT_FLAG, NP_GROUP_STATUS, BIT(STATUS), 0, FIELD(watch),
     .help =
         "Show the state again and again, until all sessions have ended or Ctrl-C: in place on a "
         "terminal, else one block after each change."},
    {"withdraw", NULL, 0, NP_OPT_LIST, NP_GROUP_STATUS, BIT(STATUS), 0, FIELD(withdraw),
     .argument = "SESSION",
     .help = "These sessions are not wanted any more: sub-01_ses-02, or sub-01 for all of a "
             "participant. Runs leave them out, and they count neither as complete nor as missing, "
             "until --restore. Nothing is removed."},
    {"restore", NULL, 0, NP_OPT_LIST, NP_GROUP_STATUS, BIT(STATUS), 0, FIELD(restore),
     .argument = "SESSION", .help = "Undo --withdraw for these sessions."},
    {"format", NULL, 0, NP_OPT_CHOICE, NP_GROUP_STATUS, RUN | BIT(STATUS) | BIT(ESTIMATE), 0,
     FIELD(format), .argument = "FORMAT", .choices = format_words,
     .help = "table is for people, tsv has one row per session, nipoppy is the subcohort file for "
             "'nipoppy process --use-subcohort'. With 'status', nipoppy lists the sessions to run "
             "again, or with --warnings those; with a run, --dry-run and --plan-only have table "
             "and json."},

    /* replay */
    {"all", NULL, 0, NP_OPT_FLAG, NP_GROUP_REPLAY, BIT(REPLAY), 0, FIELD(replay_all),
     .help = "Send everything that this destination has not accepted, also what another "
             "destination has accepted and what this one has refused."},
    {"again", NULL, 0, NP_OPT_FLAG, NP_GROUP_REPLAY, BIT(REPLAY), 0, FIELD(replay_again),
     .help = "Send everything, also what this destination has accepted: for one that was emptied "
             "or that is new at the same address."},
    {"prune", NULL, 0, NP_OPT_FLAG, NP_GROUP_REPLAY, BIT(REPLAY), 0, FIELD(replay_prune),
     .help = "Afterwards delete the records of which this destination has acknowledged everything, "
             "with their ledgers. With --dry-run say which."},
    {"since", NULL, 0, NP_OPT_STRING, NP_GROUP_REPLAY, BIT(REPLAY), 0, FIELD(replay_since),
     .argument = "WHEN",
     .help = "Only runs that began at this time or later: 2026-11-21, 2026-11-21T10:20:30Z, or "
             "90m, 36h, 7d ago."},

    /* demo-data */
    {"participants", NULL, 0, NP_OPT_INT, NP_GROUP_DEMO_DATA, BIT(DEMO_DATA), 0,
     FIELD(demo_participants), .argument = "N", .least = 1, .most = 99999,
     .help = "Number of participants."},
    {"sessions", NULL, 0, NP_OPT_INT, NP_GROUP_DEMO_DATA, BIT(DEMO_DATA), 0, FIELD(demo_sessions),
     .argument = "N", .least = 1, .most = 999, .help = "Sessions of each participant."},
    {"size", NULL, 0, NP_OPT_DOUBLE, NP_GROUP_DEMO_DATA, BIT(DEMO_DATA), 0, FIELD(demo_size_mm),
     .argument = "MM", .least = 0.5, .most = 8, .help = "Edge of a voxel in mm."},

    /* general */
    {"config-file", NULL, 0, NP_OPT_STRING, NP_GROUP_GENERAL, ALL, NP_OPT_FILE, FIELD(config_file),
     .argument = "FILE",
     .help = "JSON file of options by name; the environment and the command line take precedence."},
    {"verbose", NULL, 'v', NP_OPT_COUNT, NP_GROUP_GENERAL, ALL, NP_OPT_IN_FILE, FIELD(verbosity),
     .help = "Print more; up to three times (-vvv)."},
    {"quiet", NULL, 0, NP_OPT_ASSIGN, NP_GROUP_GENERAL, ALL, NP_OPT_ANOTHER_WAY,
     .same_as = "verbose", .assigns = "-1", .help = "Print failures only."},
    {"print-config", NULL, 0, NP_OPT_COMMAND, NP_GROUP_GENERAL, ALL, 0,
     .command = NP_COMMAND_PRINT_CONFIG,
     .help = "Print the effective settings as a configuration file."},
    {"print-config-schema", NULL, 0, NP_OPT_COMMAND, NP_GROUP_GENERAL, ALL, 0,
     .command = NP_COMMAND_PRINT_CONFIG_SCHEMA,
     .help = "Print the JSON Schema of the configuration file."},
    {"explain", NULL, 0, NP_OPT_COMMAND, NP_GROUP_GENERAL, ALL, 0, .argument = "CODE",
     .command = NP_COMMAND_EXPLAIN,
     .help = "Explain an exit status (65), its name (bad-data) or an error (NP_EFORMAT)."},
    {"bids-exec-spec", "boutiques", 0, NP_OPT_COMMAND, NP_GROUP_GENERAL, ALL, 0,
     .command = NP_COMMAND_BIDS_EXEC_SPEC,
     .help = "Print the Boutiques descriptor; after 'idps', the descriptor of that command."},
    {"completion", NULL, 0, NP_OPT_COMMAND, NP_GROUP_GENERAL, ALL, 0, .argument = "SHELL",
     .choices = shell_words, .command = NP_COMMAND_COMPLETION,
     .help = "Print the completion script of a shell."},
    {"man", NULL, 0, NP_OPT_COMMAND, NP_GROUP_GENERAL, ALL, 0, .command = NP_COMMAND_MAN,
     .help = "Print the manual page in roff."},
    {"version", NULL, 0, NP_OPT_COMMAND, NP_GROUP_GENERAL, ALL, 0, .command = NP_COMMAND_VERSION,
     .help = "Print version, compiler, flags, libraries and commit."},
    {"help", NULL, 'h', NP_OPT_COMMAND, NP_GROUP_GENERAL, ALL, 0, .command = NP_COMMAND_HELP,
     .help = "Print this help; after a command, the help of that command."},
};
const size_t np_n_options = NP_COUNT(np_options);

static const char *const headings[NP_N_GROUPS] = {
    [NP_GROUP_PLACES] = "Places",
    [NP_GROUP_SELECTION] = "Selection",
    [NP_GROUP_METHODS] = "Methods",
    [NP_GROUP_RESOURCES] = "CPUs and memory",
    [NP_GROUP_OUTPUTS] = "Outputs",
    [NP_GROUP_POLICY] = "Policy of the run",
    [NP_GROUP_DATASET] = "Description of the dataset",
    [NP_GROUP_TELEMETRY] = "Telemetry",
    [NP_GROUP_FAULTS] = "Injected faults, for demonstrations and tests",
    [NP_GROUP_STATUS] = "For 'status' and 'estimate'",
    [NP_GROUP_REPLAY] = "For 'replay'",
    [NP_GROUP_DEMO_DATA] = "For 'demo-data'",
    [NP_GROUP_GENERAL] = "General",
};

const char *np_option_heading(enum np_option_group group)
{
    return headings[group];
}

/* Options that wrappers for other pipelines pass. None of them could change our results. */
const struct np_foreign_option np_foreign_options[] = {
    {"notrack", 0},
    {"no-sub", 0},
    {"resource-monitor", 0},
    {"write-graph", 0},
    {"low-mem", 0},
    {"verbose-reports", 0},
    {"float32", 0},
    {"fs-license-file", 1},
    {"fs-subjects-dir", 1},
    {"fs-no-reconall", 0},
    {"no-submm-recon", 0},
    {"output-spaces", NP_FOREIGN_LIST},
    {"skull-strip-template", 1},
    {"skull-strip-fixed-seed", 0},
    {"bids-database-dir", 1},
    {"bids-database-wipe", 0},
    {"use-plugin", 1},
    {"nipype-plugin-file", 1},
    {"crashfile-format", 1},
    {"track-carbon", 0},
    {"country-code", 1},
    {"longitudinal", 0},
    {"ignore", NP_FOREIGN_LIST},
    {"use-syn-sdc", NP_FOREIGN_LIST},
    {"cifti-output", NP_FOREIGN_LIST},
    {"md-only-boilerplate", 0},
    {"ants-nthreads", 1},
    {"email", 1},
    {"upload-strict", 0},
    {"no-datalad-get", 0},
};
const size_t np_n_foreign_options = NP_COUNT(np_foreign_options);

const struct np_command_info np_commands[] = {
    {NP_COMMAND_PARTICIPANT, NULL, "BIDS_DIR OUTPUT_DIR {participant|session} [options]",
     "Preprocess the sessions of a BIDS dataset.", NULL, 3, 3},
    {NP_COMMAND_GROUP, NULL, "BIDS_DIR OUTPUT_DIR group [options]",
     "Write tables of the sessions in the output folder; reads derivatives and records only.", NULL,
     3, 3},
    {NP_COMMAND_PROCESS, "process", "process FILE... -o DIR [options]",
     "Preprocess single NIfTI files; no BIDS dataset is needed.", NULL, 1, -1},
    {NP_COMMAND_BATCH, "batch", "batch DIR -o DIR [options]",
     "Preprocess every NIfTI file below a folder.", NULL, 1, 1},
    {NP_COMMAND_STATUS, "status",
     "status OUTPUT_DIR [--failed|--warnings] [--watch] [--dataset DIR] [--format F]",
     "Show which sessions are complete, failed, running or not started; reads only (but for "
     "--withdraw and --restore), also while jobs run.",
     NULL, 1, 1},
    {NP_COMMAND_IDPS, "idps", "idps OUTPUT_DIR -o DIR",
     "Write a table of imaging-derived phenotypes from the records of an output folder.", NULL, 1,
     1},
    {NP_COMMAND_ESTIMATE, "estimate", "estimate BIDS_DIR [--format FORMAT] [options]",
     "Estimate the memory, time and disk that the sessions will need.", NULL, 1, 1},
    {NP_COMMAND_DOCTOR, "doctor", "doctor [BIDS_DIR OUTPUT_DIR]",
     "Check folders, permissions, limits and the machine, and print what to do.", NULL, 0, 2},
    {NP_COMMAND_DEMO_DATA, "demo-data",
     "demo-data DIR [--participants N] [--sessions N] [--size MM] [--random-seed N]",
     "Write a small BIDS dataset of synthetic heads.", NULL, 1, 1},
    {NP_COMMAND_REPLAY, "replay",
     "replay DIR|RECORD... [--endpoint URL] [--all] [--prune] [--dry-run]",
     "Send recorded telemetry of a run, of an output folder, or of a folder with many of them.",
     NULL, 1, -1},
};
const size_t np_n_commands = NP_COUNT(np_commands);

const struct np_command_info *np_command_find(const char *verb)
{
    for (size_t i = 0; i < np_n_commands; i++)
        if (np_commands[i].verb && strcmp(np_commands[i].verb, verb) == 0)
            return &np_commands[i];
    return NULL;
}

const struct np_command_info *np_command_info(enum np_command command)
{
    for (size_t i = 0; i < np_n_commands; i++)
        if (np_commands[i].command == command)
            return &np_commands[i];
    return NULL;
}

/* Drivers write "--participant_label" as well as "--participant-label". */
static bool same_name(const char *ours, size_t n_ours, const char *theirs, size_t n_theirs)
{
    if (n_ours != n_theirs)
        return false;
    for (size_t i = 0; i < n_ours; i++)
        if (ours[i] != (theirs[i] == '_' ? '-' : theirs[i]))
            return false;
    return true;
}

/* The next word of a list separated by spaces: returns its length (0 = end) and advances `*rest`
 * to it. */
static size_t next_word(const char **rest)
{
    *rest += strspn(*rest, " ");
    return strcspn(*rest, " ");
}

static bool has_name(const struct np_option *option, const char *name, size_t length)
{
    if (same_name(option->name, strlen(option->name), name, length))
        return true;
    const char *alias = option->aliases ? option->aliases : "";
    for (size_t n; (n = next_word(&alias)) > 0; alias += n)
        if (same_name(alias, n, name, length))
            return true;
    return false;
}

const struct np_option *np_option_find(const char *name, size_t length)
{
    for (size_t i = 0; i < np_n_options; i++)
        if (has_name(&np_options[i], name, length))
            return &np_options[i];
    return NULL;
}

const struct np_option *np_option_find_letter(char letter)
{
    for (size_t i = 0; letter && i < np_n_options; i++)
        if (np_options[i].letter == letter)
            return &np_options[i];
    return NULL;
}

const struct np_foreign_option *np_foreign_find(const char *name, size_t length)
{
    for (size_t i = 0; i < np_n_foreign_options; i++) {
        const char *ours = np_foreign_options[i].name;
        if (same_name(ours, strlen(ours), name, length))
            return &np_foreign_options[i];
    }
    return NULL;
}

bool np_option_takes_value(const struct np_option *option)
{
    return option->argument != NULL;
}

/* The best candidate found so far. */
struct suggestion {
    const char *typed; /* with "-" for "_" */
    size_t distance;
    char *name; /* owned */
};

static void consider(struct suggestion *best, const char *name, size_t length)
{
    NP_AUTO(np_freep) char *candidate = np_xstrndup(name, length);
    size_t n_typed = strlen(best->typed);
    /* An abbreviation must match exactly; otherwise a third of the letters may differ. */
    bool begins = n_typed >= 3 && np_starts_with(candidate, best->typed);
    size_t distance = begins ? 0 : np_edit_distance(candidate, best->typed);

    if (distance > (n_typed + 2) / 3 || distance >= best->distance)
        return;
    free(best->name);
    best->name = np_xstrdup(candidate);
    best->distance = distance;
}

char *np_option_suggest(const char *name, unsigned traits)
{
    NP_AUTO(np_freep) char *typed = np_xstrdup(name);
    struct suggestion best = {typed, SIZE_MAX, NULL};

    for (char *c = typed; *c; c++)
        if (*c == '_')
            *c = '-';
    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        if ((option->traits & traits) != traits)
            continue;
        consider(&best, option->name, strlen(option->name));
        const char *alias = option->aliases ? option->aliases : "";
        for (size_t n; (n = next_word(&alias)) > 0; alias += n)
            consider(&best, alias, n);
    }
    for (size_t i = 0; traits == 0 && i < np_n_foreign_options; i++)
        consider(&best, np_foreign_options[i].name, strlen(np_foreign_options[i].name));
    return best.name;
}

const char *np_choice_suggest(const struct np_choice *choices, const char *word)
{
    size_t most = (strlen(word) + 2) / 3;
    const char *nearest = NULL;

    for (; choices->word; choices++) {
        size_t distance = np_edit_distance(choices->word, word);
        if (distance > most)
            continue;
        most = distance;
        nearest = choices->word;
    }
    return nearest;
}

char *np_choice_words(const struct np_choice *choices, const char *separator)
{
    struct np_str out = {0};

    for (; choices->word; choices++)
        if (choices->value != NP_CHOICE_LATER)
            np_str_addf(&out, "%s%s", out.length ? separator : "", choices->word);
    return np_str_take(&out);
}
