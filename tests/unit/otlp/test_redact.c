/* Labels on their way to the network: what is replaced, what stays, where the key is kept. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "otlp/batch.h"
#include "otlp/encode.h"
#include "otlp/inside.h"
#include "otlp/json.h"
#include "otlp/redact.h"
#include "tap.h"
#include "trace/names.h"

static const char KEY[] = "a key for tests";

static char *redacted(const struct np_otlp_redactor *redactor, const char *key, const char *text)
{
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer out = {0};

    np_otlp_redact(redactor, key, text, strlen(text), &out);
    np_otlp_buffer_add(&out, "", 1);
    return np_xstrdup(out.bytes);
}

static char *shown(const char *key, const char *text)
{
    NP_AUTO(np_otlp_redactor_freep)
    struct np_otlp_redactor *redactor = np_otlp_redactor_new(KEY, sizeof(KEY) - 1);

    return redacted(redactor, key, text);
}

/* The words of a label, from the attributes that hold nothing else. */
static char *participant(const char *label)
{
    return shown(NP_KEY_BIDS_PARTICIPANT, label);
}

static char *session(const char *label)
{
    return shown(NP_KEY_BIDS_SESSION, label);
}

/* In `pattern`, "{P}" stands for the participant's word and "{S}" for the session's. */
static char *expected(const char *pattern, const char *label_p, const char *label_s)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    NP_AUTO(np_freep) char *p = participant(label_p);
    NP_AUTO(np_freep) char *s = session(label_s);

    for (; *pattern; pattern++) {
        bool is_p = strncmp(pattern, "{P}", 3) == 0, is_s = strncmp(pattern, "{S}", 3) == 0;
        if (is_p || is_s) {
            np_str_add(&text, is_p ? p : s);
            pattern += 2;
        } else {
            np_str_add_char(&text, *pattern);
        }
    }
    return np_str_take(&text);
}

TEST(a_word_is_sixteen_hex_digits_and_depends_on_label_kind_and_key)
{
    NP_AUTO(np_freep) char *one = participant("01");
    NP_AUTO(np_freep) char *again = participant("01");
    NP_AUTO(np_freep) char *other = participant("02");
    NP_AUTO(np_freep) char *as_session = session("01");
    NP_AUTO(np_otlp_redactor_freep)
    struct np_otlp_redactor *elsewhere = np_otlp_redactor_new("another", 7);
    NP_AUTO(np_freep) char *there = redacted(elsewhere, NP_KEY_BIDS_PARTICIPANT, "01");

    ok_int((int64_t)strlen(one), 16);
    ok_int((int64_t)strspn(one, "0123456789abcdef"), 16);
    ok_str(again, one);
    ok(strcmp(one, other) != 0 && strcmp(one, as_session) != 0 && strcmp(one, there) != 0);
}

TEST(labels_are_replaced_wherever_they_stand)
{
    static const struct {
        const char *key, *text, *expected, *participant, *session;
    } table[] = {
        {NULL, "sub-01/ses-BL: success after 1.2 s", "sub-{P}/ses-{S}: success after 1.2 s", "01",
         "BL"},
        {NULL, "sub-1: begun", "sub-{P}: begun", "1", ""},
        {NULL, "sub-sub_ses-ses_T1w", "sub-{P}_ses-{S}_T1w", "sub", "ses"},
        {NULL, "SUB-01 and Sub-01", "SUB-{P} and Sub-{P}", "01", ""},
        {NULL, "sub-01 sub-01.", "sub-{P} sub-{P}.", "01", ""},
        {NULL, "sub-01-02: begun", "sub-{P}: begun", "01-02", ""},
        {NULL, "(sub-john.doe)", "(sub-{P})", "john.doe", ""},
        {NULL, "sub-+John: success", "sub-{P}: success", "+John", ""},
        {NULL, "https://x/sub-a++b", "https://x/sub-{P}", "a++b", ""},
        {NULL, "sub-J\xc3\xbcrgen,", "sub-{P},", "J\xc3\xbcrgen", ""},
        {"file.path", "sub-01/ses-BL/anat/sub-01_ses-BL_run-1_T1w.nii.gz",
         "sub-{P}/ses-{S}/anat/sub-{P}_ses-{S}_run-1_T1w.nii.gz", "01", "BL"},
        {"file.name", "sub-anat_T1w.nii.gz", "sub-{P}_T1w.nii.gz", "anat", ""},
        {"neuro.output.path", "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz",
         "sub-{P}/anat/sub-{P}_desc-preproc_T1w.nii.gz", "01", ""},
        {"exception.message", "'sub-01/anat/sub-01_T1w.nii': expected 348, found 0",
         "'sub-{P}/anat/sub-{P}_T1w.nii': expected 348, found 0", "01", ""},
        {NULL, "logs/sub-01/sub-01_ses-BL_status.json", "logs/sub-{P}/sub-{P}_ses-{S}_status.json",
         "01", "BL"},
        {"host.name", "sub-01", "sub-{P}", "01", ""},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep) char *found = shown(table[i].key, table[i].text);
        NP_AUTO(np_freep)
        char *wanted = expected(table[i].expected, table[i].participant, table[i].session);
        ok_str(found, wanted);
    }
}

