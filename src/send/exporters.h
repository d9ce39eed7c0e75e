/* The OTLP exporters of a process, one for each signal, as callers of deliveries see them: counts
 * and last failures. */
#ifndef NP_SEND_EXPORTERS_H
#define NP_SEND_EXPORTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "send/network.h"
#include "send/settings.h"

/* Counts of spans, log records and data points in this process, and of requests. */
struct np_send_tally {
    int64_t n_exported; /* accepted by the server */
    int64_t n_rejected; /* lost: rejected by a partial success */
    int64_t n_dropped;  /* lost: refused for good, or too large for a request of its own */
    int64_t n_requests;
    int64_t n_failed; /* requests of which nothing was accepted */
    int64_t n_bytes;  /* of accepted bodies, before compression */
};

struct np_send_exporters;

/* `settings` is borrowed; `seed` is for the jitter. The caller releases it with
 * np_send_exporters_freep. */
struct np_send_exporters *np_send_exporters_new(const struct np_send_settings *settings,
                                                const struct np_send_network *network,
                                                uint64_t seed);
void np_send_exporters_freep(struct np_send_exporters **exporters);

const struct np_send_tally *np_send_exporters_tally(const struct np_send_exporters *exporters,
                                                    enum np_otlp_signal signal);

/* The last failure of a signal, for people; "" = none. */
const char *np_send_exporters_trouble(const struct np_send_exporters *exporters,
                                      enum np_otlp_signal signal);

/* True when some server has answered and no exporter is down: there is time for earlier records. */
bool np_send_exporters_are_up(const struct np_send_exporters *exporters);

#endif
