/*
 * The names of what is observed: attributes, measures, spans, events and metrics. Each name has one
 * home, the tables here. docs/telemetry.md and docs/registry/neuro.yaml hold the same names: a test
 * compares them (tests/unit/trace/test_registry.c), and `make registry` writes them anew.
 *
 * Prefixes: bids.*, slurm.* and neuro.* are ours (no convention exists for them), and so are the
 * measures, which begin with the name of what found them; the rest are OpenTelemetry's semantic
 * conventions. Participant and session labels stand without "sub-"/"ses-".
 */
#ifndef NP_TRACE_NAMES_H
#define NP_TRACE_NAMES_H

#include <stddef.h>

#include "catalog/measure.h"
#include "catalog/modality.h"
#include "trace/trace.h"

/* The release of the semantic conventions that the foreign names are taken from. */
#define NP_SEMCONV_SCHEMA_URL "https://opentelemetry.io/schemas/1.38.0"

/* X(ident, key, type, example, meaning); NP_KEY_<ident> is the key. Of spans, events, log records
 * and metrics. */
#define NP_SIGNAL_ATTRIBUTES(X)                                                                    \
    X(BIDS_PARTICIPANT, "bids.participant", STRING, "01", "participant label without sub-")        \
    X(BIDS_SESSION, "bids.session", STRING, "BL",                                                  \
      "session label without ses-; absent without sessions")                                       \
    X(BIDS_SUFFIX, "bids.suffix", STRING, "T1w", NP_ANATOMICAL_SUFFIXES)                           \
    X(BIDS_ACQUISITION, "bids.acquisition", STRING, "highres", "label of acq-")                    \
    X(BIDS_TASK, "bids.task", STRING, "rest", "label of task-")                                    \
    X(BIDS_RUN, "bids.run", STRING, "1", "index of run-, as written")                              \
    X(BIDS_ECHO, "bids.echo", STRING, "2", "index of echo-, as written")                           \
    X(FILE_NAME, "file.name", STRING, "sub-01_T1w.nii.gz", "name of the file without folders")     \
    X(FILE_PATH, "file.path", STRING, "sub-01/anat/sub-01_T1w.nii.gz", "path of the file")         \
    X(FILE_SIZE, "file.size", INT, "9437184", "bytes on disk")                                     \
    X(ERROR_TYPE, "error.type", STRING, "bad-data",                                                \
      "name of the outcome: bad-data, no-memory, killed, ...")                                     \
    X(EXCEPTION_TYPE, "exception.type", STRING, "NP_EFORMAT",                                      \
      "the program's error code, as NP_EFORMAT")                                                   \
    X(EXCEPTION_MESSAGE, "exception.message", STRING, "'x.nii': expected a NIfTI image",           \
      "the sentence of the failure")                                                               \
    X(EVENT_NAME, "event.name", STRING, "neuro.session.summary",                                   \
      "of a log record: written as the record's eventName")                                        \
    X(PROCESS_EXIT_CODE, "process.exit.code", INT, "1", "exit status of the run")                  \
    X(CPU_MODE, "cpu.mode", STRING, "user", "user or system")                                      \
    X(DISK_IO_DIRECTION, "disk.io.direction", STRING, "read", "read or write")                     \
    X(OTEL_COMPONENT_TYPE, "otel.component.type", STRING, "otlp_http_exporter",                    \
      "what sends: otlp_http_exporter, otlp_http_json_exporter, otlp_grpc_exporter, or the "       \
      "record that it sends from")                                                                 \
    X(OTEL_COMPONENT_NAME, "otel.component.name", STRING, "otlp_http_exporter/0",                  \
      "its type and a number")                                                                     \
    X(NEURO_RUN_ID, "neuro.run.id", STRING, "0192f1f0-5a4f-4c05-9d7c-7f2a3a1a9c55",                \
      "UUID of one call of the program")                                                           \
    X(NEURO_OUTCOME, "neuro.outcome", STRING, "ok",                                                \
      "how a session or a file ended: ok, or an error.type")                                       \
    X(NEURO_STAGE, "neuro.stage", STRING, "skull_strip",                                           \
      "stage of a recipe; also the name of its span")                                              \
    X(NEURO_STATUS, "neuro.status", STRING, "success", "success or failed")                        \
    X(NEURO_WARNINGS, "neuro.warnings", STRING, "mask-unsure;header-mismatch",                     \
      "keys of the warnings about a session's or a file's results, with semicolons between them; " \
      "absent without any")                                                                        \
    X(NEURO_WARNING, "neuro.warning", STRING, "mask-unsure",                                       \
      "of a log record and of neuro.warnings.raised: the key of one warning")                      \
    X(NEURO_ERROR_CODE, "neuro.error.code", STRING, "NP_EFORMAT",                                  \
      "the program's error code, as NP_EFORMAT")                                                   \
    X(NEURO_INJECTED, "neuro.injected", BOOL, "true",                                              \
      "true: the fault was asked for by an option")                                                \
    X(NEURO_FORMAT, "neuro.format", STRING, "nii.gz", "nii or nii.gz")                             \
    X(NEURO_SITE, "neuro.site", STRING, "MNI", "site of the participant in participants.tsv")      \
    X(NEURO_SAMPLED, "neuro.sampled", BOOL, "true",                                                \
      "of neuro.sampling: whether the trace is to be sent")                                        \
    X(NEURO_OUTPUT_PATH, "neuro.output.path", STRING,                                              \
      "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz", "path of an output")                           \
    X(NEURO_OUTPUT_FORMAT, "neuro.output.format", STRING, "nii.gz", "nii or nii.gz")               \
    X(NEURO_OUTPUT_SIZE, "neuro.output.size", INT, "15728640", "bytes on disk")                    \
    X(NEURO_OUTPUT_COMPRESSED, "neuro.output.compressed", BOOL, "true", "true for nii.gz")         \
    X(NEURO_SESSION_DURATION, "neuro.session.duration", DOUBLE, "61.5",                            \
      "of neuro.session.summary: wall time, s")                                                    \
    X(NEURO_SESSION_CPU_TIME, "neuro.session.cpu_time", DOUBLE, "118.2",                           \
      "of neuro.session.summary: CPU time, s")                                                     \
    X(NEURO_SESSION_PEAK_MEMORY, "neuro.session.peak_memory", INT, "734003200",                    \
      "of neuro.session.summary: largest resident memory, bytes")                                  \
    X(NEURO_SESSION_FILES, "neuro.session.files", INT, "1",                                        \
      "of neuro.session.summary: number of files")                                                 \
    X(NEURO_SESSION_MEMORY_LIMIT, "neuro.session.memory_limit", INT, "2147483648",                 \
      "of neuro.session.summary: memory that its run may use, bytes")                              \
    X(NEURO_SESSION_MEMORY_REQUEST, "neuro.session.memory_request", INT, "2147483648",             \
      "of neuro.session.summary: memory that was asked for, of Slurm or by --mem, bytes")          \
    X(NEURO_SESSION_FOLDER, "neuro.session.folder", STRING, "/data/out/sub-01/ses-BL",             \
      "of neuro.session.summary: folder of the session's results, of its records where it has "    \
      "none; not sent under a hash or none of --telemetry-id")                                     \
    X(NEURO_SESSION_RERUN, "neuro.session.rerun", STRING,                                          \
      "neuro-preprocess /data/bids /data/out participant --participant-label 01 --session-label "  \
      "BL",                                                                                        \
      "of neuro.session.summary: the command that does this session again; not sent under a hash " \
      "or none of --telemetry-id")                                                                 \
    X(NEURO_STATE, "neuro.state", STRING, "not-started",                                           \
      "state of a session, one of those of status: success, failed, not-started, ...")             \
    X(NEURO_NODE, "neuro.node", STRING, "node17",                                                  \
      "of summaries and neuro.canary: Slurm's name of the node, else the machine's")               \
    X(NEURO_CANARY_VERDICT, "neuro.canary.verdict", STRING, "right",                               \
      "of neuro.canary: right, wrong, or not-known on this kind of processor")                     \
    X(NEURO_CANARY_DURATION, "neuro.canary.duration", DOUBLE, "1.1",                               \
      "of neuro.canary: wall time, s")                                                             \
    X(NEURO_CANARY_EXPECTED, "neuro.canary.expected", STRING, "9f86d081884c7d65...",               \
      "of neuro.canary: SHA-256 of the known result's voxels")                                     \
    X(NEURO_CANARY_FOUND, "neuro.canary.found", STRING, "9f86d081884c7d65...",                     \
      "of neuro.canary: SHA-256 of the voxels of this machine's result")                           \
    X(NEURO_CANARY_PROCESSOR, "neuro.canary.processor", STRING,                                    \
      "Intel(R) Xeon(R) Gold 6226 CPU @ 2.70GHz", "of neuro.canary: model of the processor")       \
    X(NEURO_COHORT_WANTED, "neuro.cohort.wanted", INT, "13",                                       \
      "of neuro.cohort.summary: sessions that are wanted, neither withdrawn nor gone")             \
    X(NEURO_COHORT_COMPLETE, "neuro.cohort.complete", INT, "12",                                   \
      "of neuro.cohort.summary: of these, complete ones")                                          \
    X(NEURO_COHORT_WITHOUT_IMAGES, "neuro.cohort.without_images", INT, "0",                        \
      "of neuro.cohort.summary: of these, sessions with nothing to do")                            \
    X(NEURO_COHORT_RUNNING, "neuro.cohort.running", INT, "0",                                      \
      "of neuro.cohort.summary: of these, sessions that are being processed")                      \
    X(NEURO_COHORT_TO_RERUN, "neuro.cohort.to_rerun", INT, "1",                                    \
      "of neuro.cohort.summary: of these, sessions that a rerun would do, those not started too")  \
    X(NEURO_COHORT_NOT_STARTED, "neuro.cohort.not_started", INT, "0",                              \
      "of neuro.cohort.summary: of these, sessions that never began")                              \
    X(NEURO_COHORT_FAILED, "neuro.cohort.failed", INT, "1",                                        \
      "of neuro.cohort.summary: of these, failed sessions")                                        \
    X(NEURO_COHORT_EVENT, "neuro.cohort.event", STRING, "resubmit",                                \
      "of neuro.cohort.event: submit (--plan-only), resubmit (of sessions that were asked for "    \
      "before), kill (a signal to a run, or the end of one that left no word)")                    \
    X(NEURO_TELEMETRY_INCOMPLETE, "neuro.telemetry.incomplete", BOOL, "true",                      \
      "true: the record lacks the span's end, though the run or the session ended")                \
    X(NEURO_SPAN_NAME, "neuro.span.name", STRING, "skull_strip",                                   \
      "in a span start: the span's name")                                                          \
    X(NEURO_SPAN_PARENT_ID, "neuro.span.parent_id", STRING, "b7ad6b7169203331",                    \
      "in a span start: parent, hex")                                                              \
    X(NEURO_SPAN_TRACE_STATE, "neuro.span.trace_state", STRING, "vendor=1",                        \
      "in a span start: W3C tracestate")                                                           \
    X(NEURO_SPAN_LINKS, "neuro.span.links", STRING,                                                \
      "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",                                         \
      "in a span start: traceid-spanid, by commas")

