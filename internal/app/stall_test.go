package app

import (
	"io"
	"net"
	"sync"
	"testing"

	"zkwarden/internal/fourletter/fourlettertest"
)

// stall returns the address of a proxy of target that passes the first bytes
// from there and then holds the others back until release.
func stall(t *testing.T, target string, first int64) (addr string, release func()) {
	t.Helper()
	released := make(chan struct{})
	release = sync.OnceFunc(func() { close(released) })
	addr = fourlettertest.Serve(t, func(conn net.Conn) {
		server, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		var requests sync.WaitGroup
		requests.Go(func() {
			_, _ = io.Copy(server, conn)
			server.Close()
		})
		defer requests.Wait()
		defer conn.Close()
		if _, err := io.CopyN(conn, server, first); err == nil {
			<-released
			_, _ = io.Copy(conn, server)
		}
	})
	t.Cleanup(release) // Before the proxy is waited for.
	return addr, release
}
