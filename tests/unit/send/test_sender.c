/* The sender's process: what arrives, what stays pending, how long the last flush takes, and what
 * happens when the supervisor or the sender is killed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "script.h"
#include "send/sender.h"
#include "spool/pending.h"
#include "spool/record.h"
#include "tap.h"
#include "trace/names.h"

/* A server that is a file: it appends the bodies that it accepts. `answers` are those of script.h,
 * and H: the request hangs and cannot be canceled; W: accepted after SLOW_MS. The sender keeps no
 * descriptor of its parent, so the file is opened anew each time. */
enum { SLOW_MS = 10 };

struct sink {
    char *path;
    const char *answers;
};

static int64_t n_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t n = -1; /* the folder itself */

    while (folder && readdir(folder))
        n++;
    if (folder)
        closedir(folder);
    return n - 2; /* "." and ".." */
}

static void sink_send(void *self, const struct np_send_request *request, int64_t deadline_ns,
                      struct np_send_reply *reply)
{
    struct sink *sink = self;
    char answer = *sink->answers;

    (void)deadline_ns;
    if (sink->answers[1])
        sink->answers++;
    if (answer == 'H')
        for (;;)
            poll(NULL, 0, 1000);
    if (answer == 'W')
        poll(NULL, 0, SLOW_MS);
    *reply = (struct np_send_reply){
        .outcome = NP_SEND_UNREACHABLE, .grpc_status = -1, .retry_after_s = -1};
    if (answer != 'A' && answer != 'W')
        return;
    reply->outcome = NP_SEND_ACCEPTED;
    reply->http_status = 200;
    if (!request->batch_id)
        return; /* a probe */
    FILE *file = fopen(sink->path, "ae");
    if (!file)
        return;
    fprintf(file, "{\"batch\":\"%s\",\"descriptors\":%" PRId64 ",\"request\":%.*s}\n",
            request->batch_id, n_descriptors(), (int)request->n_bytes, (const char *)request->body);
    fclose(file);
}

static int64_t sink_now_ns(void *self)
{
    (void)self;
    return np_clock_mono_ns();
}

/* Read the file into a script, as if the script's server had accepted it. Returns the most
 * descriptors that the sender had. */
static int64_t read_sink(const struct sink *sink, struct script *script)
{
    int64_t most_descriptors = 0;
    json_t *line;
    FILE *file = fopen(sink->path, "re");

    script->seen = json_object();
    script->batches = json_object();
    while (file && (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL))) {
        json_t *items = items_in(json_object_get(line, "request"));
        int64_t n = json_integer_value(json_object_get(line, "descriptors"));
        note_batch(script, json_string_value(json_object_get(line, "batch")), items);
        take_items(script, items);
        most_descriptors = n > most_descriptors ? n : most_descriptors;
        json_decref(items);
        json_decref(line);
    }
    if (file)
        fclose(file);
    return most_descriptors;
}

/* A run's record and its sender. */
struct bench {
    char *record;
    struct sink sink;
    struct np_send_settings settings;
    struct np_send_sender *sender;
    struct np_send_sender_health health;
    double end_s; /* duration of the last flush */
    struct script script;
    int64_t n_descriptors;
};

static void bench_done(struct bench *bench)
{
    np_send_sender_finish(&bench->sender, NULL, NULL);
    script_done(&bench->script);
    free(bench->sink.path);
    free(bench->record);
}

static void start(struct bench *bench)
{
    const struct np_send_sender_options options = {
        .record_path = bench->record,
        .settings = &bench->settings,
        .network = {.self = &bench->sink, .send = sink_send, .now_ns = sink_now_ns}};
    struct np_error err = {0};

    tap_check(np_send_sender_start(&options, &bench->sender, &err) == 0, __FILE__, __LINE__, "%s",
              err.text);
}

