/* Measurements of a session that has ended: series, their attributes, the summary. */
#include "pipeline/observe.h"
#include "pipeline/rerun.h"
#include "pipeline/scene.h"
#include "trace/names.h"

/* A series that a test asks for. */
struct wanted {
    const struct np_metric_def *def;
    const char *const *pair; /* key, value, …, NULL: these attributes and no others; none: any */
    size_t n_attrs;          /* how many there are */
    int n_found;
    double value; /* of counters and gauges */
    uint64_t count;
    double sum;
    bool has_exemplar;
};

static bool matches(const struct wanted *wanted, const struct np_metric_point *point)
{
    if (strcmp(point->def->name, wanted->def->name) != 0 ||
        (wanted->n_attrs && point->attrs.n != wanted->n_attrs))
        return false;
    for (const char *const *pair = wanted->pair; *pair; pair += 2) {
        const char *text = text_of(&point->attrs, pair[0]);
        if (!text || strcmp(text, pair[1]) != 0)
            return false;
    }
    return true;
}

static void look(void *self, const struct np_metric_point *point, size_t n_points)
{
    struct wanted *wanted = self;

    for (size_t i = 0; i < n_points; i++) {
        if (!matches(wanted, &point[i]))
            continue;
        wanted->n_found++;
        wanted->value = point[i].value;
        wanted->count = point[i].count;
        wanted->sum = point[i].sum;
        wanted->has_exemplar = point[i].n_exemplars > 0;
    }
}

/* The one series of this metric with these attributes and no others (NULL: any of its series). */
static struct wanted series(const struct scene *scene, const struct np_metric_def *def,
                            const char *const *pair)
{
    struct wanted wanted = {.def = def, .pair = pair};

    while (pair[2 * wanted.n_attrs])
        wanted.n_attrs++;
    np_trace_snapshot(scene->run.trace, look, &wanted);
    return wanted;
}
#define SERIES(scene, def, ...) series((scene), &(def), (const char *const[]){__VA_ARGS__, NULL})

/* A file's record as a worker would have sent it. */
static void add_file(struct np_session_record *record, const char *modality, int code)
{
    struct np_file_record *file;

    record->file = np_xrealloc(record->file, (record->n_files + 1) * sizeof(*record->file));
    file = &record->file[record->n_files++];
    *file = (struct np_file_record){.path = np_xasprintf("sub-01/anat/sub-01_%s.nii.gz", modality),
                                    .modality = np_xstrdup(modality),
                                    .n_bytes = 1000,
                                    .state = code ? NP_STATE_FAILED : NP_STATE_SUCCESS};
    struct np_stage_record *load = np_file_record_stage(file, "load_file");
    load->start_ns = 1;
    load->wall_s = 0.5;
    load->state = NP_STATE_SUCCESS;
    struct np_stage_record *strip = np_file_record_stage(file, "skull_strip");
    strip->start_ns = 1;
    strip->wall_s = 2;
    strip->state = file->state;
    np_file_record_stage(file, "write_output"); /* not reached: no start */
    np_file_record_number(file, "skull_strip.volume", 1.4e6, "mm3");
    np_file_record_text(file, "normalization.method", "zscore");
    struct np_output_record *image = np_file_record_output(file, "sub-01/x.nii.gz");
    image->n_bytes = 300;
    memcpy(image->voxel_sha256, "ab", 3);
    np_file_record_output(file, "sub-01/x.json")->n_bytes = 20;
    if (code) {
        struct np_error why = {0};
        np_error_set(&why, code, "no brain");
        np_failure_set(&file->failure, &why, "skull_strip");
        np_failure_set(&record->failure, &why, "skull_strip");
        record->state = NP_STATE_FAILED;
    }
}

