package watch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"zkwarden/audit"
)

// Operation codes of requests (ZooDefs.OpCode).
const (
	opExists       = 3
	opGetData      = 4
	opGetACL       = 6
	opSync         = 9
	opGetChildren2 = 12
	opCheckWatches = 17 // ZooKeeper 3.5+.
	opAuth         = 100
	opSetWatches   = 101
	opAddWatch     = 106 // ZooKeeper 3.6+.
	opCloseSession = -11
)

// Reserved xids (ClientCnxn). Those of frames that answer no request of the
// client library are negative.
const (
	xidNotification = -1
	xidPing         = -2
	xidSetWatches   = -8
)

// Types of notifications (Watcher.Event.EventType).
const (
	eventCreated     = 1
	eventDeleted     = 2
	eventDataChanged = 3

	eventChildrenChanged = 4
)

// Error codes of replies (KeeperException.Code).
const (
	errMarshalling   = -5 // addWatch on a server with the optimized watch manager.
	errUnimplemented = -6 // addWatch before ZooKeeper 3.6.
	errNoNode        = -101
	errNoWatcher     = -121 // checkWatches (ZooKeeper 3.5+).
	errAuthDemanded  = -124 // Any request of a session that did not authenticate as demanded (3.6+).
	errNoAuth        = -102
)

var errShort = errors.New("frame ends within a field")

// decoder reads ZooKeeper's jute encoding, big-endian. The first error sticks.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.rest) {
		if d.err == nil {
			d.err = errShort
		}
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) int32() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// buffer returns nil for the length -1, jute's null, and borrows from the
// frame otherwise.
func (d *decoder) buffer() []byte {
	n := d.int32()
	if n == -1 || d.err != nil {
		return nil
	}
	if b := d.take(int(n)); b != nil {
		return b
	}
	return []byte{}
}

func (d *decoder) string() string { return string(d.buffer()) }

func (d *decoder) strings() []string {
	n := int(d.int32())
	// A name takes five bytes at least, which bounds what is allocated. The
	// client library would take a negative count for four billion.
	if n < 0 || n > len(d.rest)/5 {
		d.err = errShort
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, d.string())
	}
	return list
}

// acl reads entries of three fields each, twelve bytes at least.
func (d *decoder) acl() []audit.ACL {
	n := int(d.int32())
	if n < 0 || n > len(d.rest)/12 {
		d.err = errShort
		return nil
	}
	entries := make([]audit.ACL, 0, n)
	for range n {
		perms := audit.PermsOf(d.int32())
		entries = append(entries, audit.ACL{Perms: perms, Scheme: d.string(), ID: d.string()})
	}
	return entries
}

func (d *decoder) stat() audit.Stat {
	return audit.Stat{
		Czxid:          audit.Zxid(d.int64()),
		Mzxid:          audit.Zxid(d.int64()),
		Ctime:          d.int64(),
		Mtime:          d.int64(),
		Version:        d.int32(),
		Cversion:       d.int32(),
		Aversion:       d.int32(),
		EphemeralOwner: audit.SessionID(d.int64()),
		DataLength:     d.int32(),
		NumChildren:    d.int32(),
		Pzxid:          audit.Zxid(d.int64()),
	}
}

// request is what the tap remembers of a request until its reply arrives.
type request struct {
	op   int32
	path string
}

// frame is one message of the server, decoded.
type frame struct {
	xid  int32
	zxid audit.Zxid // Last applied, or the change's own in a notification; zero when unknown.
	code int32      // Error code of a reply.
	request
	event    int32 // Of a notification; its path is in request.
	node     *audit.Znode
	children []string
}

// size is what the frame holds on to, in bytes, roughly.
func (f *frame) size() int {
	size := len(f.path)
	if f.node != nil {
		size += len(f.node.Data) + sizeOf(f.node.ACL)
	}
	for _, name := range f.children {
		size += len(name)
	}
	return size
}

func sizeOf(acl []audit.ACL) int {
	size := 0
	for _, entry := range acl {
		size += len(entry.Perms) + len(entry.Scheme) + len(entry.ID)
	}
	return size
}

// decodeFrame decodes the body of a frame; find returns the request that a
// reply answers.
func decodeFrame(body []byte, find func(xid int32) request) (frame, error) {
	d := decoder{rest: body}
	f := frame{xid: d.int32()}
	if zxid := d.int64(); zxid > 0 {
		f.zxid = audit.Zxid(zxid)
	}
	f.code = d.int32()
	switch {
	case f.xid == xidNotification:
		f.event = d.int32()
		_ = d.int32() // The state of the session, always connected.
		f.path = d.string()
	case f.xid >= 0 && d.err == nil:
		f.request = find(f.xid)
		if f.code == 0 {
			d.result(&f)
		}
	}
	if d.err != nil {
		return frame{}, fmt.Errorf("decode frame of %d bytes: %w", len(body), d.err)
	}
	return f, nil
}

func (d *decoder) result(f *frame) {
	switch f.op {
	case opGetData:
		f.node = &audit.Znode{Data: d.buffer()}
		f.node.Stat = d.stat()
	case opGetACL:
		f.node = &audit.Znode{ACL: d.acl()}
		f.node.Stat = d.stat()
	case opExists:
		f.node = &audit.Znode{Stat: d.stat(), Bare: true}
	case opGetChildren2:
		f.children = d.strings()
		f.node = &audit.Znode{Stat: d.stat(), Bare: true}
	case opSync:
		_ = d.string()
	case opAddWatch:
		_ = d.int32()
	}
}