static void bench_open(struct bench *bench, const char *name, const char *answers)
{
    *bench = (struct bench){.record = fresh_record(name), .settings = test_settings()};
    bench->sink = (struct sink){np_xasprintf("%s.sink", bench->record), answers};
    bench->settings.spans.schedule_delay_s = bench->settings.logs.schedule_delay_s = 0.02;
    put_record(bench->record, 0, 0);
}

/* Wait until `n` spans were sent, for 3 s at most; returns how many were. */
static int64_t wait_for_exported(const struct bench *bench, int64_t n)
{
    struct np_send_sender_health health = {0};

    for (int i = 0; i < 300 && health.tally[NP_OTLP_TRACES].n_exported < n; i++) {
        poll(NULL, 0, 10);
        np_send_sender_look(bench->sender, &health);
    }
    return health.tally[NP_OTLP_TRACES].n_exported;
}

static void finish(struct bench *bench)
{
    int64_t start_ns = np_clock_mono_ns();

    np_send_sender_finish(&bench->sender, NULL, &bench->health);
    bench->end_s = (double)(np_clock_mono_ns() - start_ns) * 1e-9;
    bench->n_descriptors = read_sink(&bench->sink, &bench->script);
}

static bool is_marked(const char *record)
{
    NP_AUTO(np_freep) char *folder = np_path_directory(record);
    NP_AUTO(np_freep) char *mark = np_xasprintf("%s/owed/%s", folder, np_path_name(record));

    return np_path_exists(mark);
}

/* Poll until `condition` of the path is `expected`; false when it is not within 3 s. */
static bool becomes(bool (*condition)(const char *), const char *path, bool expected)
{
    for (int i = 0; i < 300; i++) {
        if (condition(path) == expected)
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

TEST(a_record_is_sent_during_the_run_and_to_its_end)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "run", "A");
    start(&bench);
    ok(is_marked(bench.record));
    put_record(bench.record, 0, 50);
    ok_int(wait_for_exported(&bench, 50), 50);
    put_record(bench.record, 50, 100);
    finish(&bench);
    ok_int(n_once(&bench.script, "span", 100), 100);
    ok_int(n_once(&bench.script, "log", 100), 100);
    ok_int(bench.health.tally[NP_OTLP_LOGS].n_exported, 100);
    ok_int(bench.health.pending_bytes, 0);
    ok(!is_marked(bench.record));
    ok(waitpid(-1, NULL, WNOHANG) < 0); /* no child is left */
}

/* 0 to 2 and its channel; then the record three times, the ledger, and what opening the sink and the
 * folder takes. */
TEST(the_sender_keeps_no_descriptor_of_its_supervisor)
{
    NP_AUTO(bench_done) struct bench bench;
    int many[64];

    for (size_t i = 0; i < NP_COUNT(many); i++)
        many[i] = open("/dev/null", O_RDONLY);
    bench_open(&bench, "few", "A");
    put_record(bench.record, 0, 1);
    start(&bench);
    wait_for_exported(&bench, 1);
    finish(&bench);
    for (size_t i = 0; i < NP_COUNT(many); i++)
        close(many[i]);
    ok_int(n_once(&bench.script, "span", 1), 1);
    ok_int(bench.n_descriptors, 4 + 4 + 1);
}

TEST(a_server_that_cannot_be_reached_costs_less_than_a_fifth_of_a_second)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "down", "U");
    put_record(bench.record, 0, 5);
    start(&bench);
    finish(&bench);
    ok_below(bench.end_s, 0.2, "end, s");
    ok(bench.health.is_down);
    ok(bench.health.pending_bytes > 0);
    ok_contains(bench.health.trouble, "not reachable");
    ok(is_marked(bench.record));
}

static int64_t bytes_of(const char *path)
{
    struct stat status;

    ok_int(stat(path, &status), 0);
    return status.st_size;
}

