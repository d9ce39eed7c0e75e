/* Delivery of a record to a server that accepts, fails, refuses, answers "too large", or dies: each
 * item arrives once, or stays pending, or was dropped and counted as such. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "script.h"
#include "spool/pending.h"
#include "spool/record.h"
#include "tap.h"
#include "trace/names.h"

static const int64_t SECOND = INT64_C(1000000000);

/* A record, a scripted server, and the delivery between them. */
struct bench {
    char *record;
    struct script script;
    struct np_send_settings settings;
    struct np_send_exporters exporters;
    struct np_send_delivery *delivery;
};

static void bench_done(struct bench *bench)
{
    np_send_delivery_freep(&bench->delivery);
    script_done(&bench->script);
    free(bench->record);
}

static int open_again(struct bench *bench, enum np_spool_state state, enum np_spool_scope scope)
{
    const struct np_send_delivery_options options = {.state = state, .scope = scope};
    const struct np_send_network network = network_of(&bench->script);

    np_send_delivery_freep(&bench->delivery);
    np_send_exporters_init(&bench->exporters, &bench->settings, &network, 1);
    return np_send_delivery_open(bench->record, &bench->exporters, &options, &bench->delivery,
                                 NULL);
}

static void bench_open(struct bench *bench, const char *name, const char *answers, int n_items)
{
    *bench = (struct bench){.record = fresh_record(name),
                            .script = {.answers = answers, .now_ns = SECOND},
                            .settings = test_settings()};
    put_record(bench->record, 0, n_items);
    ok_int(open_again(bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
}

/* Take steps of all signals until nothing is left to do; the clock goes to the time that a step asks
 * for. Returns the worst of the signals' last steps. */
static enum np_send_step settle(struct bench *bench)
{
    enum np_send_step worst = NP_SEND_STEP_DONE;

    for (int i = 0, n = 0; i < NP_OTLP_N_SIGNALS; n++) {
        int64_t when_ns;
        enum np_send_step step =
            np_send_delivery_step(bench->delivery, (enum np_otlp_signal)i, &when_ns);
        if (step == NP_SEND_STEP_LATER && when_ns < INT64_MAX)
            bench->script.now_ns = when_ns;
        if (step == NP_SEND_STEP_OVER)
            worst = step;
        if (step == NP_SEND_STEP_DONE || step == NP_SEND_STEP_OVER)
            i++;
        if (n > 5000) {
            ok(!"settled in 5000 steps");
            return NP_SEND_STEP_OVER;
        }
    }
    return worst;
}

static struct np_send_tally total(const struct bench *bench)
{
    struct np_send_tally sum = {0};

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        const struct np_send_tally *tally = &bench->exporters.exporter[i].tally;
        sum.n_exported += tally->n_exported;
        sum.n_rejected += tally->n_rejected;
        sum.n_dropped += tally->n_dropped;
        sum.n_requests += tally->n_requests;
        sum.n_failed += tally->n_failed;
    }
    return sum;
}

static int64_t pending_bytes(const struct bench *bench)
{
    struct stat status;

    ok_int(stat(bench->record, &status), 0);
    return status.st_size - np_send_delivery_done_bytes(bench->delivery);
}

TEST(a_record_is_delivered_once_and_a_second_time_sends_nothing)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "once", "A", 1000);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 1000), 1000);
    ok_int(n_once(&bench.script, "log", 1000), 1000);
    ok_int(bench.script.n_requests, 4); /* 512 items each at most */
    ok_int(pending_bytes(&bench), 0);
    ok_int(total(&bench).n_exported, 2000);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(bench.script.n_requests, 4);
}

TEST(a_server_that_fails_for_a_while_gets_each_batch_again_under_the_same_id)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "again", "SSUTA", 10);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 10), 10);
    ok_int(bench.script.n_requests, 6);
    ok_int((int64_t)json_object_size(bench.script.batches), 2);
    ok_int(bench.script.n_renamed, 0);
    ok_int(total(&bench).n_failed, 4);
}

/* 1, 2, 4, … 30 s, each times [0.5, 1). */
/* How often the ledger says that a batch was sent. */
static int64_t n_sendings(const struct bench *bench)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", bench->record);
    NP_AUTO(np_str_done) struct np_str text = {0};
    int64_t n = 0;

    ok_int(np_file_read(path, 1 << 20, &text, NULL), 0);
    for (const char *at = np_str_text(&text); (at = strstr(at, "\"sending\"")); at++)
        n++;
    return n;
}

TEST(the_ledger_tells_how_often_a_batch_has_left)
{
    static const struct {
        const char *answers;
        int64_t n_sendings; /* of two batches: spans and log records */
    } table[] = {{"A", 2}, {"UA", 2}, {"TA", 3}, {"SSA", 4}, {"TTTTA", 6}, {"ZA", 3}};

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(bench_done) struct bench bench;
        NP_AUTO(np_freep) char *name = np_xasprintf("often%zu", i);
        bench_open(&bench, name, table[i].answers, 5);
        ok_int(settle(&bench), NP_SEND_STEP_DONE);
        ok_int(total(&bench).n_exported, 10);
        tap_check(n_sendings(&bench) == table[i].n_sendings, __FILE__, __LINE__,
                  "%s: %" PRId64 " sendings", table[i].answers, n_sendings(&bench));
    }
}

/* The first sender got no answer; the next one sends the batch again. */
TEST(a_batch_that_another_sender_takes_over_is_noted_again)
{
    NP_AUTO(bench_done) struct bench bench;
    int64_t when_ns;

    bench_open(&bench, "over", "T", 5);
    np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns);
    ok_int(n_sendings(&bench), 1);
    bench.script.answers = "A";
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    settle(&bench);
    ok_int(n_sendings(&bench), 3); /* and once for the log records */
    ok_int(bench.script.n_renamed, 0);
}

