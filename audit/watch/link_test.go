package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// tapped is a link and the other end of its connection.
func tapped(t testing.TB, newest uint64) (*link, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	var z atomic.Uint64
	z.Store(newest)
	l := newLink(near, &z)
	t.Cleanup(func() { l.Close(); far.Close() })
	return l, far
}

// serve sends all of it in pieces, and then hangs up.
func serve(far net.Conn, sent []byte, piece int) {
	go func() {
		defer far.Close()
		for len(sent) > 0 {
			n, err := far.Write(sent[:min(piece, len(sent))])
			if err != nil {
				return
			}
			sent = sent[n:]
		}
	}()
}

// ask makes the link remember a request.
func (l *link) ask(xid, op int32, path string) { l.pending[xid] = request{op: op, path: path} }

func TestLinkHandsOverWholeFrames(t *testing.T) {
	large := strings.Repeat("x", 3*frameStep)
	sent := framed(connected(4000, 1))
	for _, body := range []jute{
		header(xidPing, 7, 0), header(5, 8, 0).text(large).stat(someStat), notification(9, eventDeleted, "/a"), header(6, 9, errNoNode),
	} {
		sent = append(sent, framed(body)...)
	}
	for name, test := range map[string]struct {
		piece int
		taker func(io.Reader) io.Reader
	}{
		"at once":          {len(sent), func(r io.Reader) io.Reader { return r }},
		"odd pieces":       {4097, func(r io.Reader) io.Reader { return r }},
		"taken by bytes":   {1 << 20, iotest.OneByteReader},
		"taken by halves":  {1 << 20, iotest.HalfReader},
		"one byte a write": {1, func(r io.Reader) io.Reader { return r }},
	} {
		t.Run(name, func(t *testing.T) {
			sent, large := sent, large
			if test.piece == 1 { // A pipe is slow at that.
				large = "short"
				sent = bytes.Join([][]byte{framed(connected(4000, 1)), framed(header(xidPing, 7, 0)), framed(header(5, 8, 0).text(large).stat(someStat)), framed(notification(9, eventDeleted, "/a")), framed(header(6, 9, errNoNode))}, nil)
			}
			l, far := tapped(t, 3)
			l.ask(5, opGetData, "/a")
			serve(far, sent, test.piece)
			got, err := io.ReadAll(test.taker(l))
			if err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("the client received %d of %d bytes, %v", len(got), len(sent), err)
			}
			frames, ended := l.frames.drain(nil)
			var xids []int32
			for _, fr := range frames {
				xids = append(xids, fr.xid)
			}
			if diff := cmp.Diff([]int32{xidPing, 5, xidNotification, 6}, xids); diff != "" || !ended || !l.accepted() {
				t.Fatalf("ended %v, accepted %v, frames (-want +got):\n%s", ended, l.accepted(), diff)
			}
			if string(frames[1].node.Data) != large || frames[1].path != "/a" || len(l.pending) != 0 || l.newest.Load() != 9 {
				t.Errorf("%d bytes of %s, %d requests pending, newest %d", len(frames[1].node.Data), frames[1].path, len(l.pending), l.newest.Load())
			}
		})
	}
}

