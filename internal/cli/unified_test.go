package cli

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// apply makes b of a as the edits say.
func apply(a, b []string, all []edit) []string {
	var made []string
	at := 0
	for _, e := range all {
		made = append(made, a[at:e.i]...)
		made = append(made, b[e.j:e.j+e.n]...)
		at = e.i + e.m
	}
	return append(made, a[at:]...)
}

// distance is the length of the shortest edit, by dynamic programming.
func distance(a, b []string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		for j := range d[i] {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j], d[i][j-1])
			}
		}
	}
	return d[len(a)][len(b)]
}

func TestEditsAreShortest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := func() (lines []string) {
		for range rng.IntN(12) {
			lines = append(lines, string(rune('a'+rng.IntN(3))))
		}
		return lines
	}
	for range 20_000 {
		a, b := text(), text()
		all := edits(a, b)
		if got := strings.Join(apply(a, b, all), ""); got != strings.Join(b, "") {
			t.Fatalf("%q to %q: %+v makes %q", a, b, all, got)
		}
		length := 0
		for i, e := range all {
			length += e.m + e.n
			if i > 0 && (e.i <= all[i-1].i+all[i-1].m || e.m+e.n == 0) {
				t.Fatalf("%q to %q: edits %+v touch or do nothing", a, b, all)
			}
		}
		if want := distance(a, b); length != want {
			t.Fatalf("%q to %q: %+v has %d lines, want %d", a, b, all, length, want)
		}
	}
}

func TestHugeDifferenceIsAReplacement(t *testing.T) {
	var a, b []string
	for i := range 5000 {
		a, b = append(a, fmt.Sprint("a", i)), append(b, fmt.Sprint("b", i))
	}
	if diff := cmp.Diff([]edit{{0, 5000, 0, 5000}}, edits(a, b), cmp.AllowUnexported(edit{})); diff != "" {
		t.Error(diff)
	}
}

func TestUnified(t *testing.T) {
	numbers := func(from, to int) (lines []string) {
		for i := from; i <= to; i++ {
			lines = append(lines, fmt.Sprint(i))
		}
		return lines
	}
	changed := numbers(1, 20)
	changed[4], changed[16] = "five", "seventeen"
	cases := []struct {
		name string
		a, b []string
		want string
	}{
		{"same", numbers(1, 3), numbers(1, 3), ""},
		{"created", nil, []string{"x"}, "@@ -0,0 +1 @@\n+ x\n"},
		{"deleted", []string{"x", "y"}, nil, "@@ -1,2 +0,0 @@\n- x\n- y\n"},
		{"middle", numbers(1, 9), append(numbers(1, 4), numbers(6, 9)...), "@@ -2,7 +2,6 @@\n  2\n  3\n  4\n- 5\n  6\n  7\n  8\n"},
		{"two hunks", numbers(1, 20), changed, "@@ -2,7 +2,7 @@\n  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n@@ -14,7 +14,7 @@\n  14\n  15\n  16\n- 17\n+ seventeen\n  18\n  19\n  20\n"},
	}
	for _, c := range cases {
		var got strings.Builder
		for _, line := range unified(c.a, c.b) {
			got.WriteString(strings.TrimPrefix(line.text, "    ") + "\n")
		}
		if diff := cmp.Diff(c.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
