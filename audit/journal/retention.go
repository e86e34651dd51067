package journal

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// retentionInterval is how often an idle journal looks for old segments. A
// busy one looks after every group.
const retentionInterval = time.Minute

// removal is what a retention record has written off. The files go once the
// record is durable.
type removal struct {
	through mark   // The last record that goes.
	record  uint64 // The seq of the retention record.
}

// Keep says that everything behind seq is needed, because the mirror holds
// what came before: retention never goes past it. It removes nothing before
// the first call.
func (j *Journal) Keep(seq uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.kept = max(j.kept, seq)
}

// retain removes what is written off, and writes off the next segment. The
// writer calls it between two groups.
func (j *Journal) retain() {
	if !j.remove() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	size, before := j.size(), j.begin
	for i, oldest := range j.sealed {
		reason := j.due(i, size)
		if reason == "" || !j.writeOff(oldest, before, reason) {
			return
		}
		size -= oldest.size
		before = oldest.last
	}
}

// remove deletes the segments that a durable record has written off. It
// returns false when it has to be called again before others can follow.
func (j *Journal) remove() bool {
	j.mu.Lock()
	if j.removal == nil {
		j.mu.Unlock()
		return true
	}
	through, due := j.removal.through, j.durable.seq >= j.removal.record
	if due {
		j.begin = through // Before the files go: readers ask when they miss one.
	}
	old := j.sealed // Only the writer changes it.
	j.mu.Unlock()
	if !due {
		return false
	}
	n := 0
	for ; n < len(old) && old[n].last.seq <= through.seq; n++ {
		path := segmentPath(j.dir, old[n].first)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			j.keepBecause(err.Error())
			return false
		}
		if err := syncDir(j.dir); err != nil { // One after the other: a hole would be damage.
			j.keepBecause(err.Error())
			return false
		}
		level.Info(j.logger).Log("msg", "old segment was removed", "file", path, "through", old[n].last.seq)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sealed, j.removal = j.sealed[n:], nil
	return true
}

// The reasons for which segments are removed.
const (
	reasonSize = "size"
	reasonTime = "time"
	reasonHard = "hard size"
)

// due says why a closed segment has to go while the journal has so many bytes
// with it, or nothing.
func (j *Journal) due(i int, size int64) string {
	newest := j.began // At least as late as the last record of the segment.
	if i+1 < len(j.sealed) {
		newest = j.sealed[i+1].began
	}
	switch l := j.limits; {
	case l.RetentionHardSize > 0 && size > l.RetentionHardSize:
		return reasonHard
	case l.RetentionSize > 0 && size > l.RetentionSize:
		return reasonSize
	case l.RetentionTime > 0 && j.now().Sub(newest) > l.RetentionTime:
		return reasonTime
	}
	return ""
}

// size returns the bytes of the durable records. The caller holds j.mu.
func (j *Journal) size() int64 {
	size := j.durable.size
	for _, s := range j.sealed {
		size += s.size
	}
	return size
}

// writeOff appends the record that vouches for the end of the oldest segment,
// which follows the record before. It returns false when something still needs
// the segment. Each segment has a record of its own, so that one vouches for
// the first record that is left wherever a crash stops the removal.
func (j *Journal) writeOff(oldest sealed, before mark, reason string) bool {
	if oldest.last.seq > j.kept {
		return false // The mirror is behind, for a moment only.
	}
	behind, opening := j.behind(oldest.last.seq)
	if opening {
		return false
	}
	names := slices.Sorted(maps.Keys(behind))
	if len(names) > 0 && reason != reasonHard {
		j.keepBecause("not acknowledged by sink " + strings.Join(names, ", "))
		return false
	}
	j.held = ""
	for _, name := range names {
		if !j.lose(name, max(behind[name], before.seq)+1, oldest.last.seq) {
			return false
		}
	}
	e, count := j.own(audit.KindControl), oldest.last.seq-before.seq
	e.Control, e.Reason, e.Count = audit.ControlRetention, reason, &count
	e.Anchor, e.Chain = oldest.last.String(), j.chain
	if !j.insist(&e) {
		return false
	}
	j.anchor = e.Anchor
	j.removal = &removal{through: oldest.last, record: e.Seq}
	return true
}

// lose records that a sink loses records. The record stands before that of
// retention: a crash in between repeats it, and forgets nothing.
func (j *Journal) lose(sink string, from, to uint64) bool {
	gap, count := j.own(audit.KindGap), to-from+1
	gap.Reason = fmt.Sprintf("retention removed records %d to %d before sink %s acknowledged them", from, to, sink)
	gap.Count = &count
	if !j.insist(&gap) {
		return false
	}
	j.metrics.sinkLost.WithLabelValues(sink).Add(float64(count))
	level.Error(j.logger).Log("msg", "sink loses records, the journal has reached its hard retention size",
		"sink", sink, "from", from, "to", to)
	return true
}

// insist appends a record of the journal itself, which does not wait for room.
// It fails only where the name of the ensemble alone is longer than a line.
func (j *Journal) insist(e *audit.Event) bool {
	err := j.add(e)
	if err != nil {
		j.keepBecause(err.Error())
	}
	return err == nil
}

// behind returns the cursors that have not acknowledged seq, and how far they
// are. While one is being opened nobody knows how far that is.
func (j *Journal) behind(seq uint64) (acked map[string]uint64, opening bool) {
	acked = map[string]uint64{}
	for name, at := range j.parked {
		if at < seq {
			acked[name] = at
		}
	}
	for name, c := range j.cursors {
		if c.journal == nil {
			return nil, true
		}
		if at := c.acked.Load(); at < seq {
			acked[name] = at
		}
	}
	return acked, false
}

// keepBecause logs, once, why old segments stay.
func (j *Journal) keepBecause(reason string) {
	if reason != j.held {
		level.Warn(j.logger).Log("msg", "old segments are kept", "reason", reason)
	}
	j.held = reason
}

// beginning is the record behind which readers can begin. The caller holds
// j.mu.
func (j *Journal) beginning() mark {
	if j.removal != nil {
		return j.removal.through
	}
	return j.begin
}
