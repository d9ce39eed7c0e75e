#include <stdatomic.h>

#include "base/exec.h"
#include "base/random.h"
#include "tap.h"

static void count_visit(void *context, int64_t task)
{
    atomic_int *visits = context;

    atomic_fetch_add(&visits[task], 1);
}

TEST(every_task_runs_once_on_any_team)
{
    for (int n = 1; n <= 8; n++) {
        struct np_team *team = np_team_new(n);
        const struct np_exec exec = {.team = team};
        atomic_int visits[1000] = {0};
        for (int round = 0; round < 20; round++)
            np_exec_run(&exec, 1000, count_visit, visits);
        int wrong = 0;
        for (int i = 0; i < 1000; i++)
            wrong += visits[i] != 20;
        ok_int(wrong, 0);
        np_team_freep(&team);
        ok(team == NULL);
    }
}

TEST(without_a_team_the_caller_does_the_work)
{
    atomic_int visits[10] = {0};

    np_exec_run(NULL, 10, count_visit, visits);
    int sum = 0;
    for (int i = 0; i < 10; i++)
        sum += visits[i];
    ok_int(sum, 10);
}

TEST(a_signal_cancels)
{
    struct np_cancel cancel = {0};
    const struct np_exec exec = {.cancel = &cancel};
    struct np_error err = {0};

    ok_int(np_exec_check(&exec, &err), 0);
    cancel.signal = 15;
    ok_int(np_exec_check(&exec, &err), NP_ECANCELED);
    ok_contains(err.text, "15");
    ok_int(np_exec_check(NULL, NULL), 0);
}

TEST(random_numbers_are_those_of_the_reference)
{
    /* Moments of 100 000 draws: the mean of a uniform is 1/2, the variance of our normal is 1. */
    struct np_random random;
    double sum = 0, square = 0;
    enum { N = 100000 };

    np_random_seed(&random, 1, 2);
    for (int i = 0; i < N; i++)
        sum += np_random_uniform(&random);
    ok_near(sum / N, 0.5, 0.004, "mean of uniforms, four standard errors");
    sum = 0;
    for (int i = 0; i < N; i++) {
        double x = np_random_normal(&random);
        sum += x;
        square += x * x;
    }
    ok_near(sum / N, 0, 0.013, "mean of normals, four standard errors");
    ok_near(square / N, 1, 0.02, "variance of normals, four standard errors");
}

TEST(streams_of_one_seed_differ_and_repeat)
{
    struct np_random a, b, c;

    np_random_seed(&a, 7, 0);
    np_random_seed(&b, 7, 1);
    np_random_seed(&c, 7, 0);
    uint64_t first = np_random_bits(&a);
    ok(first != np_random_bits(&b));
    ok(first == np_random_bits(&c));
}

TAP_MAIN
