package app

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// names are such as people and careless programs choose.
var modelNames = []string{
	"a", "b", "config", "topic.with-dots_and-dashes", "with blank", " leading", "quote\"and\\backslash", "ünïcode-漢字",
	"{json:\"like\"}", "[glob]*?", "%s%d", "ab", "abc", "0",
}

// modelWriter makes random changes below root whatever becomes of them: the
// servers' logs tell what really happened.
type modelWriter struct {
	rng  *rand.Rand
	conn *zk.Conn
	root string
}

func (w *modelWriter) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			w.step()
		}
	}
}

// path is one to four levels below the root, most often a shallow one.
func (w *modelWriter) path() string {
	path := w.root + "/" + w.name()
	for depth := 0; depth < 3 && w.rng.IntN(3) == 0; depth++ {
		path += "/" + w.name()
	}
	return path
}

func (w *modelWriter) name() string { return modelNames[w.rng.IntN(len(modelNames))] }

func (w *modelWriter) data() []byte {
	switch n := w.rng.IntN(200); {
	case n == 0:
		return []byte(strings.Repeat("big ", 1<<18-256))
	case n < 20:
		return nil
	case n < 40:
		return []byte{}
	case n < 60:
		return []byte{0xff, 0xfe, 0, byte(n)}
	default:
		return fmt.Appendf(nil, "%d %s", w.rng.Uint64(), strings.Repeat("x", w.rng.IntN(100)))
	}
}

func (w *modelWriter) acl() []zk.ACL {
	if w.rng.IntN(4) == 0 {
		return append(zk.DigestACL(zk.PermRead, "user", "secret"), zk.WorldACL(zk.PermAll)...)
	}
	return zk.WorldACL(zk.PermAll)
}

// step makes one request. Most of its errors are the point of it.
func (w *modelWriter) step() {
	path := w.path()
	switch n := w.rng.IntN(100); {
	case n < 30:
		_, _ = w.conn.Create(path, w.data(), 0, w.acl())
	case n < 34:
		_, _ = w.conn.Create(path+"-", w.data(), zk.FlagSequence, w.acl())
	case n < 38:
		_, _ = w.conn.CreateContainer(path, w.data(), zk.FlagContainer, w.acl())
	case n < 42:
		_, _ = w.conn.CreateTTL(path, w.data(), zk.FlagTTL, w.acl(), 300*time.Millisecond)
	case n < 44:
		_, _ = w.conn.Create(path, w.data(), zk.FlagEphemeral, w.acl())
	case n < 62:
		_, _ = w.conn.Set(path, w.data(), -1)
	case n < 68:
		_, _ = w.conn.Set(w.root, w.data(), -1) // Everybody's hot znode.
	case n < 82:
		_ = w.conn.Delete(path, -1)
	case n < 86:
		_, _ = w.conn.SetACL(path, w.acl(), -1)
	case n < 92:
		w.recreate(path)
	default:
		w.multi(path)
	}
}

// recreate leaves a path as it was but for its incarnation.
func (w *modelWriter) recreate(path string) {
	if w.conn.Delete(path, -1) == nil {
		_, _ = w.conn.Create(path, w.data(), 0, w.acl())
	}
}

// multi makes the same path come, change and go within one transaction, more
// than once at times, and fails at its end at times.
func (w *modelWriter) multi(path string) {
	acl := zk.WorldACL(zk.PermAll)
	ops := []any{
		&zk.CreateRequest{Path: path, Data: w.data(), Acl: acl},
		&zk.SetDataRequest{Path: path, Data: w.data(), Version: -1},
	}
	if w.rng.IntN(2) == 0 {
		ops = append(ops, &zk.DeleteRequest{Path: path, Version: -1})
		if w.rng.IntN(2) == 0 {
			ops = append(ops, &zk.CreateRequest{Path: path, Data: w.data(), Acl: acl})
		}
	}
	if w.rng.IntN(4) == 0 {
		ops = append(ops, &zk.CheckVersionRequest{Path: path, Version: 77})
	}
	_, _ = w.conn.Multi(ops...)
}

// modelSession is a session that dies: closed in order, or left to expire.
func modelSession(rng *rand.Rand, root string, addrs []string) {
	d := &mortalDialer{}
	conn, events, err := zk.Connect(addrs, 2*time.Second, zk.WithLogger(quietLogger{}), zk.WithLogInfo(false), zk.WithDialer(d.dial))
	if err != nil {
		return
	}
	w := &modelWriter{rng: rng, conn: conn, root: root}
	for range 1 + rng.IntN(4) {
		_, _ = conn.Create(w.path(), w.data(), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	}
	if rng.IntN(2) == 0 {
		d.die()
	}
	closeClient(conn, events)
}

// mortalDialer loses its connections when it dies, and makes no more.
type mortalDialer struct {
	mu    sync.Mutex
	dead  bool
	conns []net.Conn
}

func (d *mortalDialer) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, net.ErrClosed
	}
	conn, err := net.DialTimeout(network, address, timeout)
	if err == nil {
		d.conns = append(d.conns, conn)
	}
	return conn, err
}

func (d *mortalDialer) die() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	for _, conn := range d.conns {
		conn.Close()
	}
}
