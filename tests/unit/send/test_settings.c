/* Settings: the variables of the OpenTelemetry specification, as a table of cases. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "send/settings.h"
#include "tap.h"

extern char **environ;

/* Remove the variables of the caller's environment that a test could read. */
static void clear_environment(void)
{
    static char *empty[] = {NULL};

    environ = empty;
}

/* Set variables from a text such as "A=1 B=2"; "+" in a value stands for a blank. */
static void set_environment(const char *assignments)
{
    NP_AUTO(np_freep) char *copy = np_xstrdup(assignments);
    char *rest = NULL;

    clear_environment();
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        for (char *c = equals + 1; *c; c++)
            if (*c == '+')
                *c = ' ';
        setenv(word, equals + 1, 1);
    }
}

/* A destination as "<protocol> <URL>[;header;header…]"; "-" when nothing is sent. The caller frees. */
static char *where(const struct np_send_settings *settings, enum np_otlp_signal signal)
{
    NP_AUTO(np_str_done) struct np_str out = {0};
    const struct np_send_destination *to = &settings->to[signal];

    if (!(settings->exporters[signal] & NP_SEND_TO_OTLP))
        return np_xstrdup("-");
    np_str_add(&out, to->shown);
    for (size_t i = 0; i < to->headers.n; i++)
        np_str_addf(&out, ";%s", to->headers.item[i]);
    return np_str_take(&out);
}

#define E "OTEL_EXPORTER_OTLP_"
#define HTTP "http/protobuf "
#define TRACE_SERVICE "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

/* The destinations of a case: environment, flag, traces, metrics, a part of the warnings ("" =
 * none). */
