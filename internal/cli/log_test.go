package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/journal"
)

func noon(minutes int) audit.Millis {
	return audit.AtTime(time.Date(2026, 11, 20, 12, minutes, 0, 0, time.UTC))
}

// day is a journal with one record of every sort.
func day() []audit.Event {
	no, yes := false, true
	n, size, version := uint64(7), 60, int32(8)
	after, until := audit.Zxid(0x10), audit.Zxid(0x20)
	text := func(data string) *audit.Content {
		size := len(data)
		return &audit.Content{Size: &size, Data: data, Encoding: audit.EncodingUTF8}
	}
	return []audit.Event{
		{Kind: audit.KindControl, Control: audit.ControlStart, Roots: []string{"/a", "/b c"}, Observed: noon(0)},
		{Kind: audit.KindControl, Control: audit.ControlBaseline, Roots: []string{"/a"}, Count: &n, Zxid: 5, Observed: noon(1)},
		{
			Kind: audit.KindChange, Op: audit.OpCreated, Path: "/a/x", Version: new(int32), Exact: &yes, Source: audit.OriginWatch, After: text("one\n"),
			EphemeralOwner: 0x99, Actor: &audit.Actor{Session: 0x99, Client: "10.1.2.3", Confidence: "exact"}, Observed: noon(2),
		},
		{
			Kind: audit.KindChange, Op: audit.OpDataChanged, Path: "/a/x", Version: &version, Exact: &no, Collapsed: 3, Source: audit.OriginResync,
			Before: text(`{"limit":99,"name":"x"}`), After: text(`{"limit":98,"name":"x"}`),
			Actor: &audit.Actor{Session: 0x98, Confidence: "likely"}, Observed: noon(3), Time: noon(1),
		},
		{Kind: audit.KindGap, Reason: audit.GapReconnect, ZxidAfter: &after, ZxidUntil: &until, Observed: noon(4)},
		{
			Kind: audit.KindChange, Op: audit.OpDeleted, Path: "/b c/\x1b[31mred\u202e", Cause: audit.CauseSessionExpired, Exact: &yes, Source: audit.OriginTxnlog,
			Before: &audit.Content{Size: &size, Digest: "aa"}, Observed: noon(5),
		},
		{
			Kind: audit.KindChange, Op: audit.OpACLChanged, Path: "/ab", Exact: &yes, Source: audit.OriginSweep, Observed: noon(6),
			Version: &version, Aversion: new(int32(2)),
			Before: &audit.Content{ACL: []audit.ACL{{Perms: "cdrwa", Scheme: "world", ID: "anyone"}}},
			After:  &audit.Content{ACL: []audit.ACL{{Perms: "r", Scheme: "world", ID: "anyone"}}},
		},
		{Kind: audit.KindChange, Op: audit.OpChildrenChanged, Path: "/a", Collapsed: 4, Exact: &no, Source: audit.OriginResync, Observed: noon(7)},
		{Kind: audit.KindCheckpoint, Zxid: 0x30, ACLZxid: 0x2f, Unreadable: &n, Observed: noon(8)},
		{Kind: audit.KindControl, Control: audit.ControlRetention, Count: &n, Anchor: "7:abc", Reason: "size", Observed: noon(9)},
		{Kind: audit.KindGap, Reason: "retention removed records 1 to 7 before sink \x07 acknowledged them", Count: &n, Observed: noon(10)},
	}
}

func printLog(t *testing.T, o LogOptions) string {
	t.Helper()
	var out, warnings bytes.Buffer
	o.Warnings = &warnings
	if err := Log(t.Context(), o, &out); err != nil || warnings.Len() > 0 {
		t.Fatalf("Log returned %v and warned of %q", err, &warnings)
	}
	return out.String()
}

