package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"zkwarden/audit"
)

const (
	maxLine = 16 << 20 // Bytes of a line without its newline.
	hexLen  = 2 * sha256.Size

	lineHead = `{"schema":"` + audit.Schema + `","seq":`
	prevMark = `,"prev":"`
	hashMark = `,"hash":"`
	lineTail = `"}`

	// What follows the hashed bytes, and what the last of those bytes are.
	hashPart = len(hashMark) + hexLen + len(lineTail)
	prevPart = len(prevMark) + hexLen + len(`"`)
)

// noHash stands before the first record.
const noHash = "0000000000000000000000000000000000000000000000000000000000000000"

// record is what a line says about its place in the chain.
type record struct {
	seq        uint64
	prev, hash []byte // Hex digits, within the line.
}

// parseLine takes a line without its newline apart and checks it against its
// own hash. Whether it follows the line before is the caller's to check.
func parseLine(line []byte) (record, error) {
	if len(line) < len(lineHead)+prevPart+hashPart {
		return record{}, errors.New("is too short to be a record")
	}
	body, tail := line[:len(line)-hashPart], line[len(line)-hashPart:]
	hash := tail[len(hashMark) : len(hashMark)+hexLen]
	if !bytes.HasPrefix(tail, []byte(hashMark)) || !bytes.HasSuffix(tail, []byte(lineTail)) {
		return record{}, errors.New("does not end with a hash")
	}
	if want := sumHex(body); !bytes.Equal(want[:], hash) {
		return record{}, errors.New("does not match its hash")
	}
	last := body[len(body)-prevPart:]
	prev := last[len(prevMark) : len(prevMark)+hexLen]
	if !bytes.HasPrefix(last, []byte(prevMark)) || last[len(last)-1] != '"' {
		return record{}, errors.New("names no line before it")
	}
	seq, err := parseSeq(body)
	if err != nil {
		return record{}, err
	}
	return record{seq: seq, prev: prev, hash: hash}, nil
}

func parseSeq(body []byte) (uint64, error) {
	rest, ok := bytes.CutPrefix(body, []byte(lineHead))
	if !ok {
		return 0, errors.New("does not begin with schema and seq of " + audit.Schema)
	}
	digits, _, ok := bytes.Cut(rest[:min(len(rest), 21)], []byte(","))
	if !ok || len(digits) == 0 || digits[0] < '1' || digits[0] > '9' {
		return 0, errors.New("has a seq that is no number")
	}
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0, errors.New("has a seq that is no number")
	}
	return seq, nil
}

// seal turns the JSON of an event, whose last member is prev, into a line by
// putting its hash behind it, and returns the line and the hash.
func seal(event []byte) (line []byte, hash string) {
	body := event[:len(event)-len("}")]
	sum := sumHex(body)
	line = append(body, hashMark...)
	line = append(line, sum[:]...)
	return append(line, lineTail...), string(sum[:])
}

func sumHex(b []byte) (text [hexLen]byte) {
	sum := sha256.Sum256(b)
	hex.Encode(text[:], sum[:])
	return text
}

// Decode returns the event of a line. The hash behind it is not part of the
// event; lines that the journal returned have been checked against theirs.
func Decode(line audit.Line) (audit.Event, error) {
	var e audit.Event
	if err := json.Unmarshal(line.JSON, &e); err != nil {
		return audit.Event{}, fmt.Errorf("decode record %d: %w", line.Seq, err)
	}
	return e, nil
}
