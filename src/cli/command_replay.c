/*
 * replay: send what was recorded. Records are found, made fit to be sent, and delivered one after
 * the other, by the same steps as during a run.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exec.h"
#include "base/path.h"
#include "cli/commands.h"
#include "cli/observation.h"
#include "cli/telemetry.h"
#include "pipeline/console.h"
#include "record/place.h"
#include "send/acknowledged.h"
#include "send/connections.h"
#include "send/delivery.h"
#include "spool/pending.h"
#include "spool/record.h"

static const int64_t SECOND_NS = INT64_C(1000000000), PROGRESS_NS = INT64_C(5000000000);
enum { DEEPEST = 16 };

/* A server that answers that it cannot now is asked again for at least this long. */
static const double BUSY_PATIENCE_S = 60;

/* One call of replay. */
struct replay {
    const struct np_config *config;
    struct np_console console;
    struct np_observation observation; /* of which the settings count */
    struct np_send_exporters *exporters;
    struct np_send_connections connections; /* unused in a dry run */
    struct np_strings records;
    int signals; /* readable once a signal asks the program to stop */
    int stopped_by;
    int64_t printed_ns;    /* the last line of progress */
    int64_t accepted_ns;   /* when a server last accepted something; the beginning at first */
    bool has_given_up;     /* no server has accepted anything for too long */
    size_t n_whole;        /* records that are done */
    size_t n_elsewhere;    /* that another process sends */
    struct np_error held;  /* the first of them */
    int64_t n_unreadable;  /* damaged lines of all records */
    size_t n_pruned;       /* records that were deleted, or would be */
    struct np_error first; /* a record that could not be sent */
};

/* The selection of records. */

/* Seconds since 1970 of "2026-11-21", "2026-11-21T10:20:30Z", "7d" (before now). */
static int parse_since(const char *text, int64_t *since_s, struct np_error *err)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"};
    char *end;

    for (size_t i = 0; i < NP_COUNT(forms); i++) {
        struct tm utc = {0};
        const char *rest = strptime(text, forms[i], &utc);
        if (rest && !*rest) {
            *since_s = timegm(&utc);
            return 0;
        }
    }
    errno = 0;
    long long n = strtoll(text, &end, 10);
    for (size_t i = 0; end != text && n >= 0 && n < 1000000 && i < NP_COUNT(units); i++)
        if (*end == units[i].unit && end[1] == '\0') {
            *since_s = np_clock_unix_ns() / SECOND_NS - n * units[i].seconds;
            return 0;
        }
    return np_error_set(err, NP_EUSAGE,
                        "--since: expected a date (2026-11-21, 2026-11-21T10:20:30Z) or an age "
                        "(90m, 36h, 7d), found '%s'",
                        text);
}

/* When a record's run began: its name says it, else the file's time. */
static int64_t record_start_s(const char *path)
{
    struct tm utc = {0};
    struct stat status;
    const char *rest = strptime(np_path_name(path), "%Y%m%dT%H%M%SZ", &utc);

    if (rest && *rest == '_')
        return timegm(&utc);
    return stat(path, &status) == 0 ? status.st_mtime : 0;
}

/* Records in `folder`: its own, those of the output that it is, else those of the folders below. */
static void find_records(const char *folder, int depth, struct np_strings *records)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    NP_AUTO(np_freep) char *telemetry = np_path_join(folder, NP_TELEMETRY_FOLDER);

    if (depth > DEEPEST || np_directory_list(folder, &names, NULL) < 0)
        return;
    size_t before = records->n;
    for (size_t i = 0; i < names.n; i++)
        if (np_ends_with(names.item[i], NP_SPOOL_RECORD_SUFFIX))
            np_strings_give(records, np_path_join(folder, names.item[i]));
    if (records->n > before)
        return;
    if (np_path_is_directory(telemetry)) {
        find_records(telemetry, depth + 1, records);
        return;
    }
    for (size_t i = 0; i < names.n; i++) {
        NP_AUTO(np_freep) char *path = np_path_join(folder, names.item[i]);
        bool is_marks = np_ends_with(folder, NP_TELEMETRY_FOLDER); /* files of the same names */
        if (!is_marks && np_path_is_real_directory(path))
            find_records(path, depth + 1, records);
    }
}

