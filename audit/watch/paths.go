package watch

import (
	"strings"
	"unicode/utf8"
)

// maxPath is the longest path that is followed, in bytes. It is the longest
// key that the mirror can hold.
const maxPath = 32 << 10

// followable reports whether path names a znode that the client library would
// ask for. Servers accept a little more than the library does, and a hostile
// server sends anything.
func followable(path string) bool {
	if len(path) > maxPath || !strings.HasPrefix(path, "/") || !utf8.ValidString(path) {
		return false
	}
	if path == "/" {
		return true
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return strings.IndexFunc(path, refused) < 0
}

func refused(r rune) bool {
	return r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xf000 && r <= 0xf8ff || r >= 0xfff0 && r < 0xffff
}
