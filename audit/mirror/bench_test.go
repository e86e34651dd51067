package mirror

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"zkwarden/audit"
)

// metadata is what a mirror at level metadata keeps of a typical znode.
func metadata(i int) Entry {
	return Entry{
		Czxid: audit.Zxid(0x500000000 + i), Version: int32(i % 1000),
		Content: &audit.Content{Size: new(i % 4096), Digest: digest},
		ACL:     []audit.ACL{{Perms: "cdrwa", Scheme: "world", ID: "anyone"}},
	}
}

func paths(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("/kafka/config/%03d/topic-%06d", i%317, i)
	}
	return all
}

// fill makes a mirror of n znodes, in the order in which a first sync shows
// them, and returns the bytes of their paths.
func fill(tb testing.TB, m *Mirror, n int) (pathBytes int) {
	tb.Helper()
	for i, path := range paths(n) {
		m.Add(path, metadata(i))
		pathBytes += len(path)
		if m.Dirty() == 8192 {
			commit(tb, m, Place{})
		}
	}
	commit(tb, m, Place{})
	return pathBytes
}

// BenchmarkMemory prints what 100,000 znodes at level metadata take of the
// process's memory beyond their paths: heap and mapped file, as the system
// counts them.
func BenchmarkMemory(b *testing.B) {
	const znodes = 100_000
	for b.Loop() {
		debug.FreeOSMemory()
		before := resident(b)
		m := newMirror(b)
		pathBytes := fill(b, m, znodes)
		for path := range m.Walk("/", -1) { // Every page has been looked at.
			m.Get(path)
		}
		debug.FreeOSMemory()
		b.ReportMetric(float64(resident(b)-before-int64(pathBytes))/znodes, "bytes/znode")
		m.Close()
	}
}

func resident(tb testing.TB) int64 {
	tb.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func BenchmarkWalk(b *testing.B) {
	const znodes = 100_000
	m := newMirror(b)
	fill(b, m, znodes)
	for i, path := range paths(4000) {
		m.Put(path, metadata(i+1))
	}
	for b.Loop() {
		n := 0
		for range m.Stats("/", -1) {
			n++
		}
		if n != znodes {
			b.Fatalf("%d znodes", n)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	m := newMirror(b)
	fill(b, m, 1_000_000)
	for b.Loop() {
		m, _ = reopen(b, m)
	}
}

// BenchmarkCommit changes 1,000 znodes of 100,000, as two seconds of a busy
// ensemble do.
func BenchmarkCommit(b *testing.B) {
	m := newMirror(b)
	fill(b, m, 100_000)
	all := paths(100_000)
	for b.Loop() {
		for range 1000 {
			m.Put(all[rand.N(len(all))], metadata(rand.N(math.MaxInt32)))
		}
		commit(b, m, Place{})
	}
}

func BenchmarkRewrite(b *testing.B) {
	m := newMirror(b)
	fill(b, m, 100_000)
	for b.Loop() {
		if err := m.Rewrite(Place{}, func(_ string, e Entry) (Entry, bool) { return e, true }); err != nil {
			b.Fatal(err)
		}
	}
}
