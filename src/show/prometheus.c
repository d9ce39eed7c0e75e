#include "show/prometheus.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/names.h"

/* UCUM -> the word in a name. */
static const struct {
    const char *unit, *word;
} units[] = {{"s", "seconds"}, {"By", "bytes"}, {"mm", "millimeters"}};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':';
}

/* Append `text`; a run of characters that a name may not have becomes one underscore. */
static void add_name(struct np_otlp_buffer *out, const char *text)
{
    for (; *text; text++) {
        bool after_underscore = out->length > 0 && out->bytes[out->length - 1] == '_';
        if (is_name_char(*text))
            np_otlp_buffer_add(out, text, 1);
        else if (!after_underscore)
            np_otlp_buffer_add(out, "_", 1);
    }
}

static const char *unit_word(const struct np_metric_def *def)
{
    if (*def->unit == '{' || !*def->unit)
        return NULL;
    if (strcmp(def->unit, "1") == 0)
        return def->kind == NP_METRIC_GAUGE ? "ratio" : NULL;
    for (size_t i = 0; i < NP_COUNT(units); i++)
        if (strcmp(def->unit, units[i].unit) == 0)
            return units[i].word;
    return def->unit;
}

/* "neuro_files_processed_total", without _bucket, _sum, _count. */
static void add_metric_name(struct np_otlp_buffer *out, const struct np_metric_def *def)
{
    const char *unit = unit_word(def);

    add_name(out, def->name);
    if (unit) {
        np_otlp_buffer_text(out, "_");
        add_name(out, unit);
    }
    if (def->kind == NP_METRIC_COUNTER)
        np_otlp_buffer_text(out, "_total");
}

static void add_number(struct np_otlp_buffer *out, double value)
{
    char text[40];

    if (isinf(value)) {
        np_otlp_buffer_text(out, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) { /* the fewest that read back the same */
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    np_otlp_buffer_text(out, text);
}

static void add_count(struct np_otlp_buffer *out, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    np_otlp_buffer_text(out, text);
}

static void add_escaped(struct np_otlp_buffer *out, const char *text, size_t n, const char *special)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            np_otlp_buffer_add(out, "\\n", 2);
        else if (strchr(special, text[i]) && text[i])
            np_otlp_buffer_add(out, (const char[]){'\\', text[i]}, 2);
        else
            np_otlp_buffer_add(out, &text[i], 1);
    }
}

static void add_string(struct np_otlp_buffer *out, const char *key, const char *value,
                       const struct np_otlp_redactor *redactor)
{
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};

    if (redactor)
        np_otlp_redact(redactor, key, value, strlen(value), &text);
    else
        np_otlp_buffer_text(&text, value);
    if (text.failed) /* a value that could not be redacted must not be shown */
        out->failed = text.failed;
    else
        add_escaped(out, text.bytes, text.length, "\\\"");
}

static void add_value(struct np_otlp_buffer *out, const struct np_attr *attr,
                      const struct np_otlp_redactor *redactor)
{
    char number[32];

    switch (attr->type) {
    case NP_ATTR_STRING:
        add_string(out, attr->key, attr->value.string, redactor);
        return;
    case NP_ATTR_INT:
        snprintf(number, sizeof(number), "%" PRId64, attr->value.integer);
        np_otlp_buffer_text(out, number);
        return;
    case NP_ATTR_DOUBLE:
        add_number(out, attr->value.number);
        return;
    case NP_ATTR_BOOL:
        np_otlp_buffer_text(out, attr->value.boolean ? "true" : "false");
        return;
    }
}

/* The beginning of a line of numbers: name, suffix and labels. */
struct series {
    const struct np_metric_def *def; /* NULL: the suffix is the whole name */
    const char *suffix;
    const char *bound; /* of the bucket; NULL = none */
    const struct np_attrs *attrs;
};

/* The label that tells the text files of one node apart: node_exporter serves a series that two
 * files hold only once. */
static void add_file_label(struct np_otlp_buffer *out, const char *separator,
                           const struct np_show_page *page)
{
    np_otlp_buffer_text(out, separator);
    np_otlp_buffer_text(out, "neuro_textfile=\"");
    add_string(out, NP_KEY_FILE_NAME, page->textfile, page->redactor);
    np_otlp_buffer_text(out, "\"");
}

