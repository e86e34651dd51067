package collector

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"zkwarden/internal/fourletter"
)

// maxLine is the longest line, in bytes, that is read; a longer one is left out.
// No key of the table comes near it with an entry that may be shown.
const maxLine = 4 << 10

var (
	errTruncated = errors.New("the last line has no end")
	errGarbage   = errors.New("nothing in the reply looks like an answer")
	errTooLong   = errors.New("the reply is too long for this word")

	errNotServing = errors.New("the server says that it serves neither reads nor writes")
)

// readMntr reads a reply to mntr: lines of zk_, key, TAB and value. It returns
// how many lines were such, and errTruncated, errGarbage or the error of r. What
// the lines say is in s even then. The last line counts only with its newline,
// because a number that was cut still looks like one.
func readMntr(r io.Reader, s *samples) (int, error) {
	lines := 0
	err := eachLine(r, func(line []byte) {
		key, value, ok := bytes.Cut(line, []byte("\t"))
		key, named := bytes.CutPrefix(key, []byte("zk_"))
		if !ok || !named {
			s.unparsable++
			return
		}
		lines++
		s.put(key, value)
	}, func() { s.unparsable++ })
	if err == nil && lines == 0 {
		err = errGarbage
	}
	s.dropMadeUp()
	return lines, err
}

// dropMadeUp drops the 0 that the Prometheus metrics provider prints for a gauge
// without a value, where the default provider prints nothing: a follower knows
// of observers only as their master.
func (s *samples) dropMadeUp() {
	observers := &s.single[s.table.single[fourletter.Mntr]["synced_observers"].slot]
	if stateOf(s.state) == Follower && observers.values[whole] == 0 {
		observers.parts = 0
	}
}

// eachLine calls line for every line that ends, without its end, and long for
// every one that is too long.
func eachLine(r io.Reader, line func([]byte), long func()) error {
	buf := bufio.NewReaderSize(r, maxLine)
	for skip := false; ; {
		text, err := buf.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if !skip {
				long()
			}
			skip = true
		case err == io.EOF && len(text) == 0 && !skip:
			return nil
		case err == io.EOF:
			return errTruncated
		case err != nil:
			return err
		case skip:
			skip = false
		default:
			line(bytes.TrimSuffix(text[:len(text)-1], []byte("\r")))
		}
	}
}