/* How long a run's end took, with the kill of a sender whose server never answers. */
static double end_beside_silence(const char *name)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, name, "H");
    put_record(bench.record, 0, 5);
    start(&bench);
    poll(NULL, 0, 50);
    put_record(bench.record, 5, 500); /* while the request hangs */
    finish(&bench);
    ok_int(bench.health.pending_bytes, bytes_of(bench.record));
    ok_contains(bench.health.trouble, "did not answer in time");
    ok(is_marked(bench.record));
    ok(waitpid(-1, NULL, WNOHANG) < 0);
    return bench.end_s;
}

TEST(a_server_that_never_answers_costs_less_than_a_fifth_of_a_second)
{
    static const char *const tries[] = {"hung", "hung-again",
                                        "hung-at-last"}; /* on a busy machine */
    double least_s = INFINITY;

    for (size_t i = 0; i < NP_COUNT(tries) && least_s >= 0.21; i++)
        least_s = fmin(least_s, end_beside_silence(tries[i]));
    ok_below(least_s, 0.21, "end, s (and the kill)");
}

/* A socket that listens, so that the kernel takes connections, but no process accepts them. */
static int hung_server(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ok_int(bind(fd, (struct sockaddr *)&address, n), 0);
    ok_int(listen(fd, 16), 0);
    ok_int(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

TEST(the_sender_leaves_a_server_that_never_answers_by_itself_and_says_why)
{
    NP_AUTO(bench_done) struct bench bench;
    struct np_error err = {0};
    int port;

    int fd = hung_server(&port);
    NP_AUTO(np_freep) char *url = np_xasprintf("http://127.0.0.1:%d/v1/x", port);
    bench_open(&bench, "hung-socket", "A");
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        bench.settings.to[i].url = url;
    const struct np_send_sender_options options = {.record_path = bench.record,
                                                   .settings = &bench.settings};
    put_record(bench.record, 0, 5);
    ok_int(np_send_sender_start(&options, &bench.sender, &err), 0);
    poll(NULL, 0, 200); /* its probe is under way */
    finish(&bench);
    ok(*bench.health.trouble); /* a killed sender could not say it */
    ok(bench.health.pending_bytes > 0);
    close(fd);
}

TEST(a_server_that_answered_and_then_hangs_costs_one_deadline)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "hangs", "AAH"); /* the first A answers the probe */
    bench.settings.deadline_s = 0.5;
    put_record(bench.record, 0, 1);
    start(&bench);
    wait_for_exported(&bench, 1);
    finish(&bench);
    ok(bench.end_s > 0.4 && bench.end_s < 0.6);
    ok(is_marked(bench.record));
}

/* A server in a process of its own that answers one request and no other. */
static pid_t once_server(int *port)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Content-Length: 2\r\n\r\n{}";
    int fd = hung_server(port);
    pid_t pid = fork();

    if (pid > 0)
        close(fd);
    if (pid)
        return pid;
    char some[65536];
    int client = accept(fd, NULL, NULL);
    if (recv(client, some, sizeof(some), 0) > 0)
        send(client, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
    for (;;)
        pause();
}

static bool ledger_has_sending(const char *record)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", record);
    NP_AUTO(np_str_done) struct np_str text = {0};

    return np_file_read(path, 1 << 20, &text, NULL) == 0 && strstr(np_str_text(&text), "sending");
}

/* The ledger's lock ends with the sender. */
static bool sender_has_ended(const char *record)
{
    struct np_spool_ledger *ledger = NULL;
    bool has_ended = np_spool_ledger_open(record, &ledger, NULL) == 0;

    np_spool_ledger_freep(&ledger);
    return has_ended;
}