TEST(what_names_nobody_stays)
{
    static const struct {
        const char *key, *text;
    } table[] = {
        {NULL, "T1w skull_strip: done in 0.52 s"},
        {NULL, "https://opentelemetry.io/schemas/1.38.0"},
        {NULL, "Input/output error"},
        {NULL, "span started: preprocess_session"},
        {NULL, "the worker's pipe isn't open"},
        {NULL, "a subscription-based sub- and a ses- without a label"},
        {NULL, "resub-01"},
        {NULL, "'--fail-rate' takes 0 to 1"},
        {"service.name", "neuro/preprocess"},
        {"container.image.name", "docker.io/neuro/preprocess"},
        {"neuro.image.shape", "176x256x256"},
        {"neuro.stage", "skull_strip"},
        {"neuro.format", "nii.gz"},
        {"neuro.format", "nii"},
        {NULL, ""},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep) char *found = shown(table[i].key, table[i].text);
        ok_str(found, table[i].text);
    }
}

TEST(names_of_files_that_are_not_bids_go_too)
{
    static const struct {
        const char *key, *text;
    } table[] = {
        {"file.path", "/data/DoeJohn/DoeJohn_MPRAGE.nii.gz"},
        {"file.name", "DoeJohn.nii"},
        {"file.name", "DoeJohn"},
        {NULL, "'/home/me/DoeJohn.nii.gz': expected a NIfTI image"},
        {NULL, "'DoeJohn': begun"},
        {NULL, "/data/it's DoeJohn/scan.nii: begun"},
        {NULL, "../DoeJohn/x.nii"},
        {NULL, "DoeJohn.nii.gz: begun"},
        {NULL, "reading DoeJohn_T1w.json,then more"},
        {NULL, "a/DoeJohn/b"},
        {"neuro.output.path", "DoeJohn_desc-preproc.nii.gz"},
        {"exception.message", "cannot open \"/data/DoeJohn\""},
        {NULL, "sub-01_DoeJohn_T1w.nii.gz"},
        {NULL, "/scratch/proj/nipoppy/scratch/sub-DoeJohn_ses-1-abc/x"},
        {"file.path", "/data/DoeJohn/anat/../T1w.nii.gz"},
        {NULL, "'study/Doe John/more DoeJohn/Do"}, /* a message that was cut */
        {NULL, "'DoeJohn"},
        {NULL, "'/data/James' scans/DoeJohn.nii.gz': cannot read"},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep) char *found = shown(table[i].key, table[i].text);
        tap_check(!strcasestr(found, "doe"), __FILE__, __LINE__, "'%s' became '%s'", table[i].text,
                  found);
        tap_check(strlen(found) > 0, __FILE__, __LINE__, "'%s' became nothing", table[i].text);
    }
    NP_AUTO(np_freep) char *path = shown("file.path", "/data/DoeJohn/anat/DoeJohn.nii.gz");
    ok(np_starts_with(path, "/data/") && strstr(path, "/anat/") && np_ends_with(path, ".nii.gz"));
}

/* A redactor of `--telemetry-id none`, or of hash. */
static struct np_otlp_redactor *redactor_of(enum np_naming naming)
{
    struct np_otlp_redactor *redactor = NULL;

    ok_int(np_otlp_redactor_open(naming, tap_directory(), &redactor, NULL), 0);
    return redactor;
}

