package guarantee

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNames holds the table of the guarantees to the errors that are named
// after them. The page says which one has none.
func TestNames(t *testing.T) {
	page, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	var promised, named []string
	for _, row := range regexp.MustCompile(`(?m)^\| \*\*([a-z-]+)\*\* \|`).FindAllSubmatch(page, -1) {
		promised = append(promised, string(row[1]))
	}
	for _, err := range []error{ErrAccounted, ErrOrdered, ErrUnique, ErrResumable, ErrCommitted, ErrHonest, ErrProgress, ErrVerified, ErrRedacted} {
		name, _, _ := strings.Cut(err.Error(), ":")
		named = append(named, name)
	}
	elsewhere := regexp.MustCompile(`Each guarantee but ([a-z-]+) has an error of its name`).FindSubmatch(page)
	if elsewhere == nil {
		t.Fatal("the page does not say which guarantee has no error of its name")
	}
	named = append(named, string(elsewhere[1]))
	slices.Sort(promised)
	slices.Sort(named)
	if diff := cmp.Diff(promised, named); diff != "" {
		t.Errorf("guarantees (-docs/guarantees.md +errors):\n%s", diff)
	}
}
