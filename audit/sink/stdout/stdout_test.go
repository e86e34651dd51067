package stdout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"zkwarden/audit"
	"zkwarden/audit/sink/sinktest"
	"zkwarden/audit/sink/stdout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stream is a writer that takes only so many more bytes, and then fails or,
// which no writer should, says nothing.
type stream struct {
	bytes.Buffer
	writes  int
	limited bool
	room    int
	silent  bool
}

func (s *stream) Write(b []byte) (int, error) {
	s.writes++
	if !s.limited || len(b) <= s.room {
		s.room -= len(b)
		return s.Buffer.Write(b)
	}
	n, _ := s.Buffer.Write(b[:s.room])
	s.room = 0
	if s.silent {
		return n, nil
	}
	return n, errors.New("no space left on device")
}

func (s *stream) lines() []string {
	text := strings.TrimSuffix(s.String(), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// TestContract stops the stream at every interesting place: between lines, in
// the middle of one, and before a newline.
func TestContract(t *testing.T) {
	for _, room := range []int{0, 1, 30, 60, 61, 62, 63, 64, 65, 66, 120, 150} {
		for _, silent := range []bool{false, true} {
			t.Run(fmt.Sprintf("room %d silent %v", room, silent), func(t *testing.T) {
				sinktest.Test(t, func(*testing.T) sinktest.Harness {
					w := &stream{silent: silent}
					return sinktest.Harness{
						Sink:     stdout.New(w),
						Refuse:   func(refuse bool) { w.limited, w.room = refuse, room },
						Received: w.lines,
					}
				})
			})
		}
	}
}

// TestEveryByte stops the stream behind each byte of a batch, twice over, and
// wants the reader to find each line once and whole.
func TestEveryByte(t *testing.T) {
	batch := []audit.Line{{Seq: 7, JSON: []byte(`{"a":1}`)}, {Seq: 8, JSON: []byte(`{}`)}, {Seq: 9, JSON: []byte(`{"b":22}`)}}
	want := "{\"a\":1}\n{}\n{\"b\":22}\n"
	for first := range want {
		for second := range want[first:] {
			w := &stream{limited: true, room: first}
			s := stdout.New(w)
			if err := s.Deliver(t.Context(), batch); err == nil {
				t.Fatal("Deliver returned nil for half a batch")
			}
			w.room = second
			if err := s.Deliver(t.Context(), batch); err == nil {
				t.Fatal("Deliver returned nil for half a batch")
			}
			w.limited = false
			if err := s.Deliver(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, w.String()); diff != "" {
				t.Fatalf("stopped at %d and %d (-want +got):\n%s", first, first+second, diff)
			}
		}
	}
}

func TestOneWritePerBatch(t *testing.T) {
	w := &stream{}
	err := stdout.New(w).Deliver(context.Background(), []audit.Line{{Seq: 1, JSON: []byte("{}")}, {Seq: 2, JSON: []byte("{}")}})
	if err != nil || w.writes != 1 {
		t.Errorf("Deliver wrote %d times and returned %v, want one write and no error", w.writes, err)
	}
}

func TestShortWriteIsAnError(t *testing.T) {
	s := stdout.New(&stream{limited: true, room: 1, silent: true})
	err := s.Deliver(t.Context(), []audit.Line{{Seq: 1, JSON: []byte("{}")}})
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Deliver returned %v, want %v", err, io.ErrShortWrite)
	}
}
