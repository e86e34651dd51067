package zktest

import "syscall"

// dieWithParent asks the kernel to kill the child when its parent's thread
// ends. A process group of its own keeps the terminal's Ctrl-C away from it,
// so that whoever launched the ensemble decides in which order things stop.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
