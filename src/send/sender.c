/*
 * Two processes and what lies between them:
 *   control   a socket pair: the supervisor says "finish" in one byte; when either end closes, the
 *             other knows that its peer is gone
 *   cancel    a pipe: a byte breaks off the request that is under way
 *   board     a page of shared memory, on which the sender keeps its counters
 */
#include "send/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "send/delivery.h"
#include "send/network.h"
#include "spool/owed.h"

static const int64_t MS = INT64_C(1000000);
/* Between the byte on `cancel` and the kill. */
enum { LAST_WAIT_MS = 30, MOST_SLEEP_MS = 1000, MOST_SETTLE_TRIES = 10, LOCK_WAIT_MS = 20 };
/* Earlier records that a run looks at: there may be as many as there are tasks in a cluster. */
enum { MOST_EARLIER = 64 };

enum counter { EXPORTED, REJECTED, DROPPED, REQUESTS, FAILED, BYTES, N_COUNTERS };

/* Whether the deadline counts at the end, or a moment. Both sides decide it here, so that nothing
 * leaves any more once the supervisor has given up: its answer would be lost. */
enum standing {
    NOBODY,   /* no server has answered, or it is down */
    ANSWERED, /* the sender's word: the supervisor waits */
    GIVEN_UP  /* the supervisor's word, final: the sender ends */
};

/* Written by the sender, read by the supervisor; the text only once the sender is gone. */
struct board {
    _Atomic int64_t counter[NP_OTLP_N_SIGNALS][N_COUNTERS];
    _Atomic int64_t owed_bytes, n_caught_up;
    _Atomic int is_down;
    _Atomic int standing; /* enum standing */
    char trouble[256];
};

struct np_send_sender {
    char *record_path;
    pid_t pid;
    int control, cancel;
    double deadline_s;
    struct board *board;
};

/* The sender's own state, in the child. */
struct child {
    const struct np_send_sender_options *options;
    struct board *board;
    int control;
    pid_t supervisor;
    struct np_send_network *network; /* NULL: a test's post */
    struct np_send_outlets outlets;
    struct np_send_delivery *own;
    struct np_strings records; /* of earlier runs, with those that are done */
    size_t next_record;
    bool has_listed;
    struct np_send_delivery *earlier; /* of records.item[next_record], or NULL */
    bool is_finishing, is_orphan, is_cancelled;
    bool is_left_open; /* a killed run's spans could not be ended: somebody else must */
    bool is_cleared;   /* the own record owes nothing any more */
};

/* The board. */

static void publish(struct child *child)
{
    struct board *board = child->board;
    bool is_down = false, is_answered = np_send_outlets_have_answer(&child->outlets);

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        const struct np_send_outlet *outlet = &child->outlets.outlet[i];
        const int64_t now[N_COUNTERS] = {outlet->tally.n_exported, outlet->tally.n_rejected,
                                         outlet->tally.n_dropped,  outlet->tally.n_requests,
                                         outlet->tally.n_failed,   outlet->tally.n_bytes};
        for (int k = 0; k < N_COUNTERS; k++)
            board->counter[i][k] = now[k];
        is_down = is_down || (outlet->to && outlet->is_down);
        if (outlet->trouble[0])
            memcpy(board->trouble, outlet->trouble, sizeof(board->trouble));
    }
    board->is_down = is_down;
    int standing = is_answered ? NOBODY : ANSWERED, now = is_answered ? ANSWERED : NOBODY;
    if (!atomic_compare_exchange_strong(&board->standing, &standing, now) && standing == GIVEN_UP)
        child->is_cancelled = true;
    if (child->own)
        board->owed_bytes = np_send_delivery_owed_bytes(child->own);
}

