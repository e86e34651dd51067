package zktest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// TestEnsemble walks one ensemble of the default version through every fault;
// each part leaves it serving.
func TestEnsemble(t *testing.T) {
	ensemble := Start(t, Options{Servers: 3, Observers: 1})
	t.Run("roles", func(t *testing.T) { testRoles(t, ensemble) })
	t.Run("kill the leader", func(t *testing.T) { testKillLeader(t, ensemble) })
	t.Run("pause", func(t *testing.T) { testPause(t, ensemble) })
	t.Run("wipe", func(t *testing.T) { testWipe(t, ensemble) })
	t.Run("cut a session", func(t *testing.T) { testCutSession(t, ensemble) })
	t.Run("quorum lost", func(t *testing.T) { testQuorumLost(t, ensemble) })
}

func testRoles(t *testing.T, ensemble *Ensemble) {
	leader, followers := leaderOf(t, ensemble), followersOf(t, ensemble)
	if len(followers) != 2 || followers[0] == leader || followers[1] == leader {
		t.Errorf("leader %d, followers %v; want three different voters", leader.ID(), followers)
	}
	observer := ensemble.Server(4)
	if mode, err := observer.Mode(soon(t)); err != nil || mode != ModeObserver || !observer.Observer() {
		t.Errorf("mode of the observer is %q, %v", mode, err)
	}
}

func testKillLeader(t *testing.T, ensemble *Ensemble) {
	killed := leaderOf(t, ensemble)
	killed.Kill()
	if err := killed.alive(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after Kill: %v, want %v", err, ErrNotRunning)
	}
	if err := killed.Pause(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Pause after Kill: %v, want %v", err, ErrNotRunning)
	}
	if next := leaderOf(t, ensemble); next == killed {
		t.Errorf("server %d leads after its death", killed.ID())
	}
	restart(t, ensemble, killed)
	if mode, err := killed.Mode(soon(t)); err != nil || mode != ModeFollower {
		t.Errorf("mode after the restart is %q, %v; want %q", mode, err, ModeFollower)
	}
}

func testPause(t *testing.T, ensemble *Ensemble) {
	paused := followersOf(t, ensemble)[0]
	if err := paused.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if mode, err := paused.Mode(short); err == nil {
		t.Errorf("a paused server answers %q", mode)
	}
	if err := ensemble.WaitServing(soon(t)); err != nil {
		t.Errorf("the others do not serve: %v", err)
	}
	if err := paused.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := ensemble.WaitServing(soon(t)); err != nil {
		t.Errorf("after Resume: %v", err)
	}
}

func testWipe(t *testing.T, ensemble *Ensemble) {
	wiped := followersOf(t, ensemble)[0]
	conn := connect(t, leaderOf(t, ensemble).Addr())
	if _, err := conn.Create("/wiped", []byte("kept by the others"), 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	if err := wiped.Wipe(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{wiped.DataDir(), wiped.TxnLogDir()} {
		if _, err := os.Stat(filepath.Join(dir, "version-2")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s/version-2 after Wipe: %v", dir, err)
		}
	}
	restart(t, ensemble, wiped)
	if data, _, err := connect(t, wiped.Addr()).Get("/wiped"); err != nil || string(data) != "kept by the others" {
		t.Errorf("Get from the wiped server = %q, %v", data, err)
	}
}

func testCutSession(t *testing.T, ensemble *Ensemble) {
	proxy := startProxy(t, ensemble.Server(1).Addr())
	conn := connect(t, proxy.Addr())
	session := conn.SessionID()
	if _, _, err := conn.Exists("/"); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	err := until(soon(t), "the session is back", func() error {
		_, _, err := conn.Exists("/")
		return err
	})
	if err != nil || conn.SessionID() != session {
		t.Errorf("session 0x%x after the cut, %v; want 0x%x", conn.SessionID(), err, session)
	}
}

func testQuorumLost(t *testing.T, ensemble *Ensemble) {
	survivor := ensemble.Server(1)
	ensemble.Server(2).Kill()
	ensemble.Server(3).Kill()
	err := until(soon(t), "the survivor stops serving", func() error {
		if mode, err := survivor.Mode(soon(t)); err != nil || mode != "" {
			return errors.Join(err, errors.New("mode "+mode))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := ensemble.WaitServing(short); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "does not serve") {
		t.Errorf("WaitServing without a quorum = %v; want a deadline that says who does not serve", err)
	}
	restart(t, ensemble, ensemble.Server(2))
	restart(t, ensemble, ensemble.Server(3))
}

func TestWhole(t *testing.T) {
	for name, test := range map[string]struct {
		modes []string
		want  string // in the error, "" if there is none
	}{
		"standalone":          {[]string{ModeStandalone}, ""},
		"quorum":              {[]string{ModeFollower, ModeLeader, ModeObserver}, ""},
		"leader just died":    {[]string{ModeFollower, ModeFollower}, "0 of 2 running servers lead"},
		"two leaders":         {[]string{ModeLeader, ModeLeader, ModeFollower}, "2 of 3 running servers lead"},
		"one still joins":     {[]string{ModeLeader, ""}, "server 2 does not serve"},
		"one cut off":         {[]string{ModeLeader, ModeReadOnly}, "server 2 does not serve"},
		"everybody is killed": {nil, "0 of 0 running servers lead"},
	} {
		t.Run(name, func(t *testing.T) {
			roles := map[*Server]string{}
			for i, mode := range test.modes {
				roles[&Server{id: i + 1}] = mode
			}
			if err := whole(roles); (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
				t.Errorf("whole(%q) = %v, want %q", test.modes, err, test.want)
			}
		})
	}
}

func leaderOf(t *testing.T, ensemble *Ensemble) *Server {
	t.Helper()
	leader, err := ensemble.Leader(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return leader
}

func followersOf(t *testing.T, ensemble *Ensemble) []*Server {
	t.Helper()
	followers, err := ensemble.Followers(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return followers
}

func restart(t *testing.T, ensemble *Ensemble, s *Server) {
	t.Helper()
	if err := s.Restart(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := ensemble.WaitServing(soon(t)); err != nil {
		t.Fatal(err)
	}
}

// connect opens a session and waits until it is established.
func connect(t *testing.T, addr string) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	ctx := soon(t)
	for {
		select {
		case event := <-events:
			if event.State == zk.StateHasSession {
				return conn
			}
		case <-ctx.Done():
			t.Fatalf("connect to %s: %v", addr, ctx.Err())
		}
	}
}

// quiet drops the client's own log.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
