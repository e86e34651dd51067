package app

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit/journal"
	"zkwarden/audit/recorder"
	"zkwarden/audit/sink/webhook"
	"zkwarden/internal/zktest"
)

// The page shows at a glance what is wrong with an auditor, and what is not;
// credentials in the URL of a sink are not on it.
func TestLandingShowsWhatIsWrong(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	admin := client(t, server.Addr())
	mustCreate(t, admin, "/a", "", 0)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(endpoint.Close)
	for name, c := range map[string]struct{ url, reason string }{
		"refusing": {endpoint.URL, "post to webhook: status 503 Service Unavailable"},
		"dead":     {"http://127.0.0.1:1", "post to webhook: dial tcp 127.0.0.1:1: connect: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout := newRecords()
			o := auditOptions(t.TempDir(), stdout, []string{server.Addr()}, "/a")
			url := strings.Replace(c.url, "http://", "http://user:s3cret@", 1) + "/hook?token=s3cret"
			o.Audit.Webhook = Webhook{URL: url, Format: webhook.FormatLines, Timeout: 5 * time.Second}
			page := run(t, o)
			stdout.await(t, "first sync", isControl("baseline"))
			awaitPage(t, page, http.StatusOK, "ago</td>") // Of the watermark.
			awaitPage(t, page, http.StatusOK, "<tr><th>Unreadable</th><td>none</td></tr>")

			landing := awaitPage(t, page, http.StatusOK, c.reason)
			if !strings.Contains(landing, `<th>Sink <code>webhook</code></th><td><span class="bad">record 0 of `) || !strings.Contains(landing, " wait; not accepted since 20") {
				t.Errorf("the sink that takes nothing:\n%s", landing)
			}
			if !strings.Contains(landing, "<th>Sink <code>stdout</code></th><td>record ") {
				t.Errorf("the sink that works:\n%s", landing)
			}
			if strings.Contains(landing, "s3cret") {
				t.Errorf("a credential is on the page:\n%s", landing)
			}
		})
	}
	if _, err := admin.Create("/a/hidden", nil, 0, zk.DigestACL(zk.PermAll, "user", "password")); err != nil {
		t.Fatal(err)
	}
	page := run(t, auditOptions(t.TempDir(), newRecords(), []string{server.Addr()}, "/a"))
	awaitPage(t, page, http.StatusOK, `<th>Unreadable</th><td><span class="bad">1 cannot be read`)
}

func TestFindings(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		got, want finding
	}{
		{watermarkFinding(recorder.State{}, now), finding{"not confirmed since the start", false}},
		{watermarkFinding(recorder.State{Watermark: 0x100000002, Confirmed: now.Add(-3 * time.Second)}, now), finding{"everything through zxid 0x100000002 is recorded, confirmed 3s ago", false}},
		{watermarkFinding(recorder.State{Watermark: 2, Confirmed: now.Add(time.Hour)}, now), finding{"everything through zxid 0x2 is recorded, confirmed 0s ago", false}},
		{watermarkFinding(recorder.State{Watermark: 2, Confirmed: now.Add(-121 * time.Second)}, now), finding{"everything through zxid 0x2 is recorded, confirmed 2m1s ago", true}},
		{hiddenFinding(recorder.State{}), finding{"none", false}},
		{hiddenFinding(recorder.State{Unreadable: 7}), finding{"7 cannot be read, their changes may go unseen", true}},
		{deliveryFinding(journal.PumpState{Acked: 9}, 9, now), finding{"record 9 of 9", false}},
		{deliveryFinding(journal.PumpState{Acked: 7, Since: now.Add(-time.Second)}, 9, now), finding{"record 7 of 9, 2 wait", false}},
		{deliveryFinding(journal.PumpState{Acked: 7, Since: now.Add(-time.Minute)}, 9, now), finding{"record 7 of 9, 2 wait; not accepted since 2026-11-24 11:59:00 UTC", true}},
		{deliveryFinding(journal.PumpState{Since: now, Err: errors.New("status 503")}, 1, now), finding{"record 0 of 1, 1 wait; not accepted since 2026-11-24 12:00:00 UTC: status 503", true}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