TEST(a_site_and_an_acquisition_are_hashed_and_none_leaves_them_out)
{
    NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *hash = redactor_of(NP_NAME_HASH);
    NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *none = redactor_of(NP_NAME_NONE);
    static const struct {
        const char *text, *of_none;
    } table[] = {
        {"run-2_acq-bonn_T1w.nii.gz", "run-2_T1w.nii.gz"},
        {"acq-bonn_run-1_T1w: begun", "run-1_T1w: begun"},
        {"'anat/acq-Bonn_T1w.json'", "'anat/T1w.json'"},
        {"run-1_ACQ-bonn.nii", "run-1_.nii"},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep) char *of_hash = redacted(hash, NULL, table[i].text);
        NP_AUTO(np_freep) char *of_none = redacted(none, NULL, table[i].text);
        ok(!strcasestr(of_hash, "bonn") && strcasestr(of_hash, "acq-"));
        ok_str(of_none, table[i].of_none);
    }
    NP_AUTO(np_freep) char *site = redacted(hash, NP_KEY_NEURO_SITE, "bonn");
    NP_AUTO(np_freep) char *acquisition = redacted(hash, NP_KEY_BIDS_ACQUISITION, "bonn");
    NP_AUTO(np_freep) char *name = redacted(hash, NP_KEY_FILE_NAME, "run-1_acq-bonn_T1w.nii");
    ok_int((int64_t)strlen(site), 16);
    ok(strcmp(site, acquisition) != 0);
    ok_contains(name, acquisition);
    ok(np_otlp_redact_leaves_out(none, NP_KEY_NEURO_SITE));
    ok(np_otlp_redact_leaves_out(none, NP_KEY_BIDS_ACQUISITION));
    ok(!np_otlp_redact_leaves_out(none, NP_KEY_BIDS_PARTICIPANT));
    ok(!np_otlp_redact_leaves_out(hash, NP_KEY_NEURO_SITE));
    ok(!np_otlp_redact_leaves_out(NULL, NP_KEY_NEURO_SITE));
}

TEST(a_session_s_folder_and_its_command_do_not_leave_under_hash_or_none)
{
    NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *hash = redactor_of(NP_NAME_HASH);
    NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *none = redactor_of(NP_NAME_NONE);
    static const char *const keys[] = {"neuro.session.folder", "neuro.session.rerun"};

    for (size_t i = 0; i < NP_COUNT(keys); i++) {
        ok(np_otlp_redact_leaves_out(hash, keys[i]));
        ok(np_otlp_redact_leaves_out(none, keys[i]));
        ok(!np_otlp_redact_leaves_out(NULL, keys[i]));
        NP_AUTO(np_freep)
        char *anyway = redacted(hash, keys[i], "/home/doe/out --session-label 01");
        ok_str(anyway, "");
    }
}

/* A run's observations of one session, as the record holds them. */
struct sample {
    const char *label, *session, *path;
};

static void observe(const struct sample *sample, struct np_otlp_buffer *line)
{
    static const struct np_instrumentation scope = {
        .name = "neuro-preprocess", .version = "0.1.0", .schema_url = NP_SEMCONV_SCHEMA_URL};
    NP_AUTO(np_attrs_done) struct np_attrs resource = {0};
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("load_file", NULL);
    const struct np_span *one = span;
    struct np_error err = {0};

    np_attrs_string(&resource, NP_KEY_SERVICE_NAME, "neuro-preprocess");
    const struct np_otlp_source source = {.resource = &resource, .scope = &scope};
    np_attrs_string(&span->attrs, NP_KEY_BIDS_PARTICIPANT, sample->label);
    np_attrs_string(&span->attrs, NP_KEY_BIDS_SESSION, sample->session);
    np_attrs_string(&span->attrs, NP_KEY_FILE_PATH, sample->path);
    np_attrs_string(&span->attrs, NP_KEY_FILE_NAME, np_path_name(sample->path));
    np_error_set(&err, NP_EHEADER, "'%s': expected 348, found 0; sub-%s/ses-%s is left out",
                 sample->path, sample->label, sample->session);
    np_span_fail(span, &err);
    ok_int(np_otlp_encode_spans(&np_otlp_json, &source, &one, 1, line), 0);
}

static const struct np_otlp_redactor *same_redactor(void *redactor, enum np_naming naming)
{
    (void)naming;
    return redactor;
}

