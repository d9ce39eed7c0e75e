#include "pipeline/working.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/session.h"
#include "pipeline/wire.h"
#include "pipeline/worker.h"

void np_working_init(struct np_working *working)
{
    *working = (struct np_working){.worker = {.fd = -1}};
}

void np_working_done(struct np_working *working)
{
    np_child_stop(&working->worker, SIGKILL, 0, NULL);
    for (size_t i = 0; i < working->n_open; i++)
        np_span_freep(&working->open[i]);
    free(working->open);
    np_str_done(&working->inbox);
    np_working_init(working);
}

/* Arguments of the worker's process. */
struct start {
    const struct np_active *active;
    const struct np_span *run_span;
    const struct np_targets_seen *seen;
};

/* The worker after the fork. */
static int be_worker(void *context, int fd)
{
    const struct start *start = context;
    const struct np_active *active = start->active;
    const struct np_worker_task task = {
        .config = active->run->config,
        .plan = active->run->plan,
        .job = active->job,
        .resource = np_trace_resource(active->run->trace),
        .session = active->span,
        .run = start->run_span,
        .seen = start->seen,
        .cancel = active->run->cancel,
        .fd = fd,
    };

    np_span_export_environment(active->span ? active->span : start->run_span);
    np_worker_run(&task);
    return EXIT_SUCCESS;
}

int np_active_work(struct np_active *active, const struct np_span *run_span,
                   const struct np_targets_seen *seen, struct np_error *err)
{
    struct start start = {.active = active, .run_span = run_span, .seen = seen};
    const struct np_child_options worker = {
        .channel = NP_CHILD_PIPE,
        .signals = NP_CHILD_INHERITS_HANDLERS,
        .death_signal = SIGKILL, /* else its outputs would have no record */
        .run = be_worker,
        .context = &start,
    };

    if (np_child_start(&worker, &active->working.worker, err) < 0) {
        np_error_context(err, "'%s': no worker", active->job->label);
        return NP_EBUSY;
    }
    active->phase = NP_PHASE_WORKING;
    return 0;
}

static void remember_open(struct np_working *working, struct np_span *span)
{
    working->open = np_xrealloc(working->open, (working->n_open + 1) * sizeof(*working->open));
    working->open[working->n_open++] = span;
}

static void forget_open(struct np_working *working, const struct np_span *ended)
{
    for (size_t i = 0; i < working->n_open; i++)
        if (memcmp(&working->open[i]->span_id, &ended->span_id, sizeof(ended->span_id)) == 0) {
            np_span_freep(&working->open[i]);
            working->open[i] = working->open[--working->n_open];
            return;
        }
}

static void take_span(struct np_active *active, const struct np_frame *frame)
{
    NP_AUTO(np_span_freep) struct np_span *span = NULL;

    if (!np_wire_span(frame, &span))
        return;
    if (!active->record.trace_id[0])
        np_trace_id_hex(&span->trace_id, active->record.trace_id);
    if (frame->type == NP_FRAME_SPAN_START) {
        np_trace_span_start(active->run->trace, span);
        remember_open(&active->working, span);
        span = NULL;
        return;
    }
    if (np_span_id_is_zero(&span->parent_id))
        np_active_settle_trace(active, span);
    np_trace_span_end(active->run->trace, span);
    forget_open(&active->working, span);
}

static void take_log(struct np_active *active, const struct np_frame *frame)
{
    struct np_log_record record;

    if (!np_wire_log(frame, &record))
        return;
    np_active_log_record(active, &record);
    np_log_record_done(&record);
}

/* The worker does not know about kept outputs. */
static void move_kept(struct np_file_record *from, struct np_file_record *to)
{
    np_strings_done(&to->kept);
    to->kept = from->kept;
    from->kept = (struct np_strings){0};
    memcpy(to->kept_input_sha256, from->kept_input_sha256, sizeof(to->kept_input_sha256));
    memcpy(to->kept_config_sha256, from->kept_config_sha256, sizeof(to->kept_config_sha256));
}

static void take_file(struct np_active *active, const struct np_frame *frame)
{
    NP_AUTO(np_freep) char *json = NULL;
    struct np_file_record file = {0};
    uint32_t index;

    if (!np_wire_file(frame, &index, &json) || index >= active->job->n_files ||
        np_file_record_parse(json, &file, NULL) < 0)
        return;
    move_kept(&active->record.file[index], &file);
    np_file_record_move(&file, &active->record.file[index]);
    np_active_heartbeat(active);
}

static void take_frames(struct np_active *active)
{
    struct np_str *inbox = &active->working.inbox;
    size_t position = 0;
    struct np_frame frame;

    while (np_wire_next(inbox, &position, &frame)) {
        if (frame.type == NP_FRAME_LOG)
            take_log(active, &frame);
        else if (frame.type == NP_FRAME_FILE)
            take_file(active, &frame);
        else
            take_span(active, &frame);
    }
    if (position > 0) {
        inbox->length -= position;
        memmove(inbox->text, inbox->text + position, inbox->length + 1);
    }
}

bool np_active_read(struct np_active *active)
{
    char buffer[65536];

    for (;;) {
        ssize_t n = read(active->working.worker.fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0) {
            np_child_close(&active->working.worker);
            return false;
        }
        np_str_add_bytes(&active->working.inbox, buffer, (size_t)n);
        take_frames(active);
    }
}

void np_active_stop(struct np_active *active, int signal)
{
    if (active->working.worker.pid > 0)
        kill(active->working.worker.pid, signal);
}

void np_active_kill_late(struct np_active *active)
{
    struct np_working *working = &active->working;

    if (working->worker.pid > 0 && !working->was_too_late &&
        kill(working->worker.pid, SIGKILL) == 0)
        working->was_too_late = true;
}
