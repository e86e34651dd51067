package app

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/fourletter/fourlettertest"
)

// flood sends 200 MiB, more than the longest mntr that is read, made of
// repetitions of the text.
func flood(text string) func(net.Conn) {
	return fourlettertest.Flood(strings.Repeat(text, 1<<20/len(text)+1), 200<<20)
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

// Without a header it is our own timeout that bounds a page.
func TestOwnTimeout(t *testing.T) {
	o := exporterOptions(fourlettertest.Serve(t, fourlettertest.Hang))
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
				"--zookeeper.timeout=1m", "--zookeeper.address="+fourlettertest.Serve(t, flood(text)))
			for range 10 {
				scrape(t, process.url, patience, "zookeeper_serving 0", `zookeeper_word_failure{reason="too_large",word="mntr"} 1`)
			}
			rss := peak(t, process.Process.Pid)
			t.Logf("%d MiB", rss>>20)
			if rss > maxResident {
				t.Errorf("peak of %d MiB, want at most %d", rss>>20, maxResident>>20)
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
