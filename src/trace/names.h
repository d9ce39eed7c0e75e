/*
 * The names of what is observed: attributes, spans, events and metrics. Each name has one home, the
 * tables here; docs/telemetry.md lists the same names (a test compares).
 *
 * Prefixes: bids.*, slurm.* and neuro.* are ours (no convention exists for them); the rest are
 * OpenTelemetry's semantic conventions. Participant and session labels stand without "sub-"/"ses-".
 */
#ifndef NP_TRACE_NAMES_H
#define NP_TRACE_NAMES_H

#include <stddef.h>

#include "trace/trace.h"

/* The release of the semantic conventions that the foreign names are taken from. */
#define NP_SEMCONV_SCHEMA_URL "https://opentelemetry.io/schemas/1.38.0"

/* X(ident, key, type, meaning); NP_KEY_<ident> is the key. */
#define NP_ATTRIBUTES(X)                                                                           \
    X(BIDS_PARTICIPANT, "bids.participant", STRING, "participant label without sub-")              \
    X(BIDS_SESSION, "bids.session", STRING, "session label without ses-; absent without sessions") \
    X(BIDS_SUFFIX, "bids.suffix", STRING, "T1w, T2w, FLAIR")                                       \
    X(BIDS_ACQUISITION, "bids.acquisition", STRING, "label of acq-")                               \
    X(BIDS_TASK, "bids.task", STRING, "label of task-")                                            \
    X(BIDS_RUN, "bids.run", STRING, "index of run-, as written")                                   \
    X(BIDS_ECHO, "bids.echo", STRING, "index of echo-, as written")                                \
    X(FILE_NAME, "file.name", STRING, "name of the file without folders")                          \
    X(FILE_PATH, "file.path", STRING, "path of the file")                                          \
    X(FILE_SIZE, "file.size", INT, "bytes on disk")                                                \
    X(ERROR_TYPE, "error.type", STRING, "name of the outcome: bad-data, no-memory, killed, ...")   \
    X(EXCEPTION_TYPE, "exception.type", STRING, "the program's error code, as NP_EFORMAT")         \
    X(EXCEPTION_MESSAGE, "exception.message", STRING, "the sentence of the failure")               \
    X(NEURO_RUN_ID, "neuro.run.id", STRING, "UUID of one call of the program")                     \
    X(NEURO_OUTCOME, "neuro.outcome", STRING, "how a session ended: ok, or an error.type")         \
    X(NEURO_STAGE, "neuro.stage", STRING, "stage of a recipe; also the name of its span")          \
    X(NEURO_STATUS, "neuro.status", STRING, "success or failed")                                   \
    X(NEURO_ERROR_CODE, "neuro.error.code", STRING, "the program's error code, as NP_EFORMAT")     \
    X(NEURO_INJECTED, "neuro.injected", BOOL, "true: the fault was asked for by an option")        \
    X(NEURO_FORMAT, "neuro.format", STRING, "nii or nii.gz")                                       \
    X(NEURO_SITE, "neuro.site", STRING, "site of the participant in participants.tsv")             \
    X(NEURO_DATASET_NAME, "neuro.dataset.name", STRING, "name in dataset_description.json")        \
    X(NEURO_IMAGE_SHAPE, "neuro.image.shape", STRING, "voxels on each axis, as 176x256x256")       \
    X(NEURO_IMAGE_DTYPE, "neuro.image.dtype", STRING, "type of the stored voxels, as int16")       \
    X(NEURO_IMAGE_VOXEL_SIZE_MM, "neuro.image.voxel_size_mm", STRING, "spacing, as 1x1x1.2")       \
    X(NEURO_OUTPUT_PATH, "neuro.output.path", STRING, "path of an output")                         \
    X(NEURO_OUTPUT_FORMAT, "neuro.output.format", STRING, "nii or nii.gz")                         \
    X(NEURO_OUTPUT_SIZE, "neuro.output.size", INT, "bytes on disk")                                \
    X(NEURO_OUTPUT_COMPRESSED, "neuro.output.compressed", BOOL, "true for nii.gz")                 \
    X(NEURO_SPAN_NAME, "neuro.span.name", STRING, "in a span start: the span's name")              \
    X(NEURO_SPAN_PARENT_ID, "neuro.span.parent_id", STRING, "in a span start: parent, hex")        \
    X(NEURO_SPAN_TRACE_STATE, "neuro.span.trace_state", STRING, "in a span start: W3C tracestate") \
    X(NEURO_SPAN_LINKS, "neuro.span.links", STRING, "in a span start: traceid-spanid, by commas")  \
    X(EVENT_NAME, "event.name", STRING, "of a log record: written as the record's eventName")      \
    X(SERVICE_NAME, "service.name", STRING, "neuro-preprocess")                                    \
    X(SERVICE_VERSION, "service.version", STRING, "version of the program")                        \
    X(SERVICE_INSTANCE_ID, "service.instance.id", STRING, "UUID of this process")                  \
    X(HOST_NAME, "host.name", STRING, "name of the machine")                                       \
    X(HOST_ARCH, "host.arch", STRING, "amd64, arm64, ...")                                         \
    X(PROCESS_PID, "process.pid", INT, "process number")                                           \
    X(PROCESS_EXECUTABLE_NAME, "process.executable.name", STRING, "name of the program's file")    \
    X(CONTAINER_RUNTIME_NAME, "container.runtime.name", STRING, "apptainer or singularity")        \
    X(CONTAINER_IMAGE_NAME, "container.image.name", STRING, "file name of the image")              \
    X(SLURM_JOB_ID, "slurm.job.id", STRING, "SLURM_JOB_ID")                                        \
    X(SLURM_ARRAY_JOB_ID, "slurm.array.job.id", STRING, "SLURM_ARRAY_JOB_ID")                      \
    X(SLURM_ARRAY_TASK_ID, "slurm.array.task.id", STRING, "SLURM_ARRAY_TASK_ID")                   \
    X(SLURM_CLUSTER_NAME, "slurm.cluster.name", STRING, "SLURM_CLUSTER_NAME")                      \
    X(SLURM_PARTITION, "slurm.partition", STRING, "SLURM_JOB_PARTITION")                           \
    X(SLURM_NODE_NAME, "slurm.node.name", STRING, "SLURMD_NODENAME")                               \
    X(VCS_REF_HEAD_REVISION, "vcs.ref.head.revision", STRING, "commit the program was built from")

