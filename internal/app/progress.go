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

// What an auditor has to do before it can be relied on.
const (
	firstSync = "first sync"
	resync    = "resync" // A root was synced by an earlier run.
)

// syncing says how far a first sync or resync is: done is from 0 to 1. It is not
// over before all of it is recorded. A resync may read no more than what changed.
func syncing(what string, done float64, znodes uint64) string {
	verb := "read"
	if what == resync {
		verb = "compared"
	}
	return fmt.Sprintf("%s %d%%, %d znodes %s", what, min(int(100*done), 99), znodes, verb)
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
			return syncing(a.syncs, a.source.Progress(), a.source.Walked())
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
