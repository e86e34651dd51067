package collector

import "strings"

// maxVersion is the longest version, in bytes, that goes into a label as it is.
const maxVersion = 32

// keeperMark begins a version of ClickHouse Keeper, and none of ZooKeeper.
const keeperMark = "v"

// isKeeper tells ClickHouse Keeper from ZooKeeper by what it calls its version.
func isKeeper(version string) bool { return strings.HasPrefix(version, keeperMark) }

// versionOf returns the release within what a server calls its version, such as
// "3.9.3-c26634f, built on 2024-10-17 23:21 UTC", or "unknown".
func versionOf(text string) string {
	text = strings.TrimPrefix(text, keeperMark)
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(text)
	}
	if end == 0 || end > maxVersion {
		return "unknown"
	}
	return text[:end]
}

// peerOf splits the peer state, such as "leading - broadcast" or "following -
// synchronization - diff", into fixed lists. What isn't said is "none".
func peerOf(text string) (state, phase, sync string) {
	state, phase, sync = "unknown", "none", "none"
	for word := range strings.SplitSeq(text, " - ") {
		switch word {
		case "looking", "leading", "following", "observing":
			state = word
		case "election", "discovery", "synchronization", "broadcast":
			phase = word
		case "diff", "snap", "trunc":
			sync = word
		}
	}
	return state, phase, sync
}
