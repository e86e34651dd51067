package guarantee

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"zkwarden/audit"
)

// Check returns every way in which the records break a guarantee. They are
// those of one generation: everything up to a history_rewritten gap is judged
// against the truth of the time before.
func Check(records []audit.Event, truth Truth) []error {
	m := newMatch(records, truth)
	m.accounted()
	m.balanced()
	m.ordered()
	m.unique()
	m.honest()
	m.progress()
	m.logged()
	m.verified()
	return m.foul
}

// ordered: records with a zxid stand in commit order, and operations of one
// transaction in theirs.
func (m *match) ordered() {
	var last audit.Event
	for _, e := range m.records {
		if e.Kind != audit.KindChange || e.Zxid == 0 {
			continue
		}
		if e.Zxid < last.Zxid {
			m.violate(ErrOrdered, "%s follows record %d with %s", describe(e), last.Seq, last.Zxid)
		}
		before, ok1 := m.of[last.Seq]
		own, ok2 := m.of[e.Seq]
		if e.Zxid == last.Zxid && ok1 && ok2 && own < before && m.truth.Changes[own].Ordered {
			m.violate(ErrOrdered, "%s follows record %d, which came later in the same transaction", describe(e), last.Seq)
		}
		last = e
	}
}

// unique: every record that knows incarnation and counter has the id that
// follows from the change, and no id stands twice.
func (m *match) unique() {
	first := map[string]uint64{}
	for _, e := range m.records {
		if seq, twice := first[e.ID]; twice {
			m.violate(ErrUnique, "records %d and %d have the id %s", seq, e.Seq, e.ID)
		}
		first[e.ID] = e.Seq
	}
	witnessed := map[incarnation]bool{}
	for _, e := range m.records {
		i, ok := m.of[e.Seq]
		if !ok || e.Czxid == 0 || counterOf(e) == nil {
			continue
		}
		c := m.truth.Changes[i]
		if e.Op == audit.OpCreated && e.Zxid != 0 {
			witnessed[c.incarnation()] = true
		}
		want := m.id(c)
		// Who did not see the transaction cannot know that it created the path
		// more than once.
		if e.ID != want && (c.Birth == 0 || witnessed[c.incarnation()]) {
			m.violate(ErrUnique, "%s has the id %s, want %s", describe(e), e.ID, want)
		}
	}
}

// honest: what a record says is so, and it says that it is exact only when
// nothing is missing.
func (m *match) honest() {
	for _, e := range m.records {
		i, ok := m.of[e.Seq]
		if !ok {
			continue
		}
		c := m.truth.Changes[i]
		exact := e.Exact != nil && *e.Exact
		if exact && (e.Zxid == 0 || e.Collapsed > 0 || e.Czxid != c.Czxid) {
			m.violate(ErrHonest, "%s says that it is exact", describe(e))
		}
		if e.Actor != nil && c.Session != 0 && e.Actor.Session != c.Session {
			m.violate(ErrHonest, "%s is said to be of session %s, want %s", describe(e), e.Actor.Session, c.Session)
		}
		if e.EphemeralOwner != 0 && e.EphemeralOwner != c.Owner {
			m.violate(ErrHonest, "%s has the owner %s, want %s", describe(e), e.EphemeralOwner, c.Owner)
		}
		if e.Version != nil && e.Op == audit.OpDeleted && *e.Version != c.Version {
			m.violate(ErrHonest, "%s has version %d, want %d", describe(e), *e.Version, c.Version)
		}
		if e.Aversion != nil && *e.Aversion != c.Aversion && (e.Op == audit.OpDeleted || *e.Aversion < c.Aversion) {
			m.violate(ErrHonest, "%s has aversion %d, want %d", describe(e), *e.Aversion, c.Aversion)
		}
		m.honestContent(e, c, exact)
	}
}

func (m *match) honestContent(e audit.Event, c Change, exact bool) {
	if c.Op != audit.OpCreated && c.Op != audit.OpDataChanged {
		return
	}
	switch {
	case e.After == nil || e.After.Size == nil: // An ACL may be known without the data.
		if exact {
			m.violate(ErrHonest, "%s has no content and says that it is exact", describe(e))
		}
	case !holds(*e.After, c.Data):
		m.violate(ErrHonest, "%s has the content %.40q of %d bytes, want %.40q", describe(e), e.After.Data, *e.After.Size, c.Data)
	}
}

// holds reports whether content tells of data.
func holds(content audit.Content, data []byte) bool {
	if *content.Size != len(data) {
		return false
	}
	text := []byte(content.Data)
	switch content.Encoding {
	case "":
		return true // The policy allows no data.
	case audit.EncodingNull:
		return data == nil
	case audit.EncodingBase64:
		var err error
		if text, err = base64.StdEncoding.DecodeString(content.Data); err != nil {
			return false
		}
	}
	if content.Truncated {
		return len(text) < len(data) && bytes.HasPrefix(data, text)
	}
	return data != nil && bytes.Equal(text, data)
}

// progress: behind a checkpoint stands nothing that happened before it, and
// what happened before it is accounted for by then.
func (m *match) progress() {
	var zxid, acl audit.Zxid
	for _, e := range m.records {
		if e.Kind == audit.KindCheckpoint {
			if e.Zxid < zxid || e.ACLZxid < acl {
				m.violate(ErrProgress, "record %d promises less than the checkpoint before it", e.Seq)
			}
			zxid, acl = e.Zxid, max(acl, e.ACLZxid)
			continue
		}
		i, ok := m.of[e.Seq]
		if !ok {
			continue
		}
		promised := zxid
		if e.Op == audit.OpACLChanged {
			promised = acl
		}
		if c := m.truth.Changes[i]; c.Zxid <= promised {
			m.violate(ErrProgress, "%s stands behind a checkpoint of %s", describe(e), promised)
		}
	}
}

// Resumable returns what is wrong with a journal, given lines that were seen
// before the auditor was killed: on stdout, or durable in the journal itself.
// Each has to be there still, byte for byte.
func Resumable(seen, journal []string) []error {
	var foul []error
	there := make(map[string]bool, len(journal))
	for _, line := range journal {
		there[line] = true
	}
	for _, line := range seen {
		if !there[line] {
			foul = append(foul, fmt.Errorf("%w: %.120s", ErrResumable, line))
		}
	}
	return foul
}
