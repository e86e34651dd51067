package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zkwarden/internal/zktest"

	"github.com/go-zookeeper/zk"
)

// BenchmarkTree prints 100,000 znodes of a real server, and beside it walks
// them bare: the same client, the same reads and as many under way, but no
// order and no output. The two take turns, so that both see the same server.
func BenchmarkTree(b *testing.B) {
	ensemble, err := zktest.Launch(b.Context(), zktest.Options{JVM: []string{"-Xmx1g"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ensemble.Close() })
	addr := ensemble.Servers()[0].Addr()
	s, err := openSession(b.Context(), sessionOptions(addr))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.close)

	shapes := []struct {
		name   string
		levels []int // Children of each znode, level by level.
	}{
		{"flat", []int{100_000}},
		{"families", []int{100, 1000}},
		{"small-families", []int{10, 10, 10, 10, 10}},
	}
	for _, shape := range shapes {
		root := "/" + shape.name
		paths := grow(b, s.conn, root, shape.levels)
		b.Run(shape.name, func(b *testing.B) {
			var bare, tree time.Duration
			for b.Loop() {
				bare += timed(b, paths, func() (int, error) { return bareWalk(s.conn, root) })
				tree += timed(b, paths, func() (int, error) {
					var lines lineCounter
					err := Tree(b.Context(), TreeOptions{Session: sessionOptions(addr), Path: root, Depth: -1}, &lines)
					return int(lines), err
				})
			}
			read := float64(paths * b.N)
			b.ReportMetric(read/bare.Seconds(), "bare-znodes/s")
			b.ReportMetric(read/tree.Seconds(), "tree-znodes/s")
			b.ReportMetric(bare.Seconds()/tree.Seconds(), "tree/bare")
		})
	}
}

// grow creates root with levels of children below it and returns how many znodes that are.
func grow(b *testing.B, conn *zk.Conn, root string, levels []int) int {
	b.Helper()
	create(b, conn, root, "", 0, zk.WorldACL(zk.PermAll))
	parents, count := []string{root}, 1
	for _, n := range levels {
		var children []string
		for _, parent := range parents {
			for i := range n {
				children = append(children, fmt.Sprintf("%s/%05d", parent, i))
			}
		}
		createAll(b, conn, children)
		parents = children
		count += len(children)
	}
	return count
}

func timed(b *testing.B, want int, walk func() (int, error)) time.Duration {
	b.Helper()
	start := time.Now()
	got, err := walk()
	if err != nil || got != want {
		b.Fatalf("walked %d of %d znodes: %v", got, want, err)
	}
	return time.Since(start)
}

// bareWalk reads the children of every znode at and below root with window
// goroutines and returns how many there are.
func bareWalk(conn *zk.Conn, root string) (int, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var mu sync.Mutex
	changed := sync.NewCond(&mu)
	todo, count, busy := []string{root}, 0, 0
	var workers sync.WaitGroup
	for range window {
		workers.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for {
				for len(todo) == 0 && busy > 0 && ctx.Err() == nil {
					changed.Wait()
				}
				if len(todo) == 0 || ctx.Err() != nil {
					changed.Broadcast()
					return
				}
				path := todo[len(todo)-1]
				todo = todo[:len(todo)-1]
				count++
				busy++
				mu.Unlock()
				names, _, err := conn.Children(path)
				mu.Lock()
				busy--
				if err != nil {
					cancel(err)
				}
				todo = slices.Grow(todo, len(names))
				for _, name := range names {
					todo = append(todo, path+"/"+name)
				}
				if len(names) > 0 || busy == 0 {
					changed.Broadcast()
				}
			}
		})
	}
	workers.Wait()
	return count, context.Cause(ctx)
}

// lineCounter counts the lines that are written to it.
type lineCounter int

func (l *lineCounter) Write(p []byte) (int, error) {
	*l += lineCounter(strings.Count(string(p), "\n"))
	return len(p), nil
}

var _ io.Writer = (*lineCounter)(nil)
