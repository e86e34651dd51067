package recorder

import (
	"encoding/json"
	"fmt"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// Replay applies a line that the journal holds behind the mirror's place. It
// is called in order, before Run.
func (r *Recorder) Replay(line audit.Line) error {
	var e audit.Event
	if err := json.Unmarshal(line.JSON, &e); err != nil {
		return fmt.Errorf("replay journal record %d: %w", line.Seq, err)
	}
	if e.Kind == audit.KindGap && e.Reason == audit.GapHistoryRewritten {
		r.forgetHistory()
	}
	if e.Control == audit.ControlBaseline {
		for _, root := range e.Roots {
			r.place.Synced[root] = true
		}
	}
	r.apply(e)
	r.place.Seq = line.Seq
	r.moved = true
	return nil
}

// apply brings the mirror up to date with a change record. It uses nothing but
// the record, so that replaying a journal rebuilds the same mirror.
func (r *Recorder) apply(e audit.Event) {
	if e.Kind != audit.KindChange {
		return
	}
	switch e.Op {
	case audit.OpCreated:
		entry := mirror.Entry{Czxid: e.Czxid, EphemeralOwner: e.EphemeralOwner, Content: e.After}
		for range r.Mirror.Children(e.Path) {
			entry.Cversion++ // Hints told of them before a walk came to their parent.
		}
		r.Mirror.Put(e.Path, entry)
		r.countChild(e.Path)
	case audit.OpDeleted:
		r.Mirror.Delete(e.Path)
		r.countChild(e.Path)
	case audit.OpDataChanged:
		entry, known := r.Mirror.Get(e.Path)
		if !known && e.Czxid == 0 {
			return // Nothing is known of the znode that could be compared later.
		}
		entry.Content = e.After
		if e.Version != nil {
			entry.Version = *e.Version
		}
		if e.Czxid != 0 {
			entry.Czxid = e.Czxid
		}
		r.Mirror.Put(e.Path, entry)
	case audit.OpACLChanged:
		entry, _ := r.Mirror.Get(e.Path)
		if e.Aversion != nil {
			entry.Aversion = *e.Aversion
		}
		r.Mirror.Put(e.Path, entry)
	case audit.OpChildrenChanged:
		if entry, ok := r.Mirror.Get(e.Path); ok {
			entry.Cversion += int32(e.Collapsed)
			r.Mirror.Put(e.Path, entry)
		}
	}
}

// countChild moves the parent's cversion, as the server does with every create
// and delete of a child.
func (r *Recorder) countChild(path string) {
	if path == "/" {
		return
	}
	parent := audit.Parent(path)
	if entry, ok := r.Mirror.Get(parent); ok {
		entry.Cversion++
		r.Mirror.Put(parent, entry)
	}
}

// forgetHistory begins a new generation: nothing that was known about the
// ensemble holds any more.
func (r *Recorder) forgetHistory() {
	r.place.Generation++
	r.place.Mark = 0
	clear(r.place.Synced)
	r.Mirror.Clear()
}
