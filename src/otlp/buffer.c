#include "otlp/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static int reserve(struct np_otlp_buffer *buffer, size_t more)
{
    enum { SMALLEST = 4096 };
    size_t need = buffer->length + more;

    if (buffer->most && need > buffer->most)
        return NP_EVALUE;
    if (need <= buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST;
    while (capacity < need)
        capacity *= 2;
    char *bytes = np_try_realloc(buffer->bytes, capacity, 1);
    if (!bytes)
        return NP_ENOMEM;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return 0;
}

void np_otlp_buffer_add_slowly(struct np_otlp_buffer *buffer, const void *bytes, size_t n)
{
    if (!buffer->failed)
        buffer->failed = reserve(buffer, n);
    if (buffer->failed || n == 0)
        return;
    memcpy(buffer->bytes + buffer->length, bytes, n);
    buffer->length += n;
}

void np_otlp_buffer_cut(struct np_otlp_buffer *buffer, size_t length)
{
    buffer->length = length;
    buffer->failed = 0;
}

void np_otlp_buffer_done(struct np_otlp_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct np_otlp_buffer){0};
}
