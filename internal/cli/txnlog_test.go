package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/eventtest"
	"zkwarden/audit/policy"
	"zkwarden/internal/history"
	"zkwarden/internal/zktest"
)

// offlineOptions are those of a server's files.
func offlineOptions(server *zktest.Server) TxnlogOptions {
	return TxnlogOptions{Files: []string{server.DataDir(), server.TxnLogDir()}, Level: policy.LevelData, Generation: 1}
}

func printTxnlog(t testing.TB, o TxnlogOptions) (out, warnings string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	o.Warnings = &stderr
	err = Txnlog(t.Context(), o, &stdout)
	return stdout.String(), stderr.String(), err
}

// hexed makes lines comparable: sessions and zxids are a server's own.
func hexed(text string) string {
	text = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]*Z`).ReplaceAllString(text, "TIME")
	return regexp.MustCompile(`0x[0-9a-f]+`).ReplaceAllString(text, "0x")
}

// TestTxnlogText prints what happened to one znode, and filters.
func TestTxnlogText(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	conn := connect(t, server.Addr())
	world := zk.WorldACL(zk.PermAll)
	create(t, conn, "/app", "", 0, world)
	create(t, conn, "/app/config", `{"limit":99}`, 0, world)
	create(t, conn, "/apple", "x", zk.FlagEphemeral, world)
	if _, err := conn.Set("/app/config", []byte(`{"limit":98}`), -1); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.SetACL("/app/config", zk.DigestACL(zk.PermRead|zk.PermWrite|zk.PermAdmin, "user", "secret"), -1); err != nil {
		t.Fatal(err)
	}
	create(t, conn, "/app/\u202ered", "x", 0, world)
	if err := conn.Delete("/app/config", 1); err != nil {
		t.Fatal(err)
	}
	session := conn.SessionID()
	server.Kill()
	o := offlineOptions(server)
	whole := `TIME  0x  created   /app  v0  0 bytes  by 0x
TIME  0x  created   /app/config  v0  12 bytes  by 0x
TIME  0x  created   /apple  v0  1 bytes  ephemeral of 0x  by 0x
TIME  0x  changed   /app/config  v1  12 -> 12 bytes  by 0x
TIME  0x  acl       /app/config  v1  by 0x
TIME  0x  created   "/app/\u202ered"  v0  1 bytes  by 0x
TIME  0x  deleted   /app/config  v1  12 bytes  explicit  by 0x
`
	lines := strings.SplitAfter(whole, "\n")
	for name, c := range map[string]struct {
		change func(o *TxnlogOptions)
		want   string
	}{
		"all":       {func(*TxnlogOptions) {}, whole},
		"a subtree": {func(o *TxnlogOptions) { o.Filter.Paths = []string{"/app/config"} }, lines[1] + lines[3] + lines[4] + lines[6]},
		"a glob":    {func(o *TxnlogOptions) { o.Filter.Paths = []string{"/app?e"} }, lines[2]},
		"globs":     {func(o *TxnlogOptions) { o.Filter.Paths = []string{"/appl?", "/*/con*"} }, lines[1] + lines[2] + lines[3] + lines[4] + lines[6]},
		"an op":     {func(o *TxnlogOptions) { o.Filter.Ops = []audit.Op{"deleted", "acl_changed"} }, lines[4] + lines[6]},
		"nobody":    {func(o *TxnlogOptions) { o.Filter.Sessions = []audit.SessionID{1} }, ""},
		"somebody":  {func(o *TxnlogOptions) { o.Filter.Sessions = []audit.SessionID{audit.SessionID(session)} }, whole},
		"later":     {func(o *TxnlogOptions) { o.Filter.Since = time.Now() }, ""},
		"earlier":   {func(o *TxnlogOptions) { o.Filter.Until = time.Now() }, whole},
		"contents": {func(o *TxnlogOptions) { o.Contents, o.Filter.Ops = true, []audit.Op{"data_changed"} }, lines[3] + `    --- before  12 bytes
    +++ after   12 bytes
    @@ -1,3 +1,3 @@
      {
    -   "limit": 99
    +   "limit": 98
      }
`},
		"only sizes": {func(o *TxnlogOptions) {
			o.Contents, o.Level, o.Filter.Ops = true, policy.LevelMetadata, []audit.Op{"data_changed"}
		}, lines[3] + `    --- before  12 bytes, content was not recorded
    +++ after   12 bytes, content was not recorded
    the digests say that the content is another
