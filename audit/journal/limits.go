package journal

import (
	"errors"
	"fmt"
	"time"
)

// Limits say when a segment is closed and when the oldest ones are removed.
// Zero means never.
type Limits struct {
	SegmentSize int64         // Bytes behind which a segment gets no further record.
	SegmentAge  time.Duration // How long a segment gets records.

	RetentionSize int64         // Bytes of all segments behind which the oldest is removed.
	RetentionTime time.Duration // How old the newest record of a segment is when it is removed.

	// RetentionHardSize removes segments even if a sink has not acknowledged
	// them. Without it a sink that accepts nothing keeps everything.
	RetentionHardSize int64
}

// Validate reports limits that contradict each other.
func (l Limits) Validate() error {
	switch {
	case l.SegmentSize < 0, l.SegmentAge < 0, l.RetentionSize < 0, l.RetentionTime < 0, l.RetentionHardSize < 0:
		return errors.New("a limit of the journal is negative")
	case !l.removes():
		return nil
	case l.SegmentSize == 0 && l.SegmentAge == 0:
		return errors.New("retention removes whole segments, but no segment is ever closed: limit their size or age")
	case l.RetentionHardSize > 0 && l.RetentionHardSize < l.RetentionSize:
		return fmt.Errorf("the hard retention size of %d bytes is below the retention size of %d", l.RetentionHardSize, l.RetentionSize)
	}
	return nil
}

func (l Limits) removes() bool {
	return l.RetentionSize > 0 || l.RetentionTime > 0 || l.RetentionHardSize > 0
}
