/* The ledger: what is done, what is pending, what was half done, across processes and bad files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "base/random.h"
#include "base/str.h"
#include "records.h"
#include "spool/inside.h"
#include "spool/ledger.h"
#include "tap.h"

static const char HERE[] = "a:4317/", THERE[] = "b:4318/v1/traces";

static void note(struct np_spool_ledger *ledger, const char *destination, int64_t from, int64_t to,
                 enum np_spool_mark mark)
{
    const struct np_spool_entry entry = {.destination = destination,
                                         .signal = NP_OTLP_TRACES,
                                         .range = {from, to},
                                         .mark = mark,
                                         .n_items = 10,
                                         .n_rejected = mark == NP_SPOOL_MARK_PARTIAL ? 3 : 0,
                                         .text = "said \"so\""};
    struct np_error err = {0};

    tap_check(np_spool_ledger_note(ledger, &entry, &err) == 0, __FILE__, __LINE__, "%s", err.text);
}

static struct np_spool_ledger *opened(const char *record)
{
    struct np_spool_ledger *ledger = NULL;
    struct np_error err = {0};

    tap_check(np_spool_ledger_open(record, &ledger, &err) == 0, __FILE__, __LINE__, "%s", err.text);
    return ledger;
}

static void ok_gap(const struct np_spool_ledger *ledger, const char *destination,
                   enum np_spool_scope scope, int64_t at, int64_t from, int64_t to)
{
    struct np_spool_range gap = np_spool_ledger_gap(ledger, destination, NP_OTLP_TRACES, scope, at);

    ok_int(gap.from, from);
    ok_int(gap.to, to);
}

TEST(what_one_process_noted_the_next_one_knows)
{
    NP_AUTO(np_freep) char *record = fresh_record("known");
    struct np_spool_ledger *ledger = opened(record);
    struct np_spool_range pending;

    note(ledger, HERE, 0, 100, NP_SPOOL_MARK_SENDING);
    note(ledger, HERE, 0, 100, NP_SPOOL_MARK_ACCEPTED);
    note(ledger, HERE, 100, 250, NP_SPOOL_MARK_SENDING);
    np_spool_ledger_freep(&ledger);
    ledger = opened(record);
    ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, 0, 100, INT64_MAX);
    ok(np_spool_ledger_in_flight(ledger, HERE, NP_OTLP_TRACES, NP_SPOOL_NOT_HERE, &pending));
    ok_int(pending.from, 100);
    ok_int(pending.to, 250);
    ok(!np_spool_ledger_in_flight(ledger, HERE, NP_OTLP_LOGS, NP_SPOOL_NOT_HERE, &pending));
    ok(!np_spool_ledger_in_flight(ledger, THERE, NP_OTLP_TRACES, NP_SPOOL_NOT_HERE, &pending));
    ok_int(np_spool_ledger_accepted(ledger, HERE, NP_OTLP_TRACES), 10);
    note(ledger, HERE, 100, 250, NP_SPOOL_MARK_PARTIAL);
    ok(!np_spool_ledger_in_flight(ledger, HERE, NP_OTLP_TRACES, NP_SPOOL_NOT_HERE, &pending));
    ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, 0, 250, INT64_MAX);
    ok_int(np_spool_ledger_accepted(ledger, HERE, NP_OTLP_TRACES), 17);
    np_spool_ledger_freep(&ledger);
}

TEST(a_batch_on_its_way_elsewhere_keeps_its_borders_for_who_sends_it_next)
{
    NP_AUTO(np_freep) char *record = fresh_record("borders");
    struct np_spool_ledger *ledger = opened(record);
    struct np_spool_range pending;

    note(ledger, THERE, 50, 80, NP_SPOOL_MARK_SENDING);
    ok(np_spool_ledger_in_flight(ledger, HERE, NP_OTLP_TRACES, NP_SPOOL_NOT_ANYWHERE, &pending));
    ok_int(pending.from, 50);
    ok_int(pending.to, 80);
    ok(!np_spool_ledger_in_flight(ledger, HERE, NP_OTLP_TRACES, NP_SPOOL_NOT_HERE, &pending));
    note(ledger, HERE, 50, 80, NP_SPOOL_MARK_ACCEPTED);
    ok(!np_spool_ledger_in_flight(ledger, HERE, NP_OTLP_TRACES, NP_SPOOL_NOT_ANYWHERE, &pending));
    ok(!np_spool_ledger_in_flight(ledger, THERE, NP_OTLP_TRACES, NP_SPOOL_NOT_ANYWHERE, &pending));
    ok(np_spool_ledger_in_flight(ledger, THERE, NP_OTLP_TRACES, NP_SPOOL_NOT_HERE, &pending));
    np_spool_ledger_freep(&ledger);
}

TEST(what_another_destination_has_is_not_pending_but_not_here_either)
{
    NP_AUTO(np_freep) char *record = fresh_record("two");
    struct np_spool_ledger *ledger = opened(record);

    note(ledger, HERE, 0, 100, NP_SPOOL_MARK_ACCEPTED);
    note(ledger, THERE, 100, 200, NP_SPOOL_MARK_ACCEPTED);
    note(ledger, HERE, 300, 400, NP_SPOOL_MARK_DROPPED);
    ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, 0, 200, 300);
    ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, 300, 400, INT64_MAX);
    ok_gap(ledger, THERE, NP_SPOOL_NOT_ANYWHERE, 0, 200,
           INT64_MAX); /* refused there is pending here */
    ok_gap(ledger, HERE, NP_SPOOL_NOT_HERE, 0, 100, INT64_MAX);
    ok_gap(ledger, THERE, NP_SPOOL_NOT_HERE, 0, 0, 100);
    ok_gap(ledger, "third", NP_SPOOL_NOT_HERE, 0, 0, INT64_MAX);
    ok_gap(ledger, "third", NP_SPOOL_NOT_ANYWHERE, 50, 200, INT64_MAX);
    np_spool_ledger_freep(&ledger);
}

