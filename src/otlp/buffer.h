/*
 * Bytes being encoded. They grow with what is observed, so that memory may be missing (np_try_*):
 * then, or at the limit, the buffer sets `failed` and ignores further bytes. The encoder checks
 * `failed` once, at the end.
 */
#ifndef NP_OTLP_BUFFER_H
#define NP_OTLP_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* {0} is empty and without a limit. */
struct np_otlp_buffer {
    char *bytes; /* not terminated */
    size_t length, capacity;
    size_t most; /* bytes; 0 = any number */
    int failed;  /* 0, NP_ENOMEM, or NP_EVALUE when it would be longer than `most` */
};

/* The same when the buffer must grow, or when `failed` is set. */
void np_otlp_buffer_add_slowly(struct np_otlp_buffer *buffer, const void *bytes, size_t n);

static inline void np_otlp_buffer_add(struct np_otlp_buffer *buffer, const void *bytes, size_t n)
{
    size_t most = buffer->most ? buffer->most : SIZE_MAX;

    if (buffer->failed || n == 0 || n > buffer->capacity - buffer->length ||
        n > most - buffer->length) {
        np_otlp_buffer_add_slowly(buffer, bytes, n);
        return;
    }
    memcpy(buffer->bytes + buffer->length, bytes, n);
    buffer->length += n;
}

static inline void np_otlp_buffer_text(struct np_otlp_buffer *buffer, const char *text)
{
    np_otlp_buffer_add(buffer, text, strlen(text));
}

/* Truncate to `length` bytes and clear `failed`; the memory is kept. */
void np_otlp_buffer_cut(struct np_otlp_buffer *buffer, size_t length);
void np_otlp_buffer_done(struct np_otlp_buffer *buffer);

#endif
