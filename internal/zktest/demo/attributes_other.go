//go:build !linux

package main

import "syscall"

// attributes keep Ctrl-C for the demo, which ends its children in order.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
