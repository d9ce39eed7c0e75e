/*
 * A batch holds its items as bytes of the protocol, one after the other, and for each item the
 * resource and the scope that it belongs to. Resources and scopes repeat from line to line: equal
 * ones are kept once, so that their items can share them in a request.
 */
#include "otlp/batch.h"

#include <stdlib.h>
#include <string.h>

#include "otlp/asked_naming.h"
#include "otlp/format.h"
#include "otlp/inside.h"
#include "otlp/json.h"
#include "otlp/protobuf.h"
#include "otlp/translate.h"
#include "trace/names.h"

#define FIELD(ident) (&np_otlp_fields[NP_FIELD_##ident])

/* A resource, a scope, or a schema URL: where its bytes stand in np_otlp_batch.kept. */
struct known {
    const struct np_otlp_field *field;
    size_t at, n;
    enum np_naming naming; /* of a resource: what it asks for */
};

/* The resource and scope of an item: indices of `known` plus one, 0 = none. */
struct source {
    uint32_t resource, resource_url, scope, scope_url;
};

struct item {
    size_t at, n;    /* in np_otlp_batch.bytes */
    size_t n_points; /* of a metric; 1 of a span and of a log record */
    struct source source;
};

/* Where the three signals differ. */
struct shape {
    const struct np_otlp_field *request, *scopes, *items;
    enum np_otlp_message_index item;
};

struct np_otlp_batch {
    struct np_otlp_batch_options options;
    const struct np_otlp_format *format;
    const struct shape *shape;
    struct np_otlp_translator translator;
    struct np_otlp_buffer bytes, kept;
    struct item *item;
    size_t n_items, capacity;
    struct known *known;
    size_t n_known, known_capacity;
    size_t n_sources; /* items whose source differs from the one before */
    bool waits;       /* `select` returned NP_OTLP_WAIT for a span of this line */
    /* The line's way of naming: the one by which it is read, and the strictest that its resources
     * ask for. */
    enum np_naming naming, asked_naming;
};

static const struct shape shapes[NP_OTLP_N_SIGNALS] = {
    [NP_OTLP_TRACES] = {FIELD(REQUEST_SPANS), FIELD(SCOPE_SPANS), FIELD(SPANS), NP_MESSAGE_SPAN},
    [NP_OTLP_LOGS] = {FIELD(REQUEST_LOGS), FIELD(SCOPE_LOGS), FIELD(LOG_RECORDS),
                      NP_MESSAGE_LOG_RECORD},
    [NP_OTLP_METRICS] = {FIELD(REQUEST_METRICS), FIELD(SCOPE_METRICS), FIELD(METRICS),
                         NP_MESSAGE_METRIC},
};

struct np_otlp_batch *np_otlp_batch_new(const struct np_otlp_batch_options *options)
{
    struct np_otlp_batch *batch = np_xcalloc(1, sizeof(*batch));

    batch->options = *options;
    batch->format = options->protocol == NP_OTLP_HTTP_JSON ? &np_otlp_json : &np_otlp_protobuf;
    batch->shape = &shapes[options->signal];
    batch->naming = options->silent_naming;
    return batch;
}

void np_otlp_batch_freep(struct np_otlp_batch **batch)
{
    if (!*batch)
        return;
    np_otlp_translator_done(&(*batch)->translator);
    np_otlp_buffer_done(&(*batch)->bytes);
    np_otlp_buffer_done(&(*batch)->kept);
    free((*batch)->item);
    free((*batch)->known);
    free(*batch);
    *batch = NULL;
}

void np_otlp_batch_clear(struct np_otlp_batch *batch)
{
    enum { MOST_KNOWN = 64 };

    np_otlp_buffer_cut(&batch->bytes, 0);
    batch->n_items = batch->n_sources = 0;
    if (batch->n_known > MOST_KNOWN) {
        batch->n_known = 0;
        np_otlp_buffer_cut(&batch->kept, 0);
    }
}

size_t np_otlp_batch_count(const struct np_otlp_batch *batch)
{
    return batch->n_items;
}

