package txnlog

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// zxids reads the whole file, and tells how it ended.
func zxids(file []byte) (got []uint64, end error) {
	r := NewReader("log.1", bytes.NewReader(file))
	for r.Next() {
		got = append(got, r.Record().Zxid)
	}
	return got, r.End()
}

func threeRecords() []byte {
	return logFile(createTxn(1, "/a", "one"), createTxn(2, "/b", "two").digest(-5), createTxn(3, "/c", "three").digest(7))
}

// TestTruncatedAtEveryByte holds a half-written record apart from a damaged one.
func TestTruncatedAtEveryByte(t *testing.T) {
	two := len(logFile(createTxn(1, "/a", "one"), createTxn(2, "/b", "two").digest(-5)))
	whole := threeRecords()
	for _, padding := range []int{0, 1, 11, 200, 5000, 300_000} {
		for cut := two; cut <= len(whole); cut++ {
			file := padded(whole[:cut], padding)
			r := NewReader("log.1", bytes.NewReader(file))
			var got []uint64
			for r.Next() {
				got = append(got, r.Record().Zxid)
			}
			if r.Err() != nil {
				t.Fatalf("cut at %d, %d zeros: Err() = %v", cut, padding, r.Err())
			}
			want, torn := []uint64{1, 2}, cut > two
			if cut == len(whole) {
				want, torn = append(want, 3), false
			}
			if !slices.Equal(got, want) {
				t.Fatalf("cut at %d, %d zeros: zxids %v", cut, padding, got)
			}
			// The checksum begins with four zeros, which nobody can tell from padding.
			if err := r.End(); errors.Is(err, ErrTorn) != (torn && cut > two+4) || !torn && err != nil {
				t.Fatalf("cut at %d, %d zeros: End() = %v", cut, padding, err)
			}
		}
	}
}