// TestLinkRefuses: the client sees nothing of a frame that is not sound.
func TestLinkRefuses(t *testing.T) {
	greeting := framed(connected(4000, 1))
	length := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	cases := map[string]struct {
		sound, broken []byte
		want          error
	}{
		"a length of zero":           {greeting, length(0), errShort},
		"a negative length":          {greeting, length(0xffffffff), errTooLarge},
		"the most negative length":   {greeting, length(0x80000000), errTooLarge},
		"a byte too much":            {greeting, length(maxFrame + 1), errTooLarge},
		"garbage":                    {greeting, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), errTooLarge},
		"garbage at once":            {nil, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), errTooLarge},
		"a frame cut off":            {greeting, length(100), io.EOF},
		"a frame cut off in it":      {greeting, append(length(100), 1), io.ErrUnexpectedEOF},
		"a short connect response":   {nil, framed(connected(4000, 1)[:12]), errShort},
		"a password beyond the end":  {nil, framed(jute(nil).int32(0).int32(4000).int64(1).int32(17)), errShort},
		"a timeout that would panic": {nil, framed(connected(0, 1)), nil},
		"a negative timeout":         {nil, framed(connected(-1, 1)), nil},
	}
	for name, body := range malformed {
		cases[name] = struct {
			sound, broken []byte
			want          error
		}{greeting, framed(body), errShort}
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			l, far := tapped(t, 0)
			for xid := range int32(7) {
				l.ask(xid, pendingOps(xid).op, "/a")
			}
			serve(far, append(bytes.Clone(test.sound), test.broken...), 1<<20)
			got := make([]byte, len(test.sound))
			if _, err := io.ReadFull(l, got); err != nil || !bytes.Equal(got, test.sound) {
				t.Fatalf("the sound part: %x, %v", got, err)
			}
			n, err := l.Read(make([]byte, 1<<20))
			if n != 0 || err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("Read() = %d, %v; want %v", n, err, test.want)
			}
			if frames, ended := l.frames.drain(nil); len(frames) != 0 || !ended {
				t.Errorf("frames %+v, ended %v", frames, ended)
			}
		})
	}
}