static int gather(struct replay *replay, struct np_error *err)
{
    const struct np_strings *inputs = &replay->config->inputs;
    NP_AUTO(np_strings_done) struct np_strings found = {0};
    int64_t since_s = INT64_MIN;

    if (replay->config->replay_since)
        NP_TRY(parse_since(replay->config->replay_since, &since_s, err));
    for (size_t i = 0; i < inputs->n; i++) {
        size_t before = found.n;
        if (np_path_is_directory(inputs->item[i]))
            find_records(inputs->item[i], 0, &found);
        else if (np_path_exists(inputs->item[i]))
            np_strings_add(&found, inputs->item[i]);
        if (found.n == before)
            return np_error_set(err, NP_ENOINPUT,
                                "'%s': expected a telemetry record (*%s) or a folder with some, "
                                "found none",
                                inputs->item[i], NP_SPOOL_RECORD_SUFFIX);
    }
    for (size_t i = 0; i < found.n; i++)
        if (record_start_s(found.item[i]) >= since_s)
            np_strings_add(&replay->records, found.item[i]);
    return 0;
}

/* Sending. */

/* The network of a dry run: nothing is sent, and each request counts as accepted. */
static void accept_request(void *self, const struct np_send_request *request, int64_t deadline_ns,
                           struct np_send_reply *reply)
{
    (void)self;
    (void)request;
    (void)deadline_ns;
    *reply = (struct np_send_reply){
        .outcome = NP_SEND_ACCEPTED, .http_status = 200, .grpc_status = -1, .retry_after_s = -1};
}

static int64_t now_ns(void *self)
{
    (void)self;
    return np_clock_mono_ns();
}

/* Signals become readable: a request under way is broken off by them. */
static int listen_to_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < NP_N_STOP_SIGNALS; i++)
        sigaddset(&set, np_stop_signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Wait until `until_ns` or a signal; true when there was one, now or before. */
static bool is_stopped(struct replay *replay, int64_t until_ns)
{
    struct pollfd fd = {.fd = replay->signals, .events = POLLIN};
    int64_t left_ms = (until_ns - np_clock_mono_ns()) / 1000000;
    struct signalfd_siginfo info;

    if (replay->stopped_by)
        return true;
    if (poll(&fd, 1,
             left_ms <= 0     ? 0
             : left_ms > 1000 ? 1000
                              : (int)left_ms + 1) > 0 &&
        read(replay->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        replay->stopped_by = (int)info.ssi_signo;
    return replay->stopped_by != 0;
}

static int64_t n_exported(const struct replay *replay, int64_t n_items[NP_OTLP_N_SIGNALS])
{
    int64_t sum = 0;

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        n_items[i] = np_send_exporters_tally(replay->exporters, (enum np_otlp_signal)i)->n_exported;
        sum += n_items[i];
    }
    return sum;
}

static int64_t n_lost(const struct replay *replay)
{
    int64_t sum = 0;

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        const struct np_send_tally *tally =
            np_send_exporters_tally(replay->exporters, (enum np_otlp_signal)i);
        sum += tally->n_dropped + tally->n_rejected;
    }
    return sum;
}

static const char *trouble(const struct replay *replay)
{
    const char *text = "";

    for (int i = 0; i < NP_OTLP_N_SIGNALS && !*text; i++)
        text = np_send_exporters_trouble(replay->exporters, (enum np_otlp_signal)i);
    return text;
}

static void print_progress(struct replay *replay)
{
    int64_t n_items[NP_OTLP_N_SIGNALS];

    if (np_clock_mono_ns() - replay->printed_ns < PROGRESS_NS)
        return;
    replay->printed_ns = np_clock_mono_ns();
    n_exported(replay, n_items);
    NP_AUTO(np_freep) char *counts = np_telemetry_counts(n_items);
    np_console_print(&replay->console, 0, "%zu of %zu records; so far %s", replay->n_whole,
                     replay->records.n, counts);
}

/* The longest time without a request that a server accepts. */
static int64_t patience_ns(const struct replay *replay)
{
    double patience_s = replay->observation.settings.deadline_s;
    bool is_busy = np_send_exporters_are_up(replay->exporters);

    if (is_busy && patience_s < BUSY_PATIENCE_S)
        patience_s = BUSY_PATIENCE_S;
    return (int64_t)(patience_s * 1e9);
}

static int64_t give_up_ns(const struct replay *replay)
{
    return replay->accepted_ns + patience_ns(replay);
}

/* Take a step of each signal in `*busy`. `*again_ns` is the time of the next step; 0 = at once. */
static void step_each(struct replay *replay, struct np_send_delivery *delivery, unsigned *busy,
                      int64_t *again_ns)
{
    bool is_moving = false;

    *again_ns = INT64_MAX;
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        int64_t when_ns, before[NP_OTLP_N_SIGNALS], after[NP_OTLP_N_SIGNALS];
        if (!(*busy & 1u << i))
            continue;
        int64_t n_before = n_exported(replay, before) + n_lost(replay);
        enum np_send_step step = np_send_delivery_step(delivery, (enum np_otlp_signal)i, &when_ns);
        if (n_exported(replay, after) + n_lost(replay) > n_before)
            replay->accepted_ns = np_clock_mono_ns();
        is_moving = is_moving || step == NP_SEND_STEP_ON;
        if (step == NP_SEND_STEP_DONE)
            *busy &= ~(1u << i);
        else if (when_ns < *again_ns)
            *again_ns = when_ns;
        if (step == NP_SEND_STEP_LATER && np_clock_mono_ns() >= give_up_ns(replay))
            break; /* the requests of the other signals would take as long, too */
    }
    if (is_moving)
        *again_ns = 0;
}

