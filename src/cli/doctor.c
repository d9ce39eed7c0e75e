#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/path.h"
#include "bids/dataset.h"
#include "cli/observation.h"
#include "cli/telemetry.h"
#include "pipeline/admission.h"
#include "pipeline/canary.h"
#include "pipeline/estimate_cohort.h"
#include "pipeline/masks.h"
#include "pipeline/plan.h"
#include "pipeline/resources.h"
#include "pipeline/selected.h"
#include "record/place.h"

static const double MIB = 1 << 20, GIB = 1 << 30;

struct visit {
    const struct np_config *config;
    FILE *out;
    int code; /* of the first failure */
    struct np_resources resources;
    char *bids_dir, *output_dir; /* resolved; NULL = not given */
    size_t n_sessions;           /* found; 0 = unknown */
    struct np_need need;         /* of all of them, and of the run */
    struct np_need most;         /* the largest of one session */
};

static void visit_done(struct visit *visit)
{
    np_freep(&visit->bids_dir);
    np_freep(&visit->output_dir);
}

/* Print one line; `remedy` NULL when there is nothing to do. */
static void say(struct visit *visit, const char *verdict, const char *remedy, const char *format,
                ...) NP_PRINTF(4, 5);

static void say(struct visit *visit, const char *verdict, const char *remedy, const char *format,
                ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        return;
    NP_AUTO(np_freep) char *clean = np_utf8_clean(text);
    free(text);
    fprintf(visit->out, remedy ? "%-4s  %s — %s\n" : "%-4s  %s\n", verdict, clean, remedy);
}

/* Remember the first failure's code. */
static void failed(struct visit *visit, int code)
{
    if (visit->code == 0)
        visit->code = code;
}

static void check_program(struct visit *visit)
{
    say(visit, "ok", NULL, "neuro-preprocess %s, compiler %s, codecs: zlib%s%s", NP_VERSION,
        __VERSION__,
#ifdef NP_WITH_LIBDEFLATE
        ", libdeflate",
#else
        "",
#endif
#ifdef NP_WITH_ISAL
        ", ISA-L"
#else
        ""
#endif
    );
}

/* A known head, before any is trusted that nobody knows. */
static void check_canary(struct visit *visit)
{
    struct np_canary canary;
    struct np_error err = {0};

    if (np_canary_run(visit->config->wrong_canary, NULL, &canary, &err) < 0) {
        say(visit, "warn", "see the reason; set TMPDIR to a folder with some MB of space",
            "not let through: %s", err.text);
        return;
    }
    NP_AUTO(np_freep) char *text = np_canary_text(&canary);
    if (canary.verdict == NP_CANARY_WRONG) {
        say(visit, "FAIL", np_error_remedy(NP_ECANARY), "canary: %s", text);
        failed(visit, NP_ECANARY);
    } else {
        say(visit, "ok", NULL, "canary: a head of known result is %s after %.2f s (%s)",
            np_canary_verdict_name(canary.verdict), canary.wall_s, np_canary_processor());
    }
}

static void check_container(struct visit *visit)
{
    static const char *const NAMES[] = {"APPTAINER_NAME", "APPTAINER_CONTAINER", "SINGULARITY_NAME",
                                        "SINGULARITY_CONTAINER"};

    for (size_t i = 0; i < NP_COUNT(NAMES); i++)
        if (getenv(NAMES[i])) {
            say(visit, "ok", NULL, "container: %s=%s", NAMES[i], getenv(NAMES[i]));
            return;
        }
    if (np_path_exists("/.dockerenv") || np_path_exists("/run/.containerenv"))
        say(visit, "ok", NULL, "container: Docker or Podman");
    else
        say(visit, "ok", NULL, "container: none seen");
}

static void check_cpus(struct visit *visit)
{
    const struct np_resources *r = &visit->resources;
    NP_AUTO(np_str_done) struct np_str text = {0};

    np_str_addf(&text, "%d CPU%s may be used (affinity %d", r->cpus, np_plural(r->cpus),
                r->affinity_cpus);
    if (r->cgroup_cpus > 0)
        np_str_addf(&text, ", cgroup quota %.2f", r->cgroup_cpus);
    if (r->slurm_cpus > 0)
        np_str_addf(&text, ", SLURM_CPUS_PER_TASK %d", r->slurm_cpus);
    np_str_add(&text, ")");
    if (visit->config->nprocs > r->cpus)
        say(visit, "warn", "ask the scheduler for more CPUs, or lower --nprocs",
            "%s, fewer than --nprocs %d", np_str_text(&text), visit->config->nprocs);
    else
        say(visit, "ok", NULL, "%s", np_str_text(&text));
}

