package webhook

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// maxOthers is how many later events one delivery tries in search of one that
// the endpoint takes. The next delivery goes on behind them.
const maxOthers = 16

// single delivers an event on its own. One that is refused even without
// contents is passed over if the endpoint takes another one, and refuses this
// one once more behind that: it may have been mended in between.
func (s *Sink) single(ctx context.Context, line audit.Line) error {
	for takesAnother := false; ; takesAnother = true {
		refused, err := s.offer(ctx, line)
		switch {
		case err == nil && refused != nil:
			s.stripped.Inc()
			level.Warn(s.Logger).Log("msg", "webhook refused an event, which was sent without contents instead", "seq", line.Seq, "err", refused)
		case errors.Is(err, errRefused) && takesAnother:
			s.passedOver.Inc()
			level.Error(s.Logger).Log("msg", "webhook refused an event even without contents and takes others, it is in the journal only", "seq", line.Seq, "err", err)
		case errors.Is(err, errRefused):
			if err := s.findAnother(ctx, line.Seq, err); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		s.done = line.Seq
		return nil
	}
}

// offer sends an event and, if it is refused, sends it without contents.
// Refused is why it was not taken with these, or nil.
func (s *Sink) offer(ctx context.Context, line audit.Line) (refused, err error) {
	err = s.post(ctx, []audit.Line{line})
	if errors.Is(err, errRefused) {
		refused = err
		if line, err = withoutContent(line); err == nil {
			err = s.post(ctx, []audit.Line{line})
		}
	}
	if err == nil {
		s.taken = append(s.taken[:0], line.JSON...)
	}
	return refused, err
}

// findAnother returns nil if the endpoint takes another event than that of
// seq: one that it took before, or else a later one. An endpoint that takes
// none refuses everything, and that is no reason to pass over anything.
//
// A later event that is taken may arrive before that of seq, if the endpoint is
// mended in between, and arrives once more in its turn.
func (s *Sink) findAnother(ctx context.Context, seq uint64, refused error) error {
	if s.taken != nil {
		if err := s.post(ctx, []audit.Line{{JSON: s.taken}}); !errors.Is(err, errRefused) {
			return err
		}
	}
	tried := 0
	for line, err := range s.Later(ctx, max(seq, s.tried)) {
		if err != nil {
			return fmt.Errorf("look for a record that the webhook takes: %w", err)
		}
		if tried == maxOthers {
			return takesNone(seq, tried, refused)
		}
		if _, err := s.offer(ctx, line); !errors.Is(err, errRefused) {
			return err
		}
		s.tried = line.Seq
		tried++
	}
	s.tried = 0 // All were tried: the next time begins with the first again.
	return takesNone(seq, tried, refused)
}

func takesNone(seq uint64, others int, refused error) error {
	return fmt.Errorf("webhook takes no record, not even without contents, neither record %d nor %d behind it: %w", seq, others, refused)
}
