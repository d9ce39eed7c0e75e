/* Records that are needed no more. */
#include <sys/stat.h>

#include "script.h"
#include "send/acknowledged.h"
#include "tap.h"

/* Send a record of ten spans and log records to a server with these answers. */
static char *sent_record(const char *name, const char *answers,
                         const struct np_send_settings *settings)
{
    char *record = fresh_record(name);
    struct script script = {.answers = answers, .now_ns = 1};
    const struct np_send_network network = network_of(&script);
    const struct np_send_delivery_options options = {.state = NP_SPOOL_COMPLETE};
    NP_AUTO(np_send_delivery_freep) struct np_send_delivery *delivery = NULL;
    struct np_send_exporters exporters;

    put_record(record, 0, 10);
    np_send_exporters_init(&exporters, settings, &network, 1);
    ok_int(np_send_delivery_open(record, &exporters, &options, &delivery, NULL), 0);
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        enum np_send_step step = NP_SEND_STEP_ON;
        for (int n = 0; n < 20 && step != NP_SEND_STEP_DONE; n++) {
            int64_t when_ns;
            step = np_send_delivery_step(delivery, (enum np_otlp_signal)i, &when_ns);
            if (step == NP_SEND_STEP_LATER)
                script.now_ns = when_ns;
        }
    }
    script_done(&script);
    return record;
}

static bool is_acknowledged(const char *record, const struct np_send_settings *settings)
{
    bool is_all = false;

    ok_int(np_send_acknowledged(record, settings, &is_all, NULL), 0);
    return is_all;
}

TEST(a_record_is_acknowledged_when_all_of_it_was_accepted_by_this_destination)
{
    static const struct {
        const char *answers;
        bool is_all;
    } table[] = {
        {"A", true}, {"SA", true}, {"U", false}, {"X", false}, {"AX", false}, {"PA", false},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct np_send_settings settings = test_settings();
        NP_AUTO(np_freep) char *name = np_xasprintf("ack%zu", i);
        NP_AUTO(np_freep) char *record = sent_record(name, table[i].answers, &settings);
        tap_check(is_acknowledged(record, &settings) == table[i].is_all, __FILE__, __LINE__, "%s",
                  table[i].answers);
    }
}

TEST(another_destination_has_acknowledged_nothing)
{
    struct np_send_settings settings = test_settings();
    NP_AUTO(np_freep) char *record = sent_record("elsewhere", "A", &settings);
    char id[] = "elsewhere.example:4318/v1/x";

    settings.to[NP_OTLP_LOGS].id = id;
    ok(!is_acknowledged(record, &settings));
}

TEST(a_signal_without_a_destination_is_not_acknowledged_unless_the_record_has_none_of_it)
{
    struct np_send_settings settings = test_settings();
    NP_AUTO(np_freep) char *record = sent_record("signal", "A", &settings);

    settings.exporters[NP_OTLP_METRICS] = 0; /* the record has no metrics */
    ok(is_acknowledged(record, &settings));
    settings.exporters[NP_OTLP_LOGS] = 0;
    ok(!is_acknowledged(record, &settings));
}

TEST(asking_writes_nothing)
{
    struct np_send_settings settings = test_settings();
    NP_AUTO(np_freep) char *record = fresh_record("asked");
    NP_AUTO(np_freep) char *ledger = np_xasprintf("%s.ledger", record);

    put_record(record, 0, 3);
    ok(!is_acknowledged(record, &settings));
    ok(!np_path_exists(ledger));
}

TEST(a_record_and_its_ledger_and_mark_are_removed_together)
{
    struct np_send_settings settings = test_settings();
    NP_AUTO(np_freep) char *record = sent_record("removed", "A", &settings);
    NP_AUTO(np_freep) char *folder = np_path_directory(record);
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    ok_int(np_spool_pending_mark(record, NULL), 0);
    ok_int(np_spool_pending_remove(record, NULL), 0);
    ok_int(np_directory_list(folder, &names, NULL), 0);
    ok_int((int64_t)names.n, 1); /* the folder of marks, which is empty */
    ok_int(np_spool_pending_remove(record, NULL), NP_EIO);
}

TAP_MAIN