// TestLengthsAreNotBelieved: memory is taken as bytes arrive.
func TestLengthsAreNotBelieved(t *testing.T) {
	l, far := tapped(t, 0)
	serve(far, binary.BigEndian.AppendUint32(nil, maxFrame), 4)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := l.Read(make([]byte, 1)); err == nil {
		t.Fatal("half a frame was read")
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4*frameStep {
		t.Errorf("four bytes took %d bytes of memory", took)
	}
}

func FuzzLink(f *testing.F) {
	f.Add(framed(connected(4000, 1)))
	f.Add(append(framed(connected(4000, 1)), framed(notification(9, eventDeleted, "/a"))...))
	f.Add(append(framed(connected(4000, 0)), 0, 0, 0, 0))
	f.Add(binary.BigEndian.AppendUint32(nil, maxFrame))
	f.Fuzz(func(t *testing.T, sent []byte) {
		l, far := tapped(t, 0)
		serve(far, sent, 1<<20)
		got, err := io.ReadAll(l)
		if !bytes.HasPrefix(sent, got) {
			t.Fatalf("the client received what was not sent")
		}
		for rest := got; len(rest) > 0; {
			size := 4 + int(binary.BigEndian.Uint32(rest))
			if size > len(rest) {
				t.Fatalf("the client received a part of a frame before %v", err)
			}
			rest = rest[size:]
		}
	})
}

// TestExpiredSession: the client forgets such a connection without closing it.
func TestExpiredSession(t *testing.T) {
	l, far := tapped(t, 0)
	go func() {
		_, _ = far.Write(framed(connected(0, 0))) // The check is on the reading side.
	}()
	got := make([]byte, len(framed(connected(0, 0))))
	if _, err := io.ReadFull(l, got); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write([]byte{0}); err == nil {
		t.Error("the connection is open")
	}
	if _, ended := l.frames.drain(nil); !ended || l.accepted() {
		t.Errorf("ended %v, accepted %v", ended, l.accepted())
	}
}

func TestLinkWrites(t *testing.T) {
	connect := jute(nil).int32(0).int64(5).int32(4000).int64(1).text("0123456789abcdef")
	patched := jute(nil).int32(0).int64(0x100000007).int32(4000).int64(1).text("0123456789abcdef")
	same := func(body jute) [2]jute { return [2]jute{body, body} }
	for name, test := range map[string]struct {
		bodies [2]jute // As the client writes it, and as the server must read it.
		want   request // What is remembered of it.
	}{
		"a watch":                   {[2]jute{requestBody(9, opSync, "/.zkwarden.addWatch/a/b"), requestBody(9, 106, "/a/b", 0, 0, 0, 1)}, request{op: opAddWatch, path: "/a/b"}},
		"a watch on the root":       {[2]jute{requestBody(9, opSync, "/.zkwarden.addWatch"), requestBody(9, 106, "/", 0, 0, 0, 1)}, request{op: opAddWatch, path: "/"}},
		"a check of a watch":        {[2]jute{requestBody(9, opSync, "/.zkwarden.checkWatches/a"), requestBody(9, 17, "/a", 0, 0, 0, 3)}, request{op: opCheckWatches, path: "/a"}},
		"a sync":                    {same(requestBody(9, opSync, "/")), request{op: opSync, path: "/"}},
		"a sync of another path":    {same(requestBody(9, opSync, "/a/.zkwarden.addWatch")), request{op: opSync, path: "/a/.zkwarden.addWatch"}},
		"a read of the carrier":     {same(requestBody(9, opGetData, "/.zkwarden.addWatch/a", 0)), request{op: opGetData, path: "/.zkwarden.addWatch/a"}},
		"a list of children":        {same(requestBody(9, opGetChildren2, "/a", 0)), request{op: opGetChildren2, path: "/a"}},
		"a delete of the carrier":   {same(requestBody(9, 2, "/.zkwarden.addWatch/a", 0, 0, 0, 1)), request{op: 2}},
		"setWatches":                {same(jute(nil).int32(9).int32(101).int64(3).int32(1).text("/a").int32(0).int32(0)), request{op: 101}},
		"setWatches by Java's xid":  {same(jute(nil).int32(-8).int32(101).int64(3).int32(0).int32(0).int32(0)), request{}},
		"a ping":                    {same(jute(nil).int32(xidPing).int32(11)), request{}},
		"credentials":               {same(jute(nil).int32(-4).int32(100).int32(0).text("digest").text("user:secret")), request{}},
		"a path beyond the request": {same(jute(nil).int32(9).int32(opSync).int32(1 << 20)), request{op: opSync}},
	} {
		t.Run(name, func(t *testing.T) {
			l, far := tapped(t, 0x100000007)
			want := append(framed(patched), framed(test.bodies[1])...)
			received := make(chan []byte, 1)
			go func() {
				got := make([]byte, len(want))
				n, _ := io.ReadFull(far, got) // A short read shows in the comparison.
				received <- got[:n]
			}()
			for _, frame := range [][]byte{framed(connect), framed(test.bodies[0])} {
				written := bytes.Clone(frame)
				if n, err := l.Write(written); n != len(frame) || err != nil || !bytes.Equal(written, frame) {
					t.Errorf("Write() = %d, %v; the client's buffer changed: %v", n, err, !bytes.Equal(written, frame))
				}
			}
			l.Close()
			if diff := cmp.Diff(want, <-received); diff != "" {
				t.Errorf("bytes on the wire (-want +got):\n%s", diff)
			}
			if got := l.pending[9]; got != test.want {
				t.Errorf("remembered %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestCarrier(t *testing.T) {
	for root, want := range map[string]string{"/": "/.zkwarden.addWatch", "/a": "/.zkwarden.addWatch/a"} {
		got := carrier(watchCarrier, root)
		if op, back := carried(got); got != want || !followable(got) || op != opAddWatch || back != root {
			t.Errorf("carrier(%s) = %s, carries %d for %s", root, got, op, back)
		}
	}
}

// TestOverflow: the reading goroutine never waits for the source.
func TestOverflow(t *testing.T) {
	q := newQueue()
	for i := range maxQueued {
		if !q.push(frame{xid: int32(i)}) {
			t.Fatalf("frame %d was refused", i)
		}
	}
	if q.push(frame{}) || !q.overflowed() || q.push(frame{}) {
		t.Error("a full queue takes frames")
	}
	<-q.ready
	if frames, ended := q.drain(nil); len(frames) != maxQueued || !ended {
		t.Errorf("%d frames, ended %v", len(frames), ended)
	}
}
