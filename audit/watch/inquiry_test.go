package watch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// oracle is a server that answers inquiries as it is told.
type oracle struct {
	t        testing.TB
	zxid     int64
	changed  map[string][]int32 // Events by path.
	answer   func(o *oracle, op int32, body *decoder) []byte
	mu       sync.Mutex
	sessions int
	ended    int
	batches  [][]string
	since    []audit.Zxid
	open     sync.WaitGroup
}

func (o *oracle) source() *Source {
	return New(Options{Logger: log.NewNopLogger(), Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		o.open.Go(func() { o.serve(far) })
		return near, nil
	}})
}

// serve answers one connection until it ends.
func (o *oracle) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	if _, err := readFrame(in, maxFrame); err != nil {
		return
	}
	o.mu.Lock()
	o.sessions++
	o.mu.Unlock()
	reply := framed(connected(10_000, 7))
	for {
		if _, err := conn.Write(reply); err != nil || reply == nil {
			return
		}
		raw, err := readFrame(in, maxFrame)
		if err != nil {
			return
		}
		d := &decoder{rest: raw[4:]}
		xid, op := d.int32(), d.int32()
		reply = o.reply(xid, op, d)
	}
}

func (o *oracle) reply(xid, op int32, d *decoder) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.answer != nil {
		if reply := o.answer(o, op, d); reply != nil {
			return reply
		}
	}
	var reply []byte
	switch op {
	case opSync:
		return framed(header(xid, o.zxid, 0).text("/"))
	case opSetWatches:
		o.since = append(o.since, audit.Zxid(d.int64()))
		data, exist, children := d.strings(), d.strings(), d.strings()
		if !slices.Equal(data, children) || len(exist) > 0 || d.err != nil || len(d.rest) > 0 {
			o.t.Errorf("asked for the data of %d, the existence of %d and the children of %d, %v", len(data), len(exist), len(children), d.err)
		}
		o.batches = append(o.batches, data)
		for _, path := range data {
			for _, event := range o.changed[path] {
				reply = append(reply, framed(notification(-1, event, path))...)
			}
		}
	case opCloseSession:
		o.ended++
	}
	return append(reply, framed(header(xid, o.zxid, 0))...)
}

