/* Records made of numbered spans and log records, for the tests of spool and of send. */
#ifndef NP_TESTS_SPOOL_RECORDS_H
#define NP_TESTS_SPOOL_RECORDS_H

#include <stdio.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/str.h"
#include "tap.h"

static inline void put_span(FILE *file, int number)
{
    fprintf(file,
            "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":["
            "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"%016x\","
            "\"name\":\"span-%d\",\"kind\":1,\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":"
            "\"2\"}]}]}]}\n",
            (unsigned)number + 1, number);
}

static inline void put_log(FILE *file, int number)
{
    fprintf(file,
            "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":["
            "{\"timeUnixNano\":\"1\",\"body\":{\"stringValue\":\"log-%d\"}}]}]}]}\n",
            number);
}

/* A record with spans and log records [from, to), appended to. */
static inline void put_record(const char *path, int from, int to)
{
    FILE *file = fopen(path, "ae");

    for (int i = from; file && i < to; i++) {
        put_span(file, i);
        put_log(file, i);
    }
    if (file)
        fclose(file);
}

static inline char *fresh_record(const char *name)
{
    NP_AUTO(np_freep) char *folder = np_xasprintf("%s/%s", tap_directory(), name);

    ok_int(np_directory_make(folder, NULL), 0);
    return np_xasprintf("%s/20260101T000000Z_%s.otlp.jsonl", folder, name);
}

#endif