static const struct {
    const char *environment, *flag, *traces, *metrics, *warning;
} ENDPOINTS[] = {
    {"", NULL, "-", "-", ""},
    {E "ENDPOINT=", NULL, "-", "-", ""},
    {E "ENDPOINT=+ ", NULL, "-", "-", ""},
    {E "ENDPOINT=http://h:4318", NULL, HTTP "http://h:4318/v1/traces",
     HTTP "http://h:4318/v1/metrics", ""},
    {E "ENDPOINT=http://h:4318/", NULL, HTTP "http://h:4318/v1/traces",
     HTTP "http://h:4318/v1/metrics", ""},
    {E "ENDPOINT=https://h/base/", NULL, HTTP "https://h:443/base/v1/traces",
     HTTP "https://h:443/base/v1/metrics", ""},
    {E "TRACES_ENDPOINT=http://t/x", NULL, HTTP "http://t:80/x", "-", ""},
    {E "TRACES_ENDPOINT=http://t", NULL, HTTP "http://t:80/", "-", ""},
    {E "ENDPOINT=http://h:1 " E "TRACES_ENDPOINT=http://t:2/x", NULL, HTTP "http://t:2/x",
     HTTP "http://h:1/v1/metrics", ""},
    {E "ENDPOINT=http://h:1 " E "TRACES_ENDPOINT=ftp://t", NULL, HTTP "http://h:1/v1/traces",
     HTTP "http://h:1/v1/metrics", E "TRACES_ENDPOINT: expected http:// or https://"},
    {E "ENDPOINT=h:4318", NULL, "-", "-", "with http:// or https:// in front"},
    {E "ENDPOINT=http://", NULL, "-", "-", "expected a URL"},
    {E "ENDPOINT=http://h:0", NULL, "-", "-", "expected a URL"},
    {E "ENDPOINT=http://h:65536", NULL, "-", "-", "expected a URL"},
    {E "ENDPOINT=http://h:1x", NULL, "-", "-", "expected a URL"},
    {E "ENDPOINT=http://a+b", NULL, "-", "-", "expected a URL"},
    {E "ENDPOINT=HTTP://Host.Example:1/Path?k=v#f", NULL,
     HTTP "http://host.example:1/Path/v1/traces", HTTP "http://host.example:1/Path/v1/metrics", ""},
    {E "ENDPOINT=http://[::1]:4318", NULL, HTTP "http://[::1]:4318/v1/traces",
     HTTP "http://[::1]:4318/v1/metrics", ""},
    {E "ENDPOINT=http://u:p%40@h:1", NULL, HTTP "http://h:1/v1/traces",
     HTTP "http://h:1/v1/metrics", ""},
    /* gRPC */
    {E "ENDPOINT=http://h:4317 " E "PROTOCOL=grpc " E "METRICS_PROTOCOL=http/json", NULL,
     "grpc http://h:4317" TRACE_SERVICE, "http/json http://h:4317/v1/metrics", ""},
    {E "ENDPOINT=h:4317 " E "TRACES_PROTOCOL=grpc " E "METRICS_PROTOCOL=GRPC", NULL,
     "grpc https://h:4317" TRACE_SERVICE,
     "grpc https://h:4317/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
     "with http:// or https:// in front"}, /* logs are HTTP */
    {E "TRACES_ENDPOINT=h " E "TRACES_PROTOCOL=grpc " E "INSECURE=true", NULL,
     "grpc http://h:4317" TRACE_SERVICE, "-", ""},
    {E "ENDPOINT=http://h " E "PROTOCOL=udp", NULL, HTTP "http://h:80/v1/traces",
     HTTP "http://h:80/v1/metrics", "PROTOCOL: expected one of http/protobuf, http/json, grpc"},
    /* the flag */
    {"", "h", HTTP "http://h:4318/v1/traces", HTTP "http://h:4318/v1/metrics", ""},
    {"", "h:4318", HTTP "http://h:4318/v1/traces", HTTP "http://h:4318/v1/metrics", ""},
    {"", "h:4317", "grpc http://h:4317" TRACE_SERVICE,
     "grpc http://h:4317/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", ""},
    {E "PROTOCOL=http/json", "h:4317", "http/json http://h:4317/v1/traces",
     "http/json http://h:4317/v1/metrics", ""},
    {"", "grpcs://h", "grpc https://h:4317" TRACE_SERVICE,
     "grpc https://h:4317/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", ""},
    {"", "http://h:4318/v1/traces", HTTP "http://h:4318/v1/traces", HTTP "http://h:4318/v1/metrics",
     ""},
    {"", "http://h:9090/api/v1/otlp", HTTP "http://h:9090/api/v1/otlp/v1/traces",
     HTTP "http://h:9090/api/v1/otlp/v1/metrics", ""},
    {E "ENDPOINT=http://e:1 " E "TRACES_ENDPOINT=http://t:2", "f:3", HTTP "http://f:3/v1/traces",
     HTTP "http://f:3/v1/metrics", ""},
    {"", "file://h/x", "-", "-", "--otel-endpoint: expected http:// or https://"},
    /* exporters */
    {E "ENDPOINT=http://h OTEL_TRACES_EXPORTER=none", NULL, "-", HTTP "http://h:80/v1/metrics", ""},
    {E "ENDPOINT=http://h OTEL_TRACES_EXPORTER=console,OTLP", NULL, HTTP "http://h:80/v1/traces",
     HTTP "http://h:80/v1/metrics", ""},
    {E "ENDPOINT=http://h OTEL_TRACES_EXPORTER=zipkin", NULL, HTTP "http://h:80/v1/traces",
     HTTP "http://h:80/v1/metrics", "OTEL_TRACES_EXPORTER: expected one of otlp, console, none"},
    {E "ENDPOINT=http://h OTEL_METRICS_EXPORTER=prometheus", NULL, HTTP "http://h:80/v1/traces",
     "-", ""},
    {"OTEL_TRACES_EXPORTER=otlp", NULL, "-", "-", "otlp needs an endpoint"},
    {E "ENDPOINT=http://h OTEL_SDK_DISABLED=TRUE", NULL, "-", "-", ""},
    {E "ENDPOINT=http://h OTEL_SDK_DISABLED=1", NULL, HTTP "http://h:80/v1/traces",
     HTTP "http://h:80/v1/metrics", "OTEL_SDK_DISABLED: expected one of true, false"},
    {"OTEL_SDK_DISABLED=true", "h", "-", "-", "--otel-endpoint is not used"},
    /* headers */
    {E "ENDPOINT=http://h " E "HEADERS=A=b,c-d=%20e%2Cf+,,x=", NULL,
     HTTP "http://h:80/v1/traces;a: b;c-d:  e,f;x: ",
     HTTP "http://h:80/v1/metrics;a: b;c-d:  e,f;x: ", ""},
    {E "ENDPOINT=http://h " E "HEADERS=a=b " E "METRICS_HEADERS=m=n", NULL,
     HTTP "http://h:80/v1/traces;a: b", HTTP "http://h:80/v1/metrics;m: n", ""},
    {E "ENDPOINT=http://h " E "HEADERS=a=SECRET%0d%0ax:y,noequals,content-type=t,b@=1,d=%zz,ok=1",
     NULL, HTTP "http://h:80/v1/traces;ok: 1", HTTP "http://h:80/v1/metrics;ok: 1",
     "5 of them cannot be used"},
};

