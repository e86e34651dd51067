package prometheus

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/zktest"
)

// mutant is a copy of an alert, or of a recording rule and all that reads it, that
// is wrong in one place.
type mutant struct {
	what    string
	rules   []rule
	control bool // It is not wrong, and nothing may notice it.
}

var (
	comparison = regexp.MustCompile(`(^|\s)(==|!=|<=|>=|<|>)\s`)
	operator   = regexp.MustCompile(`^\s*(or|and|unless)\b`)
)

// opposites turn a comparison around.
var opposites = map[string]string{"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

// Whatever is done to a rule, some scenario notices: a comparison turned around,
// a clause left out, a wait changed, all of it removed.
func TestMutations(t *testing.T) {
	for _, name := range shipped {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mutants := mutantsOf(loadRules(t, name).rules())
			killed := kill(t, name, mutants)
			for i, m := range mutants {
				if m.control == killed[i] {
					t.Errorf("noticed: %t, of %s\n%s", killed[i], m.what, m.rules[0].Expr)
				}
			}
			t.Logf("%d mutants of %s", len(mutants), name)
		})
	}
}

// kill runs all scenarios with all mutants beside the rules, and tells which of
// them do something else than the alerts that they are copies of.
func kill(t *testing.T, name string, mutants []mutant) map[int]bool {
	t.Helper()
	rules, tests := loadRules(t, name), loadScenarios(t, name)
	// All in one group, where each sees what those before it have recorded.
	all := group{Name: "all", Rules: rules.rules()}
	for i, m := range mutants {
		for _, r := range m.rules {
			if r.Record != "" {
				r.Record += suffix(i)
			} else {
				r.Alert += suffix(i)
			}
			all.Rules = append(all.Rules, r)
		}
	}
	for i, r := range all.Rules {
		all.Rules[i].Expr = oneLine(r.Expr)
	}
	dir := t.TempDir()
	save(t, filepath.Join(dir, "rules.yml"), ruleFile{Groups: []group{all}})
	tests.RuleFiles = []string{"rules.yml"}
	for i := range tests.Tests {
		tests.Tests[i].Exprs = questions(tests.Tests[i].Exprs, mutants)
		tests.Tests[i].Alerts = nil
	}
	save(t, filepath.Join(dir, "tests.yml"), tests)
	command, err := zktest.Promtool(t.Context(), "test", "rules", filepath.Join(dir, "tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.CombinedOutput()
	if err == nil {
		t.Fatal("promtool finds no fault in any mutant")
	}
	killed := map[int]bool{}
	for _, found := range regexp.MustCompile(`expr: "[^\n]*_mutant(\d+)\\"`).FindAllStringSubmatch(string(out), -1) {
		var i int
		if _, err := fmt.Sscan(found[1], &i); err != nil {
			t.Fatal(err)
		}
		killed[i] = true
	}
	if len(killed) == 0 {
		t.Fatalf("promtool failed otherwise:\n%.2000s", out)
	}
	return killed
}

// oneLine leaves out comments and breaks of lines.
func oneLine(expr string) string {
	return strings.Join(strings.Fields(regexp.MustCompile(`#[^\n]*`).ReplaceAllString(expr, "")), " ")
}

func suffix(i int) string { return fmt.Sprintf("_mutant%d", i) }

// questions asks of each mutant's alerts what a scenario says of the original.
func questions(original []exprTest, mutants []mutant) []exprTest {
	var asked []exprTest
	for _, check := range original {
		for i, m := range mutants {
			for _, r := range m.rules {
				if r.Alert == "" {
					continue
				}
				q := exprTest{EvalTime: check.EvalTime}
				q.Expr = fmt.Sprintf(`count by (ensemble) (ALERTS{alertstate="firing", alertname="%s%s"})`, r.Alert, suffix(i))
				for _, s := range check.Samples {
					if rest, ok := strings.CutPrefix(s.Labels, `{alertname="`+r.Alert+`"`); ok {
						q.Samples = append(q.Samples, sample{Labels: "{" + strings.TrimPrefix(rest, ", "), Value: s.Value})
					}
				}
				asked = append(asked, q)
			}
		}
	}
	return asked
}

func mutantsOf(rules []rule) []mutant {
	var all []mutant
	for _, r := range rules {
		if r.Alert != "" {
			all = append(all, mutant{what: r.Alert + ": a copy that is right", rules: []rule{r}, control: true})
		}
		name := r.Alert + r.Record
		add := func(what string, change func(*rule)) {
			changed := r
			change(&changed)
			all = append(all, mutant{what: name + ": " + what, rules: append([]rule{changed}, readers(rules, r.Record, len(all))...)})
		}
		add("removed", func(r *rule) { r.Expr = "vector(1) == 2" })
		for _, m := range flips(r.Expr) {
			add("comparison turned around", func(r *rule) { r.Expr = m })
		}
		for _, m := range withoutClauses(r.Expr) {
			add("clause left out", func(r *rule) { r.Expr = m })
		}
		if r.Alert == "" {
			continue
		}
		add("waits longer", func(r *rule) { r.For = longer(r.For) })
		if r.For != "" {
			add("doesn't wait", func(r *rule) { r.For = "" })
		}
		if r.KeepFiringFor != "" {
			add("doesn't keep firing", func(r *rule) { r.KeepFiringFor = "" })
		}
	}
	return all
}

// readers returns copies of the rules that read a record, and read the mutant's.
func readers(rules []rule, record string, mutant int) []rule {
	var found []rule
	if record == "" {
		return nil
	}
	whole := regexp.MustCompile(regexp.QuoteMeta(record) + `\b`)
	for _, r := range rules {
		if whole.MatchString(r.Expr) && r.Record != record {
			r.Expr = whole.ReplaceAllString(r.Expr, record+suffix(mutant))
			found = append(found, r)
		}
	}
	return found
}

func longer(wait string) string {
	var n int
	var unit string
	if _, err := fmt.Sscanf(wait, "%d%s", &n, &unit); err != nil {
		return "10m"
	}
	return fmt.Sprintf("%d%s", 3*n, unit)
}

// flips returns the expression once for each comparison that it has, with that
// one turned around.
func flips(expr string) []string {
	var all []string
	for _, at := range comparison.FindAllStringSubmatchIndex(expr, -1) {
		from, to := at[4], at[5]
		all = append(all, expr[:from]+opposites[expr[from:to]]+expr[to:])
	}
	return all
}

// withoutClauses returns the expression once for each operand of or, and or unless
// that can be left out. Such an operator stands at the beginning of a line.
func withoutClauses(expr string) []string {
	lines := strings.Split(strings.TrimRight(expr, "\n"), "\n")
	levels := levelsOf(lines)
	var all []string
	for i, line := range lines {
		found := operator.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		end := i + 1
		for end < len(lines) && levels[end] >= levels[i] && (levels[end] > levels[i] || !operator.MatchString(lines[end])) {
			end++
		}
		all = append(all, strings.Join(slices.Concat(lines[:i], lines[end:]), "\n"))
		begin := i
		for begin > 0 && levels[begin-1] >= levels[i] && (levels[begin-1] > levels[i] || !operator.MatchString(lines[begin-1])) {
			begin--
		}
		first := begin == 0 || levels[begin-1] < levels[i]
		if found[1] == "or" && first {
			rest := append([]string{operator.ReplaceAllString(line, "")}, lines[i+1:]...)
			all = append(all, strings.Join(slices.Concat(lines[:begin], rest), "\n"))
		}
	}
	return all
}

// levelsOf returns how many parentheses each line is in.
func levelsOf(lines []string) []int {
	levels, open := make([]int, len(lines)), 0
	for i, line := range lines {
		levels[i] = open
		if strings.HasPrefix(strings.TrimSpace(line), ")") {
			levels[i]--
		}
		open += strings.Count(line, "(") - strings.Count(line, ")")
	}
	return levels
}

// The mutants are those that one would make by hand.
func TestMutants(t *testing.T) {
	const expr = `(
  a > 1
  or
  b
)
unless
c == 2
`
	var flipped, left []string
	for _, m := range flips(expr) {
		flipped = append(flipped, oneLine(m))
	}
	for _, m := range withoutClauses(expr) {
		left = append(left, oneLine(m))
	}
	want := []string{"( a <= 1 or b ) unless c == 2", "( a > 1 or b ) unless c != 2"}
	if diff := cmp.Diff(want, flipped); diff != "" {
		t.Errorf("comparisons (-want +got):\n%s", diff)
	}
	want = []string{"( a > 1 ) unless c == 2", "( b ) unless c == 2", "( a > 1 or b )"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("clauses (-want +got):\n%s", diff)
	}
}
