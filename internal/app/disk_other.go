//go:build !linux

package app

import "errors"

// spaceOf knows only Linux.
func spaceOf(string) (space, error) { return space{}, errors.ErrUnsupported }
