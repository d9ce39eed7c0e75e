#include "pipeline/canary.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/path.h"
#include "codec/sha256.h"
#include "image/nifti.h"
#include "pipeline/resources.h"
#include "record/place.h"
#include "stages/stage.h"
#include "synth/head.h"
#include "trace/names.h"

/*
 * Results do not depend on threads, codec or the processor's extensions (docs/architecture.md, "Same
 * input, same bytes"), but another compiler's code for another kind of processor need not agree in
 * the last bit: each has its own.
 */
static const struct {
    const char *machine; /* as uname says it */
    const char *sha256;
} EXPECTED[] = {
    {"x86_64", "01ae4b7b40b221e84037c622408eda6269fd2cb4a1d1109bcb836cc1e3d4b0c0"},
    {"aarch64", "01ae4b7b40b221e84037c622408eda6269fd2cb4a1d1109bcb836cc1e3d4b0c0"},
};

static const int64_t MOST_NS = INT64_C(600) * 1000000000;
static const int64_t LOOK_NS = 50 * 1000000;

#define INPUT_NAME "canary_T1w.nii.gz"
#define OUTPUT_NAME "canary_result.nii.gz"

const char *np_canary_verdict_name(enum np_canary_verdict verdict)
{
    static const char *const names[] = {
#define X(ident, name) [NP_CANARY_##ident] = name,
        NP_CANARY_VERDICTS(X)
#undef X
    };

    return names[verdict];
}

static const char *machine(void)
{
    static struct utsname name;

    return uname(&name) == 0 ? name.machine : "unknown";
}

const char *np_canary_expected(void)
{
    for (size_t i = 0; i < NP_COUNT(EXPECTED); i++)
        if (strcmp(EXPECTED[i].machine, machine()) == 0)
            return EXPECTED[i].sha256;
    return NULL;
}

const char *np_canary_processor(void)
{
    static char text[128];
    NP_AUTO(np_str_done) struct np_str file = {0};
    const char *line = NULL;

    if (np_file_read("/proc/cpuinfo", 1 << 16, &file, NULL) == 0)
        line = strstr(np_str_text(&file), "model name");
    const char *value = line ? strchr(line, ':') : NULL;
    if (!value || sscanf(value, ": %127[^\t\n]", text) != 1)
        snprintf(text, sizeof(text), "%s", machine());
    return text;
}

/* ---- in the child ---- */

struct passage {
    const char *folder;
    bool is_injected;
};

/* Whole numbers, as a scanner stores them; not in RAS order, so that the axes are turned, too. */
static int draw(const char *path, struct np_error *err)
{
    static const struct np_nifti_output how = {.description = "canary"};
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    struct np_synth_options options;
    struct np_nifti_written written;

    np_synth_options_init(&options);
    memcpy(options.axes, "LPS", sizeof(options.axes));
    for (int i = 0; i < 3; i++)
        options.spacing_mm[i] = 4;
    options.neck_mm = 1; /* a small head is done in a second */
    options.brain_scale = 0.76;
    NP_TRY(np_synth_head(&options, NULL, &head, err));
    for (size_t i = 0; i < np_grid_voxels(&head.image->grid); i++)
        head.image->voxel[i] = floorf(head.image->voxel[i] + 0.5f);
    return np_nifti_write_image(path, path, head.image, &how, NULL, &written, err);
}

/* As a fault of the memory would: one bit in the middle of the head. */
static void flip_a_bit(struct np_image *image)
{
    float *voxel = &image->voxel[np_grid_voxels(&image->grid) / 2];
    uint32_t bits;

    memcpy(&bits, voxel, sizeof(bits));
    bits ^= UINT32_C(1) << 20;
    memcpy(voxel, &bits, sizeof(bits));
}

static int process(struct np_work *work, bool is_injected, struct np_error *err)
{
    const struct np_recipe *recipe = np_recipe_find(work->modality);
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    for (const struct np_stage *const *stage = recipe->stage; *stage; stage++) {
        NP_TRY((*stage)->run(work, &config, NULL, err));
        if (is_injected && (*stage)->traits & NP_STAGE_READS_INPUT)
            flip_a_bit(work->raw);
    }
    return 0;
}

/* Write an image, read it back, and add what was read to the hash. */
static int hash_image(const char *path, const struct np_image *image, struct np_sha256 *hash,
                      struct np_error *err)
{
    static const struct np_nifti_output how = {.description = "canary"};
    NP_AUTO(np_image_freep) struct np_image *back = NULL;
    struct np_nifti_written written;
    struct np_nifti_content content;

    NP_TRY(np_nifti_write_image(path, path, image, &how, NULL, &written, err));
    NP_TRY(np_nifti_read_volume(path, NULL, NULL, &content, &back, err));
    np_sha256_update(hash, back->voxel, np_grid_voxels(&back->grid) * sizeof(*back->voxel));
    return 0;
}

