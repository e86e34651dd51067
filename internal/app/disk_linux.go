package app

import (
	"fmt"
	"syscall"
)

// spaceOf tells what is there for users without special rights.
func spaceOf(directory string) (space, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(directory, &s); err != nil {
		return space{}, fmt.Errorf("ask for the space of %s: %w", directory, err)
	}
	return space{available: s.Bavail * uint64(s.Frsize), size: s.Blocks * uint64(s.Frsize)}, nil
}
