package watch

import (
	"encoding/binary"

	"zkwarden/audit"
)

// jute writes what a server sends.
type jute []byte

func (b jute) int32(v int32) jute { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func (b jute) int64(v int64) jute { return binary.BigEndian.AppendUint64(b, uint64(v)) }
func (b jute) text(s string) jute { return append(b.int32(int32(len(s))), s...) }

func (b jute) stat(s audit.Stat) jute {
	return b.int64(int64(s.Czxid)).int64(int64(s.Mzxid)).int64(s.Ctime).int64(s.Mtime).
		int32(s.Version).int32(s.Cversion).int32(s.Aversion).int64(int64(s.EphemeralOwner)).
		int32(s.DataLength).int32(s.NumChildren).int64(int64(s.Pzxid))
}

// framed puts the length before a body.
func framed(body jute) []byte { return append(jute(nil).int32(int32(len(body))), body...) }

func header(xid int32, zxid int64, code int32) jute {
	return jute(nil).int32(xid).int64(zxid).int32(code)
}

func notification(zxid int64, event int32, path string) jute {
	return header(xidNotification, zxid, 0).int32(event).int32(3).text(path)
}

// connected is the body of a connect response.
func connected(timeout int32, session int64) jute {
	return jute(nil).int32(0).int32(timeout).int64(session).text("0123456789abcdef")
}

// request is the body of a request that begins with a path.
func requestBody(xid, op int32, path string, rest ...byte) jute {
	return append(jute(nil).int32(xid).int32(op).text(path), rest...)
}

var someStat = audit.Stat{
	Czxid: 0x100000002, Mzxid: 0x100000003, Pzxid: 0x100000004, Ctime: 1, Mtime: 2,
	Version: 3, Cversion: 4, Aversion: 5, EphemeralOwner: 0x8000000000000006, DataLength: 7, NumChildren: 8,
}
