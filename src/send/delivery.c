/*
 * One step of one signal:
 *   1. Find the next range of the record: the batch whose answer a killed sender did not note, else
 *      the first gap in the ledger.
 *   2. Read its lines into a batch, as many as fit one request.
 *   3. Note in the ledger that the batch is being sent, send it, and note the outcome.
 */
#include "send/delivery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "send/cursor.h"
#include "send/delivery_growing.h"
#include "send/exporter.h"
#include "spool/pending.h"
#include "spool/sampling.h"

/* The limit of a request is halved after "too large", but not below this. */
enum { LEAST_MOST_BYTES = 64 << 10 };

struct np_send_delivery {
    char *path;
    struct np_send_exporters *exporters;
    struct np_send_delivery_options options;
    struct np_spool_ledger *ledger;
    int64_t n_void; /* its ranges beyond the end of the record */
    struct np_otlp_redactor *redactor[NP_NAME_NONE + 1]; /* by the way of naming, once needed */
    enum np_naming silent_naming; /* of lines that do not say: as the first line does */
    struct np_spool_sampling sampling;
    struct np_send_cursor cursor[NP_OTLP_N_SIGNALS];
};

/* Reading. */

/* Read the sampling decisions through the cursor's descriptor, and restore its position. */
static int read_decisions(struct np_send_delivery *delivery, struct np_error *err)
{
    int fd = delivery->cursor[NP_OTLP_TRACES].fd;
    off_t at = lseek(fd, 0, SEEK_CUR);

    NP_TRY(np_spool_sampling_read(&delivery->sampling, fd, err));
    if (at < 0 || lseek(fd, at, SEEK_SET) < 0)
        return np_error_errno(err, errno, NP_EIO, "cannot read telemetry lines");
    return 0;
}

/* Load a batch from `range`, by the sampling decisions that the record holds by now. */
static int load(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                struct np_spool_range range, bool is_exact, enum np_send_stop *end,
                struct np_error *err)
{
    if (signal == NP_OTLP_TRACES && delivery->options.decisions != NP_SEND_IGNORE_DECISIONS)
        NP_TRY(read_decisions(delivery, err));
    return np_send_cursor_load(&delivery->cursor[signal], range, is_exact, delivery->options.state,
                               end, err);
}

/* Sending. */

static int note(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                enum np_spool_mark mark, const char *text)
{
    struct np_send_exporter *exporter = &delivery->exporters->exporter[signal];
    const struct np_send_cursor *cursor = &delivery->cursor[signal];
    const struct np_spool_entry entry = {
        .destination = exporter->to->id,
        .signal = signal,
        .range = cursor->range,
        .mark = mark,
        .n_items = (int64_t)cursor->n_points,
        .n_rejected = mark == NP_SPOOL_MARK_PARTIAL ? (int64_t)cursor->n_lost : 0,
        .text = text,
    };
    struct np_error err = {0};
    int code = np_spool_ledger_note(delivery->ledger, &entry, &err);

    if (code < 0)
        np_send_exporter_set_trouble(exporter, "the ledger cannot be written", err.text);
    return code;
}

/* After a failure that may pass: set the time of the next attempt. */
static enum np_send_step back_off(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                                  double asked_s, int64_t *when_ns)
{
    struct np_send_exporters *exporters = delivery->exporters;
    struct np_send_exporter *exporter = &exporters->exporter[signal];

    exporter->not_before_ns = exporters->network.now_ns(exporters->network.self) +
                              np_send_retry_wait_ns(&exporter->retry, asked_s);
    exporter->asked_ns = asked_s >= 0 ? exporter->not_before_ns : 0;
    *when_ns = exporter->not_before_ns;
    bool in_time = *when_ns < np_send_exporter_last_ns(exporters, signal);
    return in_time ? NP_SEND_STEP_LATER : NP_SEND_STEP_OVER;
}

/* The items [at, at + n) are settled: go to the next ones, or to the next range. */
static enum np_send_step advance(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                                 const char *text)
{
    struct np_send_cursor *cursor = &delivery->cursor[signal];

