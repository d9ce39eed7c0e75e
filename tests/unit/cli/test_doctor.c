/* doctor: names what is wrong, fails with the code that a run would fail with, leaves nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "cli/doctor.h"
#include "tap.h"

static char *below(const char *name)
{
    return np_path_join(tap_directory(), name);
}

/* Run it; *text is what it printed. */
static int visit(char *bids_dir, char *output_dir, char **text)
{
    struct np_config config = {.bids_dir = bids_dir, .output_dir = output_dir};
    size_t size = 0;
    FILE *out = open_memstream(text, &size);
    int code = np_doctor(&config, out);

    fclose(out);
    return code;
}

/* A dataset with one participant whose image is a name only. */
static char *make_dataset(const char *name)
{
    char *root = below(name);
    NP_AUTO(np_freep) char *anat = np_xasprintf("%s/sub-01/anat", root);
    NP_AUTO(np_freep) char *image = np_path_join(anat, "sub-01_T1w.nii.gz");
    NP_AUTO(np_freep) char *description = np_path_join(root, "dataset_description.json");

    ok_int(np_directory_make(anat, NULL), 0);
    ok_int(np_file_write_atomic(image, "x", 1, NULL), 0);
    static const char TEXT[] = "{\"Name\": \"x\", \"BIDSVersion\": \"1.9.0\"}\n";
    ok_int(np_file_write_atomic(description, TEXT, sizeof(TEXT) - 1, NULL), 0);
    return root;
}

TEST(a_good_pair_of_folders_is_ok_and_nothing_is_left_behind)
{
    NP_AUTO(np_freep) char *bids = make_dataset("good");
    NP_AUTO(np_freep) char *output = below("out/deeper");
    NP_AUTO(np_freep) char *parent = below("out");
    NP_AUTO(np_freep) char *text = NULL;

    ok_int(visit(bids, output, &text), 0);
    ok_contains(text, "1 session, 0 of them without images; 1 image ");
    ok_contains(text, "can be created");
    ok(!strstr(text, "FAIL"));
    ok(!np_path_exists(parent));
}

TEST(a_missing_dataset_is_no_input)
{
    NP_AUTO(np_freep) char *bids = below("not-there");
    NP_AUTO(np_freep) char *text = NULL;

    ok_int(visit(bids, NULL, &text), 66);
    ok_contains(text, "FAIL");
    ok_contains(text, "does not exist");
    ok_contains(text, "bind");
}

TEST(an_output_inside_the_dataset_fails_but_not_below_derivatives)
{
    NP_AUTO(np_freep) char *bids = make_dataset("inside");
    NP_AUTO(np_freep) char *inside = below("inside/results");
    NP_AUTO(np_freep) char *beside = below("inside/derivatives-2");
    NP_AUTO(np_freep) char *below_derivatives = below("inside/derivatives/np");
    NP_AUTO(np_freep) char *derivatives = below("inside/derivatives");
    NP_AUTO(np_freep) char *text_1 = NULL;
    NP_AUTO(np_freep) char *text_2 = NULL;
    NP_AUTO(np_freep) char *text_3 = NULL;

    ok_int(visit(bids, inside, &text_1), 73);
    ok_contains(text_1, "lies inside BIDS_DIR");
    ok_int(visit(bids, beside, &text_2), 73);
    ok_int(visit(bids, below_derivatives, &text_3), 0);
    ok(!np_path_exists(derivatives));
}

TEST(an_output_below_a_file_or_in_a_folder_that_takes_nothing_fails)
{
    NP_AUTO(np_freep) char *file = below("file");
    NP_AUTO(np_freep) char *output = below("file/out");
    NP_AUTO(np_freep) char *text_1 = NULL;
    NP_AUTO(np_freep) char *text_2 = NULL;
    char proc[] = "/proc/neuro-preprocess-out"; /* refuses even root */

    ok_int(np_file_write_atomic(file, "x", 1, NULL), 0);
    ok_int(visit(NULL, output, &text_1), 73);
    ok_contains(text_1, "is not a folder");
    ok_int(visit(NULL, proc, &text_2), 73);
    ok_contains(text_2, "nothing can be made in /proc");
    ok(!strstr(text_2, "space:")); /* what cannot be written needs no space */
}

TEST(an_endpoint_is_reported_without_its_secrets)
{
    NP_AUTO(np_freep) char *text = NULL;

    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:secret@collector:4318", 1);
    ok_int(visit(NULL, NULL, &text), 0);
    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    ok_contains(text, "sent: traces to http/protobuf https://collector:4318/v1/traces");
    ok(!strstr(text, "secret"));
}

TEST(one_signals_endpoint_is_reported_too_and_none_is)
{
    NP_AUTO(np_freep) char *text = NULL;
    NP_AUTO(np_freep) char *text_2 = NULL;

    ok_int(visit(NULL, NULL, &text), 0);
    ok_contains(text, "logs/telemetry only");
    setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces", 1);
    setenv("OTEL_BSP_SCHEDULE_DELAY", "soon", 1);
    visit(NULL, NULL, &text_2);
    unsetenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    unsetenv("OTEL_BSP_SCHEDULE_DELAY");
    ok_contains(text_2, "sent: traces to http/protobuf http://collector:4318/v1/traces");
    ok_contains(text_2, "OTEL_BSP_SCHEDULE_DELAY");
}

TEST(the_job_that_it_runs_in_is_named)
{
    NP_AUTO(np_freep) char *text = NULL;

    setenv("SLURM_JOB_ID", "4711", 1);
    setenv("APPTAINER_NAME", "np.sif", 1);
    ok_int(visit(NULL, NULL, &text), 0);
    unsetenv("SLURM_JOB_ID");
    unsetenv("APPTAINER_NAME");
    ok_contains(text, "SLURM_JOB_ID=4711");
    ok_contains(text, "np.sif");
}

TAP_MAIN
