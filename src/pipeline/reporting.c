#include "pipeline/reporting.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "pipeline/session.h"

void np_reporting_init(struct np_reporting *reporting)
{
    *reporting = (struct np_reporting){.child = {.fd = -1}};
}

void np_reporting_done(struct np_reporting *reporting)
{
    np_child_stop(&reporting->child, SIGKILL, 0, NULL);
    np_str_done(&reporting->trouble);
}

/* The child's side: a sentence up the pipe when there is no report. */
static int be_reporter(void *context, int channel)
{
    const struct np_active *active = context;
    const struct np_reporter *reporter = &active->run->reporter;
    const struct np_report_task task = {
        .record = &active->record, .job = active->job, .config = active->run->config};
    struct np_error err = {0};

    if (reporter->write(reporter->self, &task, &err) == 0)
        return EXIT_SUCCESS;
    /* Without the sentence, the exit status still shows that there is no report. */
    NP_IGNORE(np_fd_write_all(channel, err.text, strlen(err.text)));
    return EXIT_FAILURE;
}

static void warn(struct np_active *active, const char *why)
{
    NP_AUTO(np_freep) char *text = np_xasprintf("no report: %s", why);

    np_active_log(active, NP_WARN, text);
}

bool np_active_report(struct np_active *active)
{
    const struct np_reporter *reporter = &active->run->reporter;
    const struct np_child_options options = {
        .channel = NP_CHILD_PIPE,
        .signals = NP_CHILD_ENDS_ON_SIGNALS,
        .death_signal = SIGKILL,
        .run = be_reporter,
        .context = active,
    };
    struct np_error err = {0};

    active->phase = NP_PHASE_REPORTING;
    if (!reporter->write || active->job->n_files == 0 || active->run->cancel->signal)
        return false;
    np_trace_settle(active->run->trace);
    if (np_child_start(&options, &active->reporting.child, &err) < 0) {
        warn(active, err.text);
        return false;
    }
    active->reporting.until_ns = np_clock_mono_ns() + (int64_t)(reporter->deadline_s * 1e9);
    return true;
}

/* Take what the child says; false once it has closed its end. */
static bool read_trouble(struct np_reporting *reporting)
{
    enum { MOST_TROUBLE = sizeof(((struct np_error *)0)->text) };
    char buffer[MOST_TROUBLE];
    ssize_t n;

    while ((n = read(reporting->child.fd, buffer, sizeof(buffer))) > 0)
        if (reporting->trouble.length < MOST_TROUBLE)
            np_str_add_bytes(&reporting->trouble, buffer, (size_t)n);
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void log_end(struct np_active *active, int wait_status)
{
    char text[80];

    if (wait_status == 0)
        return;
    if (WIFSIGNALED(wait_status))
        snprintf(text, sizeof(text), "its process died of signal %d", WTERMSIG(wait_status));
    else
        snprintf(text, sizeof(text), "its process ended with status %d", WEXITSTATUS(wait_status));
    warn(active, active->reporting.trouble.length ? np_str_text(&active->reporting.trouble) : text);
}

bool np_active_report_is_over(struct np_active *active)
{
    struct np_reporting *reporting = &active->reporting;
    bool is_stopped = active->run->cancel->signal != 0;
    bool is_late = np_clock_mono_ns() > reporting->until_ns;
    struct np_child_end end;

    if (!read_trouble(reporting)) {
        np_child_stop(&reporting->child, 0, 1, &end);
        log_end(active, end.wait_status);
        return true;
    }
    if (!is_stopped && !is_late)
        return false;
    np_child_stop(&reporting->child, SIGKILL, 0, NULL);
    warn(active, is_stopped ? "the run was stopped" : "it took too long, and was stopped");
    return true;
}
