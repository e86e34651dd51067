package app

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

func TestSyncInWords(t *testing.T) {
	for _, test := range []struct {
		what string
		done float64
		want string
	}{
		{firstSync, 0, "first sync 0%, 7 znodes read"},
		{firstSync, 0.439, "first sync 43%, 7 znodes read"},
		{firstSync, 1, "first sync 99%, 7 znodes read"}, // What was read is not recorded yet.
		{resync, 0.5, "resync 50%, 7 znodes compared"},
	} {
		if got := syncing(test.what, test.done, 7); got != test.want {
			t.Errorf("syncing(%v, %v) = %q, want %q", test.what, test.done, got, test.want)
		}
	}
}

// display notes when something is shown.
type display struct {
	mu    sync.Mutex
	began time.Time
	shown []string
}

func (d *display) show(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = append(d.shown, fmt.Sprintf("%s %s", time.Since(d.began).Round(time.Millisecond), text))
}

func (d *display) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.shown)
}

// await waits for a condition.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("no %s within %s", what, patience)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestProgressIsShownForAWhile(t *testing.T) {
	const second = time.Second
	for name, test := range map[string]struct {
		over, canceled time.Duration // When it is over, and when nobody waits any longer.
		want           []string
	}{
		"a short one":                 {over: second - 1, canceled: time.Hour},
		"a long one":                  {over: 1600 * time.Millisecond, canceled: time.Hour, want: []string{"1s 10%", "1.25s 12%", "1.5s 15%", "1.6s "}},
		"one that stands still":       {over: 26 * second / 10, canceled: time.Hour, want: []string{"1s 10%", "1.25s 12%", "1.5s 15%", "1.75s 17%", "2s 20%", "2.6s "}},
		"one that is not waited for":  {over: time.Hour, canceled: 1100 * time.Millisecond, want: []string{"1s 10%", "1.1s "}},
		"one that is given up before": {over: time.Hour, canceled: second / 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.canceled)
				defer cancel()
				over := make(chan struct{})
				end := time.AfterFunc(test.over, func() { close(over) })
				defer end.Stop()
				d := &display{began: time.Now()}
				showUntil(ctx, over, d.show, func() string {
					return fmt.Sprintf("%d%%", min(time.Since(d.began), 2*second)*10/second)
				})
				if diff := cmp.Diff(test.want, d.shown); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A first sync that takes its time is told in per cent, by the page and on the
// terminal, whose line is cleared at the end.
func TestProgressOfTheFirstSync(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	admin := client(t, server.Addr())
	mustCreate(t, admin, "/a", "", 0)
	for n := range 200 {
		mustCreate(t, admin, fmt.Sprintf("/a/%03d", n), strings.Repeat("x", 1000), 0)
	}
	// Past the list of children, which says how many there are.
	stalled, release := stall(t, server.Addr(), 50_000)
	o := auditOptions(t.TempDir(), newRecords(), []string{stalled}, "/a")
	d := &display{began: time.Now()}
	o.Progress = d.show
	app, stop := startApp(t, o)
	url := "http://" + app.Addr().String() + "/-/ready"

	told := regexp.MustCompile(`first sync [1-9][0-9]?%, [1-9][0-9]* znodes read$`)
	await(t, "progress on the page", func() bool {
		status, text := get(t, url)
		return status == http.StatusServiceUnavailable && told.MatchString(strings.TrimSpace(text))
	})
	await(t, "progress on the terminal", func() bool {
		return slices.ContainsFunc(d.all(), told.MatchString)
	})
	release()
	o.Stdout.(*records).await(t, "first sync", isControl(audit.ControlBaseline))
	await(t, "end of the line", func() bool {
		all := d.all()
		return strings.HasSuffix(all[len(all)-1], "s ")
	})
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
