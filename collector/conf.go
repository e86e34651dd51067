package collector

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// maxConf is the longest reply to conf, in bytes, that is read: room for some
// thousand members.
const maxConf = 256 << 10

// config is a reply to conf.
type config struct {
	values     map[string]string // The lines key=value, up to the membership, by ZooKeeper's names.
	keeper     bool              // Whether this is ClickHouse Keeper, which never lists its members.
	membership []string          // The lines behind "membership:"; empty: the server doesn't say, as before 3.5, alone, or read-only.
}

// readConf reads a reply to conf. The membership has no newline at its end (3.5
// to 3.9), and is whole if and only if it ends with its version; a reply that is
// cut anywhere is errTruncated, and one without a known line errGarbage.
func readConf(r io.Reader) (config, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxConf+1))
	if err != nil {
		return config{}, err
	}
	if len(text) > maxConf {
		return config{}, fmt.Errorf("%w: more than %d bytes", errTooLong, maxConf)
	}
	c := config{values: map[string]string{}}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	lines.Buffer(nil, maxConf+1)
	member, last := false, ""
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch key, value, ok := strings.Cut(line, "="); {
		case line == "":
		case line == "membership:":
			member = true
		case member:
			c.membership = append(c.membership, line)
		case ok:
			c.values[key] = value
		}
		last = line
	}
	c.translate()
	if _, ok := c.values["clientPort"]; !ok {
		return config{}, errGarbage
	}
	if member && !strings.HasPrefix(last, "version=") || !member && text[len(text)-1] != '\n' {
		return config{}, errTruncated
	}
	return c, lines.Err()
}

// translate gives what ClickHouse Keeper tells the names that ZooKeeper has for
// it. Of its two ports either may be missing.
func (c *config) translate() {
	if _, c.keeper = c.values["server_id"]; !c.keeper {
		return
	}
	c.values["clientPort"], c.values["secureClientPort"] = "-1", "-1"
	for theirs, ours := range map[string]string{
		"server_id": "serverId", "tcp_port": "clientPort", "tcp_port_secure": "secureClientPort",
		"min_session_timeout_ms": "minSessionTimeout", "session_timeout_ms": "maxSessionTimeout",
	} {
		if value, ok := c.values[theirs]; ok {
			c.values[ours] = value
		}
	}
}
