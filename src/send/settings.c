#include "send/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "send/destination.h"
#include "send/proxy.h"
#include "trace/trace.h"

/* Variables. */

/* The value of an environment variable without the blanks around it; NULL when it is unset or
 * empty. The caller frees. */
static char *variable(const char *name)
{
    const char *value = getenv(name);

    if (!value)
        return NULL;
    value += strspn(value, " \t\r\n");
    size_t n = strlen(value);
    while (n > 0 && strchr(" \t\r\n", value[n - 1]))
        n--;
    return n > 0 ? np_xstrndup(value, n) : NULL;
}

enum scope { OWN, GENERIC, N_SCOPES };

/* The value of a signal's own variable, as OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, or of the generic
 * one, OTEL_EXPORTER_OTLP_TIMEOUT. `name` is set to the variable's name. */
static char *variable_of(enum np_otlp_signal signal, enum scope scope, const char *what,
                         char name[64])
{
    static const char *const parts[] = {
        [NP_OTLP_TRACES] = "TRACES_", [NP_OTLP_LOGS] = "LOGS_", [NP_OTLP_METRICS] = "METRICS_"};

    snprintf(name, 64, "OTEL_EXPORTER_OTLP_%s%s", scope == OWN ? parts[signal] : "", what);
    return variable(name);
}

/* The value of the signal's own variable, else of the generic one. `name` is set to the name of the
 * variable that was read. */
static char *signal_variable(enum np_otlp_signal signal, const char *what, char name[64])
{
    char *value = variable_of(signal, OWN, what, name);

    return value ? value : variable_of(signal, GENERIC, what, name);
}

/* Add a sentence as a line of its own, unless it is there already. */
static void warn(struct np_str *warnings, const char *format, ...) NP_PRINTF(2, 3);
static void warn(struct np_str *warnings, const char *format, ...)
{
    char line[512];
    va_list args;

    if (!warnings)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    NP_AUTO(np_freep) char *clean = np_utf8_clean(line);
    NP_AUTO(np_freep) char *whole = np_xasprintf("%s\n", clean);
    if (!strstr(np_str_text(warnings), whole))
        np_str_add(warnings, whole);
}

/* Words. */

struct word {
    const char *text;
    int value;
};

/* Set `*out` to the value of the word. False when the variable is unset, or (with a warning) when
 * its value is none of the words. */
static bool read_word(const char *name, const char *value, const struct word *words, size_t n,
                      int *out, struct np_str *warnings)
{
    NP_AUTO(np_str_done) struct np_str known = {0};

    if (!value)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(words[i].text, value) == 0) {
            *out = words[i].value;
            return true;
        }
        np_str_addf(&known, "%s%s", i ? ", " : "", words[i].text);
    }
    warn(warnings, "%s: expected one of %s, found '%.60s'; it is ignored", name,
         np_str_text(&known), value);
    return false;
}

/* The words that stand for yes and no. */
static const struct word booleans[] = {{"true", 1}, {"false", 0}};

/* The value of a variable's word; `otherwise` when it is unset or unknown. */
static int read_choice(const char *name, const struct word *words, size_t n, int otherwise,
                       struct np_str *warnings)
{
    NP_AUTO(np_freep) char *value = variable(name);
    int chosen = otherwise;

    read_word(name, value, words, n, &chosen, warnings);
    return chosen;
}

/* The value of a signal's own word, else of the generic one, else `otherwise`. An own word that is
 * unknown counts as unset. */
static int read_signal_choice(enum np_otlp_signal signal, const char *what,
                              const struct word *words, size_t n, int otherwise,
                              struct np_str *warnings)
{
    int chosen = otherwise;
    bool is_read = false;

    for (enum scope scope = OWN; scope < N_SCOPES && !is_read; scope++) {
        char name[64];
        NP_AUTO(np_freep) char *value = variable_of(signal, scope, what, name);
        is_read = read_word(name, value, words, n, &chosen, warnings);
    }
    return chosen;
}

/* Numbers. */

static bool read_integer(const char *name, const char *value, int64_t least, int64_t most,
                         int64_t *out, struct np_str *warnings)
{
    char *rest;

    if (!value)
        return false;
    errno = 0;
    long long number = strtoll(value, &rest, 10);
    if (*rest || errno || number < least || number > most) {
        warn(warnings,
             "%s: expected a whole number from %lld to %lld, found '%.60s'; it is ignored", name,
             (long long)least, (long long)most, value);
        return false;
    }
    *out = number;
    return true;
}

