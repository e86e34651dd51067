package watch

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"zkwarden/audit"
)

const (
	// inquiryTimeout bounds each answer, and is the timeout of the session.
	inquiryTimeout = 10 * time.Second
	// farewellTimeout bounds the wait for the server to end the session.
	farewellTimeout = time.Second
	// maxNotice bounds one frame that answers an inquiry: a path and some
	// fields at most.
	maxNotice = 128 << 10
)

var (
	errBehind    = errors.New("the server is behind the one that is watched")
	errTalkative = errors.New("the server tells of more than it was asked")
	errNoInquiry = errors.New("the server accepted the connection, but no session")
)

// hit is a path that changed, as an inquiry tells it.
type hit struct {
	path     string
	children bool // Whether children came or went.
}

// inquiry is a session that asks a server what changed and is thrown away: the
// request that asks, SetWatches, leaves a watch on whatever did not change,
// until the session ends. It has a connection of its own, as the answers would
// mix with the notifications of the session that watches.
type inquiry struct {
	conn    net.Conn
	in      *bufio.Reader
	release func() bool // Ends the link between the connection and its context.

	asked   int // Paths asked for.
	noticed int // Notifications received: at most two a path.
}

// inquire opens a session at address for as long as ctx lasts. The server has
// applied everything through atLeast by then.
func (s *Source) inquire(ctx context.Context, address string, atLeast audit.Zxid) (*inquiry, error) {
	var auth []Credential
	if s.Auth != nil {
		var err error
		if auth, err = s.Auth(); err != nil {
			return nil, err
		}
	}
	dialing, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	conn, err := s.Dial(dialing, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	q := &inquiry{conn: conn, in: bufio.NewReader(conn)}
	q.release = context.AfterFunc(ctx, func() { _ = conn.Close() })
	if err := q.open(auth, atLeast); err != nil {
		q.abandon()
		return nil, fmt.Errorf("open a session at %s: %w", address, err)
	}
	return q, nil
}

// open presents nothing as the last zxid seen, so that a server that lags is
// not one that refuses. The answer to Sync shows how far it is.
func (q *inquiry) open(auth []Credential, atLeast audit.Zxid) error {
	hello := start(0)
	hello = binary.BigEndian.AppendUint32(hello, 0) // Protocol version.
	hello = binary.BigEndian.AppendUint64(hello, 0) // Last zxid seen.
	hello = binary.BigEndian.AppendUint32(hello, uint32(inquiryTimeout.Milliseconds()))
	hello = binary.BigEndian.AppendUint64(hello, 0) // A new session.
	hello = appendText(hello, string(make([]byte, 16)))
	hello = append(hello, 0) // A server that only reads is as good as none.
	if err := q.send(hello, inquiryTimeout); err != nil {
		return err
	}
	raw, err := readFrame(q.in, maxNotice)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoInquiry, err)
	}
	d := decoder{rest: raw[4:]}
	_, _, session := d.int32(), d.int32(), d.int64()
	if d.err != nil || session == 0 {
		return errNoInquiry
	}
	if err := q.introduce(auth); err != nil {
		return err
	}
	reply, err := q.exchange(appendText(appendHeader(start(1), 1, opSync), "/"), 1, nil)
	if err != nil {
		return err
	}
	return answers(reply, atLeast)
}

// introduce presents the credentials and waits until all are accepted.
func (q *inquiry) introduce(auth []Credential) error {
	if len(auth) == 0 {
		return nil
	}
	if err := q.write(authFrames(auth), inquiryTimeout); err != nil {
		return err
	}
	for range auth {
		reply, err := q.await(xidAuth, nil)
		if err != nil {
			return err
		}
		if err := authAnswer(reply.code); err != nil {
			return err
		}
	}
	return nil
}

