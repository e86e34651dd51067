package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"zkwarden/audit"
)

// errRefused means that the endpoint will never take this request.
var errRefused = errors.New("endpoint refuses the request for good")

// judge tells what an answer says about the lines of its request.
func judge(resp *http.Response, now time.Time) error {
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnprocessableEntity:
		return fmt.Errorf("post to webhook: %w: status %d", errRefused, code)
	default:
		err := fmt.Errorf("post to webhook: status %d %s", code, http.StatusText(code))
		if wait := retryAfter(resp.Header.Get("Retry-After"), now); wait > 0 {
			return &audit.RetryError{After: wait, Err: err}
		}
		return err
	}
}

// retryAfter understands both forms of the header (RFC 9110, 10.2.3), and is
// zero where it makes no sense.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