enum number_kind { MILLISECONDS, COUNT, LIMIT };

/* Each variable that is a number, and the member that it sets. */
static const struct number {
    const char *name;
    enum number_kind kind;
    size_t field;
    int64_t least;
} numbers[] = {
#define X(name, kind, field, least)                                 \
    {                                                               \
        name, kind, offsetof(struct np_send_settings, field), least \
    }
    X("OTEL_BSP_SCHEDULE_DELAY", MILLISECONDS, spans.schedule_delay_s, 0),
    X("OTEL_BSP_EXPORT_TIMEOUT", MILLISECONDS, spans.export_timeout_s, 0),
    X("OTEL_BSP_MAX_QUEUE_SIZE", COUNT, spans.most_queued, 1),
    X("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", COUNT, spans.most_in_batch, 1),
    X("OTEL_BLRP_SCHEDULE_DELAY", MILLISECONDS, logs.schedule_delay_s, 0),
    X("OTEL_BLRP_EXPORT_TIMEOUT", MILLISECONDS, logs.export_timeout_s, 0),
    X("OTEL_BLRP_MAX_QUEUE_SIZE", COUNT, logs.most_queued, 1),
    X("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", COUNT, logs.most_in_batch, 1),
    X("OTEL_METRIC_EXPORT_INTERVAL", MILLISECONDS, metric_interval_s, 1),
    X("OTEL_METRIC_EXPORT_TIMEOUT", MILLISECONDS, metric_timeout_s, 1),
    /* The generic limits first: a signal's own beats them. */
    X("OTEL_ATTRIBUTE_COUNT_LIMIT", LIMIT, limits.span_attributes, 0),
    X("OTEL_ATTRIBUTE_COUNT_LIMIT", LIMIT, limits.log_attributes, 0),
    X("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT, limits.span_characters, 0),
    X("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT, limits.log_characters, 0),
    X("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", LIMIT, limits.span_attributes, 0),
    X("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT, limits.span_characters, 0),
    X("OTEL_SPAN_EVENT_COUNT_LIMIT", LIMIT, limits.span_events, 0),
    X("OTEL_SPAN_LINK_COUNT_LIMIT", LIMIT, limits.span_links, 0),
    X("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", LIMIT, limits.event_attributes, 0),
    X("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", LIMIT, link_attributes, 0),
    X("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", LIMIT, limits.log_attributes, 0),
    X("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT, limits.log_characters, 0),
#undef X
};

static void read_numbers(struct np_send_settings *out, struct np_str *warnings)
{
    for (size_t i = 0; i < NP_COUNT(numbers); i++) {
        const struct number *row = &numbers[i];
        NP_AUTO(np_freep) char *value = variable(row->name);
        void *field = (char *)out + row->field;
        int64_t number;
        if (!read_integer(row->name, value, row->least, INT32_MAX, &number, warnings))
            continue;
        if (row->kind == MILLISECONDS)
            *(double *)field = (double)number / 1000;
        else
            *(int64_t *)field = number;
    }
    if (out->spans.most_in_batch > out->spans.most_queued)
        out->spans.most_in_batch = out->spans.most_queued;
    if (out->logs.most_in_batch > out->logs.most_queued)
        out->logs.most_in_batch = out->logs.most_queued;
}

/* Choices. */

static void read_metric_choices(struct np_send_settings *out, struct np_str *warnings)
{
    static const struct word temporalities[] = {{"cumulative", NP_PREFER_CUMULATIVE},
                                                {"delta", NP_PREFER_DELTA},
                                                {"lowmemory", NP_PREFER_LOW_MEMORY}};
    static const struct word histograms[] = {
        {"explicit_bucket_histogram", NP_HISTOGRAM_EXPLICIT},
        {"base2_exponential_bucket_histogram", NP_HISTOGRAM_EXPONENTIAL}};
    static const struct word filters[] = {{"trace_based", NP_EXEMPLARS_TRACED},
                                          {"always_on", NP_EXEMPLARS_ALL},
                                          {"always_off", NP_EXEMPLARS_NONE}};
    static const struct {
        const char *name;
        const struct word *words;
        size_t n;
    } table[] = {
        {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporalities,
         NP_COUNT(temporalities)},
        {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", histograms,
         NP_COUNT(histograms)},
        {"OTEL_METRICS_EXEMPLAR_FILTER", filters, NP_COUNT(filters)},
    };
    int chosen[NP_COUNT(table)]; /* the first of each is the default */

    for (size_t i = 0; i < NP_COUNT(table); i++)
        chosen[i] = read_choice(table[i].name, table[i].words, table[i].n, 0, warnings);
    out->temporality = (enum np_temporality_preference)chosen[0];
    out->histogram = (enum np_histogram_kind)chosen[1];
    out->exemplars = (enum np_exemplar_filter)chosen[2];
}

static void read_ratio(struct np_send_settings *out, struct np_str *warnings)
{
    NP_AUTO(np_freep) char *value = variable("OTEL_TRACES_SAMPLER_ARG");
    char *rest;

    out->sample_ratio = 1;
    if (!value)
        return;
    double ratio = strtod(value, &rest);
    if (!*rest && ratio >= 0 && ratio <= 1)
        out->sample_ratio = ratio;
    else
        warn(warnings,
             "OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1, found '%.60s'; "
             "it is ignored",
             value);
}

static void read_sampler(struct np_send_settings *out, struct np_str *warnings)
{
    enum { ALL, NONE, RATIO, PARENT = 8 };
    static const struct word samplers[] = {
        {"always_on", ALL},
        {"always_off", NONE},
        {"traceidratio", RATIO},
        {"parentbased_always_on", PARENT | ALL},
        {"parentbased_always_off", PARENT | NONE},
        {"parentbased_traceidratio", PARENT | RATIO},
    };
    int chosen =
        read_choice("OTEL_TRACES_SAMPLER", samplers, NP_COUNT(samplers), PARENT | ALL, warnings);

    out->is_parent_based = chosen & PARENT;
    out->sample_ratio = (chosen & ~PARENT) == NONE ? 0 : 1;
    if ((chosen & ~PARENT) == RATIO)
        read_ratio(out, warnings);
}

static bool has_unsampled_parent(void)
{
    enum { SAMPLED = 1 }; /* W3C trace flags */
    NP_AUTO(np_freep) char *parent = variable("TRACEPARENT");
    struct np_trace_id trace_id;
    struct np_span_id span_id;
    uint32_t flags;

    return parent && np_traceparent_parse(parent, &trace_id, &span_id, &flags) &&
           !(flags & SAMPLED);
}

/* Set keeps_all_traces; the sampler and the propagators have been read. */
static void set_keeps_all_traces(struct np_send_settings *out)
{
    bool follows = out->is_parent_based && out->propagators & NP_SEND_TRACE_CONTEXT;

    out->keeps_all_traces = out->sample_ratio == 1 && !(follows && has_unsampled_parent());
}

static void read_log_level(struct np_send_settings *out, struct np_str *warnings)
{
    struct word levels[NP_N_SEVERITY_WORDS];

    for (int i = 0; i < NP_N_SEVERITY_WORDS; i++)
        levels[i] = (struct word){np_severity_words[i].word, (int)np_severity_words[i].least};
    out->log_severity = read_choice("OTEL_LOG_LEVEL", levels, NP_COUNT(levels), NP_INFO, warnings);
}

/* Read a list of words as bits. The word "none" (0) empties the list. False when the variable is
 * unset, or (with warnings) when no word of the list is known. */
static bool read_bits(const char *name, const struct word *words, size_t n, unsigned *out,
                      struct np_str *warnings)
{
    NP_AUTO(np_freep) char *list = variable(name);
    unsigned bits = 0;
    bool is_known = false, is_none = false;
    char *rest = NULL;

    for (char *word = list ? strtok_r(list, ", \t", &rest) : NULL; word;
         word = strtok_r(NULL, ", \t", &rest)) {
        int bit;
        if (!read_word(name, word, words, n, &bit, warnings))
            continue;
        is_known = true;
        is_none = is_none || bit == 0;
        bits |= (unsigned)bit;
    }
    if (is_known)
        *out = is_none ? 0 : bits;
    return is_known;
}

static void read_propagators(struct np_send_settings *out, struct np_str *warnings)
{
    static const struct word words[] = {
        {"tracecontext", NP_SEND_TRACE_CONTEXT}, {"baggage", NP_SEND_BAGGAGE}, {"none", 0}};

    out->propagators = NP_SEND_TRACE_CONTEXT | NP_SEND_BAGGAGE;
    read_bits("OTEL_PROPAGATORS", words, NP_COUNT(words), &out->propagators, warnings);
}

static void read_prometheus(struct np_send_settings *out, struct np_str *warnings)
{
    NP_AUTO(np_freep) char *port = variable("OTEL_EXPORTER_PROMETHEUS_PORT");
    int64_t number = 9464;

    out->prometheus_host = variable("OTEL_EXPORTER_PROMETHEUS_HOST");
    if (!out->prometheus_host)
        out->prometheus_host = np_xstrdup("localhost");
    read_integer("OTEL_EXPORTER_PROMETHEUS_PORT", port, 0, 65535, &number, warnings);
    out->prometheus_port = (int)number;
}

/* Destinations. */

static int read_protocol(enum np_otlp_signal signal, struct np_str *warnings)
{
    static const struct word words[] = {{"http/protobuf", NP_OTLP_HTTP_PROTOBUF},
                                        {"http/json", NP_OTLP_HTTP_JSON},
                                        {"grpc", NP_OTLP_GRPC}};

    return read_signal_choice(signal, "PROTOCOL", words, NP_COUNT(words), -1, warnings);
}

/* 0 means no limit. A long time stands for it, so that no process waits for ever. */
static double limited_s(int64_t milliseconds)
{
    enum { LONGEST_S = 600 };

    return milliseconds > 0 ? (double)milliseconds / 1000 : LONGEST_S;
}

static double read_timeout_s(enum np_otlp_signal signal, struct np_str *warnings)
{
    int64_t milliseconds = 10000;
    bool is_read = false;

    for (enum scope scope = OWN; scope < N_SCOPES && !is_read; scope++) {
        char name[64];
        NP_AUTO(np_freep) char *value = variable_of(signal, scope, "TIMEOUT", name);
        is_read = read_integer(name, value, 0, INT32_MAX, &milliseconds, warnings);
    }
    return limited_s(milliseconds);
}

/* Read everything but the endpoint. */
static void read_details(struct np_send_destination *to, struct np_str *warnings)
{
    /* The specification leaves the default of the compression open; all collectors accept gzip. */
    static const struct word words[] = {{"gzip", NP_SEND_GZIP}, {"none", NP_SEND_PLAIN}};
    enum np_otlp_signal signal = to->signal;
    char name[64];
    NP_AUTO(np_freep) char *headers = signal_variable(signal, "HEADERS", name);
    int n_unusable = headers ? np_send_headers_parse(headers, &to->headers) : 0;

    if (n_unusable)
        warn(warnings,
             "%s: expected name=value pairs separated by commas, values percent-encoded; %d of "
             "them cannot be used and are ignored",
             name, n_unusable);
    to->compression = (enum np_send_compression)read_signal_choice(
        signal, "COMPRESSION", words, NP_COUNT(words), NP_SEND_GZIP, warnings);
    to->timeout_s = read_timeout_s(signal, warnings);
    to->ca_certificate = signal_variable(signal, "CERTIFICATE", name);
    to->client_key = signal_variable(signal, "CLIENT_KEY", name);
    to->client_certificate = signal_variable(signal, "CLIENT_CERTIFICATE", name);
}

static void resolve(const char *name, const char *endpoint, enum np_send_endpoint_kind kind,
                    struct np_send_destination *to, struct np_str *warnings)
{
    int protocol = read_protocol(to->signal, warnings);
    bool is_insecure =
        read_signal_choice(to->signal, "INSECURE", booleans, NP_COUNT(booleans), false, warnings);
    struct np_error err = {0};

    if (np_send_destination_resolve(endpoint, kind, protocol, is_insecure, to, &err) < 0)
        warn(warnings, "%s: %s; it is ignored", name, err.text);
}

/* The proxy for a destination whose URL is set. */
static void read_proxy(struct np_send_destination *to, struct np_str *warnings)
{
    NP_AUTO(np_send_url_done) struct np_send_url url = {0}, of_proxy = {0};
    const char *name = NULL;

    if (!to->url || !np_send_url_parse(to->url, &url))
        return;
    NP_AUTO(np_freep) char *proxy = np_send_proxy_for(&url, &name);
    if (!proxy)
        return;
    if (!np_send_url_parse(proxy, &of_proxy)) {
        warn(warnings, "%s: expected a URL as http://host:3128; it is ignored", name);
        return;
    }
    const int port = of_proxy.port ? of_proxy.port : NP_SEND_PROXY_PORT;
    to->proxy_shown = np_xasprintf("%s:%d", of_proxy.host, port);
    to->proxy = proxy;
    proxy = NULL;
}

/* Read a signal's own endpoint, else the generic one. */
static void read_endpoint(struct np_send_destination *to, struct np_str *warnings)
{
    char name[64];
    NP_AUTO(np_freep) char *endpoint = signal_variable(to->signal, "ENDPOINT", name);

    if (!endpoint)
        return;
    bool is_generic = strcmp(name, "OTEL_EXPORTER_OTLP_ENDPOINT") == 0;
    resolve(name, endpoint, is_generic ? NP_SEND_ENDPOINT_GENERIC : NP_SEND_ENDPOINT_SIGNAL, to,
            warnings);
    if (to->url || is_generic)
        return;
    NP_AUTO(np_freep) char *generic = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    if (generic)
        resolve("OTEL_EXPORTER_OTLP_ENDPOINT", generic, NP_SEND_ENDPOINT_GENERIC, to, warnings);
}

/*
 * The endpoint of `--otel-endpoint auto`: the value of OTEL_EXPORTER_OTLP_ENDPOINT in the lease
 * file, which a telemetry stack on this node has written in lines of NAME=VALUE. The file is
 * $NEURO_STACK_LEASE, else $XDG_RUNTIME_DIR/neuro-preprocess/lease, else
 * /tmp/neuro-preprocess-UID/lease. It must belong to the user, and no other user may write to it.
 * NULL when there is none; the caller frees.
 */
static char *leased_endpoint(struct np_str *warnings)
{
    static const char key[] = "OTEL_EXPORTER_OTLP_ENDPOINT=";
    enum { MOST_BYTES = 65536 };
    NP_AUTO(np_str_done) struct np_str content = {0};
    NP_AUTO(np_freep) char *path = variable("NEURO_STACK_LEASE");
    NP_AUTO(np_freep) char *folder = variable("XDG_RUNTIME_DIR");
    struct stat status;

    if (!path && folder)
        path = np_path_join(folder, "neuro-preprocess/lease");
    if (!path)
        path = np_xasprintf("/tmp/neuro-preprocess-%u/lease", (unsigned)geteuid());
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return NULL;
    bool is_ours = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                   status.st_uid == geteuid() && !(status.st_mode & (S_IWGRP | S_IWOTH));
    if (!is_ours)
        warn(warnings,
             "'%s': expected a file of your own that no other user can write; it is ignored", path);
    char bytes[4096];
    ssize_t n = 0;
    while (is_ours && content.length < MOST_BYTES && (n = read(fd, bytes, sizeof(bytes))) > 0)
        np_str_add_bytes(&content, bytes, (size_t)n);
    if (fd >= 0)
        close(fd);
    char *rest = NULL;
    for (char *line = content.text ? strtok_r(content.text, "\r\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\r\n", &rest))
        if (np_starts_with(line, key) && line[sizeof(key) - 1])
            return np_xstrdup(line + sizeof(key) - 1);
    return NULL;
}

static void read_destinations(const char *flag, struct np_send_settings *out,
                              struct np_str *warnings)
{
    bool is_auto = flag && strcmp(flag, "auto") == 0;
    NP_AUTO(np_freep) char *leased = is_auto ? leased_endpoint(warnings) : NULL;
    const char *endpoint = is_auto ? leased : flag;

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        struct np_send_destination *to = &out->to[i];
        to->signal = (enum np_otlp_signal)i;
        to->connect_timeout_s = out->deadline_s;
        read_details(to, warnings);
        if (endpoint && *endpoint)
            resolve(is_auto ? "the lease file" : "--otel-endpoint", endpoint, NP_SEND_ENDPOINT_FLAG,
                    to, warnings);
        else if (!is_auto)
            read_endpoint(to, warnings);
        read_proxy(to, warnings);
    }
}

/* Exporters. */

static void read_exporters(struct np_send_settings *out, struct np_str *warnings)
{
    static const struct word words[] = {{"otlp", NP_SEND_TO_OTLP},
                                        {"console", NP_SEND_TO_CONSOLE},
                                        {"none", 0},
                                        {"prometheus", NP_SEND_TO_PROMETHEUS}};
    static const char *const names[NP_OTLP_N_SIGNALS] = {[NP_OTLP_TRACES] = "OTEL_TRACES_EXPORTER",
                                                         [NP_OTLP_LOGS] = "OTEL_LOGS_EXPORTER",
                                                         [NP_OTLP_METRICS] =
                                                             "OTEL_METRICS_EXPORTER"};

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        unsigned bits = NP_SEND_TO_OTLP;
        size_t n = i == NP_OTLP_METRICS ? NP_COUNT(words) : NP_COUNT(words) - 1;
        bool is_set = read_bits(names[i], words, n, &bits, warnings);
        if (is_set && (bits & NP_SEND_TO_OTLP) && !out->to[i].url)
            warn(warnings,
                 "%s: otlp needs an endpoint (OTEL_EXPORTER_OTLP_ENDPOINT or --otel-endpoint); "
                 "nothing is sent without one",
                 names[i]);
        if (!out->to[i].url)
            bits &= ~(unsigned)NP_SEND_TO_OTLP;
        out->exporters[i] = bits;
    }
}

static void set_defaults(struct np_send_settings *out)
{
    *out = (struct np_send_settings){
        .spans = {5, 30, 2048, 512},
        .logs = {1, 30, 2048, 512},
        .metric_interval_s = 60,
        .metric_timeout_s = 30,
        .link_attributes = 128,
        .limits = {.span_attributes = 128,
                   .span_characters = -1,
                   .span_events = 128,
                   .span_links = 128,
                   .event_attributes = 128,

                   .log_attributes = 128,
                   .log_characters = -1},
    };
}

static void read_deadline(const struct np_send_overrides *flags, struct np_send_settings *out)
{
    enum { DEFAULT_S = 5 };
    NP_AUTO(np_freep) char *value = variable("OTEL_BSP_EXPORT_TIMEOUT");
    int64_t milliseconds;

    out->deadline_s = DEFAULT_S;
    if (flags && flags->deadline_s > 0)
        out->deadline_s = flags->deadline_s;
    else if (read_integer("", value, 0, INT32_MAX, &milliseconds, NULL))
        out->deadline_s = limited_s(milliseconds);
}

static void disable(const struct np_send_overrides *flags, struct np_send_settings *out,
                    struct np_str *warnings)
{
    if (flags && flags->endpoint)
        warn(warnings, "OTEL_SDK_DISABLED is true: --otel-endpoint is not used");
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        out->exporters[i] = 0;
}

/* A user who wrote a file in OpenTelemetry's format for settings must know that it counts for
 * nothing here. */
static void warn_of_file(struct np_str *warnings)
{
    static const char *const names[] = {"OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"};

    for (size_t i = 0; i < NP_COUNT(names); i++) {
        NP_AUTO(np_freep) char *value = variable(names[i]);
        if (value)
            warn(warnings,
                 "%s: the file is not read: this program takes OpenTelemetry's settings from its "
                 "options and from the variables OTEL_* only",
                 names[i]);
    }
}

void np_send_settings_read(const struct np_send_overrides *flags, struct np_send_settings *out,
                           struct np_str *warnings)
{
    set_defaults(out);
    out->is_disabled =
        read_choice("OTEL_SDK_DISABLED", booleans, NP_COUNT(booleans), false, warnings);
    warn_of_file(warnings);
    read_numbers(out, warnings);
    read_deadline(flags, out);
    read_metric_choices(out, warnings);
    read_sampler(out, warnings);
    read_propagators(out, warnings);
    set_keeps_all_traces(out);
    read_log_level(out, warnings);
    read_prometheus(out, warnings);
    read_destinations(flags ? flags->endpoint : NULL, out, warnings);
    read_exporters(out, warnings);
    if (out->is_disabled)
        disable(flags, out, warnings);
}

void np_send_settings_done(struct np_send_settings *settings)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        np_send_destination_done(&settings->to[i]);
    free(settings->prometheus_host);
    *settings = (struct np_send_settings){0};
}

bool np_send_settings_sends(const struct np_send_settings *settings)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (settings->exporters[i] & NP_SEND_TO_OTLP)
            return true;
    return false;
}
