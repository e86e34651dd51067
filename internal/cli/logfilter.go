package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/prometheus/common/model"

	"zkwarden/audit"
)

// LogFilter says which records [Log] prints. An empty list or a zero value
// takes all; of several filters a record has to pass each.
type LogFilter struct {
	Paths    []string // Paths, with everything below them, or globs. Gaps pass too: they may be about any path.
	Ops      []audit.Op
	Kinds    []audit.Kind
	Sources  []audit.Origin
	Sessions []audit.SessionID // Of the actor, or the owner of an ephemeral znode.

	Since, Until time.Time // When the record was made, by the auditor's clock.
	From, To     uint64    // Seqs.
}

// ValidateGlob reports why text is neither a path of a znode nor a glob.
func ValidateGlob(text string) error {
	if !isGlob(text) {
		return audit.ValidatePath(text)
	}
	if !strings.HasPrefix(text, "/") {
		return fmt.Errorf("glob %q does not begin with /", text)
	}
	if !doublestar.ValidatePattern(text) {
		return fmt.Errorf("glob %q is malformed", text)
	}
	return nil
}

func isGlob(text string) bool { return strings.ContainsAny(text, `*?[{\`) }

func (f *LogFilter) passes(e *audit.Event) bool {
	at := e.Observed.Time()
	switch {
	case !f.Since.IsZero() && at.Before(f.Since),
		!f.Until.IsZero() && !at.Before(f.Until),
		len(f.Kinds) > 0 && !slices.Contains(f.Kinds, e.Kind),
		len(f.Ops) > 0 && !slices.Contains(f.Ops, e.Op),
		len(f.Sources) > 0 && !slices.Contains(f.Sources, e.Source),
		len(f.Sessions) > 0 && !f.ofSession(e),
		len(f.Paths) > 0 && !f.onPath(e):
		return false
	}
	return true
}

func (f *LogFilter) ofSession(e *audit.Event) bool {
	return e.Actor != nil && slices.Contains(f.Sessions, e.Actor.Session) ||
		e.EphemeralOwner != 0 && slices.Contains(f.Sessions, e.EphemeralOwner)
}

func (f *LogFilter) onPath(e *audit.Event) bool {
	if e.Kind == audit.KindGap {
		return true
	}
	return e.Path != "" && f.wants(e.Path)
}

// wants tells whether a path is one of those that are asked for.
func (f *LogFilter) wants(path string) bool {
	return len(f.Paths) == 0 || slices.ContainsFunc(f.Paths, func(pattern string) bool {
		// A name may look like a glob and be meant as it is.
		return audit.Within(path, pattern) || isGlob(pattern) && doublestar.MatchUnvalidated(pattern, path)
	})
}

// ParseWhen parses a time: RFC 3339, a date and perhaps a time of day in UTC,
// or how long ago it was: 90s, 2h, 7d.
func ParseWhen(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if ago, err := model.ParseDuration(text); err == nil {
		return now.Add(-time.Duration(ago)), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: want 2006-01-02T15:04:05Z, 2006-01-02, or how long ago, like 2h or 7d", text)
}

// ParseSeqs parses A..B, A.., ..B and A. A bound that is not given is 0.
func ParseSeqs(text string) (from, to uint64, err error) {
	a, b, isRange := strings.Cut(text, "..")
	if !isRange {
		b = a
	}
	from, errA := parseSeq(a)
	to, errB := parseSeq(b)
	switch {
	case errA != nil || errB != nil || a == "" && b == "":
		return 0, 0, fmt.Errorf("%q is no range of seqs: want A..B, A.., ..B or A", text)
	case to > 0 && from > to:
		return 0, 0, fmt.Errorf("%q is no range of seqs: %d is behind %d", text, from, to)
	}
	return from, to, nil
}

func parseSeq(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	seq, err := strconv.ParseUint(text, 10, 64)
	if err == nil && seq == 0 {
		err = errors.New("seqs begin with 1")
	}
	return seq, err
}
