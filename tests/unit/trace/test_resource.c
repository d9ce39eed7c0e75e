/* The resource: what is detected, and who wins. */
#include <stdlib.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "tap.h"
#include "trace/names.h"
#include "trace/resource.h"

static const char *const variables[] = {
    "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME",  "APPTAINER_NAME",
    "SINGULARITY_NAME",         "SLURM_JOB_ID",       "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",      "SLURM_CLUSTER_NAME", "SLURM_JOB_PARTITION",
    "SLURMD_NODENAME",
};

static void forget_environment(void)
{
    for (size_t i = 0; i < NP_COUNT(variables); i++)
        unsetenv(variables[i]);
}

static void detect(struct np_attrs *out, struct np_str *warning)
{
    const struct np_resource_facts facts = {.service_version = "1.2.3",
                                            .instance_id = "uuid",
                                            .revision = "abc",
                                            .telemetry_id = "hash"};

    np_resource_detect(&facts, out, warning);
}

static const char *text_of(const struct np_attrs *attrs, const char *key)
{
    const struct np_attr *attr = np_attrs_find(attrs, key);

    return attr && attr->type == NP_ATTR_STRING ? attr->value.string : NULL;
}

TEST(program_host_and_process_are_named)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    forget_environment();
    detect(&attrs, NULL);
    ok_str(text_of(&attrs, "service.name"), "neuro-preprocess");
    ok_str(text_of(&attrs, "service.version"), "1.2.3");
    ok_str(text_of(&attrs, "service.instance.id"), "uuid");
    ok_str(text_of(&attrs, "vcs.ref.head.revision"), "abc");
    ok_str(text_of(&attrs, "host.name"), np_host_name());
    ok_str(text_of(&attrs, "process.executable.name"), "test_resource");
    ok_int(np_attrs_find(&attrs, "process.pid")->value.integer, getpid());
    ok_int(np_attrs_find(&attrs, "process.parent_pid")->value.integer, getppid());
    ok_contains(text_of(&attrs, "process.executable.path"), "/test_resource");
    ok(text_of(&attrs, "process.owner") != NULL);
    ok(text_of(&attrs, "host.arch") != NULL);
    ok_str(text_of(&attrs, "os.type"), "linux");
    ok(text_of(&attrs, "os.version") != NULL);
    ok_str(text_of(&attrs, "neuro.telemetry.id"), "hash");
    ok(!np_attrs_find(&attrs, "neuro.dataset.name"));
    ok((access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0) ==
       (text_of(&attrs, "container.runtime.name") != NULL));
    ok(!np_attrs_find(&attrs, "slurm.job.id"));
}

TEST(container_and_slurm_are_found_in_the_environment)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    forget_environment();
    setenv("SINGULARITY_NAME", "old.sif", 1);
    setenv("APPTAINER_NAME", "app.sif", 1);
    setenv("SLURM_JOB_ID", "17", 1);
    setenv("SLURM_ARRAY_TASK_ID", "3", 1);
    setenv("SLURM_JOB_PARTITION", "short", 1);
    setenv("SLURMD_NODENAME", "", 1);
    detect(&attrs, NULL);
    ok_str(text_of(&attrs, "container.runtime.name"), "apptainer");
    ok_str(text_of(&attrs, "container.image.name"), "app.sif");
    ok_str(text_of(&attrs, "slurm.job.id"), "17");
    ok_str(text_of(&attrs, "slurm.array.task.id"), "3");
    ok_str(text_of(&attrs, "slurm.partition"), "short");
    ok(!np_attrs_find(&attrs, "slurm.node.name"));
}