/* All signals of a record; true when all of it is done. */
static bool deliver(struct replay *replay, struct np_send_delivery *delivery)
{
    unsigned busy = (1u << NP_OTLP_N_SIGNALS) - 1;

    while (busy) {
        int64_t again_ns;
        step_each(replay, delivery, &busy, &again_ns);
        print_progress(replay);
        int64_t end_ns = give_up_ns(replay);
        bool must_wait = busy && again_ns > 0;
        if (is_stopped(replay, !must_wait ? 0 : again_ns < end_ns ? again_ns : end_ns))
            return false;
        if (must_wait && np_clock_mono_ns() >= end_ns) {
            replay->has_given_up = true;
            return false;
        }
    }
    return true;
}

static void print_record(struct replay *replay, const char *path,
                         const int64_t before[NP_OTLP_N_SIGNALS], enum np_spool_state state)
{
    int64_t n_items[NP_OTLP_N_SIGNALS], sum = 0;
    bool is_dry_run = replay->config->dry_run;

    n_exported(replay, n_items);
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        sum += n_items[i] -= before[i];
    NP_AUTO(np_freep) char *counts = np_telemetry_counts(n_items);
    np_console_print(&replay->console, sum ? 0 : 1, "%s: %s%s%s", path,
                     is_dry_run ? "would send " : "sent ", counts,
                     state == NP_SPOOL_GROWING ? "; its run is still going on" : "");
}

static enum np_spool_scope scope_of(const struct np_config *config)
{
    return config->replay_again ? NP_SPOOL_AGAIN
           : config->replay_all ? NP_SPOOL_NOT_HERE
                                : NP_SPOOL_NOT_ANYWHERE;
}

/* Say it, and count it, when lines of a record are damaged. */
static void note_damage(struct replay *replay, const char *path,
                        const struct np_spool_closing *found)
{
    replay->n_unreadable += found->n_unreadable;
    if (found->n_unreadable)
        np_console_print(&replay->console, 0, "warning: '%s': %" PRId64 NP_SPOOL_UNREADABLE, path,
                         found->n_unreadable);
    if (found->n_torn)
        np_console_print(&replay->console, 1, "%s: its last line was cut short when the run ended",
                         path);
}