/* Ledgers of earlier versions say "<protocol> <URL>", without query and tenant. */
TEST(what_an_earlier_version_noted_keeps_its_meaning)
{
    static const struct {
        const char *noted, *destination;
        bool is_here;
    } table[] = {
        {"http/protobuf http://b:4318/v1/traces", "b:4318/v1/traces", true},
        {"http/json https://b:4318/v1/traces", "b:4318/v1/traces", true},
        {"http/protobuf http://b:4318/v1/traces", "b:4318/v1/traces #0123456789abcdef", true},
        {"http/protobuf http://localhost:4318/v1/traces", "127.0.0.1:4318/v1/traces", true},
        {"http/protobuf http://[::1]:4318/v1/traces", "127.0.0.1:4318/v1/traces", true},
        {"http/protobuf http://b:4318/v1/traces", "b:4319/v1/traces", false},
        {"http/protobuf http://b:4318/v1/traces", "b:4318/v1/traces/x", false},
        {"http/protobuf http://localhost.x:4318/v1/traces", "127.0.0.1:4318/v1/traces", false},
        {"http/json http://b:4318/to/http://c:4318/", "b:4318/to/http://c:4318/", true},
        /* of this version */
        {"b:4318/to/http://c:4318/", "b:4318/to/http://c:4318/", true},
        {"b:4318/to/http://c:4318/", "c:4318/", false},
        {"b:4318/v1/traces", "b:4318/v1/traces #0123456789abcdef", false},
        {"b:4318/v1/traces #0123456789abcdef", "b:4318/v1/traces", false},
        {"b:4318/v1/traces #0123456789abcdef", "b:4318/v1/traces #0123456789abcdef", true},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep) char *name = np_xasprintf("old%zu", i);
        NP_AUTO(np_freep) char *record = fresh_record(name);
        struct np_spool_ledger *ledger = opened(record);
        struct np_spool_range pending;
        note(ledger, table[i].noted, 0, 100, NP_SPOOL_MARK_ACCEPTED);
        note(ledger, table[i].noted, 100, 120, NP_SPOOL_MARK_SENDING);
        np_spool_ledger_freep(&ledger);
        ledger = opened(record);
        ok_gap(ledger, table[i].destination, NP_SPOOL_NOT_HERE, 0, table[i].is_here ? 100 : 0,
               INT64_MAX);
        ok_gap(ledger, table[i].destination, NP_SPOOL_NOT_ANYWHERE, 0, 100, INT64_MAX);
        ok(np_spool_ledger_in_flight(ledger, table[i].destination, NP_OTLP_TRACES,
                                     NP_SPOOL_NOT_HERE, &pending) == table[i].is_here);
        ok_int(np_spool_ledger_accepted(ledger, table[i].destination, NP_OTLP_TRACES),
               table[i].is_here ? 10 : 0);
        note(ledger, table[i].noted, 0, 100, NP_SPOOL_MARK_VOID); /* takes the line back */
        ok_gap(ledger, table[i].destination, NP_SPOOL_NOT_ANYWHERE, 0, 0, INT64_MAX);
        np_spool_ledger_freep(&ledger);
    }
}

