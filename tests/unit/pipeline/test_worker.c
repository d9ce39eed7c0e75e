/* A worker's work on a job, by its frames: it runs in this process, and they are kept in a file. */
#include <fcntl.h>

#include "pipeline/scene.h"
#include "pipeline/wire.h"
#include "pipeline/worker.h"
#include "trace/names.h"

enum { MOST_FRAMES = 500 };

/* All that a worker said. */
struct said {
    struct np_str bytes;
    struct np_frame frame[MOST_FRAMES];
    size_t n;
};

static void work(struct scene *scene, struct said *said)
{
    NP_AUTO(np_freep) char *path = np_path_join(scene->config.output_dir, "said");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const struct np_worker_task task = {.config = &scene->config,
                                        .plan = scene->plan,
                                        .job = &scene->plan->job[0],
                                        .session = scene->span,
                                        .run = scene->span,
                                        .cancel = &scene->cancel,
                                        .fd = fd};
    size_t position = 0;

    *said = (struct said){0};
    np_worker_run(&task);
    close(fd);
    ok_int(np_file_read(path, 16 << 20, &said->bytes, NULL), 0);
    while (said->n < MOST_FRAMES && np_wire_next(&said->bytes, &position, &said->frame[said->n]))
        said->n++;
    ok_int((int64_t)position, (int64_t)said->bytes.length);
}

/* The n-th record of the file that it sent; negative: from the end. */
static bool file_record(const struct said *said, int nth, struct np_file_record *record)
{
    int n = 0, wanted = nth;
    uint32_t index;

    for (size_t i = 0; i < said->n; i++)
        n += said->frame[i].type == NP_FRAME_FILE;
    if (wanted < 0)
        wanted += n;
    for (size_t i = 0; i < said->n; i++) {
        NP_AUTO(np_freep) char *json = NULL;
        if (said->frame[i].type != NP_FRAME_FILE || wanted-- > 0)
            continue;
        return np_wire_file(&said->frame[i], &index, &json) && index == 0 &&
               np_file_record_parse(json, record, NULL) == 0;
    }
    return false;
}

/* Work, and read the last record of the file. */
static void work_to_the_end(struct scene *scene, struct said *said, struct np_file_record *last)
{
    work(scene, said);
    ok(file_record(said, -1, last));
}

static void done(struct scene *scene, struct said *said, struct np_file_record *last)
{
    np_file_record_done(last);
    np_str_done(&said->bytes);
    scene_done(scene);
}

/* The ended span of this name; the caller frees. NULL when there is none. */
static struct np_span *ended_span(const struct said *said, const char *name)
{
    for (size_t i = 0; i < said->n; i++) {
        struct np_span *span;
        if (said->frame[i].type != NP_FRAME_SPAN_END || !np_wire_span(&said->frame[i], &span))
            continue;
        if (strcmp(span->name, name) == 0)
            return span;
        np_span_freep(&span);
    }
    return NULL;
}

TEST(a_worker_says_each_stage_before_it_runs_and_all_of_it_at_the_end)
{
    struct scene scene;
    struct said said;
    struct np_file_record first = {0}, last = {0};

    scene_begin(&scene, "01", "says");
    work(&scene, &said);
    ok(file_record(&said, 0, &first));
    ok(first.n_stages >= 5);
    ok_str(first.stage[0].name, "load_file");
    ok_int(first.stage[0].state, NP_STATE_RUNNING);
    for (size_t i = 1; i < first.n_stages; i++)
        ok_int(first.stage[i].state, NP_STATE_NOT_STARTED);
    ok(file_record(&said, -1, &last));
    ok_int(last.state, NP_STATE_SUCCESS);
    for (size_t i = 0; i < last.n_stages; i++) {
        NP_AUTO(np_span_freep) struct np_span *span = ended_span(&said, last.stage[i].name);
        ok_int(last.stage[i].state, NP_STATE_SUCCESS);
        ok(span && span->status != NP_STATUS_ERROR);
    }
    ok_int((int64_t)last.n_outputs, 8);
    ok(last.sha256[0]);
    np_file_record_done(&first);
    done(&scene, &said, &last);
}

