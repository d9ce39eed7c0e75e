/*
 * The supervisor and the sender share two things:
 *   channel   a socket pair (base/child.h), the supervisor's way to end the sender. FINISH
 *             announces the end of the run, CUT_OFF cancels the current request, and a
 *             hang-up means that the supervisor was killed.
 *   shared    a page of shared memory with the sender's counters. Its `standing` is set by both
 *             sides: a message on the channel could not decide which of two events came first.
 */
#include "send/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/path.h"
#include "send/connections.h"
#include "send/delivery_growing.h"
#include "send/exporter.h"
#include "send/transport.h"
#include "spool/pending.h"

static const int64_t MS = INT64_C(1000000);
/* The time that a sender has to end by itself after its deadline, and the time from CUT_OFF to
 * SIGKILL. */
enum { GRACE_MS = 25 };
enum { MOST_SLEEP_MS = 1000, MOST_SETTLE_TRIES = 10, LOCK_WAIT_MS = 20 };
/* How many earlier records a run tries to send: each task of a cluster may have left one. */
enum { MOST_EARLIER = 64 };

enum counter { EXPORTED, REJECTED, DROPPED, REQUESTS, FAILED, BYTES, N_COUNTERS };

enum command { FINISH = 'F', CUT_OFF = 'C' };

/* The first of two events: a server answers, or the supervisor stops waiting for an answer. Each
 * side sets it in one atomic step, so no batch leaves after the supervisor has given up. */
enum standing { NO_ANSWER, ANSWERED, GIVEN_UP };

/* The sender writes it and the supervisor reads it, but for `standing`; `trouble` only after the
 * sender has ended. */
struct shared {
    _Atomic int64_t counter[NP_OTLP_N_SIGNALS][N_COUNTERS];
    _Atomic int64_t done_bytes; /* at the beginning of the record */
    _Atomic int64_t n_caught_up;
    _Atomic int is_down;
    _Atomic int standing; /* enum standing; ANSWERED: the last flush may take the deadline */
    char trouble[256];
};

struct np_send_sender {
    char *record_path;
    struct np_child process;
    double deadline_s;
    struct shared *shared;
};

/* The state of the sender's process. */
struct child {
    const struct np_send_sender_options *options;
    struct shared *shared;
    int channel;
    pid_t supervisor;
    struct np_send_connections connections; /* unused with the network of a test */
    struct np_send_hangup hangup;           /* of the supervisor, when it was killed */
    struct np_send_exporters exporters;
    struct np_send_delivery *own;
    struct np_strings records; /* of earlier runs */
    size_t next_record;        /* those before it are done */
    bool has_listed;
    struct np_send_delivery *earlier; /* of records.item[next_record], or NULL */
    bool is_finishing, is_orphan, is_cancelled;
    bool is_left_open; /* the spans of the killed supervisor could not be closed */
    bool is_cleared;   /* nothing of the own record is pending, and its mark is gone */
};

/* The shared counters. */

/* When the supervisor has given up, the sender stops before its next request. */
static void publish_standing(struct child *child)
{
    bool is_answered = np_send_exporters_have_answer(&child->exporters);
    int before = is_answered ? NO_ANSWER : ANSWERED, now = is_answered ? ANSWERED : NO_ANSWER;

    if (!atomic_compare_exchange_strong(&child->shared->standing, &before, now) &&
        before == GIVEN_UP)
        child->is_cancelled = true;
}

/* Wait no longer than NP_SEND_UNPROBED_NS for a first answer. False when one has come. */
static bool give_up(struct shared *shared)
{
    int before = NO_ANSWER;

    return atomic_compare_exchange_strong(&shared->standing, &before, GIVEN_UP);
}

static void share_trouble(struct shared *shared, enum np_otlp_signal signal, const char *trouble)
{
    char all[2 * sizeof(shared->trouble)];

    snprintf(all, sizeof(all), "%s: %s", np_otlp_signal_name(signal), trouble);
    np_utf8_cut(all, sizeof(shared->trouble) - 1);
    memcpy(shared->trouble, all, strlen(all) + 1);
}

