/*
 * Deliver the record to a network that takes nothing: what asks for a request is not acknowledged.
 */
#include "send/acknowledged.h"

#include "send/delivery.h"
#include "send/exporter.h"
#include "spool/ledger.h"

static void refuse_request(void *self, const struct np_send_request *request, int64_t deadline_ns,
                           struct np_send_reply *reply)
{
    bool *is_asked = self;

    (void)request;
    (void)deadline_ns;
    *is_asked = true;
    *reply =
        (struct np_send_reply){.outcome = NP_SEND_CANCELED, .grpc_status = -1, .retry_after_s = -1};
}

static int64_t now_ns(void *self)
{
    (void)self;
    return 0;
}

/* True when a signal has something that its destination has not acknowledged. */
static bool is_missing(struct np_send_delivery *delivery, const struct np_send_exporters *exporters,
                       enum np_otlp_signal signal, const bool *is_asked)
{
    enum np_send_step step;
    int64_t when_ns;

    do
        step = np_send_delivery_step(delivery, signal, &when_ns);
    while (step == NP_SEND_STEP_ON && !*is_asked);
    return *is_asked || step != NP_SEND_STEP_DONE ||
           np_send_exporters_tally(exporters, signal)->n_dropped > 0;
}

/* The settings, with a destination for each signal: one that has acknowledged nothing where there is
 * none. It borrows. */
static struct np_send_settings with_all_signals(const struct np_send_settings *settings)
{
    static char nowhere[] = "nowhere";
    struct np_send_settings all = *settings;

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (!all.to[i].url || !(all.exporters[i] & NP_SEND_TO_OTLP)) {
            all.to[i].url = all.to[i].id = nowhere;
            all.exporters[i] |= NP_SEND_TO_OTLP;
        }
    return all;
}

static bool has_rejected(const struct np_spool_ledger *ledger,
                         const struct np_send_settings *settings)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (np_spool_ledger_rejected(ledger, settings->to[i].id, (enum np_otlp_signal)i) > 0)
            return true;
    return false;
}

int np_send_acknowledged(const char *record_path, const struct np_send_settings *settings,
                         bool *is_all, struct np_error *err)
{
    const struct np_send_settings all = with_all_signals(settings);
    const struct np_send_delivery_options options = {
        .state = NP_SPOOL_COMPLETE, .scope = NP_SPOOL_NOT_HERE, .is_dry_run = true};
    NP_AUTO(np_send_delivery_freep) struct np_send_delivery *delivery = NULL;
    NP_AUTO(np_spool_ledger_freep) struct np_spool_ledger *ledger = NULL;
    struct np_send_exporters exporters;
    bool is_asked = false, is_whole = true;
    const struct np_send_network network = {&is_asked, refuse_request, now_ns};

    np_send_exporters_init(&exporters, &all, &network, 0);
    NP_TRY(np_spool_ledger_read(record_path, &ledger, err));
    NP_TRY(np_send_delivery_open(record_path, &exporters, &options, &delivery, err));
    for (int i = 0; i < NP_OTLP_N_SIGNALS && is_whole; i++)
        is_whole = !is_missing(delivery, &exporters, (enum np_otlp_signal)i, &is_asked);
    *is_all = is_whole && !has_rejected(ledger, &all);
    return 0;
}
