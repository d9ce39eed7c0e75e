/* Signals. Those that stop a run set a flag that all parts of the program read. SIGPIPE is
 * ignored: a write then fails with EPIPE. */
#ifndef NP_CLI_SIGNALS_H
#define NP_CLI_SIGNALS_H

#include "base/exec.h"

/* Install the handlers of np_stop_signals (of HUP unless nohup ignores it). The flag is
 * valid until the process ends. */
const struct np_cancel *np_signals_install(void);

/* The flag of a flush that begins now: set by a TERM or INT that comes from now on, when it is not
 * the first signal. */
const struct np_cancel *np_signals_cut_off(void);

#endif