static void publish(struct child *child)
{
    struct shared *shared = child->shared;
    bool is_down = false;

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        const struct np_send_exporter *exporter = &child->exporters.exporter[i];
        const int64_t now[N_COUNTERS] = {exporter->tally.n_exported, exporter->tally.n_rejected,
                                         exporter->tally.n_dropped,  exporter->tally.n_requests,
                                         exporter->tally.n_failed,   exporter->tally.n_bytes};
        for (int k = 0; k < N_COUNTERS; k++)
            shared->counter[i][k] = now[k];
        is_down = is_down || (exporter->to && exporter->is_down);
        if (exporter->trouble[0])
            share_trouble(shared, (enum np_otlp_signal)i, exporter->trouble);
    }
    shared->is_down = is_down;
    publish_standing(child);
    if (child->own)
        shared->done_bytes = np_send_delivery_done_bytes(child->own);
}

/* The record may have grown since the sender looked: what is pending ends where the record does. */
static int64_t pending_bytes(const char *record_path, int64_t done_bytes)
{
    struct stat status;
    bool is_known = stat(record_path, &status) == 0;

    return is_known && status.st_size > done_bytes ? status.st_size - done_bytes : 0;
}

static void read_shared(const struct np_send_sender *sender, struct np_send_sender_health *health)
{
    const struct shared *shared = sender->shared;

    *health = (struct np_send_sender_health){
        .pending_bytes = pending_bytes(sender->record_path, shared->done_bytes),
        .n_caught_up = shared->n_caught_up,
        .is_down = shared->is_down != 0};
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        health->tally[i] = (struct np_send_tally){
            .n_exported = shared->counter[i][EXPORTED],
            .n_rejected = shared->counter[i][REJECTED],
            .n_dropped = shared->counter[i][DROPPED],
            .n_requests = shared->counter[i][REQUESTS],
            .n_failed = shared->counter[i][FAILED],
            .n_bytes = shared->counter[i][BYTES],
        };
}

/* The child. */

/* Read one byte, or a hang-up, from the channel, which is readable. */
static void read_command(struct child *child)
{
    char byte;
    ssize_t got = recv(child->channel, &byte, 1, MSG_DONTWAIT);

    if (got == 1) {
        child->is_finishing = true;
        child->is_cancelled = child->is_cancelled || byte == CUT_OFF;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        child->is_orphan = true;
    }
}

/* Wait for a command of the supervisor, or for its end, until `until_ns`. */
static void wait_for_command(struct child *child, int64_t until_ns)
{
    struct pollfd fd = {.fd = child->is_orphan ? -1 : child->channel, .events = POLLIN};
    int64_t left_ns = until_ns - np_clock_mono_ns();
    int64_t left_ms = left_ns <= 0 ? 0 : left_ns / MS + 1;

    int n = poll(&fd, 1, (int)(left_ms < MOST_SLEEP_MS ? left_ms : MOST_SLEEP_MS));
    child->is_orphan = child->is_orphan || getppid() != child->supervisor;
    if (n > 0)
        read_command(child);
    child->is_finishing = child->is_finishing || child->is_orphan;
}

/* The supervisor was killed: close its spans, once no other process writes the record. */
static void close_orphan(struct child *child)
{
    enum np_spool_state state = NP_SPOOL_GROWING;

    for (int i = 0; i < MOST_SETTLE_TRIES && state == NP_SPOOL_GROWING; i++) {
        if (np_spool_pending_settle(child->options->record_path, &state, NULL, NULL) < 0)
            break;
        if (state == NP_SPOOL_GROWING) /* workers of the supervisor have not ended yet */
            poll(NULL, 0, 50);
    }
    child->is_left_open = state == NP_SPOOL_GROWING;
}

/* Begin the last flush when the run has ended, once. */
static void begin_last_flush(struct child *child)
{
    if (!child->is_finishing || child->exporters.finish_ns)
        return;
    if (child->is_orphan) {
        close_orphan(child);
        child->connections.probe_cancel_fd = -1; /* the channel stays readable */
    } else { /* FINISH has been read, so the next byte can only be CUT_OFF */
        child->connections.cancel_fd = child->channel;
    }
    /* A request may have seen the hang-up before: the one deadline counts from there. */
    int64_t since_ns = child->is_orphan ? child->hangup.at_ns : 0;
    np_send_exporters_finish(&child->exporters, since_ns ? since_ns : np_clock_mono_ns());
    np_send_delivery_set_complete(child->own);
}

/* How far a record has been sent. The progress of a record is the highest of its signals. */
enum progress {
    ALL_DONE,     /* all that is in the record so far */
    TIME_IS_OVER, /* the rest stays pending */
    MORE_LATER,
};