size_t np_otlp_batch_points(const struct np_otlp_batch *batch, size_t first, size_t n)
{
    size_t n_points = 0;

    for (size_t i = first; i < first + n; i++)
        n_points += batch->item[i].n_points;
    return n_points;
}

/* Make room for one more element. Returns the list, or NULL when memory is missing; the list is
 * then as before. */
static void *with_room(void *list, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return list;
    size_t more = *capacity ? *capacity * 2 : 64;
    void *grown = np_try_realloc(list, more, size);
    if (grown)
        *capacity = more;
    return grown;
}

/* Resources, scopes, schema URLs. A reading function returns false for a broken line and for
 * missing memory; np_otlp_batch_add_line distinguishes the two. */

/* Find the known source whose bytes equal those from `at` to the end of `kept`; `n_known` when
 * there is none. */
static size_t find_known(const struct np_otlp_batch *batch, const struct np_otlp_field *field,
                         size_t at)
{
    const char *bytes = batch->kept.bytes;
    size_t n = batch->kept.length - at, i = 0;

    while (i < batch->n_known &&
           !(batch->known[i].field == field && batch->known[i].n == n &&
             (n == 0 || memcmp(bytes + batch->known[i].at, bytes + at, n) == 0)))
        i++;
    return i;
}

static bool write_url(struct np_otlp_batch *batch)
{
    struct np_otlp_slice url;

    if (!np_otlp_reader_string(&batch->translator.text, &url))
        return false;
    np_otlp_buffer_add(&batch->kept, url.text, url.n);
    return true;
}

static bool write_source(struct np_otlp_batch *batch, enum np_otlp_message_index message)
{
    struct np_otlp_writer w = {.format = batch->format, .out = &batch->kept};

    batch->format->begin(&w);
    bool is_whole = np_otlp_translate(&batch->translator, message, &w, NULL);
    batch->format->end(&w);
    return is_whole;
}

static void note_naming(struct np_otlp_batch *batch, enum np_naming asked)
{
    if (asked > batch->asked_naming)
        batch->asked_naming = asked;
}

/* How the resource that was read from `text` on asks its line to be named. */
static bool ask_naming(struct np_otlp_batch *batch, struct known *resource, const char *text)
{
    enum np_naming asked = batch->options.silent_naming, named;

    if (!np_otlp_asked_naming(text, batch->translator.text.at, &asked, &named)) {
        batch->kept.failed = NP_ENOMEM;
        return false;
    }
    if (batch->options.naming > asked)
        asked = batch->options.naming;
    /* a word of a word would be another participant's */
    resource->naming = named >= asked ? NP_NAME_LABEL : asked;
    note_naming(batch, resource->naming);
    return true;
}

/* Read a source and keep it, unless an equal one is known: `*index` is its place plus one. */
static bool read_source(struct np_otlp_batch *batch, const struct np_otlp_field *field,
                        uint32_t *index)
{
    struct np_otlp_buffer *kept = &batch->kept;
    size_t at = kept->length;
    const char *text = batch->translator.text.at;

    if (np_otlp_reader_peek(&batch->translator.text) == 'n')
        return np_otlp_reader_skip(&batch->translator.text);
    struct known *known =
        with_room(batch->known, batch->n_known, &batch->known_capacity, sizeof(*known));
    if (!known) {
        kept->failed = NP_ENOMEM;
        return false;
    }
    batch->known = known;
    bool is_whole = field == FIELD(SCHEMA_URL) ? write_url(batch)
                    : field == FIELD(SCOPE)    ? write_source(batch, NP_MESSAGE_SCOPE)
                                               : write_source(batch, NP_MESSAGE_RESOURCE);
    if (!is_whole || kept->failed)
        return false;
    size_t i = find_known(batch, field, at), n = kept->length - at;
    *index = (uint32_t)i + 1;
    if (i < batch->n_known) {
        np_otlp_buffer_cut(kept, at);
        note_naming(batch, known[i].naming);
        return true;
    }
    known[batch->n_known++] = (struct known){.field = field, .at = at, .n = n};
    if (field == FIELD(RESOURCE) && batch->options.redactor_of &&
        !ask_naming(batch, &known[i], text))
        return false;
    np_otlp_buffer_add(kept, "", 1); /* the byte after a string must be readable */
    return !kept->failed;
}

