package mirror

import (
	"encoding/binary"
	"encoding/hex"

	"zkwarden/audit"
)

// Entry is the last known state of one znode. Czxid is zero when the
// incarnation is unknown; Content is nil when the data are unknown. Cversion
// counts the recorded creates and deletes of children on top of the count
// that the first sync read.
type Entry struct {
	Czxid                       audit.Zxid
	Version, Cversion, Aversion int32
	EphemeralOwner              audit.SessionID
	Content                     *audit.Content
}

// Flags of an encoded entry.
const (
	flagContent = 1 << iota
	flagDigest  // 32 raw bytes instead of hexadecimal text.
	flagUTF8
	flagBase64
	flagNull
	flagTruncated
)

func encode(e Entry) []byte {
	var flags byte
	var digest []byte
	if c := e.Content; c != nil {
		flags |= flagContent | encodingFlag(c.Encoding)
		if raw, err := hex.DecodeString(c.Digest); err == nil && len(raw) == 32 {
			digest, flags = raw, flags|flagDigest
		}
		if c.Truncated {
			flags |= flagTruncated
		}
	}
	buf := append(make([]byte, 0, 96), flags)
	buf = binary.AppendUvarint(buf, uint64(e.Czxid))
	for _, counter := range []int32{e.Version, e.Cversion, e.Aversion} {
		buf = binary.AppendVarint(buf, int64(counter))
	}
	buf = binary.AppendUvarint(buf, uint64(e.EphemeralOwner))
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

// decode reads what encode wrote. An entry that is cut short decodes to as much
// as it holds: whatever is wrong in a mirror, the next resync finds.
func decode(text []byte) Entry {
	if len(text) == 0 {
		return Entry{}
	}
	flags := text[0]
	d := varints{text[1:]}
	e := Entry{
		Czxid:          audit.Zxid(d.unsigned()),
		Version:        int32(d.signed()),
		Cversion:       int32(d.signed()),
		Aversion:       int32(d.signed()),
		EphemeralOwner: audit.SessionID(d.unsigned()),
	}
	if flags&flagContent == 0 {
		return e
	}
	size := int(d.unsigned())
	e.Content = &audit.Content{Size: &size, Encoding: encodingOf(flags), Truncated: flags&flagTruncated != 0}
	if flags&flagDigest != 0 && len(d.rest) >= 32 {
		e.Content.Digest = hex.EncodeToString(d.rest[:32])
		d.rest = d.rest[32:]
	}
	e.Content.Data = string(d.rest)
	return e
}

type varints struct{ rest []byte }

func (d *varints) unsigned() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.rest = d.rest[max(n, 0):]
	return v
}

func (d *varints) signed() int64 {
	v, n := binary.Varint(d.rest)
	d.rest = d.rest[max(n, 0):]
	return v
}

func encodingFlag(encoding string) byte {
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

func encodingOf(flags byte) string {
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
