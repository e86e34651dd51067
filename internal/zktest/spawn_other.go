//go:build !linux

package zktest

import "syscall"

// dieWithParent has no equivalent here: a child outlives a SIGKILL of its parent.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