#define X(ident, key, type, meaning) extern const char NP_KEY_##ident[sizeof(key)];
NP_ATTRIBUTES(X)
#undef X

/* The same as data, for documentation and tests. */
struct np_attr_name {
    const char *key;
    enum np_attr_type type;
    const char *meaning;
};

extern const struct np_attr_name np_attr_names[];
extern const size_t np_n_attr_names;

/* Spans that no stage of a recipe names, and events. */
#define NP_SPAN_RUN "preprocess_run"
#define NP_SPAN_SESSION "preprocess_session"
#define NP_SPAN_FILE "preprocess_file"
#define NP_SPAN_PROCESS_IMAGE "process_image"
#define NP_EVENT_EXCEPTION "exception"
#define NP_EVENT_VALIDATION_PASSED "validation_passed"
#define NP_EVENT_QUALITY_CHECK_COMPLETED "quality_check_completed"
#define NP_EVENT_SESSION_SUMMARY "neuro.session.summary"
#define NP_EVENT_SPAN_START "neuro.span.start"

/* What a span start says of the span itself; no other attribute may begin so. */
#define NP_SPAN_START_PREFIX "neuro.span."

/* Counters. */
extern const struct np_metric_def np_metric_files_processed;    /* neuro.status, bids.suffix */
extern const struct np_metric_def np_metric_sessions_processed; /* neuro.status */
extern const struct np_metric_def np_metric_errors;             /* neuro.stage, error.type */

/* Histograms, seconds: bounds from 0.01 to 3600 s. error.type only on failure. */
extern const struct np_metric_def np_metric_process_duration; /* bids.suffix, error.type */
extern const struct np_metric_def np_metric_stage_duration;   /* neuro.stage, error.type */

/* Histograms, bytes: bounds from 64 KiB to 4 GiB. */
extern const struct np_metric_def np_metric_scan_size;   /* neuro.format */
extern const struct np_metric_def np_metric_output_size; /* neuro.format */

/* Gauges. The last three once at a session's end: bids.participant, bids.session, neuro.site. */
extern const struct np_metric_def np_metric_sessions_planned;
extern const struct np_metric_def np_metric_session_duration;
extern const struct np_metric_def np_metric_session_cpu_time;
extern const struct np_metric_def np_metric_session_peak_memory;

/* All of them, for documentation and tests. */
extern const struct np_metric_def *const np_metric_defs[];
extern const size_t np_n_metric_defs;

#endif