    cursor->at += cursor->n;
    cursor->n = cursor->n_items - cursor->at;
    if (cursor->n > 0)
        return NP_SEND_STEP_ON;
    note(delivery, signal,
         cursor->n_lost == 0                  ? NP_SPOOL_MARK_ACCEPTED
         : cursor->n_lost == cursor->n_points ? NP_SPOOL_MARK_DROPPED
                                              : NP_SPOOL_MARK_PARTIAL,
         text);
    if (!cursor->is_resent)
        cursor->done_to = cursor->range.to;
    np_send_cursor_unload(cursor);
    cursor->most_lines = 0;
    return NP_SEND_STEP_ON;
}

static enum np_send_step accepted(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                                  const struct np_send_reply *reply)
{
    struct np_send_exporter *exporter = &delivery->exporters->exporter[signal];
    struct np_send_cursor *cursor = &delivery->cursor[signal];
    int64_t n_rejected = reply->outcome == NP_SEND_PARTIAL ? reply->n_rejected : 0;
    int64_t n_points = (int64_t)np_otlp_batch_points(cursor->batch, cursor->at, cursor->n);

    if (n_rejected < 0 || n_rejected > n_points)
        n_rejected = n_points; /* the server's number is not trusted */
    np_send_retry_reset(&exporter->retry);
    exporter->tally.n_exported += n_points - n_rejected;
    exporter->tally.n_rejected += n_rejected;
    exporter->tally.n_bytes += (int64_t)cursor->body.length;
    cursor->n_lost += (size_t)n_rejected;
    if (n_rejected > 0)
        np_send_exporter_set_trouble(exporter, "accepted in part", reply->text);
    else if (reply->is_foreign)
        np_send_exporter_set_trouble(exporter, "accepted, perhaps not by a collector", reply->text);
    return advance(delivery, signal, reply->text);
}

static enum np_send_step dropped(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                                 const struct np_send_reply *reply)
{
    struct np_send_exporter *exporter = &delivery->exporters->exporter[signal];
    struct np_send_cursor *cursor = &delivery->cursor[signal];

    np_send_retry_reset(&exporter->retry);
    exporter->tally.n_failed++;
    size_t n_points = np_otlp_batch_points(cursor->batch, cursor->at, cursor->n);
    exporter->tally.n_dropped += (int64_t)n_points;
    cursor->n_lost += n_points;
    np_send_exporter_set_trouble(exporter, "refused", reply->text);
    return advance(delivery, signal, reply->text);
}

/* Send half of the lines next. Of a single line, send half of its items; drop a single item. */
static enum np_send_step too_large(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                                   const struct np_send_reply *reply)
{
    struct np_send_exporter *exporter = &delivery->exporters->exporter[signal];
    struct np_send_cursor *cursor = &delivery->cursor[signal];

    if (cursor->n_lines > 1) {
        size_t half = np_otlp_batch_bytes(cursor->batch) / 2;
        if (half < exporter->most_bytes)
            exporter->most_bytes = half > LEAST_MOST_BYTES ? half : LEAST_MOST_BYTES;
        cursor->most_lines = cursor->n_lines / 2;
        note(delivery, signal, NP_SPOOL_MARK_SPLIT, reply->text);
        np_send_cursor_unload(cursor);
        return NP_SEND_STEP_ON;
    }
    if (cursor->n > 1) {
        cursor->n = (cursor->n + 1) / 2;
        return NP_SEND_STEP_ON;
    }
    return dropped(delivery, signal, reply);
}

/* A request that the last flush cut off tells less than the failure before it. */
static bool tells_nothing(const struct np_send_delivery *delivery,
                          const struct np_send_exporter *exporter,
                          const struct np_send_reply *reply)
{
    return delivery->exporters->finish_ns && exporter->trouble[0] &&
           reply->outcome == NP_SEND_RETRY && reply->http_status == 0 && reply->grpc_status < 0;
}

static enum np_send_step failed(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                                const struct np_send_reply *reply, int64_t *when_ns)
{
    struct np_send_exporter *exporter = &delivery->exporters->exporter[signal];

