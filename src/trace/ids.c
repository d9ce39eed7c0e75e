#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "trace/trace.h"

/* A kernel without getrandom gives ids from clock and process id: good enough to distinguish
 * spans. */
static void fill_from_clock(uint8_t *byte, size_t n)
{
    static uint64_t stream;
    struct np_random random;

    np_random_seed(&random, (uint64_t)np_clock_unix_ns() ^ (uint64_t)getpid() << 40, stream++);
    for (size_t i = 0; i < n; i++)
        byte[i] = (uint8_t)(np_random_bits(&random) >> 56);
}

static void fill_from_system(uint8_t *byte, size_t n)
{
    ssize_t got;

    do
        got = getrandom(byte, n, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)n)
        fill_from_clock(byte, n);
}

/*
 * A system call for each id would be the most expensive part of a span, so entropy is read a
 * kilobyte at a time. Each thread has its own store, and a forked child discards the inherited one:
 * it would repeat its parent's ids.
 */
enum { STORE_BYTES = 1024 };

static _Thread_local struct {
    uint8_t byte[STORE_BYTES];
    size_t left;
} store;

static void forget_store(void)
{
    store.left = 0;
}

__attribute__((constructor)) static void forget_store_in_children(void)
{
    pthread_atfork(NULL, NULL, forget_store);
}

static bool all_zero(const uint8_t *byte, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (byte[i])
            return false;
    return true;
}

static void fill(uint8_t *byte, size_t n)
{
    do {
        if (store.left < n) {
            fill_from_system(store.byte, sizeof(store.byte));
            store.left = sizeof(store.byte);
        }
        store.left -= n;
        memcpy(byte, &store.byte[store.left], n);
    } while (all_zero(byte, n));
}

struct np_trace_id np_trace_id_new(void)
{
    struct np_trace_id id;

    fill(id.byte, sizeof(id.byte));
    return id;
}

struct np_span_id np_span_id_new(void)
{
    struct np_span_id id;

    fill(id.byte, sizeof(id.byte));
    return id;
}

static void to_hex(const uint8_t *byte, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[byte[i] >> 4];
        *out++ = digits[byte[i] & 15];
    }
    *out = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decode the first 2n characters; the caller checks the rest. */
static bool from_hex(const char *hex, uint8_t *byte, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = nibble(hex[2 * i]);
        int low = high < 0 ? -1 : nibble(hex[2 * i + 1]);
        if (low < 0)
            return false;
        byte[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void np_trace_id_hex(const struct np_trace_id *id, char out[NP_TRACE_ID_HEX])
{
    to_hex(id->byte, sizeof(id->byte), out);
}

void np_span_id_hex(const struct np_span_id *id, char out[NP_SPAN_ID_HEX])
{
    to_hex(id->byte, sizeof(id->byte), out);
}

bool np_trace_id_parse(const char *hex, struct np_trace_id *id)
{
    struct np_trace_id parsed;

    if (!from_hex(hex, parsed.byte, sizeof(parsed.byte)) || hex[NP_TRACE_ID_HEX - 1])
        return false;
    *id = parsed;
    return true;
}

bool np_span_id_parse(const char *hex, struct np_span_id *id)
{
    struct np_span_id parsed;

    if (!from_hex(hex, parsed.byte, sizeof(parsed.byte)) || hex[NP_SPAN_ID_HEX - 1])
        return false;
    *id = parsed;
    return true;
}

bool np_trace_id_is_zero(const struct np_trace_id *id)
{
    return all_zero(id->byte, sizeof(id->byte));
}

bool np_span_id_is_zero(const struct np_span_id *id)
{
    return all_zero(id->byte, sizeof(id->byte));
}

/*
 * Version, trace id, parent id and flags are at fixed positions. Version 00 ends there; a later
 * version may continue after another dash; ff is forbidden. Capital letters are not allowed.
 */
bool np_traceparent_parse(const char *text, struct np_trace_id *trace_id,
                          struct np_span_id *span_id, uint32_t *flags)
{
    enum { TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53, LENGTH = 55 };
    uint8_t version, parsed_flags;
    struct np_trace_id trace;
    struct np_span_id span;

    if (strnlen(text, LENGTH) < LENGTH || strcspn(text, "ABCDEF") < LENGTH)
        return false;
    if (text[TRACE_AT - 1] != '-' || text[SPAN_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
        return false;
    if (!from_hex(text, &version, 1) ||
        !from_hex(text + TRACE_AT, trace.byte, sizeof(trace.byte)) ||
        !from_hex(text + SPAN_AT, span.byte, sizeof(span.byte)) ||
        !from_hex(text + FLAGS_AT, &parsed_flags, 1))
        return false;
    char after = text[LENGTH];
    if (version == 0xff || (after && (version == 0 || after != '-')))
        return false;
    if (np_trace_id_is_zero(&trace) || np_span_id_is_zero(&span))
        return false;
    *trace_id = trace;
    *span_id = span;
    *flags = parsed_flags;
    return true;
}
