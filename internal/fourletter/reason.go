package fourletter

import (
	"errors"
	"fmt"
)

// Reason says why an ask failed. It is fit for a metric label: the list is fixed.
type Reason string

// The reasons, in the order of [Reasons].
const (
	Refused        Reason = "refused"         // No connection: refused, unreachable, or the name does not resolve.
	Timeout        Reason = "timeout"         // The context ended before the reply did.
	TLS            Reason = "tls"             // The handshake failed, or one side speaks TLS and the other does not.
	EmptyReply     Reason = "empty_reply"     // Closed without a byte: unknown word, connection limit, or a server that is starting.
	Truncated      Reason = "truncated"       // The reply was cut.
	TooLarge       Reason = "too_large"       // The reply is longer than the cap.
	NotWhitelisted Reason = "not_whitelisted" // The word is not in 4lw.commands.whitelist.
	NotServing     Reason = "not_serving"     // The server says that it serves no requests.
	Unparsable     Reason = "parse"           // The reply is not what the word answers.
)

// Reasons returns every reason there is, always in the same order.
func Reasons() []Reason {
	return []Reason{
		Refused, Timeout, TLS, EmptyReply, Truncated, TooLarge, NotWhitelisted, NotServing, Unparsable,
	}
}

// Error is every error of an ask.
type Error struct {
	Word   Word
	Addr   string // The host:port that was asked.
	Reason Reason
	Err    error // The cause; nil where the reason says it all.
}

// Error returns one line that names the word, the server, the reason and the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("ask %s of %s: %s", e.Word, e.Addr, e.Reason)
	}
	return fmt.Sprintf("ask %s of %s: %s: %v", e.Word, e.Addr, e.Reason, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf returns the reason that err carries, and whether it carries one.
func ReasonOf(err error) (Reason, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason, true
	}
	return "", false
}
