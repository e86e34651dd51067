package audit

import "testing"

func TestParentAndChild(t *testing.T) {
	for _, c := range []struct{ parent, name, path string }{
		{"/", "a", "/a"}, {"/a", "b", "/a/b"}, {"/a/b", " c", "/a/b/ c"},
	} {
		if got := Child(c.parent, c.name); got != c.path {
			t.Errorf("Child(%q, %q) = %q, want %q", c.parent, c.name, got, c.path)
		}
		if got := Parent(c.path); got != c.parent {
			t.Errorf("Parent(%q) = %q, want %q", c.path, got, c.parent)
		}
	}
	if got := Parent("/"); got != "/" {
		t.Errorf("Parent of the root is %q, want itself", got)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		path, root string
		want       bool
	}{
		{"/a", "/a", true}, {"/a/b", "/a", true}, {"/ab", "/a", false}, {"/", "/a", false}, {"/a", "/", true}, {"/", "/", true},
	} {
		if got := Within(c.path, c.root); got != c.want {
			t.Errorf("Within(%q, %q) = %v, want %v", c.path, c.root, got, c.want)
		}
	}
}

func TestValidatePath(t *testing.T) {
	for path, want := range map[string]string{
		"/":                   "",
		"/a":                  "",
		"/kafka/config":       "",
		"/a..b/...":           "",
		"/a b/\"ž漢\"":         "",
		"/\ud7ff\uf900\uffef": "",

		"":          `znode path "" does not begin with /`,
		"a":         `znode path "a" does not begin with /`,
		"/a/":       `znode path "/a/" ends with /`,
		"//":        `znode path "//" ends with /`,
		"/a//b":     `znode path "/a//b" has the component ""`,
		"/./a":      `znode path "/./a" has the component "."`,
		"/a/..":     `znode path "/a/.." has the component ".."`,
		"/\xff":     `znode path "/\xff" is not UTF-8`,
		"/a\x00":    `znode path "/a\x00" has a character that ZooKeeper refuses at byte 2`,
		"/a/\n":     `znode path "/a/\n" has a character that ZooKeeper refuses at byte 3`,
		"/\x7f":     `znode path "/\x7f" has a character that ZooKeeper refuses at byte 1`,
		"/\u0085":   `znode path "/\u0085" has a character that ZooKeeper refuses at byte 1`,
		"/ž\ue000":  `znode path "/ž\ue000" has a character that ZooKeeper refuses at byte 3`,
		"/\uf000":   `znode path "/\uf000" has a character that ZooKeeper refuses at byte 1`,
		"/a\ufffd":  `znode path "/a�" has a character that ZooKeeper refuses at byte 2`,
		"/🦓/config": `znode path "/🦓/config" has a character that ZooKeeper refuses at byte 1`,
	} {
		t.Run(path, func(t *testing.T) {
			got := ""
			if err := ValidatePath(path); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
