package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"zkwarden/audit"
)

const (
	// maxGlob is the longest glob, in bytes.
	maxGlob = 1024
	// maxAlternatives is how many globs the braces of one may stand for.
	maxAlternatives = 64

	subtreeEnd = "/**"
	special    = `*?[]{}\`
)

// glob matches paths. It has no braces: [expand] makes one glob of each
// alternative, so that each has a root of its own.
type glob struct {
	text    string
	root    string   // The innermost znode that holds everything that matches.
	parts   []string // The components; nil where root says it all.
	anyFrom int      // The first component that is "**", or len(parts).
	below   bool     // Whether it matches root and everything below it.
	server  bool     // Whether it names ZooKeeper's own subtree.
}

// compileGlob returns the globs that text stands for.
func compileGlob(text string) ([]glob, error) {
	if len(text) > maxGlob {
		return nil, fmt.Errorf("the glob has more than %d bytes", maxGlob)
	}
	if !strings.ContainsAny(text, special) {
		if err := audit.ValidatePath(text); err != nil {
			return nil, err
		}
		return []glob{{text: text, root: text, server: inServerTree(text)}}, nil
	}
	if err := validateGlob(text); err != nil {
		return nil, fmt.Errorf("glob %q %w", text, err)
	}
	alternatives := expand(text, maxAlternatives+1)
	if len(alternatives) > maxAlternatives {
		return nil, fmt.Errorf("glob %q stands for more than %d globs", text, maxAlternatives)
	}
	globs := make([]glob, 0, len(alternatives))
	for _, one := range alternatives {
		g, err := newGlob(one)
		if err != nil {
			return nil, fmt.Errorf("glob %q %w", text, err)
		}
		globs = append(globs, g)
	}
	return globs, nil
}

func validateGlob(text string) error {
	if !doublestar.ValidatePattern(text) {
		return errors.New("is malformed")
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '[':
			end := closing(text, i)
			if strings.Contains(text[i:end], "/") {
				return errors.New("has a / between brackets")
			}
			i = end
		}
	}
	return nil
}

// closing returns where the class that begins at i ends.
func closing(text string, i int) int {
	for i++; i < len(text) && text[i] != ']'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return min(i, len(text))
}

// newGlob compiles a valid glob without braces.
func newGlob(text string) (glob, error) {
	if !strings.HasPrefix(text, "/") {
		return glob{}, errors.New("does not begin with /")
	}
	g := glob{text: text, parts: strings.Split(text, "/")[1:]}
	g.anyFrom = len(g.parts)
	var root strings.Builder
	literal := true
	for i, part := range g.parts {
		if part == "" || part == "." || part == ".." {
			return glob{}, fmt.Errorf("has the component %q", part)
		}
		if part == "**" {
			g.anyFrom = min(g.anyFrom, i)
		}
		if literal = literal && !strings.ContainsAny(part, special); literal {
			root.WriteString("/" + part)
		}
	}
	g.root = max(root.String(), "/")
	g.below = strings.TrimSuffix(g.root, "/")+subtreeEnd == text
	if literal || g.below {
		g.parts = nil
		if err := audit.ValidatePath(g.root); err != nil {
			return glob{}, fmt.Errorf("stands for an impossible name: %w", err)
		}
	}
	g.server = inServerTree(g.root)
	return g, nil
}

// subtree is the glob of a znode and everything below it, whatever characters
// its name has.
func subtree(root string) glob {
	return glob{text: root, root: root, below: true, server: inServerTree(root)}
}

func (g *glob) matches(path string, server bool) bool {
	if server && !g.server || !audit.Within(path, g.root) {
		return false
	}
	if g.parts == nil {
		return g.below || len(path) == len(g.root)
	}
	return doublestar.MatchUnvalidated(g.text, path)
}

// leads reports whether something that lies below path may match.
func (g *glob) leads(path string, server bool) bool {
	switch {
	case audit.Within(g.root, path) && g.root != path:
		return true
	case server && !g.server || !audit.Within(path, g.root):
		return false
	case g.parts == nil:
		return g.below
	}
	depth := strings.Count(path, "/")
	if path == "/" {
		depth = 0
	}
	if depth >= g.anyFrom {
		return doublestar.MatchUnvalidated("/"+strings.Join(g.parts[:g.anyFrom+1], "/"), path)
	}
	return depth < len(g.parts) && (depth == 0 || doublestar.MatchUnvalidated("/"+strings.Join(g.parts[:depth], "/"), path))
}

func inServerTree(path string) bool { return audit.Within(path, serverTree) }

// expand returns the globs that the braces of text stand for, but at most
// limit of them.
func expand(text string, limit int) []string {
	open, alternatives, end := braces(text)
	if open < 0 {
		return []string{text}
	}
	var all []string
	for _, alternative := range alternatives {
		if len(all) >= limit {
			break
		}
		all = append(all, expand(text[:open]+alternative+text[end:], limit-len(all))...)
	}
	return all
}

// braces finds the first pair of braces in a valid glob, what stands between
// its commas, and where it ends. Without one, open is negative.
func braces(text string) (open int, alternatives []string, end int) {
	open = -1
	depth, begin := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '[':
			i = closing(text, i)
		case '{':
			if depth++; depth == 1 {
				open, begin = i, i+1
			}
		case ',':
			if depth == 1 {
				alternatives, begin = append(alternatives, text[begin:i]), i+1
			}
		case '}':
			if depth--; depth == 0 {
				return open, append(alternatives, text[begin:i]), i + 1
			}
		}
	}
	return -1, nil, 0
}