/* Take a step of each signal in `*busy`. A signal that has nothing to do for now is removed from
 * `*busy`, and `*when_ns` is lowered to the time of its next step. */
static enum progress step_each(struct child *child, struct np_send_delivery *delivery,
                               unsigned *busy, int64_t *when_ns)
{
    static const enum progress of[] = {[NP_SEND_STEP_DONE] = ALL_DONE,
                                       [NP_SEND_STEP_OVER] = TIME_IS_OVER,
                                       [NP_SEND_STEP_LATER] = MORE_LATER};
    enum progress progress = ALL_DONE;

    for (int i = 0; i < NP_OTLP_N_SIGNALS && !child->is_cancelled; i++) {
        int64_t again_ns;
        if (!(*busy & 1u << i))
            continue;
        enum np_send_step step = np_send_delivery_step(delivery, (enum np_otlp_signal)i, &again_ns);
        publish(child); /* before the next request, which may hang */
        if (step == NP_SEND_STEP_ON)
            continue;
        *busy &= ~(1u << i);
        progress = of[step] > progress ? of[step] : progress;
        if (again_ns < *when_ns)
            *when_ns = again_ns;
    }
    return progress;
}

static const unsigned ALL_SIGNALS = (1u << NP_OTLP_N_SIGNALS) - 1;

/* Take steps of the own record until there is nothing to do for now. */
static enum progress send_own(struct child *child, int64_t *when_ns)
{
    unsigned busy = ALL_SIGNALS;
    enum progress progress = ALL_DONE;

    while (busy && !child->is_cancelled) {
        enum progress now = step_each(child, child->own, &busy, when_ns);
        progress = now > progress ? now : progress;
        wait_for_command(child, 0);
        begin_last_flush(child);
    }
    return child->is_cancelled ? MORE_LATER : progress;
}

/* Records of earlier runs. */

static void list_earlier(struct child *child)
{
    NP_AUTO(np_freep) char *folder = np_path_directory(child->options->record_path);
    NP_AUTO(np_strings_done) struct np_strings found = {0};
    const char *own = np_path_name(child->options->record_path);

    child->has_listed = true;
    np_spool_pending_list(folder, MOST_EARLIER, (uint64_t)np_clock_unix_ns() ^ (uint64_t)getpid(),
                          &found);
    for (size_t i = 0; i < found.n; i++)
        if (strcmp(np_path_name(found.item[i]), own) != 0)
            np_strings_add(&child->records, found.item[i]);
}

static void set_earlier_trouble(struct child *child, const char *path, const char *what)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (child->exporters.exporter[i].to) {
            np_send_exporter_set_trouble(&child->exporters.exporter[i], np_path_name(path), what);
            return;
        }
}

/* Say it when the record was cut after parts of it had been sent, or when lines are damaged. */
static void note_damage(struct child *child, const char *path, const struct np_spool_closing *found)
{
    if (np_send_delivery_n_void(child->earlier))
        set_earlier_trouble(child, path,
                            "its ledger names batches beyond the end of the record, which was cut: "
                            "what is left of them is sent again");
    if (found->n_unreadable) {
        NP_AUTO(np_freep)
        char *what = np_xasprintf("%" PRId64 NP_SPOOL_UNREADABLE, found->n_unreadable);
        set_earlier_trouble(child, path, what);
    }
}

/* Open child->earlier. True when no other process sends the record and its run has ended. */
static bool open_earlier(struct child *child, const char *path)
{
    struct np_send_delivery_options options = {.state = NP_SPOOL_COMPLETE,
                                               .scope = NP_SPOOL_NOT_ANYWHERE,
                                               .naming = child->options->naming};
    struct np_spool_closing found;
    enum np_spool_state state;

    /* The ledger of a run that goes on belongs to the sender of that run. Even a short lock on it
     * would delay that sender. */
    if (np_spool_pending_is_growing(path))
        return false;
    /* The spans may be closed only under the ledger's lock, so take the lock first. */
    if (np_send_delivery_open(path, &child->exporters, &options, &child->earlier, NULL) < 0)
        return false;
    if (np_spool_pending_settle(path, &state, &found, NULL) == 0 && state == NP_SPOOL_COMPLETE) {
        note_damage(child, path, &found);
        return true;
    }
    np_send_delivery_freep(&child->earlier);
    return false;
}

