package zktest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTLS(t *testing.T) {
	// 3.5.5 is the first release that reads PEM key stores.
	for _, version := range []string{"3.5.5", Default} {
		t.Run(version, func(t *testing.T) {
			certs := Certs(t, CertOptions{})
			server := Start(t, Options{Version: version, TLS: certs}).Server(1)
			config, err := certs.ClientConfig()
			if err != nil {
				t.Fatal(err)
			}
			if answer, err := askTLS(t, server, config); err != nil || modeOf(answer) != ModeStandalone {
				t.Errorf("srvr over TLS = %q, %v", answer, err)
			}
			config.Certificates = nil
			if answer, err := askTLS(t, server, config); err == nil && answer != "" {
				t.Errorf("srvr without a client certificate = %q", answer)
			}
		})
	}
}

func TestExpiredServerCertificate(t *testing.T) {
	certs := Certs(t, CertOptions{ServerNotAfter: time.Now().Add(-time.Minute)})
	server := Start(t, Options{TLS: certs}).Server(1)
	config, err := certs.ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	var invalid x509.CertificateInvalidError
	if _, err := askTLS(t, server, config); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("srvr of a server with an expired certificate: %v", err)
	}
}

func askTLS(t *testing.T, s *Server, config *tls.Config) (string, error) {
	t.Helper()
	conn, err := (&tls.Dialer{Config: config}).DialContext(soon(t), "tcp", s.SecureAddr())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

func TestPrometheusAndAdmin(t *testing.T) {
	for _, version := range []string{"3.6.4", "3.7.2", Default} {
		t.Run(version, func(t *testing.T) {
			server := Start(t, Options{Version: version, Prometheus: true, Admin: true}).Server(1)
			mntr, err := ask(soon(t), server.Addr(), "mntr")
			if err != nil || !strings.Contains(mntr, "jvm_memory") {
				t.Errorf("mntr is not in the provider's dialect: %v\n%.300s", err, mntr)
			}
			if body := get(t, "http://"+server.MetricsAddr()+"/metrics"); !strings.Contains(body, "\nznode_count") {
				t.Errorf("/metrics has no znode_count:\n%.300s", body)
			}
			if body := get(t, "http://"+server.AdminAddr()+"/commands/ruok"); !strings.Contains(body, `"ruok"`) {
				t.Errorf("/commands/ruok = %q", body)
			}
		})
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(soon(t), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestReadOnly(t *testing.T) {
	ensemble := Start(t, Options{Servers: 2, JVM: []string{"-Dreadonlymode.enabled=true"}})
	ensemble.Server(2).Kill()
	survivor := ensemble.Server(1)
	err := until(soon(t), "the survivor is read-only", func() error {
		mode, err := survivor.Mode(soon(t))
		if err == nil && mode != ModeReadOnly {
			err = errors.New("mode " + mode)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := ensemble.WaitServing(short); err == nil {
		t.Error("WaitServing takes a read-only server for one that serves")
	}
}

func TestLeaderThatDoesNotServe(t *testing.T) {
	ensemble := Start(t, Options{Servers: 3, Config: map[string]string{"leaderServes": "no"}})
	leader := leaderOf(t, ensemble)
	if mode, err := leader.Mode(soon(t)); err != nil || mode != "" {
		t.Errorf("mode of the leader is %q, %v; want none", mode, err)
	}
	if followers := followersOf(t, ensemble); len(followers) != 2 {
		t.Errorf("%d followers", len(followers))
	}
}

func TestMembership(t *testing.T) {
	for name, test := range map[string]struct {
		opts Options
		want string // in conf, with ADDR for the client address
	}{
		"replicated": {Options{Replicated: true}, ":participant\n"},
		"dynamic":    {Options{Dynamic: true}, ":participant;ADDR\n"},
	} {
		t.Run(name, func(t *testing.T) {
			server := Start(t, test.opts).Server(1)
			if mode, err := server.Mode(soon(t)); err != nil || mode != ModeLeader {
				t.Errorf("mode is %q, %v; want %q", mode, err, ModeLeader)
			}
			conf, err := ask(soon(t), server.Addr(), "conf")
			if want := strings.ReplaceAll(test.want, "ADDR", server.Addr()); err != nil || !strings.Contains(conf, want) {
				t.Errorf("conf lacks %q: %v\n%s", want, err, conf)
			}
		})
	}
}

func TestReconfigureUpgrades(t *testing.T) {
	ensemble := Start(t, Options{Version: "3.8.6", Config: map[string]string{"maxClientCnxns": "7"}})
	server := ensemble.Server(1)
	if conf, err := ask(soon(t), server.Addr(), "conf"); err != nil || !strings.Contains(conf, "maxClientCnxns=7\n") {
		t.Errorf("conf does not show the override: %v\n%s", err, conf)
	}
	err := server.Reconfigure(soon(t), func(o *Options) {
		o.Version = Default
		o.Config["maxClientCnxns"] = ""
	})
	if err != nil {
		t.Fatal(err)
	}
	restart(t, ensemble, server)
	if answer, err := ask(soon(t), server.Addr(), "srvr"); err != nil || !strings.Contains(answer, Default) {
		t.Errorf("srvr after the upgrade: %v\n%s", err, answer)
	}
	if conf, err := ask(soon(t), server.Addr(), "conf"); err != nil || !strings.Contains(conf, "maxClientCnxns=60\n") {
		t.Errorf("conf still shows the removed line: %v\n%s", err, conf)
	}
}

func TestOptionsThatAVersionLacks(t *testing.T) {
	for name, test := range map[string]struct {
		opts Options
		want string
	}{
		"negative":        {Options{Servers: -1}, "-1 servers"},
		"too many":        {Options{Servers: 200, Observers: 56}, "255"},
		"TLS in 3.4":      {Options{Version: "3.4.14", TLS: &CertFiles{}}, "3.4.14 has no TLS"},
		"admin in 3.4":    {Options{Version: "3.4.14", Admin: true}, "3.4.14 has no AdminServer"},
		"quorum of 1":     {Options{Version: "3.4.14", Replicated: true}, "no replicated single server"},
		"dynamic in 3.4":  {Options{Version: "3.4.14", Servers: 3, Dynamic: true}, "no dynamic server lines"},
		"provider in 3.5": {Options{Version: "3.5.10", Prometheus: true}, "no Prometheus provider"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Launch(soon(t), test.opts); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Launch() = %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestAtLeast(t *testing.T) {
	for _, test := range []struct {
		version      string
		major, minor int
		want         bool
	}{
		{"3.9.5", 3, 9, true},
		{"3.9.5", 3, 10, false},
		{"3.10.0", 3, 9, true},
		{"4.0.0", 3, 9, true},
		{"2.9.9", 3, 5, false},
		{"trunk", 3, 4, false},
	} {
		if got := atLeast(test.version, test.major, test.minor); got != test.want {
			t.Errorf("atLeast(%q, %d, %d) = %v", test.version, test.major, test.minor, got)
		}
	}
}
