package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"zkwarden/audit"
)

// ends are the first and the last line of a segment, all that is read of most
// segments when a journal is opened.
type ends struct {
	stored
	prev  string // The hash of the line before the first.
	last  mark
	chain string
	began time.Time // When the first record was observed.
}

// survey reads the ends of segments and checks that they follow each other.
func survey(dir string, segments []stored) ([]ends, error) {
	var all []ends
	for i, s := range segments {
		e, err := readEnds(dir, s)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			if err := e.follows(dir, all[i-1]); err != nil {
				return nil, err
			}
		}
		all = append(all, e)
	}
	return all, nil
}

// follows checks what can be known without the lines in between.
func (e ends) follows(dir string, before ends) error {
	broken := &BrokenError{File: segmentPath(dir, e.first), Line: 1, Seq: e.first}
	switch {
	case e.first != before.last.seq+1:
		return missing(dir, before.last.seq+1, e.first)
	case e.chain != before.chain:
		broken.Problem = anotherChain(e.chain, before.chain)
	case e.prev != before.last.hash:
		broken.Problem = fmt.Sprintf("the line follows another line than the last one of %s", segmentPath(dir, before.first))
	default:
		return nil
	}
	return broken
}

// missing is the error for records from one seq up to before another, whose
// segments are not there or end early.
func missing(dir string, from, next uint64) error {
	return &BrokenError{
		File: segmentPath(dir, from), Seq: from,
		Problem: fmt.Sprintf("the records %d to %d are missing: the segment before ends, and the next one begins at seq %d", from, next-1, next),
	}
}

func anotherChain(chain, want string) string {
	return fmt.Sprintf("the segment belongs to another journal, with chain id %s instead of %s", chain, want)
}

func readEnds(dir string, s stored) (ends, error) {
	r, err := openSegment(dir, s.first, "")
	if err != nil {
		return ends{}, err
	}
	defer r.close()
	line, err := r.next(s.size)
	if errors.Is(err, io.EOF) {
		return ends{}, r.broken(false, "the segment is empty, although another one follows")
	}
	if err != nil {
		return ends{}, err
	}
	begin, err := r.firstLine(line)
	if err != nil {
		return ends{}, err
	}
	e := ends{stored: s, prev: begin.Prev, chain: begin.Chain, began: begin.Observed.Time()}
	e.last, err = lastLine(r.file, s)
	return e, err
}

// firstLine decodes the line that a segment begins with.
func (r *segmentReader) firstLine(line []byte) (audit.Event, error) {
	e, err := Decode(audit.Line{Seq: r.last.seq, JSON: line})
	if err != nil || e.Chain == "" {
		return e, &BrokenError{File: r.file.Name(), Line: r.line, Seq: r.last.seq, Problem: "the first record of the segment has no chain id"}
	}
	return e, nil
}

// lastLine reads the last line of a segment that gets no more of them.
func lastLine(file *os.File, s stored) (mark, error) {
	broken := func(problem string) error { return &BrokenError{File: file.Name(), Problem: problem} }
	for size := int64(4 << 10); ; size *= 4 {
		size = min(size, s.size)
		tail := make([]byte, size)
		if _, err := file.ReadAt(tail, s.size-size); err != nil {
			return mark{}, fmt.Errorf("read end of segment: %w", err)
		}
		line, whole := bytes.CutSuffix(tail, []byte("\n"))
		if !whole {
			return mark{}, broken("the last line does not end, although another segment follows")
		}
		begin := bytes.LastIndexByte(line, '\n') + 1
		if begin == 0 && size < s.size && size <= maxLine {
			continue
		}
		rec, err := parseLine(line[begin:])
		if err != nil {
			return mark{}, broken("the last line " + err.Error())
		}
		return mark{seq: rec.seq, hash: string(rec.hash)}, nil
	}
}

// isRetention says whether a line is a retention record. Inside of a JSON
// string the text would have its quotes escaped.
func isRetention(line []byte) bool {
	const members = `,"kind":"control","control":"retention",`
	return bytes.Contains(line[:min(len(line), 256)], []byte(members))
}

// parseAnchor parses what mark.String writes.
func parseAnchor(text string) (mark, error) {
	m, err := parseMark([]byte(text + "\n"))
	if err != nil || strings.Contains(text, "\n") {
		return mark{}, fmt.Errorf("the anchor %.100q %w", text, errors.New(`is not "<seq>:<hash>"`))
	}
	return m, nil
}