TEST(waits_double_up_to_thirty_seconds)
{
    struct np_send_retry retry = {0};

    np_random_seed(&retry.random, 3, 0);
    for (double full_s = 1; full_s < 200; full_s *= 2) {
        double most_s = full_s < 30 ? full_s : 30;
        double wait_s = (double)np_send_retry_wait_ns(&retry, -1) * 1e-9;
        ok(wait_s >= most_s / 2 && wait_s <= most_s);
    }
    np_send_retry_reset(&retry);
    double first_s = (double)np_send_retry_wait_ns(&retry, -1) * 1e-9;
    ok_below(first_s, 1.0001, "after success, s");
}

TEST(the_wait_that_the_server_asks_for_is_kept_within_bounds)
{
    struct np_send_retry retry = {0};

    np_random_seed(&retry.random, 3, 0);
    /* A request not to wait is ignored: the second failure waits from one to two seconds. */
    static const double asked_s[] = {7, 0, 1e12}, expected_s[] = {7.05, 1.5, 300.05};
    for (size_t i = 0; i < NP_COUNT(asked_s); i++) {
        double wait_s = (double)np_send_retry_wait_ns(&retry, asked_s[i]) * 1e-9;
        ok_near(wait_s, expected_s[i], asked_s[i] > 0 ? 0.0501 : 0.5, "wait, s");
    }

    NP_AUTO(bench_done) struct bench bench;
    bench_open(&bench, "asked", "RA", 1);
    settle(&bench);
    ok_near((double)bench.script.now_ns * 1e-9, 4.05, 0.0601, "one second and three later, s");
}

TEST(a_refused_batch_is_dropped_and_sent_again_only_to_other_destinations)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "refused", "X", 10);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(total(&bench).n_dropped, 20);
    ok_contains(bench.exporters.exporter[NP_OTLP_TRACES].trouble, "refused: no, thank you");
    bench.script.answers = "A";
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    settle(&bench);
    ok_int(total(&bench).n_requests, 0);
    char id[] = "elsewhere.example:4318/v1/x";
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        bench.settings.to[i].id = id;
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    settle(&bench);
    ok_int(total(&bench).n_exported, 20);
}

TEST(a_destination_gets_what_only_others_have_when_all_is_asked_for)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "all", "A", 10);
    settle(&bench);
    char id[] = "elsewhere.example:4318/v1/x";
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        bench.settings.to[i].id = id;
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    settle(&bench);
    ok_int(total(&bench).n_exported, 0);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_HERE), 0);
    settle(&bench);
    ok_int(total(&bench).n_exported, 20);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_HERE), 0);
    settle(&bench);
    ok_int(total(&bench).n_exported, 0);
}

/* The first sender died with a batch in the middle of the record; the lines before it had been
 * refused. */
TEST(a_batch_that_is_resent_does_not_hide_a_gap_before_it)
{
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        NP_AUTO(bench_done) struct bench bench;
        struct np_error err = {0};

        bench_open(&bench, elsewhere ? "hidden-b" : "hidden-a", "X", 5);
        settle(&bench);
        put_record(bench.record, 5, 10);
        bench.script.answers = "T";
        ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
        for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
            int64_t when_ns;
            np_send_delivery_step(bench.delivery, (enum np_otlp_signal)i, &when_ns);
        }
        char id[] = "elsewhere.example:4318/v1/x";
        for (int i = 0; elsewhere && i < NP_OTLP_N_SIGNALS; i++)
            bench.settings.to[i].id = id;
        bench.script.answers = "A";
        ok_int(open_again(&bench, NP_SPOOL_COMPLETE,
                          elsewhere ? NP_SPOOL_NOT_ANYWHERE : NP_SPOOL_NOT_HERE),
               0);
        ok_int(settle(&bench), NP_SEND_STEP_DONE);
        ok_int(n_once(&bench.script, "span", 10), 10);
        ok_int(n_once(&bench.script, "log", 10), 10);
        ok_int(pending_bytes(&bench), 0);
        ok_int(err.code, 0);
    }
}

/* A wrong token is a mistake of the user, and no reason to drop what was recorded. */
TEST(a_server_that_refuses_the_client_drops_nothing)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "denied", "D", 10);
    np_send_exporters_finish(&bench.exporters, bench.script.now_ns);
    ok_int(settle(&bench), NP_SEND_STEP_OVER);
    ok_int(total(&bench).n_dropped, 0);
    ok(pending_bytes(&bench) > 0);
    ok_contains(bench.exporters.exporter[NP_OTLP_TRACES].trouble, "access refused");
    bench.script.answers = "A";
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 10), 10);
}

/* After the batch's 500 an empty request is sent: its answer tells whose fault it is. */
TEST(a_server_error_that_is_not_of_otlp_drops_data_only_when_an_empty_request_passes)
{
    static const struct {
        const char *answers;
        int64_t n_dropped;
    } table[] = {{"FA", 10}, {"FX", 10}, {"FFA", 0}, {"FUA", 0}};

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(bench_done) struct bench bench;
        NP_AUTO(np_freep) char *name = np_xasprintf("foreign%zu", i);
        bench_open(&bench, name, table[i].answers, 10);
        ok_int(settle(&bench), NP_SEND_STEP_DONE);
        ok_int(total(&bench).n_dropped, table[i].answers[1] == 'X' ? 20 : table[i].n_dropped);
        if (table[i].n_dropped == 0)
            ok_int(n_once(&bench.script, "span", 10), 10);
    }
}