/* A settled session of this participant. */
static void begin(struct scene *scene, struct np_active *active, const char *participant,
                  const char *output)
{
    scene_begin(scene, participant, output);
    np_trace_set_metrics(scene->run.trace, NP_HISTOGRAM_EXPLICIT, NP_EXEMPLARS_ALL);
    np_active_init(active);
    active->run = &scene->run;
    active->job = &scene->plan->job[0];
    active->root.trace_id = scene->span->trace_id;
    active->root.span_id = scene->span->span_id;
    np_record_init(&active->record);
    active->record.state = NP_STATE_SUCCESS;
    active->record.wall_s = 3;
    active->record.cpu_s = 2.5;
    active->record.peak_rss_bytes = 1 << 20;
}

TEST(a_good_session_counts_its_session_its_files_and_their_sizes)
{
    struct scene scene;
    struct np_active active;

    begin(&scene, &active, "01", "good");
    add_file(&active.record, "T1w", 0);
    add_file(&active.record, "FLAIR", 0);
    np_observe_session(&active);
    ok_near(SERIES(&scene, np_metric_sessions_processed, "neuro.status", "success").value, 1, 0,
            "sessions");
    ok_near(
        SERIES(&scene, np_metric_files_processed, "neuro.status", "success", "bids.suffix", "FLAIR")
            .value,
        1, 0, "FLAIR files");
    struct wanted scans = SERIES(&scene, np_metric_scan_size, "neuro.format", "nii.gz");
    ok_int((int64_t)scans.count, 2);
    ok_near(scans.sum, 2000, 0, "bytes");
    struct wanted outputs = SERIES(&scene, np_metric_output_size, "neuro.format", "nii.gz");
    ok_int((int64_t)outputs.count, 2); /* images; sidecars do not count */
    ok_near(outputs.sum, 600, 0, "bytes");
    ok_int(SERIES(&scene, np_metric_errors, NULL).n_found, 0);
    session_done(&scene, &active);
}

TEST(an_image_counts_once_for_each_key_of_its_warnings)
{
    NP_AUTO(np_attrs_done) struct np_attrs of_session = {0}, of_good = {0};
    struct scene scene;
    struct np_active active;

    begin(&scene, &active, "01", "warned");
    add_file(&active.record, "T1w", 0);
    add_file(&active.record, "FLAIR", 0);
    add_file(&active.record, "T2w", 0);
    for (int i = 0; i < 2; i++)
        np_file_record_warn(&active.record.file[0], "mask-unsure", "twice");
    np_file_record_warn(&active.record.file[0], "header-mismatch", "of the T1w");
    np_file_record_warn(&active.record.file[1], "mask-unsure", "of the FLAIR");
    np_observe_session(&active);
    ok_near(SERIES(&scene, np_metric_warnings, "neuro.warning", "mask-unsure", "bids.suffix", "T1w")
                .value,
            1, 0, "T1w");
    ok_near(
        SERIES(&scene, np_metric_warnings, "neuro.warning", "mask-unsure", "bids.suffix", "FLAIR")
            .value,
        1, 0, "FLAIR");
    ok_near(
        SERIES(&scene, np_metric_warnings, "neuro.warning", "header-mismatch", "bids.suffix", "T1w")
            .value,
        1, 0, "header");
    ok_int(SERIES(&scene, np_metric_warnings, NULL).n_found, 3);
    ok_near(SERIES(&scene, np_metric_sessions_processed, "neuro.status", "success").value, 1, 0,
            "a success");
    np_observe_warnings(&active.record, &of_session);
    ok_str(text_of(&of_session, "neuro.warnings"), "mask-unsure;header-mismatch");
    np_observe_file_warnings(&active.record.file[2], &of_good);
    ok_int((int64_t)of_good.n, 0);
    session_done(&scene, &active);
}

