package app

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

// maxTranscript is how much of an answer is shown, in bytes.
const maxTranscript = 64 << 10

// transcript passes words on to asker and keeps what comes back, for people.
type transcript struct {
	asker collector.Asker

	mu      sync.Mutex
	answers []*transcribed
}

// transcribed is the answer to one word, as far as it was read.
type transcribed struct {
	word   fourletter.Word
	reply  io.ReadCloser
	failed error

	mu   sync.Mutex
	text bytes.Buffer
	cut  bool
}

// Open asks a word and keeps the answer while it is read.
func (t *transcript) Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	a := &transcribed{word: word}
	a.reply, a.failed = t.asker.Open(ctx, addr, word)
	t.mu.Lock()
	t.answers = append(t.answers, a)
	t.mu.Unlock()
	if a.failed != nil {
		return nil, a.failed
	}
	return a, nil
}

// Read passes on the reply.
func (a *transcribed) Read(p []byte) (int, error) {
	n, err := a.reply.Read(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	keep := min(n, maxTranscript-a.text.Len())
	a.text.Write(p[:keep])
	a.cut = a.cut || keep < n
	if err != nil && err != io.EOF {
		a.failed = err
	}
	return n, err
}

// Close ends the reply.
func (a *transcribed) Close() error { return a.reply.Close() }

// serve runs the page and shows it below the answers that it is made of.
func (t *transcript) serve(w http.ResponseWriter, r *http.Request, page http.Handler) {
	body := &pageBody{header: http.Header{}}
	page.ServeHTTP(body, r)
	t.mu.Lock()
	answers := slices.Clone(t.answers)
	t.mu.Unlock()
	slices.SortStableFunc(answers, func(a, b *transcribed) int { return cmp.Compare(a.word, b.word) })
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	fmt.Fprint(w, "Answers of the target, by word. Session ids and what may be a secret are masked.\n")
	for _, a := range answers {
		a.writeTo(w)
	}
	fmt.Fprintf(w, "\n== metrics ==\n%s", body.text.String())
}

func (a *transcribed) writeTo(w io.Writer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(w, "\n== %s ==\n%s", a.word, mask(a.text.String()))
	if a.cut {
		fmt.Fprintf(w, "\n(cut after %d bytes)\n", maxTranscript)
	}
	if a.failed != nil {
		fmt.Fprintf(w, "\nfailed: %v\n", a.failed)
	}
}

// mask hides what nobody who may see metrics needs to see: session ids, which
// with their password are the session, and properties that are named like secrets.
func mask(text string) string {
	session := regexp.MustCompile(`\bsid=0x[0-9a-fA-F]+`)
	secret := regexp.MustCompile(`(?im)^([^=\n]*(?:pass|secret|token|credential|private|auth)[^=\n]*)=.*$`)
	text = session.ReplaceAllString(text, "sid=(masked)")
	text = secret.ReplaceAllString(text, "$1=(masked)")
	return strings.ToValidUTF8(text, "\uFFFD")
}

// pageBody collects a page in memory.
type pageBody struct {
	header http.Header
	text   bytes.Buffer
}

// Header returns the headers, which nobody reads.
func (b *pageBody) Header() http.Header { return b.header }

// WriteHeader does nothing: the page around this one has a status of its own.
func (b *pageBody) WriteHeader(int) {}

// Write appends to the page.
func (b *pageBody) Write(p []byte) (int, error) { return b.text.Write(p) }