`},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			c.change(&o)
			got, warnings, err := printTxnlog(t, o)
			if err != nil || strings.Count(warnings, "\n") != 1 || !strings.Contains(warnings, "a voter logs a transaction before it is committed") {
				t.Errorf("Txnlog returned %v and warned of %q", err, warnings)
			}
			if diff := cmp.Diff(c.want, hexed(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	secrets(t, o)
}

// secrets holds every output to keep the hash of a password.
func secrets(t *testing.T, o TxnlogOptions) {
	t.Helper()
	hash := strings.TrimPrefix(zk.DigestACL(0, "user", "secret")[0].ID, "user:")
	content, asJSON := o, o
	content.Contents, asJSON.JSON = true, true
	moments := [2]history.Moment{{Zxid: 3}, {Zxid: 6}}
	difference := o
	difference.Diff = &moments
	for name, o := range map[string]TxnlogOptions{"text": content, "JSON": asJSON, "diff": difference} {
		got, _, err := printTxnlog(t, o)
		if err != nil || !strings.Contains(got, "digest") || strings.Contains(got, hash) || strings.Contains(got, "user") {
			t.Errorf("%s: Txnlog returned %v and printed %s", name, err, got)
		}
	}
}

// TestTxnlogEvents holds JSON lines to the schema, and their ids to those of an
// auditor that watched.
func TestTxnlogEvents(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	conn := connect(t, server.Addr())
	world := zk.WorldACL(zk.PermAll)
	create(t, conn, "/app", "", 0, world)
	watched := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Watch(ctx, WatchOptions{Session: sessionOptions(server.Addr()), Ensemble: "prod", Paths: []string{"/app"}, JSON: true}, lineWriter(watched))
	}()
	await := func(part string) (lines []string) {
		t.Helper()
		for {
			select {
			case line := <-watched:
				if strings.Contains(line, `"kind":"change"`) {
					lines = append(lines, line)
				}
				if strings.Contains(line, part) {
					return lines
				}
			case <-t.Context().Done():
				t.Fatal("the watch tells of nothing")
			}
		}
	}
	await(`"control":"baseline"`)
	create(t, conn, "/app/a", "one", 0, world)
	create(t, conn, "/app/b", "", zk.FlagEphemeral, world)
	for _, data := range []string{"two", "three"} {
		if _, err := conn.Set("/app/a", []byte(data), -1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Set("/app", []byte("x"), -1); err != nil {
		t.Fatal(err)
	}
	if err := conn.Delete("/app/a", -1); err != nil {
		t.Fatal(err)
	}
	create(t, conn, "/app/end", "", 0, world)
	live := await(`"/app/end"`)
	cancel()
	if err := <-ended; err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	server.Kill()

	o := offlineOptions(server)
	o.JSON, o.Ensemble, o.Filter.Paths = true, "prod", []string{"/app"}
	got, _, err := printTxnlog(t, o)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")[1:] // Without the creation of /app.
	if diff := cmp.Diff(identities(t, live), identities(t, lines[:len(live)])); diff != "" {
		t.Errorf("ids (-auditor +txnlog):\n%s", diff)
	}
	valid(t, lines)
	if want := `"before":{"size":5,"data":"three","encoding":"utf-8","acl":[{"perms":"cdrwa","scheme":"world","id":"anyone"}]}`; !strings.Contains(got, want) {
		t.Errorf("no line has %s: %s", want, got)
	}
	o.Ensemble = ""
	if got, _, err = printTxnlog(t, o); err != nil || regexp.MustCompile(`"id":"[0-9a-f]{32}"|"ensemble"|"digest":`).MatchString(got) {
		t.Errorf("without a name: %v, %s", err, got)
	}
}

// lineWriter sends each line that is written.
type lineWriter chan<- string

func (w lineWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w <- line
	}
	return len(p), nil
}

// identities are ids with what they are about.
func identities(t *testing.T, lines []string) (all []string) {
	t.Helper()
	for _, line := range lines {
		var e struct{ ID, Op, Path, Czxid string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || len(e.ID) != 32 {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, fmt.Sprint(e))
	}
	return all
}

// valid holds lines to the schema of the journal.
func valid(t *testing.T, lines []string) {
	t.Helper()
	schema, err := eventtest.Published()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if err := schema.Validate([]byte(journalled(t, line))); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// journalled adds what the schema demands of the lines of a journal alone, and
// fails if any of it is there.
func journalled(t *testing.T, line string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(line), &members); err != nil {
		t.Fatal(err)
	}
	hash := strings.Repeat("0", 64)
	for _, name := range []string{"id", "ensemble"} {
		if _, there := members[name]; !there {
			members[name] = hash[:32]
		}
	}
	for name, value := range map[string]any{"seq": 1, "recorder": "", "observed": "2026-11-20T10:00:00.000Z", "prev": hash, "hash": hash} {
		if _, there := members[name]; there {
			t.Errorf("%s has %s", line, name)
		}
		members[name] = value
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTxnlogAt compares the trees of many moments with what the server said of
// them when they were now, and what differs between them.
func TestTxnlogAt(t *testing.T) {
	for _, options := range []zktest.Options{
		{Config: map[string]string{"snapCount": "60", "extendedTypesEnabled": "true", "snapshot.compression.method": "gz"}},
		{Version: "3.5.10", Config: map[string]string{"snapCount": "60", "extendedTypesEnabled": "true"}},
	} {
		t.Run(options.Version, func(t *testing.T) {
			server := zktest.Start(t, options).Server(1)
			conn := connect(t, server.Addr())
			random := rand.New(rand.NewPCG(1, 2))
			moments := map[uint64]string{}
			var order []uint64
			for range 8 {
				scramble(t, conn, random, 40)
				stat, err := conn.Set("/", nil, -1)
				if err != nil {
					t.Fatal(err)
				}
				var live bytes.Buffer
				if err := Tree(t.Context(), TreeOptions{Session: sessionOptions(server.Addr()), Depth: -1, JSON: true}, &live); err != nil {
					t.Fatal(err)
				}
				order = append(order, uint64(stat.Mzxid))
				moments[uint64(stat.Mzxid)] = withoutServers(live.String())
			}
			server.Kill()
			for zxid, want := range moments {
				o := offlineOptions(server)
				o.JSON, o.At = true, &history.Moment{Zxid: zxid}
				got, warnings, err := printTxnlog(t, o)
				if err != nil || strings.Contains(warnings, "digest") {
					t.Errorf("at %#x: %v, %s", zxid, err, warnings)
				}
				if diff := cmp.Diff(want, withoutServers(got)); diff != "" {
					t.Errorf("at %#x (-server +txnlog):\n%s", zxid, diff)
				}
			}
			for i := 1; i < len(order); i++ {
				o := offlineOptions(server)
				o.Diff = &[2]history.Moment{{Zxid: order[i-1]}, {Zxid: order[i]}}
				o.Filter.Paths = []string{"/n*", "/n*/**"}
				got, _, err := printTxnlog(t, o)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(differences(t, moments[order[i-1]], moments[order[i]]), summary(got)); diff != "" {
					t.Errorf("between %#x and %#x (-server +txnlog):\n%s", order[i-1], order[i], diff)
				}
				o.JSON = true
				lines, _, err := printTxnlog(t, o)
				if err != nil {
					t.Fatal(err)
				}
				valid(t, strings.Split(strings.TrimSuffix(lines, "\n"), "\n"))
			}
		})
	}
}

// scramble makes random changes of a few znodes.
func scramble(t *testing.T, conn *zk.Conn, random *rand.Rand, n int) {
	t.Helper()
	world := zk.WorldACL(zk.PermAll)
	for range n {
		path := fmt.Sprintf("/n%d", random.IntN(6))
		if random.IntN(2) == 0 {
			path += fmt.Sprintf("/m%d", random.IntN(4))
		}
		var err error
		switch data := []byte(strings.Repeat("x", random.IntN(50))); random.IntN(6) {
		case 0, 1:
			_, err = conn.Create(path, data, int32(random.IntN(2))*zk.FlagEphemeral, world)
		case 2:
			_, err = conn.CreateTTL(path, data, zk.FlagTTL, world, time.Hour)
		case 3:
			_, err = conn.Set(path, data, -1)
		case 4:
			_, err = conn.SetACL(path, world, -1)
		case 5:
			err = conn.Delete(path, -1)
		}
		if err != nil && !slices.Contains([]error{zk.ErrNoNode, zk.ErrNodeExists, zk.ErrNotEmpty, zk.ErrNoChildrenForEphemerals}, err) {
			t.Fatal(err)
		}
	}
}

// withoutServers drops what a server writes into its own znodes and not into
// its log.
func withoutServers(text string) string {
	return regexp.MustCompile(`(?m)^\{"path":"/zookeeper/.*\n`).ReplaceAllString(text, "")
}