func TestLogText(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{}, day()...)
	want := `1  2026-11-20T12:00:00.000Z  start     /a  "/b c"
2  2026-11-20T12:01:00.000Z  baseline  /a  7 znodes  as of 0x5
3  2026-11-20T12:02:00.000Z  created   /a/x  v0  4 bytes  ephemeral of 0x99  by 0x99 (10.1.2.3)
4  2026-11-20T12:03:00.000Z  changed   /a/x  v8  23 -> 23 bytes  by 0x98 likely  inexact  3 collapsed  found by resync  made at 2026-11-20T12:01:00.000Z
5  2026-11-20T12:04:00.000Z  gap       changes after 0x10 and up to 0x20 may be missing: reconnect
6  2026-11-20T12:05:00.000Z  deleted   "/b c/\x1b[31mred\u202e"  60 bytes  session_expired
7  2026-11-20T12:06:00.000Z  acl       /ab  v2  found by sweep
8  2026-11-20T12:07:00.000Z  children  /a  inexact  4 collapsed  found by resync
9  2026-11-20T12:08:00.000Z  checkpoint  nothing else changed through 0x30, nor any ACL through 0x2f, 7 znodes cannot be read
10  2026-11-20T12:09:00.000Z  retention  7 records  through 7:abc  size
11  2026-11-20T12:10:00.000Z  gap       retention removed records 1 to 7 before sink \a acknowledged them
`
	if diff := cmp.Diff(want, printLog(t, LogOptions{Dir: dir})); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	colored := printLog(t, LogOptions{Dir: dir, Color: true})
	if got := regexp.MustCompile(`\x1b\[[0-9]*m`).ReplaceAllString(colored, ""); got != want || !strings.Contains(colored, colorRed+"6  ") {
		t.Errorf("colored text:\n%q", colored)
	}
}

func TestLogOfRewrittenHistory(t *testing.T) {
	was, is := audit.Zxid(0x20), audit.Zxid(0x10)
	_, got := logLine(&audit.Event{Seq: 1, Kind: audit.KindGap, Reason: audit.GapHistoryRewritten, ZxidAfter: &was, ZxidUntil: &is})
	if want := "gap       the ensemble was at 0x20, is at 0x10 and may be another: history_rewritten"; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want %q at the end", got, want)
	}
}

func TestLogFilters(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{SegmentSize: 1}, day()...)
	at := func(minutes int) time.Time { return noon(minutes).Time() }
	cases := []struct {
		name    string
		options LogOptions
		want    string // The seqs.
	}{
		{"path, with gaps", LogOptions{Filter: LogFilter{Paths: []string{"/a"}}}, "3 4 5 8 11"},
		{"two paths", LogOptions{Filter: LogFilter{Paths: []string{"/a/x", "/ab"}}}, "3 4 5 7 11"},
		{"path without gaps", LogOptions{Filter: LogFilter{Paths: []string{"/a"}, Kinds: []audit.Kind{audit.KindChange}}}, "3 4 8"},
		{"glob", LogOptions{Filter: LogFilter{Paths: []string{"/*"}, Kinds: []audit.Kind{audit.KindChange}}}, "7 8"},
		{"deep glob", LogOptions{Filter: LogFilter{Paths: []string{"/**/x"}, Kinds: []audit.Kind{audit.KindChange}}}, "3 4"},
		{"root", LogOptions{Filter: LogFilter{Paths: []string{"/"}, Kinds: []audit.Kind{audit.KindChange}}}, "3 4 6 7 8"},
		{"op", LogOptions{Filter: LogFilter{Ops: []audit.Op{audit.OpCreated, audit.OpDeleted}}}, "3 6"},
		{"kind", LogOptions{Filter: LogFilter{Kinds: []audit.Kind{audit.KindGap, audit.KindCheckpoint}}}, "5 9 11"},
		{"source", LogOptions{Filter: LogFilter{Sources: []audit.Origin{audit.OriginResync}}}, "4 8"},
		{"session", LogOptions{Filter: LogFilter{Sessions: []audit.SessionID{0x98}}}, "4"},
		{"owner", LogOptions{Filter: LogFilter{Sessions: []audit.SessionID{0x99}}}, "3"},
		{"since", LogOptions{Filter: LogFilter{Since: at(8)}}, "9 10 11"},
		{"until", LogOptions{Filter: LogFilter{Until: at(2)}}, "1 2"},
		{"since and until", LogOptions{Filter: LogFilter{Since: at(3), Until: at(5)}}, "4 5"},
		{"seqs", LogOptions{Filter: LogFilter{From: 9, To: 10}}, "9 10"},
		{"limit", LogOptions{Limit: 2}, "10 11"},
		{"limit of a filter", LogOptions{Limit: 2, Filter: LogFilter{Kinds: []audit.Kind{audit.KindChange}}}, "7 8"},
		{"nothing", LogOptions{Filter: LogFilter{Paths: []string{"/nope"}, Kinds: []audit.Kind{audit.KindChange}}}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.options.Dir = dir
			var seqs []string
			for line := range strings.Lines(printLog(t, c.options)) {
				seq, _, _ := strings.Cut(line, " ")
				seqs = append(seqs, seq)
			}
			if got := strings.Join(seqs, " "); got != c.want {
				t.Errorf("records %q, want %q", got, c.want)
			}
		})
	}
}

