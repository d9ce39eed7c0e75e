#include "pipeline/console.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
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

/* "10:20:30" of this place for a person who looks on, UTC with the date for a file. */
static void now_text(const struct np_console *console, char text[NP_CLOCK_TEXT])
{
    time_t now = time(NULL);
    struct tm local;

    if (console->bar && localtime_r(&now, &local))
        strftime(text, NP_CLOCK_TEXT, "%H:%M:%S", &local);
    else
        np_clock_iso8601(np_clock_unix_ns(), text);
}

void np_console_print(struct np_console *console, int level, const char *format, ...)
{
    char now[NP_CLOCK_TEXT];

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
    now_text(console, now);
    if (console->n_dropped)
        fprintf(console->out, "%s %zu line%s dropped here, because the reader had stalled\n", now,
                console->n_dropped, np_plural((int64_t)console->n_dropped));
    console->n_dropped = 0;
    fprintf(console->out, "%s %s\n", now, text);
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

bool np_console_is_one_terminal(const struct np_console *console)
{
    return console->verbosity >= 0 && isatty(fileno(console->out)) && isatty(fileno(console->err));
}

/* Columns of the terminal; 80 when it does not say. */
static int terminal_columns(const struct np_console *console)
{
    struct winsize size;

    if (ioctl(fileno(console->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* "about 40 s left", "about 12 min left", "about 3.5 h left" */
static void add_left(struct np_str *text, double left_s)
{
    if (left_s < 100)
        np_str_addf(text, ", about %.0f s left", left_s);
    else if (left_s < 6000)
        np_str_addf(text, ", about %.0f min left", left_s / 60);
    else
        np_str_addf(text, ", about %.1f h left", left_s / 3600);
}

char *np_console_bar(const struct np_console *console, int columns, double left_s)
{
    enum { WIDEST = 30, NARROWEST = 5 };
    NP_AUTO(np_str_done) struct np_str counts = {0};
    struct np_str bar = {0};

    np_str_addf(&counts, "%zu of %zu done", console->n_done, console->n_total);
    if (console->n_failed)
        np_str_addf(&counts, ", %zu failed", console->n_failed);
    if (console->n_active)
        np_str_addf(&counts, ", %zu running", console->n_active);
    if (left_s >= 0.5)
        add_left(&counts, left_s);
    /* the last column stays free: some terminals begin a new line after it */
    int room = columns - 1, width = room - (int)counts.length - 3;
    width = width > WIDEST ? WIDEST : width;
    size_t filled = console->n_done * (size_t)(width > 0 ? width : 0) / console->n_total;
    for (int i = 0; i < width && width >= NARROWEST; i++)
        np_str_addf(&bar, "%s%c%s", i ? "" : "[", (size_t)i < filled ? '#' : '.',
                    i + 1 < width ? "" : "] ");
    np_str_add(&bar, np_str_text(&counts));
    char *text = np_str_take(&bar);
    np_utf8_cut(text, room > 0 ? (size_t)room : 0);
    return text;
}

/* Seconds that the rest will take, by those that did not fail (a failure may take no time); -1 before
 * there are two of them. */
static double seconds_left(const struct np_console *console)
{
    double elapsed_s = (double)(np_clock_mono_ns() - console->start_ns) * 1e-9;

    size_t n_good = console->n_done - console->n_failed;

    if (console->n_done < console->n_failed + 2)
        return -1;
    return elapsed_s / (double)n_good * (double)(console->n_total - console->n_done);
}

void np_console_progress(struct np_console *console)
{
    if (!console->bar || console->bar_over || console->n_total == 0 || !out_has_room(console))
        return;
    NP_AUTO(np_freep)
    char *bar = np_console_bar(console, terminal_columns(console), seconds_left(console));
    fprintf(console->out, "\r%s\033[K", bar);
    fflush(console->out);
    console->bar_shown = true;
}

void np_console_end(struct np_console *console)
{
    clear_bar(console);
    console->bar_over = true;
}