    exporter->tally.n_failed++;
    bool is_refused = reply->outcome == NP_SEND_REFUSED;
    const char *what = reply->outcome == NP_SEND_UNREACHABLE ? "not reachable"
                       : is_refused && reply->is_foreign     ? "an empty request fails"
                       : is_refused                          ? "access refused"
                                                             : "to be sent again";
    if (!tells_nothing(delivery, exporter, reply))
        np_send_exporter_set_trouble(exporter, what, reply->text);
    return back_off(delivery, signal, reply->retry_after_s, when_ns);
}

/* Send an empty request. */
static void send_empty(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                       struct np_send_reply *reply)
{
    const struct np_send_destination *to = delivery->exporters->exporter[signal].to;
    const char *empty = to->protocol == NP_OTLP_HTTP_JSON ? "{}" : "";
    const struct np_send_request request = {.to = to, .body = empty, .n_bytes = strlen(empty)};

    *reply = (struct np_send_reply){.grpc_status = -1, .retry_after_s = -1};
    do
        np_send_exporter_send(delivery->exporters, signal, &request, reply);
    while (reply->is_stale);
}

/* After a server error that is not in OTLP's form: true when an empty request fails, too, so that
 * the data are not its cause. */
static bool fails_without_data(struct np_send_delivery *delivery, enum np_otlp_signal signal)
{
    struct np_send_reply reply;

    send_empty(delivery, signal, &reply);
    delivery->exporters->exporter[signal].tally.n_requests++;
    return reply.outcome != NP_SEND_ACCEPTED && reply.outcome != NP_SEND_PARTIAL &&
           (reply.outcome != NP_SEND_REFUSED || reply.is_foreign);
}

/* Do what the reply to a batch asks for. */
static enum np_send_step settle(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                                const struct np_send_reply *reply, int64_t *when_ns)
{
    struct np_send_exporter *exporter = &delivery->exporters->exporter[signal];

    delivery->cursor[signal].may_be_stored =
        reply->outcome == NP_SEND_RETRY || reply->outcome == NP_SEND_CANCELED ||
        (reply->outcome == NP_SEND_UNREACHABLE && reply->may_be_stored);
    if (reply->is_stale)
        return NP_SEND_STEP_ON;
    if (reply->outcome == NP_SEND_CANCELED) {
        *when_ns = 0;
        return NP_SEND_STEP_LATER;
    }
    bool accepts_client = np_send_exporter_note_reply(exporter, reply);
    exporter->tally.n_requests++;
    switch (reply->outcome) {
    case NP_SEND_ACCEPTED:
    case NP_SEND_PARTIAL:
        return accepted(delivery, signal, reply);
    case NP_SEND_TOO_LARGE:
        return too_large(delivery, signal, reply);
    case NP_SEND_REFUSED:
        if (accepts_client && !(reply->is_foreign && fails_without_data(delivery, signal)))
            return dropped(delivery, signal, reply);
        break;
    default:
        break;
    }
    return failed(delivery, signal, reply, when_ns);
}

/* Encode the cursor's next items and send them. */
static enum np_send_step send_items(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                                    int64_t *when_ns)
{
    struct np_send_exporters *exporters = delivery->exporters;
    struct np_send_exporter *exporter = &exporters->exporter[signal];
    struct np_send_cursor *cursor = &delivery->cursor[signal];
    struct np_send_reply reply = {.grpc_status = -1, .retry_after_s = -1};
    bool is_whole = cursor->n == cursor->n_items;
    char id[NP_SPOOL_BATCH_ID];