func TestLogJSONIsTheJournal(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{}, day()...)
	text, err := os.ReadFile(segmentFile(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), printLog(t, LogOptions{Dir: dir, JSON: true})); diff != "" {
		t.Errorf("JSON (-journal +log):\n%s", diff)
	}
}

func TestLogDiff(t *testing.T) {
	size := 70
	digests := func(before, after string) audit.Event {
		return audit.Event{
			Kind: audit.KindChange, Op: audit.OpDataChanged, Path: "/a",
			Before: &audit.Content{Size: &size, Digest: before}, After: &audit.Content{Size: &size, Digest: after},
		}
	}
	content := func(data, encoding string) *audit.Content {
		size := len(data)
		return &audit.Content{Size: &size, Data: data, Encoding: encoding}
	}
	changed := func(before, after *audit.Content) audit.Event {
		return audit.Event{Kind: audit.KindChange, Op: audit.OpDataChanged, Path: "/a", Before: before, After: after}
	}
	cut := content("part", audit.EncodingUTF8)
	cut.Size, cut.Truncated = &size, true
	binary := content("AAEC", audit.EncodingBase64)
	digested := func(data, digest string) *audit.Content {
		c := content(data, audit.EncodingUTF8)
		c.Digest = digest
		return c
	}
	created := changed(nil, content("", audit.EncodingUTF8))
	created.Op = audit.OpCreated
	createdUnknown := changed(nil, nil)
	createdUnknown.Op = audit.OpCreated
	acls, found := day()[6], day()[6]
	found.Before = nil
	found.After = &audit.Content{ACL: found.After.ACL, ACLMasked: true}
	withheld, masked := &audit.Content{Size: &size, Redaction: audit.RedactionWithheld}, content(`{"a":***}`, audit.EncodingUTF8)
	masked.Redaction = audit.RedactionMasked
	cases := []struct {
		name  string
		event audit.Event
		want  string
	}{
		{"JSON", day()[3], `--- before  23 bytes
+++ after   23 bytes
@@ -1,4 +1,4 @@
  {
-   "limit": 99,
+   "limit": 98,
    "name": "x"
  }
`},
		{"text", changed(content("a=1\nb=\x1b[2J\n", "utf-8"), content("a=1\nb=3\n", "utf-8")), `--- before  11 bytes
+++ after   8 bytes
@@ -1,2 +1,2 @@
  a=1
- b=\x1b[2J
+ b=3
`},
		{"JSON and none", changed(content("{}", "utf-8"), content("none", "utf-8")), "--- before  2 bytes\n+++ after   4 bytes\n@@ -1 +1 @@\n- {}\n+ none\n"},
		{"created", day()[2], "--- before  no znode\n+++ after   4 bytes\n@@ -0,0 +1 @@\n+ one\n"},
		{"deleted", day()[5], "--- before  60 bytes, content was not recorded\n+++ after   no znode\n"},
		{"metadata, another", digests("aa", "bb"), "--- before  70 bytes, content was not recorded\n+++ after   70 bytes, content was not recorded\nthe digests say that the content is another\n"},
		{"metadata, the same", digests("aa", "aa"), "--- before  70 bytes, content was not recorded\n+++ after   70 bytes, content was not recorded\nthe digests say that the content is the same\n"},
		{"unknown", changed(nil, content("x", "utf-8")), "--- before  content is not known\n+++ after   1 bytes\n  x\n"},
		{"unknown now", changed(content(`{"a":1}`, "utf-8"), nil), `--- before  7 bytes
  {
    "a": 1
  }
+++ after   content is not known
`},
		{"created, unknown", createdUnknown, "--- before  no znode\n+++ after   content is not known\n"},
		{"null", changed(&audit.Content{Encoding: audit.EncodingNull}, content("x", "utf-8")), "--- before  null\n+++ after   1 bytes\n@@ -0,0 +1 @@\n+ x\n"},
		{"binary", changed(binary, content("x", "utf-8")), "--- before  4 bytes, binary\n+++ after   1 bytes\n  x\n"},
		{"cut", changed(cut, content("part\n", "utf-8")), "--- before  70 bytes, only the first 4 are recorded\n+++ after   5 bytes\nonly white space differs\n"},
		{"redacted", changed(withheld, masked), "--- before  70 bytes, content was withheld: it could not be read to be masked\n+++ after   9 bytes, with parts masked\n  {\"a\":***}\n"},
		{"the same", changed(digested("x", "aa"), digested("x", "aa")), "--- before  1 bytes\n+++ after   1 bytes\nthe content is the same\n"},
		{"a masked part differs", changed(digested("***", "aa"), digested("***", "bb")), "--- before  3 bytes\n+++ after   3 bytes\nthe digests say that the content is another: what differs is masked or cut\n"},
		{"the same, as far as it is recorded", changed(content("x", "utf-8"), digested("x", "aa")), "--- before  1 bytes\n+++ after   1 bytes\nwhat is recorded is the same\n"},
		{"created empty", created, "--- before  no znode\n+++ after   0 bytes\n"},
		{"end of the last line", changed(content("a\nb", "utf-8"), content("a\nb\n", "utf-8")), "--- before  3 bytes\n+++ after   4 bytes\n@@ -1,2 +1,2 @@\n  a\n- b (no newline at the end)\n+ b\n"},
		{"ACL", acls, "--- before  ACL\n+++ after   ACL\n@@ -1 +1 @@\n- acl world:anyone:cdrwa\n+ acl world:anyone:r\n"},
		{"ACL found first", found, "--- before  ACL is not known\n+++ after   ACL, not all of which is known\n@@ -0,0 +1 @@\n+ acl world:anyone:r\n"},
		{
			"too deep", changed(content(strings.Repeat("[", 100)+strings.Repeat("]", 100), "utf-8"), content("[]", "utf-8")),
			"--- before  200 bytes\n+++ after   2 bytes\n@@ -1 +1 @@\n- " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n+ []\n",
		},
		{"children", day()[7], ""},
		{"control", day()[0], ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got strings.Builder
			for _, line := range contentDiff(&c.event) {
				got.WriteString(strings.TrimPrefix(line.text, "    ") + "\n")
			}
			if diff := cmp.Diff(c.want, got.String()); diff != "" {
				t.Errorf("diff (-want +got):\n%s", diff)
			}
		})
	}
	dir, _ := writeJournal(t, journal.Limits{}, day()...)
	if text := printLog(t, LogOptions{Dir: dir, Diff: true, Color: true}); !strings.Contains(text, colorGreen+`    +   "limit": 98,`+colorReset) {
		t.Errorf("the colored diff has no green line:\n%s", text)
	}
}

