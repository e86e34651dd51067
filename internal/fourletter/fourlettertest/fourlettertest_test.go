package fourlettertest

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ask(t *testing.T, addr, word string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, word); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		return string(text) + ": " + err.Error()[:4]
	}
	return string(text)
}

func TestServe(t *testing.T) {
	words := func(word string) string { return map[string]string{"ruok": "imok"}[word] }
	for name, tc := range map[string]struct {
		answer func(net.Conn)
		word   string
		want   string
	}{
		"says":           {Say("x"), "mntr", "x"},
		"answers":        {Answer(words), "ruok", "imok"},
		"doesn't know":   {Answer(words), "hash", ""},
		"hangs":          {Hang, "mntr", ": read"},
		"hangs midway":   {HangAfter("zk_ver"), "mntr", "zk_ver: read"},
		"hangs up":       {HangUp, "mntr", ""},
		"floods a bit":   {Flood("ab", 5), "", "ababab"},
		"closes at once": {func(net.Conn) {}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ask(t, Serve(t, tc.answer), tc.word)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClosed(t *testing.T) {
	if conn, err := net.Dial("tcp", Closed(t)); err == nil {
		conn.Close()
		t.Error("something listens")
	}
}
