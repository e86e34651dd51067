package txnlog

// The least bytes that an element of a vector can take.
const (
	minACL = 4 + 4 + 4 // Perms and two lengths.
	minSub = 4 + 4     // Type and length.
	minStr = 4         // Length.
)

// digestSize is an int32 and an int64 behind the record.
const digestSize = 4 + 8

// keepOps, keepACLs and keepPaths bound how much of a huge transaction's
// memory is kept for the next one.
const (
	keepOps   = 1 << 10
	keepACLs  = 1 << 12
	keepPaths = 1 << 16
)

// txnDecoder decodes payloads into one Txn, over and over, without allocating
// once its vectors have grown.
type txnDecoder struct {
	decoder
	txn   Txn
	acls  []ACL
	paths [][]byte
}

// decode decodes the payload of one record of the log.
func (d *txnDecoder) decode(payload []byte) (*Txn, error) {
	d.decoder = decoder{rest: payload}
	d.acls, d.paths = reuse(d.acls, keepACLs), reuse(d.paths, keepPaths)
	d.txn = Txn{Ops: reuse(d.txn.Ops, keepOps)}
	d.txn.Header = Header{
		Session: d.uint64(),
		Cxid:    d.int32(),
		Zxid:    d.uint64(),
		Time:    d.int64(),
		Type:    Type(d.int32()),
	}
	if d.txn.Type == TypeMulti {
		d.multi()
	} else {
		d.txn.Ops = append(d.txn.Ops, d.op(d.txn.Type))
	}
	if len(d.rest) == digestSize && d.txn.Type != TypeError {
		d.txn.Digest = Digest{Version: d.int32(), Sum: d.uint64()}
		d.txn.HasDigest = true
	}
	if len(d.rest) > 0 {
		d.fail("%v: %d bytes too many", d.txn.Type, len(d.rest))
	}
	return &d.txn, d.err
}

// reuse empties a vector, and gives up one that is larger than keep.
func reuse[E any](vector []E, keep int) []E {
	if cap(vector) > keep {
		return nil
	}
	return vector[:0]
}

func (d *txnDecoder) multi() {
	for range d.count(minSub) {
		kind, data := Type(d.int32()), d.buffer()
		switch kind {
		case TypeMulti, TypeReconfig, TypeCreateSession, TypeCloseSession:
			d.fail("%v within a multi", kind)
		}
		if d.err != nil {
			return
		}
		rest := d.rest
		d.rest = data
		op := d.op(kind)
		if len(d.rest) > 0 {
			d.fail("%v within a multi: %d bytes too many", kind, len(d.rest))
		}
		if d.err != nil {
			return
		}
		d.rest = rest
		d.txn.Ops = append(d.txn.Ops, op)
	}
}

// op decodes the record of one operation (SerializeUtils.deserializeTxn).
func (d *txnDecoder) op(kind Type) Op {
	op := Op{Type: kind}
	switch kind {
	case TypeCreate, TypeCreate2:
		op.Path, op.Data, op.ACL = d.buffer(), d.buffer(), d.acl()
		op.Ephemeral = d.bool()
		if op.ParentCversion = -1; len(d.rest) > 0 {
			op.ParentCversion = d.int32()
		}
	case TypeCreateContainer:
		op.Path, op.Data, op.ACL, op.ParentCversion = d.buffer(), d.buffer(), d.acl(), d.int32()
	case TypeCreateTTL:
		op.Path, op.Data, op.ACL, op.ParentCversion = d.buffer(), d.buffer(), d.acl(), d.int32()
		op.TTL = d.int64()
	case TypeDelete, TypeDeleteContainer:
		op.Path = d.buffer()
	case TypeSetData, TypeReconfig:
		op.Path, op.Data, op.Version = d.buffer(), d.buffer(), d.int32()
	case TypeSetACL:
		op.Path, op.ACL, op.Version = d.buffer(), d.acl(), d.int32()
	case TypeCheck:
		if d.txn.Type != TypeMulti {
			d.fail("check outside a multi")
		}
		op.Path, op.Version = d.buffer(), d.int32()
	case TypeError:
		op.Code = d.int32()
	case TypeCreateSession:
		op.Timeout = d.int32()
	case TypeCloseSession:
		op.Paths, op.HasPaths = d.closed()
	default:
		d.unknown(kind)
	}
	return op
}

func (d *txnDecoder) unknown(kind Type) {
	if d.err == nil {
		d.fail("%w %d", errUnknownType, int32(kind))
	}
}

func (d *txnDecoder) acl() []ACL {
	first := len(d.acls)
	for range d.count(minACL) {
		d.acls = append(d.acls, ACL{Perms: d.int32(), Scheme: d.buffer(), ID: d.buffer()})
	}
	return d.acls[first:len(d.acls):len(d.acls)]
}

// closed decodes the record of a closeSession, which may not be there. Twelve
// bytes can be either paths or a digest; a vector of paths that begin with a
// slash can't be taken for a digest of version 2, which would have to be two
// of them.
func (d *txnDecoder) closed() (paths [][]byte, ok bool) {
	if len(d.rest) == 0 {
		return nil, false
	}
	before := d.decoder
	for range d.count(minStr) {
		path := d.buffer()
		if len(path) == 0 || path[0] != '/' {
			d.fail("closeSession: %.40q is no path", path)
			break
		}
		d.paths = append(d.paths, path)
	}
	if left := len(d.rest); len(before.rest) == digestSize && (d.err != nil || left > 0) {
		d.decoder = before
		return nil, false
	}
	return d.paths, true
}
