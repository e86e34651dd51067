package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"

	"zkwarden/audit"
)

// withoutContent returns the event of a line without contents. The members
// keep their order and bytes; "hash" is the journal's still, so that the event
// can be found there.
func withoutContent(line audit.Line) (audit.Line, error) {
	text, err := rewrite(line.JSON, func(name string, value json.RawMessage) (json.RawMessage, error) {
		if name != "before" && name != "after" {
			return value, nil
		}
		return rewrite(value, func(name string, value json.RawMessage) (json.RawMessage, error) {
			switch name {
			case "size", "digest":
				return value, nil
			}
			return nil, nil // Data, ACL, and what is said about them.
		})
	})
	if err != nil {
		return audit.Line{}, fmt.Errorf("remove the contents of record %d: %w", line.Seq, err)
	}
	text = append(text[:len(text)-1], `,"content_removed":true}`...)
	return audit.Line{Seq: line.Seq, JSON: text}, nil
}

// rewrite passes the members of an object through change, which drops those
// that it returns nil for.
func rewrite(object []byte, change func(name string, value json.RawMessage) (json.RawMessage, error)) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	made := []byte{'{'}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if value, err = change(fmt.Sprint(name), value); err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		if len(made) > 1 {
			made = append(made, ',')
		}
		made = fmt.Appendf(made, "%q:", name)
		made = append(made, value...)
	}
	return append(made, '}'), nil
}
