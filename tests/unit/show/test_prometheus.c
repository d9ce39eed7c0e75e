/* Metrics for Prometheus: names, the text format, the file and the page. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"
#include "otlp/inside.h"
#include "show/prometheus.h"
#include "show/pull.h"
#include "show/textfile.h"
#include "tap.h"
#include "trace/names.h"

static const struct np_show_page plain = {0};

/* The names that a Prometheus server shows when it took the metrics by OTLP. */
TEST(names_are_those_that_prometheus_makes_of_otlp)
{
    static const struct {
        const struct np_metric_def *def;
        const char *name;
    } table[] = {
        {&np_metric_files_processed, "neuro_files_processed_total"},
        {&np_metric_sessions_processed, "neuro_sessions_processed_total"},
        {&np_metric_errors, "neuro_errors_total"},
        {&np_metric_process_duration, "neuro_process_duration_seconds"},
        {&np_metric_stage_duration, "neuro_stage_duration_seconds"},
        {&np_metric_scan_size, "neuro_scan_size_bytes"},
        {&np_metric_output_size, "neuro_output_size_bytes"},
        {&np_metric_sessions_active, "neuro_sessions_active"},
        {&np_metric_sessions_planned, "neuro_sessions_planned"},
        {&np_metric_queue_depth, "neuro_queue_depth"},
        {&np_metric_memory_limit, "neuro_memory_limit_bytes"},
        {&np_metric_session_cpu_time, "neuro_session_cpu_time_seconds"},
        {&np_metric_qc_brain_volume, "neuro_qc_brain_volume_mm3"},
        {&np_metric_qc_border_contact, "neuro_qc_border_contact_ratio"},
        {&np_metric_process_cpu_time, "process_cpu_time_seconds_total"},
        {&np_metric_sdk_span_exported, "otel_sdk_exporter_span_exported_total"},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        const struct np_metric_point point = {.def = table[i].def};
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};
        NP_AUTO(np_freep) char *head = np_xasprintf("# HELP %s ", table[i].name);
        np_show_prometheus_text(&point, 1, &plain, &text);
        ok(text.length > strlen(head) && memcmp(text.bytes, head, strlen(head)) == 0);
    }
}

/* Each request for memory fails in turn: the text is marked as failed, and nothing aborts. */
TEST(a_text_for_which_there_is_no_memory_is_marked_as_failed)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_attrs_string(&attrs, NP_KEY_NEURO_STATUS, "success");
    struct np_metric_point point = {.def = &np_metric_files_processed, .attrs = attrs};
    for (int64_t nth = 1;; nth++) {
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};
        np_alloc_fail_at(nth);
        np_show_prometheus_text(&point, 1, &plain, &text);
        bool has_failed = np_alloc_requests() >= nth;
        np_alloc_fail_at(0);
        if (!has_failed) {
            ok(nth > 1 && !text.failed);
            return;
        }
        ok_int(text.failed, NP_ENOMEM);
    }
}

static struct np_trace_sink add_textfile(struct np_trace *trace, const char *path,
                                         const struct np_otlp_redactor *redactor)
{
    struct np_trace_sink sink = {0};

    np_show_textfile_open(path, redactor, &sink);
    np_trace_add_sink(trace, sink);
    return sink;
}

static void write_text(void *self, const struct np_metric_point *point, size_t n_points)
{
    np_show_prometheus_text(point, n_points, &plain, self);
}

/* Two series of a counter, a histogram, a gauge with labels that need escaping. */
static void measure(struct np_trace *trace)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0}, odd = {0};

    np_attrs_string(&attrs, NP_KEY_NEURO_STATUS, "success");
    np_metric_add(trace, &np_metric_sessions_processed, 3, &attrs, NULL);
    np_attrs_string(&attrs, NP_KEY_NEURO_STATUS, "failed");
    np_metric_add(trace, &np_metric_sessions_processed, 0, &attrs, NULL);
    np_metric_add(trace, &np_metric_scan_size, 65536, NULL, NULL);
    np_metric_add(trace, &np_metric_scan_size, 0x1p40, NULL, NULL);
    np_attrs_string(&odd, NP_KEY_BIDS_PARTICIPANT, "a\"b\\c");
    np_attrs_string(&odd, NP_KEY_NEURO_SITE, "DoeJohn.nii");
    np_metric_set(trace, &np_metric_session_duration, 0.1, &odd);
}