static int hash_mask(const char *path, const struct np_mask *mask, struct np_sha256 *hash,
                     struct np_error *err)
{
    static const struct np_nifti_output how = {.description = "canary"};
    NP_AUTO(np_image_freep) struct np_image *back = NULL;
    struct np_nifti_written written;
    struct np_nifti_content content;

    NP_TRY(np_nifti_write_mask(path, path, mask, &how, NULL, &written, err));
    NP_TRY(np_nifti_read_volume(path, NULL, NULL, &content, &back, err));
    np_sha256_update(hash, back->voxel, np_grid_voxels(&back->grid) * sizeof(*back->voxel));
    return 0;
}

static int pass(const struct passage *passage, char found[65], struct np_error *err)
{
    NP_AUTO(np_freep) char *input = np_path_join(passage->folder, INPUT_NAME);
    NP_AUTO(np_freep) char *output = np_path_join(passage->folder, OUTPUT_NAME);
    NP_AUTO(np_work_done) struct np_work work;
    struct np_sha256 hash;

    np_work_init(&work, input, &np_modalities[NP_MODALITY_T1W]);
    NP_TRY(draw(input, err));
    NP_TRY(process(&work, passage->is_injected, err));
    np_sha256_init(&hash);
    NP_TRY(hash_image(output, work.flat, &hash, err));
    NP_TRY(hash_image(output, work.norm, &hash, err));
    NP_TRY(hash_mask(output, work.brain, &hash, err));
    np_sha256_hex(&hash, found);
    return 0;
}

/* The child's message. */
struct answer {
    char found[65];
    struct np_error err; /* code 0: there is a result */
};

