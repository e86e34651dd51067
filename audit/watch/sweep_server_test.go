package watch

import (
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// through takes what is told up to the end of a sweep that began at zxid or
// behind it, and returns what the sweeps found, the last of each path.
func (r *run) through(zxid audit.Zxid) map[string]audit.Seen {
	r.t.Helper()
	found := map[string]audit.Seen{}
	for {
		seen, mark := r.swept()
		for _, s := range seen {
			if s.Origin == audit.OriginSweep {
				found[s.Path] = s
			}
		}
		if mark.ACL > mark.Zxid {
			r.t.Errorf("a sweep that began at %v ended at %v", mark.ACL, mark.Zxid)
		}
		if mark.ACL >= zxid {
			return found
		}
	}
}

func TestSweepFindsWhatNoWatchTells(t *testing.T) {
	t.Parallel()
	for _, version := range versions("3.6.4", "3.8.6") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			address := borrow(t, zktest.Options{Version: version})
			conn := client(t, address)
			if err := conn.AddAuth("digest", []byte("u:p")); err != nil {
				t.Fatal(err)
			}
			ours := []zk.ACL{{Perms: zk.PermAll, Scheme: "auth"}}
			create(t, conn, "/r", "")
			for _, name := range []string{"acl", "data", "hidden", "lost", "same", "secret"} {
				create(t, conn, "/r/"+name, "x")
			}
			setACL := func(path string, acl []zk.ACL) {
				t.Helper()
				if _, err := conn.SetACL(path, acl, -1); err != nil {
					t.Fatal(err)
				}
			}
			setACL("/r/secret", ours)
			known := newLedger()
			r := startRun(t, known, 0, Options{Servers: []string{address}, SweepInterval: 500 * time.Millisecond}, "/r")
			r.walked()
			_, stat, err := conn.Get("/r")
			if err != nil {
				t.Fatal(err)
			}
			found := r.through(audit.Zxid(stat.Pzxid))
			// The parent, as not all of its children are known, and what cannot be read.
			if len(found) != 2 || found["/r/secret"].Read != audit.Denied || found["/r"].Read != audit.Found {
				t.Fatalf("the first sweep found %+v", found)
			}

			setACL("/r/acl", append(zk.WorldACL(zk.PermRead|zk.PermWrite), zk.DigestACL(zk.PermAll, "u", "p")...))
			setACL("/r/hidden", ours)
			setACL("/r/secret", zk.WorldACL(zk.PermAll))
			known.mu.Lock() // As if the fast path had missed these.
			known.nodes["/r/ghost"] = audit.Stat{Czxid: 1}
			delete(known.nodes, "/r/lost")
			known.nodes["/r/data"] = audit.Stat{Czxid: known.nodes["/r/data"].Czxid, Version: 7}
			known.sorted = nil
			known.mu.Unlock()
			create(t, conn, "/r/end", "")
			_, stat, err = conn.Get("/r/end")
			if err != nil {
				t.Fatal(err)
			}
			r.reset()
			found = r.through(audit.Zxid(stat.Czxid) - 1)
			reads := map[string]audit.Read{}
			for path, s := range found {
				reads[path] = s.Read
			}
			want := map[string]audit.Read{
				"/r/acl": audit.Found, "/r/hidden": audit.Denied, "/r/secret": audit.Found, "/r/ghost": audit.Absent, "/r/lost": audit.Found, "/r/data": audit.Found,
			}
			delete(reads, "/r")
			delete(reads, "/r/end") // The sweep that was under way may come by it.
			if diff := cmp.Diff(want, reads); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			acl := found["/r/acl"].Node.ACL
			slices.SortFunc(acl, func(a, b audit.ACL) int { return len(a.Perms) - len(b.Perms) })
			// The id is masked, as the auditor has no ADMIN.
			if want := []audit.ACL{{Perms: "rw", Scheme: "world", ID: "anyone"}, {Perms: "cdrwa", Scheme: "digest", ID: "u:x"}}; !cmp.Equal(want, acl) {
				t.Errorf("ACL %+v, want %+v", acl, want)
			}
			if got := found["/r/lost"].Node.ACL; len(got) != 1 {
				t.Errorf("ACL %+v of what was missed", got)
			}
		})
	}
}

// TestACLsAreReadWithOtherNews: no watch tells of an ACL, but the answer for
// whatever is told next does.
func TestACLsAreReadWithOtherNews(t *testing.T) {
	t.Parallel()
	address := borrow(t, zktest.Options{})
	conn := client(t, address)
	create(t, conn, "/r", "")
	create(t, conn, "/r/a", "x")
	create(t, conn, "/r/b", "x")
	proxy, err := zktest.NewProxy(address)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	r := startRun(t, newLedger(), 0, Options{Servers: []string{proxy.Addr()}}, "/r")
	r.walked()
	if _, err := conn.SetACL("/r/a", zk.WorldACL(zk.PermRead|zk.PermWrite|zk.PermAdmin), -1); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Set("/r/a", []byte("y"), -1); err != nil {
		t.Fatal(err)
	}
	want := []audit.ACL{{Perms: "rwa", Scheme: "world", ID: "anyone"}}
	told := r.until("change of /r/a", func(o audit.Observation) bool { s, is := o.(audit.Seen); return is && s.Path == "/r/a" })
	if s := told[len(told)-1].(audit.Seen); s.Hint != audit.OpDataChanged || !cmp.Equal(want, s.Node.ACL) {
		t.Errorf("told %+v with the ACL %+v", s, s.Node.ACL)
	}
	if got := r.of(opGetACL); got != 1 {
		t.Errorf("%d ACLs were read", got)
	}

	proxy.Refuse(true)
	proxy.Cut()
	if _, err := conn.SetACL("/r/b", zk.WorldACL(zk.PermRead|zk.PermWrite), -1); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/r/a", "/r/b"} {
		if _, err := conn.Set(path, []byte("z"), -1); err != nil {
			t.Fatal(err)
		}
	}
	proxy.Refuse(false)
	seen, _, _ := r.walked()
	acls := map[string][]audit.ACL{}
	for _, s := range seen {
		acls[s.Path] = s.Node.ACL
	}
	if diff := cmp.Diff(map[string][]audit.ACL{"/r": nil, "/r/a": nil, "/r/b": {{Perms: "rw", Scheme: "world", ID: "anyone"}}}, acls); diff != "" {
		t.Errorf("behind a gap (-want +got):\n%s", diff)
	}
}
