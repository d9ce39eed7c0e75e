/* A server that follows a script, and settings that send to it: for the tests of delivery. */
#ifndef NP_TESTS_SEND_SCRIPT_H
#define NP_TESTS_SEND_SCRIPT_H

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "send/delivery_growing.h"
#include "send/exporter.h"
#include "spool/records.h"
#include "tap.h"

/*
 * The answers of the server, a letter for each request; the last letter is repeated:
 *   A accepted   P accepted but for one item   S 503   R 503 with Retry-After: 3   U unreachable
 *   F 500 in an answer that is not of OTLP
 *   X 400        L too large                   D 401   T no answer in time
 *   Z the server had closed the kept connection
 */
struct script {
    const char *answers;
    size_t most_items; /* larger requests are too large; 0 = any */
    int64_t now_ns;
    int64_t takes_ns; /* until the answer, 0 = a millisecond. An answer after the deadline is lost,
                         but the server has stored the items that it accepts. */
    int64_t n_requests;
    json_t *seen;      /* item -> how often it was accepted */
    json_t *batches;   /* batch id -> its items, as text */
    int64_t n_renamed; /* requests with the id of a batch of other items */
    int64_t last_deadline_ns;
};

static inline void script_done(struct script *script)
{
    json_decref(script->seen);
    json_decref(script->batches);
}

static inline json_t *items_in(json_t *request)
{
    static const char *const keys[][3] = {{"resourceSpans", "scopeSpans", "spans"},
                                          {"resourceLogs", "scopeLogs", "logRecords"},
                                          {"resourceMetrics", "scopeMetrics", "metrics"}};
    json_t *all = json_array();
    size_t i, k, m;
    json_t *resource, *scope, *item;

    for (size_t s = 0; s < 3; s++)
        json_array_foreach(json_object_get(request, keys[s][0]), i, resource)
        {
            json_array_foreach(json_object_get(resource, keys[s][1]), k, scope)
            {
                json_array_foreach(json_object_get(scope, keys[s][2]), m, item)
                {
                    json_t *name = json_object_get(item, "name");
                    if (!name)
                        name = json_object_get(json_object_get(item, "body"), "stringValue");
                    json_array_append(all, name);
                }
            }
        }
    return all;
}

static inline void take_items(struct script *script, json_t *items)
{
    size_t i;
    json_t *item;

    json_array_foreach(items, i, item)
    {
        const char *name = json_string_value(item);
        json_int_t n = json_integer_value(json_object_get(script->seen, name));
        json_object_set_new(script->seen, name, json_integer(n + 1));
    }
}

static inline void note_batch(struct script *script, const char *id, json_t *items)
{
    char *text = json_dumps(items, JSON_COMPACT);
    const char *known = json_string_value(json_object_get(script->batches, id));

    script->n_renamed += known && strcmp(known, text) != 0;
    json_object_set_new(script->batches, id, json_string(text));
    free(text);
}

static inline void script_send(void *self, const struct np_send_request *request,
                               int64_t deadline_ns, struct np_send_reply *reply)
{
    struct script *script = self;
    char answer = *script->answers;
    json_t *root = json_loadb(request->body, request->n_bytes, 0, NULL);
    json_t *items = items_in(root);

    if (!script->seen) {
        script->seen = json_object();
        script->batches = json_object();
    }
    if (script->answers[1])
        script->answers++;
    if (script->most_items && json_array_size(items) > script->most_items)
        answer = 'L';
    script->n_requests++;
    script->now_ns += script->takes_ns ? script->takes_ns : 1000000;
    script->last_deadline_ns = deadline_ns;
    if (request->batch_id)
        note_batch(script, request->batch_id, items);
    *reply = (struct np_send_reply){.grpc_status = -1, .retry_after_s = -1};
    if (script->takes_ns && script->now_ns > deadline_ns && answer == 'A') {
        take_items(script, items);
        answer = 'T';
    }
    switch (answer) {
    case 'P':
        reply->n_rejected = 1;
        json_array_remove(items, 0);
        /* fall through */
    case 'A':
        reply->outcome = answer == 'A' ? NP_SEND_ACCEPTED : NP_SEND_PARTIAL;
        reply->http_status = 200;
        take_items(script, items);
        break;
    case 'R':
        reply->retry_after_s = 3;
        /* fall through */
    case 'S':
        reply->outcome = NP_SEND_RETRY;
        reply->http_status = 503;
        break;
    case 'F':
        reply->outcome = NP_SEND_REFUSED;
        reply->http_status = 500;
        reply->is_foreign = true;
        break;
    case 'X':
    case 'D':
        reply->outcome = NP_SEND_REFUSED;
        reply->http_status = answer == 'X' ? 400 : 401;
        snprintf(reply->text, sizeof(reply->text), "no, thank you");
        break;
    case 'Z':
        reply->outcome = NP_SEND_RETRY;
        reply->is_stale = true;
        break;
    case 'L':
        reply->outcome = NP_SEND_TOO_LARGE;
        reply->http_status = 413;
        break;
    case 'T':
        reply->outcome = NP_SEND_RETRY;
        script->now_ns = deadline_ns < script->now_ns + INT64_C(10000000000)
                             ? deadline_ns
                             : script->now_ns + INT64_C(10000000000);
        break;
    default:
        reply->outcome = NP_SEND_UNREACHABLE;
    }
    json_decref(items);
    json_decref(root);
}

static inline int64_t script_now_ns(void *self)
{
    return ((struct script *)self)->now_ns;
}

/* How often the server accepted the item `format`-`number`. */
static inline int64_t times(const struct script *script, const char *format, int number)
{
    char name[64];

    snprintf(name, sizeof(name), "%s-%d", format, number);
    return json_integer_value(json_object_get(script->seen, name));
}

/* How many of the items "<kind>-0" … "<kind>-(n-1)" were accepted exactly once. */
static inline int64_t n_once(const struct script *script, const char *kind, int n)
{
    int64_t once = 0;

    for (int i = 0; i < n; i++)
        once += times(script, kind, i) == 1;
    return once;
}

/* Settings that send everything to one server, in JSON. */
static inline struct np_send_settings test_settings(void)
{
    static char url[] = "http://collector.example:4318/v1/x";
    static char id[] = "collector.example:4318/v1/x";
    struct np_send_settings settings = {.deadline_s = 5,
                                        .spans = {.schedule_delay_s = 5, .most_in_batch = 512},
                                        .logs = {.schedule_delay_s = 1, .most_in_batch = 512},
                                        .metric_interval_s = 60,
                                        .keeps_all_traces = true};

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        settings.exporters[i] = NP_SEND_TO_OTLP;
        settings.to[i] = (struct np_send_destination){.signal = (enum np_otlp_signal)i,
                                                      .protocol = NP_OTLP_HTTP_JSON,
                                                      .url = url,
                                                      .id = id,
                                                      .timeout_s = 10};
    }
    return settings;
}

static inline struct np_send_network network_of(struct script *script)
{
    return (struct np_send_network){.self = script, .send = script_send, .now_ns = script_now_ns};
}

#endif
