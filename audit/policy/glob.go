package policy

import (
	"errors"
	"fmt"
	"slices"
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
	text   string
	root   string // The innermost znode that holds everything that matches.
	parts  []part // Of each name in the path; nil where root says it all.
	below  bool   // Whether it matches root and everything below it.
	server bool   // Whether it names ZooKeeper's own subtree.
}

// part is what one name in a path has to be.
type part struct {
	text    string
	literal bool
	any     bool // "**" stands for any number of names, even none.
}

func (p part) matches(name string) bool {
	return p.literal && p.text == name || !p.literal && doublestar.MatchUnvalidated(p.text, name)
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
	g := glob{text: text}
	var root strings.Builder
	literal := true
	for name := range strings.SplitSeq(text[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return glob{}, fmt.Errorf("has the component %q", name)
		}
		p := part{text: name, literal: !strings.ContainsAny(name, special), any: name == "**"}
		g.parts = append(g.parts, p)
		if literal = literal && p.literal; literal {
			root.WriteString("/" + name)
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
	return g.matchParts(path)
}

// matchParts goes through the names of path. It goes back to the last "**"
// only, which is enough.
func (g *glob) matchParts(path string) bool {
	p, star, resume := 0, -1, ""
	for rest := below(path); rest != ""; {
		name, behind := next(rest)
		switch {
		case p < len(g.parts) && g.parts[p].any:
			star, resume = p, rest
			p++
		case p < len(g.parts) && g.parts[p].matches(name):
			p, rest = p+1, behind
		case star >= 0:
			_, resume = next(resume)
			p, rest = star+1, resume
		default:
			return false
		}
	}
	return !slices.ContainsFunc(g.parts[p:], func(p part) bool { return !p.any })
}

// below returns what next takes apart.
func below(path string) string {
	if path == "/" {
		return ""
	}
	return path
}

// next returns the first name of a path and what stands behind it.
func next(path string) (name, behind string) {
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		return path[1 : i+1], path[i+1:]
	}
	return path[1:], ""
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
	rest := below(path)
	for _, p := range g.parts {
		if rest == "" || p.any {
			return true
		}
		var name string
		if name, rest = next(rest); !p.matches(name) {
			return false
		}
	}
	return false
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
