package collector

// State is what a server is to its clients, as one of a fixed list.
type State string

// The states, in the order of States.
const (
	Leader     State = "leader"
	Follower   State = "follower"
	Observer   State = "observer"
	Standalone State = "standalone"
	ReadOnly   State = "read_only"   // Without quorum, and serves reads of clients that accept that.
	NotServing State = "not_serving" // Answers words, and no clients.
	Unknown    State = "unknown"     // Said nothing of it, or couldn't be asked.
)

// States returns every state there is, always in the same order.
func States() []State {
	return []State{Leader, Follower, Observer, Standalone, ReadOnly, NotServing, Unknown}
}

// Serving tells whether clients are served, in read-only mode included.
func (s State) Serving() bool { return s != NotServing && s != Unknown }

// stateOf translates what the server calls its mode in mntr and srvr.
func stateOf(mode string) State {
	switch mode {
	case "leader":
		return Leader
	case "follower":
		return Follower
	case "observer":
		return Observer
	case "standalone":
		return Standalone
	case "read-only":
		return ReadOnly
	}
	return Unknown
}
