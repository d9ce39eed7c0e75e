/*
 * A run on a small dataset, for tests of pipeline: a brain of 4 mm voxels without its skull (its
 * mask is then its support, which saves the second that finding one takes), a plan, a trace that
 * keeps what it is given, a console without output. sub-01 and sub-02 hold the brain, sub-03
 * a file that is no image, sub-04 nothing.
 */
#ifndef NP_TESTS_PIPELINE_SCENE_H
#define NP_TESTS_PIPELINE_SCENE_H

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "image/nifti.h"
#include "pipeline/committed.h"
#include "pipeline/open.h"
#include "pipeline/run.h"
#include "pipeline/settled.h"
#include "synth/head.h"
#include "tap.h"

/* Spans and log records that the trace was given. */
struct seen {
    struct np_span **span; /* ended */
    size_t n_spans;
    struct np_log_record *log;
    size_t n_logs;
};

struct scene {
    struct np_config config;
    struct np_plan *plan;
    struct np_console console;
    struct np_cancel cancel;
    struct np_run run;
    struct np_span *span; /* of the run */
    struct seen seen;
};

static inline void put(const char *path, const void *bytes, size_t n)
{
    NP_AUTO(np_freep) char *folder = np_path_directory(path);

    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(np_file_write_atomic(path, bytes, n, NULL), 0);
}

static inline char *head_path(const char *bids, const char *participant)
{
    return np_xasprintf("%s/sub-%s/anat/sub-%s_T1w.nii", bids, participant, participant);
}

static inline void write_head(const char *path)
{
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_freep) char *folder = np_path_directory(path);
    const struct np_nifti_info like = {.version = 1, .xform_code = 1};
    const struct np_nifti_output how = {.like = &like, .description = ""};
    struct np_synth_options options;
    struct np_nifti_written written;

    np_synth_options_init(&options);
    for (int i = 0; i < 3; i++)
        options.spacing_mm[i] = 4;
    ok_int(np_synth_head(&options, NULL, &head, NULL), 0);
    for (size_t i = 0; i < np_grid_voxels(&head.image->grid); i++)
        head.image->voxel[i] *= head.brain->voxel[i];
    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(np_nifti_write_image(path, path, head.image, &how, NULL, &written, NULL), 0);
}

/* The dataset, made once for all tests of a program; only read. */
static inline const char *dataset(void)
{
    static const char description[] = "{\"Name\": \"x\", \"BIDSVersion\": \"1.8.0\"}";
    static const char sites[] = "participant_id\tsite\nsub-01\tMNI\nsub-02\tn/a\n";
    static char *bids;

    if (bids)
        return bids;
    bids = np_path_join(tap_directory(), "bids");
    NP_AUTO(np_freep) char *first = head_path(bids, "01");
    NP_AUTO(np_freep) char *second = head_path(bids, "02");
    NP_AUTO(np_freep) char *broken = head_path(bids, "03");
    NP_AUTO(np_freep) char *empty = np_path_join(bids, "sub-04/anat");
    NP_AUTO(np_freep) char *name = np_path_join(bids, "dataset_description.json");
    NP_AUTO(np_freep) char *table = np_path_join(bids, "participants.tsv");
    NP_AUTO(np_freep) char *folder = np_path_directory(second);
    put(name, description, strlen(description));
    put(table, sites, strlen(sites));
    write_head(first);
    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(link(first, second), 0);
    put(broken, "no image", 8);
    ok_int(np_directory_make(empty, NULL), 0);
    return bids;
}

static inline void see_span(void *self, const struct np_span *span)
{
    struct seen *seen = self;

    seen->span = np_xrealloc(seen->span, (seen->n_spans + 1) * sizeof(struct np_span *));
    seen->span[seen->n_spans++] = np_span_copy(span);
}

static inline void see_log(void *self, const struct np_log_record *record)
{
    struct seen *seen = self;

    seen->log = np_xrealloc(seen->log, (seen->n_logs + 1) * sizeof(*seen->log));
    struct np_log_record *copy = &seen->log[seen->n_logs++];
    *copy = (struct np_log_record){.severity = record->severity, .body = np_xstrdup(record->body)};
    np_attrs_copy(&record->attrs, &copy->attrs);
}

/* The ended span of this name, the last one; NULL when there was none. */
static inline const struct np_span *span_named(const struct scene *scene, const char *name)
{
    for (size_t i = scene->seen.n_spans; i-- > 0;)
        if (strcmp(scene->seen.span[i]->name, name) == 0)
            return scene->seen.span[i];
    return NULL;
}

static inline const char *text_of(const struct np_attrs *attrs, const char *key)
{
    for (size_t i = 0; i < attrs->n; i++)
        if (strcmp(attrs->item[i].key, key) == 0 && attrs->item[i].type == NP_ATTR_STRING)
            return attrs->item[i].value.string;
    return NULL;
}