TEST(measures_of_a_stage_go_to_its_span_and_to_the_record)
{
    struct scene scene;
    struct said said;
    struct np_file_record last = {0};

    scene_begin(&scene, "01", "measures");
    work_to_the_end(&scene, &said, &last);
    double volume_mm3 = np_file_record_value(&last, "skull_strip.volume", -1);
    ok_above(volume_mm3, 500e3, "mm3");
    NP_AUTO(np_span_freep) struct np_span *span = ended_span(&said, "skull_strip");
    const struct np_attr *attr =
        span ? np_attrs_find(&span->attrs, "neuro.skull_strip.volume") : NULL;
    ok(attr != NULL);
    if (attr)
        ok_near(attr->value.number, volume_mm3, volume_mm3 * 1e-6, "mm3");
    done(&scene, &said, &last);
}

TEST(a_bad_image_ends_its_file_at_the_stage_that_found_it)
{
    struct scene scene;
    struct said said;
    struct np_file_record last = {0};

    scene_begin(&scene, "03", "bad");
    work_to_the_end(&scene, &said, &last);
    ok_int(last.state, NP_STATE_FAILED);
    ok_str(last.failure.stage, "load_file");
    ok_int(last.stage[0].state, NP_STATE_FAILED);
    ok_int(last.stage[1].state, NP_STATE_NOT_STARTED);
    ok_int((int64_t)last.n_outputs, 0);
    NP_AUTO(np_span_freep) struct np_span *span = ended_span(&said, NP_SPAN_FILE);
    ok(span && span->status == NP_STATUS_ERROR);
    done(&scene, &said, &last);
}

TEST(a_file_too_large_for_the_memory_is_refused_before_it_is_read)
{
    struct scene scene;
    struct said said;
    struct np_file_record last = {0};

    scene_begin(&scene, "01", "large");
    np_error_set(&scene.plan->job[0].file[0].refused, NP_ENOMEM, "'x': needs 9 GiB");
    work_to_the_end(&scene, &said, &last);
    ok_int(last.failure.code, NP_ENOMEM);
    ok_contains(last.failure.sentence, "needs 9 GiB");
    ok_str(last.sha256, "");
    done(&scene, &said, &last);
}

TEST(an_injected_fault_is_marked_as_one_in_record_and_span)
{
    struct scene scene;
    struct said said;
    struct np_file_record last = {0};

    scene_configure(&scene, "01", "injected");
    scene.config.fail_rate = 1;
    scene_open(&scene);
    work_to_the_end(&scene, &said, &last);
    ok_int(last.state, NP_STATE_FAILED);
    ok(last.failure.injected);
    ok_contains(last.failure.hint, "without --fail-rate");
    NP_AUTO(np_span_freep) struct np_span *span = ended_span(&said, last.failure.stage);
    ok(span && np_attrs_find(&span->attrs, NP_KEY_NEURO_INJECTED));
    done(&scene, &said, &last);
}

TEST(a_worker_that_is_to_stop_begins_no_file)
{
    struct scene scene;
    struct said said;

    scene_begin(&scene, "01", "stopped");
    scene.cancel.signal = SIGTERM;
    work(&scene, &said);
    ok_int((int64_t)said.n, 0);
    np_str_done(&said.bytes);
    scene_done(&scene);
}

TEST(outputs_that_cannot_be_written_fail_the_file_in_write_output)
{
    struct scene scene;
    struct said said;
    struct np_file_record last = {0};

    scene_begin(&scene, "01", "unwritable");
    NP_AUTO(np_freep) char *folder = np_path_join(scene.config.output_dir, "sub-01");
    put(folder, "x", 1);
    work_to_the_end(&scene, &said, &last);
    ok_int(last.state, NP_STATE_FAILED);
    ok_str(last.failure.stage, "write_output");
    ok_int((int64_t)last.n_outputs, 0);
    ok_above(np_file_record_value(&last, "skull_strip.volume", -1), 0, "mm3"); /* still known */
    done(&scene, &said, &last);
}

TAP_MAIN
