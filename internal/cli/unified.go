package cli

import (
	"fmt"
	"slices"
)

const (
	// diffContext is how many lines that are the same stand around a change.
	diffContext = 3
	// maxEdits bounds the search for the shortest diff, whose memory grows with
	// the square of it. Contents that differ more are shown as replaced.
	maxEdits = 1000
)

// edit is a run of lines of a, from i, that n lines of b, from j, replace.
type edit struct{ i, m, j, n int }

// unified returns the hunks of a unified diff of a and b, or nothing if they
// are the same.
func unified(a, b []string) []diffLine {
	var lines []diffLine
	for _, h := range hunks(edits(a, b)) {
		first, last := h[0], h[len(h)-1]
		lead := min(diffContext, first.i)
		from, to := first.i-lead, min(last.i+last.m+diffContext, len(a))
		lines = append(lines, diffLine{colorCyan, fmt.Sprintf("    @@ -%s +%s @@",
			extent(from, to-from), extent(first.j-lead, to-from+grown(h)))})
		for _, e := range h {
			lines = appendLines(lines, "", "      ", a[from:e.i])
			lines = appendLines(lines, colorRed, "    - ", a[e.i:e.i+e.m])
			lines = appendLines(lines, colorGreen, "    + ", b[e.j:e.j+e.n])
			from = e.i + e.m
		}
		lines = appendLines(lines, "", "      ", a[from:to])
	}
	return lines
}

func appendLines(lines []diffLine, color, sign string, texts []string) []diffLine {
	for _, text := range texts {
		lines = append(lines, diffLine{color, sign + text})
	}
	return lines
}

// extent writes where lines stand, as diff does: counted from 1, but from the
// line before where there is none.
func extent(from, n int) string {
	if n > 0 {
		from++
	}
	if n == 1 {
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d,%d", from, n)
}

// grown is how many lines more b has than a in a hunk.
func grown(h []edit) (n int) {
	for _, e := range h {
		n += e.n - e.m
	}
	return n
}

// hunks joins edits whose context would meet.
func hunks(all []edit) (groups [][]edit) {
	for i, e := range all {
		if i > 0 && e.i-(all[i-1].i+all[i-1].m) <= 2*diffContext {
			last := &groups[len(groups)-1]
			*last = append(*last, e)
			continue
		}
		groups = append(groups, []edit{e})
	}
	return groups
}

// edits returns what turns a into b.
func edits(a, b []string) []edit {
	lead := 0
	for lead < len(a) && lead < len(b) && a[lead] == b[lead] {
		lead++
	}
	tail := 0
	for tail < len(a)-lead && tail < len(b)-lead && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	found := shortest(a[lead:len(a)-tail], b[lead:len(b)-tail])
	for k := range found {
		found[k].i += lead
		found[k].j += lead
	}
	return found
}

// shortest is the greedy algorithm of E. Myers, "An O(ND) Difference Algorithm
// and Its Variations" (1986).
func shortest(a, b []string) []edit {
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	var trace [][]int // For each number of edits how far diagonal k reaches, at k + that number.
	for d := 0; d <= min(len(a)+len(b), maxEdits); d++ {
		reach := make([]int, 2*d+1)
		for k := -d; k <= d; k += 2 {
			x := 0
			if d > 0 {
				x, _ = step(trace[d-1], d, k)
			}
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			reach[k+d] = x
			if x >= len(a) && x-k >= len(b) {
				return backtrack(append(trace, reach), len(a), len(b))
			}
		}
		trace = append(trace, reach)
	}
	return []edit{{0, len(a), 0, len(b)}}
}

// step returns where the d-th edit brings diagonal k, and the diagonal that it
// comes from: down with a line of b, or right without a line of a.
func step(before []int, d, k int) (x, from int) {
	at := func(k int) int { return before[k+d-1] }
	if k == -d || k != d && at(k-1) < at(k+1) {
		return at(k + 1), k + 1
	}
	return at(k-1) + 1, k - 1
}

// backtrack follows the path back from the end and joins edits that touch.
func backtrack(trace [][]int, x, y int) (found []edit) {
	for d := len(trace) - 1; d > 0; d-- {
		k := x - y
		_, from := step(trace[d-1], d, k)
		px := trace[d-1][from+d-1]
		py := px - from
		e := edit{px, 0, py, 1}
		if from == k-1 {
			e = edit{px, 1, py, 0}
		}
		if n := len(found); n > 0 && found[n-1].i == e.i+e.m && found[n-1].j == e.j+e.n {
			next := &found[n-1]
			*next = edit{e.i, e.m + next.m, e.j, e.n + next.n}
		} else {
			found = append(found, e)
		}
		x, y = px, py
	}
	slices.Reverse(found)
	return found
}
