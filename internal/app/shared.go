package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

const (
	// sharedAge is how long after its beginning an ask is good for others too:
	// what belongs to one scrape begins within it.
	sharedAge = 5 * time.Millisecond
	// maxShared is the longest srvr, in bytes, that is kept.
	maxShared = 64 << 10
)

// shared asks the server beside this process for srvr once a scrape: its own
// metrics and the view of the ensemble both want it. Whatever else is asked goes
// straight to its asker.
type shared struct {
	addr   string
	own    collector.Asker // Asks addr.
	others collector.Asker // Asks everybody else.

	mu   sync.Mutex
	last *flight
}

// flight is one ask of srvr.
type flight struct {
	began time.Time
	done  chan struct{} // Closed when text and err are there.
	text  []byte
	err   error
}

// Open asks one word, or joins the ask of srvr that has just begun.
func (s *shared) Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	switch {
	case addr != s.addr:
		return s.others.Open(ctx, addr, word)
	case word != fourletter.Srvr:
		return s.own.Open(ctx, addr, word)
	}
	f, joined := s.join()
	if !joined {
		f.text, f.err = s.ask(ctx)
		close(f.done)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.Timeout, Err: ctx.Err()}
	}
	if reason, _ := fourletter.ReasonOf(f.err); joined && reason == fourletter.Timeout && ctx.Err() == nil {
		// Who began the ask had less time.
		return s.own.Open(ctx, addr, word)
	}
	if f.err != nil && len(f.text) == 0 {
		return nil, f.err
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(f.text), failing{f.err})), nil
}

// join returns the ask that has just begun, or a new one that the caller makes.
func (s *shared) join() (f *flight, joined bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && time.Since(s.last.began) < sharedAge {
		return s.last, true
	}
	s.last = &flight{began: time.Now(), done: make(chan struct{})}
	return s.last, false
}

func (s *shared) ask(ctx context.Context) ([]byte, error) {
	reply, err := s.own.Open(ctx, s.addr, fourletter.Srvr)
	if err != nil {
		return nil, err
	}
	defer reply.Close()
	text, err := io.ReadAll(io.LimitReader(reply, maxShared+1))
	if err == nil && len(text) > maxShared {
		err = &fourletter.Error{Word: fourletter.Srvr, Addr: s.addr, Reason: fourletter.TooLarge, Err: errors.New("more than srvr ever has")}
	}
	return text, err
}

// failing is the end of a reply.
type failing struct{ err error }

// Read returns the error, or io.EOF without one.
func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}
