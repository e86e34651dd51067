package fourletter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The texts with which a server refuses a word. ZooKeeper 3.4.10 and later print
// the first after the word itself; the second ends with a newline, except for hash.
const (
	notWhitelistedText = " is not executed because it is not in the whitelist."
	notServingText     = "This ZooKeeper instance is not currently serving requests"
	keeperInactiveText = "This instance is not currently serving requests" // ClickHouse Keeper, without a newline.
)

// refusal looks at the beginning of the reply, without taking it, and returns
// the error that it spells, if any.
func (r *reply) refusal() error {
	// Longer than any refusal, so that a shorter reply is awaited to its end.
	head, err := r.buf.Peek(len(notServingText) + 2)
	if err != nil && err != io.EOF {
		return err
	}
	reason, ok := refusalOf(head, r.word)
	if !ok {
		return nil
	}
	failure := &Error{Word: r.word, Addr: r.addr, Reason: reason}
	switch reason {
	case EmptyReply:
		failure.Err = errors.New("closed without a reply")
	case TLS:
		failure.Err = errors.New("the port speaks TLS")
	default:
		failure.Err = fmt.Errorf("server says %q", bytes.TrimSpace(head))
	}
	return failure
}

// refusalOf returns the reason that the beginning of a reply stands for, and
// whether it stands for one. An empty head is a reply without a byte.
func refusalOf(head []byte, word Word) (Reason, bool) {
	text := string(head)
	switch {
	case text == "":
		return EmptyReply, true
	case strings.HasPrefix(text, word.String()+notWhitelistedText):
		return NotWhitelisted, true
	case strings.TrimRight(text, "\r\n") == notServingText, text == keeperInactiveText:
		return NotServing, true
	case strings.HasPrefix(text, "\x15\x03"):
		// A TLS alert record: the answer of some TLS stacks to plain text.
		return TLS, true
	}
	return "", false
}