TEST(the_users_attributes_win_and_are_percent_decoded)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    NP_AUTO(np_str_done) struct np_str warning = {0};

    forget_environment();
    setenv("OTEL_RESOURCE_ATTRIBUTES",
           "service.name=mine, host.name = h%2C1%3d ,deployment.environment.name=test,a%20b=c=d,e=,"
           "neuro.telemetry.id=label",
           1);
    detect(&attrs, &warning);
    ok_str(text_of(&attrs, "neuro.telemetry.id"), "hash"); /* but not more open than was asked */
    ok_str(np_str_text(&warning), "");
    ok_str(text_of(&attrs, "service.name"), "mine");
    ok_str(text_of(&attrs, "host.name"), "h,1=");
    ok_str(text_of(&attrs, "deployment.environment.name"), "test");
    ok_str(text_of(&attrs, "a b"), "c=d");
    ok_str(text_of(&attrs, "e"), "");
    setenv("OTEL_SERVICE_NAME", "theirs", 1);
    detect(&attrs, NULL);
    ok_str(text_of(&attrs, "service.name"), "theirs");
}

TEST(the_older_name_of_the_environment_is_taken_unless_the_new_one_is_there)
{
    NP_AUTO(np_attrs_done) struct np_attrs old = {0}, both = {0};

    forget_environment();
    setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test", 1);
    detect(&old, NULL);
    ok_str(text_of(&old, "deployment.environment.name"), "test");
    setenv("OTEL_RESOURCE_ATTRIBUTES",
           "deployment.environment=test,deployment.environment.name=production", 1);
    detect(&both, NULL);
    ok_str(text_of(&both, "deployment.environment.name"), "production");
}

/* Otherwise labels would be sent as if they were words already. */
TEST(no_variable_says_that_participants_are_named_by_words_already)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    forget_environment();
    setenv("OTEL_RESOURCE_ATTRIBUTES", "neuro.telemetry.named=hash,neuro.telemetry.id=label", 1);
    detect(&attrs, NULL);
    ok_str(text_of(&attrs, "neuro.telemetry.named"), "");
}

/* All that is detected is in the table of names. */
TEST(no_name_is_unknown)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    forget_environment();
    setenv("APPTAINER_NAME", "app.sif", 1);
    setenv("SLURM_JOB_ID", "17", 1);
    detect(&attrs, NULL);
    for (size_t i = 0; i < attrs.n; i++)
        tap_check(np_attr_is_registered(attrs.item[i].key), __FILE__, __LINE__, "%s",
                  attrs.item[i].key);
    ok(!np_attr_is_registered("neuro.nothing") && !np_attr_is_registered("bias.points"));
    ok(np_attr_is_registered("neuro.bias.points") && np_attr_is_registered("neuro.image.shape"));
}

TEST(a_malformed_list_is_ignored_whole_with_a_warning)
{
    static const char *const bad[] = {"a=b,c",     "a=b,=c",    "a=b,c=%",     "a=b,c=%4",
                                      "a=b,c=%4g", "a=b,c=%00", "a=b,c=%\0204"};

    forget_environment();
    for (size_t i = 0; i < NP_COUNT(bad); i++) {
        NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
        NP_AUTO(np_str_done) struct np_str warning = {0};
        setenv("OTEL_RESOURCE_ATTRIBUTES", bad[i], 1);
        detect(&attrs, &warning);
        tap_check(!np_attrs_find(&attrs, "a"), __FILE__, __LINE__, "'%s'", bad[i]);
        ok_contains(np_str_text(&warning), "OTEL_RESOURCE_ATTRIBUTES");
    }
}

TEST(empty_variables_are_as_unset)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    NP_AUTO(np_str_done) struct np_str warning = {0};

    forget_environment();
    setenv("OTEL_RESOURCE_ATTRIBUTES", "", 1);
    setenv("OTEL_SERVICE_NAME", "", 1);
    setenv("APPTAINER_NAME", "", 1);
    detect(&attrs, &warning);
    ok_str(np_str_text(&warning), "");
    ok_str(text_of(&attrs, "service.name"), "neuro-preprocess");
    setenv("OTEL_SERVICE_NAME", " \t", 1);
    setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=%20", 1);
    detect(&attrs, &warning);
    ok_str(text_of(&attrs, "service.name"), "neuro-preprocess");
    ok(!np_attrs_find(&attrs, "container.image.name"));
}

TAP_MAIN