/* One request may take ten minutes, as OTEL_EXPORTER_OTLP_TIMEOUT=0 has it. */
TEST(an_orphan_whose_request_hangs_ends_after_one_deadline)
{
    NP_AUTO(bench_done) struct bench bench;
    int port;
    pid_t server = once_server(&port);
    NP_AUTO(np_freep) char *url = np_xasprintf("http://127.0.0.1:%d/v1/x", port);

    bench_open(&bench, "orphan", "A");
    bench.settings.deadline_s = 0.8;
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        bench.settings.to[i].url = url;
        bench.settings.to[i].timeout_s = 600;
    }
    pid_t supervisor = fork();
    if (supervisor == 0) {
        const struct np_send_sender_options options = {.record_path = bench.record,
                                                       .settings = &bench.settings};
        put_record(bench.record, 0, 5);
        if (np_send_sender_start(&options, &bench.sender, NULL) == 0 &&
            becomes(ledger_has_sending, bench.record, true))
            poll(NULL, 0, 100);
        raise(SIGKILL);
    }
    waitpid(supervisor, NULL, 0);
    int64_t start_ns = np_clock_mono_ns();
    ok(ledger_has_sending(bench.record));
    ok(!sender_has_ended(bench.record));
    ok(becomes(sender_has_ended, bench.record, true));
    ok_below((double)(np_clock_mono_ns() - start_ns) * 1e-9, 1.5, "s: 0.8, and 0.25 to see it");
    ok(is_marked(bench.record));
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static struct np_cancel second_signal;

static void on_alarm(int signal)
{
    second_signal.signal = signal;
}

TEST(a_second_signal_cuts_the_flush_off_and_the_record_stays_pending)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "cut", "AAH");
    bench.settings.deadline_s = 30;
    put_record(bench.record, 0, 1);
    start(&bench);
    wait_for_exported(&bench, 1);
    put_record(bench.record, 1, 2);
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {.tv_usec = 300000}}, NULL);
    int64_t start_ns = np_clock_mono_ns();
    np_send_sender_finish(&bench.sender, &second_signal, &bench.health);
    double end_s = (double)(np_clock_mono_ns() - start_ns) * 1e-9;
    signal(SIGALRM, SIG_DFL);
    ok_above(end_s, 0.25, "end, s: the first 0.3 s it waits");
    ok_below(end_s, 2, "end, s, of 30");
    ok(bench.health.pending_bytes > 0);
    ok(is_marked(bench.record));
    ok(waitpid(-1, NULL, WNOHANG) < 0);
}

TEST(signals_to_the_process_group_do_not_reach_the_sender)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};
    NP_AUTO(bench_done) struct bench bench;
    int status = -1;

    bench_open(&bench, "group", "A");
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        for (size_t i = 0; i < NP_COUNT(signals); i++)
            signal(signals[i], SIG_IGN); /* the run handles them; here only the sender counts */
        start(&bench);
        signal(SIGTERM, SIG_IGN);
        for (size_t i = 0; i < NP_COUNT(signals); i++)
            kill(0, signals[i]);
        put_record(bench.record, 0, 10);
        np_send_sender_finish(&bench.sender, NULL, &bench.health);
        _exit(bench.health.tally[NP_OTLP_TRACES].n_exported == 10 ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    ok_int(status, 0);
}

/* Start a supervisor with an open span in a process of its own, and kill it. */
static void be_killed(struct bench *bench)
{
    struct np_attrs resource = {0};
    struct np_trace_sink sink;

    np_attrs_string(&resource, NP_KEY_HOST_NAME, np_host_name());
    if (np_spool_record_open(bench->record, &resource, NULL, &sink, NULL) < 0)
        _exit(1);
    struct np_trace *trace = np_trace_new(NULL);
    np_trace_add_sink(trace, sink);
    start(bench);
    struct np_span *span = np_span_new("span-0", NULL);
    np_span_begin(trace, span);
    np_trace_log(trace, span, NP_INFO, NULL, "log-0");
    np_trace_settle(trace);
    raise(SIGKILL);
}

