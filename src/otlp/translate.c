#include "otlp/translate.h"

#include <stdlib.h>
#include <string.h>

#include "otlp/format.h"
#include "otlp/inside.h"
#include "otlp/redact.h"
#include "trace/names.h"

#define FIELD(ident) (&np_otlp_fields[NP_FIELD_##ident])

void np_otlp_translator_done(struct np_otlp_translator *translator)
{
    np_otlp_reader_done(&translator->text);
    np_otlp_buffer_done(&translator->redacted);
    np_otlp_buffer_done(&translator->list);
}

int np_otlp_translator_failed(const struct np_otlp_translator *translator)
{
    if (translator->text.unescaped.failed || translator->redacted.failed || translator->list.failed)
        return NP_ENOMEM;
    return 0;
}

/* Strings. */

static bool redact(struct np_otlp_translator *translator, struct np_otlp_slice *string)
{
    struct np_otlp_buffer *out = &translator->redacted;

    np_otlp_buffer_cut(out, 0);
    np_otlp_redact(translator->redactor, *translator->key ? translator->key : NULL, string->text,
                   string->n, out);
    size_t n = out->length;
    np_otlp_buffer_add(out, "", 1);
    if (out->failed)
        return false;
    *string = (struct np_otlp_slice){out->bytes, n};
    return true;
}

static bool read_string(struct np_otlp_translator *translator, const struct np_otlp_field *field,
                        struct np_otlp_value *value)
{
    struct np_otlp_slice string;

    if (!np_otlp_reader_string(&translator->text, &string))
        return false;
    if (translator->redactor && field != FIELD(KEY) && !redact(translator, &string))
        return false;
    value->as.string = string.text;
    value->n = string.n;
    return true;
}

/* Ids and bytes. */

