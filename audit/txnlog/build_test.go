package txnlog

import (
	"encoding/binary"
	"hash/adler32"
	"slices"
)

// builder writes jute.
type builder []byte

func (b builder) i32(v int32) builder { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func (b builder) i64(v int64) builder { return binary.BigEndian.AppendUint64(b, uint64(v)) }
func (b builder) str(s string) builder {
	return append(b.i32(int32(len(s))), s...)
}

func (b builder) bool(v bool) builder {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// world is the list of one ACL that lets everybody do everything.
func (b builder) world() builder { return b.i32(1).i32(31).str("world").str("anyone") }

// header begins a transaction of session 0x100000000000001.
func header(zxid int64, kind Type) builder {
	return builder{}.i64(0x100000000000001).i32(int32(zxid)).i64(zxid).i64(1_700_000_000_000 + zxid).i32(int32(kind))
}

// digest ends a transaction.
func (b builder) digest(sum int64) builder { return b.i32(2).i64(sum) }

func createTxn(zxid int64, path, data string) builder {
	return header(zxid, TypeCreate).str(path).str(data).world().bool(false).i32(1)
}

// logFile is a log file with the payloads as its records.
func logFile(payloads ...builder) []byte {
	file := []byte(builder(magicLog).i32(2).i64(0))
	for _, payload := range payloads {
		file = append(file, record(payload)...)
	}
	return file
}

func record(payload []byte) []byte {
	return append(append(builder{}.i64(int64(adler32.Checksum(payload))).i32(int32(len(payload))), payload...), endOfRec)
}

// padded appends n zeros.
func padded(file []byte, n int) []byte { return append(slices.Clone(file), make([]byte, n)...) }