TEST(a_server_error_of_an_empty_request_is_not_called_refused_access)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "fails", "F", 10);
    np_send_exporters_finish(&bench.exporters, bench.script.now_ns);
    ok_int(settle(&bench), NP_SEND_STEP_OVER);
    ok_contains(bench.exporters.exporter[NP_OTLP_TRACES].trouble, "an empty request fails");
}

TEST(again_sends_what_was_accepted_once_more_and_the_ledger_keeps_both)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "emptied", "A", 10);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_HERE), 0);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 10), 10);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_AGAIN), 0);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 10), 0);
    ok_int(times(&bench.script, "span", 3), 2);
    ok_int(times(&bench.script, "log", 9), 2);
    ok_int(bench.script.n_renamed, 0);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(times(&bench.script, "span", 3), 2);
}

/* The record is sent, cut to its first half at the end of a line, and then grows again, as when the
 * spans of a killed run are closed: what came later lies where the ledger says "accepted". */
TEST(lines_after_a_cut_are_sent_though_the_ledger_claims_their_place)
{
    enum { N = 10 };
    NP_AUTO(bench_done) struct bench bench;
    NP_AUTO(np_str_done) struct np_str ledger = {0};
    struct stat status;

    bench_open(&bench, "cut", "A", N);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    np_send_delivery_freep(&bench.delivery);
    ok_int(stat(bench.record, &status), 0);
    NP_AUTO(np_freep) char *half = fresh_record("half");
    put_record(half, 0, N / 2);
    struct stat half_status;
    ok_int(stat(half, &half_status), 0);
    ok_int(truncate(bench.record, half_status.st_size), 0);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    ok_int(np_send_delivery_n_void(bench.delivery), 2); /* spans, log records */
    put_record(bench.record, N, N + 3);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    ok_int(np_send_delivery_n_void(bench.delivery), 0); /* once */
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    for (int i = N; i < N + 3; i++)
        ok_int(times(&bench.script, "span", i), 1);
    ok_int(times(&bench.script, "span", 0), 2); /* what is left of the batch is sent again */
    ok_int(bench.script.n_renamed, 0);
    NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", bench.record);
    ok_int(np_file_read(path, 1 << 20, &ledger, NULL), 0);
    ok(strstr(np_str_text(&ledger), "\"void\""));
}

TEST(a_partial_success_is_settled_and_its_losses_are_counted)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "partial", "PA", 10);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(total(&bench).n_exported, 19);
    ok_int(total(&bench).n_rejected, 1);
    ok_int(bench.script.n_requests, 2);
    ok_contains(bench.exporters.exporter[NP_OTLP_TRACES].trouble, "accepted in part");
}

TEST(a_request_that_is_too_large_is_halved_until_it_fits)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "halved", "A", 100);
    bench.script.most_items = 7;
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 100), 100);
    ok_int(n_once(&bench.script, "log", 100), 100);
    ok_int(bench.script.n_renamed, 0);
    ok_int(total(&bench).n_dropped, 0);
}

/* One line with 9 spans: the closing of a dead run's spans writes such lines. */
static void put_long_line(const char *path)
{
    FILE *file = fopen(path, "ae");

    fputs("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[", file);
    for (int i = 0; i < 9; i++)
        fprintf(file,
                "%s{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"%016x\","
                "\"name\":\"long-%d\",\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\"}",
                i ? "," : "", i + 1, i);
    fputs("]}]}]}\n", file);
    fclose(file);
}

TEST(a_line_that_is_too_large_is_sent_in_parts)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "line", "A", 3);
    put_long_line(bench.record);
    put_record(bench.record, 3, 6);
    bench.script.most_items = 2;
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 6), 6);
    ok_int(n_once(&bench.script, "long", 9), 9);
    ok_int(total(&bench).n_dropped, 0);
}

TEST(no_line_of_a_signal_is_missed_among_lines_of_another)
{
    enum { N_SPANS = 4000, EACH = 800 }; /* lines of 230 bytes */
    NP_AUTO(bench_done) struct bench bench;
    bool is_over[NP_OTLP_N_SIGNALS] = {false};
    int n_steps = 0;

    bench_open(&bench, "passed", "A", 0);
    FILE *file = fopen(bench.record, "ae");
    for (int i = 0; i < N_SPANS; i++) {
        put_span(file, i);
        if (i % EACH == EACH / 2)
            put_log(file, i / EACH);
    }
    fclose(file);
    for (int i = 0; !is_over[0] || !is_over[1] || !is_over[2]; i = (i + 1) % NP_OTLP_N_SIGNALS) {
        int64_t when_ns;
        is_over[i] = np_send_delivery_step(bench.delivery, (enum np_otlp_signal)i, &when_ns) ==
                     NP_SEND_STEP_DONE;
        if (++n_steps > 1000)
            break;
    }
    ok_below(n_steps, 1000, "steps");
    ok_int(n_once(&bench.script, "span", N_SPANS), N_SPANS);
    ok_int(n_once(&bench.script, "log", N_SPANS / EACH), N_SPANS / EACH);
}

TEST(a_single_item_that_is_too_large_is_dropped_and_the_rest_is_sent)
{
    NP_AUTO(bench_done) struct bench bench;

    /* Requests of 4, 2 and 1 spans are too large, so one span is dropped; the rest is accepted. */
    bench_open(&bench, "alone", "LLLA", 4);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(total(&bench).n_dropped, 1);
    ok_int(n_once(&bench.script, "span", 4), 3);
    ok_int(n_once(&bench.script, "log", 4), 4);
    ok_contains(bench.exporters.exporter[NP_OTLP_TRACES].trouble, "refused");
}

/* How long the last flush takes: a short time when the server does not answer, one deadline when it
 * does. */
