package history

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"go.uber.org/goleak"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/internal/zktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// silent is a logger for the client library.
type silent struct{}

func (silent) Printf(string, ...any) {}

// connect opens a session; lose cuts its connection for good.
func connect(t testing.TB, server *zktest.Server) (conn *zk.Conn, lose func()) {
	t.Helper()
	var current net.Conn
	lost := false
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		if lost {
			return nil, net.ErrClosed
		}
		var err error
		current, err = net.DialTimeout(network, address, timeout)
		return current, err
	}
	conn, events, err := zk.Connect([]string{server.Addr()}, 4*time.Second, zk.WithLogger(silent{}), zk.WithDialer(dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
			// Until its last goroutine has ended.
		}
	})
	if _, _, err := conn.Get("/"); err != nil { // Now the session is there.
		t.Fatal(err)
	}
	return conn, func() { lost = true; current.Close() }
}

// do runs one step of a history.
func do(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// opened is a history with its notes.
type opened struct {
	*History
	notes []string
}

func open(t testing.TB, paths ...string) *opened {
	t.Helper()
	h, err := Open(paths)
	if err != nil {
		t.Fatal(err)
	}
	o := &opened{History: h}
	h.Note = func(text string) { o.notes = append(o.notes, text) }
	return o
}

// told lists changes as text, with the sessions by name.
func (o *opened) told(ctx context.Context, options ChangesOptions, sessions map[int64]string) (lines []string, err error) {
	p, rule := policy.Unlimited(policy.LevelData, []byte("key"))
	for c, err := range o.Changes(ctx, options) {
		if err != nil {
			return lines, err
		}
		c.Describe(p, rule)
		lines = append(lines, line(c, sessions))
	}
	return lines, nil
}

// line tells a change that has been described.
func line(c *Change, sessions map[int64]string) string {
	text := fmt.Sprintf("%s %s", c.Op, c.Path)
	if c.Version != nil {
		text += fmt.Sprintf(" v%d", *c.Version)
	}
	if c.Aversion != nil {
		text += fmt.Sprintf(" a%d", *c.Aversion)
	}
	for _, content := range []*audit.Content{c.Before, c.After} {
		text += " " + shown(content)
	}
	if c.Cause != "" {
		text += " " + string(c.Cause)
	}
	if c.EphemeralOwner != 0 {
		text += " of " + sessions[int64(c.EphemeralOwner)]
	}
	if c.Actor != nil {
		text += " by " + sessions[int64(c.Actor.Session)]
	}
	if c.Czxid == 0 && c.Path != "/" && c.Path != "/zookeeper/config" {
		text += " older"
	}
	return text
}

func shown(c *audit.Content) string {
	switch {
	case c == nil:
		return "-"
	case c.Size == nil:
		return fmt.Sprintf("acl:%d", len(c.ACL))
	case c.Encoding == audit.EncodingNull:
		return "null"
	}
	return fmt.Sprintf("%q", c.Data)
}

// damage changes a copy of a file.
func damage(t testing.TB, path string, change func(content []byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(slices.Clone(content)), 0o600); err != nil {
		t.Fatal(err)
	}
}
