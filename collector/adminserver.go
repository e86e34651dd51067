package collector

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// AdminServerAuto asks the AdminServer at its default port on the host of the server.
	AdminServerAuto = "auto"
	// AdminServerOff asks none.
	AdminServerOff = "off"

	adminPort    = "8080"      // admin.serverPort.
	adminTimeout = time.Second // Of all requests of one question.
	adminRetry   = time.Second // How long one that didn't answer is left alone; it doubles,
	adminRest    = time.Minute // up to this.
	maxAdmin     = 64 << 10    // Bytes of an answer; none comes near it.
)

// Leadership is who leads, as one server sees it.
type Leadership struct {
	Self bool  // The server itself.
	ID   int64 // Of the leader; -1: nobody leads, or the server doesn't say who.
}

// Witness tells who leads where four-letter words can't: a leader with
// leaderServes=no answers them as a server without quorum does. An [AdminServer]
// is one. The error says that there is nothing to be learned.
type Witness interface {
	Leader(ctx context.Context) (Leadership, error)
}

// AdminServer is ZooKeeper's own HTTP interface, which every server has since
// 3.5 unless it is switched off; 3.10 has it off by default. It is asked only
// where four-letter words leave a question, and less and less often while it
// doesn't answer. It is safe for concurrent use.
type AdminServer struct {
	url    string // Of the commands, without a slash at its end.
	client *http.Client

	mu       sync.Mutex
	quiet    time.Time // Until when it isn't asked.
	failures int       // In a row.
}

// NewAdminServer returns the AdminServer of the server at addr (host:port). where
// is AdminServerAuto, or its URL, as http://HOST:PORT/commands; with
// AdminServerOff and where it is empty there is none.
func NewAdminServer(where, addr string) (Witness, error) {
	switch where {
	case AdminServerOff, "":
		return nil, nil
	case AdminServerAuto:
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("parse server address %q: %w", addr, err)
		}
		where = "http://" + net.JoinHostPort(cmp.Or(host, "127.0.0.1"), adminPort)
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, fmt.Errorf("parse URL of the AdminServer: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("URL of the AdminServer is %q, want %s, %s or http://HOST:PORT/commands", u.Redacted(), AdminServerAuto, AdminServerOff)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/commands" // admin.commandURL.
	}
	return &AdminServer{
		url: strings.TrimRight(u.String(), "/"),
		client: &http.Client{
			// Neither a proxy nor another server is who was meant.
			Transport:     &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Leader asks who leads: leader, which 3.6 and later have, or monitor of 3.5,
// which tells only whether this server does.
func (s *AdminServer) Leader(ctx context.Context) (Leadership, error) {
	if err := ctx.Err(); err != nil {
		return Leadership{}, fmt.Errorf("ask AdminServer %s: %w", s.url, err) // No fault of its own.
	}
	s.mu.Lock()
	quiet := s.quiet
	s.mu.Unlock()
	if time.Now().Before(quiet) {
		return Leadership{}, fmt.Errorf("ask AdminServer %s: it didn't answer before, and is asked again at %s", s.url, quiet.UTC().Format(time.TimeOnly))
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	who, err := s.leader(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.quiet = time.Now().Add(min(adminRest, adminRetry<<min(s.failures, 10)))
		s.failures++
		return Leadership{}, fmt.Errorf("ask AdminServer %s: %w", s.url, err)
	}
	s.failures = 0
	return who, nil
}

// adminAnswer is what the answers to leader and monitor have of interest.
type adminAnswer struct {
	Command  string `json:"command"`
	Error    string `json:"error"`
	IsLeader *bool  `json:"is_leader"`
	LeaderID *int64 `json:"leader_id"`
	State    string `json:"server_state"`
}

func (s *AdminServer) leader(ctx context.Context) (Leadership, error) {
	const command = "leader"
	nobody := Leadership{ID: -1}
	a, err := s.ask(ctx, command)
	switch {
	case err != nil:
		return nobody, err
	case a.IsLeader != nil && a.LeaderID != nil && *a.LeaderID >= 0:
		return Leadership{Self: *a.IsLeader, ID: *a.LeaderID}, nil
	case a.notServing():
		return nobody, nil
	case a.Error != "Unknown command: "+command:
		return nobody, errors.New("the answer names no leader")
	}
	if a, err = s.ask(ctx, "monitor"); err != nil || a.notServing() {
		return nobody, err
	}
	return Leadership{Self: stateOf(a.State) == Leader, ID: -1}, nil
}

func (a adminAnswer) notServing() bool {
	return a.Error == "This ZooKeeper instance is not currently serving requests"
}

func (s *AdminServer) ask(ctx context.Context, command string) (adminAnswer, error) {
	var a adminAnswer
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/"+command, nil)
	if err != nil {
		return a, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return a, fmt.Errorf("status %s", response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAdmin)).Decode(&a); err != nil {
		return a, fmt.Errorf("read answer to %s: %w", command, err)
	}
	if a.Command != command {
		return a, fmt.Errorf("the answer to %s is none of an AdminServer", command)
	}
	return a, nil
}
