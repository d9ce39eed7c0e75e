#include "send/exporter.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

size_t np_send_most_bytes(enum np_otlp_protocol protocol)
{
    return protocol == NP_OTLP_GRPC ? NP_SEND_MOST_BYTES_GRPC : NP_SEND_MOST_BYTES_HTTP;
}

void np_send_exporters_init(struct np_send_exporters *exporters,
                            const struct np_send_settings *settings,
                            const struct np_send_network *network, uint64_t seed)
{
    const struct {
        double delay_s;
        int64_t most_items;
    } of[NP_OTLP_N_SIGNALS] = {
        [NP_OTLP_TRACES] = {settings->spans.schedule_delay_s, settings->spans.most_in_batch},
        [NP_OTLP_LOGS] = {settings->logs.schedule_delay_s, settings->logs.most_in_batch},
        /* Metrics are few: their interval limits them. */
        [NP_OTLP_METRICS] = {settings->logs.schedule_delay_s, 0},
    };

    *exporters =
        (struct np_send_exporters){.network = *network, .deadline_s = settings->deadline_s};
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        struct np_send_exporter *exporter = &exporters->exporter[i];
        bool sends = !settings->is_disabled && settings->to[i].url &&
                     (settings->exporters[i] & NP_SEND_TO_OTLP);
        exporter->to = sends ? &settings->to[i] : NULL;
        exporter->delay_s = of[i].delay_s;
        exporter->most_items = of[i].most_items > 0 ? (size_t)of[i].most_items : SIZE_MAX;
        exporter->most_bytes = np_send_most_bytes(settings->to[i].protocol);
        np_random_seed(&exporter->retry.random, seed, (uint64_t)i);
    }
}

struct np_send_exporters *np_send_exporters_new(const struct np_send_settings *settings,
                                                const struct np_send_network *network,
                                                uint64_t seed)
{
    struct np_send_exporters *exporters = np_xcalloc(1, sizeof(*exporters));

    np_send_exporters_init(exporters, settings, network, seed);
    return exporters;
}

void np_send_exporters_freep(struct np_send_exporters **exporters)
{
    np_freep(exporters);
}

const struct np_send_tally *np_send_exporters_tally(const struct np_send_exporters *exporters,
                                                    enum np_otlp_signal signal)
{
    return &exporters->exporter[signal].tally;
}

const char *np_send_exporters_trouble(const struct np_send_exporters *exporters,
                                      enum np_otlp_signal signal)
{
    return exporters->exporter[signal].trouble;
}

void np_send_exporters_finish(struct np_send_exporters *exporters, int64_t now_ns)
{
    if (exporters->finish_ns)
        return;
    exporters->finish_ns = now_ns;
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        np_send_retry_reset(&exporters->exporter[i].retry);
        exporters->exporter[i].not_before_ns = exporters->exporter[i].asked_ns;
    }
}

/* The length of the part of an id that names the server: "host:4317" in "host:4317/path". */
static size_t server_length(const char *id)
{
    return strcspn(id, "/");
}

static bool same_server(const struct np_send_exporter *a, const struct np_send_exporter *b)
{
    if (!a->to || !b->to)
        return false;
    size_t n = server_length(a->to->id);
    return n == server_length(b->to->id) && memcmp(a->to->id, b->to->id, n) == 0;
}

/* True when the server of `signal` has answered that signal or another one. */
static bool server_has_answered(const struct np_send_exporters *exporters,
                                enum np_otlp_signal signal)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (exporters->exporter[i].has_answered &&
            same_server(&exporters->exporter[signal], &exporters->exporter[i]))
            return true;
    return false;
}

bool np_send_exporter_is_unprobed(const struct np_send_exporters *exporters,
                                  enum np_otlp_signal signal)
{
    return !server_has_answered(exporters, signal) ||
           (exporters->finish_ns && exporters->exporter[signal].is_down);
}

