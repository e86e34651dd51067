package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// Identity is what makes a change the same change, whichever replica, source
// or run recorded it.
type Identity struct {
	Ensemble   string
	Generation uint64 // Counts rewritten histories of one ensemble name: wipes and restores.
	Path       string
	Czxid      Zxid // The incarnation that changed.
	Op         Op

	// Counter is the counter that the operation moved, after the change:
	// version for data, aversion for ACLs, cversion for children. An
	// incarnation is created and deleted once, so there it is zero.
	Counter int64

	// Occurrence tells apart lives that share all of the above: 0 for the first,
	// then 1, 2, ... Only a multi that creates and deletes one path more than
	// once makes them, as all its creates have the same czxid. Whatever happens
	// to such a znode has the occurrence of its creation.
	Occurrence int
}

// ID returns the first 32 hex digits of the SHA-256 over the members in the
// order of their declaration, each as text (numbers decimal, the czxid as its
// String), separated by NUL.
func (i Identity) ID() string {
	return hashID(i.Ensemble, strconv.FormatUint(i.Generation, 10), i.Path, i.Czxid.String(),
		string(i.Op), strconv.FormatInt(i.Counter, 10), strconv.Itoa(i.Occurrence))
}

// SeqID is the id of a record whose incarnation is unknown, and of records
// that are not changes: the journal's chain id and the record's place in it
// stand where the incarnation would. It is unique but not reproducible.
func (e *Event) SeqID(chain string) string {
	return hashID(e.Ensemble, "0", e.Path, chain+"/"+strconv.FormatUint(e.Seq, 10), string(e.Op), "0", "0")
}

func hashID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
