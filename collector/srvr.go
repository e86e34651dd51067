package collector

import (
	"bytes"
	"io"
)

// readSrvr reads a reply to srvr into the same samples that mntr gives. It
// returns how many lines it knew, and the errors of readMntr. ClickHouse Keeper
// answers in the same form, with a decimal zxid and a name of its own before
// "version".
func readSrvr(r io.Reader, s *samples) (int, error) {
	lines := 0
	err := eachLine(r, func(line []byte) {
		name, value, ok := bytes.Cut(line, []byte(": "))
		if ok && s.putSrvr(name, value) {
			lines++
		}
	}, func() { s.unparsable++ })
	if err == nil && lines == 0 {
		err = errGarbage
	}
	return lines, err
}

// putSrvr takes one line and tells whether it is known.
func (s *samples) putSrvr(name, value []byte) bool {
	if bytes.HasSuffix(name, []byte(" version")) {
		s.version = string(value)
		return true
	}
	switch string(name) {
	case "Mode":
		s.state = string(value)
	case "Zxid":
		s.putZxid(value)
	case "Received":
		s.put([]byte("packets_received"), value)
	case "Sent":
		s.put([]byte("packets_sent"), value)
	case "Connections":
		s.put([]byte("num_alive_connections"), value)
	case "Outstanding":
		s.put([]byte("outstanding_requests"), value)
	case "Node count":
		s.put([]byte("znode_count"), value)
	case "Proposal sizes last/min/max":
		s.putSizes(value)
	default:
		return false
	}
	return true
}

func (s *samples) putZxid(value []byte) {
	zxid, ok := parseZxid(string(value))
	if !ok {
		s.unparsable++
		return
	}
	s.zxid, s.hasZxid = zxid, true
}

func (s *samples) putSizes(value []byte) {
	sizes := bytes.Split(value, []byte("/"))
	if len(sizes) != 3 {
		s.unparsable++
		return
	}
	for i, key := range []string{"last_proposal_size", "min_proposal_size", "max_proposal_size"} {
		s.put([]byte(key), sizes[i])
	}
}