TEST(stages_that_began_are_timed_with_the_session_s_trace_as_exemplar)
{
    struct scene scene;
    struct np_active active;

    begin(&scene, &active, "01", "timed");
    add_file(&active.record, "T1w", 0);
    np_observe_session(&active);
    struct wanted strip = SERIES(&scene, np_metric_stage_duration, "neuro.stage", "skull_strip");
    ok_int((int64_t)strip.count, 1);
    ok_near(strip.sum, 2, 1e-9, "s");
    ok(strip.has_exemplar);
    ok_int(SERIES(&scene, np_metric_stage_duration, "neuro.stage", "write_output").n_found, 0);
    struct wanted file = SERIES(&scene, np_metric_process_duration, "bids.suffix", "T1w");
    ok_near(file.sum, 2.5, 1e-9, "s, of the stages that began");
    session_done(&scene, &active);
}

TEST(a_failed_file_is_an_error_with_stage_and_type)
{
    struct scene scene;
    struct np_active active;

    begin(&scene, &active, "01", "failed");
    add_file(&active.record, "T1w", NP_EMETHOD);
    np_observe_session(&active);
    ok_near(SERIES(&scene, np_metric_errors, "neuro.stage", "skull_strip", "error.type",
                   "method-failed")
                .value,
            1, 0, "errors");
    ok_near(SERIES(&scene, np_metric_sessions_processed, "neuro.status", "failed").value, 1, 0,
            "sessions");
    ok_int((int64_t)SERIES(&scene, np_metric_stage_duration, "neuro.stage", "skull_strip",
                           "error.type", "method-failed")
               .count,
           1);
    ok_int((int64_t)SERIES(&scene, np_metric_stage_duration, "neuro.stage", "load_file").count, 1);
    session_done(&scene, &active);
}

TEST(a_session_that_failed_without_a_file_is_one_error)
{
    struct scene scene;
    struct np_active active;
    struct np_error why = {0};

    begin(&scene, &active, "01", "no-file");
    np_error_set(&why, NP_ESPACE, "no room");
    np_active_fail(&active, &why);
    np_observe_session(&active);
    ok_near(SERIES(&scene, np_metric_errors, "error.type", "io").value, 1, 0, "errors");
    ok(log_with(&scene, "failed after ") && log_with(&scene, ": no room (")); /* its summary */
    session_done(&scene, &active);
}

TEST(gauges_name_participant_and_site_where_there_is_one)
{
    struct scene scene;
    struct np_active active;

    begin(&scene, &active, "01", "site");
    add_file(&active.record, "T1w", 0);
    np_observe_session(&active);
    ok_near(
        SERIES(&scene, np_metric_session_duration, "bids.participant", "01", "neuro.site", "MNI")
            .value,
        3, 0, "s");
    ok_near(
        SERIES(&scene, np_metric_session_cpu_time, "bids.participant", "01", "neuro.site", "MNI")
            .value,
        2.5, 0, "s");
    const struct np_metric_def *volume = NULL;
    for (size_t i = 0; i < np_n_quality_metrics; i++)
        if (strcmp(np_quality_metrics[i].measure, "skull_strip.volume") == 0)
            volume = np_quality_metrics[i].def;
    ok(volume != NULL);
    ok_near(
        SERIES(&scene, *volume, "bids.participant", "01", "neuro.site", "MNI", "bids.suffix", "T1w")
            .value,
        1.4e6, 0, "mm3");
    session_done(&scene, &active);
    begin(&scene, &active, "02", "no-site"); /* participants.tsv says n/a */
    np_observe_session(&active);
    ok_int(SERIES(&scene, np_metric_session_duration, "bids.participant", "02").n_found, 1);
    session_done(&scene, &active);
}

