// Command demo runs the main job for somebody to look at: a three-server
// ensemble on loopback, a sidecar beside each server, one of which audits, and
// a stream of changes. It prints where the metrics are, and the audit records
// as they happen. Nothing of it stays: servers, sidecars and files go with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"zkwarden/internal/zktest"
)

// startTimeout bounds how long servers and sidecars may take to start.
const startTimeout = 2 * time.Minute

func main() {
	// The kernel ends the sidecars with the thread that started them: main
	// keeps its own.
	runtime.LockOSThread()
	seconds := flag.Int("seconds", 0, "end after so many seconds of changes; 0 runs until interrupted")
	binary := flag.String("binary", "./zkwarden", "the zkwarden to run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *binary, time.Duration(*seconds)*time.Second, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, length time.Duration, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "zkwarden-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	fmt.Fprintln(stderr, "Starting three ZooKeeper servers on loopback ...")
	startCtx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ensemble, err := zktest.Launch(startCtx, zktest.Options{Servers: 3, Dir: filepath.Join(dir, "ensemble")})
	if err != nil {
		return interrupted(ctx, fmt.Errorf("start ensemble: %w", err))
	}
	defer func() { err = errors.Join(err, ensemble.Close()) }()

	group, ctx := errgroup.WithContext(ctx)
	sidecars, err := startSidecars(startCtx, binary, ensemble, filepath.Join(dir, "audit"), stdout, stderr)
	if err != nil {
		return interrupted(ctx, err)
	}
	for _, s := range sidecars {
		group.Go(func() error { return s.wait(ctx) })
	}
	if length > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, length)
		defer end()
	}
	group.Go(func() error { return change(ctx, ensemble.Addrs()) })
	<-ctx.Done()
	for _, s := range sidecars {
		s.stop()
	}
	return interrupted(ctx, group.Wait())
}

// interrupted drops the error of a demo that somebody ended, or whose time was
// up.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}