/* Items. */

/* Decide whether an item is sent. Returns false when it has to wait. */
static bool select_item(struct np_otlp_batch *batch, struct np_otlp_facts *facts, bool *is_kept)
{
    *is_kept = !facts->is_for_record_only;
    if (batch->options.signal != NP_OTLP_TRACES || !batch->options.select)
        return true;
    enum np_otlp_selection selection =
        batch->options.select(batch->options.context, &facts->trace_id, &facts->flags);
    *is_kept = selection == NP_OTLP_KEEP;
    batch->waits = selection == NP_OTLP_WAIT;
    return !batch->waits;
}

/* Only a span has them here. */
static void write_flags(struct np_otlp_writer *w, uint32_t flags)
{
    if (flags)
        w->format->scalar(w, FIELD(SPAN_FLAGS), &(struct np_otlp_value){.as.fixed = flags});
}

static bool read_item(struct np_otlp_batch *batch)
{
    struct np_otlp_writer w = {.format = batch->format, .out = &batch->bytes};
    struct np_otlp_facts facts = {0};
    bool has_facts = batch->options.signal != NP_OTLP_METRICS, is_kept = true;
    size_t at = batch->bytes.length;

    struct item *item = with_room(batch->item, batch->n_items, &batch->capacity, sizeof(*item));
    if (!item) {
        batch->bytes.failed = NP_ENOMEM;
        return false;
    }
    batch->item = item;
    batch->format->begin(&w);
    if (!np_otlp_translate(&batch->translator, batch->shape->item, &w, has_facts ? &facts : NULL))
        return false;
    if (!select_item(batch, &facts, &is_kept))
        return false;
    write_flags(&w, facts.flags);
    batch->format->end(&w);
    if (batch->bytes.failed)
        return false;
    size_t n_points = has_facts ? 1 : batch->translator.n_points;
    if (is_kept)
        item[batch->n_items++] =
            (struct item){.at = at, .n = batch->bytes.length - at, .n_points = n_points};
    else
        np_otlp_buffer_cut(&batch->bytes, at);
    return true;
}

/* The envelope: lists of objects, three levels deep. */

typedef bool read_fn(struct np_otlp_batch *batch);

static bool read_list(struct np_otlp_batch *batch, read_fn *read)
{
    struct np_otlp_reader *text = &batch->translator.text;
    size_t n = 0;
    enum np_otlp_step step;

    if (!np_otlp_reader_take(text, '['))
        return false;
    while ((step = np_otlp_reader_element(text, &n)) == NP_OTLP_STEP_NEXT)
        if (!read(batch))
            return false;
    return step == NP_OTLP_STEP_END;
}

static bool is_named(struct np_otlp_slice name, const struct np_otlp_field *field)
{
    return field->name_length == name.n && memcmp(field->json_name, name.text, name.n) == 0;
}

/* Read an object with a source, a schema URL and a list. The order of the three is the writer's. */
static bool read_level(struct np_otlp_batch *batch, const struct np_otlp_field *source,
                       uint32_t *source_index, uint32_t *url_index,
                       const struct np_otlp_field *list, read_fn *read)
{
    struct np_otlp_reader *text = &batch->translator.text;
    struct np_otlp_slice name;
    size_t n = 0;
    enum np_otlp_step step;

    if (!np_otlp_reader_take(text, '{'))
        return false;
    while ((step = np_otlp_reader_member(text, &n, &name)) == NP_OTLP_STEP_NEXT) {
        bool is_whole;
        if (is_named(name, source))
            is_whole = read_source(batch, source, source_index);
        else if (is_named(name, FIELD(SCHEMA_URL)))
            is_whole = read_source(batch, FIELD(SCHEMA_URL), url_index);
        else if (is_named(name, list) && np_otlp_reader_peek(text) != 'n')
            is_whole = read_list(batch, read);
        else
            is_whole = np_otlp_reader_skip(text);
        if (!is_whole)
            return false;
    }
    return step == NP_OTLP_STEP_END;
}