static double end_s(const char *name, const char *before, const char *after)
{
    NP_AUTO(bench_done) struct bench bench;
    int64_t when_ns;

    bench_open(&bench, name, *before ? before : "A", 0);
    open_again(&bench, NP_SPOOL_GROWING, NP_SPOOL_NOT_ANYWHERE);
    put_record(bench.record, 0, 1);
    if (*before)
        np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns);
    put_record(bench.record, 1, 3);
    bench.script.answers = after;
    int64_t start_ns = bench.script.now_ns;
    np_send_exporters_finish(&bench.exporters, start_ns);
    np_send_delivery_set_complete(bench.delivery);
    settle(&bench);
    return (double)(bench.script.now_ns - start_ns) * 1e-9;
}

static void end_below(double found_s, double limit_s, const char *what)
{
    ok_below(found_s, limit_s, what);
}

TEST(the_last_flush_is_short_without_an_answer_and_bounded_with_one)
{
    end_below(end_s("end1", "", "U"), 0.15, "unreachable, never answered, s");
    end_below(end_s("end2", "", "T"), 0.1301, "hung, never answered, s");
    end_below(end_s("end3", "", "D"), 0.15, "access refused, s");
    end_below(end_s("end4", "A", "U"), 0.15, "answered once, gone now, s");
    end_below(end_s("end5", "A", "T"), 5.0001, "answered, hung at the end, s");
    end_below(end_s("end6", "U", "U"), 0.15, "down before, down still, s");
    double busy_s = end_s("end7", "A", "S");
    ok(busy_s > 1 && busy_s < 5); /* requests are repeated until the deadline */
    end_below(end_s("end8", "A", "SA"), 2.1, "busy once, s");
}

/* The server's answers are slow. A batch whose answer comes after the deadline would be sent again,
 * so the last batch is sent early enough. */
TEST(no_batch_is_sent_too_late_for_its_answer)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "slow", "A", 12);
    bench.settings.spans.most_in_batch = bench.settings.logs.most_in_batch = 1;
    open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE);
    bench.script.takes_ns = 9 * SECOND / 10;
    int64_t when_ns;
    np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns);
    int64_t start_ns = bench.script.now_ns;
    np_send_exporters_finish(&bench.exporters, start_ns);
    ok_int(settle(&bench), NP_SEND_STEP_OVER);
    ok(bench.script.now_ns - start_ns > 3 * SECOND && bench.script.now_ns - start_ns < 5 * SECOND);
    open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 12), 12);
    ok_int(n_once(&bench.script, "log", 12), 12);
}

/* The server answered, was down, and is back: a batch may take the whole deadline again. */
TEST(a_server_that_is_back_at_the_end_has_the_whole_deadline)
{
    NP_AUTO(bench_done) struct bench bench;
    int64_t when_ns;

    bench_open(&bench, "back", "AAUA", 3);
    bench.exporters.probes = true;
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_ON);
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_ON);
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_LOGS, &when_ns), NP_SEND_STEP_LATER);
    np_send_exporters_finish(&bench.exporters, bench.script.now_ns);
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_LOGS, &when_ns), NP_SEND_STEP_ON);
    ok(bench.script.last_deadline_ns - bench.script.now_ns < SECOND / 5);
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_LOGS, &when_ns), NP_SEND_STEP_ON);
    ok(bench.script.last_deadline_ns - bench.script.now_ns > 4 * SECOND);
    ok_int(n_once(&bench.script, "log", 3), 3);
}

/* The first request is empty. The batch that follows may take the whole deadline. */
TEST(a_server_is_probed_before_the_first_batch)
{
    NP_AUTO(bench_done) struct bench bench;
    int64_t when_ns;

    bench_open(&bench, "probed", "UA", 3);
    bench.exporters.probes = true;
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_LATER);
    bench.script.now_ns = when_ns;
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_ON);
    ok_int((int64_t)json_object_size(bench.script.seen), 0);
    ok_int((int64_t)json_object_size(bench.script.batches), 0);
    np_send_exporters_finish(&bench.exporters, bench.script.now_ns);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok(bench.script.last_deadline_ns - bench.script.now_ns > 4 * SECOND);
    ok_int(n_once(&bench.script, "span", 3), 3);
    ok_int(n_once(&bench.script, "log", 3), 3);
    ok_int(bench.script.n_requests, 4); /* logs go to the same server: no probe of their own */
}

TEST(a_growing_record_is_followed_and_an_incomplete_line_waits)
{
    NP_AUTO(bench_done) struct bench bench;
    int64_t when_ns;

    bench_open(&bench, "grows", "A", 5);
    ok_int(open_again(&bench, NP_SPOOL_GROWING, NP_SPOOL_NOT_ANYWHERE), 0);
    FILE *file = fopen(bench.record, "ae");
    fputs("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":", file);
    fflush(file);
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_ON);
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_DONE);
    ok_near((double)(when_ns - bench.script.now_ns) * 1e-9, 5, 1e-6, "next look, s");
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_LATER);
    fputs("\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"00000000000000aa\",\"name\":"
          "\"late-0\",\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\"}]}]}]}\n",
          file);
    fclose(file);
    bench.script.now_ns = when_ns;
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_ON);
    ok_int(n_once(&bench.script, "span", 5), 5);
    ok_int(n_once(&bench.script, "late", 1), 1);
    np_send_delivery_set_complete(bench.delivery);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
}

TEST(torn_and_foreign_lines_are_skipped)
{
    NP_AUTO(bench_done) struct bench bench;

    bench_open(&bench, "foreign", "A", 3);
    FILE *file = fopen(bench.record, "ae");
    fputs("{\"resourceSpans\":[{\"scopeSp\n\n\xff\xfe\n{\"a\":1}\n[]\n", file);
    fclose(file);
    put_record(bench.record, 3, 6);
    file = fopen(bench.record, "ae");
    fputs("{\"resourceLogs\":[{\"sco", file);
    fclose(file);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 6), 6);
    ok_int(n_once(&bench.script, "log", 6), 6);
    ok_int(pending_bytes(&bench), 0);
}