/* Of the resource: they stand once in each line and describe the run. */
#define NP_RESOURCE_ATTRIBUTES(X)                                                                 \
    X(NEURO_DATASET_NAME, "neuro.dataset.name", STRING, "ds000001",                               \
      "name in dataset_description.json, or --dataset-name")                                      \
    X(NEURO_COHORT_ID, "neuro.cohort.id", STRING, "3f0c9a41d2b87e65",                             \
      "the output folder, by a random id of its own; also of the metrics neuro.cohort.*")         \
    X(NEURO_TELEMETRY_ID, "neuro.telemetry.id", STRING, "label",                                  \
      "label, hash or none: how participants may be named on the network")                        \
    X(NEURO_TELEMETRY_NAMED, "neuro.telemetry.named", STRING, "hash",                             \
      "of what the stack's Collector passes on: how participants are named there already")        \
    X(SERVICE_NAME, "service.name", STRING, "neuro-preprocess", "neuro-preprocess")               \
    X(SERVICE_VERSION, "service.version", STRING, "0.1.0", "version of the program")              \
    X(SERVICE_INSTANCE_ID, "service.instance.id", STRING, "0192f1f0-5a4f-4c05-9d7c-7f2a3a1a9c55", \
      "UUID of this process")                                                                     \
    X(DEPLOYMENT_ENVIRONMENT_NAME, "deployment.environment.name", STRING, "production",           \
      "as OTEL_RESOURCE_ATTRIBUTES gives it (deployment.environment is taken too)")               \
    X(HOST_NAME, "host.name", STRING, "node17", "name of the machine")                            \
    X(HOST_ARCH, "host.arch", STRING, "amd64", "amd64, arm64, ...")                               \
    X(OS_TYPE, "os.type", STRING, "linux", "linux")                                               \
    X(OS_VERSION, "os.version", STRING, "6.1.0-18-amd64", "release of the kernel")                \
    X(PROCESS_PID, "process.pid", INT, "4711", "process number")                                  \
    X(PROCESS_PARENT_PID, "process.parent_pid", INT, "4710", "process number of the parent")      \
    X(PROCESS_OWNER, "process.owner", STRING, "user", "name of the user, else the number")        \
    X(PROCESS_EXECUTABLE_NAME, "process.executable.name", STRING, "neuro-preprocess",             \
      "name of the program's file")                                                               \
    X(PROCESS_EXECUTABLE_PATH, "process.executable.path", STRING,                                 \
      "/usr/local/bin/neuro-preprocess", "path of the program's file")                            \
    X(CONTAINER_RUNTIME_NAME, "container.runtime.name", STRING, "apptainer",                      \
      "apptainer, singularity, docker or podman")                                                 \
    X(CONTAINER_IMAGE_NAME, "container.image.name", STRING, "neuro-preprocess.sif",               \
      "file name of the image (apptainer, singularity)")                                          \
    X(CONTAINER_ID, "container.id", STRING, "4bf92f3577b34da6a3ce929d0e0e4736",                   \
      "id of the container (docker, podman)")                                                     \
    X(SLURM_JOB_ID, "slurm.job.id", STRING, "4242", "SLURM_JOB_ID")                               \
    X(SLURM_ARRAY_JOB_ID, "slurm.array.job.id", STRING, "4240", "SLURM_ARRAY_JOB_ID")             \
    X(SLURM_ARRAY_TASK_ID, "slurm.array.task.id", STRING, "3", "SLURM_ARRAY_TASK_ID")             \
    X(SLURM_CLUSTER_NAME, "slurm.cluster.name", STRING, "beluga", "SLURM_CLUSTER_NAME")           \
    X(SLURM_PARTITION, "slurm.partition", STRING, "short", "SLURM_JOB_PARTITION")                 \
    X(SLURM_NODE_NAME, "slurm.node.name", STRING, "node17", "SLURMD_NODENAME")                    \
    X(VCS_REF_HEAD_REVISION, "vcs.ref.head.revision", STRING, "9d59409acf47",                     \
      "commit the program was built from")