TEST(each_file_has_a_summary_with_its_measures_and_the_session_has_one)
{
    struct scene scene;
    struct np_active active;

    begin(&scene, &active, "01", "summary");
    add_file(&active.record, "T1w", 0);
    add_file(&active.record, "FLAIR", NP_EMETHOD);
    np_observe_session(&active);
    const struct np_log_record *t1w = log_with(&scene, "'sub-01/anat/sub-01_T1w.nii.gz': success");
    const struct np_log_record *flair =
        log_with(&scene, "'sub-01/anat/sub-01_FLAIR.nii.gz': failed");
    const struct np_log_record *session = log_with(&scene, "sub-01: failed after 3.0 s");
    ok(t1w && flair && session);
    if (!t1w || !flair || !session)
        return;
    ok_str(text_of(&t1w->attrs, NP_KEY_EVENT_NAME), NP_EVENT_FILE_SUMMARY);
    ok_str(text_of(&t1w->attrs, NP_KEY_BIDS_SUFFIX), "T1w");
    ok_str(text_of(&t1w->attrs, NP_KEY_BIDS_PARTICIPANT), "01");
    ok_str(text_of(&t1w->attrs, NP_KEY_NEURO_OUTCOME), "ok");
    ok_str(text_of(&t1w->attrs, "neuro.normalization.method"), "zscore");
    ok(np_attrs_find(&t1w->attrs, "neuro.skull_strip.volume") != NULL);
    ok_str(text_of(&flair->attrs, NP_KEY_FILE_NAME), "sub-01_FLAIR.nii.gz");
    ok_str(text_of(&flair->attrs, NP_KEY_NEURO_STAGE), "skull_strip");
    ok_str(text_of(&session->attrs, NP_KEY_EVENT_NAME), NP_EVENT_SESSION_SUMMARY);
    ok(!np_attrs_find(&session->attrs, "neuro.skull_strip.volume"));
    session_done(&scene, &active);
}

TEST(a_summary_leads_to_the_session_s_folder_and_to_the_command_that_does_it_again)
{
    struct scene scene;
    struct np_active active;

    begin(&scene, &active, "01", "it's again");
    active.record.participant = np_xstrdup("01");
    add_file(&active.record, "T1w", 0);
    NP_AUTO(np_freep) char *bids = np_path_resolve(scene.config.bids_dir);
    NP_AUTO(np_freep) char *out = np_path_resolve(scene.config.output_dir);
    NP_AUTO(np_freep) char *folder = np_xasprintf("%s/sub-01", out);
    active.record.state = NP_STATE_SUCCESS;
    np_observe_session(&active);
    const struct np_log_record *good = log_with(&scene, "sub-01: success");
    ok(good != NULL);
    if (good) {
        const char *command = text_of(&good->attrs, "neuro.session.rerun");
        NP_AUTO(np_freep)
        char *begin_of = np_xasprintf("neuro-preprocess %s '%.*s/it'\\''s again' participant ",
                                      bids, (int)(strlen(out) - strlen("/it's again")), out);
        ok_str(text_of(&good->attrs, "neuro.session.folder"), folder);
        ok(command && np_starts_with(command, begin_of));
        ok_contains(command, " --participant-label 01 --session-label unnamed --rerun all");
    }
    active.record.state = NP_STATE_FAILED;
    np_observe_session(&active);
    const struct np_log_record *bad = log_with(&scene, "sub-01: failed");
    ok(bad != NULL);
    if (bad) {
        ok_contains(text_of(&bad->attrs, "neuro.session.folder"), "/logs/sub-01");
        ok(!strstr(text_of(&bad->attrs, "neuro.session.rerun"), "--rerun"));
    }
    session_done(&scene, &active);
}

TEST(in_an_image_the_command_starts_the_image_with_its_folders)
{
    char participant[] = "01";
    struct np_session_record record = {.participant = participant, .state = NP_STATE_FAILED};
    struct np_config config;

    setenv("APPTAINER_CONTAINER", "/images/np 1.sif", 1);
    setenv("APPTAINER_BIND", "/bids,/out", 1);
    np_config_init(&config);
    config.bids_dir = np_xstrdup("/bids");
    config.output_dir = np_xstrdup("/out");
    NP_AUTO(np_freep) char *command = np_rerun_command(&config, &record);
    unsetenv("APPTAINER_CONTAINER");
    unsetenv("APPTAINER_BIND");
    ok_str(command, "apptainer exec --bind /bids,/out '/images/np 1.sif' "
                    "neuro-preprocess /bids /out participant --participant-label 01 "
                    "--session-label unnamed");
    np_config_done(&config);
}

TAP_MAIN
