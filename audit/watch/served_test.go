package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"
	"go.uber.org/goleak"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// pool is the servers that tests borrow: one of each kind, for the whole run.
var pool = struct {
	mu      sync.Mutex
	servers map[string]*lent
}{servers: map[string]*lent{}}

// lent is a server that one test has at a time.
type lent struct {
	mu       sync.Mutex
	ensemble *zktest.Ensemble
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(poolClosed{m}) }

type poolClosed struct{ *testing.M }

// Run runs the tests and ends the servers.
func (m poolClosed) Run() int {
	code := m.M.Run()
	for _, l := range pool.servers {
		if l.ensemble == nil {
			continue
		}
		if err := l.ensemble.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// borrow returns the address of an empty server that the test has for itself
// until it ends. Those that stop it, or ask how it has ended, start their own.
func borrow(t *testing.T, options zktest.Options) (address string) {
	t.Helper()
	kind := fmt.Sprint(cmp.Or(options.Version, zktest.Default), options.JVM)
	pool.mu.Lock()
	l := pool.servers[kind]
	if l == nil {
		l = &lent{}
		pool.servers[kind] = l
	}
	pool.mu.Unlock()
	l.mu.Lock()
	t.Cleanup(l.mu.Unlock)
	if l.ensemble == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		ensemble, err := zktest.Launch(ctx, options)
		if err != nil {
			t.Fatal(err)
		}
		l.ensemble = ensemble
	}
	server := l.ensemble.Server(1)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the server:\n%s", server.LogTail(40))
		}
	})
	clean(t, server.Addr())
	return server.Addr()
}

// clean removes what the last borrower has left.
func clean(t *testing.T, address string) {
	t.Helper()
	conn, events, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogger(clientLogger{log.NewNopLogger()}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		conn.Close()
		for range events {
			// Until its last goroutine has ended.
		}
	}()
	var gone []any
	var down func(path string)
	down = func(path string) {
		names, _, err := conn.Children(path)
		if err != nil && !errors.Is(err, zk.ErrNoAuth) { // Then it has none: the tests hide no others.
			t.Fatalf("list %s: %v", path, err)
		}
		for _, name := range names {
			if child := audit.Child(path, name); child != "/zookeeper" {
				down(child)
			}
		}
		if path != "/" {
			gone = append(gone, &zk.DeleteRequest{Path: path, Version: -1})
		}
	}
	down("/")
	for len(gone) > 0 {
		batch := gone[:min(1000, len(gone))]
		gone = gone[len(batch):]
		if _, err := conn.Multi(batch...); err != nil {
			t.Fatalf("clean up: %v", err)
		}
	}
}
