package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// hang reads until the other side gives up.
func hang(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// flood answers every word with 200 MiB, more than the longest mntr that is read,
// made of repetitions of the text.
func flood(text string) func(net.Conn) {
	chunk := strings.Repeat(text, 1<<20/len(text)+1)
	return func(conn net.Conn) {
		if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
			return
		}
		for range 200 {
			if _, err := io.WriteString(conn, chunk); err != nil {
				return
			}
		}
	}
}

// scrape asks for the metrics as a Prometheus that waits this long, and fails
// the test when they come later or miss a line.
func scrape(t *testing.T, url string, limit time.Duration, want ...string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", strconv.FormatFloat(limit.Seconds(), 'f', -1, 64))
	start := time.Now()
	status, body := fetch(t, request)
	if took := time.Since(start); took > limit || status != http.StatusOK {
		t.Errorf("status %d after %s, want 200 within %s", status, took, limit)
	}
	for _, line := range want {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("the page lacks %q:\n%s", line, zookeeperLines(body))
		}
	}
}

func zookeeperLines(page string) string {
	var b strings.Builder
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "zookeeper_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Whatever the target does, the page comes in time and says what is wrong.
func TestBadTargets(t *testing.T) {
	plain := zktest.Start(t, zktest.Options{}).Addrs()[0]
	certs := zktest.Certs(t, zktest.CertOptions{})
	secure := zktest.Start(t, zktest.Options{TLS: certs}).Servers()[0].SecureAddr()
	withTLS := &fourletter.TLSFiles{CAFile: certs.CA, CertFile: certs.ClientCert, KeyFile: certs.ClientKey}
	for name, c := range map[string]struct {
		addr   string
		tls    *fourletter.TLSFiles
		up     int
		reason fourletter.Reason
	}{
		"refuses":                    {"127.0.0.1:1", nil, 0, fourletter.Refused},
		"has no name":                {"nowhere.invalid:2181", nil, 0, fourletter.Refused},
		"hangs":                      {fake(t, hang), nil, 0, fourletter.Timeout},
		"closes":                     {fake(t, func(net.Conn) {}), nil, 0, fourletter.EmptyReply},
		"answers half a line":        {fake(t, say("zk_version\t3.9.5-8a5b0d4c, bui")), nil, 0, fourletter.Truncated},
		"floods one line":            {fake(t, flood("x")), nil, 0, fourletter.TooLarge},
		"floods many keys":           {fake(t, flood("zk_pending_syncs\t1\n")), nil, 1, fourletter.TooLarge},
		"is not ZooKeeper":           {fake(t, say("HTTP/1.1 400 Bad Request\r\n\r\n")), nil, 0, fourletter.Unparsable},
		"does not serve":             {fake(t, say("This ZooKeeper instance is not currently serving requests\n")), nil, 1, fourletter.NotServing},
		"refuses the word":           {fake(t, say("mntr is not executed because it is not in the whitelist.\n")), nil, 1, fourletter.NotWhitelisted},
		"speaks TLS, is asked plain": {secure, nil, 0, fourletter.Timeout},
		"speaks plain, is asked TLS": {plain, withTLS, 0, fourletter.TLS},
	} {
		t.Run(name, func(t *testing.T) {
			o := exporterOptions(c.addr)
			o.ZooKeeper.TLS = c.tls
			limit := time.Second // Of the scraper; shorter than our own.
			if c.reason != fourletter.Timeout {
				limit, o.ZooKeeper.Timeout = patience, patience // A busy machine takes long to read a flood.
			}
			url := run(t, o)
			scrape(t, url, limit, fmt.Sprintf("zookeeper_up %d", c.up), "zookeeper_serving 0",
				fmt.Sprintf(`zookeeper_word_failure{reason=%q,word="mntr"} 1`, c.reason))
			if status, _ := get(t, url+"/-/ready"); status != http.StatusOK {
				t.Errorf("an exporter is not ready, status %d", status)
			}
			awaitPage(t, url, http.StatusOK, ">"+string(c.reason)+"<")
		})
	}
}

// Without a header it is our own timeout that bounds a page.
func TestOwnTimeout(t *testing.T) {
	o := exporterOptions(fake(t, hang))
	o.ZooKeeper.Timeout = 200 * time.Millisecond
	url := run(t, o)
	start := time.Now()
	if status, _ := get(t, url+"/metrics"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the page took %s", took)
	}
}

// However often the target floods, the process stays below 64 MiB.
func TestMemoryUnderFloods(t *testing.T) {
	zkwarden := binary(t)
	for name, text := range map[string]string{
		"one line":  "x",
		"one key":   "zk_pending_syncs\t1\n",
		"new keys":  newKeys(1 << 20),
		"line ends": "\n",
	} {
		t.Run(name, func(t *testing.T) {
			process := startProcess(t, nil, zkwarden, "--web.listen-address=127.0.0.1:0",
				"--zookeeper.timeout=1m", "--zookeeper.address="+fake(t, flood(text)))
			for range 10 {
				scrape(t, process.url, patience, "zookeeper_serving 0", `zookeeper_word_failure{reason="too_large",word="mntr"} 1`)
			}
			rss := peak(t, process.Process.Pid)
			t.Logf("%d MiB", rss>>20)
			if rss > 64<<20 {
				t.Errorf("peak of %d MiB, want at most 64 MiB", rss>>20)
			}
		})
	}
}

// newKeys is so many bytes of mntr lines, each with a key of its own.
func newKeys(size int) string {
	var b strings.Builder
	for n := 0; b.Len() < size; n++ {
		fmt.Fprintf(&b, "zk_k%d_%d\t1\n", n, n)
	}
	return b.String()
}
