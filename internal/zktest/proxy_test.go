package zktest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// startFountain serves endless bytes to everybody.
func startFountain(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", hostPort(0))
	if err != nil {
		t.Fatal(err)
	}
	var workers sync.WaitGroup
	workers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			workers.Go(func() {
				defer conn.Close()
				drops := bytes.Repeat([]byte{1}, 1000)
				for err == nil {
					_, err = conn.Write(drops)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		workers.Wait()
	})
	return listener.Addr().String()
}

func startProxy(t *testing.T, target string) *Proxy {
	t.Helper()
	proxy, err := NewProxy(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestProxyCutAfter(t *testing.T) {
	proxy := startProxy(t, startFountain(t))
	for _, n := range []int64{1, 999, 1000, 12345} {
		proxy.CutAfter(n)
		got, err := io.Copy(io.Discard, dial(t, proxy.Addr()))
		if err != nil || got != n {
			t.Errorf("CutAfter(%d): %d bytes, then %v; want them and EOF", n, got, err)
		}
	}
	if _, err := io.CopyN(io.Discard, dial(t, proxy.Addr()), 100_000); err != nil {
		t.Errorf("a connection after the cut: %v", err)
	}
}

func TestProxyCutClosesOpenConnections(t *testing.T) {
	proxy := startProxy(t, startFountain(t))
	first, second := dial(t, proxy.Addr()), dial(t, proxy.Addr())
	for _, conn := range []net.Conn{first, second} {
		if _, err := io.CopyN(io.Discard, conn, 10); err != nil {
			t.Fatal(err)
		}
	}
	proxy.Cut()
	for _, conn := range []net.Conn{first, second} {
		if _, err := io.Copy(io.Discard, conn); err != nil && func() net.Error {
			var target net.Error
			_ = errors.As(err, &target)
			return target
		}().Timeout() {
			t.Errorf("a connection is open after Cut: %v", err)
		}
	}
}

func TestProxyRefuse(t *testing.T) {
	proxy := startProxy(t, startFountain(t))
	open := dial(t, proxy.Addr())
	if _, err := io.CopyN(io.Discard, open, 10); err != nil {
		t.Fatal(err)
	}
	proxy.Refuse(true)
	// The reset may come before the connection is seen to stand.
	if conn, err := net.Dial("tcp", proxy.Addr()); err == nil {
		if n, _ := io.Copy(io.Discard, conn); n != 0 {
			t.Errorf("%d bytes through a proxy that refuses", n)
		}
		conn.Close()
	}
	if _, err := io.CopyN(io.Discard, open, 100_000); err != nil {
		t.Errorf("the open connection after Refuse: %v", err)
	}
	proxy.Refuse(false)
	if _, err := io.CopyN(io.Discard, dial(t, proxy.Addr()), 10); err != nil {
		t.Errorf("after Refuse(false): %v", err)
	}
}
