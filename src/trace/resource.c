#include "trace/resource.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/path.h"
#include "trace/names.h"

static const char SERVICE_NAME[] = "neuro-preprocess";

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* The kernel's machine name -> the value of host.arch in the semantic conventions. */
static const struct {
    const char *machine, *arch;
} arches[] = {
    {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"ppc64le", "ppc64"}, {"ppc64", "ppc64"},
    {"i686", "x86"},     {"i386", "x86"},      {"armv7l", "arm32"},  {"s390x", "s390x"},
};

static void add_host(struct np_attrs *out)
{
    struct utsname system;

    np_attrs_string(out, NP_KEY_HOST_NAME, np_host_name());
    if (uname(&system) != 0)
        return;
    const char *arch = system.machine;
    for (size_t i = 0; i < NP_COUNT(arches); i++)
        if (strcmp(system.machine, arches[i].machine) == 0)
            arch = arches[i].arch;
    np_attrs_string(out, NP_KEY_HOST_ARCH, arch);
    np_attrs_string(out, NP_KEY_OS_TYPE, "linux");
    np_attrs_string(out, NP_KEY_OS_VERSION, system.release);
}

/* The user id where the user name is unknown, as in many containers. */
static void add_owner(struct np_attrs *out)
{
    char buffer[4096], number[24];
    struct passwd entry, *found = NULL;

    snprintf(number, sizeof(number), "%lu", (unsigned long)geteuid());
    getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found);
    np_attrs_string(out, NP_KEY_PROCESS_OWNER, found ? found->pw_name : number);
}

static void add_process(struct np_attrs *out)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    np_attrs_int(out, NP_KEY_PROCESS_PID, getpid());
    np_attrs_int(out, NP_KEY_PROCESS_PARENT_PID, getppid());
    add_owner(out);
    if (n <= 0)
        return;
    path[n] = '\0';
    np_attrs_string(out, NP_KEY_PROCESS_EXECUTABLE_NAME, np_path_name(path));
    np_attrs_string(out, NP_KEY_PROCESS_EXECUTABLE_PATH, path);
}

/* Docker and Podman mount files from a folder whose name is the container's id. */
static void add_container_id(struct np_attrs *out)
{
    enum { ID = 64 };
    static const char folder[] = "containers/";
    NP_AUTO(np_str_done) struct np_str mounts = {0};
    char id[ID + 1];

    if (np_file_read("/proc/self/mountinfo", 1 << 20, &mounts, NULL) < 0)
        return;
    for (const char *at = np_str_text(&mounts); (at = strstr(at, folder));) {
        at += sizeof(folder) - 1;
        if (strspn(at, "0123456789abcdef") != ID)
            continue;
        snprintf(id, sizeof(id), "%s", at);
        np_attrs_string(out, NP_KEY_CONTAINER_ID, id);
        return;
    }
}

static void add_daemon_container(struct np_attrs *out)
{
    static const struct {
        const char *sign, *runtime;
    } runtimes[] = {{"/.dockerenv", "docker"}, {"/run/.containerenv", "podman"}};

    for (size_t i = 0; i < NP_COUNT(runtimes); i++) {
        if (!np_path_exists(runtimes[i].sign))
            continue;
        np_attrs_string(out, NP_KEY_CONTAINER_RUNTIME_NAME, runtimes[i].runtime);
        add_container_id(out);
        return;
    }
}

/* Apptainer sets the variables of both programs, so its own is read first. */
static void add_container(struct np_attrs *out)
{
    static const struct {
        const char *variable, *runtime;
    } runtimes[] = {{"APPTAINER_NAME", "apptainer"}, {"SINGULARITY_NAME", "singularity"}};

    for (size_t i = 0; i < NP_COUNT(runtimes); i++) {
        const char *image = environment(runtimes[i].variable);
        if (!image)
            continue;
        np_attrs_string(out, NP_KEY_CONTAINER_RUNTIME_NAME, runtimes[i].runtime);
        np_attrs_string(out, NP_KEY_CONTAINER_IMAGE_NAME, image);
        return;
    }
    add_daemon_container(out);
}