// differences summarizes what differs between two trees: the sort of change and
// the path.
func differences(t *testing.T, before, after string) (all []string) {
	t.Helper()
	type record struct {
		Path, Czxid, Mzxid string
		Version, Aversion  int
	}
	read := func(text string) map[string]record {
		records := map[string]record{}
		for line := range strings.Lines(text) {
			var r record
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(r.Path, "/n") {
				records[r.Path] = r
			}
		}
		return records
	}
	a, b := read(before), read(after)
	for path, old := range a {
		now, there := b[path]
		switch {
		case !there:
			all = append(all, "deleted "+path)
		case now.Czxid != old.Czxid:
			all = append(all, "deleted "+path, "created "+path)
		default:
			if now.Version != old.Version {
				all = append(all, "changed "+path)
			}
			if now.Aversion != old.Aversion {
				all = append(all, "acl "+path)
			}
		}
	}
	for path := range b {
		if _, there := a[path]; !there {
			all = append(all, "created "+path)
		}
	}
	slices.Sort(all)
	return all
}

// summary is the same of what Txnlog printed.
func summary(text string) (all []string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			words := strings.Fields(line)
			all = append(all, words[0]+" "+words[1])
		}
	}
	slices.Sort(all)
	return all
}

func TestParseMoments(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string][2]history.Moment{
		"0x5..0x10000000a":         {{Zxid: 5}, {Zxid: 0x10000000a}},
		"2026-11-19..1h":           {{Time: now.Add(-36 * time.Hour)}, {Time: now.Add(-time.Hour)}},
		"0x5..2026-11-20 10:00:00": {{Zxid: 5}, {Time: now.Add(-2 * time.Hour)}},
	} {
		got, err := ParseMoments(text, now)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("ParseMoments(%q): %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"", "0x5", "0x5..", "..0x5", "0x..0x1", "0x0..0x1", "yesterday..now", "0x11111111111111111..0x1", "0x1...0x2"} {
		if got, err := ParseMoments(text, now); err == nil {
			t.Errorf("ParseMoments(%q) = %v", text, got)
		}
	}
	// A zxid as servers print it lacks the 0x; which is missing has to be said.
	if _, err := ParseMoment("10000002a", now); err == nil || !strings.Contains(err.Error(), "or a zxid, like 0x10000002a") {
		t.Errorf("ParseMoment returned %v", err)
	}
}

