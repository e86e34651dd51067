package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Credential is what a session presents to be allowed to read, as addauth
// does. It never appears in a message: its String is the scheme alone.
type Credential struct {
	Scheme string // For example "digest".
	Auth   []byte // For digest "user:password".
}

// String returns the scheme and hides the rest.
func (c Credential) String() string { return c.Scheme + ":..." }

// GoString hides the secret from %#v, too.
func (c Credential) GoString() string { return c.String() }

// ErrCredentialsRefused means that the server does not accept what
// --zookeeper.auth-file says: it does not know the scheme, or the scheme's
// plugin says no. It closes the connection then.
var ErrCredentialsRefused = errors.New("server refuses the credentials")

// ErrAuthDemanded means that the server closes sessions that did not
// authenticate as it demands: with sessionRequireClientSASLAuth (ZooKeeper 3.6
// and newer) it takes SASL alone, with enforce.auth.enabled (3.7 and newer)
// what enforce.auth.schemes lists. It answers every request of others, pings
// among them, with the code -124 and hangs up (AuthenticationHelper.java).
var ErrAuthDemanded = errors.New("server closes sessions that do not authenticate as it demands, and SASL is not spoken here: " +
	"where enforce.auth.schemes lists digest or x509, --zookeeper.auth-file or a client certificate will do; where it takes SASL alone nothing can be watched, and zkwarden txnlog tells from its transaction logs what happened")

// xidAuth is the reserved xid of credentials and of the answer to them.
const xidAuth = -4

// authFrames are the requests that present credentials. The server handles
// them in their order, and before whatever follows them.
func authFrames(credentials []Credential) []byte {
	var frames []byte
	for _, c := range credentials {
		start := len(frames)
		frames = append(frames, 0, 0, 0, 0)
		frames = binary.BigEndian.AppendUint32(frames, 1<<32+xidAuth)
		frames = binary.BigEndian.AppendUint32(frames, opAuth)
		frames = binary.BigEndian.AppendUint32(frames, 0) // A type that nobody reads.
		for _, field := range [][]byte{[]byte(c.Scheme), c.Auth} {
			frames = binary.BigEndian.AppendUint32(frames, uint32(len(field)))
			frames = append(frames, field...)
		}
		binary.BigEndian.PutUint32(frames[start:], uint32(len(frames)-start-4))
	}
	return frames
}

// authAnswer returns why an answer to credentials is a refusal.
func authAnswer(code int32) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%w: code %d", ErrCredentialsRefused, code)
}