/* A sender that dies at its n-th request, before or after the server has stored it. The next sender
 * continues. */
struct mortal {
    struct script *script;
    int fd;
    int64_t n_left;
};

static void mortal_send(void *self, const struct np_send_request *request, int64_t deadline_ns,
                        struct np_send_reply *reply)
{
    struct mortal *mortal = self;
    uint32_t n = (uint32_t)request->n_bytes;

    if (mortal->n_left == 0)
        _exit(1); /* before the request */
    if (write(mortal->fd, &n, sizeof(n)) != sizeof(n) ||
        write(mortal->fd, request->batch_id, NP_SPOOL_BATCH_ID) != NP_SPOOL_BATCH_ID ||
        write(mortal->fd, request->body, n) != (ssize_t)n)
        _exit(2);
    if (--mortal->n_left < 0)
        _exit(1); /* the server has it, the ledger does not */
    script_send(mortal->script, request, deadline_ns, reply);
}

static int64_t mortal_now_ns(void *self)
{
    return ((struct mortal *)self)->script->now_ns;
}

/* Run one sender; true when it came to its end. */
static bool live(struct bench *bench, int fd, int64_t n_left)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        struct mortal mortal = {&bench->script, fd, n_left};
        const struct np_send_delivery_options options = {.state = NP_SPOOL_COMPLETE};
        const struct np_send_network network = {&mortal, mortal_send, mortal_now_ns};
        bench->settings.spans.most_in_batch = bench->settings.logs.most_in_batch = 8;
        np_send_exporters_init(&bench->exporters, &bench->settings, &network, 1);
        if (np_send_delivery_open(bench->record, &bench->exporters, &options, &bench->delivery,
                                  NULL) < 0)
            _exit(3);
        _exit(settle(bench) == NP_SEND_STEP_DONE ? 0 : 4);
    }
    waitpid(pid, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return status == 0;
}

/* Read what the sink received into a script, as if the script's server had accepted it. */
static void read_sink(FILE *sink, struct script *script)
{
    uint32_t n;
    char id[NP_SPOOL_BATCH_ID];

    rewind(sink);
    while (fread(&n, sizeof(n), 1, sink) == 1 && fread(id, sizeof(id), 1, sink) == 1) {
        NP_AUTO(np_freep) char *body = np_xmalloc(n);
        struct np_send_reply reply;
        if (fread(body, 1, n, sink) != n)
            break;
        json_t *root = json_loadb(body, n, 0, NULL);
        json_t *items = items_in(root);
        bool is_known = script->batches && json_object_get(script->batches, id);
        const struct np_send_request request = {.batch_id = id, .body = body, .n_bytes = n};
        if (is_known)
            note_batch(script, id, items); /* a repetition under the same id counts once */
        else
            script_send(script, &request, INT64_MAX, &reply);
        json_decref(items);
        json_decref(root);
    }
}

TEST(a_sender_killed_at_any_request_loses_nothing_and_repeats_only_under_the_same_id)
{
    NP_AUTO(bench_done) struct bench bench;
    FILE *sink = tmpfile();
    struct np_random random;
    int n_lives = 1;

    bench_open(&bench, "mortal", "A", 100);
    np_send_delivery_freep(&bench.delivery);
    np_random_seed(&random, 11, 0);
    while (!live(&bench, fileno(sink), (int64_t)(np_random_bits(&random) % 3)) && n_lives < 100)
        n_lives++;
    ok_above(n_lives, 8, "lives");
    read_sink(sink, &bench.script);
    fclose(sink);
    ok_int(n_once(&bench.script, "span", 100), 100);
    ok_int(n_once(&bench.script, "log", 100), 100);
    ok_int(bench.script.n_renamed, 0);
}

/* The limit of a file's size stands for the full disk: the ledger cannot grow beyond it. */
TEST(on_a_full_disk_what_the_ledger_can_note_is_sent_and_the_rest_stays_pending)
{
    NP_AUTO(bench_done) struct bench bench;
    struct rlimit limit, full;

    bench_open(&bench, "full", "A", 600);
    bench.settings.spans.most_in_batch = bench.settings.logs.most_in_batch = 10;
    open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    full = limit;
    full.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &full);
    np_send_exporters_finish(&bench.exporters, bench.script.now_ns);
    enum np_send_step step = settle(&bench);
    setrlimit(RLIMIT_FSIZE, &limit);
    ok_int(step, NP_SEND_STEP_OVER);
    ok(total(&bench).n_exported > 0 && total(&bench).n_exported < 1200);
    ok_contains(bench.exporters.exporter[NP_OTLP_TRACES].trouble, "ledger cannot be written");
    open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int((int64_t)json_object_size(bench.script.seen), 1200);
    /* A batch of ten whose answer could not be noted is sent again under the same id. */
    ok(n_once(&bench.script, "span", 600) >= 590 && n_once(&bench.script, "log", 600) >= 590);
    ok_int(bench.script.n_renamed, 0);
}

TEST(a_dry_run_counts_and_writes_nothing)
{
    NP_AUTO(bench_done) struct bench bench;
    const struct np_send_delivery_options options = {.state = NP_SPOOL_COMPLETE,
                                                     .is_dry_run = true};

    bench_open(&bench, "dry", "A", 10);
    np_send_delivery_freep(&bench.delivery);
    NP_AUTO(np_freep) char *ledger = np_xasprintf("%s.ledger", bench.record);
    unlink(ledger);
    ok_int(np_send_delivery_open(bench.record, &bench.exporters, &options, &bench.delivery, NULL),
           0);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(total(&bench).n_exported, 20);
    ok(!np_path_exists(ledger));
}

