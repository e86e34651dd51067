package watch

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// pendingOps answers every xid with an operation, so that a body alone decides.
func pendingOps(xid int32) request {
	return request{op: []int32{opGetData, opGetChildren2, opSync, opAddWatch, 0, opGetACL, opExists}[xid%7], path: "/asked"}
}

var bodies = map[string]struct {
	body jute
	want frame
}{
	"created, with its zxid": {
		notification(0x100000009, eventCreated, "/a"),
		frame{xid: xidNotification, zxid: 0x100000009, event: eventCreated, request: request{path: "/a"}},
	},
	"deleted, before 3.9": {
		notification(-1, eventDeleted, "/a"),
		frame{xid: xidNotification, event: eventDeleted, request: request{path: "/a"}},
	},
	"ping": {header(xidPing, 7, 0), frame{xid: xidPing, zxid: 7}},
	"data": {
		header(0, 7, 0).text("data").stat(someStat),
		frame{zxid: 7, request: pendingOps(0), node: &audit.Znode{Data: []byte("data"), Stat: someStat}},
	},
	"null data": {
		header(0, 7, 0).int32(-1).stat(someStat), frame{zxid: 7, request: pendingOps(0), node: &audit.Znode{Stat: someStat}},
	},
	"no data": {
		header(0, 7, 0).text("").stat(someStat), frame{zxid: 7, request: pendingOps(0), node: &audit.Znode{Data: []byte{}, Stat: someStat}},
	},
	"an error has no body": {header(0, 7, errNoNode), frame{zxid: 7, code: errNoNode, request: pendingOps(0)}},
	"children": {
		header(1, 7, 0).int32(2).text("a").text("ž").stat(someStat),
		frame{xid: 1, zxid: 7, request: pendingOps(1), children: []string{"a", "ž"}, node: &audit.Znode{Stat: someStat, Bare: true}},
	},
	"no children": {header(1, 7, 0).int32(0).stat(someStat), frame{xid: 1, zxid: 7, request: pendingOps(1), children: []string{}, node: &audit.Znode{Stat: someStat, Bare: true}}},
	"sync":        {header(2, 7, 0).text("/"), frame{xid: 2, zxid: 7, request: pendingOps(2)}},
	"watch added": {header(3, 7, 0).int32(0), frame{xid: 3, zxid: 7, request: pendingOps(3)}},
	"acl": {
		header(5, 7, 0).int32(2).int32(31).text("world").text("anyone").int32(8 | 16 | 64).text("digest").text("u:x").stat(someStat),
		frame{xid: 5, zxid: 7, request: pendingOps(5), node: &audit.Znode{Stat: someStat, ACL: []audit.ACL{
			{Perms: "cdrwa", Scheme: "world", ID: "anyone"}, {Perms: "da", Scheme: "digest", ID: "u:x"},
		}}},
	},
	"exists":             {header(6, 7, 0).stat(someStat), frame{xid: 6, zxid: 7, request: pendingOps(6), node: &audit.Znode{Stat: someStat, Bare: true}}},
	"watch unknown":      {header(3, 7, errUnimplemented), frame{xid: 3, zxid: 7, code: errUnimplemented, request: pendingOps(3)}},
	"not of interest":    {header(4, 7, 0).int64(1), frame{xid: 4, zxid: 7, request: pendingOps(4)}},
	"a reply to an auth": {header(-4, 0, 0), frame{xid: -4}},
}

func TestDecodeFrame(t *testing.T) {
	for name, test := range bodies {
		t.Run(name, func(t *testing.T) {
			got, err := decodeFrame(test.body, pendingOps)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(frame{}, request{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if name == "not of interest" {
				return
			}
			for n := range len(test.body) {
				if f, err := decodeFrame(test.body[:n], pendingOps); err == nil {
					t.Errorf("the first %d of %d bytes were read as %+v", n, len(test.body), f)
				}
			}
		})
	}
}

var malformed = map[string]jute{
	"nothing":                     {},
	"a header cut short":          header(1, 7, 0)[:15],
	"a notification without any":  header(xidNotification, 7, 0),
	"a path of negative length":   header(xidNotification, 7, 0).int32(1).int32(3).int32(-2),
	"a path beyond the frame":     header(xidNotification, 7, 0).int32(1).int32(3).int32(1 << 30),
	"data of negative length":     header(0, 7, 0).int32(-2).stat(someStat),
	"data beyond the frame":       header(0, 7, 0).int32(1 << 30).stat(someStat),
	"data without a stat":         header(0, 7, 0).text("data"),
	"a billion children":          header(1, 7, 0).int32(1 << 30).stat(someStat),
	"children of negative count":  header(1, 7, 0).int32(-2).stat(someStat),
	"a child beyond the frame":    header(1, 7, 0).int32(1).int32(1 << 30).stat(someStat),
	"a billion entries of an acl": header(5, 7, 0).int32(1 << 30).stat(someStat),
	"an acl of negative count":    header(5, 7, 0).int32(-1).stat(someStat),
	"an acl beyond the frame":     header(5, 7, 0).int32(1).int32(1).text("world").int32(1 << 30),
	"an acl without a stat":       header(5, 7, 0).int32(1).int32(1).text("world").text("anyone"),
	"an empty answer to a sync":   header(2, 7, 0),
}

func TestDecodeFrameRefuses(t *testing.T) {
	for name, body := range malformed {
		t.Run(name, func(t *testing.T) {
			if f, err := decodeFrame(body, pendingOps); err == nil {
				t.Errorf("read as %+v", f)
			}
		})
	}
}

// FuzzDecodeFrame: whatever a server sends costs no more memory than it sent.
func FuzzDecodeFrame(f *testing.F) {
	for _, test := range bodies {
		f.Add([]byte(test.body))
	}
	for _, body := range malformed {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fr, err := decodeFrame(body, func(xid int32) request {
			if xid < 0 {
				t.Errorf("xid %d was looked for", xid)
				return request{}
			}
			return pendingOps(xid)
		})
		if err != nil {
			if diff := cmp.Diff(frame{}, fr, cmp.AllowUnexported(frame{}, request{})); diff != "" {
				t.Errorf("an error came with a frame:\n%s", diff)
			}
			return
		}
		held := len(fr.path) - len("/asked")
		if fr.node != nil {
			held += len(fr.node.Data)
			for _, entry := range fr.node.ACL {
				held += 12 + len(entry.Scheme) + len(entry.ID)
			}
		}
		for _, name := range fr.children {
			held += 4 + len(name)
		}
		if held > len(body) || cap(fr.children) > len(body) {
			t.Errorf("%d bytes became %d, and room for %d children", len(body), held, cap(fr.children))
		}
		if xid := int32(binary.BigEndian.Uint32(body)); xid != fr.xid || uint64(fr.zxid) >= 1<<63 {
			t.Errorf("xid %d, zxid %v", fr.xid, fr.zxid)
		}
	})
}