static bool hex_digit(char c, uint8_t *out)
{
    if (c >= '0' && c <= '9')
        *out = (uint8_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
        *out = (uint8_t)(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
        *out = (uint8_t)(c - 'A' + 10);
    else
        return false;
    return true;
}

static bool hex_bytes(const char *hex, size_t n_bytes, uint8_t *byte)
{
    uint8_t high, low;

    for (size_t i = 0; i < n_bytes; i++) {
        if (!hex_digit(hex[2 * i], &high) || !hex_digit(hex[2 * i + 1], &low))
            return false;
        byte[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* An empty id means that there is none. */
static bool read_id(struct np_otlp_translator *translator, const struct np_otlp_field *field,
                    uint8_t id[NP_TRACE_ID_BYTES], struct np_otlp_value *value)
{
    bool is_trace = strcmp(field->json_name, "traceId") == 0;
    size_t n_bytes = is_trace ? NP_TRACE_ID_BYTES : NP_SPAN_ID_BYTES;
    struct np_otlp_slice hex;

    if (!np_otlp_reader_string(&translator->text, &hex) || (hex.n != 0 && hex.n != 2 * n_bytes))
        return false;
    value->as.id = id;
    value->n = hex.n / 2;
    return hex_bytes(hex.text, value->n, id);
}

/* base64, also of the alphabet for URLs, with or without padding. */
static bool read_bytes(struct np_otlp_translator *translator, struct np_otlp_value *value)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    struct np_otlp_buffer *out = &translator->list;
    struct np_otlp_slice text;
    uint32_t bits = 0;
    int n_bits = 0;

    if (!np_otlp_reader_string(&translator->text, &text))
        return false;
    while (text.n > 0 && text.text[text.n - 1] == '=')
        text.n--;
    np_otlp_buffer_cut(out, 0);
    np_otlp_buffer_add(out, "", 1); /* so that there is memory even for an empty value */
    for (size_t i = 0; i < text.n; i++) {
        const char *at = text.text[i] ? strchr(alphabet, text.text[i]) : NULL;
        if (!at)
            return false;
        uint32_t digit = (uint32_t)(at - alphabet);
        bits = bits << 6 | (digit < 64 ? digit : digit - 2);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            np_otlp_buffer_add(out, &(uint8_t){(uint8_t)(bits >> n_bits)}, 1);
        }
    }
    if (out->failed || n_bits >= 6)
        return false;
    value->as.id = (const uint8_t *)out->bytes + 1;
    value->n = out->length - 1;
    return true;
}

/* Lists of numbers. */
static bool read_list(struct np_otlp_translator *translator, const struct np_otlp_field *field,
                      struct np_otlp_value *value)
{
    struct np_otlp_buffer *out = &translator->list;
    size_t n = 0;
    enum np_otlp_step step;

    np_otlp_buffer_cut(out, 0);
    if (!np_otlp_reader_take(&translator->text, '['))
        return false;
    while ((step = np_otlp_reader_element(&translator->text, &n)) == NP_OTLP_STEP_NEXT) {
        struct np_otlp_value one = {0};
        bool is_read = field->type == NP_OTLP_DOUBLE_LIST
                           ? np_otlp_reader_double(&translator->text, &one.as.number)
                           : np_otlp_reader_uint64(&translator->text, &one.as.fixed);
        if (!is_read)
            return false;
        np_otlp_buffer_add(out, &one.as, sizeof(one.as.fixed));
    }
    if (step == NP_OTLP_STEP_BROKEN || out->failed)
        return false;
    /* From malloc, so aligned for both. */
    value->as.fixed_list = (const void *)out->bytes;
    value->n = n;
    return true;
}

/* Scalars. */

static bool read_bool(struct np_otlp_translator *translator, bool *out)
{
    *out = np_otlp_reader_peek(&translator->text) == 't';
    return np_otlp_reader_word(&translator->text, *out ? "true" : "false");
}

static bool read_scalar(struct np_otlp_translator *translator, const struct np_otlp_field *field,
                        uint8_t id[NP_TRACE_ID_BYTES], struct np_otlp_value *value)
{
    struct np_otlp_reader *text = &translator->text;

    switch (field->type) {
    case NP_OTLP_STRING:
        return read_string(translator, field, value);
    case NP_OTLP_ID:
        return read_id(translator, field, id, value);
    case NP_OTLP_BYTES:
        return read_bytes(translator, value);
    case NP_OTLP_BOOL:
        return read_bool(translator, &value->as.boolean);
    case NP_OTLP_ENUM:
    case NP_OTLP_SINT32:
        return np_otlp_reader_int64(text, &value->as.integer) && value->as.integer >= INT32_MIN &&
               value->as.integer <= INT32_MAX;
    case NP_OTLP_INT64:
    case NP_OTLP_SFIXED64:
        return np_otlp_reader_int64(text, &value->as.integer);
    case NP_OTLP_UINT32:
    case NP_OTLP_FIXED32:
        return np_otlp_reader_uint64(text, &value->as.fixed) && value->as.fixed <= UINT32_MAX;
    case NP_OTLP_FIXED64:
        return np_otlp_reader_uint64(text, &value->as.fixed);
    case NP_OTLP_DOUBLE:
        return np_otlp_reader_double(text, &value->as.number);
    case NP_OTLP_UINT64_LIST:
    case NP_OTLP_FIXED64_LIST:
    case NP_OTLP_DOUBLE_LIST:
        return read_list(translator, field, value);
    case NP_OTLP_MESSAGE:
        break;
    }
    return false;
}

/* Values that proto3 omits: empty strings and lists, and numbers whose bytes are all zero, so
 * that -0 stays. */
static bool is_default(const struct np_otlp_field *field, const struct np_otlp_value *value)
{
    switch (field->type) {
    case NP_OTLP_STRING:
    case NP_OTLP_ID:
    case NP_OTLP_BYTES:
    case NP_OTLP_UINT64_LIST:
    case NP_OTLP_FIXED64_LIST:
    case NP_OTLP_DOUBLE_LIST:
        return value->n == 0;
    case NP_OTLP_BOOL:
        return !value->as.boolean;
    default:
        return value->as.fixed == 0;
    }
}

static bool is_record_event(const struct np_otlp_value *name)
{
    static const char *const events[] = {NP_EVENT_SPAN_START, NP_EVENT_SAMPLING, NP_EVENT_RUN_END};

    for (size_t i = 0; i < NP_COUNT(events); i++)
        if (name->n == strlen(events[i]) && memcmp(name->as.string, events[i], name->n) == 0)
            return true;
    return false;
}

/* Note a field of interest. Returns true when the caller writes it and the translator does not. */
static bool note_fact(const struct np_otlp_field *field, const struct np_otlp_value *value,
                      struct np_otlp_facts *facts)
{
    if ((field == FIELD(SPAN_TRACE_ID) || field == FIELD(LOG_TRACE_ID)) && value->n > 0)
        memcpy(facts->trace_id.byte, value->as.id, sizeof(facts->trace_id.byte));
    else if (field == FIELD(LOG_EVENT_NAME))
        facts->is_for_record_only = is_record_event(value);
    else if (field == FIELD(SPAN_FLAGS))
        facts->flags = (uint32_t)value->as.fixed;
    return field == FIELD(SPAN_FLAGS);
}

static bool scalar(struct np_otlp_translator *translator, const struct np_otlp_field *field,
                   struct np_otlp_writer *w, struct np_otlp_facts *facts)
{
    struct np_otlp_value value = {.as.fixed = 0};
    uint8_t id[NP_TRACE_ID_BYTES] = {0};

    if (!read_scalar(translator, field, id, &value))
        return false;
    if (facts && note_fact(field, &value, facts))
        return true;
    if (field->presence == NP_OTLP_EXPLICIT || !is_default(field, &value))
        w->format->scalar(w, field, &value);
    return true;
}

/* Messages. */

static bool fields(struct np_otlp_translator *translator, enum np_otlp_message_index message,
                   struct np_otlp_writer *w, struct np_otlp_facts *facts);

static bool one_message(struct np_otlp_translator *translator, const struct np_otlp_member *member,
                        struct np_otlp_writer *w)
{
    w->format->message_begin(w, member->field);
    bool is_whole = fields(translator, member->holds, w, NULL);
    w->format->message_end(w);
    return is_whole;
}

/* Copy the key of the attribute that begins at text->at, wherever the key stands in it. The
 * position stays. */
static bool look_for_key(struct np_otlp_translator *translator, char key[])
{
    struct np_otlp_reader *text = &translator->text;
    const char *start = text->at;
    struct np_otlp_slice name, value;
    size_t n = 0;
    enum np_otlp_step step;

    key[0] = '\0';
    while ((step = np_otlp_reader_member(text, &n, &name)) == NP_OTLP_STEP_NEXT) {
        if (name.n != 3 || memcmp(name.text, "key", 3) != 0) {
            if (!np_otlp_reader_skip(text))
                return false;
            continue;
        }
        if (!np_otlp_reader_string(text, &value))
            return false;
        size_t most = sizeof(translator->key) - 1;
        size_t length = value.n < most ? value.n : most;
        memcpy(key, value.text, length);
        key[length] = '\0';
        break;
    }
    text->at = start;
    return step != NP_OTLP_STEP_BROKEN;
}

/* Skip the next attribute when it must not leave the machine. False when it is broken. */
static bool leave_out(struct np_otlp_translator *translator, bool *is_out)
{
    struct np_otlp_reader *text = &translator->text;
    const char *start = text->at;
    char key[sizeof(translator->key)];

    *is_out = false;
    if (!translator->redactor)
        return true; /* nothing is left out */
    if (!np_otlp_reader_take(text, '{') || !look_for_key(translator, key))
        return false;
    *is_out = np_otlp_redact_leaves_out(translator->redactor, key);
    text->at = start;
    return !*is_out || np_otlp_reader_skip(text);
}

static const struct np_otlp_member *find(const struct np_otlp_message *message,
                                         struct np_otlp_slice name)
{
    for (size_t i = 0; i < message->n; i++) {
        const struct np_otlp_field *field = message->member[i].field;
        if (field->name_length == name.n && memcmp(field->json_name, name.text, name.n) == 0)
            return &message->member[i];
    }
    return NULL;
}

static bool messages(struct np_otlp_translator *translator, const struct np_otlp_member *member,
                     struct np_otlp_writer *w)
{
    /* A list, its element, and within that another list. */
    enum { ROOM = 3 };
    size_t n = 0;
    enum np_otlp_step step;

    if (w->depth + ROOM > NP_OTLP_DEEPEST)
        return false;
    if (member->field->presence != NP_OTLP_REPEATED)
        return one_message(translator, member, w);
    if (!np_otlp_reader_take(&translator->text, '['))
        return false;
    w->format->list_begin(w, member->field);
    while ((step = np_otlp_reader_element(&translator->text, &n)) == NP_OTLP_STEP_NEXT) {
        bool is_out = false;
        if (member->holds == NP_MESSAGE_KEY_VALUE && !leave_out(translator, &is_out))
            return false;
        if (!is_out && !one_message(translator, member, w))
            return false;
    }
    if (member->field == FIELD(DATA_POINTS))
        translator->n_points += n;
    w->format->list_end(w);
    return step == NP_OTLP_STEP_END;
}

/* Note that `member` was seen. Returns false when it was seen before, or another of its oneof. */
static bool note_seen(const struct np_otlp_message *message, const struct np_otlp_member *member,
                      uint32_t *seen)
{
    uint32_t bit = UINT32_C(1) << (member - message->member);

    if (message->is_choice && member->field->presence == NP_OTLP_EXPLICIT)
        bit |= UINT32_C(1) << 31; /* all members of the oneof together */
    if (*seen & bit)
        return false;
    *seen |= bit;
    return true;
}

/* The value of a member: NULL for a name that the tables do not know. */
static bool member_value(struct np_otlp_translator *translator,
                         const struct np_otlp_message *message, const struct np_otlp_member *member,
                         uint32_t *seen, struct np_otlp_writer *w, struct np_otlp_facts *facts)
{
    if (!member || np_otlp_reader_peek(&translator->text) == 'n')
        return np_otlp_reader_skip(&translator->text);
    if (!note_seen(message, member, seen))
        return false;
    if (member->holds)
        return messages(translator, member, w);
    return scalar(translator, member->field, w, facts);
}

static bool members(struct np_otlp_translator *translator, const struct np_otlp_message *message,
                    struct np_otlp_writer *w, struct np_otlp_facts *facts)
{
    struct np_otlp_reader *text = &translator->text;
    struct np_otlp_slice name;
    size_t n = 0;
    uint32_t seen = 0;
    enum np_otlp_step step;

    while ((step = np_otlp_reader_member(text, &n, &name)) == NP_OTLP_STEP_NEXT)
        if (!member_value(translator, message, find(message, name), &seen, w, facts) ||
            w->out->failed)
            return false;
    return step == NP_OTLP_STEP_END;
}

static bool fields(struct np_otlp_translator *translator, enum np_otlp_message_index message,
                   struct np_otlp_writer *w, struct np_otlp_facts *facts)
{
    char key[sizeof(translator->key)];
    bool has_key = translator->redactor && message == NP_MESSAGE_KEY_VALUE;

    if (!np_otlp_reader_take(&translator->text, '{'))
        return false;
    if (!has_key)
        return members(translator, &np_otlp_messages[message], w, facts);
    memcpy(key, translator->key, sizeof(key));
    bool is_whole = look_for_key(translator, translator->key) &&
                    members(translator, &np_otlp_messages[message], w, facts);
    memcpy(translator->key, key, sizeof(key));
    return is_whole;
}

bool np_otlp_translate(struct np_otlp_translator *translator, enum np_otlp_message_index message,
                       struct np_otlp_writer *w, struct np_otlp_facts *facts)
{
    translator->key[0] = '\0';
    translator->n_points = 0;
    return fields(translator, message, w, facts);
}
