package audit

import (
	"fmt"
	"strconv"
	"strings"
)

// Zxid is a ZooKeeper transaction id: the epoch of the leader in the high 32
// bits and a counter within that epoch in the low 32. Zero means that no
// transaction is known; only the root znode of an empty tree has it.
type Zxid uint64

// Epoch returns the leader epoch, the high 32 bits.
func (z Zxid) Epoch() uint32 { return uint32(z >> 32) }

// Counter returns the number of the transaction within its epoch.
func (z Zxid) Counter() uint32 { return uint32(z) }

// String formats the zxid as ZooKeeper's own tools do, in hexadecimal with 0x.
func (z Zxid) String() string { return "0x" + strconv.FormatUint(uint64(z), 16) }

// MarshalText makes a zxid a "0x" string in JSON: JSON numbers lose bits above 2^53.
func (z Zxid) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// UnmarshalText accepts what MarshalText writes.
func (z *Zxid) UnmarshalText(text []byte) error {
	v, err := parseHex(string(text))
	if err != nil {
		return fmt.Errorf("parse zxid %q: %w", text, err)
	}
	*z = Zxid(v)
	return nil
}

// SessionID is a ZooKeeper session id. The high byte names the server that
// created the session. It is a secret of sorts: with the session's password
// it is the session, so it never becomes a metric label.
type SessionID uint64

// String formats the session id in hexadecimal with 0x, unsigned.
func (s SessionID) String() string { return "0x" + strconv.FormatUint(uint64(s), 16) }

// MarshalText makes a session id a "0x" string in JSON.
func (s SessionID) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts what MarshalText writes.
func (s *SessionID) UnmarshalText(text []byte) error {
	v, err := parseHex(string(text))
	if err != nil {
		return fmt.Errorf("parse session id %q: %w", text, err)
	}
	*s = SessionID(v)
	return nil
}

func parseHex(s string) (uint64, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok {
		return 0, fmt.Errorf("0x prefix is missing")
	}
	return strconv.ParseUint(digits, 16, 64)
}
