package zktest

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// The bounds of one four-letter word: a paused server accepts and never answers.
const (
	wordTimeout = 2 * time.Second
	wordBytes   = 1 << 20
)

// ask sends one four-letter word to a plain client port.
func ask(ctx context.Context, addr, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, wordTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("ask %s for %s: %w", addr, word, err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer conn.Close()
	if _, err := io.WriteString(conn, word); err != nil {
		return "", fmt.Errorf("ask %s for %s: %w", addr, word, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, wordBytes))
	if err != nil {
		return "", fmt.Errorf("read answer of %s to %s: %w", addr, word, err)
	}
	return string(answer), nil
}

// modeOf finds the mode in an answer to srvr, "" if the server does not serve.
func modeOf(answer string) string {
	for line := range strings.Lines(answer) {
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(mode)
		}
	}
	return ""
}
