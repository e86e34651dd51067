package fourletter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/fourletter/fourlettertest"
)

func TestAsk(t *testing.T) {
	long := strings.Repeat("zk_key\t1\n", 10_000)
	for name, text := range map[string]string{
		"short":                        "imok",
		"long":                         long,
		"begins like a refusal":        notServingText + ", or so they say\n",
		"whitelist text for elsewhere": "srvr" + notWhitelistedText + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			client := &Client{Dialer: &Dialer{}}
			got, err := client.Ask(t.Context(), fourlettertest.Serve(t, fourlettertest.Say(text)), Mntr)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(text, string(got)); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAskSendsTheWordAlone(t *testing.T) {
	for word := Conf; word.valid(); word++ {
		t.Run(word.String(), func(t *testing.T) {
			sent := make(chan string, 1)
			addr := fourlettertest.Serve(t, func(conn net.Conn) {
				p := make([]byte, 16)
				n, _ := conn.Read(p)
				sent <- string(p[:n])
				_, _ = io.WriteString(conn, "x")
			})
			if _, err := (&Client{Dialer: &Dialer{}}).Ask(t.Context(), addr, word); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(word.String(), <-sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

// Each word is named in the text that refuses it.
func TestEveryWordCanBeRefused(t *testing.T) {
	for word := Conf; word.valid(); word++ {
		for text, want := range map[string]Reason{
			word.String() + notWhitelistedText + "\n": NotWhitelisted,
			notServingText + "\n":                     NotServing,
		} {
			_, err := (&Client{Dialer: &Dialer{}}).Ask(t.Context(), fourlettertest.Serve(t, fourlettertest.Say(text)), word)
			if got, _ := ReasonOf(err); got != want {
				t.Errorf("%s: reason %q of %v, want %q", word, got, err, want)
			}
		}
	}
}

func TestAskRefusesOtherWords(t *testing.T) {
	addr := fourlettertest.Serve(t, func(net.Conn) { t.Error("connected to send what may not be sent") })
	for _, word := range []Word{0, Wchs + 1, 255} {
		if _, err := (&Client{Dialer: &Dialer{}}).Ask(t.Context(), addr, word); err == nil {
			t.Errorf("word %d was sent", word)
		}
	}
}

func TestAskReasons(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(net.Conn)
		want   Reason
	}{
		"hang after accept":          {fourlettertest.Hang, Timeout},
		"hang after half a line":     {fourlettertest.HangAfter("zk_vers"), Timeout},
		"hang after a long start":    {fourlettertest.HangAfter(strings.Repeat("x", 9000)), Timeout},
		"drip":                       {drip, Timeout},
		"close at once":              {func(net.Conn) {}, EmptyReply},
		"close after the word":       {fourlettertest.Say(""), EmptyReply},
		"reset at once":              {reset, EmptyReply},
		"reset after half a line":    {func(c net.Conn) { _, _ = io.WriteString(c, strings.Repeat("x", 9000)); reset(c) }, Truncated},
		"flood":                      {fourlettertest.Flood(strings.Repeat("x", 64<<10), math.MaxInt), TooLarge},
		"not whitelisted":            {fourlettertest.Say("mntr is not executed because it is not in the whitelist.\n"), NotWhitelisted},
		"not serving":                {fourlettertest.Say(notServingText + "\n"), NotServing},
		"not serving, no newline":    {fourlettertest.Say(notServingText), NotServing},
		"not serving, of ClickHouse": {fourlettertest.Say(keeperInactiveText), NotServing},
		"not serving, CRLF":          {fourlettertest.Say(notServingText + "\r\n"), NotServing},
		"TLS alert":                  {fourlettertest.Say("\x15\x03\x03\x00\x02\x02\x46"), TLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			client := &Client{Dialer: &Dialer{}, MaxBytes: 64 << 10}
			addr := fourlettertest.Serve(t, tc.answer)
			start := time.Now()
			_, err := client.Ask(ctx, addr, Mntr)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %s with a deadline of 1s", took)
			}
			var failure *Error
			if !errors.As(err, &failure) {
				t.Fatalf("error %v is no *Error", err)
			}
			got := Error{Word: failure.Word, Addr: failure.Addr, Reason: failure.Reason}
			if diff := cmp.Diff(Error{Word: Mntr, Addr: addr, Reason: tc.want}, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAskRefusedConnections(t *testing.T) {
	for name, addr := range map[string]string{
		"closed port": fourlettertest.Closed(t),
		"no port":     "127.0.0.1",
		"no host":     "no-such-host.invalid:2181",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := (&Client{Dialer: &Dialer{}}).Ask(t.Context(), addr, Srvr)
			if got, _ := ReasonOf(err); got != Refused {
				t.Errorf("reason %q of %v, want %q", got, err, Refused)
			}
		})
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{})
	addr := fourlettertest.Serve(t, func(conn net.Conn) {
		_, _ = io.ReadFull(conn, make([]byte, 4))
		close(asked)
		fourlettertest.Hang(conn)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err := (&Client{Dialer: &Dialer{}}).Ask(ctx, addr, Mntr)
	if got, _ := ReasonOf(err); got != Timeout {
		t.Errorf("reason %q of %v, want %q", got, err, Timeout)
	}
}

// A reply that just fits is read whole, and one byte more is too much.
func TestAskCap(t *testing.T) {
	addr := fourlettertest.Serve(t, fourlettertest.Say(strings.Repeat("x", 10_000)))
	whole := &Client{Dialer: &Dialer{}, MaxBytes: 10_000}
	if got, err := whole.Ask(t.Context(), addr, Mntr); err != nil || len(got) != 10_000 {
		t.Errorf("got %d bytes and %v, want 10000", len(got), err)
	}
	short := &Client{Dialer: &Dialer{}, MaxBytes: 9_999}
	if _, err := short.Ask(t.Context(), addr, Mntr); err == nil {
		t.Error("a reply beyond the cap was accepted")
	}
}

// A stream costs its buffer, whatever the server sends.
func TestOpenFloodMemory(t *testing.T) {
	addr := fourlettertest.Serve(t, fourlettertest.Flood(strings.Repeat("x", 1<<20), 100<<20))
	client := &Client{Dialer: &Dialer{}, MaxBytes: 90 << 20}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := client.Open(t.Context(), addr, Mntr)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	runtime.ReadMemStats(&after)
	if got, _ := ReasonOf(err); got != TooLarge || n < 90<<20 {
		t.Errorf("read %d bytes and %v, want %q after 90 MiB", n, err, TooLarge)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("allocated %d bytes, want less than 4 MiB in all", used)
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]error{
		"ask mntr of zk:2181: timeout: read reply: late": &Error{Mntr, "zk:2181", Timeout, errors.New("read reply: late")},
		"ask srvr of zk:2181: truncated":                 &Error{Srvr, "zk:2181", Truncated, nil},
	} {
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
	}
}

func FuzzRefusalOf(f *testing.F) {
	for _, text := range []string{
		"", "imok", notServingText, notServingText + "\n", "mntr" + notWhitelistedText + "\n", "\x15\x03\x01",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		reason, ok := refusalOf(head, Mntr)
		if ok != (reason != "") {
			t.Errorf("reason %q with %t", reason, ok)
		}
		if bytes.HasPrefix(head, []byte("zk_")) && ok {
			t.Errorf("%q taken for %q", head, reason)
		}
	})
}

// drip sends a byte again and again, so that no single read waits for long.
func drip(conn net.Conn) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.WriteString(conn, "x"); err != nil {
			return
		}
	}
}

func reset(conn net.Conn) {
	_, _ = io.ReadFull(conn, make([]byte, 4))
	_ = conn.(*net.TCPConn).SetLinger(0)
}
