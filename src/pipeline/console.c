#include "pipeline/console.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

void np_console_init(struct np_console *console, int verbosity)
{
    *console = (struct np_console){.out = stdout,
                                   .err = stderr,
                                   .verbosity = verbosity,
                                   .bar = verbosity >= 0 && isatty(STDOUT_FILENO),
                                   .start_ns = np_clock_mono_ns()};
}

/* Two lines fit into PIPE_BUF; a pipe with any room accepts that many bytes at once. */
enum { ROOM_WAIT_MS = 2000, LONGEST_LINE = 1900 };

/* True when a line can be written without waiting for a reader. Files always have room, and so
 * have pipes whose reader has closed them: the write then fails. */
static bool has_room(FILE *to, int wait_ms)
{
    struct pollfd room = {.fd = fileno(to), .events = POLLOUT};

    return poll(&room, 1, wait_ms) != 0;
}

static bool out_has_room(struct np_console *console)
{
    console->stalled = !has_room(console->out, console->stalled ? 0 : ROOM_WAIT_MS);
    return !console->stalled;
}

static void clear_bar(struct np_console *console)
{
    if (console->bar_shown && !out_has_room(console))
        return;
    if (console->bar_shown) {
        fputs("\r\033[K", console->out);
        fflush(console->out);
    }
    console->bar_shown = false;
}

NP_PRINTF(1, 0)
static char *clean_text(const char *format, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        abort();
    char *clean = np_utf8_clean(text);
    free(text);
    return clean;
}

void np_console_say(struct np_console *console, int level, const char *format, ...)
{
    char time[NP_CLOCK_TEXT];

    if (console->verbosity < level)
        return;
    if (!out_has_room(console)) {
        console->n_dropped++;
        return;
    }
    clear_bar(console);
    va_list args;
    va_start(args, format);
    NP_AUTO(np_freep) char *text = clean_text(format, args);
    va_end(args);
    np_utf8_cut(text, LONGEST_LINE);
    np_clock_iso8601(np_clock_unix_ns(), time);
    if (console->n_dropped)
        fprintf(console->out, "%s %zu line%s dropped here, because the reader had stalled\n", time,
                console->n_dropped, np_plural((int64_t)console->n_dropped));
    console->n_dropped = 0;
    fprintf(console->out, "%s %s\n", time, text);
    fflush(console->out);
    np_console_progress(console);
}

void np_console_fail(struct np_console *console, const char *format, ...)
{
    clear_bar(console);
    va_list args;
    va_start(args, format);
    NP_AUTO(np_freep) char *text = clean_text(format, args);
    va_end(args);
    np_utf8_cut(text, LONGEST_LINE);
    if (has_room(console->err, ROOM_WAIT_MS))
        fprintf(console->err, "%s\n", text);
    fflush(console->err);
}

void np_console_progress(struct np_console *console)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];

    if (!console->bar || console->n_total == 0 || !out_has_room(console))
        return;
    size_t filled = console->n_done * WIDTH / console->n_total;
    for (size_t i = 0; i < WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[WIDTH] = '\0';
    double elapsed_s = (double)(np_clock_mono_ns() - console->start_ns) * 1e-9;
    double left_s = console->n_done ? elapsed_s / (double)console->n_done *
                                          (double)(console->n_total - console->n_done)
                                    : 0;
    fprintf(console->out,
            "\r[%s] %zu of %zu done, %zu failed, %zu running, about %.0f s left\033[K", bar,
            console->n_done, console->n_total, console->n_failed, console->n_active, left_s);
    fflush(console->out);
    console->bar_shown = true;
}

void np_console_end(struct np_console *console)
{
    clear_bar(console);
    console->bar = false;
}
