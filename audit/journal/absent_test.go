package journal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// told returns what Browse tells of beside lines.
func told(t *testing.T, dir string, o BrowseOptions) (all []error) {
	t.Helper()
	for _, err := range Browse(t.Context(), dir, o) {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// TestBrowseBeforeRetention asks for records that are removed, of a journal in
// which any number of segments came since.
func TestBrowseBeforeRetention(t *testing.T) {
	for _, segments := range []int{0, 1, 2, 5} {
		t.Run(fmt.Sprintf("%d segments behind", segments), func(t *testing.T) {
			dir, _ := retained(t) // The records 1 to 5 are gone.
			report, err := Verify(t.Context(), dir, VerifyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			j := newTestJournal(t, dir)
			for range segments {
				grow(t, j, 3)
			}
			for _, c := range []struct {
				options  BrowseOptions
				from, to uint64 // None when 0.
			}{
				{BrowseOptions{From: 1, To: 3}, 1, 3},
				{BrowseOptions{To: 3}, 1, 3},
				{BrowseOptions{From: 4, To: 9}, 4, 5},
				{BrowseOptions{From: 5}, 5, 5},
				{BrowseOptions{From: 6}, 0, 0},
				{BrowseOptions{}, 0, 0},
			} {
				errs := told(t, dir, c.options)
				if c.from == 0 {
					if len(errs) > 0 {
						t.Errorf("%+v: Browse tells of %v", c.options, errs)
					}
					continue
				}
				want := RemovedError{From: c.from, To: c.to, By: report.RemovedBy, Reason: "size"}
				var removed *RemovedError
				if len(errs) != 1 || !errors.As(errs[0], &removed) || *removed != want {
					t.Errorf("%+v: Browse tells of %v, want %v", c.options, errs, &want)
				}
			}
		})
	}
}

// TestBrowseBeforeRetentionOfSmallSegments has a segment for each record, also
// for that of retention.
func TestBrowseBeforeRetentionOfSmallSegments(t *testing.T) {
	dir := t.TempDir()
	j := keeping(t, dir, Limits{SegmentSize: 1, RetentionSize: 1})
	appendEvents(t, j, 10)
	j.Keep(6)
	appendEvents(t, j, 10)
	settle(t, j)
	report, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil || report.First != 7 {
		t.Fatalf("Verify returned %+v, %v, want that the records 1 to 6 are removed", report, err)
	}
	errs := told(t, dir, BrowseOptions{To: 3})
	var removed *RemovedError
	if len(errs) != 1 || !errors.As(errs[0], &removed) || removed.By != report.RemovedBy {
		t.Errorf("Browse tells of %v, want that record %d tells of the removal", errs, report.RemovedBy)
	}
}

func TestRemovedError(t *testing.T) {
	for want, err := range map[string]RemovedError{
		"the records 1 to 3 are not here: retention removed them by size, as record 17 says": {From: 1, To: 3, By: 17, Reason: "size"},
		"retention removed the records 1 to 3 before they could be read":                     {From: 1, To: 3},
	} {
		if err.Error() != want {
			t.Errorf("the error reads %q, want %q", err.Error(), want)
		}
	}
}

// TestBrowseBeforeARemovalMadeUp: what nobody vouches for is missing.
func TestBrowseBeforeARemovalMadeUp(t *testing.T) {
	whole := segmented(t, 4, 4, 4)
	remove(t, segmentPath(whole, 1))
	more, _ := retained(t) // By retention the records 1 to 5, by hand the others before 11.
	remove(t, segmentPath(more, 6))
	forged, removed := retained(t) // It goes on behind another record than the one that was removed.
	lines := linesOf(t, forged, 6)
	end := hashOfLine(t, bytes.SplitAfter(removed, []byte("\n"))[4])
	body := bytes.Replace(lines[0][:len(lines[0])-hashPart-1], []byte(end), []byte(noHash), 1)
	line, _ := seal(append(body, '}'))
	write(t, segmentPath(forged, 6), append(append(line, '\n'), bytes.Join(lines[1:], nil)...))
	for dir, to := range map[string]uint64{whole: 4, more: 10, forged: 5} {
		errs := told(t, dir, BrowseOptions{From: 2, To: to + 1})
		var broken *BrokenError
		want := fmt.Sprintf("the records 2 to %d are missing, and no retention record vouches for all that is gone before record %d", to, to+1)
		if len(errs) == 0 || !errors.As(errs[0], &broken) || broken.Problem != want {
			t.Errorf("Browse tells of %v, want that %s", errs, want)
		}
	}
}

// TestBrowseWithinAHole asks for records of a segment in the middle that is
// gone.
func TestBrowseWithinAHole(t *testing.T) {
	dir := segmented(t, 4, 4, 4, 4)
	remove(t, segmentPath(dir, 5))
	for _, c := range []struct {
		from, to uint64
		isThere  bool
	}{{5, 6, false}, {8, 8, false}, {3, 5, false}, {3, 4, true}, {9, 10, true}, {13, 14, true}, {9, 99, true}} {
		errs := told(t, dir, BrowseOptions{From: c.from, To: c.to})
		var broken *BrokenError
		switch {
		case c.isThere && len(errs) > 0:
			t.Errorf("%+v: Browse tells of %v", c, errs)
		case !c.isThere && (len(errs) != 1 || !errors.As(errs[0], &broken) || broken.Seq != 5):
			t.Errorf("%+v: Browse tells of %v, want the records 5 to 8 to be missing", c, errs)
		}
	}
}

// TestBrowseBeforeDamage: the first record, which tells what was before it, is
// damaged. The removal is vouched for all the same.
func TestBrowseBeforeDamage(t *testing.T) {
	dir, _ := retained(t)
	text := mustRead(t, segmentPath(dir, 6))
	text[20] ^= 1
	write(t, segmentPath(dir, 6), text)
	var kinds []string
	for _, err := range told(t, dir, BrowseOptions{From: 1, To: 7}) {
		kinds = append(kinds, fmt.Sprintf("%T", err))
	}
	if diff := cmp.Diff([]string{fmt.Sprintf("%T", &RemovedError{}), fmt.Sprintf("%T", &BrokenError{})}, kinds); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
