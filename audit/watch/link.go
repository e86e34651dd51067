package watch

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxFrame bounds one message of a server. Lists of children have no
	// limit of their own; 17 MB have been seen in the field.
	maxFrame = 64 << 20
	// frameStep is how much of a frame is allocated before its bytes arrive.
	frameStep = 1 << 20

	// watchCarrier and checkCarrier mark the Sync requests that the link turns
	// into addWatch and checkWatches.
	watchCarrier = "/.zkwarden.addWatch"
	checkCarrier = "/.zkwarden.checkWatches"

	modePersistentRecursive = 1
	// watcherAny is the one type of checkWatches that finds recursive watches
	// on every version: those of their own are known since 3.9 only.
	watcherAny = 3
)

var errTooLarge = errors.New("frame is too large")

// link is one connection to a server, tapped. Client and source share it: the
// client reads and writes, the source drains the queue.
type link struct {
	net.Conn
	address string         // host:port as it was dialled; empty where nobody asks.
	newest  *atomic.Uint64 // The last zxid that any link was told of; nil to leave that to the client.
	frames  *queue

	credentials []Credential // To be presented before anything else.
	broken      func(error)  // Told why the link ended; or nil.
	oneShot     atomic.Bool  // Whether reads set watches.
	confirmed   atomic.Bool  // Whether the source has its watches on this link.
	expired     atomic.Bool  // Whether the server told that the session is over.

	in        *bufio.Reader // Owned by the client's reading goroutine.
	rest      []byte        // What the client has not taken of the current frame.
	handshake bool          // Whether the connect response was read.

	greeted    bool // Whether the connect request was written; owned by the writing goroutine, like the next.
	introduced bool // Whether the credentials were.

	mu      sync.Mutex
	pending map[int32]request
}

// newLink taps conn. newest is what the server is told to have been seen: it
// refuses the session when it is behind that (ZooKeeperServer.java). What the
// server tells takes its place, so that the next connection, which the client
// makes at once, finds no server that would tell the same again.
func newLink(conn net.Conn, newest *atomic.Uint64) *link {
	return &link{
		Conn: conn, newest: newest, frames: newQueue(),
		in: bufio.NewReaderSize(conn, 64<<10), pending: map[int32]request{},
	}
}

// Guard returns conn such that the client library sees only whole frames that
// can be decoded: what it takes on trust, a hostile server could turn into a
// panic or into all of the memory.
//
// broken, unless it is nil, is told why the connection ended, among it
// [ErrAuthDemanded], which the library has no name for. It must not block.
func Guard(conn net.Conn, broken func(error)) net.Conn {
	l := newLink(conn, nil)
	l.frames.discard, l.broken = true, broken
	return l
}

// Read hands the client whole frames that were checked, in as many steps as
// it likes.
func (l *link) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		raw, err := l.nextFrame()
		if err != nil {
			l.frames.fail(err)
			if l.broken != nil {
				l.broken(err)
			}
			return 0, err
		}
		l.rest = raw
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// nextFrame returns the next frame that is the client's business: it did not
// present the credentials, and would log what is answered to them.
func (l *link) nextFrame() ([]byte, error) {
	for {
		raw, err := readFrame(l.in, maxFrame)
		if err != nil {
			return nil, err
		}
		own, err := l.note(raw[4:])
		if err != nil {
			return nil, err
		}
		if !own {
			return raw, nil
		}
	}
}

// readFrame returns length and body. It allocates as bytes arrive, not as
// the length claims.
func readFrame(in io.Reader, limit int64) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(length[:]))
	if size > limit {
		return nil, fmt.Errorf("%w: %d bytes", errTooLarge, size)
	}
	raw := append(make([]byte, 0, 4+min(size, frameStep)), length[:]...)
	for left := size; left > 0; {
		step := min(left, frameStep)
		start := len(raw)
		raw = append(raw, make([]byte, step)...)
		if _, err := io.ReadFull(in, raw[start:]); err != nil {
			return nil, err
		}
		left -= step
	}
	return raw, nil
}

// note decodes a frame and queues it for the source. It reports whether the
// frame answers what the link itself has asked.
func (l *link) note(body []byte) (own bool, err error) {
	if !l.handshake {
		l.handshake = true
		return false, l.connectResponse(body)
	}
	f, err := decodeFrame(body, l.answered)
	switch {
	case err != nil:
		return false, err
	case f.code == errAuthDemanded:
		return false, ErrAuthDemanded
	case f.xid == xidAuth && len(l.credentials) > 0:
		return true, authAnswer(f.code)
	}
	if f.zxid != 0 && l.newest != nil {
		l.newest.Store(uint64(f.zxid)) // Less than before on a server that was restored.
	}
	if !l.frames.push(f) {
		return false, errors.New("the source does not keep up")
	}
	return false, nil
}