// changedSince returns which of the paths, at most a batch, changed after
// since: they are gone, their data are newer, or their children are. The
// server has applied everything through atLeast.
func (q *inquiry) changedSince(since, atLeast audit.Zxid, paths []string) ([]hit, error) {
	p := appendHeader(start(batchBytes), xidSetWatches, opSetWatches)
	p = binary.BigEndian.AppendUint64(p, uint64(since))
	p = appendTexts(p, paths) // Whose data changed?
	p = appendTexts(p, nil)   // Which exists now?
	p = appendTexts(p, paths) // Whose children changed?
	q.asked += len(paths)

	places := make(map[string]int, len(paths))
	for _, path := range paths {
		places[path] = -1
	}
	var hits []hit
	reply, err := q.exchange(p, xidSetWatches, func(fr frame) {
		at, asked := places[fr.path]
		if !asked {
			return // A watch that an earlier batch left. The other session is told as well.
		}
		if at < 0 {
			at = len(hits)
			places[fr.path] = at
			hits = append(hits, hit{path: fr.path})
		}
		if fr.event == eventChildrenChanged {
			hits[at].children = true
		}
	})
	if err == nil {
		err = answers(reply, atLeast)
	}
	if err != nil {
		return nil, err
	}
	return hits, nil
}

func answers(reply frame, atLeast audit.Zxid) error {
	if reply.code != 0 {
		return fmt.Errorf("server answered code %d", reply.code)
	}
	if reply.zxid < atLeast {
		return fmt.Errorf("%w: at %v, not %v", errBehind, reply.zxid, atLeast)
	}
	return nil
}

// exchange sends a frame and reads up to the reply with the given xid.
func (q *inquiry) exchange(p []byte, xid int32, noticed func(frame)) (frame, error) {
	if err := q.send(p, inquiryTimeout); err != nil {
		return frame{}, err
	}
	return q.await(xid, noticed)
}

// await reads up to the reply with the given xid. The server sends what a
// request caused before that.
func (q *inquiry) await(xid int32, noticed func(frame)) (frame, error) {
	for {
		raw, err := readFrame(q.in, maxNotice)
		if err != nil {
			return frame{}, fmt.Errorf("read answer: %w", err)
		}
		fr, err := decodeFrame(raw[4:], func(int32) request { return request{} })
		switch {
		case err != nil:
			return frame{}, err
		case fr.xid == xid:
			return fr, nil
		case fr.xid != xidNotification:
			return frame{}, fmt.Errorf("%w: xid %d", errTalkative, fr.xid)
		}
		if q.noticed++; q.noticed > 2*q.asked {
			return frame{}, errTalkative
		}
		if noticed != nil {
			noticed(fr)
		}
	}
}

// send puts the length before a frame, whose first four bytes are left for it.
func (q *inquiry) send(p []byte, timeout time.Duration) error {
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	return q.write(p, timeout)
}

// write also bounds the time for the answers.
func (q *inquiry) write(p []byte, timeout time.Duration) error {
	if err := q.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := q.conn.Write(p); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	return nil
}

// end closes the session, so that the server drops its watches now and not
// when it expires.
func (q *inquiry) end() {
	defer q.abandon()
	if q.send(appendHeader(start(0), 2, opCloseSession), farewellTimeout) != nil {
		return
	}
	for {
		raw, err := readFrame(q.in, maxNotice)
		if err != nil || len(raw) >= 8 && int32(binary.BigEndian.Uint32(raw[4:])) == 2 {
			return
		}
	}
}

// abandon closes the connection, as after an error.
func (q *inquiry) abandon() {
	q.release()
	_ = q.conn.Close()
}

// start is a frame of about the given size, with room for its length.
func start(size int) []byte { return make([]byte, 4, size+64) }

func appendHeader(p []byte, xid, op int32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(p, uint32(xid)), uint32(op))
}

func appendText(p []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(p, uint32(len(text))), text...)
}

func appendTexts(p []byte, texts []string) []byte {
	p = binary.BigEndian.AppendUint32(p, uint32(len(texts)))
	for _, text := range texts {
		p = appendText(p, text)
	}
	return p
}
