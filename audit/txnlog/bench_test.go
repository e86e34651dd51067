package txnlog

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zkwarden/internal/zktest"
)

// benchTxns is long enough to hide the start of a virtual machine.
const benchTxns = 1_000_000

// benchLog writes a log of setData transactions whose payloads have 200 bytes.
func benchLog(b *testing.B) File {
	b.Helper()
	path := filepath.Join(b.TempDir(), "log.1")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	write := func(content []byte) {
		if _, err := w.Write(content); err != nil {
			b.Fatal(err)
		}
	}
	write(logFile())
	for zxid := range int64(benchTxns) {
		payload := header(zxid+1, TypeSetData).str(fmt.Sprintf("/bench/znode-%08d", zxid%10_000))
		payload = payload.str(strings.Repeat("d", 200-len(payload)-4-4-digestSize)).i32(int32(zxid)).digest(zxid)
		if len(payload) != 200 {
			b.Fatalf("payload of %d bytes", len(payload))
		}
		write(record(payload))
	}
	write(make([]byte, 1<<20))
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	return File{Path: path, Zxid: 1}
}

// BenchmarkDecode decodes the same file with this package, on one core, and
// with ZooKeeper's toolkit, which also prints.
func BenchmarkDecode(b *testing.B) {
	file := benchLog(b)
	b.Run("zkwarden", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			count, bytes := 0, 0
			for txn, err := range Records([]File{file}) {
				if err != nil {
					b.Fatal(err)
				}
				count++
				bytes += len(txn.Ops[0].Data)
			}
			if count != benchTxns {
				b.Fatalf("%d transactions", count)
			}
		}
		b.ReportMetric(float64(b.N)*benchTxns/b.Elapsed().Seconds(), "txn/s")
	})
	b.Run("toolkit", func(b *testing.B) {
		class, flags := toolkit{zktest.Default}.class()
		for b.Loop() {
			tool, err := zktest.Tool(b.Context(), zktest.Default, class, append(flags, file.Path)...)
			if err != nil {
				b.Fatal(err)
			}
			if err := tool.Run(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*benchTxns/b.Elapsed().Seconds(), "txn/s")
	})
}

// BenchmarkDigests follows the tree's digest, transaction by transaction.
func BenchmarkDigests(b *testing.B) {
	file := benchLog(b)
	digests := NewDigests()
	for i := range 10_000 {
		digests.Add(&Node{Path: fmt.Appendf(nil, "/bench/znode-%08d", i)})
	}
	for b.Loop() {
		for txn, err := range Records([]File{file}) {
			if err != nil {
				b.Fatal(err)
			}
			for _, op := range txn.Changes() {
				digests.Change(txn.Header, op)
			}
		}
	}
	b.ReportMetric(float64(b.N)*benchTxns/b.Elapsed().Seconds(), "txn/s")
}

// BenchmarkSnapshot reads a snapshot of a million znodes with 100 bytes each.
func BenchmarkSnapshot(b *testing.B) {
	const znodes = 1_000_000
	content := builder(magicSnapshot).i32(2).i64(-1).i32(0).i32(0)
	for i := range znodes {
		content = content.node(fmt.Sprintf("/bench/%d", i), strings.Repeat("x", 100), noACL, 0)
	}
	content = content.str("/").seal()
	for b.Loop() {
		if paths, err := readSnapshot(strings.NewReader(string(content))); err != nil || len(paths) != znodes {
			b.Fatalf("%d znodes, %v", len(paths), err)
		}
	}
	b.ReportMetric(float64(b.N)*znodes/b.Elapsed().Seconds(), "znodes/s")
}
