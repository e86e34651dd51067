package txnlog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/zktest"
)

// toolkit formats transactions as a version's own tool lists them.
type toolkit struct{ version string }

// class is the program: LogFormatter, and since 3.5.5 the toolkit.
func (k toolkit) class() (class string, flags []string) {
	if k.old() {
		return "org.apache.zookeeper.server.LogFormatter", nil
	}
	return "org.apache.zookeeper.server.persistence.TxnLogToolkit", []string{"-d"}
}

func (k toolkit) old() bool    { return strings.HasPrefix(k.version, "3.4.") }
func (k toolkit) middle() bool { return strings.HasPrefix(k.version, "3.5.") }

// list runs the tool.
func (k toolkit) list(t testing.TB, file string) string {
	t.Helper()
	class, flags := k.class()
	tool, err := zktest.Tool(t.Context(), k.version, class, append(flags, file)...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := tool.Output()
	if err != nil {
		t.Fatalf("list %s with the toolkit: %v", file, err)
	}
	// Java puts a narrow blank before AM and PM since version 20.
	return readable(strings.ReplaceAll(string(out), "\u202f", " "))
}

// readable does what Java does to bytes that are no text.
func readable(s string) string { return string([]rune(s)) }

// format is what the tool should have listed.
func (k toolkit) format(txns []*Txn) string {
	var b strings.Builder
	b.WriteString("ZooKeeper Transactional Log File with dbid 0 txnlog format version 2\n")
	for _, txn := range txns {
		fmt.Fprintf(&b, "%s session 0x%x cxid 0x%x zxid 0x%x %s %s\n", time.UnixMilli(txn.Time).UTC().Format("1/2/06, 3:04:05 PM MST"),
			txn.Session, uint32(txn.Cxid), txn.Zxid, k.name(txn.Type), k.body(txn))
	}
	fmt.Fprintf(&b, "EOF reached after %d txns.\n", len(txns))
	return b.String()
}

func (k toolkit) name(kind Type) string {
	if kind == TypeCreateTTL && k.version < "3.9" {
		return "createTtl"
	}
	return kind.String()
}

func (k toolkit) body(txn *Txn) string {
	if txn.Type == TypeMulti {
		return k.multi(txn.Ops)
	}
	op := txn.Ops[0]
	if txn.Type == TypeCloseSession && !op.HasPaths {
		if k.old() {
			return "null"
		}
		return ""
	}
	if k.old() {
		return k.csv(op) + "\n"
	}
	switch op.Type {
	case TypeCreate, TypeCreate2:
		return fmt.Sprintf("%s,%s,%s,%v,%d", op.Path, readable(string(op.Data)), javaACL(op.ACL), op.Ephemeral, op.ParentCversion)
	case TypeCreateContainer:
		return fmt.Sprintf("%s,%s,%s,%d", op.Path, readable(string(op.Data)), javaACL(op.ACL), op.ParentCversion)
	case TypeCreateTTL:
		return fmt.Sprintf("%s,%s,%s,%d,%d", op.Path, readable(string(op.Data)), javaACL(op.ACL), op.ParentCversion, op.TTL)
	case TypeSetData, TypeReconfig:
		return fmt.Sprintf("%s,%s,%d", op.Path, readable(string(op.Data)), op.Version)
	}
	return k.csv(op)
}

func (k toolkit) multi(ops []Op) string {
	var subs []string
	for _, op := range ops {
		if k.old() || k.middle() {
			subs = append(subs, fmt.Sprintf("s{%d,%s}", op.Type, csvBytes(encode(op))))
		} else {
			subs = append(subs, k.name(op.Type)+":"+readable(string(encode(op))))
		}
	}
	switch {
	case k.old():
		return "v{" + strings.Join(subs, ",") + "}\n"
	case k.middle():
		return "v{" + strings.Join(subs, ",") + "}"
	}
	return strings.Join(subs, ";")
}

// csv is jute's text form.
func (k toolkit) csv(op Op) string {
	path := csvString(op.Path)
	switch op.Type {
	case TypeCreate, TypeCreate2:
		return fmt.Sprintf("%s,%s,%s,%c,%d", path, csvBytes(op.Data), csvACL(op.ACL), "FT"[btoi(op.Ephemeral)], op.ParentCversion)
	case TypeDelete, TypeDeleteContainer:
		return path
	case TypeSetData:
		return fmt.Sprintf("%s,%s,%d", path, csvBytes(op.Data), op.Version)
	case TypeSetACL:
		return fmt.Sprintf("%s,%s,%d", path, csvACL(op.ACL), op.Version)
	case TypeError:
		return fmt.Sprint(op.Code)
	case TypeCreateSession:
		return fmt.Sprint(op.Timeout)
	case TypeCloseSession:
		var paths []string
		for _, path := range op.Paths {
			paths = append(paths, csvString(path))
		}
		return "v{" + strings.Join(paths, ",") + "}"
	}
	return "?"
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func csvString(s []byte) string {
	return "'" + strings.NewReplacer("\x00", "%00", "\n", "%0A", "\r", "%0D", ",", "%2C", "}", "%7D", "%", "%25").Replace(string(s))
}

// csvBytes writes each byte as Java's signed int.
func csvBytes(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	b := []byte("#")
	for _, c := range data {
		b = fmt.Appendf(b, "%x", uint32(int8(c)))
	}
	return string(b)
}

func csvACL(list []ACL) string {
	var entries []string
	for _, acl := range list {
		entries = append(entries, fmt.Sprintf("s{%d,s{%s,%s}}", acl.Perms, csvString(acl.Scheme), csvString(acl.ID)))
	}
	return "v{" + strings.Join(entries, ",") + "}"
}

func javaACL(list []ACL) string {
	var entries []string
	for _, acl := range list {
		entries = append(entries, fmt.Sprintf("%d,s{%s,%s}\n", acl.Perms, csvString(acl.Scheme), csvString(acl.ID)))
	}
	return "[" + strings.Join(entries, ", ") + "]"
}

// encode is the inverse of txnDecoder.op.
func encode(op Op) builder {
	var b builder
	bytes := func(data []byte) {
		if data == nil {
			b = b.i32(-1)
		} else {
			b = b.str(string(data))
		}
	}
	acl := func() {
		b = b.i32(int32(len(op.ACL)))
		for _, acl := range op.ACL {
			b = b.i32(acl.Perms).str(string(acl.Scheme)).str(string(acl.ID))
		}
	}
	switch op.Type {
	case TypeError:
		return b.i32(op.Code)
	case TypeCreateSession:
		return b.i32(op.Timeout)
	case TypeCloseSession:
		if !op.HasPaths {
			return b
		}
		b = b.i32(int32(len(op.Paths)))
		for _, path := range op.Paths {
			b = b.str(string(path))
		}
		return b
	}
	bytes(op.Path)
	switch op.Type {
	case TypeCreate, TypeCreate2:
		bytes(op.Data)
		acl()
		b = b.bool(op.Ephemeral)
		if op.ParentCversion >= 0 {
			b = b.i32(op.ParentCversion)
		}
	case TypeCreateContainer, TypeCreateTTL:
		bytes(op.Data)
		acl()
		b = b.i32(op.ParentCversion)
		if op.Type == TypeCreateTTL {
			b = b.i64(op.TTL)
		}
	case TypeSetData, TypeReconfig:
		bytes(op.Data)
		b = b.i32(op.Version)
	case TypeSetACL:
		acl()
		b = b.i32(op.Version)
	case TypeCheck:
		b = b.i32(op.Version)
	}
	return b
}

// all keeps what a server logged.
func all(t testing.TB, files ...File) []*Txn {
	t.Helper()
	var txns []*Txn
	for txn, err := range Records(files) {
		if err != nil {
			t.Fatal(err)
		}
		txns = append(txns, txn.Clone())
	}
	return txns
}

// TestToolkitAgrees compares with the listing of ZooKeeper's own tool, for
// logs with every type of transaction.
func TestToolkitAgrees(t *testing.T) {
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			server := zktest.Start(t, allOptions(version)).Server(1)
			makeHistory(t, server, version)
			server.Kill()
			files := logsOf(t, server)
			kit, seen := toolkit{version}, map[Type]bool{}
			for _, file := range files {
				txns := all(t, file)
				if diff := cmp.Diff(kit.list(t, file.Path), kit.format(txns)); diff != "" {
					t.Errorf("%s (-toolkit +Reader):\n%s", file.Path, diff)
				}
				for _, txn := range txns {
					seen[txn.Type] = true
					if txn.HasDigest != (version >= "3.6" && txn.Type != TypeError) {
						t.Errorf("zxid %#x (%v): HasDigest is %v", txn.Zxid, txn.Type, txn.HasDigest)
					}
					for _, op := range txn.Ops {
						seen[op.Type] = true
					}
				}
			}
			want := []Type{
				TypeError, TypeCreateSession, TypeCloseSession, TypeCreate, TypeDelete, TypeSetData, TypeSetACL, TypeCheck, TypeMulti,
			}
			if modern(version) {
				want = append(want, TypeCreate2, TypeReconfig, TypeCreateContainer, TypeDeleteContainer, TypeCreateTTL)
			}
			for _, kind := range want {
				if !seen[kind] {
					t.Errorf("the history has no %v", kind)
				}
			}
			if gone := closed(files); !slices.Equal(gone, []string{"/a/lost", "/a/lost2", "/a/eph", "/a/seq-eph-0000000007", "/m/e"}) {
				t.Errorf("sessions took %q with them", gone)
			}
		})
	}
}

// closed returns what closed sessions took with them, sorted for each session,
// and without help from the log for versions that have none.
func closed(files []File) (gone []string) {
	var table Ephemerals
	for txn, err := range Records(files) {
		if err != nil {
			return []string{err.Error()}
		}
		changes, first := table.Changes(txn), len(gone)
		if txn.Type == TypeCloseSession {
			for _, op := range changes {
				gone = append(gone, string(op.Path))
			}
		}
		slices.Sort(gone[first:])
	}
	return gone
}
