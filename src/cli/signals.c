#include "cli/signals.h"

#include <signal.h>

static struct np_cancel cancel;

/* The first signal counts; schedulers send some twice. */
static void on_signal(int signal)
{
    if (!cancel.signal)
        cancel.signal = signal;
}

const struct np_cancel *np_signals_install(void)
{
    static const int stopping[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGXCPU};
    struct sigaction action = {.sa_handler = on_signal};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < NP_COUNT(stopping); i++)
        sigaction(stopping[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is then an error of write */
    return &cancel;
}