#define NP_ATTRIBUTES(X)    \
    NP_SIGNAL_ATTRIBUTES(X) \
    NP_RESOURCE_ATTRIBUTES(X)

#define X(ident, key, type, example, meaning) extern const char NP_KEY_##ident[sizeof(key)];
NP_ATTRIBUTES(X)
#undef X

/* A measure of a stage (catalog/measure.h) is an attribute of its span and of neuro.file.summary. */

/* The same as data, for documentation and tests. */
struct np_attr_name {
    const char *key;
    enum np_attr_type type;
    const char *example;
    const char *meaning;
};

extern const struct np_attr_name np_attr_names[]; /* signal attributes, then the resource's */
extern const size_t np_n_attr_names, np_n_signal_attr_names;

/* True for a key that a record may hold: an attribute or a measure. */
bool np_attr_is_registered(const char *key);

/* Spans that no stage of a recipe names, and events. */
#define NP_SPAN_RUN "preprocess_run"
#define NP_SPAN_PLAN "preprocess_plan"   /* --plan-only: what a cohort is asked for */
#define NP_SPAN_GROUP "preprocess_group" /* group: the state of the cohort */
#define NP_SPAN_SESSION "preprocess_session"
#define NP_SPAN_FILE "preprocess_file"
#define NP_SPAN_PROCESS_IMAGE "process_image"
#define NP_EVENT_EXCEPTION "exception"
#define NP_EVENT_VALIDATION_PASSED "validation_passed"
#define NP_EVENT_SESSION_SUMMARY "neuro.session.summary"
#define NP_EVENT_FILE_SUMMARY "neuro.file.summary"
#define NP_EVENT_COHORT_SUMMARY "neuro.cohort.summary"
#define NP_EVENT_COHORT_EVENT "neuro.cohort.event"
#define NP_EVENT_CANARY "neuro.canary"
#define NP_EVENT_SPAN_START "neuro.span.start" /* in the record only */
#define NP_EVENT_SAMPLING "neuro.sampling"     /* in the record only */
#define NP_EVENT_RUN_END "neuro.run.end"       /* in the record only */