// TestTxnlogProgress shows a bar, not before a run is long and not too often.
func TestTxnlogProgress(t *testing.T) {
	var shown []string
	p := &txnlogPrinter{
		options: TxnlogOptions{Progress: func(text string) { shown = append(shown, text) }},
		out:     bufio.NewWriter(io.Discard), began: time.Now(),
	}
	at := history.Progress{File: 3, Files: 4, Transactions: 12345, Zxid: 0x10000000a}
	p.progress(at)
	p.began = p.began.Add(-time.Minute)
	p.progress(at)
	p.progress(at)
	if diff := cmp.Diff([]string{"[##########          ] log 3 of 4, 12345 transactions, 0x10000000a"}, shown); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTxnlogNotes says everything once, and not without end.
func TestTxnlogNotes(t *testing.T) {
	var warnings bytes.Buffer
	p := &txnlogPrinter{options: TxnlogOptions{Warnings: &warnings}, out: bufio.NewWriter(io.Discard), noted: map[string]bool{}}
	for i := range 3 * maxNotes {
		p.note(fmt.Sprint("doubt ", i/2))
	}
	if lines := strings.Count(warnings.String(), "\n"); lines != maxNotes+1 || strings.Count(warnings.String(), "doubt 7\n") != 1 ||
		!strings.HasSuffix(warnings.String(), "zkwarden: there is more that is doubtful, which is not told one by one\n") {
		t.Errorf("%d lines: %s", lines, &warnings)
	}
}

// TestTxnlogIntoAClosedPipe ends quietly.
func TestTxnlogIntoAClosedPipe(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	create(t, connect(t, server.Addr()), "/a", "", 0, zk.WorldACL(zk.PermAll))
	var warnings bytes.Buffer
	o := offlineOptions(server)
	o.Warnings = &warnings
	if err := Txnlog(t.Context(), o, brokenPipe{}); err != nil {
		t.Errorf("Txnlog returned %v", err)
	}
}