static void begin_line(struct np_otlp_buffer *out, const struct series *series,
                       const struct np_show_page *page)
{
    const char *separator = "{";

    if (series->def)
        add_metric_name(out, series->def);
    np_otlp_buffer_text(out, series->suffix);
    for (size_t i = 0; i < series->attrs->n; i++) {
        if (np_otlp_redact_leaves_out(page->redactor, series->attrs->item[i].key))
            continue;
        np_otlp_buffer_text(out, separator);
        add_name(out, series->attrs->item[i].key);
        np_otlp_buffer_text(out, "=\"");
        add_value(out, &series->attrs->item[i], page->redactor);
        np_otlp_buffer_text(out, "\"");
        separator = ",";
    }
    if (page->textfile) {
        add_file_label(out, separator, page);
        separator = ",";
    }
    if (series->bound) {
        np_otlp_buffer_text(out, separator);
        np_otlp_buffer_text(out, "le=\"");
        np_otlp_buffer_text(out, series->bound);
        np_otlp_buffer_text(out, "\"");
        separator = ",";
    }
    np_otlp_buffer_text(out, *separator == ',' ? "} " : " ");
}

/* "60.0", as client libraries write a bound. */
static void bound_text(double bound, char *text, size_t size)
{
    snprintf(text, size, "%.15g", bound);
    if (!strpbrk(text, ".e"))
        snprintf(text, size, "%.15g.0", bound);
}

static void add_buckets(struct np_otlp_buffer *out, const struct np_metric_point *point,
                        const struct np_show_page *page)
{
    uint64_t sum = 0;

    for (size_t i = 0; point->bucket && i < point->def->n_bounds; i++) {
        char bound[32];
        bound_text(point->def->bound[i], bound, sizeof(bound));
        sum += point->bucket[i];
        begin_line(out, &(struct series){point->def, "_bucket", bound, &point->attrs}, page);
        add_count(out, sum);
        np_otlp_buffer_text(out, "\n");
    }
    begin_line(out, &(struct series){point->def, "_bucket", "+Inf", &point->attrs}, page);
    add_count(out, point->count);
    np_otlp_buffer_text(out, "\n");
}

static void add_point(struct np_otlp_buffer *out, const struct np_metric_point *point,
                      const struct np_show_page *page)
{
    const struct np_metric_def *def = point->def;
    bool is_histogram = def->kind == NP_METRIC_HISTOGRAM;

    if (is_histogram)
        add_buckets(out, point, page);
    begin_line(out, &(struct series){def, is_histogram ? "_sum" : "", NULL, &point->attrs}, page);
    add_number(out, is_histogram ? point->sum : point->value);
    np_otlp_buffer_text(out, "\n");
    if (!is_histogram)
        return;
    begin_line(out, &(struct series){def, "_count", NULL, &point->attrs}, page);
    add_count(out, point->count);
    np_otlp_buffer_text(out, "\n");
}

/* The two lines of comment above the series of a metric. */
static void add_head(struct np_otlp_buffer *out, const struct np_metric_def *def)
{
    static const char *const types[] = {
        [NP_METRIC_COUNTER] = "counter",
        [NP_METRIC_UPDOWN] = "gauge",
        [NP_METRIC_GAUGE] = "gauge",
        [NP_METRIC_HISTOGRAM] = "histogram",
    };

    np_otlp_buffer_text(out, "# HELP ");
    add_metric_name(out, def);
    np_otlp_buffer_text(out, " ");
    add_escaped(out, def->description, strlen(def->description), "\\");
    np_otlp_buffer_text(out, "\n# TYPE ");
    add_metric_name(out, def);
    np_otlp_buffer_text(out, " ");
    np_otlp_buffer_text(out, types[def->kind]);
    np_otlp_buffer_text(out, "\n");
}

static void add_target(struct np_otlp_buffer *out, const struct np_show_page *page)
{
    np_otlp_buffer_text(out, "# HELP target_info Attributes of the resource\n"
                             "# TYPE target_info gauge\n");
    begin_line(out, &(struct series){NULL, "target_info", NULL, page->resource}, page);
    np_otlp_buffer_text(out, "1\n");
}

void np_show_prometheus_text(const struct np_metric_point *point, size_t n_points,
                             const struct np_show_page *page, struct np_otlp_buffer *out)
{
    if (page->resource)
        add_target(out, page);
    for (size_t i = 0; i < n_points; i++) {
        if (i == 0 || strcmp(point[i - 1].def->name, point[i].def->name) != 0)
            add_head(out, point[i].def);
        add_point(out, &point[i], page);
    }
}
