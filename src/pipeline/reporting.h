/*
 * Phase "reporting": between the moment when a session's record is final in memory and the moment
 * when it is committed to disk, a child process may write a page for people. The order is fixed:
 *   1. settled: states, failures, measures, outputs and times of the record are final
 *   2. the report is written from that record, also for a session that failed or whose worker was
 *      killed
 *   3. committed: status record, then completion record
 * so a session that is complete has its report, and a report never speaks of a session that may yet
 * end otherwise. A report that fails, crashes or takes too long is a warning in the session's log;
 * it never changes the session's state, its record or the run's exit status. Other sessions go on
 * meanwhile. When a signal stops the run, no report is begun and one at work is stopped: the state
 * on disk comes first. Inside pipeline/ only, but for struct np_reporter.
 */
#ifndef NP_PIPELINE_REPORTING_H
#define NP_PIPELINE_REPORTING_H

#include "base/child.h"
#include "config/config.h"
#include "pipeline/job.h"
#include "record/record.h"

struct np_active;

/* All borrowed. */
struct np_report_task {
    const struct np_session_record *record; /* final in all but its commit */
    const struct np_job *job;
    const struct np_config *config;
};

/* The writer of reports. */
struct np_reporter {
    /*
     * Called in the child, which may crash without harm: threads, temporary files beside their
     * targets and atomic renames are its own business; it prints nothing. Returns 0, or NP_E… with
     * one sentence. NULL = a run without reports.
     */
    int (*write)(void *self, const struct np_report_task *task, struct np_error *err);
    void *self;
    /* It is killed when it takes longer. Below NP_HEARTBEAT_LOST_S: the record's heartbeat rests
     * until the commit. */
    double deadline_s;
};

/* The state of this phase. */
struct np_reporting {
    struct np_child child;
    int64_t until_ns;      /* monotonic: its deadline */
    struct np_str trouble; /* why there is no report, in the child's words */
};

void np_reporting_init(struct np_reporting *reporting);
void np_reporting_done(struct np_reporting *reporting);

/* Begin the report of a settled session. False when there is nothing to wait for: there is no
 * reporter, the session has no images, the run is being stopped, or no process could be started. */
bool np_active_report(struct np_active *active);

/* Check on the child, also when it has sent nothing: true once it has ended, by itself, at its
 * deadline or because the run is being stopped. A failure is then logged. */
bool np_active_report_is_over(struct np_active *active);

#endif
