package audit

import "time"

// Schema is the value of every event's "schema" member. Members are only
// ever added under this name; a change of meaning gets a new one.
const Schema = "zkwarden/v1"

// Kind tells the four kinds of record in a journal apart.
type Kind string

// The kinds of records.
const (
	KindChange     Kind = "change"     // One change of one znode, or a count of changes that could not be told apart.
	KindGap        Kind = "gap"        // A stretch of zxids in which changes may have gone unseen.
	KindCheckpoint Kind = "checkpoint" // How far nothing else changed.
	KindControl    Kind = "control"    // What the auditor itself did: start, stop, baseline, resync.
)

// Op names what happened to a znode.
type Op string

// The operations of change records.
const (
	OpCreated         Op = "created"
	OpDataChanged     Op = "data_changed"
	OpACLChanged      Op = "acl_changed"
	OpDeleted         Op = "deleted"
	OpChildrenChanged Op = "children_changed" // Children whose names are lost; Collapsed counts them.
)

// Cause tells why a znode was deleted, as far as the source can know.
type Cause string

// The causes of a deletion.
const (
	CauseExplicit       Cause = "explicit"
	CauseSessionClosed  Cause = "session_closed"
	CauseSessionExpired Cause = "session_expired"
	CauseExpired        Cause = "expired" // Container and TTL znodes.
	CauseUnknown        Cause = "unknown" // Watches do not tell.
)

// Origin names how a change was found.
type Origin string

// The origins of change records.
const (
	OriginWatch  Origin = "watch"  // A notification.
	OriginResync Origin = "resync" // Comparing the tree with the mirror after a gap.
	OriginSweep  Origin = "sweep"  // The slow background comparison.
	OriginTxnlog Origin = "txnlog" // The server's transaction log.
)

// Control names what a control record reports.
type Control string

// The control records.
const (
	ControlStart    Control = "start"    // The auditor began; Chain names the journal, Roots what is watched.
	ControlStop     Control = "stop"     // The auditor ended in order.
	ControlBaseline Control = "baseline" // The first sync of a root: Count znodes as of Zxid, no created records.
	ControlResync   Control = "resync"   // A comparison after a gap ended: Count znodes compared as of Zxid.
	ControlRepair   Control = "repair"   // A torn last line was cut after a crash; Reason says how much.

	ControlPolicy    Control = "policy"    // Another policy or digest key came into force: Policy and DigestKey name them.
	ControlMode      Control = "mode"      // How the source observes from here on: Mode.
	ControlRetention Control = "retention" // Old segments were removed: Anchor is the last record that is gone.
)

// Event is one record of the journal, one JSON object a line. Members that
// are not known are absent. The journal fills Seq, ID where it is empty, Prev
// and the hash behind it.
type Event struct {
	Schema   string  `json:"schema"`
	Seq      uint64  `json:"seq"`
	ID       string  `json:"id"`
	Kind     Kind    `json:"kind"`
	Control  Control `json:"control,omitempty"`
	Ensemble string  `json:"ensemble"`
	Recorder string  `json:"recorder"`
	Source   Origin  `json:"source,omitempty"`
	Rule     string  `json:"rule,omitempty"`

	// Time is the leader's wall clock when it prepared the change; it is not
	// monotonic across leaders. Observed is the auditor's clock.
	Time     Millis `json:"time,omitzero"`
	Observed Millis `json:"observed"`

	// Zxid is set when the transaction is known exactly, else the change lies
	// after ZxidAfter and at or before ZxidUntil.
	Zxid      Zxid  `json:"zxid,omitzero"`
	ZxidAfter *Zxid `json:"zxid_after,omitempty"`
	ZxidUntil *Zxid `json:"zxid_until,omitempty"`

	Op    Op     `json:"op,omitempty"`
	Path  string `json:"path,omitempty"`
	Cause Cause  `json:"cause,omitempty"`

	// Index is the place of the change among all that its transaction made,
	// from zero. Only a transaction log tells it.
	Index int `json:"index,omitzero"`

	// Incarnation and counters after the change, or before it for a delete.
	Czxid          Zxid      `json:"czxid,omitzero"`
	Version        *int32    `json:"version,omitempty"`
	Aversion       *int32    `json:"aversion,omitempty"`
	EphemeralOwner SessionID `json:"ephemeral_owner,omitzero"`

	Before *Content `json:"before,omitempty"`
	After  *Content `json:"after,omitempty"`

	// Exact is present on change records. Collapsed counts changes that have
	// no record of their own beside the one that carries it.
	Exact     *bool  `json:"exact,omitempty"`
	Collapsed uint64 `json:"collapsed,omitempty"`
	Actor     *Actor `json:"actor,omitempty"`

	// Members of gap, checkpoint and control records.
	Reason     string   `json:"reason,omitempty"`
	Count      *uint64  `json:"count,omitempty"`
	Roots      []string `json:"roots,omitempty"`
	Chain      string   `json:"chain,omitempty"`
	Generation uint64   `json:"generation,omitempty"` // See Identity: in start, baseline and history_rewritten.
	Mode       string   `json:"mode,omitempty"`       // One of the Mode* names.
	Policy     string   `json:"policy,omitempty"`     // Fingerprint of the policy in force.
	DigestKey  string   `json:"digest_key,omitempty"` // Fingerprint of the key behind the digests from here on.
	Anchor     string   `json:"anchor,omitempty"`     // "<seq>:<hash>" of the last record that retention removed.

	// ACLZxid is a checkpoint's second watermark: no ACL changed unrecorded at
	// or before it. Unreadable counts the watched znodes whose ACL refuses the
	// auditor, and UnreadableRoots names the roots among them.
	ACLZxid         Zxid     `json:"acl_zxid,omitzero"`
	Unreadable      *uint64  `json:"unreadable,omitempty"`
	UnreadableRoots []string `json:"unreadable_roots,omitempty"`

	// VerifiedThrough is a checkpoint's third watermark: the operations of the
	// transaction log up to it add up to the digests of the server's tree.
	VerifiedThrough Zxid `json:"verified_through,omitzero"`

	Prev string `json:"prev"`
}

