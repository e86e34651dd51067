package mirror

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"zkwarden/audit"
)

// Entry is the last known state of one znode. Czxid is zero when the
// incarnation is unknown; Content is nil when the data are unknown, and has no
// ACL, which stands beside it: nil when it is unknown. Cversion counts the
// recorded creates and deletes of children on top of the count that the first
// sync read.
//
// Of a Way nothing is recorded: it leads to znodes that are, and has neither
// Content nor ACL. Its counters are those of the last look.
type Entry struct {
	Way                         bool
	Czxid                       audit.Zxid
	Version, Cversion, Aversion int32
	EphemeralOwner              audit.SessionID
	Content                     *audit.Content
	ACL                         []audit.ACL
	ACLMasked                   bool
	Occurrence                  int // Of its creation: see audit.Identity. Almost always zero.
}

// Flags of an encoded entry.
const (
	flagContent = 1 << iota
	flagDigest  // 32 raw bytes instead of hexadecimal text.
	flagUTF8
	flagBase64
	flagNull
	flagTruncated
	flagACL
	flagACLMasked
	flagOccurrence
	flagMasked
	flagWithheld
	flagWay
)

// perms are the letters of audit.ACL.Perms, each a bit of its encoding.
const perms = "cdrwa"

func encode(e Entry) []byte {
	var flags uint64
	var digest []byte
	if c := e.Content; c != nil {
		flags |= flagContent | encodingFlag(c.Encoding) | redactionFlag(c.Redaction)
		if raw, err := hex.DecodeString(c.Digest); err == nil && len(raw) == 32 {
			digest, flags = raw, flags|flagDigest
		}
		if c.Truncated {
			flags |= flagTruncated
		}
	}
	if e.ACL != nil {
		flags |= flagACL
		if e.ACLMasked {
			flags |= flagACLMasked
		}
	}
	if e.Occurrence != 0 {
		flags |= flagOccurrence
	}
	if e.Way {
		flags |= flagWay
	}
	buf := binary.AppendUvarint(make([]byte, 0, 96), flags)
	buf = binary.AppendUvarint(buf, uint64(e.Czxid))
	for _, counter := range []int32{e.Version, e.Cversion, e.Aversion} {
		buf = binary.AppendVarint(buf, int64(counter))
	}
	buf = binary.AppendUvarint(buf, uint64(e.EphemeralOwner))
	if e.Occurrence != 0 {
		buf = binary.AppendUvarint(buf, uint64(e.Occurrence))
	}
	if e.ACL != nil {
		buf = appendACL(buf, e.ACL)
	}
	if e.Content == nil {
		return buf
	}
	size := 0
	if e.Content.Size != nil {
		size = *e.Content.Size
	}
	buf = binary.AppendUvarint(buf, uint64(size))
	buf = append(buf, digest...)
	return append(buf, e.Content.Data...)
}

func appendACL(buf []byte, acl []audit.ACL) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(acl)))
	for _, entry := range acl {
		var bits byte
		for i := range perms {
			if strings.IndexByte(entry.Perms, perms[i]) >= 0 {
				bits |= 1 << i
			}
		}
		buf = append(buf, bits)
		for _, text := range []string{entry.Scheme, entry.ID} {
			buf = binary.AppendUvarint(buf, uint64(len(text)))
			buf = append(buf, text...)
		}
	}
	return buf
}

// decode reads what encode wrote. An entry that is cut short decodes to as much
// as it holds: whatever is wrong in a mirror, the next resync finds.
func decode(text []byte) Entry {
	d := fields{text}
	flags, stat := d.stat()
	e := Entry{
		Czxid: stat.Czxid, Version: stat.Version, Cversion: stat.Cversion, Aversion: stat.Aversion,
		EphemeralOwner: stat.EphemeralOwner, Way: flags&flagWay != 0,
	}
	if flags&flagOccurrence != 0 {
		e.Occurrence = int(d.unsigned())
	}
	if flags&flagACL != 0 {
		e.ACL, e.ACLMasked = d.acl(), flags&flagACLMasked != 0
	}
	if flags&flagContent == 0 {
		return e
	}
	size := int(d.unsigned())
	e.Content = &audit.Content{Size: &size, Encoding: encodingOf(flags), Truncated: flags&flagTruncated != 0, Redaction: redactionOf(flags)}
	if flags&flagDigest != 0 && len(d.rest) >= 32 {
		e.Content.Digest = hex.EncodeToString(d.rest[:32])
		d.rest = d.rest[32:]
	}
	e.Content.Data = string(d.rest)
	return e
}

func decodeStat(text []byte) audit.Stat {
	d := fields{text}
	_, stat := d.stat()
	return stat
}

// counts is how many watched znodes the entry is.
func (e *Entry) counts() int64 {
	if e.Way {
		return 0
	}
	return 1
}

func (e *Entry) stat() audit.Stat {
	return audit.Stat{
		Czxid: e.Czxid, Version: e.Version, Cversion: e.Cversion, Aversion: e.Aversion,
		EphemeralOwner: e.EphemeralOwner,
	}
}

// fields are what is left of an encoded entry.
type fields struct{ rest []byte }

func (d *fields) stat() (flags uint64, stat audit.Stat) {
	flags = d.unsigned()
	return flags, audit.Stat{
		Czxid:          audit.Zxid(d.unsigned()),
		Version:        int32(d.signed()),
		Cversion:       int32(d.signed()),
		Aversion:       int32(d.signed()),
		EphemeralOwner: audit.SessionID(d.unsigned()),
	}
}

func (d *fields) unsigned() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.rest = d.rest[max(n, 0):]
	return v
}

func (d *fields) signed() int64 {
	v, n := binary.Varint(d.rest)
	d.rest = d.rest[max(n, 0):]
	return v
}

func (d *fields) text() string {
	n := min(d.unsigned(), uint64(len(d.rest)))
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}

func (d *fields) acl() []audit.ACL {
	acl := []audit.ACL{}
	for range d.unsigned() {
		if len(d.rest) == 0 {
			break
		}
		bits := d.rest[0]
		d.rest = d.rest[1:]
		var letters []byte
		for i := range perms {
			if bits&(1<<i) != 0 {
				letters = append(letters, perms[i])
			}
		}
		acl = append(acl, audit.ACL{Perms: string(letters), Scheme: d.text(), ID: d.text()})
	}
	return acl
}

func encodingFlag(encoding string) uint64 {
	switch encoding {
	case audit.EncodingUTF8:
		return flagUTF8
	case audit.EncodingBase64:
		return flagBase64
	case audit.EncodingNull:
		return flagNull
	}
	return 0
}

func encodingOf(flags uint64) string {
	switch {
	case flags&flagUTF8 != 0:
		return audit.EncodingUTF8
	case flags&flagBase64 != 0:
		return audit.EncodingBase64
	case flags&flagNull != 0:
		return audit.EncodingNull
	}
	return ""
}

func redactionFlag(redaction string) uint64 {
	switch redaction {
	case audit.RedactionMasked:
		return flagMasked
	case audit.RedactionWithheld:
		return flagWithheld
	}
	return 0
}

func redactionOf(flags uint64) string {
	switch {
	case flags&flagMasked != 0:
		return audit.RedactionMasked
	case flags&flagWithheld != 0:
		return audit.RedactionWithheld
	}
	return ""
}