// connectResponse reads protocol version, timeout and session id. A session id
// of zero means that the session has expired; the client then forgets the
// connection without closing it.
func (l *link) connectResponse(body []byte) error {
	d := decoder{rest: body}
	_, timeout, session := d.int32(), d.int32(), d.int64()
	_ = d.buffer() // The session's password.
	if d.err != nil {
		return fmt.Errorf("decode connect response: %w", d.err)
	}
	if session == 0 {
		l.expired.Store(true)
		l.frames.close()
		return l.Conn.Close()
	}
	if timeout <= 0 {
		return fmt.Errorf("session timeout of %d ms is none", timeout) // The client would panic on it.
	}
	l.frames.open()
	return nil
}

func (l *link) answered(xid int32) request {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.pending[xid]
	delete(l.pending, xid)
	return r
}

// Write receives one whole frame a call, as the client makes them.
func (l *link) Write(p []byte) (int, error) {
	var frame []byte
	switch {
	case !l.greeted:
		l.greeted = true
		frame = l.connectRequest(p)
	case !l.introduced:
		// What is asked before the credentials are there is refused.
		l.introduced = true
		frame = append(authFrames(l.credentials), l.outbound(p)...)
	default:
		frame = l.outbound(p)
	}
	if _, err := l.Conn.Write(frame); err != nil {
		return 0, err
	}
	return len(p), nil
}

// connectRequest patches the last zxid seen, which follows the length and the
// protocol version: the client counts replies only, and would accept a server
// that is behind the notifications already seen.
func (l *link) connectRequest(p []byte) []byte {
	if len(p) < 16 || l.newest == nil {
		return p
	}
	patched := append([]byte(nil), p...)
	binary.BigEndian.PutUint64(patched[8:], l.newest.Load())
	return patched
}

// outbound remembers a request, and rewrites a marked Sync.
func (l *link) outbound(p []byte) []byte {
	if len(p) < 12 {
		return p
	}
	d := decoder{rest: p[4:]}
	xid := d.int32()
	r := request{op: d.int32()}
	switch r.op {
	case opExists, opGetData, opGetChildren2:
		r.path = d.string()
		if l.oneShot.Load() && len(d.rest) == 1 {
			p = append([]byte(nil), p...)
			p[len(p)-1] = 1 // Whether to leave a watch.
		}
	case opGetACL:
		r.path = d.string()
	case opSync:
		r.path = d.string()
		if op, root := carried(r.path); op != 0 {
			r = request{op: op, path: root}
			p = watchFrame(xid, r)
		}
	}
	if xid >= 0 {
		l.mu.Lock()
		l.pending[xid] = r
		l.mu.Unlock()
	}
	return p
}

// carried returns what a marked Sync asks for, or zero for any other.
func carried(path string) (op int32, root string) {
	if rest, marked := strings.CutPrefix(path, watchCarrier); marked {
		op, root = opAddWatch, rest
	} else if rest, marked := strings.CutPrefix(path, checkCarrier); marked {
		op, root = opCheckWatches, rest
	}
	if op != 0 && root == "" {
		root = "/"
	}
	return op, root
}

// watchFrame is a request about the watch on a root; the two have one layout.
func watchFrame(xid int32, r request) []byte {
	kind := uint32(modePersistentRecursive)
	if r.op == opCheckWatches {
		kind = watcherAny
	}
	p := make([]byte, 4, 20+len(r.path))
	p = binary.BigEndian.AppendUint32(p, uint32(xid))
	p = binary.BigEndian.AppendUint32(p, uint32(r.op))
	p = binary.BigEndian.AppendUint32(p, uint32(len(r.path)))
	p = append(p, r.path...)
	p = binary.BigEndian.AppendUint32(p, kind)
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	return p
}

// expect closes the link unless the server accepts the session in time.
func (l *link) expect(timeout time.Duration) {
	time.AfterFunc(timeout, func() {
		if !l.accepted() {
			_ = l.Close() // Nothing more is expected of it.
		}
	})
}

// accepted reports whether the server accepted the session.
func (l *link) accepted() bool {
	select {
	case <-l.frames.opened:
		return true
	default:
		return false
	}
}

// carrier is the path of the Sync that carries a request about a root.
func carrier(prefix, root string) string {
	if root == "/" {
		return prefix
	}
	return prefix + root
}

// Close ends the connection, for the client and for the source.
func (l *link) Close() error {
	l.frames.close()
	return l.Conn.Close()
}