TEST(none_shows_no_site)
{
    NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *none = NULL;
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};

    ok_int(np_otlp_redactor_open(NP_NAME_NONE, tap_directory(), &none, NULL), 0);
    np_attrs_string(&attrs, NP_KEY_NEURO_SITE, "bonn");
    const struct np_show_page page = {.redactor = none};
    const struct np_metric_point point = {
        .def = &np_metric_session_duration, .attrs = attrs, .value = 2};
    np_show_prometheus_text(&point, 1, &page, &text);
    np_otlp_buffer_add(&text, "", 1);
    ok_contains(text.bytes, "\nneuro_session_duration_seconds 2\n");
}

TEST(the_text_is_as_the_format_says)
{
    static const char expected[] =
        "# HELP neuro_scan_size_bytes Size of an input image on disk\n"
        "# TYPE neuro_scan_size_bytes histogram\n"
        "neuro_scan_size_bytes_bucket{le=\"65536.0\"} 1\n"
        "neuro_scan_size_bytes_bucket{le=\"262144.0\"} 1\n"
        "neuro_scan_size_bytes_bucket{le=\"1048576.0\"} 1\n"
        "neuro_scan_size_bytes_bucket{le=\"4194304.0\"} 1\n"
        "neuro_scan_size_bytes_bucket{le=\"16777216.0\"} 1\n"
        "neuro_scan_size_bytes_bucket{le=\"67108864.0\"} 1\n"
        "neuro_scan_size_bytes_bucket{le=\"268435456.0\"} 1\n"
        "neuro_scan_size_bytes_bucket{le=\"1073741824.0\"} 1\n"
        "neuro_scan_size_bytes_bucket{le=\"4294967296.0\"} 1\n"
        "neuro_scan_size_bytes_bucket{le=\"+Inf\"} 2\n"
        "neuro_scan_size_bytes_sum 1099511693312\n"
        "neuro_scan_size_bytes_count 2\n"
        "# HELP neuro_session_duration_seconds Wall time of one session\n"
        "# TYPE neuro_session_duration_seconds gauge\n"
        "neuro_session_duration_seconds{bids_participant=\"a\\\"b\\\\c\",neuro_site=\"DoeJohn."
        "nii\"}"
        " 0.1\n"
        "# HELP neuro_sessions_processed_total Sessions that ended, by how\n"
        "# TYPE neuro_sessions_processed_total counter\n"
        "neuro_sessions_processed_total{neuro_status=\"failed\"} 0\n"
        "neuro_sessions_processed_total{neuro_status=\"success\"} 3\n";
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};

    measure(trace);
    np_trace_snapshot(trace, write_text, &text);
    np_otlp_buffer_add(&text, "", 1);
    ok_str(text.bytes, expected);
}

TEST(an_exponential_histogram_is_count_and_sum)
{
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};

    np_trace_set_metrics(trace, NP_HISTOGRAM_EXPONENTIAL, NP_EXEMPLARS_NONE);
    np_metric_add(trace, &np_metric_stage_duration, 2.5, NULL, NULL);
    np_trace_snapshot(trace, write_text, &text);
    np_otlp_buffer_add(&text, "", 1);
    ok_contains(text.bytes, "\nneuro_stage_duration_seconds_bucket{le=\"+Inf\"} 1\n"
                            "neuro_stage_duration_seconds_sum 2.5\n"
                            "neuro_stage_duration_seconds_count 1\n");
}

TEST(labels_of_the_file_are_redacted)
{
    NP_AUTO(np_otlp_redactor_freep)
    struct np_otlp_redactor *redactor = np_otlp_redactor_new("key", 3);
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/hidden.prom", tap_directory());
    struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_str_done) struct np_str text = {0};

    add_textfile(trace, path, redactor);
    measure(trace);
    np_trace_collect(trace);
    np_trace_freep(&trace);
    ok_int(np_file_read(path, 65536, &text, NULL), 0);
    ok_contains(np_str_text(&text), "bids_participant=\"");
    ok(!strstr(np_str_text(&text), "a\\\"b") && !strstr(np_str_text(&text), "DoeJohn"));
}