TEST(a_killed_run_is_sent_to_its_end_by_the_sender_that_outlives_it)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "killed", "A");
    bench.settings.spans.schedule_delay_s = bench.settings.logs.schedule_delay_s = 60;
    pid_t pid = fork();
    if (pid == 0)
        be_killed(&bench);
    waitpid(pid, NULL, 0);
    ok(becomes(is_marked, bench.record, false));
    read_sink(&bench.sink, &bench.script);
    ok_int(n_once(&bench.script, "span", 1), 1);
    ok_int(n_once(&bench.script, "log", 1), 1);
}

TEST(the_next_run_sends_the_pending_record_of_a_killed_run)
{
    NP_AUTO(bench_done) struct bench dead, next;

    bench_open(&dead, "pending", "U");
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* its sender becomes a child of this process */
    pid_t pid = fork();
    if (pid == 0)
        be_killed(&dead);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    ok(is_marked(dead.record));
    bench_open(&next, "pending", "A");
    free(next.record);
    next.record = np_xasprintf("%s", dead.record);
    memcpy(strstr(next.record, "20260101T"), "20270101T", 9);
    put_record(next.record, 100, 101);
    start(&next);
    wait_for_exported(&next, 1);
    finish(&next);
    ok_int(next.health.n_caught_up, 1);
    ok_int(times(&next.script, "span", 100), 1);
    ok_int(times(&next.script, "span", 0), 1);
    ok_int(times(&next.script, "log", 0), 1);
    ok(!is_marked(dead.record));
    ok(!is_marked(next.record));
}

TEST(the_next_run_says_when_an_earlier_record_is_damaged)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "damaged", "A");
    NP_AUTO(np_freep) char *earlier = np_xstrdup(bench.record);
    strstr(earlier, "20260101T")[3] = '5'; /* a year before */
    ok_int(np_file_write_atomic(earlier, "{\"resourceLogs\":[?]}\n", 21, NULL), 0);
    put_record(earlier, 11, 12);
    ok_int(np_spool_pending_mark(earlier, NULL), 0);
    put_record(bench.record, 0, 1);
    start(&bench);
    wait_for_exported(&bench, 2);
    finish(&bench);
    ok_int(bench.health.n_caught_up, 1);
    ok_int(times(&bench.script, "span", 11), 1);
    ok_contains(bench.health.trouble, np_path_name(earlier));
    ok_contains(bench.health.trouble, "1 of its lines cannot be read");
}

TEST(a_short_lock_on_the_ledger_does_not_end_the_sender)
{
    NP_AUTO(bench_done) struct bench bench;
    struct np_spool_ledger *ledger = NULL;

    bench_open(&bench, "looked-at", "A");
    put_record(bench.record, 0, 5);
    ok_int(np_spool_ledger_open(bench.record, &ledger, NULL), 0);
    start(&bench);
    poll(NULL, 0, 100);
    np_spool_ledger_freep(&ledger);
    ok_int(wait_for_exported(&bench, 5), 5);
    finish(&bench);
    ok_str(bench.health.trouble, "");
    ok(!is_marked(bench.record));
}

TEST(a_ledger_that_stays_locked_leaves_the_record_pending_with_a_message)
{
    NP_AUTO(bench_done) struct bench bench;
    struct np_spool_ledger *ledger = NULL;

    bench_open(&bench, "locked", "A");
    put_record(bench.record, 0, 5);
    ok_int(np_spool_ledger_open(bench.record, &ledger, NULL), 0);
    start(&bench);
    finish(&bench);
    np_spool_ledger_freep(&ledger);
    ok_below(bench.end_s, 0.2, "end, s");
    ok_contains(bench.health.trouble, "is sending this telemetry");
    ok(bench.health.pending_bytes > 0);
    ok(is_marked(bench.record));
}

