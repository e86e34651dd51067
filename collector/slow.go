package collector

import (
	"context"
	"strings"
	"sync"
	"time"

	"zkwarden/internal/fourletter"
)

// kept is the outcome of a word that isn't asked in every round, and what the
// server was when it was asked.
type kept struct {
	outcome
	state   State
	version string
}

// askSlow puts the outcomes of the slow words: those that are kept, and fresh
// ones of words whose last is too old, or from before the server changed its
// role or version.
func (c *Collector) askSlow(ctx context.Context, r *round, state State, version string) {
	var due []fourletter.Word
	c.mu.Lock()
	for _, word := range c.options.Words {
		last, ok := c.kept[word]
		switch {
		case word == fourletter.Dirs && strings.HasPrefix(version, "3.4."):
			// dirs came with 3.5.1; before, it is no word at all.
		case ok && last.state == state && last.version == version && time.Since(last.asked) < c.options.SlowInterval:
			r.put(last.outcome)
		default:
			due = append(due, word)
		}
	}
	c.mu.Unlock()
	var asked sync.WaitGroup
	for _, word := range due {
		asked.Go(func() {
			o := c.ask(ctx, word, version)
			r.put(o)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.kept[word] = kept{o, state, version}
		})
	}
	asked.Wait()
}