TEST(the_resource_is_a_series_of_its_own)
{
    NP_AUTO(np_attrs_done) struct np_attrs resource = {0};
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};

    np_attrs_string(&resource, NP_KEY_SERVICE_NAME, "neuro-preprocess");
    np_attrs_int(&resource, NP_KEY_PROCESS_PID, 7);
    np_show_prometheus_text(NULL, 0, &(struct np_show_page){.resource = &resource}, &text);
    np_otlp_buffer_add(&text, "", 1);
    ok_str(text.bytes, "# HELP target_info Attributes of the resource\n"
                       "# TYPE target_info gauge\n"
                       "target_info{service_name=\"neuro-preprocess\",process_pid=\"7\"} 1\n");
}

/* node_exporter serves a series that two files hold only once. */
TEST(each_series_of_the_file_has_a_label_of_its_name)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/night \"shift\".prom", tap_directory());
    struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_str_done) struct np_str text = {0};
    size_t n_series = 0;

    add_textfile(trace, path, NULL);
    measure(trace);
    np_trace_collect(trace);
    np_trace_freep(&trace);
    ok_int(np_file_read(path, 65536, &text, NULL), 0);
    ok_contains(np_str_text(&text), "neuro_sessions_processed_total{neuro_status=\"success\","
                                    "neuro_textfile=\"night \\\"shift\\\"\"} 3\n");
    ok_contains(np_str_text(&text), "neuro_scan_size_bytes_bucket{neuro_textfile=\"night "
                                    "\\\"shift\\\"\",le=\"+Inf\"} 2\n");
    for (char *line = strtok(text.text, "\n"); line; line = strtok(NULL, "\n")) {
        n_series += *line != '#';
        ok(*line == '#' || strstr(line, "neuro_textfile=\"night \\\"shift\\\"\""));
    }
    ok_int(n_series, 15);
}

TEST(a_person_in_the_name_of_the_file_is_redacted)
{
    NP_AUTO(np_otlp_redactor_freep)
    struct np_otlp_redactor *redactor = np_otlp_redactor_new("key", 3);
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/DoeJohn.prom", tap_directory());
    struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_str_done) struct np_str text = {0};

    add_textfile(trace, path, redactor);
    np_metric_add(trace, &np_metric_errors, 1, NULL, NULL);
    np_trace_collect(trace);
    np_trace_freep(&trace);
    ok_int(np_file_read(path, 65536, &text, NULL), 0);
    ok_contains(np_str_text(&text), "neuro_textfile=\"");
    ok(!strstr(np_str_text(&text), "DoeJohn"));
}

static void make(const char *path, const char *content)
{
    ok_int(np_file_write_atomic(path, content, strlen(content), NULL), 0);
}

/* The name under the test's folder; the caller frees. */
static char *at(const char *name)
{
    return np_path_join(tap_directory(), name);
}

TEST(only_a_new_name_or_a_file_of_an_earlier_run_is_written)
{
    static const struct {
        const char *name;
        int code;
    } table[] = {
        {"new.prom", 0},
        {"no/such/folder.prom", 0}, /* a warning when it is written */
        {"ours.prom", 0},
        {"empty.prom", 0},
        {"to-ours.prom", 0},
        {"scan.nii.gz", NP_EUSAGE},
        {".prom", NP_EUSAGE},
        {"metrics.PROM", NP_EUSAGE},
        {"/dev/stdout", NP_EUSAGE},
        {"theirs.prom", NP_ECREATE},
        {"short.prom", NP_ECREATE},
        {"to-theirs.prom", NP_ECREATE},
        {"to-scan.prom", NP_EUSAGE},
        {"to-nothing.prom", NP_ECREATE},
        {"to-itself.prom", NP_ECREATE},
        {"to-device.prom", NP_ECREATE},
        {"pipe.prom", NP_ECREATE},
        {"folder.prom", NP_ECREATE},
        {"bids/new.prom", NP_ECREATE},
        {"bids/derivatives/out/new.prom", NP_ECREATE},
        {"to-bids.prom", NP_ECREATE},
        {"bids2/new.prom", 0},
    };
    static const char *const links[][2] = {
        {"ours.prom", "to-ours.prom"},        {"theirs.prom", "to-theirs.prom"},
        {"ours.txt", "to-scan.prom"},         {"nothing.prom", "to-nothing.prom"},
        {"to-itself.prom", "to-itself.prom"}, {"/dev/null", "to-device.prom"},
        {"bids/there.prom", "to-bids.prom"}};
    NP_AUTO(np_freep) char *dataset = at("bids");
    NP_AUTO(np_freep) char *ours = at("ours.prom");
    NP_AUTO(np_freep) char *text = at("ours.txt");
    NP_AUTO(np_freep) char *theirs = at("theirs.prom");
    NP_AUTO(np_freep) char *little = at("short.prom");
    NP_AUTO(np_freep) char *empty = at("empty.prom");
    NP_AUTO(np_freep) char *in_dataset = at("bids/there.prom");
    NP_AUTO(np_freep) char *pipe = at("pipe.prom");
    NP_AUTO(np_freep) char *folder = at("folder.prom");

    ok_int(np_directory_make(dataset, NULL), 0);
    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(mkfifo(pipe, 0666), 0);
    make(ours, "# HELP neuro_errors_total ...\n");
    make(text, "# HELP neuro_errors_total ...\n");
    make(in_dataset, "# HELP neuro_errors_total ...\n");
    make(theirs, "node_something 1\n");
    make(little, "# HELP");
    make(empty, "");
    for (size_t i = 0; i < NP_COUNT(links); i++) {
        NP_AUTO(np_freep) char *link = at(links[i][1]);
        ok_int(symlink(links[i][0], link), 0);
    }
    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep)
        char *path = *table[i].name == '/' ? np_xstrdup(table[i].name) : at(table[i].name);
        struct np_error err = {0};
        int code = np_show_textfile_check(path, dataset, &err);
        tap_check(code == table[i].code, __FILE__, __LINE__, "%s: %d %s", table[i].name, code,
                  err.text);
    }
}