static bool read_scope(struct np_otlp_batch *batch)
{
    struct source source = {0};
    size_t first = batch->n_items;

    if (!read_level(batch, FIELD(SCOPE), &source.scope, &source.scope_url, batch->shape->items,
                    read_item))
        return false;
    for (size_t i = first; i < batch->n_items; i++)
        batch->item[i].source = source;
    return true;
}

static bool read_resource(struct np_otlp_batch *batch)
{
    struct source source = {0};
    size_t first = batch->n_items;

    if (!read_level(batch, FIELD(RESOURCE), &source.resource, &source.resource_url,
                    batch->shape->scopes, read_scope))
        return false;
    if (source.resource == 0) { /* none at all */
        note_naming(batch, batch->options.naming);
        note_naming(batch, batch->options.silent_naming);
    }
    for (size_t i = first; i < batch->n_items; i++) {
        batch->item[i].source.resource = source.resource;
        batch->item[i].source.resource_url = source.resource_url;
    }
    return true;
}

static bool read_request(struct np_otlp_batch *batch)
{
    struct np_otlp_reader *text = &batch->translator.text;
    struct np_otlp_slice name;
    size_t n = 0;
    enum np_otlp_step step;

    if (!np_otlp_reader_take(text, '{'))
        return false;
    while ((step = np_otlp_reader_member(text, &n, &name)) == NP_OTLP_STEP_NEXT) {
        bool is_whole = is_named(name, batch->shape->request) && np_otlp_reader_peek(text) != 'n'
                            ? read_list(batch, read_resource)
                            : np_otlp_reader_skip(text);
        if (!is_whole)
            return false;
    }
    return step == NP_OTLP_STEP_END && np_otlp_reader_peek(text) == '\0' && text->at == text->end;
}

/* Lines. */

bool np_otlp_line_signal(const char *line, size_t n, enum np_otlp_signal *signal)
{
    NP_AUTO(np_otlp_reader_done)
    struct np_otlp_reader text = {.at = line, .end = line + n};
    struct np_otlp_slice name;
    size_t n_before = 0;

    if (!np_otlp_reader_take(&text, '{') ||
        np_otlp_reader_member(&text, &n_before, &name) != NP_OTLP_STEP_NEXT)
        return false;
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (is_named(name, shapes[i].request)) {
            *signal = (enum np_otlp_signal)i;
            return true;
        }
    return false;
}

static bool same_source(const struct item *a, const struct item *b)
{
    return memcmp(&a->source, &b->source, sizeof(a->source)) == 0;
}

static void count_sources(struct np_otlp_batch *batch, size_t first)
{
    for (size_t i = first; i < batch->n_items; i++)
        batch->n_sources += i == 0 || !same_source(&batch->item[i - 1], &batch->item[i]);
}

/* Read a line, with the names as batch->naming says. */
static bool read_line(struct np_otlp_batch *batch, const char *line, size_t n)
{
    const struct np_otlp_batch_options *options = &batch->options;

    batch->translator.redactor =
        options->redactor_of ? options->redactor_of(options->context, batch->naming) : NULL;
    batch->translator.text.at = line;
    batch->translator.text.end = line + n;
    batch->waits = false;
    batch->asked_naming = NP_NAME_LABEL;
    return read_request(batch);
}

/* The state of a batch, to go back to. */
struct mark {
    size_t n_items, n_bytes, n_known, n_kept;
};

static void go_back(struct np_otlp_batch *batch, const struct mark *mark)
{
    batch->n_items = mark->n_items;
    batch->n_known = mark->n_known;
    np_otlp_buffer_cut(&batch->bytes, mark->n_bytes);
    np_otlp_buffer_cut(&batch->kept, mark->n_kept);
}

int np_otlp_batch_add_line(struct np_otlp_batch *batch, const char *line, size_t n,
                           enum np_otlp_line *result)
{
    const struct mark mark = {batch->n_items, batch->bytes.length, batch->n_known,
                              batch->kept.length};
    enum np_otlp_signal signal;

