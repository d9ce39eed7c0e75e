/* The union of all plans is asked for; changes mark sessions, in the order of their numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "record/plans.h"
#include "tap.h"

static struct np_asked session(const char *participant, const char *label)
{
    return (struct np_asked){.participant = participant, .session = label};
}

static void put(const char *output, const struct np_asked *asked, size_t n)
{
    static int number;
    NP_AUTO(np_asked_done) struct np_asked_list list = {0};
    char id[40];

    snprintf(id, sizeof(id), "run-%d", number++);
    for (size_t i = 0; i < n; i++)
        np_asked_add(&list, &asked[i]);
    const struct np_run_plan plan = {.run_id = id, .command = "participant", .asked = &list};
    ok_int(np_plans_write(output, &plan, NULL), 0);
}

static void change(const char *output, enum np_plan_change kind, const struct np_asked *asked)
{
    NP_AUTO(np_asked_done) struct np_asked_list list = {0};

    np_asked_add(&list, asked);
    ok_int(np_plans_change(output, kind, &list, NULL), 0);
}

static unsigned marks(const char *output, const struct np_asked *asked)
{
    NP_AUTO(np_plans_freep) struct np_plans *plans = np_plans_read(output, NP_PLANS_ALL);

    return np_plans_marks(plans, asked);
}

static size_t n_with(const char *output, unsigned bits)
{
    NP_AUTO(np_plans_freep) struct np_plans *plans = np_plans_read(output, NP_PLANS_ALL);
    NP_AUTO(np_asked_done) struct np_asked_list list = {0};

    np_plans_list(plans, bits, &list);
    return list.n;
}

TEST(wanted_is_the_union_of_all_plans_also_of_narrow_ones)
{
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "union");
    struct np_asked all[] = {session("01", "1"),
                             session("01", NULL),
                             session("02", "1"),
                             {.file = "a/scan \xff.nii.gz"}};

    put(output, all, 4);
    put(output, &all[1], 1);
    put(output, &all[1], 1);
    ok_int((int64_t)n_with(output, NP_MARK_WANTED), 4);
    for (size_t i = 0; i < NP_COUNT(all); i++)
        ok_int(marks(output, &all[i]), NP_MARK_WANTED);
    const struct np_asked other = session("02", NULL);
    ok_int(marks(output, &other), 0);
    NP_AUTO(np_plans_freep) struct np_plans *plans = np_plans_read(output, NP_PLANS_ALL);
    ok_int((int64_t)np_plans_n(plans), 3);
    ok_int((int64_t)np_plans_unreadable(plans)->n, 0);
}

/* A plan for these, of which the first `n_again` are done again: their records are of `run`. */
static void put_again(const char *output, const struct np_asked *asked, size_t n, size_t n_again,
                      const char *run, const char *selection)
{
    NP_AUTO(np_asked_done) struct np_asked_list list = {0}, again = {0};
    NP_AUTO(np_strings_done) struct np_strings runs = {0};
    static int number;
    char id[40];

    snprintf(id, sizeof(id), "later-%d", number++);
    for (size_t i = 0; i < n; i++)
        np_asked_add(&list, &asked[i]);
    for (size_t i = 0; i < n_again; i++) {
        np_asked_add(&again, &asked[i]);
        np_strings_add(&runs, run);
    }
    const struct np_run_plan plan = {.run_id = id,
                                     .command = "participant",
                                     .selection = selection,
                                     .asked = &list,
                                     .again = &again,
                                     .again_run = &runs};
    ok_int(np_plans_write(output, &plan, NULL), 0);
}

static void ok_again(const char *output, const struct np_asked *asked, const char *run)
{
    NP_AUTO(np_plans_freep) struct np_plans *plans = np_plans_read(output, NP_PLANS_ALL);
    const char *found = np_plans_again(plans, asked);

    ok_str(found ? found : "none", run);
}

TEST(what_is_done_again_is_left_until_a_run_that_looked_at_the_same_images_found_nothing_to_do)
{
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "again");
    struct np_asked all[] = {session("01", "1"),
                             session("02", NULL),
                             {.file = "a/scan \xff.nii.gz"},
                             session("03", "1")};
    const char *t1w = "{\"modalities\": \"T1w\"}", *t2w = "{\"modalities\": \"T2w\"}";

    put_again(output, all, 4, 3, "first", t1w);
    ok_again(output, &all[0], "first");
    ok_again(output, &all[1], "first");
    ok_again(output, &all[2], "first");
    ok_again(output, &all[3], "none");
    /* other images, failed sessions alone, all of them: these say nothing */
    put_again(output, all, 4, 0, NULL, t2w);
    put_again(output, all, 4, 0, NULL, "{\"rerun\": \"failed\"}");
    put_again(output, all, 4, 0, NULL, "{\"rerun\": \"all\"}");
    ok_again(output, &all[0], "first");
    /* the same images, or all */
    put_again(output, &all[0], 1, 0, NULL,
              "{\"modalities\": \"T1w\", \"participant-label\": \"01\"}");
    ok_again(output, &all[0], "none");
    ok_again(output, &all[1], "first");
    put_again(output, &all[1], 3, 1, "second", "{}");
    ok_again(output, &all[1], "second");
    ok_again(output, &all[2], "none");
}