TEST(each_signal_goes_where_flags_and_variables_say)
{
    for (size_t i = 0; i < NP_COUNT(ENDPOINTS); i++) {
        const struct np_send_overrides flags = {.endpoint = ENDPOINTS[i].flag};
        NP_AUTO(np_str_done) struct np_str warnings = {0};
        NP_AUTO(np_send_settings_done) struct np_send_settings settings = {0};
        set_environment(ENDPOINTS[i].environment);
        np_send_settings_read(&flags, &settings, &warnings);
        NP_AUTO(np_freep) char *traces = where(&settings, NP_OTLP_TRACES);
        NP_AUTO(np_freep) char *metrics = where(&settings, NP_OTLP_METRICS);
        tap_check(strcmp(traces, ENDPOINTS[i].traces) == 0, __FILE__, __LINE__, "%s: traces '%s'",
                  ENDPOINTS[i].environment, traces);
        tap_check(strcmp(metrics, ENDPOINTS[i].metrics) == 0, __FILE__, __LINE__,
                  "%s: metrics '%s'", ENDPOINTS[i].environment, metrics);
        tap_check(*ENDPOINTS[i].warning
                      ? strstr(np_str_text(&warnings), ENDPOINTS[i].warning) != NULL
                      : warnings.length == 0,
                  __FILE__, __LINE__, "%s: warnings '%s'", ENDPOINTS[i].environment,
                  np_str_text(&warnings));
        ok(np_send_settings_sends(&settings) ==
           (strcmp(traces, "-") != 0 || strcmp(metrics, "-") != 0));
    }
}

/* Members that are numbers, by name. */
static double number(const struct np_send_settings *s, const char *name)
{
    const struct {
        const char *name;
        double value;
    } table[] = {
        {"deadline", s->deadline_s},
        {"spans.delay", s->spans.schedule_delay_s},
        {"spans.timeout", s->spans.export_timeout_s},
        {"spans.queue", (double)s->spans.most_queued},
        {"spans.batch", (double)s->spans.most_in_batch},
        {"logs.delay", s->logs.schedule_delay_s},
        {"logs.batch", (double)s->logs.most_in_batch},
        {"interval", s->metric_interval_s},
        {"metric.timeout", s->metric_timeout_s},
        {"temporality", s->temporality},
        {"histogram", s->histogram},
        {"exemplars", s->exemplars},
        {"span.attributes", (double)s->limits.span_attributes},
        {"span.bytes", (double)s->limits.span_characters},
        {"span.events", (double)s->limits.span_events},
        {"span.links", (double)s->limits.span_links},
        {"event.attributes", (double)s->limits.event_attributes},
        {"link.attributes", (double)s->link_attributes},
        {"log.attributes", (double)s->limits.log_attributes},
        {"log.bytes", (double)s->limits.log_characters},
        {"keeps all", s->keeps_all_traces},
        {"parent", s->is_parent_based},
        {"ratio", s->sample_ratio},
        {"propagators", s->propagators},
        {"level", s->log_severity},
        {"port", s->prometheus_port},
        {"timeout", s->to[NP_OTLP_TRACES].timeout_s},
        {"logs.request", s->to[NP_OTLP_LOGS].timeout_s},
        {"compression", s->to[NP_OTLP_TRACES].compression},
        {"exporters", s->exporters[NP_OTLP_METRICS]},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].value;
    tap_check(false, __FILE__, __LINE__, "no member '%s'", name);
    return -1;
}

