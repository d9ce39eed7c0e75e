/*
 * The page that a Prometheus server fetches during a long run: GET /metrics in the text format
 * 0.0.4 (OTEL_METRICS_EXPORTER=prometheus). A process of its own talks to the network, so that no
 * slow or hostile client can hold up a run; it asks the supervisor for the numbers of the moment
 * and ends with it.
 */
#ifndef NP_SHOW_PULL_H
#define NP_SHOW_PULL_H

#include <stddef.h>

#include "base/error.h"

struct np_show_pull;

/*
 * Listen at `host` (a name or an address) and `port` (0 = any that is free) and start the process;
 * call it before threads exist. Returns 0, NP_EBUSY (the port is taken, no process), NP_EUSAGE (no
 * such host), NP_EIO. On failure `*pull` is untouched.
 */
int np_show_pull_start(const char *host, int port, struct np_show_pull **pull,
                       struct np_error *err);

/* The port that it listens at. */
int np_show_pull_port(const struct np_show_pull *pull);

/* Readable when somebody asks for the page: call np_show_pull_answer then. */
int np_show_pull_fd(const struct np_show_pull *pull);

/* Hand over the page; never waits. */
void np_show_pull_answer(struct np_show_pull *pull, const char *text, size_t n_bytes);

/* End the process; nulls the pointer, accepts a pointer to NULL. */
void np_show_pull_stop(struct np_show_pull **pull);

#endif