/* Open a record and close the spans of a dead run, under the ledger's lock. `*state` says whether
 * the run is still going on. A dry run must not write, so it takes every record as complete. */
static int open_record(struct replay *replay, const char *path, enum np_spool_state *state,
                       struct np_send_delivery **delivery, struct np_error *err)
{
    struct np_send_delivery_options options = {
        .scope = scope_of(replay->config),
        .naming = replay->observation.naming,
        .decisions = replay->observation.settings.keeps_all_traces ? NP_SEND_APPLY_DECISIONS
                                                                   : NP_SEND_AWAIT_DECISIONS,
        .is_dry_run = replay->config->dry_run};
    struct np_spool_closing found;
    bool is_growing = !options.is_dry_run && np_spool_pending_is_growing(path);

    options.state = *state = is_growing ? NP_SPOOL_GROWING : NP_SPOOL_COMPLETE;
    NP_TRY(np_send_delivery_open(path, replay->exporters, &options, delivery, err));
    if (is_growing || options.is_dry_run)
        return 0;
    NP_TRY(np_spool_pending_settle(path, state, &found, err));
    note_damage(replay, path, &found);
    if (*state == NP_SPOOL_COMPLETE)
        return 0;
    np_send_delivery_freep(delivery); /* another process has just opened the record */
    options.state = *state;
    return np_send_delivery_open(path, replay->exporters, &options, delivery, err);
}

/* Delete a record that is needed no more. Damaged lines were sent to nobody. */
static int prune(struct replay *replay, const char *path, bool is_damaged, struct np_error *err)
{
    bool is_dry_run = replay->config->dry_run, is_all = false;

    if (!is_damaged && !(is_dry_run && np_spool_pending_is_growing(path)))
        NP_TRY(np_send_acknowledged(path, &replay->observation.settings, &is_all, err));
    if (!is_all) {
        np_console_print(&replay->console, 1, "%s: kept: not all of it is acknowledged", path);
        return 0;
    }
    if (!is_dry_run)
        NP_TRY(np_spool_pending_remove(path, err));
    replay->n_pruned++;
    np_console_print(&replay->console, is_dry_run ? 0 : 1, "%s: %s", path,
                     is_dry_run ? "would be deleted" : "deleted");
    return 0;
}

static int send_record(struct replay *replay, const char *path, struct np_error *err)
{
    NP_AUTO(np_send_delivery_freep) struct np_send_delivery *delivery = NULL;
    int64_t before[NP_OTLP_N_SIGNALS], n_unreadable = replay->n_unreadable;
    enum np_spool_state state;

    n_exported(replay, before);
    int code = open_record(replay, path, &state, &delivery, err);
    if (code == NP_EBUSY) {
        np_console_print(&replay->console, 0, "%s", err->text);
        if (!replay->held.code)
            replay->held = *err;
        *err = (struct np_error){0};
        replay->n_elsewhere++;
        return 0;
    }
    NP_TRY(code);
    if (np_send_delivery_n_void(delivery))
        np_console_print(&replay->console, 0,
                         "warning: '%s': its ledger names %" PRId64
                         " batches beyond the end of the "
                         "record, which was cut: what is left of them is sent again",
                         path, np_send_delivery_n_void(delivery));
    bool is_whole = deliver(replay, delivery);
    replay->n_whole += is_whole;
    if (is_whole && state == NP_SPOOL_COMPLETE && !replay->config->dry_run)
        np_spool_pending_clear(path);
    print_record(replay, path, before, state);
    if (!replay->config->replay_prune || !is_whole || state != NP_SPOOL_COMPLETE)
        return 0;
    return prune(replay, path, replay->n_unreadable > n_unreadable, err);
}

static void send_all(struct replay *replay)
{
    for (size_t i = 0; i < replay->records.n; i++) {
        struct np_error err = {0};
        if (replay->has_given_up || is_stopped(replay, 0))
            return;
        if (send_record(replay, replay->records.item[i], &err) == 0)
            continue;
        np_console_fail(&replay->console, "%s", err.text);
        if (!replay->first.code)
            replay->first = err;
    }
}

/* The result. */