/* The prefix of the attributes by which a span start describes the span; no other attribute may
 * begin with it. */
#define NP_SPAN_START_PREFIX "neuro.span."

/*
 * X(ident, name, kind, unit, number, bounds, attributes, meaning); np_metric_<ident> is the
 * definition. `number` is INT or DOUBLE. `attributes` are keys by spaces; "?" after one: only on
 * failure, or only where there is one. Bounds of durations go from 0.01 to 3600 s, of sizes from 64
 * KiB to 4 GiB. OBSERVED kinds are read when metrics are collected.
 */
#define NP_METRICS(X)                                                                              \
    X(files_processed, "neuro.files.processed", COUNTER, "{file}", INT, none,                      \
      "neuro.status bids.suffix", "Files that were processed, by how it ended")                    \
    X(sessions_processed, "neuro.sessions.processed", COUNTER, "{session}", INT, none,             \
      "neuro.status", "Sessions that ended, by how")                                               \
    X(errors, "neuro.errors", COUNTER, "{error}", INT, none, "neuro.stage? error.type",            \
      "Failures, by stage and type")                                                               \
    X(warnings, "neuro.warnings.raised", COUNTER, "{file}", INT, none,                             \
      "neuro.warning bids.suffix", "Files with a warning about a result, by its key")              \
    X(process_duration, "neuro.process.duration", HISTOGRAM, "s", DOUBLE, seconds,                 \
      "bids.suffix error.type?", "Wall time of one file, start to end")                            \
    X(stage_duration, "neuro.stage.duration", HISTOGRAM, "s", DOUBLE, seconds,                     \
      "neuro.stage error.type?", "Wall time of one stage of one file")                             \
    X(scan_size, "neuro.scan.size", HISTOGRAM, "By", DOUBLE, bytes, "neuro.format",                \
      "Size of an input image on disk")                                                            \
    X(output_size, "neuro.output.size", HISTOGRAM, "By", DOUBLE, bytes, "neuro.format",            \
      "Size of an output image on disk")                                                           \
    X(sessions_planned, "neuro.sessions.planned", GAUGE, "{session}", INT, none, "",               \
      "Sessions that this run is to process")                                                      \
    X(sessions_active, "neuro.sessions.active", UPDOWN, "{session}", INT, none, "",                \
      "Sessions that are being processed now")                                                     \
    X(cohort_sessions, "neuro.cohort.sessions", GAUGE, "{session}", INT, none,                     \
      "neuro.state neuro.stage? error.type? neuro.cohort.id?",                                     \
      "Sessions of the output folder by their latest state, as status counts them")                \
    X(cohort_warned, "neuro.cohort.warned", GAUGE, "{session}", INT, none, "neuro.cohort.id?",     \
      "Sessions of the output folder that are a success with warning")                             \
    X(cohort_injected, "neuro.cohort.injected", GAUGE, "{session}", INT, none, "neuro.cohort.id?", \
      "Sessions of the output folder that failed because --fail-rate asked for it")                \
    X(cohort_time, "neuro.cohort.time", GAUGE, "s", DOUBLE, none, "neuro.cohort.id?",              \
      "When the output folder was counted, since 1970 UTC")                                        \
    X(canary_wrong, "neuro.canary.wrong", GAUGE, "1", INT, none, "neuro.injected?",                \
      "1: the canary's result was not the known one on this machine, 0: it was, or is not known")  \
    X(canary_duration, "neuro.canary.duration", GAUGE, "s", DOUBLE, none, "",                      \
      "Wall time of the canary")                                                                   \
    X(queue_depth, "neuro.queue.depth", UPDOWN, "{session}", INT, none, "",                        \
      "Sessions that wait for their turn")                                                         \
    X(memory_limit, "neuro.memory.limit", GAUGE, "By", INT, none, "",                              \
      "Memory that the run may use")                                                               \
    X(telemetry_unsent, "neuro.telemetry.unsent", GAUGE, "By", INT, none, "",                      \
      "Telemetry of this run that no destination has acknowledged")                                \
    X(session_duration, "neuro.session.duration", GAUGE, "s", DOUBLE, none,                        \
      "bids.participant? bids.session? neuro.site?", "Wall time of one session")                   \
    X(session_cpu_time, "neuro.session.cpu_time", GAUGE, "s", DOUBLE, none,                        \
      "bids.participant? bids.session? neuro.site?", "CPU time of one session, user and system")   \
    X(session_peak_memory, "neuro.session.peak_memory", GAUGE, "By", INT, none,                    \
      "bids.participant? bids.session? neuro.site?", "Largest resident memory of one session")     \
    X(process_cpu_time, "process.cpu.time", OBSERVED_COUNTER, "s", DOUBLE, none, "cpu.mode",       \
      "CPU time of the program and of its workers that have ended")                                \
    X(process_memory_usage, "process.memory.usage", OBSERVED_UPDOWN, "By", INT, none, "",          \
      "Resident memory of the program, workers included")                                          \
    X(process_memory_virtual, "process.memory.virtual", OBSERVED_UPDOWN, "By", INT, none, "",      \
      "Virtual memory of the program, workers included")                                           \
    X(process_disk_io, "process.disk.io", OBSERVED_COUNTER, "By", INT, none, "disk.io.direction",  \
      "Bytes to and from disks, of the program and its ended workers")                             \
    X(sdk_span_exported, "otel.sdk.exporter.span.exported", OBSERVED_COUNTER, "{span}", INT, none, \
      "otel.component.type otel.component.name error.type?",                                       \
      "Spans whose sending is over: acknowledged, or refused for good (error.type)")               \
    X(sdk_log_exported, "otel.sdk.exporter.log.exported", OBSERVED_COUNTER, "{log_record}", INT,   \
      none, "otel.component.type otel.component.name error.type?",                                 \
      "Log records whose sending is over: acknowledged, or refused for good (error.type)")         \
    X(sdk_metric_exported, "otel.sdk.exporter.metric_data_point.exported", OBSERVED_COUNTER,       \
      "{data_point}", INT, none, "otel.component.type otel.component.name error.type?",            \
      "Data points whose sending is over: acknowledged, or refused for good (error.type)")         \
    X(sdk_span_processed, "otel.sdk.processor.span.processed", OBSERVED_COUNTER, "{span}", INT,    \
      none, "otel.component.type otel.component.name error.type?",                                 \
      "Spans that ended: written to the record, or lost (error.type)")                             \
    X(sdk_log_processed, "otel.sdk.processor.log.processed", OBSERVED_COUNTER, "{log_record}",     \
      INT, none, "otel.component.type otel.component.name error.type?",                            \
      "Log records: written to the record, or lost (error.type)")

#define X(ident, name, kind, unit, number, bounds, attributes, meaning) \
    extern const struct np_metric_def np_metric_##ident;
NP_METRICS(X)
#undef X
/* The gauges of measures, from catalog/measure.h: one value an image. */
#define XG(ident, key, kind, unit, shown, formula, meaning, gauge, name) \
    extern const struct np_metric_def np_metric_##gauge;
NP_MEASURES(NP_NO_MEASURE, XG)
#undef XG

/* All of them, for documentation and tests. */
extern const struct np_metric_def *const np_metric_defs[];
extern const size_t np_n_metric_defs;

/* The headline quality metrics: the key of a measure -> the gauge that shows it. */
struct np_quality_metric {
    const char *measure;
    const struct np_metric_def *def;
};

extern const struct np_quality_metric np_quality_metrics[];
extern const size_t np_n_quality_metrics;

#endif
