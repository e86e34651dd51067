package watch

import "time"

// pace is how patient a source is. The tests are less so.
type pace struct {
	// confirm is how often the server is asked whether it has the watches.
	confirm time.Duration
	// lockout is how long every server may refuse the session before the last
	// zxid seen is no longer presented. After a wipe or restore all servers are
	// behind it, and would refuse for ever.
	lockout time.Duration
	// backoff is the longest wait before all servers are tried again, give or
	// take a half.
	backoff time.Duration
}

func usualPace() pace {
	return pace{confirm: 30 * time.Second, lockout: 10 * time.Second, backoff: 10 * time.Second}
}