/* The request that is sent of it, as JSON. */
static char *request_of(const struct sample *sample, struct np_otlp_redactor *redactor)
{
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer line = {0}, body = {0};
    const struct np_otlp_batch_options options = {.signal = NP_OTLP_TRACES,
                                                  .protocol = NP_OTLP_HTTP_JSON,
                                                  .redactor_of = same_redactor,
                                                  .context = redactor};
    NP_AUTO(np_otlp_batch_freep) struct np_otlp_batch *batch = np_otlp_batch_new(&options);
    enum np_otlp_line result = NP_OTLP_LINE_BROKEN;

    observe(sample, &line);
    ok_int(np_otlp_batch_add_line(batch, line.bytes, line.length, &result), 0);
    ok_int(result, NP_OTLP_LINE_ADDED);
    ok_int(np_otlp_batch_encode(batch, 0, np_otlp_batch_count(batch), &body), 0);
    np_otlp_buffer_add(&body, "", 1);
    return np_xstrdup(body.bytes);
}

TEST(no_label_is_left_in_a_whole_request)
{
    static const struct sample samples[] = {
        {"1", "2", "sub-1/ses-2/anat/sub-1_ses-2_T1w.nii.gz"},
        {"sub", "ses", "sub-sub/ses-ses/anat/sub-sub_ses-ses_T1w.nii.gz"},
        {"01", "011", "sub-01/ses-011/anat/sub-01_ses-011_T1w.nii.gz"},
        {"Doe", "DoeJohn", "sub-Doe/ses-DoeJohn/anat/sub-Doe_ses-DoeJohn_T1w.nii.gz"},
        {"quo\"te\\back", "a b", "/data/quo\"te\\back/DoeJohn.nii.gz"},
        {"T1w", "anat", "sub-T1w/ses-anat/anat/sub-T1w_ses-anat_T1w.nii.gz"},
    };

    for (size_t mode = NP_NAME_HASH; mode <= NP_NAME_NONE; mode++) {
        NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *redactor = NULL;
        NP_AUTO(np_freep) char *folder = np_xasprintf("%s/%zu", tap_directory(), mode);
        ok_int(np_otlp_redactor_open((enum np_naming)mode, folder, &redactor, NULL), 0);
        for (size_t i = 0; i < NP_COUNT(samples); i++) {
            NP_AUTO(np_freep) char *plain = request_of(&samples[i], NULL);
            NP_AUTO(np_freep) char *request = request_of(&samples[i], redactor);
            ok(!strstr(request, "DoeJohn"));
            for (size_t f = 0; f < 3; f++) {
                NP_AUTO(np_freep) char *label = NULL;
                const char *word = f == 2 ? samples[i].session : samples[i].label;
                if (strpbrk(word, "\"\\"))
                    continue; /* escaped in JSON */
                ok(asprintf(&label, f == 0 ? "\"%s\"" : f == 1 ? "sub-%s_" : "ses-%s_", word) > 0);
                tap_check(!strstr(request, label), __FILE__, __LINE__, "%s in %s", label, request);
            }
            ok(!strstr(request, "quo") && !strstr(request, "back"));
            ok(strstr(plain, samples[i].session) != NULL); /* it was there to be found */
        }
    }
}

/* Of a span with two attributes and bids.suffix between them, the batch holds bids.suffix alone. */
static void ok_only_suffix_stays(enum np_naming naming, const char *before, const char *before_text,
                                 const char *after, const char *after_text)
{
    NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *redactor = redactor_of(naming);
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer line = {0}, body = {0};
    const struct np_otlp_batch_options options = {.signal = NP_OTLP_TRACES,
                                                  .protocol = NP_OTLP_HTTP_JSON,
                                                  .redactor_of = same_redactor,
                                                  .context = redactor};
    NP_AUTO(np_otlp_batch_freep) struct np_otlp_batch *batch = np_otlp_batch_new(&options);
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("load_file", NULL);
    const struct np_span *one = span;
    const struct np_otlp_source source = {0};
    enum np_otlp_line result;

    np_attrs_string(&span->attrs, before, before_text);
    np_attrs_string(&span->attrs, NP_KEY_BIDS_SUFFIX, "T1w");
    np_attrs_string(&span->attrs, after, after_text);
    ok_int(np_otlp_encode_spans(&np_otlp_json, &source, &one, 1, &line), 0);
    ok_int(np_otlp_batch_add_line(batch, line.bytes, line.length, &result), 0);
    ok_int(np_otlp_batch_encode(batch, 0, 1, &body), 0);
    np_otlp_buffer_add(&body, "", 1);
    ok_contains(body.bytes, "\"attributes\":[{\"key\":\"bids.suffix\",\"value\":"
                            "{\"stringValue\":\"T1w\"}}]");
}