TEST(a_withdrawn_session_is_restored_and_withdrawn_again_whatever_the_clocks_say)
{
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "changes");
    NP_AUTO(np_freep)
    char *early = np_path_join(output, "logs/plans/20000101T000000.000000Z_x_restored.json");
    const struct np_asked one = session("01", "1"), other = session("02", NULL);
    static const char text[] = "{\"schema\": 1, \"sequence\": 9, \"sessions\": {\"01\": [\"1\"]}}";

    put(output, &one, 1);
    change(output, NP_PLAN_WITHDRAWN, &one);
    ok_int(marks(output, &one), NP_MARK_WANTED | NP_MARK_WITHDRAWN);
    change(output, NP_PLAN_RESTORED, &one);
    ok_int(marks(output, &one), NP_MARK_WANTED);
    change(output, NP_PLAN_WITHDRAWN, &one);
    change(output, NP_PLAN_GONE, &other);
    ok_int(marks(output, &one), NP_MARK_WANTED | NP_MARK_WITHDRAWN);
    ok_int(marks(output, &other), NP_MARK_GONE);
    /* a later change by a host whose clock is behind */
    ok_int(np_file_write_atomic(early, text, strlen(text), NULL), 0);
    ok_int(marks(output, &one), NP_MARK_WANTED);
    change(output, NP_PLAN_WITHDRAWN, &one);
    ok_int(marks(output, &one), NP_MARK_WANTED | NP_MARK_WITHDRAWN);
    change(output, NP_PLAN_FOUND, &other);
    ok_int(marks(output, &other), 0);
}

TEST(changes_alone_are_read_without_the_plans)
{
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "alone");
    const struct np_asked one = session("01", "1");

    put(output, &one, 1);
    change(output, NP_PLAN_WITHDRAWN, &one);
    NP_AUTO(np_plans_freep) struct np_plans *plans = np_plans_read(output, NP_PLANS_CHANGES_ONLY);
    ok_int((int64_t)np_plans_n(plans), 0);
    ok_int(np_plans_marks(plans, &one), NP_MARK_WITHDRAWN);
}

TEST(damaged_plans_are_named_and_labels_in_them_become_no_paths)
{
    static const struct {
        const char *name, *text;
    } files[] = {
        {"a.json",
         "{\"schema\": 1, \"sessions\": {\"../../x\": [null], \"01\": [\"a/b\", 3, \"2\"]}}"},
        {"b.json", "{\"schema\": 1, \"sessions\": "},
        {"c.json", "{\"schema\": 99, \"sessions\": {\"03\": [null]}}"},
        {"d.json", "{\"schema\": 1, \"sessions\": [1, 2], \"files\": {}}"},
        {"e.json.tmp", "{"},
        {".f.json", "{"}};
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "damaged");
    NP_AUTO(np_freep) char *folder = np_path_join(output, NP_PLANS_FOLDER);
    const struct np_asked two = session("01", "2");

    ok_int(np_directory_make(folder, NULL), 0);
    for (size_t i = 0; i < NP_COUNT(files); i++) {
        NP_AUTO(np_freep) char *path = np_path_join(folder, files[i].name);
        ok_int(np_file_write_atomic(path, files[i].text, strlen(files[i].text), NULL), 0);
    }
    NP_AUTO(np_plans_freep) struct np_plans *plans = np_plans_read(output, NP_PLANS_ALL);
    const struct np_strings *unreadable = np_plans_unreadable(plans);
    ok_int((int64_t)unreadable->n, 2);
    ok(strstr(unreadable->item[0], "b.json") && strstr(unreadable->item[1], "c.json"));
    ok_int(np_plans_marks(plans, &two), NP_MARK_WANTED);
    ok_int((int64_t)n_with(output, NP_MARK_WANTED), 1);
}

/* A driver that calls once a session leaves one file a session. */
TEST(ten_thousand_plans_of_one_session_are_read_in_a_second)
{
    enum { N = 10000 };
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "many");
    NP_AUTO(np_freep) char *folder = np_path_join(output, NP_PLANS_FOLDER);

    ok_int(np_directory_make(folder, NULL), 0);
    for (int i = 0; i < N; i++) {
        NP_AUTO(np_freep) char *path = np_xasprintf("%s/%05d.json", folder, i);
        FILE *file = fopen(path, "w");
        if (!file)
            abort();
        fprintf(file, "{\"schema\":1,\"sessions\":{\"%05d\":[\"1\"]},\"files\":[]}\n", i);
        fclose(file);
    }
    int64_t before_ns = np_clock_cpu_ns();
    ok_int((int64_t)n_with(output, NP_MARK_WANTED), N);
    ok_below((double)(np_clock_cpu_ns() - before_ns) * 1e-9, 2, "CPU seconds");
}

TAP_MAIN