/* Sixty records of two requests each take a slow server 1.2 s, longer than the deadline. */
TEST(earlier_records_do_not_delay_the_own_record)
{
    NP_AUTO(bench_done) struct bench bench;
    const struct timespec long_ago[2] = {{0}};

    bench_open(&bench, "crowd", "W");
    NP_AUTO(np_freep) char *folder = np_path_directory(bench.record);
    for (int i = 0; i < 60; i++) {
        NP_AUTO(np_freep)
        char *path = np_xasprintf("%s/20250101T0000%02dZ_crowd.otlp.jsonl", folder, i);
        put_record(path, 1000 + i, 1001 + i);
        utimensat(AT_FDCWD, path, long_ago, 0);
        ok_int(np_spool_pending_mark(path, NULL), 0);
    }
    bench.settings.deadline_s = 0.4;
    put_record(bench.record, 0, 1);
    start(&bench);
    wait_for_exported(&bench, 3); /* more than the own record has: the sender is at earlier ones */
    put_record(bench.record, 1, 20);
    finish(&bench);
    ok_int(n_once(&bench.script, "span", 20), 20);
    ok_int(n_once(&bench.script, "log", 20), 20);
    ok(!is_marked(bench.record));
    ok_above((double)bench.health.n_caught_up, 0, "records caught up");
    ok_below((double)bench.health.n_caught_up, 60, "records caught up");
    ok_below(bench.end_s, 0.5, "end, s");
}

/* Ten thousand tasks of an array have their marks in one folder. */
TEST(records_of_runs_that_go_on_are_not_sent)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "alive", "A");
    NP_AUTO(np_freep) char *folder = np_path_directory(bench.record);
    NP_AUTO(np_freep) char *other = np_xasprintf("%s/20250101T000000Z_alive.otlp.jsonl", folder);
    NP_AUTO(np_freep) char *ledger = np_xasprintf("%s.ledger", other);
    struct np_trace_sink sink;
    ok_int(np_spool_record_open(other, NULL, NULL, &sink, NULL), 0);
    put_record(other, 100, 101);
    ok_int(np_spool_pending_mark(other, NULL), 0);
    put_record(bench.record, 0, 1);
    start(&bench);
    wait_for_exported(&bench, 1);
    finish(&bench);
    sink.close(sink.self);
    ok_int(times(&bench.script, "span", 0), 1);
    ok_int(times(&bench.script, "span", 100), 0);
    ok(is_marked(other));
    ok(!np_path_exists(ledger));
}

/* Senders that are killed at any moment, and one that is not, send everything: once, or under one
 * id. */
TEST(a_sender_killed_at_any_moment_loses_nothing)
{
    NP_AUTO(bench_done) struct bench bench;
    enum { N_RUNS = 12 };

    bench_open(&bench, "shot", "A");
    bench.settings.spans.most_in_batch = bench.settings.logs.most_in_batch = 3;
    for (int run = 0; run < N_RUNS; run++) {
        pid_t pid = fork();
        if (pid == 0) { /* the sender dies with its group */
            setpgid(0, 0);
            start(&bench);
            for (int i = 0; i < 20; i++) {
                put_record(bench.record, run * 20 + i, run * 20 + i + 1);
                poll(NULL, 0, 1);
            }
            for (;;)
                pause();
        }
        setpgid(pid, pid); /* here, too: on a busy machine the child may not have run yet */
        poll(NULL, 0, 22 + run * 3);
        kill(-pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    start(&bench);
    wait_for_exported(&bench, 1); /* the server has answered, so the deadline counts */
    finish(&bench);
    int64_t n = (int64_t)json_object_size(bench.script.seen);
    NP_AUTO(np_str_done) struct np_str content = {0};
    ok_int(np_file_read(bench.record, 1 << 20, &content, NULL), 0);
    int64_t n_written = 0;
    for (const char *at = np_str_text(&content); (at = strchr(at, '\n')); at++)
        n_written++;
    ok_int(n, n_written);
    ok_above(n_written, N_RUNS * 4, "items"); /* at most 480; fewer on a slow machine */
    ok_int(bench.script.n_renamed, 0);
    ok(!is_marked(bench.record));
}

TAP_MAIN
