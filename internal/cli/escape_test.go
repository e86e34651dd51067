package cli

import "testing"

func TestPrintable(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":            {"/kafka/brokers/0", "/kafka/brokers/0"},
		"blank and quotes": {`/a b/"c"/'d'`, `/a b/"c"/'d'`},
		"letters":          {"/żółw/日本", "/żółw/日本"},
		"clear screen":     {"/\x1b[2J", `/\x1b[2J`},
		"C1 control":       {"/\u009b31m", `/\u009b31m`},
		"new line":         {"/a\n/b", `/a\n/b`},
		"tab":              {"/a\t(no auth)", `/a\t(no auth)`},
		"right to left":    {"/\u202egpj", `/\u202egpj`},
		"invisible":        {"/a\u200b", `/a\u200b`},
		"invalid UTF-8":    {"/\xff\x80", `/\xff\x80`},
		"replacement":      {"/\ufffd", "/\ufffd"},
		"backslash":        {`/\x1b`, `/\\x1b`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := printable(c.in); got != c.want {
				t.Errorf("printable(%q) is %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("/a\x1b", "/a\\x1b")
	f.Add("/\xff", "/\ufffd")
	f.Fuzz(func(t *testing.T, a, b string) {
		if a != b && printable(a) == printable(b) {
			t.Errorf("%q and %q look the same: %s", a, b, printable(a))
		}
		for _, r := range printable(a) {
			if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				t.Errorf("%q keeps a control character: %q", a, printable(a))
			}
		}
	})
}
