package mirror

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"zkwarden/audit"
)

// names are such that paths sort above, at and below "/" and "0", where the
// scan of a subtree ends.
var names = []string{"a", "a-b", "a.b", "a0", "a b", "a\u00e9", "!", "~", "b"}

// model is the mirror that anyone can see to be right.
type model map[string]audit.Zxid

func (m model) children(parent string) []string {
	var found []string
	for path := range m {
		rest, ok := strings.CutPrefix(path, prefix(parent))
		if ok && rest != "" && !strings.Contains(rest, "/") {
			found = append(found, rest)
		}
	}
	slices.Sort(found)
	return found
}

func (m model) below(root string) []string {
	var found []string
	for path := range m {
		if path != root && strings.HasPrefix(path, prefix(root)) {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	slices.Reverse(found)
	return found
}

// somePaths are at most three levels deep, so that they meet each other.
var somePaths = rapid.Custom(func(t *rapid.T) string {
	return "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(names), 0, 3).Draw(t, "names"), "/")
})

// machine is a mirror beside its model, and the file that a crash goes back to.
type machine struct {
	mirror  *Mirror
	known   model
	durable model
	place   Place
	end     func(*rapid.T) // Writes the commit that has begun, or nil.
	steps   int
}

func (s *machine) put(t *rapid.T) {
	path := somePaths.Draw(t, "path")
	s.steps++
	s.known[path] = audit.Zxid(s.steps)
	s.mirror.Put(path, at(audit.Zxid(s.steps)))
}

func (s *machine) delete(t *rapid.T) {
	path := somePaths.Draw(t, "path")
	delete(s.known, path)
	s.mirror.Delete(path)
}

func (s *machine) clear(*rapid.T) {
	s.mirror.Clear()
	s.known = model{}
}

func (s *machine) begin(t *rapid.T) {
	if s.end != nil {
		t.Skip("a commit is being written")
	}
	s.steps++
	place, known := Place{Seq: uint64(s.steps)}, maps.Clone(s.known)
	write := begin(t, s.mirror, place)
	s.end = func(t *rapid.T) {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		s.place, s.durable, s.end = place, known, nil
	}
}

func (s *machine) write(t *rapid.T) {
	if s.end == nil {
		t.Skip("no commit has begun")
	}
	s.end(t)
}

func (s *machine) crash(t *rapid.T) {
	var place Place
	s.mirror, place = reopen(t, s.mirror)
	s.known, s.end = maps.Clone(s.durable), nil
	if place.Seq != s.place.Seq {
		t.Fatalf("reopened at %d, committed at %d", place.Seq, s.place.Seq)
	}
}

// TestModel makes random changes, commits and crashes and compares every
// answer with the model's. Nothing keeps parents alive, as a mirror of some
// roots of a tree has none above them.
func TestModel(t *testing.T) {
	dir, file := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		file++
		s := machine{known: model{}, durable: model{}}
		s.mirror, _ = mustOpen(t, filepath.Join(dir, strconv.Itoa(file)))
		defer func() { s.mirror.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"put": s.put, "put more": s.put, "delete": s.delete, "clear": s.clear,
			"begin": s.begin, "write": s.write, "crash": s.crash,
			"": func(t *rapid.T) { compare(t, s.mirror, s.known, somePaths.Draw(t, "looked at")) },
		})
	})
}

func compare(t *rapid.T, m *Mirror, known model, path string) {
	t.Helper()
	entry, ok := m.Get(path)
	if czxid, want := known[path]; ok != want || entry.Czxid != czxid {
		t.Fatalf("Get(%q) = %v, %v; want %v, %v", path, entry.Czxid, ok, czxid, want)
	}
	if got := m.Len(); got != len(known) {
		t.Fatalf("Len() = %d, want %d", got, len(known))
	}
	for _, root := range []string{path, "/", "/a"} {
		if diff := cmp.Diff(known.children(root), slices.Collect(m.Children(root))); diff != "" {
			t.Fatalf("children of %q (-want +got):\n%s", root, diff)
		}
		for _, depth := range []int{-1, 0, 1, 2} {
			if diff := cmp.Diff(known.walk(root, depth), walked(m, root, depth)); diff != "" {
				t.Fatalf("walk of %q, depth %d (-want +got):\n%s", root, depth, diff)
			}
		}
		if diff := cmp.Diff(known.below(root), m.Below(root)); diff != "" {
			t.Fatalf("below %q (-want +got):\n%s", root, diff)
		}
	}
}

func (m model) walk(root string, depth int) []string {
	var paths []string
	for path := range m {
		levels := strings.Count(path, "/") - strings.Count(root, "/")
		if root == "/" {
			levels = strings.Count(path, "/")
		}
		if path == root || path == "/" {
			levels = 0
		}
		if audit.Within(path, root) && (depth < 0 || levels <= depth) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

func walked(m *Mirror, root string, depth int) []string {
	var paths []string
	for path := range m.Walk(root, depth) {
		paths = append(paths, path)
	}
	return paths
}

// Pages end between any two znodes, and some are empty because everything in
// them was deleted since the last commit.
func TestWalkOfManyPages(t *testing.T) {
	m := newMirror(t)
	known := model{}
	for i := range 5 * walkPage {
		path := fmt.Sprintf("/a/%05d", i)
		known[path] = 1
		m.Put(path, at(1))
		if i%1000 == 0 {
			below := path + "/deep"
			known[below] = 1
			m.Put(below, at(1))
		}
	}
	commit(t, m, Place{})
	for i := walkPage; i < 4*walkPage; i++ {
		path := fmt.Sprintf("/a/%05d", i)
		delete(known, path)
		m.Delete(path)
	}
	m.Put("/a/00000-later", at(2))
	known["/a/00000-later"] = 2
	for _, depth := range []int{-1, 1, 2} {
		if diff := cmp.Diff(known.walk("/a", depth), walked(m, "/a", depth)); diff != "" {
			t.Errorf("depth %d (-want +got):\n%s", depth, diff)
		}
	}
}
