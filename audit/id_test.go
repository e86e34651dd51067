package audit

import "testing"

// The expected ids were computed outside of this program, by
// printf 'prod\0001\000/path...' | sha256sum | cut -c1-32.
func TestIdentityVectors(t *testing.T) {
	orders := Identity{Ensemble: "prod", Generation: 1, Path: "/kafka/config/topics/orders", Czxid: 0x100000004, Op: OpCreated}
	changed, again, restored := orders, orders, orders
	changed.Op, changed.Counter = OpDataChanged, 7
	again.Occurrence = 1
	restored.Generation = 2

	for name, test := range map[string]struct {
		identity Identity
		want     string
	}{
		"created":            {orders, "7c76ba2592d9c568c39111419de7119e"},
		"data changed":       {changed, "84a2ce9b4cb148201e150c753901bd2e"},
		"second in one zxid": {again, "e8829af67003201dbf1be0c1c7bf8194"},
		"next generation":    {restored, "4e572bd7b7908be4ea37b77ae0c535b1"},
		"largest numbers": {
			Identity{Ensemble: "prod", Generation: 1, Path: "/", Czxid: 0xffffffffffffffff, Op: OpACLChanged, Counter: 2147483647},
			"f39ccd9991ceb9e5053990911b34c74f",
		},
		"blank and UTF-8": {
			Identity{Ensemble: "prod", Generation: 1, Path: "/a b/é", Czxid: 1, Op: OpDeleted, Occurrence: 2},
			"94354df6c80e9d28076d3f2507aa3a16",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.identity.ID(); got != test.want {
				t.Errorf("ID() = %s, want %s", got, test.want)
			}
		})
	}
}

func TestSeqIDVectors(t *testing.T) {
	const chain = "0123456789abcdef0123456789abcdef"
	for name, test := range map[string]struct {
		event Event
		want  string
	}{
		"unknown incarnation": {Event{Ensemble: "prod", Seq: 42, Path: "/gone", Op: OpDeleted}, "38b96d6ead8eb5fb5eb95010260b0a1c"},
		"no change at all":    {Event{Ensemble: "prod", Seq: 1}, "61e1594a2b25d8370ffde8eaa407c110"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.event.SeqID(chain); got != test.want {
				t.Errorf("SeqID() = %s, want %s", got, test.want)
			}
		})
	}
}