static int be_canary(void *context, int channel)
{
    struct answer answer = {0};

    answer.err.code = pass(context, answer.found, &answer.err);
    return np_fd_write_all(channel, &answer, sizeof(answer)) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- in the parent ---- */

static int make_folder(char **folder, struct np_error *err)
{
    const char *above = getenv("TMPDIR");
    char *made = np_xasprintf("%s/neuro-preprocess.XXXXXX", above && *above ? above : "/tmp");

    if (mkdtemp(made)) {
        *folder = made;
        return 0;
    }
    int code = np_error_errno(err, errno, NP_ECREATE, "'%s': cannot be made; set TMPDIR", made);
    free(made);
    return code;
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {INPUT_NAME, OUTPUT_NAME};

    for (size_t i = 0; i < NP_COUNT(names); i++) {
        NP_AUTO(np_freep) char *path = np_path_join(folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* These say nothing of how the machine computes. */
static bool is_no_verdict(int code)
{
    enum np_outcome outcome = np_error_outcome(code);

    return outcome == NP_OUTCOME_NO_MEMORY || outcome == NP_OUTCOME_IO ||
           outcome == NP_OUTCOME_CANT_CREATE || outcome == NP_OUTCOME_INTERRUPTED;
}

static int judge(const struct answer *answer, struct np_canary *canary, struct np_error *err)
{
    const char *expected = np_canary_expected();

    if (is_no_verdict(answer->err.code))
        return np_error_set(err, answer->err.code, "%s", answer->err.text);
    memcpy(canary->found, answer->found, sizeof(canary->found));
    memcpy(canary->why, answer->err.text, sizeof(canary->why));
    if (answer->err.code < 0)
        canary->verdict = NP_CANARY_WRONG;
    else if (!expected)
        canary->verdict = NP_CANARY_UNKNOWN;
    else
        canary->verdict = strcmp(expected, canary->found) == 0 ? NP_CANARY_RIGHT : NP_CANARY_WRONG;
    return 0;
}

/* Wait for the child, at most MOST_NS or until a signal stops the run. */
static int wait_for(struct np_child *child, const struct np_cancel *cancel,
                    struct np_child_end *end, struct np_error *err)
{
    int64_t until_ns = np_clock_mono_ns() + MOST_NS;

    while (!np_child_wait(child, np_clock_mono_ns() + LOOK_NS, end)) {
        bool is_stopped = cancel && cancel->signal;
        if (!is_stopped && np_clock_mono_ns() < until_ns)
            continue;
        np_child_stop(child, SIGKILL, 0, NULL);
        return is_stopped ? np_error_set(err, NP_ECANCELED, "stopped by a signal")
                          : np_error_set(err, NP_EBUSY, "not at its end after ten minutes");
    }
    return 0;
}

/* The answer is smaller than a pipe holds, so the child ends before it is read. */
static int hear(struct np_child *child, const struct np_cancel *cancel, struct answer *answer,
                struct np_error *err)
{
    struct np_child_end end;

    NP_TRY(wait_for(child, cancel, &end, err));
    if (read(child->fd, answer, sizeof(*answer)) == (ssize_t)sizeof(*answer))
        return 0;
    if (WIFSIGNALED(end.wait_status) && WTERMSIG(end.wait_status) == SIGKILL)
        return np_error_set(err, NP_ENOMEM, "its process was killed");
    *answer = (struct answer){0};
    np_error_set(&answer->err, NP_EINTERNAL, "its process died of signal %d",
                 WIFSIGNALED(end.wait_status) ? WTERMSIG(end.wait_status) : 0);
    return 0;
}

static int run_below(const char *folder, const struct np_cancel *cancel, struct np_canary *canary,
                     struct np_error *err)
{
    struct passage passage = {.folder = folder, .is_injected = canary->injected};
    const struct np_child_options options = {.name = "np-canary",
                                             .channel = NP_CHILD_PIPE,
                                             .signals = NP_CHILD_IGNORES_STOP_SIGNALS,
                                             .death_signal = SIGKILL,
                                             .run = be_canary,
                                             .context = &passage};
    int64_t start_ns = np_clock_mono_ns();
    struct np_child child = {.fd = -1};
    struct answer answer = {0};

    NP_TRY(np_child_start(&options, &child, err));
    int code = hear(&child, cancel, &answer, err);
    np_child_close(&child);
    canary->wall_s = (double)(np_clock_mono_ns() - start_ns) * 1e-9;
    return code < 0 ? code : judge(&answer, canary, err);
}

int np_canary_run(bool is_injected, const struct np_cancel *cancel, struct np_canary *canary,
                  struct np_error *err)
{
    NP_AUTO(np_freep) char *folder = NULL;

    *canary = (struct np_canary){.injected = is_injected};
    NP_TRY(make_folder(&folder, err));
    int code = run_below(folder, cancel, canary, err);
    remove_folder(folder);
    return code;
}

char *np_canary_text(const struct np_canary *canary)
{
    const char *expected = np_canary_expected();

    if (!canary->found[0])
        return np_xasprintf("a head without fault failed on %s (%s): %s", np_resources_node(),
                            np_canary_processor(), canary->why);
    return np_xasprintf("expected voxels with the SHA-256 %s, found %s, on %s (%s)%s",
                        expected ? expected : "(not known here)", canary->found,
                        np_resources_node(), np_canary_processor(),
                        canary->injected ? "; injected by --wrong-canary" : "");
}

void np_canary_observe(const struct np_canary *canary, struct np_trace *trace)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    NP_AUTO(np_freep) char *text = np_canary_text(canary);
    const char *expected = np_canary_expected();
    bool is_wrong = canary->verdict == NP_CANARY_WRONG;

    NP_AUTO(np_attrs_done) struct np_attrs injected = {0};

    if (canary->injected)
        np_attrs_bool(&injected, NP_KEY_NEURO_INJECTED, true);
    np_metric_set(trace, &np_metric_canary_wrong, is_wrong ? 1 : 0, &injected);
    np_metric_set(trace, &np_metric_canary_duration, canary->wall_s, NULL);
    np_attrs_string(&attrs, NP_KEY_EVENT_NAME, NP_EVENT_CANARY);
    np_attrs_string(&attrs, NP_KEY_NEURO_CANARY_VERDICT, np_canary_verdict_name(canary->verdict));
    np_attrs_double(&attrs, NP_KEY_NEURO_CANARY_DURATION, canary->wall_s);
    np_attrs_string(&attrs, NP_KEY_NEURO_CANARY_EXPECTED, expected);
    np_attrs_string(&attrs, NP_KEY_NEURO_CANARY_FOUND, canary->found[0] ? canary->found : NULL);
    np_attrs_string(&attrs, NP_KEY_NEURO_CANARY_PROCESSOR, np_canary_processor());
    np_attrs_string(&attrs, NP_KEY_NEURO_NODE, np_resources_node());
    if (canary->injected)
        np_attrs_bool(&attrs, NP_KEY_NEURO_INJECTED, true);
    np_trace_log(trace, NULL, is_wrong ? NP_ERROR_LEVEL : NP_INFO, &attrs,
                 "canary %s after %.2f s: %s", np_canary_verdict_name(canary->verdict),
                 canary->wall_s, text);
}

int np_canary_keep(const struct np_canary *canary, const char *output_dir, const char *run_id,
                   struct np_error *err)
{
    NP_AUTO(np_freep) char *folder = np_path_join(output_dir, NP_CANARY_FOLDER);
    NP_AUTO(np_freep)
    char *path = np_xasprintf("%s/%s_%s.tsv", folder, np_resources_node(), run_id);
    char now[NP_CLOCK_TEXT];
    NP_AUTO(np_freep)
    char *text =
        np_xasprintf("time\tnode\tverdict\tseconds\tfound\tprocessor\n%s\t%s\t%s\t%.3f\t%s\t%s\n",
                     np_clock_iso8601(np_clock_unix_ns(), now), np_resources_node(),
                     np_canary_verdict_name(canary->verdict), canary->wall_s,
                     canary->found[0] ? canary->found : "n/a", np_canary_processor());

    NP_TRY(np_directory_make(folder, err));
    return np_file_write_atomic(path, text, strlen(text), err);
}
