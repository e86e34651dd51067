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
	var missing error
	for {
		err := condition()
		var permanent *permanentError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &permanent):
			return fmt.Errorf("wait until %s: %w", what, permanent.err)
		}
		// What the context itself cut short tells less than what was missing before.
		if missing == nil || !expired(ctx) {
			missing = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w (%w)", what, ctx.Err(), missing)
		case <-ticker.C:
		}
	}
}

// expired is ctx.Err() != nil, a moment earlier: a dial that the deadline ends
// returns before the context knows.
func expired(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}
