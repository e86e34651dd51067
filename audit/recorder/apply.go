package recorder

import (
	"bytes"
	"encoding/json"
	"fmt"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// Replay applies a line that the journal holds behind the mirror's place. It
// is called in order, before Run. Where the mirror is lost, that is the whole
// journal, which tells the generation and nothing else.
func (r *Recorder) Replay(line audit.Line) error {
	if r.lost && !bytes.Contains(line.JSON, []byte(`"generation"`)) && !bytes.Contains(line.JSON, []byte(audit.GapHistoryRewritten)) {
		return nil
	}
	var e audit.Event
	if err := json.Unmarshal(line.JSON, &e); err != nil {
		return fmt.Errorf("replay journal record %d: %w", line.Seq, err)
	}
	switch {
	case e.Kind == audit.KindGap && e.Reason == audit.GapHistoryRewritten:
		r.forgetHistory()
		fallthrough
	case e.Control == audit.ControlStart, e.Control == audit.ControlBaseline:
		// Records before this member was theirs leave it to be counted.
		r.place.Generation = max(r.place.Generation, e.Generation)
	}
	if r.lost {
		return nil
	}
	if e.Policy != "" && (e.Policy != r.place.Fingerprint || e.DigestKey != r.place.DigestKey) {
		// What is known was kept under several policies from here on.
		r.place.Fingerprint, r.place.DigestKey = "", ""
	}
	r.apply(e)
	r.place.Seq = line.Seq
	r.moved = true
	return nil
}

// apply brings the mirror and its place up to date with a record. It uses
// nothing but the record, so that replaying a journal rebuilds the same mirror.
func (r *Recorder) apply(e audit.Event) {
	switch e.Control {
	case audit.ControlBaseline:
		for _, root := range e.Roots {
			r.place.Synced[root] = true
		}
	case audit.ControlMode:
		r.place.LogFrom = max(r.place.LogFrom, e.Zxid)
		r.place.Mode = audit.Mode{Name: e.Mode, Server: e.Reason}
	}
	switch e.Kind {
	case audit.KindChange:
		r.noteChange(e)
		r.applyChange(e)
	case audit.KindCheckpoint:
		// What was promised holds, whatever the mirror's file had of it.
		r.place.Mark, r.place.ACL = max(r.place.Mark, e.Zxid), max(r.place.ACL, e.ACLZxid)
		r.place.Verified = max(r.place.Verified, e.VerifiedThrough)
	case audit.KindGap:
		if e.Reason != audit.GapHistoryRewritten && e.ZxidUntil != nil {
			r.place.LogFrom = max(r.place.LogFrom, *e.ZxidUntil)
		}
	}
}

func (r *Recorder) applyChange(e audit.Event) {
	switch e.Op {
	case audit.OpCreated:
		r.applyCreated(e)
	case audit.OpDeleted:
		r.Mirror.Delete(e.Path)
		if r.hinted(e) {
			delete(r.place.Orphans, e.Path)
		}
		r.countChild(e)
	case audit.OpDataChanged:
		r.applyData(e)
	case audit.OpACLChanged:
		entry, known := r.Mirror.Get(e.Path)
		if !known {
			return // A transaction log told of a znode that is not known.
		}
		if e.Aversion != nil {
			entry.Aversion = *e.Aversion
		}
		_, entry.ACL, entry.ACLMasked = split(e.After)
		r.Mirror.Put(e.Path, entry)
	case audit.OpChildrenChanged:
		if entry, ok := r.Mirror.Get(e.Path); ok {
			entry.Cversion += int32(e.Collapsed)
			r.Mirror.Put(e.Path, entry)
		}
	}
}

// hinted reports whether a source told of a birth or death that is recorded,
// and it was not found by comparison. With one-shot watches a notification may have led to one that was read: then the
// record of a birth has a bracket, and that of a death no version.
func (r *Recorder) hinted(e audit.Event) bool {
	switch {
	case e.Source == audit.OriginTxnlog:
		return true
	case e.Source != audit.OriginWatch:
		return false
	case r.place.Mode.Name != audit.ModeOneShot:
		return true
	case e.Op == audit.OpCreated:
		return e.Zxid != 0
	}
	return e.Version != nil
}

func (r *Recorder) applyCreated(e audit.Event) {
	entry := mirror.Entry{Czxid: e.Czxid, EphemeralOwner: e.EphemeralOwner, Occurrence: r.occurrence(e)}
	entry.Content, entry.ACL, entry.ACLMasked = split(e.After)
	if !r.hinted(e) {
		entry.Cversion = r.adopted(e.Path, e.Czxid) // Hints told of them before it was found.
	}
	delete(r.place.Orphans, e.Path)
	r.Mirror.Put(e.Path, entry)
	if r.countsChild(e) {
		r.countChild(e)
	}
}

func (r *Recorder) applyData(e audit.Event) {
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
}

// forgetHistory begins a new generation: nothing that was known about the
// ensemble holds any more.
func (r *Recorder) forgetHistory() {
	r.place.Generation++
	r.place.Mark, r.place.ACL, r.place.Widened, r.swept = 0, 0, 0, false
	r.place.Verified, r.place.Told, r.place.Read = 0, 0, 0
	r.place.Log, r.taken, r.place.LogFrom = mirror.Operation{}, mirror.Operation{}, 0
	r.place.Orphans, r.place.Ahead = nil, nil
	clear(r.place.Synced)
	clear(r.place.Unread)
	clear(r.owed)
	r.unreadable = newUnreadable()
	r.metrics.hidden(0)
	r.hidePartial()
	r.Mirror.Clear()
}
