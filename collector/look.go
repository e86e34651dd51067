package collector

import "context"

// Look asks the server as a scrape does, and returns what it found when the
// round or ctx ends. The only error is [ErrClosed].
func (c *Collector) Look(ctx context.Context) (Status, error) {
	r, err := c.join()
	if err != nil {
		return Status{}, err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
	}
	return c.LastRound(), nil
}

// Look asks the members as a scrape does, and returns what it found when the
// round or ctx ends. The only error is [ErrClosed].
func (e *Ensemble) Look(ctx context.Context) (EnsembleStatus, error) {
	if _, err := e.look(ctx); err != nil {
		return EnsembleStatus{}, err
	}
	return e.LastRound(), nil
}