/* Truth: a bit for each of 512 bytes. */
TEST(ranges_noted_in_any_order_leave_the_same_gaps)
{
    NP_AUTO(np_freep) char *record = fresh_record("any");
    struct np_spool_ledger *ledger = opened(record);
    bool is_done[513] = {false};
    struct np_random random;

    np_random_seed(&random, 7, 0);
    for (int i = 0; i < 60; i++) {
        int64_t from = (int64_t)(np_random_bits(&random) % 500);
        int64_t to = from + 1 + (int64_t)(np_random_bits(&random) % 12);
        note(ledger, HERE, from, to, NP_SPOOL_MARK_ACCEPTED);
        for (int64_t k = from; k < to; k++)
            is_done[k] = true;
    }
    np_spool_ledger_freep(&ledger);
    ledger = opened(record);
    int64_t n_wrong = 0;
    for (int64_t at = 0; at < 512; at++) {
        int64_t from = at, to;
        while (from < 512 && is_done[from])
            from++;
        for (to = from; to < 512 && !is_done[to];)
            to++;
        struct np_spool_range gap =
            np_spool_ledger_gap(ledger, HERE, NP_OTLP_TRACES, NP_SPOOL_NOT_ANYWHERE, at);
        n_wrong += gap.from != from || gap.to != (to == 512 ? INT64_MAX : to);
    }
    ok_int(n_wrong, 0);
    np_spool_ledger_freep(&ledger);
}

TEST(two_processes_never_deliver_one_record_at_once)
{
    NP_AUTO(np_freep) char *record = fresh_record("locked");
    struct np_spool_ledger *ledger = opened(record);
    int status = -1;

    pid_t pid = fork();
    if (pid == 0) {
        struct np_spool_ledger *other = NULL;
        _exit(np_spool_ledger_open(record, &other, NULL) == NP_EBUSY ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    ok_int(status, 0);
    np_spool_ledger_freep(&ledger);
    ledger = opened(record);
    np_spool_ledger_freep(&ledger);
}

TEST(a_torn_line_and_foreign_lines_are_passed_over)
{
    NP_AUTO(np_freep) char *record = fresh_record("torn");
    NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", record);
    struct np_spool_ledger *ledger = opened(record);

    note(ledger, HERE, 0, 100, NP_SPOOL_MARK_ACCEPTED);
    np_spool_ledger_freep(&ledger);
    FILE *file = fopen(path, "ae");
    fputs("[1,2]\n{\"destination\":\"grpc http://a:4317/\",\"signal\":\"traces\",\"from\":-5,"
          "\"to\":900,\"outcome\":\"accepted\"}\n\xff\xfe\n"
          "{\"destination\":\"grpc http://a:4317/\",\"signal\":\"traces\",\"from\":100,\"to\":9",
          file);
    fclose(file);
    ledger = opened(record);
    ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, 0, 100, INT64_MAX);
    note(ledger, HERE, 100, 200, NP_SPOOL_MARK_ACCEPTED);
    np_spool_ledger_freep(&ledger);
    ledger = opened(record);
    ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, 0, 200, INT64_MAX);
    np_spool_ledger_freep(&ledger);
}