/* A ledger beside a record to which it does not belong: no crash, and no endless loop. */
TEST(a_ledger_with_false_ranges_does_no_harm)
{
    static const char *const lies[] = {"\"from\":3,\"to\":7", "\"from\":0,\"to\":99999999",
                                       "\"from\":5000000,\"to\":5000001"};

    for (size_t i = 0; i < NP_COUNT(lies); i++) {
        NP_AUTO(bench_done) struct bench bench;
        NP_AUTO(np_freep) char *name = np_xasprintf("lies%zu", i);
        bench_open(&bench, name, "A", 10);
        np_send_delivery_freep(&bench.delivery);
        NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", bench.record);
        FILE *file = fopen(path, "we");
        fprintf(file, "{\"destination\":\"%s\",\"signal\":\"traces\",%s,\"outcome\":\"sending\"}\n",
                bench.settings.to[0].id, lies[i]);
        fclose(file);
        ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
        ok_int(settle(&bench), NP_SEND_STEP_DONE);
        ok_int(n_once(&bench.script, "span", 10), 10);
    }
}

/* No request, and no batch in memory, may be larger than 16 MiB. */
TEST(a_ledger_that_notes_a_large_record_as_one_batch_is_ignored)
{
    enum { N = 48, BYTES = 1 << 20 };
    NP_AUTO(bench_done) struct bench bench;
    NP_AUTO(np_freep) char *filler = np_xmalloc(BYTES + 1);

    memset(filler, 'x', BYTES);
    filler[BYTES] = '\0';
    bench_open(&bench, "huge", "A", 0);
    np_send_delivery_freep(&bench.delivery);
    FILE *file = fopen(bench.record, "ae");
    for (int i = 0; i < N; i++)
        fprintf(file,
                "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"span-%d\","
                "\"traceState\":\"%s\"}]}]}]}\n",
                i, filler);
    int64_t n_bytes = ftell(file);
    fclose(file);
    NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", bench.record);
    file = fopen(path, "we");
    fprintf(file,
            "{\"destination\":\"%s\",\"signal\":\"traces\",\"from\":0,\"to\":%lld,"
            "\"outcome\":\"sending\"}\n",
            bench.settings.to[0].id, (long long)n_bytes);
    fclose(file);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", N), N);
    NP_AUTO(np_str_done) struct np_str ledger = {0};
    ok_int(np_file_read(path, 1 << 20, &ledger, NULL), 0);
    ok_contains(np_str_text(&ledger), "no batch");
}

/* Append a span named kind-number, the only one of its trace, and the sampling decision. */
static void put_traced(const char *path, const char *kind, int number)
{
    FILE *file = fopen(path, "ae");

    fprintf(file,
            "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
            "\"0af7651916cd43dd8448eb21%08x\",\"spanId\":\"00000000000000aa\",\"name\":\"%s-%d\","
            "\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\",\"flags\":0}]}]}]}\n",
            (unsigned)number + 1, kind, number);
    fclose(file);
}

static void put_decision(const char *path, int number, bool is_sampled)
{
    FILE *file = fopen(path, "ae");

    fprintf(file,
            "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"1\","
            "\"body\":{\"stringValue\":\"decided-%d\"},\"attributes\":[{\"key\":\"neuro.sampled\","
            "\"value\":{\"boolValue\":%s}}],\"traceId\":\"0af7651916cd43dd8448eb21%08x\","
            "\"eventName\":\"neuro.sampling\"}]}]}]}\n",
            number, is_sampled ? "true" : "false", (unsigned)number + 1);
    fclose(file);
}

static void open_holding(struct bench *bench, const char *name)
{
    const struct np_send_delivery_options options = {.state = NP_SPOOL_GROWING,
                                                     .decisions = NP_SEND_AWAIT_DECISIONS};

    bench_open(bench, name, "A", 0);
    np_send_delivery_freep(&bench->delivery);
    ok_int(
        np_send_delivery_open(bench->record, &bench->exporters, &options, &bench->delivery, NULL),
        0);
}

TEST(undecided_spans_wait_during_the_run_and_are_sent_after_it)
{
    NP_AUTO(bench_done) struct bench bench;
    int64_t when_ns;

    open_holding(&bench, "undecided");
    put_traced(bench.record, "trace", 0);
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_DONE);
    ok_int(bench.script.n_requests, 0);
    np_send_delivery_set_complete(bench.delivery);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "trace", 1), 1);
}

TEST(sampling_decisions_are_applied_and_not_sent)
{
    NP_AUTO(bench_done) struct bench bench;
    int64_t when_ns;

    open_holding(&bench, "decided");
    for (int i = 0; i < 300; i++)
        put_traced(bench.record, i % 3 ? "out" : "in", i);
    for (int i = 0; i < 300; i++)
        put_decision(bench.record, i, i % 3 == 0);
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_ON);
    put_traced(bench.record, "in", 299 + 3);
    put_decision(bench.record, 299 + 3, false);
    put_decision(bench.record, 299 + 3, true); /* the last one counts */
    np_send_delivery_set_complete(bench.delivery);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "in", 303), 101);
    ok_int(n_once(&bench.script, "out", 300), 0);
    ok_int(n_once(&bench.script, "decided", 303), 0);
}

