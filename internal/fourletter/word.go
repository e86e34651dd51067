package fourletter

// Word is a four-letter word that is safe to send: it reads, and its cost does
// not grow with the number of watches. The zero Word and every value that is
// not one of the constants is refused by [Client.Open].
type Word uint8

// The words that can be sent. Left out on purpose are srst, crst and stmk, which
// change the server, and dump, stat, wchc and wchp, which list sessions or
// watches under a lock (CVE-2017-5637).
const (
	Conf Word = iota + 1 // Configuration, as key=value lines; no final newline.
	Cons                 // One line a connection.
	Dirs                 // Sizes of the data and log directories; since 3.5.1.
	Envi                 // Java properties, as key=value lines.
	Isro                 // "rw", "ro", or "null" without quorum; no newline.
	Mntr                 // Metrics, as zk_key TAB value lines.
	Ruok                 // "imok"; says nothing about quorum; no newline.
	Srvr                 // Version, mode, zxid and load; always in the whitelist.
	Wchs                 // Number of watches and watched paths.
)

// String returns the word as it is sent, or "????" for a value that is none.
func (w Word) String() string {
	switch w {
	case Conf:
		return "conf"
	case Cons:
		return "cons"
	case Dirs:
		return "dirs"
	case Envi:
		return "envi"
	case Isro:
		return "isro"
	case Mntr:
		return "mntr"
	case Ruok:
		return "ruok"
	case Srvr:
		return "srvr"
	case Wchs:
		return "wchs"
	}
	return "????"
}

func (w Word) valid() bool { return w >= Conf && w <= Wchs }