static void check_memory(struct visit *visit)
{
    const struct np_resources *r = &visit->resources;
    double bytes = (double)r->memory_bytes;
    double asked = (double)visit->config->mem_bytes;

    if (asked > bytes)
        say(visit, "warn", "ask the scheduler for more memory, or lower --mem-gb",
            "memory: %.1f GiB (%s), less than the requested %.1f GiB", bytes / GIB,
            r->memory_source, asked / GIB);
    else
        say(visit, "ok", NULL, "memory: %.1f GiB may be used (%s)", bytes / GIB, r->memory_source);
}

/* Check that the sessions need no more memory than there is. */
static void check_sessions_memory(struct visit *visit)
{
    double bytes = (double)(visit->config->mem_bytes ? visit->config->mem_bytes
                                                     : visit->resources.memory_bytes);
    double needed = (double)visit->most.memory_bytes;

    if (needed > bytes)
        say(visit, "warn", "ask for more memory; 'estimate' says how much each session needs",
            "memory: the largest session needs about %.0f MiB, %.0f MiB may be used", needed / MIB,
            bytes / MIB);
}

static void check_scheduler(struct visit *visit)
{
    static const char *const NAMES[] = {
        "SLURM_JOB_ID",      "SLURM_ARRAY_TASK_ID", "SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE",
        "SLURM_MEM_PER_CPU", "PBS_JOBID",           "LSB_JOBID",           "JOB_ID"};
    NP_AUTO(np_str_done) struct np_str text = {0};

    for (size_t i = 0; i < NP_COUNT(NAMES); i++)
        if (getenv(NAMES[i]))
            np_str_addf(&text, " %s=%s", NAMES[i], getenv(NAMES[i]));
    say(visit, "ok", NULL, "scheduler:%s", text.length > 0 ? np_str_text(&text) : " none seen");
}

static void check_surroundings(struct visit *visit)
{
    const char *folder = getenv("TMPDIR");
    locale_t locale = newlocale(LC_CTYPE_MASK, "", NULL);
    const char *charset = locale ? nl_langinfo_l(CODESET, locale) : "unknown";

    if (folder && access(folder, W_OK) != 0)
        say(visit, "warn", "the canary and other tools of the job need it; sessions do not",
            "TMPDIR=%s is not writable", folder);
    else
        say(visit, "ok", NULL,
            "TMPDIR%s%s; only the canary uses it: other temporaries lie beside their targets",
            folder ? "=" : " not set", folder ? folder : "");
    if (strcmp(charset, "UTF-8") == 0)
        say(visit, "ok", NULL, "locale: UTF-8");
    else
        say(visit, "warn", "set LC_ALL=C.UTF-8 if characters look wrong",
            "locale: %s; the output is UTF-8 nevertheless", charset);
    if (locale)
        freelocale(locale);
}

static void check_telemetry(struct visit *visit)
{
    NP_AUTO(np_observation_done) struct np_observation observation = {0};
    NP_AUTO(np_str_done) struct np_str warnings = {0};

    np_observation_read(visit->config, &observation, &warnings);
    NP_AUTO(np_freep) char *places = np_telemetry_places(&observation.settings);
    if (visit->config->no_telemetry)
        say(visit, "ok", NULL, "telemetry: off (--no-telemetry)");
    else if (*places)
        say(visit, "ok", NULL,
            "telemetry: to files below OUTPUT_DIR/" NP_TELEMETRY_FOLDER "; sent: %s", places);
    else
        say(visit, "ok", NULL, "telemetry: to files below OUTPUT_DIR/" NP_TELEMETRY_FOLDER " only");
    NP_AUTO(np_freep)
    char *pending =
        visit->config->output_dir ? np_telemetry_pending(visit->config->output_dir) : NULL;
    if (pending)
        say(visit, "warn", "see the reason; then send it", "telemetry: %s", pending);
    char *rest = NULL;
    for (char *line = warnings.text ? strtok_r(warnings.text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest))
        say(visit, "warn", "correct or unset it", "telemetry: %s", line);
}

static void estimate(struct visit *visit, const struct np_dataset *dataset)
{
    NP_AUTO(np_freep)
    struct np_need *need = np_xcalloc(dataset->n_sessions, sizeof(*need));
    size_t n_unreadable;

    np_estimate_sessions(visit->config, dataset, need, &n_unreadable);
    visit->need = np_estimate_run(visit->config);
    for (size_t i = 0; i < dataset->n_sessions; i++) {
        np_need_add(&visit->need, &need[i]);
        np_need_most(&visit->most, &need[i]);
    }
}