TEST(a_resent_batch_with_a_waiting_span_is_not_sent_in_part)
{
    const struct np_send_delivery_options waits = {.state = NP_SPOOL_GROWING,
                                                   .decisions = NP_SEND_AWAIT_DECISIONS};
    NP_AUTO(bench_done) struct bench bench;
    int64_t when_ns;

    bench_open(&bench, "in-part", "T", 0);
    put_traced(bench.record, "trace", 0);
    put_traced(bench.record, "trace", 1);
    np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns); /* both, never answered */
    put_decision(bench.record, 0, true);
    np_send_delivery_freep(&bench.delivery);
    bench.script.answers = "A";
    ok_int(np_send_delivery_open(bench.record, &bench.exporters, &waits, &bench.delivery, NULL), 0);
    bench.script.now_ns += 100 * SECOND;
    ok_int(np_send_delivery_step(bench.delivery, NP_OTLP_TRACES, &when_ns), NP_SEND_STEP_DONE);
    np_send_delivery_set_complete(bench.delivery);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "trace", 2), 2);
}

/* A record that asks for no names is sent without names, although this sender's options allow
 * them. */
TEST(the_stricter_of_record_and_sender_names_participants)
{
    NP_AUTO(bench_done) struct bench bench;
    struct np_send_delivery_options options = {.state = NP_SPOOL_COMPLETE, .naming = NP_NAME_LABEL};

    bench_open(&bench, "naming", "A", 0);
    FILE *file = fopen(bench.record, "ae");
    fputs("{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"neuro.telemetry.id\","
          "\"value\":{\"stringValue\":\"none\"}}]},\"scopeLogs\":[{\"logRecords\":[{"
          "\"timeUnixNano\":\"1\",\"body\":{\"stringValue\":\"sub-secret is done\"}}]}]}]}\n",
          file);
    fclose(file);
    np_send_delivery_freep(&bench.delivery);
    ok_int(np_send_delivery_open(bench.record, &bench.exporters, &options, &bench.delivery, NULL),
           0);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(bench.script.n_requests, 1);
    char *seen = json_dumps(bench.script.seen, 0);
    ok(!strstr(seen, "secret"));
    ok_contains(seen, "is done");
    free(seen);
}

static void put_named_log(const char *path, const char *naming, const char *label)
{
    FILE *file = fopen(path, "ae");

    ok(file != NULL);
    fprintf(file,
            "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"neuro.telemetry.id\","
            "\"value\":{\"stringValue\":\"%s\"}}]},\"scopeLogs\":[{\"logRecords\":[{"
            "\"timeUnixNano\":\"1\",\"body\":{\"stringValue\":\"sub-%s\"}}]}]}]}\n",
            naming, label);
    fclose(file);
}

/* Two records of different runs, joined by cat. */
TEST(each_line_is_named_as_it_asks_for_or_more_strictly)
{
    static const struct {
        enum np_naming sender;
        const char *in_clear; /* labels that are sent, of "open", "hashed", "gone", "again" */
    } table[] = {{NP_NAME_LABEL, "sub-open sub-again"}, {NP_NAME_HASH, ""}, {NP_NAME_NONE, ""}};

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(bench_done) struct bench bench;
        static const char *const labels[] = {"sub-open", "sub-hashed", "sub-gone", "sub-again"};
        struct np_send_delivery_options options = {.state = NP_SPOOL_COMPLETE,
                                                   .naming = table[i].sender};
        NP_AUTO(np_freep) char *name = np_xasprintf("joined%zu", i);
        bench_open(&bench, name, "A", 0);
        put_named_log(bench.record, "label", "open");
        put_named_log(bench.record, "hash", "hashed");
        put_named_log(bench.record, "none", "gone");
        put_named_log(bench.record, "label", "again");
        np_send_delivery_freep(&bench.delivery);
        ok_int(
            np_send_delivery_open(bench.record, &bench.exporters, &options, &bench.delivery, NULL),
            0);
        ok_int(settle(&bench), NP_SEND_STEP_DONE);
        ok_int(total(&bench).n_exported, 4);
        char *seen = json_dumps(bench.script.seen, 0);
        for (size_t k = 0; k < NP_COUNT(labels); k++)
            tap_check((strstr(seen, labels[k]) != NULL) ==
                          (strstr(table[i].in_clear, labels[k]) != NULL),
                      __FILE__, __LINE__, "sender %zu: %s in %s", i, labels[k], seen);
        free(seen);
    }
}

/* Pending records. */

TEST(a_marked_record_is_found_until_it_is_cleared)
{
    NP_AUTO(np_freep) char *record = fresh_record("marked");
    NP_AUTO(np_freep) char *folder = np_path_directory(record);
    NP_AUTO(np_freep) char *gone = np_xasprintf("%s/20250101T000000Z_gone.otlp.jsonl", folder);
    NP_AUTO(np_strings_done) struct np_strings found = {0};
    NP_AUTO(np_strings_done) struct np_strings left = {0};

    put_record(record, 0, 1);
    ok_int(np_spool_pending_mark(record, NULL), 0);
    ok_int(np_spool_pending_mark(record, NULL), 0);
    ok_int(np_spool_pending_mark(gone, NULL), 0);
    np_spool_pending_list(folder, 100, 7, &found);
    ok_int((int64_t)found.n, 1);
    ok_str(found.item[0], record);
    np_spool_pending_clear(record);
    np_spool_pending_list(folder, 100, 7, &left);
    ok_int((int64_t)left.n, 0);
}

TEST(a_mark_says_why_its_record_is_pending_and_is_still_of_its_host)
{
    NP_AUTO(np_freep) char *record = fresh_record("explained");
    NP_AUTO(np_freep) char *folder = np_path_directory(record);
    struct np_spool_pending_sum sum;

    put_record(record, 0, 1);
    np_spool_pending_explain(record, "no mark: nothing is written");
    np_spool_pending_count(folder, &sum);
    ok_int((int64_t)sum.n, 0);
    ok_int(np_spool_pending_mark(record, NULL), 0);
    np_spool_pending_count(folder, &sum);
    ok_int((int64_t)sum.n, 1);
    ok_str(sum.why, "");
    np_spool_pending_explain(record, "a longer reason\nof two lines");
    np_spool_pending_explain(record, "refused");
    np_spool_pending_count(folder, &sum);
    ok_int((int64_t)sum.n, 1);
    ok_str(sum.why, "refused");
    ok(!np_spool_pending_is_growing(record)); /* written just now, but here */
}

