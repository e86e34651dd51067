// Package sinktest holds what every sink has to pass. It promises that a sink
// which passes delivers whole lines, byte for byte, in order, each at least
// once, and keeps nothing of the lines it was given.
package sinktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// Harness is a sink and the far end that it delivers to.
type Harness struct {
	Sink audit.Sink

	// Refuse makes the far end fail from now on, in the middle of a line if
	// it can, or lets it work again.
	Refuse func(refuse bool)

	// Received returns all that arrived, one element a line, the way a
	// reader at the far end finds them.
	Received func() []string
}

// Test runs the contract. Each case gets a harness of its own, at whose far
// end nothing arrived yet.
func Test(t *testing.T, start func(t *testing.T) Harness) {
	cases := []struct {
		name string
		run  func(t *testing.T, h Harness)
	}{
		{"delivers lines byte for byte and in order", deliversAll},
		{"keeps nothing of the lines", keepsNothing},
		{"reports a far end that refuses", reportsRefusal},
		{"delivers at least once after a refusal", deliversAfterRefusal},
		{"takes more lines after a refusal than before", deliversMoreAfterRefusal},
		{"takes other lines after a refusal", deliversOthersAfterRefusal},
		{"returns when the context has ended", endsWithContext},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, start(t)) })
	}
}

func deliversAll(t *testing.T, h Harness) {
	t.Helper()
	deliver(t, h, 1, 3)
	deliver(t, h, 4, 4)
	deliver(t, h, 5, 516)
	compare(t, h, 516)
}

func keepsNothing(t *testing.T, h Harness) {
	t.Helper()
	for seq := uint64(1); seq <= 20; seq++ {
		batch := lines(seq, seq)
		if err := h.Sink.Deliver(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		overwrite(batch)
	}
	compare(t, h, 20)
}

func reportsRefusal(t *testing.T, h Harness) {
	t.Helper()
	h.Refuse(true)
	if err := h.Sink.Deliver(t.Context(), lines(1, 3)); err == nil {
		t.Error("Deliver returned nil for lines that nobody took")
	}
}

func deliversAfterRefusal(t *testing.T, h Harness) {
	t.Helper()
	deliver(t, h, 1, 2)
	refused(t, h, 3, 8)
	refused(t, h, 3, 8)
	deliver(t, h, 3, 8)
	deliver(t, h, 9, 10)
	compare(t, h, 10)
}

func deliversMoreAfterRefusal(t *testing.T, h Harness) {
	t.Helper()
	refused(t, h, 1, 4)
	deliver(t, h, 1, 9)
	compare(t, h, 9)
}

// deliversOthersAfterRefusal is a pump that reads its lines anew and gets
// them in smaller batches.
func deliversOthersAfterRefusal(t *testing.T, h Harness) {
	t.Helper()
	refused(t, h, 1, 9)
	for seq := uint64(1); seq <= 10; seq++ {
		deliver(t, h, seq, seq)
	}
	compare(t, h, 10)
}

func endsWithContext(t *testing.T, h Harness) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Sink.Deliver(ctx, lines(1, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver returned %v, want %v", err, context.Canceled)
	}
	deliver(t, h, 1, 1)
	compare(t, h, 1)
}

func deliver(t *testing.T, h Harness, from, to uint64) {
	t.Helper()
	if err := h.Sink.Deliver(t.Context(), lines(from, to)); err != nil {
		t.Fatalf("deliver %d to %d: %v", from, to, err)
	}
}

func refused(t *testing.T, h Harness, from, to uint64) {
	t.Helper()
	h.Refuse(true)
	batch := lines(from, to)
	if err := h.Sink.Deliver(t.Context(), batch); err == nil {
		t.Fatal("Deliver returned nil for lines that nobody took")
	}
	overwrite(batch)
	h.Refuse(false)
}

// compare wants the lines from 1 to n at the far end, in the order of their
// first arrival, and nothing that is no line.
func compare(t *testing.T, h Harness, n uint64) {
	t.Helper()
	var want, got []string
	for _, line := range lines(1, n) {
		want = append(want, string(line.JSON))
	}
	seen := map[string]bool{}
	for _, line := range h.Received() {
		if !seen[line] {
			got = append(got, line)
		}
		seen[line] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines at the far end (-want +got):\n%s", diff)
	}
}

// lines makes lines of all sizes, with bytes that a careless sink would
// change on the way.
func lines(from, to uint64) []audit.Line {
	var made []audit.Line
	for seq := from; seq <= to; seq++ {
		pad := strings.Repeat("x", int(seq*seq%4096))
		text := fmt.Sprintf(`{"schema":"zkwarden/v1","seq":%d,"path":"/a<b>&\"\\  %%s 漢","pad":"%s"}`, seq, pad)
		made = append(made, audit.Line{Seq: seq, JSON: []byte(text)})
	}
	return made
}

func overwrite(batch []audit.Line) {
	for _, line := range batch {
		for i := range line.JSON {
			line.JSON[i] = '!'
		}
	}
}