    *result = NP_OTLP_LINE_NOTHING;
    if (np_otlp_line_signal(line, n, &signal) && signal != batch->options.signal)
        return 0;
    bool is_whole = read_line(batch, line, n);
    if (is_whole && batch->options.redactor_of && batch->asked_naming != batch->naming) {
        go_back(batch, &mark); /* the lines before were of another run */
        batch->naming = batch->asked_naming;
        is_whole = read_line(batch, line, n);
    }
    if (is_whole) {
        count_sources(batch, mark.n_items);
        *result = batch->n_items > mark.n_items ? NP_OTLP_LINE_ADDED : NP_OTLP_LINE_NOTHING;
        return 0;
    }
    bool no_memory =
        batch->bytes.failed || batch->kept.failed || np_otlp_translator_failed(&batch->translator);
    go_back(batch, &mark);
    *result = batch->waits ? NP_OTLP_LINE_WAITS : NP_OTLP_LINE_BROKEN;
    return no_memory ? NP_ENOMEM : 0;
}

/* Requests. */

size_t np_otlp_batch_bytes(const struct np_otlp_batch *batch)
{
    /* A byte of a URL, which is kept as it is, can become an escape of six. */
    enum { ITEM_HEAD = 5, ENVELOPE = 128, ESCAPE = 6 };
    size_t n_source = 0;

    for (size_t i = 0; i < batch->n_known; i++)
        n_source +=
            batch->known[i].n * (batch->known[i].field->type == NP_OTLP_STRING ? ESCAPE : 1);
    /* Each change of source repeats at most all known sources. */
    return batch->bytes.length + batch->n_items * ITEM_HEAD +
           batch->n_sources * (n_source + ENVELOPE);
}

static void write_known(const struct np_otlp_batch *batch, struct np_otlp_writer *w, uint32_t index)
{
    const struct known *known = index ? &batch->known[index - 1] : NULL;
    const char *bytes = known ? batch->kept.bytes + known->at : NULL;

    if (known && known->field->type == NP_OTLP_MESSAGE)
        w->format->ready(w, known->field, bytes, known->n);
    else if (known && known->n > 0)
        w->format->scalar(w, known->field,
                          &(struct np_otlp_value){.as.string = bytes, .n = known->n});
}

/* An item's bytes. When all items are empty, the buffer has no memory to point into. */
static const char *item_bytes(const struct np_otlp_batch *batch, const struct item *item)
{
    return item->n > 0 ? batch->bytes.bytes + item->at : "";
}

/* Items [first, …) of one scope; returns how many. */
static size_t write_scope(const struct np_otlp_batch *batch, struct np_otlp_writer *w, size_t first,
                          size_t end)
{
    const struct item *item = batch->item;
    size_t i = first;

    w->format->message_begin(w, batch->shape->scopes);
    write_known(batch, w, item[first].source.scope);
    w->format->list_begin(w, batch->shape->items);
    for (; i < end && same_source(&item[first], &item[i]); i++)
        w->format->ready(w, batch->shape->items, item_bytes(batch, &item[i]), item[i].n);
    w->format->list_end(w);
    write_known(batch, w, item[first].source.scope_url);
    w->format->message_end(w);
    return i - first;
}

static size_t write_resource(const struct np_otlp_batch *batch, struct np_otlp_writer *w,
                             size_t first, size_t end)
{
    const struct source *source = &batch->item[first].source;
    size_t i = first;

    w->format->message_begin(w, batch->shape->request);
    write_known(batch, w, source->resource);
    w->format->list_begin(w, batch->shape->scopes);
    while (i < end && batch->item[i].source.resource == source->resource &&
           batch->item[i].source.resource_url == source->resource_url)
        i += write_scope(batch, w, i, end);
    w->format->list_end(w);
    write_known(batch, w, source->resource_url);
    w->format->message_end(w);
    return i - first;
}

int np_otlp_batch_encode(const struct np_otlp_batch *batch, size_t first, size_t n,
                         struct np_otlp_buffer *out)
{
    struct np_otlp_writer w = {.format = batch->format, .out = out};
    size_t before = out->length, end = first + n;

    w.format->begin(&w);
    w.format->list_begin(&w, batch->shape->request);
    for (size_t i = first; i < end;)
        i += write_resource(batch, &w, i, end);
    w.format->list_end(&w);
    w.format->end(&w);
    int code = out->failed;
    if (code)
        np_otlp_buffer_cut(out, before);
    return code;
}