    /* The ledger tells how often a batch has left: the server may have it already. */
    if (cursor->may_be_stored && note(delivery, signal, NP_SPOOL_MARK_SENDING, NULL) < 0)
        return back_off(delivery, signal, -1, when_ns);
    np_otlp_buffer_cut(&cursor->body, 0);
    cursor->body.most = np_send_most_bytes(exporter->to->protocol);
    int code = np_otlp_batch_encode(cursor->batch, cursor->at, cursor->n, &cursor->body);
    if (code == NP_EVALUE) {
        snprintf(reply.text, sizeof(reply.text), "more than %zu bytes in one request",
                 cursor->body.most);
        return too_large(delivery, signal, &reply);
    }
    if (code < 0) {
        np_send_exporter_set_trouble(exporter, "no memory for a request", "");
        return back_off(delivery, signal, -1, when_ns);
    }
    np_spool_batch_id(delivery->path, signal, &cursor->range, is_whole ? 0 : cursor->at,
                      is_whole ? 0 : cursor->n, id);
    const struct np_send_request request = {exporter->to, id, cursor->body.bytes,
                                            cursor->body.length};
    np_send_exporter_send(exporters, signal, &request, &reply);
    return settle(delivery, signal, &reply, when_ns);
}

/* Send an empty request. Every answer shows that the server is up, except those that ask to come
 * later, that refuse this client, or that no OTLP receiver sends. */
static enum np_send_step probe(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                               int64_t *when_ns)
{
    struct np_send_exporter *exporter = &delivery->exporters->exporter[signal];
    struct np_send_reply reply;

    send_empty(delivery, signal, &reply);
    if (reply.outcome == NP_SEND_CANCELED) {
        *when_ns = 0;
        return NP_SEND_STEP_LATER;
    }
    bool accepts_client = np_send_exporter_note_reply(exporter, &reply);
    bool is_failed = reply.outcome == NP_SEND_RETRY || reply.outcome == NP_SEND_UNREACHABLE ||
                     (reply.outcome == NP_SEND_REFUSED && reply.is_foreign);
    if (accepts_client && !is_failed)
        return NP_SEND_STEP_ON;
    exporter->tally.n_requests++;
    return failed(delivery, signal, &reply, when_ns);
}

/* Steps. */

/* When to read a growing record again: after the exporter's delay, but not without a pause. */
static int64_t next_read_ns(const struct np_send_delivery *delivery, enum np_otlp_signal signal)
{
    static const double SHORTEST_S = 0.02;
    const struct np_send_network *network = &delivery->exporters->network;
    double delay_s = delivery->exporters->exporter[signal].delay_s;

    if (delay_s < SHORTEST_S)
        delay_s = SHORTEST_S;
    return network->now_ns(network->self) + (int64_t)(delay_s * 1e9);
}

/* Load the next batch and note that it is being sent. Returns 1; 0 when there is none: `*step` is
 * then the result of the step. */
static int prepare(struct np_send_delivery *delivery, enum np_otlp_signal signal, int64_t *when_ns,
                   enum np_send_step *step)
{
    struct np_send_exporter *exporter = &delivery->exporters->exporter[signal];
    struct np_send_cursor *cursor = &delivery->cursor[signal];
    struct np_spool_range range;
    struct np_error err = {0};
    enum np_send_stop end = NP_SEND_STOP_RECORD;
    bool is_resent = np_spool_ledger_in_flight(delivery->ledger, exporter->to->id, signal,
                                               delivery->options.scope, &range);

    if (!is_resent)
        range = np_spool_ledger_gap(delivery->ledger, exporter->to->id, signal,
                                    delivery->options.scope, cursor->done_to);
    if (load(delivery, signal, range, is_resent, &end, &err) < 0) {
        np_send_exporter_set_trouble(exporter, "the record cannot be read", err.text);
        *step = back_off(delivery, signal, -1, when_ns);
        return 0;
    }
    cursor->is_resent = is_resent;
    /* The same batch is sent again, so all of it waits for its sampling decisions. */
    if (is_resent && end == NP_SEND_STOP_WAITS) {
        np_send_cursor_unload(cursor);
        *when_ns = cursor->due_ns = next_read_ns(delivery, signal);
        *step = NP_SEND_STEP_DONE;
        return 0;
    }
    /* The range was no batch of this record: the ledger belongs to another one. */
    bool is_foreign = is_resent && (end == NP_SEND_STOP_FULL || cursor->n_items == 0);
    if (cursor->n_items > 0 && !is_foreign) {
        if (note(delivery, signal, NP_SPOOL_MARK_SENDING, NULL) == 0)
            return 1;
        np_send_cursor_unload(cursor);
        *step = back_off(delivery, signal, -1, when_ns);
        return 0;
    }
    if (is_foreign)
        note(delivery, signal, NP_SPOOL_MARK_SPLIT, "no batch");
    else if (cursor->range.to > cursor->done_to)
        cursor->done_to = cursor->range.to;
    np_send_cursor_unload(cursor);
    bool is_end = !is_resent && (end == NP_SEND_STOP_RECORD || end == NP_SEND_STOP_WAITS);
    *step = is_end ? NP_SEND_STEP_DONE : NP_SEND_STEP_ON;
    if (*step == NP_SEND_STEP_DONE) {
        cursor->due_ns = next_read_ns(delivery, signal);
        *when_ns = cursor->due_ns;
    }
    return 0;
}

