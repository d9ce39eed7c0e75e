#include "trace/names.h"

#include <string.h>

#define X(ident, key, type, example, meaning) const char NP_KEY_##ident[sizeof(key)] = key;
NP_ATTRIBUTES(X)
#undef X

#define X(ident, key, type, example, meaning) {key, NP_ATTR_##type, example, meaning},
const struct np_attr_name np_attr_names[] = {NP_ATTRIBUTES(X)};
#undef X
const size_t np_n_attr_names = NP_COUNT(np_attr_names);

#define X(ident, key, type, example, meaning) +1
const size_t np_n_signal_attr_names = 0 NP_SIGNAL_ATTRIBUTES(X);
#undef X

/* From the fastest stage on a small image to the longest session that is not yet a mishap. */
static const double seconds[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,    2.5, 5,
                                 10,   30,    60,   120, 300,  600, 1800, 3600};

static const double bytes[] = {0x1p16, 0x1p18, 0x1p20, 0x1p22, 0x1p24,
                               0x1p26, 0x1p28, 0x1p30, 0x1p32};

enum { N_seconds = NP_COUNT(seconds), N_bytes = NP_COUNT(bytes), N_none = 0 };
#define none NULL

/* Kinds, and whether a callback observes them. */
#define KIND_COUNTER NP_METRIC_COUNTER, .is_observed = false
#define KIND_UPDOWN NP_METRIC_UPDOWN, .is_observed = false
#define KIND_GAUGE NP_METRIC_GAUGE, .is_observed = false
#define KIND_HISTOGRAM NP_METRIC_HISTOGRAM, .is_observed = false
#define KIND_OBSERVED_COUNTER NP_METRIC_COUNTER, .is_observed = true
#define KIND_OBSERVED_UPDOWN NP_METRIC_UPDOWN, .is_observed = true
#define IS_INT true
#define IS_DOUBLE false

#define X(ident, name_, kind_, unit_, number, bounds, attributes_, meaning)    \
    const struct np_metric_def np_metric_##ident = {.name = name_,             \
                                                    .unit = unit_,             \
                                                    .description = meaning,    \
                                                    .kind = KIND_##kind_,      \
                                                    .is_integer = IS_##number, \
                                                    .bound = bounds,           \
                                                    .n_bounds = N_##bounds,    \
                                                    .attributes = attributes_};
NP_METRICS(X)
#undef X

#define XG(ident, key, kind_, unit_, shown, formula, meaning, gauge, name_) \
    const struct np_metric_def np_metric_##gauge = {                        \
        .name = name_,                                                      \
        .unit = unit_,                                                      \
        .description = meaning,                                             \
        .kind = NP_METRIC_GAUGE,                                            \
        .attributes = "bids.participant? bids.session? neuro.site? bids.suffix"};
NP_MEASURES(NP_NO_MEASURE, XG)
#undef XG

#define X(ident, name, kind, unit, number, bounds, attributes, meaning) &np_metric_##ident,
#define XG(ident, key, kind, unit, shown, formula, meaning, gauge, name) &np_metric_##gauge,
const struct np_metric_def *const np_metric_defs[] = {NP_METRICS(X) NP_MEASURES(NP_NO_MEASURE, XG)};
#undef XG
#undef X
const size_t np_n_metric_defs = NP_COUNT(np_metric_defs);

#define XG(ident, key, kind, unit, shown, formula, meaning, gauge, name) {key, &np_metric_##gauge},
const struct np_quality_metric np_quality_metrics[] = {NP_MEASURES(NP_NO_MEASURE, XG)};
#undef XG
const size_t np_n_quality_metrics = NP_COUNT(np_quality_metrics);

static bool is_attribute(const char *key)
{
    for (size_t i = 0; i < np_n_attr_names; i++)
        if (strcmp(np_attr_names[i].key, key) == 0)
            return true;
    return false;
}

static bool is_measure(const char *key)
{
    for (size_t i = 0; i < NP_N_MEASURES; i++)
        if (strcmp(np_measure_rows[i].attribute, key) == 0)
            return true;
    return false;
}

bool np_attr_is_registered(const char *key)
{
    return is_attribute(key) || is_measure(key);
}
