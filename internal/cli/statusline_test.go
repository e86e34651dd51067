package cli

import (
	"bytes"
	"fmt"
	"testing"
)

func TestStatusLine(t *testing.T) {
	var terminal bytes.Buffer
	line := NewStatusLine(&terminal)
	out := line.Beside(&terminal)
	fmt.Fprintln(out, "before")
	line.Show("1%")
	line.Show("1%")
	line.Show("2%")
	fmt.Fprintln(out, "a record")
	line.Show("")
	line.Show("")
	fmt.Fprintln(out, "behind")
	want := "before\n" + "\r\x1b[K1%" + "\r\x1b[K2%" + "\r\x1b[Ka record\n2%" + "\r\x1b[K" + "behind\n"
	if got := terminal.String(); got != want {
		t.Errorf("the terminal got\n%q, want\n%q", got, want)
	}
}
