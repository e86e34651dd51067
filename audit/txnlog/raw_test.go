package txnlog

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// rawSession is a session whose requests are written by hand: what the client
// library cannot ask for, and a session that goes away without a word.
type rawSession struct {
	t    testing.TB
	conn net.Conn
	xid  int32
}

func openRaw(t testing.TB, addr string, timeout time.Duration) *rawSession {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &rawSession{t: t, conn: conn}
	s.send(builder{}.i32(0).i64(0).i32(int32(timeout.Milliseconds())).i64(0).str(string(make([]byte, 16))).bool(false))
	s.receive()
	return s
}

func (s *rawSession) send(body builder) {
	s.t.Helper()
	if err := s.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.conn.Write(append(builder{}.i32(int32(len(body))), body...)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *rawSession) receive() []byte {
	s.t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(s.conn, size[:]); err != nil {
		s.t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(s.conn, body); err != nil {
		s.t.Fatal(err)
	}
	return body
}

// request sends one and returns the error code of its reply.
func (s *rawSession) request(kind Type, body builder) int32 {
	s.t.Helper()
	s.xid++
	s.send(append(builder{}.i32(s.xid).i32(int32(kind)), body...))
	reply := s.receive()
	if len(reply) < 16 {
		s.t.Fatalf("reply of %d bytes", len(reply))
	}
	return int32(binary.BigEndian.Uint32(reply[12:]))
}

// must is request for what has to succeed.
func (s *rawSession) must(kind Type, body builder) {
	s.t.Helper()
	if code := s.request(kind, body); code != 0 {
		s.t.Fatal(fmt.Errorf("%v: error %d", kind, code))
	}
}