// TestLogIsSafeForATerminal prints records in which every string is hostile.
func TestLogIsSafeForATerminal(t *testing.T) {
	hostile := "\x1b]0;owned\x07\r\n\u202e\x7f\u0085"
	size := 10
	var events []audit.Event
	for _, kind := range []audit.Kind{audit.KindChange, audit.KindGap, audit.KindCheckpoint, audit.KindControl, audit.Kind(hostile)} {
		content := &audit.Content{Size: &size, Data: hostile, Encoding: audit.EncodingUTF8, ACL: []audit.ACL{{Perms: hostile, Scheme: hostile, ID: hostile}}}
		events = append(events, audit.Event{
			Kind: kind, Control: audit.Control(hostile), Op: audit.Op(hostile), Path: hostile, Source: audit.Origin(hostile), Rule: hostile,
			Cause: audit.Cause(hostile), Reason: hostile, Roots: []string{hostile}, Mode: hostile, Policy: hostile, DigestKey: hostile, Anchor: hostile,
			Before: content, After: &audit.Content{Size: &size, Data: "x", Encoding: hostile},
			Actor: &audit.Actor{Client: hostile, Confidence: hostile},
		})
	}
	dir, _ := writeJournal(t, journal.Limits{}, events...)
	for _, c := range printLog(t, LogOptions{Dir: dir, Diff: true}) {
		if c != '\n' && (c < ' ' || c >= 0x7f) {
			t.Fatalf("the log has the character %q", c)
		}
	}
}

