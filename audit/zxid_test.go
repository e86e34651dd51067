package audit

import (
	"encoding"
	"strings"
	"testing"
)

func TestZxidParts(t *testing.T) {
	z := Zxid(0xfedcba9876543210)
	if z.Epoch() != 0xfedcba98 || z.Counter() != 0x76543210 {
		t.Errorf("epoch %#x and counter %#x", z.Epoch(), z.Counter())
	}
}

func TestHexText(t *testing.T) {
	for text, want := range map[string]uint64{
		"0x0":                0,
		"0x100000001":        0x100000001,
		"0x7fffffffffffffff": 1<<63 - 1,
		"0x8000000000000000": 1 << 63, // Unsigned, unlike the server's own long.
		"0xffffffffffffffff": 1<<64 - 1,
	} {
		t.Run(text, func(t *testing.T) {
			roundTrip(t, text, new(Zxid), func(z *Zxid) bool { return uint64(*z) == want })
			roundTrip(t, text, new(SessionID), func(s *SessionID) bool { return uint64(*s) == want })
		})
	}
}

func TestHexTextRefused(t *testing.T) {
	for _, text := range []string{"", "0x", "1", "0X1", "0xg", "-0x1", "0x-1", "0x+1", " 0x1", "0x1 ", "0x1_0", "0x10000000000000000"} {
		t.Run(text, func(t *testing.T) {
			z, s := Zxid(7), SessionID(7)
			for name, err := range map[string]error{"zxid": z.UnmarshalText([]byte(text)), "session id": s.UnmarshalText([]byte(text))} {
				if err == nil || !strings.HasPrefix(err.Error(), "parse "+name+" \""+text+"\": ") {
					t.Errorf("error %v does not name the %s", err, name)
				}
			}
			if z != 7 || s != 7 {
				t.Errorf("refused text left %v and %v", z, s)
			}
		})
	}
}

type textual interface {
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

// roundTrip parses text, judges the value and formats it again.
func roundTrip[T textual](t *testing.T, text string, value T, right func(T) bool) {
	t.Helper()
	if err := value.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if !right(value) {
		t.Errorf("%T: %q was read as %v", value, text, value)
	}
	got, err := value.MarshalText()
	if err != nil || string(got) != text {
		t.Errorf("%T: %q became %q, %v", value, text, got, err)
	}
}