static void read_board(const struct board *board, struct np_send_sender_health *health)
{
    *health = (struct np_send_sender_health){.owed_bytes = board->owed_bytes,
                                             .n_caught_up = board->n_caught_up,
                                             .is_down = board->is_down != 0};
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        health->tally[i] = (struct np_send_tally){
            .n_exported = board->counter[i][EXPORTED],
            .n_rejected = board->counter[i][REJECTED],
            .n_dropped = board->counter[i][DROPPED],
            .n_requests = board->counter[i][REQUESTS],
            .n_failed = board->counter[i][FAILED],
            .n_bytes = board->counter[i][BYTES],
        };
}

/* The child. */

/* Take what the supervisor says, waiting for it until `until_ns`. */
static void listen_until(struct child *child, int64_t until_ns)
{
    struct pollfd fd = {.fd = child->is_orphan ? -1 : child->control, .events = POLLIN};
    int64_t left_ns = until_ns - np_clock_mono_ns();
    int64_t left_ms = left_ns <= 0 ? 0 : left_ns / MS + 1;
    char byte;

    int n = poll(&fd, 1, (int)(left_ms < MOST_SLEEP_MS ? left_ms : MOST_SLEEP_MS));
    bool is_gone = getppid() != child->supervisor;
    if (n > 0) {
        ssize_t got = recv(child->control, &byte, 1, MSG_DONTWAIT);
        is_gone = is_gone || got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
        child->is_cancelled = child->is_cancelled || (got == 1 && byte == 'C');
        child->is_finishing = child->is_finishing || got == 1;
    }
    if (is_gone)
        child->is_finishing = child->is_orphan = true;
}

/* The supervisor was killed: its spans are ended here, as long as nobody else writes the record. */
static void close_orphan(struct child *child)
{
    enum np_spool_life life = NP_SPOOL_GROWING;

    for (int i = 0; i < MOST_SETTLE_TRIES && life == NP_SPOOL_GROWING; i++) {
        if (np_spool_owed_settle(child->options->record_path, &life, NULL) < 0)
            break;
        if (life == NP_SPOOL_GROWING) /* its workers are still dying */
            poll(NULL, 0, 50);
    }
    child->is_left_open = life == NP_SPOOL_GROWING;
}

static void finish_if_told(struct child *child)
{
    if (!child->is_finishing || child->outlets.finish_ns)
        return;
    if (child->is_orphan)
        close_orphan(child);
    np_send_outlets_finish(&child->outlets, np_clock_mono_ns());
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
    np_spool_owed_list(folder, MOST_EARLIER, (uint64_t)np_clock_unix_ns() ^ (uint64_t)getpid(),
                       &found);
    for (size_t i = 0; i < found.n; i++)
        if (strcmp(np_path_name(found.item[i]), own) != 0)
            np_strings_add(&child->records, found.item[i]);
}

/* Whether a record is nobody else's and its run is dead; child->earlier is then open. */
static bool open_earlier(struct child *child, const char *path)
{
    struct np_send_delivery_options options = {
        .life = NP_SPOOL_AT_REST, .scope = NP_SPOOL_OWED, .naming = child->options->naming};
    enum np_spool_life life;

    /* A living run's ledger is its sender's: even to try it for a moment would be in the way. */
    if (np_spool_owed_is_growing(path))
        return false;
    /* The ledger's lock first: who has it may close the spans. */
    if (np_send_delivery_open(path, &child->outlets, &options, &child->earlier, NULL) < 0)
        return false;
    if (np_spool_owed_settle(path, &life, NULL) == 0 && life == NP_SPOOL_AT_REST)
        return true;
    np_send_delivery_freep(&child->earlier);
    return false;
}

/* One step, or one look, at what earlier runs owe, as long as servers are well: the own record
 * comes first, again and again. */
static enum progress serve_earlier(struct child *child, int64_t *when_ns)
{
    unsigned busy = ALL_SIGNALS;

