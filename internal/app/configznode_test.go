package app

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/fourletter/fourlettertest"
	"zkwarden/internal/zktest"
)

// Where only srvr is whitelisted, as it is by default, the members come from the
// znode: with their addresses, or with the port of the own server, or alone.
func TestLiveMembersFromTheZnode(t *testing.T) {
	whitelist := map[string]string{"4lw.commands.whitelist": "srvr"}
	for name, tc := range map[string]struct {
		options zktest.Options
		want    []string
	}{
		"dynamic": {zktest.Options{Servers: 3, Observers: 1, Dynamic: true, Config: whitelist}, []string{
			"zookeeper_ensemble_members 4", "zookeeper_ensemble_voters 3", "zookeeper_ensemble_voters_serving 3",
			"zookeeper_ensemble_leaders 1", "zookeeper_ensemble_quorum 1", "zookeeper_ensemble_members_reached 4",
		}},
		// All on one host, so that nobody can tell their ports.
		"static":     {zktest.Options{Servers: 3, Config: whitelist}, []string{"zookeeper_ensemble_members 3", "zookeeper_ensemble_voters 3"}},
		"standalone": {zktest.Options{Config: whitelist}, []string{"zookeeper_ensemble_members 1", "zookeeper_ensemble_members_reached 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			ensemble := zktest.Start(t, tc.options)
			url := startSidecar(t, func(*Options) {}, ensemble.Addrs()[0])
			has(t, bodyOf(t, url+"/metrics"), append(tc.want, `zookeeper_ensemble_membership{source="znode"} 1`)...)
		})
	}
}

// Whatever answers instead of ZooKeeper, reading ends with its context.
func TestConfigOfAnythingElse(t *testing.T) {
	for name, addr := range map[string]string{
		"nothing listens": fourlettertest.Closed(t),
		"hangs":           fourlettertest.Serve(t, fourlettertest.Hang),
		"closes":          fourlettertest.Serve(t, func(net.Conn) {}),
		"a long frame":    fourlettertest.Serve(t, func(c net.Conn) { _, _ = io.WriteString(c, "\x7f\xff\xff\xff"); fourlettertest.Hang(c) }),
		"garbage":         fourlettertest.Serve(t, fourlettertest.HangAfter(strings.Repeat("\x00\x00\x00\x10garbage, garbage", 10))),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			begin := time.Now()
			if got, err := (ConfigZnode{addr, &fourletter.Dialer{}}).ReadConfig(ctx); err == nil {
				t.Errorf("read %q", got)
			}
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("took %s with half a second to go", took)
			}
		})
	}
}