/* The last log record with this text in it; NULL when there was none. */
static inline const struct np_log_record *log_with(const struct scene *scene, const char *text)
{
    for (size_t i = scene->seen.n_logs; i-- > 0;)
        if (strstr(scene->seen.log[i].body, text))
            return &scene->seen.log[i];
    return NULL;
}

/* Settings of a run over these participants (by spaces), into an output folder of this name. */
static inline void scene_configure(struct scene *scene, const char *participants,
                                   const char *output)
{
    NP_AUTO(np_freep) char *labels = np_xstrdup(participants);
    struct np_config *config = &scene->config;

    *scene = (struct scene){0};
    np_config_init(config);
    config->bids_dir = np_xstrdup(dataset());
    config->output_dir = np_path_join(tap_directory(), output);
    config->mem_bytes = INT64_C(1) << 30;
    config->bias_correction = NP_BIAS_NONE;
    config->skull_strip =
        NP_SKULL_STRIP_CLASSIC; /* sees without the network that there is no skull */
    config->verbosity = -1;
    config->parallel = 1;
    for (char *rest = labels, *label; (label = strtok_r(rest, " ", &rest));)
        np_strings_add(&config->participants, label);
}

/* Plan and prepare what was configured. */
static inline void scene_open(struct scene *scene)
{
    struct np_error err = {0};
    const struct np_trace_sink sink = {.self = &scene->seen, .span_end = see_span, .log = see_log};

    signal(SIGXFSZ, SIG_IGN); /* as np_signals_install does */
    ok_int(np_plan_make(&scene->config, &scene->plan, &err), 0);
    ok_str(err.text, "");
    np_console_init(&scene->console, -1);
    scene->console.bar = false;
    scene->console.err = fopen("/dev/null", "we");
    scene->run = (struct np_run){.config = &scene->config,
                                 .plan = scene->plan,
                                 .trace = np_trace_new(NULL),
                                 .console = &scene->console,
                                 .cancel = &scene->cancel,
                                 .version = "0.0.0",
                                 .sampler = {.ratio = 1}};
    np_trace_add_sink(scene->run.trace, sink);
    np_run_id(scene->run.id);
    ok_int(np_run_prepare(&scene->run, &err), 0);
    ok_str(err.text, "");
    scene->span = np_span_new("test", NULL);
}

static inline void scene_begin(struct scene *scene, const char *participants, const char *output)
{
    scene_configure(scene, participants, output);
    scene_open(scene);
}

static inline void scene_done(struct scene *scene)
{
    np_span_freep(&scene->span);
    np_trace_freep(&scene->run.trace);
    np_results_done(&scene->run.results);
    np_plan_freep(&scene->plan);
    np_config_done(&scene->config);
    fclose(scene->console.err);
    for (size_t i = 0; i < scene->seen.n_spans; i++)
        np_span_freep(&scene->seen.span[i]);
    for (size_t i = 0; i < scene->seen.n_logs; i++)
        np_log_record_done(&scene->seen.log[i]);
    free(scene->seen.span);
    free(scene->seen.log);
}

static inline void session_done(struct scene *scene, struct np_active *active)
{
    np_record_done(&active->record);
    scene_done(scene);
}

/* The flag that the handler sets, as the program's own does. */
static inline struct np_cancel **handled(void)
{
    static struct np_cancel *cancel;

    return &cancel;
}

static inline void note_signal(int signal)
{
    (*handled())->signal = signal;
}

/* Run with TERM handled; `sender`, a child, is what sends it. False when it failed. */
static inline bool run_until_term(struct scene *scene, int (*sender)(void *, int), void *context)
{
    const struct np_child_options options = {
        .signals = NP_CHILD_ENDS_ON_SIGNALS, .run = sender, .context = context};
    struct np_child child;
    struct np_child_end end;

    *handled() = &scene->cancel;
    void (*old)(int) = signal(SIGTERM, note_signal);
    ok_int(np_child_start(&options, &child, NULL), 0);
    np_run_execute(&scene->run);
    signal(SIGTERM, old);
    *handled() = NULL;
    np_child_stop(&child, 0, 20, &end);
    return end.wait_status == 0;
}

/* The state that a record file holds; NP_N_STATES when there is none. */
static inline enum np_state state_on_disk(const char *path)
{
    NP_AUTO(np_record_done) struct np_session_record record = {0};

    return np_record_read(path, &record, NULL) == 0 ? record.state : NP_N_STATES;
}

/* Read until the worker has ended; false when that takes longer than 20 s. */
static inline bool read_until_worker_ends(struct np_active *active)
{
    for (int i = 0; i < 200; i++) {
        struct pollfd fd = {.fd = np_active_fd(active), .events = POLLIN};
        if (poll(&fd, 1, 100) > 0 && !np_active_read(active))
            return true;
    }
    return false;
}

#endif
