package cli

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	// window is how many reads are under way at once.
	window = 128

	// maxHeld bounds the znodes that are read before it is their turn, and
	// maxNames the names of their children.
	maxHeld  = 1 << 15
	maxNames = 1 << 18

	// beat is how often a visitor is told that time passes.
	beat = 200 * time.Millisecond
)

// znode is what one read found.
type znode struct {
	path     string
	depth    int      // Levels below the root of the walk.
	stat     *zk.Stat // Nil when it was not read.
	children []string // Names; none when they were not asked for.
	trouble  string   // Why it could not be read; empty when it could.
}

// visitor receives a walk's znodes, parents before children and children in
// the order of their names' bytes. Tick is called a few times a second.
type visitor interface {
	visit(z *znode) error
	tick() error
}

// readFunc reads one znode. zk.ErrNoNode means that it is gone; any other
// error ends the walk.
type readFunc func(ctx context.Context, path string, depth int) (*znode, error)

// turn is a znode that was asked for and not visited yet.
type turn struct {
	path  string
	depth int
	state turnState
	found *znode  // Nil when the znode is gone.
	below *family // Its children; nil if there are none.
}

type turnState uint8

const (
	asked turnState = iota
	done
	late // Its children were too many to hold; it is asked again when it is next.
)

// family is the children of one znode that have yet to be visited.
type family struct {
	dir   string // The parent's path with a slash behind it.
	depth int
	names []string // Not asked for yet, sorted.
	turns []*turn  // Asked for, in the same order.
}

func newFamily(parent *znode) *family {
	if len(parent.children) == 0 {
		return nil
	}
	slices.Sort(parent.children)
	return &family{dir: strings.TrimSuffix(parent.path, "/") + "/", depth: parent.depth + 1, names: parent.children}
}

type answer struct {
	turn  *turn
	found *znode
	err   error
}

// walker visits a tree in order while it reads ahead. What it reads next is
// always what is visited first among the znodes that it knows of, so that
// reads overlap even where each family is small, and little is held that is
// not visited soon. All but the reads happens in one goroutine.
type walker struct {
	read    readFunc
	visitor visitor

	answers  chan answer
	inFlight int
	held     int       // Turns that are done and not visited.
	names    int       // Names of children that they hold.
	stack    []*family // From the root's children to those being visited.
	ahead    queue     // The families that have names left.
}

// walk visits root and everything below it. A znode that vanishes during the
// walk is left out, but a missing root is an error. At an error walk waits for
// the reads under way, which stop makes return.
func walk(ctx context.Context, stop func(), root string, read readFunc, v visitor) error {
	// Besides the window, one late turn can be in flight.
	w := &walker{read: read, visitor: v, answers: make(chan answer, window+1)}
	defer w.join(stop)
	top, err := read(ctx, root, 0)
	if errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("znode %s does not exist", printable(root))
	}
	if err != nil {
		return err
	}
	if err := v.visit(top); err != nil {
		return err
	}
	w.begin(top)
	return w.run(ctx)
}

func (w *walker) begin(root *znode) {
	if below := newFamily(root); below != nil {
		w.stack = append(w.stack, below)
		heap.Push(&w.ahead, below)
	}
}

// join waits for the reads under way. A server that lives answers them sooner
// than a broken session could be closed, so stop is for one that does not.
func (w *walker) join(stop func()) {
	defer time.AfterFunc(beat, stop).Stop()
	for range w.inFlight {
		<-w.answers
	}
}

func (w *walker) run(ctx context.Context) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for w.descend() {
		w.fill(ctx)
		next := w.next()
		if next != nil && next.state == done {
			if err := w.visit(next); err != nil {
				return err
			}
			continue
		}
		if next != nil && next.state == late {
			w.ask(ctx, next)
		}
		select {
		case a := <-w.answers:
			w.inFlight--
			if err := w.take(a, a.turn == next); err != nil {
				return err
			}
		case <-ticker.C:
			if err := w.visitor.tick(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// descend drops families that are visited and reports whether one is left.
func (w *walker) descend() bool {
	for len(w.stack) > 0 {
		last := w.stack[len(w.stack)-1]
		if len(last.names)+len(last.turns) > 0 {
			return true
		}
		w.stack = w.stack[:len(w.stack)-1]
	}
	return false
}

// next returns the turn to visit next, nil if it is not asked for yet.
func (w *walker) next() *turn {
	if last := w.stack[len(w.stack)-1]; len(last.turns) > 0 {
		return last.turns[0]
	}
	return nil
}

// fill asks for znodes until the window is full. When too much is held it asks
// only for the znode that everything waits for.
func (w *walker) fill(ctx context.Context) {
	for w.inFlight < window && len(w.ahead) > 0 {
		f := w.ahead[0]
		if w.held >= maxHeld && w.next() != nil {
			return
		}
		t := &turn{path: f.dir + f.names[0], depth: f.depth}
		f.names = f.names[1:]
		f.turns = append(f.turns, t)
		if len(f.names) > 0 {
			heap.Fix(&w.ahead, 0)
		} else {
			heap.Pop(&w.ahead)
		}
		w.ask(ctx, t)
	}
}

func (w *walker) ask(ctx context.Context, t *turn) {
	t.state = asked
	w.inFlight++
	go func() {
		found, err := w.read(ctx, t.path, t.depth)
		w.answers <- answer{t, found, err}
	}()
}

func (w *walker) take(a answer, isNext bool) error {
	t := a.turn
	switch {
	case errors.Is(a.err, zk.ErrNoNode):
	case a.err != nil:
		return a.err
	case !isNext && w.names+len(a.found.children) > maxNames:
		t.state = late
		return nil
	default:
		t.found = a.found
		t.below = newFamily(a.found)
		w.names += len(a.found.children)
	}
	t.state = done
	w.held++
	if t.below != nil {
		heap.Push(&w.ahead, t.below)
	}
	return nil
}

func (w *walker) visit(t *turn) error {
	last := w.stack[len(w.stack)-1]
	last.turns = last.turns[1:]
	w.held--
	if t.found == nil {
		return nil
	}
	w.names -= len(t.found.children)
	if t.below != nil {
		w.stack = append(w.stack, t.below)
	}
	return w.visitor.visit(t.found)
}

// queue is a heap of families by the place of their first name in the order of visits.
type queue []*family

func (q queue) Len() int           { return len(q) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool { return q[i].before(q[j]) }
func (q *queue) Push(x any)        { *q = append(*q, x.(*family)) }

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}

// before compares the paths of the first names of two families without
// building them. The order of visits is that of bytes, but with the slash
// before all others: what lies below /a comes before /a-b.
func (f *family) before(g *family) bool {
	if f.dir == g.dir {
		return f.names[0] < g.names[0]
	}
	a, b := f.dir, g.dir
	for i := range len(a) + len(f.names[0]) {
		if i == len(b)+len(g.names[0]) {
			return false
		}
		x, y := f.at(i), g.at(i)
		if x != y {
			return x == '/' || y != '/' && x < y
		}
	}
	return true
}

func (f *family) at(i int) byte {
	if i < len(f.dir) {
		return f.dir[i]
	}
	return f.names[0][i-len(f.dir)]
}