// Content describes the data and ACL of a znode at one moment, as far as the
// policy allows.
type Content struct {
	Size      *int   `json:"size,omitempty"`     // Bytes.
	Digest    string `json:"digest,omitempty"`   // Lowercase hex HMAC-SHA-256 under the auditor's digest key.
	Data      string `json:"data,omitempty"`     // See HasData.
	Encoding  string `json:"encoding,omitempty"` // EncodingUTF8, EncodingBase64 or EncodingNull; absent when Data was not recorded.
	ACL       []ACL  `json:"acl,omitempty"`
	ACLMasked bool   `json:"acl_masked,omitempty"`
	Truncated bool   `json:"truncated,omitempty"` // Data holds only the first part of Size bytes.
	Redaction string `json:"redaction,omitempty"` // What a redaction did to Data: RedactionMasked or RedactionWithheld.
}

// The encodings of Content.Data.
const (
	EncodingUTF8   = "utf-8"
	EncodingBase64 = "base64"
	EncodingNull   = "null" // The znode has no data at all, as told from data of zero bytes.
)

// The values of Content.Redaction.
const (
	RedactionMasked   = "masked"   // Something in the data was masked before they were cut.
	RedactionWithheld = "withheld" // They could not be read for that, so there are none.
)

// ACL is one entry of an access control list.
type ACL struct {
	Perms  string `json:"perms"` // A subset of "cdrwa" in that order, see [PermsOf].
	Scheme string `json:"scheme"`
	ID     string `json:"id"`
}

// PermsOf writes the bits of ZooKeeper's ZooDefs.Perms as letters.
func PermsOf(bits int32) string {
	perms := make([]byte, 0, 5)
	for _, p := range [...]struct {
		bit    int32
		letter byte
	}{{4, 'c'}, {8, 'd'}, {1, 'r'}, {2, 'w'}, {16, 'a'}} {
		if bits&p.bit != 0 {
			perms = append(perms, p.letter)
		}
	}
	return string(perms)
}

// Actor says who made a change, and how sure that is.
type Actor struct {
	Session    SessionID `json:"session,omitzero"`
	Client     string    `json:"client,omitempty"` // The address, as host:port, that the session's client connected from.
	Confidence string    `json:"confidence"`       // One of the Confidence* grades.
}

// The grades of an [Actor]. They are about its host; where the client came back
// from the same one, the port can be that of its connection before.
const (
	ConfidenceExact   = "exact"   // A server listed the session's connection from there around the change, or shortly before it and nothing from elsewhere.
	ConfidenceLikely  = "likely"  // A server listed the session's connection from there, but at another time, or others from elsewhere.
	ConfidenceUnknown = "unknown" // No server was seen with a connection of the session.
)

// Millis is an instant with millisecond resolution, written as RFC 3339 in UTC
// with exactly three digits of fraction. The zero value is an unknown instant.
type Millis struct{ t time.Time }

const millisLayout = "2006-01-02T15:04:05.000Z07:00"

// AtTime cuts t to milliseconds.
func AtTime(t time.Time) Millis { return Millis{t.UTC().Truncate(time.Millisecond)} }

// AtUnixMilli converts ZooKeeper's ctime, mtime and transaction times, which
// count milliseconds since 1970. An instant that RFC 3339 has no text for is
// unknown: a server may send any number.
func AtUnixMilli(ms int64) Millis {
	t := time.UnixMilli(ms).UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return Millis{}
	}
	return Millis{t}
}

// Time returns the instant, or the zero time when it is unknown.
func (m Millis) Time() time.Time { return m.t }

// IsZero reports whether the instant is unknown.
func (m Millis) IsZero() bool { return m.t.IsZero() }

// MarshalText formats the instant.
func (m Millis) MarshalText() ([]byte, error) {
	return m.t.UTC().AppendFormat(make([]byte, 0, len(millisLayout)), millisLayout), nil
}

// UnmarshalText parses what MarshalText writes.
func (m *Millis) UnmarshalText(text []byte) error {
	t, err := time.Parse(millisLayout, string(text))
	if err != nil {
		return err
	}
	m.t = t.UTC()
	return nil
}
