/* Injected faults depend on the seed, the rate and the file's name alone. */
#include "base/clock.h"
#include "pipeline/fault.h"
#include "tap.h"

enum { N_STAGES = 7, N_FILES = 2000 };

static int stage_of(const struct np_config *config, int i)
{
    NP_AUTO(np_freep) char *name = np_xasprintf("sub-%04d/anat/sub-%04d_T1w.nii.gz", i, i);

    return np_fault_stage(config, name, N_STAGES);
}

TEST(nothing_is_injected_unless_asked_for)
{
    const struct np_config none = {0};
    const struct np_config slow = {.slow_stage = (char[]){"skull_strip"}};

    ok(!np_fault_enabled(&none));
    ok(np_fault_enabled(&slow));
    for (int i = 0; i < 100; i++)
        ok_int(stage_of(&none, i), -1);
}

TEST(a_rate_of_one_fails_every_file_at_one_of_its_stages)
{
    const struct np_config all = {.fail_rate = 1, .random_seed = 3};
    int seen[N_STAGES] = {0};

    for (int i = 0; i < N_FILES; i++) {
        int stage = stage_of(&all, i);
        ok(stage >= 0 && stage < N_STAGES);
        seen[stage]++;
    }
    /* binomial: mean 286, sd 15.6; five of them */
    for (int s = 0; s < N_STAGES; s++)
        ok_near(seen[s], N_FILES / (double)N_STAGES, 80, "files that fail at a stage");
}

TEST(the_rate_is_met_and_the_seed_chooses_whom)
{
    const struct np_config one = {.fail_rate = 0.2, .random_seed = 1};
    const struct np_config other = {.fail_rate = 0.2, .random_seed = 2};
    int n_failed = 0, n_differ = 0;

    for (int i = 0; i < N_FILES; i++) {
        int stage = stage_of(&one, i);
        n_failed += stage >= 0;
        n_differ += stage != stage_of(&other, i);
        ok_int(stage_of(&one, i), stage);
    }
    ok_near(n_failed, 0.2 * N_FILES, 90, "of 2000; five standard deviations");
    ok_above(n_differ, N_FILES / 10, "files whose fate depends on the seed");
}

TEST(a_delay_is_for_its_stage_and_ends_when_the_run_is_stopped)
{
    const struct np_config slow = {.slow_stage = (char[]){"skull_strip"}, .slow_stage_s = 60};
    const struct np_cancel stopped = {.signal = 15};
    const struct np_exec exec = {.cancel = &stopped};
    int64_t start_ns = np_clock_mono_ns();

    ok(!np_fault_delay(&slow, "normalization", NULL));
    ok(np_fault_delay(&slow, "skull_strip", &exec));
    ok_below((double)(np_clock_mono_ns() - start_ns) * 1e-9, 10, "s; the whole delay is 60");
}

TAP_MAIN