static int report(struct replay *replay)
{
    int64_t n_items[NP_OTLP_N_SIGNALS];
    struct np_error err = {0};
    struct np_console *console = &replay->console;

    n_exported(replay, n_items);
    NP_AUTO(np_freep) char *counts = np_telemetry_counts(n_items);
    np_console_print(console, 0, "%zu of %zu records%s: %s%s", replay->n_whole, replay->records.n,
                     replay->config->dry_run ? ", nothing was sent" : "",
                     replay->config->dry_run ? "would send " : "sent ", counts);
    if (replay->config->replay_prune)
        np_console_print(console, 0, "%zu record%s %s", replay->n_pruned,
                         np_plural((int64_t)replay->n_pruned),
                         replay->config->dry_run ? "would be deleted" : "deleted");
    if (replay->stopped_by)
        return 128 + replay->stopped_by;
    if (replay->first.code)
        return np_command_fail(&replay->first);
    if (replay->has_given_up) {
        np_error_set(&err, NP_EBUSY,
                     "%zu of %zu records are not sent: %s; what was not sent is kept",
                     replay->records.n - replay->n_whole - replay->n_elsewhere, replay->records.n,
                     trouble(replay));
        return np_command_fail(&err);
    }
    if (replay->n_elsewhere) {
        np_error_set(&err, NP_EBUSY, "%zu of %zu records are being sent by others: %s",
                     replay->n_elsewhere, replay->records.n, replay->held.text);
        return np_command_fail(&err);
    }
    if (replay->n_unreadable) {
        np_console_fail(console,
                        "lines of records that cannot be read: %" PRId64 "; all others are sent. "
                        "What to do: copy these records from another place, if there is one",
                        replay->n_unreadable);
        return np_outcome_info(NP_OUTCOME_BAD_DATA)->exit_status;
    }
    if (n_lost(replay)) {
        np_console_fail(console,
                        "refused and not sent again: %" PRId64 " items (%s). What to do: "
                        "see what the server says; replay --all sends them once more",
                        n_lost(replay), trouble(replay));
        return np_outcome_info(NP_OUTCOME_SOME_FAILED)->exit_status;
    }
    if (*trouble(replay))
        np_console_print(console, 0, "warning: %s", trouble(replay));
    return 0;
}

static int replay_run(struct replay *replay, struct np_error *err)
{
    struct np_send_network network = {.send = accept_request, .now_ns = now_ns};

    if (!np_send_settings_sends(&replay->observation.settings))
        return np_error_set(
            err, NP_EUSAGE,
            "replay: expected a destination, found none: pass --endpoint URL or "
            "set OTEL_EXPORTER_OTLP_ENDPOINT%s",
            replay->observation.settings.is_disabled ? " (and not OTEL_SDK_DISABLED)" : "");
    NP_TRY(gather(replay, err));
    if (!replay->config->dry_run) {
        replay->connections.cancel_fd = replay->connections.probe_cancel_fd = replay->signals;
        network = np_send_connections_network(&replay->connections);
    }
    replay->exporters = np_send_exporters_new(&replay->observation.settings, &network,
                                              (uint64_t)np_clock_unix_ns() ^ (uint64_t)getpid());
    replay->printed_ns = replay->accepted_ns = np_clock_mono_ns();
    send_all(replay);
    np_send_connections_close(&replay->connections);
    return 0;
}

int np_command_replay(const struct np_config *config)
{
    struct replay replay = {.config = config, .signals = listen_to_signals()};
    NP_AUTO(np_str_done) struct np_str warnings = {0};
    struct np_error err = {0};

    np_console_init(&replay.console, config->verbosity);
    np_observation_read(config, &replay.observation, &warnings);
    np_command_warn(np_str_text(&warnings), &replay.console);
    int code = replay_run(&replay, &err);
    int status = code < 0 ? np_command_fail(&err) : report(&replay);
    np_send_exporters_freep(&replay.exporters);
    np_observation_done(&replay.observation);
    np_strings_done(&replay.records);
    if (replay.signals >= 0)
        close(replay.signals);
    return status;
}
