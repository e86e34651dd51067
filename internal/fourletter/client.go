package fourletter

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The caps on a reply where [Client.MaxBytes] is 0. A server never forgets a
// namespace, and mntr has ten lines of each: 157,000 of them have been seen
// (apache/zookeeper pull request 2165), which is some 90 MB. Replies that long
// are for [Client.Open] and a parser that keeps little.
const (
	DefaultMaxBytes     = 8 << 20   // Of all words but mntr.
	DefaultMaxMntrBytes = 128 << 20 // Of mntr.
)

// ConnDialer opens the connection of one ask. [Dialer] is one.
type ConnDialer interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client asks four-letter words. It is safe for concurrent use.
type Client struct {
	Dialer   ConnDialer
	MaxBytes int64 // Longest reply that is read; 0: DefaultMaxBytes or DefaultMaxMntrBytes.
}

// Open connects to addr (host:port), sends word and returns the reply once its
// beginning shows that it is one. The context bounds the ask up to the end of
// the reply, not only Open; one without deadline or cancel can wait for ever.
// The caller closes the reply. Every error is an [*Error].
func (c *Client) Open(ctx context.Context, addr string, word Word) (io.ReadCloser, error) {
	if !word.valid() {
		return nil, &Error{Word: word, Addr: addr, Reason: Unparsable, Err: errors.New("not a word that may be sent")}
	}
	conn, err := c.Dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, &Error{Word: word, Addr: addr, Reason: dialReason(ctx, err), Err: err}
	}
	r := newReply(ctx, conn, word, addr, c.maxBytes(word))
	if _, err := conn.Write([]byte(word.String())); err != nil {
		_ = r.Close() // The error of writing is the one to tell.
		return nil, r.fail(fmt.Errorf("write: %w", err))
	}
	if err := r.refusal(); err != nil {
		_ = r.Close() // The refusal is the one to tell.
		return nil, err
	}
	return r, nil
}

// Ask is Open for the words whose reply is small: it returns the reply whole.
func (c *Client) Ask(ctx context.Context, addr string, word Word) ([]byte, error) {
	r, err := c.Open(ctx, addr, word)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (c *Client) maxBytes(word Word) int64 {
	switch {
	case c.MaxBytes > 0:
		return c.MaxBytes
	case word == Mntr:
		return DefaultMaxMntrBytes
	}
	return DefaultMaxBytes
}

// reply is the stream of one answer. Its errors are of type *Error.
type reply struct {
	ctx  context.Context
	conn net.Conn
	stop func() bool // Ends the watch over ctx.
	word Word
	addr string
	max  int64
	raw  int64 // Bytes taken from the connection.
	buf  *bufio.Reader
}

func newReply(ctx context.Context, conn net.Conn, word Word, addr string, limit int64) *reply {
	r := &reply{ctx: ctx, conn: conn, word: word, addr: addr, max: limit}
	r.buf = bufio.NewReader(receiver{r})
	// A deadline in the past wakes a blocked read, for a deadline as for a cancel.
	r.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return r
}

// Read returns the next bytes of the reply, and io.EOF at its end.
func (r *reply) Read(p []byte) (int, error) { return r.buf.Read(p) }

// Close gives the connection back.
func (r *reply) Close() error {
	r.stop()
	return r.conn.Close()
}

// receiver reads from the connection, counts, and turns failures into *Error.
type receiver struct{ r *reply }

func (v receiver) Read(p []byte) (int, error) {
	// One byte beyond the cap tells a reply that just fits from one that does not.
	r, n := v.r, len(p)
	if room := r.max - r.raw + 1; int64(n) > room {
		n = int(room)
	}
	n, err := r.conn.Read(p[:n])
	r.raw += int64(n)
	if r.raw > r.max {
		return n, &Error{Word: r.word, Addr: r.addr, Reason: TooLarge, Err: fmt.Errorf("more than %d bytes", r.max)}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, r.fail(fmt.Errorf("read reply: %w", err))
	}
	return n, err
}

// fail classifies an error of the open connection.
func (r *reply) fail(err error) error {
	reason := Truncated
	var remote *net.OpError
	switch {
	case isTimeout(r.ctx, err):
		reason = Timeout
	case errors.As(err, &remote) && remote.Op == "remote error":
		// With TLS 1.3 the server judges our certificate after our side of the
		// handshake is done, so that its alert meets the first read.
		reason = TLS
	case r.raw == 0:
		reason = EmptyReply
	}
	return &Error{Word: r.word, Addr: r.addr, Reason: reason, Err: err}
}

func dialReason(ctx context.Context, err error) Reason {
	switch {
	case isTimeout(ctx, err):
		return Timeout
	case errors.Is(err, ErrTLS):
		return TLS
	}
	return Refused
}

func isTimeout(ctx context.Context, err error) bool {
	var timeout net.Error
	return ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout()
}