TEST(what_this_process_notes_is_remembered_however_full_the_file_is)
{
    enum { N_DESTINATIONS = 300, N_RANGES = 5000 };
    NP_AUTO(np_freep) char *record = fresh_record("full");
    NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", record);
    FILE *file = fopen(path, "we");
    struct np_spool_range pending;

    for (int i = 0; file && i < N_RANGES + N_DESTINATIONS; i++)
        fprintf(file,
                "{\"destination\":\"host%d:4318/\",\"signal\":\"traces\",\"from\":%d,\"to\":%d,"
                "\"outcome\":\"accepted\",\"items\":1}\n",
                i < N_RANGES ? 0 : i, 10 * i, 10 * i + 5);
    ok(file && fclose(file) == 0);
    struct np_spool_ledger *ledger = opened(record);
    const int64_t end = 10 * (N_RANGES + N_DESTINATIONS);
    note(ledger, HERE, end, end + 8, NP_SPOOL_MARK_SENDING);
    ok(np_spool_ledger_in_flight(ledger, HERE, NP_OTLP_TRACES, NP_SPOOL_NOT_HERE, &pending));
    note(ledger, HERE, end, end + 8, NP_SPOOL_MARK_ACCEPTED);
    ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, end, end + 8, INT64_MAX);
    note(ledger, "host0:4318/", end + 9, end + 10, NP_SPOOL_MARK_ACCEPTED);
    ok_gap(ledger, "host0:4318/", NP_SPOOL_NOT_HERE, end + 9, end + 10, INT64_MAX);
    np_spool_ledger_freep(&ledger);
}

TEST(a_line_that_takes_back_what_was_never_accepted_owes_nothing)
{
    NP_AUTO(np_freep) char *record = fresh_record("owes");
    struct np_spool_ledger *ledger = opened(record);

    note(ledger, HERE, 0, 100, NP_SPOOL_MARK_VOID);
    ok_int(np_spool_ledger_accepted(ledger, HERE, NP_OTLP_TRACES), 0);
    note(ledger, HERE, 0, 100, NP_SPOOL_MARK_ACCEPTED);
    ok_int(np_spool_ledger_accepted(ledger, HERE, NP_OTLP_TRACES), 10);
    np_spool_ledger_freep(&ledger);
}

TEST(ranges_beyond_the_end_of_the_record_are_void_and_those_before_it_stay)
{
    NP_AUTO(np_freep) char *record = fresh_record("void");
    struct np_spool_ledger *ledger = opened(record);
    struct np_spool_range pending;
    int64_t n_void;

    note(ledger, HERE, 0, 100, NP_SPOOL_MARK_ACCEPTED);
    note(ledger, HERE, 100, 200, NP_SPOOL_MARK_ACCEPTED);
    note(ledger, THERE, 200, 300, NP_SPOOL_MARK_DROPPED);
    note(ledger, HERE, 300, 400, NP_SPOOL_MARK_SENDING);
    ok_int(np_spool_ledger_cut(ledger, 400, &n_void, NULL), 0);
    ok_int(n_void, 0);
    ok_int(np_spool_ledger_cut(ledger, 150, &n_void, NULL), 0);
    ok_int(n_void, 3);
    for (int again = 0; again < 2; again++) {
        ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, 0, 100, INT64_MAX);
        ok_gap(ledger, THERE, NP_SPOOL_NOT_ANYWHERE, 0, 100, INT64_MAX);
        ok(!np_spool_ledger_in_flight(ledger, HERE, NP_OTLP_TRACES, NP_SPOOL_NOT_ANYWHERE,
                                      &pending));
        ok_int(np_spool_ledger_accepted(ledger, HERE, NP_OTLP_TRACES), 10);
        np_spool_ledger_freep(&ledger);
        ledger = opened(record);
        ok_int(np_spool_ledger_cut(ledger, 150, &n_void, NULL), 0);
        ok_int(n_void, 0);
    }
    note(ledger, HERE, 100, 160, NP_SPOOL_MARK_ACCEPTED); /* of the record that grew again */
    np_spool_ledger_freep(&ledger);
    ledger = opened(record);
    ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, 0, 160, INT64_MAX);
    np_spool_ledger_freep(&ledger);
}

TEST(who_holds_a_ledger_is_named)
{
    NP_AUTO(np_freep) char *record = fresh_record("holder");
    struct np_spool_ledger *ledger = opened(record), *other = NULL;
    NP_AUTO(np_freep) char *words = np_xasprintf("process %ld is sending", (long)getpid());
    struct np_error err = {0};

    ok_int(np_spool_ledger_open(record, &other, &err), NP_EBUSY);
    ok(strstr(err.text, words));
    np_spool_ledger_freep(&ledger);
}

