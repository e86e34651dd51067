package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"
)

// memory is a tree that can be read, each path with the names of its children.
type memory map[string][]string

func (m memory) read(_ context.Context, path string, depth int) (*znode, error) {
	names, ok := m[path]
	if !ok {
		return nil, zk.ErrNoNode
	}
	return &znode{path: path, depth: depth, children: slices.Clone(names)}, nil
}

// add puts a znode below parent and returns its path.
func (m memory) add(parent, name string) string {
	path := strings.TrimSuffix(parent, "/") + "/" + name
	m[parent] = append(m[parent], name)
	m[path] = nil
	return path
}

// inOrder lists the tree by plain recursion: what walk has to produce.
func (m memory) inOrder(path string) []string {
	paths := []string{path}
	names := slices.Sorted(slices.Values(m[path]))
	for _, name := range names {
		paths = append(paths, m.inOrder(strings.TrimSuffix(path, "/")+"/"+name)...)
	}
	return paths
}

// visits is a visitor that remembers.
type visits struct {
	paths []string
	fail  int // The visit that fails; zero for none.
}

var errVisit = errors.New("visit")

func (r *visits) visit(z *znode) error {
	r.paths = append(r.paths, z.path)
	if len(r.paths) == r.fail {
		return errVisit
	}
	return nil
}

func (r *visits) tick() error { return nil }

func randomTree(seed uint64, size int) memory {
	random := rand.New(rand.NewPCG(seed, 1))
	m := memory{"/": nil}
	paths := []string{"/"}
	alphabet := []string{"a", "b", "a-b", "a.b", "A", "a b", "ż", "!", "0"}
	for i := range size {
		// Sometimes deep, sometimes wide.
		parent := paths[random.IntN(len(paths))]
		if seed%2 == 0 {
			parent = paths[len(paths)-1-random.IntN(min(3, len(paths)))]
		}
		if strings.Count(parent, "/") > 200 {
			parent = "/"
		}
		paths = append(paths, m.add(parent, fmt.Sprint(alphabet[random.IntN(len(alphabet))], i)))
	}
	return m
}

