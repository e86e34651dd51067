package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"zkwarden/audit"
)

const (
	// maxACL is how many entries of an ACL are recorded. A server takes as
	// many as fit into a request, some ten thousand.
	maxACL = 64
	// maxACLID is the longest id, in bytes, that is recorded as it is.
	maxACLID = 256

	// digestScheme is the one whose ids hold something to keep: a hash of user
	// and password that can be guessed at. ZooKeeper itself shows those of
	// every other scheme to whoever may read the znode.
	digestScheme = "digest"
	// serverMask is what a server puts in the place of the hash for clients
	// without ADMIN (FinalRequestProcessor.java).
	serverMask = ":x"
)

// ACL returns what rule allows to record of an ACL. Ids of the digest scheme
// become keyed digests of themselves, as Describe makes them of data, and so do
// ids above 256 bytes. Masked says that what was recorded is not the whole
// truth: the server showed "user:x" in place of an id, an id was too long, or
// there were more entries than the 64 that are kept. The argument is not
// changed.
func (p *Policy) ACL(_ Rule, entries []audit.ACL) (recorded []audit.ACL, masked bool) {
	if len(entries) > maxACL {
		entries, masked = entries[:maxACL], true
	}
	recorded = slices.Clone(entries)
	for i := range recorded {
		e := &recorded[i]
		tooLong := len(e.ID) > maxACLID
		if e.Scheme != digestScheme && !tooLong {
			continue
		}
		masked = masked || tooLong || maskedByServer(e.ID)
		e.ID = p.digest([]byte(e.ID))
	}
	return recorded, masked
}

// digested reports whether an entry may be one whose id ACL has replaced: some
// other id may be as long.
func digested(e audit.ACL) bool {
	return len(e.ID) == hex.EncodedLen(sha256.Size)
}

// maskedByServer reports whether id is "user:x". No hash is that short.
func maskedByServer(id string) bool {
	n := len(id) - len(serverMask)
	return n >= 0 && id[n:] == serverMask
}
