#include "trace/names.h"

#define X(ident, key, type, meaning) const char NP_KEY_##ident[sizeof(key)] = key;
NP_ATTRIBUTES(X)
#undef X

const struct np_attr_name np_attr_names[] = {
#define X(ident, key, type, meaning) {key, NP_ATTR_##type, meaning},
    NP_ATTRIBUTES(X)
#undef X
};
const size_t np_n_attr_names = NP_COUNT(np_attr_names);

/* From the fastest stage on a small image to the longest session that is not yet a mishap. */
static const double seconds[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,    2.5, 5,
                                 10,   30,    60,   120, 300,  600, 1800, 3600};

static const double bytes[] = {0x1p16, 0x1p18, 0x1p20, 0x1p22, 0x1p24,
                               0x1p26, 0x1p28, 0x1p30, 0x1p32};

#define COUNTER(name_, unit_, description_)                                                   \
    {                                                                                         \
        .name = name_, .unit = unit_, .description = description_, .kind = NP_METRIC_COUNTER, \
        .is_integer = true                                                                    \
    }
#define HISTOGRAM(name_, unit_, bounds_, description_)                                          \
    {                                                                                           \
        .name = name_, .unit = unit_, .description = description_, .kind = NP_METRIC_HISTOGRAM, \
        .bound = bounds_, .n_bounds = NP_COUNT(bounds_)                                         \
    }
#define GAUGE(name_, unit_, integer_, description_)                                         \
    {                                                                                       \
        .name = name_, .unit = unit_, .description = description_, .kind = NP_METRIC_GAUGE, \
        .is_integer = integer_                                                              \
    }

const struct np_metric_def np_metric_files_processed =
    COUNTER("neuro.files.processed", "{file}", "Files that were processed, by how it ended");
const struct np_metric_def np_metric_sessions_processed =
    COUNTER("neuro.sessions.processed", "{session}", "Sessions that ended, by how");
const struct np_metric_def np_metric_errors =
    COUNTER("neuro.errors", "{error}", "Failures, by stage and type");
const struct np_metric_def np_metric_process_duration =
    HISTOGRAM("neuro.process.duration", "s", seconds, "Wall time of one file, start to end");
const struct np_metric_def np_metric_stage_duration =
    HISTOGRAM("neuro.stage.duration", "s", seconds, "Wall time of one stage of one file");
const struct np_metric_def np_metric_scan_size =
    HISTOGRAM("neuro.scan.size", "By", bytes, "Size of an input image on disk");
const struct np_metric_def np_metric_output_size =
    HISTOGRAM("neuro.output.size", "By", bytes, "Size of an output image on disk");
const struct np_metric_def np_metric_sessions_planned =
    GAUGE("neuro.sessions.planned", "{session}", true, "Sessions that this run is to process");
const struct np_metric_def np_metric_session_duration =
    GAUGE("neuro.session.duration", "s", false, "Wall time of one session");
const struct np_metric_def np_metric_session_cpu_time =
    GAUGE("neuro.session.cpu_time", "s", false, "CPU time of one session, user and system");
const struct np_metric_def np_metric_session_peak_memory =
    GAUGE("neuro.session.peak_memory", "By", true, "Largest resident memory of one session");

const struct np_metric_def *const np_metric_defs[] = {
    &np_metric_files_processed,  &np_metric_sessions_processed,  &np_metric_errors,
    &np_metric_process_duration, &np_metric_stage_duration,      &np_metric_scan_size,
    &np_metric_output_size,      &np_metric_sessions_planned,    &np_metric_session_duration,
    &np_metric_session_cpu_time, &np_metric_session_peak_memory,
};
const size_t np_n_metric_defs = NP_COUNT(np_metric_defs);
