package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// errNoRecursiveWatch means that the server does not offer persistent
// recursive watches: it is older than ZooKeeper 3.6, or it runs the optimized
// watch manager. The next connection to it does without.
var errNoRecursiveWatch = errors.New("server has no persistent recursive watches")

// askAnew is how long a server of unknown version is taken for one without
// recursive watches. Asking costs a connection: it hangs up over the question.
const askAnew = time.Hour

// lack is what is remembered of a server without recursive watches.
type lack struct {
	version string // As the server said, or empty.
	since   time.Time
	used    bool // Whether a connection did without them since the server was asked.
}

// remember notes that the server of a link has no recursive watches.
func (t *tracker) remember(ctx context.Context, address string) {
	version := t.source.version(ctx, address)
	t.lacks[address] = lack{version: version, since: time.Now()}
	level.Warn(t.source.Logger).Log("msg", "server has no persistent recursive watches, falling back to one-shot watches on every znode", "server", address, "version", version)
}

// withoutRecursive reports whether the server is known to have no recursive
// watches, and its version where it says so. One that was upgraded is asked
// anew, and so is one that lacks them by its configuration alone: it may have
// been started with another one, so every second connection to it asks.
func (t *tracker) withoutRecursive(ctx context.Context, address string) (version string, lacks bool) {
	known, lacks := t.lacks[address]
	if !lacks {
		return "", false
	}
	version = t.source.version(ctx, address)
	switch {
	case version != known.version,
		version == "" && time.Since(known.since) >= askAnew,
		known.used && couldWatch(version):
		delete(t.lacks, address)
		t.unasked = false
		return "", false
	}
	known.used = true
	t.lacks[address] = known
	return version, true
}

// couldWatch reports whether servers of a version have recursive watches, unless
// they run the optimized watch manager: those since ZooKeeper 3.6.
func couldWatch(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && (major > 3 || major == 3 && minor >= 6)
}

// version asks a server for its version, which the session does not tell.
func (s *Source) version(ctx context.Context, address string) string {
	if s.Version == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return s.Version(ctx, address)
}

// choose decides how this link observes. A session never holds both kinds of
// watches: before ZooKeeper 3.9 a one-shot watch that fires takes the recursive
// one on the same znode along (ZOOKEEPER-4466). Watches belong to connections,
// so the next one may decide otherwise.
func (f *follower) choose(ctx context.Context) {
	f.mode = audit.Mode{Name: audit.ModeRecursive}
	if version, lacks := f.withoutRecursive(ctx, f.link.address); lacks {
		f.mode = audit.Mode{Name: audit.ModeOneShot, Server: version}
		f.shots = newShots(f)
		f.link.oneShot.Store(true)
		if strings.HasPrefix(version, "3.4.") {
			f.unasked = true // It would hang up over the question, which is of 3.5.
		}
	}
}

// announce returns the news of how the source observes from here on, where it
// is news.
func (f *follower) announce() []*item {
	f.source.metrics.observing(f.mode.Name)
	if f.mode == f.announced {
		return nil
	}
	return []*item{{other: f.mode, done: true}}
}