TEST(a_ledger_is_a_regular_file_or_refused)
{
    static const char *const kinds[] = {"pipe", "folder", "device"};

    for (size_t i = 0; i < NP_COUNT(kinds); i++) {
        NP_AUTO(np_freep) char *record = fresh_record(kinds[i]);
        NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", record);
        struct np_spool_ledger *ledger = NULL;
        struct np_error err = {0};
        put_record(record, 0, 1);
        ok_int(i == 0   ? mkfifo(path, 0600)
               : i == 1 ? mkdir(path, 0700)
                        : symlink("/dev/null", path),
               0);
        ok_int(np_spool_ledger_open(record, &ledger, &err), NP_ECREATE);
        ok_contains(err.text, path);
        ok(np_spool_ledger_read(record, &ledger, NULL) < 0);
        ok(!ledger);
    }
}

/* A ledger is appended to: what a link leads to would be another file with lines of ours in it. */
TEST(a_link_in_a_ledgers_place_is_refused_and_what_it_leads_to_untouched)
{
    NP_AUTO(np_freep) char *record = fresh_record("linked");
    NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", record);
    NP_AUTO(np_freep) char *target = np_xasprintf("%s.other", record);
    struct np_spool_ledger *ledger = NULL;
    struct stat status;

    put_record(record, 0, 1);
    ok_int(symlink(target, path), 0);
    for (int exists = 0; exists < 2; exists++) {
        struct np_error err = {0};
        if (exists)
            ok_int(np_file_write_atomic(target, "my own\n", 7, NULL), 0);
        ok_int(np_spool_ledger_open(record, &ledger, &err), NP_ECREATE);
        ok_contains(err.text, "found a link; remove it");
        ok(np_spool_ledger_read(record, &ledger, NULL) < 0);
        ok(!ledger);
        ok_int(stat(target, &status), exists ? 0 : -1);
        ok(!exists || status.st_size == 7);
    }
}

TEST(looking_at_a_ledger_creates_none)
{
    NP_AUTO(np_freep) char *record = fresh_record("looked");
    NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", record);
    struct np_spool_ledger *ledger = NULL;

    ok_int(np_spool_ledger_read(record, &ledger, NULL), 0);
    note(ledger, HERE, 0, 100, NP_SPOOL_MARK_ACCEPTED);
    ok_gap(ledger, HERE, NP_SPOOL_NOT_ANYWHERE, 0, 100, INT64_MAX);
    np_spool_ledger_freep(&ledger);
    ok(!np_path_exists(path));
}

TEST(a_batch_is_named_by_what_is_in_it)
{
    const struct np_spool_range range = {10, 20}, other = {10, 21};
    char a[NP_SPOOL_BATCH_ID], b[NP_SPOOL_BATCH_ID];

    np_spool_batch_id("/here/r.otlp.jsonl", NP_OTLP_LOGS, &range, 0, 0, a);
    np_spool_batch_id("/moved/r.otlp.jsonl", NP_OTLP_LOGS, &range, 0, 0, b);
    ok_str(a, b);
    ok_int((int64_t)strlen(a), 32);
    np_spool_batch_id("r.otlp.jsonl", NP_OTLP_TRACES, &range, 0, 0, b);
    ok(strcmp(a, b) != 0);
    np_spool_batch_id("r.otlp.jsonl", NP_OTLP_LOGS, &other, 0, 0, b);
    ok(strcmp(a, b) != 0);
    np_spool_batch_id("r.otlp.jsonl", NP_OTLP_LOGS, &range, 0, 5, b);
    ok(strcmp(a, b) != 0);
}

static int use(const char *record)
{
    struct np_spool_ledger *ledger = NULL;
    int code = np_spool_ledger_open(record, &ledger, NULL);

    for (int64_t i = 0; code == 0 && i < 8; i++) {
        const struct np_spool_entry entry = {.destination = i % 2 ? HERE : THERE,
                                             .signal = NP_OTLP_METRICS,
                                             .range = {i * 100, i * 100 + 50},
                                             .mark = NP_SPOOL_MARK_ACCEPTED};
        code = np_spool_ledger_note(ledger, &entry, NULL);
    }
    np_spool_ledger_freep(&ledger);
    return code;
}

TEST(without_memory_it_says_so)
{
    NP_AUTO(np_freep) char *record = fresh_record("memory");
    int64_t nth = 0;
    int code;

    do {
        np_alloc_fail_at(++nth);
        code = use(record);
        ok(code == 0 || code == NP_ENOMEM);
    } while (code == NP_ENOMEM && nth < 200);
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok(nth > 5);
}

TAP_MAIN