/* A run is refused what OUTPUT_DIR does not fit: its configuration, or its dataset. */
static void check_folder(struct visit *visit, const struct np_dataset *dataset)
{
    NP_AUTO(np_folder_done) struct np_folder folder = {0};
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    struct np_error err = {0};

    if (!visit->config->output_dir)
        return;
    int code = np_admission_check(visit->config, dataset, &folder, &warnings, &err);
    /* Sessions that were made otherwise. Its other refusals are said by the other checks. */
    if (code == 0 && np_plan_check(visit->config, &err) == NP_ECONFIG)
        code = NP_ECONFIG;
    if (code < 0) {
        say(visit, "FAIL", np_outcome_info(np_error_outcome(code))->remedy, "OUTPUT_DIR: %s",
            err.text);
        failed(visit, code);
        return;
    }
    NP_AUTO(np_freep) char *words = np_making_words(&folder.making[0]);
    say(visit, "ok", NULL, "configuration of OUTPUT_DIR: %s", words);
    for (size_t i = 0; i < warnings.n; i++)
        say(visit, "warn", "give each configuration a folder of its own", "OUTPUT_DIR: %s",
            warnings.item[i]);
}

static void check_dataset(struct visit *visit)
{
    const struct np_config *config = visit->config;
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_error err = {0};
    size_t n_scans = 0, n_without = 0;

    int code = np_dataset_open_selected(config, &dataset, &err);
    if (code < 0) {
        say(visit, "FAIL", np_outcome_info(np_error_outcome(code))->remedy, "BIDS_DIR: %s",
            err.text);
        failed(visit, code);
        return;
    }
    for (size_t i = 0; i < dataset->n_sessions; i++) {
        n_scans += dataset->session[i].n_scans;
        n_without += dataset->session[i].n_scans == 0;
    }
    visit->n_sessions = dataset->n_sessions;
    estimate(visit, dataset);
    say(visit, n_scans > 0 ? "ok" : "warn",
        n_scans > 0 ? NULL : "check the modalities (-m) and the images' names",
        "BIDS_DIR %s: %zu session%s, %zu of them without images; %zu image%s to preprocess",
        dataset->root, dataset->n_sessions, np_plural((int64_t)dataset->n_sessions), n_without,
        n_scans, np_plural((int64_t)n_scans));
    for (size_t i = 0; i < dataset->warnings.n && i < 5; i++)
        say(visit, "warn", "see the BIDS validator", "BIDS_DIR: %s", dataset->warnings.item[i]);
    check_sessions_memory(visit);
    check_folder(visit, dataset);
}

static void check_bids_dir(struct visit *visit)
{
    const char *path = visit->config->bids_dir;
    struct stat status;
    int reason = stat(path, &status) == 0 ? 0 : errno;

    if (reason == ENOENT || reason == ENOTDIR || (!reason && !S_ISDIR(status.st_mode))) {
        say(visit, "FAIL", "check the path; in a container, bind it (--bind HOST_DIR:/data:ro)",
            "BIDS_DIR %s: %s", path, reason ? "does not exist" : "is not a folder");
        failed(visit, NP_ENOINPUT);
    } else if (reason) {
        say(visit, "FAIL", "ask its owner for search permission on the folders that lead there",
            "BIDS_DIR %s: cannot be looked at (%s)", path, strerror(reason));
        failed(visit, NP_ENOINPUT);
    } else if (access(path, R_OK | X_OK) != 0) {
        say(visit, "FAIL", "ask its owner for read and search permission",
            "BIDS_DIR %s: cannot be listed (%s)", path, strerror(errno));
        failed(visit, NP_ENOINPUT);
    } else {
        check_dataset(visit);
    }
}

/* The nearest existing folder on the way to `path`; the caller frees. */
static char *nearest_folder(const char *path)
{
    char *folder = np_xstrdup(path);

    while (!np_path_exists(folder) && strcmp(folder, "/") != 0) {
        char *above = np_path_directory(folder);
        free(folder);
        folder = above;
    }
    return folder;
}

static bool lies_in_dataset(const struct visit *visit, const char *path)
{
    if (!visit->bids_dir || !np_path_is_below(path, visit->bids_dir))
        return false;
    NP_AUTO(np_freep) char *derivatives = np_path_join(visit->bids_dir, "derivatives");
    return strcmp(path, derivatives) == 0 || !np_path_is_below(path, derivatives);
}

static int probe_fsync(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    int bad = fd < 0 || fsync(fd) != 0;

    if (fd >= 0)
        close(fd);
    return bad ? -1 : 0;
}

