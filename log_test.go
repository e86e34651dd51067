package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// Both loggers write the same lines, at the same levels, each with time and
// place once.
func TestLoggers(t *testing.T) {
	for format, want := range map[string][]string{
		"logfmt": {" time=20", " caller=log_test.go:", " level=warn ", " msg=seen"},
		"json":   {`"time":"20`, `"caller":"log_test.go:`, `"level":"warn"`, `"msg":"seen"`},
	} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			logger, bridged := newLoggers(&out, "warn", format)
			level.Info(logger).Log("msg", "unseen")
			bridged.Info("unseen")
			level.Warn(logger).Log("msg", "seen")
			level.Warn(log.With(logger, "server", "a")).Log("msg", "seen")
			bridged.Warn("seen")
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(lines) != 3 {
				t.Fatalf("got %d lines, want 3:\n%s", len(lines), &out)
			}
			for _, line := range lines {
				for _, part := range append(want, "caller") {
					if !strings.Contains(" "+line, part) {
						t.Errorf("line %q lacks %q", line, part)
					}
				}
				if strings.Count(line, "caller") != 1 {
					t.Errorf("line %q tells the place more than once", line)
				}
			}
		})
	}
}
