package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"zkwarden/audit"

	"github.com/go-zookeeper/zk"
)

// A znode's line starts with its path, or ends with it behind columns, and a
// reason it could not be read stands behind a tab, which no printable path has.

func textLine(b []byte, z *znode) ([]byte, error) {
	b = append(b, printable(z.path)...)
	if z.trouble != "" {
		b = append(b, "\t("+z.trouble+")"...)
	}
	return b, nil
}

const (
	statHeader  = "VERSION      SIZE  CHILDREN  EPHEMERAL OWNER     CREATED                   MODIFIED                  PATH\n"
	statColumns = "%7d  %8d  %8d  %-18s  %s  %s  "
	statUnknown = "      -         -         -  -                   -                         -                         "
)

func statLine(b []byte, z *znode) ([]byte, error) {
	s := z.stat
	if s == nil {
		return textLine(append(b, statUnknown...), z)
	}
	owner := "-"
	if s.EphemeralOwner != 0 {
		owner = audit.SessionID(s.EphemeralOwner).String()
	}
	created, _ := audit.AtUnixMilli(s.Ctime).MarshalText()
	modified, _ := audit.AtUnixMilli(s.Mtime).MarshalText()
	b = fmt.Appendf(b, statColumns, s.Version, s.DataLength, s.NumChildren, owner, created, modified)
	return textLine(b, z)
}

// treeRecord is a znode in JSON. Its members have the names and forms of the
// audit events where they mean the same.
type treeRecord struct {
	Path string `json:"path"`
	*statRecord
	Error string `json:"error,omitempty"` // "no auth" or "invalid path".
}

type statRecord struct {
	Czxid          audit.Zxid      `json:"czxid"`
	Mzxid          audit.Zxid      `json:"mzxid"`
	Pzxid          audit.Zxid      `json:"pzxid"`
	Ctime          audit.Millis    `json:"ctime"`
	Mtime          audit.Millis    `json:"mtime"`
	Version        int32           `json:"version"`
	Cversion       int32           `json:"cversion"`
	Aversion       int32           `json:"aversion"`
	EphemeralOwner audit.SessionID `json:"ephemeral_owner,omitzero"`
	Size           int32           `json:"size"` // Bytes of data.
	Children       int32           `json:"children"`
}

func newStatRecord(s *zk.Stat) *statRecord {
	if s == nil {
		return nil
	}
	return &statRecord{
		Czxid: audit.Zxid(s.Czxid), Mzxid: audit.Zxid(s.Mzxid), Pzxid: audit.Zxid(s.Pzxid),
		Ctime: audit.AtUnixMilli(s.Ctime), Mtime: audit.AtUnixMilli(s.Mtime),
		Version: s.Version, Cversion: s.Cversion, Aversion: s.Aversion,
		EphemeralOwner: audit.SessionID(s.EphemeralOwner),
		Size:           s.DataLength, Children: s.NumChildren,
	}
}

func jsonLine(b []byte, z *znode) ([]byte, error) {
	buffer := bytes.NewBuffer(b)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(treeRecord{z.path, newStatRecord(z.stat), z.trouble}); err != nil {
		return nil, fmt.Errorf("encode %s: %w", printable(z.path), err)
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}
