package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"zkwarden/audit"
)

var _ audit.Journal = (*screen)(nil)

// screen is a journal that nobody can turn back: it prints every record.
type screen struct {
	options WatchOptions

	mu   sync.Mutex
	out  io.Writer
	seq  uint64
	lost bool // Whether the last that was told of the connection is its loss.
}

// unchained leaves out what means something in a journal only, and who
// recorded it where nobody did.
type unchained struct {
	audit.Event
	Ensemble string  `json:"ensemble,omitempty"`
	Recorder string  `json:"recorder,omitempty"`
	Chain    *string `json:"chain,omitempty"`
	Prev     *string `json:"prev,omitempty"`
}

// Append implements [audit.Journal].
func (s *screen) Append(_ context.Context, e audit.Event) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	e.Seq = s.seq
	if e.ID == "" {
		e.ID = e.SeqID(watchChain)
	}
	if s.options.JSON {
		encoder := json.NewEncoder(s.out)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(unchained{Event: e, Ensemble: e.Ensemble, Recorder: e.Recorder}); err != nil {
			return 0, fmt.Errorf("print record: %w", err)
		}
		return s.seq, nil
	}
	color, text := describe(&e)
	return s.seq, s.print(e.Observed.Time(), color, text)
}

// Flush implements [audit.Journal]; what is printed is printed.
func (s *screen) Flush(context.Context) error { return nil }

// connection tells people when the connection is lost, and when it is back.
// Programs learn it from the gap record, which says what it meant.
func (s *screen) connection(trouble error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := s.seq > 1 // Behind the start record.
	switch {
	case s.options.JSON || !begun || s.lost == (trouble != nil):
		return nil
	case trouble != nil:
		s.lost = true
		return s.print(time.Now(), colorRed, "not watching: "+printable(trouble.Error()))
	}
	s.lost = false
	return s.print(time.Now(), colorFaint, "connected again")
}

// print writes one line, unless text is empty.
func (s *screen) print(at time.Time, color, text string) error {
	if text == "" {
		return nil
	}
	if s.options.Color {
		text = color + text + colorReset
	}
	if _, err := fmt.Fprintf(s.out, "%s  %s\n", at.Local().Format("15:04:05.000"), text); err != nil {
		return fmt.Errorf("print record: %w", err)
	}
	return nil
}
