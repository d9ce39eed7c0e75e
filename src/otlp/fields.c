#include "otlp/fields.h"

#include "base/alloc.h"

const struct np_otlp_field np_otlp_fields[NP_N_OTLP_FIELDS] = {
#define X(ident, number, json_name, type, presence)                                                \
    [NP_FIELD_##ident] = {number,         sizeof(json_name) - 1, json_name, ",\"" json_name "\":", \
                          NP_OTLP_##type, NP_OTLP_##presence},
    NP_OTLP_FIELDS(X)
#undef X
};

/* A scalar; a message, or a list of them. */
#define S(ident)                                           \
    {                                                      \
        &np_otlp_fields[NP_FIELD_##ident], NP_MESSAGE_NONE \
    }
#define M(ident, message)                                       \
    {                                                           \
        &np_otlp_fields[NP_FIELD_##ident], NP_MESSAGE_##message \
    }

static const struct np_otlp_member resource[] = {
    M(RESOURCE_ATTRIBUTES, KEY_VALUE),
    S(RESOURCE_DROPPED),
};
static const struct np_otlp_member scope[] = {
    S(SCOPE_NAME),
    S(SCOPE_VERSION),
    M(SCOPE_ATTRIBUTES, KEY_VALUE),
    S(SCOPE_DROPPED),
};
static const struct np_otlp_member key_value[] = {
    S(KEY),
    M(VALUE, ANY_VALUE),
};
static const struct np_otlp_member any_value[] = {
    S(ANY_STRING),
    S(ANY_BOOL),
    S(ANY_INT),
    S(ANY_DOUBLE),
    M(ANY_ARRAY, ARRAY_VALUE),
    M(ANY_MAP, KEY_VALUE_LIST),
    S(ANY_BYTES),
};
static const struct np_otlp_member array_value[] = {
    M(VALUES, ANY_VALUE),
};
static const struct np_otlp_member key_value_list[] = {
    M(VALUES, KEY_VALUE),
};
static const struct np_otlp_member span[] = {
    S(SPAN_TRACE_ID),
    S(SPAN_ID),
    S(SPAN_TRACE_STATE),
    S(SPAN_PARENT_ID),
    S(SPAN_NAME),
    S(SPAN_KIND),
    S(SPAN_START),
    S(SPAN_END),
    M(SPAN_ATTRIBUTES, KEY_VALUE),
    S(SPAN_DROPPED_ATTRIBUTES),
    M(SPAN_EVENTS, EVENT),
    S(SPAN_DROPPED_EVENTS),
    M(SPAN_LINKS, LINK),
    S(SPAN_DROPPED_LINKS),
    M(SPAN_STATUS, STATUS),
    S(SPAN_FLAGS),
};
static const struct np_otlp_member event[] = {
    S(EVENT_TIME),
    S(EVENT_NAME),
    M(EVENT_ATTRIBUTES, KEY_VALUE),
    S(EVENT_DROPPED),
};
static const struct np_otlp_member link[] = {
    S(LINK_TRACE_ID), S(LINK_SPAN_ID), S(LINK_TRACE_STATE), M(LINK_ATTRIBUTES, KEY_VALUE),
    S(LINK_DROPPED),  S(LINK_FLAGS),
};
static const struct np_otlp_member status[] = {
    S(STATUS_MESSAGE),
    S(STATUS_CODE),
};
static const struct np_otlp_member log_record[] = {
    S(LOG_TIME),
    S(LOG_SEVERITY),
    S(LOG_SEVERITY_TEXT),
    M(LOG_BODY, ANY_VALUE),
    M(LOG_ATTRIBUTES, KEY_VALUE),
    S(LOG_DROPPED),
    S(LOG_FLAGS),
    S(LOG_TRACE_ID),
    S(LOG_SPAN_ID),
    S(LOG_OBSERVED_TIME),
    S(LOG_EVENT_NAME),
};
static const struct np_otlp_member metric[] = {
    S(METRIC_NAME),
    S(METRIC_DESCRIPTION),
    S(METRIC_UNIT),
    M(METRIC_GAUGE, GAUGE),
    M(METRIC_SUM, SUM),
    M(METRIC_HISTOGRAM, HISTOGRAM),
    M(METRIC_EXPONENTIAL, EXPONENTIAL),
    M(METRIC_SUMMARY, SUMMARY),
    M(METRIC_METADATA, KEY_VALUE),
};
static const struct np_otlp_member gauge[] = {
    M(DATA_POINTS, NUMBER_POINT),
};
static const struct np_otlp_member sum[] = {
    M(DATA_POINTS, NUMBER_POINT),
    S(TEMPORALITY),
    S(IS_MONOTONIC),
};
static const struct np_otlp_member histogram[] = {
    M(DATA_POINTS, HISTOGRAM_POINT),
    S(TEMPORALITY),
};
static const struct np_otlp_member exponential[] = {
    M(DATA_POINTS, EXPONENTIAL_POINT),
    S(TEMPORALITY),
};
static const struct np_otlp_member summary[] = {
    M(DATA_POINTS, SUMMARY_POINT),
};
static const struct np_otlp_member number_point[] = {
    S(POINT_START),   S(POINT_TIME),
    S(NUMBER_DOUBLE), M(NUMBER_EXEMPLARS, EXEMPLAR),
    S(NUMBER_INT),    M(NUMBER_ATTRIBUTES, KEY_VALUE),
    S(NUMBER_FLAGS),
};
static const struct np_otlp_member histogram_point[] = {
    S(POINT_START),
    S(POINT_TIME),
    S(HISTOGRAM_COUNT),
    S(HISTOGRAM_SUM),
    S(HISTOGRAM_BUCKETS),
    S(HISTOGRAM_BOUNDS),
    M(HISTOGRAM_EXEMPLARS, EXEMPLAR),
    M(HISTOGRAM_ATTRIBUTES, KEY_VALUE),
    S(HISTOGRAM_FLAGS),
    S(HISTOGRAM_MIN),
    S(HISTOGRAM_MAX),
};
static const struct np_otlp_member exponential_point[] = {
    M(EXPONENTIAL_ATTRIBUTES, KEY_VALUE),
    S(POINT_START),
    S(POINT_TIME),
    S(HISTOGRAM_COUNT),
    S(HISTOGRAM_SUM),
    S(EXPONENTIAL_SCALE),
    S(EXPONENTIAL_ZERO_COUNT),
    M(EXPONENTIAL_POSITIVE, BUCKETS),
    M(EXPONENTIAL_NEGATIVE, BUCKETS),
    S(EXPONENTIAL_FLAGS),
    M(EXPONENTIAL_EXEMPLARS, EXEMPLAR),
    S(EXPONENTIAL_MIN),
    S(EXPONENTIAL_MAX),
    S(EXPONENTIAL_ZERO_THRESHOLD),
};
static const struct np_otlp_member buckets[] = {
    S(BUCKETS_OFFSET),
    S(BUCKETS_COUNTS),
};
static const struct np_otlp_member summary_point[] = {
    S(POINT_START),
    S(POINT_TIME),
    S(HISTOGRAM_COUNT),
    S(SUMMARY_SUM),
    M(SUMMARY_QUANTILES, QUANTILE),
    M(NUMBER_ATTRIBUTES, KEY_VALUE),
    S(NUMBER_FLAGS),
};
static const struct np_otlp_member quantile[] = {
    S(QUANTILE),
    S(QUANTILE_VALUE),
};
static const struct np_otlp_member exemplar[] = {
    S(EXEMPLAR_TIME),     S(EXEMPLAR_DOUBLE), S(EXEMPLAR_SPAN_ID),
    S(EXEMPLAR_TRACE_ID), S(EXEMPLAR_INT),    M(EXEMPLAR_ATTRIBUTES, KEY_VALUE),
};

const struct np_otlp_message np_otlp_messages[NP_N_OTLP_MESSAGES] = {
#define X(ident, list) [NP_MESSAGE_##ident] = {list, NP_COUNT(list), false}
#define CHOICE(ident, list) [NP_MESSAGE_##ident] = {list, NP_COUNT(list), true}
    X(RESOURCE, resource),
    X(SCOPE, scope),
    X(KEY_VALUE, key_value),
    CHOICE(ANY_VALUE, any_value),
    X(ARRAY_VALUE, array_value),
    X(KEY_VALUE_LIST, key_value_list),
    X(SPAN, span),
    X(EVENT, event),
    X(LINK, link),
    X(STATUS, status),
    X(LOG_RECORD, log_record),
    CHOICE(METRIC, metric),
    X(GAUGE, gauge),
    X(SUM, sum),
    X(HISTOGRAM, histogram),
    X(EXPONENTIAL, exponential),
    X(SUMMARY, summary),
    CHOICE(NUMBER_POINT, number_point),
    X(HISTOGRAM_POINT, histogram_point),
    X(EXPONENTIAL_POINT, exponential_point),
    X(BUCKETS, buckets),
    X(SUMMARY_POINT, summary_point),
    X(QUANTILE, quantile),
    CHOICE(EXEMPLAR, exemplar),
#undef CHOICE
#undef X
};
