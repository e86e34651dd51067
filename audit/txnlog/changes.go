package txnlog

import (
	"iter"
	"maps"
	"slices"
)

// Changes yields what the transaction did to znodes, each operation with its
// index: in a multi among all its operations, in a closeSession among its
// paths. The deletions of a closeSession have the type delete; the header says
// why they happened.
//
// A multi with an error among its operations was logged and never applied
// (DataTree.processTxn), and a check changes nothing. A closeSession that
// doesn't list its paths yields nothing: see [Ephemerals].
func (t *Txn) Changes() iter.Seq2[int, Op] {
	return func(yield func(int, Op) bool) {
		if slices.ContainsFunc(t.Ops, func(op Op) bool { return op.Type == TypeError }) {
			return
		}
		for i, op := range t.Ops {
			switch op.Type {
			case TypeCheck, TypeCreateSession:
				continue
			case TypeCloseSession:
				for i, path := range op.Paths {
					if !yield(i, Op{Type: TypeDelete, Path: path}) {
						return
					}
				}
			default:
				if !yield(i, op) {
					return
				}
			}
		}
	}
}

// Ephemerals knows which ephemeral znodes each session has. The log alone
// doesn't tell what a closeSession deleted when it doesn't list the paths:
// before 3.6 (ZOOKEEPER-3145), and with closeSessionTxn.enabled=false. Ask it
// for the changes of every transaction, beginning with the first of the log or
// with the ephemeral znodes of a snapshot. The zero value knows none.
type Ephemerals struct {
	owner    map[string]uint64
	sessions map[uint64]map[string]struct{}
}

// Add makes an ephemeral znode known that a snapshot has.
func (e *Ephemerals) Add(session uint64, path string) {
	e.remove(path)
	if e.owner == nil {
		e.owner, e.sessions = map[string]uint64{}, map[uint64]map[string]struct{}{}
	}
	if e.sessions[session] == nil {
		e.sessions[session] = map[string]struct{}{}
	}
	e.owner[path] = session
	e.sessions[session][path] = struct{}{}
}

// Clone returns another table that begins with the same znodes.
func (e *Ephemerals) Clone() Ephemerals {
	c := Ephemerals{owner: maps.Clone(e.owner)}
	if e.sessions != nil {
		c.sessions = make(map[uint64]map[string]struct{}, len(e.sessions))
	}
	for session, paths := range e.sessions {
		c.sessions[session] = maps.Clone(paths)
	}
	return c
}

func (e *Ephemerals) remove(path string) {
	session, ok := e.owner[path]
	if !ok {
		return
	}
	delete(e.owner, path)
	delete(e.sessions[session], path)
	if len(e.sessions[session]) == 0 {
		delete(e.sessions, session)
	}
}

// Changes yields what [Txn.Changes] yields, and behind it the deletions of a
// closeSession that it doesn't list, in the order of their paths. Calling it
// is what counts: the table is up to date before anything is yielded.
func (e *Ephemerals) Changes(t *Txn) iter.Seq2[int, Op] {
	left := e.unlisted(t)
	for _, op := range t.Changes() {
		switch op.Type {
		case TypeDelete, TypeDeleteContainer:
			e.remove(string(op.Path))
		case TypeCreate, TypeCreate2, TypeCreateContainer, TypeCreateTTL:
			if e.remove(string(op.Path)); op.Ephemeral {
				e.Add(t.Session, string(op.Path))
			}
		}
	}
	for _, path := range left {
		e.remove(path)
	}
	return behind(t, left)
}

// Would yields what Changes does, and leaves the table as it is.
func (e *Ephemerals) Would(t *Txn) iter.Seq2[int, Op] { return behind(t, e.unlisted(t)) }

// unlisted returns the ephemeral znodes that a closeSession doesn't list.
func (e *Ephemerals) unlisted(t *Txn) []string {
	if t.Type != TypeCloseSession || len(e.sessions[t.Session]) == 0 {
		return nil
	}
	listed := map[string]bool{}
	for _, op := range t.Changes() {
		listed[string(op.Path)] = true
	}
	var left []string
	for path := range e.sessions[t.Session] {
		if !listed[path] {
			left = append(left, path)
		}
	}
	slices.Sort(left)
	return left
}

// behind yields the changes of a transaction and then these deletions.
func behind(t *Txn, deleted []string) iter.Seq2[int, Op] {
	if len(deleted) == 0 {
		return t.Changes()
	}
	return func(yield func(int, Op) bool) {
		next := 0
		for i, op := range t.Changes() {
			if !yield(i, op) {
				return
			}
			next = i + 1
		}
		for i, path := range deleted {
			if !yield(next+i, Op{Type: TypeDelete, Path: []byte(path)}) {
				return
			}
		}
	}
}
