#include "send/exporter.h"

#include <string.h>

#include "base/str.h"

size_t np_send_most_bytes(enum np_otlp_protocol protocol)
{
    return protocol == NP_OTLP_GRPC ? NP_SEND_MOST_BYTES_GRPC : NP_SEND_MOST_BYTES_HTTP;
}

void np_send_outlets_init(struct np_send_outlets *outlets, const struct np_send_settings *settings,
                          const struct np_send_post *post, uint64_t seed)
{
    const struct {
        double delay_s;
        int64_t most_items;
    } of[NP_OTLP_N_SIGNALS] = {
        [NP_OTLP_TRACES] = {settings->spans.schedule_delay_s, settings->spans.most_in_batch},
        [NP_OTLP_LOGS] = {settings->logs.schedule_delay_s, settings->logs.most_in_batch},
        [NP_OTLP_METRICS] = {settings->logs.schedule_delay_s, 0}, /* the interval made them rare */
    };

    *outlets = (struct np_send_outlets){.post = *post, .deadline_s = settings->deadline_s};
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        struct np_send_outlet *outlet = &outlets->outlet[i];
        bool sends = !settings->is_disabled && settings->to[i].url &&
                     (settings->exporters[i] & NP_SEND_TO_OTLP);
        outlet->to = sends ? &settings->to[i] : NULL;
        outlet->delay_s = of[i].delay_s;
        outlet->most_items = of[i].most_items > 0 ? (size_t)of[i].most_items : SIZE_MAX;
        outlet->most_bytes = np_send_most_bytes(settings->to[i].protocol);
        np_random_seed(&outlet->retry.random, seed, (uint64_t)i);
    }
}

void np_send_outlets_finish(struct np_send_outlets *outlets, int64_t now_ns)
{
    if (outlets->finish_ns)
        return;
    outlets->finish_ns = now_ns;
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        np_send_retry_reset(&outlets->outlet[i].retry);
        outlets->outlet[i].not_before_ns = outlets->outlet[i].asked_ns;
    }
}

/* "grpc http://host:4317" of "grpc http://host:4317/": the server, whatever the path. */
static size_t server_length(const char *id)
{
    const char *host = strstr(id, "://");

    return host ? (size_t)(host - id) + 3 + strcspn(host + 3, "/") : strlen(id);
}

static bool same_server(const struct np_send_outlet *a, const struct np_send_outlet *b)
{
    if (!a->to || !b->to)
        return false;
    size_t n = server_length(a->to->id);
    return n == server_length(b->to->id) && memcmp(a->to->id, b->to->id, n) == 0;
}

static bool is_known(const struct np_send_outlets *outlets, enum np_otlp_signal signal)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (outlets->outlet[i].has_answered &&
            same_server(&outlets->outlet[signal], &outlets->outlet[i]))
            return true;
    return false;
}

bool np_send_outlet_is_stranger(const struct np_send_outlets *outlets, enum np_otlp_signal signal)
{
    return !is_known(outlets, signal) || (outlets->finish_ns && outlets->outlet[signal].is_down);
}

/* When an outlet's time is over. */
static int64_t limit_ns(const struct np_send_outlets *outlets, enum np_otlp_signal signal)
{
    if (!outlets->finish_ns)
        return INT64_MAX;
    if (np_send_outlet_is_stranger(outlets, signal))
        return outlets->finish_ns + NP_SEND_MOMENT_NS;
    return outlets->finish_ns + (int64_t)(outlets->deadline_s * 1e9);
}

int64_t np_send_outlet_last_ns(const struct np_send_outlets *outlets, enum np_otlp_signal signal)
{
    int64_t limit = limit_ns(outlets, signal);
    bool is_greeting = outlets->greets && np_send_outlet_is_stranger(outlets, signal);

    return outlets->finish_ns && !is_greeting ? limit - 2 * outlets->answer_ns : limit;
}

/* One slow answer is soon forgotten over quick ones. */
static void note_answer(struct np_send_outlets *outlets, int64_t took_ns)
{
    int64_t before_ns = outlets->answer_ns / 2;

    outlets->answer_ns = took_ns > before_ns ? took_ns : before_ns;
}

static bool is_answer(const struct np_send_reply *reply)
{
    bool taken = reply->outcome == NP_SEND_ACCEPTED || reply->outcome == NP_SEND_PARTIAL;

    return reply->outcome != NP_SEND_CANCELED && reply->outcome != NP_SEND_UNREACHABLE &&
           (taken || reply->http_status > 0 || reply->grpc_status >= 0);
}

void np_send_outlet_send(struct np_send_outlets *outlets, enum np_otlp_signal signal,
                         const struct np_send_parcel *parcel, struct np_send_reply *reply)
{
    const struct np_send_post *post = &outlets->post;
    int64_t start_ns = post->now_ns(post->self);

    post->send(post->self, parcel, limit_ns(outlets, signal), reply);
    if (is_answer(reply))
        note_answer(outlets, post->now_ns(post->self) - start_ns);
}

bool np_send_outlets_have_answer(const struct np_send_outlets *outlets)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (outlets->outlet[i].to && !outlets->outlet[i].is_down &&
            is_known(outlets, (enum np_otlp_signal)i))
            return true;
    return false;
}

bool np_send_outlets_are_well(const struct np_send_outlets *outlets)
{
    bool some = false;

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        if (outlets->outlet[i].is_down)
            return false;
        some = some || outlets->outlet[i].has_answered;
    }
    return some;
}

static bool is_closed_door(const struct np_send_reply *reply)
{
    if (reply->grpc_status >= 0)
        return reply->grpc_status == 7 || reply->grpc_status == 16;
    return reply->http_status == 0 || (reply->http_status >= 200 && reply->http_status < 300) ||
           reply->http_status == 401 || reply->http_status == 403 || reply->http_status == 407;
}

bool np_send_outlet_heed(struct np_send_outlet *outlet, const struct np_send_reply *reply)
{
    bool answered = is_answer(reply);
    bool closed = reply->outcome == NP_SEND_REFUSED && is_closed_door(reply);

    outlet->has_answered = outlet->has_answered || (answered && !closed);
    outlet->is_down = reply->outcome == NP_SEND_UNREACHABLE || closed ||
                      (reply->outcome == NP_SEND_RETRY && !answered);
    return !closed;
}

void np_send_outlet_complain(struct np_send_outlet *outlet, const char *what, const char *text)
{
    NP_AUTO(np_freep) char *all = np_xasprintf("%s%s%s", what, *text ? ": " : "", text);

    np_utf8_cut(all, sizeof(outlet->trouble) - 1);
    memcpy(outlet->trouble, all, strlen(all) + 1);
}