TEST(of_many_marks_each_is_found_from_somewhere_and_never_more_than_asked_for)
{
    enum { N = 10, MOST = 3 };
    NP_AUTO(np_freep) char *record = fresh_record("many");
    NP_AUTO(np_freep) char *folder = np_path_directory(record);
    bool is_found[N] = {false};

    for (int i = 0; i < N; i++) {
        NP_AUTO(np_freep)
        char *path = np_xasprintf("%s/2026010%dT000000Z_many.otlp.jsonl", folder, i);
        put_record(path, 0, 1);
        ok_int(np_spool_pending_mark(path, NULL), 0);
    }
    for (uint64_t from = 0; from < N; from++) {
        NP_AUTO(np_strings_done) struct np_strings found = {0};
        np_spool_pending_list(folder, MOST, from + UINT64_C(1000000) * N, &found);
        ok_int((int64_t)found.n, MOST);
        for (size_t i = 0; i < found.n; i++)
            is_found[np_path_name(found.item[i])[7] - '0'] = true;
    }
    for (int i = 0; i < N; i++)
        ok(is_found[i]);
}

/* A child process as a run with one open span. */
static pid_t start_run(const char *record, const int ready[2])
{
    pid_t pid = fork();

    if (pid == 0) {
        struct np_attrs resource = {0};
        struct np_trace_sink sink;
        np_attrs_string(&resource, NP_KEY_HOST_NAME, np_host_name());
        if (np_spool_record_open(record, &resource, NULL, &sink, NULL) < 0)
            _exit(1);
        struct np_trace *trace = np_trace_new(NULL);
        np_trace_add_sink(trace, sink);
        struct np_span *span = np_span_new("span-0", NULL);
        np_span_begin(trace, span);
        np_trace_settle(trace);
        if (write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    return pid;
}

TEST(a_run_is_alive_until_it_is_killed_then_its_spans_are_ended)
{
    NP_AUTO(bench_done) struct bench bench;
    enum np_spool_state state = NP_SPOOL_COMPLETE;
    int ready[2];
    char byte;

    bench_open(&bench, "alive", "A", 0);
    ok(pipe(ready) == 0);
    pid_t pid = start_run(bench.record, ready);
    ok(read(ready[0], &byte, 1) == 1);
    ok_int(np_spool_pending_settle(bench.record, &state, NULL, NULL), 0);
    ok_int(state, NP_SPOOL_GROWING);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ok_int(np_spool_pending_settle(bench.record, &state, NULL, NULL), 0);
    ok_int(state, NP_SPOOL_COMPLETE);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 1), 1);
    close(ready[0]);
    close(ready[1]);
}

/* The record was written a moment ago by another machine, whose locks are not visible here. */
TEST(a_fresh_record_of_another_host_counts_as_growing)
{
    NP_AUTO(np_freep) char *record = fresh_record("elsewhere");
    enum np_spool_state state = NP_SPOOL_COMPLETE;

    put_record(record, 0, 1);
    ok_int(np_spool_pending_settle(record, &state, NULL, NULL), 0);
    ok_int(state, NP_SPOOL_GROWING);
    const struct timespec old[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    utimensat(AT_FDCWD, record, old, 0);
    ok_int(np_spool_pending_settle(record, &state, NULL, NULL), 0);
    ok_int(state, NP_SPOOL_COMPLETE);
}

/* A run that was killed before its first line leaves an empty record, which cannot grow. */
TEST(an_empty_record_that_was_marked_here_is_at_rest)
{
    NP_AUTO(np_freep) char *record = fresh_record("empty");
    enum np_spool_state state = NP_SPOOL_GROWING;

    close(open(record, O_WRONLY | O_CREAT, 0666));
    ok_int(np_spool_pending_settle(record, &state, NULL, NULL), 0);
    ok_int(state, NP_SPOOL_GROWING); /* without a mark the writer is unknown */
    ok_int(np_spool_pending_mark(record, NULL), 0);
    ok_int(np_spool_pending_settle(record, &state, NULL, NULL), 0);
    ok_int(state, NP_SPOOL_COMPLETE);
    np_spool_pending_clear(record);
}

TEST(without_memory_nothing_is_lost)
{
    NP_AUTO(bench_done) struct bench bench;
    int64_t n_refused = 0;

    bench_open(&bench, "memory", "A", 3);
    put_decision(bench.record, 1, true);
    bench.settings.spans.most_in_batch = bench.settings.logs.most_in_batch = 1;
    for (int64_t nth = 1; nth < 400; nth++) {
        np_send_delivery_freep(&bench.delivery);
        np_alloc_fail_at(nth);
        int code = open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE);
        ok(code == 0 || code == NP_ENOMEM);
        n_refused += code == NP_ENOMEM;
        int64_t before = np_alloc_requests();
        if (code == 0)
            settle(&bench);
        np_alloc_fail_at(0);
        if (code == 0 && before < nth && nth > 100)
            break;
    }
    ok(n_refused > 0);
    ok_int(open_again(&bench, NP_SPOOL_COMPLETE, NP_SPOOL_NOT_ANYWHERE), 0);
    ok_int(settle(&bench), NP_SEND_STEP_DONE);
    ok_int(n_once(&bench.script, "span", 3), 3);
    ok_int(n_once(&bench.script, "log", 3), 3);
}

TAP_MAIN