enum np_send_step np_send_delivery_step(struct np_send_delivery *delivery,
                                        enum np_otlp_signal signal, int64_t *when_ns)
{
    struct np_send_exporters *exporters = delivery->exporters;
    const struct np_send_exporter *exporter = &exporters->exporter[signal];
    struct np_send_cursor *cursor = &delivery->cursor[signal];
    enum np_send_step step = NP_SEND_STEP_ON;

    *when_ns = INT64_MAX;
    if (!exporter->to)
        return NP_SEND_STEP_DONE;
    int64_t now_ns = exporters->network.now_ns(exporters->network.self);
    int64_t last_ns = np_send_exporter_last_ns(exporters, signal);
    if (now_ns >= last_ns || exporter->not_before_ns >= last_ns)
        return NP_SEND_STEP_OVER;
    if (now_ns < exporter->not_before_ns) {
        *when_ns = exporter->not_before_ns;
        return NP_SEND_STEP_LATER;
    }
    if (exporters->probes && np_send_exporter_is_unprobed(exporters, signal))
        return probe(delivery, signal, when_ns);
    bool is_loaded = np_send_cursor_is_loaded(cursor);
    if (!is_loaded && now_ns < cursor->due_ns && delivery->options.state == NP_SPOOL_GROWING) {
        *when_ns = cursor->due_ns;
        return NP_SEND_STEP_LATER;
    }
    if (!is_loaded && !prepare(delivery, signal, when_ns, &step))
        return step;
    return send_items(delivery, signal, when_ns);
}

void np_send_delivery_wait_first(struct np_send_delivery *delivery)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        delivery->cursor[i].due_ns = next_read_ns(delivery, (enum np_otlp_signal)i);
}

void np_send_delivery_set_complete(struct np_send_delivery *delivery)
{
    delivery->options.state = NP_SPOOL_COMPLETE;
}

int64_t np_send_delivery_done_bytes(const struct np_send_delivery *delivery)
{
    int64_t done = INT64_MAX;

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (delivery->exporters->exporter[i].to && delivery->cursor[i].done_to < done)
            done = delivery->cursor[i].done_to;
    return done;
}

/* Opening and closing. */

/* Apply the sampling decisions of the record to a trace. A span whose trace is undecided
 * waits in a growing record only: no decision comes after the end of a run. */
static enum np_otlp_selection select_span(void *context, const struct np_trace_id *trace_id,
                                          uint32_t *flags)
{
    enum { SAMPLED = 1 }; /* W3C trace flags */
    const struct np_send_delivery *delivery = context;

    switch (np_spool_sampling_of(&delivery->sampling, trace_id)) {
    case NP_SPOOL_SAMPLED:
        *flags |= SAMPLED;
        return NP_OTLP_KEEP;
    case NP_SPOOL_NOT_SAMPLED:
        return NP_OTLP_DROP;
    case NP_SPOOL_UNDECIDED:
        break;
    }
    bool waits = delivery->options.decisions == NP_SEND_AWAIT_DECISIONS &&
                 delivery->options.state == NP_SPOOL_GROWING;
    return waits ? NP_OTLP_WAIT : NP_OTLP_KEEP;
}

