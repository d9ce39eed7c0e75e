#include "spool/sampling.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otlp/batch.h"
#include "spool/lines.h"
#include "trace/names.h"

enum { FIRST_CAPACITY = 64, MOST_TRACES = 1 << 20 };

struct np_spool_sampled_trace {
    struct np_trace_id trace_id;
    enum np_spool_decision decision; /* NP_SPOOL_UNDECIDED: an empty place */
};

/* Ids are random: their first bytes are a hash. */
static struct np_spool_sampled_trace *place_of(const struct np_spool_sampling *sampling,
                                               const struct np_trace_id *trace_id)
{
    uint64_t hash;

    memcpy(&hash, trace_id->byte, sizeof(hash));
    for (size_t i = (size_t)hash;; i++) {
        struct np_spool_sampled_trace *place = &sampling->table[i & (sampling->capacity - 1)];
        if (place->decision == NP_SPOOL_UNDECIDED ||
            memcmp(&place->trace_id, trace_id, sizeof(*trace_id)) == 0)
            return place;
    }
}

static int grow(struct np_spool_sampling *sampling)
{
    struct np_spool_sampling larger = *sampling;

    if (sampling->n * 2 < sampling->capacity)
        return 0;
    larger.capacity = sampling->capacity ? sampling->capacity * 2 : FIRST_CAPACITY;
    larger.table = np_try_calloc(larger.capacity, sizeof(*larger.table));
    if (!larger.table)
        return NP_ENOMEM;
    for (size_t i = 0; i < sampling->capacity; i++)
        if (sampling->table[i].decision != NP_SPOOL_UNDECIDED)
            *place_of(&larger, &sampling->table[i].trace_id) = sampling->table[i];
    free(sampling->table);
    *sampling = larger;
    return 0;
}

static int decide(struct np_spool_sampling *sampling, const struct np_trace_id *trace_id,
                  bool is_sampled)
{
    if (sampling->n >= MOST_TRACES)
        return 0;
    if (grow(sampling) < 0)
        return NP_ENOMEM;
    struct np_spool_sampled_trace *place = place_of(sampling, trace_id);
    sampling->n += place->decision == NP_SPOOL_UNDECIDED;
    place->trace_id = *trace_id;
    place->decision = is_sampled ? NP_SPOOL_SAMPLED : NP_SPOOL_NOT_SAMPLED;
    return 0;
}

/* Read a decision from a log record. Returns false when the record holds none. */
static bool read_decision(const json_t *record, struct np_trace_id *trace_id, bool *is_sampled)
{
    const char *event = json_string_value(json_object_get(record, "eventName"));
    const char *trace = json_string_value(json_object_get(record, "traceId"));
    size_t i;
    json_t *attribute;

    if (!event || strcmp(event, NP_EVENT_SAMPLING) != 0 || !trace ||
        !np_trace_id_parse(trace, trace_id))
        return false;
    json_array_foreach(json_object_get(record, "attributes"), i, attribute)
    {
        const char *key = json_string_value(json_object_get(attribute, "key"));
        const json_t *value = json_object_get(json_object_get(attribute, "value"), "boolValue");
        if (key && strcmp(key, NP_KEY_NEURO_SAMPLED) == 0 && json_is_boolean(value)) {
            *is_sampled = json_is_true(value);
            return true;
        }
    }
    return false;
}

static int read_request(struct np_spool_sampling *sampling, const json_t *request)
{
    size_t i, k, m;
    json_t *resource, *scope, *record;

    json_array_foreach(json_object_get(request, "resourceLogs"), i, resource)
    {
        json_array_foreach(json_object_get(resource, "scopeLogs"), k, scope)
        {
            json_array_foreach(json_object_get(scope, "logRecords"), m, record)
            {
                struct np_trace_id trace_id;
                bool is_sampled;
                if (read_decision(record, &trace_id, &is_sampled))
                    NP_TRY(decide(sampling, &trace_id, is_sampled));
            }
        }
    }
    return 0;
}

static int read_line(struct np_spool_sampling *sampling, const char *line, size_t length)
{
    enum np_otlp_signal signal;

    if (np_otlp_line_signal(line, length, &signal) && signal != NP_OTLP_LOGS)
        return 0;
    if (!memmem(line, length, NP_EVENT_SAMPLING, sizeof(NP_EVENT_SAMPLING) - 1))
        return 0;
    json_t *request = json_loadb(line, length, 0, NULL);
    int code = request ? read_request(sampling, request) : 0;
    json_decref(request);
    return code;
}

int np_spool_sampling_read(struct np_spool_sampling *sampling, int fd, struct np_error *err)
{
    NP_AUTO(np_spool_lines_done) struct np_spool_lines lines = {.fd = -1};
    struct stat status;
    const char *line;
    size_t length;
    int more;

    if (fstat(fd, &status) == 0 && status.st_size <= sampling->read_to)
        return 0;
    if (lseek(fd, sampling->read_to, SEEK_SET) < 0)
        return np_error_errno(err, errno, NP_EIO, "cannot read telemetry lines");
    int64_t base = sampling->read_to;
    NP_TRY(np_spool_lines_open(&lines, fd, err));
    while ((more = np_spool_lines_next(&lines, &line, &length, err)) > 0) {
        if (!lines.ends_in_newline)
            break; /* the rest of it may come yet */
        if (read_line(sampling, line, length) < 0)
            return np_error_set(err, NP_ENOMEM, "no memory for %zu sampled traces", sampling->n);
        sampling->read_to = base + lines.next_offset;
    }
    return more < 0 ? more : 0;
}

enum np_spool_decision np_spool_sampling_of(const struct np_spool_sampling *sampling,
                                            const struct np_trace_id *trace_id)
{
    return sampling->capacity ? place_of(sampling, trace_id)->decision : NP_SPOOL_UNDECIDED;
}

void np_spool_sampling_done(struct np_spool_sampling *sampling)
{
    free(sampling->table);
    *sampling = (struct np_spool_sampling){0};
}
