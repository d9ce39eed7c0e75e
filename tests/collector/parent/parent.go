// Package parent ends this process with the one that started it, so that a test that is killed leaves nothing behind. Import it for
// its effect.
package parent

import (
	"log"
	"syscall"
)

func init() { // on the main thread, which stays
	if _, _, err := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); err != 0 {
		log.Fatal(err)
	}
}
