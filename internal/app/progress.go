package app

import (
	"context"
	"fmt"
	"time"
)

const (
	// progressAfter is how long a first sync lasts before its progress is shown:
	// most are over by then.
	progressAfter = time.Second
	progressEvery = 250 * time.Millisecond
)

// firstSync says how far a first sync is: done is from 0 to 1. It is not over
// before all of it is recorded.
func firstSync(done float64, read uint64) string {
	return fmt.Sprintf("first sync %d%%, %d znodes read", min(int(100*done), 99), read)
}

// showProgress shows how far the first sync is until it is over or ctx is done,
// and clears the line before it closes the channel.
func (a *auditor) showProgress(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if a.show == nil {
			return
		}
		showUntil(ctx, a.record.Synced(), a.show, func() string {
			if a.source.Err() != nil {
				return "" // The log says so.
			}
			return firstSync(a.source.Progress(), a.source.Walked())
		})
	}()
	return ended
}

// showUntil shows the news several times a second, from progressAfter on.
func showUntil(ctx context.Context, over <-chan struct{}, show func(string), news func() string) {
	timer := time.NewTimer(progressAfter)
	defer timer.Stop()
	last := ""
	for {
		select {
		case <-timer.C:
			if text := news(); text != last {
				show(text)
				last = text
			}
			timer.Reset(progressEvery)
			continue
		case <-over:
		case <-ctx.Done():
		}
		if last != "" {
			show("")
		}
		return
	}
}