TEST(a_file_that_came_to_lie_there_during_the_run_is_kept)
{
    NP_AUTO(np_freep) char *path = at("swapped.prom");
    struct np_trace *trace = np_trace_new(NULL);
    struct np_trace_sink sink = add_textfile(trace, path, NULL);
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_error what = {0};

    ok_int(np_show_textfile_check(path, NULL, NULL), 0);
    make(path, "node_something 1\n");
    np_metric_add(trace, &np_metric_errors, 1, NULL, NULL);
    np_trace_collect(trace);
    ok(np_show_textfile_trouble(&sink, &what));
    ok_contains(what.text, "found another file");
    ok_int(np_file_read(path, 65536, &text, NULL), 0);
    ok_str(np_str_text(&text), "node_something 1\n");
    np_trace_freep(&trace);
}

TEST(a_link_is_followed_and_others_may_read_the_file)
{
    NP_AUTO(np_freep) char *path = at("followed.prom");
    NP_AUTO(np_freep) char *link = at("latest.prom");
    struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct stat status;
    mode_t before = umask(077);

    make(path, "");
    ok_int(symlink("followed.prom", link), 0);
    add_textfile(trace, link, NULL);
    np_metric_add(trace, &np_metric_errors, 7, NULL, NULL);
    np_trace_collect(trace);
    np_trace_freep(&trace);
    umask(before);
    ok_int(lstat(link, &status), 0);
    ok(S_ISLNK(status.st_mode));
    ok_int(lstat(path, &status), 0);
    ok_int(status.st_mode & 07777, 0644);
    ok_int(np_file_read(path, 65536, &text, NULL), 0);
    ok_contains(np_str_text(&text), "neuro_errors_total{neuro_textfile=\"latest\"} 7\n");
}

TEST(the_file_is_replaced_whole_and_its_failure_is_reported_once)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/metrics.prom", tap_directory());
    NP_AUTO(np_freep) char *nowhere = np_xasprintf("%s/no/such/folder.prom", tap_directory());
    struct np_trace *trace = np_trace_new(NULL);
    struct np_trace_sink good = add_textfile(trace, path, NULL);
    struct np_trace_sink bad = add_textfile(trace, nowhere, NULL);
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_error what = {0};

    for (int i = 0; i < 2; i++) {
        np_metric_add(trace, &np_metric_errors, 1, NULL, NULL);
        np_trace_collect(trace);
    }
    ok_int(np_file_read(path, 65536, &text, NULL), 0);
    ok_contains(np_str_text(&text), "neuro_errors_total{neuro_textfile=\"metrics\"} 2\n");
    ok(!np_show_textfile_trouble(&good, &what));
    ok(np_show_textfile_trouble(&bad, &what));
    ok_contains(what.text, "folder.prom");
    ok(!np_show_textfile_trouble(&bad, &what));
    np_trace_freep(&trace);
}

