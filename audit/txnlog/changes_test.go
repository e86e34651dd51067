package txnlog

import (
	"bytes"
	"fmt"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decoded decodes one payload.
func decoded(t testing.TB, payload builder) *Txn {
	t.Helper()
	r := NewReader("log.1", bytes.NewReader(logFile(payload)))
	if !r.Next() {
		t.Fatal(r.Err())
	}
	return r.Record().Clone()
}

func told(changes iter.Seq2[int, Op]) (list []string) {
	for i, op := range changes {
		list = append(list, fmt.Sprintf("%d %v %s", i, op.Type, op.Path))
	}
	return list
}

// multi is a multi of these operations.
func multi(zxid int64, ops ...Op) builder {
	b := header(zxid, TypeMulti).i32(int32(len(ops)))
	for _, op := range ops {
		b = b.i32(int32(op.Type)).str(string(encode(op)))
	}
	return b
}

func TestChanges(t *testing.T) {
	create := Op{Type: TypeCreate, Path: []byte("/a"), ParentCversion: 1}
	check := Op{Type: TypeCheck, Path: []byte("/a")}
	remove := Op{Type: TypeDelete, Path: []byte("/a")}
	failed := Op{Type: TypeError, Code: -110}
	for name, c := range map[string]struct {
		payload builder
		want    []string
	}{
		"create":           {createTxn(1, "/a", ""), []string{"0 create /a"}},
		"error":            {header(1, TypeError).i32(-101), nil},
		"createSession":    {header(1, TypeCreateSession).i32(4000), nil},
		"closeSession":     {header(1, TypeCloseSession).i32(2).str("/b").str("/a"), []string{"0 delete /b", "1 delete /a"}},
		"closeSession 3.5": {header(1, TypeCloseSession), nil},
		"multi":            {multi(1, create, check, remove), []string{"0 create /a", "2 delete /a"}},
		"failed at last":   {multi(1, create, remove, failed), nil},
		"failed at first":  {multi(1, failed, create), nil},
		"empty multi":      {multi(1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			txn := decoded(t, c.payload)
			if diff := cmp.Diff(c.want, told(txn.Changes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for range txn.Changes() {
				break // Whoever has enough may stop.
			}
		})
	}
}

func TestEphemerals(t *testing.T) {
	ephemeral := func(zxid int64, path string) builder {
		return header(zxid, TypeCreate).str(path).str("").world().bool(true).i32(1)
	}
	var table Ephemerals
	table.Add(0x100000000000001, "/from-snapshot")
	table.Add(7, "/of-another")
	for i, step := range []struct {
		payload builder
		want    []string
	}{
		{ephemeral(1, "/b"), []string{"0 create /b"}},
		{ephemeral(2, "/a"), []string{"0 create /a"}},
		{ephemeral(3, "/deleted"), []string{"0 create /deleted"}},
		{header(4, TypeDelete).str("/deleted"), []string{"0 delete /deleted"}},
		{multi(5, Op{Type: TypeCreate, Path: []byte("/never"), Ephemeral: true, ParentCversion: 1}, Op{Type: TypeError}), nil},
		{multi(6, Op{Type: TypeDelete, Path: []byte("/b")}, Op{Type: TypeCreate, Path: []byte("/b"), ParentCversion: 2}), []string{"0 delete /b", "1 create /b"}},
		{ephemeral(7, "/c"), []string{"0 create /c"}},
		// A snapshot may hold an ephemeral znode of what is no such znode yet.
		{ephemeral(7, "/later"), []string{"0 create /later"}},
		{createTxn(8, "/later", ""), []string{"0 create /later"}},
		{header(8, TypeCloseSession), []string{"0 delete /a", "1 delete /c", "2 delete /from-snapshot"}},
		{header(9, TypeCloseSession), nil},
		{ephemeral(10, "/d"), []string{"0 create /d"}},
		{ephemeral(11, "/e"), []string{"0 create /e"}},
		// What the log lists comes first, and the server takes the rest, too.
		{header(12, TypeCloseSession).i32(1).str("/e"), []string{"0 delete /e", "1 delete /d"}},
	} {
		if diff := cmp.Diff(step.want, told(table.Changes(decoded(t, step.payload)))); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i+1, diff)
		}
	}
	if len(table.owner) != 1 || len(table.sessions) != 1 {
		t.Errorf("left: %v, %v", table.owner, table.sessions)
	}
}

// TestDigestsAfterwards checks the arithmetic against the plain sum of a tree.
func TestDigestsAfterwards(t *testing.T) {
	digests, none := NewDigests(), NewDigests().Sum()
	start := decoded(t, createTxn(1, "/a", "one"))
	for _, op := range start.Changes() {
		digests.Change(start.Header, op)
	}
	if digests.Sum() == none || digests.Len() != 3 {
		t.Errorf("digest %d of %d znodes", digests.Sum(), digests.Len())
	}
	set := decoded(t, header(2, TypeSetData).str("/a").str("two").i32(1))
	for _, op := range set.Changes() {
		digests.Change(set.Header, op)
	}
	once := digests.Sum()
	for _, op := range start.Changes() {
		digests.Change(start.Header, op) // As after a fuzzy snapshot.
	}
	if digests.Sum() != once {
		t.Error("a change made twice counts twice")
	}
	config := decoded(t, header(2, TypeReconfig).str("/zookeeper/config").str("x").i32(1))
	quota := decoded(t, header(3, TypeSetData).str("/zookeeper/quota").str("x").i32(1))
	for _, txn := range []*Txn{config, quota} {
		for _, op := range txn.Changes() {
			digests.Change(txn.Header, op)
		}
	}
	if digests.Sum() != once {
		t.Error("what is below /zookeeper counts")
	}
	below := decoded(t, createTxn(4, "/zookeeper/x", ""))
	for _, op := range below.Changes() {
		digests.Change(below.Header, op)
	}
	if digests.Len() != 3 || digests.Sum() == once {
		t.Error("of a znode below /zookeeper only its parent's counters count")
	}
}
