#include "pipeline/console.h"

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

static void clear_bar(struct np_console *console)
{
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
    clear_bar(console);
    va_list args;
    va_start(args, format);
    NP_AUTO(np_freep) char *text = clean_text(format, args);
    va_end(args);
    fprintf(console->out, "%s %s\n", np_clock_iso8601(np_clock_unix_ns(), time), text);
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
    fprintf(console->err, "%s\n", text);
    fflush(console->err);
}

void np_console_progress(struct np_console *console)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];

    if (!console->bar || console->n_total == 0)
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