func TestLogTellsOfDamage(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{}, edited(30)...)
	path := segmentFile(dir, 1)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines[4] = strings.Replace(lines[4], `"path":"/a"`, `"path":"/b"`, 1)
	damaged := strings.Join(lines, "")
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, warnings bytes.Buffer
	err = Log(t.Context(), LogOptions{Dir: dir, Warnings: &warnings}, &out)
	if err == nil || !strings.Contains(err.Error(), "is broken in 1 places") {
		t.Errorf("Log returned %v, want that the journal is broken", err)
	}
	want := fmt.Sprintf("zkwarden: journal is broken: file %s, line 5, seq 5: the line does not match its hash\n", path)
	if diff := cmp.Diff(want, warnings.String()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if n := strings.Count(out.String(), "\n"); n != 29 || strings.Contains(out.String(), "/b") {
		t.Errorf("%d lines, want the 29 that are sound:\n%s", n, &out)
	}
	for i := range lines[:29] {
		lines[i] = strings.Replace(lines[i], `"version":`, `"Version":`, 1)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	warnings.Reset()
	err = Log(t.Context(), LogOptions{Dir: dir, Warnings: &warnings}, io.Discard)
	if n := strings.Count(warnings.String(), "\n"); n != maxDamage+1 || err == nil || !strings.Contains(err.Error(), "is broken in 29 places") {
		t.Errorf("%d warnings, want %d; error %v", n, maxDamage+1, err)
	}
}

func TestLogFollows(t *testing.T) {
	dir, j := writeJournal(t, journal.Limits{SegmentSize: 1}, edited(3)...)
	out := &transcript{changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- Log(ctx, LogOptions{Dir: dir, Follow: true, Limit: 1, Warnings: io.Discard}, out)
	}()
	out.await(t, "3  2026")
	appendAll(t, j, edited(3)...)
	if text := out.await(t, "6  2026"); strings.Count(text, "\n") != 4 {
		t.Errorf("printed:\n%s", text)
	}
	cancel()
	if err := <-ended; err == nil || ctx.Err() == nil {
		t.Errorf("Log returned %v", err)
	}
}

// brokenPipe has no reader.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestLogEndsWithItsReader(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{}, edited(500)...)
	for _, o := range []LogOptions{{}, {JSON: true}, {Follow: true}} {
		o.Dir, o.Warnings = dir, io.Discard
		if err := Log(t.Context(), o, brokenPipe{}); err != nil {
			t.Errorf("Log returned %v", err)
		}
	}
}

func TestLogOfNothing(t *testing.T) {
	dir := t.TempDir()
	err := Log(t.Context(), LogOptions{Dir: dir, Warnings: io.Discard}, io.Discard)
	if err == nil || err.Error() != "there is no journal in "+dir {
		t.Errorf("Log returned %v for an empty directory", err)
	}
}

func TestLogWithoutHead(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{}, edited(3)...)
	head := filepath.Join(dir, "head")
	if err := os.Remove(head); err != nil {
		t.Fatal(err)
	}
	var out, warnings bytes.Buffer
	err := Log(t.Context(), LogOptions{Dir: dir, Warnings: &warnings}, &out)
	if err == nil || !strings.Contains(err.Error(), "is broken in 1 places") || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("Log returned %v behind\n%s", err, &out)
	}
	if want := "zkwarden: journal is broken: file " + head + ": the file is missing, although the journal has records\n"; warnings.String() != want {
		t.Errorf("warnings %q, want %q", &warnings, want)
	}
}

