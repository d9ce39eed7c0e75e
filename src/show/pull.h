/*
 * The page that a Prometheus server scrapes during a long run: GET /metrics in the text format
 * 0.0.4 (OTEL_METRICS_EXPORTER=prometheus). A child process, the page server, talks to the clients,
 * so that a slow or hostile client cannot delay the run; none delays another either. For each page the page server asks the
 * supervisor for the numbers of that moment. It ends with the supervisor.
 */
#ifndef NP_SHOW_PULL_H
#define NP_SHOW_PULL_H

#include <stddef.h>

#include "base/error.h"

struct np_show_pull;

/*
 * Listen at `host` (a name or an address) and `port` (0 = any free one) and start the page server.
 * A name server that does not answer costs `deadline_s`. Call it before threads exist. Returns 0,
 * NP_EBUSY (the port is in use, no process), NP_EUSAGE (no such host, no answer of a name server),
 * NP_EIO. On failure `*pull` is untouched.
 */
int np_show_pull_start(const char *host, int port, double deadline_s, struct np_show_pull **pull,
                       struct np_error *err) NP_MUST_USE;

/* The port at which the page server listens. */
int np_show_pull_port(const struct np_show_pull *pull);

/* A descriptor that is readable when the page server asks for the page: call np_show_pull_answer
 * then. */
int np_show_pull_fd(const struct np_show_pull *pull);

/* Hand over the page, `n_bytes` at `text`; never waits. */
void np_show_pull_answer(struct np_show_pull *pull, const char *text, size_t n_bytes);

/* End the page server; nulls the pointer, accepts a pointer to NULL. */
void np_show_pull_stop(struct np_show_pull **pull);

#endif
