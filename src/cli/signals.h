/* Signals: the ones that stop a run set a flag that everybody reads; SIGPIPE is ignored, a write
 * then says EPIPE. */
#ifndef NP_CLI_SIGNALS_H
#define NP_CLI_SIGNALS_H

#include "base/exec.h"

/* Install the handlers of TERM, INT, HUP (unless nohup ignores it), USR1 and XCPU. The flag lives
 * as long as the process. */
const struct np_cancel *np_signals_install(void);

/* The flag of a flush that begins now: set by a TERM or INT that comes from now on, when it is not
 * the first signal. */
const struct np_cancel *np_signals_cut_off(void);

#endif