/* Try the operations that publishing needs, in a temporary folder. Returns the name of the first
 * that fails, or NULL; `*reason` is its errno, 0 when the system gave none. */
static const char *probe_operations(const char *folder, int *reason)
{
    NP_AUTO(np_freep) char *a = np_path_join(folder, "a");
    NP_AUTO(np_freep) char *b = np_path_join(folder, "b");
    const char *failed_at = NULL;
    int fd = open(a, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    *reason = 0;
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0) {
        *reason = errno;
        failed_at = "writing and syncing a file";
    }
    if (fd >= 0)
        close(fd);
    if (!failed_at && (fd = open(a, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) >= 0) {
        close(fd);
        failed_at = "exclusive creation (O_EXCL), which the session locks rest on";
    }
    if (!failed_at && rename(a, b) != 0) {
        *reason = errno;
        failed_at = "renaming";
    }
    if (!failed_at && (np_path_exists(a) || probe_fsync(folder, O_RDONLY | O_DIRECTORY) != 0))
        failed_at = "syncing a folder";
    unlink(a);
    unlink(b);
    return failed_at;
}

/* The remedy for a folder in which nothing can be made. */
static const char *remedy_of(int reason)
{
    if (reason == ENOSPC || reason == EDQUOT)
        return "free space or inodes there, or choose another OUTPUT_DIR";
    if (reason == EROFS)
        return "choose another OUTPUT_DIR; in a container, bind it without ':ro'";
    return "ask for write permission there, or choose another OUTPUT_DIR";
}

/* True when files can be made in the folder. */
static bool check_writing(struct visit *visit, const char *folder)
{
    NP_AUTO(np_freep)
    char *probe = np_xasprintf("%s/.neuro-preprocess-doctor.%s.%ld.tmp", folder, np_host_name(),
                               (long)getpid());
    int reason = mkdir(probe, 0700) == 0 ? 0 : errno;

    if (reason) {
        say(visit, "FAIL", remedy_of(reason), "OUTPUT_DIR %s: nothing can be made in %s (%s)",
            visit->output_dir, folder, strerror(reason));
        failed(visit, np_error_errno(NULL, reason, NP_ECREATE, "%s", folder));
        return false;
    }
    const char *failed_at = probe_operations(probe, &reason);
    rmdir(probe);
    if (failed_at) {
        bool is_full = reason == ENOSPC || reason == EDQUOT;
        say(visit, "FAIL",
            is_full ? remedy_of(reason) : "choose an OUTPUT_DIR on another file system",
            "OUTPUT_DIR %s: the file system fails at %s%s%s", visit->output_dir, failed_at,
            reason ? ": " : "", reason ? strerror(reason) : "");
        failed(visit, np_error_errno(NULL, reason, NP_EIO, "%s", folder));
        return false;
    }
    say(visit, "ok", NULL, "OUTPUT_DIR %s: %s; write, sync, rename, O_EXCL work", visit->output_dir,
        strcmp(folder, visit->output_dir) == 0 ? "exists" : "can be created");
    return true;
}

static void check_space(struct visit *visit, const char *folder)
{
    struct statvfs fs;

    if (statvfs(folder, &fs) != 0) {
        say(visit, "warn", "check the space by other means", "OUTPUT_DIR %s: free space unknown",
            visit->output_dir);
        return;
    }
    double free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
    /* Some file systems do not count inodes and report 0 of 0. */
    double free_inodes = fs.f_files > 0 ? (double)fs.f_favail : 1e18;
    double bytes = (double)visit->need.disk_bytes, n_inodes = (double)visit->need.inodes;
    bool for_one =
        free_bytes >= (double)visit->most.disk_bytes && free_inodes >= (double)visit->most.inodes;
    bool for_all = free_bytes >= bytes && free_inodes >= n_inodes;
    NP_AUTO(np_freep)
    char *inodes = fs.f_files > 0 ? np_xasprintf("%.0f", free_inodes) : np_xstrdup("uncounted");
    NP_AUTO(np_freep)
    char *needed = visit->n_sessions > 0
                       ? np_xasprintf("; %zu %s about %.0f MiB, %.0f inodes", visit->n_sessions,
                                      visit->n_sessions == 1 ? "session needs" : "sessions need",
                                      ceil(bytes / MIB), n_inodes)
                       : np_xstrdup("");
    const char *verdict = for_all ? "ok" : "warn";

    say(visit, for_one ? verdict : "FAIL",
        for_all ? NULL : "free space or inodes, or choose another OUTPUT_DIR",
        "space: %.1f GiB, inodes: %s free%s", free_bytes / GIB, inodes, needed);
    if (!for_one)
        failed(visit, NP_ESPACE);
}

/* Magic numbers of statfs(2). */
static const struct {
    unsigned long magic;
    const char *name, *remedy; /* NULL: no problem */
} FILE_SYSTEMS[] = {
    {0x6969, "NFS (network; locks are files made with O_EXCL, no flock)", NULL},
    {0x0bd00bd0, "Lustre (network)", NULL},
    {0x47504653, "GPFS (network)", NULL},
    {0x19830326, "BeeGFS (network)", NULL},
    {0x00c36400, "Ceph (network)", NULL},
    {0xff534d42, "CIFS (network)", NULL},
    {0xfe534d42, "SMB (network)", NULL},
    {0x65735546, "FUSE", NULL},
    {0xef53, "ext4", NULL},
    {0x58465342, "XFS", NULL},
    {0x9123683e, "Btrfs", NULL},
    {0x2fc12fc1, "ZFS", NULL},
    {0x794c7630, "overlay", "in a container it may vanish with it: bind a folder of the host"},
    {0x01021994, "tmpfs (memory)", "it counts as memory and is lost at reboot: choose a disk"},
    {0x73717368, "squashfs", "it is read-only: bind a writable folder"},
};

static void check_file_system(struct visit *visit, const char *folder)
{
    struct statfs fs;

    if (statfs(folder, &fs) != 0)
        return;
    unsigned long magic = (unsigned long)fs.f_type & 0xffffffff;
    for (size_t i = 0; i < NP_COUNT(FILE_SYSTEMS); i++)
        if (FILE_SYSTEMS[i].magic == magic) {
            say(visit, FILE_SYSTEMS[i].remedy ? "warn" : "ok", FILE_SYSTEMS[i].remedy,
                "file system of OUTPUT_DIR: %s", FILE_SYSTEMS[i].name);
            return;
        }
    say(visit, "ok", NULL, "file system of OUTPUT_DIR: type 0x%lx", magic);
}

static void check_output_dir(struct visit *visit)
{
    NP_AUTO(np_freep) char *folder = nearest_folder(visit->output_dir);

    if (lies_in_dataset(visit, visit->output_dir)) {
        say(visit, "FAIL", "choose a folder outside, or one below BIDS_DIR/derivatives/",
            "OUTPUT_DIR %s lies inside BIDS_DIR", visit->output_dir);
        failed(visit, NP_ECREATE);
    } else if (!np_path_is_directory(folder)) {
        say(visit, "FAIL", "choose another name", "OUTPUT_DIR %s: %s is not a folder",
            visit->output_dir, folder);
        failed(visit, NP_ECREATE);
    } else {
        check_file_system(visit, folder);
        if (check_writing(visit, folder))
            check_space(visit, folder);
    }
}

static void check_work_dir(struct visit *visit)
{
    NP_AUTO(np_freep) char *path = np_path_resolve(visit->config->work_dir);

    if (path && visit->bids_dir && np_path_is_below(path, visit->bids_dir)) {
        say(visit, "FAIL", "choose a folder outside", "work folder %s lies inside BIDS_DIR", path);
        failed(visit, NP_ECREATE);
    } else {
        say(visit, "ok", NULL, "work folder given; no intermediate files are written");
    }
}

static void check_mask_dir(struct visit *visit)
{
    struct np_error err = {0};
    int code = np_masks_check(visit->config, &err);

    if (code == 0) {
        say(visit, "ok", NULL, "brain masks are taken from '%s'", visit->config->mask_dir);
        return;
    }
    say(visit, "FAIL", np_outcome_info(np_error_outcome(code))->remedy, "%s", err.text);
    failed(visit, code);
}

int np_doctor(const struct np_config *config, FILE *out)
{
    NP_AUTO(visit_done) struct visit visit = {.config = config, .out = out};

    np_resources_detect(&visit.resources);
    check_program(&visit);
    check_canary(&visit);
    check_container(&visit);
    check_cpus(&visit);
    check_memory(&visit);
    check_scheduler(&visit);
    check_surroundings(&visit);
    check_telemetry(&visit);
    if (config->bids_dir) {
        visit.bids_dir = np_path_resolve(config->bids_dir);
        check_bids_dir(&visit);
    }
    if (config->output_dir) {
        visit.output_dir = np_path_resolve(config->output_dir);
        if (visit.output_dir)
            check_output_dir(&visit);
    }
    if (config->work_dir)
        check_work_dir(&visit);
    if (config->mask_dir)
        check_mask_dir(&visit);
    return np_outcome_info(np_error_outcome(visit.code))->exit_status;
}
