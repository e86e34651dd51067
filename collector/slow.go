package collector

import (
	"context"
	"strings"
	"sync"
	"time"

	"zkwarden/internal/fourletter"
)

// retryInterval is how soon, at the earliest, a slow word that failed is asked
// again. It doubles with every failure in a row, up to Options.SlowInterval.
const retryInterval = time.Second

// lastKnown is what a server was when a slow word was asked. What it answers is
// of no use once it is something else.
type lastKnown struct {
	state   State
	version string
}

// kept is the outcome of a word that isn't asked in every round.
type kept struct {
	outcome
	of       lastKnown
	failures int // In a row.
}

// after returns what is kept of o, which was asked after last.
func (last kept) after(o outcome, of lastKnown) kept {
	next := kept{outcome: o, of: of}
	if o.err != nil {
		next.failures = last.failures + 1
	}
	return next
}

// due returns when the word is to be asked again. A failure is not believed for
// as long as an answer, unless only a restart of the server changes it; one that
// took long holds up the next scrape for as long, and is tried again less soon.
func (last kept) due(interval time.Duration) time.Time {
	if last.err == nil || last.reason() == fourletter.NotWhitelisted {
		return last.asked.Add(interval)
	}
	wait := max(retryInterval, last.took)
	for range last.failures - 1 {
		if wait *= 2; wait >= interval {
			break
		}
	}
	return last.asked.Add(last.took + min(wait, interval))
}

// askSlow puts the outcomes of the slow words: those that are kept, and within
// asked fresh ones of words that are due, or whose last is from before the server
// changed its role or version.
func (c *Collector) askSlow(ctx context.Context, r *round, asked *sync.WaitGroup, now lastKnown) {
	// A server that takes long to tell what it is leaves the words time all the
	// same: what would become of them in the rest of it says nothing.
	end := time.Now().Add(c.options.Timeout / 2)
	if rest, ok := ctx.Deadline(); ok && rest.After(end) {
		end = rest
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, word := range c.options.Words {
		last, ok := c.kept[word]
		switch {
		case word == fourletter.Dirs && strings.HasPrefix(now.version, "3.4."):
			// dirs came with 3.5.1; before, it is no word at all.
		case ok && last.of == now && time.Now().Before(last.due(c.options.SlowInterval)):
			r.put(last.outcome)
		default:
			asked.Go(func() { c.askOne(r, word, now, end) })
		}
	}
}

// askOne asks a slow word, keeps its outcome and puts it.
func (c *Collector) askOne(r *round, word fourletter.Word, now lastKnown, end time.Time) {
	ctx, cancel := context.WithDeadline(c.ctx, end)
	defer cancel()
	o := c.ask(ctx, word, now.version)
	r.put(o)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[word] = c.kept[word].after(o, now)
}
