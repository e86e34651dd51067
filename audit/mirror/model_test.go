package mirror

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

func randomPath(rng *rand.Rand) string {
	depth := rng.IntN(4)
	if depth == 0 {
		return "/"
	}
	path := ""
	for range depth {
		path += "/" + names[rng.IntN(len(names))]
	}
	return path
}

// TestModel makes random changes, commits and crashes and compares every
// answer with the model's. Nothing keeps parents alive, as a mirror of some
// roots of a tree has none above them.
func TestModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	m := newMirror(t)
	known, durable, place := model{}, model{}, Place{}
	var writing func() // Ends the commit that has begun.
	for step := range 4000 {
		path := randomPath(rng)
		switch dice := rng.IntN(200); {
		case dice < 120:
			known[path] = audit.Zxid(step + 1)
			m.Put(path, at(audit.Zxid(step+1)))
		case dice < 190:
			delete(known, path)
			m.Delete(path)
		case dice < 197:
			if writing != nil {
				writing()
				writing = nil
				break
			}
			begun, of := Place{Seq: uint64(step)}, maps.Clone(known)
			write := begin(t, m, begun)
			writing = func() {
				if err := write(); err != nil {
					t.Fatal(err)
				}
				place, durable = begun, of
			}
		case dice < 199:
			var reopened Place
			m, reopened = reopen(t, m)
			writing = nil
			known = maps.Clone(durable)
			if reopened.Seq != place.Seq {
				t.Fatalf("step %d: reopened at %d, committed at %d", step, reopened.Seq, place.Seq)
			}
		default:
			m.Clear()
			known = model{}
		}
		compare(t, step, m, known, path)
	}
}

func compare(t *testing.T, step int, m *Mirror, known model, path string) {
	t.Helper()
	entry, ok := m.Get(path)
	if czxid, want := known[path]; ok != want || entry.Czxid != czxid {
		t.Fatalf("step %d: Get(%q) = %v, %v; want %v, %v", step, path, entry.Czxid, ok, czxid, want)
	}
	if got := m.Len(); got != len(known) {
		t.Fatalf("step %d: Len() = %d, want %d", step, got, len(known))
	}
	for _, root := range []string{path, "/", "/a"} {
		if diff := cmp.Diff(known.children(root), slices.Collect(m.Children(root))); diff != "" {
			t.Fatalf("step %d: children of %q (-want +got):\n%s", step, root, diff)
		}
		for _, depth := range []int{-1, 0, 1, 2} {
			if diff := cmp.Diff(known.walk(root, depth), walked(m, root, depth)); diff != "" {
				t.Fatalf("step %d: walk of %q, depth %d (-want +got):\n%s", step, root, depth, diff)
			}
		}
		if diff := cmp.Diff(known.below(root), m.Below(root)); diff != "" {
			t.Fatalf("step %d: below %q (-want +got):\n%s", step, root, diff)
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