/* Skipped where the Python of NP_TEST_PYTHON has no prometheus_client. */
TEST(the_parser_of_prometheus_client_finds_the_same_numbers)
{
    static const char script[] =
        "import sys\n"
        "from prometheus_client.parser import text_string_to_metric_families as parse\n"
        "found, file = {}, ('neuro_textfile', 'foreign')\n"
        "for family in parse(sys.stdin.read()):\n"
        "    for s in family.samples: found[s.name, tuple(sorted(s.labels.items()))] = s.value\n"
        "assert found['neuro_sessions_processed_total', (('neuro_status', 'success'), file)] == 3\n"
        "assert found['neuro_scan_size_bytes_bucket', (('le', '65536.0'), file)] == 1\n"
        "assert found['neuro_scan_size_bytes_count', (file,)] == 2\n"
        "assert ('neuro_session_duration_seconds', (('bids_participant', 'a\"b\\\\c'),\n"
        "        ('neuro_site', 'DoeJohn.nii'), file)) in found\n"
        "print(len(found))\n";
    const char *python = getenv("NP_TEST_PYTHON") ? getenv("NP_TEST_PYTHON") : "python3";
    NP_AUTO(np_freep)
    char *probe = np_xasprintf("%s -c 'import prometheus_client' 2>/dev/null", python);
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/foreign.prom", tap_directory());
    NP_AUTO(np_freep) char *program = np_xasprintf("%s/parse.py", tap_directory());
    NP_AUTO(np_freep) char *command = np_xasprintf("%s %s <%s 2>&1", python, program, path);
    struct np_trace *trace = np_trace_new(NULL);
    char answer[1024] = "";

    add_textfile(trace, path, NULL);
    measure(trace);
    np_trace_collect(trace);
    np_trace_freep(&trace);
    if (system(probe) != 0) {
        tap_skip("the Python package prometheus_client is not installed");
        return;
    }
    ok_int(np_file_write_atomic(program, script, sizeof(script) - 1, NULL), 0);
    FILE *pipe = popen(command, "r");
    answer[fread(answer, 1, sizeof(answer) - 1, pipe)] = '\0';
    ok_int(pclose(pipe), 0);
    ok_str(answer, "15\n");
}