    if (!np_send_outlets_are_well(&child->outlets))
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
        np_spool_owed_clear(path);
        child->board->n_caught_up++;
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
        bool is_finishing = child->outlets.finish_ns != 0;
        enum progress own = serve_own(child, &when_ns);
        if (is_finishing && own == ALL_DONE && !child->is_left_open && !child->is_cleared) {
            np_spool_owed_clear(child->options->record_path);
            child->is_cleared = true;
        }
        enum progress earlier = child->is_cancelled ? TO_GO_ON : serve_earlier(child, &when_ns);
        if (is_finishing && own != TO_GO_ON && earlier != TO_GO_ON)
            return;
        publish(child);
        if (is_finishing == (child->outlets.finish_ns != 0)) /* else the end was just told */
            listen_until(child, when_ns);
    }
}

/* Keep `control` and `cancel` alone, as descriptors 3, 4 and 5; the standard ones lead nowhere, so
 * that nobody who reads the supervisor's output waits for the sender. */
static void let_go(int *control, int cancel[2])
{
    const int kept[] = {*control, cancel[0], cancel[1]};
    int high[3];
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int i = 0; i < 3; i++)
        high[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, 16);
    for (int fd = 0; fd < 3 && nowhere >= 0; fd++)
        dup2(nowhere, fd);
    for (int i = 0; i < 3; i++)
        dup2(high[i], 3 + i);
    np_fd_close_from(6);
    *control = 3;
    cancel[0] = 4;
    cancel[1] = 5;
}

static void be_deaf(void)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGXCPU, SIGPIPE, SIGXFSZ};
    sigset_t none;

    for (size_t i = 0; i < NP_COUNT(ignored); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NAME, "np-telemetry");
}

/* Somebody else may be looking at the ledger, or replaying what there is so far: that passes. */
static int open_own(struct child *child, const struct np_send_delivery_options *own,
                    struct np_error *err)
{
    for (;;) {
        bool is_last = child->is_finishing;
        int code = np_send_delivery_open(child->options->record_path, &child->outlets, own,
                                         &child->own, err);
        if (code != NP_EBUSY || is_last)
            return code;
        *err = (struct np_error){0};
        listen_until(child, np_clock_mono_ns() + LOCK_WAIT_MS * MS);
    }
}

/* Never returns. */
static void live(const struct np_send_sender_options *options, struct board *board, int control,
                 int cancel[2], pid_t supervisor)
{
    struct child child = {.options = options, .board = board, .supervisor = supervisor};
    const struct np_send_delivery_options own = {
        .life = NP_SPOOL_GROWING,
        .scope = NP_SPOOL_OWED,
        .naming = options->naming,
        .decisions =
            options->settings->keeps_all_traces ? NP_SEND_PASS_DECISIONS : NP_SEND_AWAIT_DECISIONS,
    };
    struct np_send_post post = options->post;
    struct np_error err = {0};

    be_deaf();
    let_go(&control, cancel);
    child.control = control;
    if (!post.send) { /* it holds both ends of `cancel`: that pipe never hangs up */
        child.network = np_send_network_new(cancel[0]);
        post = np_send_network_post(child.network);
    }
    np_send_outlets_init(&child.outlets, options->settings, &post,
                         (uint64_t)np_clock_unix_ns() ^ (uint64_t)getpid());
    child.outlets.greets = true;
    if (open_own(&child, &own, &err) < 0) {
        np_utf8_cut(err.text, sizeof(board->trouble) - 1);
        memcpy(board->trouble, err.text, strlen(err.text) + 1);
        _exit(1);
    }
    publish(&child); /* what is owed, before a first request may hang */
    serve_all(&child);
    publish(&child);
    if (!child.is_cancelled) /* says good-bye to the servers */
        np_send_network_freep(&child.network);
    _exit(0);
}

/* The supervisor. */

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

static int fork_sender(const struct np_send_sender_options *options, struct board *board,
                       struct np_send_sender *made, struct np_error *err)
{
    int control[2] = {-1, -1}, cancel[2] = {-1, -1};
    pid_t supervisor = getpid();
    bool has_pairs = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) == 0 &&
                     pipe2(cancel, O_CLOEXEC) == 0;
    pid_t pid = has_pairs ? fork() : -1;

    if (pid < 0) {
        int failed = errno;
        close_pair(control);
        close_pair(cancel);
        return np_error_errno(err, failed, NP_EBUSY, "cannot start the sender of telemetry");
    }
    if (pid == 0)
        live(options, board, control[1], cancel, supervisor);
    close(control[1]);
    close(cancel[0]);
    *made = (struct np_send_sender){.record_path = np_xstrdup(options->record_path),
                                    .pid = pid,
                                    .control = control[0],
                                    .cancel = cancel[1],
                                    .deadline_s = options->settings->deadline_s,
                                    .board = board};
    return 0;
}