func TestWalkOrder(t *testing.T) {
	trees := map[string]memory{
		"root alone":        {"/": nil},
		"slash before dash": {"/": {"a-b", "a", "a!"}, "/a": {"x"}, "/a!": {"y"}, "/a-b": {"z"}, "/a/x": nil, "/a!/y": nil, "/a-b/z": nil},
	}
	for seed := range uint64(6) {
		trees[fmt.Sprint("random ", seed)] = randomTree(seed, 3000)
	}
	for name, tree := range trees {
		t.Run(name, func(t *testing.T) {
			var visited visits
			if err := walk(t.Context(), func() {}, "/", tree.read, &visited); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tree.inOrder("/"), visited.paths); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is read first is what is visited first.
func TestReadingOrder(t *testing.T) {
	tree := randomTree(3, 1000)
	for _, name := range []string{"a", "a-b", "a!", "a0"} {
		tree.add(tree.add("/", name), "x")
	}
	want := tree.inOrder("/")[1:]
	var ahead []*family
	for _, path := range want {
		slash := strings.LastIndexByte(path, '/') + 1
		ahead = append(ahead, &family{dir: path[:slash], names: []string{path[slash:]}})
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(ahead), queue(ahead).Swap)
	slices.SortFunc(ahead, func(f, g *family) int {
		switch {
		case f.before(g):
			return -1
		case g.before(f):
			return 1
		}
		return 0
	})
	var got []string
	for _, f := range ahead {
		got = append(got, f.dir+f.names[0])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// More names than may be held make the walk drop some of what it read ahead,
// and more znodes than may be held make it wait; both must end.
func TestWalkBounds(t *testing.T) {
	wide := memory{"/": nil}
	for i := range 24 {
		family := make([]string, maxNames/20)
		for j := range family {
			family[j] = fmt.Sprintf("%06d", j)
		}
		wide[wide.add("/", fmt.Sprintf("%03d", i))] = family
	}
	// A chain whose steps are serial, beside more znodes than may be held.
	chain := memory{"/": nil}
	for path, i := "/", 0; i < 500; i++ {
		path = chain.add(path, "a")
	}
	for i := range 2 * maxHeld {
		chain.add("/", fmt.Sprintf("b%06d", i))
	}
	for name, tree := range map[string]memory{"wide": wide, "chain": chain} {
		t.Run(name, func(t *testing.T) {
			var inFlight, most atomic.Int64
			read := func(ctx context.Context, path string, depth int) (*znode, error) {
				for now := inFlight.Add(1); ; {
					old := most.Load()
					if now <= old || most.CompareAndSwap(old, now) {
						break
					}
				}
				defer inFlight.Add(-1)
				if _, ok := tree[path]; !ok && name == "wide" {
					return &znode{path: path, depth: depth}, nil
				}
				return tree.read(ctx, path, depth)
			}
			v := &bounded{t: t}
			w := &walker{read: read, visitor: v, answers: make(chan answer, window+1)}
			v.walker = w
			top, err := tree.read(t.Context(), "/", 0)
			if err != nil {
				t.Fatal(err)
			}
			defer w.join(func() {})
			w.begin(top)
			if err := w.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := len(tree) - 1
			if name == "wide" {
				want += 24 * (maxNames / 20)
			}
			if v.count != want {
				t.Errorf("visited %d znodes, want %d", v.count, want)
			}
			if most.Load() > window+1 {
				t.Errorf("%d reads were under way at once", most.Load())
			}
			if w.held != 0 || w.names != 0 || w.inFlight != 0 {
				t.Errorf("at the end %d znodes and %d names are held, and %d reads are under way", w.held, w.names, w.inFlight)
			}
		})
	}
}

// bounded checks at every visit how much is held.
type bounded struct {
	t      *testing.T
	walker *walker
	count  int
}

func (b *bounded) visit(*znode) error {
	b.count++
	if b.walker.held > maxHeld+window || b.walker.names > maxNames+maxNames/20 {
		b.t.Fatalf("%d znodes and %d names are held", b.walker.held, b.walker.names)
	}
	return nil
}

func (b *bounded) tick() error { return nil }

// Reads overlap within small families too: in a tree of chains, a read that is
// answered only when as many others wait as the window is wide must not hang.
func TestWalkOverlaps(t *testing.T) {
	tree := memory{"/": nil}
	const chains = 4 * window
	for i := range chains {
		path := tree.add("/", fmt.Sprintf("%04d", i))
		for range 3 {
			path = tree.add(path, "x")
		}
	}
	var mu sync.Mutex
	waiting, release := 0, make(chan struct{})
	left := len(tree) - 1
	read := func(ctx context.Context, path string, depth int) (*znode, error) {
		if path == "/" {
			return tree.read(ctx, path, depth)
		}
		mu.Lock()
		waiting++
		turn := release
		if waiting == min(window, left) {
			left -= waiting
			waiting, release = 0, make(chan struct{})
			close(turn)
		}
		mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return tree.read(ctx, path, depth)
	}
	var visited visits
	if err := walk(t.Context(), func() {}, "/", read, &visited); err != nil {
		t.Fatal(err)
	}
	if len(visited.paths) != len(tree) {
		t.Errorf("visited %d znodes, want %d", len(visited.paths), len(tree))
	}
}

func TestWalkEnds(t *testing.T) {
	errRead := errors.New("read")
	tree := randomTree(1, 500)
	t.Run("root is missing", func(t *testing.T) {
		err := walk(t.Context(), func() {}, "/nobody", tree.read, &visits{})
		if err == nil || err.Error() != "znode /nobody does not exist" {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("read fails", func(t *testing.T) {
		read := func(ctx context.Context, path string, depth int) (*znode, error) {
			if depth == 3 {
				return nil, errRead
			}
			return tree.read(ctx, path, depth)
		}
		if err := walk(t.Context(), func() {}, "/", read, &visits{}); !errors.Is(err, errRead) {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("visit fails while reads hang", func(t *testing.T) {
		stopped := make(chan struct{})
		read := func(ctx context.Context, path string, depth int) (*znode, error) {
			if depth > 1 {
				<-stopped
				return nil, context.Canceled
			}
			return tree.read(ctx, path, depth)
		}
		err := walk(t.Context(), func() { close(stopped) }, "/", read, &visits{fail: 2})
		if !errors.Is(err, errVisit) {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("znodes vanish", func(t *testing.T) {
		gone := memory{"/": {"a", "b", "c"}, "/a": {"x"}, "/c": nil}
		var visited visits
		if err := walk(t.Context(), func() {}, "/", gone.read, &visited); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"/", "/a", "/c"}, visited.paths); diff != "" {
			t.Error(diff)
		}
	})
}
