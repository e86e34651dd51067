package main

import (
	"io"
	"log/slog"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	slogkit "github.com/tjhop/slog-gokit"
)

// callerDepth is how many calls lie between a line of ours that logs and the
// function that looks for it: the level's context, the filter, our context.
const callerDepth = 5

// newLoggers returns the process's logger, and the same one for libraries that
// want slog. go-kit/log decides about levels for both.
func newLoggers(w io.Writer, minimum, format string) (log.Logger, *slog.Logger) {
	raw := log.NewLogfmtLogger(log.NewSyncWriter(w))
	if format == "json" {
		raw = log.NewJSONLogger(log.NewSyncWriter(w))
	}
	allowed := level.Allow(level.ParseDefault(minimum, level.InfoValue()))
	logger := level.NewFilter(log.With(raw, "time", log.DefaultTimestampUTC, "caller", log.Caller(callerDepth)), allowed)
	// The bridge adds time and caller by itself, under these names.
	filtered := level.NewFilter(raw, allowed)
	everything := &slog.LevelVar{}
	everything.Set(slog.LevelDebug)
	return logger, slog.New(slogkit.NewGoKitHandler(filtered, everything))
}
