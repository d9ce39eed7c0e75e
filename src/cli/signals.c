#include "cli/signals.h"

#include <signal.h>

static struct np_cancel cancel, cut_off;

/* The first signal stops the run: schedulers send some twice. A later TERM or INT cuts a flush off. */
static void on_signal(int signal)
{
    if (!cancel.signal)
        cancel.signal = signal;
    else if (signal == SIGTERM || signal == SIGINT)
        cut_off.signal = signal;
}

const struct np_cancel *np_signals_cut_off(void)
{
    cut_off.signal = 0;
    return &cut_off;
}

const struct np_cancel *np_signals_install(void)
{
    /* Reads and writes of libraries are restarted; a wait for signals (ppoll) is interrupted
     * nevertheless. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction inherited;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < NP_N_STOP_SIGNALS; i++) {
        bool hangup = np_stop_signals[i] == SIGHUP && sigaction(SIGHUP, NULL, &inherited) == 0;
        if (hangup && inherited.sa_handler == SIG_IGN)
            continue; /* nohup */
        sigaction(np_stop_signals[i], &action, NULL);
    }
    signal(SIGCHLD, SIG_DFL); /* if it were ignored, the exit status of workers would be lost */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit then makes write fail */
    return &cancel;
}
