/*
 * The supervisor and the sender share two things:
 *   channel   a socket pair (base/child.h), the only way to tell the sender to stop: the byte FINISH
 *             announces the end of the run, the byte CUT_OFF cancels the current request, and a
 *             hang-up means that the supervisor was killed
 *   shared    a page of shared memory with the sender's counters
 */
#include "send/sender.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
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
#include "send/delivery.h"
#include "spool/pending.h"

static const int64_t MS = INT64_C(1000000);
/* How long a sender has to end by itself when its time is over, and between CUT_OFF and the kill. */
enum { GRACE_MS = 25 };
enum { MOST_SLEEP_MS = 1000, MOST_SETTLE_TRIES = 10, LOCK_WAIT_MS = 20 };
/* Earlier records that a run looks at: there may be as many as there are tasks in a cluster. */
enum { MOST_EARLIER = 64 };

enum counter { EXPORTED, REJECTED, DROPPED, REQUESTS, FAILED, BYTES, N_COUNTERS };

enum word { FINISH = 'F', CUT_OFF = 'C' };

/* Written by the sender, read by the supervisor; the text only once the sender is gone. */
struct shared {
    _Atomic int64_t counter[NP_OTLP_N_SIGNALS][N_COUNTERS];
    _Atomic int64_t owed_bytes, n_caught_up;
    _Atomic int is_down;
    _Atomic int has_answer; /* a server is there: the end of the run may take the deadline */
    char trouble[256];
};

struct np_send_sender {
    char *record_path;
    struct np_child process;
    double deadline_s;
    struct shared *shared;
};

/* The sender's own state, in the child. */
struct child {
    const struct np_send_sender_options *options;
    struct shared *shared;
    int channel;
    pid_t supervisor;
    struct np_send_connections connections; /* unused with the network of a test */
    struct np_send_exporters exporters;
    struct np_send_delivery *own;
    struct np_strings records; /* of earlier runs, with those that are done */
    size_t next_record;
    bool has_listed;
    struct np_send_delivery *earlier; /* of records.item[next_record], or NULL */
    bool is_finishing, is_orphan, is_cancelled;
    bool is_left_open; /* a killed run's spans could not be ended: somebody else must */
    bool is_cleared;   /* the own record owes nothing any more */
};

/* The shared counters. */

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
            memcpy(shared->trouble, exporter->trouble, sizeof(shared->trouble));
    }
    shared->is_down = is_down;
    shared->has_answer = np_send_exporters_have_answer(&child->exporters);
    if (child->own)
        shared->owed_bytes = np_send_delivery_pending_bytes(child->own);
}