/* The redactor for lines that want `naming`. Without a key for hashes it is that of `none`. */
static const struct np_otlp_redactor *redactor_of(void *context, enum np_naming naming)
{
    struct np_send_delivery *delivery = context;
    struct np_otlp_redactor **redactor = &delivery->redactor[naming];
    NP_AUTO(np_freep) char *folder = NULL;

    if (naming == NP_NAME_LABEL || *redactor)
        return *redactor;
    folder = np_path_directory(delivery->path);
    if (np_otlp_redactor_open(naming, folder, redactor, NULL) < 0)
        return delivery->redactor[NP_NAME_NONE];
    return *redactor;
}

static int open_cursor(struct np_send_delivery *delivery, enum np_otlp_signal signal,
                       struct np_error *err)
{
    const struct np_send_exporter *exporter = &delivery->exporters->exporter[signal];
    const struct np_otlp_batch_options options = {
        .signal = signal,
        .protocol = exporter->to->protocol,
        .naming = delivery->options.naming,
        .silent_naming = delivery->silent_naming,
        .redactor_of = delivery->options.is_dry_run ? NULL : redactor_of,
        .select = select_span,
        .context = delivery,
    };

    return np_send_cursor_open(&delivery->cursor[signal], delivery->path, exporter, &options, err);
}

void np_send_delivery_freep(struct np_send_delivery **address)
{
    struct np_send_delivery *delivery = *address;

    if (!delivery)
        return;
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        np_send_cursor_done(&delivery->cursor[i]);
    np_spool_sampling_done(&delivery->sampling);
    for (size_t i = 0; i < NP_COUNT(delivery->redactor); i++)
        np_otlp_redactor_freep(&delivery->redactor[i]);
    np_spool_ledger_freep(&delivery->ledger);
    free(delivery->path);
    np_freep(address);
}

/* Labels can always be left out: so nothing is sent in clear for want of a key. */
static int open_redactor(struct np_send_delivery *delivery, struct np_error *err)
{
    if (delivery->options.is_dry_run)
        return 0;
    delivery->silent_naming = np_spool_record_naming(delivery->path);
    if (delivery->options.naming > delivery->silent_naming)
        delivery->silent_naming = delivery->options.naming;
    int code = np_otlp_redactor_open(NP_NAME_NONE, NULL, &delivery->redactor[NP_NAME_NONE], NULL);
    if (code < 0)
        return np_error_set(err, code, "'%s': cannot take names out of it, so it is not sent",
                            delivery->path);
    return 0;
}

static int open_ledger(struct np_send_delivery *delivery, struct np_error *err)
{
    struct stat status;

    NP_TRY(delivery->options.is_dry_run
               ? np_spool_ledger_read(delivery->path, &delivery->ledger, err)
               : np_spool_ledger_open(delivery->path, &delivery->ledger, err));
    if (delivery->options.scope == NP_SPOOL_AGAIN)
        np_spool_ledger_forget(delivery->ledger);
    /* The size of a growing record may be known too late on a network file system. */
    if (delivery->options.state == NP_SPOOL_GROWING)
        return 0;
    if (stat(delivery->path, &status) != 0)
        return np_error_errno(err, errno, NP_ENOINPUT, "'%s': cannot read the telemetry record",
                              delivery->path);
    return np_spool_ledger_cut(delivery->ledger, status.st_size, &delivery->n_void, err);
}

int64_t np_send_delivery_n_void(const struct np_send_delivery *delivery)
{
    return delivery->n_void;
}

int np_send_delivery_open(const char *record_path, struct np_send_exporters *exporters,
                          const struct np_send_delivery_options *options,
                          struct np_send_delivery **out, struct np_error *err)
{
    NP_AUTO(np_send_delivery_freep)
    struct np_send_delivery *delivery = np_xcalloc(1, sizeof(*delivery));

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        delivery->cursor[i].fd = -1;
    delivery->path = np_xstrdup(record_path);
    delivery->exporters = exporters;
    delivery->options = *options;
    NP_TRY(open_redactor(delivery, err));
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (exporters->exporter[i].to)
            NP_TRY(open_cursor(delivery, (enum np_otlp_signal)i, err));
    NP_TRY(open_ledger(delivery, err));
    *out = delivery;
    delivery = NULL;
    return 0;
}
