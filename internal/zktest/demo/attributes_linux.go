package main

import "syscall"

// attributes keep Ctrl-C for the demo, which ends its children in order, and
// have the kernel end them when the demo is killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