TEST(what_hash_leaves_out_is_in_no_list_of_attributes)
{
    ok_only_suffix_stays(NP_NAME_HASH, NP_KEY_NEURO_SESSION_FOLDER, "/home/doe/out/sub-01",
                         NP_KEY_NEURO_SESSION_RERUN, "neuro-preprocess /home/doe/bids");
}

TEST(what_none_leaves_out_is_in_no_list_of_attributes)
{
    ok_only_suffix_stays(NP_NAME_NONE, NP_KEY_NEURO_SITE, "bonn", NP_KEY_BIDS_ACQUISITION, "bonn");
}

TEST(the_key_is_kept_private_and_stays_the_same)
{
    NP_AUTO(np_freep) char *folder = np_xasprintf("%s/out/logs/telemetry", tap_directory());
    NP_AUTO(np_freep) char *path = np_path_join(folder, ".salt");
    NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *first = NULL, *second = NULL;
    struct stat status;

    ok_int(np_otlp_redactor_open(NP_NAME_HASH, folder, &first, NULL), 0);
    ok_int(np_otlp_redactor_open(NP_NAME_HASH, folder, &second, NULL), 0);
    NP_AUTO(np_freep) char *one = redacted(first, NP_KEY_BIDS_PARTICIPANT, "01");
    NP_AUTO(np_freep) char *two = redacted(second, NP_KEY_BIDS_PARTICIPANT, "01");
    ok_str(two, one);
    ok_int(stat(path, &status), 0);
    ok_int(status.st_mode & 0777, 0600);
    ok_int(status.st_size, 32);
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    ok_int(np_directory_list(folder, &names, NULL), 0);
    ok_int((int64_t)names.n, 1); /* no temporary file is left */
}

TEST(a_key_that_cannot_be_had_is_an_error_and_not_another_key)
{
    NP_AUTO(np_freep) char *folder = np_xasprintf("%s/short", tap_directory());
    NP_AUTO(np_freep) char *path = np_path_join(folder, ".salt");
    NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *redactor = NULL;
    struct np_error err = {0};

    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(np_file_write_atomic(path, "short", 5, NULL), 0);
    ok_int(np_otlp_redactor_open(NP_NAME_HASH, folder, &redactor, &err), NP_EIO);
    ok(!redactor);
    ok_contains(err.text, ".salt");
    ok_int(np_otlp_redactor_open(NP_NAME_HASH, "/proc/none", &redactor, NULL) < 0, 1);
}

TEST(none_forgets_its_key)
{
    NP_AUTO(np_otlp_redactor_freep) struct np_otlp_redactor *first = NULL, *second = NULL;
    NP_AUTO(np_freep) char *folder = np_xasprintf("%s/nothing", tap_directory());

    ok_int(np_otlp_redactor_open(NP_NAME_NONE, folder, &first, NULL), 0);
    ok_int(np_otlp_redactor_open(NP_NAME_NONE, folder, &second, NULL), 0);
    NP_AUTO(np_freep) char *one = redacted(first, NP_KEY_BIDS_PARTICIPANT, "01");
    NP_AUTO(np_freep) char *two = redacted(second, NP_KEY_BIDS_PARTICIPANT, "01");
    ok(strcmp(one, two) != 0);
    ok(!np_path_exists(folder));
}

TEST(label_replaces_nothing_and_names_read_back)
{
    struct np_otlp_redactor *redactor = NULL;
    enum np_naming naming = NP_NAME_NONE;

    ok_int(np_otlp_redactor_open(NP_NAME_LABEL, "/nowhere", &redactor, NULL), 0);
    ok(!redactor);
    for (int i = NP_NAME_LABEL; i <= NP_NAME_NONE; i++) {
        ok(np_naming_parse(np_naming_name((enum np_naming)i), &naming));
        ok_int(naming, i);
    }
    ok(!np_naming_parse("labels", &naming) && !np_naming_parse(NULL, &naming));
}

TEST(memory_that_is_gone_is_said)
{
    struct np_otlp_redactor *redactor = np_otlp_redactor_new(KEY, sizeof(KEY));
    struct np_otlp_buffer out = {0};

    np_alloc_fail_at(1);
    np_otlp_redact(redactor, NULL, "sub-01", 6, &out);
    np_alloc_fail_at(0);
    ok_int(out.failed, NP_ENOMEM);
    np_otlp_buffer_done(&out);
    np_otlp_redactor_freep(&redactor);
}

TAP_MAIN
