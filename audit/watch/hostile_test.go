package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// TestCutAtEveryByte: however short the last frame is, the client sees whole
// ones alone, and the source what they say.
func TestCutAtEveryByte(t *testing.T) {
	frames := [][]byte{
		framed(connected(4000, 1)), framed(header(xidAuth, 0, 0)), framed(notification(9, eventDeleted, "/a")),
		framed(header(5, 10, 0).text("data").stat(someStat)), framed(header(xidPing, 11, 0)),
	}
	sent := bytes.Join(frames, nil)
	for n := range len(sent) {
		l, far := tapped(t, 0)
		l.credentials = []Credential{{"digest", []byte("u:p")}}
		l.ask(5, opGetData, "/a")
		serve(far, sent[:n], 1<<20)
		got, err := io.ReadAll(l)
		var want []byte
		whole, end := 0, 0
		for i, frame := range frames {
			if end += len(frame); end > n {
				break
			}
			whole++
			if i != 1 { // The answer to the credentials is the link's business.
				want = append(want, frame...)
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("cut behind %d bytes, the client received %x, want %x, %v", n, got, want, err)
		}
		told, ended := l.frames.drain(nil)
		if len(told) != max(0, whole-2) || !ended {
			t.Fatalf("cut behind %d bytes, %d frames are told of %d, ended %v", n, len(told), whole, ended)
		}
		l.Close()
		far.Close()
	}
}

// TestRefusedOnTheWire: what the link itself has to judge ends it, with a word
// why.
func TestRefusedOnTheWire(t *testing.T) {
	for name, test := range map[string]struct {
		body jute
		want error
	}{
		"credentials": {header(xidAuth, 0, -115), ErrCredentialsRefused},
		"a request":   {header(7, 0, errAuthDemanded), ErrAuthDemanded},
		"a ping":      {header(xidPing, 0, errAuthDemanded), ErrAuthDemanded},
	} {
		t.Run(name, func(t *testing.T) {
			l, far := tapped(t, 0)
			l.credentials = []Credential{{"digest", []byte("u:p")}}
			var told error
			l.broken = func(err error) { told = err }
			serve(far, append(framed(connected(4000, 1)), framed(test.body)...), 1<<20)
			_, err := io.ReadAll(l)
			for _, err := range []error{err, told, l.frames.why()} {
				if !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
			}
		})
	}
}

// TestIntroduction: the credentials stand between the connect request and
// whatever the client asks first, once.
func TestIntroduction(t *testing.T) {
	l, far := tapped(t, 0)
	l.credentials = []Credential{{"digest", []byte("u:p")}, {"x", []byte{0xff}}}
	connect := framed(jute(nil).int32(0).int64(0).int32(4000).int64(1).text("0123456789abcdef"))
	sync := framed(requestBody(9, opSync, "/"))
	want := bytes.Join([][]byte{
		connect,
		framed(jute(nil).int32(xidAuth).int32(opAuth).int32(0).text("digest").text("u:p")),
		framed(jute(nil).int32(xidAuth).int32(opAuth).int32(0).text("x").text("\xff")),
		sync, sync,
	}, nil)
	received := make(chan []byte, 1)
	go func() {
		got := make([]byte, len(want))
		n, _ := io.ReadFull(far, got) // A short read shows in the comparison.
		received <- got[:n]
	}()
	for _, frame := range [][]byte{connect, sync, sync} {
		if n, err := l.Write(frame); n != len(frame) || err != nil {
			t.Errorf("Write() = %d, %v", n, err)
		}
	}
	if got := <-received; !bytes.Equal(got, want) {
		t.Errorf("on the wire %x, want %x", got, want)
	}
}

// TestReadsLeaveWatches: on a link of the one-shot kind, and on no other.
func TestReadsLeaveWatches(t *testing.T) {
	for _, op := range []int32{opExists, opGetData, opGetChildren2} {
		l, _ := tapped(t, 0)
		plain := framed(requestBody(9, op, "/a", 0))
		if got := l.outbound(plain); !bytes.Equal(got, plain) {
			t.Errorf("operation %d becomes %x", op, got)
		}
		l.oneShot.Store(true)
		want := framed(requestBody(9, op, "/a", 1))
		if got := l.outbound(plain); !bytes.Equal(got, want) || plain[len(plain)-1] != 0 {
			t.Errorf("operation %d becomes %x, and the client's buffer %x", op, got, plain)
		}
	}
}

// FuzzOutbound: whatever the client writes stays one frame that is as long as
// it says.
func FuzzOutbound(f *testing.F) {
	f.Add([]byte(requestBody(9, opSync, watchCarrier+"/a")), true)
	f.Add([]byte(requestBody(9, opSync, checkCarrier)), false)
	f.Add([]byte(requestBody(9, opGetData, "/a", 0)), true)
	f.Add([]byte(requestBody(-2, 11, "")), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, body []byte, oneShot bool) {
		l := newLink(nil, nil)
		l.oneShot.Store(oneShot)
		sent := framed(body)
		kept := bytes.Clone(sent)
		got := l.outbound(sent)
		if !bytes.Equal(sent, kept) {
			t.Fatal("the client's buffer changed")
		}
		if len(got) < 4 || int(binary.BigEndian.Uint32(got)) != len(got)-4 {
			t.Fatalf("%x became %x", sent, got)
		}
		if len(body) >= 4 && !bytes.Equal(got[4:8], sent[4:8]) {
			t.Fatal("the xid changed")
		}
	})
}