static void read_shared(const struct shared *shared, struct np_send_sender_health *health)
{
    *health = (struct np_send_sender_health){.owed_bytes = shared->owed_bytes,
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

/* One byte, or a hang-up, of the channel, which can be read. */
static void take_word(struct child *child)
{
    char word;
    ssize_t got = recv(child->channel, &word, 1, MSG_DONTWAIT);

    if (got == 1) {
        child->is_finishing = true;
        child->is_cancelled = child->is_cancelled || word == CUT_OFF;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        child->is_orphan = true;
    }
}

/* Take what the supervisor says, waiting for it until `until_ns`. */
static void listen_until(struct child *child, int64_t until_ns)
{
    struct pollfd fd = {.fd = child->is_orphan ? -1 : child->channel, .events = POLLIN};
    int64_t left_ns = until_ns - np_clock_mono_ns();
    int64_t left_ms = left_ns <= 0 ? 0 : left_ns / MS + 1;

    int n = poll(&fd, 1, (int)(left_ms < MOST_SLEEP_MS ? left_ms : MOST_SLEEP_MS));
    child->is_orphan = child->is_orphan || getppid() != child->supervisor;
    if (n > 0)
        take_word(child);
    child->is_finishing = child->is_finishing || child->is_orphan;
}

/* The supervisor was killed: its spans are ended here, as long as nobody else writes the record. */
static void close_orphan(struct child *child)
{
    enum np_spool_state life = NP_SPOOL_GROWING;

    for (int i = 0; i < MOST_SETTLE_TRIES && life == NP_SPOOL_GROWING; i++) {
        if (np_spool_pending_settle(child->options->record_path, &life, NULL) < 0)
            break;
        if (life == NP_SPOOL_GROWING) /* its workers are still dying */
            poll(NULL, 0, 50);
    }
    child->is_left_open = life == NP_SPOOL_GROWING;
}

static void finish_if_told(struct child *child)
{
    if (!child->is_finishing || child->exporters.finish_ns)
        return;
    if (child->is_orphan)
        close_orphan(child);
    else /* FINISH has been read, so the next byte can only be CUT_OFF */
        child->connections.cancel_fd = child->channel;
    np_send_exporters_finish(&child->exporters, np_clock_mono_ns());
    np_send_delivery_at_rest(child->own);
}

/* How far a record has come; the later ones weigh more. */
enum progress {
    ALL_DONE, /* every signal, so far */
    TIME_IS_UP,
    TO_GO_ON, /* at some later time */
};

/* A step of each signal in `*busy`; those that have nothing to do for now leave it, and `*when_ns`
 * is lowered to when there may be more. */
static enum progress step_each(struct child *child, struct np_send_delivery *delivery,
                               unsigned *busy, int64_t *when_ns)
{
    static const enum progress of[] = {[NP_SEND_STEP_DONE] = ALL_DONE,
                                       [NP_SEND_STEP_OVER] = TIME_IS_UP,
                                       [NP_SEND_STEP_LATER] = TO_GO_ON};
    enum progress progress = ALL_DONE;

    for (int i = 0; i < NP_OTLP_N_SIGNALS && !child->is_cancelled; i++) {
        int64_t again_ns;
        if (!(*busy & 1u << i))
            continue;
        enum np_send_step step = np_send_delivery_step(delivery, (enum np_otlp_signal)i, &again_ns);
        publish(child); /* the next request may hang */
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

/* Go on with the own record until there is nothing to do for now. */
static enum progress serve_own(struct child *child, int64_t *when_ns)
{
    unsigned busy = ALL_SIGNALS;
    enum progress progress = ALL_DONE;

    while (busy && !child->is_cancelled) {
        enum progress now = step_each(child, child->own, &busy, when_ns);
        progress = now > progress ? now : progress;
        listen_until(child, 0);
        finish_if_told(child);
    }
    return child->is_cancelled ? TO_GO_ON : progress;
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

/* Whether a record is nobody else's and its run is dead; child->earlier is then open. */
static bool open_earlier(struct child *child, const char *path)
{
    struct np_send_delivery_options options = {.life = NP_SPOOL_COMPLETE,
                                               .scope = NP_SPOOL_NOT_ANYWHERE,
                                               .naming = child->options->naming};
    enum np_spool_state life;

    /* A living run's ledger is its sender's: even to try it for a moment would be in the way. */
    if (np_spool_pending_is_growing(path))
        return false;
    /* The ledger's lock first: who has it may close the spans. */
    if (np_send_delivery_open(path, &child->exporters, &options, &child->earlier, NULL) < 0)
        return false;
    if (np_spool_pending_settle(path, &life, NULL) == 0 && life == NP_SPOOL_COMPLETE)
        return true;
    np_send_delivery_freep(&child->earlier);
    return false;
}

/* One step, or one look, at what earlier runs owe, as long as servers are well: the own record
 * comes first, again and again. */
static enum progress serve_earlier(struct child *child, int64_t *when_ns)
{
    unsigned busy = ALL_SIGNALS;

    if (!np_send_exporters_are_up(&child->exporters))
        return TIME_IS_UP;
    if (!child->has_listed)
        list_earlier(child);
    if (child->next_record == child->records.n)
        return ALL_DONE;
    const char *path = child->records.item[child->next_record];
    bool is_open = child->earlier || open_earlier(child, path);
    enum progress progress = is_open ? step_each(child, child->earlier, &busy, when_ns) : ALL_DONE;
    if (busy == 0 && progress != ALL_DONE)
        return progress;
    *when_ns = 0; /* at once */
    if (is_open && busy)
        return TO_GO_ON;
    if (is_open) {
        np_spool_pending_clear(path);
        child->shared->n_caught_up++;
    }
    np_send_delivery_freep(&child->earlier);
    child->next_record++;
    return TO_GO_ON;
}

static void serve_all(struct child *child)
{
    while (!child->is_cancelled) {
        int64_t when_ns = INT64_MAX;

        finish_if_told(child);
        bool is_finishing = child->exporters.finish_ns != 0;
        enum progress own = serve_own(child, &when_ns);
        if (is_finishing && own == ALL_DONE && !child->is_left_open && !child->is_cleared) {
            np_spool_pending_clear(child->options->record_path);
            child->is_cleared = true;
        }
        enum progress earlier = child->is_cancelled ? TO_GO_ON : serve_earlier(child, &when_ns);
        if (is_finishing && own != TO_GO_ON && earlier != TO_GO_ON)
            return;
        publish(child);
        if (is_finishing == (child->exporters.finish_ns != 0)) /* else the end was just told */
            listen_until(child, when_ns);
    }
}

/* Somebody else may be looking at the ledger, or replaying what there is so far: that passes. */
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
        listen_until(child, np_clock_mono_ns() + LOCK_WAIT_MS * MS);
    }
}

static void set_trouble(struct shared *shared, struct np_error *err)
{
    np_utf8_cut(err->text, sizeof(shared->trouble) - 1);
    memcpy(shared->trouble, err->text, strlen(err->text) + 1);
}

/* What the sender's process does. Returns its exit status. */
static int run_sender(void *context, int channel)
{
    struct child *child = context;
    const struct np_send_settings *settings = child->options->settings;
    const struct np_send_delivery_options own = {
        .life = NP_SPOOL_GROWING,
        .scope = NP_SPOOL_NOT_ANYWHERE,
        .naming = child->options->naming,
        .decisions =
            settings->keeps_all_traces ? NP_SEND_IGNORE_DECISIONS : NP_SEND_AWAIT_DECISIONS,
    };
    struct np_send_network network = child->options->network;
    struct np_error err = {0};

    child->channel = channel;
    if (!network.send) {
        child->connections.cancel_fd = -1;
        network = np_send_connections_network(&child->connections);
    }
    np_send_exporters_init(&child->exporters, settings, &network,
                           (uint64_t)np_clock_unix_ns() ^ (uint64_t)getpid());
    child->exporters.probes = true;
    if (open_own(child, &own, &err) < 0) {
        set_trouble(child->shared, &err);
        return EXIT_FAILURE;
    }
    publish(child); /* what is owed, before a first request may hang */
    serve_all(child);
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
    read_shared(sender->shared, health);
}

static void send_word(const struct np_send_sender *sender, enum word word)
{
    char byte = (char)word;

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
    enum { LOOK_MS = 20 };
    bool has_ended = np_child_wait(&sender->process, 0, end);

    while (!has_ended && !is_cut_off(cut_off) && np_clock_mono_ns() < until_ns) {
        int64_t look_ns = np_clock_mono_ns() + LOOK_MS * MS;
        has_ended = np_child_wait(&sender->process, look_ns < until_ns ? look_ns : until_ns, end);
    }
    return has_ended;
}

/* Announce the end and wait for it: a moment for a server that is not there, else the deadline. */
static void end_process(struct np_send_sender *sender, const struct np_cancel *cut_off,
                        struct np_child_end *end)
{
    int64_t start_ns = np_clock_mono_ns();
    int64_t last_ns = start_ns + (int64_t)(sender->deadline_s * 1e9) + GRACE_MS * MS;
    int64_t moment_ns = start_ns + NP_SEND_UNPROBED_NS + GRACE_MS * MS;

    send_word(sender, FINISH);
    bool has_ended = wait_until(sender, moment_ns < last_ns ? moment_ns : last_ns, cut_off, end) ||
                     (sender->shared->has_answer && wait_until(sender, last_ns, cut_off, end));
    if (has_ended) {
        np_child_close(&sender->process);
        return;
    }
    send_word(sender, CUT_OFF);
    np_child_stop(&sender->process, 0, GRACE_MS * 1e-3, end);
}

/* At most all of the record, when it is owed at all. */
static void note_owed(const struct np_send_sender *sender, struct np_send_sender_health *health)
{
    struct stat status;

    if (np_spool_pending_is_marked(sender->record_path) && stat(sender->record_path, &status) == 0)
        health->owed_bytes = status.st_size;
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
        read_shared(sender->shared, health);
        /* It could not begin, or was killed early. */
        if (end.wait_status != 0 && health->owed_bytes == 0)
            note_owed(sender, health);
        memcpy(health->trouble, sender->shared->trouble, sizeof(health->trouble));
        health->trouble[sizeof(health->trouble) - 1] = '\0';
    }
    munmap(sender->shared, sizeof(*sender->shared));
    free(sender->record_path);
    np_freep(address);
}