/* Take one step of an earlier record, or open the next one, as long as the servers are up. The
 * caller sends the own record between these steps. */
static enum progress send_earlier(struct child *child, int64_t *when_ns)
{
    unsigned busy = ALL_SIGNALS;

    if (!np_send_exporters_are_up(&child->exporters))
        return TIME_IS_OVER;
    if (!child->has_listed)
        list_earlier(child);
    if (child->next_record == child->records.n)
        return ALL_DONE;
    const char *path = child->records.item[child->next_record];
    bool is_open = child->earlier || open_earlier(child, path);
    enum progress progress = is_open ? step_each(child, child->earlier, &busy, when_ns) : ALL_DONE;
    if (busy == 0 && progress != ALL_DONE)
        return progress;
    *when_ns = 0; /* call again at once */
    if (is_open && busy)
        return MORE_LATER;
    if (is_open) {
        np_spool_pending_clear(path);
        child->shared->n_caught_up++;
    }
    np_send_delivery_freep(&child->earlier);
    child->next_record++;
    return MORE_LATER;
}

/* Send the own record and earlier ones until the last flush is over. */
static void send_all(struct child *child)
{
    while (!child->is_cancelled) {
        int64_t when_ns = INT64_MAX;

        begin_last_flush(child);
        bool is_finishing = child->exporters.finish_ns != 0;
        enum progress own = send_own(child, &when_ns);
        if (is_finishing && own == ALL_DONE && !child->is_left_open && !child->is_cleared) {
            np_spool_pending_clear(child->options->record_path);
            child->is_cleared = true;
        }
        enum progress earlier = child->is_cancelled ? MORE_LATER : send_earlier(child, &when_ns);
        if (is_finishing && own != MORE_LATER && earlier != MORE_LATER)
            return;
        publish(child);
        if (is_finishing == (child->exporters.finish_ns != 0)) /* else the last flush just began */
            wait_for_command(child, when_ns);
    }
}

/* Open the own record. Another process may hold the ledger's lock for a while, as replay does: wait
 * for the lock until the run ends. */
static int open_own(struct child *child, const struct np_send_delivery_options *own,
                    struct np_error *err)
{
    for (;;) {
        bool is_last = child->is_finishing;
        int code = np_send_delivery_open(child->options->record_path, &child->exporters, own,
                                         &child->own, err);
        if (code != NP_EBUSY || is_last)
            return code;
        *err = (struct np_error){0};
        wait_for_command(child, np_clock_mono_ns() + LOCK_WAIT_MS * MS);
    }
}

static void set_trouble(struct shared *shared, struct np_error *err)
{
    np_utf8_cut(err->text, sizeof(shared->trouble) - 1);
    memcpy(shared->trouble, err->text, strlen(err->text) + 1);
}

/* The work of the sender's process; returns its exit status. */
static int run_sender(void *context, int channel)
{
    struct child *child = context;
    const struct np_send_settings *settings = child->options->settings;
    const struct np_send_delivery_options own = {
        .state = NP_SPOOL_GROWING,
        .scope = NP_SPOOL_NOT_ANYWHERE,
        .naming = child->options->naming,
        .decisions =
            settings->keeps_all_traces ? NP_SEND_IGNORE_DECISIONS : NP_SEND_AWAIT_DECISIONS,
    };
    struct np_send_network network = child->options->network;
    struct np_error err = {0};

    child->channel = channel;
    if (!network.send) {
        /* FINISH breaks off a probe: the next one ends in time. A batch is left to its answer. */
        child->connections.cancel_fd = -1;
        child->connections.probe_cancel_fd = channel;
        child->hangup = (struct np_send_hangup){.fd = channel, .grace_s = settings->deadline_s};
        child->connections.hangup = &child->hangup;
        network = np_send_connections_network(&child->connections);
    }
    np_send_exporters_init(&child->exporters, settings, &network,
                           (uint64_t)np_clock_unix_ns() ^ (uint64_t)getpid());
    child->exporters.probes = true;
    if (open_own(child, &own, &err) < 0) {
        set_trouble(child->shared, &err);
        return EXIT_FAILURE;
    }
    np_send_delivery_wait_first(child->own);
    send_all(child);
    publish(child);
    if (!child->is_cancelled) /* closes the connections to the servers properly */
        np_send_connections_close(&child->connections);
    return EXIT_SUCCESS;
}

