package zktest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const loopback = "127.0.0.1"

// writeConfig lays out one server's directory: zoo.cfg, myid, data and log.
func (s *Server) writeConfig() error {
	for _, dir := range []string{s.DataDir(), s.TxnLogDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make directory of server %d: %w", s.id, err)
		}
	}
	id := []byte(strconv.Itoa(s.id) + "\n")
	if err := os.WriteFile(filepath.Join(s.DataDir(), "myid"), id, 0o644); err != nil {
		return fmt.Errorf("write id of server %d: %w", s.id, err)
	}
	if err := os.WriteFile(s.configFile(), []byte(s.config()), 0o644); err != nil {
		return fmt.Errorf("write configuration of server %d: %w", s.id, err)
	}
	return nil
}

// config renders zoo.cfg. Sorted, so that two runs can be compared.
func (s *Server) config() string {
	lines := s.settings()
	for key, value := range s.opts.Config {
		if value == "" {
			delete(lines, key)
		} else {
			lines[key] = value
		}
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		fmt.Fprintf(&b, "%s=%s\n", key, lines[key])
	}
	return b.String()
}

// settings are the lines that the options ask for, before Config.
func (s *Server) settings() map[string]string {
	lines := map[string]string{
		"dataDir":    s.DataDir(),
		"dataLogDir": s.TxnLogDir(),
		// Short ticks make elections quick; the limits keep the patience of a
		// server on a busy machine at ten and four seconds.
		"tickTime":               "500",
		"initLimit":              "20",
		"syncLimit":              "8",
		"maxClientCnxns":         "0",
		"4lw.commands.whitelist": "*",
		"admin.enableServer":     "false",
	}
	if !s.opts.Dynamic {
		lines["clientPort"] = strconv.Itoa(s.ports.client)
		lines["clientPortAddress"] = loopback
	}
	if s.opts.Admin {
		lines["admin.enableServer"] = "true"
		lines["admin.serverAddress"] = loopback
		lines["admin.serverPort"] = strconv.Itoa(s.ports.admin)
	}
	if s.opts.Prometheus {
		lines["metricsProvider.className"] = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
		lines["metricsProvider.httpHost"] = loopback
		lines["metricsProvider.httpPort"] = strconv.Itoa(s.ports.metrics)
	}
	if s.opts.TLS != nil {
		lines["secureClientPort"] = strconv.Itoa(s.ports.secure)
		lines["secureClientPortAddress"] = loopback
		lines["serverCnxnFactory"] = "org.apache.zookeeper.server.NettyServerCnxnFactory"
		lines["ssl.keyStore.location"] = s.opts.TLS.Server
		lines["ssl.keyStore.type"] = "PEM"
		lines["ssl.trustStore.location"] = s.opts.TLS.CA
		lines["ssl.trustStore.type"] = "PEM"
	}
	if s.opts.quorum() {
		s.addMembers(lines)
	}
	return lines
}

func (s *Server) addMembers(lines map[string]string) {
	if s.opts.Servers == 1 {
		lines["standaloneEnabled"] = "false"
	}
	if s.observer {
		lines["peerType"] = "observer"
	}
	for _, member := range s.members {
		line := fmt.Sprintf("%s:%d:%d", loopback, member.ports.quorum, member.ports.election)
		switch {
		case member.observer:
			line += ":observer"
		case s.opts.Dynamic:
			line += ":participant"
		}
		if s.opts.Dynamic {
			line += ";" + member.Addr()
		}
		lines["server."+strconv.Itoa(member.id)] = line
	}
}
