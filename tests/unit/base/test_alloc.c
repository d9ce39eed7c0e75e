/* Memory for voxels:
 * zeroed whatever it held before, aligned, refused rather than wrapped around. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/exec.h"
#include "tap.h"

enum { MIB = 1 << 20, LARGE = 4 * MIB, SMALL = 1000 };

static bool is_zero(const char *memory, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memory[i])
            return false;
    return true;
}

TEST(voxels_are_zero_and_aligned_whether_few_or_many)
{
    static const size_t sizes[] = {0, 1, SMALL, 2 * MIB - 1, 2 * MIB, LARGE + 1};

    for (size_t i = 0; i < NP_COUNT(sizes); i++) {
        NP_AUTO(np_voxels_freep) char *voxels = np_try_voxels(sizes[i], 1);
        ok(voxels != NULL);
        ok_int((int64_t)((uintptr_t)voxels % 64), 0);
        ok(is_zero(voxels, sizes[i]));
    }
}

TEST(memory_that_comes_back_is_zero_again)
{
    for (int round = 0; round < 8; round++) {
        /* A little smaller each time: what was dropped is large enough for it. */
        size_t n = (size_t)(LARGE - round * SMALL);
        char *voxels = np_try_voxels(n, 1);
        ok(is_zero(voxels, n));
        memset(voxels, 0xff, n);
        np_voxels_free(voxels);
    }
}

TEST(more_pieces_than_are_kept_can_be_dropped)
{
    void *voxels[32];

    for (size_t i = 0; i < NP_COUNT(voxels); i++)
        ok((voxels[i] = np_try_voxels(LARGE, 1)) != NULL);
    for (size_t i = 0; i < NP_COUNT(voxels); i++)
        np_voxels_free(voxels[i]);
    np_voxels_free(NULL);
}

TEST(a_size_that_overflows_is_refused)
{
    ok(np_try_voxels(SIZE_MAX / 2, 3) == NULL);
    ok(np_try_voxels(PTRDIFF_MAX, 1) == NULL);
    ok(np_try_malloc(SIZE_MAX / 2, 3) == NULL);
    ok(np_try_calloc(SIZE_MAX / 2, 3) == NULL);
}

TEST(the_nth_request_fails_and_no_other)
{
    np_alloc_fail_at(2);
    for (int i = 1; i <= 4; i++) {
        NP_AUTO(np_voxels_freep) void *voxels = np_try_voxels(1, LARGE);
        ok((voxels == NULL) == (i == 2));
    }
    ok_int(np_alloc_requests(), 4);
    np_alloc_fail_at(0);
}

static void use_some(void *context, int64_t task)
{
    bool *is_right = context;
    size_t n = (size_t)(LARGE + task % 3 * MIB);
    NP_AUTO(np_voxels_freep) char *voxels = np_try_voxels(n, 1);

    is_right[task] = is_zero(voxels, n);
    memset(voxels, 0xff, n);
}

TEST(threads_do_not_get_each_others_memory)
{
    enum { N_TASKS = 32 };
    bool is_right[N_TASKS] = {false};
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(4);
    const struct np_exec exec = {.team = team};

    np_exec_run(&exec, N_TASKS, use_some, is_right);
    for (int i = 0; i < N_TASKS; i++)
        ok(is_right[i]);
}

TAP_MAIN