// Records that are asked for by their seqs and are not here are not passed over
// in silence.
func TestLogOfSeqsThatAreGone(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{SegmentSize: 1}, edited(5)...)
	for _, first := range []int{1, 2} {
		if err := os.Remove(segmentFile(dir, first)); err != nil {
			t.Fatal(err)
		}
	}
	var out, warnings bytes.Buffer
	err := Log(t.Context(), LogOptions{Dir: dir, Filter: LogFilter{From: 1, To: 3}, Warnings: &warnings}, &out)
	if err == nil || !strings.Contains(warnings.String(), "the records 1 to 2 are missing") || !strings.HasPrefix(out.String(), "3  ") {
		t.Errorf("Log returned %v, warned of %q and printed %q", err, &warnings, &out)
	}
	warnings.Reset()
	p := logPrinter{options: LogOptions{Warnings: &warnings}}
	err = p.warn(&journal.RemovedError{From: 1, To: 2, By: 9, Reason: "\x1b[2J"})
	if want := `zkwarden: the records 1 to 2 are not here: retention removed them by \x1b[2J, as record 9 says`; err != nil || p.damage > 0 || warnings.String() != want+"\n" {
		t.Errorf("warn returned %v for a removal and told of %q", err, &warnings)
	}
}

func TestLogWaitsForAJournal(t *testing.T) {
	dir := t.TempDir()
	warnings := &transcript{changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Log(ctx, LogOptions{Dir: dir, Follow: true, Warnings: warnings}, io.Discard) }()
	warnings.await(t, "zkwarden: waiting for a journal in "+dir+"\n")
	cancel()
	if err := <-ended; err == nil {
		t.Error("Log returned no error")
	}
	inDir := filepath.Join(dir, "nope")
	if err := Log(t.Context(), LogOptions{Dir: inDir, Follow: true, Warnings: io.Discard}, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "there is no journal in "+inDir) {
		t.Errorf("Log returned %v for no directory", err)
	}
}

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2h": now.Add(-2 * time.Hour), "7d": now.AddDate(0, 0, -7), "1h30m": now.Add(-90 * time.Minute), "1.5h": now.Add(-90 * time.Minute), "0": now,
		"2026-11-19": {}, "2026-11-19 10:00": {}, "2026-11-19T10:00:00": {}, "2026-11-19T10:00:00.5Z": {}, "2026-11-19T10:00:00+02:00": {},
	} {
		got, err := ParseWhen(text, now)
		if want.IsZero() {
			want = got // That it is a time is enough: the layouts are the library's.
		}
		if err != nil || !got.Equal(want) {
			t.Errorf("ParseWhen(%q) returned %v, %v, want %v", text, got, err, want)
		}
	}
	if got, _ := ParseWhen("2026-11-19T10:00:00+02:00", now); !got.Equal(time.Date(2026, 11, 19, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("a zone is not heeded: %v", got)
	}
	for _, text := range []string{"", "noon", "-2h", "2026-13-01", "2026"} {
		if got, err := ParseWhen(text, now); err == nil {
			t.Errorf("ParseWhen(%q) returned %v", text, got)
		}
	}
}

func TestParseSeqs(t *testing.T) {
	for text, want := range map[string][2]uint64{"7": {7, 7}, "7..9": {7, 9}, "7..": {7, 0}, "..9": {0, 9}} {
		if from, to, err := ParseSeqs(text); err != nil || from != want[0] || to != want[1] {
			t.Errorf("ParseSeqs(%q) returned %d, %d, %v", text, from, to, err)
		}
	}
	for _, text := range []string{"", "..", "0", "0..5", "9..7", "a..b", "1...5", "-1", "1..2..3"} {
		if from, to, err := ParseSeqs(text); err == nil {
			t.Errorf("ParseSeqs(%q) returned %d, %d", text, from, to)
		}
	}
}

func TestValidateGlob(t *testing.T) {
	for _, text := range []string{"/", "/a", "/a/*", "/**", "/a/{b,c}", "/a/[bc]"} {
		if err := ValidateGlob(text); err != nil {
			t.Errorf("ValidateGlob(%q) returned %v", text, err)
		}
	}
	for _, text := range []string{"", "a", "/a/", "*", "/a/[", "/a/{b", "/a/../b"} {
		if ValidateGlob(text) == nil {
			t.Errorf("ValidateGlob(%q) accepts it", text)
		}
	}
}