#define UNSAMPLED "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

/* A variable, the member that it sets, its value, and whether there is a warning. */
static const struct {
    const char *environment, *member;
    double value;
    bool warns;
} NUMBERS[] = {
    {"", "deadline", 5, false},
    {"OTEL_BSP_EXPORT_TIMEOUT=1500", "deadline", 1.5, false},
    {"OTEL_BSP_EXPORT_TIMEOUT=1500", "spans.timeout", 1.5, false},
    {"OTEL_BSP_EXPORT_TIMEOUT=-1", "deadline", 5, true},
    {"OTEL_BSP_EXPORT_TIMEOUT=5s", "deadline", 5, true},
    {"", "spans.timeout", 30, false},
    {"", "spans.delay", 5, false},
    {"OTEL_BSP_SCHEDULE_DELAY=250", "spans.delay", 0.25, false},
    {"OTEL_BSP_SCHEDULE_DELAY=+250+", "spans.delay", 0.25, false},
    {"OTEL_BSP_SCHEDULE_DELAY=1.5", "spans.delay", 5, true},
    {"", "spans.queue", 2048, false},
    {"OTEL_BSP_MAX_QUEUE_SIZE=0", "spans.queue", 2048, true},
    {"", "spans.batch", 512, false},
    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE=7", "spans.batch", 7, false},
    {"OTEL_BSP_MAX_QUEUE_SIZE=100", "spans.batch", 100, false},
    {"", "logs.delay", 1, false},
    {"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE=9", "logs.batch", 9, false},
    {"", "interval", 60, false},
    {"OTEL_CONFIG_FILE=/x.yaml", "interval", 60, true}, /* which is not read */
    {"OTEL_EXPERIMENTAL_CONFIG_FILE=/x.yaml", "interval", 60, true},
    {"OTEL_METRIC_EXPORT_INTERVAL=2000", "interval", 2, false},
    {"OTEL_METRIC_EXPORT_TIMEOUT=700", "metric.timeout", 0.7, false},
    {"", "temporality", NP_PREFER_CUMULATIVE, false},
    {E "METRICS_TEMPORALITY_PREFERENCE=Delta", "temporality", NP_PREFER_DELTA, false},
    {E "METRICS_TEMPORALITY_PREFERENCE=lowmemory", "temporality", NP_PREFER_LOW_MEMORY, false},
    {E "METRICS_TEMPORALITY_PREFERENCE=some", "temporality", NP_PREFER_CUMULATIVE, true},
    {E "METRICS_DEFAULT_HISTOGRAM_AGGREGATION=base2_exponential_bucket_histogram", "histogram",
     NP_HISTOGRAM_EXPONENTIAL, false},
    {"OTEL_METRICS_EXEMPLAR_FILTER=always_off", "exemplars", NP_EXEMPLARS_NONE, false},
    {"", "exemplars", NP_EXEMPLARS_TRACED, false},
    {"", "span.attributes", 128, false},
    {"OTEL_ATTRIBUTE_COUNT_LIMIT=5", "span.attributes", 5, false},
    {"OTEL_ATTRIBUTE_COUNT_LIMIT=5", "log.attributes", 5, false},
    {"OTEL_ATTRIBUTE_COUNT_LIMIT=5 OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=6", "span.attributes", 6, false},
    {"OTEL_ATTRIBUTE_COUNT_LIMIT=5 OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=x", "span.attributes", 5, true},
    {"OTEL_ATTRIBUTE_COUNT_LIMIT=0", "span.attributes", 0, false},
    {"", "span.bytes", -1, false},
    {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=10", "span.bytes", 10, false},
    {"OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT=11", "log.bytes", 11, false},
    {"OTEL_SPAN_EVENT_COUNT_LIMIT=1", "span.events", 1, false},
    {"OTEL_SPAN_LINK_COUNT_LIMIT=2", "span.links", 2, false},
    {"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT=3", "event.attributes", 3, false},
    {"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT=4", "link.attributes", 4, false},
    {"", "keeps all", true, false},
    {"TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "keeps all", true,
     false},
    {UNSAMPLED, "keeps all", false, false},
    {UNSAMPLED " OTEL_PROPAGATORS=none", "keeps all", true, false},
    {UNSAMPLED " OTEL_TRACES_SAMPLER=always_on", "keeps all", true, false},
    {"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.5", "keeps all", false, false},
    {"", "parent", true, false},
    {"OTEL_TRACES_SAMPLER=always_off", "keeps all", false, false},
    {"OTEL_TRACES_SAMPLER=always_off", "parent", false, false},
    {"OTEL_TRACES_SAMPLER=always_off", "ratio", 0, false},
    {"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.25", "ratio", 0.25, false},
    {"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "ratio", 1, false},
    {"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "parent", true, false},
    {"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=2", "ratio", 1, true},
    {"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=nan", "ratio", 1, true},
    {"OTEL_TRACES_SAMPLER=xray", "keeps all", true, true},
    {"", "propagators", NP_SEND_TRACE_CONTEXT | NP_SEND_BAGGAGE, false},
    {"OTEL_PROPAGATORS=tracecontext", "propagators", NP_SEND_TRACE_CONTEXT, false},
    {"OTEL_PROPAGATORS=b3,tracecontext", "propagators", NP_SEND_TRACE_CONTEXT, true},
    {"OTEL_PROPAGATORS=none", "propagators", 0, false},
    {"OTEL_LOG_LEVEL=debug", "level", 5, false},
    {"", "level", 9, false},
    {"", "port", 9464, false},
    {"OTEL_EXPORTER_PROMETHEUS_PORT=70000", "port", 9464, true},
    {"OTEL_EXPORTER_PROMETHEUS_PORT=9999", "port", 9999, false},
    {"", "timeout", 10, false},
    {E "TIMEOUT=2500", "timeout", 2.5, false},
    {E "TIMEOUT=2500 " E "LOGS_TIMEOUT=100", "logs.request", 0.1, false},
    {E "TIMEOUT=2500 " E "LOGS_TIMEOUT=100", "timeout", 2.5, false},
    {E "TIMEOUT=99999999999999999999", "timeout", 10, true},
    {E "TIMEOUT=0", "timeout", 600, false},
    {E "TRACES_TIMEOUT=soon " E "TIMEOUT=2500", "timeout", 2.5, true},
    {"OTEL_BSP_EXPORT_TIMEOUT=0", "deadline", 600, false},
    {"", "compression", NP_SEND_GZIP, false},
    {E "TRACES_COMPRESSION=zstd " E "COMPRESSION=none", "compression", NP_SEND_PLAIN, true},
    {E "COMPRESSION=none", "compression", NP_SEND_PLAIN, false},
    {E "COMPRESSION=zstd", "compression", NP_SEND_GZIP, true},
    {"OTEL_METRICS_EXPORTER=prometheus,console", "exporters",
     NP_SEND_TO_PROMETHEUS | NP_SEND_TO_CONSOLE, false},
    {"OTEL_METRICS_EXPORTER=console,none", "exporters", 0, false},
};

TEST(each_variable_sets_what_the_specification_says)
{
    for (size_t i = 0; i < NP_COUNT(NUMBERS); i++) {
        NP_AUTO(np_str_done) struct np_str warnings = {0};
        NP_AUTO(np_send_settings_done) struct np_send_settings settings = {0};
        set_environment(NUMBERS[i].environment);
        np_send_settings_read(NULL, &settings, &warnings);
        double found = number(&settings, NUMBERS[i].member);
        tap_check(found == NUMBERS[i].value, __FILE__, __LINE__, "%s: %s is %g",
                  NUMBERS[i].environment, NUMBERS[i].member, found);
        tap_check((warnings.length > 0) == NUMBERS[i].warns, __FILE__, __LINE__, "%s: '%s'",
                  NUMBERS[i].environment, np_str_text(&warnings));
    }
}

TEST(a_flag_beats_the_variable_of_the_deadline)
{
    const struct np_send_overrides flags = {.deadline_s = 2};
    NP_AUTO(np_send_settings_done) struct np_send_settings settings = {0};

    set_environment("OTEL_BSP_EXPORT_TIMEOUT=1500");
    np_send_settings_read(&flags, &settings, NULL);
    ok(settings.deadline_s == 2);
}

TEST(secrets_are_kept_apart_and_in_no_warning)
{
    NP_AUTO(np_str_done) struct np_str warnings = {0};
    NP_AUTO(np_send_settings_done) struct np_send_settings settings = {0};

    set_environment(E "ENDPOINT=http://user:p%40ss@h:1/x?key=SECRET " E
                      "TRACES_ENDPOINT=nonsense://SECRET:SECRET@h " E
                      "LOGS_ENDPOINT=http://u:SECRET@h:99999 " E "HEADERS=SECRET");
    np_send_settings_read(NULL, &settings, &warnings);
    const struct np_send_destination *to = &settings.to[NP_OTLP_METRICS];
    ok_str(to->url, "http://h:1/x/v1/metrics?key=SECRET");
    ok_str(to->user, "user:p@ss");
    ok_str(to->shown, "http/protobuf http://h:1/x/v1/metrics");
    ok(np_starts_with(to->id, "h:1/x/v1/metrics #") && !strstr(to->id, "SECRET"));
    ok(warnings.length > 0);
    ok(!strstr(np_str_text(&warnings), "SECRET"));
}

/* A place is a host, a port, a path, a query and a tenant. */
TEST(two_ways_to_one_place_are_one_destination_and_two_tenants_are_two)
{
    static const struct {
        const char *one, *other;
        bool is_same;
    } table[] = {
        {E "ENDPOINT=http://localhost:4318", E "ENDPOINT=http://127.0.0.1:4318", true},
        {E "ENDPOINT=http://[::1]:4318", E "ENDPOINT=http://LOCALHOST:4318/", true},
        {E "ENDPOINT=http://h:1", E "ENDPOINT=http://h:1 " E "PROTOCOL=http/json", true},
        {E "ENDPOINT=http://h:1", E "ENDPOINT=https://h:1", true},
        {E "ENDPOINT=http://h", E "ENDPOINT=http://u:p@h:80", true},
        {E "ENDPOINT=http://h:1 " E "HEADERS=a=b", E "ENDPOINT=http://h:1", true},
        {E "ENDPOINT=http://h:1 " E "HEADERS=X-Scope-OrgID=a,x=1",
         E "ENDPOINT=http://h:1 " E "HEADERS=x-scope-orgid=a", true},
        {E "ENDPOINT=http://h:1 " E "HEADERS=X-Scope-OrgID=a",
         E "ENDPOINT=http://h:1 " E "HEADERS=X-Scope-OrgID=b", false},
        {E "ENDPOINT=http://h:1 " E "HEADERS=AccountID=1", E "ENDPOINT=http://h:1", false},
        {E "ENDPOINT=http://h:1 " E "HEADERS=AccountID=1",
         E "ENDPOINT=http://h:1 " E "HEADERS=ProjectID=1", false},
        {E "ENDPOINT=http://h:1?db=a", E "ENDPOINT=http://h:1?db=b", false},
        {E "ENDPOINT=http://h:1/a", E "ENDPOINT=http://h:1/b", false},
        {E "ENDPOINT=http://h:1", E "ENDPOINT=http://h:2", false},
        {E "ENDPOINT=http://h:1", E "ENDPOINT=http://i:1", false},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_send_settings_done) struct np_send_settings one = {0}, other = {0};
        set_environment(table[i].one);
        np_send_settings_read(NULL, &one, NULL);
        set_environment(table[i].other);
        np_send_settings_read(NULL, &other, NULL);
        const char *a = one.to[NP_OTLP_TRACES].id, *b = other.to[NP_OTLP_TRACES].id;
        tap_check((strcmp(a, b) == 0) == table[i].is_same, __FILE__, __LINE__, "'%s' and '%s'", a,
                  b);
    }
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* curl's own rules; HTTP_PROXY is not read. This host has no proxy by any of its names. */
TEST(the_proxy_is_that_of_the_environment_and_none_for_this_host)
{
    NP_AUTO(np_freep)
    char *own = np_xasprintf("http_proxy=p:1 " E "ENDPOINT=http://%s:4318", np_host_name());
    const struct {
        const char *environment, *proxy, *shown;
    } table[] = {
        {E "ENDPOINT=http://h:1", NULL, NULL},
        {"http_proxy=http://p:3128 " E "ENDPOINT=http://h:1", "http://p:3128", "p:3128"},
        {"http_proxy=p " E "ENDPOINT=http://h:1", "p", "p:1080"},
        {"http_proxy=http://u:SECRET@p:1 " E "ENDPOINT=http://h:1", "http://u:SECRET@p:1", "p:1"},
        {"HTTP_PROXY=http://p:1 " E "ENDPOINT=http://h:1", NULL, NULL},
        {"http_proxy=http://p:1 " E "ENDPOINT=https://h:1", NULL, NULL},
        {"HTTPS_PROXY=http://p:1 " E "ENDPOINT=https://h:1", "http://p:1", "p:1"},
        {"https_proxy=q:1 HTTPS_PROXY=p:1 " E "ENDPOINT=https://h:1", "q:1", "q:1"},
        {"ALL_PROXY=socks5h://p:1 " E "ENDPOINT=http://h:1", "socks5h://p:1", "p:1"},
        {"http_proxy=+ " E "ENDPOINT=http://h:1", NULL, NULL},
        {"http_proxy=p:1 no_proxy=other,h " E "ENDPOINT=http://h:1", NULL, NULL},
        {"http_proxy=p:1 NO_PROXY=* " E "ENDPOINT=http://h:1", NULL, NULL},
        {"http_proxy=p:1 no_proxy=example.org " E "ENDPOINT=http://a.Example.org:1", NULL, NULL},
        {"http_proxy=p:1 no_proxy=.example.org. " E "ENDPOINT=http://a.example.org:1", NULL, NULL},
        {"http_proxy=p:1 no_proxy=example.org " E "ENDPOINT=http://anexample.org:1", "p:1", "p:1"},
        {"http_proxy=p:1 no_proxy=x+10.1.0.0/16 " E "ENDPOINT=http://10.1.2.3:1", NULL, NULL},
        {"http_proxy=p:1 no_proxy=10.1.0.0/16 " E "ENDPOINT=http://10.2.2.3:1", "p:1", "p:1"},
        {"http_proxy=p:1 no_proxy=10.1.0.0/x,/8,1/ " E "ENDPOINT=http://10.1.0.0:1", "p:1", "p:1"},
        {"http_proxy=p:1 " E "ENDPOINT=http://localhost:1", NULL, NULL},
        {"http_proxy=p:1 " E "ENDPOINT=http://x.localhost:1", NULL, NULL},
        {"http_proxy=p:1 " E "ENDPOINT=http://localhost.:1", NULL, NULL},
        {"http_proxy=p:1 " E "ENDPOINT=http://127.1:1", NULL, NULL},
        {"http_proxy=p:1 " E "ENDPOINT=http://0.0.0.0:1", NULL, NULL},
        {"http_proxy=p:1 " E "ENDPOINT=http://[::]:1", NULL, NULL},
        {"http_proxy=p:1 " E "ENDPOINT=http://[::ffff:127.0.0.1]:1", NULL, NULL},
        {"http_proxy=p:1 " E "ENDPOINT=http://[::ffff:192.0.2.200]:1", "p:1", "p:1"},
        {"http_proxy=p:1 " E "ENDPOINT=http://127.0.0.2:1", NULL, NULL},
        {"http_proxy=p:1 " E "ENDPOINT=http://[::1]:1", NULL, NULL},
        {own, NULL, NULL},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_send_settings_done) struct np_send_settings settings = {0};
        const struct np_send_destination *to = &settings.to[NP_OTLP_METRICS];
        set_environment(table[i].environment);
        np_send_settings_read(NULL, &settings, NULL);
        tap_check(is_same_text(to->proxy, table[i].proxy) &&
                      is_same_text(to->proxy_shown, table[i].shown),
                  __FILE__, __LINE__, "%s: %s, %s", table[i].environment,
                  to->proxy ? to->proxy : "none", to->proxy_shown ? to->proxy_shown : "none");
    }
}

TEST(a_proxy_that_is_no_url_is_said_and_ignored)
{
    NP_AUTO(np_str_done) struct np_str warnings = {0};
    NP_AUTO(np_send_settings_done) struct np_send_settings settings = {0};

    set_environment("http_proxy=http://SECRET:x@p:0 " E "ENDPOINT=http://h:1");
    np_send_settings_read(NULL, &settings, &warnings);
    ok(!settings.to[NP_OTLP_LOGS].proxy);
    ok_contains(np_str_text(&warnings), "http_proxy: expected a URL");
    ok(!strstr(np_str_text(&warnings), "SECRET"));
}

TEST(certificates_are_per_signal)
{
    NP_AUTO(np_send_settings_done) struct np_send_settings settings = {0};

    set_environment(E "CERTIFICATE=/ca " E "CLIENT_KEY=/key " E "CLIENT_CERTIFICATE=/cert " E
                      "LOGS_CERTIFICATE=/logs-ca");
    np_send_settings_read(NULL, &settings, NULL);
    ok_str(settings.to[NP_OTLP_TRACES].ca_certificate, "/ca");
    ok_str(settings.to[NP_OTLP_TRACES].client_key, "/key");
    ok_str(settings.to[NP_OTLP_TRACES].client_certificate, "/cert");
    ok_str(settings.to[NP_OTLP_LOGS].ca_certificate, "/logs-ca");
    ok_str(settings.prometheus_host, "localhost");
}

/* The destination of the logs that `auto` finds in a lease file with these access rights. The caller
 * frees. */
static char *leased(mode_t mode, const char *content)
{
    const struct np_send_overrides flags = {.endpoint = "auto"};
    NP_AUTO(np_send_settings_done) struct np_send_settings settings = {0};
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/lease", tap_directory());
    FILE *file = fopen(path, "w");

    fputs(content, file);
    fclose(file);
    chmod(path, mode);
    clear_environment();
    setenv("NEURO_STACK_LEASE", path, 1);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere", 1);
    np_send_settings_read(&flags, &settings, NULL);
    return where(&settings, NP_OTLP_LOGS);
}

TEST(auto_takes_the_endpoint_of_the_lease_file_or_none)
{
    NP_AUTO(np_freep)
    char *found = leased(0600, "PID=1\nOTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9\nX=y\n");
    NP_AUTO(np_freep) char *empty = leased(0600, "PID=1\n");
    NP_AUTO(np_freep)
    char *open = leased(0666, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9\n");

    ok_str(found, "http/protobuf http://127.0.0.1:9/v1/logs");
    ok_str(empty, "-");
    ok_str(open, "-");
}

TAP_MAIN
