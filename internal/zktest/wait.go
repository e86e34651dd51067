package zktest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// permanentError ends a wait: the condition cannot come true any more.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// until polls a condition until it is nil or permanently broken. The context
// bounds it; its error then carries what was still missing.
func until(ctx context.Context, what string, condition func() error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		missing := condition()
		var permanent *permanentError
		switch {
		case missing == nil:
			return nil
		case errors.As(missing, &permanent):
			return fmt.Errorf("wait until %s: %w", what, permanent.err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w (%w)", what, ctx.Err(), missing)
		case <-ticker.C:
		}
	}
}