static void add_slurm(struct np_attrs *out)
{
    static const struct {
        const char *key, *variable;
    } table[] = {
        {NP_KEY_SLURM_JOB_ID, "SLURM_JOB_ID"},
        {NP_KEY_SLURM_ARRAY_JOB_ID, "SLURM_ARRAY_JOB_ID"},
        {NP_KEY_SLURM_ARRAY_TASK_ID, "SLURM_ARRAY_TASK_ID"},
        {NP_KEY_SLURM_CLUSTER_NAME, "SLURM_CLUSTER_NAME"},
        {NP_KEY_SLURM_PARTITION, "SLURM_JOB_PARTITION"},
        {NP_KEY_SLURM_NODE_NAME, "SLURMD_NODENAME"},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++)
        np_attrs_string(out, table[i].key, environment(table[i].variable));
}

/* Decode "%2C" in `n` bytes at `text`, without surrounding blanks; false when the text is
 * malformed. */
static bool percent_decode(const char *text, size_t n, struct np_str *out)
{
    while (n > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        n--;
    }
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    return np_str_add_percent_decoded(out, text, n);
}

static bool parse_pair(const char *text, size_t n, struct np_attrs *out)
{
    NP_AUTO(np_str_done) struct np_str key = {0}, value = {0};
    const char *equals = memchr(text, '=', n);

    if (!equals)
        return n == strspn(text, " \t"); /* an empty entry between two commas */
    if (!percent_decode(text, (size_t)(equals - text), &key) || key.length == 0)
        return false;
    if (!percent_decode(equals + 1, n - (size_t)(equals + 1 - text), &value))
        return false;
    np_attrs_string(out, np_str_text(&key), np_str_text(&value));
    return true;
}

static bool parse_list(const char *text, struct np_attrs *out)
{
    for (;;) {
        size_t n = strcspn(text, ",");
        if (!parse_pair(text, n, out))
            return false;
        if (!text[n])
            return true;
        text += n + 1;
    }
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* A blank name counts as none, and so does one in OTEL_RESOURCE_ATTRIBUTES, which is read before. */
static void add_service_name(struct np_attrs *out)
{
    const char *name = environment("OTEL_SERVICE_NAME");
    const struct np_attr *given = np_attrs_find(out, NP_KEY_SERVICE_NAME);

    if (name && !is_blank(name))
        np_attrs_string(out, NP_KEY_SERVICE_NAME, name);
    else if (given && is_blank(given->value.string))
        np_attrs_string(out, NP_KEY_SERVICE_NAME, SERVICE_NAME);
}

static void add_environment(struct np_attrs *out, struct np_str *warning)
{
    NP_AUTO(np_attrs_done) struct np_attrs given = {0};
    const char *list = environment("OTEL_RESOURCE_ATTRIBUTES");

    if (list && parse_list(list, &given))
        np_attrs_copy(&given, out);
    else if (list && warning)
        np_str_add(warning,
                   "OTEL_RESOURCE_ATTRIBUTES: expected key=value pairs separated by commas, with "
                   "other characters percent-encoded (%2C); the variable is ignored");
    add_service_name(out);
    /* its name until 2024 */
    const struct np_attr *older = np_attrs_find(out, "deployment.environment");
    if (older && older->type == NP_ATTR_STRING &&
        !np_attrs_find(out, NP_KEY_DEPLOYMENT_ENVIRONMENT_NAME))
        np_attrs_string(out, NP_KEY_DEPLOYMENT_ENVIRONMENT_NAME, older->value.string);
}

void np_resource_detect(const struct np_resource_facts *facts, struct np_attrs *out,
                        struct np_str *warning)
{
    np_attrs_string(out, NP_KEY_SERVICE_NAME, SERVICE_NAME);
    np_attrs_string(out, NP_KEY_SERVICE_VERSION, facts->service_version);
    np_attrs_string(out, NP_KEY_SERVICE_INSTANCE_ID, facts->instance_id);
    np_attrs_string(out, NP_KEY_VCS_REF_HEAD_REVISION, facts->revision);
    np_attrs_string(out, NP_KEY_NEURO_DATASET_NAME, facts->dataset_name);
    np_attrs_string(out, NP_KEY_NEURO_COHORT_ID, facts->cohort_id);
    add_host(out);
    add_process(out);
    add_container(out);
    add_slurm(out);
    add_environment(out, warning);
    /* A later sender follows this value: no environment variable can make it send more than the
     * run allowed. */
    np_attrs_string(out, NP_KEY_NEURO_TELEMETRY_ID, facts->telemetry_id);
    if (np_attrs_find(out, NP_KEY_NEURO_TELEMETRY_NAMED))
        np_attrs_string(out, NP_KEY_NEURO_TELEMETRY_NAMED, "");
}
