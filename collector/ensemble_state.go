package collector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	ensembleSchema = "zkwarden/ensemble/v1"
	maxStateFile   = 1 << 20 // Bytes.
)

// ensembleState is the content of the state file.
type ensembleState struct {
	Schema  string   `json:"schema"`
	Self    int64    `json:"self"`
	Members []Member `json:"members"`
}

// recall takes the members from the state file, if there is one.
func (e *Ensemble) recall() error {
	if e.options.StateFile == "" {
		return nil
	}
	m, err := readState(e.options.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read ensemble state file %s: %w", e.options.StateFile, err)
	}
	e.saved = membership{self: m.self, members: slices.Clone(m.members)}
	m.members = slices.DeleteFunc(m.members, func(member Member) bool { return member.Unlisted })
	for i := range m.members {
		if m.members[i].ID == m.self {
			m.members[i].Addr = e.options.Addr
		}
	}
	if m, err = m.withAddresses(e.options.Members); err != nil {
		return fmt.Errorf("read ensemble state file %s: %w", e.options.StateFile, err)
	}
	e.list = memberList{membership: m, source: Remembered}
	return nil
}

func readState(name string) (membership, error) {
	file, err := os.Open(name)
	if err != nil {
		return membership{}, err
	}
	defer func() { _ = file.Close() }() // It is only read.
	text, err := io.ReadAll(io.LimitReader(file, maxStateFile))
	if err != nil {
		return membership{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var s ensembleState
	if err := decoder.Decode(&s); err != nil {
		return membership{}, err
	}
	if s.Schema != ensembleSchema || len(s.Members) == 0 {
		return membership{}, fmt.Errorf("want members in schema %s, have %d in %q", ensembleSchema, len(s.Members), s.Schema)
	}
	m := membership{self: s.Self, members: s.Members}
	return m, m.check()
}

// remember writes the members to the state file. A crash leaves the old file or
// the new one.
func (e *Ensemble) remember(m membership) error {
	name := e.options.StateFile
	if name == "" {
		return nil
	}
	text, err := json.MarshalIndent(ensembleState{ensembleSchema, m.self, m.members}, "", "  ")
	if err != nil {
		return fmt.Errorf("write ensemble state file %s: %w", name, err)
	}
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write ensemble state file %s: %w", name, err)
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write ensemble state file %s: %w", name, errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// CheckState returns how many members the state file holds, or why it can't be
// used; that it doesn't exist yet matches [fs.ErrNotExist].
func CheckState(name string) (members int, err error) {
	m, err := readState(name)
	if err != nil {
		return 0, fmt.Errorf("read ensemble state file %s: %w", name, err)
	}
	return len(m.members), nil
}
