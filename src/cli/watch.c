#include "cli/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

static const int64_t NS_PER_S = 1000000000;
enum { INTERVAL_S = 2, SHARE = 10, TYPICAL_ROWS = 24, TYPICAL_COLUMNS = 80 };

struct screen {
    FILE *out;
    bool is_terminal;
    size_t n_drawn; /* lines of the block that is on the terminal */
    char *last;     /* the text that was printed last */
};

static char *text_of(const struct np_watched *watched, bool *goes_on)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (!out)
        abort();
    *goes_on = watched->print(watched->self, out);
    fclose(out);
    return text;
}

static struct winsize size_of(FILE *out)
{
    struct winsize size = {0};

    if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = TYPICAL_ROWS, .ws_col = TYPICAL_COLUMNS};
    return size;
}

/* The bytes of the first `n_columns` characters of a line; each counts as one column. */
static size_t cut(const char *line, size_t length, size_t n_columns)
{
    size_t at = 0;

    for (size_t column = 0; at < length && column < n_columns; column++) {
        size_t n = np_utf8_sequence(line + at);
        at += n ? n : 1;
    }
    return at < length ? at : length;
}

/* Draw over the block; the last row stays free for the cursor, and no line wraps. */
static void draw(struct screen *screen, const char *text)
{
    struct winsize size = size_of(screen->out);
    size_t most = size.ws_row > 2 ? size.ws_row - 1u : 1, n = 0;

    if (screen->n_drawn)
        fprintf(screen->out, "\033[%zuA", screen->n_drawn < most ? screen->n_drawn : most);
    fputs("\r\033[J", screen->out);
    for (; *text && n < most; n++) {
        size_t length = strcspn(text, "\n");
        bool more = n + 1 == most && text[length] && text[length + 1];
        size_t shown = cut(text, length, size.ws_col > 1 ? size.ws_col - 1u : 1);
        if (more)
            fputs("…\n", screen->out);
        else
            fprintf(screen->out, "%.*s\n", (int)shown, text);
        text += length + (text[length] == '\n');
    }
    screen->n_drawn = n;
}

static void print_change(struct screen *screen, const char *text)
{
    char now[NP_CLOCK_TEXT];

    if (screen->last && strcmp(screen->last, text) == 0)
        return;
    fprintf(screen->out, "%s%s\n%s", screen->last ? "\n" : "",
            np_clock_iso8601(np_clock_unix_ns(), now), text);
}

static void show(struct screen *screen, char *text)
{
    if (screen->is_terminal)
        draw(screen, text);
    else
        print_change(screen, text);
    fflush(screen->out);
    free(screen->last);
    screen->last = text;
}

/* A signal ends the wait early. */
static void wait_for(int64_t ns, const struct np_cancel *cancel)
{
    int64_t end_ns = np_clock_mono_ns() + ns;

    for (int64_t left = ns; left > 0 && !cancel->signal; left = end_ns - np_clock_mono_ns()) {
        const int64_t step = left < NS_PER_S / 10 ? left : NS_PER_S / 10;
        nanosleep(&(struct timespec){.tv_nsec = step}, NULL);
    }
}

int np_watch(const struct np_watched *watched, const struct np_cancel *cancel, FILE *out)
{
    struct screen screen = {.out = out, .is_terminal = isatty(fileno(out))};
    bool goes_on = true;

    while (goes_on && !cancel->signal && !ferror(out)) {
        int64_t start_ns = np_clock_mono_ns();
        show(&screen, text_of(watched, &goes_on));
        int64_t took_ns = np_clock_mono_ns() - start_ns;
        if (goes_on)
            wait_for(took_ns * SHARE > INTERVAL_S * NS_PER_S ? took_ns * SHARE
                                                             : INTERVAL_S * NS_PER_S,
                     cancel);
    }
    free(screen.last);
    return (int)cancel->signal;
}
