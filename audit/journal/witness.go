package journal

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// checkDigits is how many hex digits of a hash make its check: 52 bits, which
// a float64 and so Prometheus holds without loss.
const checkDigits = 13

// Head is what somebody else has seen of a journal: a record, and its hash or
// the check of that. A check is the number that the first 52 bits of the hash
// make, as in the metric zkwarden_journal_head_check.
type Head struct {
	Seq   uint64
	Hash  string // 64 hex digits, or empty.
	Check uint64 // When Hash is empty.
}

// ParseHead parses SEQ:CHECK and SEQ:HASH. Numbers may have the forms in which
// Prometheus shows them, such as 1.04e+03.
func ParseHead(text string) (Head, error) {
	seq, check, ok := strings.Cut(text, ":")
	h := Head{}
	var err error
	if h.Seq, err = parseWhole(seq); err != nil || h.Seq == 0 || !ok {
		return Head{}, fmt.Errorf("head %q: want SEQ:CHECK or SEQ:HASH", text)
	}
	if len(check) == hexLen {
		if _, err := hex.DecodeString(check); err != nil {
			return Head{}, fmt.Errorf("head %q: the hash is not hexadecimal", text)
		}
		h.Hash = strings.ToLower(check)
		return h, nil
	}
	if h.Check, err = parseWhole(check); err != nil || h.Check >= 1<<(4*checkDigits) {
		return Head{}, fmt.Errorf("head %q: want a check of 52 bits or a hash of %d hexadecimal digits", text, hexLen)
	}
	return h, nil
}

// parseWhole parses a number as Prometheus writes it, if it is a whole one.
func parseWhole(text string) (uint64, error) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f >= 1<<53 {
		return 0, errors.New("is not a whole number")
	}
	return uint64(f), nil
}

func (h Head) matches(hash string) bool {
	if h.Hash != "" {
		return h.Hash == hash
	}
	return h.Check == checkOf(hash)
}

func (h Head) String() string {
	if h.Hash != "" {
		return h.Hash
	}
	return fmt.Sprintf("check %d", h.Check)
}

// checkOf returns the check of a hash.
func checkOf(hash string) uint64 {
	v, _ := strconv.ParseUint(hash[:checkDigits], 16, 64) // Hashes are hex digits.
	return v
}

// witness is a place that a journal has to have, and who says so.
type witness struct {
	Head
	name    string
	outside bool // Whether it was given by somebody else, and not found beside the journal.
}

// gatherWitnesses reads the cursors in dir, which like the head have to be read
// before the records: then all of what they name is there. A head before the
// first record has nothing to compare. The first cursor that has something else
// in it is returned as damage.
func gatherWitnesses(dir string, head mark, heads []Head) (all []witness, damage *BrokenError, err error) {
	if head != (mark{hash: noHash}) {
		all = append(all, witness{Head{Seq: head.seq, Hash: head.hash}, "the file head", false})
	}
	names, err := cursorNames(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		at, err := readMark(filepath.Join(dir, cursorPrefix+name))
		if broken, ok := errors.AsType[*BrokenError](err); ok {
			damage = cmp.Or(damage, broken)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		all = append(all, witness{Head{Seq: at.seq, Hash: at.hash}, "the file " + cursorPrefix + name, false})
	}
	for _, h := range heads {
		all = append(all, witness{h, "the head that was given", true})
	}
	slices.SortStableFunc(all, func(a, b witness) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, damage, nil
}