int np_send_sender_start(const struct np_send_sender_options *options, struct np_send_sender **out,
                         struct np_error *err)
{
    struct np_send_sender made;

    NP_TRY(np_spool_owed_mark(options->record_path, err));
    struct board *board =
        mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return np_error_errno(err, errno, NP_EBUSY, "cannot start the sender of telemetry");
    int code = fork_sender(options, board, &made, err);
    if (code < 0) {
        munmap(board, sizeof(*board));
        return code;
    }
    *out = np_xmalloc(sizeof(**out));
    **out = made;
    return 0;
}

void np_send_sender_look(const struct np_send_sender *sender, struct np_send_sender_health *health)
{
    read_board(sender->board, health);
}

/* Wait for the sender's end; true when it came. */
static bool wait_until(const struct np_send_sender *sender, int64_t until_ns)
{
    for (;;) {
        struct pollfd fd = {.fd = sender->control, .events = POLLIN};
        int64_t left_ns = until_ns - np_clock_mono_ns();
        int n = poll(&fd, 1, left_ns <= 0 ? 0 : (int)(left_ns / MS + 1));
        if (n > 0)
            return true;
        if (left_ns <= 0 && (n == 0 || errno != EINTR))
            return false;
    }
}

static void tell(const struct np_send_sender *sender, char byte)
{
    while (send(sender->control, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
        ;
}

static void break_off(const struct np_send_sender *sender)
{
    char byte = 'C';

    tell(sender, byte);
    while (write(sender->cancel, &byte, 1) < 0 && errno == EINTR)
        ;
    if (!wait_until(sender, np_clock_mono_ns() + LAST_WAIT_MS * MS))
        kill(sender->pid, SIGKILL);
}

/* At most all of the record, when it is owed at all. */
static void note_owed(const struct np_send_sender *sender, struct np_send_sender_health *health)
{
    struct stat status;

    if (np_spool_owed_is_marked(sender->record_path) && stat(sender->record_path, &status) == 0)
        health->owed_bytes = status.st_size;
}

void np_send_sender_finish(struct np_send_sender **address, struct np_send_sender_health *health)
{
    struct np_send_sender *sender = *address;
    int64_t start_ns = np_clock_mono_ns();

    if (health)
        *health = (struct np_send_sender_health){0};
    if (!sender)
        return;
    int64_t end_ns = start_ns + (int64_t)(sender->deadline_s * 1e9);
    int64_t moment_ns = start_ns + NP_SEND_MOMENT_NS;
    tell(sender, 'F');
    bool is_gone = wait_until(sender, moment_ns < end_ns ? moment_ns : end_ns);
    int standing = NOBODY;
    if (!is_gone && !atomic_compare_exchange_strong(&sender->board->standing, &standing, GIVEN_UP))
        is_gone = wait_until(sender, end_ns);
    if (!is_gone)
        break_off(sender);
    int ended = -1;
    while (waitpid(sender->pid, &ended, 0) < 0 && errno == EINTR)
        ;
    if (health) {
        read_board(sender->board, health);
        if (ended != 0 && health->owed_bytes == 0) /* it could not begin, or was killed early */
            note_owed(sender, health);
        memcpy(health->trouble, sender->board->trouble, sizeof(health->trouble));
        health->trouble[sizeof(health->trouble) - 1] = '\0';
    }
    close(sender->control);
    close(sender->cancel);
    munmap(sender->board, sizeof(*sender->board));
    free(sender->record_path);
    np_freep(address);
}