/* The supervisor. */

int np_send_sender_start(const struct np_send_sender_options *options, struct np_send_sender **out,
                         struct np_error *err)
{
    struct child child = {.options = options, .supervisor = getpid()};
    const struct np_child_options process = {.name = "np-telemetry",
                                             .channel = NP_CHILD_STREAM,
                                             .signals = NP_CHILD_IGNORES_STOP_SIGNALS,
                                             .is_silent = true,
                                             .run = run_sender,
                                             .context = &child};
    struct np_child started;

    NP_TRY(np_spool_pending_mark(options->record_path, err));
    child.shared = mmap(NULL, sizeof(*child.shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (child.shared == MAP_FAILED)
        return np_error_errno(err, errno, NP_EBUSY, "cannot start the sender of telemetry");
    int code = np_child_start(&process, &started, err);
    if (code < 0) {
        munmap(child.shared, sizeof(*child.shared));
        return code;
    }
    *out = np_xmalloc(sizeof(**out));
    **out = (struct np_send_sender){.record_path = np_xstrdup(options->record_path),
                                    .process = started,
                                    .deadline_s = options->settings->deadline_s,
                                    .shared = child.shared};
    return 0;
}

void np_send_sender_look(const struct np_send_sender *sender, struct np_send_sender_health *health)
{
    read_shared(sender, health);
}

static void send_command(const struct np_send_sender *sender, enum command command)
{
    char byte = (char)command;

    while (send(sender->process.fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
        ;
}

static bool is_cut_off(const struct np_cancel *cut_off)
{
    return cut_off && cut_off->signal;
}

/* Wait for the sender's end until `until_ns`, or until it is cut off; true when it has ended. */
static bool wait_until(struct np_send_sender *sender, int64_t until_ns,
                       const struct np_cancel *cut_off, struct np_child_end *end)
{
    enum { POLL_MS = 20 };
    bool has_ended = np_child_wait(&sender->process, 0, end);

    while (!has_ended && !is_cut_off(cut_off) && np_clock_mono_ns() < until_ns) {
        int64_t poll_ns = np_clock_mono_ns() + POLL_MS * MS;
        has_ended = np_child_wait(&sender->process, poll_ns < until_ns ? poll_ns : until_ns, end);
    }
    return has_ended;
}

/* Ask the sender to finish and wait for its end: NP_SEND_UNPROBED_NS when no server has answered,
 * else the deadline. */
static void end_process(struct np_send_sender *sender, const struct np_cancel *cut_off,
                        struct np_child_end *end)
{
    int64_t start_ns = np_clock_mono_ns();
    int64_t last_ns = start_ns + (int64_t)(sender->deadline_s * 1e9) + GRACE_MS * MS;
    int64_t unprobed_ns = start_ns + NP_SEND_UNPROBED_NS + GRACE_MS * MS;

    send_command(sender, FINISH);
    bool has_ended =
        wait_until(sender, unprobed_ns < last_ns ? unprobed_ns : last_ns, cut_off, end) ||
        (!is_cut_off(cut_off) && !give_up(sender->shared) &&
         wait_until(sender, last_ns, cut_off, end));
    if (has_ended) {
        np_child_close(&sender->process);
        return;
    }
    send_command(sender, CUT_OFF);
    np_child_stop(&sender->process, 0, GRACE_MS * 1e-3, end);
}

void np_send_sender_finish(struct np_send_sender **address, const struct np_cancel *cut_off,
                           struct np_send_sender_health *health)
{
    struct np_send_sender *sender = *address;
    struct np_child_end end = {0};

    if (health)
        *health = (struct np_send_sender_health){0};
    if (!sender)
        return;
    end_process(sender, cut_off, &end);
    if (health) {
        read_shared(sender, health);
        memcpy(health->trouble, sender->shared->trouble, sizeof(health->trouble));
        health->trouble[sizeof(health->trouble) - 1] = '\0';
        if (health->pending_bytes && !*health->trouble) /* it was killed during its request */
            snprintf(health->trouble, sizeof(health->trouble), "the server did not answer in time");
        if (health->pending_bytes)
            np_spool_pending_explain(sender->record_path, health->trouble);
    }
    munmap(sender->shared, sizeof(*sender->shared));
    free(sender->record_path);
    np_freep(address);
}
