package audit

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Parent returns the path of the znode that holds path. The root has none and
// is returned itself.
func Parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

// Child returns the path of the child called name.
func Child(parent, name string) string {
	if parent == "/" {
		return "/" + name
	}
	return parent + "/" + name
}

// Within reports whether path is root or lies below it.
func Within(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return ok && (rest == "" || root == "/" || rest[0] == '/')
}

// ValidatePath reports why path cannot be the name of a znode, following
// ZooKeeper's PathUtils.
func ValidatePath(path string) error {
	if err := validatePath(path); err != nil {
		return fmt.Errorf("znode path %q %w", path, err)
	}
	return nil
}

func validatePath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return errors.New("does not begin with /")
	case path == "/":
		return nil
	case strings.HasSuffix(path, "/"):
		return errors.New("ends with /")
	case !utf8.ValidString(path):
		return errors.New("is not UTF-8")
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return fmt.Errorf("has the component %q", name)
		}
	}
	if i := strings.IndexFunc(path, refused); i >= 0 {
		return fmt.Errorf("has a character that ZooKeeper refuses at byte %d", i)
	}
	return nil
}

// refused is PathUtils' list of characters. Java counts in UTF-16, where those
// above U+FFFF are two surrogates.
func refused(r rune) bool {
	return r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xe000 && r <= 0xf8ff || r >= 0xfff0
}
