package app

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zkwarden/internal/fourletter"
)

// counting answers after a while, and counts how often it is asked.
type counting struct {
	after time.Duration

	mu    sync.Mutex
	asked int
}

func (c *counting) Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	c.mu.Lock()
	c.asked++
	c.mu.Unlock()
	select {
	case <-time.After(c.after):
		return io.NopCloser(strings.NewReader(word.String() + " of " + addr)), nil
	case <-ctx.Done():
		return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.Timeout, Err: ctx.Err()}
	}
}

func TestShared(t *testing.T) {
	const (
		here  = "127.0.0.1:2181"
		there = "10.0.0.7:2181"
	)
	for name, tc := range map[string]struct {
		addr   string
		word   fourletter.Word
		wait   time.Duration // Between the two asks.
		first  time.Duration // What the first asker has.
		own    int
		others int
		want   string // What the second gets.
	}{
		"srvr at the same time":         {addr: here, word: fourletter.Srvr, first: time.Minute, own: 1, want: "srvr of " + here},
		"srvr later":                    {addr: here, word: fourletter.Srvr, wait: time.Hour, first: time.Minute, own: 2, want: "srvr of " + here},
		"srvr of another":               {addr: there, word: fourletter.Srvr, first: time.Minute, others: 2, want: "srvr of " + there},
		"mntr":                          {addr: here, word: fourletter.Mntr, first: time.Minute, own: 2, want: "mntr of " + here},
		"srvr when the first has to go": {addr: here, word: fourletter.Srvr, first: time.Second, own: 2, want: "srvr of " + here},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				own, others := &counting{after: 2 * time.Second}, &counting{after: 2 * time.Second}
				s := &shared{addr: here, own: own, others: others}
				var asked sync.WaitGroup
				asked.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), tc.first)
					defer cancel()
					if r, err := s.Open(ctx, tc.addr, tc.word); err == nil {
						r.Close()
					}
				})
				synctest.Wait()
				time.Sleep(tc.wait)
				reply, err := s.Open(t.Context(), tc.addr, tc.word)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(reply)
				if err != nil || string(text) != tc.want {
					t.Errorf("%q and %v, want %q", text, err, tc.want)
				}
				asked.Wait()
				if own.asked != tc.own || others.asked != tc.others {
					t.Errorf("asked %d and %d times, want %d and %d", own.asked, others.asked, tc.own, tc.others)
				}
			})
		})
	}
}