/* The time at which the last flush ends for an exporter; INT64_MAX before it has begun. */
static int64_t limit_ns(const struct np_send_exporters *exporters, enum np_otlp_signal signal)
{
    if (!exporters->finish_ns)
        return INT64_MAX;
    if (np_send_exporter_is_unprobed(exporters, signal))
        return exporters->finish_ns + NP_SEND_UNPROBED_NS;
    return exporters->finish_ns + (int64_t)(exporters->deadline_s * 1e9);
}

int64_t np_send_exporter_last_ns(const struct np_send_exporters *exporters,
                                 enum np_otlp_signal signal)
{
    int64_t limit = limit_ns(exporters, signal);
    bool is_probe = exporters->probes && np_send_exporter_is_unprobed(exporters, signal);

    return exporters->finish_ns && !is_probe ? limit - 2 * exporters->answer_ns : limit;
}

/* Answers that are faster than before lower the estimate by halves. */
static void note_answer_time(struct np_send_exporters *exporters, int64_t took_ns)
{
    int64_t before_ns = exporters->answer_ns / 2;

    exporters->answer_ns = took_ns > before_ns ? took_ns : before_ns;
}

static bool is_answer(const struct np_send_reply *reply)
{
    bool taken = reply->outcome == NP_SEND_ACCEPTED || reply->outcome == NP_SEND_PARTIAL;

    return reply->outcome != NP_SEND_CANCELED && reply->outcome != NP_SEND_UNREACHABLE &&
           (taken || reply->http_status > 0 || reply->grpc_status >= 0);
}

void np_send_exporter_send(struct np_send_exporters *exporters, enum np_otlp_signal signal,
                           const struct np_send_request *request, struct np_send_reply *reply)
{
    const struct np_send_network *network = &exporters->network;
    int64_t start_ns = network->now_ns(network->self);

    network->send(network->self, request, limit_ns(exporters, signal), reply);
    if (is_answer(reply))
        note_answer_time(exporters, network->now_ns(network->self) - start_ns);
}

bool np_send_exporters_have_answer(const struct np_send_exporters *exporters)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (exporters->exporter[i].to && !exporters->exporter[i].is_down &&
            server_has_answered(exporters, (enum np_otlp_signal)i))
            return true;
    return false;
}

bool np_send_exporters_are_up(const struct np_send_exporters *exporters)
{
    bool has_answer = false;

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        if (exporters->exporter[i].is_down)
            return false;
        has_answer = has_answer || exporters->exporter[i].has_answered;
    }
    return has_answer;
}

/* For a reply with the outcome NP_SEND_REFUSED: true when it is the client that is refused (no
 * permission, no credentials), or when the answer is none of OTLP. */
static bool refuses_client(const struct np_send_reply *reply)
{
    enum { PERMISSION_DENIED = 7, UNAUTHENTICATED = 16 };

    if (reply->grpc_status >= 0)
        return reply->grpc_status == PERMISSION_DENIED || reply->grpc_status == UNAUTHENTICATED;
    return reply->http_status == 0 || (reply->http_status >= 200 && reply->http_status < 300) ||
           reply->http_status == 401 || reply->http_status == 403 || reply->http_status == 407;
}

bool np_send_exporter_note_reply(struct np_send_exporter *exporter,
                                 const struct np_send_reply *reply)
{
    bool answered = is_answer(reply);
    bool refused = reply->outcome == NP_SEND_REFUSED && refuses_client(reply);

    exporter->has_answered = exporter->has_answered || (answered && !refused);
    exporter->is_down = reply->outcome == NP_SEND_UNREACHABLE || refused ||
                        (reply->outcome == NP_SEND_RETRY && !answered);
    return !refused;
}

void np_send_exporter_set_trouble(struct np_send_exporter *exporter, const char *what,
                                  const char *text)
{
    char all[2 * sizeof(exporter->trouble)];

    snprintf(all, sizeof(all), "%s%s%s", what, *text ? ": " : "", text);
    np_utf8_cut(all, sizeof(exporter->trouble) - 1);
    memcpy(exporter->trouble, all, strlen(all) + 1);
}
