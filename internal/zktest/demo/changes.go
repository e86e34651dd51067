package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	sessionTimeout = 10 * time.Second
	changeInterval = 300 * time.Millisecond
)

// change makes the changes of a small service: its configuration is edited,
// jobs come and go, and workers register as ephemeral znodes.
func change(ctx context.Context, servers []string) error {
	service, err := connect(servers)
	if err != nil {
		return err
	}
	defer service.Close()
	for _, path := range []string{"/demo", "/demo/config", "/demo/jobs", "/demo/workers"} {
		if err := create(service, path, "", 0); err != nil {
			return err
		}
	}
	for step := 0; ; step++ {
		if err := oneChange(service, servers, step); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(changeInterval):
		}
	}
}

func oneChange(service *zk.Conn, servers []string, step int) error {
	switch step % 4 {
	case 0:
		return configure(service, fmt.Sprintf("/demo/config/%s", pick("limits", "features", "logging")),
			fmt.Sprintf(`{"revision":%d,"level":%q}`, step, pick("debug", "info", "warn")))
	case 1:
		return create(service, fmt.Sprintf("/demo/jobs/job-%05d", step), fmt.Sprintf("resize image %d", step), 0)
	case 2:
		return finishJob(service, fmt.Sprintf("/demo/jobs/job-%05d", step-1))
	default:
		return work(servers, step)
	}
}

func pick(options ...string) string { return options[rand.IntN(len(options))] }

func connect(servers []string) (*zk.Conn, error) {
	conn, _, err := zk.Connect(servers, sessionTimeout, zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	if err != nil {
		return nil, fmt.Errorf("connect to the ensemble: %w", err)
	}
	return conn, nil
}

func create(conn *zk.Conn, path, data string, flags int32) error {
	_, err := conn.Create(path, []byte(data), flags, zk.WorldACL(zk.PermAll))
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}

func configure(conn *zk.Conn, path, data string) error {
	_, err := conn.Set(path, []byte(data), -1)
	if errors.Is(err, zk.ErrNoNode) {
		return create(conn, path, data, 0)
	}
	if err != nil {
		return fmt.Errorf("set %s: %w", path, err)
	}
	return nil
}

// finishJob notes the result and removes the job in one transaction.
func finishJob(conn *zk.Conn, path string) error {
	_, err := conn.Multi(
		&zk.SetDataRequest{Path: "/demo/jobs", Data: []byte(strings.TrimPrefix(path, "/demo/jobs/") + " done"), Version: -1},
		&zk.DeleteRequest{Path: path, Version: -1},
	)
	if err != nil {
		return fmt.Errorf("finish %s: %w", path, err)
	}
	return nil
}

// work is a worker that registers and leaves: closing its session deletes the
// ephemeral znode.
func work(servers []string, step int) error {
	worker, err := connect(servers)
	if err != nil {
		return err
	}
	defer worker.Close()
	return create(worker, fmt.Sprintf("/demo/workers/worker-%d", step), "127.0.0.1", zk.FlagEphemeral)
}

// quiet keeps the client's own log off the terminal.
type quiet struct{}

// Printf drops the message.
func (quiet) Printf(string, ...any) {}
