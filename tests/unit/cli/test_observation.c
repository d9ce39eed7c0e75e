/* A run's observation: one open, one close, and what lies there after. */
#include "cli/observation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "record/place.h"
#include "tap.h"
#include "trace/names.h"

/* A run of nothing, into a folder of its own. */
struct fixture {
    struct np_config config;
    struct np_plan plan;
    struct np_console console;
    struct np_observation observation;
    struct np_run run;
};

static void set_up(struct fixture *fixture, const char *name)
{
    *fixture = (struct fixture){0};
    np_config_init(&fixture->config);
    np_console_init(&fixture->console, -2);
    fixture->config.output_dir = np_path_join(tap_directory(), name);
    fixture->run = (struct np_run){.config = &fixture->config,
                                   .plan = &fixture->plan,
                                   .console = &fixture->console,
                                   .version = "0"};
    np_run_id(fixture->run.id);
}

static void tear_down(struct fixture *fixture)
{
    np_config_done(&fixture->config);
}

/* The bytes of the one record of this run; "" when there is none. */
static void read_record(const struct fixture *fixture, struct np_str *text)
{
    NP_AUTO(np_freep)
    char *folder = np_path_join(fixture->config.output_dir, NP_TELEMETRY_FOLDER);
    NP_AUTO(np_freep) char *ending = np_xasprintf("_%s.otlp.jsonl", fixture->run.id);
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    np_str_add(text, "");
    if (np_directory_list(folder, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        NP_AUTO(np_freep) char *path = np_path_join(folder, names.item[i]);
        if (np_ends_with(names.item[i], ending))
            ok_int(np_file_read(path, 1 << 20, text, NULL), 0);
    }
}

static void log_a_line(const struct fixture *fixture)
{
    np_trace_log(fixture->run.trace, NULL, NP_INFO, NULL, "a line of %s", "ours");
}

TEST(an_observed_run_leaves_its_record_and_no_trace_behind)
{
    struct fixture fixture;
    NP_AUTO(np_str_done) struct np_str text = {0};

    set_up(&fixture, "observed");
    np_observation_open(&fixture.observation, &fixture.config, &fixture.run);
    ok(fixture.run.trace != NULL);
    log_a_line(&fixture);
    np_observation_close(&fixture.observation, &fixture.run);
    ok(fixture.run.trace == NULL);
    read_record(&fixture, &text);
    ok_contains(np_str_text(&text), "a line of ours");
    ok_contains(np_str_text(&text), fixture.run.id);
    tear_down(&fixture);
}

TEST(without_telemetry_there_is_a_trace_and_no_record)
{
    struct fixture fixture;
    NP_AUTO(np_str_done) struct np_str text = {0};

    set_up(&fixture, "unobserved");
    fixture.config.no_telemetry = true;
    np_observation_open(&fixture.observation, &fixture.config, &fixture.run);
    ok(fixture.run.trace != NULL);
    log_a_line(&fixture);
    np_observation_close(&fixture.observation, &fixture.run);
    read_record(&fixture, &text);
    ok_str(np_str_text(&text), "");
    ok(!np_path_exists(fixture.config.output_dir));
    tear_down(&fixture);
}

TEST(a_record_that_cannot_be_made_ends_nothing)
{
    struct fixture fixture;

    set_up(&fixture, "a-file");
    ok_int(np_file_write_atomic(fixture.config.output_dir, "", 0, NULL), 0);
    np_observation_open(&fixture.observation, &fixture.config, &fixture.run);
    ok(fixture.observation.record.self == NULL);
    log_a_line(&fixture);
    np_observation_close(&fixture.observation, &fixture.run);
    ok(fixture.run.trace == NULL);
    tear_down(&fixture);
}

TEST(metrics_are_in_the_text_file_once_the_run_is_closed)
{
    struct fixture fixture;
    NP_AUTO(np_str_done) struct np_str text = {0};

    set_up(&fixture, "textfile");
    fixture.config.no_telemetry = true;
    fixture.config.metrics_textfile = np_path_join(tap_directory(), "metrics.prom");
    np_observation_open(&fixture.observation, &fixture.config, &fixture.run);
    np_metric_add(fixture.run.trace, &np_metric_files_processed, 3, NULL, NULL);
    np_trace_collect(fixture.run.trace);
    np_observation_close(&fixture.observation, &fixture.run);
    ok_int(np_file_read(fixture.config.metrics_textfile, 1 << 20, &text, NULL), 0);
    ok_contains(np_str_text(&text), " 3\n");
    tear_down(&fixture);
}

TEST(the_settings_variables_reach_the_run)
{
    struct fixture fixture;

    setenv("OTEL_TRACES_SAMPLER", "traceidratio", 1);
    setenv("OTEL_TRACES_SAMPLER_ARG", "0.25", 1);
    setenv("OTEL_PROPAGATORS", "none", 1);
    set_up(&fixture, "settings");
    fixture.config.no_telemetry = true;
    np_observation_open(&fixture.observation, &fixture.config, &fixture.run);
    ok_near(fixture.run.sampler.ratio, 0.25, 0, "ratio");
    ok(!fixture.run.sampler.is_parent_based);
    ok(fixture.run.joins_no_parent);
    np_observation_close(&fixture.observation, &fixture.run);
    tear_down(&fixture);
}

TAP_MAIN