/* The page. */

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ok_int(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Send `request` and read the answer to its end. Meanwhile hand over `page` when the server asks
 * for it, as a supervisor does (NULL = never). The caller frees. */
static char *fetch(struct np_show_pull *pull, const char *request, const char *page)
{
    int fd = connect_to(np_show_pull_port(pull));
    struct np_str text = {0};
    char some[4096];

    ok(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
    for (bool at_end = false; !at_end;) {
        struct pollfd both[2] = {{.fd = fd, .events = POLLIN},
                                 {.fd = page ? np_show_pull_fd(pull) : -1, .events = POLLIN}};
        if (poll(both, 2, 10000) <= 0)
            break;
        if (both[1].revents)
            np_show_pull_answer(pull, page, strlen(page));
        if (!both[0].revents)
            continue;
        ssize_t n = recv(fd, some, sizeof(some), 0);
        at_end = n <= 0;
        if (n > 0)
            np_str_add_bytes(&text, some, (size_t)n);
    }
    close(fd);
    return np_str_take(&text);
}

static struct np_show_pull *started(void)
{
    struct np_show_pull *pull = NULL;
    struct np_error err = {0};

    ok_int(np_show_pull_start("127.0.0.1", 0, 5, &pull, &err), 0);
    ok(np_show_pull_port(pull) > 0);
    return pull;
}

TEST(each_request_gets_the_page_of_its_moment)
{
    struct np_show_pull *pull = started();
    NP_AUTO(np_freep) char *large = np_xcalloc(300001, 1);

    memset(large, 'x', 300000);
    NP_AUTO(np_freep)
    char *one = fetch(pull, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "first 1\n");
    NP_AUTO(np_freep) char *two = fetch(pull, "GET /metrics?x=1 HTTP/1.0\r\n\r\n", large);
    NP_AUTO(np_freep) char *three = fetch(pull, "HEAD /metrics HTTP/1.1\r\n\r\n", "third 3\n");
    ok_contains(one, "HTTP/1.1 200 OK\r\n");
    ok_contains(one, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    ok_contains(one, "Content-Length: 8\r\n");
    ok_contains(one, "\r\n\r\nfirst 1\n");
    ok_contains(two, large);
    ok_contains(three, "Content-Length: 8\r\n");
    ok(!strstr(three, "third"));
    np_show_pull_stop(&pull);
    ok(!pull);
    np_show_pull_stop(&pull);
}

TEST(a_request_for_anything_but_metrics_is_refused)
{
    static const struct {
        const char *request, *status;
    } table[] = {
        {"GET / HTTP/1.1\r\n\r\n", "404"},
        {"GET /metricsx HTTP/1.1\r\n\r\n", "404"},
        {"GET /../etc/passwd HTTP/1.1\r\n\r\n", "404"},
        {"POST /metrics HTTP/1.1\r\n\r\n", "405"},
        {"\r\n\r\n", "405"},
    };
    struct np_show_pull *pull = started();

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep) char *answer = fetch(pull, table[i].request, NULL);
        tap_check(strncmp(answer + strlen("HTTP/1.1 "), table[i].status, 3) == 0, __FILE__,
                  __LINE__, "'%s': %s", table[i].request, answer);
    }
    np_show_pull_stop(&pull);
}

/* More than the server serves at once: some are silent, some have sent a part of a request, some
 * have asked and read nothing. */
TEST(silent_clients_delay_no_other)
{
    struct np_show_pull *pull = started();
    int idle[100];
    static const char *const begun[] = {"", "GET /metr", "GET /metrics HTTP/1.1\r\n\r\n"};
    const double start_s = (double)np_clock_mono_ns() * 1e-9;

    for (size_t i = 0; i < NP_COUNT(idle); i++) {
        const char *text = begun[i % 8 == 7 ? 2 : i % 2];
        idle[i] = connect_to(np_show_pull_port(pull));
        ok(send(idle[i], text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
    }
    NP_AUTO(np_freep) char *answer = fetch(pull, "GET /metrics HTTP/1.1\r\n\r\n", "here 1\n");
    ok_contains(answer, "here 1\n");
    ok_below((double)np_clock_mono_ns() * 1e-9 - start_s, 1.5, "s; a client is silent for 2");
    for (size_t i = 0; i < NP_COUNT(idle); i++)
        close(idle[i]);
    np_show_pull_stop(&pull);
}

TEST(a_slow_reader_gets_its_page_whole_while_others_get_newer_ones)
{
    struct np_show_pull *pull = started();
    NP_AUTO(np_freep) char *large = np_xcalloc(8000001, 1);
    NP_AUTO(np_freep) char *all = np_xcalloc(8001001, 1);
    static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
    int slow = connect_to(np_show_pull_port(pull));
    struct pollfd asked = {.fd = np_show_pull_fd(pull), .events = POLLIN};
    size_t n_all = 0;

    memset(large, 'x', 8000000);
    ok(send(slow, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0);
    ok_int(poll(&asked, 1, 5000), 1);
    np_show_pull_answer(pull, large, 8000000);
    NP_AUTO(np_freep) char *other = fetch(pull, request, "newer 2\n");
    ok_contains(other, "newer 2\n");
    for (ssize_t n; (n = recv(slow, all + n_all, 8001000 - n_all, 0)) > 0;)
        n_all += (size_t)n;
    ok(n_all > 8000000 && memcmp(all + n_all - 8000000, large, 8000000) == 0);
    close(slow);
    np_show_pull_stop(&pull);
}

/* Nobody answers the question. */
TEST(without_an_answer_of_the_run_the_client_has_an_error)
{
    struct np_show_pull *pull = started();
    NP_AUTO(np_freep) char *answer = fetch(pull, "GET /metrics HTTP/1.1\r\n\r\n", NULL);

    ok_contains(answer, "503 Service Unavailable");
    np_show_pull_stop(&pull);
}

TEST(a_used_port_and_an_unknown_host_are_errors)
{
    struct np_show_pull *pull = started(), *second = NULL;
    struct np_error err = {0}, unknown = {0};

    ok(np_show_pull_start("127.0.0.1", np_show_pull_port(pull), 5, &second, &err) < 0);
    ok_contains(err.text, "cannot offer metrics there");
    ok_int(np_show_pull_start("no such host", 0, 5, &second, &unknown), NP_EUSAGE);
    ok(!second);
    np_show_pull_stop(&pull);
}

TAP_MAIN
