package watch

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// The answers follow the server, over one session that is made anew after the
// server was away; a server that is away has none.
func TestApplied(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{})
	server := ensemble.Server(1)
	a := NewApplied(Options{Servers: []string{server.Addr()}, Dial: new(net.Dialer).DialContext})
	defer a.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ask := func() audit.Zxid {
		t.Helper()
		zxid, err := a.Applied(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return zxid
	}
	first := ask()
	if first == 0 || ask() != first {
		t.Errorf("the answers are %v, and another one in a quiet ensemble", first)
	}
	other := NewApplied(Options{Servers: []string{server.Addr()}, Dial: new(net.Dialer).DialContext})
	if zxid, err := other.Applied(ctx); err != nil || zxid != first+1 {
		t.Errorf("after another session began: %v, %v", zxid, err)
	}
	if zxid := ask(); zxid != first+1 {
		t.Errorf("after another session began: %v", zxid)
	}
	other.Close()
	server.Kill()
	if zxid, err := a.Applied(ctx); err == nil {
		t.Errorf("a server that is away answers %v", zxid)
	}
	if err := errors.Join(server.Restart(ctx), ensemble.WaitServing(ctx)); err != nil {
		t.Fatal(err)
	}
	if zxid := ask(); zxid <= first {
		t.Errorf("after a restart: %v", zxid)
	}
	ended, end := context.WithCancel(ctx)
	end()
	if _, err := a.Applied(ended); err == nil {
		t.Error("a question that was given up has an answer")
	}
	ask()
}