func TestChangedSince(t *testing.T) {
	o := &oracle{t: t, zxid: 20, changed: map[string][]int32{
		"/data": {eventDataChanged}, "/gone": {eventDeleted, eventDeleted},
		"/both": {eventDataChanged, eventChildrenChanged}, "/children": {eventChildrenChanged},
	}}
	q, err := o.source().inquire(t.Context(), "x:1", 20)
	if err != nil {
		t.Fatal(err)
	}
	got, err := q.changedSince(5, 20, []string{"/same", "/data", "/gone", "/both", "/children"})
	if err != nil {
		t.Fatal(err)
	}
	want := []hit{{"/data", false}, {"/gone", false}, {"/both", true}, {"/children", true}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(hit{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	q.end()
	o.open.Wait()
	if o.ended != 1 || o.since[0] != 5 {
		t.Errorf("%d sessions ended, asked since %v", o.ended, o.since)
	}
}

func TestInquiryRefuses(t *testing.T) {
	setWatches := func(reply []byte) func(*oracle, int32, *decoder) []byte {
		return func(_ *oracle, op int32, _ *decoder) []byte {
			if op != opSetWatches {
				return nil
			}
			return reply
		}
	}
	whole := framed(header(xidSetWatches, 20, 0))
	for name, test := range map[string]struct {
		zxid   int64
		answer func(*oracle, int32, *decoder) []byte
		want   error
		text   string
	}{
		"a server that is behind": {zxid: 19, want: errBehind},
		"one that falls behind":   {zxid: 20, answer: setWatches(framed(header(xidSetWatches, 19, 0))), want: errBehind},
		"no such operation":       {zxid: 20, answer: setWatches(framed(header(xidSetWatches, 20, errUnimplemented))), text: "code -6"},
		"hangs up":                {zxid: 20, answer: setWatches([]byte{}), want: io.EOF},
		"cut within a frame":      {zxid: 20, answer: setWatches(whole[:len(whole)-3]), want: io.ErrUnexpectedEOF},
		"a frame of 4 GiB":        {zxid: 20, answer: setWatches([]byte{255, 255, 255, 255}), want: errTooLarge},
		"an empty frame":          {zxid: 20, answer: setWatches([]byte{0, 0, 0, 0}), want: errShort},
		"a path of 1 GiB":         {zxid: 20, answer: setWatches(framed(header(xidNotification, -1, 0).int32(1).int32(3).int32(1 << 30))), want: errShort},
		"an answer to another":    {zxid: 20, answer: setWatches(framed(header(4, 20, 0))), want: errTalkative},
		"endless notifications":   {zxid: 20, answer: setWatches(bytes.Repeat(framed(notification(-1, eventDeleted, "/a")), 3)), want: errTalkative},
	} {
		t.Run(name, func(t *testing.T) {
			o := &oracle{t: t, zxid: test.zxid, answer: test.answer}
			hangUp := errors.Is(test.want, io.EOF) || errors.Is(test.want, io.ErrUnexpectedEOF)
			s := o.source()
			if hangUp {
				s = o.hangingUp(test.answer)
			}
			q, err := s.inquire(t.Context(), "x:1", 20)
			if err == nil {
				_, err = q.changedSince(5, 20, []string{"/a"})
				q.abandon()
			}
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want %v%s", err, test.want, test.text)
			}
			o.open.Wait()
		})
	}
}

// hangingUp is a source of a server that closes the connection behind its
// answer to SetWatches.
func (o *oracle) hangingUp(answer func(*oracle, int32, *decoder) []byte) *Source {
	s := o.source()
	s.Dial = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		o.open.Go(func() {
			o.serveTo(far, opSetWatches)
			_, _ = far.Write(answer(o, opSetWatches, nil))
			far.Close()
		})
		return near, nil
	}
	return s
}

// serveTo answers up to the first request of an operation.
func (o *oracle) serveTo(conn net.Conn, last int32) {
	in := bufio.NewReader(conn)
	for reply := framed(connected(10_000, 7)); ; {
		raw, err := readFrame(in, maxFrame)
		if err != nil {
			return
		}
		if d := (&decoder{rest: raw[4:]}); len(raw) > 12 && reply == nil {
			xid, op := d.int32(), d.int32()
			if op == last {
				return
			}
			reply = o.reply(xid, op, d)
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
		reply = nil
	}
}

// TestInquiryIntroducesItself: before it asks for anything.
func TestInquiryIntroducesItself(t *testing.T) {
	for code, want := range map[int32]error{0: nil, -115: ErrCredentialsRefused} {
		var ops []string
		o := &oracle{t: t, zxid: 20, answer: func(_ *oracle, op int32, d *decoder) []byte {
			if op != opAuth {
				ops = append(ops, fmt.Sprint(op))
				return nil
			}
			_ = d.int32()
			ops = append(ops, fmt.Sprintf("%s %s", d.string(), d.buffer()))
			return framed(header(xidAuth, 0, code))
		}}
		s := o.source()
		s.Auth = func() ([]Credential, error) { return []Credential{{"digest", []byte("u:p")}}, nil }
		q, err := s.inquire(t.Context(), "x:1", 20)
		if !errors.Is(err, want) {
			t.Errorf("code %d: error %v", code, err)
		}
		if q != nil {
			q.abandon()
		}
		o.open.Wait()
		if ops[0] != "digest u:p" {
			t.Errorf("asked %v", ops)
		}
	}
}

// compareAll runs a comparison over n known znodes and returns the orders that
// it gave, and its error.
func compareAll(t *testing.T, o *oracle, n int) (orders []order, err error) {
	t.Helper()
	known := newLedger()
	for i := range n {
		known.nodes["/r/"+pad(i)] = audit.Stat{}
	}
	told := make(chan order)
	c := &comparison{
		source: o.source(), known: known, orders: told, address: "x:1", since: 5, atLeast: 20,
		wants: func(path string) bool { return path != "/r/"+pad(1) },
	}
	ended := make(chan error)
	go func() { ended <- c.run(t.Context()) }()
	for {
		select {
		case o := <-told:
			orders = append(orders, o)
		case err := <-ended:
			o.open.Wait()
			return orders, err
		}
	}
}

// TestComparisonIsPortioned: neither a batch nor a session grows with the tree.
func TestComparisonIsPortioned(t *testing.T) {
	const n = 120_000
	o := &oracle{t: t, zxid: 20}
	orders, err := compareAll(t, o, n)
	if err != nil {
		t.Fatal(err)
	}
	paths := 0
	for _, batch := range o.batches {
		size := 0
		for _, path := range batch {
			size += 2 * (4 + len(path))
		}
		if size > batchBytes {
			t.Errorf("a batch of %d bytes", size)
		}
		paths += len(batch)
	}
	if paths != n-1 || len(orders) != len(o.batches) {
		t.Errorf("asked for %d paths in %d batches, and told of %d", paths, len(o.batches), len(orders))
	}
	if o.sessions != 3 || o.ended != 3 {
		t.Errorf("%d sessions, of which %d were closed", o.sessions, o.ended)
	}
}

// TestComparisonTriesAgain: a connection may be lost; a server that refuses
// always does.
func TestComparisonTriesAgain(t *testing.T) {
	for refusals, want := range map[int]bool{askTries - 1: true, askTries: false} {
		left := refusals
		o := &oracle{t: t, zxid: 20, answer: func(_ *oracle, op int32, _ *decoder) []byte {
			if op == opSetWatches && left > 0 {
				left--
				return framed(header(xidSetWatches, 20, errUnimplemented))
			}
			return nil
		}}
		if _, err := compareAll(t, o, 10); (err == nil) != want {
			t.Errorf("%d refusals: error %v", refusals, err)
		}
		if want && (len(o.batches) != 1 || len(o.batches[0]) != 9) {
			t.Errorf("asked for %v", o.batches)
		}
	}
}

// FuzzInquiry: whatever a server sends, an inquiry ends, and tells only of what
// it asked for.
func FuzzInquiry(f *testing.F) {
	for _, sent := range [][]byte{
		framed(header(xidSetWatches, 20, 0)),
		slices.Concat(framed(notification(-1, eventDeleted, "/a")), framed(notification(-1, eventChildrenChanged, "/b")), framed(header(xidSetWatches, 20, 0))),
		slices.Concat(framed(notification(21, eventDeleted, "/of/an/earlier/batch")), framed(header(xidSetWatches, 20, -6))),
		{255, 255, 255, 255},
		{0, 0, 0, 0},
		{},
		framed(header(xidNotification, -1, 0).int32(1).int32(3).int32(1 << 30)),
		framed(header(4, 20, 0)), framed(connected(1, 1)),
	} {
		f.Add(sent)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		near, far := net.Pipe()
		defer near.Close()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		go func() {
			_, _ = far.Write(sent)
			far.Close()
		}()
		q := &inquiry{conn: near, in: bufio.NewReader(near), release: func() bool { return true }}
		paths := []string{"/a", "/b", "/a/c"}
		hits, err := q.changedSince(5, 20, paths)
		if err != nil && hits != nil {
			t.Errorf("error %v with hits", err)
		}
		seen := map[string]bool{}
		for _, h := range hits {
			if seen[h.path] || !slices.Contains(paths, h.path) {
				t.Errorf("told of %q", h.path)
			}
			seen[h.path] = true
		}
	})
}
