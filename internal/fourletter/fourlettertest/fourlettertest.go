// Package fourlettertest has fake servers for tests of whatever asks
// four-letter words: they do what real servers do rarely. Each listens on
// loopback until its test ends, and its goroutines end with it.
package fourlettertest

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
)

// Serve answers every connection with answer, which need not close it, and
// returns the address.
func Serve(t testing.TB, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, listener, answer)
	return listener.Addr().String()
}

// ServeTLS is Serve behind TLS.
func ServeTLS(t testing.TB, config *tls.Config, answer func(net.Conn)) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, listener, answer)
	return listener.Addr().String()
}

// Closed returns an address where nothing listens.
func Closed(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func serve(t testing.TB, listener net.Listener, answer func(net.Conn)) {
	t.Helper()
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			all.Go(func() {
				defer conn.Close()
				answer(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		all.Wait()
	})
}

// Say reads the word and answers text, as a server does.
func Say(text string) func(net.Conn) {
	return Answer(func(string) string { return text })
}

// Answer reads the word and answers what reply returns for it. A word with an
// empty answer is one that the server doesn't know: it hangs up.
func Answer(reply func(word string) string) func(net.Conn) {
	return func(conn net.Conn) {
		word := make([]byte, 4)
		if _, err := io.ReadFull(conn, word); err == nil {
			_, _ = io.WriteString(conn, reply(string(word)))
		}
	}
}

// Hang reads until the other side gives up, and answers nothing.
func Hang(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// HangAfter is a server that stops in the middle of its answer.
func HangAfter(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, text)
		Hang(conn)
	}
}

// HangUp reads four bytes and closes. A plain ZooKeeper does so with a TLS
// hello, whose first bytes it takes for a length.
func HangUp(conn net.Conn) { _, _ = io.ReadFull(conn, make([]byte, 4)) }

// Flood sends chunk again and again, up to limit bytes.
func Flood(chunk string, limit int) func(net.Conn) {
	return func(conn net.Conn) {
		text := []byte(chunk)
		for sent := 0; sent < limit; sent += len(text) {
			if _, err := conn.Write(text); err != nil {
				return
			}
		}
	}
}
